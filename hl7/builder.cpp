#include "hl7/builder.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;
using base::limits::kFieldsMax;
using base::limits::kRepetitionsMax;

bool header_name(std::string_view name) {
  return name == "MSH" || name == "FHS" || name == "BHS";
}

/// Where part `number` of [begin, end) of `text` lies; when there are fewer, how many separators are missing.
struct Part {
  std::size_t begin, end;
  std::uint32_t missing;
};

Part part_of(std::string_view text, std::size_t begin, std::size_t end, char separator,
             std::uint32_t number) {
  for (;;) {
    std::size_t cut = separator == '\0' ? end : text.substr(0, end).find(separator, begin);
    cut = std::min(cut, end);
    if (number == 1) return {begin, cut, 0};
    if (cut == end) return {end, end, number - 1};
    begin = cut + 1;
    --number;
  }
}

std::uint32_t count_of(std::string_view text, char separator) {
  if (text.empty()) return 0;
  if (separator == '\0') return 1;
  return 1 + static_cast<std::uint32_t>(std::count(text.begin(), text.end(), separator));
}

base::Status check_number(std::uint32_t number, std::size_t max, std::string_view what) {
  if (number == 0)
    return base::fail(ErrorCode::bad_value, "numbers of a " + std::string(what) + " start at 1");
  if (number > max)
    return base::fail(ErrorCode::limit_exceeded, "the number of a " + std::string(what) + " is too large");
  return {};
}

}  // namespace

SegmentBuilder::SegmentBuilder(std::string name, const Delimiters& delimiters)
    : name_(std::move(name)), delimiters_(delimiters), header_(header_name(name_)) {
  if (header_) fields_ = {std::string(1, delimiters_.field), delimiters_.encoding_characters()};
}

base::Status SegmentBuilder::splice(std::uint32_t field, std::uint32_t repetition, std::uint32_t component,
                                    std::uint32_t subcomponent, std::string_view raw) {
  TRY_VOID(check_number(field, kFieldsMax, "field"));
  if (header_ && field <= 2)
    return base::fail(ErrorCode::bad_value, "the delimiters of a header are not set as fields");
  // Levels from the outside in; 0 = the path ends above.
  const std::uint32_t numbers[] = {repetition, component, subcomponent};
  const char separators[] = {delimiters_.repetition, delimiters_.component, delimiters_.subcomponent};
  for (std::size_t level = 0; level < 3 && numbers[level] != 0; ++level) {
    TRY_VOID(check_number(numbers[level], kRepetitionsMax, "part of a field"));
    if (numbers[level] > 1 && separators[level] == '\0') {
      return base::fail(ErrorCode::bad_value, "the message's delimiters have no such level");
    }
  }
  if (fields_.size() < field) {
    if (raw.empty()) return {};
    fields_.resize(field);
  }
  std::string& text = fields_[field - 1];
  std::size_t begin = 0, end = text.size();
  std::string padding;
  for (std::size_t level = 0; level < 3 && numbers[level] != 0; ++level) {
    const Part part = part_of(text, begin, end, separators[level], numbers[level]);
    begin = part.begin;
    end = part.end;
    if (part.missing == 0) continue;
    if (raw.empty()) return {};
    padding.append(part.missing, separators[level]);
  }
  text.replace(begin, end - begin, padding.append(raw));
  if (raw.empty()) trim_before(begin, text);
  return {};
}

void SegmentBuilder::trim_before(std::size_t at, std::string& text) const {
  const char order[] = {delimiters_.subcomponent, delimiters_.component, delimiters_.repetition};
  for (std::size_t level = 0; level < 3; ++level) {
    const auto ends_here = [&] {
      return at == text.size() || std::find(order + level + 1, order + 3, text[at]) != order + 3;
    };
    while (at > 0 && order[level] != '\0' && text[at - 1] == order[level] && ends_here()) text.erase(--at, 1);
  }
}

base::Status SegmentBuilder::set(std::uint32_t field, std::string_view text) {
  std::string raw;
  TRY_VOID(encode(text, delimiters_, TextKind::plain, raw));
  return splice(field, 0, 0, 0, raw);
}

base::Status SegmentBuilder::set(std::uint32_t field, std::uint32_t repetition, std::uint32_t component,
                                 std::uint32_t subcomponent, std::string_view text, TextKind kind) {
  TRY_VOID(check_number(repetition, kRepetitionsMax, "repetition"));
  TRY_VOID(check_number(component, kRepetitionsMax, "component"));
  TRY_VOID(check_number(subcomponent, kRepetitionsMax, "subcomponent"));
  std::string raw;
  TRY_VOID(encode(text, delimiters_, kind, raw));
  return splice(field, repetition, component, subcomponent, raw);
}

base::Status SegmentBuilder::set_repetition(std::uint32_t field, std::uint32_t repetition,
                                            std::string_view text) {
  TRY_VOID(check_number(repetition, kRepetitionsMax, "repetition"));
  std::string raw;
  TRY_VOID(encode(text, delimiters_, TextKind::plain, raw));
  return splice(field, repetition, 0, 0, raw);
}

base::Status SegmentBuilder::set_component(std::uint32_t field, std::uint32_t repetition,
                                           std::uint32_t component, std::string_view text, TextKind kind) {
  TRY_VOID(check_number(repetition, kRepetitionsMax, "repetition"));
  TRY_VOID(check_number(component, kRepetitionsMax, "component"));
  std::string raw;
  TRY_VOID(encode(text, delimiters_, kind, raw));
  return splice(field, repetition, component, 0, raw);
}

base::Status SegmentBuilder::set_null(std::uint32_t field, std::uint32_t repetition, std::uint32_t component,
                                      std::uint32_t subcomponent) {
  return splice(field, repetition, component, subcomponent, "\"\"");
}

base::Status SegmentBuilder::set_raw(std::uint32_t field, std::string_view hl7_text, std::uint32_t repetition,
                                     std::uint32_t component) {
  const Delimiters& d = delimiters_;
  for (const char c : hl7_text) {
    const bool above =
        c == d.field || (c == d.repetition && repetition != 0) || (c == d.component && component != 0);
    if (c == '\r' || c == '\n' || (above && c != '\0')) {
      return base::fail(ErrorCode::bad_value, "HL7 text with a line end or a delimiter of a higher level");
    }
  }
  return splice(field, component != 0 ? std::max(1u, repetition) : repetition, component, 0, hl7_text);
}

base::Status SegmentBuilder::copy(std::uint32_t field, const Piece& source, const Message& message) {
  // Bytes may only be taken over where they already are the UTF-8 to write.
  const std::string_view raw = source.raw();
  const bool same_bytes =
      std::all_of(raw.begin(), raw.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }) ||
      message.charset().is_utf8();
  const bool line_feed = raw.find('\n') != raw.npos;
  if (message.delimiters() == delimiters_ && same_bytes && !line_feed) return splice(field, 0, 0, 0, raw);
  TRY_VOID(splice(field, 0, 0, 0, {}));
  std::string buffer;
  std::uint32_t r = 0;
  const FieldView whole(source);
  for (const RepetitionView repetition : whole.repetitions()) {
    ++r;
    std::uint32_t c = 0;
    for (const ComponentView component : repetition.components()) {
      ++c;
      std::uint32_t s = 0;
      for (const LeafView leaf : component.subs()) {
        ++s;
        if (leaf.is_null()) {
          TRY_VOID(set_null(field, r, c, s));
        } else {
          TRY_VOID(set(field, r, c, s, leaf.text(buffer), TextKind::hl7_text));
        }
      }
    }
  }
  return {};
}

std::uint32_t SegmentBuilder::repetition_count(std::uint32_t field) const {
  return count_of(raw(field), delimiters_.repetition);
}

std::string_view SegmentBuilder::raw(std::uint32_t field) const {
  return field == 0 || field > fields_.size() ? std::string_view() : std::string_view(fields_[field - 1]);
}

bool SegmentBuilder::empty() const {
  return std::all_of(fields_.begin() + (header_ ? 2 : 0), fields_.end(),
                     [](const std::string& f) { return f.empty(); });
}

void SegmentBuilder::print(std::string& out) const {
  out += name_;
  std::size_t last = fields_.size();
  while (last > (header_ ? 2u : 0u) && fields_[last - 1].empty()) --last;
  for (std::size_t i = 0; i < last; ++i) {
    // The separator behind a header's name is its field 1.
    if (!(header_ && i <= 1)) out += delimiters_.field;
    out += fields_[i];
  }
}

SegmentBuilder& MessageBuilder::add(std::string_view name) {
  return segments_.emplace_back(std::string(name), delimiters_);
}

base::Result<SegmentBuilder*> MessageBuilder::add_copy(const SegmentView& segment, const Message& message) {
  // A line end or the copy's field separator in an odd name would be read as another segment or field.
  const std::string_view name = segment.name();
  if (name.find_first_of(std::string{'\r', '\n', delimiters_.field}) != name.npos)
    return base::fail(base::ErrorCode::unnamed_segment, "the name of the segment cannot be written");
  SegmentBuilder& copy = add(name);
  for (std::uint32_t n = 1; n <= segment.field_count(); ++n) {
    const FieldView field = segment.field(n);
    if (!field.verbatim() && !field.raw().empty()) TRY_VOID(copy.copy(n, field, message));
  }
  return &copy;
}

std::string MessageBuilder::print() const {
  std::string out;
  for (const SegmentBuilder& segment : segments_) {
    segment.print(out);
    out += '\r';
  }
  return out;
}

base::Result<std::string> MessageBuilder::print(Charset charset, Unencodable policy) const {
  return from_utf8(print(), charset, policy);
}

}  // namespace kiln::hl7
