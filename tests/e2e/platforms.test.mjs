// SPDX-License-Identifier: Apache-2.0
// Two platforms of this kind on one machine: what the one publishes the other collects, as an app of its, by the published
// interface alone; stored under the other's name.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let near; // collects
let far; // publishes
let here;
let there;
let client; // of the collecting platform, at the other
let node;
let collection;
let reply;

// Enterprises with their grade, open to apps that subscribed.
async function publishes() {
  const file = path.join(far.dir, 'enterprises.db');
  execFileSync('sqlite3', [file, "CREATE TABLE enterprises (code TEXT PRIMARY KEY, name TEXT, grade TEXT, phone TEXT); INSERT INTO enterprises VALUES ('E001', '甲公司', 'AA', '13812345678'), ('E002', '乙公司', 'B', '13912345678'), ('E003', '丙公司', 'C', NULL);"]);
  const source = await there.provider.post('/sources', { name: 'enterprises', organisation_id: there.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await there.provider.act('sources', source.id, 'check');
  const dataset = await there.provider.post('/datasets', { name: 'enterprises', source_id: source.id, table: 'enterprises' });
  await there.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, { code: 1, name: 1, grade: 2, phone: [3, 'phone'] }) }, dataset.revision);
  const api = await there.provider.act('datasets', dataset.id, 'publish', { name: 'enterprises', version: 'v1', path: '/enterprises/v1', title: 'Enterprises' });
  await w.subscription(there, there.app, api.id);
  await there.developer.post('/clients', { app_id: there.app, token_endpoint_auth_method: 'client_secret_basic', grant_types: ['client_credentials'], access_token_s: 60 });
  client = { id: there.app, secret: there.key.secret };
  await until(async () => (await far.call('/enterprises/v1?limit=1', there)).status === 200, { ms: 10000, what: 'the API' });
  return api;
}

// The answer's schema as the other platform publishes it for a caller of level 3; each of its fields, and no other.
async function publishedReply(api) {
  const doc = await there.developer.get(`/apis/${api.id}/openapi?level=3`);
  const { items } = doc.paths['/enterprises/v1'].get.responses['200'].content['application/json'].schema;
  const plain = Object.fromEntries(Object.entries(items.properties).map(([name, { type }]) => [name, { type }]));
  return { type: 'array', items: { type: 'object', properties: plain, required: Object.keys(plain), additionalProperties: false } };
}
const COLUMNS = ['code', 'name', 'grade', 'phone'].map((name) => ({ name, type: 'string', ...(name === 'code' ? { key: true } : {}) }));
const ended = (id) => until(async () => { const r = await here.provider.get(`/collection_runs/${id}`); return !['queued', 'running'].includes(r.state) && r; }, { ms: 20000, what: 'the end of the run' });
const start = async () => ended((await here.provider.post(`/collections/${collection.id}/start`, { reason: 'a first load' })).id);

before(async () => {
  [near, far] = await Promise.all([Platform.start(), Platform.start()]);
  [here, there] = await Promise.all([w.people(near), w.people(far)]);
  reply = await publishedReply(await publishes());
  assert.deepEqual(Object.keys(reply.items.properties).sort(), ['code', 'grade', 'name', 'phone']);
  node = await here.admin.post('/exchange_nodes', { name: 'The other platform', code: 'other-platform', kind: 'credit-platform', organisation_id: here.holder, address: far.gateway, private_address: true,
    ca: far.ca, agreement: 'its published interface', token_url: `${far.control}/oauth/token`, client_id: client.id, token_scope: 'enterprises.v1', credential: client.secret });
  const store = await here.provider.post('/sources', { name: 'landing', organisation_id: here.holder, kind: 'managed', zone: 'landing' });
  await here.provider.act('sources', store.id, 'check');
  const tool = await here.provider.post('/collection_tools', { name: 'puller', organisation_id: here.holder, scope: [{ node_id: node.id }] });
  collection = await here.provider.post('/collections', { name: 'enterprises', organisation_id: here.holder, tool_id: tool.id, target_id: store.id, target_table: 'enterprises', columns: COLUMNS, mode: 'upsert',
    inputs: [{ node_id: node.id, table: 'enterprises', path: '/enterprises/v1?order=code', records: '', reply, timeout_ms: 10000 }] });
  collection.store = store.id;
});
after(() => Promise.all([near?.stop(), far?.stop()]));

test('[CI-5.1e, CI-6.2.2e] a platform collects from another one: as its client, by its published interface, each answer held against the schema, each record stored under its name', async () => {
  const run = await start();
  assert.deepEqual([run.state, run.received, run.accepted], ['succeeded', 3, 3], JSON.stringify(run));
  const dataset = await here.provider.post('/datasets', { name: 'collected', source_id: collection.store, table: 'enterprises' });
  await here.provider.patch(`/datasets/${dataset.id}`, { fields: dataset.fields.map((f) => ({ ...f, level: 1 })) }, dataset.revision);
  await here.provider.act('datasets', dataset.id, 'publish', { name: 'collected', version: 'v1', path: '/collected/v1', access: 'registered' });
  await until(async () => (await near.call('/collected/v1?limit=1', here)).status === 200, { ms: 10000, what: 'what was collected' });
  const got = rows(await near.call('/collected/v1?order=code', here), 3);
  assert.deepEqual(got.map((r) => [r.code, r.name, r.grade, r.phone, r.collected_from, r.collected_run]),
    [['E001', '甲公司', 'AA', '138****5678'], ['E002', '乙公司', 'B', '139****5678'], ['E003', '丙公司', 'C', null]].map((r) => [...r, 'other-platform', run.id]));
  const [record] = await here.provider.list('exchange_records', { task_id: run.id });
  assert.deepEqual([record.sender, record.transfer_result, record.processing_result], ['other-platform', 'complete', 'succeeded']);
  const shown = JSON.stringify([await here.provider.get(`/exchange_nodes/${node.id}`), run, record]);
  assert.ok(!shown.includes(client.secret), 'the secret is never shown');
});

test('[CI-6.2.2e] an answer that is not as published is refused with the member named, and nothing of it is stored', async () => {
  const now = await here.provider.get(`/collections/${collection.id}`);
  const strict = structuredClone(reply);
  strict.items.properties.grade = { type: 'string', enum: ['AA', 'A', 'B'] };
  await here.provider.patch(`/collections/${collection.id}`, { inputs: [{ ...now.inputs[0], reply: strict }] }, now.revision);
  const run = await start();
  assert.deepEqual([run.state, run.code, run.place], ['refused', 'reply-departs', '/2/grade'], JSON.stringify(run));
  const again = await here.provider.get(`/collections/${collection.id}`);
  await here.provider.patch(`/collections/${collection.id}`, { inputs: [{ ...again.inputs[0], reply }] }, again.revision);
});

test('[CI-5.1e] what the other platform no longer gives is not had: a client that is suspended there, a wrong secret, a token address that is none', async () => {
  await restRefuses(here.provider.post('/exchange_nodes', { name: 'x', code: 'x', kind: 'other', organisation_id: here.holder, token_url: 'https://x.example/token' }), 'field-invalid', '/token_url');
  await restRefuses(here.provider.patch(`/exchange_nodes/${node.id}`, { token_url: 'https://x.example/token' }, (await here.provider.get(`/exchange_nodes/${node.id}`)).revision), 'not-permitted', '/private_address');
  const patch = async (more) => here.admin.patch(`/exchange_nodes/${node.id}`, more, (await here.admin.get(`/exchange_nodes/${node.id}`)).revision);
  await patch({ credential: 'not the secret' });
  const wrong = await start();
  assert.deepEqual([wrong.state, wrong.code, wrong.place], ['failed', 'provider-refused', '/token_url']);
  await patch({ credential: client.secret, token_scope: 'nothing.v1' });
  assert.deepEqual([(await start()).place], ['/token_url'], 'a scope it has no subscription to');
  await patch({ token_scope: 'enterprises.v1' });
  assert.equal((await start()).state, 'succeeded');
  await there.operator.act('apps', client.id, 'suspend');
  await until(async () => (await start()).code === 'provider-refused', { ms: 15000, what: 'the refusal' });
});
