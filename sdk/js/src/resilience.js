// SPDX-License-Identifier: Apache-2.0
// What keeps one failing API from taking the app along: back-off, a breaker for each API, and a bound on what one user may cause.

import { LocalError } from './errors.js';

export const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

const WAIT_MOST_MS = 5000;
const AGAIN = new Set(['upstream-unavailable', 'upstream-timeout', 'source-unavailable', 'source-busy', 'policy-stale', 'plan-changed', 'definition-missing', 'limits-unavailable',
  'rate-limited', 'concurrency-limited', 'events-unavailable', 'replay-store-full']);

/** May this be sent once more? What may have been carried out is repeated only if that does no harm; what the platform asks a long wait for is the app's to plan. */
export function mayRepeat(error, harmless) {
  if ((error.retryAfterS ?? 0) * 1000 > WAIT_MOST_MS) return false;
  if (error.kind === 'network') return error.code !== 'answer-too-long' && (harmless || !error.sent);
  return error.kind === 'gateway' && AGAIN.has(error.code) && (harmless || error.status === 429);
}

/** Twice as long each time, half of it by chance, or as long as the platform says. */
export const backOffMs = (attempt, error, { firstMs = 100, mostMs = WAIT_MOST_MS } = {}) => Math.min(mostMs, Math.max((error.retryAfterS ?? 0) * 1000, firstMs * 2 ** attempt * (0.5 + Math.random() / 2)));

/**
 * Opens when `calls` of the last `window` calls failed (network, gateway, integrity), or `transactions` were turned down (business). While it is open nothing
 * is sent; after `openMs` one call goes through and decides.
 */
export class Breaker {
  #last = []; #openUntil = 0; #probing = false; #time = 0;

  constructor({ calls = 5, transactions = 10, window = 20, openMs = 10000, onOpen = () => {}, now = Date.now } = {}) { Object.assign(this, { calls, transactions, window, openMs, onOpen, now }); }

  get state() { return this.#openUntil === 0 ? 'closed' : this.now() < this.#openUntil ? 'open' : 'half-open'; }

  /** @returns {number} to be given to after(): what a call of an earlier time tells is of no use any more */
  before() {
    const { state } = this;
    if (state === 'closed') return this.#time;
    if (state === 'open' || this.#probing) throw new LocalError('breaker-open', { retryAfterS: Math.max(0, Math.ceil((this.#openUntil - this.now()) / 1000)) });
    this.#probing = true;
    return this.#time;
  }

  /** @param {number} time @param {'ok'|'calls'|'transactions'} outcome */
  after(time, outcome) {
    if (time !== this.#time) return;
    if (this.#probing) {
      this.#probing = false;
      if (outcome === 'ok') this.#close(); else this.#open(outcome);
      return;
    }
    this.#last = [...this.#last, outcome].slice(-this.window);
    if (outcome !== 'ok' && this.#last.filter((o) => o === outcome).length >= this[outcome]) this.#open(outcome);
  }

  /** The call ended without telling anything of the API. */
  undecided(time) { if (time === this.#time) this.#probing = false; }

  #close() { this.#openUntil = 0; this.#time += 1; }

  #open(why) {
    this.#last = [];
    this.#time += 1;
    this.#openUntil = this.now() + this.openMs;
    this.onOpen({ why, until: this.#openUntil });
  }
}

/** At most `perMinute` calls of one user, with as many at once as `burst`. Users who were quiet for a minute are forgotten. */
export class UserLimit {
  #users = new Map(); #looked = 0;

  constructor({ perMinute = 120, burst = 20, now = Date.now } = {}) { Object.assign(this, { perMinute, burst, now }); }

  take(user) {
    const now = this.now(), had = this.#users.get(user) ?? { left: this.burst, at: now };
    const left = Math.min(this.burst, had.left + ((now - had.at) * this.perMinute) / 60000);
    if (now - this.#looked > 60000) {
      this.#looked = now;
      for (const [id, u] of this.#users) if (now - u.at > 60000) this.#users.delete(id);
    }
    this.#users.set(user, { left: left >= 1 ? left - 1 : left, at: now });
    if (left < 1) throw new LocalError('user-limited', { retryAfterS: Math.ceil(((1 - left) * 60) / this.perMinute) });
  }
}
