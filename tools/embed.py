#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file as the bytes of a C array: embed.py OUT IN."""
import sys

out, source = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
with open(out, "w", encoding="ascii") as target:
    for at in range(0, len(data), 20):
        target.write("".join(f"{byte}," for byte in data[at : at + 20]) + "\n")
