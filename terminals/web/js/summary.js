// The summary of an act, from its frozen content and nothing else. What a person judges stands in front; ids, keys and
// digests follow under "all fields", and the content itself, so that nothing is withheld.
import { digest, el, state, time } from './dom.js';
import { t } from './i18n.js';

const FIRST = ['organization_name', 'seal_name', 'seal_code', 'requester_name', 'printer_name', 'copies'];
const ENUMS = new Set(['verdict', 'outcome', 'action', 'kind', 'shape', 'roles', 'factors']);
const OPAQUE = new Set(['challenge', 'printer_cert', 'public_key', 'signature', 'seal_id', 'grant_id', 'request_id', 'printer_id',
  'file_id', 'credential_id', 'act_id', 'kind', 'organization_id', 'member_id', 'member_name', 'post', 'terminal_id', 'prepared_at',
  'request_digest', 'grant_digest', 'artwork_digest']);
const OF_A_GRANT = new Set(['print', 'cancel', 'settle', 'revoke']);

function valueOf(name, value) {
  if (typeof value === 'boolean') return t(value ? 'yes' : 'no');
  if (typeof value === 'number' && /(_at|not_before|not_after)$/.test(name)) return time(value);
  if (typeof value === 'number' && name.endsWith('_um')) return `${value / 1000} mm`;
  if (typeof value === 'string' && /(digest|sha256|sm3|_key|signature|challenge|cert|_id|_ids)$/.test(name)) return digest(value);
  return ENUMS.has(name) ? state(String(value)) : String(value);
}

function label(name, within) {
  return t(`f.${within}.${name}`, null) ?? t(`f.${name}`, name);
}

function rows(entries, within = '') {
  return entries.map(([name, value]) => el('div', {}, el('dt', {}, label(name, within)), el('dd', {}, shown(name, value))));
}

function shown(name, value) {
  if (Array.isArray(value)) return value.length ? el('ul', { class: 'plain' }, value.map((one) => el('li', {}, shown(name, one)))) : '—';
  if (value === null || typeof value !== 'object') return valueOf(name, value);
  const entries = Object.entries(value).filter(([n]) => !OPAQUE.has(n));
  return entries.length ? el('dl', { class: 'facts' }, rows(entries)) : '—';
}

function list(entries, within) {
  return entries.length ? el('dl', { class: 'facts' }, rows(entries, within)) : null;
}

// What the parameters merely repeat need not be read twice.
function isRepeated(content, [name, value]) {
  return JSON.stringify(content[name]) === JSON.stringify(value);
}

function parts(content, field) {
  const params = Object.entries(content[field] ?? {}), known = new Set([...FIRST, ...OPAQUE, 'document', field]);
  const copies = OF_A_GRANT.has(content.kind) ? 'granted-copies' : 'asked-copies';
  return {
    first: FIRST.filter((n) => n in content).map((n) => [n === 'copies' ? copies : n, content[n]]),
    judged: params.filter(([n]) => !OPAQUE.has(n)).filter((p) => !isRepeated(content, p)),
    rest: Object.entries(content).filter(([n]) => !known.has(n)),
    opaque: [...params.filter(([n]) => OPAQUE.has(n)), ...Object.entries(content).filter(([n]) => OPAQUE.has(n))],
  };
}

// act: as openPrepared gives it, with its text and digestText. field: the name of its parameters.
export function summary(act, field) {
  const { first, judged, rest, opaque } = parts(act.content, field), document = act.content.document;
  return el('div', { class: 'summary' },
    list(first, ''), list(judged, field), document ? [el('h3', {}, t('f.document')), shown('document', document)] : null, list(rest, ''),
    el('details', {}, el('summary', {}, t('summary.details')), list(opaque, ''),
      el('p', {}, t('summary.digest'), ' ', digest(act.digestText)), el('pre', {}, act.text)));
}
