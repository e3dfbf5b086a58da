#include "engine/journal/sqlite_journal.h"

#include <cstring>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/partial_date.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;

std::uint64_t key_head(const DedupeKey& key) {
  std::uint64_t head;
  std::memcpy(&head, key.data(), sizeof head);
  return head;
}

/// The newest file when a power cut took its first page: it was being made and holds nothing, since its first transaction would have
/// left a log beside it or more than one page. It is made anew.
Status drop_unborn(base::Env& env, const std::string& folder, const std::vector<base::FileInfo>& entries) {
  constexpr std::uint64_t kPage = 16'384;
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  const base::FileInfo* newest = nullptr;
  for (const auto& entry : entries)
    if (DayFileName::parse(entry.name)) newest = &entry;
  if (newest == nullptr || newest->size == 0 || newest->size > kPage) return {};
  for (const auto& entry : entries)
    if (entry.name == newest->name + "-wal" && entry.size > 0) return {};
  const std::string path = base::join_path(folder, newest->name);
  TRY(const std::string page, env.read_file(path, kPage));
  if (page.starts_with(kMagic)) return {};
  base::log(base::LogLevel::warn, "journal-file-made-anew", {{"bytes", static_cast<std::int64_t>(newest->size)}});
  (void)env.remove(path + "-journal");  // would be of that page
  return env.remove(path);
}

}  // namespace

SqliteJournal::SqliteJournal(base::Env& env, const base::Clock& clock, base::Executor& committer,
                             JournalOptions options, std::function<void()> fail_stop)
    : env_(env),
      clock_(clock),
      committer_(committer),
      options_(std::move(options)),
      fail_stop_(std::move(fail_stop)),
      names_(options_.dedupe_ids),
      seen_(options_.dedupe_ids) {
  if (options_.files.master) naming_.emplace(options_.files.master->naming_key());
}

SqliteJournal::~SqliteJournal() = default;

std::string SqliteJournal::today() const {
  return base::PartialDate::from_wall(clock_.wall(), base::DatePrecision::day).print_hl7();
}

Status SqliteJournal::open_files() {
  next_id_ = options_.used_up_to + 1;
  current_since_ = clock_.mono();
  forget_cached();
  TRY(const auto entries, env_.list(options_.folder));
  TRY_VOID(drop_unborn(env_, options_.folder, entries));
  for (const auto& entry : entries) {
    const auto name = DayFileName::parse(entry.name);
    if (!name) continue;
    TRY(DayFile file, DayFile::open(env_, options_.folder, *name, next_id_, options_.files));
    TRY_VOID(recover(file));
    files_.emplace(name->generation, std::move(file));
  }
  if (files_.empty()) {
    TRY(DayFile file, DayFile::open(env_, options_.folder, {1, today()}, next_id_, options_.files));
    files_.emplace(1, std::move(file));
    return {};
  }
  TRY_VOID(note_skipped());
  TRY_VOID(recover_control());
  TRY_VOID(load_window());
  recovered_.last_id = next_id_ - 1;
  TRY(recovered_.clean_stop, current().clean_stop());
  return current().set_clean_stop(false);
}

/// Takes over what a file holds that is not finished.
Status SqliteJournal::recover(DayFile& file) {
  TRY_VOID(base::failpoint("journal.recover.file"));
  TRY(const MessageId last, file.last_id());
  next_id_ = std::max({next_id_, last + 1, file.first_id()});
  const auto unprocessed = file.unprocessed();
  recovered_.unprocessed.insert(recovered_.unprocessed.end(), unprocessed.begin(), unprocessed.end());
  TRY(const auto pending, file.pending_counts());
  for (const auto& [dest, count] : pending) {
    bool known = false;
    for (auto& [name, total] : recovered_.pending) {
      if (name != dest) continue;
      total += count;
      known = true;
    }
    if (!known) recovered_.pending.emplace_back(dest, count);
  }
  return {};
}

/// The newest keys of all files, by message number: a clock that is wrong at the start changes nothing.
Status SqliteJournal::load_window() {
  std::vector<std::pair<MessageId, std::uint64_t>> newest;
  for (auto at = files_.rbegin(); at != files_.rend() && newest.size() < options_.dedupe_ids; ++at)
    TRY_VOID(at->second.newest_seen(options_.dedupe_ids - newest.size(), newest));
  for (auto at = newest.rbegin(); at != newest.rend(); ++at) {
    seen_.add(at->second, at->first);
    names_.add(at->second, at->first);
  }
  return {};
}

/// Another UTC day opens a new generation, which is what orders the files; the day is a label (reliability.md S3).
/// A later day does so at once. An earlier one, after a clock that was ahead, only when the file has been open for a
/// while: a clock that is set back over midnight, or swings there, must not make a file each time.
Status SqliteJournal::rotate_when_due() {
  const std::string day = today();
  const std::string& label = current().name().day;
  const bool wanted = base::failpoint_torn("journal.rotate.now");  // a test that does not wait for midnight
  if (day == label && !wanted && !rotate_wanted_) return {};
  if (day < label && !rotate_wanted_ && clock_.mono() - current_since_ < std::chrono::milliseconds(options_.leave_later_day_ms)) return {};
  const std::uint32_t generation = files_.rbegin()->first + 1;
  TRY_VOID(base::failpoint("journal.rotate.before"));
  TRY(DayFile file, DayFile::open(env_, options_.folder, {generation, day}, next_id_, options_.files));
  if (!configs_.empty()) {
    TRY_VOID(file.begin());
    TRY_VOID(file.keep_config(configs_.back().hash, configs_.back().text));
    TRY_VOID(file.commit());
  }
  TRY_VOID(base::failpoint("journal.rotate.made"));
  TRY_VOID(file.carry_from(current()));
  TRY_VOID(base::failpoint("journal.rotate.after"));
  files_.emplace(generation, std::move(file));
  current_since_ = clock_.mono();
  if (std::exchange(rotate_wanted_, false)) (void)env_.remove(base::join_path(options_.folder, kFailedSyncNote));
  return {};
}

Result<DayFile*> SqliteJournal::file_of(MessageId id) {
  DayFile* found = nullptr;
  for (auto& [generation, file] : files_)
    if (file.first_id() <= id) found = &file;
  if (found == nullptr || id >= next_id_)
    return base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  return found;
}

Status SqliteJournal::close(bool orderly) {
  // The committer has run all that was queued before this call when the owner's executor is drained; what is
  // left runs here.
  flush();
  drain();
  base::failpoint_here("journal.close.before");
  if (orderly) TRY_VOID(current().set_clean_stop(true));
  // SQLite does this too when the file is closed, but tells nobody when the disk does not confirm it.
  for (auto& [generation, file] : files_) TRY_VOID(file.checkpoint());
  return {};
}

void SqliteJournal::enqueue(Job job) {
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(job));
    wanted_ = true;
    if (std::exchange(scheduled_, true)) return;
  }
  committer_.post([this] { drain(); });
}

/// Waits for the next enqueue() or flush(), also while a commit is under way: the fewer commits, the more of
/// the processors is left for messages.
void SqliteJournal::enqueue_lazily(Job job) {
  const std::lock_guard lock(queue_mutex_);
  queue_.push_back(std::move(job));
}

void SqliteJournal::flush() {
  {
    const std::lock_guard lock(queue_mutex_);
    if (queue_.empty()) return;
    wanted_ = true;
    if (std::exchange(scheduled_, true)) return;
  }
  committer_.post([this] { drain(); });
}

void SqliteJournal::enqueue_read(std::function<void()> read) {
  Job job;
  job.read = std::move(read);
  enqueue(std::move(job));
}

void SqliteJournal::drain() {
  for (;;) {
    std::vector<Job> group;
    std::function<void()> read;
    {
      const std::lock_guard lock(queue_mutex_);
      std::size_t bytes = 0;
      while (wanted_ && !queue_.empty() && group.size() < base::limits::kGroupCommitMax &&
             bytes < base::limits::kGroupCommitBytesMax) {
        if (queue_.front().read) {
          if (!group.empty()) break;
          read = std::move(queue_.front().read);
          queue_.pop_front();
          break;
        }
        bytes += queue_.front().bytes;
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      if (queue_.empty()) wanted_ = false;
      if (group.empty() && !read) {
        scheduled_ = false;
        return;
      }
    }
    if (stopped_) continue;
    if (read)
      read();
    else
      commit_group(group);
  }
}

/// One commit per file that the group touches, in the order in which the group names them.
void SqliteJournal::commit_group(std::vector<Job>& group) {
  Status rotated = rotate_when_due();
  if (!rotated && release_reserve(current(), {}, rotated)) rotated = rotate_when_due();
  if (!rotated) {
    if (rotated.error().code == ErrorCode::fsync_failed) return stop_for_good(files_.rbegin()->first + 1);
    for (Job& job : group) finish(job, rotated);
    return;
  }
  std::vector<std::pair<DayFile*, std::vector<Job*>>> by_file;
  const bool refuses = refuses_intake();
  for (Job& job : group) {
    if (refuses && job.intake) {
      finish(job, base::fail(ErrorCode::disk_full, "the disk is full", options_.folder));
      continue;
    }
    DayFile* file = &current();
    if (job.file_of != 0) {
      auto found = job.of_link   ? file_of_link(job.file_of)
                   : job.of_part ? file_with(job.file_of)
                                 : file_of(job.file_of);
      if (!found) {
        finish(job, base::fail(found.error()));
        continue;
      }
      file = *found;
    }
    auto at = by_file.begin();
    while (at != by_file.end() && at->first != file) ++at;
    if (at == by_file.end()) at = by_file.emplace(at, file, std::vector<Job*>());
    at->second.push_back(&job);
  }
  for (auto& [file, jobs] : by_file) commit_jobs(*file, jobs);
}

void SqliteJournal::commit_jobs(DayFile& file, const std::vector<Job*>& jobs) {
  const MessageId first_free = next_id_;
  Status status = file.begin();
  for (std::size_t i = 0; status && i < jobs.size(); ++i) status = jobs[i]->change(file);
  const base::MonoTime began = clock_.mono();
  if (status) status = file.commit();
  // What was given back is not for a log that grows: it is begun anew with each commit.
  if (const Status emptied = status && reserve_.is_released() ? file.checkpoint() : Status{};
      !emptied && emptied.error().code == ErrorCode::fsync_failed)
    return stop_for_good(file.name().generation);
  if (status) {
    meter_.committed(clock_.mono() - began, jobs.size());
    note_checkpoint(file);
    last_id_.store(next_id_ - 1, std::memory_order_relaxed);
    writable_.store(!reserve_.is_released(), std::memory_order_relaxed);
    for (Job* job : jobs) {
      finish(*job, status);
      base::failpoint_here("journal.answered");
    }
    return;
  }
  file.rollback();
  next_id_ = first_free;
  for (KeptConfig& config : configs_) config.file = nullptr;
  if (status.error().code == ErrorCode::fsync_failed) return stop_for_good(file.name().generation);
  if (release_reserve(file, jobs, status)) return;
  if (status.error().info().category == base::ErrorCategory::io) writable_.store(false, std::memory_order_relaxed);
  const bool one_job_spoilt_it = jobs.size() > 1 && status.error().info().category != base::ErrorCategory::io;
  for (Job* job : jobs) {
    if (one_job_spoilt_it) {
      commit_jobs(file, {job});
    } else {
      finish(*job, status);
    }
  }
}

/// Rows of the outboxes by "channel/destination", after everything queued before.
void SqliteJournal::read_waiting(std::function<void(std::map<std::string, std::int64_t>)> done) {
  enqueue_read([this, done = std::move(done)] {
    std::map<std::string, std::int64_t> waiting;
    for (const auto& [generation, file] : files_)
      for (const auto& [dest, count] : file.waiting()) waiting[dest] += count;
    done(std::move(waiting));
  });
}

/// A write of no consequence: whether the disk takes one again.
void SqliteJournal::probe() {
  Job job;
  job.change = [this](DayFile& file) { return file.probe(clock_.wall()); };
  enqueue(std::move(job));
}

void SqliteJournal::finish(Job& job, const Status& status) {
  if (job.done) job.done(status);
}

Status SqliteJournal::insert_new(DayFile& file, MessageId id, const NewMessage& message, bool processed) {
  for (KeptConfig& config : configs_) {
    if (message.config_hash != config.hash || config.file == &file) continue;
    TRY_VOID(file.keep_config(config.hash, config.text));
    config.file = &file;
  }
  return file.insert_message(id, message, processed);
}

/// The same MSH-10 with another body is another message, but hardly meant so (reliability.md R3). The set only gives a
/// number to look at, which a failed group may have left behind.
Status SqliteJournal::note_same_id(DayFile& file, MessageId id, const NewMessage& message) {
  if (!message.by_control_id || message.dedupe == DedupeKey{}) return {};
  const std::uint64_t key = key_head(message.dedupe);
  const MessageId earlier = names_.find(key);
  names_.add(key, id);
  if (earlier == 0 || earlier >= id) return {};
  const auto there = file_of(earlier);
  if (!there) return {};
  TRY(const bool same, (*there)->has_control_id(earlier, message));
  if (!same) return {};
  base::log(base::LogLevel::warn, "control-id-again",
            {{"channel", base::Safe::name(message.channel)},
             {"msg", static_cast<std::int64_t>(id)},
             {"earlier", static_cast<std::int64_t>(earlier)}});
  return file.insert_same_id(id, earlier);
}

/// Outputs, endings and children of a message. Children are messages of their own that have ended already.
Status SqliteJournal::insert_parts(DayFile& file, MessageId id, const Processed& processed) {
  for (std::size_t i = 0; i < processed.outputs.size(); ++i)
    TRY_VOID(file.insert_output(id, processed.channel, processed.outputs[i], i));
  for (const Ending& ending : processed.endings)
    TRY_VOID(file.insert_ending(id, processed.channel, ending, clock_.wall()));
  TRY_VOID(file.insert_lookups(id, processed.lookups));
  for (std::size_t i = 0; i < processed.children.size(); ++i) {
    NewMessage child = processed.children[i];
    child.parent = id;
    const MessageId child_id = next_id_++;
    TRY_VOID(insert_new(file, child_id, child, true));
    TRY_VOID(file.insert_ending(child_id, child.channel, processed.child_endings[i], clock_.wall()));
  }
  return {};
}

SqliteJournal::Job SqliteJournal::append_job(NewMessage message,
                                             std::function<void(Result<MessageId>)> done) {
  Job job;
  job.intake = true;
  job.bytes = message.body.size();
  message.dedupe = stored_key(message.dedupe);
  auto id = std::make_shared<MessageId>(0);
  const std::uint64_t key = key_head(message.dedupe);
  job.change = [this, id, message = std::move(message)](DayFile& file) -> Status {
    *id = next_id_++;
    TRY_VOID(insert_new(file, *id, message, false));
    if (message.job != 0) TRY_VOID(file.move_job(message.job, message.replay_of, clock_.wall()));
    return note_same_id(file, *id, message);
  };
  job.done = [this, id, key, done = std::move(done)](const Status& status) {
    if (!status) return done(base::fail(status.error()));
    if (key != 0) {
      const std::lock_guard lock(seen_mutex_);
      seen_.add(key, *id);
    }
    done(*id);
  };
  return job;
}

void SqliteJournal::append(NewMessage message, std::function<void(Result<MessageId>)> done) {
  enqueue(append_job(std::move(message), std::move(done)));
}

void SqliteJournal::append_with_next(NewMessage message, std::function<void(Result<MessageId>)> done) {
  enqueue_lazily(append_job(std::move(message), std::move(done)));
}

void SqliteJournal::store(Processed processed, std::function<void(Status)> done) {
  Job job;
  job.file_of = processed.id;
  job.bytes = processed.lookups.size();
  for (const Output& output : processed.outputs) job.bytes += output.body.size();
  job.change = [this, processed = std::move(processed)](DayFile& file) -> Status {
    TRY_VOID(insert_parts(file, processed.id, processed));
    file.settle_message(processed.id);
    return {};
  };
  job.done = std::move(done);
  enqueue_lazily(std::move(job));
}

void SqliteJournal::end(MessageId id, std::string channel, Ending ending, std::function<void(Status)> done) {
  Job job;
  job.file_of = id;
  job.change = [this, id, channel = std::move(channel), ending = std::move(ending)](DayFile& file) -> Status {
    TRY_VOID(file.delete_output(id, channel, ending.destination, options_.keep_sent));
    return file.insert_ending(id, channel, ending, clock_.wall());
  };
  job.done = std::move(done);
  enqueue_lazily(std::move(job));
}

void SqliteJournal::note_attempt(MessageId id, std::string channel, std::string destination, Attempt attempt,
                                 std::function<void(Status)> done) {
  Job job;
  job.file_of = id;
  job.change = [id, channel = std::move(channel), destination = std::move(destination),
                attempt = std::move(attempt)](DayFile& file) {
    return file.update_attempts(id, channel, destination, attempt);
  };
  job.done = std::move(done);
  enqueue(std::move(job));
}

void SqliteJournal::keep_config(std::string hash, std::string text) {
  Job job;
  job.change = [this, hash = std::move(hash), text = std::move(text)](DayFile& file) {
    constexpr std::size_t kVersionsUnderWay = 3;
    std::erase_if(configs_, [&](const KeptConfig& config) { return config.hash == hash; });
    configs_.push_back({hash, text, nullptr});
    if (configs_.size() > kVersionsUnderWay) configs_.pop_front();
    return file.keep_config(hash, text);
  };
  enqueue(std::move(job));
}

/// The first 4 bytes, of the name alone, stay those of a name (SeenSet::kNameBytes).
DedupeKey SqliteJournal::stored_key(const DedupeKey& key) const {
  if (!naming_ || key == DedupeKey{}) return key;
  DedupeKey name{};
  std::copy_n(key.begin(), SeenSet::kNameBytes, name.begin());
  const std::lock_guard lock(seen_mutex_);
  const DedupeKey of_name = naming_->of(name);
  DedupeKey out = naming_->of(key);
  std::copy_n(of_name.begin(), SeenSet::kNameBytes, out.begin());
  return out;
}

/// Messages from before the master key have their key as it is.
bool SqliteJournal::maybe_seen(const DedupeKey& key) const {
  const std::uint64_t stored = key_head(stored_key(key));
  const std::lock_guard lock(seen_mutex_);
  return seen_.find(stored) != 0 || (naming_ && seen_.find(key_head(key)) != 0);
}

}  // namespace kiln::engine
