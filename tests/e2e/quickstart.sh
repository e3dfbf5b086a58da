#!/usr/bin/env python3
"""The main job on examples/quickstart: every sample in, everything that comes of it, search, show, replay, exit codes.

    quickstart.sh SOURCE BUILD      APPROVE=1 rewrites examples/quickstart/expected/
"""
import collections
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

APPROVE = os.environ.get("APPROVE") == "1"
EXPECTED = source / "examples/quickstart/expected"
TYPES = ["AllergyIntolerance", "Condition", "Coverage", "DiagnosticReport", "Encounter", "Immunization", "Location", "Observation",
         "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "Provenance", "RelatedPerson", "ServiceRequest",
         "Specimen"]
MRN = "urn:oid:1.2.840.99999"


def samples(*arguments):
    """Runs the part of examples/run behind the build on the copy of the site."""
    return subprocess.run([sys.executable, str(source / "examples/run_samples.py"), "--kiln", str(kiln), "--site", str(site), *arguments],
                          capture_output=True, text=True, timeout=180)


def check_file(name, got):
    path = EXPECTED / name
    if APPROVE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(got)
    want = path.read_text() if path.exists() else ""
    if got != want:
        (folder / path.name).write_text(got)
        diff = subprocess.run(["diff", "-u", path, folder / path.name], capture_output=True, text=True).stdout
        raise AssertionError(f"differs from {path}:\n{diff[:4000]}")


# ---- normal forms: only what differs from run to run is replaced ----

def load_exact(text):
    """JSON whose decimals keep their digits."""
    return json.loads(text, parse_float=lambda digits: "\u0001" + digits)


def print_exact(value):
    return re.sub(r'"\\u0001([^"]*)"', r"\1", json.dumps(value, indent=1, ensure_ascii=True)) + "\n"


def without_ids(value, names):
    if isinstance(value, dict):
        return {k: without_ids(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [without_ids(v, names) for v in value]
    return names.get(value, value) if isinstance(value, str) else value


def named_resources(by_type):
    """Server-given ids become Type-1, Type-2 … in the order of the resources' own content; times of writing go."""
    names = {}
    for type_, resources in by_type.items():
        blank = {f"{t}/{r['id']}": "?" for t, rs in by_type.items() for r in rs}
        for r in resources:
            del r["meta"]["lastUpdated"]
        resources.sort(key=lambda r: json.dumps(without_ids({k: v for k, v in r.items() if k != "id"}, blank)))
        for number, r in enumerate(resources, 1):
            names[f"{type_}/{r['id']}"] = f"{type_}/{type_}-{number}"
            r["id"] = f"{type_}-{number}"
    return {t: [without_ids(r, names) for r in rs] for t, rs in by_type.items()}


def plain_hl7(text):
    """A message with line ends, and without the numbers and times that the engine gives to messages it makes."""
    lines = text.replace("\r", "\n").splitlines()
    header = lines[0].split("|")
    if header[2] == "GATEWAY":
        header[6], header[9] = "(time)", "(control id)"
        lines = ["|".join(header)] + [re.sub(r"^EVN\|\|[^|]*", "EVN||(time)", line) for line in lines[1:]]
    return "\n".join(lines) + "\n"


# ---- cases ----

def samples_have_the_expected_outcome():
    done = samples("--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 11 samples had the expected outcome." in done.stdout, done.stdout


def samples_again_change_nothing():
    done = samples("--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("sent before: answered as then, nothing done") >= 10, done.stdout
    assert not re.search(r" [1-9]\d* +\d+ +\d+ +\d+\.\d  sent before", done.stdout), done.stdout


def a_wrong_outcome_is_reported():
    table = site / "expected/table.txt"
    right = table.read_text()
    table.write_text(right.replace("adt_in/06_a40_merge.hl7              | AR", "adt_in/06_a40_merge.hl7              | AA"))
    done = samples("--once")
    table.write_text(right)
    assert done.returncode == 1 and "NOT AS EXPECTED  adt_in/06_a40_merge.hl7" in done.stdout, done.stdout + done.stderr


def the_example_script_stays_up_until_interrupted():
    process = subprocess.Popen([sys.executable, str(source / "examples/run_samples.py"), "--kiln", str(kiln), "--site", str(site)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Serving."):
            break
    assert any("/fhir/Patient?identifier=" in line for line in lines), lines
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0, process.stderr.read()


def a_taken_port_is_named():
    port = re.search(r"port +(\d+)", (site / "channels/adt_in.channel").read_text()).group(1)
    with socket.create_server(("127.0.0.1", int(port))):
        done = samples("--once")
    assert done.returncode == 69 and port in done.stderr and "Address already in use" in done.stderr, done.stdout + done.stderr


def fhir_resources_are_as_expected():
    by_type = {}
    for type_ in TYPES:
        connection = http.client.HTTPConnection(engine.status()["fhir"].split("/")[2], timeout=PATIENCE)
        connection.request("GET", f"/fhir/{type_}?_count=200")
        response = connection.getresponse()
        bundle = load_exact(response.read().decode())
        connection.close()
        if response.status == 200 and bundle.get("entry"):
            by_type[type_] = [e["resource"] for e in bundle["entry"]]
    for type_, resources in named_resources(by_type).items():
        check_file(f"fhir/{type_}.json", print_exact(resources))
    if not APPROVE:
        assert {p.stem for p in (EXPECTED / "fhir").glob("*.json")} == set(by_type), f"types in the store: {sorted(by_type)}"


def fhir_searches_find_them():
    patients = engine.entries(f"Patient?identifier={MRN}|700412")
    assert len(patients) == 1 and patients[0]["name"][0]["family"] == "Example"
    found = engine.entries("Observation?code=http://loinc.org|2160-0")
    assert [o["valueQuantity"]["value"] for o in found] == [112]
    assert len(engine.entries(f"Encounter?identifier={MRN}|V100200")) == 1
    assert engine.entries(f"Patient?identifier={MRN}|nobody") == []


def v2_was_sent_on_unchanged_and_as_A08():
    sent = {path.stem: path.read_bytes() for path in (site / "out/pas").glob("*.hl7")}
    for name, control in (("01_a01_admission", "QS0001"), ("02_a04_registration", "QS0002"), ("03_a08_update", "QS0003")):
        wanted = (site / f"samples/adt_in/{name}.hl7").read_bytes().replace(b"\n", b"\r")
        assert sent.pop(control).rstrip(b"\r") == wanted.rstrip(b"\r"), control
    assert len(sent) == 1, f"beside the three there is not only the A08: {sorted(sent)}"
    check_file("a08.hl7", plain_hl7(sent.popitem()[1].decode()))


def the_census_has_the_inpatients():
    lists = list((site / "census").glob("*.csv"))
    header = lists[0].read_text().splitlines()[0]
    rows = [row for path in sorted(lists) for row in path.read_text().splitlines() if row != header]
    check_file("census.csv", "\n".join([header] + rows) + "\n")


def patient_data_is_for_the_owner_only():
    open_to_others = [p for folder in ("data", "out", "census") for p in (site / folder).rglob("*")
                      if p.name != "engine.log" and p.is_file() and p.stat().st_mode & 0o077]
    assert not open_to_others, open_to_others
    assert stat.S_IMODE((site / "data/kiln.sock").stat().st_mode) == 0o600


def states_in_the_journal():
    states = collections.Counter(m["state"] for m in engine.search("-channel:lab_csv_in"))
    assert states == {"sent": 11, "rejected": 3}, states
    a13 = engine.find("channel:adt_in id:QS0004")
    assert {d["destination"]: d["state"] for d in a13["destinations"]} == \
        {"adt_in/repo": "sent", "adt_in/pas": "filtered", "adt_in/census_file": "sent"}, a13
    child = engine.search("state:quarantined")[0]
    parent = engine.show(child["parent"])
    assert parent["channel"] == "lab_csv_in" and parent["name"] == "01_results.csv" and "FOO" in engine.show(child["id"])["body"]


def search_and_show(running):
    at = ("--site", site)
    found = engine.command_json("search", "id:QS0001", "channel:adt_in", *at)["messages"]
    assert len(found) == 1 and found[0]["type"] == "ADT^A01^ADT_A01" and found[0]["state"] == "sent"
    number = found[0]["id"]
    shown = engine.command_json("show", number, *at)
    assert shown["control_id"] == "QS0001" and shown["body"].startswith("MSH|") and len(shown["config"]) == 64
    raw = engine.command("show", number, "--raw", *at)
    assert raw.rstrip("\r") == (site / "samples/adt_in/01_a01_admission.hl7").read_text().rstrip("\n").replace("\n", "\r")
    text = engine.command("show", number, *at)
    assert "control id    QS0001" in text and "adt_in/pas: sent, AA" in text, text
    table = engine.command("search", "type:ORU", *at)
    assert "QS0101" in table and "rejected" in table and "QS0001" not in table, table
    assert [m["control_id"] for m in engine.command_json("search", "-state:sent", "type:ADT", *at)["messages"]] == ["QS0006", "QS0005"]
    assert len(engine.command_json("search", "--limit", "2", *at)["messages"]) == 2
    engine.command("search", "id:NOBODY", *at, code=1)
    engine.command("search", "colour:red", *at, code=64)
    engine.command("show", "999999", *at, code=1)
    if not running:
        engine.command("replay", "1", *at, code=69)


def search_and_show_ask_the_engine():
    search_and_show(True)


def search_and_show_read_the_journal_of_a_stopped_engine():
    assert engine.stop() == 0
    before = {p.name: p.stat().st_mtime_ns for p in (site / "data/journal").glob("*.db")}
    try:
        search_and_show(False)
        assert {p.name: p.stat().st_mtime_ns for p in (site / "data/journal").glob("*.db")} == before, "reading changed the journal"
    finally:
        engine.start()


def a_dry_run_changes_nothing():
    count = len(engine.search())
    text = engine.command("replay", "channel:adt_in", "id:QS0001", "--to", "all", "--include-sent", "--dry-run", "--site", site)
    assert "would be accepted" in text and "1 would be replayed" in text, text
    assert "-> repo" in text and "-> pas" in text and "-> census_file" in text, text
    assert len(engine.search()) == count


def replay_by_number_to_one_destination():
    original = engine.find("channel:adt_in id:QS0001 -replay_of:1")
    rows = sum(len(p.read_text().splitlines()) for p in (site / "census").glob("*.csv"))
    done = engine.command_json("replay", original["id"], "--to", "repo", "--include-sent", "--site", site)
    assert done["matched"] == 1 and done["replayed"] == 1 and [o["destination"] for o in done["messages"][0]["outputs"]] == ["repo"], done
    new = done["messages"][0]["new_id"]
    engine.wait_drained()
    copy = engine.show(new)
    assert copy["replay_of"] == original["id"] and copy["control_id"] == "QS0001" and copy["body"] == engine.show(original["id"])["body"]
    assert [(d["destination"], d["state"]) for d in copy["destinations"]] == [("adt_in/repo", "sent")], copy["destinations"]
    assert [m["id"] for m in engine.search(f"replay_of:{original['id']}")] == [new]
    assert engine.show(original["id"])["destinations"] == original["destinations"], "the original was changed"
    assert rows == sum(len(p.read_text().splitlines()) for p in (site / "census").glob("*.csv"))


def replay_by_filter_keeps_the_order():
    """Refused messages, which are refused again: by the same rule, as new messages, oldest first."""
    refused = engine.search("channel:adt_in state:rejected")
    done = engine.command_json("replay", "channel:adt_in", "state:rejected", "--site", site)
    assert done["matched"] == len(refused) == 2 and done["replayed"] == 2, done
    assert [m["id"] for m in done["messages"]] == sorted(m["id"] for m in refused)
    assert [m["verdict"] for m in done["messages"]] == ["rejected", "rejected"]
    news = [m["new_id"] for m in done["messages"]]
    assert news == sorted(news) and [engine.show(n)["replay_of"] for n in news] == [m["id"] for m in done["messages"]]


def replay_of_what_failed_nowhere_is_skipped():
    done = engine.command_json("replay", engine.find("channel:vaccines")["id"], "--site", site, code=1)  # nothing was sent
    assert (done["skipped"], done["replayed"]) == (1, 0), done


def coverage_counts_what_maps_said_and_did_not_read():
    text = (site / "samples/adt_in/01_a01_admission.hl7").read_bytes().replace(b"|QS0001|", b"|QS9001|")
    assert b"QS9001" in text
    (folder / "new.hl7").write_bytes(text)
    engine.command("send", "--to", f"127.0.0.1:{engine.port('adt_in')}", folder / "new.hl7")
    channels = {c["name"]: c for c in engine.command_json("coverage", "--site", site)["channels"]}
    adt = channels["adt_in"]
    assert adt["looked_at"] > 0 and adt["messages"] >= adt["looked_at"], adt
    fields = {f["path"]: f for f in adt["fields"]}
    assert fields["PID-5.1"]["unread"] == 0 and fields["MSH-4"]["valued"] > 0, fields
    assert any(f["unread"] for f in adt["fields"])
    text = engine.command("coverage", "adt_in", "--site", site)
    assert "adt_in:" in text and "valued fields are always read" in text, text
    engine.command("coverage", "nowhere", "--site", site, code=64)
    files = sorted((site / "samples/adt_in").glob("*.hl7"))
    survey = engine.command_json("coverage", "--map", "std.v2fhir", *files)["channels"][0]
    assert survey["messages"] >= len(files) and survey["fields"], survey
    engine.command("resume", "adt_in", "--site", site)
    engine.command("resume", "nowhere", "--site", site, code=64)


def other_exit_codes():
    engine.command("--help")
    for verb in ("run", "check", "test", "convert", "send", "search", "show", "replay"):
        text = engine.command(verb, "--help")
        assert f"kiln {verb}" in text and "xample" in text, text
    engine.command("search", "--colour", code=64)
    engine.command("send", "--to", "nowhere", site / "samples/adt_in/01_a01_admission.hl7", code=64)
    engine.command("send", "--to", f"127.0.0.1:{free_port()}", site / "samples/adt_in/01_a01_admission.hl7", code=69)
    engine.command("run", site, code=75)  # another engine uses the data folder
    broken = write_site(folder / "broken", {"kiln.conf": "server {\n  data \"data\"\n}\n",
                                            "channels/a.channel": "module a\n\nchannel a {\n  source mllp { prot 1 }\n}\n"})
    engine.command("run", broken, code=78)
    engine.command("check", broken, code=78)
    engine.command("check", site)
    engine.command("test", site)
    engine.command("check", folder / "absent", code=2)
    engine.command("convert", "--map", "std.v2fhir", folder / "absent", code=2)
    answers = engine.command_json("send", "--to", f"127.0.0.1:{engine.port('adt_in')}", site / "samples/adt_in/06_a40_merge.hl7", code=1)
    assert answers[0]["ack"] == "AR" and answers[0]["control_id"] == "QS0006", answers
    bundle = engine.command("convert", "--map", "std.v2fhir", site / "samples/adt_in/01_a01_admission.hl7")
    assert json.loads(bundle)["resourceType"] == "Bundle"


def the_books_balance():
    engine.wait_drained()
    assert engine.stop() == 0
    assert run_checker(source, site)


kiln = build / "kiln"
folder = temp_folder()
site = copy_quickstart(source, folder)
engine = Engine(kiln, site)


def main():
    before = [samples_have_the_expected_outcome, samples_again_change_nothing, a_wrong_outcome_is_reported,
              the_example_script_stays_up_until_interrupted, a_taken_port_is_named]
    after = [fhir_resources_are_as_expected, fhir_searches_find_them, v2_was_sent_on_unchanged_and_as_A08, the_census_has_the_inpatients,
             patient_data_is_for_the_owner_only, states_in_the_journal, search_and_show_ask_the_engine, search_and_show_read_the_journal_of_a_stopped_engine,
             a_dry_run_changes_nothing, replay_by_number_to_one_destination, replay_by_filter_keeps_the_order,
             replay_of_what_failed_nowhere_is_skipped,
             coverage_counts_what_maps_said_and_did_not_read, other_exit_codes, the_books_balance]
    return run_cases(before + [the_engine_starts_on_what_the_samples_left] + after)


def the_engine_starts_on_what_the_samples_left():
    engine.start()


sys.exit(main())
