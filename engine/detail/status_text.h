#pragma once
#include <string>

#include "engine/base/json.h"
#include "engine/command.h"

namespace kiln::engine::detail {

/// The answer of GET /status for people: verdict, problems, one line a channel and destination.
std::string print_status_text(base::JsonView status, const Arguments& arguments);

}  // namespace kiln::engine::detail
