// SPDX-License-Identifier: Apache-2.0
// A real PostgreSQL of a test's or a bench's own, in a folder of its own.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ORDER_COLUMNS, orderRows } from '../../../demo/generate.mjs';
import { MERCHANTS, SEED } from './world.mjs';

export const BIN = ['/usr/lib/postgresql'].filter(existsSync).flatMap((d) => readdirSync(d).map((v) => path.join(d, v, 'bin'))).at(-1);

// PostgreSQL refuses to run as root: then it runs as the user its package made.
export class Postgres {
  constructor(dir, port) {
    Object.assign(this, { dir, port, data: path.join(dir, 'pg') });
    mkdirSync(this.data, { recursive: true });
    this.user = process.getuid() === 0 ? 'postgres' : null;
    if (!this.user) return;
    const [uid, gid] = ['-u', '-g'].map((f) => Number(execFileSync('id', [f, this.user], { encoding: 'utf8' })));
    Object.assign(this, { uid, gid });
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
  // From now on it speaks TLS to who asks for it.
  secure() {
    const at = (name) => path.join(this.data, name);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1', '-keyout', at('server.key'), '-out', at('server.crt')], { stdio: 'ignore' });
    chmodSync(at('server.key'), 0o600);
    if (this.uid !== undefined) for (const name of ['server.key', 'server.crt']) chownSync(at(name), this.uid, this.gid);
    this.sql('ALTER SYSTEM SET ssl = on;');
    this.sql('SELECT pg_reload_conf();');
  }
  stop() { this.run('pg_ctl', ['-D', this.data, '-m', 'immediate', '-s', '-w', 'stop']); }
  sql(text) { return this.run('psql', ['-h', '127.0.0.1', '-p', this.port, '-U', 'sluice', '-d', 'postgres', '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], text); }
}

// The trade platform's orders as SQL.
export function ordersTable(orders = 200) {
  const rowsText = [...orderRows(SEED, orders, MERCHANTS)].map((r) => r.join('\t')).join('\n');
  return `CREATE TABLE orders (order_id text PRIMARY KEY, merchant_id text NOT NULL, product_title text, category varchar(20), quantity integer, amount numeric(12,2),
    currency char(3), status text, ordered_at timestamp, buyer_name text, buyer_phone text, buyer_email text, buyer_address text, card_number text, pay_password text);
    COPY orders (${ORDER_COLUMNS.join(',')}) FROM stdin;\n${rowsText}\n\\.\n`;
}

export const postgresConnection = (port) => `Driver={PostgreSQL Unicode};Server=127.0.0.1;Port=${port};Database=postgres;Uid=sluice`;
