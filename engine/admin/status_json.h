#pragma once
// The status of a running site as JSON: what the dashboard, `kiln status` and `kiln top` show (operations.md §1 #2, §3).

#include <map>
#include <string>

#include "engine/admin/history.h"
#include "engine/base/json.h"

namespace kiln::engine {

class Gateway;

/// The whole: head and channels. Counters go on over orderly restarts, but `accepted`, `not_stored` and `unframed`, which begin with
/// the process; `quarantined` and `pending` are of now. On the engine's executor.
std::string print_status(const Gateway& gateway);
/// One object a channel, by its name.
std::map<std::string, std::string> channel_statuses(const Gateway& gateway);
/// Everything but the channels, as members of an object: version, disk, totals, problems, verdict.
void write_status_head(base::JsonWriter& json, const Gateway& gateway);
/// What the history keeps of each channel.
std::map<std::string, ChannelSample> sample_channels(const Gateway& gateway);

}  // namespace kiln::engine
