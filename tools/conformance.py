#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Joins docs/conformance.tsv (clause, requirement, kind, proof, part) with a test run.

A proof is a part of a test's title; every test it fits must have passed. `part` says what of the clause is
still missing: empty when nothing is. A row without a proof is "unproven": said, not hidden, and no failure.
Exits 1 when a named proof failed or did not run.
"""
import sys

import results

STATES = ("whole", "partly", "failing", "missing", "unproven")
COLUMNS = ("clause", "requirement", "kind", "proof", "part")


def rows(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip() or line.startswith(("#", "clause\t")):
                continue
            parts = line.rstrip("\n").split("\t")
            if len(parts) != len(COLUMNS):
                sys.exit(f"{path}:{number}: five columns expected: {', '.join(COLUMNS)}")
            yield dict(zip(COLUMNS, parts))


def state_of(row, run):
    if not row["proof"]:
        return "unproven"
    found = [state for state, title in run if row["proof"] in title]
    if not found:
        return "missing"
    if not all(state == "ok" for state in found):
        return "failing"
    return "partly" if row["part"] else "whole"


def show(state, found):
    print(f"\n{state}: {len(found)}")
    for row in found:
        print(f"  {row['clause']:18} {row['requirement']}")
        if row["part"]:
            print(f"{'':21}still missing: {row['part']}")
        if state in ("failing", "missing"):
            print(f"{'':21}proof: {row['proof']}")


def counts(of):
    of = list(of)
    return ", ".join(f"{sum(1 for s in of if s == state)} {state}" for state in STATES)


def main(table, run_path):
    run = results.read(run_path)
    by_state = {state: [] for state in STATES}
    clauses = {}  # each clause is no better than its worst row
    for row in rows(table):
        state = state_of(row, run)
        by_state[state].append(row)
        clauses[row["clause"]] = max(clauses.get(row["clause"], "whole"), state, key=STATES.index)
    for state, found in by_state.items():
        show(state, found)
    print(f"\nrows:    {counts(s for s in STATES for _ in by_state[s])}")
    print(f"clauses: {counts(clauses.values())}")
    return 1 if by_state["failing"] or by_state["missing"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
