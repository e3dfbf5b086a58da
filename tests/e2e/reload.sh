#!/usr/bin/env python3
"""Another version of a site while it runs: under load, refused, rolled back, by file change.

    reload.sh SOURCE BUILD [RELOADS]      RELOADS under load, 50 by default; 10000 takes about an hour
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

RELOADS = int(sys.argv[3]) if len(sys.argv) > 3 else 50

CONF = 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n  {more}\n}}\n'
CHANNEL = """module e2e.reload

channel {name} {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1{where}
{destinations}
}}
"""
TO = '  to {name}: mllp from source {{ host "127.0.0.1"; port {port}; retry forever backoff 20ms..{most} }}\n'


def to(name, port, most="100ms"):
    return TO.format(name=name, port=port, most=most)


def kiln(site, *words):
    done = subprocess.run([str(build / "kiln"), *words, "--site", str(site)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


class Case:
    def __init__(self, more="", start=True):
        self.folder = temp_folder()
        self.http, self.port = free_port(), free_port()
        self.sink = Receiver()
        self.site = write_site(self.folder / "site", {"kiln.conf": CONF.format(http=self.http, more=more)})
        self.write("in", to("sink", self.sink.port))
        self.engine = Engine(build / "kiln", self.site)
        if start:
            self.engine.start()

    def write(self, name, destinations, port=None, where=""):
        path = self.site / f"channels/{name}.channel"
        path.parent.mkdir(exist_ok=True)
        path.write_text(CHANNEL.format(name=name, port=port or self.port, where=where, destinations=destinations))

    def reload(self, expected=0, *more):
        code, text = kiln(self.site, "reload", *more)
        assert code == expected, f"exit {code}\n{text}\n{self.engine.tail()}"
        return text

    def end(self):
        self.engine.wait_drained()
        assert self.engine.stop() == 0


def many_reloads_under_load_lose_nothing():
    case = Case()
    second = Receiver()
    stop, problems, sent = threading.Event(), [], []

    def send_all():
        with Mllp(case.port) as one:  # the listener never changes, so neither does this connection
            number = 0
            while not stop.is_set():
                number += 1
                control = f"L{number:06}"
                answer = one.send(adt(control))
                if answer is None or ack_code(answer) != "AA":
                    problems.append(f"{control}: {answer}")
                    return
                sent.append(control)

    def connect_all():
        while not stop.is_set():
            try:
                with Mllp(case.port):
                    pass
            except OSError as refused:
                problems.append(f"connect: {refused}")
            time.sleep(0.005)

    threads = [threading.Thread(target=work) for work in (send_all, connect_all)]
    for thread in threads:
        thread.start()
    variants = [
        (to("sink", case.sink.port, "200ms"), ' where MSH-10 != "never"'),  # another back-off, another filter
        (to("sink", case.sink.port) + to("copy", second.port), ""),  # a destination more
        (to("sink", case.sink.port), ""),
    ]
    for number in range(RELOADS):
        destinations, where = variants[number % len(variants)]
        case.write("in", destinations, where=where)
        if number % 10 == 9:
            case.write("other", to("sink", case.sink.port), port=free_port())
        elif number % 10 == 0:
            (case.site / "channels/other.channel").unlink(missing_ok=True)
        status, answer = case.engine.control("POST", "/api/v1/config/apply", {"by": "test"})
        assert status == 200 and answer["applied"], f"{status} {answer}"
        assert not problems, problems
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not problems, problems
    case.end()
    got = case.sink.controls()
    assert got == sent, f"{len(sent)} were acknowledged, {len(got)} arrived, first difference {next((a, b) for a, b in zip(sent, got) if a != b)}"
    copies = second.controls()
    assert copies and copies == sorted(copies) and set(copies) <= set(sent), "the copies are in order"
    print(f"  {RELOADS} reloads, {len(sent)} messages, {len(copies)} copies, 0 lost, 0 refused connections")


def an_invalid_site_never_replaces_the_running_one():
    case = Case()
    with Mllp(case.port) as one:
        assert ack_code(one.send(adt("V1"))) == "AA"
        good = (case.site / "channels/in.channel").read_text()
        (case.site / "channels/in.channel").write_text(good.replace("mllp from source", "mlpp from source"))
        text = case.reload(78)
        assert "in.channel:6:" in text and "E0904" in text and "mllp" in text, text
        assert kiln(case.site, "apply", "--dry-run")[0] == 78
        assert ack_code(one.send(adt("V2"))) == "AA"
        (case.site / "channels/in.channel").write_text(good)
        assert "nothing has changed" in case.reload()
        assert ack_code(one.send(adt("V3"))) == "AA"
    case.end()
    assert case.sink.controls() == ["V1", "V2", "V3"]


def a_listener_that_cannot_be_opened_changes_nothing():
    case = Case()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with Mllp(case.port) as one:
            case.write("in", to("sink", case.sink.port, "300ms"), where=' where MSH-10 != "P2"')
            case.write("second", to("sink", case.sink.port), port=taken.getsockname()[1])
            text = case.reload(74)
            assert "second" in text, text
            assert ack_code(one.send(adt("P2"))) == "AA", "the filter of the refused version is not used"
        case.write("in", to("sink", case.sink.port), port=taken.getsockname()[1])  # its own listener moves there
        (case.site / "channels/second.channel").unlink()
        case.reload(74)
        with Mllp(case.port) as one:
            assert ack_code(one.send(adt("P3"))) == "AA", "the old listener is open again"
    case.end()
    assert case.sink.controls() == ["P2", "P3"]


def a_refused_swap_of_ports_leaves_both_listeners_open():
    case = Case(start=False)
    other = free_port()
    case.write("other", to("sink", case.sink.port), port=other)
    case.engine.start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        case.write("in", to("sink", case.sink.port), port=other)
        case.write("other", to("sink", case.sink.port))
        case.write("third", to("sink", case.sink.port), port=taken.getsockname()[1])
        text = case.reload(74)
        assert "third" in text and "does not open again" not in text, text
    for control, port in (("W1", case.port), ("W2", other)):
        with Mllp(port) as one:
            assert ack_code(one.send(adt(control))) == "AA", control
    assert {m["control_id"]: m["channel"] for m in case.engine.search()} == {"W1": "in", "W2": "other"}
    case.end()


def a_new_channel_whose_destination_cannot_start_is_refused_whole():
    case = Case()
    (case.folder / "ca.pem").write_text("no certificate")
    case.write("second", f'  to sink: mllp from source {{ host "127.0.0.1"; port 1; tls {{ ca file("{case.folder}/ca.pem") }} }}\n', port=free_port())
    code, text = kiln(case.site, "reload")
    assert code != 0 and "second, sink" in text, text
    assert [c["name"] for c in case.engine.control("GET", "/api/v1/channels")[1]["channels"]] == ["in"]
    case.end()


def a_changed_destination_keeps_its_queue():
    case = Case(start=False)
    dead = free_port()
    case.write("in", to("sink", dead))
    case.engine.start()
    with Mllp(case.port) as one:
        for n in range(20):
            assert ack_code(one.send(adt(f"Q{n:02}"))) == "AA"
        case.write("in", to("sink", case.sink.port))
        text = case.reload()
        assert "destination sink changes" in text and f"port {dead} -> {case.sink.port}" in text, text
        assert ack_code(one.send(adt("Q20"))) == "AA"
    case.end()
    assert case.sink.controls() == [f"Q{n:02}" for n in range(21)]


def B7_messages_of_before_do_not_go_to_destinations_of_after():
    case = Case(start=False)
    dead = free_port()
    case.write("in", to("sink", dead))
    case.engine.start()
    later = Receiver()
    with Mllp(case.port) as one:
        for n in range(5):
            one.send(adt(f"B{n}"))
        case.write("in", to("sink", case.sink.port) + to("later", later.port))
        case.reload()
        one.send(adt("B5"))
    case.end()
    assert later.controls() == ["B5"], later.controls()
    assert case.sink.controls() == [f"B{n}" for n in range(6)]


def what_waits_for_a_removed_channel_is_told_and_kept():
    case = Case(start=False)
    dead = free_port()
    case.write("in", to("sink", dead))
    case.write("other", to("sink", case.sink.port), port=free_port())
    case.engine.start()
    with Mllp(case.port) as one:
        for n in range(7):
            one.send(adt(f"R{n}"))
    wait_for("they wait", lambda: case.engine.pending() == 7)
    (case.site / "channels/in.channel").unlink()
    text = case.reload()
    assert "in: is removed" in text and "7 messages wait for in/sink" in text, text
    try:
        Mllp(case.port)
        raise AssertionError("the listener is still open")
    except OSError:
        pass
    case.write("in", to("sink", case.sink.port))
    case.reload()
    with Mllp(case.port) as one:
        one.send(adt("R7"))
    case.end()
    assert case.sink.controls() == [f"R{n}" for n in range(8)]


def a_removed_destination_and_over_a_restart():
    case = Case(start=False)
    dead = free_port()
    second = Receiver()
    case.write("in", to("sink", case.sink.port) + to("away", dead))
    case.engine.start()
    with Mllp(case.port) as one:
        for n in range(3):
            one.send(adt(f"D{n}"))
        case.write("in", to("sink", case.sink.port))
        assert "3 messages wait for in/away" in case.reload()
        one.send(adt("D3"))
    wait_for("sent", lambda: len(case.sink.controls()) == 4)
    assert case.engine.stop() == 0
    case.engine.start()
    assert "3 messages wait for in/away" in case.engine.tail(40)
    case.write("in", to("sink", case.sink.port) + to("away", second.port))
    case.reload()
    case.end()
    assert second.controls() == ["D0", "D1", "D2"], second.controls()
    assert case.sink.controls() == ["D0", "D1", "D2", "D3"]


def history_and_rollback():
    case = Case()
    first = case.engine.status()["config"]
    case.write("in", to("sink", case.sink.port), where=' where MSH-10 != "H1"')
    case.reload(0, "--reason", "ticket 12")
    code, text = kiln(case.site, "history")
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    assert code == 0 and len(lines) == 2 and "ticket 12" in lines[0] and "(runs now)" in lines[0], text
    assert first[:12] in lines[1] and "start" in lines[1], text
    with Mllp(case.port) as one:
        assert ack_code(one.send(adt("H1"))) == "AR"
        code, text = kiln(case.site, "rollback", lines[1].split()[0])
        assert code == 0 and "files on disk" in text, text
        assert case.engine.status()["config"] == first
        assert ack_code(one.send(adt("H2"))) == "AA"
        code, text = kiln(case.site, "diff")
        assert code == 1 and '+  accept hl7 ADT_A01 2.5.1 where MSH-10 != "H1"' in text, text
        code, text = kiln(case.site, "rollback", "999")
        assert code == 64 and "kiln history" in text, f"{code} {text}"
    case.end()


def changed_files_are_used_by_themselves_when_asked():
    case = Case("reload { on_change true; every 200ms }")
    with Mllp(case.port) as one:
        time.sleep(0.5)
        case.write("in", to("sink", case.sink.port), where=' where MSH-10 != "F1"')
        wait_for("it is used", lambda: "filter, maps" in case.engine.tail(40))
        assert ack_code(one.send(adt("F1"))) == "AR"
        good = (case.site / "channels/in.channel").read_text()
        (case.site / "channels/in.channel").write_text(good + "}")
        wait_for("it is refused", lambda: "reload refused" in case.engine.tail(40))
        assert ack_code(one.send(adt("F2"))) == "AA"
    case.end()


def a_dry_run_changes_nothing():
    case = Case()
    before = case.engine.status()["config"]
    case.write("in", to("sink", case.sink.port), where=' where MSH-10 != "N1"')
    code, text = kiln(case.site, "apply", "--dry-run")
    assert code == 1 and "would be applied" in text, text
    assert case.engine.status()["config"] == before
    code, text = kiln(case.site, "apply", "--reason", "now")
    assert code == 0 and "+  accept" in text and "applied:" in text, text
    assert case.engine.status()["config"] != before
    case.end()


sys.exit(run_cases([many_reloads_under_load_lose_nothing, an_invalid_site_never_replaces_the_running_one,
                    a_listener_that_cannot_be_opened_changes_nothing, a_refused_swap_of_ports_leaves_both_listeners_open,
                    a_new_channel_whose_destination_cannot_start_is_refused_whole, a_changed_destination_keeps_its_queue,
                    B7_messages_of_before_do_not_go_to_destinations_of_after, what_waits_for_a_removed_channel_is_told_and_kept,
                    a_removed_destination_and_over_a_restart, history_and_rollback,
                    changed_files_are_used_by_themselves_when_asked, a_dry_run_changes_nothing]))
