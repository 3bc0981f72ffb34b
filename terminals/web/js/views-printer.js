// Printers: which there are, pairing this terminal with one, and the code that enrols a new one.
import * as api from './api.js';
import * as keys from './keys.js';
import { runAct } from './act-dialog.js';
import { packSigned, pairStatement, signStatement } from './act.js';
import { base64, cryptoAvailable } from './bytes.js';
import { button, card, el, empty, facts, field, form, notice, page, state, table, time } from './dom.js';
import { t } from './i18n.js';
import { reload } from './navigate.js';
import { hasRole, session } from './session.js';

async function pair(printerId, code) {
  const terminalId = session.me.terminal_id, sign = (bytes) => keys.sign(session.terminal, bytes);
  const statement = await pairStatement(printerId, terminalId, code, Date.now());
  await api.post(`/v1/printers/${api.segment(printerId)}/pairings`, {
    pair: base64(await signStatement('pair', terminalId, statement, sign)), terminal_cert: base64(packSigned(session.terminal.certificate)),
  });
}

function pairForm(printer) {
  if (!cryptoAvailable()) return notice(t('insecure'), 'bad');
  if (!session.terminal) return notice(t('print.no-terminal'), 'bad');
  return form([el('p', {}, t('pair.how')), field(t('pair.code'), 'code', {
    required: true, inputmode: 'numeric', pattern: '\\s*([0-9]\\s*){8}', autocomplete: 'one-time-code', maxlength: 16, class: 'code' })],
  t('pair'), async (data) => {
    await pair(printer.printer_id, data.get('code').replace(/\s/g, ''));
    reload();
  });
}

function printerRow(printer, pairings, place) {
  const paired = pairings.some((p) => p.terminal_id === session.me.terminal_id);
  const open = () => {
    place.replaceChildren(card(`${t('pair')}：${printer.name}`, pairForm(printer)));
    place.querySelector('input')?.focus();
  };
  const online = el('span', { class: `state s-${printer.online ? 'online' : 'offline'}` }, t(printer.online ? 'printer.online' : 'printer.offline'));
  return [printer.name, el('code', {}, printer.printer_id), [state(printer.state), ' ', online], time(printer.last_seen_at),
    paired ? t('pair.yes') : hasRole('user') && printer.state === 'enrolled' ? button(t('pair'), open) : t('pair.no')];
}

function codeCard() {
  const place = el('div', { 'aria-live': 'polite' });
  return card(t('kind.printer-code'), el('p', {}, t('printer.code.why')), form([field(t('f.name'), 'name', { required: true, maxlength: 30 })],
    t('continue'), async (data) => {
      const outcome = await runAct('identity', 'printer_code', { name: data.get('name').trim() });
      if (!outcome) return;
      const code = outcome.result.printer_code;
      place.replaceChildren(facts([[t('f.printer_id'), el('code', {}, code.printer_id)], [t('printer.code'), el('code', { class: 'mark' }, code.code)],
        [t('expires'), time(code.expires_at)]]), notice(t('printer.code.once'), 'warn'));
    }), place);
}

export async function printersView() {
  const printers = (await api.get('/v1/printers', { limit: 200 })).printers ?? [], place = el('div', { 'aria-live': 'polite' });
  const known = await Promise.all(printers.map((p) => api.get(`/v1/printers/${api.segment(p.printer_id)}/pairings`)));
  const rows = printers.map((p, i) => printerRow(p, known[i].pairings ?? [], place));
  return page(t('nav.printers'), card('', rows.length
    ? table([t('f.name'), t('f.printer_id'), t('state'), t('printer.seen'), t('pair.this')], rows) : empty()), place, hasRole('admin') ? codeCard() : null);
}
