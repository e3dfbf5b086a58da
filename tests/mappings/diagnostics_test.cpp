// Wrong scripts and the exact text they get: tests/diagnostics/check/<code>_<what>.hmap with .expected beside
// it.

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "mappings/compiler.h"
#include "mappings/detail/ir.h"
#include "mappings/package.h"
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

TEST_CASE("wrong scripts are explained") {
  const SmallLibrary small;
  std::set<std::string> covered;
  for (const auto& path : test::files_of(test::test_path("diagnostics/check"), ".hmap")) {
    const std::string name = std::filesystem::path(path).filename().string();
    INFO(name);
    const std::string output = check(small, name, path);
    const std::string code = name.substr(0, name.find('_'));
    CHECK(output.find("[" + code + "]") != std::string::npos);
    covered.insert(code);
    test::check_golden(path.substr(0, path.size() - 5) + ".expected", output);
  }
  for (const char* code : {"E0101", "E0102", "E0103", "E0104", "E0105", "W0106", "E0107", "E0108", "E0201",
                           "E0202", "E0203", "E0204", "E0205", "E0206", "E0207", "E0208", "E0209", "E0210",
                           "W0211", "E0212", "E0213", "E0214", "E0215", "E0301", "E0305", "E0403", "W0404",
                           "E0405", "E0406", "E0407", "W0408", "E0501", "E0502", "E0503", "E0801", "E0990"}) {
    INFO(code);
    CHECK(covered.contains(code));
  }
}

}  // namespace
}  // namespace kiln::mappings
