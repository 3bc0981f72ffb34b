// One act from preparing to committing, in a dialog: summary, factors, result.
import * as api from './api.js';
import * as keys from './keys.js';
import { ActError, actChallenge, openPrepared } from './act.js';
import { base64, cryptoAvailable, fromUtf8, hex } from './bytes.js';
import { button, el, field, form, guarded, notice, problemBox, replace, time } from './dom.js';
import { t } from './i18n.js';
import { session, who } from './session.js';
import { summary } from './summary.js';

const PATHS = { authorization: '/v1/acts', identity: '/v1/identity/acts' };

async function prepare(owner, name, params) {
  if (!cryptoAvailable()) throw new ActError('insecure');
  const asked = { field: name, params };
  const act = await openPrepared(await api.post(PATHS[owner], { [name]: params }), asked, who());
  act.path = `${PATHS[owner]}/${api.segment(act.actId)}`;
  act.text = fromUtf8(act.bytes);
  act.digestText = hex(act.digest);
  return act;
}

async function prove(act, factor, body) {
  return api.post(`${act.path}/factors`, { ticket: act.ticket, factor, ...body }, { quiet: true });
}

async function proveKey(act) {
  const signature = base64(await keys.sign(session.factor, await actChallenge(act)));
  return prove(act, 'key', { credential_id: session.factor.credentialId, signature });
}

async function commit(act, proof) {
  return api.post(`${act.path}/commit`, { proof });
}

// ---- the dialog ----

function openDialog(title) {
  const body = el('div', { class: 'dialog-body' });
  const dialog = el('dialog', { 'aria-label': title },
    el('div', { class: 'dialog-head' }, el('h2', { tabindex: '-1', autofocus: true }, title), button('✕', () => dialog.close(), { class: 'plain', 'aria-label': t('close') })), body);
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, body };
}

function passwordForm(act, next) {
  return form([
    // Password managers want to know whose password it is.
    el('input', { type: 'text', name: 'username', autocomplete: 'username', value: session.account.account, hidden: true }),
    field(t('password'), 'password', { type: 'password', autocomplete: 'current-password', required: true, maxlength: 256 }),
  ], t('prove.password'), async (data) => next(await prove(act, 'password', { password: data.get('password') })));
}

function keyChoice(act, next) {
  const place = el('div', { class: 'messages', 'aria-live': 'polite' });
  const press = button(t('prove.key'), () => guarded(place, press, async () => next(await proveKey(act))), { class: 'main' });
  return el('div', { class: 'factor' }, el('p', {}, t('prove.key.hint')), place, el('div', { class: 'actions' }, press));
}

function clauseText(factors) {
  return factors.map((f) => t(`v.${f}`, f)).join(t('or'));
}

// Forms for the first clause that is not met, and which others follow.
function factorForms(act, missing, next) {
  const wanted = missing[0], forms = [];
  if (wanted.includes('key') && session.factor) forms.push(keyChoice(act, next));
  if (wanted.includes('password')) forms.push(passwordForm(act, next));
  if (forms.length === 0) forms.push(notice(t(wanted.includes('key') ? 'prove.no-key' : 'prove.no-factor', ''), 'bad'));
  return [
    el('h3', {}, t('prove.title')),
    el('p', {}, t('prove.clauses'), ' ', missing.map(clauseText).join('；')),
    forms,
  ];
}

function proveAndCommit(act, place, done) {
  const next = async (reply) => {
    if (reply.proof) return done(await commit(act, reply.proof));
    replace(place, factorForms(act, (reply.missing ?? []).map((c) => c.factors), next));
  };
  replace(place, factorForms(act, act.clauses, next));
}

function fillDialog(body, act, name, done) {
  const place = el('div', { class: 'prove' });
  replace(body,
    notice(t('summary.checked'), 'good'), summary(act, name),
    el('p', { class: 'faint' }, t('summary.until'), ' ', time(act.expiresAt)), place);
  proveAndCommit(act, place, done);
}

// owner: 'authorization' or 'identity'; name: the parameters' field, e.g. 'request' or 'key_add'.
// Resolves to { act, result } (the commit's answer), or null when the member closed the dialog.
export async function runAct(owner, name, params) {
  const act = await prepare(owner, name, params);
  const { dialog, body } = openDialog(t(`kind.${act.content.kind}`, act.content.kind));
  return new Promise((resolve) => {
    let outcome = null;
    const done = async (result) => {
      outcome = { act, result };
      dialog.close();
    };
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(outcome);
    });
    try {
      fillDialog(body, act, name, done);
    } catch (error) {
      replace(body, problemBox(error));
    }
  });
}
