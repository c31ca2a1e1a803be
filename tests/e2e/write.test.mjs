// SPDX-License-Identifier: Apache-2.0
// Write-back: an order management app reads a merchant's orders and writes them, a stock client drives it, the business
// unit hears of it and supplies records itself; all journalled, taken back, and right after kill -9.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { PostgrestClient } from '@supabase/postgrest-js';
import { Webhook } from 'standardwebhooks';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { freePorts, Platform } from './lib/platform.mjs';
import { ordersTable, Postgres, postgresConnection } from './lib/postgres.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ORDERS = '/trade/orders/v1';
const LITE = '/lite/orders/v1';
const FIELDS = ['order_id', 'product_title', 'quantity', 'amount', 'status', 'buyer_name', 'buyer_phone'];
const METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'];
let p;
let pg;
let world;
let lite; // {dataset, api, grant}: the same orders in SQLite
let unit; // the business unit's endpoint
let heard;
let answer = 204;

const call = (target, more = {}) => p.call(target, { key: world.key, grant: target.startsWith(LITE) ? lite.grant : world.grant, ...more });
const write = (method, target, body, headers = {}, more = {}) => call(target, { method, body: body === undefined ? undefined : JSON.stringify(body), headers, ...more });
const one = async (id, select = 'order_id,status,quantity', path = ORDERS) => rows(await call(`${path}?order_id=eq.${id}&select=${select}`))[0];
const journal = (query) => world.provider.get(`/writes?${new URLSearchParams(query)}`).then((a) => a.items);
const rollback = (id, by = world.provider) => by.post(`/writes/${id}/rollback`);

async function writable(dataset, api) {
  const d = await world.provider.get(`/datasets/${dataset}`);
  await world.provider.patch(`/datasets/${dataset}`, { writable: { operations: ['insert', 'update', 'delete'], fields: FIELDS } }, d.revision);
  const a = await world.provider.get(`/apis/${api}`);
  await world.provider.patch(`/apis/${api}`, { class: 'A2', methods: METHODS }, a.revision);
}

async function keyOf(app) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { id } = await world.developer.post('/credentials', { app_id: app, algorithm: 'ecdsa-p256-sha256', public_key: publicKey.export({ type: 'spki', format: 'pem' }) });
  return { id, algorithm: 'ecdsa-p256-sha256', sign: (base) => crypto.sign('sha256', Buffer.from(base), { key: privateKey, dsaEncoding: 'ieee-p1363' }) };
}

// An app with a key pair, as APIs that write ask for, subscribed to both with the assessment they need.
async function writer(environment) {
  const app = await w.admittedApp(world, `Writes, ${environment}`, environment);
  const grants = {};
  for (const api of [world.api, lite.api]) {
    const s = await world.developer.post('/subscriptions', { app_id: app, api_id: api, purpose: 'order management', max_level: 3 });
    await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at: low' });
    grants[api] = (await w.grant(world, app, api)).id;
  }
  return { app, key: await keyOf(app), grants };
}

async function liteOrders() {
  const file = await w.ordersDatabase(p.dir, 40);
  const columns = Object.keys(w.LEVELS).filter((c) => c !== 'order_id').map((c) => `${c} ${c === 'quantity' ? 'INTEGER' : 'TEXT'}`);
  execFileSync('sqlite3', [file, `CREATE TABLE lite (order_id TEXT PRIMARY KEY, ${columns.join(', ')}); INSERT INTO lite SELECT * FROM orders;`]);
  const source = await world.provider.post('/sources', { name: 'lite', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'lite', source_id: source.id, table: 'lite', owner_column: 'merchant_id' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, w.LEVELS) }, dataset.revision);
  const api = (await world.provider.act('datasets', dataset.id, 'publish', { name: 'lite', version: 'v1', path: LITE, title: 'Lite' })).id;
  lite = { dataset: dataset.id, api };
}

before(async () => {
  heard = [];
  unit = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d));
    req.on('end', () => { heard.push({ headers: req.headers, body: Buffer.concat(parts).toString() }); res.writeHead(answer).end(); });
  });
  const [port, hook] = await freePorts(2);
  await new Promise((resolve) => unit.listen(hook, '127.0.0.1', resolve));
  unit.url = `http://127.0.0.1:${hook}/orders`;
  p = await Platform.start({ config: 'control:\n  private_webhooks: true\n' });
  pg = new Postgres(p.dir, port);
  pg.create();
  pg.start();
  pg.sql(ordersTable());
  world = await w.trading(p, { connection: postgresConnection(port) });
  await liteOrders();
  await restRefuses(world.provider.patch(`/apis/${lite.api}`, { class: 'A2', methods: METHODS }, (await world.provider.get(`/apis/${lite.api}`)).revision), 'field-invalid', '/methods');
  for (const [d, a] of [[world.dataset, world.api], [lite.dataset, lite.api]]) await writable(d, a);
  const { app, key, grants } = await writer('controlled');
  Object.assign(world, { app, key, grant: grants[world.api] });
  lite.grant = grants[lite.api];
  for (const path of [ORDERS, LITE]) {
    await until(async () => (await write('PATCH', `${path}?order_id=eq.none`, { quantity: 1 })).status === 204, { ms: 10000, what: `writing at ${path}` });
  }
});
after(async () => {
  unit?.close();
  try { pg?.stop(); } catch { /* stopped already */ }
  await p?.stop();
});

test('[EC-7.1.4.1a, EC-7.1.4.1c, EC-7.1.4.1d, EC-4.3.5b] an order management app reads a merchant\'s orders, changes a status under version control, and the next read and the business unit have it', async () => {
  const target = await world.provider.post('/delivery_targets', { dataset_id: world.dataset, url: unit.url });
  const first = rows(await call(`${ORDERS}?limit=1&order=order_id`), 1)[0];
  const at = `${ORDERS}?order_id=eq.${first.order_id}`;
  const seen = await call(at);
  assert.match(seen.headers.etag, /^"[\w-]{22}"$/);
  const told = await until(async () => { // whom to tell is known to the data service a moment after it was said
    assert.equal((await write('PATCH', at, { status: `shipped ${Date.now()}` })).status, 204);
    await delay(400);
    return heard[0];
  }, { ms: 15000, what: 'the business unit' });
  refused(await write('PATCH', at, { status: 'lost' }, { 'if-match': seen.headers.etag }), 412, 'precondition-failed');
  const now = await call(at);
  assert.notEqual(now.headers.etag, seen.headers.etag);
  assert.equal((await write('PATCH', at, { status: 'signed' }, { 'if-match': now.headers.etag })).status, 204);
  assert.equal((await one(first.order_id)).status, 'signed');
  const event = new Webhook(target.secret).verify(told.body, told.headers);
  assert.equal(event.type, 'sluice.write.update');
  assert.equal(event.data.after.order_id, first.order_id);
  await until(() => heard.map((h) => JSON.parse(h.body)).find((e) => e.data.after?.status === 'signed'), { ms: 15000, what: 'the last state' });
  const order = heard.map((h) => JSON.parse(h.body)).filter((e) => e.data.key.order_id === first.order_id).map((e) => e.sequence);
  assert.deepEqual(order, [...order].sort((a, b) => a - b), 'of one row in order');
});

for (const [name, path] of [['PostgreSQL', ORDERS], ['SQLite', LITE]]) {
  test(`[EC-6.1.3.2, EC-3.11a, SW-9.7-1a] insert, update and delete by the API, each rolled back by its operation id (${name})`, async () => {
    const id = `W-${name}`;
    const made = await write('POST', `${path}?select=order_id,merchant_id,quantity`, { order_id: id, quantity: 3, buyer_phone: '13812345678' }, { prefer: 'return=representation' });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.json, [{ order_id: id, merchant_id: 'M00001', quantity: 3 }], 'the owner\'s row');
    const changed = await write('PATCH', `${path}?order_id=eq.${id}&select=quantity,buyer_phone`, { quantity: 4, buyer_phone: '138****5678' }, { prefer: 'return=representation' });
    assert.deepEqual([changed.status, changed.json], [200, [{ quantity: 4, buyer_phone: '138****5678' }]]);
    const gone = await write('DELETE', `${path}?order_id=eq.${id}`);
    assert.equal(gone.status, 204, gone.text);
    const ops = [made, changed, gone].map((a) => a.headers['sluice-operation']);
    const { items: [op] } = await world.operator.get(`/writes?transaction_id=${changed.txn}`);
    assert.deepEqual([op.id, op.kind, op.state, op.rows, op.owner, op.app_id], [ops[1], 'update', 'done', 1, 'M00001', world.app]);
    const mine = await world.provider.get(`/writes/${ops[1]}`);
    assert.equal(mine.images[0].after.buyer_phone, '13812345678', 'the masked value that came back left the original');
    assert.equal(mine.images[0].before.quantity, '3');
    const others = await world.operator.get(`/writes/${ops[1]}`);
    assert.equal(others.images[0].after.buyer_phone, '138****5678');
    assert.ok(!('card_number' in others.images[0].after));
    await restRefuses(world.developer.get(`/writes/${ops[1]}`), 'not-permitted');
    await restRefuses(rollback(ops[0]), 'rollback-refused');
    await rollback(ops[2]);
    assert.deepEqual(await one(id, 'order_id,quantity', path), { order_id: id, quantity: 4 });
    await rollback(ops[1], world.operator);
    assert.equal((await one(id, 'order_id,quantity', path)).quantity, 3);
    await rollback(ops[0]);
    assert.equal(await one(id, 'order_id', path), undefined);
    await restRefuses(rollback(ops[0]), 'rollback-refused');
  });
}

test('[EC-3.11a] a batch and all since a time are rolled back, by REST and by the command line; what was changed outside is not overwritten', async () => {
  const id = 'B-1';
  assert.equal((await write('POST', ORDERS, { order_id: id, quantity: 1 })).status, 201);
  await delay(5);
  const time = new Date().toISOString();
  await delay(5);
  for (const quantity of [2, 3]) assert.equal((await write('PATCH', `${ORDERS}?order_id=eq.${id}`, { quantity }, { 'batch-id': 'night' })).status, 204);
  const undone = await world.provider.post(`/datasets/${world.dataset}/rollback`, { batch: 'night', app_id: world.app });
  assert.equal(undone.undone.length, 2);
  assert.equal((await one(id)).quantity, 1);
  const late = await write('PATCH', `${ORDERS}?order_id=eq.${id}`, { quantity: 9 });
  await world.provider.post(`/datasets/${world.dataset}/rollback`, { to: time });
  assert.equal((await one(id)).quantity, 1);
  assert.equal((await journal({ dataset_id: world.dataset, kind: 'rollback' })).length >= 2, true);
  assert.equal((await world.provider.get(`/writes/${late.headers['sluice-operation']}`)).state, 'rolled-back');
  const last = await write('PATCH', `${ORDERS}?order_id=eq.${id}`, { quantity: 5 });
  pg.sql(`UPDATE orders SET quantity = 6 WHERE order_id = '${id}'`);
  await restRefuses(rollback(last.headers['sluice-operation']), 'rollback-refused');
  assert.equal((await one(id)).quantity, 6);
  pg.sql(`UPDATE orders SET quantity = 5 WHERE order_id = '${id}'`);
  Object.assign(p.env, { SLUICE_SESSION: `${p.dir}/session`, SLUICE_PASSWORD: 'provider-first-Passw0rd-changed' });
  assert.equal(p.sluice('rest', 'login', '--control', p.control, '--ca', p.caFile, '--login', 'provider').code, 0);
  const cli = p.sluice('rest', 'POST', `/writes/${last.headers['sluice-operation']}/rollback`);
  assert.equal(cli.code, 0, cli.err);
  assert.equal((await one(id)).quantity, 1);
});

test('duplicated, replayed and reordered writes: one key is one write, and of writes that saw the same version one passes', async () => {
  const body = { order_id: 'I-1', quantity: 1 };
  const headers = { 'idempotency-key': 'once-1', prefer: 'return=representation' };
  const twice = await Promise.all([1, 2, 3].map(() => write('POST', `${ORDERS}?select=order_id`, body, headers)));
  assert.ok(twice.some((a) => a.status === 201));
  for (const a of twice) assert.ok(a.status === 201 || a.json.code === 'state-conflict', a.text);
  const again = await write('POST', `${ORDERS}?select=order_id`, body, headers);
  assert.deepEqual([again.status, again.json, again.headers['sluice-replayed']], [201, [{ order_id: 'I-1' }], 'true']);
  refused(await write('POST', `${ORDERS}?select=order_id`, { ...body, quantity: 2 }, headers), 422, 'idempotency-mismatch');
  const { headers: { etag } } = await call(`${ORDERS}?order_id=eq.I-1`);
  const race = await Promise.all([4, 5, 6].map((quantity) => write('PATCH', `${ORDERS}?order_id=eq.I-1`, { quantity }, { 'if-match': etag })));
  assert.equal(race.filter((a) => a.status === 204).length, 1, race.map((a) => a.status).join());
  for (const a of race) assert.ok(a.status === 204 || ['precondition-failed', 'state-conflict'].includes(a.json.code), a.text);
});

test('[EC-6.1.3.2] who may not write is refused before the source is asked, and so is what is not writable', async () => {
  const { key, grants } = await writer('monitored');
  const grant = grants[world.api];
  await until(async () => (await p.call(`${ORDERS}?limit=1`, { key, grant })).status === 200, { ms: 10000, what: 'the onlooker' });
  for (const [method, target, body] of [['POST', ORDERS, { order_id: 'X' }], ['PATCH', `${ORDERS}?order_id=eq.B-1`, { quantity: 7 }], ['DELETE', `${ORDERS}?order_id=eq.B-1`]]) {
    refused(await write(method, target, body, {}, { key, grant }), 403, 'environment-too-low');
  }
  refused(await write('POST', ORDERS, { order_id: 'X' }, {}, { grant: undefined }), 403, 'grant-missing');
  refused(await write('POST', ORDERS, { order_id: 'X', card_number: '6222' }), 403, 'field-forbidden');
  refused(await write('POST', ORDERS, { order_id: 'X', category: 'c' }), 403, 'field-forbidden');
  refused(await write('POST', ORDERS, { order_id: 'X', merchant_id: 'M00002' }), 403, 'field-forbidden');
  refused(await write('POST', ORDERS, { order_id: 'X', buyer_phone: '138****0000' }), 400, 'body-invalid');
  refused(await write('PATCH', ORDERS, { quantity: 0 }), 400, 'query-malformed');
  pg.sql("INSERT INTO orders (order_id, merchant_id, quantity) VALUES ('OTHER', 'M00002', 1)");
  assert.equal((await write('DELETE', `${ORDERS}?order_id=eq.OTHER`)).status, 204);
  assert.match(pg.sql("COPY (SELECT count(*) FROM orders WHERE order_id = 'OTHER') TO STDOUT"), /^1/, 'another owner\'s row stays');
  const provider = world.provider.patch(`/datasets/${world.dataset}`, { writable: { operations: ['insert'], fields: ['card_number'] } }, (await world.provider.get(`/datasets/${world.dataset}`)).revision);
  await restRefuses(provider, 'level-forbidden');
});

test('[SW-9.7-1a] a stock PostgREST client inserts, updates and deletes', async () => {
  const client = new PostgrestClient(`${p.gateway}/trade/orders`, { fetch: async (input, init = {}) => {
    const url = new URL(String(input));
    const headers = Object.fromEntries([...new Headers(init.headers).entries()].filter(([n]) => n !== 'content-type'));
    const a = await call(url.pathname + url.search, { method: init.method, body: init.body ?? undefined, headers });
    return new Response(a.status === 204 ? null : a.text, { status: a.status, headers: Object.entries(a.headers).map(([n, v]) => [n, String(v)]) });
  } });
  const made = await client.from('v1').insert([{ order_id: 'S-1', quantity: 1 }, { order_id: 'S-2', quantity: 2 }]).select('order_id,quantity');
  assert.equal(made.error, null, JSON.stringify(made.error));
  assert.deepEqual(made.data, [{ order_id: 'S-1', quantity: 1 }, { order_id: 'S-2', quantity: 2 }]);
  const changed = await client.from('v1').update({ quantity: 8 }).eq('order_id', 'S-1').select('quantity').single();
  assert.deepEqual([changed.error, changed.data], [null, { quantity: 8 }]);
  const bare = await client.from('v1').insert({ order_id: 'S-3' });
  assert.deepEqual([bare.error, bare.status], [null, 201]);
  const gone = await client.from('v1').delete().in('order_id', ['S-1', 'S-2', 'S-3']);
  assert.deepEqual([gone.error, gone.status], [null, 204]);
});

test('[EC-4.1c, EC-4.3.1a, EC-4.3.2c, EC-4.3.4, SW-3.1, EC-6.1.1.1a] a business unit supplies records by its own key on its own endpoint, once; no app\'s proof opens it, and apps have them at once', async () => {
  const key = await world.provider.post('/supply_keys', { dataset_id: world.dataset, name: 'ERP' });
  const supply = (records, more = {}) => p.rest.raw('POST', `/supply/${world.dataset}/records`, JSON.stringify({ records }), { 'content-type': 'application/json', authorization: `Bearer ${key.key}`, ...more });
  const declared = await supply([{ order_id: 'D-1', merchant_id: 'M00001', quantity: 1, card_number: '6222020000000000' }, { order_id: 'D-2', merchant_id: 'M00002', quantity: 2 }], { 'idempotency-key': 'push-1' });
  assert.equal(declared.status, 200, JSON.stringify(declared.body));
  assert.deepEqual([declared.body.inserted, declared.body.updated], [2, 0]);
  assert.deepEqual(await one('D-1'), { order_id: 'D-1', status: null, quantity: 1 });
  assert.equal(await one('D-2'), undefined, 'another merchant\'s');
  const twice = await supply([{ order_id: 'D-1', merchant_id: 'M00001', quantity: 1, card_number: '6222020000000000' }, { order_id: 'D-2', merchant_id: 'M00002', quantity: 2 }], { 'idempotency-key': 'push-1' });
  assert.deepEqual(twice.body, declared.body);
  assert.equal((await supply([{ order_id: 'D-1', quantity: 5 }])).body.updated, 1);
  assert.equal((await one('D-1')).quantity, 5);
  const code = async (promise) => (await promise).body.code;
  assert.equal(await code(supply([{ order_id: 'D-3', nothing: 1 }])), 'field-unknown');
  assert.equal(await code(supply([{ order_id: 'D-3' }], { authorization: `Bearer ${world.provider.token}` })), 'credential-unknown');
  assert.equal(await code(supply([{ order_id: 'D-3' }], { authorization: `Bearer ${key.key.slice(0, -2)}xx` })), 'credential-unknown');
  assert.equal(await code(p.rest.raw('POST', `/supply/${lite.dataset}/records`, '{"records":[{}]}', { 'content-type': 'application/json', authorization: `Bearer ${key.key}` })), 'credential-unknown');
  refused(await p.send('GET', `${ORDERS}?limit=1`, { headers: { authorization: `Bearer ${key.key}` } }), 401, 'token-invalid');
  // what users enter comes with the consent of each
  const form = await world.provider.post('/supply_keys', { dataset_id: world.dataset, name: 'form', user_entered: true });
  const entered = (body) => p.rest.raw('POST', `/supply/${world.dataset}/records`, JSON.stringify(body), { 'content-type': 'application/json', authorization: `Bearer ${form.key}` });
  const record = { order_id: 'D-9', merchant_id: 'M00001', quantity: 3 }, consent = { reference: 'form 12', purpose: 'delivery', given_at: '2026-05-06T07:08:00Z' };
  const unsaid = [[], [{ ...consent, given_at: '2126-05-06T07:08:00Z' }], [{ ...consent, purpose: '' }], [{ ...consent, more: 1 }], ['yes'], [null]];
  for (const consents of unsaid) assert.deepEqual(await entered({ records: [record], consents }).then((a) => [a.status, a.body.code, a.body.where]), [422, 'consent-incomplete', '/consents/0']);
  assert.equal(await code(entered({ records: [record] })), 'consent-incomplete');
  assert.equal(await code(entered({ records: [record], consents: [consent, consent] })), 'body-invalid');
  assert.equal(await one('D-9'), undefined, 'nothing of these was written');
  const agreed = await entered({ records: [record], consents: [consent] });
  assert.equal(agreed.status, 200, JSON.stringify(agreed.body));
  const kept = await world.provider.get(`/writes/${agreed.body.operation_id}`);
  assert.deepEqual(JSON.stringify(kept).includes('"form 12"') && kept.images?.[0]?.consent, consent, JSON.stringify(kept));
  await rollback(declared.body.operation_id).then(() => assert.fail('a later push builds on it'), (e) => assert.equal(e.code, 'rollback-refused'));
  await world.provider.act('supply_keys', key.id, 'revoke');
  assert.equal(await code(supply([{ order_id: 'D-3' }])), 'credential-inactive');
});

test('[EC-4.3.4] an endpoint that fails is tried again with back-off, and none of it is lost', async () => {
  heard.length = 0;
  answer = 503;
  assert.equal((await write('POST', ORDERS, { order_id: 'R-1', quantity: 1 })).status, 201);
  assert.equal((await write('PATCH', `${ORDERS}?order_id=eq.R-1`, { quantity: 2 })).status, 204);
  const mine = () => heard.map((h) => ({ ...JSON.parse(h.body), id: h.headers['webhook-id'] })).filter((e) => e.data.key.order_id === 'R-1');
  await until(() => mine().length >= 2, { ms: 20000, what: 'a second try' });
  assert.equal(new Set(mine().map((e) => e.id)).size, 1, 'the same, and nothing of the row past it');
  answer = 204;
  await until(() => mine().some((e) => e.type === 'sluice.write.update'), { ms: 20000, what: 'the second write' });
  const { items } = await world.provider.get(`/datasets/${world.dataset}/deliveries`);
  assert.ok(items.some((d) => d.state === 'delivered' && d.attempts >= 2), JSON.stringify(items.slice(0, 5)));
});

for (const [name, path] of [['PostgreSQL', ORDERS], ['SQLite', LITE]]) {
  test(`[EC-6.1.3.2] kill -9 of the data service while it writes: source and journal agree, and what was acknowledged is there (${name})`, async () => {
    const acknowledged = new Set();
    const maybe = new Set();
    let running = true;
    let n = 0;
    const writer = async () => {
      while (running) {
        const id = `K-${name}-${n++}`;
        maybe.add(id);
        try {
          if ((await write('POST', path, { order_id: id, quantity: n }, {}, { ms: 5000 })).status === 201) acknowledged.add(id);
        } catch { await delay(20); /* it died meanwhile */ }
      }
    };
    const writers = [writer(), writer(), writer()];
    try {
      await until(() => acknowledged.size > 10, { ms: 10000, what: 'writes' });
      process.kill(p.processes().data[0], 'SIGKILL');
      const before = acknowledged.size;
      await until(() => acknowledged.size > before + 5, { ms: 20000, what: 'writes after the kill' });
    } finally {
      running = false;
      await Promise.all(writers);
    }
    const there = new Set(rows(await call(`${path}?order_id=like.K-${name}-*&select=order_id&limit=1000`)).map((r) => r.order_id));
    for (const id of acknowledged) assert.ok(there.has(id), `${id} was acknowledged`);
    const dataset = path === LITE ? lite.dataset : world.dataset;
    const all = await until(async () => { const list = await everything(dataset); return list.every((o) => o.state !== 'prepared') && list; }, { ms: 15000, what: 'a settled journal' });
    const done = new Set();
    for (const op of all.filter((o) => o.state === 'done' && o.kind === 'insert')) {
      for (const row of (await world.provider.get(`/writes/${op.id}`)).images) if (maybe.has(row.key.order_id)) done.add(row.key.order_id);
    }
    assert.deepEqual([...done].sort(), [...there].sort(), 'what the journal has as done is what the source has');
  });
}

async function everything(dataset) {
  const all = [];
  for (let page = await journal({ dataset_id: dataset }); page.length; page = await journal({ dataset_id: dataset, before: all.at(-1).sequence })) all.push(...page);
  return all;
}
