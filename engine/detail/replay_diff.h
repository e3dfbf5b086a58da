#pragma once
// `kiln replay --diff`: what the maps on disk, or another version of one, would have sent; read-only, without
// an engine.

#include "engine/base/json.h"
#include "engine/command.h"

namespace kiln::engine::detail {

/// Exit code: 0 when every output is as it was sent, 1 when one differs.
int run_replay_diff(const Arguments& arguments);

/// One output of a message in a replay or a preview.
void print_output(base::JsonView output);
/// How outputs compare, and in which paths they differ.
void print_preview_totals(base::JsonView root);

}  // namespace kiln::engine::detail
