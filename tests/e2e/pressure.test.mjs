// SPDX-License-Identifier: Apache-2.0
// A node that can no longer do its duty says so and delivers nothing: no room for the audit log, no news of
// revocations. When room and news are back, so is the service, by itself.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import tls from 'node:tls';
import { refused, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const STALENESS_S = 3;
const SMALL = 90; // MiB: room for one segment of the log and not for two
const call = (p, world) => p.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant, ms: 5000 });
const good = (p, world) => until(async () => (await call(p, world)).status === 200, { ms: 15000, what: 'a good call' });

test('[EC-6.1.4.4b] a node without news of revocations refuses after its staleness limit, and serves again with them', async () => {
  const p = await Platform.start({ config: `gateway:\n  staleness_max_s: ${STALENESS_S}\n` });
  try {
    const world = await w.trading(p);
    await delay((STALENESS_S + 2) * 1000);
    rows(await call(p, world), 1); // quiet is not stale: the feed's heartbeat counts
    const [control] = p.processes().control;
    process.kill(control, 'SIGSTOP');
    const started = performance.now();
    rows(await call(p, world), 1);
    const stale = await until(async () => { const a = await call(p, world); return a.status !== 200 && a; }, { ms: 15000, what: 'the refusal' });
    const took = (performance.now() - started) / 1000;
    refused(stale, 503, 'policy-stale');
    assert.ok(took > STALENESS_S - 2 && took < STALENESS_S + 2, `${took} s`);
    assert.equal(records(p, '--txn', stale.txn)[0].reason, 'policy-stale');
    process.kill(control, 'SIGCONT');
    await good(p, world);
    verified(p);
  } finally {
    for (const pid of p.processes().control) process.kill(pid, 'SIGCONT');
    await p.stop();
  }
});

// A file system of its own for the audit log. Resolves to null where that is not permitted.
function smallDisk() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-'));
  const log = path.join(dir, 'data/gateway/audit');
  mkdirSync(log, { recursive: true, mode: 0o700 });
  const mounted = process.getuid() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL}m,mode=700`, 'tmpfs', log]).status === 0;
  return mounted ? { dir, log } : null;
}

// Unsigned calls by the thousand, many in flight on each connection: each is refused and leaves a record of the
// greatest size. Resolves when all are answered.
function refusals(p, n) {
  return new Promise((resolve, reject) => {
    const request = `GET /${'x'.repeat(600)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
    const socket = tls.connect({ host: '127.0.0.1', port: p.gatewayPort, ca: p.ca, ALPNProtocols: ['http/1.1'] });
    let [sent, answered, rest] = [0, 0, ''];
    const more = () => { const k = Math.min(100, n - sent); sent += k; if (k > 0) socket.write(request.repeat(k)); };
    socket.on('secureConnect', more);
    socket.on('error', reject);
    socket.on('data', (d) => {
      const text = rest + d.toString('latin1');
      answered += text.split('HTTP/1.1 404').length - 1;
      rest = text.slice(-11);
      if (answered >= n) { socket.destroy(); resolve(); } else if (answered >= sent) more();
    });
  });
}

const disk = smallDisk();
test('[BK-7.3.3a2] with the audit log\'s disk full nothing is delivered, refusals are still recorded, and room brings the service back',
  { skip: disk ? false : 'mounting a small file system takes root' }, async () => {
    const p = await Platform.start({ dir: disk.dir, args: ['--workers', '1'] });
    try {
      const world = await w.trading(p);
      const started = performance.now();
      let full;
      for (let sent = 0; !full && sent < 400000; sent += 1000) {
        await refusals(p, 1000);
        const answer = await call(p, world);
        if (answer.status !== 200) full = answer;
      }
      assert.ok(full, 'the disk never filled');
      console.log(`        full after ${((performance.now() - started) / 1000).toFixed(1)} s; free: ${JSON.stringify(statfsSync(disk.log).bavail)} blocks; ${readdirSync(disk.log).join(' ')}`);
      refused(full, 503, 'audit-unavailable');
      for (let i = 0; i < 5; i++) refused(await call(p, world), 503, 'audit-unavailable');
      const unsigned = await p.send('GET', '/trade/orders/v1');
      refused(unsigned, 401, 'signature-missing');
      assert.equal(records(p, '--txn', full.txn)[0]?.reason, 'audit-unavailable', 'the refusal has its record');
      assert.equal(records(p, '--txn', unsigned.txn)[0]?.reason, 'signature-missing');
      execFileSync('mount', ['-o', `remount,size=${4 * SMALL}m`, disk.log]);
      await good(p, world);
      verified(p);
    } finally {
      await p.stop({ keep: true });
      execFileSync('umount', [disk.log]);
      await p.stop();
    }
  });
