// SPDX-License-Identifier: Apache-2.0
// A dataset of a real PostgreSQL that the test starts itself; the database goes and comes back.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, rows } from './lib/assertions.mjs';
import { freePorts, Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';
import { ORDER_COLUMNS, orderRows } from '../../demo/generate.mjs';

const BIN = ['/usr/lib/postgresql'].filter(existsSync).flatMap((d) => readdirSync(d).map((v) => path.join(d, v, 'bin'))).at(-1);

// PostgreSQL refuses to run as root: then it runs as the user its package made.
class Postgres {
  constructor(dir, port) {
    Object.assign(this, { dir, port, data: path.join(dir, 'pg') });
    mkdirSync(this.data, { recursive: true });
    this.user = process.getuid() === 0 ? 'postgres' : null;
    if (!this.user) return;
    const [uid, gid] = ['-u', '-g'].map((f) => Number(execFileSync('id', [f, this.user], { encoding: 'utf8' })));
    chownSync(this.data, uid, gid);
    execFileSync('chmod', ['755', dir]);
  }

  run(program, args, input) {
    const command = [path.join(BIN, program), ...args.map(String)];
    const all = this.user ? ['setpriv', `--reuid=${this.user}`, `--regid=${this.user}`, '--clear-groups', ...command] : command;
    const { LD_PRELOAD: _, ...env } = process.env;
    const done = spawnSync(all[0], all.slice(1), { input, encoding: 'utf8', env: { ...env, LC_ALL: 'C.UTF-8' }, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
    if (done.status !== 0) throw new Error(`${program}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  create() { this.run('initdb', ['-D', this.data, '-A', 'trust', '-U', 'sluice', '-E', 'UTF8', '--no-sync']); }
  start() { this.run('pg_ctl', ['-D', this.data, '-w', '-s', '-l', path.join(this.data, 'log'), '-o', `-p ${this.port} -k ${this.data} -c listen_addresses=127.0.0.1 -c fsync=off`, 'start']); }
  stop() { this.run('pg_ctl', ['-D', this.data, '-m', 'immediate', '-s', '-w', 'stop']); }
  sql(text) { return this.run('psql', ['-h', '127.0.0.1', '-p', this.port, '-U', 'sluice', '-d', 'postgres', '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], text); }
}

let p;
let pg;
let world;
const call = (query = '') => p.call(`/trade/orders/v1${query}`, { key: world.key, grant: world.grant });

function ordersTable() {
  const rowsText = [...orderRows(w.SEED, 200, w.MERCHANTS)].map((r) => r.join('\t')).join('\n');
  return `CREATE TABLE orders (order_id text PRIMARY KEY, merchant_id text NOT NULL, product_title text, category varchar(20), quantity integer, amount numeric(12,2),
    currency char(3), status text, ordered_at timestamp, buyer_name text, buyer_phone text, buyer_email text, buyer_address text, card_number text, pay_password text);
    COPY orders (${ORDER_COLUMNS.join(',')}) FROM stdin;\n${rowsText}\n\\.\n`;
}

before(async () => {
  p = await Platform.start();
  const [port] = await freePorts(1);
  pg = new Postgres(p.dir, port);
  pg.create();
  pg.start();
  pg.sql(ordersTable());
  world = await w.trading(p, { connection: `Driver={PostgreSQL Unicode};Server=127.0.0.1;Port=${port};Database=postgres;Uid=sluice` });
});
after(async () => {
  try { pg?.stop(); } catch { /* it may be stopped already */ }
  await p?.stop();
});

test('[SW-8.1-p4] tables, columns, types and keys are read from PostgreSQL', async () => {
  const { columns } = await world.provider.get(`/sources/${world.source}/tables/orders`);
  assert.equal(columns.length, ORDER_COLUMNS.length);
  assert.equal(columns.find((c) => c.name === 'order_id').key, true);
  assert.match(JSON.stringify(columns.find((c) => c.name === 'amount')), /numeric/i);
});

test('[EC-4.3.2d] rows come masked, numbers exact, only the owner\'s', async () => {
  const all = rows(await call('?limit=1000&order=order_id'), 20);
  const [, , title, , quantity, amount] = orderRows(w.SEED, 1, w.MERCHANTS).next().value;
  assert.deepEqual([all[0].product_title, all[0].quantity, Number(all[0].amount)], [title, quantity, Number(amount)]);
  assert.ok(all.every((r) => r.merchant_id === 'M00001' && /\*/.test(r.buyer_phone) && !('card_number' in r)));
});

test('filters, order, ranges and counts are PostgREST\'s', async () => {
  assert.equal(rows(await call('?select=order_id,quantity&quantity=gte.3&order=quantity.desc,order_id.asc')).every((r) => r.quantity >= 3 && Object.keys(r).length === 2), true);
  assert.equal(rows(await call('?order_id=in.(O000000001,O000000011)')).length, 2);
  const counted = await p.call('/trade/orders/v1?limit=5&offset=5', { key: world.key, grant: world.grant, headers: { prefer: 'count=exact' } });
  assert.equal(counted.headers['content-range'], '5-9/20');
});

test('[SW-8.2-0a] a change in the database shows on the next call', async () => {
  pg.sql("UPDATE orders SET status = '已关闭' WHERE order_id = 'O000000001';");
  assert.equal(rows(await call('?order_id=eq.O000000001'), 1)[0].status, '已关闭');
});

test('a database that is gone is refused plainly, and served again when it is back', async () => {
  pg.stop();
  const gone = await call('?limit=1');
  refused(gone, 503, 'source-unavailable');
  assert.ok(!/sluice|127\.0\.0\.1|5432/.test(gone.json.detail ?? ''), 'the caller learns nothing about the database');
  pg.start();
  await until(async () => (await call('?limit=1')).status === 200, { ms: 10000, what: 'the rows' });
});
