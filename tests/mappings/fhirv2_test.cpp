// FHIR to HL7 v2: the shipped maps on whole samples, and what the language needs for that direction.

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "golden.h"
#include "hl7/validate.h"
#include "mappings/tester.h"
#include "runtime_support.h"

namespace kiln::mappings::test {
namespace {

const Maps& shipped() {
  static const Maps maps("module nothing\n");
  return maps;
}

std::string run_text(const Program& program, const std::string& json, Outcome expected = Outcome::ok) {
  const OwnedInput input(".json", json, program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  INFO(result.reason);
  CHECK((result.outcome == expected || (expected == Outcome::ok && result.ok())));
  return expected == Outcome::ok ? result.output : result.reason;
}

/// A segment a line, for people and for git.
std::string in_lines(std::string message) {
  std::replace(message.begin(), message.end(), '\r', '\n');
  return message;
}

/// Paths and texts of the errors; warnings are lengths and user tables.
std::string errors_of(const std::string& text) {
  const auto message = hl7::Message::parse(text);
  REQUIRE(message);
  const auto validator = hl7::Validator();
  const hl7::ValidationReport report = validator.validate(*message);
  std::string out;
  for (const hl7::Finding& finding : report.findings)
    if (finding.severity == base::Severity::error) out += finding.path + ": " + finding.text + "\n";
  return out;
}

std::string cut(const std::string& text, const std::string& segment) {
  const auto begin = text.find(segment + "|");
  return begin == std::string::npos ? "" : text.substr(begin, text.find('\r', begin) - begin);
}

}  // namespace

TEST_CASE("fhirv2: every sample becomes a valid message, byte for byte as approved", "[fhirv2]") {
  const Program program = shipped().program("std.fhirv2");
  REQUIRE(program);
  const auto samples = files_of(test_path("golden/fhirv2"), ".json");
  REQUIRE(samples.size() >= 20);
  for (const std::string& sample : samples) {
    INFO(sample);
    const std::string golden = sample.substr(0, sample.size() - 5) + ".hl7";
    if (sample.ends_with("nothing_to_send.json")) {
      CHECK(run_text(program, read_text(sample), Outcome::rejected) ==
            "no map of package `std.fhirv2` takes Bundle");
      continue;
    }
    const std::string message = run_text(program, read_text(sample));
    CHECK(errors_of(message) == "");
    check_golden(golden, in_lines(message));
  }
}

TEST_CASE("fhirv2: the tests in the shipped maps pass, and every map has one", "[fhirv2]") {
  const std::string package = GENERATE("std.fhirv2", "std.csv");
  Library library;
  base::Diagnostics diagnostics;
  REQUIRE(library.require_shipped(package));
  library.link(diagnostics);
  const CompiledLibrary compiled = compile(library, diagnostics);
  INFO(base::render(diagnostics, library.sources()));
  REQUIRE(diagnostics.ok());
  std::set<std::string> ran;
  TestOptions options;
  options.shipped = true;
  options.observer = [&](const RunResult& result, const Runner&) { ran.insert(result.map); };
  const TestReport report = run_tests(library, compiled, nullptr, options);
  INFO(render(report));
  CHECK(report.passed() == report.tests.size());
  for (const MapInfo* map : compiled.find_package(package)) {
    INFO(map->name);
    CHECK(ran.count(map->name) == 1);
  }
}

TEST_CASE("csv starters: samples as approved, a bad line is a message of its own", "[csv]") {
  const auto samples = files_of(test_path("golden/csv_starters"), ".csv");
  REQUIRE(samples.size() >= 5);
  for (const std::string& sample : samples) {
    INFO(sample);
    const std::string name = sample.substr(sample.rfind('/') + 1);
    const Program program = shipped().program("std.csv." + name.substr(0, name.find('.')));
    REQUIRE(program);
    const OwnedInput input(".csv", read_text(sample), program);
    Runner runner;
    const RunResult& result = runner.run(program, input.get(), test_context());
    INFO(result.reason);
    REQUIRE(result.ok());
    std::string out;
    if (result.output_kind == DataKind::hl7) {
      CHECK(errors_of(result.output) == "");
      out = in_lines(result.output);
    } else {
      const auto document = base::parse_json(result.output);
      REQUIRE(document);
      out = base::print_json(document->root(), true);
    }
    for (const QuarantinedRows& child : result.children) {
      out += "quarantined, rows";
      for (const std::uint32_t row : child.rows) out += " " + std::to_string(row);
      out += ": " + child.reason + "\n";
    }
    check_golden(sample.substr(0, sample.size() - 4) + ".expected", out);
  }
}

TEST_CASE("fhirv2: a field of any type takes what a datatype map builds", "[fhirv2]") {
  const Maps maps(R"(module own
use std.fhirv2.datatypes
map m(o: fhir Observation) -> hl7 ORU_R01 2.5.1 {
  add PATIENT_RESULT {
    add ORDER_OBSERVATION {
      OBR-4.1 = o.id
      add OBSERVATION {
        OBX-5 += o.value as CE if o.value is CodeableConcept @code
        OBX-5 += o.value as SN if o.value is Range @range
        OBX-5 += o.value as DTM if o.value is dateTime @date
      }
    }
  }
}
)");
  const Program program = maps.program("own.m");
  const auto obx = [&](const std::string& value) {
    return cut(run_text(program, R"({"resourceType":"Observation","id":"x",)" + value + "}"), "OBX");
  };
  CHECK(
      obx(R"("valueCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"a","display":"b"}],"text":"c"})") ==
      "OBX|||||a^b^LN");
  CHECK(obx(R"("valueRange":{"low":{"value":1.50},"high":{"value":2}})") == "OBX|||||^1.50^-^2");
  CHECK(obx(R"("valueDateTime":"2025-08")") == "OBX|||||202508");
}

TEST_CASE("fhirv2: a package asks its maps in turn, a skip at the top leaves the input to the next",
          "[fhirv2]") {
  const Maps maps(R"(module own.parts
map a_men(p: fhir Patient) -> hl7 ADT_A08 2.5.1 {
  require p.gender == "male" else skip
  EVN-2   = run.received
  PID-3[1].1 = p.id
  PID-5[1].1.1 = "MAN" & p.id
  PV1-2   = "N"
}
map b_women(p: fhir Patient) -> hl7 ADT_A08 2.5.1 {
  require p.gender == "female" else skip
  EVN-2   = run.received
  PID-3[1].1 = p.id
  PID-5[1].1.1 = "WOMAN" & p.id
  PV1-2   = "N"
}
)");
  const Program package = maps.program("own.parts");
  REQUIRE(package.is_package());
  const auto patient = [](const std::string& gender) {
    return R"({"resourceType":"Patient","id":"1","gender":")" + gender + "\"}";
  };
  CHECK(cut(run_text(package, patient("male")), "PID") == "PID|||1||MAN1");
  CHECK(cut(run_text(package, patient("female")), "PID") == "PID|||1||WOMAN1");
  CHECK(run_text(package, patient("other"), Outcome::rejected) ==
        "no map of package `own.parts` takes Patient");
  // Alone, a map that skips has nothing to say and refuses nothing.
  CHECK(run_text(maps.program("own.parts.a_men"), patient("female")) == "");
}

TEST_CASE("fhirv2: a resource alone is a Bundle of one, contained resources are found from their own",
          "[fhirv2]") {
  const Maps maps(R"(module own
csv Out { delimiter "," columns { kind : string  code : string  name : string } }
map m(b: fhir Bundle) -> csv Out {
  for each i in b.entry.resource of Immunization {
    emit { kind = b.type  code = i.vaccineCode.text  name = (resolve(i.patient) of Patient).name[1].family }
  }
}
)");
  const Program program = maps.program("own.m");
  const auto imm = [](const std::string& vaccine, const std::string& name) {
    return R"({"resourceType":"Immunization","contained":[{"resourceType":"Patient","id":"p","name":[{"family":")" +
           name + R"("}]}],"vaccineCode":{"text":")" + vaccine + R"("},"patient":{"reference":"#p"}})";
  };
  CHECK(run_text(program, imm("A", "One")) == "collection,A,One\r\n");
  CHECK(run_text(program, R"({"resourceType":"Bundle","type":"batch","entry":[{"resource":)" +
                              imm("A", "One") + R"(},{"resource":)" + imm("B", "Two") + "}]}") ==
        "batch,A,One\r\nbatch,B,Two\r\n");
}

TEST_CASE("fhirv2: lists are joined, a pattern with an open end matches longer texts", "[fhirv2]") {
  const Maps maps(R"(module own
csv Out { delimiter ";" columns { a : string  b : string  c : string } }
fn kind(s: string?) -> string? = match s { re"^urn:oid:" => "oid"  re"^http" => "web"  re"a$" => "a"  _ => "none" }
map m(p: fhir Patient) -> csv Out {
  emit { a = join(" ", p.name[1].given, p.id)  b = join(",", p.identifier.system each kind(.)) }
}
)");
  CHECK(run_text(maps.program("own.m"),
                 R"({"resourceType":"Patient","id":"x","name":[{"given":["A","B"]}],"identifier":[
                     {"system":"urn:oid:1.2.3"},{"system":"https://example.org"},{"system":"banana"},{"system":"b"}]})") ==
        "A B x;oid,web,a,none;\r\n");
}

}  // namespace kiln::mappings::test
