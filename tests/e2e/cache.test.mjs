// SPDX-License-Identifier: Apache-2.0
// Answers kept for a while: shared before the mask, never across owners, never past a revocation.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
let other; // an app that may read less
let n = 0;
const asked = {}; // how often, by path
const inShm = () => (existsSync('/dev/shm') ? readdirSync('/dev/shm').filter((f) => f.startsWith('sluice-')) : []);

function answer(req, res) {
  asked[req.url] = (asked[req.url] ?? 0) + 1;
  const headers = { 'content-type': 'application/json' };
  let body = JSON.stringify({ id: `A${n += 1}`, phone: '13812345678', secret: req.headers['sluice-owner'] ?? '' });
  if (/nostore/.test(req.url)) headers['cache-control'] = 'no-store';
  if (/cookie/.test(req.url)) headers['set-cookie'] = 'a=b';
  if (/broken/.test(req.url)) body = '{"id": "A1", ';
  if (/big/.test(req.url)) body = JSON.stringify({ id: `A${n}`, items: Array.from({ length: 1500 }, () => ({ id: 'x'.repeat(1000) })) });
  if (/error/.test(req.url)) return void res.writeHead(500, headers).end('{}');
  setTimeout(() => res.writeHead(200, headers).end(body), /slow/.test(req.url) ? 400 : 0);
}

const metrics = () => new Promise((resolve, reject) => http.get({ socketPath: `${p.data}/gateway/ops.sock`, path: '/metrics' }, (res) => {
  let text = '';
  res.on('data', (d) => { text += d; }).on('end', () => resolve(text));
}).on('error', reject));
const get = (target, more = {}) => p.call(`/kept/v1/${target}`, { key: world.key, ...more });
const times = (target) => asked[`/base/${target}`] ?? 0;

async function twice(target, more) {
  const answers = [await get(target, more), await get(target, more)];
  return [times(target), ...answers];
}

before(async () => {
  p = await Platform.start();
  upstream = http.createServer(answer);
  await new Promise((done) => upstream.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${upstream.address().port}/base`;
  world = await w.people(p, 'controlled');
  world.api = await w.httpApi(world, 'kept', url, { cache_ms: 3000, timeout_ms: 5000 });
  world.subscription = await w.subscription(world, world.app, world.api);
  const app = await w.admittedApp(world, 'Reader', 'controlled');
  other = { key: await w.credential(world, app), subscription: await w.subscription(world, app, world.api, { fields: ['phone'] }) };
  await until(async () => (await get('start')).status === 200 && (await get('start', { key: other.key })).status === 200, { ms: 10000, what: 'the API' });
});
after(async () => {
  upstream?.closeAllConnections();
  upstream?.close();
  await p?.stop();
});

test('[SW-6-cache, SW-8.3.4-cache] a second identical call is answered from the cache, says its age, and both are counted', async () => {
  const [asks, first, second] = await twice('same');
  assert.equal(asks, 1, second.text);
  assert.deepEqual([second.status, second.json], [200, first.json]);
  assert.deepEqual([first.headers.age, Number(second.headers.age) >= 0], [undefined, true]);
  assert.equal((await twice('same?x=1'))[0], 1, 'another query is another answer');
  const hits = /sluice_api_cached_total\{[^}]*"kept"[^}]*\} (\d+)/.exec(await metrics())?.[1];
  assert.ok(Number(hits) >= 2, hits);
});

test('[SW-6-cache] callers with different masks share what the upstream said and each gets its own fields', async () => {
  const [mine, theirs] = [await get('masks'), await get('masks', { key: other.key })];
  assert.equal(times('masks'), 1);
  assert.deepEqual([Object.keys(mine.json), Object.keys(theirs.json)], [['id', 'phone'], ['phone']]);
  assert.equal(mine.json.phone, '138****5678');
});

test('[SW-8.3.4-cache] 100 identical calls at once ask the upstream once', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => get('slow')));
  assert.deepEqual([...new Set(answers.map((a) => `${a.status} ${a.json?.id}`))].length, 1, answers.map((a) => a.status).join());
  assert.equal(times('slow'), 1);
});

test('[SW-6-cache] a kept answer ends by itself, in its time and not later', async () => {
  const first = await get('ends');
  const began = Date.now();
  await until(async () => (await get('ends')).json.id !== first.json.id, { ms: 6000, what: 'another answer' });
  assert.ok(Date.now() - began < 3400, `${Date.now() - began} ms`);
  assert.equal(times('ends'), 2);
});

for (const [target, what] of [['nostore', 'what its upstream says not to keep'], ['cookie', 'an answer with a cookie'], ['broken', 'an answer nobody can read'],
  ['error', 'an error'], ['big', 'an answer above 1 MB']]) {
  test(`[SW-6-cache] not kept: ${what}`, async () => assert.equal((await twice(target))[0], 2));
}

test('[SW-6-cache] not kept: a call with a range or a condition, nor a write', async () => {
  assert.equal((await twice('range', { headers: { range: 'items=0-1' } }))[0], 2);
  assert.equal((await twice('post', { method: 'POST', body: '{}' }))[0], 2);
});

test('[SW-6-cache] what is negotiated is told apart', async () => {
  await get('language', { headers: { 'accept-language': 'zh' } });
  await get('language', { headers: { 'accept-language': 'en' } });
  assert.equal(times('language'), 2);
});

test('[SW-6-cache] emptied by hand when the data changed', async () => {
  await get('purge');
  await world.provider.act('apis', world.api, 'purge');
  await until(async () => { await get('purge'); return times('purge') === 2; }, { ms: 2000, what: 'a new answer' });
});

test('[SW-8.3.4-cache] nothing is served after the right to it is revoked', async () => {
  assert.equal((await get('revoked', { key: other.key })).status, 200);
  await world.operator.act('subscriptions', other.subscription, 'suspend').catch(() => world.operator.act('subscriptions', other.subscription, 'revoke'));
  await until(async () => (await get('revoked', { key: other.key })).status === 403, { ms: 2000, what: 'the refusal' });
  assert.equal((await get('revoked')).status, 200);
});

test('[SW-6-cache] datasets: never across owners, not after a revocation', async () => {
  const q = '/trade/orders/v1?select=order_id,merchant_id&limit=3';
  const trade = await orders();
  const read = (g) => p.call(q, { key: world.key, grant: g });
  const [a, b] = [await read(trade.one), await read(trade.two)];
  const again = await read(trade.one);
  assert.deepEqual([a.status, b.status], [200, 200], a.text + b.text);
  assert.ok(again.headers.age !== undefined && again.text === a.text, 'the second is from the cache');
  assert.ok(a.json.every((r) => r.merchant_id === 'M00001') && b.json.every((r) => r.merchant_id === 'M00002'), a.text + b.text);
  await world.owner.act('grants', trade.one, 'revoke');
  await until(async () => (await read(trade.one)).status === 403, { ms: 2000, what: 'the refusal' });
});

async function orders() {
  const file = await w.ordersDatabase(p.dir, 200);
  const source = await world.provider.post('/sources', { name: 'orders', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'orders', source_id: source.id, table: 'orders', owner_column: 'merchant_id' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, w.LEVELS) }, dataset.revision);
  const api = await world.provider.act('datasets', dataset.id, 'publish', { name: 'orders', version: 'v1', path: '/trade/orders/v1', title: 'Orders' });
  const { revision } = await world.provider.get(`/apis/${api.id}`);
  await world.provider.patch(`/apis/${api.id}`, { cache_ms: 30000 }, revision);
  await w.subscription(world, world.app, api.id);
  const two = await w.user(world.admin, 'owner2', 'owner', { subject: 'M00002' });
  const grants = { one: (await w.grant(world, world.app, api.id)).id, two: (await w.grant({ ...world, owner: two }, world.app, api.id, { owner: 'M00002' })).id };
  await until(async () => (await p.call('/trade/orders/v1?limit=1', { key: world.key, grant: grants.two })).status === 200, { ms: 10000, what: 'the orders' });
  return grants;
}

test('what is kept lies in memory, readable by nobody else, and goes with the node', async () => {
  // other nodes may run here: this one's is what its nginx was told
  const conf = readFileSync(path.join(p.data, 'gateway/nginx/nginx.conf'), 'utf8'), own = inShm().filter((f) => conf.includes(`/dev/shm/${f}`));
  assert.ok(own.length >= 1, inShm().join());
  await p.stop({ keep: true });
  assert.deepEqual(inShm().filter((f) => own.includes(f)), []);
  await p.spawn();
});
