// The page's frame: language, navigation by role, and which view the address names.
import { button, el, link, notice, page, problemBox, replace } from './dom.js';
import { language, setLanguage, t } from './i18n.js';
import { whenSignedOut } from './api.js';
import { cryptoAvailable } from './bytes.js';
import { go } from './navigate.js';
import { forgetSession, hasRole, resume, session, signOut } from './session.js';
import { accountView, homeView, signInView } from './views-home.js';
import { newRequestView, requestView, requestsView } from './views-request.js';
import { inboxView, decideView } from './views-decide.js';
import { grantView, grantsView } from './views-grant.js';
import { sealView, sealsView } from './views-seal.js';
import { newSealView } from './views-seal-new.js';
import { membersView } from './views-member.js';
import { printersView } from './views-printer.js';
import { auditView } from './views-audit.js';
import { verifyView } from './views-verify.js';

// pattern, view, navigation text, who sees it in the navigation (null: no entry; []: everyone)
const routes = [
  ['', homeView, 'nav.home', []],
  ['request/new', newRequestView, 'nav.request', ['user']],
  ['requests', requestsView, 'nav.requests', ['user', 'admin', 'auditor']],
  ['request/:id', requestView, '', null],
  ['inbox', inboxView, 'nav.inbox', ['manager']],
  ['decide/:id', decideView, '', null],
  ['grants', grantsView, 'nav.grants', []],
  ['grant/:id', grantView, '', null],
  ['seals', sealsView, 'nav.seals', []],
  ['seal/new', newSealView, '', null],
  ['seal/:id', sealView, '', null],
  ['members', membersView, 'nav.members', ['admin']],
  ['printers', printersView, 'nav.printers', ['user', 'admin', 'manager']],
  ['audit', auditView, 'nav.audit', ['auditor', 'admin']],
  ['verify', verifyView, 'nav.verify', []],
  ['account', accountView, 'nav.account', []],
];

function currentPath() {
  return decodeURIComponent(location.hash.replace(/^#\/?/, ''));
}

function match(path) {
  const parts = path.split('/');
  for (const [pattern, view] of routes) {
    const wanted = pattern.split('/');
    if (wanted.length === parts.length && wanted.every((w, i) => w === parts[i] || (w.startsWith(':') && parts[i])))
      return { view, id: parts[wanted.findIndex((w) => w.startsWith(':'))] };
  }
  return null;
}

// ---- frame ----

function navigation(path) {
  const entries = routes.filter(([, , text, roles]) => text && roles && (roles.length === 0 || hasRole(...roles)));
  return el('nav', { 'aria-label': t('nav.label') }, entries.map(([pattern, , text]) =>
    link(`#/${pattern}`, t(text), path === pattern ? { 'aria-current': 'page' } : {})));
}

function languageButton() {
  const other = language() === 'zh' ? 'en' : 'zh';
  return button(other === 'en' ? 'English' : '中文', () => {
    setLanguage(other);
    render();
  }, { class: 'plain', lang: other === 'en' ? 'en' : 'zh-CN' });
}

async function leave() {
  try {
    await signOut();
  } finally {
    go('');
  }
}

function header(path) {
  const person = session ? el('span', { class: 'who' }, `${session.me.member.name} · ${session.me.organization.name}`) : null;
  const out = session ? button(t('sign-out'), leave, { class: 'plain' }) : null;
  return [el('div', { class: 'bar' }, link('#/', t('app'), { class: 'brand' }), person, languageButton(), out),
    session ? navigation(path) : null];
}

function insecureNotice() {
  return cryptoAvailable() ? null : notice(t('insecure'), 'warn');
}

// ---- rendering: the last address wins ----

let turn = 0;

async function viewOf(path) {
  if (path === 'verify') return verifyView();
  if (!session) return signInView(render);
  const found = match(path);
  return found ? found.view(found.id) : page(t('not-found'));
}

async function build(path) {
  try {
    return await viewOf(path);
  } catch (error) {
    if (error.status === 401) return signInView(render);
    if (!error.title) console.error(error);
    return page(t('problem.title'), problemBox(error), button(t('again'), render));
  }
}

async function render() {
  const mine = ++turn, path = currentPath(), main = document.querySelector('main');
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en';
  document.title = t('app');
  replace(document.querySelector('header'), header(path));
  main.setAttribute('aria-busy', 'true');
  const view = await build(path);
  if (mine !== turn) return;
  main.removeAttribute('aria-busy');
  replace(document.querySelector('header'), header(path));
  replace(main, insecureNotice(), view);
  document.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  document.getElementById('title')?.focus({ preventScroll: true });
}

async function start() {
  whenSignedOut(() => {
    forgetSession();
    render();
  });
  addEventListener('hashchange', () => {
    scrollTo(0, 0);
    render();
  });
  try {
    await resume();
  } catch (error) {
    replace(document.querySelector('main'), problemBox(error), button(t('again'), () => location.reload()));
    return;
  }
  render();
}

start();
