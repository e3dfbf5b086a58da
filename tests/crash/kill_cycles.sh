#!/usr/bin/env python3
"""kill -9 of the real engine under load, at random moments, again and again (reliability.md T1).

    kill_cycles.sh SOURCE BUILD [--cycles N] [--seed S] [--senders N] [--failpoints]

Senders keep unacknowledged messages and send them again, as real ones do; a receiver logs what arrives. A quarter of the kills
hits the engine while it starts and recovers. At the end the engine drains its queues, tests/support/checker compares everything,
and every acknowledged patient is looked up in the FHIR store. Every run prints its seed.

With --failpoints it is crash_kiln that runs, and each cycle ends it at a named place of the program (engine/base/failpoint.h), one
place after the other, the n-th time that it is passed; what does not end by itself is killed. 20,000 cycles by one command, in
runs of 500 with a seed each, every one recorded: record.py . "kill -9 at failpoints" --times 40 -- tests/crash/kill_cycles.sh .
build/release --failpoints --cycles 500. At low priority beside other work set KILN_PATIENCE (seconds; 30) higher.
"""
import argparse
import pathlib
import random
import re
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
    nak AR quarantine
  }}
  to repo: fhir from bundle {{
    retry forever backoff 20ms..200ms
  }}
}}
""",
}

# A start compiles what a site uses: with the whole library it costs as much as all the rest of a cycle.
SMALL = {
    **SITE,
    "kiln.conf": SITE["kiln.conf"].replace('data "data"\n', 'data "data"\n  journal {{ attachment_min 4kB }}\n'),
    "channels/load.channel": SITE["channels/load.channel"].replace("use std.v2fhir.adt.{{adt_a01}}", "use crash.small.{{small}}")
                                                          .replace("= adt_a01", "= small"),
    "maps/small.hmap": """module crash.small

map small(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {{
  create patient: Patient identity {{ system = "urn:oid:1.2.840.99999"  value = PID-3[1].1 }} request upsert {{
    identifier += {{ system = "urn:oid:1.2.840.99999"  value = PID-3[1].1 }}
    name += {{ family = PID-5[1].1.1  given += PID-5[1].2 }}
  }}
  create visit: Encounter identity {{ system = "urn:kiln:crash:visit"  value = MSH-10 }} request ensure {{
    status = "in-progress"
    class = {{ system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"  code = "IMP" }}
    subject = ref patient
  }}
}}
""",
}


class Pace:
    """How long a sender rests behind an acknowledgement: in one cycle of eight not at all, and messages come as fast as they are
    answered; in the others some dozens of a second. What a cycle proves hangs on the place where it ends, not on how many were sent."""

    def __init__(self, chance):
        self.chance, self.rest = chance, 0.0

    def next_cycle(self):
        self.rest = 0.0 if self.chance.random() < 0.125 else self.chance.choice([0.03, 0.1, 0.2])


class Sender(threading.Thread):
    """Sends one message after the other; one that got no answer is sent again, the same bytes."""

    def __init__(self, number, port, log, lock, stop, pace=None):
        super().__init__(daemon=True)
        self.number, self.port, self.log, self.lock, self.stop, self.pace = number, port, log, lock, stop, pace
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
                time.sleep(0.02)

    def exchange(self, connection):
        """False when the engine closed."""
        if self.pending is None:
            self.count += 1
            control, patient = f"S{self.number}M{self.count}", str(self.number * 1000 + self.count % 50)
            large = self.pace is not None and self.count % 9 == 0  # stands apart in the journal, some of it once for several
            extra = f"NTE|1||{'large part ' * 500}{self.count % 4}\r" if large else ""
            self.pending = control, adt(control, patient, extra=extra), patient
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
        if self.pace is not None and self.pace.rest > 0:
            self.stop.wait(random.uniform(0, 2 * self.pace.rest))
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


# Places that no load of messages passes: the tests named here end the process at each of them.
ELSEWHERE = {
    "journal_failpoints_test": ["journal.migrate.", "journal.hold", "journal.job", "journal.note", "journal.key"],
    "vault_failpoints_test": ["prune.", "backup.", "restore."],
    "needs a file destination": ["env."],
    "tests/e2e/replay.sh": ["quarantine."],
    "tests/e2e/channels.sh": ["channel."],
}
ROTATE = "journal.rotate.now"  # torn: a change of files without waiting for midnight
SELDOM = "journal.settled"  # once in 1,024 messages of one file
OF_A_CHANGE = ("journal.rotate.", "journal.carry", "journal.create")


class Failpoints:
    """The places of the program, one cycle after the other, each with chance how often it is passed before. One that did not end
    the process in a cycle is asked for earlier the next time, so that seldom ones are reached too."""

    CHANGES = 18  # of files in a run: each leaves one, which every later start opens

    def __init__(self, source, folder, chance):
        text = "".join(p.read_text(encoding="utf-8") for top in ("engine", "channels") for p in sorted(pathlib.Path(source, top).rglob("*.cpp")))
        found = set(re.findall(r'failpoint(?:_here|_torn)?\(\s*"([a-z_.]+)"', text))
        found |= set(re.findall(r'failpoint\([^")]*\? "([a-z_.]+)" : "[a-z_.]+"\)', text))
        found |= set(re.findall(r'failpoint\([^")]*\? "[a-z_.]+" : "([a-z_.]+)"\)', text))
        self.all = sorted(found)
        elsewhere = tuple(prefix for prefixes in ELSEWHERE.values() for prefix in prefixes)
        self.names = [n for n in self.all if not n.startswith(elsewhere) and n != ROTATE]
        self.torn = {n for n in self.names if n + ".torn" in found}
        self.hits, self.chance = folder / "hits.log", chance
        self.ended = {name: 0 for name in self.names}
        self.most = {name: 30 for name in self.names}
        self.next, self.changes = [], 0

    def choose(self):
        """(name, what KILN_FAILPOINTS says)"""
        while True:
            if not self.next:
                self.next = self.chance.sample(self.names, len(self.names))
            name = self.next.pop()
            if not name.startswith(OF_A_CHANGE):
                at = self.chance.choice([n for n in (1, 1, 2, 3, 5, 8, 13, 30) if n <= self.most[name]])
                return name, at, f"{name}={'torn' if name in self.torn else 'crash'}@{at}"
            if self.changes < self.CHANGES:
                self.changes += 1
                return name, 1, f"{name}=crash@1; {ROTATE}=torn@{self.chance.randint(1, 12)}"

    def kill_once(self, engine):
        name, at, spec = self.choose()
        if engine.is_running():
            engine.kill()
        engine.start({"KILN_FAILPOINTS": spec, "KILN_FAILPOINT_HITS": str(self.hits)}, ready=False)
        wait_for(f"ready or ended, with {spec}", lambda: engine.is_ready() or not engine.is_running())
        if name.startswith("journal.close") and engine.is_running():
            engine.process.terminate()
        try:
            engine.process.wait(self.chance.uniform(0.1, 0.5) if not name.startswith("journal.close") else PATIENCE)
        except subprocess.TimeoutExpired:
            engine.kill()
            self.most[name] = max(1, at // 2)
        else:
            if engine.process.returncode == -signal.SIGKILL:
                self.ended[name] += 1

    def passed(self):
        return {line for line in self.hits.read_text().split()} if self.hits.exists() else set()

    def report(self, messages):
        ended = [name for name, count in self.ended.items() if count]
        print(f"{len(self.all)} named places; {len(self.names)} of a load of messages, the process ended at {len(ended)} of them, "
              f"{sum(self.ended.values())} times")
        passed = self.passed() | ({SELDOM} if messages < 3000 * (self.changes + 1) else set())
        never = [name for name in self.names if name not in passed]
        return [f"no message passes {name}" for name in never]

    def few(self):
        """A run of 500 cycles asks for each place some ten times."""
        ended = sum(1 for count in self.ended.values() if count)
        return [] if ended >= 40 else [f"the process ended at {ended} places only, not at 40"]


def check_store(engine, patients):
    """Patients are asked for many at a time; each is looked for in what came."""
    stored, wanted = set(), sorted(patients)
    for at in range(0, len(wanted), 25):
        identifiers = ",".join(f"urn:oid:1.2.840.99999|{number}" for number in wanted[at:at + 25])
        for patient in engine.entries(f"Patient?identifier={identifiers}&_count=100"):
            stored |= {i["value"] for i in patient["identifier"] if i.get("system") == "urn:oid:1.2.840.99999"}
    return [f"patient {n} was acknowledged and is not in the store" for n in sorted(patients - stored)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("build")
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--failpoints", action="store_true")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    folder = temp_folder()
    # Some are tried again, some are set aside: these paths are to be ended too.
    odd = {}

    def answer(_, __, control):
        number = int(control.split("M")[1])
        if number % 29 == 0:
            return "AR"
        if number % 13 == 0 and odd.setdefault(control, 0) == 0:
            odd[control] = 1
            return "AE"
        return "AA"

    sink = Receiver(answer, log=folder / "sink.log")
    ports = {"port": free_port(), "http": free_port(), "sink": sink.port}
    site = write_site(folder / "site", {name: text.format(**ports) for name, text in (SMALL if options.failpoints else SITE).items()})
    program = "crash_kiln" if options.failpoints else "kiln"
    if not (pathlib.Path(options.build) / program).exists():
        print(f"skipped: {program} is not built")
        return SKIPPED
    engine = Engine(pathlib.Path(options.build) / program, site)
    failpoints = Failpoints(options.source, folder, chance) if options.failpoints else None
    lock, stop, pace = threading.Lock(), threading.Event(), Pace(chance) if options.failpoints else None
    began = time.monotonic()

    def cycles_under_load():
        with open(folder / "sent.log", "w", encoding="utf-8") as sent:
            senders = [Sender(i, ports["port"], sent, lock, stop, pace) for i in range(options.senders)]
            engine.start()
            for sender in senders:
                sender.start()
            for cycle in range(options.cycles):
                if failpoints:
                    pace.next_cycle()
                    failpoints.kill_once(engine)
                else:
                    kill_once(engine, chance)
                if (cycle + 1) % 50 == 0:
                    print(f"{cycle + 1} kills, {time.monotonic() - began:.0f} s", flush=True)
            if failpoints:
                if engine.is_running():
                    engine.kill()
                engine.start()
            stop.set()
            for sender in senders:
                sender.join(2 * PATIENCE)
            assert not any(s.is_alive() for s in senders), f"a sender still waits for its acknowledgement {2 * PATIENCE} s after the last kill"
        engine.wait_drained(4 * PATIENCE)
        failures = [text for sender in senders for text in sender.failed]
        failures += check_store(engine, set().union(*(s.patients for s in senders)))
        code = engine.stop()
        if code != 0:
            failures.append(f"the engine ended with {code} after SIGTERM")
        if not run_checker(options.source, site, folder / "sent.log", {"load/sink": folder / "sink.log"}):
            failures.append("the checker has findings")
        if failpoints:
            places = failpoints.report(sum(sender.count for sender in senders))
            if options.cycles >= 3 * len(failpoints.names):
                failures += places
            if options.cycles >= 500:
                failures += failpoints.few()
        assert not failures, f"{len(failures)} findings, repeat with --seed {seed}:\n" + "\n".join(failures[:20])
        seconds = time.monotonic() - began
        acknowledged = sum(sender.count for sender in senders)
        print(f"{options.cycles} kills{' at failpoints' if failpoints else ''}, {acknowledged} messages: 0 lost, 0 reordered, "
              f"0 altered, 0 unbalanced; {seconds:.0f} s, seed {seed}")

    return run_cases([cycles_under_load])


if __name__ == "__main__":
    sys.exit(main())
