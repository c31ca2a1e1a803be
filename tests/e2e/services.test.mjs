// SPDX-License-Identifier: Apache-2.0
// The life of a service: from a table to a catalogued API in one step, through its stages, its changes and its end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Rest } from '../../demo/rest_client.mjs';
import { DOMAINS, window } from '../../demo/window.mjs';
import { refused, restRefuses } from './lib/assertions.mjs';
import { BUILD, Platform, freePorts } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ENTRY = { purpose: '查询', audience: '企业软件', usage: '按编号查询', response_ms: 500, availability_permille: 990, support_hours: '9:00-18:00' };
let p;
let world;
let unit;
let domains; // id by code
let source;
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const becomes = (target, wanted, more) => until(async () => { const a = await call(target, more); return (a.json?.code ?? a.status) === wanted && a; }, { ms: 10000, what: `${wanted} of ${target}` });

async function setting(name, value) {
  const [row] = await world.admin.list('service_settings', { name });
  await world.admin.patch(`/service_settings/${row.id}`, { value }, row.revision);
}

async function refusal(promise, code, text) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.code, code, e.message);
    assert.match(e.problem.detail ?? '', text);
    return true;
  });
}

async function draft(name, more = {}) {
  return world.provider.post('/apis', { name, version: 'v1', path: `/${name}/v1`, kind: 'http', upstream: unit.url, class: 'A1', methods: ['GET'], title: name,
    fields: [{ path: 'id', name: 'id', level: 1, type: 'scalar', mask: '' }, { path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' }], ...more });
}

async function live(name, more) {
  const { id } = await draft(name, more);
  await world.provider.act('apis', id, 'publish');
  await w.subscription(world, world.app, id);
  await becomes(`/${name}/v1/good`, 200);
  return id;
}

before(async () => {
  p = await Platform.start();
  world = await w.people(p);
  unit = await startUpstream();
  const file = path.join(p.dir, 'window.db');
  window(file);
  source = (await world.provider.post('/sources', { name: 'window', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) })).id;
  await world.provider.act('sources', source, 'check');
  domains = Object.fromEntries((await world.developer.list('service_domains')).map((d) => [d.code, d.id]));
});
after(async () => { unit?.close(); await p?.stop(); });

test('[SW-8.3.2-a, SW-8.2b-1, SW-8.2b-2, SW-5-app-1, SW-5-app-2, SW-5-app-3, SW-5-app-4, SW-5-app-5, SW-5-app-6] one action makes a table a catalogued API that answers, in each business domain; what is missing is told in one answer', async () => {
  const [first] = DOMAINS;
  const bare = await world.provider.post('/services/publish', { source_id: source, table: first.table, name: first.table, path: '/window/bare/v1' });
  assert.equal(bare.published, false);
  const kinds = new Set(bare.missing.map((m) => m.what));
  assert.deepEqual([...kinds].sort(), ['domain', 'entry', 'level']);
  assert.deepEqual([await world.provider.list('services'), await world.provider.list('datasets')], [[], []], 'nothing half made');
  await Promise.all(DOMAINS.map(async (d) => {
    const fields = Object.entries(d.columns).map(([column, l]) => { const [level, mask] = [l].flat(); return { column, level, ...(mask ? { mask } : {}) }; });
    const entry = { name: d.table, title: d.title, path: `/window/${d.table}/v1`, domain_id: domains[d.code], ...ENTRY };
    const dataset = await world.provider.post('/datasets', { name: d.table, source_id: source, table: d.table });
    await world.provider.patch(`/datasets/${dataset.id}`, { fields: dataset.fields.map((f) => ({ ...f, ...fields.find((g) => g.column === f.column) })) }, dataset.revision);
    const asked = await world.provider.post('/services/publish', { dataset_id: dataset.id, dry_run: true, ...entry });
    assert.deepEqual([asked.published, asked.missing.map((m) => m.what)], [false, ['review']]);
    await w.reviewed(world, 'datasets', dataset.id);
    const made = await world.provider.post('/services/publish', { dataset_id: dataset.id, ...entry });
    assert.deepEqual([made.published, made.api.state, made.service.state], [true, 'published', 'listed']);
    await w.subscription(world, world.app, made.api.id);
    const answer = await becomes(`/window/${d.table}/v1?limit=2`, 200);
    assert.equal(answer.json.length, 2);
    for (const [name, v] of Object.entries(answer.json[0])) if (/phone/.test(name)) assert.match(v, /\*/);
  }));
  const [review] = await world.admin.list('classify_settings', { name: 'security-review-required' });
  await world.admin.patch(`/classify_settings/${review.id}`, { value: 'off' }, review.revision);
  const table = { source_id: source, table: first.table, domain_id: domains[first.code], fields: Object.keys(first.columns).map((column) => ({ column, level: 1 })), ...ENTRY };
  await restRefuses(world.provider.post('/services/publish', { ...table, name: 'again', path: `/window/${first.table}/v1` }), 'already-exists');
  assert.equal((await world.provider.post('/services/publish', { ...table, name: 'from-table', path: '/window/from-table/v1' })).published, true);
  const now = await world.admin.get(`/classify_settings/${review.id}`);
  await world.admin.patch(`/classify_settings/${review.id}`, { value: 'on' }, now.revision);
});

test('[SW-3.8a, SW-3.8b, SW-3.8c, SW-7e1, SW-8.1-m4, SW-8.3.2-03, SW-8.3.2-04, SW-8.3.2-06] the catalogue has a business view without technical words, a developer view with them, and each dataset lists its interfaces', async () => {
  const business = (await world.developer.get('/catalogue/business?domain=manifest')).items;
  assert.equal(business.length, 1);
  assert.equal(business[0].purpose, ENTRY.purpose);
  assert.deepEqual(business[0].targets.response_ms, { target: 500, measured: null, met: null });
  assert.ok(!/path|dataset|upstream|\/window/.test(JSON.stringify(business)), 'nothing technical');
  const [technical] = (await world.developer.get(`/catalogue/developer?q=${encodeURIComponent('舱单')}`)).items;
  assert.deepEqual(['path', 'interface_type', 'authorised_query'].map((n) => technical.versions[0][n]), ['/window/manifest/v1', 'data-sharing', false]);
  const { items } = await world.developer.get(`/datasets/${technical.dataset_ids[0]}/interfaces`);
  assert.deepEqual(items.map((i) => [i.path, i.interface_type, i.authorised_query]), [['/window/manifest/v1', 'data-sharing', false]]);
  const mine = (await world.provider.list('services', { name: 'manifest' }))[0];
  const other = (await world.provider.list('services', { name: 'parcel' }))[0];
  await world.provider.patch(`/services/${other.id}`, { related_ids: [mine.id] }, other.revision);
  const rests = await world.provider.get(`/services/${mine.id}/dependencies`);
  assert.deepEqual([rests.dataset_ids, rests.related_by.map((r) => r.name), rests.apps.map((a) => a.id), rests.breaks_dependants], [technical.dataset_ids, ['parcel'], [world.app], true]);
  assert.equal((await world.operator.get('/catalogue/completeness')).complete, true);
});

test('[SW-4e, SW-8.2c1-1] each API and service is described in OpenAPI, for each level what its callers see', async () => {
  const [{ id, versions }] = (await world.developer.get('/catalogue/developer?q=manifest')).items;
  const three = await world.developer.get(`/services/${id}/openapi?level=3`);
  assert.equal(three.openapi, '3.1.0');
  const fields = (doc) => Object.keys(doc.paths['/window/manifest/v1'].get.responses['200'].content['application/json'].schema.items.properties).sort();
  assert.ok(fields(three).includes('consignee_phone'));
  assert.deepEqual(fields(await world.developer.get(`/apis/${versions[0].id}/openapi?level=1`)), ['vessel_no']);
  assert.ok(!JSON.stringify(three).includes('sqlite'), 'nothing of what runs behind');
  await restRefuses(world.developer.get(`/apis/${versions[0].id}/openapi?level=4`), 'query-malformed');
});

test('[SW-3.2c, SW-5-app-a, SW-5-app-b, SW-7d1, SW-7d2, SW-7d3, SW-8.1-p7, SW-8.3.2-01, SW-8.3.2-02, SW-8.3.2-05] a service is registered, reviewed, evaluated and only then callable', async () => {
  await setting('evaluation-required', 'on');
  const s = await world.provider.post('/services', { name: 'registered', title: 'Registered', technical: 'JSON' });
  const api = await draft('registered', { service_id: s.id });
  await refusal(world.provider.act('services', s.id, 'submit'), 'state-conflict', /purpose, audience, usage, domain_id/);
  await world.provider.patch(`/services/${s.id}`, { ...ENTRY, domain_id: domains.manifest }, s.revision);
  await world.provider.act('services', s.id, 'submit');
  await refusal(world.provider.act('apis', api.id, 'publish'), 'state-conflict', /not approved/);
  refused(await call('/registered/v1/good'), 404, 'route-unknown');
  await restRefuses(world.provider.act('services', s.id, 'approve'), 'not-permitted');
  await refusal(world.operator.act('services', s.id, 'approve'), 'state-conflict', /evaluation/);
  await world.operator.post('/service_evaluations', { service_id: s.id, need: 'query', acceptance: 'accepted by the port', business_value: 'high', risk: 'low', level: 2, result: 'passed' });
  await world.operator.act('services', s.id, 'approve', { comment: 'fits' });
  assert.equal((await world.operator.get(`/services/${s.id}`)).approved_by, 'operator');
  await world.provider.act('apis', api.id, 'publish');
  await w.subscription(world, world.app, api.id);
  await becomes('/registered/v1/good', 200);
  await setting('evaluation-required', 'off');
  await restRefuses(world.provider.act('services', s.id, 'withdraw'), 'state-conflict');
});

test('[SW-0.3] an interface specification of a domain is loaded, and its services are held against it', async () => {
  const domain = await world.operator.post('/service_domains', { code: 'test-domain', title_zh: '测试', title_en: 'Test', interface: { fields: [{ name: 'id' }, { name: 'owner' }] } });
  const s = await world.provider.post('/services', { name: 'held', title: 'Held', domain_id: domain.id, ...ENTRY });
  await world.provider.act('services', s.id, 'submit');
  await world.operator.act('services', s.id, 'approve');
  const api = await draft('held', { service_id: s.id });
  await refusal(world.provider.act('apis', api.id, 'publish'), 'state-conflict', /a field owner/);
});

test('[BK-12.1a2, CI-8.1, CI-8.1a, CI-8.1b, CI-8.1c, CI-8.1e, CI-8.1f, BK-5k1, SW-8.1-m2, SW-8.1-m3] design, development, review, test, open, stopped, suspended, deleted: each step by who may, recorded in one history', async () => {
  await setting('stages-required', 'on');
  const { id } = await draft('staged');
  await refusal(world.provider.act('apis', id, 'publish'), 'state-conflict', /design, development, review and test/);
  await restRefuses(world.provider.act('apis', id, 'approve-design'), 'not-permitted');
  await world.operator.act('apis', id, 'approve-design', { comment: 'good' });
  await world.provider.act('apis', id, 'submit', { comment: 'own tests: 12 of 12' });
  await restRefuses(world.provider.act('apis', id, 'publish'), 'state-conflict');
  await world.operator.act('apis', id, 'accept');
  refused(await becomes('/staged/v1/good', 'subscription-missing'), 403, 'subscription-missing');
  await world.provider.act('apis', id, 'publish');
  await setting('stages-required', 'off');
  await w.subscription(world, world.app, id);
  await becomes('/staged/v1/good', 200);
  await world.provider.act('apis', id, 'stop', { comment: 'night' });
  refused(await becomes('/staged/v1/good', 'api-offline'), 410, 'api-offline');
  assert.match((await call('/staged/v1/good')).text, /disabled|停用/);
  await world.provider.act('apis', id, 'start');
  await becomes('/staged/v1/good', 200);
  await restRefuses(world.provider.act('apis', id, 'archive'), 'state-conflict');
  await world.operator.act('apis', id, 'suspend', { comment: 'leaks a field' });
  await becomes('/staged/v1/good', 'api-offline');
  await refusal(world.operator.act('apis', id, 'resume'), 'state-conflict', /put right/);
  await world.provider.act('apis', id, 'rectify', { comment: 'field dropped' });
  await world.operator.act('apis', id, 'resume');
  await becomes('/staged/v1/good', 200);
  await world.provider.act('apis', id, 'stop');
  await world.provider.act('apis', id, 'archive');
  await becomes('/staged/v1/good', 'route-unknown');
  const { steps } = await world.operator.get(`/apis/${id}/history`);
  assert.deepEqual(steps.map((s) => s.action), ['create', 'approve-design', 'submit', 'accept', 'publish', 'stop', 'start', 'suspend', 'rectify', 'resume', 'stop', 'archive']);
  assert.ok(steps.every((s) => s.operator && s.at && s.version === 'v1'));
  assert.equal(steps[2].comment, 'own tests: 12 of 12');
  assert.deepEqual([steps[1].operator, steps[1].from, steps[1].to, steps[4].gate.step], ['operator', 'draft', 'development', 'publish']);
  await setting('moved-by', 'operators');
  const other = await draft('moved');
  await restRefuses(world.provider.act('apis', other.id, 'publish'), 'not-permitted');
  await world.operator.act('apis', other.id, 'publish');
  await setting('moved-by', 'providers');
});

test('[BK-6.2b3-2] an API bound to named apps opens to them alone', async () => {
  const api = await draft('direct');
  const named = await world.provider.get(`/apis/${api.id}`);
  await world.provider.patch(`/apis/${api.id}`, { bound_apps: [world.app] }, named.revision);
  await world.provider.act('apis', api.id, 'publish');
  await w.subscription(world, world.app, api.id);
  await becomes('/direct/v1/good', 200);
  const other = await w.admittedApp(world, 'Another');
  await restRefuses(world.developer.post('/subscriptions', { app_id: other, api_id: api.id, purpose: 'x', max_level: 1 }), 'not-permitted', '/api_id');
  const { revision } = await world.provider.get(`/apis/${api.id}`);
  await world.provider.patch(`/apis/${api.id}`, { bound_apps: [other] }, revision);
  await becomes('/direct/v1/good', 'subscription-missing');
});

test('[BK-6.1d] a link to a page is in the catalogue and is no interface', async () => {
  const page = await world.provider.post('/services', { name: 'page', title: 'Page', kind: 'h5', link: 'https://bank.example/apply' });
  await restRefuses(world.provider.post('/services', { name: 'bad', title: 'Bad', kind: 'h5', link: 'javascript:alert(1)' }), 'field-invalid', '/link');
  await restRefuses(draft('of-page', { service_id: page.id }), 'field-invalid', '/service_id');
  assert.ok(!('u_api_id' in page) && !('api_id' in page));
});

test('[CI-7.1b, CI-7.3a] definitions are linted: a paged interface takes pageno and pagesize or is not published, nor exchanged for another once it is; status codes too', async () => {
  const api = await draft('pages');
  const query = (name) => ({ name, in: 'query', schema: { type: 'integer' } });
  const openapi = (...names) => ({ openapi: '3.1.0', info: { title: 'x', version: '1' }, paths: { '/good': { get: { parameters: names.map(query), responses: { 200: { description: 'ok' } } } } } });
  const schema = await world.provider.post('/schemas', { api_id: api.id, openapi: openapi('page', 'size') });
  const { findings } = await world.provider.get(`/apis/${api.id}/lint`);
  assert.deepEqual(findings.map((f) => f.rule), ['paging']);
  await refusal(world.provider.act('apis', api.id, 'publish'), 'state-conflict', /pageno and pagesize/);
  await world.provider.patch(`/schemas/${schema.id}`, { openapi: openapi('pageno', 'pagesize') }, schema.revision);
  await world.provider.act('apis', api.id, 'publish');
  // What is open stays as it was looked at: no other schema, none at all, no other kind of paging.
  const now = await world.provider.get(`/schemas/${schema.id}`);
  await restRefuses(world.provider.patch(`/schemas/${schema.id}`, { openapi: openapi('page', 'size') }, now.revision), 'state-conflict', '/openapi');
  await restRefuses(world.provider.patch(`/schemas/${schema.id}`, { openapi: openapi('pageno', 'pagesize', 'limit') }, now.revision), 'state-conflict', '/openapi');
  await world.provider.patch(`/schemas/${schema.id}`, { openapi: openapi('pageno', 'pagesize', 'since') }, now.revision);
  await world.provider.patch(`/apis/${api.id}`, { paged: true }, (await world.provider.get(`/apis/${api.id}`)).revision);
  await restRefuses(world.provider.act('schemas', schema.id, 'remove'), 'state-conflict');
  const plain = await live('unpaged');
  await restRefuses(world.provider.patch(`/apis/${plain}`, { paged: true }, (await world.provider.get(`/apis/${plain}`)).revision), 'state-conflict');
  // A unit's own API says with which status it answers.
  const codes = await draft('codes');
  const answers = (get, remove) => ({ openapi: '3.1.0', info: { title: 'x', version: '1' }, paths: { '/good': { get: { ...(get && { responses: get }) }, delete: { responses: remove } } } });
  const text = { description: 'it', content: { 'text/plain': {} } };
  const said = await world.provider.post('/schemas', { api_id: codes.id, openapi: answers(undefined, { 201: text }) });
  const found = async () => (await world.provider.get(`/apis/${codes.id}/lint`)).findings.map((f) => f.rule);
  assert.deepEqual(await found(), ['status', 'status']);
  await refusal(world.provider.act('apis', codes.id, 'publish'), 'state-conflict', /status: /);
  const next = await world.provider.patch(`/schemas/${said.id}`, { openapi: answers({ default: text }, { 204: text }) }, said.revision);
  assert.deepEqual(await found(), ['status', 'status']);
  await world.provider.patch(`/schemas/${said.id}`, { openapi: answers({ 200: text, 404: text }, { 204: { description: 'gone' } }) }, next.revision);
  assert.deepEqual(await found(), []);
  const verb = await draft('deleteOrders');
  assert.deepEqual((await world.provider.get(`/apis/${verb.id}/lint`)).findings.map((f) => f.rule), ['path-noun']);
});

test('[BK-10.3a1, BK-10.3a2, BK-10.3a3, BK-10.3a4, BK-10.3a6, BK-7.1f3, CI-8.1d, EC-3.11b] a live API changes by a record: assessed, planned, announced, released and taken back', async () => {
  const id = await live('changing');
  await setting('change-control', 'on');
  await setting('change-notice-days', '0');
  const before_ = await world.provider.get(`/apis/${id}`);
  await refusal(world.provider.patch(`/apis/${id}`, { upstream: 'http://127.0.0.1:1' }, before_.revision), 'state-conflict', /service_changes/);
  await world.provider.patch(`/apis/${id}`, { title: 'In better words' }, before_.revision);
  await world.owner.post('/grants', { app_id: world.app, api_id: id, owner: 'M00001', purpose: 'x', term: 'period', expires_at: w.IN_A_YEAR });
  const change = await world.provider.post('/service_changes', { api_id: id, summary: 'another server', change: { upstream: 'http://127.0.0.1:1' }, touches_users: true });
  await restRefuses(world.provider.act('service_changes', change.id, 'announce'), 'state-conflict');
  const assessed = await world.provider.act('service_changes', change.id, 'assess', { impact: 'a minute without service' });
  assert.deepEqual(assessed.affected.apps.map((a) => a.id), [world.app]);
  await restRefuses(world.provider.act('service_changes', change.id, 'announce'), 'state-conflict', '/plan');
  const edit = async (body) => { const { revision } = await world.provider.get(`/service_changes/${change.id}`); return world.provider.patch(`/service_changes/${change.id}`, body, revision); };
  await edit({ plan: 'switch at night', release_at: new Date(Date.now() + 1000).toISOString() });
  await world.provider.act('service_changes', change.id, 'assess', { impact: 'a minute without service' });
  await restRefuses(world.provider.act('service_changes', change.id, 'announce'), 'state-conflict', '/emergency_plan');
  await edit({ emergency_plan: 'roll back', user_notice: 'a short pause' });
  await world.provider.act('service_changes', change.id, 'assess', { impact: 'a minute without service' });
  await edit({ release_at: new Date(Date.now() + 1500).toISOString() });
  await world.provider.act('service_changes', change.id, 'assess', { impact: 'a minute without service' });
  await world.provider.act('service_changes', change.id, 'announce');
  const told = await world.operator.list('service_notices', { about_id: change.id });
  assert.deepEqual(told.map((t) => t.party).sort(), ['app', 'provider', 'user']);
  const [notice] = await world.developer.list('notices', { object_id: change.id });
  assert.deepEqual([notice.kind, notice.state], ['service-change-announced', 'unread']);
  await world.developer.act('notices', notice.id, 'read');
  assert.equal((await world.owner.list('notices', { object_id: change.id })).length, 1);
  await until(async () => (await world.provider.get(`/service_changes/${change.id}`)).state === 'released', { ms: 10000, what: 'the release at its time' });
  await becomes('/changing/v1/good', 'upstream-unavailable');
  assert.equal((await world.developer.list('notices', { object_id: id })).filter((n) => n.kind === 'api-changed').length, 1);
  await world.provider.act('service_changes', change.id, 'roll-back', { comment: 'the server is not there' });
  await becomes('/changing/v1/good', 200);
  await setting('change-control', 'off');
});

test('[BK-10.3a1, BK-10.3a3] with change control a live API of a dataset keeps its fields when another version is published without a record', async () => {
  const d = DOMAINS[0];
  const dataset = await world.provider.post('/datasets', { name: 'kept', source_id: source, table: d.table });
  const fields = dataset.fields.map((f) => ({ ...f, level: 1 }));
  await world.provider.patch(`/datasets/${dataset.id}`, { fields }, dataset.revision);
  const first = await world.provider.act('datasets', dataset.id, 'publish', { name: 'kept', version: 'v1', path: '/kept/v1', title: 'Kept' });
  await setting('change-control', 'on');
  await setting('change-notice-days', '0');
  const { revision } = await world.provider.get(`/datasets/${dataset.id}`);
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: fields.map((f, i) => (i === 0 ? { ...f, name: 'renamed' } : f)) }, revision);
  await w.reviewed(world, 'datasets', dataset.id);
  const second = await world.provider.post('/apis', { name: 'kept', version: 'v2', path: '/kept/v2', kind: 'dataset', dataset_id: dataset.id, title: 'Kept' });
  await refusal(world.provider.act('apis', second.id, 'publish'), 'state-conflict', /\/kept\/v1.*service_changes/);
  assert.equal((await world.provider.get(`/apis/${first.id}`)).fields[0].name, fields[0].name);
  const change = await world.provider.post('/service_changes', { api_id: first.id, new_api_id: second.id, summary: 'a name', plan: 'at night', emergency_plan: 'back', release_at: new Date(Date.now() + 1000).toISOString() });
  await world.provider.act('service_changes', change.id, 'assess', { impact: 'a name changes' });
  await world.provider.act('service_changes', change.id, 'announce');
  await until(async () => (await world.provider.get(`/service_changes/${change.id}`)).state === 'released', { ms: 10000, what: 'the release' });
  for (const { id } of [first, second]) assert.equal((await world.provider.get(`/apis/${id}`)).fields[0].name, 'renamed');
  await setting('change-control', 'off');
});

test('[BK-10.3a5, BK-7.1f2] a new version opens to chosen parties first while the old serves the rest, then to all; each has its own state and history', async () => {
  const id = await live('versions');
  const other = await w.admittedApp(world, 'Elsewhere');
  const otherKey = await w.credential(world, other);
  await w.subscription(world, other, id);
  const next = await draft('versions-2', { name: 'versions', version: 'v2', path: '/versions/v2' });
  await w.reviewed(world, 'apis', next.id);
  const change = await world.provider.post('/service_changes', { api_id: id, summary: 'v2', new_api_id: next.id, canary_apps: [other], plan: 'x', emergency_plan: 'y', release_at: new Date(Date.now() + 500).toISOString() });
  await world.provider.act('service_changes', change.id, 'assess', { impact: 'none' });
  await world.provider.act('service_changes', change.id, 'announce');
  await until(async () => (await world.provider.get(`/service_changes/${change.id}`)).state === 'canary', { ms: 10000, what: 'the canary' });
  await becomes('/versions/v2/good', 200, { key: otherKey });
  refused(await call('/versions/v2/good'), 403, 'subscription-missing');
  await becomes('/versions/v1/good', 200);
  refused(await call('/versions/v9/good'), 404, 'route-unknown');
  await world.provider.act('service_changes', change.id, 'complete');
  await becomes('/versions/v2/good', 200);
  const answer = await until(async () => { const a = await call('/versions/v1/good'); return a.headers.deprecation && a; }, { ms: 10000, what: 'the old version\'s end' });
  assert.match(answer.headers.link, /versions\/v2/);
  const states = await Promise.all([id, next.id].map(async (i) => (await world.operator.get(`/apis/${i}/history`)).state));
  assert.deepEqual(states, ['deprecated', 'published']);
  await world.provider.act('service_changes', change.id, 'roll-back', { comment: 'no' });
  await becomes('/versions/v2/good', 'api-offline');
  await until(async () => !(await call('/versions/v1/good')).headers.deprecation, { ms: 10000, what: 'the old version again' });
});

test('[BK-11b1, BK-11b2, BK-11d, BK-11e1, BK-11e2, BK-11f1, BK-11f2] an end is announced with its lead time, told, confirmed, and leaves an archive that is kept as long as its rule says', async () => {
  const id = await live('ending');
  await world.owner.post('/grants', { app_id: world.app, api_id: id, owner: 'M00001', purpose: 'x', term: 'period', expires_at: w.IN_A_YEAR });
  await setting('termination-control', 'on');
  await restRefuses(world.provider.act('apis', id, 'offline'), 'state-conflict');
  await refusal(world.provider.act('apis', id, 'baffle'), 'state-conflict', /announced first/);
  const end = { api_id: id, reason: 'nobody calls it', user_notice: 'it ends' };
  await restRefuses(world.provider.post('/service_terminations', { ...end, end_at: new Date(Date.now() + 86400e3).toISOString() }), 'field-invalid', '/end_at');
  await setting('termination-notice-days', '0');
  const t = await world.provider.post('/service_terminations', end);
  assert.deepEqual((await world.operator.list('service_notices', { about_id: t.id })).map((n) => n.party).sort(), ['app', 'provider', 'user']);
  await refusal(world.provider.act('apis', id, 'baffle'), 'state-conflict', /5 matters are not agreed/);
  await w.agreed(world, t.id);
  await world.provider.act('apis', id, 'baffle');
  assert.match((await becomes('/ending/v1/good', 'api-offline')).text, /terminated|终止/);
  await refusal(world.provider.act('apis', id, 'offline'), 'state-conflict', /not confirmed/);
  const application = await world.provider.get(`/service_terminations/${t.id}/cancellation`);
  assert.deepEqual([application.application, application.submitted], ['cancellation', null]);
  const handed = await world.provider.act('service_terminations', t.id, 'cancellation', { reference: 'C-1' });
  assert.equal(handed.cancellation.reference, 'C-1');
  await world.provider.act('service_terminations', t.id, 'confirm');
  await world.provider.act('apis', id, 'offline');
  const rules = await world.admin.list('retention_rules');
  const rule = rules.find((r) => r.data_class === 'grants');
  await world.admin.patch(`/retention_rules/${rule.id}`, { days: 0, rule: 'none needed' }, rule.revision);
  await world.provider.act('apis', id, 'archive');
  const parts = await world.operator.list('service_archives', { name: 'ending' });
  assert.deepEqual(parts.map((a) => a.data_class).sort(), ['definition', 'grants', 'operations', 'transactions']);
  const by = Object.fromEntries(parts.map((a) => [a.data_class, a]));
  assert.equal(by.definition.content.api.path, '/ending/v1');
  assert.equal(by.grants.content.subscriptions.length, 1);
  // Its calls are found from there: how many, by whom, when, and their records in the log, which stays as it is.
  const calls = (more = '') => world.operator.get(`/service_archives/${by.transactions.id}/calls${more}`);
  const counted = await until(async () => { const a = await calls(); return a.found.calls > 0 && a.found.refused > 0 && a; }, { ms: 20000, what: 'the count of its calls' });
  assert.deepEqual(counted.apps.map((a) => a.app_id), [world.app]);
  assert.deepEqual((await calls(`?app_id=${id}`)).found, { calls: 0, refused: 0, rows: 0 });
  assert.equal((await calls(`?until=${new Date(Date.now() - 3 * 86400e3).toISOString()}`)).found.calls, 0);
  await restRefuses(world.operator.get(`/service_archives/${by.definition.id}/calls`), 'state-conflict');
  await restRefuses(world.developer.get(`/service_archives/${by.transactions.id}/calls`), 'not-permitted');
  assert.equal(counted.where.search, `sluice audit show --api ${id}`);
  const found = records(p, ...counted.where.search.split(' ').slice(3));
  assert.ok(found.length >= counted.found.calls && found.every((r) => r.api === id), `${found.length} records`);
  await restRefuses(world.admin.act('service_archives', by.definition.id, 'dispose', { comment: 'no more' }), 'state-conflict', '/keep_until');
  await restRefuses(world.admin.patch(`/service_archives/${by.definition.id}`, { name: 'x' }, by.definition.revision), 'not-permitted');
  await until(async () => (await world.operator.get(`/service_archives/${by.grants.id}`)).state === 'due', { ms: 10000, what: 'the task to dispose' });
  assert.equal((await world.operator.list('notices', { object_id: by.grants.id })).length, 1);
  const gone = await world.admin.act('service_archives', by.grants.id, 'dispose', { comment: 'over' });
  assert.deepEqual([gone.state, gone.content], ['disposed', null]);
  await setting('termination-control', 'off');
});

test('[SW-6-registry] an instance registers, is called, and is let go when its heartbeat fails', async () => {
  const mine = await startUpstream();
  const { id } = await draft('registry', { upstream: 'http://127.0.0.1:1' });
  await world.provider.act('apis', id, 'publish');
  await w.subscription(world, world.app, id);
  const one = await world.provider.post('/service_instances', { api_id: id, url: mine.url, heartbeat_s: 1 });
  await becomes('/registry/v1/good', 200);
  await until(async () => (await world.provider.get(`/service_instances/${one.id}`)).state === 'lost', { ms: 15000, what: 'the loss' });
  await becomes('/registry/v1/good', 'upstream-unavailable');
  await world.provider.act('service_instances', one.id, 'heartbeat');
  await becomes('/registry/v1/good', 200);
  mine.close();
});

test('[SW-6-config] a setting has its revisions and goes back to one', async () => {
  const [row] = await world.admin.list('service_settings', { name: 'report-days' });
  await world.admin.patch(`/service_settings/${row.id}`, { value: '30' }, row.revision);
  assert.deepEqual((await world.operator.get(`/service_settings/${row.id}/revisions`)).items.map((i) => i.after.value), ['30']);
  await restRefuses(world.operator.act('service_settings', row.id, 'restore', { revision: row.revision }), 'not-permitted');
  assert.equal((await world.admin.act('service_settings', row.id, 'restore', { revision: row.revision })).value, row.value);
});

test('[SW-6-config] what is set for a service counts in its running instance at the next heartbeat, a limit at the gateway at the next call; both go back to a revision', async () => {
  const { id } = await draft('configured');
  await world.provider.act('apis', id, 'publish');
  await w.subscription(world, world.app, id);
  const instance = await world.provider.post('/service_instances', { api_id: id, url: unit.url, heartbeat_s: 3600 });
  const told = async () => (await world.provider.act('service_instances', instance.id, 'heartbeat')).configuration;
  assert.equal(await told(), undefined);
  const config = await world.provider.post('/service_configs', { api_id: id, name: 'page-size', value: { rows: 20 } });
  assert.deepEqual(await told(), { 'page-size': { rows: 20 } });
  await world.provider.patch(`/service_configs/${config.id}`, { value: { rows: 50 } }, config.revision);
  assert.deepEqual(await told(), { 'page-size': { rows: 50 } });
  assert.deepEqual((await world.provider.get(`/service_configs/${config.id}/revisions`)).items.map((i) => i.after.value.rows), [20, 50]);
  await world.provider.act('service_configs', config.id, 'restore', { revision: 1 });
  assert.deepEqual(await told(), { 'page-size': { rows: 20 } });
  await restRefuses(world.provider.post('/service_configs', { api_id: id, name: 'page-size', value: 1 }), 'already-exists');
  await restRefuses(world.provider.post('/service_configs', { api_id: id, name: 'Page Size', value: 1 }), 'field-invalid', '/name');
  await restRefuses(world.developer.list('service_configs'), 'not-permitted');
  const limit = await world.operator.post('/limits', { name: 'one', per: 'app-api', app_id: world.app, api_id: id, measure: 'rate', amount: 1, window_ms: 600000, action: 'reject' });
  await becomes('/configured/v1/good', 'rate-limited');
  await world.operator.patch(`/limits/${limit.id}`, { amount: 100000 }, limit.revision);
  await becomes('/configured/v1/good', 200);
  await world.admin.act('limits', limit.id, 'restore', { revision: 1 });
  await becomes('/configured/v1/good', 'rate-limited');
});

const finished = (id) => until(async () => { const t = await world.operator.get(`/scheduled_tasks/${id}`); return t.state === 'done' && t; }, { ms: 20000, what: 'the end of the task' });
const task = async (body) => finished((await world.operator.post('/scheduled_tasks', body)).id);

test('[SW-6-timer] a task runs at its time, once, keeps its result and tells of its failure: a check, a harvest, an export', async () => {
  const failed = await task({ name: 'nightly', task: 'check-catalogue' });
  assert.deepEqual([failed.last_result, failed.failures, failed.next_at], ['failed', 1, null]);
  assert.equal((await world.operator.list('notices', { object_id: failed.id })).length, 1);
  assert.equal((await world.operator.get(`/operations?kind=scheduled-task&resource_id=${failed.id}&action=execute`)).items.length, 1);
  const harvest = await world.provider.post('/harvests', { source_id: source });
  const harvested = await task({ name: 'tables', task: 'run-harvest', target_id: harvest.id });
  assert.deepEqual([harvested.last_result, harvested.about_id], ['passed', harvest.id], harvested.last_detail);
  const [{ dataset_id: dataset, id: api, revision }] = (await world.provider.list('apis', { name: 'manifest' }));
  assert.ok(dataset);
  await restRefuses(world.operator.post('/scheduled_tasks', { name: 'x', task: 'make-export', api_id: api, parameters: { formats: 1 } }), 'field-invalid', '/parameters');
  const refusedExport = await task({ name: 'early', task: 'make-export', api_id: api });
  assert.match(`${refusedExport.last_result} ${refusedExport.last_detail}`, /failed .*batch is off/);
  await world.provider.patch(`/apis/${api}`, { batch: true }, revision);
  const exported = await task({ name: 'month end', task: 'make-export', api_id: api, parameters: { format: 'csv' } });
  assert.equal(exported.last_result, 'passed', exported.last_detail);
  const file = await world.operator.get(`/exports/${exported.about_id}`);
  assert.deepEqual([file.state, file.format, file.requested_by], ['ready', 'csv', 'platform']);
  await restRefuses(world.operator.post('/scheduled_tasks', { name: 'x', task: 'run-harvest', target_id: api }), 'field-invalid', '/target_id');
  await restRefuses(world.developer.post('/scheduled_tasks', { name: 'x', task: 'check-catalogue' }), 'not-permitted');
});

test('[SW-6-timer] of two control processes on one store one runs a task, and the other goes on when that one is killed', async () => {
  const [control, feed] = await freePorts(2);
  const second = spawn(path.join(BUILD, 'cli/sluice'), ['control', '--data-dir', p.data, '--control-port', String(control), '--feed-port', String(feed)], { env: p.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const gone = new Promise((resolve) => second.once('exit', resolve));
  try {
    const other = new Rest(`https://127.0.0.1:${control}`, p.ca);
    await until(async () => (await other.raw('GET', '/api/v1/health').catch(() => ({}))).status === 200, { ms: 20000, what: 'the second control process' });
    const { id } = await world.operator.post('/scheduled_tasks', { name: 'each second', task: 'check-archives', every_s: 1 });
    const runs = async () => (await world.operator.get(`/operations?kind=scheduled-task&resource_id=${id}&action=execute&page_size=100`)).items.map((o) => Date.parse(o.at)).sort();
    await until(async () => (await runs()).length >= 2, { ms: 20000, what: 'runs' });
    const [killed] = p.processes().control;
    process.kill(killed, 'SIGKILL');
    const before = await until(() => runs().catch(() => false), { ms: 20000, what: 'the control plane again' });
    const all = await until(async () => { const r = await runs(); return r.length >= before.length + 2 && r; }, { ms: 20000, what: 'runs after the end of the first' });
    all.slice(1).forEach((at, i) => assert.ok(at - all[i] >= 1000, `twice within a second: ${all}`));
    await world.operator.act('scheduled_tasks', id, 'remove');
  } finally {
    second.kill('SIGTERM');
    await gone;
  }
});

test('[SW-7d4, SW-7d5, SW-7d6, SW-7d7, CI-6.1.6b] before an API opens the platform calls it by an app of its own and sees to function, safety and speed; what fails holds it back', async () => {
  const probe = await w.admittedApp(world, 'The platform itself', 'controlled');
  await w.credential(world, probe);
  const s = await world.provider.post('/services', { name: 'probed', title: 'Probed', domain_id: domains.manifest, ...ENTRY, response_ms: 60000 });
  await world.provider.act('services', s.id, 'submit');
  await world.operator.act('services', s.id, 'approve');
  const { id } = await draft('probed', { service_id: s.id });
  const probed = (body) => world.provider.post(`/apis/${id}/probe`, body);
  await restRefuses(probed({ calls: [{ target: '/good' }] }), 'state-conflict');
  await w.reviewed(world, 'apis', id);
  await world.operator.act('apis', id, 'approve-design');
  await world.provider.act('apis', id, 'submit', { comment: 'tried' });
  await world.operator.act('apis', id, 'accept');
  await restRefuses(probed({ calls: [{ target: '/good' }] }), 'state-conflict'); // no app of its own yet
  await setting('probe-app', probe);
  await setting('gateway-url', p.gateway);
  await setting('reports-required', 'functional security performance');
  await refusal(world.provider.act('apis', id, 'publish'), 'state-conflict', /functional.*security.*performance/);
  await restRefuses(probed({ calls: [{ target: '#' }] }), 'field-invalid', '/calls/0');
  const failed = await probed({ calls: [{ target: '/good', fields: ['not_there'] }], repeat: 2 });
  assert.deepEqual(failed.reports.map((r) => r.result), ['failed', 'passed', 'passed'], JSON.stringify(failed));
  await refusal(world.provider.act('apis', id, 'publish'), 'state-conflict', /no functional report/);
  refused(await call('/probed/v1/good'), 403, 'subscription-missing');
  const good = await probed({ calls: [{ target: '/good', fields: ['id', 'phone'] }], repeat: 5 });
  assert.equal(good.passed, true, JSON.stringify(good));
  assert.deepEqual([good.figures.calls, good.figures.at_once, good.figures.failed_permille], [5, 4, 0]);
  assert.deepEqual(good.reports[1].cases.map((c) => c.case), ['authentication', 'authentication', 'level', 'masking', 'transport']);
  await world.provider.act('apis', id, 'publish');
  const targets = async () => (await world.developer.get('/catalogue/business?q=probed')).items[0].targets;
  const tested = await targets();
  assert.deepEqual([tested.response_ms.met, tested.availability_permille.met], [true, true]);
  const { revision } = await world.provider.get(`/services/${s.id}`);
  await world.provider.patch(`/services/${s.id}`, { throughput: 1000000 }, revision);
  assert.deepEqual((await probed({ calls: [{ target: '/good' }], repeat: 3 })).reports.map((r) => r.result), ['passed', 'passed', 'failed']);
});

test('[SW-3.8b] once a service is used, its targets are measured by what the gateways recorded of its calls', async () => {
  const [{ id: api }] = await world.provider.list('apis', { name: 'probed' });
  const targets = async () => (await world.developer.get('/catalogue/business?q=probed')).items[0].targets;
  await w.subscription(world, world.app, api);
  await becomes('/probed/v1/good', 200);
  const used = await until(async () => { const t = await targets(); return t.measured_from === 'use' && t; }, { ms: 30000, what: 'figures of the use' });
  assert.ok(used.calls > 0 && used.response_ms.measured > 0, JSON.stringify(used));
  assert.deepEqual([used.response_ms.met, used.availability_permille.met], [true, true]);
  for (let i = 0; i < 3; i++) await call('/probed/v1/error');
  const worse = await until(async () => { const t = await targets(); return t.availability_permille.measured < used.availability_permille.measured && t; }, { ms: 30000, what: 'the failures in the figures' });
  assert.equal(worse.availability_permille.met, false, JSON.stringify(worse));
});

test('[SW-7d5, SW-7d7] answers are held against all that the API declares, and the performance test makes its calls at the same time', async () => {
  const api = await draft('declared', { methods: ['GET', 'POST'], query: true });
  const answer = (properties, required) => ({ responses: { 200: { description: 'ok', content: { 'application/json': { schema: { type: 'object', required, properties } } } } } });
  const id = (type) => ({ id: { type }, phone: { type: 'string', pattern: '^1[0-9]{10}$' }, secret: { type: 'string' } });
  const body = { requestBody: { content: { 'application/json': { schema: { type: 'object', properties: { q: { type: 'string' } } } } } } };
  const openapi = { openapi: '3.1.0', info: { title: 'x', version: '1' }, paths: { '/good': { get: answer(id('string'), ['id', 'phone', 'secret']), post: { ...body, ...answer(id('integer'), ['id']) } } } };
  const schema = await world.provider.post('/schemas', { api_id: api.id, openapi });
  await w.reviewed(world, 'apis', api.id);
  for (const [who, action, more] of [[world.operator, 'approve-design'], [world.provider, 'submit', { comment: 'tried' }], [world.operator, 'accept']]) await who.act('apis', api.id, action, more);
  const probed = (calls, more = {}) => world.provider.post(`/apis/${api.id}/probe`, { calls, repeat: 12, ...more });
  const schemas = (r) => r.reports[0].cases.filter((c) => c.case === 'schema');
  const before = unit.seen.length;
  const good = await probed([{ target: '/good' }], { at_once: 6 });
  assert.deepEqual([good.passed, good.figures.calls, good.figures.at_once], [true, 12, 6], JSON.stringify(good));
  assert.ok(unit.seen.length - before >= 14, 'the upstream was asked by each');
  const bad = await probed([{ target: '/good' }, { method: 'POST', target: '/good', body: { q: 'x' } }]);
  assert.equal(bad.reports[0].result, 'failed');
  assert.deepEqual(schemas(bad).map((c) => c.passed), [true, false]);
  assert.match(schemas(bad)[1].note, /\/id/);
  await refusal(world.provider.act('apis', api.id, 'publish'), 'state-conflict', /functional/);
  await restRefuses(probed([{ method: 'GET', target: '/good', body: {} }]), 'field-invalid', '/calls/0');
  await restRefuses(probed([{ target: '/good' }], { at_once: 33 }), 'field-invalid', '/at_once');
  await world.provider.act('schemas', schema.id, 'remove');
  const undescribed = await probed([{ target: '/good' }, { target: '/echo' }]);
  assert.deepEqual(schemas(undescribed).map((c) => c.passed), [true, true], JSON.stringify(undescribed));
});

test('[SW-7d6] an API of class A2 is tested by a key pair that the platform made for its app, and the signature of its answer is checked', async () => {
  const api = await draft('probed-a2', { class: 'A2', operation: 'holdings', purpose_required: false, user_confirmation: false });
  await w.reviewed(world, 'apis', api.id);
  for (const [who, action, more] of [[world.operator, 'approve-design'], [world.provider, 'submit', { comment: 'tried' }], [world.operator, 'accept']]) await who.act('apis', api.id, action, more);
  await refusal(world.provider.act('apis', api.id, 'publish'), 'state-conflict', /security/);
  const probed = () => world.provider.post(`/apis/${api.id}/probe`, { calls: [{ target: '/good' }], repeat: 3 });
  const first = await probed();
  assert.equal(first.passed, true, JSON.stringify(first));
  assert.deepEqual(first.reports[1].cases.map((c) => c.case), ['authentication', 'authentication', 'level', 'answer-signature', 'masking', 'transport']);
  assert.equal((await probed()).passed, true);
  const probe = (await world.admin.list('service_settings', { name: 'probe-app' }))[0].value;
  const keys = (await world.operator.list('credentials', { app_id: probe })).filter((k) => k.algorithm === 'sm2-sm3');
  assert.deepEqual(keys.map((k) => [k.state, k.class]), [['active', 'A2']], 'one pair, used again');
  assert.ok(!JSON.stringify(keys).includes('PRIVATE'));
  await world.provider.act('apis', api.id, 'publish');
  await setting('reports-required', 'none');
});

test('[SW-6-timer] a task calls an API through the gateway by its clock, and an answer that is none fails it', async () => {
  const [{ id: api_id }] = await world.provider.list('apis', { name: 'probed' });
  const good = await task({ name: 'ping', task: 'call-api', api_id, parameters: { target: '/good' } });
  assert.match(`${good.last_result} ${good.last_detail}`, /^passed status 200 /);
  const bad = await task({ name: 'ping', task: 'call-api', api_id, parameters: { target: '/error' } });
  assert.match(`${bad.last_result} ${bad.last_detail}`, /^failed status 502 /);
  assert.equal((await world.operator.list('notices', { object_id: bad.id })).length, 1);
  await restRefuses(world.operator.post('/scheduled_tasks', { name: 'x', task: 'call-api', api_id, parameters: { target: '#' } }), 'field-invalid', '/parameters');
});
