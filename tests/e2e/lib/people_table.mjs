// SPDX-License-Identifier: Apache-2.0
// A table with something of everything that is to be found, and look-alikes beside it. All values are made up.

import { execFileSync } from 'node:child_process';
import { luhn, uscc } from '../../../demo/idnum.mjs';

const digits = (n, width) => String(n).padStart(width, '0');
const IDS = (i) => { // GB 11643: weights modulo 11
  const first = `3502${digits(1 + (i % 9), 2)}19${digits(50 + (i % 49), 2)}${digits(1 + (i % 12), 2)}${digits(1 + (i % 28), 2)}${digits(i % 1000, 3)}`;
  const sum = [...first].reduce((s, c, k) => s + Number(c) * (2 ** (17 - k) % 11), 0);
  return first + '10X98765432'[sum % 11];
};
const NAMES = ['王小明', '李红', '张伟国', '陈晓华', '欧阳小红', '林志强'];

export const COLUMNS = {
  id: (i) => i + 1, col_a: IDS, col_b: (i) => `138${digits(i * 7919 % 1e8, 8)}`, col_c: (i) => `user${i}@mail.example.com`,
  col_d: (i) => luhn(`622202${digits(i * 104729 % 1e9, 9)}`), col_e: (i) => uscc('350203', digits(i * 7919 % 1e8, 8)), col_f: (i) => `闽D${digits(i * 37 % 1e5, 5)}`,
  home_address: (i) => `福建省厦门市思明区湖滨南路${i + 1}号`, full_name: (i) => NAMES[i % NAMES.length], birthday: (i) => `19${digits(50 + (i % 50), 2)}-0${1 + (i % 9)}-1${i % 10}`,
  birthplace: () => '福建厦门', passport_no: (i) => `E${digits(i * 7919 % 1e8, 8)}`, bank_account: (i) => digits(3500000000000 + i * 7919, 14), login_password: (i) => `x${i}y`,
  security_answer: () => 'blue', cvv2: (i) => digits(i % 1000, 3), track2: (i) => `track-${i}`, card_expiry: () => '12/29', card_pin: (i) => digits(i % 10000, 4), payment_password: (i) => `p${i}`,
  wallet_id: (i) => `w${i}`, product_title: (i) => `Tea ${i}`, review: () => 'good', browsing_history: (i) => `page ${i}`, remark: (i) => (i % 10 ? '货已收到' : `请电138${digits(i * 7919 % 1e8, 8)}联系`),
  order_no: (i) => `62${digits(i * 7919, 14)}`, bill_no: (i) => `CN${digits(i, 10)}`, turnover: (i) => i * 100, seller_tier: (i) => i % 5, weight: (i) => i / 10,
};

export function peopleTable(file, table, rows) {
  const names = Object.keys(COLUMNS);
  const text = (v) => (typeof v === 'number' ? String(v) : `'${String(v).replaceAll("'", "''")}'`);
  const values = Array.from({ length: rows }, (_, i) => `(${names.map((n) => text(COLUMNS[n](i))).join(',')})`);
  execFileSync('sqlite3', [file], { input: `CREATE TABLE ${table} (${names.map((n) => (n === 'id' ? 'id INTEGER PRIMARY KEY' : `${n} TEXT`)).join(', ')});\nBEGIN;\n${values.map((v) => `INSERT INTO ${table} VALUES ${v};`).join('\n')}\nCOMMIT;\n` });
}
