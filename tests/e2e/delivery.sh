#!/usr/bin/env python3
"""Delivery to receivers that are down, slow, wrong or negative: order kept, nothing lost, what is tried twice is marked.

    delivery.sh SOURCE BUILD

Every case has a channel of its own with an MLLP listener and one destination. At the end tests/support/checker compares what
was acknowledged, what each receiver got, and the journal.
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

CONF = 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n'
HEAD = "module e2e.delivery\nuse std.v2fhir.adt.{{adt_a01}}\n"
CHANNEL = """
channel {name} {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  ack original on stored
  {destination}
}}
"""
SINK = """to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    ack_timeout 500ms
    {options}
  }}"""
PATIENT_RETRY = "retry forever backoff 20ms..100ms"
OPTIONS = {
    "down": PATIENT_RETRY,
    "slow": PATIENT_RETRY,
    "late": PATIENT_RETRY,
    "foreign": PATIENT_RETRY,
    "negative": PATIENT_RETRY + "\n    nak AE retry",
    "blocking": PATIENT_RETRY + "\n    nak AR block",
    "discarding": PATIENT_RETRY + "\n    nak AR quarantine",
    "limited": "retry 3 backoff 10ms..20ms then quarantine",
    "unreachable": "retry 3 backoff 10ms..20ms then quarantine",
    "restarted": PATIENT_RETRY,
    "killed": PATIENT_RETRY,
}

folder = temp_folder()
ports, sinks = {}, {}


def sink_block(name, options):
    return SINK.format(sink=sinks[name], options=options)


def make_site():
    text = HEAD.format()
    for name, options in OPTIONS.items():
        ports[name], sinks[name] = free_port(), free_port()
        text += CHANNEL.format(name=name, port=ports[name], destination=sink_block(name, options))
    for name, url in (("remote", f"http://127.0.0.1:{second_http}/fhir"), ("misdirected", f"http://127.0.0.1:{second_http}/nothing-here")):
        ports[name] = free_port()
        to = f'map bundle = adt_a01\n  to other: fhir from bundle {{\n    url "{url}"\n    timeout 5s\n    {PATIENT_RETRY}\n  }}'
        text += CHANNEL.format(name=name, port=ports[name], destination=to)
    return write_site(folder / "site", {"kiln.conf": CONF.format(http=free_port()), "channels/delivery.channel": text})


def receiver(name, answer=None):
    return Receiver(answer, sinks[name], folder / f"{name}.sink")


def send(name, count, prefix=None):
    """Sends and logs what was acknowledged; the control ids, in order."""
    controls = [f"{prefix or name[:3].upper()}{i}" for i in range(1, count + 1)]
    with Mllp(ports[name]) as c, open(folder / "sent.log", "a", encoding="utf-8") as log:
        for number, control in enumerate(controls):
            body = adt(control, patient=str(900000 + number))
            ack = c.send(body)
            assert ack_code(ack) == "AA" and ack_control(ack) == control, ack
            log.write(f"{control}\t{hashlib.sha256(body).hexdigest()}\tAA\n")
    return controls


def drained(name):
    wait_for(f"the messages of {name} have ended", lambda: not engine.search(f"channel:{name} state:pending"))


def wait_queue(name, what, condition, destination="sink"):
    """The state of the queue once it fulfils the condition."""
    return wait_for(f"{name}: {what}", lambda: (q := engine.queue(name, destination)) and condition(q) and q)


def outcome(name, control):
    """State, attempts and in_doubt of the message at its one destination."""
    message = engine.find(f"channel:{name} id:{control}")
    assert len(message["destinations"]) == 1, message
    d = message["destinations"][0]
    return d["state"], d["attempts"], d["in_doubt"]


# ---- cases ----

def B9_a_receiver_that_is_down_holds_up_nobody_and_gets_everything_in_order():
    controls = send("down", 30)
    queue = wait_queue("down", "30 wait, one was tried", lambda q: q["retries"] > 0 and q["pending"] == 30)
    assert "connect" in queue["last_failure"], queue
    assert len(engine.search("channel:down state:pending dest:sink")) == 30
    assert engine.channel("down")["received"] == 30
    sink = receiver("down")
    drained("down")
    assert sink.controls() == controls
    assert outcome("down", "DOW1")[0] == "sent" and outcome("down", "DOW30") == ("sent", 1, False)


def a_slow_receiver_gets_one_message_at_a_time():
    waiting = []

    def answer(sink, number, control):
        waiting.append(control)
        time.sleep(0.1)
        assert len(waiting) == 1, "two messages outstanding"
        waiting.pop()
        return "AA"

    sink = receiver("slow", answer)
    controls = send("slow", 20)
    assert len(sink.controls()) < 20, "the sender had to wait for the receiver"
    drained("slow")
    assert sink.controls() == controls and engine.queue("slow", "sink")["retries"] == 0
    assert outcome("slow", controls[-1]) == ("sent", 1, False)


def B1_B3_a_late_answer_counts_for_nobody():
    """The answer to the third comes after ack_timeout: the connection is closed, the message sent again and marked."""
    def answer(sink, number, control):
        if control == "LAT3" and sink.controls().count(control) == 1:
            time.sleep(0.8)
        return "AA"

    sink = receiver("late", answer)
    controls = send("late", 5)
    drained("late")
    assert sink.controls() == controls[:3] + ["LAT3"] + controls[3:], sink.controls()
    assert outcome("late", "LAT3") == ("sent", 2, True), outcome("late", "LAT3")
    assert outcome("late", "LAT4") == ("sent", 1, False)


def B2_foreign_unreadable_and_missing_answers_count_for_nobody():
    first = {"FOR1": ("AA", "FOR2"), "FOR2": VT + b"this is no acknowledgement" + FS, "FOR3": "close", "FOR4": b"noise without a frame",
             "FOR5": VT + b"MSH|^~\\&|S|S|K|T|20260101||ACK|A|P|2.5.1\r" + FS}

    def answer(sink, number, control):
        return first.pop(control) if control in first else "AA"

    sink = receiver("foreign", answer)
    controls = send("foreign", 6)
    drained("foreign")
    assert sink.controls() == [c for c in controls for _ in range(1 if c == "FOR6" else 2)], sink.controls()
    for control in controls[:5]:
        assert outcome("foreign", control) == ("sent", 2, True), (control, outcome("foreign", control))
    assert outcome("foreign", "FOR6") == ("sent", 1, False)


def a_negative_answer_is_retried_and_keeps_the_order():
    left = {"NEG2": 3}

    def answer(sink, number, control):
        if left.get(control, 0) > 0:
            left[control] -= 1
            return "AE"
        return "AA"

    sink = receiver("negative", answer)
    controls = send("negative", 4)
    drained("negative")
    assert sink.controls() == ["NEG1", "NEG2", "NEG2", "NEG2", "NEG2", "NEG3", "NEG4"], sink.controls()
    state, attempts, _ = outcome("negative", "NEG2")
    assert (state, attempts) == ("sent", 4)
    assert engine.find("channel:negative id:NEG2")["destinations"][0]["code"] == "AA" and controls


def a_rejection_blocks_until_an_operator_resumes():
    answers = {"BLO2": "AR"}
    sink = receiver("blocking", lambda s, n, control: answers.get(control, "AA"))
    send("blocking", 4)
    queue = wait_queue("blocking", "blocked with 3 waiting", lambda q: q["blocked"] and q["pending"] == 3)
    assert queue["last_failure"], queue
    time.sleep(0.4)
    assert sink.controls() == ["BLO1", "BLO2"], "a blocked destination goes on trying"
    assert engine.control("POST", "/api/v1/destinations/blocking/nobody/resume")[0] == 404
    status, _ = engine.control("POST", "/api/v1/destinations/blocking/sink/resume")
    assert status == 200
    wait_for("blocked again", lambda: sink.controls() == ["BLO1", "BLO2", "BLO2"] and engine.queue("blocking", "sink")["blocked"])
    answers.clear()
    engine.control("POST", "/api/v1/destinations/blocking/sink/resume")
    drained("blocking")
    assert sink.controls() == ["BLO1", "BLO2", "BLO2", "BLO2", "BLO3", "BLO4"], sink.controls()
    assert not engine.queue("blocking", "sink")["blocked"]


def a_rejection_can_quarantine_and_go_on():
    sink = receiver("discarding", lambda s, n, control: "AR" if control == "DIS2" else "AA")
    send("discarding", 3)
    drained("discarding")
    assert sink.controls() == ["DIS1", "DIS2", "DIS3"]
    assert outcome("discarding", "DIS2")[:2] == ("quarantined", 1)
    found = engine.search("channel:discarding state:quarantined dest:sink code:AR")
    assert [m["control_id"] for m in found] == ["DIS2"]
    done = engine.command_json("replay", "channel:discarding", "state:quarantined", "--site", engine.site)
    assert done["replayed"] == 1, done
    wait_for("the replay is quarantined as well", lambda: sink.controls().count("DIS2") == 2 and engine.pending() == 0)


def after_so_many_attempts_it_is_quarantined():
    sink = receiver("limited", lambda s, n, control: "AE" if control == "LIM2" else "AA")
    send("limited", 3)
    drained("limited")
    assert sink.controls() == ["LIM1", "LIM2", "LIM2", "LIM2", "LIM3"], sink.controls()
    assert outcome("limited", "LIM2")[:2] == ("quarantined", 3)
    assert outcome("limited", "LIM3") == ("sent", 1, False)


def attempts_without_a_connection_count_too():
    send("unreachable", 2)
    drained("unreachable")
    for control in ("UNR1", "UNR2"):
        assert outcome("unreachable", control) == ("quarantined", 3, False), outcome("unreachable", control)


def B4_a_restart_in_the_middle_keeps_the_order():
    sink = receiver("restarted", lambda *_: time.sleep(0.02) or "AA")
    controls = send("restarted", 60)
    wait_for("some are sent", lambda: len(sink.controls()) >= 10)
    assert engine.stop() == 0
    sent = len(sink.controls())
    assert sent < 60, "too fast to be a test"
    engine.start()
    drained("restarted")
    assert sink.controls() == controls, "an orderly stop leaves nothing in doubt"


def B4_a_kill_in_the_middle_keeps_the_order_and_marks_what_is_sent_again():
    sink = receiver("killed", lambda *_: time.sleep(0.01) or "AA")
    controls = send("killed", 100)
    for _ in range(3):
        before = len(sink.controls())
        wait_for("some more are sent", lambda: len(sink.controls()) >= min(100, before + 8))
        engine.kill()
        engine.start()
    drained("killed")
    first = list(dict.fromkeys(sink.controls()))
    assert first == controls, "first arrivals out of order, or lost"


def a_remote_fhir_server_gets_bundles_also_when_it_was_down():
    controls = send("remote", 3)
    send("misdirected", 1)
    wait_queue("remote", "3 wait, one was tried", lambda q: q["retries"] > 0 and q["pending"] == 3, "other")
    second.start()
    drained("remote")
    found = second.entries("Patient?identifier=urn:oid:1.2.840.99999|900000,urn:oid:1.2.840.99999|900001,urn:oid:1.2.840.99999|900002")
    assert len(found) == 3, found
    assert outcome("remote", controls[-1]) == ("sent", 1, False)
    drained("misdirected")
    assert outcome("misdirected", "MIS1")[0] == "quarantined"
    assert engine.find("channel:misdirected id:MIS1")["destinations"][0]["code"] == "404"
    second.kill()
    send("remote", 2, "RXX")
    wait_queue("remote", "2 wait, one was tried", lambda q: q.get("last_failure") and q["pending"] == 2, "other")
    second.start()
    drained("remote")
    assert outcome("remote", "RXX2")[0] == "sent"
    assert second.stop() == 0


def the_checker_finds_nothing():
    engine.wait_drained()
    assert engine.stop() == 0
    sinks_seen = {f"{name}/sink": folder / f"{name}.sink" for name in OPTIONS if (folder / f"{name}.sink").exists()}
    assert len(sinks_seen) == len(OPTIONS) - 1
    assert run_checker(source, engine.site, folder / "sent.log", sinks_seen)


second_http = free_port()
second = Engine(build / "kiln", write_site(folder / "second", {"kiln.conf": CONF.format(http=second_http)}))
engine = Engine(build / "kiln", make_site())
engine.start()
sys.exit(run_cases([
    B9_a_receiver_that_is_down_holds_up_nobody_and_gets_everything_in_order, a_slow_receiver_gets_one_message_at_a_time,
    B1_B3_a_late_answer_counts_for_nobody, B2_foreign_unreadable_and_missing_answers_count_for_nobody,
    a_negative_answer_is_retried_and_keeps_the_order, a_rejection_blocks_until_an_operator_resumes,
    a_rejection_can_quarantine_and_go_on, after_so_many_attempts_it_is_quarantined, attempts_without_a_connection_count_too,
    B4_a_restart_in_the_middle_keeps_the_order, B4_a_kill_in_the_middle_keeps_the_order_and_marks_what_is_sent_again,
    a_remote_fhir_server_gets_bundles_also_when_it_was_down, the_checker_finds_nothing]))
