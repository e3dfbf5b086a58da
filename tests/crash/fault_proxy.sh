#!/usr/bin/env python3
"""All scenarios of the fault proxy (reliability.md T8, T9), with a new seed each round.

    fault_proxy.sh SOURCE BUILD [--rounds N] [--seed S] [--only NAME]
"""
import argparse
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import fault_scenarios as scenarios  # noqa: E402
from kiln_site import run_cases  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("source")
parser.add_argument("build")
parser.add_argument("--rounds", type=int, default=1)
parser.add_argument("--seed", type=int, default=None)
parser.add_argument("--only", action="append")
options = parser.parse_args()
seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
print(f"seed {seed}", flush=True)
kiln = pathlib.Path(options.build) / "kiln"


def every_scenario():
    names = options.only or scenarios.SCENARIOS
    for number in range(options.rounds):
        for begin in range(0, len(names), 16):  # side by side, but not so many that time-outs say more of the machine than of the engine
            findings = scenarios.run(options.source, kiln, names[begin:begin + 16], seed + number * 1000)
            assert not findings, f"repeat with --seed {seed + number * 1000}:\n" + "\n".join(findings)
    print(f"{len(names)} scenarios, {options.rounds} rounds")


def lost_acknowledgements_between_engines():
    for share in (0.01, 0.1, 1.0):
        scenarios.lost_between_engines(options.source, kiln, share, seed)


sys.exit(run_cases([every_scenario] if options.only else [every_scenario, lost_acknowledgements_between_engines]))
