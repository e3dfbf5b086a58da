// What an attempt comes to: the policies `retry` and `nak`, the record of an end, what operations sees.

#include <algorithm>
#include <utility>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/delivery.h"

namespace kiln::engine {

using channels::SendOutcome;
using std::chrono::milliseconds;
using Kind = SendOutcome::Kind;
namespace limits = base::limits;

namespace {

/// An error as one line begins with its code, which stands beside it already, or the receiver's word for it.
std::string without_code(const std::string& detail, base::ErrorCode error) {
  const std::string_view code = base::error_info(error).code;
  const bool has = detail.starts_with(code) && detail.substr(code.size()).starts_with(": ");
  return has ? detail.substr(code.size() + 2) : detail;
}

}  // namespace

channels::NakAction DeliveryQueue::action_for(const PendingOutput& output, const SendOutcome& outcome) const {
  auto action = channels::NakAction::retry;
  if (outcome.kind == Kind::bad) action = channels::NakAction::quarantine;
  const channels::NakPolicy& nak = settings_.nak;
  if (outcome.kind == Kind::negative) {
    action = outcome.code.ends_with('R') ? nak.on_reject : nak.on_error;
    if (outcome.code == "CE") action = nak.on_commit_error.value_or(nak.on_error);
    if (outcome.code == "CR") action = nak.on_commit_reject.value_or(nak.on_reject);
  }
  if (outcome.kind == Kind::in_doubt && outcome.error == base::ErrorCode::timeout) action = nak.on_timeout;
  if (outcome.kind == Kind::in_doubt && outcome.error == base::ErrorCode::ack_foreign) action = nak.on_mismatch;
  const channels::RetryPolicy& retry = settings_.retry;
  if (action == channels::NakAction::retry && !retry.forever && output.attempts >= retry.attempts_max)
    action = retry.then == channels::RetryEnd::quarantine ? channels::NakAction::quarantine
                                                          : channels::NakAction::block;
  return action;
}

DeliveryQueue::Settled DeliveryQueue::settle(Entry& output, const SendOutcome& outcome) {
  if (outcome.kind == Kind::sent) {
    end(output, DeliveryState::sent, outcome);
    ++counters_.sent;
    counters_.last_sent = clock_.wall();
    counters_.last_error.clear();
    return Settled::ended;
  }
  // What the receiver answered, AR, says more than that it refused.
  const std::string code = outcome.code.empty() ? base::error_info(outcome.error).code : outcome.code;
  const std::string detail = without_code(outcome.detail, outcome.error);
  counters_.last_error = code + (detail.empty() ? "" : ": " + detail);
  switch (action_for(output, outcome)) {
    case channels::NakAction::retry:
      retry_later(output, outcome);
      return Settled::later;
    case channels::NakAction::block:
      block(output, outcome);
      return Settled::blocked;
    case channels::NakAction::skip:
      skip(output, outcome);
      return Settled::ended;
    case channels::NakAction::quarantine:
      break;
  }
  if (outcome.kind == Kind::in_doubt) output.in_doubt = true;
  end(output, DeliveryState::quarantined, outcome);
  ++counters_.quarantined;
  return Settled::ended;
}

/// Counts the attempt and keeps what came of it for the timeline of the message.
void DeliveryQueue::note_attempt(const Entry& output, const SendOutcome& outcome) {
  Attempt attempt;
  attempt.number = output.attempts;
  attempt.in_doubt = output.in_doubt;
  attempt.at = output.began;
  attempt.took_us = std::max<std::int64_t>(0, clock_.wall().micros - output.began.micros);
  attempt.code = outcome.code.empty() ? base::error_info(outcome.error).code : outcome.code;
  attempt.detail = without_code(outcome.detail, outcome.error);
  attempt.reply = outcome.reply;
  std::function<void(base::Status)> done;
  if (output.in_doubt) done = doubt_noted(output.id);
  journal_.note_attempt(output.id, settings_.channel, settings_.destination, std::move(attempt), std::move(done));
}

/// A full disk may not take the note. The next one, or the end, says it as well; a stop before that is no orderly one, so that the
/// next start marks what it sends.
std::function<void(base::Status)> DeliveryQueue::doubt_noted(MessageId id) {
  doubts_.insert(id);
  return [this, id, alive = alive_, executor = &executor_](base::Status status) {
    if (!status) return;
    executor->post([this, id, alive] {
      if (*alive) doubts_.erase(id);
    });
  };
}

void DeliveryQueue::retry_later(Entry& output, const SendOutcome& outcome) {
  ++counters_.retries;
  base::failpoint_here("delivery.retry");
  if (outcome.kind == Kind::in_doubt) output.in_doubt = true;
  note_attempt(output, outcome);
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

/// The policy says that it ends here: with a negative answer as rejected, without an answer as expired.
void DeliveryQueue::skip(Entry& output, const SendOutcome& outcome) {
  if (outcome.kind == Kind::in_doubt) output.in_doubt = true;
  base::log(base::LogLevel::warn, "delivery-skipped",
            {{"channel", base::Safe::name(settings_.channel)},
             {"destination", base::Safe::name(settings_.destination)},
             {"msg", static_cast<std::int64_t>(output.id)},
             {"error", base::Safe::code(outcome.error)}});
  const bool answered = outcome.kind == Kind::negative;
  ++(answered ? counters_.rejected : counters_.expired);
  end(output, answered ? DeliveryState::rejected : DeliveryState::expired, outcome);
}

void DeliveryQueue::block(Entry& entry, const SendOutcome& outcome) {
  entry.blocked = true;
  if (outcome.kind == Kind::in_doubt) entry.in_doubt = true;
  note_attempt(entry, outcome);
  tell_blocks();
  base::log(base::LogLevel::error, "destination-blocked",
            {{"channel", base::Safe::name(settings_.channel)},
             {"destination", base::Safe::name(settings_.destination)},
             {"msg", static_cast<std::int64_t>(entry.id)},
             {"error", base::Safe::code(outcome.error)}});
}

void DeliveryQueue::tell_blocks() const {
  if (!tell_blocks_) return;
  std::set<MessageId> blocked = blocked_at_start_;
  for (const Entry& entry : window_)
    if (entry.blocked) blocked.insert(entry.id);
  tell_blocks_(blocked);
}

void DeliveryQueue::end(const PendingOutput& output, DeliveryState state, const SendOutcome& outcome) {
  Ending ending;
  ending.destination = settings_.destination;
  ending.state = state;
  ending.code = outcome.code;
  if (ending.code.empty() && state != DeliveryState::sent) ending.code = base::error_info(outcome.error).code;
  ending.detail = without_code(outcome.detail, outcome.error);
  ending.reply = outcome.reply;
  ending.attempts = output.attempts;
  ending.in_doubt = output.in_doubt;
  ending.sent_hash = base::sha256(output.output.body);
  if (state == DeliveryState::quarantined)
    base::log(base::LogLevel::warn, "quarantined",
              {{"channel", base::Safe::name(settings_.channel)},
               {"destination", base::Safe::name(settings_.destination)},
               {"msg", static_cast<std::int64_t>(output.id)},
               {"code", base::Safe::name(ending.code)}});
  ++unrecorded_;
  meter_.delivery.observe(std::chrono::microseconds(clock_.wall().micros - output.received.micros));
  const auto [first, last] = watchers_.equal_range(output.id);
  for (auto watcher = first; watcher != last; ++watcher) watcher->second.done(ending);
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
    doubts_.erase(id);
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
  out.paused = paused_;
  if (is_closed()) out.closed = settings_.hours->reason(clock_.wall());
  out.blocked_messages = blocked_at_start_.size();
  for (const Entry& entry : window_) {
    out.blocked_messages += entry.blocked ? 1 : 0;
    out.in_doubt += entry.in_doubt ? 1 : 0;
  }
  out.blocked = out.blocked_messages > 0;
  if (!window_.empty()) {
    out.head = window_.front().id;
    out.head_attempts = window_.front().attempts;
    out.oldest = window_.front().received;
  }
  const base::MonoTime due = is_keyed() && !window_.empty() ? window_.front().not_before : next_try_;
  if (delay_.count() > 0 || (is_keyed() && due > clock_.mono()))
    out.next_try_ms =
        std::max<std::int64_t>(0, std::chrono::duration_cast<milliseconds>(due - clock_.mono()).count());
  return out;
}

channels::ConnectorStatus DeliveryQueue::connector_status() const {
  channels::ConnectorStatus out = destinations_.front()->status();
  for (std::size_t i = 1; i < destinations_.size(); ++i) {
    const channels::ConnectorStatus one = destinations_[i]->status();
    if (one.state == channels::ConnectorStatus::State::up) out.state = one.state;
    out.connections += one.connections;
    out.connections_total += one.connections_total;
    out.messages += one.messages;
    if (out.last_error.empty()) out.last_error = one.last_error;
  }
  return out;
}

}  // namespace kiln::engine
