// The library against a reader of twenty lines, on all small messages over the characters that matter and on
// as many generated ones as wanted: KILN_EXHAUSTIVE sets the length (default 5), KILN_GENERATED the number
// (default 20,000).

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "hl7/edit.h"
#include "hl7/message.h"

using namespace kiln::hl7;

namespace {

struct Leaf {
  std::uint32_t segment, field, repetition, component, subcomponent, begin, end;
  bool operator==(const Leaf&) const = default;
};

/// Leaves of the segments behind the first, one character after the other. Standard delimiters, CR only.
void read_naively(const std::string& text, std::size_t at, std::vector<Leaf>& leaves) {
  leaves.clear();
  for (std::uint32_t segment = 1; at < text.size(); ++at) {
    if (text[at] == '\r') continue;
    Leaf leaf{segment++, 0, 1, 1, 1, 0, 0};
    bool alone = true;
    for (;; ++at) {
      const char c = at < text.size() ? text[at] : '\r';
      const bool ends = c == '\r' || c == '|';
      if (leaf.field == 0) {
        if (c == '\r') break;
        if (c == '|') leaf = {leaf.segment, 1, 1, 1, 1, static_cast<std::uint32_t>(at + 1), 0};
        continue;
      }
      if (!ends && c != '^' && c != '~' && c != '&') continue;
      leaf.end = static_cast<std::uint32_t>(at);
      if (!(ends && alone && leaf.begin == leaf.end)) leaves.push_back(leaf);
      if (c == '\r') break;
      if (c == '|') leaf = {leaf.segment, leaf.field + 1, 1, 1, 0, 0, 0};
      if (c == '~') leaf = {leaf.segment, leaf.field, leaf.repetition + 1, 1, 0, 0, 0};
      if (c == '^') leaf = {leaf.segment, leaf.field, leaf.repetition, leaf.component + 1, 0, 0, 0};
      ++leaf.subcomponent;
      leaf.begin = static_cast<std::uint32_t>(at + 1);
      alone = c == '|';
    }
  }
}

const std::string kHeader = "MSH|^~\\&|a\r";

/// False when the library reads `tail` behind a header in another way. The leaves in bulk and one by one.
bool agree(const std::string& text, std::vector<Leaf>& leaves) {
  read_naively(text, kHeader.size(), leaves);
  const auto message = Message::parse(text);
  if (!message || message->bytes() != text) return false;
  std::size_t n = 0;
  bool same = true;
  message->for_each_leaf([&](const Location& at, const LeafView& leaf) {
    if (at.segment == 0) return;
    const Leaf found{at.segment,      at.field,      at.repetition,    at.component,
                     at.subcomponent, leaf.offset(), leaf.end_offset()};
    same = same && n < leaves.size() && leaves[n] == found;
    const LeafView lazy = message->segment(at.segment)
                              .field(at.field)
                              .repetition(at.repetition)
                              .component(at.component)
                              .sub(at.subcomponent);
    // An empty part has no parts, although its only leaf is visited.
    same = same && lazy.raw() == leaf.raw() && (!lazy.located() || lazy.offset() == leaf.offset());
    ++n;
  });
  return same && n == leaves.size();
}

std::size_t from_environment(const char* name, std::size_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

}  // namespace

TEST_CASE("exhaustive: the library and the naive reader agree on all small messages") {
  static constexpr char kAlphabet[] = {'a', '|', '^', '~', '\\', '&', '\r'};
  const std::size_t longest = from_environment("KILN_EXHAUSTIVE", 5);
  std::vector<Leaf> leaves;
  std::size_t messages = 0;
  for (std::size_t length = 0; length <= longest; ++length) {
    std::vector<std::size_t> digits(length, 0);
    for (bool more = true; more;) {
      std::string text = kHeader;
      for (const std::size_t digit : digits) text += kAlphabet[digit];
      if (!agree(text, leaves)) FAIL("they differ on " << Catch::Detail::stringify(text));
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
  std::vector<Leaf> leaves;
  std::string text;
  for (std::size_t i = 0; i < wanted; ++i) {
    text = kHeader;
    const auto length = random.below(i % 64 == 0 ? 3000 : 40);
    for (std::uint64_t bits = 0, n = 0; n < length; ++n) {
      if (n % 8 == 0) bits = random.next();
      text += kAlphabet[(bits & 0xFF) % kAlphabet.size()];
      bits >>= 8;
    }
    if (!agree(text, leaves)) FAIL("they differ on " << Catch::Detail::stringify(text));
  }
  std::cout << "generated: " << wanted << " messages\n";
}
