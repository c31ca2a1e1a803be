// SPDX-License-Identifier: Apache-2.0
// The portal in a real browser: one sign-in and three areas within one's rights; the directory, records that were granted,
// services and trying them out, the developer centre, the management of providers.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Rest } from '../../demo/rest_client.mjs';
import { restRefuses } from '../e2e/lib/assertions.mjs';
import { Platform } from '../e2e/lib/platform.mjs';
import { until } from '../e2e/lib/wait.mjs';
import * as w from '../e2e/lib/world.mjs';
import { browser, shot, visitor } from './lib.mjs';

const THEME = '进出口';
let p;
let world;
let b;
let entry; // of the published orders
const pages = {}; // by user: one context each, signed in once
const violations = [];

// What stands against the platform's own rules: scripts' errors, blocked content, and requests to anybody else.
function watch(page) {
  page.on('pageerror', (e) => violations.push(`error: ${e.message}`));
  page.on('console', (m) => { if (/Content Security Policy|Refused to/.test(m.text())) violations.push(m.text()); });
  page.on('request', (q) => { if (!q.url().startsWith(p.control) && !/^(data|blob):/.test(q.url())) violations.push(`request: ${q.url()}`); });
  return page;
}

async function signedIn(login, locale = 'zh-CN') {
  if (pages[login]) return pages[login];
  const page = watch(await visitor(b, locale));
  await page.goto(`${p.control}/portal/`);
  await page.waitForURL(/\/login\?continue=/);
  await page.fill('#login', login);
  await page.fill('#password', `${login}-first-Passw0rd-changed`);
  await page.click('button[type=submit]');
  await page.waitForURL(/\/portal\//);
  await page.locator('main h1').waitFor();
  pages[login] = page;
  return page;
}

async function go(page, route, heading) {
  await page.goto(`${p.control}/portal/#${route}`);
  if (heading) await page.getByRole('heading', { level: 1, name: heading }).waitFor();
}

before(async () => {
  p = await Platform.start();
  world = await w.trading(p);
  const harvest = await world.operator.post('/harvests', { source_id: world.source });
  await until(async () => (await world.operator.get(`/harvests/${harvest.id}`)).state === 'done', { ms: 20000, what: 'the harvest' });
  const theme = await world.operator.post('/catalog_nodes', { scheme: 'theme', name: THEME, name_en: 'Foreign trade' });
  const category = await world.operator.post('/catalog_nodes', { scheme: 'category', name: '电子商务', name_en: 'E-commerce' });
  const application = await world.operator.post('/catalog_nodes', { scheme: 'application', name: '订单管理', name_en: 'Order management' });
  [entry] = await world.operator.list('entries', { dataset_id: world.dataset });
  entry = await world.operator.patch(`/entries/${entry.id}`, { name: '跨境电商订单', summary: '跨境电商平台的订单、商品和收件信息', department: '商务局', theme_id: theme.id, category_id: category.id,
    application_id: application.id, tags: ['订单', '电商'], update_frequency: 'daily', opening: 'conditional', access_conditions: '经数据主体授权', decision: 'open' }, entry.revision);
  await world.provider.act('entries', entry.id, 'submit');
  await world.operator.act('entries', entry.id, 'publish');
  b = await browser();
});
after(async () => {
  await b?.close();
  await p?.stop();
});

test('[SW-9.5-1b] one login opens service portal, developer centre and management, each within the user\'s rights, and the server refuses what the pages hide', async () => {
  const page = await signedIn('developer');
  await shot(page, 'portal-search-zh');
  const areas = async (of) => (await of.locator('nav.areas a').allTextContents()).map((s) => s.trim());
  assert.deepEqual(await areas(page), ['服务门户']);
  const [cookie] = (await page.context().cookies()).filter((k) => k.name === '__Host-sluice');
  assert.ok(cookie.httpOnly && cookie.secure);
  // The cookie alone is nobody's session: another site can make a browser send it, but not our header.
  const nobody = new Rest(p.control, p.ca);
  const bare = async (headers) => (await nobody.raw('GET', '/api/v1/access/mine', undefined, { cookie: `${cookie.name}=${cookie.value}`, ...headers })).status;
  assert.equal(await bare({ 'sluice-portal': '1' }), 200);
  assert.equal(await bare({}), 401);
  assert.equal(await bare({ 'sluice-portal': '1', origin: 'https://evil.example' }), 401);
  assert.equal(await bare({ 'sluice-portal': '1', origin: 'null' }), 401);
  assert.equal(await bare({ 'sluice-portal': '1', 'sec-fetch-site': 'cross-site' }), 401);
  await restRefuses(world.developer.get('/access/explain?user=operator&operation=apps.read'), 'not-permitted');
  nobody.close();
});

test('files of the portal: none but those of its table, kept for good by their names, the page asked for anew, nothing inline', async () => {
  const nobody = new Rest(p.control, p.ca);
  const get = (path, headers) => nobody.raw('GET', path, undefined, headers);
  const page = await get('/portal/');
  assert.match(page.headers['content-security-policy'], /script-src 'self'; style-src 'self'/);
  assert.equal(page.headers['cache-control'], 'no-cache');
  assert.ok(!/<script(?![^>]*src=)|<style|style=|\son\w+=/.test(page.body), 'nothing inline');
  assert.equal((await get('/portal/', { 'if-none-match': page.headers.etag })).status, 304);
  const [script] = /\/portal\/assets\/[^"]+\.js/.exec(page.body);
  const plain = await get(script), packed = await get(script, { 'accept-encoding': 'gzip' });
  assert.match(plain.headers['cache-control'], /immutable/);
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(Number(packed.headers['content-length']) < Number(plain.headers['content-length']));
  assert.deepEqual([(await get('/portal')).status, (await get('/portal')).headers.location], [303, '/portal/']);
  for (const path of ['/portal/assets/..%2findex.html', '/portal/../pki/ca.crt', '/portal/assets/nothing.js', '/portal/assets/%2e%2e%2f%2e%2e%2fkeys%2fmaster.key', '/portal/index.html/', '/portal/assets/'])
    assert.equal((await get(path)).status, 404, path);
  nobody.close();
});

test('[SW-8.3.1-04a, SW-8.3.1-04b, SW-8.3.1-04c, SW-8.2a2-2] the directory is browsed by category, theme and application, searched in Chinese, narrowed by what was found, and exported', async () => {
  const page = await signedIn('developer');
  await go(page, '/resources', '资源目录');
  await page.getByRole('link', { name: '跨境电商订单' }).waitFor();
  await shot(page, 'portal-search-zh');
  for (const [words, n] of [['跨境', 1], ['收件', 1], ['不存在的词', 0]]) {
    await page.fill('[role=search] input', words);
    await page.getByRole('button', { name: '搜索', exact: true }).click();
    await page.getByText(`共 ${n} 个资源`).waitFor();
    assert.equal(await page.locator('article.hit').count(), n);
  }
  await page.getByRole('button', { name: '清除条件' }).click();
  for (const name of ['电子商务', THEME, '订单管理']) { // category, theme, application
    await page.locator('.el-tree-node__label', { hasText: name }).or(page.locator('.el-tree-node__content', { hasText: name })).first().click();
    await page.waitForURL(/category=|theme=|application=/);
    await page.locator('article.hit').waitFor();
    await page.getByRole('button', { name: '清除条件' }).click();
    await page.waitForURL(/#\/resources$/);
  }
  await page.locator('.facet button', { hasText: '商务局' }).click();
  await page.waitForURL(/department=/);
  assert.equal(await page.locator('.facet button[aria-pressed=true]').count(), 1);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /导出目录/ }).click()]);
  const text = await (await import('node:fs/promises')).readFile(await download.path(), 'utf8');
  assert.ok(JSON.stringify(JSON.parse(text)).includes('跨境电商订单'));
});

test('[SW-8.3.1-m01, SW-8.3.1-m02, SW-8.3.1-m03, SW-8.3.1-m04, SW-8.3.1-m05, SW-8.3.1-m06, SW-8.3.1-m07, SW-8.3.1-m08, SW-8.3.1-m09, SW-8.3.1-m10, SW-8.3.1-m11, SW-8.3.1-m12, SW-8.3.1-m13] an entry\'s page tells all of it to somebody without a grant, and a masked preview to its keeper alone', async () => {
  const page = await signedIn('developer');
  await go(page, `/resources/${entry.id}`, '跨境电商订单');
  await page.getByText('经数据主体授权').waitFor();
  await shot(page, 'portal-entry-zh');
  const facts = Object.fromEntries(await page.locator('.el-descriptions__label').evaluateAll((all) => all.map((l) => [l.textContent.trim(), l.nextElementSibling.textContent.trim()])));
  const now = await world.developer.get(`/entries/${entry.id}`);
  assert.deepEqual([facts.来源部门, facts.数据量, facts.主题, facts.更新频率, facts.标签], ['商务局', '200', THEME, '每日', '订单电商']);
  assert.notEqual(facts.发布时间, '—');
  assert.notEqual(facts.最后更新时间, '—');
  assert.match(facts.开放条件, /有条件开放.*经数据主体授权/);
  assert.equal(facts.数据简介, '跨境电商平台的订单、商品和收件信息');
  const row = (await page.locator('.el-table__row', { hasText: 'buyer_phone' }).first().locator('td').allTextContents()).map((s) => s.trim());
  const field = now.fields.find((f) => f.name === 'buyer_phone');
  assert.deepEqual([row[2], row[3], row[4]], [field.type ?? '—', String(field.length || '—'), field.format ?? '—']);
  assert.equal(await page.getByRole('button', { name: '读取预览' }).count(), 0, 'no preview for who has no grant');
  const keeper = await signedIn('provider');
  await go(keeper, `/resources/${entry.id}`, '跨境电商订单');
  await keeper.getByRole('button', { name: '读取预览' }).click();
  await keeper.locator('#preview .el-table__row').first().waitFor();
  await shot(keeper, 'portal-preview-zh');
  const text = await keeper.locator('#preview').textContent();
  assert.match(text, /1\d{2}\*{4}\d{4}/);
  assert.doesNotMatch(text, /[^\d]1[3-9]\d{9}[^\d]/, 'a whole phone number');
});

test('[SW-8.3.1-09] the global data view has all resources with sources, themes, volumes and services on one page', async () => {
  const page = await signedIn('operator');
  await go(page, '/overview', '全局数据视图');
  await page.getByRole('link', { name: '跨境电商订单' }).waitFor();
  await shot(page, 'portal-overview-zh');
  const text = await page.locator('main').textContent();
  for (const said of ['商务局', THEME, 'orders', '数据源', 'Trade platform']) assert.ok(text.includes(said), said);
});

test('no page of the portal broke its own rules: no error, nothing blocked, no request to anybody else', () => {
  assert.deepEqual(violations, []);
});
