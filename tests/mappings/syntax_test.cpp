// The parser against golden trees and golden messages.

#include <catch2/catch.hpp>

#include "engine/base/diagnostic.h"
#include "engine/base/limits.h"
#include "mappings/parser.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/syntax_dump.h"

namespace kiln::mappings::test {

namespace {

struct Parsed {
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  ast::File file;
  std::string messages() const { return base::render(diagnostics, sources); }
};

Parsed parse_text(const std::string& name, std::string text) {
  Parsed parsed;
  const auto index = parsed.sources.add(name, std::move(text));
  parsed.file = parse(parsed.sources, index, parsed.diagnostics);
  return parsed;
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// The one expression of `const x = …`.
std::string expression_dump(const std::string& text) {
  const Parsed parsed = parse_text("x.hmap", "const x = " + text + "\n");
  INFO(parsed.messages());
  CHECK(parsed.diagnostics.ok());
  REQUIRE(parsed.file.decls.size() == 1);
  return dump(*std::get<ast::ConstDecl>(parsed.file.decls[0].node).value);
}

std::string first_message(const std::string& text) {
  const Parsed parsed = parse_text("x.hmap", text);
  return parsed.diagnostics.list().empty() ? std::string() : parsed.diagnostics.list().front().message;
}

}  // namespace

TEST_CASE("syntax: golden trees", "[syntax]") {
  const auto paths = files_of(test_path("golden/hmap_ast"), ".hmap");
  REQUIRE(paths.size() >= 5);
  for (const std::string& path : paths) {
    const Parsed parsed = parse_text(base_name(path), read_text(path));
    INFO(path << "\n" << parsed.messages());
    CHECK(parsed.diagnostics.ok());
    check_golden(path.substr(0, path.size() - 5) + ".ast", dump(parsed.file));
  }
}

TEST_CASE("syntax: golden messages", "[syntax]") {
  const auto paths = files_of(test_path("diagnostics/syntax"), ".hmap");
  REQUIRE(paths.size() >= 10);
  for (const std::string& path : paths) {
    const Parsed parsed = parse_text(base_name(path), read_text(path));
    INFO(path);
    CHECK_FALSE(parsed.diagnostics.ok());
    check_golden(path.substr(0, path.size() - 5) + ".expected", parsed.messages());
  }
}

TEST_CASE("syntax: every design example parses", "[syntax]") {
  const std::string folder = example_folder();
  if (folder.empty()) return;
  auto paths = files_of(folder, ".hmap");
  const auto channels = files_of(folder, ".channel");
  paths.insert(paths.end(), channels.begin(), channels.end());
  CHECK(paths.size() == 10);
  for (const std::string& path : paths) {
    const Parsed parsed = parse_text(base_name(path), read_text(path));
    INFO(parsed.messages());
    CHECK(parsed.diagnostics.ok());
    CHECK_FALSE(parsed.file.decls.empty());
    CHECK(dump(parsed.file).find("invalid") == std::string::npos);
  }
}

TEST_CASE("syntax: operators bind as documented", "[syntax]") {
  CHECK(expression_dump("a + b * c") == expression_dump("a + (b * c)"));
  CHECK(expression_dump("a - b - c") == expression_dump("(a - b) - c"));
  CHECK(expression_dump("a ?? b or c") == expression_dump("a ?? (b or c)"));
  CHECK(expression_dump("a or b and c") == expression_dump("a or (b and c)"));
  CHECK(expression_dump("not a == b and c") == expression_dump("(not (a == b)) and c"));
  CHECK(expression_dump("a + b as decimal") == expression_dump("a + (b as decimal)"));
  CHECK(expression_dump("a == b & c") == expression_dump("a == (b & c)"));
  CHECK(expression_dump("PID-5.1") != expression_dump("PID - 5.1"));
  CHECK(expression_dump("index-1") == expression_dump("index - 1"));
}

TEST_CASE("syntax: one mistake gives one message, and the parse goes on", "[syntax]") {
  const Parsed parsed = parse_text("x.hmap",
                                   "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle {\n"
                                   "  create p: Patient {\n"
                                   "    gender = = 1\n"
                                   "    active = true\n"
                                   "    name += \n"
                                   "  }\n"
                                   "}\n"
                                   "tabel T { \"a\" => \"b\" }\n"
                                   "const ok = 1\n");
  CHECK(parsed.diagnostics.errors() == 3);
  CHECK(parsed.file.decls.size() == 2);
}

TEST_CASE("syntax: a missing brace does not swallow the next declaration", "[syntax]") {
  const Parsed parsed = parse_text("x.hmap",
                                   "fragment f(a: hl7 PID) -> Patient {\n"
                                   "  when a is valued {\n"
                                   "    active = true\n"
                                   "fragment g(a: hl7 PID) -> Patient { active = true }\n");
  CHECK(parsed.diagnostics.errors() == 1);
  REQUIRE(parsed.file.decls.size() == 1);
  CHECK(ast::declared_name(parsed.file.decls[0])->text == "g");
}

TEST_CASE("syntax: nesting and height are bounded", "[syntax]") {
  const std::string open(10'000, '('), blocks = [] {
    std::string text;
    for (int i = 0; i < 5'000; ++i) text += "a = { ";
    return text;
  }();
  CHECK(first_message("const x = " + open) == "this is nested more than 200 levels deep");
  CHECK(first_message("datatype A -> B { " + blocks) == "this is nested more than 200 levels deep");
  std::string sum = "const x = 1", path = "const y = a", each = "const z = a";
  for (int i = 0; i < 100'000; ++i) {
    sum += " + 1";
    path += ".b";
    each += " as string";
  }
  CHECK(first_message(sum) == "this expression is too deep");
  CHECK(first_message(path) == "this expression is too deep");
  CHECK(first_message(each) == "this expression is too deep");
  std::string strings = "const s = ";
  for (int i = 0; i < 400; ++i) strings += "\"${";
  CHECK_FALSE(first_message(strings + "\n").empty());
}

TEST_CASE("syntax: size and encoding of a file", "[syntax]") {
  CHECK(first_message(std::string(base::limits::kHmapFileBytesMax + 1, ' ')).find("the limit is") !=
        std::string::npos);
  CHECK(first_message("const a = \"\xFF\"\n") == "x.hmap is not UTF-8");
  CHECK(first_message("\xEF\xBB\xBF"
                      "const a = 1\r\nconst b = 2\r\n")
            .empty());
}

TEST_CASE("syntax: deterministic garbage neither crashes nor hangs", "[syntax]") {
  std::string seed;
  for (const std::string& path : files_of(test_path("golden/hmap_ast"), ".hmap")) seed += read_text(path);
  std::uint32_t state = 12345;
  const auto next = [&](std::size_t bound) {
    state = state * 1664525u + 1013904223u;
    return static_cast<std::size_t>(state >> 8) % bound;
  };
  for (int round = 0; round < 300; ++round) {
    const std::size_t begin = next(seed.size());
    std::string text = seed.substr(begin, next(2000));
    for (int edit = 0; edit < 8 && !text.empty(); ++edit) {
      const std::size_t at = next(text.size());
      switch (next(3)) {
        case 0:
          text.erase(at, next(20));
          break;
        case 1:
          text.insert(at, seed.substr(next(seed.size()), next(30)));
          break;
        default:
          text[at] = "{}()[]\".,:;=+-@$\n"[next(17)];
          break;
      }
    }
    const Parsed parsed = parse_text("x.hmap", text);
    CHECK(parsed.messages().size() < 1'000'000);
  }
}

}  // namespace kiln::mappings::test
