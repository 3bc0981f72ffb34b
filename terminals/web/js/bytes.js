// Bytes and their texts: hex, Base64 (as lib/pbjson.h writes it: standard, padded), UTF-8; digests and HMAC by WebCrypto.

const utf8Writer = new TextEncoder();
const utf8Reader = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function utf8(text) {
  return utf8Writer.encode(text);
}

// Throws TypeError for what is not UTF-8.
export function fromUtf8(bytes) {
  return utf8Reader.decode(bytes);
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export function equal(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function hex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new TypeError('not lower-case hex');
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function base64(bytes) {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

// A label, its zero byte, then the parts: what every statement of a device or member begins with.
export function labelled(label, ...parts) {
  return concat(utf8(label), new Uint8Array(1), ...parts.map((p) => (typeof p === 'string' ? utf8(p) : p)));
}

// Browsers offer WebCrypto to secure contexts only: HTTPS, localhost, 127.0.0.1.
export function cryptoAvailable() {
  return globalThis.crypto?.subtle !== undefined;
}

export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export async function hmacSha256(keyBytes, bytes) {
  const key = await crypto.subtle.importKey('raw', keyBytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes));
}
