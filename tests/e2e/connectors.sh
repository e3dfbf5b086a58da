#!/usr/bin/env python3
"""Small connectors against real counterparts: TCP framings, timer, programs, mail (a server of the test with STARTTLS), MQTT
(mosquitto on a free port)."""
import base64
import email
import email.policy
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests/support"))
from certificates import Authority  # noqa: E402
from kiln_site import (Engine, Mllp, Skipped, ack_code, adt, free_port, run_cases, temp_folder, wait_for, write_site)  # noqa: E402

KILN = BUILD / "kiln"
CONF = "server {{\n  http {{ listen 127.0.0.1:{port} }}\n}}\n"
MAPS = """module e2e
csv Tick {
  columns {
    time   : string required
    number : string
  }
}
"""


def site(files):
    return write_site(temp_folder() / "site", {"kiln.conf": CONF.format(port=free_port()), "maps/e2e.hmap": MAPS, **files})


def source(connector, options, accept="accept hl7 ADT_A01 2.5.1"):
    return site({"channels/in.channel": f"""module e2e.in
use e2e.{{Tick}}
channel c {{
  source {connector} {{ {options} }}
  {accept}
  to out: file from source {{ file "out/x" }}
}}
"""})


def destination(connector, options):
    return site({"channels/out.channel": f"""channel c {{
  source mllp {{ port 0 }}
  accept hl7 ADT_A01 2.5.1
  to out: {connector} from source {{ {options}
    retry forever backoff 50ms..100ms
  }}
}}
"""})


def bodies(engine):
    """What the channel has written; a kill may leave a temporary file beside."""
    found = [p for p in (engine.site / "out").glob("x*") if p.name == "x" or p.suffix[1:].isdigit()]
    return [p.read_bytes() for p in sorted(found, key=lambda p: int((p.suffix or ".1")[1:]))]


def send(engine, *controls):
    with Mllp(engine.port("c")) as client:
        for control in controls:
            assert ack_code(client.send(adt(control))) == "AA"


# ---- tcp ----

def tcp_in_with_marks_lengths_and_sizes(_):
    engine = Engine(KILN, source("tcp", "port 0")).start()
    with socket.create_connection(("127.0.0.1", engine.port("c"))) as peer:
        for part in (b"noise\x02", adt("T1")[:40], adt("T1")[40:] + b"\x03\x02" + adt("T2") + b"\x03"):
            peer.sendall(part)
            time.sleep(0.05)
        answer = b""
        while answer.count(b"\x03") < 2:
            answer += peer.recv(4096)
        assert answer.startswith(b"\x02MSH") and b"MSA|AA|T1" in answer and b"MSA|AA|T2" in answer, answer
    wait_for("both", lambda: bodies(engine) == [adt("T1"), adt("T2")])
    engine.stop()
    engine = Engine(KILN, source("tcp", 'port 0; framing length; length_bytes 2; length_order little; accepted_bytes "06"; refused_bytes "15"')).start()
    with socket.create_connection(("127.0.0.1", engine.port("c"))) as peer:
        for body, answer in ((adt("L1"), b"\x06"), (adt("L2", event="A40"), b"\x15"), (adt("L3"), b"\x06")):
            peer.sendall(len(body).to_bytes(2, "little") + body)
            assert peer.recv(10) == answer
    wait_for("two", lambda: bodies(engine) == [adt("L1"), adt("L3")])
    engine.stop()
    engine = Engine(KILN, source("tcp", "port 0; framing connection")).start()
    with socket.create_connection(("127.0.0.1", engine.port("c"))) as peer:
        peer.sendall(adt("C1"))
        peer.shutdown(socket.SHUT_WR)
    wait_for("one", lambda: bodies(engine) == [adt("C1")])
    engine.stop()


def tcp_out_until_the_answer(_):
    listener = socket.create_server(("127.0.0.1", 0))
    got = []

    def serve():
        connection, _ = listener.accept()
        buffer = b""
        while True:
            data = connection.recv(4096)
            if not data:
                return
            buffer += data
            while len(buffer) >= 4 and len(buffer) >= 4 + int.from_bytes(buffer[:4], "big"):
                size = int.from_bytes(buffer[:4], "big")
                got.append(buffer[4:4 + size])
                buffer = buffer[4 + size:]
                connection.sendall(b"\x15" if len(got) == 1 else b"\x06")

    threading.Thread(target=serve, daemon=True).start()
    engine = Engine(KILN, destination("tcp", f'host "127.0.0.1"; port {listener.getsockname()[1]}; framing length; until bytes; accepted_bytes "06"')).start()
    send(engine, "O1", "O2")
    engine.wait_drained()
    assert got == [adt("O1"), adt("O1"), adt("O2")], len(got)  # refused once
    engine.stop()


# ---- timer, process ----

def a_timer_gives_a_message_at_each_moment_once(_):
    engine = Engine(KILN, source("timer", "every 1s", "accept csv Tick")).start()
    wait_for("three", lambda: len(bodies(engine)) >= 3)
    engine.kill()
    engine.start()
    wait_for("three more", lambda: len(bodies(engine)) >= 6)
    engine.stop()
    found = bodies(engine)
    assert found[0].startswith(b"time,number\r\n20"), found[0]
    assert len(set(found)) == len(found), "a moment came twice"


def a_source_that_does_not_work_is_told(_):
    """In the verdict of `kiln status` and in the log, once; and its end too."""
    folder = temp_folder()
    program = folder / "give"
    program.write_text("#!/bin/sh\n[ -e " + str(folder) + "/mended ]\n")
    program.chmod(0o755)
    engine = Engine(KILN, source("process", f'program "{program}"; every 50ms; content csv', "accept csv Tick")).start()

    def told():
        return [p for p in engine.status()["problems"] if "the program ended with 1" in json.dumps(p)]

    wait_for("a problem", told)
    assert told()[0]["level"] == "bad", told()
    (folder / "mended").write_text("")
    wait_for("no problem", lambda: not told())
    engine.stop()
    log = engine.log.read_text()
    assert log.count('"source-failing"') == 1 and log.count('"source-working"') == 1, log


def programs_give_and_take(_):
    folder = temp_folder()
    (folder / "give").write_text("#!/bin/sh\nif [ -e gone ]; then exit 0; fi\ntouch gone\ncat " + str(folder) + "/message\n")
    (folder / "message").write_bytes(adt("P1") + adt("P2"))
    (folder / "give").chmod(0o755)
    engine = Engine(KILN, source("process", f'program "{folder}/give"; every 100ms')).start()
    wait_for("two", lambda: bodies(engine) == [adt("P1"), adt("P2")])
    engine.stop()
    (folder / "take").write_text(f"""#!/bin/sh
cat > {folder}/last
echo "$KILN_CHANNEL $KILN_MESSAGE $HOME $1" >> {folder}/log
if grep -q D2 {folder}/last; then exit 65; fi
if grep -q D3 {folder}/last && [ ! -e {folder}/once ]; then touch {folder}/once; exit 75; fi
if grep -q D4 {folder}/last && [ ! -e {folder}/slow ]; then touch {folder}/slow; sleep 60; fi
""")
    (folder / "take").chmod(0o755)
    engine = Engine(KILN, destination("process", f'program "{folder}/take"; argument "a b"; timeout 1s')).start()
    send(engine, "D1", "D2", "D3", "D4")
    engine.wait_drained()
    lines = (folder / "log").read_text().splitlines()
    assert len(lines) == 6 and all(line.startswith("c ") and line.endswith("  a b") for line in lines), lines
    assert (folder / "last").read_bytes() == adt("D4")
    assert engine.find("state:quarantined")["control_id"] == "D2"
    slow = engine.find("id:D4")["destinations"][0]
    assert slow["in_doubt"] and slow["state"] == "sent", slow
    engine.stop()


# ---- mail ----

class Mailer(threading.Thread):
    """A mail server: STARTTLS, AUTH PLAIN, one line at a time; `plan` are answers to DATA."""

    def __init__(self, certificate):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        self.mails, self.commands, self.plan = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        def say(line):
            connection.sendall(line.encode() + b"\r\n")

        def line():
            nonlocal buffer
            while b"\r\n" not in buffer:
                data = connection.recv(4096)
                if not data:
                    raise ConnectionError
                buffer += data
            one, buffer = buffer.split(b"\r\n", 1)
            return one.decode()

        buffer, encrypted = b"", False
        say("220 mail.example.org ready")
        try:
            while True:
                command = line()
                self.commands.append(command)
                verb = command.split(" ")[0].upper()
                if verb == "EHLO":
                    say("250-mail.example.org")
                    say("250 AUTH PLAIN LOGIN" if encrypted else "250 STARTTLS")
                elif verb == "STARTTLS":
                    say("220 go ahead")
                    connection, encrypted = self.context.wrap_socket(connection, server_side=True), True
                elif verb == "AUTH":
                    say("235 fine" if base64.b64decode(command.split(" ")[2]) == b"\0kiln\0mail secret" else "535 no")
                elif verb == "DATA":
                    say("354 go on")
                    text = ""
                    while (one := line()) != ".":
                        text += (one[1:] if one.startswith("..") else one) + "\r\n"
                    answer = self.plan.pop(0) if self.plan else "250 taken"
                    if answer.startswith("250"):
                        self.mails.append(text)
                    say(answer)
                elif verb == "QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 fine")
        except (OSError, ssl.SSLError):
            pass


def mails_are_sent_over_starttls(_):
    ca = Authority(temp_folder() / "ca")
    server = Mailer(ca.sign("mail", "/CN=mail", "IP:127.0.0.1"))
    server.plan = ["451 later", "250 taken", "554 never"]
    options = (f'host "127.0.0.1"; port {server.port}; user "kiln"; password env("MAIL"); from "kiln@example.org"\n'
               f'to "a@example.org"; to "b@example.org"; subject "Grüße vom Labor"; attach true; tls {{ ca file("{ca.ca}") }}')
    engine = Engine(KILN, destination("email", options)).start({"MAIL": "mail secret"})
    send(engine, "M1", "M2", "M3")
    engine.wait_drained()
    assert len(server.mails) == 2, len(server.mails)
    mail = email.message_from_string(server.mails[0], policy=email.policy.default)
    assert mail["Subject"] == "Grüße vom Labor" and mail["To"] == "a@example.org, b@example.org", mail.items()
    text, attached = mail.iter_parts()
    assert "Control id: M1" in text.get_content() and "TESTPERSON" not in text.get_content()
    assert attached.get_content() == adt("M1") and attached.get_filename().endswith(".hl7")
    assert server.commands[0].startswith("EHLO") and server.commands[1] == "STARTTLS", server.commands[:3]
    assert engine.find("state:quarantined")["control_id"] == "M2"
    assert b"mail secret" not in engine.log.read_bytes()
    engine.stop()


def a_mail_server_without_encryption_gets_no_password(_):
    got = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"220 x\r\n")
            got.append(connection.recv(4096))
            connection.sendall(b"250 AUTH PLAIN\r\n")
            got.append(connection.recv(4096))
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    options = f'host "127.0.0.1"; port {listener.getsockname()[1]}; user "kiln"; password env("MAIL"); from "kiln@example.org"; to "a@example.org"'
    engine = Engine(KILN, destination("email", options)).start({"MAIL": "mail secret"})
    send(engine, "N1")
    error = wait_for("an error", lambda: engine.queue("c", "out").get("last_failure"))
    assert "STARTTLS" in error, error
    assert not any(b"AUTH" in data for data in got), got
    engine.kill()


# ---- mqtt ----

class Mosquitto:
    def __init__(self):
        self.program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if not pathlib.Path(self.program).exists():
            raise Skipped("there is no mosquitto")
        self.folder = temp_folder()
        self.folder.chmod(0o755)
        self.port = free_port()
        (self.folder / "data").mkdir()
        (self.folder / "data").chmod(0o777)
        done = subprocess.run(["mosquitto_passwd", "-b", "-c", str(self.folder / "users"), "kiln", "open sesame"], capture_output=True)
        assert done.returncode == 0, done.stderr
        (self.folder / "users").chmod(0o644)
        (self.folder / "conf").write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {self.folder}/users\n"
                                          f"persistence true\npersistence_location {self.folder}/data/\n")
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "-c", self.folder / "conf"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

        def listens():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        wait_for("mosquitto listens", listens)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def options(self):
        return f'host "127.0.0.1"; port {self.port}; user "kiln"; password env("MQTT")'


SECRET = {"MQTT": "open sesame"}


def messages_go_through_mosquitto_and_back(_):
    server = Mosquitto()
    inbound = Engine(KILN, source("mqtt", server.options() + '; topic "adt/+"; reconnect 200ms')).start(SECRET)
    wait_for("subscribed", lambda: inbound.channel("c")["source"].get("connections") == 1)
    outbound = Engine(KILN, destination("mqtt", server.options() + '; topic "adt/${MSH-9.2}"')).start(SECRET)
    controls = [f"Q{n}" for n in range(20)]
    send(outbound, *controls[:10])
    wait_for("ten", lambda: bodies(inbound) == [adt(c) for c in controls[:10]])
    # Both ends lose the server; nothing is lost, and what the engine did not confirm comes again.
    inbound.kill()
    send(outbound, *controls[10:15])
    outbound.wait_drained()
    server.stop()
    send(outbound, *controls[15:])
    server.start()
    outbound.wait_drained()
    inbound.start(SECRET)
    wait_for("all", lambda: len(inbound.search()) == 20)
    assert [m["control_id"] for m in reversed(inbound.search())] == controls or [m["control_id"] for m in inbound.search()] == controls
    inbound.stop()
    outbound.stop()
    server.stop()


def a_wrong_password_is_told(_):
    server = Mosquitto()
    engine = Engine(KILN, source("mqtt", server.options() + '; topic "a"; reconnect 200ms')).start({"MQTT": "wrong"})
    error = wait_for("an error", lambda: engine.channel("c")["source"].get("last_error"))
    assert "refused" in error, error
    engine.stop()
    server.stop()


if __name__ == "__main__":
    sys.exit(run_cases([tcp_in_with_marks_lengths_and_sizes, tcp_out_until_the_answer, a_timer_gives_a_message_at_each_moment_once, a_source_that_does_not_work_is_told, programs_give_and_take,
                        mails_are_sent_over_starttls, a_mail_server_without_encryption_gets_no_password, messages_go_through_mosquitto_and_back,
                        a_wrong_password_is_told], None))
