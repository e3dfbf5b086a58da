#include "mappings/detail/simple_pattern.h"

#include <charconv>

namespace kiln::mappings::detail {
namespace {

constexpr std::uint32_t kManyTimes = ~std::uint32_t{0};

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The character that stands for itself, with or without a backslash; nullopt: it means something else.
std::optional<char> read_character(std::string_view& rest, std::string_view special) {
  if (rest.empty()) return std::nullopt;
  char c = rest.front();
  rest.remove_prefix(1);
  if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7F) return std::nullopt;
  if (c != '\\') return special.find(c) == special.npos ? std::optional(c) : std::nullopt;
  if (rest.empty() || is_letter_or_digit(rest.front()) || static_cast<unsigned char>(rest.front()) <= ' ' ||
      static_cast<unsigned char>(rest.front()) >= 0x7F)
    return std::nullopt;
  c = rest.front();
  rest.remove_prefix(1);
  return c;
}

}  // namespace

/// A character or `[…]`; not `[^…]`, which holds more than ASCII.
bool SimplePattern::read_class(std::string_view& rest, Class& characters) {
  if (!rest.starts_with('[')) {
    const auto c = read_character(rest, ".^$|()[]{}*+?");
    if (c) add(characters, *c);
    return c.has_value();
  }
  rest.remove_prefix(1);
  if (rest.starts_with('^') || rest.starts_with(']')) return false;
  while (!rest.empty() && rest.front() != ']') {
    const auto from = read_character(rest, "[");
    if (!from) return false;
    auto to = from;
    if (rest.size() >= 2 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      to = read_character(rest, "[");
      if (!to || *to < *from) return false;
    }
    for (int c = *from; c <= *to; ++c) add(characters, static_cast<char>(c));
  }
  if (rest.empty()) return false;
  rest.remove_prefix(1);
  return true;
}

/// `?`, `*`, `+`, `{n}`, or nothing; no second one behind it.
bool SimplePattern::read_count(std::string_view& rest, Piece& piece) {
  if (rest.empty()) return true;
  const char c = rest.front();
  if (c == '{') {
    const std::size_t end = rest.find('}');
    if (end == rest.npos || rest.substr(1).starts_with('0')) return false;  // RE2: `{02}` is no count
    const auto read = std::from_chars(rest.data() + 1, rest.data() + end, piece.least);
    if (read.ec != std::errc() || read.ptr != rest.data() + end || piece.least == 0 || piece.least > 100)
      return false;
    piece.most = piece.least;
    rest.remove_prefix(end + 1);
  } else if (c == '?' || c == '*' || c == '+') {
    piece.least = c == '+' ? 1 : 0;
    piece.most = c == '?' ? 1 : kManyTimes;
    rest.remove_prefix(1);
  }
  return rest.empty() || std::string_view("?*+{").find(rest.front()) == std::string_view::npos;
}

/// What may come behind a piece of no fixed length shares no character with it.
bool SimplePattern::is_decided() const {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].least == pieces_[i].most) continue;
    for (std::size_t k = i + 1; k < pieces_.size(); ++k) {
      const Class &a = pieces_[i].characters, &b = pieces_[k].characters;
      if ((a[0] & b[0]) != 0 || (a[1] & b[1]) != 0) return false;
      if (pieces_[k].least > 0) break;
    }
  }
  return true;
}

std::optional<SimplePattern> SimplePattern::of(std::string_view pattern) {
  SimplePattern made;
  if (!pattern.starts_with('^')) return std::nullopt;
  pattern.remove_prefix(1);
  while (!pattern.empty()) {
    if (pattern == "$") {
      made.to_end_ = true;
      break;
    }
    Piece piece;
    if (!read_class(pattern, piece.characters) || !read_count(pattern, piece)) return std::nullopt;
    made.pieces_.push_back(piece);
  }
  return made.is_decided() ? std::optional(std::move(made)) : std::nullopt;
}

bool SimplePattern::matches(std::string_view text) const {
  std::size_t at = 0;
  for (const Piece& piece : pieces_) {
    std::uint32_t count = 0;
    while (count < piece.most && at < text.size() && holds(piece.characters, text[at])) {
      ++at;
      ++count;
    }
    if (count < piece.least) return false;
  }
  return !to_end_ || at == text.size();
}

}  // namespace kiln::mappings::detail
