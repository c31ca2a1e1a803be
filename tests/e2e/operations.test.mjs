// SPDX-License-Identifier: Apache-2.0
// What an operator sees of a running node: metrics in Prometheus' text, the access log.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Platform } from './lib/platform.mjs';
import { trading } from './lib/world.mjs';
import { until } from './lib/wait.mjs';

let platform, world;

before(async () => {
  platform = await Platform.start({ config: 'gateway:\n  access_log: true\n' });
  world = await trading(platform, { orders: 20 });
});
after(() => platform?.stop());

function metrics(pathname = '/metrics', method = 'GET') {
  return new Promise((done, fail) => {
    http.request({ socketPath: path.join(platform.data, 'gateway/ops.sock'), path: pathname, method }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => done({ status: res.statusCode, type: res.headers['content-type'], text }));
    }).on('error', fail).end();
  });
}

const value = (text, name, labels) => {
  const line = text.split('\n').find((l) => l.startsWith(`${name}{`) && labels.every((label) => l.includes(label)));
  return line ? Number(line.split(' ').at(-1)) : 0;
};

test('[BK-10.1.2a] calls, refusals, rows and times are counted for each API and app, and by code', async () => {
  const api = [`api_id="${world.api}"`], app = [`app_id="${world.app}"`], earlier = (await metrics()).text;
  for (let i = 0; i < 3; i++) assert.equal((await platform.call('/trade/orders/v1?limit=2', { key: world.key, grant: world.grant })).status, 200);
  assert.equal((await platform.call('/trade/orders/v1', { key: { ...world.key, secret: Buffer.alloc(32).toString('base64url') }, grant: world.grant })).status, 401);
  const { status, type, text } = await metrics();
  const more = (name, labels) => value(text, name, labels) - value(earlier, name, labels);
  assert.equal(status, 200);
  assert.match(type, /^text\/plain; version=0\.0\.4/);
  assert.equal(more('sluice_api_calls_total', api), 4);
  assert.equal(more('sluice_api_refused_total', api), 1);
  assert.equal(more('sluice_api_rows_total', api), 6);
  assert.ok(more('sluice_api_sent_bytes_total', api) > 300);
  assert.equal(more('sluice_api_seconds_count', api), 4);
  assert.equal(more('sluice_api_seconds_bucket', [...api, 'le="+Inf"']), 4);
  assert.equal(more('sluice_app_calls_total', app), 3, 'a call nobody has proven is on nobody\'s account');
  assert.equal(more('sluice_calls_total', ['code="signature-invalid"']), 1);
  assert.equal(more('sluice_calls_total', ['code="ok"']), 3);
  assert.ok(value(text, 'sluice_policy_version', []) === 0 && /^sluice_policy_version \d+$/m.test(text));
});

test('every line is one Prometheus reads, and each metric has its type', async () => {
  const { text } = await metrics();
  const types = new Set([...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map((m) => m[1]));
  for (const line of text.trimEnd().split('\n').filter((l) => !l.startsWith('#'))) {
    const m = /^([a-z_]+)(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [0-9.e+-]+$/.exec(line);
    assert.ok(m, line);
    assert.ok(types.has(m[1]) || types.has(m[1].replace(/_(bucket|sum|count)$/, '')), line);
  }
});

test('the operations socket serves metrics alone, to this machine\'s user alone', async () => {
  assert.equal((await metrics('/')).status, 404);
  assert.equal((await metrics('/trade/orders/v1')).status, 404);
  assert.equal((await metrics('/metrics', 'POST')).status, 405);
});

test('counters go on after every nginx process was killed', async () => {
  const before = value((await metrics()).text, 'sluice_api_calls_total', [`api_id="${world.api}"`]);
  const { master, worker } = platform.processes();
  for (const pid of [...master, ...worker]) process.kill(pid, 'SIGKILL');
  await until(async () => (await platform.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant }).catch(() => ({}))).status === 200);
  await until(async () => (await metrics().catch(() => ({ text: '' }))).text.includes('sluice_api_calls_total'));
  assert.equal(value((await metrics()).text, 'sluice_api_calls_total', [`api_id="${world.api}"`]), before + 1);
});

test('[BK-7.1g] the access log has a line of JSON a call, with what it was and nothing of whose data', async () => {
  const file = path.join(platform.data, 'gateway/nginx/access.log');
  const { txn } = await platform.call('/trade/orders/v1?limit=1&order_id=eq.SO-SECRET', { key: world.key, grant: world.grant });
  await until(() => existsSync(file) && readFileSync(file, 'utf8').includes(txn));
  const text = readFileSync(file, 'utf8'), line = JSON.parse(text.split('\n').find((l) => l.includes(txn)));
  assert.deepEqual([line.method, line.path, line.status, line.code, line.api], ['GET', '/trade/orders/v1', 200, 'ok', 'orders']);
  assert.equal(line.app, 'Order helper');
  assert.ok(line.seconds >= 0 && line.upstream_seconds !== '');
  assert.ok(!text.includes('SO-SECRET') && !text.includes(world.grant), 'no query and no header');
  assert.equal(statSync(path.dirname(file)).mode & 0o007, 0, 'its folder is closed to others');
});
