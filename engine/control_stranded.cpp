// What waits for a destination that the site does not have: no queue serves it, an operator can give it up.

#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/control.h"
#include "engine/gateway.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;

namespace {

/// While a reload runs, a queue may still end what it sends, or a new one begin.
bool is_served(const Gateway& gateway, const std::string& channel, const std::string& destination) {
  if (gateway.reloads().is_running()) return true;
  for (const auto& runtime : gateway.channels())
    if (runtime->definition().name == channel && runtime->find_queue(destination) != nullptr) return true;
  return false;
}

Ending given_up(const PendingOutput& output, const std::string& destination) {
  Ending ending;
  ending.destination = destination;
  ending.state = DeliveryState::quarantined;
  ending.code = "operator-hold";
  ending.detail = "an operator gave it up: the site has no such destination";
  ending.attempts = output.attempts;
  ending.in_doubt = output.in_doubt;
  ending.sent_hash = base::sha256(output.output.body);
  return ending;
}

using Read = Result<std::vector<PendingOutput>>;

Task<Read> read_some(Gateway* gateway, std::string channel, std::string destination) {
  constexpr std::size_t kMost = 500, kBytesMost = 16u << 20;
  base::Completion<Read> read(gateway->executor());
  gateway->journal().read_pending(std::move(channel), std::move(destination), 0, kMost, kBytesMost,
                                  [read](Read found) { read.set(std::move(found)); });
  Read found = co_await read;
  co_return found;
}

}  // namespace

Task<Result<std::string>> set_aside_stranded(Gateway* gateway, std::string channel, std::string destination) {
  const std::string address = channel + "/" + destination;
  std::size_t done = 0;
  for (;;) {
    auto reading = read_some(gateway, channel, destination);
    const Read found = co_await std::move(reading);
    if (!found) co_return base::fail(found.error());
    if (found->empty()) break;
    if (is_served(*gateway, channel, destination))
      co_return base::fail(ErrorCode::state_conflict, "a reload is under way, or has brought it back", address);
    std::vector<base::Completion<Status>> ends;
    for (const PendingOutput& output : *found) {
      ends.emplace_back(gateway->executor());
      gateway->journal().end(output.id, channel, given_up(output, destination),
                             [ended = ends.back()](Status status) { ended.set(std::move(status)); });
    }
    gateway->journal().flush();
    for (const base::Completion<Status>& end : ends) {
      const Status status = co_await end;
      if (!status) co_return base::fail(status.error());
      ++done;
    }
  }
  if (done == 0) co_return base::fail(ErrorCode::destination_not_found, {}, address, "`kiln channel list` names them");
  gateway->reloads().forget_parked(address);
  base::log(base::LogLevel::warn, "quarantined",
            {{"channel", base::Safe::name(channel)},
             {"destination", base::Safe::name(destination)},
             {"messages", static_cast<std::int64_t>(done)},
             {"code", base::Safe("operator-hold")}});
  co_return "{\"skipped\":" + std::to_string(done) + "}";
}

}  // namespace kiln::engine
