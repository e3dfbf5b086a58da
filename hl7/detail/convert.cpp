#include "hl7/detail/convert.h"

#include <algorithm>

#include "hl7/detail/multibyte.h"

namespace kiln::hl7::detail {
namespace {

MessageData::LineStart line_start(std::size_t text, std::size_t original) {
  return {static_cast<std::uint32_t>(text), static_cast<std::uint32_t>(original)};
}

}  // namespace

Converted convert_lines(std::string_view bytes, Charset set) {
  Converted converted;
  for (std::size_t at = 0; at < bytes.size() || at == 0;) {
    converted.lines.push_back(line_start(converted.text.size(), at));
    const std::size_t end = std::min(bytes.find_first_of("\r\n", at), bytes.size());
    converted.clean = set.decode_line(bytes.substr(at, end - at), converted.text) && converted.clean;
    if (end < bytes.size()) converted.text += bytes[end];
    at = end + 1;
  }
  return converted;
}

Converted convert_wide(std::string_view bytes, const char* wide) {
  const std::string_view name = wide;
  const std::size_t unit = name.starts_with("UTF-32") ? 4 : 2;
  const std::size_t low = name.ends_with("LE") ? 0 : unit - 1;
  const auto is_end = [&](std::size_t at) {
    for (std::size_t i = 0; i < unit; ++i) {
      const char c = bytes[at + i];
      if (i == low ? c != '\r' && c != '\n' : c != '\0') return false;
    }
    return true;
  };
  Converted converted;
  converted.wide = wide;
  for (std::size_t at = 0; at < bytes.size() || at == 0;) {
    converted.lines.push_back(line_start(converted.text.size(), at));
    std::size_t end = at;
    while (end + unit <= bytes.size() && !is_end(end)) end += unit;
    const bool ended = end + unit <= bytes.size();
    end = ended ? end + unit : bytes.size();
    converted.clean = multibyte_to_utf8(wide, bytes.substr(at, end - at), converted.text) && converted.clean;
    at = std::max(end, at + 1);
  }
  return converted;
}

}  // namespace kiln::hl7::detail
