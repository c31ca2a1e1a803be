// SPDX-License-Identifier: Apache-2.0
// Seals the password to the platform's SM2 key before it leaves the browser: "<ms>.<nonce>.<password>", as the ASN.1 of
// GB/T 35276 (x, y, hash, cipher text). Without this script the form works as it stands.
'use strict';
(() => {
  const form = document.getElementById('login-form');
  if (!form || !window.sm2 || !window.fetch) return;
  const fromHex = (h) => Uint8Array.from(h.match(/../g), (b) => parseInt(b, 16));
  const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const hexOf = (b64) => Array.from(atob(b64.replace(/-/g, '+').replace(/_/g, '/')), (ch) => ch.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  const length = (n) => (n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255]);
  const element = (tag, bytes) => [tag, ...length(bytes.length), ...bytes];
  const integer = (bytes) => {
    let at = 0;
    while (at < bytes.length - 1 && bytes[at] === 0) at += 1;
    const kept = Array.from(bytes.slice(at));
    return element(2, kept[0] & 0x80 ? [0, ...kept] : kept);
  };
  const seal = (jwk, text) => {
    const raw = fromHex(window.sm2.doEncrypt(text, `04${hexOf(jwk.x)}${hexOf(jwk.y)}`, 1)); // C1C3C2
    const body = [...integer(raw.slice(0, 32)), ...integer(raw.slice(32, 64)), ...element(4, raw.slice(64, 96)), ...element(4, raw.slice(96))];
    return base64url(Uint8Array.from(element(0x30, body)));
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      if (new TextEncoder().encode(form.elements.password.value).length > 190) throw new Error('longer than one SM2 message');
      const answer = await (await fetch('/api/v1/login-key')).json();
      const nonce = base64url(crypto.getRandomValues(new Uint8Array(18)));
      form.elements.password_sealed.value = seal(answer.key, `${Date.now()}.${nonce}.${form.elements.password.value}`);
      form.elements.password.disabled = true;
    } catch { /* the form goes as it stands, over TLS */ }
    form.submit();
  });
})();
