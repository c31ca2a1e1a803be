// SPDX-License-Identifier: Apache-2.0
// What deploy/ ships: each role started by itself from its settings, and the zones' packet filters loaded into
// networks made for the test, with connections that must come through and others that must not.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { BUILD, environment, Platform } from './lib/platform.mjs';
import { authenticator } from './lib/totp.mjs';
import { delay, until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const ZONES = path.resolve('deploy/zones');

// The three roles as the units of deploy/ start them, from one settings file: addresses and ports alone are ours.
class Separate extends Platform {
  async spawn() {
    const text = readFileSync(this.settings, 'utf8');
    const mine = text.replace(/^data_dir:.*/m, `data_dir: ${this.data}`).replace(/^( +)listen:.*/gm, '$1listen: 127.0.0.1').replace(/ 7300\b/, ` ${this.controlPort}`)
      .replace(/ 7301\b/, ` ${this.feedPort}`).replace(/:7301\b/, `:${this.feedPort}`).replace(/ 7443\b/, ` ${this.gatewayPort}`).replace(/^( +replay_bytes:).*/m, '$1 1048576')
      .replace(/^( +admin_second_factor:).*/m, this.asShipped ? '$&' : '$1 false'); // the people of a story have passwords alone
    this.file = path.join(this.dir, 'sluice.yaml');
    writeFileSync(this.file, mine);
    this.env = environment(this.dir);
    this.roles = {};
    this.child = this.run('control');
    await until(() => existsSync(path.join(this.data, 'pki/gateway.crt')) && existsSync(path.join(this.data, 'keys/link.key')), { ms: 20000, what: 'keys and certificates' });
    await delay(200);
    this.run('data');
    this.run('gateway');
    await this.ready();
  }

  run(role) {
    const child = spawn(path.join(BUILD, 'cli/sluice'), [role, '--config', this.file, ...(role === 'control' && !this.asShipped ? ['--trial'] : [])], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => { this.log = (this.log + d).slice(-100000); });
    child.gone = new Promise((resolve) => child.once('exit', resolve));
    this.roles[role] = child;
    return child;
  }

  async end(role) {
    this.roles[role].kill('SIGTERM');
    await Promise.race([this.roles[role].gone, delay(15000)]);
  }

  async stop() {
    for (const role of ['gateway', 'data', 'control']) if (this.roles[role]) await this.end(role);
    this.agent?.destroy();
    this.rest?.close();
    const reports = this.sanitizerReports();
    rmSync(this.dir, { recursive: true, force: true });
    assert.equal(reports, '');
  }
}

function metrics(p) {
  return new Promise((resolve, reject) => {
    http.request({ socketPath: path.join(p.data, 'gateway/ops.sock'), path: '/metrics' }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d));
      res.on('end', () => resolve({ status: res.statusCode, text: Buffer.concat(parts).toString() }));
    }).on('error', reject).end();
  });
}

async function everyService(p) {
  const world = await w.trading(p, { orders: 50 });
  const call = (more) => p.call('/trade/orders/v1?limit=1', { key: world.key, grant: world.grant, ...more });
  assert.equal((await p.rest.raw('GET', '/api/v1/health')).body.status, 'ok'); // the control plane
  refused(await p.send('GET', '/trade/orders/v1'), 401, 'signature-missing'); // who calls
  rows(await call(), 1); // the exchange of messages: gateway, data service, database
  const { status, text } = await metrics(p); // monitoring
  assert.equal(status, 200);
  assert.ok(text.includes(world.api), 'the API is counted');
  const limit = await world.operator.post('/limits', { per: 'app-api', measure: 'rate', amount: 1, window_ms: 60000, action: 'reject', app_id: world.app, api_id: world.api, name: 'one a minute' });
  const over = await until(async () => { const a = await call(); return a.status !== 200 && a; }, { what: 'the limit' }); // flow control
  refused(over, 429, 'rate-limited');
  await world.operator.act('limits', limit.id, 'remove');
  await until(async () => (await call()).status === 200, { what: 'the end of the limit' });
  return { world, call };
}

for (const [title, file] of [['[BK-8c1, SW-3.9, SW-6-0b, SW-9.3-2c] from deploy/sluice.yaml each role starts by itself, and one is replaced while the others go on', 'deploy/sluice.yaml'],
  ['[BK-8c2] from the settings for the business layer the same calls pass', 'deploy/zones/sluice-business-layer.yaml']]) {
  test(title, async () => {
    class Here extends Separate { get settings() { return path.resolve(file); } }
    const p = await Here.start();
    try {
      const { call } = await everyService(p);
      await p.end('control'); // calls go on with what is here
      rows(await call(), 1);
      p.run('control');
      await until(async () => (await p.rest.raw('GET', '/api/v1/health')).status === 200, { ms: 10000, what: 'the control plane again' });
      await p.end('data');
      const without = await call();
      assert.ok(without.status >= 502, String(without.status));
      p.run('data');
      await until(async () => (await call()).status === 200, { ms: 10000, what: 'the data service again' });
    } finally {
      await p.stop();
    }
  });
}

test('[SW-9.3-2e] as shipped, staff get nothing with one factor or from an address that is not listed', async () => {
  class Shipped extends Separate { get settings() { return path.resolve('deploy/sluice.yaml'); } get asShipped() { return true; } }
  const p = await Shipped.start();
  try {
    const admin = await p.admin();
    await restRefuses(admin.get('/organisations'), 'second-factor-required');
    const far = (await new Promise((resolve, reject) => https.get(`${p.control}/api/v1/users/me`, { ca: p.ca, localAddress: '127.0.0.2', headers: { authorization: `Bearer ${admin.token}` } },
      (res) => { let text = ''; res.on('data', (d) => { text += d; }).on('end', () => resolve(JSON.parse(text))); }).on('error', reject)));
    assert.equal(far.code, 'address-not-listed');
    const { uri } = await admin.post('/users/me/totp', {});
    await admin.ok('POST', '/api/v1/users/me/totp/confirm', { otp: authenticator(uri)() });
    await admin.ok('POST', '/api/v1/sessions/current/factors', { otp: authenticator(uri)(1) });
    assert.deepEqual((await admin.get('/organisations')).items, []);
  } finally {
    await p.stop();
  }
});

test('the units of deploy/ start what there is, as nobody privileged', () => {
  for (const unit of readdirSync('deploy').filter((f) => f.endsWith('.service'))) {
    const text = readFileSync(path.join('deploy', unit), 'utf8');
    assert.match(text, /^ExecStart=\/usr\/bin\/sluice (control|data|gateway) --config \/etc\/sluice\/sluice\.yaml$/m);
    for (const line of ['User=sluice', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'Restart=on-failure']) assert.ok(text.includes(`\n${line}\n`), `${unit}: ${line}`);
    assert.ok(statSync(path.join('deploy', unit)).size > 200);
  }
});

test('[SW-9.1-6b, SW-9.1-6c, SW-9.1-6e] the matrix of controls names tests that there are, and a control without one says whose it is', () => {
  const sources = [...execFileSync('git', ['ls-files', '*_test.c', '*.test.mjs'], { encoding: 'utf8' }).trim().split('\n')].map((f) => readFileSync(f, 'utf8').replaceAll("\\'", "'")).join('\n');
  const controls = readFileSync('docs/security-controls.md', 'utf8').split('\n').filter((l) => l.startsWith('| ') && !/^\| (control|---)/.test(l)).map((l) => l.split(' |').map((c) => c.replace(/^[ |]+/, '')));
  assert.ok(controls.length > 20);
  for (const [control, how, tests, operator] of controls) {
    const named = [...(tests ?? '').matchAll(/`([^`]+)`/g)].map(([, title]) => title);
    for (const title of named) assert.ok(sources.includes(title), `${control}: no test is called "${title}"`);
    assert.ok(named.length || operator, `${control} (${how}) has neither a test nor an owner`);
  }
});

// A shell script in a network of its own. Its helpers: `machine NAME` makes a further one (its pid in $NAME), `wire A a-if
// a-address B b-if b-address` joins two, `at NAME command…` runs there, `serve NAME port…` listens, `try NAME host port` prints
// "NAME host:port yes|no".
const HELPERS = `set -e
ip link set lo up
machine() { unshare -n sleep 60 >/dev/null 2>&1 & eval "$1=$!"; while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done; machines="$machines $!"; at $1 ip link set lo up; }
at() { name=$1; shift; eval "nsenter -t \\$$name -n" '"$@"'; }
wire() { eval "a=\\$$1; b=\\$$4"; at $1 ip link add $2 type veth peer name $5 netns $b; at $1 ip addr add $3 dev $2; at $4 ip addr add $6 dev $5; at $1 ip link set dev $2 up; at $4 ip link set dev $5 up; }
serve() { eval "pid=\\$$1"; shift; nsenter -t $pid -n node -e 'let n = 0; const ports = process.argv.slice(1); for (const p of ports) require("net").createServer((s) => s.on("error", () => {}).end("hello")).listen(Number(p), () => { if (++n === ports.length) require("fs").writeFileSync(process.env.READY, ""); })' "$@" >/dev/null 2>&1 & machines="$machines $!"; while [ ! -e "$READY" ]; do sleep 0.05; done; rm "$READY"; }
try() { if [ "$(at $1 timeout 2 bash -c "exec 3<>/dev/tcp/$2/$3 && head -c 5 <&3" 2>/dev/null)" = hello ]; then echo "$1 $2:$3 yes"; else echo "$1 $2:$3 no"; fi; }
finish() { kill $machines 2>/dev/null || true; }
trap finish EXIT
`;

function network(script) {
  const ready = path.join(process.env.TMPDIR ?? '/tmp', `sluice-zones-${process.pid}-${Date.now()}`);
  const how = process.getuid() === 0 ? ['-n'] : ['-Urn'];
  return execFileSync('unshare', [...how, 'bash', '-c', HELPERS + script], { env: { ...process.env, ZONES, READY: ready }, encoding: 'utf8', timeout: 30000 }).trim().split('\n');
}

// Some containers may make no network of their own; then these four are skipped and say so.
function whyNoNetwork() {
  try {
    network('machine one; at one nft list ruleset');
    return false;
  } catch { return 'no network namespace with nftables can be made here'; }
}
const zones = { skip: whyNoNetwork() };

test('[BK-8e2, SW-9.3-2c] the zones\' packet filters are read by nft', zones, () => {
  const files = readdirSync(ZONES).filter((f) => f.endsWith('.nft'));
  assert.equal(files.length, 5);
  for (const file of files) network(`nft -c -f $ZONES/${file}; nft -f $ZONES/${file}; nft -f $ZONES/${file}; nft list ruleset | grep -c table`);
});

test('[EC-7.1.3-C2, EC-7.1.3-C3] a controlled environment reaches the gateway and nothing else, and its operators alone reach it', zones, () => {
  const seen = network(`machine app; machine net
wire app in 10.30.0.2/24 net out 10.30.0.1/24
for a in 203.0.113.10 203.0.113.66 10.0.9.5; do at net ip addr add $a/32 dev out; done
at app ip route add default via 10.30.0.1
serve net 7443 443 53 22; serve app 22 8080
at app nft -f $ZONES/controlled-environment.nft
try app 203.0.113.10 7443; try app 203.0.113.10 443; try app 203.0.113.66 7443; try app 203.0.113.66 53; try app 10.0.9.5 22; try app 10.30.0.1 443
try net 10.30.0.2 22; try net 10.30.0.2 8080
at net ip route replace 10.30.0.2/32 dev out src 10.0.9.5
try net 10.30.0.2 22; try net 10.30.0.2 8080`);
  assert.deepEqual(seen, ['app 203.0.113.10:7443 yes', 'app 203.0.113.10:443 no', 'app 203.0.113.66:7443 no', 'app 203.0.113.66:53 no', 'app 10.0.9.5:22 no', 'app 10.30.0.1:443 no',
    'net 10.30.0.2:22 no', 'net 10.30.0.2:8080 no', 'net 10.30.0.2:22 yes', 'net 10.30.0.2:8080 no']);
});

test('[SW-9.3-2c, EC-4.3.2a, BK-8e2] callers reach the gateway\'s port alone, and a business unit\'s machine answers gateways alone', zones, () => {
  const seen = network(`machine caller; machine node; machine unit
wire caller eth 198.51.100.7/24 node out 198.51.100.1/24
wire node in 10.10.0.11/16 unit eth 10.20.0.30/8
at caller ip route add default via 198.51.100.1; at node ip route add 10.20.0.0/24 dev in; at node sysctl -q -w net.ipv4.ip_forward=1; at unit ip route add default via 10.10.0.11
serve node 7443 7301 5432 22; serve unit 8080 22
try caller 10.20.0.30 8080
at node nft -f $ZONES/api-layer.nft; at unit nft -f $ZONES/business-layer.nft
try caller 198.51.100.1 7443; try caller 198.51.100.1 7301; try caller 198.51.100.1 5432; try caller 198.51.100.1 22; try caller 10.20.0.30 8080
try node 10.20.0.30 8080; try node 10.20.0.30 22; try node 198.51.100.7 443; try unit 10.10.0.11 7443
at node nft flush ruleset
try caller 10.20.0.30 8080`);
  assert.deepEqual(seen, ['caller 10.20.0.30:8080 yes', 'caller 198.51.100.1:7443 yes', 'caller 198.51.100.1:7301 no', 'caller 198.51.100.1:5432 no', 'caller 198.51.100.1:22 no',
    'caller 10.20.0.30:8080 no', 'node 10.20.0.30:8080 yes', 'node 10.20.0.30:22 no', 'node 198.51.100.7:443 no', 'unit 10.10.0.11:7443 no', 'caller 10.20.0.30:8080 no']);
});

test('[BK-8c2, BK-8e2] behind the front, the published address leads to the node in the business layer and nowhere else', zones, () => {
  const seen = network(`machine caller; machine front; machine node
wire caller eth 203.0.113.7/24 front out 203.0.113.10/24
wire front in 10.20.0.1/24 node eth 10.20.0.11/24
at caller ip route add 10.20.0.0/24 via 203.0.113.10; at front sysctl -q -w net.ipv4.ip_forward=1; at node ip route add default via 10.20.0.1
serve node 7443 7300
at front nft -f $ZONES/front.nft
try caller 203.0.113.10 7443; try caller 203.0.113.10 7300; try caller 10.20.0.11 7443; try caller 10.20.0.11 7300; try node 203.0.113.7 443
at front nft list counter inet sluice_front accepted | grep -o 'packets [0-9]*'`);
  assert.deepEqual(seen, ['caller 203.0.113.10:7443 yes', 'caller 203.0.113.10:7300 no', 'caller 10.20.0.11:7443 no', 'caller 10.20.0.11:7300 no', 'node 203.0.113.7:443 no', 'packets 1']);
});
