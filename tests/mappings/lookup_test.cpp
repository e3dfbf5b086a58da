// Lookups: what is asked, what an answer does, and that a run with recorded answers is the same (hmap.md §8).

#include "mappings/lookup.h"

#include <catch2/catch.hpp>

#include "engine/base/env.h"
#include "mappings/tables.h"
#include "mappings/tester.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"
#include "tests/support/temp_folder.h"

namespace kiln::mappings::test {

namespace {

constexpr const char* kMessage =
    "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\r"
    "PID|1||P1^^^GHH^MR~P2^^^GHH^PI||EVERYMAN^ADAM||1961|M\r"
    "PV1|1|I\r";

std::string script(const std::string& policies, const std::string& value = "Mpi(PID-3[1].1).eid") {
  return R"(
module t
row MpiRow { eid : string  since : date  rank : integer }
lookup Mpi(mrn: string) -> MpiRow via sql "mpi" )" +
         policies + R"(
row WardRow { building : string }
lookup Ward(building: string, eid: string) -> WardRow via csv "wards.csv"
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    name += { text = )" +
         value + R"( }
    birthDate = Mpi(PID-3[1].1).since
    multipleBirth = Mpi(PID-3[1].1).rank as integer
  }
}
)";
}

/// Answers from a list and counts what it was asked.
class Fake final : public LookupService {
 public:
  std::vector<LookupAnswer> known;
  LookupAnswer::State otherwise = LookupAnswer::State::missing;
  std::vector<std::vector<LookupKey>> asked;
  std::vector<LookupAnswer> fetch(const ir::Unit&, std::span<const LookupKey> keys) override {
    asked.emplace_back(keys.begin(), keys.end());
    std::vector<LookupAnswer> answers;
    for (const LookupKey& key : keys) {
      LookupAnswer answer{key, otherwise, {}};
      for (const LookupAnswer& one : known)
        if (one.key == key) answer = one;
      answers.push_back(std::move(answer));
    }
    return answers;
  }
};

LookupAnswer found(std::string lookup, std::vector<std::string> arguments,
                   std::vector<std::optional<std::string>> columns) {
  return {{std::move(lookup), std::move(arguments)}, LookupAnswer::State::found, std::move(columns)};
}

struct Ran {
  Runner runner;
  LookupRecord record;
  RunResult result;
};

std::unique_ptr<Ran> run(const std::string& text, LookupService* service, LookupRecord record = {}) {
  const Maps maps(text);
  const Program program = maps.program("m");
  const OwnedInput input(".hl7", kMessage, program);
  auto ran = std::make_unique<Ran>();
  ran->record = std::move(record);
  ran->result = run_with_lookups(ran->runner, program, input.get(), test_context(), service, ran->record);
  return ran;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("lookup: a row is asked for once and read by column and type", "[lookup]") {
  Fake fake;
  fake.known = {found("t.Mpi", {"P1"}, {"E-77", "1999-05", "3"})};
  const auto ran = run(script(""), &fake);
  REQUIRE(ran->result.ok());
  CHECK(holds(ran->result.output, R"("text":"E-77")"));
  CHECK(holds(ran->result.output, R"("birthDate":"1999-05")"));
  CHECK(holds(ran->result.output, R"("multipleBirthInteger":3)"));
  REQUIRE(fake.asked.size() == 1);
  CHECK(fake.asked[0] == std::vector<LookupKey>{{"t.Mpi", {"P1"}}});
}

TEST_CASE("lookup: recorded answers make a run exact, whatever the source says now", "[lookup]") {
  Fake fake;
  fake.known = {found("t.Mpi", {"P1"}, {"E-77", std::nullopt, std::nullopt})};
  const auto first = run(script(""), &fake);
  const auto stored = parse_answers(print_answers(first->record.answers));
  REQUIRE(stored);
  CHECK(stored->size() == 1);
  Fake changed;
  changed.known = {found("t.Mpi", {"P1"}, {"E-78", std::nullopt, std::nullopt})};
  const auto again = run(script(""), &changed, {*stored, 0});
  CHECK(again->result.output == first->result.output);
  CHECK(changed.asked.empty());
}

TEST_CASE("lookup: one lookup may depend on another, and all keys of a round come together", "[lookup]") {
  Fake fake;
  fake.known = {found("t.Mpi", {"P1"}, {"E1", {}, {}}), found("t.Mpi", {"P2"}, {"E2", {}, {}}),
                found("t.Ward", {"B7", "E1"}, {"seven"})};
  const auto ran = run(
      script(
          "",
          R"("${Mpi(PID-3[1].1).eid}-${Mpi(PID-3[2].1).eid}-${Ward("B7", Mpi(PID-3[1].1).eid).building}")"),
      &fake);
  CHECK(holds(ran->result.output, R"("text":"E1-E2-seven")"));
  REQUIRE(fake.asked.size() == 2);
  CHECK(fake.asked[0].size() == 2);
  CHECK(fake.asked[1].size() == 1);
}

TEST_CASE("lookup: an absent argument asks nothing", "[lookup]") {
  Fake fake;
  const auto ran = run(script("", "Mpi(PID-4[1].1).eid ?? \"none\""), &fake);
  CHECK(holds(ran->result.output, R"("text":"none")"));
  for (const auto& round : fake.asked)
    for (const LookupKey& key : round) CHECK(key.arguments == std::vector<std::string>{"P1"});
}

TEST_CASE("lookup: on miss and on error decide; without a word a miss is a note, an error a quarantine",
          "[lookup]") {
  Fake miss, broken;
  broken.otherwise = LookupAnswer::State::failed;
  SECTION("defaults") {
    const auto missed = run(script(""), &miss);
    CHECK(missed->result.outcome == Outcome::ok);
    CHECK_FALSE(holds(missed->result.output, "text"));
    REQUIRE_FALSE(missed->result.diagnostics.empty());
    CHECK(missed->result.diagnostics[0].code == "lookup-miss");
    CHECK(missed->result.diagnostics[0].source == "PID-3[1].1");
    CHECK(missed->result.diagnostics[0].rule == "t:m/patient.text");
    const auto failed = run(script(""), &broken);
    CHECK(failed->result.outcome == Outcome::quarantined);
    CHECK(failed->result.reason == "lookup t.Mpi cannot be asked");
    const auto nobody = run(script(""), nullptr);
    CHECK(nobody->result.outcome == Outcome::quarantined);
  }
  SECTION("declared") {
    CHECK(run(script("on miss reject AE 204 \"unknown patient\" on error omit"), &miss)->result.error_code ==
          204);
    const auto omitted = run(script("on miss reject AE on error warn omit"), &broken);
    CHECK(omitted->result.outcome == Outcome::ok_with_warnings);
    CHECK(run(script("on miss quarantine"), &miss)->result.outcome == Outcome::quarantined);
  }
  SECTION("inherited `on missing`") {
    std::string text = script("");
    text.replace(text.find("  create patient"), 0, "  on missing reject AR 204 \"no row\"\n");
    const auto ran = run(text, &miss);
    CHECK(ran->result.outcome == Outcome::rejected);
    CHECK(ran->result.ack_code == "AR");
  }
}

TEST_CASE("lookup: what the map would decide without its rows does not count", "[lookup]") {
  Fake fake;
  fake.known = {found("t.Mpi", {"P1"}, {"E1", {}, {}}), found("t.Mpi", {"P2"}, {"E2", {}, {}})};
  std::string text = script("", "Mpi(PID-3[2].1).eid");
  text.replace(text.find("  create patient"), 0,
               "  require Mpi(PID-3[1].1).eid == \"E1\" else reject AE 204 \"not E1\"\n");
  const auto ran = run(text, &fake);
  CHECK(ran->result.ok());
  CHECK(holds(ran->result.output, "E2"));
  CHECK(fake.asked.size() == 1);
}

TEST_CASE("lookup: a cell that is no date goes by on bad", "[lookup]") {
  Fake fake;
  fake.known = {found("t.Mpi", {"P1"}, {"E", "yesterday", "x"})};
  const auto ran = run(script(""), &fake);
  CHECK(ran->result.outcome == Outcome::ok_with_warnings);
  CHECK_FALSE(holds(ran->result.output, "birthDate"));
  CHECK(ran->result.diagnostics[0].code == "bad-value");
}

TEST_CASE("lookup: a service that never satisfies the map ends in a limit, not in a loop", "[lookup]") {
  // Each answer is a new key: Mpi(Mpi(Mpi(…))) nine deep.
  std::string value = "PID-3[1].1";
  for (int i = 0; i < 10; ++i) value = "Mpi(" + value + ").eid";
  class Counter final : public LookupService {
   public:
    std::vector<LookupAnswer> fetch(const ir::Unit&, std::span<const LookupKey> keys) override {
      std::vector<LookupAnswer> answers;
      for (const LookupKey& key : keys)
        answers.push_back(found("t.Mpi", key.arguments, {key.arguments[0] + "x", {}, {}}));
      return answers;
    }
  } counter;
  const auto ran = run(script("", value), &counter);
  CHECK(ran->result.outcome == Outcome::failed);
  CHECK(ran->result.error == base::ErrorCode::limit_exceeded);
}

TEST_CASE("lookup: tests give rows by the name of the lookup", "[lookup]") {
  Library library;
  base::Diagnostics diagnostics;
  library.add_text("t.hmap", script("") + R"(
test "given" {
  given Mpi """
mrn;eid;since;rank
P1;E9;;
"""
  given hl7 """
MSH|^~\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1
PID|1||P1^^^GHH^MR
"""
  run m
  expect patient.name[1].text == "E9"
}
test "nothing given is a miss" {
  given hl7 """
MSH|^~\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1
PID|1||P1^^^GHH^MR||EVERYMAN
"""
  run m
  expect count(Patient) == 0
}
)",
                   diagnostics);
  library.link(diagnostics);
  const CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  REQUIRE(diagnostics.ok());
  const TestReport report = run_tests(library, compiled, nullptr);
  INFO(render(report));
  CHECK(report.passed() == 2);
}

TEST_CASE("lookup: the csv map of the design runs whole", "[lookup]") {
  const std::string examples = example_folder();
  if (examples.empty()) return;
  kiln::test::TempFolder folder;
  base::Env& env = base::system_env();
  REQUIRE(env.make_folders(folder.path("maps")));
  REQUIRE(env.make_folders(folder.path("tables")));
  REQUIRE(env.write_file_atomic(folder.path("maps/lab_csv.hmap"), read_text(examples + "/lab_csv.hmap") + R"(
test "the enterprise id comes from the index" {
  given Mpi """
mrn,eid
4711,E-99
"""
  given csv """
Pat.-Nr.;Auftrag;Testcode;Ergebnis;Einheit;Entnahme;Flag
4711;A1;GLU;pos;;18.08.2025 07:30;H
4712;A2;GLU;<5,0;mmol/l;18.08.2025 07:30;
"""
  run lab_csv
  expect count(Patient) == 2
  expect patient.identifier[2].value == "E-99"
}
)"));
  REQUIRE(env.write_file_atomic(folder.path("tables/lab_codes.csv"),
                                "local,loinc,name,ucum\nGLU,2345-7,Glucose,mmol/L\n"));
  Library library;
  base::Diagnostics diagnostics;
  REQUIRE(library.add_site(env, folder.path(), diagnostics));
  library.link(diagnostics);
  library.set_tables(load_tables(library, env, diagnostics));
  const CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  REQUIRE(diagnostics.ok());
  const TestReport report = run_tests(library, compiled, nullptr);
  INFO(render(report));
  CHECK(report.passed() == 2);
}

}  // namespace kiln::mappings::test
