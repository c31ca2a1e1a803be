// SPDX-License-Identifier: Apache-2.0
// What a node tells the control plane: events exactly once over kills of either side, live views, its keys.

import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import test, { after, before } from 'node:test';
import { Platform } from './lib/platform.mjs';
import { delay, until } from './lib/wait.mjs';

let p;
let admin;
const dir = () => path.join(p.data, 'gateway/state/events');
const ours = () => readdirSync(dir()).filter((f) => f.startsWith('999'));
// A UUIDv7 by its shape.
const id = () => { const u = randomUUID(); return `01a00000-0000-7${u.slice(15, 18)}-${u.slice(19)}`; };
const event = (more = {}) => ({ id: id(), at: Date.now(), kind: 'target-down', target: '10.0.0.1:80', ...more });
const line = (e) => `${JSON.stringify(e)}\n`;

async function alerts() {
  const found = [];
  for (let page = 1; page <= 20; page += 1) {
    const items = await admin.list('alerts', { page });
    found.push(...items);
    if (items.length < 200) break;
  }
  return found;
}
const stored = async (ids) => { const seen = (await alerts()).map((a) => a.id); return ids.map((i) => seen.filter((s) => s === i).length); };
const once = (events) => async () => (await stored(events.map((e) => e.id))).every((c) => c === 1);

before(async () => {
  p = await Platform.start();
  admin = await p.admin();
});
after(() => p?.stop());

test('[BK-10.1.2a] events of workers become alerts, and a file of a dead worker goes when all of it is stored', async () => {
  const all = [event(), event({ kind: 'breaker-open', reason: 'x' })];
  writeFileSync(path.join(dir(), '999999999.1.ndjson'), all.map(line).join(''));
  await until(once(all), { ms: 8000, what: 'the alerts' });
  await until(() => ours().length === 0, { ms: 8000, what: 'the end of the file' });
});

test('a line that is half written waits for its end; one of a dead worker is passed over', async () => {
  const [whole, torn] = [event(), event()];
  const file = path.join(dir(), `${process.pid}.1.ndjson`); // we live
  writeFileSync(file, line(whole) + line(torn).slice(0, 20));
  await until(once([whole]), { ms: 8000, what: 'the whole line' });
  appendFileSync(file, line(torn).slice(20));
  await until(once([torn]), { ms: 8000, what: 'the other line' });
  assert.ok(existsSync(file), 'who lives may write on');
  writeFileSync(path.join(dir(), `${process.pid}.2.ndjson`), '');
  await until(() => !existsSync(file), { ms: 8000, what: 'the end of the file that has a successor' });
  writeFileSync(path.join(dir(), '999999998.1.ndjson'), '{"id":"half');
  await until(() => ours().length === 0, { ms: 8000, what: 'the end of the torn file' });
});

test('what is no event, or one the control plane refuses, does not hold up those behind it', async () => {
  const good = [event(), event()];
  writeFileSync(path.join(dir(), '999999997.1.ndjson'), `${line(good[0])}no json\n${line(event({ kind: 'nonsense' }))}${line(good[1])}`);
  await until(once(good), { ms: 20000, what: 'the good ones' });
  await until(() => ours().length === 0, { ms: 10000, what: 'the end of the file' });
});

test('2,000 events, control and agent killed meanwhile: each is stored once', async () => {
  const all = Array.from({ length: 2000 }, () => event());
  for (let i = 0; i < 4; i += 1) {
    writeFileSync(path.join(dir(), `99999990${i}.1.ndjson`), all.slice(i * 500, i * 500 + 500).map(line).join(''));
    await delay(150);
    const { control, gateway } = p.processes();
    process.kill((i % 2 ? gateway : control)[0], 'SIGKILL');
    await delay(400);
  }
  await until(async () => (await p.rest.raw('GET', '/api/v1/health').catch(() => ({}))).status === 200, { ms: 15000, what: 'the control plane' });
  await until(() => once(all)().catch(() => false), { ms: 30000, what: 'all events, each once' });
  await until(() => ours().length === 0, { ms: 10000, what: 'the end of the files' });
});

test('the node shows itself and its public keys', async () => {
  const node = await until(async () => (await admin.get('/live/nodes')).items[0], { ms: 10000, what: 'the node' });
  assert.match(node.version, /^\d+\.\d+/);
  const { body } = await p.rest.raw('GET', '/api/v1/keys');
  assert.ok(body.keys.some((k) => k.use === 'sig') && body.keys.every((k) => !('d' in k)), JSON.stringify(body));
});
