// Whole files of the journal: what retention removes and backup copies (engine/vault).

#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/journal/sqlite_journal.h"

namespace kiln::engine {

using base::Result;
using base::Status;

/// The note first: a crash before the file is unlinked leaves a file that is removed once more, never a hole that nobody
/// knows.
Result<bool> SqliteJournal::remove_file(std::uint32_t generation) {
  const auto found = files_.find(generation);
  if (found == files_.end() || generation == files_.rbegin()->first) return false;
  TRY(const DayFile::Content content, found->second.content());
  if (content.holds_back) return false;
  LinkStates links;
  for (auto newer = std::next(found); newer != files_.end(); ++newer) TRY_VOID(newer->second.links({}, links));
  TRY_VOID(base::failpoint("prune.note"));
  TRY_VOID(current().begin());
  Status noted;
  for (const auto& [hash, text] : content.configs)
    if (noted) noted = current().keep_config(hash, text);
  if (noted && content.first != 0) noted = current().note_absent("removed", content.first, content.last);
  if (noted) noted = current().take_links(found->second, links);
  if (noted) noted = current().commit();
  if (!noted) {
    current().rollback();
    return base::fail(noted.error());
  }
  TRY_VOID(base::failpoint("prune.unlink"));
  const std::string path = base::join_path(options_.folder, found->second.name().print());
  for (KeptConfig& config : configs_)
    if (config.file == &found->second) config.file = nullptr;
  files_.erase(found);
  // Closing the last connection took the WAL away, unless a reader has the file open.
  TRY_VOID(env_.remove(path));
  for (const char* suffix : {"-wal", "-shm"})
    if (env_.exists(path + suffix)) TRY_VOID(env_.remove(path + suffix));
  TRY_VOID(base::failpoint("prune.sync"));
  TRY_VOID(env_.sync_folder(options_.folder));
  return true;
}

void SqliteJournal::remove_files(std::vector<std::uint32_t> generations,
                                 std::function<void(Result<std::vector<std::uint32_t>>)> done) {
  enqueue_read([this, generations = std::move(generations), done = std::move(done)] {
    std::vector<std::uint32_t> removed;
    for (const std::uint32_t generation : generations) {
      const Result<bool> gone = remove_file(generation);
      if (!gone) {
        if (gone.error().code == base::ErrorCode::fsync_failed) return stop_for_good(generation);
        return done(base::fail(gone.error()));
      }
      if (!*gone) continue;
      removed.push_back(generation);
      base::log(base::LogLevel::info, "journal-file-removed", {{"generation", std::int64_t{generation}}});
    }
    done(std::move(removed));
  });
}

Result<SqliteJournal::Cut> SqliteJournal::cut_now() {
  Cut cut;
  cut.last = next_id_ - 1;
  for (auto& [generation, file] : files_) {
    base::DatabaseOptions options;
    options.path = base::join_path(options_.folder, file.name().print());
    options.read_only = true;
    options.vfs = env_.sqlite_vfs();
    TRY(base::Database reader, base::Database::open(options));
    TRY_VOID(reader.exec("BEGIN; SELECT count(*) FROM meta"));  // the first read takes the picture
    cut.files.emplace_back(file.name().print(), std::move(reader));
  }
  return cut;
}

void SqliteJournal::cut(std::function<void(Result<Cut>)> done) {
  enqueue_read([this, done = std::move(done)] { done(cut_now()); });
}

}  // namespace kiln::engine
