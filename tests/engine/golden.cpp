#include "tests/engine/golden.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace kiln::test {

void check_golden(const std::string& path, const std::string& actual) {
  const std::filesystem::path file = std::filesystem::path(KILN_SOURCE_DIR) / path;
  if (std::getenv("APPROVE")) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << actual;
    return;
  }
  std::ifstream in(file, std::ios::binary);
  const std::string wanted{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  INFO("golden file " << path << " (APPROVE=1 rewrites it)");
  CHECK(wanted == actual);
}

}  // namespace kiln::test
