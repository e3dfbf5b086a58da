#include "mappings/language/keywords.h"

#include <cstdint>

namespace kiln::mappings {

namespace {

using enum WordPlace;

constexpr LanguageWord kWords[] = {
    {"channel", declaration, "a channel: source, accept, ack, maps, destinations", "channel adt_in { … }"},
    {"const", declaration, "a named constant", "const site = \"MERCY\""},
    {"csv", declaration, "a CSV or fixed-width format",
     "csv LabExport { delimiter \";\" columns { id : string } }"},
    {"datatype", declaration, "a conversion between two types",
     "datatype XTN -> ContactPoint { value = .1 }"},
    {"extend", declaration, "edits rules of a map by their addresses, or sets a constant of a package",
     "extend map site from base { in patient { remove gender } }"},
    {"extension", declaration, "a short name of a FHIR extension",
     "extension birthTime = \"http://…\" : dateTime"},
    {"fn", declaration, "a function of one expression", "fn full(n: string) -> string = trim(n)"},
    {"fragment", declaration, "rules that several maps include",
     "fragment PID_Patient(PID: hl7 PID) -> Patient { … }"},
    {"lookup", declaration, "rows the engine fetches before the map runs",
     "lookup Mpi(mrn: string) -> MpiRow via sql \"mpi_by_mrn\""},
    {"map", declaration, "a map from one type to another",
     "map adt_a01(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle { … }"},
    {"module", declaration, "the package of this file", "module acme.maps"},
    {"row", declaration, "the columns of a lookup", "row MpiRow { eid : string }"},
    {"segment", declaration,
     "a Z segment; without fields: a segment of the standard that is read in the group it stands in where the structure has no "
     "place for it",
     "segment ZPI { 3 bedCode : CWE }`, `segment RXR { }"},
    {"server", declaration, "the options of the engine (kiln.conf)", "server { data \"data\" }"},
    {"table", declaration, "a code table", "table YesNo { \"Y\" => \"true\"  _ => warn omit }"},
    {"test", declaration, "a test with given, run and expect", "test \"a name\" { … }"},
    {"use", declaration, "brings names of another package into scope", "use std.v2fhir.datatypes"},

    {"add", statement, "a segment or group of a v2 target; in `extend` a new rule",
     "add NK1 { NK1-1 = index }"},
    {"create", statement, "a resource", "create patient: Patient identity PID-3[1] { … }"},
    {"emit", statement, "a row of a csv target", "emit { mrn = PID-3[1].1 }"},
    {"for", statement, "once for each group, segment, repetition or row", "for each OBSERVATION { … }"},
    {"include", statement, "the rules of a fragment", "include PID_Patient"},
    {"let", statement, "a name for a value", "let mrn = PID-3[1].1"},
    {"on", statement, "a policy of this block", "on bad warn"},
    {"require", statement, "the message is refused unless the condition holds",
     "require PID-3 is valued else reject AE 101 \"no PID-3\""},
    {"skip", statement, "drops the innermost created resource", "skip \"no code\""},
    {"warn", statement, "a warning when a condition holds", "warn \"no visit\" if PV1-19 is not valued"},
    {"when", statement, "rules under a condition", "when PV1-2 == \"I\" { … } else { … }"},

    {"and", expression, "both conditions", "a and b"},
    {"as", expression, "conversion to a type", "PID-7 as date"},
    {"contains", expression, "a text or list holds a value", "PID-8 contains \"M\""},
    {"each", expression, "a value for each item", "AL1-5[*] each { text = . }"},
    {"else", expression, "otherwise", "if a then b else c"},
    {"ext", expression, "a declared extension", "p.birthDate.ext(birthTime)"},
    {"if", expression, "a condition", "PID-11 if PID-11 is valued"},
    {"in", expression, "one of a list", "MSH-9.2 in [\"A01\", \"A04\"]"},
    {"is", expression, "is valued, is null, is a type", "PID-30 is valued"},
    {"last", expression, "the last repetition", "PID-3[last]"},
    {"match", expression, "a value by cases", "match OBX-2 { \"NM\" => OBX-5 as decimal  _ => skip }"},
    {"matches", expression, "a regular expression fits", "PID-3.1 matches re\"[0-9]+\""},
    {"not", expression, "the opposite", "not PID-8 is valued"},
    {"null", expression, "HL7's \"\"", "PID-8 is null"},
    {"of", expression, "items of one type", "b.entry.resource of Observation"},
    {"omit", expression, "nothing", "if a then b else omit"},
    {"or", expression, "one of both conditions", "a or b"},
    {"ref", expression, "a reference to a created resource", "subject = ref patient"},
    {"then", expression, "the value of `if`", "if a then b else c"},
    {"using", expression, "a variant of a datatype map", "OBX-15 using Organization"},
    {"valued", expression, "holds something", "PID-8 is valued"},
    {"via", expression, "through a table or lookup", "PID-8 via AdministrativeSex else \"unknown\""},
    {"where", expression, "the items for which a condition holds", "PID-3[where .5 == \"MR\"]"},

    {"bad", clause, "values that do not fit their type", "on bad omit"},
    {"batch", clause, "a Bundle of that kind", "-> fhir Bundle batch"},
    {"by", clause, "the key of a group or order", "group by patientId"},
    {"cache", clause, "how long answers are kept", "cache 10m"},
    {"collection", clause, "a Bundle of that kind", "-> fhir Bundle collection"},
    {"columns", clause, "the columns of a csv", "columns { id : string }"},
    {"conceptmap", clause, "a table out of a ConceptMap", "table T = conceptmap \"http://…\""},
    {"display", clause, "the text of a code", "\"I\" => \"IMP\" display \"inpatient\""},
    {"ensure", clause, "POST with ifNoneExist", "request ensure"},
    {"error", clause, "a lookup that fails", "on error quarantine"},
    {"expect", clause, "what a test demands", "expect count(entry) == 2"},
    {"fault", clause, "a destination that fails in a test", "fault pas \"down\" times 2"},
    {"fhir", clause, "a FHIR type", "p: fhir Patient"},
    {"from", clause, "where something comes from", "extend map a from b"},
    {"given", clause, "the input of a test", "given hl7 \"\"\"…\"\"\""},
    {"group", clause, "rows with the same key", "for each r in rows group by r.id { … }"},
    {"hl7", clause, "an HL7 v2 structure, event or segment", "msg: hl7 ADT_A01 2.5.1"},
    {"hl7table", clause, "a table out of an HL7 table", "table T = hl7table \"0001\""},
    {"identity", clause, "what makes a resource the same", "identity PID-3[where .5 == \"MR\"]"},
    {"key", clause, "the key column of a table", "key local"},
    {"message", clause, "a Bundle of that kind", "-> fhir Bundle message"},
    {"miss", clause, "a lookup without row", "on miss omit"},
    {"missing", clause, "lookups without row", "on missing omit"},
    {"none", clause, "no request", "request none"},
    {"override", clause, "a later rule that replaces an earlier one", "status = \"final\" override"},
    {"patch", clause, "FHIRPath or JSON Patch", "request patch"},
    {"preferred", clause, "the row that `inverse` uses", "\"A\" => \"other\" preferred"},
    {"reload", clause, "how often a table file is looked at", "reload 60s"},
    {"remove", clause, "a rule of the base that goes", "remove maritalStatus"},
    {"replace", clause, "a rule of the base that changes", "replace gender = \"unknown\""},
    {"request", clause, "how a resource is written", "request upsert"},
    {"required", clause, "a column that may not be empty", "mrn : string required"},
    {"run", clause, "the map or channel under test", "run adt_a01"},
    {"strict", clause, "repetitions have to be chosen", "-> fhir Bundle strict"},
    {"system", clause, "the code system of a table", "table T system \"http://…\" { … }"},
    {"times", clause, "how often", "fault pas \"down\" times 2"},
    {"transaction", clause, "a Bundle of that kind", "-> fhir Bundle transaction"},
    {"unmapped", clause, "codes a table does not hold", "on unmapped warn"},
    {"update", clause, "PUT by id", "request update"},
    {"upsert", clause, "conditional PUT", "request upsert"},

    {"absent", policy, "data-absent-reason", "on null absent"},
    {"delete", policy, "the element is deleted", "on null delete"},
    {"keep", policy, "the value as it is", "via T else keep"},
    {"quarantine", policy, "the message is set aside", "on bad quarantine"},
    {"reject", policy, "the message is refused", "else reject AE 101 \"text\""},

    {"accept", channel, "what the channel takes", "accept hl7 ADT_A01 2.5.1"},
    {"ack", channel, "how the sender is answered", "ack auto on mapped"},
    {"auto", channel, "original mode unless MSH-15 and MSH-16 are valued", "ack auto"},
    {"delivered", channel, "answered when every destination has it", "ack auto on delivered"},
    {"disabled", channel, "the channel is not started", "channel x disabled { … }"},
    {"enhanced", channel, "accept and application acknowledgements", "ack enhanced"},
    {"mapped", channel, "answered when the maps have run", "ack auto on mapped"},
    {"original", channel, "one application acknowledgement", "ack original"},
    {"source", channel, "where messages come from", "source mllp { port 2575 }"},
    {"stored", channel, "answered when the message is durable", "ack auto on stored"},
    {"to", channel, "a destination", "to pas: mllp from source { … }"},
};

}  // namespace

std::span<const LanguageWord> language_words() {
  return kWords;
}

std::string_view name_of(WordPlace place) {
  switch (place) {
    case declaration:
      return "declaration";
    case statement:
      return "statement";
    case expression:
      return "expression";
    case clause:
      return "clause";
    case policy:
      return "policy";
    case channel:
      return "channel";
  }
  return "";
}

}  // namespace kiln::mappings
