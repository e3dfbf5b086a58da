#pragma once
// Who works at the command line, for what is kept of it.

#include <string>

#include "engine/command.h"

namespace kiln::engine::detail {

/// {"by", "reason"} with the user of the process and --reason; `more` are members to add, `"a":1`.
std::string operator_body(const Arguments& arguments, const std::string& more = {});

}  // namespace kiln::engine::detail
