#!/usr/bin/env python3
"""The admin API on its console listener: first account, login, rights, hostile requests, audit trail, every answer against
the OpenAPI document that it serves itself.

    admin_api.sh SOURCE BUILD
"""
import base64
import hmac
import json
import pathlib
import socket
import sys
import time
import urllib.parse

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n  console {{ listen 127.0.0.1:{console}; host "kiln.example.org"; proxy x_forwarded_for }}\n}}\n',
    "channels/adt_in.channel": """module e2e.admin

channel adt_in {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  map patients = to_patient
  to keep: fhir from patients {{ }}
  to pas: mllp from source {{
    host "127.0.0.1"
    port {pas}
  }}
}}
""",
    "maps/patient.hmap": """module e2e.admin

map to_patient(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {{
  create patient: Patient {{
    birthDate = PID-7
    gender    = PID-8 via AdministrativeSex else "unknown"
  }}
}}

test "a birth date" {{
  given hl7 \"\"\"
MSH|^~\\&|A|B|C|D|20260101120000+0000||ADT^A01^ADT_A01|1|P|2.5.1
EVN||20260101120000+0000
PID|1||1||X||19700101|F
PV1|1|I
\"\"\"
  run to_patient
  expect patient.birthDate == "1970-01-01"
}}
""",
    "samples/a01.hl7": "MSH|^~\\\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|1|P|2.5.1\nPID|1||1||X||19700101|F\nPV1|1|I\n",
}
PASSWORD = "a long enough passphrase"
EVIL = '<img src=x onerror=alert(1)>"\'</script>'


class Client:
    """A browser: keeps its cookie, shows the CSRF token."""

    def __init__(self, port):
        self.port, self.cookie, self.csrf = port, None, None

    def request(self, method, path, body=None, headers=None, raw=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = {"Host": f"127.0.0.1:{self.port}"}
        if self.cookie:
            sent["Cookie"] = f"kiln_session={self.cookie}"
        if self.csrf and method != "GET":
            sent["X-Kiln-CSRF"] = self.csrf
        sent.update(headers or {})
        sent = {k: v for k, v in sent.items() if v is not None}
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            response = connection.getresponse()
            text = response.read()
            for value in response.headers.get_all("Set-Cookie") or []:
                self.cookie = value.split(";")[0].split("=", 1)[1] or None
            return response.status, response.headers, text
        finally:
            connection.close()

    def call(self, method, path, body=None, headers=None):
        status, sent, text = self.request(method, "/api/v1" + path, body, headers)
        return status, json.loads(text) if "json" in sent.get("Content-Type", "") and "ndjson" not in sent["Content-Type"] else text

    def get(self, path):
        status, answer = self.call("GET", path)
        assert status == 200, f"GET {path}: {status} {answer}"
        return answer

    def log_in(self, user, password=PASSWORD, code=None):
        status, answer = self.call("POST", "/session", {"user": user, "password": password, **({"code": code} if code else {})})
        if status == 200:
            self.csrf = answer.get("csrf")
        return status, answer


class World:
    engine = receiver = None

    @classmethod
    def start(cls):
        folder = temp_folder()
        cls.receiver = Receiver()
        values = {"http": free_port(), "console": free_port(), "port": free_port(), "pas": cls.receiver.port}
        cls.console, cls.mllp = values["console"], values["port"]
        site = write_site(folder / "site", {name: text.format(**values) for name, text in SITE.items()})
        cls.engine = Engine(build / "kiln", site).start()
        cls.ann = Client(cls.console)

    @classmethod
    def error(cls, answer):
        return answer["error"]["code"]


def walk(schema, value, document, path="$"):
    """The part of JSON Schema that the document uses."""
    if "$ref" in schema:
        return walk(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, document, path)
    kind = schema.get("type")
    good = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if kind:
        assert isinstance(value, good[kind]) and (kind == "boolean" or not isinstance(value, bool)), f"{path}: {value!r} is no {kind}"
    if "enum" in schema:
        assert value in schema["enum"], f"{path}: {value!r}"
    if kind == "array":
        for index, item in enumerate(value):
            walk(schema["items"], item, document, f"{path}[{index}]")
    if kind == "object":
        for name in schema.get("required", []):
            assert name in value, f"{path}: {name} is missing in {value}"
        for name, item in value.items():
            if name in schema["properties"]:
                walk(schema["properties"][name], item, document, f"{path}.{name}")
            else:
                assert schema.get("additionalProperties", True), f"{path}: {name} is not documented"


def the_first_account_needs_the_token_of_the_start():
    client = World.ann
    assert client.get("/session")["setup"] is True
    token = re.search(rb"15 minutes\): ([0-9a-f]+)", World.engine.log.read_bytes()).group(1).decode()
    account = {"user": "ann", "name": "Ann <b>", "password": PASSWORD}
    assert client.call("POST", "/setup", {**account, "token": "0" * 32})[0] == 401
    assert client.call("POST", "/setup", {**account, "token": token, "password": "short"})[0] == 422
    assert client.call("GET", "/status")[0] == 401
    status, session = client.call("POST", "/setup", {**account, "token": token})
    assert status == 200 and session["role"] == "owner" and "phi.view" in session["rights"], session
    client.csrf = session["csrf"]
    assert client.get("/session")["user"] == "ann" and client.get("/session")["only_account"] is True
    assert client.call("POST", "/setup", {**account, "user": "eve", "token": token})[0] == 409


def headers_are_strict_on_every_answer():
    for path in ("/", "/console/", "/console/x.js", "/api/v1/session", "/api/v1/nothing", "/api/v1/status", "/nothing"):
        _, headers, _ = World.ann.request("GET", path)
        csp = headers["Content-Security-Policy"]
        assert "default-src 'none'" in csp and "frame-ancestors 'none'" in csp and "unsafe" not in csp, path
        assert headers["X-Content-Type-Options"] == "nosniff" and "Access-Control-Allow-Origin" not in headers, path
        if path.startswith("/api"):
            assert headers["Cache-Control"] == "no-store", path
    client = Client(World.console)
    _, headers, _ = client.request("POST", "/api/v1/session", {"user": "ann", "password": PASSWORD})
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Domain" not in cookie, cookie


def foreign_hosts_origins_and_forged_requests_are_refused():
    ann = World.ann
    for headers in ({"Host": "evil.example"}, {"Host": f"evil.example:{World.console}"}, {"Host": "127.0.0.1"},
                    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Origin": f"https://127.0.0.1:{World.console}"}):
        status, answer = ann.call("GET", "/status", headers=headers)
        assert status == 403 and World.error(answer) == "origin-refused", (headers, answer)
    assert ann.call("GET", "/status", headers={"Origin": f"http://127.0.0.1:{World.console}"})[0] == 200
    for forged in (None, "", "0" * 64, ann.csrf[:-1]):
        status, answer = ann.call("POST", "/users", {"user": "eve", "role": "owner", "password": PASSWORD}, {"X-Kiln-CSRF": forged})
        assert status == 403 and World.error(answer) == "csrf-refused", answer
    assert [u["user"] for u in ann.get("/users")["users"]] == ["ann"]


def paths_lead_nowhere_but_to_their_routes():
    for path in ("/console/../../etc/passwd", "/console/%2e%2e/%2e%2e/etc/passwd", "/console//etc/passwd", "/../etc/passwd",
                 "/console/..%5c..%5cetc", "/api/v1/../../etc", "/api/v1/messages/%2e%2e", "/api/v2/status", "/api/v1//status"):
        status, _, text = World.ann.request("GET", path)
        assert status in (302, 400, 404), (path, status)
        assert b"root:" not in text, path
    for path in ("../kiln.conf", "/etc/passwd", "data/users.db", "maps/../data/users.db", "maps/%2e%2e", "data/kiln.sock", "", "kiln.conf\0x"):
        status, _ = World.ann.call("GET", "/config/file?path=" + urllib.parse.quote(path))
        assert status in (400, 404), (path, status)
    status, answer = World.ann.call("DELETE", "/status")
    assert status == 405 and World.error(answer) == "route-method", answer
    status, answer = World.ann.call("POST", "/playground/run", {"map": "to_patient", "sample": "MSH|", "files": {"../x.hmap": "x"}})
    assert status == 400, answer


def roles_reach_their_routes_and_no_other():
    document = World.ann.get("/openapi.json")
    roles = {"viewer": {"view"}, "operator": {"view", "operate", "replay"}, "developer": {"view", "configure"},
             "auditor": {"view", "audit"}, "admin": {"view", "operate", "configure", "admin"}}
    checked = 0
    nobody = Client(World.console)
    for role, rights in roles.items():
        assert World.ann.call("POST", "/users", {"user": role, "role": role, "password": PASSWORD})[0] == 200
        client = Client(World.console)
        assert client.log_in(role)[0] == 200
        status, answer = client.call("GET", "/status")
        assert status == 403, "a password that somebody else has set must be changed first"
        status, answer = client.call("POST", "/session/password", {"old": PASSWORD, "new": PASSWORD + " of mine"})
        assert status == 200, answer
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                needed = {operation["x-right"], operation.get("x-right-also", "anybody")} - {"anybody", "login"}
                address = "/api/v1" + re.sub(r"\{[^}]*\}", "zzz", path)
                if operation["x-right"] in ("anybody", "login") or path == "/events":
                    continue
                headers = {"Sec-Fetch-Site": "same-origin"}
                if needed <= rights:
                    if method != "get":
                        continue  # it would do it
                    status, _, _ = client.request("GET", address, headers=headers)
                    assert status != 403 and status != 401, (role, method, path, status)
                else:
                    status, _, text = client.request(method.upper(), address, None if method == "get" else {}, headers)
                    assert status == 403 and b"right-missing" in text, (role, method, path, status, text)
                status, _, _ = nobody.request(method.upper(), address, None if method == "get" else {})
                assert status == 401, (method, path, status)
                checked += 1
    assert checked > 150, checked
    print(f"        {checked} cells of role and route")


def wrong_passwords_lock_known_and_unknown_names_alike():
    for user in ("viewer", "nobody-here"):
        client = Client(World.console)
        codes = [client.log_in(user, "wrong password")[0] for _ in range(8)]
        assert codes == [401] * 5 + [429] * 3, (user, codes)
    kept = {}
    for user in ("ann", "nobody-else"):
        begin = time.monotonic()
        Client(World.console).log_in(user, "wrong password")
        kept[user] = time.monotonic() - begin
    assert max(kept.values()) < 20 * min(kept.values()), kept


def an_authenticator_guards_a_login():
    client = Client(World.console)
    assert client.log_in("operator", PASSWORD + " of mine")[0] == 200
    secret = client.call("POST", "/session/totp", {})[1]["secret"]

    def code(step):
        key = base64.b32decode(secret + "=" * (-len(secret) % 8))
        mac = hmac.new(key, step.to_bytes(8, "big"), "sha1").digest()
        at = mac[-1] & 15
        return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7fffffff) % 1000000:06d}"
    step = int(time.time()) // 30
    assert client.call("PUT", "/session/totp", {"code": "000000"})[0] == 401
    assert client.call("PUT", "/session/totp", {"code": code(step)})[0] == 200
    again = Client(World.console)
    assert again.log_in("operator", PASSWORD + " of mine")[1].get("code_needed") is True
    assert again.call("GET", "/status")[0] == 401
    assert again.log_in("operator", PASSWORD + " of mine", code(step))[0] == 401, "a code is taken once"
    assert again.log_in("operator", PASSWORD + " of mine", code(step + 1))[0] == 200


def tokens_have_their_rights_only():
    made = World.ann.call("POST", "/tokens", {"name": "script", "rights": ["view"], "days": 1})[1]
    client = Client(World.console)
    bearer = {"Authorization": "Bearer " + made["token"]}
    assert client.call("GET", "/status", headers=bearer)[0] == 200
    assert client.call("GET", "/users", headers=bearer)[0] == 403
    assert client.request("GET", "/metrics")[0] == 401 and client.request("GET", "/healthz")[0] in (200, 503)
    status, _, metrics = client.request("GET", "/metrics", headers=bearer)
    assert status == 200 and b"kiln_" in metrics, (status, metrics[:200])
    assert client.call("GET", "/status", headers={"Authorization": "Bearer kiln_00"})[0] == 401
    assert made["token"] not in json.dumps(World.ann.get("/tokens"))
    assert World.engine.command("status", "--server", f"http://127.0.0.1:{World.console}", code=77) == ""
    assert World.ann.call("DELETE", "/tokens/" + made["id"])[0] == 200
    assert client.call("GET", "/status", headers=bearer)[0] == 401


def a_message_is_shown_in_all_its_forms():
    with Mllp(World.mllp) as sender:
        assert ack_code(sender.send(adt("EVIL1", patient="7" + EVIL))) == "AA"
        assert ack_code(sender.send(adt("GOOD1"))) == "AA"
        assert ack_code(sender.send(b"MSH|^~\\&|E2E|T|K|T|20260101||ORU^R01|BAD1|P|2.5.1\rPID|1\r")) == "AR"
    World.engine.wait_drained()
    document = World.ann.get("/openapi.json")

    def checked(path, pattern):
        answer = World.ann.get(path)
        schema = document["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        walk(schema, answer, document)
        return answer
    good, evil = World.engine.find("id:GOOD1")["id"], World.engine.find("id:EVIL1")["id"]
    checked("/status", "/status")
    checked("/messages?limit=10", "/messages")
    checked("/history?minutes=5", "/history")
    checked("/connections", "/connections")
    checked("/site", "/site")
    checked("/channels", "/channels")
    checked("/quarantine", "/quarantine")
    checked("/config/history", "/config/history")
    checked("/query/terms", "/query/terms")
    assert World.ann.call("PUT", "/session/queries", {"queries": [{"name": "mine", "q": "mrn:1"}]})[0] == 200
    assert checked("/session/queries", "/session/queries")["queries"] == [{"name": "mine", "q": "mrn:1"}]
    checked("/users", "/users")
    checked("/session", "/session")
    checked("/playground", "/playground")
    checked("/config/files", "/config/files")
    assert checked("/config/check", "/config/check")["ok"] is True
    plain = checked(f"/messages/{good}", "/messages/{id}")
    assert "body" not in plain and "MSA|" not in json.dumps(plain), "no content without asking for it"
    assert "MSA|" not in json.dumps(World.ann.get("/messages?limit=50"))
    assert "body" in checked(f"/messages/{good}?body=true", "/messages/{id}")
    fields = checked(f"/messages/{good}/segments", "/messages/{id}/segments")
    pid = next(s for s in fields["segments"] if s["id"] == "PID")
    birth = next(f for f in pid["fields"] if f["n"] == 7)
    assert birth["name"] == "Date/Time of Birth" and birth["text"] == "19700101", birth
    sex = next(f for f in pid["fields"] if f["n"] == 8)
    assert sex["meaning"] == "Female", sex
    tree = checked(f"/messages/{good}/tree", "/messages/{id}/tree")
    assert [i["id"] for i in tree["items"]][:3] == ["MSH", "EVN", "PID"], tree
    lineage = checked(f"/messages/{good}/lineage?path=Patient.birthDate", "/messages/{id}/lineage")
    assert lineage["values"][0]["from"][0]["path"] == "PID-7", lineage["values"]
    assert any(u["path"].startswith("PID-3") for u in lineage["unread"]), lineage["unread"]
    back = checked(f"/messages/{good}/lineage?from=PID-8", "/messages/{id}/lineage")
    assert [v["path"].rsplit(".", 1)[1] for v in back["values"]] == ["gender"], back["values"]
    outputs = checked(f"/messages/{good}/outputs", "/messages/{id}/outputs")["outputs"]
    assert {o["destination"]: o["state"] for o in outputs} == {"adt_in/keep": "sent", "adt_in/pas": "sent"}
    sent = World.ann.get(f"/messages/{good}/outputs/adt_in/keep/sent")
    assert json.loads(sent["text"])["entry"][0]["resource"]["birthDate"] == "1970-01-01", sent
    reply = World.ann.get(f"/messages/{good}/outputs/adt_in/pas/reply")
    assert "MSA|AA|GOOD1" in reply["text"], reply
    events = checked(f"/messages/{good}/timeline", "/messages/{id}/timeline")["events"]
    assert events[0]["what"] == "received" and [e["what"] for e in events].count("sent") == 2, events
    why = checked(f"/messages/{good}/why", "/messages/{id}/why")
    assert why["state"] == "sent" and "adt_in/pas has it" in " ".join(why["text"]), why
    bad = World.engine.find("id:BAD1")["id"]
    why = World.ann.get(f"/messages/{bad}/why")
    assert why["state"] == "rejected" and "refused" in " ".join(why["text"]), why
    checked(f"/messages/{good}/trace", "/messages/{id}/trace")
    for path in (f"/messages/{evil}/segments", f"/messages/{evil}?body=true", f"/messages/{evil}/lineage", "/messages"):
        status, headers, _ = World.ann.request("GET", "/api/v1" + path)
        assert status == 200 and headers["Content-Type"].startswith("application/json"), path
    _, headers, text = World.ann.request("GET", f"/api/v1/messages/{evil}/raw")
    assert headers["Content-Type"] == "application/octet-stream" and "attachment" in headers["Content-Disposition"]
    assert EVIL.encode()[:10] in text
    status, headers, part = World.ann.request("GET", f"/api/v1/messages/{evil}/raw", headers={"Range": "bytes=0-3"})
    assert (status, part) == (206, b"MSH|"), (status, part)


def searching_by_a_name_is_seeing_it():
    """The viewer and the operator here lack phi.view; a query about content is refused wherever one can be asked."""
    assert World.ann.call("POST", "/users", {"user": "olga", "role": "operator", "password": PASSWORD})[0] == 200
    olga = Client(World.console)
    assert olga.log_in("olga")[0] == 200
    assert olga.call("POST", "/session/password", {"old": PASSWORD, "new": PASSWORD + " of hers"})[0] == 200
    for query in ('name:"x"', "mrn:1", "account:7", "text:potassium", "path:PID-8=F", "type:ADT (id:1 OR NOT name:x)"):
        asked = urllib.parse.quote(query)
        for method, path, body in (("GET", f"/messages?q={asked}", None), ("GET", f"/quarantine?q={asked}", None),
                                   ("GET", f"/quarantine/items?q={asked}", None),
                                   ("POST", "/quarantine/note", {"query": query, "note": "x", "dry_run": True}),
                                   ("POST", "/quarantine/drop", {"query": query, "reason": "x", "dry_run": True}),
                                   ("POST", "/replay", {"query": query, "dry_run": True}),
                                   ("POST", "/replay/jobs", {"query": query, "reason": "x"})):
            status, answer = olga.call(method, path, body)
            assert status == 403 and World.error(answer) == "right-missing", (method, path, query, status, answer)
            if method == "GET":
                assert World.ann.call(method, path)[0] == 200, (path, query)
    for path in ("/messages?q=type:ADT", "/messages", "/quarantine?q=channel:adt_in", "/quarantine/items?q=since:2h"):
        assert olga.call("GET", path)[0] == 200, path
    assert olga.call("POST", "/replay", {"query": "type:ADT", "dry_run": True})[0] == 200
    status, job = World.ann.call("POST", "/replay/jobs", {"query": "mrn:nobody-has-this", "reason": "to look"})
    assert status == 200 and job["query"] == "mrn:nobody-has-this", job
    for path in ("/replay/jobs", f"/replay/jobs/{job['id']}"):
        seen = json.dumps(olga.get(path))
        assert "nobody-has-this" not in seen and "phi.view" in seen, seen
        assert "nobody-has-this" in json.dumps(World.ann.get(path)), path


def a_revoked_token_ends_its_stream():
    made = World.ann.call("POST", "/tokens", {"name": "stream", "rights": ["view"], "days": 1})[1]
    with socket.create_connection(("127.0.0.1", World.console), timeout=PATIENCE) as connection:
        connection.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{World.console}\r\nAuthorization: Bearer {made['token']}\r\n\r\n".encode())
        assert b" 200 " in connection.recv(4096)
        assert World.ann.call("DELETE", "/tokens/" + made["id"])[0] == 200
        data = b""
        while not data.endswith(b"\r\n0\r\n\r\n"):  # the last chunk
            more = connection.recv(65536)
            assert more, "the connection was cut, not ended"
            data = (data + more)[-100:]


def guesses_of_one_address_are_slowed_down_and_counted():
    before = World.ann.get("/audit?limit=1000&action=session.login")["records"]
    begin = time.monotonic()
    seen, texts = [], []

    def guess(n):
        status, answer = Client(World.console).log_in(f"guess-{n}", "wrong password")
        seen.append(status)
        texts.append(answer["error"]["text"])
    # More at once than one address may ask for, whatever the machine takes for one.
    for turn in range(20):
        threads = [threading.Thread(target=guess, args=(turn * 100 + n,)) for n in range(16)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        if 429 in seen:
            break
    assert 429 in seen and 401 in seen and any("address" in t for t in texts), (seen, texts)
    assert World.ann.get("/status"), "who is logged in goes on"
    records = World.ann.get("/audit?limit=1000&action=session.login")["records"]
    # Names that nobody has: the first twenty, and then one a minute, which tells how many were left out.
    assert len(records) - len(before) <= 21 + (time.monotonic() - begin) / 60, (len(before), len(records))
    for n in range(60):
        status, answer = Client(World.console).call("POST", "/setup", {"token": "0" * 32, "user": "eve", "password": PASSWORD})
        assert status == 409, answer
    more = len(World.ann.get("/audit?limit=1000&action=session.login")["records"]) - len(before)
    assert more <= 21 + (time.monotonic() - begin) / 60, "strangers fill the trail"
    _, _, metrics = World.ann.request("GET", "/metrics")
    figures = {line.split(" ")[0]: float(line.split(" ")[1]) for line in metrics.decode().splitlines() if not line.startswith("#")}
    assert figures['kiln_auth_failures_total{listener="console"}'] >= seen.count(401), figures
    assert figures['kiln_rate_limited_total{listener="console"}'] >= 1
    assert figures['kiln_connections_open{listener="console"}'] >= 1
    # A lock is recorded once, however often somebody knocks.
    client = Client(World.console)
    knocks = []
    while sum("names" in k for k in knocks) < 12:
        error = client.log_in("developer", "wrong password")[1]["error"]
        knocks.append("address" if "address" in error["text"] else "names" if error["code"] == "login-locked" else "wrong")
        assert len(knocks) < 300, knocks
    records = World.ann.get("/audit?limit=1000&action=session.login")["records"]
    locked = [r for r in records if r["user"] == "developer" and "locked" in r.get("detail", "")]
    # Each wrong password from the fifth on is a lock.
    assert 1 <= len(locked) <= max(1, knocks.count("wrong") - 4) < 12, (knocks, locked)


def behind_a_proxy_everybody_has_a_quota_of_their_own():
    def by_proxy(address, **more):
        return {"X-Forwarded-For": f"198.51.100.9, {address}", **more}
    statuses = []

    def guess(n):
        statuses.append(Client(World.console).call("POST", "/session", {"user": f"far-{n}", "password": "wrong password"}, by_proxy("203.0.113.7"))[0])
    for turn in range(20):
        threads = [threading.Thread(target=guess, args=(turn * 100 + n,)) for n in range(16)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        if 429 in statuses:
            break
    assert 429 in statuses, statuses
    # Somebody else behind the same proxy, by https.
    near = Client(World.console)
    https = by_proxy("203.0.113.8", **{"X-Forwarded-Proto": "https", "Host": "kiln.example.org", "Origin": "https://kiln.example.org"})
    status, headers, text = near.request("POST", "/api/v1/session", {"user": "auditor", "password": PASSWORD + " of mine"}, https)
    assert status == 200 and "; Secure" in headers["Set-Cookie"] and "Strict-Transport-Security" in headers, (status, text)
    newest = World.ann.get("/audit?limit=1&action=session.login")["records"][0]
    assert newest["from"] == "203.0.113.8" and newest["user"] == "auditor", newest
    status, headers, text = near.request("POST", "/api/v1/session", {"user": "auditor", "password": "x"}, {**https, "Origin": "http://kiln.example.org"})
    assert status == 403, text


def auditors_do_not_read_names_in_the_trail():
    assert World.ann.call("GET", "/messages?q=" + urllib.parse.quote('name:canaryname type:ADT'))[0] == 200
    assert World.ann.call("GET", "/messages?q=" + urllib.parse.quote('text:"x; canaryname"'))[0] == 200
    assert World.ann.request("GET", "/api/v1/fhir/Patient?family=canaryname&_count=3")[0] == 200
    auditor = Client(World.console)
    assert wait_for("a login", lambda: auditor.log_in("auditor", PASSWORD + " of mine")[0] == 200)
    seen = json.dumps(auditor.get("/audit?limit=100"))
    assert "canaryname" not in seen and "shown with phi.view" in seen and "_count=3" in seen, seen[:3000]
    status, _, lines = auditor.request("GET", "/api/v1/audit/export")
    assert status == 200 and b"canaryname" not in lines and b"shown with phi.view" in lines
    assert "canaryname" in json.dumps(World.ann.get("/audit?limit=100"))
    assert b"canaryname" in World.ann.request("GET", "/api/v1/audit/export")[2]


def an_emergency_access_is_in_the_figures():
    def gauge():
        _, _, text = World.ann.request("GET", "/metrics")
        return next(float(line.split()[1]) for line in text.decode().splitlines() if line.startswith("kiln_breakglass_active "))
    wait_for("no emergency access", lambda: gauge() == 0)
    client = Client(World.console)
    assert wait_for("a login", lambda: client.log_in("auditor", PASSWORD + " of mine")[0] == 200)
    assert client.call("POST", "/session/break-glass", {"reason": "unconscious patient"})[0] == 200
    wait_for("one emergency access", lambda: gauge() == 1)
    assert client.call("DELETE", "/session")[0] == 200
    wait_for("no emergency access", lambda: gauge() == 0)


def a_message_is_edited_and_sent_again():
    good = World.engine.find("id:GOOD1")["id"]
    body = World.ann.get(f"/messages/{good}?body=true")["body"]
    edited = body.replace("19700101|F", "19800202|F").replace("GOOD1", "GOOD1E")
    looked = World.ann.call("POST", f"/messages/{good}/check", {"body": edited})[1]
    assert looked["ok"] is True and looked["verdict"] == "accepted", looked
    assert [c["after"] for c in looked["diff"] if c["path"].endswith("birthDate")] == ['"1980-02-02"'], looked["diff"]
    looked = World.ann.call("POST", f"/messages/{good}/check", {"body": "no message"})[1]
    assert looked["ok"] is False, looked
    assert World.ann.call("POST", f"/messages/{good}/resend", {"body": edited, "to": ["all"]})[0] == 400, "it needs a reason"
    status, done = World.ann.call("POST", f"/messages/{good}/resend", {"body": edited, "to": ["pas"], "reason": "wrong birth date"})
    assert status == 200, done
    World.engine.wait_drained()
    made = World.ann.get(f"/messages/{done['new_id']}")
    assert made["edited_from"] == good and made["control_id"] == "GOOD1E", made
    assert [d["destination"] for d in made["destinations"]] == ["adt_in/pas"], made
    assert World.receiver.controls()[-1] == "GOOD1E"
    assert World.ann.get(f"/messages/{good}?body=true")["body"] == body


def a_large_message_comes_in_pages():
    large = adt("LARGE1", extra="NTE|1||" + "0123456789abcdef" * 700_000 + "\r")
    with Mllp(World.mllp) as sender:
        assert ack_code(sender.send(large)) == "AA"
    World.engine.wait_drained()
    number = World.engine.find("id:LARGE1")["id"]
    begin = time.monotonic()
    page = World.ann.get(f"/messages/{number}/body?offset=1000000&limit=100000")
    assert page["size"] == len(large) and page["text"] == large[1000000:1100000].decode(), page["size"]
    shown = World.ann.get(f"/messages/{number}?body=true")
    assert shown["body_truncated"] is True and len(shown["body"]) <= 1 << 18
    fields = World.ann.get(f"/messages/{number}/segments")
    note = next(s for s in fields["segments"] if s["id"] == "NTE")["fields"][-1]
    assert note["cut"] is True and len(note["text"]) <= 16384, len(note["text"])
    assert World.ann.call("GET", f"/messages/{number}/body?limit=99999999")[0] == 400
    print(f"        an 11 MB message: a page, its head and its fields in {time.monotonic() - begin:.2f} s")
    # Refused by their heads: the bodies are not even read.
    for size, cookie, wanted in ((33 << 20, World.ann.cookie, b" 413 "), (1 << 20, "", b" 401 ")):
        with socket.create_connection(("127.0.0.1", World.console), timeout=PATIENCE) as connection:
            sent = f"Cookie: kiln_session={cookie}\r\n" if cookie else ""
            connection.sendall(f"POST /api/v1/replay HTTP/1.1\r\nHost: 127.0.0.1:{World.console}\r\n{sent}Content-Length: {size}\r\n\r\n".encode())
            assert wanted in connection.recv(4096), wanted


def maps_are_tried_on_drafts():
    sample = World.ann.get("/playground/sample?path=samples/a01.hl7")["text"]
    done = World.ann.call("POST", "/playground/run", {"map": "to_patient", "sample": sample})[1]
    assert json.loads(done["output"])["entry"][0]["resource"]["birthDate"] == "1970-01-01", done
    text = World.ann.get("/config/file?path=maps/patient.hmap")["text"]
    draft = {"maps/patient.hmap": text.replace("birthDate = PID-7", "birthDate = PID-7\n    active = true")}
    done = World.ann.call("POST", "/playground/run", {"map": "to_patient", "sample": sample, "files": draft})[1]
    assert json.loads(done["output"])["entry"][0]["resource"]["active"] is True, done
    broken = {"maps/patient.hmap": text.replace("birthDate = PID-7", "birthDate = = PID-7")}
    done = World.ann.call("POST", "/playground/run", {"map": "to_patient", "sample": sample, "files": broken})[1]
    assert done["findings"][0]["file"] == "maps/patient.hmap" and done["findings"][0]["line"] == 5, done
    tests = World.ann.call("POST", "/playground/test", {"files": draft})[1]["tests"]
    assert [t["result"] for t in tests] == ["passed"], tests
    assert (World.engine.site / "maps/patient.hmap").read_text() == text, "drafts change no file"
    opened = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}, "rootUri": "file:///site"}},
              {"jsonrpc": "2.0", "method": "initialized", "params": {}},
              {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": {
                  "uri": "file:///site/maps/patient.hmap", "languageId": "hmap", "version": 1, "text": broken["maps/patient.hmap"]}}}]
    status, answer = World.ann.call("POST", "/playground/lsp", {"messages": opened})
    assert status == 200, answer
    published = [m for m in answer["messages"] if m.get("method") == "textDocument/publishDiagnostics"]
    assert any(m["params"]["diagnostics"] for m in published), answer
    other = Client(World.console)
    other.log_in("admin", PASSWORD + " of mine")
    status, answer = other.call("POST", "/playground/lsp", {"session": answer["session"], "messages": []})
    assert status == 404, "another's session"


def events_tell_what_changes():
    connection = socket.create_connection(("127.0.0.1", World.console), timeout=PATIENCE)
    connection.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{World.console}\r\nCookie: kiln_session={World.ann.cookie}\r\n\r\n".encode())
    data = b""

    def read_until(what):
        nonlocal data
        while what not in data:
            more = connection.recv(65536)
            assert more, "the stream ended"
            data += more
    read_until(b"event: delta")
    head, body = data.split(b"\r\n\r\n", 1)
    assert b"text/event-stream" in head and b"chunked" in head and b"event: status" in body, head
    with Mllp(World.mllp) as sender:
        sender.send(adt("LIVE1"))
    before = World.engine.channel("adt_in")["received"]
    read_until(f'"received":{before}'.encode())
    connection.close()


def one_can_look_at_the_fhir_store():
    bundle = World.ann.get("/fhir/Patient?_count=2")
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == "searchset", bundle
    status, outcome = World.ann.call("POST", "/fhir/Patient/$validate", {"resourceType": "Patient", "birthDate": "yesterday"})
    assert outcome["resourceType"] == "OperationOutcome", outcome


def everything_is_in_the_audit_trail():
    records = World.ann.get("/audit?limit=1000")["records"]
    seen = {(r["action"], r["outcome"]) for r in records}
    for wanted in (("session.setup", "ok"), ("session.login", "ok"), ("session.login", "refused"), ("user.add", "ok"),
                   ("message.view", "ok"), ("message.search", "ok"), ("message.resend", "ok"), ("message.check", "ok"),
                   ("token.add", "ok"), ("message.view", "refused"), ("user.add", "refused"), ("fhir.read", "ok")):
        assert wanted in seen, f"{wanted} is not in {sorted(seen)}"
    text = json.dumps(records)
    assert PASSWORD not in text and "secret" not in text
    resent = next(r for r in records if r["action"] == "message.resend" and r["outcome"] == "ok")
    assert "wrong birth date" in resent["detail"] and resent["user"] == "ann", resent
    verdict = World.ann.get("/audit/verify")
    assert verdict["ok"] is True and verdict["records"] >= len(records), verdict
    status, _, lines = World.ann.request("GET", "/api/v1/audit/export")
    events = [json.loads(line) for line in lines.decode().splitlines()]
    assert status == 200 and len(events) > len(records) - 2 and all(e["resourceType"] == "AuditEvent" for e in events)


def content_is_not_shown_when_it_cannot_be_recorded():
    good = World.engine.find("id:GOOD1")["id"]
    exported = World.ann.request("GET", "/api/v1/export?q=id:GOOD1")
    line = json.loads(exported[2])
    assert exported[0] == 200 and b"GOOD1" in base64.b64decode(line["body_base64"]), exported[2][:200]
    # Another process holds the write lock of the trail: no record, no content; what shows none still answers.
    import sqlite3
    lock = sqlite3.connect(World.engine.data / "audit.db", isolation_level=None)
    lock.execute("begin immediate")
    status, answer = World.ann.call("GET", f"/messages/{good}/raw")
    assert status == 503 and World.error(answer) == "audit-failed", (status, answer)
    assert World.ann.call("GET", "/export?q=id:GOOD1")[0] == 503
    assert World.ann.call("GET", "/status")[0] == 200
    lock.execute("rollback")
    lock.close()
    assert World.ann.request("GET", f"/api/v1/messages/{good}/raw")[0] == 200


def the_verbs_speak_to_it():
    engine, site = World.engine, ("--site", str(World.engine.site))
    assert "adt_in" in engine.command("status", *site)
    assert engine.command_json("status", *site)["channels"][0]["name"] == "adt_in"
    assert "adt_in" in engine.command("top", *site)
    good = World.engine.find("id:GOOD1")["id"]
    told = engine.command("why", good, *site, "--steps")
    assert "adt_in/pas has it" in told and "listener:" in told, told
    assert str(good) in engine.command("trace", good, *site)
    assert "GOOD1" in engine.command("show", good, *site)
    assert "operator" in engine.command("user", "list", *site)
    engine.command("user", "add", "carl", "--role", "viewer", *site, stdin=PASSWORD.encode() + b"\n")
    engine.command("user", "change", "carl", "--role", "auditor", *site)
    assert "carl" in engine.command("user", "list", *site)
    token = engine.command("token", "add", "t", "--user", "carl", "--right", "view", *site).strip()
    done = subprocess.run([engine.kiln, "status", "--server", f"http://127.0.0.1:{World.console}"], env={**os.environ, "KILN_TOKEN": token},
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and b"adt_in" in done.stdout, done

    def elsewhere(*words):
        return subprocess.run([engine.kiln, *words, "--server", f"http://127.0.0.1:{World.console}"],
                              env={**os.environ, "KILN_TOKEN": token}, capture_output=True, timeout=60)
    found = elsewhere("search", "id:GOOD1", "--utc")
    assert found.returncode == 0 and b"GOOD1" in found.stdout and re.search(rb"\d\d:\d\d:\d\dZ", found.stdout), found
    assert elsewhere("search", "mrn:1").returncode == 77, "what one may not see is not searched for"
    assert elsewhere("show", str(good)).returncode == 77
    assert re.search(r"received\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", engine.command("show", good, *site, "--utc"))
    engine.command("user", "remove", "carl", *site, code=64)
    engine.command("user", "remove", "carl", "--yes", *site)
    assert "session.login" in engine.command("audit", "list", *site, "--limit", "1000")
    assert "each follows from the one before" in engine.command("audit", "verify", *site)
    lines = engine.command("export", "id:GOOD1", *site).splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["control_id"] == "GOOD1"
    assert engine.command("user", "hash", stdin=PASSWORD.encode() + b"\n").startswith("$argon2id$")
    World.engine.command("audit", "list", "--utc", *site)


def a_session_ends_and_so_does_the_server():
    client = Client(World.console)
    wait_for("a login", lambda: client.log_in("auditor", PASSWORD + " of mine")[0] == 200)
    cookie = client.cookie
    assert client.call("DELETE", "/session")[0] == 200
    client.cookie = cookie
    status, answer = client.call("GET", "/status")
    assert status == 401 and World.error(answer) == "login-needed", answer
    assert client.get("/session")["user"] is None
    assert World.engine.stop() == 0
    good = World.engine
    assert "adt_in" in good.command("why", "1", "--site", str(good.site))
    assert "GOOD1" in good.command("export", "id:GOOD1", "--site", str(good.site))


def main():
    World.start()
    return run_cases([
        the_first_account_needs_the_token_of_the_start,
        headers_are_strict_on_every_answer,
        foreign_hosts_origins_and_forged_requests_are_refused,
        paths_lead_nowhere_but_to_their_routes,
        roles_reach_their_routes_and_no_other,
        an_authenticator_guards_a_login,
        wrong_passwords_lock_known_and_unknown_names_alike,
        tokens_have_their_rights_only,
        a_message_is_shown_in_all_its_forms,
        searching_by_a_name_is_seeing_it,
        a_revoked_token_ends_its_stream,
        an_emergency_access_is_in_the_figures,
        a_message_is_edited_and_sent_again,
        a_large_message_comes_in_pages,
        maps_are_tried_on_drafts,
        events_tell_what_changes,
        one_can_look_at_the_fhir_store,
        everything_is_in_the_audit_trail,
        auditors_do_not_read_names_in_the_trail,
        content_is_not_shown_when_it_cannot_be_recorded,
        the_verbs_speak_to_it,
        behind_a_proxy_everybody_has_a_quota_of_their_own,
        guesses_of_one_address_are_slowed_down_and_counted,
        a_session_ends_and_so_does_the_server,
    ])


sys.exit(main())
