// The library against the naive reader, on all small messages over the characters that matter and on
// as many generated ones as wanted: KILN_EXHAUSTIVE sets the length (default 5), KILN_GENERATED the number
// (default 20,000).

#include "tests/hl7/naive_reader.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "engine/base/random.h"

using namespace kiln::test;

namespace {

std::size_t from_environment(const char* name, std::size_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

}  // namespace

TEST_CASE("exhaustive: the library and the naive reader agree on all small messages") {
  static constexpr char kAlphabet[] = {'a', '|', '^', '~', '\\', '&', '\r'};
  const std::size_t longest = from_environment("KILN_EXHAUSTIVE", 5);
  std::vector<NaiveLeaf> leaves;
  std::size_t messages = 0;
  for (std::size_t length = 0; length <= longest; ++length) {
    std::vector<std::size_t> digits(length, 0);
    for (bool more = true; more;) {
      std::string text = kNaiveHeader;
      for (const std::size_t digit : digits) text += kAlphabet[digit];
      if (!readers_agree(text, leaves)) FAIL("they differ on " << Catch::Detail::stringify(text));
      ++messages;
      more = false;
      for (std::size_t& digit : digits) {
        if (++digit < std::size(kAlphabet)) {
          more = true;
          break;
        }
        digit = 0;
      }
    }
  }
  std::cout << "exhaustive: " << messages << " messages up to length " << longest << "\n";
  CHECK(messages > 1);
}

TEST_CASE("generated: the library and the naive reader agree on random messages") {
  static constexpr std::string_view kAlphabet = "aaab|||^^~\\&\rZ1\"|||||^^&\r";
  const std::size_t wanted = from_environment("KILN_GENERATED", 20'000);
  kiln::base::SeededRandom random(from_environment("KILN_SEED", 20'240'131));
  std::vector<NaiveLeaf> leaves;
  std::string text;
  for (std::size_t i = 0; i < wanted; ++i) {
    text = kNaiveHeader;
    const auto length = random.below(i % 64 == 0 ? 3000 : 40);
    for (std::uint64_t bits = 0, n = 0; n < length; ++n) {
      if (n % 8 == 0) bits = random.next();
      text += kAlphabet[(bits & 0xFF) % kAlphabet.size()];
      bits >>= 8;
    }
    if (!readers_agree(text, leaves)) FAIL("they differ on " << Catch::Detail::stringify(text));
  }
  std::cout << "generated: " << wanted << " messages\n";
}
