#!/usr/bin/env python3
"""Search parameters that are added to a running server, over real sockets: indexed in the background, across a restart.

    fhir_custom.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port = free_port()
site = write_site(temp_folder() / "site", {"kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n'})
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


def parameter(code, kind, expression):
    return {"resourceType": "SearchParameter", "id": code, "url": "http://example.org/" + code, "name": "P", "status": "active",
            "description": "x", "code": code, "base": ["Patient"], "type": kind, "expression": expression}


def wait_until_ready():
    done = subprocess.run([str(build / "kiln"), "fhir", "reindex", "--wait", "--site", str(site)], capture_output=True, text=True, timeout=PATIENCE * 4)
    assert done.returncode == 0, done.stderr
    return done.stdout


def total(target):
    status, bundle = send("GET", target + "&_summary=count", Prefer="handling=strict")
    assert status == 200, bundle
    return bundle["total"]


def it_is_indexed_while_the_server_serves_and_after_a_crash():
    for start in range(0, 6000, 3000):
        entries = [{"request": {"method": "POST", "url": "Patient"},
                    "resource": {"resourceType": "Patient", "maritalStatus": {"coding": [{"code": "S" if number % 3 == 0 else "M"}]}}}
                   for number in range(start, start + 3000)]
        assert send("POST", "/", {"resourceType": "Bundle", "type": "transaction", "entry": entries})[0] == 200
    assert send("PUT", "/SearchParameter/e2e-marital", parameter("e2e-marital", "token", "Patient.maritalStatus"))[0] == 201
    assert send("POST", "/Patient", {"resourceType": "Patient", "maritalStatus": {"coding": [{"code": "S"}]}})[0] == 201
    engine.kill()
    engine.start()
    text = wait_until_ready()
    assert "Patient?e2e-marital=\tready" in text, text
    assert total("/Patient?e2e-marital=S") == 2001
    assert total("/Patient?e2e-marital=M") == 4000
    assert send("GET", "/Patient?e2e-marital=S&_count=5")[1]["entry"]


def a_new_write_is_found_at_once():
    status, made = send("POST", "/Patient", {"resourceType": "Patient", "maritalStatus": {"coding": [{"code": "W"}]}})
    assert status == 201 and total("/Patient?e2e-marital=W") == 1
    made["maritalStatus"]["coding"][0]["code"] = "D"
    assert send("PUT", "/Patient/" + made["id"], made)[0] == 200
    assert total("/Patient?e2e-marital=W") == 0 and total("/Patient?e2e-marital=D") == 1


def a_wrong_one_is_refused():
    status, outcome = send("POST", "/SearchParameter", parameter("e2e-wrong", "token", "Patient.where("))
    assert status == 422 and outcome["issue"][0]["expression"] == ["SearchParameter.expression"], outcome


def a_deleted_one_is_gone():
    assert send("DELETE", "/SearchParameter/e2e-marital")[0] == 204
    assert send("GET", "/Patient?e2e-marital=S", Prefer="handling=strict")[0] == 400
    assert "no search parameter" in wait_until_ready()


engine.start()
code = run_cases([it_is_indexed_while_the_server_serves_and_after_a_crash, a_new_write_is_found_at_once, a_wrong_one_is_refused, a_deleted_one_is_gone])
sys.exit(engine.stop() or code)
