#!/bin/sh
# Makes the FHIR definitions again from the pinned packages and compares bytes (fhir.md D2). Skipped (exit 4) when the
# packages are neither in the folder KILN_FHIR_PACKAGES nor in npm's cache; nothing is downloaded here.
#   definitions.sh SOURCE_FOLDER BUILD_FOLDER
set -eu
source=$1
build=$2
specification=hl7.fhir.r4.examples-4.0.1.tgz
terminology=hl7.terminology.r4-7.0.1.tgz

folder=${KILN_FHIR_PACKAGES:-}
if [ -z "$folder" ] && command -v npm >/dev/null 2>&1; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (cd "$folder" && npm pack --offline --silent hl7.fhir.r4.examples@4.0.1 hl7.terminology.r4@7.0.1) >/dev/null 2>&1 || true
fi
if [ ! -f "$folder/$specification" ] || [ ! -f "$folder/$terminology" ]; then
  echo "skipped: $specification and $terminology are not in KILN_FHIR_PACKAGES nor in npm's cache"
  exit 4
fi
if [ ! -x "$build/kiln_generate_definitions" ]; then
  echo "failed: $build/kiln_generate_definitions is not built" >&2
  exit 1
fi
"$build/kiln_generate_definitions" --check "$source/fhir/definitions/generated" "$folder/$specification" "$folder/$terminology"
echo "the committed definitions are what the packages give"
