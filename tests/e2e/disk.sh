#!/usr/bin/env python3
"""A disk that is full, read-only, or does not confirm a write: a negative answer or none, never AA for what is not on disk.

    disk.sh SOURCE BUILD

The data folder is a small tmpfs (needs root and mount), failing system calls come from `strace -e inject` (needs ptrace). What
cannot run here is skipped with its reason; when nothing can run, the exit code is 4.
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n',
    "channels/disk.channel": """module e2e.disk

channel disk {{
  source mllp {{
    port {port}
    {option}
  }}
  accept hl7 ADT_A01 2.5.1
  ack original on stored
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    retry forever backoff 20ms..200ms
  }}
}}
""",
}
mounted = []


@atexit.register
def unmount():
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], capture_output=True)


def mount(*arguments):
    if os.geteuid() != 0:
        raise Skipped("needs root to mount")
    path = arguments[-1]
    pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"mount is not possible here: {done.stderr.strip()}")
    mounted.append(path)


class Case:
    """A site of its own with one channel and its receiver."""

    def __init__(self, option="idle 5m", wrap=()):
        self.folder = temp_folder()
        self.sink = Receiver(log=self.folder / "sink")
        self.port = free_port()
        values = {"http": free_port(), "port": self.port, "sink": self.sink.port, "option": option}
        self.site = write_site(self.folder / "site", {name: text.format(**values) for name, text in SITE.items()})
        self.engine = Engine(build / "kiln", self.site, wrap)
        self.log = open(self.folder / "sent", "w", encoding="utf-8")
        self.count = 0

    def body(self, control, size=0):
        body = adt(control)
        return adt(control, extra="NTE|1||" + "x" * (size - len(body)) + "\r") if size > len(body) else body

    def send(self, connection, size=0, control=None):
        """(control id, acknowledgement code or None when the connection was closed); logged for the checker."""
        if control is None:
            self.count += 1
            control = f"D{self.count}"
        body = self.body(control, size)
        ack = connection.send(body)
        if ack is None:
            return control, None
        assert ack_control(ack) == control, ack
        self.log.write(f"{control}\t{hashlib.sha256(body).hexdigest()}\t{ack_code(ack)}\n")
        self.log.flush()
        return control, ack_code(ack)

    def runs_once(self):
        """A start, one message, a clean stop."""
        self.engine.start()
        with Mllp(self.port) as c:
            assert self.send(c)[1] == "AA"
        self.engine.wait_drained()
        assert self.engine.stop() == 0

    def comes_back(self):
        """Without the fault it serves again, and nothing was lost."""
        self.engine.wrap = []
        self.runs_once()
        self.check()

    def check(self, final=True):
        assert run_checker(source, self.site, self.folder / "sent", {"disk/sink": self.folder / "sink"}, final)


def fill(folder):
    """Takes what is left; returns the file that did."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass
    return ballast


# ---- cases ----

def B20_a_full_disk_gives_AE_until_there_is_space_again():
    case = Case()
    mount("-t", "tmpfs", "-o", "size=24m", "kiln-test", case.site / "data")
    case.engine.start()
    with Mllp(case.port) as c:
        assert [case.send(c)[1] for _ in range(10)] == ["AA"] * 10
        ballast = fill(case.site / "data")
        # Space that the files have already may still be used: only then AA is right, and the checker knows.
        answers = [case.send(c, 20_000) for _ in range(150)]
        refused = [control for control, code in answers if code == "AE"]
        assert {code for _, code in answers} <= {"AA", "AE"} and len(refused) >= 50, answers
        assert answers[-1][1] == "AE", "the disk is full and the last one was taken"
        status = case.engine.channel("disk")
        assert status["not_stored"] == len(refused), status
        ack = c.send(case.body("D9999", 20_000))
        assert ack_errors(ack) == ["207"], ack
        ballast.unlink()
        wait_for("messages are taken again", lambda: case.send(c, 20_000, refused[0])[1] == "AA")
        assert [case.send(c, 20_000, control)[1] for control in refused[1:20]] == ["AA"] * 19
    assert case.engine.is_running()
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    case.check()
    case.comes_back()


def a_full_disk_closes_the_connection_where_that_is_wanted():
    case = Case("on_store_failure close")
    mount("-t", "tmpfs", "-o", "size=16m", "kiln-test", case.site / "data")
    case.engine.start()
    with Mllp(case.port) as c:
        assert case.send(c)[1] == "AA"
    fill(case.site / "data")
    codes = set()
    for _ in range(60):
        with Mllp(case.port) as c:
            codes.add(case.send(c, 40_000)[1])
    assert codes <= {"AA", None} and None in codes, codes
    case.engine.kill()
    case.check(final=False)


def a_start_on_a_full_disk_does_not_serve_or_refuses():
    """Either it does not start and says why, or it starts and answers AE; the data stays whole."""
    case = Case()
    mount("-t", "tmpfs", "-o", "size=16m", "kiln-test", case.site / "data")
    case.engine.start()
    with Mllp(case.port) as c:
        assert case.send(c)[1] == "AA"
    case.engine.wait_drained()
    case.engine.kill()
    ballast = fill(case.site / "data")
    case.engine.start(ready=False)
    if case.engine.wait_ready_or_ended():
        with Mllp(case.port) as c:
            codes = {case.send(c, 40_000)[1] for _ in range(60)}
        assert "AE" in codes and codes <= {"AA", "AE"}, codes
        case.engine.kill()
    else:
        assert case.engine.process.returncode == 74 and "space" in case.engine.tail(3), case.engine.tail(3)
    ballast.unlink()
    case.comes_back()


def a_read_only_folder_is_refused_at_the_start():
    case = Case()
    mount("--bind", case.site / "data", case.site / "data")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(case.site / "data")], check=True)
    case.engine.start(ready=False)
    assert case.engine.process.wait(PATIENCE) in (74, 75, 78), case.engine.process.returncode
    assert "kiln:" in case.engine.tail(1) and str(case.site / "data") in case.engine.tail(1), case.engine.tail(3)


def traced(log, *inject):
    if shutil.which("strace") is None:
        raise Skipped("strace is not installed")
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        raise Skipped("ptrace is not allowed here")
    calls = sorted({i.split(":")[0] for i in inject} | {"sendmsg", "sendto", "write", "writev", "fdatasync", "fsync"})
    return ["strace", "-f", "-qq", "-s", "300", "-o", str(log), "-e", "trace=" + ",".join(calls), "--signal=none",
            *(part for i in inject for part in ("-e", "inject=" + i))]


def writes_that_fail_give_AE():
    """EROFS and EIO on the journal's writes, as from a file system that was remounted read-only."""
    for error in ("EROFS", "EIO"):
        case = Case()
        case.runs_once()
        case.engine.wrap = traced(case.folder / "trace", f"pwrite64:error={error}:when=60+")
        case.engine.start()
        codes = []
        for _ in range(60):
            try:
                with Mllp(case.port) as c:
                    codes.append(case.send(c)[1])
            except OSError:
                codes.append(None)
        first = next((i for i, code in enumerate(codes) if code != "AA"), None)
        assert first is not None and first > 0, (error, codes)
        assert "AA" not in codes[first:], (error, codes)
        assert case.engine.is_running() and codes[-1] == "AE" or case.engine.process.wait(PATIENCE) == 74, (error, codes)
        if case.engine.is_running():
            case.engine.kill()
        case.engine.wrap = []
        case.engine.start()
        case.engine.wait_drained()
        assert case.engine.stop() == 0
        case.check()


def B18_a_sync_that_fails_ends_the_engine():
    for when in (12, 25):
        case = Case()
        case.runs_once()
        trace = case.folder / "trace"
        case.engine.wrap = traced(trace, f"fdatasync:error=EIO:when={when}+")
        case.engine.start(ready=False)
        case.engine.wait_ready_or_ended()
        codes = []
        try:
            with Mllp(case.port) as c:
                while len(codes) < 100:
                    codes.append(case.send(c)[1])
                    if codes[-1] is None:
                        break
        except OSError:
            codes.append(None)
        assert case.engine.process.wait(PATIENCE) == 74, case.engine.process.returncode
        assert codes[-1] is None and set(codes[:-1]) <= {"AA"}, codes
        lines = trace.read_text(errors="replace").splitlines()
        failed = next(i for i, line in enumerate(lines) if "INJECTED" in line)
        assert not any("MSA|AA" in line for line in lines[failed:]), "an AA left after the failure"
        case.comes_back()


def at_file(path, *inject):
    """Injects into the calls on one file only; each counts for itself."""
    wrap = traced("/dev/null", *inject)
    return wrap[:1] + ["-P", str(path)] + wrap[1:]


def B18_one_failed_sync_of_a_checkpoint_ends_the_engine():
    """Exactly one fdatasync of the journal file itself, not of its log: every later one would succeed."""
    case = Case()
    case.runs_once()
    file = next(case.site.glob("data/journal/*.db"))
    case.engine.wrap = at_file(file, "fdatasync:error=EIO:when=1")
    case.engine.start()
    codes = []
    try:
        with Mllp(case.port) as c:
            while len(codes) < 400 and (not codes or codes[-1] is not None):
                codes.append(case.send(c, 100_000)[1])
    except OSError:
        codes.append(None)
    assert case.engine.process.wait(PATIENCE) == 74, case.engine.process.returncode
    assert len(codes) > 20 and set(codes[:-1]) == {"AA"} and codes[-1] is None, codes
    case.comes_back()


def one_failed_sync_of_a_checkpoint_of_the_store_ends_the_engine():
    case = Case()
    case.engine.start()
    assert case.engine.fhir("Patient", "POST", json.dumps({"resourceType": "Patient"}))[0] == 201
    assert case.engine.stop() == 0
    case.engine.wrap = at_file(case.site / "data/fhir.db", "fdatasync:error=EIO:when=1")
    case.engine.start()
    patient = json.dumps({"resourceType": "Patient", "text": {"status": "generated",
                          "div": '<div xmlns="http://www.w3.org/1999/xhtml">' + "x" * 200_000 + "</div>"}})
    statuses = []
    try:
        while len(statuses) < 300:
            statuses.append(case.engine.fhir("Patient", "POST", patient)[0])
    except (OSError, http.client.HTTPException):
        statuses.append(None)
    assert case.engine.process.wait(PATIENCE) == 74, case.engine.process.returncode
    assert len(statuses) > 10 and set(statuses[:-1]) == {201} and statuses[-1] is None, statuses
    case.engine.wrap = []
    case.engine.start()
    assert case.engine.fhir("Patient?_summary=count")[2]["total"] >= len(statuses)
    assert case.engine.stop() == 0


def a_folder_that_is_not_confirmed_refuses_the_start():
    case = Case()
    case.engine.start()
    assert case.engine.stop() == 0
    case.engine.wrap = at_file(case.site / "data/journal", "fsync:error=EIO:when=1")
    case.engine.start(ready=False)
    assert case.engine.process.wait(PATIENCE) == 74, case.engine.process.returncode
    assert "fsync" in case.engine.tail(1), case.engine.tail(3)
    case.engine.wrap = []
    case.engine.start()
    assert case.engine.stop() == 0


sys.exit(run_cases([B20_a_full_disk_gives_AE_until_there_is_space_again, a_full_disk_closes_the_connection_where_that_is_wanted,
                    a_start_on_a_full_disk_does_not_serve_or_refuses, a_read_only_folder_is_refused_at_the_start,
                    writes_that_fail_give_AE, B18_a_sync_that_fails_ends_the_engine, B18_one_failed_sync_of_a_checkpoint_ends_the_engine,
                    one_failed_sync_of_a_checkpoint_of_the_store_ends_the_engine, a_folder_that_is_not_confirmed_refuses_the_start]))
