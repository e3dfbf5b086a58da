#!/usr/bin/env bash
# The systemd unit is hardened (security.md D27): `systemd-analyze security` of 2.0 or less. Skipped without a systemd that can look
# at a file.
#   tests/tidy/unit_security.sh SOURCE
set -uo pipefail
unit=$1/engine/package/kiln.service
command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed"; exit 4; }
told=$(systemd-analyze security --offline=yes --no-pager --threshold=20 "$unit" 2>&1)
status=$?
grep -q 'Overall exposure' <<<"$told" || { echo "skipped: this systemd-analyze looks at no file"; exit 4; }
tail -n 1 <<<"$told"
[ $status -eq 0 ] || { grep '✗' <<<"$told"; exit 1; }
