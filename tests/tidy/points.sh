#!/usr/bin/env python3
"""Every one of the 25 correctness points of the HL7 library has a test with its number in its name."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
found = {}
for file in sorted((root / "tests").rglob("*.cpp")):
    for number in re.findall(r'TEST_CASE\("point (\d\d):', file.read_text(encoding="utf-8")):
        found.setdefault(int(number), []).append(file.relative_to(root).as_posix())
missing = [n for n in range(1, 26) if n not in found]
for number in missing:
    print(f"point {number:02}: no test")
print(f"{len(found)} of 25 points have a test")
sys.exit(1 if missing else 0)
