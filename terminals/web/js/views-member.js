// Members, for admins: adding one, changing roles and post, leaving.
import * as api from './api.js';
import { runAct } from './act-dialog.js';
import { button, card, check, el, field, form, group, page, state, table } from './dom.js';
import { t } from './i18n.js';
import { reload } from './navigate.js';

const ROLES = ['user', 'manager', 'admin', 'auditor'];

function roleFields(chosen = []) {
  return group(t('f.roles'), el('p', { class: 'faint' }, t('roles.hint')),
    ROLES.map((role) => check(t(`v.${role}`), 'role', { value: role, checked: chosen.includes(role) })));
}

function addCard() {
  return card(t('kind.member-add'), form([
    el('div', { class: 'row' }, field(t('account'), 'account', { required: true, maxlength: 64, autocapitalize: 'none', autocomplete: 'off' }),
      field(t('f.name'), 'name', { required: true, maxlength: 30, autocomplete: 'off' }), field(t('f.post'), 'post', { maxlength: 30 })),
    roleFields(['user']),
    field(t('member.password'), 'password', { type: 'password', required: true, minlength: 8, maxlength: 256, autocomplete: 'new-password' }, t('member.password.hint')),
  ], t('continue'), async (data) => {
    const params = { account: data.get('account').trim().toLowerCase(), name: data.get('name').trim(), post: data.get('post').trim(),
      roles: data.getAll('role'), password: data.get('password') };
    if (await runAct('identity', 'member_add', params)) reload();
  }));
}

function changeForm(m) {
  return form([roleFields(m.roles), field(t('f.post'), 'post', { maxlength: 30, value: m.post ?? '' }), el('p', { class: 'faint' }, t('member.leave.hint'))],
    t('continue'), async (data) => {
      if (await runAct('identity', 'member_roles', { member_id: m.member_id, roles: data.getAll('role'), post: data.get('post').trim() })) reload();
    });
}

export async function membersView() {
  const members = await api.listAll('/v1/members', 'members', {}, (m) => m.member_id);
  const place = el('div', { 'aria-live': 'polite' });
  const change = (m) => () => {
    place.replaceChildren(card(`${t('kind.member-roles')}：${m.name}`, changeForm(m)));
    place.scrollIntoView({ block: 'nearest' });
  };
  const rows = members.map((m) => [m.name, m.post ?? '', m.account ? el('code', {}, m.account) : '', (m.roles ?? []).map((r) => [state(r), ' ']), state(m.state),
    m.state === 'left' ? '' : button(t('change'), change(m))]);
  return page(t('nav.members'), card('', table([t('f.name'), t('f.post'), t('account'), t('f.roles'), t('state'), ''], rows)), place, addCard());
}
