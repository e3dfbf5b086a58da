#!/usr/bin/env python3
"""An include may only point down the list of architecture.md: engine, channels, mappings, hl7 and fhir, engine/base."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
ALLOWED = {
    "engine": {"engine", "channels", "mappings", "hl7", "fhir", "base"},
    "channels": {"channels", "mappings", "hl7", "fhir", "base"},
    "mappings": {"mappings", "hl7", "fhir", "base"},
    "hl7": {"hl7", "base"},
    "fhir": {"fhir", "base"},
    "base": {"base"},
}


def layer(path):
    if path.startswith("engine/base/"):
        return "base"
    top = path.split("/", 1)[0]
    return top if top in ALLOWED else None


failures = []
checked = 0
for file in sorted(root.glob("*/**/*")):
    if file.suffix not in (".h", ".cpp", ".inc"):
        continue
    name = file.relative_to(root).as_posix()
    mine = layer(name)
    if mine is None:
        continue
    checked += 1
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not found:
            continue
        target = found.group(1)
        theirs = layer(target)
        if theirs is None:
            failures.append(f"{name}:{number}: `{target}` is not rooted in the repository")
        elif theirs not in ALLOWED[mine]:
            failures.append(f"{name}:{number}: {mine} must not include {theirs} ({target})")
        elif "/detail/" in target and theirs != mine:
            failures.append(f"{name}:{number}: {target} is private to {theirs}")
        elif not (root / target).exists() and "generated" not in target:
            failures.append(f"{name}:{number}: {target} does not exist")

print("\n".join(failures) if failures else f"{checked} files: every include points down")
sys.exit(1 if failures or checked == 0 else 0)
