// What operators hold of a channel: `stop` closes its listener, `pause` keeps accepting and holds deliveries,
// a paused source stays connected and reads nothing (operations.md §2).

#include "engine/base/log.h"
#include "engine/pipeline.h"

namespace kiln::engine {

using base::Status;
using base::Task;

Status ChannelRuntime::start_intake() {
  watch_hours();
  const Status started = source_->start(*this);
  source_runs_ = started.has_value();
  if (started) stopped_ = draining_ = false;
  return started;
}

Task<Status> ChannelRuntime::stop_intake(bool drain) {
  stopped_ = true;
  draining_ = drain;
  auto stopping = stop_source();
  co_await std::move(stopping);
  if (drain) watch_drain();
  co_return Status{};
}

/// Drained when every queue is empty: looked at while one is not.
void ChannelRuntime::watch_drain() {
  if (!draining_ || source_runs_ || !storing_.empty()) return;
  for (const auto& queue : queues_) {
    if (queue->status().pending == 0) continue;
    if (std::exchange(drain_watched_, true)) return;
    parts_.executor->post_after(std::chrono::milliseconds(200), [this, alive = alive_] {
      if (!*alive) return;
      drain_watched_ = false;
      watch_drain();
    });
    return;
  }
  draining_ = false;
  base::log(base::LogLevel::info, "channel-drained",
            {{"channel", base::Safe::name(parts_.definition->name)}});
}

/// Looks at the hours of the source now, and while there are any from time to time.
void ChannelRuntime::watch_hours() {
  const bool closed = hours_ && !hours_->open(parts_.clock->wall());
  if (std::exchange(source_closed_, closed) != closed)
    base::log(base::LogLevel::info, closed ? base::Safe("source-closed") : base::Safe("source-opened"),
              {{"channel", base::Safe::name(parts_.definition->name)}});
  if (!closed) source_resumed_.notify();
  if (!hours_ || std::exchange(hours_watched_, true)) return;
  parts_.executor->post_after(std::chrono::milliseconds(DeliveryQueue::kHoursLookMs), [this, alive = alive_] {
    if (!*alive) return;
    hours_watched_ = false;
    watch_hours();
  });
}

std::string ChannelRuntime::closed() const {
  return source_closed_ ? hours_->reason(parts_.clock->wall()) : std::string();
}

/// Nothing when they have begun and watch_hours() has not seen it yet: that is soon.
std::optional<std::int64_t> ChannelRuntime::closed_seconds() const {
  constexpr std::int64_t kMicros = 1'000'000, kDay = 86'400;
  const base::WallTime now = parts_.clock->wall();
  if (!source_closed_ || hours_->open(now)) return std::nullopt;
  const auto next = hours_->next(now);
  return next ? (next->micros - now.micros + kMicros - 1) / kMicros : kDay;
}

void ChannelRuntime::pause_source(bool paused) {
  source_paused_ = paused;
  if (!paused) source_resumed_.notify();
}

void ChannelRuntime::pause_deliveries(bool paused) {
  paused_ = paused;
  for (const auto& queue : queues_) {
    if (paused) queue->pause();
    if (!paused && !paused_destinations_.contains(queue->name())) queue->unpause();
  }
}

bool ChannelRuntime::pause_destination(const std::string& name, bool paused) {
  DeliveryQueue* queue = find_queue(name);
  if (queue == nullptr) return false;
  if (paused) {
    paused_destinations_.insert(name);
    queue->pause();
  } else {
    paused_destinations_.erase(name);
    if (!paused_) queue->unpause();
  }
  return true;
}

ChannelState ChannelRuntime::state() const {
  if (draining_) return ChannelState::draining;
  if (stopped_) return ChannelState::stopped;
  if (paused_ || source_paused_) return ChannelState::paused;
  return source_closed_ ? ChannelState::closed : ChannelState::running;
}

}  // namespace kiln::engine
