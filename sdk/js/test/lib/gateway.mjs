// SPDX-License-Identifier: Apache-2.0
// A TLS server that signs answers as docs/signatures.md says, and can be told to do what the true gateway never would: lose, alter, replay.
// What it verifies and signs with is Node's, not the SDK's.

import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

// A CA and a certificate of it for 127.0.0.1.
export function certificates(dir, name = 'ca') {
  const at = (f) => path.join(dir, `${name}-${f}`);
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', at('ca.key'), '-out', at('ca.crt'));
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE',
    '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-keyout', at('tls.key'), '-out', at('tls.crt'));
  return { ca: readFileSync(at('ca.crt'), 'utf8'), key: readFileSync(at('tls.key')), cert: readFileSync(at('tls.crt')) };
}

export const workFolder = () => { const dir = mkdtempSync(path.join(tmpdir(), 'sluice-sdk-')); return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }; };

export class Gateway {
  static async start(dir, more = {}) {
    const g = new this();
    g.tls = certificates(dir);
    g.seen = [];
    g.answer = () => ({ body: '{"ok":true}' });
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    g.key = privateKey;
    g.jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'platform', use: 'sig' };
    g.server = https.createServer({ ...g.tls, ...more }, (req, res) => {
      const parts = [];
      req.on('data', (d) => parts.push(d));
      req.on('end', () => g.serve(req, res, Buffer.concat(parts)));
    });
    await new Promise((done) => { g.server.listen(0, '127.0.0.1', done); });
    g.url = `https://127.0.0.1:${g.server.address().port}`;
    return g;
  }

  serve(req, res, body) {
    const seen = { method: req.method, url: req.url, headers: req.headers, body };
    this.seen.push(seen);
    const a = { status: 200, headers: { 'content-type': 'application/json', 'sluice-transaction': randomUUID() }, signed: true, ...this.answer(seen, this.seen.length) };
    if (a.later) return void a.later.then(() => this.send(req, res, seen, a));
    return void this.send(req, res, seen, a);
  }

  send(req, res, seen, a) {
    if (a.drop) return void req.socket.destroy();
    const bytes = Buffer.from(a.body ?? '');
    const headers = { ...a.headers, ...(a.signed ? this.signature(seen, a.status, a.headers, bytes) : {}) };
    (a.spoil ?? (() => {}))(headers, a);
    res.writeHead(a.status, headers);
    if (a.cut) { res.write(bytes.subarray(0, bytes.length >> 1)); return void setImmediate(() => req.socket.destroy()); }
    return void res.end(a.spoiled ?? bytes);
  }

  signature(seen, status, headers, bytes) {
    const digest = `sm3=:${createHash('sm3').update(bytes).digest('base64')}:`;
    const input = '("@status" "content-type" "content-digest" "sluice-transaction" "@method";req "@target-uri";req "signature";req;key="sig1")' + `;created=${Math.floor(Date.now() / 1000)};keyid="platform";alg="ecdsa-p256-sha256"`;
    const base = [`"@status": ${status}`, `"content-type": ${headers['content-type']}`, `"content-digest": ${digest}`, `"sluice-transaction": ${headers['sluice-transaction']}`, `"@method";req: ${seen.method}`,
      `"@target-uri";req: ${this.url}${seen.url}`, `"signature";req;key="sig1": ${/sig1=(:[^:]+:)/.exec(seen.headers.signature)[1]}`, `"@signature-params": ${input}`].join('\n');
    return { 'content-digest': digest, 'signature-input': `sluice=${input}`, signature: `sluice=:${sign('sha256', Buffer.from(base), { key: this.key, dsaEncoding: 'ieee-p1363' }).toString('base64')}:` };
  }

  stop() { this.server.closeAllConnections(); return new Promise((done) => { this.server.close(done); }); }
}
