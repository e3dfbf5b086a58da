#pragma once
// Large parts of a body are kept out of the row of their message, in `attachment` rows that each content has once in a file:
// what is looked through often stays small, and a document that goes to three receivers is on the disk once.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "channels/intake.h"
#include "engine/journal/file_keys.h"

namespace kiln::engine {

struct BodyPart {
  std::size_t offset = 0, length = 0;  ///< in the whole body
  std::int64_t attachment = 0;         ///< attachment.id
};

/// The parts of at least `part_min` bytes, in order: fields of a v2 message (OBX-5 above all); of anything else, and of a message
/// that stays large without them, the whole body. `part_min` 0: none.
std::vector<BodyPart> find_parts(std::string_view body, channels::ContentKind kind, std::size_t part_min);

/// The body without its parts.
std::string without_parts(std::string_view body, const std::vector<BodyPart>& parts);

/// "offset:length:attachment,…" as in the column `parts`.
std::string print_parts(const std::vector<BodyPart>& parts);

/// Stores one part, or finds it: its number. One that is there and damaged is written anew in its place. In the transaction under way.
base::Result<std::int64_t> keep_attachment(RowSource file, std::string_view bytes);

/// One body that had these parts goes: a part that nothing else has goes with it. `kept`: parts of the message itself, which stay
/// whatever was counted. Parts of format 4 are not counted and stay. In the transaction under way.
base::Status drop_attachments(base::Database& database, std::string_view parts, std::string_view kept);

/// Puts the parts back where they were. Errors: corrupt_record; journal_key, after every checksum was right.
base::Result<std::string> join_parts(RowSource file, std::string_view parts, std::string_view rest);

}  // namespace kiln::engine
