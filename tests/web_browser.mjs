// A headless Chromium over its DevTools pipe (file descriptors 3 and 4, messages ended by NUL): no port, no library.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PATIENCE_MS = 20000;

class Pipe {
  constructor(child) {
    this.out = child.stdio[3];
    this.next = 1;
    this.waiting = new Map();
    this.listeners = [];
    let rest = '';
    child.stdio[4].setEncoding('utf8').on('data', (text) => {
      const parts = (rest + text).split('\0');
      rest = parts.pop();
      for (const part of parts) this.take(JSON.parse(part));
    });
  }
  take(message) {
    const waiter = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (!waiter) return this.listeners.forEach((l) => l(message));
    if (message.error) waiter.reject(new Error(message.error.message));
    else waiter.resolve(message.result);
  }
  call(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    this.out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }
}

const STEADY = '*, *::before, *::after { transition: none !important; animation: none !important; caret-color: transparent !important; }';

export class Page {
  constructor(pipe, session) {
    Object.assign(this, { pipe, session, complaints: [] });
    pipe.listeners.push((m) => m.sessionId === session && this.note(m));
  }
  note({ method, params }) {
    if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.complaints.push(params.args.map((a) => a.description ?? a.value).join(' '));
    // Without a secure context a browser says that it ignores the header; the page says more.
    const expected = /^The Cross-Origin-Opener-Policy header has been ignored/.test(params.entry?.text);
    if (method === 'Log.entryAdded' && params.entry.level === 'error' && params.entry.source !== 'network' && !expected) this.complaints.push(params.entry.text);
    if (method === 'Page.javascriptDialogOpening') this.call('Page.handleJavaScriptDialog', { accept: true, promptText: this.answer ?? '' });
  }
  call(method, params) {
    return this.pipe.call(method, params, this.session);
  }
  // Runs a function in the page; arguments and result as JSON.
  async run(fn, ...args) {
    const expression = `(${fn})(...${JSON.stringify(args)})`;
    const reply = await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (reply.exceptionDetails) throw new Error(reply.exceptionDetails.exception?.description ?? reply.exceptionDetails.text);
    return reply.result.value;
  }
  async until(what, fn, ...args) {
    for (const end = Date.now() + PATIENCE_MS; ;) {
      const value = await this.run(fn, ...args).catch(() => undefined);
      if (value) return value;
      if (Date.now() > end) throw new Error(`not seen in time: ${what}\n${await this.run(() => document.body.innerText)}`);
      await new Promise((r) => setTimeout(r, 50));
    }
  }
  async open(url) {
    await this.call('Page.navigate', { url });
    await this.until(url, () => document.readyState === 'complete' && document.querySelector('main')?.getAttribute('aria-busy') === null);
  }
  // Waits until a text stands in the page or the topmost dialog.
  sees(text) {
    return this.until(text, (wanted) => (document.querySelector('dialog') ?? document.body).innerText.includes(wanted), text);
  }
  // Types into the control of a name; of the topmost dialog if one is open.
  async fill(fields) {
    for (const [name, value] of Object.entries(fields)) {
      await this.until(`the field ${name}`, (n, v) => {
        const all = [...(document.querySelector('dialog') ?? document).querySelectorAll(`[name="${n}"]`)].filter((c) => !c.hidden);
        const control = all.find((c) => c.type === 'checkbox' && c.value === v) ?? all[0];
        if (!control) return false;
        if (control.type === 'checkbox') control.checked = v !== false;
        else control.value = v;
        control.dispatchEvent(new Event('input', { bubbles: true }));
        control.dispatchEvent(new Event('change', { bubbles: true }));
        return true;
      }, name, value);
    }
  }
  async attach(name, path) {
    const found = await this.until(`the field ${name}`, (n) => document.querySelector(`[name="${n}"]`) !== null, name);
    if (!found) throw new Error(`no field ${name}`);
    const { result } = await this.call('Runtime.evaluate', { expression: `document.querySelector('[name="${name}"]')` });
    await this.call('DOM.setFileInputFiles', { files: [path], objectId: result.objectId });
  }
  // Presses a button or link by its text; of the topmost dialog if one is open.
  press(text) {
    return this.until(`the button ${text}`, (wanted) => {
      const within = document.querySelector('dialog') ?? document;
      const found = [...within.querySelectorAll('button, a')].find((b) => b.innerText.trim() === wanted && !b.disabled);
      found?.click();
      return Boolean(found);
    }, text);
  }
  async size(width, height) {
    await this.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 700 });
  }
  async shot(path) {
    await this.run((css) => {
      if (!document.adoptedStyleSheets.length) {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        document.adoptedStyleSheets = [sheet];
      }
    }, STEADY);
    const full = await this.run(() => Math.min(6000, document.querySelector('dialog') ? innerHeight : document.documentElement.scrollHeight));
    const clip = { x: 0, y: 0, width: await this.run(() => innerWidth), height: full, scale: 1 };
    const { data } = await this.call('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
    writeFileSync(path, Buffer.from(data, 'base64'));
  }
}

export async function startBrowser() {
  const profile = mkdtempSync(join(tmpdir(), 'chop-browser-'));
  const child = spawn(process.env.CHOP_CHROMIUM ?? 'chromium', ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
    '--no-first-run', '--disable-background-networking', '--disable-component-update', '--remote-debugging-pipe', `--user-data-dir=${profile}`,
    '--lang=zh-CN', '--host-resolver-rules=MAP *.test 127.0.0.1', // a name that is no secure context
    'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const pipe = new Pipe(child);
  // Each member has a browser of its own: other cookies, other keys.
  const newPage = async () => {
    const { browserContextId } = await pipe.call('Target.createBrowserContext');
    const { targetId } = await pipe.call('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await pipe.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(pipe, sessionId);
    for (const domain of ['Page', 'Runtime', 'Log', 'DOM']) await page.call(`${domain}.enable`);
    await page.size(1280, 900);
    return page;
  };
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    pipe.call('Browser.close').catch(() => {});
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  return { newPage, stop };
}
