// fhir/terminology and the shipped definitions.

#include "fhir/terminology/terminology.h"

#include <catch2/catch.hpp>
#include <string>

#include "fhir/definitions/definitions.h"
#include "fhir/definitions/resources.h"
#include "fhir/model/json.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

Tree parse(const char* text) {
  auto tree = read_json(text);
  if (!tree) FAIL(tree.error().message());
  return *tree;
}

std::string codes_of(const base::Result<Expansion>& expansion) {
  if (!expansion) return expansion.error().info().code;
  std::string text;
  for (const CodeEntry& code : expansion->codes) text += code.code + " ";
  return text;
}

}  // namespace

TEST_CASE("definitions: the shipped resources are there", "[fhir][terminology]") {
  CHECK(shipped_urls("CodeSystem").size() > 1000);
  CHECK(shipped_urls("ValueSet").size() > 1300);
  CHECK(shipped_urls("ConceptMap").size() >= 80);
  CHECK(shipped_urls("StructureDefinition").size() > 400);
  CHECK(shipped_urls("Patient").empty());
  CHECK_FALSE(shipped_resource("CodeSystem", "urn:none"));
  // Each one is FHIR.
  for (const char* type : {"CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition"}) {
    for (const std::string_view url : shipped_urls(type)) {
      const auto text = shipped_resource(type, url);
      REQUIRE(text);
      INFO(url);
      ReadOptions options;
      std::vector<ReadIssue> issues;
      options.issues = &issues;
      options.depth_max = 200;
      const auto tree = read_json(*text, options);
      REQUIRE(tree);
      CHECK(tree->root()["url"].text() == url);
      CHECK(issues.empty());
    }
  }
}

TEST_CASE("terminology: codes in value sets and systems", "[fhir][terminology]") {
  const Library library;
  const Terminology terminology(library);
  constexpr const char* kGender = "http://hl7.org/fhir/ValueSet/administrative-gender";
  CHECK(terminology.in_value_set(kGender, "http://hl7.org/fhir/administrative-gender", "male") == Membership::yes);
  CHECK(terminology.in_value_set(kGender, "", "male") == Membership::yes);
  CHECK(terminology.in_value_set(kGender, "urn:other", "male") == Membership::no);
  CHECK(terminology.in_value_set(kGender, "", "m") == Membership::no);
  CHECK(terminology.in_value_set("urn:none", "", "m") == Membership::unknown);
  CHECK(terminology.in_code_system("http://loinc.org", "718-7") == Membership::unknown);
  CHECK(terminology.in_code_system("urn:ietf:bcp:47", "en-GB") == Membership::yes);
  CHECK(terminology.in_code_system("urn:ietf:bcp:47", "e n") == Membership::no);
  CHECK(terminology.in_code_system("http://unitsofmeasure.org", "mg/dL") == Membership::yes);
  CHECK(terminology.in_code_system("http://unitsofmeasure.org", "m g") == Membership::no);
  CHECK(terminology.in_code_system("http://unitsofmeasure.org", "[bogus]") == Membership::unknown);
  CHECK(terminology.lookup("http://unitsofmeasure.org", "mg/dL")->canonical == "g.m-3");
  // A filter of the shipped definitions: all that is below one code.
  CHECK(terminology.in_value_set("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode",
                                 "http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB") == Membership::yes);
  CHECK(terminology.in_value_set("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode",
                                 "http://terminology.hl7.org/CodeSystem/v3-ActCode", "CASH") == Membership::no);
}

TEST_CASE("terminology: the tables of bindings and the value sets agree", "[fhir][terminology]") {
  const Library library;
  const Terminology terminology(library);
  std::size_t compared = 0;
  for (const ValueSet& set : all_value_sets()) {
    if (set.rule() != ValueSetRule::list || !library.find("ValueSet", set.url())) continue;
    for (const CodeDef& code : set.codes()) {
      INFO(set.url() << " " << code.code());
      CHECK(terminology.in_value_set(set.url(), code.system(), code.code()) == Membership::yes);
      ++compared;
    }
  }
  CHECK(compared > 3000);
}

TEST_CASE("terminology: expansion", "[fhir][terminology]") {
  Library library;
  library.add(parse(
      R"({"resourceType":"CodeSystem","url":"urn:cs","status":"active","content":"complete","concept":[{"code":"a","display":"Alpha","concept":[{"code":"a1","display":"Alpha one"},{"code":"a2"}]},{"code":"b","display":"Beta"}]})"));
  library.add(parse(
      R"({"resourceType":"CodeSystem","url":"urn:part","status":"active","content":"fragment","concept":[{"code":"p"}]})"));
  library.add(parse(
      R"({"resourceType":"ValueSet","url":"urn:below","status":"active","compose":{"include":[{"system":"urn:cs","filter":[{"property":"concept","op":"is-a","value":"a"}]}],"exclude":[{"system":"urn:cs","concept":[{"code":"a2"}]}]}})"));
  library.add(parse(
      R"({"resourceType":"ValueSet","url":"urn:both","status":"active","compose":{"include":[{"system":"urn:cs","valueSet":["urn:below"]},{"system":"urn:cs","concept":[{"code":"b"}]}]}})"));
  library.add(parse(
      R"({"resourceType":"ValueSet","url":"urn:parts","status":"active","compose":{"include":[{"system":"urn:part"}]}})"));
  library.add(parse(
      R"({"resourceType":"ValueSet","url":"urn:ring","status":"active","compose":{"include":[{"valueSet":["urn:ring"]}]}})"));
  const Terminology terminology(library);
  CHECK(codes_of(terminology.expand("urn:below")) == "a a1 ");
  CHECK(codes_of(terminology.expand("urn:both")) == "a a1 b ");
  CHECK(codes_of(terminology.expand("urn:both", {"one", 0, 0})) == "a1 ");
  CHECK(codes_of(terminology.expand("urn:both", {"", 1, 1})) == "a1 ");
  CHECK(terminology.expand("urn:both", {"", 1, 1})->total == 3);
  CHECK(codes_of(terminology.expand("urn:parts")) == "fhir-no-expansion");
  CHECK(codes_of(terminology.expand("urn:ring")) == "fhir-no-expansion");
  CHECK(codes_of(terminology.expand("urn:none")) == "fhir-not-found");
  CHECK(codes_of(terminology.expand("http://hl7.org/fhir/ValueSet/mimetypes")) == "fhir-no-expansion");
  CHECK(terminology.in_value_set("urn:ring", "", "x") == Membership::unknown);
  CHECK(terminology.in_value_set("urn:parts", "urn:part", "q") == Membership::unknown);
}

TEST_CASE("terminology: lookup and translate", "[fhir][terminology]") {
  const Library library;
  const Terminology terminology(library);
  const auto found = terminology.lookup("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB");
  REQUIRE(found);
  CHECK(found->display == "ambulatory");
  CHECK_FALSE(found->parents.empty());
  CHECK(terminology.lookup("http://terminology.hl7.org/CodeSystem/v3-ActCode", "NONE").error().code ==
        base::ErrorCode::fhir_unknown_code);
  CHECK(terminology.lookup("http://loinc.org", "718-7").error().code == base::ErrorCode::fhir_not_supported);
  const auto matches = terminology.translate("", "http://hl7.org/fhir/administrative-gender", "male");
  REQUIRE(matches);
  bool any = false;
  for (const CodeTranslation& match : *matches) any = any || match.code == "M";
  CHECK(any);
  CHECK(terminology.translate("", "http://hl7.org/fhir/administrative-gender", "none")->empty());
  CHECK(terminology.translate("urn:none", "a", "b").error().code == base::ErrorCode::fhir_not_found);
}
