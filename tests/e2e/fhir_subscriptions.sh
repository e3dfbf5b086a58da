#!/usr/bin/env python3
"""Subscriptions over real sockets: R4 rest-hook and the R5 backport, an endpoint that is down, an engine that is killed meanwhile.

    fhir_subscriptions.sh SOURCE BUILD
"""
import http.server
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
TOPIC = "http://example.org/topics/results"
port, hook_port, other_port = free_port(), free_port(), free_port()
folder = temp_folder()
site = write_site(folder / "site", {"kiln.conf": f"""server {{
  data "data"
  http {{ listen 127.0.0.1:{port} }}
  egress {{ allow "127.0.0.1:{hook_port}" }}
  fhir {{
    subscriptions {{
      allow "http://127.0.0.1:{hook_port}/hooks"
      allow "http://127.0.0.1:{other_port}/outside"
      topic results {{ url "{TOPIC}"; criteria "Observation?status=final"; on create update; filter "code"; filter "patient" }}
      retry forever backoff 20ms..200ms
    }}
  }}
}}
"""})
engine = Engine(build / "kiln", site)


class Hook(http.server.ThreadingHTTPServer):
    """An endpoint: keeps (method, path, headers, body) of each call and answers `status`."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.calls, self.status = [], 200
        super().__init__(("127.0.0.1", hook_port), HookHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def at(self, path):
        return [call for call in self.calls if call[1].startswith(path)]

    def close(self):
        self.shutdown()
        self.server_close()


class HookHandler(http.server.BaseHTTPRequestHandler):
    def take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.server.status
        if status < 300:
            self.server.calls.append((self.command, self.path, dict(self.headers), body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    do_POST = do_PUT = take

    def log_message(self, *_):
        pass


def post(resource, path=None):
    return engine.fhir(path or resource["resourceType"], "POST", json.dumps(resource))


def subscription(path, criteria="Patient?gender=female", payload="application/fhir+json", **channel):
    out = {"resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": criteria,
           "channel": {"type": "rest-hook", "endpoint": f"http://127.0.0.1:{hook_port}/hooks/{path}", **channel}}
    if payload:
        out["channel"]["payload"] = payload
    return out


def topic(path, content, filters=(), heartbeat=None):
    out = subscription(path, TOPIC)
    out["meta"] = {"profile": [BACKPORT + "subscription"]}
    out["channel"]["_payload"] = {"extension": [{"url": BACKPORT + "payload-content", "valueCode": content}]}
    if heartbeat:
        out["channel"]["extension"] = [{"url": BACKPORT + "heartbeat-period", "valueUnsignedInt": heartbeat}]
    if filters:
        out["_criteria"] = {"extension": [{"url": BACKPORT + "filter-criteria", "valueString": one} for one in filters]}
    return out


def read(number):
    return engine.fhir(f"Subscription/{number}")[2]


def request(resource, state="active"):
    status, _, answer = post(resource)
    assert status == 201, answer
    wait_for(state, lambda: read(answer["id"])["status"] == state)
    return answer["id"]


def patient(number, gender="female"):
    return {"resourceType": "Patient", "gender": gender, "name": [{"family": f"N{number}"}]}


def observation(number, code="a", status="final"):
    return {"resourceType": "Observation", "status": status, "code": {"coding": [{"system": "urn:c", "code": code}]},
            "valueString": str(number), "subject": {"reference": "Patient/p1"}}


def families(calls):
    return [json.loads(body)["name"][0]["family"] for _, _, _, body in calls]


def end(number):
    assert engine.fhir(f"Subscription/{number}", "DELETE")[0] in (200, 204)


# ---- cases ----

def endpoints_must_be_listed():
    for url in (f"http://127.0.0.1:{other_port}/hooks", f"http://localhost:{hook_port}/hooks", f"http://127.0.0.1:{hook_port}/other",
                f"http://127.0.0.1:{hook_port}/hooks-evil", f"http://127.0.0.1:{hook_port}/hooks/../admin",
                f"http://127.0.0.1:{hook_port}/hooks/%2e%2e/admin", f"http://127.0.0.1:{hook_port}@example.org/hooks",
                "http://169.254.169.254/latest", "file:///etc/passwd"):
        resource = subscription("x")
        resource["channel"]["endpoint"] = url
        status, _, outcome = post(resource)
        assert status == 422 and outcome["resourceType"] == "OperationOutcome", (url, status, outcome)
        assert outcome["issue"][0]["expression"] == ["Subscription.channel.endpoint"], outcome
    resource["channel"]["endpoint"] = "http://169.254.169.254/latest"
    assert "allow" in json.dumps(post(resource)[2])
    bundle = {"resourceType": "Bundle", "type": "transaction",
              "entry": [{"resource": resource, "request": {"method": "POST", "url": "Subscription"}}]}
    assert engine.fhir("", "POST", json.dumps(bundle))[0] == 422
    assert not engine.entries("Subscription")


def an_endpoint_outside_of_egress_is_refused_and_not_called():
    with socket.create_server(("127.0.0.1", other_port)) as listener:
        listener.settimeout(1)
        resource = subscription("x")
        resource["channel"]["endpoint"] = f"http://127.0.0.1:{other_port}/outside/a"
        status, _, outcome = post(resource)
        issue = outcome["issue"][0]
        assert status == 403 and issue["expression"] == ["Subscription.channel.endpoint"], (status, outcome)
        assert "egress {" in json.dumps(outcome) and f"127.0.0.1:{other_port}" in json.dumps(outcome), outcome
        assert not engine.entries("Subscription")
        try:
            listener.accept()
            raise AssertionError("it was called")
        except socket.timeout:
            pass


def what_cannot_be_done_is_refused():
    for change in ({"type": "email"}, {"payload": "text/plain"}, {"header": ["Host: x"]}, {"header": ["no colon"]}, {"header": ["X: a\r\nY: b"]}):
        status, _, outcome = post(subscription("x", **{"payload": "application/fhir+json", **change}))
        assert status in (400, 422), (change, outcome)
    for criteria in ("Patient?no-such=1", "Nothing?x=1", "Observation?subject.name=x", "http://example.org/no-such-topic"):
        status, _, outcome = post(subscription("x", criteria))
        assert 400 <= status < 500, (criteria, outcome)


def rest_hook_gets_what_meets_the_criteria():
    hook = Hook()
    number = request(subscription("json", header=["X-Token: secret 1"]))
    empty = request(subscription("empty", payload=None))
    xml = request(subscription("xml", payload="application/fhir+xml"))
    created = post(patient(1))[2]
    post(patient(2, "male"))
    created["name"][0]["family"] = "N3"
    assert engine.fhir(f"Patient/{created['id']}", "PUT", json.dumps(created))[0] == 200
    assert engine.fhir(f"Patient/{created['id']}", "DELETE")[0] in (200, 204)
    wait_for("two calls each", lambda: all(len(hook.at(f"/hooks/{p}")) == 2 for p in ("json", "empty", "xml")))
    method, path, headers, body = hook.at("/hooks/json")[0]
    assert method == "PUT" and path == f"/hooks/json/Patient/{created['id']}" and headers["X-Token"] == "secret 1", (method, path, headers)
    assert families(hook.at("/hooks/json")) == ["N1", "N3"]
    assert json.loads(body)["meta"]["versionId"] == "1"
    assert [(m, b) for m, _, _, b in hook.at("/hooks/empty")] == [("POST", b"")] * 2
    assert hook.at("/hooks/xml")[0][3].startswith(b"<Patient xmlns=")
    for one in (number, empty, xml):
        end(one)
    hook.close()


def nothing_is_dropped_while_the_endpoint_is_down():
    number = request(subscription("down"))
    for i in range(20):
        assert post(patient(i))[0] == 201
    wait_for("the status says so", lambda: read(number)["status"] == "error")
    assert read(number)["error"]
    queue = wait_for("20 wait", lambda: (q := engine.queue(f"subscription.{number}", "endpoint"))["pending"] == 20 and q)
    assert queue["retries"] > 0
    engine.kill()
    engine.start()
    for i in range(20, 40):
        assert post(patient(i))[0] == 201
    engine.kill()
    engine.start()
    hook = Hook()
    wait_for("all arrive", lambda: len(set(families(hook.at("/hooks/down")))) == 40)
    first = list(dict.fromkeys(families(hook.at("/hooks/down"))))
    assert first == [f"N{i}" for i in range(40)], first
    wait_for("active again", lambda: read(number)["status"] == "active" and "error" not in read(number))
    found = wait_for("ended", lambda: not engine.search(f"channel:subscription.{number} state:pending") and engine.search(f"channel:subscription.{number}"))
    assert len(found) == 40, len(found)
    shown = engine.show(found[0]["id"])
    assert shown["destinations"][0]["state"] == "sent", shown
    before = len(hook.at("/hooks/down"))
    engine.control("POST", "/api/v1/replay", {"query": str(found[0]["id"]), "to": ["endpoint"], "include_sent": True})
    wait_for("it comes again", lambda: len(hook.at("/hooks/down")) == before + 1)
    end(number)
    hook.close()


def an_endpoint_that_refuses_is_tried_again():
    hook = Hook()
    hook.status = 404
    number = request(subscription("refusing"))
    post(patient(1))
    wait_for("error", lambda: read(number)["status"] == "error")
    assert "404" in read(number)["error"]
    hook.status = 204
    wait_for("it arrives", lambda: families(hook.at("/hooks/refusing")) == ["N1"])
    end(number)
    hook.close()


def off_ends_it_and_what_waits_is_set_aside():
    number = request(subscription("off"))
    post(patient(1))
    wait_for("it waits", lambda: engine.search(f"channel:subscription.{number} state:pending"))
    resource = read(number)
    resource["status"] = "off"
    assert engine.fhir(f"Subscription/{number}", "PUT", json.dumps(resource))[0] == 200
    wait_for("set aside", lambda: engine.search(f"channel:subscription.{number} state:quarantined"))
    post(patient(2))
    hook = Hook()
    resource["status"] = "requested"
    assert engine.fhir(f"Subscription/{number}", "PUT", json.dumps(resource))[0] == 200
    wait_for("active", lambda: read(number)["status"] == "active")
    post(patient(3))
    wait_for("only the new one", lambda: families(hook.at("/hooks/off")) == ["N3"])
    end(number)
    hook.close()


def parameters(bundle, entry=0):
    out = {}
    for p in bundle["entry"][entry]["resource"]["parameter"]:
        value = next((v for k, v in p.items() if k.startswith("value")), None)
        out.setdefault(p["name"], []).append(value if value is not None else {q["name"]: next(v for k, v in q.items() if k.startswith("value")) for q in p["part"]})
    return out


def topic_style_notifies_with_bundles():
    hook = Hook()
    full = request(topic("full", "full-resource", ["Observation?code=urn:c|a"]))
    ids = request(topic("ids", "id-only"))
    empty = request(topic("none", "empty"))
    for path in ("full", "ids", "none"):
        method, _, _, body = hook.at(f"/hooks/{path}")[0]
        status = parameters(json.loads(body))
        assert method == "POST" and status["type"] == ["handshake"] and status["topic"] == [TOPIC], status
    made = [post(observation(i, code))[2]["id"] for i, code in enumerate("aba")]
    post(observation(9, status="preliminary"))
    wait_for("they arrive", lambda: len(hook.at("/hooks/full")) == 3 and len(hook.at("/hooks/ids")) == 4 and len(hook.at("/hooks/none")) == 4)
    bundles = [json.loads(body) for _, _, _, body in hook.at("/hooks/full")[1:]]
    for number, (bundle, made_id) in enumerate(zip(bundles, (made[0], made[2])), 1):
        assert bundle["resourceType"] == "Bundle" and bundle["type"] == "history", bundle
        status = parameters(bundle)
        assert status["type"] == ["event-notification"] and status["events-since-subscription-start"] == [str(number)], status
        assert status["notification-event"][0]["event-number"] == str(number)
        assert status["notification-event"][0]["focus"]["reference"].endswith(f"/Observation/{made_id}")
        assert bundle["entry"][1]["resource"]["id"] == made_id and bundle["entry"][1]["request"]["method"] == "POST"
    bundle = json.loads(hook.at("/hooks/ids")[1][3])
    assert "resource" not in bundle["entry"][1] and bundle["entry"][1]["fullUrl"].endswith(made[0])
    bundle = json.loads(hook.at("/hooks/none")[1][3])
    assert len(bundle["entry"]) == 1 and "focus" not in parameters(bundle)["notification-event"][0]
    for one in (bundle, bundles[0], json.loads(hook.at("/hooks/ids")[1][3])):
        one = json.loads(json.dumps(one))
        del one["meta"], one["entry"][0]["resource"]["meta"]  # the profiles of the backport are not shipped
        status, _, outcome = post({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": one}]}, "Bundle/$validate")
        assert status == 200 and not any(i["severity"] in ("error", "fatal") for i in outcome["issue"]), outcome
    engine.kill()
    engine.start()
    post(observation(5))
    wait_for("the next one", lambda: len(hook.at("/hooks/full")) >= 4)
    assert parameters(json.loads(hook.at("/hooks/full")[-1][3]))["events-since-subscription-start"] == ["3"]
    status_of_the_subscription(full)
    for one in (full, ids, empty):
        end(one)
    hook.close()


def status_of_the_subscription(number):
    status, _, answer = engine.fhir(f"Subscription/{number}/$status")
    assert status == 200 and answer["type"] == "searchset", answer
    found = parameters(answer)
    assert found["type"] == ["query-status"] and found["events-since-subscription-start"] == ["3"] and found["status"] == ["active"], found
    status, _, answer = engine.fhir(f"Subscription/{number}/$events?eventsSinceNumber=2&content=id-only")
    assert status == 200, answer
    found = parameters(answer)
    assert found["type"] == ["query-event"] and [e["event-number"] for e in found["notification-event"]] == ["2", "3"], found
    assert engine.fhir("Subscription/no-such/$status")[0] == 404
    assert engine.fhir("Subscription/no-such/$events")[0] == 404


def a_handshake_that_fails_is_an_error():
    number = request(topic("nobody", "empty"), "error")
    assert "handshake" in read(number)["error"], read(number)
    hook = Hook()
    resource = read(number)
    resource["status"] = "requested"
    assert engine.fhir(f"Subscription/{number}", "PUT", json.dumps(resource))[0] == 200
    wait_for("active", lambda: read(number)["status"] == "active")
    end(number)
    hook.close()


def a_filter_that_the_topic_does_not_have_is_refused():
    status, _, outcome = post(topic("x", "empty", ["Observation?value-string=x"]))
    assert status == 422 and "value-string" in json.dumps(outcome), outcome


def heartbeats_say_that_it_lives():
    hook = Hook()
    number = request(topic("beat", "empty", heartbeat=1))
    wait_for("two heartbeats", lambda: sum(parameters(json.loads(b))["type"] == ["heartbeat"] for _, _, _, b in hook.at("/hooks/beat")) >= 2)
    end(number)
    hook.close()


engine.start()
code = run_cases([endpoints_must_be_listed, an_endpoint_outside_of_egress_is_refused_and_not_called, what_cannot_be_done_is_refused, rest_hook_gets_what_meets_the_criteria,
                  nothing_is_dropped_while_the_endpoint_is_down, an_endpoint_that_refuses_is_tried_again,
                  off_ends_it_and_what_waits_is_set_aside, topic_style_notifies_with_bundles, a_handshake_that_fails_is_an_error,
                  a_filter_that_the_topic_does_not_have_is_refused, heartbeats_say_that_it_lives])
if code == 0:
    assert engine.stop() == 0
sys.exit(code)
