// How long a part may be (std 2.5.5.1). Up to 2.6 the delimiters inside a field count; from 2.7 on lengths
// are stated for primitives, which hold none.

#include "hl7/charset.h"
#include "hl7/escape.h"
#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

namespace {

std::size_t characters(std::string_view utf8) {
  std::size_t count = 0;
  for (const char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

}  // namespace

std::size_t length_of(Check& check, const Piece& piece) {
  if (piece.level() == Piece::Level::leaf) return characters(piece.text(check.buffer));
  std::size_t total = 0, parts = 0;
  const auto add = [&](const Piece& part) { total += length_of(check, part) + (parts++ == 0 ? 0 : 1); };
  if (piece.level() == Piece::Level::component)
    for (const LeafView leaf : ComponentView(piece).subs()) add(leaf);
  else
    for (const ComponentView component : RepetitionView(piece).components()) add(component);
  return total;
}

void check_length(Check& check, const Element& element, const Piece& part, const Location& at) {
  if (!check.on(RuleKind::length)) return;
  const std::size_t length = length_of(check, part);
  if (length > element.length_max)
    check.add(RuleKind::length, at, part.offset(),
              std::to_string(length) + " characters, at most " + std::to_string(element.length_max),
              element.name);
  else if (length < element.length_min)
    check.add(RuleKind::length, at, part.offset(),
              std::to_string(length) + " characters, at least " + std::to_string(element.length_min),
              element.name);
}

}  // namespace kiln::hl7::detail
