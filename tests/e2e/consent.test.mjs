// SPDX-License-Identifier: Apache-2.0
// How consents come and end beside the page that asks for them: by request to the owner, over the counter, by the
// provider's own word; services closed and opened again; when each was used; what can be shown of it afterwards.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Visitor } from './lib/visitor.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const PATH = '/trade/orders/v1';
const BACK = 'https://app.example/back';
let p;
let world;

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 100 });
  await world.developer.post('/clients', { app_id: world.app, redirect_uris: [BACK], token_endpoint_auth_method: 'client_secret_basic', grant_types: ['authorization_code', 'refresh_token'] });
});
after(async () => { await p?.stop(); });

const call = (grant) => p.call(`${PATH}?limit=1`, { key: world.key, grant });
const becomes = (grant, wanted, ms = 5000) => until(async () => { const a = await call(grant); return wanted === 200 ? a.status === 200 : a.json?.code === wanted; }, { ms, what: `${wanted} with ${grant}` });

// The code flow on our pages without a browser; resolves to the token endpoint's answer.
async function consentedTokens(visitor, login = 'owner') {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({ response_type: 'code', client_id: world.app, redirect_uri: BACK, scope: 'openid orders.v1', state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' });
  const led = await visitor.get(`/oauth/authorize?${query}`);
  const target = led.location.startsWith('/login') ? decodeURIComponent(new URL(led.location, p.control).searchParams.get('continue')) : led.location;
  const page = await visitor.signedIn(target, login, `${login}-first-Passw0rd-changed`);
  assert.match(page.text, /order_id/);
  if (world.filtered) assert.match(page.text, /Only records of yours where: \S+ is not .{1,6}nothing/);
  const fields = Object.fromEntries([...page.text.matchAll(/type="checkbox" value="yes" name="(f\d+\.\d+)"/g)].map((m) => [m[1], 'yes']));
  const answer = await visitor.submit(page, '/consent', { ...fields, days: '30', decision: 'agree' });
  if (answer.status !== 303) return answer;
  const code = new URL(answer.location).searchParams.get('code');
  return token({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: BACK });
}

const token = (body) => new Visitor(p).ask('POST', '/oauth/token', body, { authorization: `Basic ${Buffer.from(`${world.app}:${world.key.secret}`).toString('base64')}` });

test('[SW-9.6.1-c1, SW-9.6.1-b4] a request for another\'s data goes to that owner: refused until it agrees, to no more than it says, and over at the end', async () => {
  const r = await world.developer.post('/grant_requests', { app_id: world.app, api_id: world.api, owner: 'M00001', purpose: 'compare prices', term: 'period', expires_at: w.IN_A_YEAR });
  refused(await call(r.id), 403, 'grant-unknown');
  const told = await until(async () => (await world.owner.get('/notices?kind=grant-requested')).items[0], { what: 'the notice to the owner' });
  assert.equal(told.object_id, r.id);
  await restRefuses(world.developer.act('grant_requests', r.id, 'approve', { statement: 'yes' }), 'not-permitted');
  await restRefuses(world.operator.act('grant_requests', r.id, 'approve', { statement: 'yes' }), 'not-permitted');
  const seen = await world.owner.get(`/grant_requests/${r.id}`);
  await world.owner.patch(`/grant_requests/${r.id}`, { fields: ['order_id'] }, seen.revision);
  await world.owner.act('grant_requests', r.id, 'approve', { statement: 'They may see my order numbers.' });
  await becomes(r.id, 200);
  const [row] = (await call(r.id)).json;
  assert.ok('order_id' in row && !('buyer_phone' in row), Object.keys(row).join(' '));
  const g = await world.owner.get(`/grants/${r.id}`);
  await world.owner.patch(`/grants/${r.id}`, { expires_at: new Date(Date.now() + 1500).toISOString() }, g.revision);
  await becomes(r.id, 'grant-expired');
  const no = await world.developer.post('/grant_requests', { app_id: world.app, api_id: world.api, owner: 'M00001', purpose: 'again', term: 'period', expires_at: w.IN_A_YEAR });
  await world.owner.act('grant_requests', no.id, 'refuse', { comment: 'no' });
  refused(await call(no.id), 403, 'grant-unknown');
});

test('[SW-8.1-r2] an API whose provider grants for itself is refused until the provider has, whatever the platform approved', async () => {
  const api = await world.admin.get(`/apis/${world.api}`);
  await world.provider.patch(`/apis/${world.api}`, { provider_approval: true }, api.revision);
  await becomes(world.grant, 'subscription-missing');
  await restRefuses(world.operator.act('subscriptions', world.subscription, 'authorize'), 'not-permitted');
  await world.provider.act('subscriptions', world.subscription, 'authorize');
  await becomes(world.grant, 200);
  await world.provider.act('subscriptions', world.subscription, 'deauthorize');
  await becomes(world.grant, 'subscription-missing');
  const now = await world.admin.get(`/apis/${world.api}`);
  await world.provider.patch(`/apis/${world.api}`, { provider_approval: false }, now.revision);
  await becomes(world.grant, 200);
});

test('[BK-3.12a, BK-3.12b, BK-9.3.2a2-2] what a clerk enters names the person, the act, the words and the end, or is not saved', async () => {
  const entry = { app_id: world.app, api_id: world.api, owner: 'M00001', purpose: 'bookkeeping', term: 'agreement', expires_at: w.IN_A_YEAR, act: 'paper', statement: 'Form 7, signed at the counter' };
  for (const gone of ['act', 'statement']) await restRefuses(world.operator.post('/grants', { ...entry, [gone]: undefined }), 'consent-incomplete', `/${gone}`);
  for (const gone of ['owner', 'purpose', 'term', 'expires_at']) await restRefuses(world.operator.post('/grants', { ...entry, [gone]: undefined }), 'field-invalid', `/${gone}`);
  const g = await world.operator.post('/grants', entry);
  assert.deepEqual([g.act, g.channel, g.given_by], ['paper', 'counter', 'operator']);
  assert.equal(g.statement_sm3, createHash('sm3').update(entry.statement).digest('hex'));
  await becomes(g.id, 200);
});

test('a grant says when it was last used, and its evidence can be checked with the published keys alone', async () => {
  const g = await w.grant(world, world.app, world.api, { statement: 'I agree to bookkeeping.' });
  assert.equal(g.last_used_at, null);
  await becomes(g.id, 200);
  await until(async () => (await world.owner.get(`/grants/${g.id}`)).last_used_at, { ms: 15000, what: 'the last use' });
  await world.owner.act('grants', g.id, 'revoke', { revocation_reason: 'moved on' });
  const e = await world.owner.get(`/grants/${g.id}/evidence`);
  assert.equal(e.statement_intact, true);
  assert.deepEqual(e.acts.map((a) => a.action), ['create', 'revoke']);
  assert.equal(e.acts[1].after.revocation_reason, 'moved on');
  const jwks = (await new Visitor(p).get('/oauth/jwks')).json;
  const { payload, protectedHeader } = await jwtVerify(e.signed, createLocalJWKSet(jwks), { issuer: p.control });
  assert.equal(protectedHeader.typ, 'consent-evidence+jwt');
  assert.deepEqual(payload.grant, e.grant);
  await assert.rejects(jwtVerify(`${e.signed.slice(0, 60)}A${e.signed.slice(61)}`, createLocalJWKSet(jwks)));
  // And by our own program, without the platform.
  const [keys, file] = ['jwks.json', 'evidence.json'].map((name) => path.join(p.dir, name));
  writeFileSync(keys, JSON.stringify(jwks));
  writeFileSync(file, JSON.stringify(e));
  const judged = p.sluice('verify', '--platform-key', keys, '--consent', file);
  assert.deepEqual([judged.code, judged.err], [0, '']);
  for (const said of ['consent: valid', g.id, 'I agree to bookkeeping.', 'revoke', 'by']) assert.ok(judged.out.includes(said), judged.out);
  writeFileSync(file, JSON.stringify({ signed: `${e.signed.slice(0, -8)}AAAAAAAA` }));
  const spoilt = p.sluice('verify', '--platform-key', keys, '--consent', file);
  assert.equal(spoilt.code, 1, spoilt.out);
  writeFileSync(file, '{}');
  assert.equal(p.sluice('verify', '--platform-key', keys, '--consent', file).code, 2);
  await assert.rejects(world.developer.get('/grants/00000000-0000-7000-8000-000000000000/evidence'), (err) => err.code === 'not-found');
});

test('[EC-4.2.1c1] which rows a subscription opens stands on the page of consent, and in what is kept of it', async () => {
  const s = await world.operator.get(`/subscriptions/${world.subscription}`);
  await world.operator.patch(`/subscriptions/${s.id}`, { row_filter: 'status=neq.nothing' }, s.revision);
  world.filtered = true;
  assert.equal((await consentedTokens(new Visitor(p))).status, 200);
  const given = (await world.owner.list('grants', { channel: 'page' })).at(-1);
  assert.match(given.statement, /only records where: \S+ is not "nothing"/);
});

test('[EC-5.2.2a] an owner shares with a named group: its members obtain the rows, nobody else does, and who leaves it is refused', async () => {
  const people = await Promise.all(['friend', 'stranger'].map((login, i) => w.user(world.admin, login, 'owner', { subject: `M0000${i + 2}` })));
  const [friend, stranger] = await Promise.all(people.map((u) => u.get('/users/me')));
  const group = await world.owner.post('/audiences', { name: 'family', members: [friend.id] });
  await assert.rejects(people[0].get(`/audiences/${group.id}`), (e) => e.code === 'not-found');
  await restRefuses(people[0].post('/grants', { app_id: world.app, api_id: world.api, purpose: 'p', term: 'period', expires_at: w.IN_A_YEAR, audience_id: group.id }), 'field-invalid', '/audience_id');
  const g = await w.grant(world, world.app, world.api, { audience_id: group.id, fields: ['order_id'] });
  const tokens = {};
  for (const login of ['friend', 'stranger']) tokens[login] = (await consentedTokens(new Visitor(p), login)).json.access_token;
  const as = (login) => p.call(`${PATH}?limit=1&select=order_id`, { key: world.key, grant: g.id, headers: login ? { authorization: `Bearer ${tokens[login]}` } : {} });
  await until(async () => (await as('friend')).status === 200, { what: 'the member\'s call' });
  refused(await as('stranger'), 403, 'audience-excluded');
  refused(await as(), 403, 'audience-excluded');
  const why = (user) => world.developer.get(`/explain?app=${world.app}&api=${world.api}&grant=${g.id}&user=${user}`);
  assert.deepEqual([(await why(friend.id)).code, (await why(stranger.id)).code], ['ok', 'audience-excluded']);
  const now = await world.owner.get(`/audiences/${group.id}`);
  await world.owner.patch(`/audiences/${group.id}`, { members: [stranger.id] }, now.revision);
  await until(async () => (await as('stranger')).status === 200, { what: 'the new member\'s call' });
  refused(await as('friend'), 403, 'audience-excluded');
  await world.owner.act('audiences', group.id, 'remove');
  await until(async () => (await as('stranger')).json?.code === 'audience-excluded', { what: 'the end of the group' });
});

test('[BK-9.3.2b] a user closes all API services in the portal: calls, tokens and refresh tokens are refused, and no consent is given until they are opened again', async () => {
  const visitor = new Visitor(p);
  const t = await consentedTokens(visitor);
  assert.equal(t.status, 200, t.text);
  const bearer = () => p.send('GET', `${PATH}?limit=1`, { headers: { authorization: `Bearer ${t.json.access_token}` } });
  await until(async () => (await bearer()).status === 200, { what: 'the call with the token' });
  await becomes(world.grant, 200);
  const page = await visitor.get('/authorizations');
  assert.match(page.text, /last used|not used yet/);
  const closed = await visitor.submit(page, '/authorizations', { action: 'close-all' });
  assert.equal(closed.status, 303, closed.text.slice(0, 400));
  await becomes(world.grant, 'grant-revoked');
  await until(async () => ['token-revoked', 'grant-revoked'].includes((await bearer()).json?.code), { what: 'the end of the token' });
  assert.equal((await token({ grant_type: 'refresh_token', refresh_token: t.json.refresh_token })).json.error, 'invalid_grant');
  assert.match((await visitor.get('/authorizations')).text, /All API services are closed/);
  const again = await consentedTokens(visitor);
  assert.equal(again.status, 409);
  assert.match(again.text, /services-closed/);
  await restRefuses(w.grant(world, world.app, world.api), 'services-closed');
  const reopened = await visitor.submit(await visitor.get('/authorizations'), '/authorizations', { action: 'reopen' });
  assert.equal(reopened.status, 303);
  world.grant = (await w.grant(world, world.app, world.api)).id;
  await becomes(world.grant, 200);
});

test('[BK-9.3.2b] a clerk enters the closing a user signed for, handles it, and the calls of that app are refused', async () => {
  await restRefuses(world.operator.post('/closures', { owner: 'M00001', app_id: world.app }), 'consent-incomplete');
  const c = await world.operator.post('/closures', { owner: 'M00001', app_id: world.app, act: 'paper', statement: 'Form 12, signed at the counter' });
  assert.equal(c.state, 'requested');
  assert.equal((await call(world.grant)).status, 200);
  const done = await world.operator.act('closures', c.id, 'handle');
  assert.deepEqual([done.state, done.handled_by, done.channel], ['closed', 'operator', 'counter']);
  await becomes(world.grant, 'grant-revoked');
  await until(async () => (await world.owner.get('/notices?kind=services-closed')).items.length, { what: 'the notice' });
  await restRefuses(w.grant(world, world.app, world.api), 'services-closed');
  await restRefuses(world.operator.act('closures', c.id, 'reopen'), 'consent-incomplete');
  await world.owner.act('closures', c.id, 'reopen');
});

test('[SW-9.1-7b] a person sees what is held of them, has it corrected after a review, takes it along, withdraws, and ends the account', async () => {
  const me = await w.user(world.admin, 'leaver', 'owner', { subject: 'M00009', email: 'old@a.example' });
  const g = await me.post('/grants', { app_id: world.app, api_id: world.api, purpose: 'bookkeeping', term: 'period', expires_at: w.IN_A_YEAR });
  await restRefuses(me.post('/corrections', { attribute: 'email', value: 'no address' }), 'field-invalid', '/value');
  await restRefuses(me.post('/corrections', { attribute: 'role', value: 'admin' }), 'field-invalid', '/attribute');
  const c = await me.post('/corrections', { attribute: 'email', value: 'new@a.example' });
  await restRefuses(me.act('corrections', c.id, 'approve'), 'not-permitted');
  await world.operator.act('corrections', c.id, 'approve');
  const data = await me.get('/users/me/data');
  assert.equal(data.account.email, 'new@a.example');
  assert.deepEqual(data.grants.map((x) => x.id), [g.id]);
  assert.deepEqual(data.corrections.map((x) => x.state), ['approved']);
  assert.ok(data.sessions.length >= 1);
  assert.ok(!JSON.stringify(data).includes('password_hash') && !JSON.stringify(data).includes('M00001'), 'nobody else\'s, and no secret');
  await me.act('grants', g.id, 'revoke');
  const second = await me.post('/grants', { app_id: world.app, api_id: world.api, purpose: 'bookkeeping', term: 'period', expires_at: w.IN_A_YEAR });
  await becomes(second.id, 200);
  await restRefuses(world.developer.post('/users/me/close', { login: 'developer' }), 'not-permitted');
  await restRefuses(me.post('/users/me/close', { login: 'owner' }), 'field-invalid', '/login');
  assert.equal((await me.raw('POST', '/api/v1/users/me/close', { login: 'leaver' })).status, 204);
  await assert.rejects(me.get('/users/me'), (e) => e.code === 'not-signed-in');
  await assert.rejects(p.rest.signIn('leaver', 'leaver-first-Passw0rd-changed'), (e) => e.code === 'sign-in-failed');
  await becomes(second.id, 'grant-revoked');
  const gone = (await world.admin.get('/users?login=leaver')).items[0];
  assert.deepEqual([gone.state, gone.email, gone.display_name], ['closed', null, null]);
});

test('[BK-12.2b1-2] the fields an app asks for are compared with those its declared purpose needs, and the surplus is told', async () => {
  const surplus = (who) => who.get(`/subscriptions/${world.subscription}/surplus`);
  assert.deepEqual([(await surplus(world.developer)).declared, (await surplus(world.developer)).surplus], [false, []]);
  await restRefuses(world.developer.post('/purposes', { api_id: world.api, name: 'order management', fields: ['order_id'] }), 'not-permitted');
  await restRefuses(world.provider.post('/purposes', { api_id: world.api, name: 'order management', fields: ['nothing'] }), 'field-invalid', '/fields');
  await world.provider.post('/purposes', { api_id: world.api, name: 'order management', fields: ['order_id', 'status', 'quantity'] });
  const told = await surplus(world.operator);
  assert.deepEqual([told.declared, told.needed], [true, ['order_id', 'status', 'quantity']]);
  assert.ok(told.surplus.includes('buyer_phone') && !told.surplus.includes('order_id') && !told.asked.includes('card_number'), JSON.stringify(told));
  // More than the purpose needs is approved with a reason alone, and the reason is the reviewer's.
  const app = await w.admittedApp(world, 'Asks for more');
  const s = await world.developer.post('/subscriptions', { app_id: app, api_id: world.api, purpose: 'order management', max_level: 3 });
  await restRefuses(world.operator.act('subscriptions', s.id, 'approve', {}), 'field-invalid', '/surplus_reason');
  await restRefuses(world.developer.patch(`/subscriptions/${s.id}`, { surplus_reason: 'we like it' }, s.revision), 'not-permitted', '/surplus_reason');
  const less = await world.developer.post('/subscriptions', { app_id: await w.admittedApp(world, 'Asks for enough'), api_id: world.api, purpose: 'order management', max_level: 3, fields: ['order_id', 'status'] });
  assert.equal((await world.operator.act('subscriptions', less.id, 'approve', {})).state, 'approved');
  await world.operator.patch(`/subscriptions/${s.id}`, { surplus_reason: 'deliveries are rung up' }, s.revision);
  assert.equal((await world.operator.act('subscriptions', s.id, 'approve', {})).state, 'approved');
});
