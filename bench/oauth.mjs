// SPDX-License-Identifier: Apache-2.0
// How many tokens and looks at tokens a second: wrk against a control plane of its own, medians of 3.
// SLUICE_BUILD=build-rel node bench/oauth.mjs [seconds]

import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Platform } from '../tests/e2e/lib/platform.mjs';
import { median } from '../tests/e2e/lib/wait.mjs';
import * as w from '../tests/e2e/lib/world.mjs';

const SECONDS = Number(process.argv[2] ?? 5);
const b64 = (v) => Buffer.from(JSON.stringify(v)).toString('base64url');
const p = await Platform.start();
try {
  const world = await w.people(p);
  const api = await w.httpApi(world, 'ledger', 'http://127.0.0.1:9');
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const app = async (name, settings, credential) => {
    const id = await w.admittedApp(world, name, 'controlled');
    const made = await world.developer.post('/credentials', { app_id: id, ...credential });
    await w.subscription(world, id, api);
    await world.developer.post('/clients', { app_id: id, ...settings });
    return { id, secret: made.secret };
  };
  const byKey = await app('by-key', {}, { algorithm: 'ecdsa-p256-sha256', public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }) });
  const bySecret = await app('by-secret', { token_endpoint_auth_method: 'client_secret_post' }, { algorithm: 'hmac-sm3' });

  // Assertions are used once, so each request has its own, made before; line by line, a range for each thread.
  const assertions = (n) => {
    const head = b64({ alg: 'ES256', typ: 'JWT' });
    const lines = [];
    for (let i = 0; i < n; i += 1) {
      const now = Math.floor(Date.now() / 1000);
      const text = `${head}.${b64({ iss: byKey.id, sub: byKey.id, aud: p.control, iat: now, exp: now + 280, jti: randomUUID() })}`;
      lines.push(`${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`);
    }
    const file = path.join(p.dir, 'assertions');
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  };
  const run = (script, target, connections) => {
    const file = path.join(p.dir, 'load.lua');
    writeFileSync(file, script);
    const out = execFileSync('wrk', ['-t1', `-c${connections}`, `-d${SECONDS}s`, '--latency', '-s', file, `${p.control}${target}`], { encoding: 'utf8' });
    const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0);
    const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(out)[1]);
    return { rate, bad, p99: /99%\s+(\S+)/.exec(out)[1] };
  };
  const head = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\n';
  const row = (name, measure) => {
    const runs = [0, 1, 2].map(measure);
    const mid = median(runs.map((r) => r.rate));
    console.log(`${name}: ${Math.round(mid)}/s (${runs.map((r) => `${Math.round(r.rate)}, p99 ${r.p99}, refused ${r.bad}`).join('; ')})`);
  };
  row('client credentials, private_key_jwt ES256', () => run(`${head}local f = io.open("${assertions(SECONDS * 12000)}")
request = function()
  local a = f:read("*l") or "x"
  return wrk.format(nil, nil, nil, "grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=" .. a)
end`, '/oauth/token', 16));
  row('client credentials, client_secret_post', () => run(`${head}wrk.body = "grant_type=client_credentials&client_id=${bySecret.id}&client_secret=${bySecret.secret}"`, '/oauth/token', 16));
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: bySecret.id, client_secret: bySecret.secret });
  const access = (await p.rest.raw('POST', '/oauth/token', form.toString(), { 'content-type': 'application/x-www-form-urlencoded' })).body.access_token;
  row('introspection, client_secret_post', () => run(`${head}wrk.body = "client_id=${bySecret.id}&client_secret=${bySecret.secret}&token=${access}"`, '/oauth/introspect', 32));
  row('health (what HTTP and TLS cost)', () => run('', '/health', 32));
  console.log(execFileSync('openssl', ['speed', '-seconds', '2', 'ecdsap256'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').filter((l) => /nistp256|ecdsa/.test(l)).join('\n'));
} finally {
  await p.stop({ check: false });
}
