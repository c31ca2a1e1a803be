// SPDX-License-Identifier: Apache-2.0
// Keys in one file, sealed under a passphrase: scrypt makes the key, AES-256-GCM seals. An altered file or another passphrase opens nothing.
// It is a KeyProvider; one over a hardware module or a key service is written against the same interface (keys.js).

import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, scryptSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { LocalError } from './errors.js';
import { signer } from './keys.js';
import { sm2Jwk, sm2Pair } from './sm.js';

const FORMAT = 'sluice-sdk-keys 1';
const KDF = { N: 1 << 15, r: 8, p: 1 };

/** Whole or not at all, for its owner's eyes alone. */
export function writeWhole(file, bytes) {
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try { writeSync(fd, bytes); fsyncSync(fd); } finally { closeSync(fd); }
  renameSync(`${file}.new`, file);
}

/** A passphrase from a file only its owner may read; environments and command lines are read by too many. */
export function passphraseFrom(file) {
  const { mode } = statSync(file);
  if (mode & 0o077) throw new LocalError('settings-invalid', { message: `${file}: others may read it; chmod 600` });
  const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  if (text.length < 12) throw new LocalError('settings-invalid', { message: `${file}: a passphrase has at least 12 characters` });
  return text;
}

const locked = (cause) => new LocalError('key-store-locked', { cause });

function read(file) {
  let o;
  try { o = JSON.parse(readFileSync(file, 'utf8')); } catch (cause) { throw locked(cause); }
  const { N, r, p, salt } = o?.kdf ?? {};
  if (o?.format !== FORMAT || N !== KDF.N || r !== KDF.r || p !== KDF.p || [salt, o.iv, o.tag, o.data].some((v) => typeof v !== 'string')) throw locked();
  return o;
}

const keyOf = (passphrase, salt) => scryptSync(passphrase, Buffer.from(salt, 'base64url'), 32, { ...KDF, maxmem: 64 << 20 });
const bound = (kdf) => Buffer.from(`${FORMAT}\n${JSON.stringify(kdf)}`);

export class KeyStore {
  #entries; #file; #key; #kdf;

  /** @private */
  constructor(file, key, kdf, entries) { this.#file = file; this.#key = key; this.#kdf = kdf; this.#entries = entries; }

  /** A new store, which holds a key for the app's own data. */
  static create(file, passphrase) {
    const kdf = { ...KDF, salt: randomBytes(16).toString('base64url') };
    const store = new KeyStore(file, keyOf(passphrase, kdf.salt), kdf, { store: { kind: 'store', material: randomBytes(32).toString('base64url') } });
    store.#save();
    return store;
  }

  static open(file, passphrase) {
    const o = read(file), key = keyOf(passphrase, o.kdf.salt);
    try {
      const d = createDecipheriv('aes-256-gcm', key, Buffer.from(o.iv, 'base64url'), { authTagLength: 16 });
      d.setAAD(bound(o.kdf)).setAuthTag(Buffer.from(o.tag, 'base64url'));
      return new KeyStore(file, key, o.kdf, JSON.parse(Buffer.concat([d.update(o.data, 'base64url'), d.final()])));
    } catch (cause) { throw locked(cause); }
  }

  #save() {
    const iv = randomBytes(12), c = createCipheriv('aes-256-gcm', this.#key, iv, { authTagLength: 16 });
    c.setAAD(bound(this.#kdf));
    const data = Buffer.concat([c.update(JSON.stringify(this.#entries)), c.final()]);
    writeWhole(this.#file, JSON.stringify({ format: FORMAT, kdf: this.#kdf, iv: iv.toString('base64url'), tag: c.getAuthTag().toString('base64url'), data: data.toString('base64url') }));
  }

  /** Takes a credential's secret or private key in, in place of what was there under this name. */
  put(name, { id, algorithm, material }) {
    if (algorithm === 'ECDH-ES') { if (createPrivateKey(material).asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new LocalError('key-unusable'); } else signer(id, algorithm, material);
    this.#entries[name] = { kind: algorithm === 'ECDH-ES' ? 'opener' : 'signer', id, algorithm, material };
    this.#save();
  }

  /** Makes a key pair here, where it will be used, and gives the public key to register (JWK). Name its credential with `named`. */
  generate(name, algorithm) {
    if (algorithm === 'sm2-sm3') {
      const pair = sm2Pair();
      this.put(name, { id: '', algorithm, material: pair.secret });
      return sm2Jwk(pair.point);
    }
    if (!['ecdsa-p256-sha256', 'ECDH-ES'].includes(algorithm)) throw new LocalError('key-unusable', { message: `${algorithm}: the platform makes secrets; key pairs are sm2-sm3, ecdsa-p256-sha256, ECDH-ES` });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.put(name, { id: '', algorithm, material: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
    return createPublicKey(privateKey).export({ format: 'jwk' });
  }

  /** The credential's id, which the platform gave when the public key was registered. */
  named(name, id) {
    if (!this.#entries[name]) throw new LocalError('key-unusable', { message: `${name}: no such key` });
    this.#entries[name].id = id;
    this.#save();
  }

  remove(name) { delete this.#entries[name]; this.#save(); }

  /** Names, kinds and ids, never material. */
  list() { return Object.entries(this.#entries).map(([name, { kind, id, algorithm }]) => ({ name, kind, id, algorithm })); }

  #of(kind) { return Object.values(this.#entries).filter((e) => e.kind === kind && e.id); }

  signers() { return this.#of('signer').map((e) => signer(e.id, e.algorithm, e.material)).sort((a, b) => a.algorithm.startsWith('hmac') - b.algorithm.startsWith('hmac')); }

  opener(kid) {
    const all = this.#of('opener'), entry = kid === undefined ? all.at(-1) : all.find((e) => e.id === kid);
    return entry && createPrivateKey(entry.material);
  }

  storeKey() { return Buffer.from(this.#entries.store.material, 'base64url'); }
}
