// SPDX-License-Identifier: Apache-2.0
// Settings from one JSON file, none from the environment. A secret in it, or a key file that lies in clear, ends the start: whoever reads
// settings, images or backups of them would be the app.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LocalError } from './errors.js';
import { KeyStore, passphraseFrom } from './keystore.js';

const KNOWN = new Set(['gateway', 'control', 'ca', 'app', 'company', 'keyStore', 'passphraseFile', 'platformKeys', 'descriptions', 'unsigned', 'data', 'log', 'certificate',
  'timeoutMs', 'retries', 'breaker', 'perUser', 'retentionDays']);
const SECRET_NAME = /secret|password|passwd|passphrase$|private|token|credential/i;
const SECRET_TEXT = /PRIVATE KEY-----|"d"\s*:\s*"[A-Za-z0-9_-]{40,}"/;

const refuse = (message) => new LocalError('secret-in-settings', { message });

function noSecrets(file, text, o, at = '') {
  if (SECRET_TEXT.test(text)) throw refuse(`${file}: a private key lies in it in clear`);
  for (const [name, value] of Object.entries(o)) {
    if (name !== 'passphraseFile' && SECRET_NAME.test(name)) throw refuse(`${file}: ${at}/${name}: secrets belong into the key store`);
    if (value && typeof value === 'object') noSecrets(file, '', value, `${at}/${name}`);
  }
}

/** @param {string} file @returns {object} what `new Sluice()` takes: files named in it are read, relative to it */
export function loadSettings(file) {
  const text = readFileSync(file, 'utf8');
  let o;
  try { o = JSON.parse(text); } catch (cause) { throw new LocalError('settings-invalid', { message: `${file}: ${cause.message}` }); }
  noSecrets(file, text, o);
  const unknown = Object.keys(o).find((n) => !KNOWN.has(n));
  if (unknown) throw new LocalError('settings-invalid', { message: `${file}: /${unknown}: no such setting` });
  const near = (name) => path.resolve(path.dirname(file), name);
  const textOf = (name) => readFileSync(near(name), 'utf8');
  for (const need of ['gateway', 'ca', 'app', 'keyStore', 'passphraseFile']) if (typeof o[need] !== 'string') throw new LocalError('settings-invalid', { message: `${file}: /${need} is needed` });
  const { keyStore, passphraseFile, ...rest } = o;
  if (SECRET_TEXT.test(textOf(keyStore)) || !textOf(keyStore).trimStart().startsWith('{')) throw refuse(`${near(keyStore)}: a key lies there in clear; seal it: sluice-sdk keys`);
  return { ...rest, ca: textOf(o.ca), keys: KeyStore.open(near(keyStore), passphraseFrom(near(passphraseFile))),
    ...(o.platformKeys ? { platformKeys: textOf(o.platformKeys) } : {}),
    ...(o.descriptions ? { descriptions: o.descriptions.map((d) => JSON.parse(textOf(d))) } : {}),
    ...(o.data ? { data: near(o.data) } : {}), ...(o.log ? { log: near(o.log) } : {}) };
}
