// SPDX-License-Identifier: Apache-2.0
// What size costs: a call among 50,000 routes while 100 of the others change each second, against the same while they
// stand still; memory of an idle connection and of 10,000 APIs.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import net from 'node:net';
import { BUILD, delay, freePort, row, rssKb, start, stop } from './lib.mjs';
import { best, fixture, load, nginx, signedRequests, sluiceConf, upstream } from './gateway.mjs';

const RUNS = Number(process.env.BENCH_RUNS ?? 5), SECONDS = Number(process.env.BENCH_SECONDS ?? 3);
const ROUTES = Number(process.env.BENCH_ROUTES ?? 50000), CHANGES = 100;

async function gatewayWith(dir, up, entries) {
  const fx = `${dir}/fx${entries}`, port = await freePort(), id = fixture(fx, up, entries);
  for (const sub of ['audit', 'state/events']) mkdirSync(`${fx}/files/${sub}`, { recursive: true });
  return { fx, port, id, server: await nginx(`${fx}/nginx`, sluiceConf(port, fx, `${fx}/files`), port, 0) };
}

async function scratch(work) {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-')), up = await freePort();
  const u = await upstream(dir, up);
  try { await work(dir, up); } finally {
    await stop(u.child);
    rmSync(dir, { recursive: true, force: true });
  }
}

export async function routes() {
  await scratch(async (dir, up) => {
    const g = await gatewayWith(dir, up, ROUTES), file = `/dev/shm/sluice-bench-${process.pid}`, results = { idle: [], changing: [] };
    const measure = async (name) => {
      signedRequests(g.fx, g.id, g.port, file);
      const churn = name === 'changing' && start('taskset', ['-c', '1', `${BUILD}/bench/fixture`, g.fx, `127.0.0.1:${up}`, String(ROUTES), String(CHANGES), String(SECONDS + 2)]);
      if (churn) await delay(500);
      results[name].push(load(g.port, file, g.server.worker));
      if (churn) await stop(churn);
    };
    const order = ['idle', 'changing'];
    for (let i = 0; i < RUNS; i++, order.push(order.shift())) for (const name of order) await measure(name);
    const [idle, changing] = [best(results.idle), best(results.changing)];
    const show = (m) => `${Math.round(m.rps)}/s, p50 ${m.p50} µs, p99 ${m.p99} µs`;
    row(`A1 call among ${ROUTES} routes, ${CHANGES} changes a second`, show(changing), `no changes ${show(idle)}`,
      `p50 ${(changing.p50 / idle.p50).toFixed(2)}, p99 ${(changing.p99 / idle.p99).toFixed(2)}`, '≤ 1.10');
    await stop(g.server.child);
    rmSync(file, { force: true });
  });
}

const connect = (port) => new Promise((done, fail) => { const s = net.connect(port, '127.0.0.1', () => done(s)).on('error', fail); });

export async function memory(connections = 900, apis = 10000) {
  await scratch(async (dir, up) => {
    const few = await gatewayWith(dir, up, 10), many = await gatewayWith(dir, up, apis);
    const before = rssKb(few.server.worker), open = [];
    for (let i = 0; i < connections; i++) open.push(await connect(few.port));
    for (const s of open) s.write('GET /none HTTP/1.1\r\nHost: x\r\n\r\n'); // answered and kept alive: an idle connection, not an unborn one
    await delay(1000);
    const each = ((rssKb(few.server.worker) - before) * 1024) / connections;
    for (const s of open) s.destroy();
    row('memory of an idle kept-alive connection, without TLS', `${Math.round(each)} bytes`, 'stated', `${connections} connections`, 'stated');
    const disk = (g) => statSync(`${g.fx}/replica/data.mdb`).blocks * 512;
    row(`memory of ${apis} APIs with an app, credential, subscription and grant each`, `${((disk(many) - disk(few)) / 2 ** 20).toFixed(1)} MiB of replica, shared by the workers`,
      `worker's own at start: ${rssKb(few.server.worker)} KB with 10, ${rssKb(many.server.worker)} KB with ${apis}`, '', 'stated');
    for (const g of [few, many]) await stop(g.server.child);
  });
}
