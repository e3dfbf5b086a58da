// Messages and files that are not as they should be: each ends in the result of a policy, with a diagnostic
// that names the place in the source and the rule, and the next message is mapped as if nothing had been.

#include <catch2/catch.hpp>

#include "engine/base/env.h"
#include "mappings/lookup.h"
#include "mappings/tables.h"
#include "tests/mappings/runtime_support.h"
#include "tests/support/temp_folder.h"

namespace kiln::mappings::test {

namespace {

constexpr const char* kMaps = R"(
module t
use std.v2fhir.oru
use std.v2fhir.adt
row    MpiRow { eid : string }
lookup Mpi(mrn: string) -> MpiRow via sql "mpi" on error warn omit
map dates(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { birthDate = PID-7  name += { text = PID-5.1.1 } }
}
map codes(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { gender = PID-8 via AdministrativeSex else warn "unknown"  name += { text = PID-5.1.1 } }
}
map repeats(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { identifier += { value = PID-3[1].1 }  language = PID-3.4.1  name += PID-5[*] each { text = .1.1 } }
}
map looked_up(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { identifier += { value = Mpi(PID-3[1].1).eid }  name += { text = PID-5.1.1 } }
}
)";

const Maps& maps() {
  static const Maps all(kMaps);
  return all;
}

struct Ran {
  Runner runner;
  RunResult result;
  const RunDiagnostic* find(std::string_view code) const {
    for (const auto& diagnostic : result.diagnostics)
      if (diagnostic.code == code) return &diagnostic;
    return nullptr;
  }
};

std::unique_ptr<Ran> run(const std::string& map, const std::string& message, LookupService* service = nullptr) {
  const Program program = maps().program(map);
  REQUIRE(program);
  const OwnedInput input(".hl7", message, program);
  auto ran = std::make_unique<Ran>();
  LookupRecord record;
  ran->result = run_with_lookups(ran->runner, program, input.get(), test_context(), service, record);
  return ran;
}

std::string adt(const std::string& rest, const std::string& version = "2.5.1") {
  return "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|" + version + "\r" + rest;
}
std::string oru(const std::string& rest) {
  return "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ORU^R01^ORU_R01|M1|P|2.5.1\rPID|1||P1^^^GHH^MR||EVERYMAN\r" + rest;
}

std::string repeated(const std::string& one, std::size_t count, const std::string& separator) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : separator) + one;
  return out;
}

}  // namespace

TEST_CASE("bad input: a message that contradicts its version", "[bad-input]") {
  // PID-40 exists from 2.7, NK1 comes with components 2.3 did not have.
  const std::string pid = "PID|1||P1||EVERYMAN||1961||||||||||||||||||||||||||||||||||||||||||x\r";
  for (const char* version : {"2.1", "2.3", "2.9", "9.9", "", "rubbish"}) {
    INFO(version);
    const auto ran = run("std.v2fhir.adt.adt_a01", adt(pid + "PV1|1|I\r", version));
    CHECK(ran->result.ok());
    CHECK(ran->result.output.find("EVERYMAN") != std::string::npos);
  }
}

TEST_CASE("bad input: segments out of their structure are placed leniently or noted", "[bad-input]") {
  const auto ran = run("std.v2fhir.adt.adt_a01", adt("PV1|1|I\rPID|1||P1||EVERYMAN\rOBR|1\rQQQ|x\rPID|2||P2||SECOND\r"));
  CHECK(ran->result.ok());
  const RunDiagnostic* note = ran->find("unplaced-segment");
  REQUIRE(note != nullptr);
  CHECK_FALSE(note->source.empty());
}

TEST_CASE("bad input: an OBX-2 that its OBX-5 contradicts", "[bad-input]") {
  const auto obx = [](const std::string& type, const std::string& value) {
    return run("std.v2fhir.oru.oru_r01", oru("OBR|1|P1|F1|GLU^Glucose^L\rOBX|1|" + type + "|K^Potassium^L||" + value + "|mmol/l|||||F\r"));
  };
  const auto number = obx("NM", "five");
  CHECK(number->result.ok());
  const RunDiagnostic* bad = number->find("bad-value");
  REQUIRE(bad != nullptr);
  CHECK(bad->source.find("OBX-5") != std::string::npos);
  CHECK_FALSE(bad->rule.empty());
  CHECK(bad->value == "xxxx");  // masked
  CHECK(obx("NOPE", "x^y&z")->result.ok());
  CHECK(obx("", "12")->result.ok());
  CHECK(obx("CE", "plain")->result.ok());
  CHECK(obx("DTM", "soon")->find("bad-value") != nullptr);
  CHECK(obx("SN", ">^a^-^b")->result.ok());
}

TEST_CASE("bad input: ten thousand repetitions", "[bad-input]") {
  const std::string ids = repeated("P1^^^GHH^MR", 10'000, "~"), names = repeated("A^B", 10'000, "~");
  const auto all = run("repeats", adt("PID|1||" + ids + "||" + names + "\r"));
  CHECK(all->result.ok());
  const RunDiagnostic* dropped = all->find("dropped-repetition");
  REQUIRE(dropped != nullptr);
  CHECK(dropped->source.starts_with("PID-3"));
  CHECK(dropped->rule == "t:repeats/patient.language");
  std::size_t count = 0;
  for (std::size_t at = all->result.output.find("\"text\""); at != std::string::npos;
       at = all->result.output.find("\"text\"", at + 1))
    ++count;
  CHECK(count == 10'000);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "NK1|" + std::to_string(i) + "|KIN^" + std::to_string(i) + "\r";
  const auto kin = run("std.v2fhir.adt.adt_a01", adt("PID|1||P1||EVERYMAN\r" + many + "PV1|1|I\r"));
  CHECK((kin->result.ok() || kin->result.error == base::ErrorCode::limit_exceeded));
}

TEST_CASE("bad input: five megabytes in OBX-5", "[bad-input]") {
  const std::string big(5u << 20, 'x');
  for (const char* type : {"TX", "FT", "ST", "ED", "NM", "CE"}) {
    INFO(type);
    const auto ran = run("std.v2fhir.oru.oru_r01",
                         oru("OBR|1|P1|F1|GLU^Glucose^L\rOBX|1|" + std::string(type) + "|K^Text^L||" + big + "||||||F\r"));
    CHECK((ran->result.ok() || ran->result.error == base::ErrorCode::limit_exceeded));
    for (const auto& diagnostic : ran->result.diagnostics) CHECK(diagnostic.value.size() <= 40);
  }
}

TEST_CASE("bad input: dates that are none", "[bad-input]") {
  for (const char* date : {"19611315", "196106151", "yesterday", "1961-06-15", "00000000", "196100", "99999999", "-1"}) {
    INFO(date);
    const auto ran = run("dates", adt("PID|1||P1||EVERYMAN||" + std::string(date) + "\r"));
    CHECK(ran->result.outcome == Outcome::ok_with_warnings);
    CHECK(ran->result.output.find("birthDate") == std::string::npos);
    const RunDiagnostic* bad = ran->find("bad-value");
    REQUIRE(bad != nullptr);
    CHECK(bad->source == "PID-7");
    CHECK(bad->rule == "t:dates/patient.birthDate");
    CHECK(bad->value.find("1961") == std::string::npos);
  }
}

TEST_CASE("bad input: codes nobody knows", "[bad-input]") {
  const auto ran = run("codes", adt("PID|1||P1||EVERYMAN|||Q\r"));
  CHECK(ran->result.outcome == Outcome::ok_with_warnings);
  CHECK(ran->result.output.find("\"gender\":\"unknown\"") != std::string::npos);
  const RunDiagnostic* unmapped = ran->find("unmapped-code");
  REQUIRE(unmapped != nullptr);
  CHECK(unmapped->source == "PID-8");
  CHECK(unmapped->rule == "t:codes/patient.gender");
  CHECK(unmapped->value == "x");
}

TEST_CASE("bad input: concept maps that include each other end with a diagnostic", "[bad-input]") {
  kiln::test::TempFolder folder;
  base::Env& env = base::system_env();
  REQUIRE(env.make_folders(folder.path("maps")));
  REQUIRE(env.make_folders(folder.path("tables")));
  const auto map = [](const std::string& url, const std::string& other) {
    return R"({"resourceType":"ConceptMap","url":")" + url + R"(","group":[{"element":[{"code":")" + url +
           R"(","target":[{"code":"x"}]}],"unmapped":{"mode":"other-map","url":")" + other + R"("}}]})";
  };
  REQUIRE(env.write_file_atomic(folder.path("tables/a.json"), map("a", "b")));
  REQUIRE(env.write_file_atomic(folder.path("tables/b.json"), map("b", "a")));
  REQUIRE(env.write_file_atomic(folder.path("maps/t.hmap"), "module t\ntable A = conceptmap \"a\" else omit\n"));
  Library library;
  base::Diagnostics diagnostics;
  REQUIRE(library.add_site(env, folder.path(), diagnostics));
  library.link(diagnostics);
  const auto tables = load_tables(library, env, diagnostics);
  REQUIRE(diagnostics.errors() == 1);
  CHECK(diagnostics.list()[0].code == base::ErrorCode::E0413);
  CHECK(tables->find("t.A") == nullptr);
}

TEST_CASE("bad input: a lookup database that is missing", "[bad-input]") {
  const auto ran = run("looked_up", adt("PID|1||P1||EVERYMAN\r"));
  CHECK(ran->result.outcome == Outcome::ok_with_warnings);
  CHECK(ran->result.output.find("EVERYMAN") != std::string::npos);
  const RunDiagnostic* error = ran->find("lookup-error");
  REQUIRE(error != nullptr);
  CHECK(error->source == "PID-3.1");
  CHECK(error->rule == "t:looked_up/patient.value");
}

TEST_CASE("bad input: no message keeps the next one from being mapped", "[bad-input]") {
  const Program program = maps().program("dates");
  const OwnedInput good(".hl7", adt("PID|1||P1||EVERYMAN||1961\r"), program);
  const OwnedInput bad(".hl7", adt("PID|1||" + repeated("~", 5000, "^") + "||" + std::string(100'000, '&') + "||\"\r"), program);
  Runner runner;
  const std::string expected = runner.run(program, good.get(), test_context()).output;
  runner.run(program, bad.get(), test_context());
  CHECK(runner.run(program, good.get(), test_context()).output == expected);
}

}  // namespace kiln::mappings::test
