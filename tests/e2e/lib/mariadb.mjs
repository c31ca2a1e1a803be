// SPDX-License-Identifier: Apache-2.0
// A real MariaDB of a test's own, in a folder of its own.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { until } from './wait.mjs';

const PASSWORD = 'a long word of the tests';

// It refuses to run as root: then it runs as the user its package made.
export class MariaDb {
  constructor(dir, port) {
    Object.assign(this, { dir, port, base: path.join(dir, 'mariadb') });
    Object.assign(this, { data: path.join(this.base, 'data'), socket: path.join(this.base, 's') });
    mkdirSync(this.base, { recursive: true });
    this.user = process.getuid() === 0 ? 'mysql' : null;
    if (!this.user) return;
    const [uid, gid] = ['-u', '-g'].map((f) => Number(execFileSync('id', [f, this.user], { encoding: 'utf8' })));
    chownSync(this.base, uid, gid);
    execFileSync('chmod', ['755', dir]);
  }

  command(program, args) {
    const all = [program, '--no-defaults', ...args];
    return this.user ? ['setpriv', `--reuid=${this.user}`, `--regid=${this.user}`, '--clear-groups', ...all] : all;
  }

  run(program, args, input) {
    const [first, ...rest] = this.command(program, args);
    const { LD_PRELOAD: _, ...env } = process.env;
    const done = spawnSync(first, rest, { input, encoding: 'utf8', env, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
    if (done.status !== 0) throw new Error(`${program}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  async create() {
    this.run('mariadb-install-db', [`--datadir=${this.data}`, '--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=4M']);
    await this.start();
    this.sql(`CREATE DATABASE trade CHARACTER SET utf8mb4; CREATE USER sluice@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'; GRANT ALL ON *.* TO sluice@'127.0.0.1';`, '');
  }

  async start() {
    const { LD_PRELOAD: _, ...env } = process.env;
    const [first, ...rest] = this.command('/usr/sbin/mariadbd', [`--datadir=${this.data}`, `--socket=${this.socket}`, `--pid-file=${this.base}/pid`, `--port=${this.port}`,
      '--bind-address=127.0.0.1', '--skip-log-bin', '--skip-name-resolve', '--innodb-flush-log-at-trx-commit=0', '--innodb-log-file-size=4M', '--innodb-buffer-pool-size=16M']);
    const log = openSync(path.join(this.dir, 'mariadb.log'), 'a');
    this.child = spawn(first, rest, { cwd: '/', env, stdio: ['ignore', log, log] });
    closeSync(log);
    this.gone = new Promise((done) => { this.child.on('exit', done); });
    await until(() => { try { return this.sql('SELECT 1', ''); } catch { return false; } }, { ms: 30000, what: 'MariaDB' });
  }

  // At once, as when the machine goes: what was committed is there when it starts again.
  async stop() {
    this.child?.kill('SIGKILL');
    await this.gone;
    rmSync(this.socket, { force: true });
  }

  sql(text, database = 'trade') {
    return this.run('mariadb', ['-S', this.socket, '-uroot', '--default-character-set=utf8mb4', '-N', ...(database ? [database] : [])], text);
  }

  get connection() { return `Driver={MariaDB Unicode};Server=127.0.0.1;Port=${this.port};Database=trade;Uid=sluice;Pwd={${PASSWORD}}`; }
}
