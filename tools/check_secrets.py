#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Private keys, plain or encrypted, in source, build outputs and packages (BK-7.3.4b1): check_secrets.py [PATH...], by
default every file git knows and, where they are built, the programs and the packed SDK. A place, not the key, is printed."""
import glob
import os
import re
import subprocess
import sys
import tarfile

GAP = rb"(?:\s|\\r|\\n|\\|\"|'|`|[+,])*"
PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----" + GAP + rb"(?:Proc-Type:[^\n]*\n[^\n]*\n\s*)?[A-Za-z0-9+/=]{40,}")
JWK = re.compile(rb"[\"']d[\"']\s*:\s*[\"'][A-Za-z0-9_-]{40,}[\"']")
KINDS = ((PEM, "a private key in PEM"), (JWK, "a private key as JWK"))
# Seeds of fuzz targets: keys made for them and used for nothing else.
ALLOWED = {"libs/crypto/corpus/key_pair_p256", "libs/crypto/corpus/key_pair_sm2", "libs/jwe/jwe_fuzz.c"}
BUILT = ("build*/cli/sluice", "build*/gateway/*.so", "sdk/dist/*")
MOST = 256 << 20


def default_paths():
    run = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True)
    built = [path for pattern in BUILT for path in glob.glob(pattern)]
    return [path for path in sorted(set(run.stdout.splitlines())) if path not in ALLOWED] + built


def below(path):
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


# A package is looked into: packed, a key would be seen by nobody.
def contents(path):
    if path.endswith((".tgz", ".tar.gz")):
        with tarfile.open(path) as package:
            for member in package:
                if member.isfile():
                    yield f"{path}!{member.name}", package.extractfile(member).read(MOST)
    else:
        with open(path, "rb") as f:
            yield path, f.read(MOST)


def findings(path):
    if not os.path.isfile(path) or os.path.islink(path):
        return
    for place, data in contents(path):
        for pattern, what in KINDS:
            for hit in pattern.finditer(data):
                yield place, data.count(b"\n", 0, hit.start()) + 1, what


def main():
    paths = [each for path in sys.argv[1:] for each in below(path)] or default_paths()
    found = [finding for path in paths for finding in findings(path)]
    for path, line, what in found:
        print(f"{path}:{line}: {what}: whoever has the code has the key\n  way out: take it out, count it as given away, make another and seal it (sluice keystore seal)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
