#!/usr/bin/env python3
"""The web console in Chromium against a real engine: `kiln run` on a copy of examples/quickstart, with its samples sent.

    engine.sh SOURCE BUILD
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def start_site():
    """The engine on its copy of the site, and the port of its console."""
    site = copy_quickstart(source, temp_folder())
    port = free_port()
    conf = site / "kiln.conf"
    text = re.sub(r"\n[ \t]*console[ \t]*\{[^}]*\}[^\n]*", "", conf.read_text())
    conf.write_text(text.replace("server {", f"server {{\n  console {{ listen 127.0.0.1:{port} }}", 1))
    return site, port, Engine(build / "kiln", site).start()


def send_samples(site):
    sent = 0
    for name in ("adt_in", "lab_in"):
        port = int(re.search(r"\bport +(\d+)", (site / f"channels/{name}.channel").read_text()).group(1))
        with Mllp(port) as client:
            for sample in sorted((site / "samples" / name).glob("*.hl7")):
                assert client.send(sample.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")), sample
                sent += 1
    assert sent > 3, f"only {sent} samples were sent"


chromium = os.environ.get("KILN_CHROMIUM") or shutil.which("chromium")
if not chromium:
    skip("chromium is not installed")
if not shutil.which("node") or not shutil.which("npm"):
    skip("node or npm is not installed")
if not (build / "kiln").exists():
    skip("kiln is not built")
if not (build / "console/packed/assets").exists():
    skip("this build has no console (KILN_CONSOLE=OFF)")
subprocess.run([str(source / "tests/browser/prepare"), str(source), str(build)], check=True)
site, console, engine = start_site()
token = re.search(rb"15 minutes\): ([0-9a-f]+)", engine.log.read_bytes())
assert token, engine.tail()
send_samples(site)
result = subprocess.run(["node", str(source / "tests/browser/real.mjs"), f"http://127.0.0.1:{console}", token.group(1).decode(),
                         str(build / "browser/screenshots")],
                        env={**os.environ, "KILN_CHROMIUM": chromium, "KILN_BROWSER_MODULES": str(build / "browser")}, timeout=300)
if result.returncode != 0:
    print(engine.tail())
sys.exit(result.returncode)
