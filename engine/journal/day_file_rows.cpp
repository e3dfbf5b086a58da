// What a journal file takes: messages, outputs, how they ended. Texts of patients are sealed here when the file has a key
// (security.md §7), and every row gets its checksums.

#include <cstring>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/packing.h"
#include "engine/base/text.h"
#include "engine/journal/body_parts.h"
#include "engine/journal/day_file.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::Result;
using base::Status;

namespace {

std::uint64_t key_head(const DedupeKey& key) {
  std::uint64_t head;
  std::memcpy(&head, key.data(), sizeof head);
  return head;
}

std::string_view view(const DedupeKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

void bind_number(base::Statement& statement, int index, MessageId id) {
  if (id != 0)
    statement.bind(index, static_cast<std::int64_t>(id));
  else
    statement.bind_null(index);
}

void bind_bytes(base::Statement& statement, int index, std::string_view bytes) {
  if (bytes.empty())
    statement.bind_null(index);
  else
    statement.bind_blob(index, bytes);
}

}  // namespace

Result<std::string> DayFile::sealed(const std::string& row, std::string text) {
  if (!seals() || text.empty()) return text;
  return secrets_.seal(row, text);
}

/// A column of texts, which is a BLOB where it is sealed.
base::Statement& DayFile::bind_column(base::Statement& statement, int index, std::string_view stored) const {
  return seals() && !stored.empty() ? statement.bind_blob(index, stored) : statement.bind(index, stored);
}

Result<std::pair<std::string, std::string>> DayFile::keep_body(const std::string& body, channels::ContentKind kind) {
  std::vector<BodyPart> parts = find_parts(body, kind, attachment_min_);
  for (BodyPart& part : parts) {
    TRY(part.attachment, keep_attachment(rows(), std::string_view(body).substr(part.offset, part.length)));
  }
  return std::pair(print_parts(parts), without_parts(body, parts));
}

Status DayFile::insert_message(MessageId id, const NewMessage& m, bool processed) {
  TRY_VOID(base::failpoint("journal.message.before"));
  std::string parts, rest, sealed_body, head, token;
  std::string_view body = m.body;
  if (attachment_min_ != 0 && body.size() >= attachment_min_) {
    TRY(auto kept, keep_body(m.body, m.kind));
    parts = std::move(kept.first);
    rest = std::move(kept.second);
    body = rest;
  }
  if (seals()) {
    TRY(sealed_body, secrets_.seal(row_name("msg", id, m.channel), body));
    body = sealed_body;
    TRY(head, secrets_.seal(row_name("msg head", id, m.channel), join_texts({m.control_id, m.name})));
    token = secrets_.control_token(m.control_id);
  }
  const bool has_key = m.dedupe != DedupeKey{};
  const MessageRow row{id, m.received.micros, static_cast<std::int64_t>(m.kind), base::crc32c(body), secrets_.writing(),
                       static_cast<std::int64_t>(m.parent), static_cast<std::int64_t>(m.replay_of), m.framing_fault,
                       static_cast<std::int64_t>(m.body.size()), m.channel, m.type, seals() ? std::string_view(token) : m.control_id,
                       m.peer, seals() ? std::string_view() : m.name, m.action, has_key ? view(m.dedupe) : std::string_view(),
                       m.config_hash, parts, head};
  TRY(auto insert, database_.cached(
                       "INSERT INTO msg(id, received_us, channel, kind, type, control_id, peer, name, action, dedupe, crc, key_id,"
                       " config, parent, replay_of, framing_fault, size, sum, parts, head, body)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,(SELECT id FROM config WHERE hash=?),?,?,?,?,?,?,?,?)"));
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, row.received_us).bind(3, row.channel).bind(4, row.kind);
  insert.bind(5, row.type).bind(6, row.control_id).bind(7, row.peer).bind(8, row.name).bind(9, row.action);
  bind_bytes(insert, 10, row.dedupe);
  insert.bind(11, row.crc).bind(12, row.key).bind(13, row.config_hash);
  bind_number(insert, 14, m.parent);
  bind_number(insert, 15, m.replay_of);
  insert.bind(16, row.framing_fault).bind(17, row.size).bind(18, row.sum()).bind(19, row.parts);
  bind_bytes(insert, 20, row.head);
  TRY_VOID(insert.bind_blob(21, body).run());
  TRY_VOID(base::failpoint("journal.message.after"));
  changes_.opened.push_back(id);
  if (processed) changes_.settled.push_back(id);
  if (has_key) changes_.keys.emplace_back(id, key_head(m.dedupe));
  if (m.fragment) TRY_VOID(insert_fragment(id, m.channel));
  if (m.edited_from != 0 || m.job != 0) TRY_VOID(insert_origin(id, m));
  return m.step ? insert_link_step(id, *m.step) : Status{};
}

Status DayFile::insert_output(MessageId id, const std::string& channel, const Output& output, std::size_t slot) {
  if (slot >= static_cast<std::size_t>(kOutputSlots))
    return base::fail(base::ErrorCode::limit_exceeded, "a message has more outputs than the journal keeps",
                      "message " + std::to_string(id));
  TRY(auto insert,
      database_.cached(
          "INSERT INTO outbox(dest, msg_id, attempts, in_doubt, kind, is_source, control_id, options,"
          " crc, packed, body, okey, slot, key_id, sum) VALUES(?,?,0,0,?,?,?,?,?,?,x'',?,?,?,?)"));
  const std::string key = destination_key(channel, output.destination);
  std::string options = print_options(output);
  std::int64_t crc = output_crc(output, options);
  std::string_view control_id = output.control_id, order_key = output.order_key;
  if (seals()) {
    TRY(options, secrets_.seal(row_name("outbox", id, key), join_texts({control_id, order_key}) + options));
    crc = base::crc32c(options);
    control_id = order_key = {};
  }
  const OutboxRow row{key, id, static_cast<std::int64_t>(output.kind), output.is_source, crc,
                      output.is_source ? kBodyPlain : kBodyElsewhere, static_cast<std::int64_t>(slot), secrets_.writing(),
                      control_id, options, order_key};
  insert.bind(1, row.dest).bind(2, static_cast<std::int64_t>(id)).bind(3, row.kind).bind(4, row.is_source).bind(5, row.control_id);
  if (seals())
    insert.bind_blob(6, row.options);
  else
    insert.bind(6, row.options);
  insert.bind(7, row.crc).bind(8, row.packed);
  TRY_VOID(base::failpoint("journal.output.before"));
  TRY_VOID(insert.bind(9, row.order_key).bind(10, row.slot).bind(11, row.key).bind(12, row.sum()).run());
  ++changes_.waiting[key];
  if (!output.is_source) TRY_VOID(insert_body(id, key, output, slot));
  return base::failpoint("journal.output.after");
}

/// What was made for a destination. It stays where it is when the outbox row goes.
Status DayFile::insert_body(MessageId id, const std::string& key, const Output& output, std::size_t slot) {
  const std::int64_t number = static_cast<std::int64_t>(id) * kOutputSlots + static_cast<std::int64_t>(slot);
  std::string parts, rest, packed, closed;
  std::string_view stored = output.body, control_id = output.control_id;
  if (attachment_min_ != 0 && stored.size() >= attachment_min_) {
    TRY(auto kept, keep_body(output.body, output.kind));
    parts = std::move(kept.first);
    rest = std::move(kept.second);
    stored = rest;
  }
  const bool packs = stored.size() >= base::limits::kPackedBytesMin;
  if (packs) stored = packed = base::pack(stored);
  if (seals()) {
    TRY(closed, secrets_.seal(row_name("output", static_cast<std::uint64_t>(number), key),
                           join_texts({control_id}).append(stored)));
    stored = closed;
    control_id = {};
  }
  const OutputRow row{number, static_cast<std::int64_t>(output.kind), base::crc32c(stored), packs ? kBodyPacked : kBodyPlain,
                      secrets_.writing(), key, control_id, parts};
  TRY(auto insert, database_.cached("INSERT INTO output(id, dest, kind, control_id, crc, form, key_id, sum, parts, body)"
                                    " VALUES(?,?,?,?,?,?,?,?,?,?)"));
  insert.bind(1, row.id).bind(2, row.dest).bind(3, row.kind).bind(4, row.control_id).bind(5, row.crc).bind(6, row.form);
  return insert.bind(7, row.key).bind(8, row.sum()).bind(9, row.parts).bind_blob(10, stored).run();
}

Status DayFile::insert_ending(MessageId id, const std::string& channel, const Ending& e, base::WallTime at) {
  TRY_VOID(base::failpoint(e.state == DeliveryState::quarantined ? "journal.quarantine" : "journal.ending"));
  TRY(auto insert,
      database_.cached(
          "INSERT OR REPLACE INTO delivery(msg_id, dest, state, attempts, in_doubt, code, detail,"
          " sent_hash, reply, updated_us, key_id, sum) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"));
  const std::string key =
      e.destination == kNoDestination ? e.destination : destination_key(channel, e.destination);
  TRY(const std::string detail, sealed(row_name("delivery detail", id, key), e.detail));
  TRY(const std::string sent_hash, sealed(row_name("delivery hash", id, key), e.sent_hash));
  TRY(const std::string reply, sealed(row_name("delivery", id, key), e.reply));
  const DeliveryRow row{id, key, static_cast<std::int64_t>(e.state), std::int64_t{e.attempts}, std::int64_t{e.in_doubt},
                        at.micros, secrets_.writing(), e.code, detail, sent_hash, reply};
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, row.dest).bind(3, row.state).bind(4, row.attempts).bind(5, row.in_doubt);
  bind_column(insert.bind(6, row.code), 7, row.detail);
  bind_bytes(insert, 8, row.sent_hash);
  bind_bytes(insert, 9, row.reply);
  return insert.bind(10, row.updated_us).bind(11, row.key).bind(12, row.sum()).run();
}

Status DayFile::insert_lookups(MessageId id, const std::string& answers) {
  if (answers.empty()) return {};
  TRY(const std::string stored, sealed(row_name("lookup", id), answers));
  TRY(auto insert, database_.cached("INSERT OR REPLACE INTO lookup(msg_id, crc, key_id, answers) VALUES(?,?,?,?)"));
  insert.bind(1, static_cast<std::int64_t>(id)).bind(2, std::int64_t{sealed_crc(stored, secrets_.writing())}).bind(3, secrets_.writing());
  if (seals())
    insert.bind_blob(4, stored);
  else
    insert.bind(4, std::string_view(stored));
  return insert.run();
}

Status DayFile::insert_unframed(const std::string& channel, const channels::Unframed& what) {
  std::int64_t id = 0;
  {
    TRY(auto last, database_.cached("SELECT ifnull(max(id), 0) + 1 FROM unframed"));
    TRY_VOID(last.step());
    id = last.integer(0);
    last.reset();
  }
  const auto number = static_cast<std::uint64_t>(id);
  TRY(const std::string head, sealed(row_name("unframed", number, channel), what.head));
  TRY(const std::string name, sealed(row_name("unframed name", number, channel), what.name));
  const UnframedRow row{id, what.received_at.micros, static_cast<std::int64_t>(what.bytes), secrets_.writing(), channel,
                        channels::name_of(what.kind), what.peer, name, what.detail, head};
  TRY(auto insert,
      database_.cached("INSERT INTO unframed(id, received_us, channel, kind, peer, name, detail, bytes, key_id, sum, head)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?)"));
  insert.bind(1, id).bind(2, row.received_us).bind(3, row.channel).bind(4, row.kind).bind(5, row.peer);
  bind_column(insert, 6, row.name).bind(7, row.detail).bind(8, row.bytes).bind(9, row.key).bind(10, row.sum());
  return insert.bind_blob(11, row.head).run();
}

}  // namespace kiln::engine
