// SPDX-License-Identifier: Apache-2.0
// A sample third-party app, made of the public SDK alone: its users manage their orders in it. Each signs in at the app with a session of its own; a request
// becomes a signed call in that user's name, the user sees the result or why there is none, and what is kept of it is that user's.
//   node demo/app.mjs --settings FILE --users FILE --path /trade/orders/v1 --log FILE
// FILE of users: {"alice": {"session": "…", "grant": "…"}, …}. Prints its port. With `Authorization: Bearer SESSION`:
//   GET /orders?status=paid&limit=N   the user's orders, Sluice-Transaction, and in App-Kept the reference they are kept under
//   GET /kept/REFERENCE               the same once more, without asking the platform
//   GET, POST /consent, DELETE /consent/ID   what the app's own company collects: form, consent given, consent ended

import { createHash, timingSafeEqual } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { OwnConsents, Sluice, Vault, derived, loadSettings, renderConsent } from '../sdk/js/src/index.js';

const COLLECTS = { purpose: '发货提醒', items: ['联系邮箱'] };
const KEPT_MS = 600_000, BODY_MAX = 4096;

function options(args) {
  const o = Object.fromEntries(Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i].replace(/^--/, ''), args[2 * i + 1]]));
  for (const need of ['settings', 'users', 'path', 'log']) if (!o[need]) throw new Error(`--${need} is needed`);
  return o;
}

const same = (a, b) => timingSafeEqual(...[a, b].map((t) => createHash('sha256').update(t).digest()));
const send = (res, status, value, headers = {}) => res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }).end(JSON.stringify(value));

// Who asks is what the session says, never what the request says.
function userOf(req, users) {
  const session = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
  return session && Object.keys(users).find((name) => same(users[name].session, session));
}

async function form(req) {
  let text = '';
  for await (const part of req) if ((text += part).length > BODY_MAX) throw new RangeError('too long');
  return new URLSearchParams(text);
}

class App {
  constructor(o) {
    const settings = loadSettings(o.settings), key = settings.keys.storeKey();
    this.say = (what) => appendFileSync(o.log, `${new Date().toISOString()} ${what}\n`, { mode: 0o600 }); // what, never who or whose
    this.sluice = new Sluice({ ...settings, onAlert: (a) => this.say(`ALERT ${a.what} ${a.api} ${a.code ?? a.why}`) });
    this.kept = new Vault({ key: derived(key, 'kept'), folder: `${settings.data}/kept`, onRefused: () => this.say('REFUSED another user\'s data was asked for') });
    this.consents = new OwnConsents({ company: settings.company, vault: new Vault({ key: derived(key, 'consents'), folder: `${settings.data}/own-consents` }) });
    this.users = JSON.parse(readFileSync(o.users, 'utf8'));
    this.company = settings.company;
    this.path = o.path;
  }

  async orders(user, asked, res) {
    const limit = Number(asked.get('limit') ?? 10), status = asked.get('status');
    if (!Number.isInteger(limit) || limit < 1 || limit > 100 || (status && !/^[a-z]{1,20}$/.test(status))) return send(res, 400, { code: 'request', reason: '参数不正确 (limit 1…100, status)' });
    const a = await this.sluice.call(this.path, { user, grant: this.users[user].grant, lang: asked.get('lang') ?? 'zh', query: { limit, ...(status ? { status: `eq.${status}` } : {}) } });
    const reference = this.kept.session(user).put('orders', a.data, { class: a.noStore ? 'A2' : 'A1', ttlMs: KEPT_MS });
    this.say(`orders ${a.status} ${a.transaction}`);
    return send(res, 200, a.data, { 'sluice-transaction': a.transaction, 'app-kept': reference });
  }

  keptOnce(user, reference, res) {
    const rows = this.kept.session(user).open(reference);
    return rows === undefined ? send(res, 404, { code: 'gone' }) : send(res, 200, rows);
  }

  async consent(user, req, asked, res) {
    const lang = asked.get('lang') === 'en' ? 'en' : 'zh', page = renderConsent({ company: this.company, ...COLLECTS, lang, action: '/consent' });
    if (req.method === 'GET') return res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': 'default-src \'none\'; form-action \'self\'' }).end(`<!doctype html>${page.html}`);
    const given = await form(req);
    if (given.get('act') !== 'agree' || given.get('agree') !== 'yes') return send(res, 200, { consent: null });
    return send(res, 201, { consent: this.consents.record(user, { ...COLLECTS, lang, shown: page.shown, act: 'tick' }).id });
  }

  async serve(req, res) {
    const { pathname, searchParams } = new URL(req.url, 'http://app'), user = userOf(req, this.users), [, what, id] = pathname.split('/');
    if (!user) return send(res, 401, { code: 'session', reason: '请先登录 / sign in first' });
    if (pathname === '/orders' && req.method === 'GET') return this.orders(user, searchParams, res);
    if (what === 'kept' && req.method === 'GET') return this.keptOnce(user, id, res);
    if (pathname === '/consent' && ['GET', 'POST'].includes(req.method)) return this.consent(user, req, searchParams, res);
    if (what === 'consent' && id && req.method === 'DELETE') return send(res, 200, { ended: this.consents.end(user, id).ended_at });
    return send(res, 404, { code: 'unknown' });
  }

  // The user is told why, in words; nothing of how it runs behind.
  failed(e, req, res) {
    this.say(`FAILED ${e.kind ?? e.name} ${e.code ?? ''} ${e.transaction ?? ''}`);
    const status = e.code === 'not-this-users' ? 403 : e.kind === 'local' ? 429 : e.kind === 'network' || e.kind === 'integrity' ? 502 : e.status ?? 500;
    return send(res, status, { kind: e.kind ?? 'app', code: e.code ?? 'app', reason: e.problem ? e.message : e.kind ? e.text(/[?&]lang=en\b/.test(req.url) ? 'en' : 'zh') : '' }, { 'sluice-transaction': e.transaction ?? '' });
  }
}

function main(args) {
  const app = new App(options(args));
  const server = http.createServer((req, res) => { app.serve(req, res).catch((e) => app.failed(e, req, res)); });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

try { main(process.argv.slice(2)); } catch (e) { console.error(`app: ${e.message}`); process.exit(2); }
