// SPDX-License-Identifier: Apache-2.0
// Licences (CI-6.2.3): an enterprise's agreement, uploaded by the caller as a file, reviewed by the platform; its id is the
// licenseID of an authorised query, and no other enterprise's, caller's, data's or time's is taken.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { DEFAULTS, enterprise } from '../../demo/generate.mjs';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import { IN_A_YEAR } from './lib/world.mjs';

const PDF = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\nxref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \ntrailer<</Size 3/Root 1 0 R>>\nstartxref\n101\n%%EOF\n');
const nth = (n) => enterprise(DEFAULTS.seed, n);
let p;
let developer;
let operator;
let api;

before(async () => {
  p = await Platform.start();
  await p.loadDemo({ enterprises: 20, orders: 50, merchants: 5 });
  developer = await p.signedIn('developer');
  operator = await p.signedIn('operator');
  api = p.demo.apis.getPublicResourcesTrading;
});
after(() => p?.stop());

async function upload(bytes = PDF, type = 'application/pdf', name = 'agreement.pdf') {
  const answer = await developer.raw('POST', `/api/v1/documents?name=${name}`, bytes, { 'content-type': type });
  if (answer.status !== 201) throw Object.assign(new Error(JSON.stringify(answer.body)), { code: answer.body.code });
  return answer.body;
}

async function submitted(owner, more = {}) {
  const about = new URLSearchParams({ name: 'agreement.pdf', app_id: p.demo.app, api_id: api, owner, purpose: 'check a supplier', expires_at: IN_A_YEAR, ...more });
  const answer = await developer.raw('POST', `/api/v1/licences/upload?${about}`, PDF, { 'content-type': 'application/pdf' });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

const query = (licence, uniscId, header = licence, more = {}) =>
  p.call('/credit/getPublicResourcesTrading', { method: 'POST', body: JSON.stringify({ uniscId, licenseID: licence }), grant: header, ...more });
const becomes = (licence, uniscId, wanted) => until(async () => { const a = await query(licence, uniscId); return wanted === 200 ? a.json?.result === 1 : a.json?.code === wanted; }, { what: `${wanted} with ${licence}` });

test('[CI-6.2.3c1, CI-6.2.3d2, CI-A.3, CI-A.3a, CI-A.3c] an uploaded agreement has an id bound to enterprise and caller, opens nothing before its review, and the query after it', async () => {
  const { uniscId } = nth(0);
  const l = await submitted(uniscId);
  assert.deepEqual([l.state, l.owner, l.app_id], ['submitted', uniscId, p.demo.app]);
  assert.match(l.document_sm3, /^[0-9a-f]{64}$/);
  refused(await query(l.id, uniscId), 403, 'grant-unknown');
  await restRefuses(developer.act('licences', l.id, 'approve'), 'not-permitted');
  await operator.act('licences', l.id, 'return', { comment: 'the seal is missing' });
  await developer.act('licences', l.id, 'submit');
  const approved = await operator.act('licences', l.id, 'approve');
  assert.deepEqual([approved.state, approved.reviewed_by], ['approved', 'operator']);
  await becomes(l.id, uniscId, 200);
  const answer = await query(l.id, uniscId);
  assert.ok(answer.json.data.length > 0);
  const [record] = records(p, '--txn', answer.txn);
  assert.equal(record.grant, l.id, 'the check is on record');
  const evidence = await operator.get(`/grants/${l.id}/evidence`);
  assert.ok(evidence.grant.statement.includes(l.document_sm3));
  assert.deepEqual(evidence.acts.map((a) => a.action), ['create', 'return', 'submit', 'create', 'approve']);
});

test('[CI-6.2.3b, CI-6.2.3d1] a licence that is missing, of another enterprise, caller, API or time, or revoked is refused', async () => {
  const { uniscId } = nth(1);
  const l = await submitted(uniscId);
  await operator.act('licences', l.id, 'approve');
  await becomes(l.id, uniscId, 200);
  for (const [licence, named] of [[undefined, 'licenseID'], ['', 'licenseID'], ['x', 'licenseID']]) {
    const answer = await query(licence, uniscId, l.id);
    assert.deepEqual([answer.json.result, answer.json.data], [0, undefined], answer.text);
    assert.ok(answer.json.msg.includes(named), answer.text);
  }
  assert.equal((await query(l.id, uniscId, null)).json.result, 1, 'named by the parameter alone');
  refused(await query(undefined, uniscId, null), 403, 'grant-missing');
  const lying = await developer.raw('POST', `/api/v1/licences/upload?${new URLSearchParams({ name: 'a.pdf', app_id: p.demo.app, api_id: api, owner: uniscId, purpose: 'p', expires_at: IN_A_YEAR })}`, Buffer.from('<script>'), { 'content-type': 'application/pdf' });
  assert.equal(lying.body.code, 'file-type-mismatch');
  const other = await query(l.id, nth(2).uniscId);
  assert.deepEqual([other.json.result, other.json.data], [0, undefined]);
  // Another caller with this company's licence.
  const app = await developer.post('/apps', { name: 'Another caller', organisation_id: (await developer.get(`/apps/${p.demo.app}`)).organisation_id, environment: 'monitored' });
  await operator.act('apps', app.id, 'admit');
  const key = await developer.post('/credentials', { app_id: app.id, algorithm: 'hmac-sm3' });
  const s = await developer.post('/subscriptions', { app_id: app.id, api_id: api, purpose: 'the same', max_level: 2 });
  await operator.act('subscriptions', s.id, 'approve');
  await until(async () => (await query(l.id, uniscId, l.id, { key })).json?.code === 'grant-mismatch', { what: 'the other caller at the gateway' });
  // Another API.
  refused(await p.call('/trade/orders/v1?limit=1', { grant: l.id }), 403, 'grant-mismatch');
  // Its time.
  const short = await submitted(uniscId, { expires_at: new Date(Date.now() + 2500).toISOString() });
  await operator.act('licences', short.id, 'approve');
  await becomes(short.id, uniscId, 'grant-expired');
  // Revoked by the enterprise itself, and with the licence; and the other way round.
  await operator.act('licences', l.id, 'revoke', { revocation_reason: 'the agreement was cancelled' });
  await becomes(l.id, uniscId, 'grant-revoked');
  assert.equal((await operator.get(`/grants/${l.id}`)).state, 'revoked');
  const mine = await submitted(nth(0).uniscId);
  await operator.act('licences', mine.id, 'approve');
  const owner = await p.signedIn('enterprise');
  await owner.act('grants', mine.id, 'revoke', { revocation_reason: 'not any more' });
  assert.deepEqual([(await owner.get(`/licences/${mine.id}`)).state, (await owner.get(`/licences/${mine.id}`)).revoked_by], ['revoked', 'enterprise']);
});

test('[CI-6.2.3c1] a file that lies about its type, is empty or too large is no agreement; nor is another company\'s', async () => {
  await assert.rejects(upload(Buffer.from('<script>'), 'application/pdf'), (e) => e.code === 'file-type-mismatch');
  await assert.rejects(upload(Buffer.alloc(0)), (e) => e.code === 'body-missing');
  await assert.rejects(upload(Buffer.concat([PDF, Buffer.alloc(4 << 20)])), (e) => ['file-too-large', 'body-too-large'].includes(e.code));
  const file = await upload();
  const body = { document_id: file.id, app_id: p.demo.app, api_id: api, owner: nth(3).uniscId, purpose: 'p', expires_at: IN_A_YEAR };
  for (const [more, where] of [[{ document_id: api }, '/document_id'], [{ owner: undefined }, '/owner'], [{ expires_at: undefined }, '/expires_at'], [{ expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'], [{ fields: ['no such field'] }, '/fields']]) {
    await restRefuses(developer.post('/licences', { ...body, ...more }), 'field-invalid', where);
  }
  const erased = await developer.post('/licences', { ...body, document_id: (await upload()).id });
  await operator.act('documents', erased.document_id, 'erase', { reason: 'sent by mistake' });
  await restRefuses(operator.act('licences', erased.id, 'approve'), 'state-conflict', '/document_id');
  const own = await operator.raw('POST', '/api/v1/documents?name=a.pdf', PDF, { 'content-type': 'application/pdf' });
  const l = await operator.post('/licences', { ...body, document_id: own.body.id });
  await restRefuses(operator.act('licences', l.id, 'approve'), 'self-approval');
});
