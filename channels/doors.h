#pragma once
// Which channels with `source channel` take messages now: how a destination of one channel reaches another one in the same
// process.

#include <map>
#include <string>

#include "channels/intake.h"

namespace kiln::channels {

/// Of an Inbound: the channel it comes from, as peer.
inline constexpr std::string_view kChainPeer = "channel ";
/// Code of a delivery to a channel; its detail is "message 4812 of lab".
inline constexpr const char* kHandedOnCode = "handed-on";

/// One per running site. On the executor of the network.
class ChannelDoors {
 public:
  /// From now on `channel` takes messages. `intake` outlives close().
  void open(const std::string& channel, Intake& intake) { open_[channel] = &intake; }
  /// The same intake is given: another version of the channel may have opened meanwhile.
  void close(const std::string& channel, const Intake& intake) {
    const auto at = open_.find(channel);
    if (at != open_.end() && at->second == &intake) open_.erase(at);
  }
  /// nullptr: it is stopped, or not there.
  Intake* find(const std::string& channel) const {
    const auto at = open_.find(channel);
    return at == open_.end() ? nullptr : at->second;
  }

 private:
  std::map<std::string, Intake*> open_;
};

}  // namespace kiln::channels
