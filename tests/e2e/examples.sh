#!/usr/bin/env python3
"""Every folder in examples/ passes `kiln check` and `kiln test`, has a README, and `./examples/run --help` says what it does.

    examples.sh SOURCE BUILD
"""
import pathlib
import re
import sys

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403


def kiln(*arguments):
    done = subprocess.run([str(build / "kiln"), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def the_folders_are_sites():
    assert {"hospital", "quickstart"} <= {s.name for s in SITES}
    for site in SITES:
        assert (site / "kiln.conf").exists() and (site / "README.md").exists(), site


def they_pass_the_check():
    for site in SITES:
        code, text = kiln("check", site)
        assert code == 0, f"{site.name}: exit {code}\n{text}"


def they_pass_their_tests():
    for site in SITES:
        code, text = kiln("test", site)
        assert code == 0, f"{site.name}: exit {code}\n{text}"
        written = sum(len(re.findall(r"^test ", p.read_text(), re.M)) for p in [*site.glob("channels/*.channel"), *site.glob("maps/*.hmap")])
        passed = int(re.search(r"(\d+) passed", text).group(1)) if re.search(r"(\d+) passed", text) else -1
        assert passed == written, f"{site.name}: {written} tests are written, the report says:\n{text[-2000:]}"


def a_failing_test_is_reported():
    copy = temp_folder() / "site"
    shutil.copytree(source / "examples/quickstart", copy, ignore=shutil.ignore_patterns("data", "out", "in", "census"))
    path = copy / "channels/adt_in.channel"
    path.write_text(path.read_text().replace('expect ack.code == "AE"', 'expect ack.code == "AA"', 1))
    code, text = kiln("test", copy)
    assert code == 1 and "adt_in.channel" in text, f"exit {code}\n{text}"


def check_and_run_refuse_the_same():
    site = write_site(temp_folder() / "site", {"kiln.conf": "server { journal { durability relaxed } }\n",
                                               "channels/c.channel": """channel c {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  to out: drop from source { }
}
"""})
    findings = [re.findall(r"error\[E0915\]: .*", kiln(verb, site)[1]) for verb in ("check", "run")]
    assert kiln("run", site)[0] == 78 and findings[0] == findings[1] and len(findings[0]) == 1, findings
    assert not (site / "data").exists()


def the_readme_names_every_site():
    text = (source / "examples/README.md").read_text()
    assert all(f"`{s.name}/`" in text for s in SITES), text


def the_script_explains_itself():
    done = subprocess.run([str(source / "examples/run"), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--once" in done.stdout and "Ctrl-C" in done.stdout, done.stdout + done.stderr
    done = subprocess.run([str(source / "examples/run"), "--twice"], capture_output=True, text=True)
    assert done.returncode == 64 and "--twice" in done.stderr, done.stdout + done.stderr


SITES = sorted(p for p in (source / "examples").iterdir() if p.is_dir() and p.name != "__pycache__")
sys.exit(run_cases([the_folders_are_sites, they_pass_the_check, they_pass_their_tests, a_failing_test_is_reported,
                    check_and_run_refuse_the_same,
                    the_readme_names_every_site, the_script_explains_itself]))
