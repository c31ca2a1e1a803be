// SPDX-License-Identifier: Apache-2.0
// Data as files: export jobs through the gateway, their manifests, ranges and ends.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { refused, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ORDERS = '/trade/orders/v1';
let p;
let world;

const call = (target, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const sm3 = (bytes) => createHash('sm3').update(bytes).digest('hex');

async function ask(query = '', body = {}, more = {}) {
  const a = await call(`${ORDERS}/exports${query}`, { method: 'POST', body: JSON.stringify(body), ...more });
  assert.equal(a.status, 202, a.text);
  assert.equal(a.headers.location, `${ORDERS}/exports/${a.json.id}`);
  return a.json;
}

const ended = (id, more) => until(async () => {
  const a = await call(`${ORDERS}/exports/${id}`, more);
  return !['queued', 'running'].includes(a.json?.state) && a.json;
}, { ms: 15000, what: `the export ${id}` });

async function made(query, body, more) {
  const job = await ended((await ask(query, body, more)).id, more);
  assert.equal(job.state, 'ready', JSON.stringify(job));
  return job;
}

const data = (job, more) => call(`${ORDERS}/exports/${job.id}/data`, more);
const manifest = async (job, more) => (await call(`${ORDERS}/exports/${job.id}/manifest`, more)).json;
const lines = (bytes) => bytes.toString('utf8').trimEnd().split('\n').map((l) => JSON.parse(l));

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 3000 });
  const api = await world.provider.get(`/apis/${world.api}`);
  refused(await call(`${ORDERS}/exports`, { method: 'POST', body: '{}' }), 405, 'method-not-allowed');
  await world.provider.patch(`/apis/${world.api}`, { batch: true }, api.revision);
  await until(async () => (await call(`${ORDERS}/exports`)).json?.items, { ms: 10000, what: 'exports to be on' });
});
after(async () => { await p?.stop(); });

// A table of its own, large enough for several chunks, nobody's in particular.
const BULK = '/bulk/readings/v1';
const BULK_ROWS = 90000;
let bulkFile;
const sql = (text) => execFileSync('sqlite3', [bulkFile], { input: `.timeout 5000\n${text};` });
async function bulk() {
  bulkFile = path.join(p.dir, 'bulk.db');
  sql(`CREATE TABLE readings (region TEXT NOT NULL, id INTEGER NOT NULL, phone TEXT, note TEXT, at TEXT, PRIMARY KEY (region, id)) WITHOUT ROWID;
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${BULK_ROWS})
    INSERT INTO readings SELECT printf('r%d', i % 7), i, printf('138%08d', i), CASE WHEN i % 5 = 0 THEN '=1+' || i ELSE 'plain, "quoted" ' || i END || printf('%.*c', 60, 'x'), printf('2026-01-%02d', i % 28 + 1) FROM n`);
  const source = await world.provider.post('/sources', { name: 'bulk', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(bulkFile) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'readings', source_id: source.id, table: 'readings' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, { region: 1, id: 1, phone: [3, 'phone'], note: 1, at: 1 }) }, dataset.revision);
  const api = await world.provider.act('datasets', dataset.id, 'publish', { name: 'readings', version: 'v1', path: BULK, title: 'Readings', batch: true });
  await w.subscription(world, world.app, api.id);
  await until(async () => (await p.call(`${BULK}?limit=1`, { key: world.key })).status === 200, { ms: 10000, what: 'the readings' });
  return api.id;
}
const bulkCall = (target, more = {}) => p.call(target, { key: world.key, ...more });
async function bulkAsk(body, query = '') {
  const a = await bulkCall(`${BULK}/exports${query}`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(a.status, 202, a.text);
  return a.json.id;
}
const bulkState = async (id) => (await bulkCall(`${BULK}/exports/${id}`)).json;
const bulkEnd = (id) => until(async () => { const j = await bulkState(id); return j && !['queued', 'running'].includes(j.state) && j; }, { ms: 25000, what: `the export ${id}` });

test('[SW-8.2b-6, SW-8.2c3-1, SW-8.3.2-d, EC-6.1.4.2] an export has the very rows and masks that calls have, and is whole', async () => {
  const told = [];
  for (let at = 0; ; at += 1000) {
    const page = rows(await call(`${ORDERS}?order=order_id&limit=1000&offset=${at}`));
    told.push(...page);
    if (page.length < 1000) break;
  }
  assert.ok(told.length > 200);
  const job = await made('?status=neq.none', { format: 'ndjson' });
  assert.equal(job.progress.rows, told.length);
  const file = await data(job);
  assert.equal(file.status, 200);
  assert.match(file.headers['content-type'], /ndjson/);
  const key = (r) => String(r.order_id);
  const sorted = (list) => [...list].sort((a, b) => key(a).localeCompare(key(b)));
  assert.deepEqual(sorted(lines(file.bytes)), sorted(told));
  assert.ok(!('card_number' in lines(file.bytes)[0]), 'level 4 leaves in a file no more than in an answer');
  const m = await manifest(job);
  assert.equal(m.files[0].sm3, sm3(file.bytes));
  assert.equal(m.files[0].rows, told.length);
  assert.equal(m.grant_id, world.grant);
  assert.deepEqual(m.fields.find((f) => f.name === 'buyer_phone'), { name: 'buyer_phone', level: 3, outcome: 'mask', mask: 'phone' });
  const record = await until(() => records(p, '--txn', file.txn)[0], { what: 'the record' });
  assert.equal(record.rows, told.length);
});

test('[SW-9.8-tra1, SW-8.2b-6] CSV and XML, packed as the two agree: fewer bytes, the same rows, no cell that is a formula', async () => {
  await bulk();
  const [packed, plain] = await Promise.all([bulkAsk({ format: 'csv', compression: ['brotli', 'gzip', 'none'] }), bulkAsk({ format: 'csv', compression: 'none' })]);
  const [a, b] = await Promise.all([packed, plain].map(bulkEnd));
  assert.deepEqual([a.state, a.compression, b.state], ['ready', 'gzip', 'ready'], JSON.stringify([a, b]));
  const [small, big] = await Promise.all([a, b].map((job) => bulkCall(`${BULK}/exports/${job.id}/data`)));
  assert.ok(small.bytes.length < big.bytes.length / 3, `${small.bytes.length} of ${big.bytes.length}`);
  assert.ok(gunzipSync(small.bytes).equals(big.bytes));
  const [head, first] = big.text.split('\r\n');
  assert.equal(head, 'region,id,phone,note,at');
  assert.match(first, /^r0,0,138\*{4}0000,"'=1\+0x+",2026-01-01$/);
  assert.equal(big.text.split('\r\n').length, BULK_ROWS + 2);
  const xml = await bulkEnd(await bulkAsk({ format: 'xml', compression: 'none' }, '?id=lt.20&order=id'));
  const text = (await bulkCall(`${BULK}/exports/${xml.id}/data`)).text;
  assert.equal(text.match(/<row>/g).length, 20);
  assert.match(text, /<note>plain, &quot;quoted&quot; 1x+<\/note>/);
});

test('[SW-9.8-tra2, SW-9.8-tra3] a download that broke off goes on by ranges; a chunk that arrives altered is found by its digest and fetched again', async () => {
  const job = await bulkEnd(await bulkAsk({ format: 'ndjson', compression: 'none' }));
  const target = `${BULK}/exports/${job.id}/data`;
  const m = (await bulkCall(`${BULK}/exports/${job.id}/manifest`)).json;
  const { chunks } = m.files[0];
  assert.ok(chunks.length > 2, `${chunks.length} chunks`);
  const head = await bulkCall(target, { headers: { range: 'bytes=0-99999' } });
  assert.equal(head.status, 206);
  assert.equal(head.headers['content-range'], `bytes 0-99999/${m.files[0].bytes}`);
  const rest = await bulkCall(target, { headers: { range: 'bytes=100000-', 'if-range': head.headers.etag } });
  assert.equal(rest.status, 206);
  const whole = Buffer.concat([head.bytes, rest.bytes]);
  assert.equal(sm3(whole), m.files[0].sm3);
  assert.equal((await bulkCall(target, { headers: { range: 'bytes=5-9', 'if-range': '"another"' } })).status, 200, 'another file: all of it');
  refused(await bulkCall(target, { headers: { range: `bytes=${m.files[0].bytes}-` } }), 416, 'range-unsatisfiable');
  whole[chunks[1].offset + 7] ^= 1; // on the way
  const part = (c) => whole.subarray(c.offset, c.offset + c.bytes);
  const bad = chunks.filter((c) => sm3(part(c)) !== c.sm3);
  assert.deepEqual(bad, [chunks[1]]);
  const again = await bulkCall(target, { headers: { range: `bytes=${bad[0].offset}-${bad[0].offset + bad[0].bytes - 1}` } });
  again.bytes.copy(whole, bad[0].offset);
  assert.equal(sm3(whole), m.files[0].sm3);
  assert.equal(records(p, '--txn', again.txn)[0].rows, chunks[1].rows, 'recorded with what left');
});

test('[SW-9.8-tra3, SW-8.2b-6] kill -9 in the middle: the export goes on where it was, each row once', async () => {
  const id = await bulkAsk({ format: 'ndjson', compression: 'gzip' });
  await until(async () => { const j = await bulkState(id); return j?.progress?.chunks > 0 || j?.state === 'ready'; }, { every: 5, ms: 15000, what: 'the first chunk' });
  const [victim] = p.processes().data;
  process.kill(victim, 'SIGKILL');
  const job = await until(async () => { const j = await bulkState(id).catch(() => null); return j?.state === 'ready' && j; }, { ms: 25000, what: 'the export to be ready all the same' });
  const file = await bulkCall(`${BULK}/exports/${job.id}/data`);
  const ids = lines(gunzipSync(file.bytes)).map((r) => r.id);
  assert.equal(ids.length, BULK_ROWS);
  assert.equal(new Set(ids).size, BULK_ROWS);
});

test('[SW-8.2b-6] an incremental export has what came after the last one\'s cursor', async () => {
  const since = (after) => ({ format: 'ndjson', since: { column: 'id', ...(after ? { after } : {}) } });
  const first = await bulkEnd(await bulkAsk(since(), '?id=lt.100'));
  assert.equal(first.incremental.cursor, '99');
  const next = await bulkEnd(await bulkAsk(since('99'), '?id=lt.150'));
  assert.deepEqual([next.progress.rows, next.incremental.cursor], [50, '149']);
  refused(await bulkCall(`${BULK}/exports`, { method: 'POST', body: JSON.stringify({ since: { column: 'phone' } }) }), 422, 'field-invalid');
});

test('a source that goes away leaves nothing half made; hostile words are refused', async () => {
  const id = await bulkAsk({ format: 'csv' });
  await until(async () => (await bulkState(id))?.progress?.chunks > 0, { every: 5, ms: 15000, what: 'the first chunk' });
  sql('ALTER TABLE readings RENAME TO elsewhere');
  const job = await bulkEnd(id);
  sql('ALTER TABLE elsewhere RENAME TO readings');
  if (job.state !== 'ready') {
    assert.equal(job.error.code, 'source-unavailable');
    refused(await bulkCall(`${BULK}/exports/${id}/data`), 410, 'export-gone');
    assert.deepEqual(readdirSync(path.join(p.data, 'data/exports', id)), ['job.json']);
  }
  for (const body of ['{', '[]', '{"format":"xlsx"}', '{"compression":7}', '{"compression":["rar"]}', '{"more":1}', '{"expires_in_s":1}', '{"since":{"column":"id\' OR 1=1"}}']) {
    const a = await bulkCall(`${BULK}/exports`, { method: 'POST', body });
    assert.ok([400, 422].includes(a.status), `${body}: ${a.status}`);
  }
  refused(await bulkCall(`${BULK}/exports?nothing=eq.1`, { method: 'POST', body: '{}' }), 400, 'field-unknown');
  refused(await call(`${ORDERS}/exports?select=card_number`, { method: 'POST', body: '{}' }), 403, 'field-forbidden');
  refused(await bulkCall(`${BULK}/exports/not-one`), 404, 'not-found');
});

test('[SW-9.7-3d, SW-9.1-4c] a file is its app\'s alone, and leaves only while it may: not to another app, nor after a grant is revoked or a level raised', async () => {
  const second = await w.grant(world, world.app, world.api);
  await until(async () => (await p.call(`${ORDERS}?limit=1`, { key: world.key, grant: second.id })).status === 200, { ms: 10000, what: 'the second grant' });
  const job = await made('', { format: 'csv' }, { grant: second.id });
  const target = `${ORDERS}/exports/${job.id}/data`;
  const other = await w.admittedApp(world, 'Another app');
  const otherKey = await w.credential(world, other);
  await w.subscription(world, other, world.api);
  const otherGrant = await w.grant(world, other, world.api);
  const stranger = { key: otherKey, grant: otherGrant.id };
  await until(async () => (await p.call(`${ORDERS}?limit=1`, stranger)).status === 200, { ms: 10000, what: 'another app' });
  for (const part of ['', '/data', '/manifest', '/manifest.jws']) refused(await p.call(`${ORDERS}/exports/${job.id}${part}`, stranger), 404, 'not-found');
  refused(await p.call(`${ORDERS}/exports/${job.id}`, { ...stranger, method: 'DELETE' }), 404, 'not-found');
  assert.deepEqual((await p.call(`${ORDERS}/exports`, stranger)).json.items, []);
  refused(await bulkCall(`${BULK}/exports/${job.id}/data`), 404, 'not-found');
  refused(await p.send('GET', target), 401, 'signature-missing');
  const revoked = await world.owner.act('grants', second.id, 'revoke');
  assert.equal(revoked.state, 'revoked');
  await until(async () => (await p.call(target, { key: world.key, grant: second.id })).json?.code === 'grant-revoked', { ms: 10000, what: 'the revocation' });
  assert.equal((await data(job)).status, 200, 'another grant of the same owner opens it');
  const dataset = await world.provider.get(`/datasets/${world.dataset}`);
  await world.provider.patch(`/datasets/${world.dataset}`, { fields: dataset.fields.map((f) => (f.name === 'product_title' ? { ...f, level: 4 } : f)) }, dataset.revision);
  await until(async () => (await data(job)).json?.code === 'export-outdated', { ms: 10000, what: 'the new level' });
});

test('an export that is erased or over is gone, and so is its file', async () => {
  const job = await made('?limit=5', { format: 'ndjson', expires_in_s: 60 });
  const gone = await call(`${ORDERS}/exports/${job.id}`, { method: 'DELETE' });
  assert.equal(gone.json.state, 'erased');
  refused(await data(job), 410, 'export-gone');
  assert.deepEqual(readdirSync(path.join(p.data, 'data/exports', job.id)), ['job.json']);
});
