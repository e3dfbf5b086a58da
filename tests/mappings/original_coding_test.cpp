// Where the shipped library translates a code into another system, the Coding that was sent stays beside it, with its system.
// The target says whether it can: a CodeableConcept holds several codings; a `code` and a single Coding hold one.

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "engine/base/json.h"
#include "mappings/detail/facts.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"
#include "tests/support/files_in.h"

namespace kiln::mappings::test {
namespace {

bool has_coding(base::JsonView node, std::string_view code, std::string_view system) {
  if (node["code"].text() == code && node["system"].text() == system) return true;
  for (const base::JsonView child : node)
    if (has_coding(child, code, system)) return true;
  return false;
}

/// Every list `coding` of the tree.
template <typename Seen>
void each_concept(base::JsonView node, const std::string& path, const Seen& seen) {
  if (node.key() == "coding" && node.is_array()) seen(node, path);
  for (const base::JsonView child : node)
    each_concept(child, child.key().empty() ? path : path + "." + std::string(child.key()), seen);
}

}  // namespace

TEST_CASE("library: every table that gives a CodeableConcept keeps what it was asked for", "[library][original]") {
  const Maps maps("module site\n");
  const ir::Unit& unit = *maps.compiled().unit;
  const auto facts = detail::derive_facts(unit);
  // Sources that are no field of their own: the code is written beside by the rules around (AL1-3 via NoKnownAllergy), it
  // is made up of parts, or says the state of the resource and has a coding of its own (@original).
  const std::set<std::string> apart{"AL1-3.1", "IAM-17.1"};
  std::size_t translated = 0;
  for (std::size_t i = 0; i < unit.lookups.size(); ++i) {
    const ir::Lookup& lookup = unit.lookups[i];
    if (lookup.mode != ir::LookupMode::codeable_concept) continue;
    if (unit.text(unit.tables[lookup.table].name).starts_with("std.csv")) continue;  // no v2: a cell is no coding
    const std::string source(unit.text(lookup.text));
    INFO(source << " via " << unit.text(unit.tables[lookup.table].name));
    ++translated;
    CHECK((lookup.original != ir::kNone || apart.count(source) == 1));
  }
  CHECK(translated > 50);
  REQUIRE(facts->field_systems.size() == unit.lookups.size());
}

TEST_CASE("library: a translated code stands beside the one that was sent, with the system of its table", "[library][original]") {
  const Maps maps("module site\n");
  const Program program = maps.program("std.v2fhir");
  const std::string message =
      "MSH|^~\\&|PAS|NORTH|KILN|NORTH|20260301073000+0100||ADT^A01^ADT_A01|K1|P|2.5.1\rEVN||20260301073000\r"
      "PID|1||4711^^^NORTH^MR||EVERYMAN^ADAM||19610615|M||||||||M^Married^HL70002|CAT\r"
      "NK1|1|EVERYMAN^EVE|SPO^Spouse^HL70063\r"
      "PV1|1|I|W1^101^1|E||||||MED|||R|||||V1^^^NORTH\rPV2|||||||||||||||||||||||||1\rDG1|1||I10^Hypertension^I10|||F\r";
  const OwnedInput owned(".hl7", message, program);
  Runner runner;
  const RunResult result = runner.run(program, owned.get(), test_context());
  const auto bundle = base::parse_json(result.output);
  REQUIRE(bundle);
  const auto table = [](const char* number) { return std::string("http://terminology.hl7.org/CodeSystem/v2-") + number; };
  CHECK(has_coding(bundle->root(), "M", "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"));
  CHECK(has_coding(bundle->root(), "M", table("0002")));   // PID-16, whose system was sent
  CHECK(has_coding(bundle->root(), "SPO", table("0063")));  // NK1-3
  CHECK(has_coding(bundle->root(), "MED", table("0069")));  // PV1-10, an IS: the table of the field
  CHECK(has_coding(bundle->root(), "E", table("0007")));    // PV1-4
  CHECK(has_coding(bundle->root(), "F", table("0052")));    // DG1-6
}

TEST_CASE("library: no sample has a translated code whose original has no system", "[library][original]") {
  const Maps maps("module site\n");
  const Program program = maps.program("std.v2fhir");
  Runner runner;
  // Senders left the coding system out of a coded field: nobody knows it, and no table of HL7 is meant.
  const std::set<std::string> local{"PractitionerRole.code", "Specimen.condition"};
  std::size_t pairs = 0;
  for (const std::string& path : kiln::test::files_in(test_path("golden/v2fhir"), ".hl7")) {
    const OwnedInput owned(".hl7", read_text(path), program);
    const RunResult result = runner.run(program, owned.get(), test_context());
    if (!result.ok() || result.output.empty()) continue;
    const auto bundle = base::parse_json(result.output);
    REQUIRE(bundle);
    for (const base::JsonView entry : bundle->root()["entry"]) {
      each_concept(entry["resource"], std::string(entry["resource"]["resourceType"].text()),
                   [&](base::JsonView codings, const std::string& place) {
                     if (codings.size() < 2) return;
                     ++pairs;
                     for (const base::JsonView coding : codings) {
                       INFO(path << " " << place << " " << base::print_json(coding));
                       const std::string element = place.substr(0, place.rfind('.'));
                       CHECK((!coding["system"].text().empty() || coding["code"].text().empty() || local.count(element) == 1));
                     }
                   });
    }
  }
  CHECK(pairs > 100);
}

}  // namespace kiln::mappings::test
