// SPDX-License-Identifier: Apache-2.0
// Calls that must not pass: forged, stale, replayed, changed, unentitled, malformed. Each names its one reason,
// gives no data, and leaves the platform serving the next good call.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import test, { after, before } from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records, verified } from './lib/records.mjs';
import { contentDigest, sign } from './lib/sign.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import { head, wire } from './lib/wire.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
const PATH = '/trade/orders/v1';
const now = () => Math.floor(Date.now() / 1000);

const call = (target = `${PATH}?limit=1`, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const changed = (change) => call(undefined, { change });

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { environment: 'controlled' }); // one that may write too (EC-7.1.3)
});
after(() => p?.stop());

test('[BK-9.3.2] an unknown path is refused', async () => {
  for (const target of ['/', '/nothing/here', '/trade/orders', '/trade/orders/v2', '/trade//orders/v1x', '/trade/orders/v1/../../../etc/passwd']) {
    refused(await call(target), 404, 'route-unknown');
  }
});

test('[EC-6.1.3.1b, BK-9.2.1b1] an unsigned call is refused', async () => refused(await p.send('GET', PATH), 401, 'signature-missing'));

const SIGNATURES = [ // what, how to spoil it, status, code
  ['no structured field at all', (h) => ({ ...h, 'signature-input': '???' }), 400, 'signature-malformed'],
  ['an open bracket', (h) => ({ ...h, 'signature-input': h['signature-input'].replace(')', '') }), 400, 'signature-malformed'],
  ['another label in each header', (h) => ({ ...h, signature: h.signature.replace('sig1', 'sig2') }), 400, 'signature-malformed'],
  ['a signature that is no byte sequence', (h) => ({ ...h, signature: 'sig1="abc"' }), 400, 'signature-malformed'],
  ['a signature of a single byte', (h) => ({ ...h, signature: 'sig1=:AA==:' }), 401, 'signature-invalid'],
  ['a random signature', (h) => ({ ...h, signature: `sig1=:${randomBytes(32).toString('base64')}:` }), 401, 'signature-invalid'],
  ['another grant than was signed', (h) => ({ ...h, 'sluice-grant': randomUUID() }), 401, 'signature-invalid'],
  ['no grant where one was signed', ({ 'sluice-grant': _, ...h }) => h, 401, 'signature-incomplete'],
];
for (const [what, spoil, status, code] of SIGNATURES) {
  test(`[EC-6.1.3.1b] a signature with ${what} is refused`, async () => {
    const headers = sign(world.key, { url: p.gateway + PATH, headers: { 'sluice-grant': world.grant } });
    refused(await p.send('GET', PATH, { headers: spoil(headers) }), status, code);
  });
}

const PARTS = [ // what, how to spoil it before it is signed, status, code
  ['no nonce', (s) => ({ ...s, nonce: undefined }), 400, 'signature-malformed'],
  ['no expiry', (s) => ({ ...s, expires: undefined }), 400, 'signature-malformed'],
  ['no creation time', (s) => ({ ...s, created: undefined }), 400, 'signature-malformed'],
  ['a key id of a stranger', (s) => ({ ...s, keyid: randomUUID() }), 401, 'credential-unknown'],
  ['a key id that is no UUID', (s) => ({ ...s, keyid: "x' OR '1'='1" }), 401, 'credential-unknown'],
  ['another algorithm than the credential\'s', (s) => ({ ...s, alg: 'hmac-sha256' }), 401, 'signature-invalid'],
  ['an algorithm nobody knows', (s) => ({ ...s, alg: 'none' }), 401, 'signature-invalid'],
  ['a method that is not covered', (s) => ({ ...s, components: s.components.filter((c) => c !== '@method') }), 401, 'signature-incomplete'],
  ['a target that is not covered', (s) => ({ ...s, components: ['@method', 'sluice-grant'] }), 401, 'signature-incomplete'],
  ['a grant that is not covered', (s) => ({ ...s, components: ['@method', '@target-uri'] }), 401, 'signature-incomplete'],
  ['an expiry in the past', (s) => ({ ...s, created: now() - 400, expires: now() - 340 }), 401, 'signature-stale'],
  ['a creation time in the future', (s) => ({ ...s, created: now() + 900, expires: now() + 960 }), 401, 'signature-stale'],
  ['a life of a day', (s) => ({ ...s, expires: now() + 86400 }), 401, 'signature-stale'],
  ['a nonce of 4 kB', (s) => ({ ...s, nonce: 'n'.repeat(4096) }), 400, 'signature-malformed'],
];
for (const [what, change, status, code] of PARTS) {
  test(`[EC-6.1.3.1b] a signature with ${what} is refused`, async () => refused(await changed(change), status, code));
}

test('[EC-6.1.3.1b] a call sent twice is a replay the second time, on every worker', async () => {
  const headers = sign(world.key, { url: p.gateway + PATH, headers: { 'sluice-grant': world.grant } });
  assert.equal((await p.send('GET', PATH, { headers })).status, 200);
  for (let i = 0; i < 8; i++) refused(await p.send('GET', PATH, { headers, agent: false }), 401, 'signature-replayed');
});

test('[EC-6.1.3.1b] of twenty simultaneous copies of one call exactly one passes', async () => {
  const headers = sign(world.key, { url: p.gateway + PATH, headers: { 'sluice-grant': world.grant } });
  const answers = await Promise.all(Array.from({ length: 20 }, () => p.send('GET', PATH, { headers, agent: false })));
  assert.equal(answers.filter((a) => a.status === 200).length, 1);
  for (const answer of answers.filter((a) => a.status !== 200)) refused(answer, 401, 'signature-replayed');
});

test('[EC-6.1.3.1b] a signature for another path or method is refused', async () => {
  const headers = () => sign(world.key, { url: `${p.gateway}${PATH}?limit=1`, headers: { 'sluice-grant': world.grant } });
  refused(await p.send('GET', `${PATH}?limit=2`, { headers: headers() }), 401, 'signature-invalid');
  assert.equal((await p.send('HEAD', `${PATH}?limit=1`, { headers: headers() })).status, 401); // HEAD has no body to name the reason
});

test('[EC-6.1.3.1b] a header only the gateway may send is refused', async () => {
  refused(await call(undefined, { headers: { 'sluice-owner': 'M00002' } }), 400, 'request-malformed');
});

test('[CI-A.1b] a method the API does not have is refused', async () => {
  for (const method of ['DELETE', 'PUT', 'PATCH']) refused(await call(PATH, { method }), 405, 'method-not-allowed');
});

for (const digest of ['sm3', 'sha-256']) {
  test(`[EC-6.1.4.3a] a body changed after signing, or without its digest, is refused (${digest})`, async () => {
    const path = `/posts-${digest}/v1`;
    const upstream = await startUpstream();
    const api = await w.httpApi(world, `posts-${digest}`, upstream.url);
    await w.subscription(world, world.app, api);
    const target = `${path}/good`;
    const headers = { 'content-type': 'application/json' };
    const body = '{"a":1}';
    const signed = (more) => sign(world.key, { method: 'POST', url: p.gateway + target, headers, digest, ...more });
    try {
      await until(async () => (await p.call(target, { method: 'POST', key: world.key, body, digest })).status === 200, { what: 'the unchanged body' });
      const seen = upstream.seen.length;
      refused(await p.send('POST', target, { headers: signed({ body }), body: '{"a":2}' }), 400, 'digest-mismatch');
      refused(await p.send('POST', target, { headers: signed({ body }), body: `${body} ` }), 400, 'digest-mismatch');
      refused(await p.send('POST', target, { headers: { ...signed({ body }), 'content-digest': contentDigest('{"a":2}', digest) }, body: '{"a":2}' }), 401, 'signature-invalid');
      refused(await p.send('POST', target, { headers: signed({}), body }), 400, 'digest-missing');
      assert.equal(upstream.seen.length, seen, 'none of them reached the unit');
    } finally {
      upstream.close();
    }
  });
}

test('[BK-7.2.1a1-1] a call signed with hmac-sha256 goes the whole way, and not with another secret', async () => {
  const key = await w.credential(world, world.app, 'hmac-sha256');
  const answer = await until(async () => { const a = await call(undefined, { key }); return a.status === 200 && a; }, { what: 'the credential' });
  assert.match(rows(answer, 1)[0].buyer_phone, /^1\d\d\*{4}\d{4}$/);
  refused(await call(undefined, { key: { ...key, secret: world.key.secret } }), 401, 'signature-invalid');
  assert.equal(records(p, '--txn', answer.txn)[0].credential, key.id);
});

test('[BK-9.3.2a2-2, BK-9.3.2a3] a grant for a period ends with it, and none is made without an end', async () => {
  const short = await w.grant(world, world.app, world.api, { expires_at: new Date(Date.now() + 1500).toISOString() });
  await until(async () => (await call(undefined, { grant: short.id })).status === 200, { ms: 1400, what: 'the grant' });
  await until(async () => (await call(undefined, { grant: short.id })).json?.code === 'grant-expired', { ms: 4000, what: 'its end' });
  await restRefuses(w.grant(world, world.app, world.api, { expires_at: '2020-01-01T00:00:00.000Z' }), 'field-invalid', '/expires_at');
});

// A grant of a single use that is live on the gateway and not yet spent.
const onceGrant = async () => {
  const { id } = await w.grant(world, world.app, world.api, { term: 'once', expires_at: new Date(Date.now() + 60000).toISOString() });
  const other = await w.grant(world, world.app, world.api); // the feed is in order: when this one is live, so is that
  await until(async () => (await call(undefined, { grant: other.id })).status === 200, { what: 'the grant' });
  return id;
};

test('[BK-9.3.2a3] a grant of a single use passes once', async () => {
  const grant = await onceGrant();
  rows(await call(undefined, { grant }), 1);
  for (let i = 0; i < 4; i++) refused(await call(undefined, { grant, agent: false }), 403, 'grant-expired');
});

test('[BK-9.3.2a3] of twenty simultaneous calls on a grant of a single use exactly one passes', async () => {
  const grant = await onceGrant();
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(undefined, { grant, agent: false })));
  assert.equal(answers.filter((a) => a.status === 200).length, 1);
  for (const answer of answers.filter((a) => a.status !== 200)) refused(answer, 403, 'grant-expired');
});

test('[EC-6.1.3.1c] a suspended subscription refuses, and serves again when resumed', async () => {
  await world.operator.act('subscriptions', world.subscription, 'suspend');
  await until(async () => (await call()).json?.code === 'subscription-missing', { what: 'the suspension' });
  await world.operator.act('subscriptions', world.subscription, 'resume');
  await until(async () => (await call()).status === 200, { what: 'the resumption' });
});

test('[BK-9.2.1a2-3] a revoked credential is refused', async () => {
  const key = await w.credential(world, world.app);
  await until(async () => (await call(undefined, { key })).status === 200, { what: 'the credential' });
  await world.developer.act('credentials', key.id, 'revoke');
  await until(async () => (await call(undefined, { key })).json?.code === 'credential-inactive', { what: 'the revocation' });
});

const INJECTIONS = ["'", "' OR '1'='1", "1; DROP TABLE orders--", "') UNION SELECT card_number FROM orders--", '"', '`', '\\', "x'/**/OR/**/1=1--", '${1}', '%00', 'ﬀ＇'];
const PLACES = ['select', 'order', 'limit', 'offset', 'order_id', 'and', 'or', 'pageno', 'pagesize'];

test('[BK-7.2.2a] SQL in every parameter finds no rows it should not, and the table stands', async () => {
  for (const place of PLACES) {
    for (const evil of INJECTIONS) {
      const values = place === 'order_id' ? [`eq.${evil}`, `like.${evil}`, `in.(${evil})`] : [evil, `order_id.eq.${evil}`, `(order_id.eq.${evil})`, `order_id${evil}`];
      for (const value of values) {
        const answer = await call(`${PATH}?${place}=${encodeURIComponent(value)}`);
        assert.ok([200, 400, 403].includes(answer.status), `${place}=${value}: ${answer.status} ${answer.text.slice(0, 300)}`);
        assert.ok(!/sqlite|syntax|odbc/i.test(answer.json?.detail ?? ''), `${place}=${value}: ${answer.text}`);
        if (answer.status === 200) assert.ok(answer.json.every((r) => r.merchant_id === undefined || r.merchant_id === 'M00001'), answer.text);
      }
    }
  }
  rows(await call(`${PATH}?limit=1000`), 20);
});

test('[BK-7.2.2a] unreadable queries name their fault', async () => {
  for (const query of ['order_id=zzz.1', 'limit=-1', 'limit=abc', 'limit=99999999999999999999', 'offset=-5', 'order=order_id.sideways', 'select=,', 'and=(order_id.eq.1', 'pagesize=0', 'pageno=x', 'order_id=eq.%ff%fe', 'order_id=%']) {
    const answer = await call(`${PATH}?${query}`);
    assert.equal(answer.status, 400, `${query}: ${answer.status} ${answer.text.slice(0, 200)}`);
    assert.match(answer.json.code, /^(query-malformed|query-too-large|parameter-missing|field-unknown|request-malformed)$/, query);
  }
  refused(await call(`${PATH}?nothing=eq.1`), 400, 'field-unknown');
});

test('answers and problems tell a browser to take their type at its word', async () => {
  for (const answer of [await call(), await call('/nothing/here'), await p.send('GET', PATH), await p.send('HEAD', PATH), await wire(p, head(p, 'GET', '/ /', {}))]) {
    const said = answer.headers?.['x-content-type-options'] ?? /x-content-type-options: (\w+)/i.exec(answer.text)?.[1];
    assert.equal(said, 'nosniff', `${answer.status}`);
  }
});

test('[BK-7.3.2a1] 100,000 filters are refused', async () => {
  const many = Array.from({ length: 100000 }, (_, i) => `order_id=neq.${i}`).join('&');
  const answer = await call(`${PATH}?${many}`).catch(() => null);
  if (answer) assert.ok([400, 414, 431].includes(answer.status), String(answer.status));
  const some = Array.from({ length: 400 }, () => 'order_id=neq.1').join('&');
  refused(await call(`${PATH}?${some}`), 400, 'query-too-large');
  rows(await call(), 1);
});

test('[BK-7.3.2a1] a 10 MB URL and a 10 MB header are refused', async () => {
  const long = 'x'.repeat(10 << 20);
  for (const bytes of [head(p, 'GET', `/${long}`, {}), head(p, 'GET', PATH, { 'x-long': long })]) {
    const answer = await wire(p, bytes);
    assert.ok([400, 414, 431].includes(answer.status) || (answer.closed && answer.text === ''), answer.text.slice(0, 200));
  }
  rows(await call(), 1);
});

test('[BK-7.3.2a1] broken UTF-8, control bytes and nonsense on the wire are refused', async () => {
  const signed = sign(world.key, { url: `${p.gateway}${PATH}` });
  const junk = [Buffer.from([0x16, 3, 1, 0, 0]), 'GET\r\n\r\n', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', head(p, 'GET', `${PATH}?order_id=eq.\xff\xfe`, signed),
    head(p, 'GET', PATH, { 'Content-Length': '-1' }), head(p, 'GET', PATH, { 'Content-Length': '5', 'Transfer-Encoding': 'chunked' }), 'GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n'];
  for (const bytes of junk) {
    const answer = await wire(p, Buffer.from(bytes, 'latin1'), { ms: 3000, end: true });
    assert.ok(answer.status === 0 || (answer.status >= 400 && answer.status < 500) || answer.status === 505, `${JSON.stringify(String(bytes).slice(0, 60))}: ${answer.text.slice(0, 200)}`);
  }
  rows(await call(), 1);
});

test('[BK-9.2.2c, EC-6.1.4.3b] plain HTTP on the gateway\'s port gets no data', async () => {
  const answer = await fetch(`http://127.0.0.1:${p.gatewayPort}${PATH}`).then((r) => r.status, () => 0);
  assert.ok(answer === 0 || answer === 400, String(answer));
});

test('[EC-4.3.2a] the data service answers nobody but its gateway', async () => {
  const { default: http } = await import('node:http');
  const { readdirSync } = await import('node:fs');
  const socket = readdirSync(p.data, { recursive: true, withFileTypes: true }).find((e) => e.isSocket() && /data/.test(e.name));
  if (!socket) return assert.fail('no socket of the data service was found');
  const file = `${socket.path ?? socket.parentPath}/${socket.name}`;
  const answer = await new Promise((resolve, reject) => http.get({ socketPath: file, path: PATH, headers: { 'Sluice-Call': 'eHh4.eXl5' } }, (res) => {
    let text = '';
    res.on('data', (d) => { text += d; }).on('end', () => resolve({ status: res.statusCode, text }));
  }).on('error', reject));
  assert.equal(answer.status, 403, answer.text);
  assert.match(answer.text, /link-refused/);
});

test('the control plane refuses malformed writes with the member at fault', async () => {
  await restRefuses(world.admin.post('/organisations', { name: 'x', kind: 'holder', colour: 'red' }), 'field-invalid', '/colour');
  await restRefuses(world.admin.post('/organisations', { kind: 'holder' }), 'field-invalid', '/name');
  await restRefuses(world.admin.post('/organisations', { name: 'x', kind: 'martian' }), 'field-invalid', '/kind');
  await restRefuses(world.admin.post('/organisations', { name: 'x', kind: 'holder', uscc: '91330100MA0000000X' }), 'field-invalid', '/uscc');
  await restRefuses(world.admin.ok('POST', '/api/v1/organisations', '{"name":'), 'body-malformed');
  await restRefuses(world.admin.ok('POST', '/api/v1/organisations', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), 'body-malformed');
  await restRefuses(world.admin.get('/organisations?colour=red'), 'query-malformed');
  await restRefuses(world.admin.get('/organisations/0190a000-0000-7000-8000-000000000000'), 'not-found');
  await restRefuses(world.admin.ok('POST', `/api/v1/grants/${world.grant}/revoke`, '{}'), 'precondition-required');
  await restRefuses(world.admin.ok('POST', `/api/v1/grants/${world.grant}/revoke`, '{}', { 'if-match': '"999"' }), 'precondition-failed');
  await restRefuses(world.owner.post('/organisations', { name: 'x', kind: 'holder' }), 'not-permitted');
});

test('[EC-4.2.1d2] after all this the audit log verifies', () => verified(p));
