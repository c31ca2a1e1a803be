#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the given files, two at a time, skipping those whose preprocessed text has not changed since
they were last clean: tidy.py BUILD JOBS FILE…"""
import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys


def commands(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        return {os.path.normpath(os.path.join(c["directory"], c["file"])): c for c in json.load(f)}


def fingerprint(command):
    """Of everything clang-tidy would see: the text after the preprocessor, and our settings."""
    args = shlex.split(command["command"])
    drop = {i for i, a in enumerate(args) if a in ("-o", "-MF", "-MQ")}
    args = [a for i, a in enumerate(args) if i not in drop and i - 1 not in drop and a not in ("-c", "-MD")]
    run = subprocess.run([*args, "-E"], cwd=command["directory"], capture_output=True)
    with open(".clang-tidy", "rb") as f:
        return hashlib.sha256(run.stdout + f.read()).hexdigest() if run.returncode == 0 else None


def check(build, path, command):
    stamp = os.path.join(build, "tidy", path.replace("/", "_"))
    mark = fingerprint(command)
    if mark and os.path.exists(stamp) and open(stamp, encoding="ascii").read() == mark:
        return ""
    checks = ["--checks=-cert-env33-c"] if path.endswith(("_test.c", "testing.c")) else []  # a test and its helpers may call system(3)
    run = subprocess.run(["clang-tidy", "-p", build, "--quiet", "--warnings-as-errors=*", *checks, path], capture_output=True, text=True)
    if run.returncode != 0:
        return run.stdout + (run.stderr if not run.stdout else "")
    if mark:
        with open(stamp, "w", encoding="ascii") as f:
            f.write(mark)
    return ""


def main(build, jobs, *paths):
    os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
    known = commands(build)
    work = [(p, known[os.path.abspath(p)]) for p in paths if os.path.abspath(p) in known]
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        findings = [f for f in pool.map(lambda w: check(build, *w), work) if f]
    print("".join(findings), end="")
    print(f"   {len(work)} files, {len(findings)} with findings")
    return 1 if findings else 0


sys.exit(main(*sys.argv[1:]))
