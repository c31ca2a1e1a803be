#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Joins docs/conformance.tsv (clause, requirement, kind, proof) with a test run.

A proof is a part of a test's title. A row without one is "unproven": said, not hidden, and no failure.
Exits 1 when a named proof failed or did not run.
"""
import sys

import results


def rows(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip() or line.startswith(("#", "clause\t")):
                continue
            parts = line.rstrip("\n").split("\t")
            if len(parts) != 4:
                sys.exit(f"{path}:{number}: four columns expected: clause, requirement, kind, proof")
            yield parts


def state_of(proof, run):
    if not proof:
        return "unproven"
    found = [state for state, title in run if proof in title]
    if not found:
        return "missing"
    return "proven" if all(state == "ok" for state in found) else "failing"


def main(table, run_path):
    run = results.read(run_path)
    by_state = {"proven": [], "failing": [], "missing": [], "unproven": []}
    for clause, requirement, _kind, proof in rows(table):
        by_state[state_of(proof, run)].append((clause, requirement, proof))
    for state, found in by_state.items():
        print(f"\n{state}: {len(found)}")
        for clause, requirement, proof in found:
            print(f"  {clause:18} {requirement}" + (f"\n{'':21}proof: {proof}" if proof and state != "proven" else ""))
    print("\n" + ", ".join(f"{len(found)} {state}" for state, found in by_state.items()))
    return 1 if by_state["failing"] or by_state["missing"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
