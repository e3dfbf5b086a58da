#pragma once
// Words of FHIRPath (N1 §3, appendix B). Private to fhir/path.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace kiln::fhir::detail {

enum class TokenKind : std::uint8_t { end, name, quoted_name, string, number, date, variable, symbol };

struct Token {
  TokenKind kind = TokenKind::end;
  std::uint32_t offset = 0;
  std::string text;  ///< decoded; of a symbol its characters
  bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
  bool is_word(std::string_view word) const { return kind == TokenKind::name && text == word; }
};

/// "line 1, column 5" of an offset in `text`.
base::Error path_error(base::ErrorCode code, std::string what, std::string_view text, std::size_t offset);

/// All tokens, the last one `end`.
base::Result<std::vector<Token>> path_tokens(std::string_view text);

/// A number as JSON writes it: without a plus and without needless zeros in front.
std::string plain_number(std::string_view text);

}  // namespace kiln::fhir::detail
