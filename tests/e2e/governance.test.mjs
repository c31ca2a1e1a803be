// SPDX-License-Identifier: Apache-2.0
// What an administrator, an operator or a provider changes takes effect at the gateway, at once and in one place;
// and what is secret stays so on disk.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { PASSWORD, Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
const PATH = '/trade/orders/v1';
const call = (target = `${PATH}?limit=1`, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const becomes = (test_, what) => until(async () => { const a = await call(); return test_(a) && a; }, { what });
const code = (wanted) => (a) => a.json?.code === wanted;
const served = (a) => a.status === 200;

before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
});
after(() => p?.stop());

async function classify(levels) {
  const dataset = await world.provider.get(`/datasets/${world.dataset}`);
  await world.provider.patch(`/datasets/${world.dataset}`, { fields: w.classify(dataset.fields.map((f) => ({ ...f, mask: '' })), { ...w.LEVELS, ...levels }) }, dataset.revision);
}

test('[EC-4.2.1b2, EC-5.2.4b] a changed level opens, masks or closes a field of a published API at once', async () => {
  const [open] = rows(await call(), 1);
  await classify({ product_title: [3, 'name'] });
  const masked = await becomes((a) => /\*/.test(a.json?.[0]?.product_title ?? ''), 'the mask');
  assert.equal(masked.json[0].product_title[0], open.product_title[0]);
  await classify({ product_title: 4 });
  await becomes((a) => served(a) && !('product_title' in a.json[0]), 'the closing');
  refused(await call(`${PATH}?select=product_title`), 403, 'field-forbidden');
  await classify({});
  assert.equal((await becomes((a) => a.json?.[0]?.product_title === open.product_title, 'the opening')).status, 200);
});

test('[EC-4.2.1a2] a provider of software is suspended, resumed and let go, with effect on its apps\' next calls', async () => {
  const org = await w.organisation(world.admin, 'Short-lived software house', 'third_party');
  const developer = await w.user(world.admin, 'developer2', 'developer', { organisation_id: org });
  const app = await developer.post('/apps', { name: 'Short-lived', organisation_id: org, environment: 'monitored' });
  await world.operator.act('apps', app.id, 'admit');
  const key = await developer.post('/credentials', { app_id: app.id, algorithm: 'hmac-sm3' });
  await w.subscription({ ...world, developer }, app.id, world.api);
  const grant = (await w.grant(world, app.id, world.api)).id;
  const state = (wanted, what) => until(async () => { const a = await call(undefined, { key, grant }); return wanted(a); }, { what });
  await state(served, 'the app');
  await world.operator.act('organisations', org, 'suspend');
  await state(code('app-inactive'), 'the suspension');
  await world.operator.act('organisations', org, 'resume');
  await state(served, 'the resumption');
  await world.operator.act('organisations', org, 'close');
  await state(code('app-inactive'), 'the exit');
});

test('[EC-4.2.1c3, BK-7.3.1a] an app\'s permission is given, bounded in level, fields and time, and withdrawn', async () => {
  const app = await w.admittedApp(world, 'Bounded');
  const key = await w.credential(world, app);
  const grant = (await w.grant(world, app, world.api)).id;
  const get = () => call(undefined, { key, grant });
  const state = (wanted, what) => until(async () => { const a = await get(); return wanted(a) && a; }, { what });
  await state(code('subscription-missing'), 'no right by default');
  await restRefuses(world.developer.post('/subscriptions', { app_id: app, api_id: world.api, max_level: 3 }), 'field-invalid', '/purpose');
  const low = await w.subscription(world, app, world.api, { max_level: 1 });
  const first = await state(served, 'level 1');
  assert.deepEqual(Object.keys(first.json[0]).sort(), ['category', 'currency', 'product_title']);
  await world.developer.act('subscriptions', low, 'cancel');
  await state(code('subscription-missing'), 'the withdrawal');
  const narrow = await w.subscription(world, app, world.api, { fields: ['order_id', 'buyer_phone'], expires_at: new Date(Date.now() + 2500).toISOString() });
  const second = await state(served, 'two fields');
  assert.deepEqual(Object.keys(second.json[0]).sort(), ['buyer_phone', 'order_id']);
  await state(code('subscription-missing'), `the end of ${narrow}`);
});

test('[BK-5i1, SW-8.3.4-authn, SW-8.3.4-authz] what is refused is refused by its own code before the unit behind sees it', async () => {
  const upstream = await startUpstream();
  const api = await w.httpApi(world, 'unit', upstream.url);
  try {
    await until(async () => (await p.call('/unit/v1/good', { key: world.key })).json?.code === 'subscription-missing', { what: 'the API' });
    refused(await p.send('GET', '/unit/v1/good'), 401, 'signature-missing');
    refused(await p.call('/unit/v1/good', { key: { ...world.key, secret: 'A'.repeat(43) } }), 401, 'signature-invalid');
    assert.equal(upstream.seen.length, 0);
    await w.subscription(world, world.app, api);
    await until(async () => (await p.call('/unit/v1/good', { key: world.key })).status === 200, { what: 'the subscription' });
    assert.equal(upstream.seen.length, 1);
  } finally {
    upstream.close();
  }
});

test('[CI-8.1c, CI-8.1e] an interface taken offline and started again serves again', async () => {
  await world.provider.act('apis', world.api, 'offline');
  refused(await becomes(code('api-offline'), 'the baffle'), 410, 'api-offline');
  await world.provider.act('apis', world.api, 'publish');
  await becomes(served, 'the service');
});

test('[BK-7.3.3b1, BK-12.3a1, SW-6-log] as many records as calls, each with number, app, API, time, duration and result', async () => {
  const before_ = records(p).length;
  const answers = [];
  for (const target of [`${PATH}?limit=1`, `${PATH}?select=card_number`, `${PATH}?limit=x`, PATH]) answers.push(await call(target));
  const unsigned = await p.send('GET', PATH);
  const all = records(p);
  assert.equal(all.length - before_, answers.length + 1);
  for (const answer of answers) {
    const [r, ...more] = all.filter((each) => each.transaction === answer.txn);
    assert.deepEqual([more.length, r.app, r.api, r.status, r.result], [0, world.app, world.api, answer.status, answer.status < 400 ? 'success' : 'failure']);
    assert.ok(r.elapsed_us > 0 && Math.abs(Date.parse(r.at) - Date.now()) < 60000, JSON.stringify(r));
    assert.deepEqual([r.grant, r.owner, r.client], [world.grant, 'M00001', '127.0.0.1']);
  }
  assert.equal(all.find((r) => r.transaction === unsigned.txn).reason, 'signature-missing');
  const [first] = all.filter((r) => r.transaction === answers[0].txn);
  assert.equal(first.fields.find((f) => f.path === 'buyer_phone').outcome, 'mask');
});

// Every regular file below dir but those that match `not`.
function files(dir, not) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) => {
    const file = path.join(dir, e.name);
    return e.isDirectory() ? files(file, not) : e.isFile() && !not.test(file) ? [file] : [];
  });
}

test('[BK-7.3.4b2, SW-9.3-3b, SW-9.4-1b] no file of the platform holds a secret in clear, and keys are their owner\'s alone', () => {
  const secrets = { 'a credential': world.key.secret, 'its bytes': Buffer.from(world.key.secret, 'base64url'), 'the first password': PASSWORD, 'a password': p.adminPassword,
    'a connection string': 'Driver=SQLite3;Database=' };
  const all = files(p.data, /\/nginx\/body_temp/);
  assert.ok(all.some((f) => f.endsWith('store.db')) && all.some((f) => f.endsWith('nginx.conf')), all.join(' '));
  for (const file of all) {
    const bytes = readFileSync(file);
    for (const [what, secret] of Object.entries(secrets)) assert.ok(!bytes.includes(secret), `${what} in ${file}`);
  }
  const keys = all.filter((f) => f.endsWith('.key'));
  assert.ok(keys.length >= 4, keys.join(' '));
  for (const file of keys) assert.equal(statSync(file).mode & 0o077, 0, file);
});

test('[EC-4.2.1d2] all of it is in the audit log, which verifies', () => verified(p));

test('[BK-B.3.6b] APIs published at the same time get consecutive codes, each its own', async () => {
  const [setting] = (await world.admin.get('/identifier_settings')).items;
  const [category] = (await world.admin.get('/service_categories?code=010001')).items;
  await world.admin.patch(`/identifier_settings/${setting.id}`, { value: 'C1010211000012' }, setting.revision);
  const apis = await Promise.all(Array.from({ length: 12 }, (_, i) => world.provider.post('/apis', { name: `coded-${i}`, version: 'v1', path: `/coded/${i}`, kind: 'http',
    upstream: 'http://127.0.0.1:9', category_id: category.id, fields: [{ path: 'id', name: 'id', level: 1, type: 'scalar', mask: '' }] })));
  await Promise.all(apis.map((a) => world.provider.act('apis', a.id, 'publish')));
  const codes = await Promise.all(apis.map(async (a) => (await world.provider.get(`/apis/${a.id}`)).u_api_id));
  assert.deepEqual(codes.sort(), Array.from({ length: 12 }, (_, i) => `OPC1010201010001${String(i + 1).padStart(6, '0')}00`));
  const waiting = await world.admin.get('/api_registrations?state=pending&kind=register');
  assert.equal(waiting.total, 12);
});
