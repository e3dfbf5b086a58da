#!/usr/bin/env python3
"""Quarantine and replay as an operator works with them: causes, owners, release and drop; dry runs against what was sent; jobs
at a rate, paused, cancelled and killed; what another map would have sent.

    replay.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n',
    "maps/copy.hmap": """module e2e.copy

map copy(msg: hl7 ADT_A01 2.5.1) -> hl7 ADT_A01 2.5.1 {{
  MSH-3.1 = "KILN"
  MSH-10 = MSH-10
  EVN-2 = EVN-2
  PID-3 += PID-3[*]
  PID-8 = PID-8
  PV1-2 = PV1-2
}}
""",
    "channels/in.channel": """module e2e.replay

channel in {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  to pas: mllp from source {{
    host "127.0.0.1"
    port {pas}
    order by PID-3[1].1
    retry forever backoff 20ms..100ms
    nak AR quarantine
  }}
  to log: mllp from source {{ host "127.0.0.1"; port {log}; retry forever backoff 20ms..100ms }}
}}
""",
}


class Case:
    def __init__(self, refused=(), site=SITE):
        self.refused = set(refused)
        self.folder = temp_folder()
        self.pas = Receiver(lambda _, __, control: "AR" if control in self.refused else "AA")
        self.log = Receiver()
        self.port = free_port()
        values = {"http": free_port(), "port": self.port, "pas": self.pas.port, "log": self.log.port}
        self.site = write_site(self.folder / "site", {name: text.format(**values) for name, text in site.items()})
        self.engine = Engine(build / "kiln", self.site).start()

    def kiln(self, *words, expected=0):
        done = subprocess.run([str(build / "kiln"), *map(str, words), "--site", str(self.site)], capture_output=True, text=True, timeout=120)
        assert done.returncode == expected, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.engine.tail()}"
        return done.stdout + done.stderr

    def send(self, *controls, patient=None):
        with Mllp(self.port) as one:
            for control in controls:
                assert ack_code(one.send(adt(control, patient or control))) == "AA"
        self.engine.wait_drained()

    def end(self):
        self.engine.wait_drained()
        assert self.engine.stop() == 0


def quarantine_from_cause_to_decision():
    case = Case(refused=["Q1", "Q2", "Q3", "Q4"])
    case.send("Q1", "Q2", "Q3", "Q4", "Q5")
    text = case.kiln("quarantine", "list")
    assert "4  in/pas  AR" in text and "4 open" in text, text
    numbers = {m["control_id"]: m["id"] for m in case.engine.search()}
    case.kiln("quarantine", "assign", numbers["Q1"], "--owner", "ann")
    case.kiln("quarantine", "note", numbers["Q1"], "--note", "asked the vendor")
    text = case.kiln("quarantine", "show")
    line = next(line for line in text.splitlines() if line.startswith(f"{numbers['Q1']} "))
    assert "owner ann" in line and "asked the vendor" in line, text
    assert "needs --reason" in case.kiln("quarantine", "drop", numbers["Q2"], expected=64)
    case.kiln("quarantine", "drop", numbers["Q2"], "--reason", "a test of the vendor")
    state = next(d for d in case.engine.show(numbers["Q2"])["destinations"] if d["destination"] == "in/pas")
    assert state["state"] == "removed", state
    assert "--yes" in case.kiln("quarantine", "release", "channel:in", expected=64)
    case.refused = {"Q4"}
    before = len(case.log.controls())
    text = case.kiln("quarantine", "release", numbers["Q1"])
    assert "as message" in text, text
    wait_for("released", lambda: case.pas.controls().count("Q1") == 2)
    case.kiln("quarantine", "release", "channel:in", "--yes")
    case.engine.wait_drained()
    assert len(case.log.controls()) == before, "a release goes only where it was set aside"
    text = case.kiln("quarantine", "list")
    assert "1 open" in text and "in/pas  AR" in text, text  # Q4 was refused again
    case.engine.kill()
    case.engine.start()
    assert "1 open" in case.kiln("quarantine", "list"), "decisions outlive the process"
    assert "not in quarantine" in case.kiln("quarantine", "drop", numbers["Q5"], "--reason", "x", expected=64)
    case.end()


def a_release_asked_twice_at_once_is_sent_once():
    case = Case(refused=["Q1"])
    case.send("Q1")
    case.refused = set()
    number = case.engine.find("state:quarantined")["id"]
    answers = []

    def ask():
        answers.append(case.engine.control("POST", "/api/v1/quarantine/release", {"ids": [number]})[1])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(answers) == 8 and sum(a.get("done", 0) for a in answers) == 1, answers
    case.end()
    assert case.pas.controls() == ["Q1", "Q1"], case.pas.controls()


def a_release_that_was_cut_off_before_its_note_is_sent_once():
    """The process ends between the commit of the new message and the note at the old one: before and after its outputs."""
    for place, armed in (("quarantine.released", "quarantine.released=crash@1"), ("pipeline.store", "pipeline.store=crash@1")):
        case = Case(refused=["Q1"])
        case.send("Q1")
        case.refused = set()
        number = case.engine.find("state:quarantined")["id"]
        case.engine.stop()
        case.engine.kiln = str(build / "crash_kiln")
        case.engine.start({"KILN_FAILPOINTS": armed})
        try:
            case.engine.control("POST", "/api/v1/quarantine/release", {"ids": [number]})
        except (OSError, http.client.HTTPException):
            pass
        wait_for(f"ended at {place}", lambda: not case.engine.is_running())
        case.engine.kiln = str(build / "kiln")
        case.engine.start()
        case.engine.wait_drained()
        status, answer = case.engine.control("POST", "/api/v1/quarantine/release", {"ids": [number]})
        case.engine.wait_drained()
        assert "0 open" in case.kiln("quarantine", "list") or "nothing" in case.kiln("quarantine", "list"), answer
        again = case.pas.controls()[1:]
        assert again in (["Q1"], ["Q1", "Q1"]), f"{place}: {again} {answer}"
        if len(again) == 2:  # the first may have been sent just before the end: then the second is in doubt
            last = case.engine.search()[0]
            assert any(d.get("in_doubt") for d in last["destinations"]), last
        case.end()


def a_replay_that_was_set_aside_as_a_whole_is_not_released_everywhere():
    """Where it was to go stands in its job, not in the message: a release would send it to every destination."""
    site = dict(SITE)
    site["channels/in.channel"] = site["channels/in.channel"].replace("to pas: mllp from source", "map out = e2e.copy.copy\n  to pas: mllp from out")
    case = Case(site=site)
    case.send("W1")
    text = (case.site / "maps/copy.hmap").read_text()
    (case.site / "maps/copy.hmap").write_text(text.replace('MSH-3.1 = "KILN"', 'require PV1-2 == "never" else quarantine "closed today"\n  MSH-3.1 = "KILN"'))
    case.kiln("reload")
    case.kiln("replay", "1", "--to", "pas", "--include-sent")
    found = wait_for("it is set aside", lambda: case.engine.find("state:quarantined"))
    assert found["replay_of"] == 1, found
    (case.site / "maps/copy.hmap").write_text(text)
    case.kiln("reload")
    status, answer = case.engine.control("POST", "/api/v1/quarantine/release", {"ids": [found["id"]]})
    assert "where it was to go is not known" in json.dumps(answer), (status, answer)
    case.kiln("replay", "1", "--to", "pas", "--include-sent")
    case.end()
    assert case.pas.controls() == ["W1", "W1"] and case.log.controls() == ["W1"], (case.pas.controls(), case.log.controls())


def a_dry_run_compares_with_what_was_sent():
    case = Case()
    case.send("D1", "D2")
    text = case.kiln("replay", "channel:in", "--to", "all", "--include-sent", "--dry-run")
    assert "4 as they were sent, 0 differ" in text, text
    assert "delivered there already" in case.kiln("replay", "channel:in", "--to", "pas", expected=64)
    assert len(case.pas.controls()) == 2
    case.kiln("replay", "channel:in", "--to", "pas", "--include-sent")
    case.engine.wait_drained()
    assert case.pas.controls() == ["D1", "D2", "D1", "D2"] and len(case.log.controls()) == 2
    case.end()


def a_stale_message_is_not_sent_over_a_newer_one():
    case = Case(refused=["S1"])
    case.send("S1", patient="77")
    case.send("S2", patient="77")
    case.send("S3", patient="88")
    case.refused = set()
    text = case.kiln("replay", "state:quarantined", expected=64)
    assert "1 keys" in text and "--allow-stale" in text, text
    assert "S1" not in case.pas.controls()[1:]
    case.kiln("replay", "state:quarantined", "--allow-stale")
    case.engine.wait_drained()
    assert case.pas.controls()[-1] == "S1"
    case.end()


def a_job_keeps_its_rate_and_is_paused_and_cancelled():
    case = Case()
    case.send(*[f"J{n:02}" for n in range(20)])
    begin = time.monotonic()
    case.kiln("replay", "channel:in", "--to", "log", "--include-sent", "--rate", "20")
    assert time.monotonic() - begin > 0.8, "20 messages at 20 a second"
    case.engine.wait_drained()
    assert case.log.controls()[20:] == [f"J{n:02}" for n in range(20)], "original order"
    text = case.kiln("replay", "msg:1..20", "--to", "log", "--include-sent", "--rate", "10", "--background")
    job = text.split()[1].rstrip(":")
    wait_for("some are sent", lambda: len(case.log.controls()) > 42)
    assert "paused" in case.kiln("replay", "pause", job)
    case.engine.wait_drained()
    count = len(case.log.controls())
    time.sleep(0.4)
    assert len(case.log.controls()) == count < 60
    assert case.engine.stop() == 0
    case.engine.start()
    time.sleep(0.4)
    assert len(case.log.controls()) == count, "paused over a restart"
    case.kiln("replay", "resume", job)
    wait_for("it goes on", lambda: len(case.log.controls()) > count)
    case.kiln("replay", "cancel", job)
    case.engine.wait_drained()
    assert "cancelled" in case.kiln("replay", "status", job)
    assert case.log.controls()[40:] == [f"J{n:02}" for n in range(20)][:len(case.log.controls()) - 40], "nothing twice, in order"
    assert "has ended" in case.kiln("replay", "resume", job, expected=64)
    assert "kiln replay status" in case.kiln("replay", "pause", "999", expected=64)
    case.end()


def a_killed_job_goes_on_and_sends_nothing_twice_unmarked():
    case = Case()
    controls = [f"K{n:02}" for n in range(30)]
    case.send(*controls)
    case.kiln("replay", "msg:1..30", "--to", "log", "--include-sent", "--rate", "40", "--background")
    for at in (33, 40, 48):
        wait_for("some are sent", lambda: len(case.log.controls()) >= at)
        case.engine.kill()
        case.engine.start()
    wait_for("the job ends", lambda: "finished" in case.kiln("replay", "status"))
    case.engine.wait_drained()
    replayed = {m["id"]: m for m in case.engine.search("msg:31..") if m.get("replay_of")}
    assert sorted(m["replay_of"] for m in replayed.values()) == list(range(1, 31)), "each once"
    assert all({d["destination"] for d in m["destinations"]} == {"in/log"} for m in replayed.values()), "only where it was to go"
    assert list(dict.fromkeys(case.log.controls()[30:])) == controls
    assert len(case.pas.controls()) == 30
    case.end()


def as_sent_and_through_another_channel():
    site = dict(SITE)
    site["channels/other.channel"] = """module e2e.other

channel other {{
  source mllp {{ port 0 }}
  accept hl7 ADT_A01 2.5.1
  to audit: mllp from source {{ host "127.0.0.1"; port {log}; retry forever backoff 20ms..100ms }}
}}
"""
    case = Case(site=site)
    case.send("A1")
    sent = case.pas.frames[0][1]
    text = (case.site / "channels/in.channel").read_text()
    (case.site / "channels/in.channel").write_text(text.replace("to pas: mllp from source", "map out = e2e.copy.copy\n  to pas: mllp from out"))
    case.kiln("reload")
    case.kiln("replay", "1", "--to", "pas", "--include-sent")
    case.engine.wait_drained()
    assert case.pas.frames[1][1] != sent, "the maps of today"
    case.kiln("replay", "1", "--to", "pas", "--include-sent", "--as-sent")
    case.engine.wait_drained()
    assert case.pas.frames[2][1] == sent, "byte for byte"
    case.kiln("replay", "1", "--channel", "other")
    case.engine.wait_drained()
    found = case.engine.find("channel:other")
    assert found["replay_of"] == 1 and found["destinations"][0]["destination"] == "other/audit", found
    case.end()


def what_another_map_would_have_sent():
    site = dict(SITE)
    site["channels/in.channel"] = site["channels/in.channel"].replace("to pas: mllp from source", "map out = e2e.copy.copy\n  to pas: mllp from out")
    case = Case(site=site)
    case.send("M1", "M2", "M3")
    case.end()
    assert "6 as they were sent, 0 differ" in case.kiln("replay", "channel:in", "--diff")
    new = case.folder / "copy.hmap"
    new.write_text((case.site / "maps/copy.hmap").read_text().replace('PID-8 = PID-8', 'PID-8 = "U"'))
    text = case.kiln("replay", "channel:in", "--map", new, "--diff", expected=1)
    assert "3 differ" in text and "PID-8: 3" in text and "+PID" in text, text
    lines = case.kiln("replay", "msg:2", "--map", new, "--diff", "--json", expected=1).splitlines()
    assert len(lines) == 2 and json.loads(lines[0])["id"] == 2 and json.loads(lines[1])["outputs"]["changed"] == 1, lines
    new.write_text("map broken")
    assert "error[" in case.kiln("replay", "channel:in", "--map", new, "--diff", expected=78)
    assert len(case.pas.controls()) == 3, "nothing was sent"


sys.exit(run_cases([quarantine_from_cause_to_decision, a_release_asked_twice_at_once_is_sent_once,
                    a_release_that_was_cut_off_before_its_note_is_sent_once,
                    a_replay_that_was_set_aside_as_a_whole_is_not_released_everywhere, a_dry_run_compares_with_what_was_sent,
                    a_stale_message_is_not_sent_over_a_newer_one, a_job_keeps_its_rate_and_is_paused_and_cancelled,
                    a_killed_job_goes_on_and_sends_nothing_twice_unmarked, as_sent_and_through_another_channel,
                    what_another_map_would_have_sent]))
