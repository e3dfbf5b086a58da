#!/usr/bin/env python3
"""What a live dashboard costs the engine: CPU of `kiln run` with 100 channels under traffic, without and with dashboards that listen.

    live_cost.py SOURCE KILN [DASHBOARDS]      prints the share of one core; a figure for the record, no test
"""
import http.client
import json
import os
import pathlib
import re
import sys
import threading
import time

source, kiln = map(pathlib.Path, sys.argv[1:3])
dashboards = int(sys.argv[3]) if len(sys.argv) > 3 else 1
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

CHANNELS, SECONDS = 100, 10


def make_site(folder):
    free = set()
    while len(free) < CHANNELS + 2:
        free.add(free_port())
    console, http_port, *ports = free
    files = {"kiln.conf": f'server {{\n  data "data"\n  http {{ listen 127.0.0.1:{http_port} }}\n  console {{ listen 127.0.0.1:{console} }}\n}}\n'}
    for n, port in enumerate(ports):
        files[f"channels/c{n:03}.channel"] = (
            f'module cost.c{n:03}\n\nchannel c{n:03} {{\n  source mllp {{\n    port {port}\n    bind "127.0.0.1"\n  }}\n  accept hl7 ADT_A01 2.5.1\n'
            f'  ack auto on stored\n  to out: file from source {{ file "out/{n}/${{MSH-10}}.hl7" }}\n}}\n')
    return write_site(folder, files), ports, console


def busy_share(pid, seconds):
    """Of one core, over that long."""
    ticks = lambda: sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))  # noqa: E731
    before, begin = ticks(), time.monotonic()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)


def send_traffic(ports, ended):
    """Five messages a second to each tenth channel."""
    clients = [Mllp(port) for port in ports[::10]]
    number = 0
    while not ended.is_set():
        number += 1
        for n, client in enumerate(clients):
            client.send(adt(f"C{n}N{number}"))
        ended.wait(0.2)


def listen(console, cookie, ended, counted):
    connection = http.client.HTTPConnection("127.0.0.1", console, timeout=PATIENCE)
    connection.request("GET", "/api/v1/events", headers={"Cookie": cookie})
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    while not ended.is_set():
        counted[0] += len(answer.readline())


site, ports, console = make_site(temp_folder())
engine = Engine(kiln, site).start()
token = re.search(rb"15 minutes\): ([0-9a-f]+)", engine.log.read_bytes()).group(1).decode()
setup = http.client.HTTPConnection("127.0.0.1", console, timeout=PATIENCE)
setup.request("POST", "/api/v1/setup", json.dumps({"token": token, "user": "ann", "name": "Ann", "password": "a long enough pass phrase"}),
              {"Content-Type": "application/json"})
answer = setup.getresponse()
assert answer.status == 200, answer.read()
cookie = answer.headers["Set-Cookie"].split(";")[0]
ended, counted = threading.Event(), [0]
threading.Thread(target=send_traffic, args=(ports, ended), daemon=True).start()
time.sleep(1)
without = busy_share(engine.pid(), SECONDS)
for n in range(dashboards):
    threading.Thread(target=listen, args=(console, cookie, ended, counted if n == 0 else [0]), daemon=True).start()
time.sleep(1)
counted[0] = 0
with_them = busy_share(engine.pid(), SECONDS)
print(f"{CHANNELS} channels, 50 messages a second: {without:.2%} of a core without, {with_them:.2%} with {dashboards} dashboard(s): "
      f"{with_them - without:+.2%}; {counted[0] / SECONDS / 1000:.1f} kB/s of events each")
ended.set()
engine.stop()
