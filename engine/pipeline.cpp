#include "engine/pipeline.h"

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/detail/reply.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using base::Task;
using channels::Answer;
using channels::Taken;
using std::chrono::milliseconds;

void InflightBudget::give_back(std::size_t bytes) {
  used_ -= bytes;
  if (has_room()) freed_.notify();
}

bool InflightBudget::has_room() const {
  return used_ < limit_;
}

Task<void> InflightBudget::room() {
  while (!has_room()) co_await freed_.wait(milliseconds(-1));
}

const char* name_of(ChannelState state) {
  static constexpr const char* kNames[] = {"running", "paused", "draining", "stopped", "closed"};
  return kNames[static_cast<std::size_t>(state)];
}

ChannelRuntime::ChannelRuntime(Parts parts)
    : parts_(std::move(parts)), source_site_(parts_.site), meter_(parts_.definition->name), source_resumed_(*parts_.executor) {
  counters_.attach(parts_.definition->name);
  make_links();
}

/// What the options of the source ask for beside it.
void ChannelRuntime::make_links() {
  links_.reset();
  fragments_.reset();
  hours_ = channels::hours_of(*parts_.site, *parts_.definition, parts_.definition->source_options);
  const channels::Options& options = parts_.definition->source_options;
  if (options.has("sequence_numbers") && options.flag("sequence_numbers"))
    links_ = std::make_unique<SequenceLinks>(*parts_.journal, *parts_.executor, parts_.definition->name);
  if (!options.has("fragments") || options.text("fragments") != "join") return;
  fragments_ = std::make_unique<Fragments>(
      *parts_.journal, *parts_.executor, *parts_.clock, *parts_.definition,
      [this](Fragments::Joined joined) { base::spawn(take_joined(std::move(joined))); },
      [this](std::size_t given_up) { counters_.quarantined += given_up; });
}
ChannelRuntime::~ChannelRuntime() {
  *alive_ = false;
}

bool ChannelRuntime::has_room() const {
  return leaving_ || (!source_paused_ && !source_closed_ && parts_.budget->has_room());
}
Task<void> ChannelRuntime::room() {
  while (!has_room()) {
    if (source_paused_ || source_closed_) {
      co_await source_resumed_.wait(milliseconds(-1));
      continue;
    }
    auto waiting = parts_.budget->room();
    co_await std::move(waiting);
  }
}

Task<Answer> ChannelRuntime::accept(channels::Inbound in) {
  ++under_way_;
  auto taking = take(std::move(in));
  Answer answer = co_await std::move(taking);
  --under_way_;
  co_return answer;
}

namespace {

/// To traces and, at level debug, to the log.
void tell(MessageTrace& trace, const channels::ChannelDefinition& definition, const Answer& answer) {
  const bool stored = answer.taken != channels::Taken::not_stored || answer.pending;
  trace.end(answer.id, definition.name, stored, answer.taken == channels::Taken::refused);
  base::log(base::LogLevel::debug, "message-taken",
            {{"channel", base::Safe::name(definition.name)}, {"msg", static_cast<std::int64_t>(answer.id)}});
}

}  // namespace

/// The order of one message (architecture.md §2). The commit and the map run side by side; the answer waits
/// for both.
Task<Answer> ChannelRuntime::take(channels::Inbound in) {
  base::failpoint_here("pipeline.read");
  ++counters_.received;
  counters_.last_received = in.received_at;
  const base::Stopwatch watch(meter_.processing, *parts_.clock);
  const std::string source_key = in.key;
  const EarlyAnswer early = std::move(in.early);
  MessageTrace trace(in.received_at, std::move(in.traceparent));
  // One version of the site from begin to end, whatever is reloaded meanwhile.
  const std::shared_ptr<const channels::Site> site = parts_.site;
  const channels::ChannelDefinition* const definition = parts_.definition;
  NewMessage message = make_message(std::move(in), *site);
  Opened opened = open_message(*site, *definition, message);
  identify(*definition, source_key, opened, message);
  if (links_ && opened && asks_for_number(*opened->hl7())) message.dedupe = {};  // the answer is another each time
  message.fragment = fragments_ && opened && detail::is_fragment(*definition, *opened->hl7());
  const DedupeKey key = message.dedupe;
  const std::size_t bytes = message.body.size();
  const std::uint64_t stops = stops_;
  if (key != DedupeKey{}) {
    auto answering = answer_repeated(&message, &opened, source_key.empty(), early);
    const std::optional<Answer> repeated = co_await std::move(answering);
    if (repeated) co_return *repeated;
    in_flight_.try_emplace(key);
  }
  parts_.budget->take(bytes);
  if (links_ && opened) {
    auto entering = links_->enter(opened->hl7());
    Result<LinkStep> step = co_await std::move(entering);
    if (!step) {
      const Answer refused = refuse(message, opened, step.error());
      finish(key, refused, bytes);
      co_return refused;
    }
    message.step = std::move(*step);
  }
  base::Completion<Result<MessageId>> appended(*parts_.executor);
  parts_.pacer->append(message, [appended](Result<MessageId> id) { appended.set(std::move(id)); });
  base::failpoint_here("pipeline.map.before");
  trace.map_begins();
  Plan plan = parts_.processor->process(*site, *definition, message, opened, looks_at_fields());
  trace.map_ends();
  base::failpoint_here("pipeline.map.after");
  const Result<MessageId> id = co_await appended;
  trace.durable(id ? *id : 0);
  base::failpoint_here("pipeline.durable");
  if (message.step) links_->leave(*message.step, id ? *id : 0);
  if (message.fragment && id) base::spawn(fragments_->add(*id));
  const bool waits = id && waits_for_deliveries(*definition, message, opened);
  const bool is_early = waits && !is_rejected(plan, *definition) && answer_early(*definition, message, opened, *id, early);
  std::vector<Ending> ended;
  Answer answer =
      id ? settle(*id, std::move(message), opened, std::move(plan), *definition, waits ? &ended : nullptr)
         : refuse(message, opened, id.error());
  parts_.pacer->answered();
  if (!waits || answer.taken != Taken::stored) {
    tell(trace, *definition, answer);
    finish(key, answer, bytes);
    co_return answer;
  }
  parts_.budget->give_back(bytes);  // it is durable: what waits holds no memory, and the answer reads it again
  opened = base::fail(base::ErrorCode::cancelled);
  Waiting how;
  how.early = is_early;
  how.stops = stops;
  auto waiting = answer_when_delivered(*id, site, definition, std::move(ended), std::move(how));
  answer = co_await std::move(waiting);
  tell(trace, *definition, answer);
  finish(key, answer, 0);
  co_return answer;
}

NewMessage ChannelRuntime::make_message(channels::Inbound in, const channels::Site& site) const {
  NewMessage message;
  message.channel = parts_.definition->name;
  message.kind = in.kind;
  message.received = in.received_at;
  message.peer = std::move(in.peer);
  message.name = std::move(in.name);
  message.action = std::move(in.action);
  message.control_id = std::move(in.label);
  message.config_hash = site.hash;
  message.framing_fault = in.framing_fault;
  message.parent = in.parent;
  message.body = std::move(in.bytes);
  return message;
}

/// Ends the time in flight: frees the budget and answers repetitions that came meanwhile.
void ChannelRuntime::finish(const DedupeKey& key, const Answer& answer, std::size_t bytes) {
  parts_.budget->give_back(bytes);
  meter_.answered(answer.reply);
  const auto waiting = in_flight_.find(key);
  if (waiting == in_flight_.end()) return;
  const Waiters waiters = std::move(waiting->second);
  in_flight_.erase(waiting);
  for (const auto& waiter : waiters) waiter.set(answer);
}

/// Whoever is answered when the message is stored cannot be told of a rejection any more: it is quarantined
/// instead.
bool ChannelRuntime::is_rejected(const Plan& plan, const channels::ChannelDefinition& definition) {
  return plan.verdict == Plan::Verdict::rejected &&
         (plan.at_once || definition.ack_on != channels::AckOn::stored);
}

/// What the journal keeps of a plan; the number is not known yet.
Processed ChannelRuntime::take_outcome(Plan& plan, const channels::ChannelDefinition& definition) const {
  Processed out;
  out.channel = parts_.definition->name;
  out.outputs = std::move(plan.outputs);
  out.endings = std::move(plan.endings);
  out.children = std::move(plan.children);
  out.child_endings = std::move(plan.child_endings);
  out.lookups = std::move(plan.lookups);
  if (plan.verdict == Plan::Verdict::accepted && !(out.outputs.empty() && out.endings.empty())) return out;
  Ending ending;
  ending.destination = kNoDestination;
  ending.code = plan.code;
  ending.detail = plan.reason;
  ending.state = is_rejected(plan, definition) ? DeliveryState::rejected
                 : plan.verdict == Plan::Verdict::rejected || plan.verdict == Plan::Verdict::quarantined
                     ? DeliveryState::quarantined
                     : DeliveryState::filtered;
  out.endings.push_back(std::move(ending));
  return out;
}

namespace {

/// Each message that is set aside before a queue has it; parts get their numbers from the journal.
void tell_set_aside(const Processed& processed) {
  const auto tell = [&processed](const Ending& ending, std::int64_t parts) {
    if (ending.state != DeliveryState::quarantined) return;
    base::log(base::LogLevel::warn, "quarantined",
              {{"channel", base::Safe::name(processed.channel)},
               {"destination", base::Safe::name(ending.destination)},
               {"msg", static_cast<std::int64_t>(processed.id)},
               {"parts", parts},
               {"code", base::Safe::name(ending.code)}});
  };
  for (const Ending& ending : processed.endings) tell(ending, 0);
  if (!processed.child_endings.empty())
    tell(processed.child_endings.front(), static_cast<std::int64_t>(processed.child_endings.size()));
}

}  // namespace

/// Counts a durable plan; `state` of its ending as a whole, when it has one. What is set aside counts each time: as a whole,
/// at a destination, and each part.
void ChannelRuntime::count(const Processed& processed) {
  tell_set_aside(processed);
  const Ending* whole = nullptr;
  for (const Ending& ending : processed.endings) {
    if (ending.destination == kNoDestination) whole = &ending;
    if (ending.destination == kNoDestination || ending.state != DeliveryState::quarantined) continue;
    if (DeliveryQueue* queue = find_queue(ending.destination))
      queue->count_set_aside();
    else
      ++counters_.quarantined;
  }
  counters_.quarantined += processed.child_endings.size();
  if (whole == nullptr)
    ++counters_.accepted;
  else if (whole->state == DeliveryState::rejected)
    ++counters_.rejected;
  else if (whole->state == DeliveryState::quarantined)
    ++counters_.quarantined;
  else
    ++counters_.filtered;
}

/// All of a channel's first messages, then a sample: the cost is that of a small map.
bool ChannelRuntime::looks_at_fields() const {
  return counters_.received <= base::limits::kCoverageAllMax ||
         counters_.received % base::limits::kCoverageEvery == 0;
}

void ChannelRuntime::cover(MessageId id, const Plan& plan) {
  if (!plan.fields.empty()) coverage_.add_fields(plan.fields);
  if (!plan.diagnostics.empty()) coverage_.add_notes(plan.diagnostics, plan.dropped_diagnostics, id);
}

/// The plan of a durable message becomes its reply, its queue entries and its endings, by the version that made it.
Answer ChannelRuntime::settle(MessageId id, NewMessage message, const Opened& opened, Plan plan,
                              const channels::ChannelDefinition& definition, std::vector<Ending>* ended) {
  const bool rejected = is_rejected(plan, definition);
  std::string made = rejected ? std::string() : std::move(plan.reply);
  auto processed = std::make_shared<Processed>(take_outcome(plan, definition));
  processed->id = id;
  if (ended != nullptr) *ended = processed->endings;
  Answer answer;
  answer.id = id;
  answer.taken = rejected ? Taken::refused : Taken::stored;
  if (plan.verdict != Plan::Verdict::accepted) {
    answer.code = plan.code;
    answer.reason = plan.reason;
    answer.set_aside = !rejected && plan.verdict != Plan::Verdict::filtered;
  }
  detail::ReplyVerdict verdict{hl7::AckCode::AA, {}, {}, std::move(made)};
  if (rejected) verdict = {plan.ack, plan.errors, plan.reason, {}};
  answer.reply = make_reply(definition, message, opened, id, std::move(verdict));
  if (rejected) processed->endings.back().reply = answer.reply;
  count(*processed);
  if (message.replay_of == 0) cover(id, plan);
  storing_.emplace(id, Storing{processed, std::make_shared<const NewMessage>(std::move(message)), false});
  store(std::move(processed));
  return answer;
}

/// Nothing is durable: the sender must keep the message (reliability.md R7).
Answer ChannelRuntime::refuse(const NewMessage& message, const Opened& opened, const base::Error& error) {
  ++counters_.not_stored;
  base::log(
      base::LogLevel::error, "message-not-stored",
      {{"channel", base::Safe::name(parts_.definition->name)}, {"error", base::Safe::code(error.code)}});
  Answer answer;
  answer.taken = Taken::not_stored;
  const std::string how = parts_.definition->source_options.has("on_store_failure")
                              ? parts_.definition->source_options.text("on_store_failure")
                              : "AE";
  answer.close = how == "close";
  if (!answer.close)
    answer.reply =
        make_refusal(*parts_.definition, message, opened, how == "AR" ? hl7::AckCode::AR : hl7::AckCode::AE,
                     error, parts_.clock->wall());
  return answer;
}

void ChannelRuntime::store(std::shared_ptr<Processed> processed) {
  auto done = [this, processed, alive = alive_, executor = parts_.executor](Status status) {
    executor->post([this, processed, alive, status = std::move(status)] {
      if (*alive) stored(processed, status);
    });
  };
  base::failpoint_here("pipeline.store");
  parts_.journal->store(*processed, std::move(done));
  if (std::exchange(flush_due_, true)) return;
  parts_.executor->post_after(milliseconds(base::limits::kStoreDelayMs), [this, alive = alive_] {
    if (!*alive) return;
    flush_due_ = false;
    parts_.journal->flush();
  });
}

/// While the disk is full a plan is stored again every second; plans behind it wait, so that no queue is
/// reordered. A plan the journal will never take is set aside, so that it does not hold the channel up for
/// ever.
void ChannelRuntime::stored(std::shared_ptr<Processed> processed, const Status& status) {
  if (status) {
    base::failpoint_here("pipeline.stored");
    storing_.at(processed->id).durable = true;
    return flush_stored();
  }
  base::log(base::LogLevel::error, "plan-not-stored",
            {{"channel", base::Safe::name(parts_.definition->name)},
             {"msg", static_cast<std::int64_t>(processed->id)},
             {"error", base::Safe::code(status.error().code)}});
  if (status.error().info().category != base::ErrorCategory::io && !processed->outputs.empty()) {
    Ending ending;
    ending.destination = kNoDestination;
    ending.state = DeliveryState::quarantined;
    ending.code = status.error().info().code;
    *processed = Processed{.id = processed->id,
                           .channel = processed->channel,
                           .outputs = {},
                           .endings = {ending},
                           .children = {},
                           .child_endings = {},
                           .lookups = {}};
    ++counters_.quarantined;
    tell_set_aside(*processed);
  }
  parts_.executor->post_after(milliseconds(1000), [this, processed, alive = alive_] {
    if (*alive) store(processed);
  });
}

void ChannelRuntime::flush_stored() {
  while (!storing_.empty() && storing_.begin()->second.durable) {
    const Storing next = std::move(storing_.begin()->second);
    storing_.erase(storing_.begin());
    pushed_up_to_ = std::max(pushed_up_to_, next.processed->id);
    push(*next.processed, next.message->body, next.message->received);
  }
}

void ChannelRuntime::push(Processed& processed, const std::string& source, base::WallTime received) {
  for (Output& output : processed.outputs) {
    DeliveryQueue* queue = find_queue(output.destination);
    if (queue == nullptr) {
      ++before_queues_[output.destination];
      continue;
    }
    PendingOutput pending;
    pending.id = processed.id;
    pending.received = received;
    if (output.is_source) output.body = source;
    pending.output = std::move(output);
    queue->push(std::move(pending));
  }
  if (draining_) watch_drain();
}

Task<Result<std::size_t>> ChannelRuntime::resume_links() {
  if (!links_) co_return std::size_t{0};
  auto resuming = links_->resume();
  Result<std::size_t> resumed = co_await std::move(resuming);
  co_return resumed;
}

DeliveryQueue* ChannelRuntime::find_queue(std::string_view name) const {
  for (const auto& queue : queues_)
    if (queue->name() == name) return queue.get();
  return nullptr;
}

Task<Answer> ChannelRuntime::report(channels::Unframed what) {
  ++counters_.unframed;
  const bool denied = what.kind == channels::Unframed::Kind::refused_sender;
  base::log(base::LogLevel::warn, denied ? base::Safe("sender-not-allowed") : base::Safe("unframed-bytes"),
            {{"channel", base::Safe::name(parts_.definition->name)},
             {"peer", base::Safe::name(what.peer)},
             {"reason", base::Safe::name(what.detail)},
             {"bytes", static_cast<std::int64_t>(what.bytes)}});
  Answer answer;
  if ((denied || what.kind == channels::Unframed::Kind::oversize) && what.name.empty()) {
    NewMessage head;
    head.channel = parts_.definition->name;
    head.body = what.head;
    const base::Error error = denied ? base::Error{base::ErrorCode::sender_not_allowed, {}, {}, {}}
                                     : base::Error{base::ErrorCode::limit_exceeded, "the message is larger than `max_message`", {}, {}};
    const Opened opened = open_message(*parts_.site, *parts_.definition, head);
    answer.reply = make_refusal(*parts_.definition, head, opened, hl7::AckCode::AR, error, what.received_at);
    answer.close = !denied;
  }
  parts_.journal->note_unframed(parts_.definition->name, std::move(what));
  co_return answer;
}

}  // namespace kiln::engine
