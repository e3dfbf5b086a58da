// Versions of a site: read from disk or out of the journal, and which were applied, when and by whom.

#include <algorithm>
#include <charconv>

#include "engine/admin/message_json.h"
#include "engine/base/json.h"
#include "engine/limits.h"
#include "engine/reload.h"
#include "engine/site_version.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Task;

namespace {

constexpr const char* kJobKind = "reload";

/// The first finding with its place, and how many more there are.
base::Error error_of(const channels::SiteLoad& load) {
  base::Error error{
      ErrorCode::site_invalid, {}, {}, "`kiln check` shows them all; the site that runs goes on"};
  std::size_t errors = 0;
  for (const base::Diagnostics* part : {&load.diagnostics, &load.unavailable})
    for (const base::Diagnostic& finding : part->list()) {
      if (finding.severity != base::Severity::error || errors++ > 0) continue;
      const bool has_place = load.library != nullptr && finding.span.file < load.library->sources().size();
      if (has_place) error.place = load.library->sources().place(finding.span);
      error.text = std::string(base::error_info(finding.code).code) + ": " + finding.message;
      if (!finding.helps.empty()) error.remedy = finding.helps.front();
    }
  if (errors > 1) error.text += ", and " + std::to_string(errors - 1) + " more";
  return error;
}

struct Applied {
  JobRecord job;
  std::string hash;
};

std::vector<Applied> applied_of(const std::vector<JobRecord>& jobs) {
  std::vector<Applied> out;
  for (const JobRecord& job : jobs) {
    if (job.kind != kJobKind) continue;
    const auto spec = base::parse_json(job.spec);
    if (spec) out.push_back({job, std::string(spec->root()["config"].text())});
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const channels::Site>> load_checked(base::Env& env, const channels::Site& running) {
  TRY(channels::SiteLoad load, channels::load_site(env, running.folder));
  if (!load.site || !load.unavailable.ok()) return base::fail(error_of(load));
  TRY_VOID(channels::resolve_site(*load.site, env, channels::process_references()));
  if (load.site->data_folder != running.data_folder)
    return base::fail(ErrorCode::restart_needed, "the data would be in another folder",
                      "kiln.conf, server, data", "stop the engine, move the folder, start it");
  return std::shared_ptr<const channels::Site>(std::move(load.site));
}

Task<Result<SiteReload::SitePtr>> SiteReload::load(std::string version) {
  if (!version.empty()) {
    auto loading = load_version(std::move(version));
    Result<SitePtr> loaded = co_await std::move(loading);
    co_return loaded;
  }
  base::Completion<Result<SitePtr>> read(*parts_.executor);
  parts_.work->post(
      [read, env = parts_.env, running = *parts_.site] { read.set(load_checked(*env, *running)); });
  Result<SitePtr> loaded = co_await read;
  co_return loaded;
}

Task<Result<SiteReload::SitePtr>> SiteReload::load_version(std::string version) {
  using Jobs = Result<std::vector<JobRecord>>;
  base::Completion<Jobs> listed(*parts_.executor);
  parts_.journal->read_jobs(limits::kJobsKept, [listed](Jobs jobs) { listed.set(std::move(jobs)); });
  const Jobs jobs = co_await listed;
  if (!jobs) co_return base::fail(jobs.error());
  std::string hash;
  constexpr std::size_t kHashMin = 6;
  for (const Applied& one : applied_of(*jobs))
    if (version == std::to_string(one.job.id) ||
        (version.size() >= kHashMin && one.hash.starts_with(version))) {
      hash = one.hash;
      break;
    }
  if (hash.empty())
    co_return base::fail(ErrorCode::config_version_not_found, {}, version, "`kiln history` lists them");
  base::Completion<Result<std::string>> read(*parts_.executor);
  parts_.journal->read_config(hash, [read](Result<std::string> text) { read.set(std::move(text)); });
  const Result<std::string> text = co_await read;
  if (!text)
    co_return base::fail(ErrorCode::config_version_not_found, "its files are not in the journal any more",
                         version);
  base::Completion<Result<SitePtr>> compiled(*parts_.executor);
  parts_.work->post([compiled, env = parts_.env, running = *parts_.site, text = *text, hash] {
    compiled.set(load_site_version(text, hash, *running, *env));
  });
  Result<SitePtr> loaded = co_await compiled;
  co_return loaded;
}

Task<void> SiteReload::keep(std::string was, ReloadRequest request, const SiteDiff* diff) {
  JobRecord job;
  job.kind = kJobKind;
  job.state = JobState::finished;
  job.requester = request.by;
  job.reason = request.version.empty()  ? request.reason
               : request.reason.empty() ? "rollback to " + request.version
                                        : request.reason + " (rollback to " + request.version + ")";
  job.created = job.changed = parts_.clock->wall();
  base::JsonWriter spec;
  spec.begin_object().member("config", (*parts_.site)->hash).member("was", was).key("changes").begin_array();
  if (diff != nullptr)
    for (const std::string& line : diff->effects) spec.string(line);
  job.spec = spec.end_array().end_object().take();
  base::Completion<Result<JobId>> kept(*parts_.executor);
  parts_.journal->keep_job(std::move(job), [kept](Result<JobId> id) { kept.set(std::move(id)); });
  const Result<JobId> id = co_await kept;
  if (!id) parts_.say("note: the version is applied, but not in the history: " + id.error().message());
}

Task<void> SiteReload::note_start() {
  using Jobs = Result<std::vector<JobRecord>>;
  base::Completion<Jobs> listed(*parts_.executor);
  parts_.journal->read_jobs(limits::kJobsKept, [listed](Jobs jobs) { listed.set(std::move(jobs)); });
  const Jobs jobs = co_await listed;
  if (!jobs) co_return;
  const auto applied = applied_of(*jobs);
  if (!applied.empty() && applied.front().hash == (*parts_.site)->hash) co_return;
  ReloadRequest request;
  request.by = "start";
  auto keeping = keep(applied.empty() ? std::string() : applied.front().hash, std::move(request), nullptr);
  co_await std::move(keeping);
}

Task<Result<std::string>> SiteReload::history() {
  using Jobs = Result<std::vector<JobRecord>>;
  base::Completion<Jobs> listed(*parts_.executor);
  parts_.journal->read_jobs(limits::kJobsKept, [listed](Jobs jobs) { listed.set(std::move(jobs)); });
  const Jobs jobs = co_await listed;
  if (!jobs) co_return base::fail(jobs.error());
  base::JsonWriter out;
  out.begin_object().key("versions").begin_array();
  bool current = true;
  std::size_t shown = 0;
  for (const Applied& one : applied_of(*jobs)) {
    if (++shown > limits::kVersionsShownMax) break;
    out.begin_object().key("version").integer(static_cast<std::int64_t>(one.job.id)).member("hash", one.hash);
    out.member("at", print_time(one.job.created)).member("by", one.job.requester);
    if (!one.job.reason.empty()) out.member("reason", one.job.reason);
    const auto spec = base::parse_json(one.job.spec);
    out.key("changes").begin_array();
    if (spec)
      for (const base::JsonView line : spec->root()["changes"]) out.string(line.text());
    out.end_array().key("current").boolean(current && one.hash == (*parts_.site)->hash).end_object();
    current = false;
  }
  co_return out.end_array().end_object().take();
}

}  // namespace kiln::engine
