#!/usr/bin/env python3
"""The 25 points of a FHIR R4 server, each by its number, over real sockets and the real store.

    fhir_points.sh SOURCE BUILD [POINT…]

A point is one function; it makes its own resources and leaves the others alone.
"""
import base64
import concurrent.futures
import gzip
import pathlib
import sys
import xml.dom.minidom

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

folder = temp_folder()
http_port = free_port()
site = write_site(folder / "site", {
    "kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http_port} }}\n}}\n',
    "channels/notes.channel": """module e2e.points
channel notes {
  source fhir { serve message; event "note" }
  accept fhir Bundle
  to keep: drop from source { }
}
"""})
engine = Engine(build / "kiln", site)
BASE = f"http://127.0.0.1:{http_port}/fhir"
JSON, XML = "application/fhir+json", "application/fhir+xml"


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body, parse_float=str, parse_int=str)


def send(method, target, body=None, connection=None, **headers):
    """Header names are written with _ for -."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        headers.setdefault("Content-Type", JSON)
    one = connection or http.client.HTTPConnection("127.0.0.1", http_port, timeout=PATIENCE)
    try:
        one.request(method, "/fhir" + target, body, headers)
        return Answer(one.getresponse())
    finally:
        if connection is None:
            one.close()


def get(target, **headers):
    return send("GET", target, **headers)


def put(resource, **headers):
    answer = send("PUT", f"/{resource['resourceType']}/{resource['id']}", resource, **headers)
    assert answer.status in (200, 201), answer.body
    return answer


def is_outcome(answer, status, expression=None):
    """The status, an OperationOutcome with an issue, and where it is."""
    assert answer.status == status, (answer.status, answer.body)
    outcome = answer.json
    assert outcome["resourceType"] == "OperationOutcome" and outcome["issue"][0]["code"], outcome
    assert answer.headers["X-Request-Id"], answer.headers.items()
    if expression is not None:
        assert any(expression in issue.get("expression", []) for issue in outcome["issue"]), outcome
    return outcome


def patient(id=None, mrn=None, **more):
    resource = {"resourceType": "Patient", **more}
    if id:
        resource["id"] = id
    if mrn:
        resource["identifier"] = [{"system": "urn:mrn", "value": mrn}]
    return resource


def observation(id, code, **more):
    return {"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"system": "urn:c", "code": code}]}, **more}


def bundle(kind, *entries):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method, url, resource=None, full_url=None, **request):
    made = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    if full_url:
        made["fullUrl"] = full_url
    return made


def matches(target, **headers):
    answer = get(target, Prefer="handling=strict", **headers)
    assert answer.status == 200, answer.body
    return [e["resource"]["id"] for e in answer.json.get("entry", []) if e["search"]["mode"] == "match"]


def link(answer, relation):
    return next((l["url"].removeprefix(BASE) for l in answer.json["link"] if l["relation"] == relation), None)


def point_01_weak_etag_is_the_version():
    made = send("POST", "/Patient", patient())
    version = made.json["meta"]["versionId"]
    assert made.headers["ETag"] == f'W/"{version}"'
    target = "/Patient/" + made.json["id"]
    assert get(target, If_None_Match=f'W/"{version}"').status == 304
    assert get(target, If_None_Match='W/"99"').status == 200
    assert get(target, If_Modified_Since=made.headers["Last-Modified"]).status == 304
    assert get(target + "/_history/1", If_None_Match='W/"1"').status == 304
    assert send("HEAD", target, If_None_Match=f'W/"{version}"').status == 304
    changed = send("PUT", target, {**made.json, "active": True})
    assert changed.headers["ETag"] == 'W/"2"' and changed.json["meta"]["versionId"] == "2"
    assert get(target, If_None_Match='W/"1"').status == 200 and get(target, If_None_Match='W/"1", W/"2"').status == 304
    assert send("PUT", target, changed.json).headers["ETag"] == 'W/"2"'  # the same content: no new version


def point_02_if_match():
    put(patient("p2"))
    is_outcome(send("PUT", "/Patient/p2", patient("p2", active=True), If_Match='W/"9"'), 412)
    assert send("PUT", "/Patient/p2", patient("p2", active=True), If_Match='W/"1"').status == 200
    is_outcome(send("DELETE", "/Patient/p2", If_Match='W/"1"'), 412)
    refused = send("POST", "/", bundle("transaction", entry("PUT", "Patient/p2", patient("p2"), ifMatch='W/"1"')))
    is_outcome(refused, 412)
    patch = [{"op": "remove", "path": "/active"}]
    assert send("PATCH", "/Patient/p2", patch, If_Match='W/"1"', Content_Type="application/json-patch+json").status == 412
    is_outcome(send("PUT", "/Patient/p2", patient("p2"), If_None_Match="*"), 412)
    assert get("/Patient/p2/_history").json["total"] == "2"


def point_03_gone_is_not_missing():
    is_outcome(get("/Patient/p3"), 404)
    put(patient("p3"))
    assert send("DELETE", "/Patient/p3").status == 204
    assert send("DELETE", "/Patient/p3").status == 204
    gone = get("/Patient/p3")
    is_outcome(gone, 410)
    assert gone.headers["ETag"] == 'W/"2"'
    assert get("/Patient/p3/_history/1").status == 200
    is_outcome(get("/Patient/p3/_history/2"), 410)
    revived = send("PUT", "/Patient/p3", patient("p3"))
    assert revived.status == 201 and revived.headers["ETag"] == 'W/"3"'


def point_04_ids_of_create_and_update():
    made = send("POST", "/Patient", patient("mine", meta={"versionId": "7", "lastUpdated": "2001-01-01T00:00:00Z"}))
    assert made.status == 201 and made.json["id"] != "mine" and made.json["meta"]["versionId"] == "1"
    assert made.headers["Location"] == f"{BASE}/Patient/{made.json['id']}/_history/1"
    is_outcome(send("PUT", "/Patient/p4", patient()), 400, "Patient.id")
    is_outcome(send("PUT", "/Patient/p4", patient("other")), 400, "Patient.id")
    assert send("PUT", "/Patient/p4", patient("p4")).status == 201
    assert send("PUT", "/Patient/p4", patient("p4", active=True)).status == 200
    is_outcome(send("POST", "/Patient", {"resourceType": "Observation"}), 400)


def point_05_conditional_writes():
    criteria = {"If_None_Exist": "identifier=urn:mrn|five"}
    first = send("POST", "/Patient", patient(mrn="five"), **criteria)
    again = send("POST", "/Patient", patient(mrn="five"), **criteria)
    assert (first.status, again.status) == (201, 200) and again.headers["Location"] == first.headers["Location"]
    assert send("PUT", "/Patient?identifier=urn:mrn|five", patient(mrn="five", active=True)).status == 200
    assert send("PUT", "/Patient?identifier=urn:mrn|five-b", patient(mrn="five-b")).status == 201
    patch = [{"op": "replace", "path": "/active", "value": False}]
    assert send("PATCH", "/Patient?identifier=urn:mrn|five", patch, Content_Type="application/json-patch+json").status == 200
    assert send("PATCH", "/Patient?identifier=urn:mrn|none", patch, Content_Type="application/json-patch+json").status == 404
    send("POST", "/Patient", patient(mrn="five"))
    for answer in (send("POST", "/Patient", patient(mrn="five"), **criteria), send("PUT", "/Patient?identifier=urn:mrn|five", patient()),
                   send("DELETE", "/Patient?identifier=urn:mrn|five")):
        is_outcome(answer, 412)
    for wrong in ("", "colour=red", "_count=1"):
        is_outcome(send("POST", "/Patient", patient(), If_None_Exist=wrong), 400)
    assert send("DELETE", "/Patient?identifier=urn:mrn|none").status == 204
    put(patient("p5", mrn="five-c"))
    is_outcome(send("PUT", "/Patient?identifier=urn:mrn|five-c", patient("other", mrn="five-c")), 400)
    assert send("PUT", "/Patient?identifier=urn:mrn|five-d", patient("p5d", mrn="five-d")).headers["Location"] == f"{BASE}/Patient/p5d/_history/1"
    assert send("DELETE", "/Patient?identifier=urn:mrn|five-c").status == 204 and get("/Patient/p5").status == 410
    for query in ("", "colour=red", "_count=1", "name:fuzzy=x"):
        is_outcome(send("PUT", "/Patient?" + query, patient()), 400)
        is_outcome(send("DELETE", "/Patient?" + query), 400)
    # Atomic: of many at once one creates.
    race = {"If_None_Exist": "identifier=urn:mrn|five-race"}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: send("POST", "/Patient", patient(mrn="five-race"), **race).status, range(64)))
    assert sorted(set(statuses)) == [200, 201] and statuses.count(201) == 1, statuses


def point_06_transaction_order():
    put(patient("p6", mrn="six"))
    done = send("POST", "/", bundle("transaction", entry("GET", "Patient?identifier=urn:mrn|six-new"), entry("PUT", "Patient/p6b", patient("p6b")),
                                    entry("POST", "Patient", patient(mrn="six-new")), entry("DELETE", "Patient/p6")))
    assert done.status == 200 and done.json["type"] == "transaction-response", done.body
    statuses = [e["response"]["status"][:3] for e in done.json["entry"]]
    assert statuses == ["200", "201", "201", "204"]
    assert done.json["entry"][0]["resource"]["total"] == "1"  # GET sees what the others did
    is_outcome(send("POST", "/", bundle("transaction", entry("PUT", "Patient/x6", patient("x6")), entry("DELETE", "Patient/x6"))), 400)
    is_outcome(send("POST", "/", bundle("transaction", entry("PUT", "Patient?identifier=urn:mrn|six-new", patient(mrn="six-new")),
                                        entry("PUT", "Patient?identifier=urn:mrn|six-new", patient(mrn="six-new")))), 400)
    is_outcome(get("/Patient/x6"), 404)


def point_07_references_are_rewritten():
    urn = "urn:uuid:7f5a1f0a-0000-4000-8000-000000000007"
    put(patient("p7", mrn="seven"))
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{urn}">x</a></div>'
    made = observation(None, "seven", subject={"reference": urn}, text={"status": "generated", "div": div},
                       extension=[{"url": "urn:e", "valueUri": urn}, {"url": "urn:e", "valueCanonical": urn}],
                       performer=[{"reference": "Patient?identifier=urn:mrn|seven"}])
    del made["id"]
    done = send("POST", "/", bundle("transaction", entry("POST", "Observation", made), entry("POST", "Patient", patient(), urn)))
    assert done.status == 200, done.body
    kept, new = done.json["entry"][0]["resource"], "Patient/" + done.json["entry"][1]["resource"]["id"]
    assert kept["subject"]["reference"] == new and kept["performer"][0]["reference"] == "Patient/p7"
    assert f'href="{new}"' in kept["text"]["div"]
    assert kept["extension"][0]["valueUri"] == new and kept["extension"][1]["valueCanonical"] == urn
    is_outcome(send("POST", "/", bundle("transaction", entry("POST", "Observation", {**made, "subject": {"reference": urn}}))), 400,
               "Bundle.entry[0].resource.subject.reference")
    # A relative reference is found against the fullUrl of its own entry; a versioned one stays versioned; urn:oid and img too.
    other, oid = "http://elsewhere.test/fhir", "urn:oid:1.2.3.4"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><img src="{oid}" alt="x"/></div>'
    made = {**made, "subject": {"reference": "Patient/a7"}, "performer": [{"reference": "Practitioner/b7/_history/1"}], "text": {"status": "generated", "div": div}}
    done = send("POST", "/", bundle("transaction", entry("POST", "Observation", made, f"{other}/Observation/o7"), entry("POST", "Patient", patient(), f"{other}/Patient/a7"),
                                    entry("POST", "Practitioner", {"resourceType": "Practitioner"}, oid)))
    assert done.status == 200, done.body
    kept, new, who = (e["resource"] for e in done.json["entry"])
    assert kept["subject"]["reference"] == f"Patient/{new['id']}" and kept["performer"][0]["reference"] == "Practitioner/b7/_history/1"
    assert f'src="Practitioner/{who["id"]}"' in kept["text"]["div"]
    for wrong in ("Patient?identifier=urn:mrn|nobody", "Patient?colour=red"):
        refused = send("POST", "/", bundle("transaction", entry("POST", "Observation", {**made, "subject": {"reference": wrong}})))
        assert refused.status in (400, 412), refused.body
        is_outcome(refused, refused.status)


def point_08_batch_and_failed_transaction():
    done = send("POST", "/", bundle("batch", entry("PUT", "Patient/p8", patient("p8")), entry("GET", "Patient/none"), entry("GET", "Patient/p8")))
    assert done.status == 200 and done.json["type"] == "batch-response"
    assert [e["response"]["status"][:3] for e in done.json["entry"]] == ["201", "404", "200"]
    assert done.json["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    urn = "urn:uuid:7f5a1f0a-0000-4000-8000-000000000008"
    done = send("POST", "/", bundle("batch", entry("POST", "Patient", patient(), urn), entry("POST", "Observation", {k: v for k, v in observation(None, "eight", subject={"reference": urn}).items() if k != "id"}),
                                    entry("GET", "Observation?code=eight"), entry("GET", "Patient/p8/_history"), entry("POST", "Patient/$validate", patient())))
    assert [e["response"]["status"][:3] for e in done.json["entry"]] == ["201", "400", "200", "200", "200"], done.body
    failed = send("POST", "/", bundle("transaction", entry("PUT", "Patient/p8b", patient("p8b")), entry("PUT", "Patient/p8c", patient("p8c", gender="x"))))
    is_outcome(failed, 400, "Bundle.entry[1].resource.gender")
    is_outcome(get("/Patient/p8b"), 404)


def point_09_links_show_what_was_used():
    for number in range(5):
        put(observation(f"o9-{number}", "nine"))
    page = get("/Observation?code=urn:c|nine&_count=2&_elements=code&colour=red")
    assert link(page, "self") == "/Observation?code=urn%3Ac%7Cnine&_count=2&_elements=code"
    seen, target = [], "/Observation?code=urn:c|nine&_count=2&_elements=code"
    while target:
        page = get(target)
        seen += [e["resource"]["id"] for e in page.json["entry"]]
        assert all("status" in e["resource"] and "subject" not in e["resource"] for e in page.json["entry"])
        target = link(page, "next")
    assert seen == [f"o9-{n}" for n in range(5)]
    first = link(get("/Observation?code=urn:c|nine&_count=2"), "next")
    assert get(first).status == 200
    is_outcome(get(first[:-2] + ("aa" if first[-2:] != "aa" else "bb")), 400)
    is_outcome(get(first.replace("nine", "other")), 400)


def point_10_entries():
    put(patient("p10"))
    put(observation("o10a", "ten", subject={"reference": "Patient/p10"}))
    put(observation("o10b", "ten", subject={"reference": "Patient/p10"}))
    found = get("/Observation?code=urn:c|ten&_include=Observation:subject").json
    assert found["total"] == "2" and [e["search"]["mode"] for e in found["entry"]] == ["match", "match", "include"]
    for one in found["entry"]:
        assert one["fullUrl"] == f"{BASE}/{one['resource']['resourceType']}/{one['resource']['id']}"
    back = get("/Patient?_id=p10&_revinclude=Observation:subject").json
    assert [e["resource"]["id"] for e in back["entry"]] == ["p10", "o10a", "o10b"] and back["total"] == "1"


def point_11_count_and_total():
    for number in range(3):
        put(observation(f"o11-{number}", "eleven"))
    for none in ("_count=0", "_summary=count"):
        answer = get("/Observation?code=urn:c|eleven&" + none).json
        assert answer["total"] == "3" and "entry" not in answer
    page = get("/Observation?code=urn:c|eleven&_count=2")
    assert len(page.json["entry"]) == 2 and page.json["total"] == "3"
    assert get(link(page, "next")).json["total"] == "3"
    assert "total" not in get("/Observation?code=urn:c|eleven&_total=none").json
    assert get("/Observation?code=urn:c|eleven&_total=accurate").json["total"] == "3"


def point_12_strict_and_lenient():
    is_outcome(get("/Patient?colour=red", Prefer="handling=strict"), 400)
    lenient = get("/Patient?colour=red&_count=1", Prefer="handling=lenient")
    assert lenient.status == 200 and lenient.json["entry"][-1]["search"]["mode"] == "outcome"
    is_outcome(get("/Patient?gender:fuzzy=x"), 400)
    is_outcome(get("/Patient?birthdate=yesterday"), 400)
    assert get("/Patient?gender=", Prefer="handling=strict").status == 200


def point_13_tokens():
    put(patient("p13a", identifier=[{"system": "urn:13", "value": "a"}], gender="male"))
    put(patient("p13b", identifier=[{"value": "a"}, {"system": "urn:13", "value": "b"}]))
    assert matches("/Patient?identifier=urn:13|a") == ["p13a"]
    assert matches("/Patient?identifier=|a&_id=p13a,p13b") == ["p13b"]
    assert matches("/Patient?identifier=a&_id=p13a,p13b") == ["p13a", "p13b"]
    assert matches("/Patient?identifier=urn:13|") == ["p13a", "p13b"]
    assert matches("/Patient?gender:not=male&identifier=urn:13|") == ["p13b"]
    assert matches("/Patient?gender:missing=true&identifier=urn:13|") == ["p13b"]
    coding = {"system": "urn:s13", "code": "x"}
    put(patient("p13c", active=True, gender="female", telecom=[{"system": "phone", "value": "555-0113"}], communication=[{"language": {"coding": [coding]}}],
                meta={"tag": [coding]}, identifier=[{"type": {"coding": [{"system": "urn:t13", "code": "MR"}]}, "system": "urn:13", "value": "c"}]))
    put(observation("o13", "thirteen", valueCodeableConcept={"coding": [coding], "text": "Thirteen words"}))
    for query in ("active=true", "active=http://terminology.hl7.org/CodeSystem/special-values|true", "gender=female", "gender=http://hl7.org/fhir/administrative-gender|female",
                  "phone=555-0113", "language=urn:s13|x", "_tag=urn:s13|x", "identifier:of-type=urn:t13|MR|c"):
        found = matches("/Patient?_id=p13c&" + query)
        assert found == ["p13c"] or query.startswith("active=http"), (query, found)
    assert matches("/Observation?_id=o13&value-concept=urn:s13|x") == ["o13"] and matches("/Observation?_id=o13&value-concept:text=thirteen") == ["o13"]
    assert matches("/Observation?_id=o13&status=http://hl7.org/fhir/observation-status|final") == ["o13"]


def point_14_strings():
    put(patient("p14", name=[{"family": "Ångström-Müller", "given": ["Zoë"]}]))
    for query in ("family=angstrom", "name=ZOE", "family:contains=MULL", "family:exact=%C3%85ngstr%C3%B6m-M%C3%BCller", "given=zo"):
        assert matches(f"/Patient?_id=p14&{query}") == ["p14"], query
    for query in ("family=muller", "family:exact=angstrom-muller"):
        assert matches(f"/Patient?_id=p14&{query}") == [], query


def point_15_dates():
    put(patient("p15", birthDate="1990-05"))
    put({"resourceType": "Encounter", "id": "e15", "status": "finished", "class": {"code": "AMB"}, "period": {"start": "2024-01-01T23:30:00-05:00"}})
    hits = {"1990": 1, "1990-05": 1, "1990-05-10": 0, "ap1990-05-10": 1, "gt1990-05-10": 1, "lt1990-05-10": 1, "sa1990-04": 1, "eb1990-05": 0, "ne1990": 0}
    for value, expected in hits.items():
        assert len(matches(f"/Patient?_id=p15&birthdate={value}")) == expected, value
    assert matches("/Encounter?_id=e15&date=ge2024-01-02T04:30:00Z") == ["e15"]
    assert matches("/Encounter?_id=e15&date=sa2024-01-02T04:29:59Z") == ["e15"]
    assert matches("/Encounter?_id=e15&date=gt2100") == ["e15"]  # it has no end
    assert matches("/Encounter?_id=e15&date=ge2024-01-01T23:30:00-05:00") == ["e15"]


def point_16_numbers():
    for id, value in (("o16a", "99.5"), ("o16b", "100.49"), ("o16c", "100.5")):
        body = json.dumps(observation(id, "sixteen", valueQuantity={"value": 0, "unit": "mg"})).replace('"value": 0', f'"value": {value}')
        assert send("PUT", f"/Observation/{id}", body).status == 201
    assert matches("/Observation?code=sixteen&value-quantity=100") == ["o16a", "o16b"]
    assert matches("/Observation?code=sixteen&value-quantity=1e2") == ["o16a", "o16b", "o16c"]
    assert matches("/Observation?code=sixteen&value-quantity=gt100.49||mg") == ["o16c"]
    assert matches("/Observation?code=sixteen&value-quantity=100||g") == []


def point_17_references_and_chains():
    put({"resourceType": "Organization", "id": "g17", "name": "Seventeen"})
    put(patient("p17", name=[{"family": "Siebzehn"}], managingOrganization={"reference": "Organization/g17"}))
    put(observation("o17", "seventeen", subject={"reference": f"{BASE}/Patient/p17"}))
    put(observation("o17b", "seventeen", subject={"identifier": {"system": "urn:17", "value": "1"}}))
    for query in ("subject=Patient/p17", f"subject={BASE}/Patient/p17", "subject=p17", "subject:Patient=p17", "patient=p17",
                  "subject:Patient.family=siebzehn", "patient.family=siebzehn", "patient.organization.name=seventeen"):
        assert matches("/Observation?code=seventeen&" + query) == ["o17"], query
    assert matches("/Observation?subject:identifier=urn:17|1") == ["o17b"]
    assert matches("/Patient?_has:Observation:patient:code=seventeen") == ["p17"]
    is_outcome(get("/Observation?subject.identifier=x"), 400)  # Patient, Group, Device or Location


def point_18_escaping_and_composites():
    put(patient("p18", identifier=[{"system": "urn:18", "value": "a,b|c$d\\e"}], gender="male", active=True))
    assert matches("/Patient?identifier=urn:18|a%5C,b%5C|c%5C$d%5C%5Ce") == ["p18"]
    assert matches("/Patient?_id=p18&gender=female,male&active=true") == ["p18"]
    assert matches("/Patient?_id=p18&gender=male&active=false") == []
    part = lambda code, value: {"code": {"coding": [{"code": code}]}, "valueQuantity": {"value": value}}
    put(observation("o18", "eighteen", component=[part("sys", 120), part("dia", 80)]))
    assert matches("/Observation?code=eighteen&component-code-value-quantity=sys$120") == ["o18"]
    assert matches("/Observation?code=eighteen&component-code-value-quantity=sys$80") == []


def point_19_decimals_keep_their_digits():
    body = '{"resourceType":"Observation","id":"o19","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50000000000000000001000}}'
    assert send("PUT", "/Observation/o19", body).status == 201
    digits = b"1.50000000000000000001000"
    assert digits in get("/Observation/o19").body and digits in get("/Observation/o19", Accept=XML).body
    assert send("PATCH", "/Observation/o19", [{"op": "add", "path": "/issued", "value": "2024-01-01T00:00:00Z"}],
                Content_Type="application/json-patch+json").status == 200
    assert digits in get("/Observation/o19").body
    xml_text = get("/Observation/o19", Accept=XML).body.replace(b"o19", b"o19b")
    assert send("PUT", "/Observation/o19b", xml_text, Content_Type=XML).status == 201
    assert digits in get("/Observation/o19b").body and digits in get("/Observation/_history?_count=1").body


def point_20_json_and_xml_forms():
    twin = '{"resourceType":"Patient","id":"p20","_birthDate":{"extension":[{"url":"urn:e","valueString":"x"}]},"name":[{"given":["A",null],"_given":[null,{"id":"g"}]}]}'
    assert send("PUT", "/Patient/p20", twin).status == 201
    kept = get("/Patient/p20").json
    assert kept["name"][0]["_given"] == [None, {"id": "g"}] and kept["_birthDate"]["extension"][0]["url"] == "urn:e"
    for wrong in ('{"resourceType":"Patient","active":true,"active":true}', '{"resourceType":"Patient","name":[]}', '{"resourceType":"Patient","name":[{}]}',
                  '{"resourceType":"Patient","birthDate":""}', '{"resourceType":"Patient","birthDate":null}', '{"resourceType":"Patient"'):
        is_outcome(send("POST", "/Patient", wrong), 400)
    text = get("/Patient/p20", Accept=XML).body
    xml.dom.minidom.parseString(text)
    assert text.index(b"<id ") < text.index(b"<meta>") < text.index(b"<name>") < text.index(b"<birthDate")
    wrong_order = b'<Patient xmlns="http://hl7.org/fhir"><birthDate value="1990"/><active value="true"/></Patient>'
    is_outcome(send("POST", "/Patient", wrong_order, Content_Type=XML), 400)
    script = '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x">x</p></div>'
    invalid = send("POST", "/Patient/$validate", patient(text={"status": "generated", "div": script}))
    assert any(i["severity"] == "error" for i in invalid.json["issue"]), invalid.body


def point_21_negotiation():
    put(patient("p21"))
    for accept in ("json", "text/json", "application/json", JSON, "application/json+fhir", "*/*", f"{JSON}; fhirVersion=4.0"):
        assert get("/Patient/p21", Accept=accept).headers["Content-Type"] == f"{JSON}; charset=UTF-8", accept
    for accept in ("xml", "text/xml", "application/xml", XML, "application/xml+fhir", f"{JSON};q=0.1, {XML}"):
        assert get("/Patient/p21", Accept=accept).headers["Content-Type"] == f"{XML}; charset=UTF-8", accept
    assert get("/Patient/p21?_format=xml", Accept=JSON).body.startswith(b"<Patient")
    for refused in ("text/html", "application/fhir+turtle", f"{JSON}; fhirVersion=3.0"):
        is_outcome(get("/Patient/p21", Accept=refused), 406)
    is_outcome(send("POST", "/Patient", b"x", Content_Type="text/plain"), 415)
    is_outcome(send("POST", "/Patient", patient(), Content_Type=f"{JSON}; charset=iso-8859-1"), 415)
    whole, head = get("/Patient/p21"), send("HEAD", "/Patient/p21")
    assert head.body == b"" and head.headers["Content-Length"] == str(len(whole.body)) and head.headers["ETag"] == whole.headers["ETag"]
    packed = get("/metadata", Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip" and json.loads(gzip.decompress(packed.body))["fhirVersion"] == "4.0.1"
    assert b"\n  " in get("/Patient/p21?_pretty=true").body


def point_22_outcomes_and_prefer():
    is_outcome(send("POST", "/Patient", patient(gender="x")), 400, "Patient.gender")
    is_outcome(send("POST", "/Patient", {"resourceType": "Patient", "colour": "red"}), 400)
    wrong_method = send("PUT", "/metadata", {})
    is_outcome(wrong_method, 405)
    assert "GET" in wrong_method.headers["Allow"]
    is_outcome(get("/Nonsense"), 404)
    is_outcome(get("/Patient?" + "x" * 9000), 414)
    is_outcome(get("/Patient", **{"X_" + "n" * 40: "v" * 40000}), 431)
    assert send("POST", "/Patient", patient(), Prefer="return=minimal").body == b""
    assert send("POST", "/Patient", patient(), Prefer="return=OperationOutcome").json["resourceType"] == "OperationOutcome"
    assert send("POST", "/Patient", patient(), Prefer="return=representation").json["resourceType"] == "Patient"
    assert get("/metadata", X_Request_Id="mine-22").headers["X-Request-Id"] == "mine-22"
    for target in ("/Patient", "/metadata", "/Patient/p22/_history", "/_history"):
        put(patient("p22"))
        assert send("HEAD", target).body == b"" and send("HEAD", target).status == get(target).status
    for answer in (get("/Patient/none", Accept=XML), send("POST", "/Patient", patient(gender="x"), Accept=XML)):
        assert answer.headers["Content-Type"] == f"{XML}; charset=UTF-8" and answer.body.startswith(b"<OperationOutcome"), answer.body
    ids = {get("/metadata").headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3


def point_23_subsetted():
    put(patient("p23", name=[{"family": "X"}], contact=[{"name": {"family": "Y"}}]))
    for query in ("_summary=true", "_elements=name"):
        part = get("/Patient/p23?" + query).json
        assert part["meta"]["tag"][0]["code"] == "SUBSETTED" and "contact" not in part and "name" in part, part
        found = get("/Patient?_id=p23&" + query).json["entry"][0]["resource"]
        assert found == part
    is_outcome(send("PUT", "/Patient/p23", get("/Patient/p23?_elements=name").json), 422, "Patient.meta.tag")


def point_24_history():
    put(patient("p24"))
    second = put(patient("p24", active=True))
    send("DELETE", "/Patient/p24")
    history = get("/Patient/p24/_history").json
    assert history["total"] == "3" and [e["request"]["method"] for e in history["entry"]] == ["DELETE", "PUT", "PUT"]
    assert "resource" not in history["entry"][0] and history["entry"][2]["response"]["status"][:3] == "201"
    since = second.json["meta"]["lastUpdated"]
    later = get("/Patient/_history?_since=" + since.replace("+", "%2B")).json["entry"]
    assert {e["response"]["etag"] for e in later if e["fullUrl"].endswith("/p24")} >= {'W/"2"', 'W/"3"'}
    stamps = [e["response"]["lastModified"] for e in get("/_history?_count=200").json["entry"]]
    assert stamps == sorted(stamps, reverse=True)
    is_outcome(get("/Patient/never/_history"), 404)


def point_25_post_search_operations_binary():
    put(patient("p25", gender="male"))
    form = "application/x-www-form-urlencoded"
    merged = send("POST", "/Patient/_search?_id=p25", "gender=male", Content_Type=form)
    assert [e["resource"]["id"] for e in merged.json["entry"]] == ["p25"]
    assert "entry" not in send("POST", "/Patient/_search?_id=p25", "gender=female", Content_Type=form).json
    is_outcome(send("POST", "/Patient/_search", "{}", Content_Type=JSON), 415)
    assert get("/Patient/p25/$everything").json["entry"][0]["resource"]["id"] == "p25"
    assert send("POST", "/Patient/$validate", patient()).status == 200
    is_outcome(send("POST", "/$nonsense", patient()), 404)
    is_outcome(get("/$convert"), 405)
    assert get("/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender").json["resourceType"] == "ValueSet"
    # The same message again is answered as before, and enters its channel once.
    head = {"resourceType": "MessageHeader", "id": "h25", "eventCoding": {"code": "note"}, "source": {"endpoint": "http://sender/fhir"}}
    said = {"resourceType": "Bundle", "id": "b25", "type": "message", "entry": [{"fullUrl": "urn:uuid:7f5a1f0a-0000-4000-8000-000000000025", "resource": head}]}
    first, again = send("POST", "/$process-message", said), send("POST", "/$process-message", said)
    assert first.status == again.status == 200 and first.json == again.json, (first.body, again.body)
    assert len(engine.search("channel:notes")) == 1
    content = bytes(range(256))
    assert send("PUT", "/Binary/b25", content, Content_Type="image/png").status == 201
    native = get("/Binary/b25", Accept="image/png")
    assert native.body == content and native.headers["Content-Type"] == "image/png"
    assert base64.b64decode(get("/Binary/b25", Accept=JSON).json["data"]) == content


engine.start()
points = [function for name, function in globals().items() if name.startswith("point_")]
assert len(points) == 25
wanted = sys.argv[3:]
code = run_cases([one for one in points if not wanted or one.__name__.split("_")[1] in wanted])
sys.exit(engine.stop() or code)
