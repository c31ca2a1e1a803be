// SPDX-License-Identifier: Apache-2.0
// On what terms a call is answered: for the purpose that was agreed to, and for no more than the party's risk bears.

import assert from 'node:assert/strict';
import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
let loans; // { api, grant }
let payer; // { app, key, api }

const origin = () => upstream.url;
const purposeId = (text) => createHash('sm3').update(text).digest('hex').slice(0, 32);

async function keyPairApp(name) {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const app = await w.admittedApp(world, name, 'controlled');
  const key = await world.developer.post('/credentials', { app_id: app, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  return { app, key: { id: key.id, algorithm: key.algorithm, sign: (base) => createSign('SHA256').update(base).sign({ key: pair.privateKey, dsaEncoding: 'ieee-p1363' }) } };
}

before(async () => {
  p = await Platform.start();
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  const api = await w.httpApi(world, 'loans', origin(), { owner_scoped: true, purpose_required: true });
  await w.subscription(world, world.app, api, { purpose: 'order management' });
  const grant = await w.grant(world, world.app, api, { purpose: '贷款审批\nfraud check' });
  loans = { api, grant: grant.id };
  payer = await keyPairApp('Pays');
  payer.api = await w.httpApi(world, 'pay', origin(), { class: 'A2', methods: ['POST'], query: false, operation: 'account-limit', user_confirmation: false,
    purpose_required: false, amount_path: 'order.total' });
  await until(async () => (await p.call('/loans/v1/x', { key: world.key, grant: loans.grant })).json?.code === 'purpose-missing', { what: 'the API at the gateway' });
});
after(async () => {
  upstream?.close?.();
  await p?.stop();
});

test('[BK-9.3.2a2-1, SW-9.8-use2c] a call says what it is for, and is answered for what the owner agreed to alone; the record has it', async () => {
  const call = (purpose, more = {}) => p.call('/loans/v1/x', { key: world.key, grant: loans.grant, purpose, ...more });
  refused(await call(), 403, 'purpose-missing');
  refused(await call('marketing'), 403, 'purpose-mismatch');
  refused(await call('order management'), 403, 'purpose-mismatch'); // what the app was approved for is not what the owner agreed to
  const seen = upstream.seen.length;
  for (const purpose of ['贷款审批', 'fraud check']) assert.equal((await call(purpose)).status, 200);
  assert.equal(upstream.seen.length, seen + 2);
  assert.equal(upstream.seen.at(-1).headers['sluice-purpose'], undefined, 'it goes no further');
  // It is part of what is signed, and no free text around it is read.
  refused(await call('fraud check', { change: (s) => ({ ...s, components: s.components.filter((c) => c !== 'sluice-purpose') }) }), 401, 'signature-incomplete');
  refused(await call(undefined, { headers: { 'sluice-purpose': '%zz' } }), 400, 'request-malformed');
  const { txn } = await call('fraud check');
  const refusal = await call('marketing');
  const [served] = await until(() => { const r = records(p, '--txn', txn); return r.length && r; }, { what: 'the record' });
  assert.equal(served.purpose.replaceAll('-', ''), purposeId('fraud check'));
  const [denied] = records(p, '--txn', refusal.txn);
  assert.deepEqual([denied.reason, denied.purpose.replaceAll('-', '')], ['purpose-mismatch', purposeId('marketing')]);
});

test('[BK-9.3.2a2-1] explain tells the same of a purpose, from the store and from the node\'s own records', async () => {
  const why = async (purpose) => (await world.operator.get(`/explain?app=${world.app}&api=${loans.api}&grant=${loans.grant}${purpose ? `&purpose=${encodeURIComponent(purpose)}` : ''}`)).code;
  const node = (...more) => JSON.parse(p.sluice('explain', '--data-dir', p.data, '--app', world.app, '--api', '/loans/v1', '--grant', loans.grant, '--json', ...more).out).code;
  for (const [purpose, code] of [[undefined, 'purpose-missing'], ['marketing', 'purpose-mismatch'], ['贷款审批', 'ok']]) {
    assert.equal(await why(purpose), code);
    assert.equal(node(...(purpose ? ['--purpose', purpose] : [])), code);
  }
});

test('[BK-10.2.2a] a service that speaks for who a user is asks for the user\'s own word each time, whatever its provider says', async () => {
  const api = { name: 'who', version: 'v1', path: '/who/v1', kind: 'http', upstream: origin(), operation: 'identity-authentication', methods: ['POST'], query: false,
    fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }] };
  await restRefuses(world.provider.post('/apis', { ...api, user_confirmation: false }), 'field-invalid', '/user_confirmation');
  await restRefuses(world.provider.post('/apis', { ...api, purpose_required: false }), 'field-invalid', '/purpose_required');
  await restRefuses(world.provider.post('/apis', { ...api, class: 'A1' }), 'field-invalid', '/class');
  const made = await world.provider.post('/apis', api);
  assert.deepEqual([made.class, made.user_confirmation, made.purpose_required, made.user_factors, made.user_checks.id_number], ['A2', true, true, 1, 'id_number']);
  const [scenario] = await world.admin.list('financial_scenarios', { operation: 'identity-authentication' });
  await restRefuses(world.admin.patch(`/financial_scenarios/${scenario.id}`, { confirmation: 'on-request' }, scenario.revision), 'field-invalid', '/confirmation');
  await restRefuses(world.admin.patch(`/financial_scenarios/${scenario.id}`, { user_factors: 0 }, scenario.revision), 'field-invalid', '/user_factors');
});

test('[BK-9.3.2a2-1] what moves money asks for a purpose whatever its provider says', async () => {
  const api = { name: 'wire', version: 'v1', path: '/wire/v1', kind: 'http', upstream: origin(), class: 'A2', operation: 'transfer', methods: ['POST'], query: false,
    fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }] };
  await restRefuses(world.provider.post('/apis', { ...api, purpose_required: false }), 'field-invalid', '/purpose_required');
  const made = await world.provider.post('/apis', api);
  assert.deepEqual([made.purpose_required, made.user_confirmation], [true, true]);
});

const pay = (body, more = {}) => p.call('/pay/v1/orders', { method: 'POST', key: payer.key, body, ...more });
const total = (value) => `{"order":{"total":${JSON.stringify(value)}}}`;
const assess = (score) => world.operator.post('/assessments', { organisation_id: world.thirdParty, expires_at: w.IN_A_YEAR,
  scores: Object.fromEntries(['user-information-protection', 'technical', 'management', 'security-construction', 'continuity'].map((c) => [c, score])) });

async function riskClass(rating, change) {
  const [row] = await world.admin.list('risk_classes', { rating });
  return world.admin.patch(`/risk_classes/${row.id}`, change, row.revision);
}

test('[BK-10.2.1c] a transaction is bounded by the party\'s risk class: in one call and over a day, also after every process was killed', async () => {
  await riskClass('B', { call_cents: 100000, day_cents: 250000 });
  assert.equal((await assess(75)).rating, 'B');
  const s = await world.developer.post('/subscriptions', { app_id: payer.app, api_id: payer.api, purpose: 'pay', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  await w.directly(world, payer.app, payer.api);
  await until(async () => (await pay(total('1000.01'))).json?.code === 'amount-exceeded', { what: 'the bound of a call' });
  const seen = upstream.seen.length;
  const over = await pay(total(1000.01));
  refused(over, 403, 'amount-exceeded');
  for (const [body, code] of [['{}', 'parameter-missing'], [total('1e3'), 'parameter-invalid'], [total(-5), 'parameter-invalid'], [total('10.001'), 'parameter-invalid']]) {
    assert.equal((await pay(body)).json?.code, code, body);
  }
  assert.equal(upstream.seen.length, seen, 'nothing of that reached the provider');
  assert.equal((await pay(total('1000'))).status, 200);
  assert.equal((await pay(total(1000.00))).status, 200);
  const much = await pay(total('500.01'));
  refused(much, 403, 'amount-exceeded');
  assert.ok(Number(much.headers['retry-after']) > 0);
  const { worker } = p.processes();
  for (const pid of worker) process.kill(pid, 'SIGKILL');
  await until(async () => { const a = await pay(total('500.01')).catch(() => null); return a?.json?.code === 'amount-exceeded'; }, { what: 'new workers that remember' });
  assert.equal((await pay(total('500'))).status, 200, 'what still fits passes');
  refused(await pay(total('0.01')), 403, 'amount-exceeded');
  assert.equal((await pay(total(0))).status, 200);
});

test('[BK-10.2.1c] a rating bounds which operations on funds a party calls at all, and what an administrator changes holds at the next call', async () => {
  await restRefuses(world.operator.patch('/risk_classes/01a20106-0dc8-7000-8000-000000003102', { call_cents: 1 }, 1), 'not-permitted');
  await riskClass('B', { fund_operations: ['payment'] });
  const wire = await w.httpApi(world, 'wires', origin(), { class: 'A2', operation: 'transfer', methods: ['POST'], query: false });
  await restRefuses(world.developer.post('/subscriptions', { app_id: payer.app, api_id: wire, purpose: 'pay', max_level: 3 }), 'risk-exceeded', '/api_id');
  await riskClass('B', { day_cents: null, call_cents: 100 });
  await until(async () => (await pay(total('1.00'))).status === 200, { what: 'the day\'s bound lifted' });
  refused(await pay(total('1.01')), 403, 'amount-exceeded');
});

test('[BK-9.1.1f] an API that moves money is published only when its reviewer has said that no clearing between institutions is done by it', async () => {
  const api = await world.provider.post('/apis', { name: 'settle', version: 'v1', path: '/settle/v1', kind: 'http', upstream: origin(), class: 'A2', operation: 'payment', methods: ['POST'], query: false,
    fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }] });
  const asked = await world.provider.post('/security_reviews', { api_id: api.id, legal_basis: 'Data Security Law, art. 21', no_clearing: true });
  assert.equal(asked.no_clearing, null, 'not the provider\'s to answer');
  const pass = () => world.operator.act('security_reviews', asked.id, 'pass', { conclusion: 'fine' });
  await restRefuses(pass(), 'field-invalid', '/no_clearing');
  await world.operator.patch(`/security_reviews/${asked.id}`, { no_clearing: false }, asked.revision);
  await restRefuses(pass(), 'field-invalid', '/no_clearing');
  await restRefuses(world.provider.unreviewed('apis', api.id, 'publish'), 'security-review-missing');
  await world.operator.patch(`/security_reviews/${asked.id}`, { no_clearing: true }, asked.revision + 1);
  await pass();
  assert.equal((await world.provider.unreviewed('apis', api.id, 'publish')).state, 'published');
});

test('[BK-7.2.1b1, BK-10.2.2b] a financial scenario says how a user proves himself and confirms; its APIs ask for no less, and those there are follow', async () => {
  const [scenario] = await world.admin.list('financial_scenarios', { operation: 'balance' });
  const api = { name: 'balance', version: 'v1', path: '/balance/v1', kind: 'http', upstream: origin(), class: 'A2', operation: 'balance', methods: ['GET'], query: false, user_confirmation: false, purpose_required: false,
    fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }] };
  const made = await world.provider.post('/apis', api);
  assert.deepEqual([made.user_factors, made.user_confirmation], [0, false]);
  await world.provider.act('apis', made.id, 'publish');
  const s = await world.developer.post('/subscriptions', { app_id: payer.app, api_id: made.id, purpose: 'show it', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  await w.directly(world, payer.app, made.id);
  const call = () => p.call('/balance/v1/x', { key: payer.key });
  await until(async () => (await call()).status === 200, { what: 'the API' });
  await restRefuses(world.operator.patch(`/financial_scenarios/${scenario.id}`, { user_factors: 1 }, scenario.revision), 'not-permitted');
  await world.admin.patch(`/financial_scenarios/${scenario.id}`, { user_factors: 1, confirmation: 'always' }, scenario.revision);
  const now = await world.provider.get(`/apis/${made.id}`);
  assert.deepEqual([now.user_factors, now.user_confirmation], [1, true]);
  await until(async () => (await call()).json?.code === 'step-up-required', { what: 'the demand at the gateway' });
  await restRefuses(world.provider.post('/apis', { ...api, version: 'v2', path: '/balance/v2' }), 'field-invalid', '/user_confirmation');
  const [funds] = await world.admin.list('financial_scenarios', { operation: 'transfer' });
  await restRefuses(world.admin.patch(`/financial_scenarios/${funds.id}`, { user_factors: 1 }, funds.revision), 'field-invalid', '/user_factors');
});

const DIGEST = createHash('sm3').update('manifest of the files').digest('hex');
const OTHER = createHash('sm3').update('another manifest').digest('hex');
const kit = (version, digest = DIGEST) => ({ headers: { 'sluice-sdk': `js/${version};sm3=${digest}` } });
const release = (version, more = {}) => world.operator.post('/sdk_releases', { name: 'js', version, digest_sm3: DIGEST, language: 'JavaScript', framework: 'Node.js 18', operating_system: 'Linux', ...more });

test('[BK-3.5, BK-9.3.5c2] an SDK\'s release is registered by the platform, with its digest and what it is built for, once', async () => {
  const made = await release('1.0.0');
  assert.deepEqual([made.state, made.language, made.framework, made.operating_system, made.hardware], ['current', 'JavaScript', 'Node.js 18', 'Linux', null]);
  assert.equal((await world.developer.get(`/sdk_releases/${made.id}`)).digest_sm3, DIGEST);
  await restRefuses(release('1.0.0'), 'already-exists', '/version');
  await restRefuses(release('1.0'), 'field-invalid', '/version');
  await restRefuses(release('1.0.1', { name: 'JS' }), 'field-invalid', '/name');
  await restRefuses(release('1.0.1', { digest_sm3: DIGEST.toUpperCase() }), 'field-invalid', '/digest_sm3');
  await restRefuses(release('1.0.1', { refused_from: w.IN_A_YEAR }), 'field-invalid', '/refused_from');
  await restRefuses(world.developer.post('/sdk_releases', { name: 'js', version: '1.0.1', digest_sm3: DIGEST, language: 'JavaScript' }), 'not-permitted');
});

test('[BK-6.2b1, BK-6.2b2, BK-5d2, BK-9.3.5c1] payments and balances are called through a registered SDK, which the record names; directly on an approved exception alone', async () => {
  const fields = [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }];
  const made = {};
  for (const operation of ['payment', 'transfer', 'product-purchase', 'balance', 'transaction-history', 'account-limit', 'payment-time', 'holdings', 'points', 'other']) {
    const api = { name: `sdk-${operation}`, version: 'v1', path: `/sdk/${operation}/v1`, kind: 'http', upstream: origin(), class: 'A2', operation, methods: ['GET'], query: false, fields };
    if (operation === 'account-limit') Object.assign(api, { user_confirmation: false, purpose_required: false });
    made[operation] = await world.provider.post('/apis', api);
    assert.equal(made[operation].sdk_required ?? false, !['points', 'other'].includes(operation), operation);
    if (operation === 'other') continue;
    // What only shows holdings or points may be opened, by the platform; nothing that moves money or tells of an account.
    const off = () => world.operator.patch(`/apis/${made[operation].id}`, { sdk_required: false }, made[operation].revision);
    if (['holdings', 'points'].includes(operation)) assert.equal((await off()).sdk_required, false);
    else await restRefuses(off(), 'field-invalid', '/sdk_required');
  }
  await restRefuses(world.provider.post('/apis', { name: 'mine', version: 'v1', path: '/mine/v1', kind: 'http', upstream: origin(), operation: 'holdings', methods: ['GET'], query: false, fields, sdk_required: false }), 'not-permitted', '/sdk_required');

  const limit = made['account-limit'].id;
  await world.provider.act('apis', limit, 'publish');
  const s = await world.developer.post('/subscriptions', { app_id: payer.app, api_id: limit, purpose: 'show it', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  const call = (more) => p.call('/sdk/account-limit/v1/x', { key: payer.key, ...more });
  await until(async () => (await call()).json?.code === 'sdk-required', { what: 'the API at the gateway' });
  refused(await call(), 403, 'sdk-required');
  const good = await until(async () => { const a = await call(kit('1.0.0')); return a.status === 200 && a; }, { what: 'the release at the gateway' });
  assert.equal(good.headers['sluice-sdk-notice'], undefined);
  assert.equal(upstream.seen.at(-1).headers['sluice-sdk'], undefined, 'it goes no further');
  const recorded = (answer) => until(async () => records(p).find((r) => r.transaction === answer.txn), { what: 'the record' });
  assert.equal((await recorded(good)).sdk, 'js/1.0.0');
  assert.equal((await recorded(await call())).sdk, null);

  // What is claimed is signed, and is a release of ours to the byte.
  const unsigned = await call({ ...kit('1.0.0'), change: (x) => ({ ...x, components: x.components.filter((c) => c !== 'sluice-sdk') }) });
  refused(unsigned, 401, 'signature-incomplete');
  for (const wrong of ['js', 'js/1.0.0', 'js/1;sm3=x', `JS/1.0.0;sm3=${DIGEST}`, `js/1.0.0;sm3=${DIGEST}0`]) {
    refused(await call({ headers: { 'sluice-sdk': wrong } }), 400, 'request-malformed');
  }
  const changed = await call(kit('1.0.0', OTHER));
  refused(changed, 403, 'sdk-refused');
  assert.equal((await recorded(changed)).sdk, 'js/1.0.0');
  refused(await call(kit('9.9.9')), 403, 'sdk-refused');
  refused(await p.call('/loans/v1/x', { key: world.key, grant: loans.grant, purpose: 'fraud check', ...kit('9.9.9') }), 403, 'sdk-refused'); // whatever API it is

  // Both explanations say the same.
  const node = (...more) => JSON.parse(p.sluice('explain', '--data-dir', p.data, '--app', payer.app, '--api', '/sdk/account-limit/v1', '--proof', 'key', '--json', ...more).out).code;
  const control = async (more = '') => (await world.admin.get(`/explain?app=${payer.app}&api=${limit}${more}`)).code;
  for (const [sdk, code] of [[undefined, 'sdk-required'], ['js/1.0.0', 'ok'], ['js/9.9.9', 'sdk-refused']]) {
    assert.equal(node(...(sdk ? ['--sdk', sdk] : [])), code);
    assert.equal(await control(sdk ? `&sdk=${sdk}` : ''), code);
  }

  // The exception: for one app, with an end, and not decided by who asked.
  const asked = { app_id: payer.app, api_id: limit, reason: 'its server signs by itself', expires_at: new Date(Date.now() + 86400e3).toISOString() };
  await restRefuses(world.developer.post('/direct_connections', { ...asked, expires_at: new Date(Date.now() - 1000).toISOString() }), 'field-invalid', '/expires_at');
  await restRefuses(world.developer.post('/direct_connections', { ...asked, api_id: made.other.id }), 'field-invalid', '/api_id');
  await restRefuses(world.operator.post('/direct_connections', { ...asked, api_id: loans.api }), 'state-conflict', '/api_id');
  const own = await world.operator.post('/direct_connections', asked);
  await restRefuses(world.operator.act('direct_connections', own.id, 'approve', { comment: 'mine' }), 'self-approval');
  const theirs = await world.developer.post('/direct_connections', asked);
  await restRefuses(world.developer.act('direct_connections', theirs.id, 'approve', { comment: 'please' }), 'not-permitted');
  refused(await call(), 403, 'sdk-required');
  await world.operator.act('direct_connections', theirs.id, 'approve', { comment: 'assessed: low' });
  await until(async () => (await call()).status === 200, { what: 'the exception at the gateway' });
  assert.equal(node(), 'ok');
  assert.equal(await control(), 'ok');
  await world.operator.act('direct_connections', theirs.id, 'revoke', { comment: 'over' });
  await until(async () => (await call()).json?.code === 'sdk-required', { what: 'the exception is gone' });
});

test('[BK-10.4b2, BK-9.3.5c2] an outdated release is told to its caller and to every party, and refused after its deadline; a withdrawn one is refused at once', async () => {
  const call = (version) => p.call('/sdk/account-limit/v1/x', { key: payer.key, ...kit(version) });
  const old = await release('1.1.0');
  await until(async () => (await call('1.1.0')).status === 200, { what: 'the release at the gateway' });
  const deadline = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86400e3);
  await world.operator.act('sdk_releases', old.id, 'outdate', { refused_from: deadline.toISOString() });
  const told = await until(async () => { const a = await call('1.1.0'); return a.headers['sluice-sdk-notice'] && a; }, { what: 'the notice' });
  assert.deepEqual([told.status, told.headers['sluice-sdk-notice']], [200, `outdated;refused-from=@${deadline / 1000}`]);
  const notices = await world.developer.list('notices', { kind: 'sdk-outdated' });
  assert.ok(notices.some((n) => n.object_id === old.id), 'the party is told');
  const row = await world.operator.get(`/sdk_releases/${old.id}`);
  await world.operator.patch(`/sdk_releases/${old.id}`, { refused_from: new Date(Date.now() - 1000).toISOString() }, row.revision);
  const over = await until(async () => { const a = await call('1.1.0'); return a.status === 403 && a; }, { what: 'the deadline' });
  refused(over, 403, 'sdk-refused');
  assert.match(over.headers['sluice-sdk-notice'], /^refused;/);
  await world.operator.act('sdk_releases', old.id, 'reinstate');
  await until(async () => (await call('1.1.0')).status === 200, { what: 'the release again' });
  await world.operator.act('sdk_releases', old.id, 'withdraw', { comment: 'a hole in it' });
  await until(async () => (await call('1.1.0')).json?.code === 'sdk-refused', { what: 'the withdrawal' });
  await restRefuses(world.operator.act('sdk_releases', old.id, 'reinstate'), 'state-conflict');
});

test('[SW-8.1-r2] where the platform asks for it, nothing is served that its provider has not authorised itself', async () => {
  const [row] = await world.admin.list('admission_settings', { name: 'provider-approval-required' });
  const set = (value, revision) => world.admin.patch(`/admission_settings/${row.id}`, { value }, revision);
  const call = () => p.call('/loans/v1/x', { key: world.key, grant: loans.grant, purpose: 'fraud check' });
  assert.equal((await call()).status, 200);
  await set('on', row.revision);
  await until(async () => (await call()).json?.code === 'subscription-missing', { what: 'the refusal' });
  const [s] = await world.developer.list('subscriptions', { api_id: loans.api });
  await world.provider.act('subscriptions', s.id, 'authorize');
  await until(async () => (await call()).status === 200, { what: 'the provider\'s word' });
  await set('off', row.revision + 1);
});
