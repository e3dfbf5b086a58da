#!/usr/bin/env python3
"""Encryption at rest in a running engine: nothing of a patient is in the data folder, everything works with the key and refuses
to start without it; a full disk records what has ended and takes nothing new.

    encryption.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

CONF = 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n{more}}}\n'
CHANNEL = """module e2e.sealed

channel sealed {{
  source mllp {{
    port {port}
  }}
  accept hl7 ADT_A01 2.5.1
  ack original on stored
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    retry forever backoff 20ms..200ms
  }}
}}
"""
CANARY = b"CANARY4711"


class Case:
    def __init__(self, key=True):
        self.folder = temp_folder()
        self.key = self.folder / "master.key"
        self.key.write_text("0123456789abcdef" * 4 + "\n")
        self.sink = Receiver(log=self.folder / "sink")
        self.port, self.http = free_port(), free_port()
        self.site = write_site(self.folder / "site", {
            "channels/sealed.channel": CHANNEL.format(port=self.port, sink=self.sink.port), "kiln.conf": self.conf(key)})
        self.engine = Engine(build / "kiln", self.site)

    def conf(self, key):
        more = f'  keys {{ master file("{self.key}") }}\n' if key else ""
        return CONF.format(http=self.http, more=more)

    def use_key(self, key):
        (self.site / "kiln.conf").write_text(self.conf(key))

    def send(self, control, extra=""):
        with Mllp(self.port) as c:
            return ack_code(c.send(adt(control, extra=extra)))

    def files_with(self, word):
        """The audit trail is left out: what people searched for is what it is there to say."""
        return [str(f.relative_to(self.site)) for f in (self.site / "data").rglob("*")
                if f.is_file() and not f.name.startswith("audit.db") and word in f.read_bytes()]

    def kiln(self, *arguments):
        return subprocess.run([str(build / "kiln"), *map(str, arguments)], cwd=self.site, capture_output=True, text=True)


def nothing_of_a_patient_is_in_the_data_folder():
    case = Case()
    case.engine.start()
    for i in range(5):
        assert case.send(f"CANARY4711-{i}", f"NTE|1||{CANARY.decode()} " + "y" * (100_000 if i == 3 else 10) + "\r") == "AA"
    case.engine.wait_drained()
    wait_for("the index has it", lambda: len(case.engine.search("id:CANARY4711-3")) == 1)
    assert case.files_with(CANARY) == [], case.files_with(CANARY)
    number = case.engine.find("id:CANARY4711-3")["id"]
    assert CANARY.decode() in json.dumps(case.engine.show(number))
    assert [c for c, _ in case.sink.frames] == [f"CANARY4711-{i}" for i in range(5)]
    assert all(CANARY in frame for _, frame in case.sink.frames)
    case.engine.kill()  # also the log of an unclean end
    assert case.files_with(CANARY) == [], case.files_with(CANARY)
    case.engine.start()
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    shown = case.kiln("show", number, "--raw")
    assert CANARY.decode() in shown.stdout, shown
    assert f"CANARY4711-3" in case.kiln("search", "id:CANARY4711-3").stdout
    verified = case.kiln("verify", "--full")
    assert verified.returncode == 0 and "not opened" not in verified.stdout, verified
    blind = case.kiln("verify", "--full", "--data", case.site / "data", "--site", case.folder / "nowhere")
    assert blind.returncode != 0 or "not opened" in blind.stdout, blind
    backup = case.kiln("backup", case.folder / "backup")
    assert backup.returncode == 0 and "keep a copy of the key" in backup.stdout, backup
    assert not [f for f in (case.folder / "backup").rglob("*") if f.is_file() and f.name != "audit.db"
                and CANARY in f.read_bytes()]


def it_does_not_start_without_the_key():
    case = Case()
    case.engine.start()
    assert case.send("M1") == "AA"
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    for break_key in (lambda: case.use_key(False), lambda: (case.use_key(True), case.key.write_text("f" * 64))):
        break_key()
        case.engine.start(ready=False)
        assert not case.engine.wait_ready_or_ended()
        text = case.engine.tail(3)
        assert "journal-key" in text and "000001-" in text and "master key" in text, text
    case.key.write_text("0123456789abcdef" * 4)
    case.engine.start()
    assert case.send("M2") == "AA"
    case.engine.wait_drained()
    assert case.engine.stop() == 0


def a_key_given_later_leaves_what_was_there_readable():
    case = Case(key=False)
    assert "stored in the clear" in case.kiln("check", ".").stdout
    case.engine.start()
    assert case.send("PLAIN1") == "AA"
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    assert case.files_with(b"PLAIN1")
    case.use_key(True)
    assert "stored in the clear" not in case.kiln("check", ".").stdout
    case.engine.start()
    assert case.send("SEALED1") == "AA"
    case.engine.wait_drained()
    assert case.engine.find("id:PLAIN1")["control_id"] == "PLAIN1"
    assert case.engine.find("id:SEALED1")["control_id"] == "SEALED1"
    assert case.files_with(b"SEALED1") == []
    assert case.engine.stop() == 0
    assert case.kiln("verify", "--full").returncode == 0


def a_key_in_the_data_folder_is_refused():
    case = Case()
    case.key = case.site / "data" / "master.key"
    case.key.parent.mkdir(parents=True, exist_ok=True)
    case.key.write_text("0123456789abcdef" * 4)
    case.use_key(True)
    case.engine.start(ready=False)
    assert not case.engine.wait_ready_or_ended()
    assert "backups would hold it" in case.engine.tail(3), case.engine.tail(3)


def what_cannot_be_opened_is_told():
    case = Case()
    case.engine.start()
    assert case.send("M1") == "AA"
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    whole = case.kiln("export")
    assert whole.returncode == 0 and "body_base64" in whole.stdout, whole
    blind = subprocess.run([str(build / "kiln"), "export", "--data", str(case.site / "data")], cwd=case.folder, capture_output=True, text=True)
    assert blind.returncode == 78 and "journal-key" in blind.stderr and "1 of 1 messages" in blind.stderr, blind
    assert case.kiln("backup", case.folder / "backup").returncode == 0
    forgotten = case.kiln("backup", "verify")
    assert forgotten.returncode == 64 and not (case.site / "verify").exists(), forgotten
    case.key.write_text("f" * 64 + "\n")
    wrong = case.kiln("verify", "--full")
    assert wrong.returncode == 78 and "another master key" in wrong.stderr, wrong
    before = sorted(f.name for f in case.site.iterdir())
    for use_key in (True, False):
        case.use_key(use_key)
        refused = case.kiln("restore", case.folder / "backup", "--replace")
        assert refused.returncode == 78 and "journal-key" in refused.stderr, refused
        assert sorted(f.name for f in case.site.iterdir()) == before
    case.use_key(True)
    case.key.write_text("0123456789abcdef" * 4 + "\n")
    assert case.kiln("restore", case.folder / "backup", "--replace").returncode == 0
    case.engine.start()
    assert case.engine.stop() == 0


def the_file_of_a_key_is_below_the_site():
    case = Case()
    case.key = "secrets/master.key"
    (case.site / "secrets").mkdir()
    (case.site / case.key).write_text("0123456789abcdef" * 4 + "\n")
    case.use_key(True)
    case.engine.start()  # the process of the engine has another folder
    assert case.send("M1") == "AA"
    case.engine.wait_drained()
    assert case.engine.stop() == 0
    assert case.files_with(b"M1") == []
    for command in (("verify", "--full", "--site", case.site), ("search", "id:M1", "--site", case.site)):
        done = subprocess.run([str(build / "kiln"), *map(str, command)], cwd=case.folder, capture_output=True, text=True)
        assert done.returncode == 0 and "not opened" not in done.stdout, done
    (case.site / case.key).unlink()
    missing = case.kiln("verify", "--full")
    assert missing.returncode != 0 and str(case.key) in missing.stderr and "below the folder of the site" in missing.stderr, missing


def what_ends_on_a_full_disk_is_recorded_from_the_reserve():
    if os.geteuid() != 0:
        raise Skipped("needs root to mount")
    case = Case(key=False)
    data = case.site / "data"
    data.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "kiln-test", str(data)], capture_output=True, text=True)
    if mounted.returncode != 0:
        raise Skipped(f"mount is not possible here: {mounted.stderr.strip()}")
    try:
        case.sink.close()
        case.engine.start()
        reserve = data / "kiln.reserve"
        assert reserve.stat().st_size > 1 << 20
        with Mllp(case.port) as c:
            assert all(ack_code(c.send(adt(f"R{i}", extra="NTE|1||" + "z" * 2000 + "\r"))) == "AA" for i in range(200))
            ballast = data / "ballast"
            with open(ballast, "wb", buffering=0) as file:
                for size in (1 << 20, 1 << 12, 1):
                    try:
                        while True:
                            file.write(b"\0" * size)
                    except OSError:
                        pass
            codes = []
            for i in range(400):
                codes.append(ack_code(c.send(adt(f"F{i}", extra="NTE|1||" + "z" * 20_000 + "\r"))))
                if codes[-20:] == ["AE"] * 20:
                    break
            assert codes[-20:] == ["AE"] * 20, codes[-20:]
            assert reserve.stat().st_size == 0, "the reserve was not given back"
            # What was taken is delivered, and recorded, though the disk is full.
            again = Receiver(port=case.sink.port)
            wait_for("the queue drains on a full disk", lambda: case.engine.pending() == 0)
            assert len(again.frames) >= 200
            assert ack_code(c.send(adt("F999", extra="NTE|1||" + "z" * 20_000 + "\r"))) == "AE"
            ballast.unlink()
            wait_for("messages are taken again", lambda: ack_code(c.send(adt("A1", extra="NTE|1||" + "z" * 20_000 + "\r"))) == "AA")
            assert reserve.stat().st_size > 1 << 20
        case.engine.wait_drained()
        assert case.engine.stop() == 0
        assert case.kiln("verify", "--full").returncode == 0
    finally:
        subprocess.run(["umount", "-l", str(data)], capture_output=True)


sys.exit(run_cases([nothing_of_a_patient_is_in_the_data_folder, it_does_not_start_without_the_key,
                    a_key_given_later_leaves_what_was_there_readable, a_key_in_the_data_folder_is_refused,
                    what_cannot_be_opened_is_told, the_file_of_a_key_is_below_the_site, what_ends_on_a_full_disk_is_recorded_from_the_reserve]))
