// SPDX-License-Identifier: Apache-2.0
// Admission, whole: applied for, returned, submitted again and approved; assessed, agreed and signed by both sides;
// filed and admitted; the gateway serves what was agreed, as often as was agreed, until the agreement ends.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { uscc } from '../../demo/idnum.mjs';
import { refused, restRefuses } from './lib/assertions.mjs';
import { keyPair } from './lib/pki.mjs';
import { Platform } from './lib/platform.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const GOOD = '/unit/v1/good';
const PER_DAY = 4;
const YEAR = new Date(Date.now() + 365 * 86400e3).toISOString();

let p;
let world;
let upstream;
let app; // the one on its way in
let key;
let agreement;
let application;

const call = (more = {}) => p.call(GOOD, { key, ...more });
const becomes = (code) => until(async () => { const a = await call(); return (a.json?.code ?? a.status) === code && a; }, { ms: 15000, what: `${code} of ${GOOD}` });

async function setting(name, value) {
  const [row] = await world.admin.list('admission_settings', { name });
  await world.admin.patch(`/admission_settings/${row.id}`, { value }, row.revision);
}

async function material(rest, name) {
  const { status, body } = await rest.raw('POST', `/api/v1/documents?name=${name}.pdf&purpose=admission`, Buffer.from(`%PDF-1.7\n${name}\n%%EOF\n`), { 'content-type': 'application/pdf' });
  assert.equal(status, 201, JSON.stringify(body));
  return body.id;
}

// What admission lacks still, by the refusal of it.
async function lacks() {
  const e = await world.operator.act('apps', app, 'admit').then(() => assert.fail('it was admitted'), (x) => x);
  assert.equal(e.code, 'admission-incomplete', e.message);
  return e.problem.detail;
}

const review = (rest, more) => rest.post('/application_reviews', { application_id: application, ...more });

// SM2 or P-256 by the openssl command: a key of the organisation's own, registered by it.
async function signer(rest, organisation, name, how) {
  const pair = keyPair(p.dir, name, how);
  const registered = await rest.post('/signing_keys', { organisation_id: organisation, public_key: pair.publicPem, label: name });
  const sign = (text) => {
    if (how === undefined) return crypto.sign('sha256', Buffer.from(text), { key: pair.pem, dsaEncoding: 'ieee-p1363' });
    const file = path.join(p.dir, `${name}.txt`);
    writeFileSync(file, text);
    return execFileSync('openssl', ['dgst', '-sm3', '-sign', pair.file, '-sigopt', 'distid:1234567812345678', file]);
  };
  return { ...registered, sign: (text) => ({ key_id: registered.key_id, signature: sign(text).toString('base64url') }) };
}

before(async () => {
  p = await Platform.start();
  upstream = await startUpstream();
  world = await w.people(p);
  world.api = await w.httpApi(world, 'unit', upstream.url);
  world.other = await w.httpApi(world, 'other', upstream.url);
  const source = await world.provider.post('/sources', { name: 'orders', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(await w.ordersDatabase(p.dir, 20)) });
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'orders', source_id: source.id, table: 'orders' });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, w.LEVELS) }, dataset.revision);
  world.files = (await world.provider.act('datasets', dataset.id, 'publish', { name: 'files', version: 'v1', path: '/files/v1', title: 'Files', batch: true })).id;
  await setting('admission-required', 'on');
  await setting('agreement-required', 'on');
  await setting('certificates-required', 'mlps');
  app = (await world.developer.post('/apps', { name: 'Newcomer', organisation_id: world.thirdParty, environment: 'monitored' })).id;
});
after(async () => {
  upstream?.close();
  await p?.stop();
});

test('[EC-4.2.2a2, EC-3.10, EC-4.2.2-0a, EC-7.2.1-0, EC-7.2.2b1] a form lacking a material is not submitted, and the refusal points at it', async () => {
  const forms = (await world.developer.get('/form-kinds')).items;
  assert.deepEqual(forms.find((f) => f.name === 'third-party-software').documents, ['business-licence', 'release-review']);
  const content = { uscc: uscc('440300', '00000001'), qualification: 'A company limited', purpose: 'order management', merchants: ['M00001'], functions: 'lists orders', data_levels: [1, 2, 3], leak_prevention: 'checklist attached',
    duties: ['manage-authorised-data', 'prevent-leaks', 'return-to-authorised-user'], secure_lifecycle: 'reviewed', release_review: 'by two', emergency_organisation: 'on duty', emergency_contacts: '0755-00000000' };
  const draft = await world.developer.post('/applications', { form_kind: 'third-party-software', organisation_id: world.thirdParty, app_id: app, title: 'Newcomer applies', content: { ...content, functions: undefined } });
  application = draft.id;
  await restRefuses(world.developer.act('applications', application, 'submit'), 'field-invalid', '/content/functions');
  await world.developer.patch(`/applications/${application}`, { content }, draft.revision);
  for (const missing of ['secure_lifecycle', 'release_review', 'emergency_organisation', 'emergency_contacts', 'duties']) {
    const { revision } = await world.developer.get(`/applications/${application}`);
    await world.developer.patch(`/applications/${application}`, { content: { ...content, [missing]: null } }, revision);
    await restRefuses(world.developer.act('applications', application, 'submit'), 'field-invalid', `/content/${missing}`);
  }
  const changed = (await world.developer.get(`/applications/${application}`)).revision;
  await restRefuses(world.developer.patch(`/applications/${application}`, { content: { ...content, duties: content.duties.slice(1) } }, changed), 'field-invalid', '/content/duties');
  await world.developer.patch(`/applications/${application}`, { content }, changed);
  await restRefuses(world.developer.act('applications', application, 'submit'), 'field-invalid', '/documents');
  const { revision } = await world.developer.get(`/applications/${application}`);
  const licence = await material(world.developer, 'licence');
  await world.developer.patch(`/applications/${application}`, { documents: [{ kind: 'business-licence', document_id: licence, valid_until: YEAR }, { kind: 'release-review', document_id: licence }] }, revision);
});

test('[EC-4.2.2a1, SW-8.2c2-1, SW-8.2c2-3, CI-6.1.2d] submitted with a number, returned with a comment, submitted again, approved; each step is told', async () => {
  const submitted = await world.developer.act('applications', application, 'submit');
  assert.match(submitted.number, /^20\d\d-\d{6}$/);
  await restRefuses(review(world.operator, { result: 'return' }), 'field-invalid', '/comment');
  await review(world.operator, { result: 'return', comment: 'which merchants?' });
  assert.equal((await world.developer.get(`/applications/${application}`)).comment, 'which merchants?');
  await world.developer.act('applications', application, 'submit');
  await review(world.operator, { result: 'pass' });
  const [{ document_id: licence }] = (await world.developer.get(`/applications/${application}`)).documents;
  const findings = [...['qualification', 'legality', 'leak_prevention', 'secure_lifecycle'].map((subject) => ({ subject, result: 'pass' })),
    { document_id: licence, validity: 'pass', completeness: 'pass', authenticity: 'pass', note: 'seen the original' }];
  await restRefuses(review(world.operator, { result: 'pass', findings: findings.slice(1) }), 'admission-incomplete', '/findings');
  await restRefuses(review(world.operator, { result: 'pass', findings }), 'admission-incomplete', '/identity_check');
  const verified = await world.operator.act('applications', application, 'verify-identity', { how: 'online' });
  assert.equal(verified.identity_check.result, 'pass');
  await restRefuses(review(world.operator, { result: 'pass', findings, permissions: [{ api_id: 'x' }] }), 'field-invalid', '/permissions/0');
  await review(world.operator, { result: 'pass', findings, max_level: 3, permissions: [{ api_id: world.api, fields: ['id', 'items.id'] }, { api_id: world.files }] });
  const approved = await world.developer.get(`/applications/${application}`);
  assert.deepEqual([approved.state, approved.version, approved.decided_by, approved.max_level], ['approved', 2, 'operator', 3]);
  assert.ok(Date.parse(approved.review_due_at) > Date.now() + 300 * 86400e3);
  assert.equal((await world.developer.list('application_versions', { application_id: application })).length, 2);
  assert.deepEqual((await world.developer.list('application_reviews', { application_id: application })).map((r) => r.step).sort(), ['acceptance', 'acceptance', 'decision']);
  const told = (await world.developer.list('notices', { object_id: application })).map((n) => n.kind).sort();
  assert.deepEqual(told, ['application-accepted', 'application-approved', 'application-returned']);
});

test('[EC-4.2.1a1, BK-9.1.1a, BK-9.1.1b, GS-6.8d-2] the gate names what is missing until nothing is', async () => {
  assert.match(await lacks(), /agreement.*assessment.*certificates/);
  const scores = { 'user-information-protection': 40, technical: 95, management: 95, 'security-construction': 95, continuity: 95 };
  const assess = (protection) => world.operator.post('/assessments', { organisation_id: world.thirdParty, expires_at: YEAR, scores: { ...scores, 'user-information-protection': protection } });
  assert.equal((await assess(40)).rating, 'D'); // good in all but what counts most
  assert.match(await lacks(), /assessment/);
  await restRefuses(world.developer.post('/subscriptions', { app_id: app, api_id: world.api, purpose: 'x', max_level: 1 }), 'risk-exceeded');
  assert.equal((await assess(90)).rating, 'A');
  const document = await material(world.developer, 'protection');
  const certificate = { organisation_id: world.thirdParty, kind: 'mlps', number: 'MLPS-1', issuer: 'A testing body', level: 2, document_id: document, issued_at: new Date(Date.now() - 86400e3).toISOString(), valid_until: YEAR };
  const filed = await world.developer.post('/qualification_certificates', certificate);
  assert.match(await lacks(), /certificates/);
  await world.operator.act('qualification_certificates', filed.id, 'confirm');
  assert.doesNotMatch(await lacks(), /certificates|assessment|application/);
  const state = await world.developer.get(`/apps/${app}/admission`);
  assert.deepEqual(state.conditions.filter((c) => !c.holds).map((c) => c.name), ['agreement']);
});

test('[BK-9.1.1e, BK-12.2c, SW-9.8-use2a, EC-7.1.4.2b, BK-9.3.5d2, BK-9.3.5e] the shipped templates hold every mandatory clause, and one without is refused by name', async () => {
  for (const { kind, clauses } of (await world.operator.get('/agreement-clauses')).items) {
    const template = JSON.parse(readFileSync(`docs/templates/agreement-${kind}.json`, 'utf8'));
    for (const clause of clauses) {
      const e = await world.operator.post('/agreement_templates', { ...template, clauses: template.clauses.filter((c) => c.clause !== clause) }).then(() => assert.fail(clause), (x) => x);
      assert.deepEqual([e.code, e.problem.detail], ['agreement-incomplete', `missing: ${clause}`]);
    }
    const made = await world.operator.post('/agreement_templates', template);
    await world.operator.act('agreement_templates', made.id, 'activate');
    if (kind === 'data-use') world.template = made.id;
  }
});

test('[SW-9.8-use1, SW-8.2c2-5, CI-6.1.4a] an agreement is whole when offered and in force when both sides have signed its digest', async () => {
  const base = { template_id: world.template, provider_id: world.holder, receiver_id: world.thirdParty, app_id: app, title: '数据授权协议' };
  const draft = await world.provider.post('/agreements', base);
  await restRefuses(world.provider.act('agreements', draft.id, 'offer'), 'agreement-incomplete');
  const whole = { shared_data: 'orders of the unit', purpose: 'order management', expires_at: YEAR, retention_days: 30, provider_duties: ['correct data'], receiver_duties: ['no transfer'],
    interfaces: [{ api_id: world.api, fields: ['id', 'phone'], per_day: PER_DAY, scenario: 'back office', access_mode: 'direct', ways: ['call'] },
      { api_id: world.files, fields: ['category'], per_day: 1000, scenario: 'month end', access_mode: 'file' }], terms: { data_format: ['json', 'csv'] } };
  await world.provider.patch(`/agreements/${draft.id}`, whole, draft.revision);
  agreement = await world.provider.act('agreements', draft.id, 'offer');
  assert.match(agreement.text, /禁止转移/);
  assert.match(agreement.text, /不得绕过平台直接交换/);
  assert.match(agreement.text, /"per_day": 4/);
  assert.ok(agreement.signing_text.endsWith(agreement.digest_sm3));
  const theirs = await signer(world.developer, world.thirdParty, 'receiver', ['-algorithm', 'SM2']);
  const ours = await signer(world.provider, world.holder, 'provider');
  const sign = (rest, body) => rest.act('agreements', agreement.id, 'sign', body);
  await restRefuses(sign(world.developer, theirs.sign(`${agreement.signing_text} `)), 'agreement-signature-invalid');
  await restRefuses(sign(world.developer, ours.sign(agreement.signing_text)), 'agreement-signature-invalid');
  await restRefuses(sign(world.operator, theirs.sign(agreement.signing_text)), 'not-permitted');
  assert.equal((await sign(world.developer, theirs.sign(agreement.signing_text))).state, 'offered');
  assert.match(await lacks(), /agreement/);
  agreement = await sign(world.provider, ours.sign(agreement.signing_text));
  assert.deepEqual([agreement.state, agreement.receiver_signature.algorithm, agreement.provider_signature.algorithm], ['in_force', 'sm2-sm3', 'ecdsa-p256-sha256']);
});

test('[CI-6.1.3b] a filing holds all that is asked of it, is found by each and keeps its changes', async () => {
  const whole = { organisation_id: world.thirdParty, app_id: app, platform_name: 'Newcomer', user_number: 'U-7', domain: 'newcomer.example', server_ip: '192.0.2.7', operating_unit: 'Software house', contact_name: 'On duty', contact_phone: '0755-00000000' };
  for (const name of Object.keys(whole).slice(2)) {
    await restRefuses(world.operator.post('/filings', { ...whole, [name]: undefined }), 'field-invalid', `/${name}`);
  }
  const filing = await world.operator.post('/filings', whole);
  assert.equal((await world.developer.list('filings', { domain: 'newcomer.example', server_ip: '192.0.2.7' })).length, 1);
  await world.operator.patch(`/filings/${filing.id}`, { contact_name: 'Another' }, filing.revision);
  const { items } = await world.operator.get(`/operations?kind=filing&resource_id=${filing.id}`);
  assert.ok(items.some((o) => o.before?.contact_name === 'On duty' && o.after?.contact_name === 'Another'));
});

test('[SW-9.8-use2b, SW-9.8-use2c, SW-8.2c2-4, CI-6.1.4b, CI-6.1.4c, EC-4.2.2a5] admitted, the app gets the agreed fields of the agreed API and nothing else', async () => {
  await restRefuses(world.developer.post('/credentials', { app_id: app, algorithm: 'hmac-sm3' }), 'state-conflict');
  await world.operator.act('apps', app, 'admit');
  key = await w.credential(world, app);
  await w.subscription(world, app, world.api);
  await w.subscription(world, app, world.other);
  await w.subscription(world, app, world.files);
  const answer = await becomes(200);
  assert.equal(answer.json.id, 'A1');
  assert.ok(!('phone' in answer.json), answer.text); // subscribed to and agreed on, but not among what the reviewer permitted
  refused(await p.call('/other/v1/good', { key }), 403, 'subscription-missing');
  await until(async () => (await p.call('/files/v1', { key })).json?.code === 'access-not-agreed', { ms: 10000, what: 'the refusal of what is agreed on as files' });
  refused(await call({ purpose: 'marketing' }), 403, 'purpose-mismatch'); // the agreement's purpose bounds the app's calls
  const why = (api) => world.operator.get(`/explain?app=${app}&api=${api}`);
  assert.equal((await why(world.other)).code, 'subscription-missing'); // the same decision, asked for
  const fields = Object.fromEntries((await why(world.api)).fields.map((f) => [f.path, f.outcome]));
  assert.deepEqual([fields.id, fields.phone], ['keep', 'drop']);
});

test('[CI-6.1.4d] a file in a format that was not agreed on is erased, and both sides are told; one in an agreed format stays', async () => {
  const made = async (format) => { const a = await p.call('/files/v1/exports', { key, method: 'POST', body: JSON.stringify({ format }) }); assert.equal(a.status, 202, a.text); return a.json.id; };
  const state = async (id, wanted) => until(async () => { const e = await world.operator.get(`/exports/${id}`).catch(() => null); return e?.state === wanted && e; }, { ms: 20000, what: `the export ${wanted}` });
  const [good, bad] = [await made('csv'), await made('ndjson')];
  assert.deepEqual([(await state(good, 'ready')).departs, (await state(bad, 'erased')).departs], [false, true]);
  const gone = await p.call(`/files/v1/exports/${bad}/data`, { key });
  assert.ok(gone.status >= 400, 'it is not to be had');
  for (const side of [world.developer, world.provider]) assert.equal((await side.list('notices', { object_id: bad })).length, 1);
  assert.equal((await world.developer.list('notices', { object_id: good })).length, 0);
});

test('[SW-9.8-use2c, BK-9.1.1e, CI-6.1.4d] as often in a day as was agreed', async () => {
  const [limit] = await world.developer.list('limits', { agreement_id: agreement.id, api_id: world.api });
  assert.deepEqual([limit.per, limit.measure, limit.amount, limit.action], ['app-api', 'calls', PER_DAY, 'reject']);
  let over;
  for (let i = 0; i < 2 * PER_DAY && over?.status !== 429; i++) over = await call(); // a new day may begin once
  refused(over, 429, 'quota-exceeded');
});

test('[EC-4.2.1a2, SW-9.8-use2c] an agreement that ends ends what rests on it, at the next call', async () => {
  await world.provider.act('agreements', agreement.id, 'terminate', { reason: 'the purpose is fulfilled' });
  refused(await becomes('subscription-missing'), 403, 'subscription-missing');
  assert.equal((await world.developer.get(`/agreements/${agreement.id}`)).state, 'ended');
  await world.operator.act('apps', app, 'suspend');
  assert.match(await world.operator.act('apps', app, 'resume').catch((e) => e.problem.detail), /agreement in force/);
});

test('[SW-9.6.2-4a, SW-9.6.2-4b] data of another\'s is put together only under a privacy agreement', async () => {
  await setting('privacy-agreement-required', 'on');
  const api = await world.operator.post('/apis', { name: 'together', version: 'v1', path: '/together/v1', kind: 'composed', organisation_id: world.thirdParty, title: 'x', fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }] });
  const graph = { steps: [{ name: 'a', api: '/unit/v1', path: '/good' }], output: { id: '/steps/a/body/id' } };
  await restRefuses(world.operator.post('/compositions', { api_id: api.id, graph }), 'agreement-missing');
});

test('[GS-6.1b-1, GS-6.1b-2, GS-6.1b-3, GS-6.8d-1, GS-6.8e-1, BK-9.1.1d1, EC-4.2.2c1] the shipped records name all that the platform keeps of a review and a preparation', async () => {
  const text = (name) => readFileSync(`docs/templates/${name}.md`, 'utf8');
  for (const { name, weight } of (await world.operator.get('/assessment-criteria')).items) {
    assert.match(text('admission-review'), new RegExp(`${weight} %.*scores\\.${name}`));
  }
  for (const kind of ['mlps', 'cryptography', 'compliance']) assert.ok(text('access-preparation').includes(`\`${kind}\``), kind);
  for (const item of ['environment', 'connectivity', 'security-hardening', 'staff-contact']) assert.ok(text('access-preparation').includes(`\`${item}\``), item);
  assert.match(text('leak-prevention-checklist'), /leak_prevention/);
});
