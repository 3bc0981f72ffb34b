// Verifying signed statements in the browser: root key, key manifest, then a statement of a service or registry. The
// root key is kept from the first visit on, so that a later one cannot be slipped in. Browsers verify P-256 only; an
// SM2 or Ed25519 signature is reported as not checked, never as good.
import * as proto from './proto.js';
import { equal, fromBase64, hex, sha256 } from './bytes.js';
import { statementBytes } from './act.js';

const SIGNER_OF = {
  ticket: ['authorization', 'identity'], grant: ['authorization'], allotment: ['authorization'], fact: ['authorization'],
  receipt: ['registry'], impression: ['issuance'], 'terminal-cert': ['identity-ca'], 'printer-cert': ['identity-ca'],
};

async function verifyEs256(spki, statement) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('spki', spki, algorithm, false, ['verify']);
  return crypto.subtle.verify(algorithm, key, statement.signature,
    statementBytes(statement.type, statement.kid, statement.payload));
}

// keys: the answer of GET /v1/keys; pinned: hex SHA-256 of the root key seen first, or ''.
// Returns { root (hex digest), entries } or throws.
export async function openManifest(keys, pinned) {
  const root = fromBase64(keys.root_spki), digest = hex(await sha256(root));
  if (pinned && pinned !== digest) throw new Error('the root key changed');
  const signed = proto.decode(proto.Signed, fromBase64(keys.manifest));
  if (signed.type !== 'manifest' || !(await verifyEs256(root, signed))) throw new Error('the key manifest does not verify');
  return { root: digest, entries: proto.decode(proto.KeyManifest, signed.payload).entries };
}

function inForce(entry, at) {
  return entry.not_before <= at && at < entry.not_after && (entry.revoked_at === 0 || at < entry.revoked_at);
}

// statement: { type, kid, payload, signature } of bytes; at: when it was made; name: the registry that a receipt must be
// of. Returns 'good', 'bad' or 'unchecked'.
export async function verifyStatement(manifest, statement, type, at, name = '') {
  const entry = manifest.entries.find((e) => e.kid === statement.kid);
  if (statement.type !== type || !entry || !(SIGNER_OF[type] ?? []).includes(entry.purpose) || !inForce(entry, at)) return 'bad';
  if (name && entry.name !== name) return 'bad';
  if (entry.algorithm !== 'ES256') return 'unchecked';
  return (await verifyEs256(entry.public_key, statement)) ? 'good' : 'bad';
}

export function signedOfJson(json) {
  return {
    type: json.type ?? '', kid: json.kid ?? '', payload: fromBase64(json.payload ?? ''), signature: fromBase64(json.signature ?? ''),
  };
}

// Facts of one seal in order: which of them do not follow on the one before (by digest and number)? previous: digest of
// the fact before the first, or null where it is not known.
export async function brokenLinks(statements, previous) {
  const broken = new Set();
  let expected = previous, sequence = null;
  for (const s of statements) {
    const fact = proto.decode(proto.FactStatement, s.payload);
    if (expected !== null && !equal(fact.previous_digest, expected)) broken.add(fact.fact_id);
    if (sequence !== null && fact.seal_seq !== sequence + 1) broken.add(fact.fact_id);
    expected = await sha256(s.payload);
    sequence = fact.seal_seq;
  }
  return broken;
}
