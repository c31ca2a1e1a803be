// SPDX-License-Identifier: Apache-2.0
// Batch: rows that are made up as they are read, masked, written, digested and packed, onto the disk. 10 GB of them in the memory of 100 MB.
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BUILD, row, sh } from './lib.mjs';

const GIGABYTES = Number(process.env.BENCH_EXPORT_GB ?? 10);

export async function exports() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-'));
  try {
    const disk = statfsSync(dir);
    if (disk.bavail * disk.bsize < GIGABYTES * 1.1e9) throw new Error(`${GIGABYTES} GB of disk are needed; BENCH_EXPORT_GB=1 asks for less`);
    const told = sh(path.join(BUILD, 'data/batch_bench'), [dir, '100', String(GIGABYTES * 1000)]).trim().split('\n')
      .map((line) => /^(\w+) (\d+) MB of rows: (\d+) MB\/s, peak (\d+) KB$/.exec(line).slice(1).map((v) => (/^\d/.test(v) ? Number(v) : v)));
    const [small, large, ...packed] = told;
    const speeds = [large, ...packed].map(([method, , speed]) => `${method} ${speed} MB/s`).join(', ');
    row('export of masked rows, generated, 10 columns, CSV', speeds, 'the bar', '', '≥ 100 MB/s', 'no database');
    row(`the same, memory at most while ${GIGABYTES} GB are written`, `${(large[3] / 1024).toFixed(1)} MiB`, `with 100 MB ${(small[3] / 1024).toFixed(1)} MiB`, (large[3] / small[3]).toFixed(2), 'flat');
  } finally { rmSync(dir, { recursive: true, force: true }); }
}
