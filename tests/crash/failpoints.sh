#!/bin/sh
# kill_cycles.sh at the named places of the program: three times each (reliability.md T1, A3).
#   failpoints.sh SOURCE BUILD
set -eu
exec "$1/tests/crash/kill_cycles.sh" "$1" "$2" --failpoints --cycles 180
