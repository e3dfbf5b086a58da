// Wrong scripts and the exact text they get: tests/diagnostics/check/<code>_<what>.hmap with .expected beside
// it.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "hl7/message.h"
#include "mappings/compiler.h"
#include "mappings/csv.h"
#include "mappings/code_pages.h"
#include "mappings/package.h"
#include "mappings/program.h"
#include "mappings/tables.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings {
namespace {

/// The small library that the cases use, so that they do not change with the shipped one.
class SmallLibrary {
 public:
  SmallLibrary() {
    const std::string folder = test::test_path("diagnostics/check/library/std");
    for (const auto& path : test::files_of(folder, ".hmap")) {
      texts_.push_back({"std/" + std::filesystem::path(path).filename().string(), test::read_text(path)});
    }
    for (const auto& [name, text] : texts_) files_.push_back({name, text});
  }
  std::span<const base::EmbeddedFile> files() const { return files_; }

 private:
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<base::EmbeddedFile> files_;
};

/// `path` is the script; a file of the same name that ends in .lock is its hmap.lock.
std::string check(const SmallLibrary& small, const std::string& name, const std::string& path) {
  Library library(small.files());
  base::Diagnostics diagnostics;
  library.add_text(name, test::read_text(path), diagnostics);
  const std::string lock = path.substr(0, path.size() - 5) + ".lock";
  if (std::filesystem::exists(lock)) library.add_lock(test::read_text(lock), diagnostics);
  library.link(diagnostics);
  compile(library, diagnostics);
  return base::render(diagnostics, library.sources());
}

std::vector<std::string> folders_of(const std::string& path) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.is_directory()) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

/// A whole site: its tables and profiles are read too.
std::string check_site(const SmallLibrary& small, const std::string& folder) {
  base::Env& env = base::system_env();
  Library library(small.files());
  base::Diagnostics diagnostics;
  REQUIRE(library.add_site(env, folder, diagnostics));
  library.link(diagnostics);
  library.set_tables(load_tables(library, env, diagnostics));
  const CompiledLibrary compiled = compile(library, diagnostics);
  if (std::filesystem::exists(folder + "/versions")) {
    const auto versions = parse_versions(base::trim(test::read_text(folder + "/versions")));
    REQUIRE(versions);
    REQUIRE(check_versions(library, compiled, *versions, diagnostics));
  }
  std::string text = base::render(diagnostics, library.sources());
  for (std::size_t at; (at = text.find(folder + "/")) != std::string::npos;) text.erase(at, folder.size() + 1);
  return text;
}

/// Every code the language and the channels can report.
std::vector<std::string> catalogue() {
  std::vector<std::string> codes = {"E0914"};  // of a run: it has no place in a script
  static constexpr const char* kAll[] = {
#define KILN_ERROR(name, code, category, text, http, issue, hl7, retry) code,
#include "engine/base/error_codes.def"
#undef KILN_ERROR
  };
  for (const std::string code : kAll) {
    const bool listed = code.size() == 5 && (code[0] == 'E' || code[0] == 'W') &&
                        code.find_first_not_of("0123456789", 1) == std::string::npos;
    if (listed) codes.push_back(code);
  }
  return codes;
}

std::string all_goldens() {
  std::string all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::test_path("diagnostics"))) {
    const std::string name = entry.path().string();
    if (entry.is_regular_file() && (name.ends_with(".expected") || name.ends_with(".txt")))
      all += test::read_text(name);
  }
  return all;
}

TEST_CASE("wrong scripts are explained") {
  const SmallLibrary small;
  for (const auto& path : test::files_of(test::test_path("diagnostics/check"), ".hmap")) {
    const std::string name = std::filesystem::path(path).filename().string();
    INFO(name);
    const std::string output = check(small, name, path);
    const std::string code = name.substr(0, name.find('_'));
    CHECK(output.find("[" + code + "]") != std::string::npos);
    test::check_golden(path.substr(0, path.size() - 5) + ".expected", output);
  }
}

TEST_CASE("wrong sites are explained") {
  const SmallLibrary small;
  for (const auto& path : folders_of(test::test_path("diagnostics/sites"))) {
    const std::string name = std::filesystem::path(path).filename().string();
    INFO(name);
    const std::string output = check_site(small, path);
    CHECK(output.find("[" + name.substr(0, name.find('_')) + "]") != std::string::npos);
    test::check_golden(path + ".expected", output);
  }
}

TEST_CASE("what is too deep, too large or no text is refused") {
  const SmallLibrary small;
  const auto messages = [&](const std::string& text) {
    Library library(small.files());
    base::Diagnostics diagnostics;
    library.add_text("t.hmap", text, diagnostics);
    return base::render(diagnostics, library.sources());
  };
  std::string deep = "module t\nconst a =\n";
  for (int i = 0; i < 400; ++i) deep += "(\n";
  deep += "1\n";
  for (int i = 0; i < 400; ++i) deep += ")\n";
  std::string all = messages(deep);
  all += messages(std::string(base::limits::kHmapFileBytesMax + 1, '\n'));
  all += messages("module t\nconst a = \"\xE9\"\n");
  test::check_golden(test::test_path("diagnostics/limits/limits.expected"), all);
}

TEST_CASE("what a run or a file of rows reports has a stable text too") {
  std::string all;
  const auto add = [&](const base::Error& error) { all += std::string("[") + error.info().code + "]: " + error.message() + "\n"; };
  CsvFormat format;
  format.name = "Rows";
  format.columns = {{"mrn", "Pat", 0, 0, true}};
  add(CsvFile::read("Name\nx\n", format).error());
  add(CsvFile::read("Pat;x\n", format).error());
  format.delimiter = ';';
  format.extra_columns = true;
  add(CsvFile::read("Name;x\n1;2\n", format).error());
  add(CsvFile::read("Pat\n\"open\n", format).error());
  Library library;
  base::Diagnostics diagnostics;
  library.require_shipped("std.v2fhir");
  library.link(diagnostics);
  const CompiledLibrary compiled = compile(library, diagnostics);
  const auto message = hl7::Message::parse("MSH|^~\\&|A|B|C|D|20250101||MFN^M02^MFN_M02|1|P|2.5.1\rMFI|PRA\r");
  REQUIRE(message);
  Runner runner;
  const RunResult& result = runner.run(compiled.program("std.v2fhir"), &*message, {});
  REQUIRE(result.diagnostics.size() == 1);
  all += "[" + std::string(result.diagnostics[0].code) + "]: " + result.diagnostics[0].text + "\n";
  test::check_golden(test::test_path("diagnostics/limits/run.expected"), all);
}

TEST_CASE("every code has a golden and a page") {
  const std::string goldens = all_goldens();
  const std::vector<std::string> pages = explained_codes();
  const std::vector<std::string> codes = catalogue();
  std::string without_golden, without_page, unknown;
  for (const std::string& code : codes) {
    // E0915 is kept apart from what makes a site unusable: tests/channels/site_test.cpp looks for it.
    if (code != "E0915" && goldens.find("[" + code + "]") == std::string::npos) without_golden += " " + code;
    if (std::count(pages.begin(), pages.end(), code) != 1) without_page += " " + code;
  }
  for (const std::string& page : pages)
    if (std::count(codes.begin(), codes.end(), page) == 0) unknown += " " + page;
  CHECK(without_golden == "");
  CHECK(without_page == "");
  CHECK(unknown == "");
  CHECK(explain_code("E0101")->starts_with("E0101 the segment has no such field"));
  CHECK_FALSE(explain_code("E9999"));
}

}  // namespace
}  // namespace kiln::mappings
