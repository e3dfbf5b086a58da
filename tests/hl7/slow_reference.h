#pragma once
// A second reading of hl7v2.md §2 to §5, written for clarity and sharing nothing with the library but the names of
// the character sets: text is cut with plain loops into nested vectors. The tests compare the two.

#include <optional>
#include <string>
#include <vector>

namespace kiln::test {

struct SlowLeaf {
  std::string raw;
};
using SlowComponent = std::vector<SlowLeaf>;
using SlowRepetition = std::vector<SlowComponent>;
using SlowField = std::vector<SlowRepetition>;
struct SlowSegment {
  std::string name;
  std::string raw;
  std::vector<SlowField> fields;
};
struct SlowMessage {
  std::string separators;  ///< field, component, repetition, escape, subcomponent, truncation; NUL = none
  std::vector<SlowSegment> segments;
};

/// nullopt where the bytes have no header. No limits, no character sets.
std::optional<SlowMessage> slow_parse(const std::string& bytes);
/// UTF-8 of a leaf; `latin1`: bytes above 0x7F are ISO 8859-1, else UTF-8 when `utf8`, else ASCII.
/// Without character set switching.
std::string slow_text(const std::string& raw, const std::string& separators, bool latin1, bool utf8);

}  // namespace kiln::test
