#!/usr/bin/env python3
"""ADT^A40 into the built-in store: what is known of the victim stays, it becomes inactive and points to the survivor.

    merge.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

port, mllp = free_port(), free_port()
folder = temp_folder()
site = write_site(folder / "site", {
    "kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{port} }}\n}}\n',
    "channels/adt.channel": f"""module e2e.merge
channel adt {{
  source mllp {{ port {mllp} }}
  ack auto on mapped
  map bundle = std.v2fhir
  to repo: fhir from bundle {{ retry 3 backoff 20ms..50ms then quarantine }}
}}
"""})
engine = Engine(build / "kiln", site)


def send(event, structure, control, *segments):
    header = rf"MSH|^~\&|PAS|NORTH|KILN|NORTH|20260301073000+0100||ADT^{event}^{structure}|{control}|P|2.5.1"
    message = "\r".join((header, "EVN||20260301073000+0100") + segments) + "\r"
    with Mllp(mllp) as client:
        ack = client.send(message.encode())
    assert ack_code(ack) == "AA", ack
    engine.wait_drained()


def patient(number):
    found = engine.entries(f"Patient?identifier=urn:kiln:authority:NORTH%7C{number}")
    assert len(found) == 1, found
    return found[0]


def pid(number, rest):
    return f"PID|1||{number}^^^NORTH^MR||EVERYMAN^ADAM{rest}"


def address(resource):
    return [a.get("city") for a in resource.get("address", [])]


def the_victim_keeps_what_is_known_of_it():
    send("A28", "ADT_A05", "M1", pid(4711, "||19610615|M|||1 HIGH ST^^LEEDS"))
    send("A28", "ADT_A05", "M2", pid(4712, "||19610615|M|||2 LOW ST^^YORK||^PRN^PH^^^113^5550100"))
    before = patient(4712)
    assert before["active"] is True and address(before) == ["YORK"], before
    send("A40", "ADT_A39", "M3", pid(4711, "||19610615|M|||1 HIGH ST^^LEEDS"), "MRG|4712^^^NORTH^MR")
    victim, survivor = patient(4712), patient(4711)
    assert victim["id"] == before["id"], victim
    assert victim["active"] is False and address(victim) == ["YORK"], victim
    assert victim["telecom"] == before["telecom"] and victim["birthDate"] == "1961-06-15", victim
    assert [link["type"] for link in victim["link"]] == ["replaced-by"], victim
    assert victim["link"][0]["other"]["identifier"]["value"] == "4711", victim
    assert [link["type"] for link in survivor["link"]] == ["replaces"], survivor
    assert survivor["link"][0]["other"]["reference"] == "Patient/" + victim["id"], survivor
    assert survivor["active"] is True and address(survivor) == ["LEEDS"], survivor


def a_victim_nobody_knows_is_made_inactive():
    send("A40", "ADT_A39", "M4", pid(4711, "||19610615|M|||1 HIGH ST^^LEEDS"), "MRG|4799^^^NORTH^MR||||||EVERYMANN^ADAM")
    victim = patient(4799)
    assert victim["active"] is False and victim["name"][0]["family"] == "EVERYMANN", victim
    assert [link["type"] for link in victim["link"]] == ["replaced-by"], victim


def a_survivor_of_whom_little_is_sent_keeps_what_is_known():
    send("A40", "ADT_A39", "M5", pid(4712, ""), "MRG|4798^^^NORTH^MR")
    assert address(patient(4712)) == ["YORK"], patient(4712)



engine.start()
code = run_cases([the_victim_keeps_what_is_known_of_it, a_victim_nobody_knows_is_made_inactive,
                  a_survivor_of_whom_little_is_sent_keeps_what_is_known])
if code == 0:
    assert engine.stop() == 0
sys.exit(code)
