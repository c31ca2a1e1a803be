// SPDX-License-Identifier: Apache-2.0
// The processes below one of ours, from /proc: tests stop what they started, by pid and nothing else.

import { readFileSync, readdirSync } from 'node:fs';

function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? 0 : Number(parent);
  } catch {
    return 0;
  }
}

export function command(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

// All descendants, nearest first.
export function children(root) {
  const parents = readdirSync('/proc').filter((n) => /^\d+$/.test(n)).map((n) => [Number(n), parentOf(n)]);
  const out = [];
  for (let level = [root]; level.length; ) {
    level = parents.filter(([, parent]) => level.includes(parent)).map(([pid]) => pid);
    out.push(...level);
  }
  return out;
}
