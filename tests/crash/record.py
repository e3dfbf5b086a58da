#!/usr/bin/env python3
"""Runs a crash test and writes what it measured into tests/crash/ledger.json and REPORT.md; nothing else writes there.

    record.py SOURCE NAME [--times N] [--into DIR] -- COMMAND…
        e.g. record.py . "power loss" -- build/release/crash_power_loss power --states 2000000
    record.py SOURCE --print                      REPORT.md again, from the ledger

The last line that the command prints is the result; a run that fails is recorded as failed. With --times the command runs again
and again, each run with a `--seed` of its own where the command names none, and ends with the first that fails. With --into the
rows go to a file of that folder, `record.py SOURCE --merge FILE` takes them over: a long run need not hold the checkout.
"""
import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import sys

UNITS = {"states": r"(\d+) states", "kills": r"(\d+) kills", "power cuts": r"(\d+) power cuts", "failed calls": r"after (\d+) calls",
         "seeds": r"(\d+) seeds from", "scenarios": r"(\d+) scenarios", "reloads": r"(\d+) reloads",
         "messages": r"(\d+) (?:acknowledged )?messages"}


def total(rows, pattern):
    return sum(int(m.group(1)) for row in rows if row["passed"] for m in [re.search(pattern, row["result"])] if m)


def sums(rows):
    return ", ".join(f"{total(rows, pattern):,} {unit}" for unit, pattern in UNITS.items() if total(rows, pattern))


def print_report(here, rows):
    """One line for a run; runs of one command at one commit, which differ in their seeds, are one line together."""
    text = ["# What the crash tests measured", "",
            "Written by `record.py` from `ledger.json`. Cumulative, of runs that passed:", ""]
    for name in dict.fromkeys(row["name"] for row in rows):
        text.append(f"- **{name}**: " + sums([row for row in rows if row["name"] == name]))
    text += ["", "| When (UTC) | Commit | What | Result |", "|---|---|---|---|"]
    groups = {}
    for row in rows:
        key = (row["commit"], row["name"], re.sub(r" (--seed|--from) \d+", "", row["command"]), row["passed"])
        groups.setdefault(key if row["passed"] else (*key, len(groups)), []).append(row)
    for (commit, name, command, passed, *_), runs in groups.items():
        result = runs[-1]["result"]
        if len(runs) > 1:
            result = f"{len(runs)} runs, {sums(runs)}; the last: {result}"
        text.append(f"| {runs[-1]['date']} | {commit} | {name}: `{command}` | {'' if passed else '**FAILED** '}{result} |")
    (here / "REPORT.md").write_text("\n".join(text) + "\n")


def run_once(source, name, command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith(("ok", "all "))]
    commit = subprocess.run(["git", "-C", str(source), "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True).stdout.strip()
    words = [pathlib.Path(word).name if "/" in word else word for word in command]
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M"),
            "commit": os.environ.get("KILN_COMMIT", commit), "name": name, "command": " ".join(words),
            "processors": os.cpu_count(), "passed": done.returncode == 0, "result": lines[-1] if lines else ""}


def main():
    source = pathlib.Path(sys.argv[1])
    here = source / "tests/crash"
    ledger = here / "ledger.json"
    read = lambda path: json.loads(path.read_text()) if path.exists() else []  # noqa: E731
    if sys.argv[2] in ("--print", "--merge"):
        rows = read(ledger) + (read(pathlib.Path(sys.argv[3])) if sys.argv[2] == "--merge" else [])
        ledger.write_text(json.dumps(rows, indent=1) + "\n")
        print_report(here, rows)
        return 0
    name, split = sys.argv[2], sys.argv.index("--")
    words, command = sys.argv[3:split], sys.argv[split + 1:]
    times = int(words[words.index("--times") + 1]) if "--times" in words else 1
    if "--into" in words:
        ledger = pathlib.Path(words[words.index("--into") + 1]) / f"{name.replace(' ', '_')}.json"
    for _ in range(times):
        seeded = times > 1 and "--seed" not in command
        row = run_once(source, name, command + (["--seed", str(random.SystemRandom().randrange(1 << 31))] if seeded else []))
        rows = read(ledger) + [row]
        ledger.write_text(json.dumps(rows, indent=1) + "\n")
        if ledger.parent == here:
            print_report(here, rows)
        if not row["passed"]:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
