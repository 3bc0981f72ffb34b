// terminals/web's modules without a page: protobuf against protoc, checks of acts, printing and trust.
// Run as: node --test tests/web_modules.mjs, with CHOP_SOURCE (the checkout) and CHOP_PROTOC in the environment.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, createVerify, webcrypto } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const source = process.env.CHOP_SOURCE ?? new URL('..', import.meta.url).pathname;
const protoc = process.env.CHOP_PROTOC ?? 'protoc';

// A page loads .js as modules by its tag; node wants to be told.
const dir = mkdtempSync(join(tmpdir(), 'chop-web-'));
after(() => rmSync(dir, { recursive: true }));
cpSync(join(source, 'terminals/web/js'), dir, { recursive: true });
writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
globalThis.crypto ??= webcrypto; // node 18 has it only as a module
const load = (name) => import(join(dir, name));
const bytes = await load('bytes.js'), proto = await load('proto.js'), act = await load('act.js');
const trust = await load('trust.js'), { dictionary } = await load('i18n.js'), { outlinePath } = await load('outline.js');

const sha = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const zero = Buffer.alloc(1);
const b64 = (b) => Buffer.from(b).toString('base64');

function textFormat(value, indent = '') {
  return Object.entries(value).flatMap(([name, v]) => (Array.isArray(v) ? v : [v]).map((one) => {
    if (one instanceof Uint8Array)
      return `${indent}${name}: "${Array.from(one, (c) => `\\x${c.toString(16).padStart(2, '0')}`).join('')}"\n`;
    if (typeof one === 'object') return `${indent}${name} {\n${textFormat(one, `${indent} `)}${indent}}\n`;
    return `${indent}${name}: ${typeof one === 'string' ? JSON.stringify(one) : one}\n`;
  })).join('');
}

function byProtoc(file, message, value) {
  const args = [`--encode=chop.${message}`, `--proto_path=${source}/proto`, '--proto_path=/usr/include', `${source}/proto/${file}`];
  return execFileSync(protoc, args, { input: textFormat(value) });
}

const fill = (n, seed) => Uint8Array.from({ length: n }, (_, i) => (i * 37 + seed) & 255);
const values = {
  Signed: ['common.proto', 'common.v1', { type: 'order', kid: 'ter_01', payload: fill(300, 1), signature: fill(64, 2) }],
  Ticket: ['common.proto', 'common.v1', { owner: 'authorization', act_id: 'act_1', kind: 'print', organization_id: 'org_1',
    member_id: 'mem_1', terminal_id: 'ter_1', digest: fill(32, 3), nonce: fill(32, 4),
    clauses: [{ factors: ['password', 'key'] }, { factors: ['face'] }], policy_version: 128, expires_at: 1764000000123 }],
  PrintOrder: ['issuance.proto', 'issuance.v1', { allotment_id: 'allot_1', allotment_digest: fill(32, 5), printer_id: 'prn_1',
    challenge_digest: fill(32, 6), terminal_id: 'ter_1', ordered_at: 1764000000123 }],
  PairStatement: ['printer.proto', 'printer.v1', { printer_id: 'prn_1', terminal_id: 'ter_1', code_mac: fill(32, 7), at: 1 }],
  Challenge: ['printer.proto', 'printer.v1', { printer_id: '打印机', nonce: fill(32, 8), issued_at: 127, expires_at: 16384,
    boot_counter: Number.MAX_SAFE_INTEGER }],
  AllotmentStatement: ['authorization.proto', 'authorization.v1', { allotment_id: 'allot_1', grant_id: 'grant_1',
    grant_digest: fill(32, 9), organization_id: 'org_1', printer_id: 'prn_1', member_id: 'mem_1', terminal_id: 'ter_1',
    numbers: [1, 2, 300, 70000], document_digest: fill(32, 10), artwork_digest: fill(32, 11), proof_digest: fill(32, 12),
    challenge_digest: fill(32, 13), not_before: 5, not_after: 6, allotted_at: 7, placement: { page: 3, x_um: 120000, y_um: 9 },
    replaces: 4, seal_id: 'seal_1' }],
  ReceiptStatement: ['filing.proto', 'filing.v1', { registry: 'police', number: 'G-1', fact_id: 'fact_1', fact_digest: fill(32, 14),
    seal_id: 'seal_1', seal_seq: 12, received_at: 1764000000123, idempotency_key: 'k' }],
};

for (const [name, [file, scope, value]] of Object.entries(values)) {
  test(`proto: ${name} is written byte for byte as protoc writes it, and read back`, () => {
    const expected = byProtoc(file, `${scope}.${name}`, value);
    assert.equal(bytes.hex(proto.encode(proto[name], value)), expected.toString('hex'));
    const back = proto.decode(proto[name], new Uint8Array(expected));
    assert.equal(bytes.hex(proto.encode(proto[name], back)), expected.toString('hex'));
    for (const [field, v] of Object.entries(value)) if (typeof v !== 'object') assert.equal(back[field], v);
  });
}

test('proto: read-only schemas agree with the protos', () => {
  const grant = { grant_id: 'g', member_id: 'm', seal_name: '公章', artwork_digest: fill(32, 1), document: { title: 't' },
    document_digest: fill(32, 2), copies: 5, not_after: 9, signature_name: '王', approvals: [{ member_name: '李', at: 3 }], sample: true };
  const g = proto.decode(proto.GrantStatement, new Uint8Array(byProtoc('authorization.proto', 'authorization.v1.GrantStatement', grant)));
  assert.deepEqual([g.grant_id, g.seal_name, g.copies, g.not_after, g.signature_name, g.sample], ['g', '公章', 5, 9, '王', true]);
  assert.equal(g.approvals[0].member_name, '李');
  const fact = { fact_id: 'f', kind: 'gap', seal_seq: 3, previous_digest: fill(32, 3), at: 4, number: 2, member_name: '王', detail: 'x', numbers: [2, 3] };
  const f = proto.decode(proto.FactStatement, new Uint8Array(byProtoc('authorization.proto', 'authorization.v1.FactStatement', fact)));
  assert.deepEqual([f.fact_id, f.kind, f.seal_seq, f.at, f.number, f.member_name, f.detail, f.numbers], ['f', 'gap', 3, 4, 2, '王', 'x', [2, 3]]);
  const manifest = { version: 2, issued_at: 3, entries: [{ kid: 'k', purpose: 'registry', algorithm: 'SM2', public_key: fill(91, 1),
    not_before: 1, not_after: 2, revoked_at: 3, name: 'police' }] };
  const m = proto.decode(proto.KeyManifest, new Uint8Array(byProtoc('common.proto', 'common.v1.KeyManifest', manifest)));
  assert.deepEqual([m.version, m.entries[0].name, m.entries[0].revoked_at, m.entries[0].public_key.length], [2, 'police', 3, 91]);
  const cert = { printer_id: 'p', name: 'n', sign_key: fill(91, 1), seal_key: fill(65, 1), not_after: 9 };
  const c = proto.decode(proto.PrinterCert, new Uint8Array(byProtoc('common.proto', 'common.v1.PrinterCert', cert)));
  assert.deepEqual([c.printer_id, c.name, c.seal_key.length, c.not_after], ['p', 'n', 65, 9]);
});

test('proto: repeated numbers are read unpacked, too', () => {
  assert.deepEqual(proto.decode(proto.AllotmentStatement, Uint8Array.of(0x40, 1, 0x40, 0xac, 2)).numbers, [1, 300]);
});

test('proto: malformed bytes are refused', () => {
  const good = proto.encode(proto.PrintOrder, values.PrintOrder[2]);
  for (let n = 1; n < good.length; n++) {
    let read;
    try { read = proto.decode(proto.PrintOrder, good.subarray(0, n)); } catch { continue; }
    assert.notDeepEqual(read, proto.decode(proto.PrintOrder, good)); // cut between fields: fewer fields
  }
  const refused = { 'field 0': [0x02, 0], 'wire type 3': [0x7b], 'wire type 7': [0x7f, 0], 'a string as a number': [0x08, 1],
    'twice': [0x0a, 1, 65, 0x0a, 1, 66], 'bad UTF-8': [0x0a, 1, 0xff], 'length beyond the end': [0x0a, 0x7f, 1],
    'above 2^53': [0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 'endless varint': Array(12).fill(0x80) };
  for (const [why, b] of Object.entries(refused)) assert.throws(() => proto.decode(proto.PrintOrder, Uint8Array.from(b)), why);
  assert.throws(() => proto.encode(proto.PrintOrder, { ordered_at: -1 }), RangeError);
  assert.throws(() => proto.encode(proto.PrintOrder, { ordered_at: 1.5 }), RangeError);
  assert.throws(() => proto.encode(proto.PrintOrder, { nonsense: 1 }), TypeError);
});

test('bytes: hex and Base64 go both ways', () => {
  for (const n of [0, 1, 2, 3, 70000]) {
    const b = fill(n, 5);
    assert.equal(bytes.base64(b), b64(b));
    assert.deepEqual(bytes.fromBase64(b64(b)), b);
    assert.deepEqual(bytes.fromHex(bytes.hex(b)), b);
  }
  assert.throws(() => bytes.fromHex('0'));
  assert.throws(() => bytes.fromBase64('*'));
});

// ---- acts ----

const who = { member_id: 'mem_1', terminal_id: 'ter_1' };
const asked = { field: 'request', params: { seal_id: 'seal_1', copies: 2, purpose: '合同', printer_ids: [], document: { title: 'T', sha256: 'ab', facts: { pages: 3 } } } };
function prepared(change = {}) {
  const content = { act_id: 'act_1', kind: 'request', member_id: 'mem_1', terminal_id: 'ter_1',
    request: { seal_id: 'seal_1', document: { title: 'T', sha256: 'ab', facts: { pages: 3 } }, copies: 2, purpose: '合同' }, ...change.content };
  const text = Buffer.from(JSON.stringify(content)), nonce = fill(32, 4);
  const ticket = { owner: 'authorization', act_id: 'act_1', kind: 'request', member_id: 'mem_1', terminal_id: 'ter_1',
    digest: new Uint8Array(sha(text)), nonce, clauses: [{ factors: ['key'] }], expires_at: 9, ...change.ticket };
  const signed = { type: 'ticket', kid: 'k', payload: proto.encode(proto.Ticket, ticket), signature: fill(64, 1) };
  return { act_id: 'act_1', content: b64(change.bytes ?? text), ticket: b64(proto.encode(proto.Signed, signed)), nonce: b64(nonce), ...change.reply };
}

test('act: a prepared act is opened from its own bytes', async () => {
  const opened = await act.openPrepared(prepared(), asked, who);
  assert.equal(opened.content.request.purpose, '合同');
  assert.deepEqual(opened.clauses, [['key']]);
  const expected = sha('chop/1/act', zero, 'act_1', fill(32, 4), sha(opened.bytes));
  assert.equal(bytes.hex(await act.actChallenge(opened)), expected.toString('hex'));
});

const lies = {
  'other bytes than the ticket\'s': { bytes: Buffer.from('{"act_id":"act_1"}') },
  'another digest in the ticket': { ticket: { digest: fill(32, 9) } },
  'a ticket of another act': { ticket: { act_id: 'act_2' } },
  'a ticket of another kind': { ticket: { kind: 'print' } },
  'a ticket of another member': { ticket: { member_id: 'mem_2' } },
  'a ticket of another terminal': { ticket: { terminal_id: 'ter_2' } },
  'a ticket without clauses': { ticket: { clauses: [] } },
  'another nonce than the ticket\'s': { reply: { nonce: b64(fill(32, 5)) } },
  'content of another kind': { content: { kind: 'decide' } },
  'content of another member': { content: { member_id: 'mem_2' } },
  'content of another act': { content: { act_id: 'act_2' } },
  'more copies than asked': { content: { request: { ...asked.params, copies: 20 } } },
  'another document': { content: { request: { ...asked.params, document: { title: 'T', sha256: 'cd', facts: { pages: 3 } } } } },
  'no parameters': { content: { request: undefined } },
};
for (const [what, lie] of Object.entries(lies)) {
  test(`act: refused: ${what}`, async () => {
    await assert.rejects(act.openPrepared(prepared(lie), asked, who), act.ActError);
  });
}

test('act: secrets and pictures need not be shown, everything else must', () => {
  assert.equal(act.difference({ account: 'a', password: 'secret' }, { account: 'a' }), null);
  assert.equal(act.difference({ account: 'a', post: '' }, { account: 'a', extra: 1 }), null);
  assert.equal(act.difference({ roles: ['user'] }, { roles: ['user', 'admin'] }, 'member_add'), 'member_add.roles');
  assert.equal(act.difference({ policy: { decide_clauses: [{ factors: ['key'] }] } }, { policy: { decide_clauses: [{ factors: ['password'] }] } }),
    'policy.decide_clauses.0.factors.0');
});

// ---- statements of the terminal ----

const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
const sign = async (b) => new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, pair.privateKey, b));
const verified = (signed) => createVerify('SHA256').update(Buffer.concat([Buffer.from(`chop/1/${signed.type}`), zero, Buffer.from(signed.kid), zero, signed.payload]))
  .verify({ key: Buffer.from(spki), format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' }, signed.signature);

test('pairing: the code is only a key of the statement', async () => {
  const payload = await act.pairStatement('prn_1', 'ter_1', '12345678', 42);
  const read = proto.decode(proto.PairStatement, payload);
  const mac = createHmac('sha256', '12345678').update('chop/1/pair').update(zero).update('prn_1').update(zero).update('ter_1').digest();
  assert.equal(bytes.hex(read.code_mac), mac.toString('hex'));
  const signed = proto.decode(proto.Signed, await act.signStatement('pair', 'ter_1', payload, sign));
  assert.ok(verified(signed));
  assert.deepEqual([signed.type, signed.kid], ['pair', 'ter_1']);
});

function signedOf(type, message, value) {
  return b64(proto.encode(proto.Signed, { type, kid: 'k', payload: proto.encode(message, value), signature: fill(64, 1) }));
}
const challenge = signedOf('challenge', proto.Challenge, { printer_id: 'prn_1', nonce: fill(32, 1), issued_at: 1, expires_at: 1000 });
const printerCert = signedOf('printer-cert', proto.PrinterCert, { printer_id: 'prn_1', name: '一号机' });
const payloadOf = (packed) => proto.decode(proto.Signed, bytes.fromBase64(packed)).payload;
const documentDigest = fill(32, 20);
const print = { grant_id: 'grant_1', printer_id: 'prn_1', count: 2, challenge, printer_cert: printerCert };
function allotted(change = {}, grantChange = {}) {
  const grant = signedOf('grant', proto.GrantStatement, { grant_id: 'grant_1', member_id: 'mem_1', artwork_digest: fill(32, 21),
    document_digest: documentDigest, copies: 3, ...grantChange });
  const allotment = signedOf('allotment', proto.AllotmentStatement, { allotment_id: 'allot_1', grant_id: 'grant_1',
    grant_digest: new Uint8Array(sha(payloadOf(grant))), printer_id: 'prn_1', member_id: 'mem_1', terminal_id: 'ter_1',
    numbers: [1, 2], document_digest: documentDigest, artwork_digest: fill(32, 21), challenge_digest: new Uint8Array(sha(payloadOf(challenge))), ...change });
  return { asked: print, result: { allotment, grant }, terminalId: 'ter_1', memberId: 'mem_1', documentSha256: bytes.hex(documentDigest) };
}

test('print: the order names the allotment and the challenge by digest', async () => {
  const job = allotted(), checked = await act.checkAllotment(job);
  const certificate = { type: 'terminal-cert', kid: 'ca', payload: b64(fill(9, 1)), signature: b64(fill(64, 2)) };
  const sent = await act.submission({ ...job, certificate, checked, sign, now: 77 });
  const signed = proto.decode(proto.Signed, bytes.fromBase64(sent.order)), order = proto.decode(proto.PrintOrder, signed.payload);
  assert.ok(verified(signed));
  assert.deepEqual([signed.type, signed.kid, order.allotment_id, order.printer_id, order.terminal_id, order.ordered_at],
    ['order', 'ter_1', 'allot_1', 'prn_1', 'ter_1', 77]);
  assert.equal(bytes.hex(order.allotment_digest), sha(payloadOf(job.result.allotment)).toString('hex'));
  assert.equal(bytes.hex(order.challenge_digest), sha(payloadOf(challenge)).toString('hex'));
  assert.equal(proto.decode(proto.Signed, bytes.fromBase64(sent.terminal_cert)).kid, 'ca');
});

const wrongAllotments = { grant_id: 'grant_2', grant_digest: fill(32, 1), printer_id: 'prn_2', member_id: 'mem_2', terminal_id: 'ter_2',
  numbers: [1], document_digest: fill(32, 1), artwork_digest: fill(32, 1), challenge_digest: fill(32, 1), replaces: 1 };
wrongAllotments.placement = { page: 1, x_um: 2, y_um: 3 };
for (const [field, value] of Object.entries(wrongAllotments)) {
  test(`print: an allotment with another ${field} is not ordered`, async () => {
    await assert.rejects(act.checkAllotment(allotted({ [field]: value })), act.ActError);
  });
}
test('print: the place is the approved one, or the one commanded', async () => {
  const place = { page: 2, x_um: 1000, y_um: 0 };
  await act.checkAllotment(allotted({ placement: place }, { placement: place }));
  await assert.rejects(act.checkAllotment(allotted({}, { placement: place })), act.ActError);
  await assert.rejects(act.checkAllotment(allotted({ placement: { ...place, x_um: 1001 } }, { placement: place })), act.ActError);
});
test('print: no number twice, none beyond what was asked, no other document than was shown', async () => {
  await assert.rejects(act.checkAllotment(allotted({ numbers: [2, 2] })), act.ActError);
  await assert.rejects(act.checkAllotment(allotted({ numbers: [1, 2, 3] })), act.ActError);
  await assert.rejects(act.checkAllotment(allotted({}, { member_id: 'mem_2' })), act.ActError);
  await assert.rejects(act.checkAllotment({ ...allotted(), documentSha256: 'ab' }), act.ActError);
});
test('print: a challenge of another printer or out of time is told before factors are asked', () => {
  const reply = { challenge, printer_cert: printerCert };
  assert.equal(act.checkChallenge(reply, 'prn_1', 999).cert.name, '一号机');
  assert.throws(() => act.checkChallenge(reply, 'prn_2', 999), act.ActError);
  assert.throws(() => act.checkChallenge(reply, 'prn_1', 1000), act.ActError);
  assert.throws(() => act.checkChallenge({ ...reply, challenge: printerCert }, 'prn_1', 999), act.ActError);
});

// ---- trust ----

async function signedBytes(type, kid, payload) {
  return { type, kid, payload, signature: await sign(act.statementBytes(type, kid, payload)) };
}
test('trust: a statement is as good as its key is allowed to make it', async () => {
  const entry = { kid: 'k1', purpose: 'registry', algorithm: 'ES256', public_key: spki, not_before: 10, not_after: 20, name: 'police' };
  const manifest = { version: 1, entries: [entry, { ...entry, kid: 'k2', algorithm: 'SM2' }, { ...entry, kid: 'k3', revoked_at: 12 }] };
  const payload = new Uint8Array(byProtoc('common.proto', 'common.v1.KeyManifest', manifest));
  const packed = b64(proto.encode(proto.Signed, await signedBytes('manifest', 'root', payload)));
  const opened = await trust.openManifest({ root_spki: b64(spki), manifest: packed }, '');
  assert.equal(opened.root, sha(spki).toString('hex'));
  await assert.rejects(trust.openManifest({ root_spki: b64(spki), manifest: packed }, 'other'));
  const receipt = await signedBytes('receipt', 'k1', fill(20, 1));
  assert.equal(await trust.verifyStatement(opened, receipt, 'receipt', 15, 'police'), 'good');
  assert.equal(await trust.verifyStatement(opened, receipt, 'receipt', 15, 'internal'), 'bad');
  assert.equal(await trust.verifyStatement(opened, receipt, 'receipt', 20), 'bad');
  assert.equal(await trust.verifyStatement(opened, receipt, 'fact', 15), 'bad');
  assert.equal(await trust.verifyStatement(opened, { ...receipt, payload: fill(20, 2) }, 'receipt', 15), 'bad');
  assert.equal(await trust.verifyStatement(opened, { ...receipt, kid: 'k2' }, 'receipt', 15), 'unchecked');
  assert.equal(await trust.verifyStatement(opened, await signedBytes('receipt', 'k3', fill(20, 1)), 'receipt', 15), 'bad');
  assert.equal(await trust.verifyStatement(opened, await signedBytes('fact', 'k1', fill(20, 1)), 'fact', 15), 'bad');
});

test('trust: a fact that is missing, changed or out of order breaks the chain', async () => {
  const list = [];
  for (let i = 1, previous = new Uint8Array(0); i <= 4; i++) {
    const payload = proto.encode(proto.FactStatement, { fact_id: `f${i}`, seal_seq: i, previous_digest: previous });
    list.push({ payload });
    previous = new Uint8Array(sha(payload));
  }
  assert.equal((await trust.brokenLinks(list, new Uint8Array(0))).size, 0);
  assert.deepEqual([...(await trust.brokenLinks([list[0], list[2], list[3]], new Uint8Array(0)))], ['f3']);
  assert.deepEqual([...(await trust.brokenLinks(list.slice(1), new Uint8Array(0)))], ['f2']);
  assert.equal((await trust.brokenLinks(list.slice(1), null)).size, 0);
});

// ---- artwork and words ----

test('outline: polygons become one path; malformed bytes are refused', () => {
  const head = [0x43, 0x48, 0x4f, 0x31, 0x10, 0x27, 0, 0, 0x10, 0x27, 0, 0];
  const drawn = outlinePath(Uint8Array.from([...head, 3, 0x02, 0x04, 0x80, 0x01, 0, 0, 0x80, 0x01]));
  assert.deepEqual(drawn, { width: 10000, height: 10000, path: 'M1 2L65 2L65 66Z' });
  for (const bad of [[...head.slice(0, 8)], [...head], [...head, 3, 2, 4], [...head, 2, 0, 0, 0, 0], [0x58, ...head.slice(1), 3, 0, 0, 2, 0, 0, 2]])
    assert.throws(() => outlinePath(Uint8Array.from(bad)));
});

test('words: every key that the page uses is in the dictionary, in both languages', () => {
  const text = readdirSync(dir).filter((f) => f.endsWith('.js')).map((f) => readFileSync(join(dir, f), 'utf8')).join('\n');
  const used = new Set([...text.matchAll(/\bt\('([a-zA-Z0-9_.-]+)'/g)].map((m) => m[1]));
  assert.ok(used.size > 50);
  assert.deepEqual([...used].filter((k) => !(k in dictionary)), []);
  for (const [key, pairOf] of Object.entries(dictionary)) assert.ok(pairOf.length === 2 && pairOf[0] && pairOf[1], key);
});

test('page: nothing turns data into HTML or code, nothing comes from elsewhere', () => {
  const web = join(source, 'terminals/web');
  const files = ['index.html', 'style.css', ...readdirSync(join(web, 'js')).map((f) => `js/${f}`)];
  for (const f of files) {
    const text = readFileSync(join(web, f), 'utf8');
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, f);
    assert.doesNotMatch(text.replaceAll('http://www.w3.org/', ''), /(src|href|import|url\()\s*=?\s*['"]?https?:/, f);
  }
  const html = readFileSync(join(web, 'index.html'), 'utf8');
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=/);
});
