// SPDX-License-Identifier: Apache-2.0
// What a database does to those who read it: too few connections, text in another encoding, tables that change and
// databases that go while an export reads them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform, freePorts } from './lib/platform.mjs';
import { Postgres, postgresConnection } from './lib/postgres.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const LEVELS = Object.fromEntries(['n', 'id', 'name', 'note', 'pad', 'gate'].map((f) => [f, 1]));
let p;
let pg;
let world;
let names; // the SQLite source of names
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const sqlite = (file, sql) => execFileSync('sqlite3', [file], { input: sql });

async function source(name, connection, more = {}) {
  const made = await world.provider.post('/sources', { name, organisation_id: world.holder, kind: 'odbc', connection, ...more });
  await world.provider.act('sources', made.id, 'check');
  return made.id;
}

async function patched(id, body) {
  const { revision } = await world.provider.get(`/sources/${id}`);
  return world.provider.patch(`/sources/${id}`, body, revision);
}

async function publish(name, body) {
  const d = await world.provider.post('/datasets', { name, table: name, ...body });
  await world.provider.patch(`/datasets/${d.id}`, { fields: w.classify(d.fields, LEVELS) }, d.revision);
  const api = await world.provider.act('datasets', d.id, 'publish', { name, version: 'v1', path: `/${name}/v1`, title: name, batch: true });
  await w.subscription(world, world.app, api.id);
  await until(async () => ![404, 403].includes((await call(`/${name}/v1?limit=0`)).status), { ms: 10000, what: name });
}

// 中国 and 联通 in GB18030, which the latter is UTF-8 of something else as well; a byte that is nothing; ASCII.
const NAMES = `CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT, note TEXT);
  INSERT INTO names VALUES (1, CAST(x'D6D0B9FA' AS TEXT), 'a'), (2, CAST(x'C1AACDA8' AS TEXT), CAST(x'FF41D6D0' AS TEXT)), (3, 'plain', NULL);`;

before(async () => {
  p = await Platform.start();
  const [port] = await freePorts(1);
  pg = new Postgres(p.dir, port);
  pg.create();
  pg.start();
  pg.sql(`CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
    CREATE TABLE big (id integer PRIMARY KEY, pad text);
    INSERT INTO big SELECT g, repeat('x', 700) FROM generate_series(1, 60000) g; ANALYZE big;
    CREATE FUNCTION gate(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF i = 30001 THEN PERFORM pg_sleep(2); END IF; RETURN i; END $$;
    CREATE FUNCTION pace(i integer) RETURNS integer VOLATILE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN i; END $$;
    CREATE VIEW paced AS SELECT pace(id) AS id FROM big WHERE id <= 600;
    CREATE VIEW slow AS SELECT id, pad, gate(id) AS gate FROM big;
    \\c old\nCREATE TABLE oldnames (id integer PRIMARY KEY, name text);
    INSERT INTO oldnames VALUES (1, convert_from('\\xd6d0b9fa', 'SQL_ASCII')), (2, 'plain');`);
  world = await w.people(p);
  const file = path.join(p.dir, 'names.db');
  sqlite(file, NAMES);
  names = await source('names', w.sqliteConnection(file));
  await publish('names', { source_id: names });
});
after(async () => { try { pg?.stop(); } catch { /* stopped already */ } await p?.stop(); });

test('text that is not UTF-8 is told apart, and given and asked for in its own encoding once that is said', async () => {
  const before = rows(await call('/names/v1?order=id'), 3);
  assert.match(before[0].name, /\uFFFD/, 'never broken text, and never guessed at');
  assert.equal(before[2].name, 'plain');
  await restRefuses(patched(names, { encoding: 'KLINGON' }), 'field-invalid', '/encoding');
  await patched(names, { encoding: 'GB18030' });
  await until(async () => rows(await call('/names/v1?id=eq.1'), 1)[0].name === '中国', { ms: 10000, what: 'the encoding' });
  const all = rows(await call('/names/v1?order=id'), 3);
  assert.deepEqual(all, [{ id: 1, name: '中国', note: 'a' }, { id: 2, name: '联通', note: '\uFFFDA中' }, { id: 3, name: 'plain', note: null }]);
  const ids = async (query) => rows(await call(`/names/v1?select=id&order=id&${query}`)).map((r) => r.id);
  const q = encodeURIComponent;
  assert.deepEqual(await ids(`name=eq.${q('联通')}`), [2]);
  assert.deepEqual(await ids(`name=in.(${q('中国')},plain)`), [1, 3]);
  const seen = [];
  for (let next = ''; next !== undefined;) {
    const a = await call(`/names/v1?select=id&order=name&limit=1&after=${q(next)}`);
    seen.push(...rows(a).map((r) => r.id));
    next = a.headers['sluice-next'];
  }
  assert.deepEqual([...seen].sort(), [1, 2, 3], 'a cursor holds the value and finds its place again');
  const h = await world.provider.post('/harvests', { source_id: names });
  await until(async () => (await world.provider.get(`/harvests/${h.id}`)).state === 'done', { ms: 15000, what: 'the harvest' });
});

test('a PostgreSQL that knows no encoding is read and asked in what it is said to be', async () => {
  const old = await source('old', postgresConnection(pg.port).replace('Database=postgres', 'Database=old'), { encoding: 'GB18030' });
  await publish('oldnames', { source_id: old });
  assert.deepEqual(rows(await call('/oldnames/v1?order=id')), [{ id: 1, name: '中国' }, { id: 2, name: 'plain' }]);
  assert.deepEqual(rows(await call(`/oldnames/v1?select=id&name=eq.${encodeURIComponent('中国')}`)), [{ id: 1 }]);
  assert.deepEqual(rows(await call(`/oldnames/v1?select=id&name=like.${encodeURIComponent('中')}*`)), [{ id: 1 }]);
});

test('a source with all its connections in use refuses after a moment, and holds up nobody else', async () => {
  await patched(names, { max_connections: 1, connection_wait_ms: 50 });
  await publish('forever', { source_id: names, query_timeout_ms: 3000, fields: w.classify([{ column: 'n', name: 'n', type: 'integer', key: true }], LEVELS),
    query: 'WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) AS n FROM r' });
  let busy = call('/forever/v1');
  const refusal = await until(async () => {
    const a = await call('/names/v1?limit=1');
    if (a.status !== 200) return a;
    busy = await Promise.race([busy.then(() => call('/forever/v1')), Promise.resolve(busy)]);
    return null;
  }, { ms: 15000, what: 'a call that finds no connection' });
  refused(refusal, 503, 'source-busy');
  assert.equal(rows(await call('/oldnames/v1'), 2).length, 2, 'another source answers');
  await patched(names, { max_connections: 2 });
  await until(async () => (await call('/names/v1?limit=1')).status === 200, { ms: 15000, what: 'a second connection' });
  await busy;
});

async function exporting() {
  const a = await call('/slow/v1/exports', { method: 'POST', body: JSON.stringify({ format: 'ndjson' }) });
  assert.equal(a.status, 202, a.text);
  await until(async () => (await call(`/slow/v1/exports/${a.json.id}`)).json?.progress?.chunks > 0, { every: 10, ms: 15000, what: 'the first rows' });
  return a.json.id;
}

async function fails(id, problem) {
  const job = await until(async () => {
    const j = (await call(`/slow/v1/exports/${id}`)).json;
    return !['queued', 'running'].includes(j.state) && j;
  }, { ms: 15000, what: 'the end of the export' });
  assert.deepEqual([job.state, job.error?.code], ['failed', problem], JSON.stringify(job));
  assert.equal((await call(`/slow/v1/exports/${id}/data`)).status, 410, 'nothing half is given');
}

test('a table without a key is exported by one statement, which may take longer than a call\'s', async () => {
  const paced = await source('paced', postgresConnection(pg.port));
  await publish('paced', { source_id: paced, fields: w.classify([{ column: 'id', name: 'id', type: 'integer' }], LEVELS) });
  const asked = await call('/paced/v1/exports', { method: 'POST', body: '{}' });
  assert.equal(asked.status, 202, asked.text);
  const job = await until(async () => { const { json } = await call(`/paced/v1/exports/${asked.json.id}`); return !['queued', 'running'].includes(json?.state) && json; }, { ms: 30000, what: 'the export' });
  assert.deepEqual([job.state, job.progress.rows], ['ready', 600], JSON.stringify(job));
});

test('a table that changes, or a database that goes, in the middle of an export: it fails by its name and leaves nothing', async () => {
  const trade = await source('trade', postgresConnection(pg.port));
  await publish('slow', { source_id: trade, fields: w.classify(['id', 'pad', 'gate'].map((name) => ({ column: name, name, type: name === 'pad' ? 'string' : 'integer', key: name === 'id' })), LEVELS) });
  const changed = await exporting();
  pg.sql('ALTER VIEW slow RENAME COLUMN pad TO filling'); // waits for the page that is being read
  await fails(changed, 'source-changed');
  pg.sql('ALTER VIEW slow RENAME COLUMN filling TO pad');
  const gone = await exporting();
  pg.stop();
  await fails(gone, 'source-unavailable');
  pg.start();
  await until(async () => (await call('/slow/v1?limit=1')).status === 200, { ms: 10000, what: 'the table again' });
});
