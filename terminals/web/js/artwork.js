// Pictures of seals, from their registered outlines.
import * as api from './api.js';
import { fromBase64, hex, sha256, cryptoAvailable } from './bytes.js';
import { el, replace, svg } from './dom.js';
import { t } from './i18n.js';
import { outlinePath } from './outline.js';

const loaded = new Map();

async function load(artworkDigest) {
  const reply = await api.get(`/v1/artworks/${api.segment(artworkDigest)}`);
  const bytes = fromBase64(reply.outline ?? '');
  if (cryptoAvailable() && hex(await sha256(bytes)) !== artworkDigest) throw new Error(t('seal.artwork.digest'));
  return outlinePath(bytes);
}

function draw({ width, height, path }, title) {
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title, class: 'artwork' },
    svg('path', { d: path, 'fill-rule': 'nonzero' }));
}

// A box that fills itself when the outline has come.
export function artwork(artworkDigest, title) {
  const box = el('div', { class: 'artwork-box', 'aria-busy': 'true' });
  if (!artworkDigest) return box;
  if (!loaded.has(artworkDigest)) loaded.set(artworkDigest, load(artworkDigest));
  loaded.get(artworkDigest).then((outline) => replace(box, draw(outline, title)), (error) => {
    loaded.delete(artworkDigest);
    replace(box, el('small', {}, error.message));
  }).finally(() => box.removeAttribute('aria-busy'));
  return box;
}
