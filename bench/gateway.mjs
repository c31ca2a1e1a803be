// SPDX-License-Identifier: Apache-2.0
// A1 call, signed with hmac-sm3, decided, masked, audited: the gateway beside the same nginx as a plain proxy and
// beside nginx + Lua that only checks an HMAC. One worker each, pinned to core 0; wrk and the upstream share core 1.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { BUILD, childrenOf, cpuUs, freePort, listening, median, rssKb, row, sh, start, stop } from './lib.mjs';

const RUNS = Number(process.env.BENCH_RUNS ?? 5), SECONDS = Number(process.env.BENCH_SECONDS ?? 3), REQUESTS = 60000 * SECONDS;

const ORDER = JSON.stringify({
  id: 'SO2026112200017', merchant: 'M000000', product: '便携式折叠雨伞 八骨加固 抗风防晒 黑色', amount: 129.5, status: 'shipped',
  created_at: '2026-11-20T08:15:30Z', buyer_name: '欧阳测试', phone: '13800138000', email: 'buyer.test@example.com',
  address: '山西省太原市小店区长风街1号院2栋3单元401室', card: '6222020200112230010', password: 'x'.repeat(32), note: '请在工作日送货。'.repeat(16),
});

const common = (dir) => `
${process.getuid() === 0 ? "user root;" : ""} daemon off; pid ${dir}/pid; error_log ${dir}/error.log warn; worker_rlimit_nofile 4096;
events { worker_connections 1024; }`;
const http = (dir) => `
  access_log off; server_tokens off; keepalive_requests 100000000; keepalive_timeout 300s; large_client_header_buffers 4 16k;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;`;
const proxied = `
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Accept-Encoding ""; proxy_buffering on;`;

function config(dir, body, workers = 1) {
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/nginx.conf`, `${body.load ?? ''}\nworker_processes ${workers};${common(dir)}\nhttp {${http(dir)} request_pool_size 8k;\n${body.http}\n}\n`);
  return `${dir}/nginx.conf`;
}

export async function nginx(dir, body, port, core) {
  const conf = config(dir, body);
  const child = start('taskset', ['-c', String(core), 'nginx', '-p', dir, '-c', conf]);
  await listening(port);
  return { child, worker: childrenOf(child.pid)[0] };
}

export async function upstream(dir, port) {
  return nginx(`${dir}/up`, { http: `
  server { listen 127.0.0.1:${port}; location / { default_type application/json; return 200 '${ORDER}'; } }` }, port, 1);
}

export const plainConf = (port, up) => ({ http: `
  upstream up { server 127.0.0.1:${up}; keepalive 64; }
  server { listen 127.0.0.1:${port}; location / { ${proxied} proxy_pass http://up; } }` });

const luaConf = (port, up) => ({
  load: 'load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;',
  http: `
  upstream up { server 127.0.0.1:${up}; keepalive 64; }
  server { listen 127.0.0.1:${port}; location / {
      access_by_lua_block {
        local h = ngx.req.get_headers()
        local base = ngx.req.get_method() .. "\\n" .. ngx.var.host .. "\\n" .. ngx.var.request_uri .. "\\n" .. (h["signature-input"] or "")
        if ngx.encode_base64(ngx.hmac_sha1("a secret of thirty-two bytes ....", base)) == h["signature"] then return ngx.exit(403) end
      } ${proxied} proxy_pass http://up; } }` });

export const sluiceConf = (port, fx, files) => ({
  load: `load_module ${path.resolve(BUILD)}/gateway/ngx_http_sluice_module.so;`,
  http: `
  sluice_replica ${fx}/replica; sluice_audit ${files}/audit; sluice_node bench; sluice_replay ${files}/nonces 64m;
  sluice_link_key ${fx}/keys/link.key; sluice_data_socket ${files}/data.sock; sluice_staleness 3600;
  sluice_state ${files}/state; sluice_keys ${fx}/keys;
  upstream sluice_upstream { server 0.0.0.1; sluice_balancer; keepalive 64; }
  server { listen 127.0.0.1:${port}; sluice on; location / { ${proxied}
      proxy_set_header Host $sluice_host; proxy_set_header Signature ""; proxy_set_header Signature-Input ""; proxy_set_header Sluice-Grant "";
      proxy_pass http://sluice_upstream; } }` });

export function fixture(dir, up, entries) {
  return JSON.parse(sh(`${BUILD}/bench/fixture`, [dir, `127.0.0.1:${up}`, String(entries)]));
}

// id: {credential, grant, path}; key: the app's key pair instead of its secret; batch: requests under one signature.
export function signedRequests(fx, id, port, file, { count = REQUESTS, key = false, batch = 0 } = {}) {
  sh(`${BUILD}/cli/sluice`, ['sign', '--credential', id.credential, ...(key ? ['--key', `${fx}/app.pem`] : ['--secret-file', `${fx}/secret`, '--algorithm', 'hmac-sm3']),
    '--url', `http://127.0.0.1:${port}${id.path}?id=eq.17`, '--grant', id.grant, '--count', String(count), '--out', file, '--raw', '--valid-s', '280',
    ...(batch ? ['--batch-size', String(batch)] : [])]);
}

export function load(port, file, worker, seconds = SECONDS) {
  const before = worker ? cpuUs(worker) : 0;
  const out = spawnSync('taskset', ['-c', '1', 'wrk', '-t1', `-c${process.env.BENCH_CONNECTIONS ?? 16}`, `-d${seconds}s`, '-s', 'bench/replay.lua', `http://127.0.0.1:${port}`],
    { encoding: 'utf8', env: { ...process.env, REQUESTS: file }, timeout: (seconds + 30) * 1000, killSignal: 'SIGKILL' });
  const m = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(out.stdout);
  if (!m) throw new Error(`wrk: ${out.stdout}${out.stderr}`);
  const [requests, us, status, errors, p50, p99] = m.slice(1).map(Number);
  if (status || errors) throw new Error(`${status} refusals, ${errors} errors in ${requests} calls on ${port}`);
  return { rps: requests / (us / 1e6), p50, p99, cpu: worker ? (cpuUs(worker) - before) / requests : 0 };
}

export const best = (runs) => Object.fromEntries(['rps', 'p50', 'p99', 'cpu'].map((k) => [k, median(runs.map((r) => r[k]))]));
export const show = (m) => `${Math.round(m.rps)}/s, p50 ${m.p50} µs, p99 ${m.p99} µs, ${m.cpu.toFixed(1)} µs CPU`;

export async function gateway() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-'));
  const [up, plain, lua, ours] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const file = `/dev/shm/sluice-bench-${process.pid}`; // not on the disk the audit log is written to
  const u = await upstream(dir, up);
  const results = {};
  const sizes = (process.env.BENCH_ENTRIES ?? '10,1000,100000').split(',').map(Number);
  const servers = { plain: await nginx(`${dir}/plain`, plainConf(plain, up), plain, 0), lua: await nginx(`${dir}/lua`, luaConf(lua, up), lua, 0) };
  const ids = {};
  for (const n of sizes) {
    const fx = `${dir}/fx${n}`, port = n === sizes[0] ? ours : await freePort();
    ids[n] = { ...fixture(fx, up, n), fx, port };
    for (const dir of ['audit', 'state/events']) mkdirSync(`${fx}/files/${dir}`, { recursive: true });
    servers[n] = await nginx(`${fx}/nginx`, sluiceConf(port, fx, `${fx}/files`), port, 0);
    ids[n].bytes = Number(sh('du', ['-sB1', `${fx}/replica`]).split('\t')[0]);
  }
  const first = ids[sizes[0]], here = servers[sizes[0]];
  const order = [{ name: 'plain', server: servers.plain, port: plain, id: first }, { name: 'lua', server: servers.lua, port: lua, id: first },
    ...sizes.map((n) => ({ name: n, server: servers[n], port: ids[n].port, id: ids[n] })),
    ...['full', 'cached'].map((name) => ({ name, server: here, port: ours, id: { ...first[name], fx: first.fx } }))];
  for (let i = 0; i < RUNS; i++, order.push(order.shift())) { // another one first in each round
    for (const { name, server, port, id } of order) {
      signedRequests(id.fx, id, port, file);
      (results[name] ??= []).push(load(port, file, server.worker));
    }
  }
  const m = Object.fromEntries(Object.entries(results).map(([k, v]) => [k, best(v)]));
  const a1 = m[sizes[0]];
  row('A1 call, hmac-sm3, decided, masked, audited', show(a1), `plain proxy ${show(m.plain)}`, (a1.rps / m.plain.rps).toFixed(2), '≥ 0.80');
  row('the same', show(a1), `nginx + Lua, HMAC check alone ${show(m.lua)}`, (a1.rps / m.lua.rps).toFixed(2), '> 1.0');
  row('A1 call with four limits, schema and breaker on', show(m.full), `plain proxy ${Math.round(m.plain.rps)}/s`, (m.full.rps / m.plain.rps).toFixed(2), '≥ 0.70');
  row('the same, answers cached for a second before the mask', show(m.cached), `plain proxy ${Math.round(m.plain.rps)}/s`, (m.cached.rps / m.plain.rps).toFixed(2), '≥ 0.70');
  for (const n of sizes.slice(1)) {
    row(`the same with ${n} APIs, apps, credentials, subscriptions, grants`, show(m[n]), `with ${sizes[0]}: ${Math.round(a1.rps)}/s`, (m[n].rps / a1.rps).toFixed(2), '≥ 0.95',
      `${Math.round(ids[n].bytes / n)} bytes an entry of five records on disk; worker ${rssKb(servers[n].worker)} KB resident`);
  }
  for (const s of [...Object.values(servers), u]) await stop(s.child);
  rmSync(file, { force: true });
  if (!process.env.BENCH_KEEP) rmSync(dir, { recursive: true, force: true });
  return m;
}
