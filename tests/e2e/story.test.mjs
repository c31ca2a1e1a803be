// SPDX-License-Identifier: Apache-2.0
// The main job from an empty store, through REST alone: publish, admit, consent, call, mask, revoke, prove.
// The steps lean on each other; they run in order.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { orderRows } from '../../demo/generate.mjs';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let masked; // the answer of the first good call

before(async () => { p = await Platform.start(); });
after(() => p?.stop());

const path = '/trade/orders/v1';
const call = (target = `${path}?limit=1`, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });

test('[CI-8.3c] nothing is answered without a session', async () => {
  await restRefuses(p.rest.get('/users'), 'not-signed-in');
  await restRefuses(p.rest.signIn('nobody', 'wrong-Passw0rd'), 'sign-in-failed');
});

test('[EC-4.2.2a1] an administrator registers organisations, users and an app, which an operator admits', async () => {
  world = await w.people(p);
  assert.match(world.key.secret, /^[A-Za-z0-9_-]{43}$/);
});

test('[BK-9.2.1a1-1] a credential exists only for an admitted app, and its secret is shown once', async () => {
  const app = await world.developer.post('/apps', { name: 'Not admitted', organisation_id: world.thirdParty, environment: 'general' });
  await restRefuses(w.credential(world, app.id), 'state-conflict');
  assert.equal((await world.developer.get(`/credentials/${world.key.id}`)).secret, undefined);
});

test('[SW-8.1-p4] a source is checked and its tables and columns are read from it', async () => {
  const file = await w.ordersDatabase(p.dir);
  const source = await world.provider.post('/sources', { name: 'orders', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  assert.equal(source.connection, undefined, 'a connection string may hold a password');
  await world.provider.act('sources', source.id, 'check');
  const { items } = await world.provider.get(`/sources/${source.id}/tables`);
  assert.deepEqual(items.map((t) => t.name), ['orders']);
  const { columns } = await world.provider.get(`/sources/${source.id}/tables/orders`);
  assert.equal(columns.length, Object.keys(w.LEVELS).length);
  assert.equal(columns.find((c) => c.name === 'order_id').key, true);
  world.source = source.id;
});

test('a source that cannot be opened stays a draft', async () => {
  const source = await world.provider.post('/sources', { name: 'nowhere', organisation_id: world.holder, kind: 'odbc', connection: 'Driver=SQLite3;Database=/nonexistent/x.db' });
  await restRefuses(world.provider.act('sources', source.id, 'check'), 'source-unavailable');
});

test('[EC-6.1.4.1] the platform\'s own store is no source, and the refusal does not tell whether such a file exists', async () => {
  const refusals = [];
  for (const database of [`${p.data}/control/store.db`, `${p.data}/demo/../control/store.db`, `file:${p.data}/control/store.db`, 'control/store.db', '/nonexistent/x.db']) {
    const source = await world.provider.post('/sources', { name: database, organisation_id: world.holder, kind: 'odbc', connection: `Driver=SQLite3;Database=${database}` });
    const refused = (e) => { refusals.push(e.problem.detail); return e.code === 'source-unavailable'; };
    await assert.rejects(world.provider.act('sources', source.id, 'check'), refused, database);
    await assert.rejects(world.provider.get(`/sources/${source.id}/tables`), refused, database);
  }
  assert.deepEqual([...new Set(refusals)], ['it cannot be reached, or its connection string is not acceptable']);
});

test('[EC-4.2.1b1, EC-6.1.1.2a] a dataset with unclassified fields is not published, and the refusal names them', async () => {
  const dataset = await world.provider.post('/datasets', { name: 'orders', source_id: world.source, table: 'orders', owner_column: 'merchant_id' });
  world.dataset = dataset.id;
  assert.ok(dataset.fields.every((f) => f.level === 0));
  const publish = world.provider.act('datasets', dataset.id, 'publish', { name: 'orders', version: 'v1', path });
  await assert.rejects(publish, (e) => e.code === 'fields-unclassified' && /buyer_phone/.test(JSON.stringify(e.problem)));
});

test('[EC-5.2.3-0] a level-3 field without a mask is not published', async () => {
  const dataset = await world.provider.get(`/datasets/${world.dataset}`);
  await world.provider.patch(`/datasets/${world.dataset}`, { fields: w.classify(dataset.fields, { ...w.LEVELS, buyer_phone: 3 }) }, dataset.revision);
  await restRefuses(world.provider.act('datasets', world.dataset, 'publish', { name: 'orders', version: 'v1', path }), 'field-unmasked');
});

test('[EC-6.1.1.2b] a dataset of level-4 fields alone has nothing to open', async () => {
  const made = await world.provider.post('/datasets', { name: 'closed', source_id: world.source, table: 'orders' });
  const all = Object.fromEntries(made.fields.map((f) => [f.column, 4]));
  await world.provider.patch(`/datasets/${made.id}`, { fields: w.classify(made.fields, all) }, made.revision);
  await restRefuses(world.provider.act('datasets', made.id, 'publish', { name: 'closed', version: 'v1', path: '/closed/v1' }), 'level-forbidden');
});

test('[EC-4.3.2d] classified and masked, it is published in one step and live on the gateway', async () => {
  const dataset = await world.provider.get(`/datasets/${world.dataset}`);
  await world.provider.patch(`/datasets/${world.dataset}`, { fields: w.classify(dataset.fields, w.LEVELS) }, dataset.revision);
  refused(await call(), 404, 'route-unknown');
  world.api = (await world.provider.act('datasets', world.dataset, 'publish', { name: 'orders', version: 'v1', path, title: 'Orders' })).id;
  await until(async () => (await call()).status === 403, { what: 'the API on the gateway' });
});

test('[EC-6.1.3.1c, BK-9.2.1a2-4] without an approved subscription the call is refused', async () => {
  refused(await call(), 403, 'subscription-missing');
  const s = await world.developer.post('/subscriptions', { app_id: world.app, api_id: world.api, purpose: 'order management', max_level: 3 });
  refused(await call(), 403, 'subscription-missing');
  await restRefuses(world.developer.act('subscriptions', s.id, 'approve'), 'not-permitted');
  await world.operator.act('subscriptions', s.id, 'approve');
  world.subscription = s.id;
});

test('[EC-4.2.2b, EC-6.1.3.1d] without the owner\'s grant the call is refused', async () => {
  await until(async () => (await call()).json?.code === 'grant-missing', { what: 'the subscription on the gateway' });
  await restRefuses(world.owner.post('/grants', { app_id: world.app, api_id: world.api, owner: 'M00001', purpose: 'x', term: 'period' }), 'field-invalid', '/expires_at');
  refused(await call(undefined, { grant: '0190a000-0000-7000-8000-000000000000' }), 403, 'grant-unknown');
});

test('[EC-5.2d, EC-5.2-T3, EC-6.1.4.2] with it the app gets the row: open fields plain, level 3 masked, level 4 absent', async () => {
  world.grant = (await w.grant(world, world.app, world.api)).id;
  masked = await until(async () => { const a = await call(`${path}?order=order_id&limit=1`); return a.status === 200 && a; }, { what: 'the grant on the gateway' });
  const [row] = rows(masked, 1);
  const [id, merchant, title, , quantity, , , , , name, phone, email, address] = orderRows(w.SEED, 1, w.MERCHANTS).next().value;
  assert.deepEqual([row.order_id, row.merchant_id, row.product_title, row.quantity], [id, merchant, title, quantity]);
  assert.equal(row.buyer_name, name[0] + '*'.repeat([...name].length - 1));
  assert.equal(row.buyer_phone, `${phone.slice(0, 3)}****${phone.slice(7)}`);
  assert.ok(row.buyer_email.endsWith('@mail.example.com') && row.buyer_email !== email, row.buyer_email);
  assert.ok(!row.buyer_address.includes(address.slice(-6)), row.buyer_address);
  assert.deepEqual(['card_number', 'pay_password'].filter((f) => f in row), []);
});

test('[EC-6.1.3.1e, EC-4.3.5a] only the rows of the merchant who granted come, whatever is asked', async () => {
  const all = rows(await call(`${path}?limit=1000`), 20);
  assert.ok(all.every((r) => r.merchant_id === 'M00001'));
  rows(await call(`${path}?merchant_id=eq.M00002`), 0);
  rows(await call(`${path}?order_id=eq.O000000002`), 0);
});

test('[EC-6.1.4.1] a filter or an order on a masked field is refused', async () => {
  refused(await call(`${path}?buyer_phone=eq.13800000000`), 403, 'filter-forbidden');
  refused(await call(`${path}?order=buyer_name`), 403, 'filter-forbidden');
});

test('[EC-5.2-T4] a level-4 field asked for by name is refused, in every place it can be named', async () => {
  for (const q of ['select=card_number', 'select=order_id,card_number', 'card_number=eq.1', 'order=pay_password.desc']) refused(await call(`${path}?${q}`), 403, 'field-forbidden');
  refused(await call(`${path}?select=nothing_like_it`), 400, 'field-unknown');
});

test('[EC-7.1.3-T1] the same subscription from a general environment yields level 1 alone', async () => {
  const app = await w.admittedApp(world, 'In the open', 'general');
  const key = await w.credential(world, app, 'hmac-sha256');
  await w.subscription(world, app, world.api);
  const { id } = await w.grant(world, app, world.api);
  const answer = await until(async () => { const a = await call(`${path}?limit=1`, { key, grant: id }); return a.status !== 401 && a.json?.code !== 'subscription-missing' && a.json?.code !== 'grant-unknown' && a; });
  const [row] = rows(answer, 1);
  assert.deepEqual(Object.keys(row).sort(), ['category', 'currency', 'product_title']);
  refused(await call(`${path}?select=order_id`, { key, grant: id }), 403, 'field-forbidden');
});

test('[EC-6.1.3.1a] a grant of another app is refused', async () => {
  const app = await w.admittedApp(world, 'Somebody else');
  const key = await w.credential(world, app);
  await w.subscription(world, app, world.api);
  await until(async () => (await call(undefined, { key })).json?.code === 'grant-mismatch');
});

test('[BK-7.3.3a2, EC-4.2.1d2] the audit log lists the call with its fields, and verifies', async () => {
  const shown = await until(() => { const s = p.sluice('audit', 'show', '--data-dir', p.data, '--txn', masked.txn); return s.code === 0 && s.out.includes(masked.txn) && s; }, { what: 'the record' });
  for (const field of ['order_id', 'buyer_phone']) assert.ok(shown.out.includes(field), shown.out);
  assert.ok(shown.out.includes(world.app) && shown.out.includes(world.grant), shown.out);
  const verified = p.sluice('audit', 'verify', '--data-dir', p.data);
  assert.equal(verified.code, 0, verified.out + verified.err);
});

test('[EC-4.3.2b] explain gives the gateway\'s own answer, field by field with clause ids', async () => {
  const verdict = await world.operator.get(`/explain?app=${world.app}&api=${world.api}&grant=${world.grant}&method=GET`);
  assert.equal(verdict.allowed, true, JSON.stringify(verdict));
  const outcome = Object.fromEntries(verdict.fields.map((f) => [f.path, f]));
  assert.deepEqual([outcome.order_id.outcome, outcome.buyer_phone.outcome, outcome.card_number.outcome], ['keep', 'mask', 'drop']);
  assert.match(outcome.card_number.clauses, /EC-5\.2/);
  const denied = await world.operator.get(`/explain?app=${world.app}&api=${world.api}&method=GET`);
  assert.deepEqual([denied.allowed, denied.code], [false, 'grant-missing']);
  const told = p.sluice('explain', '--data-dir', p.data, '--app', world.app, '--api', world.api, '--grant', world.grant);
  assert.equal(told.code, 0, told.out + told.err);
  assert.match(told.out, /buyer_phone.*mask/);
});

test('[EC-6.1.4.4b] revoked by its owner, the grant is refused within a second', async () => {
  const grant = await world.owner.get(`/grants/${world.grant}`);
  const start = performance.now();
  await world.owner.post(`/grants/${world.grant}/revoke`, {}, { 'if-match': `"${grant.revision}"` });
  await until(async () => (await call()).json?.code === 'grant-revoked', { every: 2, ms: 3000, what: 'the refusal' });
  const took = performance.now() - start;
  assert.ok(took < 1000, `${took} ms`);
  console.log(`        revoked -> refused in ${took.toFixed(0)} ms, the writes included`);
});

test('[EC-6.1.4.4a] an app suspended by an operator is refused', async () => {
  await world.operator.act('apps', world.app, 'suspend');
  await until(async () => (await call()).json?.code === 'app-inactive', { ms: 2000, what: 'the refusal' });
  await world.operator.act('apps', world.app, 'resume');
});

test('[CI-8.1e, BK-11e2] an API taken offline answers so', async () => {
  await world.provider.act('apis', world.api, 'offline');
  await until(async () => (await call()).json?.code === 'api-offline', { ms: 2000, what: 'the baffle' });
});

test('[EC-5.2-T4] every refused call has its record too, and the whole log verifies', async () => {
  const answer = await call(`${path}?select=card_number`);
  await until(() => p.sluice('audit', 'show', '--data-dir', p.data, '--txn', answer.txn).out.includes(answer.txn), { what: 'the record of the refusal' });
  assert.equal(p.sluice('audit', 'verify', '--data-dir', p.data).code, 0);
});

test('every change was an operation with who, what, before and after, and no secret in it', async () => {
  const operations = await world.admin.list('operations');
  const text = JSON.stringify(operations);
  assert.ok(operations.length > 20);
  assert.ok(operations.some((o) => o.action === 'revoke' && o.kind.startsWith('grant')), text.slice(0, 500));
  for (const secret of [world.key.secret, 'first-Passw0rd', 'Database=']) assert.ok(!text.includes(secret), secret);
});
