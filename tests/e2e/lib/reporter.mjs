// SPDX-License-Identifier: Apache-2.0
// One row a test into $SLUICE_ROWS ("ok|not ok<TAB>title"), and a readable line on the terminal.

import { appendFileSync } from 'node:fs';

const isSuite = (data) => data.details?.type === 'suite' || /\.test\.mjs$/.test(data.name);

function reason(data) {
  const error = data.details?.error;
  const cause = error?.cause ?? error;
  return String(cause?.stack ?? cause?.message ?? cause ?? '').split('\n').slice(0, 12).map((l) => `        ${l}`).join('\n');
}

export default async function* report(events) {
  let said = '';
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const good = type === 'test:pass';
    if (isSuite(data) && (good || data.details?.error?.failureType === 'subtestsFailed')) continue; // its tests have their own rows
    const title = data.name.replaceAll(/[\t\n]/g, ' ');
    if (data.skip === undefined && process.env.SLUICE_ROWS) appendFileSync(process.env.SLUICE_ROWS, `${good ? 'ok' : 'not ok'}\t${title}\n`);
    yield `  ${good ? (data.skip === undefined ? 'ok' : 'skip') : 'NOT OK'} ${title} (${Math.round(data.details?.duration_ms ?? 0)} ms)\n`;
    if (good) continue;
    const why = reason(data); // a hook that failed gives every test the same reason: once is enough
    yield why === said ? '        (as above)\n' : `${why}\n`;
    said = why;
  }
}
