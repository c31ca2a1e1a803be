// SPDX-License-Identifier: Apache-2.0
// The way of a change: from REST to the gateway, in order, soon, and not lost when either end is away.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import test, { after, before } from 'node:test';
import { Platform } from './lib/platform.mjs';
import { delay, median, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const KEEP = 40; // changes the feed keeps: small, so that a gateway can fall behind it
let p;
let world;
const call = (grant) => p.call('/trade/orders/v1?limit=1', { key: world.key, grant });
const live = (grant, what) => until(async () => (await call(grant)).status === 200, { every: 1, ms: 10000, what });

before(async () => {
  p = await Platform.start({ config: `control:\n  feed_keep: ${KEEP}\n` });
  world = await w.trading(p);
});
after(() => p?.stop());

async function timed(write, done) {
  const started = performance.now();
  await write();
  const acknowledged = performance.now();
  await done();
  return { fromAck: performance.now() - acknowledged, whole: performance.now() - started };
}

test('a grant is live within 100 ms of its acknowledgement, a revocation too (median of 15)', async () => {
  const up = [];
  const down = [];
  for (let i = 0; i < 15; i++) {
    let grant;
    up.push((await timed(async () => { grant = await w.grant(world, world.app, world.api); }, () => live(grant.id, 'the grant'))).fromAck);
    down.push((await timed(() => world.owner.post(`/grants/${grant.id}/revoke`, {}, { 'if-match': `"${grant.revision}"` }),
      () => until(async () => (await call(grant.id)).json?.code === 'grant-revoked', { every: 1, what: 'the revocation' }))).fromAck);
  }
  console.log(`        grant live: median ${median(up).toFixed(1)} ms, worst ${Math.max(...up).toFixed(1)} ms; revoked: median ${median(down).toFixed(1)} ms, worst ${Math.max(...down).toFixed(1)} ms`);
  assert.ok(median(up) <= 100 && median(down) <= 100, `${median(up)} and ${median(down)} ms`);
  assert.ok(Math.max(...down) <= 1000, `${Math.max(...down)} ms`);
});

test('what is written while the gateway\'s agent is dead arrives when it is back', async () => {
  const [agent] = p.processes().gateway;
  process.kill(agent, 'SIGKILL');
  const grant = await w.grant(world, world.app, world.api);
  await live(grant.id, 'the grant after the restart');
});

test('an agent that was away longer than the feed keeps gets the whole state anew, revocations included', async () => {
  const revoked = await w.grant(world, world.app, world.api);
  await live(revoked.id, 'the grant');
  const [agent] = p.processes().gateway;
  process.kill(agent, 'SIGSTOP');
  await world.owner.post(`/grants/${revoked.id}/revoke`, {}, { 'if-match': `"${revoked.revision}"` });
  let last;
  for (let i = 0; i < KEEP + 20; i++) last = await w.grant(world, world.app, world.api);
  process.kill(agent, 'SIGCONT');
  await live(last.id, 'the last grant');
  assert.equal((await call(revoked.id)).json?.code, 'grant-revoked');
  assert.equal((await call(world.grant)).status, 200, 'what did not change is still there');
});

test('the control plane back from kill -9 goes on in the same epoch: the gateway misses nothing', async () => {
  const grant = await w.grant(world, world.app, world.api);
  process.kill(p.processes().control[0], 'SIGKILL');
  assert.equal((await until(async () => { const a = await call(world.grant); return a.status && a; })).status, 200, 'fail-static: calls go on without control');
  await until(async () => (await world.owner.raw('GET', `/api/v1/grants/${grant.id}`)).status === 200, { ms: 15000, what: 'the control plane' });
  await live(grant.id, 'the grant');
  const later = await w.grant(world, world.app, world.api);
  await live(later.id, 'a grant of after the restart');
});

// One GET on the feed's port with the given client certificate, or none.
function feed(query, identity = {}) {
  return new Promise((resolve) => {
    const req = https.get({ host: '127.0.0.1', port: p.feedPort, path: `/feed/v1/changes?${query}`, ca: p.ca, agent: false, timeout: 8000, ...identity }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; }).on('end', () => resolve({ status: res.statusCode, text }));
    });
    req.on('timeout', () => req.destroy(new Error('timeout')));
    req.on('error', (e) => resolve({ status: 0, error: e.message }));
  });
}

test('[EC-4.3.2a] nobody reads the feed without a certificate of the inner CA', async () => {
  const answer = await feed('after=0&wait_ms=0');
  assert.ok(answer.status === 0 || answer.status === 401 || answer.status === 403, JSON.stringify(answer).slice(0, 200));
});

test('the feed holds secrets sealed only', async () => {
  const identity = ['gateway', 'data', 'node'].map((n) => { try { return { cert: readFileSync(`${p.data}/pki/${n}.crt`), key: readFileSync(`${p.data}/pki/${n}.key`), passphrase: readFileSync(`${p.data}/keys/passphrase`, 'utf8').trim() }; } catch { return null; } }).find(Boolean);
  const answer = await feed('epoch=00000000000000000000000000000000&after=0&kinds=credential,source&wait_ms=0', identity);
  assert.equal(answer.status, 200, JSON.stringify(answer).slice(0, 300));
  const { reset, entries } = JSON.parse(answer.text);
  assert.equal(reset, true);
  assert.ok(entries.some((e) => e.kind === 'credential' && e.data.secret_sealed));
  for (const secret of [world.key.secret, 'orders.db']) assert.ok(!answer.text.includes(secret));
  await delay(1);
});
