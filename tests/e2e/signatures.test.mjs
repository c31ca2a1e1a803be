// SPDX-License-Identifier: Apache-2.0
// Signatures by key pairs from the command line: answers made by a stock RFC 9421 library, or by openssl, checked by `sluice
// verify` and `sluice call`; requests made by `sluice sign` and `sluice call`, checked by that library.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { BUILD } from './lib/platform.mjs';

const require = createRequire(import.meta.url);
const { httpbis, createSigner, createVerifier } = require('http-message-signatures');
const SLUICE = path.join(BUILD, 'cli/sluice');
const vectors = JSON.parse(readFileSync(new URL('../vectors/signed.json', import.meta.url)));
const answers = vectors.filter((v) => v.response);

let dir;
before(() => { dir = mkdtempSync(path.join(tmpdir(), 'signatures-')); });
after(() => rmSync(dir, { recursive: true, force: true }));

const file = (name, content) => {
  const at = path.join(dir, name);
  writeFileSync(at, content);
  return at;
};
const sluice = (...args) => {
  const r = spawnSync(SLUICE, args, { encoding: 'utf8' });
  return { code: r.status, out: r.stdout, err: r.stderr };
};
const head = (start, headers) => `${start}\r\n${Object.entries(headers).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
const requestText = ({ method, target, authority, headers, body }) =>
  head(`${method} ${target} HTTP/1.1`, { host: authority, ...headers, 'content-length': Buffer.byteLength(body) }) + body;
const responseText = ({ status, headers, body }) => head(`HTTP/1.1 ${status} OK`, headers) + body;

// The verdict on a vector as it is, or after `change` has had its way with it.
function verdict(vector, change = () => {}, ...options) {
  const copy = structuredClone(vector);
  change(copy);
  const key = file('platform.pem', copy.key);
  const exchange = file('exchange.http', requestText(copy.request) + responseText(copy.response));
  return sluice('verify', '--platform-key', key, ...options, exchange);
}

test('[EC-6.1.4.3d] a saved answer is verified with the platform\'s public key alone: who signed what, and when', () => {
  for (const vector of answers) {
    const r = verdict(vector);
    assert.equal(r.code, 0, `${vector.name}: ${r.out}${r.err}`);
    assert.match(r.out, /^response: valid\n/);
    assert.match(r.out, /key id +key-1\n/);
    assert.match(r.out, /signed at +2026-11-22T02:00:00/);
    assert.match(r.out, /covered +@status content-type content-digest sluice-transaction @method;req @target-uri;req signature;req;key="sig1"\n/);
    assert.equal(/message \d of 3 under one signature/.test(r.out), vector.algorithm === 'sm2-sm3-batch');
  }
});

test('[BK-7.2.2b2] an answer that was altered, or belongs to another request, is not valid', () => {
  const changes = {
    'a byte of the body': (v) => { v.response.body = v.response.body.replace('A-1', 'A-2'); },
    'the body cut': (v) => { v.response.body = v.response.body.slice(0, -1); },
    'body and digest': (v) => {
      v.response.body = '[]';
      v.response.headers['content-digest'] = `sha-256=:${createHash('sha256').update('[]').digest('base64')}:`;
    },
    'the status': (v) => { v.response.status = 201; },
    'the transaction number': (v) => { v.response.headers['sluice-transaction'] = randomUUID(); },
    'the type': (v) => { v.response.headers['content-type'] = 'text/html'; },
    'a header gone': (v) => { delete v.response.headers['content-digest']; },
    'another method': (v) => { v.request.method = 'PUT'; },
    'another target': (v) => { v.request.target += '0'; },
    'another host': (v) => { v.request.authority = 'gateway.example:7444'; },
    'another signature of the request': (v) => { v.request.headers.signature = 'sig1=:AAAA:'; },
    'no signature': (v) => { delete v.response.headers.signature; },
    'the time': (v) => { v.response.headers['signature-input'] = v.response.headers['signature-input'].replace('created=1795312800', 'created=1795312801'); },
    'a component less': (v) => { v.response.headers['signature-input'] = v.response.headers['signature-input'].replace('"@status" ', ''); },
    'another key': (v) => { v.key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }); },
    'the last byte of the signature': (v) => {
      const bytes = Buffer.from(v.response.headers.signature.slice(8, -1), 'base64');
      bytes[bytes.length - 1] ^= 1;
      v.response.headers.signature = `sluice=:${bytes.toString('base64')}:`;
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    for (const vector of [answers[0], answers.at(-1)]) {
      const r = verdict(vector, change);
      assert.equal(r.code, 1, `${what}: ${r.out}${r.err}`);
      assert.match(r.out, /^response: NOT VALID\n {2}because +\S/);
    }
  }
});

test('a batch signature speaks for the message at its place and no other', () => {
  const [first, second] = answers.filter((v) => v.algorithm === 'sm2-sm3-batch');
  const r = verdict(first, (v) => { v.response.headers.signature = second.response.headers.signature; });
  assert.equal(r.code, 1, r.out);
});

test('what cannot be told is said so, with exit code 2', () => {
  const mac = verdict(answers[0], (v) => { v.response.headers['signature-input'] = v.response.headers['signature-input'].replace(/alg="[^"]*"/, 'alg="hmac-sm3"'); });
  assert.equal(mac.code, 2);
  assert.match(mac.out, /cannot be told\n {2}because +a MAC proves nothing to a third party/);
  const key = file('platform.pem', answers[0].key);
  const alone = sluice('verify', '--platform-key', key, file('alone.http', responseText(answers[0].response)));
  assert.equal(alone.code, 2);
  assert.match(alone.out, /covers the request: give it too/);
  const apart = sluice('verify', '--platform-key', key, '--request', file('sent.http', requestText(answers[0].request)), file('alone.http', responseText(answers[0].response)));
  assert.equal(apart.code, 0, apart.out + apart.err);
  for (const args of [[], ['--platform-key'], ['--platform-key', key], ['--platform-key', '/nowhere', 'x'], ['--platform-key', file('x.pem', 'x'), 'x'],
    ['--platform-key', key, '/nowhere'], ['--platform-key', key, file('broken.http', 'x')], ['--plaform-key', key, 'x']]) {
    const r = sluice('verify', ...args);
    assert.equal(r.code, 2, args.join(' '));
    assert.match(r.err, /sluice/);
  }
});

test('a key of a JWK set counts for the signatures that name it', () => {
  const vector = answers[0];
  const jwk = createPublicKey(vector.key).export({ format: 'jwk' });
  const exchange = file('set.http', requestText(vector.request) + responseText(vector.response));
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const check = (keys) => sluice('verify', '--platform-key', file('set.json', JSON.stringify({ keys })), exchange);
  assert.equal(check([{ ...other, kid: 'key-0' }, { ...jwk, kid: 'key-1' }]).code, 0);
  const wrong = check([{ ...jwk, kid: 'key-2' }]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.out, /none of the keys has this id: key-1/);
  assert.equal(check([]).code, 2);
});

test('[BK-5d1] the worked example of docs/signatures.md is right, by other programs and by sluice verify', () => {
  const doc = readFileSync(new URL('../../docs/signatures.md', import.meta.url), 'utf8');
  const part = (name) => doc.match(new RegExp(`\n\`\`\`${name}\n([^]*?)\n\`\`\``))[1];
  const sm3 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sm3')).digest();
  const bytes = Buffer.from(part('bytes').replaceAll('\n', ''), 'hex');
  const [left, right] = part('nodes').split('\n').map((hex) => Buffer.from(hex, 'hex'));
  const leaf = sm3(Buffer.of(0), part('base'));
  const root = sm3(Buffer.of(1), sm3(Buffer.of(1), left, leaf), right);
  assert.equal(leaf.toString('hex'), part('leaf'));
  assert.equal(root.toString('hex'), part('root'));
  assert.equal(part('text'), `sluice sm2-sm3-batch 1\nsize: 3\nroot: ${root.toString('hex')}`);
  const sig = bytes.subarray(-64);
  assert.deepEqual(bytes, Buffer.concat([Buffer.of(1, 0, 3, 0, 1), left, right, sig]));
  assert.ok(part('http').includes(`signature: sluice=:${bytes.toString('base64')}:`));
  assert.equal(opensslVerifies(part('pem'), `${part('text')}\n`, sig), true);
  assert.equal(opensslVerifies(part('pem'), `${part('text')}`, sig), false);
  const r = sluice('verify', '--platform-key', file('doc.pem', `${part('pem')}\n`), file('doc.http', part('http')));
  assert.equal(r.code, 0, r.out + r.err);
  assert.match(r.out, /message 2 of 3 under one signature/);
});

function opensslVerifies(pem, text, sig) {
  const number = (bytes) => {
    const from = bytes.findIndex((b) => b !== 0), short = bytes.subarray(from);
    const body = short[0] & 0x80 ? Buffer.concat([Buffer.of(0), short]) : short;
    return Buffer.concat([Buffer.of(2, body.length), body]);
  };
  const both = Buffer.concat([number(sig.subarray(0, 32)), number(sig.subarray(32))]);
  const r = spawnSync('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', file('o.pem', `${pem}\n`), '-rawin', '-digest', 'sm3', '-in', file('o.text', text),
    '-sigfile', file('o.sig', Buffer.concat([Buffer.of(0x30, both.length), both])), '-pkeyopt', 'distid:1234567812345678']);
  return r.status === 0;
}

// -- requests ----------------------------------------------------------------------------------------

const pair = (type, options) => {
  const made = generateKeyPairSync(type, options);
  return { pub: made.publicKey, private: made.privateKey, pem: made.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
};

test('[BK-7.2.1a1-3] requests signed with an app\'s key verify in a stock RFC 9421 library', async () => {
  const kinds = { 'ecdsa-p256-sha256': pair('ec', { namedCurve: 'P-256' }), 'rsa-pss-sha512': pair('rsa', { modulusLength: 2048 }) };
  for (const [alg, key] of Object.entries(kinds)) {
    const r = sluice('sign', '--credential', 'key-1', '--key', file('app.pem', key.pem), '--alg', alg, 'GET', 'https://gateway.example:7443/a?b=1');
    assert.equal(r.code, 0, r.err);
    const headers = Object.fromEntries(r.out.trim().split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
    const good = await httpbis.verifyMessage({ keyLookup: async () => ({ id: 'key-1', algs: [alg], verify: createVerifier(key.pub, alg) }) },
      { method: 'GET', url: 'https://gateway.example:7443/a?b=1', headers });
    assert.equal(good, true, alg);
  }
  const wrong = sluice('sign', '--credential', 'key-1', '--key', file('app.pem', kinds['rsa-pss-sha512'].pem), '--alg', 'sm2-sm3', 'GET', 'https://h/');
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /this key signs by another --alg: rsa-pss-sha512/);
});

function sm2() {
  const key = path.join(dir, 'sm2.pem'), pub = path.join(dir, 'sm2.pub');
  if (!existsSync(key)) {
    spawnSync('openssl', ['genpkey', '-algorithm', 'SM2', '-out', key]);
    spawnSync('openssl', ['pkey', '-in', key, '-pubout', '-out', pub]);
  }
  return { key, pub };
}

// Any answer will do: what is looked at is the verdict on the request.
const requestVerdict = (text) => sluice('verify', '--platform-key', sm2().pub, '--app-key', sm2().pub, file('asked.http', `${text}HTTP/1.1 200 OK\r\n\r\n`)).out;

test('[BK-7.2.2b2] one SM2 signature covers a batch of requests, and each verifies by itself', () => {
  const body = file('order.json', '{"order":1}');
  const list = ['GET https://gateway.example:7443/a?b', `POST https://gateway.example:7443/orders ${body}`, 'DELETE https://gateway.example:7443/orders/1', '', 'GET https://gateway.example/'];
  const r = sluice('sign', '--credential', 'key-1', '--key', sm2().key, '--grant', 'g-1', '--batch', file('list.txt', `${list.join('\n')}\n`));
  assert.equal(r.code, 0, r.err);
  const made = r.out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(made.length, 4);
  const tails = new Set(made.map(({ headers }) => Buffer.from(headers.Signature.slice(6, -1), 'base64').subarray(-64).toString('hex')));
  assert.equal(tails.size, 1);
  made.forEach(({ method, url, headers }, i) => {
    const { pathname, search, host } = new URL(url);
    const sent = { method, target: pathname + (url.includes('?') ? search || '?' : ''), authority: host, headers, body: method === 'POST' ? '{"order":1}' : '' };
    assert.match(requestVerdict(requestText(sent)), new RegExp(`request: valid\\n[^]*batch +message ${i + 1} of 4`), url);
    assert.match(requestVerdict(requestText({ ...sent, method: 'PATCH' })), /request: NOT VALID/);
    assert.match(requestVerdict(requestText({ ...sent, headers: { ...headers, 'Sluice-Grant': 'g-2' } })), /request: NOT VALID/);
  });
  for (const [args, why] of [[['--batch', '/nowhere'], /No such file/], [['--batch', file('none.txt', '\n')], /no requests/], [['--batch', file('bad.txt', 'GET\n')], /a line is/],
    [['--batch', file('ftp.txt', 'GET ftp://h/\n')], /only http/], [['--batch', file('long.txt', 'GET https://h/\n'.repeat(1025))], /at most 1024/]]) {
    const bad = sluice('sign', '--credential', 'key-1', '--key', sm2().key, ...args);
    assert.equal(bad.code, 2, bad.err);
    assert.match(bad.err, why);
  }
});

test('whole requests for a load generator, many under one signature', () => {
  const out = path.join(dir, 'requests.bin');
  const r = sluice('sign', '--credential', 'key-1', '--key', sm2().key, '--count', '70', '--batch-size', '32', '--out', out, 'https://gateway.example:7443/a?b');
  assert.equal(r.code, 0, r.err);
  const bytes = readFileSync(out);
  const requests = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) requests.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)).toString());
  assert.equal(requests.length, 70);
  for (const [i, of] of [[0, 'message 1 of 32'], [31, 'message 32 of 32'], [63, 'message 32 of 32'], [64, 'message 1 of 6'], [69, 'message 6 of 6']]) {
    assert.match(requestVerdict(requests[i]), new RegExp(`request: valid\\n[^]*${of}`));
  }
});

// -- calls -------------------------------------------------------------------------------------------

// A counterpart whose answers a stock library signs, and which then does to them what `spoil` says.
async function withServer(key, spoil, run) {
  const server = http.createServer(async (req, res) => {
    const body = '{"a":1}';
    const message = { status: 200, headers: { 'content-type': 'application/json', 'sluice-transaction': randomUUID(),
      'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:` } };
    const asked = { method: req.method, url: `http://${req.headers.host}${req.url}`, headers: req.headers };
    const signed = await httpbis.signMessage({ key: createSigner(key.private, 'ecdsa-p256-sha256', 'node-1'), name: 'sluice', params: ['created', 'keyid', 'alg'],
      fields: ['@status', 'content-type', 'content-digest', 'sluice-transaction', '"@method";req', '"@target-uri";req', '"signature";req;key="sig1"'] }, message, asked);
    const answer = { status: 200, headers: signed.headers, body };
    spoil(answer);
    res.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const call = (...args) => new Promise((resolve) => {
    execFile(SLUICE, ['call', '--plain-key', '--credential', 'key-1', '--key', sm2().key, ...args, `http://127.0.0.1:${server.address().port}/a?b=1`],
      (error, out, err) => resolve({ code: error ? error.code : 0, out, err }));
  });
  try {
    await run(call);
  } finally {
    server.close();
  }
}

test('[BK-7.2.1a2] sluice call prints an answer only if the platform signed it for this call', async () => {
  const key = pair('ec', { namedCurve: 'P-256' });
  const platform = file('node.pem', key.pub.export({ type: 'spki', format: 'pem' }));
  const saved = path.join(dir, 'saved.http');
  await withServer(key, () => {}, async (call) => {
    const r = await call('--platform-key', platform, '--save', saved);
    assert.equal(r.code, 0, r.err);
    assert.equal(r.out, '{"a":1}');
    const v = sluice('verify', '--scheme', 'http', '--platform-key', platform, '--app-key', sm2().pub, saved);
    assert.equal(v.code, 0, v.out + v.err);
    assert.match(v.out, /response: valid\n[^]*request: valid\n/);
    const stranger = file('other.pem', pair('ec', { namedCurve: 'P-256' }).pub.export({ type: 'spki', format: 'pem' }));
    const refused = await call('--platform-key', stranger);
    assert.deepEqual([refused.code, refused.out], [1, '']);
    assert.equal((await call('--platform-key', '/nowhere')).code, 2);
  });
  let kept;
  const spoils = {
    'another body': (a) => { a.body = '{"a":2}'; },
    'another status': (a) => { a.status = 203; },
    'no signature': (a) => { delete a.headers.Signature; },
    'the answer of an earlier call': (a) => {
      kept ??= a.headers;
      a.headers = kept;
    },
  };
  for (const [what, spoil] of Object.entries(spoils)) {
    await withServer(key, spoil, async (call) => {
      if (what.startsWith('the answer')) assert.equal((await call('--platform-key', platform)).code, 0);
      const r = await call('--platform-key', platform);
      assert.deepEqual([r.code, r.out], [1, ''], what);
      assert.match(r.err, /the answer is refused/, what);
    });
  }
});
