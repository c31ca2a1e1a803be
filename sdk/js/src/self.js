// SPDX-License-Identifier: Apache-2.0
// Which release this is, told by its own files: the SM3 of each, held against manifest.json when the SDK is loaded. A file that differs ends the
// start. The digest of them all goes with every call, signed, and the platform compares it with the releases it knows.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalError } from './errors.js';
import { sm3Hex } from './sm.js';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** {version, files: {name: SM3}} of what lies there now. */
export function manifestOf(source = HERE) {
  const names = readdirSync(source).sort(); // every file: one that was put beside ours is an alteration too
  const { version } = JSON.parse(readFileSync(path.join(source, '../package.json'), 'utf8'));
  return { version, files: Object.fromEntries(names.map((n) => [n, sm3Hex(readFileSync(path.join(source, n)))])) };
}

/** SM3 over one line a file: its SM3, two spaces, its name, LF; sorted by name. As `openssl dgst -sm3 -r` would list them. */
export const digestOf = ({ files }) => sm3Hex(Object.keys(files).sort().map((n) => `${files[n]}  ${n}\n`).join(''));

/** @returns {{version: string, digest: string, header: string}} */
export function selfCheck(source = HERE) {
  let released;
  const found = manifestOf(source);
  try { released = JSON.parse(readFileSync(path.join(source, '../manifest.json'), 'utf8')); } catch (cause) { throw new LocalError('sdk-altered', { cause }); }
  const names = new Set([...Object.keys(found.files), ...Object.keys(released.files ?? {})]);
  const differs = [...names].find((n) => found.files[n] !== released.files[n]);
  if (differs || found.version !== released.version) throw new LocalError('sdk-altered', { message: `${differs ?? 'package.json'}: not the file that was released with ${released.version}` });
  const digest = digestOf(found);
  return { version: found.version, digest, header: `js/${found.version};sm3=${digest}` };
}
