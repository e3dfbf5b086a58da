#!/usr/bin/env bash
# Instructions a message, by valgrind, against the record beside this script: fails when a case has grown by more than 5 %.
#   tests/bench/instructions.sh SOURCE BUILD      APPROVE=1 writes the record; the difference is reviewed in git
# Only the release preset with the compiler of the record counts; anywhere else the test says why and is skipped.
set -euo pipefail
source=$1 build=$2
record=$source/tests/bench/instructions.txt
skip() { echo "skipped: $1"; exit 4; }

compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
compiler="$(basename "$("$compiler" -dumpmachine)") $(basename "$compiler" | sed 's/[-0-9.]*$//') $("$compiler" -dumpfullversion)"
grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=RelWithDebInfo$' "$build/CMakeCache.txt" || skip "not a release build"
grep -q '^KILN_SANITIZE:[A-Z]*=..*' "$build/CMakeCache.txt" && skip "a build with sanitizers"
command -v valgrind >/dev/null || skip "valgrind is not installed"
[ -x "$build/bench_map" ] || skip "bench_map is not built"
[ -n "${APPROVE:-}" ] || grep -qx "compiler $compiler" "$record" || skip "the record is of another compiler, here: $compiler"

count() { # case: the instructions of one message; nothing where the case is not possible here
  valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*Bench::once*' \
    "$build/bench_map" --callgrind-iterations 20 "$1" 2>&1 | awk '/Collected/ && $NF > 0 {print int($NF / 20)}'
}

cases="parse adt example oru oru100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in $cases; do echo "$name"; done | xargs -P 2 -I{} bash -c "$(declare -f count); build='$build'; count {} > '$folder/{}'"

status=0
for name in $cases; do
  now=$(cat "$folder/$name")
  before=$(awk -v wanted="$name" '$1 == wanted {print $2}' "$record" 2>/dev/null || true)
  if [ -z "$now" ]; then
    [ "$name" = example ] && echo "$name: skipped, the example maps are not beside this checkout" && continue
    echo "$name: no count"; status=1; continue
  fi
  echo "$name $now" >> "$folder/record"
  [ -n "${APPROVE:-}" ] && echo "$name $now (was ${before:-not recorded})" && continue
  [ -n "$before" ] || { echo "$name: $now instructions, not in the record"; status=1; continue; }
  awk -v name="$name" -v now="$now" -v before="$before" -v approve="APPROVE=1 tests/bench/instructions.sh . build/release" 'BEGIN {
    change = 100 * (now / before - 1)
    remark = ""
    if (change > 5) remark = ": too many; make it faster, or " approve " and say why"
    printf "%s: %d instructions a message, %+.1f %% of the record (%d)%s\n", name, now, change, before, remark
    if (change > 5) exit 1 }' || status=1
done
if [ -n "${APPROVE:-}" ]; then
  { echo "# Instructions of one message (tests/bench/instructions.sh); bench_map makes the cases."
    echo "compiler $compiler"
    cat "$folder/record"; } > "$record"
fi
exit $status
