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
  const std::uint32_t end = static_cast<Hl7Level>(value.flags) < Hl7Level::leaf ? leaf_end(range) : range.end;
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

/// eval(), where it is called most: what is evaluated most, without the frame that the whole switch needs.
inline Value Run::eval_common(ir::Index expr) {
  if (++steps_ > steps_max_) return too_many_steps();
  const ir::Expr& node = unit_->exprs[expr];
  switch (node.op) {
    case ir::Op::constant:
      return facts_->constants[node.a];
    case ir::Op::local:
      return frame_.locals[node.a];
    case ir::Op::v2_path:
      return read_path(unit_->v2_paths[node.a]);
    case ir::Op::v2_relative:
      return read_relative(node);
    case ir::Op::convert:
      return convert(node);
    default:
      return eval_node(node);
  }
}

/// What the first leaf of a part of parameter 0 says, when its parts are known and it is neither null nor in
/// need of anything but a look: nearly every rule of a datatype map. Empty otherwise.
inline std::string_view Run::plain_leaf(const ir::Expr& part, Hl7Ref& range) {
  const Parts* const parts = frame_.parts;
  const ir::Expr& base = unit_->exprs[part.a];
  if (parts == nullptr || base.op != ir::Op::local || base.a != 0 || (part.c != 0 && part.c != ir::kNone) ||
      part.b > parts->count)
    return {};
  range = {parts->begins[part.b - 1], parts->begins[part.b] - 1};
  if (range.begin == range.end || !plain_) return {};
  const char first = bytes_[range.begin];
  if (first == '"' || is_separator(first)) return {};
  const std::uint32_t end = parts->level == Hl7Level::leaf ? range.end : leaf_end(range);
  read_[range.begin >> 6] |= std::uint64_t{1} << (range.begin & 63);
  return {bytes_ + range.begin, end - range.begin};
}

}  // namespace kiln::mappings::detail
