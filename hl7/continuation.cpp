#include "hl7/continuation.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "hl7/edit.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;

constexpr std::uint32_t kAdd = segment_id("ADD"), kDsc = segment_id("DSC");

/// What ADD carries: everything behind its first field separator.
std::string_view addition(const SegmentView& add, char field) {
  const std::string_view raw = add.raw();
  const std::size_t cut = raw.find(field);
  return cut == raw.npos ? std::string_view() : raw.substr(cut + 1);
}

bool continues_query(const SegmentView& dsc) {
  std::string buffer;
  return dsc.field(2).text(buffer) == "I";
}

/// Appends the segments behind the header. `open`: the last segment of `lines` goes on here.
base::Status append_segments(const Message& message, std::vector<std::string>& lines, bool& open) {
  const std::uint32_t count = message.segment_count();
  for (std::uint32_t i = 1; i < count; ++i) {
    const SegmentView segment = message.segment(i);
    if (segment.id() == kDsc && !continues_query(segment)) continue;
    if (segment.id() != kAdd) {
      lines.emplace_back(segment.raw());
      open = false;
      continue;
    }
    if (lines.size() < 2)
      return base::fail(ErrorCode::bad_batch, "an ADD segment has nothing before it",
                        "segment " + std::to_string(i + 1));
    lines.back() += addition(segment, message.delimiters().field);
    open = segment.field_count() == 0;
  }
  return {};
}

std::string print(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out.append(line).append("\r");
  return out;
}

/// The header segment with other values of MSH-10 and MSH-14.
base::Result<std::string> header_with(const Message& message, std::string_view id, std::string_view pointer) {
  MessageEditor editor(message);
  TRY_VOID(editor.set("MSH-10", id));
  if (!pointer.empty() || message.header().field(14).valued()) TRY_VOID(editor.set("MSH-14", pointer));
  return std::string(editor.segment(0));
}

/// Where to cut so that no character is split: not before a UTF-8 continuation byte.
std::size_t cut_before(std::string_view text, std::size_t room) {
  while (room > 0 && room < text.size() && (static_cast<unsigned char>(text[room]) & 0xC0) == 0x80) --room;
  return room;
}

}  // namespace

base::Result<std::string> join_additions(const Message& message) {
  if (!message.find(kAdd).exists()) return message.original();
  std::vector<std::string> lines = {std::string(message.segment(0).raw())};
  for (std::uint32_t i = 1; i < message.segment_count(); ++i) {
    const SegmentView segment = message.segment(i);
    if (segment.id() != kAdd) {
      lines.emplace_back(segment.raw());
    } else if (lines.size() < 2) {
      return base::fail(ErrorCode::bad_batch, "an ADD segment has nothing before it");
    } else {
      lines.back() += addition(segment, message.delimiters().field);
    }
  }
  return message.as_received(print(lines));
}

Continuation continuation_of(const Message& message) {
  Continuation found;
  found.from = message.header().field(14).to_text();
  const SegmentView dsc = message.find(kDsc);
  if (dsc.exists() && !continues_query(dsc)) found.to = dsc.field(1).to_text();
  return found;
}

base::Result<std::string> join_fragments(const std::vector<const Message*>& fragments) {
  if (fragments.empty()) return base::fail(ErrorCode::bad_batch, "there are no fragments");
  const Message& first = *fragments.front();
  std::string pointer;
  std::vector<std::string> lines;
  TRY(std::string header, header_with(first, first.header().field(10).to_text(), {}));
  lines.push_back(std::move(header));
  std::size_t bytes = 0;
  bool open = false;
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    const Message& fragment = *fragments[i];
    const Continuation place = continuation_of(fragment);
    bytes += fragment.bytes().size();
    if (bytes > base::limits::kMessageBytesMax)
      return base::fail(ErrorCode::limit_exceeded, "the fragments are larger than a message may be");
    if (place.from != pointer)
      return base::fail(ErrorCode::bad_batch, "MSH-14 is not the pointer of the fragment before",
                        "fragment " + std::to_string(i + 1));
    if (fragment.delimiters() != first.delimiters())
      return base::fail(ErrorCode::bad_batch, "a fragment has other delimiters",
                        "fragment " + std::to_string(i + 1));
    pointer = place.to;
    if (pointer.empty() != (i + 1 == fragments.size()))
      return base::fail(ErrorCode::bad_batch,
                        pointer.empty() ? "the last fragment came early" : "the last fragment is missing");
    const bool goes_on = i > 0 && fragment.segment(1).id() == kAdd;
    if (open && !goes_on)
      return base::fail(ErrorCode::bad_batch, "a segment that goes on is not continued",
                        "fragment " + std::to_string(i + 1));
    TRY_VOID(append_segments(fragment, lines, open));
  }
  return first.as_received(print(lines));
}

base::Result<std::vector<std::string>> split_message(const Message& message, std::size_t bytes_max) {
  if (message.converted() || continuation_of(message).fragment())
    return base::fail(ErrorCode::bad_value, "this message cannot be split");
  if (message.bytes().size() <= bytes_max) return std::vector<std::string>{message.bytes()};
  const char field = message.delimiters().field;
  const std::string id = message.header().field(10).to_text();
  // The header alone: an editor of the whole message would be made for every fragment.
  ParseOptions options;
  options.charset_default = message.charset();
  TRY(const Message header, Message::parse(std::string(message.header().raw()) + '\r', options));
  std::vector<std::string> fragments;
  std::string_view rest;  // of a segment that was cut
  for (std::uint32_t at = 1; at < message.segment_count() || !rest.empty();) {
    const std::string number = std::to_string(fragments.size() + 1),
                      next = std::to_string(fragments.size() + 2);
    const std::string own = fragments.empty() ? id : id + "." + number;
    TRY(std::string text,
        header_with(header, own, fragments.empty() ? std::string_view() : std::string_view(own)));
    text += '\r';
    const std::size_t header_size = text.size();
    std::string encoded;
    TRY_VOID(encode(id + "." + next, message.delimiters(), TextKind::plain, encoded));
    const std::string end = std::string("DSC") + field + encoded + field + "F\r";
    const std::string open_end = "ADD\r" + end;
    if (header_size + open_end.size() + 16 > bytes_max)
      return base::fail(ErrorCode::bad_value, "the header leaves no room for anything else");
    bool full = false;
    while (!full && (at < message.segment_count() || !rest.empty())) {
      const bool continued = !rest.empty();
      const std::string_view line = continued ? rest : message.segment(at).raw();
      const std::string name = continued ? std::string("ADD") + field : std::string();
      const bool last = at + (continued ? 0 : 1) >= message.segment_count();
      if (text.size() + name.size() + line.size() + 1 + (last ? 0 : end.size()) <= bytes_max) {
        text.append(name).append(line).append("\r");
        rest = {};
        at += continued ? 0 : 1;
        continue;
      }
      full = true;
      // A segment is cut only where it is the first one of its fragment: else the next fragment takes it
      // whole.
      if (text.size() > header_size) continue;
      const std::size_t room = cut_before(line, bytes_max - text.size() - name.size() - 1 - open_end.size());
      text.append(name).append(line.substr(0, room)).append("\r");
      rest = line.substr(room);
      at += continued ? 0 : 1;
    }
    if (!rest.empty()) {
      text += open_end;
    } else if (at < message.segment_count()) {
      text += end;
    }
    fragments.push_back(std::move(text));
  }
  return fragments;
}

}  // namespace kiln::hl7
