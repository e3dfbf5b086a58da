#!/usr/bin/env python3
"""Data beside maps that changes while the engine runs: answers of a database are kept with each message, tables are read anew.

    lookups.sh SOURCE BUILD
"""
import pathlib
import sqlite3
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403
from postgres import Postgres  # noqa: E402

SITE = {
    "kiln.conf": """server {{
  data "data"
  http {{ listen 127.0.0.1:{http} }}
  query mpi_by_mrn {{ file "mpi.db"; sql "select eid from mpi where mrn = :mrn" }}
}}
""",
    "maps/site.hmap": """module e2e.beside
row    MpiRow {{ eid : string }}
lookup Mpi(mrn: string) -> MpiRow via sql "mpi_by_mrn" on miss omit on error quarantine "no index"
table  Wards = csv "tables/wards.csv" key ward reload 1s else omit
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {{
  create patient: Patient {{
    identifier += {{ system = "urn:eid"  value = Mpi(PID-3[1].1).eid }}
    name += {{ text = Wards[PV1-3.1].code }}
  }}
}}
""",
    "channels/c.channel": """module e2e.beside
channel c {{
  source mllp {{ port {mllp} }}
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  map bundle = m
  to repo: fhir from bundle {{ }}
}}
""",
    "tables/wards.csv": "ward,code\nW1,North\n",
}


def message(control):
    return (f"MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|{control}|P|2.5.1\rEVN||20260101\r"
            "PID|1||4711||EVERYMAN^ADAM\rPV1|1|I|W1\r").encode()


def write_index(site, eid):
    """A new database in the place of the old one."""
    with sqlite3.connect(site / "new.db") as database:
        database.execute("create table mpi(mrn text, eid text)")
        database.execute("insert into mpi values('4711', ?)", (eid,))
    database.close()
    (site / "new.db").rename(site / "mpi.db")


folder = temp_folder()
ports = {name: free_port() for name in ("http", "mllp")}
(folder / "site").mkdir()
site = write_site(folder / "site", {name: text.format(**ports) for name, text in SITE.items()})
write_index(site, "E-1")
engine = Engine(build / "kiln", site).start()


def send(control):
    with Mllp(ports["mllp"]) as sender:
        answer = sender.send(message(control))
    assert ack_code(answer) in ("AA", "CA"), answer
    engine.wait_drained()  # what waits at a destination is not planned for it again
    return engine.find(f"id:{control} -replay_of:1")["id"]


def planned(number, *options):
    """What a replay would send now."""
    done = engine.command_json("replay", number, "--to", "all", "--include-sent", "--dry-run", *options, "--site", site)
    assert done["failed"] == 0 and len(done["messages"]) == 1, done
    return done["messages"][0]["outputs"][0]["sha256"]


def explained(number, *options):
    values = engine.command("explain", number, *options, "--path", "patient.identifier", "--site", site)
    return "E-1" if "E-1" in values else "E-22" if "E-22" in values else values


def an_answer_is_kept_and_asked_anew_on_request():
    number = send("LOOK1")
    before = planned(number)
    assert planned(number, "--fresh-lookups") == before
    assert explained(number) == "E-1"
    write_index(site, "E-22")
    assert planned(number) == before, "a replay takes the recorded answer"
    fresh = planned(number, "--fresh-lookups")
    assert fresh != before, "--fresh-lookups asks the database"
    assert explained(number) == "E-1" and explained(number, "--fresh-lookups") == "E-22"
    done = engine.command_json("replay", number, "--to", "all", "--include-sent", "--fresh-lookups", "--site", site)
    assert done["replayed"] == 1 and done["messages"][0]["outputs"][0]["sha256"] == fresh, done
    engine.wait_drained()
    assert engine.entries("Patient?identifier=urn:eid|E-22"), "the replay has written what the database says now"
    assert explained(number) == "E-1", "the message itself keeps its answer"


def a_message_names_the_tables_it_was_mapped_with():
    first = engine.show(send("TABLE1"))["config"]
    assert engine.show(send("TABLE2"))["config"] == first
    (site / "tables/new.csv").write_text("ward,code\nW1,South\nW2,West\n")
    (site / "tables/new.csv").rename(site / "tables/wards.csv")
    wait_for("the table is read anew", lambda: "tables-reloaded" in engine.tail(50))
    number = send("TABLE3")
    second = engine.show(number)["config"]
    assert second != first, "the content of a table belongs to the version that a message names"
    engine.wait_drained()
    texts = [p["name"][0]["text"] for p in engine.entries("Patient") if "name" in p]
    assert "South" in texts and "North" in texts, texts
    (site / "tables/wards.csv").write_text("station,code\nW1,East\n")
    wait_for("a broken table is refused", lambda: "tables-not-reloaded" in engine.tail(50))
    assert engine.show(send("TABLE4"))["config"] == second, "the tables that are there stay"


def a_postgres_server_is_asked_and_may_be_down():
    server = Postgres()
    server.run("create table mpi(mrn text, eid text)")
    server.run("insert into mpi values('4711', 'E-7')")
    own = {name: free_port() for name in ("http", "mllp")}
    texts = {name: text.format(**own) for name, text in SITE.items()}
    texts["kiln.conf"] = texts["kiln.conf"].replace('file "mpi.db";', server.options + "; timeout 1s;")
    other = write_site(temp_folder() / "site", texts)
    kiln = Engine(build / "kiln", other).start()
    try:
        def take(control):
            with Mllp(own["mllp"]) as sender:
                return ack_code(sender.send(message(control)))

        assert take("PG1") == "AA"
        kiln.wait_drained()
        assert kiln.entries("Patient?identifier=urn:eid|E-7")
        server.stop()
        take("PG2")
        wait_for("without the server the policy of the map decides", lambda: kiln.find("id:PG2")["state"] == "quarantined")
        assert "lookup-unavailable" in kiln.tail(50) and "4711" not in kiln.tail(200)
        server.start()

        def answered():
            control = f"PG{time.monotonic_ns()}"
            return take(control) == "AA" and kiln.find(f"id:{control}")["state"] != "quarantined"

        wait_for("the server is found again", answered)
    finally:
        kiln.stop()
        server.stop()


def a_query_of_a_lookup_only_reads():
    server = Postgres()
    server.run("create table mpi(mrn text, eid text)")
    own = {name: free_port() for name in ("http", "mllp")}
    texts = {name: text.format(**own) for name, text in SITE.items()}
    texts["kiln.conf"] = texts["kiln.conf"].replace('file "mpi.db";', server.options + ";").replace(
        "select eid from mpi where mrn = :mrn", "insert into mpi values (:mrn, 'E-0') returning eid")
    other = write_site(temp_folder() / "site", texts)
    kiln = Engine(build / "kiln", other).start()
    try:
        with Mllp(own["mllp"]) as sender:
            sender.send(message("RO1"))
        wait_for("the statement is refused", lambda: kiln.find("id:RO1")["state"] == "quarantined")
        assert server.run("select count(*) from mpi") == [("0",)]
    finally:
        kiln.stop()
        server.stop()


status = run_cases([an_answer_is_kept_and_asked_anew_on_request, a_message_names_the_tables_it_was_mapped_with,
                    a_postgres_server_is_asked_and_may_be_down, a_query_of_a_lookup_only_reads])
engine.stop()
sys.exit(status)
