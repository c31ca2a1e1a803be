// SPDX-License-Identifier: Apache-2.0
// kill -9 of every process in turn, under load. Afterwards: the platform is back by itself, every write that was
// acknowledged is there, every answered call has its record, and the log verifies.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
const answered = []; // {txn, status} of every call that got an answer
const written = []; // ids of every organisation whose creation was acknowledged

before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
});
after(() => p?.stop());

// Calls and writes until stop(): a few at a time, errors of a dying peer are part of the game.
function load() {
  let running = true;
  const caller = async () => {
    while (running) {
      try {
        const answer = await p.call('/trade/orders/v1?limit=2', { key: world.key, grant: world.grant, ms: 5000 });
        if (!answer.cut) answered.push({ txn: answer.txn, status: answer.status });
      } catch { await delay(20); }
      await delay(5);
    }
  };
  const writer = async () => {
    while (running) {
      try {
        const made = await world.admin.post('/organisations', { name: `Written ${written.length} ${Math.random()}`, kind: 'holder' });
        written.push(made.id);
      } catch { await delay(20); }
      await delay(10);
    }
  };
  const all = [caller(), caller(), writer()];
  return async () => { running = false; await Promise.all(all); };
}

async function works() {
  await until(async () => (await p.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant, ms: 3000 })).status === 200, { ms: 20000, every: 50, what: 'a good call' });
  await until(async () => (await world.admin.raw('GET', '/api/v1/organisations?page_size=1')).status === 200, { ms: 20000, every: 50, what: 'the control plane' });
  // and the way between them: a change of now is live
  const grant = await w.grant(world, world.app, world.api);
  await until(async () => (await p.call('/trade/orders/v1?limit=1', { key: world.key, grant: grant.id, ms: 3000 })).status === 200, { ms: 10000, every: 50, what: 'a new grant' });
}

for (const role of ['control', 'data', 'worker', 'gateway', 'master']) {
  test(`[EC-4.2.1-0g] kill -9 of ${{ control: 'the control plane', data: 'the data service', worker: 'an nginx worker', gateway: 'the gateway\'s agent', master: 'nginx\'s master' }[role]} under load: it comes back by itself`, async () => {
    const [victim] = p.processes()[role];
    assert.ok(victim, `no ${role} among ${JSON.stringify(p.processes())}`);
    const stop = load();
    try {
      await delay(300);
      process.kill(victim, 'SIGKILL');
      await delay(500);
      await until(() => p.processes()[role].some((pid) => pid !== victim), { ms: 15000, what: `a new ${role}` });
      await works();
    } finally {
      await stop();
    }
    assert.ok(!p.processes()[role].includes(victim));
  });
}

test('every write that was acknowledged is there', async () => {
  assert.ok(written.length > 20, `${written.length} writes`);
  const there = new Set();
  for (let page = 1; ; page++) {
    const { items, total } = await world.admin.get(`/organisations?page_size=200&page=${page}`);
    items.forEach((o) => there.add(o.id));
    if (page * 200 >= total) break;
  }
  assert.deepEqual(written.filter((id) => !there.has(id)), []);
});

test('[BK-7.3.3a2, EC-4.2.1d2] every call that was answered has exactly one record', () => {
  assert.ok(answered.filter((a) => a.status === 200).length > 50, `${answered.length} answers`);
  assert.ok(answered.every((a) => a.txn), 'every answer names its transaction');
  const count = new Map();
  for (const r of records(p).filter((each) => each.kind === 'call')) count.set(r.transaction, (count.get(r.transaction) ?? 0) + 1);
  const lost = answered.filter((a) => !count.has(a.txn));
  assert.deepEqual(lost, [], `${lost.length} of ${answered.length} answers have no record`);
  assert.deepEqual([...count].filter(([, n]) => n !== 1), [], 'no call has two');
});

test('[BK-12.3a3] the audit log verifies after all the kills', () => verified(p));

test('stopped and started again, everything is as it was', async () => {
  await p.stop({ keep: true });
  await p.spawn();
  rows(await p.call('/trade/orders/v1?limit=1000', { key: world.key, grant: world.grant }), 20);
  verified(p);
});
