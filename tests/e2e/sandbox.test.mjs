// SPDX-License-Identifier: Apache-2.0
// The joint test of an app before it goes live: real calls, synthetic data, a report that the platform counts itself.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ORDERS = '/trade/orders/v1';
let p;
let world;
let live; // the unit's own target: real data
let trial; // its target for tests
let app; // in its test stage
let key;
let grant;
let token;
const bearer = (target) => p.send('GET', target, { headers: { authorization: `Bearer ${token}` } });
const call = (target, more = {}) => p.call(target, { key, ...more });
const becomes = (target, wanted, what, more) => until(async () => { const a = await call(target, more); return wanted(a) && a; }, { ms: 10000, what });
const served = (a) => a.status === 200;
const real = (target, more = {}) => p.call(target, { key: world.key, ...more });

async function setting(name, value) {
  const [row] = await world.admin.list('stage_settings', { name });
  await world.admin.patch(`/stage_settings/${row.id}`, { value }, row.revision);
}

async function upload(rest, name, text) {
  return (await rest.ok('POST', `/api/v1/documents?name=${name}`, text, { 'content-type': 'text/plain' })).id;
}

// An API of a business unit, subscribed by the live app and the one under test.
async function unitApi(name, upstream, more) {
  const api = await w.httpApi(world, name, upstream, more);
  await w.subscription(world, world.app, api);
  await w.subscription(world, app, api);
  await until(async () => served(await real(`/${name}/v1/good`)), { ms: 10000, what: `the API ${name}` });
  return api;
}

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 60 });
  [live, trial] = await Promise.all([startUpstream(), startUpstream()]);
  app = (await world.developer.post('/apps', { name: 'Under test', organisation_id: world.thirdParty, environment: 'monitored' })).id;
  await world.operator.act('apps', app, 'test');
  key = await w.credential(world, app);
  await w.subscription(world, app, world.api);
  grant = (await w.grant(world, app, world.api)).id;
  await becomes(`${ORDERS}?limit=1`, served, 'the app under test', { grant });
});
after(async () => { live?.close(); trial?.close(); await p?.stop(); });

test('[BK-12.1e, CI-6.1.6a] a call in the test stage is a real one that says it is none: decided, masked, and no row of the source among its rows', async () => {
  const answer = await call(`${ORDERS}?limit=100`, { grant });
  assert.equal(answer.headers['sluice-sandbox'], 'true');
  const made = rows(answer, 25);
  assert.match(made[0].buyer_phone, /^154\*{4}\d{4}$/, 'masked as it will be');
  assert.ok(!('card_number' in made[0]), 'level 4 leaves here neither');
  assert.equal(made[0].merchant_id, 'M00001', 'the owner whose grant it is');
  const told = await real(`${ORDERS}?limit=1000`, { grant: world.grant });
  assert.ok(!('sluice-sandbox' in told.headers));
  const known = new Set(rows(told).flatMap((r) => [r.order_id, r.product_title, r.buyer_name, r.buyer_email, r.buyer_address].map(String)));
  assert.ok(known.size > 3, 'there is something to give away');
  for (const row of made) {
    for (const name of ['product_title', 'buyer_name', 'buyer_email', 'buyer_address']) assert.ok(!known.has(String(row[name])), `${name} ${row[name]} is of the source`);
  }
  assert.deepEqual(rows(await call(`${ORDERS}?limit=100`, { grant })), made, 'the same each time');
  refused(await call(`${ORDERS}?limit=1`), 403, 'grant-missing');
  refused(await call(`${ORDERS}?select=card_number`, { grant }), 403, 'field-forbidden');
});

test('[BK-12.1e] a token of an app in its test stage opens what its key opens: synthetic rows, and nothing else', async () => {
  await world.developer.post('/clients', { app_id: app, token_endpoint_auth_method: 'client_secret_basic', grant_types: ['client_credentials'] });
  await unitApi('bare', live.url);
  const basic = Buffer.from(`${app}:${key.secret}`).toString('base64');
  const issued = await p.rest.raw('POST', '/oauth/token', new URLSearchParams({ grant_type: 'client_credentials', scope: 'bare.v1' }).toString(), { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${basic}` });
  assert.equal(issued.status, 200, JSON.stringify(issued.body));
  token = issued.body.access_token;
  const seen = live.seen.length;
  const answer = await until(async () => { const a = await bearer('/bare/v1/good'); return served(a) && a; }, { ms: 10000, what: 'the call by token' });
  assert.deepEqual([answer.json.id, answer.headers['sluice-sandbox'], live.seen.length], ['test-id-1', 'true', seen]);
});

test('[BK-12.1e] a business unit\'s own API answers from its target for tests, or from its fields; its own target is never asked', async () => {
  await unitApi('trial', undefined, { targets: [{ url: live.url }, { url: trial.url, role: 'sandbox' }] });
  const seen = live.seen.length;
  const bare = await becomes('/bare/v1/good', served, 'the API without a target for tests');
  assert.deepEqual(bare.json, { id: 'test-id-1', phone: '154****0001', items: { id: 'test-id-1' } });
  const tried = await becomes('/trial/v1/good', served, 'the API with one');
  assert.equal(tried.json.id, 'A1');
  assert.equal(trial.seen.at(-1).headers['sluice-sandbox'], 'true');
  assert.equal(live.seen.length, seen, 'the live target was not asked');
  const before = trial.seen.length;
  for (let i = 0; i < 6; i++) assert.equal((await real('/trial/v1/good')).status, 200);
  assert.equal(trial.seen.length, before, 'nor is the one for tests by who is live');
});

test('[BK-12.1e] no answer is shared between the test stage and earnest, though both ask the same', async () => {
  await unitApi('kept', live.url, { cache_ms: 60000 });
  const one = await real('/kept/v1/good');
  const two = await until(async () => { const a = await real('/kept/v1/good'); return a.headers.age !== undefined && a; }, { ms: 10000, what: 'a kept answer' });
  assert.deepEqual([one.json.id, two.json.id], ['A1', 'A1']);
  for (let i = 0; i < 4; i++) assert.equal((await becomes('/kept/v1/good', served, 'the kept API')).json.id, 'test-id-1');
  for (let i = 0; i < 4; i++) assert.equal((await real('/kept/v1/good')).json.id, 'A1');
});

test('[BK-12.1e] parts of a composed API are as synthetic as the whole', async () => {
  const api = await world.provider.post('/apis', { name: 'whole', version: 'v1', path: '/whole/v1', kind: 'composed', class: 'A1', access: 'subscription', methods: ['GET'],
    timeout_ms: 3000, max_body_bytes: 65536, title: 'whole', fields: [{ path: 'bare.id', name: 'id', level: 2, type: 'scalar', mask: '' }] });
  await world.provider.post('/compositions', { api_id: api.id, graph: { deadline_ms: 2500, steps: [{ name: 'bare', api: '/bare/v1', path: '/good' }], output: { bare: { $ref: '/steps/bare/body' } } } });
  await world.provider.act('apis', api.id, 'publish');
  await w.subscription(world, world.app, api.id);
  await w.subscription(world, app, api.id);
  const whole = await becomes('/whole/v1', served, 'the composed API');
  assert.deepEqual([whole.json, whole.headers['sluice-sandbox']], [{ bare: { id: 'test-id-1' } }, 'true']);
  assert.equal((await until(async () => { const a = await real('/whole/v1'); return served(a) && a; }, { ms: 10000, what: 'the same in earnest' })).json.bare.id, 'A1');
});

test('[GS-6.9.2e-2, GS-A.5] a joint test is counted from calls the platform saw, confirmed by both sides, and kept call by call', async () => {
  let report = await world.developer.post(`/apps/${app}/test-report`);
  assert.equal(report.result, 'failed');
  const once = { grant, change: (s) => ({ ...s, nonce: 'said-twice-in-the-test' }) };
  assert.equal((await call(`${ORDERS}?limit=1`, once)).status, 200);
  refused(await call(`${ORDERS}?limit=1`, once), 401, 'signature-replayed');
  refused(await p.call(`${ORDERS}?limit=1`, { key: { ...key, secret: Buffer.alloc(32).toString('base64url') }, grant }), 401, 'signature-invalid');
  const last = await call(`${ORDERS}?limit=1`, { grant });
  assert.equal(last.status, 200);
  const told = async (query) => (await world.developer.list('sandbox_calls', { app_id: app, ...query })).at(-1);
  for (const code of ['signature-invalid', 'signature-replayed']) await until(() => told({ code }), { ms: 15000, what: `the record of ${code}` });
  const kept = await until(() => told({ transaction_id: last.txn }), { ms: 15000, what: 'the record of the test call' });
  assert.deepEqual([kept.app_id, kept.api_id, kept.status, kept.code], [app, world.api, 200, 'ok']);
  report = await world.developer.post(`/apps/${app}/test-report`);
  const failed = report.cases.filter((c) => c.required && !c.passed);
  assert.deepEqual([report.result, failed], ['passed', []]);
  assert.ok(report.cases.find((c) => c.case === 'replay-refused').passed);
  const names = report.cases.filter((c) => c.case === 'api-called').map((c) => c.name).sort();
  assert.deepEqual(names, ['bare', 'kept', 'orders', 'trial', 'whole'], 'each API it subscribes to');
  await restRefuses(world.operator.act('test_reports', report.id, 'accept'), 'state-conflict');
  await world.developer.act('test_reports', report.id, 'confirm');
  await world.operator.act('test_reports', report.id, 'accept');
  const { confirmed_by: theirs, accepted_by: ours } = await world.developer.get(`/test_reports/${report.id}`);
  assert.deepEqual([theirs, ours], ['developer', 'operator']);
});

test('[GS-6.9.4.2d-1, GS-6.1b-4, EC-7.1.3-M2, EC-7.1.3-C1, CI-6.1.6b] going live is refused until each report is accepted; the refusal says which', async () => {
  await setting('test-report-required', 'on');
  await setting('test-report-kinds', 'functional conformity');
  await assert.rejects(world.operator.act('apps', app, 'admit'), (e) => {
    assert.equal(e.code, 'test-report-missing');
    assert.match(e.problem.detail, /conformity, security, scan$/, 'and not the functional one, which is there');
    return true;
  });
  const document_id = await upload(world.developer, 'report.txt', 'nothing was found\n');
  await restRefuses(world.developer.post('/test_reports', { app_id: app, kind: 'conformity', result: 'passed', document_id }), 'field-invalid', '/assessor');
  for (const kind of ['security', 'scan', 'conformity']) {
    const more = kind === 'conformity' ? { assessor: 'A laboratory', qualification: 'CNAS L0000', tested_at: new Date(Date.now() - 86400e3).toISOString(), expires_at: w.IN_A_YEAR } : {};
    const { id } = await world.developer.post('/test_reports', { app_id: app, kind, result: 'passed', document_id, ...more });
    await world.developer.act('test_reports', id, 'confirm');
    await restRefuses(world.operator.act('apps', app, 'admit'), 'test-report-missing');
    await world.operator.act('test_reports', id, 'accept');
  }
  await setting('preparation-required', 'on');
  await restRefuses(world.operator.act('apps', app, 'admit'), 'test-report-missing');
});

test('[BK-12.2b1-3, BK-12.2b2] where the operator asks for it, going live waits for the app\'s own privacy notice, consent text and word on who collects', async () => {
  await setting('user-documents-required', 'on');
  const lacking = () => world.operator.act('apps', app, 'admit').then(() => assert.fail('it went live'), (e) => e.problem.detail);
  const purposes = ['privacy-notice', 'consent-text', 'collector-statement'];
  assert.match(await lacking(), /privacy-notice, consent-text, collector-statement/);
  for (const purpose of purposes) {
    const { status } = await world.developer.raw('POST', `/api/v1/documents?name=${purpose}.txt&purpose=${purpose}`, Buffer.from('words\n'), { 'content-type': 'text/plain' });
    assert.equal(status, 201);
  }
  assert.doesNotMatch(await lacking(), /privacy-notice|consent-text|collector-statement/);
});

test('[GS-6.1b-1, GS-6.1b-2, GS-6.1b-3, BK-9.3.3e1, BK-9.3.3e2, CI-6.1.2c] a list of preparations opens with the stage: stated, proven, and its connection tested by itself', async () => {
  const [list] = await world.developer.list('test_preparations', { app_id: app });
  assert.ok(Date.parse(list.due_at) > Date.now());
  await restRefuses(world.developer.act('test_preparations', list.id, 'complete'), 'state-conflict', '/environment');
  const hardening_document_id = await upload(world.developer, 'hardening.txt', 'ports closed\n');
  await world.developer.patch(`/test_preparations/${list.id}`, { environment: 'Two hosts behind a firewall', hardening: 'Ports closed, patches weekly', hardening_document_id,
    backup: 'Daily, off site', recovery: 'In the institution\'s own plan, drilled yearly', contacts: 'The duty desk' }, list.revision);
  await world.developer.act('test_preparations', list.id, 'complete');
  const done = await world.operator.get(`/test_preparations/${list.id}`);
  assert.deepEqual([done.state, done.completed_by], ['complete', 'developer']);
  assert.equal((await world.operator.list('sandbox_calls', { transaction_id: done.connected_transaction_id })).length, 1);
});

test('[BK-12.1e] an API that converts messages needs a target for tests; without one it says so, and its own is not asked', async () => {
  const declared = { version: 1, operations: [{ name: 'Say', method: 'GET', path: '/Say', client: ['json'], upstream: { form: 'json', method: 'POST', path: '/good' },
    request: { name: 'Word', type: 'object', elements: [{ name: 'no', type: 'string' }] }, response: { name: 'Answer', type: 'object', elements: [{ name: 'id', type: 'string' }] } }] };
  const api = await w.httpApi(world, 'turned', live.url);
  await world.provider.post('/conversions', { api_id: api, definition: declared });
  await w.subscription(world, app, api);
  const seen = live.seen.length;
  const answer = await until(async () => { const a = await call('/turned/v1/Say?no=7'); return a.json?.code === 'sandbox-unavailable' && a; }, { ms: 10000, what: 'the refusal' });
  refused(answer, 503, 'sandbox-unavailable');
  assert.equal(answer.headers['sluice-sandbox'], 'true');
  assert.equal(live.seen.length, seen);
});

test('[BK-12.1e, CI-6.1.6b] admitted, it is live: keys and consents of the test stage are void, new ones open the real rows', async () => {
  await world.operator.act('apps', app, 'admit');
  await becomes(`${ORDERS}?limit=1`, (a) => a.json?.code === 'credential-inactive', 'the end of the test key', { grant });
  await until(async () => (await bearer('/bare/v1/good')).status === 401, { ms: 10000, what: 'the end of the test token' });
  key = await w.credential(world, app);
  await becomes(`${ORDERS}?limit=1`, (a) => a.json?.code === 'grant-revoked', 'the end of the test grant', { grant });
  grant = (await w.grant(world, app, world.api)).id;
  const answer = await becomes(`${ORDERS}?limit=1000`, served, 'the live app', { grant });
  assert.ok(!('sluice-sandbox' in answer.headers));
  const told = rows(await real(`${ORDERS}?limit=1000`, { grant: world.grant }));
  assert.deepEqual(rows(answer).map((r) => r.order_id).sort(), told.map((r) => r.order_id).sort());
});
