// Verifying a mark by hand, for anyone: the address in a QR code, the string, the digits, the bar code.
import * as api from './api.js';
import { cryptoAvailable } from './bytes.js';
import { card, el, facts, field, form, group, link, page, state, table, time } from './dom.js';
import { digestOf, readFile } from './files.js';
import { t } from './i18n.js';
import { session } from './session.js';

const GOOD = new Set(['genuine']), BAD = new Set(['unknown', 'mismatch', 'revoked', 'void', 'doubtful', 'mistyped', 'elsewhere']);

function approvals(list) {
  return (list ?? []).map((a) => el('div', {}, `${a.member_name ?? ''} ${a.post ?? ''} `, time(a.at)));
}

export function verdictCard(v) {
  const kind = GOOD.has(v.verdict) ? 'good' : BAD.has(v.verdict) ? 'bad' : 'warn', f = v.facts ?? {};
  return card('', el('div', { class: `box ${kind}`, role: 'status' }, el('strong', {}, t(`verdict.${v.verdict}`, v.verdict)), v.reason ? el('p', {}, v.reason) : null),
    facts([[t('organization'), v.organization], [t('seal'), v.seal_name], [t('f.seal_code'), v.seal_code], [t('verify.seal-now'), state(v.seal_state_now)],
      [t('f.title'), v.document_title], [t('f.number'), f.number], [t('f.counterparty'), f.counterparty], [t('f.amount'), f.amount], [t('f.date'), f.date],
      [t('f.pages'), f.pages], [t('verify.mismatches'), (v.mismatches ?? []).map((m) => t(`f.${m}`, m)).join('、')],
      [t('impression'), v.number ? `${v.number} / ${v.copies}` : ''], [t('grant.approvals'), v.approvals?.length ? approvals(v.approvals) : ''],
      [t('f.requester_name'), v.requester], [t('grant.signature'), v.signature_name], [t('verify.granted'), time(v.granted_at)],
      [t('verify.printed'), time(v.printed_at)], [t('printer'), v.printer], [t('replaced-by'), v.replaced_by], [t('verify.as-of'), time(v.as_of)],
      [t('mark.page'), v.token ? link(`/V/${api.segment(v.token)}`, `/V/${v.token}`) : '']]),
    v.filings?.length ? table([t('registry'), t('fact'), t('state'), t('filing.number'), t('time')],
      v.filings.map((x) => [x.registry, t(`v.${x.fact}`, x.fact), state(x.state), x.number ?? '', time(x.at)])) : null);
}

export function verifyView() {
  const place = el('div', { 'aria-live': 'polite' });
  const ask = async (data) => {
    place.replaceChildren();
    const file = data.get('file'), compared = { number: data.get('number').trim(), amount: data.get('amount').trim() };
    const body = { mark: data.get('mark').trim(), cipher: data.get('cipher').trim(), facts: compared,
      document_sha256: file?.size ? await digestOf(await readFile(file)) : '' };
    place.replaceChildren(verdictCard(await api.post('/v1/verify', body, { quiet: true })));
  };
  return page(t('nav.verify'), session ? null : el('p', {}, link('#/', t('sign-in'))), card('', form([
    field(t('verify.mark'), 'mark', { required: true, maxlength: 200, autocapitalize: 'characters', autocomplete: 'off', spellcheck: 'false' }, t('verify.mark.hint')),
    field(t('mark.cipher'), 'cipher', { maxlength: 20, inputmode: 'numeric', autocomplete: 'off' }, t('verify.cipher.hint')),
    group(t('verify.compare'), el('div', { class: 'row' }, field(t('f.number'), 'number', { maxlength: 64 }), field(t('f.amount'), 'amount', { maxlength: 64 })),
      cryptoAvailable() ? field(t('verify.file'), 'file', { type: 'file' }) : null),
  ], t('verify'), ask)), place);
}
