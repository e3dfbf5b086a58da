#pragma once
// Changing a parsed message. What is not touched is encoded byte for byte as it was received.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "hl7/charset.h"
#include "hl7/escape.h"
#include "hl7/message.h"
#include "hl7/path.h"

namespace kiln::hl7 {

/// Collects changes of one message. Segments that no change touched are copied with their line ends; in a
/// changed segment every field that was not written is copied too, and trailing delimiters stay. Writing what
/// is there already changes nothing. The source must outlive the editor. Not for use by two threads at once.
///
/// Paths choose segments as they are now: an inserted or removed segment counts at once. A write needs its
/// segment (error bad_path): insert_segment makes one. `[*]` and `[where …]` write every match, of which
/// there may be none. Writing beyond the end of a level pads it; clearing never does, and leaves delimiters
/// in place.
class MessageEditor {
 public:
  /// `unencodable`: what happens to a character that the message's character set lacks.
  explicit MessageEditor(const Message& message, Unencodable unencodable = Unencodable::reject);
  explicit MessageEditor(Message&&, Unencodable = Unencodable::reject) = delete;

  /// Plain UTF-8 text (or text that decode() gave), escaped here. A path without component replaces the whole
  /// repetition (of a field written without `[n]`: the whole field); without subcomponent the whole
  /// component. Errors: bad_value for MSH-1, MSH-2 and a path of a segment alone; no_escape_character;
  /// limit_exceeded; unencodable_text; bad_path.
  base::Status set(const Path& path, std::string_view text, TextKind kind = TextKind::plain);
  base::Status set(std::string_view path, std::string_view text, TextKind kind = TextKind::plain);
  /// `""`: the receiver deletes the value.
  base::Status set_null(const Path& path);
  /// HL7 text, escaped already for this message's delimiters; delimiters of lower levels split it. Also
  /// bad_value for a line end or a delimiter of the path's level or above.
  base::Status set_raw(const Path& path, std::string_view hl7_text);
  /// Makes the part empty. Nothing happens where it is not there.
  base::Status clear(const Path& path);

  std::uint32_t segment_count() const { return static_cast<std::uint32_t>(entries_.size()); }
  /// The segment at a position from 0, without line end, as it is now. In UTF-8 where the message was
  /// converted on entry. Valid until the next change.
  std::string_view segment(std::uint32_t position) const;
  /// Position of segment number `occurrence` (from 1) of that id; nullopt when there is none.
  std::optional<std::uint32_t> find(std::uint32_t id, std::uint32_t occurrence = 1) const;
  /// Inserts a segment without fields before that position; segment_count() appends. Errors: bad_value for a
  /// name that is none or a header's, and for position 0; limit_exceeded.
  base::Status insert_segment(std::uint32_t position, std::string_view name);
  /// Inserts a whole segment of HL7 text with this message's delimiters.
  base::Status insert_raw(std::uint32_t position, std::string_view line);
  /// Error bad_value for the header and for a position that does not exist.
  base::Status remove_segment(std::uint32_t position);

  /// False as long as encode() gives the bytes that were received.
  bool changed() const;
  /// The message as it is now, in its character set. `trim`: changed segments lose their trailing delimiters.
  std::string encode(bool trim = false) const;

 private:
  static constexpr std::uint32_t kNew = 0xFFFF'FFFFu;
  /// A segment: of the source, changed or not, or a new one.
  struct Entry {
    std::uint32_t source = kNew;
    bool dirty = false;
    std::string text;  ///< when dirty
  };
  /// What is written; `same` tells whether it is there already.
  struct Write {
    std::string raw;        ///< HL7 text in the form of Message::bytes()
    std::string_view text;  ///< the value, when it was given as text
    bool is_text = false;
  };

  base::Status write(const Path& path, const Write& write);
  base::Status write_segment(Entry& entry, const Path& path, const Write& write);
  base::Status write_repetition(Entry& entry, const Path& path, std::uint32_t repetition, const Write& write);
  base::Result<std::string> in_charset(std::string raw) const;
  base::Status check_position(std::uint32_t position) const;
  std::string_view text_of(const Entry& entry) const;
  std::uint32_t id_of(const Entry& entry) const;
  std::string_view line_end() const;
  /// Offset of the segment behind a source segment, or the end of the bytes.
  std::uint32_t behind(std::uint32_t source) const;

  const Message& message_;
  const Unencodable unencodable_;
  std::vector<Entry> entries_;
  bool removed_ = false;
};

}  // namespace kiln::hl7
