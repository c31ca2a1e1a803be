// SPDX-License-Identifier: Apache-2.0
// Cases: what an alert, a risk hit, a failed check or a party's report becomes, until it is closed.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { sign } from './lib/sign.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let rival; // a developer of another party
const told = async (rest, kind) => (await rest.list('notices', { kind })).length;
const upload = (rest, name, text) => rest.ok('POST', `/api/v1/documents?name=${name}`, text, { 'content-type': 'text/plain' }).then((d) => d.id);
const fresh = (rest, row) => rest.get(`/cases/${row.id}`);
const handled = async (row, result = 'done') => {
  await world.operator.act('cases', row.id, 'assign', { handler: 'operator' });
  const now = await fresh(world.operator, row);
  await world.operator.patch(`/cases/${row.id}`, { analysis: 'looked at the calls' }, now.revision);
  await world.operator.act('cases', row.id, 'treat', { measures: 'limited the app' });
  return world.operator.act('cases', row.id, 'close', { result });
};

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 20 });
  const other = await w.organisation(world.admin, 'Other house', 'third_party');
  rival = await w.user(world.admin, 'rival', 'developer', { organisation_id: other });
});
after(async () => { await p?.stop(); });

test('[BK-10.5b, BK-10.2.3d, BK-10.2.1b4] an alert becomes a case with its times and handler; the party is asked, its answer and paper are kept, and the closing is told', async () => {
  await world.operator.post('/limits', { name: 'few', per: 'app', app_id: world.app, measure: 'rate', amount: 1, window_ms: 60000, action: 'alert' });
  const row = await until(async () => {
    await p.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant });
    return (await world.operator.list('cases', { source: 'alert', app_id: world.app }))[0];
  }, { ms: 45000, every: 300, what: 'the case of the alert' });
  assert.deepEqual([row.kind, row.state, row.grade, row.organisation_id], ['anomaly', 'open', 3, world.thirdParty]);
  assert.ok(row.alert_id && row.alerted_at && row.due_at > row.created_at);
  assert.equal((await world.developer.list('cases')).length, 0, 'not yet shared, so not yet seen');
  await world.operator.act('cases', row.id, 'share', { question: 'Why so many calls?' });
  assert.equal(await told(world.developer, 'case-shared'), 1);
  const [seen] = await world.developer.list('cases');
  assert.equal(seen.question, 'Why so many calls?');
  assert.equal((await rival.list('cases')).length, 0);
  const paper = await upload(world.developer, 'log.txt', 'calls of the night');
  await world.developer.post(`/cases/${row.id}/answer`, { text: 'a loop in our job; fixed', document_id: paper });
  await restRefuses(rival.post(`/cases/${row.id}/answer`, { text: 'me too' }), 'not-found');
  await restRefuses(world.developer.post(`/cases/${row.id}/answer`, { text: '' }), 'field-invalid');
  const answered = await fresh(world.operator, row);
  assert.deepEqual(answered.answers.map((a) => [a.side, a.by, a.text, a.document_id]), [['party', 'developer', 'a loop in our job; fixed', paper]]);
  assert.equal(await told(world.operator, 'case-answered'), 1);
  await world.operator.act('cases', row.id, 'agree', { solution: 'the job waits a second between calls' });
  await restRefuses(world.operator.act('cases', row.id, 'close', { result: 'x' }), 'state-conflict');
  const closed = await handled(row);
  assert.deepEqual([closed.state, closed.handler, closed.measures, closed.closed_by, closed.solution], ['closed', 'operator', 'limited the app', 'operator', 'the job waits a second between calls']);
  assert.ok(closed.assigned_at && closed.treated_at && closed.closed_at && closed.agreed_at);
  assert.equal(await told(world.developer, 'case-closed'), 1);
});

test('[BK-12.2d] a call that names a package its app is not registered with is flagged as a suspected transfer and becomes a case; its own is not', async () => {
  const target = '/trade/orders/v1?limit=1';
  const digest = 'ab'.repeat(32);
  const app = await world.operator.get(`/apps/${world.app}`);
  await restRefuses(world.operator.patch(`/apps/${world.app}`, { packages: ['com example'] }, app.revision), 'field-invalid', '/packages');
  await world.operator.patch(`/apps/${world.app}`, { packages: ['com.example.orders', `com.example.pay;${digest}`] }, app.revision);
  const from = (name, more) => p.call(target, { key: world.key, grant: world.grant, headers: { 'sluice-package': name }, ...more });
  const uncovered = await p.send('GET', target, { headers: { ...sign(world.key, { url: p.gateway + target, headers: { 'sluice-grant': world.grant } }), 'sluice-package': 'com.other.app' } });
  refused(uncovered, 401, 'signature-incomplete');
  for (const name of ['com.example.orders', `com.example.orders;${'cd'.repeat(32)}`, `com.example.pay;${digest}`, `com.example.pay;${'cd'.repeat(32)}`, 'com.other.app']) assert.equal((await from(name)).status, 200, name);
  const flagged = await until(async () => { const a = await world.operator.list('alerts', { kind: 'suspected-transfer' }); return a.length === 2 && a; }, { ms: 20000, what: 'the alerts' });
  assert.deepEqual(flagged.map((a) => [a.target, a.app_id, a.api_id]).sort(), [['com.other.app', world.app, world.api], [`com.example.pay;${'cd'.repeat(32)}`, world.app, world.api]].sort());
  const [risk] = await until(async () => { const c = await world.operator.list('cases', { app_id: world.app, kind: 'risk' }); return c.length && c; }, { ms: 20000, what: 'the case' });
  assert.match(risk.title, /package/);
});

test('[BK-10.5c, BK-10.5d] a production incident has a grade and a deadline, is escalated when nobody takes it up or it is late, and is closed with its report', async () => {
  const row = await world.operator.post('/cases', { kind: 'production', grade: 2, title: 'Orders slow' });
  const hours = (Date.parse(row.due_at) - Date.parse(row.created_at)) / 3600e3;
  assert.ok(Math.abs(hours - 24) < 0.1, `due in ${hours} hours`);
  await restRefuses(world.operator.act('cases', row.id, 'share', { question: 'You too?' }), 'state-conflict');
  await world.operator.patch(`/cases/${row.id}`, { due_at: new Date(Date.now() + 100).toISOString(), organisation_id: world.thirdParty }, row.revision);
  const late = await until(async () => { const now = await fresh(world.operator, row); return now.escalations > 0 && now; }, { ms: 45000, every: 200, what: 'the escalation' });
  assert.deepEqual([late.grade, await told(world.operator, 'case-unanswered')], [1, 1]);
  await world.operator.act('cases', row.id, 'share', { question: 'What did you see?' });
  await world.developer.post(`/cases/${row.id}/answer`, { text: 'timeouts since nine' });
  await restRefuses(handled(row), 'state-conflict');
  const report = await upload(world.operator, 'report.txt', 'what happened, why, and what follows');
  await world.operator.patch(`/cases/${row.id}`, { report_document_id: report }, (await fresh(world.operator, row)).revision);
  assert.equal((await world.operator.act('cases', row.id, 'close', { result: 'the index was missing' })).report_document_id, report);
});

test('[BK-9.3.5d1, BK-9.3.5d2] a party reports a defect with what it did about it; it sees its own, and no other party any', async () => {
  await restRefuses(world.developer.post('/cases', { kind: 'defect', title: 'A filter shows too much' }), 'field-invalid');
  await restRefuses(world.developer.post('/cases', { kind: 'risk', title: 'x', remedy: 'y' }), 'not-permitted');
  const row = await world.developer.post('/cases', { kind: 'defect', title: 'A filter shows too much', detail: 'with order=…', remedy: 'we stopped using it', app_id: world.app, api_id: world.api });
  assert.deepEqual([row.source, row.organisation_id, row.state], ['organisation', world.thirdParty, 'open']);
  assert.ok(row.created_at);
  assert.ok((await told(world.operator, 'case-opened')) > 0);
  assert.equal((await rival.list('cases')).length, 0);
  await restRefuses(rival.get(`/cases/${row.id}`), 'not-found');
  await world.operator.post(`/cases/${row.id}/answer`, { text: 'thank you; confirmed' });
  assert.equal((await world.developer.get(`/cases/${row.id}`)).answers[0].side, 'platform');
  assert.equal((await handled(row)).state, 'closed');
});

test('[CI-8.2c, CI-8.2d] a failed check opens a problem with handler, deadline and result; the solution agreed with the connected user is kept', async () => {
  const api = await w.httpApi(world, 'checked', 'http://127.0.0.1:9', { health: { path: '/ok', interval_ms: 500, timeout_ms: 300 } });
  const row = await until(async () => (await world.operator.list('cases', { kind: 'problem', api_id: api }))[0], { ms: 45000, every: 300, what: 'the problem of the failed check' });
  assert.ok(row.due_at);
  await world.operator.patch(`/cases/${row.id}`, { organisation_id: world.thirdParty }, (await fresh(world.operator, row)).revision);
  await world.operator.act('cases', row.id, 'share', { question: 'Until when can you wait?' });
  await restRefuses(world.operator.act('cases', row.id, 'agree', { solution: 'too early' }), 'state-conflict');
  await world.developer.post(`/cases/${row.id}/answer`, { text: 'until Friday' });
  await world.operator.act('cases', row.id, 'agree', { solution: 'back on Thursday' });
  const closed = await handled(row, 'the target is back');
  assert.deepEqual([closed.result, closed.solution, closed.handler], ['the target is back', 'back on Thursday', 'operator']);
});
