// SPDX-License-Identifier: Apache-2.0
// A data service made where its data lies: a query tried, saved and used; tables as one thing of the business, called as one.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let source;
let file;
let entries; // by table

const sqlite = (sql) => execFileSync('sqlite3', [file], { input: sql });

async function edit(rest, plural, id, body) {
  const { revision } = await rest.get(`/${plural}/${id}`);
  return rest.patch(`/${plural}/${id}`, body, revision);
}

// Levels by column: 0 stays unclassified.
const classified = (fields, levels) => fields.map((f) => ({ ...f, level: levels[f.column] ?? 2, ...(levels[f.column] === 3 ? { mask: 'keep:1:1' } : {}) }));

async function api(dataset, name, more = {}) {
  const made = await world.provider.act('datasets', dataset, 'publish', { name, version: 'v1', path: `/${name}/v1`, title: name, ...more });
  await w.subscription(world, world.app, made.id);
  await until(async () => (await p.call(`/${name}/v1?limit=1`, { key: world.key })).status !== 404, { ms: 10000, what: name });
  return made;
}
const answer = (target) => until(async () => {
  const a = await p.call(target, { key: world.key });
  return a.status === 200 && a;
}, { ms: 10000, what: target });

before(async () => {
  p = await Platform.start();
  world = await w.people(p);
  file = path.join(p.dir, 'customs.db');
  sqlite(`CREATE TABLE dec_head (entry_no VARCHAR(18) PRIMARY KEY, trd_mode VARCHAR(4), agent VARCHAR(40), i_e_date DATE);
    CREATE TABLE dec_list (entry_no VARCHAR(18), g_no INTEGER, g_name VARCHAR(80), g_amt INTEGER, PRIMARY KEY (entry_no, g_no));
    CREATE TABLE dec_cont (entry_no VARCHAR(18), cont_no VARCHAR(11) PRIMARY KEY);
    INSERT INTO dec_head VALUES ('D1', '0110', 'Agent of D1', '2026-01-05'), ('D2', '0214', 'Agent of D2', '2026-02-05');
    INSERT INTO dec_list VALUES ('D1', 1, 'green tea', 100), ('D1', 2, 'black tea', 250), ('D2', 1, 'silk', 900);
    INSERT INTO dec_cont VALUES ('D1', 'C0000000001');`);
  const made = await world.provider.post('/sources', { name: 'customs', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await world.provider.act('sources', made.id, 'check');
  source = made.id;
  const h = await world.provider.post('/harvests', { source_id: source, department: 'Customs house' });
  await until(async () => (await world.provider.get(`/harvests/${h.id}`)).state === 'done', { ms: 20000, what: 'the harvest' });
  entries = Object.fromEntries((await world.provider.list('entries', { source_id: source })).map((e) => [e.table, e]));
});
after(() => p?.stop());

test('[SW-8.2b-4] a query with parameters is tried in place, masked and bounded, saved as a version when it runs, and served once it is used', async () => {
  const dataset = await world.provider.post('/datasets', { name: 'totals', source_id: source, table: 'dec_head' });
  await edit(world.provider, 'datasets', dataset.id, { fields: classified(dataset.fields, { entry_no: 1, agent: 3 }) });
  const run = (query, more = {}) => world.provider.post(`/datasets/${dataset.id}/try`, { query, ...more });
  const parameters = [{ name: 'since', type: 'date', required: true }, { name: 'least', type: 'integer', default: '0' }];
  const query = 'SELECT h.entry_no, h.agent, sum(l.g_amt) AS amount FROM dec_head h JOIN dec_list l ON l.entry_no = h.entry_no WHERE h.i_e_date >= :since GROUP BY h.entry_no, h.agent HAVING sum(l.g_amt) >= :least';
  const seen = await run(query, { parameters, values: { since: '2026-01-01' } });
  assert.deepEqual(seen.columns.map((c) => c.name), ['entry_no', 'agent', 'amount']);
  assert.deepEqual(seen.rows.map((r) => r.entry_no).sort(), ['D1', 'D2']);
  assert.ok(seen.rows.every((r) => /^A\*+\d$/.test(r.agent) && !/^\d+$/.test(String(r.amount))), `masked by level, covered without one: ${JSON.stringify(seen.rows)}`);
  assert.deepEqual((await run(query, { parameters, values: { since: '2026-02-01', least: '500' } })).rows.map((r) => r.entry_no), ['D2']);
  const few = await run('SELECT * FROM dec_list', { limit: 2 });
  assert.deepEqual([few.rows.length, few.more], [2, true]);
  for (const [body, code] of [[{ query: 'DELETE FROM dec_list' }, 'query-malformed'], [{ query: 'SELECT 1; DROP TABLE dec_list' }, 'query-malformed'],
    [{ query: 'WITH x AS (SELECT 1) DELETE FROM dec_list' }, 'query-malformed'], [{ query: 'SELECT * FROM nothing_there' }, 'query-malformed'], [{ query: 'SELECT :unknown' }, 'query-malformed'],
    [{ query, parameters }, 'query-malformed'], [{ query, parameters, values: { since: '2026-01-01', least: '0 OR 1=1' } }, 'query-malformed'], [{ query: 'SELECT 1', values: { a: 1 } }, 'field-invalid'],
    [{ query: 'SELECT 1', limit: 51 }, 'field-invalid'], [{ query: '' }, 'field-invalid']]) {
    await restRefuses(run(body.query, body).then((r) => assert.fail(`${JSON.stringify(body)} gave ${JSON.stringify(r)}`)), code);
  }
  assert.equal(execFileSync('sqlite3', [file, 'SELECT count(*) FROM dec_list'], { encoding: 'utf8' }).trim(), '3', 'nothing was written');
  await restRefuses(world.developer.post(`/datasets/${dataset.id}/try`, { query }), 'not-permitted');
  await restRefuses(world.provider.post('/query_versions', { dataset_id: dataset.id, query: 'SELECT x FROM y' }), 'query-malformed');
  const first = await world.provider.post('/query_versions', { dataset_id: dataset.id, query: 'SELECT entry_no FROM dec_head', note: 'a beginning' });
  const second = await world.provider.post('/query_versions', { dataset_id: dataset.id, query, parameters, values: { since: '2026-01-01' }, note: 'with amounts' });
  assert.deepEqual([first.number, second.number, second.columns.map((c) => c.name), 'values' in second], [1, 2, ['entry_no', 'agent', 'amount'], false]);
  await restRefuses(edit(world.provider, 'query_versions', first.id, { query }), 'field-invalid', '/query');
  await world.provider.act('query_versions', first.id, 'use');
  assert.equal((await world.provider.act('query_versions', second.id, 'use')).state, 'in-use');
  assert.equal((await world.provider.get(`/query_versions/${first.id}`)).state, 'saved');
  const developed = await world.provider.get(`/datasets/${dataset.id}`);
  assert.deepEqual(developed.fields.map((f) => [f.column, f.level]), [['entry_no', 1], ['agent', 0], ['amount', 0]], 'what is new is unclassified');
  await restRefuses(world.provider.act('datasets', dataset.id, 'publish', { name: 'totals', version: 'v1', path: '/totals/v1' }), 'fields-unclassified');
  await edit(world.provider, 'datasets', dataset.id, { fields: classified(developed.fields, { entry_no: 1, agent: 3 }).map((f) => (f.column === 'amount' ? { ...f, type: 'integer' } : f)) });
  await api(dataset.id, 'totals');
  const got = await answer('/totals/v1?since=2026-02-01');
  assert.deepEqual([got.json.length, got.json[0].entry_no, got.json[0].amount], [1, 'D2', 900]);
});

test('[SW-8.1-p8, SW-8.1-p9, SW-3.6] tables of the directory become one entity under names of the business, published and called as one', async () => {
  const parts = [{ name: 'goods', title: '商品', entry_id: entries.dec_list.id, local: 'entry_no', foreign: 'entry_no', many: true,
    fields: [{ column: 'entry_no', name: 'declaration' }, { column: 'g_no', name: 'line' }, { column: 'g_name', name: '商品名称', title: 'Name of the goods' }, { column: 'g_amt', name: 'amount' }] },
  { name: 'containers', entry_id: entries.dec_cont.id, local: 'entry_no', foreign: 'entry_no', fields: [{ column: 'entry_no', name: 'declaration' }, { column: 'cont_no', name: 'number' }] }];
  const body = { name: 'declaration', title: '报关单', entry_id: entries.dec_head.id, parts,
    fields: [{ column: 'entry_no', name: 'number', title: '报关单编号' }, { column: 'trd_mode', name: 'trade_mode', title: '监管方式' }, { column: 'agent', name: 'agent', title: '申报单位' }] };
  await restRefuses(world.provider.post('/business_entities', { ...body, fields: [{ column: 'nothing', name: 'x' }] }), 'field-invalid', '/fields');
  await restRefuses(world.provider.post('/business_entities', { ...body, parts: [{ ...parts[0], foreign: 'nothing' }] }), 'field-invalid');
  await restRefuses(world.developer.post('/business_entities', body), 'not-permitted');
  assert.equal((await world.provider.list('datasets', { name: 'declaration' })).length, 0, 'what is refused leaves nothing behind');
  const entity = await world.provider.post('/business_entities', body);
  const all = [entity.dataset_id, ...entity.part_dataset_ids];
  assert.equal(all.length, 3);
  for (const id of all) {
    const { fields } = await world.provider.get(`/datasets/${id}`);
    await edit(world.provider, 'datasets', id, { fields: classified(fields, { agent: 3, g_name: 1 }) });
    await w.reviewed(world, 'datasets', id);
  }
  assert.equal((await world.developer.get('/business_entities')).items.length, 0, 'not before it is published');
  await api(entity.dataset_id, 'declaration');
  const got = await answer('/declaration/v1?number=eq.D1');
  assert.deepEqual(got.json, [{ number: 'D1', trade_mode: '0110', agent: got.json[0].agent, goods: [{ declaration: 'D1', line: 1, 商品名称: 'green tea', amount: 100 }, { declaration: 'D1', line: 2, 商品名称: 'black tea', amount: 250 }],
    containers: [{ declaration: 'D1', number: 'C0000000001' }] }]);
  assert.match(got.json[0].agent, /^A\*+1$/);
  const narrow = await answer('/declaration/v1?number=eq.D2&select=number,goods(amount)');
  assert.deepEqual(narrow.json, [{ number: 'D2', goods: [{ amount: 900 }] }], 'who says what it wants gets that');
  const [told] = (await world.developer.get('/business_entities')).items;
  assert.deepEqual([told.name, told.fields.map((f) => f.name), told.parts[0].fields[2].name], ['declaration', ['number', 'trade_mode', 'agent'], '商品名称']);
  assert.doesNotMatch(JSON.stringify(told), /g_name|trd_mode|"local"/, 'which columns they are is its keepers\' to know');
  // What stands in the open directory is everybody's to refer to, what does not is its owner's.
  const [{ id: whole }] = await world.provider.list('entries', { dataset_id: entity.dataset_id });
  assert.notEqual(whole, entries.dec_head.id, 'the entity is a resource of its own');
  await edit(world.provider, 'entries', whole, { summary: 'declarations', department: 'Customs house' });
  await edit(world.operator, 'entries', whole, { decision: 'open' });
  await world.provider.act('entries', whole, 'submit');
  await world.operator.act('entries', whole, 'publish');
  const holder = await w.organisation(world.admin, 'Another holder', 'holder');
  const stranger = await w.user(world.admin, 'stranger', 'provider', { organisation_id: holder });
  execFileSync('sqlite3', [path.join(p.dir, 'other.db'), 'CREATE TABLE totals (id INTEGER PRIMARY KEY, n INTEGER)']);
  const theirs = await stranger.post('/sources', { name: 'other', organisation_id: holder, kind: 'odbc', connection: w.sqliteConnection(path.join(p.dir, 'other.db')) });
  await stranger.act('sources', theirs.id, 'check');
  const derived = (from) => stranger.post('/datasets', { name: 'derived', source_id: theirs.id, table: 'totals', derived_from: from });
  await restRefuses(derived([entity.part_dataset_ids[0]]), 'field-invalid', '/derived_from');
  assert.deepEqual((await derived([entity.dataset_id])).derived_from, [entity.dataset_id]);
  const described = await world.developer.get(`/apis/${(await world.developer.get('/apis?state=published')).items.find((a) => a.path === '/declaration/v1').id}/openapi`);
  assert.match(JSON.stringify(described), /商品名称/);
});
