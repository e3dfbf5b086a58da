// Every instruction set finds the same delimiters as the scalar loop.

#include "hl7/detail/scan.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"

using namespace kiln::hl7;

namespace {

std::vector<std::uint32_t> marks(ScanMode mode, const std::string& bytes, std::size_t from, char separator) {
  std::vector<std::uint32_t> out(bytes.size() + 1, 0xFFFF'FFFF);
  out.resize(detail::scanner(mode).marks(bytes.data(), from, bytes.size(), separator, out.data()));
  return out;
}

}  // namespace

TEST_CASE("SIMD scans equal the scalar scan on random bytes of every length") {
  kiln::base::SeededRandom random(20'240'131);
  const std::string alphabet = "|\r\n\\^~&ab\x80\xFF";
  for (std::size_t round = 0; round < 4000; ++round) {
    std::string bytes(round < 600 ? round : static_cast<std::size_t>(random.below(3000)), '\0');
    const bool dense = round % 2 == 0;
    for (char& c : bytes) {
      c = dense ? alphabet[random.below(alphabet.size())] : static_cast<char>(random.below(256));
    }
    const char separator = round % 3 == 0 ? static_cast<char>(random.below(256)) : '|';
    const std::size_t from = bytes.empty() ? 0 : static_cast<std::size_t>(random.below(bytes.size()));
    const auto oracle = marks(ScanMode::scalar, bytes, from, separator);
    const auto counts = detail::scanner(ScanMode::scalar).count(bytes.data(), bytes.size(), separator, '\\');
    for (const ScanMode mode : {ScanMode::sse2, ScanMode::avx2, ScanMode::best}) {
      REQUIRE(marks(mode, bytes, from, separator) == oracle);
      REQUIRE(detail::scanner(mode).count(bytes.data(), bytes.size(), separator, '\\') == counts);
    }
  }
}
