// SPDX-License-Identifier: Apache-2.0
// Sample tables of a single window: one for each business domain of the service catalogue, and the parameters of clearance that are
// open under conditions. Made up, the same for the same seed.

import { spawnSync } from 'node:child_process';
import { enterprise } from './generate.mjs';
import { Random } from './random.mjs';

const OWNER = 'enterprise_code'; // whose row it is, where rows are somebody's

// code: of the domain. columns: name → level, or [level, mask]. owned: rows are an enterprise's own.
export const DOMAINS = [
  { code: 'customs-declaration', table: 'declaration', title: '报关单状态', owned: true, columns: { declaration_no: 2, enterprise_code: 2, trade_mode: 1, port_code: 1, goods_name: 1, amount: 2, status: 2 } },
  { code: 'means-of-transport', table: 'transport', title: '运输工具动态', owned: true, columns: { vessel_no: 1, enterprise_code: 2, vessel_name: 1, flag: 1, arrived_at: 1, berth: 2 } },
  { code: 'manifest', table: 'manifest', title: '舱单', owned: true, columns: { bill_no: 2, enterprise_code: 2, vessel_no: 1, packages: 2, weight_kg: 2, consignee_phone: [3, 'phone'] } },
  { code: 'cross-border-e-commerce', table: 'cross_border', title: '跨境电商订单', columns: { order_no: 2, platform: 1, goods_name: 1, buyer_phone: [3, 'phone'], tax: 2 } },
  { code: 'express-parcel', table: 'parcel', title: '快递件', columns: { parcel_no: 2, weight_kg: 1, category: 1, receiver_phone: [3, 'phone'] } },
  { code: 'bonded-business', table: 'bonded', title: '保税账册', columns: { book_no: 2, zone: 1, goods_name: 1, stock: 2 } },
];

// Open under conditions: an approved subscription, no owner.
export const PARAMETERS = [
  { table: 'clearance_parameter', title: '通关参数', columns: { parameter_no: 2, name: 2, port_code: 2, content: 2, valid_at: 2 } },
  { table: 'commodity', title: '商品目录', columns: { commodity_no: 2, name: 2, unit: 2, tariff_permille: 2, supervision: 2 } },
];

export const ownerColumn = ({ owned }) => (owned ? OWNER : undefined);

function value(random, column, i, seed) {
  if (column === OWNER) return enterprise(seed, i % 4).uniscId;
  if (/phone/.test(column)) return `138${random.digits(8)}`;
  if (/_at$/.test(column)) return `2026-0${1 + random.below(9)}-1${random.below(9)}`;
  if (/amount|weight|packages|tax|stock|tariff/.test(column)) return String(1 + random.below(9000));
  if (/_no$/.test(column)) return `${column.slice(0, 2).toUpperCase()}${String(i + 1).padStart(8, '0')}`;
  return `${column}-${1 + random.below(7)}`;
}

export function window(database, { seed = 7, rows = 20 } = {}) {
  const random = new Random(seed + 53);
  const script = [...DOMAINS, ...PARAMETERS].map(({ table, columns }) => {
    const names = Object.keys(columns);
    const lines = Array.from({ length: rows }, (_, i) => `INSERT INTO ${table} VALUES (${names.map((n) => `'${value(random, n, i, seed)}'`).join(', ')});`);
    return [`CREATE TABLE ${table} (${names.map((n, k) => `${n} TEXT${k ? '' : ' PRIMARY KEY'}`).join(', ')});`, ...lines].join('\n');
  });
  const run = spawnSync('sqlite3', ['-batch', '-bail', database], { input: script.join('\n'), encoding: 'utf8' });
  if (run.error || run.status !== 0) throw new Error(`sqlite3 ${database}: ${run.stderr ?? run.error.message}`);
}
