#!/usr/bin/env bash
# The FHIR definitions are ready within their time and memory (the limits are in fhir_start.cpp). Three tries: processor time
# of a busy machine is noisy.
#   tests/bench/fhir_start.sh SOURCE BUILD
set -euo pipefail
build=$2
program=$build/bench_fhir_start
[ -x "$program" ] || { echo "skipped: bench_fhir_start is not built"; exit 4; }
grep -q '^KILN_SANITIZE:[A-Z]*=..*' "$build/CMakeCache.txt" && { echo "skipped: a build with sanitizers"; exit 4; }
grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=RelWithDebInfo$' "$build/CMakeCache.txt" || { echo "skipped: not a release build"; exit 4; }
"$program" || "$program" || exec "$program"
