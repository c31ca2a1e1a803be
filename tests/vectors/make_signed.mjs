// SPDX-License-Identifier: Apache-2.0
// Writes signed.json: requests and responses signed by key pairs. Bases and ECDSA signatures come from the npm package
// http-message-signatures, RSA from node, SM2 from the openssl program, trees and batch bytes from this file after
// docs/signatures.md; our C must agree (libs/httpsig/signed_vectors_test.c). Keys are made for the run and thrown away.
// Run: node tests/vectors/make_signed.mjs
import { execFileSync } from 'node:child_process';
import { constants, createHash, createPrivateKey, createSign, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
const { httpbis, createSigner } = require('http-message-signatures');
const dir = mkdtempSync(path.join(tmpdir(), 'vectors-'));
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
const sm3 = (...parts) => parts.reduce((h, part) => h.update(part), createHash('sm3')).digest();
const pem = (pair) => ({ secret: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });

function sm2Key() {
  const file = path.join(dir, 'sm2.pem');
  openssl('genpkey', '-algorithm', 'SM2', '-out', file);
  return { file, key: openssl('pkey', '-in', file, '-pubout').toString() };
}

// openssl gives DER; on the wire it is r and s, 32 bytes each.
function sm2Sign(file, text) {
  const input = path.join(dir, 'text');
  writeFileSync(input, text);
  const der = openssl('pkeyutl', '-sign', '-inkey', file, '-rawin', '-digest', 'sm3', '-in', input, '-pkeyopt', 'distid:1234567812345678');
  const number = (at) => {
    const bytes = der.subarray(at + 2, at + 2 + der[at + 1]);
    return Buffer.concat([Buffer.alloc(32), bytes]).subarray(-32);
  };
  const second = 2 + 2 + der[3];
  return Buffer.concat([number(2), number(second)]);
}

// -- Merkle trees by the recursive definition of RFC 9162 section 2.1 ----------------------------------
const leaf = (data) => sm3(Buffer.of(0), data);
const split = (n) => 2 ** Math.ceil(Math.log2(n) - 1);
const root = (leaves) => (leaves.length === 1 ? leaves[0]
  : sm3(Buffer.of(1), root(leaves.slice(0, split(leaves.length))), root(leaves.slice(split(leaves.length)))));
function proof(leaves, i) {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return i < k ? [...proof(leaves.slice(0, k), i), root(leaves.slice(k))] : [...proof(leaves.slice(k), i - k), root(leaves.slice(0, k))];
}
const batchText = (n, top) => `sluice sm2-sm3-batch 1\nsize: ${n}\nroot: ${top.toString('hex')}\n`;
const u16 = (n) => Buffer.of(n >> 8, n & 255);

// -- messages ------------------------------------------------------------------------------------------
const digest = (name, body) => `${name}=:${createHash(name.replace('sha-', 'sha')).update(body).digest('base64')}:`;
const REQUEST_FIELDS = ['@method', '@target-uri', 'content-digest'];
const ANSWER_FIELDS = ['@status', 'content-type', 'content-digest', 'sluice-transaction', '"@method";req', '"@target-uri";req', '"signature";req;key="sig1"'];
const body = '{"order_id":"A-1","buyer":"张三"}';
const request = (i = 0) => ({ method: 'POST', url: `https://gateway.example:7443/trade/orders/v1?page=${i}`, headers: { 'content-digest': digest('sm3', body) } });
const answer = (i = 0) => ({ status: 200, body: `${body}${i}`, headers: { 'content-type': 'application/json', 'content-digest': digest('sha-256', `${body}${i}`),
  'sluice-transaction': `019aa5b2-7c00-7abc-8def-${String(i).padStart(12, '0')}` } });
const created = new Date(1795312800000);

// The package signs with `sign`, and hands us the base on the way.
async function signed(alg, sign, message, req, i) {
  const vector = { name: `${alg}: ${req ? 'an answer' : 'a request'} ${i}`, algorithm: alg };
  const key = { id: 'key-1', alg, sign: async (data) => { vector.base = data.toString(); return sign(data); } };
  const config = req
    ? { key, name: 'sluice', fields: ANSWER_FIELDS, params: ['created', 'keyid', 'alg'], paramValues: { created } }
    : { key, name: 'sig1', fields: REQUEST_FIELDS, params: ['created', 'expires', 'nonce', 'keyid', 'alg'],
      paramValues: { created, expires: new Date(created.getTime() + 60000), nonce: `nonce-${alg}-${i}` } };
  vector.message = await httpbis.signMessage(config, message, req);
  return vector;
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([n, v]) => [n.toLowerCase(), v]));
function plain(vector, req) {
  const { message, ...rest } = vector;
  const asked = req ?? message;
  const url = new URL(asked.url);
  return { ...rest, request: { method: asked.method, scheme: 'https', authority: url.host, target: url.pathname + url.search, headers: lower(asked.headers), body },
    ...(req ? { response: { status: message.status, headers: lower(message.headers), body: message.body } } : {}) };
}

async function pair(alg, sign, key, i = 0) {
  const sent = await signed(alg, sign, request(i), undefined, i);
  const received = await signed(alg, sign, answer(i), sent.message, i);
  return [plain(sent), plain(received, sent.message)].map((v) => ({ ...v, key }));
}

// A first pass gives the bases, whose tree is signed; a second puts the batch bytes in their place. The answers cover the
// requests' signatures, so requests and answers are batches of their own.
async function batch(n, sm2) {
  const alg = 'sm2-sm3-batch';
  const sign = async (make) => {
    const bases = [];
    for (let i = 0; i < n; i += 1) bases.push((await make(i, () => Buffer.alloc(1))).base);
    const leaves = bases.map((base) => leaf(Buffer.from(base)));
    const text = batchText(n, root(leaves));
    const sig = sm2Sign(sm2.file, text);
    const all = [];
    for (let i = 0; i < n; i += 1) all.push({ ...await make(i, () => Buffer.concat([Buffer.of(1), u16(n), u16(i), ...proof(leaves, i), sig])), text });
    return all;
  };
  const sent = await sign((i, bytes) => signed(alg, bytes, request(i), undefined, i));
  const received = await sign((i, bytes) => signed(alg, bytes, answer(i), sent[i].message, i));
  return [...sent.map((v) => plain(v)), ...received.map((v, i) => plain(v, sent[i].message))].map((v) => ({ ...v, key: sm2.key }));
}

try {
  const ec = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' })), rsa = pem(generateKeyPairSync('rsa', { modulusLength: 2048 })), sm2 = sm2Key();
  const stock = (alg, { secret }) => createSigner(createPrivateKey(secret), alg).sign;
  // RFC 9421 section 3.3.1: a salt of 64 bytes. The package takes the longest that fits.
  const rsaSign = ({ secret }) => (data) => createSign('sha512').update(data)
    .sign({ key: secret, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 });
  const vectors = [
    ...await pair('ecdsa-p256-sha256', stock('ecdsa-p256-sha256', ec), ec.key),
    ...await pair('rsa-pss-sha512', rsaSign(rsa), rsa.key),
    ...await pair('sm2-sm3', (data) => sm2Sign(sm2.file, data), sm2.key),
    ...await batch(3, sm2),
  ];
  writeFileSync(new URL('signed.json', import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
} finally {
  rmSync(dir, { recursive: true });
}
