// SPDX-License-Identifier: Apache-2.0
// Bytes no decent client sends, on the wire: slow, flooding, ambiguous, over HTTP/1.1, HTTP/2 and TLS. Each is refused
// or cut off, none reaches an upstream, and meanwhile a neighbour's calls are answered.

import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import test, { after, before } from 'node:test';
import tls from 'node:tls';
import { Platform } from './lib/platform.mjs';
import { verified } from './lib/records.mjs';
import { sign } from './lib/sign.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { delay, until } from './lib/wait.mjs';
import { wire } from './lib/wire.mjs';
import * as w from './lib/world.mjs';

const TARGET = '/posts/v1/good';
const LIMIT_MS = 10000; // client_header_timeout and client_body_timeout of node/nginx_conf.c
let p;
let world;
let upstream;

before(async () => {
  p = await Platform.start({ args: ['--workers', '1'] }); // the neighbour shares the worker with the attacker
  world = await w.people(p, 'controlled');
  upstream = await startUpstream();
  const api = await w.httpApi(world, 'posts', upstream.url);
  await w.subscription(world, world.app, api);
  await until(async () => (await p.call(TARGET, world)).status === 200, { ms: 10000, what: 'the API' });
});
after(async () => {
  upstream?.close();
  await p?.stop();
});

// A client that calls all the while; stop() says how many and asserts that each was answered in time.
function neighbour() {
  let running = true;
  let calls = 0;
  const bad = [];
  const done = (async () => {
    while (running) {
      const started = performance.now();
      const answer = await p.call(TARGET, { key: world.key, ms: 5000 }).catch((e) => ({ status: e.message }));
      const took = performance.now() - started;
      if (answer.status !== 200 || took > 2000) bad.push(`${answer.status} after ${took.toFixed(0)} ms`);
      calls += 1;
      await delay(20);
    }
  })();
  return async () => {
    running = false;
    await done;
    assert.deepEqual(bad, [], `of ${calls} calls of the neighbour`);
    assert.ok(calls > 0);
  };
}

// Runs attack() beside the neighbour; no request of the attack's own may reach the upstream.
async function attacked(attack) {
  const stop = neighbour();
  try {
    await delay(50);
    return await attack();
  } finally {
    await stop();
    const strange = upstream.seen.filter((r) => r.url !== '/base/good' || r.headers['x-evil']);
    assert.deepEqual(strange, [], 'the upstream saw nothing of it');
  }
}

const connect = (more = {}) => tls.connect({ host: '127.0.0.1', port: p.gatewayPort, ca: p.ca, ALPNProtocols: ['http/1.1'], ...more });

// Writes head, then `drip()` every `every` ms until the peer closes. Resolves to {ms, text}.
function dribble(head, drip, every = 500, limit = 30000) {
  return new Promise((resolve, reject) => {
    const socket = connect();
    let text = '';
    let started;
    const timers = [];
    const done = () => { timers.forEach(clearTimeout); socket.destroy(); };
    socket.on('secureConnect', () => {
      started = performance.now();
      socket.write(head);
      timers.push(setInterval(() => socket.writable && socket.write(drip()), every));
      timers.push(setTimeout(() => { done(); reject(new Error(`not cut off in ${limit} ms`)); }, limit));
    });
    socket.on('data', (d) => { text += d; });
    socket.on('error', () => {});
    socket.on('close', () => { done(); resolve({ ms: performance.now() - started, text }); });
  });
}

test('[BK-7.3.2a1] slow headers, a byte at a time on 50 connections, are cut off in time', () => attacked(async () => {
  const all = await Promise.all(Array.from({ length: 50 }, () => dribble(`GET ${TARGET} HTTP/1.1\r\nHost: x\r\nX-Evil: `, () => 'a')));
  for (const { ms } of all) assert.ok(ms > LIMIT_MS / 2 && ms < LIMIT_MS + 3000, `${ms.toFixed(0)} ms`);
}));

test('[BK-7.3.2a1] connections that never say anything, or never end their handshake, are cut off in time', () => attacked(async () => {
  const silent = (make) => new Promise((resolve) => {
    const started = performance.now();
    const socket = make();
    socket.on('error', () => {}).on('close', () => resolve(performance.now() - started)).resume();
  });
  const raw = () => net.connect(p.gatewayPort, '127.0.0.1');
  const half = () => { const s = raw(); s.write(Buffer.from([0x16, 3, 1, 2, 0, 1])); return s; };
  for (const ms of await Promise.all([connect, raw, half].map(silent))) assert.ok(ms < LIMIT_MS + 3000, `${ms.toFixed(0)} ms`);
}));

// A signed POST up to the blank line.
function post(body, more) {
  const headers = sign(world.key, { method: 'POST', url: p.gateway + TARGET, headers: { 'content-type': 'application/json', 'x-evil': '1' }, body });
  const all = Object.entries({ ...headers, ...more }).map(([n, v]) => `${n}: ${v}\r\n`).join('');
  return `POST ${TARGET} HTTP/1.1\r\nHost: 127.0.0.1:${p.gatewayPort}\r\n${all}\r\n`;
}

for (const [what, drip] of [['stops', () => ''], ['comes a byte at a time', () => 'x']]) {
  test(`[BK-7.3.2a1] a body that ${what} is cut off in time`, () => attacked(async () => {
    const body = JSON.stringify({ fill: 'x'.repeat(1000) });
    const { ms } = await dribble(post(body, { 'content-length': body.length }) + body.slice(0, 10), drip, 500);
    assert.ok(ms > LIMIT_MS - 2000 && ms < LIMIT_MS + 3000, `${ms.toFixed(0)} ms`);
  }));
}

// Bytes that must be answered with a refusal, or nothing, and the end of the connection; a second request behind them
// must not be read as one of its own.
const lines = (...all) => `${all.join('\r\n')}\r\n\r\n`;
const GET = `GET ${TARGET} HTTP/1.1`;
const POST = `POST ${TARGET} HTTP/1.1`;
const HOST = 'Host: 127.0.0.1';
const EVIL = 'X-Evil: 1';
const SHAPES = [
  ['Content-Length and Transfer-Encoding', lines(POST, HOST, EVIL, 'Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['Transfer-Encoding and Content-Length', lines(POST, HOST, EVIL, 'Transfer-Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n'],
  ['two Content-Lengths that differ', lines(POST, HOST, EVIL, 'Content-Length: 5', 'Content-Length: 6') + 'aaaaa'],
  ['two Content-Lengths that agree', lines(POST, HOST, EVIL, 'Content-Length: 5', 'Content-Length: 5') + 'aaaaa'],
  ['a list of Content-Lengths', lines(POST, HOST, EVIL, 'Content-Length: 5, 5') + 'aaaaa'],
  ['a negative Content-Length', lines(POST, HOST, EVIL, 'Content-Length: -5')],
  ['a Content-Length with a sign', lines(POST, HOST, EVIL, 'Content-Length: +5') + 'aaaaa'],
  ['a Content-Length in hexadecimal', lines(POST, HOST, EVIL, 'Content-Length: 0x5') + 'aaaaa'],
  ['a Content-Length past 64 bits', lines(POST, HOST, EVIL, 'Content-Length: 99999999999999999999')],
  ['an unknown Transfer-Encoding', lines(POST, HOST, EVIL, 'Transfer-Encoding: xchunked') + '0\r\n\r\n'],
  ['Transfer-Encoding identity', lines(POST, HOST, EVIL, 'Transfer-Encoding: identity')],
  ['Transfer-Encoding chunked, twice', lines(POST, HOST, EVIL, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['Transfer-Encoding chunked, chunked', lines(POST, HOST, EVIL, 'Transfer-Encoding: chunked, chunked') + '0\r\n\r\n'],
  ['Transfer-Encoding gzip, chunked', lines(POST, HOST, EVIL, 'Transfer-Encoding: gzip, chunked') + '0\r\n\r\n'],
  ['Transfer-Encoding with a vertical tab', lines(POST, HOST, EVIL, 'Transfer-Encoding: \x0bchunked') + '0\r\n\r\n'],
  ['Transfer-Encoding over HTTP/1.0', lines(`POST ${TARGET} HTTP/1.0`, HOST, EVIL, 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['a space before the colon', lines(POST, HOST, EVIL, 'Content-Length : 5') + 'aaaaa'],
  ['a tab before the colon', lines(POST, HOST, EVIL, 'Transfer-Encoding\t: chunked') + '0\r\n\r\n'],
  ['a space at the start of a line', lines(GET, HOST, EVIL, ' Content-Length: 5')],
  ['a folded line', lines(GET, HOST, EVIL, 'X-Folded: a', '\tb')],
  ['a control character in a name', lines(GET, HOST, EVIL, 'X-\x01: 1')],
  ['a NUL in a name', lines(GET, HOST, EVIL, 'X-\0: 1')],
  ['a NUL in a value', lines(GET, HOST, EVIL, 'X-A: \0')],
  ['a bare CR in a value', lines(GET, HOST, EVIL, 'X-A: a\rContent-Length: 5')],
  ['a bare CR after the request line', `${GET}\r${HOST}\r${EVIL}\r\r`],
  ['two Hosts', lines(GET, HOST, EVIL, 'Host: evil.example')],
  ['two Hosts that agree', lines(GET, HOST, EVIL, HOST)],
  ['no Host', lines(GET, EVIL)],
  ['a Host with a path', lines(GET, 'Host: a/b', EVIL)],
  ['a Host with a space', lines(GET, 'Host: a b', EVIL)],
  ['a Host with a NUL', lines(GET, 'Host: a\0b', EVIL)],
  ['a request line of two words', lines('GET /', HOST, EVIL)],
  ['a request line of four words', lines(`GET ${TARGET} a HTTP/1.1`, HOST, EVIL)],
  ['a NUL in the request line', lines(`GET ${TARGET}\0 HTTP/1.1`, HOST, EVIL)],
  ['a tab in the request line', lines(`GET\t${TARGET}\tHTTP/1.1`, HOST, EVIL)],
  ['HTTP/2.0 in a request line', lines(`GET ${TARGET} HTTP/2.0`, HOST, EVIL)],
  ['a method in small letters', lines(`get ${TARGET} HTTP/1.1`, HOST, EVIL)],
  ['CONNECT', lines('CONNECT evil.example:443 HTTP/1.1', HOST, EVIL)],
  ['TRACE', lines(`TRACE ${TARGET} HTTP/1.1`, HOST, EVIL)],
  ['a header line of 17 KiB', lines(GET, HOST, EVIL, `X-Long: ${'a'.repeat(17 << 10)}`)],
  ['a request line of 17 KiB', lines(`GET /${'a'.repeat(17 << 10)} HTTP/1.1`, HOST, EVIL)],
  ['80 KiB of headers', lines(GET, HOST, EVIL, ...Array.from({ length: 10 }, (_, i) => `X-${i}: ${'a'.repeat(8 << 10)}`))],
  ['20,000 headers', lines(GET, HOST, EVIL, ...Array.from({ length: 20000 }, (_, i) => `X-${i}: 1`))],
  ['a header without an end, of 1 MiB', `${GET}\r\n${HOST}\r\nX-Evil: ${'a'.repeat(1 << 20)}`],
];
const SECOND = `GET ${TARGET}?smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

test('[BK-7.3.2a1] ambiguous and malformed requests are refused, the connection ends, and nothing behind them is read', () => attacked(async () => {
  const bad = [];
  for (const [what, bytes] of SHAPES) {
    const answer = await wire(p, Buffer.from(bytes + SECOND, 'latin1'), { ms: 3000 });
    const statuses = [...answer.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => Number(m[1]));
    const fine = answer.closed && statuses.length <= 1 && statuses.every((s) => (s >= 400 && s < 500) || s === 501 || s === 505);
    if (!fine) bad.push(`${what}: ${statuses.join(' ')}${answer.closed ? '' : ', still open'}`);
  }
  assert.deepEqual(bad, []);
}));

test('[BK-7.3.2a1] headers that are too large are told from headers that are wrong', () => attacked(async () => {
  const long = 'a'.repeat(8 << 10);
  for (const [what, status, code, ...headers] of [
    ['a line of 17 KiB', 431, 'request-too-large', `X-Long: ${long}${long}${long}`],
    ['80 KiB of them', 431, 'request-too-large', ...Array.from({ length: 10 }, (_, i) => `X-${i}: ${long}`)],
    ['a wrong one', 400, 'request-malformed', 'X-\0: 1'],
    ['a wrong one after a long one', 400, 'request-malformed', `X-Long: ${long}`, 'X-\0: 1'],
  ]) {
    const answer = await wire(p, Buffer.from(lines(GET, HOST, EVIL, ...headers), 'latin1'), { ms: 3000 });
    assert.match(answer.text, new RegExp(`^HTTP/1.1 ${status}[^]*"code":"${code}"`), `${what}: ${answer.text.slice(0, 300)}`);
  }
}));

// Chunked bodies that are not: signed, so that only the body is at fault.
const CHUNKS = [
  ['a size that is no number', 'zz\r\nabc\r\n0\r\n\r\n'],
  ['a negative size', '-1\r\na\r\n0\r\n\r\n'],
  ['a size past 64 bits', 'fffffffffffffffff\r\na\r\n0\r\n\r\n'],
  ['a size of 2^63', '8000000000000000\r\na\r\n0\r\n\r\n'],
  ['a size over the limit', '7fffffff\r\na'],
  ['no line end after a chunk', '1\r\naXX\r\n0\r\n\r\n'],
  ['a NUL for a size', '\0\r\n\r\n'],
];

test('[BK-7.3.2a1] malformed chunks are refused and the connection ends', () => attacked(async () => {
  const bad = [];
  for (const [what, body] of CHUNKS) {
    const answer = await wire(p, Buffer.from(post('a', { 'transfer-encoding': 'chunked' }) + body + SECOND, 'latin1'), { ms: LIMIT_MS + 3000 });
    const statuses = [...answer.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => Number(m[1]));
    if (!answer.closed || statuses.length > 1 || statuses.some((s) => s < 400 || s >= 500)) bad.push(`${what}: ${statuses.join(' ')}${answer.closed ? '' : ', still open'}`);
  }
  assert.deepEqual(bad, []);
}));

// RFC 9112 section 2.2 lets a reader take a bare LF for a line's end, and nginx does; a line without a colon is a
// header without a value to it. Neither makes two readings of one message: the head that goes to an upstream is
// written anew from what was understood, so that nobody behind us reads these bytes.
for (const [what, bytes] of [['lines that end in a bare LF', `${GET}\n${HOST}\n${EVIL}\n\n`], ['a line without a colon', lines(GET, HOST, EVIL, 'nonsense')]]) {
  test(`[BK-7.3.2a1] ${what}: one request, one answer, and the next begins where it ended`, () => attacked(async () => {
    const answer = await wire(p, Buffer.from(bytes + SECOND, 'latin1'), { ms: 1500 });
    assert.deepEqual([...answer.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => m[1]), ['401', '401'], answer.text.slice(0, 300));
  }));
}

test('[BK-7.3.2a1] an absolute target for another host is answered by its path alone, and the upstream never hears that host', () => attacked(async () => {
  const answer = await wire(p, Buffer.from(lines(`GET http://evil.example${TARGET} HTTP/1.1`, HOST, EVIL, 'Connection: close'), 'latin1'), { ms: 3000 });
  assert.equal(answer.status, 401, answer.text.slice(0, 200));
}));

// HTTP/2, frame by frame
const frame = (type, flags, stream, payload = Buffer.alloc(0)) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);
const [HEADERS, RST, SETTINGS, PING, CONTINUATION, WINDOW, PRIORITY] = [1, 3, 4, 6, 9, 8, 2];
// :method GET, :scheme https, :path /, :authority x, all from HPACK's static table but the last.
const GET_BLOCK = Buffer.from([0x82, 0x87, 0x84, 0x41, 1, 0x78]);
const FIELD = Buffer.concat([Buffer.from([0, 1, 0x78, 60]), Buffer.alloc(60, 0x61)]); // x: aaa…, not to be remembered
const rst = (stream, code = 8) => { const b = Buffer.alloc(4); b.writeUInt32BE(code); return frame(RST, 0, stream, b); };

// Sends `total` bytes made by make(i), as the peer takes them; resolves when the peer closes or all is sent and `ms`
// have passed: {closed, goaway: error code or null, sent, headers: frames of answers}.
function flood(make, total, { ms = 5000, batch = 100 } = {}) {
  return new Promise((resolve) => {
    const socket = connect({ ALPNProtocols: ['h2'] });
    let rest = Buffer.alloc(0);
    const out = { closed: false, goaway: null, sent: 0, headers: 0 };
    const done = (closed) => { clearTimeout(timer); socket.destroy(); resolve({ ...out, closed }); };
    let timer = setTimeout(() => done(false), 20000);
    const more = () => {
      while (out.sent < total && socket.writable) {
        const n = Math.min(batch, total - out.sent);
        const bytes = Buffer.concat(Array.from({ length: n }, (_, i) => make(out.sent + i)));
        out.sent += n;
        if (!socket.write(bytes)) return void socket.once('drain', more);
      }
      clearTimeout(timer);
      timer = setTimeout(() => done(false), ms);
    };
    socket.on('secureConnect', () => { socket.write(PREFACE); more(); });
    socket.on('data', (d) => {
      rest = Buffer.concat([rest, d]);
      while (rest.length >= 9) {
        const n = rest.readUIntBE(0, 3);
        if (rest.length < 9 + n) break;
        if (rest[3] === 7) out.goaway = rest.readUInt32BE(13);
        if (rest[3] === 1) out.headers += 1;
        rest = rest.subarray(9 + n);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => done(true));
  });
}

const FLOODS = [ // what, frame i, how many
  ['5,000 streams opened and reset at once (CVE-2023-44487)', (i) => Buffer.concat([frame(HEADERS, 5, 2 * i + 1, GET_BLOCK), rst(2 * i + 1)]), 5000],
  ['a header of 5,000 CONTINUATION frames', (i) => (i === 0 ? frame(HEADERS, 1, 1, GET_BLOCK) : frame(CONTINUATION, 0, 1, FIELD)), 5000],
  ['a header of endless empty CONTINUATION frames', (i) => (i === 0 ? frame(HEADERS, 1, 1, GET_BLOCK) : frame(CONTINUATION, 0, 1)), 1100000],
  ['SETTINGS frames', () => frame(SETTINGS, 0, 0), 1000000],
  ['PING frames', () => frame(PING, 0, 0, Buffer.alloc(8)), 600000],
  ['PRIORITY frames for idle streams', (i) => frame(PRIORITY, 0, 2 * i + 1, Buffer.from([0, 0, 0, 0, 1])), 600000],
  ['a stream that depends on itself', () => frame(HEADERS, 0x25, 1, Buffer.concat([Buffer.from([0, 0, 0, 1, 1]), GET_BLOCK])), 1],
  ['a frame larger than was allowed', () => frame(HEADERS, 4, 1, Buffer.alloc(20000)), 1],
  ['a header block that is no HPACK', () => frame(HEADERS, 5, 1, Buffer.alloc(100, 0xff)), 1],
  ['a window that overflows', () => { const b = Buffer.alloc(4); b.writeUInt32BE(0x7fffffff); return frame(WINDOW, 0, 0, b); }, 10],
  ['an even stream', () => frame(HEADERS, 5, 2, GET_BLOCK), 1],
  ['a size update of the HPACK table past what was allowed', () => frame(HEADERS, 5, 1, Buffer.concat([Buffer.from([0x3f, 0xff, 0xff, 0xff, 0x7f]), GET_BLOCK])), 1],
];
for (const [what, make, n] of FLOODS) {
  test(`[BK-7.3.2a1] over HTTP/2, ${what}: the connection is cut, the neighbour served`, () => attacked(async () => {
    const got = await flood(make, n, { batch: n > 10000 ? 5000 : 100 });
    assert.ok(got.closed || got.goaway !== null, JSON.stringify(got));
    console.log(`        after ${got.sent}: ${JSON.stringify(got)}`);
  }));
}

test('[BK-7.3.2a1] over HTTP/2, the limit of streams at once is told, and 2,000 at once do the neighbour no harm', () => attacked(async () => {
  const session = http2.connect(p.gateway, { ca: p.ca });
  await new Promise((resolve, reject) => session.once('remoteSettings', resolve).once('error', reject));
  assert.equal(session.remoteSettings.maxConcurrentStreams, 64);
  session.destroy();
  const got = await flood((i) => frame(HEADERS, 4, 2 * i + 1, Buffer.concat([Buffer.from([0x83, 0x87, 0x84, 0x41, 1, 0x78])])), 2000, { ms: 1000 });
  assert.ok(got.closed || got.goaway !== null, JSON.stringify(got));
}));

// A handshake of a client that offers what we say. Resolves to the protocol and suite, or the error.
function offers(options) {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: p.gatewayPort, ca: p.ca, ...options });
    socket.on('secureConnect', () => { const said = `${socket.getProtocol()} ${socket.getCipher().standardName}`; socket.destroy(); resolve(said); });
    socket.on('error', (e) => resolve(e.code));
  });
}

test('[BK-9.2.2d] TLS 1.0 and 1.1 and every suite without forward secrecy or AEAD are turned down', async () => {
  const only = (version, ciphers) => offers({ minVersion: version, maxVersion: version, ciphers });
  for (const version of ['TLSv1', 'TLSv1.1']) assert.match(await only(version, 'ALL:@SECLEVEL=0'), /^(ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION|ECONNRESET)$/);
  for (const weak of ['AES128-GCM-SHA256', 'AES256-SHA', 'ECDHE-RSA-AES128-SHA', 'ECDHE-RSA-AES256-SHA384', 'ECDHE-ECDSA-AES128-SHA', 'DHE-RSA-AES128-GCM-SHA256', 'CAMELLIA128-SHA', 'aNULL', 'eNULL', 'PSK']) {
    assert.match(await only('TLSv1.2', `${weak}:@SECLEVEL=0`), /^(ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE|ERR_SSL_SSL\/TLS_ALERT_HANDSHAKE_FAILURE|ECONNRESET|ERR_SSL_NO_CIPHER_MATCH|ERR_SSL_NO_CIPHERS_AVAILABLE)$/, weak);
  }
  assert.match(await only('TLSv1.2'), /^TLSv1\.2 TLS_ECDHE_(RSA|ECDSA)_WITH_(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA/);
  assert.match(await only('TLSv1.3'), /^TLSv1\.3 /);
});

test('[BK-9.2.2c] plain HTTP on the TLS port is closed without being processed', () => attacked(async () => {
  const text = await new Promise((resolve) => {
    let got = '';
    const socket = net.connect(p.gatewayPort, '127.0.0.1', () => socket.write(`GET ${TARGET} HTTP/1.1\r\nHost: x\r\nX-Evil: 1\r\n\r\n${SECOND}`));
    socket.on('data', (d) => { got += d; }).on('error', () => {}).on('close', () => resolve(got));
  });
  assert.ok(text === '' || (/^HTTP\/1\.1 400/.test(text) && text.split('HTTP/1.1').length === 2 && !/"id"/.test(text)), text.slice(0, 300));
}));

test('[BK-7.3.2a1] after all of it a call is answered, the log verifies and no worker died', async () => {
  assert.equal((await p.call(TARGET, world)).status, 200);
  assert.ok(!/signal|exited on/.test(p.log), p.log.slice(-500));
  verified(p);
});
