// Every block of the cookbook is a file that compiles, is formatted, and whose tests pass.

#include <catch2/catch.hpp>

#include "mappings/compiler.h"
#include "mappings/formatter.h"
#include "mappings/tester.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings::test {
namespace {

std::vector<std::string> blocks_of(const std::string& page) {
  static const std::string kOpen = "```hmap\n";
  std::vector<std::string> blocks;
  for (std::size_t at = page.find(kOpen); at != std::string::npos; at = page.find(kOpen, at)) {
    at += kOpen.size();
    blocks.push_back(page.substr(at, page.find("```\n", at) - at));
  }
  return blocks;
}

}  // namespace

TEST_CASE("cookbook: every block compiles, passes its tests and is formatted", "[cookbook]") {
  const auto blocks = blocks_of(read_text(test_path("../mappings/COOKBOOK.md")));
  REQUIRE(blocks.size() >= 8);
  std::size_t tests = 0;
  for (const std::string& block : blocks) {
    Library library;
    base::Diagnostics diagnostics;
    library.add_text("cookbook.hmap", block, diagnostics);
    library.link(diagnostics);
    const CompiledLibrary compiled = compile(library, diagnostics);
    INFO(block << base::render(diagnostics, library.sources()));
    CHECK(diagnostics.ok());
    base::SourceMap sources;
    base::Diagnostics none;
    CHECK(format(sources, sources.add("cookbook.hmap", block), none) == block);
    if (!diagnostics.ok()) continue;
    const TestReport report = run_tests(library, compiled, nullptr, std::string_view());
    INFO(render(report));
    CHECK(report.passed() == report.tests.size());
    tests += report.tests.size();
  }
  CHECK(tests >= 1);
}

}  // namespace kiln::mappings::test
