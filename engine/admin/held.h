#pragma once
// Who holds something back, since when and why, and what lets it go on: for the status and `kiln why`.

#include <string>
#include <vector>

#include "engine/gateway.h"

namespace kiln::engine {

struct Held {
  std::string text;     ///< "paused by ann since 2026-11-23T09:14:23Z: the receiver is updated"
  std::string command;  ///< "kiln destination resume adt_in/pas"
};

/// What keeps a destination from sending: it is paused itself, or its channel. Nothing: no operator does.
std::vector<Held> holds_of_destination(const Holds& holds, const std::string& channel, const std::string& destination);
/// What is held of the channel itself: its deliveries, its listener, its reading.
std::vector<Held> holds_of_channel(const Holds& holds, const std::string& channel);

}  // namespace kiln::engine
