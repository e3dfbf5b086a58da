#!/usr/bin/env python3
"""Verbs as an operator types them: what they answer, also to what is mistyped; and bodies of the admin API that are not as documented.

    verbs.sh SOURCE BUILD
"""
import pathlib
import sys
import urllib.parse

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

KILN = str(build / "kiln")
SITE = {
    "kiln.conf": 'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http} }}\n  console {{ listen 127.0.0.1:{console} }}\n}}\n',
    "channels/in.channel": """module e2e.verbs

channel in {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    nak AE quarantine
  }}
}}
""",
}


class World:
    @classmethod
    def start(cls):
        folder = temp_folder()
        cls.refuses = set()
        cls.sink = Receiver(lambda _receiver, _number, control: "AE" if control in cls.refuses else "AA")
        cls.port, cls.console = free_port(), free_port()
        values = {"http": free_port(), "console": cls.console, "port": cls.port, "sink": cls.sink.port}
        cls.site = write_site(folder / "site", {name: text.format(**values) for name, text in SITE.items()})
        cls.engine = Engine(KILN, cls.site).start()

    @classmethod
    def kiln(cls, *words, code=0, site=True):
        done = subprocess.run([KILN, *map(str, words), *(["--site", str(cls.site)] if site else [])], capture_output=True, text=True, timeout=120)
        assert done.returncode == code, f"kiln {' '.join(map(str, words))}: exit {done.returncode} instead of {code}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    @classmethod
    def send(cls, control):
        with Mllp(cls.port) as c:
            assert ack_code(c.send(adt(control))) == "AA"
        cls.engine.wait_drained()
        return cls.engine.find(f"id:{control}")["id"]


def a_body_that_is_not_as_documented_does_nothing():
    engine = World.engine
    World.refuses.add("Q1")
    number = World.send("Q1")

    def still_open():
        return engine.find("id:Q1")["state"] == "quarantined" and "released" not in json.dumps(engine.show(number))
    for body in ({"query": str(number), "reason": "x", "dry_run": "true"}, {"query": str(number), "reason": "x", "dryrun": True},
                 {"query": number, "reason": "x"}, {"query": str(number), "reason": 5}, {"query": str(number), "reason": "x", "dry_run": 1},
                 {"query": str(number), "reason": "x", "limit": "50"}, {"ids": [str(number)], "reason": "x"}, {"ids": number, "reason": "x"}):
        status, answer = engine.control("POST", "/api/v1/quarantine/drop", body)
        assert status == 400 and answer["error"]["code"] == "bad-value", (body, status, answer)
        assert still_open(), body
    status, answer = engine.control("POST", "/api/v1/quarantine/drop", {"query": str(number), "reason": "x", "dryrun": True})
    assert answer["error"]["place"] == "dryrun" and "dry_run" in answer["error"]["remedy"], answer
    for path, body in (("/replay", {"query": str(number), "to": ["sink"], "include_sent": True, "dryRun": True}),
                       ("/replay/jobs", {"query": str(number), "reason": "x", "dry_run": True}),
                       ("/config/apply", {"dry_run": "yes"}), ("/storage/prune", {"dry_run": "no"}),
                       ("/log", {"channel": "*", "level": "loud", "seconds": 10}), ("/log", {"channel": "*", "level": "debug", "seconds": 1.5})):
        before = len(engine.search())
        status, answer = engine.control("POST", "/api/v1" + path, body)
        assert status == 400 and answer["error"]["code"] == "bad-value", (path, status, answer)
        assert len(engine.search()) == before, path
    status, answer = engine.control("POST", "/api/v1/quarantine/drop", {"query": str(number), "reason": "x", "dry_run": True})
    assert status == 200 and answer["matched"] == 1 and still_open(), answer


def what_still_holds_a_channel_is_said():
    World.kiln("channel", "stop", "in")
    said = World.kiln("channel", "resume", "in", code=1)
    assert "in: stopped" in said and "kiln channel start in" in said, said
    assert "running" in World.kiln("channel", "start", "in")
    World.kiln("channel", "pause", "in", "--source")
    said = World.kiln("channel", "resume", "in", code=1)
    assert "kiln channel resume in --source" in said, said
    World.kiln("channel", "resume", "in", "--source")
    World.kiln("channel", "pause", "in")
    said = World.kiln("destination", "resume", "in/sink", code=1)
    assert "kiln channel resume in" in said, said
    assert "running" in World.kiln("channel", "resume", "in")
    assert "running" in World.kiln("destination", "resume", "in/sink")


def exit_codes_say_what_is_to_be_done():
    number = World.send("OK1")
    for words in (("quarantine", "foo"), ("quarantine", "drop", number), ("quarantine", "assign", number), ("destination", "frob", "in/sink"),
                  ("channel", "frob", "in"), ("log", "level", "in", "loud"), ("channel", "pause", "nowhere"), ("search", "--limit", "-1"),
                  ("search", "--limit", "0"), ("search", "--limit", "5000"), ("top", "--times", "0"), ("tap", "in", "--for", "x"),
                  ("tap", "nosuch", "--for", "1"), ("quarantine", "release", number), ("audit", "list", "--limit", "x")):
        World.kiln(*words, code=64)
    assert "kiln channel list" in World.kiln("tap", "nosuch", "--for", "1", code=64)
    World.kiln("show", 999_999, code=1)
    World.kiln("status", "--site", "/nowhere/at/all", code=64, site=False)
    World.kiln("init", World.site, code=64, site=False)
    missing = World.kiln("check", "/nowhere/at/all", code=2, site=False)
    assert "stat" not in missing and "does not exist" in missing, missing
    missing = World.kiln("send", "--to", "127.0.0.1:1", "/nowhere/a.hl7", code=64, site=False)
    assert "No such file" not in missing and "current folder" in missing, missing


def a_mistyped_verb_is_named_with_the_nearest():
    for word, nearest in (("serach", "search"), ("stat", "status"), ("quarantin", "quarantine")):
        said = World.kiln(word, "x", code=64, site=False)
        assert f"`{word}`" in said and f"did you mean `{nearest}`" in said, said
    assert "there is no verb `frobnicate`" in World.kiln("frobnicate", code=64, site=False)


def json_is_one_document():
    folder = temp_folder()
    made = json.loads(World.kiln("backup", folder / "b", "--json"))
    assert made["last"] >= 1 and "proof" in made, made
    assert "_kiln" in json.loads(World.kiln("completion", "bash", "--json", site=False))["text"]
    assert json.loads(World.kiln("doc", "connectors", "--json", site=False))["text"]
    number = World.engine.find("id:OK1")["id"]
    import base64
    assert base64.b64decode(json.loads(World.kiln("show", number, "--raw", "--json"))["body_base64"]).startswith(b"MSH|")
    assert json.loads(World.kiln("migrate", "--dry-run", "--json"))["files"], "an engine runs, and looking disturbs nobody"


def a_message_is_shown_in_parts():
    number = World.engine.find("id:OK1")["id"]
    tree = World.kiln("show", number, "--tree")
    assert "PID" in tree and "PID-3 Patient Identifier List" in tree, tree
    assert "MSH|" in World.kiln("show", number, "--sent", "--dest", "sink")
    reply = World.kiln("show", number, "--response")
    assert "in/sink: sent" in reply and "MSA|AA|OK1" in reply, reply
    World.kiln("show", 999_999, "--tree", code=1)


def certificates_drain_and_environment():
    assert "uses a certificate" in World.kiln("cert", "list")
    assert json.loads(World.kiln("cert", "--json")) == {"certificates": []}
    assert "take nothing more, and nothing waits" in World.kiln("drain", "--wait", "30", "--reason", "update")
    assert World.engine.channel("in")["state"] == "stopped"
    assert "take messages again" in World.kiln("drain", "--undo")
    World.send("AFTER")
    said = World.kiln("check", "--env", World.site, site=False)
    assert "a confirmed write" in said and "open files" in said, said
    listed = json.loads(World.kiln("check", "--env", "--json", World.site, site=False))[0]
    assert any(one["what"] == "disk" for one in listed["environment"]) and listed["insecure"] == [], listed


def verbs_ask_an_engine_elsewhere():
    done = subprocess.run([KILN, "user", "add", "ann", "--role", "operator", "--final", "--site", str(World.site)], input="a long enough passphrase\n",
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    token = World.kiln("token", "add", "remote", "--user", "ann", "--right", "view", "--right", "operate", "--json")
    token = json.loads(token[token.index("{"):])["token"]
    at = ["--server", f"http://127.0.0.1:{World.console}"]

    def remote(*words, code=0):
        done = subprocess.run([KILN, *words, *at], capture_output=True, text=True, timeout=60, env={**os.environ, "KILN_TOKEN": token})
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout
    assert "in  running" in remote("channel", "list")
    assert "in: paused" in remote("channel", "pause", "in")
    assert "in: running" in remote("channel", "resume", "in")
    assert "in/sink" in remote("destination", "pause", "in/sink") and "running" in remote("destination", "resume", "in/sink")
    assert "open" in remote("quarantine", "list")
    assert "(runs now)" in remote("history")
    remote("replay", "1", "--to", "sink", "--dry-run", code=77)  # that right the token lacks


def a_listener_shows_what_comes():
    process = subprocess.Popen([KILN, "hl7", "listen", "--port", "0", "--ack", "AE", "--text", "not today", "--count", "2"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r"port (\d+)", process.stderr.readline()).group(1))
        with Mllp(port) as c:
            for control in ("L1", "L2"):
                answer = c.send(adt(control))
                assert ack_code(answer) == "AE" and b"not today" in answer, answer
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0 and out.count("MSH|") == 2 and "PID|" in out, out
    finally:
        process.kill()
    folder = temp_folder()
    (folder / "a.hl7").write_bytes(adt("S1"))
    assert "S1" in World.kiln("hl7", "send", "--to", f"127.0.0.1:{World.port}", folder / "a.hl7", site=False)


def the_journal_goes_out_and_in_again():
    engine = World.engine
    engine.wait_drained()
    World.kiln("journal", "dump", code=75)  # an engine runs
    have = {m["control_id"]: m for m in engine.search()}
    assert engine.stop() == 0
    lines = World.kiln("journal", "dump")
    assert len([line for line in lines.splitlines() if "body_base64" in line]) == len(have)
    folder = temp_folder()
    other = write_site(folder / "other", {name: text.format(http=free_port(), console=free_port(), port=free_port(), sink=World.sink.port)
                                          for name, text in SITE.items()})
    (folder / "journal.ndjson").write_text(lines)
    told = subprocess.run([KILN, "journal", "import", str(folder / "journal.ndjson"), "--site", str(other), "--json"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {"taken": len(have), "quarantined": 0, "left_out": 0}, told.stdout
    second = Engine(KILN, other).start()
    sent = len(World.sink.controls())
    got = {m["control_id"]: m for m in second.search()}
    assert set(got) == set(have)
    for control, message in have.items():
        assert got[control]["state"] == message["state"] and got[control]["received"] == message["received"], (control, got[control], message)
        assert second.show(got[control]["id"])["body"] == base64_free(lines, control)
    time.sleep(0.5)
    assert len(World.sink.controls()) == sent, "what was imported was sent"
    assert second.stop() == 0
    bad = folder / "bad.ndjson"
    bad.write_text('{"id":1,"channel":"in","received":"never"}\n')
    done = subprocess.run([KILN, "journal", "import", str(bad), "--site", str(other)], capture_output=True, text=True)
    assert done.returncode != 0 and "bad.ndjson:1" in done.stderr, done.stderr


def base64_free(lines, control):
    import base64
    for line in lines.splitlines():
        one = json.loads(line)
        if one.get("control_id") == control:
            return base64.b64decode(one["body_base64"]).decode()


World.start()
sys.exit(run_cases([
    a_body_that_is_not_as_documented_does_nothing,
    what_still_holds_a_channel_is_said,
    exit_codes_say_what_is_to_be_done,
    a_mistyped_verb_is_named_with_the_nearest,
    json_is_one_document,
    a_message_is_shown_in_parts,
    certificates_drain_and_environment,
    verbs_ask_an_engine_elsewhere,
    a_listener_shows_what_comes,
    the_journal_goes_out_and_in_again,
]))
