#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Test results, one a line: "ok|not ok<TAB>title".

  names [--only A,B] [FILTER…]   reads `meson introspect --tests`, prints the tests' names
  targets NAME…                 the same input, prints the programs to build
  unit TESTLOG.JSON LABEL       rows of a meson run: one for each cmocka test
  summary RESULTS               the failures, then "N passed, N failed"; exits 1 when any failed
"""
import json
import os
import re
import sys

TAP = re.compile(r"^(ok|not ok)\s+\d+\s*-?\s*(.*)$")


def names(args):
    only = None
    if args[:1] == ["--only"]:
        only, args = args[1].split(","), args[2:]
    for test in json.load(sys.stdin):
        name = test["name"]
        match = not args or any(name == a[1:] if a.startswith("=") else a in name for a in args)
        if match and (only is None or name in only):
            print(name)


def targets(args):
    wanted = set(args)
    for test in json.load(sys.stdin):
        if test["name"] in wanted:
            print(os.path.relpath(test["cmd"][0], "build-tsan"))


def tap_rows(text):
    for line in text.splitlines():
        found = TAP.match(line.strip())
        if found:
            yield found.group(1), found.group(2).split(" # ")[0]


def unit(args):
    path, label = args
    prefix = "" if label == "asan" else f"({label}) "
    with open(path, encoding="utf-8", errors="replace") as f:
        runs = [json.loads(line) for line in f if line.strip()]
    for run in runs:
        rows = list(tap_rows(run.get("stdout") or ""))
        good = run["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
        if not rows:
            rows = [("ok" if good else "not ok", run["name"])]
        elif not good and all(state == "ok" for state, _ in rows):
            rows.append(("not ok", f"{run['name']}: {run['result']} (crash, sanitizer report or timeout)"))
        for state, title in rows:
            print(f"{state}\t{prefix}{title}")


def read(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t", 1) for line in f if "\t" in line]


def summary(args):
    rows = read(args[0])
    failed = [title for state, title in rows if state != "ok"]
    if failed:
        print("\nfailed:")
        print("\n".join(f"  {title}" for title in failed))
    print(f"\n{len(rows) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not rows else 0)


COMMANDS = {"names": names, "targets": targets, "unit": unit, "summary": summary}
if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](sys.argv[2:])
