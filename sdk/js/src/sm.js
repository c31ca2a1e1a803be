// SPDX-License-Identifier: Apache-2.0
// SM3 and SM2 (GB/T 32918.2, identity 1234567812345678). SM3 and all random numbers and points are OpenSSL's, through Node; the arithmetic of
// an SM2 signature is sm-crypto's, since Node cannot hand OpenSSL the identity. sm-crypto's own random numbers come from Math.random outside
// browsers, so it is never let draw one: k and its point are given. Its arithmetic is not constant in time: where others can time your
// process, sign with ecdsa-p256-sha256 or behind a KeyProvider of your own.

import { createECDH, createHash, ECDH } from 'node:crypto';
import smCrypto from 'sm-crypto';

const { sm2 } = smCrypto;
const N = BigInt('0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123');
const BigInteger = sm2.getPoint().k.constructor; // sm-crypto takes numbers of its own kind alone
const SPKI = '3059301306072a8648ce3d020106082a811ccf5501822d034200'; // what stands before the point in a public key of SM2

/** @param {Buffer|string} bytes */
export const sm3 = (bytes) => createHash('sm3').update(bytes).digest();
export const sm3Hex = (bytes) => sm3(bytes).toString('hex');

function ephemeral() {
  const pair = createECDH('SM2');
  const point = pair.generateKeys('hex');
  return { k: new BigInteger(pair.getPrivateKey('hex'), 16), x1: new BigInteger(point.slice(2, 66), 16) };
}

/** The public point of a private key, hex of 65 bytes. */
export function sm2Public(secretHex) {
  const pair = createECDH('SM2');
  pair.setPrivateKey(secretHex.padStart(64, '0'), 'hex');
  return pair.getPublicKey('hex');
}

/** A new pair: {secret, point}, both hex. */
export function sm2Pair() {
  const pair = createECDH('SM2');
  const point = pair.generateKeys('hex');
  return { secret: pair.getPrivateKey('hex').padStart(64, '0'), point };
}

/** r ‖ s, 64 bytes. */
export function sm2Sign(message, secretHex, pointHex = sm2Public(secretHex)) {
  const pointPool = Array.from({ length: 4 }, ephemeral); // a second one is needed once in 2^255
  return Buffer.from(sm2.doSignature([...message], secretHex, { hash: true, publicKey: pointHex, pointPool }), 'hex');
}

const inRange = (hex) => { const v = BigInt(`0x${hex}`); return v > 0n && v < N; };

export function sm2Verify(message, signature, pointHex) {
  const hex = signature.toString('hex');
  if (signature.length !== 64 || !inRange(hex.slice(0, 64)) || !inRange(hex.slice(64))) return false;
  try { return sm2.doVerifySignature([...message], hex, pointHex, { hash: true }); } catch { return false; }
}

// Throws when the point is not on the curve.
const checked = (pointHex) => { ECDH.convertKey(pointHex, 'SM2', 'hex', 'hex', 'compressed'); return pointHex; };

/** The point of a public key given as JWK or as SPKI in PEM; undefined when it is none of SM2. */
export function sm2Point(key) {
  if (typeof key === 'object' && key.crv === 'SM2') return checked(`04${[key.x, key.y].map((v) => Buffer.from(v, 'base64url').toString('hex').padStart(64, '0')).join('')}`);
  if (typeof key !== 'string') return undefined;
  const der = pemBytes(key).toString('hex');
  return der.startsWith(SPKI) && der.length === SPKI.length + 130 ? checked(der.slice(SPKI.length)) : undefined;
}

export const pemBytes = (pem) => Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64');

/** The private number in an unencrypted SM2 key (SEC 1, also inside PKCS #8), known to be it by the public point that stands beside it. */
export function sm2Secret(pem) {
  const der = pemBytes(pem).toString('hex');
  const secret = /0201010420([0-9a-f]{64})/.exec(der)?.[1];
  return secret && der.includes('2a811ccf5501822d') && der.includes(sm2Public(secret)) ? secret : undefined;
}

export const sm2Jwk = (pointHex) => ({ kty: 'EC', crv: 'SM2', x: Buffer.from(pointHex.slice(2, 66), 'hex').toString('base64url'), y: Buffer.from(pointHex.slice(66), 'hex').toString('base64url') });
