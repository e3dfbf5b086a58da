// What a start reads of a journal file, and what is counted over starts. All of it is bounded by the limits and by the
// number of messages and destinations that wait for something, never by the size of the file (reliability.md R11).

#include <cstring>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/journal/day_file.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::Result;
using base::Status;

/// What the memory of the process that wrote the file held: messages that wait for processing, keys that are
/// not in `seen` yet, how many outputs wait.
Status DayFile::load_open() {
  TRY(last_id_, last_id());
  TRY_VOID(load_unprocessed());
  TRY_VOID(load_keys());
  return load_waiting();
}

Status DayFile::load_unprocessed() {
  TRY(auto select, database_.prepare("SELECT id FROM unprocessed ORDER BY id"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    open_.insert(static_cast<MessageId>(select.integer(0)));
  }
}

Status DayFile::load_keys() {
  {
    TRY(auto select, database_.prepare("SELECT max(ifnull((SELECT max(id) FROM seen), 0),"
                                       " ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key='keyed_to'), 0))"));
    TRY_VOID(select.step());
    keyed_to_ = static_cast<MessageId>(select.integer(0));
  }
  TRY(auto select, database_.prepare("SELECT id, dedupe FROM msg WHERE id > ? AND dedupe IS NOT NULL ORDER BY id"));
  select.bind(1, static_cast<std::int64_t>(keyed_to_));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    std::uint64_t key = 0;
    if (select.blob(1).size() != sizeof(DedupeKey)) continue;
    std::memcpy(&key, select.blob(1).data(), sizeof key);
    keys_.emplace_back(static_cast<MessageId>(select.integer(0)), key);
  }
}

/// The one time that the outputs of a file are counted: it was written before counts were kept.
Status DayFile::count_waiting() {
  TRY_VOID(database_.begin());
  Status done = database_.exec(kWaitingSchema);
  if (done) done = database_.exec("INSERT INTO waiting SELECT dest, count(*) FROM outbox GROUP BY dest");
  if (done) done = database_.commit();
  if (!done) database_.rollback();
  return done;
}

Status DayFile::load_waiting() {
  TRY(const bool has_counts, has_table(database_, "waiting"));
  if (!has_counts) TRY_VOID(count_waiting());
  TRY(auto select, database_.prepare("SELECT dest, count FROM waiting"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    waiting_[std::string(select.text(0))] = select.integer(1);
  }
}

std::vector<MessageId> DayFile::unprocessed() const {
  return {open_.begin(), open_.end()};
}

/// The rows decide whether anything waits, the counts only how much: a destination is never taken for empty because
/// of a count.
Result<std::vector<std::pair<std::string, std::uint64_t>>> DayFile::pending_counts() {
  TRY(auto next, database_.prepare("SELECT min(dest) FROM outbox WHERE dest > ?"));
  std::vector<std::pair<std::string, std::uint64_t>> out;
  for (std::string dest;;) {
    TRY(const bool row, next.bind(1, std::string_view(dest)).step());
    if (!row || next.is_null(0)) return out;
    dest = next.text(0);
    next.reset();
    const auto counted = waiting_.find(dest);
    const std::int64_t count = counted == waiting_.end() ? 0 : counted->second;
    out.emplace_back(dest, static_cast<std::uint64_t>(std::max<std::int64_t>(1, count)));
  }
}

Status DayFile::newest_seen(std::size_t limit, std::vector<std::pair<MessageId, std::uint64_t>>& out) {
  const std::size_t wanted = out.size() + limit;
  for (auto at = keys_.rbegin(); at != keys_.rend() && out.size() < wanted; ++at) out.push_back(*at);
  if (out.size() == wanted) return {};
  TRY(auto select, database_.prepare("SELECT id, key FROM seen ORDER BY id DESC LIMIT ?"));
  select.bind(1, static_cast<std::int64_t>(wanted - out.size()));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    out.emplace_back(static_cast<MessageId>(select.integer(0)), static_cast<std::uint64_t>(select.integer(1)));
  }
}

Result<std::uint32_t> DayFile::count_processing(MessageId id) {
  TRY_VOID(base::failpoint("journal.recover.count"));
  TRY(auto count, database_.cached("INSERT INTO suspect(id, attempts) VALUES(?, 1)"
                                   " ON CONFLICT(id) DO UPDATE SET attempts=attempts+1 RETURNING attempts"));
  TRY(const bool row, count.bind(1, static_cast<std::int64_t>(id)).step());
  const std::uint32_t attempts = row ? static_cast<std::uint32_t>(count.integer(0)) : 0;
  TRY_VOID(count.run());
  return attempts;
}

Result<std::uint32_t> DayFile::count_sending(MessageId id, const std::string& channel,
                                             const std::string& destination) {
  TRY_VOID(base::failpoint("journal.sending.count"));
  TRY(auto count, database_.cached("INSERT INTO sending(dest, msg_id, attempts) VALUES(?, ?, 1)"
                                   " ON CONFLICT(dest, msg_id) DO UPDATE SET attempts=attempts+1 RETURNING attempts"));
  const std::string key = destination_key(channel, destination);
  TRY(const bool row, count.bind(1, std::string_view(key)).bind(2, static_cast<std::int64_t>(id)).step());
  const std::uint32_t attempts = row ? static_cast<std::uint32_t>(count.integer(0)) : 0;
  TRY_VOID(count.run());
  return attempts;
}

Status DayFile::forget_sending(MessageId id, const std::string& channel, const std::string& destination) {
  TRY(auto remove, database_.cached("DELETE FROM sending WHERE dest=? AND msg_id=?"));
  const std::string key = destination_key(channel, destination);
  return remove.bind(1, std::string_view(key)).bind(2, static_cast<std::int64_t>(id)).run();
}

Result<bool> DayFile::clean_stop() {
  TRY(auto select, database_.prepare("SELECT value FROM meta WHERE key='clean_stop'"));
  TRY(const bool found, select.step());
  return found && select.text(0) == "1";
}

Status DayFile::set_clean_stop(bool clean) {
  TRY_VOID(base::failpoint(clean ? "journal.close.clean" : "journal.open.unclean"));
  TRY(auto update, database_.prepare("UPDATE meta SET value=? WHERE key='clean_stop'"));
  return update.bind(1, clean ? "1" : "0").run();
}

}  // namespace kiln::engine
