// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

// The call log as `sluice audit show --json` tells it, oldest first: every record, or those the filters leave.
export function records(platform, ...filters) {
  const shown = platform.sluice('audit', 'show', '--data-dir', platform.data, '--limit', 0, '--json', ...filters);
  assert.equal(shown.code, 0, shown.err);
  return shown.out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

export function verified(platform) {
  const done = platform.sluice('audit', 'verify', '--data-dir', platform.data);
  assert.equal(done.code, 0, done.out + done.err);
}
