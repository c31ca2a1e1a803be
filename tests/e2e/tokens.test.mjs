// SPDX-License-Identifier: Apache-2.0
// Access tokens at the gateway: what opens a call, and everything that must not.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import test, { after, before } from 'node:test';
import { SignJWT, exportJWK } from 'jose';
import { refused } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
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
  refused(await p.send('GET', `${OPEN}?access_token=${token}`), 401, 'signature-missing');
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
  const [token, short] = [await issue(world.app, world.key), await issue(world.app, world.key)];
  const from = Date.now();
  await world.operator.act('apps', world.app, 'suspend');
  await until(async () => (await bearer(token)).json?.code === 'app-inactive', { ms: 1000, what: 'the suspension' });
  await world.operator.act('apps', world.app, 'resume');
  await until(async () => (await bearer(token)).status === 200, { ms: 3000, what: 'the resumption' });
  const body = new URLSearchParams({ token }).toString();
  await new Promise((resolve, reject) => https.request(`${p.control}/oauth/revoke`, { method: 'POST', ca: p.ca, headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body),
    authorization: `Basic ${Buffer.from(`${world.app}:${world.key.secret}`).toString('base64')}` } }, (res) => { res.resume(); res.on('end', resolve); }).on('error', reject).end(body));
  await until(async () => (await bearer(token)).json?.code === 'token-revoked', { ms: 1000, what: 'the revocation' });
  await delay(Math.max(0, 61500 - (Date.now() - from)));
  refused(await bearer(short), 401, 'token-expired');
});
