// SPDX-License-Identifier: Apache-2.0
// Clients we did not write: an RFC 9421 library signs, a PostgREST client queries, curl calls. If these work, a
// customer's own will.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { BUILD, Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const require = createRequire(import.meta.url);
const { httpbis, createSigner } = require('http-message-signatures');
const { PostgrestClient } = require('@supabase/postgrest-js');
const PARAMS = ['created', 'expires', 'nonce', 'alg', 'keyid'];

let p;
let world;
let key;

before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
  key = await w.credential(world, world.app, 'hmac-sha256');
  await until(async () => (await p.call('/trade/orders/v1?limit=1', { key, grant: world.grant })).status === 200, { what: 'the credential' });
});
after(() => p?.stop());

// The library's signature over method, target and grant; ours nowhere.
async function librarySigned(method, url, headers = {}) {
  const signer = createSigner(Buffer.from(key.secret, 'base64url'), 'hmac-sha256', key.id);
  const all = { ...headers, 'sluice-grant': world.grant };
  const signed = await httpbis.signMessage({ key: signer, fields: ['@method', '@target-uri', 'sluice-grant'], params: PARAMS,
    paramValues: { created: new Date(), expires: new Date(Date.now() + 60000), nonce: randomUUID() } }, { method, url, headers: all });
  return Object.fromEntries(Object.entries(signed.headers).map(([n, v]) => [n.toLowerCase(), v]));
}

test('[EC-6.1.3.1b] a stock RFC 9421 library signs calls the gateway takes', async () => {
  const target = '/trade/orders/v1?select=order_id,buyer_phone&limit=1';
  const answer = await p.send('GET', target, { headers: await librarySigned('GET', p.gateway + target) });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.json[0].buyer_phone, /^1\d\d\*{4}\d{4}$/);
});

// What postgrest-js asks for, signed by the library and sent by us because fetch takes no private CA.
async function signingFetch(input, init = {}) {
  const url = new URL(String(input));
  const given = Object.fromEntries(new Headers(init.headers).entries());
  const answer = await p.send(init.method ?? 'GET', url.pathname + url.search, { headers: await librarySigned(init.method ?? 'GET', url.href, given) });
  return new Response(answer.status === 204 ? null : answer.text, { status: answer.status, headers: Object.entries(answer.headers).map(([n, v]) => [n, String(v)]) });
}

test('a stock PostgREST client selects, filters, orders, pages and counts', async () => {
  const client = new PostgrestClient(`${p.gateway}/trade/orders`, { fetch: signingFetch });
  const first = await client.from('v1').select('order_id,quantity').gte('quantity', 2).order('order_id', { ascending: false }).limit(3);
  assert.equal(first.error, null, JSON.stringify(first.error));
  assert.ok(first.data.length > 0 && first.data.every((r) => r.quantity >= 2));
  assert.deepEqual(first.data.map((r) => r.order_id), first.data.map((r) => r.order_id).sort().reverse());
  const page = await client.from('v1').select('*', { count: 'exact' }).order('order_id').range(5, 9);
  assert.deepEqual([page.count, page.data.length], [20, 5], JSON.stringify(page.error));
  const some = await client.from('v1').select('order_id').in('order_id', ['O000000001', 'O000000011']).or('quantity.gte.1,quantity.is.null');
  assert.equal(some.data?.length, 2, JSON.stringify(some.error));
  const one = await client.from('v1').select('order_id').eq('order_id', 'O000000001').single();
  assert.deepEqual(one.data, { order_id: 'O000000001' }, JSON.stringify(one.error));
  const refusal = await client.from('v1').select('card_number');
  assert.equal(refusal.error?.code, 'field-forbidden', JSON.stringify(refusal));
});

test('a stock PostgREST client is told what it knows of: 406 for no single row, 416 past the last one', async () => {
  const client = new PostgrestClient(`${p.gateway}/trade/orders`, { fetch: signingFetch });
  const orders = () => client.from('v1').select('order_id', { count: 'exact' });
  for (const [asked, status, code] of [
    [orders().eq('order_id', 'nobody').single(), 406, 'not-acceptable'],
    [orders().single(), 406, 'not-acceptable'],
    [orders().order('order_id').range(50, 59), 416, 'range-unsatisfiable'],
  ]) {
    const answer = await asked;
    assert.deepEqual([answer.status, answer.error?.code, answer.error?.status], [status, code, status], JSON.stringify(answer));
  }
});

const run = promisify(execFile);

test('curl with the headers of "sluice sign" gets the same rows', async () => {
  const secret = `${p.dir}/secret`;
  writeFileSync(secret, world.key.secret, { mode: 0o600 });
  const url = `${p.gateway}/trade/orders/v1?limit=2`;
  const signed = p.sluice('sign', '--key', world.key.id, '--secret-file', secret, '--grant', world.grant, 'GET', url);
  assert.equal(signed.code, 0, signed.err);
  writeFileSync(`${p.dir}/headers`, signed.out);
  const { stdout } = await run('curl', ['-sS', '--cacert', p.caFile, '-H', `@${p.dir}/headers`, url]);
  assert.equal(JSON.parse(stdout).length, 2, stdout);
  const called = p.sluice('call', '--plain-key', '--key', world.key.id, '--secret-file', secret, '--ca', p.caFile, '--grant', world.grant, url);
  assert.equal(called.code, 0, called.err);
  assert.match(called.out, /\*{4}/);
});

// `sluice rest` with a session file of the test's own.
function rest(args, { input, password } = {}) {
  const env = { ...p.env, SLUICE_SESSION: `${p.dir}/session`, ...(password ? { SLUICE_PASSWORD: password } : {}) };
  return spawnSync(`${BUILD}/cli/sluice`, ['rest', ...args], { env, input, encoding: 'utf8', maxBuffer: 16 << 20 });
}

test('[CI-6.2.3c1] a file is handed in by "sluice rest" and comes back byte for byte; one that lies, or is too large, is refused', () => {
  rest(['login', '--control', p.control, '--ca', p.caFile, '--login', 'admin'], { password: p.adminPassword });
  const file = `${p.dir}/licence.pdf`;
  const hand = (content, type = 'application/pdf') => {
    writeFileSync(file, content);
    return rest(['POST', '/documents?name=licence.pdf&purpose=licence', `@${file}`, '--type', type]);
  };
  const pdf = `%PDF-1.7\n${'synthetic '.repeat(300_000)}\n%%EOF\n`;
  const kept = hand(pdf);
  assert.equal(kept.status, 0, kept.stderr);
  const document = JSON.parse(kept.stdout);
  assert.equal(document.size, pdf.length);
  const back = rest(['GET', `/documents/${document.id}/content`]);
  assert.ok(back.stdout === pdf, `${back.stderr} ${back.stdout.length} bytes`);
  for (const [content, type, code] of [
    ['MZ\u0090 a program', 'application/pdf', 'file-type-mismatch'], [pdf, 'application/zip', 'media-type-unsupported'],
    [`%PDF-1.7\n${'x'.repeat(4 << 20)}\n%%EOF\n`, 'application/pdf', 'file-too-large'],
  ]) assert.match(hand(content, type).stderr, new RegExp(`refused: 41. ${code}`));
  assert.equal(rest(['POST', `/documents/${document.id}/erase`, '{"reason":"test over"}', '--if-match', 'auto']).status, 0);
  assert.match(rest(['GET', `/documents/${document.id}/content`]).stderr, /refused: 404 not-found/);
});

test('"sluice rest" signs in, reads, writes on the revision that is there, and says what to do about a refusal', async () => {
  const login = rest(['login', '--control', p.control, '--ca', p.caFile, '--login', 'admin'], { password: p.adminPassword });
  assert.equal(login.status, 0, login.stderr);
  const listed = rest(['GET', '/apis?state=published']);
  assert.equal(JSON.parse(listed.stdout).total, 1, listed.stderr);
  const suspended = rest(['POST', `/apps/${world.app}/suspend`, '--if-match', 'auto']);
  assert.equal(JSON.parse(suspended.stdout).state, 'suspended', suspended.stderr);
  const again = rest(['POST', `/apps/${world.app}/suspend`, '--if-match', 'auto']);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /state-conflict[\s\S]*next/);
  const renamed = rest(['PATCH', `/apps/${world.app}`, '@-', '--if-match', 'auto'], { input: '{"description":"from a pipe"}' });
  assert.equal(JSON.parse(renamed.stdout).description, 'from a pipe', renamed.stderr);
  assert.equal(rest(['logout']).status, 0);
  assert.match(rest(['GET', '/apis']).stderr, /sign in/);
});
