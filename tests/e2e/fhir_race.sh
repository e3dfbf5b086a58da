#!/usr/bin/env python3
"""Many clients race on one conditional write, over real sockets: exactly one resource each round, no answer but 200 and 201.

    fhir_race.sh SOURCE BUILD [ROUNDS [CLIENTS]]      the full length: 1000 64

Each round all clients send the same identifier at the same moment: a conditional create, a conditional update, or either of
them inside a transaction, mixed.
"""
import collections
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 12
clients = int(sys.argv[4]) if len(sys.argv) > 4 else 64
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port = free_port()
site = write_site(temp_folder() / "site", {"kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n'})
engine = Engine(build / "kiln", site)
barrier = threading.Barrier(clients)
answers = [collections.Counter() for _ in range(rounds)]
made = [set() for _ in range(rounds)]
wrong = []
lock = threading.Lock()


def request_of(client, number):
    """Method, target, body, headers of one client in one round."""
    key = f"race-{number}"
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:race", "value": key}]}
    criteria = f"identifier=urn:race|{key}"
    kind = (client + number) % 4
    if kind == 0:
        return "POST", "/Patient", patient, {"If-None-Exist": criteria}
    if kind == 1:
        return "PUT", f"/Patient?{criteria}", patient, {}
    entry = {"method": "POST", "url": "Patient", "ifNoneExist": criteria} if kind == 2 else {"method": "PUT", "url": f"Patient?{criteria}"}
    return "POST", "/", {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient, "request": entry}]}, {}


def outcome_of(response, body):
    """Status, and the id that the client was told."""
    told = json.loads(body)
    if told["resourceType"] == "Bundle":
        first = told["entry"][0]
        return int(first["response"]["status"][:3]), first["resource"]["id"]
    return response.status, told.get("id")


def run_client(client):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for number in range(rounds):
        method, target, body, headers = request_of(client, number)
        barrier.wait(PATIENCE)
        connection.request(method, "/fhir" + target, json.dumps(body), {"Content-Type": "application/fhir+json", **headers})
        response = connection.getresponse()
        status, id = outcome_of(response, response.read())
        with lock:
            answers[number][status] += 1
            made[number].add(id)
            if response.status not in (200, 201):
                wrong.append((number, response.status))
    connection.close()


def one_resource_each():
    begin = time.monotonic()
    threads = [threading.Thread(target=run_client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begin
    assert not wrong, wrong[:5]
    for number in range(rounds):
        assert sum(answers[number].values()) == clients, (number, answers[number])
        assert answers[number][201] == 1 and set(answers[number]) <= {200, 201}, (number, answers[number])
        assert len(made[number]) == 1, (number, made[number])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/fhir/Patient?_summary=count")
    assert json.loads(connection.getresponse().read())["total"] == rounds
    print(f"{rounds} rounds of {clients} clients: one resource each, {rounds * clients / seconds:.0f} requests/s")


engine.start()
code = run_cases([one_resource_each])
sys.exit(engine.stop() or code)
