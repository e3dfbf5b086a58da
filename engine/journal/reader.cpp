#include "engine/journal/reader.h"

#include <algorithm>
#include <array>
#include <memory>

#include "engine/base/limits.h"
#include "engine/base/sql/sqlite.h"
#include "engine/base/text.h"
#include "engine/journal/day_file.h"
#include "engine/journal/rows.h"

namespace kiln::engine {
namespace {

using base::Database;
using base::ErrorCode;
using base::Result;
using base::Statement;
using base::Status;
using Field = QueryTerm::Field;

/// A WHERE clause with its parameters; every value is bound, none is part of the text.
struct Where {
  std::string sql;
  std::vector<std::string> texts;      ///< bound where `kinds` says 't'
  std::vector<std::int64_t> integers;  ///< bound where `kinds` says 'i'
  std::string kinds;
  bool has_same_ids = false;  ///< the file has the table of them

  void add(bool negated, const char* condition) {
    sql += std::string(sql.empty() ? "" : " AND ") + (negated ? "NOT " : "") + "(" + condition + ")";
  }
  void text(std::string value) {
    texts.push_back(std::move(value));
    kinds += 't';
  }
  void integer(std::int64_t value) {
    integers.push_back(value);
    kinds += 'i';
  }
  void bind(Statement& statement) const {
    std::size_t t = 0, i = 0;
    for (std::size_t at = 0; at < kinds.size(); ++at) {
      const int index = static_cast<int>(at) + 1;
      if (kinds[at] == 't')
        statement.bind(index, std::string_view(texts[t++]));
      else
        statement.bind(index, integers[i++]);
    }
  }
};

/// Text beginnings are compared by bytes: substr(x, 1, length) = value.
void add_prefix(Where& where, const QueryTerm& term, const char* condition) {
  where.add(term.negated, condition);
  where.text(term.text);
  where.text(term.text);
}

void add_state(Where& where, const QueryTerm& term) {
  if (term.text == "pending") {
    where.add(term.negated,
              "EXISTS(SELECT 1 FROM dests CROSS JOIN outbox o ON o.dest=dests.dest AND o.msg_id=m.id)"
              " OR EXISTS(SELECT 1 FROM unprocessed u WHERE u.id=m.id)");
  } else if (term.text == "unprocessed") {
    where.add(term.negated, "EXISTS(SELECT 1 FROM unprocessed u WHERE u.id=m.id)");
  } else {
    where.add(term.negated, "EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=m.id AND d.state=?)");
    where.integer(static_cast<std::int64_t>(*delivery_state(term.text)));
  }
}

void add_destination(Where& where, const QueryTerm& term) {
  where.add(
      term.negated,
      "EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=m.id AND (d.dest=? OR d.dest=m.channel||'/'||?))"
      " OR EXISTS(SELECT 1 FROM dests CROSS JOIN outbox o ON o.dest=dests.dest AND o.msg_id=m.id"
      " WHERE dests.dest=? OR substr(dests.dest,instr(dests.dest,'/')+1)=?)");
  for (int i = 0; i < 4; ++i) where.text(term.text);
}

void add_term(Where& where, const QueryTerm& term) {
  switch (term.field) {
    case Field::channel:
      where.add(term.negated, "m.channel=?");
      return where.text(term.text);
    case Field::type:
      return add_prefix(where, term, "substr(m.type,1,length(?))=?");
    case Field::id:
      where.add(term.negated, "m.control_id=?");
      return where.text(term.text);
    case Field::peer:
      return add_prefix(where, term, "substr(m.peer,1,length(?))=?");
    case Field::code:
      where.add(term.negated, "EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=m.id AND d.code=?)");
      return where.text(term.text);
    case Field::state:
      return add_state(where, term);
    case Field::dest:
      return add_destination(where, term);
    case Field::since:
      where.add(term.negated, "m.received_us>=?");
      return where.integer(term.low);
    case Field::before:
      where.add(term.negated, "m.received_us<?");
      return where.integer(term.low);
    case Field::same_id_as:
      where.add(term.negated, where.has_same_ids
                                  ? "EXISTS(SELECT 1 FROM same_id s WHERE s.msg_id=m.id AND s.earlier BETWEEN ? AND ?)"
                                  : "0 AND ? AND ?");
      where.integer(term.low);
      return where.integer(term.high);
    case Field::msg:
    case Field::replay_of:
      where.add(term.negated, term.field == Field::msg
                                  ? "m.id BETWEEN ? AND ?"
                                  : "m.replay_of IS NOT NULL AND m.replay_of BETWEEN ? AND ?");
      where.integer(term.low);
      return where.integer(term.high);
  }
}

/// The destinations that something waits for: the outbox is keyed by them first.
constexpr const char* kSummaryColumns =
    "WITH RECURSIVE dests(dest) AS (SELECT min(dest) FROM outbox UNION ALL"
    " SELECT (SELECT min(dest) FROM outbox WHERE dest>dests.dest) FROM dests WHERE dest IS NOT NULL)"
    " SELECT m.id, m.received_us, m.channel, m.type, m.control_id, m.peer, m.name, m.kind, length(m.body), "
    "m.parent,"
    " m.replay_of, EXISTS(SELECT 1 FROM unprocessed u WHERE u.id=m.id) FROM msg m";

MessageSummary read_summary(const Statement& row) {
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
  return out;
}

Status read_destinations(Database& database, MessageSummary& summary) {
  TRY(auto ended,
      database.cached("SELECT dest, state, attempts, in_doubt, code, detail, reply, updated_us FROM delivery"
                      " WHERE msg_id=? ORDER BY dest"));
  ended.bind(1, static_cast<std::int64_t>(summary.id));
  for (;;) {
    TRY(const bool row, ended.step());
    if (!row) break;
    DestinationState state;
    state.destination = ended.text(0);
    state.ending.destination = state.destination;
    state.ending.state = static_cast<DeliveryState>(ended.integer(1));
    state.attempts = state.ending.attempts = static_cast<std::uint32_t>(ended.integer(2));
    state.in_doubt = state.ending.in_doubt = ended.integer(3) != 0;
    state.ending.code = ended.text(4);
    state.ending.detail = ended.text(5);
    state.ending.reply = ended.blob(6);
    state.updated = {ended.integer(7)};
    summary.destinations.push_back(std::move(state));
  }
  // The outbox is keyed by destination first: step from one destination to the next, then look each up.
  TRY(auto waiting,
      database.cached(
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

/// A question may not run for ever: while it reads, the log of the file cannot be emptied (reliability.md S1).
class Bounded {
 public:
  explicit Bounded(Database& database) : database_(database) {
    database_.set_budget(base::limits::kSearchStepsMax);
  }
  ~Bounded() { database_.set_budget(0); }
  Bounded(const Bounded&) = delete;
  Bounded& operator=(const Bounded&) = delete;

 private:
  Database& database_;
};

/// First and last number of the messages of a file; {1, 0} when it has none.
Result<std::pair<std::int64_t, std::int64_t>> ids_of(Database& database) {
  TRY(auto select, database.cached("SELECT ifnull((SELECT min(id) FROM msg), 1), ifnull((SELECT max(id) FROM msg), 0)"));
  TRY_VOID(select.step());
  return std::pair{select.integer(0), select.integer(1)};
}

/// Messages of one part of a file that fit, in one read of the file.
Status search_part(Database& database, Statement& select, std::size_t limit, std::vector<MessageSummary>& out) {
  const Bounded bounded(database);
  select.reset();
  while (out.size() < limit) {
    TRY(const bool row, select.step());
    if (!row) return {};
    MessageSummary summary = read_summary(select);
    TRY_VOID(read_destinations(database, summary));
    TRY(summary.same_id_as, read_same_id(database, summary.id));
    for (DestinationState& state : summary.destinations) {
      if (state.pending) continue;
      TRY(state.note, read_quarantine_row(database, summary.id, state.destination));
    }
    TRY_VOID(read_origin(database, summary.id, summary.edited_from, summary.job));
    out.push_back(std::move(summary));
  }
  return {};
}

}  // namespace

struct JournalReader::File {
  DayFileName name;
  Database database;
  MessageId first_id = 0;
};

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

Result<JournalReader> JournalReader::open(base::Env& env, const std::string& folder) {
  TRY(const auto entries, env.list(folder));
  JournalReader reader;
  for (const auto& entry : entries) {
    const auto name = DayFileName::parse(entry.name);
    if (!name) continue;
    auto file = std::make_unique<File>();
    file->name = *name;
    base::DatabaseOptions options;
    options.path = base::join_path(folder, entry.name);
    options.read_only = true;
    options.vfs = env.sqlite_vfs();
    TRY(file->database, Database::open(options));
    TRY(auto tables, file->database.prepare("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='meta')"));
    TRY_VOID(tables.step());
    if (tables.integer(0) == 0)
      continue;  // created, but its first transaction is not committed yet: it holds nothing
    tables.reset();
    TRY(auto select, file->database.prepare("SELECT value FROM meta WHERE key='first_id'"));
    TRY(const bool found, select.step());
    if (!found) continue;
    file->first_id = static_cast<MessageId>(std::stoull(std::string(select.text(0))));
    reader.files_.push_back(std::move(file));
  }
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

Result<std::vector<MessageSummary>> JournalReader::search(const Query& query, const SearchOptions& options) {
  std::int64_t lowest = static_cast<std::int64_t>(options.oldest_first ? options.after + 1 : 0);
  std::int64_t highest = options.oldest_first || options.before == 0 ? INT64_MAX : static_cast<std::int64_t>(options.before) - 1;
  for (const QueryTerm& term : query.terms) {
    if (term.field != Field::msg || term.negated) continue;
    lowest = std::max(lowest, term.low);
    highest = std::min(highest, term.high);
  }
  std::vector<MessageSummary> out;
  const std::size_t count = files_.size();
  for (std::size_t i = 0; i < count && out.size() < options.limit; ++i) {
    Database& database = files_[options.oldest_first ? i : count - 1 - i]->database;
    TRY(const auto ids, ids_of(database));
    Where where;
    TRY(where.has_same_ids, has_table(database, "same_id"));
    for (const QueryTerm& term : query.terms) add_term(where, term);
    where.add(false, "m.id BETWEEN ? AND ?");
    const int first_parameter = static_cast<int>(where.kinds.size()) + 1;
    const std::string sql = std::string(kSummaryColumns) + " WHERE " + where.sql + " ORDER BY m.id" +
                            (options.oldest_first ? "" : " DESC");
    const std::int64_t low = std::max(lowest, ids.first), high = std::min(highest, ids.second);
    TRY(auto select, database.prepare(sql));
    where.bind(select);
    const std::int64_t step = static_cast<std::int64_t>(options.ids_per_read);
    for (std::int64_t at = 0; at <= high - low && out.size() < options.limit; at += step) {
      const std::int64_t from = options.oldest_first ? low + at : std::max(low, high - at - step + 1);
      const std::int64_t to = options.oldest_first ? std::min(high, low + at + step - 1) : high - at;
      select.bind(first_parameter, from).bind(first_parameter + 1, to);
      TRY_VOID(search_part(database, select, options.limit, out));
      select.reset();
    }
  }
  return out;
}

Result<MessageSummary> JournalReader::summary(MessageId id) {
  Query query;
  QueryTerm term{};
  term.field = Field::msg;
  term.low = term.high = static_cast<std::int64_t>(id);
  query.terms.push_back(term);
  TRY(auto found, search(query, {}));
  if (found.empty())
    return base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  return std::move(found.front());
}

Result<StoredMessage> JournalReader::message(MessageId id) {
  Result<StoredMessage> found =
      base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  // A part that was detached after midnight is in the file of its whole, one before the file its number is
  // in.
  for (auto at = files_.rbegin();
       at != files_.rend() && !found && found.error().code == ErrorCode::message_not_found; ++at)
    if ((*at)->first_id <= id) found = read_stored_message((*at)->database, id);
  return found;
}

Result<PendingOutput> JournalReader::pending_output(MessageId id, const std::string& destination) {
  File* file = file_of(id);
  if (file == nullptr)
    return base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  std::vector<PendingOutput> out;
  std::vector<MessageId> corrupt;
  TRY_VOID(read_pending_outputs(file->database, destination, id - 1, 1, 1, out, corrupt));
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
  TRY(auto hash_of, file->database.cached("SELECT sent_hash FROM delivery WHERE msg_id=? AND dest=?"));
  TRY(const bool ended,
      hash_of.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination)).step());
  const std::string hash(ended ? hash_of.blob(0) : std::string_view());
  hash_of.reset();
  TRY(auto kept, read_kept_output(file->database, id, destination));
  if (!kept) {  // perhaps the message itself
    TRY(StoredMessage stored, read_stored_message(file->database, id));
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
  return read_attempts(file->database, id, destination);
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
      if (!visit(id, read_stored_message(file->database, id))) return {};
      after = id;
    }
  }
  return {};
}

}  // namespace kiln::engine
