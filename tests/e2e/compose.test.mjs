// SPDX-License-Identifier: Apache-2.0
// A service made of several (服务编排): two business units' own APIs and a dataset behind one address, each part
// decided, masked and recorded as a call of the same app.

import assert from 'node:assert/strict';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const MASTER = randomBytes(32); // the link key, whose sub-keys the test signs with
let p;
let world;
let unit; // the business unit behind /left/v1 and /right/v1
let subscriptions;
let lefts; // the API /left/v1
const scalar = (at, level = 1) => ({ path: at, name: at, level, type: 'scalar', mask: '' });
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const becomes = (target, wanted, what, more) => until(async () => { const a = await call(target, more); return wanted(a) && a; }, { what });
const code = (wanted) => (a) => a.json?.code === wanted;
const served = (a) => a.status === 200;

// Answers after ?ms=; /fail answers 503 twice and then as all others.
async function startUnit() {
  const seen = [];
  let open = 0;
  let most = 0;
  let failures = 2;
  const server = http.createServer((req, res) => {
    const url = new URL(req.url, 'http://unit');
    const parts = [];
    open += 1;
    most = Math.max(most, open);
    req.on('data', (d) => parts.push(d)).on('end', () => setTimeout(() => {
      open -= 1;
      seen.push({ url: req.url, headers: req.headers, body: Buffer.concat(parts).toString() });
      const failed = url.pathname.endsWith('/fail') && failures-- > 0;
      res.writeHead(failed ? 503 : 200, { 'content-type': 'application/json' });
      res.end(failed ? '{}' : JSON.stringify({ id: url.pathname.split('/').at(-1), phone: '13812345678', secret: 's3cret', items: [{ id: 'I1' }] }));
    }, Number(url.searchParams.get('ms') ?? 0)));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { seen, most: () => most, url: `http://127.0.0.1:${server.address().port}/base`, close: () => { server.closeAllConnections(); server.close(); } };
}

async function composed(name, graph, fields, { subscribe = true, ...more } = {}) {
  const api = await world.provider.post('/apis', { name, version: 'v1', path: `/${name}/v1`, kind: 'composed', class: 'A1', access: 'subscription', methods: ['GET'],
    timeout_ms: 3000, max_body_bytes: 65536, title: name, fields: fields.map((f) => (typeof f === 'string' ? scalar(f) : f)), ...more });
  const made = await world.provider.post('/compositions', { api_id: api.id, graph });
  await world.provider.act('apis', api.id, 'publish');
  if (subscribe) await w.subscription(world, world.app, api.id);
  return { api: api.id, composition: made };
}

const LEFT = { name: 'left', api: '/left/v1', path: '/l', query: { ms: '{/request/query/ms}' } };
const RIGHT = { name: 'right', api: '/right/v1', path: '/r', query: { ms: '{/request/query/ms}' } };
const ORDERS = { name: 'orders', api: '/trade/orders/v1', query: { select: 'order_id,buyer_phone,merchant_id', limit: '1' } };
const DETAIL = { name: 'detail', api: '/right/v1', path: '/{/steps/orders/body/0/order_id}' };
const body = (step, more = '') => ({ $ref: `/steps/${step}/body${more}` });

before(async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-'));
  mkdirSync(path.join(dir, 'data/keys'), { recursive: true });
  writeFileSync(path.join(dir, 'data/keys/link.key'), MASTER, { mode: 0o600 }); // plain, from before there was a key store: sealed at the start
  p = await Platform.start({ dir });
  world = await w.trading(p);
  unit = await startUnit();
  subscriptions = {};
  for (const name of ['left', 'right']) {
    const api = await w.httpApi(world, name, unit.url);
    subscriptions[name] = await w.subscription(world, world.app, api);
    if (name === 'left') lefts = api;
  }
  await until(async () => served(await call('/left/v1/x')) && served(await call('/right/v1/x')), { ms: 10000, what: 'the parts' });
});
after(async () => { unit?.close(); await p?.stop(); });

test('[SW-8.3.4-orchestrate, SW-8.3.4-base, BK-8c1] two services and a dataset are one API: in parallel, in order, mapped', async () => {
  const { api } = await composed('whole', { deadline_ms: 2500, steps: [LEFT, RIGHT, ORDERS, DETAIL],
    output: { left: body('left'), right: body('right'), order: body('orders', '/0'), detail: body('detail'), kind: 'whole' } },
  ['left.id', 'left.phone', 'left.secret', 'right.id', 'order.order_id', 'order.buyer_phone', 'order.merchant_id', 'detail.id', 'kind'].map((f) => scalar(f, f === 'kind' ? 1 : 2)), { owner_scoped: true });
  const grant = (await w.grant(world, world.app, api)).id;
  await becomes('/whole/v1', served, 'the composed API', { grant });
  const began = Date.now();
  const answer = await call('/whole/v1?ms=700', { grant });
  const took = Date.now() - began;
  assert.equal(answer.status, 200, answer.text);
  assert.ok(took >= 700 && took < 1400, `${took} ms: both parts take 700, so they ran side by side`);
  assert.ok(unit.most() >= 2);
  const { left, right, order, detail, kind } = answer.json;
  assert.deepEqual([left.id, right.id, kind], ['l', 'r', 'whole']);
  assert.equal(detail.id, order.order_id, 'the second step asks for what the first gave');
  assert.equal(order.merchant_id, 'M00001', 'rows of the grant\'s owner');
  assert.match(left.phone, /^138\*+5678$/, 'the part\'s mask');
  assert.match(order.buyer_phone, /\*/);
  assert.ok(!('secret' in left), 'what the part does not give the whole cannot');

  const all = records(p);
  const parts = all.filter((r) => r.target?.startsWith(`part of ${answer.txn} `));
  assert.deepEqual(parts.map((r) => r.target.split(' ')[3].split('?')[0]).sort(), [`/left/v1/l`, `/right/v1/${order.order_id}`, '/right/v1/r', '/trade/orders/v1'].sort());
  for (const r of parts) assert.deepEqual([r.app, r.credential, r.client, r.status], [world.app, world.key.id, '127.0.0.1', 200], JSON.stringify(r));
  assert.equal(parts.find((r) => r.api === world.api).owner, 'M00001');
  const asked = unit.seen.filter((s) => s.headers.traceparent?.split('-')[1] === answer.txn.replaceAll('-', ''));
  assert.equal(asked.length, 3, 'all parts carry one trace');
  for (const s of asked) assert.deepEqual([s.headers['sluice-inner'], s.headers['sluice-app']], [undefined, world.app]);
  verified(p);
});

test('[SW-8.3.4-orchestrate] a part that fails ends the whole, gives null or gives what is declared, as its step says', async () => {
  const steps = (on) => [{ ...LEFT, on_failure: on }, { ...RIGHT, when: '/request/query/right' }];
  const output = { left: body('left'), right: { $ref: '/steps/right/body', default: 'not asked' }, status: { $ref: '/steps/left/status' } };
  const fields = ['left', 'left.id', 'right', 'right.id', 'status'];
  await composed('strict', { steps: steps('fail'), output }, fields);
  await composed('lenient', { steps: steps('null'), output }, fields);
  await composed('declared', { steps: steps({ default: { id: 'none' } }), output }, fields);
  for (const name of ['strict', 'lenient', 'declared']) await becomes(`/${name}/v1`, served, name);
  assert.deepEqual((await call('/strict/v1')).json, { left: { id: 'l' }, right: 'not asked', status: 200 });
  assert.equal((await call('/strict/v1?right=1')).json.right.id, 'r');

  await world.developer.act('subscriptions', subscriptions.left, 'cancel'); // the part is taken from the app
  const failed = await becomes('/strict/v1', code('composition-failed'), 'the refusal');
  refused(failed, 502, 'composition-failed');
  assert.deepEqual([failed.json.detail, failed.json.where], ['subscription-missing', '/steps/left']);
  assert.deepEqual((await call('/lenient/v1')).json, { left: null, right: 'not asked', status: 403 });
  assert.deepEqual((await call('/declared/v1')).json, { left: { id: 'none' }, right: 'not asked', status: 403 });
  subscriptions.left = await w.subscription(world, world.app, lefts);
  await becomes('/strict/v1', served, 'the part, subscribed again');
});

test('[SW-8.3.4-orchestrate, SW-8.3.4-timeout] one deadline holds for all steps; a step may have a shorter time', async () => {
  await composed('timed', { deadline_ms: 600, steps: [LEFT, { ...RIGHT, after: ['left'] }], output: { left: body('left') } }, ['left.id']);
  await composed('patient', { steps: [{ ...LEFT, timeout_ms: 300, on_failure: 'null' }, { ...RIGHT, query: {} }], output: { left: body('left'), right: body('right') } }, ['left', 'left.id', 'right.id']);
  await becomes('/timed/v1', served, 'the API');
  await becomes('/patient/v1', served, 'the API');
  for (const ms of [400, 1200]) { // too long together; too long alone
    const began = Date.now();
    refused(await call(`/timed/v1?ms=${ms}`), 504, 'composition-timeout');
    assert.ok(Date.now() - began < 1100, `${Date.now() - began} ms`);
  }
  assert.deepEqual((await call('/patient/v1?ms=1000')).json, { left: null, right: { id: 'r' } });
});

test('[SW-8.3.4-orchestrate] a body is mapped; a GET is tried again, and values stay values', async () => {
  const { api: mapped } = await composed('mapped', { steps: [{ name: 'left', api: '/left/v1', path: '/{/request/path/0}', method: 'POST',
    body: { wanted: { $ref: '/request/body/list' }, note: { $text: 'for {/request/query/who}' }, gone: { $ref: '/request/body/none' } } }],
  output: body('left') }, ['id'], { methods: ['POST'], query: true });
  await composed('again', { steps: [{ name: 'right', api: '/right/v1', path: '/fail', retries: 2 }], output: body('right') }, ['id']);
  const post = (key, at = 'a%20%3Fb%23') => call(`/mapped/v1/${at}?who=me%26x`, { key, method: 'POST', body: JSON.stringify({ list: [1, { a: 0.1 }] }) });
  const weak = await until(async () => { const a = await post(world.key); return a.json?.detail && a; }, { what: 'the API' });
  assert.deepEqual([weak.json.code, weak.json.detail], ['composition-failed', 'environment-too-low'], 'a part that may write is judged as one');

  const app = await w.admittedApp(world, 'Controlled', 'controlled');
  const key = await w.credential(world, app);
  for (const api of [mapped, lefts]) await w.subscription(world, app, api);
  const answer = await until(async () => { const a = await post(key); return served(a) && a; }, { what: 'the controlled app' });
  assert.deepEqual(answer.json, { id: 'a%20%3Fb%23' });
  refused(await post(key, 'a%2F..%2Fb'), 502, 'composition-failed'); // it would be another path
  const got = unit.seen.findLast((s) => s.body.includes('wanted'));
  assert.deepEqual([JSON.parse(got.body), got.body.includes('0.1}')], [{ wanted: [1, { a: 0.1 }], note: 'for me&x' }, true]);
  assert.equal((await becomes('/again/v1', served, 'the third try')).json.id, 'fail');
});

test('[EC-4.3.2a] the inner listener takes parts alone, and what is said there is worth nothing outside', async () => {
  const inner = path.join(p.data, 'gateway/inner.sock');
  const at = (headers) => new Promise((resolve, reject) => {
    http.get({ socketPath: inner, path: '/left/v1/x', headers }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; }).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text, json: JSON.parse(text), txn: res.headers['sluice-transaction'] }));
    }).on('error', reject);
  });
  const signed = sign(world.key, { method: 'GET', url: `${p.gateway}/left/v1/x`, headers: {} });
  refused(await at({}), 403, 'link-refused');
  refused(await at(signed), 403, 'link-refused');
  refused(await at({ 'sluice-inner': `${'A'.repeat(180)}.${'A'.repeat(43)}` }), 403, 'link-refused');
  refused(await at({ 'sluice-inner': '' }), 403, 'link-refused');
  for (const name of ['sluice-inner', 'Sluice-Ticket', 'sluice-call']) refused(await call('/left/v1/x', { headers: { [name]: 'x' } }), 400, 'request-malformed');
});

// A word as the data service makes one, with the platform's own link key.
function word(target, more = {}) {
  const master = MASTER;
  const id = (text) => Buffer.from((text ?? '0'.repeat(32)).replaceAll('-', ''), 'hex');
  const issued = Buffer.alloc(8);
  issued.writeBigUInt64BE(BigInt(more.issued ?? Date.now()));
  const payload = Buffer.concat([Buffer.from([3]), issued, ...[randomUUID(), randomUUID(), more.app ?? world.app, world.key.id, randomUUID(), undefined, undefined].map(id),
    Buffer.from([1, 0, 4, 203, 0, 113, 9]), Buffer.alloc(12), Buffer.from([0])]);
  const sm3 = (key, ...parts) => parts.reduce((h, part) => h.update(part), createHmac('sm3', key)).digest();
  const mac = sm3(sm3(master, 'link.inner'), payload, Buffer.from([3]), 'GET', Buffer.from([0]), target);
  return `${payload.toString('base64url')}.${mac.toString('base64url')}`;
}

test('[EC-4.3.2a] a word is good once, for seconds, for one request and one app', async () => {
  const at = (target, text) => new Promise((resolve, reject) => {
    http.get({ socketPath: path.join(p.data, 'gateway/inner.sock'), path: target, headers: { 'sluice-inner': text } }, (res) => {
      let answer = '';
      res.on('data', (d) => { answer += d; }).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: answer, json: JSON.parse(answer), txn: res.headers['sluice-transaction'] }));
    }).on('error', reject);
  });
  const good = word('/left/v1/once');
  const first = await at('/left/v1/once', good);
  assert.equal(first.status, 200, first.text);
  assert.equal(records(p).find((r) => r.transaction === first.txn).client, '203.0.113.9');
  refused(await at('/left/v1/once', good), 403, 'link-refused');
  refused(await at('/left/v1/other', word('/left/v1/once')), 403, 'link-refused');
  refused(await at('/left/v1/once', word('/left/v1/once', { issued: Date.now() - 11000 })), 403, 'link-refused');
  refused(await at('/left/v1/once', word('/left/v1/once', { app: randomUUID() })), 403, 'link-refused');
  refused(await call('/left/v1/once', { headers: { 'sluice-inner': word('/left/v1/once') } }), 400, 'request-malformed');
});

test('[SW-8.3.4-orchestrate] a composed API may be a part of another, and no deeper, and never of itself', async () => {
  const over = (name, part) => composed(name, { steps: [{ name: 'part', api: part }], output: body('part') }, ['id']);
  await over('one', '/left/v1');
  await over('two', '/one/v1');
  await over('three', '/two/v1');
  await over('self', '/self/v1');
  await becomes('/one/v1', served, 'one');
  assert.equal((await becomes('/two/v1', served, 'two')).json.id, 'base');
  for (const name of ['three', 'self']) {
    const answer = await becomes(`/${name}/v1`, code('composition-failed'), name);
    assert.equal(answer.json.detail, 'composition-failed');
  }
});

test('[SW-8.3.4-control] a composition is checked when it is edited, and a change is live at once', async () => {
  const { composition } = await composed('edited', { steps: [LEFT], output: { v: 1 } }, ['v']);
  assert.equal((await becomes('/edited/v1', served, 'the first')).json.v, 1);
  const graphs = { '/graph/steps/0': { steps: [{ ...LEFT, url: 'http://x' }], output: {} }, '/graph/output': { steps: [LEFT], output: { $ref: '/steps/none/body' } },
    '/graph/steps/0/headers': { steps: [{ ...LEFT, headers: { 'sluice-inner': 'x' } }], output: {} } };
  for (const [where, graph] of Object.entries(graphs)) {
    const now = await world.provider.get(`/compositions/${composition.id}`);
    await restRefuses(world.provider.patch(`/compositions/${composition.id}`, { graph }, now.revision), 'field-invalid', where);
  }
  await world.provider.patch(`/compositions/${composition.id}`, { graph: { steps: [LEFT], output: { v: 2 } } }, composition.revision);
  await becomes('/edited/v1', (a) => a.json?.v === 2, 'the second');
});

test('[SW-8.3.4-orchestrate] many composed calls at once do not wait for each other\'s threads', async () => {
  const before_ = Date.now();
  const answers = await Promise.all(Array.from({ length: 24 }, () => call('/patient/v1?ms=1')));
  assert.deepEqual([...new Set(answers.map((a) => a.status))], [200], answers.find((a) => a.status !== 200)?.text);
  assert.ok(Date.now() - before_ < 3000);
});

test('[BK-A-2] an internal API is a part of composed ones and to the outside does not exist', async () => {
  const inside = await w.httpApi(world, 'inside', unit.url, { type: `internal` });
  const { api } = await composed('outside', { deadline_ms: 2500, steps: [{ ...LEFT, name: 'inside', api: '/inside/v1', query: {} }], output: { id: body('inside', '/id') } },
    ['id'], { subscribe: false });
  await restRefuses(world.operator.post('/subscriptions', { app_id: world.app, api_id: inside, purpose: 'none', max_level: 1 }), 'not-permitted', '/api_id');
  const { organisation_id } = await world.provider.get(`/apis/${inside}`);
  const own = (await world.admin.post('/apps', { name: 'The unit\'s own', organisation_id, environment: 'monitored' })).id;
  await world.operator.act('apps', own, 'admit');
  const key = await world.admin.post('/credentials', { app_id: own, algorithm: 'hmac-sm3' });
  for (const to of [inside, api]) {
    const s = await world.admin.post('/subscriptions', { app_id: own, api_id: to, purpose: 'its own work', max_level: 2 });
    await world.operator.act('subscriptions', s.id, 'approve');
  }
  assert.deepEqual((await becomes('/outside/v1', served, 'the composed API', { key })).json, { id: 'l' });
  refused(await call('/inside/v1/l', { key }), 404, 'route-unknown');
});
