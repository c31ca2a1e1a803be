#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What an app's engineers do by hand: keys, and the two looks at logs. Exit code: 0 good, 1 found or failed, 2 wrong use.

import { existsSync, readFileSync } from 'node:fs';
import { KeyStore, described, passphraseFrom, personalNames, scanLog, selfCheck, verifyLog } from '../src/index.js';

const HELP = `usage: sluice-sdk <command>

  scan-log FILE... [--description FILE]   personal data in clear in an application's log: line and kind, never the value
  verify-log FILE|FOLDER                  is each record of the call log as it was written
  check                                   are the SDK's files those that were released
  keys new NAME --algorithm A             makes a key pair in the store, prints the public key to register (JWK)
  keys named NAME --id CREDENTIAL         the credential's id, once it is registered
  keys import NAME --algorithm A --id CREDENTIAL --from FILE
                                          a secret or PEM from FILE ("-": standard input); remove that file afterwards
  keys list | keys remove NAME
       each with --store FILE --passphrase-file FILE
`;

function parsed(args) {
  const words = [], options = {};
  for (let i = 0; i < args.length; i++) if (args[i].startsWith('--')) options[args[i].slice(2)] = args[++i]; else words.push(args[i]);
  return { words, options };
}

function store(options) {
  if (!options.store || !options['passphrase-file']) throw Object.assign(new Error('--store and --passphrase-file are needed'), { usage: true });
  const passphrase = passphraseFrom(options['passphrase-file']);
  return existsSync(options.store) ? KeyStore.open(options.store, passphrase) : KeyStore.create(options.store, passphrase);
}

const KEYS = {
  new: (s, name, o) => console.log(JSON.stringify(s.generate(name, o.algorithm))),
  named: (s, name, o) => s.named(name, o.id),
  import: (s, name, o) => s.put(name, { id: o.id, algorithm: o.algorithm, material: readFileSync(o.from === '-' ? 0 : o.from, 'utf8').trim() }),
  remove: (s, name) => s.remove(name),
  list: (s) => { for (const k of s.list()) console.log([k.name, k.algorithm ?? k.kind, k.id ?? ''].join('\t')); },
};

function scan(files, options) {
  const names = personalNames(options.description ? described(JSON.parse(readFileSync(options.description, 'utf8'))) : []);
  let found = 0;
  for (const file of files) for (const { line, kind } of scanLog(file, names)) { found += 1; console.log(`${file}:${line}: ${kind}`); }
  console.error(found ? `${found} found: personal data does not belong into a log` : 'nothing found');
  return found ? 1 : 0;
}

function main([command, ...rest]) {
  const { words, options } = parsed(rest);
  if (command === 'scan-log' && words.length) return scan(words, options);
  if (command === 'verify-log' && words.length === 1) { const r = verifyLog(words[0]); console.log(`records ${r.first} to ${r.last}, all as written; head ${r.head}`); return 0; }
  if (command === 'check') { console.log(selfCheck().header); return 0; }
  if (command === 'keys' && KEYS[words[0]] && (words[1] || words[0] === 'list')) { KEYS[words[0]](store(options), words[1], options); return 0; }
  console.error(HELP);
  return 2;
}

try { process.exitCode = main(process.argv.slice(2)); } catch (e) {
  console.error(`sluice-sdk: ${e.message}`);
  process.exitCode = e.usage ? 2 : 1;
}
