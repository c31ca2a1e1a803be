// SPDX-License-Identifier: Apache-2.0
// Signed answers kept for later: what was asked and what the platform signed, as `sluice verify --platform-key FILE` takes it. Bodies are part of
// it, so this is for answers that may lie on disk; of others the heads alone are kept, which prove status, digest, transaction and time.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { targetOf } from './http.js';
import { writeWhole } from './keystore.js';

const fields = (headers) => Object.entries(headers).map(([n, v]) => `${n}: ${v}\r\n`).join('');

/** @returns {Buffer} both messages, one behind the other */
export function exchangeOf(request, answer, { bodies = true } = {}) {
  const at = new URL(request.url), target = targetOf(request.url);
  const { authorization: _, ...sent } = request.headers; // a token is nobody else's
  const size = (body) => `content-length: ${body?.length ?? 0}\r\n`;
  const { 'content-length': __, 'transfer-encoding': ___, ...got } = answer.headers;
  return Buffer.concat([Buffer.from(`${request.method} ${target} HTTP/1.1\r\nhost: ${at.host}\r\n${fields(sent)}${request.body ? size(request.body) : ''}\r\n`), bodies ? request.body ?? Buffer.alloc(0) : Buffer.alloc(0),
    Buffer.from(`HTTP/1.1 ${answer.status} \r\n${fields(got)}${bodies ? size(answer.body) : ''}\r\n`), bodies ? answer.body : Buffer.alloc(0)]);
}

/** Keeps them in a folder, one file a transaction. */
export class Proofs {
  constructor(folder) { this.folder = folder; mkdirSync(folder, { recursive: true, mode: 0o700 }); }

  keep(request, answer, o) {
    const name = /^[0-9a-f-]{36}$/.test(answer.headers['sluice-transaction'] ?? '') ? answer.headers['sluice-transaction'] : 'unnamed';
    const file = path.join(this.folder, `${name}.http`);
    writeWhole(file, exchangeOf(request, answer, o));
    return file;
  }
}
