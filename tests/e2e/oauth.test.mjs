// SPDX-License-Identifier: Apache-2.0
// A stock OpenID Connect client, openid-client, against the platform as it runs: discovery, tokens by assertion,
// certificate and proof of possession, introspection, revocation.

import assert from 'node:assert/strict';
import { X509Certificate, createHash, generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Issuer, custom, generators } from 'openid-client';
import { Authority } from './lib/pki.mjs';
import { Platform } from './lib/platform.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
let issuer;
let pair;
let issued = 0; // tokens apps got for themselves
const apps = {};

const jwkOf = (key) => ({ ...key.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' });

async function app(name, settings, api, credential) {
  const id = await w.admittedApp(world, name, 'controlled');
  apps[name] = id;
  const key = credential && await world.developer.post('/credentials', { app_id: id, ...credential });
  await w.subscription(world, id, api);
  await world.developer.post('/clients', { app_id: id, ...settings });
  return { id, key };
}

function clientOf(metadata, keys, tls = {}) {
  const client = new issuer.Client({ token_endpoint_auth_signing_alg: 'ES256', ...metadata }, keys && { keys });
  client[custom.http_options] = () => ({ ca: p.ca, ...tls, agent: undefined });
  client[custom.clock_tolerance] = 5;
  const grant = client.grant.bind(client);
  client.grant = async (...args) => {
    const tokens = await grant(...args);
    issued += 1;
    return tokens;
  };
  return client;
}

before(async () => {
  p = await Platform.start();
  world = await w.people(p);
  upstream = await startUpstream();
  const api = await w.httpApi(world, 'ledger', `http://127.0.0.1:${upstream.port}`);
  pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' });
  await app('by-key', {}, api, { algorithm: 'ecdsa-p256-sha256', public_key: publicPem });
  apps.secret = (await app('by-secret', { token_endpoint_auth_method: 'client_secret_basic' }, api, { algorithm: 'hmac-sm3' })).key.secret;
  const ca = new Authority(path.join(p.dir, 'pki-of-the-test'), 'Self');
  apps.tls = ca.issue('self-signed');
  await app('by-certificate', { token_endpoint_auth_method: 'self_signed_tls_client_auth' }, api,
    { algorithm: 'ecdsa-p256-sha256', certificate: apps.tls.cert, certificate_mode: 'pinned' });
  custom.setHttpOptionsDefaults({ ca: p.ca, timeout: 10000 });
  issuer = await Issuer.discover(p.control);
});
after(async () => {
  await p?.stop();
  await upstream?.close?.();
});

test('[SW-6-authn] discovery tells a stock client where everything is', () => {
  assert.equal(issuer.issuer, p.control);
  for (const name of ['authorization', 'token', 'introspection', 'revocation', 'userinfo', 'end_session', 'pushed_authorization_request']) {
    assert.ok(issuer[`${name}_endpoint`].startsWith(`${p.control}/oauth/`), name);
  }
  assert.deepEqual(issuer.code_challenge_methods_supported, ['S256']);
  assert.equal(issuer.authorization_response_iss_parameter_supported, true);
});

test('[SW-6-authn, BK-9.2.1b1] client credentials by private_key_jwt, looked at and revoked', async () => {
  const client = clientOf({ client_id: apps['by-key'], token_endpoint_auth_method: 'private_key_jwt' }, [jwkOf(pair.privateKey)]);
  const tokens = await client.grant({ grant_type: 'client_credentials', scope: 'ledger.v1' });
  assert.equal(tokens.token_type, 'Bearer');
  assert.equal(tokens.scope, 'ledger.v1');
  assert.ok(tokens.expires_in > 0 && tokens.expires_in <= 900);
  const seen = await client.introspect(tokens.access_token);
  assert.equal(seen.active, true);
  assert.equal(seen.client_id, apps['by-key']);
  assert.equal(seen.scope, 'ledger.v1');
  await client.revoke(tokens.access_token);
  assert.deepEqual(await client.introspect(tokens.access_token), { active: false });
  const stranger = clientOf({ client_id: apps['by-secret'], client_secret: apps.secret });
  const theirs = await stranger.grant({ grant_type: 'client_credentials' });
  assert.deepEqual(await client.introspect(theirs.access_token), { active: false });
  await assert.rejects(client.revoke(theirs.access_token), (e) => e.error === 'invalid_request');
  assert.equal((await stranger.introspect(theirs.access_token)).active, true);
  await assert.rejects(client.grant({ grant_type: 'client_credentials', scope: 'other.v1' }), (e) => e.error === 'invalid_scope');
  await assert.rejects(client.grant({ grant_type: 'password', username: 'a', password: 'b' }), (e) => e.error === 'unsupported_grant_type');
  const wrong = clientOf({ client_id: apps['by-secret'], client_secret: `${apps.secret.slice(0, -2)}AA` });
  await assert.rejects(wrong.grant({ grant_type: 'client_credentials' }), (e) => e.error === 'invalid_client');
});

test('[BK-9.2.1b1] an RSA key authenticates by PSS, as FAPI 2.0 wants it, and by nothing older', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const { id } = await app('by-rsa', {}, await world.provider.list('apis', { name: 'ledger' }).then(([a]) => a.id), { algorithm: 'rsa-pss-sha512', public_key: rsa.publicKey.export({ type: 'spki', format: 'pem' }) });
  const by = (alg) => clientOf({ client_id: id, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: alg }, [{ ...rsa.privateKey.export({ format: 'jwk' }), alg, use: 'sig' }]);
  for (const alg of ['PS256', 'PS512']) assert.ok((await by(alg).grant({ grant_type: 'client_credentials' })).access_token, alg);
  for (const alg of ['RS256', 'RS512', 'PS384']) await assert.rejects(by(alg).grant({ grant_type: 'client_credentials' }), (e) => e.error === 'invalid_client', alg);
  assert.deepEqual(issuer.token_endpoint_auth_signing_alg_values_supported, ['ES256', 'PS256', 'PS512']);
});

test('[BK-10.2.2a] a token bound to a DPoP key names it', async () => {
  const client = clientOf({ client_id: apps['by-key'], token_endpoint_auth_method: 'private_key_jwt' }, [jwkOf(pair.privateKey)]);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const tokens = await client.grant({ grant_type: 'client_credentials' }, { DPoP: privateKey });
  assert.equal(tokens.token_type, 'DPoP');
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  assert.equal((await client.introspect(tokens.access_token)).cnf.jkt, jkt);
});

test('[BK-9.2.1b1] client credentials by certificate bind the token to it', async () => {
  const tls = { cert: apps.tls.cert, key: apps.tls.pem };
  const metadata = { client_id: apps['by-certificate'], token_endpoint_auth_method: 'self_signed_tls_client_auth', tls_client_certificate_bound_access_tokens: true };
  const client = clientOf(metadata, undefined, tls);
  const tokens = await client.grant({ grant_type: 'client_credentials' });
  const thumb = createHash('sha256').update(new X509Certificate(apps.tls.cert).raw).digest('base64url');
  assert.equal((await client.introspect(tokens.access_token)).cnf['x5t#S256'], thumb);
  const other = new Authority(path.join(p.dir, 'pki-of-the-test'), 'Other').issue('self-signed');
  const impostor = clientOf(metadata, undefined, { cert: other.cert, key: other.pem });
  await assert.rejects(impostor.grant({ grant_type: 'client_credentials' }), (e) => e.error === 'invalid_client');
});

test('[EC-7.1.1a] a pushed request gives an address to send the user to, and plain PKCE is refused', async () => {
  const id = await w.admittedApp(world, 'for-users', 'controlled');
  const key = await w.credential(world, id);
  await world.developer.post('/clients', { app_id: id, token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: ['https://app.example/cb'], grant_types: ['authorization_code', 'refresh_token'] });
  const client = clientOf({ client_id: id, client_secret: key.secret, token_endpoint_auth_method: 'client_secret_post', redirect_uris: ['https://app.example/cb'] });
  const ask = { scope: 'openid', redirect_uri: 'https://app.example/cb', state: generators.state(), code_challenge: generators.codeChallenge(generators.codeVerifier()) };
  const pushed = await client.pushedAuthorizationRequest({ ...ask, code_challenge_method: 'S256' });
  assert.match(pushed.request_uri, /^urn:ietf:params:oauth:request_uri:[\w-]{43}$/);
  assert.ok(pushed.expires_in < 600);
  await assert.rejects(client.pushedAuthorizationRequest({ ...ask, code_challenge_method: 'plain' }), (e) => e.error === 'invalid_request');
  await assert.rejects(client.pushedAuthorizationRequest({ ...ask, code_challenge_method: 'S256', redirect_uri: 'https://app.example/cb/' }),
    (e) => e.error === 'invalid_request');
});

test('[SW-6-authn] new keys of tokens refuse nobody; tokens an app got outlive a killed control plane on record', async () => {
  const client = clientOf({ client_id: apps['by-secret'], client_secret: apps.secret });
  const before_ = await client.grant({ grant_type: 'client_credentials' });
  const made = await world.admin.post('/token-keys', {});
  assert.equal(made.state, 'next');
  assert.equal((await client.introspect(before_.access_token)).active, true);
  await client.grant({ grant_type: 'client_credentials' });
  const [pid] = p.processes().control;
  process.kill(pid, 'SIGKILL');
  await until(() => p.processes().control.some((n) => n !== pid), { ms: 20000, what: 'a new control plane' });
  await until(async () => (await client.introspect(before_.access_token).catch(() => ({}))).active, { ms: 20000, what: 'the token after the kill' });
  const again = clientOf({ client_id: apps['by-key'], token_endpoint_auth_method: 'private_key_jwt' }, [jwkOf(pair.privateKey)]);
  const jwt = await again.grant({ grant_type: 'client_credentials' });
  assert.ok(jwt.access_token);
  // Every token given out so far, before and after the kill, is vouched for by the chain of operations.
  const given = () => world.admin.get('/operations?kind=token&action=issue&page_size=100')
    .then((page) => page.items.filter((o) => o.after?.by === 'client_credentials').reduce((n, o) => n + o.after.count, 0));
  const all = issued;
  await until(async () => (await given()) === all, { ms: 10000, what: `${all} tokens on record` });
});
