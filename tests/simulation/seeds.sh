#!/usr/bin/env python3
"""Seeds of the simulated engine (reliability.md T3), each judged by tests/support/checker.

    seeds.sh SOURCE BUILD [--seeds N] [--from S] [--trace]

Without options the 1,000 seeds of continuous integration. One seed is repeated with `--from S --seeds 1 --trace`.
"""
import argparse
import collections
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing may appear beside the checker
BATCH = 100
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("source")
parser.add_argument("build")
parser.add_argument("--seeds", type=int, default=1000)
parser.add_argument("--from", dest="first", type=int, default=1)
parser.add_argument("--trace", action="store_true")
options = parser.parse_args()

path = str(pathlib.Path(options.source) / "tests/support/checker")
loader = importlib.machinery.SourceFileLoader("checker", path)
spec = importlib.util.spec_from_loader("checker", loader)
checker = importlib.util.module_from_spec(spec)
loader.exec_module(checker)

program = pathlib.Path(options.build) / "simulation"
if not program.exists():
    print("skipped: simulation is not built")
    sys.exit(4)


def judge(folder):
    """Findings of one seed, by the checker of the crash tests, and the order in which each sender's messages were taken."""
    sinks = {"load/a": folder / "a.log"}
    keyed = {}
    (keyed if (folder / "b.keyed.log").exists() else sinks)["load/b"] = folder / ("b.keyed.log" if (folder / "b.keyed.log").exists() else "b.log")
    findings, _ = checker.check(folder / "journal", folder / "sent.log", sinks, keyed, final=True)
    return findings + senders_order(folder)


def senders_order(folder):
    """A sender with one message out at a time: what it sent later was taken later."""
    journal = checker.Journal(folder / "journal")
    last = {}
    findings = []
    for control, _, code in checker.read_lines(folder / "alone.log"):
        number = next(iter(journal.by_control[("load", control)]), None)
        if number is None:
            continue  # the checker has said so
        sender = control.split("M")[0]
        if number < last.get(sender, 0):
            findings.append(("reordered", f"{control} is message {number}, behind {last[sender]}"))
        last[sender] = max(number, last.get(sender, 0))
    return findings


def batch(first, count, folder):
    command = [str(program), "--folder", str(folder), "--seed", str(first), "--count", str(count)]
    done = subprocess.run(command + (["--trace"] if options.trace else []), stdout=subprocess.PIPE, text=True, errors="replace")
    if options.trace:
        print(done.stdout, end="")
    wrong = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        if found := re.match(r"seed (\d+): (.*)", line):
            wrong[int(found.group(1))].append(found.group(2))
        elif found := re.match(r"seed (\d+) ended: (\d+) acknowledged, (\d+) arrivals, (\d+) repeated, (\d+) killed, (\d+) power cuts, (\d+) stops, (\d+) ms", line):
            for name, value in zip(["acknowledged", "arrivals", "repeated", "killed", "cuts", "stops", "ms"], map(int, found.groups()[1:])):
                totals[name] += value
    for seed in range(first, first + count):
        if seed in wrong:
            continue
        try:
            findings = judge(folder / str(seed))
        except (Exception, SystemExit) as error:
            findings = [("checker", f"{type(error).__name__}: {error}")]
        if findings:
            wrong[seed] += [f"{kind}: {text}" for kind, text in findings]
    return wrong


totals = collections.Counter()
began = time.monotonic()
shm = pathlib.Path("/dev/shm")
top = pathlib.Path(tempfile.mkdtemp(prefix="kiln-simulation-", dir=shm if os.access(shm, os.W_OK) else None))
failed = {}
done = 0
try:
    while done < options.seeds:
        count = min(BATCH, options.seeds - done)
        folder = top / str(done)
        failed.update(batch(options.first + done, count, folder))
        shutil.rmtree(folder, ignore_errors=True)
        done += count
        if done % 5000 == 0:
            print(f"{done} seeds, {time.monotonic() - began:.0f} s", flush=True)
        if len(failed) >= 20:
            break
finally:
    shutil.rmtree(top, ignore_errors=True)
for seed, findings in sorted(failed.items()):
    print(f"seed {seed}: " + "; ".join(findings[:5]))
    print(f"  repeat with: seeds.sh SOURCE BUILD --from {seed} --seeds 1 --trace")
seconds = time.monotonic() - began
print(f"simulation: {done} seeds from {options.first}, {totals['killed']} kills, {totals['cuts']} power cuts, {totals['stops']} stops, "
      f"{totals['acknowledged']} acknowledged messages, {totals['arrivals']} arrivals, {totals['repeated']} repeated and marked: "
      f"{len(failed)} seeds with findings; {totals['ms'] / 86_400_000:.1f} simulated days, {seconds:.0f} s")
sys.exit(1 if failed else 0)
