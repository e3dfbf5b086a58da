#!/bin/bash
# kiln fhir convert, expand, lookup, translate and validate-resource: exit codes and what they print.
set -u
root=$1 build=$2
kiln=$build/kiln
[ -x "$kiln" ] || { echo "skipped: $kiln is not built"; exit 4; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
# expect EXIT WHAT COMMAND…: the exit code, and a text that stdout or stderr must have
expect() {
  local code=$1 what=$2; shift 2
  "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}"
  local got=$?
  if [ $got != "$code" ]; then echo "FAILED exit $got, not $code: $*"; failed=1; fi
  if [ -n "$what" ] && ! grep -qF -- "$what" "$work/out" "$work/err"; then echo "FAILED no '$what': $*"; head -5 "$work/out" "$work/err"; failed=1; fi
}
samples=$root/tests/golden/roundtrip

expect 0 '<family value="Fjordheim"/>' "$kiln" fhir convert "$samples/names.json"
cmp -s <("$kiln" fhir convert --to xml --pretty "$samples/names.json") "$samples/names.xml" || { echo "FAILED names.xml differs"; failed=1; }
expect 0 '"value":1.500' "$kiln" fhir convert "$samples/primitives.xml"
expect 0 '' "$kiln" fhir convert --to xml --output "$work/xml" "$samples"
[ "$(ls "$work/xml" | wc -l)" = 3 ] || { echo "FAILED three files expected"; failed=1; }
printf '{"resourceType":"Patient","active":true}\n\n{"resourceType":"Patient","activ":true}\n' > "$work/two.ndjson"
expect 1 'line 3' "$kiln" fhir convert --to ndjson "$work/two.ndjson"
input=$work/two.ndjson expect 1 '{"resourceType":"Patient","active":true}' "$kiln" fhir convert --to ndjson --ndjson
printf '<!DOCTYPE a><Patient xmlns="http://hl7.org/fhir"/>' > "$work/doctype.xml"
expect 1 'xml-doctype' "$kiln" fhir convert "$work/doctype.xml"
expect 2 'file-not-found' "$kiln" fhir convert "$work/none.json"
expect 2 '--to is' "$kiln" fhir convert --to html "$samples/names.json"

printf '{"resourceType":"Patient","gender":"f"}' > "$work/bad.json"
expect 0 'OperationOutcome' "$kiln" validate-resource "$samples/names.json"
expect 1 'code-invalid' "$kiln" validate-resource "$work/bad.json"
expect 2 'file-not-found' "$kiln" validate-resource "$work/none.json"
expect 1 '"valid":false' "$kiln" validate-resource "$work/two.ndjson"
expect 1 '1 with errors' "$kiln" validate-resource --text "$work/bad.json" "$samples/names.json"
cat > "$work/profile.json" <<'P'
{"resourceType":"StructureDefinition","url":"urn:kiln:p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient.telecom","path":"Patient.telecom","min":1}]}}
P
expect 1 'Patient.telecom' "$kiln" validate-resource --profile "$work/profile.json" "$samples/names.json"
expect 1 'Patient.telecom' "$kiln" validate-resource --load "$work/profile.json" --profile urn:kiln:p "$samples/names.json"
expect 1 'not at hand' "$kiln" validate-resource --profile urn:kiln:none "$samples/names.json"

expect 0 '|male' "$kiln" fhir expand http://hl7.org/fhir/ValueSet/administrative-gender
expect 1 'fhir-no-expansion' "$kiln" fhir expand http://hl7.org/fhir/ValueSet/mimetypes
expect 0 'ambulatory' "$kiln" fhir lookup http://terminology.hl7.org/CodeSystem/v3-ActCode AMB
expect 1 'not at hand' "$kiln" fhir lookup http://loinc.org 718-7
expect 0 '|M' "$kiln" fhir translate http://hl7.org/fhir/administrative-gender male

printf '{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}' > "$work/choice.json"
expect 1 'given in two types (' "$kiln" fhir convert "$work/choice.json"
printf '{"resourceType":"Patient","identifier":[{"system":"http://example.org/x","value":"1"}]}' > "$work/example.json"
expect 0 '' "$kiln" validate-resource "$work/example.json"
expect 1 'Patient.identifier[0].system' "$kiln" validate-resource --no-examples "$work/example.json"
expect 0 '[true]' "$kiln" fhirpath --expr "gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')" --input "$root/tests/golden/fhir/path/patient.json"
expect 0 '[false]' "$kiln" fhirpath --load "$work/profile.json" --expr "conformsTo('urn:kiln:p')" --input "$samples/names.json"
expect 1 'the profile is not known' "$kiln" fhirpath --expr "conformsTo('urn:kiln:p')" --input "$samples/names.json"
printf '<diff xmlns:f="http://hl7.org/fhir"><remove sel="f:Patient/f:photo"/></diff>' > "$work/diff.xml"
expect 1 'leads to nothing' "$kiln" fhir patch "$samples/names.json" "$work/diff.xml"
printf '<diff xmlns:f="http://hl7.org/fhir"><replace sel="f:Patient/f:name[1]/f:family/@value">Xmlpatched</replace></diff>' > "$work/diff.xml"
expect 0 'Xmlpatched' "$kiln" fhir patch "$samples/names.json" "$work/diff.xml"
# A stream of lines, one of them long, costs what it costs, not its square.
{ printf '{"resourceType":"Basic","id":"'; head -c 8000000 /dev/zero | tr '\0' x; printf '"}\n'; } > "$work/long.ndjson"
for i in $(seq 2000); do echo '{"resourceType":"Basic","code":{"text":"x"}}'; done >> "$work/long.ndjson"
expect 1 '2001 resources, 1 with errors' "$kiln" validate-resource --text "$work/long.ndjson"
[ $failed = 0 ] && echo "all well"
exit $failed
