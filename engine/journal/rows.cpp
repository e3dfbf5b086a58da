#include "engine/journal/rows.h"

#include <cstring>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/journal/body_parts.h"
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

std::uint32_t output_crc(const Output& output, std::string_view options) {
  return base::crc32c(output.body, base::crc32c(options, base::crc32c(output.control_id)));
}

std::int64_t MessageRow::sum() const {
  RowSum out;
  out.add(static_cast<std::int64_t>(id)).add(received_us).add(channel).add(kind).add(type).add(control_id).add(peer);
  out.add(name).add(action).add(dedupe).add(crc).add(key).add(config_hash).add(parent).add(replay_of).add(framing_fault);
  return out.add(size).add(parts).add(head).value();
}

std::int64_t OutboxRow::sum() const {
  RowSum out;
  out.add(dest).add(static_cast<std::int64_t>(id)).add(kind).add(is_source).add(control_id).add(options).add(crc);
  return out.add(packed).add(order_key).add(slot).add(key).value();
}

std::int64_t OutputRow::sum() const {
  return RowSum().add(id).add(dest).add(kind).add(control_id).add(crc).add(form).add(key).add(parts).value();
}

std::int64_t DeliveryRow::sum() const {
  RowSum out;
  out.add(static_cast<std::int64_t>(id)).add(dest).add(state).add(attempts).add(in_doubt).add(code).add(detail);
  return out.add(sent_hash).add(reply).add(updated_us).add(key).value();
}

std::int64_t AttemptRow::sum() const {
  RowSum out;
  out.add(static_cast<std::int64_t>(id)).add(dest).add(n).add(at_us).add(took_us).add(in_doubt).add(code).add(detail);
  return out.add(reply).add(key).value();
}

Result<std::string> open_text(RowSource file, std::int64_t key, const std::string& row, std::string_view stored) {
  if (key == 0 || stored.empty()) return std::string(stored);
  return open_sealed(file, key, row, stored);
}

std::int64_t NoteRow::sum() const {
  RowSum out;
  out.add(static_cast<std::int64_t>(id)).add(dest).add(resolution).add(owner).add(note).add(reason).add(by);
  return out.add(changed_us).add(released_as).add(key).value();
}

std::int64_t JobRow::sum() const {
  return RowSum().add(id).add(kind).add(spec).add(total).add(requester).add(reason).add(detail).add(created_us).add(key).value();
}

std::int64_t HoldRow::sum() const {
  return RowSum().add(subject).add(state).add(by).add(reason).add(since_us).value();
}

std::int64_t LinkRow::sum() const {
  return RowSum().add(id).add(name).add(verdict).add(reply).add(last).add(resync).add(frozen).value();
}

std::int64_t OriginRow::sum() const {
  return RowSum().add(id).add(edited_from).add(job).value();
}

std::int64_t UnframedRow::sum() const {
  RowSum out;
  out.add(id).add(received_us).add(channel).add(kind).add(peer).add(name).add(detail).add(bytes).add(key).add(head);
  return out.value();
}

bool row_fits(const base::Statement& select, int column, std::int64_t sum) {
  return select.is_null(column) || select.integer(column) == sum;
}

Result<std::string> open_column(RowSource file, std::int64_t key, bool is_blob, const std::string& row, std::string_view stored) {
  return open_text(file, is_blob ? key : 0, row, stored);
}

static tl::unexpected<base::Error> corrupt(std::string what, MessageId id) {
  return base::fail(base::ErrorCode::corrupt_record, std::move(what), "message " + std::to_string(id));
}

Result<bool> has_table(base::Database& database, std::string_view name) {
  TRY(auto exists, database.cached("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name=?)"));
  TRY_VOID(exists.bind(1, name).step());
  const bool found = exists.integer(0) != 0;
  exists.reset();
  return found;
}

Result<bool> has_table(RowSource file, std::string_view name) {
  if (file.keys.is_whole()) return true;
  return has_table(file.database, name);
}

/// What the protocol of a numbered link decided about the message.
static Status read_link_step(RowSource file, MessageId id, std::optional<LinkStep>& out) {
  TRY(const bool has_links, has_table(file, "link"));
  if (!has_links) return {};
  TRY(auto select,
      file.database.cached("SELECT name, verdict, reply, last, resync, frozen, sum FROM link WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return {};
  const LinkRow row{static_cast<std::int64_t>(id), select.integer(1), select.integer(3), select.integer(4), select.integer(5),
                    select.text(0), select.text(2)};
  if (!row_fits(select, 6, row.sum())) return corrupt("its place in a numbered link", id);
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
static Result<std::string> read_lookups(RowSource file, MessageId id) {
  TRY(const bool has_lookups, has_table(file, "lookup"));
  if (!has_lookups) return std::string();
  TRY(auto select, file.database.cached("SELECT crc, key_id, answers FROM lookup WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (!found) return std::string();
  const auto crc = static_cast<std::uint32_t>(select.integer(0));
  const std::int64_t key = select.integer(1);
  std::string answers(select.blob(2));
  select.reset();
  if (sealed_crc(answers, key) != crc) return corrupt("the recorded lookups", id);
  return open_text(file, key, row_name("lookup", id), answers);
}

Result<MessageId> read_same_id(RowSource file, MessageId id) {
  TRY(const bool has_rows, has_table(file, "same_id"));
  if (!has_rows) return MessageId{0};
  TRY(auto select, file.database.cached("SELECT earlier FROM same_id WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  const MessageId earlier = found ? static_cast<MessageId>(select.integer(0)) : 0;
  select.reset();
  return earlier;
}

Status read_origin(RowSource file, MessageId id, MessageId& edited_from, JobId& job) {
  TRY(const bool has_rows, has_table(file, "origin"));
  if (!has_rows) return {};
  TRY(auto select, file.database.cached("SELECT edited_from, job, sum FROM origin WHERE msg_id=?"));
  TRY(const bool found, select.bind(1, static_cast<std::int64_t>(id)).step());
  if (found) {
    const OriginRow row{static_cast<std::int64_t>(id), select.integer(0), select.integer(1)};
    if (!row_fits(select, 2, row.sum())) return corrupt("where it comes from", id);
    edited_from = static_cast<MessageId>(select.integer(0));
    job = static_cast<JobId>(select.integer(1));
  }
  select.reset();
  return {};
}

/// The texts that stand in the columns of a message in the clear, or together in `head`.
static Status open_head(RowSource file, const MessageRow& row, std::string_view head, NewMessage& m) {
  if (row.key == 0) return {};
  TRY(const std::string texts, open_sealed(file, row.key, row_name("msg head", row.id, m.channel), head));
  std::string_view rest = texts, control_id, name;
  if (!take_text(rest, control_id) || !take_text(rest, name)) return corrupt({}, row.id);
  m.control_id = control_id;
  m.name = name;
  return {};
}

static Result<std::string> open_body(RowSource file, const MessageRow& row, const std::string& parts, std::string stored,
                                     const std::string& channel) {
  base::Status locked;
  if (row.key != 0) {
    auto opened = open_sealed(file, row.key, row_name("msg", row.id, channel), stored);
    if (opened)
      stored = std::move(*opened);
    else if (opened.error().code == base::ErrorCode::journal_key)
      locked = base::fail(opened.error());
    else
      return base::fail(opened.error());
  }
  if (!parts.empty()) {  // also without the key: the checksums of the parts are looked at
    auto joined = join_parts(file, parts, stored);
    if (!joined && (locked || joined.error().code != base::ErrorCode::journal_key)) return base::fail(joined.error());
    if (joined) stored = std::move(*joined);
  }
  if (!locked) return base::fail(locked.error());
  return stored;
}

static Status read_beside(RowSource file, MessageId id, NewMessage& m) {
  TRY(m.lookups, read_lookups(file, id));
  TRY(m.same_id_as, read_same_id(file, id));
  TRY_VOID(read_link_step(file, id, m.step));
  // Where it comes from changes nothing of what becomes of it: damage there is for the checks to tell.
  const Status origin = read_origin(file, id, m.edited_from, m.job);
  return origin || origin.error().code == base::ErrorCode::corrupt_record ? Status{} : origin;
}

Result<StoredMessage> read_stored_message(RowSource file, MessageId id) {
  TRY(auto select,
      file.database.cached(
          "SELECT m.received_us, m.channel, m.kind, m.type, m.control_id, m.peer, m.name, m.action,"
          " m.dedupe, m.crc, c.hash, m.parent, m.replay_of, m.framing_fault, m.key_id, m.size, m.sum, m.parts, m.head, m.body"
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
  m.config_hash = select.text(10);
  m.parent = static_cast<MessageId>(select.integer(11));
  m.replay_of = static_cast<MessageId>(select.integer(12));
  m.framing_fault = select.integer(13) != 0;
  std::string stored(select.blob(19));
  const std::string parts(select.text(17)), head(select.blob(18));
  MessageRow row{id, select.integer(0), select.integer(2), select.integer(9), select.integer(14), select.integer(11),
                 select.integer(12), select.integer(13), select.integer(15), m.channel, m.type, m.control_id, m.peer, m.name,
                 m.action, select.blob(8), m.config_hash, parts, head};
  const bool intact = row_fits(select, 16, row.sum()) && base::crc32c(stored) == static_cast<std::uint32_t>(row.crc);
  row.dedupe = {};
  select.reset();
  if (!intact) return corrupt({}, id);
  TRY(m.body, open_body(file, row, parts, std::move(stored), m.channel));
  TRY_VOID(open_head(file, row, head, m));
  TRY_VOID(read_beside(file, id, m));
  return out;
}

}  // namespace kiln::engine
