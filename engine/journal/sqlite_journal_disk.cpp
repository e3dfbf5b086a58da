// A disk that is full, or does not confirm a write (reliability.md R7, S5, S7).

#include "engine/base/log.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/limits.h"
#include "engine/vault/file_copy.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;

/// Pages of a sync that failed may be in memory, counted as written, and not be on the disk: after an unclean stop they are
/// dropped, so that what is read is what is there (reliability.md S5). After a failed sync new messages go to a new file.
void SqliteJournal::forget_cached() {
  rotate_wanted_ = env_.exists(base::join_path(options_.folder, kFailedSyncNote));
  const auto entries = env_.list(options_.folder);
  if (!entries) return;
  for (const auto& entry : *entries) {
    const std::string path = base::join_path(options_.folder, entry.name);
    const auto log = env_.info(path + "-wal");
    if (!DayFileName::parse(entry.name) || !log || log->size == 0) continue;
    drop_cached(path);
    drop_cached(path + "-wal");
  }
}

/// While the reserve is given back; looks now and then whether it can be taken again, or at last.
bool SqliteJournal::refuses_intake() {
  if (reserve_.is_held() || !reserve_.is_wanted()) return false;
  const base::MonoTime now = clock_.mono();
  if (now - reserve_looked_ >= std::chrono::milliseconds(limits::kReserveLookMs)) {
    reserve_looked_ = now;
    if (reserve_.take()) {
      base::log(base::LogLevel::info, "journal-reserve-taken", {});
      meter_.reserve_released(false);
    }
  }
  return reserve_.is_released();
}

/// A start writes too: the reserve is given back for it, and what it opened in part is opened again.
Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(base::Env& env, const base::Clock& clock, base::Executor& committer,
                                                           JournalOptions options, std::function<void()> fail_stop) {
  TRY_VOID(env.make_folders(options.folder));
  Reserve reserve;
  if (options.reserve_bytes > 0) reserve = Reserve(options.reserve_path, options.reserve_bytes);
  const auto make = [&] {
    return std::unique_ptr<SqliteJournal>(new SqliteJournal(env, clock, committer, options, fail_stop));
  };
  std::unique_ptr<SqliteJournal> journal = make();
  Status opened = journal->open_files();
  if (!opened && opened.error().code == ErrorCode::disk_full && reserve.release()) {
    base::log(base::LogLevel::error, "journal-reserve-released", {});
    journal = make();
    opened = journal->open_files();
  }
  if (!opened) return base::fail(opened.error());
  journal->reserve_ = std::move(reserve);
  journal->reserve_looked_ = clock.mono();
  journal->meter_.reserve_released(journal->reserve_.is_released());
  journal->writable_.store(!journal->reserve_.is_released(), std::memory_order_relaxed);
  journal->last_id_ = journal->next_id_ - 1;
  return journal;
}

/// The disk is full: what it held back is for what concerns messages that are taken already. True: `jobs` have been seen to.
bool SqliteJournal::release_reserve(DayFile& file, const std::vector<Job*>& jobs, const Status& status) {
  if (status.error().code != ErrorCode::disk_full || !reserve_.release()) return false;
  base::log(base::LogLevel::error, "journal-reserve-released", {});
  meter_.reserve_released(true);
  writable_.store(false, std::memory_order_relaxed);
  reserve_looked_ = clock_.mono();
  std::vector<Job*> others;
  for (Job* job : jobs) {
    if (job->intake)
      finish(*job, status);
    else
      others.push_back(job);
  }
  if (!others.empty()) commit_jobs(file, others);
  return true;
}

/// A sync of a file, of its WAL or of the folder failed. What reached the disk is unknown: nobody is answered,
/// and only a restart from the disk may go on (reliability.md R7).
void SqliteJournal::stop_for_good(std::uint32_t generation) {
  stopped_ = true;
  meter_.fsync_failed();
  // Not synced: whatever takes it away takes the doubtful pages too.
  if (auto note = env_.open_append(base::join_path(options_.folder, kFailedSyncNote))) (void)(*note)->append("1");
  base::log(base::LogLevel::error, "journal-fsync-failed", {{"generation", std::int64_t{generation}}});
  fail_stop_();
}

/// A full disk may let a commit through and not its checkpoint. Nothing is lost by that, but the WAL grows.
void SqliteJournal::note_checkpoint(const DayFile& file) {
  const bool fails = !file.checkpoint_failure().has_value();
  if (fails && !checkpoint_fails_)
    base::log(base::LogLevel::warn, "journal-checkpoint-failed",
              {{"generation", std::int64_t{file.name().generation}},
               {"error", base::Safe::code(file.checkpoint_failure().error().code)}});
  checkpoint_fails_ = fails;
}

}  // namespace kiln::engine
