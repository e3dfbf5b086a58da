#pragma once
// What nearly every rule of a v2 map does, inline: find a part of the message, tell whether it holds
// something, take its text.

#include <bit>

#include "mappings/detail/blocks.h"
#include "mappings/detail/run.h"

namespace kiln::mappings::detail {

/// Offset of `c` in [begin, end), or end.
inline std::uint32_t Run::find(std::uint32_t begin, std::uint32_t end, char c) const {
  if (c == '\0') return end;
  for (; begin < end; begin += Block::kBytes) {
    if (begin + Block::kBytes > size_) [[unlikely]] {
      while (begin < end && bytes_[begin] != c) ++begin;
      return begin;
    }
    const std::uint32_t mask = Block::load(bytes_ + begin).equal(c);
    if (mask != 0) return std::min(begin + static_cast<std::uint32_t>(std::countr_zero(mask)), end);
  }
  return end;
}

/// Where the first leaf of a field, repetition or component ends: no separator of a higher level is in it.
inline std::uint32_t Run::leaf_end(Hl7Ref range) const {
  std::uint32_t at = range.begin;
  for (; at < range.end; at += Block::kBytes) {
    if (at + Block::kBytes > size_) [[unlikely]] {
      while (at < range.end && !is_separator(bytes_[at])) ++at;
      return at;
    }
    const Block block = Block::load(bytes_ + at);
    const std::uint32_t mask =
        block.equal(separators_[0]) | block.equal(separators_[1]) | block.equal(separators_[2]);
    if (mask != 0) return std::min(at + static_cast<std::uint32_t>(std::countr_zero(mask)), range.end);
  }
  return range.end;
}

/// Absent, null or the range as a value. What holds nothing but delimiters of lower levels is absent.
inline Value Run::hl7_value(Hl7Ref ref, Hl7Level level, ir::TypeId type) {
  Value value;
  if (ref.begin >= ref.end) return value;
  const char first = bytes_[ref.begin];
  if (is_separator(first) && only_separators(ref)) return value;
  value.kind = ValueKind::hl7;
  if (first == '"' && ref.end - ref.begin == 2 && bytes_[ref.begin + 1] == '"') [[unlikely]] {
    value.kind = ValueKind::null_;
    mark_read(ref.begin, ref.end);
  }
  value.flags = static_cast<std::uint8_t>(level);
  value.type = type;
  value.hl7 = ref;
  value.source = hl7_source(ref, level);
  return value;
}

/// Decoded text of the first leaf (std 2.11: a value of a shallower level is the first leaf of the deeper
/// one).
inline std::string_view Run::leaf_text(const Value& value) {
  const Hl7Ref range = value.hl7;
  return leaf_text(range, static_cast<Hl7Level>(value.flags) < Hl7Level::leaf ? leaf_end(range) : range.end);
}
inline std::string_view Run::leaf_text(Hl7Ref range, std::uint32_t end) {
  if (range.begin == end) return {};
  read_[range.begin >> 6] |= std::uint64_t{1} << (range.begin & 63);  // a leaf is read when its first byte is
  const std::string_view raw(bytes_ + range.begin, end - range.begin);
  return plain_ ? raw : decode(raw);
}

/// The text of a scalar; of an HL7 composite its first leaf. Empty for what has none.
inline std::string_view Run::text_of(const Value& value) {
  if (value.kind == ValueKind::hl7) return leaf_text(value);
  return value.kind == ValueKind::string ? value.text() : other_text(value);
}

/// Part `n` (from 1) of the value whose parts are known.
inline Value Run::known_part(const Parts& parts, std::uint32_t n, std::uint32_t second, ir::TypeId type) {
  if (n > parts.count) return {};
  const Hl7Ref range{parts.begins[n - 1], parts.begins[n] - 1};
  if (second == 0 || parts.level == Hl7Level::leaf) return hl7_value(range, parts.level, type);
  return hl7_value(part(range, delimiters_.subcomponent, second), Hl7Level::leaf, type);
}

}  // namespace kiln::mappings::detail
