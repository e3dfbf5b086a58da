// Answers that wait until a message is delivered (`ack … on delivered`), and answers that a map makes. What has become of
// a message is read from the journal, so a repetition is told what has become of it by then.

#include <algorithm>

#include "engine/base/log.h"
#include "engine/detail/reply.h"
#include "engine/pipeline.h"

namespace kiln::engine {

using base::Result;
using base::Task;
using channels::AckLate;
using channels::Answer;
using channels::ChannelDefinition;
using channels::Taken;

/// Ends at the destinations that an answer waits for. Home executor.
struct ChannelRuntime::Deliveries {
  explicit Deliveries(base::Executor& executor) : done(executor) {}

  std::map<std::string, std::optional<Ending>> ends;  ///< by destination
  std::optional<Ending> whole;  ///< the message ended as a whole: no destination gets it
  std::size_t open = 0;
  bool left = false;  ///< the source stops: the sender asks again
  base::Completion<bool> done;

  void note(const std::string& destination, const Ending& ending) {
    const auto at = ends.find(destination);
    if (at == ends.end() || at->second) return;
    at->second = ending;
    if (--open == 0) done.set(true);
  }
};

namespace {

hl7::AckError delivery_error(std::string text) {
  hl7::AckError error;
  error.code = 207;
  error.text = std::move(text);
  return error;
}

void add_failure(detail::ReplyVerdict& verdict, hl7::AckCode code, std::string text) {
  if (verdict.code != hl7::AckCode::AR) verdict.code = code;
  if (verdict.text.empty()) verdict.text = text;
  verdict.errors.push_back(delivery_error(std::move(text)));
}

bool is_good(const Ending& ending) {
  return ending.state == DeliveryState::sent || ending.state == DeliveryState::filtered;
}

}  // namespace

bool ChannelRuntime::waits_for_deliveries(const ChannelDefinition& definition, const NewMessage& message,
                                          const Opened& opened) {
  if (definition.ack_on != channels::AckOn::delivered || message.fragment || !opened || opened->hl7() == nullptr)
    return false;
  if (message.step && !message.step->decision.take) return false;
  if (!hl7::may_acknowledge(*opened->hl7())) return false;
  const hl7::AckDemand demand = detail::demand_of(definition, *opened->hl7());
  return demand.mode == hl7::AckMode::original ||
         (detail::answers_on_connection(definition) && demand.application != hl7::AckCondition::never);
}

/// In enhanced mode the accept acknowledgement leaves when the message is stored, where the source can send it alone.
bool ChannelRuntime::answer_early(const ChannelDefinition& definition, const NewMessage& message,
                                  const Opened& opened, MessageId id, const EarlyAnswer& early) {
  if (!early || detail::demand_of(definition, *opened->hl7()).mode != hl7::AckMode::enhanced) return false;
  std::string accept = make_reply(definition, message, opened, id, {}, detail::ReplyPart::accept);
  if (!accept.empty()) early(std::move(accept));
  return true;
}

/// `ended`: what is known of ends already.
Task<Answer> ChannelRuntime::answer_when_delivered(MessageId id, std::shared_ptr<const channels::Site> site,
                                                   const ChannelDefinition* definition, std::vector<Ending> ended,
                                                   Waiting how) {
  const auto deliveries = std::make_shared<Deliveries>(*parts_.executor);
  std::vector<DeliveryQueue::Watch> watches;
  for (const auto& destination : definition->destinations) {
    const auto& of = definition->ack_policy.of;
    const bool wanted = of.empty() || std::find(of.begin(), of.end(), destination.name) != of.end();
    if (!wanted || destination.acks) continue;
    deliveries->ends[destination.name];
    ++deliveries->open;
    if (DeliveryQueue* queue = find_queue(destination.name))
      watches.push_back(queue->watch(id, [deliveries, name = destination.name](const Ending& ending) {
        deliveries->note(name, ending);
      }));
  }
  for (Ending& one : ended) {
    if (one.destination == kNoDestination) deliveries->whole = one;
    deliveries->note(one.destination, one);
  }
  if (deliveries->whole || deliveries->open == 0) deliveries->done.set(true);
  if (how.repeated) read_ends(id, deliveries);
  // The answer of a source that stops, or has stopped since the message came, does not wait: the sender asks again.
  if (leaving_ || how.stops != stops_) {
    deliveries->left = true;
    deliveries->done.set(false);
  }
  parts_.journal->flush();
  const base::TimerId timer = parts_.executor->post_after(
      std::chrono::milliseconds(definition->ack_policy.timeout_ms), [deliveries] { deliveries->done.set(false); });
  delivering_.insert(deliveries);
  co_await deliveries->done;
  delivering_.erase(deliveries);
  parts_.executor->cancel(timer);
  watches.clear();
  if (deliveries->left && !deliveries->whole && deliveries->open != 0) {
    Answer nothing;
    nothing.id = id;
    nothing.close = nothing.pending = true;
    co_return nothing;
  }
  base::Completion<Result<StoredMessage>> read(*parts_.executor);
  parts_.journal->read_message(id, [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
  Result<StoredMessage> stored = co_await read;
  if (!stored && how.copy) stored = StoredMessage{id, *how.copy};
  if (!stored) {  // nothing can be told of it now: the sender asks again
    Answer nothing;
    nothing.taken = Taken::not_stored;
    nothing.close = true;
    co_return nothing;
  }
  const Opened opened = open_message(*site, *definition, stored->message);
  co_return answer_of(*site, *definition, *stored, opened, *deliveries, how.early);
}

/// The ends that the journal has, beside those that come while it is asked.
void ChannelRuntime::read_ends(MessageId id, std::shared_ptr<Deliveries> deliveries) {
  std::vector<std::string> names;
  for (const auto& [name, end] : deliveries->ends)
    if (!end) names.push_back(name);
  for (const std::string& name : names)
    parts_.journal->read_ending(
        id, parts_.definition->name + "/" + name,
        [deliveries, name, executor = parts_.executor](Result<std::optional<Ending>> ending) {
          if (!ending || !*ending) return;
          executor->post([deliveries, name, found = **ending] { deliveries->note(name, found); });
        });
}

/// Pure: of what has become of the message.
Answer ChannelRuntime::answer_of(const channels::Site& site, const ChannelDefinition& definition,
                                 const StoredMessage& stored, const Opened& opened, const Deliveries& deliveries,
                                 bool accepted_early) {
  const channels::AckPolicy& policy = definition.ack_policy;
  detail::ReplyVerdict verdict;
  Answer answer;
  answer.id = stored.id;
  answer.taken = Taken::stored;
  bool late = false;
  if (deliveries.whole && !is_good(*deliveries.whole)) {
    answer.code = deliveries.whole->code;
    answer.reason = deliveries.whole->detail;
    add_failure(verdict, hl7::AckCode::AE, "set aside: " + deliveries.whole->code);
  }
  for (const auto& [name, end] : deliveries.ends) {
    if (deliveries.whole) break;
    if (!end) {
      late = true;
    } else if (!is_good(*end)) {
      answer.code = end->code;
      answer.reason = "not delivered to " + name;
      add_failure(verdict, end->code.ends_with('R') ? hl7::AckCode::AR : hl7::AckCode::AE,
                  "not delivered to " + name + ": " + end->code);
    }
  }
  if (late && verdict.code == hl7::AckCode::AA) {
    answer.code = "late";
    answer.pending = policy.late != AckLate::accept;
    answer.close = policy.late == AckLate::close;
    if (answer.close) return answer;
    const std::string text = "stored as message " + std::to_string(stored.id) + ", not delivered within " +
                             std::to_string(policy.timeout_ms) + " ms";
    if (policy.late != AckLate::accept)
      add_failure(verdict, policy.late == AckLate::reject ? hl7::AckCode::AR : hl7::AckCode::AE, text);
  }
  add_reply(site, definition, stored, opened, deliveries, verdict);
  if (verdict.code != hl7::AckCode::AA) answer.taken = Taken::refused;
  answer.reply = make_reply(definition, stored.message, opened, stored.id, verdict,
                            accepted_early ? detail::ReplyPart::application : detail::ReplyPart::whole);
  return answer;
}

/// What a map makes of the message, or of the answer of a destination, is the answer; also when it is a negative one.
void ChannelRuntime::add_reply(const channels::Site& site, const ChannelDefinition& definition,
                               const StoredMessage& stored, const Opened& opened, const Deliveries& deliveries,
                               detail::ReplyVerdict& verdict) {
  const std::string& name = definition.ack_policy.reply;
  if (name.empty() || deliveries.whole) return;
  const auto route = std::find_if(definition.replies.begin(), definition.replies.end(),
                                  [&name](const auto& one) { return one.result == name; });
  if (route == definition.replies.end()) {
    if (verdict.code == hl7::AckCode::AA)
      verdict.made = parts_.processor->process(site, definition, stored.message, opened).reply;
    return;
  }
  const auto end = deliveries.ends.find(route->destination);
  if (end == deliveries.ends.end() || !end->second || end->second->reply.empty()) return;
  Result<std::string> made = parts_.processor->map_reply(site, definition, route->program, end->second->reply,
                                                         stored.message.received);
  if (made && !made->empty()) {
    verdict.made = std::move(*made);
    return;
  }
  base::log(base::LogLevel::error, "reply-not-mapped",
            {{"channel", base::Safe::name(definition.name)}, {"msg", static_cast<std::int64_t>(stored.id)}});
  if (verdict.code == hl7::AckCode::AA)
    add_failure(verdict, hl7::AckCode::AE, "delivered; the answer of " + route->destination + " cannot be mapped");
}

/// A stop does not wait for deliveries.
void ChannelRuntime::end_waits() {
  const auto waiting = delivering_;
  for (const auto& one : waiting) {
    one->left = true;
    one->done.set(false);
  }
}

}  // namespace kiln::engine
