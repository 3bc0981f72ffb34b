// Documents: their digest is computed here; the file itself leaves this device only if the member chooses.
import * as api from './api.js';
import { base64, concat, fromBase64, hex, sha256 } from './bytes.js';

const CHUNK = 256 * 1024;
export const UPLOAD_MAX = 32 * 1024 * 1024;
export const DIGEST_MAX = 512 * 1024 * 1024; // WebCrypto hashes in one piece

export async function readFile(file) {
  return new Uint8Array(await file.arrayBuffer());
}

export async function digestOf(bytes) {
  return hex(await sha256(bytes));
}

// Returns the file's id. progress(share of 1).
export async function upload(name, bytes, digest, progress) {
  const started = await api.post('/v1/files', { name, sha256: digest, size: bytes.length });
  const path = `/v1/files/${api.segment(started.file_id)}`;
  for (let index = 0; index * CHUNK < bytes.length; index++) {
    const data = bytes.subarray(index * CHUNK, (index + 1) * CHUNK);
    await api.put(`${path}/chunks/${index}`, { data: base64(data) });
    progress(Math.min(1, ((index + 1) * CHUNK) / bytes.length));
  }
  await api.post(`${path}/finish`);
  return started.file_id;
}

// The stored document and its name; throws unless its digest is the one that was asked about.
export async function download(fileId, digest, progress) {
  const parts = [];
  for (let index = 0, chunks = 1, name = ''; ; index++) {
    const chunk = await api.get(`/v1/files/${api.segment(fileId)}/chunks/${index}`);
    chunks = chunk.chunks ?? chunks;
    name = chunk.name ?? name;
    parts.push(fromBase64(chunk.data ?? ''));
    progress((index + 1) / chunks);
    if (index + 1 < chunks) continue;
    const bytes = concat(...parts);
    return { name, bytes, genuine: (await digestOf(bytes)) === digest };
  }
}

export function save(name, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
