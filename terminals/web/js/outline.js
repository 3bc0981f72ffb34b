// A seal's frozen artwork (lib/outline.h) as an SVG path: what is previewed is what is filed and printed.
import { fromUtf8 } from './bytes.js';

const MAX_UM = 120000, MAX_POINTS = 200000;

class Cursor {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  varint() {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.at >= this.bytes.length) throw new RangeError('outline: cut off');
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError('outline: number too large');
  }
  zigzag() {
    const v = this.varint();
    return v % 2 ? -(v + 1) / 2 : v / 2;
  }
}

function readHead(bytes) {
  if (bytes.length < 12 || fromUtf8(bytes.subarray(0, 4)) !== 'CHO1') throw new RangeError('outline: not an outline');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const width = view.getUint32(4, true), height = view.getUint32(8, true);
  if (!width || !height || width > MAX_UM || height > MAX_UM) throw new RangeError('outline: size');
  return { width, height };
}

// { width, height } in micrometres and the path's data; filled with the non-zero rule. Throws RangeError.
export function outlinePath(bytes) {
  const { width, height } = readHead(bytes), cursor = new Cursor(bytes), parts = [];
  let x = 0, y = 0, points = 0;
  cursor.at = 12;
  while (cursor.at < bytes.length) {
    const n = cursor.varint();
    points += n;
    if (n < 3 || points > MAX_POINTS) throw new RangeError('outline: polygon');
    for (let i = 0; i < n; i++) {
      x += cursor.zigzag();
      y += cursor.zigzag();
      if (x < 0 || y < 0 || x > width || y > height) throw new RangeError('outline: outside of its box');
      parts.push(`${i ? 'L' : 'M'}${x} ${y}`);
    }
    parts.push('Z');
  }
  if (!points) throw new RangeError('outline: empty');
  return { width, height, path: parts.join('') };
}
