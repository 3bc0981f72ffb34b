// The few protobuf messages that a terminal writes or reads itself: statements are signed as bytes, and their fields are
// not part of any JSON. Schemas follow proto/*.proto; tests compare them with protoc.
import { concat, fromUtf8, utf8 } from './bytes.js';

const MAX_DEPTH = 8;
const MAX_ITEMS = 10000;
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;

// fields: { name: [number, kind] }; kind: 'string', 'bytes', 'uint', 'bool' or another schema; a third element 'repeated'.
function schema(fields) {
  const list = Object.entries(fields)
    .map(([name, [number, kind, rule]]) => ({ name, number, kind, repeated: rule === 'repeated' }))
    .sort((a, b) => a.number - b.number);
  return { list, byNumber: new Map(list.map((f) => [f.number, f])) };
}

export const Signed = schema({ type: [1, 'string'], kid: [2, 'string'], payload: [3, 'bytes'], signature: [4, 'bytes'] });
const Clause = schema({ factors: [1, 'string', 'repeated'] });
export const Ticket = schema({
  owner: [1, 'string'], act_id: [2, 'string'], kind: [3, 'string'], organization_id: [4, 'string'],
  member_id: [5, 'string'], terminal_id: [6, 'string'], digest: [7, 'bytes'], nonce: [8, 'bytes'],
  clauses: [9, Clause, 'repeated'], policy_version: [10, 'uint'], expires_at: [11, 'uint'],
});
const KeyEntry = schema({
  kid: [1, 'string'], purpose: [2, 'string'], organization_id: [3, 'string'], algorithm: [4, 'string'],
  public_key: [5, 'bytes'], not_before: [6, 'uint'], not_after: [7, 'uint'], revoked_at: [8, 'uint'], name: [9, 'string'],
});
export const KeyManifest = schema({ version: [1, 'uint'], issued_at: [2, 'uint'], entries: [3, KeyEntry, 'repeated'] });
export const PrinterCert = schema({
  printer_id: [1, 'string'], organization_id: [2, 'string'], name: [3, 'string'], sign_key: [4, 'bytes'],
  seal_key: [5, 'bytes'], not_before: [6, 'uint'], not_after: [7, 'uint'],
});
export const Challenge = schema({
  printer_id: [1, 'string'], nonce: [2, 'bytes'], issued_at: [3, 'uint'], expires_at: [4, 'uint'], boot_counter: [5, 'uint'],
});
export const PairStatement = schema({
  printer_id: [1, 'string'], terminal_id: [2, 'string'], code_mac: [3, 'bytes'], at: [4, 'uint'],
});
export const PrintOrder = schema({
  allotment_id: [1, 'string'], allotment_digest: [2, 'bytes'], printer_id: [3, 'string'], challenge_digest: [4, 'bytes'],
  terminal_id: [5, 'string'], ordered_at: [6, 'uint'],
});
const Placement = schema({ page: [1, 'uint'], x_um: [2, 'uint'], y_um: [3, 'uint'] });
export const AllotmentStatement = schema({
  allotment_id: [1, 'string'], grant_id: [2, 'string'], grant_digest: [3, 'bytes'], organization_id: [4, 'string'],
  printer_id: [5, 'string'], member_id: [6, 'string'], terminal_id: [7, 'string'], numbers: [8, 'uint', 'repeated'],
  document_digest: [9, 'bytes'], artwork_digest: [10, 'bytes'], proof_digest: [11, 'bytes'],
  challenge_digest: [12, 'bytes'], not_before: [13, 'uint'], not_after: [14, 'uint'], allotted_at: [15, 'uint'],
  placement: [16, Placement], replaces: [17, 'uint'], seal_id: [18, 'string'],
});
const Approval = schema({
  member_id: [1, 'string'], member_name: [2, 'string'], post: [3, 'string'], at: [4, 'uint'],
  factors: [5, 'string', 'repeated'], proof_digest: [6, 'bytes'],
});
// Only what the page shows or checks; the rest is skipped, and the digest is of the bytes.
export const GrantStatement = schema({
  grant_id: [1, 'string'], organization_id: [2, 'string'], member_id: [5, 'string'], member_name: [6, 'string'],
  seal_id: [7, 'string'], seal_name: [8, 'string'], artwork_digest: [11, 'bytes'], document_digest: [13, 'bytes'],
  copies: [14, 'uint'], not_before: [15, 'uint'], not_after: [16, 'uint'], printer_ids: [17, 'string', 'repeated'],
  signature_of: [18, 'string'], signature_name: [19, 'string'], approvals: [21, Approval, 'repeated'], offline: [25, 'bool'],
  spoil_allowance: [26, 'uint'], granted_at: [27, 'uint'], sample: [28, 'bool'], placement: [31, Placement],
});
export const FactStatement = schema({
  fact_id: [1, 'string'], kind: [2, 'string'], seal_id: [5, 'string'], seal_code: [6, 'string'], seal_name: [7, 'string'],
  seal_seq: [8, 'uint'], previous_digest: [9, 'bytes'], at: [10, 'uint'], grant_id: [12, 'string'], number: [14, 'uint'],
  member_name: [16, 'string'], printer_id: [18, 'string'], factors: [19, 'string', 'repeated'], copies: [23, 'uint'],
  detail: [24, 'string'], numbers: [26, 'uint', 'repeated'],
});
export const ReceiptStatement = schema({
  registry: [1, 'string'], number: [2, 'string'], fact_id: [3, 'string'], fact_digest: [4, 'bytes'],
  seal_id: [5, 'string'], seal_seq: [6, 'uint'], received_at: [7, 'uint'], idempotency_key: [8, 'string'],
});

// ---- writing: fields in order, defaults left out, as protobuf-c and protoc do ----

function varint(n) {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`not an unsigned integer: ${n}`);
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  out.push(n);
  return Uint8Array.from(out);
}

function lengthDelimited(number, bytes) {
  return [varint(number * 8 + LENGTH), varint(bytes.length), bytes];
}

function writeField(f, value) {
  if (f.kind === 'string') return lengthDelimited(f.number, utf8(value));
  if (f.kind === 'bytes') return lengthDelimited(f.number, value);
  if (f.kind === 'uint' || f.kind === 'bool') return [varint(f.number * 8 + VARINT), varint(Number(value))];
  return lengthDelimited(f.number, encode(f.kind, value));
}

function isDefault(f, value) {
  if (value === undefined || value === null) return true;
  if (typeof f.kind === 'object') return false;
  return f.kind === 'string' || f.kind === 'bytes' ? value.length === 0 : Number(value) === 0;
}

function writeRepeated(f, values) {
  if (values === undefined || values.length === 0) return [];
  if (f.kind === 'uint') return lengthDelimited(f.number, concat(...values.map(varint))); // packed
  return values.flatMap((v) => writeField(f, v));
}

export function encode(message, value) {
  for (const name of Object.keys(value))
    if (!message.list.some((f) => f.name === name)) throw new TypeError(`no field ${name}`);
  return concat(...message.list.flatMap((f) => {
    if (f.repeated) return writeRepeated(f, value[f.name]);
    return isDefault(f, value[f.name]) ? [] : writeField(f, value[f.name]);
  }));
}

// ---- reading ----

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get done() {
    return this.at === this.bytes.length;
  }
  varint() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (this.done) throw new RangeError('protobuf: cut off');
      const byte = this.bytes[this.at++];
      value += (byte & 127) * factor;
      if (value > Number.MAX_SAFE_INTEGER || factor > 2 ** 56) throw new RangeError('protobuf: number too large');
      if (byte < 128) return value;
    }
  }
  take(n) {
    if (n > this.bytes.length - this.at) throw new RangeError('protobuf: cut off');
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }
  skip(wire) {
    if (wire === VARINT) while (this.take(1)[0] > 127);
    else if (wire === FIXED64) this.take(8);
    else if (wire === LENGTH) this.take(this.varint());
    else if (wire === FIXED32) this.take(4);
    else throw new RangeError(`protobuf: wire type ${wire}`);
  }
}

function wireOf(kind) {
  return kind === 'uint' || kind === 'bool' ? VARINT : LENGTH;
}

function readValue(reader, kind, depth) {
  if (kind === 'uint') return reader.varint();
  if (kind === 'bool') return reader.varint() !== 0;
  const bytes = reader.take(reader.varint());
  if (kind === 'bytes') return bytes.slice();
  return kind === 'string' ? fromUtf8(bytes) : decode(kind, bytes, depth + 1);
}

function emptyValue(f) {
  if (f.repeated) return [];
  if (typeof f.kind === 'object') return null;
  return { string: '', bytes: new Uint8Array(0), uint: 0, bool: false }[f.kind];
}

function readRepeated(reader, f, wire, list, depth) {
  if (wire === LENGTH && wireOf(f.kind) === VARINT) {
    const packed = new Reader(reader.take(reader.varint()));
    while (!packed.done && list.length < MAX_ITEMS) list.push(readValue(packed, f.kind, depth));
    if (!packed.done) throw new RangeError('protobuf: too many items');
    return;
  }
  if (list.length === MAX_ITEMS) throw new RangeError('protobuf: too many items');
  list.push(readValue(reader, f.kind, depth));
}

// A field given twice is refused: two readers could take different ones, and these bytes are signed.
export function decode(message, bytes, depth = 0) {
  if (depth > MAX_DEPTH) throw new RangeError('protobuf: too deep');
  const out = Object.fromEntries(message.list.map((f) => [f.name, emptyValue(f)]));
  const reader = new Reader(bytes), seen = new Set();
  while (!reader.done) {
    const tag = reader.varint(), wire = tag % 8, number = Math.floor(tag / 8), f = message.byNumber.get(number);
    if (number === 0) throw new RangeError('protobuf: field 0');
    if (!f) {
      reader.skip(wire);
      continue;
    }
    if (wire !== wireOf(f.kind) && !(f.repeated && wire === LENGTH)) throw new RangeError(`protobuf: ${f.name} has wire type ${wire}`);
    if (f.repeated) {
      readRepeated(reader, f, wire, out[f.name], depth);
      continue;
    }
    if (seen.has(number)) throw new RangeError(`protobuf: ${f.name} twice`);
    seen.add(number);
    out[f.name] = readValue(reader, f.kind, depth);
  }
  return out;
}
