// Several connections of one destination: outputs of one key stay in order, different keys go side by side
// (`connections N`, `order by`).

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/delivery.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::Task;
using channels::SendOutcome;
using std::chrono::milliseconds;
using Kind = SendOutcome::Kind;

/// Until the queue stops or changes.
Task<void> DeliveryQueue::run_lanes() {
  lanes_ = destinations_.size();
  for (std::size_t lane = 0; lane < destinations_.size(); ++lane) base::spawn(run_lane(lane));
  while (lanes_ > 0) co_await recorded_.wait(milliseconds(20));
}

Task<void> DeliveryQueue::run_lane(std::size_t lane) {
  while (!stopping_ && !next_) {
    const bool closed = is_closed();
    const Entry* entry = paused_ || closed ? nullptr : next_free();
    if (entry != nullptr) {
      auto sending = send_one(lane, entry->id);
      co_await std::move(sending);
      while (unrecorded_ >= base::limits::kUnrecordedSendsMax && !stopping_)
        co_await recorded_.wait(milliseconds(20));
    } else if (!paused_ && !closed && !loading_ && (more_in_journal_ || !reclaim_.empty())) {
      loading_ = true;
      auto loading = load_more();
      co_await std::move(loading);
      loading_ = false;
      if (idle_lanes_ > 0) wake_.notify();
    } else {
      ++idle_lanes_;
      std::chrono::nanoseconds left = until_due();
      if (closed && !paused_) left = milliseconds(kHoursLookMs);
      co_await wake_.wait(left);
      --idle_lanes_;
    }
  }
  --lanes_;
  recorded_.notify();
}

/// The oldest output whose key is not being sent, delayed or blocked.
DeliveryQueue::Entry* DeliveryQueue::next_free() {
  const base::MonoTime now = clock_.mono();
  std::unordered_set<std::string_view> seen;
  for (Entry& entry : window_) {
    if (entry.foreign && &entry != &window_.front()) return nullptr;
    const bool waits = entry.sending || entry.blocked || entry.not_before > now;
    if (entry.foreign) return waits ? nullptr : &entry;
    if (!seen.insert(entry.key).second || waits) continue;
    return &entry;
  }
  return nullptr;
}

DeliveryQueue::Entry* DeliveryQueue::find(MessageId id) {
  const auto found =
      std::find_if(window_.begin(), window_.end(), [id](const Entry& entry) { return entry.id == id; });
  return found == window_.end() ? nullptr : &*found;
}

/// Until the first delayed key may be tried again; without limit when none is.
std::chrono::nanoseconds DeliveryQueue::until_due() const {
  const base::MonoTime now = clock_.mono();
  std::chrono::nanoseconds out = milliseconds(-1);
  for (const Entry& entry : window_) {
    if (entry.not_before <= now || entry.sending) continue;
    const std::chrono::nanoseconds left = entry.not_before - now;
    if (out.count() < 0 || left < out) out = left;
  }
  return out;
}

/// One output, until it has ended, or its key has to wait. Where the receiver cannot be reached the lane
/// waits, and keeps its output; a refusal concerns the key alone.
Task<void> DeliveryQueue::send_one(std::size_t lane, MessageId id) {
  find(id)->sending = true;
  while (!stopping_ && !next_) {
    if (find(id)->suspect) {
      auto counting = count_suspect(id);
      const bool counted = co_await std::move(counting);
      if (find(id) == nullptr) co_return;
      if (!counted) {
        const std::chrono::nanoseconds pause = std::exchange(delay_, {});
        co_await wake_.wait(pause);
        continue;
      }
    }
    channels::Outgoing message = outgoing(*find(id));
    base::failpoint_here("delivery.send.before");
    auto sending = destinations_[lane]->send(std::move(message));
    const base::MonoTime began = clock_.mono();
    const SendOutcome outcome = co_await std::move(sending);
    meter_.attempt.observe(clock_.mono() - began);
    base::failpoint_here("delivery.send.after");
    Entry& entry = *find(id);
    ++entry.attempts;
    tell_attempt(entry, outcome);
    if (std::exchange(entry.suspect, false))
      journal_.forget_sending(id, settings_.channel, settings_.destination);
    const Settled settled = settle(entry, outcome);
    if (settled == Settled::ended) co_return erase(id);
    if (settled == Settled::blocked) break;
    const std::chrono::nanoseconds delay = std::exchange(delay_, {});
    entry.not_before = clock_.mono() + delay;
    if (outcome.kind == Kind::negative) break;
    while (!stopping_ && !next_ && (paused_ || is_closed() || find(id)->not_before > clock_.mono())) {
      std::chrono::nanoseconds left = find(id)->not_before - clock_.mono();
      if (is_closed()) left = milliseconds(kHoursLookMs);
      if (paused_) left = milliseconds(-1);
      co_await wake_.wait(left);
    }
  }
  if (Entry* entry = find(id)) entry->sending = false;
  if (idle_lanes_ > 0) wake_.notify();  // its key is held now: others may make room
}

/// An output has ended: the next of its key may go.
void DeliveryQueue::erase(MessageId id) {
  const auto found =
      std::find_if(window_.begin(), window_.end(), [id](const Entry& entry) { return entry.id == id; });
  const std::string key = std::move(found->key);
  window_bytes_ -= found->output.body.size();
  window_.erase(found);
  --counters_.pending;
  if (!skipped_.empty() && skipped_.contains(key) &&
      std::none_of(window_.begin(), window_.end(), [&key](const Entry& entry) { return entry.key == key; }))
    reclaim_.insert(key);
  if (idle_lanes_ > 0) wake_.notify();
}

/// More of the queue into the window. When held keys fill it, they make room first.
Task<void> DeliveryQueue::load_more() {
  if (!reclaim_.empty()) {
    std::string key = *reclaim_.begin();
    reclaim_.erase(reclaim_.begin());
    auto reclaiming = reclaim(std::move(key));
    co_await std::move(reclaiming);
    co_return;
  }
  const auto is_full = [this] {
    return window_.size() >= base::limits::kDeliveryWindowMax / 2 ||
           window_bytes_ >= base::limits::kDeliveryWindowBytesMax / 2;
  };
  if (is_full()) skip_held_keys();
  if (!is_full()) {
    auto filling = fill();
    co_await std::move(filling);
    co_return;
  }
  // As many keys are held as fit into memory.
  ++idle_lanes_;
  co_await wake_.wait(until_due());
  --idle_lanes_;
}

/// True: outputs of that key are read from the journal when its turn comes, and this is one of them.
bool DeliveryQueue::skips(const std::string& key, MessageId id) {
  const auto found = skipped_.find(key);
  if (found == skipped_.end()) return false;
  if (found->second.pushed == 0) found->second.pushed = id;
  return true;
}

/// Of each key that has to wait only the first output stays in memory.
void DeliveryQueue::skip_held_keys() {
  const base::MonoTime now = clock_.mono();
  std::map<std::string, bool> held;  // by key: whether it waits
  std::deque<Entry> kept;
  for (Entry& entry : window_) {
    const auto [at, first] =
        held.try_emplace(entry.key, entry.blocked || (!entry.sending && entry.not_before > now));
    if (first || !at->second || entry.foreign) {
      kept.push_back(std::move(entry));
      continue;
    }
    window_bytes_ -= entry.output.body.size();
    MessageId& from = skipped_.try_emplace(entry.key, Skipped{entry.id, 0}).first->second.from;
    from = std::min(from, entry.id);
  }
  window_ = std::move(kept);
}

/// The outputs of a key that were left in the journal, a part at a time.
Task<void> DeliveryQueue::reclaim(std::string key) {
  using Loaded = base::Result<std::vector<PendingOutput>>;
  if (!skipped_.contains(key)) co_return;
  MessageId after = skipped_.at(key).from - 1;
  skipped_.at(key).pushed = 0;
  const MessageId complete_up_to = std::min(pushed_up_to_, loaded_up_to_);
  std::size_t taken = 0;
  bool at_end = false;
  while (!at_end && taken < limits::kKeyOutputsMax && !stopping_) {
    base::Completion<Loaded> completion(executor_);
    journal_.read_pending(settings_.channel, settings_.destination, after, base::limits::kDeliveryWindowMax,
                          base::limits::kDeliveryWindowBytesMax,
                          [completion](Loaded read) { completion.set(std::move(read)); });
    Loaded loaded = co_await completion;
    if (!loaded) {
      reclaim_.insert(key);
      co_await wake_.wait(milliseconds(1000));
      co_return;
    }
    at_end = loaded->empty();
    for (PendingOutput& output : *loaded) {
      at_end = output.id > complete_up_to;
      if (at_end || taken == limits::kKeyOutputsMax) break;
      after = output.id;
      if (output.output.order_key != key) continue;
      ++taken;
      take(std::move(output));
    }
  }
  Skipped& skipped = skipped_.at(key);
  if (!at_end) {
    skipped.from = after + 1;
  } else if (skipped.pushed != 0) {
    skipped.from = skipped.pushed;
  } else {
    skipped_.erase(key);
    reclaim_.erase(key);
  }
  if (taken == 0 && skipped_.contains(key)) reclaim_.insert(key);
}

}  // namespace kiln::engine
