#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The portal's built files as part of the program: embed_portal.py ROWS ASSEMBLY PACK DIST.

PACK holds all bytes, each file as it is and compressed; ASSEMBLY takes PACK in; ROWS is a C table of what is where. Where
DIST is not there (the portal was not built: ./dev builds it) the table is empty. An output that would not change is left
alone, so that nothing is compiled anew."""
import gzip
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png"}


def write(path, data):
    target = pathlib.Path(path)
    if not target.exists() or target.read_bytes() != data:
        target.write_bytes(data)


rows_path, assembly_path, pack_path, dist = sys.argv[1:]
pack, rows = bytearray(), []
for file in sorted(pathlib.Path(dist).rglob("*")):
    name = file.relative_to(dist).as_posix()
    if not file.is_file() or name.startswith("."):
        continue
    if file.suffix not in TYPES:
        sys.exit(f"embed_portal: {name}: what its type is stands in no table; add it to TYPES")
    data = file.read_bytes()
    packed = gzip.compress(data, 9, mtime=0)
    # Only what Vite named after its content never changes under its name.
    rows.append(f'{{"{name}", "{TYPES[file.suffix]}", "\\"{hashlib.sha256(data).hexdigest()[:32]}\\"", {len(pack)}, {len(data)}, '
                f'{len(pack) + len(data)}, {len(packed)}, {"true" if name.startswith("assets/") else "false"}}},\n')
    pack += data + packed
digest = hashlib.sha256(pack).hexdigest()
write(pack_path, bytes(pack))
write(rows_path, ("".join(rows) or "{0},\n").encode())
write(assembly_path, f"""/* {digest} */
.section .rodata
.global portal_pack
.balign 16
portal_pack:
.incbin "{pathlib.Path(pack_path).resolve()}"
.byte 0
.section .note.GNU-stack,"",%progbits
""".encode())
