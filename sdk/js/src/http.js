// SPDX-License-Identifier: Apache-2.0
// One exchange over TLS 1.2 or newer, checked against the CA given and nothing else. There is no switch that turns the check off; Node's
// environment variable for it is overruled.

import https from 'node:https';
import { IntegrityError, LocalError, NetworkError } from './errors.js';

const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function failure(error, sent) {
  if (TLS.test(error.code ?? '')) return new IntegrityError('tls-refused', { cause: error });
  return new NetworkError(NOT_SENT.has(error.code) ? 'unreachable' : 'broken-off', { cause: error, sent: sent && !NOT_SENT.has(error.code) });
}

// A field that came twice has no one value, and is left out: what needs it will miss it.
const single = (res) => Object.fromEntries(Object.entries(res.headersDistinct).filter(([, v]) => v.length === 1).map(([n, [v]]) => [n, v]));

/** Path and query as they were signed; URL() might write them anew. */
export const targetOf = (url) => /^https:\/\/[^/]+(\/.*)$/s.exec(url)?.[1] ?? '/';

export class Connection {
  /** @param {{ca: string|Buffer, certificate?: string|Buffer, key?: string|Buffer, passphrase?: string, timeoutMs?: number, maxAnswerBytes?: number}} o */
  constructor({ ca, certificate, key, passphrase, timeoutMs = 30000, maxAnswerBytes = 16 << 20 }) {
    if (!ca || !/BEGIN CERTIFICATE/.test(String(ca))) throw new LocalError('settings-invalid', { message: 'ca: the PEM of the CA that the platform\'s certificate is checked against' });
    this.agent = new https.Agent({ ca, cert: certificate, key, passphrase, keepAlive: true, maxSockets: 64, minVersion: 'TLSv1.2', rejectUnauthorized: true });
    this.timeoutMs = timeoutMs;
    this.maxAnswerBytes = maxAnswerBytes;
  }

  /** @returns {Promise<{status: number, headers: object, body: Buffer}>} */
  request({ method, url, headers, body }) {
    if (!url.startsWith('https://')) throw new LocalError('settings-invalid', { message: `${url}: https alone` });
    return new Promise((resolve, reject) => {
      let sent = false, over;
      const at = new URL(url), path = targetOf(url);
      const req = https.request({ host: at.hostname.replace(/^\[|\]$/g, ''), port: at.port || 443, path, method, agent: this.agent,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': body.length }) } }, (res) => {
        const parts = [];
        let n = 0;
        res.on('data', (d) => { parts.push(d); if ((n += d.length) > this.maxAnswerBytes) req.destroy(new NetworkError('answer-too-long', { sent })); });
        res.on('error', (e) => finish(e));
        res.on('end', () => (res.complete ? finish(undefined, { status: res.statusCode, headers: single(res), body: Buffer.concat(parts) }) : finish(new NetworkError('broken-off', { sent: true }))));
      });
      const timer = setTimeout(() => req.destroy(new NetworkError('too-slow', { sent: true })), this.timeoutMs);
      const finish = (error, answer) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        if (error) reject(error instanceof NetworkError ? error : failure(error, sent)); else resolve(answer);
      };
      req.on('socket', (s) => { if (s.connecting) s.once('secureConnect', () => { sent = true; }); else sent = true; });
      req.on('error', finish);
      req.end(body);
    });
  }

  close() { this.agent.destroy(); }
}
