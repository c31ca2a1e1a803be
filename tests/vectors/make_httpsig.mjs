// SPDX-License-Identifier: Apache-2.0
// Writes httpsig.json: signed requests with their signature base and signature, computed here from RFC 9421
// and not by our C, which must agree (libs/httpsig/vectors_test.c). Run: node tests/vectors/make_httpsig.mjs
import { createHash, createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const HASH = { 'hmac-sm3': 'sm3', 'hmac-sha256': 'sha256' };
const secret = Buffer.from('00112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f0', 'hex').toString('base64url');
const keyid = '019aa5b2-7c00-7abc-8def-0123456789ab';
const grant = '019aa5b2-8000-7123-9456-89abcdef0123';
const digest = (name, body) => `${name}=:${createHash(name.replace('sha-', 'sha')).update(body).digest('base64')}:`;

// [what, request, covered components and the value each has]
const calls = [
  ['a call without a query', { method: 'GET', target: '/trade/orders/v1' },
    { '@method': 'GET', '@authority': 'gateway.example:7443', '@path': '/trade/orders/v1', '@query': '?' }],
  ['a query, percent-encoded', { method: 'GET', target: '/trade/orders/v1?buyer=eq.%E5%BC%A0%E4%B8%89&select=id,buyer&limit=20' },
    { '@method': 'GET', '@authority': 'gateway.example:7443', '@path': '/trade/orders/v1', '@query': '?buyer=eq.%E5%BC%A0%E4%B8%89&select=id,buyer&limit=20' }],
  ['an empty query after its mark', { method: 'GET', target: '/a/%7Eb?' },
    { '@method': 'GET', '@path': '/a/%7Eb', '@query': '?' }],
  ['a grant', { method: 'GET', target: '/trade/orders/v1?limit=1', headers: { 'sluice-grant': grant } },
    { '@method': 'GET', '@authority': 'gateway.example:7443', '@path': '/trade/orders/v1', '@query': '?limit=1', 'sluice-grant': grant }],
  ['a body with its digest by SHA-256', { method: 'POST', target: '/credit/v1', body: '{"licenseID":"张三"}', digest: 'sha-256' },
    { '@method': 'POST', '@authority': 'gateway.example:7443', '@path': '/credit/v1', '@query': '?' }],
  ['a body with its digest by SM3', { method: 'POST', target: '/credit/v1', body: '{"licenseID":"张三"}', digest: 'sm3' },
    { '@method': 'POST', '@target-uri': 'https://gateway.example:7443/credit/v1' }],
  ['the host in capitals and with the scheme\'s own port', { method: 'GET', authority: 'Gateway.EXAMPLE:443', target: '/x?y' },
    { '@method': 'GET', '@authority': 'gateway.example', '@scheme': 'https', '@request-target': '/x?y' }],
  ['two lines of one field, joined', { method: 'GET', target: '/x', headers: { accept: 'application/json, text/plain' } },
    { '@method': 'GET', '@request-target': '/x', accept: 'application/json, text/plain' }],
];

const vectors = Object.keys(HASH).flatMap((algorithm) => calls.map(([name, given, values], i) => {
  const request = { scheme: 'https', authority: 'gateway.example:7443', headers: {}, ...given };
  const covered = { ...values };
  if (request.body !== undefined) covered['content-digest'] = request.headers['content-digest'] = digest(request.digest, request.body);
  const { digest: _, ...sent } = { ...request, headers: { ...request.headers } };
  const nonce = `nonce-${algorithm}-${i}`;
  const params = `(${Object.keys(covered).map((c) => `"${c}"`).join(' ')});created=1795312800;expires=1795312860;nonce="${nonce}";keyid="${keyid}";alg="${algorithm}"`;
  const base = Object.entries(covered).map(([c, v]) => `"${c}": ${v}\n`).join('') + `"@signature-params": ${params}`;
  const mac = createHmac(HASH[algorithm], Buffer.from(secret, 'base64url')).update(base).digest('base64');
  return { name: `${algorithm}: ${name}`, algorithm, keyid, secret, request: sent, base, signature_input: `sig1=${params}`, signature: `sig1=:${mac}:` };
}));
writeFileSync(new URL('httpsig.json', import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
