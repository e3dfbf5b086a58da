#include "engine/journal/reader.h"

#include <algorithm>
#include <array>
#include <memory>

#include "engine/base/limits.h"
#include "engine/base/sql/sqlite.h"
#include "engine/base/text.h"
#include "engine/journal/day_file.h"
#include "engine/journal/reader_file.h"
#include "engine/journal/rows.h"

namespace kiln::engine {
namespace {

using base::Database;
using base::ErrorCode;
using base::Result;
using base::Statement;
using base::Status;

constexpr const char* kSummary =
    "SELECT m.id, m.received_us, m.channel, m.type, m.control_id, m.peer, m.name, m.kind, ifnull(m.size, length(m.body)), m.parent,"
    " m.replay_of, EXISTS(SELECT 1 FROM unprocessed u WHERE u.id=m.id), m.key_id, m.head FROM msg m WHERE m.id=?";

/// Control id and name of a sealed message; without the key there are none, and a damaged one is told by message().
void open_names(RowSource file, const Statement& row, MessageSummary& out) {
  const std::int64_t key = row.integer(12);
  if (key == 0) return;
  out.control_id.clear();
  const auto texts = open_sealed(file, key, row_name("msg head", out.id, out.channel), row.blob(13));
  if (!texts) return;
  std::string_view rest = *texts, control_id, name;
  if (!take_text(rest, control_id) || !take_text(rest, name)) return;
  out.control_id = control_id;
  out.name = name;
}

MessageSummary read_summary(RowSource file, const Statement& row) {
  MessageSummary out;
  out.id = static_cast<MessageId>(row.integer(0));
  out.received = {row.integer(1)};
  out.channel = row.text(2);
  out.type = row.text(3);
  out.control_id = row.text(4);
  out.peer = row.text(5);
  out.name = row.text(6);
  out.kind = static_cast<channels::ContentKind>(row.integer(7));
  out.size = static_cast<std::uint64_t>(row.integer(8));
  out.parent = static_cast<MessageId>(row.integer(9));
  out.replay_of = static_cast<MessageId>(row.integer(10));
  out.unprocessed = row.integer(11) != 0;
  open_names(file, row, out);
  return out;
}

Status read_destinations(RowSource file, MessageSummary& summary) {
  TRY(auto ended, file.database.cached(std::string("SELECT ") + kDeliveryColumns + " FROM delivery WHERE msg_id=? ORDER BY dest"));
  ended.bind(1, static_cast<std::int64_t>(summary.id));
  for (;;) {
    TRY(const bool row, ended.step());
    if (!row) break;
    DestinationState state;
    auto ending = take_delivery(file, summary.id, ended);
    if (ending) {
      state.ending = std::move(*ending);
    } else {  // shown as far as it goes: the rest of the message is not less there
      if (ending.error().code != ErrorCode::corrupt_record && ending.error().code != ErrorCode::journal_key)
        return base::fail(ending.error());
      state.ending.destination = ended.text(0);
      state.ending.state = static_cast<DeliveryState>(ended.integer(1));
      state.ending.attempts = static_cast<std::uint32_t>(ended.integer(2));
      state.ending.in_doubt = ended.integer(3) != 0;
      state.ending.code = ended.text(4);
      const bool damaged = ending.error().code == ErrorCode::corrupt_record, sealed = ended.integer(11) != 0;
      state.ending.detail = damaged ? "this record is damaged" : sealed ? std::string_view() : ended.text(5);
    }
    state.destination = state.ending.destination;
    state.attempts = state.ending.attempts;
    state.in_doubt = state.ending.in_doubt;
    state.updated = {ended.integer(8)};
    summary.destinations.push_back(std::move(state));
  }
  // The outbox is keyed by destination first: step from one destination to the next, then look each up.
  TRY(auto waiting,
      file.database.cached(
          "WITH RECURSIVE d(dest) AS (SELECT min(dest) FROM outbox UNION ALL"
          " SELECT (SELECT min(dest) FROM outbox WHERE dest>d.dest) FROM d WHERE d.dest IS NOT NULL)"
          " SELECT o.dest, o.attempts, o.in_doubt FROM d JOIN outbox o ON o.dest=d.dest AND o.msg_id=?"
          " ORDER BY o.dest"));
  waiting.bind(1, static_cast<std::int64_t>(summary.id));
  for (;;) {
    TRY(const bool row, waiting.step());
    if (!row) return {};
    DestinationState state;
    state.destination = waiting.text(0);
    state.pending = true;
    state.attempts = static_cast<std::uint32_t>(waiting.integer(1));
    state.in_doubt = waiting.integer(2) != 0;
    summary.destinations.push_back(std::move(state));
  }
}

}  // namespace

JournalReader::JournalReader() = default;
JournalReader::JournalReader(JournalReader&&) noexcept = default;
JournalReader& JournalReader::operator=(JournalReader&&) noexcept = default;
JournalReader::~JournalReader() = default;

std::string MessageSummary::state() const {
  if (unprocessed) return "unprocessed";
  constexpr std::array kWorstFirst = {DeliveryState::quarantined, DeliveryState::rejected,
                                      DeliveryState::expired,     DeliveryState::removed,
                                      DeliveryState::sent,        DeliveryState::filtered};
  for (const auto& destination : destinations)
    if (destination.pending) return "pending";
  for (const DeliveryState state : kWorstFirst)
    for (const auto& destination : destinations)
      if (destination.ending.state == state) return name_of(state);
  return "unprocessed";
}

Result<JournalReader> JournalReader::open(base::Env& env, const std::string& folder, const MasterKeyPtr& master) {
  JournalReader reader;
  TRY(auto files, open_journal_files(env, folder, master));
  for (JournalFile& file : files) reader.files_.push_back(std::make_unique<File>(std::move(file)));
  if (reader.files_.empty())
    return base::fail(ErrorCode::file_not_found, "there is no journal in this folder", folder,
                      "name the site that `kiln run` serves, or its data folder");
  return reader;
}

JournalReader::File* JournalReader::file_of(MessageId id) {
  File* found = nullptr;
  for (const auto& file : files_)
    if (file->first_id <= id) found = file.get();
  return found;
}

Result<MessageSummary> JournalReader::summary_in(File& file, MessageId id) {
  Database& database = file.database;
  TRY(auto select, database.cached(kSummary));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  MessageSummary summary = read_summary(file.rows(), select);
  select.reset();
  TRY_VOID(read_destinations(file.rows(), summary));
  TRY(summary.same_id_as, read_same_id(file.rows(), summary.id));
  for (DestinationState& state : summary.destinations) {
    if (state.pending) continue;
    auto note = read_quarantine_row(file.rows(), summary.id, state.destination);
    const bool unreadable = !note && (note.error().code == ErrorCode::journal_key || note.error().code == ErrorCode::corrupt_record);
    if (!note && !unreadable) return base::fail(note.error());
    if (note) state.note = std::move(*note);  // without the key the rest of the message is shown
  }
  const Status origin = read_origin(file.rows(), summary.id, summary.edited_from, summary.job);
  if (!origin && origin.error().code != ErrorCode::corrupt_record) return base::fail(origin.error());
  return summary;
}

Result<MessageSummary> JournalReader::summary(MessageId id) {
  Status status;
  File* file = file_with(id, status);
  if (file == nullptr) return base::fail(status.error());
  return summary_in(*file, id);
}

Result<StoredMessage> JournalReader::message(MessageId id) {
  Result<StoredMessage> found =
      base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  // A part that was detached after midnight is in the file of its whole, one before the file its number is
  // in.
  for (auto at = files_.rbegin();
       at != files_.rend() && !found && found.error().code == ErrorCode::message_not_found; ++at)
    if ((*at)->first_id <= id) found = read_stored_message((*at)->rows(), id);
  return found;
}

Result<PendingOutput> JournalReader::pending_output(MessageId id, const std::string& destination) {
  File* file = file_of(id);
  if (file == nullptr)
    return base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  std::vector<PendingOutput> out;
  std::vector<MessageId> corrupt;
  TRY_VOID(read_pending_outputs(file->rows(), destination, id - 1, 1, 1, out, corrupt));
  if (out.empty() || out.front().id != id)
    return base::fail(ErrorCode::message_not_found,
                      "message " + std::to_string(id) + " does not wait for " + destination);
  return std::move(out.front());
}

JournalReader::File* JournalReader::file_with(MessageId id, Status& status) {
  // A part that was detached after midnight is in the file of its whole, before the file its number is in.
  for (auto at = files_.rbegin(); at != files_.rend(); ++at) {
    if ((*at)->first_id > id) continue;
    auto select = (*at)->database.cached("SELECT 1 FROM msg WHERE id=?");
    if (!select) {
      status = base::fail(select.error());
      return nullptr;
    }
    const auto found = select->bind(1, static_cast<std::int64_t>(id)).step();
    if (!found) {
      status = base::fail(found.error());
      return nullptr;
    }
    if (*found) return at->get();
  }
  status = base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  return nullptr;
}

Result<KeptOutput> JournalReader::sent_output(MessageId id, const std::string& destination) {
  Status status;
  File* file = file_with(id, status);
  if (file == nullptr) return base::fail(status.error());
  TRY(auto select, file->database.cached(std::string("SELECT ") + kDeliveryColumns + " FROM delivery WHERE msg_id=? AND dest=?"));
  TRY(const bool ended,
      select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination)).step());
  std::string hash;  // of a row that is damaged or locked nothing is known
  if (ended) {
    auto ending = take_delivery(file->rows(), id, select);
    if (ending) hash = std::move(ending->sent_hash);
  }
  select.reset();
  TRY(auto kept, read_kept_output(file->rows(), id, destination));
  if (!kept) {  // perhaps the message itself
    TRY(StoredMessage stored, read_stored_message(file->rows(), id));
    const auto pending = ended ? Result<PendingOutput>(base::fail(ErrorCode::message_not_found))
                               : pending_output(id, destination);
    if (pending) return KeptOutput{pending->output.kind, pending->output.control_id, pending->output.body};
    if (hash.empty() || base::sha256(stored.message.body) != hash)
      return base::fail(ErrorCode::message_not_found, "what was sent is not kept", destination);
    return KeptOutput{stored.message.kind, stored.message.control_id, std::move(stored.message.body)};
  }
  if (!hash.empty() && base::sha256(kept->body) != hash)
    return base::fail(ErrorCode::corrupt_record, "what is kept is not what was sent to " + destination,
                      "message " + std::to_string(id));
  return std::move(*kept);
}

Result<std::vector<Attempt>> JournalReader::attempts(MessageId id, const std::string& destination) {
  Status status;
  File* file = file_with(id, status);
  if (file == nullptr) return base::fail(status.error());
  return read_attempts(file->rows(), id, destination);
}

Result<std::string> JournalReader::config(const std::string& hash) {
  for (const auto& file : files_) {
    TRY(auto select, file->database.cached("SELECT text FROM config WHERE hash=?"));
    TRY(const bool found, select.bind(1, std::string_view(hash)).step());
    if (found) return std::string(select.text(0));
  }
  return base::fail(ErrorCode::message_not_found, "no journal file has this version of the site", hash);
}

/// By the index of what is rare.
Result<std::map<std::string, std::uint64_t>> JournalReader::open_quarantine() {
  std::map<std::string, std::uint64_t> out;
  for (const auto& file : files_) {
    TRY(auto select, file->database.cached(
                         "SELECT CASE d.dest WHEN '-' THEN m.channel||'/-' ELSE d.dest END AS address, count(*) FROM delivery d JOIN msg m ON m.id=d.msg_id WHERE d.state=3 AND d.state>=2"
                         " AND NOT EXISTS(SELECT 1 FROM quarantine q WHERE q.msg_id=d.msg_id AND q.dest=d.dest AND q.resolution<>0)"
                         " GROUP BY address"));
    for (;;) {
      TRY(const bool row, select.step());
      if (!row) break;
      out[std::string(select.text(0))] += static_cast<std::uint64_t>(select.integer(1));
    }
  }
  return out;
}

Status JournalReader::each_message(MessageId from, MessageId to,
                                   const std::function<bool(MessageId, Result<StoredMessage>)>& visit) {
  for (const auto& file : files_) {
    for (MessageId after = from == 0 ? 0 : from - 1;;) {
      MessageId id = 0;
      {
        TRY(auto next, file->database.cached("SELECT min(id) FROM msg WHERE id>? AND id<=?"));
        next.bind(1, static_cast<std::int64_t>(after));
        next.bind(2, static_cast<std::int64_t>(std::min<MessageId>(to, INT64_MAX)));
        TRY_VOID(next.step());
        if (!next.is_null(0)) id = static_cast<MessageId>(next.integer(0));
      }
      if (id == 0) break;
      if (!visit(id, read_stored_message(file->rows(), id))) return {};
      after = id;
    }
  }
  return {};
}

}  // namespace kiln::engine
