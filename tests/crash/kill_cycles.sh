#!/usr/bin/env python3
"""kill -9 of the real engine under load, at random moments, again and again (reliability.md T1).

    kill_cycles.sh SOURCE BUILD [--cycles N] [--seed S] [--senders N]

Senders keep unacknowledged messages and send them again, as real ones do; a receiver logs what arrives. At the end the
engine drains its queues and tests/support/checker compares everything. Every run prints its seed.
"""
import argparse
import hashlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

VT, FS = b"\x0b", b"\x1c\r"

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n',
    "channels/load.channel": """module crash.load
use std.v2fhir.adt.{{adt_a01}}

channel load {{
  source mllp {{
    port {port}
  }}
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  map bundle = adt_a01
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    ack_timeout 5s
    retry forever backoff 20ms..200ms
  }}
  to repo: fhir from bundle {{
    retry forever backoff 20ms..200ms
  }}
}}
""",
}


def message(control, patient):
    return (f"MSH|^~\\&|CRASH|LAB|KILN|TEST|20260101120000||ADT^A01^ADT_A01|{control}|P|2.5.1\r"
            f"EVN||20260101120000\r"
            f"PID|1||{patient}^^^CRASH&1.2.3.4&ISO^MR||TESTPERSON^NUMBER{patient}||19700101|F\r"
            f"PV1|1|I|W1^2^3\r").encode()


def read_frame(sock, buffer):
    while True:
        end = buffer.find(FS)
        if end >= 0:
            frame = bytes(buffer[buffer.find(VT) + 1:end])
            del buffer[:end + 2]
            return frame
        data = sock.recv(65536)
        if not data:
            raise ConnectionError("closed")
        buffer += data


def field(segment_text, number):
    parts = segment_text.split(b"|")
    return parts[number] if len(parts) > number else b""


class Sink(threading.Thread):
    """Receives over MLLP, logs, acknowledges."""

    def __init__(self, log):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.log = open(log, "w", encoding="utf-8")
        self.lock = threading.Lock()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        buffer = bytearray()
        try:
            while True:
                frame = read_frame(connection, buffer)
                control = field(frame.split(b"\r")[0], 9)
                with self.lock:
                    self.log.write(f"{control.decode()}\t{hashlib.sha256(frame).hexdigest()}\n")
                    self.log.flush()
                ack = b"MSH|^~\\&|SINK|S|KILN|TEST|20260101120000||ACK^A01^ACK|A" + control + b"|P|2.5.1\rMSA|AA|" + control + b"\r"
                connection.sendall(VT + ack + FS)
        except OSError:
            connection.close()


class Sender(threading.Thread):
    """Sends one message after the other; one that got no answer is sent again, the same bytes."""

    def __init__(self, number, port, log, lock, stop):
        super().__init__(daemon=True)
        self.number, self.port, self.log, self.lock, self.stop = number, port, log, lock, stop
        self.count = 0
        self.failed = []

    def run(self):
        pending = None
        while not self.stop.is_set() or pending is not None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
                    buffer = bytearray()
                    while not self.stop.is_set() or pending is not None:
                        if pending is None:
                            self.count += 1
                            control = f"S{self.number}M{self.count}"
                            pending = (control, message(control, self.number * 1000 + self.count % 50))
                        sock.sendall(VT + pending[1] + FS)
                        ack = read_frame(sock, buffer)
                        msa = ack.split(b"\r")[1]
                        if field(msa, 2).decode() != pending[0]:
                            self.failed.append(f"ACK for {field(msa, 2)!r} instead of {pending[0]}")
                        code = field(msa, 1).decode()
                        with self.lock:
                            self.log.write(f"{pending[0]}\t{hashlib.sha256(pending[1]).hexdigest()}\t{code}\n")
                        if code != "AA":
                            time.sleep(0.01)
                            continue
                        pending = None
            except OSError:
                time.sleep(0.01)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_ready(process, port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"the engine ended with {process.returncode}:\n" + process.stderr_file.read_text()[-3000:])
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.005)
    sys.exit("the engine did not listen within 60 s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("build")
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--senders", type=int, default=8)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-crash-"))
    sink = Sink(folder / "sink.log")
    sink.start()
    port, http = free_port(), free_port()
    for name, text in SITE.items():
        path = folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(port=port, http=http, sink=sink.port))
    kiln = pathlib.Path(options.build) / "kiln"
    sent = open(folder / "sent.log", "w", encoding="utf-8")
    lock, stop = threading.Lock(), threading.Event()
    senders = [Sender(i, port, sent, lock, stop) for i in range(options.senders)]

    def start():
        stderr = folder / "engine.log"
        process = subprocess.Popen([str(kiln), "run", str(folder / "site")], stderr=open(stderr, "a"), stdout=subprocess.DEVNULL)
        process.stderr_file = stderr
        wait_ready(process, port)
        return process

    began = time.monotonic()
    process = start()
    for sender in senders:
        sender.start()
    for cycle in range(options.cycles):
        time.sleep(chance.uniform(0.005, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start()
        if (cycle + 1) % 50 == 0:
            print(f"{cycle + 1} kills, {time.monotonic() - began:.0f} s", flush=True)
    stop.set()
    for sender in senders:
        sender.join(30)
    if any(sender.is_alive() for sender in senders):
        sys.exit("a sender still waits for its acknowledgement 30 s after the last kill")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        status = subprocess.run(["curl", "-s", "--unix-socket", str(folder / "site/data/kiln.sock"), "http://localhost/api/v1/status"],
                                capture_output=True, text=True).stdout
        if status and all(f'"pending":{n}' not in status for n in range(1, 10)):
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    code = process.wait(30)
    sent.flush()
    failures = [text for sender in senders for text in sender.failed]
    if code != 0:
        failures.append(f"the engine ended with {code} after SIGTERM")
    result = subprocess.run([sys.executable, str(pathlib.Path(options.source) / "tests/support/checker"), "--journal",
                             str(folder / "site/data/journal"), "--sent", str(folder / "sent.log"), "--sink",
                             f"load/sink={folder / 'sink.log'}", "--final"], capture_output=True, text=True)
    print(result.stdout, end="")
    print("\n".join(failures) if failures else f"{options.cycles} kills in {time.monotonic() - began:.0f} s")
    if result.returncode != 0 or failures:
        print(f"kept: {folder}; repeat with --seed {seed}")
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
