#!/usr/bin/env python3
"""Caps of kiln.conf have the effect they promise.

    limits.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n  limits {{ inflight {inflight} }}\n}}\n',
    "channels/in.channel": """module e2e.limits

channel in {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  to sink: drop from source {{ }}
}}
""",
}


def start(inflight):
    folder = temp_folder()
    port = free_port()
    values = {"http": free_port(), "port": port, "inflight": inflight}
    site = write_site(folder / "site", {name: text.format(**values) for name, text in SITE.items()})
    return Engine(build / "kiln", site).start(), port


def half_and_whole(inflight):
    """While one sender has sent 2 MB of its message, does another one get its answer?"""
    engine, port = start(inflight)
    large = VT + adt("L1", extra="NTE|1||" + "x" * 3_000_000 + "\r") + FS
    with Mllp(port) as slow, Mllp(port) as quick:
        assert ack_code(quick.send(adt("Q1"))) == "AA"
        slow.write(large[:2_000_000])
        time.sleep(0.5)
        assert ack_code(quick.send(adt("Q2"))) == "AA", "its read was under way before"
        quick.write(VT + adt("Q3") + FS)
        held = quick.is_silent(1.5)
        slow.write(large[2_000_000:])
        assert ack_code(slow.read()) == "AA"
        if held:
            assert ack_code(quick.read()) == "AA"
        assert ack_code(quick.send(adt("Q4"))) == "AA"
    assert engine.stop() == 0
    return held


def a_small_budget_holds_other_senders_back():
    assert half_and_whole("1MB")


def a_large_budget_does_not():
    assert not half_and_whole("64MB")


sys.exit(run_cases([a_small_budget_holds_other_senders_back, a_large_budget_does_not]))
