#pragma once
// Tokens of hmap (hmap.md §16). Keywords are contextual, so words are plain identifiers here.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"

namespace kiln::mappings::detail {

enum class TokenKind : std::uint8_t {
  end, ident, v2ref, number, duration, size, address, string, text, regex,
  left_brace, right_brace, left_paren, right_paren, left_bracket, right_bracket,
  comma, semicolon, colon, dot, dot_dot, at, assign, append, set_if_unset,
  equal, not_equal, less, less_equal, greater, greater_equal, fat_arrow, arrow,
  plus, minus, star, slash, ampersand, coalesce, question
};

/// Byte range of the file; strings with their quotes. A token that was reported as malformed keeps its kind.
struct Token {
  TokenKind kind = TokenKind::end;
  bool newline_before = false;
  bool space_before = false;
  bool malformed = false;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

struct Lexed {
  std::vector<Token> tokens;          ///< the last is `end`
  std::vector<base::Span> comments;
};

/// Tokens of text[begin, end) of source `file`. Linear; every malformed token is reported and lexing goes on.
Lexed lex(std::uint32_t file, std::string_view text, std::uint32_t begin, std::uint32_t end,
          base::Diagnostics& diagnostics);

/// `begin` stands behind `${`: the end of its `}`, or 0 when the line or `end` comes first.
std::uint32_t interpolation_end(std::string_view text, std::uint32_t begin, std::uint32_t end);

/// As written in a message: "`=>`"; for kinds with many spellings what it is: "a name", "a number".
std::string_view describe(TokenKind kind);

/// End of an address `[…]:port` that starts at `begin`, or 0 when there is none (§20 ADDR, bracketed form).
std::uint32_t bracketed_address_end(std::string_view text, std::uint32_t begin);

}  // namespace kiln::mappings::detail
