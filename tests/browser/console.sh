#!/usr/bin/env bash
# The web console in Chromium against a mock engine: every page and action, screenshots, axe, hostile content.
#   console.sh SOURCE BUILD      screenshots: BUILD/browser/screenshots
set -euo pipefail
source=$1 build=$2
skip() { echo "skipped: $*"; exit 4; }
chromium=${KILN_CHROMIUM:-$(command -v chromium || true)}
[ -n "$chromium" ] || skip "chromium is not installed"
command -v node >/dev/null && command -v npm >/dev/null || skip "node or npm is not installed"
[ -f "$build/console/packed/index.html.gz" ] && [ -d "$build/console/packed/assets" ] || skip "this build has no console (KILN_CONSOLE=OFF, or not built)"
work=$build/browser
"$source/tests/browser/prepare" "$source" "$build"
export KILN_CHROMIUM=$chromium KILN_BROWSER_MODULES=$work
exec node "$source/tests/browser/run.mjs" "$build/console/packed" "$work/screenshots"
