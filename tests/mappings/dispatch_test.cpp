// Which map of a package takes a message that none of them names: an event the standard does not know, a message under
// an old name, a known event without map. And which segment a name means that several groups have.

#include <catch2/catch.hpp>

#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {
namespace {

constexpr const char* kMaps = R"(
module t
map adt_a01(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { name += { text = PID-5[1].1.1 } }
}
map adt_a02(msg: hl7 ADT_A02 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { name += { text = PID-5[1].1.1 } }
}
map adt_a39(msg: hl7 ADT_A39 2.5.1) -> fhir Bundle transaction {
  for each PATIENT { create patient: Patient { name += { text = PID-5[1].1.1 } } }
}
map rde_o11(msg: hl7 RDE_O11 2.5.1) -> fhir Bundle transaction {
  for each ORDER {
    create order: MedicationRequest {
      status     = "active"
      intent     = "order"
      subject    = { display = "x" }
      medication = { text = RXE-2.2 } as CodeableConcept
      for each NTE { note += { text = NTE-3[1] } }
      for each ORDER_DETAIL { for each NTE { note += { text = "detail ${NTE-3[1]}" } } }
    }
  }
}
)";

struct Ran {
  Runner runner;
  RunResult result;
  bool says(std::string_view code) const {
    for (const auto& diagnostic : result.diagnostics)
      if (diagnostic.code == code) return true;
    return false;
  }
};

std::unique_ptr<Ran> run(const std::string& type, const std::string& rest) {
  static const Maps maps(kMaps);
  const Program program = maps.program("t");
  REQUIRE(program);
  const OwnedInput input(".hl7", "MSH|^~\\&|A|B|C|D|20260302||" + type + "|1|P|2.3\r" + rest, program);
  auto ran = std::make_unique<Ran>();
  ran->result = ran->runner.run(program, input.get(), test_context());
  return ran;
}

}  // namespace

TEST_CASE("an unknown event goes to the map with a place for most segments", "[runtime]") {
  const auto admission = run("ADT^A99", "PID|1||7||EVERYMAN\rNK1|1|X\rPV1|1|I\r");
  CHECK(admission->result.map == "t.adt_a01");
  CHECK(admission->result.outcome == Outcome::ok_with_warnings);
  CHECK(admission->says("unknown-event"));
  // Several have a place for all: the first by name.
  CHECK(run("ADT^A99", "PID|1||7||EVERYMAN\rPV1|1|I\r")->result.map == "t.adt_a01");
  CHECK(run("ADT^A99", "PID|1||7||EVERYMAN\rMRG|8\rPV1|1|I\r")->result.map == "t.adt_a39");
  CHECK(run("ADT", "PID|1||7||EVERYMAN\rPV1|1|I\r")->result.map == "t.adt_a01");
}

TEST_CASE("a known event without map, and a kind of message without any, are refused", "[runtime]") {
  for (const char* type : {"ADT^A24", "ORU^R01", "XYZ^A01", "", "^A01"}) {
    INFO(type);
    const auto ran = run(type, "PID|1||7||EVERYMAN\rPV1|1|I\r");
    CHECK(ran->result.outcome == Outcome::rejected);
    CHECK(ran->says("E0914"));
  }
}

TEST_CASE("a message under its name of 2.3 goes to the map of its new name", "[runtime]") {
  const auto ran = run("RDE^O01", "PID|1||7||EVERYMAN\rORC|NW|1\rRXE||A^Aspirin\r");
  CHECK(ran->result.map == "t.rde_o11");
  CHECK(ran->result.outcome == Outcome::ok);
  CHECK(ran->says("renamed-message"));
}

TEST_CASE("a segment of the group itself goes before one of its inner groups", "[runtime]") {
  const auto ran =
      run("RDE^O11", "PID|1||7||EVERYMAN\rORC|NW|1\rRXO|A\rNTE|1||inner\rRXR|PO\rRXE||A^Aspirin\rNTE|1||own\r");
  CHECK(ran->result.output.find(R"("note":[{"text":"own"},{"text":"detail inner"}])") != std::string::npos);
}

}  // namespace kiln::mappings::test
