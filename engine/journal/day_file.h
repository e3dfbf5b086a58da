#pragma once
// One journal file: the messages of one UTC day with their pending outputs and outcomes. See README.md for
// the tables.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/sql/sqlite.h"
#include "engine/journal/file_keys.h"
#include "engine/journal/journal.h"
#include "engine/limits.h"

namespace kiln::engine {

/// Format number of the files this version writes; files from kJournalFormatOldest on are read, and brought up to it when
/// they are opened for writing. 1 was never released.
inline constexpr std::int64_t kJournalFormat = 5;
inline constexpr std::int64_t kJournalFormatOldest = 2;

/// "journal/000007-20261122.db" and what it says.
struct DayFileName {
  std::uint32_t generation = 0;
  std::string day;  ///< "20261122"
  std::string print() const;
  static std::optional<DayFileName> parse(std::string_view name);
};

struct DayFileOptions {
  MasterKeyPtr master;  ///< nullptr: rows are written in the clear, and a file that has keys cannot be opened
  /// Opens a file also when its keys cannot be: for what touches nothing that is sealed.
  bool may_be_locked = false;
  std::size_t attachment_min = limits::kAttachmentMin;  ///< bytes; 0: every body stays whole
  std::uint64_t records_per_key = limits::kRecordsPerKey;
};

/// One open file with its only writing connection (reliability.md S1). Used by the committer's thread alone;
/// every change happens between begin() and commit().
class DayFile {
 public:
  /// Creates the file (and syncs its folder, S4) or opens an existing one. `first_id` is kept in a new file,
  /// and in one whose creation was interrupted: a file without tables holds nothing.
  static base::Result<DayFile> open(base::Env& env, const std::string& folder, DayFileName name,
                                    MessageId first_id, const DayFileOptions& options = {});
  DayFile(DayFile&&) noexcept = default;
  DayFile& operator=(DayFile&&) noexcept = default;

  const DayFileName& name() const { return name_; }
  /// Format the file had before it was opened.
  std::int64_t format_found() const { return format_found_; }
  MessageId first_id() const { return first_id_; }
  base::Result<MessageId> last_id();

  base::Status begin();
  /// Also writes what is due of the rows that may lag behind: dedupe keys and the number up to which all is
  /// settled.
  base::Status commit();
  void rollback();
  /// Moves what the WAL holds into the file; a commit() does so by itself every 1,000 pages.
  base::Status checkpoint() { return database_.checkpoint(); }
  /// How the last checkpoint of a commit() ended; a failed sync is an error of commit() itself.
  const base::Status& checkpoint_failure() const { return database_.checkpoint_failure(); }

  /// `processed`: its outputs are stored in the same transaction, so it never waits for processing.
  base::Status insert_message(MessageId id, const NewMessage& message, bool processed);
  /// `slot`: its place among the outputs of the message, below kOutputSlots.
  base::Status insert_output(MessageId id, const std::string& channel, const Output& output, std::size_t slot);
  base::Status insert_lookups(MessageId id, const std::string& answers);
  /// Notes that message `id` has the MSH-10 of `earlier` and another body.
  base::Status insert_same_id(MessageId id, MessageId earlier);
  /// True when message `id` is there, with that channel and MSH-10 and another dedupe key.
  base::Result<bool> has_control_id(MessageId id, const NewMessage& of);
  base::Status insert_fragment(MessageId id, const std::string& channel);
  base::Status delete_fragment(MessageId id);
  base::Status fragments(const std::string& channel, std::vector<MessageId>& out);
  base::Status insert_link_step(MessageId id, const LinkStep& step);
  base::Status update_link_step(MessageId id, const hl7::SequenceState& next);
  base::Result<bool> has_link_step(MessageId id);
  /// Takes over the newest row of each link of `older` that is not in `known`: the state of a link that was silent for longer
  /// than messages are kept. In the transaction under way.
  base::Status take_links(DayFile& older, const LinkStates& known);
  /// States of the links whose names begin with `prefix`, added to `out` where they are not known yet.
  base::Status links(const std::string& prefix, LinkStates& out);
  base::Status insert_ending(MessageId id, const std::string& channel, const Ending& ending,
                             base::WallTime at);
  /// Takes an output off the queue. True when it was there. What was made for it stays in the file when `keep`.
  base::Result<bool> delete_output(MessageId id, const std::string& channel, const std::string& destination, bool keep);
  base::Status update_attempts(MessageId id, const std::string& channel, const std::string& destination,
                               const Attempt& attempt);
  void settle_message(MessageId id);  ///< processing has ended: outputs and endings are stored
  base::Result<std::uint32_t> count_processing(MessageId id);
  base::Result<std::uint32_t> count_sending(MessageId id, const std::string& channel, const std::string& destination);
  base::Status forget_sending(MessageId id, const std::string& channel, const std::string& destination);
  base::Status insert_unframed(const std::string& channel, const channels::Unframed& what);
  base::Status keep_config(const std::string& hash, const std::string& text);
  base::Status insert_origin(MessageId id, const NewMessage& message);

  // Decisions of operators and jobs (day_file_control.cpp).
  base::Status set_hold(const Hold& hold);
  base::Result<std::vector<Hold>> holds();
  /// `destination` as in the delivery rows. Errors: message_not_found when nothing was quarantined there.
  base::Status note_quarantine(MessageId id, const std::string& destination, const QuarantineNote& note);
  base::Result<std::optional<QuarantineNote>> quarantine_note(MessageId id, const std::string& destination);
  base::Status keep_job(const JobRecord& job);
  base::Status move_job(JobId id, MessageId position, base::WallTime at);
  /// The newest first, added to `out` where their number is not known yet; a damaged one as JobRecord::damaged.
  base::Status jobs(std::size_t limit, std::vector<JobRecord>& out);
  base::Result<JobId> last_job();
  /// Takes over the holds, the jobs that go on and the newest that have ended from the file before it, in one
  /// transaction; nothing when that was done already.
  base::Status carry_from(DayFile& older);
  base::Result<bool> has_message(MessageId id);
  /// Notes in `meta` that numbers are known to be absent: `kind` "skipped" or "removed".
  base::Status note_absent(const char* kind, MessageId first, MessageId last);
  /// Numbers of its messages, site versions and whether anything in it is still to come: what prune() asks.
  struct Content {
    MessageId first = 0, last = 0;  ///< 0: it has none
    bool holds_back = false;        ///< something waits, is quarantined and open, or is a fragment
    std::vector<std::pair<std::string, std::string>> configs;  ///< hash, text
  };
  base::Result<Content> content();

  base::Result<StoredMessage> message(MessageId id);
  /// Its key alone, also of a message whose checksum is wrong. Errors: message_not_found; those of the database.
  base::Result<DedupeKey> dedupe_key(MessageId id);
  base::Result<std::optional<Ending>> ending(MessageId id, const std::string& channel,
                                             const std::string& destination);
  base::Result<std::optional<std::string>> config(const std::string& hash);
  /// Durable, outputs not stored; in order.
  std::vector<MessageId> unprocessed() const;
  base::Result<std::vector<std::pair<std::string, std::uint64_t>>> pending_counts();
  /// Rows of the outbox by "channel/destination", as of the last commit.
  const std::map<std::string, std::int64_t>& waiting() const { return waiting_; }
  /// Writes a row that says nothing but when.
  base::Status probe(base::WallTime at);
  /// Appends to `out`; `corrupt` gets ids whose checksum is wrong.
  base::Status pending(const std::string& channel, const std::string& destination, MessageId after,
                       std::size_t limit, std::size_t bytes_max, std::vector<PendingOutput>& out,
                       std::vector<MessageId>& corrupt);
  /// Appends the newest `limit` messages that have a dedupe key, newest first: id, first 8 bytes of the key.
  base::Status newest_seen(std::size_t limit, std::vector<std::pair<MessageId, std::uint64_t>>& out);

  /// "1" after an orderly stop; set and cleared in a transaction of its own.
  base::Result<bool> clean_stop();
  base::Status set_clean_stop(bool clean);

 private:
  DayFile() = default;
  /// What the transaction under way changes of the state below, once it is durable.
  struct Changes {
    std::vector<MessageId> opened, settled;
    std::vector<std::pair<MessageId, std::uint64_t>> keys;
    std::map<std::string, std::int64_t> waiting;  ///< outputs that came less those that went, by dest
  };

  base::Result<bool> has_schema();
  base::Status create_schema(MessageId first_id);
  base::Status check_format();
  base::Status migrate();
  base::Status resolve_ending(MessageId id, const std::string& destination, bool dropped);
  base::Status open_keys(const DayFileOptions& options);
  RowSource rows() { return {database_, secrets_}; }
  bool seals() const { return secrets_.writing() != 0; }
  /// `text` as it is stored in a row of that name: sealed, or as it is; an empty one stays empty.
  base::Result<std::string> sealed(const std::string& row, std::string text);
  base::Statement& bind_column(base::Statement& statement, int index, std::string_view stored) const;
  /// Takes the large parts of a body out; what goes into column `parts`, and the rest.
  base::Result<std::pair<std::string, std::string>> keep_body(const std::string& body, channels::ContentKind kind);
  base::Status insert_body(MessageId id, const std::string& key, const Output& output, std::size_t slot);
  base::Status forget_output(MessageId id, const std::string& key);
  base::Status insert_attempt(MessageId id, const std::string& key, const Attempt& attempt);
  base::Status load_open();
  base::Status load_unprocessed();
  base::Status load_keys();
  base::Status load_waiting();
  base::Status count_waiting();
  base::Status write_keys(MessageId keyed_to);
  base::Status write_number(const char* key, MessageId id);
  base::Status write_waiting();
  base::Database database_;
  FileKeys secrets_;
  std::size_t attachment_min_ = 0;
  std::uint64_t records_per_key_ = 0;
  DayFileName name_;
  MessageId first_id_ = 0;
  std::int64_t format_found_ = kJournalFormat;

  std::set<MessageId> open_;                               ///< durable, outputs not stored
  MessageId last_id_ = 0;                                  ///< durable
  MessageId settled_to_ = 0;                               ///< as written in `meta`
  MessageId keyed_to_ = 0;                                 ///< keys of messages up to it are in `seen`
  std::vector<std::pair<MessageId, std::uint64_t>> keys_;  ///< durable in `msg`, not in `seen` yet
  std::map<std::string, std::int64_t> waiting_;            ///< as written in `waiting`, by dest
  Changes changes_;
};

/// Logs those whose records are damaged; nothing else waits for them.
void report_damaged(const std::vector<JobRecord>& jobs, const std::vector<Hold>& holds);

/// "channel/destination", the key of outbox and delivery rows.
std::string destination_key(const std::string& channel, const std::string& destination);

}  // namespace kiln::engine
