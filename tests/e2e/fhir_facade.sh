#!/usr/bin/env python3
"""FHIR requests that channels answer, against real MLLP peers: the searches and orders of examples/hospital, $process-message, $convert.

    fhir_facade.sh SOURCE BUILD
"""
import base64
import http.server
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port, mpi_port, lab_port, his_port, hook_port = (free_port() for _ in range(5))
folder = temp_folder()
hospital = source / "examples/hospital"


def of_hospital(name, host, old, new, **more):
    text = (hospital / "channels" / name).read_text().replace(f'"{host}"', '"127.0.0.1"').replace(f"       {old}\n", f"       {new}\n")
    assert str(new) in text
    for before, after in more.values():
        assert before in text, before
        text = text.replace(before, after)
    return text


site = write_site(folder / "site", {
    "kiln.conf": f"""server {{
  data "data"
  http {{ listen 127.0.0.1:{port} }}
  fhir {{ audit all; subscriptions {{ allow "http://127.0.0.1:{hook_port}/answers"; retry forever backoff 20ms..200ms }} }}
}}
""",
    "maps/patient_query.hmap": (hospital / "maps/patient_query.hmap").read_text(),
    "channels/patient_query.channel": of_hospital("patient_query.channel", "mpi.example.org", "3600", mpi_port, wait=("timeout 10s", "timeout 2s")),
    "channels/lab_orders.channel": of_hospital("lab_orders.channel", "lab.example.org", "2700", lab_port, wait=("ack_timeout 15s", "ack_timeout 1s")),
    "channels/messages.channel": f"""module e2e.messages
use std.v2fhir.adt.{{adt_a01}}
use std.fhirv2.adt.{{to_adt_a01}}
map ack_outcome(m: hl7 ACK 2.5.1) -> fhir OperationOutcome {{
  issue += {{ severity = "information"  code = "informational"  diagnostics = MSA-1 }}
}}
csv Beds {{ delimiter ";"  header true  columns {{ ward : string required  name : string required }} }}
map beds(rows: csv Beds) -> fhir Bundle collection {{
  for each r in rows {{ create bed: Location {{ name = r.name  description = r.ward  status = "active" }} }}
}}
channel notes {{
  source fhir {{ serve message; event "note" }}
  accept fhir Bundle
  to keep: drop from source {{ }}
}}
channel admissions {{
  source fhir {{ serve message; event "A01"; endpoint "http://kiln/his"; timeout 3s }}
  accept fhir Bundle
  map a01 = to_adt_a01
  map said = ack_outcome of his
  to his: mllp from a01 {{ host "127.0.0.1"; port {his_port}; ack_timeout 1s }}
}}
channel v2_in {{
  source mllp {{ port {free_port()} }}
  accept hl7 ADT_A01 2.5.1
  map bundle = adt_a01
  to keep: drop from bundle {{ }}
}}
"""})
engine = Engine(build / "kiln", site)


def rsp(query, patients, code="AA", err=""):
    control = field(query.split(b"\r")[0], 9).decode()
    pids = "".join(f"PID|1||{number}^^^NORTH&1.2.840.99999&ISO^MR||{family}^ADA||19700101|F\rQRI|95\r" for number, family in patients)
    status = "OK" if patients else "NF"
    return (f"MSH|^~\\&|MPI|NORTH|GATEWAY||20260301073000||RSP^K22^RSP_K22|R{control}|P|2.5.1\rMSA|{code}|{control}\r{err}"
            f"QAK|1|{status}|Q22^Find Candidates^HL7|{len(patients)}\r{find_segment(query, b'QPD').decode()}\r{pids}").encode()


def framed(make):
    """An answer that depends on the query."""
    def answer(receiver, number, control):
        return VT + make(receiver.frames[number - 1][1]) + FS
    return answer


def a_search_is_answered_by_the_index():
    mpi = Receiver(framed(lambda query: rsp(query, [("4711", "EVERYMAN"), ("4712", "OTHER")])), mpi_port)
    for method, path, body, headers in (("GET", "Patient?identifier=urn:oid:1.2.840.99999|4711", None, {}),
                                        ("POST", "Patient/_search", "identifier=4711", {"Content-Type": "application/x-www-form-urlencoded"})):
        status, head, bundle = engine.fhir(path, method, body, headers)
        assert status == 200 and bundle["type"] == "searchset" and bundle["total"] == 2, (status, bundle)
        assert head["Content-Type"].startswith("application/fhir+json")
        matches = [e for e in bundle["entry"] if e["search"]["mode"] == "match"]
        assert [e["resource"]["name"][0]["family"] for e in matches] == ["EVERYMAN", "OTHER"], bundle
        assert all(e["fullUrl"] for e in bundle["entry"]) and "identifier=" in bundle["link"][0]["url"]
    query = mpi.frames[0][1]
    assert b"QBP^Q22^QBP_Q21" in query and b"@PID.3.1^4711" in query, query
    status, head, _ = engine.fhir("Patient?identifier=4711", "HEAD")
    assert status == 200
    mpi.close()
    engine.wait_drained()
    stored = engine.search("channel:patient_query")
    assert len(stored) == 3 and engine.show(stored[0]["id"])["destinations"][0]["state"] == "sent"


def nobody_found_is_an_empty_bundle():
    mpi = Receiver(framed(lambda query: rsp(query, [])), mpi_port)
    status, _, bundle = engine.fhir("Patient?identifier=9")
    assert status == 200 and bundle["total"] == 0 and "entry" not in bundle, bundle
    mpi.close()


def what_the_map_refuses_asks_nobody():
    status, _, outcome = engine.fhir("Patient?gender=male")
    assert status == 422 and outcome["resourceType"] == "OperationOutcome" and "needs identifier" in json.dumps(outcome), outcome


def a_refusal_of_the_index_is_a_422_with_its_errors():
    err = "ERR||QPD^1^3|204^Unknown key identifier^HL70357|E||||No such domain\r"
    mpi = Receiver(framed(lambda query: rsp(query, [], "AE", err)), mpi_port)
    status, _, outcome = engine.fhir("Patient?identifier=1")
    issue = outcome["issue"][0]
    assert status == 422 and issue["details"]["text"] == "No such domain" and "204" in issue["diagnostics"] and "QPD-3" in issue["diagnostics"], outcome
    mpi.close()


def an_index_that_is_down_or_silent_is_a_502_or_504():
    status, _, outcome = engine.fhir("Patient?identifier=1")
    assert status == 502 and outcome["resourceType"] == "OperationOutcome", (status, outcome)
    mpi = Receiver(lambda *_: None, mpi_port)
    begin = time.monotonic()
    status, _, outcome = engine.fhir("Patient?identifier=1")
    assert status == 504 and outcome["issue"][0]["code"] == "timeout", (status, outcome)
    assert 1.5 < time.monotonic() - begin < 6
    mpi.close()
    wait_for("the queue is free again", lambda: not engine.search("channel:patient_query state:pending"), 20)
    mpi = Receiver(framed(lambda query: rsp(query, [("1", "BACK")])), mpi_port)
    assert engine.fhir("Patient?identifier=1")[0] == 200
    mpi.close()


def order(number):
    return {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "identifier": [{"system": "urn:orders", "value": number}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}]},
            "subject": {"identifier": {"system": "urn:oid:1.2.3", "value": "4711"}}}


def an_order_is_created_when_the_laboratory_took_it():
    lab = Receiver(port=lab_port)
    status, head, created = engine.fhir("ServiceRequest", "POST", json.dumps(order("O-1")))
    assert status == 201 and created["identifier"][0]["value"] == "O-1" and created["id"] in head["Location"], (status, created)
    assert b"OML^O21^OML_O21" in lab.frames[0][1] and b"O-1" in lab.frames[0][1]
    status, head, _ = engine.fhir("ServiceRequest", "POST", json.dumps(order("O-2")), {"Prefer": "return=minimal"})
    assert status == 201 and len(lab.frames) == 2
    status, _, outcome = engine.fhir("ServiceRequest", "POST", json.dumps({**order("O-3"), "status": "nonsense"}))
    assert status == 400 and len(lab.frames) == 2, outcome
    lab.close()


def a_refused_order_is_a_422():
    for code in ("AE", "AR"):
        ack = lambda query, code=code: (f"MSH|^~\\&|LAB||GATEWAY||20260301||ORL^O22^ORL_O22|1|P|2.5.1\rMSA|{code}|{field(query.split(chr(13).encode())[0], 9).decode()}\r"
                                        "ERR||OBR^1^4|103^Table value not found^HL70357|E||||Unknown test\r").encode()
        lab = Receiver(framed(ack), lab_port)
        status, _, outcome = engine.fhir("ServiceRequest", "POST", json.dumps(order("O-4")))
        assert status == 422 and outcome["issue"][0]["details"]["text"] == "Unknown test", (status, outcome)
        lab.close()
    wait_for("an operator can replay them", lambda: len(engine.search("channel:lab_orders state:quarantined")) == 2)


def a_silent_laboratory_is_a_504():
    lab = Receiver(lambda *_: None, lab_port)
    status, _, outcome = engine.fhir("ServiceRequest", "POST", json.dumps(order("O-5")))
    assert status == 504 and "message " in json.dumps(outcome), (status, outcome)
    lab.close()


def the_store_answers_everything_else():
    assert engine.fhir("Patient", "POST", json.dumps({"resourceType": "Patient"}))[0] == 201
    assert engine.fhir("Observation?code=x")[0] == 200
    assert engine.fhir("ServiceRequest?code=x")[2]["total"] == 0


def message(event, header="h1", bundle="b1", endpoint="http://kiln/his", entries=()):
    head = {"resourceType": "MessageHeader", "id": header, "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": event},
            "source": {"endpoint": "http://sender/fhir"}, "destination": [{"endpoint": endpoint}]}
    return {"resourceType": "Bundle", "id": bundle, "type": "message",
            "entry": [{"fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{i}", "resource": r} for i, r in enumerate([head, *entries])]}


def process(bundle, query=""):
    return engine.fhir("$process-message" + query, "POST", json.dumps(bundle))


def a_message_enters_its_channel():
    status, _, answer = process(message("note"))
    assert status == 200 and answer["type"] == "message", answer
    header = answer["entry"][0]["resource"]
    assert header["response"] == {"identifier": "h1", "code": "ok"} and header["destination"][0]["endpoint"] == "http://sender/fhir", header
    found = engine.search("channel:notes")
    assert len(found) == 1 and found[0]["type"] == "Bundle", found
    assert process(message("note"))[2] == answer  # the same again: the same answer, no second message
    engine.kill()
    engine.start()
    assert process(message("note"))[2] == answer
    assert len(engine.search("channel:notes")) == 1
    assert process(message("note", header="h2"), "?async=true")[0] == 202
    assert len(engine.search("channel:notes")) == 2
    status, _, outcome = engine.fhir("Bundle/$validate", "POST", json.dumps(answer))
    assert status == 200 and not any(i["severity"] in ("error", "fatal") for i in outcome["issue"]), outcome


def what_is_no_message_is_refused():
    assert process(message("unknown-event"))[0] == 400
    assert process({"resourceType": "Bundle", "type": "collection"})[0] == 400
    assert process({"resourceType": "Patient"})[0] == 400
    assert engine.fhir("$process-message", "GET")[0] == 405
    status, _, outcome = process(message("note", header="h9"), "?async=true&response-url=http://10.0.0.1/x")
    assert status == 422 and "subscriptions" in json.dumps(outcome), outcome
    assert process(message("note", header="h9"), f"?response-url=http://127.0.0.1:{hook_port}/answers")[0] == 400
    assert process(message("A01", header="h9"), f"?async=true&response-url=http://127.0.0.1:{hook_port}/answers")[0] == 400


def an_asynchronous_response_is_delivered_when_its_receiver_is_there():
    target = f"?async=true&response-url=http://127.0.0.1:{hook_port}/answers"
    for header in ("h7", "h8", "h7"):
        assert process(message("note", header=header, bundle="b7"), target)[0] == 202
    engine.kill()
    engine.start()
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", hook_port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wait_for("both arrive", lambda: len({b["id"] for _, b in got}) == 2)
    assert [p for p, _ in got] == ["/answers"] * len(got)
    answered = list(dict.fromkeys(b["entry"][0]["resource"]["response"]["identifier"] for _, b in got))
    assert answered == ["h7", "h8"], answered
    assert len(engine.search("channel:fhir.responses")) == 2
    server.shutdown()
    server.server_close()


def a_message_is_answered_by_the_receiver():
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:oid:1.2.3", "value": "4711"}], "name": [{"family": "EVERYMAN"}]}
    encounter = {"resourceType": "Encounter", "status": "in-progress", "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                 "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}}
    his = Receiver(port=his_port)
    status, _, answer = process(message("A01", "h3", "b3", entries=[patient, encounter]))
    assert status == 200 and answer["entry"][0]["resource"]["response"]["code"] == "ok", answer
    assert answer["entry"][1]["resource"]["issue"][0]["diagnostics"] == "AA", answer
    assert b"ADT^A01" in his.frames[0][1]
    again = process(message("A01", "h3", "b3", entries=[patient, encounter]))[2]
    assert again == answer and len(his.frames) == 1, (again, len(his.frames))
    assert process(message("A01", "h5", "b5", endpoint="http://elsewhere", entries=[patient, encounter]))[0] == 400
    his.close()
    his = Receiver(lambda *_: "AR", his_port)
    status, _, answer = process(message("A01", "h4", "b4", entries=[patient, encounter]))
    assert status == 200 and answer["entry"][0]["resource"]["response"]["code"] == "fatal-error", answer
    his.close()


def text(body, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("POST", "/fhir/$convert" + path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, response.headers.get("Content-Type"), answer


def v2_and_csv_are_converted_by_a_named_map():
    a01 = adt("C1")
    for body, kind in ((a01, "x-application/hl7-v2+er7"), (a01.replace(b"\r", b"\n"), "text/plain")):
        status, head, answer = text(body, "?map=adt_a01", **{"Content-Type": kind})
        bundle = json.loads(answer)
        assert status == 200 and bundle["resourceType"] == "Bundle" and head.startswith("application/fhir+json"), answer[:300]
        assert any(e["resource"]["resourceType"] == "Patient" for e in bundle["entry"])
    binary = {"resourceType": "Binary", "contentType": "x-application/hl7-v2+er7", "data": base64.b64encode(a01).decode()}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "map", "valueString": "adt_a01"}, {"name": "input", "resource": binary}]}
    assert engine.fhir("$convert?map=adt_a01", "POST", json.dumps(binary))[2]["resourceType"] == "Bundle"
    status, _, both = engine.fhir("$convert?map=adt_a01&outcome=true", "POST", json.dumps(parameters))
    assert [p["name"] for p in both["parameter"]] == ["return", "outcome"] and both["parameter"][1]["resource"]["resourceType"] == "OperationOutcome", both
    status, _, answer = text("ward;name\nW1;Bed 1\nW1;Bed 2\n", "?map=beds", **{"Content-Type": "text/csv"})
    assert status == 200 and [e["resource"]["name"] for e in json.loads(answer)["entry"]] == ["Bed 1", "Bed 2"], answer
    status, head, answer = text(json.dumps({"resourceType": "Patient"}), "", **{"Content-Type": "application/fhir+json", "Accept": "application/fhir+xml"})
    assert status == 200 and answer.startswith(b"<Patient"), answer  # from one format to another, as before


def what_cannot_be_converted_is_said():
    kind = {"Content-Type": "x-application/hl7-v2+er7"}
    for body, path, wanted in ((b"garbage", "?map=adt_a01", 400), (adt("C2"), "?map=no.such.map", 404), (adt("C3"), "", 400), (b"", "?map=adt_a01", 400),
                               (b"ward\nW1\n", "?map=beds", 400)):
        status, _, answer = text(body, path, **kind)
        outcome = json.loads(answer)
        assert status == wanted and outcome["resourceType"] == "OperationOutcome", (path, status, answer)
    status, _, answer = text(json.dumps(message("zzz")), "?map=to_adt_a01", **{"Content-Type": "application/fhir+json"})
    assert status == 422 and json.loads(answer)["issue"], answer


def entries_of_a_batch_go_to_channels_and_store():
    mpi = Receiver(framed(lambda query: rsp(query, [("4711", "EVERYMAN")])), mpi_port)
    requests = [({"method": "PUT", "url": "Organization/batch1"}, {"resourceType": "Organization", "id": "batch1", "name": "Ward"}),
                ({"method": "GET", "url": "Patient?identifier=4711"}, None),
                ({"method": "GET", "url": "Patient?gender=male"}, None),
                ({"method": "GET", "url": "Organization/none"}, None),
                ({"method": "GET", "url": engine_base() + "/Patient?identifier=4711"}, None)]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": r, **({"resource": b} if b else {})} for r, b in requests]}
    status, _, answer = engine.fhir("", "POST", json.dumps(bundle))
    assert status == 200 and answer["type"] == "batch-response", (status, answer)
    states = [e["response"]["status"][:3] for e in answer["entry"]]
    assert states == ["201", "200", "422", "404", "200"], answer
    assert answer["entry"][1]["resource"]["total"] == 1 and answer["entry"][4]["resource"]["entry"][0]["resource"]["name"][0]["family"] == "EVERYMAN"
    assert "needs identifier" in json.dumps(answer["entry"][2]["response"]["outcome"])
    only = {"resourceType": "Bundle", "type": "batch", "entry": [bundle["entry"][1]]}
    assert engine.fhir("", "POST", json.dumps(only))[2]["entry"][0]["resource"]["total"] == 1
    # In a transaction all or nothing would be a promise that nobody can keep.
    asked = len(mpi.frames)
    bundle["type"] = "transaction"
    bundle["entry"] = bundle["entry"][:2]
    bundle["entry"][0]["resource"]["name"] = "Changed"
    status, _, outcome = engine.fhir("", "POST", json.dumps(bundle))
    assert status == 422 and outcome["issue"][0]["expression"] == ["Bundle.entry[1]"], (status, outcome)
    assert engine.fhir("Organization/batch1")[2]["name"] == "Ward" and len(mpi.frames) == asked
    mpi.close()


def engine_base():
    return f"http://127.0.0.1:{port}/fhir"


def events():
    return [e["resource"] for e in engine.fhir("AuditEvent?_count=1000")[2].get("entry", [])]


def what_channels_answered_is_audited():
    before = len(events())
    mpi = Receiver(framed(lambda query: rsp(query, [])), mpi_port)
    assert engine.fhir("Patient?identifier=77")[0] == 200
    told = [e for e in events()[0:] if "identifier=77" in base64.b64decode("".join(x.get("query", "") for x in e["entity"])).decode()]
    assert len(told) == 1 and told[0]["subtype"][0]["code"] == "search-type" and len(events()) > before, told
    entry = {"request": {"method": "GET", "url": "Patient?identifier=78"}}
    assert engine.fhir("", "POST", json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [entry]}))[0] == 200
    assert any("identifier=78" in base64.b64decode("".join(x.get("query", "") for x in e["entity"])).decode() for e in events())
    mpi.close()


engine.start()
code = run_cases([a_search_is_answered_by_the_index, nobody_found_is_an_empty_bundle, what_the_map_refuses_asks_nobody,
                  a_refusal_of_the_index_is_a_422_with_its_errors, an_index_that_is_down_or_silent_is_a_502_or_504,
                  an_order_is_created_when_the_laboratory_took_it, a_refused_order_is_a_422, a_silent_laboratory_is_a_504,
                  the_store_answers_everything_else, a_message_enters_its_channel, what_is_no_message_is_refused,
                  an_asynchronous_response_is_delivered_when_its_receiver_is_there, a_message_is_answered_by_the_receiver, v2_and_csv_are_converted_by_a_named_map, what_cannot_be_converted_is_said,
                  entries_of_a_batch_go_to_channels_and_store, what_channels_answered_is_audited])
if code == 0:
    assert engine.stop() == 0
sys.exit(code)
