#pragma once
// Which replays are refused before anything is sent.

#include <memory>
#include <vector>

#include "engine/pipeline.h"
#include "engine/replay_preview.h"

namespace kiln::engine {

using LiveChannels = std::vector<std::unique_ptr<ChannelRuntime>>;

/// A name that no channel has would send the messages nowhere. Errors: channel_not_found, destination_not_found.
base::Status check_names(const ReplaySpec& spec, const LiveChannels& channels);
/// Whether a replay that was looked at may begin. Errors: replay_sent, replay_stale.
base::Status refuse_doubles(const ReplaySpec& spec, const ReplayPreview& preview);

}  // namespace kiln::engine
