#pragma once
// The metrics of the process that every Prometheus client shows (process_*).

#include <string>

#include "engine/base/clock.h"

namespace kiln::engine {

/// As Prometheus text.
std::string print_process_metrics(base::WallTime start);

}  // namespace kiln::engine
