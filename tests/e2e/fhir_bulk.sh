#!/usr/bin/env python3
"""kiln fhir import and export, and Bulk Data $export, over real sockets and files.

    fhir_bulk.sh SOURCE BUILD
"""
import gzip
import http.server
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

kiln = build / "kiln"
port = free_port()
work = temp_folder()
site = write_site(work / "site", {"kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n'})
base = f"http://127.0.0.1:{port}/fhir"
engine = Engine(kiln, site)


def ask(method, target, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        target = target.removeprefix(f"http://127.0.0.1:{port}")
        connection.request(method, target if target.startswith("/fhir") else "/fhir" + target, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/fhir+json", **{name.replace("_", "-"): value for name, value in headers.items()}})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def run(*arguments, **more):
    return subprocess.run([kiln, "fhir", *map(str, arguments)], capture_output=True, text=True, timeout=4 * PATIENCE, **more)


def patient(number, **more):
    return {"resourceType": "Patient", "id": f"p{number}", "identifier": [{"system": "urn:m", "value": str(number)}], **more}


def ndjson(path, resources, opener=open):
    with opener(path, "wt") as file:
        file.writelines(json.dumps(resource) + "\n" for resource in resources)
    return path


def total(query):
    status, _, body = ask("GET", f"/{query}{'&' if '?' in query else '?'}_summary=count")
    assert status == 200, body
    return json.loads(body)["total"]


def export(target="/$export", **more):
    """Kick-off, status until it is done, and the manifest with the lines of each file."""
    status, headers, body = ask("GET", target, Prefer="respond-async", **more)
    assert status == 202 and not body, (status, body)
    location = headers["Content-Location"]
    assert location.startswith(base), location

    def is_done():
        code, seen, text = ask("GET", location)
        assert code in (200, 202), text
        if code == 202:
            assert len(seen["X-Progress"]) < 100 and int(seen["Retry-After"]) > 0
            return None
        assert seen["Content-Type"] == "application/json" and "Expires" in seen, seen
        return json.loads(text)

    manifest = wait_for("the export", is_done)
    lines = {}
    for file in manifest["output"] + manifest["deleted"]:
        code, seen, text = ask("GET", file["url"], Accept="application/fhir+ndjson")
        assert code == 200 and seen["Content-Type"] == "application/fhir+ndjson", (code, seen)
        found = [json.loads(line) for line in text.decode().splitlines()]
        assert len(found) == file["count"]
        lines.setdefault(file["type"], []).extend(found)
    return location, manifest, lines


def ndjson_and_bundles_come_in_over_http():
    folder = work / "in"
    folder.mkdir()
    ndjson(folder / "patients.ndjson", [patient(n) for n in range(500)])
    ndjson(folder / "more.ndjson.gz", [patient(n) for n in range(500, 700)], gzip.open)
    ndjson(folder / "nameless.ndjson", [{"resourceType": "Basic", "code": {"text": str(n)}} for n in range(5)])
    (folder / "bundle.json").write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:11111111-1111-1111-1111-111111111111", "resource": {"resourceType": "Organization", "name": "Invented"},
         "request": {"method": "POST", "url": "Organization"}},
        {"resource": {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient?identifier=urn:m|699"},
                      "serviceProvider": {"reference": "urn:uuid:11111111-1111-1111-1111-111111111111"}},
         "request": {"method": "POST", "url": "Encounter"}}]}))
    # The Bundle comes first, and what it refers to later: it is tried again.
    done = run("import", "--to", base, folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 707 and json.loads(done.stdout)["refused"] == 0, done.stdout
    assert total("Patient") == 700 and total("Basic") == 5 and total("Encounter?subject=Patient/p699") == 1
    again = run("import", "--to", base, folder, "--json")
    assert again.returncode == 0 and total("Basic") == 5 and total("Organization") == 1, "a repetition makes nothing twice"
    assert json.loads(ask("GET", "/Patient/p1")[2])["meta"]["versionId"] == "1"


def refused_lines_have_a_place_and_a_reason():
    path = work / "bad.ndjson"
    path.write_text('{"resourceType":"Patient","id":"ok1"}\n{not json\n{"resourceType":"Patient","gender":"no such"}\n'
                    '{"resourceType":"Nothing"}\n\n{"resourceType":"Patient","id":"ok2"}\n')
    done = run("import", "--to", base, path)
    assert done.returncode == 1 and "2 resources imported" in done.stdout and "3 refused" in done.stdout, done.stdout
    for line, code in ((2, "json-syntax"), (3, "code-invalid"), (4, "fhir-invalid")):
        assert any(text.startswith(f"{path}:{line}") and code in text for text in done.stderr.splitlines()), done.stderr
    problems = [json.loads(line) for line in run("import", "--to", base, path, "--json").stderr.splitlines()]
    assert {one["problem"]["code"] for one in problems} == {"json-syntax", "code-invalid", "fhir-invalid"}


def exits_tell_what_went_wrong():
    path = ndjson(work / "one.ndjson", [patient(1)])
    assert run("import", "--to", f"http://127.0.0.1:{free_port()}/fhir", path).returncode == 69
    assert run("import", "--data", site / "data", path).returncode == 75, "an engine uses the folder"
    assert run("import", "--to", base, "--data", site / "data", path).returncode == 64
    assert run("import", work / "not-there.ndjson").returncode != 0
    (work / "cut.ndjson.gz").write_bytes(gzip.compress(b"{}" * 1000)[:30])
    assert run("import", "--to", base, work / "cut.ndjson.gz").returncode == 1


def a_killed_import_goes_on_where_it_was():
    path = ndjson(work / "many.ndjson", [{"resourceType": "Basic", "id": f"m{n}", "code": {"text": "m"}} for n in range(20_000)])
    data, position = work / "resumed", work / "position.json"
    command = ["import", "--data", data, "--position", position, path, "--json"]
    child = subprocess.Popen([kiln, "fhir", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("a position", lambda: position.exists() and json.loads(position.read_text())["files"][0]["done"] > 0)
    child.kill()
    child.wait()
    done_before = json.loads(position.read_text())["files"][0]["done"]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    sum_of = json.loads(done.stdout)
    assert sum_of["accepted"] == 20_000 - done_before, (sum_of, done_before)
    out = work / "resumed-out"
    assert run("export", "--data", data, "--out", out).returncode == 0
    ids = [json.loads(line)["id"] for line in (out / "Basic.ndjson").read_text().splitlines()]
    assert len(ids) == len(set(ids)) == 20_000
    (work / "many.ndjson").write_text("{}\n")
    assert "import-position" in run(*command).stderr, "the file has changed"


def an_export_is_what_was_imported():
    out = work / "out"
    done = run("export", "--site", site, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    counts = {file["type"]: file["count"] for file in json.loads(done.stdout)["files"]}
    assert counts["Patient"] == total("Patient") and counts["Encounter"] == 1, counts
    copy, back = work / "copy", work / "back"
    assert run("import", "--data", copy, out).returncode == 0
    assert run("export", "--data", copy, "--out", back, "--gzip", "--type", "Patient").returncode == 0
    assert sorted(path.name for path in back.iterdir()) == ["Patient.ndjson.gz"]

    def content(resources):
        return {one["id"]: {key: value for key, value in one.items() if key != "meta"} for one in resources}

    with gzip.open(back / "Patient.ndjson.gz", "rt") as file:
        packed = content(map(json.loads, file))
    assert packed == content(map(json.loads, (out / "Patient.ndjson").read_text().splitlines()))


def the_system_is_exported():
    location, manifest, lines = export("/$export?_type=Patient,Encounter,Organization")
    assert set(lines) == {"Patient", "Encounter", "Organization"} and manifest["error"] == []
    assert len(lines["Patient"]) == total("Patient") and manifest["request"].startswith(base + "/$export")
    assert ask("DELETE", location)[0] == 202
    assert ask("GET", location)[0] == 404 and ask("GET", manifest["output"][0]["url"])[0] == 404


def only_what_belongs_to_patients():
    _, _, lines = export("/Patient/$export")
    assert "Organization" not in lines and "Basic" not in lines and len(lines["Encounter"]) == 1, lines.keys()
    assert ask("PUT", "/Group/g1", {"resourceType": "Group", "id": "g1", "type": "person", "actual": True, "member": [
        {"entity": {"reference": "Patient/p699"}}, {"entity": {"reference": "Patient/p1"}},
        {"entity": {"reference": "Patient/p2"}, "inactive": True}]})[0] == 201
    _, _, lines = export("/Group/g1/$export")
    assert sorted(one["id"] for one in lines["Patient"]) == ["p1", "p699"] and len(lines["Encounter"]) == 1, lines
    _, _, lines = export("/Patient/$export?_type=Patient&_typeFilter=" + urllib.parse.quote("Patient?identifier=urn:m|5"))
    assert [one["id"] for one in lines["Patient"]] == ["p5"], lines


def what_changed_since_and_what_was_deleted():
    _, manifest, _ = export("/$export?_type=Patient")
    time.sleep(0.01)
    assert ask("PUT", "/Patient/p3", patient(3, gender="other"))[0] == 200 and ask("DELETE", "/Patient/p4")[0] == 204
    _, _, lines = export("/$export?_type=Patient&_since=" + urllib.parse.quote(manifest["transactionTime"]))
    assert "p3" in {one["id"] for one in lines["Patient"]} and len(lines["Patient"]) < 100, len(lines["Patient"])
    assert [one["entry"][0]["request"] for one in lines["Bundle"]] == [{"method": "DELETE", "url": "Patient/p4"}]


def wrong_kick_offs_are_refused():
    assert ask("GET", "/$export")[0] == 400, "without respond-async"
    for target, status in (("/$export?_type=Nothing", 400), ("/$export?_since=yesterday", 400), ("/$export?_outputFormat=csv", 400),
                           ("/Group/none/$export", 404), ("/Observation/$export", 404), ("/Patient/p1/$export", 404),
                           ("/$export?_typeFilter=Patient%3Fcolour%3Dred", 400)):
        code, _, body = ask("GET", target, Prefer="respond-async")
        assert code == status and json.loads(body)["resourceType"] == "OperationOutcome", (target, code, body)
    assert ask("GET", "/$bulk-status?job=..%2F..")[0] == 404 and ask("GET", "/$bulk-file?job=x&name=..%2Fjob.json")[0] == 404


def lines_may_be_posted():
    text = json.dumps(patient(9001)) + "\n{broken\n" + json.dumps({"resourceType": "Patient", "gender": "no such"}) + "\n\n" + json.dumps({"resourceType": "Basic", "code": {"text": "x"}})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("POST", "/fhir/$import", text, {"Content-Type": "application/fhir+ndjson"})
    response = connection.getresponse()
    issues = [issue["details"]["text"] for issue in json.loads(response.read())["issue"]]
    assert response.status == 200 and issues[0] == "2 resources taken in, 2 refused", issues
    assert [text.split(":")[0] for text in issues[1:]] == ["line 2", "line 3"], issues
    assert total("Patient?identifier=urn:m|9001") == 1
    assert ask("POST", "/$import", patient(1))[0] == 415


def an_export_of_a_server_is_fetched():
    out = work / "fetched"
    jobs = set((site / "data/bulk").glob("*/job.json"))
    done = run("export", "--from", base, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    sum_up = json.loads(done.stdout)
    lines = {}
    for file in sum_up["files"]:
        found = (out / file["name"]).read_text().splitlines()
        assert len(found) == file["count"]
        lines.setdefault(file["type"], []).extend(json.loads(line)["id"] for line in found)
    assert len(lines["Patient"]) == total("Patient") and sum_up["resources"] == sum(len(ids) for ids in lines.values())
    again = run("export", "--from", base, "--out", work / "patients", "--type", "Patient", "--level", "Patient", "--json")
    assert again.returncode == 0 and {f["type"] for f in json.loads(again.stdout)["files"]} == {"Patient"}, again
    assert not set((site / "data/bulk").glob("*/job.json")) - jobs, "the server was told that it may forget them"
    for arguments in (["--from", base, "--gzip"], ["--level", "Patient"], ["--from", base, "--level", "Device"]):
        assert run("export", "--out", work / "x", *arguments).returncode == 64, arguments
    assert run("export", "--from", "ftp://x", "--out", work / "x").returncode != 0
    assert run("export", "--from", f"http://127.0.0.1:{free_port()}/fhir", "--out", work / "x").returncode == 69


def a_server_that_points_elsewhere_is_not_followed():
    seen = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            if "$export" in self.path:
                self.send_response(202)
                self.send_header("Content-Location", f"http://127.0.0.1:{self.server.server_port}/status")
                body = b""
            else:
                self.send_response(200)
                body = json.dumps({"transactionTime": "2026-01-01T00:00:00Z", "output": [{"type": "Patient", "url": self.server.points_to}]}).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET

        def log_message(self, *_):
            pass

    third = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    third.daemon_threads = True
    threading.Thread(target=third.serve_forever, daemon=True).start()
    (work / "token").write_text("secret-token-123456\n")
    for address in (f"http://127.0.0.1:{port}/fhir/x", "//127.0.0.1/x", "nonsense", ""):
        third.points_to = address
        done = run("export", "--from", f"http://127.0.0.1:{third.server_port}/fhir", "--out", work / "x", "--token-file", work / "token")
        assert done.returncode != 0 and "another server" in done.stderr, (address, done)
    assert all(token == "Bearer secret-token-123456" for _, token in seen)
    third.points_to = "/file"
    assert run("export", "--from", f"http://127.0.0.1:{third.server_port}/fhir", "--out", work / "x").returncode == 0
    third.shutdown()


def a_job_goes_on_after_a_kill():
    status, headers, _ = ask("GET", "/$export", Prefer="respond-async")
    assert status == 202
    engine.kill()
    engine.start()
    manifest = wait_for("the export of the start before", lambda: (lambda code, _, body: code == 200 and json.loads(body))(*ask("GET", headers["Content-Location"])))
    counts = {file["type"]: file["count"] for file in manifest["output"]}
    assert counts["Patient"] == total("Patient"), counts
    lines = ask("GET", next(file["url"] for file in manifest["output"] if file["type"] == "Patient"))[2].decode().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == counts["Patient"]


engine.start()
code = run_cases([ndjson_and_bundles_come_in_over_http, refused_lines_have_a_place_and_a_reason, exits_tell_what_went_wrong,
                  a_killed_import_goes_on_where_it_was, an_export_is_what_was_imported, the_system_is_exported, only_what_belongs_to_patients,
                  what_changed_since_and_what_was_deleted, wrong_kick_offs_are_refused, lines_may_be_posted, an_export_of_a_server_is_fetched, a_server_that_points_elsewhere_is_not_followed, a_job_goes_on_after_a_kill])
sys.exit(engine.stop() or code)
