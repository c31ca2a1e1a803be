// SPDX-License-Identifier: Apache-2.0
// Topics: apps and datasets publish, other apps are given what they may have of it, by stream, by webhook, and by fetching.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import test, { after, before } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const TOPIC = '/shipments/v1';
let p;
let world;
let api; // the topic's
let topic;
let sender; // its publisher: {app, key}
let hook; // the receiver's own server
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const event = (id, data, more = {}) => ({ specversion: '1.0', id, source: '/warehouse', type: 'shipment.moved', data, ...more });
const send = (body, { type = 'application/cloudevents-batch+json', target = TOPIC, key = sender.key, headers = {} } = {}) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const all = { ...headers, 'content-type': type };
  return p.send('POST', target, { headers: sign(key, { method: 'POST', url: p.gateway + target, headers: all, body: text }), body: text });
};
const post = (target, body, key = world.key) => p.call(target, { method: 'POST', key, body: JSON.stringify(body) });
const published = async (...events) => {
  const a = await send(events);
  assert.equal(a.status, 202, a.text);
  return Number(a.json.cursor);
};

// A stream that stays open: {events, ids, ended, headers, close()}.
function follow(target, { key = world.key, last } = {}) {
  const headers = { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': String(last) }) };
  const s = { events: [], ids: [], ended: false, text: '' };
  s.opened = new Promise((resolve, reject) => {
    s.req = https.request({ host: '127.0.0.1', port: p.gatewayPort, path: target, method: 'GET', ca: p.ca, agent: false,
      headers: sign(key, { method: 'GET', url: p.gateway + target, headers }) }, (res) => {
      s.status = res.statusCode;
      s.headers = res.headers;
      s.res = res;
      resolve(s);
      res.setEncoding('utf8');
      let rest = '';
      res.on('data', (d) => {
        s.text += d;
        rest += d;
        for (let at = rest.indexOf('\n\n'); at >= 0; at = rest.indexOf('\n\n')) {
          const lines = rest.slice(0, at).split('\n');
          rest = rest.slice(at + 2);
          const id = lines.find((l) => l.startsWith('id: '))?.slice(4);
          const data = lines.find((l) => l.startsWith('data: '))?.slice(6);
          if (id) s.last = id;
          if (data) { s.ids.push(id); s.events.push(JSON.parse(data)); }
        }
      });
      res.on('close', () => { s.ended = true; });
    }).on('error', (e) => { s.ended = true; reject(e); });
    s.req.end();
  });
  s.close = () => s.req.destroy();
  return s;
}

async function startHook() {
  const h = { seen: [], answer: () => 204 };
  h.server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => {
      const body = Buffer.concat(parts).toString('utf8');
      const one = { path: req.url, headers: req.headers, body, json: JSON.parse(body) };
      const answer = h.answer(one);
      if (answer === 'hang') return;
      h.seen.push({ ...one, answered: answer });
      if (typeof answer === 'function') answer(res);
      else res.writeHead(answer, answer === 302 ? { location: `${h.url}/elsewhere` } : {}).end();
    });
  });
  await new Promise((r) => h.server.listen(0, '127.0.0.1', r));
  h.url = `http://127.0.0.1:${h.server.address().port}`;
  return h;
}

const subscribe = (name, more) => world.developer.post('/event_subscriptions', { app_id: world.app, api_id: api, name, ...more });
const topicLast = (a) => a.json.cursor;
const status = (s) => world.developer.get(`/event_subscriptions/${s.id}/status`);
const replay = (s, body) => world.developer.post(`/event_subscriptions/${s.id}/replay`, body);

before(async () => {
  p = await Platform.start({ config: 'control:\n  private_webhooks: true\n' });
  world = await w.trading(p, { orders: 40 });
  hook = await startHook();
  const row = await world.provider.post('/apis', { name: 'shipments', version: 'v1', path: TOPIC, kind: 'topic', class: 'A1', access: 'subscription', owner_scoped: true, title: 'Shipments',
    fields: [{ path: 'no', name: 'no', level: 1, type: 'scalar', mask: '' }, { path: 'place', name: 'place', level: 2, type: 'scalar', mask: '' },
      { path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' }, { path: 'pin', name: 'pin', level: 4, type: 'scalar', mask: '' }] });
  api = row.id;
  topic = await world.provider.post('/topics', { api_id: api, publishers: [], attributes: ['trace'] });
  await world.provider.act('apis', api, 'publish');
  sender = { app: await w.admittedApp(world, 'Carrier', 'controlled') };
  sender.key = await w.credential(world, sender.app);
  await w.subscription(world, sender.app, api);
  await w.subscription(world, world.app, api);
  await world.provider.patch(`/topics/${topic.id}`, { publishers: [sender.app] }, topic.revision);
  await until(async () => (await send([event('first', { no: 0 }, { sluiceowner: 'M00001' })])).status === 202, { ms: 15000, what: 'the topic on the nodes' });
});
after(async () => { hook?.server.closeAllConnections(); hook?.server.close(); await p?.stop(); });

const data = (no) => ({ no, place: `berth ${no}`, phone: '13812345678', pin: '0000', unknown: 'x' });
const of = (owner, more = {}) => ({ sluiceowner: owner, partitionkey: owner, ...more });

test('[EC-7.1.4.2a, EC-7.1.4.2b, EC-6.1.4.2] an app publishes, another receives by stream: decided for each owner, masked, recorded; what was not granted never comes', async () => {
  const grant = await w.grant(world, world.app, api);
  await until(async () => (await call(`${TOPIC}?after=0`)).json?.events?.length === 1, { ms: 10000, what: 'the grant on the data service' });
  const s = await follow(TOPIC).opened;
  assert.equal(s.status, 200);
  assert.match(s.headers['content-type'], /^text\/event-stream/);
  await published(event('a1', data(1), of('M00001', { trace: 't-1', subject: 'private' })), event('a2', data(2), of('M00002')), event('a3', data(3), of('M00001')));
  await until(() => s.events.length >= 2, { ms: 10000, what: 'both events on the stream' });
  const [one, two] = s.events;
  assert.deepEqual(one.data, { no: 1, place: 'berth 1', phone: '138****5678' });
  assert.deepEqual([one.id, one.source, one.type, one.trace, 'subject' in one, 'sluiceowner' in one, two.id], ['a1', '/warehouse', 'shipment.moved', 't-1', false, false, 'a3']);
  assert.ok(!s.text.includes('a2') && !s.text.includes('13812345678') && !s.text.includes('0000"'));
  const told = records(p, '--app', world.app, '--api', api).filter((r) => r.rows > 0);
  assert.ok(told.length > 0, 'the delivery is in the call log');
  await world.owner.act('grants', grant.id, 'revoke');
  await until(async () => (await call(`${TOPIC}?after=0`)).json?.events?.length === 0, { ms: 10000, what: 'the revocation on the data service' });
  const other = await published(event('a4', data(4), of('M00001')));
  await until(async () => Number((await call(`${TOPIC}?after=${other - 1}`)).json?.cursor) === other, { ms: 5000, what: 'the page' });
  assert.deepEqual((await call(`${TOPIC}?after=${other - 1}`)).json.events, [], 'revoked: not one event more');
  assert.equal(s.events.length, 2);
  s.close();
});

test('[EC-7.1.4.2a] CloudEvents in all three modes; what is none, is not JSON, says no owner or comes from no publisher is refused, and a second publication is no second event', async () => {
  const one = await send(event('m1', data(1), of('M00001')), { type: 'application/cloudevents+json; charset=utf-8' });
  assert.deepEqual([one.status, one.json.accepted, one.json.duplicates], [202, 1, 0]);
  const headers = { 'ce-specversion': '1.0', 'ce-id': 'm2', 'ce-source': '/warehouse', 'ce-type': 'shipment.moved', 'ce-sluiceowner': 'M00001', 'ce-trace': 't-2' };
  assert.equal((await send(JSON.stringify(data(2)), { type: 'application/json', headers })).status, 202);
  const again = await send([event('m1', data(1), of('M00001')), event('m3', data(3), of('M00001'))]);
  assert.deepEqual([again.json.accepted, again.json.duplicates], [1, 1]);
  const bad = [[{}], [event('x', 'text', of('M00001'))], [event('x', data(1))], [event('', data(1), of('M00001'))], [{ ...event('x', data(1), of('M00001')), specversion: '0.3' }],
    [event('x', data(1), of('M00001', { 'Not-A-Name': 'x' }))], [event('x', data(1), of('M00001', { datacontenttype: 'text/xml' }))], [event('ok', data(1), of('M00001')), 7], 'no JSON'];
  for (const body of bad) refused(await send(body), 400, 'body-invalid');
  refused(await send([event('x', data(1), of('M00001'))], { type: 'text/plain' }), 400, 'body-invalid');
  refused(await send([event('x', data(1), of('M00001'))], { key: world.key }), 403, 'publish-forbidden');
  refused(await call(`${TOPIC}?after=999999`), 400, 'parameter-invalid');
  refused(await call(`${TOPIC}?since=yesterday`), 400, 'parameter-invalid');
});

test('[SW-8.3.2-e1] what was acknowledged to its publisher outlives kill -9; a stream goes on from its cursor, a page from a time', async () => {
  await w.grant(world, world.app, api);
  const began = new Date(Date.now() - 1).toISOString();
  const cursor = await published(event('k1', data(1), of('M00001')), event('k2', data(2), of('M00001')));
  process.kill(p.processes().data[0], 'SIGKILL');
  const s = await until(async () => {
    const opened = await follow(TOPIC, { last: cursor - 2 }).opened.catch(() => null);
    if (opened?.status === 200) return opened;
    opened?.close();
    return null;
  }, { ms: 15000, what: 'the data service again' });
  await until(() => s.events.length >= 2, { ms: 10000, what: 'what was published before the crash' });
  assert.deepEqual(s.events.map((e) => e.id), ['k1', 'k2']);
  await published(event('k3', data(3), of('M00001')));
  await until(() => s.events.length >= 3, { ms: 10000, what: 'the next one' });
  assert.deepEqual(s.events.map((e) => e.sequence), s.ids);
  const page = await call(`${TOPIC}?since=${encodeURIComponent(began)}`);
  assert.deepEqual(page.json.events.map((e) => e.id), ['k1', 'k2', 'k3']);
  // Blocked: the stream ends, and no other begins.
  const block = await world.operator.post('/lists', { list: 'block', subject: 'app', value: world.app, reason: 'a test' });
  await until(() => s.ended, { ms: 5000, what: 'the end of a blocked app\'s stream' });
  await world.operator.act('lists', block.id, 'lift', { comment: 'seen' });
  await until(async () => (await call(`${TOPIC}?after=${cursor}`)).status === 200, { ms: 10000, what: 'the app let in again' });
});

test('[SW-8.3.2-e1] fetched and acknowledged: in order by key, given again when not acknowledged, never again once it was, across a crash', async () => {
  const sub = await subscribe('fetch', { mode: 'pull' });
  const pull = (more = {}) => post(`${TOPIC}/pull`, { subscription: 'fetch', ...more });
  await until(async () => (await pull()).status === 200, { ms: 10000, what: 'the subscription on the data service' });
  await published(event('p1', data(1), of('M00001')), event('p2', data(2), of('M00001')), event('p3', data(3), of('M00001', { partitionkey: 'other' })), event('p4', data(4), of('M00002')));
  const first = await pull({ visibility_s: 1 });
  assert.deepEqual(first.json.events.map((e) => e.id), ['p1', 'p2', 'p3']);
  assert.equal(first.json.events[0].data.phone, '138****5678');
  assert.deepEqual((await pull()).json.events, [], 'given, and not yet given again');
  const again = await until(async () => { const a = await pull({ max: 1 }); return a.json.events.length && a; }, { ms: 10000, what: 'the first again' });
  assert.equal(again.json.events[0].id, 'p1');
  const ack = await post(`${TOPIC}/ack`, { subscription: 'fetch', receipts: [again.json.receipts[0], first.json.receipts[2]] });
  assert.deepEqual([ack.status, ack.json.acknowledged], [200, 2]);
  process.kill(p.processes().data[0], 'SIGKILL');
  const left = await until(async () => { const a = await pull(); return a.status === 200 && a.json.events.length && a; }, { ms: 15000, what: 'the data service again' });
  assert.deepEqual(left.json.events.map((e) => e.id), ['p2']);
  await post(`${TOPIC}/nack`, { subscription: 'fetch', receipts: left.json.receipts });
  assert.deepEqual((await pull()).json.events.map((e) => e.id), ['p2']);
  refused(await post(`${TOPIC}/pull`, { subscription: 'no such' }), 404, 'not-found');
  refused(await post(`${TOPIC}/ack`, { subscription: 'fetch', receipts: ['x'] }), 400, 'body-invalid');
  const told = await status(sub);
  assert.ok(told.last >= told.position);
});

test('[SW-8.3.2-e1, EC-7.1.4.2a] pushed: signed, tried again in order, a dead letter at last, delivered by replay; a receiver that hangs, redirects or floods holds up no other', async () => {
  await restRefuses(subscribe('bad', { mode: 'webhook', url: 'ftp://example.org/' }), 'field-invalid');
  const good = await subscribe('good', { mode: 'webhook', url: `${hook.url}/good`, attempts: 2, backoff_ms: 50, types: ['shipment.*'] });
  const batches = await subscribe('batches', { mode: 'webhook', url: `${hook.url}/batches`, batch: 10 });
  for (const [name, more] of [['hangs', { timeout_ms: 300 }], ['redirects', {}], ['floods', {}]]) await subscribe(name, { mode: 'webhook', url: `${hook.url}/${name}`, attempts: 1, backoff_ms: 50, ...more });
  for (const sub of [good, batches]) await until(async () => (await status(sub).catch(() => ({}))).position > 0, { ms: 10000, what: 'the subscription on the data service' });
  let refuse = 1;
  hook.answer = ({ path, json }) => {
    if (path === '/hangs') return 'hang';
    if (path === '/redirects') return 302;
    if (path === '/floods') return (res) => { res.writeHead(200); res.write('x'.repeat(1 << 20)); };
    if (path === '/good' && json.id === 'w2') return 500;
    return path === '/good' && json.id === 'w1' && refuse-- > 0 ? 503 : 204;
  };
  await published(event('w0', data(0), of('M00001', { type: 'other' })), ...[1, 2, 3].map((i) => event(`w${i}`, data(i), of('M00001'))), event('w4', data(4), of('M00002')));
  const got = (path, ok = 204) => hook.seen.filter((r) => r.path === path && r.answered === ok).flatMap((r) => r.json).map((e) => e.id);
  await until(() => got('/good').length === 2, { ms: 15000, what: 'the deliveries' });
  assert.deepEqual(hook.seen.filter((r) => r.path === '/good').map((r) => `${r.json.id} ${r.answered}`), ['w1 503', 'w1 204', 'w2 500', 'w2 500', 'w3 204'], 'one key: in order, however often it takes');
  const { headers, body } = hook.seen.find((r) => r.path === '/good');
  new Webhook(good.secret).verify(body, headers);
  assert.throws(() => new Webhook(good.secret).verify(`${body} `, headers));
  assert.equal(headers['content-type'], 'application/cloudevents+json');
  assert.deepEqual(JSON.parse(body).data, { no: 1, place: 'berth 1', phone: '138****5678' });
  await until(() => got('/batches').length === 4, { ms: 10000, what: 'the batches' });
  assert.deepEqual(got('/batches'), ['w0', 'w1', 'w2', 'w3'], 'none of the owner who granted nothing');
  const dead = await until(async () => { const a = await status(good); return a.dead_letters === 1 && a; }, { ms: 10000, what: 'the dead letter' });
  assert.match(dead.dead[0].reason, /answered 500/);
  hook.answer = ({ path }) => (path === '/hangs' ? 'hang' : 204);
  await replay(good, {});
  await until(async () => (await status(good)).dead_letters === 0, { ms: 10000, what: 'the dead letter delivered' });
  assert.equal(got('/good').at(-1), 'w2');
  await replay(batches, { after: (await status(batches)).last - 2 });
  await until(() => got('/batches').filter((id) => id === 'w3').length === 2, { ms: 10000, what: 'the replay' });
  await restRefuses(replay(good, { after: -1 }), 'field-invalid');
  verified(p);
});

test('[SW-8.3.2-e1] a receiver that stops reading, or says it took what it never had, harms itself alone', async () => {
  await w.grant(world, world.app, api);
  await subscribe('lies', { mode: 'pull' });
  const pull = (more = {}) => post(`${TOPIC}/pull`, { subscription: 'lies', ...more });
  await until(async () => (await pull()).status === 200, { ms: 10000, what: 'the subscription on the data service' });
  const deaf = await follow(TOPIC).opened;
  deaf.res.pause();
  const reads = await follow(TOPIC).opened;
  const before = Number((await call(`${TOPIC}?limit=1`)).json.cursor);
  const many = Array.from({ length: 900 }, (_, i) => event(`f${i}`, { ...data(i), place: 'x'.repeat(900) }, of('M00001', { partitionkey: `k${i}` })));
  for (let i = 0; i < 900; i += 300) await published(...many.slice(i, i + 300));
  await until(() => reads.events.length === 900, { ms: 20000, what: 'all of them where somebody reads' });
  assert.ok(deaf.events.length < 900, 'the other has not read');
  const lie = await post(`${TOPIC}/ack`, { subscription: 'lies', receipts: ['1', String(before), '99999999'] });
  assert.deepEqual([lie.status, lie.json.acknowledged], [200, 0]);
  const got = await pull({ max: 256 });
  assert.deepEqual(got.json.events.slice(0, 3).map((e) => e.id), ['f0', 'f1', 'f2']);
  const twice = [got.json.receipts[0], got.json.receipts[0]];
  assert.equal((await post(`${TOPIC}/ack`, { subscription: 'lies', receipts: twice })).status, 200);
  assert.equal((await post(`${TOPIC}/nack`, { subscription: 'lies', receipts: got.json.receipts.slice(1) })).status, 200);
  assert.deepEqual((await pull({ max: 2 })).json.events.map((e) => e.id), ['f1', 'f2']);
  refused(await post(`${TOPIC}/ack`, { subscription: 'lies', receipts: Array.from({ length: 257 }, (_, i) => String(i)) }), 400, 'body-invalid');
  deaf.res.resume();
  await until(() => deaf.events.length === 900, { ms: 20000, what: 'the rest, once it reads' });
  for (const s of [deaf, reads]) s.close();
});

test('[SW-8.3.2-e1, SW-8.3.2-e2] a dataset publishes its own changes: rows that came, changed and went, each to whom its owner granted it, masked as a call would', async () => {
  const file = `${p.dir}/orders.db`;
  const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', file, text], { encoding: 'utf8' }).trim();
  const row = await world.provider.post('/apis', { name: 'order-changes', version: 'v1', path: '/orders/changes/v1', kind: 'topic', class: 'A1', access: 'subscription', dataset_id: world.dataset, title: 'Order changes' });
  await world.provider.post('/topics', { api_id: row.id, poll_ms: 500 });
  await world.provider.act('apis', row.id, 'publish');
  await w.subscription(world, world.app, row.id);
  await w.grant(world, world.app, row.id);
  const s = await until(async () => { const a = await follow('/orders/changes/v1').opened; if (a.status === 200) return a; a.close(); return null; }, { ms: 10000, what: 'the topic' });
  const [mine, theirs] = ["= 'M00001'", "<> 'M00001'"].map((owner) => sql(`SELECT order_id FROM orders WHERE merchant_id ${owner} LIMIT 1`));
  // Its first look takes stock and tells nothing: changed until it is told.
  let n = 0;
  await until(() => { sql(`UPDATE orders SET product_title = 'changed ${n += 1}' WHERE order_id IN ('${mine}', '${theirs}')`); return s.events.length > 0; }, { ms: 15000, every: 700, what: 'the change' });
  assert.deepEqual([...new Set(s.events.map((e) => e.type))], ['dataset.update']);
  const [first] = s.events;
  assert.deepEqual([first.data.order_id, first.data.merchant_id, first.source], [mine, 'M00001', '/orders/changes/v1']);
  assert.match(first.data.product_title, /^changed \d+$/);
  assert.match(first.data.buyer_phone, /\*{4}/);
  assert.ok(!('card_number' in first.data));
  sql(`INSERT INTO orders SELECT ${sql("SELECT group_concat(CASE name WHEN 'order_id' THEN '''NEW-1''' ELSE name END) FROM pragma_table_info('orders')")} FROM orders WHERE order_id = '${mine}'; DELETE FROM orders WHERE order_id = '${mine}'`);
  await until(() => ['dataset.insert', 'dataset.delete'].every((t) => s.events.some((e) => e.type === t)), { ms: 15000, what: 'what came and went' });
  assert.equal(s.events.find((e) => e.type === 'dataset.insert').data.order_id, 'NEW-1');
  assert.equal(s.events.find((e) => e.type === 'dataset.delete').data.order_id, mine);
  assert.ok(s.events.every((e) => e.data.order_id !== theirs), 'nothing of an owner who granted nothing');
  s.close();
});

test('[EC-5.2.4-0, EC-5.2.4b, SW-9.1-7a] a field set to level 4 is gone at once from the stream that is open, from calls and from the preview; no private value was in any of them', async () => {
  const file = `${p.dir}/orders.db`;
  const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', file, text], { encoding: 'utf8' }).trim();
  const s = await follow('/orders/changes/v1').opened;
  let n = 0;
  const change = () => sql(`UPDATE orders SET status = 'step ${n += 1}' WHERE order_id = 'NEW-1'`);
  await until(() => { change(); return s.events.some((e) => 'product_title' in e.data && /^step/.test(e.data.status)); }, { ms: 15000, every: 700, what: 'the field before' });
  const d = await world.provider.get(`/datasets/${world.dataset}`);
  await world.provider.patch(`/datasets/${d.id}`, { fields: d.fields.map((f) => (f.column === 'product_title' ? { ...f, level: 4, mask: '' } : f)) }, d.revision);
  const open = s.events.length;
  await until(() => { change(); return s.events.slice(open).some((e) => !('product_title' in e.data)); }, { ms: 15000, every: 700, what: 'an event without it' });
  const without = s.events.findIndex((e, i) => i >= open && !('product_title' in e.data));
  change();
  await until(() => s.events.length > without + 1, { ms: 15000, every: 700, what: 'the next one' });
  assert.ok(s.events.slice(without).every((e) => !('product_title' in e.data)), 'and it does not come back');
  const row = await until(async () => { const a = await call('/trade/orders/v1?limit=1', { grant: world.grant }); return a.status === 200 && !('product_title' in a.json[0]) && a; }, { ms: 10000, what: 'a call without it' });
  const [entry] = await world.provider.list('entries', { dataset_id: world.dataset });
  const preview = JSON.stringify(await world.provider.get(`/entries/${entry.id}/preview`));
  const title = sql("SELECT product_title FROM orders WHERE order_id = 'NEW-1'");
  const secrets = sql('SELECT buyer_phone, buyer_email, buyer_address, card_number, pay_password FROM orders').split('\n').flatMap((l) => l.split('|'));
  for (const [what, text] of Object.entries({ stream: s.text, call: row.text, preview })) {
    for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} in the ${what}`);
  }
  assert.ok(!preview.includes(title), 'not in the preview either');
  s.close();
});

test('[SW-9.7-3f] personal information that an app publishes where it is not meant to be is covered before it is stored, or refused, as the policy says; told, and on record', async () => {
  const set = async (value) => {
    const [row] = await world.admin.list('classify_settings', { name: 'submitted-personal' });
    if (row.value !== value) await world.admin.patch(`/classify_settings/${row.id}`, { value }, row.revision);
  };
  const spoken = (id, more = {}) => event(id, { ...data(1), place: 'ask 13912345678', remark: [{ by: 'nobody@example.com', at: 13712345678 }] }, of('M00001', more));
  await set('mask');
  const covered = await until(async () => { const a = await send([spoken(`c${Date.now()}`, { trace: 'of 13912345678' })]); return a.json?.covered && a; }, { ms: 10000, what: 'the policy on the data service' });
  assert.equal(covered.json.covered, 4, 'the place, both of the remark, and the attribute that is passed on; not the phone, which is meant for it');
  const grant = await w.grant(world, world.app, api);
  const page = await until(async () => { const a = await call(`${TOPIC}?after=${Number(covered.json.cursor) - 1}`); return a.json?.events?.length === 1 && a; }, { ms: 10000, what: 'the event' });
  const [got] = page.json.events;
  assert.match(got.data.place, /^\*+$/);
  assert.match(got.trace, /^\*+$/);
  assert.equal(got.data.phone, '138****5678');
  const told = records(p, '--app', sender.app).find((r) => r.target?.startsWith('covered '));
  assert.match(told.target, /^covered [0-9a-f-]{36} (mobile|email) /);
  assert.equal(told.rows, 4);
  refused(await send([event('mailto:nobody@example.com', data(1), of('M00001'))]), 409, 'sensitive-field', '/0/id');
  await set('refuse');
  await until(async () => (await send([spoken(`r${Date.now()}`)])).status === 409, { ms: 10000, what: 'the refusal' });
  refused(await send([event('fine', data(1), of('M00001')), spoken('not')]), 409, 'sensitive-field', '/1/place');
  const after = await published(event('fine', data(1), of('M00001')));
  assert.equal(after, Number(topicLast(await call(`${TOPIC}?after=${after - 1}`))), 'nothing of the refused batch was kept');
  await set('off');
  await until(async () => (await send([spoken(`o${Date.now()}`)])).status === 202, { ms: 10000, what: 'the policy off' });
  await world.owner.act('grants', grant.id, 'revoke');
});
