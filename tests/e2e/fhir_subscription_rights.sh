#!/usr/bin/env python3
"""Subscriptions and who asked for them: rights of the creator at each notification, https endpoints, more of them than are delivered.

    fhir_subscription_rights.sh SOURCE BUILD
"""
import http.server
import pathlib
import ssl
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

if shutil.which("openssl") is None:
    print("skipped: there is no openssl to make certificates with")
    sys.exit(SKIPPED)

LAB, BOSS = "lab-token-0123456789", "boss-token-0123456789"
folder = temp_folder()
port, hook_port = free_port(), free_port()
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "hook.key", "-out", folder / "hook.pem"],
               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def conf(lab_reads, ca="hook.pem"):
    return f"""server {{
  data "data"
  http {{ listen 127.0.0.1:{port} }}
  fhir {{
    access {{
      user lab {{ token env("LAB_TOKEN"); role "results" }}
      user boss {{ token env("BOSS_TOKEN"); role "admin" }}
      role results {{ read "{lab_reads}"; write "Subscription" }}
    }}
    subscriptions {{
      allow "https://localhost:{hook_port}/hooks"
      retry forever backoff 20ms..200ms
      tls {{ ca file("{folder}/{ca}") }}
    }}
  }}
}}
"""


site = write_site(folder / "site", {"kiln.conf": conf("Patient Subscription")})
engine = Engine(build / "kiln", site)
SECRETS = {"LAB_TOKEN": LAB, "BOSS_TOKEN": BOSS}
calls = []


class Hook(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        calls.append((self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", hook_port), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "hook.pem", folder / "hook.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def send(method, path, resource=None, token=BOSS):
    return engine.fhir(path, method, json.dumps(resource) if resource else None, {"Authorization": f"Bearer {token}"})


def subscription(path):
    return {"resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": "Patient?gender=female",
            "channel": {"type": "rest-hook", "endpoint": f"https://localhost:{hook_port}/hooks/{path}", "payload": "application/fhir+json"}}


def patient(name):
    status, _, answer = send("POST", "Patient", {"resourceType": "Patient", "gender": "female", "name": [{"family": name}]})
    assert status == 201, answer


def state(number):
    return send("GET", f"Subscription/{number}")[2]


def told(path):
    return [json.loads(body)["name"][0]["family"] for where, body in calls if where.startswith(f"/hooks/{path}/")]


def an_https_endpoint_is_told():
    ids = {}
    for path, token in (("lab", LAB), ("boss", BOSS)):
        status, _, made = send("POST", "Subscription", subscription(path), token)
        assert status == 201, made
        ids[path] = made["id"]
        wait_for(f"{path} is active", lambda: state(made["id"])["status"] == "active")
    patient("FIRST")
    wait_for("both are told", lambda: told("lab") == ["FIRST"] and told("boss") == ["FIRST"])
    globals()["ids"] = ids


def who_lost_a_right_is_told_nothing_more():
    assert engine.stop() == 0
    (site / "kiln.conf").write_text(conf("Subscription"))
    engine.start(SECRETS)
    for name in ("A", "B", "C"):
        patient(name)
    wait_for("the other one is told", lambda: told("boss") == ["FIRST", "A", "B", "C"])
    error = wait_for("the creator is named", lambda: state(ids["lab"]).get("error"))
    assert "creator may not read Patient" in error and state(ids["lab"])["status"] == "error", error
    assert told("lab") == ["FIRST"]
    assert engine.search(f"channel:subscription.{ids['lab']} state:quarantined"), "an operator finds what was not told"


def a_right_that_is_back_counts_from_then_on():
    assert engine.stop() == 0
    (site / "kiln.conf").write_text(conf("Patient Subscription"))
    engine.start(SECRETS)
    patient("BACK")
    wait_for("told again", lambda: told("lab") == ["FIRST", "BACK"])
    wait_for("active again", lambda: state(ids["lab"])["status"] == "active")


def a_certificate_of_nobody_known_is_not_talked_to():
    assert engine.stop() == 0
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=other",
                    "-keyout", folder / "other.key", "-out", folder / "other.pem"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (site / "kiln.conf").write_text(conf("Patient Subscription", "other.pem"))
    engine.start(SECRETS)
    before = len(calls)
    patient("SECRET")
    wait_for("an error", lambda: state(ids["boss"])["status"] == "error")
    assert len(calls) == before
    assert engine.stop() == 0
    (site / "kiln.conf").write_text(conf("Patient Subscription"))
    engine.start(SECRETS)
    wait_for("nothing was lost", lambda: told("boss")[-1] == "SECRET" and told("lab")[-1] == "SECRET")


def more_than_are_delivered_say_so():
    count = 1001  # limits::kSubscriptionsMax is 1,000; two are there
    entries = [{"resource": subscription(f"many{n}"), "request": {"method": "POST", "url": "Subscription"}} for n in range(count)]
    status, _, answer = send("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert status == 200, answer

    def states():
        return {kind: send("GET", f"Subscription?status={kind}&_summary=count")[2]["total"] for kind in ("requested", "active", "error")}
    wait_for("each has a state", lambda: states() == {"requested": 0, "active": 1000, "error": 3}, 120)
    refused = send("GET", "Subscription?status=error")[2]["entry"][0]["resource"]
    assert "no more subscriptions" in refused["error"], refused
    assert engine.stop() == 0
    engine.start(SECRETS)
    wait_for("the same after a start", lambda: states() == {"requested": 0, "active": 1000, "error": 3}, 120)
    # One that ends makes room.
    assert send("DELETE", f"Subscription/{ids['lab']}")[0] in (200, 204)
    refused["status"] = "requested"
    refused.pop("error")
    wait_for("room", lambda: (send("PUT", f"Subscription/{refused['id']}", refused),
                              time.sleep(0.5), state(refused["id"])["status"] == "active")[2], 60)


serve()
engine.start(SECRETS)
code = run_cases([an_https_endpoint_is_told, who_lost_a_right_is_told_nothing_more, a_right_that_is_back_counts_from_then_on,
                  a_certificate_of_nobody_known_is_not_talked_to, more_than_are_delivered_say_so])
if code == 0:
    assert engine.stop() == 0
sys.exit(code)
