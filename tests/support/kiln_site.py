"""What the end-to-end and crash tests share: a site in a temporary folder, the real engine on it, MLLP clients and receivers.

Only the standard library. Every port is free at the time it is taken; nothing is ever sent beyond this machine.
"""
import atexit
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

VT, FS = b"\x0b", b"\x1c\r"
SKIPPED = 4
PATIENCE = int(os.environ.get("KILN_PATIENCE", 30))  # seconds that anything may take on a busy machine


def port_block():
    """Ports that no other test takes while this process runs, below those that the kernel gives to outgoing connections: a port
    without a listener, of a receiver that is down, is not taken by somebody else's connection."""
    size = 200
    try:
        low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:
        low = 32768
    for first in range(low - size, 10000, -size):
        try:
            lock = open(f"{tempfile.gettempdir()}/kiln-test-ports-{first}", "w", encoding="ascii")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        port_locks.append(lock)
        yield from range(first, first + size)
    raise RuntimeError("no block of ports is free")


port_locks = []
next_ports = port_block()
port_turn = threading.Lock()


def free_port():
    while True:
        with port_turn:
            port = next(next_ports)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


def field(segment, number):
    parts = segment.split(b"|")
    return parts[number] if len(parts) > number else b""


def find_segment(message, name):
    """The first segment of that name, or b"": fields count from 1 with field(), MSH-n stands at n-1."""
    return next((s for s in message.split(b"\r") if s[:3] == name), b"")


def wait_for(what, condition, seconds=PATIENCE):
    """Polls until `condition` gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Mllp:
    """One client connection."""

    def __init__(self, port, timeout=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def write(self, data):
        self.socket.sendall(data)

    def read(self, timeout=PATIENCE):
        """The next framed answer; None when the peer closed instead."""
        self.socket.settimeout(timeout)
        while True:
            end = self.buffer.find(FS)
            if end >= 0:
                frame = bytes(self.buffer[self.buffer.find(VT) + 1:end])
                del self.buffer[:end + 2]
                return frame
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self.buffer += data

    def is_silent(self, seconds):
        """True when no answer comes for that long, or the peer closes instead."""
        try:
            return self.read(seconds) is None
        except TimeoutError:
            return True

    def send(self, message, timeout=PATIENCE):
        self.write(VT + message + FS)
        return self.read(timeout)


def ack_code(ack):
    return field(find_segment(ack, b"MSA"), 1).decode()


def ack_control(ack):
    return field(find_segment(ack, b"MSA"), 2).decode()


def ack_errors(ack):
    """ERR-3 codes."""
    return [field(s, 3).split(b"^")[0].decode() for s in ack.split(b"\r") if s[:3] == b"ERR"]


class Receiver(threading.Thread):
    """An MLLP receiver that logs what arrives and answers as `answer(receiver, number, control)` says: an
    acknowledgement code, a pair (code, other MSA-2), bytes (sent as they are), None (no answer) or "close"."""

    def __init__(self, answer=None, port=0, log=None):
        super().__init__(daemon=True)
        self.answer = answer or (lambda *_: "AA")
        self.log = open(log, "a", encoding="utf-8") if log else None
        self.frames = []  # (control id, bytes), in order of arrival
        self.lock = threading.Lock()
        self.connections = set()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.start()

    def controls(self):
        with self.lock:
            return [control for control, _ in self.frames]

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        buffer = bytearray()
        try:
            while True:
                end = buffer.find(FS)
                if end < 0:
                    data = connection.recv(65536)
                    if not data:
                        break
                    buffer += data
                    continue
                frame = bytes(buffer[buffer.find(VT) + 1:end])
                del buffer[:end + 2]
                if not self.take(connection, frame):
                    break
        except OSError:
            pass
        with self.lock:
            self.connections.discard(connection)
        connection.close()

    def take(self, connection, frame):
        control = field(frame.split(b"\r")[0], 9).decode()
        with self.lock:
            self.frames.append((control, frame))
            number = len(self.frames)
        reply = self.answer(self, number, control)
        if self.log:
            with self.lock:
                answered = "\t" + reply if isinstance(reply, str) else ""
                self.log.write(f"{control}\t{hashlib.sha256(frame).hexdigest()}{answered}\n")
                self.log.flush()
        if reply == "close":
            return False
        if isinstance(reply, bytes):
            connection.sendall(reply)
        elif reply is not None:
            code, about = reply if isinstance(reply, tuple) else (reply, control)
            ack = f"MSH|^~\\&|SINK|S|KILN|TEST|20260101120000||ACK^A01^ACK|A{number}|P|2.5.1\rMSA|{code}|{about}\r"
            connection.sendall(VT + ack.encode() + FS)
        return True


def temp_folder(parent=None):
    """Removed when the test has passed; kept, and named, when it failed."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-e2e-", dir=parent))
    _folders.append(folder)
    return folder


_folders = []
_engines = []


class Engine:
    """`kiln run` on a site folder."""

    def __init__(self, kiln, site, wrap=()):
        self.kiln, self.site, self.wrap = str(kiln), pathlib.Path(site), list(wrap)
        self.data = self.site / "data"
        self.log = self.site.parent / (self.site.name + ".engine.log")
        self.process = None
        self.mark = 0  # where the log of the last start begins
        _engines.append(self)

    def start(self, environment=None, ready=True):
        """Returns when every listener is open."""
        self.mark = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.wrap + [self.kiln, "run", str(self.site)], stdout=subprocess.DEVNULL, stderr=log,
                                            env={**os.environ, **(environment or {})}, start_new_session=True)
        if ready:
            wait_for(f"{self.site} is ready", lambda: self.is_ready() or self.check_alive())
        return self

    def is_ready(self):
        with open(self.log, "rb") as log:
            log.seek(self.mark)
            return b"ready (" in log.read()

    def wait_ready_or_ended(self):
        """True when it serves."""
        wait_for("ready or ended", lambda: self.is_ready() or not self.is_running())
        return self.is_running()

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the engine ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self, count=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def pid(self):
        """Of the engine itself, also below a wrapper."""
        if not self.wrap:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def stop(self):
        """Drains; returns the exit code."""
        os.kill(self.pid(), signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait(PATIENCE)

    # ---- control API ----

    def control(self, method, path, body=None):
        connection = UnixConnection(self.data / "kiln.sock")
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def status(self):
        return self.control("GET", "/api/v1/status")[1]

    def channel(self, name):
        return next(c for c in self.status()["channels"] if c["name"] == name)

    def queue(self, channel, destination):
        return next(d for d in self.channel(channel)["destinations"] if d["name"] == destination)

    def port(self, channel):
        return self.channel(channel)["source"]["port"]

    def pending(self):
        return sum(d["pending"] for c in self.status()["channels"] for d in c["destinations"])

    def wait_drained(self, seconds=PATIENCE):
        """Until every accepted message has ended everywhere: in the journal, and then in the counters. An acknowledgement may
        leave before the outputs of its message are queued, so the counters alone would not tell."""
        wait_for("every message has ended", lambda: not self.search("state:pending", 1) or time.sleep(0.1), seconds)
        wait_for("the counters say so too", lambda: self.pending() == 0)

    def search(self, query="", limit=1000):
        return self.control("GET", f"/api/v1/messages?limit={limit}&q=" + urllib.parse.quote(query))[1]["messages"]

    def find(self, query):
        """The one message that matches."""
        found = self.search(query)
        assert len(found) == 1, f"{query}: {len(found)} messages instead of one"
        return found[0]

    def show(self, number):
        return self.control("GET", f"/api/v1/messages/{number}?body=true")[1]

    def fhir(self, path, method="GET", body=None, headers=None):
        """(status, headers, JSON) of the FHIR API."""
        base = urllib.parse.urlsplit(self.status()["fhir"])
        connection = http.client.HTTPConnection(base.hostname, base.port, timeout=PATIENCE)
        try:
            connection.request(method, base.path + "/" + path, body, {"Content-Type": "application/fhir+json", **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            return response.status, response.headers, json.loads(text) if text else None
        finally:
            connection.close()

    def entries(self, search):
        """Resources that a FHIR search finds."""
        status, _, bundle = self.fhir(search)
        assert status == 200, f"{search}: {status} {bundle}"
        return [e["resource"] for e in bundle.get("entry", [])]

    # ---- command line ----

    def command(self, *arguments, code=0, stdin=None):
        """Runs `kiln ARGUMENTS`, checks its exit code, returns what it prints."""
        done = subprocess.run([self.kiln, *map(str, arguments)], input=stdin, capture_output=True, timeout=120)
        if done.returncode != code:
            raise AssertionError(f"kiln {' '.join(map(str, arguments))}: exit {done.returncode} instead of {code}\n"
                                 f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def command_json(self, *arguments, code=0):
        return json.loads(self.command(*arguments, "--json", code=code))


def write_site(folder, files):
    """Files by name; `{{` and `}}` are braces, other braces are filled in by the caller before."""
    folder = pathlib.Path(folder)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def copy_quickstart(source, folder):
    """The quickstart site with free ports in the place of its own; nothing else is changed."""
    site = pathlib.Path(folder) / "quickstart"
    shutil.copytree(pathlib.Path(source) / "examples/quickstart", site,
                    ignore=lambda where, names: [n for n in names if pathlib.Path(where).name == "quickstart" and n in ("data", "out", "census", "in")])
    for port in ("2575", "2576", "2577", "2600", "8080"):
        mine = str(free_port())
        for path in [site / "kiln.conf", *site.glob("channels/*.channel")]:
            text = path.read_text()
            path.write_text(re.sub(rf"(\bport +|:){port}\b", rf"\g<1>{mine}", text))
    return site


def run_checker(source, site, sent=None, sinks=(), final=True):
    """tests/support/checker over the journal of a site; prints its findings. True when all is well."""
    command = [sys.executable, str(pathlib.Path(source) / "tests/support/checker"), "--journal", str(pathlib.Path(site) / "data/journal")]
    if sent:
        command += ["--sent", str(sent)]
    for name, path in dict(sinks).items():
        command += ["--sink", f"{name}={path}"]
    if final:
        command.append("--final")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    print(done.stdout + done.stderr, end="")
    return done.returncode == 0


def adt(control, patient="700412", event="A01", extra="", msh="", version="2.5.1"):
    """An invented admission; `extra` are more segments, `msh` what follows MSH-12."""
    return (f"MSH|^~\\&|E2E|TEST|KILN|TEST|20260101120000+0000||ADT^{event}^ADT_A01|{control}|P|{version}{msh}\r"
            f"EVN||20260101120000\r"
            f"PID|1||{patient}^^^E2E&1.2.840.99999&ISO^MR||TESTPERSON^NUMBER{patient}||19700101|F\r"
            f"PV1|1|I|W1^2^3\r{extra}").encode()


def run_cases(cases, *arguments):
    """Runs test functions one after the other, a line each. The exit code: 1 when one fails, and what it left is kept; 4 when
    all were skipped."""
    failed = skipped = 0
    for case in cases:
        name = case.__name__.replace("_", " ")
        begin = time.monotonic()
        try:
            case(*arguments)
            print(f"ok      {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Skipped as why:
            skipped += 1
            print(f"skipped {name}: {why}", flush=True)
        except Exception as error:  # one case must not hide the others
            failed += 1
            frame = error.__traceback__
            lines = []
            while frame:
                if frame.tb_frame.f_code.co_filename == case.__code__.co_filename:
                    lines.append(str(frame.tb_lineno))
                frame = frame.tb_next
            print(f"FAILED  {name} (line {' < '.join(reversed(lines))}): {type(error).__name__}: {error}", flush=True)
    if failed:
        print("kept: " + ", ".join(str(f) for f in _folders))
        _folders.clear()
        return 1
    return SKIPPED if skipped == len(cases) else 0


class Skipped(Exception):
    """A case that cannot run here, with the reason."""


@atexit.register
def _clean_up():
    for engine in _engines:
        if engine.is_running():
            try:
                os.killpg(engine.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
