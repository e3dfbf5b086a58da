#pragma once
// Writes messages segment by segment from plain values. Segments stay in the order they were added.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "hl7/charset.h"
#include "hl7/delimiters.h"
#include "hl7/escape.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// One segment being written. Fields are kept as HL7 text; setting a part splices it in and leaves the others
/// as they are. Numbers are from 1. Setting an empty value clears what is there and never pads.
class SegmentBuilder {
 public:
  SegmentBuilder(std::string name, const Delimiters& delimiters);

  const std::string& name() const { return name_; }
  /// Plain UTF-8 text, escaped here. Component and subcomponent 1 of a plain value are the value itself;
  /// deeper writes keep the other parts. Errors: no_escape_character; limit_exceeded beyond kFieldsMax or
  /// kRepetitionsMax (and kRepetitionsMax components); bad_value for number 0, for field 1 and 2 of a header,
  /// and where the delimiters have no such level.
  base::Status set(std::uint32_t field, std::string_view text);
  base::Status set(std::uint32_t field, std::uint32_t repetition, std::uint32_t component,
                   std::uint32_t subcomponent, std::string_view text, TextKind kind = TextKind::plain);
  /// Replaces a whole repetition, or component, by plain text.
  base::Status set_repetition(std::uint32_t field, std::uint32_t repetition, std::string_view text);
  base::Status set_component(std::uint32_t field, std::uint32_t repetition, std::uint32_t component,
                             std::string_view text, TextKind kind = TextKind::plain);
  /// `""`: the receiver deletes the value.
  base::Status set_null(std::uint32_t field, std::uint32_t repetition = 1, std::uint32_t component = 0,
                        std::uint32_t subcomponent = 0);
  /// Replaces the field (or the named repetition or component of it) by HL7 text that is already escaped for
  /// these delimiters, as a Piece::raw() of a message with the same delimiters. CR and LF in it are refused
  /// (bad_value), and so are delimiters of the named level or above.
  base::Status set_raw(std::uint32_t field, std::string_view hl7_text, std::uint32_t repetition = 0,
                       std::uint32_t component = 0);
  /// Copies a piece of a message: verbatim when the delimiters are equal, else re-escaped leaf by leaf. The
  /// source's levels are kept. The text becomes UTF-8.
  base::Status copy(std::uint32_t field, const Piece& source, const Message& message);

  /// Number of repetitions that field holds now; 0 when empty.
  std::uint32_t repetition_count(std::uint32_t field) const;
  /// HL7 text of a field; empty when not set.
  std::string_view raw(std::uint32_t field) const;
  bool empty() const;  ///< no field is set
  /// The segment without line end and without trailing delimiters.
  void print(std::string& out) const;

 private:
  base::Status splice(std::uint32_t field, std::uint32_t repetition, std::uint32_t component,
                      std::uint32_t subcomponent, std::string_view raw);
  /// Removes the delimiters before a part that was cleared, as far as nothing follows them on their level.
  void trim_before(std::size_t at, std::string& text) const;

  std::string name_;
  Delimiters delimiters_;
  bool header_ = false;
  std::vector<std::string> fields_;  ///< [0] is field 1
};

/// A message under construction. References to segments stay valid until the builder is destroyed.
class MessageBuilder {
 public:
  explicit MessageBuilder(const Delimiters& delimiters = {}) : delimiters_(delimiters) {}

  const Delimiters& delimiters() const { return delimiters_; }
  /// Appends a segment. For MSH, FHS and BHS, fields 1 and 2 come from the delimiters. `name` is written as
  /// given.
  SegmentBuilder& add(std::string_view name);
  /// Appends a copy of a parsed segment (see SegmentBuilder::copy). Error unnamed_segment: a line that is no
  /// segment and whose beginning would be read otherwise in the copy.
  base::Result<SegmentBuilder*> add_copy(const SegmentView& segment, const Message& message);
  std::size_t size() const { return segments_.size(); }
  SegmentBuilder& segment(std::size_t index) { return segments_[index]; }
  const SegmentBuilder& segment(std::size_t index) const { return segments_[index]; }

  /// All segments, each ended by CR, in UTF-8.
  std::string print() const;
  /// In another character set; errors as from_utf8. MSH-18 is the caller's.
  base::Result<std::string> print(Charset charset, Unencodable policy) const;

 private:
  Delimiters delimiters_;
  std::deque<SegmentBuilder> segments_;
};

}  // namespace kiln::hl7
