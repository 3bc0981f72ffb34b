// Acts (docs/architecture.md, acts): what a terminal checks before it lets a member prove anything, and what it signs.
// No page and no network here: tests run this file by itself.
import * as proto from './proto.js';
import { base64, concat, equal, fromBase64, fromUtf8, hex, hmacSha256, labelled, sha256, utf8 } from './bytes.js';

// What the owner never repeats in the frozen content: secrets, and pictures whose digest is shown instead.
const LEFT_OUT = new Set(['password', 'new_password', 'png', 'outline']);

export class ActError extends Error {
  constructor(what, detail = '') {
    super(detail ? `${what}: ${detail}` : what);
    this.name = 'ActError';
    this.what = what; // a dictionary key under "act."
    this.detail = detail;
  }
}

function isDefault(value) {
  return value === undefined || value === null || value === '' || value === 0 || value === false ||
    (Array.isArray(value) && value.length === 0);
}

// The path of the first thing asked for that the frozen content does not say; null when it says all of it.
export function difference(asked, shown, path = '') {
  if (isDefault(asked)) return null;
  if (typeof asked !== 'object') return asked === shown ? null : path;
  if (typeof shown !== 'object' || shown === null) return path;
  if (Array.isArray(asked) && (!Array.isArray(shown) || asked.length !== shown.length)) return path;
  for (const [key, value] of Object.entries(asked)) {
    if (LEFT_OUT.has(key)) continue;
    const found = difference(value, shown[key], path ? `${path}.${key}` : key);
    if (found !== null) return found;
  }
  return null;
}

function need(condition, what, detail) {
  if (!condition) throw new ActError(what, detail);
}

function checkTicket(ticket, reply, digest, who) {
  need(equal(ticket.digest, digest), 'digest');
  need(ticket.act_id === reply.act_id && ticket.nonce.length === 32, 'ticket');
  need(equal(ticket.nonce, fromBase64(reply.nonce ?? '')), 'ticket');
  need(ticket.member_id === who.member_id && ticket.terminal_id === who.terminal_id, 'member');
  need(ticket.clauses.length > 0, 'ticket');
}

// reply: of PrepareAct; asked: { field, params }, what this page sent; who: { member_id, terminal_id }.
// Returns { actId, content, bytes, digest, nonce, clauses, expiresAt, ticket } or throws ActError.
export async function openPrepared(reply, asked, who) {
  const bytes = fromBase64(reply.content ?? ''), digest = await sha256(bytes);
  const ticket = proto.decode(proto.Ticket, proto.decode(proto.Signed, fromBase64(reply.ticket ?? '')).payload);
  checkTicket(ticket, reply, digest, who);
  const content = JSON.parse(fromUtf8(bytes));
  const kind = asked.field.replaceAll('_', '-');
  need(content.act_id === reply.act_id && content.kind === kind && ticket.kind === kind, 'kind');
  need(content.member_id === who.member_id && (content.terminal_id ?? '') === who.terminal_id, 'member');
  const differs = difference(asked.params, content[asked.field] ?? {}, asked.field);
  need(differs === null, 'differs', differs ?? '');
  return {
    actId: reply.act_id, content, bytes, digest, nonce: ticket.nonce, ticket: reply.ticket,
    clauses: ticket.clauses.map((c) => c.factors), expiresAt: ticket.expires_at,
  };
}

// What a key factor signs: SHA-256("chop/1/act" 0x00 act id, nonce, digest). ECDSA then hashes these 32 bytes once more.
export function actChallenge(act) {
  return sha256(labelled('chop/1/act', act.actId, act.nonce, act.digest));
}

// ---- statements of the terminal ----

// The bytes under the signature of any statement: "chop/1/" type 0x00 kid 0x00 payload.
export function statementBytes(type, kid, payload) {
  return concat(utf8(`chop/1/${type}`), new Uint8Array(1), labelled(kid, payload));
}

// sign: async (bytes) => 64 bytes. Returns a packed Signed.
export async function signStatement(type, terminalId, payload, sign) {
  const signature = await sign(statementBytes(type, terminalId, payload));
  return proto.encode(proto.Signed, { type, kid: terminalId, payload, signature });
}

export async function pairStatement(printerId, terminalId, code, at) {
  const mac = await hmacSha256(utf8(code), concat(labelled('chop/1/pair', printerId), new Uint8Array(1), utf8(terminalId)));
  return proto.encode(proto.PairStatement, { printer_id: printerId, terminal_id: terminalId, code_mac: mac, at });
}

// A certificate as the API gives it (a Signed as JSON), packed as calls want it.
export function packSigned(json) {
  return proto.encode(proto.Signed, {
    type: json.type, kid: json.kid, payload: fromBase64(json.payload ?? ''), signature: fromBase64(json.signature ?? ''),
  });
}

// ---- printing ----

function openStatement(text, type, message) {
  const signed = proto.decode(proto.Signed, fromBase64(text));
  need(signed.type === type, 'statement', `${signed.type} for ${type}`);
  return { payload: signed.payload, statement: proto.decode(message, signed.payload) };
}

// Before factors are asked: is this the printer that was chosen, and is there time left?
export function checkChallenge(reply, printerId, now) {
  const { statement } = openStatement(reply.challenge, 'challenge', proto.Challenge);
  const cert = openStatement(reply.printer_cert, 'printer-cert', proto.PrinterCert).statement;
  need(statement.printer_id === printerId && cert.printer_id === printerId, 'printer');
  need(statement.nonce.length === 32, 'statement', 'nonce');
  need(statement.expires_at > now, 'expired');
  return { statement, cert };
}

function sameNumbers(numbers, count) {
  return numbers.length === count && new Set(numbers).size === count && numbers.every((n) => n > 0);
}

function samePlace(asked, granted, allotted) {
  const wanted = asked ?? granted;
  if (!wanted || !allotted) return !wanted && !allotted;
  return ['page', 'x_um', 'y_um'].every((name) => (wanted[name] ?? 0) === allotted[name]);
}

// The allotment must be for exactly what was commanded. job: { asked (params of the print act), result, terminalId,
// memberId, documentSha256 }. Returns the allotment's statement and digests.
export async function checkAllotment({ asked, result, terminalId, memberId, documentSha256 }) {
  const allotment = openStatement(result.allotment, 'allotment', proto.AllotmentStatement);
  const grant = openStatement(result.grant, 'grant', proto.GrantStatement);
  const challenge = openStatement(asked.challenge, 'challenge', proto.Challenge);
  const a = allotment.statement, g = grant.statement;
  need(a.grant_id === asked.grant_id && g.grant_id === asked.grant_id, 'allotment', 'grant_id');
  need(equal(a.grant_digest, await sha256(grant.payload)), 'allotment', 'grant_digest');
  need(a.printer_id === asked.printer_id, 'allotment', 'printer_id');
  need(a.terminal_id === terminalId && a.member_id === memberId && g.member_id === memberId, 'allotment', 'member_id');
  need(sameNumbers(a.numbers, asked.count), 'allotment', 'numbers');
  need((asked.replaces ?? 0) === a.replaces, 'allotment', 'replaces');
  need(equal(a.document_digest, g.document_digest) && hex(a.document_digest) === documentSha256, 'allotment', 'document_digest');
  need(equal(a.artwork_digest, g.artwork_digest), 'allotment', 'artwork_digest');
  need(samePlace(asked.placement, g.placement, a.placement), 'allotment', 'placement');
  const challengeDigest = await sha256(challenge.payload);
  need(equal(a.challenge_digest, challengeDigest), 'allotment', 'challenge_digest');
  return { allotment: a, grant: g, allotmentDigest: await sha256(allotment.payload), challengeDigest };
}

// The print order over a checked allotment. now: milliseconds.
export function printOrder(checked, now) {
  const a = checked.allotment;
  return proto.encode(proto.PrintOrder, {
    allotment_id: a.allotment_id, allotment_digest: checked.allotmentDigest, printer_id: a.printer_id,
    challenge_digest: checked.challengeDigest, terminal_id: a.terminal_id, ordered_at: now,
  });
}

// The whole message of POST /v1/prints.
export async function submission({ asked, result, certificate, checked, sign, now }) {
  const order = await signStatement('order', checked.allotment.terminal_id, printOrder(checked, now), sign);
  return {
    allotment: result.allotment, grant: result.grant, order: base64(order), terminal_cert: base64(packSigned(certificate)),
    printer_cert: asked.printer_cert, challenge: asked.challenge,
  };
}
