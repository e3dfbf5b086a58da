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

DeliveryQueue::DeliveryQueue(Settings settings, std::unique_ptr<channels::Destination> destination,
                             Journal& journal, base::TimerExecutor& executor, const base::Clock& clock,
                             base::Random& random)
    : settings_(std::move(settings)),
      destination_(std::move(destination)),
      journal_(journal),
      executor_(executor),
      clock_(clock),
      random_(random),
      wake_(executor),
      recorded_(executor),
      meter_(settings_.channel, settings_.destination) {
  base::Metrics& all = base::Metrics::process();
  const base::Safe channel = base::Safe::name(settings_.channel), name = base::Safe::name(settings_.destination);
  counters_.sent.attach(all.counter(base::Metric::messages_sent_total, {channel, name}));
  counters_.quarantined.attach(all.counter(base::Metric::messages_quarantined_total, {channel, name}));
  counters_.retries.attach(all.counter(base::Metric::retries_total, {channel, name}));
}

DeliveryQueue::~DeliveryQueue() {
  *alive_ = false;
}

base::Status DeliveryQueue::start(std::uint64_t waiting, MessageId last_id, bool clean_stop) {
  TRY_VOID(destination_->start());
  counters_.pending = waiting;
  more_in_journal_ = waiting > 0;
  pushed_up_to_ = last_id;
  // Ends are recorded after the send without waiting, so after a crash up to that many may have arrived
  // unrecorded.
  if (!clean_stop && waiting > 0) suspects_ = limits::kUnrecordedSendsMax + destination_->batch_max();
  running_ = true;
  base::spawn(run());
  return {};
}

void DeliveryQueue::push(PendingOutput output) {
  ++counters_.pending;
  pushed_up_to_ = output.id;
  const bool full =
      window_.size() >= limits::kDeliveryWindowMax || window_bytes_ >= limits::kDeliveryWindowBytesMax;
  if (more_in_journal_ || full) {
    more_in_journal_ = true;
    return;
  }
  loaded_up_to_ = output.id;
  window_bytes_ += output.output.body.size();
  window_.push_back(std::move(output));
  if (window_.size() == 1) wake_.notify();
}

void DeliveryQueue::resume() {
  if (!blocked_) return;
  blocked_ = false;
  if (!window_.empty()) window_.front().attempts = 0;
  wake_.notify();
}

void DeliveryQueue::begin_stop() {
  if (std::exchange(stopping_, true)) return;
  wake_.notify();
  base::spawn(stop_destination());
}

Task<void> DeliveryQueue::stop_destination() {
  co_await destination_->stop();
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
    if (blocked_) {
      co_await wake_.wait(milliseconds(-1));
    } else if (window_.empty() && more_in_journal_) {
      co_await fill();
    } else if (window_.empty()) {
      co_await wake_.wait(milliseconds(-1));
    } else {
      co_await gather();
      if (stopping_) break;
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
  running_ = false;
}

/// Lets a batch fill, unless it is full or its first output has waited already.
Task<void> DeliveryQueue::gather() {
  const std::int64_t wait_ms = destination_->gather_ms();
  if (wait_ms == 0 || window_.front().attempts > 0 || window_.size() >= destination_->batch_max()) co_return;
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
    if (suspects_ > 0) {
      --suspects_;
      output.in_doubt = output.suspect = true;
      // Also for the start after this one, should the engine be stopped before it is sent.
      journal_.note_attempt(output.id, settings_.channel, settings_.destination, output.attempts, true, nullptr);
    }
    window_bytes_ += output.output.body.size();
    window_.push_back(std::move(output));
  }
  if (any) co_return;
  suspects_ = 0;
  loaded_up_to_ = std::max(loaded_up_to_, complete_up_to);
  more_in_journal_ = pushed_up_to_ > complete_up_to;  // pushed while the read was under way
}

channels::Outgoing DeliveryQueue::outgoing(const PendingOutput& output) const {
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
  return out;
}

/// Counts the attempt that is about to be made for the suspect at the head. False: it is not made, because it ended
/// the process too often, or because it could not be counted.
Task<bool> DeliveryQueue::count_suspect() {
  base::Completion<base::Result<std::uint32_t>> counted(executor_);
  journal_.note_sending(window_.front().id, settings_.channel, settings_.destination,
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
             {"msg", static_cast<std::int64_t>(window_.front().id)}});
  SendOutcome outcome;
  outcome.kind = Kind::bad;
  outcome.code = kPoisonCode;
  outcome.detail = "sending did not end " + std::to_string(*attempts) + " times";
  end(window_.front(), DeliveryState::quarantined, outcome);
  ++counters_.quarantined;
  pop();
  co_return false;
}

void DeliveryQueue::pop() {
  window_bytes_ -= window_.front().output.body.size();
  window_.pop_front();
  --counters_.pending;
}

/// One attempt for the head of the queue and as many behind it as the destination takes at once. What may have ended
/// the process goes alone.
Task<void> DeliveryQueue::send_batch() {
  if (window_.front().suspect) {
    auto counting = count_suspect();
    const bool counted = co_await std::move(counting);
    if (!counted) co_return;
  }
  std::vector<channels::Outgoing> batch;
  const std::size_t most = window_.front().suspect ? 1 : std::min(window_.size(), destination_->batch_max());
  for (std::size_t i = 0; i < most && (i == 0 || !window_[i].suspect); ++i) batch.push_back(outgoing(window_[i]));
  base::failpoint_here("delivery.send.before");
  auto sending = destination_->send_batch(std::move(batch));
  const base::MonoTime began = clock_.mono();
  const std::vector<SendOutcome> outcomes = co_await std::move(sending);
  meter_.attempt.observe(clock_.mono() - began);
  base::failpoint_here("delivery.send.after");
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    PendingOutput& head = window_.front();
    ++head.attempts;
    if (std::exchange(head.suspect, false))
      journal_.forget_sending(head.id, settings_.channel, settings_.destination);
    if (!settle(head, outcomes[i])) {
      note_doubts(outcomes, i + 1);
      co_return;
    }
    pop();
  }
}

/// Outputs behind the one that ended the batch may have arrived as well: those from outcome `first` on are now
/// at the places 1, 2, … of the window.
void DeliveryQueue::note_doubts(const std::vector<SendOutcome>& outcomes, std::size_t first) {
  for (std::size_t i = first; i < outcomes.size(); ++i) {
    if (outcomes[i].kind != Kind::in_doubt) continue;
    PendingOutput& output = window_[i - first + 1];
    ++output.attempts;
    output.in_doubt = true;
    journal_.note_attempt(output.id, settings_.channel, settings_.destination, output.attempts, true, nullptr);
  }
}

bool DeliveryQueue::settle(PendingOutput& output, const SendOutcome& outcome) {
  if (outcome.kind == Kind::sent) {
    end(output, DeliveryState::sent, outcome);
    ++counters_.sent;
    counters_.last_sent = clock_.wall();
    counters_.last_error.clear();
    return true;
  }
  counters_.last_error = std::string(base::error_info(outcome.error).code) +
                         (outcome.detail.empty() ? "" : ": " + outcome.detail);
  auto action = channels::NakAction::retry;
  if (outcome.kind == Kind::bad) action = channels::NakAction::quarantine;
  if (outcome.kind == Kind::negative)
    action = outcome.code.ends_with('R') ? settings_.nak.on_reject : settings_.nak.on_error;
  const channels::RetryPolicy& retry = settings_.retry;
  if (action == channels::NakAction::retry && !retry.forever && output.attempts >= retry.attempts_max)
    action = retry.then == channels::RetryEnd::quarantine ? channels::NakAction::quarantine
                                                          : channels::NakAction::block;
  switch (action) {
    case channels::NakAction::retry:
      retry_later(output, outcome);
      return false;
    case channels::NakAction::block:
      block(outcome);
      return false;
    case channels::NakAction::quarantine:
      break;
  }
  end(output, DeliveryState::quarantined, outcome);
  ++counters_.quarantined;
  return true;
}

void DeliveryQueue::retry_later(PendingOutput& output, const SendOutcome& outcome) {
  ++counters_.retries;
  base::failpoint_here("delivery.retry");
  if (outcome.kind == Kind::in_doubt) output.in_doubt = true;
  journal_.note_attempt(output.id, settings_.channel, settings_.destination, output.attempts, output.in_doubt,
                        nullptr);
  delay_ = backoff(output.attempts);
  if (outcome.retry_after_ms)
    delay_ = std::max<std::chrono::nanoseconds>(delay_, milliseconds(*outcome.retry_after_ms));
  if (output.attempts == 1 || output.attempts % 16 == 0)
    base::log(base::LogLevel::warn, "delivery-retry",
              {{"channel", base::Safe::name(settings_.channel)},
               {"destination", base::Safe::name(settings_.destination)},
               {"msg", static_cast<std::int64_t>(output.id)},
               {"attempts", output.attempts},
               {"error", base::Safe::code(outcome.error)}});
}

void DeliveryQueue::block(const SendOutcome& outcome) {
  blocked_ = true;
  base::log(base::LogLevel::error, "destination-blocked",
            {{"channel", base::Safe::name(settings_.channel)},
             {"destination", base::Safe::name(settings_.destination)},
             {"msg", static_cast<std::int64_t>(window_.front().id)},
             {"error", base::Safe::code(outcome.error)}});
}

void DeliveryQueue::end(const PendingOutput& output, DeliveryState state, const SendOutcome& outcome) {
  Ending ending;
  ending.destination = settings_.destination;
  ending.state = state;
  ending.code = outcome.code;
  if (ending.code.empty() && state != DeliveryState::sent) ending.code = base::error_info(outcome.error).code;
  ending.detail = outcome.detail;
  ending.reply = outcome.reply;
  ending.attempts = output.attempts;
  ending.in_doubt = output.in_doubt;
  ending.sent_hash = base::sha256(output.output.body);
  ++unrecorded_;
  meter_.delivery.observe(std::chrono::microseconds(clock_.wall().micros - output.received.micros));
  const auto [first, last] = watchers_.equal_range(output.id);
  for (auto watcher = first; watcher != last; ++watcher) watcher->second(ending);
  watchers_.erase(first, last);
  record(output.id, std::make_shared<const Ending>(std::move(ending)));
}

void DeliveryQueue::record(MessageId id, std::shared_ptr<const Ending> ending) {
  auto done = [this, id, ending, alive = alive_, executor = &executor_](base::Status status) {
    executor->post([this, id, ending, alive, ok = status.has_value()] {
      if (*alive) recorded(id, ending, ok);
    });
  };
  base::failpoint_here("delivery.record");
  journal_.end(id, settings_.channel, *ending, std::move(done));
  if (std::exchange(flush_due_, true)) return;
  executor_.post_after(milliseconds(limits::kRecordDelayMs), [this, alive = alive_] {
    if (!*alive) return;
    flush_due_ = false;
    journal_.flush();
  });
}

/// While the disk is full an end is tried again every second: the message went out, and forgetting that would
/// send it twice after a restart. It counts as unrecorded all the while, so that no more than the limit goes
/// out unrecorded.
void DeliveryQueue::recorded(MessageId id, std::shared_ptr<const Ending> ending, bool ok) {
  if (ok) {
    base::failpoint_here("delivery.recorded");
    --unrecorded_;
  } else if (stopping_) {
    ++given_up_;
  } else {
    executor_.post_after(milliseconds(1000), [this, id, ending, alive = alive_] {
      if (*alive) record(id, ending);
    });
    return;
  }
  recorded_.notify();
}

/// Doubles from the smallest to the largest; jitter takes a random point of the upper half.
std::chrono::nanoseconds DeliveryQueue::backoff(std::uint32_t attempts) {
  const channels::RetryPolicy& retry = settings_.retry;
  std::int64_t delay = std::max<std::int64_t>(1, retry.backoff_min_ms);
  for (std::uint32_t i = 1; i < attempts && delay < retry.backoff_max_ms; ++i) delay *= 2;
  delay = std::min(delay, std::max<std::int64_t>(1, retry.backoff_max_ms));
  if (retry.jitter && delay > 1)
    delay = delay / 2 +
            static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(delay - delay / 2))) + 1;
  return milliseconds(delay);
}

QueueStatus DeliveryQueue::status() const {
  QueueStatus out = counters_;
  out.blocked = blocked_;
  if (!window_.empty()) {
    out.head = window_.front().id;
    out.head_attempts = window_.front().attempts;
    out.oldest = window_.front().received;
  }
  out.in_doubt = static_cast<std::uint64_t>(
      std::count_if(window_.begin(), window_.end(), [](const PendingOutput& one) { return one.in_doubt; }));
  if (delay_.count() > 0)
    out.next_try_ms = std::max<std::int64_t>(
        0, std::chrono::duration_cast<milliseconds>(next_try_ - clock_.mono()).count());
  return out;
}

}  // namespace kiln::engine
