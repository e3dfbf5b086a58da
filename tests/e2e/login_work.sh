#!/usr/bin/env bash
# A login costs the same work whether an account has that name or not, and whether the password is right (security.md D17): counted
# in instructions by valgrind, so that no clock and no load can blur it.
#   tests/e2e/login_work.sh SOURCE BUILD
set -euo pipefail
test=$2/test_engine
skip() { echo "skipped: $1"; exit 4; }
command -v valgrind >/dev/null || skip "valgrind is not installed"
[ -x "$test" ] || skip "test_engine is not built"
grep -q '^KILN_SANITIZE:[A-Z]*=..*' "$2/CMakeCache.txt" && skip "a build with sanitizers"

# Valgrind 3.19 gives up on what newer compilers write for debuggers; names are enough.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
strip -g -o "$folder/test" "$test" 2>/dev/null || skip "strip is not installed"
test=$folder/test

count() { # name, password: the instructions of one login
  KILN_LOGIN_NAME=$1 KILN_LOGIN_PASSWORD=$2 valgrind --tool=callgrind --callgrind-out-file=/dev/null \
    --toggle-collect='kiln_one_login*' "$test" '[login-work]' 2>&1 | awk '/Collected/ {print $NF}'
}
known=$(count ann 'a wrong passphrase') unknown=$(count nobody-here 'a wrong passphrase') disabled=$(count eve 'a wrong passphrase')
right=$(count ann 'the right passphrase')
echo "known name $known, unknown name $unknown, disabled account $disabled, right password $right instructions"
for other in "$unknown" "$disabled" "$right"; do
  [ "$known" -gt 10000000 ] && [ "$other" -gt 10000000 ] || { echo "no password was hashed"; exit 1; }
  difference=$((known > other ? known - other : other - known))
  # Names are looked up in a small tree, a login that succeeds is written down: a thousandth at most, of which the hash is all.
  [ $((difference * 1000)) -le $((known * 5)) ] || { echo "$other instead of $known instructions tell them apart"; exit 1; }
done
