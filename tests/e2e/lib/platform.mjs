// SPDX-License-Identifier: Apache-2.0
// A whole platform of real processes on free ports in a folder of its own, from the build in $SLUICE_BUILD.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { load } from '../../../demo/load.mjs';
import { Rest } from '../../../demo/rest_client.mjs';
import { sign } from './sign.mjs';
import { command, ours } from './processes.mjs';
import { until } from './wait.mjs';

export const BUILD = process.env.SLUICE_BUILD ?? path.resolve('build-asan');
export const PASSWORD = 'first-Passw0rd-of-the-tests';

export async function freePorts(n) {
  const servers = await Promise.all(Array.from({ length: n }, () => new Promise((resolve, reject) => {
    const s = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => resolve(s));
  })));
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
  return ports;
}

function sanitized() {
  return execFileSync('ldd', [path.join(BUILD, 'cli/sluice')], { encoding: 'utf8' }).includes('libasan');
}

// Our nginx module is instrumented and Debian's nginx is not: the sanitizer's library must come first in it.
export function environment(dir, asan = '') {
  const env = { ...process.env, SLUICE_ADMIN_PASSWORD: PASSWORD };
  delete env.NODE_TEST_CONTEXT;
  if (!sanitized()) return env;
  env.LD_PRELOAD = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  env.ASAN_OPTIONS = `detect_leaks=0:abort_on_error=1:log_path=${dir}/asan:${asan}`;
  env.UBSAN_OPTIONS = `halt_on_error=1:print_stacktrace=1:log_path=${dir}/ubsan`;
  return env;
}

export class Platform {
  static async start(options = {}) {
    const p = new this();
    p.dir = options.dir ?? mkdtempSync(path.join(tmpdir(), 'sluice-e2e-'));
    p.extra = options.args ?? [];
    p.strict = options.strict ?? false; // as shipped; most stories are about something else and ask for less
    p.asan = options.asan; // more of ASAN_OPTIONS
    p.plain = p.extra.includes('--plain'); // benches measure the gateway without TLS
    if (options.config) { // YAML: what the command line does not set
      writeFileSync(path.join(p.dir, 'sluice.yaml'), options.config);
      p.extra.push('--config', path.join(p.dir, 'sluice.yaml'));
    }
    [p.controlPort, p.feedPort, p.gatewayPort] = await freePorts(3);
    p.log = '';
    await p.spawn();
    return p;
  }

  // Starts, or after stop() starts again on the same ports and data.
  async spawn() {
    const args = ['serve', '--data-dir', this.data, '--control-port', this.controlPort, '--feed-port', this.feedPort,
      '--gateway-port', this.gatewayPort, ...(this.strict ? [] : ['--trial']), ...this.extra].map(String);
    this.env = environment(this.dir, this.asan);
    this.child = spawn(path.join(BUILD, 'cli/sluice'), args, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (d) => { this.log = (this.log + d).slice(-200000); });
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
    try {
      await this.ready();
    } catch (e) {
      await this.stop({ check: false });
      throw new Error(`${e.message}\n--- log\n${this.log.slice(-6000)}`);
    }
  }

  get data() { return path.join(this.dir, 'data'); }
  get control() { return `https://127.0.0.1:${this.controlPort}`; }
  get gateway() { return `${this.plain ? 'http' : 'https'}://127.0.0.1:${this.gatewayPort}`; }
  get caFile() { return path.join(this.data, 'pki/ca.crt'); }
  get ca() { return readFileSync(this.caFile, 'utf8'); }

  async ready(ms = 30000) {
    await until(() => {
      if (this.child.exitCode !== null) throw new Error(`the platform exited with ${this.child.exitCode}`);
      return existsSync(this.caFile);
    }, { ms, what: 'the CA' });
    this.agent ??= this.plain ? new http.Agent({ keepAlive: true }) : new https.Agent({ ca: this.ca, keepAlive: true, maxSockets: 64 });
    this.rest ??= new Rest(this.control, this.ca);
    await until(async () => (await this.rest.raw('GET', '/api/v1/health')).status === 200, { ms, what: 'the control plane' });
    await until(async () => (await this.send('GET', '/')).json?.code !== 'policy-stale', { ms, what: 'the gateway' });
  }

  // Signed in as the administrator, the first password changed when that is demanded.
  async admin() {
    this.adminPassword ??= PASSWORD;
    const rest = await this.rest.signIn('admin', this.adminPassword, `${PASSWORD}-changed`);
    this.adminPassword = rest.password;
    return rest;
  }

  async loadDemo(sizes = { enterprises: 300, orders: 1000, merchants: 20 }) {
    const { credentials } = await load({ control: this.control, ca: this.caFile, gateway: this.gateway, dataDir: this.data, password: PASSWORD, ...sizes });
    this.demo = credentials;
    this.keys = Object.fromEntries(credentials.credentials.map((k) => [k.algorithm, k]));
    this.adminPassword = credentials.logins.admin;
    await until(async () => (await this.call('/params/divisions/v1?limit=1')).status === 200, { ms: 10000, what: 'the demo on the gateway' });
    return credentials;
  }

  signedIn(login) { return this.rest.signIn(login, this.demo.logins[login]); }

  // One request to the gateway as it stands. body: string or Buffer. Resolves to {status, headers, bytes, text, json, cut}.
  send(method, target, { headers = {}, body, ms = 30000, agent = this.agent } = {}) {
    return new Promise((resolve, reject) => {
      const all = body === undefined ? headers : { 'content-length': Buffer.byteLength(body), ...headers };
      const req = (this.plain ? http : https).request({ host: '127.0.0.1', port: this.gatewayPort, path: target, method, headers: all, agent, ca: this.ca }, (res) => {
        const parts = [];
        const done = (cut) => {
          const bytes = Buffer.concat(parts);
          const text = bytes.toString('utf8');
          let json;
          try { json = JSON.parse(text); } catch { /* the test looks at the text */ }
          resolve({ status: res.statusCode, headers: res.headers, txn: res.headers['sluice-transaction'], bytes, text, json, cut });
        };
        res.on('data', (p) => parts.push(p));
        res.on('end', () => done(!res.complete));
        res.on('error', () => done(true));
      });
      req.setTimeout(ms, () => req.destroy(new Error(`${method} ${target.slice(0, 100)}: no answer in ${ms} ms`)));
      // A kept connection may be closed while a request is on its way to it: that one is sent again.
      req.on('error', (e) => (req.reusedSocket && e.code === 'ECONNRESET' ? this.send(method, target, { headers, body, ms, agent: false }).then(resolve, reject) : reject(e)));
      req.end(body);
    });
  }

  // A signed call. key: of this.keys or a credential; grant: id; change: see sign().
  call(target, { method = 'GET', key = this.keys['hmac-sm3'], grant, purpose, body, headers = {}, change, digest, ...rest } = {}) {
    const all = { ...headers, ...(grant ? { 'sluice-grant': grant } : {}), ...(purpose ? { 'sluice-purpose': encodeURI(purpose) } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const signed = sign(key, { method, url: this.gateway + target, headers: all, body, digest }, change);
    return this.send(method, target, { headers: signed, body, ...rest });
  }

  // The program, its output as text. Never throws: {code, out, err}.
  sluice(...args) {
    try {
      const out = execFileSync(path.join(BUILD, 'cli/sluice'), args.map(String), { env: this.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
      return { code: 0, out, err: '' };
    } catch (e) {
      return { code: e.status ?? -1, out: e.stdout ?? '', err: e.stderr ?? String(e) };
    }
  }

  // Our processes by role: {control: [pid], data, gateway, master, worker}.
  processes() {
    const roles = { control: [], data: [], gateway: [], master: [], worker: [] };
    for (const pid of ours(this.child.pid, this.dir)) {
      const line = command(pid);
      const role = /nginx: master/.test(line) ? 'master' : /nginx: worker/.test(line) ? 'worker' : /(?:^|\/)sluice (control|data|gateway)\b/.exec(line)?.[1];
      if (role) roles[role].push(pid);
    }
    return roles;
  }

  sanitizerReports() {
    return readdirSync(this.dir).filter((f) => /^(a|ub)san/.test(f)).map((f) => readFileSync(path.join(this.dir, f), 'utf8')).join('\n');
  }

  // Asks politely, then kills what is left of our own children, by pid.
  async stop({ check = true, keep = false } = {}) {
    const all = [this.child.pid, ...ours(this.child.pid, this.dir)];
    this.child.kill('SIGTERM');
    await Promise.race([this.exited, new Promise((late) => { setTimeout(late, 15000).unref(); })]); // a timer left would hold the test's process
    const left = all.filter((pid) => command(pid).includes(this.dir) || /^nginx: /.test(command(pid)));
    for (const pid of left) { try { process.kill(pid, 'SIGKILL'); } catch { /* gone meanwhile */ } }
    if (keep) return;
    this.agent?.destroy();
    this.rest?.close();
    const reports = this.sanitizerReports();
    if (!process.env.SLUICE_KEEP) rmSync(this.dir, { recursive: true, force: true });
    if (check && reports) throw new Error(`a sanitizer reported:\n${reports.slice(0, 8000)}`);
    if (check && left.length) throw new Error(`${left.length} processes outlived SIGTERM\n${this.log.slice(-3000)}`);
  }
}
