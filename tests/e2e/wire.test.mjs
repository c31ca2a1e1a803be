// SPDX-License-Identifier: Apache-2.0
// What goes over the wire before any call is understood: TLS versions, HTTP/2 and its limits.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import test, { after, before } from 'node:test';
import tls from 'node:tls';
import { rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
const TARGET = '/trade/orders/v1?limit=1';

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { environment: 'controlled' });
});
after(() => p?.stop());

// A handshake with exactly one version offered, by a client that takes any cipher: 'TLSv1.2', or what the peer said.
function handshake(port, version) {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port, ca: p.ca, minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' });
    socket.on('secureConnect', () => { const said = socket.getProtocol(); socket.destroy(); resolve(said); });
    socket.on('error', (e) => resolve(e.code));
  });
}

const TURNED_DOWN = /^(ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION|ECONNRESET)$/; // the peer's doing: the client's own fault would be ERR_SSL_NO_PROTOCOLS_AVAILABLE

for (const [name, port] of [['gateway', () => p.gatewayPort], ['control plane', () => p.controlPort]]) {
  test(`[BK-9.2.2d, EC-6.1.4.3b] the ${name} speaks TLS 1.2 and 1.3 and nothing older`, async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) assert.equal(await handshake(port(), version), version);
    for (const version of ['TLSv1', 'TLSv1.1']) assert.match(await handshake(port(), version), TURNED_DOWN, version);
  });
}

test('[EC-4.3.2a] the feed speaks no TLS older than 1.2 either', async () => {
  for (const version of ['TLSv1', 'TLSv1.1']) assert.match(await handshake(p.feedPort, version), TURNED_DOWN, version);
});

// One request over HTTP/2. Resolves to {status, json, text, headers, error}: error when the stream or the connection
// was refused instead.
function h2(method, target, headers = {}, body) {
  return new Promise((resolve) => {
    const session = http2.connect(p.gateway, { ca: p.ca });
    const answer = { status: 0, text: '', headers: {} };
    const timer = setTimeout(() => { answer.error = 'no answer'; session.destroy(); }, 15000);
    session.on('error', (e) => { answer.error = e.code; });
    session.on('close', () => {
      clearTimeout(timer);
      try { answer.json = JSON.parse(answer.text); } catch { /* the test looks at the text */ }
      resolve(answer);
    });
    const stream = session.request({ ':method': method, ':path': target, ...headers }, { endStream: body === undefined });
    stream.on('response', (h) => { answer.status = h[':status']; answer.headers = h; });
    stream.on('data', (d) => { answer.text += d; });
    stream.on('error', (e) => { answer.error = e.code; });
    stream.on('close', () => session.close());
    if (body !== undefined) stream.end(body);
  });
}

const signed = (method, target, more = {}) => sign(world.key, { method, url: p.gateway + target, headers: { 'sluice-grant': world.grant }, ...more });

async function stillServes() {
  const answer = await h2('GET', TARGET, signed('GET', TARGET));
  const [row] = rows(answer, 1);
  assert.match(row.buyer_phone, /^1\d\d\*{4}\d{4}$/);
  assert.equal(row.card_number, undefined);
}

test('[EC-6.1.4.2] a signed call over HTTP/2 gets its row masked', stillServes);

test('[EC-6.1.3.1b] over HTTP/2 too, an unsigned call and a second copy are refused', async () => {
  const bare = await h2('GET', TARGET);
  assert.deepEqual([bare.status, bare.json?.code], [401, 'signature-missing']);
  const headers = signed('GET', TARGET);
  assert.equal((await h2('GET', TARGET, headers)).status, 200);
  const again = await h2('GET', TARGET, headers);
  assert.deepEqual([again.status, again.json?.code], [401, 'signature-replayed']);
});

// Refused by status, or by the end of the stream or connection; in any case without data.
function turnedAway(answer, what) {
  assert.ok([400, 413, 414, 431].includes(answer.status) || (answer.status === 0 && answer.error), `${what}: ${answer.status} ${answer.error} ${answer.text.slice(0, 200)}`);
}

test('[BK-7.3.2a1] over HTTP/2 a 10 MB header, 100,000 headers and a 10 MB path are refused', async () => {
  const long = randomBytes(5 << 20).toString('hex'); // of no use to HPACK
  turnedAway(await h2('GET', TARGET, { ...signed('GET', TARGET), 'x-long': long }), 'a 10 MB header');
  const many = Object.fromEntries(Array.from({ length: 100000 }, (_, i) => [`x-${i}`, 'y'.repeat(20)]));
  turnedAway(await h2('GET', TARGET, { ...signed('GET', TARGET), ...many }), '100,000 headers');
  turnedAway(await h2('GET', `/${long}`), 'a 10 MB path');
  await stillServes();
});

test('[BK-7.3.2a1] over HTTP/2 a body over the limit is refused', async () => {
  const upstream = await startUpstream();
  const api = await w.httpApi(world, 'posts', upstream.url, { max_body_bytes: 1 << 20 });
  await w.subscription(world, world.app, api);
  const target = '/posts/v1/good';
  const post = (body) => h2('POST', target, { ...sign(world.key, { method: 'POST', url: p.gateway + target, body }), 'content-type': 'application/json' }, body);
  const filled = (n) => JSON.stringify({ fill: 'x'.repeat(n) });
  try {
    await until(async () => (await post(filled(1 << 19))).status === 200, { what: 'half a MiB' });
    const seen = upstream.seen.length;
    const answer = await post(filled(1 << 20));
    assert.deepEqual([answer.status, answer.json?.code], [413, 'body-too-large'], answer.text);
    turnedAway(await post(filled(10 << 20)), 'a 10 MiB body');
    assert.equal(upstream.seen.length, seen);
  } finally {
    upstream.close();
  }
  await stillServes();
});

test('[EC-4.2.1d2] all of it is in the audit log, which verifies', () => verified(p));
