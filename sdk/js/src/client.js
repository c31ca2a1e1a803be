// SPDX-License-Identifier: Apache-2.0
// A call: signed, sent over checked TLS, its answer held against the platform's signature before anything of it is handed out, written down.
// Nothing here knows any API: one that was published today is called by its path.

import { createHmac } from 'node:crypto';
import { CallLog } from './calllog.js';
import { IntegrityError, LocalError, SluiceError, refusal } from './errors.js';
import { Connection } from './http.js';
import { checkDigest, signRequest, verifyAnswer } from './httpsig.js';
import { platformKeys } from './keys.js';
import { described } from './personal.js';
import { Proofs } from './proofs.js';
import { Breaker, UserLimit, backOffMs, mayRepeat, sleep } from './resilience.js';
import { SEALED, open, seal } from './seal.js';
import { selfCheck } from './self.js';
import { derived } from './vault.js';

const SELF = selfCheck();
const HARMLESS = new Set(['GET', 'HEAD']);
const REFUSED_OFTEN = 5, PATHS_MOST = 1000;
const bounded = (map) => { if (map.size >= PATHS_MOST) map.delete(map.keys().next().value); }; // paths no description knows may be as many as there are things
const encoded = (purpose) => encodeURI(purpose).replaceAll('\'', '%27');

/**
 * @typedef {object} Options
 * @property {string} gateway `https://name:port` @property {string|Buffer} ca PEM @property {string} app the app's id
 * @property {import('./keys.js').KeyProvider} keys
 * @property {string|object} [platformKeys] what `GET /api/v1/keys` of the control plane gave, or a PEM: answers are verified with it
 * @property {object[]} [descriptions] what `GET /api/v1/apis/{id}/openapi` gave, of the APIs the app uses
 * @property {string[]} [unsigned] paths whose answers need no signature (class A1 without `sign_response`), where no description says so
 * @property {string} [log] folder of the call log @property {string} [proofs] folder for signed answers @property {number} [retentionDays]
 * @property {{certificate: string, key: string, passphrase?: string}} [tls] the app's own certificate
 * @property {number} [timeoutMs] @property {number} [retries] 3 @property {object} [breaker] @property {object} [perUser]
 * @property {(alert: {what: string, api: string}) => void} [onAlert] breaker-open, integrity, refused-often, sdk-outdated
 *
 * @typedef {object} Call
 * @property {string} [method] @property {object|Buffer} [body] an object is sent as JSON @property {string} [type] of a Buffer
 * @property {string} [grant] @property {string} [purpose] @property {string} [user] who of the app's users it is for: limits and log
 * @property {string} [token] of that user's @property {string} [confirmation] @property {object} [query] @property {object} [headers]
 * @property {string} [idempotencyKey] the transaction's own number, the same for each attempt: makes a write safe to repeat
 * @property {boolean} [retry] it does no harm when it is carried out twice @property {boolean} [seal] the body is sealed to the platform; not said: where the description asks for it
 * @property {boolean} [sealed] the answer is wanted sealed @property {(data: unknown) => boolean} [failed] does this answer tell of a transaction that failed?
 * @property {boolean} [raw] bytes as they are @property {'zh'|'en'} [lang] of the words in which the platform says why not
 *
 * @typedef {object} Answer
 * @property {unknown} data @property {Buffer} bytes @property {number} status @property {object} headers @property {string} transaction
 * @property {boolean} signed @property {boolean} sealed @property {boolean} noStore may not be put on disk @property {string} [proof] the file it is kept in @property {number} attempts
 */
export class Sluice {
  #o; #connection; #keys; #apis; #breakers = new Map(); #limit; #log; #proofs; #pseudonym; #refused = new Map(); #told = false;

  /** @param {Options} o */
  constructor(o) {
    for (const need of ['gateway', 'app', 'keys']) if (!o[need]) throw new LocalError('settings-invalid', { message: `${need} is needed` });
    if (!/^https:\/\/[^/]+$/.test(o.gateway)) throw new LocalError('settings-invalid', { message: 'gateway: https://name:port' });
    this.#o = { retries: 3, unsigned: [], onAlert: () => {}, ...o, gateway: new URL(o.gateway).origin }; // as the Host header will have it
    this.#connection = new Connection({ ca: o.ca, timeoutMs: o.timeoutMs, ...(o.tls ?? {}) });
    this.#keys = o.platformKeys ? platformKeys(o.platformKeys) : undefined;
    this.#apis = (o.descriptions ?? []).flatMap(described).sort((a, b) => b.path.length - a.path.length);
    this.#limit = new UserLimit(o.perUser);
    this.#log = o.log ? new CallLog({ folder: o.log, retentionDays: o.retentionDays }) : undefined;
    this.#proofs = o.proofs ? new Proofs(o.proofs) : undefined;
  }

  static get release() { return SELF; }

  get connection() { return this.#connection; }

  /** What the platform says of the API at this path. */
  describes(target) { return this.#apis.find((a) => target === a.path || target.startsWith(`${a.path}/`) || target.startsWith(`${a.path}?`)); }

  /** @param {string} target path and query @param {Call} [call] @returns {Promise<Answer>} */
  async call(target, call = {}) {
    if (typeof target !== 'string' || !target.startsWith('/') || /\s|#/.test(target)) throw new LocalError('settings-invalid', { message: `${target}: a path, from its /` });
    const query = call.query ? `${target.includes('?') ? '&' : '?'}${new URLSearchParams(call.query)}` : '';
    const method = call.method ?? (call.body === undefined ? 'GET' : 'POST'), api = this.describes(target) ?? { path: target.split('?')[0] };
    const began = Date.now(), told = { attempts: 0 };
    try {
      if (call.user !== undefined) this.#limit.take(call.user);
      const answer = await this.#guarded(api, () => this.#attempts(target + query, method, api, call, told), call);
      await this.#write(api, method, call, { began, ...told, answer });
      return answer;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      await this.#write(api, method, call, { began, ...told, error });
      this.#watch(api, error);
      throw error;
    }
  }

  // One API's failures are its own.
  async #guarded(api, run, call) {
    if (!this.#breakers.has(api.path)) {
      bounded(this.#breakers);
      this.#breakers.set(api.path, new Breaker({ ...this.#o.breaker, onOpen: (e) => this.#o.onAlert({ what: 'breaker-open', api: api.path, ...e }) }));
    }
    const breaker = this.#breakers.get(api.path);
    const time = breaker.before();
    try {
      const answer = await run();
      breaker.after(time, call.failed?.(answer.data) ? 'transactions' : 'ok');
      return answer;
    } catch (e) {
      const serves = e.kind === 'gateway' && e.status < 500; // it answered, and what it refused is for us to mend
      if (e.kind === 'business') breaker.after(time, 'transactions'); else if (e.kind === 'local' || e.kind === undefined) breaker.undecided(time); else breaker.after(time, serves ? 'ok' : 'calls');
      throw e;
    }
  }

  async #attempts(target, method, api, call, told) {
    const harmless = HARMLESS.has(method) || call.retry === true || call.idempotencyKey !== undefined;
    for (let attempt = 0; ; attempt++) {
      told.attempts = attempt + 1;
      try { return { ...await this.#once(target, method, api, call), attempts: attempt + 1 }; } catch (e) {
        if (attempt >= this.#o.retries || !mayRepeat(e, harmless)) throw e;
        await sleep(backOffMs(attempt, e));
      }
    }
  }

  #headers(api, call) {
    const named = { 'accept-language': call.lang, 'sluice-grant': call.grant, 'sluice-purpose': call.purpose === undefined ? undefined : encoded(call.purpose), 'sluice-confirmation': call.confirmation, 'idempotency-key': call.idempotencyKey,
      authorization: call.token === undefined ? undefined : `Bearer ${call.token}`, accept: call.sealed || api.sealed ? SEALED : 'application/json, */*;q=0.1' };
    const own = Object.fromEntries(Object.entries(call.headers ?? {}).map(([n, v]) => [n.toLowerCase(), v]));
    return { ...own, ...Object.fromEntries(Object.entries(named).filter(([, v]) => v !== undefined)), 'sluice-sdk': SELF.header };
  }

  async #body(api, call) {
    if (call.body === undefined) return {};
    const plain = Buffer.isBuffer(call.body) ? call.body : Buffer.from(JSON.stringify(call.body)), type = call.type ?? 'application/json';
    return call.seal ?? api.seals ? { body: await seal(plain, this.#keys?.sealing ?? [], type), type: SEALED } : { body: plain, type };
  }

  async #once(target, method, api, call) {
    const { body, type } = await this.#body(api, call);
    const headers = { ...this.#headers(api, call), ...(type ? { 'content-type': type } : {}) };
    const request = await signRequest({ method, url: this.#o.gateway + target, headers, body }, await this.#o.keys.signers(), { validS: this.#o.validS });
    const answer = await this.#connection.request(request);
    const signed = this.#authentic(answer, request, api);
    if (answer.headers['sluice-sdk-notice'] !== undefined) this.#outdated(answer.headers['sluice-sdk-notice']);
    const kept = signed ? this.#proofs?.keep(request, answer, { bodies: api.class === 'A1' }) : undefined;
    if (answer.status < 200 || answer.status > 299) throw refusal({ ...answer, authentic: signed });
    const sealed = answer.headers['content-type'] === SEALED;
    const inner = sealed ? await open(answer.body, this.#o.keys) : { body: answer.body, type: answer.headers['content-type'] };
    if ((call.sealed || api.sealed) && !sealed) throw new IntegrityError('seal-unopened', { message: 'the answer was to be sealed and is not' });
    return { data: call.raw ? undefined : read(inner), bytes: inner.body, status: answer.status, headers: answer.headers, transaction: answer.headers['sluice-transaction'], signed, sealed,
      noStore: api.class !== 'A1', ...(kept ? { proof: kept } : {}) };
  }

  // A refusal may come unsigned (the platform does not know who asks); data may not, unless it is known to.
  #authentic(answer, request, api) {
    const mayLack = api.class === 'A1' && api.signed === false ? true : this.#o.unsigned.includes(api.path) || this.#o.unsigned.some((u) => api.path.startsWith(`${u}/`));
    if (answer.headers.signature !== undefined && this.#keys) { verifyAnswer(answer, request, this.#keys); return true; }
    if (answer.headers.signature === undefined) checkDigest(answer, request.method);
    if (answer.status >= 400 || mayLack) return false;
    throw new IntegrityError('answer-unsigned', { message: this.#keys ? undefined : 'the answer cannot be verified: give platformKeys' });
  }

  async #write(api, method, call, { began, attempts, answer, error }) {
    if (!this.#log) return;
    this.#pseudonym ??= derived(await this.#o.keys.storeKey?.() ?? Buffer.from(this.#o.app), 'log users');
    const user = call.user === undefined ? undefined : createHmac('sm3', this.#pseudonym).update(call.user).digest('hex').slice(0, 16);
    this.#log.record({ app: this.#o.app, api: api.path, api_id: api.id, method, transaction: answer?.transaction ?? error?.transaction, status: answer?.status ?? error?.status, kind: error?.kind, code: error?.code, ms: Date.now() - began, attempts, user,
      grant: call.grant, business: call.idempotencyKey, fields: api.fields, request: Buffer.isBuffer(call.body) ? undefined : call.body, answer: answer?.data });
  }

  // The platform will not take this release for ever: said once.
  #outdated(notice) {
    if (this.#told) return;
    this.#told = true;
    this.#o.onAlert({ what: 'sdk-outdated', api: '', code: notice });
  }

  #watch(api, error) {
    if (error.kind === 'integrity') this.#o.onAlert({ what: 'integrity', api: api.path, code: error.code });
    if (error.kind !== 'gateway') return;
    const n = (this.#refused.get(api.path) ?? 0) + 1;
    bounded(this.#refused);
    this.#refused.set(api.path, n % REFUSED_OFTEN);
    if (n === REFUSED_OFTEN) this.#o.onAlert({ what: 'refused-often', api: api.path, code: error.code });
  }

  close() { this.#connection.close(); this.#log?.close(); }
}

function read({ body, type }) {
  if (body.length === 0) return null;
  if (!/[/+]json\b/.test(type ?? '')) return body.toString('utf8');
  try { return JSON.parse(body.toString('utf8')); } catch (cause) { throw new IntegrityError('answer-unreadable', { cause }); }
}
