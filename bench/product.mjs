// SPDX-License-Identifier: Apache-2.0
// The whole product: how long a change takes to bite, and what a row by key costs through it.
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePorts, Platform } from '../tests/e2e/lib/platform.mjs';
import { ordersTable, Postgres, postgresConnection } from '../tests/e2e/lib/postgres.mjs';
import { grant, trading } from '../tests/e2e/lib/world.mjs';
import { BUILD, median, row, sh } from './lib.mjs';
import { load } from './gateway.mjs';

const rate = (m) => `${Math.round(m.rps)}/s, p50 ${m.p50} µs, p99 ${m.p99} µs`;

const percentile = (xs, p) => [...xs].sort((a, b) => a - b)[Math.min(xs.length - 1, Math.floor(xs.length * p))];

async function untilStatus(platform, call, status) {
  const from = process.hrtime.bigint();
  for (;;) {
    if ((await call()).status === status) return Number(process.hrtime.bigint() - from) / 1e6;
  }
}

// From the moment REST has answered until the gateway's answer is the new one.
export async function changeToLive(changes = 100) {
  const platform = await Platform.start();
  try {
    const world = await trading(platform, { orders: 50 });
    const live = [], refused = [];
    for (let i = 0; i < changes; i++) {
      const g = await grant(world, world.app, world.api);
      const call = () => platform.call('/trade/orders/v1?limit=1', { key: world.key, grant: g.id });
      live.push(await untilStatus(platform, call, 200));
      await world.owner.act('grants', g.id, 'revoke');
      refused.push(await untilStatus(platform, call, 403));
    }
    const ms = (xs) => `p50 ${median(xs).toFixed(1)} ms, p99 ${percentile(xs, 0.99).toFixed(1)} ms`;
    row('new grant → live on the gateway', ms(live), 'the bar', `${changes} changes`, 'p99 ≤ 100 ms');
    row('revoked grant → refused', ms(refused), 'the bar', `${changes} changes`, 'p99 ≤ 100 ms');
  } finally { await platform.stop(); }
}

function requests(platform, world, file, count) {
  const secret = path.join(platform.dir, 'secret');
  writeFileSync(secret, world.key.secret);
  chmodSync(secret, 0o600);
  sh(path.join(BUILD, 'cli/sluice'), ['sign', '--credential', world.key.id, '--secret-file', secret, '--algorithm', 'hmac-sm3', '--grant', world.grant,
    '--url', `http://127.0.0.1:${platform.gatewayPort}/trade/orders/v1?order_id=eq.${world.orderId}`, '--count', String(count), '--out', file, '--raw', '--valid-s', '280']);
}

async function rowByKey(platform, world, runs = 5, seconds = 3) {
  const file = path.join(platform.dir, 'requests'), results = [];
  world.orderId = (await platform.call('/trade/orders/v1?limit=1&select=order_id', world)).json[0].order_id;
  for (let i = 0; i < runs; i++) {
    requests(platform, world, file, 60000 * seconds);
    results.push(load(platform.gatewayPort, file, null, seconds));
  }
  return { rps: median(results.map((r) => r.rps)), p50: median(results.map((r) => r.p50)), p99: median(results.map((r) => r.p99)), cpu: 0 };
}

function sqliteLoop(file, id, count = 200000) {
  const script = path.join(path.dirname(file), 'loop.sql');
  writeFileSync(script, `.output /dev/null\n${`select * from orders where order_id='${id}';\n`.repeat(count)}`);
  const from = process.hrtime.bigint();
  sh('sqlite3', [file, `.read ${script}`]);
  return count / (Number(process.hrtime.bigint() - from) / 1e9);
}

// pgbench of the same row by key, prepared, with as many connections as wrk keeps.
function pgbenchRate(pg, dir, id, seconds = 3) {
  const script = path.join(dir, 'row.sql');
  writeFileSync(script, `SELECT * FROM orders WHERE order_id = '${id}' AND merchant_id = 'M00001' LIMIT 1000;\n`);
  chmodSync(script, 0o644);
  const out = pg.run('pgbench', ['-n', '-M', 'prepared', '-c', '16', '-j', '2', '-T', seconds, '-f', script, '-h', '127.0.0.1', '-p', pg.port, '-U', 'sluice', 'postgres']);
  return Number(/tps = ([\d.]+)/.exec(out)[1]);
}

const plainPlatform = () => Platform.start({ args: ['--plain', '--workers', '1'] });

export async function datasetSqlite() {
  const platform = await plainPlatform();
  try {
    const world = await trading(platform, { orders: 20000 });
    const m = await rowByKey(platform, world);
    const peer = sqliteLoop(path.join(platform.dir, 'orders.db'), world.orderId);
    row('dataset API, one row by key, masked, SQLite', rate(m), `sqlite3 looping over the query in its own process ${Math.round(peer)}/s`, (m.rps / peer).toFixed(2), 'stated');
  } finally { await platform.stop(); }
}

export async function datasetPostgres() {
  const platform = await plainPlatform();
  const [port] = await freePorts(1);
  const pg = new Postgres(platform.dir, port);
  try {
    pg.create();
    pg.start();
    pg.sql(ordersTable(20000));
    const world = await trading(platform, { connection: postgresConnection(port) });
    const m = await rowByKey(platform, world);
    const rates = [0, 1, 2].map(() => pgbenchRate(pg, platform.dir, world.orderId));
    row('dataset API, one row by key, masked, PostgreSQL beside it', rate(m), `pgbench of the same query, prepared ${Math.round(median(rates))}/s`, (m.rps / median(rates)).toFixed(2), '≥ 8,000/s and ≥ 0.3');
  } finally {
    try { pg.stop(); } catch { /* never started */ }
    await platform.stop();
  }
}
