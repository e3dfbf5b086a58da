// The canonical style: properties over every map file there is, and a golden of the style itself.

#include "mappings/formatter.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "mappings/detail/lexer.h"
#include "mappings/parser.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/syntax_dump.h"

namespace kiln::mappings::test {
namespace {

bool is_map_file(const std::filesystem::path& path) {
  return path.extension() == ".hmap" || path.extension() == ".channel" || path.filename() == "kiln.conf";
}

std::vector<std::string> map_files_below(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && is_map_file(entry.path())) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

/// Shipped library, examples, goldens, and the designs where they are there.
std::vector<std::string> valid_files() {
  std::vector<std::string> files;
  for (const std::string& folder :
       {test_path("../mappings/library"), test_path("../examples"), test_path("golden"), example_folder()}) {
    if (folder.empty()) continue;
    for (std::string& path : map_files_below(folder)) files.push_back(std::move(path));
  }
  return files;
}

struct Source {
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  std::uint32_t file = 0;
  explicit Source(std::string text) { file = sources.add("x.hmap", std::move(text)); }
  const std::string& text() const { return sources.file(file).text; }
  std::string tree() {
    base::Diagnostics own;
    return dump(parse(sources, file, own));
  }
  std::optional<std::string> formatted() { return format(sources, file, diagnostics); }
  /// Kinds and texts of tokens and comments, without what stands between them.
  std::string tokens() const {
    base::Diagnostics own;
    const auto lexed = detail::lex(file, text(), 0, static_cast<std::uint32_t>(text().size()), own);
    std::string out;
    for (const detail::Token& token : lexed.tokens)
      out.append(text().substr(token.begin, token.end - token.begin)).append("\x1f");
    for (const base::Span& comment : lexed.comments) {
      std::string line(text().substr(comment.begin, comment.end - comment.begin));
      while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.pop_back();
      out.append(line).append("\x1e");
    }
    return out;
  }
};

/// What formatting must keep, whatever the text looks like; the formatted text.
std::string check_properties(const std::string& text) {
  Source before(text);
  const auto formatted = before.formatted();
  INFO(base::render(before.diagnostics, before.sources));
  REQUIRE(formatted);
  Source after(*formatted);
  const auto again = after.formatted();
  INFO(base::render(after.diagnostics, after.sources));
  REQUIRE(again);
  CHECK(*again == *formatted);
  CHECK(after.tokens() == before.tokens());
  CHECK(after.tree() == before.tree());
  return *formatted;
}

/// Every indentation one blank: at the first column some words would start a declaration.
std::string squeezed(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && out.ends_with("\n ")) continue;
    out += c;
  }
  return out;
}

}  // namespace

TEST_CASE("formatter: tokens, comments and tree stay, and formatting again changes nothing", "[formatter]") {
  const auto files = valid_files();
  REQUIRE(files.size() >= 25);
  for (const std::string& path : files) {
    INFO(path);
    const std::string text = read_text(path);
    const std::string formatted = check_properties(text);
    // Indentation carries no meaning: without it the result is the same, but for text blocks that have some.
    if (text.find("\"\"\"") == std::string::npos) CHECK(check_properties(squeezed(text)) == formatted);
  }
}

TEST_CASE("formatter: shipped maps and examples are formatted", "[formatter]") {
  for (const std::string& folder : {test_path("../mappings/library"), test_path("../examples")})
    for (const std::string& path : map_files_below(folder)) {
      INFO(path << ": run `kiln fmt`");
      const std::string text = read_text(path);
      CHECK(check_properties(text) == text);
    }
}

TEST_CASE("formatter: the style", "[formatter]") {
  check_golden(test_path("golden/format/style.formatted"),
               check_properties(read_text(test_path("golden/format/style.txt"))));
}

TEST_CASE("formatter: a text that does not parse is left alone and says why", "[formatter]") {
  Source broken("map x( -> fhir Bundle {\n");
  CHECK_FALSE(broken.formatted());
  CHECK(broken.diagnostics.errors() >= 1);
  Source empty("");
  CHECK(empty.formatted() == std::string());
  Source comment("\n\n  // only this  \n\n");
  CHECK(comment.formatted() == std::string("// only this\n"));
}

}  // namespace kiln::mappings::test
