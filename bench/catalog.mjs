// SPDX-License-Identifier: Apache-2.0
// The resource centre: how long a search takes over a large directory, how many tables a second a harvest takes in.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { freePorts, Platform } from '../tests/e2e/lib/platform.mjs';
import { Postgres, postgresConnection } from '../tests/e2e/lib/postgres.mjs';
import { until } from '../tests/e2e/lib/wait.mjs';
import { people, sqliteConnection } from '../tests/e2e/lib/world.mjs';
import { BUILD, row, sh } from './lib.mjs';

const ms = (us) => (us / 1000).toFixed(1);
const times = (t) => `p50 ${ms(t.p50)} ms, p99 ${ms(t.p99)} ms, longest ${ms(t.max)} ms`;

export async function search(entries = Number(process.env.BENCH_ENTRIES ?? 1000000), searches = 3600) {
  const all = JSON.parse(sh(path.join(BUILD, 'control/search_bench'), [String(entries), String(searches)]));
  const worst = Object.entries(all).filter(([name]) => name !== 'all').sort(([, a], [, b]) => b.wall.p99 - a.wall.p99)[0];
  row(`search over ${entries.toLocaleString('en')} entries, twelve kinds of query`, times(all.all.wall), `processor's time alone: ${times(all.all.cpu)}`, (50000 / all.all.wall.p99).toFixed(2), 'p99 ≤ 50 ms',
    `slowest kind: ${worst[0]}, p99 ${ms(worst[1].wall.p99)} ms`);
}

const TABLES = 1000;
const tables = (text) => Array.from({ length: TABLES }, (_, i) => `CREATE TABLE t${i} (id INTEGER PRIMARY KEY, name ${text}, amount NUMERIC(12,2), made_at DATE);
INSERT INTO t${i} VALUES (1, 'a', 1.5, '2026-01-01'), (2, 'b', 2.5, '2026-01-02');`).join('\n');

async function harvest(world, name, connection) {
  const { id } = await world.provider.post('/sources', { name, organisation_id: world.holder, kind: 'odbc', connection });
  await world.provider.act('sources', id, 'check');
  const { id: run } = await world.provider.post('/harvests', { source_id: id });
  const done = await until(async () => {
    const h = await world.provider.get(`/harvests/${run}`);
    return ['done', 'failed'].includes(h.state) && h;
  }, { ms: 120000, what: 'the harvest' });
  if (done.done !== TABLES) throw new Error(`${done.done} of ${TABLES} tables: ${done.reason}`);
  return TABLES / ((Date.parse(done.finished_at) - Date.parse(done.started_at)) / 1000);
}

export async function harvests() {
  const platform = await Platform.start();
  const [port] = await freePorts(1);
  const pg = new Postgres(platform.dir, port);
  try {
    const world = await people(platform);
    const file = path.join(platform.dir, 'many.db');
    execFileSync('sqlite3', [file], { input: `BEGIN;${tables('VARCHAR(40)')}COMMIT;` });
    const sqlite = await harvest(world, 'sqlite', sqliteConnection(file));
    row(`harvest of ${TABLES} tables, SQLite`, `${Math.round(sqlite)} tables/s`, 'the bar', (sqlite / 100).toFixed(2), '≥ 100 tables/s');
    pg.create();
    pg.start();
    pg.sql(tables('VARCHAR(40)'));
    const postgres = await harvest(world, 'postgres', postgresConnection(port));
    row(`harvest of ${TABLES} tables, PostgreSQL`, `${Math.round(postgres)} tables/s`, 'the bar', (postgres / 100).toFixed(2), '≥ 100 tables/s');
  } finally {
    try { pg.stop(); } catch { /* never started */ }
    await platform.stop();
  }
}
