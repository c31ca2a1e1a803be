// SPDX-License-Identifier: Apache-2.0
// The end of an API's life as its callers meet it: deprecated with a date and a successor, then a baffle in its place.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
const SUNSET = '2031-06-30T15:00:00Z';

const old = (more = {}) => p.call('/old/v1/good', { key: world.key, ...more });

before(async () => {
  p = await Platform.start();
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  world.api = await w.httpApi(world, 'old', upstream.url, { successor: '/old/v2', notice_zh: '该服务已终止，请改用 v2', notice_en: 'This service has ended, use v2' });
  await w.subscription(world, world.app, world.api);
  await until(async () => (await old()).status === 200, { ms: 10000, what: 'the API' });
});
after(async () => {
  upstream?.close();
  await p?.stop();
});

test('an API in its prime says nothing of its end', async () => {
  const { headers } = await old();
  assert.deepEqual([headers.deprecation, headers.sunset, headers.link], [undefined, undefined, undefined]);
});

test('[BK-11b1] a deprecated API serves on and says since when, until when and what follows it', async () => {
  const before_s = Math.floor(Date.now() / 1000);
  await world.provider.act('apis', world.api, 'deprecate', { sunset_at: SUNSET });
  await until(async () => (await old()).headers.deprecation !== undefined, { ms: 10000, what: 'the deprecation' });
  const answer = await old();
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.deprecation, /^@\d{10}$/); // RFC 9745
  const since = Number(answer.headers.deprecation.slice(1));
  assert.ok(since >= before_s - 1 && since <= Date.now() / 1000 + 1, answer.headers.deprecation);
  assert.equal(answer.headers.sunset, 'Mon, 30 Jun 2031 15:00:00 GMT'); // RFC 8594
  assert.equal(answer.headers.link, '</old/v2>; rel="successor-version"');
});

test('a stranger is told nothing of it', async () => {
  const answer = await p.send('GET', '/old/v1/good');
  refused(answer, 401, 'signature-missing');
  assert.deepEqual([answer.headers.deprecation, answer.headers.link], [undefined, undefined]);
});

test('[BK-11e2, BK-7.2.2a] an offline API answers each caller with its notice and its successor, the upstream is not asked', async () => {
  await world.provider.act('apis', world.api, 'offline');
  await until(async () => (await old()).status === 410, { ms: 10000, what: 'the baffle' });
  const heard = upstream.seen.length;
  const en = await old();
  refused(en, 410, 'api-offline');
  assert.equal(en.json.detail, 'This service has ended, use v2');
  assert.equal(en.headers.link, '</old/v2>; rel="successor-version"');
  const zh = await old({ headers: { 'accept-language': 'zh-CN' } });
  refused(zh, 410, 'api-offline');
  assert.equal(zh.json.detail, '该服务已终止，请改用 v2');
  refused(await old({ method: 'POST', body: '{}' }), 410, 'api-offline');
  assert.equal(upstream.seen.length, heard);
});

test('[BK-7.2.2a] a version that never was, or is withdrawn for good, has no route', async () => {
  refused(await p.call('/old/v9/good', { key: world.key }), 404, 'route-unknown');
  await world.provider.act('apis', world.api, 'archive');
  await until(async () => (await old()).status === 404, { ms: 10000, what: 'the end of the route' });
  refused(await old(), 404, 'route-unknown');
});
