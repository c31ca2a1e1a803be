#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""redis_script.lua as the bytes of a C array: gen_script.py OUT IN."""
import sys

out, script = sys.argv[1:]
with open(script, "rb") as source:
    data = source.read()
with open(out, "w", encoding="ascii") as target:
    for at in range(0, len(data), 20):
        target.write("".join(f"{byte}," for byte in data[at : at + 20]) + "\n")
