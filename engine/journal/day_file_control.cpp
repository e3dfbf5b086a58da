// What a journal file keeps beside messages and outcomes (records.h), and how a file of an older format gets the tables
// for it.

#include <algorithm>

#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/journal/day_file.h"
#include "engine/journal/journal_files.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"
#include "engine/journal/schema_history.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::Result;
using base::Status;

void report_damaged(const std::vector<JobRecord>& jobs, const std::vector<Hold>& holds) {
  for (const JobRecord& job : jobs)
    if (job.damaged) base::log(base::LogLevel::error, "job-damaged", {{"job", static_cast<std::int64_t>(job.id)}});
  const auto damaged = std::count_if(holds.begin(), holds.end(), [](const Hold& hold) { return hold.damaged; });
  if (damaged > 0) base::log(base::LogLevel::error, "hold-damaged", {{"holds", std::int64_t{damaged}}});
}

/// To the present format, whole or not at all: an interrupted one is begun again by the next start (reliability.md R16).
Status DayFile::migrate() {
  TRY_VOID(database_.begin());
  Status done = raise_format(database_, format_found_);
  if (done) done = database_.commit();
  if (!done) database_.rollback();
  return done;
}

Status DayFile::insert_origin(MessageId id, const NewMessage& m) {
  TRY(auto insert, database_.cached("INSERT INTO origin(msg_id, edited_from, job, sum) VALUES(?,?,?,?)"));
  const OriginRow row{static_cast<std::int64_t>(id), static_cast<std::int64_t>(m.edited_from), static_cast<std::int64_t>(m.job)};
  return insert.bind(1, row.id).bind(2, row.edited_from).bind(3, row.job).bind(4, row.sum()).run();
}

/// An output that is tried for days keeps its first attempts and the newest.
Status DayFile::insert_attempt(MessageId id, const std::string& key, const Attempt& attempt) {
  if (attempt.number > limits::kAttemptsKept + 1) {
    TRY(auto forget, database_.cached("DELETE FROM attempt WHERE msg_id=? AND dest=? AND n>?"));
    forget.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(key));
    TRY_VOID(forget.bind(3, std::int64_t{limits::kAttemptsKept}).run());
  }
  TRY(auto insert, database_.cached("INSERT OR REPLACE INTO attempt(msg_id, dest, n, at_us, took_us, in_doubt, code,"
                                    " detail, reply, key_id, sum) VALUES(?,?,?,?,?,?,?,?,?,?,?)"));
  TRY(const std::string reply, sealed(row_name("attempt", id, key, attempt.number), attempt.reply.substr(0, limits::kAttemptReplyMax)));
  TRY(const std::string detail, sealed(row_name("attempt detail", id, key, attempt.number), attempt.detail));
  const AttemptRow row{id, key, std::int64_t{attempt.number}, attempt.at.micros, attempt.took_us, std::int64_t{attempt.in_doubt},
                       secrets_.writing(), attempt.code, detail, reply};
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, row.dest).bind(3, row.n).bind(4, row.at_us).bind(5, row.took_us);
  bind_column(insert.bind(6, row.in_doubt).bind(7, row.code), 8, row.detail);
  if (reply.empty())
    insert.bind_null(9);
  else
    insert.bind_blob(9, row.reply);
  return insert.bind(10, row.key).bind(11, row.sum()).run();
}

Status DayFile::set_hold(const Hold& hold) {
  TRY_VOID(base::failpoint("journal.hold"));
  if (hold.state == HoldState::running) {
    TRY(auto remove, database_.prepare("DELETE FROM hold WHERE subject=?"));
    return remove.bind(1, std::string_view(hold.subject)).run();
  }
  TRY(auto insert, database_.prepare("INSERT OR REPLACE INTO hold(subject, state, set_by, reason, since_us, sum)"
                                     " VALUES(?,?,?,?,?,?)"));
  const HoldRow row{hold.subject, hold.by, hold.reason, static_cast<std::int64_t>(hold.state), hold.since.micros};
  insert.bind(1, row.subject).bind(2, row.state).bind(3, row.by).bind(4, row.reason).bind(5, row.since_us);
  return insert.bind(6, row.sum()).run();
}

/// A damaged one holds on: whoever let go of it by mistake would send what somebody wanted to look at first.
Result<std::vector<Hold>> DayFile::holds() {
  TRY(auto select, database_.prepare("SELECT subject, state, set_by, reason, since_us, sum FROM hold ORDER BY subject"));
  std::vector<Hold> out;
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return out;
    Hold& hold = out.emplace_back();
    hold.subject = select.text(0);
    hold.state = static_cast<HoldState>(select.integer(1));
    hold.by = select.text(2);
    hold.reason = select.text(3);
    hold.since = {select.integer(4)};
    const HoldRow stored{hold.subject, hold.by, hold.reason, select.integer(1), hold.since.micros};
    hold.damaged = !row_fits(select, 5, stored.sum());
    if (hold.damaged && (hold.state < HoldState::paused || hold.state > HoldState::blocked)) hold.state = HoldState::paused;
  }
}

Result<bool> DayFile::has_message(MessageId id) {
  TRY(auto select, database_.cached("SELECT 1 FROM msg WHERE id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  select.reset();
  return found;
}

Status DayFile::note_quarantine(MessageId id, const std::string& destination, const QuarantineNote& note) {
  TRY_VOID(base::failpoint("journal.note"));
  TRY_VOID(resolve_ending(id, destination, note.resolution == Resolution::dropped));
  TRY(auto insert, database_.prepare("INSERT OR REPLACE INTO quarantine(msg_id, dest, resolution, owner, note, reason,"
                                     " changed_by, changed_us, released_as, key_id, sum) VALUES(?,?,?,?,?,?,?,?,?,?,?)"));
  // Free text of people: it may name a patient.
  std::string text = note.note;
  if (seals()) {
    TRY(text, secrets_.seal(row_name("quarantine", id, destination), join_texts({note.note, note.reason})));
  }
  const NoteRow row{id, destination, static_cast<std::int64_t>(note.resolution), note.changed.micros,
                    static_cast<std::int64_t>(note.released_as), secrets_.writing(), note.owner, text,
                    seals() ? std::string_view() : note.reason, note.by};
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, row.dest).bind(3, row.resolution).bind(4, row.owner);
  bind_column(insert, 5, row.note).bind(6, row.reason).bind(7, row.by).bind(8, row.changed_us);
  return insert.bind(9, row.released_as).bind(10, row.key).bind(11, row.sum()).run();
}

/// The ending of what was quarantined, with `dropped` as removed.
Status DayFile::resolve_ending(MessageId id, const std::string& destination, bool dropped) {
  TRY(auto select, database_.prepare("SELECT state, attempts, in_doubt, code, detail, sent_hash, reply, updated_us, key_id,"
                                     " sum FROM delivery WHERE msg_id=?1 AND dest=?2 AND (state=3 OR EXISTS(SELECT 1 FROM"
                                     " quarantine q WHERE q.msg_id=delivery.msg_id AND q.dest=delivery.dest))"));
  select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination));
  TRY(const bool found, select.step());
  if (!found)
    return base::fail(base::ErrorCode::message_not_found,
                      "message " + std::to_string(id) + " is not quarantined at " + destination);
  if (!dropped) return {};
  DeliveryRow row{id, destination, select.integer(0), select.integer(1), select.integer(2), select.integer(7), select.integer(8),
                  select.text(3), select.text(4), select.blob(5), select.blob(6)};
  // A damaged row stays known as one: its checksum is only made anew when it was right.
  const bool intact = select.is_null(9) || select.integer(9) == row.sum();
  row.state = static_cast<std::int64_t>(DeliveryState::removed);
  TRY(auto update, database_.prepare("UPDATE delivery SET state=?, sum=ifnull(?, sum) WHERE msg_id=? AND dest=?"));
  update.bind(1, row.state).bind(3, static_cast<std::int64_t>(id)).bind(4, std::string_view(destination));
  if (intact)
    update.bind(2, row.sum());
  else
    update.bind_null(2);
  return update.run();
}

Result<std::optional<QuarantineNote>> DayFile::quarantine_note(MessageId id, const std::string& destination) {
  return read_quarantine_row(rows(), id, destination);
}

Status DayFile::keep_job(const JobRecord& job) {
  TRY(auto insert, database_.prepare(
          "INSERT INTO job(id, kind, spec, state, position, total, done, skipped, requester, reason, detail,"
          " created_us, changed_us, key_id, sum) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
          " kind=excluded.kind, requester=excluded.requester, created_us=excluded.created_us, sum=excluded.sum,"
          " spec=excluded.spec, key_id=excluded.key_id, state=excluded.state, position=max(position, excluded.position), total=excluded.total,"
          " done=max(done, excluded.done), skipped=excluded.skipped, reason=excluded.reason, detail=excluded.detail,"
          " changed_us=excluded.changed_us"));
  // A query names patients, and so may what people write about it.
  TRY(const std::string spec, sealed(row_name("job", job.id), job.spec));
  TRY(const std::string reason, sealed(row_name("job reason", job.id), job.reason));
  TRY(const std::string detail, sealed(row_name("job detail", job.id), job.detail));
  const JobRow row{static_cast<std::int64_t>(job.id), static_cast<std::int64_t>(job.total), job.created.micros, secrets_.writing(),
                   job.kind, spec, job.requester, reason, detail};
  bind_column(insert.bind(1, row.id).bind(2, row.kind), 3, row.spec);
  insert.bind(4, static_cast<std::int64_t>(job.state)).bind(5, static_cast<std::int64_t>(job.position));
  insert.bind(6, row.total).bind(7, static_cast<std::int64_t>(job.done));
  insert.bind(8, static_cast<std::int64_t>(job.skipped)).bind(9, row.requester);
  bind_column(bind_column(insert, 10, row.reason), 11, row.detail);
  return insert.bind(12, row.created_us).bind(13, job.changed.micros).bind(14, row.key).bind(15, row.sum()).run();
}

Status DayFile::move_job(JobId id, MessageId position, base::WallTime at) {
  TRY_VOID(base::failpoint("journal.job"));
  TRY(auto update, database_.cached("UPDATE job SET position=max(position, ?), done=done+1, changed_us=? WHERE id=?"));
  update.bind(1, static_cast<std::int64_t>(position)).bind(2, at.micros);
  return update.bind(3, static_cast<std::int64_t>(id)).run();
}

/// The texts of the row that `select` is at, and its checksum.
static Status open_job(RowSource file, const base::Statement& select, JobRecord& job) {
  const JobRow row{select.integer(0), select.integer(5), select.integer(11), select.integer(13), job.kind, select.blob(2),
                   job.requester, select.blob(9), select.blob(10)};
  if (!row_fits(select, 14, row.sum())) return base::fail(base::ErrorCode::corrupt_record, "the job", "job " + std::to_string(job.id));
  TRY(job.spec, open_text(file, row.key, row_name("job", job.id), row.spec));
  TRY(job.reason, open_column(file, row.key, select.integer(15) != 0, row_name("job reason", job.id), row.reason));
  TRY(job.detail, open_column(file, row.key, select.integer(16) != 0, row_name("job detail", job.id), row.detail));
  return {};
}

Status DayFile::jobs(std::size_t limit, std::vector<JobRecord>& out) {
  TRY(auto select, database_.prepare("SELECT id, kind, spec, state, position, total, done, skipped, requester, reason,"
                                     " detail, created_us, changed_us, key_id, sum, typeof(reason)='blob', typeof(detail)='blob'"
                                     " FROM job ORDER BY id DESC"));
  while (out.size() < limit) {
    TRY(const bool row, select.step());
    if (!row) return {};
    const auto id = static_cast<JobId>(select.integer(0));
    if (std::any_of(out.begin(), out.end(), [&](const JobRecord& job) { return job.id == id; })) continue;
    JobRecord job;
    job.id = id;
    job.kind = select.text(1);
    job.state = static_cast<JobState>(select.integer(3));
    job.position = static_cast<MessageId>(select.integer(4));
    job.total = static_cast<std::uint64_t>(select.integer(5));
    job.done = static_cast<std::uint64_t>(select.integer(6));
    job.skipped = static_cast<std::uint64_t>(select.integer(7));
    job.requester = select.text(8);
    job.created = {select.integer(11)};
    job.changed = {select.integer(12)};
    const Status opened = open_job(rows(), select, job);
    if (!opened && opened.error().code != base::ErrorCode::corrupt_record) return opened;
    if (!opened) {
      job.damaged = true;
      job.state = JobState::failed;
      job.detail = "the record of the job is damaged";
    }
    out.push_back(std::move(job));
  }
  return {};
}

Result<JobId> DayFile::last_job() {
  TRY(auto select, database_.prepare("SELECT ifnull(max(id), 0) FROM job"));
  TRY_VOID(select.step());
  return static_cast<JobId>(select.integer(0));
}

Status DayFile::note_absent(const char* kind, MessageId first, MessageId last) {
  TRY(auto insert, database_.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)"));
  const std::string key = std::string(kind) + ":" + std::to_string(first), value = std::to_string(last);
  return insert.bind(1, std::string_view(key)).bind(2, std::string_view(value)).run();
}

Result<DayFile::Content> DayFile::content() {
  Content out;
  {
    TRY(auto select, database_.prepare(std::string("SELECT ifnull(min(id), 0), ifnull(max(id), 0), ") + kHoldsBack +
                                       " FROM msg"));
    TRY_VOID(select.step());
    out.first = static_cast<MessageId>(select.integer(0));
    out.last = static_cast<MessageId>(select.integer(1));
    out.holds_back = select.integer(2) != 0;
  }
  {
    TRY(auto select, database_.prepare("SELECT EXISTS(SELECT 1 FROM fragment)"));
    TRY_VOID(select.step());
    out.holds_back = out.holds_back || select.integer(0) != 0;
  }
  TRY(auto configs, database_.prepare("SELECT hash, text FROM config"));
  for (;;) {
    TRY(const bool row, configs.step());
    if (!row) return out;
    out.configs.emplace_back(std::string(configs.text(0)), std::string(configs.text(1)));
  }
}

Status DayFile::carry_from(DayFile& older) {
  {
    TRY(auto select, database_.prepare("SELECT 1 FROM meta WHERE key='carried'"));
    TRY(const bool found, select.step());
    if (found) return {};
  }
  TRY_VOID(base::failpoint("journal.carry"));
  TRY(const std::vector<Hold> holds, older.holds());
  TRY(const std::vector<AbsentRange> absent, read_absent_ranges(older.database_));
  std::vector<JobRecord> jobs;
  TRY_VOID(older.jobs(limits::kJobsKept, jobs));
  report_damaged(jobs, holds);
  TRY_VOID(begin());
  Status done;
  for (std::size_t i = 0; done && i < holds.size(); ++i) done = set_hold(holds[i]);
  for (std::size_t i = 0, ended = 0; done && i < jobs.size(); ++i) {
    const bool goes_on = jobs[i].state == JobState::running || jobs[i].state == JobState::paused;
    if (goes_on || ++ended <= limits::kEndedJobsKept) done = keep_job(jobs[i]);
  }
  for (std::size_t i = 0; done && i < absent.size(); ++i)
    done = note_absent(absent[i].removed ? "removed" : "skipped", absent[i].first, absent[i].last);
  if (done) done = database_.exec("INSERT INTO meta(key, value) VALUES('carried', '1')");
  if (done) done = commit();
  if (!done) rollback();
  return done;
}

}  // namespace kiln::engine
