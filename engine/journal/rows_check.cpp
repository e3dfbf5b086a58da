// Every record of a message, for checks and the scrub (reliability.md R14).

#include "engine/base/text.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

class Check {
 public:
  Check(RowSource file, MessageId id, RecordCheck& out) : file_(file), id_(id), out_(out) {}

  Status run() {
    TRY_VOID(message());
    TRY_VOID(deliveries());
    TRY_VOID(attempts());
    TRY_VOID(outputs());
    TRY_VOID(beside());
    return waiting();
  }

 private:
  /// Errors that are no finding go on.
  Status count(const Status& read, const char* what) {
    ++out_.compared;
    if (read) return {};
    if (read.error().code == ErrorCode::journal_key) {
      ++out_.locked;
      return {};
    }
    if (read.error().code != ErrorCode::corrupt_record) return read;
    out_.faults.push_back({"corrupt-record", read.error().text.empty() ? what : read.error().text});
    return {};
  }

  Status message() {
    const auto read = read_stored_message(file_, id_);
    if (read) out_.bytes += read->message.body.size();
    return count(read ? Status{} : Status(base::fail(read.error())), "the message");
  }

  Status deliveries() {
    TRY(auto select, file_.database.cached(std::string("SELECT ") + kDeliveryColumns + " FROM delivery WHERE msg_id=?"));
    select.bind(1, static_cast<std::int64_t>(id_));
    for (;;) {
      TRY(const bool row, select.step());
      if (!row) return {};
      const auto ending = take_delivery(file_, id_, select);
      TRY_VOID(count(ending ? Status{} : Status(base::fail(ending.error())), "how it ended"));
      if (ending) sent_.emplace_back(select.text(0), ending->sent_hash);
    }
  }

  Status attempts() {
    TRY(const bool has_attempts, has_table(file_, "attempt"));
    if (!has_attempts) return {};
    std::vector<std::string> destinations;
    {
      TRY(auto select, file_.database.cached("SELECT DISTINCT dest FROM attempt WHERE msg_id=?"));
      select.bind(1, static_cast<std::int64_t>(id_));
      for (;;) {
        TRY(const bool row, select.step());
        if (!row) break;
        destinations.emplace_back(select.text(0));
      }
    }
    for (const std::string& destination : destinations) {
      const auto read = read_attempts(file_, id_, destination);
      TRY_VOID(count(read ? Status{} : Status(base::fail(read.error())), "the attempts"));
    }
    return {};
  }

  Status outputs() {
    TRY(const bool has_outputs, has_table(file_, "output"));
    if (!has_outputs) return {};
    std::vector<std::string> destinations;
    {
      TRY(auto select, file_.database.cached("SELECT dest FROM output WHERE id BETWEEN ? AND ? ORDER BY id"));
      const std::int64_t first = static_cast<std::int64_t>(id_) * kOutputSlots;
      select.bind(1, first).bind(2, first + kOutputSlots - 1);
      for (;;) {
        TRY(const bool row, select.step());
        if (!row) break;
        destinations.emplace_back(select.text(0));
      }
    }
    for (const std::string& destination : destinations) {
      const auto kept = read_kept_output(file_, id_, destination);
      TRY_VOID(count(kept ? Status{} : Status(base::fail(kept.error())), "what was made for a destination"));
      if (!kept || !*kept) continue;
      out_.bytes += (*kept)->body.size();
      for (const auto& [name, hash] : sent_)
        if (name == destination && !hash.empty() && base::sha256((*kept)->body) != hash)
          out_.faults.push_back({"sent-altered", "what is kept is not what was sent to " + destination});
    }
    return {};
  }

  /// What stands beside it and is read apart.
  Status beside() {
    MessageId edited_from = 0;
    JobId job = 0;
    const Status origin = read_origin(file_, id_, edited_from, job);
    if (!origin) TRY_VOID(count(origin, "where it comes from"));
    TRY(const bool has_notes, has_table(file_, "quarantine"));
    if (!has_notes) return {};
    std::vector<std::string> destinations;
    {
      TRY(auto select, file_.database.cached("SELECT dest FROM quarantine WHERE msg_id=?"));
      select.bind(1, static_cast<std::int64_t>(id_));
      for (;;) {
        TRY(const bool row, select.step());
        if (!row) break;
        destinations.emplace_back(select.text(0));
      }
    }
    for (const std::string& destination : destinations) {
      const auto note = read_quarantine_row(file_, id_, destination);
      TRY_VOID(count(note ? Status{} : Status(base::fail(note.error())), "what was noted"));
    }
    return {};
  }

  /// The outbox is keyed by destination first: step from one destination to the next.
  Status waiting() {
    std::vector<std::string> destinations;
    {
      TRY(auto select, file_.database.cached(
                           "WITH RECURSIVE d(dest) AS (SELECT min(dest) FROM outbox UNION ALL"
                           " SELECT (SELECT min(dest) FROM outbox WHERE dest>d.dest) FROM d WHERE d.dest IS NOT NULL)"
                           " SELECT o.dest FROM d JOIN outbox o ON o.dest=d.dest AND o.msg_id=?"));
      select.bind(1, static_cast<std::int64_t>(id_));
      for (;;) {
        TRY(const bool row, select.step());
        if (!row) break;
        destinations.emplace_back(select.text(0));
      }
    }
    for (const std::string& destination : destinations) {
      std::vector<PendingOutput> out;
      std::vector<MessageId> corrupt;
      const Status read = read_pending_outputs(file_, destination, id_ - 1, 1, 1, out, corrupt);
      const bool damaged = !corrupt.empty() && corrupt.front() == id_;
      TRY_VOID(count(damaged ? Status(base::fail(ErrorCode::corrupt_record)) : read, "the output that waits"));
      if (damaged) out_.faults.back().what += " for " + destination;
    }
    return {};
  }

  RowSource file_;
  MessageId id_;
  RecordCheck& out_;
  std::vector<std::pair<std::string, std::string>> sent_;  ///< destination, hash
};

}  // namespace

namespace {

void count_row(const base::Statement& select, int column, std::int64_t sum, std::string what, RecordCheck& out,
               const base::Result<std::string>& opened = std::string()) {
  ++out.compared;
  const bool locked = !opened && opened.error().code == ErrorCode::journal_key;
  if (!row_fits(select, column, sum) || (!opened && !locked))
    out.faults.push_back({"corrupt-record", std::move(what)});
  else if (locked)
    ++out.locked;
}

Status check_holds(base::Database& database, RecordCheck& out) {
  TRY(auto select, database.cached("SELECT subject, state, set_by, reason, since_us, sum FROM hold"));
  for (;;) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const HoldRow row{select.text(0), select.text(2), select.text(3), select.integer(1), select.integer(4)};
    count_row(select, 5, row.sum(), "what is held back", out);
  }
}

Status check_jobs(RowSource file, RecordCheck& out) {
  TRY(auto select, file.database.cached("SELECT id, total, created_us, key_id, kind, spec, requester, reason, detail, sum FROM job"));
  for (;;) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const JobRow row{select.integer(0), select.integer(1), select.integer(2), select.integer(3), select.text(4),
                     select.blob(5), select.text(6), select.blob(7), select.blob(8)};
    count_row(select, 9, row.sum(), "job " + std::to_string(row.id), out,
              open_text(file, row.key, row_name("job", static_cast<std::uint64_t>(row.id)), row.spec));
  }
}

Status check_unframed(RowSource file, RecordCheck& out) {
  TRY(auto select, file.database.cached("SELECT id, received_us, bytes, key_id, channel, kind, peer, name, detail, head, sum FROM unframed"));
  for (;;) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const UnframedRow row{select.integer(0), select.integer(1), select.integer(2), select.integer(3), select.text(4), select.text(5),
                          select.text(6), select.blob(7), select.text(8), select.blob(9)};
    const std::string name = row_name("unframed", static_cast<std::uint64_t>(row.id), row.channel);
    count_row(select, 10, row.sum(), "bytes that made no message, row " + std::to_string(row.id), out,
              open_text(file, row.key, name, row.head));
  }
}

}  // namespace

Result<RecordCheck> check_control(RowSource file) {
  RecordCheck out;
  TRY(const bool has_jobs, has_table(file, "job"));
  if (has_jobs) {
    TRY_VOID(check_holds(file.database, out));
    TRY_VOID(check_jobs(file, out));
  }
  TRY_VOID(check_unframed(file, out));
  return out;
}

Result<RecordCheck> check_records(RowSource file, MessageId id) {
  RecordCheck out;
  TRY_VOID(Check(file, id, out).run());
  return out;
}

}  // namespace kiln::engine
