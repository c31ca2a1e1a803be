// SPDX-License-Identifier: Apache-2.0
// Discovery of sensitive data: how fast, and how right, on a corpus with labels and look-alikes (docs/classification.md).
//   node bench/classify.mjs            the figures; with PRESIDIO_PYTHON=FILE (a python that has presidio-analyzer) beside it

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { corpus, KINDS } from './classify_corpus.mjs';
import { BUILD, row } from './lib.mjs';

function evaluate(lines) {
  const run = spawnSync(path.join(BUILD, 'libs/detect/detect_eval'), [], { input: lines.join('\n') + '\n', encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`detect_eval: ${run.stderr}`);
  return run.stdout.split('\n').filter(Boolean).map((l) => l.split('\t'));
}

// pairs: [label or null, Set of kinds said]. By kind: how many of what is said is so, how many of what is so is said.
export function score(pairs, kinds) {
  return Object.fromEntries(kinds.map((kind) => {
    const said = pairs.filter(([, s]) => s.has(kind)), so = pairs.filter(([l]) => l === kind), right = said.filter(([l]) => l === kind).length;
    return [kind, { precision: said.length ? right / said.length : 1, recall: so.length ? right / so.length : 1, n: so.length, said: said.length, right }];
  }));
}

function total(scores) {
  const sum = (k) => Object.values(scores).reduce((n, s) => n + s[k], 0);
  return { precision: sum('right') / sum('said'), recall: sum('right') / sum('n') };
}

export function measure() {
  const { values, columns } = corpus();
  const v = evaluate(values.map(({ value }) => `values\t${value}`)).filter(([t]) => t === 'v');
  const proven = ['id-card', 'uscc', 'bank-card', 'mobile', 'email', 'plate', 'address'];
  const byValue = score(values.map(({ label }, i) => [label, new Set((v[i][1] ?? '').trim().split(' '))]), proven);
  const byColumn = score(columns.map((c) => {
    const [, , said] = evaluate(c.values.map((x) => `${c.name}\t${x}`)).find(([t]) => t === 'c');
    return [c.label, new Set(said.trim().split(' ').slice(0, 1).map((s) => s.split('=')[0]))];
  }), Object.keys(KINDS));
  return { values: values.length, columns: columns.length, byValue, byColumn, all: { value: total(byValue), column: total(byColumn) }, labelled: values };
}

// Presidio's recognisers of what it knows too, with their own validation, without a language model: cards, mail, telephones of China.
const PEER = `
import json, sys
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer, PhoneRecognizer
known = [('bank-card', CreditCardRecognizer(), 'CREDIT_CARD'), ('email', EmailRecognizer(), 'EMAIL_ADDRESS'), ('mobile', PhoneRecognizer(supported_regions=('CN',)), 'PHONE_NUMBER')]
for line in sys.stdin:
    value = json.loads(line)
    print(json.dumps([k for k, r, e in known if any(x.score >= 0.4 for x in (r.analyze(value, [e], None) or []))]))
`;
export function peer(values) {
  const python = process.env.PRESIDIO_PYTHON;
  if (!python) return null;
  const run = spawnSync(python, ['-c', PEER], { input: values.map(({ value }) => JSON.stringify(value)).join('\n') + '\n', encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`presidio: ${run.stderr.slice(-400)}`);
  const said = run.stdout.trim().split('\n').map((l) => new Set(JSON.parse(l)));
  return score(values.map(({ label }, i) => [label, said[i]]), ['bank-card', 'email', 'mobile']);
}

const percent = (x) => `${(100 * x).toFixed(1)} %`;

export function discovery() {
  const speed = spawnSync(path.join(BUILD, 'libs/detect/detect_bench'), [], { encoding: 'utf8' }).stdout;
  const mb = Number(/([\d.]+) MB/.exec(speed)[1]), memory = Number(/memchr of the same ([\d.]+)/.exec(speed)[1]);
  row('discovery, one core', `${mb} MB/s`, `${memory} MB/s (memchr)`, (mb / memory).toFixed(2), '≥ 50 MB/s');
  const m = measure(), other = peer(m.labelled);
  const both = (s) => `precision ${percent(s.precision)}, recall ${percent(s.recall)}`;
  row(`discovery, ${m.values} values`, both(m.all.value), '-', '-', 'published');
  row(`discovery, ${m.columns} columns`, both(m.all.column), '-', '-', 'published');
  for (const [kind, s] of Object.entries(other ?? {})) {
    const ours = m.byValue[kind];
    row(`discovery of ${kind}`, both(ours), `${both(s)} (presidio)`, '-', 'beside it');
  }
  return { ...m, labelled: undefined, other };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const m = discovery();
  for (const [what, scores] of [['value', m.byValue], ['column', m.byColumn], ['presidio', m.other ?? {}]]) {
    for (const [kind, s] of Object.entries(scores)) console.log(`${what}\t${kind}\t${s.n}\t${percent(s.precision)}\t${percent(s.recall)}`);
  }
}
