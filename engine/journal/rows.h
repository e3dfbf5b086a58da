#pragma once
// Rows of a journal file as values; shared by the writing and the reading side. Any connection of the file
// will do.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/sql/sqlite.h"
#include "engine/journal/file_keys.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

/// Errors: message_not_found, corrupt_record; journal_key, when every checksum was right and the key is not there.
base::Result<StoredMessage> read_stored_message(RowSource file, MessageId id);

/// Pending outputs of one destination ("channel/destination") after a message, in order, appended to `out`
/// until it holds `limit` entries or `bytes_max` bytes (at least one). `corrupt` gets the ids whose checksum
/// is wrong. Errors: journal_key.
base::Status read_pending_outputs(RowSource file, const std::string& key, MessageId after,
                                  std::size_t limit, std::size_t bytes_max, std::vector<PendingOutput>& out,
                                  std::vector<MessageId>& corrupt);

/// What an operator noted beside a quarantined ending; `destination` as in the delivery rows. Nothing in a file that is
/// older than notes.
base::Result<std::optional<QuarantineNote>> read_quarantine_row(RowSource file, MessageId id,
                                                                const std::string& destination);

/// What was made for a destination ("channel/destination"), also after it was sent.
struct KeptOutput {
  channels::ContentKind kind = channels::ContentKind::hl7;
  std::string control_id;
  std::string body;
};
/// Nothing when it was not kept, was the message itself, or the file is older than that. Errors: corrupt_record, journal_key.
base::Result<std::optional<KeptOutput>> read_kept_output(RowSource file, MessageId id,
                                                         const std::string& destination);

/// Attempts before the one that ended the output, in order; `destination` as in the delivery rows. Errors: corrupt_record,
/// journal_key.
base::Result<std::vector<Attempt>> read_attempts(RowSource file, MessageId id, const std::string& destination);

/// csv header and rendered options of an output as one small JSON text; empty when there are none.
std::string print_options(const Output& output);
std::uint32_t output_crc(const Output& output, std::string_view options);

/// Columns of a `msg` row as they are stored; `body` is not among them.
struct MessageRow {
  MessageId id = 0;
  std::int64_t received_us = 0, kind = 0, crc = 0, key = 0, parent = 0, replay_of = 0, framing_fault = 0, size = 0;
  std::string_view channel, type, control_id, peer, name, action, dedupe, config_hash, parts, head;
  std::int64_t sum() const;
};
/// Of an `outbox` row what does not change while it waits.
struct OutboxRow {
  std::string_view dest;
  MessageId id = 0;
  std::int64_t kind = 0, is_source = 0, crc = 0, packed = 0, slot = 0, key = 0;
  std::string_view control_id, options, order_key;
  std::int64_t sum() const;
};
/// Of an `output` row.
struct OutputRow {
  std::int64_t id = 0, kind = 0, crc = 0, form = 0, key = 0;
  std::string_view dest, control_id, parts;
  std::int64_t sum() const;
};
/// A `delivery` row.
struct DeliveryRow {
  MessageId id = 0;
  std::string_view dest;
  std::int64_t state = 0, attempts = 0, in_doubt = 0, updated_us = 0, key = 0;
  std::string_view code, detail, sent_hash, reply;
  std::int64_t sum() const;
};
/// An `attempt` row.
struct AttemptRow {
  MessageId id = 0;
  std::string_view dest;
  std::int64_t n = 0, at_us = 0, took_us = 0, in_doubt = 0, key = 0;
  std::string_view code, detail, reply;
  std::int64_t sum() const;
};

/// A `quarantine` row.
struct NoteRow {
  MessageId id = 0;
  std::string_view dest;
  std::int64_t resolution = 0, changed_us = 0, released_as = 0, key = 0;
  std::string_view owner, note, reason, by;
  std::int64_t sum() const;
};
/// Of a `job` row what does not change while the job runs.
struct JobRow {
  std::int64_t id = 0, total = 0, created_us = 0, key = 0;
  std::string_view kind, spec, requester, reason, detail;
  std::int64_t sum() const;
};
/// A `hold` row.
struct HoldRow {
  std::string_view subject, by, reason;
  std::int64_t state = 0, since_us = 0;
  std::int64_t sum() const;
};
/// A `link` row.
struct LinkRow {
  std::int64_t id = 0, verdict = 0, last = 0, resync = 0, frozen = 0;
  std::string_view name, reply;
  std::int64_t sum() const;
};
/// An `origin` row.
struct OriginRow {
  std::int64_t id = 0, edited_from = 0, job = 0;
  std::int64_t sum() const;
};
/// An `unframed` row.
struct UnframedRow {
  std::int64_t id = 0, received_us = 0, bytes = 0, key = 0;
  std::string_view channel, kind, peer, name, detail, head;
  std::int64_t sum() const;
};
/// Rows of older formats have no checksum of their own: column `sum` is then NULL, and every row fits.
bool row_fits(const base::Statement& select, int column, std::int64_t sum);

/// Of a statement that selects kDeliveryColumns from `delivery`.
inline constexpr const char* kDeliveryColumns =
    "dest, state, attempts, in_doubt, code, detail, sent_hash, reply, updated_us, key_id, sum, typeof(detail)='blob'";
/// The row of message `id` that `select` is at: its checksum is compared and its reply opened. Errors: corrupt_record,
/// journal_key.
base::Result<Ending> take_delivery(RowSource file, MessageId id, const base::Statement& select);

/// A text in a column that is a BLOB when it is sealed and a TEXT when it is not (in rows of format 4 always, whatever their key).
base::Result<std::string> open_column(RowSource file, std::int64_t key, bool is_blob, const std::string& row, std::string_view stored);

/// A text that may be sealed, as it stands in a row of that name. Errors: corrupt_record, journal_key.
base::Result<std::string> open_text(RowSource file, std::int64_t key, const std::string& row, std::string_view stored);

/// Every record of a message compared with its checksums, and opened where the key is there.
struct RecordCheck {
  std::uint64_t compared = 0;  ///< records
  std::uint64_t locked = 0;    ///< of them, sealed and not opened, as the key is not there
  std::uint64_t bytes = 0;     ///< of bodies that were read
  struct Fault {
    const char* code;  ///< corrupt-record, sent-altered
    std::string what;  ///< without patient data
  };
  std::vector<Fault> faults;
};
base::Result<RecordCheck> check_records(RowSource file, MessageId id);

/// The earlier message with the MSH-10 of this one and another body; 0: there is none.
base::Result<MessageId> read_same_id(RowSource file, MessageId id);

/// Rows that are of no single message: holds, jobs, bytes that made no message.
base::Result<RecordCheck> check_control(RowSource file);

/// What the message was edited from and the job that made it; 0 where there is none. Errors: corrupt_record.
base::Status read_origin(RowSource file, MessageId id, MessageId& edited_from, JobId& job);

/// Tables that came later are not in every file of an older format.
base::Result<bool> has_table(base::Database& database, std::string_view name);
/// The same without a look at the catalogue of a file of the present format.
base::Result<bool> has_table(RowSource file, std::string_view name);

}  // namespace kiln::engine
