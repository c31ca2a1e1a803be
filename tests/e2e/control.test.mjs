// SPDX-License-Identifier: Apache-2.0
// What nodes report to the control plane and what operators do with it, through real processes: reports over
// mutual TLS with a node's own certificate, kept over kill -9; alerts, live views and keys by REST.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { restRefuses } from './lib/assertions.mjs';
import { BUILD, Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
});
after(() => p?.stop());

const pki = (name) => readFileSync(path.join(p.data, 'pki', name), 'utf8');
const uuid = () => { // version 7, as nodes make them
  const b = randomBytes(16);
  b.writeUIntBE(Date.now(), 0, 6);
  b[6] = (b[6] & 0x0f) | 0x70;
  b[8] = (b[8] & 0x3f) | 0x80;
  return b.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};
const event = (kind, more = {}) => ({ id: uuid(), at: Date.now(), kind, ...more });
const report = (more = {}) => ({ node: 'test-node', at: Date.now(), version: 'test', events: [], limits: [], targets: [], keys: [], ...more });

// POST to the feed port; own: with a node's certificate.
function send(body, { own = true, method = 'POST' } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const client = own ? { key: pki('gateway.key'), cert: pki('gateway.crt'), passphrase: readFileSync(path.join(p.data, 'keys/passphrase'), 'utf8').trim() } : {};
  return new Promise((resolve, reject) => {
    const req = https.request({ host: '127.0.0.1', port: p.feedPort, path: '/feed/v1/reports', method, ca: p.ca, agent: false, ...client,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } }, (res) => {
      let all = '';
      res.on('data', (d) => { all += d; });
      res.on('end', () => resolve({ status: res.statusCode, body: all ? JSON.parse(all) : null }));
    });
    req.on('error', reject);
    req.end(text);
  });
}

test('[EC-4.3.2a] a report without a node\'s certificate, or that is not as agreed, is refused whole', async () => {
  const anonymous = await send(report(), { own: false }).catch(() => ({ status: 401 }));
  assert.equal(anonymous.status, 401);
  const good = event('target-down');
  for (const bad of ['', '[]', '{"node":1}', JSON.stringify(report({ more: 1 })), JSON.stringify(report({ events: [good, { id: 'x' }] })),
    JSON.stringify(report({ keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })] })),
    JSON.stringify(report({ events: Array.from({ length: 501 }, () => event('target-up')) }))]) {
    const answer = await send(bad);
    assert.equal(answer.status, 400, bad.slice(0, 80));
    assert.equal(answer.body.code, 'body-malformed');
  }
  assert.equal((await send(' '.repeat(2 << 20))).status, 413);
  await restRefuses(world.admin.get(`/alerts/${good.id}`), 'not-found');
});

test('a node\'s events are neither lost nor doubled when the control plane is killed', async () => {
  const stored = new Set();
  const killed = new Set();
  let unsure = null;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 10; i++) {
      const e = unsure ?? event('calls-refused', { app_id: world.app, count: i });
      unsure = e;
      if (i === 5 && !killed.has(round)) {
        killed.add(round);
        process.kill(p.processes().control[0], 'SIGKILL');
      }
      const answer = await send(report({ events: [e] })).catch(() => null);
      if (answer?.status !== 200) { // as a node does: the same one again, later
        await until(async () => (await p.rest.raw('GET', '/api/v1/health').catch(() => ({}))).status === 200, { ms: 20000, what: 'the control plane' });
        i--;
        continue;
      }
      assert.equal(answer.body.accepted, 1);
      stored.add(e.id);
      unsure = null;
    }
  }
  const items = await world.admin.list('alerts', { kind: 'calls-refused', node: 'test-node' });
  assert.deepEqual(new Set(items.map((a) => a.id)), stored);
  assert.equal(items.length, stored.size);
});

test('[BK-10.2.1b3] from an alert an operator limits the app for a while; the limit is told to the nodes', async () => {
  const e = event('impersonation', { app_id: world.app, api_id: world.api, address: '192.0.2.1' });
  assert.equal((await send(report({ events: [e] }))).status, 200);
  const ends = new Date(Date.now() + 60000).toISOString();
  const limit = await world.operator.post(`/alerts/${e.id}/limit`, { measure: 'rate', amount: 1000, window_ms: 1000, action: 'alert', expires_at: ends });
  assert.deepEqual([limit.app_id, limit.api_id, limit.per, limit.alert_id], [world.app, world.api, 'app-api', e.id]);
  await world.operator.act('alerts', e.id, 'acknowledge', { comment: 'asked the party' });
  assert.equal((await world.operator.act('alerts', e.id, 'close')).state, 'closed');
  await world.operator.act('limits', limit.id, 'remove');
});

test('[BK-10.1.2a-1] live views follow a report; the keys of nodes are open to anyone as a JWK set', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...publicKey.export({ format: 'jwk' }), use: 'sig', kid: 'test-node-1' };
  const limit_id = uuid();
  const answer = await send(report({ keys: [key], limits: [{ limit_id, key: { app_id: world.app, api_id: world.api }, used: 3, remaining: 2, reset_s: 1 }],
    targets: [{ api_id: world.api, target: '127.0.0.1:9', role: 'primary', breaker: 'closed', health: 'up', in_flight: 0, calls: 3, failures: 0, since: Date.now() }] }));
  assert.equal(answer.status, 200);
  const nodes = (await world.operator.get('/live/nodes')).items;
  assert.ok(nodes.find((n) => n.node === 'test-node')?.alive);
  const limits = (await world.provider.get(`/live/limits?limit_id=${limit_id}`)).items;
  assert.deepEqual(limits.map((l) => [l.node, l.used, l.remaining]), [['test-node', 3, 2]]);
  assert.equal((await world.provider.get(`/live/targets?api_id=${world.api}&node=test-node`)).items[0].health, 'up');
  await restRefuses(world.developer.get('/live/limits'), 'not-permitted');
  const set = await p.rest.raw('GET', '/api/v1/keys');
  assert.equal(set.headers['content-type'], 'application/jwk-set+json');
  assert.ok(set.body.keys.some((k) => k.kid === key.kid && k.x === key.x && !('d' in k)));
});

test('`sluice rest` reaches the new resources as any other', async () => {
  const env = { ...p.env, SLUICE_SESSION: path.join(p.dir, 'session'), SLUICE_PASSWORD: p.adminPassword };
  const rest = (args, input) => spawnSync(path.join(BUILD, 'cli/sluice'), ['rest', ...args], { env, input, encoding: 'utf8' });
  const login = rest(['login', '--control', p.control, '--ca', p.caFile, '--login', 'admin']);
  assert.equal(login.status, 0, login.stderr);
  const made = rest(['POST', '/lists', '@-'], JSON.stringify({ list: 'block', subject: 'address', value: '192.0.2.9/24', reason: 'scan' }));
  assert.equal(made.status, 0, made.stderr);
  const { id, value } = JSON.parse(made.stdout);
  assert.equal(value, '192.0.2.0/24');
  assert.equal(rest(['POST', `/lists/${id}/lift`, '{"comment":"done"}', '--if-match', 'auto']).status, 0);
  assert.equal(rest(['GET', '/live/nodes']).status, 0);
  assert.equal(rest(['GET', '/algorithms?name=sm2-sm3']).status, 0);
});
