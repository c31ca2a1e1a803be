// SPDX-License-Identifier: Apache-2.0
// Seals a password to the platform's SM2 key before it leaves the browser: "<ms>.<nonce>.<password>", as the ASN.1 of GB/T 35276
// (x, y, hash, cipher text). The sign-in page's assets/login.js does the same.
import { sm2 } from 'sm-crypto';
import { api } from '../api/client';

const MOST = 190; // bytes of a password that one message has room for
const fromHex = (h: string) => Uint8Array.from(h.match(/../g) ?? [], (b) => parseInt(b, 16));
const base64url = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const hexOf = (b64: string) => Array.from(atob(b64.replace(/-/g, '+').replace(/_/g, '/')), (ch) => ch.charCodeAt(0).toString(16).padStart(2, '0')).join('');
const length = (n: number) => (n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255]);
const element = (tag: number, bytes: Iterable<number>) => { const all = [...bytes]; return [tag, ...length(all.length), ...all]; };

function integer(bytes: Uint8Array): number[] {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at += 1;
  const kept = [...bytes.slice(at)];
  return element(2, kept[0] & 0x80 ? [0, ...kept] : kept);
}

// The members a body takes for a password: sealed, or as it is (over TLS) when it is longer than a message.
export async function password(name: string, text: string): Promise<Record<string, string>> {
  if (new TextEncoder().encode(text).length > MOST) return { [name]: text };
  const { key } = await api.get<{ key: { x: string; y: string } }>('/login-key');
  const said = `${Date.now()}.${base64url(crypto.getRandomValues(new Uint8Array(18)))}.${text}`;
  const raw = fromHex(sm2.doEncrypt(said, `04${hexOf(key.x)}${hexOf(key.y)}`, 1)); // C1C3C2
  const body = [...integer(raw.slice(0, 32)), ...integer(raw.slice(32, 64)), ...element(4, raw.slice(64, 96)), ...element(4, raw.slice(96))];
  return { [`${name}_sealed`]: base64url(Uint8Array.from(element(0x30, body))) };
}
