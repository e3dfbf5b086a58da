// Goldens of the runtime: tests/golden/maps/<map>__<case>.hl7|json|csv -> .expected.

#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/base/json.h"
#include "golden.h"
#include "mappings/result_reader.h"
#include "runtime_support.h"

namespace kiln::mappings::test {
namespace {

const Maps& maps() {
  static const Maps all(read_text(test_path("golden/maps/maps.hmap")));
  return all;
}

std::vector<std::string> cases() {
  std::vector<std::string> files;
  for (const char* suffix : {".hl7", ".json", ".csv"}) {
    for (const std::string& file : files_of(test_path("golden/maps"), suffix)) files.push_back(file);
  }
  return files;
}

Program program_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  const Program program = maps().program(stem.substr(0, stem.find("__")));
  REQUIRE(program);
  return program;
}

constexpr const char* kLevels[] = {"note ", "warning ", "error "};

std::string show(const RunResult& result, const Runner& runner) {
  std::string out = "outcome " + std::string(name_of(result.outcome)) + "\n";
  if (!result.ack_code.empty())
    out += "ack " + result.ack_code + " " + std::to_string(result.error_code) + "\n";
  if (!result.reason.empty()) out += "reason " + result.reason + "\n";
  if (!result.location.empty()) out += "at " + result.location + "\n";
  out += result.csv_header;
  if (result.output_kind == DataKind::fhir && !result.output.empty()) {
    const auto parsed = base::parse_json(result.output);
    REQUIRE(parsed);
    out += base::print_json(parsed->root(), true);
  } else {
    for (const char c : result.output) out += c == '\r' ? '\n' : c;
  }
  for (const QuarantinedRows& child : result.children) {
    out += "child " + child.reason + ", rows";
    for (const std::uint32_t row : child.rows) out += " " + std::to_string(row);
    out += "\n";
  }
  for (const RunDiagnostic& diagnostic : result.diagnostics) {
    out += std::string(kLevels[static_cast<int>(diagnostic.level)]) + std::string(diagnostic.code) + ": " +
           diagnostic.text + " | " + diagnostic.rule + " | " + diagnostic.source + " | " + diagnostic.value +
           "\n";
  }
  out += "unread";
  for (const std::string& path : runner.unread()) out += " " + path;
  return out + "\n";
}

void check_no_empty(const base::JsonView& view) {
  CHECK_FALSE(view.is(base::JsonKind::null_));
  if (view.is_object() || view.is_array()) CHECK(view.size() > 0);
  for (const base::JsonView child : view) check_no_empty(child);
}

}  // namespace

TEST_CASE("goldens of maps") {
  for (const std::string& name : cases()) {
    const std::filesystem::path file(name);
    INFO(name);
    const Program program = program_of(file);
    const OwnedInput input(file.extension().string(), read_text(name), program);
    Runner runner;
    const RunResult& result = runner.run(program, input.get(), test_context());
    check_golden(test_path("golden/maps/" + file.stem().string() + ".expected"), show(result, runner));
  }
}

TEST_CASE("output never holds null, {} or [], and is the same from run to run") {
  Runner shared;
  for (const std::string& name : cases()) {
    const std::filesystem::path file(name);
    INFO(name);
    const Program program = program_of(file);
    const OwnedInput input(file.extension().string(), read_text(name), program);
    const std::string first = shared.run(program, input.get(), test_context()).output;
    Runner fresh;
    const RunResult& second = fresh.run(program, input.get(), test_context());
    CHECK(first == second.output);
    if (second.output_kind != DataKind::fhir || first.empty()) continue;
    const auto parsed = base::parse_json(first);
    REQUIRE(parsed);
    check_no_empty(parsed->root());
  }
}

TEST_CASE("lineage leads from a value to its field, decimals keep their digits") {
  const Program program = maps().program("std.v2fhir.oru.oru_r01");
  const OwnedInput input(".hl7", read_text(test_path("golden/maps/std.v2fhir.oru.oru_r01__values.hl7")),
                         program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  REQUIRE(result.ok());
  CHECK(result.output.find("\"value\":7.50") != std::string::npos);
  const auto reader = ResultReader::open(result);
  REQUIRE(reader);
  const ReadStep birth_date[] = {{ReadStep::Kind::member, "birthDate", 0}};
  const auto items = reader->read("patient", birth_date);
  REQUIRE(items.size() == 1);
  CHECK(items[0].text == "1979-04-11");
  CHECK(items[0].type == "date");
  const auto records = reader->lineage(items[0]);
  REQUIRE(records.size() == 1);
  CHECK(runner.source_paths(records[0].source) == std::vector<std::string>{"PID-7"});
  CHECK(reader->output_path(items[0].offset) == "Bundle.entry[1].resource.birthDate");
}

TEST_CASE("limits end a run with failed, not with an exception") {
  const Program program = maps().program("std.v2fhir.oru.oru_r01");
  const OwnedInput input(".hl7", read_text(test_path("golden/maps/std.v2fhir.oru.oru_r01__values.hl7")),
                         program);
  Runner runner;
  RunContext context = test_context();
  context.steps_max = 50;
  CHECK(runner.run(program, input.get(), context).outcome == Outcome::failed);
  context = test_context();
  context.output_bytes_max = 10;
  const RunResult& result = runner.run(program, input.get(), context);
  CHECK(result.outcome == Outcome::failed);
  CHECK(result.error == base::ErrorCode::limit_exceeded);
  CHECK(result.output.empty());
}

TEST_CASE("a constant that was written counts as set, and stays although a later rule finds nothing") {
  const Maps own(R"(module own
map out(p: fhir Patient) -> hl7 ADT_A08 2.5.1 {
  EVN-2 = run.received
  PID-3 += p.identifier
  PID-5.1.1 = p.name[1].family
  PID-13.1 = p.id
  PID-13.2 = "NET" if p.active == true
  PID-13.2 ?= p.gender
  PID-13.3 = "Internet" if p.active == true
  PID-13.3 ?= p.language
  PV1-2 = "N"
}
datatype Identifier -> CX { .1 = .value }
)");
  const Program program = own.program("own.out");
  Runner runner;
  const auto pid = [&](const char* active) {
    const OwnedInput input(".json", std::string(R"({"resourceType":"Patient","id":"x1","active":)") + active +
                                        R"(,"identifier":[{"value":"1"}],"name":[{"family":"A"}],"gender":"male"})",
                           program);
    const std::string& out = runner.run(program, input.get(), test_context()).output;
    const auto begin = out.find("PID|");
    return begin == std::string::npos ? out : out.substr(begin, out.find('\r', begin) - begin);
  };
  CHECK(pid("true") == "PID|||1||A||||||||x1^NET^Internet");
  CHECK(pid("false") == "PID|||1||A||||||||x1^male");
}

TEST_CASE("a package runs the map of the message's structure and rejects what none takes") {
  const Program package = maps().program("std.v2fhir");
  REQUIRE(package);
  Runner runner;
  const OwnedInput oru(".hl7", read_text(test_path("golden/maps/std.v2fhir.oru.oru_r01__values.hl7")),
                       package);
  CHECK(runner.run(package, oru.get(), test_context()).map == "std.v2fhir.oru.oru_r01");
  const OwnedInput bar(".hl7", "MSH|^~\\&|A|B|C|D|20260302||MFN^M02^MFN_M02|B1|P|2.5.1\n", package);
  const RunResult& result = runner.run(package, bar.get(), test_context());
  CHECK(result.outcome == Outcome::rejected);
  CHECK(result.reason == "no map of package `std.v2fhir` takes MFN^M02^MFN_M02");
}

}  // namespace kiln::mappings::test
