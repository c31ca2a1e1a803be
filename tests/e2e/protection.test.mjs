// SPDX-License-Identifier: Apache-2.0
// Signed answers, sealed bodies and the evidence of both, on a running platform.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import * as jose from 'jose';
import { BUILD, Platform } from './lib/platform.mjs';
import { sign } from './lib/sign.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ROW = { id: 'A1', phone: '13812345678', secret: 's3cret' };
let p;
let world;
let server; // the business unit's own API: says what it was sent
let seen;

const at = (name) => path.join(p.dir, name);
const file = (name, content) => { writeFileSync(at(name), content); return at(name); };
const openssl = (...args) => {
  const r = spawnSync('openssl', args, { encoding: 'utf8' });
  assert.equal(r.status, 0, r.stderr);
  return r.stdout;
};

// A key pair of the app: PEM files at name.key and name.pub.
function keyPair(name, ...how) {
  openssl('genpkey', ...how, '-out', at(`${name}.key`));
  openssl('pkey', '-in', at(`${name}.key`), '-pubout', '-out', at(`${name}.pub`));
  return readFileSync(at(`${name}.pub`), 'utf8');
}
const register = (algorithm, publicKey, more = {}) => world.developer.post('/credentials', { app_id: world.app, algorithm, public_key: publicKey, ...more });

// `sluice call` as the app, its SM2 key.
function cli(target, ...more) {
  return new Promise((resolve) => {
    const args = ['call', '--plain-key', '--credential', world.sm2.id, '--key', at('app.key'), '--cacert', p.caFile, '--platform-key', path.join(p.data, 'keys/answer.pub'), ...more, p.gateway + target];
    execFile(path.join(BUILD, 'cli/sluice'), args, { env: p.env, encoding: 'utf8' }, (e, out, err) => resolve({ code: e ? e.code : 0, out, err }));
  });
}

const answerKey = () => path.join(p.data, 'keys/answer.pub');
const joseCall = (target, body) => p.send('POST', target, { body, headers: sign(world.key, { method: 'POST', url: p.gateway + target, headers: { 'content-type': 'application/jose' }, body }) });

async function api(name, more) {
  const id = await w.httpApi(world, name, `http://127.0.0.1:${server.address().port}`, more);
  const s = await world.developer.post('/subscriptions', { app_id: world.app, api_id: id, purpose: 'order management', max_level: 3 });
  await world.operator.act('subscriptions', s.id, 'approve', more.class === 'A2' ? { risk_assessment: 'looked at: low' } : {});
  return id;
}

before(async () => {
  p = await Platform.start();
  seen = [];
  server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d));
    req.on('end', () => {
      const body = Buffer.concat(parts).toString();
      seen.push({ method: req.method, url: req.url, headers: req.headers, body });
      if (req.url.includes('empty')) return void res.writeHead(204).end();
      if (req.url.includes('broken')) return void res.writeHead(500).end('stack trace');
      const size = Number(/size=(\d+)/.exec(req.url)?.[1] ?? 0);
      res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      setTimeout(() => res.end(JSON.stringify({ ...ROW, items: size ? [{ id: 'x'.repeat(size) }] : [], ...(body ? { id: body } : {}) })), Number(/wait=(\d+)/.exec(req.url)?.[1] ?? 0));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  world = await w.people(p, 'controlled');
  world.sm2 = await register('sm2-sm3', keyPair('app', '-algorithm', 'SM2'));
  await api('signed', { class: 'A2', methods: ['GET', 'HEAD', 'POST'], query: true });
  await api('asked', { sign_response: true });
  await api('plain', {});
  await api('sealed', { seal_request: 'required', seal_response: 'required' });
  await api('both', { class: 'A2', methods: ['GET', 'POST'], query: true, seal_request: 'required', seal_response: 'required' });
  await api('choice', { seal_response: 'optional' });
  await until(async () => (await cli('/signed/v1/x')).code === 0, { ms: 15000, what: 'the A2 API' });
});
after(async () => {
  server?.close();
  await p?.stop();
});

test('[BK-7.2.2b2] an A2 answer is signed by the platform for this very call, and the client verifies it', async () => {
  const r = await cli('/signed/v1/x?page=1', '--save', at('a.http'));
  assert.equal(r.code, 0, r.err);
  assert.equal(JSON.parse(r.out).phone, '138****5678');
  const v = p.sluice('verify', '--platform-key', path.join(p.data, 'keys/answer.pub'), '--app-key', at('app.pub'), at('a.http'));
  assert.equal(v.code, 0, v.out + v.err);
  assert.match(v.out, /^response: valid\n/);
  assert.match(v.out, /request: valid\n/);
});

test('[BK-7.2.2b1] one changed byte of a saved answer, or another call\'s answer, does not verify', async () => {
  const key = path.join(p.data, 'keys/answer.pub');
  await cli('/signed/v1/x?n=1', '--save', at('one.http'));
  await cli('/signed/v1/x?n=1', '--save', at('two.http'));
  const [one, two] = ['one', 'two'].map((n) => readFileSync(at(`${n}.http`), 'latin1'));
  const cut = (text) => text.search(/HTTP\/\S+ 200/);
  const swapped = one.slice(0, cut(one)) + two.slice(cut(two));
  for (const text of [one.replace('138****5678', '138****5679'), one.replace(/(HTTP\/\S+) 200/, '$1 201'), swapped]) {
    assert.notEqual(text, one);
    const v = p.sluice('verify', '--platform-key', key, file('bad.http', Buffer.from(text, 'latin1')));
    assert.equal(v.code, 1, v.out + v.err);
  }
});

test('[BK-9.2.2b] an A2 call with a secret alone is refused, and the refusal is signed too', async () => {
  const r = await p.call('/signed/v1/x', { key: world.key });
  assert.equal(r.status, 403, r.text);
  assert.equal(r.json.code, 'scheme-too-weak');
  assert.match(r.headers.signature, /^sluice=:/);
  const unknown = await p.call('/signed/v1/x', { key: { ...world.key, secret: 'AAAA' } });
  assert.equal(unknown.json.code, 'signature-invalid');
  assert.equal(unknown.headers.signature, undefined, 'a stranger gets no signature');
});

test('[BK-7.2.2b2] answers without a body, and refusals, carry the signature too', async () => {
  for (const [method, target, status] of [['HEAD', '/signed/v1/x', 200], ['GET', '/signed/v1/empty', 204], ['GET', '/signed/v1/broken', 502], ['DELETE', '/signed/v1/x', 405]]) {
    const r = await cli(target, '--method', method, '--save', at('bare.http'));
    assert.match(r.err, new RegExp(`HTTP ${status}`), r.err);
    const v = p.sluice('verify', '--platform-key', answerKey(), at('bare.http'));
    assert.equal(v.code, 0, `${method} ${target}: ${v.out}${v.err}`);
  }
});

test('[BK-7.2.2b2] an A1 API signs its answers when its provider wants it, of callers with a secret too', async () => {
  const r = await p.call('/asked/v1/x', { key: world.key });
  assert.equal(r.status, 200, r.text);
  assert.match(r.headers['signature-input'], /^sluice=\("@status" "content-type" "content-digest" "sluice-transaction" "@method";req "@target-uri";req "signature";req;key="sig1"\)/);
  const plain = await p.call('/plain/v1/x', { key: world.key });
  assert.equal(plain.status, 200, plain.text);
  assert.equal(plain.headers.signature, undefined);
});

test('[BK-7.2.2b2] answers that are ready together share one signature, each with its own proof', async () => {
  const all = await Promise.all(Array.from({ length: 12 }, (_, i) => cli(`/signed/v1/x?wait=400&n=${i}`, '--save', at(`batch${i}.http`))));
  for (const r of all) assert.equal(r.code, 0, r.err);
  const many = await Promise.all(Array.from({ length: 64 }, (_, i) => p.call(`/asked/v1/x?wait=50&n=${i}`, { key: world.key })));
  for (const r of many) assert.equal(r.status, 200, r.text);
  const batched = many.filter((r) => r.headers['signature-input'].includes('alg="sm2-sm3-batch"'));
  assert.ok(batched.length > 32, `${batched.length} of 64 in a batch`);
  for (const { txn } of [batched[0], batched.at(-1)]) { // the verdict on a place in a tree, by the program that is not the gateway
    const e = p.sluice('audit', 'evidence', '--data-dir', p.data, txn);
    assert.equal(e.code, 0, e.out + e.err);
    assert.match(e.out, /^request: cannot be told/m);
    assert.match(e.out, /^answer: valid\n {2}algorithm sm2-sm3-batch\n/m);
  }
});

test('[BK-7.2.2b2] a problem of the data service is signed as it is, with what it says of the call\'s fault', async () => {
  const source = await world.provider.post('/sources', { name: 'orders', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(await w.ordersDatabase(p.dir, 5)) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'orders', source_id: source.id, table: 'orders' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, w.LEVELS) }, dataset.revision);
  const id = (await world.provider.act('datasets', dataset.id, 'publish', { name: 'orders', version: 'v1', path: '/orders/v1', title: 'Orders' })).id;
  const { revision } = await world.provider.get(`/apis/${id}`);
  await world.provider.patch(`/apis/${id}`, { sign_response: true }, revision);
  await world.provider.act('apis', id, 'publish').catch(() => {});
  await w.subscription(world, world.app, id);
  await until(async () => (await cli('/orders/v1?limit=1')).code === 0, { ms: 15000, what: 'the signed orders' });
  const r = await cli('/orders/v1?nothing=eq.1', '--save', at('fault.http'));
  const problem = JSON.parse(r.out);
  assert.equal(problem.code, 'field-unknown', r.out + r.err);
  assert.equal(problem.where, 'nothing');
  const v = p.sluice('verify', '--platform-key', answerKey(), at('fault.http'));
  assert.equal(v.code, 0, v.out + v.err);
  const detailed = await p.call('/orders/v1?limit=abc', { key: world.key });
  assert.equal(detailed.status, 400, detailed.text);
  assert.ok(detailed.json.detail && detailed.json.where === 'limit', detailed.text);
  assert.match(detailed.headers.signature, /^sluice=:/);
  const head = await p.send('HEAD', '/orders/v1?limit=abc', { headers: sign(world.key, { method: 'HEAD', url: `${p.gateway}/orders/v1?limit=abc` }) });
  assert.equal(head.status, 400);
  assert.match(head.headers.signature, /^sluice=:/);
});

test('a call that goes away while its answer is waiting to be signed takes nobody with it', async () => {
  const gone = Array.from({ length: 30 }, () => new Promise((done) => {
    const headers = {};
    const req = p.call(`/asked/v1/x?wait=100`, { key: world.key, ms: 95 + Math.floor(Math.random() * 20), headers });
    req.then(done, done);
  }));
  const stay = Array.from({ length: 30 }, () => p.call('/asked/v1/x?wait=100', { key: world.key }));
  await Promise.all(gone);
  for (const r of await Promise.all(stay)) assert.equal(r.status, 200);
});

test('a signed answer is held whole, and one too large to hold is refused', async () => {
  assert.equal((await p.call('/asked/v1/x?size=3000000', { key: world.key })).status, 200);
  const r = await p.call('/asked/v1/x?size=5000000', { key: world.key });
  assert.equal(r.status, 502, r.text.slice(0, 200));
  assert.equal(r.json.code, 'answer-too-large');
  assert.match(r.headers.signature, /^sluice=:/);
});

// Sealed bodies -----------------------------------------------------------------------------------

const keySet = () => JSON.parse(readFileSync(path.join(p.data, 'gateway/state/keys.json'), 'utf8')).keys;

test('[CI-6.2.2f] before the app has an encryption key, nothing that must be sealed is fetched for it', async () => {
  const before = seen.length;
  const r = await p.call('/sealed/v1/x', { key: world.key });
  assert.equal(r.status, 403, r.text);
  assert.equal(r.json.code, 'seal-key-missing');
  assert.equal(seen.length, before, 'the upstream was not asked');
});

test('[CI-6.2.2f, SW-9.8-tra4] a stock JOSE client seals its request and opens the answer (ECDH-ES, A256GCM)', async () => {
  const { publicKey, privateKey } = await jose.generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  world.ec = await register('ECDH-ES', await jose.exportJWK(publicKey), { use: 'encryption' });
  await until(async () => (await p.call('/sealed/v1/x', { key: world.key })).status === 200, { ms: 5000, what: 'the key' });
  const jwk = keySet().find((k) => k.use === 'enc' && k.crv === 'P-256');
  const body = await new jose.CompactEncrypt(Buffer.from('{"id":"B7"}'))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: jwk.kid, cty: 'json' }).encrypt(await jose.importJWK(jwk, 'ECDH-ES'));
  const r = await joseCall('/sealed/v1/x', body);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.headers['content-type'], 'application/jose');
  assert.doesNotMatch(r.text, /138\*\*\*\*5678/);
  const { plaintext, protectedHeader } = await jose.compactDecrypt(r.text, privateKey);
  const answer = JSON.parse(Buffer.from(plaintext));
  assert.deepEqual([answer.id, answer.phone, answer.secret], ['{"id":"B7"}', '138****5678', undefined]);
  assert.equal(protectedHeader.kid, world.ec.id);
  assert.equal(protectedHeader.cty, 'application/json; charset=utf-8');
  assert.equal(protectedHeader.digest, createHash('sm3').update(plaintext).digest('base64url'));
  const { headers } = seen.at(-1);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['content-digest'], `sm3=:${createHash('sm3').update('{"id":"B7"}').digest('base64')}:`);

  // one changed byte of either, wherever it is
  for (const at of [3, body.length >> 1, body.length - 3]) {
    const spoiled = body.slice(0, at) + (body[at] === 'A' ? 'B' : 'A') + body.slice(at + 1);
    const before = seen.length;
    const bad = await joseCall('/sealed/v1/x', spoiled);
    assert.equal(bad.json?.code, 'seal-invalid', bad.text);
    assert.equal(seen.length, before, 'nothing went upstream');
    const t = r.text.slice(0, r.text.length - 5) + (r.text.at(-5) === 'A' ? 'B' : 'A') + r.text.slice(-4);
    await assert.rejects(jose.compactDecrypt(t, privateKey));
  }
});

test('[BK-6.2b3-3] a plain body where a sealed one is required is refused before anything is fetched', async () => {
  const before = seen.length;
  const r = await p.call('/sealed/v1/x', { key: world.key, method: 'POST', body: '{"id":"B7"}' });
  assert.equal(r.status, 403, r.text);
  assert.equal(r.json.code, 'seal-required');
  assert.equal(seen.length, before);
});

test('[BK-7.2.2c3-2, SW-9.3-3a] an A2 answer, signed and sealed by SM2 with SM4-GCM, opens with the app\'s key alone', async () => {
  await register('SM2', keyPair('box', '-algorithm', 'SM2'), { use: 'encryption' });
  const sm2 = keySet().find((k) => k.use === 'enc' && k.crv === 'SM2');
  const order = file('order.json', '{"id":"国密"}');
  const sealed = p.sluice('seal', '--key', path.join(p.data, 'gateway/state/keys.json'), '--kid', sm2.kid, order);
  assert.equal(sealed.code, 0, sealed.err);
  file('order.jose', sealed.out);
  let r;
  await until(async () => {
    r = await cli('/both/v1/x', '--body', at('order.jose'), '--type', 'application/jose', '--save', at('both.http'));
    return r.code === 0 && Buffer.from(r.out.split('.')[0], 'base64url').includes('SM2');
  }, { ms: 5000, what: 'the newer key' });
  const opened = p.sluice('open', '--key', at('box.key'), file('answer.jose', r.out));
  assert.equal(opened.code, 0, opened.err);
  assert.deepEqual([JSON.parse(opened.out).id, JSON.parse(opened.out).phone], ['{"id":"国密"}', '138****5678']);
  assert.equal(p.sluice('verify', '--platform-key', answerKey(), at('both.http')).code, 0);
  for (const [key, text] of [['box.key', r.out.slice(0, -3) + (r.out.at(-3) === 'A' ? 'B' : 'A') + r.out.slice(-2)], ['app.key', r.out]]) {
    const bad = p.sluice('open', '--key', at(key), file('bad.jose', text));
    assert.equal(bad.code, 1, bad.err);
    assert.equal(bad.out, '');
  }
});

test('where sealing is the caller\'s choice, Accept makes it', async () => {
  const plain = await p.call('/choice/v1/x', { key: world.key });
  assert.equal(plain.json?.phone, '138****5678', plain.text);
  const sealed = await p.call('/choice/v1/x', { key: world.key, headers: { accept: 'application/jose, */*;q=0.1' } });
  assert.equal(sealed.headers['content-type'], 'application/jose', sealed.text);
  assert.equal(seen.at(-1).headers.accept, 'application/json');
});

test('[BK-9.2.2b, EC-6.1.4.3d] both signatures of an A2 call are kept, and verify later from the evidence alone', async () => {
  const r = await cli('/signed/v1/x?kept=1');
  const txn = /Sluice-Transaction: (\S+)/i.exec(r.err)[1];
  const e = p.sluice('audit', 'evidence', '--data-dir', p.data, txn);
  assert.equal(e.code, 0, e.out + e.err);
  assert.match(e.out, /^request: valid\n {2}algorithm sm2-sm3\n/m);
  assert.match(e.out, /^answer: valid\n/m);
  assert.match(e.out, /key is {4}the platform's\nthe answer is to this request\n/);
  assert.equal(p.sluice('audit', 'verify', '--data-dir', p.data).code, 0);

  // a copy, altered
  const dir = path.join(p.data, 'gateway/audit/evidence');
  mkdirSync(at('copy/evidence'), { recursive: true });
  for (const name of readdirSync(dir)) {
    const lines = readFileSync(path.join(dir, name), 'utf8').split('\n').map((line) => {
      if (!line.includes(txn)) return line;
      const one = JSON.parse(line);
      one.answer.base = Buffer.from(Buffer.from(one.answer.base, 'base64').toString().replace('"@status": 200', '"@status": 201')).toString('base64');
      return JSON.stringify(one);
    });
    writeFileSync(at(`copy/evidence/${name}`), lines.join('\n'));
  }
  const bad = p.sluice('audit', 'evidence', '--dir', at('copy'), '--key', answerKey(), txn);
  assert.equal(bad.code, 1, bad.out + bad.err);
  assert.match(bad.out, /^answer: NOT VALID/m);
  assert.equal(p.sluice('audit', 'evidence', '--data-dir', p.data, '0193500a-7c00-7000-8000-000000000001').code, 1);
  assert.equal(p.sluice('audit', 'evidence', '--data-dir', p.data).code, 2);
});

// The last, for it takes the evidence away.
test('[BK-9.2.2b] an answer whose evidence cannot be written does not leave', async () => {
  await p.stop({ check: false, keep: true });
  const dir = path.join(p.data, 'gateway/audit/evidence');
  renameSync(dir, `${dir}.away`);
  writeFileSync(dir, 'no folder');
  await p.spawn();
  let r;
  await until(async () => { r = await p.call('/asked/v1/x', { key: world.key }); return r.json?.code !== 'policy-stale'; }, { ms: 5000, what: 'the policy' });
  assert.equal(r.status, 503, r.text);
  assert.equal(r.json.code, 'audit-unavailable');
  assert.match(r.headers.signature, /^sluice=:/, 'the refusal is signed');
  assert.equal((await p.call('/plain/v1/x', { key: world.key })).status, 200, 'what is not signed goes on');
  unlinkSync(dir);
  renameSync(`${dir}.away`, dir);
  assert.equal((await p.call('/asked/v1/x', { key: world.key })).status, 200, 'and so does the rest when there is room again');
});
