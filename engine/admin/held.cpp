#include "engine/admin/held.h"

#include "engine/admin/message_json.h"

namespace kiln::engine {
namespace {

/// A backup that was restored holds everything (vault/backup.cpp).
constexpr const char* kByRestore = "restore";

std::string told(const std::string& what, const Hold& hold) {
  std::string out = what;
  if (!hold.by.empty()) out += hold.by == kByRestore ? std::string(" by a restore") : " by " + hold.by;
  if (hold.since.micros != 0) out += " since " + print_time(hold.since);
  if (!hold.reason.empty()) out += ": " + hold.reason;
  return out;
}

void add(const Holds& holds, const std::string& subject, HoldState state, const std::string& what, const std::string& command,
         std::vector<Held>& out) {
  const Hold* hold = holds.find(subject);
  if (hold != nullptr && hold->state == state) out.push_back({told(what, *hold), command});
}

}  // namespace

std::vector<Held> holds_of_destination(const Holds& holds, const std::string& channel, const std::string& destination) {
  std::vector<Held> out;
  const std::string address = channel + "/" + destination;
  add(holds, "destination:" + address, HoldState::paused, "paused", "kiln destination resume " + address, out);
  add(holds, "channel:" + channel, HoldState::paused, "paused with its channel", "kiln channel resume " + channel, out);
  return out;
}

std::vector<Held> holds_of_channel(const Holds& holds, const std::string& channel) {
  std::vector<Held> out;
  add(holds, "channel:" + channel, HoldState::paused, "paused", "kiln channel resume " + channel, out);
  add(holds, "source:" + channel, HoldState::stopped, "stopped", "kiln channel start " + channel, out);
  for (const char* subject : {"reading:", "source:"})
    add(holds, subject + channel, HoldState::paused, "its source is paused", "kiln channel resume " + channel + " --source", out);
  return out;
}

}  // namespace kiln::engine
