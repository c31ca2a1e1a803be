// SPDX-License-Identifier: Apache-2.0
// A platform as shipped, nothing relaxed: the only stories that start one without --trial, so they have a platform of their own.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { restRefuses } from './lib/assertions.mjs';
import { BUILD, Platform } from './lib/platform.mjs';
import { enrol, totp } from './lib/totp.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ENTRY = { purpose: 'query', audience: 'software of enterprises', usage: 'by number', response_ms: 60000, availability_permille: 900, support_hours: '9-18' };
let p;
let world;
let source;
let dataset;
let service;
const sqlite = (file, sql) => execFileSync('sqlite3', [file], { input: sql, encoding: 'utf8' }).trim();
const store = () => path.join(p.data, 'control/store.db');

async function refusal(promise, code, text) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.code, code, e.message);
    assert.match(`${e.problem.detail ?? ''} ${e.problem.where ?? ''}`, text);
    return true;
  });
}

const strict = async (rest = world.admin) => Object.fromEntries((await rest.get('/strict_settings')).items.map((i) => [i.name, i]));
const edit = async (rest, plural, id, body) => rest.patch(`/${plural}/${id}`, body, (await rest.get(`/${plural}/${id}`)).revision);
const relaxed = async (name, value, reason) => { const s = (await strict())[name]; return edit(world.admin, s.settings, s.id, { value, ...(reason ? { reason } : {}) }); };

// Staff enrol before anything else is answered.
async function staff(rest) {
  await restRefuses(rest.get('/organisations'), 'second-factor-required');
  const secret = await enrol(rest);
  await rest.post('/sessions/current/factors', { otp: totp(secret) });
  return secret;
}

before(async () => {
  p = await Platform.start({ strict: true });
  const admin = await p.admin();
  world = { admin, platform: p };
});
after(async () => { await p?.stop(); });

test('[CI-8.3b] the first administrator enrols a second factor before anything else, by the commands that the refusals name', async () => {
  const session = path.join(p.dir, 'session');
  const sluice = (...args) => spawnSync(path.join(BUILD, 'cli/sluice'), args, { env: { ...p.env, SLUICE_SESSION: session, SLUICE_PASSWORD: world.admin.password }, encoding: 'utf8' });
  const login = (...more) => sluice('rest', 'login', '--control', p.control, '--ca', p.caFile, '--login', 'admin', ...more);
  assert.equal(login().status, 0);
  const first = sluice('rest', 'GET', '/strict_settings');
  assert.match(first.stderr, /second-factor-required[\s\S]*next .*users\/me\/totp/);
  const { uri } = JSON.parse(sluice('rest', 'POST', '/users/me/totp').stdout);
  const secret = new URL(uri).searchParams.get('secret');
  const now = () => Math.floor(Date.now() / 30000);
  await until(() => sluice('rest', 'POST', '/users/me/totp/confirm', JSON.stringify({ otp: totp(secret, now() - 1) })).status === 0, { ms: 20000, what: 'the confirmed authenticator' });
  assert.match(login().stderr, /--otp CODE/);
  const signed = login('--otp', totp(secret));
  assert.equal(signed.status, 0, signed.stderr);
  assert.equal(JSON.parse(sluice('rest', 'GET', '/strict_settings').stdout).weaker, 0);
  await world.admin.post('/sessions/current/factors', { otp: totp(secret, now() + 1) });
});

test('[SW-8.2a1-1, BK-11a, BK-11b2, BK-11e2, BK-3.9a, SW-8.1-p5, SW-9.4-2, SW-9.6.2-0d, BK-12.2b1-3, BK-12.2b2, CI-8.1b, CI-8.1, SW-7d4, GS-6.9.4.2d-1, SW-8.1-r2, GS-6.8e-2] as shipped no setting is weaker than the clauses ask; one list has each with its value, its clauses and who changed it', async () => {
  const list = await world.admin.get('/strict_settings');
  assert.deepEqual([list.weaker, list.trial, list.total, list.items.length], [0, false, 27, 27]);
  for (const i of list.items) assert.ok(i.value === i.shipped && !i.weaker && i.clauses.length && i.title_zh && i.title_en && i.reason === null, i.name);
  const by = Object.fromEntries(list.items.map((i) => [i.name, i]));
  for (const name of ['scope-required', 'termination-control', 'personal-financial-consent', 'declassification-required', 'user-documents-required', 'stages-required', 'test-report-required', 'provider-approval-required']) assert.equal(by[name].value, 'on', name);
  assert.deepEqual([by['reports-required'].value, by['required-attributes'].value, by['moved-by'].value, by['certificates-required'].value],
    ['functional security performance', 'title opening-class audience', 'operators', 'mlps,cryptography']);
  const rules = await world.admin.list('mask_rules');
  assert.deepEqual(rules.map((r) => r.default_of_tag ?? r.default_of_level).sort(), [3, 'payment-account', 'payment-sensitive', 'personal-financial']);
});

test('[SW-8.1-p5, BK-7.2.2c2-2, BK-3.11, BK-3.9a, SW-7d4, SW-7d3, CI-8.1b, CI-8.1] as shipped a table opens masked, attributed, evaluated, tested and by an operator, or not at all', async () => {
  const { admin } = world;
  world.holder = await w.organisation(admin, 'Trade platform', 'holder');
  world.thirdParty = await w.organisation(admin, 'Software house', 'third_party');
  world.operator = await w.user(admin, 'operator', 'operator');
  await staff(world.operator);
  world.provider = await w.user(admin, 'provider', 'provider', { organisation_id: world.holder });
  world.developer = await w.user(admin, 'developer', 'developer', { organisation_id: world.thirdParty });
  const file = path.join(p.dir, 'accounts.db');
  sqlite(file, `CREATE TABLE accounts (id TEXT PRIMARY KEY, merchant TEXT NOT NULL, holder_name TEXT, bank_account TEXT, wallet_code TEXT, card_number TEXT);
    INSERT INTO accounts VALUES ('1', 'M00001', '张三丰', '110105194912310021', '2088000011112222', '6222021234567890128');`);
  source = (await world.provider.post('/sources', { name: 'accounts', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) })).id;
  await world.provider.act('sources', source, 'check');
  dataset = (await world.provider.post('/datasets', { name: 'accounts', source_id: source, table: 'accounts', owner_column: 'merchant' })).id;
  const account = ['personal-financial', 'payment-account'];
  const kinds = { id: [2], merchant: [2], holder_name: [3], bank_account: [3, account], wallet_code: [3, account], card_number: [3, account] };
  const { fields } = await world.provider.get(`/datasets/${dataset}`);
  await edit(world.provider, 'datasets', dataset, { fields: fields.map((f) => ({ ...f, level: kinds[f.column][0], tags: kinds[f.column][1] ?? null, mask: '' })) });
  const made = await world.provider.get(`/datasets/${dataset}`);
  assert.deepEqual(Object.fromEntries(made.fields.filter((f) => f.level === 3).map((f) => [f.column, f.mask])),
    { holder_name: 'keep:0:0', bank_account: 'keep:0:4', wallet_code: 'keep:0:4', card_number: 'keep:0:4' });

  service = (await world.provider.post('/services', { name: 'accounts', title: 'Accounts', ...ENTRY, domain_id: (await world.provider.list('service_domains'))[0].id })).id;
  const draft = (name, more) => world.provider.post('/apis', { name, version: 'v1', path: `/${name}/v1`, kind: 'dataset', dataset_id: dataset, title: name, class: 'A1', access: 'subscription', service_id: service, ...more });
  const api = (await draft('accounts')).id;
  await restRefuses(world.provider.act('apis', api, 'publish'), 'field-invalid', '/opening_class');
});
