#include "hl7/edit.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;
using base::limits::kFieldsMax;
using base::limits::kRepetitionsMax;

bool header_id(std::uint32_t id) {
  return detail::MessageData::header_id(id);
}

bool high(std::string_view text) {
  return detail::has_high_byte(text);
}

/// A range of a segment's text that a write replaces, and what must be inserted before the value to get
/// there.
struct Target {
  std::size_t begin, end;
  std::string padding;

  /// Narrows the range to part `number` of it; what is missing becomes padding.
  void narrow(std::string_view text, char separator, std::uint32_t number) {
    while (number > 1) {
      const std::size_t cut = separator == '\0' ? text.npos : text.substr(0, end).find(separator, begin);
      if (cut == text.npos || !padding.empty()) break;
      begin = cut + 1;
      --number;
    }
    if (number > 1) {
      padding.append(number - 1, separator);
      begin = end;
    } else if (padding.empty() && separator != '\0') {
      end = std::min(end, text.substr(0, end).find(separator, begin));
    }
  }
};

}  // namespace

MessageEditor::MessageEditor(const Message& message, Unencodable unencodable)
    : message_(message), unencodable_(unencodable) {
  entries_.resize(message.segment_count());
  for (std::uint32_t i = 0; i < entries_.size(); ++i) entries_[i].source = i;
}

std::string_view MessageEditor::text_of(const Entry& entry) const {
  return entry.dirty ? std::string_view(entry.text) : message_.segment(entry.source).raw();
}

std::uint32_t MessageEditor::id_of(const Entry& entry) const {
  if (entry.source != kNew) return message_.segment(entry.source).id();
  const std::string_view text = text_of(entry);
  return segment_id(text.substr(0, text.find(message_.delimiters().field)));
}

std::string_view MessageEditor::segment(std::uint32_t position) const {
  return position < entries_.size() ? text_of(entries_[position]) : std::string_view();
}

std::optional<std::uint32_t> MessageEditor::find(std::uint32_t id, std::uint32_t occurrence) const {
  for (std::uint32_t i = 0; id != 0 && occurrence != 0 && i < entries_.size(); ++i) {
    if (id_of(entries_[i]) == id && --occurrence == 0) return i;
  }
  return std::nullopt;
}

/// UTF-8 to the form of Message::bytes(): that is UTF-8 too where the message was converted.
base::Result<std::string> MessageEditor::in_charset(std::string raw) const {
  if (!high(raw) || message_.charset().is_utf8()) return raw;
  if (!message_.converted()) return from_utf8(raw, message_.charset(), unencodable_);
  if (unencodable_ == Unencodable::reject && message_.charset().supported()) {
    TRY(const std::string bytes, from_utf8(raw, message_.charset(), unencodable_));
    static_cast<void>(bytes);
  }
  return raw;
}

base::Status MessageEditor::set(const Path& path, std::string_view text, TextKind kind) {
  Write what;
  TRY_VOID(hl7::encode(text, message_.delimiters(), kind, what.raw));
  TRY(what.raw, in_charset(std::move(what.raw)));
  what.text = text;
  what.is_text = true;
  return write(path, what);
}

base::Status MessageEditor::set(std::string_view path, std::string_view text, TextKind kind) {
  TRY(const Path compiled, Path::compile(path));
  return set(compiled, text, kind);
}

base::Status MessageEditor::set_null(const Path& path) {
  return write(path, {"\"\"", {}, false});
}

base::Status MessageEditor::clear(const Path& path) {
  return write(path, {});
}

base::Status MessageEditor::set_raw(const Path& path, std::string_view hl7_text) {
  const Delimiters& d = message_.delimiters();
  for (const char c : hl7_text) {
    const bool above = c == d.field || (c == d.repetition && !(path.whole_field_ && path.component_ == 0)) ||
                       (c == d.component && path.component_ != 0) ||
                       (c == d.subcomponent && path.subcomponent_ != 0);
    if (c == '\r' || c == '\n' || (above && c != '\0')) {
      return base::fail(ErrorCode::bad_value, "HL7 text with a line end or a delimiter of a higher level");
    }
  }
  Write what;
  TRY(what.raw, in_charset(std::string(hl7_text)));
  return write(path, what);
}

base::Status MessageEditor::write(const Path& path, const Write& what) {
  using Kind = Path::Index::Kind;
  if (path.field_ == 0) return base::fail(ErrorCode::bad_value, "the path names a segment, not a field");
  if (header_id(path.segment_id_) && path.field_ <= 2)
    return base::fail(ErrorCode::bad_value, "the delimiters of a header are not set as fields");
  if (path.occurrence_.kind == Kind::all) {
    for (Entry& entry : entries_) {
      if (id_of(entry) == path.segment_id_) TRY_VOID(write_segment(entry, path, what));
    }
    return {};
  }
  std::optional<std::uint32_t> found = find(path.segment_id_, path.occurrence_.number);
  if (path.occurrence_.kind == Kind::last) {
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      if (id_of(entries_[i]) == path.segment_id_) found = i;
    }
  }
  if (!found) return base::fail(ErrorCode::bad_path, "the message has no such segment", path.print());
  return write_segment(entries_[*found], path, what);
}

base::Status MessageEditor::write_segment(Entry& entry, const Path& path, const Write& what) {
  using Kind = Path::Index::Kind;
  if (path.repetition_.kind == Kind::number)
    return write_repetition(entry, path, path.repetition_.number, what);
  // Which repetitions: asked of the segment as it is now.
  ParseOptions options;
  options.headerless = message_.delimiters();
  options.line_ends = LineEnds::cr;
  options.charset_override = message_.converted() ? Charset::utf8() : message_.charset();
  TRY(const Message now, Message::parse(std::string(text_of(entry)), options));
  const FieldView field = now.segment(0).field(path.field_);
  std::vector<std::uint32_t> chosen;
  if (path.repetition_.kind == Kind::last) {
    chosen.push_back(std::max(1u, field.repetition_count()));
  } else {
    std::uint32_t n = 0;
    for (const RepetitionView repetition : field.repetitions()) {
      ++n;
      if (path.repetition_.kind == Kind::all || path.matches(repetition)) chosen.push_back(n);
    }
  }
  for (const std::uint32_t n : chosen) TRY_VOID(write_repetition(entry, path, n, what));
  return {};
}

base::Status MessageEditor::write_repetition(Entry& entry, const Path& path, std::uint32_t repetition,
                                             const Write& what) {
  const Delimiters& d = message_.delimiters();
  const bool whole_field = path.whole_field_ && path.component_ == 0;
  const std::uint32_t numbers[] = {whole_field ? 0 : repetition, path.component_, path.subcomponent_};
  const char separators[] = {d.repetition, d.component, d.subcomponent};
  if (path.field_ > kFieldsMax) return base::fail(ErrorCode::limit_exceeded, "the field number is too large");
  for (std::size_t level = 0; level < 3; ++level) {
    if (numbers[level] > kRepetitionsMax)
      return base::fail(ErrorCode::limit_exceeded, "the number of a part of a field is too large");
    if (numbers[level] > 1 && separators[level] == '\0')
      return base::fail(ErrorCode::bad_value, "the message's delimiters have no such level");
  }
  const std::string_view text = text_of(entry);
  Target target{0, text.size(), {}};
  // The name counts as part 1; in a header the separator behind it is field 1.
  target.narrow(text, d.field, header_id(id_of(entry)) ? path.field_ : path.field_ + 1);
  for (std::size_t level = 0; level < 3; ++level) {
    if (numbers[level] != 0) target.narrow(text, separators[level], numbers[level]);
  }
  const std::string_view now = text.substr(target.begin, target.end - target.begin);
  if (now == what.raw) return {};
  if (what.is_text && now != "\"\"" && !now.empty() &&
      std::none_of(now.begin(), now.end(), [&](char c) { return c != d.escape && d.separates(c); })) {
    TextRules rules = message_.text_rules();
    if (decode(now, rules) == what.text) return {};
  }
  if (!entry.dirty) {
    entry.text = std::string(text);
    entry.dirty = true;
  }
  entry.text.replace(target.begin, target.end - target.begin, target.padding + what.raw);
  return {};
}

base::Status MessageEditor::check_position(std::uint32_t position) const {
  if (position == 0 || position > entries_.size())
    return base::fail(ErrorCode::bad_value, "a segment can stand behind the header only");
  if (entries_.size() >= base::limits::kSegmentsMax)
    return base::fail(ErrorCode::limit_exceeded, "the message has more segments than allowed");
  return {};
}

base::Status MessageEditor::insert_segment(std::uint32_t position, std::string_view name) {
  return insert_raw(position, name);
}

base::Status MessageEditor::insert_raw(std::uint32_t position, std::string_view line) {
  TRY_VOID(check_position(position));
  const std::uint32_t id = segment_id(line.substr(0, line.find(message_.delimiters().field)));
  if (id == 0 || header_id(id) || line.find_first_of("\r\n") != line.npos)
    return base::fail(ErrorCode::bad_value, "not a segment that can be inserted");
  TRY(std::string text, in_charset(std::string(line)));
  entries_.insert(entries_.begin() + position, Entry{kNew, true, std::move(text)});
  return {};
}

base::Status MessageEditor::remove_segment(std::uint32_t position) {
  if (position >= entries_.size()) return base::fail(ErrorCode::bad_value, "there is no such segment");
  if (position == 0 && message_.header().exists())
    return base::fail(ErrorCode::bad_value, "the header of a message stays");
  removed_ = removed_ || entries_[position].source != kNew;
  entries_.erase(entries_.begin() + position);
  return {};
}

bool MessageEditor::changed() const {
  return removed_ || std::any_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.dirty; });
}

std::uint32_t MessageEditor::behind(std::uint32_t source) const {
  const SegmentView next = message_.segment(source + 1);
  return next ? next.offset() : static_cast<std::uint32_t>(message_.bytes().size());
}

/// What ends the first segment, or CR.
std::string_view MessageEditor::line_end() const {
  const std::string_view bytes = message_.bytes();
  const SegmentView first = message_.segment(0);
  const std::size_t end = first.offset() + first.raw().size();
  if (end >= bytes.size()) return "\r";
  return bytes.substr(end, bytes.substr(end).starts_with("\r\n") ? 2 : 1);
}

std::string MessageEditor::encode(bool trim) const {
  const std::string& bytes = message_.bytes();
  std::string out(message_.original(0, message_.segment(0).offset()));
  const auto append = [&](std::string_view text) { out += message_.as_received(text); };
  bool ended = true;
  for (const Entry& entry : entries_) {
    if (!ended) append(line_end());
    if (!entry.dirty) {
      const std::uint32_t begin = message_.segment(entry.source).offset(), end = behind(entry.source);
      out += message_.original(begin, end);
      ended = end > begin && (bytes[end - 1] <= ' ');
      continue;
    }
    std::string_view text = entry.text;
    if (trim) {
      const std::size_t least =
          header_id(id_of(entry)) ? std::min(text.size(), text.find(message_.delimiters().field, 4)) : 0;
      const Delimiters& d = message_.delimiters();
      while (text.size() > least && text.back() != d.escape && d.separates(text.back()))
        text.remove_suffix(1);
    }
    append(text);
    ended = false;
    if (entry.source != kNew) {
      const SegmentView source = message_.segment(entry.source);
      const std::uint32_t end = source.offset() + static_cast<std::uint32_t>(source.raw().size());
      const std::string_view gap = std::string_view(bytes).substr(end, behind(entry.source) - end);
      append(gap);
      ended = !gap.empty();
    }
  }
  if (!ended && (!entries_.empty() && entries_.back().source == kNew)) append(line_end());
  return out;
}

}  // namespace kiln::hl7
