// Requests of the FHIR API between the network and the store: reads that are dropped, writes and reads that
// are audited.

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/fhir_service.h"
#include "engine/security/site_access.h"

namespace kiln::engine {

using base::HttpResponse;
using base::Status;

namespace {

/// How long a read may wait before its client is looked at, and how often then.
constexpr std::chrono::milliseconds kPatience(1'000), kLookEvery(250);

/// Reads of one resource or version are points. The CapabilityStatement takes as long as a search.
ReadPool::Lane lane_of(const base::HttpRequest& request, std::string_view base_path) {
  std::string_view path = request.target;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads || path.find_first_of("?$") != path.npos || !path.starts_with(base_path)) return ReadPool::Lane::search;
  path.remove_prefix(base_path.size());
  const auto steps = base::split(path.substr(path.empty() ? 0 : 1), '/');
  const bool resource = steps.size() == 2 && !steps[1].empty() && steps[1].front() != '_' && steps[1] != "*";
  const bool version = steps.size() == 4 && steps[2] == "_history";
  return resource || version ? ReadPool::Lane::point : ReadPool::Lane::search;
}

}  // namespace

/// A read whose client has gone, or that the stop of the server overtakes, costs nothing more.
void FhirService::handle_read(base::HttpRequest request, fhir::Principal principal,
                              std::function<void(HttpResponse)> reply, std::function<bool()> is_gone) {
  auto dropped = std::make_shared<std::atomic<bool>>(false);
  const std::uint64_t number = ++reads_;
  const bool watched = is_gone != nullptr;
  if (watched) waiting_[number] = {std::move(is_gone), dropped, parts_.clock->mono()};
  if (!waiting_.empty() && !std::exchange(looking_, true))
    parts_.home->post_after(kLookEvery, [this] { look_for_gone(); });
  auto done = [this, number, watched, reply = std::move(reply)](HttpResponse response) {
    if (watched) parts_.home->post([this, number] { waiting_.erase(number); });
    reply(std::move(response));
  };
  const bool searches = request.target.find('?') != std::string::npos || request.method == "POST";
  const ReadPool::Lane lane = lane_of(request, context_.base_path);
  auto work = [this, request = std::move(request), principal = std::move(principal), dropped, done,
               searches](fhir::Store& store) {
    const auto must_stop = [this, dropped] { return giving_up_ || *dropped; };
    if (must_stop()) {
      HttpResponse response = fhir::refuse(base::Error{base::ErrorCode::cancelled, {}, {}, {}});
      response.headers.set("X-Request-Id", std::string(request.headers.get("X-Request-Id")));
      return done(std::move(response));
    }
    store.set_stop(must_stop);
    // A total and its page, a match and what it includes, are of one moment.
    const bool snapshot = searches && store.begin().has_value();
    HttpResponse response = fhir::handle(request, principal, store, context_);
    if (snapshot) store.rollback();
    store.set_stop({});
    if (!audit_.rules().reads) return done(std::move(response));
    answer_audited(request, principal, std::move(response), done);
  };
  on_read(std::move(work), lane);
}

namespace {

Actor actor_of(const base::HttpRequest& request, const fhir::Principal& principal) {
  return {principal.name, std::string(host_of(request.peer)), {}};
}

}  // namespace

/// A write and what is told about it are one: without the AuditEvent there is no write.
HttpResponse FhirService::run_write(fhir::Store& store, const base::HttpRequest& request,
                                    const fhir::Principal& principal) {
  // Versions name who made them.
  std::optional<fhir::ServerContext> named;
  if (!principal.name.empty()) named.emplace(context_).origin = fhir::client_origin(principal.name);
  const fhir::ServerContext& context = named ? *named : context_;
  if (!audit_.rules().any()) return fhir::handle(request, principal, store, context);
  auto scope = fhir::StoreScope::open(store);
  if (!scope) return fhir::refuse(scope.error());
  const auto before = store.last_seq();
  if (!before) return fhir::refuse(before.error());
  HttpResponse response = fhir::handle(request, principal, store, context);
  const auto about = describe(request, context_.base_path, response.status);
  if (about) {
    const Status noted = audit_.note_write(store, actor_of(request, principal), *about, *before);
    if (!noted) return fhir::refuse(noted.error());
  }
  if (const Status kept = scope->keep(); !kept) return fhir::refuse(kept.error());
  return response;
}

/// The answer to a read leaves when it is known that it was read.
void FhirService::answer_audited(base::HttpRequest request, const fhir::Principal& principal,
                                 HttpResponse response, std::function<void(HttpResponse)> reply) {
  const auto about = describe(request, context_.base_path, response.status);
  const bool seen = about && (response.status < 400 || response.status == 403);
  if (!seen) return reply(std::move(response));
  if (audits_waiting_ >= base::limits::kAuditQueueMax)
    return reply(fhir::refuse(base::Error{base::ErrorCode::fhir_throttled, {}, {}, {}}));
  ++audits_waiting_;
  Job job;
  auto noted = std::make_shared<Status>();
  job.work = [this, noted, about = *about, actor = actor_of(request, principal)](fhir::Store& store) {
    auto scope = fhir::StoreScope::open(store);
    *noted = scope ? audit_.note_read(store, actor, about) : base::fail(scope.error());
    if (*noted) *noted = scope->keep();
  };
  job.done = [this, noted, reply = std::move(reply),
              answer = std::make_shared<HttpResponse>(std::move(response))](const Status& status) {
    --audits_waiting_;
    const Status& failed = status ? *noted : status;
    if (!failed) {
      const std::string id(answer->headers.get("X-Request-Id"));
      *answer = fhir::refuse(failed.error());
      answer->headers.set("X-Request-Id", id);
    }
    reply(std::move(*answer));
  };
  enqueue(std::move(job));
}

void FhirService::look_for_gone() {
  const base::MonoTime now = parts_.clock->mono();
  for (auto& [number, read] : waiting_)
    if (now - read.since > kPatience && read.is_gone()) *read.dropped = true;
  looking_ = !waiting_.empty();
  if (looking_) parts_.home->post_after(kLookEvery, [this] { look_for_gone(); });
}

}  // namespace kiln::engine
