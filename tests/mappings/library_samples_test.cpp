// Samples of every message type through the shipped library std.v2fhir: each gives the Bundle and the
// diagnostics of its golden files, valid by every rule of R4, with references that lead somewhere and nothing
// that comes from nowhere; twice the same. The tests written in the library run too, and the share of its
// rules that any of these ran is printed.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <set>

#include "engine/base/text.h"
#include "fhir/validation/validator.h"
#include "hl7/message.h"
#include "mappings/coverage.h"
#include "mappings/detail/ir.h"
#include "mappings/tester.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"
#include "tests/support/files_in.h"

namespace kiln::mappings::test {
namespace {

struct Shipped {
  Library library;
  CompiledLibrary compiled;
  Shipped() {
    base::Diagnostics diagnostics;
    library.require_all_shipped();
    library.link(diagnostics);
    compiled = compile(library, diagnostics);
    INFO(base::render(diagnostics, library.sources()));
    REQUIRE(diagnostics.ok());
  }
};

Shipped& shipped() {
  static Shipped all;
  return all;
}

RuleCoverage& coverage() {
  static RuleCoverage all(shipped().library, shipped().compiled, true);
  return all;
}

std::vector<std::string> samples() {
  return kiln::test::files_in(test_path("golden/v2fhir"), ".hl7");
}

/// What the run had to say beside the Bundle: outcome, diagnostics without values, fields that no rule read.
std::string notes_of(const RunResult& result, const Runner& runner) {
  static constexpr const char* kLevels[] = {"note", "warning", "error"};
  std::string text = std::string(name_of(result.outcome)) +
                     (result.reason.empty() ? "" : ": " + result.reason) + "\nmap " + result.map + "\n";
  for (const RunDiagnostic& d : result.diagnostics)
    text.append(kLevels[static_cast<std::size_t>(d.level)])
        .append(" ")
        .append(d.code)
        .append(" ")
        .append(d.source.empty() ? d.text : d.source + ": " + d.text)
        .append("\n");
  if (result.dropped_diagnostics != 0) text += std::to_string(result.dropped_diagnostics) + " more\n";
  std::string unread;
  for (const std::string& path : runner.unread()) unread += " " + path;
  return text + "unread" + unread + "\n";
}

void check_valid(const std::string& bundle) {
  static const fhir::Library definitions;
  static const fhir::Validator validator(definitions);
  fhir::ValidatorOptions options;
  options.now = test_context().received;
  for (const fhir::Issue& issue : validator.validate_text(bundle, options)) {
    if (issue.severity != fhir::IssueSeverity::error && issue.severity != fhir::IssueSeverity::fatal) continue;
    INFO(issue.expression << ": " << issue.text);
    CHECK(false);
  }
}

std::string with_returns(std::string text) {
  for (char& c : text) c = c == '\n' ? '\r' : c;
  return text;
}

/// Every "reference" that is a urn, and every text of the node; `seen` is told.
template <typename Seen>
void each_text(base::JsonView node, const Seen& seen) {
  if (node.is_string()) seen(node);
  for (const base::JsonView child : node) each_text(child, seen);
}

/// References lead to entries, no text says that nothing is there, and no identifier stands twice in a
/// resource.
void check_clean(base::JsonView bundle, std::string_view sent = {}) {
  std::set<std::string> known;
  for (const base::JsonView entry : bundle["entry"]) {
    const std::string url(entry["fullUrl"].text());
    INFO(url);
    if (!url.empty()) CHECK(known.insert(url).second);
  }
  for (const base::JsonView entry : bundle["entry"]) {
    const base::JsonView resource = entry["resource"];
    INFO(resource["resourceType"].text());
    each_text(resource, [&](base::JsonView text) {
      const std::string value(text.text());
      INFO(value);
      if (text.key() == "reference" && value.starts_with("urn:")) CHECK(known.count(value) == 1);
      if (value == "null" && sent.find("null") != std::string_view::npos) return;  // a word of the sender
      CHECK_FALSE((value.empty() || value == "null" || value == "\"\"" || value == "undefined"));
    });
    std::set<std::string> identifiers;
    for (const base::JsonView identifier : resource["identifier"]) {
      if (!resource["identifier"].is_array()) break;
      INFO(base::print_json(identifier));
      CHECK(identifiers.insert(base::print_json(identifier)).second);
    }
  }
}

/// A reference that is not to whom the resource is about.
bool holds_together(base::JsonView node) {
  if (node.is_string()) return node.key() == "reference";
  for (const base::JsonView child : node)
    if (child.key() != "subject" && child.key() != "patient" && holds_together(child)) return true;
  return false;
}

/// Each resource holds something of the message: a value with a source, or references to what does.
void check_sourced(const RunResult& result, base::JsonView bundle, const Runner& runner) {
  std::vector<std::size_t> starts;
  for (const base::JsonView entry : bundle["entry"]) starts.push_back(entry["resource"].offset());
  std::vector<bool> sourced(starts.size() + 1, false);
  for (const LineageRecord& record : result.lineage) {
    const auto next = std::upper_bound(starts.begin(), starts.end(), record.output);
    if (!runner.source_paths(record.source).empty())
      sourced[static_cast<std::size_t>(next - starts.begin())] = true;
  }
  std::size_t i = 0;
  for (const base::JsonView entry : bundle["entry"]) {
    INFO(base::print_json(entry["resource"]));
    ++i;
    if (entry["request"]["method"].text() == "PATCH") continue;  // what it says stands in Base64
    CHECK((sourced[i] || holds_together(entry["resource"])));
  }
}

}  // namespace

TEST_CASE("samples of the shipped library", "[library]") {
  const Program package = shipped().compiled.program("std.v2fhir");
  REQUIRE(package);
  Runner runner;
  for (const std::string& path : samples()) {
    INFO(path);
    const std::string stem = path.substr(0, path.size() - 4);
    const auto message = hl7::Message::parse(read_text(path));
    REQUIRE(message);
    const RunResult first = runner.run(package, &*message, test_context());
    const RunResult& result = runner.run(package, &*message, test_context());
    CHECK(first.output == result.output);
    CHECK(result.outcome != Outcome::failed);
    coverage().add(result, runner);
    check_golden(stem + ".notes", notes_of(result, runner));
    if (!result.ok() || result.output.empty()) continue;
    const auto bundle = base::parse_json(result.output);
    REQUIRE(bundle);
    check_golden(stem + ".json", base::print_json(bundle->root(), true) + "\n");
    check_valid(result.output);
    check_clean(bundle->root());
    check_sourced(result, bundle->root(), runner);
  }
}

// The messages beside this checkout, as many systems sent them.
TEST_CASE("what the shipped library makes of the corpus is valid and holds together", "[library]") {
  const std::vector<std::string> paths =
      kiln::test::files_in(std::string(KILN_SOURCE_DIR) + "/../shared/corpus/hl7v2", ".hl7");
  if (paths.empty()) {
    std::cout << "skipped: the corpus is not beside this checkout\n";
    return;
  }
  const Program package = shipped().compiled.program("std.v2fhir");
  Runner runner;
  std::size_t written = 0, refused = 0;
  for (const std::string& path : paths) {
    INFO(path);
    const std::string whole = with_returns(read_text(path));
    std::string text;
    for (const std::string_view line : base::split(whole, '\r')) {
      const std::string_view name = line.substr(0, 3);
      const bool of_batch = name == "FHS" || name == "BHS" || name == "BTS" || name == "FTS";
      if (!of_batch && !line.empty()) text.append(line).append("\r");
    }
    const auto message = hl7::Message::parse(text);
    if (!message) continue;
    const RunResult& result = runner.run(package, &*message, test_context());
    CHECK(result.outcome != Outcome::failed);
    if (!result.ok() || result.output.empty()) {
      ++refused;
      CHECK_FALSE(result.reason.empty());
      continue;
    }
    ++written;
    const auto bundle = base::parse_json(result.output);
    REQUIRE(bundle);
    check_valid(result.output);
    check_clean(bundle->root(), text);
    check_sourced(result, bundle->root(), runner);
  }
  std::cout << "corpus: " << written << " messages mapped, valid and whole; " << refused << " refused with a reason\n";
  CHECK(written > 500);
}

TEST_CASE("a message gives the same with only the map it needs compiled", "[library]") {
  const Program package = shipped().compiled.program("std.v2fhir");
  Runner all, one;
  std::size_t compared = 0;
  const std::vector<std::string> paths = samples();
  for (std::size_t i = 0; i < paths.size(); i += 6) {  // every sixth: each is a compile of its own
    INFO(paths[i]);
    const auto message = hl7::Message::parse(read_text(paths[i]));
    REQUIRE(message);
    const std::vector<std::string> chosen = all.maps_for(package, &*message);
    const RunResult& whole = all.run(package, &*message, test_context());
    CHECK(chosen == (whole.map.empty() ? std::vector<std::string>() : std::vector<std::string>{whole.map}));
    CompileOptions options;
    options.shipped_maps = [&](const MapInfo& info) {
      return !chosen.empty() && info.name == chosen.front();
    };
    base::Diagnostics diagnostics;
    const CompiledLibrary lean = compile(shipped().library, diagnostics, {}, options);
    REQUIRE(diagnostics.ok());
    CHECK(lean.unit->stmts.size() < shipped().compiled.unit->stmts.size() / 2);
    const RunResult& result = one.run(lean.program("std.v2fhir"), &*message, test_context());
    CHECK(result.output == whole.output);
    CHECK(notes_of(result, one) == notes_of(whole, all));
    ++compared;
  }
  CHECK(compared >= 10);
}

TEST_CASE("tests written in the shipped library", "[library]") {
  TestOptions options;
  options.shipped = true;
  options.observer = [](const RunResult& result, const Runner& runner) { coverage().add(result, runner); };
  const TestReport report = run_tests(shipped().library, shipped().compiled, nullptr, options);
  for (const TestResult& test : report.tests) {
    INFO(test.place << " " << test.name);
    for (const TestFailure& failure : test.failures)
      UNSCOPED_INFO(failure.place << " " << failure.expression << ": " << failure.actual);
    CHECK(test.passed());
  }
  CHECK(report.tests.size() >= 5);
}

// The last one: what the two before it ran.
TEST_CASE("zz rule coverage of the shipped library", "[library]") {
  std::size_t ran = 0, all = 0;
  for (const CoveredRule& rule : coverage().rules()) {
    if (rule.address.find("v2fhir") == std::string::npos) continue;
    ++all;
    if (rule.values != 0) {
      ++ran;
    } else if (std::getenv("KILN_UNCOVERED") != nullptr) {
      std::cout << "no sample runs " << rule.place << " " << rule.address << "\n";
    }
  }
  std::cout << "rules of std.v2fhir that samples and tests ran: " << ran << " of " << all << "\n";
}

}  // namespace kiln::mappings::test
