// SPDX-License-Identifier: Apache-2.0
// How the SDK gets at keys: through a KeyProvider and no other way. What a provider holds may be in a file (KeyStore), a hardware module or
// a service; the SDK only asks it to sign and to open.

import { createHmac, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { LocalError } from './errors.js';
import { sm2Jwk, sm2Point, sm2Public, sm2Secret, sm2Sign, sm2Verify } from './sm.js';

/**
 * @typedef {object} Signer one credential
 * @property {string} id the credential's id at the platform
 * @property {string} algorithm
 * @property {(base: Buffer) => Buffer|Promise<Buffer>} sign
 *
 * @typedef {object} KeyProvider
 * @property {() => Signer[]|Promise<Signer[]>} signers one, or the two of an app that has to show a secret and a key pair: the pair's first
 * @property {(kid?: string) => import('node:crypto').KeyObject|undefined|Promise<import('node:crypto').KeyObject|undefined>} [opener] for ECDH-ES
 * @property {() => Buffer|Promise<Buffer>} [storeKey] 32 bytes, for caches, tokens and records of consent on disk
 */

const HMAC = { 'hmac-sm3': 'sm3', 'hmac-sha256': 'sha256' };
export const ALGORITHMS = [...Object.keys(HMAC), 'sm2-sm3', 'ecdsa-p256-sha256', 'rsa-pss-sha512'];
const PSS = { padding: 6 /* RSA_PKCS1_PSS_PADDING */, saltLength: 64 };

function openPrivate(pem, curve) {
  let key;
  try { key = createPrivateKey(pem); } catch (cause) { throw new LocalError('key-unusable', { cause }); }
  if (curve ? key.asymmetricKeyDetails?.namedCurve !== curve : key.asymmetricKeyType !== 'rsa') throw new LocalError('key-unusable');
  return key;
}

const MAKERS = {
  'sm2-sm3': (material) => {
    const secret = /^[0-9a-f]{64}$/.test(material) ? material : sm2Secret(material);
    if (!secret) throw new LocalError('key-unusable', { message: 'not a private key of SM2' });
    const point = sm2Public(secret);
    return { sign: (base) => sm2Sign(base, secret, point), jwk: sm2Jwk(point) };
  },
  'ecdsa-p256-sha256': (material) => {
    const key = openPrivate(material, 'prime256v1');
    return { sign: (base) => sign('sha256', base, { key, dsaEncoding: 'ieee-p1363' }), jwk: createPublicKey(key).export({ format: 'jwk' }) };
  },
  'rsa-pss-sha512': (material) => {
    const key = openPrivate(material);
    return { sign: (base) => sign('sha512', base, { key, ...PSS }), jwk: createPublicKey(key).export({ format: 'jwk' }) };
  },
};

/**
 * A signer of key material: the secret as the platform gave it (base64url) for hmac-*, else a private key in PEM (of SM2 also its 64 hexadecimal digits).
 * @returns {Signer & {jwk?: object}}
 */
export function signer(id, algorithm, material) {
  if (!ALGORITHMS.includes(algorithm)) throw new LocalError('key-unusable', { message: `${algorithm}: one of ${ALGORITHMS.join(', ')}` });
  if (!HMAC[algorithm]) return { id, algorithm, ...MAKERS[algorithm](material) };
  const secret = Buffer.from(material, 'base64url');
  if (secret.length < 16) throw new LocalError('key-unusable', { message: 'a secret has at least 16 bytes' });
  return { id, algorithm, sign: (base) => createHmac(HMAC[algorithm], secret).update(base).digest() };
}

const PUBLIC = { 'ecdsa-p256-sha256': ['sha256', { dsaEncoding: 'ieee-p1363' }], 'rsa-pss-sha512': ['sha512', PSS] };

/** A public key of the platform's: {kid?, verify(algorithm, bytes, signature)}. @param {string|object} key PEM or JWK */
function platformKey(key) {
  const kid = typeof key === 'object' ? key.kid : undefined, point = sm2Point(key);
  if (point) return { kid, verify: (algorithm, bytes, signature) => ['sm2-sm3', 'SM2SM3'].includes(algorithm) && sm2Verify(bytes, signature, point) };
  const object = createPublicKey(typeof key === 'string' ? key : { key, format: 'jwk' });
  return { kid, verify: (algorithm, bytes, signature) => {
    const [hash, how] = PUBLIC[algorithm] ?? [];
    return hash !== undefined && (algorithm[0] === 'r') === (object.asymmetricKeyType === 'rsa') && verify(hash, bytes, { key: object, ...how }, signature);
  } };
}

/** @param {string|object} set PEM, JWK, JWK set, or the text of one of these */
export function platformKeys(set) {
  const given = typeof set === 'string' && !set.trimStart().startsWith('-') ? JSON.parse(set) : set;
  const list = given?.keys ?? [given];
  const usable = list.filter((k) => typeof k === 'string' || (k && k.use !== 'enc')).map(platformKey);
  if (!usable.length) throw new LocalError('settings-invalid', { message: 'no key of the platform to verify answers with' });
  const sealing = list.filter((k) => k?.use === 'enc');
  return { sealing, verify: (keyid, algorithm, bytes, signature) => usable.some((k) => (k.kid === undefined || k.kid === keyid) && k.verify(algorithm, bytes, signature)) };
}
