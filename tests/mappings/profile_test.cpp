// Profiles and slices of created resources; constants that stand in for rules that wrote nothing.

#include <catch2/catch.hpp>

#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {

namespace {

const std::string kHeader = "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\r";
constexpr const char* kName = "PID|1||P1^^^GHH^MR||EVERYMAN^ADAM||";

/// What map t.m of `map` writes for a message with kName, in a site with that profile.
std::string output_with_profile(const std::string& profile, const std::string& map) {
  Library library;
  base::Diagnostics diagnostics;
  library.add_profile("profiles/p.json", profile, diagnostics);
  library.add_text("t.hmap", map, diagnostics);
  library.link(diagnostics);
  const CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  REQUIRE(diagnostics.ok());
  const Program program = compiled.program("t.m");
  const OwnedInput input(".hl7", kHeader + kName + "\r", program);
  Runner runner;
  return runner.run(program, input.get(), test_context()).output;
}

}  // namespace

TEST_CASE("semantics: a profile is named in meta, its slices get their fixed values", "[semantics]") {
  const std::string output =
      output_with_profile(read_text(test_path("diagnostics/sites/E0216_profiles/profiles/lab.json")), R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create obs: Observation("lab-observation") {
    status = "final"
    code = { text = PID-5.1.1 }
    category:laboratory += { text = PID-5.2 }
  }
})");
  CHECK(output.find(R"("meta":{"profile":["http://example.org/StructureDefinition/lab-observation"]})") != std::string::npos);
  CHECK(output.find(R"("category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}],"text":"ADAM"}])") !=
        std::string::npos);
}

TEST_CASE("semantics: slices inside slices and inside elements get their fixed values", "[semantics]") {
  const std::string output = output_with_profile(R"({"resourceType":"StructureDefinition","id":"bp","url":"http://example.org/bp",
"type":"Observation","kind":"resource","derivation":"constraint","differential":{"element":[
{"id":"Observation","path":"Observation"},
{"id":"Observation.code.coding:loinc","path":"Observation.code.coding","sliceName":"loinc"},
{"id":"Observation.code.coding:loinc.system","path":"Observation.code.coding.system","fixedUri":"http://loinc.org"},
{"id":"Observation.code.coding:loinc.code","path":"Observation.code.coding.code","fixedCode":"85354-9"},
{"id":"Observation.component:systolic","path":"Observation.component","sliceName":"systolic"},
{"id":"Observation.component:systolic.code.text","path":"Observation.component.code.text","fixedString":"systolic"},
{"id":"Observation.component:systolic.code.coding:loinc","path":"Observation.component.code.coding","sliceName":"loinc"},
{"id":"Observation.component:systolic.code.coding:loinc.code","path":"Observation.component.code.coding.code","fixedCode":"8480-6"},
{"id":"Observation.value[x]:valueQuantity","path":"Observation.value[x]","sliceName":"valueQuantity"}]}})",
                                                 R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create obs: Observation("bp") {
    status = "final"
    code = { coding:loinc += { display = PID-5.1.1 } }
    component:systolic += {
      code.coding:loinc += { display = PID-5.2 }
    }
  }
})");
  INFO(output);
  CHECK(output.find(R"("coding":[{"system":"http://loinc.org","code":"85354-9","display":"EVERYMAN"}])") != std::string::npos);
  CHECK(output.find(R"("coding":[{"code":"8480-6","display":"ADAM"}],"text":"systolic")") != std::string::npos);
}

TEST_CASE("semantics: a rule may repeat what its profile fixes, and say more", "[semantics]") {
  constexpr const char* kProfile = R"({"resourceType":"StructureDefinition","id":"bp","url":"http://example.org/bp",
"type":"Observation","kind":"resource","derivation":"constraint","differential":{"element":[
{"id":"Observation","path":"Observation"},
{"id":"Observation.component:systolic","path":"Observation.component","sliceName":"systolic"},
{"id":"Observation.component:systolic.code","path":"Observation.component.code",
 "patternCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}}]}})";
  const auto map = [](const std::string& code) {
    return R"(module t
const loinc = "http://loinc.org"
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create obs: Observation("bp") {
    status = "final"
    code = { text = PID-5.1.1 }
    component:systolic += { )" +
           code + R"(  value = PID-5.2 as string }
  }
})";
  };
  const std::string fixed = R"({"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueString":"ADAM"})";
  CHECK(output_with_profile(kProfile, map("")).find(fixed) != std::string::npos);
  CHECK(output_with_profile(kProfile, map(R"(code = { coding += { system = loinc  code = "8480-6" } })")).find(fixed) !=
        std::string::npos);
  CHECK(output_with_profile(kProfile,
                            map(R"(code = { coding += { system = loinc  code = "8480-6"  display = "up" }  text = "systolic" })"))
            .find(R"("component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"up"}],"text":"systolic"})") !=
        std::string::npos);
  // Another code is still a second value.
  Library library;
  base::Diagnostics diagnostics;
  library.add_profile("profiles/p.json", kProfile, diagnostics);
  library.add_text("t.hmap", map(R"(code = { coding += { system = loinc  code = "8462-4" } })"), diagnostics);
  library.link(diagnostics);
  compile(library, diagnostics);
  CHECK_FALSE(diagnostics.ok());
  CHECK(base::render(diagnostics, library.sources()).find("E0205") != std::string::npos);
}

TEST_CASE("semantics: a constant object stands in for a rule that wrote nothing", "[semantics]") {
  const Maps maps(R"(module t
use std.v2fhir.datatypes
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create p: Patient {
    name += { text = PID-5.1.1 }
    maritalStatus = PID-16 @given
    maritalStatus ?= { coding += { system = "urn:ms"  code = "UNK" }  text = "unknown" } @else
    managingOrganization = { display = PID-19 }
    managingOrganization ?= { display = "none" }
    deceased = PID-29 as dateTime
    deceased ?= false
    contact += { name = PID-9  gender ?= "other" }
  }
}
)");
  const Program program = maps.program("t.m");
  REQUIRE(program);
  const auto run = [&](const std::string& pid) {
    const OwnedInput input(".hl7", kHeader + pid + "\r", program);
    Runner runner;
    return runner.run(program, input.get(), test_context()).output;
  };
  const std::string empty = run("PID|1||||EVERYMAN");
  INFO(empty);
  CHECK(empty.find(R"("maritalStatus":{"coding":[{"system":"urn:ms","code":"UNK"}],"text":"unknown"})") != std::string::npos);
  CHECK(empty.find(R"("managingOrganization":{"display":"none"})") != std::string::npos);
  CHECK(empty.find(R"("deceasedBoolean":false)") != std::string::npos);
  CHECK(empty.find("contact") == std::string::npos);  // an object of constants beside a rule that is none
  const std::string full = run("PID|1||||EVERYMAN|||||||||||S^Single|||77");
  INFO(full);
  CHECK(full.find("UNK") == std::string::npos);
  CHECK(full.find(R"("managingOrganization":{"display":"77"})") != std::string::npos);
  CHECK(full.find("none") == std::string::npos);
}

TEST_CASE("semantics: a composite that is copied into an added segment keeps its components", "[semantics]") {
  const Maps maps(R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> hl7 ADT_A08 2.5.1 {
  EVN-2 = EVN-2
  PID-3 += PID-3[*]
  PID-5 += PID-5[*]
  PV1-2 = "I"
  for each NK1 { add NK1 { NK1-1 = index  NK1-2 += NK1-2[*]  NK1-3 = NK1-3 } }
})");
  const Program program = maps.program("t.m");
  REQUIRE(program);
  const OwnedInput input(".hl7", kHeader + "EVN||20260101\rPID|1||P1||EVERYMAN\rNK1|1|B^C|SPO^Spouse&x\r", program);
  Runner runner;
  const std::string output = runner.run(program, input.get(), test_context()).output;
  INFO(output);
  CHECK(output.find("NK1|1|B^C|SPO^Spouse&x") != std::string::npos);
}

}  // namespace kiln::mappings::test
