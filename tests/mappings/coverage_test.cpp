// Coverage by rule, and golden files of tests.

#include "mappings/coverage.h"

#include <catch2/catch.hpp>
#include <map>

#include "mappings/compiler.h"
#include "mappings/tester.h"

namespace kiln::mappings::test {
namespace {

const char* const kMap = R"(module acme
use std.v2fhir.datatypes

map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    name += PID-5[*] @main
    name += PID-9[*] @alias
    contact += { gender = PID-8.1 via AdministrativeSex else "other" }
    birthDate = PID-7
    active = true if PID-30 == "N"
  }
}

test "a name" {
  given hl7 """
MSH|^~\&|A|B|C|D|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1
PID|1||4711||EVERYMAN^ADAM|||F
"""
  run adt
  expect patient.name[1].family == "EVERYMAN"
  expect golden("a_name.json")
}
)";

struct Files final : GoldenFiles {
  std::map<std::string, std::string> texts;
  bool updating = false;
  base::Result<std::optional<std::string>> read(const std::string& file, const std::string& name) override {
    const auto found = texts.find(file + "|" + name);
    return found == texts.end() ? std::optional<std::string>() : std::optional<std::string>(found->second);
  }
  base::Status write(const std::string& file, const std::string& name, const std::string& text) override {
    texts[file + "|" + name] = text;
    return {};
  }
  bool update() const override { return updating; }
};

struct Case {
  Library library;
  CompiledLibrary compiled;
  Case() {
    base::Diagnostics diagnostics;
    library.add_text("maps/acme.hmap", kMap, diagnostics);
    library.link(diagnostics);
    compiled = compile(library, diagnostics);
    INFO(base::render(diagnostics, library.sources()));
    REQUIRE(diagnostics.ok());
  }
};

}  // namespace

TEST_CASE("coverage: rules that wrote, that hold one that wrote, and that a datatype map served",
          "[coverage]") {
  const Case site;
  RuleCoverage coverage(site.library, site.compiled);
  Files files;
  files.updating = true;
  TestOptions options;
  options.golden = &files;
  options.observer = [&](const RunResult& result, const Runner& runner) { coverage.add(result, runner); };
  CHECK(run_tests(site.library, site.compiled, nullptr, options).passed() == 1);
  std::string run, never;
  for (const CoveredRule& rule : coverage.rules()) (rule.values != 0 ? run : never) += rule.address + "\n";
  CHECK(run == "acme:adt/patient.name@main\nacme:adt/patient.contact\nacme:adt/patient.gender\n");
  CHECK(never == "acme:adt/patient.name@alias\nacme:adt/patient.birthDate\nacme:adt/patient.active\n");
  const std::string text = render(coverage.rules());
  CHECK(text.starts_with("3 of 6 rules ran (50 %); never:\n"));
  CHECK(text.find("  maps/acme.hmap:9  acme:adt/patient.birthDate\n") != std::string::npos);
}

TEST_CASE("coverage: a v2 target that a datatype map served", "[coverage]") {
  Library library;
  base::Diagnostics diagnostics;
  library.add_text("maps/out.hmap", R"(module acme
use std.fhirv2.datatypes

map a08(p: fhir Patient) -> hl7 ADT_A08 2.5.1 {
  include std.fhirv2.header(app = "KILN")
  EVN-2 = run.received
  PID-3 += p.identifier
  PID-5 += p.name
  PID-11 += p.address
  PV1-2 = "N"
}

test "a name" {
  given fhir """
{"resourceType":"Patient","identifier":[{"value":"4711"}],"name":[{"family":"EVERYMAN"}]}
"""
  run a08
  expect PID-5.1 == "EVERYMAN"
}
)",
                   diagnostics);
  library.link(diagnostics);
  const CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  REQUIRE(diagnostics.ok());
  RuleCoverage coverage(library, compiled);
  TestOptions options;
  options.observer = [&](const RunResult& result, const Runner& runner) { coverage.add(result, runner); };
  const TestReport report = run_tests(library, compiled, nullptr, options);
  INFO(render(report));
  CHECK(report.passed() == 1);
  std::string never;
  for (const CoveredRule& rule : coverage.rules())
    if (rule.values == 0) never += rule.address + "\n";
  CHECK(never == "acme:a08/PID-11\n");
}

TEST_CASE("golden: written with update, compared without", "[coverage]") {
  const Case site;
  Files files;
  TestOptions options;
  options.golden = &files;
  auto report = run_tests(site.library, site.compiled, nullptr, options);
  REQUIRE(report.failed() == 1);
  CHECK(report.tests[0].failures[0].actual.find("there is no file a_name.json") != std::string::npos);
  CHECK(files.texts.empty());

  files.updating = true;
  CHECK(run_tests(site.library, site.compiled, nullptr, options).passed() == 1);
  REQUIRE(files.texts.size() == 1);
  std::string& text = files.texts.at("maps/acme.hmap|a_name.json");
  CHECK(text.find("\"family\": \"EVERYMAN\"") != std::string::npos);

  files.updating = false;
  CHECK(run_tests(site.library, site.compiled, nullptr, options).passed() == 1);
  text.replace(text.find("EVERYMAN"), 8, "NOBODY");
  report = run_tests(site.library, site.compiled, nullptr, options);
  REQUIRE(report.failed() == 1);
  CHECK(report.tests[0].failures[0].actual.find("EVERYMAN") != std::string::npos);
  CHECK(report.tests[0].failures[0].actual.find("NOBODY") != std::string::npos);
  options.golden = nullptr;
  CHECK(run_tests(site.library, site.compiled, nullptr, options).failed() == 1);
}

TEST_CASE("tests: only those of one file", "[coverage]") {
  const Case site;
  Files files;
  files.updating = true;
  TestOptions options;
  options.golden = &files;
  options.file = "maps/acme.hmap";
  CHECK(run_tests(site.library, site.compiled, nullptr, options).tests.size() == 1);
  options.file = "maps/other.hmap";
  CHECK(run_tests(site.library, site.compiled, nullptr, options).tests.empty());
}

}  // namespace kiln::mappings::test
