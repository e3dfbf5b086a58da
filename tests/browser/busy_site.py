"""A site with a working day behind it, for looking at the console: the quickstart site with more channels, a few hundred
messages, a destination that is down, one that refuses some messages, and a paused channel. All people are invented."""
import datetime
import pathlib
import random
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kiln_site import *  # noqa: E402,F403

ORDERS = """module quickstart.channels

// Laboratory orders to the analyser line, which is down.
channel orders {
  source mllp {
    port @orders
    bind "127.0.0.1"
  }
  accept hl7 ORM_O01 2.5.1 else reject AR 200 "only orders are taken here"
  ack auto on stored
  to lab_out: mllp from source {
    host "127.0.0.1"
    port @closed
    retry forever backoff 1s..20s jitter
  }
  to archive: file from source { file "out/orders/${MSH-10}.hl7" }
}
"""

PHARMACY = """module quickstart.channels

// Admissions to the dispensing robot, which refuses wards that it does not know.
channel pharmacy {
  source mllp {
    port @pharmacy
    bind "127.0.0.1"
  }
  accept hl7 ADT_A01 2.5.1 else reject AR 200 "only admissions are taken here"
  ack auto on stored
  to robot: mllp from source if PV1-2 == "I" {
    host "127.0.0.1"
    port @robot
    retry 5 backoff 1s..5s then quarantine
    nak AE retry
    nak AR quarantine
  }
  to billing: file from source { file "out/billing/${MSH-10}.hl7" }
}
"""

RADIOLOGY = """module quickstart.channels

// Results to the picture archive.
channel radiology {
  source mllp {
    port @radiology
    bind "127.0.0.1"
  }
  accept hl7 ORU_R01 2.5.1 else reject AR 200 "only results are taken here"
  ack auto on stored
  to pacs: mllp from source {
    host "127.0.0.1"
    port @pacs
    retry forever backoff 1s..20s
  }
}
"""

CONF = """server {
  data     "data"
  timezone "Europe/Berlin"
  http     { listen 127.0.0.1:@http }
  console  { listen 127.0.0.1:@console }
  notify pager {
    webhook "http://127.0.0.1:@hook/alerts"
    level   page
  }
  alert destination_down { for 5s }
  alert queue_depth {
    above 20
    for   1s
  }
}
"""

FAMILIES = ["EXAMPLE", "SAMPLE", "SPECIMEN", "PATTERN", "TEMPLATE", "MUSTER", "ESEMPIO", "PRUEBA"]
GIVEN = ["ADA", "BEN", "CLEO", "DORA", "EMIL", "FAY", "GUS", "HANA", "IDA", "JON"]


def busy_site(source, folder):
    """Writes the site; (folder, ports by name)."""
    site = copy_quickstart(source, folder)
    names = ["orders", "closed", "pharmacy", "robot", "radiology", "pacs", "http", "console", "hook"]
    ports = {name: free_port() for name in names}
    fill = lambda text: re.sub(r"@(\w+)", lambda found: str(ports[found.group(1)]), text)  # noqa: E731
    for name, text in {"orders": ORDERS, "pharmacy": PHARMACY, "radiology": RADIOLOGY}.items():
        (site / f"channels/{name}.channel").write_text(fill(text))
    (site / "kiln.conf").write_text(fill(CONF))
    for name in ("adt_in", "lab_in", "vaccines"):
        ports[name] = int(re.search(r"\bport +(\d+)", (site / f"channels/{name}.channel").read_text()).group(1))
    return site, ports


def person(chance):
    number = 700000 + chance.randrange(4000)
    born = f"{1930 + number % 90}{1 + number % 12:02}{1 + number % 28:02}"
    return f"PID|1||{number}^^^NORTH&1.2.840.99999&ISO^MR||{FAMILIES[number % 8]}^{GIVEN[number % 10]}||{born}|{'FM'[number % 2]}|||{number % 90} MILL LANE^^NORTHTON^^N1 {number % 9}AB"


def header(kind, structure, control, now):
    return f"MSH|^~\\&|HIS|NORTH|KILN|NORTH|{now:%Y%m%d%H%M%S}+0000||{kind}^{structure}|{control}|P|2.5.1"


def admission(chance, control, now):
    event = chance.choice(["A01", "A01", "A04", "A08"])
    ward = chance.choice(["WARD7", "WARD3", "ICU", "DAY"])
    visit = f"PV1|1|{'I' if event == 'A01' else 'O'}|{ward}^{chance.randrange(30)}^B^NORTH||||1234^HOUSE^GINA||||||||||||V{chance.randrange(90000)}"
    return "\r".join([header(f"ADT^{event}", "ADT_A01", control, now), f"EVN||{now:%Y%m%d%H%M%S}", person(chance), visit, ""])


def order(chance, control, now):
    placer = f"P{chance.randrange(90000)}"
    return "\r".join([header("ORM^O01", "ORM_O01", control, now), person(chance), f"ORC|NW|{placer}^HIS", f"OBR|1|{placer}^HIS||BMP^Basic panel^L", ""])


def result(chance, control, now):
    glucose = chance.randrange(35, 140) / 10
    return "\r".join([
        header("ORU^R01", "ORU_R01", control, now), person(chance), f"ORC|RE|P{chance.randrange(90000)}|F{chance.randrange(90000)}",
        f"OBR|1|P77|F77|BMP^Basic panel^L|||{now:%Y%m%d%H%M%S}+0000|||||||||||||||{now:%Y%m%d%H%M%S}+0000|||F",
        f"OBX|1|NM|2345-7^Glucose^LN||{glucose}|mmol/L^^UCUM|3.9-5.6|{'H' if glucose > 5.6 else 'N'}|||F|||{now:%Y%m%d%H%M%S}+0000",
        "OBX|2|SN|5671-3^Lead^LN||<^0.5|ug/dL^^UCUM||N|||F", "NTE|1||below the limit of detection", ""])


def robot():
    """Refuses each ninth message for good."""
    return lambda _, number, control: "AR" if number % 9 == 0 else "AA"


def send_day(source, site, ports, count=60):
    """`count` messages to each of five channels; the samples of the quickstart too, among them such that are refused."""
    chance = random.Random(7)
    makers = {"adt_in": admission, "pharmacy": admission, "orders": order, "lab_in": result, "radiology": result}
    clients = {name: Mllp(ports[name]) for name in makers}
    for number in range(count):
        for name, make in makers.items():
            now = datetime.datetime.now(datetime.timezone.utc)
            assert clients[name].send(make(chance, f"{name[:3].upper()}{number + 1:06}", now).encode()), name
    for client in clients.values():
        client.__exit__()
    sent = 0
    for name in ("adt_in", "lab_in"):
        with Mllp(ports[name]) as client:
            for sample in sorted((site / "samples" / name).glob("*.hl7")):
                assert client.send(sample.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")), sample
                sent += 1
    assert sent > 3, f"only {sent} samples were sent"


def large_result(megabytes):
    """One result with a document of that many megabytes in OBX-5, and thousands of values after it."""
    chance = random.Random(9)
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = result(chance, "LARGE1", now).rstrip("\r").split("\r")
    lines.append("OBX|3|ED|PDF^Report^L||^AP^PDF^Base64^" + "QUJD" * (megabytes * 250_000 // 2) + "||||||F")
    rest = megabytes * 1_000_000 - len("\r".join(lines))
    row = "OBX|%d|NM|2345-7^Glucose^LN||5.4|mmol/L^^UCUM|3.9-5.6|N|||F"
    lines += [row % (n + 4) for n in range(rest // 62)]
    return ("\r".join(lines) + "\r").encode()


if __name__ == "__main__":
    # busy_site.py SOURCE KILN FOLDER: writes the site, runs it, sends a day, and stays until Ctrl-C.
    source, kiln, folder = map(pathlib.Path, sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    site, ports = busy_site(source, folder)
    receivers = [Receiver(robot(), ports["robot"]), Receiver(None, ports["pacs"])]
    engine = Engine(kiln, site).start()
    print("console", ports["console"], "token", re.search(rb"15 minutes\): ([0-9a-f]+)", engine.log.read_bytes()).group(1).decode(), flush=True)
    print(ports, flush=True)
    engine.control("POST", "/api/v1/channels/radiology/pause", {"reason": "the archive is moved"})
    send_day(source, site, ports)
    print("sent", flush=True)
    try:
        while engine.is_running():
            time.sleep(1)
    except KeyboardInterrupt:
        engine.stop()
