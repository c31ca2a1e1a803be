// SPDX-License-Identifier: Apache-2.0
// What an app keeps of its users: results, tokens, records of consent. Everything is one user's. It is had through that user's session alone,
// and on disk it is sealed under a key of that user's, so that a session of B's neither reaches nor opens what is A's.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { LocalError } from './errors.js';
import { writeWhole } from './keystore.js';
import { sm3Hex } from './sm.js';

/** 32 bytes for one use of the store key. */
export const derived = (key, use) => Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `sluice-sdk ${use}`, 32));

class Session {
  #vault; #user;

  constructor(vault, user) { this.#vault = vault; this.#user = user; }

  get user() { return this.#user; }

  /** @param {{ttlMs?: number, class?: 'A1'|'A2'}} [o] class A2, and what has none, stays in memory @returns {string} a reference, which opens nothing by itself */
  put(name, value, o = {}) { return this.#vault._put(this.#user, name, value, o); }

  get(name) { return this.#vault._get(this.#user, name); }

  delete(name) { this.#vault._delete(this.#user, name); }

  /** By the reference `put` gave. Another user's is refused, and told to `onRefused`. */
  open(reference) { return this.#vault._open(this.#user, reference); }

  /** The user's word, or the end of the grant: nothing of theirs stays. */
  forget() { this.#vault._forget(this.#user); }
}

export class Vault {
  #memory = new Map(); #key; #folder;

  /** @param {{key?: Buffer, folder?: string, onRefused?: (e: {user: string}) => void, most?: number, now?: () => number}} o without key and folder all is in memory */
  constructor({ key, folder, onRefused = () => {}, most = 10000, now = Date.now } = {}) {
    if (folder && key?.length !== 32) throw new LocalError('settings-invalid', { message: 'what is kept on disk needs a store key of 32 bytes' });
    Object.assign(this, { onRefused, most, now });
    this.#key = key;
    this.#folder = folder;
    if (folder) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** @param {string} user who signed in at the app: taken from its session, never from the request @returns {Session} */
  session(user) {
    if (typeof user !== 'string' || user === '') throw new LocalError('settings-invalid', { message: 'a session is a user\'s' });
    return new Session(this, user);
  }

  // Names on disk say neither who nor what: they are keyed.
  #tag(...words) { return createTag(this.#key ?? this.#seed(), words); }

  #seed() { return (this.seed ??= randomBytes(32)); }

  #reference(user, name) { return `${this.#tag('user', user)}.${this.#tag('entry', user, name)}`; }

  #fileOf(reference) { return path.join(this.#folder, ...reference.split('.')); }

  _put(user, name, value, { ttlMs, class: of } = {}) {
    const reference = this.#reference(user, name), entry = { value, until: ttlMs ? this.now() + ttlMs : null };
    if (!this.#folder || of !== 'A1') {
      this.#memory.delete(reference);
      this.#memory.set(reference, entry);
      if (this.#memory.size > this.most) this.#memory.delete(this.#memory.keys().next().value);
      if (this.#folder) rmSync(this.#fileOf(reference), { force: true });
      return reference;
    }
    this.#memory.delete(reference);
    const iv = randomBytes(12), c = createCipheriv('aes-256-gcm', derived(this.#key, `user ${user}`), iv, { authTagLength: 16 }).setAAD(Buffer.from(reference));
    const sealed = Buffer.concat([c.update(JSON.stringify(entry)), c.final()]);
    mkdirSync(path.dirname(this.#fileOf(reference)), { recursive: true, mode: 0o700 });
    writeWhole(this.#fileOf(reference), Buffer.concat([iv, c.getAuthTag(), sealed]));
    return reference;
  }

  #load(user, reference) {
    if (this.#memory.has(reference)) return this.#memory.get(reference);
    if (!this.#folder) return undefined;
    let bytes;
    try { bytes = readFileSync(this.#fileOf(reference)); } catch (e) { if (e.code === 'ENOENT') return undefined; throw e; }
    try {
      const d = createDecipheriv('aes-256-gcm', derived(this.#key, `user ${user}`), bytes.subarray(0, 12), { authTagLength: 16 }).setAAD(Buffer.from(reference));
      d.setAuthTag(bytes.subarray(12, 28));
      return JSON.parse(Buffer.concat([d.update(bytes.subarray(28)), d.final()]));
    } catch (cause) { throw new LocalError('store-altered', { cause }); }
  }

  _get(user, name) { return this.#current(user, this.#reference(user, name)); }

  #current(user, reference) {
    const entry = this.#load(user, reference);
    if (!entry || entry.until === null || entry.until > this.now()) return entry?.value;
    this.#drop(reference);
    return undefined;
  }

  _open(user, reference) {
    if (typeof reference !== 'string' || !/^[0-9a-f]{32}\.[0-9a-f]{32}$/.test(reference) || !reference.startsWith(`${this.#tag('user', user)}.`)) {
      this.onRefused({ user });
      throw new LocalError('not-this-users');
    }
    return this.#current(user, reference);
  }

  #drop(reference) {
    this.#memory.delete(reference);
    if (this.#folder) rmSync(this.#fileOf(reference), { force: true });
  }

  _delete(user, name) { this.#drop(this.#reference(user, name)); }

  _forget(user) {
    const mine = this.#tag('user', user);
    for (const reference of this.#memory.keys()) if (reference.startsWith(`${mine}.`)) this.#memory.delete(reference);
    if (this.#folder) rmSync(path.join(this.#folder, mine), { recursive: true, force: true });
  }

  /** How many entries lie on disk. */
  get kept() { return this.#folder ? readdirSync(this.#folder, { withFileTypes: true }).filter((d) => d.isDirectory()).reduce((n, d) => n + readdirSync(path.join(this.#folder, d.name)).length, 0) : 0; }
}

function createTag(key, words) { return sm3Hex(Buffer.concat([derived(key, 'names'), Buffer.from(JSON.stringify(words))])).slice(0, 32); }
