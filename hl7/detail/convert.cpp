#include "hl7/detail/convert.h"

#include <functional>

#include "hl7/detail/multibyte.h"

namespace kiln::hl7::detail {
namespace {

MessageData::LineStart line_start(std::size_t text, std::size_t original) {
  return {static_cast<std::uint32_t>(text), static_cast<std::uint32_t>(original)};
}

/// Calls `line(begin, end, next)` for every line of `bytes` in code units of `unit` bytes, whose byte number
/// `low` holds the ASCII characters: [begin, end) without its CR or LF, which ends at `next`.
template <class Line>
void for_each_line(std::string_view bytes, std::size_t unit, std::size_t low, Line&& line) {
  const auto is_end = [&](std::size_t at) {
    for (std::size_t i = 0; i < unit; ++i) {
      const char c = bytes[at + i];
      if (i == low ? c != '\r' && c != '\n' : c != '\0') return false;
    }
    return true;
  };
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t end = at;
    while (end + unit <= bytes.size() && !is_end(end)) end += unit;
    const bool ended = end + unit <= bytes.size();
    if (!ended) end = bytes.size();
    const std::size_t next = ended ? end + unit : end;
    line(at, end, next);
    at = next;
  }
}

/// False when the lines are so short that listing them takes more memory than allowed. Else makes room:
/// exactly for the lines; for the text half more than its bytes, which is enough where characters of two
/// bytes become three, and at most doubled once where one byte becomes three.
bool make_room(std::string_view bytes, std::size_t unit, std::size_t low, Converted& converted) {
  std::size_t lines = 1;
  for_each_line(bytes, unit, low,
                [&](std::size_t begin, std::size_t end, std::size_t) { lines += begin != end; });
  const std::size_t memory = lines * sizeof(MessageData::LineStart);
  if (memory > 2 * bytes.size() + base::limits::kIndexFreeBytes) return false;
  converted.lines.reserve(lines);
  converted.text.reserve(bytes.size() + bytes.size() / 2 + 64);
  return true;
}

void give_room_back(std::string& text) {
  if (text.capacity() - text.size() > text.size() / 8 + 64) text.shrink_to_fit();
}

base::Result<Converted> convert(std::string_view bytes, std::size_t unit, std::size_t low,
                                const std::function<bool(std::string_view, std::string&)>& decode) {
  Converted converted;
  if (!make_room(bytes, unit, low, converted)) {
    return base::fail(base::ErrorCode::limit_exceeded,
                      "most lines of the message are too short to be segments: listing them would take more "
                      "memory than allowed");
  }
  converted.lines.push_back(line_start(0, 0));
  for_each_line(bytes, unit, low, [&](std::size_t begin, std::size_t end, std::size_t next) {
    // Blank lines are no segments: nothing is looked up at their start.
    if (begin > 0 && begin != end) converted.lines.push_back(line_start(converted.text.size(), begin));
    converted.clean = decode(bytes.substr(begin, end - begin), converted.text) && converted.clean;
    if (next > end) converted.text += bytes[end + low];
  });
  give_room_back(converted.text);
  return converted;
}

}  // namespace

base::Result<Converted> convert_lines(std::string_view bytes, Charset set) {
  return convert(bytes, 1, 0,
                 [&](std::string_view line, std::string& out) { return set.decode_line(line, out); });
}

base::Result<Converted> convert_wide(std::string_view bytes, const char* wide) {
  const std::string_view name = wide;
  const std::size_t unit = name.starts_with("UTF-32") ? 4 : 2;
  const std::size_t low = name.ends_with("LE") ? 0 : unit - 1;
  auto converted = convert(bytes, unit, low, [&](std::string_view line, std::string& out) {
    return multibyte_to_utf8(wide, line, out);
  });
  if (converted) converted->wide = wide;
  return converted;
}

}  // namespace kiln::hl7::detail
