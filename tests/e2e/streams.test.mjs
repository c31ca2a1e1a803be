// SPDX-License-Identifier: Apache-2.0
// Topics whose events lie in NATS JetStream: a server of the test's own and the data service are killed, and what was
// acknowledged is there once. A row written through the platform is an event at once. What a removed subscription left goes.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { freePorts, Platform } from './lib/platform.mjs';
import { verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const TOPIC = '/shipments/v1';
const ORDERS = '/lite/orders/v1';
const CHANGES = '/lite/changes/v1';
const GROWING = '/lite/growing/v1';
let p;
let world;
let api;
let sender;
let nats;
let hook;
let dir;
let lite; // {dataset, file, me: the app that writes, write}

function startNats(port) {
  nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-c', path.join(dir, 'nats.conf')], { stdio: 'ignore' });
  nats.gone = new Promise((done) => nats.once('exit', done));
}

async function killNats() {
  nats.kill('SIGKILL');
  await nats.gone;
}

async function startHook() {
  const h = { seen: [] };
  h.server = http.createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; }).on('end', () => { h.seen.push(JSON.parse(body)); res.writeHead(204).end(); });
  });
  await new Promise((r) => h.server.listen(0, '127.0.0.1', r));
  h.url = `http://127.0.0.1:${h.server.address().port}/`;
  return h;
}

const event = (id) => ({ specversion: '1.0', id, source: '/warehouse', type: 'shipment.moved', partitionkey: 'k', data: { no: id, phone: '13812345678' } });
const send = (...ids) => {
  const body = JSON.stringify(ids.map(event));
  const headers = { 'content-type': 'application/cloudevents-batch+json' };
  return p.send('POST', TOPIC, { headers: sign(sender.key, { method: 'POST', url: p.gateway + TOPIC, headers, body }), body });
};
const sent = (...ids) => until(async () => (await send(...ids)).status === 202, { ms: 20000, what: `${ids} taken` });
const page = (target, after = 0) => p.call(`${target}?after=${after}&limit=1000`, { key: world.key });
const state = (sql) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', `${p.data}/data/events/state.db`, sql], { encoding: 'utf8' }).trim();

async function topicApi() {
  const row = await world.provider.post('/apis', { name: 'shipments', version: 'v1', path: TOPIC, kind: 'topic', class: 'A1', access: 'subscription', title: 'Shipments',
    fields: [{ path: 'no', name: 'no', level: 1, type: 'scalar', mask: '' }, { path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' }] });
  sender = { app: await w.admittedApp(world, 'Carrier', 'controlled') };
  sender.key = await w.credential(world, sender.app);
  await world.provider.post('/topics', { api_id: row.id, publishers: [sender.app] });
  await world.provider.act('apis', row.id, 'publish');
  for (const app of [sender.app, world.app]) await w.subscription(world, app, row.id);
  return row.id;
}

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'sluice-nats-'));
  mkdirSync(path.join(dir, 'store'));
  writeFileSync(path.join(dir, 'nats.conf'), `jetstream { store_dir: "${dir}/store" }\nauthorization { user: sluice, password: "of-the-test" }\n`);
  writeFileSync(path.join(dir, 'password'), 'of-the-test\n', { mode: 0o600 });
  const [port] = await freePorts(1);
  nats = { port };
  hook = await startHook();
  // NATS is not there when the platform starts.
  p = await Platform.start({ config: `control:\n  private_webhooks: true\ndata:\n  nats:\n    url: nats://127.0.0.1:${port}\n    user: sluice\n    password_file: ${dir}/password\n    timeout_ms: 5000\n` });
  p.natsPort = port;
  world = await w.people(p);
  api = await topicApi();
});
after(async () => {
  hook?.server.closeAllConnections();
  hook?.server.close();
  await p?.stop();
  if (nats?.gone && nats.exitCode === null) await killNats();
});

test('[SW-8.3.2-e1, EC-7.1.4.2a] events lie in NATS: it dies, the data service dies, and what was acknowledged is delivered, once in each page, in order', async () => {
  await until(async () => (await send('early')).json?.code === 'events-unavailable', { ms: 15000, what: 'the topic, without NATS' });
  refused(await send('early'), 503, 'events-unavailable');
  startNats(p.natsPort);
  await sent('e1', 'e2');
  const sub = await world.developer.post('/event_subscriptions', { app_id: world.app, api_id: api, name: 'hook', mode: 'webhook', url: hook.url, start: 'all' });
  await until(() => hook.seen.length >= 2, { ms: 15000, what: 'the first deliveries' });
  await killNats();
  await until(async () => (await send('e3')).status === 503, { ms: 15000, what: 'the refusal' });
  refused(await send('e3'), 503, 'events-unavailable');
  startNats(p.natsPort);
  await sent('e3'); // again, and it is one event
  await sent('e4');
  await killNats();
  process.kill(p.processes().data[0], 'SIGKILL');
  startNats(p.natsPort);
  await sent('e4'); // what was acknowledged before both died is known
  await sent('e5');
  const all = ['e1', 'e2', 'e3', 'e4', 'e5'];
  await until(() => hook.seen.some((e) => e.id === 'e5'), { ms: 20000, what: 'the deliveries after both crashes' });
  assert.deepEqual([...new Set(hook.seen.map((e) => e.id))], all, 'each, in order; some perhaps twice');
  const got = await page(TOPIC);
  assert.deepEqual(got.json.events.map((e) => [e.id, e.data.phone]), all.map((id) => [id, '138****5678']));
  assert.equal(got.json.cursor, '5');
  assert.deepEqual((await page(TOPIC, 3)).json.events.map((e) => e.id), ['e4', 'e5']);
  const files = readdirSync(path.join(dir, 'store'), { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => readFileSync(path.join(f.path, f.name), 'latin1'));
  assert.ok(files.length > 0 && files.every((text) => !text.includes('13812345678')), 'in NATS they lie sealed');
  // Removed: nothing is kept of where it was.
  const rows = () => state(`SELECT (SELECT count(*) FROM position WHERE sub = x'${sub.id.replaceAll('-', '')}') + (SELECT count(*) FROM dead WHERE sub = x'${sub.id.replaceAll('-', '')}')`);
  await until(() => rows() === '1', { ms: 10000, what: 'its position' });
  await world.developer.act('event_subscriptions', sub.id, 'remove');
  await until(() => rows() === '0', { ms: 10000, what: 'its position gone' });
  verified(p);
});

// An app with a key pair in a controlled environment, as writing asks for.
async function writer(orders) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const app = await w.admittedApp(world, 'Writes', 'controlled');
  const s = await world.developer.post('/subscriptions', { app_id: app, api_id: orders, purpose: 'order management', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at: low' });
  const { id } = await world.developer.post('/credentials', { app_id: app, algorithm: 'ecdsa-p256-sha256', public_key: publicKey.export({ type: 'spki', format: 'pem' }) });
  return { key: { id, algorithm: 'ecdsa-p256-sha256', sign: (base) => crypto.sign('sha256', Buffer.from(base), { key: privateKey, dsaEncoding: 'ieee-p1363' }) }, app, grant: (await w.grant(world, app, orders)).id };
}

test('[SW-8.3.2-e2, EC-7.1.4.1a, EC-6.1.3.2] one app reads rows, writes them and is told of them, and makes none that it could not read: a write through the platform is an event at once, long before the rows are looked at again', async () => {
  const file = path.join(p.dir, 'lite.db');
  execFileSync('sqlite3', [file, "CREATE TABLE lite (order_id TEXT PRIMARY KEY, merchant_id TEXT, quantity INTEGER, buyer_phone TEXT, version INTEGER); INSERT INTO lite VALUES ('1', 'M00001', 1, '13812345678', 1), ('2', 'M00002', 2, '13912345678', 2);"]);
  const source = await world.provider.post('/sources', { name: 'lite', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'lite', source_id: source.id, table: 'lite', owner_column: 'merchant_id' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, { ...w.LEVELS, version: 1 }), row_filter: 'quantity=lt.100', writable: { operations: ['insert', 'update', 'delete'], fields: ['order_id', 'quantity', 'buyer_phone'] } }, dataset.revision);
  const orders = (await world.provider.act('datasets', dataset.id, 'publish', { name: 'lite', version: 'v1', path: ORDERS, title: 'Lite' })).id;
  const a = await world.provider.get(`/apis/${orders}`);
  await world.provider.patch(`/apis/${orders}`, { class: 'A2', methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'] }, a.revision);
  const changes = await world.provider.post('/apis', { name: 'lite-changes', version: 'v1', path: CHANGES, kind: 'topic', class: 'A1', access: 'subscription', dataset_id: dataset.id, title: 'Changes' });
  await world.provider.post('/topics', { api_id: changes.id, poll_ms: 86400000 });
  await world.provider.act('apis', changes.id, 'publish');
  const me = await writer(orders);
  await w.subscription(world, me.app, changes.id);
  await w.grant(world, me.app, changes.id);
  const told = async () => (await p.call(`${CHANGES}?after=0`, { key: me.key })).json?.events ?? [];
  const write = (method, target, body) => p.call(ORDERS + target, { method, body: body && JSON.stringify(body), key: me.key, grant: me.grant });
  lite = { dataset: dataset.id, file, me, write };
  await until(() => state('SELECT count(*) FROM row') === '2', { ms: 15000, what: 'the rows as they were' });
  await until(async () => (await p.call(`${CHANGES}?after=0`, { key: me.key })).status === 200, { ms: 10000, what: 'the topic' });
  await until(async () => (await write('PATCH', '?order_id=eq.1', { quantity: 7 })).status === 204, { ms: 10000, what: 'the write' });
  assert.equal((await p.call(`${ORDERS}?order_id=eq.1`, { key: me.key, grant: me.grant })).json[0].quantity, 7);
  await until(async () => (await told()).length >= 1, { ms: 10000, what: 'the event of the write' });
  for (const [method, at, body] of [['POST', '', { order_id: '9', quantity: 100 }], ['PATCH', '?order_id=eq.1', { quantity: 500 }]]) refused(await write(method, at, body), 403, 'row-forbidden');
  assert.equal((await write('POST', '', { order_id: '3', quantity: 3 })).status, 201);
  await until(async () => (await told()).length >= 2, { ms: 10000, what: 'the event of the insert' });
  assert.deepEqual((await told()).map((e) => [e.type, e.data]), [['dataset.update', { order_id: '1', merchant_id: 'M00001', quantity: 7, buyer_phone: '138****5678', version: 1 }],
    ['dataset.insert', { order_id: '3', merchant_id: 'M00001', quantity: 3, buyer_phone: null, version: null }]]);
});

test('[EC-4.2.1c1] under a row filter of an owner\'s grant a row outside is neither read nor written, and under one of a subscription none is told of', async () => {
  const { dataset, me } = lite;
  const orders = (await world.provider.list('apis', { dataset_id: dataset })).find((a) => a.path === ORDERS).id;
  const changes = (await world.provider.list('apis', { dataset_id: dataset })).find((a) => a.path === CHANGES).id;
  const few = await w.grant(world, me.app, orders, { row_filter: 'quantity=lt.10' });
  assert.deepEqual(few.row_filter_text, { en: 'quantity is less than "10"', zh: 'quantity 小于 "10"' });
  const write = (method, target, body) => p.call(ORDERS + target, { method, body: body && JSON.stringify(body), key: me.key, grant: few.id });
  await until(async () => (await write('GET', '')).status === 200, { ms: 10000, what: 'the grant' });
  assert.equal((await lite.write('POST', '', { order_id: '50', quantity: 50 })).status, 201);
  assert.deepEqual((await write('GET', '?select=order_id&order=order_id')).json.map((r) => r.order_id), ['1', '3']);
  for (const [method, at, body] of [['POST', '', { order_id: '8', quantity: 10 }], ['PATCH', '?order_id=eq.1', { quantity: 11 }]]) refused(await write(method, at, body), 403, 'row-forbidden');
  assert.deepEqual((await p.call(`${ORDERS}?order_id=eq.50`, { method: 'DELETE', headers: { prefer: 'return=representation' }, key: me.key, grant: few.id })).json, [], 'it is none of these to delete');
  assert.equal((await lite.write('GET', '?order_id=eq.50')).json.length, 1);
  assert.equal((await write('PATCH', '?order_id=eq.1', { quantity: 9 })).status, 204);
  // Of events only what needs no database to judge.
  const app = await w.admittedApp(world, 'Few', 'controlled');
  const ask = (row_filter) => world.developer.post('/subscriptions', { app_id: app, api_id: changes, purpose: 'order management', max_level: 2, row_filter });
  for (const bad of ['order_id=like.1*', 'order_id=gt.1', 'nope=eq.1']) await restRefuses(ask(bad), 'field-invalid', '/row_filter');
  const s = await ask('quantity=lt.10');
  await world.operator.act('subscriptions', s.id, 'approve');
  await w.grant(world, app, changes);
  const key = await w.credential(world, app);
  const hook2 = await startHook();
  await world.developer.post('/event_subscriptions', { app_id: app, api_id: changes, name: 'few', mode: 'webhook', url: hook2.url, start: 'all' });
  const told = async (k) => (await p.call(`${CHANGES}?after=0`, { key: k })).json?.events ?? [];
  await until(async () => (await told(me.key)).some((e) => e.data.order_id === '1' && e.data.quantity === 9), { ms: 10000, what: 'the last event' });
  assert.ok((await told(me.key)).some((e) => e.data.quantity === 50), 'who has no filter is told');
  const want = (await told(me.key)).filter((e) => e.data.quantity < 10).map((e) => e.id);
  await until(async () => (await told(key)).length === want.length, { ms: 10000, what: 'the events of few' });
  assert.deepEqual((await told(key)).map((e) => e.id), want);
  await until(() => hook2.seen.length >= want.length, { ms: 10000, what: 'the pushed events' });
  assert.deepEqual(hook2.seen.map((e) => e.id), want);
  hook2.server.closeAllConnections();
  hook2.server.close();
  assert.equal((await lite.write('DELETE', '?order_id=eq.50')).status, 204);
});

test('[SW-8.3.2-e1] with a column that grows with each change only the rows changed since are read; what went is found when all are, at once when it went through the platform', async () => {
  const { me, write, file } = lite;
  const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', file, text]);
  const row = await world.provider.post('/apis', { name: 'lite-growing', version: 'v1', path: GROWING, kind: 'topic', class: 'A1', access: 'subscription', dataset_id: lite.dataset, title: 'Growing' });
  for (const change_column of ['buyer_phone', 'no_such']) await restRefuses(world.provider.post('/topics', { api_id: row.id, poll_ms: 500, change_column }), 'field-invalid', '/change_column');
  await restRefuses(world.provider.post('/topics', { api_id: api, change_column: 'version' }), 'already-exists', '/api_id');
  await world.provider.post('/topics', { api_id: row.id, poll_ms: 500, change_column: 'version', sweep_s: 86400 });
  await world.provider.act('apis', row.id, 'publish');
  await w.subscription(world, me.app, row.id);
  await w.grant(world, me.app, row.id);
  const mark = () => state(`SELECT mark FROM look WHERE topic = x'${row.id.replaceAll('-', '')}'`);
  await until(() => mark() === '2', { ms: 15000, what: 'the first look' });
  const told = async () => (await p.call(`${GROWING}?after=0`, { key: me.key })).json?.events ?? [];
  sql("UPDATE lite SET quantity = 8 WHERE order_id = '1'; UPDATE lite SET quantity = 9, version = 5 WHERE order_id = '3';"); // the first without growing: not read
  await until(async () => (await told()).length >= 1, { ms: 10000, what: 'the row that grew' });
  assert.deepEqual((await told()).map((e) => [e.type, e.data.order_id, e.data.quantity]), [['dataset.update', '3', 9]]);
  await until(() => mark() === '5', { ms: 10000, what: 'the new mark' });
  assert.equal((await write('DELETE', '?order_id=eq.3')).status, 204);
  await until(async () => (await told()).some((e) => e.type === 'dataset.delete'), { ms: 10000, what: 'the row that went' });
  // That look was at all rows, so it found the other change too.
  assert.deepEqual((await told()).slice(1).map((e) => [e.type, e.data.order_id]).sort(), [['dataset.delete', '3'], ['dataset.update', '1']]);
});
