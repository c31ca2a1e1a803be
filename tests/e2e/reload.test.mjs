// SPDX-License-Identifier: Apache-2.0
// Settings, module and agent change under load. What counts as dropped: a call whose answer was cut or not 200, or
// that had no answer; but for one thing. nginx closes an idle HTTP/1.1 connection of a worker that goes, and a
// request may cross that close on its way: the client sees the end of a connection that it had used before, and not
// a byte of an answer. RFC 9112 section 9.3.1 has clients send such a request once more, and so does this one, the
// very same bytes: were the first copy processed, the second would be refused as a replay. The test counts these.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { delay, until } from './lib/wait.mjs';

// A program and a module of the test's own, so that it can replace the module.
const home = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-build-'));
const from = process.env.SLUICE_BUILD ?? path.resolve('build-asan');
const MODULE = path.join(home, 'gateway/ngx_http_sluice_module.so');
for (const file of ['cli/sluice', 'gateway/ngx_http_sluice_module.so']) {
  mkdirSync(path.dirname(path.join(home, file)), { recursive: true });
  cpSync(path.join(from, file), path.join(home, file));
}
process.env.SLUICE_BUILD = home;
const { freePorts, Platform } = await import('./lib/platform.mjs');
const { records, verified } = await import('./lib/records.mjs');
const { sign } = await import('./lib/sign.mjs');
const { startUpstream } = await import('./lib/upstream.mjs');
const w = await import('./lib/world.mjs');

const TARGET = '/trade/orders/v1?limit=1';
let p;
let world;
const answered = []; // {txn, status} of every call of the load

before(async () => {
  p = await Platform.start({ config: 'gateway:\n  workers: 2\n' });
  world = await w.trading(p);
});
after(async () => {
  await p?.stop();
  rmSync(home, { recursive: true, force: true });
});

const file = () => path.join(p.dir, 'sluice.yaml');
const settings = (text) => writeFileSync(file(), text);
const signed = () => sign(world.key, { url: p.gateway + TARGET, headers: { 'sluice-grant': world.grant } });

// One request on the agent's connection. Resolves to {status, txn}, or {again: true} when a reused connection ended
// before any byte of an answer; anything else that goes wrong is a drop and rejects.
function once(agent, headers) {
  return new Promise((resolve, reject) => {
    const req = https.request({ host: '127.0.0.1', port: p.gatewayPort, path: TARGET, headers, agent, ca: p.ca }, (res) => {
      res.on('data', () => {});
      res.on('error', reject);
      res.on('end', () => (res.complete ? resolve({ status: res.statusCode, txn: res.headers['sluice-transaction'] }) : reject(new Error('cut'))));
    });
    req.setTimeout(15000, () => req.destroy(new Error('no answer')));
    req.on('error', (e) => (req.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(e.code) ? resolve({ again: true }) : reject(e)));
    req.end();
  });
}

async function callH1(agent, tally) {
  const headers = signed();
  let answer = await once(agent, headers);
  if (answer.again) {
    tally.retried += 1;
    answer = await once(new https.Agent({ ca: p.ca, maxSockets: 1 }), headers);
  }
  return answer;
}

// HTTP/2: a session that was told to go away takes no new calls; those under way on it are answered.
class H2 {
  call(headers) {
    if (!this.session || this.session.closed || this.session.destroyed || this.away) {
      this.away = false;
      const session = http2.connect(p.gateway, { ca: p.ca });
      session.on('goaway', () => { if (session === this.session) this.away = true; session.close(); });
      session.on('error', () => {});
      this.session = session;
    }
    return new Promise((resolve, reject) => {
      const stream = this.session.request({ ':path': TARGET, ...headers });
      const answer = {};
      stream.on('response', (h) => { answer.status = h[':status']; answer.txn = h['sluice-transaction']; });
      stream.on('data', () => {});
      stream.on('error', (e) => { answer.error = e; });
      stream.on('close', () => (answer.status && !answer.error ? resolve(answer) : reject(answer.error ?? new Error(`stream closed: ${stream.rstCode}`))));
    });
  }

  // As a stock client: a stream that did not begin, or that the peer says it has not processed, is sent again.
  async retried(tally) {
    const headers = signed();
    try {
      return await this.call(headers);
    } catch (e) {
      if (!/REFUSED_STREAM|GOAWAY|ERR_HTTP2_(GOAWAY_SESSION|INVALID_SESSION|SESSION_ERROR|STREAM_CANCEL)/.test(`${e.code} ${e.message}`)) throw e;
      tally.h2 += 1;
      this.away = true;
      return this.call(headers);
    }
  }
}

// Signing clients on connections of their own until stop(): {calls, retried, dropped}.
function load({ clients = 4, pause = 1 } = {}) {
  const tally = { calls: 0, retried: 0, h2: 0, dropped: [] };
  let running = true;
  const caller = async (one) => {
    while (running) {
      try {
        const answer = await one();
        answered.push(answer);
        if (answer.status !== 200) tally.dropped.push(`status ${answer.status} ${answer.txn}`);
        tally.calls += 1;
      } catch (e) {
        tally.dropped.push(`${e.code ?? ''} ${e.message}`);
      }
      await delay(pause);
    }
  };
  const all = Array.from({ length: clients }, (_, i) => {
    const agent = new https.Agent({ ca: p.ca, keepAlive: true, maxSockets: 1 });
    const h2 = new H2();
    return caller(i % 2 ? () => h2.retried(tally) : () => callH1(agent, tally)).finally(() => { agent.destroy(); h2.session?.close(); });
  });
  return async () => { running = false; await Promise.all(all); return tally; };
}

const master = () => Number(readFileSync(path.join(p.data, 'gateway/nginx/nginx.pid'), 'utf8'));
const said = (text) => p.log.split(text).length - 1;

async function reload(text) {
  const n = said('nginx has taken the settings');
  settings(text);
  p.child.kill('SIGHUP');
  await until(() => said('nginx has taken the settings') > n, { ms: 20000, what: 'the reload' });
}

// Debian's nginx reads the module anew in a new process only: the file is replaced by rename, never written over.
function install(bytes) {
  writeFileSync(`${MODULE}.new`, bytes);
  renameSync(`${MODULE}.new`, MODULE);
}

async function upgrade(wanted) {
  const n = said(wanted);
  p.child.kill('SIGUSR2');
  await until(() => said(wanted) > n, { ms: 40000, what: wanted });
}

test('[EC-4.2.1-0g] five reloads and an upgrade of program and module under load drop no call', async () => {
  const first = master();
  const stop = load();
  try {
    for (let i = 1; i <= 5; i++) {
      await delay(300);
      await reload(`gateway:\n  workers: ${2 + (i % 2)}\n`);
    }
    assert.equal(master(), first, 'a reload keeps the master');
    install(readFileSync(path.join(from, 'gateway/ngx_http_sluice_module.so')));
    await upgrade('new program and module serve');
    await delay(500);
    assert.notEqual(master(), first, 'an upgrade does not');
  } finally {
    const tally = await stop();
    console.log(`        ${tally.calls} calls; ${tally.retried} sent once more on HTTP/1.1, ${tally.h2} on HTTP/2`);
    assert.deepEqual(tally.dropped, []);
    assert.ok(tally.calls > 200, `${tally.calls} calls`);
  }
  await until(() => p.processes().master.length === 1, { ms: 10000, what: 'the end of the old master' });
});

test('a reload applies what was set: the number of workers', async () => {
  await reload('gateway:\n  workers: 1\n');
  await until(() => p.processes().worker.length === 1, { ms: 10000, what: 'one worker' });
  await reload('gateway:\n  workers: 2\n');
  await until(() => p.processes().worker.length === 2, { ms: 10000, what: 'two workers' });
});

const BAD = [ // what, the file, what is said
  ['a key nobody knows', 'gateway:\n  workers: 2\n  prot: 1\n', /prot/],
  ['a certificate that is not there', 'gateway:\n  workers: 2\n  certificate: /no/such.crt\n  certificate_key: /no/such.key\n', /line 3: gateway\.certificate: nginx says/],
  ['a certificate without its key', 'gateway:\n  certificate: /a\n', /line 2: gateway\.certificate: .*go together/],
  ['a nonce store of an odd size', 'gateway:\n  port: 1\n  replay_bytes: 5000\n', /line 3: gateway\.replay_bytes: .*power of two/],
  ['another node name', 'gateway:\n  node: other\n', /gateway\.node: changes with a restart alone/],
];
for (const [what, text, sentence] of BAD) {
  test(`a configuration with ${what} replaces nothing`, async () => {
    const workers = p.processes().worker.sort().join();
    const conf = readFileSync(path.join(p.data, 'gateway/nginx/nginx.conf'), 'utf8');
    const from = p.log.length;
    settings(text);
    p.child.kill('SIGHUP');
    await until(() => p.log.slice(from).includes('nginx goes on with what it has'), { ms: 15000, what: 'the refusal' });
    assert.match(p.log.slice(from), sentence);
    assert.equal(readFileSync(path.join(p.data, 'gateway/nginx/nginx.conf'), 'utf8'), conf);
    assert.equal(p.processes().worker.sort().join(), workers);
    assert.equal((await callH1(undefined, { retried: 0 })).status, 200);
    settings('gateway:\n  workers: 2\n');
  });
}

test('--check says the same without a running node, starts nothing and makes nothing', async () => {
  const dir = path.join(p.dir, 'never');
  const yaml = path.join(p.dir, 'check.yaml');
  const [port] = await freePorts(1);
  for (const [what, text, sentence] of BAD.slice(0, 4)) {
    writeFileSync(yaml, text);
    for (const role of ['serve', 'gateway']) {
      const done = p.sluice(role, '--data-dir', dir, '--gateway-port', port, '--config', yaml, '--check');
      assert.equal(done.code, 2, what);
      assert.match(done.err, sentence);
    }
  }
  writeFileSync(yaml, 'gateway:\n  workers: 2\n');
  const good = p.sluice('serve', '--data-dir', dir, '--gateway-port', port, '--config', yaml, '--check');
  assert.equal(good.code, 0, good.err);
  assert.match(good.out, /the settings are good/);
  assert.throws(() => readFileSync(dir), { code: 'ENOENT' });
});

// The same module behind a constructor that ends any nginx which was handed its sockets by another: what a broken
// build does, but only in an upgrade. Its symbols are found through the library it needs.
function moduleThatFails(code) {
  const real = path.join(home, 'gateway/real.so');
  const source = path.join(home, 'fails.c');
  copyFileSync(path.join(from, 'gateway/ngx_http_sluice_module.so'), real);
  writeFileSync(source, `#include <stdlib.h>\n#include <unistd.h>\n__attribute__((constructor)) static void start(void) { ${code} }\n`);
  execFileSync('gcc', ['-shared', '-fPIC', '-o', `${MODULE}.bad`, source, '-Wl,--no-as-needed', real]);
  return readFileSync(`${MODULE}.bad`);
}

const good = () => readFileSync(path.join(from, 'gateway/ngx_http_sluice_module.so'));

test('[EC-4.2.1-0g] a module that nginx cannot read is refused before anything happens', async () => {
  const before = master();
  const stop = load({ clients: 2 });
  try {
    install('no library');
    await upgrade('nginx goes on with what it has');
    install(good());
  } finally {
    assert.deepEqual((await stop()).dropped, []);
  }
  assert.equal(master(), before);
});

test('[EC-4.2.1-0g] a new program that ends at its start is rolled back, and no call is dropped', async () => {
  const before = master();
  const stop = load({ clients: 2 });
  try {
    install(moduleThatFails('if (getenv("NGINX")) _exit(3);'));
    await upgrade('nginx goes on as before');
    install(good());
  } finally {
    assert.deepEqual((await stop()).dropped, []);
  }
  assert.equal(master(), before);
  await upgrade('new program and module serve'); // and the next one works
  assert.notEqual(master(), before);
});

test('[SW-6-0b] the agent killed, and its successor: no call is dropped', async () => {
  const [agent] = p.processes().gateway;
  const before = master();
  const stop = load({ clients: 2 });
  try {
    await delay(200);
    process.kill(agent, 'SIGKILL');
    await until(() => p.processes().gateway.some((pid) => pid !== agent), { ms: 10000, what: 'a new agent' });
    await until(() => said('taking it over') > 0, { ms: 10000, what: 'its word' });
    await delay(500);
  } finally {
    assert.deepEqual((await stop()).dropped, []);
  }
  assert.equal(master(), before);
  await until(() => p.processes().master.length === 1, { ms: 10000, what: 'one master' });
  await upgrade('new program and module serve'); // it can do all the first one could
});

test('[SW-6-0b] the agent killed in the middle of an upgrade: its successor ends it, and no call is dropped', async () => {
  // The old master of the upgrade before is no second one of this.
  await until(() => p.processes().master.length === 1, { ms: 20000, what: 'one master' });
  const before = master();
  const [agent] = p.processes().gateway;
  const stop = load({ clients: 2 });
  try {
    p.child.kill('SIGUSR2');
    await until(() => p.processes().master.length === 2, { ms: 20000, what: 'two masters' });
    process.kill(agent, 'SIGKILL');
    await until(() => p.processes().gateway.some((pid) => pid !== agent), { ms: 10000, what: 'a new agent' });
    // The new master may have had no name yet when the agent died: two, one and two again are seen on the way.
    await until(() => p.processes().master.length === 1 && p.processes().master[0] !== before, { ms: 40000, what: 'the new master alone' });
    await delay(500);
    assert.notEqual(master(), before);
  } finally {
    assert.deepEqual((await stop()).dropped, []);
  }
});

test('[BK-7.3.3a2, EC-4.2.1d2] every call of all this has exactly one record, and the log verifies', async () => {
  const count = new Map();
  for (const r of records(p).filter((each) => each.kind === 'call')) count.set(r.transaction, (count.get(r.transaction) ?? 0) + 1);
  assert.ok(answered.length > 500, `${answered.length} answers`);
  assert.deepEqual(answered.filter((a) => !count.has(a.txn)), [], `of ${answered.length}`);
  assert.deepEqual([...count].filter(([, n]) => n !== 1), []);
  await delay(1500);
  verified(p);
});
