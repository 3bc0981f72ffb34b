// The manager's inbox: approving, rejecting, ordering or giving an electronic signature.
import * as api from './api.js';
import { runAct } from './act-dialog.js';
import { card, check, el, field, form, group, page, select, notice } from './dom.js';
import { t } from './i18n.js';
import { go } from './navigate.js';
import { session } from './session.js';
import { decisionsCard, documentCard, requestCard, requestTable } from './views-request.js';

export async function inboxView() {
  const requests = await api.listAll('/v1/requests', 'requests', { view: 'inbox' }, (r) => r.request_id, 400);
  return page(t('nav.inbox'), card('', requestTable(requests, 'decide')));
}

async function signerOptions() {
  const me = session.me.member, members = await api.listAll('/v1/members', 'members', {}, (m) => m.member_id, 400);
  const others = members.filter((m) => m.member_id !== me.member_id && m.state !== 'left' && (m.roles ?? []).includes('manager'));
  return [['', t('decide.no-signature')], [me.member_id, `${t('decide.my-signature')} · ${me.name}`],
    ...others.map((m) => [m.member_id, `${m.name} ${m.post ?? ''}`])];
}

function timeOf(text) {
  return text ? new Date(text).getTime() : 0;
}

async function send(params) {
  const outcome = await runAct('authorization', 'decide', params);
  if (outcome) go(`request/${params.request_id}`);
}

function approveCard(r, signers, printers) {
  return card(t('v.approve'), form([
    field(t('decide.copies'), 'copies', { type: 'number', min: 1, max: r.copies, value: r.copies, required: true }, t('decide.copies.hint')),
    select(t('f.signature_of'), 'signer', signers, {}, t('decide.signature.hint')),
    el('details', {}, el('summary', {}, t('decide.terms')),
      el('div', { class: 'row' }, field(t('f.not_before'), 'from', { type: 'datetime-local' }), field(t('f.not_after'), 'to', { type: 'datetime-local' })),
      printers.length ? group(t('request.printers'), printers.map((p) => check(p.name, 'printer', { value: p.printer_id }))) : null),
    field(t('f.reason'), 'reason', { tag: 'textarea', rows: 2, maxlength: 160 }),
  ], t('v.approve'), (data) => send({
    request_id: r.request_id, verdict: 'approve', reason: data.get('reason').trim(),
    copies: Number(data.get('copies')) === r.copies ? 0 : Number(data.get('copies')),
    signature_of: data.get('signer'), not_before: timeOf(data.get('from')), not_after: timeOf(data.get('to')),
    printer_ids: data.getAll('printer'),
  })));
}

function rejectCard(r) {
  return card(t('v.reject'), form([field(t('f.reason'), 'reason', { tag: 'textarea', rows: 2, required: true, maxlength: 160 })],
    t('v.reject'), (data) => send({ request_id: r.request_id, verdict: 'reject', reason: data.get('reason').trim() })));
}

function signCard(r) {
  const sign = async () => {
    if (await runAct('authorization', 'sign', { request_id: r.request_id })) go(`request/${r.request_id}`);
  };
  return card(t('kind.sign'), el('p', {}, t('sign.why')), form([], t('kind.sign'), sign));
}

async function forms(r) {
  if (r.state === 'signing' && r.awaiting_signature_of === session.me.member.member_id) return signCard(r);
  if (r.state !== 'pending') return notice(t('decide.over'), 'info');
  const [signers, printers] = await Promise.all([signerOptions(), api.get('/v1/printers', { limit: 200 })]);
  const allowed = (printers.printers ?? []).filter((p) => !r.printer_ids?.length || r.printer_ids.includes(p.printer_id));
  return [approveCard(r, signers, allowed), rejectCard(r)];
}

export async function decideView(id) {
  const r = await api.get(`/v1/requests/${api.segment(id)}`);
  return page(r.document?.title ?? t('request'), requestCard(r), documentCard(r.document), decisionsCard(r),
    el('div', { class: 'columns' }, await forms(r)));
}
