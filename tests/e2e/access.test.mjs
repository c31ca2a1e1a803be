// SPDX-License-Identifier: Apache-2.0
// Who may do what: the same decision at REST, at the gateway for calls with a user's token, in explain and on the
// command line; three administrations, acts of two, and where staff come from.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
let member;
const apis = {};

// Networks with 127.0.0.1 alone: 127.0.0.2 is as far away as anybody.
before(async () => {
  p = await Platform.start({ config: 'control:\n  admin_networks: 127.0.0.1/32, ::1\n' });
  world = await w.people(p);
  upstream = http.createServer((req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"1","phone":"13800138000"}'));
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  for (const name of ['one', 'two', 'three']) {
    apis[name] = await w.httpApi(world, name, `http://127.0.0.1:${upstream.address().port}`);
    await w.subscription(world, world.app, apis[name]);
  }
  await world.developer.post('/clients', { app_id: world.app, token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://app.example/cb'], grant_types: ['authorization_code'] });
  member = await w.user(world.admin, 'member', 'member', { organisation_id: world.thirdParty });
});
after(async () => { await p?.stop(); upstream?.close(); });

// A page of the control plane as a browser with this session gets it.
function page(method, target, { token, form, headers = {}, ...more } = {}) {
  return new Promise((resolve, reject) => {
    const body = form && new URLSearchParams(form).toString();
    const req = https.request(`${p.control}${target}`, { method, ca: p.ca, headers: { ...(token ? { cookie: `__Host-sluice=${token}` } : {}),
      ...(body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } : {}), ...headers }, ...more }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(parts).toString('utf8') }));
    });
    req.on('error', reject).end(body);
  });
}

// The code flow without a browser: the user agrees, the app gets a token for the three APIs.
async function tokenOf(rest) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({ response_type: 'code', client_id: world.app, redirect_uri: 'https://app.example/cb', scope: 'one.v1 two.v1 three.v1', state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' });
  const asked = await page('GET', `/oauth/authorize?${query}`, { token: rest.token });
  const shown = await page('GET', asked.headers.location, { token: rest.token });
  const hidden = (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(shown.text)[1];
  const agreed = await page('POST', '/consent', { token: rest.token, form: { form_token: hidden('form_token'), request: hidden('request'), decision: 'agree', days: '1' } });
  const code = new URL(agreed.headers.location).searchParams.get('code');
  const basic = Buffer.from(`${world.app}:${world.key.secret}`).toString('base64');
  const answer = await page('POST', '/oauth/token', { headers: { authorization: `Basic ${basic}` },
    form: { grant_type: 'authorization_code', code, redirect_uri: 'https://app.example/cb', code_verifier: verifier } });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text).access_token;
}

test('[SW-3.7a, CI-6.2.2c] a role bound to services lets its holders call exactly these, from the next call on', async () => {
  const token = await tokenOf(world.owner);
  const call = (name) => p.send('GET', `/${name}/v1/x`, { headers: { authorization: `Bearer ${token}` } });
  const becomes = (name, code) => until(async () => (await call(name)).json?.code === code, { ms: 10000, what: `${name}: ${code ?? 'answered'}` });
  for (const name of Object.keys(apis)) await becomes(name, undefined); // nothing bounds the account yet
  const role = await world.admin.post('/roles', { name: 'two services', apis: [apis.one, apis.two] });
  const held = await world.admin.post('/role_members', { role_id: role.id, user_id: world.owner.user.id });
  await becomes('three', 'interface-not-granted');
  refused(await call('three'), 403, 'interface-not-granted');
  assert.deepEqual([(await call('one')).status, (await call('two')).status], [200, 200]);
  await world.admin.patch(`/roles/${role.id}`, { apis: [apis.one, apis.three] }, role.revision);
  await becomes('two', 'interface-not-granted');
  await becomes('three', undefined);
  const why = await world.admin.get(`/access/explain?user=owner&operation=apis.call&api=${apis.two}`);
  assert.deepEqual([why.allowed, why.steps.at(-1).rule], [false, 'data-default']);
  // A denial to the person beats the role; taken back, the interface is there again.
  const deny = await world.admin.post('/data_grants', { holder_kind: 'person', holder_id: world.owner.user.id, api_id: apis.one, effect: 'deny' });
  await becomes('one', 'interface-not-granted');
  await world.admin.act('data_grants', deny.id, 'revoke');
  await becomes('one', undefined);
  await world.admin.act('role_members', held.id, 'remove');
  await becomes('one', 'interface-not-granted'); // the last one gone opens nothing
  const user = await world.admin.get(`/users/${world.owner.user.id}`);
  assert.equal(user.interfaces, 'granted');
  await world.admin.patch(`/users/${user.id}`, { interfaces: 'consent' }, user.revision);
  for (const name of Object.keys(apis)) await becomes(name, undefined);
});

test('[SW-9.5-2, SW-9.5-3a] what nobody gave is refused at REST, and what a grant gives a person that person has alone', async () => {
  const other = await w.user(world.admin, 'other-member', 'member', { organisation_id: world.thirdParty });
  await restRefuses(member.get('/alerts'), 'not-permitted');
  const grant = await world.admin.post('/function_grants', { holder_kind: 'person', holder_id: member.user.id, operation: 'alerts.read', reach: 'all' });
  assert.ok(Array.isArray((await member.get('/alerts')).items));
  await restRefuses(other.get('/alerts'), 'not-permitted');
  await restRefuses(member.get('/apps'), 'not-permitted');
  const login = p.sluice('rest', 'login', '--control', p.control, '--ca', p.caFile, '--login', 'admin', '--password-file', passwordFile(world.admin.password));
  assert.equal(login.code, 0, login.err);
  const may = p.sluice('access', 'explain', '--user', 'member', '--operation', 'alerts.read');
  assert.deepEqual([may.code, may.out.includes('function-granted'), may.out.includes(grant.id)], [0, true, true]);
  await world.admin.act('function_grants', grant.id, 'revoke');
  await restRefuses(member.get('/alerts'), 'not-permitted');
  const not = p.sluice('access', 'explain', '--user', 'member', '--operation', 'alerts.read');
  assert.deepEqual([not.code, not.out.includes('function-default')], [1, true]);
  assert.match(p.sluice('access', 'operations').out, /^alerts\.read /m);
});

function passwordFile(password) {
  const file = path.join(p.dir, 'password');
  writeFileSync(file, password, { mode: 0o600 });
  return file;
}

test('[SW-9.3-2e] staff are refused from an address that is not listed, with a password that is right', async () => {
  const body = JSON.stringify({ login: 'admin', password: world.admin.password });
  const signIn = (localAddress) => new Promise((resolve, reject) => {
    const req = https.request(`${p.control}/api/v1/sessions`, { method: 'POST', ca: p.ca, localAddress, agent: false,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; }).on('end', () => resolve({ status: res.statusCode, json: JSON.parse(text) }));
    });
    req.on('error', reject).end(body);
  });
  const far = await signIn('127.0.0.2');
  assert.deepEqual([far.status, far.json.code], [403, 'address-not-listed']);
  const near = await signIn('127.0.0.1');
  assert.equal(near.status, 201);
  const stolen = await page('GET', '/api/v1/apps', { headers: { authorization: `Bearer ${near.json.token}` }, localAddress: '127.0.0.2', agent: false });
  assert.deepEqual([stolen.status, JSON.parse(stolen.text).code], [403, 'address-not-listed']);
  const noted = await world.admin.get('/operations?kind=session&action=refuse-address');
  assert.deepEqual(noted.items.map((o) => [o.actor, o.resource_id ?? o.id]), [['admin', '127.0.0.2']]);
});

test('[SW-9.5-4a] administrations are apart, and a dangerous act takes two of one', async () => {
  const [first, second, system] = [await w.user(world.admin, 'security-1', 'security-admin'), await w.user(world.admin, 'security-2', 'security-admin'),
    await w.user(world.admin, 'system-1', 'system-admin')];
  await restRefuses(system.post('/function_grants', {}), 'not-permitted');
  await restRefuses(first.post('/sources', {}), 'not-permitted');
  await restRefuses(first.get('/operations'), 'not-permitted');
  const role = await first.post('/roles', { name: 'locker', operations: ['users.lock'], reach: 'all' });
  await restRefuses(first.post('/role_members', { role_id: role.id, user_id: system.user.id }), 'roles-conflict');
  await first.post('/dual_controls', { operation: 'users.close' });
  const closing = await world.admin.get(`/users?login=other-member`).then((list) => list.items[0]);
  const held = await first.raw('POST', `/api/v1/users/${closing.id}/close`, {}, { 'if-match': `"${closing.revision}"` });
  assert.deepEqual([held.status, held.body.state, held.body.operation], [202, 'pending', 'users.close']);
  assert.equal((await world.admin.get(`/users/${closing.id}`)).state, 'active');
  await restRefuses(first.act('approvals', held.body.id, 'approve'), 'self-approval');
  await restRefuses(system.act('approvals', held.body.id, 'approve'), 'not-permitted');
  const done = await second.act('approvals', held.body.id, 'approve', { comment: 'left the company' });
  assert.deepEqual([done.state, done.result_status, done.decided_by], ['executed', 200, second.user.id]);
  assert.equal((await world.admin.get(`/users/${closing.id}`)).state, 'closed');
  await restRefuses(second.patch(`/approvals/${held.body.id}`, { comment: 'x' }, done.revision), 'not-permitted');
  const log = (await world.admin.get('/operations?kind=approval&page_size=50')).items.map((o) => `${o.action} by ${o.actor}`);
  assert.deepEqual(log.sort(), ['approve by security-2', 'create by security-1', 'execute by security-2']);
  const closed = (await world.admin.get('/operations?kind=user&action=close')).items;
  assert.deepEqual(closed.map((o) => o.actor), ['security-1']); // as the one who asked
});

test('[SW-9.1-8b] the self-check passes when everything is in its place, and says what is not', async () => {
  const auditor = await w.user(world.admin, 'auditor', 'auditor');
  const failed = async () => (await auditor.get('/access/self-check')).items.filter((i) => !i.pass).map((i) => i.item).sort();
  assert.deepEqual(await failed(), ['backup', 'least-privilege', 'remote-administration']);
  mkdirSync(path.join(p.data, 'backup'), { recursive: true });
  writeFileSync(path.join(p.data, 'backup', 'store.db'), readFileSync(path.join(p.data, 'control/store.db')));
  const security = await p.rest.signIn('security-1', 'security-1-first-Passw0rd-changed');
  const set = async (who, name, value) => {
    const s = (await who.list('identity_settings')).find((x) => x.name === name);
    return who.patch(`/identity_settings/${s.id}`, { value }, s.revision);
  };
  await set(world.admin, 'separation', 'on');
  await restRefuses(set(world.admin, 'captcha', 'always'), 'not-permitted'); // the one administrator of old is the system's now
  assert.deepEqual(await failed(), ['remote-administration']);
  const login = p.sluice('rest', 'login', '--control', p.control, '--ca', p.caFile, '--login', 'auditor', '--password-file', passwordFile(auditor.password));
  assert.equal(login.code, 0, login.err);
  const wanting = p.sluice('access', 'check');
  assert.equal(wanting.code, 1);
  assert.match(wanting.out, /^FAIL remote-administration/m);
  await set(security, 'second-factor', 'staff');
  assert.equal((await security.raw('GET', '/api/v1/apps')).body.code, 'second-factor-required');
  assert.deepEqual(await failed(), []);
  const checked = p.sluice('access', 'check');
  assert.deepEqual([checked.code, checked.out.includes('FAIL')], [0, false], checked.out);
});
