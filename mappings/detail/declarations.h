#pragma once
// Compiles the declarations of a library in order: maps, fragments on their own, standalone expressions.

#include "mappings/compiler.h"
#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

/// Compiles a map; nothing when its source or target is not understood (reported).
/// `request` gives further parameters, written in `file`; null: they are absent.
std::optional<MapInfo> compile_map(CompilerState& state, const Declaration& declaration,
                                   const MapRequest* request = nullptr, const LibraryFile* file = nullptr);
/// Checks a fragment by itself, so that its errors show even when nobody includes it.
void check_fragment(CompilerState& state, const Declaration& declaration);
std::optional<std::uint32_t> compile_expression(CompilerState& state, const ExpressionRequest& request);

}  // namespace kiln::mappings::detail
