// SPDX-License-Identifier: Apache-2.0
// What the resource centre is ruled by: standards of a domain, the scope and the plan of opening, what is shared with whom, its upkeep,
// and the open directory as others read it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Parser, Store } from 'n3';
import Validator from 'rdf-validate-shacl';
import { restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const DCAT = 'http://www.w3.org/ns/dcat#';
const DCT = 'http://purl.org/dc/terms/';
const SHAPES = new Parser().parse(readFileSync(new URL('../vectors/dcat_shapes.ttl', import.meta.url), 'utf8'));

let p;
let world;
let domain; // customs declarations
let source;
let entry; // of the table of declarations
let began; // before anything was done

const sqlite = (file, sql) => execFileSync('sqlite3', [file], { input: sql });
const inDays = (n) => new Date(Date.now() + n * 86400e3).toISOString();

async function edit(rest, plural, id, body) {
  const { revision } = await rest.get(`/${plural}/${id}`);
  return rest.patch(`/${plural}/${id}`, body, revision);
}

async function harvest(body) {
  const h = await world.provider.post('/harvests', body);
  await until(async () => ['done', 'failed'].includes((await world.provider.get(`/harvests/${h.id}`)).state), { ms: 20000, what: 'the harvest' });
  const items = await world.provider.list('harvest_items', { harvest_id: h.id });
  return Object.fromEntries(items.map((i) => [i.table, i]));
}

async function listed(id) {
  await edit(world.operator, 'entries', id, { decision: 'open' });
  await world.provider.act('entries', id, 'submit');
  return world.operator.act('entries', id, 'publish');
}

const validate = (quads) => new Validator(new Store(SHAPES)).validate(new Store(quads));
const findings = async (quads) => (await validate(quads)).results.map((r) => [r.path?.value, r.sourceConstraintComponent?.value.split('#')[1]]);

before(async () => {
  began = new Date(Date.now() - 1000).toISOString();
  p = await Platform.start();
  world = await w.trading(p, { orders: 20 });
  const file = path.join(p.dir, 'customs.db');
  sqlite(file, `CREATE TABLE declarations (entry_id VARCHAR(18) PRIMARY KEY, trade_mode VARCHAR(4), goods VARCHAR(80), Remark VARCHAR(20));
    INSERT INTO declarations VALUES ('D1', '0110', 'tea', 'x'), ('D2', '9999', 'silk', 'y'), ('D3', '8888', 'silk', 'z');`);
  const made = await world.provider.post('/sources', { name: 'customs', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await world.provider.act('sources', made.id, 'check');
  source = made.id;
  domain = (await world.operator.get('/service_domains?code=customs-declaration')).items[0].id;
});
after(() => p?.stop());

const elements = [
  { name: 'ENTRY_ID', title: '报关单编号', type: 'string', length: 18, mandatory: true },
  { name: 'TRADE_MODE', title: '监管方式', type: 'string', length: 4, mandatory: true, code_list: 'trade-modes' },
  { name: 'G_NAME', title: '商品名称', type: 'string', length: 40, mandatory: true },
  { name: 'DECL_DATE', title: '申报日期', type: 'date', mandatory: true },
];
const standard = (edition, more = {}) => world.operator.post('/metadata_standards', { code: 'declaration', edition, title: '报关业务元数据', domain_id: domain, elements,
  code_lists: { 'trade-modes': ['0110', '0214'] }, ...more });

test('[SW-0.2, SW-8.3.1-01] a harvest and an entry are held against the standard of their domain, values against its lists of codes; editions stand side by side', async () => {
  await restRefuses(standard('0', { elements: [{ name: 'A', type: 'text' }] }), 'field-invalid', '/elements/0/type');
  await restRefuses(standard('0', { code_lists: {} }), 'field-invalid', '/elements/1/code_list');
  await restRefuses(world.provider.post('/metadata_standards', { code: 'x', edition: '1', title: 'x', domain_id: domain, elements }), 'not-permitted');
  const first = await standard('2025');
  await restRefuses(standard('2025'), 'already-exists');
  await world.operator.act('metadata_standards', first.id, 'adopt');
  await restRefuses(edit(world.operator, 'metadata_standards', first.id, { elements: elements.slice(1) }), 'state-conflict', '/elements');
  const item = (await harvest({ source_id: source, standard_id: first.id, domain_id: domain, department: 'Customs house' })).declarations;
  const seen = (list) => list.map((d) => [d.element, d.demand, d.wanted, d.found]);
  assert.deepEqual(seen(item.deviations), [['TRADE_MODE', 'code-list', 'trade-modes', 2], ['G_NAME', 'missing', 'string', null], ['DECL_DATE', 'missing', 'date', null]]);
  entry = await world.provider.get(`/entries/${item.entry_id}`);
  assert.equal(entry.domain_id, domain);
  // A field may go by another name: once that is said it is held against its element.
  entry = await edit(world.provider, 'entries', entry.id, { fields: entry.fields.map((f) => (f.name === 'goods' ? { ...f, element: 'G_NAME' } : f)) });
  const { items: [report] } = await world.provider.get(`/entries/${entry.id}/conformity?values=true`);
  assert.deepEqual([report.conforms, report.values, report.beyond], [false, 'looked at', ['Remark']]);
  assert.deepEqual(seen(report.deviations), [['TRADE_MODE', 'code-list', 'trade-modes', 2], ['G_NAME', 'length', 40, 80], ['DECL_DATE', 'missing', 'date', null]]);
  assert.doesNotMatch(JSON.stringify(report), /9999|8888/, 'no value is told');
  const next = await standard('2026', { elements: [...elements.slice(0, 2), { ...elements[2], length: 80 }], code_lists: { 'trade-modes': ['0110', '9999', '8888'] } });
  const { items: [then] } = await world.provider.get(`/entries/${entry.id}/conformity?standard=${first.id}`);
  assert.equal(then.edition, '2025');
  await restRefuses(world.provider.get(`/entries/${entry.id}/conformity?standard=${next.id}`), 'query-malformed', '/standard');
  await world.operator.act('metadata_standards', next.id, 'adopt');
  const both = (await world.provider.get(`/entries/${entry.id}/conformity?values=true`)).items;
  assert.deepEqual(both.map((r) => [r.edition, r.conforms]), [['2025', false], ['2026', true]]);
  const diff = await world.operator.get(`/metadata_standards/${first.id}/compare?with=${next.id}`);
  assert.deepEqual([diff.from, diff.to, diff.added.length, diff.removed.map((e) => e.name), diff.changed.map((e) => e.to.length)], ['2025', '2026', 0, ['DECL_DATE'], [80]]);
  const whole = await world.operator.get(`/metadata_standards/${first.id}/conformity`);
  assert.deepEqual([whole.entries, whole.conform, whole.items[0].entry_id], [1, 0, entry.id]);
  const { items: [dataset] } = await world.provider.get(`/datasets/${world.dataset}/conformity?standard=${next.id}`);
  assert.deepEqual([dataset.conforms, dataset.deviations.every((d) => d.demand === 'missing'), dataset.values], [false, true, 'not asked for']);
  await restRefuses(world.provider.get(`/datasets/${world.dataset}/conformity`), 'state-conflict', '/domain_id');
  await restRefuses(world.developer.get(`/entries/${entry.id}/conformity`), 'not-permitted');
});

test('[SW-8.2a2-3] the inventory has each table of a source with its owner, its domain and whether it is to be open', async () => {
  const { items } = await world.operator.get('/catalog/inventory');
  assert.deepEqual(items.map((i) => [i.source, i.table, i.owner, i.domain, i.domain_title, i.decision]), [['customs', 'declarations', 'Trade platform', 'customs-declaration', '报关业务', 'undecided'],
    ['orders', 'orders', 'Trade platform', null, null, 'undecided']]);
  assert.equal((await world.provider.get('/catalog/inventory')).items.length, 2);
  await restRefuses(world.developer.get('/catalog/inventory'), 'not-permitted');
});

test('[SW-8.2a1-1] where a scope is asked for, only what an approved one covers comes into the open directory', async () => {
  const { items } = await world.admin.get('/catalog_settings');
  const setting = items.find((s) => s.name === 'scope-required');
  await world.admin.patch(`/catalog_settings/${setting.id}`, { value: 'on' }, setting.revision);
  await edit(world.provider, 'entries', entry.id, { summary: 'What was declared', access_conditions: 'an agreement', update_frequency: 'daily' });
  await restRefuses(listed(entry.id), 'state-conflict', '/decision');
  await restRefuses(world.operator.post('/opening_scopes', { title: 'all', basis: 'none' }), 'field-invalid', '/entry_ids');
  const scope = await world.provider.post('/opening_scopes', { title: 'Declarations', basis: 'Council decision 7', organisation_id: world.holder, domain_id: domain, expires_at: inDays(300) });
  await restRefuses(world.operator.act('opening_scopes', scope.id, 'approve'), 'state-conflict');
  await world.operator.act('opening_scopes', scope.id, 'submit');
  await restRefuses(world.operator.act('opening_scopes', scope.id, 'approve'), 'self-approval');
  await world.operator.act('opening_scopes', scope.id, 'return', { comment: 'by its provider' });
  await world.provider.act('opening_scopes', scope.id, 'submit');
  const other = await world.operator.post('/opening_scopes', { title: 'Another department', basis: 'b', department: 'Port' });
  await world.operator.act('opening_scopes', other.id, 'submit');
  await world.admin.act('opening_scopes', other.id, 'approve');
  await restRefuses(world.operator.act('entries', entry.id, 'publish'), 'state-conflict', '/decision');
  assert.deepEqual([(await world.operator.act('opening_scopes', scope.id, 'approve')).approved_by], ['operator']);
  assert.equal((await world.operator.act('entries', entry.id, 'publish')).state, 'published');
  await restRefuses(edit(world.provider, 'opening_scopes', scope.id, { basis: 'x' }), 'state-conflict');
});

test('[SW-8.2a1-2] the plan says what opens when and by whom; who is late is told, and what is listed is done', async () => {
  const me = (await world.provider.get('/users/me')).id;
  const orders = (await world.provider.list('entries', { dataset_id: world.dataset }))[0];
  const late = await world.operator.post('/opening_plan_items', { title: 'Orders', entry_id: orders.id, responsible_id: me, due_at: inDays(-2) });
  const soon = await world.operator.post('/opening_plan_items', { title: 'Tariffs', organisation_id: world.holder, responsible_id: me, due_at: inDays(3) });
  await restRefuses(world.provider.post('/opening_plan_items', { title: 'x', responsible_id: me, due_at: inDays(1) }), 'not-permitted');
  const told = (kind) => until(async () => (await world.provider.list('notices', { kind }))[0], { ms: 20000, what: kind });
  assert.equal((await told('opening-overdue')).object_id, late.id);
  assert.equal((await told('opening-due')).object_id, soon.id);
  assert.ok((await world.operator.list('notices', { kind: 'opening-overdue' })).length > 0, 'the operators know too');
  const report = await world.operator.get('/catalog/opening');
  assert.deepEqual(report.overdue.map((i) => [i.id, i.responsible, i.days_late]), [[late.id, 'provider', 2]]);
  assert.deepEqual(report.scopes.map((s) => s.title).sort(), ['Another department', 'Declarations']);
  const scope = await world.provider.post('/opening_scopes', { title: 'Orders', basis: 'b', entry_ids: [orders.id] });
  await world.provider.act('opening_scopes', scope.id, 'submit');
  await world.operator.act('opening_scopes', scope.id, 'approve');
  await edit(world.provider, 'entries', orders.id, { summary: 'orders', department: 'Trade' });
  await listed(orders.id);
  const done = await world.operator.get(`/opening_plan_items/${late.id}`);
  assert.deepEqual([done.state, typeof done.done_at], ['done', 'string']);
  await world.operator.act('opening_scopes', scope.id, 'end', { comment: 'over' });
  const after_ = await world.operator.get('/catalog/opening');
  assert.deepEqual([after_.overdue, after_.outside_scope.map((e) => e.entry_id)], [[], [orders.id]]);
  await restRefuses(world.developer.get('/catalog/opening'), 'not-permitted');
});

test('[SW-8.3.1-07, SW-3.5b] its owner shares an entry with one party: that party finds it, puts its app in and calls; taken back, it is all gone', async () => {
  const [orders] = await world.provider.list('entries', { dataset_id: world.dataset });
  await edit(world.operator, 'entries', orders.id, { decision: 'closed' });
  const org = await w.organisation(world.admin, 'A partner', 'third_party');
  const developer = await w.user(world.admin, 'partner', 'developer', { organisation_id: org });
  const theirs = { ...world, developer, thirdParty: org };
  const app = await w.admittedApp(theirs, 'Partner app');
  const key = await w.credential(theirs, app);
  const find = async (rest) => (await rest.get('/entries/search?q=orders')).items.map((e) => e.id);
  assert.deepEqual(await find(developer), []);
  const stranger = await w.user(world.admin, 'stranger', 'provider', { organisation_id: await w.organisation(world.admin, 'Another holder', 'holder') });
  const share = { entry_id: orders.id, receiver_id: org, purpose: 'settle accounts', max_level: 2, expires_at: inDays(30) };
  await restRefuses(stranger.post('/entry_shares', share), 'field-invalid', '/entry_id'); // not theirs, not even to be seen
  const own = await world.provider.post('/entry_shares', share);
  await restRefuses(developer.post(`/entry_shares/${own.id}/use`, { app_id: app }), 'not-found');
  await world.operator.act('entry_shares', own.id, 'approve');
  assert.deepEqual([await find(developer), await find(world.developer)], [[orders.id], []], 'for one party alone');
  assert.ok((await developer.list('notices', { kind: 'share-made' })).length === 1);
  await restRefuses(developer.post(`/entry_shares/${own.id}/use`, { app_id: world.app }), 'field-invalid', '/app_id');
  const subscription = await developer.post(`/entry_shares/${own.id}/use`, { app_id: app });
  assert.deepEqual([subscription.state, subscription.max_level, subscription.api_id, subscription.expires_at], ['approved', 2, world.api, own.expires_at]);
  const grant = (await w.grant(world, app, world.api)).id;
  const call = () => p.call('/trade/orders/v1?limit=1', { key, grant });
  const answer = await until(async () => { const a = await call(); return a.status === 200 && a; }, { ms: 10000, what: 'the shared orders' });
  assert.ok(answer.json[0].order_id && !('buyer_phone' in answer.json[0]), 'no more than the level of the share');
  await restRefuses(developer.act('entry_shares', own.id, 'revoke', { comment: 'x' }), 'not-permitted');
  await world.provider.act('entry_shares', own.id, 'revoke', { comment: 'the accounts are settled' });
  await until(async () => (await call()).json?.code === 'subscription-missing', { ms: 10000, what: 'the end of the share' });
  assert.deepEqual([await find(developer), (await developer.get(`/subscriptions/${subscription.id}`)).state], [[], 'cancelled']);
  await edit(world.operator, 'entries', orders.id, { decision: 'open' }).catch(() => {}); // no scope covers it any more
});

test('[SW-8.2a2-2] the open directory as Turtle, JSON-LD and RDF/XML says the same and meets DCAT-AP; a broken one is found out', async () => {
  const { items } = await world.admin.get('/service_settings?name=gateway-url');
  await world.admin.patch(`/service_settings/${items[0].id}`, { value: `http://127.0.0.1:${p.gatewayPort}/` }, items[0].revision);
  const theme = await world.operator.post('/catalog_nodes', { scheme: 'theme', name: '进出口', name_en: 'Trade "in" & out\\' });
  await edit(world.provider, 'entries', entry.id, { theme_id: theme.id, dataset_id: world.dataset, summary: 'Line one\nline two with "quotes" & <tags>', tags: ['报关', 'a\\b'] });
  const raw = async (format) => world.developer.raw('GET', `/api/v1/catalog/export?format=${format}`);
  const turtle = await raw('turtle');
  assert.match(turtle.headers['content-type'], /^text\/turtle/, JSON.stringify(turtle.body) + p.log.slice(-500));
  const quads = new Parser().parse(turtle.body.toString());
  const told = (s, predicate) => quads.filter((q) => q.subject.value === s && q.predicate.value === predicate).map((q) => q.object.value);
  assert.deepEqual(told(entry.identifier, `${DCT}description`), ['Line one\nline two with "quotes" & <tags>']);
  assert.deepEqual(told(entry.identifier, `${DCAT}keyword`).sort(), ['a\\b', '报关']);
  assert.deepEqual(told(`urn:uuid:${world.api}`, `${DCAT}accessURL`), [`http://127.0.0.1:${p.gatewayPort}/trade/orders/v1`]);
  assert.deepEqual(await findings(quads), [], 'it meets the shapes');
  for (const [predicate, finding] of [[`${DCT}title`, 'MinCountConstraintComponent'], [`${DCT}description`, 'MinCountConstraintComponent'], [`${DCAT}accessURL`, 'MinCountConstraintComponent'],
    ['http://xmlns.com/foaf/0.1/name', 'MinCountConstraintComponent']]) {
    const broken = await findings(quads.filter((q) => q.predicate.value !== predicate));
    assert.ok(broken.some(([at, what]) => at === predicate && what === finding), `without ${predicate}: ${JSON.stringify(broken)}`);
  }
  const wrong = new Parser().parse(turtle.body.toString().replaceAll('foaf:Agent', 'foaf:Person'));
  assert.ok((await findings(wrong)).some(([at, what]) => at === `${DCT}publisher` && what === 'ClassConstraintComponent'));
  const ld = (await raw('jsonld')).body;
  const whole = (name) => (name.includes(':') ? ld['@context'][name.split(':')[0]] + name.slice(name.indexOf(':') + 1) : name);
  const object = (v) => (typeof v === 'string' ? v : v['@id'] ?? v['@value']);
  const lines = ld['@graph'].flatMap((n) => Object.entries(n).filter(([k]) => k !== '@id').flatMap(([k, v]) => [v].flat().map((x) => (k === '@type'
    ? [n['@id'], 'http://www.w3.org/1999/02/22-rdf-syntax-ns#type', whole(x)] : [n['@id'], whole(k), object(x)]))));
  const sorted = (list) => [...new Set(list.map((l) => JSON.stringify(l)))].sort();
  assert.deepEqual(sorted(lines), sorted(quads.map((q) => [q.subject.value, q.predicate.value, q.object.value])));
  const xml = (await raw('rdfxml')).body.toString();
  const texts = JSON.parse(execFileSync('python3', ['-c', `import sys, json, xml.etree.ElementTree as e
print(json.dumps([d.text for d in e.fromstring(sys.stdin.buffer.read()).iter('{${DCT}}description')]))`], { input: xml, encoding: 'utf8' }));
  assert.deepEqual(texts.sort(), quads.filter((q) => q.predicate.value === `${DCT}description`).map((q) => q.object.value).sort());
});

test('[SW-10.2-3b, SW-10.2-3c] what was done to either catalogue in a period is reported from the log, and kept as a record that another confirms', async () => {
  const report = await world.operator.get(`/maintenance/resource-centre?from=${began}`);
  const of = (kind, action) => report.by_kind.find((k) => k.kind === kind && k.action === action)?.operations;
  assert.deepEqual([of('metadata-standard', 'create'), of('metadata-standard', 'adopt'), of('harvest', 'finish'), of('opening-scope', 'end')], [2, 2, 1, 1]);
  assert.ok(report.by_actor.some((a) => a.actor === 'operator') && report.by_day.length >= 1);
  assert.ok(report.items.every((i, k, all) => k === 0 || i.seq > all[k - 1].seq) && !report.items.some((i) => i.kind === 'user'));
  assert.equal(report.log.operations, report.by_kind.reduce((n, k) => n + k.operations, 0));
  const services = await world.operator.get(`/maintenance/service-catalogue?from=${began}`);
  assert.ok(services.by_kind.some((k) => k.kind === 'api') && !services.by_kind.some((k) => k.kind === 'entry'));
  const nothing = await world.operator.get('/maintenance/service-catalogue?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z');
  assert.deepEqual([nothing.log.operations, nothing.items], [0, []]);
  await restRefuses(world.operator.get('/maintenance/resource-centre?from=yesterday'), 'query-malformed', '/from');
  await restRefuses(world.developer.get('/maintenance/resource-centre'), 'not-permitted');
  for (const centre of ['resource-centre', 'service-catalogue']) {
    const now = new Date(Date.now() - 1000).toISOString();
    await restRefuses(world.operator.post('/maintenance_records', { centre, title: 't', period_from: began, period_to: inDays(1) }), 'field-invalid', '/period_to');
    const record = await world.operator.post('/maintenance_records', { centre, title: 'This week', period_from: began, period_to: now, note: 'standards came into force' });
    assert.ok(record.figures.log.operations > 0 && record.figures.log.last_seq >= record.figures.log.first_seq);
    await restRefuses(world.operator.act('maintenance_records', record.id, 'confirm'), 'self-approval');
    assert.equal((await world.admin.act('maintenance_records', record.id, 'confirm')).confirmed_by, 'admin');
    await restRefuses(edit(world.operator, 'maintenance_records', record.id, { note: 'x' }), 'state-conflict');
    assert.deepEqual((await world.operator.get(`/maintenance/${centre}?from=${began}`)).records.map((r) => r.id), [record.id]);
  }
});
