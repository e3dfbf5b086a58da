#!/usr/bin/env python3
"""The tables of the HL7 dictionary take at most 1 MB of a program, read-only and with nothing for the loader to relocate."""
import pathlib
import re
import subprocess
import sys

LIMIT = 1 << 20
archive = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "build/dev") / "libkiln_hl7.a"
if not archive.exists():
    print(f"skipped: {archive} is not built")
    sys.exit(4)
listing = subprocess.run(["nm", "-S", "-C", "--defined-only", str(archive)], capture_output=True, text=True).stdout
tables = re.findall(r"^\S+ ([0-9a-f]+) (\S) kiln::hl7::detail::(k[A-Z]\w*)$", listing, re.M)
total = sum(int(size, 16) for size, _, _ in tables)
print(f"dictionary: {len(tables)} tables, {total} bytes of at most {LIMIT}")
writable = [name for _, kind, name in tables if kind not in "Rr"]
if writable:
    print("not read-only:", *writable)
sys.exit(1 if len(tables) < 20 or total > LIMIT or writable else 0)
