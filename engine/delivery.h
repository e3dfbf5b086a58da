#pragma once
// Delivery of one destination's queue: in order, one batch at a time, retried by policy (reliability.md R2,
// R4, R6; operations.md §6).

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "channels/connector.h"
#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/base/task.h"
#include "engine/journal/journal.h"
#include "engine/observe/meters.h"

namespace kiln::engine {

/// What operations sees of a queue.
struct QueueStatus {
  std::uint64_t pending = 0;
  MeteredCount sent, quarantined, retries;  ///< since start
  std::uint64_t in_doubt = 0;        ///< of those that are in memory
  base::WallTime oldest;             ///< receipt of the message at the head; 0: none waits
  base::WallTime last_sent;          ///< 0: nothing yet
  bool blocked = false;  ///< waits for an operator (nak … block, retry … stop)
  MessageId head = 0;    ///< message that is tried now or next; 0 when none
  std::uint32_t head_attempts = 0;
  std::int64_t next_try_ms = -1;  ///< until the next attempt; -1 when none is scheduled
  std::string last_error;         ///< one line without content
};

/// Everything on the executor's thread. The queue itself is in the journal; this object keeps a window of it
/// in memory.
class DeliveryQueue {
 public:
  struct Settings {
    std::string channel, destination;
    channels::RetryPolicy retry;
    channels::NakPolicy nak;
  };
  /// All references outlive stop().
  DeliveryQueue(Settings settings, std::unique_ptr<channels::Destination> destination, Journal& journal,
                base::TimerExecutor& executor, const base::Clock& clock, base::Random& random);
  ~DeliveryQueue();

  /// Starts the connector and the worker. `waiting` outputs are in the journal already, all of messages up to
  /// `last_id`; when the last stop was not orderly, those that may have been sent without being recorded are
  /// marked in doubt and sent one at a time, each counted before: what ends the process kPoisonAttempts times is
  /// quarantined `poison-crash` (reliability.md R8).
  base::Status start(std::uint64_t waiting, MessageId last_id, bool clean_stop);
  /// Takes a durable output. Calls come in message order: nothing below `output.id` becomes durable later.
  void push(PendingOutput output);
  /// `done` gets the end of that message here, once, if it is still to come; nothing when the queue stops before.
  void watch(MessageId id, std::function<void(const Ending&)> done) { watchers_.emplace(id, std::move(done)); }
  void unwatch(MessageId id) { watchers_.erase(id); }
  /// Goes on after a block with a fresh attempt count.
  void resume();
  /// Ends the attempt in progress and waits until its outcome is recorded, or cannot be (then unrecorded() is
  /// not 0).
  base::Task<void> stop();
  /// Begins what stop() waits for: with many queues, all stop side by side and none adds its wait to
  /// another's.
  void begin_stop();

  QueueStatus status() const;
  std::uint64_t pending() const { return counters_.pending; }
  channels::ConnectorStatus connector_status() const { return destination_->status(); }
  const std::string& name() const { return settings_.destination; }
  /// Outcomes that are not durable. After stop(): the journal would not take them, so the next start must
  /// take them as in doubt.
  std::size_t unrecorded() const { return unrecorded_; }
  /// False when the next start must take the first outputs as in doubt, as after a crash.
  bool is_orderly() const { return unrecorded_ == 0 && suspects_ == 0; }

 private:
  base::Task<void> run();
  base::Task<void> stop_destination();
  base::Task<void> fill();
  base::Task<void> gather();
  base::Task<void> send_batch();
  base::Task<bool> count_suspect();
  void pop();
  base::Task<void> wait_for_records();
  /// False: stop this batch and wait `delay_`.
  bool settle(PendingOutput& output, const channels::SendOutcome& outcome);
  void note_doubts(const std::vector<channels::SendOutcome>& outcomes, std::size_t first);
  void retry_later(PendingOutput& output, const channels::SendOutcome& outcome);
  void block(const channels::SendOutcome& outcome);
  void end(const PendingOutput& output, DeliveryState state, const channels::SendOutcome& outcome);
  void record(MessageId id, std::shared_ptr<const Ending> ending);
  void recorded(MessageId id, std::shared_ptr<const Ending> ending, bool ok);
  channels::Outgoing outgoing(const PendingOutput& output) const;
  std::chrono::nanoseconds backoff(std::uint32_t attempts);

  Settings settings_;
  std::unique_ptr<channels::Destination> destination_;
  Journal& journal_;
  base::TimerExecutor& executor_;
  const base::Clock& clock_;
  base::Random& random_;

  std::multimap<MessageId, std::function<void(const Ending&)>> watchers_;
  std::deque<PendingOutput> window_;
  std::size_t window_bytes_ = 0;
  MessageId loaded_up_to_ = 0;  ///< last message that entered the window
  MessageId pushed_up_to_ = 0;  ///< everything up to here that will ever be in this queue is in the journal
  bool more_in_journal_ = false;
  std::size_t suspects_ = 0;  ///< how many of the next outputs may have been sent before a crash

  base::Event wake_;
  base::Event recorded_;
  std::size_t unrecorded_ = 0;  ///< ends not yet durable
  bool flush_due_ = false;      ///< a timer runs that makes the journal commit them
  std::size_t given_up_ = 0;    ///< of these: refused by the journal after stop() began
  std::chrono::nanoseconds delay_{0};
  base::MonoTime next_try_{0};
  bool blocked_ = false, stopping_ = false, running_ = false, destination_stopped_ = false;
  QueueStatus counters_;
  QueueMeter meter_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
