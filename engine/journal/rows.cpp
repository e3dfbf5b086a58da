#include "engine/journal/rows.h"

#include <cstring>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/packing.h"
#include "engine/base/text.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::Result;
using base::Status;

/// csv header and rendered options travel as one small JSON text; empty when there are none.
std::string print_options(const Output& output) {
  if (output.csv_header.empty() && output.rendered.empty()) return {};
  base::JsonWriter json;
  json.begin_object().member("header", output.csv_header);
  json.key("rendered").begin_array();
  for (const auto& [name, value] : output.rendered) json.begin_array().string(name).string(value).end_array();
  json.end_array().end_object();
  return json.take();
}

static Status parse_options(std::string_view text, Output& output) {
  if (text.empty()) return {};
  TRY(const base::JsonDocument document, base::parse_json(text));
  output.csv_header = document.root()["header"].text();
  for (const base::JsonView pair : document.root()["rendered"])
    output.rendered.emplace_back(pair.at(0).text(), pair.at(1).text());
  return {};
}

std::uint32_t output_crc(const Output& output, std::string_view options) {
  return base::crc32c(output.body, base::crc32c(options, base::crc32c(output.control_id)));
}

Result<bool> has_table(base::Database& database, std::string_view name) {
  TRY(auto exists, database.cached("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name=?)"));
  TRY_VOID(exists.bind(1, name).step());
  const bool found = exists.integer(0) != 0;
  exists.reset();
  return found;
}

/// What the protocol of a numbered link decided about the message.
static Status read_link_step(base::Database& database, MessageId id, std::optional<LinkStep>& out) {
  TRY(const bool has_links, has_table(database, "link"));
  if (!has_links) return {};
  TRY(auto select,
      database.cached("SELECT name, verdict, reply, last, resync, frozen FROM link WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return {};
  LinkStep& step = out.emplace();
  step.link = select.text(0);
  step.decision.verdict = static_cast<hl7::SequenceVerdict>(select.integer(1));
  step.decision.reply = select.text(2);
  step.decision.next = {select.integer(3), select.integer(4) != 0, select.integer(5) != 0};
  step.decision.take = step.decision.verdict == hl7::SequenceVerdict::expected ||
                       step.decision.verdict == hl7::SequenceVerdict::unnumbered;
  step.decision.positive = step.decision.take || step.decision.verdict == hl7::SequenceVerdict::start ||
                           step.decision.verdict == hl7::SequenceVerdict::resync;
  select.reset();
  return {};
}

/// What was asked for the message; empty when nothing was, or when the file is older than lookups.
static Result<std::string> read_lookups(base::Database& database, MessageId id) {
  TRY(const bool has_lookups, has_table(database, "lookup"));
  if (!has_lookups) return std::string();
  TRY(auto select, database.cached("SELECT crc, answers FROM lookup WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return std::string();
  const auto crc = static_cast<std::uint32_t>(select.integer(0));
  std::string answers(select.text(1));
  select.reset();
  if (base::crc32c(answers) != crc)
    return base::fail(base::ErrorCode::corrupt_record, "the recorded lookups",
                      "message " + std::to_string(id));
  return answers;
}

Result<MessageId> read_same_id(base::Database& database, MessageId id) {
  TRY(const bool has_rows, has_table(database, "same_id"));
  if (!has_rows) return MessageId{0};
  TRY(auto select, database.cached("SELECT earlier FROM same_id WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  const MessageId earlier = found ? static_cast<MessageId>(select.integer(0)) : 0;
  select.reset();
  return earlier;
}

Status read_origin(base::Database& database, MessageId id, MessageId& edited_from, JobId& job) {
  TRY(const bool has_rows, has_table(database, "origin"));
  if (!has_rows) return {};
  TRY(auto select, database.cached("SELECT edited_from, job FROM origin WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (found) {
    edited_from = static_cast<MessageId>(select.integer(0));
    job = static_cast<JobId>(select.integer(1));
  }
  select.reset();
  return {};
}

Result<StoredMessage> read_stored_message(base::Database& database, MessageId id) {
  TRY(auto select,
      database.cached(
          "SELECT m.received_us, m.channel, m.kind, m.type, m.control_id, m.peer, m.name, m.action,"
          " m.dedupe, m.crc, c.hash, m.parent, m.replay_of, m.framing_fault, m.body"
          " FROM msg m LEFT JOIN config c ON c.id = m.config WHERE m.id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found)
    return base::fail(base::ErrorCode::message_not_found, "there is no message " + std::to_string(id));
  StoredMessage out;
  out.id = id;
  NewMessage& m = out.message;
  m.received = {select.integer(0)};
  m.channel = select.text(1);
  m.kind = static_cast<channels::ContentKind>(select.integer(2));
  m.type = select.text(3);
  m.control_id = select.text(4);
  m.peer = select.text(5);
  m.name = select.text(6);
  m.action = select.text(7);
  if (select.blob(8).size() == m.dedupe.size())
    std::memcpy(m.dedupe.data(), select.blob(8).data(), m.dedupe.size());
  const auto crc = static_cast<std::uint32_t>(select.integer(9));
  m.config_hash = select.text(10);
  m.parent = static_cast<MessageId>(select.integer(11));
  m.replay_of = static_cast<MessageId>(select.integer(12));
  m.framing_fault = select.integer(13) != 0;
  m.body = select.blob(14);
  select.reset();
  if (base::crc32c(m.body) != crc)
    return base::fail(base::ErrorCode::corrupt_record, {}, "message " + std::to_string(id));
  TRY(m.lookups, read_lookups(database, id));
  TRY(m.same_id_as, read_same_id(database, id));
  TRY_VOID(read_link_step(database, id, m.step));
  TRY_VOID(read_origin(database, id, m.edited_from, m.job));
  return out;
}

static bool take_body(std::int64_t form, std::string_view stored, std::string& body) {
  if ((form & kBodyPacked) == 0) {
    body = stored;
    return true;
  }
  auto unpacked = base::unpack(stored, base::limits::kOutputBytesMax);
  if (unpacked) body = std::move(*unpacked);
  return unpacked.has_value();
}

/// False when a body is damaged, or is not where it should be.
static bool read_body(const base::Statement& select, std::string& body) {
  if (select.integer(8) != kBodyElsewhere) return take_body(select.integer(8), select.blob(9), body);
  if (select.is_null(12)) return false;
  if (base::crc32c(select.blob(13)) != static_cast<std::uint32_t>(select.integer(11))) return false;
  return take_body(select.integer(12), select.blob(13), body);
}

/// A file of format 2 that only a reader has opened has neither keys nor a table of outputs.
static Result<base::Statement> select_pending(base::Database& database) {
  TRY(const bool has_outputs, has_table(database, "output"));
  return database.cached(
      has_outputs ? "SELECT w.msg_id, w.attempts, w.in_doubt, w.kind, w.is_source, w.control_id, w.options, w.crc,"
                    " w.packed, w.body, w.okey, o.crc, o.form, o.body,"
                    " (SELECT received_us FROM msg WHERE id=w.msg_id) FROM outbox w"
                    " LEFT JOIN output o ON o.id = w.msg_id * 1024 + w.slot AND o.dest = w.dest"
                    " WHERE w.dest=? AND w.msg_id>? ORDER BY w.msg_id"
                  : "SELECT msg_id, attempts, in_doubt, kind, is_source, control_id, options, crc, packed, body, '',"
                    " NULL, NULL, NULL, (SELECT received_us FROM msg WHERE id=msg_id) FROM outbox WHERE dest=? AND msg_id>? ORDER BY msg_id");
}

Status read_pending_outputs(base::Database& database, const std::string& key, MessageId after,
                            std::size_t limit, std::size_t bytes_max, std::vector<PendingOutput>& out,
                            std::vector<MessageId>& corrupt) {
  TRY(auto select, select_pending(database));
  select.bind(1, std::string_view(key)).bind(2, static_cast<std::int64_t>(after));
  std::size_t bytes = 0;
  while (out.size() < limit && (bytes < bytes_max || out.empty())) {
    TRY(const bool row, select.step());
    if (!row) return {};
    PendingOutput entry;
    entry.id = static_cast<MessageId>(select.integer(0));
    entry.attempts = static_cast<std::uint32_t>(select.integer(1));
    entry.in_doubt = select.integer(2) != 0;
    Output& output = entry.output;
    output.destination = key.substr(key.find('/') + 1);
    entry.received = {select.integer(14)};
    output.kind = static_cast<channels::ContentKind>(select.integer(3));
    output.is_source = select.integer(4) != 0;
    output.control_id = select.text(5);
    output.order_key = select.text(10);
    bool intact = read_body(select, output.body) &&
                  output_crc(output, select.text(6)) == static_cast<std::uint32_t>(select.integer(7));
    if (intact && output.is_source) {
      auto source = read_stored_message(database, entry.id);
      intact = source.has_value();
      if (intact) output.body = std::move(source->message.body);
    }
    if (!intact || !parse_options(select.text(6), output)) {
      corrupt.push_back(entry.id);
      continue;
    }
    bytes += output.body.size();
    out.push_back(std::move(entry));
  }
  select.reset();
  return {};
}

Result<std::optional<KeptOutput>> read_kept_output(base::Database& database, MessageId id,
                                                   const std::string& destination) {
  TRY(const bool has_outputs, has_table(database, "output"));
  if (!has_outputs) return std::optional<KeptOutput>();
  TRY(auto select, database.cached("SELECT kind, control_id, crc, form, body FROM output"
                                   " WHERE id BETWEEN ? AND ? AND dest=?"));
  const std::int64_t first = static_cast<std::int64_t>(id) * kOutputSlots;
  select.bind(1, first).bind(2, first + kOutputSlots - 1).bind(3, std::string_view(destination));
  TRY(const bool found, select.step());
  if (!found) return std::optional<KeptOutput>();
  KeptOutput out;
  out.kind = static_cast<channels::ContentKind>(select.integer(0));
  out.control_id = select.text(1);
  const bool intact = base::crc32c(select.blob(4)) == static_cast<std::uint32_t>(select.integer(2)) &&
                      take_body(select.integer(3), select.blob(4), out.body);
  select.reset();
  if (!intact)
    return base::fail(base::ErrorCode::corrupt_record, "what was made for " + destination,
                      "message " + std::to_string(id));
  return std::optional<KeptOutput>(std::move(out));
}

Result<std::vector<Attempt>> read_attempts(base::Database& database, MessageId id, const std::string& destination) {
  std::vector<Attempt> out;
  TRY(const bool has_attempts, has_table(database, "attempt"));
  if (!has_attempts) return out;
  TRY(auto select, database.cached("SELECT n, at_us, took_us, in_doubt, code, detail, reply FROM attempt"
                                   " WHERE msg_id=? AND dest=? ORDER BY n"));
  select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return out;
    Attempt& attempt = out.emplace_back();
    attempt.number = static_cast<std::uint32_t>(select.integer(0));
    attempt.at = {select.integer(1)};
    attempt.took_us = select.integer(2);
    attempt.in_doubt = select.integer(3) != 0;
    attempt.code = select.text(4);
    attempt.detail = select.text(5);
    attempt.reply = select.blob(6);
  }
}

Result<std::optional<QuarantineNote>> read_quarantine_row(base::Database& database, MessageId id,
                                                          const std::string& destination) {
  TRY(const bool has_notes, has_table(database, "quarantine"));
  if (!has_notes) return std::optional<QuarantineNote>();
  TRY(auto select, database.cached("SELECT resolution, owner, note, reason, changed_by, changed_us, released_as"
                                   " FROM quarantine WHERE msg_id=? AND dest=?"));
  TRY(const bool found,
      select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination)).step());
  if (!found) return std::optional<QuarantineNote>();
  QuarantineNote note;
  note.resolution = static_cast<Resolution>(select.integer(0));
  note.owner = select.text(1);
  note.note = select.text(2);
  note.reason = select.text(3);
  note.by = select.text(4);
  note.changed = {select.integer(5)};
  note.released_as = static_cast<MessageId>(select.integer(6));
  select.reset();
  return std::optional<QuarantineNote>(std::move(note));
}

}  // namespace kiln::engine
