// Rules written by hand name the rows of the guide that they stand for, and STATUS.csv names those rules: both exist,
// agree, and are what the output comes from.

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>
#include <map>
#include <set>

#include "engine/base/text.h"
#include "hl7/message.h"
#include "mappings/coverage.h"
#include "mappings/detail/ir.h"
#include "mappings/importer/decisions.h"
#include "mappings/importer/named_rows.h"
#include "mappings/importer/status.h"
#include "mappings/tester.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"
#include "tests/support/files_in.h"

namespace kiln::mappings::test {
namespace {

struct StatusRow {
  std::string kind, sheet, status, where;
  int row = 0;
};

std::vector<StatusRow> status_rows() {
  std::vector<StatusRow> out;
  for (const std::string_view line : base::split(shipped_status(), '\n')) {
    const auto cells = csv_cells(line);
    if (cells.size() < 7 || cells[0] == "kind") continue;
    out.push_back({cells[0], cells[1], cells[5], cells[6], std::stoi(cells[2])});
  }
  return out;
}

/// The sheets by name alone: what named_rows() needs of them.
std::vector<GuideSheet> sheets_of(const std::vector<StatusRow>& rows) {
  std::set<std::pair<std::string, std::string>> names;
  for (const StatusRow& row : rows) names.emplace(row.kind, row.sheet);
  std::vector<GuideSheet> out;
  for (const auto& [kind, name] : names) out.push_back({kind, name, {}, {}});
  return out;
}

std::vector<NamedRow> shipped_rows() {
  static const std::vector<StatusRow> status = status_rows();
  return named_rows(sheets_of(status), library_files());
}

std::string_view text_of(const std::string& file) {
  for (const base::EmbeddedFile& one : library_files())
    if (one.path == "std/v2fhir/" + file) return one.text;
  return {};
}

struct Built {
  Library library;
  CompiledLibrary compiled;
  explicit Built(std::span<const base::EmbeddedFile> files) : library(files) {
    base::Diagnostics diagnostics;
    library.require_shipped("std.v2fhir");
    library.link(diagnostics);
    compiled = compile(library, diagnostics);
    INFO(base::render(diagnostics, library.sources()));
    REQUIRE(diagnostics.ok());
  }
};

Built& built() {
  static Built all(library_files());
  return all;
}

std::set<std::string> addresses() {
  std::set<std::string> out;
  const ir::Unit& unit = *built().compiled.unit;
  for (const ir::Rule& rule : unit.rules) out.emplace(unit.text(rule.address));
  return out;
}

/// The rule itself, a resource that rules write to, a declaration, or an include or `create` in the text.
bool exists(const NamedRow& row, const std::set<std::string>& known) {
  if (known.count(row.rule) != 0) return true;
  const std::string_view text = text_of(row.file);
  if (const std::size_t at = row.rule.find(" include "); at != std::string::npos)
    return text.find("include " + row.rule.substr(at + 9)) != std::string_view::npos;
  if (const std::size_t at = row.rule.find(":fn "); at != std::string::npos)
    return text.find("\nfn " + row.rule.substr(at + 4) + "(") != std::string_view::npos;
  for (const char* const inner : {".", "/"}) {
    const auto next = known.lower_bound(row.rule + inner);
    if (next != known.end() && next->starts_with(row.rule + inner)) return true;
  }
  const std::string handle = row.rule.substr(row.rule.find_last_of("/.") + 1);
  return text.find("create " + handle + ": ") != std::string_view::npos;
}

struct Sample {
  std::string name, output;
  std::optional<hl7::Message> message;
};

std::vector<Sample>& samples() {
  static std::vector<Sample> all = [] {
    std::vector<Sample> out;
    for (const std::string& path : kiln::test::files_in(test_path("golden/v2fhir"), ".hl7")) {
      auto message = hl7::Message::parse(read_text(path));
      REQUIRE(message);
      out.push_back({path, {}, std::move(*message)});
    }
    return out;
  }();
  return all;
}

/// File and line of "std/v2fhir/overlay/x.hmap:12".
using Line = std::pair<std::string, std::size_t>;

Line line_of(const std::string& place) {
  const std::size_t colon = place.rfind(':'), folder = place.find("std/v2fhir/");
  return {place.substr(folder + 11, colon - folder - 11), std::stoul(place.substr(colon + 1))};
}

/// Lines of the rules written by hand that name rows: assignments on one line, which can be taken out.
std::map<Line, std::string> single_lines() {
  std::map<Line, std::string> out;
  const ir::Unit& unit = *built().compiled.unit;
  std::set<std::string> named;
  for (const NamedRow& row : shipped_rows()) named.insert(row.file + " " + row.rule);
  for (const ir::Rule& rule : unit.rules) {
    const base::SourceMap& sources = built().library.sources();
    const std::string place = sources.place(rule.span);
    if (place.find("std/v2fhir/") == std::string::npos) continue;
    const Line line = line_of(place.substr(0, place.rfind(':')));
    const std::string address(unit.text(rule.address));
    if (line.first.starts_with("gen/") || named.count(line.first + " " + address) == 0) continue;
    if (sources.text(rule.span).find('\n') == std::string_view::npos) out[line] = address;
  }
  return out;
}

std::string without_line(std::string_view text, std::size_t line) {
  std::size_t begin = 0;
  for (std::size_t i = 1; i < line; ++i) begin = text.find('\n', begin) + 1;
  std::string out(text.substr(0, begin));
  return out.append(text.substr(text.find('\n', begin)));
}

}  // namespace

TEST_CASE("guide rows: what a comment names", "[importer]") {
  const auto one = row_notes("// rows 4 5");
  REQUIRE(one);
  REQUIRE(one->size() == 1);
  CHECK(one->front().sheet.empty());
  CHECK(one->front().rows == std::vector<int>{4, 5});
  const auto two = row_notes("// row 7; SN[Ratio] rows 5 6: of old versions");
  REQUIRE(two);
  REQUIRE(two->size() == 2);
  CHECK(two->back().sheet == "SN[Ratio]");
  CHECK(two->back().rows == std::vector<int>{5, 6});
  for (const char* const prose :
       {"// of old versions", "// row", "// rows of the guide", "// the row 5", "// row 5 6x", "row 5", "// a b row 5"}) {
    INFO(prose);
    CHECK_FALSE(row_notes(prose));
  }
}

TEST_CASE("guide rows: a comment belongs to the rule on its line", "[importer]") {
  const std::string text = R"(module m
fn help(x: string?) -> string? =
  upper(x)  // PID[Patient] row 9
datatype CX -> Identifier {
  value = .1  // row 3
}
fragment PID_Patient(PID: hl7 PID, MSH: hl7 MSH) -> Patient {
  include guide.PID_Patient  // row 4
  for each id in PID-3[*] { identifier += id @each }  // row 5
  when version >= 2.7 {
    gender = match PID-8 {
      "M" => "male"  // row 6
    }
  }
  create mother: RelatedPerson if PID-21 is valued {  // NK1[Patient] row 3
    name += PID-6[1]  // row 8
  }
  mother.gender = "female"  // row 10
}
// row 11
)";
  const std::vector<GuideSheet> sheets{
      {"datatypes", "CX[Identifier]", {}, {}}, {"segments", "NK1[Patient]", {}, {}}, {"segments", "PID[Patient]", {}, {}}};
  const base::EmbeddedFile file{"std/v2fhir/overlay/x.hmap", text};
  std::vector<std::string> found;
  for (const NamedRow& row : named_rows(sheets, {&file, 1}))
    found.push_back(row.sheet + " " + std::to_string(row.row) + " " + row.rule);
  CHECK(found == std::vector<std::string>{"PID[Patient] 9 m:fn help", "CX[Identifier] 3 m:CX->Identifier.value",
                                          "PID[Patient] 4 m:PID_Patient include guide.PID_Patient",
                                          "PID[Patient] 5 m:PID_Patient.identifier@each",
                                          "PID[Patient] 6 m:PID_Patient.gender", "NK1[Patient] 3 m:PID_Patient.mother",
                                          "PID[Patient] 8 m:PID_Patient.mother.name",
                                          "PID[Patient] 10 m:PID_Patient.mother.gender"});
}

TEST_CASE("guide rows: every rule names rows that STATUS.csv has, as done", "[importer]") {
  std::map<std::string, StatusRow> known;
  for (StatusRow& row : status_rows()) {
    const std::string key = row.kind + "|" + row.sheet + "|" + std::to_string(row.row);
    known.emplace(key, std::move(row));
  }
  std::size_t named = 0;
  for (const NamedRow& row : shipped_rows()) {
    INFO(row.file << " " << row.rule << " names " << row.sheet << " row " << row.row);
    const auto found = known.find(row.kind + "|" + row.sheet + "|" + std::to_string(row.row));
    REQUIRE(found != known.end());
    CHECK((found->second.status == "overlaid" || found->second.status == "generated"));
    ++named;
  }
  CHECK(named > 1200);
}

TEST_CASE("guide rows: every rule that STATUS.csv names exists and names the row", "[importer]") {
  const std::set<std::string> known = addresses();
  std::set<std::string> claimed;
  for (const NamedRow& row : shipped_rows()) {
    INFO(row.file << " " << row.rule);
    CHECK(exists(row, known));
    claimed.insert(row.kind + "|" + row.sheet + "|" + std::to_string(row.row) + "|" + row.file + " " + row.rule);
  }
  std::size_t proved = 0, language = 0;
  for (const StatusRow& row : status_rows()) {
    if ((row.status != "overlaid" && row.status != "generated") || row.kind == "codesystems") continue;
    if (row.where == "language") {
      ++language;
      continue;
    }
    INFO(row.sheet << " row " << row.row << ": " << row.where);
    CHECK(claimed.count(row.kind + "|" + row.sheet + "|" + std::to_string(row.row) + "|" + row.where) == 1);
    ++proved;
  }
  CHECK(proved > 1200);
  CHECK(language < 40);
}

// A rule that can be taken away without a sample noticing would be no proof. Of which rules coverage sees no value is a golden file.
TEST_CASE("guide rows: a rule that is taken out changes what samples give", "[library]") {
  Runner runner;
  RuleCoverage coverage(built().library, built().compiled, true);
  const Program whole = built().compiled.program("std.v2fhir");
  for (Sample& sample : samples()) {
    const RunResult& result = runner.run(whole, &*sample.message, test_context());
    sample.output = result.output;
    coverage.add(result, runner);
  }
  TestOptions inline_tests;
  inline_tests.shipped = true;
  inline_tests.observer = [&](const RunResult& result, const Runner& of) { coverage.add(result, of); };
  run_tests(built().library, built().compiled, nullptr, inline_tests);

  const std::map<Line, std::string> rules = single_lines();
  std::vector<Line> reached;
  std::string silent;
  for (const CoveredRule& rule : coverage.rules()) {
    const auto found = rule.place.find("std/v2fhir/") == std::string::npos ? rules.end() : rules.find(line_of(rule.place));
    if (found == rules.end()) continue;
    if (rule.values != 0)
      reached.push_back(found->first);
    else
      silent += found->first.first + " " + found->second + "\n";
  }
  check_golden(test_path("golden/v2fhir/rules_not_seen.txt"), silent);
  REQUIRE(reached.size() > 300);

  constexpr std::size_t kTaken = 5;  // each is a compile of the library
  for (std::size_t i = 0; i < kTaken; ++i) {
    const Line& line = reached[(2 * i + 1) * reached.size() / (2 * kTaken)];
    INFO(line.first << ":" << line.second << " " << rules.at(line));
    const std::string path = "std/v2fhir/" + line.first;
    const std::string text = without_line(text_of(line.first), line.second);
    std::vector<base::EmbeddedFile> files;
    for (const base::EmbeddedFile& file : library_files())
      files.push_back(file.path == path ? base::EmbeddedFile{file.path, text} : file);
    const Built without(files);
    const Program program = without.compiled.program("std.v2fhir");
    const bool changed = std::any_of(samples().begin(), samples().end(), [&](const Sample& sample) {
      return runner.run(program, &*sample.message, test_context()).output != sample.output;
    });
    CHECK(changed);
  }
}

// The segments that have no map in the guide, or whose structures have no place for them, and one that a sender made up.
TEST_CASE("guide rows: a segment is mapped or reported, never dropped silently", "[library]") {
  std::set<std::string> mapped, reported;
  Runner runner;
  const Program whole = built().compiled.program("std.v2fhir");
  for (Sample& sample : samples()) {
    const RunResult& result = runner.run(whole, &*sample.message, test_context());
    for (const LineageRecord& record : result.lineage)
      for (const std::string& path : runner.source_paths(record.source)) {
        const std::size_t dash = path.find('-');
        if (dash != std::string::npos && dash >= 3) mapped.insert(path.substr(0, path.find_first_of("-[")));
      }
    for (const std::string& path : runner.unread()) reported.insert(path.substr(0, path.find_first_of("-[")));
    for (const RunDiagnostic& d : result.diagnostics)
      if (d.code == "unplaced-segment") reported.insert(d.source.substr(0, d.source.find_first_of("-[")));
  }
  for (const char* const id : {"FT1", "GT1", "IN1", "IN2", "IN3", "RXE", "RXD", "RXC", "TQ1", "TQ2", "PRT", "ROL", "AIL", "AIP",
                               "AIS", "AIG", "SAC", "NTE", "ZPI", "ZLB", "DB1", "DRG", "ACC", "UB1", "UB2"}) {
    INFO(id);
    CHECK((mapped.count(id) != 0 || reported.count(id) != 0));
  }
  for (const char* const id : {"FT1", "GT1", "IN1", "RXE", "RXD", "RXC", "TQ1", "PRT", "ROL", "AIL", "AIP", "AIS", "AIG", "SAC", "NTE"}) {
    INFO(id);
    CHECK(mapped.count(id) != 0);
  }
}

}  // namespace kiln::mappings::test
