// SPDX-License-Identifier: Apache-2.0
// Sealed bodies (docs/protection.md): compact JWE, ECDH-ES with A256GCM, by the `jose` library. The other suite, SM2 with SM4-GCM, needs an
// SM4-GCM that Node's OpenSSL 3.0 does not have; it is refused by its name.

import { timingSafeEqual } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader, importJWK } from 'jose';
import { IntegrityError, LocalError } from './errors.js';
import { sm3 } from './sm.js';

export const SEALED = 'application/jose';

/** @returns {Promise<{body: Buffer, type: string}>} what is inside, once its digest is that of the header. */
export async function open(body, keys) {
  const text = body.toString('latin1').trim();
  let header, plain;
  try { header = decodeProtectedHeader(text); } catch (cause) { throw new IntegrityError('seal-unopened', { cause }); }
  if (header.enc === 'SM4GCM') throw new LocalError('seal-suite-unsupported');
  const key = await keys.opener?.(header.kid);
  if (!key) throw new LocalError('key-unusable', { message: `no key to open an answer for ${header.kid}` });
  try {
    plain = Buffer.from((await compactDecrypt(text, key, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] })).plaintext);
  } catch (cause) { throw new IntegrityError('seal-unopened', { cause }); }
  const want = Buffer.from(String(header.digest ?? ''), 'base64url'), got = sm3(plain);
  if (want.length !== got.length || !timingSafeEqual(want, got)) throw new IntegrityError('seal-unopened', { message: 'what was opened does not have the digest the platform stated' });
  return { body: plain, type: typeof header.cty !== 'string' ? 'application/json' : header.cty.includes('/') ? header.cty : `application/${header.cty}` };
}

/** @param {Buffer} body @param {object[]} sealing the platform's keys of use `enc` @param {string} type */
export async function seal(body, sealing, type = 'application/json') {
  const jwk = sealing.find((k) => k.crv === 'P-256');
  if (!jwk) throw new LocalError('settings-invalid', { message: 'platformKeys has no key (P-256, use enc) to seal requests for' });
  const protectedHeader = { alg: 'ECDH-ES', enc: 'A256GCM', kid: jwk.kid, cty: type, digest: sm3(body).toString('base64url') };
  return Buffer.from(await new CompactEncrypt(body).setProtectedHeader(protectedHeader).encrypt(await importJWK(jwk, 'ECDH-ES')));
}
