// SPDX-License-Identifier: Apache-2.0
// Pages of a dataset: a thousand rows beside psql's COPY of them, and whether a deep page costs what the first does.
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePorts, Platform } from '../tests/e2e/lib/platform.mjs';
import { ordersTable, Postgres, postgresConnection } from '../tests/e2e/lib/postgres.mjs';
import { trading } from '../tests/e2e/lib/world.mjs';
import { BUILD, median, row, sh } from './lib.mjs';
import { load } from './gateway.mjs';

const COLUMNS = 'order_id,merchant_id,product_title,category,quantity,amount,currency,status,ordered_at,buyer_phone';
const PAGE = 1000, DEEP_PAGE = 10000, DEEP_ROWS = 10;
const ORDERS = '/trade/orders/v1';

// Rows enough for page 10,000, and the index that an owner's rows are read by.
const MORE = `INSERT INTO orders SELECT 'Z' || lpad(n::text, 9, '0'), 'M00001', '便携式折叠雨伞 八骨加固 抗风防晒', 'household', n % 9 + 1, n % 997 + 0.25, 'CNY', 'shipped',
  timestamp '2026-01-01' + n * interval '1 second', '欧阳测试', '138' || lpad(n::text, 8, '0'), 'buyer.test@example.com', '山西省太原市小店区长风街1号院', '6222020200112230010', 'x'
  FROM generate_series(1, ${DEEP_PAGE * DEEP_ROWS}) n;
  CREATE INDEX ON orders (merchant_id, order_id); ANALYZE orders;`;

function requests(platform, world, target, count, name) {
  const secret = path.join(platform.dir, 'secret'), file = path.join(platform.dir, name);
  writeFileSync(secret, world.key.secret, { mode: 0o600 });
  sh(path.join(BUILD, 'cli/sluice'), ['sign', '--credential', world.key.id, '--secret-file', secret, '--algorithm', 'hmac-sm3', '--grant', world.grant,
    '--url', `http://127.0.0.1:${platform.gatewayPort}${target}`, '--count', String(count), '--out', file, '--raw', '--valid-s', '280']);
  return file;
}

const rate = (platform, file, connections, seconds = 2) => {
  process.env.BENCH_CONNECTIONS = String(connections);
  try { return load(platform.gatewayPort, file, null, seconds); } finally { delete process.env.BENCH_CONNECTIONS; }
};

// Rows a second of one psql that copies the same page again and again.
function copyRate(pg, dir, times = 300) {
  const script = path.join(dir, 'copy.sql');
  writeFileSync(script, `COPY (SELECT ${COLUMNS} FROM orders WHERE merchant_id = 'M00001' ORDER BY order_id LIMIT ${PAGE}) TO STDOUT;\n`.repeat(times));
  chmodSync(script, 0o644);
  const from = process.hrtime.bigint();
  pg.run('psql', ['-h', '127.0.0.1', '-p', pg.port, '-U', 'sluice', '-d', 'postgres', '-q', '-o', '/dev/null', '-f', script]);
  return (times * PAGE) / (Number(process.hrtime.bigint() - from) / 1e9);
}

function pageBesideCopy(platform, world, pg) {
  const ours = [], theirs = [];
  for (let i = 0; i < 3; i++) {
    ours.push(rate(platform, requests(platform, world, `${ORDERS}?select=${COLUMNS}&limit=${PAGE}`, 4000, 'pages'), 1).rps * PAGE);
    theirs.push(copyRate(pg, platform.dir));
  }
  row(`page of ${PAGE} rows × 10 columns, masked, PostgreSQL, one caller`, `${Math.round(median(ours))} rows/s`, `psql COPY of the same, one session ${Math.round(median(theirs))} rows/s`,
    (median(ours) / median(theirs)).toFixed(2), '≥ 0.5');
}

// The cursor of page 10,000 by way of larger pages: a cursor is the last row's keys, whatever the page's size.
async function deepCursor(platform, world) {
  let after = '&after=';
  for (let left = (DEEP_PAGE - 1) * DEEP_ROWS; left > 0; left -= PAGE) {
    const a = await platform.call(`${ORDERS}?select=order_id&order=order_id&limit=${Math.min(PAGE, left)}${after}`, world);
    const next = a.headers['sluice-next'];
    if (a.status !== 200 || !next) throw new Error(`no further page: ${a.status} ${a.text.slice(0, 200)}`);
    after = `&after=${encodeURIComponent(next)}`;
  }
  return after;
}

async function firstBesideDeep(platform, world) {
  const target = `${ORDERS}?select=${COLUMNS}&order=order_id&limit=${DEEP_ROWS}`, after = await deepCursor(platform, world);
  const first = [], deep = [];
  for (let i = 0; i < 5; i++) {
    first.push(rate(platform, requests(platform, world, `${target}&after=`, 60000, 'first'), 1).p50);
    deep.push(rate(platform, requests(platform, world, target + after, 60000, 'deep'), 1).p50);
  }
  row(`page ${DEEP_PAGE} of ${DEEP_ROWS} rows by cursor, PostgreSQL, one caller`, `p50 ${median(deep)} µs`, `page 1: p50 ${median(first)} µs`, (median(deep) / median(first)).toFixed(2), '≤ 1.10');
}

export async function pages() {
  const platform = await Platform.start({ args: ['--plain', '--workers', '1'] });
  const [port] = await freePorts(1);
  const pg = new Postgres(platform.dir, port);
  try {
    pg.create();
    pg.start();
    pg.sql(ordersTable(20000) + MORE);
    const world = await trading(platform, { connection: postgresConnection(port) });
    pageBesideCopy(platform, world, pg);
    await firstBesideDeep(platform, world);
  } finally {
    try { pg.stop(); } catch { /* never started */ }
    await platform.stop();
  }
}
