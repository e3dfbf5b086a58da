#include "engine/delivery.h"

#include <algorithm>
#include <utility>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/text.h"

namespace kiln::engine {

using base::Task;
using channels::SendOutcome;
using std::chrono::milliseconds;
using Kind = SendOutcome::Kind;
namespace limits = base::limits;

DeliveryQueue::DeliveryQueue(Settings settings, Connectors connectors, Journal& journal,
                             base::TimerExecutor& executor, const base::Clock& clock, base::Random& random)
    : settings_(std::move(settings)),
      destinations_(std::move(connectors)),
      journal_(journal),
      executor_(executor),
      clock_(clock),
      random_(random),
      wake_(executor),
      recorded_(executor),
      meter_(settings_.channel, settings_.destination) {
  meter_.attach(counters_.sent, counters_.quarantined, counters_.retries, counters_.rejected, counters_.expired);
}

namespace {

DeliveryQueue::Connectors only(std::unique_ptr<channels::Destination> destination) {
  DeliveryQueue::Connectors out;
  out.push_back(std::move(destination));
  return out;
}

}  // namespace

DeliveryQueue::DeliveryQueue(Settings settings, std::unique_ptr<channels::Destination> destination,
                             Journal& journal, base::TimerExecutor& executor, const base::Clock& clock,
                             base::Random& random)
    : DeliveryQueue(std::move(settings), only(std::move(destination)), journal, executor, clock, random) {}

DeliveryQueue::~DeliveryQueue() {
  *alive_ = false;
}

base::Status DeliveryQueue::start(std::uint64_t waiting, MessageId last_id, bool clean_stop) {
  for (const auto& destination : destinations_) TRY_VOID(destination->start());
  return start_as_is(waiting, last_id, clean_stop);
}

base::Status DeliveryQueue::start_as_is(std::uint64_t waiting, MessageId last_id, bool clean_stop) {
  counters_.pending = waiting;
  more_in_journal_ = waiting > 0;
  pushed_up_to_ = last_id;
  // Ends are recorded after the send without waiting, so after a crash up to that many may have arrived
  // unrecorded. With several connections they need not be the first ones.
  if (!clean_stop && waiting > 0) {
    suspects_ = limits::kUnrecordedSendsMax + destinations_.size() * destinations_.front()->batch_max();
    if (is_keyed()) doubt_up_to_ = last_id;
  }
  running_ = true;
  base::spawn(run());
  return {};
}

/// An output enters the window.
void DeliveryQueue::take(PendingOutput output) {
  const bool doubtful = output.id <= doubt_up_to_;
  if (suspects_ > 0 || doubtful) {
    output.suspect = suspects_ > 0;
    if (suspects_ > 0) --suspects_;
    output.in_doubt = true;
    // Also for the start after this one, should the engine be stopped before it is sent.
    journal_.note_attempt(output.id, settings_.channel, settings_.destination, output.attempts, true,
                          doubt_noted(output.id));
  }
  Entry entry;
  static_cast<PendingOutput&>(entry) = std::move(output);
  entry.key = entry.output.order_key;
  entry.foreign = !entry.key.starts_with(settings_.order_id) || settings_.order_id.empty();
  entry.blocked = blocked_at_start_.erase(entry.id) > 0;
  window_bytes_ += entry.output.body.size();
  window_.push_back(std::move(entry));
}

void DeliveryQueue::push(PendingOutput output) {
  ++counters_.pending;
  pushed_up_to_ = output.id;
  const bool full =
      window_.size() >= limits::kDeliveryWindowMax || window_bytes_ >= limits::kDeliveryWindowBytesMax;
  if (more_in_journal_ || full) {
    more_in_journal_ = true;
    if (idle_lanes_ > 0) wake_.notify();
    return;
  }
  loaded_up_to_ = output.id;
  if (is_keyed() && skips(output.output.order_key, output.id)) return;
  take(std::move(output));
  if (window_.size() == 1 || idle_lanes_ > 0) wake_.notify();
}

void DeliveryQueue::resume() {
  blocked_at_start_.clear();
  for (Entry& entry : window_) {
    if (!std::exchange(entry.blocked, false)) continue;
    entry.attempts = 0;
    entry.not_before = {};
  }
  tell_blocks();
  wake_.notify();
}

void DeliveryQueue::pause() {
  paused_ = true;
}

void DeliveryQueue::unpause() {
  if (std::exchange(paused_, false)) wake_.notify();
}

void DeliveryQueue::retry_now() {
  for (Entry& entry : window_) entry.not_before = {};
  resume();
}

std::size_t DeliveryQueue::set_aside_blocked() {
  std::vector<MessageId> ids;
  for (const Entry& entry : window_)
    if (entry.blocked && !entry.sending) ids.push_back(entry.id);
  SendOutcome outcome;
  outcome.kind = Kind::bad;
  outcome.code = "operator-hold";
  outcome.detail = "an operator set it aside so that those behind it go on";
  for (const MessageId id : ids) {
    end(*find(id), DeliveryState::quarantined, outcome);
    ++counters_.quarantined;
    erase(id);
  }
  if (!ids.empty()) {
    tell_blocks();
    wake_.notify();
  }
  return ids.size();
}

void DeliveryQueue::exchange(Settings settings, Connectors connectors) {
  if (next_) destroy_later(std::move(next_->connectors));
  next_.emplace(Next{std::move(settings), std::move(connectors)});
  wake_.notify();
}

/// Of a version that was replaced before it was used.
void DeliveryQueue::destroy_later(Connectors connectors) {
  base::spawn(stop_connectors(std::move(connectors)));
}

/// Between two sends. What is in memory is read again when the order of the new connectors is another one.
Task<void> DeliveryQueue::change_over() {
  Next next = std::move(*next_);
  next_.reset();
  Connectors old = std::exchange(destinations_, std::move(next.connectors));
  settings_ = std::move(next.settings);
  const bool was_keyed = old.size() > 1;
  auto stopping = stop_connectors(std::move(old));
  co_await std::move(stopping);
  if (was_keyed || is_keyed()) {
    while (unrecorded_ > given_up_ && !stopping_) {
      journal_.flush();
      co_await recorded_.wait(milliseconds(20));
    }
    if (unrecorded_ > 0) co_return;
    window_.clear();
    window_bytes_ = 0;
    skipped_.clear();
    reclaim_.clear();
    loaded_up_to_ = 0;
    more_in_journal_ = true;
  }
  delay_ = {};
  counters_.last_error.clear();
  resume();
}

Task<void> DeliveryQueue::stop_connectors(Connectors connectors) {
  for (const auto& connector : connectors) co_await connector->stop();
}

void DeliveryQueue::begin_stop() {
  if (std::exchange(stopping_, true)) return;
  wake_.notify();
  base::spawn(stop_destination());
}

Task<void> DeliveryQueue::stop_destination() {
  for (std::size_t i = 0; i < destinations_.size(); ++i) co_await destinations_[i]->stop();
  if (next_)
    for (std::size_t i = 0; i < next_->connectors.size(); ++i) co_await next_->connectors[i]->stop();
  destination_stopped_ = true;
  recorded_.notify();
}

Task<void> DeliveryQueue::stop() {
  begin_stop();
  while (running_ || !destination_stopped_) co_await recorded_.wait(milliseconds(20));
  co_await wait_for_records();
}

/// Until every end of this queue is durable or has failed.
Task<void> DeliveryQueue::wait_for_records() {
  journal_.flush();
  while (unrecorded_ > given_up_) co_await recorded_.wait(milliseconds(20));
}

Task<void> DeliveryQueue::run() {
  while (!stopping_) {
    auto working = next_ ? change_over() : is_keyed() ? run_lanes() : run_in_order();
    co_await std::move(working);
  }
  running_ = false;
}

/// One connection: until the queue stops or changes.
Task<void> DeliveryQueue::run_in_order() {
  while (!stopping_ && !next_) {
    if (paused_ || (!window_.empty() && window_.front().blocked)) {
      co_await wake_.wait(milliseconds(-1));
    } else if (is_closed()) {
      co_await wake_.wait(milliseconds(kHoursLookMs));
    } else if (window_.empty() && more_in_journal_) {
      co_await fill();
    } else if (window_.empty()) {
      co_await wake_.wait(milliseconds(-1));
    } else {
      co_await gather();
      if (stopping_ || next_ || paused_ || is_closed()) continue;
      co_await send_batch();
      while (unrecorded_ >= limits::kUnrecordedSendsMax && !stopping_)
        co_await recorded_.wait(milliseconds(20));
      if (delay_.count() > 0 && !stopping_) {
        next_try_ = clock_.mono() + delay_;
        co_await wake_.wait(delay_);
        delay_ = {};
      }
    }
  }
}

/// Lets a batch fill, unless it is full or its first output has waited already.
Task<void> DeliveryQueue::gather() {
  channels::Destination& destination = *destinations_.front();
  const std::int64_t wait_ms = destination.gather_ms();
  if (wait_ms == 0 || window_.front().attempts > 0 || window_.size() >= destination.batch_max()) co_return;
  co_await wake_.wait(milliseconds(wait_ms));
}

/// Loads the next part of the queue from the journal, as far as it was pushed: beyond that a later message
/// may be durable while an earlier one is not yet (its commit failed and will be repeated), and reading on
/// would lose the earlier one.
Task<void> DeliveryQueue::fill() {
  using Loaded = base::Result<std::vector<PendingOutput>>;
  base::Completion<Loaded> completion(executor_);
  const MessageId after = loaded_up_to_;
  const MessageId complete_up_to = pushed_up_to_;
  journal_.read_pending(settings_.channel, settings_.destination, after, limits::kDeliveryWindowMax,
                        limits::kDeliveryWindowBytesMax,
                        [completion](Loaded r) { completion.set(std::move(r)); });
  Loaded loaded = co_await completion;
  base::failpoint_here("delivery.load");
  if (!loaded) {
    base::log(base::LogLevel::error, "queue-not-readable",
              {{"channel", base::Safe::name(settings_.channel)},
               {"destination", base::Safe::name(settings_.destination)},
               {"error", base::Safe::code(loaded.error().code)}});
    co_await wake_.wait(milliseconds(1000));
    co_return;
  }
  bool any = false;
  for (PendingOutput& output : *loaded) {
    if (output.id > complete_up_to) break;
    any = true;
    loaded_up_to_ = output.id;
    if (is_keyed() && skips(output.output.order_key, output.id)) continue;
    take(std::move(output));
  }
  if (any) co_return;
  suspects_ = 0;
  loaded_up_to_ = std::max(loaded_up_to_, complete_up_to);
  more_in_journal_ = pushed_up_to_ > complete_up_to;  // pushed while the read was under way
}

channels::Outgoing DeliveryQueue::outgoing(Entry& output) const {
  output.began = clock_.wall();
  output.trace = AttemptTrace::begin(output.id);
  channels::Outgoing out;
  out.msg_id = output.id;
  out.channel = settings_.channel;
  out.destination = settings_.destination;
  out.bytes = output.output.body;
  out.csv_header = output.output.csv_header;
  out.kind = output.output.kind;
  out.control_id = output.output.control_id;
  out.attempt = output.attempts + 1;
  out.in_doubt = output.in_doubt;
  out.rendered = output.output.rendered;
  out.traceparent = output.trace.traceparent();
  return out;
}

/// To traces and, at level debug, to the log.
void DeliveryQueue::tell_attempt(const Entry& output, const SendOutcome& outcome) const {
  const bool sent = outcome.kind == Kind::sent;
  output.trace.end(settings_.channel, settings_.destination, output.began, output.attempts, sent, outcome.error);
  base::log(base::LogLevel::debug, "attempt",
            {{"channel", base::Safe::name(settings_.channel)},
             {"destination", base::Safe::name(settings_.destination)},
             {"msg", static_cast<std::int64_t>(output.id)},
             {"code", sent ? base::Safe("sent") : base::Safe::code(outcome.error)}});
}

/// Counts the attempt that is about to be made for a suspect. False: it is not made, because it ended the
/// process too often, or because it could not be counted.
Task<bool> DeliveryQueue::count_suspect(MessageId id) {
  base::Completion<base::Result<std::uint32_t>> counted(executor_);
  journal_.note_sending(
      id, settings_.channel, settings_.destination,
      [counted](base::Result<std::uint32_t> attempts) { counted.set(std::move(attempts)); });
  const base::Result<std::uint32_t> attempts = co_await counted;
  if (!attempts) {
    delay_ = milliseconds(1000);
    co_return false;
  }
  if (*attempts < kPoisonAttempts) co_return true;
  base::log(base::LogLevel::error, "poison-crash",
            {{"channel", base::Safe::name(settings_.channel)},
             {"destination", base::Safe::name(settings_.destination)},
             {"msg", static_cast<std::int64_t>(id)}});
  SendOutcome outcome;
  outcome.kind = Kind::bad;
  outcome.code = kPoisonCode;
  outcome.detail = "sending did not end " + std::to_string(*attempts) + " times";
  end(*find(id), DeliveryState::quarantined, outcome);
  ++counters_.quarantined;
  erase(id);
  co_return false;
}

void DeliveryQueue::pop() {
  window_bytes_ -= window_.front().output.body.size();
  window_.pop_front();
  --counters_.pending;
}

/// One attempt for the head of the queue and as many behind it as the destination takes at once. What may
/// have ended the process goes alone.
Task<void> DeliveryQueue::send_batch() {
  if (window_.front().suspect) {
    auto counting = count_suspect(window_.front().id);
    const bool counted = co_await std::move(counting);
    if (!counted) co_return;
  }
  std::vector<channels::Outgoing> batch;
  const std::size_t most =
      window_.front().suspect ? 1 : std::min(window_.size(), destinations_.front()->batch_max());
  for (std::size_t i = 0; i < most && (i == 0 || !(window_[i].suspect || window_[i].blocked)); ++i)
    batch.push_back(outgoing(window_[i]));
  base::failpoint_here("delivery.send.before");
  auto sending = destinations_.front()->send_batch(std::move(batch));
  const base::MonoTime began = clock_.mono();
  const std::vector<SendOutcome> outcomes = co_await std::move(sending);
  meter_.attempt.observe(clock_.mono() - began);
  base::failpoint_here("delivery.send.after");
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Entry& head = window_.front();
    ++head.attempts;
    tell_attempt(head, outcomes[i]);
    if (std::exchange(head.suspect, false))
      journal_.forget_sending(head.id, settings_.channel, settings_.destination);
    if (settle(head, outcomes[i]) != Settled::ended) {
      note_doubts(outcomes, i + 1);
      co_return;
    }
    pop();
  }
}

/// Outputs behind the one that ended the batch may have arrived as well: those from outcome `first` on are
/// now at the places 1, 2, … of the window.
void DeliveryQueue::note_doubts(const std::vector<SendOutcome>& outcomes, std::size_t first) {
  for (std::size_t i = first; i < outcomes.size(); ++i) {
    if (outcomes[i].kind != Kind::in_doubt) continue;
    PendingOutput& output = window_[i - first + 1];
    ++output.attempts;
    output.in_doubt = true;
    journal_.note_attempt(output.id, settings_.channel, settings_.destination, output.attempts, true,
                          doubt_noted(output.id));
  }
}

}  // namespace kiln::engine
