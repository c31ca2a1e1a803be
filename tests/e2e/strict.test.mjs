// SPDX-License-Identifier: Apache-2.0
// A platform as shipped, nothing relaxed: the only stories that start one without --trial, so they have a platform of their own.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
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
  assert.deepEqual([list.weaker, list.trial, list.total, list.items.length], [0, false, 28, 28]);
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
  const draft = (name, more) => world.provider.post('/apis', { name, version: 'v1', path: `/${name}/v1`, kind: 'dataset', dataset_id: dataset, title: name, class: 'A2', access: 'subscription', service_id: service, ...more });
  const api = (await draft('accounts')).id;
  await restRefuses(world.provider.act('apis', api, 'publish'), 'field-invalid', '/opening_class');
  await edit(world.provider, 'datasets', dataset, { title: 'Accounts', opening_class: 'conditional', audience: 'registered' });
  const discovery = await until(async () => (await world.operator.list('discoveries', { dataset_id: dataset })).find((d) => d.state === 'proposed'), { ms: 20000, what: 'the discovery that nobody asked for' });
  const open = (await draft('open', { owner_scoped: false })).id;
  await refusal(world.operator.act('apis', api, 'publish'), 'sensitive-check-missing', /card_number/);
  for (const f of await world.operator.list('findings', { discovery_id: discovery.id })) await world.operator.act('findings', f.id, 'reject', { comment: 'its level stands' });
  await restRefuses(world.operator.act('apis', open, 'publish'), 'consent-incomplete', '/fields'); // nobody it is about would have a say
  await refusal(world.operator.act('apis', api, 'publish'), 'state-conflict', /design, development, review and test.*not approved.*evaluation.*functional.*security.*performance/); // all at once
  await world.provider.act('services', service, 'submit');
  await refusal(world.operator.act('services', service, 'approve'), 'state-conflict', /evaluation/);
  await world.operator.post('/service_evaluations', { service_id: service, need: 'query', acceptance: 'accepted by the platform', business_value: 'high', risk: 'low', level: 3, result: 'passed' });
  await world.operator.act('services', service, 'approve', { comment: 'fits' });
  await restRefuses(world.provider.act('apis', api, 'submit', { comment: 'tried' }), 'state-conflict');
  await world.operator.act('apis', api, 'approve-design');
  await restRefuses(world.provider.act('apis', api, 'submit', { comment: 'own tests: 12 of 12' }), 'not-permitted'); // operators move it
  await world.operator.act('apis', api, 'submit', { comment: 'own tests: 12 of 12' });
  await restRefuses(world.operator.act('apis', api, 'accept'), 'security-review-missing');
  await w.reviewed(world, 'datasets', dataset);
  await world.operator.act('apis', api, 'accept');
  await refusal(world.operator.act('apis', api, 'publish'), 'state-conflict', /^before it is published: no functional report.*no security report.*no performance report/);
  const { body: { id: document_id } } = await world.provider.raw('POST', '/api/v1/documents?name=report.txt', Buffer.from('passed\n'), { 'content-type': 'text/plain' });
  for (const kind of ['functional', 'security', 'performance']) {
    const { id } = await world.provider.post('/service_reports', { api_id: api, kind, result: 'passed', summary: 'as declared', document_id });
    await world.operator.act('service_reports', id, 'accept');
  }
  await restRefuses(world.provider.act('apis', api, 'publish'), 'not-permitted');
  assert.equal((await world.operator.act('apis', api, 'publish')).state, 'published');
  world.api = api;
});

test('[BK-11a, BK-11b2, BK-11e2, SW-9.4-2, SW-9.6.2-0d, SW-8.2a1-1, BK-10.3a1] as shipped what is open is not changed, opened wider, listed or ended past its procedure', async () => {
  await refusal(world.operator.act('apis', world.api, 'offline'), 'state-conflict', /baffle/);
  await restRefuses(edit(world.provider, 'apis', world.api, { path: '/elsewhere/v1' }), 'state-conflict');
  const { fields } = await world.provider.get(`/datasets/${dataset}`);
  await restRefuses(edit(world.provider, 'datasets', dataset, { fields: fields.map((f) => (f.column === 'card_number' ? { ...f, level: 2, mask: '' } : f)) }), 'declassification-needed');
  const [entry] = await world.provider.list('entries', { dataset_id: dataset });
  await edit(world.provider, 'entries', entry.id, { summary: 'Accounts', department: 'Accounts', access_conditions: 'an agreement', update_frequency: 'daily' });
  await refusal(edit(world.operator, 'entries', entry.id, { decision: 'open' }).then(() => world.provider.act('entries', entry.id, 'submit')).then(() => world.operator.act('entries', entry.id, 'publish')), 'state-conflict', /scope.*\/decision/);
});

test('[BK-12.2b1-3, BK-12.2b2, GS-6.9.4.2d-1, GS-6.1b-2, GS-6.1b-4, GS-6.8e-2, BK-9.1.1b] as shipped an app goes live with all of its papers or not at all; a setting is made weaker for a reason, which everybody is told', async () => {
  const app = (await world.developer.post('/apps', { name: 'Newcomer', organisation_id: world.thirdParty, environment: 'general' })).id;
  await refusal(world.operator.act('apps', app, 'admit'), 'admission-incomplete', /agreement/);
  const conditions = (await world.developer.get(`/apps/${app}/admission`)).conditions;
  assert.ok(conditions.length >= 4 && conditions.some((c) => c.name === 'certificates' && !c.holds), JSON.stringify(conditions));
  await refusal(relaxed('admission-required', 'off'), 'field-invalid', /EC-4\.2\.1a1.*\/reason/);
  await restRefuses(edit(world.operator, 'admission_settings', (await strict())['admission-required'].id, { value: 'off', reason: 'x' }), 'not-permitted');
  const row = await relaxed('admission-required', 'off', 'papers of this party are kept by another office until May');
  assert.deepEqual([row.relaxed_by, row.reason], ['admin', 'papers of this party are kept by another office until May']);
  await refusal(world.operator.act('apps', app, 'admit'), 'test-report-missing', /functional.*conformity.*privacy-notice.*consent-text.*collector-statement/);

  const one = (await strict(world.operator))['admission-required'];
  assert.deepEqual([one.weaker, one.value, one.shipped, one.relaxed_by, one.clauses.includes('EC-4.2.1a1')], [true, 'off', 'on', 'admin', true]);
  const log = await world.admin.list('operations', { kind: 'admission-setting', action: 'relax' });
  assert.deepEqual([log.length, log[0].actor, log[0].before.value, log[0].after.value], [1, 'admin', 'on', 'off']);
  const [told] = await world.operator.list('notices', { kind: 'setting-relaxed' });
  assert.match(JSON.stringify(told), /admission-required/);
  const found = async () => (await world.operator.post('/security_reports')).content.flatMap((s) => s.controls).filter((c) => ['strict-settings', 'default-masks'].includes(c.control));
  const [settings, masks] = await found();
  assert.deepEqual([settings.active, masks.active], [false, true]);
  assert.match(settings.found, /1 of 28 are weaker: admission-required/);
  const back = await relaxed('admission-required', 'on');
  assert.deepEqual([back.reason, back.relaxed_by, back.relaxed_at], [null, null, null]);
  assert.equal((await found())[0].active, true);
  await restRefuses(relaxed('certificates-required', 'mlps'), 'field-invalid', '/reason'); // a list that lacks a word is weaker too
  await restRefuses(relaxed('verify-days', '0'), 'field-invalid', '/reason');
  await relaxed('verify-days', '30'); // stricter needs no reason
  await relaxed('second-factor', 'all');
});

test('[SW-8.2a1-1] a store that was in use keeps what its administrator set; tightened, it is as one that is shipped', async () => {
  const here = path.resolve(import.meta.dirname, '../../control/store/migrations');
  const files = readdirSync(here).filter((f) => f < '0037').sort();
  const old = path.join(p.dir, 'old');
  mkdirSync(path.join(old, 'data/control'), { recursive: true, mode: 0o700 });
  const file = path.join(old, 'data/control/store.db');
  sqlite(file, `CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;
    ${files.map((f, i) => `${readFileSync(path.join(here, f), 'utf8')}\nINSERT INTO schema_version VALUES (${i + 1}, '${f}', 0);`).join('\n')}
    INSERT INTO users (id, state, revision, created_at, updated_at, login, password_hash, password_change_required, display_name, role) VALUES
      ('01900000-0000-7000-8000-000000000001', 'active', 1, 0, 0, 'admin', '${sqlite(store(), "SELECT password_hash FROM users WHERE login = 'admin'")}', 0, 'Administrator', 'admin');`);
  const older = await Platform.start({ strict: true, dir: old });
  try {
    older.adminPassword = p.adminPassword;
    const admin = await older.admin();
    const list = await admin.get('/strict_settings');
    assert.deepEqual([list.weaker, list.trial], [26, false]);
    assert.ok(list.items.every((i) => i.reason === null), 'nobody says why: it was so');
    assert.deepEqual(await admin.list('mask_rules'), []);
    const env = { ...older.env, SLUICE_SESSION: path.join(old, 'session'), SLUICE_PASSWORD: older.adminPassword, PATH: `${path.join(BUILD, 'cli')}:${process.env.PATH}` };
    execFileSync(path.join(BUILD, 'cli/sluice'), ['rest', 'login', '--control', older.control, '--ca', older.caFile, '--login', 'admin'], { env });
    const said = execFileSync(path.resolve('deploy/tighten.sh'), { env, encoding: 'utf8' });
    assert.equal(said.trim().split('\n').length, 26, said);
    assert.match(said, /scope-required: off -> on[\s\S]*second-factor: off -> staff\n$/);
    await staff(admin);
    assert.equal((await admin.get('/strict_settings')).weaker, 0);
  } finally {
    await older.stop();
  }
});
