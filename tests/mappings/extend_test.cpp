// `extend map … from …` by rule address, and hmap.lock (hmap.md §13).

#include <catch2/catch.hpp>

#include "engine/base/env.h"
#include "mappings/tester.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"
#include "tests/support/temp_folder.h"

namespace kiln::mappings::test {

namespace {

constexpr const char* kMessage =
    "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\r"
    "PID|1||P1^^^GHH^MR||EVERYMAN^ADAM||1961|D|||||||||||900-11\r"
    "PV1|1|I||||||||||||||VIP\rZPI|1||B12^Bed 12|B\r";

constexpr const char* kBase = R"(
module base
map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  on unmapped omit
  create patient: Patient {
    include Pid
  }
  create visit: Encounter {
    status = "planned"
    status = "finished" if PV1-45 is valued @discharged override
    class = { code = PV1-2.1 }
    subject = ref patient
  }
}
fragment Pid(PID: hl7 PID) -> Patient {
  identifier += { value = PID-3[1].1 }
  identifier += { system = "ssn"  value = PID-19 } @ssn
  gender = PID-8.1 via AdministrativeSex else "other"
  name += { family = PID-5[1].1.1 }
}
)";

std::string run(const std::string& text, const std::string& map, std::string_view message = kMessage) {
  const Maps maps(std::string(kBase) + text);
  const Program program = maps.program(map);
  REQUIRE(program);
  const OwnedInput input(".hl7", std::string(message), program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  INFO(result.reason);
  CHECK(result.ok());
  return result.output;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Checked {
  base::Diagnostics diagnostics;
  std::vector<OverriddenRule> overridden;
  std::string text;
};

Checked check(base::Env& env, const std::string& folder) {
  Checked out;
  Library library;
  REQUIRE(library.add_site(env, folder, out.diagnostics));
  library.link(out.diagnostics);
  out.overridden = compile(library, out.diagnostics).overridden;
  out.text = base::render(out.diagnostics, library.sources());
  return out;
}

}  // namespace

TEST_CASE("extend: rules are removed, replaced and added by their address", "[extend]") {
  const std::string output = run(R"(
extend map site from base.adt {
  in patient {
    remove  identifier@ssn
    replace gender = "female" if PID-8 == "D"
    add     identifier += { system = "urn:bed"  value = ZPI-3.1 } if ZPI-4 == "B"
  }
  in visit {
    replace status = "in-progress"
    remove  status@discharged
  }
  add create flag: Flag if PV1-16 == "VIP" {
    status = "active"
    code.text = "VIP"
    subject = ref patient
  }
}
segment ZPI { 3 bedCode : CWE  4 kind : ID }
)",
                                 "site");
  CHECK(holds(output, R"("identifier":[{"value":"P1"},{"system":"urn:bed","value":"B12"}])"));
  CHECK_FALSE(holds(output, "900-11"));
  CHECK(holds(output, R"("gender":"female")"));
  CHECK(holds(output, R"("status":"in-progress")"));
  CHECK(holds(output, R"("resourceType":"Flag")"));
}

TEST_CASE("extend: the base map stays as it is", "[extend]") {
  const std::string output =
      run("extend map site from base.adt { in patient { remove gender } }", "base.adt");
  CHECK(holds(output, R"("gender":"other")"));
}

TEST_CASE("extend: an extension of an extension; the outermost word counts", "[extend]") {
  const std::string output = run(R"(
extend map one from base.adt {
  in patient { replace gender = "male"  add language = "de" }
}
extend map two from one {
  in patient { replace gender = "unknown"  replace language = "en" }
}
)",
                                 "two");
  CHECK(holds(output, R"("gender":"unknown")"));
  CHECK(holds(output, R"("language":"en")"));
}

TEST_CASE("extend: a removed create takes its references with it", "[extend]") {
  const std::string output = run("extend map site from base.adt { remove patient }", "site");
  CHECK_FALSE(holds(output, "Patient"));
  CHECK_FALSE(holds(output, "subject"));
  CHECK(holds(output, "Encounter"));
}

TEST_CASE("extend: an added policy stands in for the base's", "[extend]") {
  const Maps maps(std::string(kBase) + R"(
extend map strict from base.adt {
  add on unmapped quarantine "unmapped"
  in patient { replace gender = PID-8.1 via Only }
}
table Only { "M" => "male" }
)");
  const Program program = maps.program("strict");
  const OwnedInput input(".hl7", kMessage, program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  CHECK(result.outcome == Outcome::quarantined);
  CHECK(result.reason == "unmapped");
}

TEST_CASE("extend: rule addresses name the file that decided", "[extend]") {
  const Maps maps(std::string(kBase) + R"(
extend map site from base.adt { in patient { replace gender = PID-8.1 via AdministrativeSex else reject AE 103 "x" } }
)");
  const Program program = maps.program("site");
  std::string text(kMessage);
  text.replace(text.find("|D|"), 3, "|?|");
  const OwnedInput input(".hl7", text, program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  CHECK(result.outcome == Outcome::rejected);
  REQUIRE_FALSE(result.diagnostics.empty());
  CHECK(result.diagnostics.front().rule == "base:site/patient.gender");
}

TEST_CASE("extend: hmap.lock reports what changed below an override until it is accepted", "[extend]") {
  kiln::test::TempFolder folder;
  base::Env& env = base::system_env();
  const std::string site = folder.path();
  REQUIRE(env.make_folders(site + "/maps"));
  const std::string base(kBase);
  REQUIRE(env.write_file_atomic(site + "/maps/base.hmap", base));
  REQUIRE(env.write_file_atomic(site + "/maps/site.hmap", R"(module site
extend map own from base.adt { in patient { replace gender = "male"  remove identifier@ssn } })"));
  Checked first = check(env, site);
  CHECK(first.diagnostics.ok());
  CHECK(holds(first.text, "W0703"));
  REQUIRE(first.overridden.size() == 2);
  CHECK(first.overridden[1].rule == "base:Pid.identifier@ssn");

  REQUIRE(env.write_file_atomic(site + "/hmap.lock", Lock::of(first.overridden).print()));
  CHECK(check(env, site).diagnostics.list().empty());

  SECTION("a new layout and comments are no change") {
    std::string same = base;
    same.replace(same.find("gender = PID-8.1 via"), 20, "gender   =   PID-8.1 via");
    REQUIRE(env.write_file_atomic(site + "/maps/base.hmap", "// upgraded\n" + same));
    CHECK(check(env, site).diagnostics.list().empty());
  }
  SECTION("another rule of the base may change") {
    std::string other = base;
    other.replace(other.find("name +="), 7, "name  +=");
    other.replace(other.find("PID-5[1].1.1"), 12, "PID-5[2].1.1");
    REQUIRE(env.write_file_atomic(site + "/maps/base.hmap", other));
    CHECK(check(env, site).diagnostics.list().empty());
  }
  SECTION("the overridden rule changed") {
    std::string changed = base;
    changed.replace(changed.find("else \"other\""), 12, "else \"unknown\"");
    REQUIRE(env.write_file_atomic(site + "/maps/base.hmap", changed));
    Checked after = check(env, site);
    CHECK(after.diagnostics.errors() == 1);
    CHECK(holds(after.text, "E0702"));
    CHECK(holds(after.text, "was: gender = PID-8.1 via AdministrativeSex else \"other\""));
    CHECK(holds(after.text, "now: gender = PID-8.1 via AdministrativeSex else \"unknown\""));
    REQUIRE(env.write_file_atomic(site + "/hmap.lock", Lock::of(after.overridden).print()));
    CHECK(check(env, site).diagnostics.list().empty());
  }
  SECTION("a lock that is not understood is said, with its line") {
    REQUIRE(env.write_file_atomic(site + "/hmap.lock", "# x\nnonsense\n"));
    Checked after = check(env, site);
    CHECK_FALSE(after.diagnostics.ok());
    CHECK(holds(after.text, "line 2"));
  }
}

TEST_CASE("extend: a lock file reads what it prints", "[extend]") {
  const std::string hash(64, 'a');
  const Lock lock =
      Lock::of({{"z.map", "m:F.x", "x = 1", hash, {}}, {"a.map", "m:F.y@l", "y = 2", hash, {}}});
  const auto again = Lock::parse(lock.print());
  REQUIRE(again);
  CHECK(again->print() == lock.print());
  REQUIRE(again->find("a.map", "m:F.y@l"));
  CHECK(again->find("a.map", "m:F.y@l")->text == "y = 2");
  CHECK(again->find("a.map", "m:F.x") == nullptr);
}

TEST_CASE("extend: the site override of the design runs", "[extend]") {
  const std::string folder = example_folder();
  if (folder.empty()) return;
  const Maps maps(read_text(folder + "/site_override.hmap") + R"(
table MercySex { "M" => "male"  "W" => "female"  _ => omit }
table MercyClass system "http://terminology.hl7.org/CodeSystem/v3-ActCode" { "I" => "IMP"  "O" => "AMB" }
)");
  const Program program = maps.program("mercy_adt_a01");
  REQUIRE(program);
  std::string text(kMessage);
  text.replace(text.find("|D|"), 3, "|W|");
  const OwnedInput input(".hl7", text, program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  INFO(result.reason);
  REQUIRE(result.ok());
  CHECK(result.map == "mercy.adt.mercy_adt_a01");
  CHECK(holds(result.output, R"("gender":"female")"));
  CHECK(holds(result.output, R"("value":"B12")"));
  CHECK_FALSE(holds(result.output, "900-11"));
  CHECK(holds(result.output, R"("resourceType":"Flag")"));
}

}  // namespace kiln::mappings::test
