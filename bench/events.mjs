// SPDX-License-Identifier: Apache-2.0
// Events end to end: signed batches into the gateway, each event on disk before it is acknowledged, then decided, masked,
// recorded and delivered to another app on its stream; counted where they arrive.
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Platform, freePorts } from '../tests/e2e/lib/platform.mjs';
import { sign } from '../tests/e2e/lib/sign.mjs';
import { until } from '../tests/e2e/lib/wait.mjs';
import * as w from '../tests/e2e/lib/world.mjs';
import { BUILD, listening, median, row, start, stop } from './lib.mjs';

const TOPIC = '/shipments/v1';
const BATCH = 500;
const SECONDS = 5;
let serial = 0;

const batch = () => JSON.stringify(Array.from({ length: BATCH }, () => ({ specversion: '1.0', id: String(serial += 1), source: '/warehouse', type: 'shipment.moved',
  partitionkey: `k${serial % 100}`, data: { no: serial, place: 'berth 7', phone: '13812345678', pin: '0000' } })));

async function post(platform, key) {
  const body = batch();
  const headers = sign(key, { method: 'POST', url: platform.gateway + TOPIC, headers: { 'content-type': 'application/cloudevents-batch+json' }, body });
  const a = await platform.send('POST', TOPIC, { headers, body });
  if (a.status !== 202) throw new Error(a.text);
}

// Counts frames, and looks into none but the last.
function count(platform, key) {
  const seen = { events: 0, last: '' };
  const headers = sign(key, { method: 'GET', url: platform.gateway + TOPIC, headers: { accept: 'text/event-stream' } });
  return new Promise((resolve, reject) => {
    const req = http.get({ host: '127.0.0.1', port: platform.gatewayPort, path: TOPIC, headers, agent: false }, (res) => {
      let rest = Buffer.alloc(0);
      res.on('data', (chunk) => {
        const d = Buffer.concat([rest, chunk]);
        for (let at = d.indexOf('\ndata: '); at >= 0; at = d.indexOf('\ndata: ', at + 1)) seen.events += 1;
        rest = d.subarray(Math.max(d.length - 6, 0)); // a mark may be cut in two
        if (!seen.last && d.includes('"phone"')) seen.last = d.toString('utf8');
      });
      seen.stop = () => req.destroy();
      resolve(seen);
    }).on('error', reject);
    req.setNoDelay(true);
  });
}

async function topic(platform) {
  const world = await w.people(platform);
  const api = await world.provider.post('/apis', { name: 'shipments', version: 'v1', path: TOPIC, kind: 'topic', class: 'A1', access: 'subscription', title: 'Shipments',
    fields: [{ path: 'no', name: 'no', level: 1, type: 'scalar', mask: '' }, { path: 'place', name: 'place', level: 2, type: 'scalar', mask: '' },
      { path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' }, { path: 'pin', name: 'pin', level: 4, type: 'scalar', mask: '' }] });
  const sender = await w.admittedApp(world, 'Carrier', 'controlled');
  const key = await w.credential(world, sender);
  await world.provider.post('/topics', { api_id: api.id, publishers: [sender] });
  await world.provider.act('apis', api.id, 'publish');
  for (const app of [sender, world.app]) await w.subscription(world, app, api.id);
  await until(async () => { try { await post(platform, key); return true; } catch { return false; } }, { ms: 15000, what: 'the topic' });
  return { world, key };
}

async function run(platform, world, key) {
  const seen = await count(platform, world.key);
  const end = Date.now() + SECONDS * 1000, from = process.hrtime.bigint();
  let sent = 0;
  await Promise.all([0, 1, 2, 3].map(async () => { while (Date.now() < end) { await post(platform, key); sent += BATCH; } }));
  await until(() => seen.events >= sent, { ms: 60000, what: `all that was sent (${sent})` }).catch((e) => { throw new Error(`${e.message}: ${seen.events} came`); });
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  seen.stop();
  if (!seen.last.includes('138****5678') || seen.last.includes('13812345678')) throw new Error('not masked');
  return sent / seconds;
}

// The same with the events in NATS instead of files of the data service.
async function withNats(runs) {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-nats-'));
  const [port] = await freePorts(1);
  const server = start('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', dir], { stdio: 'ignore' });
  await listening(port);
  const platform = await Platform.start({ args: ['--plain', '--workers', '1'], config: `data:\n  nats:\n    url: nats://127.0.0.1:${port}\n` });
  try {
    const { world, key } = await topic(platform);
    const rates = [];
    for (let i = 0; i < runs; i++) rates.push(await run(platform, world, key));
    return median(rates);
  } finally {
    await platform.stop();
    await stop(server);
    rmSync(dir, { recursive: true });
  }
}

async function jetstream(dir) {
  const [port] = await freePorts(1);
  const server = start('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', path.join(dir, 'nats')], { stdio: 'ignore' });
  await listening(port);
  const out = spawnSync(path.join(BUILD, 'bench/nats_bench'), [`nats://127.0.0.1:${port}`, String(SECONDS)], { encoding: 'utf8' });
  await stop(server);
  if (out.status !== 0) throw new Error(out.stderr);
  return Number(out.stdout);
}

export async function events(runs = Number(process.env.BENCH_RUNS ?? 5)) {
  const platform = await Platform.start({ args: ['--plain', '--workers', '1'] });
  try {
    const { world, key } = await topic(platform);
    const ours = [], peers = [];
    for (let i = 0; i < runs; i++) {
      ours.push(await run(platform, world, key));
      peers.push(await jetstream(platform.dir));
    }
    const nats = await withNats(runs);
    row('events, the same, kept in NATS JetStream', `${Math.round(nats)}/s`, `in files of the data service ${Math.round(median(ours))}/s`, (nats / median(ours)).toFixed(2), '', 'one message a publication, acknowledged before it is; the server syncs its files when it likes');
    row('events, published in signed batches of 500, durable, decided, masked, recorded, on another app\'s stream', `${Math.round(median(ours))}/s`,
      `NATS JetStream, file store, published async and fetched by one consumer ${Math.round(median(peers))}/s`, (median(ours) / median(peers)).toFixed(2), '≥ 20,000/s', 'the peer neither decides, masks, seals nor syncs at each acknowledgement');
  } finally { await platform.stop(); }
}
