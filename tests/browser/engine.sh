#!/usr/bin/env python3
"""The web console in Chromium against a real engine with a working day behind it: `kiln run` on the site of busy_site.py.

    engine.sh SOURCE BUILD
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/browser"))
from busy_site import *  # noqa: E402,F403


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


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
site, ports = busy_site(source, temp_folder())
receivers = [Receiver(robot(), ports["robot"]), Receiver(None, ports["pacs"])]
engine = Engine(build / "kiln", site).start()
token = re.search(rb"15 minutes\): ([0-9a-f]+)", engine.log.read_bytes())
assert token, engine.tail()
engine.control("POST", "/api/v1/channels/radiology/pause", {"reason": "the archive is moved"})
send_day(source, site, ports, 20)
result = subprocess.run(["node", str(source / "tests/browser/real.mjs"), f"http://127.0.0.1:{ports['console']}", token.group(1).decode(),
                         str(build / "browser/screenshots")],
                        env={**os.environ, "KILN_CHROMIUM": chromium, "KILN_BROWSER_MODULES": str(build / "browser")}, timeout=300)
if result.returncode != 0:
    print(engine.tail())
sys.exit(result.returncode)
