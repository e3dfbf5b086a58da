#include "engine/replay_jobs.h"

#include <algorithm>

#include "engine/admin/message_json.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/limits.h"
#include "engine/replay_rules.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;

namespace {

constexpr const char* kKind = "replay";

std::int64_t as_integer(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

bool goes_to(const ReplayTargets& targets, const std::string& name) {
  const auto has = [&name](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return (targets.everywhere || has(targets.names)) && !has(targets.left_out) && !has(targets.waiting);
}

}  // namespace

ReplayJobs::ReplayJobs(Parts parts) : parts_(std::move(parts)), wake_(*parts_.executor) {}

ChannelRuntime* ReplayJobs::find_channel(const std::string& name) const {
  for (const auto& channel : *parts_.channels)
    if (channel->definition().name == name) return channel.get();
  return nullptr;
}

void ReplayJobs::resume(const std::vector<JobRecord>& jobs) {
  for (const JobRecord& record : jobs) {
    if (record.kind != kKind) continue;
    const auto spec = read_spec(record.spec);
    if (!spec) continue;
    auto job = std::make_shared<Job>();
    job->record = record;
    job->spec = *spec;
    live_[record.id] = job;
    if (record.state == JobState::running) base::spawn(run(job, nullptr));
  }
}

Task<void> ReplayJobs::stop() {
  stopping_ = true;
  wake_.notify();
  while (running_ > 0) co_await wake_.wait(std::chrono::milliseconds(20));
}

/// What a replay would do, by maps on a thread that nothing waits for.
Task<Result<ReplayPreview>> ReplayJobs::look(ReplaySpec spec, PreviewOptions options) {
  base::Completion<Result<ReplayPreview>> looked(*parts_.executor);
  parts_.work->post([looked, site = parts_.site(), open = parts_.open_reader, env = parts_.env,
                     clock = parts_.clock, spec = std::move(spec), options = std::move(options)]() mutable {
    auto reader = open();
    if (!reader) return looked.set(base::fail(reader.error()));
    LookupPool lookups(*env, *clock);
    options.lookups = &lookups;
    looked.set(preview_replay(*reader, site, spec, options));
  });
  Result<ReplayPreview> preview = co_await looked;
  co_return preview;
}

Task<Result<ReplayJobs::JobPtr>> ReplayJobs::begin(ReplaySpec spec, std::string by, std::string reason,
                                                   std::size_t limit) {
  spec.asked = parts_.clock->wall();
  if (base::trim(spec.query).empty())
    co_return base::fail(ErrorCode::query_syntax, "a replay needs a query", {},
                         "name messages: 4711, or state:quarantined since:2h");
  const Status known = check_names(spec, *parts_.channels);
  if (!known) co_return base::fail(known.error());
  PreviewOptions options;
  options.compare = false;
  options.check_stale = !spec.allow_stale && !spec.as_sent;
  options.limit = limit;
  MessageId newest = 0;
  auto looking = look(spec, options);
  const Result<ReplayPreview> preview = co_await std::move(looking);
  if (!preview) co_return base::fail(preview.error());
  const Status allowed = refuse_doubles(spec, *preview);
  if (!allowed) co_return base::fail(allowed.error());
  newest = preview->newest;
  auto job = std::make_shared<Job>();
  job->spec = std::move(spec);
  job->spec.up_to = newest;
  job->record.kind = kKind;
  job->record.spec = print_spec(job->spec);
  job->record.total = preview->matched;
  job->record.requester = std::move(by);
  job->record.reason = std::move(reason);
  job->record.created = job->record.changed = parts_.clock->wall();
  auto keeping = keep(job);
  const Result<JobId> id = co_await std::move(keeping);
  if (!id) co_return base::fail(id.error());
  job->record.id = *id;
  live_[*id] = job;
  co_return job;
}

Task<Result<JobId>> ReplayJobs::keep(JobPtr job) {
  base::Completion<Result<JobId>> kept(*parts_.executor);
  job->record.changed = parts_.clock->wall();
  parts_.journal->keep_job(job->record, [kept](Result<JobId> id) { kept.set(std::move(id)); });
  parts_.journal->flush();
  Result<JobId> id = co_await kept;
  co_return id;
}

Task<Result<std::string>> ReplayJobs::create(ReplaySpec spec, std::string by, std::string reason) {
  auto beginning = begin(std::move(spec), std::move(by), std::move(reason), SIZE_MAX - 1);
  const Result<JobPtr> job = co_await std::move(beginning);
  if (!job) co_return base::fail(job.error());
  base::spawn(run(*job, nullptr));
  co_return print((*job)->record);
}

Task<Result<std::string>> ReplayJobs::run_now(ReplaySpec spec, std::string by, std::string reason,
                                              bool dry_run, bool with_diff, std::size_t limit) {
  if (dry_run) {
    spec.asked = parts_.clock->wall();
    if (base::trim(spec.query).empty())
      co_return base::fail(ErrorCode::query_syntax, "a replay needs a query");
    const Status known = check_names(spec, *parts_.channels);
    if (!known) co_return base::fail(known.error());
    PreviewOptions options;
    options.with_diff = with_diff;
    options.limit = limit;
    options.check_stale = !spec.as_sent;
    auto looking = look(spec, std::move(options));
    Result<ReplayPreview> preview = co_await std::move(looking);
    if (!preview) co_return base::fail(preview.error());
    const Status allowed = refuse_doubles(spec, *preview);
    if (!allowed) preview->refused = allowed.error().message();
    co_return print_preview(*preview);
  }
  spec.rate = 0;
  auto beginning = begin(std::move(spec), std::move(by), std::move(reason), limit);
  const Result<JobPtr> begun = co_await std::move(beginning);
  if (!begun) co_return base::fail(begun.error());
  const JobPtr job = *begun;
  base::JsonWriter json;
  json.begin_object().key("dry_run").boolean(false).key("job").integer(as_integer(job->record.id));
  json.key("matched").integer(as_integer(job->record.total)).key("messages").begin_array();
  auto running = run(job, &json);
  co_await std::move(running);
  json.end_array().key("replayed").integer(as_integer(job->record.done));
  json.key("skipped").integer(as_integer(job->record.skipped)).key("failed").integer(as_integer(job->failed));
  co_return json.end_object().take();
}

/// Until it has ended, is paused, or the engine stops.
Task<void> ReplayJobs::run(JobPtr job, base::JsonWriter* report) {
  if (std::exchange(job->runs, true)) co_return;
  ++running_;
  job->began = parts_.clock->mono();
  job->paced = 0;
  while (!stopping_ && job->record.state == JobState::running) {
    auto paging = next_page(job);
    const Page page = co_await std::move(paging);
    if (!page) {
      job->record.state = JobState::failed;
      job->record.detail = page.error().message();
      break;
    }
    if (page->empty()) {
      job->record.state = JobState::finished;
      break;
    }
    for (const MessageSummary& summary : *page) {
      if (stopping_ || job->record.state != JobState::running) break;
      auto working = one(job, summary, report);
      const bool again = co_await std::move(working);
      if (again) {  // position stays: the page is read again
        co_await wake_.wait(std::chrono::milliseconds(1000));
        break;
      }
      job->record.position = summary.id;
      auto waiting = pace(job);
      co_await std::move(waiting);
    }
    auto keeping = keep(job);
    co_await std::move(keeping);
  }
  auto keeping = keep(job);
  co_await std::move(keeping);
  if (job->record.state != JobState::running && job->record.state != JobState::paused)
    live_.erase(job->record.id);
  base::log(base::LogLevel::info, "replay-job",
            {{"job", as_integer(job->record.id)},
             {"state", base::Safe::name(name_of(job->record.state))},
             {"done", as_integer(job->record.done)},
             {"skipped", as_integer(job->record.skipped)}});
  job->runs = false;
  --running_;
  wake_.notify();
}

Task<ReplayJobs::Page> ReplayJobs::next_page(JobPtr job) {
  const Result<Query> query = parse_query_text(job->spec.query, job->spec.asked);
  if (!query) co_return base::fail(query.error());
  SearchOptions options;
  options.oldest_first = true;
  options.limit = limits::kReplayPageMax;
  options.after = job->record.position;
  base::Completion<Page> read(*parts_.executor);
  parts_.with_journal(
      [read, query = *query, options, up_to = job->spec.up_to](Result<JournalReader*> reader) {
        if (!reader) return read.set(base::fail(reader.error()));
        Page page = (*reader)->search(query, options);
        if (page) std::erase_if(*page, [up_to](const MessageSummary& one) { return one.id > up_to; });
        read.set(std::move(page));
      });
  Page page = co_await read;
  co_return page;
}

/// Waits so that the job keeps its rate on average.
Task<void> ReplayJobs::pace(JobPtr job) {
  if (job->spec.rate <= 0) co_return;
  ++job->paced;
  const std::int64_t due_us = static_cast<std::int64_t>(job->paced) * 1'000'000 / job->spec.rate;
  const auto due = job->began + std::chrono::microseconds(due_us);
  while (!stopping_ && job->record.state == JobState::running) {
    const auto left = due - parts_.clock->mono();
    if (left.count() <= 0) co_return;
    co_await wake_.wait(left);
  }
}

/// True: the disk does not take it now; nothing was counted.
Task<bool> ReplayJobs::one(JobPtr job, MessageSummary summary, base::JsonWriter* report) {
  const std::string name = job->spec.channel.empty() ? summary.channel : job->spec.channel;
  ChannelRuntime* channel = find_channel(name);
  const ReplayTargets targets = choose_targets(summary, job->spec);
  std::string skipped = channel == nullptr ? "this site has no such channel" : targets.skipped;
  Result<ReplayOutcome> outcome = ReplayOutcome();
  if (skipped.empty()) {
    base::Completion<Result<StoredMessage>> read(*parts_.executor);
    parts_.journal->read_message(summary.id,
                                 [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
    Result<StoredMessage> stored = co_await read;
    Result<std::vector<Output>> kept = std::vector<Output>();
    if (stored && job->spec.as_sent) {
      auto reading = outputs_as_sent(summary, targets);
      kept = co_await std::move(reading);
    }
    channel = find_channel(name);  // a reload may have taken it out meanwhile
    if (stored && kept && job->spec.as_sent && kept->empty()) {
      skipped = "nothing was sent there";
    } else if (!stored || !kept) {
      outcome = base::fail(stored ? kept.error() : stored.error());
    } else if (channel == nullptr) {
      skipped = "this site has no such channel";
    } else {
      if (job->spec.fresh_lookups) stored->message.lookups.clear();
      ReplayOrder order;
      order.job = job->record.id;
      order.wants = [targets](const std::string& destination) { return goes_to(targets, destination); };
      if (job->spec.as_sent) order.outputs = std::move(*kept);
      const ChannelRuntime::Use use(channel);
      auto replaying = channel->replay(std::move(*stored), std::move(order));
      outcome = co_await std::move(replaying);
    }
  }
  if (skipped.empty() && !outcome && outcome.error().info().category == base::ErrorCategory::io) co_return true;
  if (!skipped.empty()) ++job->record.skipped;
  if (skipped.empty()) ++(outcome ? job->record.done : job->failed);
  if (report == nullptr) co_return false;
  report->begin_object().key("id").integer(as_integer(summary.id)).member("channel", summary.channel);
  report->member("type", summary.type);
  if (!skipped.empty()) {
    report->member("skipped", skipped);
  } else if (!outcome) {
    report->member("error", outcome.error().message());
  } else {
    report->key("new_id").integer(as_integer(outcome->id)).member("verdict", outcome->verdict);
    if (!outcome->reason.empty()) report->member("reason", outcome->reason);
    report->key("outputs").begin_array();
    for (const auto& part : outcome->outputs) {
      report->begin_object().member("destination", part.destination);
      report->key("bytes").integer(as_integer(part.bytes)).member("sha256", part.sha256).end_object();
    }
    report->end_array();
  }
  report->end_object();
  co_return false;
}

/// The bytes that were sent to the destinations wanted. Errors: message_not_found when they were not kept.
Task<Result<std::vector<Output>>> ReplayJobs::outputs_as_sent(MessageSummary summary, ReplayTargets targets) {
  using Outputs = Result<std::vector<Output>>;
  base::Completion<Outputs> read(*parts_.executor);
  parts_.with_journal([read, summary, targets](Result<JournalReader*> reader) {
    if (!reader) return read.set(base::fail(reader.error()));
    std::vector<Output> out;
    for (const DestinationState& state : summary.destinations) {
      const auto slash = state.destination.find('/');
      if (slash == std::string::npos || state.pending) continue;
      Output output;
      output.destination = state.destination.substr(slash + 1);
      if (!goes_to(targets, output.destination)) continue;
      auto kept = (*reader)->sent_output(summary.id, state.destination);
      if (!kept) return read.set(base::fail(kept.error()));
      output.kind = kept->kind;
      output.control_id = std::move(kept->control_id);
      output.body = std::move(kept->body);
      out.push_back(std::move(output));
    }
    read.set(std::move(out));
  });
  Outputs outputs = co_await read;
  co_return outputs;
}

Task<Result<MessageSummary>> ReplayJobs::summary_of(MessageId id) {
  base::Completion<Result<MessageSummary>> read(*parts_.executor);
  parts_.with_journal([read, id](Result<JournalReader*> reader) {
    if (!reader) return read.set(base::fail(reader.error()));
    read.set((*reader)->summary(id));
  });
  Result<MessageSummary> summary = co_await read;
  co_return summary;
}

Task<void> ReplayJobs::narrow(StoredMessage stored, Plan* plan) {
  const NewMessage& message = stored.message;
  auto reading = read_all();
  const Result<std::vector<JobRecord>> jobs = co_await std::move(reading);
  auto asking = summary_of(message.replay_of);
  const Result<MessageSummary> summary = co_await std::move(asking);
  const JobRecord* record = nullptr;
  if (jobs)
    for (const JobRecord& one : *jobs)
      if (one.id == message.job) record = &one;
  // Without a job it was released, or sent again by hand: it goes where the original failed.
  const bool by_hand = message.replay_of != 0 && message.job == 0;
  const Result<ReplaySpec> spec =
      by_hand ? Result<ReplaySpec>(ReplaySpec())
      : record == nullptr ? Result<ReplaySpec>(base::fail(ErrorCode::job_not_found)) : read_spec(record->spec);
  const bool known = summary.has_value() && spec.has_value();
  ReplayTargets targets = known ? choose_targets(*summary, *spec, stored.id) : ReplayTargets();
  if (by_hand && known && summary->is_part() && (targets.everywhere || !targets.names.empty()))
    targets.skipped.clear();  // a part is released by itself, if not replayed
  if (known && spec->as_sent) {
    auto keeping = outputs_as_sent(*summary, targets);
    Result<std::vector<Output>> outputs = co_await std::move(keeping);
    if (outputs) {
      *plan = Plan();
      plan->outputs = std::move(*outputs);
      co_return;
    }
  }
  if (!known || spec->as_sent || !targets.skipped.empty()) {  // where it was to go is not known: somebody decides
    *plan = Plan();
    plan->verdict = Plan::Verdict::quarantined;
    plan->code = "operator-hold";
    plan->reason = "a replay was interrupted, and where it was to go is not known any more";
    co_return;
  }
  std::erase_if(plan->outputs,
                [&targets](const Output& output) { return !goes_to(targets, output.destination); });
  std::erase_if(plan->endings,
                [&targets](const Ending& ending) { return !goes_to(targets, ending.destination); });
  if (by_hand) note_released(*summary, targets, stored.id);
}

/// The process ended between the release and its note. A note that comes before the outputs does no harm: is_open().
void ReplayJobs::note_released(const MessageSummary& original, const ReplayTargets& targets, MessageId released_as) {
  for (const DestinationState& state : original.destinations) {
    const auto slash = state.destination.find('/');
    const std::string name = slash == std::string::npos ? state.destination : state.destination.substr(slash + 1);
    if (!is_open(state, released_as) || !(targets.everywhere || goes_to(targets, name))) continue;
    QuarantineNote note = state.note.value_or(QuarantineNote{});
    if (note.released_as == released_as) continue;
    note.resolution = Resolution::released;
    note.released_as = released_as;
    note.by = "recovery";
    note.changed = parts_.clock->wall();
    parts_.journal->note_quarantine(original.id, state.destination, std::move(note), [](const Status& status) {
      if (!status)
        base::log(base::LogLevel::error, "release-not-noted", {{"error", base::Safe::code(status.error().code)}});
    });
  }
}

Task<Result<std::vector<JobRecord>>> ReplayJobs::read_all() {
  using Jobs = Result<std::vector<JobRecord>>;
  base::Completion<Jobs> listed(*parts_.executor);
  parts_.journal->read_jobs(limits::kJobsKept, [listed](Jobs jobs) { listed.set(std::move(jobs)); });
  Jobs jobs = co_await listed;
  co_return jobs;
}

std::string ReplayJobs::print(const JobRecord& record) const {
  const auto live = live_.find(record.id);
  const JobRecord& job = live == live_.end() ? record : live->second->record;
  const auto spec = read_spec(job.spec);
  base::JsonWriter json;
  json.begin_object().key("id").integer(as_integer(job.id));
  json.member("query", spec ? spec->query : std::string()).member("by", job.requester);
  if (!job.reason.empty()) json.member("reason", job.reason);
  json.member("created", print_time(job.created)).member("state", name_of(job.state));
  json.key("total").integer(as_integer(job.total)).key("done").integer(as_integer(job.done));
  json.key("failed").integer(live == live_.end() ? 0 : as_integer(live->second->failed));
  json.key("skipped").integer(as_integer(job.skipped));
  const std::int64_t rate = spec ? spec->rate : 0;
  json.key("rate").integer(rate);
  const std::uint64_t handled = job.done + job.skipped;
  if (job.state == JobState::running && rate > 0 && job.total >= handled)
    json.key("eta_seconds").integer(as_integer(job.total - handled) / rate);
  if (!job.detail.empty()) json.member("detail", job.detail);
  return json.end_object().take();
}

Task<Result<std::string>> ReplayJobs::list() {
  auto reading = read_all();
  const Result<std::vector<JobRecord>> jobs = co_await std::move(reading);
  if (!jobs) co_return base::fail(jobs.error());
  std::string out = "{\"jobs\":[";
  for (const JobRecord& job : *jobs)
    if (job.kind == kKind) out += (out.ends_with('[') ? "" : ",") + print(job);
  co_return out + "]}";
}

Task<Result<std::string>> ReplayJobs::show(JobId id) {
  auto reading = read_all();
  const Result<std::vector<JobRecord>> jobs = co_await std::move(reading);
  if (!jobs) co_return base::fail(jobs.error());
  for (const JobRecord& job : *jobs)
    if (job.kind == kKind && job.id == id) co_return print(job);
  co_return base::fail(ErrorCode::job_not_found, {}, std::to_string(id), "`kiln replay status` names them");
}

Task<Result<std::string>> ReplayJobs::control(JobId id, std::string action) {
  const auto found = live_.find(id);
  if (found == live_.end()) {
    auto showing = show(id);
    const Result<std::string> ended = co_await std::move(showing);
    if (!ended) co_return base::fail(ended.error());
    co_return base::fail(ErrorCode::state_conflict, "the job has ended", std::to_string(id));
  }
  const JobPtr job = found->second;
  if (action == "pause")
    job->record.state = JobState::paused;
  else if (action == "resume")
    job->record.state = JobState::running;
  else if (action == "cancel")
    job->record.state = JobState::cancelled;
  else
    co_return base::fail(ErrorCode::bad_value, "a job cannot `" + action + "`", {},
                         "pause, resume or cancel");
  wake_.notify();
  while (job->runs && job->record.state != JobState::running)
    co_await wake_.wait(std::chrono::milliseconds(20));
  auto keeping = keep(job);
  const Result<JobId> kept = co_await std::move(keeping);
  if (!kept) co_return base::fail(kept.error());
  const std::string text = print(job->record);
  if (job->record.state == JobState::cancelled) live_.erase(id);
  if (job->record.state == JobState::running && !job->runs) base::spawn(run(job, nullptr));
  co_return text;
}

}  // namespace kiln::engine
