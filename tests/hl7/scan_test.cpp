// Every instruction set finds the same delimiters as the scalar loop.

#include "hl7/detail/scan.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"

using namespace kiln::hl7;

namespace {

struct Scanned {
  detail::ScanSummary summary;
  std::vector<std::uint64_t> bits;
  std::vector<std::uint32_t> stops, opens, closes;
  std::vector<std::uint8_t> levels;
  bool operator==(const Scanned&) const = default;
};

Scanned scan(ScanMode mode, const std::string& bytes, char separator, char escape) {
  const detail::Scanner& scanner = detail::scanner(mode);
  std::vector<detail::ScanBlock> blocks(detail::blocks_of(bytes.size()));
  Scanned scanned;
  scanned.summary = scanner.scan(bytes.data(), bytes.size(), separator, escape, blocks.data());
  for (const auto& block : blocks) {
    scanned.bits.insert(scanned.bits.end(), {block.stops, block.cr, block.lf, block.count});
  }
  scanned.stops.resize(scanned.summary.stops + detail::kFlattenSlack);
  scanner.flatten(blocks.data(), blocks.size(), scanned.stops.data());
  scanned.stops.resize(scanned.summary.stops);
  scanned.opens.resize(bytes.size() + detail::kFlattenSlack);
  scanned.closes.resize(bytes.size() + detail::kFlattenSlack);
  scanned.levels.resize(bytes.size() + detail::kBlockBytes);
  detail::Cuts cuts{scanned.opens.data(), scanned.levels.data(), scanned.closes.data(), 0, 0};
  // In two windows, the first of whole blocks.
  const std::size_t middle = bytes.size() / 128 * detail::kBlockBytes;
  // A message without an escape character here also has no repetition and no subcomponent one.
  const bool few = escape == separator;
  const detail::CutNeedles needles = {separator, few ? separator : '~', '^', few ? separator : '&'};
  scanner.cut(bytes.data(), bytes.size(), 0, middle, needles, cuts);
  scanner.cut(bytes.data(), bytes.size(), middle, bytes.size(), needles, cuts);
  scanned.opens.resize(cuts.open_count);
  scanned.closes.resize(cuts.close_count);
  scanned.levels.resize(cuts.open_count);
  return scanned;
}

}  // namespace

TEST_CASE("SIMD scans equal the scalar scan on random bytes of every length") {
  kiln::base::SeededRandom random(20'240'131);
  const std::string alphabet = "|\r\n\\^~&ab\x80\xFF" + std::string(1, '\0');
  for (std::size_t round = 0; round < 4000; ++round) {
    std::string bytes(round < 600 ? round : static_cast<std::size_t>(random.below(3000)), '\0');
    const bool dense = round % 2 == 0;
    for (char& c : bytes) {
      c = dense ? alphabet[random.below(alphabet.size())] : static_cast<char>(random.below(256));
    }
    const char separator = round % 3 == 0 ? static_cast<char>(1 + random.below(255)) : '|';
    const char escape = round % 5 == 0 ? separator : '\\';
    const Scanned oracle = scan(ScanMode::scalar, bytes, separator, escape);
    for (const ScanMode mode : {ScanMode::sse2, ScanMode::avx2, ScanMode::avx512, ScanMode::best}) {
      REQUIRE((scan(mode, bytes, separator, escape) == oracle));
    }
  }
}
