// The shipped map library and the maps of the example sites compile without errors, and what they make of
// real segments is as the v2-to-FHIR guide says in the points that are easy to get wrong.

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "hl7/message.h"
#include "mappings/compiler.h"
#include "mappings/package.h"
#include "mappings/program.h"

using namespace kiln;
using namespace kiln::mappings;

namespace {

CompiledLibrary compiled_site(const std::string& folder) {
  Library library;
  base::Diagnostics diagnostics;
  REQUIRE(library.add_site(base::system_env(), std::string(KILN_SOURCE_DIR) + "/examples/" + folder,
                           diagnostics));
  library.link(diagnostics);
  CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  CHECK(diagnostics.errors() + diagnostics.warnings() == 0);  // no warning either: not of shipped fragments, which a site cannot change
  return compiled;
}

const CompiledLibrary& shipped() {
  static const CompiledLibrary compiled = [] {
    static Library library;
    base::Diagnostics diagnostics;
    library.require_all_shipped();
    library.link(diagnostics);
    CompiledLibrary made = compile(library, diagnostics);
    INFO(base::render(diagnostics, library.sources()));
    CHECK(diagnostics.errors() == 0);
    return made;
  }();
  return compiled;
}

/// The output of a package or map for a message whose segments are separated by \n.
std::string convert(const char* map, const std::string& text, Outcome expected = Outcome::ok) {
  const Program program = shipped().program(map);
  REQUIRE(program);
  auto message = hl7::Message::parse(text);
  REQUIRE(message);
  Runner runner;
  const RunResult& result = runner.run(program, RunInput{&*message}, RunContext{});
  INFO(result.reason);
  if (expected == Outcome::ok) {
    CHECK(result.ok());
  } else {
    CHECK(result.outcome == expected);
  }
  return result.output;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kHeader = "MSH|^~\\&|A|NORTH|B|C|20250818112603+0200||";

}  // namespace

TEST_CASE("the shipped library compiles") {
  const auto maps = shipped().find_package("std.v2fhir");
  std::vector<std::string> structures;
  for (const MapInfo* map : maps) structures.push_back(map->source_structure);
  for (const char* needed : {"ADT_A01", "ORU_R01", "VXU_V04"})
    CHECK(std::count(structures.begin(), structures.end(), needed) == 1);
}

TEST_CASE("the example sites compile") {
  CHECK(compiled_site("quickstart").find_map("patient_to_a08") != nullptr);
  CHECK(compiled_site("hospital").find_map("census") != nullptr);
}

TEST_CASE("the package takes each message to its map") {
  const std::string oru = convert("std.v2fhir", std::string(kHeader) +
                                                    "ORU^R01^ORU_R01|1|P|2.5.1\nPID|1||7^^^N&1.2.3&ISO^MR\n"
                                                    "OBR|1|P1|F1|1234-5^Test^LN|||||||||||||||||||||F\n"
                                                    "OBX|1|NM|2345-7^Glucose^LN||5.40|mmol/L^^UCUM|||||F\n");
  CHECK(contains(oru, "\"DiagnosticReport\""));
  CHECK(contains(oru, "\"value\":5.40"));  // the digits as sent
  CHECK(contains(oru, "urn:oid:1.2.3"));
  CHECK(contains(convert("std.v2fhir", std::string(kHeader) + "ADT^A04^ADT_A01|1|P|2.5.1\nEVN||2025\n"
                                                              "PID|1||7^^^N&1.2.3&ISO^MR||A^B\nPV1|1|R\n"),
                 "http://terminology.hl7.org/CodeSystem/v2-0004"));
}

TEST_CASE("an immunization with deletion code is entered in error") {
  const std::string vxu = convert("std.v2fhir.vxu.vxu_v04",
                                  std::string(kHeader) +
                                      "VXU^V04^VXU_V04|1|P|2.5.1\nPID|1||7^^^N&1.2.3&ISO^MR\nORC|RE||9^N\n"
                                      "RXA|0|1|20250819||140^Influenza^CVX|999|||00|||||||||||CP|D\n");
  CHECK(contains(vxu, "\"entered-in-error\""));
  CHECK_FALSE(contains(vxu, "doseQuantity"));  // 999 = amount unknown
}

TEST_CASE("a null is no text") {
  const std::string adt =
      convert("std.v2fhir.adt.adt_a01", std::string(kHeader) +
                                            "ADT^A08^ADT_A01|1|P|2.5.1\nEVN||2025\n"
                                            "PID|1||7^^^N&1.2.3&ISO^MR||A^B||1961|\"\"|||\"\"\nPV1|1|I\n");
  CHECK_FALSE(contains(adt, "\\\"\\\""));
  CHECK_FALSE(contains(adt, "gender"));
  CHECK_FALSE(contains(adt, "address"));
}
