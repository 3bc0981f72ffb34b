// Calls to the gateway. The session lives in an HttpOnly cookie; X-Chop says that this page sends the request, which no
// other site's form can.

// An answer of RFC 9457, or the network's failure. title, field and detail are for people.
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || problem.code);
    this.name = 'Problem';
    Object.assign(this, { title: '', field: '', detail: '', code: '', status: 0, trace: '', retryable: false }, problem);
  }
}

let onSignedOut = () => {};

export function whenSignedOut(callback) {
  onSignedOut = callback;
}

async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    body = { title: response.statusText || `HTTP ${response.status}` };
  }
  return new Problem({ ...body, status: response.status });
}

async function send(method, path, body) {
  const headers = { 'X-Chop': '1', Accept: 'application/json' };
  const init = { method, headers, credentials: 'same-origin', cache: 'no-store' };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, init);
  } catch {
    throw new Problem({ code: 'NETWORK', retryable: true });
  }
}

async function call(method, path, body, { quiet = false } = {}) {
  const response = await send(method, path, body);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && !quiet) onSignedOut(problem);
  throw problem;
}

function query(path, fields) {
  const text = new URLSearchParams(Object.entries(fields ?? {}).filter(([, v]) => v !== '' && v !== undefined)).toString();
  return text ? `${path}?${text}` : path;
}

// quiet: a 401 is an answer to this very call (a wrong password), not the end of the session.
export async function get(path, fields, options) {
  return (await call('GET', query(path, fields), undefined, options)).json();
}

export async function post(path, body, options) {
  return (await call('POST', path, body ?? {}, options)).json();
}

export async function put(path, body) {
  return (await call('PUT', path, body)).json();
}

export async function remove(path, options) {
  return (await call('DELETE', path, undefined, options)).json();
}

export async function postForBlob(path, body) {
  return (await call('POST', path, body)).blob();
}

// A list that is longer than a page: follows `after` up to `most` entries.
export async function listAll(path, field, fields, idOf, most = 1000) {
  const limit = 200, out = [];
  for (let after = ''; out.length < most;) {
    const page = (await get(path, { ...fields, limit, after }))[field] ?? [];
    out.push(...page);
    if (page.length < limit) break;
    after = idOf(page[page.length - 1]);
  }
  return out;
}

export const segment = encodeURIComponent;
