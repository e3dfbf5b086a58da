#pragma once
// What operators do to a running site, as plain functions: the control API has a route for each
// (operations.md §2). Home executor. Texts are JSON.

#include <string>

#include "engine/base/result.h"
#include "engine/base/task.h"

namespace kiln::engine {

class Gateway;

/// Who does it; goes into what is kept of it.
struct Operator {
  std::string name = "local";
  std::string reason;
};

/// {"channels": [{"name", "state", "source", "port", "pending", "destinations": [{"name", "state", "pending",
/// "blocked_messages"}], "held": [{"what", "state", "by", "since", "reason"}]}]}
std::string list_channels(Gateway& gateway);

/// start, stop, pause, resume, drain, pause-source, resume-source. {"state"}; of resume also {"resumed":
/// frozen links that go on}. It is durable before it is answered. Errors: channel_not_found; bad_value for
/// another action; of the connector when the listener cannot be opened.
base::Task<base::Result<std::string>> control_channel(Gateway* gateway, std::string channel,
                                                      std::string action, Operator who);
/// pause, resume (also after a block), retry-now, skip (quarantines the blocked messages, or all that wait for a destination that
/// the site does not have). {"state"}, of skip {"skipped"}. Errors: destination_not_found, bad_value.
base::Task<base::Result<std::string>> control_destination(Gateway* gateway, std::string channel,
                                                          std::string destination, std::string action,
                                                          Operator who);
/// Quarantines (`operator-hold`) what waits for a destination that the site does not have. {"skipped"}. Errors: destination_not_found
/// when nothing does; state_conflict while a reload runs.
base::Task<base::Result<std::string>> set_aside_stranded(Gateway* gateway, std::string channel, std::string destination);

}  // namespace kiln::engine
