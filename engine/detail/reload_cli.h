#pragma once
// What `kiln reload`, `apply`, `diff` and `rollback` share: asking the engine, and telling what it did.

#include <string>

#include "engine/command.h"

namespace kiln::engine::detail {

/// POST to /api/v1/config/TARGET with these further members; prints what was applied, or would be. Exit code:
/// 0, that of the error, or 1 in a dry run that found a difference.
int run_reload(const Arguments& arguments, const char* target, const std::string& members, bool dry_run);

/// Prints what differs between the running site and its files; 0 when nothing does, else 1.
int run_diff(const Arguments& arguments);

}  // namespace kiln::engine::detail
