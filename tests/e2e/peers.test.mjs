// SPDX-License-Identifier: Apache-2.0
// Three platforms that trust each other's sign-on: registered once, signed in once, signed out everywhere; and whoever
// tries to come in with what somebody else was given.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { SignJWT, decodeJwt } from 'jose';
import { restRefuses } from './lib/assertions.mjs';
import { BUILD, Platform, environment, freePorts } from './lib/platform.mjs';
import { Rest } from '../../demo/rest_client.mjs';
import { Visitor } from './lib/visitor.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ID_NUMBER = '11010519491231002X'; // synthetic, with a right check digit
const NAME = '测试甲某';
const PASSWORD = 'registered-Passw0rd';
const FIELDS = ['name', 'preferred_username', 'email', 'kind', 'real_name', 'id_number', 'phone_number'];

// The control plane alone: there is no call here.
class Control extends Platform {
  async spawn() {
    const args = ['control', '--trial', '--data-dir', this.data, '--control-port', this.controlPort, '--feed-port', this.feedPort, '--gateway-port', this.gatewayPort, ...this.extra].map(String);
    this.env = environment(this.dir, this.asan);
    this.child = spawn(path.join(BUILD, 'cli/sluice'), args, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (d) => { this.log = (this.log + d).slice(-200000); });
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
    await until(() => existsSync(this.caFile), { ms: 60000, what: 'the CA' });
    this.rest ??= new Rest(this.control, this.ca);
    await until(async () => (await this.rest.raw('GET', '/api/v1/health')).status === 200, { ms: 60000, what: 'the control plane' });
  }

  sql(text) { return execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(this.data, 'control/store.db'), text], { encoding: 'utf8' }).trim(); }
}

let a; // where people register: the target
let b; // access sides
let c;
let cas;
const id = {}; // of peers, by "who:whom"
const app = {}; // of clients, by "at:whose"

async function populate(p, name) {
  p.name = name;
  p.admin_ = await p.admin();
  p.thirdParty = await w.organisation(p.admin_, 'Platforms', 'third_party');
  p.world = { admin: p.admin_, thirdParty: p.thirdParty, operator: await w.user(p.admin_, 'operator', 'operator'),
    developer: await w.user(p.admin_, 'developer', 'developer', { organisation_id: p.thirdParty }) };
}

// x becomes a client of y and asks it: one direction.
async function trust(x, y, provided = {}, asked = {}) {
  const here = `${x.name}:${y.name}`;
  const client = await w.admittedApp(y.world, `platform ${x.name}`, 'controlled');
  app[`${y.name}:${x.name}`] = client;
  const peer = id[here] ? await x.admin_.get(`/peers/${id[here]}`) : await x.admin_.post('/peers', { name: y.name, issuer: y.control, ca: y.ca });
  id[here] = peer.id;
  await y.world.developer.post('/credentials', { app_id: client, algorithm: 'ecdsa-p256-sha256', public_key: JSON.parse(peer.public_key) });
  await y.world.developer.post('/clients', { app_id: client, redirect_uris: [`${x.control}/peers/callback`], grant_types: ['authorization_code'],
    backchannel_logout_uri: `${x.control}/peers/logout` });
  await x.admin_.patch(`/peers/${peer.id}`, { client_id: client, offered: true, silent: true, ...asked }, peer.revision);
  const back = `${y.name}:${x.name}`;
  const theirs = id[back] ? await y.admin_.get(`/peers/${id[back]}`) : await y.admin_.post('/peers', { name: x.name, issuer: x.control, ca: x.ca });
  id[back] = theirs.id;
  await y.admin_.patch(`/peers/${theirs.id}`, { app_id: client, sign_on: true, ...provided }, theirs.revision);
}

before(async () => {
  [a, b, c] = await Promise.all([Control.start(), Control.start(), Control.start()]);
  cas = Object.fromEntries([a, b, c].map((p) => [p.control, p.ca]));
  await Promise.all([populate(a, 'a'), populate(b, 'b'), populate(c, 'c')]);
  await trust(b, a, { query_fields: FIELDS, registers: true }, { told: true });
  await trust(c, a, { query_fields: ['name'] });
  await trust(a, b, { query_fields: ['name'] });
});
after(async () => { for (const p of [a, b, c]) await p?.stop(); });

async function register(p, login, more = {}) {
  const { id: captcha } = await p.rest.post('/captchas');
  p.sql(`UPDATE captchas SET answer_sm3 = x'${createHash('sm3').update(`${captcha} HJKLM`).digest('hex')}' WHERE id = '${captcha}'`);
  return p.rest.raw('POST', '/api/v1/registrations', { login, password: PASSWORD, kind: 'person', holder_kind: 'natural-person', display_name: login, email: `${login}@mail.example`,
    real_name: NAME, id_number: ID_NUMBER, captcha_id: captcha, captcha: 'hjklm', ...more });
}

async function registered(p, login, subject, more) {
  const { status, body } = await register(p, login, more);
  assert.equal(status, 201, JSON.stringify(body));
  return p.world.operator.act('users', body.id, 'approve', { subject });
}

const users = (p) => p.admin_.list('users', { role: 'owner' });
const session = (v, p) => v.cookies(p.control).get('__Host-sluice');
const inside = async (v, p) => (await v.send('GET', `${p.control}/authorizations`)).status === 200;

// A form with the assertion of a platform's key, which only that platform has: tests make a pair of their own.
async function ask(p, where, client, key, form, { aud = p.control, iss = client } = {}) {
  const jwt = await new SignJWT({ jti: randomUUID() }).setProtectedHeader({ alg: 'ES256' }).setIssuer(iss).setSubject(iss).setAudience(aud).setIssuedAt().setExpirationTime('1m').sign(key);
  return post(p, where, { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: jwt, ...form });
}

function post(p, where, form) {
  const body = new URLSearchParams(form).toString();
  return new Promise((resolve, reject) => https.request(p.control + where, { method: 'POST', ca: p.ca, headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } }, (res) => {
    const parts = [];
    res.on('data', (d) => parts.push(d)).on('end', () => { const text = Buffer.concat(parts).toString(); let json; try { json = JSON.parse(text); } catch { /* the test looks */ } resolve({ status: res.statusCode, text, json }); });
  }).on('error', reject).end(body));
}

test('[GS-6.4b-1, GS-6.4b-2, GS-6.4c-1, GS-6.4c-2] signed in at one platform, the pages of two others open without another prompt', async () => {
  const user = await registered(a, 'zhang', 'M00001');
  const v = new Visitor(cas);
  const login = await v.open(`${a.control}/authorizations`);
  assert.equal(login.status, 200);
  assert.match(login.url, /\/login/, 'nobody is signed in anywhere, so the page asks');
  const home = await v.signIn(login, 'zhang', PASSWORD);
  assert.equal(new URL(home.url).pathname, '/authorizations', home.text);
  for (const p of [b, c]) {
    const page = await v.open(`${p.control}/authorizations`);
    assert.equal([page.status, page.url].join(' '), `200 ${p.control}/authorizations`, page.text);
    assert.ok(!page.way.some((u) => /\/consent/.test(u)), page.way.join('\n'));
    assert.ok(page.way.some((u) => u.startsWith(`${a.control}/oauth/authorize`) && /prompt=none/.test(u)));
  }
  // What the target told is stored: to each what it may ask for.
  const [atB] = (await users(b)).filter((u) => u.login === `${user.id}@a`);
  assert.deepEqual([atB.display_name, atB.email, atB.subject.startsWith('peer:')], ['zhang', 'zhang@mail.example', true]);
  assert.ok(atB.verified_at);
  const [atC] = (await users(c)).filter((u) => u.login === `${user.id}@a`);
  assert.deepEqual([atC.display_name, atC.email, atC.verified_at], ['zhang', null, null]);
  const told = await a.admin_.get('/operations?action=tell-peer&page_size=10');
  assert.deepEqual(told.items.map((o) => o.actor).sort(), ['peer:b', 'peer:c']);
  // It changes there, and is stored anew at the next sign-on: one account, as before.
  await a.admin_.patch(`/users/${user.id}`, { display_name: 'Zhang San' }, (await a.admin_.get(`/users/${user.id}`)).revision);
  v.cookies(b.control).clear();
  assert.equal((await v.open(`${b.control}/authorizations`)).url, `${b.control}/authorizations`);
  assert.equal((await b.admin_.get(`/users/${atB.id}`)).display_name, 'Zhang San');
  assert.equal((await users(b)).length, 1);
});

test('[GS-6.4d-1, GS-6.4d-2] signing out at either side ends the session at the target and at every other, also at one that was away', async () => {
  const v = new Visitor(cas);
  const everywhere = async () => {
    const page = await v.open(`${a.control}/authorizations`);
    if (/\/login/.test(page.url)) await v.signIn(page, 'zhang', PASSWORD);
    for (const p of [b, c]) await v.open(`${p.control}/authorizations`);
    for (const p of [a, b, c]) assert.ok(await inside(v, p), p.name);
  };
  await everywhere();
  const out = await v.signOut(b.control); // at an access side
  assert.match(out.text, /signed out/);
  for (const p of [a, c]) await until(async () => !(await inside(v, p)), { ms: 15000, what: `the end at ${p.name}` });
  await everywhere();
  c.child.kill('SIGTERM');
  await c.exited;
  await v.signOut(a.control); // at the target, while one node is away
  await until(async () => !(await inside(v, b)), { ms: 15000, what: 'the end at b' });
  await until(() => a.sql('SELECT count(*) FROM logout_deliveries WHERE attempts > 0') !== '0', { ms: 15000, what: 'an attempt in vain' });
  await c.spawn();
  await until(async () => !(await inside(v, c)), { ms: 60000, what: 'the end at c, told again' });
  await until(() => a.sql('SELECT count(*) FROM logout_deliveries') === '0', { ms: 30000, what: 'all told' });
});

test('[GS-6.4a-2, GS-6.4a-1] who registers at an access side appears at the target once; a name that does not belong to its number at neither', async () => {
  const bad = await register(b, 'mismatch', { id_number: '110105194912310021' });
  assert.deepEqual([bad.status, bad.body.code], [422, 'identity-mismatch']);
  const taken = await register(b, 'somebody@a', { email: 'somebody@mail.example' });
  assert.deepEqual([taken.status, taken.body.where], [422, '/login'], 'such names are for the users of a');
  // Another person; the same as one of the target's by number and name.
  const [li, same] = [await registered(b, 'li', 'M00007', { real_name: '测试乙某', id_number: '440524188001010014' }), await registered(b, 'zhang-at-b', 'M00008')];
  const accounts = () => a.admin_.list('peer_accounts', { peer_id: id['a:b'] });
  await until(async () => (await accounts()).length === 2, { ms: 20000, what: 'both at the target' });
  const here = await accounts();
  const [zhang] = (await users(a)).filter((u) => u.login === 'zhang');
  assert.equal(here.find((x) => x.subject === same.id).user_id, zhang.id, 'found again by proven identity');
  const made = await a.admin_.get(`/users/${here.find((x) => x.subject === li.id).user_id}`);
  assert.deepEqual([made.login, made.state, made.display_name, Boolean(made.verified_at)], [`${li.id}@b`, 'active', 'li', true]);
  await b.admin_.patch(`/users/${li.id}`, { display_name: 'Li Si' }, (await b.admin_.get(`/users/${li.id}`)).revision);
  await until(async () => (await a.admin_.get(`/users/${made.id}`)).display_name === 'Li Si', { ms: 20000, what: 'the change at the target' });
  assert.equal((await users(a)).length, 2, 'told again, and nobody twice');
  // Signed in there, this account is the one that opens here.
  const v = new Visitor(cas);
  await v.signIn(await v.open(`${b.control}/login`), 'li', PASSWORD);
  assert.equal((await v.open(`${a.control}/authorizations`)).url, `${a.control}/authorizations`);
  assert.equal(a.sql(`SELECT count(*) FROM sessions WHERE user_id = '${made.id}'`), '1');
});

test('[GS-6.4a-1] the target verifies names for its nodes, and an access side can use it as its source', async () => {
  const [item] = (await b.admin_.list('identity_settings')).filter((s) => s.name === 'identity-source');
  await b.admin_.patch(`/identity_settings/${item.id}`, { value: 'peer:a' }, item.revision);
  const good = await register(b, 'wang', { real_name: '测试丙某', id_number: '11010519491231002X' });
  assert.equal(good.status, 201, JSON.stringify(good.body));
  await b.admin_.patch(`/identity_settings/${item.id}`, { value: 'peer:nobody' }, (await b.admin_.get(`/identity_settings/${item.id}`)).revision);
  const none = await register(b, 'zhao', { real_name: '测试丁某' });
  assert.equal(none.body.code, 'source-unavailable');
  await b.admin_.patch(`/identity_settings/${item.id}`, { value: 'checksum' }, (await b.admin_.get(`/identity_settings/${item.id}`)).revision);
});

test('[GS-6.4b-1] nobody but an authenticated node is told of a user, of one who is signed on there, and what it may ask', async () => {
  const sun = await registered(a, 'sun', 'M00009', { real_name: '测试戊某', id_number: '440524188001010014' });
  assert.equal((await post(a, '/peers/users', { sub: sun.id })).json.code, 'client-invalid');
  const pairs = {};
  const plain = await w.admittedApp(a.world, 'no platform', 'controlled');
  for (const one of [plain, app['a:b']]) {
    const pair = pairs[one] = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await a.world.developer.post('/credentials', { app_id: one, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  }
  await a.world.developer.post('/clients', { app_id: plain });
  const users_ = (client, form, more) => ask(a, '/peers/users', client, pairs[client].privateKey, form, more);
  assert.equal((await users_(plain, { sub: sun.id })).json.code, 'not-permitted');
  assert.equal((await users_(app['a:b'], { sub: sun.id }, { aud: c.control })).json.code, 'client-invalid');
  // Not signed on there yet.
  assert.equal((await users_(app['a:b'], { sub: sun.id })).json.code, 'not-permitted');
  const v = new Visitor(cas);
  await v.signIn(await v.open(`${a.control}/login`), 'sun', PASSWORD);
  await v.open(`${b.control}/authorizations`);
  const told = await users_(app['a:b'], { sub: sun.id });
  assert.deepEqual([told.status, told.json.sub, told.json.real_name, told.json.subject], [200, sun.id, '测试戊某', undefined]);
  assert.equal((await ask(a, '/peers/registrations', plain, pairs[plain].privateKey, { registration: '{}' })).json.code, 'not-permitted');
  assert.equal((await ask(a, '/peers/registrations', app['a:b'], pairs[app['a:b']].privateKey, { registration: JSON.stringify({ sub: 'x', real_name: NAME, id_number: '110105194912310021' }) })).json.code, 'identity-mismatch');
});

test('[GS-6.4c-2] an answer of another issuer, for another browser, a code or state used again, a forged token: nobody is signed in', async () => {
  const v = new Visitor(cas);
  await v.signIn(await v.open(`${a.control}/login`), 'zhang', PASSWORD);
  // Up to the address that leads back, which is not followed.
  const back = async (visitor, next = '/authorizations') => {
    let page = await visitor.send('GET', `${b.control}/peers/sign-on?peer=${id['b:a']}&continue=${encodeURIComponent(next)}`);
    while (page.to && !page.to.startsWith(`${b.control}/peers/callback`)) page = await visitor.send('GET', page.to);
    return page.to;
  };
  const refused = async (visitor, url, status = 403) => {
    const page = await visitor.send('GET', url);
    assert.equal(page.status, status, page.text);
    assert.match(page.text, /peer-refused/);
    assert.equal(await inside(visitor, b), false);
  };
  const changed = (url, name, value) => { const u = new URL(url); if (value === null) u.searchParams.delete(name); else u.searchParams.set(name, value); return u.href; };
  for (const [name, value] of [['iss', c.control], ['iss', null], ['state', 'A'.repeat(43)], ['code', 'B'.repeat(43)], ['code', null]]) await refused(v, changed(await back(v), name, value));
  // Somebody else's sign-on, put to a victim: its browser did not begin it.
  const victim = new Visitor(cas);
  const url = await back(v);
  await refused(victim, url);
  // Where it leads is a page of ours, whatever was asked for.
  const away = new Visitor(cas);
  Object.assign(away.jars, { [a.control]: v.cookies(a.control) });
  const landed = await away.open(await back(away, 'https://evil.example/'));
  assert.equal(landed.url, `${b.control}/authorizations`);
  // A session somebody brought along is not the one that is opened.
  const before_ = session(away, b);
  const again = await back(away);
  assert.equal((await away.send('GET', again)).status, 303);
  assert.notEqual(session(away, b), before_);
  const spent = new Visitor(cas);
  spent.jars[b.control] = new Map([...away.cookies(b.control)].filter(([k]) => k !== '__Host-sluice'));
  await refused(spent, again);
  // Logout tokens: of nobody, of another's key, for another.
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = JSON.parse((await v.send('GET', `${a.control}/oauth/jwks`)).text).keys[0].kid;
  const sid = b.sql('SELECT peer_sid FROM sessions WHERE peer_sid <> \'\' ORDER BY created_at DESC LIMIT 1');
  const forged = (iss, aud) => new SignJWT({ sid, jti: randomUUID(), events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }).setProtectedHeader({ alg: 'ES256', kid, typ: 'logout+jwt' })
    .setIssuer(iss).setAudience(aud).setIssuedAt().setExpirationTime('2m').sign(pair.privateKey);
  for (const jwt of [await forged(a.control, app['a:b']), await forged('https://evil.example', app['a:b']), 'a.b.c', '']) {
    assert.equal((await post(b, '/peers/logout', { logout_token: jwt })).json.code, 'peer-refused');
  }
  assert.ok(await inside(away, b), 'still signed in');
});

test('[GS-6.4c-1] prompt=login asks again although a session stands, and prompt=none shows nothing', async () => {
  const v = new Visitor(cas);
  const ask_ = (prompt, more = {}) => `${a.control}/oauth/authorize?${new URLSearchParams({ response_type: 'code', client_id: app['a:c'], redirect_uri: `${c.control}/peers/callback`, scope: 'openid',
    state: 's', code_challenge: createHash('sha256').update('x'.repeat(43)).digest('base64url'), code_challenge_method: 'S256', prompt, ...more })}`;
  const none = await v.send('GET', ask_('none'));
  assert.match(none.to, /error=login_required/);
  await v.signIn(await v.open(`${a.control}/login?again=1`), 'zhang', PASSWORD);
  assert.match((await v.send('GET', ask_('none'))).to, /[?&]code=/);
  assert.match((await v.send('GET', ask_('none', { max_age: '0' }))).to, /error=login_required/);
  const page = await v.send('GET', (await v.send('GET', ask_('login'))).to);
  assert.match(page.text, /name="password"/);
  // Around the page: the request is still one that wants a sign-in after it.
  const consent = new URL(Visitor.fields(page.text).continue, a.control).href;
  assert.match((await v.send('GET', consent)).to, /\/login\?/);
  const done = await v.send('POST', `${a.control}/login`, { ...Visitor.fields(page.text), login: 'zhang', password: PASSWORD });
  assert.match((await v.send('GET', done.to)).to, /[?&]code=/);
});

test('[GS-6.4d-2] an app that keeps its session in the browser is loaded in a frame of the last page; what was agreed to is not asked again', async () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const client = await w.admittedApp(a.world, 'in the browser', 'controlled');
  await a.world.developer.post('/credentials', { app_id: client, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  await a.world.developer.post('/clients', { app_id: client, redirect_uris: ['https://app.example/back'], post_logout_redirect_uris: ['https://app.example/bye'], grant_types: ['authorization_code'],
    frontchannel_logout_uri: 'https://app.example/out?x=1' });
  const v = new Visitor(cas);
  const verifier = randomUUID() + randomUUID();
  const url = (more) => `${a.control}/oauth/authorize?${new URLSearchParams({ response_type: 'code', client_id: client, redirect_uri: 'https://app.example/back', scope: 'openid', state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more })}`;
  const consent = await v.signIn(await v.open(`${a.control}/login?again=1&continue=${encodeURIComponent('/authorizations')}`), 'zhang', PASSWORD).then(() => v.open(url({})));
  assert.match((await v.send('GET', url({ prompt: 'none' }))).to, /error=consent_required/);
  const agreed = await v.open(`${a.control}/consent`, { ...Visitor.fields(consent.text), decision: 'agree', days: '1' });
  const code = new URL(agreed.to).searchParams.get('code');
  assert.ok(code, agreed.text);
  const tokens = await ask(a, '/oauth/token', client, pair.privateKey, { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: 'https://app.example/back' });
  assert.equal(tokens.status, 200, tokens.text);
  assert.match((await v.send('GET', url({ prompt: 'none' }))).to, /^https:\/\/app\.example\/back\?code=/);
  assert.match((await v.send('GET', url({ prompt: 'none', scope: 'openid profile' }))).to, /error=consent_required/, 'more than was agreed to');
  const { sid } = decodeJwt(tokens.json.id_token);
  const page = await v.open(`${a.control}/oauth/logout?${new URLSearchParams({ client_id: client, post_logout_redirect_uri: 'https://app.example/bye', state: 'z' })}`);
  const out = await v.open(`${a.control}/oauth/logout`, Visitor.fields(page.text));
  assert.equal(out.status, 200, out.to);
  const [, src] = /<iframe hidden src="([^"]+)"/.exec(out.text);
  assert.equal(src.replaceAll('&amp;', '&'), `https://app.example/out?x=1&iss=${encodeURIComponent(a.control)}&sid=${sid}`);
  assert.match(out.headers['content-security-policy'], /frame-src https:/);
  assert.match(out.text, /url=https:\/\/app\.example\/bye\?state=z/);
});

test('[GS-6.4c-2] a peer that is no longer trusted signs nobody on, and its sessions end', async () => {
  const v = new Visitor(cas);
  await v.signIn(await v.open(`${a.control}/login?again=1`), 'zhang', PASSWORD);
  assert.equal((await v.open(`${c.control}/authorizations`)).url, `${c.control}/authorizations`);
  await c.admin_.act('peers', id['c:a'], 'disable');
  assert.equal(await inside(v, c), false);
  assert.match((await v.open(`${c.control}/authorizations`)).url, /\/login/);
  await c.admin_.act('peers', id['c:a'], 'enable');
  // One that is not there says so when it is asked by hand, and is passed over when it is asked silently.
  const [port] = await freePorts(1);
  const gone = await c.admin_.post('/peers', { name: 'gone', issuer: `https://127.0.0.1:${port}`, client_id: 'x', offered: true, silent: true });
  const page = await new Visitor(cas).open(`${c.control}/peers/sign-on?peer=${gone.id}`);
  assert.deepEqual([page.status, /peer-[a-z]+/.exec(page.text)[0]], [502, 'peer-unavailable']);
  assert.match((await new Visitor(cas).open(`${c.control}/authorizations`)).text, /Sign in with gone/);
  await restRefuses(b.admin_.post('/peers', { name: 'x', issuer: 'http://plain.example' }), 'field-invalid', '/issuer');
  await restRefuses(b.admin_.post('/peers', { name: 'x', issuer: 'https://x.example', offered: true }), 'field-invalid', '/client_id');
  await restRefuses(b.admin_.post('/peers', { name: 'x', issuer: 'https://x.example', sign_on: true }), 'field-invalid', '/app_id');
  await restRefuses(b.world.operator.post('/peers', { name: 'x', issuer: 'https://x.example' }), 'not-permitted');
});
