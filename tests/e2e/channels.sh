#!/usr/bin/env python3
"""Channels that hand on to each other, answers that wait for deliveries, hours, files in parts: one engine, real sockets.

    channels.sh SOURCE BUILD
"""
import json
import pathlib
import sys
import time

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

CONF = 'server {{\n  data "data"\n  timezone "UTC"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n'
TO = 'to {name}: mllp from source {{ host "127.0.0.1"; port {port}; retry forever backoff 20ms..100ms; ack_timeout 500ms{more} }}'


class Case:
    """Channels by name; `{port}` in a text is the listener's."""

    def __init__(self, channels, engine="kiln", environment=None):
        self.folder, self.port = temp_folder(), free_port()
        files = {"kiln.conf": CONF.format(http=free_port())}
        for name, text in channels.items():
            files[f"channels/{name}.channel"] = "module e2e.channels\n\nchannel " + name + " {\n  " + text.replace("{port}", str(self.port)) + "\n}\n"
        self.site = write_site(self.folder / "site", files)
        self.engine = Engine(build / engine, self.site).start(environment)

    def kiln(self, *words, expected=0):
        done = subprocess.run([str(build / "kiln"), *map(str, words), "--site", str(self.site)], capture_output=True, text=True, timeout=120)
        assert done.returncode == expected, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.engine.tail()}"
        return done.stdout + done.stderr

    def of(self, channel):
        return [m for m in self.engine.search(f"channel:{channel}")]

    def end(self):
        self.engine.wait_drained()
        assert self.engine.stop() == 0


def sink(name, receiver, more=""):
    return TO.format(name=name, port=receiver.port, more=more)


INTO = "source mllp {{ port {{port}} }}\n  accept hl7 ADT_A01 2.5.1\n  ack original on {moment}\n  to next: channel from source {{ name \"hub\" }}"


def chain(a, b, moment="mapped"):
    return {
        "in": INTO.format(moment=moment).replace("{{port}}", "{port}"),
        "hub": "source channel { }\n  accept hl7 ADT_A01 2.5.1\n  " + sink("a", a) + "\n  " + sink("b", b),
    }


def a_chain_fans_out_and_can_be_followed_both_ways():
    a, b = Receiver(), Receiver()
    case = Case(chain(a, b))
    with Mllp(case.port) as one:
        for number in range(20):
            assert ack_code(one.send(adt(f"C{number:02}"))) == "AA"
    case.engine.wait_drained()
    wanted = [f"C{n:02}" for n in range(20)]
    assert a.controls() == wanted and b.controls() == wanted, (a.controls(), b.controls())
    first = min(m["id"] for m in case.of("in"))
    child = min(m["id"] for m in case.of("hub"))
    assert case.engine.show(child)["parent"] == first
    text = case.kiln("why", first)
    assert f"message {child} of hub" in text, text
    text = case.kiln("why", child)
    assert f"made of message {first}" in text and "channel in" in text, text
    for number in (first, child):
        text = case.kiln("trace", number)
        assert str(first) in text and str(child) in text, text
    case.kiln("replay", child, "--to", "a", "--include-sent")
    case.engine.wait_drained()
    assert a.controls() == wanted + ["C00"], "what was handed on is a message of its own"
    case.end()


def a_stopped_channel_holds_those_before_it_in_order():
    a, b = Receiver(), Receiver()
    case = Case(chain(a, b))
    case.kiln("channel", "stop", "hub")
    with Mllp(case.port) as one:
        for number in range(3):
            assert ack_code(one.send(adt(f"S{number}"))) == "AA"
    wait_for("tried", lambda: case.engine.queue("in", "next").get("last_failure") or case.engine.queue("in", "next")["retries"])
    assert not a.controls() and case.engine.queue("in", "next")["pending"] == 3
    case.kiln("channel", "start", "hub")
    case.end()
    assert a.controls() == ["S0", "S1", "S2"] and b.controls() == a.controls()


def what_is_handed_on_when_the_process_ends_is_handed_on_once():
    for n in (1, 2, 3):
        a, b = Receiver(), Receiver()
        case = Case(chain(a, b), "crash_kiln", {"KILN_FAILPOINTS": f"channel.handed_on=crash@{n}"})
        sent = []
        with Mllp(case.port) as one:
            try:
                for number in range(5):
                    answer = one.send(adt(f"K{number}"))
                    if answer is None or ack_code(answer) != "AA":
                        break
                    sent.append(f"K{number}")
            except OSError:
                pass
        wait_for("ended", lambda: not case.engine.is_running())
        case.engine.kiln = str(build / "kiln")
        case.engine.start()
        case.engine.wait_drained()
        stored = [m["control_id"] for m in case.of("in")]
        handed = [m["control_id"] for m in case.of("hub")]
        assert sorted(handed) == sorted(stored) and len(set(handed)) == len(handed), (n, stored, handed)
        assert set(sent) <= set(handed)
        order = list(dict.fromkeys(a.controls()))
        assert order == sorted(order) and set(order) == set(handed), (n, order, handed)
        case.end()


def an_answer_waits_until_it_is_delivered():
    up = threading.Event()
    a = Receiver(lambda *_: "AA" if up.is_set() else "AE")
    case = Case({"in": "source mllp { port {port} }\n  accept hl7 ADT_A01 2.5.1\n  ack original on delivered { timeout 1s }\n  " + sink("a", a)})
    with Mllp(case.port) as one:
        answer = one.send(adt("D1"))
        assert ack_code(answer) == "AE" and b"not delivered within" in answer, answer
        threading.Timer(0.3, up.set).start()
        assert ack_code(one.send(adt("D1"))) == "AA", "the repetition is told what has become of it"
        assert ack_code(one.send(adt("D2"))) == "AA"
    assert a.controls()[-1] == "D2" and len(case.of("in")) == 2
    begin = time.monotonic()
    up.clear()
    with Mllp(case.port) as one:
        one.write(VT + adt("D3") + FS)
        time.sleep(0.2)
        assert case.engine.stop() == 0
    assert time.monotonic() - begin < 8
    case.engine.start()
    up.set()
    case.end()


def in_enhanced_mode_the_accept_acknowledgement_does_not_wait():
    up = threading.Event()
    a = Receiver(lambda *_: "AA" if up.is_set() else "AE")
    case = Case({"in": "source mllp { port {port}; application_ack same_connection }\n  accept hl7 ADT_A01 2.5.1\n"
                       "  ack auto on delivered { timeout 20s }\n  " + sink("a", a)})
    with Mllp(case.port) as one:
        one.write(VT + adt("E1").replace(b"|P|2.5.1", b"|P|2.5.1|||AL|AL") + FS)
        assert ack_code(one.read()) == "CA"
        assert one.is_silent(0.3)
        up.set()
        assert ack_code(one.read()) == "AA"
    case.end()


def the_chain_is_answered_by_its_end():
    """Delivered means: by the last channel too."""
    up = threading.Event()
    a, b = Receiver(lambda *_: "AA" if up.is_set() else "AE"), Receiver()
    channels = chain(a, b, "delivered { timeout 1s }")
    channels["hub"] = channels["hub"].replace("accept hl7 ADT_A01 2.5.1", "accept hl7 ADT_A01 2.5.1\n  ack original on delivered { timeout 10s }")
    case = Case(channels)
    with Mllp(case.port) as one:
        assert ack_code(one.send(adt("T1"))) == "AE"
        up.set()
        assert ack_code(one.send(adt("T1"))) == "AA"
    assert len(case.of("hub")) == 1
    case.end()


def what_is_late_is_asked_for_again_by_chains_and_files():
    """Neither sets it aside: a release would send it twice."""
    up = threading.Event()
    a, b = Receiver(lambda *_: "AA" if up.is_set() else "AE"), Receiver()
    channels = chain(a, b, "delivered { timeout 20s }")
    channels["hub"] = channels["hub"].replace("accept hl7 ADT_A01 2.5.1", "accept hl7 ADT_A01 2.5.1\n  ack original on delivered { timeout 200ms }")
    case = Case(channels)
    with Mllp(case.port) as one:
        one.write(VT + adt("L1") + FS)
        assert one.is_silent(1)
        up.set()
        assert ack_code(one.read()) == "AA"
    assert len(case.of("hub")) == 1 and not case.engine.search("state:quarantined")
    assert set(a.controls()) == {"L1"}
    case.end()

    up.clear()
    a = Receiver(lambda *_: "AA" if up.is_set() else "AE")
    case = Case({"in": 'source file { folder "in"; poll 50ms; stable 0s; results "results" }\n  accept hl7 ADT_A01 2.5.1\n'
                       "  ack original on delivered { timeout 200ms }\n  " + sink("a", a)})
    (case.site / "in/one.hl7").write_bytes(adt("F1"))
    wait_for("it is tried", lambda: len(a.controls()) > 1)
    time.sleep(0.6)
    assert (case.site / "in/.taken/one.hl7").exists(), "it is not refused: it is on its way"
    up.set()
    wait_for("the file is done", lambda: (case.site / "in/archive/one.hl7").exists())
    assert '"result":"stored"' in (case.site / "in/results/one.hl7.results.jsonl").read_text()
    assert len(case.of("in")) == 1
    case.end()


def outside_of_its_hours_a_destination_waits_and_says_so():
    a = Receiver()
    other_day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][(time.gmtime().tm_wday + 3) % 7]
    case = Case({"in": "source mllp { port {port} }\n  accept hl7 ADT_A01 2.5.1\n  " + sink("a", a, f'; hours "{other_day}"')})
    with Mllp(case.port) as one:
        assert ack_code(one.send(adt("H1"))) == "AA"
    number = case.of("in")[0]["id"]
    wait_for("it is queued", lambda: case.engine.queue("in", "a")["pending"] == 1)
    assert not a.controls()
    text = case.kiln("why", number)
    assert "closed at this hour" in text and other_day in text, text
    text = case.kiln("channel", "list")
    assert "closed" in text and f"open {other_day}" in text, text
    assert case.engine.queue("in", "a")["state"] == "closed"
    path = case.site / "channels/in.channel"
    path.write_text(path.read_text().replace(f'; hours "{other_day}"', '; hours "Mon-Sun"'))
    case.kiln("reload")
    case.end()
    assert a.controls() == ["H1"]
    path.write_text(path.read_text().replace("source mllp {", f'source mllp {{ hours "{other_day}";'))
    case.engine.start()
    with Mllp(case.port) as one:
        one.write(VT + adt("H2") + FS)
        assert one.is_silent(0.4), "outside of the hours of the source nothing is read"
        assert case.engine.channel("in")["state"] == "closed"
        path.write_text(path.read_text().replace(f'hours "{other_day}";', ""))
        case.kiln("reload")
    with Mllp(case.port) as one:
        assert ack_code(one.send(adt("H3"))) == "AA"
    case.end()
    assert a.controls()[-1] == "H3"


def rows_of_a_file_are_messages_of_their_own():
    case = Case({"rows": 'source csv { folder "in"; poll 50ms; stable 0s; split rows; results "results" }\n'
                         '  accept csv Rows\n'
                         '  to all: csv from source { file "out/all.csv"; append true }\n}\n\n'
                         'csv Rows { delimiter ";"; header true\n  columns {\n    id "id" : string\n    name "name" : string\n  }\n'})
    (case.site / "in").mkdir(exist_ok=True)
    (case.site / "in/new").write_text("id;name\n1;A\n2;\"B\nb\"\n3;C\n")
    wait_for("archived", lambda: (case.site / "in/archive/new").exists())
    case.engine.wait_drained()
    lines = [json.loads(line) for line in (case.site / "in/results/new.results.jsonl").read_text().splitlines()]
    assert [line["result"] for line in lines] == ["stored"] * 3
    assert [line["message"] for line in lines] == sorted(m["id"] for m in case.of("rows")), lines
    case.end()


def policies_of_answers_end_what_they_say():
    a = Receiver(lambda _, __, control: {"N1": "AE", "N2": "AR"}.get(control, "AA"))
    case = Case({"in": "source mllp { port {port} }\n  accept hl7 ADT_A01 2.5.1\n  " + sink("a", a, "; nak AE skip; nak AR quarantine")})
    with Mllp(case.port) as one:
        for control in ("N1", "N2", "N3"):
            assert ack_code(one.send(adt(control))) == "AA"
    case.engine.wait_drained()
    states = {m["control_id"]: m["destinations"][0]["state"] for m in case.of("in")}
    assert states == {"N1": "rejected", "N2": "quarantined", "N3": "sent"}, states
    text = case.kiln("why", next(m["id"] for m in case.of("in") if m["control_id"] == "N1"))
    assert "answered AE" in text and "not sent again" in text, text
    case.end()


sys.exit(run_cases([a_chain_fans_out_and_can_be_followed_both_ways, a_stopped_channel_holds_those_before_it_in_order,
                    what_is_handed_on_when_the_process_ends_is_handed_on_once, an_answer_waits_until_it_is_delivered,
                    in_enhanced_mode_the_accept_acknowledgement_does_not_wait, the_chain_is_answered_by_its_end,
                    what_is_late_is_asked_for_again_by_chains_and_files,
                    outside_of_its_hours_a_destination_waits_and_says_so, rows_of_a_file_are_messages_of_their_own,
                    policies_of_answers_end_what_they_say]))
