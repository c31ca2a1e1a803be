// SPDX-License-Identifier: Apache-2.0
// The life of data from its first row to its end: how it came, where it lies, who used it, with whom it was shared, what
// protects it, and that nobody reaches it past the platform.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
const call = (target = '/trade/orders/v1?limit=2', more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const life = async (dataset = world.dataset) => (await world.provider.list('dataset_lives', { dataset_id: dataset }))[0];
const view = async (dataset) => world.provider.get(`/dataset_lives/${(await life(dataset)).id}/view?days=2`);
const stage = (wanted, dataset) => until(async () => { const row = await life(dataset); return row?.stage === wanted && row; }, { ms: 30000, every: 200, what: `the stage ${wanted}` });

async function store(name, zone) {
  const source = await world.admin.post('/sources', { name, organisation_id: world.holder, kind: 'managed', zone });
  await world.admin.act('sources', source.id, 'check');
  return source.id;
}

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 60 });
});
after(async () => { await p?.stop(); });

test('[EC-4.2.1-0c, EC-5.1c, EC-5.1d] each dataset has a stage, each step is on record; use by app and user, and each share with recipient, grant and quantity, are counted from the calls', async () => {
  for (let i = 0; i < 3; i++) assert.equal((await call()).status, 200);
  const shared = await stage('shared');
  const operations = (await world.admin.get(`/operations?resource_id=${shared.id}&page_size=50`)).items;
  assert.deepEqual(operations.map((o) => [o.action, o.after.stage]).reverse(), [['create', 'generated'], ['advance', 'stored'], ['advance', 'used'], ['advance', 'shared']]);
  const seen = await until(async () => { const v = await view(); return v.uses_by_app[0]?.calls >= 4 && v; }, { ms: 20000, every: 200, what: 'the calls' });
  assert.deepEqual(seen.changes.map((c) => c.stage), ['generated', 'stored', 'used', 'shared']);
  const [app] = seen.uses_by_app;
  assert.deepEqual([app.app, app.app_id], ['Order helper', world.app]);
  const [user] = seen.uses_by_user;
  assert.equal(user.user, 'M00001');
  const [day] = seen.uses_by_day;
  assert.equal(day.day.slice(0, 10), new Date().toISOString().slice(0, 10));
  assert.ok(day.rows >= 6 && day.bytes > 0, JSON.stringify(day));
  const [share] = seen.shares;
  assert.deepEqual([share.recipient, share.app_id, share.grant_id, share.purpose, share.user, share.path], ['Software house', world.app, world.grant, 'manage my orders', 'M00001', '/trade/orders/v1']);
  assert.equal(share.rows, app.rows);
  // what was counted is what the log has, no more and no less
  const records = p.sluice('audit', 'show', '--dir', path.join(p.data, 'gateway/audit'), '--api', world.api, '--json', '--limit', '0').out.trim().split('\n').map((l) => JSON.parse(l)).filter((r) => r.kind === 'call');
  await until(async () => (await view()).uses_by_app.reduce((n, r) => n + r.calls, 0) === records.length, { ms: 20000, every: 200, what: 'all calls counted once' });
  await restRefuses(world.developer.get(`/dataset_lives/${shared.id}/view`), 'not-permitted');
  await restRefuses(world.provider.get(`/dataset_lives/${shared.id}/view?days=0`), 'parameter-invalid', 'days');
});

test('[EC-5.1b] where a dataset lies, whether it is encrypted and backed up is shown; what its policy does not allow is alerted', async () => {
  const before_ = await life();
  await restRefuses(world.provider.patch(`/dataset_lives/${before_.id}`, { zones: ['cellar'] }, before_.revision), 'field-invalid', '/zones');
  const strict = await world.provider.patch(`/dataset_lives/${before_.id}`, { must_encrypt: true, backup_days: 7, zones: ['outside'] }, before_.revision);
  assert.deepEqual(strict.breaches, ['not-encrypted', 'not-backed-up']);
  const [alert] = await world.operator.list('alerts', { kind: 'data-storage' });
  assert.deepEqual([alert.target, alert.reason, alert.state], ['orders', '["not-encrypted","not-backed-up"]', 'open']);
  assert.equal((await world.provider.list('notices', { kind: 'data-storage-breach' })).length, 1);
  await world.provider.patch(`/dataset_lives/${before_.id}`, { encryption: 'LUKS, aes-xts' }, strict.revision);
  assert.deepEqual((await world.provider.act('dataset_lives', before_.id, 'back-up', { backup_place: 'site B' })).breaches, []);
  const { storage } = await view();
  assert.deepEqual([storage.source, storage.kind, storage.zone, storage.keeper, storage.table, storage.encryption, storage.backup_place], ['orders', 'odbc', 'outside', 'Trade platform', 'orders', 'LUKS, aes-xts', 'site B']);
  const moved = await life();
  assert.deepEqual((await world.provider.patch(`/dataset_lives/${moved.id}`, { zones: ['open'] }, moved.revision)).breaches, ['place']);
});

test('[EC-5.1a] data comes by the ways its policy names and by no other, and each time is shown', async () => {
  const landing = await store('landing', 'landing');
  const target = { dataset_id: world.dataset, target_id: landing, target_table: 'orders', reason: 'a copy' };
  const first = await world.provider.post('/transfers', target);
  await until(async () => (await world.provider.get(`/transfers/${first.id}`)).state === 'succeeded', { ms: 15000, what: 'the transfer' });
  const { id } = await world.provider.post('/datasets', { name: 'copy', source_id: landing, table: 'orders' });
  const row = await stage('stored', id);
  const closed = await world.provider.patch(`/dataset_lives/${row.id}`, { ways: ['collection'] }, row.revision);
  await restRefuses(world.provider.post('/transfers', target), 'not-permitted');
  const key = (await world.provider.post('/supply_keys', { dataset_id: id, name: 'unit' })).key;
  const supplied = await p.rest.raw('POST', `/supply/${id}/records`, { records: [{ order_id: '1' }] }, { authorization: `Bearer ${key}` });
  assert.deepEqual([supplied.status, supplied.body.code], [403, 'not-permitted']);
  await world.provider.patch(`/dataset_lives/${row.id}`, { ways: ['collection', 'transfer'] }, closed.revision);
  await world.provider.post('/transfers', target);
  const { generated, ways } = await view(id);
  assert.deepEqual([generated.length, ways], [2, ['collection', 'transfer']]);
  assert.ok(generated.every((g) => g.way === 'transfer' && g.what === 'a copy'));
});

test('[SW-9.1-4a] all that is open is in one list with who provides it and what serves it, and is taken back from there', async () => {
  const open = await store('open', 'open');
  const made = await world.provider.post('/sources/' + open + '/tables', { name: 'notices', columns: [{ name: 'id', type: 'string', key: true }, { name: 'text', type: 'string' }] });
  assert.ok(made);
  const { items, stores } = await world.operator.get('/zones/open');
  const orders = items.find((i) => i.dataset === 'orders');
  assert.deepEqual([orders.provider, orders.zone, orders.paths, orders.subscriptions, orders.highest_level, orders.stage], ['Trade platform', 'outside', '/trade/orders/v1', 1, 4, 'shared']);
  assert.deepEqual(stores.map((s) => [s.name, s.provider, s.tables.map((t) => t.name)]), [['open', 'Trade platform', ['notices']]]);
  assert.deepEqual((await world.operator.get('/zones/landing')).stores.map((s) => s.name), ['landing']);
  await restRefuses(world.operator.get('/zones/cellar'), 'not-found');
  await restRefuses(world.developer.get('/zones/open'), 'not-permitted');
});

test('[EC-6.1.1.2a] what has an unlabelled field does not open, what is supplied with an unknown one is refused, and the report says 100 % of what is open', async () => {
  const raw = await world.provider.post('/datasets', { name: 'raw', source_id: world.source, table: 'orders' });
  await restRefuses(world.provider.unreviewed('datasets', raw.id, 'publish', { name: 'raw', version: 'v1', path: '/raw/v1' }), 'fields-unclassified');
  const key = (await world.provider.post('/supply_keys', { dataset_id: world.dataset, name: 'unit' })).key;
  const supplied = await p.rest.raw('POST', `/supply/${world.dataset}/records`, { records: [{ order_id: 'x1', unheard_of: 'x' }] }, { authorization: `Bearer ${key}` });
  assert.deepEqual([supplied.status, supplied.body.code], [400, 'field-unknown']);
  const report = await world.operator.get('/classification/coverage');
  assert.ok(report.open.fields > 0);
  assert.deepEqual([report.open.fields - report.open.labelled, report.open.percent], [0, 100]);
  assert.ok(report.all.labelled < report.all.fields);
  assert.ok(report.unlabelled.some((d) => d.name === 'raw'));
});

test('[SW-9.8-0] a report of the running platform: for each of six stages what is active now, what is in place, and what this check found; made good, it says so', async () => {
  const made = await world.operator.post('/security_reports');
  assert.deepEqual(made.content.map((s) => s.stage), ['collection', 'storage', 'transfer', 'exchange', 'use', 'destruction']);
  for (const s of made.content) {
    assert.ok(s.controls.length >= 3 && s.measures.length >= 1, s.stage);
    for (const c of s.controls) assert.ok(typeof c.active === 'boolean' && c.found && c.title_zh && c.title_en, c.control);
  }
  const found = (report, control) => report.content.flatMap((s) => s.controls).find((c) => c.control === control);
  assert.deepEqual([found(made, 'hidden-files').active, found(made, 'decided-calls').active, found(made, 'chained-log').active, found(made, 'sealed-keys').active], [true, true, true, true]);
  assert.deepEqual([found(made, 'storage-policy').active, found(made, 'submitted-personal').active, made.result], [false, false, 'findings']);
  // what it says is asked, not written: put right, it is another
  const row = await life();
  await world.provider.patch(`/dataset_lives/${row.id}`, { zones: ['outside'] }, row.revision);
  const [setting] = await world.admin.list('classify_settings', { name: 'submitted-personal' });
  await world.admin.patch(`/classify_settings/${setting.id}`, { value: 'mask' }, setting.revision);
  const [review] = await world.admin.list('classify_settings', { name: 'security-review-required' });
  await world.admin.patch(`/classify_settings/${review.id}`, { value: 'off' }, review.revision);
  const again = await world.operator.post('/security_reports');
  assert.deepEqual(['storage-policy', 'submitted-personal', 'review-first'].map((c) => found(again, c).active), [true, true, false]);
  await world.admin.patch(`/classify_settings/${review.id}`, { value: 'on' }, review.revision + 1);
  const zh = await world.operator.raw('GET', `/api/v1/security_reports/${again.id}/page?lang=zh`);
  assert.match(zh.headers['content-type'], /text\/html/);
  for (const text of ['数据全生命周期安全报告', '数据销毁安全', '安全管理措施']) assert.ok(zh.body.includes(text), text);
  assert.match((await world.operator.raw('GET', `/api/v1/security_reports/${again.id}/page?lang=en`)).body, /Management measure/);
  await restRefuses(world.developer.post('/security_reports'), 'not-permitted');
});

// One request to the data service past the gateway and the control plane.
const bare = (target, headers = {}) => new Promise((resolve, reject) => {
  const req = http.request({ socketPath: path.join(p.data, 'data/data.sock'), path: target, method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (res) => {
    let text = '';
    res.on('data', (d) => { text += d; }).on('end', () => resolve({ status: res.statusCode, text }));
  });
  req.on('error', reject);
  req.end('{}');
});

test('[SW-9.8-sto1] nobody reaches a store past the platform: files and sockets are its alone, and the data service answers to nobody else', async () => {
  const modes = [];
  const walk = (dir) => {
    for (const e of readdirSync(dir, { withFileTypes: true })) {
      const file = path.join(dir, e.name);
      if (e.isDirectory()) walk(file);
      else modes.push([path.relative(p.data, file), statSync(file).mode & 0o077]);
    }
  };
  for (const dir of ['control', 'keys', 'data', 'gateway/replica']) walk(path.join(p.data, dir));
  assert.ok(modes.some(([f]) => f.endsWith('store.db')) && modes.some(([f]) => f.startsWith('data/zones/') && f.endsWith('.db')) && modes.some(([f]) => f.endsWith('.sock')), JSON.stringify(modes));
  // the socket is the group's too: the gateway may be another user of it
  assert.deepEqual(modes.filter(([f, mode]) => (f.endsWith('.sock') ? mode & 0o007 : mode) !== 0 && !f.endsWith('.pub')), []);
  for (const target of ['/internal/v1/sources/tables', '/internal/v1/writes/list', '/trade/orders/v1']) {
    const answer = await bare(target);
    assert.ok(answer.status >= 400, `${target}: ${answer.status} ${answer.text}`);
    assert.ok(!answer.text.includes('M00001'), answer.text);
  }
  const forged = await bare('/internal/v1/writes/list', { 'sluice-link': 'v1 0000', authorization: 'Bearer x' });
  assert.ok(forged.status >= 400, forged.text);
  refused(await call('/trade/orders/v1?limit=1', { key: { ...world.key, secret: 'A'.repeat(43) } }), 401, 'signature-invalid');
});

test('[SW-9.7-3f] personal information handed in for a field that is not meant for it is covered or refused, as the policy says; where it is meant it is kept, and shown masked', async () => {
  const db = path.join(p.dir, 'orders.db');
  const sql = (text) => execFileSync('sqlite3', [db, text], { encoding: 'utf8' }).trim();
  sql('CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT, phone TEXT)');
  const made = await world.provider.post('/datasets', { name: 'notes', source_id: world.source, table: 'notes' });
  await world.provider.patch(`/datasets/${made.id}`, { fields: w.classify(made.fields, { id: 2, text: 1, phone: [3, 'phone'] }) }, made.revision);
  await world.provider.act('datasets', made.id, 'publish', { name: 'notes', version: 'v1', path: '/notes/v1' });
  const { key } = await world.provider.post('/supply_keys', { dataset_id: made.id, name: 'unit' });
  const supply = (records) => p.rest.raw('POST', `/supply/${made.id}/records`, { records }, { authorization: `Bearer ${key}` });
  const set = async (value) => {
    const [row] = await world.admin.list('classify_settings', { name: 'submitted-personal' });
    if (row.value !== value) await world.admin.patch(`/classify_settings/${row.id}`, { value }, row.revision);
  };
  await set('refuse');
  await until(async () => (await supply([{ id: '0', text: 'call 13812345678' }])).body.code === 'sensitive-field', { ms: 10000, what: 'the refusal' });
  sql('DELETE FROM notes'); // what was covered before the change was live
  assert.equal((await supply([{ id: '0', text: 'call 13812345678' }])).body.code, 'sensitive-field');
  await set('mask');
  await until(async () => (await supply([{ id: '1', text: '11010519491231002X', phone: '13812345678' }])).status === 200, { ms: 10000, what: 'the supply' });
  assert.equal((await supply([{ id: '2', text: 'ask nobody@example.com today' }, { id: '3', text: 'order 110105194912310021 packed' }])).status, 200);
  const stored = Object.fromEntries(sql('SELECT id, text FROM notes').split('\n').map((l) => l.split('|')));
  assert.notEqual(stored[1], '11010519491231002X');
  assert.match(stored[1], /\*/);
  assert.match(stored[2], /^\*+$/);
  assert.deepEqual([stored[0], stored[3]], [undefined, 'order 110105194912310021 packed'], 'a wrong check digit is nobody\'s number');
  assert.equal(sql("SELECT phone FROM notes WHERE id = '1'"), '13812345678');
});

test('[BK-3.9a] a field tagged as personal financial information takes the mask of its tag, opens only where its owner has a say, and is found by its tag in the log', async () => {
  await world.operator.post('/mask_rules', { name: 'accounts', rule: 'keep:0:4', default_of_tag: 'personal-financial' });
  const [row] = await world.admin.list('classify_settings', { name: 'personal-financial-consent' });
  await world.admin.patch(`/classify_settings/${row.id}`, { value: 'on' }, row.revision);
  const made = await world.provider.post('/datasets', { name: 'accounts', source_id: world.source, table: 'orders', owner_column: 'merchant_id' });
  const fields = w.classify(made.fields, { order_id: 2, merchant_id: 2, card_number: 3 }).filter((f) => f.level).map((f) => (f.column === 'card_number' ? { ...f, tags: ['personal-financial'] } : f));
  const tagged = await world.provider.patch(`/datasets/${made.id}`, { fields }, made.revision);
  assert.equal(tagged.fields.find((f) => f.column === 'card_number').mask, 'keep:0:4');
  const api = (more) => world.provider.post('/apis', { name: `accounts${more.path.length}`, version: 'v1', kind: 'dataset', dataset_id: made.id, title: 'Accounts', class: 'A2', access: 'subscription', ...more });
  const open = await api({ path: '/accounts/open/v1', owner_scoped: false });
  await restRefuses(world.provider.act('apis', open.id, 'publish'), 'consent-incomplete', '/fields');
  const owned = await api({ path: '/accounts/v1' });
  await world.provider.act('apis', owned.id, 'publish');
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { id } = await world.developer.post('/credentials', { app_id: world.app, algorithm: 'ecdsa-p256-sha256', public_key: publicKey.export({ type: 'spki', format: 'pem' }) });
  const key = { id, algorithm: 'ecdsa-p256-sha256', sign: (base) => sign('sha256', Buffer.from(base), { key: privateKey, dsaEncoding: 'ieee-p1363' }) };
  const s = await world.developer.post('/subscriptions', { app_id: world.app, api_id: owned.id, purpose: 'accounts', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at: low' });
  const grant = (await w.grant(world, world.app, owned.id)).id;
  const answer = await until(async () => { const a = await p.call('/accounts/v1?limit=1', { key, grant }); return a.status === 200 && a; }, { ms: 10000, what: 'the accounts' });
  assert.match(answer.json[0].card_number, /^\*+\d{4}$/);
  const shown = p.sluice('audit', 'show', '--data-dir', p.data, '--tag', 'personal-financial', '--json', '--limit', '0').out.trim().split('\n').map((l) => JSON.parse(l));
  assert.ok(shown.some((r) => r.transaction === answer.txn) && shown.every((r) => r.api === owned.id), JSON.stringify(shown.map((r) => r.api)));
  assert.deepEqual(shown[0].fields.find((f) => f.path === 'card_number').tags, ['personal-financial']);
});

test('[SW-8.3.4-link] one transaction is one trace from the enterprise by the gateway and the data service to the provider; a refused one ends at the gateway', async () => {
  const trace = (txn, ...more) => p.sluice('audit', 'trace', '--data-dir', p.data, ...more, txn);
  const answer = await call();
  const chain = JSON.parse(trace(answer.txn, '--json').out);
  assert.deepEqual(chain.hops.map((h) => h.hop), ['enterprise', 'gateway', 'data-service', 'provider']);
  const [enterprise, gateway, service, provider] = chain.hops;
  assert.deepEqual([enterprise.organisation, enterprise.app, enterprise.app_name, enterprise.owner, enterprise.client], ['Software house', world.app, 'Order helper', 'M00001', '127.0.0.1']);
  assert.deepEqual([gateway.status, gateway.result, gateway.grant, gateway.rows], [200, 'success', world.grant, 2]);
  assert.deepEqual([service.path, service.dataset, service.table, provider.organisation, provider.source, provider.zone], ['/trade/orders/v1', 'orders', 'orders', 'Trade platform', 'orders', 'outside']);
  const no = await call('/trade/orders/v1?select=card_number');
  assert.deepEqual(JSON.parse(trace(no.txn, '--json').out).hops.map((h) => h.hop), ['enterprise', 'gateway']);
  const seen = [];
  const unit = http.createServer((req, res) => { seen.push(req.headers); res.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"A1"}'); });
  await new Promise((resolve) => { unit.listen(0, '127.0.0.1', resolve); });
  try {
    const api = await w.httpApi(world, 'unit', `http://127.0.0.1:${unit.address().port}`);
    await w.subscription(world, world.app, api);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const ours = await until(async () => { const a = await p.call('/unit/v1/x', { key: world.key, headers: { traceparent } }); return a.status === 200 && a; }, { ms: 10000, what: 'the unit' });
    assert.deepEqual([seen.at(-1)['sluice-transaction'], seen.at(-1).traceparent], [ours.txn, traceparent], 'the provider can name the same call');
    const told = trace(ours.txn).out;
    for (const text of ['enterprise: ', 'organisation=Software house', '-> gateway: ', '-> interface: ', '-> provider: organisation=Trade platform']) assert.ok(told.includes(text), told);
  } finally {
    unit.closeAllConnections();
    unit.close();
  }
});

test('[EC-4.2.1-0c] what is retired and held nowhere is destroyed, and the record says what remains', async () => {
  const { id } = await world.provider.post('/datasets', { name: 'gone', source_id: world.source, table: 'orders' });
  await stage('stored', id);
  await world.provider.act('datasets', id, 'retire');
  const row = await stage('destroyed', id);
  assert.deepEqual([row.remains.source, row.remains.files_erased], ['odbc', 0]);
  assert.deepEqual((await view(id)).changes.map((c) => c.stage), ['generated', 'stored', 'destroyed']);
});
