// SPDX-License-Identifier: Apache-2.0
// How much may be called, who is kept out, and what becomes of those who are refused again and again: rules made
// through REST, counted over two workers.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p, world, upstream, other;

// A business unit's API: answers after ?ms= with ?rows= rows; remembers when it was asked, and what for.
function startUpstream() {
  const seen = [];
  const server = http.createServer((req, res) => {
    const query = new URL(req.url, 'http://x').searchParams;
    seen.push({ at: performance.now(), url: req.url, app: req.headers['sluice-app'] });
    const rows = Array.from({ length: Number(query.get('rows') ?? 1) }, (_, i) => ({ id: `R${i}` }));
    setTimeout(() => res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rows)), Number(query.get('ms') ?? 0));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done({ seen, url: `http://127.0.0.1:${server.address().port}/base`,
    close: () => { server.closeAllConnections(); server.close(); } })));
}

const call = (more = {}, target = '/one/v1/x') => p.call(target, { key: world.key, ...more });
const anew = () => new https.Agent({ ca: p.ca, keepAlive: true, maxSockets: 64 });
const statuses = (answers) => answers.reduce((n, a) => ({ ...n, [a.json?.code ?? a.status]: (n[a.json?.code ?? a.status] ?? 0) + 1 }), {});

function policyVersion() {
  return new Promise((done, fail) => {
    http.get({ socketPath: path.join(p.data, 'gateway/ops.sock'), path: '/metrics' }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; }).on('end', () => done(Number(/^sluice_policy_version (\d+)/m.exec(text)?.[1] ?? 0)));
    }).on('error', fail);
  });
}

// What the change did has reached the gateway when this resolves.
async function live(change) {
  const before_ = await policyVersion();
  const result = await change();
  await until(async () => (await policyVersion()) !== before_, { what: 'the change at the gateway' });
  return result;
}

async function within(plural, body, fn) {
  const item = await live(() => world.operator.post(`/${plural}`, body));
  try {
    return await fn(item);
  } finally {
    await live(() => world.operator.act(plural, item.id, plural === 'limits' ? 'remove' : 'lift', plural === 'limits' ? undefined : { comment: 'over' }));
  }
}
const withLimit = (body, fn) => within('limits', body, fn);
const withList = (body, fn) => within('lists', { reason: 'test', ...body }, fn);
const RATE = { measure: 'rate', window_ms: 60000, action: 'reject' };

// Events of the node: what waits to be reported, and what has been.
async function events(kind) {
  const dir = path.join(p.data, 'gateway/state/events');
  const lines = readdirSync(dir).flatMap((f) => (existsSync(path.join(dir, f)) ? readFileSync(path.join(dir, f), 'utf8') : '').split('\n').filter(Boolean).map((l) => JSON.parse(l)));
  const reported = (await world.operator.get(`/alerts?kind=${kind}`)).items ?? [];
  return [...lines.filter((e) => e.kind === kind), ...reported];
}
const told = (kind, test_) => until(async () => (await events(kind)).find(test_), { ms: 8000, what: `the event ${kind}` });

before(async () => {
  p = await Platform.start({ args: ['--workers', '2'], asan: 'quarantine_size_mb=16' });
  upstream = await startUpstream();
  world = await w.people(p, 'controlled');
  for (const name of ['one', 'two']) {
    world[name] = await w.httpApi(world, name, upstream.url, { timeout_ms: 5000, fields: [{ path: 'id', name: 'id', level: 1, type: 'scalar', mask: '' }] });
    await w.subscription(world, world.app, world[name]);
  }
  other = { app: await w.admittedApp(world, 'Another shop', 'controlled') };
  other.key = await w.credential(world, other.app);
  await w.subscription(world, other.app, world.one);
  await until(async () => (await call()).status === 200 && (await call({}, '/two/v1/x')).status === 200 && (await call({ key: other.key })).status === 200, { ms: 15000, what: 'the APIs' });
});
after(async () => {
  upstream?.close();
  await p?.stop();
});

test('[SW-6-flow, BK-5i2, BK-10.1.2a1-2, BK-10.1.2a1-5] four times the limit from many connections on two workers: none over, the rest refused', async () => {
  await withLimit({ ...RATE, per: 'app', app_id: world.app, amount: 50 }, async () => {
    const from = upstream.seen.length;
    const agents = Array.from({ length: 4 }, anew);
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => call({ agent: agents[i % 4] })));
    assert.deepEqual(statuses(answers), { 200: 50, 'rate-limited': 150 });
    assert.equal(upstream.seen.length - from, 50);
    const late = answers.find((a) => a.status === 429);
    refused(late, 429, 'rate-limited');
    assert.ok(Number(late.headers['retry-after']) >= 1 && Number(late.headers['retry-after']) <= 61);
    agents.forEach((a) => a.destroy());
  });
});

test('[SW-6-flow, BK-10.1.2a1-2] no span of the window holds more than the limit, second after second', async () => {
  await withLimit({ ...RATE, window_ms: 1000, per: 'api', api_id: world.one, amount: 20 }, async () => {
    const from = upstream.seen.length, end = performance.now() + 3500;
    const answers = [];
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (; performance.now() < end; await delay(60)) answers.push(await call());
    }));
    const times = upstream.seen.slice(from).map((s) => s.at);
    assert.ok(answers.length > 160, `${answers.length} calls`);
    assert.ok(times.length >= 55 && times.length <= 80, `${times.length} passed in 3.5 s`);
    for (let i = 20; i < times.length; i++) assert.ok(times[i] - times[i - 20] > 900, `${i}: ${times[i] - times[i - 20]} ms`); // as the upstream saw them
  });
});

test('[SW-8.3.4-flow] RateLimit and RateLimit-Policy tell what is left of the tightest rule, also when refused', async () => {
  await withLimit({ ...RATE, per: 'app', amount: 100 }, () => withLimit({ per: 'app', app_id: world.app, measure: 'calls', amount: 2, action: 'reject' }, async () => {
    const first = await call();
    assert.equal(first.headers['ratelimit-policy'], '"calls";q=2;w=86400');
    assert.match(first.headers.ratelimit, /^"calls";r=1;t=\d+$/);
    assert.match((await call()).headers.ratelimit, /^"calls";r=0;t=\d+$/);
    const over = await call();
    refused(over, 429, 'quota-exceeded');
    assert.match(over.headers.ratelimit, /^"calls";r=0;t=\d+$/);
    assert.equal(over.headers['retry-after'], /t=(\d+)/.exec(over.headers.ratelimit)[1]);
  }));
  const free = await call();
  assert.deepEqual([free.status, free.headers.ratelimit, free.headers['ratelimit-policy']], [200, undefined, undefined]);
});

test('[BK-10.1.2a1-3] with alert the calls above the limit pass and one alert names API, party and count', async () => {
  await withLimit({ ...RATE, action: 'alert', per: 'app-api', amount: 3 }, async (limit) => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => call()));
    assert.deepEqual(statuses(answers), { 200: 12 });
    const event = await told('limit-alert', (e) => e.limit_id === limit.id);
    assert.deepEqual([event.api_id, event.app_id], [world.one, world.app]);
    assert.ok(event.count === undefined || event.count > 3);
    await delay(300);
    assert.equal(new Set((await events('limit-alert')).filter((e) => e.limit_id === limit.id).map((e) => e.event_id ?? e.id)).size >= 1, true);
  });
});

test('[BK-10.1.2a1-4] with suspend the party\'s calls stop for the time, then work again; or until released by hand', async () => {
  await withLimit({ measure: 'rate', window_ms: 1000, action: 'suspend', suspend_s: 2, per: 'app-api', amount: 2 }, async (limit) => {
    const burst = () => Promise.all(Array.from({ length: 5 }, () => call()));
    assert.deepEqual(statuses(await burst()), { 200: 2, 'calls-suspended': 3 });
    const during = await call();
    refused(during, 429, 'calls-suspended');
    assert.ok(Number(during.headers['retry-after']) <= 2);
    assert.equal((await call({ key: other.key })).status, 200, 'another party goes on');
    assert.equal((await call({}, '/two/v1/x')).status, 200, 'so does the party at another API');
    await told('limit-suspended', (e) => e.limit_id === limit.id && e.app_id === world.app);
    await delay(2100);
    assert.equal((await call()).status, 200, 'it has ended by itself');
  });
  await withLimit({ measure: 'rate', window_ms: 60000, action: 'suspend', suspend_s: 3600, per: 'app', amount: 1, app_id: world.app }, async (limit) => {
    assert.deepEqual(statuses(await Promise.all([call(), call(), call()])), { 200: 1, 'calls-suspended': 2 });
    await live(() => world.operator.act('limits', limit.id, 'release'));
    assert.equal((await call()).status, 200, 'released');
  });
});

test('[BK-10.1.2a1] each `per` counts apart what it says, and app_id and api_id narrow a rule', async () => {
  world.grant = (await live(() => w.grant(world, world.app, world.one))).id;
  const second = await w.user(world.admin, 'owner2', 'owner', { subject: 'M00002' });
  const theirs = (await live(() => w.grant({ owner: second }, world.app, world.one, { owner: 'M00002' }))).id;
  const ONE = '/one/v1/x', TWO = '/two/v1/x';
  const rows = [ // the rule, a call that uses it up, calls that are refused then, calls that are not
    [{ per: 'all' }, [{}, ONE], [[{}, TWO], [{ key: other.key }, ONE]], []],
    [{ per: 'app' }, [{}, ONE], [[{}, TWO]], [[{ key: other.key }, ONE]]],
    [{ per: 'api' }, [{}, ONE], [[{ key: other.key }, ONE]], [[{}, TWO]]],
    [{ per: 'app-api' }, [{}, ONE], [[{}, ONE]], [[{}, TWO], [{ key: other.key }, ONE]]],
    [{ per: 'address' }, [{}, ONE], [[{}, TWO], [{ key: other.key }, ONE]], []],
    [{ per: 'user' }, [{ grant: world.grant }, ONE], [[{ grant: world.grant }, ONE]], [[{ grant: theirs }, ONE], [{}, ONE]]],
    [{ per: 'app', app_id: other.app }, [{ key: other.key }, ONE], [[{ key: other.key }, ONE]], [[{}, ONE]]],
    [{ per: 'app', api_id: world.one }, [{}, ONE], [[{}, ONE]], [[{}, TWO]]],
    [{ per: 'all', app_id: world.app, api_id: world.one }, [{}, ONE], [[{}, ONE]], [[{}, TWO], [{ key: other.key }, ONE]]],
  ];
  for (const [rule, first, over, free] of rows) {
    await withLimit({ ...RATE, ...rule, amount: 1 }, async () => {
      assert.equal((await call(...first)).status, 200, JSON.stringify(rule));
      for (const row of free) assert.equal((await call(...row)).status, 200, `${JSON.stringify(rule)} lets ${JSON.stringify(row[1])} pass`);
      for (const row of over) refused(await call(...row), 429, 'rate-limited');
    });
  }
});

test('[SW-8.3.4-flow] a day\'s rows and bytes are charged when they have been answered', async () => {
  for (const [measure, amount] of [['rows', 25], ['bytes', 250]]) {
    await withLimit({ per: 'app', measure, amount, action: 'reject' }, async () => {
      for (let i = 0; i < 3; i++) assert.equal((await call({}, '/one/v1/x?rows=10')).status, 200, `${measure} ${i}`);
      const over = await call();
      refused(over, 429, 'quota-exceeded');
      assert.match(over.headers['ratelimit-policy'], new RegExp(`^"${measure}";q=${amount};w=86400;qu=`));
    });
  }
});

test('[BK-10.1.2a1-1] with N in flight the call N+1 is refused; one that ends or whose caller hangs up makes room', async () => {
  await withLimit({ per: 'app-api', measure: 'concurrency', amount: 2, action: 'reject' }, async () => {
    const from = upstream.seen.length;
    const slow = [call({ agent: false }, '/one/v1/x?ms=1200'), call({ agent: false }, '/one/v1/x?ms=1200')];
    await until(() => upstream.seen.length === from + 2, { what: 'both at the upstream' });
    const third = await call();
    refused(third, 429, 'concurrency-limited');
    assert.equal(third.headers['retry-after'], '1');
    assert.equal((await call({}, '/two/v1/x')).status, 200);
    for (const a of await Promise.all(slow)) assert.equal(a.status, 200);
    assert.equal((await call()).status, 200);
    const gone = new https.Agent({ ca: p.ca });
    const left = Array.from({ length: 2 }, () => call({ agent: gone }, '/one/v1/x?ms=4000').catch(() => 'gone'));
    await until(() => upstream.seen.length >= from + 5, { what: 'two more at the upstream' });
    gone.destroy();
    await Promise.all(left);
    await until(async () => (await call()).status === 200, { ms: 2000, what: 'room again' });
  });
});

test('[BK-10.1.2a1] a call that one rule refuses is counted under no other, and uses up no single-use grant', async () => {
  const once = (await live(() => w.grant(world, world.app, world.one, { term: 'once', expires_at: new Date(Date.now() + 3600e3).toISOString() }))).id;
  await withLimit({ ...RATE, per: 'app', amount: 3, api_id: world.one }, async () => {
    const more = await live(() => world.operator.post('/limits', { ...RATE, per: 'all', amount: 1 }));
    assert.deepEqual(statuses([await call(), await call(), await call({ grant: once })]), { 200: 1, 'rate-limited': 2 });
    await live(() => world.operator.act('limits', more.id, 'remove'));
    assert.deepEqual(statuses([await call({ grant: once }), await call(), await call()]), { 200: 2, 'rate-limited': 1 }, 'one had been counted, not three');
  });
  refused(await call({ grant: once }), 403, 'grant-expired');
});

test('[BK-10.2.1b3] a limit with an end ends by itself', async () => {
  await withLimit({ ...RATE, per: 'app', app_id: world.app, amount: 1, expires_at: new Date(Date.now() + 1500).toISOString() }, async () => {
    assert.deepEqual(statuses([await call(), await call()]), { 200: 1, 'rate-limited': 1 });
    await delay(1600);
    assert.equal((await call()).status, 200);
  });
});

test('[BK-10.2.1b3, EC-4.2.1c4] from the record of abnormal calls a limit is put on the party at once', async () => {
  await withLimit({ ...RATE, action: 'alert', per: 'app', amount: 2, app_id: world.app }, async (limit) => {
    for (let i = 0; i < 4; i++) await call();
    const alert = await until(async () => (await world.operator.get('/alerts?kind=limit-alert')).items.find((a) => a.limit_id === limit.id), { ms: 15000, what: 'the alert in the control plane' });
    const made = await live(() => world.operator.act('alerts', alert.id, 'limit', { measure: 'rate', amount: 1, window_ms: 60000, action: 'reject',
      expires_at: new Date(Date.now() + 3000).toISOString(), reason: 'unusual volume' }));
    assert.ok(made);
    assert.deepEqual(statuses([await call(), await call()]), { 200: 1, 'rate-limited': 1 });
    await until(async () => (await call()).status === 200, { ms: 5000, what: 'its end' });
  });
});

test('[BK-10.1.2a4] a blocked party is refused on its next call, whatever its app, and restored when the entry is lifted', async () => {
  const owner = { subject: 'user', value: 'M00001' };
  for (const [entry, blocked, free] of [
    [{ subject: 'app', value: world.app }, {}, { key: other.key }],
    [{ subject: 'organisation', value: world.thirdParty }, { key: other.key }, null],
    [owner, { grant: world.grant }, {}],
    [{ subject: 'app', value: world.app, api_id: world.one }, {}, { target: '/two/v1/x' }],
  ]) {
    await withList({ list: 'block', ...entry }, async () => {
      refused(await call(blocked), 403, 'caller-blocked');
      if (free) assert.equal((await call(free, free.target)).status, 200, JSON.stringify(entry));
    });
    assert.equal((await call(blocked)).status, 200, 'lifted');
  }
});

test('[SW-8.3.4-security, BK-10.1.2a4] addresses: a blocked one is refused before its signature is looked at, an entry ends by itself', async () => {
  await withList({ list: 'block', subject: 'address', value: '127.0.0.0/30', expires_at: new Date(Date.now() + 2000).toISOString() }, async () => {
    refused(await call(), 403, 'address-blocked');
    refused(await p.send('GET', '/one/v1/x'), 403, 'address-blocked');
    refused(await p.send('GET', '/no/such/path'), 403, 'address-blocked');
    await delay(2100);
    assert.equal((await call()).status, 200);
  });
  await withList({ list: 'block', subject: 'address', value: '127.0.0.2' }, async () => assert.equal((await call()).status, 200));
  await withList({ list: 'allow', subject: 'address', value: '10.0.0.0/8', api_id: world.two }, async () => {
    refused(await call({}, '/two/v1/x'), 403, 'address-blocked');
    assert.equal((await call()).status, 200, 'the list is of another API');
    await withList({ list: 'allow', subject: 'address', value: '127.0.0.1' }, async () => assert.equal((await call({}, '/two/v1/x')).status, 200));
  });
});

test('[BK-10.1.2a2-2] an app called from elsewhere than its addresses is refused and told as impersonation', async () => {
  await withList({ list: 'allow', subject: 'address', value: '192.0.2.0/24', app_id: other.app }, async () => {
    refused(await call({ key: other.key }), 403, 'address-blocked');
    assert.equal((await call()).status, 200);
    const event = await told('impersonation', (e) => e.app_id === other.app);
    assert.equal(event.address, '127.0.0.1');
  });
});

test('[BK-9.2.1b4-2, BK-10.1.2a2-1, GS-6.8a-4d] bad signatures, replays and scanning are told and cut off, with a record of each call', async () => {
  const forged = { ...world.key, secret: Buffer.alloc(32).toString('base64url') };
  const attacks = { 'signature-invalid': () => call({ key: forged }), 'route-unknown': () => call({}, `/secret/${Math.random()}`), 'signature-missing': () => p.send('GET', '/one/v1/x') };
  for (const [code, attack] of Object.entries(attacks)) {
    await withLimit({ per: 'address', measure: 'refused', amount: 5, window_ms: 60000, action: 'suspend', suspend_s: 2 }, async (limit) => {
      const codes = [];
      for (let i = 0; i < 8; i++) codes.push((await attack()).json.code);
      assert.deepEqual(codes, [...Array(6).fill(code), ...Array(2).fill('calls-suspended')]);
      const cut = await call();
      refused(cut, 429, 'calls-suspended');
      const event = await told('calls-refused', (e) => e.limit_id === limit.id);
      assert.equal(event.address, '127.0.0.1');
      const [record] = await until(() => { const all = records(p, '--txn', cut.txn); return all.length && all; }, { what: 'the record' });
      assert.equal(record.reason, 'calls-suspended');
      await delay(2100);
      assert.equal((await call()).status, 200, 'it has ended by itself');
    });
  }
});

test('[BK-10.1.2a2-1] repeated calls beyond an app\'s permissions suspend that app alone, and nobody can have another app suspended', async () => {
  await withLimit({ per: 'app', measure: 'refused', amount: 3, window_ms: 60000, action: 'suspend', suspend_s: 60 }, async (limit) => {
    for (let i = 0; i < 4; i++) refused(await call({ key: other.key }, '/two/v1/x'), 403, 'subscription-missing');
    refused(await call({ key: other.key }), 429, 'calls-suspended');
    const event = await told('calls-refused', (e) => e.limit_id === limit.id);
    assert.deepEqual([event.app_id, event.api_id], [other.app, world.two]);
    assert.equal((await call()).status, 200, 'another app at the same address goes on');
    await live(() => world.operator.act('limits', limit.id, 'release'));
    assert.equal((await call({ key: other.key })).status, 200);
  });
});

test('a killed worker gives back what it had in flight', async () => {
  await withLimit({ per: 'app', measure: 'concurrency', amount: 1, action: 'reject' }, async () => {
    const from = upstream.seen.length;
    const lost = call({ agent: false }, '/one/v1/x?ms=5000').catch(() => 'lost');
    await until(() => upstream.seen.length > from, { what: 'the call at the upstream' });
    for (const pid of p.processes().worker) process.kill(pid, 'SIGKILL');
    await lost;
    await until(async () => (await call({ agent: false })).status === 200, { ms: 8000, what: 'room again' });
  });
});

test('[EC-4.2.1d2] all of it is in the audit log, which verifies', () => verified(p));
