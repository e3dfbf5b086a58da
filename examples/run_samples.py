"""The part of ./examples/run behind the build: serves the quickstart site, sends its samples, says what became of them.

    run_samples.py --kiln PROGRAM --site FOLDER [--once]

Everything printed is measured: acknowledgements as received, resources and messages sent on as the journal records them,
CSV rows as counted in the files. Exit 1 when an outcome is not the one in SITE/expected/table.txt, 69 when the engine does
not start, else the exit code of the engine.
"""
import argparse
import http.client
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

READY_SECONDS = 60
SETTLE_SECONDS = 60


def say(text=""):
    print(text, flush=True)


def step(text):
    print(f"== {text}", file=sys.stderr, flush=True)


class Failure(Exception):
    """What went wrong, for people, and the exit code."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


class Control(http.client.HTTPConnection):
    """The engine's control API on the socket in its data folder."""

    def __init__(self, path):
        super().__init__("localhost", timeout=SETTLE_SECONDS)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    def __init__(self, kiln, site):
        self.kiln, self.site = kiln, site
        self.data = site / "data"
        self.log = self.data / "engine.log"
        self.log_begin = 0
        self.process = None

    def read_log(self):
        """Of this run: the file goes on from run to run."""
        return self.log.read_bytes()[self.log_begin:].decode(errors="replace")

    def start(self):
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.log_begin = log.tell()
            # A session of its own: Ctrl-C reaches this script only, which then stops the engine once.
            self.process = subprocess.Popen([self.kiln, "run", str(self.site)], stdout=subprocess.DEVNULL, stderr=log,
                                            start_new_session=True)
        deadline = time.monotonic() + READY_SECONDS
        while "ready (" not in self.read_log():
            if self.process.poll() is not None:
                raise Failure(self.why_not_started(), 69)
            if time.monotonic() > deadline:
                raise Failure(f"the engine is not ready after {READY_SECONDS} s; its log: {self.log}", 69)
            time.sleep(0.01)

    def why_not_started(self):
        lines = [line for line in self.read_log().splitlines() if not line.startswith("{")]
        text = f"the engine did not start (exit {self.process.returncode}):\n   " + "\n   ".join(lines[-8:])
        if "Address already in use" in text:
            text += "\n   another program listens on that port (`ss -ltnp` names it): stop it, or change the port in the site"
        return text

    def stop(self):
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def get(self, path):
        connection = Control(self.data / "kiln.sock")
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise Failure(f"the control API answers {response.status} for {path}: {body.decode(errors='replace')}")
        return json.loads(body)

    def search(self, query):
        return self.get("/api/v1/messages?limit=1000&q=" + urllib.parse.quote(query))["messages"]

    def settled(self, query, after, may_be_none):
        """Messages that match and came after number `after`, once each has ended everywhere."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            found = [m for m in self.search(query) if m["id"] > after]
            if not found and may_be_none:
                return []
            if found and all(m["state"] not in ("pending", "unprocessed") for m in found):
                return found
            if time.monotonic() > deadline:
                what = f"message {found[0]['id']} still waits" if found else f"no message matches {query}"
                raise Failure(f"{what} after {SETTLE_SECONDS} s; the engine's log: {self.log}")
            time.sleep(0.02)


def count_rows(site):
    """Data rows of the lists that the site writes."""
    return sum(max(0, len(path.read_text(errors="replace").splitlines()) - 1) for path in site.glob("census/*.csv"))


class Row:
    """A line of the table: what one sample led to in this run."""

    COLUMNS = ("message", "ACK", "resources", "v2 sent on", "CSV rows", "ms", "note")

    def __init__(self, name, ack):
        self.name, self.ack = name, ack
        self.resources = self.sent_on = self.rows = 0
        self.milliseconds = 0.0
        self.history = "new"  # or "duplicate" (of a message in the journal), or "again" (taken as a message of its own)
        self.notes = []

    def remember(self, before, newer):
        if before:
            self.history = "again" if newer else "duplicate"
        self.add(newer)

    def add(self, messages):
        """Takes over what the journal says about the messages that the sample became."""
        for message in messages:
            for destination in message["destinations"]:
                name = destination["destination"].rsplit("/", 1)[-1]
                if destination["state"] == "sent" and name == "repo":
                    self.resources += int(destination["reply"].split()[0])  # "8 of 8 written"
                if destination["state"] == "sent" and name == "pas":
                    self.sent_on += 1
                if destination["state"] in ("quarantined", "rejected"):
                    self.notes.append(f"{destination['state']}: {destination['detail']}")

    def outcome(self):
        return (self.name, self.ack, str(self.resources), str(self.sent_on), str(self.rows), "; ".join(self.notes))

    def cells(self):
        before = {"new": [], "duplicate": ["sent before: answered as then, nothing done"], "again": ["sent before: processed again"]}
        notes = before[self.history] + self.notes
        return (self.name, self.ack, str(self.resources), str(self.sent_on), str(self.rows), f"{self.milliseconds:.1f}", "; ".join(notes))


def send_hl7(engine, channel, port, path):
    control = path.read_text(errors="replace").split("|", 10)[9]
    query = f"channel:{channel} id:{control}"
    before = max((m["id"] for m in engine.search(query)), default=0)
    rows = count_rows(engine.site)
    sent = subprocess.run([engine.kiln, "send", "--to", f"127.0.0.1:{port}", "--json", str(path)], capture_output=True, text=True)
    if sent.returncode not in (0, 1):
        raise Failure(f"kiln send {path}: {sent.stderr.strip()}")
    answer = json.loads(sent.stdout)[0]
    row = Row(f"{channel}/{path.name}", answer["ack"])
    row.milliseconds = answer["milliseconds"]
    row.remember(before, engine.settled(query, before, may_be_none=before != 0))
    row.rows = count_rows(engine.site) - rows
    return row


def drop_csv(engine, channel, path):
    """Puts the file into the polled folder in one step, as a sender should."""
    folder = engine.site / "in/lab"
    before = max((m["id"] for m in engine.search(f"channel:{channel}")), default=0)
    begin = time.monotonic()
    part = folder / (path.name + ".part")
    part.write_bytes(path.read_bytes())
    part.rename(folder / path.name)
    row = Row(f"{channel}/{path.name}", "-")
    while (folder / path.name).exists():
        if time.monotonic() - begin > SETTLE_SECONDS:
            raise Failure(f"nobody took {folder / path.name}")
        time.sleep(0.02)
    row.milliseconds = (time.monotonic() - begin) * 1000
    row.remember(before, engine.settled(f"channel:{channel}", before, may_be_none=before != 0))
    return row


def post_resource(engine, channel, fhir, path):
    """A client's conditional create: the second time it finds the resource and writes nothing."""
    resource = json.loads(path.read_text())
    identifier = resource["identifier"][0]
    before = max((m["id"] for m in engine.search(f"channel:{channel}")), default=0)
    url = urllib.parse.urlsplit(fhir)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=SETTLE_SECONDS)
    begin = time.monotonic()
    connection.request("POST", f"{url.path}/{resource['resourceType']}", path.read_bytes(),
                       {"Content-Type": "application/fhir+json",
                        "If-None-Exist": f"identifier={identifier['system']}|{identifier['value']}"})
    response = connection.getresponse()
    response.read()
    row = Row(f"{channel}/{path.name}", str(response.status))
    row.milliseconds = (time.monotonic() - begin) * 1000
    connection.close()
    if response.status == 201:
        row.resources = 1
        row.add(engine.settled(f"channel:{channel}", before, may_be_none=False))
    else:
        row.history = "duplicate"
    return row


def send_samples(engine):
    status = engine.get("/api/v1/status")
    rows = []
    # csv and json last: they refer to nothing, but the store's content then does not depend on when a file is polled.
    kinds = {"mllp": 0, "csv": 1, "fhir": 2}
    for channel in sorted(status["channels"], key=lambda c: (kinds[c["kind"]], c["name"])):
        for path in sorted((engine.site / "samples" / channel["name"]).glob("*")):
            if channel["kind"] == "mllp":
                rows.append(send_hl7(engine, channel["name"], channel["source"]["port"], path))
            elif channel["kind"] == "csv":
                rows.append(drop_csv(engine, channel["name"], path))
            else:
                rows.append(post_resource(engine, channel["name"], status["fhir"], path))
    return rows, status["fhir"]


def print_table(rows):
    table = [Row.COLUMNS] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(Row.COLUMNS) - 1)]
    right = {2, 3, 4, 5}
    say()
    for line in table:
        cells = [cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths))]
        say("  ".join(cells + [line[-1]]).rstrip())
    say()


def read_expected(path):
    """Lines `message | ACK | resources | v2 sent on | CSV rows | note`, by message."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {cells[0]: tuple(cells) for cells in ([cell.strip() for cell in line.split("|")] for line in lines)}


def differences(rows, expected):
    """What is not as expected, a line each. A message sent before does at most what it did the first time."""
    out = []
    for row in rows:
        want = expected.pop(row.name, None)
        got = row.outcome()
        if want is None:
            out.append(f"{row.name}: expected/table.txt does not have it")
        elif row.history == "new" and got != want:
            out.append(f"{row.name}: got {' | '.join(got[1:])}; expected {' | '.join(want[1:])}")
        elif row.history != "new":
            ack = "200" if want[1] == "201" else want[1]
            reason = want[5] if row.history == "again" else ""
            if (got[1], got[5]) != (ack, reason) or any(int(g) > int(w) for g, w in zip(got[2:5], want[2:5])):
                out.append(f"{row.name}, sent before: got {' | '.join(got[1:])}; at first {' | '.join(want[1:])}")
    out += [f"{name}: was not sent" for name in expected]
    return out


def print_hints(engine, fhir):
    kiln, site = shlex.quote(engine.kiln), shlex.quote(str(engine.site))
    say("Look at (FHIR API, JSON):")
    for path in ("Patient?identifier=urn:oid:1.2.840.99999|700412", "Encounter?identifier=urn:oid:1.2.840.99999|V100200",
                 "Observation?code=http://loinc.org|2345-7", "Immunization", "metadata"):
        say(f"  {fhir}/{path}")
    say("Find, explain and repeat messages:")
    for command in (f"{kiln} search --site {site}", f"{kiln} search --site {site} state:rejected",
                    f"{kiln} show 1 --site {site}", f"{kiln} replay 1 --site {site} --to all --dry-run"):
        say(f"  {command}")
    say(f"Written files: {site}/out/pas/, {site}/census/; log of the engine: {engine.log}")


def serve(engine, once):
    step(f"starting {engine.kiln} run {engine.site}")
    engine.start()
    step("sending the samples")
    rows, fhir = send_samples(engine)
    print_table(rows)
    wrong = differences(rows, read_expected(engine.site / "expected/table.txt"))
    for line in wrong:
        say(f"NOT AS EXPECTED  {line}")
    if not wrong:
        say(f"All {len(rows)} samples had the expected outcome.")
    if not once:
        say()
        print_hints(engine, fhir)
        say()
        say("Serving. Ctrl-C stops.")
        code = engine.process.wait()
        raise Failure(f"the engine ended by itself (exit {code}); its log: {engine.log}", code or 1)
    return 1 if wrong else 0


def on_signal(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kiln", required=True)
    parser.add_argument("--site", required=True, type=pathlib.Path)
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell may have set it to be ignored
        signal.signal(number, on_signal)
    engine = Engine(options.kiln, options.site)
    code = 0
    try:
        code = serve(engine, options.once)
    except KeyboardInterrupt:
        say()
    except (Failure, OSError, http.client.HTTPException) as failure:
        step(f"FAILED: {failure}")
        code = getattr(failure, "code", 1)
    if engine.process is not None and engine.process.returncode is None:
        step("stopping the engine")
    stopped = engine.stop()
    if stopped != 0 and code == 0:
        step(f"FAILED: the engine ended with {stopped} instead of 0; its log: {engine.log}")
    sys.exit(code or stopped)


if __name__ == "__main__":
    main()
