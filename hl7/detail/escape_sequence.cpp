#include "hl7/detail/escape_sequence.h"

#include <algorithm>
#include <array>

namespace kiln::hl7::detail {
namespace {

constexpr std::size_t kBodyMax = 16;
constexpr std::size_t kLocalBodyMax = 64;

bool letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool body_character(char c) {
  return letter(c) || digit(c) || c == '.' || c == '+' || c == '-';
}

char delimiter_of(char letter, const Delimiters& delimiters) {
  switch (letter) {
    case 'F':
      return delimiters.field;
    case 'S':
      return delimiters.component;
    case 'T':
      return delimiters.subcomponent;
    case 'R':
      return delimiters.repetition;
    case 'E':
      return delimiters.escape;
    case 'P':
      return delimiters.truncation;
    default:
      return '\0';
  }
}

bool all_hex(std::string_view digits) {
  return std::all_of(digits.begin(), digits.end(), [](char c) { return hex_digit(c) >= 0; });
}

constexpr std::array<std::string_view, 8> kCommands = {".sp", ".br", ".fi", ".nf",
                                                       ".in", ".ti", ".sk", ".ce"};

bool is_format(std::string_view body) {
  if (body == "H" || body == "N") return true;
  if (std::find(kCommands.begin(), kCommands.end(), body.substr(0, 3)) == kCommands.end()) return false;
  std::string_view number = body.substr(3);
  while (number.starts_with(' ')) number.remove_prefix(1);
  if (number.starts_with('+') || number.starts_with('-')) number.remove_prefix(1);
  return number.size() <= 6 && std::all_of(number.begin(), number.end(), digit);
}

SequenceKind kind_of(std::string_view body) {
  const bool plain = std::all_of(body.begin(), body.end(), body_character);
  const std::string_view rest = body.substr(1);
  if (body[0] == 'X') {
    if (!rest.empty() && rest.size() % 2 == 0 && all_hex(rest)) return SequenceKind::hex;
    return plain && body.size() <= kBodyMax ? SequenceKind::bad_hex : SequenceKind::stray;
  }
  if (is_format(body)) return SequenceKind::format;
  if (body[0] == 'C' && rest.size() == 4 && all_hex(rest)) return SequenceKind::switch_set;
  if (body[0] == 'M' && (rest.size() == 4 || rest.size() == 6) && all_hex(rest))
    return SequenceKind::switch_set;
  const bool printable = std::all_of(body.begin(), body.end(), [](char c) { return c >= ' '; });
  if (body[0] == 'Z' && printable && body.size() <= kLocalBodyMax) return SequenceKind::local;
  return letter(body[0]) && plain && body.size() <= kBodyMax ? SequenceKind::unknown : SequenceKind::stray;
}

}  // namespace

int hex_digit(char c) {
  if (digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Sequence read_sequence(std::string_view text, const Delimiters& delimiters) {
  // Only hexadecimal data may be long; the bound keeps a text of many escape characters linear.
  const std::size_t longest = text.size() > 1 && text[1] == 'X' ? text.size() : kLocalBodyMax + 2;
  const std::size_t close = text.substr(0, longest).find(delimiters.escape, 1);
  if (close == text.npos || close == 1) return {};
  const std::string_view body = text.substr(1, close - 1);
  if (body.size() == 1) {
    if (const char c = delimiter_of(body[0], delimiters); c != '\0') {
      return {SequenceKind::delimiter, 3, c, body};
    }
  }
  const SequenceKind kind = kind_of(body);
  if (kind == SequenceKind::stray) return {};
  return {kind, close + 1, '\0', kind == SequenceKind::hex ? body.substr(1) : body};
}

FormatCommand read_format(std::string_view body) {
  if (body.size() < 3) return {body};
  FormatCommand command{body.substr(0, 3)};
  bool negative = false;
  for (const char c : body.substr(3)) {
    negative |= c == '-';
    if (!digit(c)) continue;
    command.has_count = true;
    command.count = std::min(100u, command.count * 10 + static_cast<unsigned>(c - '0'));
  }
  if (negative) command.count = 0;
  return command;
}

}  // namespace kiln::hl7::detail
