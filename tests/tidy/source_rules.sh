#!/usr/bin/env python3
"""Rules of architecture.md §4 and §6 that a search can check: seams, coroutines, libraries behind one file, file length."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
FOLDERS = ("engine", "hl7", "fhir", "mappings", "channels")

# Where a word may stand. Everything else must use the seam or the façade.
ONLY_IN = [
    (r"#include <(boost/asio|asio)", ("channels/net/",), "Asio stays in channels/net"),
    (r"#include <boost/beast", ("channels/net/",), "Beast stays in channels/net"),
    (r"#include <CLI/", ("engine/command_line.cpp",), "CLI11 has one translation unit"),
    (r"#include <spdlog/", (), "log lines go through base::log"),
    (r"#include <rapidjson/", ("engine/base/json.cpp", "fhir/model/json_reader.cpp"),
     "RapidJSON stays behind base/json and the FHIR reader"),
    (r"#include <sqlite3\.h>", ("engine/base/sql/",), "SQLite stays behind base/sql"),
    (r"#include <(fstream|filesystem)>", (), "files go through base::Env"),
    (r"#include <regex>", (), "std::regex backtracks: RE2, in mappings"),
    (r"\bstd::thread\b", ("engine/base/executor",), "threads are made by base::ThreadExecutor"),
    (r"_clock::now\(", ("engine/base/clock.cpp", "engine/base/random.cpp"), "time comes from base::Clock"),
    (r"\b(s?rand|random)\(\)", (), "randomness comes from base::Random"),
    (r"\bstd::(mt19937|random_device)\b", (), "randomness comes from base::Random"),
    (r"\bco_(await|return|yield)\b",
     ("channels/net/", "channels/connectors/", "channels/detail/", "channels/connector.cpp", "engine/base/task", "engine/delivery",
      "engine/pipeline", "engine/gateway", "engine/reload", "engine/control", "engine/quarantine", "engine/admin/", "engine/index/", "engine/observe/", "engine/security/", "engine/replay", "engine/journal/backup", "engine/subscriptions/", "engine/facade", "engine/sequence_links.cpp", "engine/fragments.cpp", "engine/fhir_service.cpp",
      "engine/cli/send.cpp", "engine/cli/hl7/listen.cpp", "engine/bulk/import", "engine/bulk/export_fetch", "engine/detail/site_data.cpp", "engine/detail/admin_client.cpp", "engine/test_target", "engine/detail/test_"),
     "coroutines live at the edges only"),
]
# g++ 12.2 miscompiles these (architecture.md §4).
COROUTINE_TRAPS = [
    (r"co_await[^;]*\{", "a brace inside a co_await expression"),
    (r"co_await[^;]*\[[&=a-z_]*\]\s*\(", "a lambda inside a co_await expression"),
    (r"\?[^;:]*co_await|co_await[^;]*\?[^;]*:", "?: around co_await"),
    (r"\]\s*\([^)]*\)\s*(mutable\s*)?->\s*(base::)?Task<", "a lambda coroutine"),
]
BEAST_FILES = {"channels/net/http_server.cpp", "channels/net/http_client.cpp"}
LONG = 500

failures = []
beast = set()
checked = 0
for folder in FOLDERS:
    for file in sorted((root / folder).rglob("*")):
        name = file.relative_to(root).as_posix()
        if file.suffix not in (".h", ".cpp") or "/generated/" in name:
            continue
        checked += 1
        text = file.read_text(encoding="utf-8")
        code = re.sub(r"//[^\n]*", "", text)
        lines = code.splitlines()
        for pattern, places, why in ONLY_IN:
            if name.startswith(places) if places else False:
                continue
            for number, line in enumerate(lines, 1):
                if re.search(pattern, line):
                    failures.append(f"{name}:{number}: {why}")
        if re.search(r"#include <boost/beast", code):
            beast.add(name)
        for number, line in enumerate(lines, 1):
            if name == "engine/base/task.h":  # defines operator co_await
                break
            for pattern, why in COROUTINE_TRAPS:
                if re.search(pattern, line):
                    failures.append(f"{name}:{number}: {why}")
        if len(lines) > LONG:
            failures.append(f"{name}: {len(lines)} lines; split what is not one thing (cap {LONG})")
        if re.search(r"\b(TODO|FIXME|XXX)\b", text):
            failures.append(f"{name}: a note to do something later")
if not beast <= BEAST_FILES:
    failures.append(f"Beast is in {sorted(beast)}; only {sorted(BEAST_FILES)} may include it")

print("\n".join(failures) if failures else f"{checked} files keep the rules")
sys.exit(1 if failures or checked == 0 else 0)
