// SPDX-License-Identifier: Apache-2.0
// Topics: apps and datasets publish, other apps are given what they may have of it, by stream, by webhook, and by fetching.

import assert from 'node:assert/strict';
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
  const other = await published(event('a4', data(4), of('M00001')));
  await until(async () => Number((await call(`${TOPIC}?after=${other - 1}`)).json?.cursor) === other, { ms: 5000, what: 'the page' });
  assert.deepEqual((await call(`${TOPIC}?after=${other - 1}`)).json.events, [], 'revoked: not one event more');
  assert.equal(s.events.length, 2);
  s.close();
});
