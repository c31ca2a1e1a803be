// SPDX-License-Identifier: Apache-2.0
// One record a call, a line of JSON each, a file a day. Each record has the SM3 of the one before it and of itself, so none can be changed or
// taken out unseen. Personal values do not get in: personal.js decides, field by field.

import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, truncateSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { LocalError } from './errors.js';
import { loggable } from './personal.js';
import { sm3Hex } from './sm.js';

export const RETENTION_DAYS = 183; // BK-7.3.3: half a year at least
const NAME = /^calls-(\d{4}-\d{2}-\d{2})\.jsonl$/, ROWS = 20, DAY = 86400e3;

const seal = (record) => sm3Hex(JSON.stringify(record));
const files = (folder) => readdirSync(folder).filter((n) => NAME.test(n)).sort();

// A line that was cut short when the power went was acknowledged to nobody.
function lastOf(file) {
  const bytes = readFileSync(file), whole = bytes.lastIndexOf(10) + 1;
  if (whole < bytes.length) truncateSync(file, whole);
  const line = bytes.subarray(0, whole).toString('utf8').trimEnd().split('\n').at(-1);
  return line ? JSON.parse(line) : undefined;
}

export class CallLog {
  #fd; #day; #size = 0; #prev = '0'.repeat(64); #n = 0;

  /** @param {{folder: string, retentionDays?: number, now?: () => number}} o */
  constructor({ folder, retentionDays = RETENTION_DAYS, now = Date.now }) {
    if (!(retentionDays >= RETENTION_DAYS)) throw new LocalError('settings-invalid', { message: `retentionDays: a call log is kept for at least ${RETENTION_DAYS} days` });
    Object.assign(this, { folder, retentionDays, now });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const last = files(folder).reverse().map((f) => lastOf(path.join(folder, f))).find(Boolean);
    if (last) { this.#prev = last.sm3; this.#n = last.n; }
  }

  /** @param {object} call {api, method, transaction, status, code, kind, ms, attempts, user, fields, request, answer} */
  record({ fields, request, answer, ...call }) {
    const rows = Array.isArray(answer) ? answer : answer === undefined ? [] : [answer];
    const told = rows.slice(0, ROWS).map((r) => loggable(r, fields)).filter((r) => Object.keys(r).length);
    const record = { n: this.#n + 1, at: new Date(this.now()).toISOString(), ...call, rows: Array.isArray(answer) ? answer.length : undefined,
      ...(request ? { request: loggable(request, fields) } : {}), ...(told.length ? { answer: told } : {}), prev: this.#prev };
    const sealed = { ...record, sm3: seal(record) };
    this.#open(record.at.slice(0, 10));
    if (fstatSync(this.#fd).size !== this.#size) throw new LocalError('log-altered', { message: `${this.folder}: somebody else writes to the call log; a process has a folder of its own` });
    this.#size += writeSync(this.#fd, `${JSON.stringify(sealed)}\n`);
    this.#n = record.n;
    this.#prev = sealed.sm3;
    return sealed;
  }

  #open(day) {
    if (this.#day === day) return;
    this.close();
    this.#fd = openSync(path.join(this.folder, `calls-${day}.jsonl`), 'a', 0o600);
    this.#day = day;
    this.#size = fstatSync(this.#fd).size;
    this.prune();
  }

  /** Whole days that are older than the retention. */
  prune() {
    const before = new Date(this.now() - this.retentionDays * DAY).toISOString().slice(0, 10);
    for (const f of files(this.folder)) if (NAME.exec(f)[1] < before) unlinkSync(path.join(this.folder, f));
  }

  close() {
    if (this.#fd === undefined) return;
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    this.#fd = this.#day = undefined;
  }
}

/** Throws at the first record that is not as it was written. @param {string} where a folder or one file @returns {{first: number, last: number, records: number, head: string}} */
export function verifyLog(where) {
  const names = statSync(where).isDirectory() ? files(where).map((n) => path.join(where, n)) : [where];
  let prev, n, first, records = 0;
  for (const file of names) {
    for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
      if (line === '') continue;
      let o;
      try { o = JSON.parse(line); } catch { o = {}; }
      const { sm3, ...record } = o;
      if (seal(record) !== sm3 || (prev !== undefined && (record.prev !== prev || record.n !== n + 1))) throw new LocalError('log-altered', { message: `${file}:${i + 1}: not the record that was written, or one before it is missing` });
      [prev, n] = [sm3, record.n];
      first ??= n;
      records += 1;
    }
  }
  return { first: first ?? 0, last: n ?? 0, records, head: prev ?? '' };
}
