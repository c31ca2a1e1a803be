// SPDX-License-Identifier: Apache-2.0
// Who calls, and how an app proves it: secrets, key pairs, certificates, several of them together; what each of them
// is refused for; and how soon one who may not call any more is cut off. Keys and certificates are made by the
// openssl command, calls are signed by a stock library, by openssl or by node: nothing of the gateway's own.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto, { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { createRequire } from 'node:module';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, rows } from './lib/assertions.mjs';
import { Authority, CURVE, keyPair } from './lib/pki.mjs';
import { Platform, freePorts } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const { httpbis, createSigner } = createRequire(import.meta.url)('http-message-signatures');
const PARAMS = ['created', 'expires', 'nonce', 'alg', 'keyid'];
const A1 = '/unit/v1/good';
const A2 = '/account/v1/good';

let p;
let partners;
let world;
let upstream;
let ca; // the one the platform trusts
let strangers; // one it does not

// DER of r and s to the 64 bytes of RFC 9421 section 3.3.4.
function rawOf(der) {
  const parts = [];
  for (let at = 2; at < der.length; at += 2 + der[at + 1]) parts.push(BigInt(`0x${der.subarray(at + 2, at + 2 + der[at + 1]).toString('hex')}`).toString(16).padStart(64, '0'));
  return Buffer.from(parts.join(''), 'hex');
}

function opensslSm2(pair, base) {
  const file = path.join(p.dir, `base-${randomUUID()}`);
  writeFileSync(file, base);
  return rawOf(execFileSync('openssl', ['dgst', '-sm3', '-sign', pair.file, '-sigopt', 'distid:1234567812345678', file]));
}

const SIGNERS = {
  'sm2-sm3': (pair) => (base) => opensslSm2(pair, base),
  'ecdsa-p256-sha256': (pair) => (base) => crypto.sign('sha256', Buffer.from(base), { key: pair.pem, dsaEncoding: 'ieee-p1363' }),
  'rsa-pss-sha512': (pair) => (base) => crypto.sign('sha512', Buffer.from(base), { key: pair.pem, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }),
};
const HOW = { 'sm2-sm3': ['-algorithm', 'SM2'], 'ecdsa-p256-sha256': CURVE, 'rsa-pss-sha512': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] };

const fresh = (algorithm) => keyPair(p.dir, randomUUID(), HOW[algorithm]);
const keyOf = (credential, pair) => ({ id: credential.id, algorithm: credential.algorithm, sign: SIGNERS[credential.algorithm](pair), pair });

// A key pair of the app's own, registered: what call() takes.
async function registered(app, algorithm = 'ecdsa-p256-sha256', more = {}) {
  const pair = fresh(algorithm);
  return keyOf(await world.developer.post('/credentials', { app_id: app, algorithm, public_key: pair.publicPem, ...more }), pair);
}

async function certified(app, client, mode = 'pinned') {
  return keyOf(await world.developer.post('/credentials', { app_id: app, algorithm: 'ecdsa-p256-sha256', certificate: client.cert, certificate_mode: mode }), client);
}

async function subscribed(name, more = {}) {
  const app = await world.developer.post('/apps', { name, organisation_id: world.thirdParty, environment: 'monitored', ...more });
  await world.operator.act('apps', app.id, 'admit');
  for (const api of [world.a1, world.a2]) await w.subscription(world, app.id, api);
  return app.id;
}

const call = (target, key, more = {}) => p.call(target, { key, ...more });
const becomes = (key, target, code, more = {}) => until(async () => {
  const a = await call(target, key, more);
  return (a.json?.code ?? a.status) === code && a;
}, { what: `${code} of ${target}` });
const served = (key, target = A1, more = {}) => becomes(key, target, 200, more);

// Connections that show a client's certificate; of TLS of their own each time, so no session is resumed.
const agents = [];
function showing(client, more = {}) {
  const agent = new https.Agent({ ca: p.ca, keepAlive: true, maxSockets: 4, cert: client.cert, key: client.pem, maxCachedSessions: 0, ...more });
  agents.push(agent);
  return { agent };
}

// What operators were told, in the node's own files or already at the control plane.
async function told(kind, matches) {
  return until(async () => {
    const dir = path.join(p.data, 'gateway/state/events');
    const lines = readdirSync(dir).flatMap((f) => readFileSync(path.join(dir, f), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)));
    const alerts = (await world.admin.get(`/alerts?kind=${kind}&page_size=200`)).items;
    return [...lines, ...alerts].find((e) => e.kind === kind && matches(e));
  }, { what: `the event ${kind}` });
}

before(async () => {
  const [port] = await freePorts(1);
  p = await Platform.start({ config: `gateway:\n  entries: partners=127.0.0.1:${port}\n` });
  partners = Object.create(p, { gatewayPort: { value: port } }); // the same platform, called at its other entry
  upstream = await startUpstream();
  world = await w.trading(p, { orders: 100 });
  world.a1 = await w.httpApi(world, 'unit', upstream.url);
  world.a2 = await w.httpApi(world, 'account', upstream.url, { class: 'A2', methods: ['GET'], operation: 'holdings', sdk_required: false, purpose_required: false, query: false, user_confirmation: false });
  for (const api of [world.a1, world.a2]) await w.subscription(world, world.app, api);
  ca = new Authority(p.dir, 'Trusted');
  strangers = new Authority(p.dir, 'Strangers');
  world.trust = await world.operator.post('/trusts', { name: 'Trusted', certificate: ca.pem });
  await served(world.key);
});
after(async () => {
  for (const agent of agents) agent.destroy();
  upstream?.close();
  await p?.stop();
});

test('[BK-7.2.1a1-1, BK-9.2.1b1-1, BK-9.2.2a1] an app id with its secret opens A1; a wrong secret, an unknown id or no signature does not', async () => {
  const before_ = upstream.seen.length;
  assert.equal((await call(A1, world.key)).status, 200);
  refused(await call(A1, { ...world.key, secret: 'A'.repeat(43) }), 401, 'signature-invalid');
  refused(await call(A1, { ...world.key, id: randomUUID() }), 401, 'credential-unknown');
  refused(await p.send('GET', A1), 401, 'signature-missing');
  assert.equal(upstream.seen.length, before_ + 1);
  await told('impersonation', (e) => e.credential_id === world.key.id && e.reason === 'signature by another key');
});

for (const algorithm of Object.keys(HOW)) {
  test(`[BK-7.2.1a1-3, BK-9.2.1b1-3, BK-9.2.1a1-2] a key pair by ${algorithm} opens A1 and A2; another's signature, the secret's or a spoilt one does not`, async () => {
    const key = await registered(world.app, algorithm);
    await served(key);
    assert.equal((await call(A2, key)).status, 200);
    refused(await call(A1, { ...key, sign: SIGNERS[algorithm](fresh(algorithm)) }), 401, 'signature-invalid');
    refused(await call(A1, { id: key.id, algorithm: 'hmac-sm3', secret: world.key.secret }), 401, 'signature-invalid');
    refused(await call(A1, { ...key, sign: (base) => { const s = key.sign(base); s[s.length - 1] ^= 1; return s; } }), 401, 'signature-invalid');
    refused(await call(A1, { ...key, sign: (base) => key.sign(base).subarray(1) }), 401, 'signature-invalid');
    refused(await call(A1, { ...key, sign: (base) => key.sign(`${base} `) }), 401, 'signature-invalid');
  });
}

test('[BK-7.2.1a1-3] a stock RFC 9421 library signs with an app\'s P-256 key', async () => {
  const key = await registered(world.app);
  const signer = createSigner(key.pair.pem, 'ecdsa-p256-sha256', key.id);
  const stock = async () => {
    const { headers } = await httpbis.signMessage({ key: signer, fields: ['@method', '@target-uri'], params: PARAMS,
      paramValues: { created: new Date(), expires: new Date(Date.now() + 60000), nonce: randomUUID() } }, { method: 'GET', url: p.gateway + A2, headers: {} });
    return p.send('GET', A2, { headers });
  };
  const answer = await until(async () => { const a = await stock(); return a.status === 200 && a; }, { what: 'the credential' });
  assert.equal(answer.json.id, 'A1', answer.text);
});

test('[BK-9.2.1b1-3] of two apps\' keys each signs for its own app alone', async () => {
  const mine = await registered(world.app);
  const theirs = await registered(await subscribed('Neighbour'));
  await served(mine);
  await served(theirs);
  refused(await call(A1, { ...theirs, id: mine.id }), 401, 'signature-invalid');
  const answer = await call(A1, theirs);
  assert.notEqual(records(p).find((r) => r.transaction === answer.txn).app, world.app);
});

test('[BK-9.2.1a1-2, BK-9.2.1a2-3] an app has several keys, each with its own validity', async () => {
  const [old, next] = [await registered(world.app, 'ecdsa-p256-sha256', { expires_at: new Date(Date.now() + 4000).toISOString() }),
    await registered(world.app, 'ecdsa-p256-sha256', { not_before: new Date(Date.now() + 3000).toISOString() })];
  await served(old);
  refused(await becomes(next, A1, 'credential-inactive'), 401, 'credential-inactive');
  await served(next);
  await becomes(old, A1, 'credential-inactive');
  assert.equal((await call(A1, world.key)).status, 200);
});

test('[BK-7.2.1a2, BK-9.2.1b2, BK-6.2b3-3, BK-9.2.2b] a secret alone never opens A2, and the refusal says what to add', async () => {
  const before_ = upstream.seen.length;
  const answer = await call(A2, world.key);
  refused(answer, 403, 'scheme-too-weak');
  assert.match(answer.json.detail, /^add a signature by a registered key pair/);
  assert.equal(upstream.seen.length, before_);
});

test('[BK-9.2.2a2] an A1 API that asks for key pairs refuses what has a MAC alone', async () => {
  const api = await w.httpApi(world, 'signed-only', upstream.url, { schemes: ['key', 'certificate'] });
  await w.subscription(world, world.app, api);
  const answer = await becomes(world.key, '/signed-only/v1/good', 'scheme-too-weak');
  assert.match(answer.json.detail, /key pair or the app's registered client certificate/);
  await served(await registered(world.app), '/signed-only/v1/good');
});

test('[BK-7.2.2b2] calls of a batch share one SM2 signature; each is good once, by itself, and nowhere else', async () => {
  const key = await registered(world.app, 'sm2-sm3');
  await served(key);
  const list = path.join(p.dir, 'calls.txt');
  const targets = Array.from({ length: 12 }, (_, i) => `${A1}?i=${i}`);
  writeFileSync(list, `${targets.map((t) => `GET ${p.gateway}${t}`).join('\n')}\n`);
  const signed = p.sluice('sign', '--credential', key.id, '--key', key.pair.file, '--batch', list);
  assert.equal(signed.code, 0, signed.err);
  const calls = signed.out.trim().split('\n').map((l) => JSON.parse(l));
  const send = (i, headers, target = targets[i]) => p.send('GET', target, { headers });
  const headers = calls.map((c) => Object.fromEntries(Object.entries(c.headers).map(([n, v]) => [n.toLowerCase(), v])));
  const answers = await Promise.all(targets.slice(0, 10).map((_, i) => send(i, headers[i])));
  assert.deepEqual(answers.map((a) => a.status), Array(10).fill(200), answers.find((a) => a.status !== 200)?.text);
  refused(await send(3, headers[3]), 401, 'signature-replayed');
  refused(await send(10, headers[11]), 401, 'signature-invalid');
  refused(await send(10, { ...headers[10], signature: headers[11].signature }), 401, 'signature-invalid');
  const bytes = (i) => Buffer.from(/:(.*):/.exec(headers[i].signature)[1], 'base64');
  const spoilt = (at) => { const b = bytes(10); b[at < 0 ? b.length + at : at] ^= 1; return { ...headers[10], signature: headers[10].signature.replace(/:.*:/, `:${b.toString('base64')}:`) }; };
  for (const at of [0, 2, 4, 5, 40, -64, -1]) refused(await send(10, spoilt(at)), 401, 'signature-invalid');
  assert.equal((await send(10, headers[10])).status, 200);
  await world.developer.act('credentials', key.id, 'revoke');
  await becomes(key, A1, 'credential-inactive');
  refused(await send(11, headers[11]), 401, 'credential-inactive'); // remembered or not: the key is asked about each time
});

test('[BK-7.1a] an algorithm that is switched off, or past its end, is refused at once and good again when switched on', async () => {
  const key = await registered(world.app);
  await served(key);
  const algorithm = async () => (await world.admin.get('/algorithms?name=ecdsa-p256-sha256')).items[0];
  const set = async (change) => { const a = await algorithm(); await world.admin.patch(`/algorithms/${a.id}`, change, a.revision); };
  await set({ status: 'disabled' });
  refused(await becomes(key, A1, 'algorithm-disabled'), 403, 'algorithm-disabled');
  assert.equal((await call(A1, world.key)).status, 200);
  await set({ status: 'deprecated', sunset_at: new Date(Date.now() + 2500).toISOString() });
  await served(key);
  await becomes(key, A1, 'algorithm-disabled');
  await set({ status: 'enabled', sunset_at: null });
  await served(key);
});

test('[BK-9.2.1b3] how long a signature may live is the API\'s to say', async () => {
  const api = await w.httpApi(world, 'brief', upstream.url, { signature_max_s: 5 });
  await w.subscription(world, world.app, api);
  const lasting = (seconds, created = 0) => (q) => ({ ...q, created: q.created + created, expires: q.created + created + seconds });
  await served(world.key, '/brief/v1/good', { change: lasting(5) });
  const long = await call('/brief/v1/good', world.key, { change: lasting(6) });
  refused(long, 401, 'signature-stale');
  assert.match(long.json.detail, /at most 5 s/);
  refused(await call('/brief/v1/good', world.key, { change: lasting(5, -6) }), 401, 'signature-stale');
  refused(await call(A1, world.key, { change: lasting(301) }), 401, 'signature-stale');
  assert.equal((await call(A1, world.key, { change: lasting(300) })).status, 200);
});

test('[EC-6.1.3.1b] a nonce is good once, on whichever worker and by whichever of many connections', async () => {
  const key = await registered(world.app);
  await served(key);
  for (const each of [key, world.key]) {
    const headers = sign(each, { url: p.gateway + A1 });
    const answers = await Promise.all(Array.from({ length: 24 }, () => p.send('GET', A1, { headers, agent: new https.Agent({ ca: p.ca }) })));
    const codes = answers.map((a) => a.json?.code ?? a.status);
    assert.ok(codes.filter((c) => c === 200).length <= 1, codes.join(' '));
    assert.ok(codes.every((c) => c === 200 || c === 'signature-replayed'), codes.join(' '));
  }
});

test('[BK-7.2.1a1-2, BK-9.2.1b1-2] a pinned certificate: with its connection and its signature, and with neither alone', async () => {
  const client = strangers.issue('pinned'); // pinned: whoever signed it
  const key = await certified(world.app, client);
  const with_ = showing(client);
  await served(key, A1, with_);
  assert.equal((await call(A2, key, with_)).status, 200);
  refused(await call(A1, key), 401, 'certificate-missing');
  refused(await call(A1, key, showing(strangers.issue('pinned', { key: client }))), 401, 'certificate-invalid');
  refused(await call(A1, { ...key, sign: SIGNERS['ecdsa-p256-sha256'](fresh('ecdsa-p256-sha256')) }, with_), 401, 'signature-invalid');
  refused(await p.send('GET', A1, with_), 401, 'signature-missing');
  const secret = await call(A2, world.key, with_);
  refused(secret, 403, 'scheme-too-weak'); // the certificate is proven, the signature is a MAC
  assert.match(secret.json.detail, /^add a signature by a registered key pair$/);
});

test('[BK-9.2.1b1-2, BK-10.1.2a2-2] the certificate of another app is refused, and told as impersonation', async () => {
  const app = await subscribed('Certified');
  const client = ca.issue('theirs');
  await served(await certified(app, client), A1, showing(client));
  const mine = ca.issue('mine');
  const key = await certified(world.app, mine);
  await served(key, A1, showing(mine));
  refused(await call(A1, key, showing(client)), 401, 'certificate-invalid');
  refused(await call(A1, world.key, showing(client)), 401, 'certificate-invalid');
  const event = await told('impersonation', (e) => e.app_id === world.app && e.reason === 'certificate of another app');
  assert.deepEqual([event.api_id, event.address], [world.a1, '127.0.0.1']);
});

test('[BK-7.2.1a1-2, BK-9.2.1b1-2] by CA: any valid certificate of the subject; none of another CA, another name, expired or early', async () => {
  const client = ca.issue('by-ca');
  const key = await certified(world.app, client, 'ca');
  await served(key, A1, showing(client));
  assert.equal((await call(A1, key, showing(ca.issue('by-ca')))).status, 200); // renewed
  const wrong = async (other, why) => {
    const answer = await call(A1, key, showing(other));
    refused(answer, 401, 'certificate-invalid');
    return assert.match(answer.json.detail ?? '', why);
  };
  await wrong(strangers.issue('by-ca'), /trust anchor/);
  await wrong(ca.issue('somebody-else'), /registered with/);
  for (const times of [{ from: -10, to: -1 }, { from: 1, to: 10 }]) {
    refused(await call(A1, key, showing(ca.issue('by-ca', times))), 401, 'certificate-invalid');
  }
});

test('[BK-7.2.1a1-2] a resumed TLS session still shows its certificate', async () => {
  const client = ca.issue('resuming');
  const key = await certified(world.app, client, 'ca');
  await served(key, A1, showing(client));
  const { agent } = showing(client, { keepAlive: false, maxCachedSessions: 10 });
  const connect = agent.createConnection.bind(agent);
  const reused = [];
  agent.createConnection = (...args) => {
    const socket = connect(...args);
    return socket.on('secureConnect', () => reused.push(socket.isSessionReused()));
  };
  for (let i = 0; i < 6; i += 1) assert.equal((await call(A1, key, { agent })).status, 200);
  assert.ok(reused.includes(true), reused.join(' '));
});

test('[BK-7.2.1a1-2, BK-9.2.1b4-1] a certificate on its CA\'s revocation list is refused within a second, on open connections too', async () => {
  const client = ca.issue('revoked-soon');
  const key = await certified(world.app, client, 'ca');
  const open = showing(client, { maxSockets: 1 });
  await served(key, A1, open);
  ca.revoke(client);
  const trust = await world.operator.get(`/trusts/${world.trust.id}`);
  await world.operator.patch(`/trusts/${world.trust.id}`, { crl: ca.crl() }, trust.revision);
  const at = Date.now();
  const answer = await becomes(key, A1, 'certificate-invalid', open);
  assert.ok(Date.now() - at < 1000, `${Date.now() - at} ms`);
  assert.match(answer.json.detail, /revoked/);
  assert.equal(answer.headers.connection, 'close');
  const other = ca.issue('not-revoked');
  await served(await certified(world.app, other, 'ca'), A1, showing(other));
  const pinned = ca.issue('pinned-of-ca');
  await served(await certified(world.app, pinned), A1, showing(pinned));
});

test('[BK-7.2.1a1-2] a CA that is taken off the list vouches for nobody any more', async () => {
  const more = new Authority(p.dir, 'Another');
  const trust = await world.operator.post('/trusts', { name: 'Another', certificate: more.pem });
  const client = more.issue('of-another');
  const key = await certified(world.app, client, 'ca');
  await served(key, A1, showing(client));
  await world.operator.act('trusts', trust.id, 'disable');
  await becomes(key, A1, 'certificate-invalid', showing(client));
  await world.operator.act('trusts', trust.id, 'enable');
  await served(key, A1, showing(client));
});

test('[BK-7.2.1a1-4, BK-9.2.1b1-4] secret and certificate together: either alone is refused', async () => {
  const app = await subscribed('Secret and certificate', { factors: ['secret', 'certificate'] });
  const secret = await world.developer.post('/credentials', { app_id: app, algorithm: 'hmac-sm3' });
  const client = ca.issue('combined');
  const key = await certified(app, client);
  const with_ = showing(client);
  await served(secret, A1, with_);
  const alone = await call(A1, secret);
  refused(alone, 403, 'scheme-too-weak');
  assert.match(alone.json.detail, /client certificate/);
  refused(await call(A1, secret, showing(strangers.issue('combined'))), 401, 'certificate-invalid');
  refused(await call(A1, { ...secret, secret: 'A'.repeat(43) }, with_), 401, 'signature-invalid');
  const unsecret = await call(A1, key, with_);
  refused(unsecret, 403, 'scheme-too-weak');
  assert.match(unsecret.json.detail, /the app's secret/);
});

// One request with the signatures of two keys.
function both(first, second, target, change) {
  const a = sign(first, { url: p.gateway + target }, (q) => ({ ...q, label: 'one' }));
  const b = sign(second, { url: p.gateway + target }, (q) => ({ ...q, label: 'two', ...change?.(q) }));
  return p.send('GET', target, { headers: { 'signature-input': `${a['signature-input']}, ${b['signature-input']}`, signature: `${a.signature}, ${b.signature}` } });
}

test('[BK-7.2.1a1-4, BK-9.2.1b1-4] secret and key pair together: two signatures of one app, both good', async () => {
  const app = await subscribed('Secret and key', { factors: ['secret', 'key'] });
  const secret = await world.developer.post('/credentials', { app_id: app, algorithm: 'hmac-sm3' });
  const key = await registered(app);
  await until(async () => (await both(secret, key, A1)).status === 200, { what: 'the app' });
  assert.equal((await both(key, secret, A2)).status, 200);
  refused(await call(A1, secret), 403, 'scheme-too-weak');
  refused(await call(A1, key), 403, 'scheme-too-weak');
  refused(await both(secret, { ...key, sign: SIGNERS['ecdsa-p256-sha256'](fresh('ecdsa-p256-sha256')) }, A1), 401, 'signature-invalid');
  refused(await both({ ...secret, secret: 'A'.repeat(43) }, key, A1), 401, 'signature-invalid');
  refused(await both(secret, world.key, A1), 401, 'signature-invalid'); // of another app
  refused(await both(secret, secret, A1), 403, 'scheme-too-weak');
  refused(await both(secret, key, A1, () => ({ expires: 1 })), 400, 'signature-malformed');
  refused(await both(secret, key, A1, (q) => ({ created: q.created - 100, expires: q.created - 1 })), 401, 'signature-stale');
  refused(await both(secret, key, A1, () => ({ components: ['@method'] })), 401, 'signature-incomplete');
  refused(await both(secret, key, A1, () => ({ label: 'one' })), 400, 'signature-malformed');
  await world.developer.act('credentials', key.id, 'revoke');
  await until(async () => (await both(secret, key, A1)).json?.code === 'credential-inactive', { what: 'the revocation' });
});

test('[BK-6.1c1, BK-6.1c3, BK-6.1a] a mobile app calls what is open to phones, and neither A2 nor anything else; what is for phones alone no server calls', async () => {
  const open = await w.httpApi(world, 'for-phones', upstream.url, { mobile: true, access: 'registered',
    fields: [{ path: 'id', name: 'id', level: 1, type: 'scalar', mask: '' }] });
  assert.ok(open);
  const app = await subscribed('On a phone', { channel: 'mobile' });
  const key = await registered(app);
  await served(key, '/for-phones/v1/good');
  refused(await call(A1, key), 403, 'channel-not-allowed');
  refused(await call(A2, key), 403, 'channel-not-allowed');
  const server = await registered(await subscribed('On a server'));
  await served(server, '/for-phones/v1/good');
  const row = await world.provider.get(`/apis/${open}`);
  await world.provider.patch(`/apis/${open}`, { mobile_only: true }, row.revision);
  await until(async () => (await call('/for-phones/v1/good', server)).json?.code === 'channel-not-allowed', { what: 'the change' });
  assert.equal((await call('/for-phones/v1/good', key)).status, 200);
});

test('[BK-A-3] a partner\'s API with an entry point of its own is reached there alone', async () => {
  const name = 'cash-management';
  const id = await w.httpApi(world, name, upstream.url, { type: 'partner', partners: [world.thirdParty], entry: 'partners' });
  await w.subscription(world, world.app, id);
  const target = `/${name}/v1/good`;
  const there = (at) => partners.call(at, { key: world.key });
  await until(async () => (await there(target)).status === 200, { what: 'the API at its entry' });
  const before_ = upstream.seen.length;
  refused(await call(target, world.key), 404, 'route-unknown');
  assert.equal(upstream.seen.length, before_);
  assert.equal((await there(A1)).status, 200, 'what has no entry of its own is reached at each');
  const row = await world.provider.get(`/apis/${id}`);
  await world.provider.patch(`/apis/${id}`, { entry: 'bank-x' }, row.revision);
  await until(async () => (await there(target)).json?.code === 'route-unknown', { what: 'the other entry' });
});

// A connection of its own, that tells when it is closed.
function lone(more = {}) {
  const agent = new https.Agent({ ca: p.ca, keepAlive: true, maxSockets: 1, ...more });
  agents.push(agent);
  return { agent, open: () => Object.values(agent.sockets).concat(Object.values(agent.freeSockets)).flat().length };
}

test('[BK-9.2.1b4-1] a suspended app is refused and disconnected within a second, on each worker', async () => {
  const app = await subscribed('Cut off');
  const key = await world.developer.post('/credentials', { app_id: app, algorithm: 'hmac-sm3' });
  await served(key);
  const lines = Array.from({ length: 8 }, () => lone()); // over both workers
  for (const line of lines) assert.equal((await call(A1, key, { agent: line.agent })).status, 200);
  assert.ok(lines.every((l) => l.open() === 1));
  await world.operator.act('apps', app, 'suspend');
  const at = Date.now();
  const codes = await Promise.all(lines.map((l) => becomes(key, A1, 'app-inactive', { agent: l.agent })));
  assert.ok(Date.now() - at < 1000, `${Date.now() - at} ms`);
  assert.ok(codes.every((a) => a.headers.connection === 'close'));
  await until(() => lines.every((l) => l.open() === 0), { what: 'the end of the connections' });
  await world.operator.act('apps', app, 'resume');
  await served(key);
});

test('[BK-9.2.1b4-1] a revoked credential ends its HTTP/2 connection after the refusal', async () => {
  const key = await registered(world.app);
  await served(key);
  const session = http2.connect(p.gateway, { ca: p.ca });
  session.on('error', () => {});
  const closed = new Promise((done) => session.once('close', done));
  const goaway = new Promise((done) => session.once('goaway', done));
  const get = () => new Promise((resolve, reject) => {
    const headers = sign(key, { url: p.gateway + A1 });
    const stream = session.request({ ':path': A1, ...headers });
    let text = '';
    let status;
    stream.on('response', (h) => { status = h[':status']; });
    stream.on('data', (d) => { text += d; });
    stream.on('end', () => resolve({ status, json: JSON.parse(text) }));
    stream.on('error', reject);
  });
  assert.equal((await get()).status, 200);
  await world.developer.act('credentials', key.id, 'revoke');
  const at = Date.now();
  let answer;
  do answer = await get(); while (answer.status === 200 && Date.now() - at < 2000);
  assert.equal(answer.json.code, 'credential-inactive');
  await Promise.race([Promise.all([goaway, closed]), delay(1000).then(() => assert.fail('still open a second later'))]);
  assert.ok(Date.now() - at < 2000);
});

test('[BK-9.2.1a2-2, BK-9.2.1a2-4] who is not known is not authenticated, and who is known gets what it was approved for', async () => {
  const api = await w.httpApi(world, 'elsewhere', upstream.url);
  const answer = await becomes(world.key, '/elsewhere/v1/good', 'subscription-missing');
  refused(answer, 403, 'subscription-missing');
  await w.subscription(world, world.app, api);
  await served(world.key, '/elsewhere/v1/good');
  refused(await call(A1, { ...world.key, id: 'not-an-id' }), 401, 'credential-unknown');
});

test('[SW-9.6.1-a2, SW-9.1-5b, SW-9.1-5c, SW-9.1-5d] own data comes whole without subscription or grant; another\'s by grant, masked; the platform\'s by level', async () => {
  const target = '/trade/orders/v1?limit=50';
  const app = (await world.developer.post('/apps', { name: 'Own books', organisation_id: world.thirdParty, environment: 'general' })).id;
  await world.operator.act('apps', app, 'admit');
  const key = await registered(app);
  refused(await becomes(key, target, 'subscription-missing'), 403, 'subscription-missing');
  const org = await world.admin.get(`/organisations/${world.thirdParty}`);
  await world.admin.patch(`/organisations/${org.id}`, { subject: 'M00002' }, org.revision);
  const answer = await served(key, target);
  const own = rows(answer);
  assert.ok(own.length > 0 && own.every((r) => r.merchant_id === 'M00002'), answer.text.slice(0, 300));
  assert.ok(own.every((r) => /^1\d{10}$/.test(r.buyer_phone) && !('card_number' in r)), 'level 3 as it is, level 4 never');
  assert.equal(records(p).find((r) => r.transaction === answer.txn).owner, 'M00002');
  const other = rows(await call(target, world.key, { grant: world.grant })); // M00001's, by that owner's grant
  assert.ok(other.length > 0 && other.every((r) => r.merchant_id === 'M00001' && /\*/.test(r.buyer_phone)));
  refused(await call(target, key, { grant: world.grant }), 403, 'subscription-missing');
  refused(await call(A1, key), 403, 'subscription-missing'); // the platform's own data: no owner, no exception
});

test('all of it is in the audit log, which verifies', () => verified(p));
