#!/usr/bin/env python3
"""Every event that the code logs stands in the list of engine/observe/README.md with what to do about it, and nothing else does."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
used = {}
for folder in ("engine", "channels", "mappings", "fhir", "hl7"):
    for file in sorted((root / folder).rglob("*.cpp")):
        text = file.read_text(encoding="utf-8")
        # base::log(LEVEL, EVENT, {fields}): the event may be a choice between two.
        for call in re.finditer(r"\b(?:base::log|begin_line)\(([^{;]{1,300}?)(?:\{|\);)", text):
            for event in re.findall(r"\"([a-z0-9]+(?:-[a-z0-9]+)*)\"", call.group(1)):
                used.setdefault(event, file.relative_to(root).as_posix())
page = (root / "engine/observe/README.md").read_text(encoding="utf-8").split("## Log events", 1)[-1]
listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|$", page, re.M))
failures = [f"{used[name]}: the event {name} is not in the list of engine/observe/README.md" for name in sorted(used) if name not in listed]
failures += [f"engine/observe/README.md: nothing logs {name}" for name in sorted(listed) if name not in used]
failures += [f"engine/observe/README.md: {name} does not say what to do" for name, what in listed.items() if len(what) < 20]
print("\n".join(failures) if failures else f"{len(used)} log events are listed")
sys.exit(1 if failures or not used else 0)
