#!/usr/bin/env python3
"""The user fixed the top level of the repository; every folder of the architecture has a README."""
import pathlib
import subprocess
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
FIXED = {"CMakeLists.txt", "CMakePresets.json", "engine", "fhir", "hl7", "mappings", "channels", "tests", "examples", "LICENSE",
         "README.md"}
listed = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
tops = {line.split("/", 1)[0] for line in listed if line}
failures = [f"top level: {name} does not belong there" for name in sorted(tops) if name not in FIXED and not name.startswith(".")]
for folder in ("engine", "engine/base", "engine/journal", "engine/store", "fhir", "fhir/definitions", "hl7", "hl7/dictionary", "mappings",
               "channels", "tests", "tests/bench", "tests/crash", "examples", "examples/quickstart"):
    if not (root / folder / "README.md").exists():
        failures.append(f"{folder} has no README.md")
print("\n".join(failures) if failures else "the top level and the folder pages are as fixed")
sys.exit(1 if failures or not tops else 0)
