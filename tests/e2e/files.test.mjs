// SPDX-License-Identifier: Apache-2.0
// Folders of files as sources: what lies there becomes entries, tables and documents; what cannot be taken says why.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { gzipSync } from 'node:zlib';
import { refused, restRefuses, rows } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { records } from './lib/records.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let dir;
let source;
let harvestId;
let sources = 0;
const OWNED = '/files/papers/v1';

const put = (name, content) => {
  const file = path.join(dir, 'imports', 'trade', name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp~`, content);
  renameSync(`${file}.tmp~`, file);
};
const sm3 = (bytes) => createHash('sm3').update(bytes).digest('hex');
const PDF = Buffer.from(`%PDF-1.7\n${'0123456789'.repeat(400)}\n%%EOF\n`);
const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), Buffer.alloc(500, 7), Buffer.from('IEND\xae\x42\x60\x82', 'latin1')]);

// A packed folder, stored or deflated, made by Python's own library.
function packed(entries) {
  const code = 'import sys,json,zipfile,io\nb=io.BytesIO()\nz=zipfile.ZipFile(b,"w",zipfile.ZIP_DEFLATED)\n'
    + 'for n,c in json.load(sys.stdin): z.writestr(n, bytes(c) if isinstance(c,int) else c)\nz.close()\nsys.stdout.buffer.write(b.getvalue())';
  return execFileSync('python3', ['-c', code], { input: JSON.stringify(entries), maxBuffer: 1 << 26 });
}

async function harvested(run, body) {
  if (run === 1) harvestId = (await world.provider.post('/harvests', { source_id: source, ...body })).id;
  else await world.provider.act('harvests', harvestId, 'run');
  await until(async () => {
    const h = await world.provider.get(`/harvests/${harvestId}`);
    return h.run === run && ['done', 'failed'].includes(h.state) && h;
  }, { ms: 20000, what: `the end of run ${run}` });
  const items = await world.provider.list('harvest_items', { harvest_id: harvestId, run });
  return Object.fromEntries(items.map((i) => [i.table, i]));
}

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-files-'));
  mkdirSync(path.join(dir, 'imports', 'trade'), { recursive: true });
  p = await Platform.start({ config: `data:\n  file_roots: imports=${dir}/imports\n  files_poll_s: 1\n` });
  world = await w.people(p);
});
after(async () => { await p?.stop(); rmSync(dir, { recursive: true, force: true }); });

test('[SW-8.3.1-01, SW-8.3.1-02] a folder is harvested: CSV, NDJSON, JSON and XML with columns and types, documents with type, size, digest and title; what cannot be taken says why', async () => {
  put('orders.csv', '\ufefforder,code,amount,placed,paid,note\r\n1,007,10.50,2026-01-02,true,"a ""b"""\r\n2,010,-3,2026-01-03,false,"=HYPERLINK(""x"")"\r\n');
  put('ships.ndjson', '{"id":1,"name":"海星","at":{"port":"CNSHA"}}\n{"id":2,"name":null,"at":{"port":"NLRTM"}}\n');
  put('list.json', JSON.stringify([{ a: 1 }, { a: 2, b: 'x' }]));
  put('goods.xml', '<?xml version="1.0"?><goods><item id="1"><name>tea</name><tag>a</tag><tag>b</tag></item><item id="2"><name>silk</name></item></goods>');
  put('packed.csv.gz', gzipSync('a,b\n1,2\n'));
  put('gb.csv', execFileSync('iconv', ['-f', 'utf-8', '-t', 'gb18030'], { input: '品名,数量\n茶叶,3\n' }));
  put('reports/year.docx', packed([['word/document.xml', '<w/>'], ['docProps/core.xml', '<c xmlns:dc="d"><dc:title>Yearly report</dc:title></c>']]));
  put('M00001/deed.pdf', PDF);
  put('M00001/sea.png', PNG);
  // what cannot be taken
  put('broken.csv', Buffer.concat([Buffer.from('a,b\n1,2\n'), Buffer.from([0xff, 0xff, 0x2c, 0x0a])]));
  put('cells.csv', 'a,b\n1,2,3\n');
  put('quote.csv', 'a,b\n"1,2\n3,4\n');
  put('line.csv', `a\n${'x'.repeat(1100000)}\n`);
  put('deep.json', `[{"a":${'['.repeat(60)}${']'.repeat(60)}}]`);
  put('deep.xml', `<r><i>${'<a>'.repeat(60)}${'</a>'.repeat(60)}</i></r>`);
  put('entity.xml', '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><r><i>&b;</i></r>');
  put('file.xml', '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r><i>1</i></r>');
  put('liar.csv', PNG);
  put('liar.pdf', PNG);
  put('page.html', '<script>alert(1)</script>');
  put('bomb.csv.gz', gzipSync(Buffer.alloc(4 << 20, 'a,b\n')));
  put('bomb.docx', packed([['word/document.xml', '<w/>'], ['word/zeros', 4 << 20]]));
  symlinkSync('/etc/hostname', path.join(dir, 'imports/trade/link.txt'));
  symlinkSync('/etc', path.join(dir, 'imports/trade/etc'));
  execFileSync('mkfifo', [path.join(dir, 'imports/trade/pipe.csv')]);

  const create = (rest, more) => rest.post('/sources', { name: `folder ${++sources}`, organisation_id: world.holder, kind: 'files', ...more });
  await restRefuses(create(world.provider, { folder: 'imports/trade' }), 'not-permitted', '/folder');
  await restRefuses(create(world.operator, { connection: 'x' }), 'field-invalid', '/connection');
  for (const folder of ['imports/../..', 'nowhere', 'imports/trade/etc', 'imports/trade/.', '/etc', 'imports//trade']) {
    const s = await create(world.operator, { folder });
    await restRefuses(world.operator.act('sources', s.id, 'check'), 'source-unavailable');
  }
  source = (await create(world.operator, { folder: 'imports/trade' })).id;
  await world.provider.act('sources', source, 'check');
  // Besides the fixed list, whatever standard of a domain is loaded: its elements, types, lengths and lists of codes.
  const domain_id = (await world.operator.get('/service_domains?code=customs-declaration')).items[0].id;
  const held = await world.operator.post('/metadata_standards', { code: 'folder', edition: '2026', title: 'Orders', domain_id, code_lists: { kinds: ['007'] },
    elements: [{ name: 'order', title: 'Order', type: 'string', mandatory: true }, { name: 'code', title: 'Kind', type: 'string', mandatory: true, code_list: 'kinds' },
      { name: 'port', title: 'Port', type: 'string', mandatory: true }] });
  await world.operator.act('metadata_standards', held.id, 'adopt');
  const items = await harvested(1, { standard: ['comment'], standard_id: held.id, domain_id });
  assert.deepEqual(items['orders.csv'].deviations.filter((d) => d.element).map((d) => [d.element, d.demand, d.wanted, d.found]),
    [['order', 'type', 'string', 'integer'], ['code', 'code-list', 'kinds', 1], ['port', 'missing', 'string', null]]);
  const told = Object.fromEntries(Object.entries(items).filter(([, i]) => i.state === 'failed').map(([k, i]) => [k, i.reason]));
  const want = { 'broken.csv': /^encoding: line 3: neither UTF-8 nor GB18030$/, 'cells.csv': /^malformed: line 2: 3 cells, the first line has 2$/, 'quote.csv': /^malformed: line 2: a quote/,
    'line.csv': /^line-too-long: line 2/, 'deep.json': /^too-deep: line 1/, 'deep.xml': /^too-deep: line 1/, 'entity.xml': /^malformed: a document type/, 'file.xml': /^malformed: a document type/,
    'liar.csv': /^type-mismatch: it is image\/png$/, 'liar.pdf': /^type-mismatch: named as application\/pdf, it is image\/png$/, 'page.html': /^type-unknown$/,
    'bomb.csv.gz': /^unpacks-too-far$/, 'bomb.docx': /^unpacks-too-far$/, 'link.txt': /^symbolic-link$/, etc: /^symbolic-link$/, 'pipe.csv': /^not-a-file$/ };
  assert.deepEqual(Object.keys(told).sort(), Object.keys(want).sort(), JSON.stringify(told));
  for (const [name, reason] of Object.entries(want)) assert.match(told[name], reason, name);

  const entry = async (name) => world.provider.get(`/entries/${items[name].entry_id}`);
  const columns = async (name) => (await entry(name)).fields.map((f) => `${f.name}:${f.type}`);
  assert.deepEqual(await columns('orders.csv'), ['order:integer', 'code:string', 'amount:number', 'placed:date', 'paid:boolean', 'note:string']);
  assert.deepEqual(await columns('ships.ndjson'), ['id:integer', 'name:string', 'at:json']);
  assert.deepEqual(await columns('list.json'), ['a:integer', 'b:string']);
  assert.deepEqual(await columns('goods.xml'), ['id:integer', 'name:string', 'tag:json']);
  assert.deepEqual(await columns('packed.csv.gz'), ['a:integer', 'b:integer']);
  assert.deepEqual(await columns('gb.csv'), ['品名:string', '数量:integer']);
  const orders = await entry('orders.csv');
  assert.deepEqual([orders.volume, orders.media_type, orders.state], [2, 'text/csv', 'draft']);
  assert.ok(items['orders.csv'].deviations.some((d) => d.field === 'note' && d.demand === 'no-formula'), 'a formula is told');
  const deed = await entry('M00001/deed.pdf');
  assert.deepEqual([deed.media_type, deed.bytes, deed.content_sm3, deed.fields], ['application/pdf', PDF.length, sm3(PDF), []]);
  assert.equal((await entry('reports/year.docx')).name, 'Yearly report');
  assert.equal((await entry('documents')).volume, 3);
});

// Publishes a table of the folder; levels by column.
async function published(table, name, levels, more = {}) {
  const dataset = await world.provider.post('/datasets', { name, source_id: source, table, ...more.dataset });
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: w.classify(dataset.fields, levels) }, dataset.revision);
  const api = await world.provider.act('datasets', dataset.id, 'publish', { name, version: 'v1', path: `/files/${name}/v1`, title: name, ...more.api });
  await w.subscription(world, world.app, api.id);
  return { dataset: dataset.id, api: api.id, path: `/files/${name}/v1` };
}
const call = (target, more = {}) => p.call(target, { key: world.key, ...more });
const get = async (target, more) => rows(await call(target, more));

test('[SW-8.3.2-b3] CSV, NDJSON and XML files are published and queried in the grammar of tables, under level and mask; what changes in the folder is served whole, old or new, whatever dies', async () => {
  put('sales.csv', `id,region,phone\n${Array.from({ length: 20 }, (_, i) => `${i},r${i % 2},1380000${1000 + i}`).join('\n')}\n`);
  await until(async () => (await world.provider.get(`/sources/${source}/tables`)).items.some((t) => t.name === 'sales.csv'), { ms: 10000, what: 'a new file, found by the clock' });
  const sales = await published('sales.csv', 'sales', { id: 1, region: 1, phone: [3, 'phone'] });
  const ships = await published('ships.ndjson', 'ships', { id: 1, name: 2, at: 1 });
  const goods = await published('goods.xml', 'goods', { id: 1, name: 1, tag: 4 });
  await until(async () => (await call(`${goods.path}?limit=1`)).status === 200, { ms: 10000, what: 'the goods' });
  assert.deepEqual(await get(`${sales.path}?region=eq.r1&id=gte.15&order=id.desc&select=id,phone`), [19, 17, 15].map((id) => ({ id, phone: `138****${1000 + id}` })));
  assert.deepEqual(await get(`${ships.path}?at->>port=eq.NLRTM`), [{ id: 2, name: null, at: { port: 'NLRTM' } }]);
  assert.deepEqual(await get(`${goods.path}?order=id`), [{ id: 1, name: 'tea' }, { id: 2, name: 'silk' }], 'level 4 does not leave');
  refused(await call(`${goods.path}?tag=eq.a`), 403, 'field-forbidden');
  const page = await call(`${sales.path}?limit=5&offset=5`, { headers: { prefer: 'count=exact' } });
  assert.equal(page.headers['content-range'], '5-9/20');

  // Each version has one number in all its rows: a reader that sees two saw something half done.
  const version = (n) => `id,region,phone\n${Array.from({ length: 3000 }, (_, i) => `${i},v${n},1380000${1000 + i}`).join('\n')}\n`;
  const seen = new Set();
  const look = async () => {
    const a = await call(`${sales.path}?select=region&limit=1000`);
    if (a.status !== 200) return null;
    const kinds = new Set(a.json.map((r) => r.region.replace(/^r\d$/, 'r')));
    assert.equal(kinds.size, 1, [...kinds].join());
    const [kind] = kinds;
    seen.add(kind);
    return kind;
  };
  put('sales.csv', version(1));
  await until(async () => (await look()) === 'v1', { ms: 15000, every: 20, what: 'the new version' });
  put('sales.csv', version(2));
  for (const pid of p.processes().data) process.kill(pid, 'SIGKILL');
  await until(async () => (await look()) === 'v2', { ms: 20000, every: 20, what: 'the version after the kill' });
  assert.ok([...seen].every((k) => ['r', 'v1', 'v2'].includes(k)));

  put('sales.csv', 'id,region,phone\n"never closed');
  const items = await harvested(2);
  assert.match(items['sales.csv'].reason, /^malformed: line 2/);
  assert.equal(await look(), 'v2', 'what cannot be read leaves what was there');
  rmSync(path.join(dir, 'imports/trade/list.json'));
  assert.equal((await harvested(3))['list.json'].state, 'gone');
});

test('[SW-8.3.1-02] files are handed in by tus, kept whatever dies on the way, and harvested like those of a folder', async () => {
  const handed = await world.provider.post('/sources', { name: 'handed in', organisation_id: world.holder, kind: 'files' });
  await world.provider.act('sources', handed.id, 'check');
  const upload = async (name, bytes) => {
    const meta = { filename: name, filetype: 'application/octet-stream' };
    const made = await world.provider.raw('POST', '/api/v1/uploads', undefined, { 'tus-resumable': '1.0.0', 'upload-length': String(bytes.length),
      'upload-metadata': Object.entries(meta).map(([k, v]) => `${k} ${Buffer.from(v).toString('base64')}`).join(',') });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const sent = await world.provider.raw('PATCH', made.headers.location, bytes, { 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' });
    assert.equal(sent.status, 204, JSON.stringify(sent.body));
    return made.headers.location.split('/').at(-1);
  };
  const big = Buffer.from(`%PDF-1.7\n${'0123456789'.repeat(150000)}\n%%EOF\n`);
  const give = async (name, bytes) => world.provider.post('/source_files', { source_id: handed.id, upload_id: await upload(name, bytes) });
  const files = [await give('big.pdf', big), await give('gb.csv', execFileSync('iconv', ['-f', 'utf-8', '-t', 'gb18030'], { input: '品名\n茶叶\n' })), await give('liar.png', PDF)];
  for (const role of ['data', 'control']) for (const pid of p.processes()[role]) process.kill(pid, 'SIGKILL');
  for (const f of files) {
    await until(async () => {
      const now = await world.provider.get(`/source_files/${f.id}`);
      assert.notEqual(now.state, 'failed', now.error);
      return now.state === 'kept' && now.sent === now.bytes;
    }, { ms: 20000, what: `${f.name} to be kept` });
  }
  await restRefuses(world.provider.post('/source_files', { source_id: source, upload_id: files[0].upload_id }), 'state-conflict', '/source_id');
  await restRefuses(world.provider.post('/source_files', { source_id: handed.id, upload_id: files[0].id }), 'field-invalid', '/upload_id');
  source = handed.id;
  const items = await harvested(1);
  assert.match(items['liar.png'].reason, /^type-mismatch: named as image\/png, it is application\/pdf$/);
  const entry = await world.provider.get(`/entries/${items['big.pdf'].entry_id}`);
  assert.deepEqual([entry.content_sm3, entry.bytes], [sm3(big), big.length]);
  assert.equal((await world.provider.get(`/entries/${items['gb.csv'].entry_id}`)).fields[0].name, '品名');
});

test('[SW-8.3.2-b3] a file that was handed in is taken away: its rows, its bytes and its room are gone, whatever dies on the way, and it stays on record', async () => {
  const wide = Buffer.from(`id,text\n${Array.from({ length: 12000 }, (_, i) => `${i},${'x'.repeat(100)}`).join('\n')}\n`);
  const meta = (name) => `filename ${Buffer.from(name).toString('base64')},filetype ${Buffer.from('text/csv').toString('base64')}`;
  const give = async (name) => {
    const made = await world.provider.raw('POST', '/api/v1/uploads', undefined, { 'tus-resumable': '1.0.0', 'upload-length': String(wide.length), 'upload-metadata': meta(name) });
    const sent = await world.provider.raw('PATCH', made.headers.location, wide, { 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' });
    assert.equal(sent.status, 204, JSON.stringify(sent.body));
    const row = await world.provider.post('/source_files', { source_id: source, upload_id: made.headers.location.split('/').at(-1) });
    return until(async () => { const now = await world.provider.get(`/source_files/${row.id}`); return now.state === 'kept' && now; }, { ms: 20000, what: name });
  };
  const [older, newer] = [await give('wide.csv'), await give('wide.csv')];
  const tables = async () => (await world.provider.get(`/sources/${source}/tables`)).items.map((t) => t.name);
  await until(async () => (await tables()).includes('wide.csv'), { ms: 15000, what: 'its table' });
  const store = path.join(p.data, 'data/zones', `${source}.db`);
  const before = statSync(store).size;
  assert.ok(before > 1 << 20);
  await restRefuses(world.provider.act('source_files', older.id, 'remove'), 'state-conflict'); // a newer one has its name
  assert.equal((await world.provider.act('source_files', newer.id, 'remove')).state, 'removing');
  for (const role of ['data', 'control']) for (const pid of p.processes()[role]) process.kill(pid, 'SIGKILL');
  const state = async (f) => (await world.provider.get(`/source_files/${f.id}`).catch(() => ({}))).state;
  await until(async () => (await state(newer)) === 'removed' && (await state(older)) === 'removed', { ms: 20000, what: 'the file to be gone' });
  assert.ok(!(await tables()).includes('wide.csv'));
  assert.ok(!readdirSync(path.join(p.data, 'data/files', source, 'in')).includes('wide.csv'));
  assert.ok(statSync(store).size < before / 2, 'the room is free again');
  const log = (await world.operator.list('operations', { kind: 'source-file' })).filter((o) => o.resource_id === newer.id).map((o) => o.action);
  assert.ok(log.includes('remove') && log.includes('end'), log.join());
  await restRefuses(world.provider.act('source_files', newer.id, 'remove'), 'state-conflict');
  assert.equal((await give('wide.csv')).state, 'kept', 'the name is free');
});
