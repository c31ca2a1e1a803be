// SPDX-License-Identifier: Apache-2.0
// The library of mask rules, what it takes to open what was masked, the history of exports, and a search for leaks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { gzipSync } from 'node:zlib';
import smCrypto from 'sm-crypto';
import * as tus from 'tus-js-client';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const { sm2 } = smCrypto;
const ORDERS = '/trade/orders/v1';
let p;
let world;
const call = (target, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const dataset = () => world.provider.get(`/datasets/${world.dataset}`);
const with_ = (d, change) => d.fields.map((f) => ({ ...f, ...(change[f.name] ?? {}) }));
// What is to become of some fields has its security review.
const review = async (change) => w.reviewed(world, 'datasets', world.dataset,
  with_(await dataset(), change).filter((f) => change[f.name]).map(({ name, level, mask }) => ({ name, level, mask })));
async function fields(change) {
  const d = await dataset();
  return world.provider.patch(`/datasets/${world.dataset}`, { fields: with_(d, change) }, d.revision);
}
const first = async (more) => rows(await call(`${ORDERS}?order=order_id&limit=1`, more), 1)[0];
const becomes = (check, what) => until(async () => { const r = (await call(`${ORDERS}?order=order_id&limit=1`)).json?.[0]; return r && check(r) && r; }, { ms: 10000, what });

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 60 });
  const api = await world.provider.get(`/apis/${world.api}`);
  await world.provider.patch(`/apis/${world.api}`, { batch: true }, api.revision);
});
after(async () => { await p?.stop(); });

test('[SW-8.1-p6, SW-9.6.2-3b, SW-9.6.2-0c] a rule of the library, named by a field, holds in every service of it, and a changed rule at once', async () => {
  const rule = await world.operator.post('/mask_rules', { name: 'people', rule: 'fake_name:people', category: 'identity' });
  assert.equal(rule.version, 1);
  await review({ buyer_name: { mask: 'fake_name:people' } });
  await fields({ buyer_name: { mask: '@people' } });
  const f = (await dataset()).fields.find((x) => x.name === 'buyer_name');
  assert.deepEqual([f.rule, f.mask], ['people', 'fake_name:people']);
  const one = await becomes((r) => !/\*/.test(r.buyer_name), 'another name');
  assert.equal((await first()).buyer_name, one.buyer_name, 'the same each time');
  await review({ buyer_name: { mask: 'name' } });
  const changed = await world.operator.patch(`/mask_rules/${rule.id}`, { rule: 'name' }, rule.revision);
  assert.equal(changed.version, 2);
  await becomes((r) => /\*/.test(r.buyer_name), 'the changed rule');
  await restRefuses(world.operator.post('/mask_rules', { name: 'bad', rule: 'nothing' }), 'field-invalid', '/rule');
  await restRefuses(fields({ buyer_name: { mask: '@absent' } }), 'field-invalid');
});

test('[BK-7.2.2c2-2, SW-9.4-2, EC-5.2.3-0] what is sensitive is masked by default: by the rule of its tag, or of its level', async () => {
  await world.operator.post('/mask_rules', { name: 'sensitive', rule: 'keep:1:0', default_of_level: 3 });
  await world.operator.post('/mask_rules', { name: 'financial', rule: 'keep:0:2', default_of_tag: 'personal-financial' });
  await restRefuses(world.operator.post('/mask_rules', { name: 'twice', rule: 'name', default_of_level: 3 }), 'field-invalid', '/default_of_level');
  const d = await world.provider.post('/datasets', { name: 'by default', source_id: world.source, table: 'orders', owner_column: 'merchant_id' });
  const made = await world.provider.patch(`/datasets/${d.id}`, { fields: d.fields.map((f) => ({ ...f, level: f.name === 'buyer_name' || f.name === 'card_number' ? 3 : 2,
    ...(f.name === 'card_number' ? { tags: ['personal-financial'] } : {}) })) }, d.revision);
  const by = (name) => made.fields.find((f) => f.name === name);
  assert.deepEqual([by('buyer_name').mask, by('buyer_name').rule], ['keep:1:0', 'sensitive']);
  assert.deepEqual([by('card_number').mask, by('card_number').rule], ['keep:0:2', 'financial']);
});

test('[EC-3.15b] the test bench shows what a rule does, and is no oracle: keyed rules get a key of the moment', async () => {
  const bench = (rule, values) => world.provider.post('/mask_rules/try', { rule, values });
  assert.deepEqual((await bench('phone', ['13812345678', ''])).results, ['138****5678', '']);
  assert.deepEqual((await bench('@people', ['张三丰'])).results, ['张**']);
  assert.deepEqual((await bench('null', ['x'])).results, [null]);
  const [a, b] = [await bench('pseudonym', ['13812345678']), await bench('pseudonym', ['13812345678'])];
  assert.ok(a.keyed && a.results[0] !== b.results[0]);
  await restRefuses(bench('phone', [7]), 'field-invalid', '/values/0');
  await restRefuses(bench('@absent', ['x']), 'field-invalid', '/rule');
  const cli = p.sluice('mask', 'try', 'phone', '13812345678');
  assert.equal(cli.out.trim(), '138****5678');
});

test('[SW-9.4-2, SW-9.6.2-0d] what is masked opens only by a declassification that somebody else approved, and the record of it stays', async () => {
  const [setting] = await world.admin.list('stage_settings', { name: 'declassification-required' });
  await world.admin.patch(`/stage_settings/${setting.id}`, { value: 'on' }, setting.revision);
  await restRefuses(fields({ buyer_email: { level: 2, mask: '' } }), 'declassification-needed');
  await review({ amount: { level: 3, mask: 'keep:1:0' } });
  await fields({ amount: { level: 3, mask: 'keep:1:0' } }); // stricter needs no leave
  const asked = await world.provider.post('/declassifications', { dataset_id: world.dataset, field: 'buyer_email', to_level: 2, reason: 'published by the merchants themselves' });
  assert.deepEqual([asked.from_level, asked.from_mask, asked.requested_by], [3, 'email', 'provider']);
  await becomes((r) => /\*{3}@/.test(r.buyer_email), 'the mask as it was');
  const own = await world.operator.post('/declassifications', { dataset_id: world.dataset, field: 'buyer_phone', to_level: 1, reason: 'a reason of no weight' });
  await restRefuses(world.operator.act('declassifications', own.id, 'approve'), 'self-approval');
  await world.admin.act('declassifications', own.id, 'refuse', { comment: 'no' });
  await restRefuses(world.operator.act('declassifications', asked.id, 'approve'), 'security-review-missing');
  await review({ buyer_email: { level: 2, mask: '' } });
  const done = await world.operator.act('declassifications', asked.id, 'approve');
  assert.deepEqual([done.state, done.decided_by], ['applied', 'operator']);
  await becomes((r) => r.buyer_email && !/\*/.test(r.buyer_email), 'the address as it is');
  const log = (await world.admin.list('operations', { kind: 'declassification' })).map((o) => o.action);
  for (const action of ['create', 'approve', 'refuse']) assert.ok(log.includes(action), `${action} in ${log}`);
  await world.admin.patch(`/stage_settings/${setting.id}`, { value: 'off' }, (await world.admin.get(`/stage_settings/${setting.id}`)).revision);
});

test('[SW-9.7-2a, SW-9.1-4c, SW-9.8-exc2] exports of apps and operators have a history: whose, under which grant, how many rows, masked by which versions of which rules', async () => {
  const made = await call(`${ORDERS}/exports`, { method: 'POST', body: '{"format":"csv"}' });
  assert.equal(made.status, 202, made.text);
  const row = await until(async () => (await world.developer.list('exports', { app_id: world.app })).find((e) => e.id === made.json.id && e.state === 'ready'), { ms: 15000, what: 'its row' });
  assert.equal(row.grant_id, world.grant);
  assert.ok(row.rows > 0 && row.sm3.length === 64);
  assert.ok(row.rules.some((r) => r.name === 'people' && r.version === 2 && r.rule === 'name'), JSON.stringify(row.rules));
  const asked = await world.operator.post('/exports', { api_id: world.api, owner: 'M00002', format: 'ndjson', query: 'limit=3' });
  const own = await until(async () => { const e = await world.operator.get(`/exports/${asked.id}`); return e.state === 'ready' && e; }, { ms: 15000, what: 'the operator\'s' });
  assert.deepEqual([own.rows, own.requested_by, own.app_id], [3, 'operator', null]);
  const m = await world.operator.get(`/exports/${asked.id}/manifest`);
  assert.equal(JSON.parse(m.manifest).rows, 3);
  const [header, claims, sig] = m.jws.split('.');
  const said = JSON.parse(Buffer.from(claims, 'base64url'));
  assert.equal(said.manifest_sm3, createHash('sm3').update(m.manifest).digest('hex'));
  const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
  const jwk = (await world.operator.get('/keys')).keys.find((k) => k.kid === kid);
  const point = `04${Buffer.from(jwk.x, 'base64url').toString('hex')}${Buffer.from(jwk.y, 'base64url').toString('hex')}`;
  const good = (text) => sm2.doVerifySignature([...Buffer.from(text)], Buffer.from(sig, 'base64url').toString('hex'), point, { hash: true });
  assert.ok(good(`${header}.${claims}`), 'signed with a key of the platform');
  assert.ok(!good(`${header}.${claims}x`));
  assert.ok(!(await world.developer.list('exports')).some((e) => e.id === asked.id), 'another\'s is not shown');
  await restRefuses(world.operator.post('/exports', { api_id: world.api }), 'field-invalid', '/owner');
  const gone = await world.developer.act('exports', row.id, 'erase');
  assert.equal(gone.state, 'erased');
  refused(await call(`${ORDERS}/exports/${row.id}/data`), 410, 'export-gone');
});

test('[SW-9.1-7a, EC-3.15a] no private value of the source is found in answers, files, logs, error messages or what the platform keeps of them', async () => {
  const secret = execFileSync('sqlite3', [path.join(p.dir, 'orders.db'), 'SELECT buyer_phone, card_number, pay_password, buyer_address FROM orders'], { encoding: 'utf8' })
    .trim().split('\n').flatMap((l) => l.split('|')).filter((v) => v.length >= 8);
  assert.ok(secret.length > 100);
  const found = (text) => secret.filter((v) => text.includes(v));
  const job = (await call(`${ORDERS}/exports`, { method: 'POST', body: '{"format":"ndjson","compression":"none"}' })).json;
  await until(async () => (await call(`${ORDERS}/exports/${job.id}`)).json.state === 'ready', { ms: 15000, what: 'the export' });
  const [phone] = secret;
  const answers = [await call(`${ORDERS}?limit=1000`), await call(`${ORDERS}/exports/${job.id}/data`), await call(`${ORDERS}/exports/${job.id}/manifest`),
    await call(`${ORDERS}?buyer_phone=eq.x`), await call(`${ORDERS}?select=card_number`), await call(`${ORDERS}/exports?buyer_phone=like.*`, { method: 'POST', body: '{}' })];
  assert.deepEqual(answers.map((a) => a.status), [200, 200, 200, 403, 403, 403]);
  for (const a of answers) assert.deepEqual(found(a.text), []);
  assert.deepEqual(found((await call(`${ORDERS}?order_id=eq.${encodeURIComponent(phone)}`)).text), []);
  assert.deepEqual(found(p.log), [], 'what the processes say');
  const files = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(path.join(dir, e.name)) : [path.join(dir, e.name)]));
  for (const file of files(p.data)) {
    if (!/sock$/.test(file) && statSync(file).isFile() && statSync(file).size < 64 << 20) assert.deepEqual(found(readFileSync(file, 'latin1')), [], file);
  }
});

const tusOptions = (token) => ({ endpoint: `${p.control}/api/v1/uploads`, headers: { authorization: `Bearer ${token}` }, httpStack: new tus.DefaultHttpStack({ ca: p.ca }), retryDelays: null });
const upload = (bytes, type, more = {}) => new Promise((resolve, reject) => {
  const u = new tus.Upload(bytes, { ...tusOptions(world.developer.token), metadata: { filename: 'orders.csv', filetype: type }, chunkSize: 1 << 20,
    onError: reject, onSuccess: () => resolve(u), ...more });
  u.start();
});
const uploadRow = (u) => world.developer.get(`/uploads/${u.url.split('/').at(-1)}`);

test('[SW-9.8-tra3, SW-9.8-tra2] the stock tus client hands a file in: broken off it goes on at the byte the platform has, also after kill -9; an altered piece is not taken', async () => {
  const bytes = Buffer.from('id,name\r\n'.repeat(400000));
  let broken;
  await new Promise((resolve, reject) => {
    broken = new tus.Upload(bytes, { ...tusOptions(world.developer.token), metadata: { filename: 'orders.csv', filetype: 'text/csv' }, chunkSize: 1 << 20,
      onError: reject, onChunkComplete: () => { broken.abort().then(resolve); } });
    broken.start();
  });
  const kept = (await uploadRow(broken)).offset;
  assert.ok(kept >= 1 << 20 && kept < bytes.length);
  process.kill(p.processes().control[0], 'SIGKILL');
  await until(async () => (await p.rest.raw('GET', '/api/v1/health').catch(() => ({}))).status === 200, { ms: 20000, what: 'the control plane' });
  assert.equal((await uploadRow(broken)).offset, kept, 'what was acknowledged is there');
  let sent = 0;
  const done = await upload(bytes, 'text/csv', { uploadUrl: broken.url, onBeforeRequest: (r) => { if (r.getMethod() === 'PATCH') sent += 1; } });
  assert.equal(sent, Math.ceil((bytes.length - kept) / (1 << 20)));
  const row = await uploadRow(done);
  assert.deepEqual([row.state, row.content_sm3], ['complete', createHash('sm3').update(bytes).digest('hex')]);
  const small = Buffer.from('id\r\n1\r\n');
  const made = await world.developer.raw('POST', '/api/v1/uploads', undefined, { 'tus-resumable': '1.0.0', 'upload-length': String(small.length), 'upload-metadata': `filetype ${Buffer.from('text/csv').toString('base64')}` });
  assert.equal(made.status, 201);
  const piece = (sum, at = 0) => world.developer.raw('PATCH', made.headers.location, small, { 'tus-resumable': '1.0.0', 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream', 'upload-checksum': sum });
  const altered = await piece(`sm3 ${createHash('sm3').update('another').digest('base64')}`);
  assert.deepEqual([altered.status, altered.body.code], [460, 'upload-checksum']);
  assert.equal((await piece(`sha256 ${createHash('sha256').update(small).digest('base64')}`, 3)).status, 409);
  assert.equal((await piece(`sm3 ${createHash('sm3').update(small).digest('base64')}`)).status, 204);
});

test('[SW-9.1-7a] a file that lies about its type, unpacks to far more than it is, or is another organisation\'s is not had', async () => {
  const bomb = gzipSync(Buffer.alloc(64 << 20), { level: 9 });
  const status = (e) => e.originalResponse?.getStatus();
  await assert.rejects(upload(bomb, 'application/gzip'), (e) => status(e) === 413);
  await assert.rejects(upload(Buffer.from('not packed at all'), 'application/gzip'), (e) => status(e) === 415);
  await assert.rejects(upload(Buffer.from([0x61, 0, 0xff, 0x0a]), 'text/csv'), (e) => status(e) === 415);
  await assert.rejects(upload(Buffer.from('x'), 'application/x-msdownload'), (e) => status(e) === 415);
  const good = await upload(gzipSync('id\r\n1\r\n'), 'application/gzip');
  assert.equal((await uploadRow(good)).state, 'complete');
  const target = new URL(good.url).pathname;
  assert.equal((await world.provider.raw('HEAD', target, undefined, { 'tus-resumable': '1.0.0' })).status, 404);
  assert.equal((await world.developer.raw('HEAD', target, undefined, {})).status, 412);
  await good.abort(true);
  assert.equal((await uploadRow(good)).state, 'terminated');
  assert.deepEqual(readdirSync(path.join(p.data, 'control/uploads')).filter((f) => f === target.split('/').at(-1)), []);
});

test('[SW-9.7-1b, EC-6.1.4.2] an offline package opens for its receiver alone, is found changed, and is receipted; one for the platform is verified, opened and on record', async () => {
  const file = (name, content) => { const f = path.join(p.dir, name); writeFileSync(f, content, { mode: 0o600 }); return f; };
  const pair = (name) => { const k = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { pem: k.publicKey.export({ type: 'spki', format: 'pem' }), own: file(name, k.privateKey.export({ type: 'pkcs8', format: 'pem' })) }; };
  const keys = (await world.operator.get('/keys')).keys;
  const keyFile = file('keys.json', JSON.stringify({ keys: keys.filter((k) => k.use === 'sig') }));
  const receiver = pair('receiver.pem');
  const credential = await world.developer.post('/credentials', { app_id: world.app, algorithm: 'ECDH-ES', public_key: receiver.pem });
  const job = (await call(`${ORDERS}/exports`, { method: 'POST', body: '{"format":"csv","compression":"none"}' })).json;
  await until(async () => (await world.developer.list('exports')).find((e) => e.id === job.id && e.state === 'ready'), { ms: 15000, what: 'the export' });
  const plain = (await call(`${ORDERS}/exports/${job.id}/data`)).text;
  const made = await world.developer.post('/packages', { export_id: job.id, credential_id: credential.id });
  const text = (await world.developer.raw('GET', `/api/v1/packages/${made.id}/content`)).body;
  assert.equal(createHash('sm3').update(text).digest('hex'), made.sm3);
  assert.ok(!text.includes('order_id'), 'sealed');
  const pkg = file('orders.pkg', text);
  assert.equal(p.sluice('package', 'verify', '--signer', keyFile, pkg).code, 0);
  const opened = p.sluice('package', 'open', '--key', receiver.own, '--signer', keyFile, pkg);
  assert.equal(opened.code, 0, opened.err);
  assert.equal(opened.out, plain, 'what the API gives');
  assert.equal(p.sluice('package', 'open', '--key', pair('stranger.pem').own, '--signer', keyFile, pkg).code, 1);
  const changed = file('changed.pkg', text.replace(/\n(.)/, (_, c) => `\n${c === 'e' ? 'f' : 'e'}`));
  assert.equal(p.sluice('package', 'verify', '--signer', keyFile, changed).code, 1);
  await restRefuses(world.developer.act('packages', made.id, 'receive', { receipt: 'ff' }), 'field-invalid', '/receipt');
  assert.equal((await world.developer.act('packages', made.id, 'receive', { receipt: made.sm3 })).state, 'received');
  await restRefuses(world.developer.post('/packages', { export_id: job.id, credential_id: world.key.id }), 'field-invalid', '/credential_id');

  const signer = pair('signer.pem');
  await world.developer.post('/signing_keys', { organisation_id: world.thirdParty, public_key: signer.pem });
  const to = file('platform.jwk', JSON.stringify(keys.find((k) => k.purpose === 'packages')));
  const inbound = file('returns.csv', 'id,amount\r\n1,2.50\r\n');
  const sealed = p.sluice('package', 'seal', '--to', to, '--key', signer.own, '--type', 'text/csv', inbound);
  assert.equal(sealed.code, 0, sealed.err);
  const row = await uploadRow(await upload(Buffer.from(sealed.out), 'application/jose'));
  assert.equal(row.state, 'complete');
  assert.equal(row.package.sm3, createHash('sm3').update('id,amount\r\n1,2.50\r\n').digest('hex'));
  assert.equal(row.package.files[0].name, 'returns.csv');
  // and on into a zone: the file in it becomes one of a source, a dataset's, and goes where datasets go
  const handed = await world.operator.post('/sources', { name: 'received', organisation_id: world.holder, kind: 'files' });
  await world.operator.act('sources', handed.id, 'check');
  const given = await world.operator.post('/source_files', { source_id: handed.id, upload_id: row.id });
  assert.deepEqual([given.name, given.bytes, given.content_sm3], ['returns.csv', 19, row.package.sm3]);
  await restRefuses(world.provider.post('/source_files', { source_id: handed.id, upload_id: row.id }), 'field-invalid', '/upload_id'); // another organisation's
  await until(async () => (await world.operator.get(`/source_files/${given.id}`)).state === 'kept', { ms: 15000, what: 'the file in the package' });
  await until(() => !readdirSync(path.join(p.data, 'control/uploads')).some((f) => f.includes('.plain')), { ms: 5000, what: 'the opened copy to go' });
  const harvest = await world.provider.post('/harvests', { source_id: handed.id });
  await until(async () => (await world.provider.get(`/harvests/${harvest.id}`)).state === 'done', { ms: 20000, what: 'the harvest' });
  const returns = await world.provider.post('/datasets', { name: 'returns', source_id: handed.id, table: 'returns.csv' });
  await world.provider.patch(`/datasets/${returns.id}`, { fields: w.classify(returns.fields, { id: 1, amount: 1 }) }, returns.revision);
  await w.reviewed(world, 'datasets', returns.id);
  const zone = await world.operator.post('/sources', { name: 'returns store', organisation_id: world.holder, kind: 'managed', zone: 'exchange' });
  await world.operator.act('sources', zone.id, 'check');
  const moved = await until(async () => { // once the platform has looked through its columns
    const a = await world.operator.raw('POST', '/api/v1/transfers', { dataset_id: returns.id, target_id: zone.id, target_table: 'returns', reason: 'received offline' });
    assert.ok(a.status === 201 || a.body.code === 'sensitive-check-missing', JSON.stringify(a.body));
    return a.status === 201 && a.body;
  }, { ms: 20000, what: 'the transfer to be taken' });
  await until(async () => { const t = await world.operator.get(`/transfers/${moved.id}`); assert.notEqual(t.state, 'failed', JSON.stringify(t)); return ['done', 'succeeded'].includes(t.state); }, { ms: 20000, what: 'the transfer' });
  assert.equal(execFileSync('sqlite3', [path.join(p.data, 'data/zones', `${zone.id}.db`), 'SELECT id, amount FROM returns'], { encoding: 'utf8' }).trim(), '1|2.5');
  const forged = p.sluice('package', 'seal', '--to', to, '--key', pair('unknown.pem').own, inbound).out;
  for (const bad of [forged, sealed.out.slice(0, -9), sealed.out.replace('\n', '\nx')]) {
    await assert.rejects(upload(Buffer.from(bad), 'application/jose'), (e) => [400, 415].includes(e.originalResponse?.getStatus()));
  }
});

test('[SW-9.7-3f] personal information in a file that is handed in and not meant to hold any is covered in it, or the file is refused with the line: text, packed and sealed alike', async () => {
  const set = async (value) => {
    const [row] = await world.admin.list('classify_settings', { name: 'submitted-personal' });
    if (row.value !== value) await world.admin.patch(`/classify_settings/${row.id}`, { value }, row.revision);
  };
  await set('off');
  const bytes = (u) => readFileSync(path.join(p.data, 'control/uploads', u.url.split('/').at(-1)), 'utf8');
  const said = (e) => ({ status: e.originalResponse?.getStatus(), ...JSON.parse(e.originalResponse?.getBody() ?? '{}') });
  const people = `id,note\r\n${'1,packed\r\n'.repeat(200000)}2,ask 13912345678 today\r\n3,11010519491231002X\r\n4,110105194912310021\r\n`;
  const none = await upload(Buffer.from('id,note\n1,13912345678\n'), 'text/csv');
  assert.equal((await uploadRow(none)).personal, null, 'off: nothing is looked for');
  await set('mask');
  const masked = await upload(Buffer.from(people), 'text/csv');
  const row = await uploadRow(masked);
  assert.deepEqual([row.state, row.personal], ['complete', { meant: false, found: { mobile: 1, 'id-card': 1 }, done: 'covered' }]);
  const kept = bytes(masked);
  assert.equal(kept, people.replace('13912345678', '*'.repeat(11)).replace('11010519491231002X', '*'.repeat(18)), 'and nothing else, a wrong check digit neither');
  assert.equal(row.content_sm3, createHash('sm3').update(kept).digest('hex'));
  const [done] = (await world.operator.list('operations', { kind: 'upload' })).filter((o) => o.resource_id === row.id && o.action === 'complete');
  assert.ok(JSON.stringify(done).includes('covered'), JSON.stringify(done));
  const lines = await upload(Buffer.from('{"a":13912345678}\n{"a":"\\u7535\\u8bdd13912345678"}\n'), 'application/x-ndjson');
  assert.deepEqual(bytes(lines).trim().split('\n').map((l) => JSON.parse(l).a), [null, `电话${'*'.repeat(11)}`], 'it is JSON still');
  const gb = await upload(execFileSync('iconv', ['-f', 'utf-8', '-t', 'gb18030'], { input: '品名,备注\n茶叶,电话13912345678\n' }), 'application/octet-stream');
  assert.deepEqual((await uploadRow(gb)).personal, { meant: false, found: { mobile: 1 }, done: 'covered' });
  const meant = await upload(Buffer.from(people), 'text/csv', { metadata: { filename: 'people.csv', filetype: 'text/csv', personal: 'meant' } });
  assert.deepEqual((await uploadRow(meant)).personal, { meant: true });
  assert.equal(bytes(meant), people);
  for (const type of ['application/gzip', 'application/octet-stream']) { // what is packed cannot be covered
    await assert.rejects(upload(gzipSync(`id,note\n${'1,packed\n'.repeat(9000)}2,13912345678\n`), type), (e) => { const { status, code, where } = said(e); assert.deepEqual([status, code, where], [409, 'sensitive-field', 'line 9002']); return true; });
  }
  await set('refuse');
  await assert.rejects(upload(Buffer.from(people), 'text/csv'), (e) => said(e).code === 'sensitive-field' && /id-card|mobile/.test(said(e).detail));
  const [refusedOne] = (await world.developer.list('uploads', { state: 'refused' })).filter((u) => u.personal?.done === 'refused' && u.media_type === 'text/csv');
  assert.deepEqual(refusedOne.personal.found, { mobile: 1, 'id-card': 1 });
  assert.ok(!readdirSync(path.join(p.data, 'control/uploads')).includes(refusedOne.id), 'its bytes are gone');
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await world.developer.post('/signing_keys', { organisation_id: world.thirdParty, public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  const file = (name, content) => { const f = path.join(p.dir, name); writeFileSync(f, content, { mode: 0o600 }); return f; };
  const to = file('packages.jwk', JSON.stringify((await world.operator.get('/keys')).keys.find((k) => k.purpose === 'packages')));
  const own = file('own.pem', pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const seal = (content) => Buffer.from(p.sluice('package', 'seal', '--to', to, '--key', own, '--type', 'text/csv', file('in.csv', content)).out);
  await assert.rejects(upload(seal(people), 'application/jose'), (e) => said(e).code === 'sensitive-field');
  assert.equal((await uploadRow(await upload(seal('id\n1\n'), 'application/jose'))).personal.done, 'none');
  await set('off');
});

test('[SW-8.2a1-9, SW-9.8-exc4, SW-9.8-exc5] whole tables go masked into the open zone: joins still hold, each value is one of its column, and a rule that would break that is refused with the table as it was', async () => {
  const orders = path.join(p.dir, 'orders.db');
  const sql = (db, text) => execFileSync('sqlite3', [db, text], { encoding: 'utf8' }).trim();
  sql(orders, 'CREATE TABLE callers (caller_id INTEGER PRIMARY KEY, phone TEXT); INSERT INTO callers (phone) SELECT DISTINCT buyer_phone FROM orders');
  const made = await world.provider.post('/datasets', { name: 'callers', source_id: world.source, table: 'callers' });
  await world.provider.patch(`/datasets/${made.id}`, { fields: w.classify(made.fields, { caller_id: 1, phone: [3, 'pseudonym:phones'] }) }, made.revision);
  const callers = await world.provider.act('datasets', made.id, 'publish', { name: 'callers', version: 'v1', path: '/trade/callers/v1', title: 'Callers', batch: true });
  const masks = { buyer_phone: { mask: 'pseudonym:phones' }, amount: { level: 3, mask: 'scale:amounts' } };
  await review(masks);
  await fields(masks);
  const store = await world.provider.post('/sources', { name: 'open store', organisation_id: world.holder, kind: 'managed', zone: 'open' });
  await world.provider.act('sources', store.id, 'check');
  const load = async (api, table) => {
    const asked = await world.operator.post('/exports', { api_id: api, zone_source_id: store.id, zone_table: table });
    return until(async () => { const e = await world.operator.get(`/exports/${asked.id}`); return ['ready', 'failed'].includes(e.state) && e; }, { ms: 20000, what: table });
  };
  const [a, b] = [await load(world.api, 'orders_open'), await load(callers.id, 'callers_open')];
  assert.deepEqual([a.state, b.state], ['ready', 'ready'], JSON.stringify([a.error, b.error]));
  const zone = path.join(p.data, 'data/zones', `${store.id}.db`);
  const join = (x, y) => `SELECT count(*) FROM ${x} o JOIN ${y} c ON c.phone = o.buyer_phone`;
  assert.equal(sql(zone, join('orders_open', 'callers_open')), sql(orders, join('orders', 'callers')));
  const order = (table) => `SELECT group_concat(order_id) FROM (SELECT order_id FROM ${table} ORDER BY amount, order_id)`;
  assert.equal(sql(zone, order('orders_open')), sql(orders, order('orders')), 'amounts keep their order');
  assert.equal(sql(zone, 'SELECT count(*) FROM orders_open'), '60', 'the rows of all owners');
  assert.equal(sql(zone, "SELECT count(*) FROM callers_open WHERE phone GLOB '1[3-9]*' AND length(phone) = 11"), String(b.rows));
  assert.equal(sql(zone, `ATTACH '${orders}' AS o; SELECT count(*) FROM callers_open WHERE phone IN (SELECT phone FROM o.callers)`), '0');
  assert.ok(!/card_number|pay_password/.test(sql(zone, ".schema orders_open")), 'level 4 is not there');
  await review({ quantity: { level: 3, mask: 'name' } });
  await fields({ quantity: { level: 3, mask: 'name' } });
  const bad = await load(world.api, 'orders_open');
  assert.deepEqual([bad.state, bad.error], ['failed', 'masked-unfit']);
  assert.equal(sql(zone, 'SELECT count(*) FROM orders_open'), '60');
  await restRefuses(world.operator.post('/exports', { api_id: world.api, zone_source_id: world.source, zone_table: 'x' }), 'field-invalid', '/zone_source_id');
  await restRefuses(world.operator.post('/exports', { api_id: world.api, zone_source_id: store.id }), 'field-invalid', '/zone_table');
});
