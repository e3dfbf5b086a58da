#!/usr/bin/env python3
"""Who may use the FHIR API, and how it is reached: TLS, client certificates, tokens, roles, quotas, audit; over real sockets.

    fhir_access.sh SOURCE BUILD
"""
import hashlib
import json
import pathlib
import ssl
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

if shutil.which("openssl") is None:
    print("skipped: there is no openssl to make certificates with")
    sys.exit(SKIPPED)

folder = temp_folder()
LAB, BOSS = "lab-token-0123456789", "boss-token-0123456789"


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificate(name, subject, signer=None, extension=""):
    """NAME.pem and NAME.key, signed by itself or by `signer`."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", subject)
    (folder / "ext").write_text(extension or "basicConstraints=CA:TRUE\n")
    by = ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial"] if signer else ["-signkey", f"{name}.key"]
    openssl("x509", "-req", "-in", f"{name}.csr", "-days", "2", "-out", f"{name}.pem", "-extfile", "ext", *by)


make_certificate("ca", "/CN=Test authority")
make_certificate("other_ca", "/CN=Other authority")
make_certificate("server", "/CN=localhost", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
make_certificate("ehr", "/O=Example/CN=ehr", "ca", "extendedKeyUsage=clientAuth\n")
make_certificate("stranger", "/O=Example/CN=stranger", "ca", "extendedKeyUsage=clientAuth\n")
make_certificate("forged", "/O=Example/CN=ehr", "other_ca", "extendedKeyUsage=clientAuth\n")

port = free_port()
site = write_site(folder / "site", {"kiln.conf": f"""server {{
  data "data"
  http {{
    listen 127.0.0.1:{port}
    tls {{ cert file("{folder}/server.pem"); key file("{folder}/server.key"); client_ca file("{folder}/ca.pem"); client optional }}
  }}
  fhir {{
    audit all
    provenance all
    access {{
      user lab {{ token env("LAB_TOKEN"); role "results" }}
      user boss {{ token env("BOSS_HASH"); role "admin" }}
      user ehr {{ certificate "CN=ehr,O=Example"; role "reader" }}
      role results {{ read "Patient Observation"; write "Observation"; operations "$everything" }}
    }}
  }}
  limits {{ http {{ per_client 2 }} }}
}}
"""})
engine = Engine(build / "kiln", site)
SECRETS = {"LAB_TOKEN": LAB, "BOSS_HASH": "sha256:" + hashlib.sha256(BOSS.encode()).hexdigest()}


def tls(certificate=None, version=None):
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if certificate:
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def send(method, target, body=None, token=None, certificate=None, context=None, **headers):
    connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=context or tls(certificate))
    if token:
        headers["Authorization"] = "Bearer " + token
    try:
        connection.request(method, "/fhir" + target, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/fhir+json", **headers})
        response = connection.getresponse()
        text = response.read()
        assert response.headers["X-Request-Id"], (method, target)
        return response.status, json.loads(text) if text else None, response.headers
    finally:
        connection.close()


OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


def nobody_gets_in_without_a_login():
    for login in ({}, {"token": "wrong-token-0123456789"}, {"certificate": "stranger"}):
        status, outcome, headers = send("GET", "/Patient", **login)
        assert status == 401 and outcome["issue"][0]["code"] == "login", (login, outcome)
        assert headers["WWW-Authenticate"].startswith("Bearer")
    assert send("POST", "/Observation", OBSERVATION)[0] == 401
    assert send("GET", "/metadata")[0] == 200


def a_body_is_not_read_before_the_login():
    raw = tls().wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE), server_hostname="localhost")
    raw.sendall(b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 15000000\r\n\r\n")
    assert raw.recv(4096).startswith(b"HTTP/1.1 401")
    raw.close()


def a_role_decides():
    assert send("POST", "/Observation", OBSERVATION, token=LAB)[0] == 201
    status, outcome, _ = send("POST", "/Patient", {"resourceType": "Patient"}, token=LAB)
    assert status == 403 and outcome["issue"][0]["code"] == "forbidden", outcome
    assert send("GET", "/Observation", token=LAB)[0] == 200
    assert send("GET", "/Condition", token=LAB)[0] == 403
    assert send("GET", "/Observation?encounter:Encounter.status=planned", token=LAB)[0] == 403
    assert send("GET", "/Condition", certificate="ehr")[0] == 200
    assert send("POST", "/Observation", OBSERVATION, certificate="ehr")[0] == 403
    assert send("POST", "/Patient", {"resourceType": "Patient", "gender": "other"}, token=BOSS)[0] == 201


def a_forged_certificate_is_refused_by_tls():
    try:
        send("GET", "/Condition", certificate="forged")
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return
    raise AssertionError("a certificate of another authority was taken")


def old_and_plain_protocols_are_refused():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert send("GET", "/metadata", context=tls(version=version))[0] == 200
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
        plain.sendall(b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(4096).startswith(b"HTTP/1.1 200")
    weak = tls(version=ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers("AES128-SHA:AES256-SHA:@SECLEVEL=0")
    try:
        send("GET", "/metadata", context=weak)
    except (ssl.SSLError, ConnectionError):
        pass
    else:
        raise AssertionError("a cipher without forward secrecy was taken")
    # The server still serves, and silence costs it nothing.
    assert send("GET", "/metadata")[0] == 200


def large_answers_arrive_whole():
    data = "QUJD" * 700_000
    status, made, _ = send("POST", "/Binary", {"resourceType": "Binary", "contentType": "text/plain", "data": data}, token=BOSS)
    assert status == 201
    assert send("GET", "/Binary/" + made["id"], token=BOSS)[1]["data"] == data


def the_statement_tells_how_to_log_in():
    security = send("GET", "/metadata")[1]["rest"][0]["security"]
    assert "Bearer token" in security["description"]
    assert security["service"][0]["coding"][0]["code"] == "Certificates"


def too_many_at_once_are_sent_away():
    # per_client 2: a batch that takes its time, three times at once.
    entries = [{"request": {"method": "GET", "url": "Observation?code:text=x&_total=accurate"}}] * 3000
    body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(send("POST", "/", body, token=BOSS))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer[0] == 429]
    assert refused, [answer[0] for answer in answers]
    status, outcome, headers = refused[0]
    assert headers["Retry-After"] and outcome["issue"][0]["code"] == "throttled"
    assert send("GET", "/Observation", token=BOSS)[0] == 200


def all_events():
    return [entry["resource"] for entry in send("GET", "/AuditEvent?_count=1000", token=BOSS)[1].get("entry", [])
            if entry["resource"]["resourceType"] == "AuditEvent"]


def is_valid(kind, resource):
    outcome = send("POST", f"/{kind}/$validate", resource, token=BOSS)[1]
    return all(issue["severity"] not in ("error", "fatal") for issue in outcome["issue"])


def what_happened_is_recorded():
    status, made, headers = send("POST", "/Observation", OBSERVATION, token=LAB, **{"X-Request-Id": "my-request-7"})
    assert status == 201
    name = f"Observation/{made['id']}"
    events = [event for event in all_events() if any(e.get("what", {}).get("reference") == name + "/_history/1" for e in event["entity"])]
    assert len(events) == 1, events
    event = events[0]
    assert event["action"] == "C" and event["outcome"] == "0" and event["agent"][0]["who"]["display"] == "lab"
    assert event["subtype"][0]["code"] == "create" and "my-request-7" in json.dumps(event)
    assert is_valid("AuditEvent", event)
    found = send("GET", f"/AuditEvent?entity={name}", token=BOSS)[1]
    assert found["total"] >= 1, found
    provenance = send("GET", f"/Provenance?target={name}", token=BOSS)[1]["entry"][0]["resource"]
    assert provenance["agent"][0]["who"]["display"] == "lab"
    assert is_valid("Provenance", provenance)


def reads_and_refusals_are_recorded_and_writes_of_kiln_are_not():
    before = len(all_events())
    send("GET", "/Observation?code:text=secretword", token=LAB)
    send("POST", "/Patient", {"resourceType": "Patient"}, token=LAB)
    send("GET", "/metadata")
    events = all_events()[before:]
    kinds = [(event["subtype"][0]["code"], event["outcome"]) for event in events]
    # The count itself was a search; nothing is told of the events' own writing, and nothing of /metadata.
    assert kinds == [("search-type", "0"), ("search-type", "0"), ("create", "4")], kinds
    assert "secretword" not in json.dumps(events) and "secretword" not in engine.log.read_text(errors="replace")


def an_event_cannot_be_undone():
    one = all_events()[0]
    assert send("DELETE", "/AuditEvent/" + one["id"], token=BOSS)[0] == 403
    assert send("PUT", "/AuditEvent/" + one["id"], one, token=BOSS)[0] == 403


def secrets_are_nowhere():
    for secret in (LAB, BOSS):
        assert secret not in engine.log.read_text(errors="replace")
        for path in (site / "data").rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path


def check(conf, *words):
    bad = write_site(temp_folder() / "bad", {"kiln.conf": conf})
    done = subprocess.run([str(build / "kiln"), "check", *words, str(bad)], capture_output=True, text=True, env={**os.environ, **SECRETS})
    return done.returncode, done.stdout + done.stderr


def an_open_listener_is_refused_unless_written_out():
    tls_block = f'tls {{ cert file("{folder}/server.pem"); key file("{folder}/server.key") }}'
    users = 'fhir { access { user a { token env("LAB_TOKEN"); role "reader" } } }'
    code, text = check("server { http { listen 0.0.0.0:8080 } }")
    assert code != 0 and "E0911" in text, text
    code, text = check(f"server {{ http {{ listen 0.0.0.0:8080; {tls_block} }} }}")
    assert code != 0 and "without users" in text, text
    code, text = check(f"server {{ http {{ listen 0.0.0.0:8080 }} {users} }}")
    assert code != 0 and "plaintext" in text, text
    for fine in (f"server {{ http {{ listen 0.0.0.0:8080; {tls_block} }} {users} }}",
                 "server { http { listen 0.0.0.0:8080; insecure accept_risk } }"):
        code, text = check(fine)
        assert code == 0, text
        # What is accepted is listed, every time somebody looks.
        risky = "accept_risk" in fine
        assert ("gives up protection, in writing:\n  server: http { insecure accept_risk }" in text) == risky, text
        listed = json.loads(check(fine, "--json")[1])[0]["insecure"]
        assert listed == ([{"place": "server", "text": "http { insecure accept_risk }"}] if risky else []), listed
    for wrong in ('user a { token "0123456789abcdef"; role "reader" }', 'user a { token env("LAB_TOKEN"); role "nobody" }',
                  'user a { role "reader" }', 'user a { certificate "CN=a"; role "reader" }', 'role x { read "Patients" }'):
        code, text = check(f"server {{ fhir {{ access {{ {wrong} }} }} }}")
        assert code != 0, (wrong, text)


engine.start(SECRETS)
code = run_cases([nobody_gets_in_without_a_login, a_body_is_not_read_before_the_login, a_role_decides, a_forged_certificate_is_refused_by_tls,
                  old_and_plain_protocols_are_refused, large_answers_arrive_whole, the_statement_tells_how_to_log_in,
                  too_many_at_once_are_sent_away, what_happened_is_recorded, reads_and_refusals_are_recorded_and_writes_of_kiln_are_not,
                  an_event_cannot_be_undone, secrets_are_nowhere, an_open_listener_is_refused_unless_written_out])
sys.exit(engine.stop() or code)
