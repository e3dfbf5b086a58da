// What maps read of many messages, and what they said.

#include "mappings/field_coverage.h"

#include <catch2/catch.hpp>

#include "engine/base/limits.h"
#include "tests/mappings/runtime_support.h"

using namespace kiln;
using mappings::FieldCoverage;
using mappings::InputValue;

namespace {

mappings::RunDiagnostic note(std::string_view code, std::string source, std::string value = {}) {
  mappings::RunDiagnostic out;
  out.code = code;
  out.source = std::move(source);
  out.rule = "m:map/patient.gender";
  out.text = "said";
  out.value = std::move(value);
  return out;
}

}  // namespace

TEST_CASE("coverage: fields count once a message, in the order of HL7", "[coverage]") {
  FieldCoverage coverage;
  coverage.add_fields(std::vector<InputValue>{{"PID-10", true}, {"PID-3.1", true}, {"PID-3.1", false}});
  coverage.add_fields(std::vector<InputValue>{{"PID-3.1", true}, {"PD1-4.1", false}});
  const auto fields = coverage.fields();
  REQUIRE(fields.size() == 3);
  CHECK(coverage.messages_looked_at() == 2);
  CHECK(fields[0].first == "PD1-4.1");
  CHECK(fields[1].first == "PID-3.1");
  CHECK(fields[1].second.valued == 2);
  CHECK(fields[1].second.unread == 1);
  CHECK(fields[2].first == "PID-10");
  CHECK(fields[2].second.unread == 0);
}

TEST_CASE("coverage: what one of several maps read is read", "[coverage]") {
  std::vector<InputValue> all;
  mappings::merge(all, {{"PID-3", false}, {"PID-5", true}, {"PID-7", false}});
  mappings::merge(all, {{"PID-3", true}, {"PID-5", false}, {"PID-7", false}});
  CHECK(all[0].read);
  CHECK(all[1].read);
  CHECK_FALSE(all[2].read);
}

TEST_CASE("coverage: notes of repetitions are counted together, and none is lost beyond the cap", "[coverage]") {
  FieldCoverage coverage;
  coverage.add_notes(std::vector{note("bad-value", "OBX[1]-5[2].1", "9x"), note("bad-value", "OBX[7]-5.1")}, 3, 11);
  coverage.add_notes(std::vector{note("bad-value", "row 5 column taken"), note("bad-value", "row 9 column taken")}, 0, 12);
  auto notes = coverage.notes();
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].count == 2);
  CHECK(notes[0].source + notes[1].source == "OBX-5.1column taken");
  const auto& repeated = notes[0].source == "OBX-5.1" ? notes[0] : notes[1];
  CHECK(repeated.last_message == 11);
  CHECK(repeated.example == "9x");
  CHECK(coverage.notes_beyond() == 3);
  for (std::size_t i = 0; i < base::limits::kCoverageNotesMax; ++i)
    coverage.add_notes(std::vector{note("unmapped-code", "Z" + std::to_string(i))}, 0, 13);
  CHECK(coverage.notes().size() == base::limits::kCoverageNotesMax);
  CHECK(coverage.notes_beyond() == 3 + 2);
  CHECK(coverage.codes().at("unmapped-code") == base::limits::kCoverageNotesMax);
}
