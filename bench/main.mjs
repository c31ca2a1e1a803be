// SPDX-License-Identifier: Apache-2.0
import { writeFileSync, readFileSync } from 'node:fs';
import { rows, sh, stopAll } from './lib.mjs';

const benches = {
  gateway: async () => (await import('./gateway.mjs')).gateway(),
  crypto: async () => (await import('./protection.mjs')).crypto(),
  a2: async () => (await import('./protection.mjs')).a2(),
  convert: async () => (await import('./protection.mjs')).convert(),
  routes: async () => (await import('./scale.mjs')).routes(),
  memory: async () => (await import('./scale.mjs')).memory(),
  feed: async () => (await import('./product.mjs')).changeToLive(),
  sqlite: async () => (await import('./product.mjs')).datasetSqlite(),
  postgres: async () => (await import('./product.mjs')).datasetPostgres(),
  exports: async () => (await import('./exports.mjs')).exports(),
  pages: async () => (await import('./pages.mjs')).pages(),
  limits: async () => (await import('./limits.mjs')).limits(),
  mask: async () => (await import('./streams.mjs')).mask(),
  classify: async () => (await import('./classify.mjs')).discovery(),
  audit: async () => (await import('./streams.mjs')).audit(),
  search: async () => (await import('./catalog.mjs')).search(),
  harvest: async () => (await import('./catalog.mjs')).harvests(),
  consent: async () => (await import('./consent.mjs')).consent(),
  events: async () => (await import('./events.mjs')).events(),
  tokens: async () => (await import('./trust.mjs')).tokens(),
};

const names = process.argv.slice(2).filter((a) => !a.startsWith('--'));
for (const name of names) {
  if (!benches[name]) { console.error(`no bench '${name}'; there are: ${Object.keys(benches).join(' ')}`); process.exit(2); }
}
console.log('| work | here | peer, same run | ratio | bar | note |\n|---|---|---|---|---|---|');
let failed = false;
for (const name of names.length ? names : Object.keys(benches)) {
  try { await benches[name](); } catch (e) { failed = true; console.error(`bench ${name}: ${e.stack}`); } finally { await stopAll(); }
}
if (process.argv.includes('--write')) {
  const cpu = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
  const table = rows.map((r) => `| ${r.work} | ${r.ours} | ${r.peer} | ${r.ratio} | ${r.bar} | ${r.note} |`).join('\n');
  const page = readFileSync('docs/benchmarks.md', 'utf8');
  const head = page.slice(0, page.indexOf('<!-- table -->') + 14), tail = page.slice(page.indexOf('<!-- end -->'));
  writeFileSync('docs/benchmarks.md', `${head}\n${sh('date', ['-u', '+%F']).trim()}, ${sh('nproc').trim()} cores, ${cpu}; medians of ${process.env.BENCH_RUNS ?? 5} runs.\n\n` +
    `| work | here | peer, same run | ratio | bar | note |\n|---|---|---|---|---|---|\n${table}\n${tail}`);
}
process.exit(failed ? 1 : 0);
