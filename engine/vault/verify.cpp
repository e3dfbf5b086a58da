#include "engine/vault/verify.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/journal/journal_files.h"
#include "engine/journal/rows.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;

struct Range {
  MessageId first, last;
};

class Check {
 public:
  Check(const VerifyOptions& options, VerifyReport& report) : options_(options), report_(report) {}

  Status file(JournalFile& file);
  void sequence(std::vector<AbsentRange> absent);

 private:
  void found(MessageId id, const char* code, std::string detail) {
    if (++report_.findings_total <= options_.findings_max)
      report_.findings.push_back({name_, id, code, std::move(detail)});
  }
  Status structure(base::Database& database);
  Status numbers(base::Database& database);
  Status rows(base::Database& database, const char* code, const char* detail, const char* sql);
  Status books(base::Database& database);
  Status counts(base::Database& database);
  Status orphans(base::Database& database);
  Status records(JournalFile& file);

  const VerifyOptions& options_;
  VerifyReport& report_;
  std::string name_;
  std::vector<Range> ranges_;
  std::uint64_t done_ = 0;
};

Status Check::file(JournalFile& file) {
  name_ = file.name.print();
  ++report_.files;
  base::Database& database = file.database;
  {
    // One picture of the file for everything that is counted; bodies are read after it, so that the log can be emptied.
    TRY_VOID(database.exec("BEGIN"));
    Status done = numbers(database);
    if (done)
      done = rows(database, "no-outcome", "settled, and neither waiting nor ended",
                  "SELECT m.id FROM msg m WHERE m.id <= (SELECT CAST(value AS INTEGER) FROM meta WHERE key='settled_to')"
                  " AND NOT EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=m.id) AND m.id NOT IN"
                  " (SELECT msg_id FROM outbox)");
    if (done)
      done = rows(database, "two-states", "waits and has ended at the same destination",
                  "SELECT o.msg_id FROM outbox o JOIN delivery d ON d.msg_id=o.msg_id AND d.dest=o.dest");
    if (done)
      done = rows(database, "orphan-output", "waits, and there is no such message",
                  "SELECT o.msg_id FROM outbox o WHERE NOT EXISTS(SELECT 1 FROM msg m WHERE m.id=o.msg_id)");
    if (done)
      done = rows(database, "orphan-outcome", "has ended, and there is no such message",
                  "SELECT d.msg_id FROM delivery d WHERE NOT EXISTS(SELECT 1 FROM msg m WHERE m.id=d.msg_id)");
    if (done) done = books(database);
    if (done) done = counts(database);
    (void)database.exec("COMMIT");
    TRY_VOID(std::move(done));
  }
  if (!options_.full) return {};
  TRY_VOID(structure(database));
  TRY_VOID(orphans(database));
  return records(file);
}

Status Check::structure(base::Database& database) {
  TRY(auto check, database.prepare("PRAGMA integrity_check(20)"));
  for (;;) {
    TRY(const bool row, check.step());
    if (!row) return {};
    if (check.text(0) != "ok") found(0, "database-damaged", std::string(check.text(0)));
  }
}

Status Check::numbers(base::Database& database) {
  TRY(auto select, database.prepare("SELECT id FROM msg ORDER BY id"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) break;
    const auto id = static_cast<MessageId>(select.integer(0));
    ++report_.messages;
    if (ranges_.empty() || ranges_.back().last + 1 != id)
      ranges_.push_back({id, id});
    else
      ranges_.back().last = id;
    if (++done_ % 1000 == 0 && options_.progress) options_.progress(done_);
  }
  TRY(auto waiting, database.prepare("SELECT count(*) FROM unprocessed"));
  TRY_VOID(waiting.step());
  report_.unprocessed += static_cast<std::uint64_t>(waiting.integer(0));
  return {};
}

Status Check::rows(base::Database& database, const char* code, const char* detail, const char* sql) {
  TRY(auto select, database.prepare(sql));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    found(static_cast<MessageId>(select.integer(0)), code, detail);
  }
}

/// The ending of a message as a whole is at "-": its book is that of its channel.
Status Check::books(base::Database& database) {
  TRY(auto ended, database.prepare("SELECT CASE WHEN d.dest='-' THEN m.channel||'/-' ELSE d.dest END, d.state, count(*)"
                                   " FROM delivery d LEFT JOIN msg m ON m.id=d.msg_id GROUP BY 1, 2"));
  for (;;) {
    TRY(const bool row, ended.step());
    if (!row) break;
    const auto state = static_cast<std::size_t>(ended.integer(1));
    Book& book = report_.books[std::string(ended.text(0))];
    if (state < book.ended.size())
      book.ended[state] += static_cast<std::uint64_t>(ended.integer(2));
    else
      found(0, "corrupt-record", "a delivery has a state that does not exist");
  }
  TRY(auto waiting, database.prepare("SELECT dest, count(*) FROM outbox GROUP BY dest"));
  for (;;) {
    TRY(const bool row, waiting.step());
    if (!row) return {};
    report_.books[std::string(waiting.text(0))].pending += static_cast<std::uint64_t>(waiting.integer(1));
  }
}

Status Check::counts(base::Database& database) {
  TRY(const bool has_counts, has_table(database, "waiting"));
  if (!has_counts) return {};
  TRY(auto select, database.prepare("SELECT w.dest, w.count, (SELECT count(*) FROM outbox o WHERE o.dest=w.dest)"
                                    " FROM waiting w"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    if (select.integer(1) != select.integer(2))
      found(0, "wrong-count", std::string(select.text(0)) + ": " + std::to_string(select.integer(1)) + " counted, " +
                                  std::to_string(select.integer(2)) + " waiting");
  }
}

/// Rows whose message is not there: a number that changed.
Status Check::orphans(base::Database& database) {
  const std::pair<const char*, const char*> kTables[] = {{"output", "id/1024"}, {"attempt", "msg_id"}, {"lookup", "msg_id"}};
  for (const auto& [table, id] : kTables) {
    TRY(const bool there, has_table(database, table));
    if (!there) continue;
    const std::string sql = std::string("SELECT DISTINCT ") + id + " FROM " + table + " t WHERE NOT EXISTS(SELECT 1 FROM msg m"
                            " WHERE m.id=t." + id + ")";
    TRY_VOID(rows(database, "orphan-record", (std::string(table) + " without message").c_str(), sql.c_str()));
  }
  return {};
}

Status Check::records(JournalFile& file) {
  TRY(const RecordCheck control, check_control(file.rows()));
  report_.records += control.compared;
  report_.locked += control.locked;
  for (const RecordCheck::Fault& fault : control.faults) found(0, fault.code, fault.what);
  for (MessageId after = 0;;) {
    MessageId id = 0;
    {
      TRY(auto next, file.database.cached("SELECT min(id) FROM msg WHERE id>?"));
      TRY_VOID(next.bind(1, static_cast<std::int64_t>(after)).step());
      if (!next.is_null(0)) id = static_cast<MessageId>(next.integer(0));
    }
    if (id == 0) return {};
    TRY(const RecordCheck checked, check_records(file.rows(), id));
    report_.records += checked.compared;
    report_.locked += checked.locked;
    for (const RecordCheck::Fault& fault : checked.faults) found(id, fault.code, fault.what);
    after = id;
    if (++done_ % 1000 == 0 && options_.progress) options_.progress(done_);
  }
}

/// Parts that were detached after midnight are in the file of their whole: only all files together have no gaps.
void Check::sequence(std::vector<AbsentRange> absent) {
  name_.clear();
  for (const AbsentRange& range : absent)
    if (range.removed) report_.removed += range.last - range.first + 1;
  if (ranges_.empty()) return;
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  report_.first = ranges_.front().first;
  MessageId next = report_.first;
  const auto is_known = [&absent](MessageId first, MessageId last) {
    for (MessageId at = first; at <= last;) {
      const auto covering = std::find_if(absent.begin(), absent.end(), [at](const AbsentRange& range) {
        return range.first <= at && at <= range.last;
      });
      if (covering == absent.end()) return false;
      at = covering->last + 1;
    }
    return true;
  };
  for (const Range& range : ranges_) {
    if (range.first > next && !is_known(next, range.first - 1))
      found(next, "sequence-gap", "numbers " + std::to_string(next) + " to " + std::to_string(range.first - 1) + " are missing");
    if (range.first < next) found(range.first, "sequence-gap", "a number was given twice");
    next = std::max(next, range.last + 1);
  }
  report_.last = next - 1;
}

}  // namespace

Result<VerifyReport> verify_journal(base::Env& env, const std::string& folder, const VerifyOptions& options) {
  TRY(auto files, open_journal_files(env, folder, options.master));
  if (files.empty())
    return base::fail(base::ErrorCode::file_not_found, "there is no journal in this folder", folder,
                      "name the site that `kiln run` serves, or its data folder");
  VerifyReport report;
  report.full = options.full;
  Check check(options, report);
  for (JournalFile& file : files) {
    const Status done = check.file(file);
    if (done) continue;
    if (done.error().code != base::ErrorCode::database_corrupt) return base::fail(done.error());
    ++report.findings_total;
    report.findings.push_back({file.name.print(), 0, "database-damaged", done.error().text});
  }
  TRY(auto absent, read_absent_ranges(files.back().database));
  check.sequence(std::move(absent));
  return report;
}

std::string print_report(const VerifyReport& report) {
  std::string out;
  char line[256];
  std::snprintf(line, sizeof line, "%-28s %9s %9s %9s %9s %11s %9s %9s\n", "destination", "pending", "sent", "filtered",
                "rejected", "quarantined", "expired", "removed");
  if (!report.books.empty()) out += line;
  for (const auto& [name, book] : report.books) {
    std::snprintf(line, sizeof line, "%-28s %9llu %9llu %9llu %9llu %11llu %9llu %9llu\n", name.c_str(),
                  static_cast<unsigned long long>(book.pending), static_cast<unsigned long long>(book.ended[0]),
                  static_cast<unsigned long long>(book.ended[1]), static_cast<unsigned long long>(book.ended[2]),
                  static_cast<unsigned long long>(book.ended[3]), static_cast<unsigned long long>(book.ended[4]),
                  static_cast<unsigned long long>(book.ended[5]));
    out += line;
  }
  for (const Finding& finding : report.findings) {
    out += finding.code;
    if (finding.id != 0) out += " message " + std::to_string(finding.id);
    out += (finding.file.empty() ? "" : " in " + finding.file) + ": " + finding.detail + "\n";
  }
  if (report.findings_total > report.findings.size())
    out += "… and " + std::to_string(report.findings_total - report.findings.size()) + " more\n";
  out += std::to_string(report.messages) + " messages (" + std::to_string(report.first) + " to " +
         std::to_string(report.last) + ") in " + std::to_string(report.files) + " files, " +
         std::to_string(report.unprocessed) + " not processed yet";
  if (report.removed > 0) out += ", " + std::to_string(report.removed) + " removed by retention";
  if (report.full) out += ", " + std::to_string(report.records) + " records compared with their checksums";
  if (report.locked > 0) out += " (" + std::to_string(report.locked) + " encrypted ones not opened: their key is not the one given, or none is given)";
  out += ": ";
  return out + (report.findings_total == 0 ? "the books balance\n" : std::to_string(report.findings_total) + " findings\n");
}

std::string print_report_json(const VerifyReport& report) {
  base::JsonWriter json;
  const auto count = [&json](const char* name, std::uint64_t value) {
    json.key(name).integer(static_cast<std::int64_t>(value));
  };
  json.begin_object().key("full").boolean(report.full);
  count("files", report.files);
  count("messages", report.messages);
  count("unprocessed", report.unprocessed);
  count("removed", report.removed);
  count("records", report.records);
  count("locked", report.locked);
  count("first", report.first);
  count("last", report.last);
  json.key("books").begin_array();
  for (const auto& [name, book] : report.books) {
    json.begin_object().member("destination", name);
    count("pending", book.pending);
    for (std::size_t i = 0; i < book.ended.size(); ++i) count(name_of(static_cast<DeliveryState>(i)), book.ended[i]);
    json.end_object();
  }
  json.end_array();
  count("findings_total", report.findings_total);
  json.key("findings").begin_array();
  for (const Finding& finding : report.findings) {
    json.begin_object().member("code", finding.code).member("file", finding.file);
    count("id", finding.id);
    json.member("detail", finding.detail).end_object();
  }
  return json.end_array().end_object().take();
}

}  // namespace kiln::engine
