// The job as members do it: from a new organization to a filed impression, every step by hands on the page.
// Started by web_flow.sh: CHOP_URL, CHOP_VAR, CHOP_BUILD; CHOP_SHOTS: a directory for pictures, or empty.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startBrowser } from './web_browser.mjs';

const { CHOP_URL: url, CHOP_VAR: dir, CHOP_BUILD: build, CHOP_SHOTS: shots } = process.env;
const run = promisify(execFile), printerDir = join(dir, 'printer'), paper = join(dir, 'paper');
const password = (account) => `correct-horse-${account}`;
const began = Date.now();

function said(what) {
  console.log(`${String(Date.now() - began).padStart(7)} ms  ${what}`);
}

async function look(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  for (const [width, height] of [[390, 844], [1280, 900]]) {
    await page.size(width, height);
    // A phone's window grows with what does not fit into it.
    const over = (await page.run(() => Math.max(document.documentElement.scrollWidth, innerWidth))) - width;
    assert.ok(over <= 0, `${name} is ${over} px too wide at ${width}`);
    await page.shot(join(shots, `${name}-${width}.png`));
  }
}

async function go(page, path) {
  await page.run((p) => { location.hash = `#/${p}`; }, path);
  await page.until(`the view ${path}`, () => document.querySelector('main').getAttribute('aria-busy') === null);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await page.until(`the view ${path}`, () => document.querySelector('main').getAttribute('aria-busy') === null);
}

async function signIn(page, account) {
  await page.open(`${url}/`);
  await page.fill({ organization: 'acme', account, password: password(account) });
  await page.press('登录');
  await page.sees('您好，');
}

async function dialogClosed(page) {
  await page.until('the dialog to close', () => !document.querySelector('dialog'));
}

async function byPassword(page, account) {
  await page.fill({ password: password(account) });
  await page.press('用密码确认');
  await dialogClosed(page);
}

async function byKey(page) {
  await page.press('用密钥签名确认');
  await dialogClosed(page);
}

async function addKey(page, account) {
  await go(page, 'account');
  await page.press('在本机添加密钥');
  await page.sees('身份认证');
  await byPassword(page, account);
  await page.sees('本机存有您的密钥');
}

async function createOrganization() {
  const answer = await fetch(`${url}/v1/organizations`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({
    operator_token: readFileSync(join(dir, 'secrets/operator'), 'utf8').trim(), name: '示例科技有限公司', slug: 'acme', admin_account: 'admin',
    admin_name: '赵敏', admin_password: password('admin'), admin_post: '行政主管' }) });
  assert.equal(answer.status, 200, await answer.text());
}

// ---- the admin ----

async function wrongPassword(page) {
  await page.open(`${url}/`);
  await look(page, 'sign-in');
  await page.fill({ organization: 'acme', account: 'admin', password: 'not-this-one' });
  await page.press('登录');
  await page.sees('认证失败或已过期');
}

async function addMembers(page) {
  for (const [account, name, post, role] of [['zhang', '张三', '业务员', 'user'], ['li', '李四', '总经理', 'manager'], ['wang', '王五', '审计主管', 'auditor']]) {
    await go(page, 'members');
    await page.fill({ account, name, post, password: password(account) });
    await page.run((wanted) => document.querySelectorAll('[name="role"]').forEach((c) => { c.checked = c.value === wanted; }), role);
    await page.press('继续');
    await page.sees('身份认证');
    if (account === 'zhang') await look(page, 'member-add');
    await byKey(page);
    await page.sees(name);
  }
}

async function makeSeal(page) {
  await go(page, 'seal/new');
  await page.fill({ name: '合同专用章', code: '3101150000017', kind: 'contract' });
  await page.press('预览');
  await page.until('the preview', () => document.querySelector('.picture img')?.naturalWidth > 100);
  await look(page, 'seal-new');
  await page.press('继续');
  await page.sees('身份认证');
  await byKey(page);
  await page.sees('草稿');
  await page.fill({ action: 'activate' });
  await page.press('继续');
  await byKey(page);
  await page.sees('有效');
  await page.until('the artwork', () => document.querySelector('svg.artwork path'));
  await look(page, 'seal');
}

async function enrolPrinter(page) {
  await go(page, 'printers');
  await page.fill({ name: '一号便携印章机' });
  await page.press('继续');
  await byKey(page);
  await page.sees('登记码');
  const [id, code] = await page.run(() => [...document.querySelectorAll('.facts code')].map((c) => c.innerText));
  await run(`${build}/bin/chop-printer`, ['--dir', printerDir, '--enrol', url, '--printer-id', id], { env: { ...process.env, CHOP_PRINTER_CODE: code } });
  mkdirSync(paper, { recursive: true });
  const child = spawn(`${build}/bin/chop-printer`, ['--dir', printerDir, '--output', 'page', '--out', paper, '--paper', join(dir, 'contract.pdf')], { stdio: 'ignore' });
  writeFileSync(join(dir, 'run/printer.pid'), String(child.pid)); // the stack's end ends it
  return child;
}

// ---- the user ----

async function pairTerminal(page) {
  await page.until('the printer online', async () => {
    const list = await (await fetch('/v1/printers?limit=10')).json();
    return list.printers?.[0]?.online;
  });
  await run(`${build}/bin/chop-printer`, ['--dir', printerDir, '--pair']);
  const code = readFileSync(join(printerDir, 'pairing-code'), 'utf8').trim();
  await go(page, 'printers');
  await page.press('配对');
  await page.fill({ code: `${code.slice(0, 4)} ${code.slice(4)}` });
  await page.run(() => document.querySelector('form button.main').click());
  await page.sees('已配对');
  await look(page, 'printers');
}

async function ask(page) {
  await go(page, 'request/new');
  await page.attach('file', join(dir, 'contract.pdf'));
  await page.sees('摘要 SHA-256');
  await page.fill({ title: '设备采购合同', number: 'HT-2026-017', counterparty: '上海某某机电有限公司', amount: '128,000.00 元', pages: 3, copies: 3, purpose: '采购设备，一式三份', upload: true });
  await look(page, 'request-new');
  await page.press('继续');
  await page.sees('身份认证');
  await page.sees('上海某某机电有限公司');
  await look(page, 'request-act');
  await byPassword(page, 'zhang');
  await page.sees('待处理');
  await go(page, 'requests');
  await look(page, 'requests');
}

async function print(page, count) {
  await go(page, 'grants');
  await page.press('设备采购合同');
  await page.sees('本次打印');
  await page.fill({ count });
  await page.run(() => [...document.querySelectorAll('form button.main')].find((b) => b.innerText === '打印').click());
  await page.sees('身份认证');
  await look(page, `print-act-${count}`);
  await byKey(page);
  await page.until('all printed', (n) => document.querySelectorAll('.progress .s-printed').length === n, count);
  await look(page, `printed-${count}`);
  const marks = await page.run(() => [...document.querySelectorAll('.progress code.mark')].map((c) => c.innerText.replaceAll(' ', '')));
  await page.press('关闭');
  await page.until('the grant again', () => !document.querySelector('.progress .card'));
  return marks;
}

// ---- the manager ----

async function decide(page) {
  await go(page, 'inbox');
  await look(page, 'inbox');
  await page.press('设备采购合同');
  await page.sees('下载并核对文件');
  await page.press('下载并核对文件');
  await page.sees('下载的文件与申请中的摘要一致');
  await page.fill({ copies: 2, reason: '同意，两份即可' });
  await look(page, 'decide');
  await page.press('批准');
  await page.sees('同意，两份即可');
  await look(page, 'decide-act');
  await byKey(page);
  await page.sees('已授权');
}

// ---- afterwards ----

async function verify(page, [token, serial, cipher]) {
  await page.open(`${url}/#/verify`);
  await page.fill({ mark: token.toLowerCase(), cipher, number: 'HT-2026-017' });
  await page.press('验证');
  await page.sees('真实');
  await look(page, 'verify');
  await page.fill({ mark: serial.slice(0, 15) + ((Number(serial[15]) + 1) % 10), cipher: '' });
  await page.press('验证');
  await page.sees('输入有误');
  await page.call('Page.navigate', { url: `${url}/V/${token}` });
  await page.sees('真实');
}

async function audit(page) {
  await page.until('all receipts', async () => {
    const list = await (await fetch('/v1/filings?limit=200')).json();
    return list.filings?.length >= 12 && list.filings.every((f) => f.state === 'receipted');
  });
  await go(page, 'audit');
  await page.sees('所示事实依次相接');
  await page.until('checked receipts', () => document.querySelectorAll('.s-good').length > 20 && !document.querySelector('.s-bad'));
  await look(page, 'audit');
}

async function english(page) {
  await go(page, '');
  await page.press('English');
  await page.sees('Hello, ');
  await look(page, 'home-english');
}

async function keySignIn(page) {
  await page.press('退出');
  await page.sees('使用本机密钥登录');
  await page.press('使用本机密钥登录');
  await page.sees('您好，');
}

// Over plain HTTP in a network: reading works, and the page says what does not.
async function insecure(page) {
  await page.open(url.replace('127.0.0.1', 'chop.test'));
  await page.sees('当前不是安全连接');
  await look(page, 'insecure');
  await page.fill({ organization: 'acme', account: 'zhang', password: password('zhang') });
  await page.press('登录');
  await page.sees('您好，');
  await go(page, 'requests');
  await page.sees('设备采购合同');
  await go(page, 'request/new');
  assert.equal(await page.run(() => document.querySelector('form')), null);
}

// The page must not go on when what comes back is not what was asked. Between page and gateway sits a liar.
async function lied(page) {
  await page.run(() => {
    const honest = window.fetch;
    window.fetch = async (path, init) => {
      if (path !== '/v1/acts' || !init.body) return honest(path, init);
      const body = JSON.parse(init.body);
      if (body.cancel) body.cancel.reason = 'something else';
      return honest(path, { ...init, body: JSON.stringify(body) });
    };
  });
  await page.fill({ reason: '不再需要' });
  await page.run(() => [...document.querySelectorAll('form button.main')].find((b) => b.innerText === '取消授权').click());
  await page.sees('返回的内容与您填写的不同');
  assert.equal(await page.run(() => document.querySelector('dialog')), null);
  await page.run(() => location.reload());
  await page.until('the grant again', () => document.querySelector('[name="reason"]')?.value === '');
}

const browser = await startBrowser();
let failed = null;
const pages = {};
try {
  await createOrganization();
  for (const name of ['admin', 'zhang', 'li', 'wang', 'anyone']) pages[name] = await browser.newPage();
  const { admin, zhang, li, wang, anyone } = pages;
  await wrongPassword(admin);
  await signIn(admin, 'admin');
  await addKey(admin, 'admin');
  await look(admin, 'account');
  said('the admin signed in and added a key');
  await addMembers(admin);
  await look(admin, 'members');
  said('the admin added three members');
  await makeSeal(admin);
  said('the admin made a seal and put it into use');
  await enrolPrinter(admin);
  await signIn(zhang, 'zhang');
  await look(zhang, 'home');
  await addKey(zhang, 'zhang');
  await pairTerminal(zhang);
  said('a printer was enrolled and paired with the user\'s terminal');
  await ask(zhang);
  said('the user asked for three impressions');
  await signIn(li, 'li');
  await addKey(li, 'li');
  await decide(li);
  said('the manager approved two');
  const marks = await print(zhang, 1);
  said(`one printed: ${marks.join(' ')}`);
  await lied(zhang);
  said('an act that shows something else than was asked for is refused');
  await print(zhang, 1);
  said('and the other');
  await verify(anyone, marks);
  said('its marks verify');
  await keySignIn(zhang);
  await insecure(anyone);
  said('the user signed in by key; without a secure context the page reads only');
  await signIn(wang, 'wang');
  await audit(wang);
  said('the auditor\'s page checked facts and receipts');
  await english(wang);
  await pages.zhang.call('Page.navigate', { url: `${url}/` });
  await zhang.sees('您好，');
  for (const [name, page] of Object.entries(pages)) assert.deepEqual(page.complaints, [], `${name}: the console`);
} catch (error) {
  failed = error;
  for (const [name, page] of Object.entries(pages)) {
    if (shots) await page.shot(join(shots, `failed-${name}.png`)).catch(() => {});
    if (page.complaints.length) console.error(name, page.complaints);
  }
}
await browser.stop();
if (failed) console.error(failed);
else said('done');
process.exit(failed ? 1 : 0); // the printer goes on until the stack ends
