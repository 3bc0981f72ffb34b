// Grants and their impressions: what is left, what was printed, and settling what went wrong.
import * as api from './api.js';
import { artwork } from './artwork.js';
import { runAct } from './act-dialog.js';
import { fromBase64 } from './bytes.js';
import { button, card, el, empty, facts, field, form, guarded, link, notice, page, select, state, table, time } from './dom.js';
import { t } from './i18n.js';
import { reload } from './navigate.js';
import { jobsCard, printCard } from './views-print.js';
import * as proto from './proto.js';
import { hasRole, session } from './session.js';
import { placeText } from './views-request.js';

export async function grantsView() {
  const view = hasRole('manager', 'admin', 'auditor') ? 'all' : 'mine';
  const grants = await api.listAll('/v1/grants', 'grants', { view }, (g) => g.grant_id, 400);
  const rows = grants.map((g) => [link(`#/grant/${g.grant_id}`, g.document_title || g.grant_id), g.seal_name,
    `${g.remaining ?? 0} / ${g.copies ?? 0}`, time(g.not_after), state(g.state)]);
  return page(t('nav.grants'), view === 'mine' ? await jobsCard() : null,
    card('', rows.length ? table([t('f.title'), t('seal'), t('grant.remaining'), t('f.not_after'), t('state')], rows) : empty()));
}

// ---- one grant ----

function statementOf(grant) {
  return proto.decode(proto.GrantStatement, proto.decode(proto.Signed, fromBase64(grant.statement)).payload);
}

function grantCard(g, s) {
  return card(t('grant'), el('div', { class: 'row' }, facts([[t('state'), state(g.state)], [t('seal'), link(`#/seal/${g.seal_id}`, g.seal_name)],
    [t('grant.member'), s.member_name], [t('grant.remaining'), `${g.remaining ?? 0} / ${g.copies}`], [t('f.not_before'), time(s.not_before)],
    [t('f.not_after'), time(g.not_after)], [t('grant.signature'), s.signature_name], [t('grant.allowance'), s.spoil_allowance],
    [t('f.placement'), placeText(s.placement)], [t('grant.approvals'), s.approvals.map((a) => `${a.member_name} ${a.post}`).join('、')],
    [t('request'), link(`#/request/${g.request_id}`, t('request.open'))]]),
  el('div', { class: 'picture' }, artwork(Array.from(s.artwork_digest, (b) => b.toString(16).padStart(2, '0')).join(''), g.seal_name))),
  s.sample ? notice(t('seal.sample'), 'warn') : null);
}

function numberActions(g, n, place) {
  if (!hasRole('manager', 'admin')) return '';
  const act = (name, extra) => (event) => guarded(place, event.currentTarget, async () => {
    const reason = prompt(t('f.reason'));
    if (reason && (await runAct('authorization', name, { grant_id: g.grant_id, number: n.number, reason, ...extra }))) reload();
  });
  const settle = ['reserved', 'interrupted'].includes(n.state) && g.member_id !== session.me.member.member_id;
  return el('div', { class: 'buttons' },
    settle ? [button(t('settle.printed'), act('settle', { outcome: 'printed' })), button(t('settle.spoiled'), act('settle', { outcome: 'spoiled' }))] : null,
    n.state === 'printed' ? button(t('kind.revoke'), act('revoke')) : null);
}

function numbersCard(g) {
  const place = el('div', { class: 'messages', 'aria-live': 'polite' });
  const rows = (g.numbers ?? []).map((n) => [n.number, state(n.state), el('code', {}, n.printer_id), time(n.at),
    [n.reason, n.replaces ? `${t('replaces')} ${n.replaces}` : '', n.replaced_by ? `${t('replaced-by')} ${n.replaced_by}` : ''].filter(Boolean).join(' · '),
    numberActions(g, n, place)]);
  return card(t('impressions'), place, rows.length
    ? table([t('f.number-k'), t('state'), t('printer'), t('time'), t('remark'), ''], rows) : empty(t('impressions.none')));
}

async function filingsCard(g) {
  let filings;
  try {
    filings = (await api.get('/v1/filings', { grant_id: g.grant_id, limit: 200 })).filings ?? [];
  } catch (error) {
    if (error.status === 403) return null;
    throw error;
  }
  const rows = filings.map((f) => [f.registry, t(`v.${f.fact_kind}`, f.fact_kind), f.impression_number || '', state(f.state), f.number ?? '', time(f.at)]);
  return rows.length ? card(t('filings'), table([t('registry'), t('fact'), t('f.number-k'), t('state'), t('filing.number'), t('time')], rows)) : null;
}

function cancelCard(g) {
  const may = g.member_id === session.me.member.member_id || hasRole('manager', 'admin');
  if (!may || !['open', 'waiting', 'suspended'].includes(g.state)) return null;
  return card(t('kind.cancel'), form([field(t('f.reason'), 'reason', { maxlength: 160 })], t('kind.cancel'), async (data) => {
    if (await runAct('authorization', 'cancel', { grant_id: g.grant_id, reason: data.get('reason').trim() })) reload();
  }));
}

export async function grantView(id) {
  const g = await api.get(`/v1/grants/${api.segment(id)}`), s = statementOf(g);
  const mine = g.member_id === session.me.member.member_id;
  const replaceable = (g.numbers ?? []).filter((n) => n.state === 'spoiled' && !n.replaced_by).map((n) => n.number);
  const printing = mine && g.state === 'open' && (g.remaining || replaceable.length) ? await printCard(g, s, replaceable) : null;
  return page(g.document_title || t('grant'), grantCard(g, s), mine ? await jobsCard(g.grant_id) : null, printing, numbersCard(g), await filingsCard(g), cancelCard(g));
}
