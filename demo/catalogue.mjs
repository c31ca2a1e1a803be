// SPDX-License-Identifier: Apache-2.0
// What the demo registers, as tables: who, which databases, which fields at which level, which APIs.
// `database`, `organisation` and the like are names inside this file; the loader turns them into ids.

import { TABLES as COMMERCE } from './commerce.mjs';
import { enterprise, merchantId } from './generate.mjs';
import { DOMAINS, PARAMETERS, ownerColumn } from './window.mjs';

export const organisations = [
  { key: 'window', name: '国际贸易单一窗口（演示）', kind: 'holder' },
  { key: 'credit', name: '商务诚信公共服务平台（演示）', kind: 'holder' },
  { key: 'trade', name: '电子商务平台（演示）', kind: 'holder' },
  { key: 'erp', name: '云帆软件（演示）', kind: 'third_party' },
];

// subject: the value of the owner column that is this person's own.
export const users = (seed) => [
  { login: 'operator', role: 'operator', display_name: '平台审核员' },
  { login: 'window', role: 'provider', organisation: 'window', display_name: '单一窗口数据管理员' },
  { login: 'credit', role: 'provider', organisation: 'credit', display_name: '诚信平台数据管理员' },
  { login: 'trade', role: 'provider', organisation: 'trade', display_name: '电商平台数据管理员' },
  { login: 'developer', role: 'developer', organisation: 'erp', display_name: '云帆开发者' },
  { login: 'merchant', role: 'owner', subject: merchantId(0), display_name: `商户 ${merchantId(0)}` },
  { login: 'enterprise', role: 'owner', subject: enterprise(seed, 0).uniscId, display_name: enterprise(seed, 0).enterpriseName },
  { login: 'auditor', role: 'auditor', display_name: '审计员' },
];

export const sources = [
  { key: 'divisions', name: '行政区划库', provider: 'window' },
  { key: 'ports', name: '通关参数库', provider: 'window' },
  { key: 'window', name: '单一窗口业务库', provider: 'window' },
  { key: 'credit', name: '企业诚信库', provider: 'credit' },
  { key: 'trade', name: '交易订单库', provider: 'trade' },
  { key: 'commerce', name: '网络交易库', provider: 'trade' },
];

// levels: column → level, or [level, mask]. A column that is not named stays unclassified and stops the publication.
export const legal_basis = 'Data Security Law of the PRC, articles 21 and 41; the catalogue of open public data';

export const datasets = [
  { key: 'divisions', name: 'divisions', title: '行政区划', source: 'divisions', table: 'division',
    levels: { code: 1, name: 1, kind: 1, parent_code: 1 } },
  { key: 'countries', name: 'countries', title: '国家和地区代码', source: 'ports', table: 'country',
    levels: { alpha2: 1, alpha3: 1, numeric_code: 1, name: 1, official_name: 1 } },
  { key: 'currencies', name: 'currencies', title: '货币代码', source: 'ports', table: 'currency',
    levels: { alpha3: 1, numeric_code: 1, name: 1 } },
  { key: 'enterprises', name: 'enterprises', title: '企业诚信等级', source: 'credit', table: 'enterprise',
    levels: { uniscId: 1, enterpriseName: 1, assessGrade: 1 } },
  { key: 'trading', name: 'trading', title: '公共资源交易记录', source: 'credit', table: 'trading', owner_column: 'uniscId',
    levels: { id: 4, uniscId: 2, enterpriseName: 2, type: 2, projectName: 2, ownerOrgName: 2, bidPrice: 2, url: 2, publicizingDay: 2 } },
  { key: 'orders', name: 'orders', title: '交易订单', source: 'trade', table: 'orders', owner_column: 'merchant_id',
    levels: { order_id: 2, merchant_id: 2, product_title: 1, category: 1, quantity: 2, amount: 2, currency: 1, status: 2, ordered_at: 2,
      buyer_name: [3, 'name'], buyer_phone: [3, 'phone'], buyer_email: [3, 'email'], buyer_address: [3, 'address'],
      card_number: 4, pay_password: 4 } },
  ...[...DOMAINS, ...PARAMETERS].map((d) => ({ key: d.table, name: d.table, title: d.title, source: 'window', table: d.table, owner_column: ownerColumn(d), levels: d.columns })),
  ...COMMERCE.map((t) => ({ key: t.table, name: t.table, title: t.title, source: 'commerce', table: t.table, owner_column: t.owner_column, levels: t.columns })),
];

// How the directory orders them, and what it says of each dataset: theme, department, tags, how often it changes.
export const themes = [{ key: 'port', name: '口岸业务', name_en: 'Port business' }, { key: 'reference', name: '通关参数', name_en: 'Customs reference data' }, { key: 'credit', name: '企业诚信', name_en: 'Business credit' }, { key: 'trade', name: '电子商务', name_en: 'E-commerce' }];
export const entries = [
  { dataset: 'divisions', theme: 'reference', department: '国际贸易单一窗口', tags: ['参数', '区划'], update_frequency: 'yearly', opening: 'unconditional', summary: '省、市、县三级行政区划的代码与名称' },
  { dataset: 'countries', theme: 'reference', department: '国际贸易单一窗口', tags: ['参数'], update_frequency: 'yearly', opening: 'unconditional', summary: '国家和地区的代码与名称' },
  { dataset: 'currencies', theme: 'reference', department: '国际贸易单一窗口', tags: ['参数'], update_frequency: 'yearly', opening: 'unconditional', summary: '货币代码' },
  { dataset: 'enterprises', theme: 'credit', department: '商务诚信公共服务平台', tags: ['诚信', '企业'], update_frequency: 'monthly', opening: 'conditional', summary: '企业的诚信等级', access_conditions: '订阅获批准后' },
  { dataset: 'trading', theme: 'credit', department: '商务诚信公共服务平台', tags: ['诚信', '交易'], update_frequency: 'daily', opening: 'conditional', summary: '企业参加公共资源交易的记录', access_conditions: '经企业授权' },
  { dataset: 'orders', theme: 'trade', department: '电子商务平台', tags: ['订单', '电商'], update_frequency: 'real-time', opening: 'conditional', summary: '商户的订单、商品和收件信息', access_conditions: '经商户授权' },
  ...DOMAINS.map((d) => ({ dataset: d.table, theme: 'port', department: '国际贸易单一窗口', tags: ['口岸'], update_frequency: 'daily', opening: 'conditional', summary: d.title, access_conditions: '订阅获批准后' })),
  ...PARAMETERS.map((d) => ({ dataset: d.table, theme: 'reference', department: '国际贸易单一窗口', tags: ['参数'], update_frequency: 'yearly', opening: 'conditional', summary: d.title, access_conditions: '订阅获批准后' })),
  ...COMMERCE.map((d) => ({ dataset: d.table, theme: 'trade', department: '电子商务平台', tags: ['电商'], update_frequency: 'daily', opening: 'conditional', summary: d.title, access_conditions: '订阅获批准后' })),
];

export const apis = [
  { dataset: 'divisions', name: 'divisions', path: '/params/divisions/v1', title: '行政区划', access: 'registered' },
  { dataset: 'countries', name: 'countries', path: '/params/countries/v1', title: '国家和地区代码', access: 'registered' },
  { dataset: 'currencies', name: 'currencies', path: '/params/currencies/v1', title: '货币代码', access: 'registered' },
  { dataset: 'enterprises', name: 'getEnterpriseGrade', path: '/credit/getEnterpriseGrade', title: '获取单个企业诚信等级',
    profile: 'getEnterpriseGrade', access: 'subscription' },
  { dataset: 'enterprises', name: 'getEnterpriseGrades', path: '/credit/getEnterpriseGrades', title: '批量获取企业诚信等级',
    profile: 'getEnterpriseGrades', access: 'subscription' },
  { dataset: 'trading', name: 'getPublicResourcesTrading', path: '/credit/getPublicResourcesTrading', title: '授权获取公共资源交易记录',
    profile: 'getPublicResourcesTrading', access: 'subscription' },
  { dataset: 'orders', name: 'orders', path: '/trade/orders/v1', title: '商户订单', access: 'subscription' },
  ...PARAMETERS.map((d) => ({ dataset: d.table, name: d.table, path: `/params/${d.table.replace('_', '-')}/v1`, title: d.title, access: 'subscription' })),
  ...COMMERCE.map((t) => ({ dataset: t.table, name: t.table, path: `/trade/${t.table.replace('_', '-')}s/v1`, title: t.title, access: 'subscription' })),
];

// One for each business domain: API and entry of the service catalogue in one step.
export const services = DOMAINS.map((d) => ({ dataset: d.table, domain: d.code, name: d.table, path: `/window/${d.table}/v1`, title: d.title,
  purpose: `查询${d.title}`, audience: '企业软件', usage: '按编号查询', response_ms: 500, availability_permille: 990, support_hours: '9:00-18:00' }));

export const apps = [
  { key: 'erp', name: '云帆订单助手', organisation: 'erp', environment: 'monitored', description: '商户的订单管理' },
];

export const subscriptions = [
  { app: 'erp', api: 'getEnterpriseGrade', purpose: '核验供应商', max_level: 1 },
  { app: 'erp', api: 'getEnterpriseGrades', purpose: '核验供应商', max_level: 1 },
  { app: 'erp', api: 'getPublicResourcesTrading', purpose: '核验供应商履约', max_level: 2 },
  { app: 'erp', api: 'orders', purpose: '代商户管理订单', max_level: 3 },
];

export const grants = [
  { app: 'erp', api: 'orders', owner: 'merchant', purpose: '代我管理订单', term: 'period' },
  { app: 'erp', api: 'getPublicResourcesTrading', owner: 'enterprise', purpose: '查询我的公共资源交易记录', term: 'agreement' },
];
