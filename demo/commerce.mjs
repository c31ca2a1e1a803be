// SPDX-License-Identifier: Apache-2.0
// Sample tables of electronic commerce: deals of every kind of party over goods and services, and orders of one consumer with exactly
// one merchant, of one line or several. The database holds to that itself, whoever writes. Made up.

import { spawnSync } from 'node:child_process';
import { merchantId } from './generate.mjs';
import { Random } from './random.mjs';

// kind: who sells to whom. object: what is sold.
export const KINDS = ['B2B', 'B2C', 'C2C'];
export const OBJECTS = ['goods', 'service'];

export const TABLES = [
  { table: 'deal', title: '网络交易', columns: { deal_no: 2, kind: 1, object: 1, seller: 2, buyer: 2, title: 1, amount: 2, agreed_at: 2 } },
  { table: 'purchase', title: '订单', owner_column: 'merchant_id', columns: { purchase_no: 2, consumer_no: [3, 'keep:1:2'], merchant_id: 2, placed_at: 2 } },
  { table: 'purchase_line', title: '订单明细', owner_column: 'merchant_id', columns: { line_no: 2, purchase_no: 2, merchant_id: 2, object: 1, title: 1, quantity: 2, amount: 2 } },
];

const SCHEMA = `
CREATE TABLE deal (deal_no TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('B2B', 'B2C', 'C2C')), object TEXT NOT NULL CHECK (object IN ('goods', 'service')),
  seller TEXT NOT NULL, buyer TEXT NOT NULL CHECK (buyer <> seller), title TEXT NOT NULL, amount NUMERIC NOT NULL, agreed_at TEXT NOT NULL);
CREATE TABLE purchase (purchase_no TEXT PRIMARY KEY, consumer_no TEXT NOT NULL, merchant_id TEXT NOT NULL, placed_at TEXT NOT NULL);
CREATE TABLE purchase_line (line_no TEXT PRIMARY KEY, purchase_no TEXT NOT NULL, merchant_id TEXT NOT NULL, object TEXT NOT NULL CHECK (object IN ('goods', 'service')),
  title TEXT NOT NULL, quantity INTEGER NOT NULL CHECK (quantity > 0), amount NUMERIC NOT NULL);
CREATE INDEX purchase_line_of ON purchase_line (purchase_no);
CREATE TRIGGER one_merchant BEFORE INSERT ON purchase_line
  WHEN NOT EXISTS (SELECT 1 FROM purchase p WHERE p.purchase_no = NEW.purchase_no AND p.merchant_id = NEW.merchant_id)
  BEGIN SELECT RAISE(ABORT, 'a line is its order''s merchant''s'); END;
CREATE TRIGGER one_merchant_still BEFORE UPDATE ON purchase_line
  WHEN NOT EXISTS (SELECT 1 FROM purchase p WHERE p.purchase_no = NEW.purchase_no AND p.merchant_id = NEW.merchant_id)
  BEGIN SELECT RAISE(ABORT, 'a line is its order''s merchant''s'); END;
CREATE TRIGGER its_merchant_stays BEFORE UPDATE OF merchant_id ON purchase WHEN NEW.merchant_id <> OLD.merchant_id
  BEGIN SELECT RAISE(ABORT, 'an order stays with its merchant'); END;`;

const text = (...values) => values.map((v) => (typeof v === 'number' ? v : `'${v}'`)).join(', ');
const party = (kind, n) => `${kind === 'B' ? 'E' : 'P'}${String(n + 1).padStart(6, '0')}`;
const TITLES = { goods: ['折叠雨伞', '保温杯', '茶叶礼盒'], service: ['上门维修', '在线翻译', '仓储代管'] };

function deals(random, n) {
  return Array.from({ length: n }, (_, i) => {
    const kind = KINDS[i % 3], object = OBJECTS[Math.floor(i / 3) % 2];
    return `INSERT INTO deal VALUES (${text(`T${String(i + 1).padStart(6, '0')}`, kind, object, party(kind[0], i), party(kind[2], i + 500), random.pick(TITLES[object]), 10 + random.below(900), `2026-0${1 + random.below(9)}-1${random.below(9)} 08:00:00`)});`;
  });
}

function purchases(random, n) {
  return Array.from({ length: n }, (_, i) => {
    const no = `S${String(i + 1).padStart(6, '0')}`, merchant = merchantId(i % 3);
    const lines = Array.from({ length: 1 + (i % 3) }, (__, k) => {
      const object = OBJECTS[(i + k) % 2];
      return `INSERT INTO purchase_line VALUES (${text(`${no}-${k + 1}`, no, merchant, object, random.pick(TITLES[object]), 1 + random.below(4), 10 + random.below(400))});`;
    });
    return [`INSERT INTO purchase VALUES (${text(no, party('C', random.below(40)), merchant, `2026-0${1 + random.below(9)}-2${random.below(9)} 12:00:00`)});`, ...lines].join('\n');
  });
}

export function commerce(database, { seed = 7, rows = 30 } = {}) {
  const random = new Random(seed + 71);
  const run = spawnSync('sqlite3', ['-batch', '-bail', database], { input: [SCHEMA, ...deals(random, rows), ...purchases(random, rows)].join('\n'), encoding: 'utf8' });
  if (run.error || run.status !== 0) throw new Error(`sqlite3 ${database}: ${run.stderr ?? run.error.message}`);
}
