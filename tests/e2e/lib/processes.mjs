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

// Below root, nearest first; and what a killed process of ours left behind: those that name `dir` on their
// command line, with theirs.
export function ours(root, dir) {
  const parents = readdirSync('/proc').filter((n) => /^\d+$/.test(n)).map((n) => [Number(n), parentOf(n)]);
  const orphans = parents.map(([pid]) => pid).filter((pid) => pid !== root && pid !== process.pid && /^nginx: master/.test(command(pid)) && command(pid).includes(dir));
  const out = new Set(orphans);
  for (let level = [root, ...orphans]; level.length; ) {
    level = parents.filter(([pid, parent]) => level.includes(parent) && !out.has(pid)).map(([pid]) => pid);
    level.forEach((pid) => out.add(pid));
  }
  return [...out];
}
