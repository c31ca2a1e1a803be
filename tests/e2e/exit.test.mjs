// SPDX-License-Identifier: Apache-2.0
// Third parties while they are here and when they leave: incidents and reports of theirs, and an exit in order,
// down to the receipt of what was deleted; also when the control plane dies in the middle.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ORDERS = '/trade/orders/v1';
let p;
let world;
let leaving; // { app, key, grant, token }
let exit;
const later = (ms) => new Date(Date.now() + ms).toISOString();
const notices = (rest, query) => rest.list('notices', query);
const told = (rest, kind, object_id) => until(async () => (await notices(rest, { kind, object_id })).length > 0, { ms: 15000, what: `the notice ${kind}` });

async function upload(rest, name, text) {
  return (await rest.ok('POST', `/api/v1/documents?name=${name}`, text, { 'content-type': 'text/plain' })).id;
}

function ownToken(app, key) {
  return new Promise((resolve, reject) => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders.v1' }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body), authorization: `Basic ${Buffer.from(`${app}:${key.secret}`).toString('base64')}` };
    const req = https.request(`${p.control}/oauth/token`, { method: 'POST', ca: p.ca, headers }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => resolve({ status: res.statusCode, ...JSON.parse(Buffer.concat(parts)) }));
    });
    req.on('error', reject).end(body);
  });
}

async function liveApp(name) {
  const app = await w.admittedApp(world, name);
  const key = await w.credential(world, app);
  await w.subscription(world, app, world.api);
  const grant = (await w.grant(world, app, world.api)).id;
  await until(async () => (await p.call(`${ORDERS}?limit=1`, { key, grant })).status === 200, { ms: 10000, what: name });
  return { app, key, grant };
}

const refuses = (who, codes, what) => until(async () => {
  const a = await p.call(`${ORDERS}?limit=1`, who);
  return codes.includes(a.json?.code) && a;
}, { ms: 15000, what });

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 40 });
  leaving = await liveApp('Leaving');
});
after(async () => { await p?.stop(); });

test('[EC-7.2.2b2, EC-7.2.2b3, EC-7.2.2a3] a leak reported by the app\'s own side reaches the operators, who stop it in one step; the call it shows in is found', async () => {
  const bad = await liveApp('Leaking');
  const call = await p.call(`${ORDERS}?limit=1`, bad);
  const { id } = await world.developer.post('/incidents', { app_id: bad.app, kind: 'leak', severity: 'critical', title: 'Rows were seen elsewhere', transaction_id: call.txn });
  await told(world.operator, 'incident-opened', id);
  const seen = await world.operator.get(`/incidents/${id}`);
  assert.ok(Date.parse(seen.due_at) - Date.now() <= 86400e3, 'critical: a day');
  assert.equal(records(p).find((r) => r.transaction === seen.transaction_id)?.app, bad.app, 'the audit record of that very call');
  await restRefuses(world.developer.act('incidents', id, 'contain', { suspend_app: true, reason: 'mine' }), 'not-permitted');
  await world.operator.act('incidents', id, 'contain', { suspend_app: true, revoke_grants: true, void_credentials: true, reason: 'until it is clear' });
  await refuses(bad, ['credential-inactive', 'app-inactive'], 'the end of the calls');
  const [measure] = (await world.operator.get(`/incidents/${id}`)).containment;
  assert.deepEqual([measure.by, measure.revoke_grants], ['operator', true]);
  await world.developer.act('incidents', id, 'fix', { remedy: 'The log is gone' });
  await world.operator.act('incidents', id, 'verify');
  await world.operator.act('incidents', id, 'close');
});

test('[EC-4.2.2-0a, EC-7.1.1b, EC-4.2.2-0b] the templates of duties and reports speak of each part that the platform asks for', async () => {
  const dir = path.resolve('docs/templates');
  const texts = readdirSync(dir).map((f) => readFileSync(path.join(dir, f), 'utf8'));
  const document_id = await upload(world.developer, 'part.txt', 'a part\n');
  for (const kind of ['data-life-cycle', 'leak-prevention', 'vulnerability-management', 'vulnerability-scan', 'emergency', 'software-life-cycle']) {
    const content = {};
    for (let left = 10; left > 0; left--) { // each refusal names the next part
      const problem = await world.developer.post('/self_reports', { organisation_id: world.thirdParty, kind, content }).then(() => null, (e) => e.problem);
      if (!problem) break;
      const part = /^\/content\/(\w+)$/.exec(problem.where)?.[1];
      assert.ok(part && !(part in content), JSON.stringify(problem));
      content[part] = { text: 'said', document_id };
    }
    assert.ok(Object.keys(content).length > 0);
    for (const part of Object.keys(content)) assert.ok(texts.some((t) => t.includes(`kind`) && t.includes(kind) && t.includes(`\`${part}\``)), `no template speaks of ${kind} ${part}`);
  }
  const duties = texts.find((t) => t.startsWith('<!--') && t.includes('security duties of the third party'));
  for (const word of [/answers for the data/, /to nobody else/, /prevents leaks/, /major changes/i, /receipt/]) assert.match(duties, word);
});

test('[EC-5.1f1, EC-5.1f2, EC-5.1f3, EC-5.1f4, EC-5.1f5, EC-7.2.2a2, EC-7.2.1a, EC-7.2.1b, EC-7.2.1c, EC-7.2.1d] a third party reports of itself, part by part, and is reminded of the next', async () => {
  const organisation_id = world.thirdParty;
  const duty = await world.operator.post('/report_duties', { organisation_id, kind: 'data-life-cycle', every_days: 90 });
  await restRefuses(world.developer.post('/self_reports', { organisation_id, kind: 'data-life-cycle', content: { generation: 'none of our own' } }), 'field-invalid', '/content/storage');
  const content = { generation: 'None of our own', storage: 'Sealed, in one place', use: 'To show orders', sharing: 'With nobody', destruction: 'After 90 days' };
  const { id } = await world.developer.post('/self_reports', { organisation_id, kind: 'data-life-cycle', content });
  await told(world.operator, 'self-report-submitted', id);
  await world.operator.act('self_reports', id, 'accept');
  const next = await world.developer.get(`/report_duties/${duty.id}`);
  assert.ok(Date.parse(next.due_at) > Date.now() + 89 * 86400e3);
  await restRefuses(world.developer.post('/self_reports', { organisation_id, kind: 'vulnerability-scan', content: { result: 'Nothing open' } }), 'field-invalid', '/content/result');
  const proof = await upload(world.developer, 'scan.txt', 'nothing open\n');
  const part = (text) => ({ text, document_id: proof });
  await world.developer.post('/self_reports', { organisation_id, kind: 'vulnerability-scan', content: { result: part('Nothing open') } });
  await world.developer.post('/self_reports', { organisation_id, kind: 'software-life-cycle',
    content: { requirements: part('Asked'), design: part('Drawn'), code_audit: part('Read'), security_test: part('Tried'), release_review: part('Agreed') } });
});

test('[BK-9.4a1, BK-9.4a2] an exit is announced: its users, its own side and its providers are told, and nothing new is begun', async () => {
  await restRefuses(world.developer.post('/exits', { app_id: leaving.app, reason: 'Too soon', leave_at: later(86400e3) }), 'field-invalid', '/leave_at');
  await world.developer.post('/clients', { app_id: leaving.app, token_endpoint_auth_method: 'client_secret_basic', grant_types: ['client_credentials'] });
  const token = await ownToken(leaving.app, leaving.key);
  assert.equal(token.status, 200, JSON.stringify(token));
  leaving.token = token.access_token;
  exit = await world.operator.post('/exits', { app_id: leaving.app, reason: 'The contract is over', leave_at: later(3000), confidentiality_days: 365,
    surviving: [{ kind: 'anti-money-laundering', until: later(1825 * 86400e3), note: 'Records of payments' }] });
  await told(world.owner, 'exit-of-app', exit.id);
  await told(world.developer, 'exit-announced', exit.id);
  await told(world.provider, 'exit-announced', exit.id);
  const [owner] = await world.operator.list('exit_notices', { exit_id: exit.id });
  assert.deepEqual([owner.owner, owner.reached], ['M00001', true]);
  await restRefuses(w.grant(world, leaving.app, world.api), 'state-conflict', '/app_id');
  await restRefuses(world.developer.post('/subscriptions', { app_id: leaving.app, api_id: world.api, purpose: 'more', max_level: 2 }), 'state-conflict', '/app_id');
  assert.equal((await p.call(`${ORDERS}?limit=1`, leaving)).status, 200, 'what is under way goes on');
});

test('[BK-9.4a1, BK-9.4b1, BK-9.4b2] settled, it ends on its date: consent, keys and tokens are void at every node, kept on record, and none comes back', async () => {
  for (const step of ['check', 'close']) await restRefuses(world.operator.act('exits', exit.id, step), 'state-conflict');
  await world.developer.act('exits', exit.id, 'settle', { settlement: 'No payment is under way' });
  const ended = await until(async () => { const e = await world.operator.get(`/exits/${exit.id}`); return e.state === 'ended' && e; }, { ms: 20000, what: 'the end' });
  await refuses(leaving, ['credential-inactive', 'app-inactive'], 'the refusal of its key');
  const dead = await until(async () => { const a = await p.send('GET', `${ORDERS}?limit=1`, { headers: { authorization: `Bearer ${leaving.token}` } }); return a.status >= 400 && a; }, { ms: 15000, what: 'the end of its token' });
  assert.ok(['token-revoked', 'app-inactive', 'token-inactive'].includes(dead.json.code), dead.text);
  const again = await ownToken(leaving.app, leaving.key);
  assert.ok(again.status >= 400, 'no new token');
  const [kept] = await world.operator.list('credentials', { app_id: leaving.app });
  assert.deepEqual([kept.id, kept.state, kept.reason], [leaving.key.id, 'revoked', 'the app left the platform']);
  assert.ok(kept.voided_at);
  await restRefuses(world.operator.act('apps', leaving.app, 'admit'), 'state-conflict');
  assert.equal((await world.owner.get(`/grants/${leaving.grant}`)).state, 'revoked');
  const [item] = ended.deletion_order;
  assert.deepEqual([item.api_id, item.class, item.owners], [world.api, 'user-information', 1]);
  assert.ok(item.fields.includes('buyer_name') && !item.fields.includes('card_number'));
});

test('[BK-9.4c1, BK-9.3.3e3, BK-9.4c2, BK-12.2e] the receiver says what became of each kind of data and what it keeps under which duty; it closes when that was checked, and what outlives it is on record', async () => {
  const document_id = await upload(world.developer, 'deleted.txt', 'deleted and overwritten\n');
  const receipt = { user_information: 'Deleted', business_material: 'Deleted', document_id };
  const send = (body) => world.developer.act('exits', exit.id, 'receipt', body);
  await restRefuses(send({ ...receipt, business_material: undefined }), 'field-invalid', '/business_material');
  await restRefuses(send({ ...receipt, document_id: undefined }), 'field-invalid', '/document_id');
  await restRefuses(send({ ...receipt, retained: [{ what: 'Photos', duty: 'none', until: later(86400e3) }] }), 'field-invalid', '/retained');
  await send({ ...receipt, retained: [{ what: 'Ledgers', duty: 'anti-money-laundering', until: later(365 * 86400e3) }] });
  await told(world.operator, 'exit-receipt-received', exit.id);
  await world.operator.act('exits', exit.id, 'check');
  await world.operator.act('exits', exit.id, 'close');
  const duties = await world.operator.list('exit_duties', { exit_id: exit.id, state: 'active' });
  assert.deepEqual(duties.map((d) => d.kind).sort(), ['anti-money-laundering', 'confidentiality']);
  const party = await world.operator.get(`/organisations/${world.thirdParty}`);
  assert.ok(duties.every((d) => party.surviving_duties.some((s) => s.app_id === d.app_id && s.kind === d.kind && s.until === d.until)), JSON.stringify(party.surviving_duties));
  const secrecy = duties.find((d) => d.kind === 'confidentiality');
  assert.ok(Math.abs(Date.parse(secrecy.until) - Date.now() - 365 * 86400e3) < 3600e3);
});

test('[BK-9.4a1] a control plane killed on the very day goes on with the exit: whole, once', async () => {
  const gone = await liveApp('Gone');
  const { id } = await world.operator.post('/exits', { app_id: gone.app, reason: 'Over', leave_at: later(500) });
  await world.operator.act('exits', id, 'settle', { settlement: 'Nothing is under way' });
  for (let i = 0; i < 2; i++) {
    const [control] = await until(() => { const c = p.processes().control; return c.length > 0 && c; }, { ms: 20000, what: 'the control plane' });
    try { process.kill(control, 'SIGKILL'); } catch { /* it died by itself meanwhile */ }
    await until(async () => (await p.rest.raw('GET', '/api/v1/health')).status === 200, { ms: 30000, every: 50, what: 'its return' });
  }
  await until(async () => (await world.operator.get(`/exits/${id}`)).state === 'ended', { ms: 30000, every: 50, what: 'the end' });
  await refuses(gone, ['credential-inactive', 'app-inactive'], 'the refusal of its key');
  assert.equal((await world.operator.get(`/apps/${gone.app}`)).state, 'withdrawn');
  assert.equal((await world.operator.list('exit_notices', { exit_id: id })).length, 1);
  assert.equal((await world.operator.list('exit_duties', { exit_id: id })).length, 1);
  assert.equal((await notices(world.developer, { kind: 'exit-deletion-ordered', object_id: id })).length, 1);
});
