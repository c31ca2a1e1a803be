// SPDX-License-Identifier: Apache-2.0
// Upstreams that hang, die, flood and lie: the caller gets a whole answer or a plain refusal, never a half truth,
// and the next caller never notices.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { freePorts, Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { FLOOD_ID, FLOOD_ROWS, startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import { head, wire } from './lib/wire.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;

const get = (behaviour, more = {}) => p.call(`/unit/v1/${behaviour}`, { key: world.key, ...more });

async function stillServes() {
  const answer = await get('good');
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { id: 'A1', phone: '138****5678', items: [{ id: 'I1' }] });
}

before(async () => {
  p = await Platform.start({ asan: 'quarantine_size_mb=16' }); // what the sanitizer keeps is not what we measure
  upstream = await startUpstream();
  world = await w.people(p, 'controlled'); // an environment that may write too (EC-7.1.3)
  world.api = await w.httpApi(world, 'unit', upstream.url);
  await w.subscription(world, world.app, world.api);
  await until(async () => (await get('good')).status === 200, { ms: 10000, what: 'the API' });
});
after(async () => {
  upstream?.close();
  await p?.stop();
});

test('[EC-6.1.4.2, EC-4.3.2a] a unit\'s own API is opened: masked, level 4 and what no field names dropped', stillServes);

test('the upstream sees its own path and none of the caller\'s credentials', async () => {
  const answer = await get('echo?a=1');
  assert.equal(answer.json.id, '/base/echo?a=1');
  const { headers } = upstream.seen.at(-1);
  for (const name of ['signature', 'signature-input', 'authorization', 'sluice-call']) assert.equal(headers[name], undefined, name);
});

test('[SW-8.3.4-timeout] an upstream that hangs is given up after the API\'s timeout', async () => {
  const start = Date.now();
  refused(await get('hang'), 504, 'upstream-timeout');
  const took = Date.now() - start;
  assert.ok(took >= 1000 && took < 6000, `${took} ms`);
  await stillServes();
});

// Short answers are held whole, so that even an upstream that dies half way yields a clean refusal.
for (const [behaviour, what, status, code] of [['half', 'dies half way through a body of a stated length', 502, 'upstream-invalid'],
  ['halfchunked', 'dies half way through a chunked body', 502, 'upstream-invalid'], ['slow', 'begins and stops', 504, 'upstream-timeout'],
  ['truncated', 'sends JSON that ends early', 502, 'upstream-invalid'], ['broken', 'sends broken JSON', 502, 'upstream-invalid'],
  ['trailing', 'sends a second document', 502, 'upstream-invalid'], ['utf8', 'sends broken UTF-8', 502, 'upstream-invalid'],
  ['deep', 'nests 100,000 arrays', 502, 'upstream-invalid']]) {
  test(`[BK-7.1g] an upstream that ${what} yields no answer a client can take for whole`, async () => {
    const answer = await get(behaviour);
    refused(answer, status, code);
    assert.ok(!/s3cret|secret/.test(answer.text));
    await stillServes();
  });
}

test('[BK-7.1g] an upstream that dies after 200 kB leaves an answer no client can take for whole, and a record that says so', async () => {
  const answer = await get('late');
  assert.deepEqual([answer.status, answer.cut], [200, true], answer.text.slice(-100));
  const [record] = await recorded(answer.txn, 'call');
  assert.deepEqual([record.result, record.reason], ['failure', 'upstream-invalid']);
  await stillServes();
});

test('[BK-7.1g] an upstream that is no HTTP server, answers 500 or HTML never has its words passed on', async () => {
  for (const [behaviour, code] of [['garbage', 'upstream-invalid'], ['error', 'upstream-unavailable'], ['html', 'upstream-invalid']]) {
    const answer = await get(behaviour).catch((e) => ({ text: `${e.message}: ${e.rawPacket ?? ''}`, headers: {} }));
    refused(answer, 502, code);
    assert.ok(!/secret/.test(answer.text));
    assert.deepEqual(['server', 'x-powered-by', 'via', 'x-big'].filter((h) => h in answer.headers), []);
  }
  await stillServes();
});

test('an upstream with a 15 kB header is served without it, one with 40 kB of them is refused', async () => {
  const answer = await get('headers');
  assert.deepEqual([answer.status, answer.json?.id, answer.headers['x-big']], [200, 'A1', undefined], answer.text);
  refused(await get('moreheaders'), 502, 'upstream-unavailable');
  await stillServes();
});

const residentKb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
const largestWorkerKb = () => Math.max(...p.processes().worker.map(residentKb));
const recorded = (txn, kind) => until(() => { const all = records(p, '--txn', txn).filter((r) => r.kind === kind); return all.length > 0 && all; }, { ms: 10000, what: `the ${kind} record` });

// An answer read and counted as it comes, none of it kept. Hangs up after `most` bytes. Resolves to {status, txn,
// bytes, start, tail, complete, peakKb}.
function stream(target, most = Infinity) {
  const headers = sign(world.key, { url: p.gateway + target });
  return new Promise((resolve, reject) => {
    const req = https.get(p.gateway + target, { headers, ca: p.ca, agent: false }, (res) => {
      const seen = { status: res.statusCode, txn: res.headers['sluice-transaction'], bytes: 0, start: '', tail: '', complete: false, peakKb: 0 };
      const watch = setInterval(() => { seen.peakKb = Math.max(seen.peakKb, largestWorkerKb()); }, 250);
      const done = () => { clearInterval(watch); req.destroy(); resolve(seen); };
      res.on('data', (d) => {
        seen.bytes += d.length;
        if (seen.start.length < 4096) seen.start += d.toString('latin1');
        seen.tail = (seen.tail + d.subarray(-64).toString('latin1')).slice(-64); // the last piece may be a few bytes
        if (seen.bytes > most) done();
      });
      res.on('end', () => { seen.complete = res.complete; done(); });
      res.on('error', done);
    });
    req.on('error', reject);
  });
}

test('[EC-6.1.4.2] an answer of 1 GB is masked as it streams, whole, in little memory', async () => {
  const before = largestWorkerKb();
  const started = performance.now();
  const answer = await stream('/unit/v1/flood');
  console.log(`        ${(answer.bytes / 2 ** 20).toFixed(0)} MiB in ${((performance.now() - started) / 1000).toFixed(1)} s, the worker ${answer.peakKb - before} kB larger`);
  assert.deepEqual([answer.status, answer.complete], [200, true]);
  assert.ok(answer.bytes > FLOOD_ROWS * FLOOD_ID, `${answer.bytes} bytes`);
  assert.match(answer.tail, /"\}\]\}$/);
  assert.ok(!answer.start.includes('phone'), 'items.phone is no field of the API');
  assert.ok(answer.peakKb - before < 64 * 1024, `a worker grew by ${answer.peakKb - before} kB`);
  await recorded(answer.txn, 'open');
  const [record] = await recorded(answer.txn, 'call');
  assert.deepEqual([record.result, record.bytes_out], ['success', answer.bytes]);
  await stillServes();
});

test('[BK-7.3.3a2] a caller that hangs up half way stops the upstream, and the record says so', async () => {
  const answer = await stream('/unit/v1/flood', 32 << 20);
  assert.equal(answer.status, 200);
  await recorded(answer.txn, 'open');
  const [record] = await recorded(answer.txn, 'call');
  assert.deepEqual([record.result, record.reason], ['failure', 'client-gone']);
  assert.ok(record.bytes_out < FLOOD_ROWS * FLOOD_ID, `${record.bytes_out} bytes`);
  await until(() => upstream.open() === 0, { what: 'the end of the upstream\'s work' });
  await stillServes();
});

test('[BK-7.1g] an upstream that is gone is refused, and served again when it is back', async () => {
  const [port] = await freePorts(1);
  const api = await w.httpApi(world, 'gone', `http://127.0.0.1:${port}/base`);
  await w.subscription(world, world.app, api);
  const call = () => p.call('/gone/v1/good', { key: world.key });
  const answer = await until(async () => { const a = await call(); return a.status >= 500 && a; });
  refused(answer, 502, 'upstream-unavailable');
  const back = await startUpstream(port);
  try {
    for (let i = 0; i < 4; i++) assert.equal((await p.call('/gone/v1/good', { key: world.key, agent: false })).status, 200, 'at once, on every worker');
  } finally {
    back.close();
  }
  await until(async () => (await call()).json?.code === 'upstream-unavailable', { what: 'the refusal' });
});

test('[BK-7.3.2a1] a chunked body that is cut short never reaches an upstream', async () => {
  const target = '/unit/v1/good';
  const body = '{"a":1}';
  const send = (pieces, end) => {
    const headers = { ...sign(world.key, { method: 'POST', url: p.gateway + target, body }), 'transfer-encoding': 'chunked', connection: 'close' };
    return wire(p, [head(p, 'POST', target, headers), ...pieces], { end, ms: 3000 });
  };
  const seen = upstream.seen.length;
  const answer = await send(['7\r\n{"a"'], true);
  assert.ok(answer.status === 0 || answer.status === 400, answer.text.slice(0, 200));
  assert.equal(upstream.seen.length, seen);
  assert.equal((await send(['7\r\n', body, '\r\n0\r\n\r\n'], false)).status, 200, 'the same, whole');
  assert.equal(upstream.seen.length, seen + 1);
});

test('[BK-7.3.2a1] a body over the API\'s limit is refused before the upstream sees it', async () => {
  const seen = upstream.seen.length;
  refused(await get('good', { method: 'POST', body: JSON.stringify({ fill: 'x'.repeat(70000) }) }), 413, 'body-too-large');
  assert.equal(upstream.seen.length, seen);
});

test('[EC-4.2.1d2] all of it is in the audit log, which verifies', () => verified(p));
