#!/usr/bin/env python3
"""What one client may cost the others, over real sockets: large pages, clients that go away, the stop of the server.

    fhir_limits.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port = free_port()
site = write_site(temp_folder() / "site", {"kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n'})
engine = Engine(build / "kiln", site)
PAGE = 16 << 20  # limits::kPageBytesMax


def send(method, target, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, "/fhir" + target.removeprefix(f"http://127.0.0.1:{port}/fhir"), json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/fhir+json", **headers})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def memory():
    """Peak resident memory in bytes."""
    text = pathlib.Path(f"/proc/{engine.pid()}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) << 10


def large_pages_end_early_and_memory_stays():
    data = "A" * (3 << 20)
    for number in range(40):
        assert send("PUT", f"/Binary/b{number}", {"resourceType": "Binary", "id": f"b{number}", "contentType": "text/plain", "data": data})[0] == 201
    before, seen, pages, target = memory(), set(), 0, "/Binary?_count=1000"
    while target:
        status, text, _ = send("GET", target)
        assert status == 200 and len(text) < PAGE + (1 << 20), len(text)
        bundle = json.loads(text)
        seen |= {entry["resource"]["id"] for entry in bundle["entry"]}
        target = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        pages += 1
    assert len(seen) == 40 and pages == 8, (len(seen), pages)
    assert memory() - before < 14 * PAGE, f"{(memory() - before) >> 20} MB more"


def every_refusal_is_an_outcome_with_an_id():
    for request, status in ((b"GET /fhir/Patient?name=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
                            (b"GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"y" * 40000 + b"\r\n\r\n", 431),
                            (b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413)):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
            raw.sendall(request)
            text = b""
            while chunk := raw.recv(65536):
                text += chunk
        head, body = text.split(b"\r\n\r\n", 1)
        assert head.startswith(f"HTTP/1.1 {status}".encode()), head[:60]
        assert json.loads(body)["resourceType"] == "OperationOutcome" and b"X-Request-Id" in head
    for given in ("has blank", "x" * 500, None):
        _, _, headers = send("GET", "/Patient/none", **({"X-Request-Id": given} if given else {}))
        assert headers["X-Request-Id"] and headers["X-Request-Id"] != given
    assert send("GET", "/Patient/none", **{"X-Request-Id": "mine-1"})[2]["X-Request-Id"] == "mine-1"


def fill():
    """Enough for a batch of searches to take some seconds: all resources match and are sorted by their values."""
    entries = [{"request": {"method": "POST", "url": "Patient"},
                "resource": {"resourceType": "Patient", "name": [{"family": f"Family {number % 97}", "given": [f"given{number}"]}],
                             "address": [{"text": "street " * 20 + str(number)}]}} for number in range(5000)]
    for _ in range(2):
        assert send("POST", "/", {"resourceType": "Bundle", "type": "transaction", "entry": entries})[0] == 200


SLOW = "/Patient?address:contains=street&_sort=family,given&_total=accurate"


def slow_reads(count):
    """Requests that are sent and whose answers nobody reads."""
    entries = [{"request": {"method": "GET", "url": SLOW[1:]}}] * 400
    body = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
    opened = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        one.sendall(b"POST /fhir HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        opened.append(one)
    return opened


def clients_that_have_gone_are_dropped():
    for one in slow_reads(30):
        one.close()
    begin = time.monotonic()
    assert send("GET", "/Patient?_count=1")[0] == 200
    assert time.monotonic() - begin < 15, time.monotonic() - begin


def a_stop_does_not_wait_for_searches():
    opened = slow_reads(8)
    time.sleep(0.3)
    begin = time.monotonic()
    assert engine.stop() == 0
    assert time.monotonic() - begin < 10, time.monotonic() - begin
    for one in opened:
        one.close()
    engine.start()
    assert send("GET", "/Patient?_count=1")[0] == 200


engine.start()
code = run_cases([large_pages_end_early_and_memory_stays, every_refusal_is_an_outcome_with_an_id])
fill()
code = code or run_cases([clients_that_have_gone_are_dropped, a_stop_does_not_wait_for_searches])
sys.exit(engine.stop() or code)
