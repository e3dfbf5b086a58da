#pragma once
// A reader of twenty lines, to hold the library against: standard delimiters, CR only, no header names, no
// escapes.

#include <cstdint>
#include <string>
#include <vector>

#include "hl7/message.h"

namespace kiln::test {

struct NaiveLeaf {
  std::uint32_t segment, field, repetition, component, subcomponent, begin, end;
  bool operator==(const NaiveLeaf&) const = default;
};

/// Leaves of the segments behind the first, one character after the other. Standard delimiters, CR only.
inline void read_naively(const std::string& text, std::size_t at, std::vector<NaiveLeaf>& leaves) {
  leaves.clear();
  for (std::uint32_t segment = 1; at < text.size(); ++at) {
    if (text[at] == '\r') continue;
    NaiveLeaf leaf{segment++, 0, 1, 1, 1, 0, 0};
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

inline const std::string kNaiveHeader = "MSH|^~\\&|a\r";

/// False when the library reads `tail` behind a header in another way. The leaves in bulk and one by one.
inline bool readers_agree(const std::string& text, std::vector<NaiveLeaf>& leaves) {
  read_naively(text, kNaiveHeader.size(), leaves);
  const auto message = hl7::Message::parse(text);
  if (!message || message->bytes() != text) return false;
  std::size_t n = 0;
  bool same = true;
  message->for_each_leaf([&](const hl7::Location& at, const hl7::LeafView& leaf) {
    if (at.segment == 0) return;
    const NaiveLeaf found{at.segment,      at.field,      at.repetition,    at.component,
                          at.subcomponent, leaf.offset(), leaf.end_offset()};
    same = same && n < leaves.size() && leaves[n] == found;
    const hl7::LeafView lazy = message->segment(at.segment)
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

}  // namespace kiln::test
