#include "engine/vault/retention.h"

#include <algorithm>
#include <future>

#include "engine/base/failpoint.h"
#include "engine/base/json.h"
#include "engine/base/partial_date.h"
#include "engine/journal/journal_files.h"
#include "engine/journal/rows.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;
using Verdict = PruneEntry::Verdict;

constexpr std::int64_t kDay = 86'400'000'000;

constexpr const char* kMonthSchema =
    "CREATE TABLE IF NOT EXISTS msg(id INTEGER PRIMARY KEY, received_us INTEGER NOT NULL, channel TEXT NOT NULL,"
    " kind INTEGER NOT NULL, type TEXT NOT NULL, control_id TEXT NOT NULL, peer TEXT NOT NULL, name TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, parent INTEGER, replay_of INTEGER, config TEXT);"
    "CREATE TABLE IF NOT EXISTS delivery(msg_id INTEGER NOT NULL, dest TEXT NOT NULL, state INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, in_doubt INTEGER NOT NULL, code TEXT NOT NULL, updated_us INTEGER NOT NULL,"
    " PRIMARY KEY(msg_id, dest)) WITHOUT ROWID;";

/// "metadata-202611.db"
std::string month_file(std::string_view day) {
  return "metadata-" + std::string(day.substr(0, 6)) + ".db";
}

/// The end of a day label, in microseconds.
std::int64_t end_of_day(const std::string& day) {
  const auto date = base::PartialDate::parse_hl7(day);
  return date ? date->lowest_micros() + kDay : 0;
}

Result<std::uint64_t> count(base::Database& database, const std::string& sql) {
  TRY(auto select, database.prepare(sql));
  TRY_VOID(select.step());
  return static_cast<std::uint64_t>(select.integer(0));
}

Status look_at(JournalFile& file, PruneEntry& entry) {
  TRY(entry.messages, count(file.database, "SELECT count(*) FROM msg"));
  TRY(entry.unprocessed, count(file.database, "SELECT count(*) FROM unprocessed"));
  TRY(entry.pending, count(file.database, "SELECT count(*) FROM outbox"));
  TRY(const bool has_notes, has_table(file.database, "quarantine"));
  TRY(entry.quarantined,
      count(file.database, std::string("SELECT count(*) FROM delivery d WHERE d.state=3") +
                               (has_notes ? " AND NOT EXISTS(SELECT 1 FROM quarantine q WHERE q.msg_id=d.msg_id AND"
                                            " q.dest=d.dest AND q.resolution IN (1, 2))"
                                          : "")));
  TRY(const bool has_fragments, has_table(file.database, "fragment"));
  if (has_fragments) {
    TRY(entry.fragments, count(file.database, "SELECT count(*) FROM fragment"));
  }
  TRY(const std::uint64_t newest, count(file.database, "SELECT ifnull((SELECT received_us FROM msg ORDER BY id DESC LIMIT 1), 0)"));
  entry.newest = {std::max(end_of_day(file.name.day), static_cast<std::int64_t>(newest))};
  return {};
}

/// Idempotent by message number: a copy that was interrupted is made again.
Status copy_metadata(JournalFile& file, base::Database& month, const StopAsked& stop) {
  TRY(auto read, file.database.prepare("SELECT m.id, m.received_us, m.channel, m.kind, m.type, m.control_id, m.peer, m.name,"
                                       " ifnull(m.size, length(m.body)), m.parent, m.replay_of, c.hash, m.key_id FROM msg m LEFT JOIN config c"
                                       " ON c.id=m.config ORDER BY m.id"));
  for (bool more = true; more;) {
    if (stop && stop()) return base::fail(base::ErrorCode::cancelled, {}, file.name.print());
    TRY_VOID(month.begin());
    TRY(auto write, month.cached("INSERT OR REPLACE INTO msg VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"));
    for (std::size_t i = 0; i < limits::kPruneRowsPerCommit; ++i) {
      TRY(more, read.step());
      if (!more) break;
      write.bind(1, read.integer(0)).bind(2, read.integer(1)).bind(3, read.text(2)).bind(4, read.integer(3));
      // Of a sealed message the control id and the name go with its content: this file has no key.
      const bool sealed = read.integer(12) != 0;
      write.bind(5, read.text(4)).bind(6, sealed ? std::string_view() : read.text(5)).bind(7, read.text(6));
      write.bind(8, sealed ? std::string_view() : read.text(7)).bind(9, read.integer(8));
      if (read.is_null(9)) write.bind_null(10); else write.bind(10, read.integer(9));
      if (read.is_null(10)) write.bind_null(11); else write.bind(11, read.integer(10));
      TRY_VOID(write.bind(12, read.text(11)).run());
    }
    TRY_VOID(month.commit());
  }
  TRY(auto ended, file.database.prepare("SELECT msg_id, dest, state, attempts, in_doubt, code, updated_us FROM delivery"));
  for (bool more = true; more;) {
    if (stop && stop()) return base::fail(base::ErrorCode::cancelled, {}, file.name.print());
    TRY_VOID(month.begin());
    TRY(auto write, month.cached("INSERT OR REPLACE INTO delivery VALUES(?,?,?,?,?,?,?)"));
    for (std::size_t i = 0; i < limits::kPruneRowsPerCommit; ++i) {
      TRY(more, ended.step());
      if (!more) break;
      write.bind(1, ended.integer(0)).bind(2, ended.text(1)).bind(3, ended.integer(2)).bind(4, ended.integer(3));
      TRY_VOID(write.bind(5, ended.integer(4)).bind(6, ended.text(5)).bind(7, ended.integer(6)).run());
    }
    TRY_VOID(month.commit());
  }
  return {};
}

Status keep_metadata(base::Env& env, const std::string& folder, JournalFile& file, const StopAsked& stop) {
  base::DatabaseOptions options;
  options.path = base::join_path(folder, month_file(file.name.day));
  options.vfs = env.sqlite_vfs();
  TRY(auto month, base::Database::open(options));
  TRY_VOID(month.exec(kMonthSchema));
  Status done = copy_metadata(file, month, stop);
  if (!done) month.rollback();
  if (done) done = month.checkpoint();
  if (done) done = env.sync_folder(folder);
  return done;
}

}  // namespace

std::string PruneEntry::why() const {
  if (verdict == Verdict::newest) return "takes messages";
  if (verdict == Verdict::young) return "not due yet";
  if (verdict == Verdict::due) return "due";
  std::string out;
  const auto add = [&out](std::uint64_t number, const char* what) {
    if (number > 0) out += (out.empty() ? "held by " : ", ") + std::to_string(number) + " " + what;
  };
  add(unprocessed, "unprocessed");
  add(pending, "pending");
  add(quarantined, "quarantined");
  add(fragments, "fragments");
  return out;
}

Result<PrunePlan> plan_prune(base::Env& env, const std::string& folder, const RetentionPolicy& policy, base::WallTime now) {
  TRY(auto files, open_journal_files(env, folder));
  PrunePlan plan;
  for (std::size_t i = 0; i < files.size(); ++i) {
    PruneEntry& entry = plan.entries.emplace_back();
    entry.file = files[i].name.print();
    entry.generation = files[i].name.generation;
    entry.bytes = files[i].bytes;
    TRY_VOID(look_at(files[i], entry));
    const bool held = entry.unprocessed + entry.pending + entry.quarantined + entry.fragments > 0;
    entry.verdict = i + 1 == files.size()                                ? Verdict::newest
                    : entry.newest.micros > now.micros - policy.content_us ? Verdict::young
                    : held                                                 ? Verdict::held
                                                                           : Verdict::due;
    if (entry.verdict != Verdict::due) continue;
    ++plan.files_due;
    plan.bytes_due += entry.bytes;
  }
  plan.refused = plan.files_due > policy.files_max && !policy.confirmed;
  TRY(const auto entries, env.list(folder));
  for (const auto& entry : entries) {
    if (!entry.name.starts_with("metadata-") || !entry.name.ends_with(".db") || entry.name.size() != 18) continue;
    const std::int64_t last_day = end_of_day(entry.name.substr(9, 6) + "28") + 4 * kDay;  // some days into the next month
    if (last_day <= now.micros - policy.metadata_us) plan.metadata_due.push_back(entry.name);
  }
  return plan;
}

Result<std::vector<std::uint32_t>> prune(base::Env& env, const std::string& folder, SqliteJournal& journal,
                                         const PrunePlan& plan, const StopAsked& stop) {
  std::vector<std::uint32_t> due;
  {
    TRY(auto files, open_journal_files(env, folder));
    for (JournalFile& file : files) {
      const bool wanted = !plan.refused && std::any_of(plan.entries.begin(), plan.entries.end(), [&](const PruneEntry& entry) {
        return entry.generation == file.name.generation && entry.verdict == Verdict::due;
      });
      if (!wanted) continue;
      TRY_VOID(base::failpoint("prune.metadata"));
      TRY_VOID(keep_metadata(env, folder, file, stop));
      due.push_back(file.name.generation);
    }
  }
  if (stop && stop()) return base::fail(base::ErrorCode::cancelled);
  auto promise = std::make_shared<std::promise<Result<std::vector<std::uint32_t>>>>();
  auto removed = promise->get_future();
  journal.remove_files(std::move(due), [promise](Result<std::vector<std::uint32_t>> gone) { promise->set_value(std::move(gone)); });
  TRY(auto gone, removed.get());
  if (plan.refused) return gone;
  for (const std::string& name : plan.metadata_due) TRY_VOID(env.remove(base::join_path(folder, name)));
  if (!plan.metadata_due.empty()) TRY_VOID(env.sync_folder(folder));
  return gone;
}

Result<std::optional<ExpiredMessage>> find_expired(base::Env& env, const std::string& folder, MessageId id) {
  TRY(const auto entries, env.list(folder));
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (!entry->name.starts_with("metadata-") || !entry->name.ends_with(".db")) continue;
    base::DatabaseOptions options;
    options.path = base::join_path(folder, entry->name);
    options.read_only = true;
    options.vfs = env.sqlite_vfs();
    TRY(auto month, base::Database::open(options));
    TRY(auto select, month.prepare("SELECT received_us, channel, type, control_id FROM msg WHERE id=?"));
    TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
    if (!found) continue;
    return std::optional<ExpiredMessage>(ExpiredMessage{{select.integer(0)},
                                                        std::string(select.text(1)),
                                                        std::string(select.text(2)),
                                                        std::string(select.text(3))});
  }
  return std::optional<ExpiredMessage>();
}

std::string print_plan(const PrunePlan& plan) {
  std::string out;
  char line[200];
  for (const PruneEntry& entry : plan.entries) {
    std::snprintf(line, sizeof line, "%-20s %10llu messages %8.1f MB  %s\n", entry.file.c_str(),
                  static_cast<unsigned long long>(entry.messages), static_cast<double>(entry.bytes) / 1e6, entry.why().c_str());
    out += line;
  }
  for (const std::string& name : plan.metadata_due) out += name + "  metadata past their time\n";
  std::snprintf(line, sizeof line, "%zu files are due, %.1f MB\n", plan.files_due, static_cast<double>(plan.bytes_due) / 1e6);
  out += line;
  if (plan.refused)
    out += "More are due than go in one run: nothing is removed. If the clock is right, repeat with --confirm.\n";
  return out;
}

std::string print_plan_json(const PrunePlan& plan) {
  static constexpr const char* kVerdicts[] = {"young", "newest", "held", "due"};
  base::JsonWriter json;
  json.begin_object().key("files").begin_array();
  for (const PruneEntry& entry : plan.entries) {
    json.begin_object().member("file", entry.file).member("verdict", kVerdicts[static_cast<std::size_t>(entry.verdict)]);
    json.member("why", entry.why()).key("messages").integer(static_cast<std::int64_t>(entry.messages));
    json.key("bytes").integer(static_cast<std::int64_t>(entry.bytes)).end_object();
  }
  json.end_array().key("metadata_due").begin_array();
  for (const std::string& name : plan.metadata_due) json.string(name);
  json.end_array().key("files_due").integer(static_cast<std::int64_t>(plan.files_due));
  json.key("bytes_due").integer(static_cast<std::int64_t>(plan.bytes_due)).key("refused").boolean(plan.refused);
  return json.end_object().take();
}

std::optional<base::WallTime> forecast_full(const std::vector<std::pair<std::int64_t, std::uint64_t>>& days,
                                            std::uint64_t free_bytes, std::int64_t content_us, base::WallTime now) {
  const std::int64_t today = now.micros / kDay;
  std::array<std::uint64_t, 7> sum{}, counted{};
  std::vector<std::pair<std::int64_t, std::uint64_t>> present;  // day number, bytes
  for (const auto& [micros, bytes] : days) {
    const std::int64_t day = micros / kDay;
    present.emplace_back(day, bytes);
    if (day >= today || day < today - 14) continue;  // today is not over
    sum[static_cast<std::size_t>(day % 7)] += bytes;
    ++counted[static_cast<std::size_t>(day % 7)];
  }
  std::uint64_t all = 0, all_days = 0;
  for (std::size_t i = 0; i < 7; ++i) {
    all += sum[i];
    all_days += counted[i];
  }
  if (all_days == 0) return std::nullopt;
  auto left = static_cast<std::int64_t>(free_bytes);
  for (std::int64_t day = today; day < today + 365; ++day) {
    const auto weekday = static_cast<std::size_t>(day % 7);
    const std::uint64_t grown = counted[weekday] > 0 ? sum[weekday] / counted[weekday] : all / all_days;
    present.emplace_back(day, grown);
    left -= static_cast<std::int64_t>(grown);
    for (auto& [of, bytes] : present) {
      if ((of + 1) * kDay + content_us > day * kDay) continue;
      left += static_cast<std::int64_t>(bytes);
      bytes = 0;
    }
    if (left < 0) return base::WallTime{day * kDay};
  }
  return std::nullopt;
}

}  // namespace kiln::engine
