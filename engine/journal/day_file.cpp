#include "engine/journal/day_file.h"

#include <cstdio>
#include <cstring>

#include "engine/base/sql/timed_vfs.h"
#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/packing.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "engine/journal/body_parts.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;

std::string_view view(const DedupeKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

}  // namespace

std::string destination_key(const std::string& channel, const std::string& destination) {
  return channel + "/" + destination;
}

std::string DayFileName::print() const {
  char number[16];
  std::snprintf(number, sizeof number, "%06u", generation);
  return std::string(number) + "-" + day + ".db";
}

std::optional<DayFileName> DayFileName::parse(std::string_view name) {
  if (name.size() != 18 || name[6] != '-' || !name.ends_with(".db")) return std::nullopt;
  DayFileName out;
  for (const char c : name.substr(0, 6)) {
    if (c < '0' || c > '9') return std::nullopt;
    out.generation = out.generation * 10 + static_cast<std::uint32_t>(c - '0');
  }
  out.day = name.substr(7, 8);
  if (out.day.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return out;
}

Result<DayFile> DayFile::open(base::Env& env, const std::string& folder, DayFileName name,
                              MessageId first_id, const DayFileOptions& open_options) {
  DayFile file;
  const std::string path = base::join_path(folder, name.print());
  base::DatabaseOptions options;
  options.path = path;
  options.vfs = env.sqlite_vfs() != nullptr ? env.sqlite_vfs() : base::timed_vfs();
  TRY_VOID(base::failpoint("journal.open"));
  TRY(file.database_, base::Database::open(options));
  file.name_ = std::move(name);
  TRY(const bool complete, file.has_schema());
  if (!complete) TRY_VOID(file.create_schema(first_id));
  // Also for a file that is there: whoever made it may have ended before this call.
  TRY_VOID(base::failpoint("journal.open.folder"));
  TRY_VOID(env.sync_folder(folder));
  TRY_VOID(file.check_format());
  TRY_VOID(file.open_keys(open_options));
  TRY_VOID(file.load_open());
  return file;
}

/// The tables are made in one transaction: a crash or a full disk before its commit leaves a file without
/// any.
Result<bool> DayFile::has_schema() {
  TRY(auto select, database_.prepare("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='meta')"));
  TRY_VOID(select.step());
  return select.integer(0) != 0;
}

Status DayFile::create_schema(MessageId first_id) {
  TRY_VOID(database_.begin());
  TRY_VOID(database_.exec(kJournalSchema));
  TRY_VOID(database_.exec(kWaitingSchema));
  TRY_VOID(database_.exec(kRecordSchema));
  TRY_VOID(database_.exec(kFormat4Schema));
  for (const char* table : kFormat5Schema) TRY_VOID(database_.exec(table));
  TRY(auto insert, database_.prepare("INSERT INTO meta(key, value) VALUES(?, ?)"));
  const std::pair<const char*, std::string> rows[] = {{"format", std::to_string(kJournalFormat)},
                                                      {"generation", std::to_string(name_.generation)},
                                                      {"day", name_.day},
                                                      {"first_id", std::to_string(first_id)},
                                                      {"settled_to", std::to_string(first_id - 1)},
                                                      {"clean_stop", "0"}};
  for (const auto& [key, value] : rows) TRY_VOID(insert.bind(1, key).bind(2, std::string_view(value)).run());
  TRY_VOID(base::failpoint("journal.create"));
  return database_.commit();
}

Status DayFile::check_format() {
  TRY(auto select, database_.prepare("SELECT value FROM meta WHERE key = ?"));
  TRY(const bool has_format, select.bind(1, "format").step());
  if (!has_format)
    return base::fail(base::ErrorCode::database_corrupt, "the journal file has no format number",
                      name_.print());
  const std::string format(select.text(0));
  format_found_ = std::strtoll(format.c_str(), nullptr, 10);
  if (format_found_ > kJournalFormat)
    return base::fail(base::ErrorCode::journal_format, "the journal file has format " + format, name_.print(),
                      "start the version of Kiln that wrote it, or a newer one");
  if (format_found_ < kJournalFormatOldest)
    return base::fail(base::ErrorCode::journal_format, "the journal file has format " + format, name_.print(),
                      "no released version wrote it: move the data folder away and start with a new one");
  select.reset();
  if (format_found_ < kJournalFormat) TRY_VOID(migrate());
  for (const auto& [key, value] : {std::pair{"first_id", &first_id_}, {"settled_to", &settled_to_}}) {
    TRY(const bool found, select.bind(1, key).step());
    const std::string text(found ? select.text(0) : std::string_view());
    char* end = nullptr;
    *value = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0')
      return base::fail(base::ErrorCode::database_corrupt, "the journal file has no " + std::string(key),
                        name_.print());
    select.reset();
  }
  return {};
}

/// A file gets its key with its first opening, so that what reads beside this connection knows it before the first sealed row.
Status DayFile::open_keys(const DayFileOptions& options) {
  attachment_min_ = options.attachment_min;
  records_per_key_ = options.records_per_key;
  TRY(secrets_, FileKeys::load(database_, name_.generation, options.master));
  if (const Status usable = secrets_.usable(); !usable && !options.may_be_locked) {
    base::Error error = usable.error();
    error.place = name_.print();
    return base::fail(std::move(error));
  }
  if (!options.master || !secrets_.usable() || seals()) return {};
  return secrets_.prepare(database_, records_per_key_);
}

Status DayFile::begin() {
  if (!secrets_.is_prepared() && secrets_.usable()) TRY_VOID(secrets_.prepare(database_, records_per_key_));
  return database_.begin();
}

Status DayFile::commit() {
  const bool keys_due =
      keys_.size() >= base::limits::kSeenLagMax || last_id_ >= keyed_to_ + base::limits::kSettledLagMax;
  const MessageId keyed = last_id_;
  if (keys_due) TRY_VOID(write_keys(keyed));
  const MessageId settled = open_.empty() ? last_id_ : *open_.begin() - 1;
  const bool settled_due = settled >= settled_to_ + base::limits::kSettledLagMax;
  if (settled_due) {
    TRY_VOID(base::failpoint("journal.settled"));
    TRY_VOID(write_number("settled_to", settled));
  }
  TRY_VOID(write_waiting());
  TRY_VOID(secrets_.note_over(database_));
  TRY_VOID(base::failpoint("journal.commit.before"));
  TRY_VOID(database_.commit());
  base::failpoint_here("journal.commit.after");
  if (keys_due) keys_.clear();
  if (keys_due) keyed_to_ = keyed;
  if (settled_due) settled_to_ = settled;
  keys_.insert(keys_.end(), changes_.keys.begin(), changes_.keys.end());
  if (!changes_.opened.empty()) last_id_ = std::max(last_id_, changes_.opened.back());
  open_.insert(changes_.opened.begin(), changes_.opened.end());
  for (const MessageId id : changes_.settled) open_.erase(id);
  for (const auto& [dest, change] : changes_.waiting) waiting_[dest] += change;
  changes_ = {};
  return {};
}

base::Status DayFile::probe(base::WallTime at) {
  TRY(auto write, database_.cached("INSERT INTO meta(key, value) VALUES('probe', ?1)"
                                   " ON CONFLICT(key) DO UPDATE SET value=excluded.value"));
  const std::string value = std::to_string(at.micros);
  return write.bind(1, std::string_view(value)).run();
}

void DayFile::rollback() {
  database_.rollback();
  changes_ = {};
}

Status DayFile::write_keys(MessageId keyed_to) {
  TRY_VOID(base::failpoint("journal.dedupe"));
  TRY(auto insert, database_.cached("INSERT INTO seen(id, key) VALUES(?, ?)"));
  for (const auto& [id, key] : keys_)
    TRY_VOID(insert.bind(1, static_cast<std::int64_t>(id)).bind(2, static_cast<std::int64_t>(key)).run());
  return write_number("keyed_to", keyed_to);
}

/// Everything up to that number is settled, or has its key in `seen`, by what is durable before this transaction.
Status DayFile::write_number(const char* key, MessageId id) {
  TRY(auto update, database_.cached("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)"));
  const std::string value = std::to_string(id);
  return update.bind(1, key).bind(2, std::string_view(value)).run();
}

/// How many outputs wait per destination: a start would have to read every one of them to count them.
Status DayFile::write_waiting() {
  for (const auto& [dest, change] : changes_.waiting) {
    if (change == 0) continue;
    TRY(auto update, database_.cached("INSERT OR REPLACE INTO waiting(dest, count) VALUES(?, ?)"));
    const auto known = waiting_.find(dest);
    const std::int64_t before = known == waiting_.end() ? 0 : known->second;
    TRY_VOID(update.bind(1, std::string_view(dest)).bind(2, before + change).run());
  }
  return {};
}

Result<MessageId> DayFile::last_id() {
  TRY(auto select, database_.prepare("SELECT max(id) FROM msg"));
  TRY_VOID(select.step());
  return static_cast<MessageId>(select.integer(0));
}

Status DayFile::insert_same_id(MessageId id, MessageId earlier) {
  TRY(auto insert, database_.cached("INSERT INTO same_id(msg_id, earlier) VALUES(?, ?)"));
  return insert.bind(1, static_cast<std::int64_t>(id)).bind(2, static_cast<std::int64_t>(earlier)).run();
}

Result<bool> DayFile::has_control_id(MessageId id, const NewMessage& of) {
  TRY(auto select, database_.cached("SELECT channel=? AND control_id=CASE WHEN key_id=0 THEN ? ELSE ? END AND dedupe IS NOT ?"
                                    " FROM msg WHERE id=?"));
  const std::string token = secrets_.has_keys() ? secrets_.control_token(of.control_id) : std::string();
  select.bind(1, std::string_view(of.channel)).bind(2, std::string_view(of.control_id)).bind(3, std::string_view(token));
  TRY(const bool row, select.bind_blob(4, view(of.dedupe)).bind(5, static_cast<std::int64_t>(id)).step());
  const bool has = row && select.integer(0) != 0;
  select.reset();
  return has;
}

Status DayFile::insert_fragment(MessageId id, const std::string& channel) {
  TRY(auto insert, database_.cached("INSERT INTO fragment(msg_id, channel) VALUES(?,?)"));
  return insert.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(channel)).run();
}

Status DayFile::delete_fragment(MessageId id) {
  TRY(auto remove, database_.cached("DELETE FROM fragment WHERE msg_id=?"));
  return remove.bind(1, static_cast<std::int64_t>(id)).run();
}

Status DayFile::fragments(const std::string& channel, std::vector<MessageId>& out) {
  TRY(auto select, database_.prepare("SELECT msg_id FROM fragment WHERE channel=? ORDER BY msg_id"));
  select.bind(1, std::string_view(channel));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    out.push_back(static_cast<MessageId>(select.integer(0)));
  }
}

Status DayFile::insert_link_step(MessageId id, const LinkStep& step) {
  TRY(auto insert, database_.cached("INSERT INTO link(msg_id, name, verdict, reply, last, resync, frozen, sum)"
                                    " VALUES(?,?,?,?,?,?,?,?)"));
  const hl7::SequenceState& next = step.decision.next;
  const LinkRow row{static_cast<std::int64_t>(id), static_cast<std::int64_t>(step.decision.verdict), next.last,
                    std::int64_t{next.resync}, std::int64_t{next.frozen}, step.link, step.decision.reply};
  insert.bind(1, row.id).bind(2, row.name).bind(3, row.verdict).bind(4, row.reply).bind(5, row.last).bind(6, row.resync);
  return insert.bind(7, row.frozen).bind(8, row.sum()).run();
}

Status DayFile::update_link_step(MessageId id, const hl7::SequenceState& next) {
  TRY(auto select, database_.cached("SELECT verdict, name, reply FROM link WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return {};
  // What an operator says mends a damaged row too.
  const std::string name(select.text(1)), reply(select.text(2));
  const LinkRow row{static_cast<std::int64_t>(id), select.integer(0), next.last, std::int64_t{next.resync},
                    std::int64_t{next.frozen}, name, reply};
  select.reset();
  TRY(auto update, database_.cached("UPDATE link SET last=?, resync=?, frozen=?, sum=? WHERE msg_id=?"));
  update.bind(1, row.last).bind(2, row.resync).bind(3, row.frozen).bind(4, row.sum());
  return update.bind(5, row.id).run();
}

Result<bool> DayFile::has_link_step(MessageId id) {
  TRY(auto select, database_.cached("SELECT 1 FROM link WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  select.reset();
  return found;
}

Status DayFile::take_links(DayFile& older, const LinkStates& known) {
  TRY(auto select, older.database_.prepare("SELECT name, max(msg_id), verdict, reply, last, resync, frozen, sum FROM link"
                                           " GROUP BY name"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    if (known.contains(std::string(select.text(0)))) continue;
    TRY(auto insert, database_.cached("INSERT OR REPLACE INTO link(name, msg_id, verdict, reply, last, resync, frozen, sum)"
                                      " VALUES(?,?,?,?,?,?,?,?)"));
    insert.bind(1, select.text(0)).bind(2, select.integer(1)).bind(3, select.integer(2)).bind(4, select.text(3));
    insert.bind(5, select.integer(4)).bind(6, select.integer(5)).bind(7, select.integer(6));
    if (select.is_null(7)) insert.bind_null(8); else insert.bind(8, select.integer(7));
    TRY_VOID(insert.run());
  }
}

Status DayFile::links(const std::string& prefix, LinkStates& out) {
  TRY(auto select, database_.prepare("SELECT name, last, resync, frozen, max(msg_id), verdict, reply, sum FROM link"
                                     " WHERE substr(name, 1, ?)=? GROUP BY name"));
  select.bind(1, static_cast<std::int64_t>(prefix.size())).bind(2, std::string_view(prefix));
  for (;;) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const LinkRow row{select.integer(4), select.integer(5), select.integer(1), select.integer(2), select.integer(3), select.text(0),
                      select.text(6)};
    LinkState state{{row.last, row.resync != 0, row.frozen != 0}, static_cast<MessageId>(row.id)};
    const bool is_new = out.try_emplace(std::string(row.name), state).second;
    if (!is_new || row_fits(select, 7, row.sum())) continue;
    // Its numbers may be wrong: an operator looks before anything is taken by them.
    out[std::string(row.name)].state.frozen = true;
    base::log(base::LogLevel::error, "link-damaged", {{"msg", row.id}});
  }
}

Result<bool> DayFile::delete_output(MessageId id, const std::string& channel, const std::string& destination,
                                    bool keep) {
  TRY(auto remove, database_.cached("DELETE FROM outbox WHERE dest=? AND msg_id=?"));
  const std::string key = destination_key(channel, destination);
  TRY_VOID(remove.bind(1, std::string_view(key)).bind(2, static_cast<std::int64_t>(id)).run());
  const bool was_there = database_.changes() > 0;
  if (was_there) --changes_.waiting[key];
  TRY_VOID(base::failpoint("journal.taken_off"));
  if (keep) return was_there;
  TRY_VOID(forget_output(id, key));
  return was_there;
}

/// With its large parts, where nothing else has them.
Status DayFile::forget_output(MessageId id, const std::string& key) {
  const std::int64_t first = static_cast<std::int64_t>(id) * kOutputSlots;
  std::string parts, kept;
  {
    TRY(auto select, database_.cached("SELECT o.parts, m.parts FROM output o LEFT JOIN msg m ON m.id=? WHERE o.id BETWEEN ? AND ?"
                                      " AND o.dest=? AND o.parts<>''"));
    select.bind(1, static_cast<std::int64_t>(id)).bind(2, first).bind(3, first + kOutputSlots - 1);
    TRY(const bool found, select.bind(4, std::string_view(key)).step());
    if (found) {
      parts = select.text(0);
      kept = select.text(1);
    }
    select.reset();
  }
  TRY(auto forget, database_.cached("DELETE FROM output WHERE id BETWEEN ? AND ? AND dest=?"));
  TRY_VOID(forget.bind(1, first).bind(2, first + kOutputSlots - 1).bind(3, std::string_view(key)).run());
  return parts.empty() ? Status{} : drop_attachments(database_, parts, kept);
}

Status DayFile::update_attempts(MessageId id, const std::string& channel, const std::string& destination,
                                const Attempt& attempt) {
  TRY(auto update, database_.cached("UPDATE outbox SET attempts=?, in_doubt=? WHERE dest=? AND msg_id=?"));
  const std::string key = destination_key(channel, destination);
  update.bind(1, std::int64_t{attempt.number}).bind(2, std::int64_t{attempt.in_doubt}).bind(3, std::string_view(key));
  TRY_VOID(update.bind(4, static_cast<std::int64_t>(id)).run());
  TRY_VOID(base::failpoint("journal.attempt"));
  return attempt.code.empty() ? Status{} : insert_attempt(id, key, attempt);
}

void DayFile::settle_message(MessageId id) {
  changes_.settled.push_back(id);
}

Status DayFile::keep_config(const std::string& hash, const std::string& text) {
  TRY(auto insert, database_.cached("INSERT OR IGNORE INTO config(hash, text) VALUES(?, ?)"));
  return insert.bind(1, std::string_view(hash)).bind(2, std::string_view(text)).run();
}

Result<StoredMessage> DayFile::message(MessageId id) {
  return read_stored_message(rows(), id);
}

Result<DedupeKey> DayFile::dedupe_key(MessageId id) {
  TRY(auto select, database_.cached("SELECT dedupe FROM msg WHERE id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return base::fail(base::ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  DedupeKey key{};
  if (select.blob(0).size() == key.size()) std::memcpy(key.data(), select.blob(0).data(), key.size());
  select.reset();
  return key;
}

Result<std::optional<Ending>> DayFile::ending(MessageId id, const std::string& channel,
                                              const std::string& destination) {
  TRY(auto select, database_.cached(std::string("SELECT ") + kDeliveryColumns + " FROM delivery WHERE msg_id=? AND dest=?"));
  const std::string key = destination == kNoDestination ? destination : destination_key(channel, destination);
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(key)).step());
  if (!found) return std::optional<Ending>();
  auto out = take_delivery(rows(), id, select);
  select.reset();
  if (!out) return base::fail(out.error());
  out->destination = destination;
  return std::optional<Ending>(std::move(*out));
}

Result<std::optional<std::string>> DayFile::config(const std::string& hash) {
  TRY(auto select, database_.cached("SELECT text FROM config WHERE hash=?"));
  TRY(const bool found, select.bind(1, std::string_view(hash)).step());
  if (!found) return std::optional<std::string>();
  std::optional<std::string> out{std::string(select.text(0))};
  select.reset();
  return out;
}

Status DayFile::pending(const std::string& channel, const std::string& destination, MessageId after,
                        std::size_t limit, std::size_t bytes_max, std::vector<PendingOutput>& out,
                        std::vector<MessageId>& corrupt) {
  return read_pending_outputs(rows(), destination_key(channel, destination), after, limit, bytes_max, out,
                              corrupt);
}

}  // namespace kiln::engine
