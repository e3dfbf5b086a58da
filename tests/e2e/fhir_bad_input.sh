#!/usr/bin/env python3
"""What a FHIR client must not send, over real sockets: the right 4xx with an OperationOutcome, no crash, and others are served meanwhile.

    fhir_bad_input.sh SOURCE BUILD [CASE…]
"""
import pathlib
import sys
import threading
import urllib.parse

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port = free_port()
site = write_site(temp_folder() / "site", {"kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n'})
engine = Engine(build / "kiln", site)
JSON, XML = "application/fhir+json", "application/fhir+xml"
SQL = ["' OR 1=1 --", "\"; DROP TABLE resource; --", "x') UNION SELECT body FROM version --", "1; PRAGMA user_version=0", "%' OR '1'='1", "\\' OR 1=1 /*", "0x27"]


def connect():
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)


kept = connect()


def send(method, target, body=None, **headers):
    """Status and body; the answer to a 4xx must be an OperationOutcome."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        headers.setdefault("Content-Type", JSON)
    kept.request(method, "/fhir" + target, body.encode() if isinstance(body, str) else body, headers)
    response = kept.getresponse()
    text = response.read()
    if response.status >= 400:
        check_outcome(text, (method, target, response.status))
    return response.status, text


def check_outcome(text, what):
    outcome = json.loads(text)
    assert outcome["resourceType"] == "OperationOutcome" and outcome["issue"][0]["severity"] in ("error", "fatal"), (what, text[:200])


def refused(status, method, target, body=None, **headers):
    """`status` may be several."""
    found, text = send(method, target, body, **headers)
    assert found == status or isinstance(status, tuple) and found in status, (method, target, body if body is None else body[:100], found, text[:300])


def raw(data, close_write=False):
    """All that the server answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as one:
        one.sendall(data)
        if close_write:
            one.shutdown(socket.SHUT_WR)
        text = b""
        try:
            while chunk := one.recv(65536):
                text += chunk
        except ConnectionResetError:
            pass
        return text


def statuses(text):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", text)]


def count(type_):
    return int(json.loads(send("GET", f"/{type_}?_summary=count")[1])["total"])


def malformed_json():
    for text in ("", "{", "[]", "null", "nonsense", '{"resourceType":"Patient"', '{"resourceType":"Patient"}}', '{"resourceType":"Patient",}',
                 '{"resourceType":"Patient","active":tru}', '{"resourceType":"Patient","active":true,"active":true}', '{"resourceType":"Patient","name":[]}',
                 '{"resourceType":"Patient","birthDate":null}', '{"resourceType":"Patient","birthDate":""}', '{"resourceType":"Patient","id":"\\ud800"}',
                 '{"resourceType":"Patient","birthDate":01}', "{'resourceType':'Patient'}", '{"resourceType":"Patient"} x', '\x00', "\ufeff\ufeff{}"):
        refused(400, "POST", "/Patient", text)
    refused(400, "POST", "/Patient", b'{"resourceType":"Patient","gender":"\xff\xfe"}')
    refused((400, 413), "POST", "/Patient", '{"resourceType":"Patient","extension":' + '[{"extension":' * 5000 + "1" + "}]" * 5000 + "}")
    refused((400, 413), "POST", "/Patient", "[" * 200_000)
    refused(400, "POST", "/", '{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"')


def malformed_xml():
    start = '<Patient xmlns="http://hl7.org/fhir">'
    for text in ("", "<", "<Patient", start, "<Patient/>", start + '<active value="true"></Patient>', start + '<active value=true/></Patient>',
                 start + "<active/>text</Patient>", start + '<active value="&x;"/></Patient>', start + '<active value="true" value="true"/></Patient>',
                 '<!DOCTYPE Patient [<!ENTITY x "y">]>' + start + '<id value="&x;"/></Patient>',
                 '<!DOCTYPE Patient [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + start + '<id value="&x;"/></Patient>',
                 start + '<x:active xmlns:x="urn:x" value="true"/></Patient>', start + "</Patient><Patient/>", start + "<!-- -- --></Patient>"):
        refused(400, "POST", "/Patient", text, Content_Type=XML)
    bomb = "<!DOCTYPE lolz [" + '<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)) + "]>"
    refused(400, "POST", "/Patient", bomb + start + '<id value="&j;"/></Patient>', Content_Type=XML)
    refused((400, 413), "POST", "/Patient", start + "<extension>" * 50_000, Content_Type=XML)


def wrong_content_types():
    for kind in ("text/plain", "application/octet-stream", "text/html", "multipart/form-data; boundary=x", "application/fhir+turtle", "nonsense", "a/b/c",
                 JSON + "; charset=utf-16", JSON + "; fhirVersion=3.0"):
        refused(415, "POST", "/Patient", '{"resourceType":"Patient"}', Content_Type=kind)
    refused(400, "POST", "/Patient", '{"resourceType":"Patient"}', Content_Type=XML)
    refused(400, "POST", "/Patient", '<Patient xmlns="http://hl7.org/fhir"/>', Content_Type=JSON)
    refused(415, "PATCH", "/Patient/p1", "[]", Content_Type="text/plain")
    refused(415, "POST", "/Patient/_search", "{}")
    refused(415, "POST", "/Patient", b"\x1f\x8bx", Content_Encoding="br")
    refused(400, "POST", "/Patient", b"\x1f\x8bnot really", Content_Encoding="gzip")
    for accept in ("text/html", "image/png", "application/fhir+turtle", JSON + "; fhirVersion=5.0"):
        refused(406, "GET", "/Patient/p1", Accept=accept)


def unknown_parameters():
    for query in ("colour=red", "Name=x", "name2=x", "_colour=x", "name.x=1", "_has:Patient:x:y=1"):
        refused(400, "GET", "/Patient?" + query, Prefer="handling=strict")
    for query in ("name:fuzzy=x", "birthdate:exact=2000", "birthdate=yesterday", "birthdate=2000-13-01", "birthdate=zz2000", "_count=-1", "_count=x", "_total=all",
                  "_summary=most", "_sort=colour", "_include=Patient", "_include=Patient:colour", "_format=html", "_lastUpdated=x", "gender:missing=maybe",
                  "_has:Patient=1", "_has:Nothing:patient:code=1", "_type=Nonsense", "_page=nonsense", "organization:Patient.name=x", "name=%ff%fe", "%ff=x", "colour=%c3%28"):
        found, text = send("GET", "/Patient?" + query, Prefer="handling=strict")
        assert found in (400, 406), (query, found, text[:200])
    refused(400, "DELETE", "/Patient?colour=red")
    refused(400, "DELETE", "/Patient?")
    refused(400, "PUT", "/Patient?_count=1", '{"resourceType":"Patient"}')
    assert send("GET", "/Patient?colour=red&_count=1")[0] == 200  # lenient by default, and said


def bundles_over_the_limit():
    def bundle(kind, number):
        one = '{"request":{"method":"GET","url":"Patient/p1"}}'
        return f'{{"resourceType":"Bundle","type":"{kind}","entry":[' + ",".join([one] * number) + "]}"
    for kind in ("batch", "transaction"):
        refused(413, "POST", "/", bundle(kind, 5001))
        assert send("POST", "/", bundle(kind, 10))[0] == 200
    nested = '{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":""},"resource":%s}]}'
    found, text = send("POST", "/", nested % (nested % bundle("batch", 1)))
    assert found == 400 or json.loads(text)["entry"][0]["response"]["status"].startswith("4"), text[:300]
    for kind in ("searchset", "history", "nonsense"):
        refused(400, "POST", "/", bundle(kind, 1))


def content_length_lies():
    post = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    body = b'{"resourceType":"Patient"}'
    before = count("Patient")
    # Less than there is: the body is cut, and what follows is no request.
    answers = statuses(raw(post + b"Content-Length: %d\r\n\r\n" % (len(body) - 5) + body, True))
    assert answers and set(answers) == {400}, answers
    # More than comes: nothing is done with half a body.
    answers = statuses(raw(post + b"Content-Length: %d\r\n\r\n" % (len(body) + 50) + body, True))
    assert answers in ([], [400], [408]), answers
    for length in (b"-1", b"+26", b"0x1a", b"26, 26", b"1e2", b"", b"99999999999999999999999999", b"26\r\nContent-Length: 27"):
        answers = statuses(raw(post + b"Content-Length: " + length + b"\r\n\r\n" + body, True))
        assert answers and answers[0] in (400, 413) and len(answers) == 1, (length, answers)
    answers = statuses(raw(post + b"Content-Length: 99999999\r\n\r\n", True))
    assert answers == [413], answers
    assert count("Patient") == before


def smuggling():
    """One answer, a refusal, and the request that hides in the body is never answered nor done."""
    hidden = b"DELETE /fhir/Patient/p1 HTTP/1.1\r\nHost: x\r\n\r\n"
    post = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    length = b"Content-Length: %d\r\n" % (len(hidden) + 5)
    shapes = [length + b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n" + length, b"Transfer-Encoding: chunked, identity\r\n",
              b"Transfer-Encoding: identity, chunked\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
              b"X: y\r\n Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n" + length, b"Content-Length : 5\r\n", b"X: a\nTransfer-Encoding: chunked\r\n",
              b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Host: y\r\n" + length]
    for shape in shapes:
        text = raw(post + shape + b"\r\n0\r\n\r\n" + hidden, True)
        answers = statuses(text)
        assert len(answers) == 1 and answers[0] in (400, 501), (shape, answers)
        check_outcome(text.split(b"\r\n\r\n", 1)[1], shape)
    for chunk in (b"-1\r\n", b"ffffffffffffffffff\r\n", b"5;x\r\nab", b"g\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n", b" 5\r\nabcde\r\n0\r\n\r\n"):
        answers = statuses(raw(post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + hidden, True))
        assert len(answers) <= 1 and set(answers) <= {400, 408, 413}, (chunk, answers)
    for line in (b"GET /fhir/Patient/p1 HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", b"GET  /fhir HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /fhir\r\nHost: x\r\n\r\n",
                 b"G\x01T /fhir HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /fhir/Patient/p1\x00 HTTP/1.1\r\nHost: x\r\n\r\n"):
        answers = statuses(raw(line, True))
        assert len(answers) <= 1 and set(answers) <= {400, 404, 505}, (line, answers)
    assert send("GET", "/Patient/p1")[0] == 200


class Others:
    """Reads one patient all the while, and counts."""

    def __enter__(self):
        self.stopping, self.served, self.wrong = threading.Event(), 0, []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        connection = connect()
        while not self.stopping.is_set():
            connection.request("GET", "/fhir/Patient/p1")
            response = connection.getresponse()
            response.read()
            self.served += 1
            if response.status != 200:
                self.wrong.append(response.status)
        connection.close()

    def __exit__(self, type_, *_):
        self.stopping.set()
        self.thread.join()
        if type_ is None:
            assert self.served > 10 and not self.wrong, (self.served, self.wrong[:5])


def slow_clients():
    """Heads and bodies that come letter by letter, and answers that nobody takes, delay nobody else."""
    opened = []
    with Others() as others:
        for number in range(150):
            one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            if number % 3 == 0:
                one.sendall(b"GET /fhir/Pat")
            elif number % 3 == 1:
                one.sendall(b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 1000\r\n\r\n{")
            else:
                one.sendall(b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            opened.append(one)
        for _ in range(5):
            for number, one in enumerate(opened):
                if number % 3 < 2:
                    one.sendall(b"x")
        before = others.served
        wait_for("others are served", lambda: others.served > before + 20)
    for one in opened:
        one.close()


def slow_query_strings():
    """Each ends with an answer: a page, or a refusal that says what to write instead."""
    quote = urllib.parse.quote
    many = ",".join(f"v{n}" for n in range(900))
    queries = ["identifier=" + many, "name:contains=" + ",".join("aeiou"), "name:contains=a&address:contains=b&given:contains=c&family:contains=d",
               "&".join(f"name=a{n}" for n in range(200)), "&".join("_has:Observation:patient:_has:Condition:encounter:code=1" for _ in range(20)),
               "_has:Observation:patient:" * 50 + "code=1", "organization." * 60 + "name=x", "general-practitioner:Organization.partof.partof.partof.name=x",
               "&".join(f"_include=*&_revinclude=Observation:patient&_include:iterate=*" for _ in range(20)), "_sort=" + ",".join(["name", "-birthdate", "gender"] * 60),
               "birthdate=ne2000&birthdate=ne2001&birthdate=ge1900&birthdate=le2100&gender:not=male", "_id=" + many, "name=" + "%25" * 1500, "name=" + quote("\u0301" * 400),
               "birthdate=" + ",".join(f"ne{1900 + n}" for n in range(120)), "_elements=" + ",".join("name" for _ in range(1000)), "_type=Patient&" * 300 + "name=x",
               "identifier=" + "%7C" * 2000, "&" * 6000, "=" * 6000, "_list=" + "x" * 3000, "_lastUpdated=ne2000&_lastUpdated=ne2001&_total=accurate&_count=0",
               "gender:in=http://hl7.org/fhir/ValueSet/all-languages&language:in=http://hl7.org/fhir/ValueSet/all-languages"]
    with Others():
        for query in queries:
            for target in ("/Patient?", "/?_type=Patient,Observation&"):
                found, text = send("GET", target + query)
                assert found in (200, 400, 403, 414, 503), (query[:80], found, text[:300])
        found, _ = send("POST", "/Patient/_search", "&".join(f"name:contains=a{n}" for n in range(20_000)), Content_Type="application/x-www-form-urlencoded")
        assert found in (200, 400, 403, 413), found


def sql_in_every_parameter():
    """Every search parameter of every type that the CapabilityStatement names, and every other place where text comes in."""
    before = count("Patient"), count("Observation")
    statement = json.loads(send("GET", "/metadata")[1])
    asked = 0
    for resource in statement["rest"][0]["resource"]:
        for parameter in resource["searchParam"]:
            value = SQL[asked % len(SQL)]
            asked += 1
            modifier = {"string": ("", ":exact", ":contains"), "token": ("", ":text", ":not"), "reference": ("", ":identifier"), "uri": ("", ":below", ":above")}.get(parameter["type"], ("",))
            name = parameter["name"] + modifier[asked % len(modifier)]
            found, text = send("GET", f"/{resource['type']}?{name}={urllib.parse.quote(value, safe='')}&_count=5&_total=none")
            assert found in (200, 400), (name, value, found, text[:300])
            if found == 200 and not name.endswith(":not"):
                matches = [e for e in json.loads(text).get("entry", []) if e["search"]["mode"] == "match"]
                assert matches == [], (name, value, text[:300])
    assert asked > 1500, asked
    for value in SQL:
        text = urllib.parse.quote(value, safe="")
        for target in (f"/Patient?{text}=1", f"/Patient?name:{text}=1", f"/Patient?_sort={text}", f"/Patient?_include={text}", f"/Patient?_elements={text}",
                       f"/Patient?_has:{text}:patient:code=1", f"/Patient?_has:Observation:patient:{text}=1", f"/Patient?organization.{text}=1", f"/Patient?_page={text}",
                       f"/Patient?_count={text}", f"/Patient?_list={text}", f"/?_type={text}", f"/Patient/{text}", f"/{text}", f"/{text}/1", f"/Patient/p1/_history/{text}",
                       f"/_history?_since={text}", f"/Patient/p1/{text}", f"/Patient/p1/{text}?code=1", f"/Patient/{text}/Observation", f"/Patient/p1/$everything?_type={text}",
                       f"/ValueSet/$expand?url={text}", f"/CodeSystem/$lookup?system={text}&code={text}"):
            found, answer = send("GET", target)
            assert found in (200, 400, 403, 404, 405, 406, 410, 422), (target, found, answer[:300])
        for method, target, headers in (("POST", "/Patient", {"If_None_Exist": "identifier=" + text}), ("PUT", f"/Patient?identifier={text}", {}), ("PATCH", f"/Patient?identifier={text}", {}),
                                        ("DELETE", f"/Patient?identifier={text}", {}), ("PUT", f"/Patient/{text}", {}), ("POST", "/Patient/_search", {"Content_Type": "application/x-www-form-urlencoded"})):
            body = None if method == "DELETE" else f"name={text}" if "_search" in target else '{"resourceType":"Patient","identifier":[{"system":"urn:sql"}]}'
            found, answer = send(method, target, body, **headers)
            assert found < 500, (method, target, found, answer[:300])
    # What was written meanwhile is what the conditional writes made, and nothing is gone.
    assert count("Patient") >= before[0] and count("Observation") == before[1]
    assert send("GET", "/Patient/p1")[0] == 200


def it_still_works():
    found, text = send("GET", "/Patient/p1")
    assert found == 200 and json.loads(text)["name"][0]["family"] == "Still"
    assert engine.process.poll() is None


engine.start()
assert send("PUT", "/Patient/p1", '{"resourceType":"Patient","id":"p1","name":[{"family":"Still"}]}')[0] == 201
assert send("PUT", "/Observation/o1", '{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}')[0] == 201
cases = [malformed_json, malformed_xml, wrong_content_types, unknown_parameters, bundles_over_the_limit, content_length_lies, smuggling, slow_clients, slow_query_strings,
         sql_in_every_parameter, it_still_works]
code = run_cases([one for one in cases if len(sys.argv) <= 3 or one.__name__ in sys.argv[3:]])
sys.exit(engine.stop() or code)
