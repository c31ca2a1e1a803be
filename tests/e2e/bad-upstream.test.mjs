// SPDX-License-Identifier: Apache-2.0
// Upstreams that hang, die, flood and lie: the caller gets a whole answer or a plain refusal, never a half truth,
// and the next caller never notices.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
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
  p = await Platform.start();
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

for (const [behaviour, what] of [['half', 'dies half way through a body of a stated length'], ['halfchunked', 'dies half way through a chunked body'],
  ['slow', 'begins and stops'], ['truncated', 'sends JSON that ends early'], ['broken', 'sends broken JSON'], ['trailing', 'sends a second document'],
  ['utf8', 'sends broken UTF-8'], ['deep', 'nests 100,000 arrays']]) {
  test(`[BK-7.1g] an upstream that ${what} yields no answer a client can take for whole`, async () => {
    let answer;
    try {
      answer = await get(behaviour);
    } catch {
      answer = { cut: true };
    }
    const whole = !answer.cut && answer.status === 200;
    assert.ok(!whole, `taken for whole: ${answer.text?.slice(0, 200)}`);
    if (!answer.cut) assert.ok([502, 504].includes(answer.status), `${answer.status} ${answer.text}`);
    assert.ok(!/s3cret|secret/.test(answer.text ?? ''));
    await stillServes();
  });
}

test('[BK-7.1g] an upstream that is no HTTP server, answers 500 or HTML never has its words passed on', async () => {
  for (const [behaviour, code] of [['garbage', /upstream-/], ['error', /upstream-/], ['html', /upstream-/]]) {
    const answer = await get(behaviour).catch((e) => ({ text: `${e.message}: ${e.rawPacket ?? ''}`, headers: {} }));
    assert.equal(answer.status, 502, `${behaviour}: ${answer.status} ${answer.text.slice(0, 200)}`);
    assert.match(answer.json.code, code);
    assert.ok(!/secret/.test(answer.text));
  }
  await stillServes();
});

test('an upstream with a 15 kB header is served or refused, and breaks nothing', async () => {
  const answer = await get('headers');
  assert.ok([200, 502].includes(answer.status), String(answer.status));
  await stillServes();
});

const residentKb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

test('[EC-6.1.4.2] an answer of 1 GB streams through in little memory, and a client that leaves stops it', async () => {
  const before = Math.max(...p.processes().worker.map(residentKb));
  const response = await firstMegabytes('/unit/v1/flood', 64);
  assert.ok(response.bytes >= 16 << 20, `${response.bytes} bytes, status ${response.status}`);
  assert.ok(!response.text.includes('13812345678') && !response.text.includes('phone'), 'items.phone is no field of the API');
  const grown = Math.max(...p.processes().worker.map(residentKb)) - before;
  assert.ok(grown < 200 * 1024, `a worker grew by ${grown} kB`);
  await stillServes();
});

// Reads so many MiB (or 8 seconds) of an answer, then hangs up.
async function firstMegabytes(target, mib) {
  const { sign } = await import('./lib/sign.mjs');
  const { default: https } = await import('node:https');
  const headers = sign(world.key, { url: p.gateway + target });
  return new Promise((resolve, reject) => {
    const req = https.get(p.gateway + target, { headers, ca: p.ca, agent: false }, (res) => {
      let bytes = 0;
      let text = '';
      const stop = () => { clearTimeout(timer); req.destroy(); resolve({ status: res.statusCode, bytes, text }); };
      const timer = setTimeout(stop, 8000);
      res.on('data', (d) => {
        bytes += d.length;
        if (text.length < 4096) text += d.toString('latin1');
        if (bytes > mib << 20) stop();
      });
      res.on('end', stop);
      res.on('error', () => {});
    });
    req.on('error', (e) => { if (e.code !== 'ECONNRESET') reject(e); });
  });
}

test('[BK-7.1g] an upstream that is gone is refused, and served again when it is back', async () => {
  const api = await w.httpApi(world, 'gone', 'http://127.0.0.1:9/base');
  await w.subscription(world, world.app, api);
  const answer = await until(async () => { const a = await p.call('/gone/v1/good', { key: world.key }); return a.status >= 500 && a; });
  refused(answer, 502, 'upstream-unavailable');
});

test('[BK-7.3.2a1] a body over the API\'s limit is refused before the upstream sees it', async () => {
  const seen = upstream.seen.length;
  refused(await get('good', { method: 'POST', body: JSON.stringify({ fill: 'x'.repeat(70000) }) }), 413, 'body-too-large');
  assert.equal(upstream.seen.length, seen);
});

test('[EC-4.2.1d2] all of it is in the audit log, which verifies', async () => {
  const verified = p.sluice('audit', 'verify', '--data-dir', p.data);
  assert.equal(verified.code, 0, verified.out + verified.err);
});
