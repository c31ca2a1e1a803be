// SPDX-License-Identifier: Apache-2.0
// What every bench shares: processes, medians, CPU time of a process, a row of the table.
import { spawn, spawnSync, execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';

export const BUILD = process.env.SLUICE_BUILD ?? 'build';
export const median = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)];
export const delay = (ms) => new Promise((done) => setTimeout(done, ms));
export const sh = (cmd, args, opt = {}) => execFileSync(cmd, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...opt });

const started = [];
export function start(cmd, args, opt = {}) {
  const child = spawn(cmd, args, { stdio: ['ignore', 'ignore', 'inherit'], ...opt });
  started.push(child);
  return child;
}
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
}
export async function stopAll() { for (const c of started.splice(0)) await stop(c); }

export async function listening(port, ms = 10000) {
  for (const until = Date.now() + ms; Date.now() < until; await delay(20)) {
    const ok = await new Promise((done) => {
      const s = net.connect(port, '127.0.0.1', () => { s.destroy(); done(true); }).on('error', () => done(false));
    });
    if (ok) return;
  }
  throw new Error(`nothing listens on ${port}`);
}

export async function freePort() {
  return new Promise((done) => { const s = net.createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)); }); });
}

const TICK_US = 1e6 / Number(sh('getconf', ['CLK_TCK']));
export function cpuUs(pid) {
  const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(f[11]) + Number(f[12])) * TICK_US;
}
export function childrenOf(pid) {
  return readdirSync('/proc').filter((p) => /^\d+$/.test(p)).filter((p) => {
    try { return readFileSync(`/proc/${p}/stat`, 'utf8').split(') ')[1].split(' ')[1] === String(pid); } catch { return false; }
  }).map(Number);
}
export const rssKb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

export const rows = [];
export function row(work, ours, peer, ratio, bar, note = '') {
  rows.push({ work, ours, peer, ratio, bar, note });
  console.log(`| ${work} | ${ours} | ${peer} | ${ratio} | ${bar} | ${note} |`);
}
