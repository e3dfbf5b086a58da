#!/usr/bin/env python3
"""Encrypted connections against Python's ssl and the openssl command: MLLP in and out with client certificates, `allow`, the
checks of chain and name, https destinations, certificates renewed without a restart."""
import http.server
import pathlib
import shutil
import ssl
import subprocess
import sys
import threading
import time

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests/support"))
from certificates import Authority  # noqa: E402
from kiln_site import (Engine, Mllp, Receiver, Skipped, ack_code, ack_control, adt, free_port, run_cases, temp_folder, wait_for,  # noqa: E402
                       write_site)

KILN = BUILD / "kiln"


class World:
    """Authorities and certificates of all cases."""

    def __init__(self):
        if not shutil.which("openssl"):
            raise Skipped("there is no openssl command")
        self.folder = temp_folder()
        self.ca = Authority(self.folder / "ca")
        self.other = Authority(self.folder / "other", "other")
        self.server = self.ca.sign("server", "/CN=kiln.example.org", "DNS:localhost,IP:127.0.0.1")
        self.his = self.ca.sign("his", "/CN=his.example.org/O=North Hospital", "DNS:his.example.org")
        self.lab = self.ca.sign("lab", "/CN=lab.example.org", "URI:urn:lab")
        self.stranger = self.other.sign("stranger", "/CN=his.example.org")


def client_context(world, certificate=None, ca=None):
    context = ssl.create_default_context(cafile=str(ca or world.ca.ca))
    if certificate:
        context.load_cert_chain(*map(str, certificate))
    return context


class TlsMllp(Mllp):
    def __init__(self, port, context, name="127.0.0.1"):
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname=name)


class TlsReceiver(Receiver):
    """An MLLP receiver behind TLS; `failures` are handshakes that did not come about."""

    def __init__(self, certificate, client_ca=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        if client_ca:
            self.context.load_verify_locations(str(client_ca))
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.failures, self.peers = [], []
        super().__init__()

    def serve(self, connection):
        try:
            connection = self.context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.failures.append(str(error))
            return
        self.peers.append(connection.getpeercert())
        super().serve(connection)


def listener(world, tls="", options=""):
    """A site that takes MLLP over TLS and drops it."""
    certificate, key = world.server
    site = write_site(temp_folder() / "site", {
        "kiln.conf": f'server {{\n  http {{ listen 127.0.0.1:{free_port()} }}\n}}\n',
        "channels/in.channel": f"""channel adt {{
  source mllp {{
    port 0
    tls {{ cert file("{certificate}"); key file("{key}"); {tls} }}
    {options}
  }}
  accept hl7 ADT_A01 2.5.1
  to out: drop from source {{ }}
}}
"""})
    return Engine(KILN, site).start()


def sender(world, port, tls, host="127.0.0.1"):
    site = write_site(temp_folder() / "site", {
        "kiln.conf": f'server {{\n  http {{ listen 127.0.0.1:{free_port()} }}\n}}\n',
        "channels/in.channel": f"""channel adt {{
  source mllp {{ port 0 }}
  accept hl7 ADT_A01 2.5.1
  to out: mllp from source {{
    host "{host}"; port {port}; retry forever backoff 100ms..300ms
    tls {{ {tls} }}
  }}
}}
"""})
    return Engine(KILN, site).start()


def last_error(engine):
    return engine.queue("adt", "out").get("last_failure")


def a_message_over_tls_is_taken(world):
    engine = listener(world)
    with TlsMllp(engine.port("adt"), client_context(world)) as client:
        assert client.socket.version() == "TLSv1.3"
        assert ack_code(client.send(adt("T1"))) == "AA"
    engine.stop()


def plaintext_and_old_versions_get_nothing(world):
    engine = listener(world)
    port = engine.port("adt")
    with Mllp(port) as plain:
        plain.write(b"\x0b" + adt("T2") + b"\x1c\r")
        try:  # an alert of TLS may come, an acknowledgement never
            answer = plain.socket.recv(4096)
        except ConnectionError:
            answer = b""
        assert b"MSA" not in answer, answer
    for version in ("-tls1", "-tls1_1"):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-cipher", "ALL:@SECLEVEL=0"], input=b"",
                              capture_output=True, timeout=30)
        assert done.returncode != 0, version
    for cipher in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0"], input=b"",
                              capture_output=True, timeout=30)
        assert done.returncode != 0, cipher
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
                          input=b"", capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert not engine.search("id:T2")
    engine.stop()


def at_least_1_3_when_the_site_says_so(world):
    engine = listener(world, 'min "1.3"')
    context = client_context(world)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        TlsMllp(engine.port("adt"), context)
        raise AssertionError("TLS 1.2 was taken")
    except ssl.SSLError:
        pass
    engine.stop()


def a_client_needs_a_certificate_of_a_partner(world):
    engine = listener(world, f'client_ca file("{world.ca.ca}"); client required')
    with TlsMllp(engine.port("adt"), client_context(world, world.his)) as client:
        assert ack_code(client.send(adt("C1"))) == "AA"
    for certificate in (None, world.stranger):
        try:  # in TLS 1.3 the refusal comes with the first read
            with TlsMllp(engine.port("adt"), client_context(world, certificate)) as client:
                assert client.send(adt("C2")) is None
        except (ssl.SSLError, ConnectionError):
            pass
    assert not engine.search("id:C2")
    engine.stop()


def a_certificate_sends_only_as_its_application(world):
    tls = (f'client_ca file("{world.ca.ca}"); client required; allow "CN=his.example.org" as "E2E"\n'
           'allow "URI:urn:lab" as "LAB"')
    engine = listener(world, tls)
    port = engine.port("adt")
    with TlsMllp(port, client_context(world, world.his)) as his:
        assert ack_code(his.send(adt("A1"))) == "AA"
        denied = his.send(adt("A2").replace(b"|E2E|", b"|LAB|"))
        assert (ack_code(denied), ack_control(denied)) == ("AR", "A2"), denied
        assert ack_code(his.send(adt("A3").replace(b"|E2E|", b"|E2E^1.2.3^ISO|"))) == "AA"  # the connection lives on
        batch = b"BHS|^~\\&|E2E\r" + adt("A4") + adt("A5").replace(b"|E2E|", b"|LAB|") + b"BTS|2\r"
        assert ack_code(his.send(batch)) == "AR"
    with TlsMllp(port, client_context(world, world.lab)) as lab:
        assert ack_code(lab.send(adt("A6").replace(b"|E2E|", b"|LAB|"))) == "AA"
        assert ack_code(lab.send(adt("A7"))) == "AR"
    stored = {m["control_id"] for m in engine.search()}
    assert stored == {"A1", "A3", "A6"}, stored
    assert engine.log.read_bytes().count(b'"sender-not-allowed"') == 3
    assert b"TESTPERSON" not in engine.log.read_bytes()
    engine.stop()


def a_renewed_certificate_is_used_without_a_restart(world):
    mine = Authority(temp_folder() / "mine", "mine")
    old = mine.sign("old", "/CN=old", "IP:127.0.0.1")
    world_like = type("World", (), {"server": (mine.folder / "live.crt", mine.folder / "live.key"), "ca": mine})
    for file, live in zip(old, world_like.server):
        shutil.copy(file, live)
    engine = listener(world_like)
    context = client_context(world_like)
    with TlsMllp(engine.port("adt"), context) as before:
        assert ack_code(before.send(adt("R1"))) == "AA"
        assert dict(x[0] for x in before.socket.getpeercert()["subject"])["commonName"] == "old"
        new = mine.sign("new", "/CN=new", "IP:127.0.0.1")
        shutil.copy(new[0], world_like.server[0])  # a moment without its key: the old pair goes on
        time.sleep(1.2)
        with TlsMllp(engine.port("adt"), context) as between:
            assert dict(x[0] for x in between.socket.getpeercert()["subject"])["commonName"] == "old"
        shutil.copy(new[1], world_like.server[1])
        time.sleep(1.2)
        with TlsMllp(engine.port("adt"), context) as after:
            assert dict(x[0] for x in after.socket.getpeercert()["subject"])["commonName"] == "new"
            assert ack_code(after.send(adt("R2"))) == "AA"
        assert ack_code(before.send(adt("R3"))) == "AA"  # what was open stays open
    assert b'"certificate-renewed"' in engine.log.read_bytes() and b'"certificate-unusable"' in engine.log.read_bytes()
    engine.stop()


def a_destination_shows_its_certificate(world):
    receiver = TlsReceiver(world.server, world.ca.ca)
    certificate, key = world.his
    engine = sender(world, receiver.port, f'ca file("{world.ca.ca}"); cert file("{certificate}"); key file("{key}")')
    with Mllp(engine.port("adt")) as client:
        assert ack_code(client.send(adt("D1"))) == "AA"
    wait_for("the message arrives", lambda: receiver.controls() == ["D1"])
    assert dict(x[0] for x in receiver.peers[0]["subject"])["commonName"] == "his.example.org"
    engine.wait_drained()
    engine.stop()


def a_destination_checks_chain_name_and_time(world):
    cases = {
        "another authority": (world.other.sign("rogue", "/CN=x", "IP:127.0.0.1"), world.ca.ca, "127.0.0.1", "unable to get local issuer"),
        "another name": (world.ca.sign("elsewhere", "/CN=127.0.0.1", "DNS:elsewhere.example.org"), world.ca.ca, "localhost", "ostname mismatch"),
        "another address": (world.ca.sign("address", "/CN=127.0.0.1", "IP:127.0.0.9"), world.ca.ca, "127.0.0.1", "IP address mismatch"),
        "expired": (world.ca.sign("expired", "/CN=x", "IP:127.0.0.1", days=-1), world.ca.ca, "127.0.0.1", "expired"),
        "not for servers": (world.ca.sign("client", "/CN=x", "IP:127.0.0.1", usage="clientAuth"), world.ca.ca, "127.0.0.1", "purpose"),
    }
    for what, (certificate, ca, host, reason) in cases.items():
        receiver = TlsReceiver(certificate)
        engine = sender(world, receiver.port, f'ca file("{ca}")', host)
        with Mllp(engine.port("adt")) as client:
            client.send(adt("N1"))
        wait_for(what, lambda: reason in (last_error(engine) or ""), 15)
        assert not receiver.frames, what
        engine.kill()
        receiver.close()


def a_destination_does_not_fall_back_to_plaintext(world):
    receiver = Receiver()
    engine = sender(world, receiver.port, f'ca file("{world.ca.ca}")')
    with Mllp(engine.port("adt")) as client:
        client.send(adt("P1"))
    wait_for("the attempt fails", lambda: last_error(engine), 15)
    time.sleep(0.5)
    assert all(b"TESTPERSON" not in frame for _, frame in receiver.frames)
    engine.kill()


class Https(threading.Thread):
    """Answers POST with an acknowledgement, or as `plan` says: (status, headers)."""

    def __init__(self, certificate, client_ca=None):
        super().__init__(daemon=True)
        self.requests, self.plan = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), body))
                status, headers = outer.plan.pop(0) if outer.plan else (200, {})
                control = body.split(b"\r")[0].split(b"|")[9]
                text = b"MSH|^~\\&|S|S|K|K|20260101||ACK|1|P|2.5.1\rMSA|AA|" + control + b"\r" if status == 200 else b""
                self.send_response(status)
                for name, value in {"Content-Type": "application/hl7-v2", "Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        if client_ca:
            context.load_verify_locations(str(client_ca))
            context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.start()

    def run(self):
        self.server.serve_forever()


def an_https_destination_with_certificate_and_password(world):
    server = Https(world.server, world.ca.ca)
    certificate, key = world.his
    # A date that is over by the time it comes, a redirect to elsewhere for the second message.
    server.plan = [(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), (200, {}), (307, {"Location": "https://127.0.0.1:1/x"})]
    site = write_site(temp_folder() / "site", {
        "kiln.conf": f'server {{\n  http {{ listen 127.0.0.1:{free_port()} }}\n}}\n',
        "channels/in.channel": f"""channel adt {{
  source mllp {{ port 0 }}
  accept hl7 ADT_A01 2.5.1
  to out: http from source {{
    url "https://localhost:{server.port}/hl7"; user "kiln"; password env("PASSWORD"); retry forever backoff 100ms..200ms
    tls {{ ca file("{world.ca.ca}"); cert file("{certificate}"); key file("{key}") }}
  }}
}}
"""})
    engine = Engine(KILN, site).start({"PASSWORD": "open sesame"})
    with Mllp(engine.port("adt")) as client:
        for control in ("H1", "H2"):
            assert ack_code(client.send(adt(control))) == "AA"
    wait_for("the redirect is set aside", lambda: engine.search("state:quarantined"))
    path, headers, body = server.requests[0]
    assert path == "/hl7" and headers["Authorization"] == "Basic a2lsbjpvcGVuIHNlc2FtZQ==", headers
    assert body == adt("H1") and server.requests[1][2] == body
    assert engine.find("state:quarantined")["control_id"] == "H2"
    assert b"sesame" not in engine.log.read_bytes()
    engine.stop()


def a_bad_block_is_an_error_of_the_check(world):
    certificate, key = world.server
    for tls, code in ((f'cert file("{certificate}")', "E0910"), ("", "E0910"), (f'cert file("{certificate}"); key file("{key}"); client required', "E0910"),
                      (f'cert file("{certificate}"); key file("{key}"); allow "CN=x" as "Y"', "E0910"),
                      (f'cert file("{certificate}"); key file("{key}"); min "1.1"', "E0917"),
                      (f'cert file("{certificate}"); key file("{key}"); allow "CN=x"', "E0917")):
        site = write_site(temp_folder() / "site", {"channels/in.channel": f"""channel adt {{
  source mllp {{ port 2575; tls {{ {tls} }} }}
  accept hl7 ADT_A01 2.5.1
  to out: drop from source {{ }}
}}
"""})
        done = subprocess.run([KILN, "check", site], capture_output=True, text=True)
        assert done.returncode != 0 and code in done.stdout + done.stderr, (tls, done.stdout + done.stderr)


if __name__ == "__main__":
    try:
        made = World()
    except Skipped as why:
        print(f"skipped: {why}")
        sys.exit(4)
    sys.exit(run_cases([
        a_message_over_tls_is_taken,
        plaintext_and_old_versions_get_nothing,
        at_least_1_3_when_the_site_says_so,
        a_client_needs_a_certificate_of_a_partner,
        a_certificate_sends_only_as_its_application,
        a_renewed_certificate_is_used_without_a_restart,
        a_destination_shows_its_certificate,
        a_destination_checks_chain_name_and_time,
        a_destination_does_not_fall_back_to_plaintext,
        an_https_destination_with_certificate_and_password,
        a_bad_block_is_an_error_of_the_check,
    ], made))
