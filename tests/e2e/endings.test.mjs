// SPDX-License-Identifier: Apache-2.0
// How things end in order: a service with each of its steps, a case with the party kept out, a defect that is disclosed;
// and the plans for when nothing is in order.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let rival; // a developer of another party
let termination;
const told = async (rest, kind) => (await rest.list('notices', { kind })).length;
const steps = async () => (await world.provider.get(`/service_terminations/${termination.id}/steps`)).steps;
const next = async () => (await steps()).find((s) => s.next)?.step;
const items = (rest = world.provider, more = {}) => rest.list('termination_items', { termination_id: termination.id, ...more });
const upload = (rest, name, text) => rest.ok('POST', `/api/v1/documents?name=${name}`, text, { 'content-type': 'text/plain' }).then((d) => d.id);
const setting = async (name, value) => {
  const [row] = await world.admin.list('service_settings', { name });
  await world.admin.patch(`/service_settings/${row.id}`, { value }, row.revision);
};

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 20 });
  const other = await w.organisation(world.admin, 'Other house', 'third_party');
  rival = await w.user(world.admin, 'rival', 'developer', { organisation_id: other });
  await world.owner.post('/grants', { app_id: world.app, api_id: world.api, owner: 'M00001', purpose: 'x', term: 'period', expires_at: w.IN_A_YEAR });
  const more = await world.provider.act('datasets', world.dataset, 'publish', { name: 'more', version: 'v1', path: '/trade/more/v1', title: 'More' });
  await w.subscription(world, world.app, more.id);
  world.more = (await w.grant(world, world.app, more.id)).id;
  for (const [name, value] of [['termination-control', 'on'], ['termination-notice-days', '0']]) await setting(name, value);
});
after(async () => { await p?.stop(); });

test('[BK-11a, BK-11d] an end is a workflow: each step is refused before the one ahead of it, users are told and the record kept, and it is said in public', async () => {
  const api = world.api;
  await restRefuses(world.provider.act('apis', api, 'baffle'), 'state-conflict');
  await restRefuses(world.provider.act('apis', api, 'offline'), 'state-conflict');
  await world.provider.act('apis', api, 'stop');
  await restRefuses(world.provider.act('apis', api, 'archive'), 'state-conflict'); // no way round
  await world.provider.act('apis', api, 'start');
  termination = await world.provider.post('/service_terminations', { api_id: api, reason: 'replaced', user_notice: 'Orders ends; use the new service.' });
  assert.deepEqual((await steps()).map((s) => s.step), ['announce', 'tell', 'agree', 'baffle', 'cancel-code', 'confirm', 'offline', 'archive']);
  assert.equal(await next(), 'agree');
  const [user] = (await world.operator.list('service_notices', { about_id: termination.id })).filter((n) => n.party === 'user');
  assert.deepEqual([user.delivered, user.text], [true, 'Orders ends; use the new service.']);
  assert.equal(await told(world.owner, 'service-termination-for-users'), 1);
  const said = await p.rest.raw('GET', '/api/v1/announcements'); // nobody signs in to read it
  assert.deepEqual(said.body.items.map((i) => [i.name, i.user_notice]), [['orders', 'Orders ends; use the new service.']]);
  for (const action of ['baffle', 'offline']) await restRefuses(world.provider.act('apis', api, action), 'state-conflict');
  await restRefuses(world.provider.act('service_terminations', termination.id, 'confirm'), 'state-conflict');
  await restRefuses(world.provider.act('service_terminations', termination.id, 'cancellation', { reference: 'C-1' }), 'state-conflict');
});

test('[BK-11c] five matters are agreed with each party, each with a named responsible side and the word of both', async () => {
  const list = await items();
  assert.deepEqual(list.map((i) => i.matter).sort(), ['archiving', 'consumer-rights', 'deletion', 'funds-and-accounts', 'personal-financial-information']);
  assert.ok(list.every((i) => i.state === 'open' && i.organisation_id === world.thirdParty));
  const [first] = list;
  await restRefuses(world.provider.act('termination_items', first.id, 'propose'), 'field-invalid', '/responsible');
  await restRefuses(world.developer.act('termination_items', first.id, 'agree'), 'state-conflict');
  assert.deepEqual(await items(rival), []);
  await restRefuses(rival.act('termination_items', first.id, 'agree'), 'not-found');
  const said = { responsible: 'party', responsible_name: 'Software house, records office', agreement: 'kept for five years' };
  await world.provider.patch(`/termination_items/${first.id}`, said, first.revision);
  const proposed = await world.provider.act('termination_items', first.id, 'propose');
  await restRefuses(world.provider.act('termination_items', first.id, 'agree'), 'not-permitted');
  await restRefuses(world.provider.patch(`/termination_items/${first.id}`, { agreement: 'nothing' }, proposed.revision), 'state-conflict');
  await world.developer.act('termination_items', first.id, 'object', { comment: 'three years' });
  const again = await world.provider.get(`/termination_items/${first.id}`);
  assert.deepEqual([again.state, again.comment], ['open', 'three years']);
  await restRefuses(world.provider.act('apis', world.api, 'baffle'), 'state-conflict');
  await w.agreed(world, termination.id);
  for (const i of await items()) assert.deepEqual([i.state, i.responsible, i.proposed_by, i.agreed_by], ['agreed', 'both', 'provider', 'developer']);
  assert.equal(await told(world.provider, 'termination-item-agreed'), 5);
  assert.equal(await next(), 'baffle');
});

test('[BK-11e2, BK-11b2] the baffle answers each caller, then the code is given back, then the end is confirmed, and only then is it off', async () => {
  await restRefuses(world.provider.act('apis', world.api, 'offline'), 'state-conflict');
  await restRefuses(world.provider.act('service_terminations', termination.id, 'confirm'), 'state-conflict');
  await world.provider.act('apis', world.api, 'baffle');
  const answer = await until(async () => { const a = await p.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant }); return a.json?.code === 'api-offline' && a; }, { what: 'the baffle' });
  refused(answer, answer.status, 'api-offline');
  assert.match(answer.text, /terminated|终止/);
  const api = await world.provider.get(`/apis/${world.api}`);
  if (api.u_api_id) { // an API that has a code gives it back first
    assert.equal(await next(), 'cancel-code');
    await restRefuses(world.provider.act('service_terminations', termination.id, 'confirm'), 'state-conflict', '/cancellation');
  }
  const application = await world.provider.get(`/service_terminations/${termination.id}/cancellation`);
  assert.deepEqual([application.application, application.u_api_id, application.submitted], ['cancellation', api.u_api_id, null]);
  await world.provider.act('service_terminations', termination.id, 'cancellation', { reference: 'C-1' });
  await restRefuses(world.provider.act('apis', world.api, 'offline'), 'state-conflict');
  await world.provider.act('service_terminations', termination.id, 'confirm');
  await world.provider.act('apis', world.api, 'offline');
  await world.provider.act('apis', world.api, 'archive');
  assert.ok((await steps()).every((s) => s.done && !s.next));
});

async function confirmedCase(kind) {
  const row = await world.operator.post('/cases', { kind, title: 'Probing of an interface', app_id: world.app });
  await restRefuses(world.admin.act('cases', row.id, 'blacklist', { reason: 'x' }), 'state-conflict');
  await world.operator.act('cases', row.id, 'assign', { handler: 'operator' });
  const now = await world.operator.get(`/cases/${row.id}`);
  await world.operator.patch(`/cases/${row.id}`, { analysis: 'the calls looked for a hole' }, now.revision);
  return world.operator.act('cases', row.id, 'treat', { measures: 'stopped' });
}

test('[BK-9.3.5d2] a defect is known to its reporter and the handlers until somebody else approves its disclosure in the record', async () => {
  const made = await world.developer.post('/cases', { kind: 'defect', title: 'A filter shows too much', detail: 'how to do it', remedy: 'stopped using it', app_id: world.app });
  await world.operator.act('cases', made.id, 'assign', { handler: 'operator' });
  const now = await world.operator.get(`/cases/${made.id}`);
  await world.operator.patch(`/cases/${made.id}`, { analysis: 'it is so' }, now.revision);
  await world.operator.act('cases', made.id, 'treat', { measures: 'fixed' });
  assert.deepEqual(await rival.list('cases'), []);
  await restRefuses(world.operator.act('cases', made.id, 'disclose', { disclosure: 'fixed in May' }), 'self-approval');
  await restRefuses(world.developer.act('cases', made.id, 'disclose', { disclosure: 'all of it' }), 'not-permitted');
  assert.deepEqual(await rival.list('cases'), []);
  await world.admin.act('cases', made.id, 'disclose', { disclosure: 'fixed in May' });
  const [seen] = await rival.list('cases');
  assert.deepEqual([seen.title, seen.disclosure, seen.detail, seen.analysis, seen.organisation_id], ['A filter shows too much', 'fixed in May', undefined, undefined, undefined]);
  assert.equal((await world.developer.get(`/cases/${made.id}`)).detail, 'how to do it');
});

test('[BK-9.3.5e] an administrator keeps out the party of a confirmed case and has the signed evidence, in one act', async () => {
  const row = await confirmedCase('risk');
  await restRefuses(world.operator.act('cases', row.id, 'blacklist', { reason: 'misuse' }), 'not-permitted');
  const evidence = await world.admin.act('cases', row.id, 'blacklist', { reason: 'misuse of an interface' });
  assert.deepEqual([evidence.case.id, evidence.organisation.id, evidence.app.id, evidence.list.reason], [row.id, world.thirdParty, world.app, 'misuse of an interface']);
  assert.deepEqual(evidence.acts.filter((a) => a.chain.length === 64).map((a) => a.action), ['create', 'assign', 'update', 'treat', 'blacklist', 'create']);
  const [head, payload, signature] = evidence.signed.split('.');
  const { kid } = JSON.parse(Buffer.from(head, 'base64url'));
  const { keys } = (await p.rest.raw('GET', '/oauth/jwks')).body;
  const key = createPublicKey({ key: keys.find((k) => k.kid === kid), format: 'jwk' });
  assert.ok(verify('sha256', Buffer.from(`${head}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
  assert.equal(JSON.parse(Buffer.from(payload, 'base64url')).case.id, row.id);
  await until(async () => (await p.call('/trade/more/v1?limit=1', { key: world.key, grant: world.more })).json?.code === 'caller-blocked', { what: 'the party is kept out' });
  await restRefuses(world.admin.act('cases', row.id, 'blacklist', { reason: 'again' }), 'state-conflict', '/blacklist_id');
  assert.equal((await world.operator.get(`/cases/${row.id}/evidence`)).list.id, evidence.list.id);
  await restRefuses(world.developer.get(`/cases/${row.id}/evidence`), 'not-permitted');
});

test('[BK-10.5a] plans for emergencies have versions, an owner and the dates they were practised', async () => {
  const plan = async (text) => world.operator.post('/emergency_plans', { name: 'Leak of data', owner: 'Head of operations', document_id: await upload(world.operator, 'plan.txt', text), drill_days: 1 });
  const first = await plan('first');
  await restRefuses(world.operator.act('emergency_plans', first.id, 'approve'), 'self-approval');
  assert.equal((await world.admin.act('emergency_plans', first.id, 'approve')).version, 1);
  const drilled = await world.operator.act('emergency_plans', first.id, 'drill', { drill_result: 'the line was cut in four minutes' });
  assert.deepEqual(drilled.drills.map((d) => [d.by, d.result]), [['operator', 'the line was cut in four minutes']]);
  assert.ok(drilled.next_drill_at > drilled.drills[0].at);
  await restRefuses(world.operator.patch(`/emergency_plans/${first.id}`, { owner: 'x' }, drilled.revision), 'state-conflict');
  const second = await plan('second');
  assert.equal((await world.admin.act('emergency_plans', second.id, 'approve')).version, 2);
  assert.equal((await world.operator.get(`/emergency_plans/${first.id}`)).state, 'superseded');
  await restRefuses(world.developer.get('/emergency_plans'), 'not-permitted');
});
