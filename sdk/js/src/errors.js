// SPDX-License-Identifier: Apache-2.0
// What can go wrong, told apart by `kind` and, exactly, by `code`: that of contract/errors.tsv when the platform said it, one of `words.js`
// when we did. An app branches on these two and shows `message`.

import { words } from './words.js';

export class SluiceError extends Error {
  /** @param {string} code @param {{message?: string, cause?: unknown, status?: number, transaction?: string, problem?: object, retryAfterS?: number, sent?: boolean, authentic?: boolean}} [more] */
  constructor(code, { message, cause, ...more } = {}) {
    super(message ?? words(code).en, { cause });
    this.name = this.constructor.name;
    this.code = code;
    Object.assign(this, more);
  }

  /** The same in Chinese or English, for people. @param {'zh'|'en'} lang */
  text(lang) { return words(this.code)[lang] ?? this.message; }
}

/** The platform was not reached, or the answer broke off. `sent`: the request may have got there. */
export class NetworkError extends SluiceError { kind = 'network'; }
/** The platform refused, or could not serve: signature, grant, subscription, limit, source. `authentic`: it signed that. */
export class GatewayError extends SluiceError { kind = 'gateway'; }
/** The call got through and what it asked for was turned down. */
export class BusinessError extends SluiceError { kind = 'business'; }
/** Who answered is not the platform, or what arrived is not what it sent. Nothing of it is handed out. */
export class IntegrityError extends SluiceError { kind = 'integrity'; }
/** We refused before anything was sent: settings, keys, a limit or breaker of the app's own, another user's data. */
export class LocalError extends SluiceError { kind = 'local'; }

// The unit behind the API, or the state of the thing asked for, says no: calling again as it is will not help.
const BUSINESS = new Set(['upstream-refused', 'not-found', 'state-conflict', 'already-exists', 'not-acceptable', 'row-forbidden', 'amount-exceeded',
  'user-data-mismatch', 'idempotency-mismatch', 'confirmation-mismatch', 'rollback-refused']);

/** Of an answer that is no success. */
export function refusal({ status, headers, body, authentic }) {
  let problem = {};
  try { problem = JSON.parse(body.toString('utf8')) ?? {}; } catch { /* not from the platform: the status says what there is */ }
  const code = typeof problem.code === 'string' ? problem.code : 'answer-unreadable';
  const wait = Number(headers['retry-after']);
  const Kind = BUSINESS.has(code) ? BusinessError : GatewayError;
  return new Kind(code, { message: typeof problem.title === 'string' ? problem.title : undefined, status, problem, authentic,
    transaction: headers['sluice-transaction'], ...(Number.isFinite(wait) ? { retryAfterS: wait } : {}) });
}
