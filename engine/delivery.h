#pragma once
// Delivery of one destination's queue: in order, one batch at a time, retried by policy (reliability.md R2,
// R4, R6; operations.md §6).

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "engine/base/calendar.h"
#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/base/task.h"
#include "engine/journal/journal.h"
#include "engine/observe/meters.h"
#include "engine/observe/traces.h"

namespace kiln::engine {

/// What operations sees of a queue.
struct QueueStatus {
  std::uint64_t pending = 0;
  MeteredCount sent, quarantined, retries;  ///< since start
  MeteredCount rejected, expired;           ///< ended by `nak … skip`: with a negative answer, without one
  std::uint64_t in_doubt = 0;               ///< of those that are in memory
  base::WallTime oldest;                    ///< receipt of the message at the head; 0: none waits
  base::WallTime last_sent;                 ///< 0: nothing yet
  bool blocked =
      false;  ///< waits for an operator (nak … block, retry … stop): whole, or with `order by` some keys
  bool paused = false;               ///< an operator holds it
  std::string closed;                ///< outside of its `hours`: when it opens, for people; empty: it is open
  std::size_t blocked_messages = 0;  ///< with `order by` one per blocked key, else at most 1
  MessageId head = 0;                ///< message that is tried now or next; 0 when none
  std::uint32_t head_attempts = 0;
  std::int64_t next_try_ms = -1;  ///< until the next attempt; -1 when none is scheduled
  std::string last_error;         ///< one line without content
};

/// Everything on the executor's thread. The queue itself is in the journal; this object keeps a window of it
/// in memory. With one connector its order is strict; with several (`connections N`, `order by`) it is strict
/// among the outputs of one key, and a key that is refused or blocked holds only itself.
class DeliveryQueue {
 public:
  static constexpr std::int64_t kHoursLookMs = 15'000;  ///< between two looks at the clock, outside of `hours`
  /// One per connection, at least one.
  using Connectors = std::vector<std::unique_ptr<channels::Destination>>;
  struct Settings {
    std::string channel, destination;
    channels::RetryPolicy retry;
    channels::NakPolicy nak;
    std::string order_id = {};  ///< DestinationDefinition::order_id
    std::optional<base::OpenHours> hours = {};  ///< nothing: always open
    std::shared_ptr<const void> options =
        {};  ///< what the connectors were made of, kept as long as they are used
  };
  /// All references outlive stop().
  DeliveryQueue(Settings settings, Connectors connectors, Journal& journal, base::TimerExecutor& executor,
                const base::Clock& clock, base::Random& random);
  DeliveryQueue(Settings settings, std::unique_ptr<channels::Destination> destination, Journal& journal,
                base::TimerExecutor& executor, const base::Clock& clock, base::Random& random);
  ~DeliveryQueue();

  /// Starts the connector and the worker. `waiting` outputs are in the journal already, all of messages up to
  /// `last_id`; when the last stop was not orderly, those that may have been sent without being recorded are
  /// marked in doubt and sent one at a time, each counted before: what ends the process kPoisonAttempts times
  /// is quarantined `poison-crash` (reliability.md R8).
  base::Status start(std::uint64_t waiting, MessageId last_id, bool clean_stop);
  /// The same with connectors that are started already.
  base::Status start_as_is(std::uint64_t waiting, MessageId last_id, bool clean_stop);
  /// Takes a durable output. Calls come in message order: nothing below `output.id` becomes durable later.
  void push(PendingOutput output);
  /// `done` gets the end of that message here, once, if it is still to come; nothing when the queue stops
  /// before. The handle ends the wait when it goes, and may outlive the queue.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept
        : queue_(std::exchange(other.queue_, nullptr)), alive_(std::move(other.alive_)), id_(other.id_), number_(other.number_) {}
    Watch& operator=(Watch&&) = delete;
    ~Watch() {
      if (queue_ != nullptr && *alive_) queue_->unwatch(id_, number_);
    }

   private:
    friend class DeliveryQueue;
    Watch(DeliveryQueue* queue, MessageId id, std::uint64_t number)
        : queue_(queue), alive_(queue->alive_), id_(id), number_(number) {}
    DeliveryQueue* queue_ = nullptr;
    std::shared_ptr<const bool> alive_;
    MessageId id_ = 0;
    std::uint64_t number_ = 0;
  };
  [[nodiscard]] Watch watch(MessageId id, std::function<void(const Ending&)> done) {
    watchers_.emplace(id, Watcher{++watches_, std::move(done)});
    return Watch(this, id, watches_);
  }
  /// Goes on after a block with a fresh attempt count. Does not end a pause.
  void resume();
  /// Holds the queue after the sends in progress: it goes on taking outputs, and sends none. Also before
  /// start().
  void pause();
  void unpause();
  /// Does not wait for the end of a back-off; also ends a block.
  void retry_now();
  /// Messages that were blocked when the process ended; before start(). They wait for resume() again.
  void block_at_start(std::set<MessageId> messages) { blocked_at_start_ = std::move(messages); }
  /// Told of each change of the blocked messages, so that they outlive the process.
  void on_blocks(std::function<void(const std::set<MessageId>&)> tell) { tell_blocks_ = std::move(tell); }
  /// From the next send on, other settings and connectors, which are started. The old ones are stopped; what
  /// was blocked is tried again.
  void exchange(Settings settings, Connectors connectors);
  /// An output of it was set aside before it came here.
  void count_set_aside() { ++counters_.quarantined; }
  /// Quarantines the messages that are blocked (`operator-hold`), so that those behind them go on. How many.
  std::size_t set_aside_blocked();
  /// Ends the attempt in progress and waits until its outcome is recorded, or cannot be (then unrecorded() is
  /// not 0).
  base::Task<void> stop();
  /// Begins what stop() waits for: with many queues, all stop side by side and none adds its wait to
  /// another's.
  void begin_stop();

  QueueStatus status() const;
  std::uint64_t pending() const { return counters_.pending; }
  channels::ConnectorStatus connector_status() const;
  const std::string& name() const { return settings_.destination; }
  /// Outcomes that are not durable. After stop(): the journal would not take them, so the next start must
  /// take them as in doubt.
  std::size_t unrecorded() const { return unrecorded_; }
  /// False when the next start must take the first outputs as in doubt, as after a crash.
  bool is_orderly() const {
    return unrecorded_ == 0 && doubts_.empty() && suspects_ == 0 && loaded_up_to_ >= doubt_up_to_;
  }
  bool is_watched() const { return !watchers_.empty(); }
  /// Every output of a message up to here is in the journal, or has ended.
  MessageId pushed_up_to() const { return pushed_up_to_; }

 private:
  struct Entry : PendingOutput {
    std::string key;       ///< of `order by`
    bool foreign = false;  ///< the key is of another `order by`, or missing: nothing behind it goes before it
    bool sending = false, blocked = false;
    base::WallTime began;  ///< of the last attempt
    base::MonoTime not_before{0};
    AttemptTrace trace;  ///< of the attempt under way
  };
  /// Of a key: outputs from `from` on are in the journal only, until those of the key in the window have
  /// ended.
  struct Skipped {
    MessageId from = 0;
    MessageId pushed = 0;  ///< first output that came while they were read; 0: none
  };
  enum class Settled : std::uint8_t { ended, later, blocked };

  base::Task<void> run();
  base::Task<void> run_in_order();
  base::Task<void> stop_destination();
  base::Task<void> change_over();
  static base::Task<void> stop_connectors(Connectors connectors);
  static void destroy_later(Connectors connectors);
  base::Task<void> fill();
  base::Task<void> gather();
  base::Task<void> send_batch();
  base::Task<bool> count_suspect(MessageId id);
  void take(PendingOutput output);
  void pop();
  base::Task<void> wait_for_records();
  /// `later`: stop this batch and wait `delay_`.
  Settled settle(Entry& output, const channels::SendOutcome& outcome);
  void tell_attempt(const Entry& output, const channels::SendOutcome& outcome) const;
  channels::NakAction action_for(const PendingOutput& output, const channels::SendOutcome& outcome) const;
  std::function<void(base::Status)> doubt_noted(MessageId id);
  void note_attempt(const Entry& output, const channels::SendOutcome& outcome);
  void note_doubts(const std::vector<channels::SendOutcome>& outcomes, std::size_t first);
  void retry_later(Entry& output, const channels::SendOutcome& outcome);
  void block(Entry& entry, const channels::SendOutcome& outcome);
  void skip(Entry& output, const channels::SendOutcome& outcome);
  void tell_blocks() const;

  // Several connections (delivery_lanes.cpp).
  bool is_closed() const { return settings_.hours && !settings_.hours->open(clock_.wall()); }
  bool is_keyed() const { return destinations_.size() > 1; }
  base::Task<void> run_lanes();
  base::Task<void> run_lane(std::size_t lane);
  base::Task<void> send_one(std::size_t lane, MessageId id);
  base::Task<void> load_more();
  base::Task<void> reclaim(std::string key);
  Entry* next_free();
  Entry* find(MessageId id);
  std::chrono::nanoseconds until_due() const;
  bool skips(const std::string& key, MessageId id);
  void skip_held_keys();
  void erase(MessageId id);

  void end(const PendingOutput& output, DeliveryState state, const channels::SendOutcome& outcome);
  void record(MessageId id, std::shared_ptr<const Ending> ending);
  void recorded(MessageId id, std::shared_ptr<const Ending> ending, bool ok);
  /// For an attempt that begins now.
  channels::Outgoing outgoing(Entry& output) const;
  std::chrono::nanoseconds backoff(std::uint32_t attempts);

  Settings settings_;
  Connectors destinations_;
  Journal& journal_;
  base::TimerExecutor& executor_;
  const base::Clock& clock_;
  base::Random& random_;

  struct Watcher {
    std::uint64_t number;
    std::function<void(const Ending&)> done;
  };
  void unwatch(MessageId id, std::uint64_t number) {
    const auto [first, last] = watchers_.equal_range(id);
    const auto found = std::find_if(first, last, [number](const auto& one) { return one.second.number == number; });
    if (found != last) watchers_.erase(found);
  }
  std::multimap<MessageId, Watcher> watchers_;
  std::uint64_t watches_ = 0;
  std::deque<Entry> window_;
  std::size_t window_bytes_ = 0;
  MessageId loaded_up_to_ = 0;  ///< last message that entered the window
  MessageId pushed_up_to_ = 0;  ///< everything up to here that will ever be in this queue is in the journal
  bool more_in_journal_ = false;
  std::size_t suspects_ = 0;   ///< how many of the next outputs may have been sent before a crash
  MessageId doubt_up_to_ = 0;  ///< with several connections: all up to here may have been
  std::map<std::string, Skipped> skipped_;  ///< by key
  std::set<std::string> reclaim_;           ///< keys of `skipped_` whose outputs in the window have ended
  std::size_t lanes_ = 0, idle_lanes_ = 0;  ///< coroutines of run_lane() that run, that wait
  bool loading_ = false;
  struct Next {
    Settings settings;
    Connectors connectors;
  };
  std::optional<Next> next_;  ///< of exchange()
  std::set<MessageId> blocked_at_start_;
  std::function<void(const std::set<MessageId>&)> tell_blocks_;

  base::Event wake_;
  base::Event recorded_;
  std::size_t unrecorded_ = 0;  ///< ends not yet durable
  bool flush_due_ = false;      ///< a timer runs that makes the journal commit them
  std::size_t given_up_ = 0;    ///< of these: refused by the journal after stop() began
  std::set<MessageId> doubts_;  ///< in doubt, and the journal does not say so (yet)
  std::chrono::nanoseconds delay_{0};
  base::MonoTime next_try_{0};
  bool paused_ = false, stopping_ = false, running_ = false, destination_stopped_ = false;
  QueueStatus counters_;
  QueueMeter meter_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
