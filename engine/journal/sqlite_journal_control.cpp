// Decisions of operators and jobs in the journal (records.h). Holds and jobs concern no message: they live in the newest
// file, and each new one takes over what still counts.

#include <algorithm>

#include "engine/journal/sqlite_journal.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;

/// A crash may have come between the making of the newest file and its first row.
Status SqliteJournal::recover_control() {
  if (files_.size() > 1) TRY_VOID(current().carry_from(std::next(files_.rbegin())->second));
  TRY(recovered_.holds, current().holds());
  TRY_VOID(current().jobs(limits::kJobsKept, recovered_.jobs));
  report_damaged(recovered_.jobs, recovered_.holds);
  std::erase_if(recovered_.jobs, [](const JobRecord& job) {
    return job.state != JobState::running && job.state != JobState::paused;
  });
  std::reverse(recovered_.jobs.begin(), recovered_.jobs.end());
  for (auto& [generation, file] : files_) {
    TRY(const JobId last, file.last_job());
    next_job_ = std::max(next_job_, last + 1);
  }
  return {};
}

/// Numbers that others remember and no file holds are not missing: they are noted, so that verify does not look for them.
Status SqliteJournal::note_skipped() {
  MessageId last = 0;
  for (auto& [generation, file] : files_) {
    TRY(const MessageId in_file, file.last_id());
    last = std::max({last, in_file, file.first_id() - 1});
  }
  if (last == 0 || next_id_ <= last + 1) return {};
  TRY_VOID(current().begin());
  Status done = current().note_absent("skipped", last + 1, next_id_ - 1);
  if (done) done = current().commit();
  if (!done) current().rollback();
  return done;
}

/// A part that was detached after midnight is in the file of its whole, before the file its number is in.
Result<DayFile*> SqliteJournal::file_with(MessageId id) {
  for (auto at = files_.rbegin(); at != files_.rend(); ++at) {
    if (at->second.first_id() > id) continue;
    TRY(const bool there, at->second.has_message(id));
    if (there) return &at->second;
  }
  return base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
}

Result<DayFile*> SqliteJournal::file_of_link(MessageId newest) {
  for (auto at = files_.rbegin(); at != files_.rend(); ++at) {
    TRY(const bool there, at->second.has_link_step(newest));
    if (there) return &at->second;
  }
  return base::fail(ErrorCode::message_not_found, "message " + std::to_string(newest) + " is of no numbered link");
}

void SqliteJournal::set_hold(Hold hold, std::function<void(Status)> done) {
  Job job;
  job.change = [hold = std::move(hold)](DayFile& file) { return file.set_hold(hold); };
  job.done = std::move(done);
  enqueue(std::move(job));
}

void SqliteJournal::read_holds(std::function<void(Result<std::vector<Hold>>)> done) {
  enqueue_read([this, done = std::move(done)] { done(current().holds()); });
}

void SqliteJournal::note_quarantine(MessageId id, std::string destination, QuarantineNote note,
                                    std::function<void(Status)> done) {
  Job job;
  job.file_of = id;
  job.of_part = true;
  job.change = [id, destination = std::move(destination), note = std::move(note)](DayFile& file) {
    return file.note_quarantine(id, destination, note);
  };
  job.done = std::move(done);
  enqueue(std::move(job));
}

void SqliteJournal::read_quarantine_note(MessageId id, std::string destination,
                                         std::function<void(Result<std::optional<QuarantineNote>>)> done) {
  enqueue_read([this, id, destination = std::move(destination), done = std::move(done)] {
    auto file = file_with(id);
    if (!file) return done(base::fail(file.error()));
    done((*file)->quarantine_note(id, destination));
  });
}

void SqliteJournal::keep_job(JobRecord record, std::function<void(Result<JobId>)> done) {
  Job job;
  auto id = std::make_shared<JobId>(record.id);
  job.bytes = record.spec.size();
  job.change = [this, id, record = std::move(record)](DayFile& file) {
    JobRecord kept = record;
    if (kept.id == 0) kept.id = *id = next_job_++;
    return file.keep_job(kept);
  };
  job.done = [id, done = std::move(done)](const Status& status) {
    if (!done) return;
    if (!status) return done(base::fail(status.error()));
    done(*id);
  };
  enqueue(std::move(job));
}

void SqliteJournal::read_jobs(std::size_t limit, std::function<void(Result<std::vector<JobRecord>>)> done) {
  enqueue_read([this, limit, done = std::move(done)] {
    std::vector<JobRecord> jobs;
    for (auto at = files_.rbegin(); at != files_.rend() && jobs.size() < limit; ++at)
      if (const Status status = at->second.jobs(limit, jobs); !status) return done(base::fail(status.error()));
    std::sort(jobs.begin(), jobs.end(), [](const JobRecord& a, const JobRecord& b) { return a.id > b.id; });
    done(std::move(jobs));
  });
}

}  // namespace kiln::engine
