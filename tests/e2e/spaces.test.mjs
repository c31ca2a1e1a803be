// SPDX-License-Identifier: Apache-2.0
// From zone to zone, from party to party, and the space that an enterprise has to itself: what it uses, what it reports, and that nobody else gets there.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { BUILD, Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let other; // another enterprise: its developer, its app, its key
let space;
const nodes = {};
const at = (name) => path.join(p.dir, name);
const ended = (id, rest = world.operator) => until(async () => { const t = await rest.get(`/transfers/${id}`); return !['queued', 'running'].includes(t.state) && t; }, { ms: 15000, what: 'the end of the transfer' });
const transfer = (target, table, more = {}) => world.provider.post('/transfers', { dataset_id: world.dataset, target_id: target, target_table: table, reason: 'decision 12', ...more });

async function store(name, organisation, zone) {
  const source = await world.admin.post('/sources', { name, organisation_id: organisation, kind: 'managed', zone });
  assert.equal((await world.admin.act('sources', source.id, 'check')).state, 'ready');
  return source.id;
}

async function dataset(source, table, levels) {
  const made = await world.operator.post('/datasets', { name: table, source_id: source, table });
  await world.operator.patch(`/datasets/${made.id}`, { fields: made.fields.map((f) => ({ ...f, ...levels(f) })) }, made.revision);
  return made.id;
}

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 60 });
  const org = await w.organisation(world.admin, 'Another enterprise', 'third_party');
  const developer = await w.user(world.admin, 'rival', 'developer', { organisation_id: org });
  const app = await w.admittedApp({ ...world, developer, thirdParty: org }, 'Rival', 'controlled');
  other = { org, developer, app, key: await developer.post('/credentials', { app_id: app, algorithm: 'hmac-sm3' }) };
  for (const [code, organisation_id] of [['trade', world.holder], ['enterprise', world.thirdParty]]) nodes[code] = await world.admin.post('/exchange_nodes', { name: code, code, kind: 'other', organisation_id });
});
after(() => p?.stop());

test('[SW-8.2a2-4, SW-8.2a2-5, SW-8.2a2-6, SW-3.3b, SW-9.8-exc3, SW-9.7-0b] a resource is pushed into the exchange zone and the open zone with checksum and record; on the way nothing sensitive goes along', async () => {
  const stores = { exchange: await store('exchange', world.holder, 'exchange'), open: await store('open', world.holder, 'open'), landing: await store('landing', world.holder, 'landing') };
  const plain = await world.provider.post('/datasets', { name: 'plain orders', source_id: world.source, table: 'orders' });
  const { revision } = await world.provider.patch(`/datasets/${plain.id}`, { fields: w.classify(plain.fields, w.LEVELS).filter((f) => f.level < 3) }, plain.revision);
  await w.reviewed(world, 'datasets', plain.id);
  await restRefuses(transfer(stores.exchange, 'orders'), 'sensitive-field', '/fields');
  await w.looked(world, plain.id);
  for (const zone of ['exchange', 'open']) {
    const done = await ended((await transfer(stores[zone], 'orders', zone === 'open' ? {} : { dataset_id: plain.id })).id);
    assert.deepEqual([done.state, done.to_zone, done.received, done.accepted, done.operator], ['succeeded', zone, 60, 60, 'provider'], done.detail);
    assert.match(done.sm3, /^[0-9a-f]{64}$/);
    assert.ok(!done.columns.some((c) => ['card_number', 'pay_password'].includes(c.name)), 'level 4 stays');
    const [record] = await world.provider.list('exchange_records', { task_id: done.id });
    assert.deepEqual([record.kind, record.transfer_result, record.processing_result, record.sm3, record.records], ['transfer', 'complete', 'succeeded', done.sm3, 60]);
    const file = path.join(p.data, 'data/zones', `${stores[zone]}.db`);
    const sql = (db, text) => execFileSync('sqlite3', ['-readonly', db, text], { encoding: 'utf8' }).trim().split('\n');
    assert.equal(sql(file, 'SELECT count(*) FROM orders')[0], '60');
    const everything = sql(file, '.dump').join('\n');
    for (const column of ['card_number', 'buyer_phone', 'buyer_email']) {
      for (const value of sql(path.join(p.dir, 'orders.db'), `SELECT ${column} FROM orders LIMIT 20`)) assert.ok(!everything.includes(value), `${column} ${value} is in the zone ${zone}`);
    }
  }
  const made = await world.provider.list('entries', { source_id: stores.open });
  assert.deepEqual(made.map((e) => [e.table, e.state, e.fields.some((f) => f.name === 'order_id'), e.fields.some((f) => f.name === 'card_number')]), [['orders', 'draft', true, false]], 'what is pushed into the open zone has its entry');
  assert.deepEqual(await world.provider.list('entries', { source_id: stores.exchange }), []);
  await world.provider.patch(`/datasets/${plain.id}`, { fields: plain.fields.filter((f) => f.column === 'quantity').map((f) => ({ ...f, level: 2, sensitive: true })) }, revision);
  await restRefuses(transfer(stores.exchange, 'orders', { dataset_id: plain.id }), 'sensitive-field', '/fields');
  const raw = await world.provider.post('/datasets', { name: 'unclassified', source_id: world.source, table: 'orders' });
  await restRefuses(transfer(stores.open, 'raw', { dataset_id: raw.id }), 'fields-unclassified');
  await world.provider.patch(`/datasets/${raw.id}`, { fields: raw.fields.map((f) => ({ ...f, level: f.column === 'buyer_phone' ? 3 : 1 })) }, raw.revision);
  await restRefuses(transfer(stores.open, 'raw', { dataset_id: raw.id }), 'field-unmasked');
  await world.provider.patch(`/datasets/${raw.id}`, { fields: raw.fields.map((f) => ({ ...f, level: 1 })) }, raw.revision + 1);
  await restRefuses(transfer(stores.open, 'raw', { dataset_id: raw.id }), 'security-review-missing');
  await restRefuses(transfer(world.source, 'orders'), 'field-invalid', '/target_id');
});

test('[SW-9.1-4b, SW-9.7-0a] an enterprise has a space of its own: an area to use, an area to report, each its own store and policy', async () => {
  const [use, report, foreign] = [await store('use', world.thirdParty, 'open'), await store('report', world.thirdParty, 'landing'), await store('theirs', other.org, 'open')];
  const body = { name: 'Software house', organisation_id: world.thirdParty, use_source_id: use, report_source_id: report, use_policy: { max_level: 2 }, report_policy: { note: 'declarations' } };
  await restRefuses(world.operator.post('/exchange_spaces', { ...body, use_source_id: foreign }), 'field-invalid', '/use_source_id');
  await restRefuses(world.operator.post('/exchange_spaces', { ...body, report_source_id: use }), 'field-invalid', '/report_source_id');
  await restRefuses(world.developer.post('/exchange_spaces', body), 'not-permitted');
  space = await world.operator.post('/exchange_spaces', body);
  await restRefuses(world.operator.post('/exchange_spaces', body), 'already-exists');
  assert.deepEqual((await world.developer.list('exchange_spaces')).map((s) => s.id), [space.id]);
  assert.deepEqual(await other.developer.list('exchange_spaces'), []);
  await restRefuses(other.developer.get(`/exchange_spaces/${space.id}`), 'not-found');
  await restRefuses(other.developer.get(`/exchange_spaces/${space.id}/resources`), 'not-found');
  await restRefuses(world.provider.get(`/exchange_spaces/${space.id}`), 'not-found');
});

test('[SW-3.3g, SW-9.7-0d] one registered party hands data to another through the platform, and the enterprise sees it in its open zone', async () => {
  await restRefuses(transfer(space.use_source_id, 'orders'), 'field-invalid', '/receiver_id');
  await restRefuses(world.operator.post('/transfers', { dataset_id: world.dataset, target_id: space.use_source_id, target_table: 'orders', reason: 'x' }), 'field-invalid', '/receiver_id');
  await restRefuses(world.operator.post('/transfers', { dataset_id: world.dataset, target_id: space.use_source_id, target_table: 'orders', reason: 'x', sender_id: nodes.enterprise.id, receiver_id: nodes.trade.id }), 'field-invalid', '/sender_id');
  await w.looked(world, world.dataset);
  const made = await world.operator.post('/transfers', { dataset_id: world.dataset, target_id: space.use_source_id, target_table: 'orders', reason: 'contract 7', where: 'merchant_id=eq.M00001', sender_id: nodes.trade.id, receiver_id: nodes.enterprise.id });
  const done = await ended(made.id);
  assert.equal(done.state, 'succeeded', done.detail);
  assert.ok(done.accepted > 0 && done.accepted < 60);
  assert.ok(done.columns.length > 3 && !done.columns.some((c) => c.name.startsWith('buyer_')), 'the area takes level 2 at most');
  const [record] = await world.operator.list('exchange_records', { task_id: done.id });
  assert.deepEqual([record.sender, record.receivers], ['trade', ['enterprise']]);
  const set = await dataset(space.use_source_id, 'orders', () => ({ level: 2 }));
  await restRefuses(world.operator.post('/apis', { name: 'mine', version: 'v1', path: '/mine/v1', kind: 'dataset', dataset_id: set, class: 'A1', access: 'registered' }), 'field-invalid', '/access');
  const api = await world.operator.post('/apis', { name: 'mine', version: 'v1', path: '/mine/v1', kind: 'dataset', dataset_id: set, class: 'A1', access: 'subscription' });
  await w.reviewed(world, 'apis', api.id);
  await world.operator.act('apis', api.id, 'publish');
  const { items } = await world.developer.get(`/exchange_spaces/${space.id}/resources`);
  assert.deepEqual(items.map((i) => [i.table, i.rows, i.sm3, i.path]), [['orders', done.accepted, done.sm3, '/mine/v1']]);
  await w.subscription(world, world.app, api.id);
  const key = { key: world.key };
  await until(async () => (await p.call('/mine/v1?limit=1', key)).status === 200, { ms: 10000, what: 'the open zone' });
  assert.equal(rows(await p.call('/mine/v1', key)).length, done.accepted);
  await restRefuses(other.developer.post('/subscriptions', { app_id: other.app, api_id: api.id, purpose: 'theft', max_level: 3 }), 'not-permitted', '/api_id');
  refused(await p.call('/mine/v1', { key: other.key }), 403, 'subscription-missing');
  assert.deepEqual(await other.developer.list('transfers'), []);
  await restRefuses(other.developer.get(`/transfers/${done.id}`), 'not-found');
});

const keyPair = (name) => {
  execFileSync('openssl', ['genpkey', '-algorithm', 'SM2', '-out', at(`${name}.key`)], { stdio: 'ignore' });
  return execFileSync('openssl', ['pkey', '-in', at(`${name}.key`), '-pubout'], { encoding: 'utf8' });
};
const cli = (credential, key, ...more) => new Promise((resolve) => {
  execFile(path.join(BUILD, 'cli/sluice'), ['call', '--plain-key', '--credential', credential, '--key', at(key), '--cacert', p.caFile, '--platform-key', path.join(p.data, 'keys/answer.pub'), ...more, `${p.gateway}/report/v1`], { env: p.env, encoding: 'utf8' }, (e, out, err) => resolve({ code: e ? e.code : 0, out, err }));
});

test('[SW-9.7-3-0, CI-5.1] an enterprise reports declarations sealed and signed, gets a signed receipt, and what it reported lies in its own reporting area', async () => {
  const columns = [{ name: 'declaration_no', type: 'string', key: true }, { name: 'goods', type: 'string' }, { name: 'amount', type: 'number' }];
  await world.admin.post(`/sources/${space.report_source_id}/tables`, { name: 'declarations', columns });
  await restRefuses(world.admin.post(`/sources/${world.source}/tables`, { name: 'x', columns }), 'state-conflict');
  const set = await dataset(space.report_source_id, 'declarations', () => ({ level: 2 }));
  const definition = { name: 'report', version: 'v1', path: '/report/v1', kind: 'dataset', dataset_id: set, class: 'A2', access: 'subscription', profile: 'submission', seal_request: 'required' };
  await restRefuses(world.operator.post('/apis', { ...definition, profile: 'rest' }), 'field-invalid', '/profile');
  await restRefuses(world.operator.post('/apis', { ...definition, seal_request: null }), 'field-invalid', '/seal_request');
  await restRefuses(world.operator.post('/apis', { ...definition, dataset_id: world.dataset }), 'field-invalid', '/dataset_id');
  const api = await world.operator.post('/apis', definition);
  await w.reviewed(world, 'apis', api.id);
  await world.operator.act('apis', api.id, 'publish');
  assert.deepEqual((await world.operator.get(`/datasets/${set}/interfaces`)).items.map((i) => i.interface_type), ['data-collection']);
  const s = await world.developer.post('/subscriptions', { app_id: world.app, api_id: api.id, purpose: 'declare', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at: low' });
  const mine = await world.developer.post('/credentials', { app_id: world.app, algorithm: 'sm2-sm3', public_key: keyPair('mine') });
  const theirs = await other.developer.post('/credentials', { app_id: other.app, algorithm: 'sm2-sm3', public_key: keyPair('theirs') });
  writeFileSync(at('declarations.json'), JSON.stringify({ records: [{ declaration_no: 'D1', goods: '茶叶', amount: 12.5 }, { declaration_no: 'D2', goods: '瓷器', amount: 'many' }] }));
  const keys = () => JSON.parse(readFileSync(path.join(p.data, 'gateway/state/keys.json'), 'utf8')).keys.find((k) => k.use === 'enc' && k.crv === 'SM2');
  const sealed = p.sluice('seal', '--key', path.join(p.data, 'gateway/state/keys.json'), '--kid', keys().kid, at('declarations.json'));
  assert.equal(sealed.code, 0, sealed.err);
  writeFileSync(at('declarations.jose'), sealed.out.trim());
  const send = ['--body', at('declarations.jose'), '--type', 'application/jose', '--method', 'POST'];
  const answer = await until(async () => { const r = await cli(mine.id, 'mine.key', ...send, '--save', at('receipt.http')); return r.code === 0 && r; }, { ms: 10000, every: 200, what: 'the receipt' });
  const receipt = JSON.parse(answer.out);
  assert.deepEqual([receipt.received, receipt.accepted, receipt.quarantined], [2, 1, 1]);
  assert.match(receipt.receipt_id, /^[0-9a-f-]{36}$/);
  assert.equal(p.sluice('verify', '--platform-key', path.join(p.data, 'keys/answer.pub'), at('receipt.http')).code, 0, 'the receipt is signed');
  const file = path.join(p.data, 'data/zones', `${space.report_source_id}.db`);
  assert.equal(execFileSync('sqlite3', ['-readonly', file, 'SELECT declaration_no, amount, collected_run FROM declarations'], { encoding: 'utf8' }).trim().split('\n').pop(), `D1|12.5|${receipt.receipt_id}`);
  writeFileSync(at('plain.json'), '{"records":[{"declaration_no":"D3"}]}');
  const plain = await cli(mine.id, 'mine.key', '--body', at('plain.json'), '--type', 'application/json', '--method', 'POST');
  assert.match(plain.out + plain.err, /seal-required/);
  const stranger = await cli(theirs.id, 'theirs.key', ...send);
  assert.match(stranger.out + stranger.err, /subscription-missing/);
  refused(await p.call('/report/v1', { method: 'POST', body: '{}', key: world.key }), 403, 'scheme-too-weak');
  assert.equal(execFileSync('sqlite3', ['-readonly', file, 'SELECT count(*) FROM declarations'], { encoding: 'utf8' }).trim(), '1', 'nothing of them came in');
});
