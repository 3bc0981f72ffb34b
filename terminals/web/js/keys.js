// Keys of this browser, in IndexedDB: the terminal's device key, and the member's own key where one is registered as a
// factor. Both are P-256 and not extractable; they are never the same key.
import { base64, labelled } from './bytes.js';

const DATABASE = 'chopmark', ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function store(name, mode) {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('keys');
    request.result.createObjectStore('jobs');
    request.result.createObjectStore('facts');
  };
  return (await settled(request)).transaction(name, mode).objectStore(name);
}

export async function read(name, key) {
  return settled((await store(name, 'readonly')).get(key));
}

export async function readAll(name) {
  return settled((await store(name, 'readonly')).getAll());
}

export async function write(name, key, value) {
  await settled((await store(name, 'readwrite')).put(value, key));
}

export async function erase(name, key) {
  await settled((await store(name, 'readwrite')).delete(key));
}

// purpose: 'terminal' or 'factor'; account: { organization (slug), account }.
function nameOf(purpose, account) {
  return `${purpose}/${account.organization}/${account.account}`;
}

export async function find(purpose, account) {
  return read('keys', nameOf(purpose, account));
}

export async function keep(purpose, account, record) {
  await write('keys', nameOf(purpose, account), { ...record, purpose, ...account });
}

export async function forget(purpose, account) {
  await erase('keys', nameOf(purpose, account));
}

export async function generate() {
  const pair = await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
  return { privateKey: pair.privateKey, publicKey: base64(spki) };
}

// ECDSA with SHA-256 over the message: 64 bytes, r and s.
export async function sign(key, message) {
  return new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, message));
}

// Base64 of a signature over a label, a zero byte and the parts.
export async function signLabelled(key, label, ...parts) {
  return base64(await sign(key, labelled(label, ...parts)));
}
