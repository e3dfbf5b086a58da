#!/usr/bin/env bash
# Uses that would dangle must not compile. Each case in cases/ compiles with -DKILN_VALID (so that it fails for its own
# reason only) and fails without it with "deleted" in the compiler's text.
set -u
source_dir=$1
failed=0 count=0
check() {
  local file=$1 out
  g++ -std=c++20 -fsyntax-only -I"$source_dir" -DKILN_VALID "$file" 2>/dev/null || { echo "$file: the valid form does not compile"; return 1; }
  out=$(g++ -std=c++20 -fsyntax-only -I"$source_dir" "$file" 2>&1) && { echo "$file: compiles, but must not"; return 1; }
  grep -q 'deleted' <<<"$out" || { echo "$file: fails for another reason:"; head -3 <<<"$out"; return 1; }
}
for file in "$source_dir"/tests/compile_fail/cases/*.cpp; do
  count=$((count + 1))
  check "$file" || failed=1
done
[ "$count" -gt 0 ] || { echo "no cases"; exit 1; }
[ "$failed" -eq 0 ] && echo "$count dangling uses do not compile"
exit "$failed"
