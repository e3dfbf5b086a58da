#!/usr/bin/env python3
"""`kiln status`, `why` and `trace` tell of what was set aside, is stranded or held, also after a restart, and the commands that they
name do what they say.

    told.sh SOURCE BUILD
"""
import pathlib
import shlex
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

CONF = 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n  health {{ listen 127.0.0.1:{health} }}\n}}\n'
CHANNEL = """module e2e.told

channel {name} {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
{destinations}
}}
"""


def to(name, port, more=""):
    return f'  to {name}: mllp from source {{ host "127.0.0.1"; port {port}; retry forever backoff 20ms..100ms{more} }}\n'


class Case:
    def __init__(self, destinations):
        self.folder, self.port, self.health = temp_folder(), free_port(), free_port()
        self.site = write_site(self.folder / "site", {"kiln.conf": CONF.format(http=free_port(), health=self.health)})
        self.write("in", destinations)
        self.engine = Engine(build / "kiln", self.site).start()

    def write(self, name, destinations, port=None):
        path = self.site / f"channels/{name}.channel"
        path.parent.mkdir(exist_ok=True)
        path.write_text(CHANNEL.format(name=name, port=port or self.port, destinations=destinations))

    def kiln(self, *words, expected=0):
        done = subprocess.run([str(build / "kiln"), *map(str, words), "--site", str(self.site)], capture_output=True, text=True, timeout=120)
        assert done.returncode == expected, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.engine.tail()}"
        return done.stdout + done.stderr

    def do(self, command, expected=0):
        """A command as the engine names it: `kiln VERB …`."""
        words = shlex.split(command)
        assert words[0] == "kiln", command
        return self.kiln(*words[1:], expected=expected)

    def send(self, *controls):
        with Mllp(self.port) as one:
            for control in controls:
                assert ack_code(one.send(adt(control))) == "AA"

    def number(self, control):
        return min(m["id"] for m in self.engine.search(f"id:{control}"))

    def problem(self, part):
        return next((p for p in self.engine.status()["problems"] if part in p["text"]), None)

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.health, timeout=PATIENCE)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def advice(text, verb):
    """The command of `kiln why` that begins with that verb."""
    found = [line.strip() for line in text.splitlines() if line.strip().startswith(f"kiln {verb}")]
    assert found, f"no {verb} in\n{text}"
    return found[0]


def parts_of_a_file_are_told_and_can_be_released():
    folder = temp_folder()
    site = copy_quickstart(source, folder)
    engine = Engine(build / "kiln", site).start()
    (site / "in/lab").mkdir(parents=True, exist_ok=True)
    rows = (site / "samples/lab_csv_in").glob("*.csv")
    shutil.copy(next(rows), site / "in/lab/one.csv")
    part = wait_for("the row is set aside", lambda: engine.search("state:quarantined"))[0]["id"]
    engine.wait_drained()
    status = engine.status()
    assert status["totals"]["quarantined"] == 1 and engine.channel("lab_csv_in")["quarantined"] == 1, status["totals"]
    problem = next(p for p in status["problems"] if "set aside" in p["text"])
    assert problem["channel"] == "lab_csv_in" and problem["waiting"] == 1, problem
    assert "1 problem" in engine.command("status", "--site", site) or "worst" in status["verdict"]["text"]
    assert '"event":"quarantined"' in engine.log.read_text().replace(" ", ""), engine.tail()
    whole = engine.show(part)["parent"]
    text = engine.command("why", whole, "--site", site)
    assert f"{part} (quarantined)" in text and "until somebody decides" in text and f"kiln why {part}" in text, text
    for number in (whole, part):
        text = engine.command("trace", number, "--site", site)
        assert len([line for line in text.splitlines() if line.split()[:1] in ([str(whole)], [str(part)])]) == 2, text
    # The cause is mended, then the one row is sent again, by the command that is named.
    table = site / "tables/lab_codes.csv"
    lines = table.read_text().splitlines()
    known = next(line for line in lines if line.startswith("NA"))
    table.write_text("\n".join([*lines, known.replace("NA", "FOO", 1)]) + "\n")
    assert engine.command("reload", "--site", site)
    text = engine.command("why", part, "--site", site)
    command = advice(text, "quarantine release")
    engine.command(*shlex.split(command)[1:], "--site", site)
    engine.wait_drained()
    again = engine.find(f"replay_of:{part}")
    assert again["state"] == "sent", again
    assert "released" in engine.command("why", part, "--site", site).splitlines()[0]
    assert engine.status()["totals"]["quarantined"] == 0
    text = engine.command("trace", whole, "--site", site)
    assert str(again["id"]) in text, text
    assert engine.stop() == 0


def what_was_set_aside_is_told_over_a_restart_until_somebody_decides():
    refused = {"Q1", "Q2"}
    pas = Receiver(lambda _, __, control: "AR" if control in refused else "AA")
    case = Case(to("pas", pas.port, "; nak AR quarantine"))
    case.send("Q1", "Q2", "Q3")
    case.engine.wait_drained()
    assert case.engine.queue("in", "pas")["quarantined"] == 2
    assert case.metrics()['kiln_messages_quarantined_total{channel="in",destination="pas"}'] == 2
    assert case.problem("2 messages are set aside")["command"] == "kiln quarantine list channel:in"
    assert case.engine.stop() == 0
    case.engine.start()
    status = case.engine.status()
    assert status["totals"]["quarantined"] == 2 and case.engine.queue("in", "pas")["quarantined"] == 2, status["totals"]
    received = case.metrics()['kiln_messages_received_total{channel="in"}']
    assert case.engine.channel("in")["received"] == received == 3
    refused.clear()
    one, two = case.number("Q1"), case.number("Q2")
    text = case.kiln("why", one)
    assert "answered AR" not in text and "the receiver refused it (AR)" in text, text
    assert "MSA|AR|Q1" in case.do(advice(text, "show"))
    case.do(advice(text, "quarantine release"))
    # Who replays instead is told how to close it.
    case.kiln("replay", two, "--to", "pas")
    case.engine.wait_drained()
    text = case.kiln("why", two)
    assert "kiln quarantine release" not in text, text
    case.do(advice(text, "quarantine resolve"))
    assert case.problem("set aside") is None and case.engine.status()["totals"]["quarantined"] == 0
    assert pas.controls() == ["Q1", "Q2", "Q3", "Q1", "Q2"]
    for number in (one, two):
        text = case.kiln("why", number)
        assert "you:" not in text, text
    assert case.engine.stop() == 0
    assert "The site of today" not in case.kiln("why", one)


def what_was_dropped_tells_who_and_why():
    pas = Receiver(lambda *_: "AR")
    case = Case(to("pas", pas.port, "; nak AR quarantine"))
    case.send("D1")
    case.engine.wait_drained()
    number = case.number("D1")
    case.kiln("quarantine", "drop", number, "--reason", "a test of the vendor", "--yes")
    text = case.kiln("why", number)
    assert "removed it for in/pas: a test of the vendor" in text and "refused it (AR)" in text, text
    assert case.engine.stop() == 0


def what_waits_for_a_destination_that_is_gone_is_told_and_can_be_brought_back_or_given_up():
    sink, dead = Receiver(), free_port()
    case = Case(to("sink", sink.port) + to("down", dead))
    case.send("S1", "S2", "S3")
    wait_for("tried", lambda: case.engine.queue("in", "down")["retries"])
    case.write("in", to("sink", sink.port))
    assert "3 messages wait for in/down" in case.kiln("reload")
    for restarted in (False, True):
        if restarted:
            assert case.engine.stop() == 0
            case.engine.start()
        problem = case.problem("3 messages wait for it")
        assert problem and (problem["channel"], problem["destination"]) == ("in", "down") and problem["level"] == "bad", case.engine.status()["problems"]
        assert case.engine.status()["verdict"]["level"] == "bad"
        assert case.metrics()['kiln_messages_pending{channel="in",destination="down"}'] == 3
    text = case.kiln("why", case.number("S1"))
    assert "this site has no destination in/down" in text, text
    case.do(advice(text, "rollback"))
    assert case.engine.queue("in", "down")["pending"] == 3
    assert case.problem("wait for it") is None
    # Gone again, with the whole channel this time, and given up.
    (case.site / "channels/in.channel").unlink()
    case.write("other", to("sink", sink.port), free_port())
    assert "3 messages wait for in/down" in case.kiln("reload")
    problem = case.problem("3 messages wait for it")
    assert problem and problem["channel"] == "in", case.engine.status()["problems"]
    text = case.kiln("why", case.number("S1"))
    assert "3 messages are in quarantine" in case.do(advice(text, "destination skip"))
    assert case.problem("wait for it") is None
    assert case.problem("3 messages are set aside")["channel"] == "in"
    assert "DESTINATION" not in text
    case.kiln("destination", "skip", "in/nowhere", expected=case_of_missing(case))
    assert case.engine.stop() == 0


def case_of_missing(case):
    """The exit code of a destination that is not there, whatever the table of exit codes says."""
    return subprocess.run([str(build / "kiln"), "destination", "resume", "in/nowhere", "--site", str(case.site)], capture_output=True).returncode


def a_block_says_what_was_answered():
    sink = Receiver(lambda *_: "AR")
    case = Case(to("sink", sink.port, "; nak AR block"))
    case.send("B1", "B2")
    wait_for("blocked", lambda: case.engine.queue("in", "sink")["blocked"])
    one, two = case.number("B1"), case.number("B2")
    assert case.engine.queue("in", "sink")["last_failure"].startswith("AR"), case.engine.queue("in", "sink")
    assert "AR" in case.problem("blocked")["text"]
    text = case.kiln("why", one)
    assert "the receiver refused it (AR)" in text, text
    assert "MSA|AR|B1" in case.do(advice(text, "show"))
    assert "MSA|AR|B1" in json.dumps(case.engine.show(one))
    assert f"kiln why {one}" in case.kiln("why", two)
    case.do(advice(text, "destination skip"))
    wait_for("the next one is refused", lambda: case.engine.queue("in", "sink")["blocked"] and case.engine.queue("in", "sink")["head"] == two)
    assert case.engine.stop() == 0


def a_hold_says_whose_it_is_and_its_command_ends_it():
    sink = Receiver()
    case = Case(to("sink", sink.port))
    for hold, state in ((("channel", "stop", "in"), "stopped"), (("channel", "pause", "in", "--source"), "its source is paused"),
                        (("channel", "pause", "in"), "paused")):
        case.kiln(*hold, "--reason", "update of the receiver")
        if state != "paused":
            case.kiln(*hold)  # once more, without a reason: what is known stays
        problem = case.problem(state)
        assert problem and "update of the receiver" in problem["text"] and " by " in problem["text"], case.engine.status()["problems"]
        case.do(problem["command"])
        assert case.engine.channel("in")["state"] == "running", (hold, problem)
    case.kiln("channel", "pause", "in", "--reason", "night")
    case.send("P1")
    problem = case.problem("1 message waits")
    assert "with its channel" in problem["text"] and "night" in problem["text"], problem
    text = case.kiln("why", case.number("P1"))
    assert "night" in text, text
    case.do(advice(text, "channel resume"))
    case.engine.wait_drained()
    case.kiln("destination", "pause", "in/sink", "--reason", "noon")
    case.send("P2")
    problem = case.problem("1 message waits")
    assert "noon" in problem["text"] and " by " in problem["text"], problem
    case.do(problem["command"])
    case.engine.wait_drained()
    assert sink.controls() == ["P1", "P2"]
    assert case.engine.stop() == 0


def the_table_adds_up():
    refused = Receiver(lambda *_: "AR")
    case = Case(to("pas", refused.port, "; nak AR skip; nak timeout skip; ack_timeout 300ms"))
    case.send("T1", "T2")
    case.engine.wait_drained()
    refused.answer = lambda *_: None
    case.send("T3")
    case.engine.wait_drained()
    refused.answer = lambda *_: "AA"
    case.send("T4", "T4")
    case.engine.wait_drained()
    one = case.engine.channel("in")
    assert (one["received"], one["duplicates"], one["rejected"], one["expired"], one["sent"]) == (5, 1, 2, 1, 1), one
    head = next(line for line in case.kiln("status").splitlines() if line.startswith("channel"))
    assert "repeated" in head and "expired" in head, head
    assert case.engine.stop() == 0
    case.engine.start()
    one = case.engine.channel("in")
    assert (one["received"], one["rejected"], one["expired"], one["sent"]) == (5, 2, 1, 1), one
    assert case.engine.stop() == 0


def an_alert_that_fires_is_a_problem():
    case = Case(to("sink", Receiver().port))
    for _ in range(3):
        assert case.engine.stop() == 0
        case.engine.start()
    wait_for("the alert", lambda: "RestartLoop" in case.kiln("alert"))
    status = case.engine.status()
    assert status["verdict"]["level"] == "bad", status["verdict"]
    assert case.problem("RestartLoop")["command"] == "kiln alert"
    assert case.engine.stop() == 0


if __name__ == "__main__":
    sys.exit(run_cases([parts_of_a_file_are_told_and_can_be_released, what_was_set_aside_is_told_over_a_restart_until_somebody_decides,
                        what_was_dropped_tells_who_and_why,
                        what_waits_for_a_destination_that_is_gone_is_told_and_can_be_brought_back_or_given_up,
                        a_block_says_what_was_answered, a_hold_says_whose_it_is_and_its_command_ends_it, the_table_adds_up,
                        an_alert_that_fires_is_a_problem]))
