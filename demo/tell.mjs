// SPDX-License-Identifier: Apache-2.0
// What to try once the demo is up: addresses, logins, three lines to paste.  node demo/tell.mjs DATA_DIR

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const dataDir = path.resolve(process.argv[2] ?? 'var');
const demo = JSON.parse(readFileSync(path.join(dataDir, 'demo/credentials.json'), 'utf8'));
const [sm3] = demo.credentials;
const sluice = 'build/cli/sluice';

// The secret goes into a file of its own, so that no command line shows it.
const secretFile = path.join(dataDir, 'demo/secret');
writeFileSync(secretFile, sm3.secret, { mode: 0o600 });

const key = `--key ${sm3.id} --secret-file ${secretFile}`;
const ca = `--ca ${path.resolve(demo.ca)}`;
const orders = `${demo.gateway}/trade/orders/v1?limit=2`;
const divisions = `${demo.gateway}/params/divisions/v1?kind=eq.province&limit=3`;

console.log(`
Sluice is up.

  portal          ${demo.control}/portal/
  control plane   ${demo.control}/api/v1/
  gateway         ${demo.gateway}
  its CA          ${path.resolve(demo.ca)}

Logins (all in ${path.join(dataDir, 'demo/credentials.json')}):
${Object.entries(demo.logins).map(([login, password]) => `  ${login.padEnd(12)} ${password}`).join('\n')}

Try:
  # an order of merchant ${demo.subjects.merchant}: names, phones and addresses masked, card number and password not there
  ${sluice} call --plain-key ${key} ${ca} --grant ${demo.grants.orders} '${orders}'

  # the same with curl: the signature is RFC 9421, any client can make one
  curl -s --cacert ${path.resolve(demo.ca)} -H @<(${sluice} sign ${key} GET '${divisions}') '${divisions}'

  # and the proof that it happened
  ${sluice} audit verify --data-dir ${dataDir}

This is a trial (sluice serve --trial): it asks for less than the clauses do. What a store without --trial
asks for, and where this one is weaker: sluice rest GET /strict_settings (docs/strict.md).

Ctrl-C stops everything.
`);
