#pragma once
// Problems of a site that its channels and queues do not show by themselves.

#include <vector>

#include "engine/admin/verdict.h"

namespace kiln::engine {

class Gateway;

/// What the journal holds that needs somebody: the open quarantine, what waits for destinations and channels that the site does
/// not have (Observer::open_books()).
void find_open_books(const Gateway& gateway, std::vector<Problem>& out);
/// Alerts that fire and say more than `out` does already.
void find_alerts(const Gateway& gateway, std::vector<Problem>& out);

}  // namespace kiln::engine
