// SPDX-License-Identifier: Apache-2.0
// HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), written from the RFCs and not from our C:
// two readings of one text that must agree.

import { createHash, createHmac, randomUUID } from 'node:crypto';

const HASH = { 'hmac-sm3': 'sm3', 'hmac-sha256': 'sha256' };
const DIGEST = { sm3: 'sm3', 'sha-256': 'sha256' };

export function contentDigest(body, algorithm = 'sha-256') {
  return `${algorithm}=:${createHash(DIGEST[algorithm]).update(body).digest('base64')}:`;
}

// RFC 9421 section 2.5: one line a component, then the parameters.
export function signatureBase(components, params) {
  return components.map(([name, value]) => `"${name}": ${value}\n`).join('') + `"@signature-params": ${params}`;
}

// RFC 9421 section 2.2 and 2.1: the value a component has in this request.
function valueOf(name, { method, url, headers }) {
  const [, scheme, authority, path, query] = /^(\w+):\/\/([^/]+)([^?]*)(.*)$/s.exec(url); // not URL(), which would rewrite what is sent
  const derived = { '@method': () => method, '@authority': () => authority.toLowerCase(), '@target-uri': () => url,
    '@request-target': () => path + query, '@path': () => path, '@query': () => query || '?', '@scheme': () => scheme };
  return name.startsWith('@') ? derived[name]() : headers[name];
}

// key: {id, secret (base64url), algorithm}, or in place of the secret sign(base) that gives bytes. Returns the headers to send, those given included. `change` lets a
// test spoil one part: (parts) => parts, with {components, created, expires, nonce, alg, keyid, label}.
export function sign(key, { method = 'GET', url, headers = {}, body, digest = 'sha-256' }, change = (p) => p) {
  const now = Math.floor(Date.now() / 1000);
  const sent = { ...headers };
  const covered = ['@method', '@target-uri'];
  if (body !== undefined) {
    sent['content-digest'] ??= contentDigest(body, digest);
    covered.push('content-digest');
  }
  if (sent['sluice-grant']) covered.push('sluice-grant');
  if (sent['sluice-purpose']) covered.push('sluice-purpose');
  if (sent['sluice-sdk']) covered.push('sluice-sdk');
  if (sent['sluice-package']) covered.push('sluice-package');
  const parts = change({ components: covered, created: now, expires: now + 60, nonce: randomUUID(), alg: key.algorithm, keyid: key.id, label: 'sig1' });
  const request = { method, url, headers: sent };
  const list = parts.components.map((c) => `"${c}"`).join(' ');
  const given = [['created', parts.created], ['expires', parts.expires], ['nonce', parts.nonce], ['alg', parts.alg], ['keyid', parts.keyid]];
  const params = `(${list})` + given.filter(([, v]) => v !== undefined).map(([n, v]) => `;${n}=${typeof v === 'number' ? v : `"${v}"`}`).join('');
  const base = signatureBase(parts.components.map((c) => [c, valueOf(c, request)]), params);
  const mac = (key.sign?.(base) ?? createHmac(HASH[key.algorithm], Buffer.from(key.secret, 'base64url')).update(base).digest()).toString('base64');
  return { ...sent, 'signature-input': `${parts.label}=${params}`, signature: `${parts.label}=:${mac}:` };
}
