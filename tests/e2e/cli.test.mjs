// SPDX-License-Identifier: Apache-2.0
// The program at the command line: every sub-command teaches, a wrong word is answered with the right ones,
// and "audit verify" names the place of every kind of damage done to a log.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { BUILD, freePorts, Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let copy; // of the data directory, the platform stopped: log, key and store as an auditor would take them
const calls = [];

const sluice = (args, { input = '', cwd } = {}) => {
  const r = spawnSync(path.join(BUILD, 'cli/sluice'), args.map(String), { env: p.env, encoding: 'utf8', input, cwd, timeout: 30000 });
  return { code: r.status, out: r.stdout, err: r.stderr };
};

before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
  for (const target of ['?limit=1', '?select=card_number', '?limit=2', '?select=nope']) {
    calls.push(await p.call(`/trade/orders/v1${target}`, { key: world.key, grant: world.grant }));
  }
  await until(() => sluice(['audit', 'show', '--data-dir', p.data, '--limit', 0]).out.includes(calls.at(-1).txn), { what: 'the records' });
});
after(() => p?.stop());

// -- what a sub-command says of itself ---------------------------------------------------------------

const COMMANDS = ['serve', 'control', 'data', 'gateway', 'audit', 'audit verify', 'audit show', 'audit operations', 'explain', 'access', 'rest', 'rest login', 'call', 'sign', 'mask', 'keystore'];

test('--help of every sub-command ends with 0 and teaches by example', () => {
  for (const command of COMMANDS) {
    const r = sluice([...command.split(' '), '--help']);
    assert.deepEqual([r.code, r.err], [0, ''], command);
    const name = ['control', 'data'].includes(command) ? 'serve' : command; // one text for the roles
    assert.match(r.out, new RegExp(`examples?:\\n(.*\\n)*.*sluice ${name} `, 'i'), command);
  }
  const all = sluice(['--help']).out;
  for (const command of COMMANDS) assert.ok(all.includes(`  ${command.split(' ')[0]} `), command);
});

const WRONG = [
  ['keystore', /seal\|check/],
  ['keystore unlock x', /seal\|check/],
  ['serv', /no command 'serv'[\s\S]*serve/],
  ['serve --port 1', /--port[\s\S]*--control-port/],
  ['gateway --datadir x', /--datadir[\s\S]*--data-dir/],
  ['serve --control-port', /--control-port needs a value/],
  ['serve --control-port http', /1 to 65535, not 'http'/],
  ['audit', /verify[\s\S]*show[\s\S]*operations/],
  ['audit check', /'check'[\s\S]*verify, show or operations/],
  ['audit verify --pubkey x', /--pubkey[\s\S]*--key/],
  ['audit verify --store', /--store[\s\S]*value/],
  ['audit verify --data-dir x y', /'y'/],
  ['audit show --limit many', /--limit wants a number, not 'many'/],
  ['audit show --since yesterday', /--since wants a time like 2026-/],
  ['audit show --app demo', /--app wants an id like/],
  ['explain --path /x', /--path[\s\S]*--api/],
  ['explain --api /x', /--app/],
  ['explain --app x --api', /'--api' needs a value/],
  ['access', /explain[\s\S]*check/],
  ['access explain --user x', /--operation/],
  ['access explain --who x', /--who[\s\S]*--user/],
  ['rest FETCH /apis', /FETCH[\s\S]*GET/],
  ['rest GET apis', /begins with '\/', as \/apis/],
  ['rest GET /apis --ifmatch auto', /--ifmatch[\s\S]*--if-match/],
  ['rest login --user admin', /--user[\s\S]*--login/],
  ['call --secret x https://h/', /--secret[\s\S]*--secret-file/],
  ['call https://h/', /--credential/],
  ['sign --credential x', /--url/],
  ['mask --keys x phone 1', /--keys[\s\S]*--key-file/],
  ['mask telephone 1', /telephone[\s\S]*sluice mask --help/],
  ['mask', /which rule/],
];

test('a wrong word ends with 2 and is answered with the right one', () => {
  for (const [line, says] of WRONG) {
    const r = sluice(line.split(' '));
    assert.equal(r.code, 2, `${line}: ${r.out}${r.err}`);
    assert.match(r.err, says, line);
    assert.equal(r.out, '', line);
  }
});

test('[EC-5.2.3-0] "sluice mask" masks what it is given, and lines of its input', () => {
  assert.equal(sluice(['mask', 'phone', '13812345678', '010-62345678']).out.split('\n')[0], '138****5678');
  assert.equal(sluice(['mask', 'keep:1:2'], { input: 'abcdef\n数据开放平台\n' }).out, 'a***ef\n数***平台\n');
  const twice = [1, 2].map(() => sluice(['mask', '--key-file', path.join(p.data, 'keys/link.key'), 'pseudonym:x', '13812345678']).out);
  assert.equal(twice[0], twice[1]);
  assert.notEqual(twice[0].trim(), '13812345678');
});

test('a taken port is named, with the option that chooses another; so is a data directory in use', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise((r) => taken.once('listening', r));
  const port = taken.address().port;
  const dir = mkdtempSync(path.join(p.dir, 'second-'));
  for (const option of ['--control-port', '--feed-port', '--gateway-port']) {
    const free = await freePorts(3);
    const ports = ['--control-port', '--feed-port', '--gateway-port'].flatMap((o, i) => [o, o === option ? port : free[i]]);
    const r = sluice(['serve', '--data-dir', dir, ...ports]);
    assert.equal(r.code, 1, r.out + r.err);
    assert.match(r.err, new RegExp(`port ${port} .*taken.*${option} N`), r.err);
  }
  taken.close();
  const same = sluice(['serve', '--data-dir', p.data, '--control-port', (await freePorts(1))[0]]);
  assert.equal(same.code, 1);
  assert.match(same.err, /another 'sluice serve' runs on .*; stop it or choose another --data-dir/);
});

// -- explain and audit on the running platform -------------------------------------------------------

test('[EC-4.3.2b] "sluice explain --json" is the verdict as data; its exit code the answer', () => {
  const ask = (...more) => sluice(['explain', '--data-dir', p.data, '--app', world.app, '--api', '/trade/orders/v1', '--json', ...more]);
  const yes = ask('--grant', world.grant);
  assert.equal(yes.code, 0, yes.err);
  const verdict = JSON.parse(yes.out);
  assert.equal(verdict.allowed, true);
  const outcome = Object.fromEntries(verdict.fields.map((f) => [f.path, f.outcome]));
  assert.deepEqual([outcome.order_id, outcome.buyer_phone, outcome.card_number], ['keep', 'mask', 'drop']);
  const no = ask();
  assert.equal(no.code, 1);
  assert.deepEqual([JSON.parse(no.out).allowed, JSON.parse(no.out).code], [false, 'grant-missing']);
  assert.equal(ask('--grant', 'G-1').code, 2);
  const lost = sluice(['explain', '--app', world.app, '--api', '/x'], { cwd: p.dir });
  assert.deepEqual([lost.code, /\.\/var/.test(lost.err)], [2, true], lost.err);
});

test('[BK-7.3.3a2] "sluice audit show" filters and prints lines of JSON or a table', () => {
  const show = (...more) => sluice(['audit', 'show', '--data-dir', p.data, '--json', '--limit', 0, ...more]).out.trim().split('\n').filter(Boolean).map(JSON.parse);
  assert.deepEqual(show('--txn', calls[0].txn).map((r) => [r.transaction, r.status, r.grant, r.owner]), [[calls[0].txn, 200, world.grant, 'M00001']]);
  const refused = show('--refused', '--app', world.app);
  assert.ok([calls[1].txn, calls[3].txn].every((t) => refused.some((r) => r.transaction === t)));
  assert.ok(refused.every((r) => r.result === 'failure'));
  assert.equal(show('--owner', 'nobody').length, 0);
  assert.equal(show('--until', '2020-01-01T00:00:00Z').length, 0);
  const table = sluice(['audit', 'show', '--data-dir', p.data, '--txn', calls[0].txn, '--table']).out;
  assert.match(table, /fields: .*buyer_phone L3 mask by phone/);
});

test('[EC-4.2.1d2] "sluice audit operations" prints who changed what, before and after', () => {
  const rows = sluice(['audit', 'operations', '--data-dir', p.data, '--limit', 0]).out.trim().split('\n').map(JSON.parse);
  assert.deepEqual(rows.map((r) => r.seq), rows.map((_, i) => i + 1));
  const admitted = rows.find((r) => r.resource_id === world.app && r.action === 'admit');
  assert.deepEqual([admitted.before.state === 'admitted', admitted.after.state], [false, 'admitted']);
  assert.equal(sluice(['audit', 'operations', '--data-dir', p.data, '--limit', 2]).out.trim().split('\n').length, 2);
  assert.equal(sluice(['audit', 'operations', '--store', '/nonexistent/store.db']).code, 2);
});

// -- verify, on copies ------------------------------------------------------------------------------

test('[BK-7.3.3a2] a log as it was left verifies, from the data directory and from a copy', async () => {
  await p.stop({ keep: true });
  await p.spawn(); // a second start of the worker: at least two segments, the first sealed
  const { txn } = await p.call('/trade/orders/v1?limit=3', { key: world.key, grant: world.grant });
  await until(() => sluice(['audit', 'show', '--data-dir', p.data, '--txn', txn]).out.includes(txn), { what: 'the record' });
  await p.stop({ keep: true });
  copy = mkdtempSync(path.join(p.dir, 'auditor-'));
  cpSync(path.join(p.data, 'gateway/audit'), path.join(copy, 'audit'), { recursive: true });
  copyFileSync(path.join(p.data, 'keys/audit.pub'), path.join(copy, 'node.pub'));
  for (const file of readdirSync(path.join(p.data, 'control')).filter((f) => f.startsWith('store.db'))) copyFileSync(path.join(p.data, 'control', file), path.join(copy, file));
  const whole = sluice(['audit', 'verify', '--data-dir', p.data]);
  assert.deepEqual([whole.code, whole.out.trim().split('\n').at(-1)], [0, 'OK'], whole.out + whole.err);
  const apart = sluice(['audit', 'verify', '--dir', path.join(copy, 'audit'), '--key', path.join(copy, 'node.pub'), '--store', path.join(copy, 'store.db')]);
  assert.deepEqual([apart.code, apart.out.trim().split('\n').at(-1)], [0, 'OK'], apart.out + apart.err);
});

test('[BK-7.3.3a2] verify says what it did not check, and how to have it all checked', () => {
  const log = ['--dir', path.join(copy, 'audit')];
  const noKey = sluice(['audit', 'verify', ...log]);
  assert.equal(noKey.code, 1);
  assert.match(noKey.out, /signatures: NOT CHECKED[\s\S]*keys\/audit\.pub[\s\S]*--key FILE[\s\S]*INCOMPLETE\n$/);
  const noStore = sluice(['audit', 'verify', ...log, '--key', path.join(copy, 'node.pub')]);
  assert.equal(noStore.code, 0);
  assert.match(noStore.out, /operations: NOT CHECKED[\s\S]*--store FILE[\s\S]*as far as it was checked\n$/);
  const storeAlone = sluice(['audit', 'verify', '--store', path.join(copy, 'store.db')], { cwd: copy });
  assert.equal(storeAlone.code, 0, storeAlone.err);
  assert.match(storeAlone.out, /calls: NOT CHECKED[\s\S]*--dir DIR[\s\S]*operations: \d+ checked, 0 defects[\s\S]*as far as it was checked\n$/);
  for (const [args, says] of [
    [['--store', '/nonexistent/store.db'], /store \/nonexistent\/store\.db cannot be read/],
    [[], /no log at \.\/var\/gateway\/audit[\s\S]*--store FILE/],
    [['--dir', '/nonexistent'], /no log at \/nonexistent/],
    [[...log, '--key', path.join(copy, 'store.db')], /no SM2 key can be read/],
  ]) {
    const r = sluice(['audit', 'verify', ...args], { cwd: copy });
    assert.equal(r.code, 2, r.out);
    assert.match(r.err, says);
  }
});

// Each row damages a copy of the log; what verify must say of it.
const segments = (dir) => readdirSync(dir).filter((f) => f.endsWith('.seg')).sort();
const flip = (file, at) => { const b = readFileSync(file); b[at] ^= 1; writeFileSync(file, b); };
const placeOf = (file, txn) => readFileSync(file).indexOf(Buffer.from(txn.replaceAll('-', ''), 'hex'));
const holder = (dir, txn) => segments(dir).find((f) => placeOf(path.join(dir, f), txn) > 0);
const DAMAGE = {
  'one byte flipped': (dir) => {
    const name = holder(dir, calls[0].txn);
    flip(path.join(dir, name), placeOf(path.join(dir, name), calls[0].txn) + 3);
    return new RegExp(`DEFECT  ${name}, record \\d+: `);
  },
  'the tail cut beyond the signed head': (dir) => {
    const name = holder(dir, calls[2].txn);
    truncateSync(path.join(dir, name), placeOf(path.join(dir, name), calls[2].txn) - 40);
    return new RegExp(`DEFECT  ${name}, record \\d+: `);
  },
  'a segment deleted': (dir) => {
    const name = holder(dir, calls[0].txn);
    rmSync(path.join(dir, name));
    return new RegExp(`DEFECT  ${name}`);
  },
  'a record added': (dir) => {
    const name = holder(dir, calls[0].txn);
    const file = path.join(dir, name);
    const bytes = readFileSync(file);
    const end = bytes.length - [...bytes].reverse().findIndex((b) => b !== 0);
    const again = bytes.subarray(placeOf(file, calls[0].txn) - 64, end);
    writeFileSync(file, Buffer.concat([bytes.subarray(0, end), again]));
    return new RegExp(`DEFECT  ${name}, record \\d+: `);
  },
  'a line of the seals dropped': (dir) => {
    const lines = readFileSync(path.join(dir, 'seals'), 'utf8').trim().split('\n');
    writeFileSync(path.join(dir, 'seals'), lines.slice(1).map((l) => `${l}\n`).join(''));
    return /DEFECT  seals/;
  },
};

for (const [what, damage] of Object.entries(DAMAGE)) {
  test(`[BK-7.3.3a2] verify names the place of damage: ${what}`, () => {
    const dir = path.join(mkdtempSync(path.join(p.dir, 'damaged-')), 'audit');
    cpSync(path.join(copy, 'audit'), dir, { recursive: true });
    const says = damage(dir);
    const r = sluice(['audit', 'verify', '--dir', dir, '--key', path.join(copy, 'node.pub')]);
    assert.equal(r.code, 1, r.out + r.err);
    assert.match(r.out, says);
    assert.match(r.out, /BROKEN\n$/);
  });
}

test('[EC-4.2.1d2] verify names an operation that was changed, and one that was removed', () => {
  for (const [sql, says] of [
    ["UPDATE operations SET actor = 'nobody' WHERE seq = 5", /operation 5 does not match its chain value/],
    ['DELETE FROM operations WHERE seq = 7', /operations: 7 to 7 are missing/],
  ]) {
    const store = path.join(mkdtempSync(path.join(p.dir, 'store-')), 'store.db');
    for (const end of ['', '-wal'].filter((e) => readdirSync(copy).includes(`store.db${e}`))) copyFileSync(path.join(copy, `store.db${end}`), store + end);
    const done = spawnSync('sqlite3', [store, sql], { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    const r = sluice(['audit', 'verify', '--store', store], { cwd: copy });
    assert.equal(r.code, 1, r.out + r.err);
    assert.match(r.out, says);
    assert.match(r.out, /BROKEN\n$/);
  }
});
