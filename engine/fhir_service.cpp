#include "engine/fhir_service.h"

#include <algorithm>
#include <future>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/security/site_access.h"
#include "fhir/outcome.h"
#include "fhir/transaction.h"

namespace kiln::engine {

using base::HttpResponse;
using base::Result;
using base::Status;
using base::Task;
using channels::ChangeBatch;
using channels::SendOutcome;

namespace {

/// Cursor of a consumer that is known and has taken nothing: 0 would be one that is not known yet, which
/// skips what is there.
constexpr std::int64_t kBeforeFirst = -1;

fhir::ServerContext make_context(const FhirService::Parts& parts, fhir::IdSource& ids) {
  fhir::ServerContext context = parts.rules.context;
  context.base_url = parts.base_url;
  context.clock = parts.clock;
  context.ids = &ids;
  context.access = parts.access;
  context.bulk = parts.bulk;
  context.software_version = parts.version;
  context.started = parts.clock->wall();
  return context;
}

/// A failure of a delivery: what can succeed later is tried again, the rest is quarantined.
SendOutcome failed_outcome(const fhir::Failure& failure) {
  const base::ErrorInfo& info = failure.error.info();
  const bool again = info.retry || info.category == base::ErrorCategory::io;
  SendOutcome outcome =
      SendOutcome::failed(again ? SendOutcome::Kind::retry : SendOutcome::Kind::bad, failure.error);
  outcome.code = std::to_string(failure.status());
  outcome.reply = fhir::print_outcome(failure);
  return outcome;
}

}  // namespace

FhirService::FhirService(Parts parts)
    : parts_(std::move(parts)),
      readers_(std::move(parts_.readers)),
      ids_(*parts_.clock, *parts_.random),
      home_ids_(*parts_.clock, home_random_),
      audit_(parts_.rules.audit, *parts_.clock, ids_),
      validator_(parts_.rules.library ? std::make_unique<fhir::Validator>(*parts_.rules.library) : nullptr),
      context_(make_context(parts_, ids_)),
      changed_(*parts_.home),
      request_prefix_("r" + std::to_string(parts_.clock->wall().micros) + "-") {
  context_.validator = validator_.get();
  if (parts_.writer->has_pending_parameters()) begin_reindex();
}

FhirService::~FhirService() = default;

void FhirService::enqueue(Job job) {
  bool schedule = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    schedule = !std::exchange(scheduled_, true);
  }
  if (schedule) parts_.write_executor->post([this] { drain(); });
}

/// Commits everything that waits, in groups, in order of arrival.
void FhirService::drain() {
  for (;;) {
    std::vector<Job> group;
    {
      const std::lock_guard lock(mutex_);
      while (!queue_.empty() && group.size() < base::limits::kGroupCommitMax) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      if (group.empty()) {
        scheduled_ = false;
        return;
      }
    }
    const Status status = commit_group(group);
    // What reached the disk is unknown, and a later fsync may not be believed.
    if (!status && status.error().code == base::ErrorCode::fsync_failed && parts_.fail_stop)
      parts_.fail_stop();
    if (parts_.writer->take_parameters_changed()) {
      const Status loaded = parts_.writer->load_parameters();
      if (!loaded)
        base::log(base::LogLevel::error, "search-parameters-not-loaded",
                  {{"error", base::Safe::code(loaded.error().code)}});
      if (parts_.writer->has_pending_parameters()) begin_reindex();
    }
    for (Job& job : group) job.done(status);
    parts_.home->post([this] {
      ++commits_;
      changed_.notify();
    });
  }
}

/// Nearly every group succeeds as a whole; one in which something has to be undone is done once more.
Status FhirService::commit_group(std::vector<Job>& group) {
  TRY(bool committed, run_group(group, fhir::Store::Scopes::assumed));
  if (!committed) {
    TRY(committed, run_group(group, fhir::Store::Scopes::undoable));
  }
  if (!committed) return base::fail(base::ErrorCode::database_failed, "the transaction was given up");
  return {};
}

/// One transaction; false when it was spoiled and nothing of it is kept. Nothing runs after a job that
/// spoiled it: once SQLite has ended a transaction by itself, each later statement would be a commit.
Result<bool> FhirService::run_group(std::vector<Job>& group, fhir::Store::Scopes scopes) {
  fhir::Store& store = *parts_.writer;
  TRY_VOID(store.begin(scopes));
  for (Job& job : group) {
    job.work(store);
    if (!store.is_spoiled()) continue;
    store.rollback();
    return false;
  }
  const Status status = store.commit();
  if (status) return true;
  store.rollback();
  return base::fail(status.error());
}

void FhirService::on_read(std::function<void(fhir::Store&)> work, ReadPool::Lane lane) {
  readers_.run(std::move(work), lane);
}

std::string FhirService::next_request_id() {
  return request_prefix_ + std::to_string(++requests_);
}

void FhirService::handle(base::HttpRequest request, fhir::Principal principal,
                         std::function<void(HttpResponse)> answer, std::function<bool()> is_gone) {
  // Every answer can be named to who runs this server.
  if (!fhir::is_request_id(request.headers.get("X-Request-Id"))) request.headers.set("X-Request-Id", next_request_id());
  auto reply = [home = parts_.home, answer = std::move(answer)](HttpResponse response) {
    home->post([answer, response = std::move(response)]() mutable { answer(std::move(response)); });
  };
  if (!fhir::is_write(request, context_)) {
    handle_read(std::move(request), std::move(principal), std::move(reply), std::move(is_gone));
    return;
  }
  auto response = std::make_shared<HttpResponse>();
  const std::string id(request.headers.get("X-Request-Id"));
  Job job;
  job.work = [this, response, request = std::move(request), principal = std::move(principal)](
                 fhir::Store& store) { *response = run_write(store, request, principal); };
  job.done = [response, reply, id](const Status& status) {
    if (!status) *response = fhir::refuse(status.error());
    if (!status) response->headers.set("X-Request-Id", id);
    reply(std::move(*response));
  };
  enqueue(std::move(job));
}

// ---- sink ----

/// Runs inside the shared transaction; the pair (message, destination) makes a repetition harmless
/// (architecture.md §3).
SendOutcome FhirService::apply_one(fhir::Store& store, const channels::Outgoing& message) {
  const std::string dest = message.channel + "/" + message.destination;
  const auto msg_id = static_cast<std::int64_t>(message.msg_id);
  auto scope = fhir::StoreScope::open(store);
  if (!scope) return failed_outcome(scope.error());
  const auto known = store.delivered(msg_id, dest);
  if (!known) return failed_outcome(known.error());
  if (*known) return SendOutcome::sent("already applied");
  auto document = base::parse_json(message.bytes);
  if (!document) return failed_outcome(document.error());
  const std::string origin = fhir::channel_origin(message.channel);
  fhir::ApplyOptions options;
  options.origin = origin;
  const auto before = store.last_seq();
  if (!before) return failed_outcome(before.error());
  const auto applied = fhir::apply_bundle(store, document->root(), context_, options);
  if (!applied) return failed_outcome(applied.error());
  if (audit_.rules().any()) {
    const Actor actor{"channel " + message.channel, {}, std::to_string(message.msg_id)};
    AuditedRequest about;
    about.code = "transaction";
    if (const Status noted = audit_.note_write(store, actor, about, *before); !noted)
      return failed_outcome(noted.error());
  }
  if (const Status marked = store.mark_delivered(msg_id, dest); !marked)
    return failed_outcome(marked.error());
  if (const Status kept = scope->keep(); !kept) return failed_outcome(kept.error());
  std::size_t written = 0;
  for (const auto& entry : applied->entries) written += entry.unchanged ? 0 : 1;
  return SendOutcome::sent(
      "200", std::to_string(written) + " of " + std::to_string(applied->entries.size()) + " written");
}

/// One job, so one commit; ends at the first message that is not applied, so that order is kept.
Task<std::vector<SendOutcome>> FhirService::apply_batch(std::vector<channels::Outgoing> messages) {
  using Outcomes = std::vector<SendOutcome>;
  base::Completion<Outcomes> completion(*parts_.home);
  auto outcomes = std::make_shared<Outcomes>();
  Job job;
  job.work = [this, outcomes, batch = std::make_shared<std::vector<channels::Outgoing>>(std::move(messages))](
                 fhir::Store& store) {
    outcomes->clear();
    for (const channels::Outgoing& message : *batch) {
      outcomes->push_back(apply_one(store, message));
      if (outcomes->back().kind != SendOutcome::Kind::sent) return;
    }
  };
  job.done = [outcomes, completion](const Status& status) {
    if (status) return completion.set(std::move(*outcomes));
    Outcomes failed;
    failed.push_back(SendOutcome::failed(SendOutcome::Kind::retry, status.error()));
    completion.set(std::move(failed));
  };
  enqueue(std::move(job));
  Outcomes result = co_await completion;
  co_return result;
}

// ---- feed ----

Result<std::uint64_t> FhirService::position(const std::string& consumer) {
  std::promise<Result<std::uint64_t>> promise;
  auto future = promise.get_future();
  auto found = std::make_shared<Result<std::uint64_t>>(0);
  Job job;
  job.work = [found, consumer](fhir::Store& store) {
    const auto cursor = store.cursor(consumer);
    if (!cursor || *cursor != 0) {
      *found = cursor ? Result<std::uint64_t>(static_cast<std::uint64_t>(std::max<std::int64_t>(*cursor, 0)))
                      : base::fail(cursor.error());
      return;
    }
    const auto last = store.last_seq();
    const Status set =
        last ? store.set_cursor(consumer, *last == 0 ? kBeforeFirst : *last) : base::fail(last.error());
    *found = set ? Result<std::uint64_t>(static_cast<std::uint64_t>(*last)) : base::fail(set.error());
  };
  job.done = [found, &promise](const Status& status) {
    promise.set_value(status ? *found : Result<std::uint64_t>(base::fail(status.error())));
  };
  enqueue(std::move(job));
  return future.get();
}

Result<ChangeBatch> FhirService::read_now(fhir::Store& store, std::uint64_t after, std::size_t limit) {
  TRY(const auto versions, store.changes_since(static_cast<std::int64_t>(after), limit));
  ChangeBatch batch;
  batch.read_up_to = after;
  for (const fhir::StoredVersion& version : versions) {
    channels::Change change;
    change.position = static_cast<std::uint64_t>(version.seq);
    change.action = version.deleted()  ? channels::ChangeAction::delete_
                    : version.vid == 1 ? channels::ChangeAction::create
                                       : channels::ChangeAction::update;
    change.by_channel = !fhir::is_client_origin(version.origin);
    change.origin = version.origin;
    change.type = version.type;
    change.id = version.id;
    change.version = static_cast<std::uint64_t>(version.vid);
    change.resource = version.body;
    if (version.deleted() && version.vid > 1) {
      TRY(const auto before, store.read_version(version.type, version.id, version.vid - 1));
      if (before) change.resource = before->body;
    }
    change.at = version.updated;
    batch.read_up_to = change.position;
    batch.changes.push_back(std::move(change));
  }
  return batch;
}

Task<Result<ChangeBatch>> FhirService::read(std::uint64_t after, std::size_t limit, std::int64_t wait_ms) {
  const base::MonoTime until = parts_.clock->mono() + std::chrono::milliseconds(wait_ms);
  for (;;) {
    const std::uint64_t commits = commits_;
    base::Completion<Result<ChangeBatch>> completion(*parts_.home);
    on_read([this, after, limit, completion](fhir::Store& store) {
      completion.set(read_now(store, after, limit));
    });
    Result<ChangeBatch> batch = co_await completion;
    const base::MonoTime left = until - parts_.clock->mono();
    if (!batch || !batch->changes.empty() || left.count() <= 0) co_return batch;
    if (commits != commits_) continue;
    const std::uint64_t wakes = wakes_;
    const bool notified = co_await changed_.wait(left);
    if (!notified || wakes != wakes_) co_return batch;
  }
}

Task<Status> FhirService::advance(std::string consumer, std::uint64_t position) {
  base::Completion<Status> completion(*parts_.home);
  auto status = std::make_shared<Status>();
  Job job;
  job.work = [status, consumer = std::move(consumer), position](fhir::Store& store) {
    *status = store.set_cursor(consumer, static_cast<std::int64_t>(position));
  };
  job.done = [status, completion](const Status& committed) {
    completion.set(committed ? *status : committed);
  };
  enqueue(std::move(job));
  Status result = co_await completion;
  co_return result;
}

Task<Status> FhirService::write_store(std::function<Status(fhir::Store&)> work) {
  base::Completion<Status> completion(*parts_.home);
  auto status = std::make_shared<Status>();
  Job job;
  job.work = [status, work = std::move(work)](fhir::Store& store) {
    auto scope = fhir::StoreScope::open(store);
    *status = scope ? work(store) : base::fail(scope.error());
    if (*status) *status = scope->keep();
  };
  job.done = [status, completion](const Status& committed) {
    completion.set(committed ? *status : committed);
  };
  enqueue(std::move(job));
  Status result = co_await completion;
  co_return result;
}

Task<Status> FhirService::note_request(base::HttpRequest request, fhir::Principal principal, int status,
                                       bool writes) {
  const auto about = describe(request, context_.base_path, status);
  const bool wanted = writes ? audit_.rules().writes : audit_.rules().reads;
  if (!wanted || !about || (status >= 400 && status != 403)) co_return Status{};
  if (audits_waiting_ >= base::limits::kAuditQueueMax) co_return base::fail(base::ErrorCode::fhir_throttled);
  ++audits_waiting_;
  Actor actor{principal.name, std::string(host_of(request.peer)), {}};
  auto work = [this, about = *about, actor = std::move(actor)](fhir::Store& store) {
    return audit_.note_read(store, actor, about);
  };
  auto writing = write_store(std::move(work));
  const Status noted = co_await std::move(writing);
  --audits_waiting_;
  co_return noted;
}

Task<Status> FhirService::read_store(std::function<Status(fhir::Store&)> work) {
  base::Completion<Status> completion(*parts_.home);
  on_read([work = std::move(work), completion](fhir::Store& store) { completion.set(work(store)); });
  Status result = co_await completion;
  co_return result;
}

Status FhirService::read_store_now(const std::function<Status(fhir::Store&)>& work) {
  std::promise<Status> promise;
  auto future = promise.get_future();
  on_read([&promise, &work](fhir::Store& store) { promise.set_value(work(store)); });
  return future.get();
}

void FhirService::wake() {
  ++wakes_;
  changed_.notify();
}

/// Old resources are indexed by jobs of their own, one after the other, so that writers are served between them.
void FhirService::begin_reindex() {
  if (!reindexing_.exchange(true)) parts_.home->post([this] { next_reindex_step(); });
}

void FhirService::next_reindex_step() {
  auto more = std::make_shared<Result<bool>>(false);
  Job job;
  job.work = [more](fhir::Store& store) { *more = store.reindex_step(); };
  job.done = [this, more](const Status& status) {
    if (status && *more) parts_.writer->reindex_committed();
    if (status && *more && !**more) {
      reindexing_ = false;
      if (parts_.writer->has_pending_parameters()) begin_reindex();  // one came with this very commit
      return;
    }
    // A disk that is full may have room again.
    const bool failed = !status || !*more;
    const std::chrono::milliseconds pause(failed ? 1'000 : base::limits::kReindexPauseMs);
    parts_.home->post([this, pause] { parts_.home->post_after(pause, [this] { next_reindex_step(); }); });
  };
  enqueue(std::move(job));
}

Task<Result<std::vector<fhir::ReindexState>>> FhirService::parameters_state() {
  using States = Result<std::vector<fhir::ReindexState>>;
  base::Completion<States> completion(*parts_.home);
  auto states = std::make_shared<States>();
  Job job;
  job.work = [states](fhir::Store& store) { *states = store.parameters_state(); };
  job.done = [states, completion](const Status& status) {
    completion.set(status ? *states : States(base::fail(status.error())));
  };
  enqueue(std::move(job));
  States result = co_await completion;
  co_return result;
}

Result<fhir::StoreCounts> FhirService::counts() {
  std::promise<Result<fhir::StoreCounts>> promise;
  auto future = promise.get_future();
  on_read([&promise](fhir::Store& store) { promise.set_value(store.counts()); });
  return future.get();
}

}  // namespace kiln::engine
