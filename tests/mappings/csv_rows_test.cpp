// Rows that are not as declared, and dates that know less than their pattern asks for: `on bad` decides, and nothing is
// dropped or made up in silence.

#include <catch2/catch.hpp>

#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {

namespace {

std::string rows_map(const std::string& policy) {
  return R"(module t
csv F {
  delimiter ";"
  columns { id "ID" : string required  v "Wert" : decimal }
}
map m(rows: csv F) -> fhir Bundle transaction {
  )" + policy + R"(
  for each r in rows { create o: Observation { status = "final"  code = { text = r.id }  value = "${r.v}" } }
})";
}

struct Ran {
  RunResult result;
  std::string notes;
};

Ran run(const std::string& text, const std::string& suffix, const std::string& input_text) {
  const Maps maps(text);
  const Program program = maps.program("m");
  REQUIRE(program);
  const OwnedInput input(suffix, input_text, program);
  Runner runner;
  Ran ran{runner.run(program, input.get(), test_context()), {}};
  for (const RunDiagnostic& note : ran.result.diagnostics)
    ran.notes += std::string(note.code) + " | " + note.text + " | " + note.source + "\n";
  return ran;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

constexpr const char* kFile = "ID;Wert\n;3\nE;4\nF;5;extra;more\nG\n";

}  // namespace

TEST_CASE("csv rows: what is not as declared is told with line and column") {
  const Ran ran = run(rows_map(""), ".csv", kFile);
  CHECK(ran.notes.find("bad-row | a required column is empty: `id` (line 2) | row 1 column id") != std::string::npos);
  CHECK(ran.notes.find("the row has too many cells (line 4)") != std::string::npos);
  CHECK(ran.notes.find("the row has too few cells (line 5)") != std::string::npos);
  CHECK(count(ran.notes, "bad-row") == 3);
  CHECK(count(ran.result.output, "\"Observation\"") == 4);  // the default is a note
}

TEST_CASE("csv rows: `on bad` sets the rows aside, the others go on") {
  const Ran ran = run(rows_map("on bad quarantine"), ".csv", kFile);
  CHECK(count(ran.result.output, "\"Observation\"") == 1);
  REQUIRE(ran.result.children.size() == 3);
  CHECK(ran.result.children[0].rows == std::vector<std::uint32_t>{1});
  CHECK(ran.result.children[0].reason == "a required column is empty: `id` (line 2)");
  CHECK(ran.result.children[1].rows == std::vector<std::uint32_t>{3});
  CHECK(ran.result.children[2].rows == std::vector<std::uint32_t>{4});
  const Ran rejected = run(rows_map("on bad reject AE \"no\""), ".csv", kFile);
  CHECK(rejected.result.outcome == Outcome::rejected);
}

TEST_CASE("csv rows: what one loop has set aside no other loop takes") {
  std::string text = rows_map("on bad quarantine");
  text.insert(text.rfind('}'), R"(  for each r in rows { create b: Basic { code = { text = r.id } } }
)");
  const Ran ran = run(text, ".csv", kFile);
  CHECK(count(ran.result.output, "\"resourceType\":\"Observation\"") == 1);
  CHECK(count(ran.result.output, "\"resourceType\":\"Basic\"") == 1);
  CHECK(ran.result.children.size() == 3);
}

TEST_CASE("csv rows: a fault of one row of a group concerns the row where a loop takes it, else the group") {
  const std::string head = R"(module t
csv F { columns { order : string  test : string required } }
map m(rows: csv F) -> fhir Bundle transaction {
  on bad quarantine
  for each o in rows group by .order {
    create report: DiagnosticReport { status = "final"  code = { text = o.order } }
)";
  const std::string file = "order,test\nA,1\nA,\nB,2\n";
  const Ran inner = run(head + "    for each r in o.rows { create obs: Observation { status = \"final\"  code = { text = r.test } } }\n  }\n}",
                        ".csv", file);
  CHECK(count(inner.result.output, "\"Observation\"") == 2);
  CHECK(count(inner.result.output, "\"DiagnosticReport\"") == 2);
  REQUIRE(inner.result.children.size() == 1);
  CHECK(inner.result.children[0].rows == std::vector<std::uint32_t>{2});
  const Ran whole = run(head + "  }\n}", ".csv", file);
  CHECK(count(whole.result.output, "\"DiagnosticReport\"") == 1);
  REQUIRE(whole.result.children.size() == 1);
  CHECK(whole.result.children[0].rows == std::vector<std::uint32_t>{1, 2});
}

TEST_CASE("csv rows: each fault is told once, and only of rows that a loop takes") {
  const std::string text = R"(module t
csv F { columns { id : string required  v : string required } }
map m(rows: csv F) -> fhir Bundle transaction {
  for each r in rows where r.id == "A" { create a: Observation { status = "final"  code = { text = r.id } } }
  for each r in rows where r.id == "A" { create b: Observation { status = "final"  code = { text = r.id } } }
})";
  const Ran ran = run(text, ".csv", "id,v\nA,\nB,\n");
  CHECK(count(ran.notes, "bad-row") == 1);
  CHECK(ran.notes.find("(line 2)") != std::string::npos);
}

TEST_CASE("dates: a pattern that asks for more than the date has prints nothing") {
  const std::string text = R"(module t
csv Out { columns { id : string  born : date "dd.MM.yyyy" } }
map m(msg: hl7 ADT_A01 2.5.1) -> csv Out { emit { id = PID-3[1].1  born = PID-7 as date } })";
  const auto message = [](const std::string& born) {
    return "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\rPID|1||4711||E||" + born + "\r";
  };
  CHECK(run(text, ".hl7", message("19610615")).result.output.find("4711,15.06.1961") != std::string::npos);
  const Ran month = run(text, ".hl7", message("196106"));
  CHECK(month.result.output.find("4711,\r\n") != std::string::npos);
  CHECK(month.notes.find("bad-value | the date is less precise than the pattern | PID-7") != std::string::npos);
  const std::string formatted = R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create p: Patient { name += { text = format(PID-7, "dd.MM.yyyy") }  name += { text = format(PID-7, "MM/yyyy") } }
})";
  const Ran printed = run(formatted, ".hl7", message("196106"));
  CHECK(printed.result.output.find("00.06") == std::string::npos);
  CHECK(printed.result.output.find("06/1961") != std::string::npos);
  CHECK(printed.notes.find("the date is less precise than the pattern") != std::string::npos);
}

}  // namespace kiln::mappings::test
