#pragma once
// The canonical style of hmap files: what `kiln fmt` writes (hmap.md §15).
//
// Only blanks and line breaks change; tokens and comments stay, in their order. Line breaks are the author's,
// except: braces that span lines end their line with `{` and begin one with `}`, statements of such a block
// stand on a line each, `else` follows the `}` of such a block, and blank lines are at most one. Everything
// else follows from the tree: indentation by two, one blank between tokens, two between items of a line, and
// in neighbouring lines the operators, arrows, columns and trailing comments stand below each other.

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/diagnostic.h"

namespace kiln::mappings {

/// The text of file `source` in canonical style; nothing when the file has syntax errors, which are then in
/// `diagnostics`. format(format(x)) == format(x), and the syntax trees of both are equal but for the spans.
std::optional<std::string> format(const base::SourceMap& sources, std::uint32_t source,
                                  base::Diagnostics& diagnostics);

}  // namespace kiln::mappings
