// Asking for a seal, and what became of it.
import * as api from './api.js';
import { artwork } from './artwork.js';
import { runAct } from './act-dialog.js';
import { cryptoAvailable } from './bytes.js';
import { button, card, check, digest, el, empty, facts, field, form, group, guarded, link, notice, page, select, state, table, time } from './dom.js';
import { DIGEST_MAX, UPLOAD_MAX, digestOf, download, readFile, save, upload } from './files.js';
import { t } from './i18n.js';
import { go, reload } from './navigate.js';
import { hasRole, session } from './session.js';

const millimetres = (text) => Math.round(Number(text) * 1000);

// ---- asking ----

function keyFactFields() {
  return group(t('f.facts'),
    field(t('f.number'), 'number', { maxlength: 64 }), field(t('f.counterparty'), 'counterparty', { maxlength: 200 }),
    field(t('f.amount'), 'amount', { maxlength: 64 }), field(t('f.date'), 'date', { maxlength: 32, type: 'date' }),
    field(t('f.pages'), 'pages', { type: 'number', min: 1, max: 2000, required: true, value: 1 }),
    field(t('facts.copies'), 'documents', { type: 'number', min: 0, max: 1000 }, t('facts.copies.hint')));
}

// Only where no place is approved yet.
export function placementFields() {
  return el('details', {}, el('summary', {}, t('f.placement')), el('p', { class: 'faint' }, t('placement.hint')),
    el('div', { class: 'row' }, field(t('f.page'), 'page', { type: 'number', min: 1, max: 2000 }),
      field(t('placement.x'), 'x', { type: 'number', min: 0, max: 2000, step: 'any' }),
      field(t('placement.y'), 'y', { type: 'number', min: 0, max: 2000, step: 'any' })));
}

// undefined where the member left it open.
export function placementOf(data) {
  if (!data.get('page')) return undefined;
  return { page: Number(data.get('page')), x_um: millimetres(data.get('x') || 0), y_um: millimetres(data.get('y') || 0) };
}

function documentField(onDocument) {
  const shown = el('div', { class: 'messages', 'aria-live': 'polite' });
  const choose = async (event) => {
    const file = event.target.files[0];
    onDocument(null);
    if (!file) return shown.replaceChildren();
    await guarded(shown, null, async () => {
      if (file.size > DIGEST_MAX) throw Object.assign(new Error(t('file.too-large')), { title: t('file.too-large') });
      const bytes = await readFile(file), sha256 = await digestOf(bytes);
      onDocument({ name: file.name, bytes, sha256 });
      shown.replaceChildren(el('p', {}, t('f.sha256'), ' ', digest(sha256)));
    });
  };
  return [field(t('file'), 'file', { type: 'file', required: true, onchange: choose }, t('file.hint')), shown];
}

function documentOf(data, chosen, fileId) {
  return {
    title: data.get('title').trim() || chosen.name, sha256: chosen.sha256, file_id: fileId,
    facts: { number: data.get('number').trim(), counterparty: data.get('counterparty').trim(), amount: data.get('amount').trim(),
      date: data.get('date'), pages: Number(data.get('pages')), copies: Number(data.get('documents') || 0) },
  };
}

async function sendRequest(data, chosen, place) {
  if (!chosen) throw Object.assign(new Error(t('file.wait')), { title: t('file.wait') });
  let fileId = '';
  if (data.get('upload')) {
    if (chosen.bytes.length > UPLOAD_MAX) throw Object.assign(new Error(t('file.upload-large')), { title: t('file.upload-large') });
    fileId = chosen.fileId ??= await upload(chosen.name, chosen.bytes, chosen.sha256,
      (share) => place.replaceChildren(el('progress', { max: 1, value: share, 'aria-label': t('file.uploading') })));
  }
  const params = { seal_id: data.get('seal'), document: documentOf(data, chosen, fileId), copies: Number(data.get('copies')),
    purpose: data.get('purpose').trim(), printer_ids: data.getAll('printer'), placement: placementOf(data) };
  const outcome = await runAct('authorization', 'request', params);
  if (outcome) go(`request/${outcome.result.request.request_id}`);
}

function printerChoice(printers) {
  if (printers.length === 0) return null;
  return group(t('request.printers'), el('p', { class: 'faint' }, t('request.printers.hint')),
    printers.map((p) => check(p.name, 'printer', { value: p.printer_id })));
}

export function placeText(p) {
  return p ? `${t('f.page')} ${p.page}：${(p.x_um ?? 0) / 1000} × ${(p.y_um ?? 0) / 1000} mm` : '';
}

export async function newRequestView() {
  if (!cryptoAvailable()) return page(t('nav.request'), notice(t('insecure'), 'bad'));
  const [seals, printers] = await Promise.all([
    api.listAll('/v1/seals', 'seals', {}, (s) => s.seal_id), api.get('/v1/printers', { limit: 200 })]);
  const usable = seals.filter((s) => s.state === 'active');
  if (usable.length === 0) return page(t('nav.request'), notice(t('request.no-seal'), 'warn'));
  let chosen = null;
  const progress = el('div'), picture = el('div', { class: 'picture' });
  const show = (id) => {
    const seal = usable.find((s) => s.seal_id === id);
    picture.replaceChildren(artwork(seal.artwork_digest, seal.name));
  };
  show(usable[0].seal_id);
  const title = field(t('f.title'), 'title', { required: true, maxlength: 100 });
  const request = form([
    el('div', { class: 'row' }, select(t('seal'), 'seal', usable.map((s) => [s.seal_id, `${s.name} · ${t(`v.${s.kind}`, s.kind)}`]),
      { required: true, onchange: (e) => show(e.target.value) }), picture),
    documentField((document) => {
      chosen = document;
      const input = title.querySelector('input');
      if (document && !input.value) input.value = document.name.replace(/\.[^.]+$/, '').slice(0, 100);
    }),
    title,
    check(t('file.upload'), 'upload'), progress,
    keyFactFields(),
    field(t('request.copies'), 'copies', { type: 'number', min: 1, max: 1000, required: true, value: 1 }, t('request.copies.hint')),
    field(t('f.purpose'), 'purpose', { tag: 'textarea', rows: 3, required: true, maxlength: 160 }),
    printerChoice(printers.printers ?? []), placementFields(),
  ], t('continue'), (data) => sendRequest(data, chosen, progress));
  return page(t('nav.request'), el('div', { class: 'card' }, request));
}

// ---- reading ----

export function requestTable(requests, path = 'request') {
  if (requests.length === 0) return empty();
  return table([t('f.title'), t('seal'), t('f.copies'), t('f.requester_name'), t('created'), t('state')], requests.map((r) => [
    link(`#/${path}/${r.request_id}`, r.document?.title ?? r.request_id), r.seal_name, r.copies, r.requester_name,
    time(r.created_at), state(r.state)]));
}

export async function requestsView() {
  const view = hasRole('admin', 'auditor') ? 'all' : 'mine';
  const requests = await api.listAll('/v1/requests', 'requests', { view }, (r) => r.request_id, 400);
  return page(t('nav.requests'), card('', requestTable(requests)));
}

function fileButton(document) {
  const place = el('div', { class: 'messages', 'aria-live': 'polite' });
  const fetchIt = async () => {
    const bar = el('progress', { max: 1, value: 0, 'aria-label': t('file.loading') });
    place.replaceChildren(bar);
    const file = await download(document.file_id, document.sha256, (share) => { bar.value = share; });
    if (!file.genuine) throw Object.assign(new Error(t('file.differs')), { title: t('file.differs') });
    place.replaceChildren(notice(t('file.genuine'), 'good'));
    save(file.name || document.title, file.bytes);
  };
  return el('div', {}, button(t('file.get'), (e) => guarded(place, e.currentTarget, fetchIt)), place);
}

// Is a document in hand the one that was asked for?
function compareField(document) {
  const place = el('div', { class: 'messages', 'aria-live': 'polite' });
  const compare = (event) => guarded(place, null, async () => {
    const file = event.target.files[0];
    if (!file) return;
    const same = (await digestOf(await readFile(file))) === document.sha256;
    place.replaceChildren(notice(t(same ? 'file.same' : 'file.not-same'), same ? 'good' : 'bad'));
  });
  return [field(t('file.compare'), 'compare', { type: 'file', onchange: compare }), place];
}

export function documentCard(document) {
  const f = document?.facts ?? {};
  return card(t('f.document'), facts([[t('f.title'), document.title], [t('f.number'), f.number], [t('f.counterparty'), f.counterparty],
    [t('f.amount'), f.amount], [t('f.date'), f.date], [t('f.pages'), f.pages], [t('facts.copies'), f.copies],
    [t('f.sha256'), digest(document.sha256)]]),
  document.file_id ? fileButton(document) : el('p', { class: 'faint' }, t('file.none')), cryptoAvailable() ? compareField(document) : null);
}

export function requestCard(r) {
  return card(t('request'), facts([[t('state'), state(r.state)], [t('seal'), link(`#/seal/${r.seal_id}`, r.seal_name)],
    [t('f.requester_name'), r.requester_name], [t('request.copies'), r.copies], [t('f.purpose'), r.purpose],
    [t('f.placement'), placeText(r.placement)],
    [t('created'), time(r.created_at)], [t('expires'), time(r.expires_at)],
    [t('request.approvals'), `${(r.decisions ?? []).filter((d) => d.verdict === 'approve').length} / ${r.approvals_needed ?? 1}`],
    [t('grant'), r.grant_id ? link(`#/grant/${r.grant_id}`, t('grant.open')) : '']]));
}

export function decisionsCard(r) {
  const rows = (r.decisions ?? []).map((d) => [state(d.verdict), `${d.member_name} ${d.post ?? ''}`, d.reason ?? '', d.copies ?? '',
    (d.factors ?? []).map((x) => t(`v.${x}`, x)).join('、'), time(d.at)]);
  return rows.length === 0 ? null : card(t('decisions'),
    table([t('f.verdict'), t('member'), t('f.reason'), t('f.copies'), t('f.factors'), t('time')], rows));
}

function withdrawCard(r) {
  if (r.requester_id !== session.me.member.member_id || !['pending', 'signing'].includes(r.state)) return null;
  return card(t('kind.withdraw'), form([field(t('f.reason'), 'reason', { maxlength: 160 })], t('kind.withdraw'), async (data) => {
    if (await runAct('authorization', 'withdraw', { request_id: r.request_id, reason: data.get('reason').trim() })) reload();
  }));
}

export async function requestView(id) {
  const r = await api.get(`/v1/requests/${api.segment(id)}`);
  return page(r.document?.title ?? t('request'), requestCard(r), documentCard(r.document), decisionsCard(r), withdrawCard(r));
}
