// SPDX-License-Identifier: Apache-2.0
// Calls held against the API's OpenAPI description at the gateway: what is not as described is refused by a code of
// its own, and nobody behind the gateway hears of it.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let upstream;
let schema;

const text = (more = {}) => ({ type: 'string', ...more });
const ok = { responses: { 200: { description: 'ok' } } };
const query = (name, s, more = {}) => ({ name, in: 'query', schema: s, ...more });
const OPENAPI = { openapi: '3.1.0', info: { title: 'orders', version: '1' }, paths: {
  '/good': { get: { parameters: [query('limit', { type: 'integer', minimum: 1, maximum: 100 }), query('since', text({ format: 'date' }))], ...ok },
    post: { requestBody: { required: true, content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } } }, ...ok } },
  '/orders/{id}': { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }], get: { parameters: [query('lang', text({ enum: ['zh', 'en'] }), { required: true })], ...ok } } },
components: { schemas: { Order: { type: 'object', required: ['product', 'quantity'], properties: { product: text({ maxLength: 20, pattern: '^[a-z]+$' }),
  quantity: { type: 'integer', minimum: 1 }, buyer: { type: 'object', properties: { phone: text({ format: 'phone-cn' }) } }, tree: {} } } } } };

const call = (target, more = {}) => p.call(`/checked/v1${target}`, { key: world.key, ...more });
const post = (body, more = {}) => call('/good', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), ...more });

before(async () => {
  p = await Platform.start();
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  world.api = await w.httpApi(world, 'checked', upstream.url);
  schema = await world.provider.post('/schemas', { api_id: world.api, openapi: OPENAPI });
  await w.subscription(world, world.app, world.api);
  await until(async () => (await call('/good')).status === 200 && (await call('/good?limit=0')).status === 400, { ms: 10000, what: 'the checked API' });
});
after(async () => {
  upstream?.close();
  await p?.stop();
});

// Refused with this code and place, and the upstream heard nothing.
async function stopped(answer, status, code, where) {
  const heard = upstream.seen.length;
  const a = await answer();
  refused(a, status, code);
  if (where !== undefined) assert.equal(a.json.where, where, a.text);
  assert.equal(upstream.seen.length, heard, 'the upstream was asked');
}

test('[BK-7.2.2a, GS-6.9.3c-1] a call as described goes through, parameters and body', async () => {
  assert.equal((await call('/good?limit=100&since=2026-01-31')).status, 200);
  const answer = await post({ product: 'tea', quantity: 2, buyer: { phone: '13812345678' } });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { id: 'A1', phone: '138****5678', items: [{ id: 'I1' }] });
});

for (const [target, status, code, where] of [
  ['/goods', 404, 'operation-unknown'], ['/orders', 404, 'operation-unknown'], ['/orders/1/items', 404, 'operation-unknown'], ['/GOOD', 404, 'operation-unknown'],
  ['/good?limit=0', 400, 'parameter-invalid', 'limit'], ['/good?limit=101', 400, 'parameter-invalid', 'limit'], ['/good?limit=ten', 400, 'parameter-invalid', 'limit'],
  ['/good?limit=1&limit=2', 400, 'parameter-invalid', 'limit'], ['/good?limit=%zz', 400, 'parameter-invalid'], ['/good?since=2026-02-30', 400, 'parameter-invalid', 'since'],
  ['/good?debug=1', 400, 'parameter-unknown', 'debug'], ['/good?limit=1%27%20OR%201=1', 400, 'parameter-invalid', 'limit'], ['/orders/1', 400, 'parameter-missing', 'lang'],
  ['/orders/1?lang=fr', 400, 'parameter-invalid', 'lang'], ['/orders/abc?lang=zh', 400, 'parameter-invalid', 'id'], ['/orders/..%2f1?lang=zh', 400, 'parameter-invalid', 'id']]) {
  test(`[BK-7.2.2a, GS-6.9.3c-2] GET ${target} is refused ${code}`, () => stopped(() => call(target), status, code, where));
}

test('[BK-7.2.2a] a method the path is not described with is refused', () => stopped(() => call('/orders/1?lang=zh', { method: 'POST', body: '{}' }), 405, 'method-not-allowed'));

test('[BK-7.3.2a1] a path in another writing than its own is refused', () => stopped(() => call('/x/../good'), 404, 'operation-unknown'));

const deep = (n) => `${'['.repeat(n)}${']'.repeat(n)}`;
for (const [name, body, status, code, where] of [
  ['no body', undefined, 400, 'body-missing'], ['no JSON', 'product=tea', 400, 'body-malformed'], ['a member twice', '{"product":"tea","product":"x","quantity":1}', 400, 'body-malformed'],
  ['a second document', '{"product":"tea","quantity":1}{}', 400, 'body-malformed'], ['a NUL in text', '{"product":"a\\u0000","quantity":1}', 400, 'body-malformed'],
  ['a member missing', { product: 'tea' }, 400, 'body-invalid'], ['an unknown member', { product: 'tea', quantity: 1, price: 0 }, 400, 'body-invalid', '/price'],
  ['a text for a number', { product: 'tea', quantity: '1' }, 400, 'body-invalid', '/quantity'], ['a number out of range', { product: 'tea', quantity: 0 }, 400, 'body-invalid', '/quantity'],
  ['a text against its pattern', { product: '<script>', quantity: 1 }, 400, 'body-invalid', '/product'], ['a text too long', { product: 'a'.repeat(21), quantity: 1 }, 400, 'body-invalid', '/product'],
  ['a phone that is none', { product: 'tea', quantity: 1, buyer: { phone: '12345' } }, 400, 'body-invalid', '/buyer/phone'],
  ['10,000 nested arrays', `{"product":"tea","quantity":1,"tree":${deep(10000)}}`, 400, 'body-too-complex'],
  ['20,000 members', `{"product":"tea","quantity":1,"tree":[${Array(20000).fill(1).join()}]}`, 400, 'body-too-complex']]) {
  test(`[BK-7.2.2a, BK-7.3.2a1] a body with ${name} is refused ${code}`, () => stopped(() => (body === undefined ? call('/good', { method: 'POST' }) : post(body)), status, code, where));
}

test('[BK-7.2.2a] a body of another type than the described one is refused', async () => {
  const body = '{"product":"tea","quantity":1}';
  const { sign } = await import('./lib/sign.mjs');
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
    const headers = sign(world.key, { method: 'POST', url: `${p.gateway}/checked/v1/good`, headers: { 'content-type': type }, body });
    await stopped(() => p.send('POST', '/checked/v1/good', { headers, body }), 415, 'media-type-unsupported');
  }
  const headers = sign(world.key, { method: 'POST', url: `${p.gateway}/checked/v1/good`, headers: {}, body });
  await stopped(() => p.send('POST', '/checked/v1/good', { headers: { ...headers, 'content-type': ['application/json', 'text/plain'] }, body }), 415, 'media-type-unsupported');
});

test('[BK-7.1g] a refusal quotes nothing of the call but names the description has', async () => {
  const answer = await post({ product: 'tea', quantity: 1, '身份证 110101199003070000': 'secret-value' });
  refused(answer, 400, 'body-invalid');
  assert.ok(!/secret-value|110101/.test(answer.text), answer.text);
});

test('[BK-7.2.2a] a description that cannot be enforced is refused when it is made, and the old one stays', async () => {
  const { revision } = await world.provider.get(`/schemas/${schema.id}`);
  const bad = structuredClone(OPENAPI);
  bad.components.schemas.Order.if = {};
  await restRefuses(world.provider.patch(`/schemas/${schema.id}`, { openapi: bad }, revision), 'field-invalid', '/openapi/components/schemas/Order/if');
  await stopped(() => call('/good?limit=0'), 400, 'parameter-invalid');
});

test('[BK-7.2.2a] a changed description holds for the next calls, asking for its version too', async () => {
  const { revision } = await world.provider.get(`/schemas/${schema.id}`);
  const next = { ...structuredClone(OPENAPI), 'x-sluice-version': { in: 'header', name: 'x-version' } };
  next.paths['/good'].get.parameters[0].schema.maximum = 50;
  await world.provider.patch(`/schemas/${schema.id}`, { openapi: next }, revision);
  const named = (target, version) => call(target, { headers: { 'x-version': version } });
  await until(async () => (await call('/good')).status === 400, { ms: 10000, what: 'the new description' });
  await stopped(() => call('/good'), 400, 'version-mismatch');
  await stopped(() => named('/good', '2'), 400, 'version-mismatch');
  await stopped(() => named('/good?limit=51', '1'), 400, 'parameter-invalid', 'limit');
  assert.equal((await named('/good?limit=50', '1')).status, 200);
});

test('a removed description is asked no more', async () => {
  await world.provider.act('schemas', schema.id, 'remove');
  await until(async () => (await call('/good?limit=0')).status === 200, { ms: 10000, what: 'the API without a description' });
});
