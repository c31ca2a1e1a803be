// SPDX-License-Identifier: Apache-2.0
// RFC 6238, from the RFC: what an authenticator shows for a secret in base32.
import { createHmac } from 'node:crypto';

export const step = () => Math.floor(Date.now() / 30000);

export function totp(text, at = step()) {
  const bits = [...text].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(at));
  const mac = createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, '0');
}

// An authenticator of an otpauth URI: what it shows now, or some half minutes ahead, since each code is good once.
export function authenticator(uri) {
  const secret = new URL(uri).searchParams.get('secret');
  return (ahead = 0) => totp(secret, step() + ahead);
}

// Enrols an authenticator for a signed-in user, with the code before this one: the next still counts. Gives the secret.
export async function enrol(rest) {
  const secret = new URL((await rest.post('/users/me/totp', {})).uri).searchParams.get('secret');
  for (let i = 0; i < 20; i++) {
    const { status } = await rest.raw('POST', '/api/v1/users/me/totp/confirm', { otp: totp(secret, step() - 1) });
    if (status === 204) return secret;
    await new Promise((resolve) => { setTimeout(resolve, 500); });
  }
  throw new Error('the authenticator is not enrolled');
}
