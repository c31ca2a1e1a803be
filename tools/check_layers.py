#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arrows between the rooms (ARCHITECTURE.md). A forbidden include fails with its reason and the way out."""
import re
import subprocess
import sys

# A library may lean on those before it.
LIBS = ["base", "id", "crypto", "hsm", "jwe", "problem", "mask", "plan", "schema", "convert", "graph", "policy", "link", "token", "jwt", "replay", "merkle", "mapfile", "metric",
        "limit", "lists", "targets", "httpsig", "replica", "audit"]
# room -> rooms it may include besides itself and libs
ROOMS = {
    "gateway": [],
    "control": [],
    "node": [],
    "data": ["node"],  # the feed client alone
    "cli": ["control", "data", "node"],
    "bench": ["node"],  # a bench makes the files of a node
}
BECAUSE = {
    ("gateway", "control"): "a call must be served while the control plane is away; they meet only in contract/",
    ("control", "gateway"): "the control plane must not know how a gateway works; they meet only in contract/",
    ("gateway", "data"): "the gateway reaches the data service over its socket, as it reaches any upstream",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def room_of(path):
    parts = path.split("/")
    return ("libs", parts[1]) if parts[0] == "libs" and len(parts) > 2 else (parts[0], None)


def target_of(include):
    head = include.split("/")[0] if "/" in include else None
    if head in LIBS:
        return "libs", head
    return (head, None) if head in ROOMS else (None, None)


def refusal(path, include):
    if include.startswith(".."):
        return "an include that climbs hides where it goes", 'name it from the root of its room: "libs/…" headers as "mask/mask.h"'
    room, lib = room_of(path)
    target, target_lib = target_of(include)
    if target is None or target == room and lib == target_lib:
        return None
    if room == "libs":
        if target != "libs":
            return f"libs are pure and know no {target}", f"pass what is needed into the function, or move the code to {target}/"
        if lib in LIBS and LIBS.index(target_lib) > LIBS.index(lib):
            return f"{lib} comes before {target_lib} in the order of libraries", "move the shared part down, or this code up"
        return None
    if room in ROOMS and target != "libs" and target != room and target not in ROOMS[room]:
        return BECAUSE.get((room, target), f"{room} may lean on libs{''.join(', ' + r for r in ROOMS[room])} alone"), \
            "put what both need in libs/, or say it in contract/"
    return None


def main():
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.c", "*.h"],
                           capture_output=True, text=True, check=True).stdout.split()
    bad = 0
    for path in files:
        try:
            lines = open(path, encoding="utf-8").read().splitlines()
        except FileNotFoundError:
            continue
        for number, line in enumerate(lines, 1):
            found = INCLUDE.match(line)
            why = refusal(path, found.group(1)) if found else None
            if why:
                bad += 1
                print(f"{path}:{number}: {found.group(1)}\n  because: {why[0]}\n  way out: {why[1]}")
    return 1 if bad else 0


sys.exit(main())
