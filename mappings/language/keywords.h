#pragma once
// The words of the language, by where they stand: for completion, for the editor's grammar, and for the
// reference page. A test compares them with the words that the parser asks for.

#include <cstdint>
#include <span>
#include <string_view>

namespace kiln::mappings {

enum class WordPlace : std::uint8_t {
  declaration,  ///< begins a declaration
  statement,    ///< begins a statement of a block
  expression,   ///< part of an expression
  clause,       ///< belongs to a declaration or statement
  policy,       ///< what happens to bad, null, unmapped and missing values
  channel       ///< clauses of `channel`
};

struct LanguageWord {
  std::string_view text;
  WordPlace place;
  std::string_view summary;
  std::string_view example;
};

/// Sorted by place, then by text. Static storage.
std::span<const LanguageWord> language_words();
/// "declaration"
std::string_view name_of(WordPlace place);

}  // namespace kiln::mappings
