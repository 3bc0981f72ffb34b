// Building the page: elements, fields, messages. Data becomes text nodes and attributes, never markup.
import { t, timeText } from './i18n.js';

const SVG = 'http://www.w3.org/2000/svg';

function apply(node, name, value) {
  if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else if (name === 'class') node.setAttribute('class', value);
  else if (value === true) node.setAttribute(name, '');
  else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) apply(node, name, value);
  return append(node, children);
}

export function svg(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  return append(node, children);
}

export function replace(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

export function link(href, text, props = {}) {
  return el('a', { href, ...props }, text);
}

export function button(text, onclick, props = {}) {
  return el('button', { type: 'button', onclick, ...props }, text);
}

// ---- messages ----

// A problem as the gateway tells it, or an error of this page.
export function problemBox(error) {
  const known = t(`error.${error.code ?? ''}`, null) ?? t(`act.${error.what ?? ''}`, null);
  const field = error.field ? el('p', {}, t('problem.field'), ' ', el('code', {}, error.field)) : null;
  const detail = error.detail || (known ? '' : error.message);
  const trace = error.trace ? el('p', { class: 'faint' }, t('problem.trace'), ' ', el('code', {}, error.trace)) : null;
  return el('div', { class: 'box bad', role: 'alert' },
    el('strong', {}, known || error.title || t('problem.title')), field, detail ? el('p', {}, detail) : null, trace);
}

export function notice(text, kind = 'info') {
  return el('div', { class: `box ${kind}`, role: 'status' }, text);
}

export function empty(text = t('empty')) {
  return el('p', { class: 'faint' }, text);
}

// Runs work for a button: busy meanwhile, its problem into `place`.
export async function guarded(place, control, work) {
  if (control?.disabled) return;
  if (control) control.disabled = true;
  control?.setAttribute('aria-busy', 'true');
  place.replaceChildren();
  try {
    await work();
  } catch (error) {
    if (!error.title && !error.what) console.error(error);
    place.replaceChildren(problemBox(error));
    place.firstChild.scrollIntoView({ block: 'nearest' });
  } finally {
    if (control) control.disabled = false;
    control?.removeAttribute('aria-busy');
  }
}

// ---- fields ----

let serial = 0;

// control with its label; props go to the control.
export function field(label, name, props = {}, hint = '') {
  const id = `f${++serial}`, { tag = 'input', children = [], ...rest } = props;
  const described = hint ? { 'aria-describedby': `${id}-hint` } : {};
  return el('div', { class: 'field' },
    el('label', { for: id }, label, rest.required ? el('span', { class: 'must', 'aria-hidden': 'true' }, ' *') : null),
    el(tag, { id, name, ...described, ...rest }, children),
    hint ? el('small', { id: `${id}-hint` }, hint) : null);
}

// options: [[value, text], ...]
export function select(label, name, options, props = {}, hint = '') {
  const { value, ...rest } = props;
  const children = options.map(([v, text]) => el('option', { value: v, selected: v === value }, text));
  return field(label, name, { tag: 'select', children, ...rest }, hint);
}

export function check(label, name, props = {}) {
  const id = `f${++serial}`;
  return el('div', { class: 'check' }, el('input', { id, name, type: 'checkbox', ...props }), el('label', { for: id }, label));
}

export function group(legend, ...children) {
  return el('fieldset', {}, el('legend', {}, legend), children);
}

// onsubmit(data: FormData, form) may be async; problems are shown under the fields.
export function form(children, submitText, onsubmit, props = {}) {
  const place = el('div', { class: 'messages', 'aria-live': 'polite' });
  const submit = el('button', { type: 'submit', class: 'main' }, submitText);
  const node = el('form', { ...props }, children, place, el('div', { class: 'actions' }, submit));
  node.addEventListener('submit', (event) => {
    event.preventDefault();
    guarded(place, submit, () => onsubmit(new FormData(node), node));
  });
  return node;
}

// ---- showing ----

// pairs: [[label, value], ...]; what is empty is left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== '' && value !== undefined && value !== null && value !== 0);
  return el('dl', { class: 'facts' }, shown.map(([label, value]) => el('div', {}, el('dt', {}, label), el('dd', {}, value))));
}

export function time(ms) {
  return ms ? el('time', { datetime: new Date(ms).toISOString() }, timeText(ms)) : '';
}

export function digest(text) {
  return el('code', { class: 'digest' }, text);
}

export function state(value) {
  return value ? el('span', { class: `state s-${value.replace(/[^a-z_-]/g, '')}` }, t(`v.${value}`, value)) : '';
}

export function page(title, ...children) {
  return el('section', { 'aria-labelledby': 'title' }, el('h1', { id: 'title', tabindex: '-1' }, title), children);
}

export function card(title, ...children) {
  return el('section', { class: 'card' }, title ? el('h2', {}, title) : null, children);
}

// heads: texts; rows: arrays of cells. Narrow screens show each cell under its head.
export function table(heads, rows) {
  const content = (cell) => (cell === '' || cell === undefined || cell?.length === 0 ? null : el('div', {}, cell));
  const body = rows.map((cells) => el('tr', {}, cells.map((cell, i) => el('td', { 'data-head': heads[i] }, content(cell)))));
  return el('table', {}, el('thead', {}, el('tr', {}, heads.map((h) => el('th', { scope: 'col' }, h)))), el('tbody', {}, body));
}
