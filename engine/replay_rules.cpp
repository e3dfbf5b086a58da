#include "engine/replay_rules.h"

#include <algorithm>

#include "engine/base/diagnostic.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Status;

Status check_names(const ReplaySpec& spec, const LiveChannels& channels) {
  const auto is_named = [&spec](const auto& one) { return one->definition().name == spec.channel; };
  if (!spec.channel.empty() && std::none_of(channels.begin(), channels.end(), is_named))
    return base::fail(ErrorCode::channel_not_found, {}, spec.channel, "`kiln channel list` names them");
  std::vector<std::string> names;
  for (const auto& channel : channels)
    if (spec.channel.empty() || spec.channel == channel->definition().name)
      for (const auto& destination : channel->definition().destinations)
        names.push_back(channel->definition().name + "/" + destination.name);
  for (const std::string& wanted : spec.to) {
    const auto is_meant = [&wanted](const std::string& name) {
      return name == wanted || name.substr(name.find('/') + 1) == wanted;
    };
    if (wanted == "all" || std::any_of(names.begin(), names.end(), is_meant)) continue;
    std::vector<std::string_view> spellings;
    for (const std::string& name : names) {
      spellings.push_back(name);
      spellings.push_back(std::string_view(name).substr(name.find('/') + 1));
    }
    const std::string_view near = base::nearest(wanted, spellings);
    return base::fail(ErrorCode::destination_not_found, {}, wanted,
                      near.empty() ? "`kiln status` names them; `all`: wherever the maps send it"
                                   : "did you mean `" + std::string(near) + "`?");
  }
  return {};
}

Status refuse_doubles(const ReplaySpec& spec, const ReplayPreview& preview) {
  if (preview.sent > 0 && !spec.to.empty() && !spec.include_sent)
    return base::fail(ErrorCode::replay_sent,
                      std::to_string(preview.sent) + " of " + std::to_string(preview.matched) +
                          " messages were delivered there already",
                      {}, "--include-sent sends them again; --dry-run shows them");
  if (!spec.allow_stale && (preview.stale > 0 || !preview.stale_complete))
    return base::fail(ErrorCode::replay_stale,
                      preview.stale_complete
                          ? "for " + std::to_string(preview.stale) + " keys a newer message was sent already"
                          : "too many newer messages to see whether one overtook these",
                      {}, "--allow-stale sends them all the same");
  return {};
}

}  // namespace kiln::engine
