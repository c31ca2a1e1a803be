// SPDX-License-Identifier: Apache-2.0
// A dataset of a real PostgreSQL that the test starts itself; the database goes and comes back.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { freePorts, Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';
import { ORDER_COLUMNS, orderRows } from '../../demo/generate.mjs';
import { ordersTable, Postgres, postgresConnection } from './lib/postgres.mjs';

let p;
let pg;
let world;
const call = (query = '') => p.call(`/trade/orders/v1${query}`, { key: world.key, grant: world.grant });

before(async () => {
  p = await Platform.start();
  const [port] = await freePorts(1);
  pg = new Postgres(p.dir, port);
  pg.create();
  pg.start();
  pg.sql(ordersTable());
  world = await w.trading(p, { connection: postgresConnection(port) });
});
after(async () => {
  try { pg?.stop(); } catch { /* it may be stopped already */ }
  await p?.stop();
});

test('[SW-8.1-p4] tables, columns, types and keys are read from PostgreSQL', async () => {
  const { columns } = await world.provider.get(`/sources/${world.source}/tables/orders`);
  assert.equal(columns.length, ORDER_COLUMNS.length);
  assert.equal(columns.find((c) => c.name === 'order_id').key, true);
  assert.match(JSON.stringify(columns.find((c) => c.name === 'amount')), /numeric/i);
});

test('[EC-4.3.2d] rows come masked, numbers exact, only the owner\'s', async () => {
  const all = rows(await call('?limit=1000&order=order_id'), 20);
  const [, , title, , quantity, amount] = orderRows(w.SEED, 1, w.MERCHANTS).next().value;
  assert.deepEqual([all[0].product_title, all[0].quantity, Number(all[0].amount)], [title, quantity, Number(amount)]);
  assert.ok(all.every((r) => r.merchant_id === 'M00001' && /\*/.test(r.buyer_phone) && !('card_number' in r)));
});

test('filters, order, ranges and counts are PostgREST\'s', async () => {
  assert.equal(rows(await call('?select=order_id,quantity&quantity=gte.3&order=quantity.desc,order_id.asc')).every((r) => r.quantity >= 3 && Object.keys(r).length === 2), true);
  assert.equal(rows(await call('?order_id=in.(O000000001,O000000011)')).length, 2);
  const counted = await p.call('/trade/orders/v1?limit=5&offset=5', { key: world.key, grant: world.grant, headers: { prefer: 'count=exact' } });
  assert.equal(counted.headers['content-range'], '5-9/20');
});

test('[SW-8.2-0a] a change in the database shows on the next call', async () => {
  pg.sql("UPDATE orders SET status = '已关闭' WHERE order_id = 'O000000001';");
  assert.equal(rows(await call('?order_id=eq.O000000001'), 1)[0].status, '已关闭');
});

test('a database that is gone is refused plainly, and served again when it is back', async () => {
  pg.stop();
  const gone = await call('?limit=1');
  refused(gone, 503, 'source-unavailable');
  assert.ok(!/sluice|127\.0\.0\.1|5432/.test(gone.json.detail ?? ''), 'the caller learns nothing about the database');
  pg.start();
  await until(async () => (await call('?limit=1')).status === 200, { ms: 10000, what: 'the rows' });
});

test('[SW-9.8-sto1] an account that may do more than read is told in the security report; one that only reads is well', async () => {
  const found = async () => (await world.operator.post('/security_reports')).content.flatMap((s) => s.controls).find((c) => c.control === 'least-privilege');
  assert.deepEqual([(await found()).active, (await found()).found], [false, '1 of 1 are otherwise']);
  pg.sql('CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON orders TO reader;');
  const source = await world.provider.get(`/sources/${world.source}`);
  await world.provider.patch(`/sources/${world.source}`, { connection: `${postgresConnection(pg.port).replace('Uid=sluice', 'Uid=reader')}` }, source.revision);
  await world.provider.act('sources', world.source, 'check');
  assert.equal((await found()).active, true);
  await until(async () => (await call('?limit=1')).status === 200, { ms: 10000, what: 'the orders by the reader' });
});

const source = () => world.provider.get(`/sources/${world.source}`);
const change = async (more) => world.provider.patch(`/sources/${world.source}`, more, (await source()).revision);
const disabled = (why) => until(async () => (await source()).state === 'disabled' && (await world.operator.list('alerts', { kind: 'source-account' })).some((a) => a.reason.includes(why)), { ms: 15000, what: `the end of the source: ${why}` });
const unread = () => until(async () => (await call('?limit=1')).json?.code === 'source-unavailable', { ms: 15000, what: 'the refusal' });
const served = () => until(async () => (await call('?limit=1')).status === 200, { ms: 10000, what: 'the orders' });

test('[SW-9.8-sto1] where an administrator says so, a source is not read by an account that may do more than it needs, nor any more by one that came to', async () => {
  const reader = postgresConnection(pg.port).replace('Uid=sluice', 'Uid=reader');
  const [setting] = await world.admin.list('stage_settings', { name: 'source-rights' });
  await restRefuses(world.admin.patch(`/stage_settings/${setting.id}`, { value: 'perhaps' }, setting.revision), 'field-invalid');
  await world.admin.patch(`/stage_settings/${setting.id}`, { value: 'refuse' }, setting.revision);
  await change({ connection: postgresConnection(pg.port) });
  await restRefuses(world.provider.act('sources', world.source, 'check'), 'not-permitted', '/connection');
  await unread();
  await change({ connection: reader });
  await world.provider.act('sources', world.source, 'check');
  await served();
  pg.sql('GRANT INSERT ON orders TO reader;');
  await restRefuses(world.provider.act('sources', world.source, 'check'), 'not-permitted', '/connection');
  await disabled('may write');
  await unread();
  await restRefuses(world.provider.act('sources', world.source, 'enable'), 'not-permitted', '/connection');
  await change({ for_writing: true });
  await world.provider.act('sources', world.source, 'enable');
  pg.sql('ALTER ROLE reader CREATEDB;');
  await restRefuses(world.provider.act('sources', world.source, 'check'), 'not-permitted', '/connection');
  await disabled('administer');
  pg.sql('ALTER ROLE reader NOCREATEDB; REVOKE INSERT ON orders FROM reader;');
  await world.provider.act('sources', world.source, 'check');
  await served();
});

test('[EC-4.3.2c] the account of a source is its supply credential: past its end nothing is read by it', async () => {
  await change({ credential_expires_at: new Date(Date.now() + 1000).toISOString() });
  await unread();
  await disabled('until then');
  assert.equal((await world.provider.list('notices', { kind: 'source-account', object_id: world.source })).length > 0, true);
  await restRefuses(world.provider.act('sources', world.source, 'enable'), 'not-permitted', '/credential_expires_at');
  await restRefuses(world.provider.act('sources', world.source, 'check'), 'not-permitted', '/credential_expires_at');
  await change({ credential_expires_at: w.IN_A_YEAR });
  await world.provider.act('sources', world.source, 'enable');
  await served();
});

test('[EC-5.1b] what a unit\'s own database says of encryption and copies is shown, and held against the policy', async () => {
  const life = async () => (await world.provider.list('dataset_lives', { dataset_id: world.dataset }))[0];
  const storage = async () => (await world.provider.get(`/dataset_lives/${(await life()).id}/view`)).storage;
  const policy = async (more) => { const l = await life(); return world.provider.patch(`/dataset_lives/${l.id}`, more, l.revision); };
  assert.deepEqual((await policy({ must_encrypt: true, encryption: 'LUKS' })).breaches, ['plain-connection']);
  assert.equal((await world.operator.list('alerts', { kind: 'data-storage' })).at(-1).reason, '["plain-connection"]');
  const plain = await storage();
  assert.deepEqual([plain.connection_tls, plain.tables_encrypted, plain.checksums, plain.copies_log, plain.copied_at], [false, null, false, false, null]);
  pg.secure();
  await change({ connection: `${postgresConnection(pg.port).replace('Uid=sluice', 'Uid=reader')};SSLmode=require` });
  await world.provider.act('sources', world.source, 'check');
  assert.equal((await storage()).connection_tls, true);
  assert.deepEqual((await policy({ encryption: 'LUKS, aes-xts' })).breaches, []);
  await served();
});
