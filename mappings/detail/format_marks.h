#pragma once
// What the formatter must know of a token beyond its kind: its place in the syntax tree.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "mappings/ast.h"
#include "mappings/detail/lexer.h"

namespace kiln::mappings::detail {

enum Mark : std::uint16_t {
  kMarkDeclaration = 1,  ///< first token of a declaration, `module` or `use`
  kMarkItem = 2,         ///< first token of an item of a brace list
  kMarkOwnLine = 4,      ///< item of a list that spans lines: always on a line of its own
  kMarkValue = 8,        ///< first token of an expression: tells `(`, `[` and `.` from their postfix forms
  kMarkBody = 16,        ///< `{` of a block of statements or clauses
  kMarkTight = 32,       ///< no blank before it, none after an opening one
  kMarkWide = 64,        ///< a colon with blanks on both sides
  kMarkLabel = 128,      ///< `@` of a label: a blank before it
  kMarkInside = 256      ///< inside an address: joined to the token before
};

/// Columns that neighbouring lines share, in the order in which they are aligned.
enum class Stop : std::uint8_t { none, declaration, option, header, field, colon, assign, arrow };

struct Marks {
  std::unordered_map<std::uint32_t, std::uint16_t> flags;  ///< by offset of the token
  std::unordered_map<std::uint32_t, Stop> stops;           ///< by offset of the token that is aligned

  bool has(const Token& token, Mark mark) const {
    const auto at = flags.find(token.begin);
    return at != flags.end() && (at->second & mark) != 0;
  }
};

/// `tokens` are those the tree was made of.
Marks mark_tokens(const ast::File& file, const std::vector<Token>& tokens);

}  // namespace kiln::mappings::detail
