// SPDX-License-Identifier: Apache-2.0
// What protection costs: this core's cryptography, an A2 call with SM2 both ways, JSON to XML and back.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BUILD, freePort, median, row, sh, stop } from './lib.mjs';
import { best, fixture, load, nginx, show, signedRequests, sluiceConf, upstream } from './gateway.mjs';

const RUNS = Number(process.env.BENCH_RUNS ?? 5), SECONDS = Number(process.env.BENCH_SECONDS ?? 3);

// {name: value} of a bench program's lines.
const measured = (program) => Object.fromEntries(sh('taskset', ['-c', '0', `${BUILD}/bench/${program}`]).trim().split('\n')
  .map((line) => /^(.*?)[\t ]+([\d.]+)[\t ]+\S+$/.exec(line)).map(([, name, value]) => [name, Number(value)]));

const per = (n) => `${Math.round(n)}/s`, mb = (n) => `${Math.round(n)} MB/s`;

export async function crypto() {
  const m = measured('crypto_bench');
  for (const work of ['sign', 'verify']) {
    const [ours, peer] = [m[`sluice sm2-sm3 ${work}`], m[`openssl sm2-sm3 ${work}`]];
    row(`SM2 ${work}, Botan (the provider)`, per(ours), `OpenSSL ${per(peer)}`, (ours / peer).toFixed(2), 'the faster is used');
  }
  row('SM3', mb(m['sluice sm3']), 'the bar', '', '≥ 400 MB/s');
  row('SM4-GCM, seal', mb(m['sluice sm4-gcm seal']), `open ${mb(m['sluice sm4-gcm open'])}`, '', '≥ 500 MB/s');
}

export async function convert() {
  const m = measured('convert_bench'), peer = m.libxml2_parse_serialise;
  row('JSON → XML by definition', mb(m.convert_json_to_xml), `libxml2 parse + serialise of that XML ${mb(peer)}`, (m.convert_json_to_xml / peer).toFixed(2), 'stated');
  row('XML → JSON by definition', mb(m.convert_xml_to_json), `the same ${mb(peer)}`, (m.convert_xml_to_json / peer).toFixed(2), 'stated');
}

// One worker on core 0 verifies and signs; what one core verifies alone is the limit.
export async function a2() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-bench-')), [up, port] = [await freePort(), await freePort()];
  const file = `/dev/shm/sluice-bench-${process.pid}`, fx = `${dir}/fx`, results = {};
  const u = await upstream(dir, up), id = fixture(fx, up, 10);
  for (const sub of ['audit', 'state/events']) mkdirSync(`${fx}/files/${sub}`, { recursive: true });
  const server = await nginx(`${fx}/nginx`, sluiceConf(port, fx, `${fx}/files`), port, 0);
  const kinds = [['a1', () => signedRequests(fx, id, port, file)], ['a2', () => signedRequests(fx, id.a2, port, file, { key: true, count: 8000 * SECONDS })],
    ['batch', () => signedRequests(fx, id.a2, port, file, { key: true, batch: 32, count: 40000 * SECONDS })]];
  const verify = [];
  for (let i = 0; i < RUNS; i++, kinds.push(kinds.shift())) {
    if (i % 2 === 0) verify.push(measured('crypto_bench')['sluice sm2-sm3 verify']);
    for (const [name, make] of kinds) {
      make();
      (results[name] ??= []).push(load(port, file, server.worker, SECONDS));
    }
  }
  const [a1, single, batch, raw] = [best(results.a1), best(results.a2), best(results.batch), median(verify)];
  row('A2 call, each request signed with SM2, answers signed in batches', show(single), `SM2 verifications alone ${per(raw)}`, (single.rps / raw).toFixed(2), '≥ 0.85');
  row('A2 call, requests in batches of 32', show(batch), `A1 call in the same run ${per(a1.rps)}`, (batch.rps / a1.rps).toFixed(2), '≥ 0.5');
  await stop(server.child);
  await stop(u.child);
  rmSync(file, { force: true });
  rmSync(dir, { recursive: true, force: true });
}
