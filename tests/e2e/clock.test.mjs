// SPDX-License-Identifier: Apache-2.0
// Clocks that are 10 minutes apart. Only the difference counts at the window, so it is the client's that is moved, by
// what its signatures say. What a platform's clock that jumps does to spent nonces is tested beside libs/replay.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import * as w from './lib/world.mjs';

const TARGET = '/trade/orders/v1?limit=1';
const TEN = 600;
let p;
let world;

before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
});
after(() => p?.stop());

// A call of a client whose clock is ahead of ours by so many seconds. life: until its signature expires.
const from = (offset, life = 60) => (s) => ({ ...s, created: s.created + offset, expires: s.created + offset + life });
const headers = (offset, life) => sign(world.key, { url: p.gateway + TARGET, headers: { 'sluice-grant': world.grant } }, from(offset, life));
const call = (offset, life) => p.send('GET', TARGET, { headers: headers(offset, life) });
const told = (answer) => Math.round((Date.parse(answer.headers.date) - Date.now()) / 1000);
const near = (a, b) => assert.ok(Math.abs(a - b) <= 3, `${a} is not near ${b}`);

for (const [what, offset] of [['10 minutes slow', -TEN], ['10 minutes fast', TEN]]) {
  test(`[EC-6.1.3.1b] a client whose clock is ${what} is refused and told the time, with which it is served`, async () => {
    const answer = await call(offset);
    refused(answer, 401, 'signature-stale');
    near(told(answer), 0);
    assert.equal(records(p, '--txn', answer.txn)[0].reason, 'signature-stale');
    rows(await call(told(answer)), 1);
  });
}

test('[EC-6.1.3.1b] clocks that differ by less than the window are served', async () => {
  for (const offset of [-50, -20, 0, 20]) rows(await call(offset), 1);
  refused(await call(40), 401, 'signature-stale');
  refused(await call(-70), 401, 'signature-stale');
});

test('[EC-6.1.3.1b] a signature made ahead of time is no use then, nor is one that expired any later', async () => {
  const ahead = headers(TEN);
  const late = headers(-TEN);
  for (let i = 0; i < 3; i++) {
    refused(await p.send('GET', TARGET, { headers: ahead }), 401, 'signature-stale');
    refused(await p.send('GET', TARGET, { headers: late }), 401, 'signature-stale');
  }
  rows(await call(0), 1);
});

test('[EC-4.2.1d2] the log is whole and in the order of the calls, whatever the clock said', async () => {
  const all = records(p);
  assert.ok(all.length > 10);
  verified(p);
});
