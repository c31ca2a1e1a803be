// SPDX-License-Identifier: Apache-2.0
// The three interfaces of the credit platform (CI-A) over the demo's data, and the demo's own API list.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { enterprise } from '../../demo/generate.mjs';
import { usccCheck } from '../../demo/idnum.mjs';
import { DEFAULTS } from '../../demo/generate.mjs';
import { load } from '../../demo/load.mjs';
import { refused, rows } from './lib/assertions.mjs';
import { PASSWORD, Platform } from './lib/platform.mjs';

const ENTERPRISES = 1300; // two pages of the largest size, the second not full
let p;
const post = (name, body, more = {}) => p.call(`/credit/${name}`, { method: 'POST', body: JSON.stringify(body), ...more });
const nth = (n) => enterprise(DEFAULTS.seed, n);

before(async () => {
  p = await Platform.start();
  await p.loadDemo({ enterprises: ENTERPRISES, orders: 400, merchants: 20 });
});
after(() => p?.stop());

test('a second load of the demo changes nothing', async () => {
  const again = await load({ control: p.control, ca: p.caFile, gateway: p.gateway, dataDir: p.data, password: PASSWORD });
  assert.equal(again.fresh, false);
});

test('[EC-5.2-T1] any registered app reads the divisions and the port\'s codes, which are level 1', async () => {
  const provinces = rows(await p.call('/params/divisions/v1?kind=eq.province&limit=100'));
  assert.ok(provinces.length >= 31 && provinces.some((d) => d.name === '北京市'));
  assert.equal(rows(await p.call('/params/countries/v1?alpha2=eq.CN'), 1)[0].alpha3, 'CHN');
  assert.equal(rows(await p.call('/params/currencies/v1?alpha3=eq.CNY', { key: p.keys['hmac-sha256'] }), 1)[0].numeric_code, '156');
});

test('[CI-A.1, CI-A.1d, CI-A.1e] the grade of one enterprise by its code', async () => {
  const e = nth(5);
  const answer = await post('getEnterpriseGrade', { uniscId: e.uniscId });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { msg: answer.json.msg, result: 1, data: e });
  assert.equal(typeof answer.json.msg, 'string');
});

test('[CI-A.1a] the generated codes and grades are valid', () => {
  for (let i = 0; i < 200; i++) {
    const { uniscId, assessGrade } = nth(i);
    assert.equal(usccCheck(uniscId.slice(0, 17)), uniscId[17]);
    assert.ok(['AA', 'A', 'B', 'C', 'D'].includes(assessGrade));
  }
});

test('[CI-A.1] an unknown code gives result 0 with a message', async () => {
  const answer = await post('getEnterpriseGrade', { uniscId: '91330100MA00000000' });
  assert.deepEqual([answer.status, answer.json?.result, answer.json?.data], [200, 0, undefined], answer.text);
  assert.ok(answer.json.msg.length > 0);
});

test('[CI-A.1c] a missing parameter gives result 0 with its name, and no data', async () => {
  for (const [name, body, missing] of [['getEnterpriseGrade', {}, 'uniscId'], ['getEnterpriseGrades', { pageno: 1 }, 'pagesize']]) {
    const answer = await post(name, body);
    assert.deepEqual([answer.status, answer.json.result, answer.json.data], [200, 0, undefined], answer.text);
    assert.ok(answer.json.msg.includes(missing), answer.text);
  }
});

test('[CI-A.1b, CI-A.2a, CI-A.3b] the interfaces are POST alone', async () => {
  for (const name of ['getEnterpriseGrade', 'getEnterpriseGrades', 'getPublicResourcesTrading']) {
    const answer = await p.call(`/credit/${name}`, { grant: name === 'getPublicResourcesTrading' ? p.demo.grants[name] : undefined });
    refused(answer, 405, 'method-not-allowed');
  }
});

test('[CI-A.2, CI-A.2d, CI-A.2e] the pages together hold every enterprise once', async () => {
  const seen = new Set();
  for (const [pageno, expected] of [[1, 1000], [2, 300], [3, 0]]) {
    const { json, status, text } = await post('getEnterpriseGrades', { pageno, pagesize: 1000 });
    assert.equal(status, 200, text.slice(0, 300));
    assert.deepEqual([json.result, json.data.pageno, json.data.pagesize, json.data.count], [1, pageno, 1000, ENTERPRISES]);
    assert.equal(json.data.companyList.length, expected);
    json.data.companyList.forEach((c) => seen.add(c.uniscId));
  }
  assert.equal(seen.size, ENTERPRISES);
});

test('[CI-A.2b, CI-A.2c, CI-7.3b] a page of 1001, of zero, or of no number is refused', async () => {
  for (const body of [{ pageno: 1, pagesize: 1001 }, { pageno: 1, pagesize: 0 }, { pageno: -1, pagesize: 10 }, { pageno: 'x', pagesize: 10 }, { pageno: 1.5, pagesize: 10 }]) {
    const answer = await post('getEnterpriseGrades', body);
    assert.deepEqual([answer.status, answer.json.result, answer.json.data], [200, 0, undefined], `${JSON.stringify(body)}: ${answer.text.slice(0, 200)}`);
    assert.match(answer.json.msg, /pageno|pagesize/);
  }
});

test('[CI-A.3, CI-A.3d, CI-A.3e, CI-A.3f] with the enterprise\'s grant, its public resources trading, all six kinds', async () => {
  const grant = p.demo.grants.getPublicResourcesTrading;
  const answer = await post('getPublicResourcesTrading', { uniscId: nth(0).uniscId, licenseID: grant }, { grant });
  assert.equal(answer.status, 200, answer.text.slice(0, 400));
  const { result, data } = answer.json;
  assert.equal(result, 1);
  assert.deepEqual([...new Set(data.map((d) => d.type))].sort(), ['国有产权实物', '国有产权股权', '土地', '工程建设', '政府采购', '矿业'].sort());
  for (const d of data) {
    assert.match(d.publicizingDay, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.equal(typeof d.bidPrice, 'string');
    for (const f of ['projectName', 'ownerOrgName', 'url']) assert.equal(typeof d[f], 'string', f);
  }
});

test('[CI-6.2.3b, CI-6.2.3d1, CI-A.3c] no licence, another\'s licence or another enterprise is refused', async () => {
  const grant = p.demo.grants.getPublicResourcesTrading;
  const own = { uniscId: nth(0).uniscId, licenseID: grant };
  refused(await post('getPublicResourcesTrading', own), 403, 'grant-missing');
  refused(await post('getPublicResourcesTrading', own, { grant: p.demo.grants.orders }), 403, 'grant-mismatch');
  const bodies = [[{ uniscId: own.uniscId }, 'licenseID'], [{ ...own, licenseID: '' }, 'licenseID'], [{ ...own, licenseID: p.demo.grants.orders }, 'licenseID'], [{ ...own, uniscId: nth(1).uniscId }, 'uniscId']];
  for (const [body, named] of bodies) {
    const answer = await post('getPublicResourcesTrading', body, { grant });
    assert.deepEqual([answer.status, answer.json.result, answer.json.data], [200, 0, undefined], `${JSON.stringify(body)}: ${answer.text.slice(0, 300)}`);
    assert.ok(answer.json.msg.includes(named), answer.text);
  }
});

test('[CI-7.1c] a body that is no JSON is refused', async () => {
  const answer = await p.call('/credit/getEnterpriseGrade', { method: 'POST', body: "{'uniscId': 1}" });
  assert.deepEqual([answer.status, answer.json?.result, answer.json?.data], [200, 0, undefined], answer.text);
});
