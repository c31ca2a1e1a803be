// SPDX-License-Identifier: Apache-2.0
// Work on bytes alone: masking a JSON stream beside jq, the audit log beside fwrite.
import { mkdtempSync, rmSync, statSync, writeFileSync, openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { BUILD, median, row, sh } from './lib.mjs';

export async function mask() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-'));
  try {
    const [file, ours, theirs, program] = ['orders.json', 'ours.json', 'theirs.json', 'edit.jq'].map((f) => path.join(dir, f));
    const tool = `${BUILD}/bench/mask_json`;
    const m = JSON.parse(sh(tool, [file, ours]));
    writeFileSync(program, sh(tool, ['--jq']));
    const speeds = [];
    for (let i = 0; i < 3; i++) {
      const out = openSync(theirs, 'w'), from = process.hrtime.bigint();
      spawnSync('jq', ['-c', '-f', program, file], { stdio: ['ignore', out, 'inherit'] });
      speeds.push(statSync(file).size / 1e6 / (Number(process.hrtime.bigint() - from) / 1e9));
      closeSync(out);
    }
    const same = spawnSync('cmp', ['-n', String(statSync(ours).size), ours, theirs]).status === 0;
    row('masking 100 MB of JSON orders: 3 masks, 2 drops', `${Math.round(m.mb_per_s)} MB/s (${Math.round(m.cpu_mb_per_s)} by CPU time)`,
      `jq ${median(speeds).toFixed(1)} MB/s; memcpy ${Math.round(m.memcpy_mb_per_s)} MB/s`, (m.mb_per_s / median(speeds)).toFixed(0), '≥ 20 × jq', same ? 'the same output, byte for byte' : 'OUTPUT DIFFERS');
  } finally { rmSync(dir, { recursive: true, force: true }); }
}

export async function audit() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-'));
  try {
    const runs = Array.from({ length: 5 }, () => sh(`${BUILD}/libs/audit/audit_bench`, [dir]));
    const pick = (re) => median(runs.map((text) => Number(re.exec(text)[1])));
    const append = pick(/append and chain\s+(\d+)/), sm3 = pick(/SM3 of the record\s+(\d+)/), buffered = pick(/fwrite, buffered\s+(\d+)/);
    row('audit: append and chain a record', `${append} ns (SM3 ${sm3} ns of it)`, `fwrite of the same bytes ${buffered} ns`, (buffered / append).toFixed(2), '≥ 0.5');
  } finally { rmSync(dir, { recursive: true, force: true }); }
}
