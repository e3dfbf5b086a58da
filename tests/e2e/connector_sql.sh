#!/usr/bin/env python3
"""Databases: rows in and out of SQLite files and of a PostgreSQL server that the test starts as an unprivileged user."""
import pathlib
import shutil
import sqlite3
import sys

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests/support"))
from kiln_site import (Engine, Mllp, Skipped, ack_code, adt, free_port, run_cases, temp_folder, wait_for, write_site)  # noqa: E402
from postgres import Postgres  # noqa: E402

KILN = BUILD / "kiln"
MAPS = """module e2e
csv Order {
  columns {
    id   : string required
    mrn  : string
    code : string
  }
}
csv Row {
  columns {
    mrn   : string
    event : string
  }
}
map to_row(msg: hl7 ADT_A01 2.5.1) -> csv Row {
  emit { mrn = PID-3[1].1  event = MSH-9.2 }
}
"""


class Sqlite:
    kind = "SQLite"

    def __init__(self):
        self.path = temp_folder() / "orders.db"
        self.options = f'file "{self.path}"'

    def run(self, sql):
        with sqlite3.connect(self.path) as database:
            rows = database.execute(sql).fetchall()
        database.close()
        return [tuple("" if v is None else str(v) for v in row) for row in rows]


def site(files):
    return write_site(temp_folder() / "site", {"kiln.conf": f"server {{\n  http {{ listen 127.0.0.1:{free_port()} }}\n}}\n", "maps/rows.hmap": MAPS, **files})


def source(database, options, content="csv Order"):
    return site({"channels/in.channel": f"""module e2e.in
use e2e.{{Order}}
channel orders {{
  source sql {{
    {database.options}
    poll 100ms; timeout 5s
    {options}
  }}
  {"accept hl7 ADT_A01 2.5.1" if content == "hl7" else "accept csv Order"}
  to out: file from source {{ file "out/x" }}
}}
"""})


def bodies(engine):
    """What the channel has written; a kill may leave a temporary file beside."""
    found = [p for p in (engine.site / "out").glob("x*") if p.name == "x" or p.suffix[1:].isdigit()]
    return sorted(found, key=lambda p: int((p.suffix or ".1")[1:]))


def both(case):
    """Runs a case on SQLite and on PostgreSQL."""
    def run(databases):
        for database in databases:
            case(database)
    run.__name__ = case.__name__
    return run


@both
def rows_come_once_and_in_order(database):
    database.run("create table orders(id integer primary key, mrn text, code text)")
    for number in range(1, 6):
        database.run(f"insert into orders values ({number}, 'M{number}', 'A;\"b\"')")
    engine = Engine(KILN, source(database, 'query "select id, mrn, code from orders where id > :after order by id"; cursor "id"')).start()
    wait_for(f"five rows of {database.kind}", lambda: len(bodies(engine)) == 5)
    assert bodies(engine)[0].read_bytes() == b'id,mrn,code\r\n1,M1,"A;""b"""\r\n', bodies(engine)[0].read_bytes()
    engine.kill()
    database.run("insert into orders values (6, 'M6', null)")
    engine.start()
    wait_for("the sixth", lambda: len(bodies(engine)) == 6)
    assert bodies(engine)[5].read_bytes() == b"id,mrn,code\r\n6,M6,\r\n"
    engine.wait_drained()
    assert len(engine.search()) == 6
    engine.stop()
    # Without the kept position, rows are known by their keys.
    shutil.rmtree(engine.data / "connectors")
    engine.start()
    database.run("insert into orders values (7, 'M7', '')")
    wait_for("the seventh", lambda: len(bodies(engine)) == 7)
    assert len(engine.search()) == 7
    engine.stop()


@both
def a_statement_marks_what_was_taken(database):
    database.run("create table outbox(seq integer primary key, message text, sent integer)")
    message = adt("Q1").decode().replace("'", "''")
    for number in (1, 2):
        database.run(f"insert into outbox values ({number}, '{message.replace('Q1', f'Q{number}')}', null)")
    engine = Engine(KILN, source(database, 'query "select seq, message from outbox where sent is null order by seq"; '
                                           'done "update outbox set sent = 1 where seq = :seq"; content hl7', "hl7")).start()
    wait_for("both are marked", lambda: [r[0] for r in database.run("select count(*) from outbox where sent = 1")] == ["2"])
    assert {m["control_id"] for m in engine.search()} == {"Q1", "Q2"}
    engine.stop()


def destination(database, statement, what="rows", options=""):
    return site({"channels/out.channel": f"""module e2e.out
use e2e.{{to_row}}
channel adt {{
  source mllp {{ port 0 }}
  accept hl7 ADT_A01 2.5.1
  map rows = to_row
  to db: sql from {what} {{
    {database.options}
    statement "{statement}"
    timeout 5s; retry forever backoff 100ms..200ms {options}
  }}
}}
"""})


@both
def rows_and_messages_are_written(database):
    database.run("create table census(id integer, mrn text, event text)")
    engine = Engine(KILN, destination(database, "insert into census values (:id, :mrn, :event)")).start()
    with Mllp(engine.port("adt")) as client:
        for number in range(3):
            assert ack_code(client.send(adt(f"D{number}", patient=f"P{number}'); drop table census; --"))) == "AA"
    engine.wait_drained()
    rows = database.run("select mrn, event from census order by id")
    assert rows == [(f"P{n}'); drop table census; --", "A01") for n in range(3)], rows
    engine.stop()
    database.run("create table inbox(control text primary key, body text)")
    engine = Engine(KILN, destination(database, "insert into inbox values (:control_id, :message)", "source")).start()
    with Mllp(engine.port("adt")) as client:
        client.send(adt("B1"))
    engine.wait_drained()
    (control, body), = database.run("select control, replace(body, chr(13), '~') from inbox" if database.kind == "PostgreSQL"
                                    else "select control, replace(body, char(13), '~') from inbox")
    assert (control, body) == ("B1", adt("B1").decode().replace("\r", "~"))
    # A rule of the table: this message never fits, and its neighbour is not held up.
    database.run("delete from inbox")
    database.run("insert into inbox values ('B2', '')")
    with Mllp(engine.port("adt")) as client:
        client.send(adt("B2"))
        client.send(adt("B3"))
    wait_for("the neighbour", lambda: ("B3",) in database.run("select control from inbox"))
    assert engine.find("state:quarantined")["control_id"] == "B2"
    log = engine.log.read_text() + str(engine.status())
    assert "TESTPERSON" not in log
    engine.stop()


def a_statement_that_does_not_fit_waits_for_the_operator(databases):
    database = databases[0]
    engine = Engine(KILN, destination(database, "insert into nowhere values (:mrn)")).start()
    with Mllp(engine.port("adt")) as client:
        client.send(adt("N1"))
    error = wait_for("an error", lambda: engine.queue("adt", "db").get("last_failure"))
    assert "SQLite" in error or "SQLSTATE" in error
    database.run("create table nowhere(mrn text)")
    engine.wait_drained()
    assert database.run("select mrn from nowhere") == [("700412",)]
    engine.stop()


def a_server_that_is_away_only_delays(databases):
    database = databases[-1]
    if database.kind != "PostgreSQL":
        raise Skipped("needs PostgreSQL")
    database.run("create table later(mrn text)")
    engine = Engine(KILN, destination(database, "insert into later values (:mrn)")).start()
    with Mllp(engine.port("adt")) as client:
        client.send(adt("L1", patient="1"))
        engine.wait_drained()
        database.stop()
        for number in (2, 3):
            assert ack_code(client.send(adt(f"L{number}", patient=str(number)))) == "AA"
        wait_for("an error", lambda: engine.queue("adt", "db").get("last_failure"))
        assert "secret" not in engine.queue("adt", "db").get("last_failure")
        database.start()
    engine.wait_drained()
    assert database.run("select mrn from later order by mrn") == [("1",), ("2",), ("3",)]
    engine.stop()


def a_wrong_password_is_told(databases):
    if databases[-1].kind != "PostgreSQL":
        raise Skipped("needs PostgreSQL")
    wrong = type("Wrong", (), {"options": databases[-1].options.replace('file("', 'env("PG').split('env("')[0] + 'env("WRONG") }'})
    engine = Engine(KILN, destination(wrong, "insert into later values (:mrn)")).start({"WRONG": "not the password"})
    with Mllp(engine.port("adt")) as client:
        client.send(adt("X1"))
    error = wait_for("an error", lambda: engine.queue("adt", "db").get("last_failure"))
    assert "refused" in error and "not the password" not in error, error
    engine.kill()


if __name__ == "__main__":
    databases = [Sqlite()]
    try:
        databases.append(Postgres())
    except Skipped as why:
        print(f"PostgreSQL is left out: {why}")
    try:
        code = run_cases([rows_come_once_and_in_order, a_statement_marks_what_was_taken, rows_and_messages_are_written,
                          a_statement_that_does_not_fit_waits_for_the_operator, a_server_that_is_away_only_delays, a_wrong_password_is_told], databases)
    finally:
        if len(databases) > 1:
            databases[-1].stop()
    sys.exit(code)
