// SPDX-License-Identifier: Apache-2.0
// Upstreams over TLS: whom the gateway believes, what it shows of itself, and that nothing is sent to anybody else.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Authority } from './lib/pki.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let dir;
let known;
let unknown;
const servers = [];

// An upstream that says its name. certificate: of Authority.issue(), or undefined for a plain one. More of https's options.
async function upstream(name, certificate, options = {}) {
  const u = { name, seen: [], sockets: 0, resumed: 0, bytes: 0, clients: [] };
  const answer = (req, res) => {
    u.seen.push({ url: req.url, headers: req.headers });
    if (certificate) u.clients.push(req.socket.getPeerCertificate?.()?.fingerprint256);
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: name }));
  };
  u.server = certificate ? https.createServer({ key: certificate.pem, cert: certificate.cert, ...options }, answer) : http.createServer(answer);
  u.server.on('secureConnection', (s) => { u.sockets += 1; u.name_asked = s.servername; u.protocol = s.getProtocol(); u.resumed += s.isSessionReused() ? 1 : 0; });
  u.server.on('clientError', (e, s) => s.destroy());
  await new Promise((done) => u.server.listen(0, '127.0.0.1', done));
  u.port = u.server.address().port;
  u.url = `http${certificate ? 's' : ''}://${certificate ? 'localhost' : '127.0.0.1'}:${u.port}/base`;
  servers.push(u.server);
  return u;
}

async function publish(name, list, more = {}) {
  const targets = list.map((t) => ({ weight: 1, role: 'primary', ...t }));
  const id = await w.httpApi(world, name, undefined, { targets, timeout_ms: 3000, ...more });
  await w.subscription(world, world.app, id);
  await until(async () => ![403, 404].includes((await call(name)).status), { ms: 10000, what: `the API ${name}` });
  return id;
}
const call = (name, more = {}) => p.call(`/${name}/v1/x`, { key: world.key, ...more });
const errors = (u) => readFileSync(path.join(p.data, 'gateway/nginx/error.log'), 'utf8').split('\n').filter((l) => l.includes(`https://127.0.0.1:${u.port}/`)).join('\n');
const good = (more) => known.issue('upstream', { host: 'localhost', ...more });

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'sluice-tls-'));
  known = new Authority(dir, 'Known');
  unknown = new Authority(dir, 'Unknown');
  p = await Platform.start({ config: `gateway:\n  upstream_ca: ${known.file}\n` });
  world = await w.people(p, 'controlled');
});
after(async () => {
  for (const s of servers) { s.closeAllConnections(); s.close(); }
  await p?.stop();
  if (dir) rmSync(dir, { recursive: true, force: true });
});

test('[SW-9.3-2a, GS-6.9.3a] an https upstream is asked over TLS by its name; calls do not share connections but resume sessions', async () => {
  const u = await upstream('secure', good());
  await publish('secure', [{ url: u.url }]);
  const before = u.seen.length;
  for (let i = 0; i < 10; i += 1) assert.equal((await call('secure')).json?.id, 'secure');
  assert.equal((await call('secure', { method: 'POST', body: '{"a":1}' })).json?.id, 'secure');
  assert.deepEqual([u.seen.at(-1).url, u.seen.at(-1).headers.host, u.name_asked, u.protocol], ['/base/x', `localhost:${u.port}`, 'localhost', 'TLSv1.3']);
  assert.equal(u.seen.length, before + 11);
  assert.equal(u.sockets, u.seen.length, 'a connection a call');
  assert.ok(u.resumed >= 1, 'no session was resumed');
});

const IMPOSTORS = {
  'another name': [() => known.issue('upstream', { host: 'other.example' }), /does not match "localhost"/],
  'an unknown CA': [() => unknown.issue('upstream', { host: 'localhost' }), /certificate verify error/],
  'an expired certificate': [() => good({ from: -30, to: -1 }), /certificate verify error: \(10:/],
  'a client\'s certificate': [() => known.issue('localhost'), /certificate verify error/],
};
for (const [what, [make, said]] of Object.entries(IMPOSTORS)) {
  test(`[SW-9.3-2a, GS-6.9.3a, EC-6.1.4.3b] an upstream with ${what} is told nothing; the breaker counts it and the operator reads why`, async () => {
    const u = await upstream('impostor', make());
    const name = `impostor-${Object.keys(IMPOSTORS).indexOf(what)}`;
    await publish(name, [{ url: u.url }], { breaker: { failures: 3, window_ms: 10000, open_ms: 60000 } });
    for (let i = 0; i < 3; i += 1) {
      const answer = await call(name);
      if (answer.status !== 503) refused(answer, 502, 'upstream-unavailable');
    }
    refused(await call(name), 503, 'circuit-open');
    assert.equal(u.seen.length, 0);
    assert.match(errors(u), said);
  });
}

test('[GS-6.9.3a] an https upstream that speaks plain HTTP, and TLS before 1.2, get nothing', async () => {
  const plain = await upstream('plain');
  await publish('notls', [{ url: `https://localhost:${plain.port}/base` }]);
  refused(await call('notls'), 502, 'upstream-unavailable');
  const old = await upstream('old', good(), { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
  await publish('oldtls', [{ url: old.url }]);
  refused(await call('oldtls'), 502, 'upstream-unavailable');
  assert.equal(plain.seen.length + old.seen.length, 0);
});

test('[SW-10.1-3d, SW-9.3-2a] plain and TLS targets of one API stand in for each other, each asked its own way', async () => {
  const bad = await upstream('bad', unknown.issue('upstream', { host: 'localhost' }));
  const secure = await upstream('secure', good());
  const plain = await upstream('plain');
  await publish('mixed1', [{ url: bad.url }, { url: plain.url, role: 'standby' }], { retries: 1 });
  for (let i = 0; i < 5; i += 1) assert.equal((await call('mixed1')).json?.id, 'plain');
  await publish('mixed2', [{ url: secure.url }, { url: plain.url }]);
  const names = new Set();
  for (let i = 0; i < 12; i += 1) names.add((await call('mixed2')).json?.id);
  assert.deepEqual([...names].sort(), ['plain', 'secure']);
  await publish('mixed3', [{ url: plain.url }, { url: secure.url, role: 'standby' }], { retries: 1 });
  plain.server.closeAllConnections();
  await new Promise((done) => plain.server.close(done));
  for (let i = 0; i < 5; i += 1) assert.equal((await call('mixed3')).json?.id, 'secure');
  assert.equal(bad.seen.length, 0);
});

test('[GS-6.8a-4a] a platform that lets in only whom it knows is shown the node\'s certificate; another client is refused there', async () => {
  const ca = [readFileSync(path.join(p.data, 'pki/ca.crt'))];
  const u = await upstream('mutual', good(), { requestCert: true, rejectUnauthorized: true, ca });
  await publish('mutual', [{ url: u.url }]);
  for (let i = 0; i < 3; i += 1) assert.equal((await call('mutual')).json?.id, 'mutual');
  const own = new (await import('node:crypto')).X509Certificate(readFileSync(path.join(p.data, 'pki/gateway.crt')));
  assert.equal(u.clients[0], own.fingerprint256);
  const seen = u.seen.length;
  await assert.rejects(new Promise((resolve, reject) => https.get({ host: '127.0.0.1', servername: 'localhost', port: u.port, ca: known.pem }, resolve).on('error', reject)));
  await assert.rejects(new Promise((resolve, reject) => http.get({ host: '127.0.0.1', port: u.port }, resolve).on('error', reject)));
  assert.equal(u.seen.length, seen);
  const foreign = await upstream('foreign', good(), { requestCert: true, rejectUnauthorized: true, ca: [unknown.pem] });
  await publish('foreign', [{ url: foreign.url }]);
  refused(await call('foreign'), 502, 'upstream-unavailable');
  assert.equal(foreign.seen.length, 0);
});

test('[SW-9.3-2a] health is asked over TLS as calls are: a target whose certificate is wrong is down', async () => {
  const ca = [readFileSync(path.join(p.data, 'pki/ca.crt'))];
  const well = await upstream('well', good(), { requestCert: true, rejectUnauthorized: true, ca });
  const bad = await upstream('bad', known.issue('upstream', { host: 'other.example' }));
  await publish('health', [{ url: well.url }, { url: bad.url }], { health: { path: '/health', interval_ms: 500, timeout_ms: 400 }, retries: 1 });
  await until(async () => (await world.admin.list('alerts', { kind: 'target-down' })).some((a) => a.target === `localhost:${bad.port}`), { ms: 15000, what: 'the alert' });
  assert.ok(well.seen.some((s) => s.url === '/health' && s.headers.host === `localhost:${well.port}`));
  assert.equal(bad.seen.length, 0);
  assert.ok(!(await world.admin.list('alerts', { kind: 'target-down' })).some((a) => a.target === `localhost:${well.port}`));
});

test('[GS-6.9.3a] a kept plain connection serves no call that asks for TLS at the same port', async () => {
  const secure = await upstream('secure', good());
  const plain = await upstream('plain');
  const both = net.createServer((s) => s.once('data', (first) => { // a TLS record begins with 22
    const on = net.connect((first[0] === 22 ? secure : plain).port, '127.0.0.1');
    for (const end of [s, on]) end.on('error', () => { s.destroy(); on.destroy(); });
    on.write(first);
    s.pipe(on).pipe(s);
  }));
  await new Promise((done) => both.listen(0, '127.0.0.1', done));
  servers.push({ close: () => both.close(), closeAllConnections() {} });
  const { port } = both.address();
  await publish('samea', [{ url: `http://127.0.0.1:${port}` }]);
  await publish('sameb', [{ url: `https://localhost:${port}` }], { retries: 0 });
  for (let i = 0; i < 8; i += 1) {
    assert.equal((await call('samea')).json?.id, 'plain');
    assert.equal((await call('sameb')).json?.id, 'secure');
  }
});

test('[SW-8.3.4-timeout] an upstream that hangs in the handshake costs the API\'s time and no more', async () => {
  const silent = net.createServer(() => {});
  await new Promise((done) => silent.listen(0, '127.0.0.1', done));
  await publish('silent', [{ url: `https://localhost:${silent.address().port}` }], { timeout_ms: 700 });
  const started = performance.now();
  refused(await call('silent'), 504, 'upstream-timeout');
  const ms = performance.now() - started;
  assert.ok(ms > 500 && ms < 1800, `${ms} ms`);
  silent.close();
});

test('[SW-9.3-2a] an https upstream has a name: addresses and other schemes are refused', async () => {
  for (const url of ['https://127.0.0.1:8443/x', 'https://[::1]:8443', 'https://u:p@localhost', 'ftp://localhost/x', 'https://']) {
    await restRefuses(w.httpApi(world, 'wrong', url), 'field-invalid', '/upstream');
    await restRefuses(w.httpApi(world, 'wrong', undefined, { targets: [{ url }] }), 'field-invalid', '/targets');
  }
});
