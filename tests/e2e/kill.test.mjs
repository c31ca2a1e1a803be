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

// kill -9 of the control plane, and it answers again.
async function killControl() {
  const [victim] = p.processes().control;
  process.kill(victim, 'SIGKILL');
  await until(() => p.processes().control.some((pid) => pid !== victim), { ms: 15000, every: 20, what: 'a new control plane' });
  await until(async () => (await world.admin.raw('GET', '/api/v1/organisations?page_size=1')).status === 200, { ms: 20000, every: 50, what: 'the control plane' });
}

const setting = async (name, value) => {
  const [row] = await world.admin.list('service_settings', { name });
  await world.admin.patch(`/service_settings/${row.id}`, { value }, row.revision);
};

test('[EC-4.2.1-0g] kill -9 during a discovery: it goes on, and finds each column once', async () => {
  const made = await world.operator.post('/discoveries', { dataset_id: world.dataset, mode: 'whole' });
  await killControl();
  const done = await until(async () => { const d = await world.operator.get(`/discoveries/${made.id}`); return ['proposed', 'failed'].includes(d.state) && d; }, { ms: 30000, what: 'the end of the discovery' });
  assert.equal(done.state, 'proposed', done.reason);
  const columns = (await world.operator.list('findings', { discovery_id: made.id })).map((f) => f.column);
  assert.ok(columns.includes('card_number') && columns.includes('buyer_phone'), columns.join());
  assert.equal(new Set(columns).size, columns.length, columns.join());
});

test('[EC-4.2.1-0g] kill -9 during a staged release: what was announced is released at its time, once', async () => {
  await setting('change-notice-days', '0');
  const change = await world.provider.post('/service_changes', { api_id: world.api, summary: 'a longer wait', change: { timeout_ms: 4321 }, plan: 'at night', emergency_plan: 'back', release_at: new Date(Date.now() + 1500).toISOString() });
  await world.provider.act('service_changes', change.id, 'assess', { impact: 'none' });
  await world.provider.act('service_changes', change.id, 'announce');
  await killControl();
  await until(async () => (await world.provider.get(`/service_changes/${change.id}`)).state === 'released', { ms: 20000, what: 'the release' });
  await killControl();
  assert.equal((await world.provider.get(`/apis/${world.api}`)).timeout_ms, 4321);
  const { items } = await world.admin.get(`/operations?resource_id=${change.id}&page_size=50`);
  assert.equal(items.filter((o) => o.after?.state === 'released' && o.before?.state !== 'released').length, 1, JSON.stringify(items.map((o) => o.action)));
});

test('[BK-11a, EC-4.2.1-0g] kill -9 during the end of a service: each acknowledged step stands, none is done twice, and the end goes on in order', async () => {
  const api = (await world.provider.act('datasets', world.dataset, 'publish', { name: 'ending', version: 'v1', path: '/trade/ending/v1', title: 'Ending' })).id;
  await w.subscription(world, world.app, api);
  for (const [name, value] of [['termination-control', 'on'], ['termination-notice-days', '0']]) await setting(name, value);
  const end = await world.provider.post('/service_terminations', { api_id: api, reason: 'replaced', user_notice: 'it ends' });
  await killControl();
  assert.equal((await world.provider.list('termination_items', { termination_id: end.id })).length, 5);
  assert.equal((await world.operator.list('service_notices', { about_id: end.id })).filter((n) => n.party === 'app').length, 1);
  await w.agreed(world, end.id);
  await world.provider.act('apis', api, 'baffle');
  await killControl();
  await world.provider.act('service_terminations', end.id, 'cancellation', { reference: 'C-1' });
  await world.provider.act('service_terminations', end.id, 'confirm');
  await killControl();
  await world.provider.act('apis', api, 'offline');
  const { steps } = await world.provider.get(`/service_terminations/${end.id}/steps`);
  assert.deepEqual(steps.filter((each) => !each.done).map((each) => each.step), ['archive']);
  await setting('termination-control', 'off');
});

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
