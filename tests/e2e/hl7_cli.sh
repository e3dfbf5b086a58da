#!/usr/bin/env python3
"""What the verbs of `kiln hl7` print: tests/golden/hl7_cli/VERB.txt holds commands ("$ …"), their output (stdout and stderr)
and their exit code. APPROVE=1 rewrites the files; read the difference. CR shows as ␍ and a line end, ESC as ␛."""
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
kiln = pathlib.Path(os.environ.get("KILN", build / "kiln"))
folder = source / "tests/golden/hl7_cli"


def shown(output):
    text = output.decode("utf-8", "replace").replace("\r\n", "␍\n").replace("\r", "␍\n").replace("\x1b", "␛")
    return text if not text or text.endswith("\n") else text + "\n"


def run(command, temporary):
    script = 'kiln() { "$KILN" "$@"; }\nexec 2>&1 < /dev/null\n' + command
    environment = {"PATH": os.environ["PATH"], "KILN": str(kiln), "TMP": temporary, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, timeout=60)
    return f"$ {command}\n{shown(done.stdout)}[exit {done.returncode}]\n"


failed = 0
commands = 0
for file in sorted(folder.glob("*.txt")):
    golden = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        actual = ""
        for line in golden.splitlines():
            if line.startswith("$ "):
                commands += 1
                actual += run(line[2:], temporary) + "\n"
    actual = actual.rstrip("\n") + "\n"
    if os.environ.get("APPROVE") == "1":
        file.write_text(actual, encoding="utf-8")
    elif actual != golden:
        failed += 1
        print("\n".join(difflib.unified_diff(golden.splitlines(), actual.splitlines(), file.name, "now", lineterm="")))
# Every verb explains itself, with examples.
verbs = sorted(p.stem.replace("_", " ") for p in (source / "engine/cli/hl7").glob("*.cpp"))
for verb in verbs:
    text = run(f"kiln hl7 {verb} --help", "")
    if "Examples:" not in text or not text.endswith("[exit 0]\n"):
        failed += 1
        print(f"kiln hl7 {verb} --help: {text}")
    if not any(f"kiln hl7 {verb} " in p.read_text(encoding="utf-8") for p in folder.glob("*.txt")):
        failed += 1
        print(f"kiln hl7 {verb} has no golden")
print(f"{commands} commands, {len(verbs)} verbs, {failed} failures")
sys.exit(1 if failed or not commands else 0)
