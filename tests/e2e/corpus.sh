#!/usr/bin/env python3
"""Real input: every message of tiers A and B of the shared corpus converts with the shipped library, or is refused with a
named error; none crashes. Then the v2-to-FHIR scorer runs over them and its total is printed.

    corpus.sh SOURCE BUILD
"""
import collections
import concurrent.futures
import csv
import pathlib
import re
import subprocess
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
shared = source.resolve().parent / "shared"
manifest = shared / "corpus/hl7v2/manifest.tsv"
if not manifest.exists():
    print("skipped: the shared corpus is not beside this checkout")
    sys.exit(4)
kiln = str(build / "kiln")


def convert(row):
    path = manifest.parent / row["file"]
    run = subprocess.run([kiln, "convert", "--map", "std.v2fhir", "--to", "fhir", "--quiet", str(path)], capture_output=True,
                         timeout=60)
    return row, run.returncode, run.stdout, run.stderr.decode(errors="replace")


with open(manifest, encoding="utf-8", newline="") as file:
    rows = [row for row in csv.DictReader(file, delimiter="\t") if row["tier"] in ("A", "B")]
kinds = collections.defaultdict(collections.Counter)
reasons = collections.Counter()
failures = []
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for row, code, out, err in pool.map(convert, rows):
        kind = row["type"].split("^")[0]
        if code == 0 and out.strip().startswith(b"{"):
            kinds[kind]["converted"] += 1
        elif code == 0 and "wrote nothing" in err:
            kinds[kind]["empty"] += 1
        elif code == 1 and err.strip():
            kinds[kind]["refused"] += 1
            reasons[re.sub(r"^[^:]*\.(hl7|txt|er7)[^:]*: ", "", err.strip().splitlines()[-1])[:110]] += 1
        else:
            failures.append(f"{row['file']}: exit {code}: {err.strip()[-200:]}")
for kind, counts in sorted(kinds.items()):
    print(f"{kind}: {counts['converted']} converted, {counts['refused']} refused, {counts['empty']} empty (no rule had anything to say)")
for reason, count in reasons.most_common(20):
    print(f"  {count} x {reason}")
print("\n".join(failures))
scored = subprocess.run([str(shared / "tools/score-v2-to-fhir/score-corpus.sh"),
                         f"{kiln} convert --map std.v2fhir --to fhir --quiet {{}}", "--jobs", "2"], capture_output=True, text=True)
print(scored.stdout[-1500:])
if scored.returncode != 0:
    failures.append("the scorer failed: " + scored.stderr[-500:])
sys.exit(1 if failures or not rows else 0)
