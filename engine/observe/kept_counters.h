#pragma once
// Counters of messages that go on over an orderly restart (operations.md §4). After a crash they begin at 0: a total that is a few
// too small would look to Prometheus like a reset and count everything a second time, one that begins anew is understood.

#include <set>
#include <string>

#include "engine/base/env.h"
#include "engine/base/metrics.h"

namespace kiln::engine {

/// What is kept in the file, as JSON.
std::string print_counters(const base::Metrics& metrics);
/// Adds what was kept, of channels that the site has. A text that is none adds nothing.
void add_counters(base::Metrics& metrics, const std::string& text, const std::set<std::string>& channels);

}  // namespace kiln::engine
