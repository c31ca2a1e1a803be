// SPDX-License-Identifier: Apache-2.0
// Bytes on a TLS connection, exactly as given: what no HTTP client would send.

import tls from 'node:tls';

// Writes the pieces, reads until the peer closes or `ms` pass. Resolves to {text, status, closed}.
export function wire(platform, pieces, { ms = 5000, end = false } = {}) {
  return new Promise((resolve) => {
    const parts = [];
    const socket = tls.connect({ host: '127.0.0.1', port: platform.gatewayPort, ca: platform.ca, ALPNProtocols: ['http/1.1'] });
    const done = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(parts).toString('latin1');
      resolve({ text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), closed });
    };
    const timer = setTimeout(() => done(false), ms);
    socket.on('data', (d) => parts.push(d));
    socket.on('error', () => done(true));
    socket.on('close', () => done(true));
    socket.on('secureConnect', () => {
      for (const piece of [pieces].flat()) socket.write(piece);
      if (end) socket.end();
    });
  });
}

export const head = (platform, method, target, headers) => `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${platform.gatewayPort}\r\n` +
  Object.entries(headers).map(([n, v]) => `${n}: ${v}\r\n`).join('') + '\r\n';
