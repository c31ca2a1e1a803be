// SPDX-License-Identifier: Apache-2.0
// HTTP Message Signatures (RFC 9421) and Content-Digest (RFC 9530) as docs/signatures.md asks for them: making those of a call, and holding
// an answer against the call it is to answer.

import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { IntegrityError } from './errors.js';
import { sm3 } from './sm.js';

const DIGESTS = { sm3: 'sm3', 'sha-256': 'sha256' };
const COVERED = ['content-digest', 'sluice-grant', 'sluice-purpose', 'sluice-sdk', 'sluice-confirmation', 'idempotency-key'];
const NEEDED = ['"@status"', '"content-digest"', '"sluice-transaction"', '"@method";req', '"@target-uri";req'];
const BATCH_MAX = 1024, SIGNATURE_MAX = 512, SIGNED_WORDS = 'sluice sm2-sm3-batch 1';

export const contentDigest = (body, algorithm = 'sm3') => `${algorithm}=:${createHash(DIGESTS[algorithm]).update(body).digest('base64')}:`;

const baseOf = (lines, params) => Buffer.from(`${lines.map(([name, value]) => `${name}: ${value}\n`).join('')}"@signature-params": ${params}`);

/**
 * Signs. @param {{method: string, url: string, headers: object, body?: Buffer}} request @param {import('./keys.js').Signer[]} signers
 * @returns {Promise<{method: string, url: string, headers: object, body?: Buffer, signatures: {label: string, value: string}[]}>} with all headers to send
 */
export async function signRequest(request, signers, { validS = 60, digest = 'sm3', now = Date.now } = {}) {
  const headers = { ...request.headers, ...(request.body === undefined ? {} : { 'content-digest': contentDigest(request.body, digest) }) };
  const names = COVERED.filter((n) => headers[n] !== undefined);
  const lines = [['"@method"', request.method], ['"@target-uri"', request.url], ...names.map((n) => [`"${n}"`, headers[n]])];
  const created = Math.floor(now() / 1000), inputs = [], signatures = [];
  for (const [i, s] of signers.entries()) {
    const label = `sig${i + 1}`;
    const params = `(${lines.map(([n]) => n).join(' ')});created=${created};expires=${created + validS};nonce="${randomUUID()}";keyid="${s.id}";alg="${s.algorithm}"`;
    inputs.push(`${label}=${params}`);
    signatures.push({ label, value: `:${Buffer.from(await s.sign(baseOf(lines, params))).toString('base64')}:` });
  }
  return { ...request, headers: { ...headers, 'signature-input': inputs.join(', '), signature: signatures.map((s) => `${s.label}=${s.value}`).join(', ') }, signatures };
}

const altered = (message) => new IntegrityError('answer-altered', { message });

// One member of the dictionary: the platform's. Anything that could be read in two ways is refused.
function member(headers) {
  const input = /^([a-z*][a-z0-9_.*-]*)=(\((?:"[^"\\]*"(?:;[a-z]+(?:="[^"\\]*")?)*(?: (?!\))|(?=\))))*\)((?:;[a-z]+=(?:"[^"\\]*"|-?\d+))*))$/.exec(headers['signature-input'] ?? '');
  const signature = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]+={0,2}):$/.exec(headers.signature ?? '');
  if (!input || !signature || input[1] !== signature[1]) throw altered('the signature headers cannot be read');
  const list = input[2].slice(1, input[2].indexOf(')'));
  const components = list === '' ? [] : list.split(' ');
  const given = [...input[3].matchAll(/;([a-z]+)=("[^"\\]*"|-?\d+)/g)].map(([, n, v]) => [n, v.replaceAll('"', '')]);
  const params = Object.fromEntries(given), bytes = Buffer.from(signature[2], 'base64');
  if (new Set(components).size !== components.length || given.length !== Object.keys(params).length) throw altered('the signature names something twice');
  if (!params.keyid || !params.alg || !/^\d+$/.test(params.created ?? '') || bytes.length > SIGNATURE_MAX) throw altered('the signature lacks a parameter');
  return { components, params, text: input[2], bytes };
}

function componentValue(component, answer, request) {
  const of = /^"([^"]+)"((?:;.*)?)$/.exec(component), [, name, more] = of;
  if (more === '' && name === '@status') return String(answer.status);
  if (more === '' && !name.startsWith('@')) return answer.headers[name];
  if (more === ';req' && name === '@method') return request.method;
  if (more === ';req' && name === '@target-uri') return request.url;
  if (name === 'signature') return request.signatures.find((s) => more === `;req;key="${s.label}"`)?.value;
  return undefined;
}

function digestHolds(value, body) {
  const parts = (value ?? '').split(/, ?/).map((m) => /^(sm3|sha-256)=:([A-Za-z0-9+/]{43}=):$/.exec(m));
  const known = parts.filter(Boolean);
  return known.length > 0 && known.every(([, algorithm, text]) => timingSafeEqual(Buffer.from(text, 'base64'), createHash(DIGESTS[algorithm]).update(body).digest()));
}

// What one SM2 signature over many messages says of this one: the text it signs and the signature, or nothing.
function batch(bytes, base) {
  const n = bytes.length >= 69 ? bytes.readUInt16BE(1) : 0;
  let at = bytes.length >= 69 ? bytes.readUInt16BE(3) : 0, offset = 5;
  if (bytes[0] !== 1 || n < 1 || n > BATCH_MAX || at >= n) return undefined;
  let line = sm3(Buffer.concat([Buffer.of(0), base]));
  for (let width = n; width > 1; at >>= 1, width = (width + 1) >> 1) {
    if ((at ^ 1) >= width) continue;
    const node = bytes.subarray(offset, offset += 32);
    line = sm3(Buffer.concat(at % 2 ? [Buffer.of(1), node, line] : [Buffer.of(1), line, node]));
  }
  if (bytes.length !== offset + 64) return undefined;
  return { text: Buffer.from(`${SIGNED_WORDS}\nsize: ${n}\nroot: ${line.toString('hex')}\n`), signature: bytes.subarray(offset) };
}

/**
 * Throws IntegrityError unless the platform signed this answer for this very request.
 * @param {{status: number, headers: object, body: Buffer}} answer @param {{method: string, url: string, signatures: object[]}} request
 */
export function verifyAnswer(answer, request, keys) {
  const { components, params, text, bytes } = member(answer.headers);
  const missing = NEEDED.find((c) => !components.includes(c)) ?? (components.some((c) => c.startsWith('"signature";req;key=')) ? undefined : '"signature";req');
  if (missing) throw altered(`the signature does not cover ${missing}`);
  if (answer.headers['content-type'] !== undefined && !components.includes('"content-type"')) throw altered('the signature does not cover the content type');
  if (!digestHolds(answer.headers['content-digest'], request.method === 'HEAD' ? Buffer.alloc(0) : answer.body)) throw altered('the body is not the one that was signed');
  const lines = components.map((c) => [c, componentValue(c, answer, request)]);
  const absent = lines.find(([, v]) => v === undefined);
  if (absent) throw altered(`${absent[0]} is not there`);
  const base = baseOf(lines, text);
  const many = params.alg === 'sm2-sm3-batch' ? batch(bytes, base) : { text: base, signature: bytes };
  const algorithm = params.alg === 'sm2-sm3-batch' ? 'sm2-sm3' : params.alg;
  if (!many || !keys.verify(params.keyid, algorithm, many.text, many.signature)) throw altered();
}

/** Of an answer that carries a digest but no signature. */
export function checkDigest(answer, method) {
  if (answer.headers['content-digest'] !== undefined && method !== 'HEAD' && !digestHolds(answer.headers['content-digest'], answer.body)) throw altered('the body does not have its digest');
}
