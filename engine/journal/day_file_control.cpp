// What a journal file keeps beside messages and outcomes (records.h), and how a file of an older format gets the tables
// for it.

#include <algorithm>

#include "engine/base/failpoint.h"
#include "engine/journal/day_file.h"
#include "engine/journal/journal_files.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"
#include "engine/journal/schema_history.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::Result;
using base::Status;

/// To the present format, whole or not at all: an interrupted one is begun again by the next start (reliability.md R16).
Status DayFile::migrate() {
  TRY_VOID(database_.begin());
  Status done = raise_format(database_, format_found_);
  if (done) done = database_.commit();
  if (!done) database_.rollback();
  return done;
}

Status DayFile::insert_origin(MessageId id, const NewMessage& m) {
  TRY(auto insert, database_.cached("INSERT INTO origin(msg_id, edited_from, job) VALUES(?,?,?)"));
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, static_cast<std::int64_t>(m.edited_from));
  return insert.bind(3, static_cast<std::int64_t>(m.job)).run();
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
  std::string reply = attempt.reply.substr(0, limits::kAttemptReplyMax);
  if (!reply.empty()) {
    TRY(reply, sealed(row_name("attempt", id, key, attempt.number), std::move(reply)));
  }
  const AttemptRow row{id, key, std::int64_t{attempt.number}, attempt.at.micros, attempt.took_us, std::int64_t{attempt.in_doubt},
                       secrets_.writing(), attempt.code, attempt.detail, reply};
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, row.dest).bind(3, row.n).bind(4, row.at_us).bind(5, row.took_us);
  insert.bind(6, row.in_doubt).bind(7, row.code).bind(8, row.detail);
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
  TRY(auto insert, database_.prepare("INSERT OR REPLACE INTO hold(subject, state, set_by, reason, since_us)"
                                     " VALUES(?,?,?,?,?)"));
  insert.bind(1, std::string_view(hold.subject)).bind(2, static_cast<std::int64_t>(hold.state));
  return insert.bind(3, std::string_view(hold.by)).bind(4, std::string_view(hold.reason)).bind(5, hold.since.micros).run();
}

Result<std::vector<Hold>> DayFile::holds() {
  TRY(auto select, database_.prepare("SELECT subject, state, set_by, reason, since_us FROM hold ORDER BY subject"));
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
                                     " changed_by, changed_us, released_as, key_id) VALUES(?,?,?,?,?,?,?,?,?,?)"));
  // Free text of people: it may name a patient.
  std::string text = note.note;
  if (seals()) {
    TRY(text, secrets_.seal(row_name("quarantine", id, destination), join_texts({note.note, note.reason})));
  }
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination));
  insert.bind(3, static_cast<std::int64_t>(note.resolution)).bind(4, std::string_view(note.owner));
  if (seals())
    insert.bind_blob(5, text).bind(6, "");
  else
    insert.bind(5, std::string_view(text)).bind(6, std::string_view(note.reason));
  insert.bind(7, std::string_view(note.by)).bind(8, note.changed.micros);
  return insert.bind(9, static_cast<std::int64_t>(note.released_as)).bind(10, secrets_.writing()).run();
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
          " created_us, changed_us, key_id) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
          " spec=excluded.spec, key_id=excluded.key_id, state=excluded.state, position=max(position, excluded.position), total=excluded.total,"
          " done=max(done, excluded.done), skipped=excluded.skipped, reason=excluded.reason, detail=excluded.detail,"
          " changed_us=excluded.changed_us"));
  TRY(const std::string spec, sealed(row_name("job", job.id), job.spec));  // a query names patients
  insert.bind(1, static_cast<std::int64_t>(job.id)).bind(2, std::string_view(job.kind));
  if (seals())
    insert.bind_blob(3, spec);
  else
    insert.bind(3, std::string_view(spec));
  insert.bind(4, static_cast<std::int64_t>(job.state)).bind(5, static_cast<std::int64_t>(job.position));
  insert.bind(6, static_cast<std::int64_t>(job.total)).bind(7, static_cast<std::int64_t>(job.done));
  insert.bind(8, static_cast<std::int64_t>(job.skipped)).bind(9, std::string_view(job.requester));
  insert.bind(10, std::string_view(job.reason)).bind(11, std::string_view(job.detail));
  return insert.bind(12, job.created.micros).bind(13, job.changed.micros).bind(14, secrets_.writing()).run();
}

Status DayFile::move_job(JobId id, MessageId position, base::WallTime at) {
  TRY_VOID(base::failpoint("journal.job"));
  TRY(auto update, database_.cached("UPDATE job SET position=max(position, ?), done=done+1, changed_us=? WHERE id=?"));
  update.bind(1, static_cast<std::int64_t>(position)).bind(2, at.micros);
  return update.bind(3, static_cast<std::int64_t>(id)).run();
}

Status DayFile::jobs(std::size_t limit, std::vector<JobRecord>& out) {
  TRY(auto select, database_.prepare("SELECT id, kind, spec, state, position, total, done, skipped, requester, reason,"
                                     " detail, created_us, changed_us, key_id FROM job ORDER BY id DESC"));
  while (out.size() < limit) {
    TRY(const bool row, select.step());
    if (!row) return {};
    const auto id = static_cast<JobId>(select.integer(0));
    if (std::any_of(out.begin(), out.end(), [&](const JobRecord& job) { return job.id == id; })) continue;
    TRY(std::string spec, open_text(rows(), select.integer(13), row_name("job", id), select.blob(2)));
    JobRecord& job = out.emplace_back();
    job.id = id;
    job.kind = select.text(1);
    job.spec = std::move(spec);
    job.state = static_cast<JobState>(select.integer(3));
    job.position = static_cast<MessageId>(select.integer(4));
    job.total = static_cast<std::uint64_t>(select.integer(5));
    job.done = static_cast<std::uint64_t>(select.integer(6));
    job.skipped = static_cast<std::uint64_t>(select.integer(7));
    job.requester = select.text(8);
    job.reason = select.text(9);
    job.detail = select.text(10);
    job.created = {select.integer(11)};
    job.changed = {select.integer(12)};
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
  TRY(const bool has_fragments, has_table(database_, "fragment"));
  if (has_fragments) {
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
