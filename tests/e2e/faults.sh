#!/usr/bin/env python3
"""Some scenarios of the fault proxy and lost acknowledgements between two engines; tests/crash/fault_proxy.sh runs all of them."""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
import fault_scenarios as scenarios  # noqa: E402
from kiln_site import run_cases  # noqa: E402

KILN = build / "kiln"


def scenarios_behind_a_bad_network():
    findings = scenarios.run(source, KILN, scenarios.CI, seed=20260101)
    assert not findings, "\n".join(findings)


def a_tenth_of_acks_lost_between_two_engines():
    scenarios.lost_between_engines(source, KILN, 0.1, 1, 60)


def every_ack_lost_between_two_engines():
    scenarios.lost_between_engines(source, KILN, 1.0, 2, 20)


sys.exit(run_cases([scenarios_behind_a_bad_network, a_tenth_of_acks_lost_between_two_engines, every_ack_lost_between_two_engines]))
