// Signing in; the home of each role; one's own account.
import * as api from './api.js';
import * as keys from './keys.js';
import { runAct } from './act-dialog.js';
import { base64, cryptoAvailable } from './bytes.js';
import { button, card, check, el, empty, facts, field, form, group, guarded, link, notice, page, state, table, time } from './dom.js';
import { t } from './i18n.js';
import { go, reload } from './navigate.js';
import { hasRole, refreshKeys, session, signIn } from './session.js';
import { readFile } from './files.js';

// ---- signing in ----

const LAST = 'chop-last-account';

function accountOf(data) {
  const account = { organization: data.get('organization').trim().toLowerCase(), account: data.get('account').trim().toLowerCase() };
  localStorage.setItem(LAST, JSON.stringify(account));
  return account;
}

function keySignIn(form_, done) {
  const place = el('div', { class: 'messages', 'aria-live': 'polite' });
  const press = button(t('sign-in.key'), () => guarded(place, press, async () => {
    const account = accountOf(new FormData(form_)), key = await keys.find('factor', account);
    if (!key?.credentialId) throw Object.assign(new Error(t('sign-in.no-key')), { title: t('sign-in.no-key') });
    await signIn(account, { key });
    done();
  }));
  return el('div', {}, place, press);
}

export function signInView(done) {
  const last = JSON.parse(localStorage.getItem(LAST) ?? '{}');
  const enter = form([
    field(t('organization.slug'), 'organization', { required: true, autocomplete: 'organization', autocapitalize: 'none', spellcheck: 'false', maxlength: 32, value: last.organization ?? '' }, t('organization.hint')),
    field(t('account'), 'account', { required: true, autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: 64, value: last.account ?? '' }),
    field(t('password'), 'password', { required: true, type: 'password', autocomplete: 'current-password', maxlength: 256 }),
  ], t('sign-in'), async (data) => {
    await signIn(accountOf(data), { password: data.get('password') });
    done();
  });
  return page(t('sign-in'), el('div', { class: 'narrow card' }, enter, cryptoAvailable() ? keySignIn(enter, done) : null,
    el('p', { class: 'faint' }, t('sign-in.hint'))), el('p', { class: 'narrow' }, link('#/verify', t('verify.link'))));
}

// ---- home ----

async function waiting() {
  const list = await api.get('/v1/requests', { view: 'inbox', limit: 200 });
  return (list.requests ?? []).length;
}

function tile(href, title, text, count) {
  return el('a', { class: 'tile', href }, el('strong', {}, title, count ? el('span', { class: 'count' }, count) : null), el('span', {}, text));
}

function keyAdvice() {
  if (!cryptoAvailable() || session.factor || !hasRole('user', 'manager', 'admin')) return null;
  return el('div', { class: 'box warn' }, t('home.no-key'), ' ', link('#/account', t('home.no-key.link')));
}

export async function homeView() {
  const inbox = await waiting(), tiles = [];
  if (hasRole('user')) tiles.push(tile('#/request/new', t('nav.request'), t('home.request')), tile('#/requests', t('nav.requests'), t('home.requests')));
  if (hasRole('manager') || inbox) tiles.push(tile('#/inbox', t('nav.inbox'), t('home.inbox'), inbox));
  if (hasRole('user')) tiles.push(tile('#/grants', t('nav.grants'), t('home.grants')));
  else tiles.push(tile('#/grants', t('nav.grants'), t('home.grants.all')));
  tiles.push(tile('#/seals', t('nav.seals'), t('home.seals')));
  if (hasRole('admin')) tiles.push(tile('#/members', t('nav.members'), t('home.members')), tile('#/printers', t('nav.printers'), t('home.printers')));
  if (hasRole('auditor', 'admin')) tiles.push(tile('#/audit', t('nav.audit'), t('home.audit')), tile('#/requests', t('nav.requests'), t('home.requests.all')));
  tiles.push(tile('#/verify', t('nav.verify'), t('home.verify')));
  const me = session.me.member;
  return page(`${t('hello')}${me.name}`, el('p', { class: 'faint' }, me.post, ' ', (me.roles ?? []).map((r) => state(r))),
    keyAdvice(), el('div', { class: 'tiles' }, tiles));
}

// ---- account ----

async function addKey(name) {
  const key = await keys.generate(), me = session.me.member;
  const outcome = await runAct('identity', 'key_add', {
    name, public_key: key.publicKey, signature: await keys.signLabelled(key, 'chop/1/key-add', me.member_id),
  });
  if (!outcome) return;
  await keys.keep('factor', session.account, { ...key, credentialId: outcome.result.credential.credential_id, memberId: me.member_id });
  await refreshKeys();
  reload();
}

function keyCard(credentials) {
  if (!cryptoAvailable()) return card(t('key'), notice(t('insecure'), 'warn'));
  const known = credentials.find((c) => c.credential_id === session.factor?.credentialId && c.state === 'active');
  if (known) return card(t('key'), notice(t('key.here'), 'good'), facts([[t('f.name'), known.name], [t('created'), time(known.created_at)]]));
  const name = t('key.default-name');
  return card(t('key'), el('p', {}, t('key.why')), form([field(t('f.name'), 'name', { required: true, maxlength: 100, value: name })],
    t('key.add'), (data) => addKey(data.get('name').trim())));
}

async function revokeCredential(id) {
  if (!(await runAct('identity', 'credential_revoke', { credential_id: id }))) return;
  if (session.factor?.credentialId === id) await keys.forget('factor', session.account);
  await refreshKeys();
  reload();
}

function credentialCard(credentials) {
  const place = el('div', { class: 'messages' });
  const rows = credentials.map((c) => [t(`v.${c.kind}`), c.name, c.algorithm, state(c.state), time(c.last_used_at),
    c.kind === 'key' && c.state === 'active' ? button(t('revoke'), (e) => guarded(place, e.currentTarget, () => revokeCredential(c.credential_id))) : '']);
  return card(t('credentials'), place, table([t('f.kind'), t('f.name'), t('algorithm'), t('state'), t('last-used'), ''], rows));
}

function passwordCard() {
  return card(t('password.change'), form([
    el('input', { type: 'text', name: 'username', autocomplete: 'username', value: session.account.account, hidden: true }),
    field(t('password.new'), 'fresh', { type: 'password', required: true, minlength: 8, maxlength: 256, autocomplete: 'new-password' }),
    field(t('password.again'), 'again', { type: 'password', required: true, maxlength: 256, autocomplete: 'new-password' }),
  ], t('password.change'), async (data, node) => {
    if (data.get('fresh') !== data.get('again')) throw Object.assign(new Error(t('password.differ')), { title: t('password.differ') });
    if (await runAct('identity', 'password_change', { new_password: data.get('fresh') })) node.reset();
  }));
}

function terminalCard(terminals) {
  const place = el('div', { class: 'messages' });
  const revoke = (id) => async () => {
    if (await runAct('identity', 'terminal_revoke', { terminal_id: id })) reload();
  };
  const rows = terminals.map((x) => [x.name, el('code', {}, x.terminal_id), state(x.state), time(x.created_at),
    x.terminal_id === session.me.terminal_id ? t('terminal.this')
      : x.state === 'active' ? button(t('revoke'), (e) => guarded(place, e.currentTarget, revoke(x.terminal_id))) : '']);
  const missing = session.me.terminal_id ? null : notice(t('terminal.none'), 'warn');
  return card(t('terminals'), missing, place, rows.length ? table([t('f.name'), t('f.terminal_id'), t('state'), t('created'), ''], rows) : empty());
}

function specimenCard() {
  return card(t('specimen'), el('p', {}, t('specimen.why')), form([
    field(t('specimen.file'), 'png', { type: 'file', accept: 'image/png', required: true }),
    group(t('size'), field(t('width-mm'), 'width', { type: 'number', min: 1, max: 80, step: 'any', value: 40, required: true }),
      field(t('height-mm'), 'height', { type: 'number', min: 1, max: 40, step: 'any', value: 15, required: true })),
    check(t('specimen.sure'), 'sure', { required: true }),
  ], t('specimen.put'), async (data, node) => {
    const png = base64(await readFile(data.get('png')));
    const size = { width_um: Math.round(data.get('width') * 1000), height_um: Math.round(data.get('height') * 1000) };
    if (!(await runAct('authorization', 'specimen_put', { png, ...size }))) return;
    node.reset();
    go('account');
  }));
}

export async function accountView() {
  const [credentials, terminals] = await Promise.all([api.get('/v1/credentials'), api.get('/v1/terminals')]);
  return page(t('nav.account'), keyCard(credentials.credentials ?? []), credentialCard(credentials.credentials ?? []),
    terminalCard(terminals.terminals ?? []), passwordCard(), hasRole('manager') ? specimenCard() : null);
}
