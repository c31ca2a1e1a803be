// SPDX-License-Identifier: Apache-2.0
// The portal in a real browser: one sign-in and three areas within one's rights; the directory, records that were granted,
// services and trying them out, the developer centre, the management of providers.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Rest } from '../../demo/rest_client.mjs';
import { restRefuses } from '../e2e/lib/assertions.mjs';
import { Platform } from '../e2e/lib/platform.mjs';
import { records } from '../e2e/lib/records.mjs';
import { enrol, step, totp } from '../e2e/lib/totp.mjs';
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
  world = await w.trading(p, { orders: 400 });
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
  assert.deepEqual(await areas(page), ['服务门户', '开发者中心']);
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
  nobody.close();
  await restRefuses(world.developer.get('/access/explain?user=operator&operation=apps.read'), 'not-permitted');
  const staff = await signedIn('operator');
  assert.deepEqual(await areas(staff), ['服务门户', '开发者中心', '管理门户']);
  // What mine says is what the server does, one for one.
  const mine = await world.developer.get('/access/mine');
  assert.deepEqual([mine.login, mine.role], ['developer', 'developer']);
  for (const operation of ['apps.create', 'apis.try', 'apps.admit', 'organisations.suspend', 'users.create'])
    assert.equal(mine.operations.includes(operation), (await world.developer.get(`/access/explain?operation=${operation}`)).allowed, operation);
  await go(page, '/manage/centre');
  await page.getByText('您没有查看此页的权限').waitFor();
  await restRefuses(world.developer.post('/services/publish', { name: 'x', path: '/x/v1' }), 'not-permitted');
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
  for (const found of ['商务局', THEME, '电子商务', '订单管理', '电商']) assert.equal(await page.locator('.facet button', { hasText: found }).filter({ hasText: '1' }).count() > 0, true, found);
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
  assert.deepEqual([facts.来源部门, facts.数据量, facts.主题, facts.更新频率, facts.标签], ['商务局', '400', THEME, '每日', '订单电商']);
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

test('[SW-8.1-r3, SW-8.1-r4] records of a granted dataset are browsed and one is opened, granted rows and fields alone, each look a decided and recorded call of the app', async () => {
  const page = await signedIn('developer');
  await go(page, `/records/${world.api}`, /授权数据浏览/);
  const rows = page.locator('#records .el-table__row');
  await until(async () => (await rows.count()) === 20, { what: 'a page of records' });
  await shot(page, 'portal-records-zh');
  const text = await page.locator('#records').textContent();
  assert.match(text, /1\d{2}\*{4}\d{4}/);
  assert.doesNotMatch(text, /card_number|pay_password|M0000[2-9]/, 'a field of level 4, or a row of somebody else');
  const [first] = await rows.first().locator('td .cell').allTextContents().then((all) => all.map((s) => s.trim()).filter((s) => /^O\d+/.test(s)));
  await rows.first().getByRole('button', { name: '详情' }).click();
  await page.locator('#record').waitFor();
  await shot(page, 'portal-record-zh');
  assert.ok((await page.locator('#record').textContent()).includes(first));
  assert.match(await page.locator('#record').textContent(), /已脱敏/);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '下一页' }).click();
  await until(async () => { const now = await rows.first().textContent(); return !now.includes(first); }, { what: 'the next page' });
  // Each look is in the gateway's record as a call of the app, and in the log of operations with who looked.
  const { items } = await world.admin.get('/operations?page_size=50');
  const looks = items.filter((o) => o.kind === 'api' && o.action === 'try');
  assert.ok(looks.length >= 3 && looks.every((o) => o.actor === 'developer' && o.after.app_id === world.app), JSON.stringify(looks[0]));
  const tried = await world.developer.post(`/apis/${world.api}/try`, { app_id: world.app, target: '?limit=1', grant_id: world.grant });
  assert.equal(tried.status, 200);
  await until(() => records(p).find((r) => r.transaction_id === tried.transaction_id || r.transaction === tried.transaction_id), { ms: 10000, what: 'the record of the look' });
});

test('[SW-8.3.1-08, SW-8.2c1-1] from an entry to the API over it, its description and a try: with a grant rows, without one the refusal says what to do', async () => {
  const page = await signedIn('developer');
  await go(page, `/resources/${entry.id}`, '跨境电商订单');
  await page.getByRole('link', { name: '说明与试用' }).click();
  await page.getByRole('heading', { level: 1, name: /Orders/ }).waitFor();
  for (const said of ['buyer_phone', '/trade/orders/v1', 'pagesize', '返回示例']) await page.getByText(said).first().waitFor();
  const send = page.getByRole('button', { name: '发送' });
  await until(() => send.isEnabled(), { what: 'an app to try with' });
  await send.click();
  await page.locator('#answer').waitFor();
  await shot(page, 'portal-api-zh');
  const answer = JSON.parse(await page.locator('#answer').textContent());
  assert.equal(answer.length, 3);
  assert.match(answer[0].buyer_phone, /\*/);
  await page.locator('.el-select', { has: page.getByLabel('授权') }).hover();
  await page.locator('.el-select__clear').click();
  await send.click();
  await page.getByRole('alert').getByText('grant-missing').waitFor();
  await page.getByRole('alert').getByText('请选择一份授权').waitFor();
  await shot(page, 'portal-try-refused-zh');
  for (const [body, where] of [[{ app_id: 'x' }, '/app_id'], [{ app_id: world.app, target: '/../../admin' }, '/target'], [{ app_id: world.app, target: '?a=b c' }, '/target'], [{ app_id: world.app, target: 'x' }, '/target'],
    [{ app_id: world.app, grant_id: 'x' }, '/grant_id'], [{ app_id: world.app, more: 1 }, '/more']]) await restRefuses(world.developer.post(`/apis/${world.api}/try`, body), 'field-invalid', where);
  await restRefuses(world.provider.post(`/apis/${world.api}/try`, { app_id: world.app }), 'not-permitted');
  const stranger = await w.user(world.admin, 'stranger', 'developer', { organisation_id: await w.organisation(world.admin, 'Another house', 'third_party') });
  await restRefuses(stranger.post(`/apis/${world.api}/try`, { app_id: world.app }), 'not-found');
  await page.goto(`${p.control}/portal/#/resources/${entry.id}`);
  await page.getByRole('link', { name: '申请使用' }).click();
  await page.getByRole('heading', { level: 1, name: '我的订阅' }).waitFor();
  await page.getByText('Orders v1').first().waitFor();
});

test('[SW-8.3.1-04a, SW-8.3.1-04b, SW-8.3.1-04c] the trees are managed in the portal: a theme is added below another, renamed and retired, a level of one\'s own is made, and the directory follows', async () => {
  const page = await signedIn('operator');
  await go(page, '/manage/categories', '目录分类');
  const at = (name) => row(page, 'main', name).first();
  const save = async () => { await page.getByRole('dialog').getByRole('button', { name: '保存' }).click(); await page.getByRole('dialog').waitFor({ state: 'hidden' }); };
  await at(THEME).getByRole('button', { name: '新增下级' }).click();
  await page.fill('#node-name', '出口退税');
  await save();
  await at('出口退税').getByRole('button', { name: '改名' }).click();
  await page.fill('#node-name', '出口信用');
  await save();
  await page.getByRole('button', { name: '新增层次' }).click();
  await page.fill('#node-scheme', 'region');
  await page.fill('#node-name', '长三角');
  await save();
  await at('长三角').waitFor();
  await shot(page, 'portal-categories-zh');
  const developer = await signedIn('developer');
  await go(developer, '/overview', '全局数据视图');
  await go(developer, '/resources', '资源目录');
  for (const name of ['出口信用', '长三角']) await developer.locator('.el-tree-node__content', { hasText: name }).waitFor();
  await does(page, at('出口信用'), '停用');
  await at('出口信用').getByText('已停用').waitFor();
  await developer.reload();
  await developer.locator('.el-tree-node__content', { hasText: '长三角' }).waitFor();
  assert.equal(await developer.locator('.el-tree-node__content', { hasText: '出口信用' }).count(), 0);
});

// Chooses in one of Element Plus' selects.
async function choose(page, label, option) {
  await page.locator('.el-select', { has: page.getByLabel(label, { exact: true }) }).first().click();
  await page.getByRole('option', { name: option }).locator('visible=true').click();
}
// A row's action, and yes to the question.
async function does(page, row, action, comment) {
  await row.getByRole('button', { name: action, exact: true }).click();
  const dialog = page.getByRole('dialog').locator('visible=true');
  if (comment) await dialog.locator('textarea').fill(comment);
  await dialog.getByRole('button', { name: '确定' }).click();
  await dialog.waitFor({ state: 'hidden' });
}
const row = (page, table, text) => page.locator(`${table} .el-table__row`, { hasText: text });

test('[SW-8.3.2-05, SW-8.3.2-03, SW-8.3.2-04, SW-3.2c] a provider publishes its interface in the portal, what is missing is told at once; developers see it with its versions, receivers in their own words, and pick it', async () => {
  const page = await signedIn('provider');
  await go(page, '/manage/publish', '发布服务');
  await choose(page, '数据集', 'orders');
  await page.fill('#service-name', 'orders-brief');
  await page.fill('#service-path', '/trade/brief/v1');
  await page.getByRole('button', { name: '检查', exact: true }).click();
  await page.getByText('还缺少').waitFor();
  await shot(page, 'portal-publish-missing-zh');
  assert.match(await page.locator('[role=status]').textContent(), /还没有业务领域/);
  await page.fill('#service-title', '订单简报');
  await choose(page, '业务领域', '跨境');
  for (const [id, text] of [['purpose', '了解订单的进展'], ['audience', '外贸企业的软件'], ['usage', '按日查询'], ['hours', '工作日 9:00-18:00']]) await page.fill(`#service-${id}`, text);
  await page.getByRole('button', { name: '发布', exact: true }).click();
  await page.getByRole('heading', { name: '已发布' }).waitFor();
  await go(page, '/development', '服务目录·开发视图');
  await page.getByText('/trade/brief/v1').waitFor();
  await shot(page, 'portal-development-zh');
  const receiver = await signedIn('developer');
  await go(receiver, '/services', '服务目录·业务视图');
  await receiver.getByRole('heading', { name: '订单简报' }).waitFor();
  await shot(receiver, 'portal-business-zh');
  assert.doesNotMatch(await receiver.locator('main').textContent(), /\/trade|dataset|v1/, 'nothing technical');
  await receiver.getByRole('button', { name: '选用' }).click();
  await receiver.getByRole('heading', { level: 1, name: '我的订阅' }).waitFor();
  await choose(receiver, '应用', 'Order helper');
  await receiver.fill('#purpose', '订单提醒');
  await receiver.getByRole('button', { name: '提交申请' }).click();
  await row(receiver, 'main', '订单提醒').getByText('待审核').waitFor();
  await shot(receiver, 'portal-subscriptions-zh');
});

test('[SW-8.1-m1, SW-8.1-m2, SW-8.1-m3, SW-8.1-m4, SW-8.1-m5, SW-8.1-m6] in the management centre a service is registered, changed, approved, its API stopped and started, set up, and an app\'s permission narrowed: the next calls follow', async () => {
  const page = await signedIn('provider');
  await go(page, '/manage/services/new', '注册服务');
  await page.fill('#entry-name', 'parcels');
  await page.fill('#entry-title', '快递查询');
  await choose(page, '业务领域', '快递');
  for (const [id, text] of [['purpose', '查询快递'], ['audience', '外贸企业'], ['usage', '按单号'], ['hours', '全天']]) await page.fill(`#entry-${id}`, text);
  await choose(page, '关联的数据集', 'orders');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '保存' }).click();
  await page.getByRole('heading', { level: 1, name: '服务管理中心' }).waitFor();
  await row(page, '#services', 'parcels').getByRole('link', { name: '快递查询' }).click();
  await page.getByRole('heading', { level: 1, name: /快递查询/ }).waitFor();
  await page.fill('#entry-title', '快递件查询');
  await page.getByRole('button', { name: '保存' }).click();
  await page.getByText('已保存').waitFor();
  await go(page, '/manage/centre', '服务管理中心');
  await does(page, row(page, '#services', 'parcels'), '提交审批');
  await row(page, '#services', 'parcels').getByText('待审批').waitFor();
  const staff = await signedIn('operator');
  await go(staff, '/manage/centre', '服务管理中心');
  await does(staff, row(staff, '#services', 'parcels'), '批准', '可以开放');
  await row(staff, '#services', 'parcels').getByText('已上架').waitFor();
  await shot(staff, 'portal-centre-zh');
  const [brief] = await world.provider.list('services', { name: 'orders-brief' });
  await world.operator.act('subscriptions', (await world.developer.list('subscriptions')).find((s) => s.purpose === '订单提醒').id, 'approve');
  await go(page, `/manage/services/${brief.id}`, /订单简报/);
  await page.getByText('1 个应用').waitFor();
  await go(page, '/manage/centre', '服务管理中心');
  const call = () => p.call('/trade/orders/v1?limit=1', world);
  await does(page, row(page, '#apis', '/trade/orders/v1'), '停用');
  await until(async () => (await call()).json?.code === 'api-offline', { what: 'the stop' });
  await does(page, row(page, '#apis', '/trade/orders/v1'), '启用');
  await until(async () => (await call()).status === 200, { what: 'the start' });
  await go(staff, `/manage/apis/${world.api}`, /配置/);
  await staff.locator('#timeout_ms').fill('2500');
  await staff.getByRole('button', { name: '保存' }).click();
  await staff.getByText('已保存').waitFor();
  assert.equal((await world.operator.get(`/apis/${world.api}`)).timeout_ms, 2500);
  await choose(staff, '需要的数据级别', /L1/);
  await shot(staff, 'portal-configure-zh');
  await until(async () => { const a = await call(); return a.status === 200 && !('buyer_phone' in a.json[0]); }, { what: 'the narrowed permission' });
  await choose(staff, '需要的数据级别', /L3/);
  await until(async () => 'buyer_phone' in ((await call()).json?.[0] ?? {}), { what: 'the permission again' });
  const { items } = await world.admin.get('/operations?page_size=100');
  for (const [kind, action] of [['service', 'create'], ['service', 'update'], ['service', 'submit'], ['service', 'approve'], ['api', 'stop'], ['api', 'start'], ['api', 'update']])
    assert.ok(items.some((o) => o.kind === kind && o.action === action), `${kind} ${action}`);
});

test('[BK-10.3b1, BK-10.3b2, BK-10.3b3] in the developer centre a major change without its plans is refused and says where; whole, it reaches the reviewers with the time it was told', async () => {
  const page = await signedIn('developer');
  await go(page, '/developer/changes', '重大变更');
  await choose(page, '应用', 'Order helper');
  await page.fill('#change-description', '日均调用量预计增加十倍');
  await page.getByRole('button', { name: '提交', exact: true }).click();
  await page.getByRole('alert').getByText('/change_plan').waitFor();
  await shot(page, 'portal-change-refused-zh');
  await page.fill('#change-change_plan', '分三周扩容');
  await page.getByRole('button', { name: '提交', exact: true }).click();
  await page.getByRole('alert').getByText('/emergency_plan').waitFor();
  for (const [id, text] of [['emergency_plan', '回退到原用量'], ['party_risk', '高峰时延迟增加，影响可控'], ['user_notice', '2026-12-01 起在应用内公告']]) await page.fill(`#change-${id}`, text);
  await page.getByRole('button', { name: '提交', exact: true }).click();
  await row(page, '#changes', '日均调用量预计增加十倍').getByText('待处理').waitFor();
  const [filed] = await world.operator.list('major_changes');
  assert.deepEqual([filed.party_risk, filed.user_notice], ['高峰时延迟增加，影响可控', '2026-12-01 起在应用内公告']);
  assert.ok(filed.created_at);
  const staff = await signedIn('operator');
  await go(staff, '/developer/notices', '通知');
  await staff.locator('article.hit').first().waitFor();
  assert.ok((await world.operator.list('notices')).some((n) => n.object_id === filed.id), 'the reviewers have it');
});

test('an app and its credentials in the developer centre: what admission lacks is told, a secret is shown once and signs', async () => {
  const page = await signedIn('developer');
  await go(page, '/developer/apps', '我的应用');
  await page.getByRole('button', { name: '申请应用' }).click();
  await page.fill('#app-name', '提醒助手');
  await page.getByRole('button', { name: '提交申请' }).click();
  await row(page, 'main', '提醒助手').getByText('待审核').waitFor();
  await page.getByRole('link', { name: 'Order helper' }).click();
  await page.getByRole('heading', { level: 1, name: 'Order helper' }).waitFor();
  await page.getByRole('button', { name: '新建凭证' }).click();
  await page.getByRole('dialog').getByRole('button', { name: '创建' }).click();
  const secret = (await page.locator('#secret').textContent()).trim();
  const id = /[0-9a-f-]{36}/.exec(await page.locator('[role=status]').textContent())[0];
  await shot(page, 'portal-secret-zh');
  await until(async () => (await p.call('/trade/orders/v1?limit=1', { key: { id, secret, algorithm: 'hmac-sm3' }, grant: world.grant })).status === 200, { what: 'a call with the new secret' });
  await page.reload();
  await page.getByText(id).waitFor();
  assert.equal(await page.locator('#secret').count(), 0);
  await does(page, row(page, 'main', id), '吊销', '不再需要');
  await row(page, 'main', id).getByText('已吊销').waitFor();
});

test('[SW-6-timer] an operator makes a scheduled task in the management, which runs at its time and shows its result; others see no such page', async () => {
  const page = await signedIn('operator');
  await go(page, '/manage/tasks', '定时任务');
  await page.getByRole('button', { name: '新建任务' }).click();
  await page.fill('#task-name', '每日检查目录');
  await page.getByRole('button', { name: '创建', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  const made = await until(async () => (await world.operator.list('scheduled_tasks', { name: '每日检查目录' })).find((t) => t.state === 'done'), { ms: 15000, what: 'the run' });
  assert.equal(made.last_result, 'failed'); // the orders are open without an entry in the catalogue of services
  await page.getByRole('button', { name: '刷新' }).click();
  await row(page, '#tasks', '每日检查目录').getByText('失败').waitFor();
  await shot(page, 'portal-tasks-zh');
  await does(page, row(page, '#tasks', '每日检查目录'), '移除');
  await until(async () => (await row(page, '#tasks', '每日检查目录').count()) === 0, { what: 'the removal' });
  const developer = await signedIn('developer');
  await go(developer, '/manage/tasks');
  await developer.getByText('您没有查看此页的权限').waitFor();
});

test('[EC-4.2.1a2] the providers of software are listed in the management, let in, suspended, resumed and let go; their apps\' next calls follow', async () => {
  const page = await signedIn('operator');
  await go(page, '/manage/providers', '软件提供商');
  const call = () => p.call('/trade/orders/v1?limit=1', world);
  await does(page, row(page, '#providers', 'Software house'), '暂停');
  await row(page, '#providers', 'Software house').getByText('已暂停').first().waitFor();
  await until(async () => (await call()).json?.code === 'app-inactive', { what: 'the refusal' });
  await does(page, row(page, '#providers', 'Software house'), '恢复');
  await until(async () => (await call()).status === 200, { what: 'the calls again' });
  await page.getByRole('button', { name: '登记提供商' }).click();
  await page.fill('#provider-name', 'New house');
  await page.getByRole('button', { name: '登记', exact: true }).click();
  await does(page, row(page, '#providers', 'New house'), '批准');
  await row(page, '#providers', 'New house').getByText('有效').waitFor();
  await does(page, row(page, '#providers', 'New house'), '退出');
  await row(page, '#providers', 'New house').getByText('已退出').waitFor();
  await shot(page, 'portal-providers-zh');
  const developer = await signedIn('developer');
  await go(developer, '/manage/providers');
  await developer.getByText('您没有查看此页的权限').waitFor();
  await restRefuses(world.developer.act('organisations', world.thirdParty, 'suspend'), 'not-permitted');
});

test('[BK-A-4] the public page lists external APIs, and them alone, for anybody; who has no account is led to sign in to apply', async () => {
  const internal = await world.provider.post('/services/publish', { dataset_id: world.dataset, name: 'inside', path: '/inside/v1', dry_run: true });
  assert.equal(internal.published, false);
  const api = await world.provider.post('/apis', { name: 'inside', version: 'v1', path: '/inside/v1', kind: 'dataset', dataset_id: world.dataset, title: 'Inside only', type: 'internal' });
  await world.provider.act('apis', api.id, 'publish');
  const page = watch(await visitor(b, 'en'));
  await go(page, '/public', 'Public APIs');
  await page.getByRole('heading', { name: /^Orders/ }).waitFor();
  await shot(page, 'portal-public-en');
  const text = await page.locator('main').textContent();
  assert.doesNotMatch(text, /Inside only|\/trade\/orders/);
  await page.getByRole('button', { name: 'Sign in to apply' }).first().click();
  await page.waitForURL(/\/login\?continue=/);
  await page.close();
});

test('[SW-9.5-1b] a one-time password leads to the page that changes it and opens nothing before', async () => {
  await world.admin.post('/users', { login: 'fresh', role: 'developer', password: 'fresh-first-Passw0rd', organisation_id: world.thirdParty });
  const page = watch(await visitor(b));
  await page.goto(`${p.control}/portal/`);
  await page.waitForURL(/\/login\?continue=/);
  await page.fill('#login', 'fresh');
  await page.fill('#password', 'fresh-first-Passw0rd');
  await page.click('button[type=submit]');
  await page.getByText('这是一次性密码').waitFor();
  await page.goto(`${p.control}/portal/#/resources`);
  await page.getByText('这是一次性密码').waitFor();
  await page.fill('#old-password', 'fresh-first-Passw0rd');
  await page.fill('#new-password', 'short');
  await page.fill('#new-password-again', 'short');
  await page.click('main button[type=submit]');
  await page.getByRole('alert').waitFor();
  await page.fill('#new-password', 'A-better-Passw0rd-of-mine');
  await page.fill('#new-password-again', 'A-better-Passw0rd-of-mine');
  await page.click('main button[type=submit]');
  await page.getByRole('heading', { level: 1, name: '资源目录' }).waitFor();
  await page.close();
});

test('[CI-8.3b] where two factors are asked for, who has one is led to the page that enrols an authenticator, and signs in with it', async () => {
  await w.user(world.admin, 'guard', 'developer', { organisation_id: world.thirdParty });
  const [setting] = await world.admin.list('identity_settings', { name: 'second-factor' });
  const signIn = async (page) => {
    await page.waitForURL(/\/login\?continue=/);
    await page.fill('#login', 'guard');
    await page.fill('#password', 'guard-first-Passw0rd-changed');
    await page.click('button[type=submit]');
  };
  await enrol(world.admin).then((secret) => world.admin.post('/sessions/current/factors', { otp: totp(secret) })); // who asks for it has it
  await world.admin.patch(`/identity_settings/${setting.id}`, { value: 'all' }, setting.revision);
  const page = watch(await visitor(b));
  await page.goto(`${p.control}/portal/`);
  await signIn(page);
  await page.getByText('请先绑定动态口令').first().waitFor();
  await page.click('#enrol');
  const secret = await page.locator('#totp-key').innerText();
  await page.fill('#otp', '000000');
  await page.click('main button[type=submit]');
  await page.getByRole('alert').waitFor();
  // the code before this one: the next still counts for the sign-in
  await until(async () => {
    await page.fill('#otp', totp(secret, step() - 1));
    await page.click('main button[type=submit]');
    return page.waitForURL(/\/login\?continue=/, { timeout: 10000 }).then(() => true, () => false);
  }, { ms: 40000, what: 'the confirmed authenticator' });
  await signIn(page);
  await page.locator('#otp').waitFor();
  await page.fill('#otp', totp(secret));
  await page.fill('#password', 'guard-first-Passw0rd-changed');
  await page.click('button[type=submit]');
  await page.getByRole('heading', { level: 1, name: '资源目录' }).waitFor();
  const now = await world.admin.get(`/identity_settings/${setting.id}`);
  await world.admin.patch(`/identity_settings/${setting.id}`, { value: 'off' }, now.revision);
  await page.close();
});

// Text and what lies behind it, as WCAG 2 reckons contrast; a control needs a name. Returns what falls short.
function shortcomings() {
  const channel = (v) => { const c = v / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const behind = (el) => { for (let e = el; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor); if ((c[3] ?? 1) === 1 && c.length >= 3) return c; } return [255, 255, 255]; };
  const out = [];
  for (const el of document.querySelectorAll('#app *')) {
    const said = [...el.childNodes].filter((n) => n.nodeType === 3 && n.data.trim()).map((n) => n.data.trim()).join(' ');
    if (!said || !el.getClientRects().length || el.closest('.is-disabled, [disabled], noscript')) continue;
    const [a, b] = [light(numbers(getComputedStyle(el).color)), light(behind(el))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) out.push(`${said.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  for (const el of document.querySelectorAll('#app button, #app input:not([type=hidden]), #app textarea, #app a')) {
    const named = el.textContent.trim() || el.getAttribute('aria-label') || el.labels?.length || el.querySelector('img[alt]');
    if (el.getClientRects().length && !named) out.push(`no name: ${el.outerHTML.slice(0, 120)}`);
  }
  return out;
}

test('the portal speaks both languages, can be worked by keyboard, and its text stands out enough', async () => {
  const page = await signedIn('developer');
  for (const [route, heading] of [['/resources', '资源目录'], [`/resources/${entry.id}`, '跨境电商订单'], [`/apis/${world.api}`, /Orders/], ['/developer/changes', '重大变更'], ['/developer/subscriptions', '我的订阅']]) {
    await go(page, route, heading);
    let found;
    await until(async () => (found = await page.evaluate(shortcomings)).length === 0, { ms: 3000, what: `${route} without shortcomings` }).catch(() => assert.deepEqual(found, [], route));
  }
  await page.getByRole('button', { name: 'English' }).click();
  await go(page, '/resources', 'Data resources');
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  assert.doesNotMatch(await page.locator('nav.side').textContent(), /[\u4e00-\u9fff]/);
  await shot(page, 'portal-search-en');
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Data resources' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
  // Signing out ends the session for every area.
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/\/login/);
  await page.goto(`${p.control}/portal/#/developer/apps`);
  await page.waitForURL(/\/login\?continue=/);
});

test('no page of the portal broke its own rules: no error, nothing blocked, no request to anybody else', () => {
  assert.deepEqual(violations, []);
});
