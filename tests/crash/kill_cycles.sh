#!/usr/bin/env python3
"""kill -9 of the real engine under load, at random moments, again and again (reliability.md T1).

    kill_cycles.sh SOURCE BUILD [--cycles N] [--seed S] [--senders N]

Senders keep unacknowledged messages and send them again, as real ones do; a receiver logs what arrives. A quarter of the kills
hits the engine while it starts and recovers. At the end the engine drains its queues, tests/support/checker compares everything,
and every acknowledged patient is looked up in the FHIR store. Every run prints its seed.
"""
import argparse
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from kiln_site import *  # noqa: E402,F403

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


class Sender(threading.Thread):
    """Sends one message after the other; one that got no answer is sent again, the same bytes."""

    def __init__(self, number, port, log, lock, stop):
        super().__init__(daemon=True)
        self.number, self.port, self.log, self.lock, self.stop = number, port, log, lock, stop
        self.count = 0
        self.pending = None  # (control id, bytes, patient)
        self.patients = set()  # acknowledged
        self.failed = []

    def run(self):
        while not self.stop.is_set() or self.pending is not None:
            try:
                with Mllp(self.port, timeout=5) as connection:
                    while not self.stop.is_set() or self.pending is not None:
                        if not self.exchange(connection):
                            break
            except OSError:
                time.sleep(0.01)

    def exchange(self, connection):
        """False when the engine closed."""
        if self.pending is None:
            self.count += 1
            control, patient = f"S{self.number}M{self.count}", str(self.number * 1000 + self.count % 50)
            self.pending = control, adt(control, patient), patient
        control, body, patient = self.pending
        ack = connection.send(body, 10)
        if ack is None:
            return False
        if ack_control(ack) != control:
            self.failed.append(f"ACK for {ack_control(ack)} instead of {control}")
        code = ack_code(ack)
        with self.lock:
            self.log.write(f"{control}\t{hashlib.sha256(body).hexdigest()}\t{code}\n")
        if code != "AA":
            self.failed.append(f"{control} was answered {code}")
            time.sleep(0.01)
            return True
        self.patients.add(patient)
        self.pending = None
        return True


def kill_once(engine, chance):
    if chance.random() < 0.25:
        engine.kill()
        engine.start(ready=False)
        time.sleep(chance.uniform(0, 0.08))
    else:
        time.sleep(chance.uniform(0.005, 0.25))
    engine.kill()
    engine.start()


def check_store(engine, patients):
    stored = set()
    for number in sorted(patients):
        if engine.entries(f"Patient?identifier=urn:oid:1.2.840.99999|{number}"):
            stored.add(number)
    return [f"patient {n} was acknowledged and is not in the store" for n in sorted(patients - stored)]


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
    folder = temp_folder()
    sink = Receiver(log=folder / "sink.log")
    ports = {"port": free_port(), "http": free_port(), "sink": sink.port}
    site = write_site(folder / "site", {name: text.format(**ports) for name, text in SITE.items()})
    engine = Engine(pathlib.Path(options.build) / "kiln", site)
    lock, stop = threading.Lock(), threading.Event()
    began = time.monotonic()

    def cycles_under_load():
        with open(folder / "sent.log", "w", encoding="utf-8") as sent:
            senders = [Sender(i, ports["port"], sent, lock, stop) for i in range(options.senders)]
            engine.start()
            for sender in senders:
                sender.start()
            for cycle in range(options.cycles):
                kill_once(engine, chance)
                if (cycle + 1) % 50 == 0:
                    print(f"{cycle + 1} kills, {time.monotonic() - began:.0f} s", flush=True)
            stop.set()
            for sender in senders:
                sender.join(60)
            assert not any(s.is_alive() for s in senders), "a sender still waits for its acknowledgement 60 s after the last kill"
        engine.wait_drained(120)
        failures = [text for sender in senders for text in sender.failed]
        failures += check_store(engine, set().union(*(s.patients for s in senders)))
        code = engine.stop()
        if code != 0:
            failures.append(f"the engine ended with {code} after SIGTERM")
        if not run_checker(options.source, site, folder / "sent.log", {"load/sink": folder / "sink.log"}):
            failures.append("the checker has findings")
        assert not failures, f"{len(failures)} findings, repeat with --seed {seed}:\n" + "\n".join(failures[:20])
        print(f"{options.cycles} kills in {time.monotonic() - began:.0f} s")

    return run_cases([cycles_under_load])


if __name__ == "__main__":
    sys.exit(main())
