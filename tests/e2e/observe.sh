#!/usr/bin/env python3
"""What operations sees of a running engine: metrics, health, systemd, search by key, alerts by webhook, and that no patient is in
any of it.

    observe.sh SOURCE BUILD
"""
import http.server
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": """server {{
  data "data"
  http {{ listen 127.0.0.1:{http} }}
  health {{ listen 127.0.0.1:{health} }}
  trace {{ url "http://127.0.0.1:{trace}/v1/traces" }}
  index {{ key ward {{ path "PV1-3.1" }} text "in" }}
  alert queue_depth {{ above 2 }}
  notify ops {{ webhook "http://127.0.0.1:{hook}/alert" }}
}}
""",
    "channels/in.channel": """module e2e.observe

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
CANARY_NAME, CANARY_MRN, CANARY_ID = "CANARYZEBRA", "970815470815", "CTRLCANARY4711"


class Hook(threading.Thread):
    """Takes webhooks; refuses the first ones."""

    def __init__(self, refuse=0):
        super().__init__(daemon=True)
        self.got, self.refuse = [], refuse
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.refuse -= 1
                if outer.refuse >= 0:
                    self.send_response(503)
                else:
                    outer.got.append(json.loads(body))
                    self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.start()

    def run(self):
        self.server.serve_forever()


class Case:
    def __init__(self, sink=None):
        self.folder = temp_folder()
        self.sink = sink or Receiver()
        self.hook, self.traces = Hook(refuse=1), Hook()
        self.port, self.health = free_port(), free_port()
        values = {"http": free_port(), "port": self.port, "sink": self.sink.port, "health": self.health, "hook": self.hook.port, "trace": self.traces.port}
        self.site = write_site(self.folder / "site", {name: text.format(**values) for name, text in SITE.items()})
        self.engine = Engine(build / "kiln", self.site)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.health, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metrics(self):
        out = {}
        for line in self.get("/metrics")[1].splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                out[name] = float(value)
        return out


    def spans(self):
        return [s for body in list(self.traces.got) for s in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]


def metrics_count_what_happens():
    case = Case()
    case.engine.start()
    with Mllp(case.port) as c:
        for number in range(5):
            assert ack_code(c.send(adt(f"M{number}"))) == "AA"
        assert ack_code(c.send(adt("M0"))) == "AA"  # a repetition
        assert ack_code(c.send(adt("R").replace(b"ADT^A01^ADT_A01", b"ORU^R01^ORU_R01"))) == "AR"
    case.engine.wait_drained()
    m = case.metrics()
    assert m['kiln_messages_received_total{channel="in"}'] == 7
    assert m['kiln_messages_duplicate_total{channel="in"}'] == 1
    assert m['kiln_messages_rejected_total{channel="in"}'] == 1
    assert m['kiln_messages_sent_total{channel="in",destination="sink"}'] == 5
    assert m['kiln_messages_pending{channel="in",destination="sink"}'] == 0
    assert m['kiln_connection_state{channel="in",destination="sink"}'] == 2
    assert m['kiln_acks_total{channel="in",code="AA"}'] == 6
    assert m['kiln_processing_seconds_count{channel="in"}'] == 7
    assert m['kiln_delivery_seconds_count{channel="in",destination="sink"}'] == 5
    assert m["kiln_journal_rows"] == 6
    assert m["kiln_journal_commit_seconds_count"] > 0
    assert m["kiln_journal_fsync_seconds_count"] > 0 and m["kiln_journal_fsync_seconds_sum"] <= m["kiln_journal_commit_seconds_sum"] * 3 + 1
    assert m["kiln_audit_chain_head_seq"] >= 0 and m["kiln_breakglass_active"] == 0
    assert 'kiln_failstop_total{cause="watchdog"}' not in m
    assert m["process_open_fds"] > 3
    wait_for("the books are looked at", lambda: "kiln_books_imbalance" in case.metrics())
    assert case.metrics()["kiln_books_imbalance"] == 0
    wait_for("the index has caught up", lambda: case.metrics()["kiln_index_lag_seconds"] == 0)
    assert case.engine.stop() == 0
    # An order is no reason to count anew; a crash is.
    case.engine.start()
    m = case.metrics()
    assert m['kiln_messages_received_total{channel="in"}'] == 7, m
    assert m['kiln_messages_sent_total{channel="in",destination="sink"}'] == 5
    with Mllp(case.port) as c:
        assert ack_code(c.send(adt("AFTER"))) == "AA"
    case.engine.wait_drained()
    assert case.metrics()['kiln_messages_received_total{channel="in"}'] == 8
    case.engine.kill()
    case.engine.start()
    assert case.metrics().get('kiln_messages_received_total{channel="in"}', 0) == 0
    os.kill(case.engine.pid(), signal.SIGABRT)  # as systemd's watchdog does
    case.engine.process.wait(PATIENCE)
    case.engine.start()
    assert case.metrics()['kiln_failstop_total{cause="watchdog"}'] == 1
    wait_for("the alert about it", lambda: [n for n in case.hook.got if n["alert"] == "WatchdogRestart"])
    listed = case.engine.control("GET", "/api/v1/alerts/history")
    assert listed[0] == 200 and "WatchdogRestart" in json.dumps(listed[-1] if not isinstance(listed[-1], bytes) else listed[-1].decode()), listed
    assert case.engine.stop() == 0


def health_tells_start_and_drain():
    case = Case()
    case.engine.start()
    assert case.get("/startupz")[0] == 200
    assert case.get("/healthz") == (200, '{"status":"ok","stuck":[]}')
    assert case.get("/readyz") == (200, '{"status":"ok","reasons":[]}')
    assert case.get("/other")[0] == 404
    # The control socket answers the same.
    assert case.engine.control("GET", "/readyz")[0] == 200
    assert case.engine.stop() == 0


def systemd_is_told():
    case = Case()
    socket_path = case.folder / "notify"
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(socket_path))
    told.settimeout(PATIENCE)
    case.engine.start(environment={"NOTIFY_SOCKET": str(socket_path), "WATCHDOG_USEC": "30000000"})
    seen = []

    def next_of(what):
        while True:
            seen.append(told.recv(4096).decode())
            if seen[-1].startswith(what):
                return seen[-1]

    next_of("READY=1")
    assert any(s.startswith("EXTEND_TIMEOUT_USEC=") for s in seen[:-1]), seen
    next_of("WATCHDOG=1")
    next_of("WATCHDOG=1")
    os.kill(case.engine.pid(), signal.SIGTERM)
    next_of("STOPPING=1")
    assert case.engine.process.wait(PATIENCE) == 0


def messages_are_found_by_what_stands_in_them():
    case = Case()
    case.engine.start()
    with Mllp(case.port) as c:
        for number in range(40):
            assert ack_code(c.send(adt(f"S{number}", patient=str(1000 + number % 4)))) == "AA"
    wait_for("the index has caught up", lambda: case.metrics()["kiln_index_lag_seconds"] == 0)
    find = case.engine.search
    assert len(find("mrn:1001")) == 10
    assert len(find("mrn:1001 OR mrn:1002")) == 20
    assert len(find("name:number1003")) == 10
    assert len(find("name:testperson NOT mrn:1000")) == 30
    assert len(find("path:ward=W1")) == 40
    assert len(find("path:PID-8=M")) == 0
    assert len(find('text:"testperson number1000"')) == 10
    assert [m["control_id"] for m in find("(id:S1 OR id:S2) channel:in")] == ["S2", "S1"]
    table = case.engine.command("search", "--site", case.site, "mrn:1001", "id:S5")
    assert "S5" in table
    case.engine.stop()
    # Without an engine the journal itself is asked.
    assert "S5" in case.engine.command("search", "--site", case.site, "mrn:1001", "id:S5")
    case.engine.command("search", "--site", case.site, "mrn:9", code=1)
    case.engine.command("search", "--site", case.site, "(mrn:9", code=64)


def alerts_are_told_once():
    answer = {"code": None}
    sink = Receiver(lambda *_: answer["code"])
    case = Case(sink)
    case.engine.start()
    assert "1 routes" in case.engine.command("alert", "test", "--site", case.site)
    wait_for("the test note, at the second try", lambda: [n for n in case.hook.got if n["event"] == "test"])
    with Mllp(case.port) as c:
        for number in range(4):
            assert ack_code(c.send(adt(f"A{number}"))) == "AA"
    wait_for("the alert", lambda: [n for n in case.hook.got if n["alert"] == "QueueDepth"])
    note = [n for n in case.hook.got if n["alert"] == "QueueDepth"][0]
    assert note["event"] == "start" and note["subject"] == "in/sink" and note["text"] == "4 messages wait", note
    listed = case.engine.command_json("alert", "--site", case.site, code=1)
    assert [a["id"] for a in listed["alerts"] if a["alert"] == "QueueDepth"] == ["QueueDepth:in/sink"]
    time.sleep(11)  # the next look: it still holds, and nobody is told again
    assert len([n for n in case.hook.got if n["alert"] == "QueueDepth"]) == 1
    case.engine.kill()  # nor after a restart
    answer["code"] = "AA"
    case.engine.start()
    case.engine.wait_drained()
    assert [a["id"] for a in case.engine.command_json("alert", "--site", case.site, code=1)["alerts"]] == ["QueueDepth:in/sink"]
    assert case.engine.stop() == 0


def no_patient_leaves_the_journal():
    """Marked names and numbers through everything; then everything that is not the journal is searched for them."""
    case = Case()
    case.engine.start()
    # With all that can be logged.
    assert "*  debug" in case.engine.command("log", "level", "*", "debug", "--for", "1h", "--site", case.site)
    canary = adt(CANARY_ID, patient=CANARY_MRN).replace(b"TESTPERSON", CANARY_NAME.encode())
    with Mllp(case.port) as c:
        assert ack_code(c.send(canary)) == "AA"
        c.send(canary.replace(b"ADT^A01^ADT_A01", b"ORU^R01^ORU_R01").replace(CANARY_ID.encode(), CANARY_ID.encode() + b"B"))
        c.send(canary.replace(b"2.5.1", b"9.9.9").replace(CANARY_ID.encode(), CANARY_ID.encode() + b"C"))
        c.write(VT + b"no message " + CANARY_NAME.encode() + FS)
        c.write(b"garbage " + CANARY_MRN.encode() + b"\r\n")
    pages = []
    for path, method, body in [(f"Patient?identifier={CANARY_MRN}&name={CANARY_NAME}", "GET", None), (f"Patient/{CANARY_MRN}", "GET", None),
                               (f"{CANARY_NAME}", "GET", None), ("Patient", "POST", '{"resourceType":"Patient","x":"' + CANARY_NAME + '"}'),
                               ("Patient", "POST", '{"resourceType":"Patient",' + CANARY_NAME)]:
        status, _, answer = case.engine.fhir(path, method, body)
        # What a client asked by stands in the links of a search; an error may not repeat what was in a body.
        if status >= 400 and body:
            pages.append(json.dumps(answer))
    for query in (f"mrn:{CANARY_MRN}", f"name:{CANARY_NAME}", f"id:{CANARY_ID}"):
        assert case.engine.search(query), query
    case.engine.command("alert", "test", "--site", case.site)
    wait_for("the test note", lambda: case.hook.got)
    wait_for("the index has caught up", lambda: case.metrics()["kiln_index_lag_seconds"] == 0)
    wait_for("the traces of a message", lambda: {"receive", "map", "journal", "send"} <= {s["name"] for s in case.spans()})
    shown = json.dumps(case.traces.got) + case.get("/metrics")[1] + case.get("/healthz")[1] + case.get("/readyz")[1] + json.dumps(case.hook.got) + "".join(pages)
    case.engine.kill()
    case.engine.start()
    case.engine.stop()
    places = {"pages, metrics and alerts": shown.encode(), "log": case.engine.log.read_bytes()}
    for path in (case.site / "data").rglob("*"):
        if path.is_file() and path.parent.name not in ("journal",) and not path.name.startswith("fhir.db"):
            places[str(path.relative_to(case.site))] = path.read_bytes()
    journal = b"".join(p.read_bytes() for p in (case.site / "data/journal").iterdir())
    for mark in (CANARY_NAME, CANARY_MRN):
        assert mark.encode() in journal, "the canary never sang"
        for name, content in places.items():
            # The audit trail is the record of who asked for whom: the query stands in it, and it is kept as the journal is.
            if "audit" in name:
                continue
            assert mark.encode() not in content and mark.lower().encode() not in content, f"{mark} is in {name}"
    assert CANARY_ID.encode() not in places["log"], "MSH-10 is in the log"
    assert b'"event":"message-taken"' in places["log"] and b'"event":"attempt"' in places["log"], "nothing was logged at debug"


def traces_tell_the_way_of_a_message():
    """A message that comes over HTTP in somebody's trace, and leaves over HTTP: one trace, from the sender to the receiver."""
    heard = []

    class Receiving(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.headers.get("traceparent"), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiving)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    collector = Hook(refuse=2)
    folder = temp_folder()
    port, fhir = free_port(), free_port()
    site = write_site(folder / "site", {
        "kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{fhir} }}\n'
                     f'  trace {{ url "http://127.0.0.1:{collector.port}/v1/traces" }}\n}}\n',
        "channels/in.channel": f"""module e2e.traces

channel in {{
  source http {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  to out: http from source {{ url "http://127.0.0.1:{sink.server_address[1]}/hl7"; until status }}
}}
"""})
    engine = Engine(build / "kiln", site).start()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for number, headers in enumerate(({"traceparent": parent}, {}, {"traceparent": parent[:-2] + "00"})):
        connection.request("POST", "/", adt(f"T{number}"), {"Content-Type": "application/hl7-v2", **headers})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
    connection.request("POST", "/", adt("T3"), {"Content-Type": "application/hl7-v2", "traceparent": "nonsense"})
    assert connection.getresponse().status == 200
    wait_for("all four are delivered", lambda: len(heard) == 4)
    requested = http.client.HTTPConnection("127.0.0.1", fhir, timeout=PATIENCE)
    requested.request("GET", "/fhir/metadata", headers={"traceparent": parent})
    requested.getresponse().read()

    def spans():
        return [s for body in list(collector.got) for s in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    wait_for("the spans, though the collector refused at first", lambda: len([s for s in spans() if s["name"] == "send"]) == 3 and
             any(s["name"] == "fhir" for s in spans()))
    by_trace = {}
    for one in spans():
        by_trace.setdefault(one["traceId"], []).append(one)
        assert len(one["traceId"]) == 32 and len(one["spanId"]) == 16, one
        assert int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"]), one
    mine = by_trace[parent[3:35]]
    root = next(s for s in mine if s["name"] == "receive")
    assert root["parentSpanId"] == parent[36:52] and root["kind"] == 2, root
    send = next(s for s in mine if s["name"] == "send")
    assert send["parentSpanId"] == root["spanId"] and send["kind"] == 3, send
    assert next(s for s in mine if s["name"] == "fhir")["parentSpanId"] == parent[36:52]
    given = {s["key"]: next(iter(s["value"].values())) for s in send["attributes"]}
    assert given["kiln.channel"] == "in" and given["kiln.destination"] == "out", given
    order = {body.split(b"|")[9]: header for header, body in heard}
    assert order[b"T0"] == f"00-{send['traceId']}-{send['spanId']}-01", order
    assert order[b"T1"] and order[b"T1"] != order[b"T0"] and order[b"T3"], "each has a trace of its own"
    assert order[b"T2"] is None, "its sender does not want it traced"
    assert len(by_trace) == 3, by_trace.keys()
    assert engine.stop() == 0


def the_log_tells_less_when_it_repeats_and_more_when_asked():
    refusing = Receiver(lambda *_: "AE")
    case = Case(refusing)
    case.engine.start()
    command = lambda *words, **named: case.engine.command(*words, "--site", case.site, **named)
    assert "no channel has a level of its own" in command("log")
    command("log", "level", "nowhere", "debug", code=64)
    command("log", "level", "in", "loud", code=64)
    assert "in  debug  until" in command("log", "level", "in", "debug", "--for", "30m")
    assert case.engine.command_json("log", "--site", case.site)["levels"][0]["channel"] == "in"
    assert "no channel has a level of its own" in command("log", "reset", "in")
    assert "in  debug  until" in command("log", "level", "in", "debug", "--for", "30m")
    with Mllp(case.port) as c:
        for number in range(30):
            assert ack_code(c.send(adt(f"L{number}"))) == "AA"

    def lines(event):
        return [json.loads(line) for line in case.engine.log.read_bytes().splitlines() if line.startswith(b"{") and event.encode() in line]
    wait_for("what repeated is told", lambda: [one for one in lines("message-taken") if "repeated" in one])
    taken = lines("message-taken")
    assert len([one for one in taken if "repeated" not in one]) == 10, taken
    assert sum(one.get("repeated", 0) for one in taken) == 20, taken
    assert case.engine.stop() == 0


sys.exit(run_cases([metrics_count_what_happens, health_tells_start_and_drain, systemd_is_told,
                    messages_are_found_by_what_stands_in_them, alerts_are_told_once, no_patient_leaves_the_journal, traces_tell_the_way_of_a_message,
                    the_log_tells_less_when_it_repeats_and_more_when_asked]))
