// SPDX-License-Identifier: Apache-2.0
// A sample third-party app: its user asks it for their orders, it asks the platform in the user's name and shows what it got. The
// request is signed by a stock RFC 9421 library; nothing of this is ours.
//   node demo/app.mjs --gateway https://127.0.0.1:7443 --ca FILE --key ID --secret-file FILE --grant ID --path /trade/orders/v1
// Prints its port. GET /orders?limit=N gives the rows as the platform gave them, with the transaction's number.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';

const { httpbis, createSigner } = createRequire(import.meta.url)('http-message-signatures');

function options(args) {
  const o = Object.fromEntries(Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i].replace(/^--/, ''), args[2 * i + 1]]));
  for (const need of ['gateway', 'ca', 'key', 'secret-file', 'grant', 'path']) if (!o[need]) throw new Error(`--${need} is needed`);
  return o;
}

async function signed(o, url) {
  const secret = Buffer.from(readFileSync(o['secret-file'], 'utf8').trim(), 'base64url');
  const message = { method: 'GET', url, headers: { 'sluice-grant': o.grant } };
  const done = await httpbis.signMessage({ key: createSigner(secret, 'hmac-sha256', o.key), fields: ['@method', '@target-uri', 'sluice-grant'],
    params: ['created', 'expires', 'nonce', 'alg', 'keyid'], paramValues: { created: new Date(), expires: new Date(Date.now() + 60000), nonce: randomUUID() } }, message);
  return done.headers;
}

function get(url, headers, ca) {
  return new Promise((resolve, reject) => {
    https.get(url, { headers, ca, timeout: 10000 }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; });
      res.on('end', () => resolve({ status: res.statusCode, transaction: res.headers['sluice-transaction'], text }));
    }).on('error', reject);
  });
}

function main(args) {
  const o = options(args), ca = readFileSync(o.ca);
  const server = http.createServer(async (req, res) => {
    const asked = new URL(req.url, 'http://app'), limit = Number(asked.searchParams.get('limit') ?? 10);
    if (asked.pathname !== '/orders' || !Number.isInteger(limit) || limit < 1 || limit > 100) return res.writeHead(404).end();
    const url = `${o.gateway}${o.path}?limit=${limit}`;
    try {
      const { status, transaction, text } = await get(url, await signed(o, url), ca);
      return res.writeHead(status, { 'content-type': 'application/json', 'sluice-transaction': transaction ?? '' }).end(text);
    } catch { return res.writeHead(502).end(); }
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

try { main(process.argv.slice(2)); } catch (e) { console.error(`app: ${e.message}`); process.exit(2); }
