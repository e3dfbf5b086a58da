#!/usr/bin/env python3
"""HTTP in general: logins of a listener, FHIR and CSV bodies in and out, and OAuth 2.0 client credentials of a FHIR destination
against a token server that checks the signature with the openssl command."""
import base64
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests/support"))
from kiln_site import Engine, free_port, run_cases, temp_folder, wait_for, write_site  # noqa: E402

KILN = BUILD / "kiln"
CONF = "server {{\n  http {{ listen 127.0.0.1:{port} }}\n}}\n"
CSV = "module e2e\ncsv Row {\n  columns {\n    mrn  : string required\n    ward : string\n  }\n}\n"
PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:x", "value": "1"}]}


def start(text, environment=None):
    site = write_site(temp_folder() / "site", {"kiln.conf": CONF.format(port=free_port()), "maps/e2e.hmap": CSV, "channels/c.channel": text})
    return Engine(KILN, site).start(environment)


def post(port, body, headers, path="/in"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answers.append(response.read())
    connection.close()
    return response.status, response.headers


answers = []  # their bodies


class Server(threading.Thread):
    """Keeps what is posted; `answer(path, headers, body)` gives (status, body)."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                status, text = answer(self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_PUT = do_POST

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.start()

    def run(self):
        self.server.serve_forever()


def a_listener_asks_who_it_is():
    engine = start("""module e2e.c
channel c {
  source http { port 0; path "/in"; content fhir; token env("TOKEN") }
  accept fhir Patient where .active != false else reject AR 200 "inactive"
  to out: file from source { file "out/x" }
}
""", {"TOKEN": "tell nobody"})
    port = engine.port("c")
    body, kind = json.dumps(PATIENT), {"Content-Type": "application/fhir+json"}
    status, headers = post(port, body, kind)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert post(port, body, {**kind, "Authorization": "Bearer wrong"})[0] == 401
    right = {**kind, "Authorization": "Bearer tell nobody"}
    assert post(port, body, right)[0] == 204
    assert post(port, json.dumps({**PATIENT, "active": False}), right)[0] == 422
    assert post(port, body, {**right, "Content-Type": "text/csv"})[0] == 415
    assert post(port, body, right, "/elsewhere")[0] == 404
    engine.wait_drained()
    assert (engine.site / "out/x").read_text() == body
    assert b"tell nobody" not in engine.log.read_bytes()
    engine.stop()


def rows_come_with_name_and_password_and_go_on():
    sink = Server(lambda *_: (200, b""))
    engine = start(f"""module e2e.c
use e2e.{{Row}}
channel c {{
  source http {{ port 0; path "/in"; content csv; user "ward"; password env("PASSWORD") }}
  accept csv Row
  to out: http from source {{ url "http://127.0.0.1:{sink.port}/rows"; token env("PASSWORD") }}
}}
""", {"PASSWORD": "a:b"})
    login = {"Content-Type": "text/csv", "Authorization": "Basic " + base64.b64encode(b"ward:a:b").decode()}
    assert post(engine.port("c"), "mrn,ward\r\n1,A\r\n", login)[0] == 204
    engine.wait_drained()
    (_, path, headers, body), = sink.requests
    assert (path, headers["Content-Type"], headers["Authorization"]) == ("/rows", "text/csv; charset=utf-8", "Bearer a:b"), headers
    assert body == b"mrn,ward\r\n1,A\r\n", body
    engine.stop()


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der_integer(number):
    body = number.to_bytes(49, "big").lstrip(b"\0") or b"\0"
    body = b"\0" + body if body[0] & 0x80 else body
    return b"\x02" + bytes([len(body)]) + body


class TokenServer:
    def __init__(self, kind):
        self.folder = temp_folder()
        make = ["genrsa", "2048"] if kind == "RS384" else ["ecparam", "-name", "secp384r1", "-genkey", "-noout"]
        self.key = self.folder / "key.pem"
        self.key.write_bytes(subprocess.run(["openssl", *make], capture_output=True, check=True).stdout)
        subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-out", self.folder / "public.pem"], check=True)
        self.kind, self.given, self.jtis, self.server = kind, 0, set(), None

    def check(self, jwt, audience):
        head, claims, signature = jwt.split(".")
        assert json.loads(b64(head))["alg"] == self.kind and json.loads(b64(head))["kid"] == "2026"
        says = json.loads(b64(claims))
        assert says["iss"] == says["sub"] == "kiln" and says["aud"] == audience and time.time() - 5 < says["exp"] - 300 < time.time() + 5, says
        assert says["jti"] not in self.jtis
        self.jtis.add(says["jti"])
        raw = b64(signature)
        if self.kind == "ES384":
            body = der_integer(int.from_bytes(raw[:48], "big")) + der_integer(int.from_bytes(raw[48:], "big"))
            raw = b"\x30" + bytes([len(body)]) + body
        (self.folder / "signature").write_bytes(raw)
        (self.folder / "text").write_text(head + "." + claims)
        done = subprocess.run(["openssl", "dgst", "-sha384", "-verify", self.folder / "public.pem", "-signature", self.folder / "signature", self.folder / "text"],
                              capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def give(self, body, audience):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        assert form["grant_type"] == "client_credentials" and form["scope"] == "system/*.cruds", form
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        self.check(form["client_assertion"], audience)
        self.given += 1
        return json.dumps({"access_token": f"token{self.given}", "token_type": "bearer", "expires_in": 300}).encode()


def tokens_of_a_signed_assertion():
    for kind in ("RS384", "ES384"):
        tokens, errors = TokenServer(kind), []
        valid = ["token1"]

        def answer(path, headers, body):
            try:
                if path == "/token":
                    return 200, tokens.give(body, f"http://127.0.0.1:{server.port}/token")
                return (201, b"") if headers["Authorization"] == "Bearer " + valid[0] else (401, b"")
            except Exception as error:  # told to the test, which this thread is not
                errors.append(repr(error))
                return 400, b""

        server = Server(answer)
        engine = start(f"""module e2e.c
channel c {{
  source http {{ port 0; path "/in"; content fhir }}
  accept fhir Patient
  to out: fhir from source {{
    url "http://127.0.0.1:{server.port}/r4"; retry forever backoff 100ms..200ms
    oauth {{ token_url "http://127.0.0.1:{server.port}/token"; client_id "kiln"; key file("{tokens.key}"); key_id "2026" }}
  }}
}}
""")
        def send():
            assert post(engine.port("c"), json.dumps(PATIENT), {"Content-Type": "application/fhir+json"})[0] == 204
            wait_for("written", lambda: errors or engine.pending() == 0)
            engine.wait_drained()
            assert not errors, errors

        send()
        send()
        assert tokens.given == 1, "a token is used until it ends"
        valid[0] = "token2"  # the first one was called back
        send()
        assert tokens.given == 2 and not engine.search("state:quarantined")
        written = [r[1] for r in server.requests if r[1] != "/token"]
        assert written == ["/r4/Patient/p1"] * 4, written
        assert b"token1" not in engine.log.read_bytes()
        engine.stop()


def parts_of_a_request_are_messages_and_a_key_makes_it_known():
    engine = start("""module e2e.c
use e2e.{Row}
channel c {
  source http { port 0; path "/in"; content csv; split rows }
  accept csv Row
  to out: csv from source { file "out/x"; append true }
}
""")
    answers.clear()
    kind, rows = {"Content-Type": "text/csv"}, 'mrn,ward\r\n1,"A\r\nB"\r\n2,5" bed\r\n3,C\r\n'
    for key, count in (("k1", 3), ("k1", 3), ("k2", 6)):
        status, headers = post(engine.port("c"), rows, {**kind, "Idempotency-Key": key})
        assert (status, headers["Content-Type"]) == (200, "application/x-ndjson"), (status, answers[-1])
        lines = [json.loads(line) for line in answers[-1].splitlines()]
        assert [line["result"] for line in lines] == ["stored"] * 3, lines
        assert len(engine.search("channel:c")) == count, "a repeated request is known, part by part"
    assert [json.loads(line)["message"] for line in answers[0].splitlines()] == [json.loads(line)["message"] for line in answers[1].splitlines()]
    assert post(engine.port("c"), "mrn,ward\r\n9,Z\r\n", {**kind, "Idempotency-Key": "k2"})[0] == 200
    assert len(engine.search("channel:c")) == 7, "a key that comes again with other bytes is no repetition"
    assert post(engine.port("c"), 'mrn,ward\r\n1,"A\r\n', kind)[0] == 400
    engine.stop()


def fhir_comes_as_xml_and_outside_of_its_hours_not_at_all():
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    other_day = days[(time.gmtime().tm_wday + 3) % 7]
    engine = start(f"""module e2e.c
channel c {{
  source http {{ port 0; path "/in"; content fhir }}
  accept fhir Patient
  to out: file from source {{ file "out/x" }}
}}
channel closed {{
  source http {{ port 0; path "/in"; content fhir; hours "{other_day}" }}
  accept fhir Patient
  to none: drop from source {{ }}
}}
""")
    xml = '<Patient xmlns="http://hl7.org/fhir"><id value="p1"/><identifier><system value="urn:x"/><value value="1"/></identifier></Patient>'
    kind = {"Content-Type": "application/fhir+xml"}
    assert post(engine.port("c"), xml, kind)[0] == 204
    engine.wait_drained()
    assert json.loads((engine.site / "out/x").read_text()) == PATIENT
    assert post(engine.port("c"), xml.replace("identifier", "nothing"), kind)[0] == 400
    status, headers = post(engine.port("closed"), xml, kind)
    assert status == 503 and 86_400 < int(headers["Retry-After"]) < 4 * 86_400, (status, headers["Retry-After"])
    assert not engine.search("channel:closed")
    engine.stop()


if __name__ == "__main__":
    sys.exit(run_cases([a_listener_asks_who_it_is, rows_come_with_name_and_password_and_go_on,
                        parts_of_a_request_are_messages_and_a_key_makes_it_known,
                        fhir_comes_as_xml_and_outside_of_its_hours_not_at_all, tokens_of_a_signed_assertion]))
