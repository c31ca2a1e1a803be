// SPDX-License-Identifier: Apache-2.0
// A business unit's own API that misbehaves on purpose: the path's first part chooses how.

import http from 'node:http';

const GOOD = JSON.stringify({ id: 'A1', phone: '13812345678', secret: 's3cret', unheard_of: 1, items: [{ id: 'I1', phone: '13912345678' }] });

// One JSON array that stays above 1 GiB when all but the ids is dropped; never held in memory; stops when the
// reader goes.
export const FLOOD_ID = 900;
const BATCH = 64;
export const FLOOD_ROWS = BATCH * Math.ceil(2 ** 30 / FLOOD_ID / BATCH);

function flood(res, rows) {
  const row = JSON.stringify({ id: 'x'.repeat(FLOOD_ID), phone: '13812345678' });
  const chunk = `${Array(BATCH).fill(row).join(',')}`;
  let sent = 0;
  res.writeHead(200, { 'content-type': 'application/json' });
  res.write('{"items":[');
  const more = () => {
    while (sent < rows) {
      if (res.destroyed) return;
      const comma = sent === 0 ? '' : ',';
      sent += BATCH;
      if (!res.write(comma + chunk)) return void res.once('drain', more);
    }
    res.end(']}');
  };
  more();
}

// Says 200 kB of an answer and dies.
function late(res) {
  res.writeHead(200, { 'content-type': 'application/json' });
  const rows = Array(200).fill(JSON.stringify({ id: 'z'.repeat(1000) })).join(',');
  res.write(`{"items":[${rows},`, () => setTimeout(() => res.socket.destroy(), 200));
}

const json = (text) => (req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end(text);

const BEHAVIOURS = {
  good: json(GOOD),
  hang: () => {},
  slow: (req, res) => { res.writeHead(200, { 'content-type': 'application/json' }); res.write('{"id":'); },
  half: (req, res) => { // promises more than it sends, then dies
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
    res.write(`{"id":"A1","items":[{"id":"${'y'.repeat(20000)}"},`, () => res.socket.destroy());
  },
  halfchunked: (req, res) => {
    res.writeHead(200, { 'content-type': 'application/json' });
    res.write('{"id":"A1","items":[', () => res.socket.destroy());
  },
  flood: (req, res) => flood(res, FLOOD_ROWS),
  late: (req, res) => late(res),
  broken: json('{"id": "A1", "phone": }'),
  truncated: json('{"id": "A1", "items": [{"id": "I1"'),
  trailing: json('{"id": "A1"} {"secret": "s3cret"}'),
  utf8: json(Buffer.concat([Buffer.from('{"id": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])),
  deep: json('['.repeat(100000)),
  html: (req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>secret</html>'),
  error: (req, res) => res.writeHead(500, { 'content-type': 'application/json' }).end('{"stack": "secret at line 1"}'),
  garbage: (req, res) => { res.socket.end('SSH-2.0-not-http\r\n'); },
  headers: (req, res) => { res.writeHead(200, { 'content-type': 'application/json', 'x-big': 'h'.repeat(15000) }); res.end(GOOD); },
  moreheaders: (req, res) => { res.writeHead(200, { 'content-type': 'application/json', 'x-big': 'h'.repeat(40000) }); res.end(GOOD); },
  echo: (req, res) => { res.writeHead(200, { 'content-type': 'application/json' }); res.end(JSON.stringify({ id: req.url })); },
};

// Resolves to {port, url, seen, open, close}; open(): how many requests are under way. port 0: any.
export function startUpstream(port = 0) {
  const seen = [];
  let open = 0;
  const server = http.createServer((req, res) => {
    seen.push({ method: req.method, url: req.url, headers: req.headers });
    open += 1;
    res.on('close', () => { open -= 1; });
    res.on('error', () => {});
    const name = /([a-z0-9]+)(\?.*)?$/.exec(req.url)?.[1];
    (BEHAVIOURS[name] ?? BEHAVIOURS.echo)(req, res);
  });
  return new Promise((resolve, reject) => server.on('error', reject).listen(port, '127.0.0.1', () => {
    const at = server.address().port;
    resolve({ port: at, seen, open: () => open, url: `http://127.0.0.1:${at}/base`, close: () => { server.closeAllConnections(); server.close(); } });
  }));
}
