#include "engine/bulk/jobs.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/bulk/job_note.h"

namespace kiln::engine {

namespace limits = base::limits;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using fhir::BulkStatus;

namespace {
constexpr const char* kNote = "job.json";
/// Pages between two notes: what a stop loses is written again.
constexpr std::size_t kPagesPerNote = 20;
}  // namespace

struct ExportJobs::Job {
  std::string id;
  JobNote note;                        ///< executor only, once the job runs
  std::unique_ptr<Exporter> exporter;  ///< executor only
  std::size_t pages = 0;
  std::atomic<bool> cancelled{false};
  BulkStatus shown;  ///< under mutex_
};

std::string ExportJobs::folder_of(const std::string& id) const {
  return base::join_path(parts_.folder, id);
}

Result<std::unique_ptr<ExportJobs>> ExportJobs::open(Parts parts) {
  std::unique_ptr<ExportJobs> jobs(new ExportJobs(std::move(parts)));
  TRY_VOID(jobs->parts_.env->make_folders(jobs->parts_.folder));
  TRY(const auto entries, jobs->parts_.env->list(jobs->parts_.folder));
  for (const base::FileInfo& entry : entries) {
    if (!entry.is_directory) continue;
    if (const Status loaded = jobs->load(entry.name); !loaded) {
      base::log(base::LogLevel::warn, "bulk-job-dropped", {{"error", base::Safe::code(loaded.error().code)}});
      jobs->remove_files(entry.name);
    }
  }
  jobs->sweep();
  return jobs;
}

ExportJobs::~ExportJobs() = default;

Status ExportJobs::load(const std::string& id) {
  TRY(const std::string text,
      parts_.env->read_file(base::join_path(folder_of(id), kNote), limits::kFhirFileBytesMax));
  auto job = std::make_shared<Job>();
  job->id = id;
  TRY(job->note, parse_job_note(text));
  publish(*job);
  jobs_.emplace(id, job);
  if (job->shown.state == BulkStatus::State::running) parts_.executor->post([this, job] { step(job); });
  return {};
}

Status ExportJobs::save(const Job& job) const {
  return parts_.env->write_file_atomic(base::join_path(folder_of(job.id), kNote), print_job_note(job.note));
}

/// What others see of a job; the caller holds the mutex, or nobody else has the job yet.
void ExportJobs::publish(Job& job) {
  const JobNote& note = job.note;
  BulkStatus& shown = job.shown;
  shown.request = note.request;
  shown.transaction_time = note.transaction_time;
  shown.problem = note.problem;
  shown.progress = std::to_string(note.state.resources) + " resources, type " +
                   std::to_string(std::min(note.state.type + 1, std::max<std::size_t>(note.scope.types.size(), 1))) +
                   " of " + std::to_string(note.scope.types.size());
  shown.expires = {note.finished.micros + limits::kBulkKeepMs * 1000};
  shown.state = note.finished.micros == 0 ? BulkStatus::State::running
                : note.problem.empty()    ? BulkStatus::State::done
                                          : BulkStatus::State::failed;
  if (shown.state != BulkStatus::State::done) return;
  shown.files.clear();
  for (const ExportedFile& file : note.state.files)
    shown.files.push_back({file.type, file.name, file.count, file.deleted});
}

fhir::Answer<std::string> ExportJobs::start(fhir::BulkExport request) {
  sweep();
  auto job = std::make_shared<Job>();
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= limits::kBulkJobsMax) return fail(ErrorCode::bulk_busy, {}, {}, "delete one that is done");
    job->id = parts_.id_prefix + std::to_string(++next_);
    JobNote& note = job->note;
    note.owner = request.owner;
    note.request = request.request;
    note.filters = std::move(request.filters);
    note.scope.types = std::move(request.types);
    note.scope.since = request.since;
    note.scope.patients = request.patients;
    note.scope.patient_ids = std::move(request.patient_ids);
    publish(*job);
    jobs_.emplace(job->id, job);
  }
  Status made = parts_.env->make_folders(folder_of(job->id));
  if (made) made = save(*job);
  if (!made) {
    const std::lock_guard lock(mutex_);
    jobs_.erase(job->id);
    return fail(std::move(made).error());
  }
  const std::string id = job->id;
  parts_.executor->post([this, job] { step(job); });
  return id;
}

/// The moment of the export is chosen when it begins to run, and noted before anything is written.
Status ExportJobs::prepare(Job& job) {
  JobNote& note = job.note;
  if (note.scope.up_to_seq == 0) {
    TRY(note.scope.up_to_seq, parts_.reader->last_seq());
    TRY(const auto last, parts_.reader->changes_since(std::max<std::int64_t>(note.scope.up_to_seq - 1, 0), 1));
    // A later export that begins with this time misses nothing: no version before it is still to come.
    note.transaction_time = last.empty() ? parts_.clock->wall() : last.front().updated;
    TRY_VOID(save(job));
  }
  TRY_VOID(set_filters(note.scope, note.filters, parts_.base_url));
  TRY(auto exporter, Exporter::start(*parts_.reader, *parts_.env,
                                     {folder_of(job.id), false, limits::kBulkFileBytesMax}, note.scope, note.state,
                                     parts_.base_url));
  job.exporter = std::make_unique<Exporter>(std::move(exporter));
  return {};
}

Status ExportJobs::run_page(Job& job) {
  if (!job.exporter) TRY_VOID(prepare(job));
  TRY(const bool more, job.exporter->step());
  job.note.state = job.exporter->state();
  if (more && ++job.pages % kPagesPerNote != 0) return {};
  TRY_VOID(job.exporter->sync());
  if (!more) job.note.finished = parts_.clock->wall();
  return save(job);
}

/// A page, and then the next job has its turn.
void ExportJobs::step(const std::shared_ptr<Job>& job) {
  if (stopping_) return;
  if (job->cancelled) {
    job->exporter.reset();
    remove_files(job->id);
    return;
  }
  if (const Status page = run_page(*job); !page) {
    base::log(base::LogLevel::error, "bulk-job-failed", {{"error", base::Safe::code(page.error().code)}});
    job->note.problem = page.error().info().text;
    job->note.finished = parts_.clock->wall();
    (void)save(*job);
  }
  const bool goes_on = job->note.finished.micros == 0;
  if (!goes_on) job->exporter.reset();
  {
    const std::lock_guard lock(mutex_);
    publish(*job);
  }
  if (goes_on) parts_.executor->post([this, job] { step(job); });
}

std::shared_ptr<ExportJobs::Job> ExportJobs::find(const std::string& id, const std::string& owner) {
  const auto found = jobs_.find(id);
  return found == jobs_.end() || found->second->note.owner != owner ? nullptr : found->second;
}

fhir::Answer<BulkStatus> ExportJobs::status(const std::string& id, const std::string& owner) {
  sweep();
  const std::lock_guard lock(mutex_);
  const auto job = find(id, owner);
  if (!job) return fail(ErrorCode::fhir_not_found, "there is no such job, or it has expired");
  return job->shown;
}

fhir::Answer<void> ExportJobs::remove(const std::string& id, const std::string& owner) {
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = find(id, owner);
    if (!job) return fail(ErrorCode::fhir_not_found, "there is no such job, or it has expired");
    jobs_.erase(id);
  }
  job->cancelled = true;
  // In the thread that may be writing into it.
  parts_.executor->post([this, id] { remove_files(id); });
  return {};
}

fhir::Answer<std::string> ExportJobs::file(const std::string& id, const std::string& owner, const std::string& name) {
  TRY(const BulkStatus shown, status(id, owner));
  const bool known = std::any_of(shown.files.begin(), shown.files.end(),
                                 [&](const fhir::BulkFile& file) { return file.name == name; });
  if (!known) return fail(ErrorCode::fhir_not_found);
  // A page may end beyond the size at which files are closed.
  TRY(std::string text, parts_.env->read_file(base::join_path(folder_of(id), name),
                                              2 * limits::kBulkFileBytesMax + limits::kFhirFileBytesMax));
  return text;
}

/// Jobs that are over for a day are removed.
void ExportJobs::sweep() {
  std::vector<std::string> over;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t now = parts_.clock->wall().micros;
    for (auto job = jobs_.begin(); job != jobs_.end();) {
      const BulkStatus& shown = job->second->shown;
      const bool expired = shown.state != BulkStatus::State::running && shown.expires.micros <= now;
      if (expired) over.push_back(job->first);
      job = expired ? jobs_.erase(job) : std::next(job);
    }
  }
  for (const std::string& id : over) parts_.executor->post([this, id] { remove_files(id); });
}

void ExportJobs::remove_files(const std::string& id) const {
  const std::string folder = folder_of(id);
  const auto files = parts_.env->list(folder);
  if (!files) return;
  // The note first: without it a start takes the rest for what it is.
  (void)parts_.env->remove(base::join_path(folder, kNote));
  for (const base::FileInfo& file : *files)
    if (file.name != kNote) (void)parts_.env->remove(base::join_path(folder, file.name));
  (void)parts_.env->remove(folder);
}

}  // namespace kiln::engine
