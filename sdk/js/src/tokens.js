// SPDX-License-Identifier: Apache-2.0
// Access tokens (docs/oauth.md), kept by user in a vault: code exchange, refresh, and the app's own. The client proves itself with the first
// credential of the key provider: a secret as client_secret_basic is not sent, a signed assertion is (private_key_jwt).

import { randomUUID } from 'node:crypto';
import { LocalError, refusal } from './errors.js';

const JWT_ALG = { 'ecdsa-p256-sha256': 'ES256', 'rsa-pss-sha512': 'PS512', 'sm2-sm3': 'SM2SM3' };
const EARLY_MS = 30000;
const without = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)); // a refresh that gives no new one leaves the old
const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');

export class Tokens {
  #asking = new Map();

  /** @param {{control: string, app: string, keys: import('./keys.js').KeyProvider, connection: import('./http.js').Connection, vault: import('./vault.js').Vault, onDisk?: boolean, now?: () => number}} o onDisk: users' tokens outlive a restart, sealed in the vault's folder */
  constructor({ control, app, keys, connection, vault, onDisk = false, now = Date.now }) { Object.assign(this, { control, app, keys, connection, vault, onDisk, now }); }

  async #assertion() {
    const signer = (await this.keys.signers()).find((s) => JWT_ALG[s.algorithm]);
    if (!signer) throw new LocalError('key-unusable', { message: 'a token is asked for with a key pair: give the app one' });
    const at = Math.floor(this.now() / 1000);
    const text = `${part({ alg: JWT_ALG[signer.algorithm], typ: 'JWT' })}.${part({ iss: this.app, sub: this.app, aud: this.control, iat: at, exp: at + 60, jti: randomUUID() })}`;
    return `${text}.${Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')}`;
  }

  async #ask(form) {
    const body = Buffer.from(new URLSearchParams({ ...form, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await this.#assertion() }).toString());
    const answer = await this.connection.request({ method: 'POST', url: `${this.control}/oauth/token`, headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }, body });
    let o = {};
    try { o = JSON.parse(answer.body.toString('utf8')); } catch { /* refusal() says what there is */ }
    if (answer.status === 200 && typeof o.access_token === 'string') return { access: o.access_token, refresh: o.refresh_token, scope: o.scope, until: this.now() + (o.expires_in ?? 60) * 1000 };
    throw refusal({ ...answer, body: Buffer.from(JSON.stringify({ code: o.code ?? o.error, title: o.error_description ?? o.title })) });
  }

  #keep(user, token) { this.vault.session(user).put('token', token, this.onDisk ? { class: 'A1' } : {}); return token.access; }

  // A refresh token counts once: two at a time would end the whole family.
  #once(what, run) {
    if (!this.#asking.has(what)) this.#asking.set(what, run().finally(() => this.#asking.delete(what)));
    return this.#asking.get(what);
  }

  /** The app's own. */
  async own(scope) {
    const had = this.vault.session('app itself').get(`token ${scope}`);
    if (had && had.until - EARLY_MS > this.now()) return had.access;
    return this.#once(`own ${scope}`, async () => {
      const token = await this.#ask({ grant_type: 'client_credentials', scope });
      this.vault.session('app itself').put(`token ${scope}`, token);
      return token.access;
    });
  }

  /** The user came back with a code. */
  async exchange(user, { code, verifier, redirectUri }) { return this.#keep(user, await this.#ask({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri })); }

  /** That user's token, had anew when it is nearly over; undefined: the user has to consent. */
  async of(user) {
    const had = this.vault.session(user).get('token');
    if (!had || had.until - EARLY_MS > this.now()) return had?.access;
    if (!had.refresh) return undefined;
    return this.#once(`user ${user}`, async () => this.#keep(user, { refresh: had.refresh, ...without(await this.#ask({ grant_type: 'refresh_token', refresh_token: had.refresh })) }));
  }
}
