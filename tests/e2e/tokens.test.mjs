// SPDX-License-Identifier: Apache-2.0
// Access tokens at the gateway: what opens a call, and everything that must not.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { SignJWT, decodeJwt, exportJWK } from 'jose';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Authority } from './lib/pki.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { authenticator } from './lib/totp.mjs';
import { Visitor } from './lib/visitor.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
let brief; // an app whose tokens live five seconds
let other; // an app of the same company, without rights
let api;
const OPEN = '/open/v1/x';

before(async () => {
  p = await Platform.start();
  world = await w.people(p);
  upstream = http.createServer((req, res) => { seen.push(req.headers); res.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"1","phone":"13800138000"}'); });
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  api = await w.httpApi(world, 'open', `http://127.0.0.1:${upstream.address().port}`);
  await w.subscription(world, world.app, api);
  await w.httpApi(world, 'closed', `http://127.0.0.1:${upstream.address().port}`).then((id) => w.subscription(world, world.app, id));
  const id = await w.admittedApp(world, 'Another');
  other = { id, key: await w.credential(world, id) };
  await w.subscription(world, id, api);
  for (const app of [world.app, id]) await world.developer.post('/clients', { app_id: app, token_endpoint_auth_method: 'client_secret_basic', grant_types: ['client_credentials'], access_token_s: 60 });
  const short = await w.admittedApp(world, 'Of short tokens');
  brief = { id: short, key: await w.credential(world, short) };
  await w.subscription(world, short, api);
  await world.developer.post('/clients', { app_id: short, token_endpoint_auth_method: 'client_secret_basic', access_token_s: 5 });
});
after(async () => { await p?.stop(); upstream?.close(); });
const seen = [];

function tokens(app, key, more = {}, headers = {}) {
  return new Promise((resolve, reject) => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'open.v1', ...more }).toString();
    const req = https.request(`${p.control}/oauth/token`, { method: 'POST', ca: p.ca, headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body),
      authorization: `Basic ${Buffer.from(`${app}:${key.secret}`).toString('base64')}`, ...headers } }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => resolve({ status: res.statusCode, ...JSON.parse(Buffer.concat(parts)) }));
    });
    req.on('error', reject).end(body);
  });
}

// A form to the control plane: {status, text, json}.
function form(target, body, tls = {}, headers = {}) {
  const text = new URLSearchParams(body).toString();
  return new Promise((resolve, reject) => https.request(p.control + target, { method: 'POST', ca: p.ca, agent: false, ...tls,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(text), ...headers } }, (res) => {
    const parts = [];
    res.on('data', (d) => parts.push(d)).on('end', () => { const all = Buffer.concat(parts).toString(); let json; try { json = JSON.parse(all); } catch { /* a page */ } resolve({ status: res.statusCode, text: all, json }); });
  }).on('error', reject).end(text));
}

async function enrol(rest) {
  const otpauth = authenticator((await rest.post('/users/me/totp')).uri);
  await rest.post('/users/me/totp/confirm', { otp: otpauth(0) });
  return { otpauth };
}

const issue = async (...args) => { const t = await tokens(...args); assert.equal(t.status, 200, JSON.stringify(t)); return t.access_token; };
const bearer = (token, target = OPEN, more = {}) => p.send('GET', target, { headers: { authorization: `Bearer ${token}`, ...more } });
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

async function proof(url, { method = 'GET', token, key = privateKey, pub = publicKey, jti = randomUUID(), iat, htu } = {}) {
  return new SignJWT({ htm: method, htu: htu ?? url, jti, ...(token ? { ath: createHash('sha256').update(token).digest('base64url') } : {}) })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(pub) }).setIssuedAt(iat).sign(key);
}

test('a token opens what it names, for the app it was issued to, and never reaches the upstream', async () => {
  const token = await issue(world.app, world.key);
  const a = await until(async () => { const x = await bearer(token); return x.status === 200 && x; }, { ms: 5000, what: 'the call' });
  assert.match(a.json.phone, /\*/);
  assert.equal(seen.at(-1).authorization, undefined);
  refused(await bearer(token, '/closed/v1/x'), 403, 'token-scope');
  const told = [];
  for (const name of ['access_token', 'Access_Token', '%61ccess_token', 'x=1&access_token']) {
    told.push(await p.send('GET', `${OPEN}?${name}=${token}`));
    refused(told.at(-1), 400, 'token-in-query');
    refused(await p.send('GET', `${OPEN}?${name}=${token}`, { headers: { authorization: `Bearer ${token}` } }), 400, 'token-in-query');
  }
  const all = records(p, '--refused');
  for (const { txn } of told) assert.equal(all.find((r) => r.transaction === txn).target, '/open/v1/x');
  assert.ok(!p.log.includes(token), 'no log holds the token');
  const changed = token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA');
  const bad = await bearer(changed);
  refused(bad, 401, 'token-invalid');
  assert.match(bad.headers['www-authenticate'], /invalid_token/);
  refused(await bearer('eyJhbGciOiJub25lIn0.e30.'), 401, 'token-invalid');
});

test('[BK-10.2.2a] beside a signature the token must be the signer\'s; another app\'s is refused', async () => {
  const [mine, others] = [await issue(world.app, world.key), await issue(other.id, other.key)];
  await until(async () => (await p.call(OPEN, { key: world.key, headers: { authorization: `Bearer ${mine}` } })).status === 200, { ms: 5000, what: 'both' });
  refused(await p.call(OPEN, { key: world.key, headers: { authorization: `Bearer ${others}` } }), 403, 'token-mismatch');
});

test('[EC-6.1.3.1b] a token bound to a key needs a fresh proof by that key for this very call, once', async () => {
  const token = await issue(world.app, world.key, {}, { dpop: await proof(`${p.control}/oauth/token`, { method: 'POST' }) });
  const url = `${p.gateway}${OPEN}`;
  const call = (dpop, scheme = 'DPoP') => p.send('GET', OPEN, { headers: { authorization: `${scheme} ${token}`, ...(dpop ? { dpop } : {}) } });
  const good = await proof(url, { token });
  await until(async () => (await call(await proof(url, { token }))).status === 200, { ms: 5000, what: 'the call with its proof' });
  assert.equal((await call(good)).status, 200);
  const again = await call(good);
  refused(again, 401, 'proof-replayed');
  assert.match(again.headers['www-authenticate'], /^DPoP /);
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  for (const bad of [await proof(url, { token, method: 'POST' }), await proof(url, { token, htu: `${p.gateway}/closed/v1/x` }), await proof(url), await proof(url, { token: `${token}x` }),
    await proof(url, { token, key: stranger.privateKey, pub: stranger.publicKey }), await proof(url, { token, iat: Math.floor(Date.now() / 1000) - 120 }), 'a.b.c', undefined]) {
    refused(await call(bad), 401, 'token-binding');
  }
  refused(await call(undefined, 'Bearer'), 401, 'token-binding');
  const plain = await issue(world.app, world.key);
  refused(await p.send('GET', OPEN, { headers: { authorization: `DPoP ${plain}`, dpop: await proof(url, { token: plain }) } }), 401, 'token-binding');
});

test('[BK-7.2.1b1] an API that asks for a user of several factors refuses a call without one', async () => {
  const token = await issue(world.app, world.key);
  const now = await world.provider.get(`/apis/${api}`);
  await world.provider.patch(`/apis/${api}`, { user_factors: 2 }, now.revision);
  await until(async () => (await bearer(token)).json?.code === 'step-up-required', { ms: 3000, what: 'the demand' });
  await world.provider.patch(`/apis/${api}`, { user_factors: 0 }, (await world.provider.get(`/apis/${api}`)).revision);
  await until(async () => (await bearer(token)).status === 200, { ms: 3000, what: 'its end' });
});

test('[EC-6.1.4.4a] a suspended app\'s live tokens stop; a revoked token is refused within a second; one that is over is over', async () => {
  const [token, short] = [await issue(world.app, world.key), await issue(brief.id, brief.key)];
  await world.operator.act('apps', world.app, 'suspend');
  await until(async () => (await bearer(token)).json?.code === 'app-inactive', { ms: 1000, what: 'the suspension' });
  await world.operator.act('apps', world.app, 'resume');
  await until(async () => (await bearer(token)).status === 200, { ms: 3000, what: 'the resumption' });
  const body = new URLSearchParams({ token }).toString();
  await new Promise((resolve, reject) => https.request(`${p.control}/oauth/revoke`, { method: 'POST', ca: p.ca, headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body),
    authorization: `Basic ${Buffer.from(`${world.app}:${world.key.secret}`).toString('base64')}` } }, (res) => { res.resume(); res.on('end', resolve); }).on('error', reject).end(body));
  await until(async () => (await bearer(token)).json?.code === 'token-revoked', { ms: 1000, what: 'the revocation' });
  await until(async () => (await bearer(short)).json?.code === 'token-expired', { ms: 15000, what: 'the end of the short one' });
});

test('[GS-6.5b2-2] each business system of a company has an account of its own from its approval on, and each call is attributed to it', async () => {
  const waiting = await world.developer.post('/apps', { name: 'A third system', organisation_id: world.thirdParty, environment: 'monitored' });
  await restRefuses(world.developer.post('/credentials', { app_id: waiting.id, algorithm: 'hmac-sm3' }), 'state-conflict');
  await world.operator.act('apps', waiting.id, 'admit');
  const third = { id: waiting.id, key: await w.credential(world, waiting.id) };
  await w.subscription(world, waiting.id, api);
  const calls = [];
  for (const system of [other, third]) {
    const answer = await until(async () => { const a = await p.call(OPEN, { key: system.key }); return a.status === 200 && a; }, { ms: 5000, what: 'a call of the system' });
    calls.push([answer.txn, system]);
  }
  const all = records(p);
  for (const [txn, system] of calls) {
    const record = all.find((r) => r.transaction === txn);
    assert.deepEqual([record.app, record.credential], [system.id, system.key.id]);
  }
});

test('[BK-9.2.1b1, BK-10.2.2a] a token bound to a certificate counts on a connection that shows it, on no other', async () => {
  const ca = new Authority(path.join(p.dir, 'pki-of-the-test'), 'Self');
  const [mine, theirs] = [ca.issue('mine'), ca.issue('theirs')];
  const id = await w.admittedApp(world, 'By certificate');
  await w.subscription(world, id, api);
  await world.developer.post('/credentials', { app_id: id, algorithm: 'ecdsa-p256-sha256', certificate: mine.cert, certificate_mode: 'pinned' });
  await world.developer.post('/clients', { app_id: id, token_endpoint_auth_method: 'self_signed_tls_client_auth' });
  const { json } = await form('/oauth/token', { grant_type: 'client_credentials', client_id: id, scope: 'open.v1' }, { cert: mine.cert, key: mine.pem });
  assert.equal(json.token_type, 'Bearer', JSON.stringify(json));
  const by = (tls) => p.send('GET', OPEN, { headers: { authorization: `Bearer ${json.access_token}` }, agent: new https.Agent({ ca: p.ca, ...tls }) });
  await until(async () => (await by({ cert: mine.cert, key: mine.pem })).status === 200, { ms: 5000, what: 'the call on the right connection' });
  const none = await by({});
  refused(none, 401, 'token-binding');
  assert.match(none.headers['www-authenticate'], /invalid_token/);
  refused(await by({ cert: theirs.cert, key: theirs.pem }), 401, 'token-binding');
});

test('[BK-7.2.1b2-2, BK-7.2.1b1] a fund operation is refused to a user of one factor, whatever the API says, and done after a second; the record names user and token', async () => {
  const pay = await w.httpApi(world, 'pay', `http://127.0.0.1:${upstream.address().port}`, { class: 'A2', methods: ['POST'], query: false, operation: 'transfer', user_factors: 0 });
  assert.equal((await world.provider.get(`/apis/${pay}`)).user_factors, 2, 'forced');
  const id = await w.admittedApp(world, 'Payments', 'controlled');
  const { id: sub } = await world.developer.post('/subscriptions', { app_id: id, api_id: pay, purpose: 'payments', max_level: 3 });
  await world.operator.act('subscriptions', sub, 'approve', { risk_assessment: 'looked at: low' });
  await w.directly(world, id, pay);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const credential = await world.developer.post('/credentials', { app_id: id, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  const signer = { id: credential.id, algorithm: 'ecdsa-p256-sha256', sign: (base) => sign('sha256', Buffer.from(base), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }) };
  await world.developer.post('/clients', { app_id: id, redirect_uris: ['https://app.example/back'], grant_types: ['authorization_code'] });
  const as = async () => ({ client_id: id, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await new SignJWT({ jti: randomUUID() }).setProtectedHeader({ alg: 'ES256' })
    .setIssuer(id).setSubject(id).setAudience(p.control).setIssuedAt().setExpirationTime('1m').sign(pair.privateKey) });
  const visitor = new Visitor({ [p.control]: p.ca });
  const ask = async (more = {}) => {
    const verifier = randomUUID() + randomUUID();
    const pushed = await form('/oauth/par', { ...await as(), response_type: 'code', redirect_uri: 'https://app.example/back', scope: 'openid pay.v1', state: 's', code_challenge_method: 'S256',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), ...more });
    assert.equal(pushed.status, 201, pushed.text);
    return { verifier, page: await visitor.open(`${p.control}/oauth/authorize?${new URLSearchParams({ client_id: id, request_uri: pushed.json.request_uri })}`) };
  };
  const redeem = async (page, verifier) => {
    const done = await visitor.open(`${p.control}/consent`, { ...Visitor.fields(page.text), decision: 'agree', days: '1', risk: 'yes' });
    const code = new URL(done.to).searchParams.get('code');
    const { json, text } = await form('/oauth/token', { ...await as(), grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: 'https://app.example/back' }, {},
      { dpop: await proof(`${p.control}/oauth/token`, { method: 'POST' }) });
    assert.ok(json.access_token, text);
    return json;
  };
  const url = `${p.gateway}/pay/v1/x`;
  const call = async (token, more = {}) => p.call('/pay/v1/x', { method: 'POST', key: signer, body: '{}', purpose: 'payments', headers: { ...more, authorization: `DPoP ${token}`, dpop: await proof(url, { method: 'POST', token }) } });
  const first = await ask();
  const one = await redeem(await visitor.signIn(first.page, 'owner', 'owner-first-Passw0rd-changed'), first.verifier);
  assert.equal(decodeJwt(one.id_token).acr, '1');
  const weak = await until(async () => { const a = await call(one.access_token); return a.json?.code === 'step-up-required' && a; }, { ms: 5000, what: 'the demand' });
  refused(weak, 401, 'step-up-required');
  assert.match(weak.headers['www-authenticate'], /error="insufficient_user_authentication", acr_values="2"/);
  refused(await p.call('/pay/v1/x', { method: 'POST', key: signer, body: '{}' }), 401, 'step-up-required');
  // A second factor of another kind, and the session that has it.
  const { otpauth } = await enrol(world.owner);
  const again = await ask({ acr_values: '2' });
  assert.match(again.page.text, /name="password"/, 'the session of one factor does not do');
  const asked = await visitor.signIn(again.page, 'owner', 'owner-first-Passw0rd-changed');
  assert.match(asked.text, /name="otp"/);
  const consent = await visitor.open(`${p.control}/login`, { ...Visitor.fields(asked.text), login: 'owner', password: 'owner-first-Passw0rd-changed', otp: otpauth(1) });
  const two = await redeem(consent, again.verifier);
  assert.equal(decodeJwt(two.id_token).acr, '2');
  // Then the user's word for this very transfer.
  refused(await call(two.access_token), 403, 'confirmation-missing');
  const pushed = await form('/oauth/confirmations', { ...await as(), scope: 'pay.v1', method: 'POST', target: '/pay/v1/x', body: '{}', redirect_uri: 'https://app.example/back', state: 'c' });
  const shown = await visitor.open(pushed.json.confirmation_uri);
  const confirmed = await visitor.open(`${p.control}/confirm`, { ...Visitor.fields(shown.text), decision: 'confirm', risk: 'yes' });
  const good = await call(two.access_token, { 'sluice-confirmation': new URL(confirmed.to).searchParams.get('confirmation') });
  assert.equal(good.status, 200, good.text);
  refused(await call(one.access_token), 401, 'step-up-required');
  const { json: seen_ } = await form('/oauth/introspect', { ...await as(), token: two.access_token });
  const [record] = records(p, '--txn', good.txn);
  assert.deepEqual([record.token, record.user, record.app], [seen_.jti, world.owner.user.id, id]);
  verified(p);
});
