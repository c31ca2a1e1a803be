#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""contract/errors.tsv -> codes.h (enum) | table.inc (rows) | errors.md (docs)."""
import sys

def rows(path):
    with open(path, encoding="utf-8") as f:
        lines = [l.rstrip("\n").split("\t") for l in f if l.strip() and not l.startswith("#")]
    for i, r in enumerate(lines):
        if len(r) != 6 or int(r[0]) != i:
            sys.exit(f"{path}: row {i}: six columns and number {i} expected, got {r}")
    return lines

def name(code):
    return "PROBLEM_" + code.upper().replace("-", "_")

def codes_h(rs):
    out = ["/* SPDX-License-Identifier: Apache-2.0 */", "/* Generated from contract/errors.tsv: do not edit. */",
           "#pragma once", "", "enum problem {"]
    out += [f"    {name(r[1])} = {r[0]}," for r in rs]
    return out + ["    PROBLEM_COUNT", "};"]

def table_inc(rs):
    q = lambda s: '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'
    clauses = lambda c: q("" if c == "-" else c)
    return [f"    [{name(r[1])}] = {{ {q(r[1])}, {r[2]}, {clauses(r[3])}, {q(r[4])}, {q(r[5])} }}," for r in rs]

def errors_md(rs):
    out = ["# Error codes", "", "Generated from `contract/errors.tsv` by `./dev docs`. Every refusal is `application/problem+json` (RFC 9457);",
           "`code` is stable and its number is what audit records hold.", "", "| number | code | HTTP | meaning | 含义 | clauses |", "|---|---|---|---|---|---|"]
    return out + [f"| {r[0]} | `{r[1]}` | {r[2]} | {r[4]} | {r[5]} | {r[3]} |" for r in rs]

kind, src, dst = sys.argv[1:4]
text = "\n".join({"codes": codes_h, "table": table_inc, "docs": errors_md}[kind](rows(src))) + "\n"
with open(dst, "w", encoding="utf-8") as f:
    f.write(text)
