// The summary of an act, from its frozen content and nothing else: every field is shown, those that a person judges first.
import { digest, el, state, time } from './dom.js';
import { t } from './i18n.js';

const FIRST = ['organization_name', 'seal_name', 'seal_code', 'requester_name', 'printer_name', 'copies', 'document'];
const LAST = ['act_id', 'kind', 'organization_id', 'member_id', 'member_name', 'post', 'terminal_id', 'prepared_at',
  'request_digest', 'grant_digest', 'artwork_digest'];

function valueOf(name, value) {
  if (typeof value === 'boolean') return t(value ? 'yes' : 'no');
  if (typeof value === 'number' && /(_at|not_before|not_after)$/.test(name)) return time(value);
  if (typeof value === 'number' && name.endsWith('_um')) return `${value / 1000} mm`;
  if (typeof value === 'string' && /(digest|sha256|sm3|_key|signature|challenge|cert)$/.test(name)) return digest(value);
  if (['verdict', 'outcome', 'action', 'kind', 'shape', 'roles', 'factors'].includes(name)) return state(String(value));
  return String(value);
}

function label(name) {
  return t(`f.${name}`, name);
}

function rows(entries) {
  return entries.map(([name, value]) => el('div', {}, el('dt', {}, label(name)), el('dd', {}, shown(name, value))));
}

function shown(name, value) {
  if (Array.isArray(value))
    return el('ul', { class: 'plain' }, value.map((one) => el('li', {}, shown(name, one))));
  if (value !== null && typeof value === 'object')
    return Object.keys(value).length ? el('dl', { class: 'facts' }, rows(Object.entries(value))) : '—';
  return valueOf(name, value);
}

function pick(content, names) {
  return names.filter((n) => n in content).map((n) => [n, content[n]]);
}

// act: as openPrepared gives it. field: the name of its parameters.
export function summary(act, field) {
  const content = act.content, params = content[field] ?? {};
  const rest = Object.keys(content).filter((n) => !FIRST.includes(n) && !LAST.includes(n) && n !== field);
  return el('div', { class: 'summary' },
    el('dl', { class: 'facts' }, rows(pick(content, FIRST))),
    el('h3', {}, t(`kind.${content.kind}`, content.kind)),
    el('dl', { class: 'facts' }, rows(Object.entries(params))),
    rest.length ? el('dl', { class: 'facts' }, rows(pick(content, rest))) : null,
    el('details', {}, el('summary', {}, t('summary.details')),
      el('dl', { class: 'facts' }, rows(pick(content, LAST))),
      el('p', {}, t('summary.digest'), ' ', digest(act.digestText)),
      el('pre', {}, act.text)));
}
