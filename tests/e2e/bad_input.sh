#!/usr/bin/env python3
"""What must not be: bytes, frames and messages that no sender should send, over real MLLP connections.

    bad_input.sh SOURCE BUILD

Every case checks the answer (or the closed connection), and that what arrived is in the journal: as a message where one could
be framed, else in its table `unframed`. The journal is read by this test's own SQL.
"""
import pathlib
import sqlite3
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n}}\n',
    "channels/bad.channel": """module e2e.bad

extend map numbered from std.v2fhir.adt.adt_a01 {{
  add require PID-3[1].1 is valued else reject AE 101 "PID-3 needs at least one identifier"
}}

channel small {{
  source mllp {{
    port {small}
    max_message 64kB
    frame_timeout 1s
  }}
  accept hl7 ADT_A01 2.5.1 else reject AR 200 "only ADT is taken here"
  ack auto on mapped
  map bundle = numbered
  to repo: fhir from bundle {{ }}
}}

channel large {{
  source mllp {{ port {large} }}
  accept hl7 ADT_A01 2.5.1 else reject AR 200 "only ADT is taken here"
  ack auto on mapped
  to nobody: drop from source {{ }}
}}

channel strict {{
  source mllp {{
    port {strict}
    missing_trailer reject
    on_garbage close
    on_store_failure close
  }}
  accept hl7 ADT_A01 2.5.1 else reject AR 200 "only ADT is taken here"
  ack auto on mapped
  to nobody: drop from source {{ }}
}}
""",
}
folder = temp_folder()
ports = {name: free_port() for name in ("http", "small", "large", "strict")}
site = write_site(folder / "site", {name: text.format(**ports) for name, text in SITE.items()})
engine = Engine(build / "kiln", site)
numbers = iter(range(1, 1_000_000))


def connect(channel="small"):
    return Mllp(ports[channel])


def control(name="B"):
    return f"{name}{next(numbers)}"


def rows(sql, *arguments):
    out = []
    for path in sorted((site / "data/journal").glob("*-*.db")):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        out += db.execute(sql, arguments).fetchall()
        db.close()
    return out


def messages(control_id):
    """(id, framing_fault, body) of the journal; large parts of a body stand in `attachment`."""
    found = rows("SELECT id, framing_fault, body, parts FROM msg WHERE control_id=? ORDER BY id", control_id)
    return [(id_, fault, joined(body, parts)) for id_, fault, body, parts in found]


def joined(body, parts):
    out = b""
    for offset, length, attachment in (map(int, part.split(":")) for part in filter(None, parts.split(","))):
        ((large,),) = rows("SELECT body FROM attachment WHERE id=?", attachment)
        assert len(large) == length, parts
        before = offset - len(out)
        out, body = out + body[:before] + large, body[before:]
    return out + body


class Unframed:
    """What the block adds to the table `unframed`, and that the counter agrees."""

    def __init__(self, *kinds, channel="small"):
        self.kinds, self.channel = list(kinds), channel

    def table(self):
        return rows("SELECT kind, head FROM unframed WHERE channel=? ORDER BY id", self.channel)

    def __enter__(self):
        self.before, self.counted = len(self.table()), engine.channel(self.channel)["unframed"]
        return self

    def __exit__(self, type_, *_):
        if type_ is not None:
            return
        wait_for(f"{len(self.kinds)} rows in unframed, there are {self.table()[self.before:]}",
                 lambda: len(self.table()) >= self.before + len(self.kinds))
        new = self.table()[self.before:]
        assert [kind for kind, _ in new] == self.kinds, new
        assert engine.channel(self.channel)["unframed"] == self.counted + len(self.kinds)
        self.heads = [head for _, head in new]


def check_stored(control_id, body, state="sent", fault=0):
    """The message is in the journal with its bytes, and reaches its state."""
    found = messages(control_id)
    assert len(found) == 1, f"{control_id}: {len(found)} messages in the journal"
    assert found[0][2] == body and found[0][1] == fault, (control_id, found[0][1])
    wait_for(f"{control_id} is {state}", lambda: engine.show(found[0][0])["state"] == state)


def expect(connection, body, control_id, code, state="sent", errors=None):
    ack = connection.send(body)
    assert ack is not None, f"{control_id}: closed instead of {code}"
    assert (ack_code(ack), ack_control(ack)) == (code, control_id), ack
    if errors is not None:
        assert ack_errors(ack) == errors, ack
    check_stored(control_id, body, state)
    return ack


# ---- framing ----

def garbage_before_a_frame():
    name = control()
    with connect() as c, Unframed("garbage") as unframed:
        c.write(b"HELLO, IS THIS KILN?")
        ack = c.send(adt(name))
        assert ack_code(ack) == "AA", ack
    assert unframed.heads == [b"HELLO, IS THIS KILN?"], unframed.heads
    check_stored(name, adt(name))


def line_ends_between_frames_are_no_garbage():
    one, two = control(), control()
    with connect() as c, Unframed():
        c.write(b"\r\n" + VT + adt(one) + FS + b"\r\n\x00 " + VT + adt(two) + FS + b"\n")
        assert [ack_control(c.read()), ack_control(c.read())] == [one, two]


def too_much_garbage_closes():
    with connect() as c, Unframed("garbage"):
        c.write(b"x" * (65 << 10))
        assert c.read() is None


def no_start_byte():
    name = control()
    with connect() as c, Unframed("garbage") as unframed:
        c.write(adt(name) + FS)
        c.socket.shutdown(socket.SHUT_WR)
        assert c.read() is None
    assert unframed.heads[0].startswith(b"MSH|") and messages(name) == []


def missing_trailer_before_silence():
    name = control()
    with connect() as c:
        c.write(VT + adt(name) + b"\x1c")
        ack = c.read()
        assert (ack_code(ack), ack_control(ack)) == ("AA", name), ack
    check_stored(name, adt(name), fault=1)


def missing_trailer_before_the_next_frame():
    one, two = control(), control()
    with connect() as c:
        c.write(VT + adt(one) + b"\x1c" + VT + adt(two) + FS)
        acks = [c.read(), c.read()]
    assert [(ack_code(a), ack_control(a)) for a in acks] == [("AA", one), ("AA", two)], acks
    check_stored(one, adt(one), fault=1)
    check_stored(two, adt(two), fault=0)


def missing_trailer_at_the_end_of_input():
    name = control()
    with connect() as c:
        c.write(VT + adt(name) + b"\x1c")
        c.socket.shutdown(socket.SHUT_WR)
        assert ack_code(c.read()) == "AA"
    check_stored(name, adt(name), fault=1)


def missing_trailer_where_it_is_refused():
    name = control()
    with connect("strict") as c, Unframed("cut-frame", channel="strict"):
        c.write(VT + adt(name) + b"\x1c")
        c.socket.shutdown(socket.SHUT_WR)
        assert c.read() is None
    assert messages(name) == []


def end_byte_inside_a_message():
    name = control()
    body = adt(name).replace(b"TESTPERSON", b"TEST\x1cPERSON")
    with connect() as c:
        ack = c.send(body)
        assert ack_control(ack) == name and ack_code(ack) in ("AA", "AE", "AR"), ack
    assert messages(name)[0][1:] == (1, body)


def a_frame_that_starts_inside_another():
    lost, name = control(), control()
    with connect() as c, Unframed("cut-frame") as unframed:
        c.write(VT + adt(lost)[:100] + VT + adt(name) + FS)
        ack = c.read()
        assert (ack_code(ack), ack_control(ack)) == ("AA", name), ack
    assert unframed.heads == [adt(lost)[:100]] and messages(lost) == []
    check_stored(name, adt(name), fault=1)


def the_connection_ends_inside_a_frame():
    name = control()
    with Unframed("cut-frame") as unframed:
        with connect() as c:
            c.write(VT + adt(name)[:150])
    assert unframed.heads == [adt(name)[:150]] and messages(name) == []


def a_frame_that_never_ends_is_closed():
    name = control()
    with connect() as c, Unframed("cut-frame"):
        c.write(VT + adt(name)[:80])
        begin = time.monotonic()
        assert c.read() is None
        assert time.monotonic() - begin > 0.8, "before its frame_timeout"


def two_messages_in_one_segment():
    one, two = control(), control()
    with connect() as c:
        c.write(VT + adt(one) + FS + VT + adt(two) + FS)
        assert [ack_control(c.read()), ack_control(c.read())] == [one, two]
    check_stored(one, adt(one))
    check_stored(two, adt(two))


def a_hundred_messages_at_once_are_answered_in_order():
    names = [control() for _ in range(100)]
    with connect() as c:
        c.write(b"".join(VT + adt(n) + FS for n in names))
        acks = [c.read() for _ in names]
    assert [ack_control(a) for a in acks] == names and {ack_code(a) for a in acks} == {"AA"}


def split_at_every_byte():
    with connect() as c:
        size = len(VT + adt("B000") + FS)
        names = []
        for at in range(1, size):
            name = control("SP")
            names.append(name)
            frame = VT + adt(name) + FS
            c.write(frame[:at])
            time.sleep(0.0005)
            c.write(frame[at:])
            ack = c.read()
            assert (ack_code(ack), ack_control(ack)) == ("AA", name), (at, ack)
    stored = {row[0] for row in rows("SELECT control_id FROM msg WHERE control_id LIKE 'SP%' AND framing_fault=0")}
    assert stored == set(names), sorted(set(names) - stored)


def one_byte_at_a_time():
    name = control()
    with connect() as c:
        for byte in VT + adt(name) + FS:
            c.write(bytes([byte]))
        ack = c.read()
        assert (ack_code(ack), ack_control(ack)) == ("AA", name), ack
    check_stored(name, adt(name))


def empty_frames_are_ignored():
    name = control()
    with connect() as c:
        c.write(VT + FS + VT + FS)
        ack = c.send(adt(name))
        assert ack_control(ack) == name, ack


# ---- size ----

def large_text(name, size):
    body = adt(name, extra="NTE|1||")
    return body[:-1] + b"x" * (size - len(body)) + b"\r" if size > len(body) else body


def above_max_message(channel, size):
    name = control()
    with connect(channel) as c, Unframed("oversize", channel=channel) as unframed:
        try:
            c.write(VT + large_text(name, size) + FS)
        except OSError:  # closed before all of it was read
            pass
        ack = c.read()
        if ack is not None:
            assert (ack_code(ack), ack_control(ack)) == ("AR", name), ack
            assert c.read() is None, "the connection stays open"
    assert unframed.heads[0].startswith(b"MSH|") and messages(name) == []


def above_64_kB():
    above_max_message("small", 70_000)


def one_byte_above_64_kB():
    above_max_message("small", (64 << 10) + 1)


def exactly_64_kB():
    name = control()
    with connect() as c:
        expect(c, large_text(name, 64 << 10), name, "AA")


def above_16_MB():
    above_max_message("large", 17 << 20)
    assert memory_mb() < 300, f"{memory_mb()} MB"


def almost_16_MB():
    name = control()
    with connect("large") as c:
        expect(c, large_text(name, 15_900_000), name, "AA")


def memory_mb():
    text = pathlib.Path(f"/proc/{engine.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) // 1024


# ---- content ----

def unknown_segment():
    name = control()
    with connect() as c:
        expect(c, adt(name, extra="ZAB|1|local\rQQQ|nobody knows this\r"), name, "AA")


def other_message_type():
    name = control()
    with connect() as c:
        expect(c, adt(name).replace(b"ADT^A01^ADT_A01", b"ORU^R01^ORU_R01"), name, "AR", "rejected", ["200"])


def header_that_ends_early():
    """MSH-9 and more are missing: the answer says so, the message is kept."""
    before = len(rows("SELECT id FROM msg"))
    with connect() as c:
        ack = c.send(b"MSH|^~\\&|E2E\rPID|1\r")
        assert ack_code(ack) in ("AE", "AR"), ack
    assert len(rows("SELECT id FROM msg")) == before + 1


def header_with_unusable_delimiters():
    before = len(rows("SELECT id FROM msg"))
    for body in (b"MSH", b"MSH|", b"MSHA^~\\&", b"MSH||||||", b"MSH\r\r\r"):
        with connect() as c:
            ack = c.send(body)
            assert ack is not None and ack_code(ack) in ("AE", "AR"), (body, ack)
    assert len(rows("SELECT id FROM msg")) == before + 5


def no_header_at_all():
    for body in (b"PID|1||700412\r", b"hello", b"\xff\xfe\xfd", b"{\"resourceType\":\"Patient\"}"):
        before = len(rows("SELECT id FROM msg"))
        with connect() as c:
            ack = c.send(body)
            assert ack is not None and ack_code(ack) in ("AE", "AR"), (body, ack)
        assert rows("SELECT body FROM msg ORDER BY id")[before:] == [(body,)]


def no_header_where_that_closes():
    before = len(rows("SELECT id FROM msg"))
    with connect("strict") as c:
        c.write(VT + b"PID|1||700412\r" + FS)
        assert c.is_silent(1)
    assert len(rows("SELECT id FROM msg")) == before + 1


def invalid_utf_8():
    """The header is readable, so the message is kept with its bytes; the patient's name holds replacement characters."""
    name = control()
    body = adt(name, patient="800001", msh="||||||UNICODE UTF-8").replace(b"TESTPERSON", b"TEST\xff\xfePERSON")
    with connect() as c:
        ack = c.send(body)
        assert ack_control(ack) == name and ack_code(ack) in ("AA", "AE"), ack
    check_stored(name, body, "sent" if ack_code(ack) == "AA" else "rejected")
    if ack_code(ack) == "AA":
        patient = engine.entries("Patient?identifier=urn:oid:1.2.840.99999|800001")[0]
        assert patient["name"][0]["family"].startswith("TEST\ufffd"), patient


def unknown_character_set():
    name = control()
    with connect() as c:
        ack = c.send(adt(name, msh="||||||KLINGON"))
        assert ack_control(ack) == name, ack
    assert len(messages(name)) == 1


def a_map_that_rejects():
    name = control()
    body = adt(name).replace(b"700412^^^E2E&1.2.840.99999&ISO^MR", b"")
    with connect() as c:
        ack = expect(c, body, name, "AE", "rejected", ["101"])
    assert b"PID^1^3" in ack, ack


def no_control_id():
    body = adt("")
    with connect() as c:
        first, second = c.send(body), c.send(body)
    assert ack_control(first) == "" and ack_control(second) == "", first
    assert len([1 for (b,) in rows("SELECT body FROM msg WHERE control_id=''") if b == body]) == 2, "without MSH-10 nothing is a duplicate"


def an_acknowledgement_is_never_acknowledged():
    name = control()
    body = f"MSH|^~\\&|E2E|TEST|KILN|TEST|20260101120000||ACK^A01^ACK|{name}|P|2.5.1\rMSA|AA|X1\r".encode()
    after = control()
    with connect() as c:
        c.write(VT + body + FS)
        ack = c.send(adt(after))
        assert ack_control(ack) == after, ack
    assert len(messages(name)) == 1


def several_messages_in_one_frame():
    """A frame is one message: nothing of the others may be acknowledged positively and dropped."""
    one, two = control(), control()
    before = len(rows("SELECT id FROM msg"))
    with connect() as c:
        ack = c.send(adt(one) + adt(two))
        assert ack_code(ack) in ("AE", "AR"), ack
    assert rows("SELECT body FROM msg ORDER BY id")[before:] == [(adt(one) + adt(two),)]


def a_batch_in_one_frame():
    one, two = control(), control()
    body = b"FHS|^~\\&|E2E\rBHS|^~\\&|E2E\r" + adt(one) + adt(two) + b"BTS|2\rFTS|1\r"
    before = len(rows("SELECT id FROM msg"))
    with connect() as c:
        answer = c.send(body)
    answers = [line for line in answer.split(b"\r") if line.startswith(b"MSA")]
    assert answer.startswith(b"FHS|") and b"\rBTS|2\r" in answer, answer
    assert answers == [b"MSA|AA|" + one.encode(), b"MSA|AA|" + two.encode()], answer
    assert rows("SELECT body FROM msg ORDER BY id")[before:] == [(adt(one),), (adt(two),)]


# ---- enhanced mode ----

def enhanced(condition, body_change=None, application=""):
    """The answer to a message whose MSH-15 is `condition`; None when none came before that of a second message."""
    name, after = control(), control()
    body = adt(name, msh=f"|||{condition}|{application}")
    if body_change:
        body = body.replace(*body_change)
    with connect() as c:
        c.write(VT + body + FS)
        ack = c.send(adt(after))
        answer = None
        if ack_control(ack) == name:
            answer, ack = ack, c.read()
        assert ack_control(ack) == after, ack
    assert len(messages(name)) == 1
    return answer and ack_code(answer)


NO_PATIENT = (b"700412^^^E2E&1.2.840.99999&ISO^MR", b"")
OTHER_TYPE = (b"ADT^A01^ADT_A01", b"ORU^R01^ORU_R01")


def enhanced_mode_always():
    assert enhanced("AL") == "CA"
    assert enhanced("AL", NO_PATIENT) == "CE"
    assert enhanced("AL", OTHER_TYPE) == "CR"


def enhanced_mode_never():
    assert enhanced("NE") is None
    assert enhanced("NE", NO_PATIENT) is None
    assert enhanced("", application="AL") is None  # MSH-16 alone: the accept ACK counts as NE


def enhanced_mode_on_error_or_success():
    assert enhanced("ER") is None and enhanced("ER", NO_PATIENT) == "CE" and enhanced("ER", OTHER_TYPE) == "CR"
    assert enhanced("SU") == "CA" and enhanced("SU", NO_PATIENT) is None


# ---- repetitions ----

def a_resend_gets_the_same_bytes():
    name = control()
    with connect() as c:
        first = expect(c, adt(name), name, "AA")
        again = c.send(adt(name))
    with connect() as c:
        other = c.send(adt(name))
    assert first == again == other, (first, again, other)
    assert len(messages(name)) == 1
    refused = adt(control("R")).replace(*NO_PATIENT)
    with connect() as c:
        assert c.send(refused) == c.send(refused)
    engine.stop()
    engine.start()
    with connect() as c:
        assert c.send(adt(name)) == first, "after a restart"
    assert len(messages(name)) == 1


def a_resend_at_the_same_time_waits_for_the_first():
    name = control()
    connections = [connect() for _ in range(8)]
    for c in connections:
        c.write(VT + adt(name) + FS)
    acks = {c.read() for c in connections}
    assert len(acks) == 1 and ack_code(acks.pop()) == "AA"
    assert len(messages(name)) == 1
    assert engine.channel("small")["duplicates"] >= 7


def the_same_control_id_with_another_body_is_processed():
    name = control()
    with connect() as c:
        first, second = c.send(adt(name, "810001")), c.send(adt(name, "810002"))
    assert ack_code(first) == ack_code(second) == "AA" and first != second
    assert len(messages(name)) == 2
    for patient in ("810001", "810002"):
        wait_for(patient, lambda: engine.entries(f"Patient?identifier=urn:oid:1.2.840.99999|{patient}"))


# ---- at the end ----

def nothing_was_lost():
    engine.wait_drained()
    status = [engine.channel(name) for name in ("small", "large", "strict")]
    assert all(s["not_stored"] == 0 for s in status), status
    assert engine.stop() == 0
    assert run_checker(source, site)


CASES = [garbage_before_a_frame, line_ends_between_frames_are_no_garbage, too_much_garbage_closes, no_start_byte,
         missing_trailer_before_silence, missing_trailer_before_the_next_frame, missing_trailer_at_the_end_of_input,
         missing_trailer_where_it_is_refused, end_byte_inside_a_message, a_frame_that_starts_inside_another,
         the_connection_ends_inside_a_frame, a_frame_that_never_ends_is_closed, two_messages_in_one_segment,
         a_hundred_messages_at_once_are_answered_in_order, split_at_every_byte, one_byte_at_a_time, empty_frames_are_ignored,
         above_64_kB, one_byte_above_64_kB, exactly_64_kB, above_16_MB, almost_16_MB, unknown_segment, other_message_type,
         header_that_ends_early, header_with_unusable_delimiters, no_header_at_all, no_header_where_that_closes, invalid_utf_8,
         unknown_character_set, a_map_that_rejects, no_control_id, an_acknowledgement_is_never_acknowledged,
         several_messages_in_one_frame, a_batch_in_one_frame, enhanced_mode_always, enhanced_mode_never,
         enhanced_mode_on_error_or_success, a_resend_gets_the_same_bytes, a_resend_at_the_same_time_waits_for_the_first,
         the_same_control_id_with_another_body_is_processed, nothing_was_lost]
engine.start()
sys.exit(run_cases(CASES))
