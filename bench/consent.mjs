// SPDX-License-Identifier: Apache-2.0
// Consent at size: a control plane that starts with a million grants, a revocation among them until the gateway refuses,
// and the way from an app's authorization request to the consent page under 50 users at once.
import { createHash, randomBytes } from 'node:crypto';
import https from 'node:https';
import path from 'node:path';
import { Visitor } from '../tests/e2e/lib/visitor.mjs';
import { Platform } from '../tests/e2e/lib/platform.mjs';
import { until } from '../tests/e2e/lib/wait.mjs';
import { IN_A_YEAR, grant, trading, user } from '../tests/e2e/lib/world.mjs';
import { delay, median, row, sh } from './lib.mjs';

const GRANTS = Number(process.env.BENCH_GRANTS ?? 1e6), USERS = 50, FLOWS = Number(process.env.BENCH_FLOWS ?? 20), CHANGES = 100;
const percentile = (xs, p) => [...xs].sort((a, b) => a - b)[Math.min(xs.length - 1, Math.floor(xs.length * p))];
const ms = (xs) => `p50 ${median(xs).toFixed(1)} ms, p99 ${percentile(xs, 0.99).toFixed(1)} ms`;
const since = (from) => Number(process.hrtime.bigint() - from) / 1e6;

// Straight into the store of a platform that is stopped: rows, and what the nodes are told of each.
function fill(platform, world) {
  const expires = Date.parse(IN_A_YEAR), now = Date.now();
  const id = "printf('01900000-%04x-7%03x-8000-%012x', n >> 16 & 65535, n & 4095, n)";
  sh('sqlite3', ['-batch', '-bail', path.join(platform.data, 'control/store.db'), `
    PRAGMA synchronous=OFF;
    BEGIN;
    WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${GRANTS})
      INSERT INTO grants (id, state, revision, created_at, updated_at, app_id, api_id, owner, purpose, term, expires_at, given_by)
      SELECT ${id}, 'active', 1, ${now} - n, ${now}, '${world.app}', '${world.api}', printf('B%07d', n), 'bench', 'period', ${expires}, 'bench' FROM c;
    WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${GRANTS})
      INSERT INTO feed (kind, id, op, data)
      SELECT 'grant', ${id}, 'put', json_object('app_id', '${world.app}', 'api_id', '${world.api}', 'owner', printf('B%07d', n), 'state', 'active', 'term', 'period',
        'not_before', 0, 'expires_at', ${expires}, 'fields', NULL) FROM c;
    INSERT INTO feed_current (kind, id, seq, data) SELECT kind, id, seq, data FROM feed WHERE data LIKE '%"owner":"B%';
    COMMIT;
    ANALYZE;`]);
}

async function startTime(platform) {
  const from = process.hrtime.bigint();
  const up = platform.spawn();
  for (;;) {
    const ok = await platform.rest.raw('GET', '/api/v1/health').then((a) => a.status === 200, () => false);
    if (ok) break;
    await delay(5);
  }
  const took = since(from);
  await up;
  return took;
}

async function untilStatus(call, status) {
  const from = process.hrtime.bigint();
  while ((await call()).status !== status);
  return since(from);
}

async function revocations(platform, world) {
  const refused = [];
  for (let i = 0; i < CHANGES; i++) {
    const g = await grant(world, world.app, world.api);
    const call = () => platform.call('/trade/orders/v1?limit=1', { key: world.key, grant: g.id });
    await untilStatus(call, 200);
    await world.owner.act('grants', g.id, 'revoke');
    refused.push(await untilStatus(call, 403));
  }
  return refused;
}

function authorize(world) {
  const challenge = createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url');
  return `/oauth/authorize?${new URLSearchParams({ response_type: 'code', client_id: world.app, redirect_uri: 'https://app.example/back', scope: 'openid orders.v1', state: 's', code_challenge: challenge, code_challenge_method: 'S256' })}`;
}

// Each user signs in once, then asks again and again, with a moment between or without; timed from the request to the whole page.
async function people(platform, world) {
  const agent = new https.Agent({ ca: platform.ca, keepAlive: true, maxSockets: USERS });
  const visitors = [];
  for (let i = 0; i < USERS; i++) {
    await user(world.admin, `bench-${i}`, 'owner', { subject: `M0${String(i).padStart(4, '0')}` });
    const v = new Visitor(platform, agent);
    await v.signedIn('/authorizations', `bench-${i}`, `bench-${i}-first-Passw0rd-changed`);
    visitors.push(v);
  }
  return { agent, visitors };
}

async function flows(world, visitors, pause) {
  const times = [];
  await Promise.all(visitors.map(async (v) => {
    await delay(pause ? Math.random() * 1000 : 0);
    for (let i = 0; i < FLOWS; i++) {
      const from = process.hrtime.bigint();
      const led = await v.get(authorize(world));
      const page = await v.get(led.location);
      if (page.status !== 200 || !page.text.includes('order_id')) throw new Error(`${page.status} ${page.text.slice(0, 300)}`);
      times.push(since(from));
      if (pause) await delay(500 + Math.random() * 1000);
    }
  }));
  return times;
}

export async function consent() {
  const platform = await Platform.start();
  try {
    const world = await trading(platform, { orders: 50 });
    await world.developer.post('/clients', { app_id: world.app, redirect_uris: ['https://app.example/back'], token_endpoint_auth_method: 'client_secret_basic', grant_types: ['authorization_code'] });
    await platform.stop({ keep: true });
    fill(platform, world);
    const starts = [await startTime(platform)];
    await until(async () => {
      const told = await platform.call('/trade/orders/v1?limit=1', { key: world.key, grant: `01900000-${(GRANTS >>> 16).toString(16).padStart(4, '0')}-7${(GRANTS & 4095).toString(16).padStart(3, '0')}-8000-${GRANTS.toString(16).padStart(12, '0')}` });
      return told.status === 200;
    }, { ms: 600000, what: 'the last grant at the gateway' });
    const refused = await revocations(platform, world);
    const { agent, visitors } = await people(platform, world);
    const page = await flows(world, visitors, true);
    const rushed = await flows(world, visitors, false);
    agent.destroy();
    for (let i = 0; i < 2; i++) {
      await platform.stop({ keep: true });
      starts.push(await startTime(platform));
    }
    const n = GRANTS.toLocaleString('en');
    row(`control plane start with ${n} grants, until it answers`, starts.map((s) => `${Math.round(s)} ms`).join(', '), '-', '-', '≤ 2 s');
    row(`revoked grant → refused, ${n} grants loaded`, ms(refused), 'the bar', `${CHANGES} changes`, 'p99 ≤ 1 s');
    row(`authorization request → consent page, ${USERS} users with 0.5 to 1.5 s between`, ms(page), 'the bar', `${page.length} flows`, 'p99 ≤ 50 ms', 'two requests over TLS; sign-in aside');
    row(`authorization request → consent page, ${USERS} users without a pause`, ms(rushed), 'the bar', `${rushed.length} flows`, 'p99 ≤ 50 ms', 'as fast as 50 browsers on the same cores ask');
  } finally { await platform.stop(); }
}
