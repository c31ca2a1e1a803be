// SPDX-License-Identifier: Apache-2.0
// In a real browser: a user confirms a transfer on the platform's page, with the second factor the API asks for, and
// closes API services in the list of what was agreed to.

import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { SignJWT } from 'jose';
import { Visitor } from '../e2e/lib/visitor.mjs';
import { Platform, freePorts } from '../e2e/lib/platform.mjs';
import { enrol, totp } from '../e2e/lib/totp.mjs';
import { startUpstream } from '../e2e/lib/upstream.mjs';
import { until } from '../e2e/lib/wait.mjs';
import * as w from '../e2e/lib/world.mjs';
import { browser, shot, visitor } from './lib.mjs';

const BODY = '{"payee":"Harbour Trading","account":"6222000000000000","amount":"12800.00","currency":"CNY","note":"invoice 2026-117"}';
const PASSWORD = 'owner-first-Passw0rd-changed';
let p;
let world;
let b;
let client;
let port;
let upstream;
let app;
let api;
let session; // a page that is signed in
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const seen = [];

before(async () => {
  [port] = await freePorts(1);
  client = http.createServer((req, res) => { if (req.url.startsWith('/back')) seen.push(req.url); res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>the app</h1>'); });
  await new Promise((resolve) => client.listen(port, '127.0.0.1', resolve));
  p = await Platform.start();
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  const unit = `http://127.0.0.1:${upstream.port}`;
  const write = { class: 'A2', methods: ['POST'], query: false, owner_scoped: true };
  api = await w.httpApi(world, 'limit', unit, { ...write, title: 'Limits', operation: 'account-limit' });
  const funds = await w.httpApi(world, 'transfer', unit, { ...write, title: 'Transfers', operation: 'transfer' });
  const id = await w.admittedApp(world, 'Pays bills', 'controlled');
  const key = await world.developer.post('/credentials', { app_id: id, algorithm: 'ecdsa-p256-sha256', class: 'A2', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  for (const each of [api, funds]) {
    const s = await world.developer.post('/subscriptions', { app_id: id, api_id: each, purpose: 'pay bills', max_level: 3 });
    await world.operator.act('subscriptions', s.id, 'approve', { risk_assessment: 'looked at' });
    await w.directly(world, id, each);
  }
  await world.developer.post('/clients', { app_id: id, redirect_uris: [`http://127.0.0.1:${port}/back`], token_endpoint_auth_method: 'private_key_jwt', grant_types: ['authorization_code'] });
  app = { id, key: { id: key.id, algorithm: key.algorithm, sign: (base) => createSign('SHA256').update(base).sign({ key: pair.privateKey, dsaEncoding: 'ieee-p1363' }) } };
  app.grant = (await w.grant(world, id, api, { purpose: 'pay bills' })).id;
  b = await browser();
});
after(async () => {
  await b?.close();
  await p?.stop();
  upstream?.close?.();
  client?.close();
});

async function push(name) {
  const assertion = await new SignJWT({ jti: randomUUID() }).setProtectedHeader({ alg: 'ES256' }).setIssuer(app.id).setSubject(app.id).setAudience(p.control).setIssuedAt().setExpirationTime('1m').sign(pair.privateKey);
  const answer = await new Visitor(p).ask('POST', '/oauth/confirmations', { client_id: app.id, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion,
    scope: `${name}.v1`, method: 'POST', target: `/${name}/v1/orders`, body: BODY, redirect_uri: `http://127.0.0.1:${port}/back`, state: 's' });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.confirmation_uri;
}

async function signIn(page) {
  await page.fill('#login', 'owner');
  await page.fill('#password', PASSWORD);
  const answered = page.waitForEvent('domcontentloaded');
  await page.click('button[type=submit]');
  await answered;
}

const call = (confirmation) => p.call('/limit/v1/orders', { method: 'POST', key: app.key, grant: app.grant, purpose: 'pay bills', body: BODY, headers: { 'sluice-confirmation': confirmation } });

test('[BK-10.2.2b] a transaction is read and confirmed in the browser, and the app\'s call passes', async () => {
  const page = await visitor(b);
  await page.goto(await push('limit'));
  assert.match(page.url(), /\/login\?continue=/);
  await signIn(page);
  assert.match(page.url(), /\/confirm\?request=/);
  await shot(page, 'confirm-zh');
  const text = await page.textContent('main');
  for (const said of ['Pays bills', 'Software house', 'Limits', 'Harbour Trading', '12800.00']) assert.ok(text.includes(said), said);
  assert.equal(await page.locator('input[type=checkbox]:checked').count(), 0);
  await page.click('button[value=confirm]');
  await page.waitForURL(/\/back/);
  const confirmation = new URL(seen.at(-1), `http://127.0.0.1:${port}`).searchParams.get('confirmation');
  const answer = await until(async () => { const a = await call(confirmation); return a.json?.code !== 'grant-unknown' && a; }, { what: 'the grant at the gateway' });
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await call(confirmation)).json.code, 'confirmation-used');
  await page.close();
});

test('[BK-7.2.1b2-2, BK-10.2.2b, BK-10.2.2c] a transfer wants the risk acknowledged and a one-time code on the page; a wrong one confirms nothing', async () => {
  const page = await visitor(b, 'en');
  await page.goto(`${p.control}/authorizations`);
  await signIn(page); // with the password alone: the authenticator comes after
  const secret = await enrol(world.owner);
  await page.goto(await push('transfer'));
  await shot(page, 'confirm-en');
  assert.ok((await page.textContent('main')).includes('carried out at once'));
  await page.fill('#otp', totp(secret));
  await page.click('button[value=confirm]');
  assert.match(page.url(), /\/confirm\?request=/, 'the notice has to be ticked');
  await page.locator('input[name=risk]').check();
  await page.fill('#otp', '000000');
  await page.click('button[value=confirm]');
  await page.waitForLoadState();
  assert.equal(await page.locator('[role=alert]').count(), 1);
  assert.match(page.url(), /\/confirm/);
  await shot(page, 'confirm-wrong-code-en');
  seen.length = 0;
  await until(async () => { // a code counts once, and after a wrong one the next may have to wait
    await page.locator('input[name=risk]').check();
    await page.fill('#otp', totp(secret));
    await page.click('button[value=confirm]');
    await page.waitForLoadState();
    return seen.length > 0;
  }, { ms: 20000, what: 'the way back' });
  assert.ok(new URL(seen.at(-1), `http://127.0.0.1:${port}`).searchParams.get('confirmation'));
  session = page;
});

test('[BK-9.3.2b] the list says when a grant was last used, and closes and opens API services', async () => {
  const page = session;
  await until(async () => { await page.goto(`${p.control}/authorizations`); return (await page.textContent('main')).includes('last used'); }, { ms: 15000, what: 'the last use' });
  await shot(page, 'authorizations-use-en');
  await page.getByRole('button', { name: 'Close all API services' }).click();
  await page.waitForLoadState();
  await shot(page, 'authorizations-closed-en');
  assert.match(await page.textContent('main'), /All API services are closed since/);
  assert.equal(await page.locator('tbody tr').count(), 0);
  await page.getByRole('button', { name: 'Open again' }).click();
  await page.waitForLoadState();
  assert.doesNotMatch(await page.textContent('main'), /closed since/);
  await page.close();
});
