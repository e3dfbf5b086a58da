#!/usr/bin/env python3
"""The HL7 library as others use it: installed into an empty prefix, found by find_package(kiln), built and run by a
program whose code and output are those of hl7/TOUR.md."""
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

source, build = (pathlib.Path(argument) for argument in sys.argv[1:3])
page = (source / "hl7/TOUR.md").read_text(encoding="utf-8")
program = (source / "tests/e2e/library/tour.cpp").read_text(encoding="utf-8")


def blocks(language):
    return [b for b in re.findall(r"^```" + language + r"\n(.*?)^```$", page, re.M | re.S)]


def code_of_page():
    return [line for block in blocks("cpp") for line in block.splitlines() if line.strip()]


def code_of_program():
    out = []
    for part in re.findall(r"^ *// begin\n(.*?)^ *// end$", program, re.M | re.S):
        for line in part.splitlines():
            if line.strip():
                out.append(line[2:] if line.startswith("  ") else line)
    return out


def same(what, expected, actual):
    if expected == actual:
        return True
    print(f"{what} differ:")
    print("\n".join(difflib.unified_diff(expected, actual, "TOUR.md", "tour", lineterm="")))
    return False


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        print(" ".join(str(c) for c in command), done.stdout[-3000:], done.stderr[-3000:], sep="\n")
        sys.exit(1)
    return done.stdout


def private_headers(prefix):
    """Every installed header must compile alone, with nothing but what is installed."""
    headers = sorted((prefix / "include/kiln").rglob("*.h"))
    text = "".join(f'#include <{h.relative_to(prefix / "include/kiln").as_posix()}>\n' for h in headers)
    probe = prefix / "all.cpp"
    probe.write_text(text + "int main() {}\n")
    run("c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-I", prefix / "include/kiln", probe)
    return len(headers)


if not same("the code of the page and of the program", code_of_page(), code_of_program()):
    sys.exit(1)
with tempfile.TemporaryDirectory() as folder:
    prefix, work = pathlib.Path(folder) / "prefix", pathlib.Path(folder) / "build"
    run("cmake", "--install", build, "--component", "hl7", "--prefix", prefix)
    count = private_headers(prefix)
    flags = "-fsanitize=address,undefined" if "KILN_SANITIZE:STRING=address" in (build / "CMakeCache.txt").read_text() else ""
    run("cmake", "-S", source / "tests/e2e/library", "-B", work, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_FLAGS={flags}")
    run("cmake", "--build", work)
    printed = run(work / "tour")
    (work / "newer").mkdir()
    (work / "newer/CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(x CXX)\nfind_package(kiln 9 REQUIRED)\n")
    newer = subprocess.run(["cmake", "-S", work / "newer", "-B", work / "newer/build", f"-DCMAKE_PREFIX_PATH={prefix}"],
                           capture_output=True, text=True)
    assert newer.returncode != 0 and "version" in newer.stderr, "a version that is not there is found"
expected = [line for block in blocks("text") for line in block.splitlines()]
if not same("the output of the page and of the program", expected, printed.splitlines()):
    sys.exit(1)
print(f"{count} headers installed; the tour says what it does")
