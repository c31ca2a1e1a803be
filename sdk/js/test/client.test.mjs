// SPDX-License-Identifier: Apache-2.0
// Calls against a server that can be told to lie: what leaves is signed, what arrives is held against it, what fails is told apart.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { CompactEncrypt } from 'jose';
import { KeyStore, Sluice, Tokens, Vault, selfCheck, signer } from '../src/index.js';
import { CODES, words } from '../src/words.js';
import { verifyAnswer } from '../src/httpsig.js';
import { platformKeys } from '../src/keys.js';
import { sm2Pair, sm2Sign } from '../src/sm.js';
import { Gateway, certificates, workFolder } from './lib/gateway.mjs';

const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../..');
const SECRET = randomBytes(32).toString('base64url');
let g;
let work;

const hmac = { signers: () => [signer('cred-1', 'hmac-sm3', SECRET)] };
const client = (more = {}) => new Sluice({ gateway: g.url, ca: g.tls.ca, app: 'app-1', keys: hmac, platformKeys: { keys: [g.jwk] }, breaker: { calls: 1000, transactions: 1000 }, retries: 0, ...more });
const rejects = (promise, kind, code) => assert.rejects(promise, (e) => { assert.deepEqual([e.kind, e.code], [kind, code], e.stack); return true; });
const until = async (f) => { while (!f()) await new Promise((done) => { setTimeout(done, 5); }); };
const header = (seen, name) => seen.headers[name];

// What the request's signature says, made anew from what arrived.
function baseOf(seen, label = 'sig1') {
  const params = new RegExp(`${label}=(\\([^)]*\\)[^,]*)`).exec(header(seen, 'signature-input'))[1];
  const values = { '@method': seen.method, '@target-uri': g.url + seen.url };
  const names = /\(([^)]*)\)/.exec(params)[1].split(' ').map((n) => n.slice(1, -1));
  return { names, params, text: Buffer.from(`${names.map((n) => `"${n}": ${values[n] ?? header(seen, n)}\n`).join('')}"@signature-params": ${params}`) };
}
const signatureOf = (seen, label = 'sig1') => Buffer.from(new RegExp(`${label}=:([^:]+):`).exec(header(seen, 'signature'))[1], 'base64');

before(async () => { work = workFolder(); g = await Gateway.start(work.dir); });
after(async () => { await g?.stop(); work?.remove(); });

test('[EC-6.1.4.3e1] each request is signed over method, target, digest, grant, purpose and the SDK\'s own release; an answer that was altered is refused', async () => {
  const c = client();
  const a = await c.call('/orders/v1?limit=1', { body: { id: 'A-1' }, grant: 'grant-1', purpose: '贷款审批' });
  assert.deepEqual([a.data, a.signed, a.status], [{ ok: true }, true, 200]);
  const seen = g.seen.at(-1), { names, params, text } = baseOf(seen);
  assert.deepEqual(names, ['@method', '@target-uri', 'content-digest', 'sluice-grant', 'sluice-purpose', 'sluice-sdk']);
  assert.deepEqual(signatureOf(seen), createHmac('sm3', Buffer.from(SECRET, 'base64url')).update(text).digest());
  assert.equal(header(seen, 'content-digest'), `sm3=:${createHash('sm3').update('{"id":"A-1"}').digest('base64')}:`);
  assert.equal(header(seen, 'sluice-purpose'), encodeURI('贷款审批'));
  assert.match(params, /;created=(\d+);expires=\d+;nonce="[0-9a-f-]{36}";keyid="cred-1";alg="hmac-sm3"$/);
  for (const [spoil, code] of [[(h, s) => { s.spoiled = '{"ok":none}'; }, 'answer-altered'], [(h) => { h['sluice-transaction'] = 'other'; }, 'answer-altered'], [(h) => { h['content-type'] = 'text/json'; }, 'answer-altered'],
    [(h) => { h.signature = h.signature.replace(/=:./, (m) => `=:${m[2] === 'A' ? 'B' : 'A'}`); }, 'answer-altered'], [(h) => { delete h.signature; delete h['signature-input']; }, 'answer-unsigned'],
    [(h) => { h['signature-input'] = h['signature-input'].replace('"@status" ', ''); }, 'answer-altered'], [(h) => { h['signature-input'] = '=();;('; }, 'answer-altered']]) {
    g.answer = () => ({ body: '{"ok":true}', spoil });
    await rejects(c.call('/orders/v1'), 'integrity', code);
  }
  const another = client({ platformKeys: { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'platform' } });
  g.answer = () => ({ body: '{}' });
  await rejects(another.call('/orders/v1'), 'integrity', 'answer-altered');
});

test('[BK-7.3.2a2] another certificate, a host that is not the gateway\'s, an old TLS, a replayed answer and a bad signature are refused, whatever the environment says', async () => {
  g.answer = () => ({ body: '{"ok":true}' });
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    await rejects(client({ ca: certificates(work.dir, 'other').ca }).call('/x'), 'integrity', 'tls-refused');
    await rejects(client({ gateway: g.url.replace('127.0.0.1', 'localhost') }).call('/x'), 'integrity', 'tls-refused');
    assert.equal((await client().call('/x')).status, 200);
  } finally { delete process.env.NODE_TLS_REJECT_UNAUTHORIZED; }
  const old = await Gateway.start(work.dir, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' });
  try { await rejects(client({ gateway: old.url, ca: old.tls.ca }).call('/x'), 'integrity', 'tls-refused'); } finally { await old.stop(); }
  assert.throws(() => client({ gateway: 'http://127.0.0.1:1' }), (e) => e.code === 'settings-invalid');
  assert.throws(() => client({ ca: undefined }), (e) => e.code === 'settings-invalid');
  let kept;
  g.answer = () => ({ body: '{"ok":true}', spoil: (h) => { kept ??= { ...h }; Object.assign(h, kept); } });
  const c = client();
  await c.call('/x');
  await rejects(c.call('/x'), 'integrity', 'answer-altered');
});

test('[BK-5f2, BK-10.1.2b] network, gateway, business and integrity failures are told apart by type and stable code, in two languages', async () => {
  const c = client(), problem = (status, code) => () => ({ status, headers: { 'content-type': 'application/problem+json', 'sluice-transaction': 't-1', 'retry-after': '7' }, body: JSON.stringify({ status, code, title: 'Title' }) });
  g.answer = problem(403, 'grant-revoked');
  await assert.rejects(c.call('/x'), (e) => e.kind === 'gateway' && e.code === 'grant-revoked' && e.status === 403 && e.transaction === 't-1' && e.retryAfterS === 7 && e.authentic && e.message === 'Title');
  g.answer = problem(502, 'upstream-refused');
  await rejects(c.call('/x'), 'business', 'upstream-refused');
  g.answer = () => ({ drop: true });
  await rejects(c.call('/x'), 'network', 'broken-off');
  g.answer = () => ({ cut: true, body: 'x'.repeat(100000) });
  await rejects(c.call('/x'), 'network', 'broken-off');
  g.answer = () => ({ status: 500, signed: false, body: '<html>' });
  await rejects(c.call('/x'), 'gateway', 'answer-unreadable');
  g.answer = () => ({ status: 302, signed: false, headers: { location: '/y' } });
  await rejects(c.call('/x'), 'integrity', 'answer-unsigned');
  await rejects(client({ gateway: 'https://127.0.0.1:1' }).call('/x'), 'network', 'unreachable');
  await rejects(c.call('no path'), 'local', 'settings-invalid');
  for (const code of CODES) assert.ok(words(code).zh !== words(code).en && /\p{Script=Han}/u.test(words(code).zh), code);
});

test('[EC-6.1.4.3e3] a dropped connection is tried again with back-off under the same number; what might be carried out twice is not', async () => {
  const c = client({ retries: 3 });
  g.answer = (_, n) => (n % 3 ? { drop: true } : { body: '{"ok":true}' });
  g.seen.length = 0;
  const a = await c.call('/pay', { body: { amount: 1 }, idempotencyKey: 'T-2026-1' });
  assert.deepEqual([a.attempts, g.seen.length], [3, 3]);
  assert.deepEqual(g.seen.map((s) => s.headers['idempotency-key']), ['T-2026-1', 'T-2026-1', 'T-2026-1']);
  assert.ok(baseOf(g.seen[0]).names.includes('idempotency-key'));
  assert.equal(new Set(g.seen.map((s) => /nonce="([^"]+)"/.exec(s.headers['signature-input'])[1])).size, 3, 'each attempt is a request of its own to the replay check');
  g.answer = () => ({ drop: true });
  g.seen.length = 0;
  await rejects(c.call('/pay', { body: { amount: 1 } }), 'network', 'broken-off');
  assert.equal(g.seen.length, 1, 'a write without a number');
  g.answer = (_, n) => (n < 2 ? { status: 503, headers: { 'content-type': 'application/problem+json', 'sluice-transaction': 't' }, body: '{"code":"source-busy"}' } : { body: '[]' });
  g.seen.length = 0;
  assert.equal((await c.call('/rows')).attempts, 2);
});

test('[BK-10.1.2b, BK-10.1.2b1-1, BK-10.1.2b1-2] the breaker opens at the number of failed calls, and apart from it of failed transactions; it rejects at once, probes and closes', async () => {
  const alerts = [], c = client({ breaker: { calls: 3, transactions: 2, openMs: 150 }, onAlert: (a) => alerts.push(a) });
  g.answer = (seen) => (seen.url === '/down' ? { drop: true } : seen.url === '/declines' ? { body: '{"result":0}' } : { body: '{"result":1}' });
  for (let i = 0; i < 3; i++) await rejects(c.call('/down'), 'network', 'broken-off');
  const before_ = g.seen.length;
  await rejects(c.call('/down'), 'local', 'breaker-open');
  assert.equal(g.seen.length, before_, 'nothing was sent');
  assert.equal((await c.call('/well')).status, 200, 'another API goes on');
  const failed = (d) => d.result === 0;
  for (let i = 0; i < 2; i++) assert.equal((await c.call('/declines', { failed })).data.result, 0);
  await rejects(c.call('/declines', { failed }), 'local', 'breaker-open');
  assert.deepEqual(alerts.filter((a) => a.what === 'breaker-open').map((a) => [a.api, a.why]), [['/down', 'calls'], ['/declines', 'transactions']]);
  g.answer = () => ({ body: '{"result":1}' });
  for (let open = true; open;) { // the time it is open passes
    open = await c.call('/down').then(() => false, (e) => { assert.equal(e.code, 'breaker-open'); return new Promise((done) => { setTimeout(() => done(true), 20); }); });
  }
  assert.equal((await c.call('/down')).status, 200, 'closed again');
});

test('the address is signed as the Host header has it, and the notice of an old release is told once', async () => {
  const alerts = [], { port } = new URL(g.url), c = client({ gateway: `https://127.0.0.1:${port}`.toUpperCase().replace('HTTPS', 'https'), onAlert: (a) => alerts.push(`${a.what} ${a.code}`) });
  g.answer = () => ({ body: '{}', headers: { 'content-type': 'application/json', 'sluice-transaction': 't', 'sluice-sdk-notice': 'outdated;refused-from=@1798761600' } });
  for (let i = 0; i < 2; i++) assert.equal((await c.call('/A%2fb?x=%C3%A4&y=[]')).signed, true);
  assert.equal(g.seen.at(-1).url, '/A%2fb?x=%C3%A4&y=[]', 'as it was signed');
  assert.deepEqual(alerts, ['sdk-outdated outdated;refused-from=@1798761600']);
  const lines = [];
  const signing = { signers: () => [{ id: 'x', algorithm: 'hmac-sm3', sign: (base) => { lines.push(base.toString()); return Buffer.alloc(32); } }] };
  await client({ gateway: 'https://GATEWAY.invalid:443', keys: signing }).call('/x').catch(() => {});
  assert.match(lines[0], /"@target-uri": https:\/\/gateway\.invalid\/x\n/);
});

test('[BK-10.1.2b2] an opening breaker, an answer that was altered and repeated refusals are told to the app at once', async () => {
  const alerts = [], c = client({ onAlert: (a) => alerts.push(`${a.what} ${a.code}`) });
  g.answer = () => ({ body: '{}', spoiled: '[]' });
  await rejects(c.call('/x'), 'integrity', 'answer-altered');
  g.answer = () => ({ status: 403, headers: { 'content-type': 'application/problem+json', 'sluice-transaction': 't' }, body: '{"code":"grant-revoked"}' });
  for (let i = 0; i < 5; i++) await rejects(c.call('/x'), 'gateway', 'grant-revoked');
  assert.deepEqual(alerts, ['integrity answer-altered', 'refused-often grant-revoked']);
});

test('a call that began before the breaker opened does not close it; what has to wait long is not repeated', async () => {
  const c = client({ breaker: { calls: 1, openMs: 60000 }, retries: 3 });
  let free;
  const held = new Promise((done) => { free = done; });
  g.answer = (seen) => (seen.url === '/b?slow' ? { body: '{}', later: held } : { drop: true });
  const slow = c.call('/b?slow', {});
  await until(() => g.seen.at(-1)?.url === '/b?slow');
  await rejects(c.call('/b', { method: 'POST', body: {} }), 'network', 'broken-off');
  free();
  assert.equal((await slow).status, 200);
  await rejects(c.call('/b'), 'local', 'breaker-open');
  g.seen.length = 0;
  g.answer = () => ({ status: 429, headers: { 'content-type': 'application/problem+json', 'sluice-transaction': 't', 'retry-after': '60' }, body: '{"code":"rate-limited"}' });
  await assert.rejects(c.call('/c'), (e) => e.code === 'rate-limited' && e.retryAfterS === 60);
  assert.equal(g.seen.length, 1);
  g.answer = () => ({ headers: { 'content-type': 'application/x-ndjson', 'sluice-transaction': 't' }, body: '{"a":1}\n{"a":2}\n' });
  assert.equal((await c.call('/d')).data, '{"a":1}\n{"a":2}\n');
});

test('of two who want a user\'s token anew at once one asks, for a refresh token counts once; another user has none', async () => {
  let now = Date.now(), n = 0;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' }), keys = { signers: () => [signer('c', 'ecdsa-p256-sha256', privateKey.export({ type: 'pkcs8', format: 'pem' }))] };
  const c = client(), key = randomBytes(32), vault = () => new Vault({ key, folder: path.join(work.dir, 'tokens') }), make = () => new Tokens({ control: g.url, app: 'app-1', keys, connection: c.connection, vault: vault(), onDisk: true, now: () => now });
  const forms = [];
  g.answer = (seen) => { forms.push(new URLSearchParams(seen.body.toString())); return { signed: false, body: JSON.stringify({ access_token: `a-${++n}`, ...(n < 3 ? { refresh_token: `r-${n}` } : {}), expires_in: 60 }) }; };
  const t = make();
  assert.equal(await t.exchange('alice', { code: 'code-1', verifier: 'v', redirectUri: 'https://app.example/back' }), 'a-1');
  assert.equal(await make().of('alice'), 'a-1', 'after a restart');
  now += 45000;
  assert.deepEqual(await Promise.all([t.of('alice'), t.of('alice'), t.of('bob')]), ['a-2', 'a-2', undefined]);
  assert.deepEqual(forms.map((f) => [f.get('grant_type'), f.get('code') ?? f.get('refresh_token'), f.get('client_assertion').split('.').length]), [['authorization_code', 'code-1', 3], ['refresh_token', 'r-1', 3]]);
  now += 45000;
  await t.of('alice');
  now += 45000;
  await t.of('alice');
  assert.equal(forms.at(-1).get('refresh_token'), 'r-2', 'the last there was');
});

test('one user cannot use up what the app may call', async () => {
  g.answer = () => ({ body: '{}' });
  const c = client({ perUser: { perMinute: 1, burst: 2 } });
  for (let i = 0; i < 2; i++) await c.call('/x', { user: 'alice' });
  await rejects(c.call('/x', { user: 'alice' }), 'local', 'user-limited');
  assert.equal((await c.call('/x', { user: 'bob' })).status, 200);
});

test('[CI-6.2.2g, CI-6.2.2h, CI-6.2.2i] a sealed answer is opened, its digest made over what came out and held against the platform\'s; what differs is refused', async () => {
  const store = KeyStore.create(path.join(work.dir, 'seal.keys'), 'a passphrase of the tests');
  const jwk = store.generate('box', 'ECDH-ES');
  store.named('box', 'enc-1');
  store.put('main', { id: 'cred-1', algorithm: 'hmac-sm3', material: SECRET });
  const c = client({ keys: store }), key = createPublicKey({ key: jwk, format: 'jwk' }), plain = Buffer.from('{"phone":"138****5678"}');
  const sealedFor = (digest, to = key) => new CompactEncrypt(plain).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'enc-1', cty: 'json', ...(digest ? { digest } : {}) }).encrypt(to);
  const good = createHash('sm3').update(plain).digest('base64url');
  const give = async (text) => { g.answer = () => ({ headers: { 'content-type': 'application/jose', 'sluice-transaction': 't' }, body: text }); return c.call('/x', { sealed: true }); };
  const a = await give(await sealedFor(good));
  assert.deepEqual([a.data, a.sealed, a.signed], [{ phone: '138****5678' }, true, true]);
  assert.equal(g.seen.at(-1).headers.accept, 'application/jose');
  for (const bad of [await sealedFor(createHash('sm3').update('other').digest('base64url')), await sealedFor(), await sealedFor(good, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), 'a.b.c.d.e']) await rejects(give(bad), 'integrity', 'seal-unopened');
  g.answer = () => ({ body: '{}' });
  await rejects(c.call('/x', { sealed: true }), 'integrity', 'seal-unopened');
  const header_ = Buffer.from(JSON.stringify({ alg: 'SM2', enc: 'SM4GCM', kid: 'enc-1' })).toString('base64url');
  await rejects(give(`${header_}.a.b.c.d`), 'local', 'seal-suite-unsupported');
});

test('an SM2 signature of the SDK verifies with OpenSSL, and no two share a random number', () => {
  const pair = sm2Pair(), file = (name, bytes) => { const f = path.join(work.dir, name); writeFileSync(f, bytes); return f; };
  const spki = Buffer.from(`3059301306072a8648ce3d020106082a811ccf5501822d034200${pair.point}`, 'hex').toString('base64');
  const message = Buffer.from('"@method": GET'), r = new Set();
  for (let i = 0; i < 3; i++) {
    const raw = sm2Sign(message, pair.secret).toString('hex'), int = (h) => { const v = h.replace(/^(00)+(?=.)/, ''), b = parseInt(v.slice(0, 2), 16) > 127 ? `00${v}` : v; return `02${(b.length / 2).toString(16).padStart(2, '0')}${b}`; };
    const body = int(raw.slice(0, 64)) + int(raw.slice(64));
    r.add(raw.slice(0, 64));
    const out = execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', file('sm2.pub', `-----BEGIN PUBLIC KEY-----\n${spki.match(/.{1,64}/g).join('\n')}\n-----END PUBLIC KEY-----\n`), '-in', file('m', message), '-rawin', '-digest', 'sm3',
      '-pkeyopt', 'distid:1234567812345678', '-sigfile', file('sig', Buffer.from(`30${(body.length / 2).toString(16).padStart(2, '0')}${body}`, 'hex'))], { encoding: 'utf8' });
    assert.match(out, /Verified Successfully/);
  }
  assert.equal(r.size, 3);
});

test('the worked example of docs/signatures.md, one of a batch, verifies; with one byte changed it does not', () => {
  const doc = readFileSync(path.join(ROOT, 'docs/signatures.md'), 'utf8'), block = (name) => new RegExp(`\`\`\`${name}\n([^]*?)\n\`\`\``).exec(doc)[1];
  const keys = platformKeys(block('pem')), text = block('http'), cut = text.indexOf('HTTP/1.1 200');
  const parse = (t) => { const [head, ...body] = t.split('\n\n'); return { headers: Object.fromEntries(head.split('\n').slice(1).map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 2)])), body: Buffer.from(body.join('\n\n')) }; };
  const asked = parse(text.slice(0, cut)), answer = { status: 200, ...parse(text.slice(cut)) };
  const request = { method: 'POST', url: 'https://gateway.example:7443/trade/orders/v1?page=1', signatures: [{ label: 'sig1', value: asked.headers.signature.slice('sig1='.length) }] };
  answer.body = [answer.body, answer.body.subarray(0, -1)].find((b) => createHash('sha256').update(b).digest('base64') === answer.headers['content-digest'].slice(9, -1));
  verifyAnswer(answer, request, keys);
  for (const at of [9, 12, 40, 130]) {
    const signature = answer.headers.signature, bad = signature.slice(0, at) + (signature[at] === 'A' ? 'B' : 'A') + signature.slice(at + 1);
    assert.throws(() => verifyAnswer({ ...answer, headers: { ...answer.headers, signature: bad } }, request, keys), (e) => e.code === 'answer-altered', `byte ${at}`);
  }
});

test('[BK-9.3.3c, EC-6.1.4.3e4] the app signs with its own private key; each signed answer is kept, and says later who signed what', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pair = { signers: () => [signer('cred-2', 'ecdsa-p256-sha256', privateKey.export({ type: 'pkcs8', format: 'pem' })), signer('cred-1', 'hmac-sm3', SECRET)] };
  const proofs = path.join(work.dir, 'proofs'), description = { info: { 'x-sluice-class': 'A1', 'x-sluice-signed': true }, paths: { '/x': {} } };
  const c = client({ keys: pair, proofs, descriptions: [description] });
  g.answer = () => ({ headers: { 'content-type': 'application/json', 'sluice-transaction': '0193500a-7c00-7000-8000-000000000001' }, body: '{"ok":true}' });
  const a = await c.call('/x');
  const seen = g.seen.at(-1);
  assert.ok(verify('sha256', baseOf(seen).text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signatureOf(seen)));
  assert.equal(signatureOf(seen, 'sig2').length, 32, 'an app that must show both sends both');
  const kept = readFileSync(a.proof, 'utf8');
  assert.match(kept, /^GET \/x HTTP\/1\.1\r\n[^]*\r\n\r\nHTTP\/1\.1 200 \r\n[^]*\r\nsignature: sluice=:[^]*\r\n\r\n\{"ok":true\}$/);
  g.answer = () => ({ headers: { 'content-type': 'application/json', 'sluice-transaction': '0193500a-7c00-7000-8000-000000000002' }, body: '{"phone":"x"}' });
  assert.ok(!readFileSync((await c.call('/unknown')).proof, 'utf8').includes('phone'), 'of what may not lie on disk the heads alone');
});

test('[BK-6.1b5] no file of the SDK knows an API or an operation by name', () => {
  for (const name of Object.keys(selfCheckFiles())) {
    const text = readFileSync(path.join(ROOT, 'sdk/js/src', name), 'utf8').replaceAll(/\/\/.*|\/\*[^]*?\*\/|^ \*.*$/gm, '');
    assert.doesNotMatch(text, /\/(trade|window|credit|params|pay|loans)\/|orders|uniscId|licenseID|getEnterprise/i, name);
  }
});
const selfCheckFiles = () => JSON.parse(readFileSync(path.join(ROOT, 'sdk/js/manifest.json'), 'utf8')).files;

test('the SDK says which release it is, and does not start with a file changed, added or taken away', async () => {
  const { version, digest, header: text } = selfCheck();
  assert.equal(text, `js/${version};sm3=${digest}`);
  const lines = Object.entries(selfCheckFiles()).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name]) => `${createHash('sm3').update(readFileSync(path.join(ROOT, 'sdk/js/src', name))).digest('hex')}  ${name}\n`);
  assert.equal(digest, createHash('sm3').update(lines.join('')).digest('hex'));
  const spoils = { changed: (d) => writeFileSync(path.join(d, 'src/http.js'), readFileSync(path.join(d, 'src/http.js'), 'utf8').replace('rejectUnauthorized: true', 'rejectUnauthorized: false')),
    added: (d) => writeFileSync(path.join(d, 'src/more.js'), ''), missing: (d) => rmSync(path.join(d, 'src/scan.js')), 'without a manifest': (d) => rmSync(path.join(d, 'manifest.json')), same: () => {} };
  for (const [what, spoil] of Object.entries(spoils)) {
    const dir = path.join(work.dir, `copy ${what}`);
    mkdirSync(dir);
    for (const part of ['src', 'package.json', 'manifest.json']) cpSync(path.join(ROOT, 'sdk/js', part), path.join(dir, part), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'));
    spoil(dir);
    const started = await import(pathToFileURL(path.join(dir, 'src/client.js'))).then(() => 'started', (e) => e.code);
    assert.equal(started, what === 'same' ? 'started' : 'sdk-altered', what);
  }
  const own = JSON.parse(readFileSync(path.join(ROOT, 'sdk/js/package.json'), 'utf8')).dependencies, all = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).devDependencies;
  for (const [name, v] of Object.entries(own)) assert.equal(all[name], v, `${name}: what is tested is what is shipped`);
});
