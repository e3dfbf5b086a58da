#include "tests/mappings/golden.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "engine/base/env.h"

namespace kiln::mappings::test {

std::string test_path(const std::string& path) {
  return std::string(KILN_SOURCE_DIR "/tests/") + path;
}

std::string read_text(const std::string& path) {
  auto text = base::system_env().read_file(path, 64u << 20);
  INFO(path);
  REQUIRE(text.has_value());
  return std::move(*text);
}

std::vector<std::string> files_of(const std::string& folder, const std::string& suffix) {
  std::vector<std::string> paths;
  const auto entries = base::system_env().list(folder);
  INFO(folder);
  REQUIRE(entries.has_value());
  for (const auto& entry : *entries) {
    if (!entry.is_directory && entry.name.ends_with(suffix)) paths.push_back(folder + "/" + entry.name);
  }
  return paths;
}

void check_golden(const std::string& path, const std::string& actual) {
  if (std::getenv("APPROVE") != nullptr) {
    REQUIRE(base::system_env().write_file_atomic(path, actual).has_value());
    return;
  }
  INFO(path);
  REQUIRE(base::system_env().exists(path));
  CHECK(read_text(path) == actual);
}

std::string example_folder() {
  static const std::string folder = [] {
    std::string path = KILN_SOURCE_DIR "/../shared/design/hmap-examples";
    if (base::system_env().exists(path)) return path;
    std::cerr << "skipped: ../shared/design/hmap-examples is not beside this checkout\n";
    return std::string();
  }();
  return folder;
}

}  // namespace kiln::mappings::test
