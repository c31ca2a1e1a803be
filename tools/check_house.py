#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules a machine can check, each with its reason and the way out. tools/house_exceptions.tsv holds the
exceptions: path or path:function, a tab, the reason."""
import json
import re
import subprocess
import sys

FILE_LINES, FUNCTION_LINES = 800, 60
SPDX = "SPDX-License-Identifier: Apache-2.0"
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
CLAUSE = re.compile(r"\[((?:EC|SW|BK|CI|GS)-[^\]\s]+(?:[ ,]+(?:EC|SW|BK|CI|GS)-[^\]\s]+)*)\]")
SOURCES = ("*.c", "*.h", "*.mjs", "*.js", "*.py", "*.sh", "meson.build", "*/meson.build", "dev", ".ci/run", "bench/run")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def files(*patterns):
    run = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], capture_output=True, text=True, check=True)
    out = []
    for path in sorted(set(run.stdout.splitlines())):
        try:
            read(path)
            out.append(path)
        except FileNotFoundError:
            pass  # deleted and not yet committed
    return out


def table(path, columns):
    rows = [line.split("\t") for line in read(path).splitlines() if line and not line.startswith("#")]
    for row in rows:
        if len(row) < columns or not row[columns - 1].strip():
            sys.exit(f"{path}: '{row[0]}' needs {columns} columns, none of them empty")
    return rows


def check_spdx(path, text):
    head = text.splitlines()[:2]
    want = head[1:2] if head and head[0].startswith("#!") else head[:1]
    if not want or SPDX not in want[0]:
        yield path, 1, "the first line names no license", f"put '{SPDX}' there as a comment (below #!)"


def check_length(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield path, lines, f"{lines} lines: nobody keeps more than {FILE_LINES} in the head", "split it by what changes together"


def check_finished(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield path, number, "unfinished work is not kept in comments", "finish it, or file an issue"


def functions(paths):
    if not paths:
        return
    run = subprocess.run(["ctags", "--output-format=json", "--fields=+ne", "--kinds-C=f", "-f", "-", *paths], capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        tag = json.loads(line)
        if "end" in tag:
            yield tag["path"], tag["name"], tag["line"], tag["end"] - tag["line"] + 1


def check_functions(paths, excused):
    for path, name, line, length in functions(paths):
        if length > FUNCTION_LINES and f"{path}:{name}" not in excused:
            yield path, line, f"{name}() has {length} lines: more than {FUNCTION_LINES} cannot be read at once", \
                "take a step out into a function of its own"


# A title that cites a clause claims to prove it, so the clause must be in the conformance table. Said once a clause.
def check_clauses(paths, known):
    for path in paths:
        for number, line in enumerate(read(path).splitlines(), 1):
            for clause in {c for cited in CLAUSE.findall(line) for c in re.split(r"[ ,]+", cited)} - known:
                known.add(clause)
                yield path, number, f"{clause} is not in docs/conformance.tsv", "add its row, with this test's title as the proof"


def main():
    excused = {row[0] for row in table("tools/house_exceptions.tsv", 2)}
    known = {row[0] for row in table("docs/conformance.tsv", 3)}
    found = []
    for path in files(*SOURCES):
        text = read(path)
        for check in (check_spdx, check_length, check_finished):
            found += [f for f in check(path, text) if path not in excused]
    found += check_functions(files("*.c"), excused)
    found += check_clauses(files("*_test.c", "*.test.mjs"), known)
    for path, number, because, way_out in found:
        print(f"{path}:{number}: {because}\n  way out: {way_out}")
    return 1 if found else 0


sys.exit(main())
