// SPDX-License-Identifier: Apache-2.0
// Several upstreams of one API, real processes of this test that are killed, hang and come back.

import assert from 'node:assert/strict';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { freePorts, Platform } from './lib/platform.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
const servers = [];

// One upstream on a port of its own. how: 'well' | 'hang' | a status to answer. It says its name.
class Target {
  constructor(name, port) { Object.assign(this, { name, port, how: 'well', seen: [] }); servers.push(this); }

  start() {
    this.server = http.createServer((req, res) => {
      this.seen.push({ method: req.method, url: req.url, host: req.headers.host });
      if (this.how === 'hang') return;
      if (this.how !== 'well') return void res.writeHead(this.how, { 'content-type': 'application/json' }).end('{}');
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: this.name }));
    });
    return new Promise((done) => this.server.listen(this.port, '127.0.0.1', () => done(this)));
  }

  stop() {
    this.server?.closeAllConnections();
    return new Promise((done) => (this.server?.listening ? this.server.close(done) : done()));
  }

  url(base = '/base') { return `http://127.0.0.1:${this.port}${base}`; }
}

async function targets(n) {
  const ports = await freePorts(n);
  return Promise.all(ports.map((port, i) => new Target(`t${i}`, port).start()));
}

async function api(name, list, more = {}) {
  const id = await w.httpApi(world, name, undefined, { targets: list, timeout_ms: 1000, ...more });
  await w.subscription(world, world.app, id);
  await until(async () => ![403, 404].includes((await call(name)).status), { ms: 10000, what: `the API ${name}` });
  return id;
}
const row = (t, role = 'primary', weight = 1, base) => ({ url: t.url(base), role, weight });
const call = (name, more = {}) => p.call(`/${name}/v1/x`, { key: world.key, ...more });
const calls = async (name, n, more) => { const all = []; for (let i = 0; i < n; i += 1) all.push(await call(name, more)); return all; };
const named = (answers) => Object.fromEntries([...new Set(answers.map((a) => a.json?.id))].map((id) => [id, answers.filter((a) => a.json?.id === id).length]));
const alert = (kind, target) => until(async () => (await world.admin.list('alerts', { kind })).find((a) => a.target === `127.0.0.1:${target.port}`), { ms: 10000, what: `the alert ${kind}` });

before(async () => {
  p = await Platform.start();
  world = await w.people(p, 'controlled');
});
after(async () => {
  await Promise.all(servers.map((t) => t.stop()));
  await p?.stop();
});

test('[SW-6-apigw] calls are spread over the targets by their weight, each asked by its own name and path', async () => {
  const [a, b] = await targets(2);
  await api('spread', [row(a, 'primary', 3), row(b, 'primary', 1, '/other')]);
  const answers = named(await calls('spread', 40));
  assert.ok(answers.t0 >= 24 && answers.t0 <= 36 && answers.t1 >= 4, JSON.stringify(answers));
  assert.deepEqual([a.seen.at(-1).url, a.seen.at(-1).host], ['/base/x', `127.0.0.1:${a.port}`]);
  assert.deepEqual([b.seen.at(-1).url, b.seen.at(-1).host], ['/other/x', `127.0.0.1:${b.port}`]);
});

test('[SW-10.1-3d] a target that dies costs no call: reads go on to another, with its own path; the standby takes over and is told', async () => {
  const [a, b] = await targets(2);
  await api('standby', [row(a), row(b, 'standby', 1, '/second')], { breaker: { failures: 3, window_ms: 10000, open_ms: 1000 } });
  assert.deepEqual(named(await calls('standby', 5)), { t0: 5 });
  await a.stop();
  const answers = await calls('standby', 10);
  assert.deepEqual(named(answers), { t1: 10 }, answers.map((x) => x.status).join());
  assert.deepEqual([b.seen.at(-1).url, b.seen.at(-1).host], ['/second/x', `127.0.0.1:${b.port}`]);
  await alert('standby-used', b);
  await alert('breaker-open', a);
  await a.start();
  await until(async () => (await call('standby')).json?.id === 't0', { ms: 8000, what: 'the primary again' });
  await alert('breaker-closed', a);
});

test('[EC-6.1.4.3c] a write is never sent twice', async () => {
  const [a, b] = await targets(2);
  await api('write', [row(a), row(b)]);
  a.how = b.how = 503;
  const n = a.seen.length + b.seen.length;
  refused(await call('write', { method: 'POST', body: '{}' }), 502, 'upstream-unavailable');
  assert.equal(a.seen.length + b.seen.length, n + 1);
  refused(await call('write'), 502, 'upstream-unavailable');
  assert.equal(a.seen.length + b.seen.length, n + 3, 'a read is tried once more');
});

test('[SW-6-breaker, BK-10.1.2a-2] failures open the circuit, calls fail fast with the time to wait, one probe closes it', async () => {
  const [a] = await targets(1);
  await api('circuit', [row(a)], { breaker: { failures: 3, window_ms: 10000, open_ms: 1500 } });
  a.how = 500;
  for (const answer of await calls('circuit', 3)) refused(answer, 502, 'upstream-unavailable');
  const n = a.seen.length;
  const started = performance.now();
  const answers = await calls('circuit', 20);
  assert.ok(performance.now() - started < 1400);
  for (const answer of answers) {
    refused(answer, 503, 'circuit-open');
    assert.ok(Number(answer.headers['retry-after']) >= 1, JSON.stringify(answer.headers));
  }
  assert.equal(a.seen.length, n, 'nothing was asked while it was open');
  a.how = 'well';
  await until(async () => (await call('circuit')).status === 200, { ms: 6000, what: 'the closed circuit' });
  assert.deepEqual(named(await calls('circuit', 10)), { t0: 10 });
  await alert('breaker-open', a);
  await alert('breaker-closed', a);
});

test('[SW-8.3.4-timeout, BK-10.1.2a-2] a target that hangs is given up in the API\'s time over all tries, then at once; other APIs do not notice', async () => {
  const [a, b, c] = await targets(3);
  await api('hung', [row(a), row(b)], { breaker: { failures: 2, window_ms: 10000, open_ms: 60000 }, retries: 1 });
  await api('other', [row(c)]);
  await calls('other', 20);
  a.how = b.how = 'hang';
  const slow = await Promise.all(Array.from({ length: 6 }, async () => { const t = performance.now(); const x = await call('hung'); return [x, performance.now() - t]; }));
  for (const [answer, ms] of slow) {
    refused(answer, 504, 'upstream-timeout');
    assert.ok(ms > 800 && ms < 2000, `${ms} ms`);
  }
  const times = [];
  for (let i = 0; i < 30; i += 1) {
    const t = performance.now();
    const [open, good] = await Promise.all([call('hung'), call('other')]);
    times.push(performance.now() - t);
    refused(open, 503, 'circuit-open');
    assert.equal(good.status, 200);
  }
  times.sort((x, y) => x - y);
  assert.ok(times[15] < 200, `${times[15]} ms`);
});

test('[SW-6-apigw] canaries get the share and the apps they are meant for', async () => {
  const [a, b] = await targets(2);
  const id = await api('canary', [row(a), row(b, 'canary')], { canary_percent: 50 });
  const half = named(await calls('canary', 60));
  assert.ok(half.t0 > 10 && half.t1 > 10, JSON.stringify(half));
  const { revision } = await world.provider.get(`/apis/${id}`);
  await world.provider.patch(`/apis/${id}`, { canary_percent: 0, canary_apps: [world.app] }, revision);
  await until(async () => !('t0' in named(await calls('canary', 10))), { ms: 8000, what: 'the canary for its app' });
});

test('[SW-10.1-3d] the agent finds a sick target before a caller does, and a well one again', async () => {
  const [a, b] = await targets(2);
  await api('health', [row(a), row(b)], { retries: 0, health: { path: '/health', interval_ms: 500, timeout_ms: 300 } });
  await until(() => a.seen.some((r) => r.url === '/health' && r.host === `127.0.0.1:${a.port}`), { ms: 5000, what: 'a question' });
  a.how = 500;
  await alert('target-down', a);
  const n = a.seen.filter((r) => r.url !== '/health').length;
  assert.deepEqual(named(await calls('health', 10)), { t1: 10 });
  assert.equal(a.seen.filter((r) => r.url !== '/health').length, n, 'no call went there');
  a.how = 'well';
  await alert('target-up', a);
  assert.ok(named(await calls('health', 10)).t0 > 0);
});

test('[BK-10.1.2a] the live view shows each target, its breaker and its calls', async () => {
  const rows = await until(async () => {
    const { items } = await world.admin.get('/live/targets');
    return items.some((r) => r.breaker === 'open') && items;
  }, { ms: 12000, what: 'the live view' });
  assert.ok(rows.every((r) => /^127\.0\.0\.1:\d+$/.test(r.target) && r.calls >= 0), JSON.stringify(rows[0]));
});
