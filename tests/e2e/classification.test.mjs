// SPDX-License-Identifier: Apache-2.0
// What data is found to be, who says so, and the review without which none of it opens.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { orderRows } from '../../demo/generate.mjs';
import { refused, restRefuses } from './lib/assertions.mjs';
import { COLUMNS, peopleTable } from './lib/people_table.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let people; // the dataset that is looked through
let found; // its findings by column
const ROWS = 2400; // more than a step

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 20 });
  const file = path.join(p.dir, 'people.db');
  peopleTable(file, 'people', ROWS);
  const source = await world.provider.post('/sources', { name: 'people', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  await world.provider.act('sources', source.id, 'check');
  await world.operator.post('/detection_patterns', { name: 'bill of lading', pattern: 'CN[0-9]{10}', level: 2, category: 'customs' });
  people = await world.provider.post('/datasets', { name: 'people', source_id: source.id, table: 'people' });
});
after(() => p?.stop());

const call = (target, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });
const setting = async (name, value) => {
  const [row] = await world.admin.list('classify_settings', { name });
  await world.admin.patch(`/classify_settings/${row.id}`, { value }, row.revision);
};
const ended = (id) => until(async () => { const d = await world.provider.get(`/discoveries/${id}`); return ['proposed', 'failed'].includes(d.state) && d; }, { what: 'the discovery', ms: 20000 });
const classified = (fields, level, more = {}) => fields.map((f) => ({ ...f, level, ...(more[f.column] ?? {}) }));

test('[SW-9.8-col2] a new dataset is looked through by itself, before anybody may open it', async () => {
  const [first] = await until(async () => { const all = await world.provider.list('discoveries', { dataset_id: people.id }); return all.length && all; }, { what: 'the discovery' });
  assert.equal(first.requested_by, 'platform');
  const done = await ended(first.id);
  assert.deepEqual([done.state, done.rows], ['proposed', 1000], JSON.stringify(done));
  const findings = await world.provider.list('findings', { discovery_id: first.id });
  assert.equal(new Set(findings.map((f) => f.column)).size, people.fields.length, 'a proposal for each column');
  assert.ok(findings.every((f) => f.level >= 1 && f.state === 'proposed'));
  await restRefuses(world.provider.unreviewed('datasets', people.id, 'publish', { name: 'people', version: 'v1', path: '/people/v1' }), 'fields-unclassified');
});

test('[SW-9.8-exc1, EC-5.2.3a1, EC-5.2.4a] the whole table is looked through in steps, and what was seeded is found by pattern, content and name', async () => {
  const asked = await world.provider.post('/discoveries', { dataset_id: people.id, mode: 'whole' });
  const done = await ended(asked.id);
  assert.equal(done.rows, ROWS);
  found = Object.fromEntries((await world.provider.list('findings', { discovery_id: asked.id })).map((f) => [f.column, f]));
  const rule = (column) => found[column]?.rule;
  const wanted = { col_a: 'id-card', col_b: 'mobile', col_c: 'email', col_d: 'bank-card', col_e: 'uscc', col_f: 'plate', home_address: 'address', full_name: 'person-name', birthday: 'birthday',
    birthplace: 'birthplace', passport_no: 'passport', bank_account: 'bank-account', login_password: 'password', security_answer: 'security-question', cvv2: 'card-code', track2: 'card-track',
    card_expiry: 'card-expiry', card_pin: 'card-pin', payment_password: 'payment-password', wallet_id: 'payment-account-code', product_title: 'product-detail', review: 'review', remark: 'mobile',
    bill_no: 'bill of lading' };
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((c) => [c, rule(c)])), wanted);
  for (const column of ['col_b', 'col_c', 'home_address']) assert.equal(found[column].level, 3, column);
  for (const column of ['col_a', 'col_d', 'bank_account', 'login_password', 'security_answer', 'passport_no']) assert.equal(found[column].level, 4, column);
  for (const column of ['order_no', 'weight']) assert.ok(found[column].level < 3, `${column} is a look-alike`);
  const { evidence, confidence } = found.col_a;
  assert.deepEqual([evidence.values, evidence.matched, evidence.valid, evidence.named], [ROWS, ROWS, ROWS, false]);
  assert.ok(confidence > 95 && found.remark.evidence.in_text);
  const text = JSON.stringify(Object.values(found));
  for (const column of ['col_a', 'col_b', 'col_d']) assert.ok(!text.includes(COLUMNS[column](7)), 'no value in the evidence');
});

test('[EC-3.13, EC-3.14, BK-3.9b, BK-3.10, BK-3.11] findings carry the tags of user data, business data, payment accounts and payment secrets', async () => {
  const tags = (column) => found[column].tags;
  for (const column of ['full_name', 'birthday', 'birthplace', 'col_d', 'col_a', 'product_title', 'review']) assert.ok(tags(column).includes('user-data'), column);
  for (const column of ['cvv2', 'track2', 'card_expiry', 'card_pin', 'payment_password']) assert.deepEqual(tags(column), ['payment-sensitive'], column);
  for (const column of ['col_d', 'bank_account', 'wallet_id']) {
    assert.ok(tags(column).includes('payment-account'), column);
    assert.equal(found[column].level, 4);
  }
  assert.deepEqual(tags('browsing_history'), ['business-data', 'behaviour']);
  const { items } = await world.provider.get('/classification/tags');
  assert.deepEqual(items.filter((t) => t.startsWith('pfi-')).sort(), ['account', 'authentication', 'identity', 'lending', 'other', 'property', 'transaction'].map((t) => `pfi-${t}`));
});

test('[SW-9.6.2-0a, EC-4.2.1b1] proposals count once they are accepted, adjusted or rejected, and are written in one change', async () => {
  const of = (column) => `/findings/${found[column].id}`;
  await world.provider.patch(of('weight'), { level: 1 }, found.weight.revision);
  await world.provider.act('findings', found.order_no.id, 'reject', { comment: 'a running number' });
  const before_ = await world.provider.get(`/datasets/${people.id}`);
  assert.ok(before_.fields.every((f) => f.level === 0), 'nothing counts yet');
  const discovery = found.col_a.discovery_id;
  await restRefuses(world.provider.act('discoveries', discovery, 'apply'), 'state-conflict');
  await world.provider.act('discoveries', discovery, 'accept-all');
  await world.provider.act('discoveries', discovery, 'apply');
  const after_ = await world.provider.get(`/datasets/${people.id}`);
  assert.equal(after_.revision, before_.revision + 1);
  const field = (column) => after_.fields.find((f) => f.column === column);
  assert.deepEqual([field('weight').level, field('order_no').level, field('col_b').level, field('col_b').mask, field('col_b').sensitive], [1, 0, 3, 'phone', true]);
  const { all, unlabelled } = await world.provider.get('/classification/coverage');
  assert.ok(all.sensitive > 0 && all.non_sensitive > 0 && all.labelled === all.sensitive + all.non_sensitive);
  assert.ok(unlabelled.some((d) => d.dataset_id === people.id && d.fields - d.labelled === 1));
  await restRefuses(world.provider.post(`/datasets/${people.id}/zone-check`, { zone: 'open' }), 'fields-unclassified');
  await world.provider.patch(`/datasets/${people.id}`, { fields: after_.fields.map((f) => ({ ...f, level: f.level || 2 })) }, after_.revision);
});

test('what is known of a source\'s column follows it to another dataset of the same table', async () => {
  const again = await world.provider.post('/datasets', { name: 'people again', source_id: people.source_id, table: 'people' });
  const [discovery] = await world.provider.list('discoveries', { dataset_id: again.id });
  await ended(discovery.id);
  const [weight] = await world.provider.list('findings', { dataset_id: again.id, column: 'weight' });
  assert.deepEqual([weight.rule, weight.level, weight.evidence.by], ['same-source-column', 1, 'lineage']);
});

test('[SW-9.7-0b, SW-8.2a1-7] a sensitive field is refused in the exchange space, an unchecked dataset in the open zone', async () => {
  await restRefuses(world.provider.post(`/datasets/${people.id}/zone-check`, { zone: 'exchange' }), 'sensitive-field');
  assert.equal((await world.provider.post(`/datasets/${people.id}/zone-check`, { zone: 'open' })).fit, true);
  await setting('discover-new-datasets', 'off');
  const plain = await world.provider.post('/datasets', { name: 'plain', source_id: people.source_id, table: 'people', fields: classified(people.fields.filter((f) => ['id', 'weight', 'turnover'].includes(f.column)), 1) });
  await restRefuses(world.provider.post(`/datasets/${plain.id}/zone-check`, { zone: 'exchange' }), 'sensitive-check-missing');
  await setting('sensitive-check-required', 'on');
  await restRefuses(world.provider.act('datasets', plain.id, 'publish', { name: 'plain', version: 'v1', path: '/plain/v1' }), 'sensitive-check-missing');
  await ended((await world.provider.post('/discoveries', { dataset_id: plain.id })).id);
  for (const f of await world.provider.list('findings', { dataset_id: plain.id, state: 'proposed' })) await world.provider.act('findings', f.id, 'reject', { comment: 'no person in it' });
  assert.equal((await world.provider.post(`/datasets/${plain.id}/zone-check`, { zone: 'exchange' })).fit, true);
  await world.provider.act('datasets', plain.id, 'publish', { name: 'plain', version: 'v1', path: '/plain/v1' });
  await setting('sensitive-check-required', 'off');
});

test('[EC-3.7, SW-9.1-5a] of two fields of one level the category decides which a caller gets', async () => {
  const { fields, revision } = await world.provider.get(`/datasets/${world.dataset}`);
  const marked = { quantity: { category: 'trade' }, amount: { category: 'finance' } };
  await world.provider.patch(`/datasets/${world.dataset}`, { fields: fields.map((f) => ({ ...f, ...(marked[f.column] ?? {}) })) }, revision);
  const PATH = '/trade/orders/v1';
  await until(async () => { const a = await call(`${PATH}?limit=1`); return a.status === 200 && !('amount' in a.json[0]) && !('quantity' in a.json[0]); }, { what: 'both away from who has no category' });
  const s = await world.admin.get(`/subscriptions/${world.subscription}`);
  await world.operator.patch(`/subscriptions/${world.subscription}`, { categories: ['trade'] }, s.revision);
  const row = await until(async () => { const a = await call(`${PATH}?limit=1`); return a.status === 200 && 'quantity' in a.json[0] && a.json[0]; }, { what: 'the field of the category' });
  assert.ok(!('amount' in row));
  refused(await call(`${PATH}?select=amount`), 403, 'field-forbidden');
  const other = await w.admittedApp(world, 'Of finance');
  await w.subscription(world, other, world.api, { categories: ['finance'] });
  const theirs = { key: await w.credential(world, other), grant: (await w.grant(world, other, world.api)).id };
  const got = await until(async () => { const a = await call(`${PATH}?limit=1`, theirs); return a.status === 200 && a.json[0]; }, { what: 'the other caller' });
  assert.ok('amount' in got && !('quantity' in got));
});

test('[EC-3.8, EC-5.2.4-0] a level has a name, an importance and a damage; the protection it is given is the gateway\'s at once', async () => {
  const levels = Object.fromEntries((await world.admin.list('level_definitions')).map((l) => [l.level, l]));
  assert.deepEqual([levels[4].damage_impact, levels[4].protection, levels[4].name, levels[3].importance], ['severe', 'refuse', '禁止', 'sensitive']);
  const change = (level, body) => world.admin.patch(`/level_definitions/${levels[level].id}`, body, levels[level].revision);
  await restRefuses(change(4, { protection: 'mask' }), 'field-invalid', '/protection');
  await restRefuses(change(4, { damage_impact: 'slight' }), 'field-invalid', '/damage_impact');
  const PATH = '/trade/orders/v1?limit=1';
  assert.ok('product_title' in (await call(PATH)).json[0]);
  const raised = await change(1, { protection: 'refuse', name: '内部' });
  await until(async () => { const a = await call(PATH); return a.status === 200 && !('product_title' in a.json[0]); }, { what: 'level 1 refused' });
  await world.admin.patch(`/level_definitions/${raised.id}`, { protection: 'open', name: '公开' }, raised.revision);
  await until(async () => { const a = await call(PATH); return a.status === 200 && 'product_title' in a.json[0]; }, { what: 'level 1 open again' });
});

test('[EC-5.2a, EC-5.2b, EC-5.2c] a rule by data type, by confidentiality or by audience changes the level that is proposed', async () => {
  const file = path.join(p.dir, 'rules.db'); // a source of its own, where nothing is known yet
  peopleTable(file, 'people', 3);
  const source = await world.provider.post('/sources', { name: 'rules', organisation_id: world.holder, kind: 'odbc', connection: w.sqliteConnection(file) });
  const base = { source_id: source.id, table: 'people', fields: [{ column: 'weight', name: 'weight', level: 0, type: 'number' }] };
  const proposed = async (...each) => {
    const made = [];
    for (const more of each) {
      const dataset = await world.provider.post('/datasets', { ...base, name: `ruled ${JSON.stringify(more)} ${each.length}`, ...more });
      made.push([dataset, await world.provider.post('/discoveries', { dataset_id: dataset.id, sample_rows: 5 })]);
    }
    return Promise.all(made.map(async ([dataset, discovery]) => {
      await ended(discovery.id);
      const [f] = await world.provider.list('findings', { dataset_id: dataset.id });
      return [f.level, f.rule];
    }));
  };
  assert.deepEqual(await proposed({}, { confidentiality: 'secret' }, { audience: `internal` }), [[2, ''], [4, 'secret-by-requirement'], [3, 'internal-by-audience']]);
  await world.operator.post('/classification_rules', { position: 10, name: 'numbers', data_type: 'number', level: 3, mask: 'keep:1:0' });
  assert.deepEqual(await proposed({}), [[3, 'numbers']]);
});

test('[SW-9.6.1-02, EC-4.3.1b, SW-8.1-p5] each opening class has its measures, and a unit supplies class and levels with its data', async () => {
  await setting('required-attributes', 'opening-class confidentiality');
  const fields = w.classify((await world.provider.get(`/datasets/${world.dataset}`)).fields.map(({ category, tags, sensitive, mask, ...f }) => f), w.LEVELS);
  const supply = async (name, opening_class, levels) => {
    const made = await world.provider.post('/datasets', { name, source_id: world.source, table: 'orders', ...(levels === fields ? { owner_column: 'merchant_id' } : {}), opening_class, fields: levels });
    const body = { name, version: 'v1', path: `/${name}/v1`, access: 'subscription' };
    await restRefuses(world.provider.act('datasets', made.id, 'publish', body), 'field-invalid', '/confidentiality');
    await world.provider.patch(`/datasets/${made.id}`, { confidentiality: 'confidential' }, made.revision);
    return world.provider.act('datasets', made.id, 'publish', body);
  };
  const free = fields.filter((f) => f.level === 1);
  await restRefuses(supply('toohigh', 'unconditional', fields), 'field-invalid', '/opening_class');
  await restRefuses(supply('closed', 'not-open', free), 'level-forbidden');
  const open = await supply('free', 'unconditional', free);
  const bound = await supply('bound', 'conditional', fields);
  assert.deepEqual([open.access, open.sign_response ?? false, bound.access, bound.sign_response], ['registered', false, 'subscription', true]);
  const a = await until(async () => { const x = await call('/free/v1?limit=1', { grant: undefined }); return x.status === 200 && x; }, { what: 'the free class' });
  assert.equal(a.headers['signature'], undefined, 'not signed');
  await until(async () => (await call('/bound/v1?limit=1')).json?.code === 'subscription-missing', { what: 'the bound class' });
  await w.subscription(world, world.app, bound.id);
  const grant = (await w.grant(world, world.app, bound.id)).id;
  const b = await until(async () => { const x = await call('/bound/v1?limit=1', { grant }); return x.status === 200 && x; }, { what: 'the subscription' });
  assert.ok(b.headers['signature'], 'signed');
  assert.match(b.json[0].buyer_phone, /\*{4}/, 'the unit\'s level masks it');
  const dataset = await world.provider.get(`/datasets/${open.dataset_id}`);
  await world.provider.patch(`/datasets/${dataset.id}`, { opening_class: 'not-open' }, dataset.revision);
  await until(async () => (await call('/free/v1?limit=1', { grant: undefined })).json?.code === 'api-offline', { what: 'the closing' });
  await setting('required-attributes', 'none');
});

test('[SW-9.1-5e, BK-3.10] one answer holds plain and masked fields, and no log holds a closed one', async () => {
  const { json: [row] } = await call('/trade/orders/v1?limit=1');
  assert.match(row.buyer_phone, /\*{4}/);
  assert.ok(row.order_id && !row.order_id.includes('*'));
  const view = await world.provider.get(`/datasets/${world.dataset}/classification`);
  const of = (column) => view.fields.find((f) => f.column === column);
  assert.deepEqual([of('buyer_phone').sensitive, of('order_id').sensitive, of('buyer_phone').opening, of('pay_password').opening, of('product_title').opening], [true, false, 'conditional', 'not-open', 'unconditional']);
  const ours = [...orderRows(w.SEED, 20, w.MERCHANTS)].filter((r) => r[1] === 'M00001');
  refused(await call('/trade/orders/v1?select=card_number,pay_password'), 403, 'field-forbidden');
  const logs = readdirSync(path.join(p.data, 'gateway'), { recursive: true, withFileTypes: true }).filter((e) => e.isFile() && !e.name.endsWith('.sock')).map((e) => readFileSync(path.join(e.parentPath ?? e.path, e.name)));
  assert.ok(ours.length > 0 && ours.every((r) => /^\d{16,19}$/.test(r[13])) && logs.length > 3);
  for (const log of logs) for (const r of ours) assert.ok(!log.includes(r[13]) && !log.includes(r[10]), 'neither a card nor a telephone number in clear');
});

test('[EC-3.14] a derived dataset shows the datasets it was made from', async () => {
  const made = await world.provider.post('/datasets', { name: 'sums', source_id: world.source, table: 'orders', derived_from: [world.dataset],
    fields: [{ column: 'amount', name: 'amount', level: 2, tags: ['business-data', 'derived'] }, { column: 'status', name: 'status', level: 2, tags: ['business-data', 'behaviour'] }] });
  const view = await world.provider.get(`/datasets/${made.id}/classification`);
  assert.deepEqual(view.derived_from.map((d) => [d.dataset_id, d.name]), [[world.dataset, 'orders']]);
  assert.deepEqual(view.fields.map((f) => f.tags), [['business-data', 'derived'], ['business-data', 'behaviour']]);
  await restRefuses(world.provider.post('/datasets', { name: 'none', source_id: world.source, table: 'orders', derived_from: ['0190a000-0000-7000-8000-000000000000'] }), 'field-invalid', '/derived_from');
});

test('a pattern that is no bounded one is refused with the place where it goes wrong', async () => {
  for (const [pattern, at] of [['CN[0-9]+', 7], ['(a', 0], ['x(?=y)', 2]]) {
    await assert.rejects(world.operator.post('/detection_patterns', { name: pattern, pattern, level: 2 }),
      (e) => e.code === 'field-invalid' && e.problem.where === '/pattern' && e.problem.detail.startsWith(`at byte ${at}:`), pattern);
  }
});

test('[SW-9.4-4a, SW-9.4-4b] nothing opens before its security review: by another, on a legal basis, of these very fields', async () => {
  const made = await world.provider.post('/datasets', { name: 'unseen', source_id: world.source, table: 'orders', owner_column: 'merchant_id' });
  await world.provider.patch(`/datasets/${made.id}`, { fields: w.classify(made.fields, w.LEVELS) }, made.revision);
  const publish = () => world.provider.unreviewed('datasets', made.id, 'publish', { name: 'unseen', version: 'v1', path: '/unseen/v1' });
  await restRefuses(publish(), 'security-review-missing');
  await restRefuses(world.provider.post('/security_reviews', { dataset_id: made.id }), 'field-invalid', '/legal_basis');
  const review = await world.provider.post('/security_reviews', { dataset_id: made.id, legal_basis: 'Data Security Law, art. 21' });
  await restRefuses(publish(), 'security-review-missing');
  await restRefuses(world.provider.act('security_reviews', review.id, 'pass', { conclusion: 'fit' }), 'not-permitted');
  const passed = await world.operator.act('security_reviews', review.id, 'pass', { conclusion: 'masked where personal' });
  assert.deepEqual([passed.requested_by, passed.reviewed_by, passed.conclusion, passed.fields.length], ['provider', 'operator', 'masked where personal', made.fields.length]);
  refused(await call('/unseen/v1?limit=1'), 404, 'route-unknown');
  await publish();
  await until(async () => (await call('/unseen/v1?limit=1')).json?.code === 'subscription-missing', { what: 'the API on the gateway' });
  const now = await world.provider.get(`/datasets/${made.id}`);
  const lowered = w.classify(now.fields, { ...w.LEVELS, buyer_phone: 1 });
  await restRefuses(world.provider.patch(`/datasets/${made.id}`, { fields: lowered }, now.revision), 'security-review-missing');
  await world.operator.act('security_reviews', review.id, 'revoke', { comment: 'a complaint' });
  await until(async () => (await call('/unseen/v1?limit=1')).json?.code === 'api-offline', { what: 'the closing of what rested on it' });
});
