#!/usr/bin/env bash
# Ten times the bytes are at most twelve times the work: instructions of every operation on every costly shape of input,
# counted by valgrind, which does not depend on the machine. Without valgrind: processor time, with room for noise.
#   tests/bench/hl7_linear.sh SOURCE BUILD
set -euo pipefail
build=$2
program=$build/bench_hl7_linear
[ -x "$program" ] || { echo "skipped: bench_hl7_linear is not built"; exit 4; }
if ! command -v valgrind >/dev/null || grep -q '^KILN_SANITIZE:[A-Z]*=..*' "$build/CMakeCache.txt"; then
  echo "no valgrind for this build: processor time"
  exec "$program"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Long enough that what is done once a message does not hide growth, or lack of it.
small=1500
count() { # bytes: the instructions of each case, one a line
  mkdir "$folder/$1"
  valgrind --tool=callgrind --callgrind-out-file="$folder/$1/out" --toggle-collect='*Work::once*' \
    "$program" --bytes "$1" > "$folder/$1/log" 2>&1 || { tail -5 "$folder/$1/log"; exit 1; }
  ls -v "$folder/$1"/out.* | xargs awk '/^totals:/ { print $2 }'
}
count $small > "$folder/small" &
first=$!
count $((10 * small)) > "$folder/large"
wait $first
"$program" --names > "$folder/names"
paste "$folder/names" "$folder/small" "$folder/large" | awk -F'\t' '
  NF != 3 || $2 <= 0 || $3 <= 0 { print "no count: " $0; bad = 1; next }
  # What takes fewer instructions is mostly its fixed part; one that grew with the square would still show.
  { ratio = $3 / ($2 < 8000 ? 8000 : $2); n++; if (ratio > worst) { worst = ratio; which = $1 }
    if (ratio > 12) { print $1 ": " $2 " and " $3 " instructions, " ratio " times"; bad = 1 } }
  END { printf "%d cases, at most %.1f times the instructions for ten times the bytes (%s)\n", n, worst, which
        exit bad || n < 100 }'
