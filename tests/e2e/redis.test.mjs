// SPDX-License-Identifier: Apache-2.0
// Two gateway nodes that share a Redis: one limit, one use of each nonce and single-use grant; and what happens
// when that Redis is killed under load.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { BUILD, freePorts, Platform } from './lib/platform.mjs';
import { sign } from './lib/sign.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const SECRET = 'a-password-of-the-test';
let p, world, upstream, second, secondPort, redis, socket, redisDir;

function startRedis() {
  redis = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', redisDir, '--requirepass', SECRET], { stdio: 'ignore' });
  redis.gone = new Promise((done) => redis.once('exit', done));
  return until(() => { try { return execFileSync('redis-cli', ['-s', socket, '-a', SECRET, '--no-auth-warning', 'ping'], { stdio: ['ignore', 'pipe', 'ignore'] }).includes('PONG'); } catch { return false; } }, { what: 'Redis' });
}

async function killRedis() {
  redis.kill('SIGKILL');
  await redis.gone;
}

const keys = () => execFileSync('redis-cli', ['-s', socket, '-a', SECRET, '--no-auth-warning', 'keys', 'sluice:*'], { encoding: 'utf8' }).split('\n').filter(Boolean);
const settings = (lost) => `gateway:\n  redis_lost: ${lost}\n  redis:\n    address: ${socket}\n    password_file: ${redisDir}/password\n    timeout_ms: 200\n`;

function startUpstream() {
  let asked = 0;
  const server = http.createServer((req, res) => { asked += 1; res.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"A1"}'); });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done({ asked: () => asked, url: `http://127.0.0.1:${server.address().port}/base`,
    close: () => { server.closeAllConnections(); server.close(); } })));
}

// A second node with files of its own, the same keys and the same control plane.
async function startSecond() {
  const dir = path.join(p.dir, 'second');
  for (const name of ['keys', 'pki']) cpSync(path.join(p.data, name), path.join(dir, 'data', name), { recursive: true });
  [secondPort] = await freePorts(1);
  writeFileSync(path.join(dir, 'sluice.yaml'), `${settings('local')}  node: node-2\n  control: https://127.0.0.1:${p.feedPort}\n  workers: 1\n`);
  second = spawn(path.join(BUILD, 'cli/sluice'), ['gateway', '--data-dir', path.join(dir, 'data'), '--gateway-port', String(secondPort), '--control-port', '1', '--feed-port', '2', '--config', path.join(dir, 'sluice.yaml')],
    { env: p.env, stdio: ['ignore', 'pipe', 'pipe'] });
  second.text = '';
  for (const s of [second.stdout, second.stderr]) s.on('data', (d) => { second.text += d; });
  second.gone = new Promise((done) => second.once('exit', done));
}

// port: of the node. headers: sent as they stand instead of freshly signed ones.
function call({ port = p.gatewayPort, headers, grant, agent } = {}) {
  const target = '/one/v1/x', url = `https://127.0.0.1:${port}${target}`;
  const all = headers ?? sign(world.key, { url, headers: grant ? { 'sluice-grant': grant } : {} });
  return new Promise((resolve, reject) => {
    https.get(url, { headers: all, ca: p.ca, servername: 'localhost', agent: agent ?? agents[port === secondPort ? 1 : 0], timeout: 20000 }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; }).on('end', () => {
        let json;
        try { json = JSON.parse(text); } catch { /* the test looks at the text */ }
        resolve({ status: res.statusCode, headers: res.headers, txn: res.headers['sluice-transaction'], text, json });
      });
    }).on('error', reject).on('timeout', () => reject(new Error('no answer in 20 s')));
  });
}
const agents = [];
const statuses = (answers) => answers.reduce((n, a) => ({ ...n, [a.json?.code ?? a.status]: (n[a.json?.code ?? a.status] ?? 0) + 1 }), {});
const both = (n) => Promise.all(Array.from({ length: n }, (_, i) => call({ port: i % 2 ? secondPort : p.gatewayPort })));

async function limit(body) {
  const made = await world.operator.post('/limits', { measure: 'rate', window_ms: 60000, action: 'reject', ...body });
  await delay(500); // at both nodes
  return made.id;
}
const remove = async (id) => { await world.operator.act('limits', id, 'remove'); await delay(500); };

function events(kind) {
  const dirs = [p.data, path.join(p.dir, 'second/data')].map((d) => path.join(d, 'gateway/state/events')).filter(existsSync);
  return dirs.flatMap((dir) => readdirSync(dir).flatMap((f) => readFileSync(path.join(dir, f), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)))).filter((e) => e.kind === kind);
}
async function told(kind) {
  return until(async () => events(kind).length || (await world.operator.get(`/alerts?kind=${kind}`)).items.length, { ms: 10000, what: `the event ${kind}` });
}

before(async () => {
  redisDir = execFileSync('mktemp', ['-d', '/tmp/sluice-redis-XXXXXX'], { encoding: 'utf8' }).trim();
  socket = path.join(redisDir, 's');
  writeFileSync(path.join(redisDir, 'password'), `${SECRET}\n`, { mode: 0o600 });
  await startRedis();
  p = await Platform.start({ args: ['--workers', '2'], config: settings('local') });
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  world.one = await w.httpApi(world, 'one', upstream.url, { fields: [{ path: 'id', name: 'id', level: 1, type: 'scalar', mask: '' }] });
  await w.subscription(world, world.app, world.one);
  await startSecond();
  agents.push(new https.Agent({ ca: p.ca, keepAlive: true, maxSockets: 24 }), new https.Agent({ ca: p.ca, keepAlive: true, maxSockets: 24 }));
  await until(async () => (await call()).status === 200, { ms: 15000, what: 'the first node' });
  await until(async () => (await call({ port: secondPort })).status === 200, { ms: 15000, what: 'the second node' }).catch((e) => { throw new Error(`${e.message}\n${second.text}`); });
});
after(async () => {
  agents.forEach((a) => a.destroy());
  if (second && second.exitCode === null) { second.kill('SIGTERM'); await second.gone; }
  upstream?.close();
  await p?.stop();
  if (redis && redis.exitCode === null) await killRedis();
  if (redisDir) execFileSync('rm', ['-rf', redisDir]);
});

test('[BK-10.1.2a1-2] two nodes share one limit: four times as many calls over both, not one too many', async () => {
  const id = await limit({ per: 'app', amount: 40 });
  const from = upstream.asked();
  assert.deepEqual(statuses(await both(160)), { 200: 40, 'rate-limited': 120 });
  assert.equal(upstream.asked() - from, 40);
  assert.ok(keys().some((k) => k.startsWith('sluice:limit:')), 'they are counted in Redis');
  await remove(id);
});

test('[BK-10.1.2a1-1, BK-10.1.2a1-3, BK-10.1.2a1-4] concurrency, alert and suspension too', async () => {
  const idle = await limit({ per: 'app', measure: 'concurrency', window_ms: undefined, amount: 5 });
  for (let i = 0; i < 20; i++) assert.equal((await call({ port: i % 2 ? secondPort : p.gatewayPort })).status, 200, 'each gives back what it took');
  await remove(idle);
  const alert = await limit({ per: 'app', action: 'alert', amount: 1 });
  assert.deepEqual(statuses(await both(6)), { 200: 6 });
  await told('limit-alert');
  await remove(alert);
  const suspend = await limit({ per: 'app', action: 'suspend', suspend_s: 600, amount: 2 });
  assert.deepEqual(statuses(await both(8)), { 200: 2, 'calls-suspended': 6 });
  await world.operator.act('limits', suspend, 'release');
  await delay(500);
  assert.equal((await call({ port: secondPort })).status, 200, 'released by hand');
  await remove(suspend);
});

test('[EC-6.1.3.1b, BK-9.2.1b4-2] a call captured at one node is a replay at the other', async () => {
  const url = `https://gateway.test/one/v1/x`;
  const headers = { ...sign(world.key, { url }), host: 'gateway.test' };
  const first = await call({ headers });
  assert.equal(first.status, 200, first.text);
  refused(await call({ headers, port: secondPort }), 401, 'signature-replayed');
  refused(await call({ headers }), 401, 'signature-replayed');
});

test('[BK-9.3.2a3] a single-use grant is used once over both nodes', async () => {
  const once = (await w.grant(world, world.app, world.one, { term: 'once', expires_at: new Date(Date.now() + 3600e3).toISOString() })).id;
  await delay(500);
  const answers = await Promise.all([0, 1, 0, 1, 0, 1].map((i) => call({ port: i ? secondPort : p.gatewayPort, grant: once })));
  assert.deepEqual(statuses(answers), { 200: 1, 'grant-expired': 5 });
});

test('[BK-10.1.2a1-2] Redis killed under load: no call fails, each node counts by itself, and shares again when it is back', async () => {
  const id = await limit({ per: 'app', amount: 1000000 });
  const answers = [];
  let slowest = 0, stop = false;
  const load = Promise.all([0, 1, 0, 1].map(async (i) => {
    while (!stop) {
      const start = performance.now();
      answers.push(await call({ port: i ? secondPort : p.gatewayPort }));
      slowest = Math.max(slowest, performance.now() - start);
    }
  }));
  await delay(700);
  await killRedis();
  await delay(1500);
  stop = true;
  await load;
  assert.deepEqual(Object.keys(statuses(answers)), ['200'], JSON.stringify(statuses(answers)));
  console.log(`        ${answers.length} calls, the slowest ${slowest.toFixed(0)} ms`);
  await told('redis-lost');
  await remove(id);
  const own = await limit({ per: 'app', amount: 5 });
  assert.deepEqual(statuses(await both(40)), { 200: 10, 'rate-limited': 30 }, 'each node the whole amount');
  const url = `https://gateway.test/one/v1/x`;
  const headers = { ...sign(world.key, { url }), host: 'gateway.test' };
  assert.equal((await call({ headers })).status, 429);
  refused(await call({ headers }), 401, 'signature-replayed');
  await remove(own);
  await startRedis();
  await told('redis-back');
  const shared = await limit({ per: 'app', amount: 10 });
  await until(async () => { await both(2); return keys().some((k) => k.startsWith('sluice:nonce:')); }, { ms: 8000, what: 'the nodes at Redis again' });
  await remove(shared);
  await delay(6000); // the longest back-off of either node
  const again = await limit({ per: 'app', amount: 10 });
  assert.deepEqual(statuses(await both(40)), { 200: 10, 'rate-limited': 30 });
  await remove(again);
});

test('[BK-10.1.2a1-2] a Redis that hangs costs its time-out once, then nothing', async () => {
  const id = await limit({ per: 'app', amount: 1000000 });
  assert.equal((await call()).status, 200);
  redis.kill('SIGSTOP');
  try {
    for (let i = 0; i < 8; i++) assert.equal((await call()).status, 200);
    const start = performance.now();
    for (let i = 0; i < 10; i++) assert.equal((await call()).status, 200);
    assert.ok(performance.now() - start < 1500, 'nobody waits for it any more');
  } finally {
    redis.kill('SIGCONT');
  }
  await remove(id);
});

test('[BK-10.1.2a1] with redis_lost: refuse calls under a limit are refused while Redis is away', async () => {
  await p.stop({ check: false, keep: true });
  writeFileSync(path.join(p.dir, 'sluice.yaml'), settings('refuse'));
  await killRedis();
  await p.spawn();
  await until(async () => { const a = await call({ agent: false }); return a.json?.code === 'limits-unavailable'; }, { ms: 15000, what: 'the refusal' });
  const answer = await call({ agent: false });
  refused(answer, 503, 'limits-unavailable');
  assert.equal(answer.headers['retry-after'], '1');
  await startRedis();
  await until(async () => (await call({ agent: false })).status === 200, { ms: 15000, what: 'service again' });
});
