// Rows of outputs, of how they ended, and what is noted beside them, as values.

#include <algorithm>
#include <cstring>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/packing.h"
#include "engine/base/text.h"
#include "engine/journal/body_parts.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t kHashBytes = 32;  ///< of a SHA-256 in the clear; a sealed one is longer

tl::unexpected<base::Error> corrupt(std::string what, MessageId id) {
  return base::fail(ErrorCode::corrupt_record, std::move(what), "message " + std::to_string(id));
}

Result<std::string> unpack_body(std::int64_t form, std::string_view stored) {
  if ((form & kBodyPacked) == 0) return std::string(stored);
  return base::unpack(stored, base::limits::kOutputBytesMax);
}

/// csv header and rendered options, as print_options() made them.
Status parse_options(std::string_view text, Output& output) {
  if (text.empty()) return {};
  TRY(const base::JsonDocument document, base::parse_json(text));
  output.csv_header = document.root()["header"].text();
  for (const base::JsonView pair : document.root()["rendered"])
    output.rendered.emplace_back(pair.at(0).text(), pair.at(1).text());
  return {};
}

/// Columns of an `output` row from the given one on: id, dest, kind, control_id, crc, form, key_id, sum, parts, body.
constexpr const char* kOutputColumns = "o.id, o.dest, o.kind, o.control_id, o.crc, o.form, o.key_id, o.sum, o.parts, o.body";

/// What was made for a destination. Errors: corrupt_record; journal_key after every checksum was right.
Result<KeptOutput> take_output(RowSource file, const base::Statement& select, int first) {
  const auto column = [first](int n) { return first + n; };
  const std::string dest(select.text(column(1))), parts(select.text(column(8))), stored(select.blob(column(9)));
  KeptOutput out;
  out.kind = static_cast<channels::ContentKind>(select.integer(column(2)));
  out.control_id = select.text(column(3));
  const OutputRow row{select.integer(column(0)), select.integer(column(2)), select.integer(column(4)), select.integer(column(5)),
                      select.integer(column(6)), dest, out.control_id, parts};
  const auto id = static_cast<MessageId>(row.id / kOutputSlots);
  if (!row_fits(select, column(7), row.sum()) || base::crc32c(stored) != static_cast<std::uint32_t>(row.crc))
    return corrupt("what was made for " + dest, id);
  std::string_view packed = stored;
  std::string opened;
  if (row.key != 0) {
    auto text = open_sealed(file, row.key, row_name("output", static_cast<std::uint64_t>(row.id), dest), stored);
    if (!text && text.error().code == ErrorCode::journal_key && !parts.empty()) {
      const auto joined = join_parts(file, parts, {});  // the checksums of the parts
      if (!joined && joined.error().code == ErrorCode::corrupt_record) return base::fail(joined.error());
    }
    if (!text) return base::fail(text.error());
    opened = std::move(*text);
    packed = opened;
    std::string_view control_id;
    if (!take_text(packed, control_id)) return corrupt("what was made for " + dest, id);
    out.control_id = control_id;
  }
  auto body = unpack_body(row.form, packed);
  if (!body) return corrupt("what was made for " + dest, id);
  out.body = std::move(*body);
  if (!parts.empty()) {
    TRY(out.body, join_parts(file, parts, out.body));
  }
  return out;
}

/// Columns of select_pending().
enum PendingColumn : int { kId, kAttempts, kDoubt, kKind, kIsSource, kControlId, kOptions, kCrc, kPacked, kBody, kOrderKey, kSlot,
                           kKey, kSum, kReceived, kOutput };

/// A file of format 2 that only a reader has opened has neither keys nor a table of outputs.
Result<base::Statement> select_pending(RowSource file) {
  static const std::string present =
      std::string("SELECT w.msg_id, w.attempts, w.in_doubt, w.kind, w.is_source, w.control_id, w.options, w.crc, w.packed, w.body,"
                  " w.okey, w.slot, w.key_id, w.sum, (SELECT received_us FROM msg WHERE id=w.msg_id), ") +
      kOutputColumns +
      " FROM outbox w LEFT JOIN output o ON o.id = w.msg_id * 1024 + w.slot AND o.dest = w.dest"
      " WHERE w.dest=? AND w.msg_id>? ORDER BY w.msg_id";
  TRY(const bool has_outputs, has_table(file, "output"));
  if (has_outputs) return file.database.cached(present);
  return file.database.cached(
      "SELECT msg_id, attempts, in_doubt, kind, is_source, control_id, options, crc, packed, body, '', 0, 0, NULL,"
      " (SELECT received_us FROM msg WHERE id=msg_id), NULL FROM outbox WHERE dest=? AND msg_id>? ORDER BY msg_id");
}

/// The texts of an outbox row and its body. Errors: corrupt_record, journal_key.
Status take_pending(RowSource file, const base::Statement& select, const std::string& key, PendingOutput& entry) {
  Output& output = entry.output;
  const OutboxRow row{key, entry.id, select.integer(kKind), select.integer(kIsSource), select.integer(kCrc),
                      select.integer(kPacked), select.integer(kSlot), select.integer(kKey), select.text(kControlId),
                      select.blob(kOptions), select.text(kOrderKey)};
  const std::string what = "the output that waits for " + key;
  if (!row_fits(select, kSum, row.sum())) return corrupt(what, entry.id);
  std::string texts;
  std::string_view options = row.options;
  output.control_id = row.control_id;
  output.order_key = row.order_key;
  if (row.key != 0) {
    if (base::crc32c(row.options) != static_cast<std::uint32_t>(row.crc)) return corrupt(what, entry.id);
    auto opened = open_sealed(file, row.key, row_name("outbox", entry.id, key), row.options);
    if (!opened && row.packed == kBodyElsewhere && !select.is_null(kOutput)) TRY_VOID(take_output(file, select, kOutput));
    if (!opened) return base::fail(opened.error());
    texts = std::move(*opened);
    std::string_view rest = texts, control_id, order_key;
    if (!take_text(rest, control_id) || !take_text(rest, order_key)) return corrupt(what, entry.id);
    output.control_id = control_id;
    output.order_key = order_key;
    options = rest;
  }
  if (row.packed == kBodyElsewhere) {
    if (select.is_null(kOutput)) return corrupt(what, entry.id);
    TRY(KeptOutput made, take_output(file, select, kOutput));
    output.body = std::move(made.body);
  } else {
    auto body = unpack_body(row.packed, select.blob(kBody));
    if (!body) return corrupt(what, entry.id);
    output.body = std::move(*body);
  }
  if (row.key == 0 && output_crc(output, options) != static_cast<std::uint32_t>(row.crc)) return corrupt(what, entry.id);
  if (output.is_source) {
    auto source = read_stored_message(file, entry.id);
    if (!source) return base::fail(source.error());
    output.body = std::move(source->message.body);
  }
  if (!parse_options(options, output)) return corrupt(what, entry.id);
  return {};
}

}  // namespace

Status read_pending_outputs(RowSource file, const std::string& key, MessageId after, std::size_t limit, std::size_t bytes_max,
                            std::vector<PendingOutput>& out, std::vector<MessageId>& corrupt) {
  TRY(auto select, select_pending(file));
  select.bind(1, std::string_view(key)).bind(2, static_cast<std::int64_t>(after));
  std::size_t bytes = 0;
  while (out.size() < limit && (bytes < bytes_max || out.empty())) {
    TRY(const bool row, select.step());
    if (!row) return {};
    PendingOutput entry;
    entry.id = static_cast<MessageId>(select.integer(kId));
    entry.attempts = static_cast<std::uint32_t>(select.integer(kAttempts));
    entry.in_doubt = select.integer(kDoubt) != 0;
    entry.received = {select.integer(kReceived)};
    entry.output.destination = key.substr(key.find('/') + 1);
    entry.output.kind = static_cast<channels::ContentKind>(select.integer(kKind));
    entry.output.is_source = select.integer(kIsSource) != 0;
    if (const Status taken = take_pending(file, select, key, entry); !taken) {
      if (taken.error().code == ErrorCode::journal_key) return taken;
      corrupt.push_back(entry.id);
      continue;
    }
    bytes += entry.output.body.size();
    out.push_back(std::move(entry));
  }
  select.reset();
  return {};
}

Result<std::optional<KeptOutput>> read_kept_output(RowSource file, MessageId id, const std::string& destination) {
  static const std::string sql = std::string("SELECT ") + kOutputColumns + " FROM output o WHERE o.id BETWEEN ? AND ? AND o.dest=?";
  TRY(const bool has_outputs, has_table(file, "output"));
  if (!has_outputs) return std::optional<KeptOutput>();
  TRY(auto select, file.database.cached(sql));
  const std::int64_t first = static_cast<std::int64_t>(id) * kOutputSlots;
  select.bind(1, first).bind(2, first + kOutputSlots - 1).bind(3, std::string_view(destination));
  TRY(const bool found, select.step());
  if (!found) return std::optional<KeptOutput>();
  auto out = take_output(file, select, 0);
  select.reset();
  if (!out) return base::fail(out.error());
  return std::optional<KeptOutput>(std::move(*out));
}

Result<Ending> take_delivery(RowSource file, MessageId id, const base::Statement& select) {
  Ending out;
  out.destination = select.text(0);
  out.state = static_cast<DeliveryState>(select.integer(1));
  out.attempts = static_cast<std::uint32_t>(select.integer(2));
  out.in_doubt = select.integer(3) != 0;
  out.code = select.text(4);
  const DeliveryRow row{id, out.destination, select.integer(1), select.integer(2), select.integer(3), select.integer(8),
                        select.integer(9), out.code, select.blob(5), select.blob(6), select.blob(7)};
  if (!row_fits(select, 10, row.sum())) return corrupt("how it ended at " + out.destination, id);
  TRY(out.detail, open_column(file, row.key, select.integer(11) != 0, row_name("delivery detail", id, out.destination), row.detail));
  TRY(out.sent_hash, open_column(file, row.key, row.sent_hash.size() > kHashBytes, row_name("delivery hash", id, out.destination),
                                 row.sent_hash));
  TRY(out.reply, open_text(file, row.reply.empty() ? 0 : row.key, row_name("delivery", id, out.destination), row.reply));
  return out;
}

Result<std::vector<Attempt>> read_attempts(RowSource file, MessageId id, const std::string& destination) {
  std::vector<Attempt> out;
  TRY(const bool has_attempts, has_table(file, "attempt"));
  if (!has_attempts) return out;
  TRY(auto select, file.database.cached("SELECT n, at_us, took_us, in_doubt, code, detail, reply, key_id, sum,"
                                        " typeof(detail)='blob' FROM attempt"
                                        " WHERE msg_id=? AND dest=? ORDER BY n"));
  select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination));
  for (;;) {
    TRY(const bool found, select.step());
    if (!found) return out;
    Attempt& attempt = out.emplace_back();
    attempt.number = static_cast<std::uint32_t>(select.integer(0));
    attempt.at = {select.integer(1)};
    attempt.took_us = select.integer(2);
    attempt.in_doubt = select.integer(3) != 0;
    attempt.code = select.text(4);
    const AttemptRow row{id, destination, select.integer(0), select.integer(1), select.integer(2), select.integer(3),
                         select.integer(7), attempt.code, select.blob(5), select.blob(6)};
    if (!row_fits(select, 8, row.sum())) return corrupt("an attempt to send it to " + destination, id);
    TRY(attempt.detail, open_column(file, row.key, select.integer(9) != 0,
                                    row_name("attempt detail", id, destination, attempt.number), row.detail));
    TRY(attempt.reply, open_text(file, row.reply.empty() ? 0 : row.key, row_name("attempt", id, destination, attempt.number),
                                 row.reply));
  }
}

Result<std::optional<QuarantineNote>> read_quarantine_row(RowSource file, MessageId id, const std::string& destination) {
  TRY(const bool has_notes, has_table(file, "quarantine"));
  if (!has_notes) return std::optional<QuarantineNote>();
  TRY(auto select, file.database.cached("SELECT resolution, owner, note, reason, changed_by, changed_us, released_as, key_id, sum"
                                        " FROM quarantine WHERE msg_id=? AND dest=?"));
  TRY(const bool found,
      select.bind(1, static_cast<std::int64_t>(id)).bind(2, std::string_view(destination)).step());
  if (!found) return std::optional<QuarantineNote>();
  const NoteRow row{id, destination, select.integer(0), select.integer(5), select.integer(6), select.integer(7), select.text(1),
                    select.blob(2), select.text(3), select.text(4)};
  if (!row_fits(select, 8, row.sum())) {
    select.reset();
    return corrupt("what was noted at " + destination, id);
  }
  QuarantineNote out;
  out.resolution = static_cast<Resolution>(select.integer(0));
  out.owner = select.text(1);
  auto note = open_text(file, select.integer(7), row_name("quarantine", id, destination), select.blob(2));
  out.reason = select.text(3);
  out.by = select.text(4);
  out.changed = {select.integer(5)};
  out.released_as = static_cast<MessageId>(select.integer(6));
  const bool sealed = select.integer(7) != 0;
  select.reset();
  if (!note) return base::fail(note.error());
  std::string_view rest = *note, text, reason;
  if (!sealed) {
    out.note = *note;
  } else if (take_text(rest, text) && take_text(rest, reason)) {
    out.note = text;
    out.reason = reason;
  }
  return std::optional<QuarantineNote>(std::move(out));
}

}  // namespace kiln::engine
