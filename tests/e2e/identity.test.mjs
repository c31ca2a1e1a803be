// SPDX-License-Identifier: Apache-2.0
// Who comes in: sign-in and its factors, sessions, registration with a source of real names, verified identity and
// the credit platform's accounts; and those who should not.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused as callRefused, restRefuses } from './lib/assertions.mjs';
import { Authority } from './lib/pki.mjs';
import { Platform, freePorts } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { authenticator } from './lib/totp.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ID_NUMBER = '11010519491231002X'; // synthetic, with a right check digit
const NAME = '测试甲某';
const NEW_PASSWORD = 'registered-Passw0rd';
let p;
let world;

before(async () => {
  p = await Platform.start();
  process.env.SLUICE_SESSION = path.join(p.dir, 'session');
  world = await w.trading(p);
});
after(() => p?.stop());

const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(p.data, 'control/store.db'), text], { encoding: 'utf8' }).trim();
const signIn = (body, headers) => p.rest.raw('POST', '/api/v1/sessions', body, headers);
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const me = (token) => p.rest.raw('GET', '/api/v1/users/me', undefined, bearer(token));
const passwordOf = (login) => `${login}-first-Passw0rd-changed`;
const forget = () => sql('DELETE FROM sign_in_failures');

async function refused(answer, status, code) {
  const { status: got, body } = await answer;
  assert.deepEqual([got, body.code], [status, code], JSON.stringify(body));
  return body;
}

async function setting(name, value) {
  const item = (await world.admin.list('identity_settings')).find((s) => s.name === name);
  await world.admin.patch(`/identity_settings/${item.id}`, { value }, item.revision);
}

// The picture is for people: the test puts an answer of its own behind it.
async function captcha() {
  const { id, image } = await p.rest.post('/captchas');
  assert.match(image, /^data:image\/png;base64,iVBOR/);
  sql(`UPDATE captchas SET answer_sm3 = x'${createHash('sm3').update(`${id} HJKLM`).digest('hex')}' WHERE id = '${id}'`);
  return { captcha_id: id, captcha: 'hjklm' };
}

// SM2 by the openssl command, as a browser's library would.
async function sealed(password, { at = Date.now(), nonce = randomBytes(18).toString('base64url'), key } = {}) {
  const jwk = (key ?? await p.rest.get('/login-key')).key;
  const spki = Buffer.concat([Buffer.from('3059301306072a8648ce3d020106082a811ccf5501822d03420004', 'hex'), Buffer.from(jwk.x, 'base64url'), Buffer.from(jwk.y, 'base64url')]);
  const file = path.join(p.dir, 'login-key.pem');
  writeFileSync(file, `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END PUBLIC KEY-----\n`);
  return execFileSync('openssl', ['pkeyutl', '-encrypt', '-pubin', '-inkey', file, '-pkeyopt', 'digest:sm3'], { input: `${at}.${nonce}.${password}` }).toString('base64url');
}

test('[SW-9.5-1a, SW-9.5-1c] one account signs in at REST, by the command line and at the credit interfaces', async () => {
  const session = (await signIn({ login: 'provider', password: passwordOf('provider') })).body;
  assert.deepEqual([session.factors, (await me(session.token)).body.login], [['password'], 'provider']);
  const account = { accessid: session.user.accessid, username: 'provider', pwd: passwordOf('provider') };
  const { body } = await p.rest.raw('POST', '/credit/account/getToken', account);
  assert.equal((await me(body.data.token)).body.login, 'provider');
  writeFileSync(path.join(p.dir, 'password'), passwordOf('provider'), { mode: 0o600 });
  const shell = p.sluice('rest', 'login', '--control', p.control, '--ca', p.caFile, '--login', 'provider', '--password-file', path.join(p.dir, 'password'));
  assert.equal(shell.code, 0, shell.err);
  assert.match(sql('SELECT password_hash FROM users WHERE login = \'provider\''), /^\$argon2id\$/);
  await restRefuses(world.admin.post('/users', { login: 'weak', role: 'auditor', password: 'Password1234' }), 'field-invalid', '/password');
});

test('[SW-9.5-1d, CI-8.3b] guessing meets a captcha, then a wait; a captcha counts once, also for two at a time', async () => {
  const wrong = { login: 'operator', password: 'wrong' };
  const right = { login: 'operator', password: passwordOf('operator') };
  for (let i = 0; i < 3; i++) await refused(signIn(wrong), 401, 'sign-in-failed');
  await refused(signIn(right), 422, 'captcha-invalid');
  const one = { ...right, ...await captcha() };
  const both = await Promise.all([signIn(one), signIn(one)]);
  assert.deepEqual(both.map((a) => a.status).sort(), [201, 422]);
  forget();
  for (let i = 0; i < 5; i++) await refused(signIn({ ...wrong, ...await captcha() }), 401, 'sign-in-failed');
  const body = await refused(signIn({ ...right, ...await captcha() }), 429, 'too-many-attempts');
  assert.match(body.detail, /seconds/);
  forget();
});

test('[CI-7.2c2] an unknown login, a locked one and a wrong password read the same and take as long', async () => {
  const { id } = await world.admin.post('/users', { login: 'locked', role: 'auditor', password: 'locked-first-Passw0rd' });
  await world.admin.act('users', id, 'lock');
  const timed = async (body) => {
    const times = [];
    let answer;
    for (let i = 0; i < 8; i++) {
      forget();
      const start = performance.now();
      answer = await signIn(body);
      times.push(performance.now() - start);
    }
    const { instance, ...rest } = answer.body;
    return { ms: Math.min(...times), text: JSON.stringify(rest) };
  };
  const known = await timed({ login: 'operator', password: 'wrong' });
  for (const body of [{ login: 'never-heard-of', password: 'wrong' }, { login: 'locked', password: 'locked-first-Passw0rd' }]) {
    const other = await timed(body);
    assert.equal(other.text, known.text);
    assert.ok(other.ms > known.ms / 3 && other.ms < known.ms * 3, `${other.ms} ms against ${known.ms} ms`);
  }
  forget();
});

test('[CI-7.2c3, CI-5.3a] a password sealed by openssl under the published key signs in once, and leaves no trace in clear', async () => {
  const body = { login: 'operator', password_sealed: await sealed(passwordOf('operator')) };
  const both = await Promise.all([signIn(body), signIn(body)]);
  assert.deepEqual(both.map((a) => a.status).sort(), [201, 401]);
  await refused(signIn(body), 401, 'sign-in-failed');
  await refused(signIn({ login: 'operator', password_sealed: await sealed(passwordOf('operator'), { at: Date.now() - 130000 }) }), 401, 'sign-in-failed');
  forget();
  const bytes = Buffer.from(await sealed(passwordOf('operator')), 'base64url');
  bytes[bytes.length - 1] ^= 1;
  await refused(signIn({ login: 'operator', password_sealed: bytes.toString('base64url') }), 401, 'sign-in-failed');
  forget();
});

test('[BK-7.2.1b2-2, BK-7.2.1b1] an authenticator\'s code is a second factor, once; a session steps up with it', async () => {
  const first = (await signIn({ login: 'operator', password: passwordOf('operator') })).body;
  const post = (target, body) => p.rest.raw('POST', `/api/v1${target}`, body ?? {}, bearer(first.token));
  const { uri } = (await post('/users/me/totp')).body;
  const code = authenticator(uri);
  await refused(post('/users/me/totp/confirm', { otp: '000000' }), 401, 'second-factor-invalid');
  assert.equal((await post('/users/me/totp/confirm', { otp: code() })).status, 204);
  await refused(signIn({ login: 'operator', password: passwordOf('operator') }), 401, 'second-factor-required');
  const body = { login: 'operator', password: passwordOf('operator'), otp: code(1) };
  const both = await Promise.all([signIn(body), signIn(body)]);
  assert.deepEqual(both.map((a) => a.body.code ?? a.body.factors).sort(), [['password', 'otp'], 'second-factor-invalid'].sort());
  sql('UPDATE sessions SET factors = 1');
  sql('UPDATE users SET totp_last_step = 0');
  const otp = code(1);
  const stepped = await post('/sessions/current/factors', { otp });
  assert.deepEqual([stepped.status, stepped.body.factors], [200, ['password', 'otp']]);
  await refused(post('/sessions/current/factors', { otp }), 401, 'second-factor-invalid');
  sql('UPDATE users SET totp_last_step = 0');
  forget();
  assert.equal((await post('/users/me/totp/remove', { otp: code(1) })).status, 204);
  assert.equal((await signIn({ login: 'operator', password: passwordOf('operator') })).status, 201);
});

// The server has to ask for the certificate; one that does not cannot show what this test wants to see.
const ASKS = readFileSync('control/http.c', 'utf8').includes('peer_certificate = ');

test('[SW-4b, SW-5-access-e] a user signs in with a certificate of the CA that is registered, and with no other', { skip: !ASKS && 'the server asks for no client certificate' }, async () => {
  const ca = new Authority(path.join(p.dir, 'user-ca'), 'People');
  const foreign = new Authority(path.join(p.dir, 'other-ca'), 'Others');
  const trust = await world.operator.post('/trusts', { name: 'people', certificate: ca.pem });
  await world.operator.post('/trusts', { name: 'others', certificate: foreign.pem });
  const certificates = { good: ca.issue('operator'), revoked: ca.issue('operator'), over: ca.issue('operator', { from: -20, to: -1 }),
    early: ca.issue('operator', { from: 2, to: 20 }), forged: foreign.issue('operator'), another: ca.issue('somebody') };
  const subject = execFileSync('openssl', ['x509', '-in', certificates.good.crt, '-noout', '-subject', '-nameopt', 'RFC2253'], { encoding: 'utf8' }).trim().replace('subject=', '');
  const { id, revision } = await world.operator.get('/users/me');
  await world.admin.patch(`/users/${id}`, { certificate_subject: subject, certificate_trust_id: trust.id }, revision);
  ca.revoke(certificates.revoked);
  const { revision: now } = await world.operator.get(`/trusts/${trust.id}`);
  await world.operator.patch(`/trusts/${trust.id}`, { crl: ca.crl() }, now);
  const withCertificate = (c, body) => new Promise((resolve, reject) => {
    const text = JSON.stringify({ login: 'operator', certificate: true, ...body });
    const req = https.request(`${p.control}/api/v1/sessions`, { method: 'POST', ca: p.ca, ...(c ? { cert: c.cert, key: c.pem } : {}), agent: false,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => resolve({ status: res.statusCode, body: JSON.parse(Buffer.concat(parts).toString()) }));
    }).on('error', reject);
    req.end(text);
  });
  const alone = await withCertificate(certificates.good);
  assert.deepEqual(alone.body.factors, ['certificate'], JSON.stringify(alone.body));
  const both = await withCertificate(certificates.good, { password: passwordOf('operator') });
  assert.deepEqual(both.body.factors, ['password', 'certificate']);
  for (const name of ['revoked', 'over', 'early', 'forged', 'another']) {
    forget();
    await refused(withCertificate(certificates[name]), 401, 'sign-in-failed');
    await refused(withCertificate(certificates[name], { password: passwordOf('operator') }), 401, 'second-factor-invalid');
  }
  forget();
  await refused(withCertificate(null), 401, 'sign-in-failed');
  forget();
  // Without a list, by the CA's responder; one that is not there vouches for nobody.
  const [port] = await freePorts(1);
  const { revision: last } = await world.operator.get(`/trusts/${trust.id}`);
  await world.operator.patch(`/trusts/${trust.id}`, { crl: null, ocsp: `http://127.0.0.1:${port}/` }, last);
  await refused(withCertificate(certificates.good), 401, 'sign-in-failed');
  const [asked, said] = ['asked.ocsp', 'said.ocsp'].map((f) => path.join(p.dir, f));
  const responder = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => {
      writeFileSync(asked, Buffer.concat(parts));
      execFileSync('openssl', ['ocsp', '-index', path.join(ca.dir, 'index.txt'), '-rsigner', ca.file, '-rkey', ca.key.file, '-CA', ca.file, '-ndays', '1', '-reqin', asked, '-respout', said], { stdio: 'ignore' });
      res.writeHead(200, { 'content-type': 'application/ocsp-response' }).end(readFileSync(said));
    });
  });
  await new Promise((resolve) => responder.listen(port, '127.0.0.1', resolve));
  try {
    const vouched = await withCertificate(certificates.good);
    assert.deepEqual(vouched.body.factors, ['certificate'], JSON.stringify(vouched.body));
    await refused(withCertificate(certificates.revoked), 401, 'sign-in-failed');
  } finally {
    responder.close();
  }
  forget();
});

test('[BK-9.3.1c1, BK-9.3.1c2, CI-8.3b] a session ends by its scenario\'s times, by its user or by an administrator', async () => {
  const policy = (await world.admin.list('session_policies')).find((s) => s.scenario === 'api');
  await restRefuses(world.operator.patch(`/session_policies/${policy.id}`, { idle_s: 5 }, policy.revision), 'not-permitted');
  await restRefuses(world.admin.patch(`/session_policies/${policy.id}`, { absolute_s: 86401 }, policy.revision), 'field-invalid', '/absolute_s');
  await world.admin.patch(`/session_policies/${policy.id}`, { idle_s: 5, absolute_s: 10 }, policy.revision);
  const open = async (scenario) => (await signIn({ login: 'developer', password: passwordOf('developer'), scenario })).body;
  const idle = await open('api');
  const busy = await open('api');
  const start = Date.now();
  let status = 200;
  while (status === 200 && Date.now() - start < 15000) {
    await delay(500);
    status = (await me(busy.token)).status;
  }
  assert.equal(status, 401);
  assert.ok(Date.now() - start >= 9000, 'use keeps it open, up to the whole'); // 10 s from its sign-in
  await refused(me(idle.token), 401, 'not-signed-in');
  const mine = await open('portal');
  const list = (await p.rest.raw('GET', '/api/v1/sessions', undefined, bearer(mine.token))).body.items;
  assert.equal(list.filter((s) => s.current).length, 1);
  const other = await open('portal');
  assert.equal((await p.rest.raw('DELETE', `/api/v1/sessions/${other.session}`, undefined, bearer(mine.token))).status, 204);
  await refused(me(other.token), 401, 'not-signed-in');
  await world.admin.ok('DELETE', `/api/v1/users/${mine.user.id}/sessions`);
  await refused(me(mine.token), 401, 'not-signed-in');
  const { items } = await world.admin.get('/operations?action=sign-out&page_size=50');
  assert.ok([mine.session, other.session].every((id) => items.some((o) => o.resource_id === id)));
  world.developer = await p.rest.signIn('developer', passwordOf('developer'));
});

test('a token that was planted before sign-in is no session after it', async () => {
  const planted = 'A'.repeat(43);
  const { body } = await signIn({ login: 'provider', password: passwordOf('provider') }, bearer(planted));
  assert.notEqual(body.token, planted);
  await refused(me(planted), 401, 'not-signed-in');
  await refused(me(body.session), 401, 'not-signed-in');
});

test('[CI-6.1.5a, CI-6.1.5b, GS-6.4a-1, CI-7.2c1, CI-7.2c2] a registration is checked with the source of real names and waits for its review', async () => {
  const asked = [];
  const source = http.createServer((req, res) => {
    let text = '';
    req.on('data', (d) => { text += d; });
    req.on('end', () => {
      asked.push(JSON.parse(text));
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ match: asked.at(-1).name === NAME }));
    });
  });
  await new Promise((done) => source.listen(0, '127.0.0.1', done));
  try {
    await setting('identity-source', `http://127.0.0.1:${source.address().port}/verify`);
    const form = { login: 'registered', password: NEW_PASSWORD, kind: 'person', holder_kind: 'natural-person', real_name: NAME, id_number: ID_NUMBER, phone: '13900000001' };
    const register = async (more) => p.rest.raw('POST', '/api/v1/registrations', { ...form, ...await captcha(), ...more });
    await refused(p.rest.raw('POST', '/api/v1/registrations', form), 422, 'captcha-invalid');
    await refused(register({ id_number: '110105194912310021' }), 422, 'identity-mismatch');
    assert.equal(asked.length, 0);
    await refused(register({ real_name: '测试乙某' }), 422, 'identity-mismatch');
    const { status, body } = await register();
    assert.deepEqual([status, body.state, asked.length], [201, 'applied', 2]);
    assert.deepEqual(asked[1], { kind: 'person', name: NAME, id_number: ID_NUMBER });
    await refused(register(), 409, 'already-exists');
    await refused(signIn({ login: 'registered', password: NEW_PASSWORD }), 401, 'sign-in-failed');
    await restRefuses(world.developer.post(`/users/${body.id}/approve`, { subject: 'M00002' }, { 'if-match': '*' }), 'not-permitted');
    const user = await world.operator.act('users', body.id, 'approve', { subject: 'M00002', comment: 'papers seen' });
    assert.deepEqual([user.state, user.reviewed_by, user.role], ['active', 'operator', 'owner']);
    assert.match(user.accessid, /^[0-9a-f]{32}$/);
    assert.ok(Math.abs(Date.parse(user.reviewed_at) - Date.now()) < 60000);
    assert.equal((await signIn({ login: 'registered', password: NEW_PASSWORD })).status, 201);
  } finally {
    source.close();
  }
  await restRefuses(world.owner.post('/users/me/verification', { real_name: NAME, id_number: ID_NUMBER }), 'source-unavailable');
  await setting('identity-source', 'checksum');
});

test('[CI-6.1.5c, CI-6.1.5d, CI-6.2.2c] a reviewed account applies for an interface key, which works at once and while the interface is its', async () => {
  const form = { login: 'credit-user', password: NEW_PASSWORD, kind: 'organisation', holder_kind: 'legal-person', real_name: '测试某公司', id_number: '91350100M000100Y43' };
  const { body } = await p.rest.raw('POST', '/api/v1/registrations', { ...form, ...await captcha() });
  await refused(signIn({ login: 'credit-user', password: NEW_PASSWORD }), 401, 'sign-in-failed'); // nothing to apply with
  const approved = await world.operator.act('users', body.id, 'approve', { role: 'developer', organisation_id: world.thirdParty });
  assert.equal(approved.role, 'developer');
  const developer = await p.rest.signIn('credit-user', NEW_PASSWORD);
  const mine = { ...world, developer };
  const app = await w.admittedApp(mine, 'Credit reader');
  const key = await w.credential(mine, app);
  assert.ok(key.secret && !('secret' in await developer.get(`/credentials/${key.id}`)), 'shown once');
  const { id: grant } = await w.grant(world, app, world.api);
  const call = async () => (await p.call('/trade/orders/v1?limit=1', { key, grant })).json?.code;
  await until(async () => await call() === 'subscription-missing', { what: 'the key' });
  const subscription = await w.subscription(mine, app, world.api);
  await until(async () => await call() === undefined, { what: 'the interface' });
  await developer.act('subscriptions', subscription, 'cancel');
  await until(async () => await call() === 'subscription-missing', { what: 'its removal' });
});

test('[EC-6.1.4.4c] an owner who is not verified in time is shut out, grants too, until they are', async () => {
  const call = () => p.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant });
  await setting('verify-days', '30');
  const login = { login: 'owner', password: passwordOf('owner') };
  await world.owner.post('/users/me/verification', { real_name: NAME, id_number: ID_NUMBER, phone: '13900000002' });
  assert.equal((await call()).status, 200);
  sql('UPDATE users SET verify_due_at = 1000 WHERE login = \'owner\'');
  await until(async () => (await call()).json?.code === 'grant-revoked', { ms: 15000, what: 'the suspension at the gateway' });
  await refused(signIn(login), 403, 'identity-unverified');
  const { token } = (await signIn({ ...login, scenario: 'verification' })).body;
  await refused(p.rest.raw('GET', '/api/v1/grants', undefined, bearer(token)), 403, 'identity-unverified');
  const verify = (real_name) => p.rest.raw('POST', '/api/v1/users/me/verification', { real_name, id_number: ID_NUMBER }, bearer(token));
  await refused(verify('测试丙某'), 422, 'identity-mismatch');
  assert.equal((await verify(NAME)).status, 200);
  await until(async () => (await call()).status === 200, { what: 'the grant' });
  world.owner = await p.rest.signIn('owner', passwordOf('owner'));
  const shown = await world.owner.get('/users/me/identity');
  assert.deepEqual([shown.id_number, shown.real_name], ['1101****2X', '测****']);
  await setting('verify-days', '0');
});

test('[BK-9.3.1b] what an app says about a user matches the record or not, without a word about which value', async () => {
  const ask = (who, body) => who.post('/users/verify-fields', { subject: 'M00001', ...body });
  assert.deepEqual(await ask(world.developer, { real_name: NAME, id_number: ID_NUMBER, phone: '13900000002' }), { match: true });
  const told = [];
  for (const body of [{ real_name: '测试丙某' }, { real_name: NAME, phone: '13900000003' }, { id_number: '440524188001010014' }, { subject: 'M99999', real_name: NAME }]) {
    const { instance, ...rest } = (await p.rest.raw('POST', '/api/v1/users/verify-fields', { subject: 'M00001', ...body }, bearer(world.developer.token))).body;
    told.push(JSON.stringify(rest));
  }
  assert.equal(new Set(told).size, 1, told.join('\n'));
  assert.equal(JSON.parse(told[0]).code, 'user-data-mismatch');
  await restRefuses(ask(world.owner, { real_name: NAME }), 'not-permitted');
  const { items } = await world.admin.get('/operations?action=verify-fields&page_size=50');
  assert.ok(items.length >= 4 && items.every((o) => o.actor === 'developer'));
  forget();
});

test('[BK-9.3.1b] what a call says of its user is held against the owner\'s record where the API asks for it; nothing of it is told or kept', async () => {
  const upstream = await startUpstream();
  try {
    const api = await w.httpApi(world, 'kyc', upstream.url, { owner_scoped: true, user_checks: { real_name: 'payer.name', id_number: 'payer.number' } });
    const app = await w.admittedApp(world, 'Knows its customers', 'controlled');
    const key = await w.credential(world, app);
    await w.subscription(world, app, api);
    const grant = await w.grant(world, app, api);
    const call = (payer) => p.call('/kyc/v1/good', { method: 'POST', key, grant: grant.id, body: JSON.stringify({ payer }) });
    await until(async () => (await call({ name: NAME })).status === 200, { what: 'the API and the grant' });
    assert.equal((await call({ name: NAME, number: ID_NUMBER })).status, 200);
    assert.equal((await call({ note: 'nobody is named' })).status, 200);
    const told = [];
    for (const payer of [{ name: '测试丙某' }, { name: NAME, number: '440524188001010014' }, { name: 7 }, { name: '', number: ID_NUMBER }]) {
      const answer = await call(payer);
      callRefused(answer, 403, 'user-data-mismatch');
      const { instance, ...rest } = answer.json;
      told.push(JSON.stringify(rest));
    }
    assert.equal(new Set(told).size, 1, told.join('\n'));
    assert.ok(!p.log.includes('440524188001010014') && !JSON.stringify(records(p)).includes('440524188001010014'));
    await restRefuses(world.provider.patch(`/apis/${api}`, { user_checks: { shoe_size: 'x' } }, (await world.provider.get(`/apis/${api}`)).revision), 'field-invalid', '/user_checks');
    await world.provider.patch(`/apis/${api}`, { user_checks: { phone: 'payer.phone' } }, (await world.provider.get(`/apis/${api}`)).revision);
    await until(async () => (await call({ phone: '13900000003' })).json?.code === 'user-data-mismatch', { what: 'another member' });
    await until(async () => (await call({ phone: '13900000002' })).status === 200, { what: 'the record of it' });
    // Of what takes what users enter the usual names are compared without anybody saying so; mail and day of birth too.
    const intake = await w.httpApi(world, 'intake', upstream.url, { class: 'A2', methods: ['POST'], query: false, owner_scoped: true, collects_user_data: true });
    assert.deepEqual((await world.provider.get(`/apis/${intake}`)).user_checks, { real_name: 'real_name', id_number: 'id_number', phone: 'phone', email: 'email', birth_date: 'birth_date' });
    await world.provider.patch(`/apis/${api}`, { user_checks: { email: 'payer.mail', birth_date: 'payer.born' } }, (await world.provider.get(`/apis/${api}`)).revision);
    const owner = (await world.admin.list('users', { login: 'owner' }))[0];
    await world.admin.patch(`/users/${owner.id}`, { email: 'Owner@mail.example' }, owner.revision);
    const born = `${ID_NUMBER.slice(6, 10)}-${ID_NUMBER.slice(10, 12)}-${ID_NUMBER.slice(12, 14)}`;
    await until(async () => (await call({ mail: 'owner@MAIL.example', born })).status === 200, { what: 'the mail on record' });
    for (const payer of [{ mail: 'other@mail.example' }, { born: '1971-02-03' }]) callRefused(await call(payer), 403, 'user-data-mismatch');
    assert.deepEqual(await world.developer.post('/users/verify-fields', { subject: 'M00001', email: 'owner@mail.example', birth_date: born.replaceAll('-', '') }), { match: true });
  } finally {
    upstream.close();
  }
});

test('[CI-5.3, CI-5.3b, CI-5.3c] the credit platform\'s account interfaces give keys and tokens and change passwords', async () => {
  const call = async (name, body) => (await p.rest.raw('POST', `/credit/account/${name}`, body)).body;
  const { accessid, id } = await world.provider.get('/users/me');
  const key = await call('getPublicKey', {});
  assert.deepEqual([key.result, key.data.alg, key.data.key.crv], [1, 'sm2', 'SM2']);
  const account = { accessid, username: 'provider' };
  const seal = (password) => sealed(password, { key: key.data });
  const got = await call('getToken', { ...account, kid: key.data.kid, pwd: await seal(passwordOf('provider')) });
  assert.deepEqual([got.result, Date.parse(got.data.expiresAt) > Date.now()], [1, true]);
  assert.equal((await me(got.data.token)).status, 200);
  const form = new URLSearchParams({ ...account, pwd: passwordOf('provider') }).toString();
  assert.equal((await p.rest.raw('POST', '/credit/account/getToken', form, { 'content-type': 'application/x-www-form-urlencoded' })).body.result, 1);
  assert.equal((await p.rest.raw('POST', '/credit/account/getToken', `${form}&pwd=again`, { 'content-type': 'application/x-www-form-urlencoded' })).body.code, 'body-malformed');
  for (const wrong of [{ pwd: 'wrong' }, { accessid: 'f'.repeat(32), pwd: passwordOf('provider') }, { username: 'operator', pwd: passwordOf('operator') }, {}]) {
    forget();
    const answer = await call('getToken', { ...account, ...wrong });
    assert.deepEqual([answer.result, 'data' in answer, typeof answer.msg], [0, false, 'string']);
  }
  forget();
  const next = 'credit-changed-Passw0rd';
  assert.equal((await call('modifyPassword', { ...account, pwd: 'wrong', newPwd: next })).result, 0);
  assert.equal((await call('modifyPassword', { ...account, kid: key.data.kid, pwd: await seal(passwordOf('provider')), newPwd: await seal(next) })).result, 1);
  assert.equal((await call('getToken', { ...account, pwd: passwordOf('provider') })).result, 0);
  const { data: { token } } = await call('getToken', { ...account, pwd: next });
  assert.equal((await p.rest.raw('GET', '/api/v1/apis', undefined, bearer(token))).status, 200);
  await world.admin.act('users', id, 'lock'); // the operator's change counts at the next call
  await refused(me(token), 401, 'not-signed-in');
  assert.equal((await call('getToken', { ...account, pwd: next })).result, 0);
  forget();
});

test('where the setting demands it, no sign-in is without a captcha, and staff\'s not without a second factor', async () => {
  await setting('captcha', 'always');
  await refused(signIn({ login: 'owner', password: passwordOf('owner') }), 422, 'captcha-invalid');
  assert.equal((await signIn({ login: 'owner', password: passwordOf('owner'), ...await captcha() })).status, 201);
  await setting('captcha', 'after-failures');
  await setting('second-factor', 'staff');
  await restRefuses(world.operator.get('/apps'), 'second-factor-required');
  assert.ok((await world.owner.get('/grants')).items.length > 0);
  sql('UPDATE identity_settings SET value = \'off\' WHERE name = \'second-factor\'');
  assert.ok((await world.operator.get('/apps')).items.length > 0);
});

test('[CI-7.2c3, CI-8.3b] no password, number or name is in the log, the store or the operations', async () => {
  const secrets = [NEW_PASSWORD, passwordOf('operator'), 'credit-changed-Passw0rd', ID_NUMBER, NAME, '13900000001'];
  const folder = path.join(p.data, 'control');
  const texts = [p.log, ...readdirSync(folder).map((f) => readFileSync(path.join(folder, f)))];
  for (const secret of secrets) assert.ok(texts.every((t) => !t.includes(secret)), secret.slice(0, 3));
});
