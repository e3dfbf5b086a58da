#!/usr/bin/env python3
"""What a site says about its FHIR server in kiln.conf, over real sockets.

    fhir_rules.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

PROFILE = {"resourceType": "StructureDefinition", "url": "http://example.org/named", "name": "Named", "status": "active", "kind": "resource",
           "abstract": False, "type": "Patient", "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient", "derivation": "constraint",
           "differential": {"element": [{"id": "Patient", "path": "Patient"}, {"id": "Patient.name", "path": "Patient.name", "min": 1}]}}
port = free_port()
site = write_site(temp_folder() / "site", {
    "kiln.conf": f"""server {{
  data "data"
  http {{ listen 127.0.0.1:{port} }}
  fhir {{
    validate profile
    package "guide/named.json"
    update_create false
    conditional_delete multiple
    handling strict
  }}
  limits {{ fhir {{ body 4kB; bundle_entries 2 }} }}
}}
""",
    "guide/named.json": json.dumps(PROFILE)})
engine = Engine(build / "kiln", site)


def send(method, target, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, "/fhir" + target, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/fhir+json", **headers})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()


def a_profile_of_a_package_is_checked_on_a_write():
    named = {"resourceType": "Patient", "meta": {"profile": [PROFILE["url"]]}}
    status, outcome = send("POST", "/Patient", named)
    assert status == 422 and outcome["resourceType"] == "OperationOutcome", outcome
    assert send("POST", "/Patient", {**named, "name": [{"family": "X"}]})[0] == 201
    status, outcome = send("POST", "/Patient/$validate?profile=" + PROFILE["url"], {"resourceType": "Patient"})
    assert status == 200 and any(issue["severity"] == "error" for issue in outcome["issue"]), outcome


def clients_choose_no_ids():
    assert send("PUT", "/Patient/mine", {"resourceType": "Patient", "id": "mine"})[0] == 405


def a_conditional_delete_may_take_many():
    for _ in range(3):
        assert send("POST", "/Patient", {"resourceType": "Patient", "gender": "other"})[0] == 201
    assert send("DELETE", "/Patient?gender=other")[0] == 204
    assert send("GET", "/Patient?gender=other&_summary=count")[1]["total"] == 0


def unknown_parameters_are_refused():
    assert send("GET", "/Patient?colour=red")[0] == 400
    assert send("GET", "/Patient?colour=red", Prefer="handling=lenient")[0] == 200


def caps_hold():
    status, outcome = send("POST", "/Patient", {"resourceType": "Patient", "name": [{"text": "x" * 5000}]})
    assert status == 413 and outcome["resourceType"] == "OperationOutcome", outcome
    entries = [{"request": {"method": "GET", "url": "Patient"}}] * 3
    assert send("POST", "/", {"resourceType": "Bundle", "type": "batch", "entry": entries})[0] == 413


def the_statement_tells_it():
    statement = send("GET", "/metadata")[1]
    patient = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    assert patient["updateCreate"] is False and patient["conditionalDelete"] == "multiple"


engine.start()
code = run_cases([a_profile_of_a_package_is_checked_on_a_write, clients_choose_no_ids, a_conditional_delete_may_take_many,
                  unknown_parameters_are_refused, caps_hold, the_statement_tells_it])
sys.exit(engine.stop() or code)
