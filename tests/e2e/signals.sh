#!/usr/bin/env python3
"""What signals do to a running engine: a request to reload does not stop it, a closed terminal drains it.

    signals.sh SOURCE BUILD
"""
import pathlib
import pty
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n',
    "channels/in.channel": """module e2e.signals

channel in {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    retry forever backoff 20ms..200ms
  }}
}}
""",
}


class Case:
    def __init__(self):
        self.folder = temp_folder()
        self.sink = Receiver()
        self.port = free_port()
        values = {"http": free_port(), "port": self.port, "sink": self.sink.port}
        self.site = write_site(self.folder / "site", {name: text.format(**values) for name, text in SITE.items()})
        self.engine = Engine(build / "kiln", self.site)


def a_hangup_without_terminal_is_no_stop():
    case = Case()
    case.engine.start()
    with Mllp(case.port) as c:
        assert ack_code(c.send(adt("H1"))) == "AA"
        for number in range(3):
            os.kill(case.engine.pid(), signal.SIGHUP)
            wait_for("it reloads", lambda: case.engine.log.read_text().count("nothing has changed") > number)
        assert ack_code(c.send(adt("H2"))) == "AA", "the connection is still the same"
    assert case.engine.is_running()
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    assert case.sink.controls() == ["H1", "H2"]


def in_a_terminal(case):
    """The engine in the foreground of a terminal of its own; its pid and the side of the terminal that can be closed."""
    pid, terminal = pty.fork()
    if pid == 0:
        with open(case.engine.log, "ab") as log:
            os.dup2(log.fileno(), 2)
        os.execv(case.engine.kiln, [case.engine.kiln, "run", str(case.site)])
    wait_for("ready", lambda: case.engine.log.exists() and case.engine.is_ready())
    return pid, terminal


def a_closed_terminal_drains():
    case = Case()
    pid, terminal = in_a_terminal(case)
    with Mllp(case.port) as c:
        assert ack_code(c.send(adt("T1"))) == "AA"
        os.kill(pid, signal.SIGHUP)  # the terminal is still there: a request to reload
        wait_for("it reloads", lambda: "nothing has changed" in case.engine.log.read_text())
        assert ack_code(c.send(adt("T2"))) == "AA"
    os.close(terminal)
    status = wait_for("the engine ends", lambda: (lambda found: found if found[0] else None)(os.waitpid(pid, os.WNOHANG)))[1]
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, f"{status}\n{case.engine.tail()}"
    assert "stopping" in case.engine.tail()
    case.engine.start()
    case.engine.wait_drained()
    assert case.sink.controls() == ["T1", "T2"], "what waited is sent now, and nothing twice"
    assert not [m for m in case.engine.search() if any(d["in_doubt"] for d in case.engine.show(m["id"])["destinations"])]
    assert case.engine.stop() == 0


sys.exit(run_cases([a_hangup_without_terminal_is_no_stop, a_closed_terminal_drains]))
