// Start, stop, recovery and replay of a channel: everything that joins the pipeline behind the journal step.

#include <algorithm>

#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/pipeline.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using base::Task;

namespace {

const char* name_of(Plan::Verdict verdict) {
  static constexpr const char* kNames[] = {"accepted", "rejected", "quarantined", "filtered"};
  return kNames[static_cast<std::size_t>(verdict)];
}

}  // namespace

void ChannelCounters::attach(std::string_view channel) {
  using base::Metric;
  base::Metrics& all = base::Metrics::process();
  const base::Safe name = base::Safe::name(channel);
  received.attach(all.counter(Metric::messages_received_total, {name}));
  rejected.attach(all.counter(Metric::messages_rejected_total, {name}));
  filtered.attach(all.counter(Metric::messages_filtered_total, {name}));
  quarantined.attach(all.counter(Metric::messages_quarantined_total, {name, "-"}));
  duplicates.attach(all.counter(Metric::messages_duplicate_total, {name}));
  replayed.attach(all.counter(Metric::replayed_total, {name}));
}

Status ChannelRuntime::start_queues(std::map<std::string, std::uint64_t> waiting, MessageId last_id,
                                    bool clean_stop) {
  for (const auto& [destination, count] : std::exchange(before_queues_, {})) waiting[destination] += count;
  pushed_up_to_ = std::max(pushed_up_to_, last_id);
  for (const channels::DestinationDefinition& destination : parts_.definition->destinations) {
    if (std::string_view(destination.connector->name) == "drop") continue;
    const auto ready = ready_.find(destination.name);
    const bool started = ready != ready_.end();
    TRY_VOID(add_queue(settings_of(*parts_.definition, destination, parts_.site),
                       started ? std::move(ready->second) : make_connectors(destination),
                       {waiting[destination.name], pushed_up_to_, clean_stop}, started));
  }
  ready_.clear();
  return {};
}

DeliveryQueue::Settings ChannelRuntime::settings_of(const channels::ChannelDefinition& definition,
                                                    const channels::DestinationDefinition& destination,
                                                    std::shared_ptr<const channels::Site> site) {
  DeliveryQueue::Settings settings{definition.name,         destination.name,     destination.options.retry,
                                   destination.options.nak, destination.order_id,
                                   channels::hours_of(*site, definition, destination.options), site};
  // What another channel refuses it refuses again, until somebody changes it.
  if (std::string_view(destination.connector->name) == "channel" && !destination.options.has("nak"))
    settings.nak.on_error = settings.nak.on_reject = channels::NakAction::quarantine;
  if (!channels::serves(definition).empty()) {
    // Somebody waits: one attempt, then they decide.
    if (!destination.options.has("retry"))
      settings.retry = {.forever = false, .attempts_max = 1, .then = channels::RetryEnd::quarantine};
    if (!destination.options.has("nak"))
      settings.nak.on_error = settings.nak.on_reject = channels::NakAction::quarantine;
  }
  return settings;
}

DeliveryQueue::Connectors ChannelRuntime::make_connectors(
    const channels::DestinationDefinition& destination) const {
  DeliveryQueue::Connectors out;
  for (std::uint32_t i = 0; i < std::max(1u, destination.connections); ++i)
    out.push_back(parts_.make_destination
                      ? parts_.make_destination(destination)
                      : destination.connector->make_destination(destination.options, parts_.around));
  return out;
}

Status ChannelRuntime::add_queue(DeliveryQueue::Settings settings, DeliveryQueue::Connectors connectors,
                                 QueueStart start, bool started) {
  const std::string name = settings.destination;
  queues_.push_back(std::make_unique<DeliveryQueue>(std::move(settings), std::move(connectors),
                                                    *parts_.journal, *parts_.executor, *parts_.clock,
                                                    *parts_.random));
  DeliveryQueue& queue = *queues_.back();
  queue.block_at_start(std::move(blocked_at_start_[name]));
  queue.on_blocks([this, name](const std::set<MessageId>& blocked) {
    if (tell_blocks_) tell_blocks_(name, blocked);
  });
  if (paused_ || paused_destinations_.contains(name)) queue.pause();
  return started ? queue.start_as_is(start.waiting, start.last_id, start.clean_stop)
                 : queue.start(start.waiting, start.last_id, start.clean_stop);
}

std::unique_ptr<channels::Source> ChannelRuntime::make_source(
    const channels::ChannelDefinition& definition) const {
  if (parts_.make_source) return parts_.make_source();
  return definition.source->make_source(definition.source_options, parts_.around);
}

Status ChannelRuntime::start_source() {
  if (links_) base::spawn(links_->open());
  if (fragments_) base::spawn(fragments_->open());
  source_ = make_source(*parts_.definition);
  if (stopped_) return {};
  return start_intake();
}

Task<void> ChannelRuntime::stop_source() {
  leaving_ = true;
  ++stops_;
  source_resumed_.notify();
  end_waits();
  if (source_) co_await source_->stop();
  source_runs_ = false;
  leaving_ = false;
}

Task<void> ChannelRuntime::stop_queues() {
  for (const auto& queue : queues_) co_await queue->stop();
}

void ChannelRuntime::use_site(std::shared_ptr<const channels::Site> site) {
  for (const channels::ChannelDefinition& candidate : site->channels) {
    if (candidate.name != parts_.definition->name) continue;
    parts_.definition = &candidate;
    parts_.site = std::move(site);
    hours_ = channels::hours_of(*parts_.site, candidate, candidate.source_options);  // in the zone of the server, maybe
    if (source_runs_) watch_hours();
    return;
  }
}

channels::ConnectorStatus ChannelRuntime::source_status() const {
  return source_ ? source_->status() : channels::ConnectorStatus{};
}

/// The plan by the site version the message is pinned to (reliability.md R13).
Plan ChannelRuntime::process_again(const NewMessage& message, const SiteVersions& versions, Opened& opened) {
  const channels::Site* site = parts_.site.get();
  const channels::ChannelDefinition* definition = parts_.definition;
  if (const auto pinned = versions.find(message.config_hash); pinned != versions.end() && pinned->second) {
    if (const auto* found = find_channel(*pinned->second, definition->name)) {
      site = pinned->second.get();
      definition = found;
    }
  }
  opened = open_message(*site, *definition, message);
  return parts_.processor->process(*site, *definition, message, opened);
}

/// The attempt is counted durably before it is made, so that it counts even when it ends the process.
Task<Status> ChannelRuntime::recover(std::vector<MessageId> ids, SiteVersions versions, std::size_t* done) {
  for (const MessageId id : ids) {
    base::Completion<Result<std::uint32_t>> counted(*parts_.executor);
    parts_.journal->note_processing(
        id, [counted](Result<std::uint32_t> attempts) { counted.set(std::move(attempts)); });
    const Result<std::uint32_t> attempts = co_await counted;
    if (!attempts) co_return base::fail(attempts.error());  // it is not decided: it may be recovered again
    base::Completion<Result<StoredMessage>> read(*parts_.executor);
    parts_.journal->read_message(id, [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
    Result<StoredMessage> stored = co_await read;
    base::failpoint_here("pipeline.recover");
    Plan plan;
    Opened opened = base::fail(base::ErrorCode::internal);  // what killed the process is not even parsed
    // The attempt before the first count was the one that nobody expected to fail: this would be one more.
    if (*attempts >= kPoisonAttempts || !stored) {
      plan.verdict = Plan::Verdict::quarantined;
      plan.code = stored ? kPoisonCode : base::error_info(stored.error().code).code;
      plan.reason = stored ? "processing did not end " + std::to_string(*attempts) + " times"
                           : "the record is not readable";
    } else {
      plan = process_again(stored->message, versions, opened);
      if ((stored->message.replay_of != 0 || stored->message.edited_from != 0) && parts_.narrow) {
        auto narrowing = parts_.narrow(*stored, &plan);
        co_await std::move(narrowing);
      }
    }
    NewMessage message;
    if (stored) message = std::move(stored->message);
    message.channel = parts_.definition->name;
    settle(id, std::move(message), opened, std::move(plan), *parts_.definition);
    if (done != nullptr) ++*done;
  }
  base::Event pause(*parts_.executor);
  while (!storing_.empty()) co_await pause.wait(std::chrono::milliseconds(5));
  base::log(base::LogLevel::info, "recovered",
            {{"channel", base::Safe::name(parts_.definition->name)},
             {"messages", static_cast<std::int64_t>(ids.size())}});
  co_return Status{};
}

/// A message whose fragments are all there comes in as a message of its own, the part of the first. Its
/// fragments were acknowledged, so a rejection can only set it aside. A crash between the commit and
/// drop_fragments() brings it here again: it is known by its key.
Task<void> ChannelRuntime::take_joined(Fragments::Joined joined) {
  ++under_way_;
  const std::shared_ptr<bool> alive = alive_;
  auto joining = join(std::move(joined), alive);
  co_await std::move(joining);
  if (*alive) --under_way_;
}

Task<void> ChannelRuntime::join(Fragments::Joined joined, std::shared_ptr<bool> alive) {
  // One version of the site from begin to end, as in take().
  const std::shared_ptr<const channels::Site> site = parts_.site;
  const channels::ChannelDefinition* const definition = parts_.definition;
  NewMessage message = std::move(joined.message);
  message.config_hash = site->hash;
  const Opened opened = open_message(*site, *definition, message);
  identify(*definition, "fragments of " + std::to_string(joined.ids.front()), opened, message);
  base::Completion<Result<MessageId>> known(*parts_.executor);
  parts_.journal->find_duplicate(message.dedupe, [known](Result<MessageId> id) { known.set(std::move(id)); });
  const Result<MessageId> earlier = co_await known;
  if (!*alive) co_return;
  if (earlier && *earlier != 0) co_return parts_.journal->drop_fragments(std::move(joined.ids));
  MessageId number = 0;
  while (number == 0) {  // the fragments are promised: a full disk only delays the message
    base::Completion<Result<MessageId>> appended(*parts_.executor);
    parts_.journal->append(message, [appended](Result<MessageId> id) { appended.set(std::move(id)); });
    const Result<MessageId> id = co_await appended;
    if (!*alive) co_return;
    if (id) {
      number = *id;
      continue;
    }
    base::Event pause(*parts_.executor);
    co_await pause.wait(std::chrono::milliseconds(1000));
    if (!*alive) co_return;
  }
  Plan plan = parts_.processor->process(*site, *definition, message, opened);
  if (plan.verdict == Plan::Verdict::rejected) plan.verdict = Plan::Verdict::quarantined;
  settle(number, std::move(message), opened, std::move(plan), *definition);
  parts_.journal->drop_fragments(std::move(joined.ids));
}

Task<Result<ReplayOutcome>> ChannelRuntime::replay(StoredMessage original,
                                                   std::vector<std::string> destinations, bool dry_run) {
  ReplayOrder order;
  order.dry_run = dry_run;
  if (!destinations.empty())
    order.wants = [destinations = std::move(destinations)](const std::string& name) {
      return std::find(destinations.begin(), destinations.end(), name) != destinations.end();
    };
  auto replaying = replay(std::move(original), std::move(order));
  Result<ReplayOutcome> outcome = co_await std::move(replaying);
  co_return outcome;
}

Task<Result<ReplayOutcome>> ChannelRuntime::replay(StoredMessage original, ReplayOrder order) {
  NewMessage message = original.message;
  message.channel = parts_.definition->name;
  message.replay_of = original.id;
  message.job = order.job;
  message.step = std::nullopt;  // an operator's decision, not the sender's number
  message.parent = 0;
  if (original.id != 0) message.edited_from = 0;
  message.dedupe = {};
  const std::shared_ptr<const channels::Site> site = parts_.site;
  const channels::ChannelDefinition* const definition = parts_.definition;
  message.config_hash = site->hash;
  message.received = parts_.clock->wall();
  const Opened opened = open_message(*site, *definition, message);
  Plan plan;
  if (order.outputs.empty())
    plan = parts_.processor->process(*site, *definition, message, opened);
  else
    plan.outputs = std::move(order.outputs);
  if (order.wants) {
    std::erase_if(plan.outputs, [&order](const Output& output) { return !order.wants(output.destination); });
    std::erase_if(plan.endings, [&order](const Ending& ending) { return !order.wants(ending.destination); });
  }
  ReplayOutcome outcome;
  outcome.verdict = name_of(plan.verdict);
  outcome.reason = plan.reason;
  for (const Output& output : plan.outputs) {
    const std::string& body = output.is_source ? message.body : output.body;
    outcome.outputs.push_back({output.destination, body.size(), base::sha256_hex(body)});
  }
  if (order.dry_run) co_return outcome;
  ++counters_.replayed;
  base::Completion<Result<MessageId>> appended(*parts_.executor);
  parts_.journal->append(message, [appended](Result<MessageId> id) { appended.set(std::move(id)); });
  ++under_way_;
  const Result<MessageId> id = co_await appended;
  --under_way_;
  if (!id) co_return base::fail(id.error());
  settle(*id, std::move(message), opened, std::move(plan), *definition);
  outcome.id = *id;
  co_return outcome;
}

}  // namespace kiln::engine
