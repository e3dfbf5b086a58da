#!/usr/bin/env python3
"""`source fhir`: what clients write to the built-in store leaves as v2, each committed version once and in order, also across kill -9.

    fhir_feed.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port, mllp = free_port(), free_port()
folder = temp_folder()
site = write_site(folder / "site", {
    "kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n',
    "maps/patient_to_a08.hmap": (source / "examples/hospital/maps/patient_to_a08.hmap").read_text(),
    "channels/out.channel": f"""module e2e.feed
use acme.outbound.{{patient_to_a08}}
channel out {{
  source fhir {{ on create update; criteria "Patient?active=true&gender=female"; criteria "Patient?identifier=urn:always|1" }}
  accept fhir Patient
  map a08 = patient_to_a08
  to adt: mllp from a08 {{ host "127.0.0.1"; port {mllp}; retry forever backoff 20ms..100ms }}
}}
channel removed {{
  source fhir {{ on delete; criteria "Patient?gender=female" }}
  accept fhir Patient
  to keep: drop from source {{ }}
}}
"""})
engine = Engine(build / "kiln", site)


def patient(number, family, active=True, gender="female"):
    return json.dumps({"resourceType": "Patient", "id": f"p{number}", "active": active, "gender": gender,
                       "identifier": [{"system": "urn:mrn", "value": str(number)}], "name": [{"family": family}]})


def put(number, *arguments):
    status, _, answer = engine.fhir(f"Patient/p{number}", "PUT", patient(number, *arguments))
    assert status in (200, 201), answer


def family(frame):
    return field(find_segment(frame, b"PID"), 5).split(b"^")[0].decode()


def arrived(sink):
    with sink.lock:
        return [family(frame) for _, frame in sink.frames]


def only_what_meets_the_criteria_leaves():
    sink = Receiver(port=mllp)
    put(1, "YES")
    put(2, "INACTIVE", False)
    put(3, "MALE", True, "male")
    status, _, answer = engine.fhir("Observation", "POST", json.dumps({"resourceType": "Observation", "status": "final", "code": {"text": "x"}}))
    assert status == 201, answer
    engine.fhir("Patient/p4", "PUT", json.dumps({"resourceType": "Patient", "id": "p4", "name": [{"family": "SECOND"}],
                                                 "identifier": [{"system": "urn:always", "value": "1"}]}))
    put(2, "ACTIVE NOW")
    wait_for("three arrive", lambda: len(arrived(sink)) == 3)
    assert arrived(sink) == ["YES", "SECOND", "ACTIVE NOW"], arrived(sink)
    assert len(engine.search("channel:out")) == 3  # what does not meet them is not in the journal
    sink.close()


def a_deletion_is_judged_by_what_was_deleted():
    put(5, "GONE")
    put(6, "MAN", True, "male")
    for number in (5, 6):
        assert engine.fhir(f"Patient/p{number}", "DELETE")[0] in (200, 204)
    found = wait_for("the deletion is a message", lambda: engine.search("channel:removed"))
    assert len(found) == 1 and found[0]["name"] == "Patient/p5", found


def nothing_is_lost_or_doubled_across_kills():
    begin = len(engine.search("channel:out"))
    sent = []
    for cycle in range(3):
        for i in range(40):
            name = f"C{cycle}N{i}"
            put(100 + i, name)
            sent.append(name)
        engine.kill()
        engine.start()
    sink = Receiver(port=mllp)
    wait_for("all arrive", lambda: set(sent) <= set(arrived(sink)))
    engine.wait_drained()
    messages = engine.search("channel:out")
    assert len(messages) - begin == len(sent), (len(messages), begin)
    first = list(dict.fromkeys(name for name in arrived(sink) if name in sent))
    assert first == sent, "order"
    sink.close()


engine.start()
code = run_cases([only_what_meets_the_criteria_leaves, a_deletion_is_judged_by_what_was_deleted, nothing_is_lost_or_doubled_across_kills])
if code == 0:
    assert engine.stop() == 0
sys.exit(code)
