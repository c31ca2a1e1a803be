// SPDX-License-Identifier: Apache-2.0
// The portal in a real browser, of letting in: an account is registered and reviewed, an app applied for and permitted, its
// keys and its user's factors, how an API is set up, how it is tried. A file of its own: its platform's apps, users and APIs
// change under it as those of portal.test.mjs must not.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto, { createHash, generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { uscc } from '../../demo/idnum.mjs';
import { restRefuses } from '../e2e/lib/assertions.mjs';
import { Platform } from '../e2e/lib/platform.mjs';
import { sign } from '../e2e/lib/sign.mjs';
import { totp, step } from '../e2e/lib/totp.mjs';
import { startUpstream } from '../e2e/lib/upstream.mjs';
import { until } from '../e2e/lib/wait.mjs';
import * as w from '../e2e/lib/world.mjs';
import { Portal, browser, choose, does, row, shot } from './lib.mjs';

const ID_NUMBER = '11010519491231002X'; // synthetic, with a right check digit
const PASSWORD = 'Of-my-own-Passw0rd';
let p;
let world;
let b;
let portal;
let upstream;
let other;

const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(p.data, 'control/store.db'), text], { encoding: 'utf8' }).trim();
const call = (target = '/trade/orders/v1?limit=1', more = {}) => p.call(target, { ...world, ...more });

before(async () => {
  p = await Platform.start();
  [upstream, other] = [await startUpstream(), await startUpstream()];
  world = await w.trading(p, { orders: 60 });
  world.unit = await w.httpApi(world, 'unit', upstream.url);
  await w.subscription(world, world.app, world.unit);
  b = await browser();
  portal = new Portal(p, b);
});
after(async () => {
  await b?.close();
  upstream?.close();
  other?.close();
  await p?.stop();
});

test('[CI-6.1.5a] a user of a connected platform registers in the portal\'s public page; nobody signs in with the account until a reviewer has approved it there', async () => {
  const page = await portal.visitor();
  await page.goto(`${p.control}/portal/#/public`);
  const [picture] = await Promise.all([page.waitForResponse(/\/captchas$/), page.getByRole('link', { name: '注册账号' }).click()]);
  const { id } = await picture.json();
  sql(`UPDATE captchas SET answer_sm3 = x'${createHash('sm3').update(`${id} HJKLM`).digest('hex')}' WHERE id = '${id}'`);
  await page.getByRole('heading', { level: 1, name: '注册账号' }).waitFor();
  const sent = page.waitForRequest(/\/registrations$/);
  for (const [field, text] of [['login', 'newcomer'], ['password', PASSWORD], ['again', PASSWORD], ['name', '测试甲某'], ['number', ID_NUMBER], ['captcha', 'hjklm']]) await page.fill(`#register-${field}`, text);
  await shot(page, 'portal-register-zh');
  await page.getByRole('button', { name: '提交注册' }).click();
  assert.doesNotMatch((await sent).postData(), new RegExp(PASSWORD), 'the password leaves the browser sealed');
  await page.getByText('账号 newcomer 已提交，等待审核').waitFor();
  const signIn = () => p.rest.raw('POST', '/api/v1/sessions', { login: 'newcomer', password: PASSWORD });
  assert.equal((await signIn()).body.code, 'sign-in-failed');
  const staff = await portal.signedIn('operator');
  await portal.go(staff, '/manage/registrations', '账号审核');
  await row(staff, '#registrations', 'newcomer').getByText('待审核').waitFor();
  await shot(staff, 'portal-registrations-zh');
  await row(staff, '#registrations', 'newcomer').getByRole('button', { name: '批准' }).click();
  await choose(staff, '角色', '第三方开发者');
  await choose(staff, '机构', 'Software house');
  await staff.fill('#registration-comment', '证件已核对');
  await staff.getByRole('button', { name: '确定' }).click();
  await row(staff, '#registrations', 'newcomer').waitFor({ state: 'detached' });
  const [user] = await world.admin.list('users', { login: 'newcomer' });
  assert.deepEqual([user.state, user.role, user.reviewed_by, user.review_comment], ['active', 'developer', 'operator', '证件已核对']);
  assert.equal((await signIn()).status, 201);
  await page.close();
});

test('[EC-4.2.2a5] an application is filled in and submitted in the portal, what it lacks is named, it comes back with a comment; the reviewer judges whether it is lawful and names APIs, levels and fields, and exactly those are served', async () => {
  const page = await portal.signedIn('developer');
  await portal.go(page, '/developer/applications', '准入申请');
  await page.getByRole('button', { name: '新建申请' }).click();
  await choose(page, '应用', 'Order helper');
  await page.fill('#application-title', '订单助手接入');
  await page.getByRole('button', { name: '开始填写' }).click();
  await page.locator('#lacks').waitFor();
  const lacks = () => page.locator('#lacks li').allTextContents();
  assert.ok((await lacks()).includes('软件用途') && (await lacks()).includes('材料: 营业执照'), (await lacks()).join());
  await page.fill('#member-uscc', uscc('440300', '00000001'));
  for (const [name, text] of [['qualification', '有限公司'], ['purpose', '订单管理'], ['merchants', 'M00001\nM00002'], ['functions', '查询订单'], ['leak_prevention', '见清单'], ['secure_lifecycle', '评审'], ['release_review', '双人审核'],
    ['emergency_organisation', '值班组'], ['emergency_contacts', '0755-00000000']]) await page.fill(`#member-${name}`, text);
  await choose(page, '希望访问的数据级别', /L1/, /L2/);
  await page.getByRole('button', { name: '保存草稿' }).click();
  await page.getByText('已保存').waitFor();
  await page.getByRole('button', { name: '提交申请' }).click();
  await page.getByRole('alert').getByText('/content/duties').waitFor();
  await shot(page, 'portal-application-zh');
  for (const duty of ['妥善管理获得授权的数据', '防止数据泄露', '只把数据返回给授权用户']) await page.getByText(duty).click();
  for (const kind of ['营业执照', '发布安全审核报告']) {
    await page.getByLabel(kind, { exact: true }).setInputFiles({ name: `${kind}.pdf`, mimeType: 'application/pdf', buffer: Buffer.from(`%PDF-1.7\n${kind}\n%%EOF\n`) });
    await page.getByText(`${kind}.pdf`).waitFor();
  }
  await page.getByRole('button', { name: '提交申请' }).click();
  await page.locator('.head').getByText('待审批').waitFor();

  const staff = await portal.signedIn('operator');
  const waiting = async () => {
    await portal.go(staff, '/manage/reviews', '申请审核');
    await row(staff, '#reviews', '订单助手接入').getByRole('link').click();
    await staff.getByRole('heading', { level: 1, name: '订单助手接入' }).waitFor();
  };
  const opinion = async (result, comment) => {
    await choose(staff, '结论', result);
    if (comment) await staff.fill('#review-comment', comment);
    await staff.getByRole('button', { name: '提交意见' }).click();
  };
  await waiting();
  await opinion('退回', '请写明服务哪些商户');
  await staff.locator('.head').getByText('已退回').waitFor();
  await page.reload();
  await page.locator('#returned').getByText('请写明服务哪些商户').waitFor();
  await shot(page, 'portal-returned-zh');
  await page.getByRole('button', { name: '提交申请' }).click();
  await page.locator('.head').getByText('待审批').waitFor();
  await waiting();
  await opinion('通过');
  await staff.getByText('第 2 步，共 2 步').waitFor();
  await staff.getByRole('button', { name: '核验', exact: true }).click();
  await staff.locator('#identity').getByText('在线核验：通过').waitFor();
  for (const kind of ['营业执照', '发布安全审核报告']) for (const aspect of ['有效性', '完整性', '真实性']) await staff.getByLabel(`${kind} ${aspect} 通过`, { exact: true }).check();
  for (const judged of ['企业资质', '防泄露措施', '软件生命周期安全']) await staff.getByLabel(`${judged} 通过`, { exact: true }).check();
  await opinion('通过');
  await staff.getByRole('alert').getByText('admission-incomplete').waitFor(); // lawful or not: nobody has said
  await staff.getByLabel('合法性 通过', { exact: true }).check();
  await staff.locator('.permission', { hasText: 'unit' }).getByRole('button', { name: '移除' }).click();
  await choose(staff, '级别 1', /L2/);
  await choose(staff, '字段 1', /^order_id/, /^product_title/);
  await shot(staff, 'portal-review-zh');
  assert.ok('status' in (await call()).json[0], 'before the decision more is served');
  await staff.getByRole('button', { name: '提交意见' }).click();
  await staff.locator('#permitted').getByText('order_id, product_title').first().waitFor();
  await staff.locator('.head').getByText('已批准').waitFor();
  await shot(staff, 'portal-permitted-zh');
  const served = await until(async () => { const a = await call(); return a.status === 200 && !('status' in a.json[0]) && a.json[0]; }, { what: 'what was permitted' });
  assert.deepEqual(Object.keys(served).sort(), ['order_id', 'product_title']);
  await until(async () => (await call('/unit/v1/good')).json?.code !== undefined && (await call('/unit/v1/good')).status === 403, { what: 'the refusal of the API that was not named' });
  const [approved] = await world.operator.list('applications', { state: 'approved' });
  assert.deepEqual(approved.permissions, [{ api_id: world.api, max_level: 2, fields: ['order_id', 'product_title'] }]);
  // The applicant sees the same, and judges nothing.
  await page.reload();
  await page.locator('#permitted').getByText('order_id, product_title').first().waitFor();
  await portal.go(page, '/manage/reviews');
  await page.getByText('您没有查看此页的权限').waitFor();
  await restRefuses(world.developer.post('/application_reviews', { application_id: approved.id, result: 'pass' }), 'not-permitted');
});

test('[BK-9.3.5b2] in the developer centre the loss of a key is reported, and the next call with it is refused', async () => {
  const page = await portal.signedIn('developer');
  const key = await w.credential(world, world.app);
  await until(async () => (await call(undefined, { key })).status === 200, { what: 'a call with the key' });
  await portal.go(page, `/developer/apps/${world.app}`, 'Order helper');
  await does(page, row(page, 'main', key.id), '挂失', '笔记本电脑遗失');
  await row(page, 'main', key.id).getByText('已暂停').waitFor();
  await until(async () => (await call(undefined, { key })).json?.code === 'credential-inactive', { what: 'the refusal' });
  assert.equal((await world.operator.get(`/credentials/${key.id}`)).state, 'suspended');
});

test('a second factor is enrolled in the portal and asked for where the platform wants one; a password is changed sealed', async () => {
  await world.admin.post('/users', { login: 'second', role: 'developer', password: 'second-once-Passw0rd', organisation_id: world.thirdParty });
  const page = await portal.visitor();
  await page.goto(`${p.control}/portal/`);
  await page.waitForURL(/\/login/);
  await page.fill('#login', 'second');
  await page.fill('#password', 'second-once-Passw0rd');
  await page.click('button[type=submit]');
  await page.getByText('这是一次性密码').waitFor();
  const [sent] = await Promise.all([page.waitForRequest(/\/users\/me\/password$/), (async () => {
    await page.fill('#old-password', 'second-once-Passw0rd');
    for (const id of ['#new-password', '#new-password-again']) await page.fill(id, PASSWORD);
    await page.click('main button[type=submit]');
  })()]);
  assert.doesNotMatch(sent.postData(), /Passw0rd/);
  await page.getByRole('heading', { level: 1, name: '资源目录' }).waitFor();
  await portal.go(page, '/factors', '双重认证');
  await page.getByRole('button', { name: '开始绑定' }).click();
  const secret = (await page.locator('#totp-key').textContent()).replace(/\s/g, '');
  await shot(page, 'portal-totp-zh');
  await page.fill('#totp-code', totp(secret, step() - 1));
  await page.getByRole('button', { name: '确认绑定' }).click();
  await page.locator('p[role=status]').getByText('已绑定动态口令').waitFor();
  // Whoever comes with a password alone is led to the code by the sign-in page itself.
  assert.equal((await p.rest.raw('POST', '/api/v1/sessions', { login: 'second', password: PASSWORD })).body.code, 'second-factor-required');
  await page.fill('#remove-code', '000000');
  await page.getByRole('button', { name: '解除绑定' }).click();
  await page.getByRole('alert').getByText('second-factor-invalid').waitFor();
  await page.close();
});

test('[SW-8.1-m5] in the management centre protocol, targets and conversion of an API are set, and count at the next call', async () => {
  const page = await portal.signedIn('provider');
  const app = await w.admittedApp(world, 'Of the unit', 'controlled');
  const key = await w.credential(world, app);
  const api = await w.httpApi(world, 'plain', upstream.url);
  await w.subscription(world, app, api);
  await until(async () => (await p.call('/plain/v1/good', { key })).status === 200, { what: 'the first target' });
  await portal.go(page, `/manage/apis/${api}`, /plain/);
  await page.getByLabel('目标地址 1').fill(other.url);
  await page.locator('#retries').fill('0');
  await page.getByRole('button', { name: '保存协议与目标' }).click();
  await page.getByText('已保存').waitFor();
  await until(async () => { await p.call('/plain/v1/good', { key }); return other.seen.length > 0; }, { what: 'a call at the new target' });
  const now = await world.operator.get(`/apis/${api}`);
  assert.deepEqual([now.targets, now.retries, now.upstream], [[{ url: other.url, weight: 1, role: 'primary' }], 0, null]);
  const definition = { version: 1, unknown: 'drop', operations: [{ name: 'Good', method: 'POST', path: '/Good', client: ['json', 'xml'], upstream: { form: 'json', method: 'POST', path: '/good' },
    request: { name: 'Ask', type: 'object', elements: [{ name: 'id', type: 'string' }] }, response: { name: 'Good', type: 'object', elements: [{ name: 'id', type: 'string' }, { name: 'phone', type: 'string' }] } }] };
  await page.getByRole('button', { name: '添加转换' }).click();
  await page.fill('#definition', JSON.stringify({ ...definition, version: 9 }));
  await page.locator('#conversion').getByRole('button', { name: '保存' }).click();
  await page.getByRole('alert').getByText('/definition').waitFor();
  await page.fill('#definition', JSON.stringify(definition));
  await page.locator('#conversion').getByRole('button', { name: '保存' }).click();
  await page.locator('#conversion').getByText('json, xml').waitFor();
  await shot(page, 'portal-protocol-zh');
  const body = '<Ask><id>1</id></Ask>';
  const xml = () => p.send('POST', '/plain/v1/Good', { body, headers: sign(key, { method: 'POST', url: `${p.gateway}/plain/v1/Good`, headers: { 'content-type': 'application/xml' }, body }) });
  const answer = await until(async () => { const a = await xml(); return a.text.startsWith('<') && a; }, { ms: 10000, what: 'the conversion' });
  assert.equal(answer.text.replace(/^<\?.*?\?>/, ''), '<Good><id>A1</id><phone>138****5678</phone></Good>');
});

test('[SW-8.2c1-1] an API of class A2 is tried with a body in the portal, signed by the app\'s own key in the page; an app in its test stage reaches the sandbox alone, a live one writes only where that is said', async () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const api = await w.httpApi(world, 'orders-in', upstream.url, { class: 'A2', query: false, methods: ['GET', 'POST', 'DELETE'] });
  const app = await world.developer.post('/apps', { name: 'Trial', organisation_id: world.thirdParty, environment: 'controlled' });
  await world.operator.act('apps', app.id, 'test');
  const credential = await world.developer.post('/credentials', { app_id: app.id, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }), label: 'office' });
  const subscription = await world.developer.post('/subscriptions', { app_id: app.id, api_id: api, purpose: 'orders', max_level: 3 });
  await world.operator.act('subscriptions', subscription.id, 'approve', { risk_assessment: 'small amounts' });
  const page = await portal.signedIn('developer');
  await portal.go(page, `/apis/${api}`, /orders-in/);
  await choose(page, '应用', 'Trial');
  await choose(page, '签名方式', /office/);
  await choose(page, '方法', 'POST');
  await page.getByLabel('路径之后的部分').fill('/good');
  await page.fill('#try-content', '{"id":"A7"}');
  assert.ok(await page.getByRole('button', { name: '发送' }).isDisabled(), 'not without the key');
  const sent = [];
  page.on('request', (q) => sent.push(q.postData() ?? ''));
  await page.getByLabel('私钥文件（PKCS 8，PEM）').setInputFiles({ name: 'office.pem', mimeType: 'application/x-pem-file', buffer: Buffer.from(pem) });
  const asked = upstream.seen.length;
  const answered = async () => { await page.getByRole('button', { name: '发送' }).click(); await page.locator('.facts', { hasText: 'HTTP' }).last().waitFor(); return page.locator('.facts', { hasText: 'HTTP' }).last().textContent(); };
  await until(async () => (await answered()).includes('HTTP 200'), { ms: 20000, what: 'an answer of the sandbox' });
  await shot(page, 'portal-try-post-zh');
  assert.ok('id' in JSON.parse(await page.locator('#answer').textContent()));
  assert.equal(upstream.seen.length, asked, 'the unit was not asked');
  assert.ok(!sent.some((text) => text.includes(pem.split('\n')[1])), 'the key stays in the page');
  // By REST: of a live app a write has to be meant; a secret is too weak; another app's key is nobody's here.
  const live = await w.admittedApp(world, 'In earnest', 'controlled');
  const body = { app_id: live, method: 'POST', target: '/good', content: '{"id":"A7"}' };
  const ask = (more) => world.developer.post(`/apis/${api}/try`, { ...body, ...more });
  await restRefuses(ask(), 'state-conflict', '/live');
  await restRefuses(ask({ live: true, credential_id: credential.id }), 'not-found', '/credential_id');
  for (const [more, where] of [[{ method: 'TRACE' }, '/method'], [{ method: 'GET' }, '/content'], [{ content_type: 'text/html' }, '/content_type'], [{ signature: 'sig1=:AA==:' }, '/signature'], [{ live: 1 }, '/live'],
    [{ purpose: '' }, '/purpose'], [{ credential_id: 'x' }, '/credential_id'], [{ content: 5 }, '/content']]) await restRefuses(ask(more), 'field-invalid', where);
  const second = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const mine = await world.developer.post('/credentials', { app_id: live, algorithm: 'ecdsa-p256-sha256', public_key: second.publicKey.export({ type: 'spki', format: 'pem' }) });
  const s2 = await world.developer.post('/subscriptions', { app_id: live, api_id: api, purpose: 'orders', max_level: 3 });
  await world.operator.act('subscriptions', s2.id, 'approve', { risk_assessment: 'small amounts' });
  const signed = async (key) => {
    const { sign: base } = await ask({ live: true, credential_id: mine.id });
    const signature = `sig1=:${crypto.sign('sha256', Buffer.from(base.base), { key, dsaEncoding: 'ieee-p1363' }).toString('base64')}:`;
    return ask({ live: true, credential_id: mine.id, signature_input: base.signature_input, signature });
  };
  await until(async () => (await signed(second.privateKey)).status === 200, { ms: 10000, what: 'the write' });
  assert.deepEqual([upstream.seen.at(-1).method, upstream.seen.at(-1).url], ['POST', '/base/good']);
  assert.equal((await signed(pair.privateKey)).body.code, 'signature-invalid');
  await world.developer.post('/credentials', { app_id: live, algorithm: 'hmac-sm3' });
  await until(async () => (await ask({ live: true })).body.code === 'scheme-too-weak', { ms: 10000, what: 'the refusal of the secret' });
});

test('[EC-7.2.1e] a new version of an app is filed in the portal with its release review, accepted in the management, and only then put live; a call that says it is of another version is refused', async () => {
  const app = await w.admittedApp(world, 'Versioned');
  const key = await w.credential(world, app);
  await w.subscription(world, app, world.unit, { max_level: 2 });
  const of = (version) => p.call('/unit/v1/good', { key, ...(version ? { headers: { 'sluice-app-version': version }, change: (s) => ({ ...s, components: [...s.components, 'sluice-app-version'] }) } : {}) });
  const becomes = (version, code) => until(async () => { const a = await of(version); return (a.json?.code ?? a.status) === code; }, { ms: 10000, what: `${code} of version ${version}` });
  await becomes(null, 200);
  await becomes('2.0', 'app-version-unfiled');
  const page = await portal.signedIn('developer');
  await portal.go(page, `/developer/apps/${app}`, 'Versioned');
  await page.getByRole('button', { name: '备案新版本' }).click();
  await page.fill('#version-number', '2.0');
  await page.fill('#version-changes', '新增退货提醒');
  await page.getByRole('dialog').getByRole('button', { name: '备案新版本' }).click();
  await page.getByRole('alert').getByText('/document_id').waitFor(); // nothing is filed without its release review
  await page.locator('input[type=file][aria-label=发布安全审核报告]').setInputFiles({ name: 'review.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7\nreview\n%%EOF\n') });
  await page.getByRole('dialog').getByRole('button', { name: '备案新版本' }).click();
  await row(page, '#versions', '2.0').getByText('待处理').waitFor();
  assert.equal(await row(page, '#versions', '2.0').getByRole('button', { name: '上线' }).count(), 0);
  const [filed] = await world.developer.list('app_versions', { app_id: app });
  await restRefuses(world.developer.act('app_versions', filed.id, 'go-live'), 'state-conflict');
  await restRefuses(world.developer.act('app_versions', filed.id, 'accept'), 'not-permitted');
  const staff = await portal.signedIn('operator');
  await portal.go(staff, '/manage/reviews', '申请审核');
  await does(staff, row(staff, '#versions', '2.0'), '受理', '审核报告齐全');
  await row(staff, '#versions', '2.0').getByText('已受理').waitFor();
  await becomes('2.0', 'app-version-unfiled'); // accepted is not live yet
  await page.reload();
  await does(page, row(page, '#versions', '2.0'), '上线');
  await row(page, '#versions', '2.0').getByText('当前版本').waitFor();
  await shot(page, 'portal-versions-zh');
  await becomes('2.0', 200);
  await becomes('1.9', 'app-version-unfiled');
  assert.equal((await of(null)).status, 200, 'who does not state it calls as before');
  const now = await world.operator.get(`/apps/${app}`);
  await restRefuses(world.developer.patch(`/apps/${app}`, { states_version: true }, now.revision), 'not-permitted', '/states_version');
  await world.operator.patch(`/apps/${app}`, { states_version: true }, now.revision);
  await becomes(null, 'app-version-unfiled');
  assert.equal((await world.developer.post(`/apis/${world.unit}/try`, { app_id: app, target: '/good' })).status, 200, 'a try says it by itself');
  // The next one takes its place; and where the platform asks for it, nothing is admitted without one.
  const document = (await world.developer.raw('POST', '/api/v1/documents?name=r.pdf&purpose=release-review', Buffer.from('%PDF-1.7\nr\n%%EOF\n'), { 'content-type': 'application/pdf' })).body.id;
  await restRefuses(world.developer.post('/app_versions', { app_id: app, version: '2.0', changes: 'again', document_id: document }), 'already-exists');
  await restRefuses(world.developer.post('/app_versions', { app_id: app, version: '3 0', changes: 'x', document_id: document }), 'field-invalid', '/version');
  const next = await world.developer.post('/app_versions', { app_id: app, version: '3.0', changes: '修复', document_id: document });
  await world.operator.act('app_versions', next.id, 'return', { comment: '报告不全' });
  await world.developer.patch(`/app_versions/${next.id}`, { changes: '修复，附完整报告' }, (await world.developer.get(`/app_versions/${next.id}`)).revision);
  await world.developer.act('app_versions', next.id, 'file');
  await world.operator.act('app_versions', next.id, 'accept');
  await world.developer.act('app_versions', next.id, 'go-live');
  await becomes('3.0', 200);
  await becomes('2.0', 'app-version-unfiled');
  assert.equal((await world.operator.get(`/app_versions/${filed.id}`)).state, 'superseded');
  const setting = async (name, value) => { const [s] = await world.admin.list('admission_settings', { name }); await world.admin.patch(`/admission_settings/${s.id}`, { value }, s.revision); };
  await setting('version-required', 'on');
  await setting('admission-required', 'on');
  const fresh = await world.developer.post('/apps', { name: 'Unfiled', organisation_id: world.thirdParty, environment: 'general' });
  const refusal = await world.operator.act('apps', fresh.id, 'admit').then(() => assert.fail('it was admitted'), (e) => e);
  assert.match(refusal.problem.detail, /an accepted version/);
  for (const name of ['admission-required', 'version-required']) await setting(name, 'off');
});

test('[GS-6.1c] the access record has the steps of the contents that the approved plan chose and no others, each found done by the platform itself, and is shown in the portal', async () => {
  const app = await world.developer.post('/apps', { name: 'Bureau', organisation_id: world.thirdParty, environment: 'controlled' });
  await world.operator.act('apps', app.id, 'test');
  const record = () => world.developer.get(`/apps/${app.id}/access-record`);
  const step = async (content, name) => (await record()).items.find((i) => i.content === content).steps.find((s) => s.step === name).done;
  assert.deepEqual((await record()).items, []);
  const content = { contents: ['licence', 'security'], plans: [{ content: 'licence', plan: 'by REST' }, { content: 'security', plan: 'as the annex' }], network_topology: 'two zones', addresses: ['127.0.0.1'], domains: ['bureau.example'],
    location: 'the city\'s cloud', security_plan: 'a wall', cloud_hardware: 'x86', balancer_hardware: 'two', interfaces: [{ api_id: world.unit, per_day: 100, content: 'licence' }] };
  await restRefuses(world.developer.post('/applications', { form_kind: 'access-plan', organisation_id: world.thirdParty, app_id: app.id, title: 'Plan', content: { ...content, interfaces: [{ api_id: world.unit, per_day: 1, content: 'tea' }] } }), 'field-invalid', '/content/interfaces/0');
  const plan = await world.developer.post('/applications', { form_kind: 'access-plan', organisation_id: world.thirdParty, app_id: app.id, title: 'Plan', content });
  await world.developer.act('applications', plan.id, 'submit');
  assert.deepEqual((await record()).items, [], 'nothing is open before the plan is approved');
  await world.operator.post('/application_reviews', { application_id: plan.id, result: 'pass' });
  await world.operator.post('/application_reviews', { application_id: plan.id, result: 'pass', max_level: 2, findings: ['plan', 'security_plan'].map((subject) => ({ subject, result: 'pass' })) });
  const opened = await record();
  assert.deepEqual(opened.items.map((i) => [i.content, i.chapter, i.complete]), [['licence', '6.5', false], ['security', '6.8', false]]);
  assert.deepEqual(opened.items[1].steps.map((s) => [s.step, s.done]), [['addresses', true], ['key', false], ['reports', false], ['graded-protection', false], ['cryptography', false]]);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await world.developer.post('/credentials', { app_id: app.id, algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  assert.ok(await step('security', 'key') && await step('licence', 'account'));
  const [asked] = await world.developer.list('subscriptions', { app_id: app.id });
  assert.equal(await step('licence', 'granted'), false);
  await world.operator.act('subscriptions', asked.id, 'approve');
  assert.ok(await step('licence', 'granted'));
  const key = await w.credential(world, app.id);
  await until(async () => (await p.call('/unit/v1/good', { key })).status === 200, { ms: 10000, what: 'a call' });
  await until(() => step('licence', 'answered'), { ms: 20000, what: 'the call in the record' });
  const document = (await world.developer.raw('POST', '/api/v1/documents?name=c.pdf', Buffer.from('%PDF-1.7\nc\n%%EOF\n'), { 'content-type': 'application/pdf' })).body.id;
  const certificate = await world.developer.post('/qualification_certificates', { organisation_id: world.thirdParty, kind: 'mlps', number: 'MLPS-1', issuer: 'A testing body', level: 2, document_id: document, issued_at: new Date(Date.now() - 86400e3).toISOString(), valid_until: w.IN_A_YEAR });
  assert.equal(await step('security', 'graded-protection'), false);
  await world.operator.act('qualification_certificates', certificate.id, 'confirm');
  assert.ok(await step('security', 'graded-protection'));
  assert.deepEqual((await record()).items.map((i) => i.complete), [true, false]);
  const page = await portal.signedIn('developer');
  await portal.go(page, `/developer/apps/${app.id}`, 'Bureau');
  await page.locator('#access-record').getByText('电子证照共享（6.5）').waitFor();
  await page.locator('[data-step=answered]').getByText('已满足').waitFor();
  await page.locator('[data-step=cryptography]').getByText('未满足').waitFor();
  assert.equal(await page.locator('#access-record .content').count(), 2);
  await shot(page, 'portal-record-access-zh');
});

test('no page of letting in broke the portal\'s rules: no error, nothing blocked, no request to anybody else', () => {
  assert.deepEqual(portal.violations, []);
});
