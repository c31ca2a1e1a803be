// SPDX-License-Identifier: Apache-2.0
// Tokens: how many a second are issued to apps that prove themselves by a signed assertion, and looked at; beside a
// stock OpenID provider in the same run, and beside the signature's own verification.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { freePorts, Platform } from '../tests/e2e/lib/platform.mjs';
import { httpApi, people, subscription } from '../tests/e2e/lib/world.mjs';
import { listening, median, row, sh, start, stop } from './lib.mjs';

const RUNS = Number(process.env.BENCH_RUNS ?? 3), SECONDS = Number(process.env.BENCH_SECONDS ?? 3), CONNECTIONS = 16;
const b64 = (x) => Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)).toString('base64url');

function assertion(key, kid, client, audience) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${b64({ alg: 'ES256', kid, typ: 'JWT' })}.${b64({ iss: client, sub: client, aud: audience, jti: randomUUID(), iat: now, exp: now + 240 })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function post(target, port, form, headers = '') {
  const body = new URLSearchParams(form).toString();
  return `POST ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

function requestFile(file, requests) {
  writeFileSync(file, Buffer.concat(requests.map((r) => { const b = Buffer.from(r), n = Buffer.alloc(4); n.writeUInt32LE(b.length); return Buffer.concat([n, b]); })));
}

function load(port, file) {
  const out = sh('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '--timeout', '5s', '-s', 'bench/replay.lua', `https://127.0.0.1:${port}`], { env: { ...process.env, REQUESTS: file } });
  const [, requests, us, status, errors, p50, p99] = /RESULT (\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)/.exec(out).map(Number);
  if (status || errors) throw new Error(`${status} refused, ${errors} broken of ${requests}`);
  return { rps: requests / (us / 1e6), p50, p99 };
}

const best = (xs) => ({ rps: median(xs.map((x) => x.rps)), p50: median(xs.map((x) => x.p50)), p99: median(xs.map((x) => x.p99)) });
const show = (m) => `${Math.round(m.rps)}/s, p50 ${m.p50} µs, p99 ${m.p99} µs`;

function fetchToken(port, target, form, headers = {}) {
  return new Promise((resolve, reject) => {
    const body = new URLSearchParams(form).toString();
    const req = https.request({ host: '127.0.0.1', port, path: target, method: 'POST', rejectUnauthorized: false, agent: false,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body), ...headers } }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d)).on('end', () => resolve(JSON.parse(Buffer.concat(parts))));
    });
    req.on('error', reject).end(body);
  });
}

const CLIENT_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const grantForm = (s) => ({ grant_type: 'client_credentials', client_assertion_type: CLIENT_ASSERTION, client_assertion: assertion(s.key, s.kid, s.client, s.issuer) });

async function measure(server, file) {
  // Generous: an assertion is good once.
  requestFile(file, Array.from({ length: server.issuesMax * SECONDS }, () => post(server.token, server.port, grantForm(server))));
  const issue = load(server.port, file);
  const { access_token: token } = await fetchToken(server.port, server.token, grantForm(server));
  requestFile(file, [post(server.introspect, server.port, { token }, `Authorization: Basic ${Buffer.from(server.reader).toString('base64')}\r\n`)]);
  return { issue, introspect: load(server.port, file) };
}

const verifyRate = () => Number(/ecdsa \(nistp256\)\s+\S+\s+\S+\s+\S+\s+([\d.]+)/.exec(sh('openssl', ['speed', '-seconds', '1', 'ecdsap256'], { stdio: ['ignore', 'pipe', 'ignore'] }))[1]);

export async function tokens() {
  const platform = await Platform.start();
  const [peerPort] = await freePorts(1);
  const file = `/dev/shm/sluice-bench-${process.pid}`;
  try {
    const world = await people(platform);
    const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    await world.developer.post('/credentials', { app_id: world.app, algorithm: 'ecdsa-p256-sha256', public_key: jwk });
    const api = await httpApi(world, 'ledger', 'http://127.0.0.1:9');
    await subscription(world, world.app, api);
    await world.developer.post('/clients', { app_id: world.app, token_endpoint_auth_method: 'private_key_jwt', grant_types: ['client_credentials'] });
    const kid = createHash('sha256').update(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })).digest('base64url');
    const child = start('node', ['bench/peer_oidc.mjs', String(peerPort), path.join(platform.data, 'pki/control.key'), path.join(platform.data, 'pki/control.crt'),
      JSON.stringify({ ...jwk, kid, use: 'sig', alg: 'ES256' })]);
    await listening(peerPort);
    const readerApp = await world.developer.post('/apps', { name: 'Reader', organisation_id: world.thirdParty, environment: 'monitored' });
    await world.operator.act('apps', readerApp.id, 'admit');
    await subscription(world, readerApp.id, api);
    await world.developer.post('/clients', { app_id: readerApp.id, token_endpoint_auth_method: 'client_secret_basic', grant_types: ['client_credentials'] });
    const secret = (await world.developer.post('/credentials', { app_id: readerApp.id, algorithm: 'hmac-sm3' })).secret;
    const servers = [
      { name: 'ours', port: platform.controlPort, issuer: platform.control, token: '/oauth/token', introspect: '/oauth/introspect', client: world.app, reader: `${readerApp.id}:${secret}`, key, kid, issuesMax: 9000 },
      { name: 'peer', port: peerPort, issuer: `https://127.0.0.1:${peerPort}`, token: '/token', introspect: '/token/introspection', client: 'bench', reader: 'reader:a-secret-of-the-bench-alone', key, kid, issuesMax: 4000 },
    ];
    const results = { ours: [], peer: [] }, verify = [];
    for (let i = 0; i < RUNS; i++, servers.push(servers.shift())) {
      verify.push(verifyRate());
      for (const s of servers) results[s.name].push(await measure(s, file));
    }
    const of = (name, what) => best(results[name].map((r) => r[what]));
    for (const [what, text, bar] of [['issue', 'access token to an app, private_key_jwt (ES256), kept through kill -9', '≥ 3,000/s'], ['introspect', 'introspection of a token, client_secret_basic', '≥ 30,000/s']]) {
      const [ours, peer] = [of('ours', what), of('peer', what)];
      row(`${text}, over TLS`, show(ours), `npm oidc-provider, in memory, ${show(peer)}`, (ours.rps / peer.rps).toFixed(1), bar,
        what === 'issue' ? `openssl speed: ${Math.round(median(verify))} P-256 verifications a second a core` : '');
    }
    await stop(child);
  } finally {
    rmSync(file, { force: true });
    await platform.stop();
  }
}
