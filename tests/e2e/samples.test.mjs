// SPDX-License-Identifier: Apache-2.0
// The demo as its users meet it: commerce, the single window and the credit platform, a business unit and a third-party app each in a
// process of their own.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { KINDS, OBJECTS } from '../../demo/commerce.mjs';
import { DEFAULTS, enterprise, merchantId } from '../../demo/generate.mjs';
import { DOMAINS, PARAMETERS } from '../../demo/window.mjs';
import { KeyStore } from '../../sdk/js/src/index.js';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ENTERPRISES = 1_700_000;
const programs = [];
let p;
let as; // sessions by login
const api = {}; // ids by path

const secretFile = (name, text) => { const file = path.join(p.dir, name); writeFileSync(file, text, { mode: 0o600 }); return file; };
const becomes = (target, wanted, more) => until(async () => { const a = await p.call(target, more); return (a.json?.code ?? a.status) === wanted && a; }, { ms: 10000, what: `${wanted} of ${target}` });

// A program of the demo; resolves to its port.
function program(name, args) {
  const child = spawn(process.execPath, [path.resolve('demo', name), ...Object.entries(args).flatMap(([k, v]) => [`--${k}`, v])], { stdio: ['ignore', 'pipe', 'pipe'] });
  programs.push(child);
  return new Promise((resolve, reject) => {
    let told = '';
    child.stderr.on('data', (d) => { told += d; });
    child.stdout.once('data', (d) => resolve(Number(d)));
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${told}`)));
  });
}

const ask = (port, target, body, { method = body ? 'POST' : 'GET', headers } = {}) => new Promise((resolve, reject) => {
  http.request({ host: '127.0.0.1', port, path: target, method, headers }, (res) => {
    let text = '';
    res.on('data', (d) => { text += d; });
    res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, text, json: /json/.test(res.headers['content-type']) ? JSON.parse(text) : null }));
  }).on('error', reject).end(typeof body === 'object' ? JSON.stringify(body) : body);
});

// The sample application as its engineer sets it up: a sealed key store, settings without a secret, what the platform says of the API. Once; resolves to its port.
const SESSIONS = { alice: 'session-of-alice-0123456789', bob: 'session-of-bob-9876543210' };
const asked = (port, user, target, body, more = {}) => ask(port, target, body, { ...more, headers: { authorization: `Bearer ${SESSIONS[user]}` } });
const appFile = (name) => path.join(p.dir, 'app', name);
let samplePort;
async function sample() {
  if (samplePort) return samplePort;
  mkdirSync(appFile(''));
  const put = (name, text) => writeFileSync(appFile(name), text, { mode: 0o600 });
  const { id, secret } = p.keys['hmac-sha256'], passphrase = 'passphrase of the sample';
  put('passphrase', passphrase);
  KeyStore.create(appFile('keys'), passphrase).put('main', { id, algorithm: 'hmac-sha256', material: secret });
  put('orders.json', JSON.stringify(await as.developer.get(`/apis/${api['/trade/orders/v1']}/openapi`)));
  put('users.json', JSON.stringify({ alice: { session: SESSIONS.alice, grant: p.demo.grants.orders }, bob: { session: SESSIONS.bob } }));
  put('settings.json', JSON.stringify({ gateway: p.gateway, ca: p.caFile, app: p.demo.app, company: '样例软件公司', keyStore: 'keys', passphraseFile: 'passphrase', descriptions: ['orders.json'], data: 'data', log: 'calls' }));
  return (samplePort = await program('app.mjs', { settings: appFile('settings.json'), users: appFile('users.json'), path: '/trade/orders/v1', log: appFile('app.log') }));
}

async function subscribed(target, more) {
  const s = await as.developer.post('/subscriptions', { app_id: p.demo.app, api_id: api[target], purpose: 'sample', max_level: 3, ...more });
  await as.operator.act('subscriptions', s.id, 'approve');
}

const granted = (login, target, owner) => as[login].post('/grants', { app_id: p.demo.app, api_id: api[target], owner, purpose: 'sample', term: 'period', expires_at: w.IN_A_YEAR });

before(async () => {
  p = await Platform.start();
  await p.loadDemo({ enterprises: 20, orders: 60, merchants: 5 });
  as = Object.fromEntries(await Promise.all(['operator', 'window', 'credit', 'trade', 'developer', 'merchant'].map(async (login) => [login, await p.signedIn(login)])));
  as.admin = await p.rest.signIn('admin', p.adminPassword);
  for (const a of await as.admin.list('apis')) api[a.path] = a.id;
});
after(async () => {
  for (const child of programs) child.kill();
  await p?.stop();
});

test('[EC-3.4] deals between enterprises, with consumers and among consumers, over goods and over services, are each found by a call', async () => {
  await subscribed('/trade/deals/v1');
  await becomes('/trade/deals/v1?limit=1', 200);
  for (const kind of KINDS) for (const object of OBJECTS) {
    const found = rows(await p.call(`/trade/deals/v1?kind=eq.${kind}&object=eq.${object}`));
    assert.ok(found.length > 0 && found.every((d) => d.kind === kind && d.object === object && d.seller !== d.buyer), `${kind} ${object}`);
  }
});

test('[EC-3.9] an order is one consumer\'s with one merchant, of one line or several, over goods and services; a second merchant in it is refused', async () => {
  const orders = '/trade/purchases/v1', lines = '/trade/purchase-lines/v1', merchant = merchantId(0);
  for (const target of [orders, lines]) await subscribed(target);
  const grants = {};
  for (const target of [orders, lines]) {
    grants[target] = (await granted('merchant', target, merchant)).id;
    await becomes(`${target}?limit=1`, 200, { grant: grants[target] });
  }
  const placed = rows(await p.call(orders, { grant: grants[orders] })), all = rows(await p.call(lines, { grant: grants[lines] }));
  assert.ok(placed.length > 0 && placed.every((o) => o.merchant_id === merchant && /\*/.test(o.consumer_no)));
  const counts = placed.map((o) => all.filter((l) => l.purchase_no === o.purchase_no).length);
  assert.ok(Math.min(...counts) === 1 || Math.max(...counts) > 1, 'one line or several');
  assert.deepEqual([...new Set(all.map((l) => l.object))].sort(), ['goods', 'service']);
  const dataset = (await as.trade.list('datasets')).find((d) => d.name === 'purchase_line');
  const { key } = await as.trade.post('/supply_keys', { dataset_id: dataset.id, name: 'shop' });
  const line = { line_no: 'X-1', purchase_no: placed[0].purchase_no, merchant_id: merchant, object: 'goods', title: '茶', quantity: 1, amount: 5 };
  const supply = (records) => p.rest.raw('POST', `/supply/${dataset.id}/records`, JSON.stringify({ records }), { 'content-type': 'application/json', authorization: `Bearer ${key}` });
  const good = await supply([line]);
  assert.deepEqual([good.status, good.body.inserted], [200, 1], JSON.stringify(good.body));
  const two = await supply([{ ...line, line_no: 'X-2' }, { ...line, line_no: 'X-3', merchant_id: merchantId(1) }]);
  assert.deepEqual([two.status, two.body.code], [409, 'state-conflict'], JSON.stringify(two.body));
  assert.deepEqual(rows(await p.call(`${lines}?line_no=in.(X-1,X-2,X-3)`, { grant: grants[lines] })).map((l) => l.line_no), ['X-1'], 'nothing of a refused order');
});

test('[SW-5-app-1, SW-5-app-2, SW-5-app-3, SW-5-app-4, SW-5-app-5, SW-5-app-6] the demo has a service of each business domain, in the catalogue and callable', async () => {
  const domains = Object.fromEntries((await as.developer.list('service_domains')).map((d) => [d.id, d.code]));
  const listed = (await as.developer.list('services')).filter((s) => s.state === 'listed');
  assert.deepEqual(listed.map((s) => domains[s.domain_id]).sort(), DOMAINS.map((d) => d.code).sort());
  for (const d of DOMAINS.filter((one) => !one.owned)) {
    const target = `/window/${d.table}/v1`;
    refused(await p.call(`${target}?limit=1`), 403, 'subscription-missing');
    await subscribed(target);
    assert.equal((await becomes(`${target}?limit=1`, 200)).json.length, 1, d.code);
  }
});

test('[SW-9.6.1-b1] parameters of clearance and the catalogue of commodities open on approval, not before', async () => {
  for (const d of PARAMETERS) {
    const target = `/params/${d.table.replace('_', '-')}/v1`;
    refused(await p.call(`${target}?limit=1`), 403, 'subscription-missing');
    const s = await as.developer.post('/subscriptions', { app_id: p.demo.app, api_id: api[target], purpose: 'declare goods', max_level: 2 });
    refused(await p.call(`${target}?limit=1`), 403, 'subscription-missing');
    await as.operator.act('subscriptions', s.id, 'approve');
    assert.equal((await becomes(`${target}?limit=5`, 200)).json.length, 5);
  }
});

test('[SW-9.6.1-a1] an enterprise reads its own declarations, cargo and means of transport by who it is, and nobody else\'s', async () => {
  const own = enterprise(DEFAULTS.seed, 1).uniscId, other = enterprise(DEFAULTS.seed, 2).uniscId;
  const organisation = await w.organisation(as.admin, '自营企业', 'third_party');
  const developer = await w.user(as.admin, 'self', 'developer', { organisation_id: organisation });
  const app = (await developer.post('/apps', { name: 'Own books', organisation_id: organisation, environment: 'general' })).id;
  await as.operator.act('apps', app, 'admit');
  const key = await developer.post('/credentials', { app_id: app, algorithm: 'hmac-sm3' });
  const org = await as.admin.get(`/organisations/${organisation}`);
  await as.admin.patch(`/organisations/${org.id}`, { subject: own }, org.revision);
  for (const d of DOMAINS.filter((one) => one.owned)) {
    const target = `/window/${d.table}/v1`;
    const mine = (await becomes(target, 200, { key })).json;
    assert.ok(mine.length > 0 && mine.every((r) => r.enterprise_code === own), d.table);
    assert.deepEqual(rows(await p.call(`${target}?enterprise_code=eq.${other}`, { key })), [], 'a parameter names nobody else');
  }
});

test('[SW-3.1] a declaration handed in once, at one place, is there for each service entitled to it and for no other', async () => {
  const target = '/window/declaration/v1', own = enterprise(DEFAULTS.seed, 0).uniscId;
  as.enterprise = await p.signedIn('enterprise');
  const dataset = (await as.window.list('datasets')).find((d) => d.name === 'declaration');
  const { key } = await as.window.post('/supply_keys', { dataset_id: dataset.id, name: 'declaration desk' });
  const declaration = { declaration_no: 'DE99999999', enterprise_code: own, trade_mode: '0110', port_code: '2201', goods_name: '茶叶', amount: '88.00', status: 'declared' };
  const hand = () => p.rest.raw('POST', `/supply/${dataset.id}/records`, JSON.stringify({ records: [declaration] }), { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'idempotency-key': 'once' });
  assert.deepEqual([(await hand()).body.inserted, (await hand()).body.inserted], [1, 1], 'a second time is the first again');
  const find = `${target}?declaration_no=eq.DE99999999`;
  refused(await p.call(find), 403, 'subscription-missing');
  await subscribed(target);
  const grant = (await granted('enterprise', target, own)).id;
  const seen = (await becomes(find, 200, { grant })).json;
  assert.deepEqual(seen.map((d) => [d.declaration_no, d.enterprise_code, d.goods_name]), [['DE99999999', own, '茶叶']]);
  const customs = (await as.developer.post('/apps', { name: 'Customs broker', organisation_id: (await as.developer.get('/users/me')).organisation_id, environment: 'monitored' })).id;
  await as.operator.act('apps', customs, 'admit');
  const second = await as.developer.post('/credentials', { app_id: customs, algorithm: 'hmac-sm3' });
  const s = await as.developer.post('/subscriptions', { app_id: customs, api_id: api[target], purpose: 'broker', max_level: 2 });
  await as.operator.act('subscriptions', s.id, 'approve');
  const also = await as.enterprise.post('/grants', { app_id: customs, api_id: api[target], owner: own, purpose: 'broker', term: 'period', expires_at: w.IN_A_YEAR });
  assert.equal((await becomes(find, 200, { key: second, grant: also.id })).json.length, 1);
});

test('[EC-4.1b, EC-4.3.1a, BK-5e, EC-6.1.1.1a] a business unit records sales, with what its user agreed to or not at all, and supplies them, an app shows them to its user, and the user gets the same from the holder: each a process of its own', async () => {
  const merchant = merchantId(0), dataset = (await as.trade.list('datasets')).find((d) => d.name === 'orders');
  const { key } = await as.trade.post('/supply_keys', { dataset_id: dataset.id, name: 'back office', user_entered: true });
  const unit = await program('unit.mjs', { store: path.join(p.dir, 'sales'), control: p.control, ca: p.caFile, dataset: dataset.id, 'key-file': secretFile('supply', key), 'user-entered': 'yes' });
  const sale = { order_id: 'O-UNIT-1', merchant_id: merchant, product_title: '茶叶礼盒', category: 'food', quantity: 2, amount: 88.5, currency: 'CNY', status: 'paid', ordered_at: '2026-05-06 07:08:09',
    buyer_name: '欧阳测试', buyer_phone: '13812345678', buyer_email: 'buyer@example.com', buyer_address: '太原市高新区长风街1号1室', card_number: '6222020200112230010', pay_password: 'x' };
  const consent = { reference: 'tick 7781', purpose: 'selling', given_at: '2026-05-06T07:08:00Z' };
  for (const lacking of [undefined, {}, { ...consent, given_at: '2126-01-01T00:00:00Z' }]) assert.equal((await ask(unit, '/sales', { ...sale, consent: lacking })).status, 422);
  assert.deepEqual((await ask(unit, '/sales')).json, [], 'nothing of it was recorded');
  assert.equal((await ask(unit, '/sales', { ...sale, consent })).status, 201);
  await until(async () => (await ask(unit, '/sales')).json.every((s) => s.supplied), { ms: 10000, what: 'the sale to be supplied' });
  const app = await sample();
  const shown = await asked(app, 'alice', '/orders?limit=100');
  assert.equal(shown.status, 200);
  assert.match(shown.headers['sluice-transaction'], /^[0-9a-f-]{36}$/);
  const seen = shown.json.find((o) => o.order_id === sale.order_id);
  assert.deepEqual([seen.quantity, seen.buyer_phone], [2, '138****5678'], 'the app gets it masked');
  const organisation = await w.organisation(as.admin, '商户自己', 'third_party');
  const developer = await w.user(as.admin, 'merchant-it', 'developer', { organisation_id: organisation });
  const direct = (await developer.post('/apps', { name: 'Own client', organisation_id: organisation, environment: 'general' })).id;
  await as.operator.act('apps', direct, 'admit');
  const own = await developer.post('/credentials', { app_id: direct, algorithm: 'hmac-sm3' });
  const org = await as.admin.get(`/organisations/${organisation}`);
  await as.admin.patch(`/organisations/${org.id}`, { subject: merchant }, org.revision);
  const answer = (await becomes(`/trade/orders/v1?order_id=eq.${sale.order_id}`, 200, { key: own })).json;
  assert.deepEqual(answer.map((o) => [o.order_id, o.quantity, o.buyer_phone]), [[sale.order_id, 2, sale.buyer_phone]], 'from the holder, to the user, whole');
});

test('[EC-4.3.3, BK-5f1, BK-5f3, BK-10.1.2b2] the sample app, made of the SDK alone, manages a merchant\'s orders: its user sees the result, or the reason in words; its operators what keeps failing', async () => {
  const app = await sample(), all = (await asked(app, 'alice', '/orders?limit=100')).json, { status } = all[0];
  const some = await asked(app, 'alice', `/orders?status=${status}&limit=100`);
  assert.deepEqual(some.json.map((o) => o.order_id).sort(), all.filter((o) => o.status === status).map((o) => o.order_id).sort());
  const none = await asked(app, 'bob', '/orders');
  assert.deepEqual([none.status, none.json.kind, none.json.code], [403, 'gateway', 'grant-missing']);
  assert.match(none.json.reason, /授权/);
  assert.match((await asked(app, 'bob', '/orders?lang=en')).json.reason, /grant is needed/);
  assert.match(none.headers['sluice-transaction'], /^[0-9a-f-]{36}$/);
  for (let i = 0; i < 3; i++) await asked(app, 'bob', '/orders');
  assert.match(readFileSync(appFile('app.log'), 'utf8'), /ALERT refused-often \/trade\/orders\/v1 grant-missing/);
  assert.equal((await ask(app, '/orders')).status, 401);
  assert.equal((await asked(app, 'alice', '/orders?limit=9999')).status, 400);
});

test('[EC-7.1.1b, EC-4.2.2c2, EC-7.1.2] user B of the sample app does not see what it keeps of user A; its files and logs hold no personal data in clear', async () => {
  const app = await sample(), mine = await asked(app, 'alice', '/orders?limit=100'), reference = mine.headers['app-kept'];
  assert.deepEqual((await asked(app, 'alice', `/kept/${reference}`)).json, mine.json);
  const other = await asked(app, 'bob', `/kept/${reference}`);
  assert.deepEqual([other.status, other.json.code], [403, 'not-this-users']);
  assert.ok(!other.text.includes('order'));
  assert.match(readFileSync(appFile('app.log'), 'utf8'), /REFUSED another user's data/);
  const page = await asked(app, 'alice', '/consent?lang=en');
  assert.match(page.text, /collected by 样例软件公司, not by your bank or the data platform/);
  assert.equal((await asked(app, 'alice', '/consent', 'act=agree')).json.consent, null, 'without the tick');
  const { consent } = (await asked(app, 'alice', '/consent', 'agree=yes&act=agree')).json;
  assert.equal((await asked(app, 'bob', `/consent/${consent}`, undefined, { method: 'DELETE' })).status, 403);
  assert.ok((await asked(app, 'alice', `/consent/${consent}`, undefined, { method: 'DELETE' })).json.ended);
  const personal = mine.json.flatMap((o) => [o.buyer_name, o.buyer_phone, o.buyer_email, o.buyer_address, o.product_title]).filter((v) => v?.length > 2);
  const files = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(path.join(dir, e.name)) : [path.join(dir, e.name)]));
  const kept = [...files(appFile('data')), ...files(appFile('calls')), appFile('app.log')];
  assert.ok(kept.length >= 4 && personal.length > 50, `${kept} ${personal.length}`);
  for (const file of kept) for (const value of [...personal.filter((v) => !file.includes('/calls/') || v.includes('*')), 'alice', '联系邮箱', p.keys['hmac-sha256'].secret]) assert.ok(!readFileSync(file).includes(value), `${file}: ${value}`);
  const logs = [appFile('app.log'), ...files(appFile('calls'))], bin = (...args) => execFileSync(process.execPath, ['sdk/js/bin/sluice-sdk.js', ...args], { encoding: 'utf8' });
  assert.equal(bin('scan-log', ...logs, '--description', appFile('orders.json')), '');
  assert.match(bin('verify-log', appFile('calls')), /all as written/);
});

test('[CI-A.2e] of 1,700,000 enterprises page 10 of 1000 is given, with how many there are', async () => {
  const file = path.join(p.dir, 'many.db');
  execFileSync('sqlite3', [file], { input: `PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE enterprise (uniscId TEXT PRIMARY KEY, enterpriseName TEXT NOT NULL, assessGrade TEXT NOT NULL) WITHOUT ROWID;
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${ENTERPRISES}) INSERT INTO enterprise SELECT printf('91330100%010d', i), '企业' || i, substr('ABCD', i % 4 + 1, 1) FROM n;` });
  const holder = (await as.credit.get('/users/me')).organisation_id;
  const source = await as.credit.post('/sources', { name: 'many', organisation_id: holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await as.credit.act('sources', source.id, 'check');
  const dataset = await as.credit.post('/datasets', { name: 'many', source_id: source.id, table: 'enterprise' });
  await as.credit.patch(`/datasets/${dataset.id}`, { fields: dataset.fields.map((f) => ({ ...f, level: 1 })) }, dataset.revision);
  await w.reviewed({ admin: as.admin, operator: as.operator }, 'datasets', dataset.id);
  const made = await as.credit.act('datasets', dataset.id, 'publish', { name: 'many', version: 'v1', path: '/credit/many', title: 'Many', profile: 'getEnterpriseGrades', access: 'registered' });
  assert.equal(made.state, 'published');
  const answer = await until(async () => { const a = await p.call('/credit/many', { method: 'POST', body: JSON.stringify({ pageno: 10, pagesize: 1000 }) }); return a.status === 200 && a.json; }, { ms: 15000, what: 'the page' });
  const { pageno, count, pagesize, companyList } = answer.data;
  assert.deepEqual([answer.result, pageno, count, pagesize, companyList.length], [1, 10, ENTERPRISES, 1000, 1000]);
  assert.equal(companyList[0].uniscId, `91330100${String(9000).padStart(10, '0')}`);
});

test('[CI-A.3g] a record of trading may carry the enterprise\'s code and name, and the description requires neither', async () => {
  const target = '/credit/getPublicResourcesTrading', grant = p.demo.grants.getPublicResourcesTrading, own = enterprise(DEFAULTS.seed, 0);
  const { data } = (await p.call(target, { method: 'POST', grant, body: JSON.stringify({ uniscId: own.uniscId, licenseID: grant }) })).json;
  assert.ok(Array.isArray(data) && data.every((d) => d.uniscId === own.uniscId && d.enterpriseName === own.enterpriseName));
  const text = JSON.stringify(await as.developer.get(`/apis/${api[target]}/openapi`));
  for (const name of ['uniscId', 'enterpriseName', 'projectName']) assert.ok(text.includes(`"${name}"`), name);
  assert.ok(!/"required":\[[^\]]*"(uniscId|enterpriseName)"/.test(text.slice(text.indexOf('"responses"'))), 'both optional');
});

test('[CI-A.1a, CI-A.3e] a grade that is none of the five and a kind of trading that is none of the six are not loaded', async () => {
  for (const [name, record] of [['enterprises', { ...enterprise(DEFAULTS.seed, 1), assessGrade: 'E' }],
    ['trading', { id: 990001, ...enterprise(DEFAULTS.seed, 1), assessGrade: undefined, type: '拍卖', projectName: 'x', ownerOrgName: 'x', bidPrice: '1', url: 'https://example.org/', publicizingDay: '2026-01-01 00:00:00' }]]) {
    const dataset = (await as.credit.list('datasets')).find((d) => d.name === name);
    const { key } = await as.credit.post('/supply_keys', { dataset_id: dataset.id, name: 'loader' });
    const answer = await p.rest.raw('POST', `/supply/${dataset.id}/records`, JSON.stringify({ records: [record] }), { 'content-type': 'application/json', authorization: `Bearer ${key}` });
    assert.deepEqual([answer.status, answer.body.code], [409, 'state-conflict'], JSON.stringify(answer.body));
  }
});

test('[CI-6.2.3a] what is not public is served by authorised query alone', async () => {
  const dataset = (await as.credit.list('datasets')).find((d) => d.name === 'trading');
  await as.credit.patch(`/datasets/${dataset.id}`, { audience: 'authorised' }, dataset.revision);
  const general = { name: 'all-trading', version: 'v1', path: '/credit/all-trading/v1', title: 'All', owner_scoped: false };
  await restRefuses(as.credit.act('datasets', dataset.id, 'publish', general), 'field-invalid', '/owner_scoped');
  const draft = { ...general, kind: 'dataset', dataset_id: dataset.id };
  await restRefuses(as.credit.post('/apis', draft), 'field-invalid', '/owner_scoped');
  const open = (await as.credit.list('datasets')).find((d) => d.name === 'enterprises');
  await restRefuses(as.credit.patch(`/datasets/${open.id}`, { audience: 'authorised' }, open.revision), 'state-conflict');
  const grant = p.demo.grants.getPublicResourcesTrading;
  const asked = await p.call('/credit/getPublicResourcesTrading', { method: 'POST', grant, body: JSON.stringify({ uniscId: enterprise(DEFAULTS.seed, 0).uniscId, licenseID: grant }) });
  assert.equal(asked.json.result, 1, 'by the authorised query it is');
});
