// Audit: the filed facts of a seal, whether their chain and signatures hold, and the registries' receipts.
import * as api from './api.js';
import * as keys from './keys.js';
import * as proto from './proto.js';
import { runReplay } from './replay.js';
import { cryptoAvailable, fromHex, hex, sha256 } from './bytes.js';
import { button, card, digest, el, empty, guarded, link, notice, page, select, state, table, time } from './dom.js';
import { t } from './i18n.js';
import { hasRole } from './session.js';
import { brokenLinks, openManifest, signedOfJson, verifyStatement } from './trust.js';

const PAGE = 50;

// The root key seen first is kept: a later one would be a stranger's, or a new deployment's.
async function trustedKeys() {
  if (!cryptoAvailable()) return null;
  const pinned = await keys.read('facts', 'root');
  const manifest = await openManifest(await api.get('/v1/keys'), pinned ?? '');
  if (!pinned) await keys.write('facts', 'root', manifest.root);
  return manifest;
}

async function checkFact(manifest, fact) {
  const signed = signedOfJson(fact.statement), statement = proto.decode(proto.FactStatement, signed.payload);
  const same = statement.fact_id === fact.fact_id && hex(await sha256(signed.payload)) === fact.digest;
  const signature = same ? await verifyStatement(manifest, signed, 'fact', statement.at) : 'bad';
  return { fact, signed, statement, signature };
}

async function checkReceipt(manifest, filing, fact) {
  if (!filing.receipt) return '';
  const signed = signedOfJson(filing.receipt), r = proto.decode(proto.ReceiptStatement, signed.payload);
  const same = r.registry === filing.registry && r.fact_id === filing.fact_id && (!fact || hex(r.fact_digest) === fact.digest);
  return same ? verifyStatement(manifest, signed, 'receipt', r.received_at, filing.registry) : 'bad';
}

function verdict(result) {
  return result ? el('span', { class: `state s-${result}` }, t(`check.${result}`)) : '';
}

// ---- facts ----

async function loadFacts(manifest, sealId, afterSeq, previous) {
  const facts = (await api.get('/v1/facts', { seal_id: sealId, after_seq: afterSeq, limit: PAGE })).facts ?? [];
  if (!manifest) return { rows: facts.map((fact) => ({ fact, statement: {}, signature: 'unchecked' })), last: previous };
  const rows = await Promise.all(facts.map((fact) => checkFact(manifest, fact)));
  const broken = await brokenLinks(rows.map((r) => r.signed), previous);
  for (const r of rows) r.chain = broken.has(r.fact.fact_id) ? 'bad' : 'good';
  return { rows, last: rows.length ? fromHex(rows[rows.length - 1].fact.digest) : previous };
}

function factCells({ fact, statement, signature, chain }, filings) {
  const mine = filings.filter((f) => f.fact_id === fact.fact_id).sort((a, b) => a.registry.localeCompare(b.registry));
  return [fact.seal_seq, t(`v.${fact.kind}`, fact.kind), time(fact.at), statement.member_name ?? '',
    fact.grant_id ? link(`#/grant/${fact.grant_id}`, fact.number ? `${t('impression')} ${fact.number}` : t('grant')) : '',
    t(`v.${statement.detail}`, statement.detail ?? ''), mine.map((f) => el('div', {}, `${f.registry} `, state(f.state), f.number ? ` ${f.number}` : '')),
    [verdict(signature), ' ', chain ? el('span', { class: `state s-${chain}` }, t(`chain.${chain}`)) : ''], digest(fact.digest.slice(0, 16))];
}

const FACT_HEADS = () => [t('f.seal_seq'), t('fact'), t('time'), t('member'), t('concerns'), t('detail'), t('registries'), t('checked'), t('digest')];

async function factsCard(manifest, sealId, filings) {
  const place = el('div'), messages = el('div', { class: 'messages' });
  const state_ = { rows: [], previous: new Uint8Array(0), after: 0 };
  const more = button(t('more'), () => guarded(messages, more, next));
  async function next() {
    const { rows, last } = await loadFacts(manifest, sealId, state_.after, state_.previous);
    state_.rows.push(...rows);
    state_.previous = last;
    state_.after = state_.rows.length ? state_.rows[state_.rows.length - 1].fact.seal_seq : 0;
    more.hidden = rows.length < PAGE;
    const bad = state_.rows.some((r) => r.signature === 'bad' || r.chain === 'bad');
    const word = !manifest ? notice(t('insecure'), 'warn') : bad ? notice(t('chain.broken'), 'bad') : notice(t('chain.whole'), 'good');
    place.replaceChildren(...(state_.rows.length ? [word, table(FACT_HEADS(), state_.rows.map((r) => factCells(r, filings)))] : [empty()]));
    return state_.rows;
  }
  const rows = await next();
  return { rows, node: card(t('facts'), place, messages, el('div', { class: 'actions' }, more)) };
}

// ---- filings ----

async function filingsCard(manifest, filings, facts) {
  if (filings.length === 0) return card(t('filings'), empty());
  const byId = new Map(facts.map((r) => [r.fact.fact_id, r.fact])), place = el('div', { class: 'messages' });
  const rows = await Promise.all(filings.map(async (f) => [f.registry, f.seal_seq, t(`v.${f.fact_kind}`, f.fact_kind), state(f.state), f.number ?? '',
    verdict(manifest ? await checkReceipt(manifest, f, byId.get(f.fact_id)) : ''), time(f.at), f.attempts, f.last_error ?? '',
    f.state === 'dead' ? button(t('replay'), (e) => guarded(place, e.currentTarget, () => runReplay(f.filing_id))) : '']));
  return card(t('filings'), place, table([t('registry'), t('f.seal_seq'), t('fact'), t('state'), t('filing.number'), t('receipt'), t('time'),
    t('attempts'), t('detail'), ''], rows));
}

async function registriesCard() {
  const list = (await api.get('/v1/registries')).registries ?? [];
  return card(t('registries'), list.length ? table([t('registry'), t('f.title'), t('registry.waiting'), t('registry.stopped')], list.map((r) => [r.name,
    r.title, r.waiting ?? 0, r.lanes_stopped ? el('span', { class: 'state s-bad' }, r.lanes_stopped) : 0])) : empty());
}

export async function auditView() {
  const [seals, manifest, registries] = await Promise.all([api.listAll('/v1/seals', 'seals', {}, (s) => s.seal_id), trustedKeys(), registriesCard()]);
  const place = el('div', { 'aria-live': 'polite' }), messages = el('div', { class: 'messages' });
  const show = (sealId) => guarded(messages, null, async () => {
    const filings = await api.listAll('/v1/filings', 'filings', { seal_id: sealId }, (f) => f.filing_id);
    const facts = await factsCard(manifest, sealId, filings);
    place.replaceChildren(facts.node, await filingsCard(manifest, filings, facts.rows));
  });
  if (seals.length && hasRole('auditor', 'admin')) await show(seals[0].seal_id);
  return page(t('nav.audit'), registries, seals.length ? card('', select(t('seal'), 'seal', seals.map((s) => [s.seal_id, s.name]),
    { onchange: (e) => show(e.target.value) })) : empty(), messages, place);
}
