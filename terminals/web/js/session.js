// Signing in and out, and this browser's terminal. A session that shows the device key at sign-in is a terminal's session.
import * as api from './api.js';
import * as keys from './keys.js';
import { cryptoAvailable, fromBase64 } from './bytes.js';

// { me, account: { organization, account }, terminal (record of keys.js or undefined), factor (likewise) }, null: signed out.
export let session = null;

export function hasRole(...roles) {
  return (session?.me.member.roles ?? []).some((r) => roles.includes(r));
}

export function who() {
  return { member_id: session.me.member.member_id, terminal_id: session.me.terminal_id ?? '' };
}

async function open(me) {
  const account = { organization: me.organization.slug, account: me.member.account };
  session = { me, account };
  await refreshKeys();
}

// Only a key that belongs to the session's own terminal counts as this terminal's.
export async function refreshKeys() {
  if (!cryptoAvailable()) return;
  const terminal = await keys.find('terminal', session.account);
  session.terminal = terminal?.terminalId === session.me.terminal_id ? terminal : undefined;
  const factor = await keys.find('factor', session.account);
  session.factor = factor?.credentialId ? factor : undefined;
}

export async function resume() {
  try {
    await open(await api.get('/v1/me', {}, { quiet: true }));
    return true;
  } catch (e) {
    if (e.status === 401) return false;
    throw e;
  }
}

export function forgetSession() {
  session = null;
}

async function withTerminal(account, terminal, body, start) {
  if (!terminal?.terminalId) return body;
  return {
    ...body, sign_in_id: start.sign_in_id, terminal_id: terminal.terminalId,
    terminal_signature: await keys.signLabelled(terminal, 'chop/1/terminal', fromBase64(start.challenge)),
  };
}

// proof: { password } or { key: record of the factor key }.
async function attempt(account, proof, terminal) {
  const start = proof.key || terminal?.terminalId ? await api.post('/v1/sign-ins', account, { quiet: true }) : null;
  let body = { ...account };
  if (proof.password) body.password = proof.password;
  else {
    body.sign_in_id = start.sign_in_id;
    body.signature = await keys.signLabelled(proof.key, 'chop/1/sign-in', fromBase64(start.challenge));
    if (proof.key.credentialId) body.credential_id = proof.key.credentialId;
  }
  body = await withTerminal(account, terminal, body, start);
  return api.post('/v1/sessions', body, { quiet: true });
}

function deviceName() {
  const agent = navigator.userAgent;
  const browser = /Edg\//.test(agent) ? 'Edge' : /MicroMessenger/.test(agent) ? 'WeChat' : /Firefox\//.test(agent) ? 'Firefox'
    : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : 'Browser';
  const system = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /Windows/.test(agent) ? 'Windows'
    : /Mac OS/.test(agent) ? 'macOS' : /Linux/.test(agent) ? 'Linux' : '';
  return system ? `${browser} · ${system}` : browser;
}

// Registers this browser as a terminal of the signed-in member.
async function registerTerminal(account, me) {
  const key = await keys.generate();
  const terminal = await api.post('/v1/terminals', {
    name: deviceName(), public_key: key.publicKey,
    signature: await keys.signLabelled(key, 'chop/1/terminal-register', me.member.member_id),
  });
  const record = { ...key, terminalId: terminal.terminal_id, certificate: terminal.certificate, memberId: me.member.member_id };
  await keys.keep('terminal', account, record);
  return record;
}

// The terminal that this browser knows may have been revoked, or be of another deployment: then sign in without it.
async function attemptWithKnownTerminal(account, proof) {
  const known = cryptoAvailable() ? await keys.find('terminal', account) : undefined;
  if (!known) return attempt(account, proof);
  try {
    return await attempt(account, proof, known);
  } catch (e) {
    if (e.field !== 'terminal_id' && e.field !== 'terminal_signature') throw e;
    await keys.forget('terminal', account);
    return attempt(account, proof);
  }
}

// A first sign-in registers the terminal and signs in once more with it: only a session that showed the device key is the
// terminal's everywhere at once.
export async function signIn(account, proof) {
  let reply = await attemptWithKnownTerminal(account, proof);
  if (cryptoAvailable() && !reply.me.terminal_id) {
    const terminal = await registerTerminal(account, reply.me);
    await api.remove('/v1/sessions', { quiet: true });
    reply = await attempt(account, proof, terminal);
  }
  await open(reply.me);
}

export async function signOut() {
  try {
    await api.remove('/v1/sessions', { quiet: true });
  } finally {
    session = null;
  }
}
