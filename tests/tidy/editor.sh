#!/bin/sh
# The editor's grammar over all sample maps, by the engine the editor uses; skipped where node or its packages are not.
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 4; }
exec node "${1:-.}/mappings/editor/test/tokens.js"
