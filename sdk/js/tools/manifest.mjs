// SPDX-License-Identifier: Apache-2.0
// Writes sdk/js/manifest.json, or with --check says whether it is that of the files.  node sdk/js/tools/manifest.mjs [--check]

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { digestOf, manifestOf } from '../src/self.js';

const file = fileURLToPath(new URL('../manifest.json', import.meta.url));
const manifest = manifestOf(), text = `${JSON.stringify(manifest, null, 1)}\n`;
if (process.argv[2] !== '--check') writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error('sdk/js/manifest.json is stale: node sdk/js/tools/manifest.mjs');
  process.exit(1);
}
console.log(`js/${manifest.version};sm3=${digestOf(manifest)}`);
