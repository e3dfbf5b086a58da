#!/usr/bin/env python3
"""Runs a crash test and writes what it measured into tests/crash/ledger.json and REPORT.md; nothing else writes there.

    record.py SOURCE NAME -- COMMAND…      e.g. record.py . "power loss" -- build/release/crash_power_loss power --states 2000000

The last line that the command prints is the result; a run that fails is recorded as failed.
"""
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

UNITS = {"states": r"(\d+) states", "kills": r"(\d+) kills", "failed calls": r"after (\d+) calls", "messages": r"(\d+) (?:acknowledged )?messages"}


def total(rows, name, pattern):
    return sum(int(m.group(1)) for row in rows if row["name"] == name and row["passed"] for m in [re.search(pattern, row["result"])] if m)


def main():
    source, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    command = sys.argv[sys.argv.index("--") + 1:]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    sys.stdout.write(done.stdout)
    lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith(("ok", "all "))]
    here = source / "tests/crash"
    ledger = here / "ledger.json"
    rows = json.loads(ledger.read_text()) if ledger.exists() else []
    commit = subprocess.run(["git", "-C", str(source), "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True).stdout.strip()
    rows.append({"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M"), "commit": commit, "name": name,
                 "command": " ".join(pathlib.Path(w).name if "/" in w and i == 0 else w for i, w in enumerate(command)),
                 "processors": os.cpu_count(), "passed": done.returncode == 0, "result": lines[-1] if lines else ""})
    ledger.write_text(json.dumps(rows, indent=1) + "\n")
    text = ["# What the crash tests measured", "",
            "Written by `record.py` from `ledger.json`; every row is one run. Cumulative, of runs that passed:", ""]
    for kind in dict.fromkeys(row["name"] for row in rows):
        sums = [f"{total(rows, kind, pattern):,} {unit}" for unit, pattern in UNITS.items() if total(rows, kind, pattern)]
        text.append(f"- **{kind}**: " + ", ".join(sums))
    text += ["", "| When (UTC) | Commit | What | Result |", "|---|---|---|---|"]
    text += [f"| {r['date']} | {r['commit']} | {r['name']}: `{r['command']}` | {'' if r['passed'] else '**FAILED** '}{r['result']} |" for r in rows]
    (here / "REPORT.md").write_text("\n".join(text) + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
