// SPDX-License-Identifier: Apache-2.0
// A real MariaDB from a database nobody has described to rows and files through the gateway.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { MariaDb } from './lib/mariadb.mjs';
import { Platform, freePorts } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

// Collations of MariaDB's own choice: 'open' is 'OPEN' to it, and 'm1' is 'M1'.
const TABLES = `
CREATE TABLE orders (id int PRIMARY KEY COMMENT '订单号', merchant varchar(20) NOT NULL, status varchar(20) COMMENT '状态', amount decimal(18,2), paid boolean, phone varchar(20),
  note json, made_on date, made_at datetime(3)) COMMENT '订单主表';
CREATE TABLE \`lines\` (line_id int PRIMARY KEY, order_id int, sku varchar(20), price decimal(10,2), card varchar(30));
CREATE TABLE \`we"ird \`\` '; DROP TABLE orders\` (\`a "b" \`\` c\` int PRIMARY KEY);
CREATE VIEW open_orders AS SELECT id, status FROM orders WHERE status = 'open';
INSERT INTO orders SELECT seq, concat('M', seq % 5), CASE seq % 4 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' WHEN 2 THEN 'sent' ELSE 'void' END, seq * 1.5, seq % 2, concat('1381234', lpad(seq, 4, '0')),
  json_object('port', json_object('code', concat('P', seq % 3)), 'tags', json_array('a', seq)), date_add('2026-01-01', INTERVAL seq % 28 DAY), '2026-01-01 02:03:04.567' FROM seq_1_to_400;
INSERT INTO orders VALUES (401, 'm1', 'OPEN', 9007199254740993.25, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE old (id int PRIMARY KEY, name varchar(20) CHARACTER SET gbk);
INSERT INTO old VALUES (1, '中国'), (2, 'plain');
INSERT INTO \`lines\` SELECT seq, (seq - 1) DIV 2 + 1, concat('SKU-', seq), seq, concat('6222020000000', lpad(seq, 6, '0')) FROM seq_1_to_800;`;
const LEVELS = { id: 1, merchant: 1, status: 1, amount: 2, paid: 1, phone: [3, 'phone'], note: 2, made_on: 1, made_at: 1, line_id: 1, order_id: 1, sku: 1, price: 2, card: [3, 'bank_card'], n: 1, region: 1, name: 1 };
let p;
let db;
let world;
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const query = (text) => `/orders/v1?${text}`;

async function dataset(name, more = {}) {
  const d = await world.provider.post('/datasets', { name, source_id: world.source, table: name, ...more });
  return world.provider.patch(`/datasets/${d.id}`, { fields: w.classify(d.fields, LEVELS) }, d.revision);
}

async function publish(d, name) {
  const made = await world.provider.act('datasets', d.id, 'publish', { name, version: 'v1', path: `/${name}/v1`, title: name, batch: true });
  await w.subscription(world, world.app, made.id);
  await until(async () => (await call(`/${name}/v1?limit=1`)).status === 200, { ms: 10000, what: name });
}

before(async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-'));
  const [port] = await freePorts(1);
  db = new MariaDb(dir, port);
  await db.create();
  db.sql(TABLES);
  p = await Platform.start({ dir });
  world = await w.people(p);
  world.source = (await world.provider.post('/sources', { name: 'trade', organisation_id: world.holder, kind: 'odbc', connection: db.connection })).id;
  await world.provider.act('sources', world.source, 'check');
  world.lines = await dataset('lines');
  await w.reviewed(world, 'datasets', world.lines.id);
  world.orders = await dataset('orders', { row_filter: 'status=neq.void', min_group: 5,
    relations: [{ name: 'lines', dataset_id: world.lines.id, local: 'id', foreign: 'order_id', many: true }] });
  await publish(world.orders, 'orders');
});
after(async () => { await p?.stop(); await db?.stop(); });

const harvested = (id, run) => until(async () => {
  const h = await world.provider.get(`/harvests/${id}`);
  return h.run === run && ['done', 'failed'].includes(h.state) && h;
}, { ms: 20000, what: `the end of run ${run}` });

async function itemsOf(h) {
  const items = await world.provider.list('harvest_items', { harvest_id: h.id, run: h.run });
  return Object.fromEntries(items.map((i) => [i.table, i]));
}

test('[SW-8.3.1-02, SW-7b2] MariaDB gives its comments, types, keys and sizes; what changed is harvested again', async () => {
  let h = await harvested((await world.provider.post('/harvests', { source_id: world.source })).id, 1);
  assert.equal(h.state, 'done');
  let items = await itemsOf(h);
  assert.deepEqual(Object.keys(items).sort(), ['lines', 'old', 'open_orders', 'orders', 'we"ird ` \'; DROP TABLE orders'].sort(), 'only what is the organisation\'s, not the server\'s own');
  assert.ok(Object.values(items).every((i) => i.state === 'created'), JSON.stringify(items));
  const orders = await world.provider.get(`/entries/${items.orders.entry_id}`);
  assert.equal(orders.name, '订单主表');
  assert.deepEqual([orders.schema, orders.volume], ['trade', 401]);
  assert.ok(orders.bytes > 0);
  const field = (name) => orders.fields.find((f) => f.name === name);
  assert.deepEqual([field('status').description, field('status').length, field('id').description], ['状态', 20, '订单号']);
  const { columns } = await world.provider.get(`/sources/${world.source}/tables/orders?schema=trade`);
  assert.deepEqual(columns.map((c) => [c.name, c.type, c.key, c.nullable]), [['id', 'integer', true, false], ['merchant', 'string', false, false], ['status', 'string', false, true],
    ['amount', 'number', false, true], ['paid', 'boolean', false, true], ['phone', 'string', false, true], ['note', 'json', false, true], ['made_on', 'date', false, true], ['made_at', 'datetime', false, true]]);
  db.sql("ALTER TABLE `lines` ADD COLUMN weight double COMMENT '重量'; DROP VIEW open_orders;");
  await world.provider.act('harvests', h.id, 'run');
  h = await harvested(h.id, 2);
  items = await itemsOf(h);
  assert.deepEqual([items.lines.state, items.orders.state, items.open_orders.state], ['changed', 'unchanged', 'gone']);
  const lines = await world.provider.get(`/entries/${items.lines.entry_id}`);
  assert.equal(lines.fields.find((f) => f.name === 'weight').description, '重量');
});

test('[SW-8.3.2-b1, EC-4.2.1c1] filters, order, counts and masks hold on MariaDB, equal to the letter', async () => {
  const all = rows(await call(query('select=id,status,phone&limit=1000&order=id')), 301);
  assert.ok(all.every((r) => r.status !== 'void'));
  assert.match(all[0].phone, /^138\*{4}\d{4}$/);
  rows(await call(query('status=eq.void')), 0);
  assert.deepEqual(rows(await call(query('select=id&status=eq.OPEN'))), [{ id: 401 }]);
  rows(await call(query('select=id&merchant=in.(M1,%22M1 %22)&limit=1000'.replace(' ', '%20'))), 60);
  const [first] = rows(await call(query('select=id,amount,paid,made_on,made_at,note&id=eq.1')), 1);
  assert.deepEqual(first, { id: 1, amount: 1.5, paid: true, made_on: '2026-01-02', made_at: '2026-01-01T02:03:04.567', note: { port: { code: 'P1' }, tags: ['a', 1] } });
  assert.match((await call(query('select=amount&id=eq.401'))).text, /9007199254740993\.25/, 'every digit of a decimal');
  assert.deepEqual(rows(await call(query('select=id&amount=eq.9007199254740993.25'))), [{ id: 401 }]);
  rows(await call(query('select=id&amount=eq.9007199254740993.24')), 0);
  assert.deepEqual(rows(await call(query('select=id&order=paid.desc.nullsfirst,id&limit=2'))), [{ id: 401 }, { id: 1 }]);
  rows(await call(query('select=id&status=like.OP*')), 1);
  rows(await call(query('select=id&status=ilike.OP*&limit=1000')), 101);
  rows(await call(query('select=id&status=match.%5Eop&limit=1000')), 100);
  refused(await call(query('status=match.(')), 400, 'query-malformed');
  rows(await call(query('select=id&paid=is.null')), 1);
  rows(await call(query('select=id&merchant=isdistinct.M1&limit=1000')), 241);
  const counted = await call(query('select=id&limit=5'), { headers: { prefer: 'count=exact' } });
  assert.equal(counted.headers['content-range'], '0-4/301');
  rows(await call(query("select=id&status=eq.' OR '1'='1").replaceAll(' ', '%20')), 0);
  refused(await call(query('phone=eq.13812340001')), 403, 'filter-forbidden');
});

test('[SW-3.3d] groups, related rows and steps into JSON are answered from MariaDB', async () => {
  const sums = rows(await call(query('select=status,amount_sum:amount.sum(),count()&order=status&status=neq.OPEN')), 3);
  assert.deepEqual(sums.map((r) => [r.status, r.count]), [['open', 100], ['paid', 100], ['sent', 100]]);
  rows(await call(query('select=id,count()')), 0);
  const [order] = rows(await call(query('select=id,lines(sku,price,card)&id=eq.4')), 1);
  assert.deepEqual(order.lines.map((l) => l.sku).sort(), ['SKU-7', 'SKU-8']);
  for (const line of order.lines) assert.match(line.card, /^622202\*+\d{4}$/);
  assert.deepEqual(rows(await call(query('select=id,note:note->port->>code&id=eq.4'))), [{ id: 4, note: 'P1' }]);
  assert.deepEqual(rows(await call(query('select=id,note:note->tags->1&id=eq.4'))), [{ id: 4, note: 4 }]);
  rows(await call(query('select=id&note->port->>code=eq.P1&limit=1000')), Array.from({ length: 400 }, (_, i) => i + 1).filter((i) => i % 4 !== 3 && i % 3 === 1).length);
});

test('[SW-8.2b-5] a cursor goes through all rows of MariaDB once', async () => {
  const seen = [];
  let next = '';
  for (let pages = 0; pages < 20; pages += 1) {
    const a = await call(query(`select=id,status&order=status.desc,amount,id&limit=40&after=${encodeURIComponent(next)}`));
    seen.push(...rows(a).map((r) => r.id));
    next = a.headers['sluice-next'];
    if (!next) break;
  }
  assert.deepEqual([seen.length, new Set(seen).size], [301, 301]);
});

async function exported(name) {
  const asked = await call(`/${name}/v1/exports`, { method: 'POST', body: JSON.stringify({ format: 'ndjson' }) });
  assert.equal(asked.status, 202, asked.text);
  const job = await until(async () => {
    const j = (await call(`/${name}/v1/exports/${asked.json.id}`)).json;
    return !['queued', 'running'].includes(j.state) && j;
  }, { ms: 15000, what: 'the export' });
  assert.equal(job.state, 'ready', JSON.stringify(job));
  return (await call(`/${name}/v1/exports/${job.id}/data`)).bytes.toString('utf8').trimEnd().split('\n').map((l) => JSON.parse(l));
}

test('[SW-8.2b-6] an export of MariaDB has the very rows and masks of calls; one without a key has each row once', async () => {
  const byId = (list) => [...list].sort((a, b) => a.id - b.id);
  assert.deepEqual(byId(await exported('orders')), byId(rows(await call(query('limit=1000&order=id')), 301)));
  db.sql("CREATE VIEW readings AS SELECT seq AS n, concat('r', seq % 7) AS region FROM seq_1_to_12000");
  await publish(await dataset('readings'), 'readings');
  const readings = await exported('readings'); // more than the driver is let take at once
  assert.deepEqual([readings.length, new Set(readings.map((r) => r.n)).size], [12000, 12000]);
});

test('a column in another character set is asked for and given in UTF-8', async () => {
  await publish(await dataset('old'), 'old');
  assert.deepEqual(rows(await call('/old/v1?order=id')), [{ id: 1, name: '中国' }, { id: 2, name: 'plain' }]);
  assert.deepEqual(rows(await call(`/old/v1?name=eq.${encodeURIComponent('中国')}`)).map((r) => r.id), [1]);
  refused(await call(`/old/v1?name=eq.${encodeURIComponent('😀')}`), 400, 'query-malformed'); // no such character there
});

test('[EC-6.1.4.1] hostile names of tables and columns are names and nothing more', async () => {
  const column = 'a "b" ` c';
  db.sql('INSERT INTO `we"ird `` \'; DROP TABLE orders` VALUES (7), (8)');
  const where = { source_id: world.source, schema: 'trade', table: 'we"ird ` \'; DROP TABLE orders' };
  await restRefuses(world.provider.post('/datasets', { name: 'weird', ...where }), 'field-invalid', '/fields/0/name');
  const d = await world.provider.post('/datasets', { name: 'weird', ...where, fields: w.classify([{ column, name: 'id', type: 'integer', key: true }], { [column]: 1 }) });
  await publish(d, 'weird');
  assert.deepEqual(rows(await call('/weird/v1?order=id.desc&id=gt.6')), [{ id: 8 }, { id: 7 }]);
  rows(await call(query('limit=1')), 1);
});

test('a page of ten is ten rows, however many millions are behind it', async () => {
  db.sql('CREATE VIEW very_many AS SELECT seq AS n FROM seq_1_to_2000000');
  await publish(await dataset('very_many'), 'very_many');
  assert.deepEqual(rows(await call('/very_many/v1?order=n.desc&limit=10')).map((r) => r.n), Array.from({ length: 10 }, (_, i) => 2000000 - i));
  rows(await call('/very_many/v1?order=n&n=gt.1999995&limit=10'), 5);
});

test('[SW-8.2-0a] a MariaDB that changes its table, or goes, is said to have, and is served again', async () => {
  db.sql('ALTER TABLE orders RENAME COLUMN merchant TO seller');
  refused(await call(query('limit=1')), 502, 'source-changed');
  db.sql('ALTER TABLE orders RENAME COLUMN seller TO merchant');
  rows(await call(query('limit=1')), 1);
  await db.stop();
  const gone = await call(query('limit=1'));
  refused(gone, 503, 'source-unavailable');
  assert.ok(!/mariadb|127\.0\.0\.1/i.test(gone.json.detail ?? ''), 'the caller learns nothing about the database');
  await restRefuses(world.provider.act('sources', world.source, 'check'), 'source-unavailable');
  await db.start();
  await until(async () => (await call(query('limit=1'))).status === 200, { ms: 10000, what: 'the rows' });
});
