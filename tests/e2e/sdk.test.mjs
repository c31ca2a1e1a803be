// SPDX-License-Identifier: Apache-2.0
// The server SDK against the real platform: a program that uses nothing else. A platform of its own, for an app whose A2 API seals and signs, with an upstream
// that no other story has.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { KeyStore, Sluice, Tokens, Vault, download, selfCheck, upload, verifyLog } from '../../sdk/js/src/index.js';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const CARD = '6222020200112230012', HOLDER = '欧阳测试', ORDERS = '/trade/orders/v1';
const FINANCE = ['personal-financial', 'pfi-property'];
let p;
let world;
let unit;
let store;
const apis = {};
const at = (name) => path.join(p.dir, name);
const description = (name) => world.developer.get(`/apis/${apis[name]}/openapi`);
const rejects = (promise, kind, code) => assert.rejects(promise, (e) => { assert.deepEqual([e.kind, e.code], [kind, code], e.stack); return true; });

async function api(name, more) {
  apis[name] = await w.httpApi(world, name, `http://127.0.0.1:${unit.address().port}`, more);
  const s = await world.developer.post('/subscriptions', { app_id: world.app, api_id: apis[name], purpose: 'order management', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', more.class === 'A2' ? { risk_assessment: 'looked at: low' } : {});
}

async function client(descriptions, more = {}) {
  return new Sluice({ gateway: p.gateway, ca: p.ca, app: world.app, keys: store, platformKeys: await p.rest.raw('GET', '/api/v1/keys').then((a) => a.body), descriptions: await Promise.all(descriptions.map(description)), ...more });
}

before(async () => {
  p = await Platform.start();
  unit = http.createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      if (req.url.includes('refuse')) return void res.writeHead(409).end('{}');
      return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: body ? JSON.parse(body).id : 'B7', account: CARD, balance: '99.50', holder: HOLDER, phone: '13812345678' }));
    });
  });
  await new Promise((done) => { unit.listen(0, '127.0.0.1', done); });
  world = await w.trading(p, { orders: 1500, environment: 'controlled' });
  const { version, digest } = selfCheck();
  await world.operator.post('/sdk_releases', { name: 'js', version, digest_sm3: digest, language: 'JavaScript', framework: 'Node.js 18' });
  store = KeyStore.create(at('app.keys'), 'a passphrase of the story');
  for (const [name, algorithm, use] of [['main', 'sm2-sm3', 'signature'], ['box', 'ECDH-ES', 'encryption']]) {
    const { id } = await world.developer.post('/credentials', { app_id: world.app, algorithm, public_key: store.generate(name, algorithm), ...(use === 'encryption' ? { use } : {}) });
    store.named(name, id);
  }
  const a2 = { class: 'A2', methods: ['GET', 'POST'], query: true, seal_request: 'required', seal_response: 'required', sign_response: true, fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' },
    { path: 'account', name: 'account', level: 3, type: 'scalar', mask: 'bank_card', tags: ['personal-financial', 'pfi-account', 'payment-account'] }, { path: 'balance', name: 'balance', level: 2, type: 'scalar', mask: '', tags: FINANCE },
    { path: 'holder', name: 'holder', level: 3, type: 'scalar', mask: 'name', tags: ['user-data'] }, { path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' }] };
  await api('accounts', a2);
  await api('told', { sign_response: true });
  const { revision } = await world.provider.get(`/apis/${world.api}`);
  await world.provider.patch(`/apis/${world.api}`, { batch: true }, revision);
  apis.orders = world.api;
  const ready = await client(['accounts', 'orders'], { retries: 0, breaker: { calls: 1000 } });
  for (const [target, call] of [['/accounts/v1/x', {}], [`${ORDERS}/exports`, { grant: world.grant }]]) await until(() => ready.call(target, call).then(() => true, () => false), { ms: 15000, what: target });
  ready.close();
});
after(async () => {
  unit?.close();
  await p?.stop();
});

test('[BK-6.1b3, BK-6.1b4, BK-5d2, EC-6.1.4.3e2, BK-9.3.3a1, SW-5-access-f] a program with nothing but the SDK makes an A2 call: signed by SM2, sealed both ways, the platform\'s signature checked; it gives the business fields and the key store', async () => {
  const c = await client(['accounts']);
  const a = await c.call('/accounts/v1/x', { body: { id: 'B7' } });
  assert.deepEqual([a.data.id, a.signed, a.sealed, a.noStore, a.status], ['B7', true, true, true, 200]);
  assert.match(a.data.account, /^6222.*\*.*0012$/);
  assert.match(a.headers['content-type'], /jose/);
  const [record] = await until(() => { const r = records(p, '--txn', a.transaction); return r.length && r; }, { what: 'the record' });
  assert.deepEqual([record.app, record.sdk], [world.app, `js/${selfCheck().version}`]);
  await rejects(c.call('/accounts/v1/refuse', { body: { id: 'B8' } }), 'business', 'upstream-refused');
  await rejects(c.call('/nowhere/v1'), 'gateway', 'route-unknown');
  c.close();
});

test('[BK-9.3.3a2, BK-9.3.3c, EC-6.1.4.3a] with another platform\'s key nothing is handed out; a signed answer that was kept is proven later by the platform\'s key alone', async () => {
  const keys = (await p.rest.raw('GET', '/api/v1/keys')).body, stranger = KeyStore.create(at('stranger.keys'), 'a passphrase of the story').generate('x', 'sm2-sm3');
  const other = await client(['accounts'], { platformKeys: { keys: [stranger, ...keys.keys.filter((k) => k.use === 'enc')] } });
  await rejects(other.call('/accounts/v1/x', { body: { id: 'B7' } }), 'integrity', 'answer-altered');
  const c = await client(['told'], { proofs: at('proofs') }), a = await c.call('/told/v1/x');
  assert.equal(a.signed, true);
  const v = p.sluice('verify', '--platform-key', path.join(p.data, 'keys/answer.pub'), a.proof);
  assert.equal(v.code, 0, v.out + v.err);
  assert.match(v.out, /^response: valid\n/);
  writeFileSync(at('bad.http'), readFileSync(a.proof, 'utf8').replace('B7', 'B8'));
  assert.equal(p.sluice('verify', '--platform-key', path.join(p.data, 'keys/answer.pub'), at('bad.http')).code, 1);
  other.close();
  c.close();
});

test('[BK-7.3.3b2-1, BK-7.3.3b2-2, BK-12.3b1, EC-7.2.2c] by the tags the platform publishes the call log has accounts partly masked and nothing else personal; each record leads to the platform\'s own, failed and broken calls too', async () => {
  const doc = await description('accounts'), schema = doc.paths['/accounts/v1'].post.responses['200'].content['application/json'].schema.properties;
  assert.deepEqual([schema.account['x-sluice-tags'], schema.balance['x-sluice-tags'], schema.id['x-sluice-tags']], [['personal-financial', 'pfi-account', 'payment-account'], FINANCE, undefined]);
  assert.deepEqual([doc.info['x-sluice-class'], doc.info['x-sluice-signed'], doc.info['x-sluice-seal-request'], doc.info['x-sluice-api']], ['A2', true, 'required', apis.accounts]);
  const c = await client(['accounts'], { log: at('calls'), breaker: { transactions: 1 } });
  const a = await c.call('/accounts/v1/x', { body: { id: 'B7', account: CARD, holder: HOLDER }, user: 'alice' });
  await rejects(c.call('/accounts/v1/refuse', { body: { id: 'B8' } }), 'business', 'upstream-refused');
  await rejects(c.call('/accounts/v1/x'), 'local', 'breaker-open');
  c.close();
  const text = readdirSync(at('calls')).map((f) => readFileSync(at(`calls/${f}`), 'utf8')).join(''), [good, bad, broken] = text.trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual([good.request, good.answer[0].id, good.transaction, good.status, good.app, good.api_id], [{ id: 'B7', account: '622202*********0012' }, 'B7', a.transaction, 200, world.app, apis.accounts]);
  assert.ok(good.ms >= 0 && good.at && Object.keys(good.answer[0]).every((n) => ['id', 'account'].includes(n)), JSON.stringify(good));
  assert.match(good.answer[0].account, /^[\d*]+\*+0012$/);
  assert.deepEqual([bad.kind, bad.code, broken.kind, broken.code], ['business', 'upstream-refused', 'local', 'breaker-open']);
  for (const value of [CARD, HOLDER, '欧', '"balance"', '"phone"', '138**', 'alice']) assert.ok(!text.includes(value), value);
  for (const { transaction } of [good, bad]) assert.equal((await until(() => { const r = records(p, '--txn', transaction); return r.length && r; }, { what: 'the record' }))[0].app, world.app);
  assert.equal(verifyLog(at('calls')).records, 3);
});

test('[BK-7.2.2c3-3] of A2 results nothing lies in the files of a program that got them: not in its store, its proofs or its log, nor by download', async () => {
  const c = await client(['accounts'], { log: at('a2/calls'), proofs: at('a2/proofs') }), vault = new Vault({ key: store.storeKey(), folder: at('a2/kept') });
  const a = await c.call('/accounts/v1/x', { body: { id: 'order-4711' } });
  assert.deepEqual([a.data.balance, a.noStore, a.headers['content-type']], ['99.50', true, 'application/jose']);
  vault.session('alice').put('account', a.data, { class: a.noStore ? 'A2' : 'A1' });
  assert.deepEqual(vault.session('alice').get('account'), a.data);
  await rejects(download(c, '/accounts/v1/exports/1', at('a2/file')), 'local', 'store-forbidden');
  c.close();
  const files = readdirSync(at('a2'), { withFileTypes: true, recursive: true }).filter((e) => e.isFile()).map((e) => path.join(e.path ?? e.parentPath, e.name));
  assert.deepEqual(files.map((f) => path.basename(path.dirname(f))).sort(), ['calls', 'proofs']);
  for (const f of files) for (const value of ['99.50', a.data.holder, a.data.phone, a.bytes.toString(), CARD, 'eyJhbGciOiJFQ0RILUVT']) assert.ok(!readFileSync(f).includes(value), `${f}: ${value}`);
});

test('[BK-6.1b5] an API published a moment ago is called by its path, with the SDK as it is', async () => {
  await api('fresh', { sign_response: true });
  const c = await client(['fresh'], { retries: 0, breaker: { calls: 1000 } });
  const a = await until(() => c.call('/fresh/v1/x').catch((e) => { if (e.kind === 'integrity') throw e; return false; }), { ms: 10000, what: 'the new API' });
  assert.deepEqual([a.data.id, a.signed], ['B7', true]);
  c.close();
});

test('[SW-9.8-tra2] a real export and a real upload by the SDK: a chunk that is wrong is had again by itself, the digests are the platform\'s', async () => {
  const c = await client(['orders']), call = { grant: world.grant };
  const job = (await c.call(`${ORDERS}/exports`, { ...call, body: { format: 'ndjson', compression: 'none' } })).data;
  const target = `${ORDERS}/exports/${job.id}`;
  await until(async () => (await c.call(target, call)).data.state === 'ready', { ms: 15000, what: 'the export' });
  const first = await download(c, target, at('orders.ndjson'), { call }), bytes = readFileSync(at('orders.ndjson'));
  assert.deepEqual([createHash('sm3').update(bytes).digest('hex'), bytes.toString().trimEnd().split('\n').length], [first.sm3, first.rows]);
  const spoiled = Buffer.from(bytes);
  spoiled[40] ^= 1;
  writeFileSync(at('again.ndjson.part'), spoiled);
  const again = await download(c, target, at('again.ndjson'), { call });
  assert.deepEqual([again.fetched, readFileSync(at('again.ndjson')).equals(bytes)], [1, true]);
  const control = { connection: c.connection, control: p.control, session: world.developer.token }, file = Buffer.from('id,name\r\n'.repeat(200000));
  const done = await upload(control, file, { name: 'orders.csv', type: 'text/csv', pieceBytes: 1 << 20 });
  assert.deepEqual([(await world.developer.get(`/uploads/${done.id}`)).content_sm3, (await world.developer.get(`/uploads/${done.id}`)).state], [done.sm3, 'complete']);
  c.close();
});

test('a token of the app\'s own is had with its key, kept in memory, and shown beside the signature', async () => {
  const app = await w.admittedApp(world, 'By token', 'controlled'), keys = KeyStore.create(at('token.keys'), 'a passphrase of the story');
  const { id } = await world.developer.post('/credentials', { app_id: app, algorithm: 'ecdsa-p256-sha256', public_key: keys.generate('main', 'ecdsa-p256-sha256') });
  keys.named('main', id);
  await w.subscription(world, app, apis.told);
  await world.developer.post('/clients', { app_id: app });
  const c = await client(['told'], { app, keys, retries: 0, breaker: { calls: 1000 } }), tokens = new Tokens({ control: p.control, app, keys, connection: c.connection, vault: new Vault() });
  const token = await tokens.own('told.v1');
  assert.equal(await tokens.own('told.v1'), token, 'as long as it lasts');
  assert.equal((await until(() => c.call('/told/v1/x', { token }).catch((e) => { if (e.code === 'token-mismatch') throw e; return false; }), { ms: 10000, what: 'the call' })).status, 200);
  await rejects(tokens.own('nothing.v1'), 'gateway', 'invalid_scope');
  await rejects(c.call('/told/v1/x', { token: randomBytes(40).toString('base64url') }), 'gateway', 'token-invalid');
  c.close();
});
