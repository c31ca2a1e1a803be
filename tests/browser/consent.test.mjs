// SPDX-License-Identifier: Apache-2.0
// The whole way of an authorization in a real browser: sign-in at the platform, consent in plain words, the code, the
// token, the call it opens at the gateway, the list of what was agreed to, taking it back, signing out.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import test, { after, before } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Platform, freePorts } from '../e2e/lib/platform.mjs';
import { until } from '../e2e/lib/wait.mjs';
import * as w from '../e2e/lib/world.mjs';
import { browser, shot, visitor } from './lib.mjs';

const PATH = '/trade/orders/v1';
const OWNER_PASSWORD = 'owner-first-Passw0rd-changed';
let p;
let world;
let b;
let client; // the app's own site
let port;
const seen = [];
const logouts = [];
let last;

before(async () => {
  [port] = await freePorts(1);
  client = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => {
      if (req.url.startsWith('/logout')) logouts.push(new URLSearchParams(Buffer.concat(parts).toString()).get('logout_token'));
      else if (req.url.startsWith('/back')) seen.push(req.url);
      res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>the app</h1>');
    });
  });
  await new Promise((resolve) => client.listen(port, '127.0.0.1', resolve));
  p = await Platform.start({ config: 'control:\n  private_webhooks: true\n' });
  world = await w.trading(p);
  const nasty = await world.developer.patch(`/apps/${world.app}`, { name: 'Order <script>alert(1)</script> helper' }, (await world.developer.get(`/apps/${world.app}`)).revision);
  assert.match(nasty.name, /script/);
  await world.developer.post('/clients', { app_id: world.app, redirect_uris: [`http://127.0.0.1:${port}/back`], post_logout_redirect_uris: [`http://127.0.0.1:${port}/bye`],
    backchannel_logout_uri: `http://127.0.0.1:${port}/logout`, token_endpoint_auth_method: 'client_secret_basic', grant_types: ['authorization_code', 'refresh_token', 'client_credentials'] });
  b = await browser();
});
after(async () => {
  await b?.close();
  await p?.stop();
  client?.close();
});

function request(more = {}) {
  const verifier = randomBytes(32).toString('base64url'), state = randomBytes(8).toString('hex'), nonce = randomBytes(8).toString('hex');
  const url = new URL(`${p.control}/oauth/authorize`);
  for (const [k, v] of Object.entries({ response_type: 'code', client_id: world.app, redirect_uri: `http://127.0.0.1:${port}/back`, scope: 'openid orders.v1', state, nonce,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more })) if (v !== null) url.searchParams.set(k, v);
  return { url: String(url), verifier, state, nonce };
}

function form(target, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const text = new URLSearchParams(body).toString();
    const req = https.request(`${p.control}${target}`, { method: 'POST', ca: p.ca, headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(text), ...headers } }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => { const all = Buffer.concat(parts).toString(); let json; try { json = JSON.parse(all); } catch { /* a page */ } resolve({ status: res.statusCode, headers: res.headers, text: all, json }); });
    });
    req.on('error', reject).end(text);
  });
}

const basic = () => ({ authorization: `Basic ${Buffer.from(`${world.app}:${world.key.secret}`).toString('base64')}` });
const exchange = (code, verifier) => form('/oauth/token', { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: `http://127.0.0.1:${port}/back` }, basic());

async function signIn(page, password = OWNER_PASSWORD) {
  await page.fill('#login', 'owner');
  await page.fill('#password', password);
  const answered = page.waitForEvent('domcontentloaded');
  await page.click('button[type=submit]');
  await answered;
}

const back = () => new URL(seen.at(-1), `http://127.0.0.1:${port}`).searchParams;

test('[EC-7.1.1a, BK-7.2.1b2-1, BK-9.3.1a1, BK-3.12a, BK-3.12b, BK-9.3.2a2-2] an owner signs in at the platform, ticks what an app may see, and the app\'s call is answered', async () => {
  const page = await visitor(b);
  const r = request();
  await page.goto(r.url);
  assert.match(page.url(), /\/login\?continue=/, await page.content());
  await shot(page, 'login-zh');
  await signIn(page, 'a-wrong-Passw0rd-of-mine');
  assert.equal(await page.locator('[role=alert]').count(), 1);
  let sealed;
  page.on('request', (q) => { if (q.url().endsWith('/login') && q.method() === 'POST') sealed = new URLSearchParams(q.postData()); });
  await signIn(page);
  assert.equal(sealed.get('password'), null, 'the password left the browser');
  assert.ok(sealed.get('password_sealed').length > 100);
  assert.match(page.url(), /\/consent\?request=/);
  await shot(page, 'consent-zh');
  const text = await page.textContent('main');
  for (const said of ['Order <script>alert(1)</script> helper', 'Software house', 'Orders', 'order management', '敏感，脱敏后提供']) assert.ok(text.includes(said), said);
  assert.equal(await page.locator('input[type=checkbox]:checked').count(), 0, 'nothing is ticked at the start');
  await page.click('button[value=agree]');
  assert.match(page.url(), /\/consent/, 'nothing ticked is no consent');
  await page.selectOption('#days', '30');
  await page.click('button[value=agree]');
  assert.equal(await page.locator('[role=alert]').count(), 1);
  await page.getByLabel(/order_id/).check();
  await page.getByLabel(/buyer_phone/).check();
  await page.selectOption('#days', '30');
  await page.click('button[value=agree]');
  await page.waitForURL(/\/back/);
  assert.equal(back().get('state'), r.state);
  assert.equal(back().get('iss'), p.control);
  const token = await exchange(back().get('code'), r.verifier);
  assert.equal(token.status, 200, token.text);
  const { items: [given] } = await world.owner.get('/grants?channel=page&sort=-created_at');
  assert.equal(given.act, 'tick');
  assert.equal(given.given_by, 'owner');
  assert.deepEqual(given.fields, ['order_id', 'buyer_phone']);
  for (const said of ['consent-1', 'Software house', '- buyer_phone', '用途: order management', given.expires_at]) assert.ok(given.statement.includes(said), said);
  assert.match(given.statement_sm3, /^[0-9a-f]{64}$/);
  const jwks = await (async () => { const { get } = await import('node:https'); return new Promise((resolve) => get(`${p.control}/oauth/jwks`, { ca: p.ca }, (res) => { let t = ''; res.on('data', (d) => { t += d; }).on('end', () => resolve(JSON.parse(t))); })); })();
  const { createLocalJWKSet } = await import('jose');
  const { payload } = await jwtVerify(token.json.id_token, createLocalJWKSet(jwks), { issuer: p.control, audience: world.app });
  assert.equal(payload.nonce, r.nonce);
  const call = () => p.send('GET', `${PATH}?limit=2`, { headers: { authorization: `Bearer ${token.json.access_token}` } });
  const answer = await until(async () => { const a = await call(); return a.status === 200 && a; }, { ms: 5000, what: 'the call with the token' });
  assert.deepEqual(Object.keys(answer.json[0]).sort(), ['buyer_phone', 'category', 'currency', 'order_id', 'product_title']);
  assert.match(answer.json[0].buyer_phone, /\*/);
  // The code is good once, and used again it takes the tokens with it.
  assert.equal((await exchange(back().get('code'), r.verifier)).json.error, 'invalid_grant');
  await until(async () => (await call()).json?.code === 'token-revoked', { ms: 2000, what: 'the end of the tokens' });
  await page.close();
});

test('[EC-6.1.4.4b] what was agreed to is listed, and withdrawn there: the next call is refused', async () => {
  const page = await visitor(b, 'en');
  const r = request();
  await page.goto(r.url);
  await signIn(page);
  await shot(page, 'consent-en');
  await page.getByLabel(/order_id/).check();
  await page.selectOption('#days', '1');
  await page.click('button[value=agree]');
  await page.waitForURL(/\/back/);
  const token = (await exchange(back().get('code'), r.verifier)).json;
  const call = () => p.send('GET', `${PATH}?limit=1`, { headers: { authorization: `Bearer ${token.access_token}` } });
  await until(async () => (await call()).status === 200, { ms: 5000, what: 'the call' });
  await page.goto(`${p.control}/authorizations`);
  await shot(page, 'authorizations-en');
  const rows = page.locator('tbody tr');
  const before_ = await rows.count();
  assert.ok(before_ >= 2);
  await rows.first().getByRole('button', { name: 'Withdraw' }).click();
  await page.waitForLoadState();
  assert.equal(await rows.count(), before_ - 1);
  await until(async () => (await call()).json?.code === 'grant-revoked', { ms: 1000, what: 'the refusal' });
  const refreshed = await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: token.refresh_token }, basic());
  assert.equal(refreshed.json.error, 'invalid_grant');
  await page.close();
});

test('[GS-6.4d-1, GS-6.4d-2] signing out ends the session and its tokens, and the app is told, once it can be reached', async () => {
  const page = await visitor(b);
  const r = request();
  await page.goto(r.url);
  await signIn(page);
  await page.getByLabel(/order_id/).check();
  await page.selectOption('#days', '1');
  await page.click('button[value=agree]');
  await page.waitForURL(/\/back/);
  const token = (await exchange(back().get('code'), r.verifier)).json;
  const call = () => p.send('GET', `${PATH}?limit=1`, { headers: { authorization: `Bearer ${token.access_token}` } });
  await until(async () => { const a = await call(); if (a.status !== 200) last = a.text; return a.status === 200; }, { ms: 5000, what: 'the call' }).catch((e) => { throw new Error(`${e.message}: ${last}`); });
  logouts.length = 0;
  await page.goto(`${p.control}/oauth/logout?client_id=${world.app}&post_logout_redirect_uri=${encodeURIComponent(`http://127.0.0.1:${port}/bye`)}&state=s1`);
  await shot(page, 'logout-zh');
  await page.click('button[type=submit]');
  await page.waitForURL(/\/bye\?state=s1/);
  await until(async () => { const a = await call(); last = a.text; return a.json?.code === 'token-revoked'; }, { ms: 1500, what: 'the end of the token' }).catch((e) => { throw new Error(`${e.message}: ${last}`); });
  const told = await until(() => logouts[0], { ms: 15000, what: 'the logout token' });
  const claims = JSON.parse(Buffer.from(told.split('.')[1], 'base64url'));
  assert.equal(claims.aud, world.app);
  assert.ok(claims.sid && claims.events['http://schemas.openid.net/event/backchannel-logout'] && !('nonce' in claims));
  await page.goto(`${p.control}/authorizations`);
  assert.match(page.url(), /\/login/);
  // Nowhere that is not registered.
  await page.goto(`${p.control}/oauth/logout?client_id=${world.app}&post_logout_redirect_uri=${encodeURIComponent('https://evil.example/')}`);
  assert.ok(page.url().startsWith(p.control));
  await page.close();
});

test('refusing sends the app away with access_denied, and nothing is granted', async () => {
  const page = await visitor(b);
  const r = request();
  await page.goto(r.url);
  await signIn(page);
  await page.click('button[value=refuse]');
  await page.waitForURL(/\/back/);
  assert.equal(back().get('error'), 'access_denied');
  assert.equal(back().get('state'), r.state);
  await page.close();
});

test('hostile requests: forged forms, open redirects, other people\'s requests, framing', async () => {
  const page = await visitor(b);
  await page.goto(`${p.control}/login?continue=https://evil.example/`);
  assert.equal(await page.locator('input[name=continue]').inputValue(), '/authorizations');
  const answer = await page.goto(`${p.control}/login`);
  assert.match(answer.headers()['content-security-policy'], /frame-ancestors 'none'/);
  assert.equal(answer.headers()['x-frame-options'], 'DENY');
  for (const more of [{ redirect_uri: 'https://evil.example/back' }, { client_id: 'nobody' }, { redirect_uri: `http://127.0.0.1:${port}/back/more` }]) {
    await page.goto(request(more).url);
    assert.ok(page.url().startsWith(p.control), `went to ${page.url()}`);
    assert.equal(await page.locator('[role=alert]').count(), 1);
  }
  for (const [more, error] of [[{ response_type: 'token' }, /unsupported_response_type|invalid_request/], [{ code_challenge_method: 'plain' }, /invalid_request/], [{ code_challenge: null }, /invalid_request/],
    [{ scope: 'openid nothing.v9' }, /invalid_scope/], [{ prompt: 'none' }, /login_required/]]) {
    seen.length = 0;
    await page.goto(request(more).url);
    await until(() => seen.length, { what: `the way back of ${JSON.stringify(more)}` });
    assert.match(back().get('error'), error);
    assert.equal(back().get('iss'), p.control);
  }
  const forged = await form('/login', { login: 'owner', password: OWNER_PASSWORD, form_token: 'A'.repeat(43) });
  assert.equal(forged.status, 403);
  assert.ok(!String(forged.headers['set-cookie'] ?? '').includes('__Host-sluice='));
  const r = request();
  await page.goto(r.url);
  await signIn(page);
  const cookies = (await page.context().cookies()).map((k) => `${k.name}=${k.value}`).join('; ');
  const id = new URL(page.url()).searchParams.get('request');
  const cross = await form('/consent', { request: id, decision: 'agree', days: '1' }, { cookie: cookies });
  assert.equal(cross.status, 403);
  const token = await page.locator('input[name=form_token]').inputValue();
  const elsewhere = await form('/consent', { request: id, decision: 'agree', days: '1', form_token: token }, { cookie: cookies, origin: 'https://evil.example' });
  assert.equal(elsewhere.status, 403);
  const unknown = await form('/consent', { request: 'A'.repeat(43), decision: 'agree', days: '1', form_token: token }, { cookie: cookies });
  assert.equal(unknown.status, 400);
  await page.close();
});
