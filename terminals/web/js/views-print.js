// Printing: challenge first, then the print act, the allotment's check, the terminal's signed order, and the outcome.
import * as api from './api.js';
import * as keys from './keys.js';
import { runAct } from './act-dialog.js';
import { checkAllotment, checkChallenge, submission } from './act.js';
import { cryptoAvailable, hex } from './bytes.js';
import { button, card, el, facts, field, form, guarded, link, notice, replace, select, state } from './dom.js';
import { t } from './i18n.js';
import { reload } from './navigate.js';
import { session, who } from './session.js';
import { placeText, placementFields, placementOf } from './views-request.js';

const WAIT_MS = 180000, STEP_MS = 1000;
const STEPS = ['challenge', 'act', 'check', 'order', 'wait'];

// ---- progress ----

function progressList() {
  const items = new Map(STEPS.map((step) => [step, el('li', {}, t(`print.step.${step}`))]));
  const node = el('ol', { class: 'steps', 'aria-live': 'polite' }, [...items.values()]);
  return { node, at(step) {
    for (const [name, item] of items) {
      const before = STEPS.indexOf(name) < STEPS.indexOf(step);
      item.className = before || step === 'done' ? 'done' : name === step ? 'now' : '';
    }
  } };
}

function formatToken(token) {
  return token.replace(/(.{4})(?=.)/g, '$1 ');
}

export function marksCard(job) {
  const outcomes = new Map((job.numbers ?? []).map((n) => [n.number, n]));
  return (job.marks ?? []).map((m) => {
    const n = outcomes.get(m.number);
    return card(`${t('impression')} ${m.number}`, facts([[t('state'), n ? state(n.state) : state('pending')], [t('remark'), n?.reason],
      [t('mark.token'), el('code', { class: 'mark' }, formatToken(m.token))], [t('mark.serial'), el('code', { class: 'mark' }, formatToken(m.serial))],
      [t('mark.cipher'), el('code', { class: 'mark' }, formatToken(m.cipher))],
      [t('mark.page'), link(`/V/${api.segment(m.token)}`, `/V/${m.token}`, { target: '_blank', rel: 'noopener' })]]));
  });
}

// ---- the order ----

// A committed print act whose order did not get out must not be lost: it is kept until issuance has it.
async function order(job, steps) {
  steps.at('check');
  const checked = await checkAllotment({ ...job, terminalId: who().terminal_id, memberId: who().member_id });
  steps.at('order');
  const body = job.body ?? await submission({ asked: job.asked, result: job.result, certificate: session.terminal.certificate, checked,
    sign: (bytes) => keys.sign(session.terminal, bytes), now: Date.now() });
  await keys.write('jobs', checked.allotment.allotment_id, { ...job, body, allotmentId: checked.allotment.allotment_id,
    terminalId: who().terminal_id, grantId: job.asked.grant_id, numbers: checked.allotment.numbers, notAfter: checked.allotment.not_after });
  const sent = await api.post('/v1/prints', body);
  await keys.erase('jobs', checked.allotment.allotment_id);
  return sent;
}

function finished(job) {
  const outcomes = (job.numbers ?? []).filter((n) => n.state !== 'reserved');
  return job.state === 'done' || ((job.marks ?? []).length > 0 && outcomes.length >= job.marks.length);
}

async function awaitOutcome(job, place) {
  const until = Date.now() + WAIT_MS;
  for (;;) {
    replace(place, marksCard(job));
    if (finished(job)) return job;
    if (Date.now() > until) {
      place.prepend(notice(t('print.late'), 'warn'));
      return job;
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    try {
      job = await api.get(`/v1/prints/${api.segment(job.job_id)}`);
    } catch (error) {
      if (!error.retryable) throw error;
    }
  }
}

async function follow(job, steps, place) {
  steps.at('wait');
  const ended = await awaitOutcome(job, place);
  if (finished(ended)) {
    steps.at('done');
    place.append(el('div', { class: 'actions' }, button(t('close'), reload, { class: 'main' })));
  }
}

async function command(grant, statement, data, place) {
  const steps = progressList(), marks = el('div');
  replace(place, steps.node, marks);
  steps.at('challenge');
  const printerId = data.get('printer'), replaces = Number(data.get('replaces') || 0);
  const challenge = await api.post(`/v1/printers/${api.segment(printerId)}/challenge`);
  checkChallenge(challenge, printerId, Date.now());
  steps.at('act');
  const asked = { grant_id: grant.grant_id, printer_id: printerId, count: replaces ? 1 : Number(data.get('count')),
    challenge: challenge.challenge, printer_cert: challenge.printer_cert, placement: statement.placement ? undefined : placementOf(data), replaces };
  const outcome = await runAct('authorization', 'print', asked);
  if (!outcome) {
    place.replaceChildren();
    return;
  }
  const documentSha256 = hex(statement.document_digest);
  await follow(await order({ asked, result: outcome.result.print, documentSha256 }, steps), steps, marks);
}

// ---- cards ----

function unable() {
  if (!cryptoAvailable()) return notice(t('insecure'), 'bad');
  return session.terminal ? null : notice(t('print.no-terminal'), 'bad');
}

function printerOptions(printers, statement) {
  return printers.filter((p) => p.state === 'enrolled' && (!statement.printer_ids.length || statement.printer_ids.includes(p.printer_id)))
    .sort((a, b) => Number(b.online ?? false) - Number(a.online ?? false))
    .map((p) => [p.printer_id, `${p.name} · ${t(p.online ? 'printer.online' : 'printer.offline')}`]);
}

export async function printCard(grant, statement, replaceable) {
  const why = unable();
  if (why) return card(t('print'), why);
  const options = printerOptions((await api.get('/v1/printers', { limit: 200 })).printers ?? [], statement);
  if (options.length === 0) return card(t('print'), notice(t('print.no-printer'), 'warn'));
  const place = el('div', { class: 'progress' });
  const again = replaceable.length ? select(t('print.replaces'), 'replaces',
    [...(grant.remaining ? [['', t('no')]] : []), ...replaceable.map((n) => [n, `${t('impression')} ${n}`])]) : null;
  return card(t('print'), form([
    select(t('printer'), 'printer', options, { required: true }),
    grant.remaining ? field(t('print.count'), 'count', { type: 'number', min: 1, max: grant.remaining, value: 1, required: true }) : null, again,
    statement.placement ? el('p', {}, t('f.placement'), ' ', placeText(statement.placement)) : placementFields(),
  ], t('print'), (data) => command(grant, statement, data, place)), place);
}

function jobRow(job) {
  const place = el('div', { class: 'messages' });
  const again = button(t('print.resume'), () => guarded(place, again, async () => {
    const steps = progressList(), marks = el('div');
    replace(place, steps.node, marks);
    await follow(await order(job, steps), steps, marks);
  }), { class: 'main' });
  return el('div', {}, el('p', {}, `${t('impressions')} ${job.numbers.join('、')}`), again, place);
}

// Orders of this terminal that did not reach issuance and still may.
export async function jobsCard(grantId = '') {
  if (!cryptoAvailable() || !session.terminal) return null;
  const all = await keys.readAll('jobs');
  for (const job of all.filter((j) => j.notAfter <= Date.now())) await keys.erase('jobs', job.allotmentId);
  const open = all.filter((j) => j.notAfter > Date.now() && j.terminalId === session.me.terminal_id && (!grantId || j.grantId === grantId));
  return open.length ? card(t('print.pending'), el('p', {}, t('print.pending.hint')), open.map(jobRow)) : null;
}
