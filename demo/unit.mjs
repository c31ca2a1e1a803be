// SPDX-License-Identifier: Apache-2.0
// A sample business unit: a shop's back office. It records its sales in a file of its own, and supplies what is new to the platform by
// the supply interface. A sale it has acknowledged is on its disk; one that is not supplied yet is supplied when the platform is there. What the
// platform refuses stays first in line and is told of, until somebody mends it.
//   node demo/unit.mjs --store FILE --control https://127.0.0.1:7300 --ca FILE --dataset ID --key-file FILE [--user-entered yes]
// Prints its port. POST /sales with one sale, GET /sales lists them with whether each is supplied. Where users enter the sales, a sale has a member
// "consent", {reference, purpose, given_at}, or it is not recorded at all.

import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Rest } from './rest_client.mjs';

const BATCH = 100;
const AGAIN_MS = 500;
const BODY_MAX = 16384;

function options(args) {
  const o = Object.fromEntries(Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i].replace(/^--/, ''), args[2 * i + 1]]));
  for (const need of ['store', 'control', 'ca', 'dataset', 'key-file']) if (!o[need]) throw new Error(`--${need} is needed`);
  return o;
}

class Store {
  constructor(file) {
    this.file = file;
    this.mark = `${file}.supplied`;
    this.sales = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) : [];
    this.supplied = existsSync(this.mark) ? Number(readFileSync(this.mark, 'utf8')) : 0;
    this.fd = openSync(file, 'a', 0o600);
  }

  add(sale) {
    writeSync(this.fd, `${JSON.stringify(sale)}\n`);
    fdatasyncSync(this.fd);
    this.sales.push(sale);
  }

  // Written aside and renamed: cut in between, the same batch is supplied again under the same key.
  supply(count) {
    this.supplied += count;
    const fd = openSync(`${this.mark}.new`, 'w', 0o600);
    writeFileSync(fd, String(this.supplied));
    fdatasyncSync(fd);
    closeSync(fd);
    renameSync(`${this.mark}.new`, this.mark);
  }
}

async function supplyNew(store, rest, o, key) {
  while (store.supplied < store.sales.length) {
    const sales = store.sales.slice(store.supplied, store.supplied + BATCH), records = sales.map(({ consent, ...sale }) => sale);
    const pushed = o['user-entered'] === 'yes' ? { records, consents: sales.map((s) => s.consent) } : { records };
    const answer = await rest.raw('POST', `/supply/${o.dataset}/records`, JSON.stringify(pushed), { 'content-type': 'application/json', authorization: `Bearer ${key}`,
      'idempotency-key': `${path.basename(o.store)}-${store.supplied}-${records.length}` });
    if (answer.status !== 200) throw new Error(`the platform answered ${answer.status} ${answer.body?.code ?? ''}`);
    store.supply(records.length);
  }
}

function supplying(store, o) {
  const rest = new Rest(o.control, readFileSync(o.ca, 'utf8')), key = readFileSync(o['key-file'], 'utf8').trim();
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    try { await supplyNew(store, rest, o, key); } catch (e) { console.error(`unit: not supplied yet: ${e.message}`); } finally { busy = false; }
  };
}

function body(req) {
  return new Promise((resolve, reject) => {
    let text = '';
    req.on('data', (d) => { text += d; if (text.length > BODY_MAX) req.destroy(new Error('too large')); });
    req.on('end', () => resolve(text));
    req.on('error', reject);
  });
}

const agreed = (c) => typeof c?.reference === 'string' && typeof c.purpose === 'string' && Date.parse(c.given_at) <= Date.now();

function main(args) {
  const o = options(args), store = new Store(o.store), supply = supplying(store, o);
  const answer = (res, status, value) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const server = http.createServer(async (req, res) => {
    if (req.url !== '/sales') return answer(res, 404, { error: 'there is /sales' });
    if (req.method !== 'POST') return answer(res, 200, store.sales.map((s, i) => ({ ...s, supplied: i < store.supplied })));
    let sale;
    try { sale = JSON.parse(await body(req)); } catch { return answer(res, 400, { error: 'one sale as a JSON object' }); }
    if (o['user-entered'] === 'yes' && !agreed(sale.consent)) return answer(res, 422, { error: 'without its user\'s consent a sale is not recorded: consent {reference, purpose, given_at}' });
    store.add(sale);
    supply();
    return answer(res, 201, sale);
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
  setInterval(supply, AGAIN_MS);
}

try { main(process.argv.slice(2)); } catch (e) { console.error(`unit: ${e.message}`); process.exit(2); }
