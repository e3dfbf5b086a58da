// The tester: what `expect` understands, what a failure says, and the tests of the design examples.

#include "mappings/tester.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "tests/mappings/golden.h"
#include "tests/support/temp_folder.h"

namespace kiln::mappings::test {

namespace {

/// Answers as a channel would, without running one.
class FixedTarget : public RunTarget {
 public:
  base::Result<ChannelTestOutcome> run(const ChannelTestRequest& request) override {
    last = request;
    if (request.channel != "site.feed") return base::fail(base::ErrorCode::file_not_found, "no such channel");
    ChannelTestOutcome outcome;
    outcome.ack_code = "AR";
    outcome.ack_error = 201;
    outcome.quarantined = 1;
    DestinationOutcome pas;
    pas.name = "pas";
    pas.attempts = 4;
    for (const std::string_view family : {"EVERYMAN", "DOE"}) {
      RunResult message;
      message.output_kind = DataKind::hl7;
      message.output = "MSH|^~\\&|A|B|C|D|20250818||ADT^A01^ADT_A01|1|P|2.5.1\rPID|1||77^^^X~88^^^Y||" +
                       std::string(family) + "^ADAM||19610615\r";
      pas.sent.push_back(std::move(message));
    }
    outcome.destinations.push_back(std::move(pas));
    DestinationOutcome idle;
    idle.name = "idle";
    outcome.destinations.push_back(std::move(idle));
    return outcome;
  }
  ChannelTestRequest last;
};

struct Run {
  Library library;
  base::Diagnostics diagnostics;
  std::string report(const std::string& text, RunTarget* target, bool compile_must_pass = true) {
    library.add_text("maps/t.hmap", text, diagnostics);
    library.link(diagnostics);
    const CompiledLibrary compiled = compile(library, diagnostics);
    INFO(base::render(diagnostics, library.sources()));
    if (compile_must_pass) CHECK(diagnostics.ok());
    return render(run_tests(library, compiled, target));
  }
};

/// A map to a bundle with one test.
std::string reported(const std::string& steps) {
  Run run;
  return run.report("module t\nmap m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n"
                    "  create patient: Patient { birthDate = PID-7 as date }\n"
                    "  create visit: Encounter if PV1-19 is valued { status = \"finished\" }\n}\n"
                    "test \"one\" {\n  given hl7 \"\"\"\nMSH|^~\\&|A|B|C|D|20250818||ADT^A01^ADT_A01|1|P|2.5.1\n"
                    "PID|1||77||||19610615\n\"\"\"\n" +
                        steps + "\n}\n",
                    nullptr);
}

const char* const kChannelSite =
    "module site\n"
    "channel feed { source mllp { port 1 } }\n";

}  // namespace

TEST_CASE("tester: a name that the result cannot have is no absent value") {
  const auto actual = [](const std::string& expectation) {
    const std::string report = reported("  run m\n  expect " + expectation);
    const std::size_t at = report.find("actual    ");
    return at == std::string::npos ? std::string("passes") : report.substr(at + 10, report.find('\n', at) - at - 10);
  };
  CHECK(actual("count(pateint.name) == 0") ==
        "there is no `pateint` in the result: it is no handle of a map and no type of resource; did you mean `patient`?");
  CHECK(actual("patient.birthdate is not valued") ==
        "Patient has no element `birthdate`; did you mean `birthDate`?");
  CHECK(actual("Patiant.birthDate is not valued").starts_with("there is no `Patiant` in the result"));
  CHECK(actual("patient.contact.foo != \"x\"") == "Patient.contact has no element `foo`");
  CHECK(actual("lineage(\"PID-7\") contains \"PID-7\"") ==
        "`lineage` takes a path of the result: lineage(patient.birthDate)");
  // What is there and what may be absent.
  CHECK(actual("patient.birthDate == \"1961-06-15\"") == "passes");
  CHECK(actual("patient.deceased is not valued") == "passes");
  CHECK(actual("patient.deceasedDateTime is not valued") == "passes");
  CHECK(actual("patient.contact.name.family is not valued") == "passes");
  CHECK(actual("visit.status is not valued") == "passes");
  CHECK(actual("count(Observation) == 0") == "passes");
  CHECK(actual("Bundle.entry[3].resource.anything is not valued") == "passes");
}

TEST_CASE("tester: a test that runs nothing or expects nothing fails") {
  CHECK(reported("  run m").find("the test expects nothing: it needs `expect …`") != std::string::npos);
  CHECK(reported("  expect 1 == 1").find("the test runs nothing: it needs `run MAP`") != std::string::npos);
}

TEST_CASE("tester: channels through a target", "[tester]") {
  Run run;
  FixedTarget target;
  const std::string report = run.report(std::string(kChannelSite) +
                                            "test \"all hold\" {\n"
                                            "  given hl7 \"\"\"\nMSH|^~\\&|A\nPID|1\n\"\"\"\n"
                                            "  fault pas \"down\" times 3\n"
                                            "  run feed\n"
                                            "  expect ack.code == \"AR\" and ack.error == 201\n"
                                            "  expect pas.attempts == 4\n"
                                            "  expect count(pas.sent) == 2\n"
                                            "  expect count(idle.sent) == 0 and not exists(idle.sent[1])\n"
                                            "  expect quarantined == 1\n"
                                            "  expect pas.sent[1].PID-5[1].1.1 == \"EVERYMAN\"\n"
                                            "  expect pas.sent[last].PID-5.1 == \"DOE\"\n"
                                            "  expect pas.sent[1].PID-3[2].1 in [\"77\", \"88\"]\n"
                                            "  expect pas.sent[1].PID-7 matches re\"^1961\"\n"
                                            "  expect pas.sent[1].PID-9 is not valued\n"
                                            "}\n",
                                        &target);
  CHECK(report == "ok       all hold  (maps/t.hmap:3:1)\n1 passed, 0 failed\n");
  REQUIRE(target.last.inputs.size() == 1);
  CHECK(target.last.inputs[0].bytes == "MSH|^~\\&|A\rPID|1\r");
  REQUIRE(target.last.faults.size() == 1);
  CHECK(target.last.faults[0].times == 3);
}

TEST_CASE("tester: a failure says where, what was expected and what came", "[tester]") {
  Run run;
  FixedTarget target;
  const std::string report = run.report(std::string(kChannelSite) +
                                            "test \"wrong\" {\n"
                                            "  run feed\n"
                                            "  expect ack.code == \"AA\"\n"
                                            "  expect pas.attempts > 4\n"
                                            "  expect pas.sent[1].PID-3 == \"77\"\n"
                                            "  expect pas.sent[9].PID-5.1 == \"X\"\n"
                                            "  expect nobody.sent == 1\n"
                                            "  expect pas.colour == 1\n"
                                            "  expect pas.attempts + 1 == 5\n"
                                            "  expect lineage(pas) == \"PID-7\"\n"
                                            "  expect pas.sent[1].PID-7 is not valued\n"
                                            "  expect ack.code == \"AR\" and pas.attempts == 3\n"
                                            "}\n"
                                            "test \"unknown\" { run nothing }\n",
                                        &target);
  check_golden(test_path("golden/tester/failures.expected"), report);
  Run without;
  CHECK(without.report(std::string(kChannelSite) + "test \"c\" { run feed }\n", nullptr) ==
        "not run  c  (maps/t.hmap:3:1)\n         it runs channel site.feed, which needs the engine\n"
        "0 passed, 0 failed, 1 not run\n");
}

TEST_CASE("tester: the tests of the design examples", "[tester]") {
  const std::string folder = example_folder();
  if (folder.empty()) return;
  const auto strip = [](std::string text, std::initializer_list<std::string_view> marks) {
    std::string out;
    for (const std::string_view line : base::split(text, '\n')) {
      const bool drop = std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) {
        return line.find(mark) != std::string_view::npos;
      });
      if (!drop) out.append(line).append("\n");
    }
    return out;
  };
  kiln::test::TempFolder site;
  base::Env& env = base::system_env();
  REQUIRE(env.make_folders(site.path("maps")).has_value());
  REQUIRE(env.make_folders(site.path("tables")).has_value());
  REQUIRE(env.write_file_atomic(site.path("tables/lab_codes.csv"),
                                "local,loinc,name,ucum\nGLU,2345-7,Glucose,mmol/L\n")
              .has_value());
  for (const char* name : {"lab_csv.hmap", "adt_a01.hmap"}) {
    // Lookups are not executed yet; the design's map itself is shipped, so its test runs on the shipped one.
    std::string text = strip(read_text(folder + "/" + name), {"lookup Mpi", "row    MpiRow", "@mpi"});
    if (text.starts_with("module std."))
      text = "module example\nuse std.v2fhir.adt\n" + text.substr(text.find("test \""));
    REQUIRE(env.write_file_atomic(site.path("maps/" + std::string(name)), text).has_value());
  }
  Library library;
  base::Diagnostics diagnostics;
  REQUIRE(library.add_site(env, site.path(), diagnostics).has_value());
  library.link(diagnostics);
  library.set_tables(load_tables(library, env, diagnostics));
  const CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  REQUIRE(diagnostics.ok());
  const TestReport report = run_tests(library, compiled, nullptr);
  INFO(render(report));
  CHECK(report.tests.size() == 2);
  CHECK(report.passed() == 2);
}

}  // namespace kiln::mappings::test
