#pragma once
// The journal on disk: day files, group commit, one committer (reliability.md S1–S5).

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/journal/day_file.h"
#include "engine/journal/journal.h"
#include "engine/journal/reserve.h"
#include "engine/journal/seen_set.h"
#include "engine/observe/meters.h"

namespace kiln::engine {

/// Beside the files: the last process ended because a sync failed.
inline constexpr const char* kFailedSyncNote = "sync-failed";

struct JournalOptions {
  std::string folder;                  ///< created when absent
  std::size_t dedupe_ids = 1'000'000;  ///< the dedupe window: so many newest keys, whatever the clock says
  /// A file that has the label of a later day (the clock was ahead) is left that long after it was opened.
  std::int64_t leave_later_day_ms = 3'600'000;
  /// Numbers start above this one also when the files say less: whoever remembers messages by number knows
  /// them up to here, so a journal that was moved away or restored must not give them again.
  MessageId used_up_to = 0;
  bool keep_sent = true;  ///< what was made for a destination stays after it was sent
  DayFileOptions files;   ///< of every file
  /// A file of `reserve_bytes` beside them; given back when the disk is full, so that ends and decisions are still recorded while
  /// nothing new is taken. 0: none.
  std::string reserve_path;
  std::uint64_t reserve_bytes = 0;
};

class SqliteJournal final : public Journal {
 public:
  /// Opens all files, recovers counts. `committer` runs every commit and outlives this object; `fail_stop` is
  /// called there at the first failed fsync and must end the process (reliability.md R7).
  static base::Result<std::unique_ptr<SqliteJournal>> open(base::Env& env, const base::Clock& clock,
                                                           base::Executor& committer, JournalOptions options,
                                                           std::function<void()> fail_stop);
  ~SqliteJournal() override;

  /// What was found at open(); call before any message is taken.
  const Recovered& recovered() const { return recovered_; }
  /// The last message number given, as the last commit left it. Any thread.
  MessageId last_id() const { return last_id_.load(std::memory_order_relaxed); }
  /// False after a commit that the disk refused, until one succeeds and the reserve is back; probe() tries. Any thread.
  bool is_writable() const { return writable_.load(std::memory_order_relaxed); }
  void probe();
  /// Outputs that wait, by "channel/destination"; `done` runs on the journal's thread.
  void read_waiting(std::function<void(std::map<std::string, std::int64_t>)> done);
  /// Commits what waits and, when `orderly`, marks the stop so: everything that was sent is recorded. Then
  /// empties the WAL of every file. Call from the thread that owns the journal, then destroy it.
  base::Status close(bool orderly = true);

  /// Removes whole files, by generation: notes in the newest file which numbers go, keeps their site versions there, then
  /// unlinks. Left alone are the newest file and those in which something waits or is quarantined. `done` gets the
  /// generations that went. What an interrupted call noted and did not unlink goes with the next one.
  void remove_files(std::vector<std::uint32_t> generations,
                    std::function<void(base::Result<std::vector<std::uint32_t>>)> done);
  /// One picture of all files between two commits, as read-only connections that keep it until they are destroyed.
  struct Cut {
    MessageId last = 0;  ///< last number given
    std::vector<std::pair<std::string, base::Database>> files;  ///< by name, in order
  };
  void cut(std::function<void(base::Result<Cut>)> done);

  void append(NewMessage message, std::function<void(base::Result<MessageId>)> done) override;
  void append_with_next(NewMessage message, std::function<void(base::Result<MessageId>)> done) override;
  void store(Processed processed, std::function<void(base::Status)> done) override;
  void flush() override;
  void end(MessageId id, std::string channel, Ending ending, std::function<void(base::Status)> done) override;
  using Journal::note_attempt;
  void note_attempt(MessageId id, std::string channel, std::string destination, Attempt attempt,
                    std::function<void(base::Status)> done) override;
  void note_unframed(std::string channel, channels::Unframed what) override;
  void note_processing(MessageId id, std::function<void(base::Result<std::uint32_t>)> done) override;
  void note_sending(MessageId id, std::string channel, std::string destination,
                    std::function<void(base::Result<std::uint32_t>)> done) override;
  void forget_sending(MessageId id, std::string channel, std::string destination) override;
  void read_pending(std::string channel, std::string destination, MessageId after, std::size_t limit,
                    std::size_t bytes_max,
                    std::function<void(base::Result<std::vector<PendingOutput>>)> done) override;
  void read_message(MessageId id, std::function<void(base::Result<StoredMessage>)> done) override;
  void read_ending(MessageId id, std::string destination,
                   std::function<void(base::Result<std::optional<Ending>>)> done) override;
  bool maybe_seen(const DedupeKey& key) const override;
  void find_duplicate(DedupeKey key, std::function<void(base::Result<MessageId>)> done) override;
  void read_fragments(std::string channel,
                      std::function<void(base::Result<std::vector<MessageId>>)> done) override;
  void drop_fragments(std::vector<MessageId> ids) override;
  void read_links(std::string channel,
                  std::function<void(base::Result<LinkStates>)> done) override;
  void set_link(MessageId newest, hl7::SequenceState state, std::function<void(base::Status)> done) override;
  void set_hold(Hold hold, std::function<void(base::Status)> done) override;
  void read_holds(std::function<void(base::Result<std::vector<Hold>>)> done) override;
  void note_quarantine(MessageId id, std::string destination, QuarantineNote note,
                       std::function<void(base::Status)> done) override;
  void read_quarantine_note(MessageId id, std::string destination,
                            std::function<void(base::Result<std::optional<QuarantineNote>>)> done) override;
  void keep_job(JobRecord job, std::function<void(base::Result<JobId>)> done) override;
  void read_jobs(std::size_t limit, std::function<void(base::Result<std::vector<JobRecord>>)> done) override;
  void keep_config(std::string hash, std::string text) override;
  void read_config(std::string hash, std::function<void(base::Result<std::string>)> done) override;

 private:
  /// One change or read, done by the committer. Changes of a group share one commit per file.
  struct Job {
    /// Message whose file it concerns; 0 = the current file.
    MessageId file_of = 0;
    bool intake = false;   ///< a new message: not while the reserve is given back
    bool of_part = false;  ///< `file_of` may be a part, which is in the file of its whole
    bool of_link = false;  ///< the row of a link: retention may have moved it to a later file
    std::size_t bytes = 0;
    std::function<base::Status(DayFile&)>
        change;                              ///< inside a transaction; may run twice (group, then alone)
    std::function<void(base::Status)> done;  ///< after the commit
    std::function<void()> read;              ///< instead of a change: after everything queued before it
  };

  SqliteJournal(base::Env& env, const base::Clock& clock, base::Executor& committer, JournalOptions options,
                std::function<void()> fail_stop);
  base::Status open_files();
  void forget_cached();
  base::Status recover(DayFile& file);
  base::Status load_window();
  base::Status rotate_when_due();
  void stop_for_good(std::uint32_t generation);
  void note_checkpoint(const DayFile& file);
  base::Result<DayFile*> file_of(MessageId id);
  base::Result<DayFile*> file_with(MessageId id);
  base::Result<DayFile*> file_of_link(MessageId newest);
  base::Status recover_control();
  base::Status note_skipped();
  base::Result<bool> remove_file(std::uint32_t generation);
  base::Result<Cut> cut_now();
  DayFile& current() { return files_.rbegin()->second; }
  std::string today() const;

  Job append_job(NewMessage message, std::function<void(base::Result<MessageId>)> done);
  void enqueue(Job job);
  void enqueue_lazily(Job job);
  void enqueue_read(std::function<void()> read);
  void drain();
  void commit_group(std::vector<Job>& group);
  void commit_jobs(DayFile& file, const std::vector<Job*>& jobs);
  bool refuses_intake();
  bool release_reserve(DayFile& file, const std::vector<Job*>& jobs, const base::Status& status);
  void finish(Job& job, const base::Status& status);
  base::Status note_same_id(DayFile& file, MessageId id, const NewMessage& message);
  base::Status insert_new(DayFile& file, MessageId id, const NewMessage& message, bool processed);
  base::Status insert_parts(DayFile& file, MessageId id, const Processed& processed);

  base::Env& env_;
  const base::Clock& clock_;
  base::Executor& committer_;
  JournalOptions options_;
  std::function<void()> fail_stop_;
  Recovered recovered_;
  JournalMeter meter_;
  std::atomic<MessageId> last_id_{0};
  std::atomic<bool> writable_{true};

  std::mutex queue_mutex_;
  std::deque<Job> queue_;
  bool wanted_ = false;     ///< the queue holds what may not wait
  bool scheduled_ = false;  ///< drain() runs or will run
  bool stopped_ = false;  ///< after a fail-stop nothing is committed or answered any more

  // Committer only.
  Reserve reserve_;
  base::MonoTime reserve_looked_{0};        ///< when it was last tried to take it back
  bool rotate_wanted_ = false;              ///< the last process could not write one of the files to the disk
  bool checkpoint_fails_ = false;           ///< the last checkpoint left its WAL as it was
  std::map<std::uint32_t, DayFile> files_;  ///< by generation
  base::MonoTime current_since_{0};         ///< when the newest of them was opened by this process
  MessageId next_id_ = 1;
  JobId next_job_ = 1;
  NameSet names_;
  struct KeptConfig {
    std::string hash, text;
    const DayFile* file = nullptr;  ///< last file that is known to hold it
  };
  /// The newest last; messages that were under way when a new version came still refer to an older one.
  std::deque<KeptConfig> configs_;

  /// As it stands in the files: with a master key a code of it, so that nobody can compare it with the hash of a message he has.
  DedupeKey stored_key(const DedupeKey& key) const;
  base::Result<MessageId> message_with(const DedupeKey& key);

  mutable std::mutex seen_mutex_;
  mutable std::optional<BlockCode> naming_;
  SeenSet seen_;
};

}  // namespace kiln::engine
