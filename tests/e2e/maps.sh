#!/usr/bin/env python3
"""The verbs around maps: overrides are accepted, codes explained, versions compared, lookups asked.

    maps.sh SOURCE BUILD
"""
import pathlib
import sqlite3
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

BASE = """module base
map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    name += { text = PID-5.1.1 }
    gender = PID-8.1 via AdministrativeSex else "other"
  }
}
"""
SITE = """module site
row    MpiRow { eid : string }
lookup Mpi(mrn: string) -> MpiRow via sql "mpi_by_mrn" on miss omit on error quarantine "no index"
extend map own from base.adt {
  in patient {
    replace gender = "unknown"
    add identifier += { system = "urn:eid"  value = Mpi(PID-3[1].1).eid }
  }
}
"""
CONF = """server {
  query mpi_by_mrn { file "mpi.db"; sql "select eid from mpi where mrn = :mrn" }
}
"""
MESSAGE = (b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|M1|P|2.5.1\rEVN||20260101\r"
           b"PID|1||4711^^^B^MR||EVERYMAN^ADAM|||M\rPV1|1|I\r")


def kiln(*arguments):
    done = subprocess.run([str(build / "kiln"), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def new_site():
    site = temp_folder() / "site"
    (site / "maps").mkdir(parents=True)
    (site / "kiln.conf").write_text(CONF)
    (site / "maps/base.hmap").write_text(BASE)
    (site / "maps/site.hmap").write_text(SITE)
    return site


def overrides_are_recorded_and_drift_is_reported():
    site = new_site()
    code, out, err = kiln("check", site)
    assert code == 0 and "W0703" in err, (code, out, err)
    code, out, err = kiln("accept", "--dry-run", site)
    assert code == 1 and "new  site.own  base:adt/patient.gender" in out and not (site / "hmap.lock").exists(), (code, out, err)
    code, out, err = kiln("accept", site)
    assert code == 0 and "1 rule, written" in out, (code, out, err)
    code, out, err = kiln("check", site)
    assert code == 0 and "W0703" not in err, (code, out, err)
    (site / "maps/base.hmap").write_text(BASE.replace('"other"', '"female"'))
    code, out, err = kiln("check", site)
    assert code == 78 and "E0702" in err and "was: " in err and "now: " in err, (code, out, err)
    code, out, err = kiln("accept", site, "--json")
    assert code == 0 and '"what":"changed"' in out, (code, out, err)
    assert kiln("check", site)[0] == 0
    (site / "maps/base.hmap").write_text(BASE.replace("PID-8.1", "PID-88.1"))
    code, out, err = kiln("accept", site)
    assert code == 78 and "E0101" not in out, (code, out, err)


def every_code_has_a_page():
    code, out, err = kiln("check", "--explain", "E0105")
    assert code == 0 and out.startswith("E0105 the path is ambiguous"), (code, out, err)
    code, out, err = kiln("check", "--explain", "E9999")
    assert code == 64 and "E9999" in err, (code, out, err)
    assert kiln("check")[0] == 64


def versions_are_compared():
    site = new_site()
    (site / "maps/new.hmap").write_text(
        "module new\nmap m(msg: hl7 ADT_A01 2.7) -> fhir Bundle transaction {\n"
        "  create patient: Patient { name += { text = PID-40[1].12 } }\n}\n")
    code, out, err = kiln("check", "--versions", "2.5.1..2.7", site)
    assert code == 0 and "W0110" in err and "PID" in err, (code, out, err)
    code, out, err = kiln("check", "--versions", "3..4", site)
    assert code != 0 and "no range of HL7 versions" in err, (code, out, err)


def lookups_are_asked_by_convert():
    site = new_site()
    message = site / "a01.hl7"
    message.write_bytes(MESSAGE)
    code, out, err = kiln("convert", "--map", "site.own", "--load", site, message)
    assert code == 1 and "no index" in err, (code, out, err)
    with sqlite3.connect(site / "mpi.db") as database:
        database.execute("create table mpi(mrn text, eid text)")
        database.execute("insert into mpi values('4711', 'E-77')")
    database.close()
    code, out, err = kiln("convert", "--map", "site.own", "--load", site, message)
    assert code == 0 and '"value":"E-77"' in out and '"gender":"unknown"' in out, (code, out, err)


def packages_choose_by_content():
    samples = source / "tests/golden"
    code, out, err = kiln("convert", "--map", "std.fhirv2", "--to", "hl7", "--quiet", samples / "fhirv2/vxu_v04.json")
    assert code == 0 and out.startswith("MSH|") and "|VXU^V04^VXU_V04|" in out, (code, out, err)
    code, out, err = kiln("convert", "--map", "std.fhirv2", "--to", "hl7", samples / "fhirv2/nothing_to_send.json")
    assert code == 1 and out == "" and "E0914" in err, (code, out, err)


def bad_rows_are_named():
    samples = source / "tests/golden/csv_starters"
    code, out, err = kiln("convert", "--map", "std.csv.lab_results", "--to", "fhir", "--quiet", samples / "lab_results.csv")
    assert code == 1 and out.startswith('{"resourceType":"Bundle"'), (code, out, err)
    assert "row 3 quarantined" in err and "row 5 quarantined: a required column is empty: `test_code` (line 6)" in err, (code, out, err)
    code, out, err = kiln("convert", "--map", "std.csv.patient_list", "--quiet", samples / "demographics.csv")
    assert code == 1 and out == "", (code, out, err)


sys.exit(run_cases([overrides_are_recorded_and_drift_is_reported, every_code_has_a_page, versions_are_compared,
                    lookups_are_asked_by_convert, packages_choose_by_content, bad_rows_are_named]))
