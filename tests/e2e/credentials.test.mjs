// SPDX-License-Identifier: Apache-2.0
// The life of a credential: a certificate of the platform's own CA, checked by the openssl command as any client would;
// a successor with an overlap; a loss; an end. And the platform's own keys, which no file holds in clear.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { cpSync, chmodSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { keyPair } from './lib/pki.mjs';
import { BUILD, Platform } from './lib/platform.mjs';
import { verified } from './lib/records.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
const A1 = '/unit/v1/good';
const A2 = '/account/v1/good';
const agents = [];

const openssl = (...args) => spawnSync('openssl', args, { encoding: 'utf8' });
const file = (name, bytes) => { const f = path.join(p.dir, name); writeFileSync(f, bytes); return f; };
const ecdsa = (pair) => (base) => crypto.sign('sha256', Buffer.from(base), { key: pair.pem, dsaEncoding: 'ieee-p1363' });

// Bytes of a public address of the control plane.
function fetchBytes(target, { method = 'GET', body, type } = {}) {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'content-type': type, 'content-length': body.length } : {};
    const req = https.request(p.control + target, { method, headers, ca: p.ca, agent: false }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => resolve({ status: res.statusCode, type: res.headers['content-type'], bytes: Buffer.concat(parts) }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

function request(pair, name, ...more) {
  const csr = path.join(p.dir, `${name}.csr`);
  execFileSync('openssl', ['req', '-new', '-key', pair.file, '-out', csr, '-subj', '/O=Chosen by the applicant/CN=anybody', ...more], { stdio: 'ignore' });
  return readFileSync(csr, 'utf8');
}

// An app's certificate by request and approval: {id, algorithm, sign, agent, cert, serial, pair}.
async function certified(app, name, how, more = []) {
  const pair = keyPair(p.dir, name, how);
  const asked = await world.developer.post('/certificate_requests', { app_id: app, csr: request(pair, name, ...more), label: name });
  const issued = await world.operator.act('certificate_requests', asked.id, 'issue');
  const credential = await world.developer.get(`/credentials/${issued.credential_id}`);
  const agent = new https.Agent({ ca: p.ca, keepAlive: true, cert: credential.certificate, key: pair.pem, maxCachedSessions: 0 });
  agents.push(agent);
  return { id: credential.id, algorithm: credential.algorithm, sign: ecdsa(pair), agent, cert: credential.certificate, serial: credential.serial, pair, credential };
}

const call = (target, key, more = {}) => p.call(target, { key, agent: key.agent ?? p.agent, ...more });
const becomes = (key, target, code) => until(async () => {
  const a = await call(target, key);
  return (a.json?.code ?? a.status) === code && a;
}, { what: `${code} of ${target}` });

// What `openssl ocsp` reads from our responder about a certificate: its own request, its own verification.
async function ocsp(certificate, ca = 'apps', ...more) {
  const issuer = file(`${ca}.crt`, (await fetchBytes(`/pki/${ca}.crt`)).bytes);
  return openssl('ocsp', '-issuer', issuer, '-cert', file('asked.crt', certificate), '-url', `${p.control}/pki/ocsp`, '-CAfile', issuer, ...more);
}

async function crlCheck(certificate) {
  const ca = file('apps.crt', (await fetchBytes('/pki/apps.crt')).bytes);
  const { bytes, type } = await fetchBytes('/pki/apps.crl');
  assert.equal(type, 'application/pkix-crl');
  const crl = path.join(p.dir, 'apps.crl.pem');
  execFileSync('openssl', ['crl', '-inform', 'DER', '-in', file('apps.crl', bytes), '-out', crl]);
  return openssl('verify', '-crl_check', '-purpose', 'sslclient', '-x509_strict', '-CAfile', ca, '-CRLfile', crl, file('checked.crt', certificate));
}

before(async () => {
  p = await Platform.start({ config: 'control:\n  public_url: https://sluice.example\n' });
  upstream = await startUpstream();
  world = await w.trading(p, { orders: 50 });
  world.a1 = await w.httpApi(world, 'unit', upstream.url);
  world.a2 = await w.httpApi(world, 'account', upstream.url, { class: 'A2', methods: ['GET'], operation: 'holdings', sdk_required: false, purpose_required: false, query: false, user_confirmation: false });
  await w.subscription(world, world.app, world.a1);
  await becomes(world.key, A1, 200);
});
after(async () => {
  for (const agent of agents) agent.destroy();
  upstream?.close();
  await p?.stop();
});

test('[BK-9.2.1a1-1, GS-6.5b2-3] a certificate of the platform\'s CA is approved, opens A2 at once, and its revocation bites within a second', async () => {
  const app = await w.admittedApp(world, 'Certified by us');
  for (const api of [world.a1, world.a2]) await w.subscription(world, app, api);
  const key = await certified(app, 'ours');
  assert.equal(key.credential.class, 'A2'); // by what the app calls
  await becomes(key, A2, 200);
  refused(await call(A2, { ...key, agent: undefined }), 401, 'certificate-missing');
  const { infoAccess } = new crypto.X509Certificate(key.cert); // behind a proxy others find us at control.public_url
  assert.match(infoAccess, /OCSP - URI:https:\/\/sluice\.example\/pki\/ocsp\nCA Issuers - URI:https:\/\/sluice\.example\/pki\/apps\.crt/);
  assert.match(openssl('x509', '-in', file('named.crt', key.cert), '-noout', '-text').stdout, /URI:https:\/\/sluice\.example\/pki\/apps\.crl/);
  const before_ = await crlCheck(key.cert);
  assert.match(before_.stdout, /OK/, before_.stderr);
  const good = await ocsp(key.cert);
  assert.match(good.stdout, /: good/, good.stderr);
  assert.match(good.stderr, /Response verify OK/);
  assert.doesNotMatch(good.stderr, /nonce/i);
  await world.developer.act('credentials', key.id, 'revoke', { reason: 'the machine is sold' });
  const at = Date.now();
  const gone = await becomes(key, A2, 'credential-inactive');
  assert.ok(gone.status === 401 && Date.now() - at < 1000, `${gone.text} after ${Date.now() - at} ms`);
  const after_ = await crlCheck(key.cert);
  assert.match(after_.stderr + after_.stdout, /certificate revoked/);
  assert.match((await ocsp(key.cert)).stdout, /: revoked/);
});

test('[BK-9.2.1a1-2] an SM2 certificate and what openssl says of a request nobody knows', async () => {
  const app = await w.admittedApp(world, 'SM2 by us');
  const key = await certified(app, 'ours-sm2', ['-algorithm', 'SM2'], ['-sm3', '-sigopt', 'distid:1234567812345678']);
  assert.equal(key.algorithm, 'sm2-sm3');
  const ca = file('sm2.crt', (await fetchBytes('/pki/apps-sm2.crt')).bytes);
  const checked = openssl('verify', '-vfyopt', 'distid:1234567812345678', '-CAfile', ca, file('sm2-leaf.crt', key.cert));
  assert.match(checked.stdout, /OK/, checked.stderr);
  const crl = openssl('crl', '-inform', 'DER', '-in', file('sm2.crl', (await fetchBytes('/pki/apps-sm2.crl')).bytes), '-noout', '-text');
  assert.match(crl.stdout, /SM2-with-SM3[\s\S]*CRL Number/);
  const [name] = readdirSync(path.join(p.data, 'pki')).filter((f) => f === 'control.crt');
  assert.match((await ocsp(readFileSync(path.join(p.data, 'pki', name)))).stdout, /: unknown/); // a certificate of another CA's
  const junk = await fetchBytes('/pki/ocsp', { method: 'POST', body: Buffer.from('junk'), type: 'application/ocsp-request' });
  assert.deepEqual([junk.status, junk.bytes.toString('hex')], [200, '30030a0101']); // malformedRequest
});

test('[BK-7.3.4c2] rotation: both secrets work while they overlap, then the old one is refused', async () => {
  const old = await w.credential(world, world.app);
  await becomes(old, A1, 200);
  const next = await world.developer.act('credentials', old.id, 'rotate', { overlap_s: 4 });
  const end = Date.now() + 4000;
  assert.equal(next.supersedes, old.id);
  await becomes(next, A1, 200);
  assert.equal((await call(A1, old)).status, 200);
  await until(async () => (await call(A1, old)).status === 401, { what: 'the end of the overlap' });
  assert.ok(Date.now() >= end - 1000 && Date.now() < end + 2000, `${Date.now() - end} ms from the end`);
  assert.equal((await call(A1, next)).status, 200);
});

test('[BK-9.3.5b2] a loss that is reported suspends the key within a second', async () => {
  const key = await w.credential(world, world.app);
  await becomes(key, A1, 200);
  await world.developer.act('credentials', key.id, 'report-loss', { reason: 'left on a train' });
  const at = Date.now();
  await until(async () => (await call(A1, key)).status === 401, { what: 'the suspension' });
  assert.ok(Date.now() - at < 1000);
  assert.deepEqual((await world.operator.get('/credentials?state=suspended')).items.map((c) => c.id), [key.id]);
});

test('[BK-9.4b1, BK-9.4b2] after the exit no credential works, and all of them stay on record', async () => {
  const app = await w.admittedApp(world, 'Leaving');
  await w.subscription(world, app, world.a1);
  const keys = [await w.credential(world, app), await certified(app, 'leaving')];
  for (const key of keys) await becomes(key, A1, 200);
  await world.developer.act('apps', app, 'withdraw');
  for (const key of keys) await until(async () => (await call(A1, key)).status >= 400, { what: 'the exit' });
  const kept = (await world.operator.get(`/credentials?app_id=${app}`)).items;
  assert.deepEqual(kept.map((c) => [c.state, c.reason]), keys.map(() => ['revoked', 'the app has left']));
  assert.match((await ocsp(keys[1].cert)).stdout, /: revoked/);
  await restRefuses(world.developer.patch(`/credentials/${keys[0].id}`, { label: 'again' }, kept[0].revision), 'state-conflict');
});

test('[BK-7.3.4b1] the secret scan of ./dev lint finds a planted key, plain or encrypted, in source, in a built file and in the packed SDK', () => {
  const dir = path.join(p.dir, 'planted');
  mkdirSync(dir);
  const scan = (...args) => spawnSync('python3', ['tools/check_secrets.py', ...args], { encoding: 'utf8' });
  const { pem, file: key } = keyPair(dir, 'plain');
  const sealed = execFileSync('openssl', ['pkcs8', '-topk8', '-in', key, '-passout', 'pass:x'], { encoding: 'utf8' });
  const planted = { 'plain.c': `static const char key[] = ${JSON.stringify(pem)};\n`, 'encrypted.js': `export const key = \`${sealed}\`;\n`, 'built.so': Buffer.concat([crypto.randomBytes(5000), Buffer.from(pem)]),
    'jwk.json': JSON.stringify(crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })) };
  for (const [name, text] of Object.entries(planted)) {
    writeFileSync(path.join(dir, name), text);
    const { status, stdout } = scan(path.join(dir, name));
    assert.equal(status, 1, name);
    assert.match(stdout, new RegExp(`${name}:\\d+: a private key`));
    assert.ok(!stdout.includes(pem.split('\n')[1]));
  }
  const sdk = path.join(dir, 'sdk'); // as it is packed: what nobody sees in the bytes of the package
  const packed = () => path.join(dir, execFileSync('npm', ['pack', '--silent', '--offline', '--ignore-scripts', '--pack-destination', dir], { cwd: sdk, encoding: 'utf8' }).trim());
  cpSync('sdk/js', sdk, { recursive: true });
  const whole = scan(packed());
  assert.equal(whole.status, 0, whole.stdout);
  writeFileSync(path.join(sdk, 'src/words.js'), `${readFileSync(path.join(sdk, 'src/words.js'), 'utf8')}export const key = \`${sealed}\`;\n`);
  const { status, stdout } = scan(packed());
  assert.equal(status, 1);
  assert.match(stdout, /sluice-sdk-[\d.]+\.tgz!package\/src\/words\.js:\d+: a private key/);
  writeFileSync(path.join(dir, 'clean.c'), 'strstr(text, "-----BEGIN PRIVATE KEY-----")\n');
  assert.equal(scan(path.join(dir, 'clean.c')).status, 0);
  assert.equal(scan().status, 0, scan().stdout); // this tree and what is built here
  assert.match(readFileSync('dev', 'utf8'), /step in format scripts sdk layers/); // packed before it is looked through
  assert.match(readFileSync('dev', 'utf8'), /layers \| house \| secrets\) python3 "tools\/check_\$step.py" \|\|/);
});

test('[BK-9.3.5b1, BK-7.3.4b3] a client key file under a passphrase signs; altered, renamed or with another passphrase it does not', async () => {
  const app = await w.admittedApp(world, 'Sealed keys');
  await w.subscription(world, app, world.a1);
  const pair = keyPair(p.dir, 'till');
  const credential = await world.developer.post('/credentials', { app_id: app, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicPem });
  const [right, wrong] = ['right', 'wrong'].map((name) => { const f = file(`${name}.pass`, `the ${name} passphrase\n`); chmodSync(f, 0o400); return f; });
  const sluice = (pass, ...args) => spawnSync(path.join(BUILD, 'cli/sluice'), args, { encoding: 'utf8', env: { ...p.env, SLUICE_KEY_PASSPHRASE_FILE: pass } });
  const open = sluice(right, 'call', '--credential', credential.id, '--key', pair.file, '--cacert', p.caFile, `${p.gateway}${A1}`);
  assert.deepEqual([open.status, /lies there in clear/.test(open.stderr)], [2, true], open.stderr); // unless --plain-key asks for it
  assert.equal(sluice(right, 'keystore', 'seal', pair.file).status, 0);
  const sealed = readFileSync(pair.file, 'utf8');
  assert.match(sealed, /SEALED/);
  assert.ok(!sealed.includes(pair.pem.split('\n')[1]));
  const get = (pass, key = pair.file) => new Promise((resolve) => { // not in step: the upstream is in this process
    execFile(path.join(BUILD, 'cli/sluice'), ['call', '--credential', credential.id, '--key', key, '--cacert', p.caFile, `${p.gateway}${A1}`],
      { env: { ...p.env, SLUICE_KEY_PASSPHRASE_FILE: pass } }, (e, stdout, stderr) => resolve({ status: e ? e.code : 0, stdout, stderr }));
  });
  await becomes({ id: credential.id, algorithm: credential.algorithm, sign: ecdsa(pair) }, A1, 200);
  const ok = await get(right);
  assert.equal(ok.status, 0, ok.stderr + ok.stdout);
  assert.match(ok.stdout, /"id"/);
  for (const bad of [await get(wrong), await get('/nonexistent'), await get(right, file('renamed.key', sealed)), sluice(wrong, 'keystore', 'check', pair.file)]) {
    assert.notEqual(bad.status, 0);
    assert.match(bad.stderr, /key-store-locked/);
  }
  const at = sealed.length >> 1;
  writeFileSync(pair.file, sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1));
  assert.match((await get(right)).stderr, /key-store-locked/);
});

// A dangerous act: one administrator asks, another agrees.
async function replacementOf(key, reason) {
  const asked = await world.admin.raw('POST', '/api/v1/key_replacements', { key, reason });
  assert.deepEqual([asked.status, asked.body.operation], [202, 'key_replacements.create']);
  await restRefuses(world.admin.act('approvals', asked.body.id, 'approve'), 'self-approval');
  second ??= await w.user(world.admin, 'second-admin', 'admin');
  assert.equal((await second.act('approvals', asked.body.id, 'approve')).state, 'executed');
  return (await world.admin.list('key_replacements', { key, sort: '-created_at' }))[0].id;
}
let second;
const keyFile = (name) => readFileSync(path.join(p.data, 'keys', name), 'utf8');

test('[SW-9.7-3a] the master key is replaced while calls go on, over a kill -9 of the control plane; the old one opens nothing any more', async () => {
  await restRefuses(world.operator.post('/key_replacements', { key: 'master', reason: 'x' }), 'not-permitted');
  const were = keyFile('master.key');
  const id = await replacementOf('master', 'its keeper left');
  const state = async () => (await world.admin.get(`/key_replacements/${id}`)).state;
  await until(async () => (await state()) === 'resealing', { ms: 30000, what: 'the new key' });
  assert.deepEqual([keyFile('master.key'), keyFile('master.next.key').startsWith('-----BEGIN SLUICE SEALED')], [were, true]);
  const [killed] = p.processes().control;
  process.kill(killed, 'SIGKILL');
  assert.equal((await call(A1, world.key)).status, 200); // nobody who calls notices
  await until(async () => { try { return (await state()) === 'replaced'; } catch { return false; } }, { ms: 60000, what: 'the old key gone' });
  assert.notEqual(keyFile('master.key'), were);
  assert.ok(!readdirSync(path.join(p.data, 'keys')).includes('master.next.key'));
  const done = await world.admin.get(`/key_replacements/${id}`);
  assert.ok(done.resealed > 5 && done.old_key_id && done.new_key_id !== done.old_key_id, JSON.stringify(done));
  const log = (await world.admin.get('/operations?kind=key-replacement')).items.filter((o) => o.resource_id === id).map((o) => `${o.action} by ${o.actor}`);
  assert.deepEqual(log.sort(), ['create by admin', 'destroy by platform', 'generate by platform', 'reseal by platform']);
  // What was sealed before is at hand, and what is sealed now, after a start with the new key alone.
  process.kill(p.processes().control[0], 'SIGKILL');
  await until(async () => { try { return (await world.admin.get('/sources')).total > 0; } catch { return false; } }, { ms: 60000, what: 'the control plane' });
  const [source] = await world.admin.list('sources');
  assert.ok((await world.provider.get(`/sources/${source.id}/tables`)).items.length > 0, 'its connection opens');
  const made = await world.developer.post('/credentials', { app_id: world.app, algorithm: 'hmac-sm3' });
  await becomes({ ...world.key, id: made.id, secret: made.secret }, A1, 200);
  assert.ok(!p.log.includes('opens under neither'));
});

test('[SW-9.7-3a] the link key is replaced while calls go on: none fails, over a kill -9 of the control plane and of the data service, and the old key is gone', async () => {
  const were = keyFile('link.key');
  const asked = await world.admin.raw('POST', '/api/v1/key_replacements', { key: 'link', reason: 'a year is over', overlap_s: 5 });
  await second.act('approvals', asked.body.id, 'approve');
  const { id } = (await world.admin.list('key_replacements', { key: 'link' }))[0];
  const state = async () => { try { return (await world.admin.get(`/key_replacements/${id}`)).state; } catch { return 'away'; } };
  let over = false;
  const answers = new Map();
  const calling = (async () => { // an app's calls, by a secret that nodes hold sealed, to a unit's API and to a table's rows
    for (let i = 0; !over; i++) {
      const a = await call(i % 2 ? A1 : '/trade/orders/v1?limit=1', world.key, i % 2 ? {} : { grant: world.grant });
      const said = String(a.json?.code ?? a.status);
      answers.set(said, (answers.get(said) ?? 0) + 1);
    }
  })();
  await until(async () => (await state()) === 'resealing', { ms: 30000, what: 'the new link key' });
  process.kill(p.processes().control[0], 'SIGKILL');
  await until(async () => (await state()) === 'replaced', { ms: 90000, what: 'the old link key gone' });
  over = true;
  await calling;
  assert.deepEqual([...answers.keys()], ['200'], JSON.stringify([...answers]));
  assert.notEqual(keyFile('link.key'), were);
  assert.deepEqual(readdirSync(path.join(p.data, 'keys')).filter((f) => f.includes('next')), []);
  const log = (await world.admin.get('/operations?kind=key-replacement&page_size=50')).items.filter((o) => o.resource_id === id).map((o) => o.action);
  assert.deepEqual(log.sort(), ['create', 'destroy', 'generate', 'reseal']);
  // What starts with the new key alone opens all that nodes were told, and the control plane speaks to it.
  process.kill(p.processes().data[0], 'SIGKILL');
  await until(async () => (await call('/trade/orders/v1?limit=1', world.key, { grant: world.grant })).status === 200, { ms: 60000, what: 'the data service' });
  const [source] = await world.admin.list('sources');
  await until(async () => (await world.provider.raw('GET', `/api/v1/sources/${source.id}/tables`)).status === 200, { ms: 60000, what: 'its word with the control plane' });
});

test('[BK-7.3.4b2, SW-9.7-3a] the platform\'s key files are sealed; with another passphrase it does not start, and changes nothing', async () => {
  const names = ['master', 'link', 'data', 'audit', 'answer', 'body-sm2', 'body-ec'];
  const keys = () => names.map((name) => readFileSync(path.join(p.data, `keys/${name}.key`), 'utf8'));
  const were = keys();
  for (const [i, text] of were.entries()) assert.match(text, /^-----BEGIN SLUICE SEALED PRIVATE KEY-----\n/, names[i]);
  const links = ['ca', 'control', 'gateway', 'data'].map((name) => path.join(p.data, `pki/${name}.key`));
  for (const file of links) assert.match(readFileSync(file, 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/, file);
  const passphrase = readFileSync(path.join(p.data, 'keys/passphrase'), 'utf8');
  assert.ok(!readFileSync(path.join(p.data, 'gateway/nginx/nginx.conf'), 'utf8').includes(passphrase.trim()));
  for (const pid of Object.values(p.processes()).flat()) assert.ok(!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(passphrase.trim()));
  await p.stop({ keep: true });
  const args = ['serve', '--data-dir', p.data, '--control-port', p.controlPort, '--feed-port', p.feedPort, '--gateway-port', p.gatewayPort].map(String);
  const refusedStart = spawnSync(path.join(BUILD, 'cli/sluice'), args, { encoding: 'utf8', timeout: 20000, env: { ...p.env, SLUICE_KEY_PASSPHRASE: 'another passphrase' } });
  assert.equal(refusedStart.status, 1);
  assert.match(refusedStart.stderr, /key-store-locked/);
  assert.deepEqual(keys(), were);
  // Kept elsewhere, by the environment, which no process shows any more.
  rmSync(path.join(p.data, 'keys/passphrase'));
  // One left plain by an earlier version is sealed at the start.
  writeFileSync(links[1], crypto.createPrivateKey({ key: readFileSync(links[1]), passphrase: passphrase.trim() }).export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  process.env.SLUICE_KEY_PASSPHRASE = passphrase.trim();
  try { await p.spawn(); } finally { delete process.env.SLUICE_KEY_PASSPHRASE; }
  await becomes(world.key, A1, 200);
  assert.match(readFileSync(links[1], 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  for (const pid of [p.child.pid, ...Object.values(p.processes()).flat()]) assert.ok(!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(passphrase.trim()), String(pid));
});

test('[BK-7.3.4b2, SW-9.7-3a] the passphrase is handed to a hardware module, and without module or PIN the platform does not start', async () => {
  const tokens = path.join(p.dir, 'tokens');
  const sealed = path.join(p.data, 'keys/passphrase.hsm');
  const handed = path.join(p.data, 'keys/passphrase');
  const pin = file('hsm-pin', '48151623');
  chmodSync(pin, 0o400);
  mkdirSync(tokens);
  const plainEnv = { ...process.env, SOFTHSM2_CONF: file('softhsm2.conf', `directories.tokendir = ${tokens}\n`) };
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', 'sluice', '--so-pin', '87654321', '--pin', '48151623'], { env: plainEnv });
  const settings = file('sluice.yaml', `hsm:\n  module: /usr/lib/softhsm/libsofthsm2.so\n  token: sluice\n  key: passphrase\n  pin_file: ${pin}\n`);
  const passphrase = readFileSync(`/proc/${p.child.pid}/fd/${memory(p.child.pid)}`, 'utf8');
  await p.stop({ keep: true });
  process.env.SOFTHSM2_CONF = plainEnv.SOFTHSM2_CONF;
  try {
    // The passphrase the keys are under already goes in; then its file can go.
    writeFileSync(handed, passphrase, { mode: 0o400 });
    p.extra.push('--config', settings);
    await p.spawn();
    assert.match(p.log, /sealed by the hardware module; remove /);
    await p.stop({ keep: true });
    rmSync(handed);
    assert.ok(!readFileSync(sealed, 'utf8').includes(passphrase));
    await p.spawn();
    await becomes(world.key, A1, 200);
    await p.stop({ keep: true });
    const args = ['serve', '--data-dir', p.data, '--control-port', p.controlPort, '--feed-port', p.feedPort, '--gateway-port', p.gatewayPort, '--config', settings].map(String);
    for (const [change, undo, why] of [
      [() => chmodSync(pin, 0o444), () => chmodSync(pin, 0o400), /key-store-locked: .*PIN/],
      [() => renameSync(tokens, `${tokens}-away`), () => renameSync(`${tokens}-away`, tokens), /key-store-locked/],
    ]) {
      change();
      const start = spawnSync(path.join(BUILD, 'cli/sluice'), args, { encoding: 'utf8', timeout: 20000, env: p.env });
      undo();
      assert.notEqual(start.status, 0);
      assert.match(start.stderr, why);
    }
    await p.spawn();
    await becomes(world.key, A1, 200);
  } finally {
    delete process.env.SOFTHSM2_CONF;
  }
});

// The descriptor of the memory in which a passphrase that came by the environment lies.
function memory(pid) {
  return readdirSync(`/proc/${pid}/fd`).find((fd) => { try { return readlinkSync(`/proc/${pid}/fd/${fd}`).includes('sluice-passphrase'); } catch { return false; } });
}

test('all of it is in the audit log, which verifies', () => verified(p));
