// fhir/validation beyond structure: invariants, references, extensions, profiles, slicing, questionnaires. Invented people.

#include "fhir/validation/validator.h"

#include <catch2/catch.hpp>
#include <string>

#include "engine/base/env.h"
#include "fhir/model/json.h"
#include "fhir/path/path.h"
#include "fhir/validation/detail/invariants.h"
#include "tests/support/text_cases.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kGolden = std::string(KILN_SOURCE_DIR) + "/tests/golden/validator/";

Tree parse(const std::string& text) {
  auto tree = read_json(text);
  if (!tree) FAIL(tree.error().message());
  return *tree;
}

/// One line an issue.
std::string listing(const std::vector<Issue>& issues) {
  std::string out;
  for (const Issue& issue : issues) {
    out += std::string(name_of(issue.severity)) + " " + issue.code + " " + issue.expression + ": " + issue.text;
    if (!issue.diagnostics.empty()) out += " (" + issue.diagnostics + ")";
    out += "\n";
  }
  return out;
}

/// The input is resources, one a line; all but the last are loaded. "profile URL" in a line of its own asks for one.
std::string run_case(const std::string& input) {
  Library library;
  ValidatorOptions options;
  options.report_must_support = true;
  std::string last;
  std::size_t begin = 0;
  while (begin <= input.size()) {
    const std::size_t end = std::min(input.find('\n', begin), input.size());
    const std::string line = input.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    if (line.starts_with("profile ")) {
      options.profiles.push_back(line.substr(8));
      continue;
    }
    if (!last.empty()) library.add(parse(last));
    last = line;
  }
  return listing(Validator(library).validate_text(last, options));
}

}  // namespace

TEST_CASE("validator: goldens", "[fhir][validator]") {
  for (const char* name : {"invariants", "references", "profiles", "slicing", "extensions", "questionnaires", "bindings"}) {
    INFO(name);
    CHECK(test::run_text_cases(kGolden + name + ".txt", run_case) == "");
  }
}

TEST_CASE("validator: the rules done by hand and FHIRPath agree", "[fhir][validator]") {
  const char* const texts[] = {
      R"({"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"x"}],"managingOrganization":{"reference":"#o"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>"}})",
      R"({"resourceType":"Patient","managingOrganization":{"reference":"#missing"},"name":[{"period":{"start":"2020","end":"2019"}}]})",
      R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"code":"mg"},"extension":[{"url":"u"},{"url":"v","valueString":"s"},{"url":"w","valueString":"s","extension":[{"url":"x","valueString":"y"}]}]})",
      R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"_issued":{"id":"only"},"valuePeriod":{"start":"2020-01-01","end":"2021"}})",
  };
  std::size_t compared = 0;
  for (const char* text : texts) {
    ReadOptions options;
    std::vector<ReadIssue> issues;
    options.issues = &issues;
    const auto tree = read_json(text, options);
    REQUIRE(tree);
    for (std::uint32_t id = 0; id < tree->size(); ++id) {
      const Node node = tree->node(id);
      if (!node.type()) continue;
      std::vector<const Invariant*> rules;
      for (const Invariant& rule : node.type()->invariants()) rules.push_back(&rule);
      if (node.element()) {
        for (const Invariant& rule : node.element()->invariants()) rules.push_back(&rule);
      }
      for (const Invariant* rule : rules) {
        for (const detail::HandInvariant& hand : detail::hand_invariants()) {
          // txt-* are looked at by their own layer; que-7 is written wrongly in R4, dom-3 does not know narratives.
          if (hand.key != rule->key() || hand.key.starts_with("txt") || hand.key == "que-7" || hand.key == "dom-3") continue;
          const auto expression = PathExpression::compile(rule->expression(), {nullptr, false, true});
          REQUIRE(expression);
          PathResult scratch;
          const auto holds = expression->holds(node, {}, scratch);
          REQUIRE(holds);
          const bool by_path = holds->value_or(true);
          INFO(hand.key << " at " << node.path());
          // One that does not decide may say no where the expression says yes, never the other way round.
          if (hand.decides)
            CHECK(hand.check(node) == by_path);
          else if (hand.check(node))
            CHECK(by_path);
          ++compared;
        }
      }
    }
  }
  CHECK(compared > 40);
}

TEST_CASE("validator: urls of examples are refused where that is asked for", "[fhir][validator]") {
  const std::string text =
      R"({"resourceType":"Patient","identifier":[{"system":"http://www.example.org/ids","value":"1"},{"system":"urn:oid:2.999"}],)"
      R"("extension":[{"url":"https://example.com/x","valueBoolean":true}],"link":[{"type":"seealso","other":{"reference":)"
      R"("http://fhir.test/Patient/1"}}]})";
  const Library library;
  ValidatorOptions options;
  CHECK(is_valid(Validator(library).validate_text(text, options)));
  options.refuse_examples = true;
  const std::string found = listing(Validator(library).validate_text(text, options));
  CHECK_THAT(found, Catch::Contains("error invalid Patient.identifier[0].system") &&
                        Catch::Contains("error invalid Patient.extension[0].url"));
}

TEST_CASE("validator: warnings do not push errors out of the list", "[fhir][validator]") {
  std::string text = R"({"resourceType":"Patient","contact":[)";
  for (int i = 0; i < 300; ++i)
    text += R"({"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0131","code":"ZZ"}]}],"gender":"male","name":{"family":"Sample"}},)";
  text += R"({"gender":"none","name":{"family":"Sample"}}]})";
  const Library library;
  const auto issues = Validator(library).validate_text(text);
  CHECK_FALSE(is_valid(issues));
  CHECK_THAT(listing(issues), Catch::Contains("error code-invalid Patient.contact[300].gender") &&
                                  Catch::Contains("further issues are not listed"));
  CHECK(issues.size() < 110);
}

TEST_CASE("validator: FHIRPath may ask it", "[fhir][validator]") {
  Library library;
  library.add(parse(
      R"({"resourceType":"StructureDefinition","url":"urn:bp","name":"bp","status":"active","kind":"resource","abstract":false,"type":"Observation","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Observation","derivation":"constraint","differential":{"element":[{"id":"Observation.component","path":"Observation.component","slicing":{"discriminator":[{"type":"pattern","path":"code"}],"rules":"open"}},{"id":"Observation.component:sys","path":"Observation.component","sliceName":"sys"},{"id":"Observation.component:sys.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"code":"s"}]}},{"id":"Observation.component:dia","path":"Observation.component","sliceName":"dia"},{"id":"Observation.component:dia.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"code":"d"}]}}]}})"));
  const Validator validator(library);
  const Tree tree = parse(
      R"({"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"_ActEncounterCode"}]},"component":[{"code":{"coding":[{"code":"d"}]},"valueInteger":80},{"code":{"coding":[{"code":"s"}]},"valueInteger":120},{"code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}]}}]})");
  PathEnvironment environment;
  validator.connect(environment);
  const auto value = [&](const std::string& text) {
    const auto result = PathExpression::compile(text)->evaluate(tree.root(), environment);
    return result ? print_json(result->items()) : result.error().message();
  };
  CHECK(value("component.slice('urn:bp', 'sys').value") == "[120]");
  CHECK(value("component.slice('urn:bp', 'none').value") == "[]");
  CHECK(value("component.slice('urn:none', 'sys').value") == "[]");
  CHECK(value("code.subsumes(component[2].code)") == "[true]");
  CHECK(value("component[2].code.subsumes(%resource.code)") == "[false]");
  CHECK(value("component[2].code.subsumedBy(%resource.code)") == "[true]");
  CHECK(value("status.memberOf('http://hl7.org/fhir/ValueSet/observation-status')") == "[true]");
  CHECK(value("status.memberOf('http://hl7.org/fhir/ValueSet/encounter-status')") == "[false]");
  CHECK(value("status.memberOf('urn:none')") == "[]");
  CHECK(value("conformsTo('urn:bp')") == "[true]");
}

TEST_CASE("validator: hostile profiles end", "[fhir][validator]") {
  Library library;
  library.add(parse(
      R"({"resourceType":"StructureDefinition","url":"urn:a","name":"a","status":"draft","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"urn:b","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"}]}})"));
  library.add(parse(
      R"({"resourceType":"StructureDefinition","url":"urn:b","name":"b","status":"draft","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"urn:a","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"}]}})"));
  ValidatorOptions options;
  options.profiles = {"urn:a"};
  CHECK_FALSE(is_valid(Validator(library).validate_text(R"({"resourceType":"Patient"})", options)));
  options.profiles = {"urn:missing"};
  CHECK_FALSE(is_valid(Validator(library).validate_text(R"({"resourceType":"Patient"})", options)));
}

TEST_CASE("validator: a large bundle is linear", "[fhir][validator]") {
  std::string text = R"({"resourceType":"Bundle","type":"collection","entry":[)";
  for (int i = 0; i < 3000; ++i) {
    const std::string id = std::to_string(i);
    text += std::string(i ? "," : "") + R"({"fullUrl":"http://x.org/Patient/)" + id +
            R"(","resource":{"resourceType":"Patient","id":")" + id + R"(","link":[{"type":"seealso","other":{"reference":"Patient/)" +
            std::to_string(2999 - i) + R"("}}]}})";
  }
  const Library library;
  CHECK(is_valid(Validator(library).validate_text(text + "]}")));
}

TEST_CASE("validator: XML has the same issues as JSON, with its own places", "[fhir][validator]") {
  const Library library;
  const auto issues = Validator(library).validate_text(
      "<Patient xmlns=\"http://hl7.org/fhir\">\n <gender value=\"f\"/>\n <birthDate value=\"never\"/>\n</Patient>");
  CHECK(listing(issues).find("error code-invalid Patient.gender") != std::string::npos);
  CHECK(listing(issues).find("error value Patient.birthDate: not a valid date: found a string of 5 characters (line 3, column 2)") !=
        std::string::npos);
}
