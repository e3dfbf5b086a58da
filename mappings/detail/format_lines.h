#pragma once
// Lines of the canonical text before they are aligned, and the alignment.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mappings/detail/format_marks.h"

namespace kiln::mappings::detail {

struct Line {
  std::size_t indent = 0;
  std::string text;     ///< without indentation and trailing comment; may hold line breaks of a text block
  std::string comment;  ///< trailing, or the whole line when text is empty
  bool blank_before = false;
  bool starts_item = false;
  std::uint32_t group = 0;  ///< the braces its first token stands in
  /// Tokens of the line's only item that neighbouring lines share a column with: kind and position in text.
  struct Column {
    Stop kind = Stop::none;
    std::size_t position = 0;
    std::size_t width = 0;  ///< of an operator that ends in the column; 0: it begins there
  };
  std::vector<Column> columns;
};

/// Puts the columns of neighbouring lines below each other, and their trailing comments.
void align(std::vector<Line>& lines);
/// Characters of UTF-8 text.
std::size_t display_width(std::string_view text);

}  // namespace kiln::mappings::detail
