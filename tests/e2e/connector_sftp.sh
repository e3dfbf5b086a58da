#!/usr/bin/env python3
"""SFTP against a real sshd on a free port: files in and out, key login, pinned host key, server away and back."""
import getpass
import os
import pathlib
import shutil
import subprocess
import sys
import time

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests/support"))
from kiln_site import (Engine, Mllp, ack_code, adt, free_port, run_cases, temp_folder, wait_for, write_site)  # noqa: E402

KILN = BUILD / "kiln"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


class Sshd:
    """Serves one folder to the user that runs the test."""

    def __init__(self):
        self.folder = temp_folder()
        self.files = self.folder / "files"
        self.files.mkdir()
        for name in ("host", "other_host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        self.port = free_port()
        self.process = None
        self.start()

    def host_key(self, name="host"):
        return " ".join((self.folder / f"{name}.pub").read_text().split()[:2])

    def fingerprint(self):
        done = subprocess.run(["ssh-keygen", "-lf", self.folder / "host.pub"], capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    def start(self):
        config = self.folder / "sshd_config"
        config.write_text(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.folder}/host
PidFile none
AuthorizedKeysFile {self.folder}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp -d {self.files}
""")
        self.log = open(self.folder / "sshd.log", "ab")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=self.log)
        import socket
        def open_port():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return self.process.poll() is not None and (_ for _ in ()).throw(AssertionError((self.folder / "sshd.log").read_text()))
        wait_for("sshd listens", open_port)

    def stop(self):
        """Ends the listener and every session of it."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        self.process.terminate()
        self.process.wait(10)
        for child in children:
            try:
                os.kill(int(child), 15)
            except ProcessLookupError:
                pass

    def options(self, key="user", host_key=None):
        return (f'host "127.0.0.1"; port {self.port}; user "{getpass.getuser()}"; key file("{self.folder / key}")\n'
                f'    host_key "{host_key or self.host_key()}"; timeout 5s')


def incoming(sshd, options="", more=""):
    return write_site(temp_folder() / "site", {
        "kiln.conf": f"server {{\n  http {{ listen 127.0.0.1:{free_port()} }}\n}}\n",
        "channels/in.channel": f"""channel files {{
  source sftp {{
    {options or sshd.options()}
    folder "orders"; pattern "*.hl7"; poll 200ms; stable 0s {more}
  }}
  accept hl7 ADT_A01 2.5.1
  to out: drop from source {{ }}
}}
"""})


def outgoing(sshd, file='"out/${MSH-10}.hl7"', more=""):
    return write_site(temp_folder() / "site", {
        "kiln.conf": f"server {{\n  http {{ listen 127.0.0.1:{free_port()} }}\n}}\n",
        "channels/out.channel": f"""channel adt {{
  source mllp {{ port 0 }}
  accept hl7 ADT_A01 2.5.1
  to files: sftp from source {{
    {sshd.options()}
    file {file}; {more}
    retry forever backoff 100ms..300ms
  }}
}}
"""})


def names(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def files_are_taken_and_archived(sshd):
    orders = sshd.files / "orders"
    orders.mkdir()
    engine = Engine(KILN, incoming(sshd)).start()
    (orders / "one.hl7").write_bytes(adt("S1"))
    (orders / "batch.hl7").write_bytes(b"BHS|^~\\&|E2E\r" + adt("S2") + adt("S3") + b"BTS|2\r")
    (orders / "note.txt").write_bytes(b"not for us")
    (orders / "bad.hl7").write_bytes(b"no message at all")
    os.symlink("/etc/passwd", orders / "link.hl7")
    wait_for("three messages", lambda: {m["control_id"] for m in engine.search()} >= {"S1", "S2", "S3"})
    wait_for("all moved", lambda: names(orders / "archive") == ["batch.hl7", "one.hl7"] and names(orders / "failed") == ["bad.hl7"])
    assert {"link.hl7", "note.txt"} <= set(names(orders)), names(orders)
    engine.stop()


def a_file_of_an_interrupted_engine_comes_once(sshd):
    orders = sshd.files / "orders"
    engine = Engine(KILN, incoming(sshd)).start()
    for number in range(30):
        (orders / f"k{number:02}.hl7").write_bytes(adt(f"K{number}"))
    wait_for("some were taken", lambda: len([m for m in engine.search() if m["control_id"].startswith("K")]) > 3)
    engine.kill()
    engine.start()
    wait_for("all were taken", lambda: len([n for n in names(orders / "archive") if n.startswith("k")]) == 30)
    controls = sorted(m["control_id"] for m in engine.search() if m["control_id"].startswith("K"))
    assert controls == sorted(f"K{n}" for n in range(30)), controls
    engine.stop()


def files_are_written_whole(sshd):
    engine = Engine(KILN, outgoing(sshd)).start()
    with Mllp(engine.port("adt")) as client:
        for number in range(5):
            assert ack_code(client.send(adt(f"W{number}"))) == "AA"
    engine.wait_drained()
    out = sshd.files / "out"
    assert names(out) == [f"W{n}.hl7" for n in range(5)], names(out)
    assert (out / "W3.hl7").read_bytes() == adt("W3")
    with Mllp(engine.port("adt")) as client:
        client.send(adt("W3", patient="5"))
    engine.wait_drained()
    assert (out / "W3.hl7.2").read_bytes() == adt("W3", patient="5")
    engine.stop()


def a_server_that_is_away_only_delays(sshd):
    engine = Engine(KILN, outgoing(sshd)).start()
    with Mllp(engine.port("adt")) as client:
        client.send(adt("A1"))
        engine.wait_drained()
        sshd.stop()
        for number in range(2, 6):
            assert ack_code(client.send(adt(f"A{number}"))) == "AA"
        wait_for("an error is shown", lambda: engine.queue("adt", "files").get("last_failure"))
        sshd.start()
    engine.wait_drained()
    found = names(sshd.files / "out")
    assert [f"A{n}.hl7" for n in range(1, 6)] == [n for n in found if n.startswith("A")], found
    begin = time.monotonic()
    engine.stop()
    assert time.monotonic() - begin < 10


def replace_and_quarantine(sshd):
    engine = Engine(KILN, outgoing(sshd, '"out/last.hl7"', "exists replace")).start()
    with Mllp(engine.port("adt")) as client:
        client.send(adt("R1"))
        client.send(adt("R2"))
    engine.wait_drained()
    assert (sshd.files / "out/last.hl7").read_bytes() == adt("R2")
    engine.stop()
    engine = Engine(KILN, outgoing(sshd, '"out/last.hl7"', "exists quarantine")).start()
    with Mllp(engine.port("adt")) as client:
        client.send(adt("R3"))
    wait_for("set aside", lambda: engine.search("state:quarantined"))
    assert (sshd.files / "out/last.hl7").read_bytes() == adt("R2")
    engine.stop()


def the_host_key_is_pinned(sshd):
    engine = Engine(KILN, incoming(sshd, sshd.options(host_key=sshd.host_key("other_host")))).start()
    error = wait_for("refused", lambda: engine.channel("files")["source"].get("last_error"))
    assert "host_key" in error, error
    engine.stop()
    engine = Engine(KILN, incoming(sshd, sshd.options(host_key=sshd.fingerprint()))).start()
    (sshd.files / "orders/pin.hl7").write_bytes(adt("P1"))
    wait_for("the fingerprint will do", lambda: [m for m in engine.search() if m["control_id"] == "P1"])
    engine.stop()


def another_key_is_refused(sshd):
    engine = Engine(KILN, incoming(sshd, sshd.options(key="stranger"))).start()
    error = wait_for("refused", lambda: engine.channel("files")["source"].get("last_error"))
    assert "refused" in error, error
    assert str(sshd.folder) not in error
    engine.stop()


if __name__ == "__main__":
    if not pathlib.Path(SSHD).exists() or not shutil.which("ssh-keygen"):
        print("skipped: there is no sshd")
        sys.exit(4)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    server = Sshd()
    try:
        code = run_cases([files_are_taken_and_archived, a_file_of_an_interrupted_engine_comes_once, files_are_written_whole,
                          a_server_that_is_away_only_delays, replace_and_quarantine, the_host_key_is_pinned, another_key_is_refused], server)
    finally:
        server.stop()
    sys.exit(code)
