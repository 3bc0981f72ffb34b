// Seals: the list with their pictures, one seal with its policy, changing its state.
import * as api from './api.js';
import { artwork } from './artwork.js';
import { runAct } from './act-dialog.js';
import { card, check, digest, el, empty, facts, field, form, group, link, notice, page, select, state, time } from './dom.js';
import { t } from './i18n.js';
import { reload } from './navigate.js';
import { hasRole } from './session.js';

export async function sealsView() {
  const seals = await api.listAll('/v1/seals', 'seals', {}, (s) => s.seal_id);
  const cards = seals.map((s) => el('a', { class: 'seal', href: `#/seal/${s.seal_id}` }, artwork(s.artwork_digest, s.name),
    el('strong', {}, s.name), el('span', {}, t(`v.${s.kind}`, s.kind), ' ', state(s.state)), el('code', {}, s.code)));
  return page(t('nav.seals'), hasRole('admin') ? el('p', {}, link('#/seal/new', t('kind.seal-create'), { class: 'button main' })) : null,
    seals.length ? el('div', { class: 'seals' }, cards) : empty());
}

function clauses(list) {
  return (list ?? []).map((c) => (c.factors ?? []).map((f) => t(`v.${f}`, f)).join(t('or'))).join('；') || t('policy.default');
}

function names(members, ids) {
  const byId = new Map(members.map((m) => [m.member_id, m.name]));
  return (ids ?? []).map((id) => byId.get(id) ?? id).join('、');
}

function policyCard(p, members) {
  return card(t('policy'), facts([[t('f.request_clauses'), clauses(p.request_clauses)], [t('f.decide_clauses'), clauses(p.decide_clauses)],
    [t('f.print_clauses'), clauses(p.print_clauses)], [t('f.approvals_needed'), p.approvals_needed],
    [t('f.approver_ids'), names(members, p.approver_ids) || t('policy.any-manager')], [t('f.ordered'), t(p.ordered ? 'yes' : 'no')],
    [t('f.requester_ids'), names(members, p.requester_ids) || t('policy.any-user')], [t('f.max_copies'), p.max_copies],
    [t('f.window_hours'), p.window_hours], [t('f.request_hours'), p.request_hours], [t('f.spoil_allowance'), p.spoil_allowance ?? '0'],
    [t('f.registries'), (p.registries ?? []).join('、') || t('policy.all-registries')], [t('f.gate'), (p.gate ?? []).join('、')],
    [t('f.offline'), t(p.offline ? 'yes' : 'no')], [t('f.version'), p.version]]));
}

// ---- administration ----

const ACTIONS = {
  draft: ['activate', 'register', 'destroy'], registered: ['activate', 'report_lost', 'revoke'],
  active: ['suspend', 'register', 'report_lost', 'revoke'], suspended: ['resume', 'register', 'report_lost', 'revoke'],
  lost: ['recover', 'revoke', 'destroy'], revoked: ['destroy'], destroyed: [],
};

function stateCard(s) {
  const actions = (ACTIONS[s.state] ?? []).filter((a) => a !== 'register' || !s.filing_number); // it is recorded once
  if (actions.length === 0) return null;
  return card(t('kind.seal-change'), form([
    select(t('f.action'), 'action', actions.map((a) => [a, t(`v.${a}`)]), { required: true }),
    field(t('f.filing_number'), 'filing', { maxlength: 64 }, t('seal.filing.hint')),
    field(t('f.reason'), 'reason', { maxlength: 160 }),
  ], t('continue'), async (data) => {
    const params = { seal_id: s.seal_id, action: data.get('action'), filing_number: data.get('filing').trim(), reason: data.get('reason').trim() };
    if (await runAct('authorization', 'seal_change', params)) reload();
  }));
}

const FACTORS = ['password', 'key'];

// A step's clauses as a choice of what people mean; others than these stay as they are.
function clauseChoice(label, name, current) {
  const known = { '': [], password: [['password']], key: [['key']], either: [FACTORS], both: [['password'], ['key']] };
  const text = JSON.stringify((current ?? []).map((c) => c.factors ?? []));
  const value = Object.keys(known).find((k) => JSON.stringify(known[k]) === text) ?? 'keep';
  const options = [['', t('policy.default')], ['password', t('v.password')], ['key', t('v.key')], ['either', t('policy.either')], ['both', t('policy.both')]];
  if (value === 'keep') options.push(['keep', clauses(current)]);
  const read = (data) => (data.get(name) === 'keep' ? current : known[data.get(name)].map((factors) => ({ factors })));
  return { node: select(label, name, options, { value }), read };
}

export function policyFields(policy, members) {
  const steps = ['request', 'decide', 'sign', 'print', 'admin'].map((step) => [`${step}_clauses`,
    clauseChoice(t(`f.${step}_clauses`), `${step}_clauses`, policy[`${step}_clauses`])]);
  const number = (name, max, min = 1) => field(t(`f.${name}`), name, { type: 'number', min, max, value: policy[name] ?? '' });
  const people = (name, role) => group(t(`f.${name}`), members.filter((m) => (m.roles ?? []).includes(role) && m.state !== 'left')
    .map((m) => check(`${m.name} ${m.post ?? ''}`, name, { value: m.member_id, checked: (policy[name] ?? []).includes(m.member_id) })));
  const nodes = [group(t('f.factors'), steps.map(([, c]) => c.node)), people('approver_ids', 'manager'), people('requester_ids', 'user'),
    el('div', { class: 'row' }, number('approvals_needed', 10), number('max_copies', 1000), number('window_hours', 8760),
      number('request_hours', 8760), number('spoil_allowance', 100, 0)),
    check(t('f.ordered'), 'ordered', { checked: policy.ordered ?? false }),
    field(t('f.registries'), 'registries', { value: (policy.registries ?? []).join(' ') }, t('policy.registries.hint')),
    field(t('f.gate'), 'gate', { value: (policy.gate ?? []).join(' ') }, t('policy.gate.hint')),
    check(t('f.offline'), 'offline', { checked: policy.offline ?? false })];
  const words = (data, name) => data.get(name).split(/[\s,，、]+/).filter(Boolean);
  const read = (data) => ({ ...Object.fromEntries(steps.map(([name, c]) => [name, c.read(data)])),
    ...Object.fromEntries(['approvals_needed', 'max_copies', 'window_hours', 'request_hours', 'spoil_allowance'].map((n) => [n, Number(data.get(n) || 0)])),
    approver_ids: data.getAll('approver_ids'), requester_ids: data.getAll('requester_ids'), ordered: data.has('ordered'),
    offline: data.has('offline'), offline_hours: policy.offline_hours ?? 0, server_time_hours: policy.server_time_hours ?? 0,
    registries: words(data, 'registries'), gate: words(data, 'gate') });
  return { nodes, read };
}

function policyForm(s, members) {
  const { nodes, read } = policyFields(s.policy ?? {}, members);
  return card(t('kind.policy-put'), el('details', {}, el('summary', {}, t('kind.policy-put')), form(nodes, t('continue'), async (data) => {
    if (await runAct('authorization', 'policy_put', { seal_id: s.seal_id, policy: read(data) })) reload();
  })));
}

export async function sealView(id) {
  const [s, members] = await Promise.all([api.get(`/v1/seals/${api.segment(id)}`), api.listAll('/v1/members', 'members', {}, (m) => m.member_id)]);
  return page(s.name, card('', el('div', { class: 'row' }, facts([[t('state'), state(s.state)], [t('f.kind'), t(`v.${s.kind}`, s.kind)],
    [t('f.shape'), t(`v.${s.shape}`, s.shape)], [t('size'), `${s.width_um / 1000} × ${s.height_um / 1000} mm`], [t('f.code'), el('code', {}, s.code)],
    [t('f.filing_number'), s.filing_number || t('seal.unfiled')], [t('created'), time(s.created_at)],
    [t('f.artwork_digest'), digest(s.artwork_digest)]]), el('div', { class: 'picture large' }, artwork(s.artwork_digest, s.name))),
  (s.warnings ?? []).map((w) => notice(w, 'warn')), s.filing_number ? null : notice(t('seal.sample'), 'warn')),
  policyCard(s.policy ?? {}, members), hasRole('admin') ? [stateCard(s), policyForm(s, members)] : null);
}
