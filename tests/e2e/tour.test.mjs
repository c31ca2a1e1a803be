// SPDX-License-Identifier: Apache-2.0
// The README's five-minute tour, line by line: each command runs, and prints what the "# →" below it says.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BUILD, Platform } from './lib/platform.mjs';

// [{command, expected}] of the fenced lines between the tour's markers.
export function tourSteps(readme) {
  const tour = readme.slice(readme.indexOf('<!-- tour -->'), readme.indexOf('<!-- /tour -->'));
  const steps = [];
  for (const block of tour.matchAll(/```sh\n([\s\S]*?)```/g)) {
    for (const line of block[1].trim().split('\n')) {
      if (line.startsWith('# → ')) steps.at(-1).expected = line.slice(4);
      else steps.push({ command: line });
    }
  }
  return steps;
}

let platform;
before(async () => {
  platform = await Platform.start();
  await platform.loadDemo();
});
after(() => platform?.stop());

test('the README tour does what it says', async (t) => {
  const steps = tourSteps(readFileSync('README.md', 'utf8'));
  assert.ok(steps.length > 15, 'the tour was found');
  const here = (s) => s.replace('D=var', `D=${platform.data}`).replace('$PWD/build/cli', path.resolve(BUILD, 'cli'))
    .replace('127.0.0.1:7300', `127.0.0.1:${platform.controlPort}`).replace('127.0.0.1:7443', `127.0.0.1:${platform.gatewayPort}`);
  const script = steps.map(({ command }, i) => `${here(command)}\necho "@@${i} $?"`).join('\n');
  const run = spawnSync('bash', ['-c', `exec 2>&1\n${script}`], { env: { ...platform.env, LD_PRELOAD: '', SLUICE_SESSION: path.join(platform.dir, 'session') }, encoding: 'utf8' });
  let rest = run.stdout;
  for (const [i, { command, expected }] of steps.entries()) {
    const mark = new RegExp(`^@@${i} (\\d+)\\n`, 'm').exec(rest);
    assert.ok(mark, `the tour stopped before: ${command}\n${rest}`);
    const output = rest.slice(0, mark.index);
    rest = rest.slice(mark.index + mark[0].length);
    await t.test(command.slice(0, 90), () => {
      assert.equal(mark[1], '0', output);
      if (expected) assert.ok(output.includes(expected), `expected ${expected} in:\n${output}`);
    });
  }
});
