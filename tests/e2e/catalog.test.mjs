// SPDX-License-Identifier: Apache-2.0
// The resource centre: tables become entries by themselves, entries are published and found, and lead to what is served of them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Parser } from 'n3';
import { restRefuses } from './lib/assertions.mjs';
import { Platform, freePorts } from './lib/platform.mjs';
import { Postgres, postgresConnection } from './lib/postgres.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let pg;
let theme;
let deeper;
let customs; // the source of trade tables
let declarations; // their entry

const sqlite = (file, sql) => execFileSync('sqlite3', [file], { input: sql });

async function source(name, connection) {
  const made = await world.provider.post('/sources', { name, organisation_id: world.holder, kind: 'odbc', connection });
  await world.provider.act('sources', made.id, 'check');
  return made.id;
}

const ended = (id, run = 1) => until(async () => {
  const h = await world.provider.get(`/harvests/${id}`);
  return h.run === run && ['done', 'failed'].includes(h.state) && h;
}, { ms: 20000, what: `the end of run ${run}` });

async function harvest(body) {
  const h = await world.provider.post('/harvests', body);
  return ended(h.id);
}

async function itemsOf(h, run = h.run) {
  const items = await world.provider.list('harvest_items', { harvest_id: h.id, run });
  return Object.fromEntries(items.map((i) => [i.table, i]));
}

async function edit(rest, id, body) {
  const { revision } = await rest.get(`/entries/${id}`);
  return rest.patch(`/entries/${id}`, body, revision);
}

async function published(id, decision = 'open') {
  await edit(world.operator, id, { decision });
  await world.provider.act('entries', id, 'submit');
  return world.operator.act('entries', id, 'publish');
}

const find = async (rest, query) => (await rest.get(`/entries/search?${new URLSearchParams(query)}`)).items.map((e) => e.name);

before(async () => {
  p = await Platform.start();
  const [port] = await freePorts(1);
  pg = new Postgres(p.dir, port);
  pg.create();
  pg.start();
  world = await w.trading(p, { orders: 30 });
  pg.sql(`CREATE TABLE bills (id integer PRIMARY KEY, ship varchar(40), weight numeric(10,2)); COMMENT ON TABLE bills IS '舱单主表';
    COMMENT ON COLUMN bills.ship IS '船名'; INSERT INTO bills SELECT g, 'ship ' || g, g FROM generate_series(1, 50) g;`);
  const file = path.join(p.dir, 'customs.db');
  sqlite(file, `CREATE TABLE declarations (id INTEGER PRIMARY KEY, goods VARCHAR(60), hs_code CHAR(10), declared_at DATETIME);
    INSERT INTO declarations VALUES (1, 'solar panels', '8541400000', '2026-01-02 03:04:05'), (2, 'tea of the spring', '0902100000', '2026-02-03 04:05:06');
    CREATE TABLE "we""ird '; DROP TABLE x" ("col ""a""" TEXT); CREATE TABLE "${'l'.repeat(140)}" (a TEXT); CREATE TABLE "line
break" (a TEXT); CREATE TABLE empty_one (Code TEXT);`);
  customs = await source('customs', w.sqliteConnection(file));
  world.customsFile = file;
});
after(async () => { try { pg?.stop(); } catch { /* not started */ } await p?.stop(); });

test('[SW-8.1-p4, SW-8.3.1-01, SW-8.3.1-02] a database is harvested: tables, fields, types, lengths become entries, hostile names harm nothing', async () => {
  const dry = await harvest({ source_id: customs, dry_run: true });
  assert.equal((await world.provider.list('entries', { source_id: customs })).length, 0, 'a dry run makes nothing');
  assert.equal((await itemsOf(dry)).declarations.state, 'created');
  const h = await harvest({ source_id: customs, department: 'Customs house', standard: ['key', 'comment', 'lower-case'] });
  assert.deepEqual([h.state, h.total, h.done], ['done', 5, 5]);
  const items = await itemsOf(h);
  assert.equal(items.declarations.state, 'created');
  assert.equal(items[`we"ird '; DROP TABLE x`].state, 'created');
  assert.deepEqual([items['l'.repeat(140)].state, items['l'.repeat(140)].reason], ['failed', 'table-name']);
  assert.deepEqual([items['line\nbreak'].state, items['line\nbreak'].reason], ['failed', 'table-name']);
  assert.deepEqual(items.empty_one.deviations, [{ field: '', demand: 'key' }, { field: 'Code', demand: 'comment' }, { field: 'Code', demand: 'lower-case' }]);
  declarations = await world.provider.get(`/entries/${items.declarations.entry_id}`);
  assert.deepEqual([declarations.state, declarations.name, declarations.volume, declarations.department, declarations.decision], ['draft', 'declarations', 2, 'Customs house', 'undecided']);
  const goods = declarations.fields.find((f) => f.name === 'goods');
  assert.deepEqual([goods.type, goods.length, declarations.fields.find((f) => f.name === 'id').key], ['string', 60, true]);
  assert.doesNotMatch(JSON.stringify(declarations.profile), /solar panels|tea of the spring|8541400000/, 'no value leaves as it is');
});

test('[SW-8.3.1-02, SW-7b1, SW-7b3, SW-8.1-p8] what changes in the source is in the entry after the next run, with what people said kept; what is gone is told', async () => {
  await edit(world.provider, declarations.id, { fields: declarations.fields.map((f) => ({ ...f, ...(f.name === 'goods' ? { title: '商品名称' } : {}) })) });
  const { items: [h] } = await world.provider.get(`/harvests?source_id=${customs}&dry_run=false`);
  await world.provider.act('harvests', h.id, 'run');
  assert.equal((await itemsOf(await ended(h.id, 2))).declarations.state, 'unchanged');
  const before_ = await world.provider.get(`/entries/${declarations.id}`);
  sqlite(world.customsFile, `ALTER TABLE declarations ADD COLUMN port VARCHAR(5); INSERT INTO declarations VALUES (3, 'a', 'b', 'c', 'd'); DROP TABLE empty_one;`);
  await world.provider.act('harvests', h.id, 'run');
  const items = await itemsOf(await ended(h.id, 3));
  assert.deepEqual([items.declarations.state, items.empty_one.state], ['changed', 'gone']);
  declarations = await world.provider.get(`/entries/${declarations.id}`);
  assert.deepEqual([declarations.fields.at(-1).name, declarations.fields[1].title, declarations.volume], ['port', '商品名称', 3]);
  assert.ok(declarations.last_update > before_.last_update, 'the last update moves with the data');
  assert.deepEqual(declarations.volumes.map((v) => v.rows), [2, 3]);
  assert.ok((await world.provider.get(`/entries/${items.empty_one.entry_id}`)).gone_at);
});

test('[SW-8.3.1-02, SW-7b2] PostgreSQL gives its comments and what its tables take', async () => {
  const h = await harvest({ source_id: await source('manifests', postgresConnection(pg.port)), filter: 'public.bill*' });
  const bills = await world.provider.get(`/entries/${(await itemsOf(h)).bills.entry_id}`);
  assert.deepEqual([bills.name, bills.volume, bills.fields.find((f) => f.name === 'ship').description, bills.fields.find((f) => f.name === 'ship').length], ['舱单主表', 50, '船名', 40]);
  assert.ok(bills.bytes > 0);
});

test('[SW-8.2a2-1, SW-8.3.1-m01, SW-8.3.1-m02, SW-8.3.1-m03, SW-8.3.1-m04, SW-8.3.1-m05, SW-8.3.1-m06, SW-8.3.1-m07, SW-8.3.1-m08, SW-8.3.1-m09, SW-8.3.1-m10, SW-8.3.1-m11, SW-8.3.1-m12, SW-8.3.1-m13, EC-4.2.1c2, SW-3.4, SW-3.5b, SW-3.5c, SW-3.5d, SW-3.5e] an entry is drafted, reviewed by another, published in versions; outsiders find what is open, and nothing else', async () => {
  theme = (await world.operator.post('/catalog_nodes', { scheme: 'theme', name: '进出口' })).id;
  deeper = (await world.operator.post('/catalog_nodes', { scheme: 'theme', name: '报关', parent_id: theme })).id;
  await restRefuses(world.operator.patch(`/catalog_nodes/${theme}`, { parent_id: deeper }, 1), 'field-invalid', '/parent_id');
  await restRefuses(edit(world.provider, declarations.id, { decision: 'open' }), 'not-permitted', '/decision');
  await restRefuses(world.provider.act('entries', declarations.id, 'submit'), 'state-conflict', '/summary');
  const wanted = { name: '进口货物报关单', summary: 'What was declared', theme_id: deeper, tags: ['trade', '报关'], keywords: ['solar'], update_frequency: 'daily', volatility: 'high',
    opening: 'conditional', access_conditions: 'an agreement', storage: 'rack 7' };
  await edit(world.provider, declarations.id, wanted);
  await edit(world.operator, declarations.id, { decision: 'open', fields: declarations.fields.map((f) => ({ ...f, open: f.name !== 'hs_code' })) });
  await restRefuses(world.developer.get(`/entries/${declarations.id}`), 'not-found');
  await world.operator.act('entries', declarations.id, 'submit');
  await restRefuses(world.operator.act('entries', declarations.id, 'publish'), 'self-approval');
  await world.operator.act('entries', declarations.id, 'return', { comment: 'by its provider' });
  await published(declarations.id);
  const seen = await world.developer.get(`/entries/${declarations.id}`);
  assert.deepEqual([seen.version, seen.state, seen.opening, seen.update_frequency, seen.volatility, seen.department, seen.volume, seen.theme_id], [1, 'published', 'conditional', 'daily', 'high', 'Customs house', 3, deeper]);
  assert.ok(seen.published_at && seen.last_update && seen.access_conditions && seen.summary && seen.organisation_id);
  assert.deepEqual(seen.tags, ['trade', '报关']);
  assert.deepEqual(seen.fields.map((f) => f.name), ['id', 'goods', 'declared_at', 'port'], 'a field that is not open is not told');
  assert.deepEqual([seen.fields[1].length, seen.fields[1].type, seen.fields[1].format], [60, 'string', 'VARCHAR(60)']);
  for (const kept of ['storage', 'source_id', 'table', 'schema', 'profile']) assert.ok(!(kept in seen), `${kept} is its keeper's`);
  assert.equal((await world.provider.get(`/entries/${declarations.id}`)).storage, 'rack 7');
  await edit(world.provider, declarations.id, { volatility: 'medium' });
  const versions = await world.provider.list('entry_versions', { entry_id: declarations.id });
  assert.deepEqual(versions.map((v) => [v.version, v.snapshot.volatility]).sort(), [[1, 'high'], [2, 'medium']]);
  await edit(world.operator, declarations.id, { decision: 'closed' });
  await restRefuses(world.developer.get(`/entries/${declarations.id}`), 'not-found');
  assert.deepEqual(await find(world.developer, { q: '报关单' }), []);
  await edit(world.operator, declarations.id, { decision: 'open' });
});

test('[SW-3.5a, SW-8.3.1-s1, SW-8.3.1-s2, SW-8.3.1-s3, SW-8.3.1-s4, SW-8.3.1-s5] words of two characters, tags, departments, themes and their mix find what is listed', async () => {
  const name = '进口货物报关单';
  for (const q of ['报关', '货物', '进口货物', '单', '商品名称', 'solar', 'SOL', 'port']) assert.ok((await find(world.developer, { q })).includes(name), q);
  for (const query of [{ tag: '报关' }, { department: 'Customs house' }, { theme: deeper }, { theme }, { q: '货物', tag: 'trade', theme, department: 'customs house' }]) {
    assert.deepEqual(await find(world.developer, query), [name], JSON.stringify(query));
  }
  for (const query of [{ q: '关货' }, { q: '货物', tag: 'none' }, { q: 'hs_code OR 1' }, { q: '"NEAR(' }]) assert.deepEqual(await find(world.developer, query), [], JSON.stringify(query));
  await restRefuses(world.developer.get('/entries/search?q=%22%27'), 'query-malformed', '/q');
  const { facets, total } = await world.developer.get('/entries/search?q=%E8%B4%A7%E7%89%A9');
  assert.deepEqual([total, facets.theme_id, facets.tag.length], [1, [{ id: deeper, count: 1, name: '报关' }], 2]);
  const { revision } = await world.operator.get(`/catalog_nodes/${deeper}`);
  await world.operator.patch(`/catalog_nodes/${deeper}`, { name: '申报' }, revision);
  assert.deepEqual(await find(world.developer, { q: '申报' }), [name], 'the index is in step');
});

test('[SW-8.3.1-04a, SW-8.3.1-04b, SW-8.3.1-04c] entries stand in trees of categories, themes, applications, and others that are added', async () => {
  const nodes = {};
  for (const scheme of ['category', 'application', 'region']) nodes[scheme] = (await world.operator.post('/catalog_nodes', { scheme, name: scheme })).id;
  await restRefuses(edit(world.provider, declarations.id, { category_id: theme }), 'field-invalid', '/category_id');
  await edit(world.provider, declarations.id, { category_id: nodes.category, application_id: nodes.application, node_ids: [nodes.region] });
  for (const query of [{ category: nodes.category }, { application: nodes.application }, { node: nodes.region }]) assert.equal((await find(world.developer, query)).length, 1);
  await restRefuses(world.provider.post('/catalog_nodes', { scheme: 'theme', name: 'x' }), 'not-permitted');
});

test('[SW-8.1-p1, SW-8.3.1-05, SW-8.3.1-06] a provider merges, moves and deprecates; the identifier still leads to entry, place and owner', async () => {
  const other = await world.provider.post('/entries', { name: 'old list', tags: ['old'], summary: 's', department: 'd' });
  const merged = await world.provider.act('entries', other.id, 'merge', { merged_into: declarations.id });
  assert.equal(merged.state, 'withdrawn');
  const kept = await world.provider.get(`/catalog/resolve?identifier=${other.identifier}`);
  assert.equal(kept.entry.merged_into, declarations.id);
  assert.ok((await world.provider.get(`/entries/${declarations.id}`)).tags.includes('old'));
  const place = await world.provider.get(`/catalog/resolve?identifier=${declarations.identifier}`);
  assert.deepEqual([place.location.source, place.location.table, place.owner.organisation_id], ['customs', 'declarations', world.holder]);
  const outside = await world.developer.get(`/catalog/resolve?identifier=${declarations.identifier}`);
  assert.deepEqual([outside.entry.id, outside.location], [declarations.id, undefined]);
  assert.equal((await world.provider.act('entries', declarations.id, 'deprecate', { comment: 'a newer one comes' })).state, 'deprecated');
  await restRefuses(world.developer.get('/catalog/resolve?identifier=urn:uuid:0'), 'not-found');
});

test('[SW-8.2a2-6, SW-8.3.1-08, SW-8.3.1-03] a published dataset has its entry; from it one comes to the services, to the form, and, permitted, to masked rows', async () => {
  const [entry] = await world.provider.list('entries', { dataset_id: world.dataset });
  await edit(world.provider, entry.id, { summary: 'orders', department: 'Trade' });
  await published(entry.id);
  const outside = await world.developer.get(`/entries/${entry.id}/lineage`);
  assert.deepEqual(outside.apis.map((a) => [a.id, a.apply.body.api_id, a.apps.length]), [[world.api, world.api, 0]]);
  assert.ok(outside.columns.every((c) => c.level < 4) && outside.columns.some((c) => c.column === 'buyer_phone'));
  const inside = await world.provider.get(`/entries/${entry.id}/lineage`);
  assert.deepEqual([inside.apis[0].apps.map((a) => a.id), inside.location.table], [[world.app], 'orders']);
  const { items } = await world.provider.get(`/entries/${entry.id}/preview`);
  assert.ok(items.length > 0 && items.every((r) => /\*{4}/.test(r.buyer_phone) && r.card_number === null && /^M0/.test(r.merchant_id)), JSON.stringify(items[0]));
  await restRefuses(world.developer.get(`/entries/${entry.id}/preview`), 'not-permitted');
  const seen = await world.developer.get(`/entries/${entry.id}`);
  assert.ok(!seen.fields.some((f) => f.name === 'card_number'), 'level 4 is not told');
});

test('[SW-8.3.1-09, SW-8.2-0b, SW-8.2a2-2, SW-8.2a2-3] the whole is on one page with its coverage, and goes out as DCAT', async () => {
  const all = await world.operator.get('/catalog/overview');
  assert.ok(all.coverage.percent > 50 && all.coverage.sources >= 3, JSON.stringify(all.coverage));
  const s = all.sources.find((x) => x.id === customs);
  assert.deepEqual([s.owner, s.opened >= 1, s.undecided >= 1], ['Trade platform', true, true]);
  assert.ok(all.resources.some((r) => r.services === 1 && r.volume !== undefined && r.links));
  const outside = await world.developer.get('/catalog/overview');
  assert.deepEqual([outside.sources, outside.resources.length], [undefined, 2]);
  const raw = (format) => world.developer.raw('GET', `/api/v1/catalog/export?format=${format}`);
  const ld = (await raw('jsonld')).body;
  const datasets = ld['@graph'].filter((n) => n['@type'] === 'dcat:Dataset');
  assert.deepEqual(datasets.map((d) => d['@id']).includes(declarations.identifier), true);
  // The members of each node as Turtle: a parser of others reads the same triples.
  const literal = (v) => (typeof v === 'string' ? JSON.stringify(v) : v['@id'] ? `<${v['@id']}>` : `"${v['@value']}"^^${v['@type']}`);
  const turtle = Object.entries(ld['@context']).map(([k, v]) => `@prefix ${k}: <${v}> .`).join('\n') + ld['@graph'].map((n) => Object.entries(n)
    .filter(([k]) => k !== '@id').flatMap(([k, v]) => [v].flat().map((x) => `\n<${n['@id']}> ${k === '@type' ? `a ${x}` : `${k} ${literal(x)}`} .`)).join('')).join('');
  const triples = new Parser().parse(turtle);
  assert.ok(triples.some((t) => t.predicate.value === 'http://purl.org/dc/terms/title' && t.object.value === '进口货物报关单'));
  const xml = await raw('rdfxml');
  assert.match(xml.headers['content-type'], /^application\/rdf\+xml/);
  const read = execFileSync('python3', ['-c', 'import sys, xml.dom.minidom as m; d = m.parseString(sys.stdin.buffer.read()); print(len(d.getElementsByTagName("dcat:Dataset")))'], { input: xml.body, encoding: 'utf8' });
  assert.equal(Number(read), datasets.length);
  assert.doesNotMatch(JSON.stringify(ld) + xml.body, /rack 7|hs_code/);
  await restRefuses(world.developer.get('/catalog/export?format=exe'), 'query-malformed', '/format');
});

test('[SW-8.3.1-02] a harvest killed half way goes on where it was; one whose source vanishes says so', async () => {
  const file = path.join(p.dir, 'many.db');
  sqlite(file, Array.from({ length: 60 }, (_, i) => `CREATE TABLE t${i} (a INTEGER PRIMARY KEY, b TEXT);`).join(''));
  const id = await source('many', w.sqliteConnection(file));
  const h = await world.provider.post('/harvests', { source_id: id });
  await until(async () => (await world.provider.get(`/harvests/${h.id}`)).done > 0, { ms: 15000, what: 'the first tables' });
  process.kill(p.processes().control[0], 'SIGKILL');
  const whole = await until(async () => { try { return await ended(h.id); } catch { return null; } }, { ms: 30000, what: 'the rest after the kill' });
  assert.deepEqual([whole.state, whole.total, whole.done], ['done', 60, 60]);
  const entries = await world.provider.list('entries', { source_id: id });
  assert.deepEqual([entries.length, new Set(entries.map((e) => e.table)).size], [60, 60], 'each table once');
  renameSync(file, `${file}.away`);
  await world.provider.act('harvests', h.id, 'run');
  const lost = await ended(h.id, 2);
  assert.deepEqual([lost.state, lost.reason], ['failed', 'source-unavailable']);
});
