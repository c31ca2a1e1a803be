// SPDX-License-Identifier: Apache-2.0
// What an app keeps: keys, its users' data, the call log, consents, files. No server but for the files.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { CallLog, KeyStore, OwnConsents, RETENTION_DAYS, Sluice, Vault, described, download, loadSettings, personalNames, renderConsent, scanLog, signer, upload, verifyLog } from '../src/index.js';
import { maskAccount } from '../src/personal.js';
import { Gateway, workFolder } from './lib/gateway.mjs';

const BIN = new URL('../bin/sluice-sdk.js', import.meta.url).pathname;
const PASSPHRASE = 'a passphrase of the tests', SECRET = randomBytes(32).toString('base64url');
const CARD = '6222020200112230012', ID = '11010519491231002X', PHONE = '13812345678', NAME = '欧阳测试';
let work;
const at = (name) => path.join(work.dir, name);
const file = (name, text, mode = 0o600) => { writeFileSync(at(name), text, { mode }); return at(name); };
const fails = (f, code) => assert.throws(f, (e) => { assert.equal(e.code, code, e.stack); return true; });
const bin = (...args) => spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
const everything = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? everything(path.join(dir, e.name)) : [path.join(dir, e.name)]));

const DESCRIPTION = { openapi: '3.1.0', info: { 'x-sluice-class': 'A1', 'x-sluice-signed': false }, paths: { '/trade/payments/v1': { get: { responses: { 200: { content: { 'application/json': { schema: { type: 'array', items: { type: 'object',
  properties: { payment_no: { 'x-sluice-level': 2 }, card_no: { 'x-sluice-level': 2, 'x-sluice-tags': ['personal-financial', 'pfi-account', 'payment-account'] }, holder: { 'x-sluice-level': 3 }, balance: { 'x-sluice-level': 2, 'x-sluice-tags': ['pfi-property'] },
    pin: { 'x-sluice-level': 2, 'x-sluice-tags': ['payment-account', 'payment-sensitive'] }, amount: { 'x-sluice-level': 2 }, note: { 'x-sluice-level': 1 } } } } } } } } } } } };

before(() => { work = workFolder(); });
after(() => work?.remove());

test('[BK-9.3.5b1, BK-7.3.4b3] the key store opens with its passphrase alone, nothing of it lies in clear, and one that was altered opens nothing', () => {
  const where = at('app.keys'), store = KeyStore.create(where, PASSPHRASE);
  store.put('main', { id: 'cred-1', algorithm: 'hmac-sm3', material: SECRET });
  const jwk = store.generate('pair', 'sm2-sm3');
  store.named('pair', 'cred-2');
  const text = readFileSync(where, 'utf8');
  assert.ok(!text.includes(SECRET) && !text.includes('cred-1') && jwk.crv === 'SM2' && jwk.d === undefined);
  assert.equal(statSync(where).mode & 0o777, 0o600);
  assert.deepEqual(KeyStore.open(where, PASSPHRASE).signers().map((s) => [s.id, s.algorithm]), [['cred-2', 'sm2-sm3'], ['cred-1', 'hmac-sm3']], 'the pair\'s first');
  fails(() => KeyStore.open(where, `${PASSPHRASE}.`), 'key-store-locked');
  const o = JSON.parse(text);
  for (const bad of [{ ...o, data: `${o.data.slice(0, 9)}${o.data[9] === 'A' ? 'B' : 'A'}${o.data.slice(10)}` }, { ...o, tag: o.iv }, { ...o, tag: o.tag.slice(0, 6) }, { ...o, kdf: { ...o.kdf, N: 2 } }, { ...o, format: 'x' }, [], null, { format: o.format, kdf: null }]) fails(() => KeyStore.open(file('bad.keys', JSON.stringify(bad)), PASSPHRASE), 'key-store-locked');
  for (const bad of ['', '{', text.slice(0, -9)]) fails(() => KeyStore.open(file('bad.keys', bad), PASSPHRASE), 'key-store-locked');
  for (const [algorithm, material] of [['hmac-sm3', 'AAAA'], ['sm2-sm3', 'x'], ['ecdsa-p256-sha256', 'x'], ['none', SECRET]]) fails(() => signer('id', algorithm, material), 'key-unusable');
  const pem = execFileSync('openssl', ['genpkey', '-algorithm', 'SM2'], { encoding: 'utf8' }), imported = signer('id', 'sm2-sm3', pem);
  assert.equal(imported.sign(Buffer.from('x')).length, 64);
  fails(() => signer('id', 'sm2-sm3', execFileSync('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })), 'key-unusable');
});

test('[BK-9.3.5b1, BK-7.3.4b3, EC-4.2.2c2] settings that hold a secret, or name a key file in clear, and a passphrase others may read end the start', () => {
  KeyStore.create(at('set.keys'), PASSPHRASE);
  const pass = file('pass', `${PASSPHRASE}\n`), base = { gateway: 'https://127.0.0.1:1', ca: 'ca.pem', app: 'a', keyStore: 'set.keys', passphraseFile: 'pass' };
  file('ca.pem', '-----BEGIN CERTIFICATE-----\n');
  const load = (o) => loadSettings(file('app.json', typeof o === 'string' ? o : JSON.stringify(o)));
  assert.equal(load(base).keys.storeKey().length, 32);
  const pem = execFileSync('openssl', ['genpkey', '-algorithm', 'SM2'], { encoding: 'utf8' });
  file('clear.pem', pem);
  file('clear.secret', SECRET);
  for (const more of [{ secret: SECRET }, { hmacSecret: SECRET }, { privateKey: pem }, { extra: { password: 'x' } }, { passphrase: 'x' }, { note: pem }, { keyStore: 'clear.pem' }, { keyStore: 'clear.secret' }]) fails(() => load({ ...base, ...more }), 'secret-in-settings');
  for (const bad of ['{', { ...base, unknown: 1 }, { ...base, app: undefined }]) fails(() => load(bad), 'settings-invalid');
  chmodSync(pass, 0o644);
  fails(() => load(base), 'settings-invalid');
  chmodSync(pass, 0o600);
});

test('[EC-7.1.1c, EC-7.1.1b] what is one user\'s is had by that user\'s session alone: by name, by reference, and in the files', () => {
  for (const vault of [new Vault(), new Vault({ key: randomBytes(32), folder: at('vault') })]) {
    const refused = [];
    vault.onRefused = (e) => refused.push(e.user);
    const a = vault.session('alice'), b = vault.session('bob'), orders = [{ order_id: 'A-1', buyer: NAME }];
    const reference = a.put('orders', orders, { class: 'A1' });
    assert.deepEqual([a.get('orders'), a.open(reference), b.get('orders')], [orders, orders, undefined]);
    fails(() => b.open(reference), 'not-this-users');
    fails(() => b.open('../../etc/passwd'), 'not-this-users');
    b.put('orders', [], { class: 'A1' });
    fails(() => b.open(`${b.put('x', 1, { class: 'A1' }).split('.')[0]}.${reference.split('.')[1]}`.replace(/.$/, '')), 'not-this-users');
    assert.equal(b.open(`${b.put('x', 1).split('.')[0]}.${reference.split('.')[1]}`), undefined, 'a made-up reference finds nothing');
    assert.deepEqual(refused, ['bob', 'bob', 'bob']);
    a.forget();
    assert.deepEqual([a.get('orders'), b.get('orders')], [undefined, []]);
  }
  fails(() => new Vault().session(''), 'settings-invalid');
});

test('[EC-7.1.2, EC-4.2.2c2, BK-7.2.2c3-3] on disk nothing is in clear, a file moved to another user or altered opens nothing, and A2 results are not there at all', () => {
  const key = randomBytes(32), folder = at('vault2'), vault = new Vault({ key, folder }), a = vault.session('alice');
  a.put('secret', { level3: NAME, level4: CARD }, { class: 'A1' });
  a.put('balance', { level3: PHONE }, { class: 'A2' });
  a.put('unknown', { level3: ID });
  assert.equal(vault.kept, 1);
  const files = everything(folder);
  for (const f of files) for (const word of [NAME, CARD, PHONE, ID, 'alice', 'secret']) assert.ok(!readFileSync(f).includes(word) && !f.includes(word), word);
  assert.deepEqual(new Vault({ key, folder }).session('alice').get('secret'), { level3: NAME, level4: CARD }, 'after a restart');
  assert.equal(new Vault({ key, folder }).session('alice').get('balance'), undefined);
  a.put('secret', { level4: CARD }, { class: 'A2' });
  assert.equal(vault.kept, 0, 'nor does an older copy stay');
  a.put('secret', 1, { class: 'A1' });
  const b = vault.session('bob').put('secret', 2, { class: 'A1' }), mine = everything(folder).find((f) => !f.includes(b.split('.')[0]));
  writeFileSync(mine, readFileSync(path.join(folder, ...b.split('.'))));
  fails(() => new Vault({ key, folder }).session('alice').get('secret'), 'store-altered');
  let now = 1000;
  const short = new Vault({ now: () => now }).session('alice');
  short.put('x', 1, { ttlMs: 10 });
  assert.equal(short.get('x'), 1);
  now += 10;
  assert.equal(short.get('x'), undefined);
});

const record = (log, more = {}) => log.record({ api: '/trade/payments/v1', method: 'GET', transaction: 't-1', status: 200, ms: 3, attempts: 1, fields: described(DESCRIPTION)[0].fields,
  answer: [{ payment_no: 'P-1', card_no: CARD, holder: NAME, balance: 99.5, pin: '123456', amount: 12, note: `call ${PHONE}`, unknown: 'x' }], ...more });

test('[BK-7.3.3b2-1] the call log has payment accounts and what stands for them only partly masked', () => {
  const log = new CallLog({ folder: at('log1') }), r = record(log, { request: { card_no: 'wallet-of-someone@example.com' } });
  assert.equal(r.answer[0].card_no, '622202*********0012');
  assert.match(r.request.card_no, /^wallet\*+\.com$/);
  assert.deepEqual([maskAccount('12345678'), maskAccount('123456'), maskAccount('1')], ['****5678', '****56', '*']);
  log.close();
  const text = readFileSync(everything(at('log1'))[0], 'utf8');
  assert.ok(text.includes('622202*********0012') && !text.includes(CARD));
});

test('[BK-7.3.3b2-2] every other personal field is dropped, by tag, by level, by form, and what nobody describes; a log that has any is flagged', () => {
  const log = new CallLog({ folder: at('log2') }), r = record(log);
  assert.deepEqual(r.answer, [{ payment_no: 'P-1', card_no: '622202*********0012', amount: 12 }]);
  assert.equal(record(log, { fields: undefined }).answer, undefined, 'without a description nothing is told');
  log.close();
  const clean = bin('scan-log', ...everything(at('log2')));
  assert.deepEqual([clean.status, clean.stdout], [0, ''], clean.stderr);
  const bad = { card: `paid with 6222 0202 0011 2230 012`, id: `user ${ID} signed in`, phone: `sms to +86 ${PHONE}`, mail: 'sent to someone@example.com', member: `{"buyer_name": "${NAME}", "n": 1}`, pair: `address=太原市高新区 ok`, nested: `{"m":"{\\"holder_name\\":\\"${NAME}\\"}"}` };
  for (const [what, line] of Object.entries(bad)) {
    assert.deepEqual([...new Set([...scanLog(file('one.log', `started\n${line}\n`))].map((f) => f.line))], [2], what);
  }
  const found = bin('scan-log', file('app.log', Object.values(bad).join('\n')));
  assert.equal(found.status, 1, found.stderr);
  assert.deepEqual([...new Set(found.stdout.match(/(?<=app\.log:)\d+(?=: \S)/g))].map(Number), Object.keys(bad).map((_, i) => i + 1), found.stdout);
  for (const value of [CARD, ID, PHONE, NAME, 'someone@']) assert.ok(!found.stdout.includes(value), 'the value is not said again');
  const good = file('good.log', `2026-11-27T01:02:03.123456789Z GET /orders 200 12ms\n{"transaction":"0193500a-7c00-7000-8000-000000000001","card_no":"622202*********0012","buyer_name":"欧**","n":20261127010203}\nport 13812 id 110105194912310021 pi 3.1415926535897932384\n`);
  assert.deepEqual([...scanLog(good)], []);
  assert.deepEqual([...scanLog(file('long.log', `${'x'.repeat(3 << 20)}\n${'1 '.repeat(1 << 20)}\nphone=${PHONE}\n`))].map((f) => f.kind), ['mobile', 'member phone'], 'long lines of one word or of digits');
  const tagged = file('tagged.log', 'note=x payment_no=7 card_no=1 holder=王 balance=88\n');
  assert.deepEqual([...scanLog(tagged, personalNames(described(DESCRIPTION)))].map((f) => f.kind), ['member card_no', 'member holder', 'member balance']);
  assert.equal(bin('scan-log').status, 2);
});

test('[BK-12.3b2, BK-9.3.4c2] the call log is a chain: a record changed, taken out or put elsewhere is found; it goes on after a restart and is kept for half a year', () => {
  let now = Date.parse('2026-01-01T10:00:00Z');
  const folder = at('log3'), open = (more = {}) => new CallLog({ folder, now: () => now, ...more });
  let log = open();
  record(log);
  record(log);
  log.close();
  now += 86400e3;
  log = open();
  assert.equal(record(log).n, 3);
  log.close();
  assert.deepEqual([verifyLog(folder).records, verifyLog(folder).last], [3, 3]);
  const [first] = everything(folder).sort(), text = readFileSync(first, 'utf8'), lines = text.trimEnd().split('\n');
  writeFileSync(first, `${text}{"n":9,`); // the power went in the middle of a line
  open().close();
  for (const bad of [text.replace('"status":200', '"status":201'), `${lines[1]}\n${lines[0]}\n`, `${lines[0]}\n`, text.replace('P-1', 'P-2'), `${lines[0]}\nno json\n`]) {
    writeFileSync(first, bad);
    fails(() => verifyLog(folder), 'log-altered');
  }
  assert.equal(bin('verify-log', folder).status, 1);
  writeFileSync(first, text);
  assert.match(bin('verify-log', folder).stdout, /records 1 to 3, all as written/);
  fails(() => open({ retentionDays: 182 }), 'settings-invalid');
  now += (RETENTION_DAYS - 2) * 86400e3;
  log = open();
  record(log);
  assert.equal(everything(folder).length, 3, 'nothing goes before its time');
  now += 2 * 86400e3;
  record(log);
  log.close();
  assert.deepEqual([everything(folder).length, existsSync(first), verifyLog(folder).first], [3, false, 3]);
  const [one, two] = [open(), open()];
  record(one);
  record(two);
  fails(() => record(one), 'log-altered');
});

test('[BK-12.2b2] the form for the app\'s own collection always says that its company collects, and neither bank nor platform; in both languages, escaped', () => {
  const given = { company: '<b>某软件公司</b>', purpose: 'delivery & "care"', items: ['address<script>', '电话'] };
  const zh = renderConsent({ ...given, lang: 'zh' }), en = renderConsent({ ...given, lang: 'en' }), plain = renderConsent(given);
  assert.equal(plain.text, zh.text, 'without a word about it too');
  assert.match(zh.text, /由<b>某软件公司<\/b>收集，收集方并非您的银行或数据开放平台，与银行服务无关/);
  assert.match(en.text, /collected by .*, not by your bank or the data platform\. It has nothing to do with the bank's services/);
  for (const r of [zh, en]) {
    assert.ok(r.html.includes('class="collector"') && !/<b>|<script>/.test(r.html.replace(/<button[^>]*>/g, '')) && r.html.includes('&lt;script&gt;') && r.html.includes('delivery &amp; &quot;care&quot;'));
    assert.doesNotMatch(r.html, /checked/, 'nothing is ticked');
  }
  fails(() => renderConsent({ ...given, company: '' }), 'consent-incomplete');
});

test('[BK-12.2b1-1] a consent given to the app\'s company is a record of its own, of an act on the very words shown, ended apart from the rest', () => {
  const key = randomBytes(32), own = new OwnConsents({ company: '某软件公司', vault: new Vault({ key, folder: at('own-consents') }) });
  const platform = new Vault({ key, folder: at('tokens') }).session('alice');
  platform.put('grant', 'grant-1', { class: 'A1' });
  const what = { purpose: '配送', items: ['地址', '电话'] }, page = renderConsent({ company: '某软件公司', ...what });
  fails(() => own.record('alice', { ...what, shown: page.shown, act: 'default' }), 'consent-incomplete');
  fails(() => own.record('alice', { ...what, items: ['地址', '电话', '身份证'], shown: page.shown, act: 'tick' }), 'consent-incomplete');
  const one = own.record('alice', { ...what, shown: page.shown, act: 'tick' });
  assert.deepEqual([one.given_to, one.statement, one.ended_at], ['某软件公司', page.statement, null]);
  const again = new OwnConsents({ company: '某软件公司', vault: new Vault({ key, folder: at('own-consents') }) });
  assert.deepEqual(again.list('alice'), [one], 'after a restart');
  assert.deepEqual([again.covers('alice', '配送', ['电话']), again.covers('alice', '配送', ['身份证']), again.covers('bob', '配送', ['电话'])], [true, false, false]);
  fails(() => again.end('bob', one.id), 'not-this-users');
  assert.ok(again.end('alice', one.id).ended_at);
  assert.equal(again.covers('alice', '配送', ['电话']), false);
  assert.equal(platform.get('grant'), 'grant-1', 'what stands at the platform is not touched');
  for (const f of everything(at('own-consents'))) assert.ok(!readFileSync(f).includes('配送'));
});

test('[SW-9.8-tra2] lost, cut and altered chunks are had again by themselves, a program that comes back fetches only what it lacks, and the whole has its digest', async () => {
  const g = await Gateway.start(work.dir), bytes = randomBytes(50000), sm3 = (b) => createHash('sm3').update(b).digest('hex');
  try {
    const chunks = [0, 1, 2, 3, 4].map((i) => ({ offset: i * 10000, bytes: 10000, rows: 10, sm3: sm3(bytes.subarray(i * 10000, i * 10000 + 10000)) }));
    const manifest = { files: [{ name: 'x', bytes: bytes.length, rows: 50, sm3: sm3(bytes), chunks }] };
    const c = new Sluice({ gateway: g.url, ca: g.tls.ca, app: 'a', keys: { signers: () => [signer('c', 'hmac-sm3', SECRET)] }, descriptions: [DESCRIPTION], retries: 0 });
    const JOB = '/trade/payments/v1/exports/1', plain = { signed: false, headers: { 'content-type': 'application/octet-stream', 'sluice-transaction': 't' } };
    const asked = [], trouble = { 10000: ['altered', 'lost'], 30000: ['cut'] };
    g.answer = (seen) => {
      if (seen.url.endsWith('/manifest')) return { signed: false, body: JSON.stringify(manifest) };
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(seen.headers.range).map(Number), what = trouble[from]?.shift(), part = Buffer.from(bytes.subarray(from, to + 1));
      asked.push(from);
      if (what === 'lost') return { drop: true };
      if (what === 'altered') part[5] ^= 1;
      return { ...plain, status: 206, body: part, cut: what === 'cut' };
    };
    const repeats = [], to = at('orders.ndjson');
    const done = await download(c, JOB, to, { onRepeat: (r) => repeats.push(`${r.offset} ${r.why}`) });
    assert.deepEqual(repeats, ['10000 altered', '10000 broken-off', '30000 broken-off']);
    assert.deepEqual([done.fetched, done.rows, sm3(readFileSync(to))], [5, 50, sm3(bytes)]);
    assert.ok(!existsSync(`${to}.part`));
    const broken = Buffer.concat([bytes.subarray(0, 20000), Buffer.alloc(10000), bytes.subarray(30000, 35000)]);
    file('again.part', broken);
    asked.length = 0;
    assert.equal((await download(c, JOB, at('again'))).fetched, 3);
    assert.deepEqual(asked, [20000, 30000, 40000]);
    assert.ok(readFileSync(at('again')).equals(bytes));
    trouble[0] = Array(9).fill('altered');
    await assert.rejects(download(c, JOB, at('never'), { tries: 2 }), (e) => e.kind === 'integrity' && e.code === 'file-altered');
    assert.ok(!existsSync(at('never')));
    manifest.files[0].chunks = chunks.slice(1);
    await assert.rejects(download(c, JOB, at('never')), (e) => e.code === 'file-altered');
    await assert.rejects(download(c, '/balances/v1/exports/1', at('never')), (e) => e.code === 'store-forbidden');
    await uploads(g, c, bytes);
  } finally { await g.stop(); }
});

// Pieces that get lost, or arrive altered, on their way to a tus server.
async function uploads(g, c, bytes) {
  let got = Buffer.alloc(0), n = 0;
  g.answer = (seen) => {
    const say = (status, more = {}, body = '') => ({ status, signed: false, headers: { 'tus-resumable': '1.0.0', 'content-type': 'application/problem+json', ...more }, body });
    if (seen.method === 'POST') return say(201, { location: '/api/v1/uploads/u-1' });
    if (seen.method === 'HEAD') return say(200, { 'upload-offset': String(got.length) });
    n += 1;
    if (n === 2) return { drop: true };
    if (n === 3) { got = Buffer.concat([got, seen.body]); return { drop: true }; } // taken, and the answer lost
    if (n === 4) return say(460, {}, '{"code":"upload-checksum"}');
    assert.equal(seen.headers['upload-checksum'], `sm3 ${createHash('sm3').update(seen.body).digest('base64')}`);
    assert.equal(Number(seen.headers['upload-offset']), got.length);
    got = Buffer.concat([got, seen.body]);
    return say(204, { 'upload-offset': String(got.length) });
  };
  const repeats = [], r = await upload({ connection: c.connection, control: g.url, session: 's' }, bytes, { name: 'x.csv', type: 'text/csv', pieceBytes: 10000, onRepeat: (e) => repeats.push(e.why) });
  assert.ok(got.equals(bytes) && r.id === 'u-1');
  assert.deepEqual(repeats, ['broken-off', 'broken-off', 'upload-checksum']);
}

test('[BK-9.3.5b2] the SDK\'s handbook has a chapter on the care of keys and on what to do on loss, in both languages', () => {
  for (const [name, ...words] of [['README.md', '## Care of keys', 'report-loss', 'never registered again'], ['README.zh.md', '## 密钥的保管', 'report-loss', '不得再次登记']]) {
    const text = readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
    for (const word of words) assert.ok(text.includes(word), `${name}: ${word}`);
  }
});

test('keys by the command: made, named, listed, taken in; the store never shows material', () => {
  const pass = file('bin.pass', `${PASSPHRASE}\n`), more = ['--store', at('bin.keys'), '--passphrase-file', pass];
  const made = bin('keys', 'new', 'main', '--algorithm', 'sm2-sm3', ...more);
  assert.equal(JSON.parse(made.stdout).crv, 'SM2', made.stderr);
  assert.equal(bin('keys', 'named', 'main', '--id', 'cred-9', ...more).status, 0);
  assert.equal(bin('keys', 'import', 'mac', '--algorithm', 'hmac-sm3', '--id', 'cred-1', '--from', file('secret.txt', SECRET), ...more).status, 0);
  assert.deepEqual(bin('keys', 'list', ...more).stdout.trim().split('\n'), ['store\tstore\t', 'main\tsm2-sm3\tcred-9', 'mac\thmac-sm3\tcred-1']);
  assert.equal(bin('keys', 'remove', 'mac', ...more).status, 0);
  assert.match(bin('check').stdout, /^js\/\d+\.\d+\.\d+;sm3=[0-9a-f]{64}\n$/);
  assert.equal(bin('keys', 'list').status, 2);
});
