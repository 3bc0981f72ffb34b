// Registering a seal: drawn from its texts, or traced from a picture; previewed before the act.
import * as api from './api.js';
import { runAct } from './act-dialog.js';
import { base64 } from './bytes.js';
import { button, card, el, field, form, group, guarded, page, select } from './dom.js';
import { readFile } from './files.js';
import { t } from './i18n.js';
import { go } from './navigate.js';
import { policyFields } from './views-seal.js';

const KINDS = ['official', 'contract', 'finance', 'invoice', 'legal_rep'];
const SHAPES = ['', 'round', 'ellipse', 'square'];

function options(values) {
  return values.map((v) => [v, v ? t(`v.${v}`) : t('default')]);
}

const micrometres = (text) => Math.round(Number(text || 0) * 1000);

async function sealOf(data) {
  const picture = data.get('png');
  return {
    name: data.get('name').trim(), kind: data.get('kind'), shape: data.get('shape'), code: data.get('code').trim(),
    width_um: micrometres(data.get('width')), height_um: micrometres(data.get('height')),
    ring_text: data.get('ring').trim(), center_text: data.get('center').trim(), tax_number: data.get('tax').trim(),
    png: picture?.size ? base64(await readFile(picture)) : '',
  };
}

function sealFields() {
  return [
    el('div', { class: 'row' }, field(t('f.name'), 'name', { required: true, maxlength: 100 }),
      field(t('f.code'), 'code', { required: true, pattern: '[0-9]{13}', inputmode: 'numeric', maxlength: 13 }, t('seal.code.hint'))),
    el('div', { class: 'row' }, select(t('f.kind'), 'kind', options(KINDS)), select(t('f.shape'), 'shape', options(SHAPES)),
      field(t('width-mm'), 'width', { type: 'number', min: 0, max: 120, step: 'any' }),
      field(t('height-mm'), 'height', { type: 'number', min: 0, max: 120, step: 'any' })),
    group(t('seal.drawn'), el('div', { class: 'row' }, field(t('f.ring_text'), 'ring', { maxlength: 40 }, t('seal.ring.hint')),
      field(t('f.center_text'), 'center', { maxlength: 12 }), field(t('f.tax_number'), 'tax', { maxlength: 20 }))),
    field(t('seal.png'), 'png', { type: 'file', accept: 'image/png' }, t('seal.png.hint')),
  ];
}

// The picture's address lives as long as the picture.
async function preview(data, place) {
  const blob = await api.postForBlob('/v1/artworks/preview', { seal: await sealOf(data), dpi: 200 });
  const image = el('img', { src: URL.createObjectURL(blob), alt: t('preview'), onload: () => URL.revokeObjectURL(image.src) });
  place.replaceChildren(image);
}

export async function newSealView() {
  const members = await api.listAll('/v1/members', 'members', {}, (m) => m.member_id);
  const policy = policyFields({}, members), picture = el('div', { class: 'picture large' }), place = el('div', { class: 'messages' });
  const look = button(t('preview'), () => guarded(place, look, () => preview(new FormData(node), picture)));
  const node = form([sealFields(), place, el('div', { class: 'actions' }, look), picture,
    el('details', {}, el('summary', {}, t('policy')), policy.nodes)],
  t('continue'), async (data) => {
    const outcome = await runAct('authorization', 'seal_create', { ...await sealOf(data), policy: policy.read(data) });
    if (outcome) go(`seal/${outcome.result.seal.seal_id}`);
  });
  return page(t('kind.seal-create'), card('', node));
}
