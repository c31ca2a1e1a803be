// SPDX-License-Identifier: Apache-2.0
// Batch: maskers and writers alone, then a whole export job of 10 GB from a view that makes its rows up as it is read.
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts, Platform } from '../tests/e2e/lib/platform.mjs';
import { Postgres, postgresConnection } from '../tests/e2e/lib/postgres.mjs';
import { until } from '../tests/e2e/lib/wait.mjs';
import { classify, people, subscription } from '../tests/e2e/lib/world.mjs';
import { BUILD, childrenOf, delay, row, rssKb, sh } from './lib.mjs';

const READINGS = '/bulk/readings/v1';
const ROW_BYTES = 245; // of a row as CSV
const GIGABYTES = Number(process.env.BENCH_EXPORT_GB ?? 10);
const ROWS = Math.round((GIGABYTES * 1e9) / ROW_BYTES);

// generate_series in the list of columns makes one row after the other; in FROM it would be written to disk first.
const VIEW = `CREATE VIEW readings AS SELECT n AS id, '某型号不锈钢保温杯 500 毫升 商务款'::text AS title, 'household'::text AS category, '欧阳测试'::text AS name, '138' || lpad((n % 100000000)::text, 8, '0') AS phone,
  (n % 9973) + 0.25 AS amount, 'paid'::text AS status, timestamp '2026-01-02 03:04:05' AS at, 'leave it with the porter, ring twice before noon'::text AS note,
  '浙江省杭州市西湖区文三路 90 号 东部软件园 1 号楼'::text AS address FROM (SELECT generate_series(1, ${ROWS}::bigint) AS n) s;`;

function writersAlone() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-'));
  try {
    const lines = sh(path.join(BUILD, 'data/batch_bench'), [dir, '1000']).trim().split('\n');
    const speed = Object.fromEntries(lines.map((l) => [l.split(' ')[0], Number(/: (\d+) MB\/s/.exec(l)[1])]));
    row('export of masked rows, generated, 10 columns, CSV, maskers and writers alone', Object.entries(speed).map(([k, v]) => `${k} ${v} MB/s`).join(', '), 'the bar', '', '≥ 100 MB/s');
  } finally { rmSync(dir, { recursive: true, force: true }); }
}

async function published(platform, port) {
  const world = await people(platform);
  const source = await world.provider.post('/sources', { name: 'bulk', organisation_id: world.holder, kind: 'odbc', connection: postgresConnection(port) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'readings', source_id: source.id, table: 'readings' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: classify(dataset.fields, { id: 1, title: 1, category: 1, name: [3, 'name'], phone: [3, 'phone'], amount: 1, status: 1, at: 1, note: 1, address: [3, 'address'] }) }, dataset.revision);
  const api = await world.provider.act('datasets', dataset.id, 'publish', { name: 'readings', version: 'v1', path: READINGS, title: 'Readings', batch: true });
  await subscription(world, world.app, api.id);
  await until(async () => (await platform.call(`${READINGS}?limit=1`, { key: world.key })).status === 200, { ms: 10000, what: 'the readings' });
  return world;
}

const dataProcess = (platform) => childrenOf(platform.child.pid).find((pid) => sh('ps', ['-o', 'args=', '-p', String(pid)]).includes(' data '));

// Followed until it ends: MB/s, and the process's memory at a tenth of it and at most.
async function exported(platform, world) {
  const pid = dataProcess(platform), from = process.hrtime.bigint();
  const asked = await platform.call(`${READINGS}/exports`, { key: world.key, method: 'POST', body: JSON.stringify({ format: 'csv', compression: 'zstd' }) });
  let job = asked.json, early = 0, most = 0;
  while (['queued', 'running'].includes(job.state)) {
    await delay(500);
    job = (await platform.call(`${READINGS}/exports/${asked.json.id}`, { key: world.key })).json;
    most = Math.max(most, rssKb(pid));
    if (job.progress?.rows < ROWS / 10) early = most;
  }
  if (job.state !== 'ready' || job.progress.rows !== ROWS) throw new Error(`the export: ${JSON.stringify(job)}`);
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  row(`export job of ${GIGABYTES} GB of masked rows, CSV, zstd, from a PostgreSQL view that makes them up`, `${Math.round((ROWS * ROW_BYTES) / 1e6 / seconds)} MB/s of rows; memory ${Math.round(most / 1024)} MiB at most`,
    `in its first tenth ${Math.round(early / 1024)} MiB`, (most / early).toFixed(2), '≥ 100 MB/s masked, memory flat');
}

export async function exports() {
  writersAlone();
  const platform = await Platform.start({ args: ['--plain', '--workers', '1'] });
  const [port] = await freePorts(1);
  const pg = new Postgres(platform.dir, port);
  try {
    const disk = statfsSync(platform.dir);
    if (disk.bavail * disk.bsize < GIGABYTES * 1e9) throw new Error(`${GIGABYTES} GB free are needed; BENCH_EXPORT_GB=1 asks for less`);
    pg.create();
    pg.start();
    pg.sql(VIEW);
    await exported(platform, await published(platform, port));
  } finally {
    try { pg.stop(); } catch { /* never started */ }
    await platform.stop();
  }
}
