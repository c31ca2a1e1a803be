// SPDX-License-Identifier: Apache-2.0
// The library of mask rules, what it takes to open what was masked, the history of exports, and a search for leaks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import smCrypto from 'sm-crypto';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const { sm2 } = smCrypto;
const ORDERS = '/trade/orders/v1';
let p;
let world;
const call = (target, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const dataset = () => world.provider.get(`/datasets/${world.dataset}`);
const with_ = (d, change) => d.fields.map((f) => ({ ...f, ...(change[f.name] ?? {}) }));
// What is to become of some fields has its security review.
const review = async (change) => w.reviewed(world, 'datasets', world.dataset,
  with_(await dataset(), change).filter((f) => change[f.name]).map(({ name, level, mask }) => ({ name, level, mask })));
async function fields(change) {
  const d = await dataset();
  return world.provider.patch(`/datasets/${world.dataset}`, { fields: with_(d, change) }, d.revision);
}
const first = async (more) => rows(await call(`${ORDERS}?order=order_id&limit=1`, more), 1)[0];
const becomes = (check, what) => until(async () => { const r = (await call(`${ORDERS}?order=order_id&limit=1`)).json?.[0]; return r && check(r) && r; }, { ms: 10000, what });

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 60 });
  const api = await world.provider.get(`/apis/${world.api}`);
  await world.provider.patch(`/apis/${world.api}`, { batch: true }, api.revision);
});
after(async () => { await p?.stop(); });

test('[SW-8.1-p6, SW-9.6.2-3b, SW-9.6.2-0c] a rule of the library, named by a field, holds in every service of it, and a changed rule at once', async () => {
  const rule = await world.operator.post('/mask_rules', { name: 'people', rule: 'fake_name:people', category: 'identity' });
  assert.equal(rule.version, 1);
  await review({ buyer_name: { mask: 'fake_name:people' } });
  await fields({ buyer_name: { mask: '@people' } });
  const f = (await dataset()).fields.find((x) => x.name === 'buyer_name');
  assert.deepEqual([f.rule, f.mask], ['people', 'fake_name:people']);
  const one = await becomes((r) => !/\*/.test(r.buyer_name), 'another name');
  assert.equal((await first()).buyer_name, one.buyer_name, 'the same each time');
  await review({ buyer_name: { mask: 'name' } });
  const changed = await world.operator.patch(`/mask_rules/${rule.id}`, { rule: 'name' }, rule.revision);
  assert.equal(changed.version, 2);
  await becomes((r) => /\*/.test(r.buyer_name), 'the changed rule');
  await restRefuses(world.operator.post('/mask_rules', { name: 'bad', rule: 'nothing' }), 'field-invalid', '/rule');
  await restRefuses(fields({ buyer_name: { mask: '@absent' } }), 'field-invalid');
});

test('[BK-7.2.2c2-2, SW-9.4-2, EC-5.2.3-0] what is sensitive is masked by default: by the rule of its tag, or of its level', async () => {
  await world.operator.post('/mask_rules', { name: 'sensitive', rule: 'keep:1:0', default_of_level: 3 });
  await world.operator.post('/mask_rules', { name: 'financial', rule: 'keep:0:2', default_of_tag: 'personal-financial' });
  await restRefuses(world.operator.post('/mask_rules', { name: 'twice', rule: 'name', default_of_level: 3 }), 'field-invalid', '/default_of_level');
  const d = await world.provider.post('/datasets', { name: 'by default', source_id: world.source, table: 'orders', owner_column: 'merchant_id' });
  const made = await world.provider.patch(`/datasets/${d.id}`, { fields: d.fields.map((f) => ({ ...f, level: f.name === 'buyer_name' || f.name === 'card_number' ? 3 : 2,
    ...(f.name === 'card_number' ? { tags: ['personal-financial'] } : {}) })) }, d.revision);
  const by = (name) => made.fields.find((f) => f.name === name);
  assert.deepEqual([by('buyer_name').mask, by('buyer_name').rule], ['keep:1:0', 'sensitive']);
  assert.deepEqual([by('card_number').mask, by('card_number').rule], ['keep:0:2', 'financial']);
});

test('[EC-3.15b] the test bench shows what a rule does, and is no oracle: keyed rules get a key of the moment', async () => {
  const bench = (rule, values) => world.provider.post('/mask_rules/try', { rule, values });
  assert.deepEqual((await bench('phone', ['13812345678', ''])).results, ['138****5678', '']);
  assert.deepEqual((await bench('@people', ['张三丰'])).results, ['张**']);
  assert.deepEqual((await bench('null', ['x'])).results, [null]);
  const [a, b] = [await bench('pseudonym', ['13812345678']), await bench('pseudonym', ['13812345678'])];
  assert.ok(a.keyed && a.results[0] !== b.results[0]);
  await restRefuses(bench('phone', [7]), 'field-invalid', '/values/0');
  await restRefuses(bench('@absent', ['x']), 'field-invalid', '/rule');
  const cli = p.sluice('mask', 'try', 'phone', '13812345678');
  assert.equal(cli.out.trim(), '138****5678');
});

test('[SW-9.4-2, SW-9.6.2-0d] what is masked opens only by a declassification that somebody else approved, and the record of it stays', async () => {
  const [setting] = await world.admin.list('stage_settings', { name: 'declassification-required' });
  await world.admin.patch(`/stage_settings/${setting.id}`, { value: 'on' }, setting.revision);
  await restRefuses(fields({ buyer_email: { level: 2, mask: '' } }), 'declassification-needed');
  await review({ amount: { level: 3, mask: 'keep:1:0' } });
  await fields({ amount: { level: 3, mask: 'keep:1:0' } }); // stricter needs no leave
  const asked = await world.provider.post('/declassifications', { dataset_id: world.dataset, field: 'buyer_email', to_level: 2, reason: 'published by the merchants themselves' });
  assert.deepEqual([asked.from_level, asked.from_mask, asked.requested_by], [3, 'email', 'provider']);
  assert.match((await first()).buyer_email, /\*{3}@/, 'not before');
  const own = await world.operator.post('/declassifications', { dataset_id: world.dataset, field: 'buyer_phone', to_level: 1, reason: 'a reason of no weight' });
  await restRefuses(world.operator.act('declassifications', own.id, 'approve'), 'self-approval');
  await world.admin.act('declassifications', own.id, 'refuse', { comment: 'no' });
  await restRefuses(world.operator.act('declassifications', asked.id, 'approve'), 'security-review-missing');
  await review({ buyer_email: { level: 2, mask: '' } });
  const done = await world.operator.act('declassifications', asked.id, 'approve');
  assert.deepEqual([done.state, done.decided_by], ['applied', 'operator']);
  await becomes((r) => r.buyer_email && !/\*/.test(r.buyer_email), 'the address as it is');
  const log = (await world.admin.list('operations', { kind: 'declassification' })).map((o) => o.action);
  for (const action of ['create', 'approve', 'refuse']) assert.ok(log.includes(action), `${action} in ${log}`);
  await world.admin.patch(`/stage_settings/${setting.id}`, { value: 'off' }, (await world.admin.get(`/stage_settings/${setting.id}`)).revision);
});

test('[SW-9.7-2a, SW-9.1-4c, SW-9.8-exc2] exports of apps and operators have a history: whose, under which grant, how many rows, masked by which versions of which rules', async () => {
  const made = await call(`${ORDERS}/exports`, { method: 'POST', body: '{"format":"csv"}' });
  assert.equal(made.status, 202, made.text);
  const row = await until(async () => (await world.developer.list('exports', { app_id: world.app })).find((e) => e.id === made.json.id && e.state === 'ready'), { ms: 15000, what: 'its row' });
  assert.equal(row.grant_id, world.grant);
  assert.ok(row.rows > 0 && row.sm3.length === 64);
  assert.ok(row.rules.some((r) => r.name === 'people' && r.version === 2 && r.rule === 'name'), JSON.stringify(row.rules));
  const asked = await world.operator.post('/exports', { api_id: world.api, owner: 'M00002', format: 'ndjson', query: 'limit=3' });
  const own = await until(async () => { const e = await world.operator.get(`/exports/${asked.id}`); return e.state === 'ready' && e; }, { ms: 15000, what: 'the operator\'s' });
  assert.deepEqual([own.rows, own.requested_by, own.app_id], [3, 'operator', null]);
  const m = await world.operator.get(`/exports/${asked.id}/manifest`);
  assert.equal(JSON.parse(m.manifest).rows, 3);
  const [header, claims, sig] = m.jws.split('.');
  const said = JSON.parse(Buffer.from(claims, 'base64url'));
  assert.equal(said.manifest_sm3, createHash('sm3').update(m.manifest).digest('hex'));
  const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
  const jwk = (await world.operator.get('/keys')).keys.find((k) => k.kid === kid);
  const point = `04${Buffer.from(jwk.x, 'base64url').toString('hex')}${Buffer.from(jwk.y, 'base64url').toString('hex')}`;
  const good = (text) => sm2.doVerifySignature([...Buffer.from(text)], Buffer.from(sig, 'base64url').toString('hex'), point, { hash: true });
  assert.ok(good(`${header}.${claims}`), 'signed with a key of the platform');
  assert.ok(!good(`${header}.${claims}x`));
  assert.ok(!(await world.developer.list('exports')).some((e) => e.id === asked.id), 'another\'s is not shown');
  await restRefuses(world.operator.post('/exports', { api_id: world.api }), 'field-invalid', '/owner');
  const gone = await world.developer.act('exports', row.id, 'erase');
  assert.equal(gone.state, 'erased');
  refused(await call(`${ORDERS}/exports/${row.id}/data`), 410, 'export-gone');
});

test('[SW-9.1-7a, EC-3.15a] no private value of the source is found in answers, files, logs, error messages or what the platform keeps of them', async () => {
  const secret = execFileSync('sqlite3', [path.join(p.dir, 'orders.db'), 'SELECT buyer_phone, card_number, pay_password, buyer_address FROM orders'], { encoding: 'utf8' })
    .trim().split('\n').flatMap((l) => l.split('|')).filter((v) => v.length >= 8);
  assert.ok(secret.length > 100);
  const found = (text) => secret.filter((v) => text.includes(v));
  const job = (await call(`${ORDERS}/exports`, { method: 'POST', body: '{"format":"ndjson","compression":"none"}' })).json;
  await until(async () => (await call(`${ORDERS}/exports/${job.id}`)).json.state === 'ready', { ms: 15000, what: 'the export' });
  const [phone] = secret;
  const answers = [await call(`${ORDERS}?limit=1000`), await call(`${ORDERS}/exports/${job.id}/data`), await call(`${ORDERS}/exports/${job.id}/manifest`),
    await call(`${ORDERS}?buyer_phone=eq.x`), await call(`${ORDERS}?select=card_number`), await call(`${ORDERS}/exports?buyer_phone=like.*`, { method: 'POST', body: '{}' })];
  assert.deepEqual(answers.map((a) => a.status), [200, 200, 200, 403, 403, 403]);
  for (const a of answers) assert.deepEqual(found(a.text), []);
  assert.deepEqual(found((await call(`${ORDERS}?order_id=eq.${encodeURIComponent(phone)}`)).text), []);
  assert.deepEqual(found(p.log), [], 'what the processes say');
  const files = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(path.join(dir, e.name)) : [path.join(dir, e.name)]));
  for (const file of files(p.data)) {
    if (!/sock$/.test(file) && statSync(file).isFile() && statSync(file).size < 64 << 20) assert.deepEqual(found(readFileSync(file, 'latin1')), [], file);
  }
});
