// From byte offsets to places, and the walk that reports what decoding found odd.

#include <algorithm>

#include "hl7/detail/message_data.h"
#include "hl7/escape.h"
#include "hl7/message.h"

namespace kiln::hl7 {
namespace {

struct Part {
  std::uint32_t number;  ///< from 1
  std::uint32_t begin;
};

/// Which part of [begin, …) cut at `separator` holds `offset`.
Part part_at(const detail::MessageData& data, std::uint32_t begin, std::uint32_t offset, char separator) {
  Part part{1, begin};
  for (;;) {
    const std::uint32_t cut = detail::find_byte(data.bytes.data(), part.begin, offset, separator);
    if (cut >= offset) return part;
    part = {part.number + 1, cut + 1};
  }
}

}  // namespace

Location Message::locate(std::uint32_t offset) const {
  const auto rows = data_->segments();
  Location location;
  if (rows.empty() || offset < rows.front().offset) return location;
  const auto behind = std::upper_bound(rows.begin(), rows.end(), offset,
                                       [](std::uint32_t at, const auto& row) { return at < row.offset; });
  const auto& row = *(behind - 1);
  location.segment = static_cast<std::uint32_t>(behind - 1 - rows.begin());
  const std::uint32_t* const marks = data_->marks() + row.first;
  const bool header = data_->is_header(row);
  offset = std::min(offset, data_->end(row));
  // A separator belongs to the field it ends; in a header the first one is a field of its own.
  const auto before =
      static_cast<std::uint32_t>(std::lower_bound(marks, marks + data_->separators(row), offset) - marks);
  if (header && offset == marks[0]) return {location.segment, 1, 1, 1, 1};
  if (before == 0) return location;
  location.field = before + (header ? 1 : 0);
  const Delimiters& d = data_->delimiters;
  if (header && location.field == 2) return {location.segment, 2, 1, 1, 1};
  const Part repetition = part_at(*data_, marks[before - 1] + 1, offset, d.repetition);
  const Part component = part_at(*data_, repetition.begin, offset, d.component);
  const Part subcomponent = part_at(*data_, component.begin, offset, d.subcomponent);
  location.repetition = repetition.number;
  location.component = component.number;
  location.subcomponent = subcomponent.number;
  return location;
}

std::string Message::place(const Location& location) const {
  const SegmentView view = segment(location.segment);
  std::string text = segment_name(view.id());
  if (text.empty()) {
    text = "segment " + std::to_string(location.segment + 1);
    if (location.field == 0) return text;
  } else if (const std::uint32_t occurrence = view.occurrence(); occurrence > 1) {
    text += "[" + std::to_string(occurrence) + "]";
  }
  if (location.field == 0) return text;
  text += "-" + std::to_string(location.field);
  if (location.repetition != 0) text += "[" + std::to_string(location.repetition) + "]";
  if (location.component != 0) text += "." + std::to_string(location.component);
  if (location.component != 0 && location.subcomponent != 0)
    text += "." + std::to_string(location.subcomponent);
  return text;
}

namespace {

std::string_view note_text(base::ErrorCode code) {
  switch (code) {
    case base::ErrorCode::bad_escape:
      return "kept as written: the hexadecimal escape has no whole bytes";
    case base::ErrorCode::unknown_escape:
      return "kept as written: the meaning of the escape is not known";
    case base::ErrorCode::stray_escape:
      return "the escape character stands for itself";
    default:
      return "replaced by U+FFFD: the bytes are no characters of the character set";
  }
}

void check_leaf(const Message& message, const LeafView& leaf, Location location, std::string& scratch,
                std::vector<ParseDiagnostic>& out) {
  std::vector<EscapeNote> notes;
  scratch.resize(3 * leaf.raw().size());
  decode_to(leaf.raw(), message.text_rules(), scratch.data(), &notes);
  for (const EscapeNote& note : notes) {
    if (out.size() >= base::limits::kParseDiagnosticsMax) return;
    const bool info = note.code == base::ErrorCode::unknown_escape;
    out.push_back({note.code, info ? base::Severity::note : base::Severity::warning, location,
                   leaf.offset() + note.offset, note_text(note.code)});
  }
}

}  // namespace

std::vector<ParseDiagnostic> check_text(const Message& message) {
  std::vector<ParseDiagnostic> out;
  std::string scratch;
  message.for_each_leaf([&](const Location& at, const LeafView& leaf) {
    if (!leaf.verbatim()) check_leaf(message, leaf, at, scratch, out);
  });
  return out;
}

}  // namespace kiln::hl7
