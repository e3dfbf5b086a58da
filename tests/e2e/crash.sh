#!/bin/sh
# A short run of tests/crash/kill_cycles.sh, which the slow tests run in full.
#   crash.sh SOURCE BUILD
set -eu
exec "$1/tests/crash/kill_cycles.sh" "$1" "$2" --cycles 25
