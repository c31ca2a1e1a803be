// SPDX-License-Identifier: Apache-2.0
// Documents and pictures opened like any data: listed as rows, their bytes under the same decision, by ranges, recorded.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, rows } from './lib/assertions.mjs';
import { Visitor } from './lib/visitor.mjs';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let dir;
let source;
let papers;
const sm3 = (bytes) => createHash('sm3').update(bytes).digest('hex');
const pdf = (mark) => Buffer.from(`%PDF-1.7\n${mark.repeat(4000)}\n%%EOF\n`);
const png = (mark) => Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), Buffer.alloc(500, mark), Buffer.from('IEND\xae\x42\x60\x82', 'latin1')]);
const put = (name, content) => {
  const file = path.join(dir, 'scans', name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(path.join(dir, 'next'), content);
  renameSync(path.join(dir, 'next'), file);
};
const DEED = pdf('deed');
const LEVELS = { id: 1, path: 1, folder: 1, owner: 1, name: 1, title: 1, media_type: 1, bytes: 1, sm3: 1, modified: 1, content: 2 };

async function published(table, name, levels, more = {}) {
  const dataset = await world.provider.post('/datasets', { name, source_id: source, table, ...more });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, levels) }, dataset.revision);
  const api = await world.provider.act('datasets', dataset.id, 'publish', { name, version: 'v1', path: `/files/${name}/v1`, title: name });
  await w.subscription(world, world.app, api.id);
  return { api: api.id, path: `/files/${name}/v1` };
}
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const served = (target, more) => until(async () => { const a = await call(target, more); return a.status === 200 && a; }, { ms: 15000, what: target });
const contentOf = async (name, more) => rows(await call(`${papers.path}?name=eq.${encodeURIComponent(name)}`, more))[0]?.content;

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-documents-'));
  put('public/地契 "1".pdf', DEED);
  put('public/sea.png', png(1));
  put('public/prices.csv', 'id,goods,price,cost\n1,tea,10,7\n2,silk,20,12\n');
  put('M00001/album.png', png(2));
  put('M00002/letter.pdf', pdf('letter'));
  p = await Platform.start({ config: `data:\n  file_roots: scans=${dir}/scans\n  files_poll_s: 1\n` });
  world = await w.people(p);
  source = (await world.operator.post('/sources', { name: 'scans', organisation_id: world.holder, kind: 'files', folder: 'scans' })).id;
  await world.operator.act('sources', source, 'check');
  await until(async () => (await world.provider.get(`/sources/${source}/tables`)).items.some((t) => t.name === 'public/prices.csv'), { ms: 10000, what: 'the files' });
  papers = await published('documents', 'papers', LEVELS, { row_filter: 'folder=eq.public' });
  await served(`${papers.path}?limit=1`);
});
after(async () => { await p?.stop(); rmSync(dir, { recursive: true, force: true }); });

test('[SW-8.3.2-b2] documents and pictures are published with what describes them, listed as rows, and their bytes are given by ranges to whom the rows are', async () => {
  const list = rows(await call(`${papers.path}?order=name&select=name,title,media_type,bytes,sm3,content`));
  assert.deepEqual(list.map((d) => [d.name, d.media_type, d.bytes]), [['sea.png', 'image/png', png(1).length], ['地契 "1".pdf', 'application/pdf', DEED.length]]);
  const deed = `${papers.path}/${list[1].content}`;
  const a = await call(deed);
  assert.equal(a.status, 200, a.text.slice(0, 300));
  assert.ok(a.bytes.equals(DEED));
  assert.equal(sm3(a.bytes), list[1].sm3);
  assert.deepEqual([a.headers['content-type'], a.headers['x-content-type-options'], a.headers['accept-ranges']], ['application/pdf', 'nosniff', 'bytes']);
  assert.equal(a.headers['content-disposition'], `attachment; filename="____1_.pdf"; filename*=UTF-8''%E5%9C%B0%E5%A5%91%20%221%22.pdf`);
  const record = records(p, '--txn', a.txn)[0];
  assert.deepEqual([record.status, record.bytes_out, record.rows], [200, DEED.length, 1]);
  assert.ok(JSON.stringify(record).includes('content'), 'the record names the field that left');

  const part = (range, more = {}) => call(deed, { headers: { range, ...more } });
  for (const [range, from, to] of [['bytes=0-99', 0, 100], ['bytes=100-', 100, DEED.length], ['bytes=-7', DEED.length - 7, DEED.length]]) {
    const r = await part(range);
    assert.equal(`${r.status} ${r.headers['content-range']}`, `206 bytes ${from}-${to - 1}/${DEED.length}`);
    assert.ok(r.bytes.equals(DEED.subarray(from, to)), range);
  }
  const first = await part('bytes=0-99', { 'if-range': a.headers.etag });
  assert.deepEqual([first.status, records(p, '--txn', first.txn)[0].bytes_out], [206, 100]);
  assert.equal((await part('bytes=0-99', { 'if-range': '"another"' })).status, 200);
  for (const ignored of ['bytes=9-1', 'rows=0-1', 'bytes=0-1,5-6']) assert.equal((await part(ignored)).status, 200, ignored);
  const behind = await part(`bytes=${DEED.length}-`);
  refused(behind, 416, 'range-unsatisfiable');
  assert.equal(behind.headers['content-range'], `bytes */${DEED.length}`);
  const head = await call(deed, { method: 'HEAD', headers: { range: 'bytes=0-9' } });
  assert.deepEqual([head.status, head.headers['content-length'], head.headers.etag, head.bytes.length], [200, String(DEED.length), a.headers.etag, 0]);

  put('public/地契 "1".pdf', pdf('second'));
  const other = await until(async () => { const b = await part('bytes=0-99', { 'if-range': a.headers.etag }); return b.status === 200 && b; }, { ms: 15000, what: 'the other version, whole' });
  assert.ok(other.bytes.equals(pdf('second')));
  rmSync(path.join(dir, 'scans/public/sea.png'));
  await until(async () => (await call(`${papers.path}/${list[0].content}`)).status === 404, { ms: 15000, what: 'the end of the picture' });
});

test('a file goes to nobody its row does not: no other filter, field, level, method, name or stage opens it', async () => {
  const deed = await contentOf('地契 "1".pdf');
  const all = await published('documents', 'everything', LEVELS);
  await served(`${all.path}?limit=1`);
  const hidden = rows(await call(`${all.path}?name=eq.letter.pdf`))[0].content;
  assert.equal((await call(`${all.path}/${hidden}`)).status, 200);
  refused(await call(`${papers.path}/${hidden}`), 404, 'not-found');
  for (const name of ['files/', 'files/0', `files/${'0'.repeat(32)}`, `${deed}/x`, `${deed}0`, 'files/..%2f..%2fkeys', 'files/%2e%2e/%2e%2e/etc/passwd']) {
    const a = await call(`${papers.path}/${name}`);
    assert.ok([400, 403, 404].includes(a.status), `${name}: ${a.status} ${a.text.slice(0, 200)}`);
  }
  refused(await call(`${papers.path}/${deed}`, { method: 'POST', body: '{}' }), 405, 'method-not-allowed');
  const plain = await w.admittedApp(world, 'Reader of lists');
  const key = await w.credential(world, plain);
  await w.subscription(world, plain, papers.api, { max_level: 1 });
  await served(`${papers.path}?limit=1`, { key });
  assert.equal(await contentOf('地契 "1".pdf', { key }), undefined, 'a field of level 2 is not for level 1');
  refused(await call(`${papers.path}/${deed}`, { key }), 403, 'field-forbidden');
  refused(await p.send('GET', `${papers.path}/${deed}`), 401, 'signature-missing');
});

// An organisation of a partner kind, with its own app and key; the administrator applies for it.
async function partner(kind, more) {
  const org = await world.admin.post('/organisations', { name: `The ${kind}`, kind: 'third_party', ...more });
  await world.admin.act('organisations', org.id, 'approve');
  const side = { ...world, developer: world.admin, thirdParty: org.id };
  const app = await w.admittedApp(side, `App of the ${kind}`);
  const key = await w.credential(side, app);
  return { key, subscribe: (api, bounds) => w.subscription(side, app, api, bounds) };
}

test('[EC-3.1] one table and one set of documents are open to a supplier, a consumer, a government and another partner, each as far as it may', async () => {
  const prices = await published('public/prices.csv', 'prices', { id: 1, goods: 1, price: 1, cost: 3 }).catch((e) => e);
  assert.equal(prices.code, 'field-unmasked', 'level 3 needs a mask');
  const [{ id }] = await world.provider.list('datasets', { name: 'prices' });
  const { revision, fields } = await world.provider.get(`/datasets/${id}`);
  await world.provider.patch(`/datasets/${id}`, { fields: w.classify(fields, { id: 1, goods: 1, price: 2, cost: 2 }) }, revision);
  const api = (await world.provider.act('datasets', id, 'publish', { name: 'prices', version: 'v1', path: '/files/prices/v1', title: 'Prices' })).id;
  const deed = await contentOf('地契 "1".pdf');
  const sides = {
    supplier: { bounds: { max_level: 2 }, row: ['cost', 'goods', 'id', 'price'], file: 200 },
    consumer: { bounds: { max_level: 1 }, row: ['goods', 'id'], file: 403 },
    government: { more: { receiver: 'government' }, bounds: { max_level: 2, fields: { prices: ['id', 'price'], papers: ['id', 'name', 'content'] } }, row: ['id', 'price'], file: 200 },
    other: { bounds: null, row: null, file: 403 },
  };
  for (const [kind, s] of Object.entries(sides)) {
    const { key, subscribe } = await partner(kind, s.more);
    if (s.bounds) {
      const { fields: bound, ...bounds } = s.bounds;
      await subscribe(api, { ...bounds, ...(bound ? { fields: bound.prices } : {}) });
      await subscribe(papers.api, { ...bounds, ...(bound ? { fields: bound.papers } : {}) });
      await served('/files/prices/v1?limit=1', { key });
      await served(`${papers.path}?limit=1`, { key });
      assert.deepEqual(Object.keys(rows(await call('/files/prices/v1?id=eq.1', { key }))[0]).sort(), s.row, kind);
    } else {
      await until(async () => (await call('/files/prices/v1?limit=1', { key })).json?.code === 'subscription-missing', { what: 'the refusal' });
    }
    const file = await call(`${papers.path}/${deed}`, { key });
    assert.equal(file.status, s.file, `${kind}: ${file.text.slice(0, 200)}`);
    if (s.file === 200) assert.match(file.text, /^%PDF-1\.7/);
  }
});

test('[EC-5.2.2a] the pictures of an owner\'s album go to the friends it names, and to nobody else', async () => {
  const albums = await published('documents', 'albums', LEVELS, { owner_column: 'owner' });
  await world.developer.post('/clients', { app_id: world.app, redirect_uris: ['https://app.example/back'], token_endpoint_auth_method: 'client_secret_basic', grant_types: ['authorization_code'] });
  const tokens = {};
  const basic = { authorization: `Basic ${Buffer.from(`${world.app}:${world.key.secret}`).toString('base64')}` };
  for (const [i, login] of ['friend', 'stranger'].entries()) {
    const user = await w.user(world.admin, login, 'owner', { subject: `M0000${i + 2}` });
    const visitor = new Visitor(p);
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({ response_type: 'code', client_id: world.app, redirect_uri: 'https://app.example/back', scope: 'openid albums.v1', state: 's',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' });
    const led = await visitor.get(`/oauth/authorize?${query}`);
    const page = await visitor.signedIn(decodeURIComponent(new URL(led.location, p.control).searchParams.get('continue')), login, `${login}-first-Passw0rd-changed`);
    const chosen = Object.fromEntries([...page.text.matchAll(/type="checkbox" value="yes" name="(f\d+\.\d+)"/g)].map((m) => [m[1], 'yes']));
    const answer = await visitor.submit(page, '/consent', { ...chosen, days: '30', decision: 'agree' });
    const code = new URL(answer.location).searchParams.get('code');
    tokens[login] = (await new Visitor(p).ask('POST', '/oauth/token', { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: 'https://app.example/back' }, basic)).json.access_token;
    if (login === 'friend') world.group = (await world.owner.post('/audiences', { name: 'friends', members: [(await user.get('/users/me')).id] })).id;
  }
  const g = await w.grant(world, world.app, albums.api, { audience_id: world.group });
  const as = (login, target) => call(target, { grant: g.id, headers: { authorization: `Bearer ${tokens[login]}` } });
  const list = await until(async () => { const a = await as('friend', albums.path); return a.status === 200 && a.json; }, { ms: 10000, what: 'the friend\'s call' });
  assert.deepEqual(list.map((d) => d.path), ['M00001/album.png'], 'of this owner alone');
  const picture = await as('friend', `${albums.path}/${list[0].content}`);
  assert.equal(picture.status, 200, picture.text.slice(0, 200));
  assert.ok(picture.bytes.equals(png(2)));
  refused(await as('stranger', `${albums.path}/${list[0].content}`), 403, 'audience-excluded');
  const letter = rows(await call('/files/everything/v1?name=eq.letter.pdf'))[0].content;
  refused(await as('friend', `${albums.path}/${letter}`), 404, 'not-found');
});
