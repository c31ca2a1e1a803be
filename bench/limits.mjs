// SPDX-License-Identifier: Apache-2.0
// A rate limit under four times its load, from two workers for a minute: how many calls passed that should not have.
import http from 'node:http';
import { Platform } from '../tests/e2e/lib/platform.mjs';
import * as w from '../tests/e2e/lib/world.mjs';
import { until } from '../tests/e2e/lib/wait.mjs';
import { delay, row } from './lib.mjs';

const AMOUNT = 100, LANES = 64; // calls a second; the load is four times that

// The API, with the time of each call that reached it.
function startUpstream() {
  const at = [];
  const server = http.createServer((req, res) => { at.push(performance.now()); res.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"1"}'); });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done({ at, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } })));
}

// How long AMOUNT + 1 calls took at least: no less than the window, but for what lies between gateway and upstream.
function measure(at) {
  let shortest = Infinity;
  for (let i = AMOUNT; i < at.length; i++) shortest = Math.min(shortest, at[i] - at[i - AMOUNT]);
  return shortest;
}

async function offer(call, seconds, passed) {
  const begin = performance.now(), step = 1000 * LANES / (4 * AMOUNT);
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    for (let next = begin + lane * step / LANES; next < begin + seconds * 1000; next += step) {
      await delay(Math.max(0, next - performance.now()));
      const { status } = await call();
      passed[status] = (passed[status] ?? 0) + 1;
    }
  }));
  return (performance.now() - begin) / 1000;
}

export async function limits(seconds = Number(process.env.BENCH_LIMIT_SECONDS ?? 60)) {
  const platform = await Platform.start({ args: ['--plain', '--workers', '2'] });
  const upstream = await startUpstream();
  try {
    const world = await w.people(platform, 'controlled');
    const api = await w.httpApi(world, 'one', upstream.url, { fields: [{ path: 'id', name: 'id', level: 1, type: 'scalar', mask: '' }] });
    await w.subscription(world, world.app, api);
    const call = () => platform.call('/one/v1/x', { key: world.key });
    await until(async () => (await call()).status === 200, { ms: 10000, what: 'the API' });
    await world.operator.post('/limits', { per: 'app', measure: 'rate', amount: AMOUNT, window_ms: 1000, action: 'reject' });
    await delay(1500);
    upstream.at.length = 0;
    const n = {}, took = await offer(call, seconds, n);
    const bound = Math.floor(AMOUNT * took) + AMOUNT, over = Math.max(0, (n[200] ?? 0) - bound);
    row(`limit of ${AMOUNT}/s at four times its load, 2 workers, ${seconds} s`, `${over} over: ${n[200]} passed, ${n[429]} refused; any ${AMOUNT + 1} passed calls took ≥ ${measure(upstream.at).toFixed(0)} ms at the upstream`,
      'the bar', ((n[200] ?? 0) / (AMOUNT * took)).toFixed(3), '0 over');
    if (over) throw new Error(`${over} calls over the limit`);
    return { over, ...n };
  } finally {
    upstream.close();
    await platform.stop();
  }
}
