#!/usr/bin/env python3
"""What operators hold: pause, stop, drain, blocks; over restarts. And several connections with `order by`.

    holds.sh SOURCE BUILD
"""
import pathlib
import random
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n',
    "channels/in.channel": """module e2e.holds

channel in {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    retry forever backoff {backoff}
    {more}
  }}
}}
""",
}


class Case:
    def __init__(self, answer=None, more="", backoff="20ms..100ms", start=True):
        self.folder = temp_folder()
        self.sink = Receiver(answer)
        self.port = free_port()
        values = {"http": free_port(), "port": self.port, "sink": self.sink.port, "more": more, "backoff": backoff}
        self.site = write_site(self.folder / "site", {name: text.format(**values) for name, text in SITE.items()})
        self.engine = Engine(build / "kiln", self.site)
        if start:
            self.engine.start()

    def kiln(self, *words, expected=0):
        done = subprocess.run([str(build / "kiln"), *words, "--site", str(self.site)], capture_output=True, text=True, timeout=60)
        assert done.returncode == expected, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def state(self):
        return self.engine.control("GET", "/api/v1/channels")[1]["channels"][0]

    def send(self, *controls):
        with Mllp(self.port) as one:
            for control in controls:
                assert ack_code(one.send(adt(control))) == "AA", control

    def arrived(self, count):
        wait_for(f"{count} arrived", lambda: len(self.sink.controls()) >= count)
        return self.sink.controls()


def stays_silent(case, seconds=0.4):
    before = len(case.sink.controls())
    time.sleep(seconds)
    return len(case.sink.controls()) == before


def pause_keeps_accepting_and_outlives_restarts():
    case = Case()
    case.send("P1")
    case.arrived(1)
    assert "paused" in case.kiln("channel", "pause", "in", "--reason", "maintenance")
    case.send("P2", "P3")
    assert stays_silent(case)
    assert case.engine.stop() == 0
    case.engine.start()
    case.send("P4")
    assert stays_silent(case) and case.state()["state"] == "paused"
    case.engine.kill()
    case.engine.start()
    assert stays_silent(case) and case.state()["held"][0]["reason"] == "maintenance", case.state()
    text = case.kiln("channel", "list")
    assert "channel:in paused" in text and "3 waiting" in text, text
    assert "running" in case.kiln("channel", "resume", "in")
    assert list(dict.fromkeys(case.arrived(4))) == ["P1", "P2", "P3", "P4"]
    assert not case.state()["held"]
    case.engine.wait_drained()
    assert case.engine.stop() == 0


def stop_closes_the_listener_and_delivers_what_waits():
    case = Case(answer=lambda *_: "AA")
    case.kiln("destination", "pause", "in/sink")
    case.send("S1")
    case.kiln("channel", "stop", "in")
    try:
        Mllp(case.port, timeout=2)
        raise AssertionError("the listener is open")
    except OSError:
        pass
    case.kiln("destination", "resume", "in/sink")
    assert case.arrived(1) == ["S1"]
    assert case.engine.stop() == 0
    case.engine.start()
    assert case.state()["state"] == "stopped"
    try:
        Mllp(case.port, timeout=2)
        raise AssertionError("the listener is open after a restart")
    except OSError:
        pass
    assert "running" in case.kiln("channel", "start", "in")
    case.send("S2")
    assert case.arrived(2) == ["S1", "S2"]
    case.engine.wait_drained()
    assert case.engine.stop() == 0


def drain_ends_when_nothing_waits():
    case = Case()
    case.kiln("destination", "pause", "in/sink")
    case.send("D1", "D2")
    assert "draining" in case.kiln("channel", "drain", "in")
    time.sleep(0.5)
    assert case.state()["state"] == "draining"
    case.kiln("destination", "resume", "in/sink")
    wait_for("drained", lambda: case.state()["state"] == "stopped")
    assert case.sink.controls() == ["D1", "D2"]
    assert case.engine.stop() == 0


def a_paused_source_reads_nothing():
    case = Case()
    with Mllp(case.port) as one:
        assert ack_code(one.send(adt("R1"))) == "AA"
        assert "paused" in case.kiln("channel", "pause", "in", "--source")
        one.write(VT + adt("R2") + FS)
        one.write(VT + adt("R3") + FS)
        first = [] if one.is_silent(0.5) else ["one was read already"]
        case.kiln("channel", "resume", "in", "--source")
        while len(first) < 2:
            assert ack_code(one.read()) == "AA"
            first.append("answered")
    assert case.arrived(3) == ["R1", "R2", "R3"]
    case.kiln("channel", "pause", "in", "--source")
    assert case.engine.stop() == 0, "a paused source does not hold the stop up"


def a_stop_and_a_paused_source_do_not_undo_each_other():
    case = Case()

    def held():
        return sorted(h["what"] + " " + h["state"] for h in case.state()["held"])

    case.kiln("channel", "pause", "in", "--source")
    case.kiln("channel", "stop", "in")
    assert held() == ["reading:in paused", "source:in stopped"], held()
    assert "resume in --source" in case.kiln("channel", "start", "in", expected=1), "it is open, and still reads nothing"
    with Mllp(case.port) as one:
        one.write(VT + adt("T1") + FS)
        assert one.is_silent(0.4)
        case.kiln("channel", "stop", "in")
        assert "kiln channel start in" in case.kiln("channel", "resume", "in", "--source", expected=1)
    for restart in (case.engine.stop, case.engine.kill):
        restart()
        case.engine.start()
        assert held() == ["source:in stopped"] and case.state()["state"] == "stopped", case.state()
    assert "running" in case.kiln("channel", "start", "in")
    case.send("T2")
    wait_for("sent", lambda: "T2" in case.sink.controls())
    case.engine.wait_drained()
    assert case.engine.stop() == 0


def retry_now_does_not_wait():
    up = threading.Event()
    case = Case(answer=lambda *_: "AA" if up.is_set() else "AE", backoff="1h..1h")
    case.send("N1")
    wait_for("tried", lambda: case.sink.controls())
    up.set()
    assert stays_silent(case)
    case.kiln("destination", "retry-now", "in/sink")
    assert case.arrived(2) == ["N1", "N1"]
    case.engine.wait_drained()
    assert case.engine.stop() == 0


def a_block_outlives_a_restart():
    refused = {"B1"}
    case = Case(answer=lambda _, __, control: "AR" if control in refused else "AA", more="nak AR block")
    case.send("B1", "B2")
    wait_for("blocked", lambda: case.state()["destinations"][0]["state"] == "blocked")
    assert case.engine.stop() == 0
    case.engine.start()
    assert stays_silent(case) and case.state()["destinations"][0]["state"] == "blocked"
    case.engine.kill()
    case.engine.start()
    assert stays_silent(case)
    refused.clear()
    case.kiln("destination", "resume", "in/sink")
    assert case.arrived(3) == ["B1", "B1", "B2"]
    refused.add("B3")
    case.send("B3", "B4")
    wait_for("blocked", lambda: case.state()["destinations"][0]["state"] == "blocked")
    assert "1 messages are in quarantine" in case.kiln("destination", "skip", "in/sink")
    wait_for("the next one goes", lambda: case.sink.controls()[-1] == "B4")
    case.engine.wait_drained()
    found = case.engine.find("state:quarantined")
    assert found["control_id"] == "B3" and found["destinations"][0]["code"] == "operator-hold", found
    assert case.engine.stop() == 0


def verbs_say_what_is_wrong():
    case = Case()
    assert "kiln channel list" in case.kiln("channel", "stop", "nowhere", expected=64)
    assert "kiln channel list" in case.kiln("destination", "pause", "in/nowhere", expected=64)
    assert "start, stop" in case.kiln("channel", "jump", "in", expected=64)
    assert case.engine.stop() == 0
    assert "kiln run" in case.kiln("channel", "list", expected=69)


def several_connections_keep_the_order_of_each_key():
    lock, at_once, most = threading.Lock(), set(), [0]
    by_patient = {}

    def answer(_, __, control):
        with lock:
            at_once.add(control)
            most[0] = max(most[0], len(at_once))
        time.sleep(random.uniform(0, 0.02))
        with lock:
            at_once.discard(control)
            if random.random() < 0.1:
                return "AE"
            by_patient.setdefault(control[:2], []).append(control)
        return "AA"

    case = Case(answer, more="connections 4\n    order by PID-3[1].1")
    sent = []
    with Mllp(case.port) as one:
        for number in range(120):
            patient = random.randrange(10)
            control = f"{patient}_{number:03}"
            sent.append(control)
            text = adt(control).replace(b"PID|1||", b"PID|1||" + str(patient).encode() + b"-", 1)
            assert ack_code(one.send(text)) == "AA"
    wait_for("all arrived", lambda: sum(map(len, by_patient.values())) >= len(sent))
    case.engine.wait_drained()
    for patient, controls in by_patient.items():
        assert controls == [c for c in sent if c[:2] == patient], f"{patient}: {controls}"
    assert most[0] > 1, "they went side by side"
    assert case.engine.stop() == 0


sys.exit(run_cases([pause_keeps_accepting_and_outlives_restarts, stop_closes_the_listener_and_delivers_what_waits,
                    drain_ends_when_nothing_waits, a_paused_source_reads_nothing,
                    a_stop_and_a_paused_source_do_not_undo_each_other, retry_now_does_not_wait,
                    a_block_outlives_a_restart, verbs_say_what_is_wrong, several_connections_keep_the_order_of_each_key]))
