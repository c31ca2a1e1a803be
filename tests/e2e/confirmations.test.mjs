// SPDX-License-Identifier: Apache-2.0
// A transaction that its user confirms at the platform: pushed by the app as it will be sent, shown whole, confirmed
// under the risk notice, and good for that very call once.

import assert from 'node:assert/strict';
import { createHash, createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import test, { after, before } from 'node:test';
import { SignJWT } from 'jose';
import { refused } from './lib/assertions.mjs';
import { Visitor } from './lib/visitor.mjs';
import { Platform } from './lib/platform.mjs';
import { enrol, totp } from './lib/totp.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const BACK = 'https://app.example/back';
const PATH = '/transfer/v1/orders';
const BODY = '{"to":"6222000000000000","amount":"100.00","note":"rent"}';
let p;
let world;
let upstream;
let api;
let pay; // the app: { id, key, pair }
let another;

async function payer(name) {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = await w.admittedApp(world, name, 'controlled');
  const key = await world.developer.post('/credentials', { app_id: id, algorithm: 'ecdsa-p256-sha256', class: 'A2', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  const s = await world.developer.post('/subscriptions', { app_id: id, api_id: api, purpose: 'pay bills', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  await w.directly(world, id, api);
  await world.developer.post('/clients', { app_id: id, redirect_uris: [BACK], token_endpoint_auth_method: 'private_key_jwt', grant_types: ['authorization_code', 'refresh_token'] });
  const signer = { id: key.id, algorithm: key.algorithm, sign: (base) => createSign('SHA256').update(base).sign({ key: pair.privateKey, dsaEncoding: 'ieee-p1363' }) };
  const grant = await w.grant(world, id, api, { purpose: 'pay bills' });
  return { id, pair, key: signer, grant: grant.id };
}

before(async () => {
  p = await Platform.start();
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  world.neighbour = await w.user(world.admin, 'neighbour', 'owner', { subject: 'M00002' });
  // Funds ask for a token of two factors beside it (tests/e2e/tokens): what is confirmed here is a limit of the account.
  api = await w.httpApi(world, 'transfer', `http://127.0.0.1:${upstream.port}`, { class: 'A2', operation: 'account-limit', purpose_required: false, methods: ['GET', 'POST', 'PUT'], query: false, owner_scoped: true });
  pay = await payer('Pays bills');
  another = await payer('Pays others\' bills');
  await until(async () => (await call(pay)).json?.code === 'confirmation-missing', { what: 'the API at the gateway' });
});
after(async () => {
  upstream?.close?.();
  await p?.stop();
});

const call = (app, { body = BODY, target = PATH, method = 'POST', confirmation, grant = app.grant } = {}) =>
  p.call(target, { method, key: app.key, body, grant, headers: confirmation ? { 'sluice-confirmation': confirmation } : {} });

async function assertion(app) {
  return new SignJWT({ jti: randomUUID() }).setProtectedHeader({ alg: 'ES256' }).setIssuer(app.id).setSubject(app.id).setAudience(p.control).setIssuedAt().setExpirationTime('1m').sign(app.pair.privateKey);
}

async function push(app, more = {}) {
  const fields = { client_id: app.id, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await assertion(app),
    scope: 'transfer.v1', method: 'POST', target: PATH, body: BODY, redirect_uri: BACK, state: 's-1', ...more };
  return new Visitor(p).ask('POST', '/oauth/confirmations', Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== null)));
}

async function confirmed(app, { login = 'owner', push: more = {} } = {}) {
  const pushed = await push(app, more);
  assert.equal(pushed.status, 201, pushed.text);
  const visitor = new Visitor(p);
  const page = await visitor.signedIn(new URL(pushed.json.confirmation_uri).pathname + new URL(pushed.json.confirmation_uri).search, login, `${login}-first-Passw0rd-changed`);
  assert.equal(page.status, 200, page.text.slice(0, 800));
  const answer = await visitor.submit(page, '/confirm', { decision: 'confirm', risk: 'yes' });
  assert.equal(answer.status, 303, answer.text.slice(0, 800));
  const back = new URL(answer.location);
  assert.equal(back.origin + back.pathname, BACK);
  assert.equal(back.searchParams.get('iss'), p.control);
  return { token: back.searchParams.get('confirmation'), id: pushed.json.id, state: back.searchParams.get('state'), pushed: pushed.json };
}

test('[BK-10.2.2a, BK-10.2.2b] a transfer passes with its user\'s confirmation, once; without one, changed or used again it is refused', async () => {
  refused(await call(pay), 403, 'confirmation-missing');
  refused(await call(pay, { confirmation: 'slc1.AAAA' }), 403, 'confirmation-invalid');
  const c = await confirmed(pay);
  assert.equal(c.state, 's-1');
  assert.equal(c.pushed.content_sm3, createHash('sm3').update(`POST\n${PATH}\n${BODY}`).digest('hex'));
  const changed = [{ body: BODY.replace('100.00', '900.00') }, { target: `${PATH}?to=me` }, { target: '/transfer/v1/other' }, { method: 'PUT' }];
  for (const more of changed) refused(await call(pay, { confirmation: c.token, ...more }), 403, 'confirmation-mismatch');
  refused(await call(another, { confirmation: c.token }), 403, 'confirmation-mismatch');
  const spoilt = `${c.token.slice(0, -4)}${c.token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;
  refused(await call(pay, { confirmation: spoilt }), 403, 'confirmation-invalid');
  const before_ = upstream.seen.length;
  const done = await call(pay, { confirmation: c.token });
  assert.equal(done.status, 200, done.text);
  assert.equal(upstream.seen.length, before_ + 1);
  assert.equal(upstream.seen.at(-1).headers['sluice-confirmation'], undefined, 'it stays with us');
  refused(await call(pay, { confirmation: c.token }), 403, 'confirmation-used');
  assert.equal(upstream.seen.length, before_ + 1);
});

test('[BK-10.2.2b] twenty calls at once with one confirmation: one passes', async () => {
  const c = await confirmed(pay);
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(pay, { confirmation: c.token })));
  assert.equal(answers.filter((a) => a.status === 200).length, 1, answers.map((a) => a.status).join(' '));
  for (const a of answers) if (a.status !== 200) refused(a, 403, 'confirmation-used');
});

test('[BK-10.2.2b] a confirmation is over after the time the app asked for, five minutes at most', async () => {
  assert.equal((await push(pay, { expires_in: '301' })).json.error, 'invalid_request');
  const c = await confirmed(pay, { push: { expires_in: '1' } });
  await until(async () => (await call(pay, { confirmation: c.token, body: '{}' })).json?.code === 'confirmation-expired', { what: 'its end' });
  refused(await call(pay, { confirmation: c.token }), 403, 'confirmation-expired');
});

test('[BK-10.2.2b] what another user confirmed is not this owner\'s', async () => {
  const c = await confirmed(pay, { login: 'neighbour' });
  refused(await call(pay, { confirmation: c.token }), 403, 'confirmation-mismatch');
});

test('[BK-10.2.2a] a call that says of no user whose it is cannot be confirmed by just anybody', async () => {
  const anyone = await w.httpApi(world, 'anyone', `http://127.0.0.1:${upstream.port}`, { class: 'A2', operation: 'account-limit', purpose_required: false, methods: ['POST'], query: false });
  const s = await world.developer.post('/subscriptions', { app_id: pay.id, api_id: anyone, purpose: 'pay', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  await w.directly(world, pay.id, anyone);
  await until(async () => (await call(pay, { target: '/anyone/v1/x', grant: null })).json?.code === 'confirmation-missing', { what: 'the API' });
  const c = await confirmed(pay, { push: { scope: 'anyone.v1', target: '/anyone/v1/x' } });
  refused(await call(pay, { target: '/anyone/v1/x', grant: null, confirmation: c.token }), 403, 'confirmation-mismatch');
  const grant = await w.grant(world, pay.id, anyone, { purpose: 'pay' });
  const mine = () => call(pay, { target: '/anyone/v1/x', grant: grant.id, confirmation: c.token });
  const answer = await until(async () => { const a = await mine(); return a.json?.code !== 'grant-unknown' && a; }, { what: 'the grant' });
  assert.equal(answer.status, 200, answer.text);
});

test('[BK-10.2.2c] the page shows the call whole and the risk notice, which must be ticked; its version and time are kept', async () => {
  const funds = await w.httpApi(world, 'funds', `http://127.0.0.1:${upstream.port}`, { class: 'A2', operation: 'transfer', methods: ['POST'], query: false, owner_scoped: true });
  const s = await world.developer.post('/subscriptions', { app_id: pay.id, api_id: funds, purpose: 'pay bills', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  const asked = { scope: 'funds.v1', target: '/funds/v1/orders', body: '{"to":"<b>6222</b>","amount":"1.00"}' };
  const pushed = await push(pay, asked);
  const target = pushed.json.confirmation_uri.slice(p.control.length);
  const visitor = new Visitor(p);
  const page = await visitor.signedIn(target, 'owner', 'owner-first-Passw0rd-changed');
  for (const said of ['Pays bills', 'Software house', '/funds/v1/orders', '&lt;b&gt;6222&lt;/b&gt;', '1.00', 'carried out at once']) assert.ok(page.text.includes(said), said);
  const unticked = await visitor.submit(page, '/confirm', { decision: 'confirm' });
  assert.equal(unticked.status, 422);
  const forged = await visitor.ask('POST', '/confirm', { request: target.split('=')[1], decision: 'confirm', risk: 'yes', form_token: 'A'.repeat(43) });
  assert.equal(forged.status, 403);
  // Money is not moved on a password alone.
  assert.match((await visitor.submit(page, '/confirm', { decision: 'confirm', risk: 'yes' })).text, /second factor/);
  const otp = totp(await enrol(world.owner));
  const answer = await visitor.submit(page, '/confirm', { decision: 'confirm', risk: 'yes', otp });
  assert.equal(answer.status, 303, answer.text.slice(0, 400));
  assert.equal((await visitor.submit(page, '/confirm', { decision: 'confirm', risk: 'yes', otp })).status, 400, 'decided once');
  const kept = await world.owner.get(`/confirmations/${pushed.json.id}`);
  assert.equal(kept.state, 'confirmed');
  assert.equal(kept.risk_version, 'risk-call-1');
  assert.ok(Math.abs(Date.parse(kept.risk_acknowledged_at) - Date.now()) < 60000);
  assert.equal(kept.given_by, 'owner');
  assert.ok(kept.statement.startsWith('confirm-1\n') && kept.statement.includes('amount: 1.00') && kept.statement.includes('risk-call-1: '));
  assert.equal(kept.statement_sm3, createHash('sm3').update(kept.statement).digest('hex'));
  assert.equal((await world.developer.get(`/confirmations/${pushed.json.id}`)).state, 'confirmed');
  await assert.rejects(world.neighbour.get(`/confirmations/${pushed.json.id}`), (e) => e.code === 'not-found');
  // Refused: nothing to call with.
  const no = await push(pay, asked);
  const second = await visitor.get(no.json.confirmation_uri.slice(p.control.length));
  const away = new URL((await visitor.submit(second, '/confirm', { decision: 'refuse' })).location);
  assert.equal(away.searchParams.get('error'), 'access_denied');
  assert.equal(away.searchParams.get('confirmation'), null);
});

test('what an app pushes is checked: its own API, below its path, shown whole, back to a registered address', async () => {
  const bad = [[{ scope: 'nothing.v1' }, 'invalid_scope'], [{ scope: null }, 'invalid_scope'], [{ method: 'TRACE' }, 'invalid_request'], [{ target: '/other/v1' }, 'invalid_request'],
    [{ target: '/transfer/v1x' }, 'invalid_request'], [{ target: null }, 'invalid_request'], [{ redirect_uri: 'https://evil.example/' }, 'invalid_request'], [{ body: '[1]' }, 'invalid_request'],
    [{ body: '{"a":1,"a":2}' }, 'invalid_request'], [{ body: '{"payee":"\u202eevil"}' }, 'invalid_request'], [{ body: JSON.stringify({ note: 'x'.repeat(600) }) }, 'invalid_request'], [{ body: JSON.stringify(Array.from({ length: 70 }, (_, i) => [`k${i}`, i]).reduce((o, [k, v]) => ({ ...o, [k]: v }), {})) }, 'invalid_request'],
    [{ client_assertion: 'x.y.z' }, 'invalid_client']];
  for (const [more, error] of bad) {
    const answer = await push(pay, more);
    assert.equal(answer.json?.error, error, `${JSON.stringify(more).slice(0, 100)}: ${answer.text}`);
  }
  const stranger = await new Visitor(p).get(`/confirm?request=${'A'.repeat(43)}`);
  assert.match(stranger.location, /^\/login/);
});

test('[EC-6.1.1.1a] an API that takes what users enter refuses a call without the user\'s consent, and takes it with one', async () => {
  const feedback = await w.httpApi(world, 'feedback', `http://127.0.0.1:${upstream.port}`, { class: 'A2', methods: ['GET', 'POST'], query: false, collects_user_data: true });
  const s = await world.developer.post('/subscriptions', { app_id: pay.id, api_id: feedback, purpose: 'send feedback', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
  const send = (more = {}) => p.call('/feedback/v1/x', { method: 'POST', key: pay.key, body: '{"text":"hello"}', ...more });
  await until(async () => (await send()).json?.code === 'grant-missing', { what: 'the refusal without a consent' });
  assert.equal((await p.call('/feedback/v1/x', { key: pay.key })).status, 200, 'reading needs none');
  const consent = await w.grant(world, pay.id, feedback);
  await until(async () => (await send({ grant: consent.id })).status === 200, { what: 'the call with the consent' });
  await world.owner.act('grants', consent.id, 'revoke');
  await until(async () => (await send({ grant: consent.id })).json?.code === 'grant-revoked', { what: 'its end' });
});
