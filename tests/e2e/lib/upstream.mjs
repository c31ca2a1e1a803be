// SPDX-License-Identifier: Apache-2.0
// A business unit's own API that misbehaves on purpose: the path's first part chooses how.

import http from 'node:http';

const GOOD = JSON.stringify({ id: 'A1', phone: '13812345678', secret: 's3cret', unheard_of: 1, items: [{ id: 'I1', phone: '13912345678' }] });

// 1 GiB of one JSON array, never held in memory; stops when the reader goes.
function flood(res) {
  const row = JSON.stringify({ id: 'x'.repeat(900), phone: '13812345678' });
  const chunk = `${Array(64).fill(row).join(',')},`;
  let left = 1 << 30;
  res.writeHead(200, { 'content-type': 'application/json' });
  res.write('{"items":[');
  const more = () => {
    while (left > 0) {
      if (res.destroyed) return;
      left -= chunk.length;
      if (!res.write(chunk)) return void res.once('drain', more);
    }
    res.end(`${row}]}`);
  };
  more();
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
  flood: (req, res) => flood(res),
  broken: json('{"id": "A1", "phone": }'),
  truncated: json('{"id": "A1", "items": [{"id": "I1"'),
  trailing: json('{"id": "A1"} {"secret": "s3cret"}'),
  utf8: json(Buffer.concat([Buffer.from('{"id": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])),
  deep: json('['.repeat(100000)),
  html: (req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>secret</html>'),
  error: (req, res) => res.writeHead(500, { 'content-type': 'application/json' }).end('{"stack": "secret at line 1"}'),
  garbage: (req, res) => { res.socket.end('SSH-2.0-not-http\r\n'); },
  headers: (req, res) => { res.writeHead(200, { 'content-type': 'application/json', 'x-big': 'h'.repeat(15000) }); res.end(GOOD); },
  echo: (req, res) => { res.writeHead(200, { 'content-type': 'application/json' }); res.end(JSON.stringify({ id: req.url })); },
};

// Resolves to {port, url, seen, close}.
export function startUpstream() {
  const seen = [];
  const server = http.createServer((req, res) => {
    seen.push({ method: req.method, url: req.url, headers: req.headers });
    res.on('error', () => {});
    const name = /([a-z0-9]+)(\?.*)?$/.exec(req.url)?.[1];
    (BEHAVIOURS[name] ?? BEHAVIOURS.echo)(req, res);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    resolve({ port, seen, url: `http://127.0.0.1:${port}/base`, close: () => { server.closeAllConnections(); server.close(); } });
  }));
}
