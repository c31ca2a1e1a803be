// SPDX-License-Identifier: Apache-2.0
// Data comes in: from providers' interfaces built from the agreement alone, from a registered database, from a tool's own deliveries; checked, cleaned, counted, traced.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let store; // a zone store of the holder's
let server; // all the providers
let base;
const providers = {}; // path → (request, body) => answer
const asked = [];
const nodes = {};
const sm3 = (text) => createHash('sm3').update(text).digest('hex');

const COLUMNS = [{ name: 'code', type: 'string', key: true }, { name: 'name', type: 'string' }, { name: 'day', type: 'date' }, { name: 'weight', type: 'number' }, { name: 'currency', type: 'string' }];
const STANDARD = { type: 'object', required: ['code', 'name'], additionalProperties: false,
  properties: { code: { type: 'string', pattern: '^[0-9A-Z]{4,18}$' }, name: { type: 'string', minLength: 1 }, day: { type: ['string', 'null'], format: 'date' }, weight: { type: ['number', 'null'], minimum: 0 }, currency: { type: ['string', 'null'], enum: ['CNY', 'USD', null] } } };
const RULES = [{ field: 'name', rule: 'trim' }, { field: 'name', rule: 'required' }, { field: 'day', rule: 'date', from: ['%Y/%m/%d', '%Y%m%d'] },
  { field: 'weight', rule: 'unit', from: { kg: 1, t: 1000 } }, { field: 'currency', rule: 'code', map: { 人民币: 'CNY', 美元: 'USD' } }];

const node = async (code, kind, more = {}) => { nodes[code] = await world.admin.post('/exchange_nodes', { name: code, code, kind, organisation_id: world.holder, address: base, private_address: true, agreement: 'interface agreement of 2026', ...more }); return nodes[code]; };
const tool = (name, scope, more = {}) => world.provider.post('/collection_tools', { name, organisation_id: world.holder, scope, ...more });
const collection = (name, inputs, t, more = {}) => world.provider.post('/collections', { name, organisation_id: world.holder, tool_id: t.id, target_id: store, target_table: name, inputs, columns: COLUMNS, mode: 'upsert', ...more });
const ended = (id) => until(async () => { const r = await world.provider.get(`/collection_runs/${id}`); return !['queued', 'running'].includes(r.state) && r; }, { ms: 15000, what: 'the end of the run' });
const start = async (c, reason = 'on demand') => ended((await world.provider.post(`/collections/${c.id}/start`, { reason })).id);
const input = (code, target, more = {}) => ({ node_id: nodes[code].id, table: 'enterprises', path: target, records: '/data', ...more });
const counts = ({ state, received, accepted, duplicate, blank, illegal, converted, quarantined }) => ({ state, received, accepted, duplicate, blank, illegal, converted, quarantined });
const good = (code, more = {}) => ({ code, name: `企业${code}`, ...more });

before(async () => {
  server = http.createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      asked.push({ url: req.url, headers: req.headers, body });
      const answer = providers[new URL(req.url, 'http://x').pathname];
      if (!answer) return res.writeHead(404).end();
      answer(req, res, body);
      return undefined;
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${server.address().port}`;
  p = await Platform.start();
  world = await w.people(p);
  const source = await world.provider.post('/sources', { name: 'landing', organisation_id: world.holder, kind: 'managed', zone: 'landing' });
  await world.provider.act('sources', source.id, 'check');
  store = source.id;
});
after(async () => { server?.close(); server?.closeAllConnections(); await p?.stop(); });
const json = (value) => (req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));

test('[SW-3.3a, CI-5.1, CI-5.1a, CI-5.1b, CI-5.1c, CI-5.1d, CI-6.2.1a, CI-6.2.1b, CI-3.1] providers of each kind are asked once by HTTP with their credential, and what they gave is stored under their name', async () => {
  const kinds = { 'gov-data': 'government-big-data', 'public-credit': 'public-credit', 'source-unit': 'source-unit', agency: 'third-party', elsewhere: 'other' };
  for (const [code, kind] of Object.entries(kinds)) await node(code, kind, { credential: `Bearer of-${code}` });
  await restRefuses(world.admin.post('/exchange_nodes', { name: 'x', code: 'x', kind: 'whatever', organisation_id: world.holder }), 'field-invalid', '/kind');
  const all = Object.keys(kinds);
  const t = await tool('puller', all.map((code) => ({ node_id: nodes[code].id, tables: ['enterprises'] })));
  all.forEach((code, i) => { providers[`/${code}`] = json({ data: [good(`A00${i}`)] }); });
  const c = await collection('enterprises', all.map((code) => input(code, `/${code}?since=\${since}`)), t);
  const run = await start(c, 'first load');
  assert.deepEqual(counts(run), { state: 'succeeded', received: 5, accepted: 5, duplicate: 0, blank: 0, illegal: 0, converted: 0, quarantined: 0 });
  assert.equal(asked.filter((a) => all.some((code) => a.url.startsWith(`/${code}?`))).length, 5, 'one request each');
  assert.equal(asked.find((a) => a.url.startsWith('/agency')).headers.authorization, 'Bearer of-agency');
  const records = await world.provider.list('exchange_records', { task_id: run.id });
  assert.deepEqual(records.map((r) => [r.sender, r.transfer_result, r.processing_result, r.receivers]).sort(), all.sort().map((code) => [code, 'complete', 'succeeded', ['enterprises']]));
  assert.ok(!JSON.stringify([nodes, records, run]).includes('of-agency'), 'the credential is never shown');
  assert.equal((await world.provider.list('collection_runs', { collection_id: c.id })).length, 1, 'its history');
});

test('[SW-7a, SW-8.2a1-5, SW-8.2a1-6] records are cleaned by rule, held against the standard, and what does not fit is kept apart with its reason', async () => {
  await node('peripheral', 'source-unit');
  const t = await tool('peripheral', [{ node_id: nodes.peripheral.id }]);
  providers['/peripheral'] = json({ data: [good('B001', { name: ' 甲 ', day: '2026/03/04', weight: '1.5 t', currency: '人民币' }), good('B001', { name: '甲', day: '20260304', weight: 1500, currency: 'CNY' }),
    good('B002', { name: '  ' }), good('B003', { day: '2026/02/30' }), good('b4!'), { code: 'B005', name: 'x', extra: 1 }, good('B006', { currency: 'EUR' }), good('B007', { weight: '7 kg' })] });
  const c = await collection('cleaned', [input('peripheral', '/peripheral')], t, { standard: STANDARD, rules: RULES });
  const run = await start(c);
  assert.deepEqual(counts(run), { state: 'succeeded', received: 8, accepted: 2, duplicate: 1, blank: 1, illegal: 4, converted: 7, quarantined: 5 });
  const { items } = await world.provider.get(`/collection_runs/${run.id}/quarantine`);
  assert.deepEqual(items.map((i) => [i.record.code, i.reason, i.where.split(':')[0]]), [['B002', 'blank', 'name'], ['B003', 'illegal', 'day'], ['b4!', 'non-conforming', '/code'], ['B005', 'non-conforming', '/extra'], ['B006', 'non-conforming', '/currency']]);
  await restRefuses(world.developer.get(`/collection_runs/${run.id}/quarantine`), 'not-permitted');
});

test('[SW-6-timer] a collection is begun by an operator\'s task, which is over when its run is', async () => {
  const [c] = await world.provider.list('collections', { name: 'cleaned' });
  const { id } = await world.operator.post('/scheduled_tasks', { name: 'collect', task: 'run-collection', target_id: c.id });
  const done = await until(async () => { const t = await world.operator.get(`/scheduled_tasks/${id}`); return t.state === 'done' && t; }, { ms: 20000, what: 'the end of the task' });
  assert.equal(done.last_result, 'passed', done.last_detail);
  assert.equal((await world.provider.get(`/collection_runs/${done.about_id}`)).state, 'succeeded');
});

test('[SW-8.2a1-3, SW-8.2a1-4] two sources become one dataset, and records of one key one record, by the rule that was set', async () => {
  await node('left', 'other');
  await node('right', 'other');
  const t = await tool('both', [{ node_id: nodes.left.id }, { node_id: nodes.right.id }]);
  providers['/left'] = json({ data: [good('C001', { name: '左', weight: 1 }), good('C002')] });
  providers['/right'] = json({ data: [{ code: 'C001', name: '右', day: '2026-01-01', weight: null }, good('C003')] });
  const inputs = [input('left', '/left'), input('right', '/right')];
  const gathered = await start(await collection('gathered', inputs, t, { mode: 'append', columns: COLUMNS.map((c) => ({ ...c, key: false })) }));
  assert.deepEqual([gathered.state, gathered.accepted], ['succeeded', 4]);
  const merged = await start(await collection('merged', inputs, t, { merge: 'first' }));
  assert.deepEqual([merged.state, merged.received, merged.accepted], ['succeeded', 4, 3]);
  const api = await published('merged');
  const [row] = rows(await p.call(`${api}?code=eq.C001`, world), 1);
  assert.deepEqual([row.name, row.day, row.weight, row.collected_from, row.collected_run], ['左', '2026-01-01', 1, 'left+right', merged.id]);
  assert.match(row.collected_sm3, /^[0-9a-f]{64}$/);
});

// The table as an API, all fields open.
async function published(table) {
  const dataset = await world.provider.post('/datasets', { name: table, source_id: store, table });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: dataset.fields.map((f) => ({ ...f, level: 1 })) }, dataset.revision);
  const api = await world.provider.act('datasets', dataset.id, 'publish', { name: table, version: 'v1', path: `/${table}/v1`, access: 'registered' });
  await until(async () => (await p.call(`/${table}/v1?limit=1`, world)).status === 200, { ms: 10000, what: `the API ${table}` });
  return api.path;
}

test('[CI-5.1] a provider that hangs holds up its own collections alone', async () => {
  await node('hangs', 'other');
  await node('quick', 'other');
  const t = await tool('hangs and quick', [{ node_id: nodes.hangs.id }, { node_id: nodes.quick.id }]);
  const held = [];
  providers['/hangs'] = (req, res) => held.push(res);
  providers['/quick'] = json({ data: [good('Q001')] });
  const slow = [];
  for (const n of [1, 2, 3, 4, 5]) slow.push(await collection(`slow${n}`, [input('hangs', '/hangs', { timeout_ms: 60000 })], t));
  const runs = [];
  for (const c of slow) runs.push((await world.provider.post(`/collections/${c.id}/start`, { reason: 'slow' })).id);
  await until(() => held.length === 2, { ms: 15000, what: 'two of the five asking' });
  assert.equal((await start(await collection('quick', [input('quick', '/quick')], t))).state, 'succeeded');
  for (const id of runs) assert.ok(['queued', 'running'].includes((await world.provider.get(`/collection_runs/${id}`)).state), 'still held');
  assert.equal(held.length, 2, 'and no more than two at once');
  providers['/hangs'] = json({ data: [good('H001')] });
  for (const res of held) providers['/hangs'](null, res);
  for (const id of runs) assert.equal((await ended(id)).state, 'succeeded');
});

test('[CI-6.2.1i, CI-7.1e] a provider\'s own request shape, field names, sealing and digest are configured; a reply that departs is refused with the field named', async () => {
  const provider = await node('own-way', 'third-party', { credential: 'k-42', credential_header: 'X-Api-Key', shared_key: '00112233445566778899aabbccddeeff' });
  writeFileSync(path.join(p.dir, 'node.pem'), provider.platform_key);
  writeFileSync(path.join(p.dir, 'plain.json'), JSON.stringify({ result: { list: [{ tyshxydm: 'D001', qymc: '丁' }] } }));
  const sealed = p.sluice('seal', '--key', path.join(p.dir, 'node.pem'), '--kid', provider.id, path.join(p.dir, 'plain.json'));
  assert.equal(sealed.code, 0, sealed.err);
  const text = sealed.out.trim();
  const message = { status: 'ok', payload: text, digest: sm3(text) };
  const t = await tool('own way', [{ node_id: provider.id }]);
  const own = { method: 'POST', body: { op: 'query', at: '${now}', serial: '${run}' }, headers: { 'X-Version': '2' }, records: '/result/list', encryption: { kind: 'jwe', at: '/payload' }, digest: { at: '/digest', of: '/payload' },
    reply: { type: 'object', required: ['result'], properties: { result: { type: 'object', required: ['list'], properties: { list: { type: 'array', items: { type: 'object', required: ['tyshxydm'], properties: { tyshxydm: { type: 'string' }, qymc: { type: 'string' } } } } } } } } };
  const c = await collection('own_way', [input('own-way', '/api', own)], t, { mapping: { code: 'tyshxydm', name: '/qymc' } });
  providers['/api'] = json(message);
  const run = await start(c);
  assert.deepEqual([run.state, run.accepted, run.detail ?? ''], ['succeeded', 1, '']);
  const seen = asked.at(-1);
  assert.deepEqual([seen.headers['x-api-key'], seen.headers['x-version'], JSON.parse(seen.body).serial], ['k-42', '2', run.id]);
  providers['/api'] = json({ ...message, digest: sm3('other') });
  const altered = await start(c);
  assert.deepEqual([altered.state, altered.code], ['refused', 'digest-mismatch']);
  providers['/api'] = json({ ...message, payload: `${text.slice(0, -2)}AA`, digest: sm3(`${text.slice(0, -2)}AA`) });
  assert.deepEqual((({ state, code }) => [state, code])(await start(c)), ['refused', 'not-opened']);
  writeFileSync(path.join(p.dir, 'plain.json'), JSON.stringify({ result: { list: [{ tyshxydm: 7 }] } }));
  const wrong = p.sluice('seal', '--key', path.join(p.dir, 'node.pem'), '--kid', provider.id, path.join(p.dir, 'plain.json')).out.trim();
  providers['/api'] = json({ payload: wrong, digest: sm3(wrong) });
  const departed = await start(c);
  assert.deepEqual([departed.state, departed.code, departed.place], ['refused', 'reply-departs', '/result/list/0/tyshxydm']);
});

test('[CI-6.2.1b, CI-6.2.1h] no answer in time is a recorded failure, and who began a run by hand says why', async () => {
  await node('slow', 'other');
  const t = await tool('slow', [{ node_id: nodes.slow.id }]);
  providers['/slow'] = () => {};
  const c = await collection('slow', [input('slow', '/slow', { timeout_ms: 300 })], t);
  await restRefuses(world.provider.post(`/collections/${c.id}/start`, {}), 'field-invalid', '/reason');
  const run = await start(c, 'asked for by audit');
  assert.deepEqual([run.state, run.code, run.operator, run.reason], ['failed', 'timeout', 'provider', 'asked for by audit']);
  const [record] = await world.provider.list('exchange_records', { task_id: run.id });
  assert.deepEqual([record.transfer_result, record.processing_result], ['failed', 'failed']);
  assert.ok((await world.operator.list('alerts', { kind: 'collection-failed' })).some((a) => a.target === c.id));
  providers['/slow'] = (req, res) => res.writeHead(503).end();
  assert.equal((await start(c)).code, 'provider-refused');
});

test('[SW-8.1-p2, SW-8.1-p3] a provider registers and tests a database and collects chosen columns of chosen rows on demand', async () => {
  const file = await w.ordersDatabase(p.dir, 40);
  const source = await world.provider.post('/sources', { name: 'orders', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  assert.equal((await world.provider.act('sources', source.id, 'check')).state, 'ready');
  const t = await tool('orders', [{ source_id: source.id, tables: ['orders'], fields: ['order_id', 'merchant_id', 'amount'] }]);
  const chosen = [{ name: 'order_id', type: 'string' }, { name: 'merchant_id', type: 'string' }, { name: 'amount', type: 'number' }];
  const c = await collection('orders', [{ source_id: source.id, table: 'orders', columns: chosen, where: 'merchant_id=eq.M00001' }], t, { columns: chosen.map((f) => ({ ...f, key: f.name === 'order_id' })) });
  const run = await start(c);
  assert.deepEqual([run.state, run.detail], ['succeeded', run.detail]);
  assert.ok(run.accepted > 0 && run.accepted < 40, `${run.accepted} of 40`);
  const again = await start(c);
  assert.equal(again.accepted, run.accepted);
  const wide = await collection('wide', [{ source_id: source.id, table: 'orders', columns: [...chosen, { name: 'card_number', type: 'string' }] }], t, { columns: chosen.map((f) => ({ ...f, key: f.name === 'order_id' })) });
  await restRefuses(world.provider.post(`/collections/${wide.id}/start`, { reason: 'more' }), 'not-permitted');
});

test('[SW-9.8-col1, SW-9.8-col4, CI-3.2] only a registered tool with its credential delivers, within its scope; all else is refused and alerted', async () => {
  await node('pusher', 'source-unit');
  const t = await tool('pusher', [{ node_id: nodes.pusher.id, fields: ['code', 'name'] }]);
  const c = await collection('delivered', [], t);
  const deliver = (body, token = t.token) => p.rest.raw('POST', `/api/v1/collections/${c.id}/deliveries`, body, token ? { authorization: `Bearer ${token}` } : {});
  const message = { sender: 'pusher', receiver: 'delivered', records: [good('E001')] };
  const accepted = await deliver(message);
  assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
  const run = await ended(accepted.body.run_id);
  assert.deepEqual([run.state, run.accepted, run.cause, run.reason], ['succeeded', 1, 'delivery', 'pusher']);
  const alerts = async () => (await world.operator.list('alerts', { kind: 'collection-out-of-scope' })).filter((a) => a.target === c.id).length;
  const refusals = [[message, null, 401], [message, `${t.token}x`, 401], [{ ...message, sender: 'nobody' }, t.token, 422], [{ ...message, receiver: 'nobody' }, t.token, 422],
    [{ ...message, sender: 'left' }, t.token, 403], [{ ...message, records: [good('E002', { weight: 1 })] }, t.token, 403]];
  for (const [body, token, status] of refusals) assert.equal((await deliver(body, token)).status, status, JSON.stringify(body));
  assert.equal(await alerts(), 4);
  await world.provider.act('collection_tools', t.id, 'disable');
  assert.equal((await deliver(message)).status, 403);
  assert.equal((await world.provider.list('collection_runs', { collection_id: c.id })).length, 1, 'nothing of them ran');
});

test('[SW-9.8-col3] who may define, start and read a collection is checked', async () => {
  const stranger = await w.user(world.admin, 'stranger', 'provider', { organisation_id: await w.organisation(world.admin, 'Another holder', 'holder') });
  const [c] = await world.provider.list('collections', { name: 'cleaned' });
  for (const rest of [stranger, world.developer, world.owner]) {
    await restRefuses(rest.post(`/collections/${c.id}/start`, { reason: 'x' }), rest === stranger ? 'not-found' : 'not-permitted');
  }
  await restRefuses(stranger.get(`/collections/${c.id}`), 'not-found');
  await restRefuses(world.developer.list('collections'), 'not-permitted');
  assert.equal((await stranger.list('collection_runs')).length, 0);
  await restRefuses(stranger.post('/collections', { name: 'theft', organisation_id: world.holder, tool_id: c.tool_id, target_id: store, target_table: 't', inputs: [], columns: COLUMNS }), 'field-invalid');
  await restRefuses(world.provider.post('/exchange_nodes', { name: 'inner', code: 'inner', kind: 'other', organisation_id: world.holder, address: 'https://10.0.0.1', private_address: true }), 'not-permitted', '/private_address');
  const outside = await world.provider.post('/exchange_nodes', { name: 'ssrf', code: 'ssrf', kind: 'other', organisation_id: world.holder, address: `https://127.0.0.1:${p.controlPort}` });
  nodes.ssrf = outside;
  const run = await start(await collection('ssrf', [input('ssrf', '/api/v1/health')], await tool('ssrf', [{ node_id: outside.id }])));
  assert.deepEqual([run.state, run.code], ['failed', 'unreachable'], 'no knocking at the inner network');
});

test('[SW-9.1-6a] a run is done once and whole although the data service is killed half way', async () => {
  await node('held', 'other');
  let release;
  const held = new Promise((done) => { release = done; });
  let calls = 0;
  providers['/held'] = async (req, res) => { calls += 1; if (calls === 1) await held; if (!res.destroyed) json({ data: [good('F001'), good('F002')] })(req, res); };
  const c = await collection('held', [input('held', '/held', { timeout_ms: 20000 })], await tool('held', [{ node_id: nodes.held.id }]), { mode: 'append', columns: COLUMNS.map((x) => ({ ...x, key: false })) });
  const { id } = await world.provider.post(`/collections/${c.id}/start`, { reason: 'kill' });
  await until(() => calls === 1, { ms: 10000, what: 'the request' });
  process.kill(p.processes().data[0], 'SIGKILL');
  release();
  const run = await ended(id);
  assert.deepEqual([run.state, run.received, run.accepted], ['succeeded', 2, 2]);
  rows(await p.call(`${await published('held')}?select=code`, world), 2);
});

test('[SW-7c1, SW-7c2] data services of the big-data platform and of the digital port are obtained by exchange and served onward', async () => {
  for (const [code, kind] of [['big-data', 'government-big-data'], ['digital-port', 'other']]) {
    const table = code.replace('-', '_');
    await node(code, kind, { credential: `Bearer ${code}` });
    providers[`/${code}/service`] = (req, res) => (req.headers.authorization === `Bearer ${code}` ? json({ code: 0, data: [good('G001', { day: '20260301', weight: '2 t' })] })(req, res) : res.writeHead(401).end());
    const run = await start(await collection(table, [input(code, `/${code}/service?page=1`)], await tool(code, [{ node_id: nodes[code].id }]), { rules: RULES }));
    assert.deepEqual([run.state, run.accepted], ['succeeded', 1], run.detail);
    const [row] = rows(await p.call(`${await published(table)}?code=eq.G001`, world), 1);
    assert.deepEqual([row.day, row.weight, row.collected_from], ['2026-03-01', 2000, code]);
  }
});

test('[SW-5-0d, SW-5-tech-b] a connector to the single window and to the exchange platform fetches and submits, and both sides count the same', async () => {
  for (const code of ['single-window', 'exchange-platform']) {
    const table = code.replace('-', '_');
    const taken = new Map();
    let honest = true;
    await node(code, 'other');
    providers[`/${code}/query`] = json({ data: [good('H001'), good('H002')] });
    providers[`/${code}/submit`] = (req, res, body) => {
      const { serial, payload, count, sm3: digest } = JSON.parse(body);
      if (sm3(payload) !== digest || JSON.parse(payload).length !== count) return res.writeHead(422).end();
      taken.set(serial, JSON.parse(payload));
      return json({ serial, received: honest ? count : count - 1, sm3: digest })(req, res);
    };
    const fetched = await start(await collection(table, [input(code, `/${code}/query`)], await tool(code, [{ node_id: nodes[code].id }])));
    assert.deepEqual([fetched.state, fetched.accepted], ['succeeded', 2]);
    await published(table);
    const [dataset] = await world.provider.list('datasets', { name: table });
    const submit = async () => {
      const { id } = await world.provider.post('/transfers', { dataset_id: dataset.id, node_id: nodes[code].id, path: `/${code}/submit`, reason: 'declared' });
      return until(async () => { const t = await world.provider.get(`/transfers/${id}`); return !['queued', 'running'].includes(t.state) && t; }, { ms: 15000, what: 'the submission' });
    };
    const sent = await submit();
    assert.deepEqual([sent.state, sent.accepted, sent.to_zone], ['succeeded', 2, 'outside'], sent.detail);
    assert.deepEqual(taken.get(sent.id).map((r) => r.code).sort(), ['H001', 'H002']);
    const [record] = await world.provider.list('exchange_records', { task_id: sent.id });
    assert.deepEqual([record.receivers, record.processing_result, record.sm3], [[code], 'succeeded', sent.sm3]);
    honest = false;
    assert.deepEqual((({ state, code: why }) => [state, why])(await submit()), ['failed', 'not-reconciled']);
  }
});
