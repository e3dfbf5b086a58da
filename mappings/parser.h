#pragma once
// From source text to the syntax tree (hmap.md §16, §20).

#include "engine/base/diagnostic.h"
#include "mappings/ast.h"

namespace kiln::mappings {

/// Parses file `source` of the map: the whole grammar, in any file. Never fails and never recurses deeper
/// than limits::kHmapNestingMax; every syntax error is reported (E0001 … E0014) and the parse goes on at the
/// next statement, so one pass reports several. With errors the tree lacks the broken statements or holds
/// ast::Invalid; it is good for further messages, not for compiling.
ast::File parse(const base::SourceMap& sources, std::uint32_t source, base::Diagnostics& diagnostics);

}  // namespace kiln::mappings
