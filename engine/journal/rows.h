#pragma once
// Rows of a journal file as values; shared by the writing and the reading side. Any connection of the file
// will do.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/sql/sqlite.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

/// Errors: message_not_found, corrupt_record.
base::Result<StoredMessage> read_stored_message(base::Database& database, MessageId id);

/// Pending outputs of one destination ("channel/destination") after a message, in order, appended to `out`
/// until it holds `limit` entries or `bytes_max` bytes (at least one). `corrupt` gets the ids whose checksum
/// is wrong.
base::Status read_pending_outputs(base::Database& database, const std::string& key, MessageId after,
                                  std::size_t limit, std::size_t bytes_max, std::vector<PendingOutput>& out,
                                  std::vector<MessageId>& corrupt);

/// What an operator noted beside a quarantined ending; `destination` as in the delivery rows. Nothing in a file that is
/// older than notes.
base::Result<std::optional<QuarantineNote>> read_quarantine_row(base::Database& database, MessageId id,
                                                                const std::string& destination);

/// What was made for a destination ("channel/destination"), also after it was sent.
struct KeptOutput {
  channels::ContentKind kind = channels::ContentKind::hl7;
  std::string control_id;
  std::string body;
};
/// Nothing when it was not kept, was the message itself, or the file is older than that. Errors: corrupt_record.
base::Result<std::optional<KeptOutput>> read_kept_output(base::Database& database, MessageId id,
                                                         const std::string& destination);

/// Attempts before the one that ended the output, in order; `destination` as in the delivery rows.
base::Result<std::vector<Attempt>> read_attempts(base::Database& database, MessageId id, const std::string& destination);

/// csv header and rendered options of an output as one small JSON text; empty when there are none.
std::string print_options(const Output& output);
std::uint32_t output_crc(const Output& output, std::string_view options);

/// The earlier message with the MSH-10 of this one and another body; 0: there is none.
base::Result<MessageId> read_same_id(base::Database& database, MessageId id);

/// What the message was edited from and the job that made it; 0 where there is none.
base::Status read_origin(base::Database& database, MessageId id, MessageId& edited_from, JobId& job);

/// Tables that came later are made with their first row.
base::Result<bool> has_table(base::Database& database, std::string_view name);

}  // namespace kiln::engine
