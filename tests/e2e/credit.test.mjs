// SPDX-License-Identifier: Apache-2.0
// The three interfaces of the credit platform (CI-A) over the demo's data, and the demo's own API list.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { CompactEncrypt, importJWK } from 'jose';
import { enterprise } from '../../demo/generate.mjs';
import { usccCheck } from '../../demo/idnum.mjs';
import { DEFAULTS } from '../../demo/generate.mjs';
import { load } from '../../demo/load.mjs';
import { refused, rows } from './lib/assertions.mjs';
import { PASSWORD, Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ENTERPRISES = 1300; // two pages of the largest size, the second not full
let p;
const post = (name, body, more = {}) => p.call(`/credit/${name}`, { method: 'POST', body: JSON.stringify(body), ...more });
const nth = (n) => enterprise(DEFAULTS.seed, n);

before(async () => {
  p = await Platform.start();
  await p.loadDemo({ enterprises: ENTERPRISES, orders: 400, merchants: 20 });
});
after(() => p?.stop());

test('a second load of the demo changes nothing', async () => {
  const again = await load({ control: p.control, ca: p.caFile, gateway: p.gateway, dataDir: p.data, password: PASSWORD });
  assert.equal(again.fresh, false);
});

test('[EC-5.2-T1] any registered app reads the divisions and the port\'s codes, which are level 1', async () => {
  const provinces = rows(await p.call('/params/divisions/v1?kind=eq.province&limit=100'));
  assert.ok(provinces.length >= 31 && provinces.some((d) => d.name === '北京市'));
  assert.equal(rows(await p.call('/params/countries/v1?alpha2=eq.CN'), 1)[0].alpha3, 'CHN');
  assert.equal(rows(await p.call('/params/currencies/v1?alpha3=eq.CNY', { key: p.keys['hmac-sha256'] }), 1)[0].numeric_code, '156');
});

test('[CI-A.1, CI-A.1d, CI-A.1e] the grade of one enterprise by its code', async () => {
  const e = nth(5);
  const answer = await post('getEnterpriseGrade', { uniscId: e.uniscId });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { msg: answer.json.msg, result: 1, data: e });
  assert.equal(typeof answer.json.msg, 'string');
});

test('[CI-A.1a] the generated codes and grades are valid', () => {
  for (let i = 0; i < 200; i++) {
    const { uniscId, assessGrade } = nth(i);
    assert.equal(usccCheck(uniscId.slice(0, 17)), uniscId[17]);
    assert.ok(['AA', 'A', 'B', 'C', 'D'].includes(assessGrade));
  }
});

test('[CI-A.1] an unknown code gives result 0 with a message', async () => {
  const answer = await post('getEnterpriseGrade', { uniscId: '91330100MA00000000' });
  assert.deepEqual([answer.status, answer.json?.result, answer.json?.data], [200, 0, undefined], answer.text);
  assert.ok(answer.json.msg.length > 0);
});

test('[CI-A.1c] a missing parameter gives result 0 with its name, and no data', async () => {
  for (const [name, body, missing] of [['getEnterpriseGrade', {}, 'uniscId'], ['getEnterpriseGrades', { pageno: 1 }, 'pagesize']]) {
    const answer = await post(name, body);
    assert.deepEqual([answer.status, answer.json.result, answer.json.data], [200, 0, undefined], answer.text);
    assert.ok(answer.json.msg.includes(missing), answer.text);
  }
});

test('[CI-A.1b, CI-A.2a, CI-A.3b] the interfaces are POST alone', async () => {
  for (const name of ['getEnterpriseGrade', 'getEnterpriseGrades', 'getPublicResourcesTrading']) {
    const answer = await p.call(`/credit/${name}`, { grant: name === 'getPublicResourcesTrading' ? p.demo.grants[name] : undefined });
    refused(answer, 405, 'method-not-allowed');
  }
});

test('[CI-A.2, CI-A.2d, CI-A.2e] the pages together hold every enterprise once', async () => {
  const seen = new Set();
  for (const [pageno, expected] of [[1, 1000], [2, 300], [3, 0]]) {
    const { json, status, text } = await post('getEnterpriseGrades', { pageno, pagesize: 1000 });
    assert.equal(status, 200, text.slice(0, 300));
    assert.deepEqual([json.result, json.data.pageno, json.data.pagesize, json.data.count], [1, pageno, 1000, ENTERPRISES]);
    assert.equal(json.data.companyList.length, expected);
    json.data.companyList.forEach((c) => seen.add(c.uniscId));
  }
  assert.equal(seen.size, ENTERPRISES);
});

test('[CI-A.2b, CI-A.2c, CI-7.3b] a page of 1001, of zero, or of no number is refused', async () => {
  for (const body of [{ pageno: 1, pagesize: 1001 }, { pageno: 1, pagesize: 0 }, { pageno: -1, pagesize: 10 }, { pageno: 'x', pagesize: 10 }, { pageno: 1.5, pagesize: 10 }]) {
    const answer = await post('getEnterpriseGrades', body);
    assert.deepEqual([answer.status, answer.json.result, answer.json.data], [200, 0, undefined], `${JSON.stringify(body)}: ${answer.text.slice(0, 200)}`);
    assert.match(answer.json.msg, /pageno|pagesize/);
  }
});

test('[CI-A.3, CI-A.3d, CI-A.3e, CI-A.3f] with the enterprise\'s grant, its public resources trading, all six kinds', async () => {
  const grant = p.demo.grants.getPublicResourcesTrading;
  const answer = await post('getPublicResourcesTrading', { uniscId: nth(0).uniscId, licenseID: grant }, { grant });
  assert.equal(answer.status, 200, answer.text.slice(0, 400));
  const { result, data } = answer.json;
  assert.equal(result, 1);
  assert.deepEqual([...new Set(data.map((d) => d.type))].sort(), ['国有产权实物', '国有产权股权', '土地', '工程建设', '政府采购', '矿业'].sort());
  for (const d of data) {
    assert.match(d.publicizingDay, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.equal(typeof d.bidPrice, 'string');
    for (const f of ['projectName', 'ownerOrgName', 'url']) assert.equal(typeof d[f], 'string', f);
  }
});

test('[CI-6.2.3b, CI-6.2.3d1, CI-A.3c] no licence, another\'s licence or another enterprise is refused', async () => {
  const grant = p.demo.grants.getPublicResourcesTrading;
  const own = { uniscId: nth(0).uniscId, licenseID: grant };
  refused(await post('getPublicResourcesTrading', { uniscId: own.uniscId }), 403, 'grant-missing');
  assert.equal((await post('getPublicResourcesTrading', own)).json.result, 1, 'named by the parameter alone');
  refused(await post('getPublicResourcesTrading', { ...own, licenseID: p.demo.grants.orders }), 403, 'grant-mismatch');
  refused(await post('getPublicResourcesTrading', own, { grant: p.demo.grants.orders }), 403, 'grant-mismatch');
  const bodies = [[{ uniscId: own.uniscId }, 'licenseID'], [{ ...own, licenseID: '' }, 'licenseID'], [{ ...own, licenseID: p.demo.grants.orders }, 'licenseID'], [{ ...own, uniscId: nth(1).uniscId }, 'uniscId']];
  for (const [body, named] of bodies) {
    const answer = await post('getPublicResourcesTrading', body, { grant });
    assert.deepEqual([answer.status, answer.json.result, answer.json.data], [200, 0, undefined], `${JSON.stringify(body)}: ${answer.text.slice(0, 300)}`);
    assert.ok(answer.json.msg.includes(named), answer.text);
  }
});

test('[CI-5.2, CI-A.3a] the interface catalogue types the three as data sharing, and the one that needs the enterprise\'s licence as an authorised query', async () => {
  const developer = await p.signedIn('developer');
  const apis = (await developer.list('apis')).filter((a) => a.path.startsWith('/credit/'));
  const typed = {};
  for (const { dataset_id: dataset } of apis) for (const i of (await developer.get(`/datasets/${dataset}/interfaces`)).items) typed[i.path] = [i.interface_type, i.authorised_query];
  assert.deepEqual(['getEnterpriseGrade', 'getEnterpriseGrades', 'getPublicResourcesTrading'].map((n) => typed[`/credit/${n}`]),
    [['data-sharing', false], ['data-sharing', false], ['data-sharing', true]]);
});

test('[CI-7.1c] a body that is no JSON is refused', async () => {
  const answer = await p.call('/credit/getEnterpriseGrade', { method: 'POST', body: "{'uniscId': 1}" });
  assert.deepEqual([answer.status, answer.json?.result, answer.json?.data], [200, 0, undefined], answer.text);
});

// Calls without a signature: whom the members of the body name is who calls.
async function account() {
  const admin = await p.admin();
  const app = (await admin.get(`/credentials/${p.keys['hmac-sm3'].id}`)).app_id;
  const { organisation_id: organisation } = await admin.get(`/apps/${app}`);
  const password = 'platform-account-Passw0rd+1';
  const session = await w.user(admin, 'linked-platform', 'developer', { organisation_id: organisation });
  const { id, accessid: own } = await session.get('/users/me');
  await session.raw('PUT', '/api/v1/users/me/password', { old_password: 'linked-platform-first-Passw0rd-changed', new_password: password });
  const at = (path) => admin.get('/apis?page_size=200').then(({ items }) => items.find((a) => a.path === path));
  const allow = async (path, on = true) => { const api = await at(path); await admin.patch(`/apis/${api.id}`, { account_parameters: on }, api.revision); };
  const bind = async (changes) => admin.patch(`/users/${id}`, changes, (await admin.get(`/users/${id}`)).revision);
  // Of the app for that interface: drawn when its application for it was approved.
  const { accessid } = (await admin.list('subscriptions', { app_id: app, api_id: (await at('/credit/getEnterpriseGrade')).id, state: 'approved' }))[0];
  return { admin, app, id, allow, bind, at, own, members: { accessid, username: 'linked-platform', pwd: password } };
}

const plain = (name, members, type = 'application/json') => p.send('POST', `/credit/${name}`, {
  headers: { 'content-type': type }, body: type === 'application/json' ? JSON.stringify(members) : new URLSearchParams(members).toString() });

test('[CI-7.2c, CI-7.2c1, CI-7.2c2, CI-7.2c3, CI-6.2.2c, CI-A.1c, CI-A.2b] where an API allows it, accessid, username and pwd of an account prove who calls', async () => {
  const a = await account();
  const grade = { ...a.members, uniscId: nth(5).uniscId };
  refused(await plain('getEnterpriseGrade', grade), 401, 'signature-missing'); // not allowed here yet
  await a.allow('/credit/getEnterpriseGrade');
  await until(async () => (await plain('getEnterpriseGrade', grade)).json?.code === 'sign-in-failed', { what: 'the parameters' }); // it calls as no app
  await a.bind({ app_id: a.app });
  // The password is not known until it is seen: a sign-in shows it.
  refused(await plain('getEnterpriseGrade', grade), 401, 'sign-in-failed');
  assert.equal((await p.rest.raw('POST', '/credit/account/getToken', { ...a.members, accessid: a.own })).body.result, 1);
  await until(async () => (await plain('getEnterpriseGrade', grade)).status === 200, { what: 'the account at the gateway' });
  assert.deepEqual((await plain('getEnterpriseGrade', grade)).json.data, nth(5));
  assert.equal((await plain('getEnterpriseGrade', grade, 'application/x-www-form-urlencoded')).json.result, 1);
  // The password may be sealed to the platform's published key.
  const jwk = JSON.parse(readFileSync(path.join(p.data, 'gateway/state/keys.json'), 'utf8')).keys.find((k) => k.use === 'enc' && k.crv === 'P-256');
  const seal = async (text) => new CompactEncrypt(Buffer.from(text)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: jwk.kid }).encrypt(await importJWK(jwk, 'ECDH-ES'));
  assert.equal((await plain('getEnterpriseGrade', { ...grade, pwd: await seal(a.members.pwd) })).json.result, 1);
  refused(await plain('getEnterpriseGrade', { ...grade, pwd: await seal('another') }), 401, 'sign-in-failed');
  // Each interface has an accessid of its own, which opens no other; nobody chooses one.
  const there = await a.at('/credit/getPublicResourcesTrading');
  const [subscription] = await a.admin.list('subscriptions', { app_id: a.app, api_id: there.id, state: 'approved' });
  assert.ok(/^[0-9a-f]{32}$/.test(subscription.accessid) && subscription.accessid !== a.members.accessid);
  for (const accessid of [subscription.accessid, a.own]) refused(await plain('getEnterpriseGrade', { ...grade, accessid }), 401, 'sign-in-failed');
  const chosen = await a.admin.raw('PATCH', `/api/v1/subscriptions/${subscription.id}`, { accessid: a.members.accessid }, { 'if-match': `"${subscription.revision}"` });
  assert.deepEqual([chosen.status, chosen.body.code, chosen.body.where], [422, 'field-invalid', '/accessid']);
  // Sent beside a signature they have to be right, and of the app that signed.
  assert.equal((await post('getEnterpriseGrade', grade)).json.result, 1);
  refused(await post('getEnterpriseGrade', { ...grade, pwd: 'wrong' }), 401, 'sign-in-failed');
  const { organisation_id: house } = await a.admin.get(`/apps/${a.app}`);
  const stranger = await a.admin.post('/apps', { name: 'Another caller', organisation_id: house, environment: 'monitored' });
  await a.admin.act('apps', stranger.id, 'admit');
  const key = await a.admin.post('/credentials', { app_id: stranger.id, algorithm: 'hmac-sm3' });
  await until(async () => (await post('getEnterpriseGrade', grade, { key })).json?.code === 'sign-in-failed', { what: 'the other app at the gateway' });
  for (const missing of ['accessid', 'username', 'pwd']) {
    for (const members of [{ ...grade, [missing]: undefined }, { ...grade, [missing]: '' }, { ...grade, [missing]: 7 }]) {
      const answer = await plain('getEnterpriseGrade', members);
      refused(answer, 400, 'parameter-missing');
      assert.equal(answer.json.where, missing);
    }
  }
  for (const wrong of [{ accessid: 'f'.repeat(32) }, { accessid: 'x' }, { username: 'operator' }, { pwd: 'wrong' }, { pwd: `${a.members.pwd} ` }]) refused(await plain('getEnterpriseGrade', { ...grade, ...wrong }), 401, 'sign-in-failed');
  refused(await p.send('POST', `/credit/getEnterpriseGrade?${new URLSearchParams(grade)}`, {}), 401, 'signature-missing'); // an address is logged: not there
  // Who called is recorded; what they proved it with is nowhere.
  const answer = await plain('getEnterpriseGrade', grade);
  const record = records(p).find((r) => r.transaction === answer.headers['sluice-transaction']);
  assert.equal(record?.app, a.app, JSON.stringify(record));
  assert.ok(!JSON.stringify(records(p)).includes(a.members.pwd) && !p.log.includes(a.members.pwd));
  // An interface taken from the account is taken at once, and so is the account.
  const api = await a.at('/credit/getEnterpriseGrade');
  const denied = await a.admin.post('/data_grants', { holder_kind: 'person', holder_id: a.id, api_id: api.id, effect: 'deny' });
  await until(async () => (await plain('getEnterpriseGrade', grade)).json?.code === 'interface-not-granted', { what: 'the interface taken away' });
  await a.admin.act('data_grants', denied.id, 'revoke');
  await until(async () => (await plain('getEnterpriseGrade', grade)).status === 200, { what: 'the interface given back' });
  await a.admin.act('users', a.id, 'lock');
  await until(async () => (await plain('getEnterpriseGrade', grade)).json?.code === 'sign-in-failed', { what: 'the lock' });
  await a.admin.act('users', a.id, 'unlock');
  await until(async () => (await plain('getEnterpriseGrade', grade)).status === 200, { what: 'the account again' });
  // Guessing ends after a few, for the right one too.
  for (let i = 0; i < 40; i++) await plain('getEnterpriseGrade', { ...grade, pwd: `guess-${i}` });
  for (let i = 0; i < 4; i++) refused(await plain('getEnterpriseGrade', grade), 429, 'too-many-attempts');
});
