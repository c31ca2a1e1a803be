// SPDX-License-Identifier: Apache-2.0
// A private key of one's own, read from its file into the browser's own keeping for as long as the page is open: it signs here and
// goes nowhere. PKCS 8 in PEM, of the algorithms that browsers have.
const KINDS: Record<string, { load: RsaHashedImportParams | EcKeyImportParams; sign: EcdsaParams | RsaPssParams }> = {
  'ecdsa-p256-sha256': { load: { name: 'ECDSA', namedCurve: 'P-256' }, sign: { name: 'ECDSA', hash: 'SHA-256' } },
  'rsa-pss-sha512': { load: { name: 'RSA-PSS', hash: 'SHA-512' }, sign: { name: 'RSA-PSS', saltLength: 64 } },
};
export const signs = (algorithm: string): boolean => algorithm in KINDS;

export async function read(file: File, algorithm: string): Promise<CryptoKey> {
  const pem = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(await file.text());
  if (!pem) throw new Error('pem');
  const der = Uint8Array.from(atob(pem[1].replace(/\s/g, '')), (ch) => ch.charCodeAt(0));
  return crypto.subtle.importKey('pkcs8', der, KINDS[algorithm].load, false, ['sign']);
}

// The value of Signature over a base.
export async function sign(key: CryptoKey, algorithm: string, base: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.sign(KINDS[algorithm].sign, key, new TextEncoder().encode(base)));
  return `sig1=:${btoa(String.fromCharCode(...bytes))}:`;
}
