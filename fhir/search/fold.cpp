#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/search/parameters.h"

namespace kiln::fhir {
namespace {

struct FoldRow {
  std::uint32_t from;
  const char* to;
};
constexpr FoldRow kFoldRows[] = {
#include "fhir/search/fold_table.inc"
};

/// Decodes one code point of valid UTF-8 and moves `at` past it. A broken byte stands for itself.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first < 0xC0 || at + length > text.size()) {
    ++at;
    return first;
  }
  std::uint32_t value = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = (value << 6) | (byte(at + i) & 0x3Fu);
  at += length;
  return value;
}

bool is_combining_mark(std::uint32_t code) {
  return code >= 0x300 && code <= 0x36F;
}
/// Marks that stand inside a word: "O'Brien" and "OBrien", "St. John" and "St John" are the same.
bool is_dropped(std::uint32_t code) {
  return code == '\'' || code == '`' || code == '.' || code == 0xB4 || code == 0x2018 || code == 0x2019;
}
bool is_space_like(std::uint32_t code) {
  if (code < 0x80)
    return !((code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z'));
  return code == 0xA0 || (code >= 0x2000 && code <= 0x206F) || code == 0x3000;
}

}  // namespace

std::string_view indexed_part(std::string_view text) {
  if (text.size() <= base::limits::kIndexTextBytesMax) return text;
  std::size_t end = base::limits::kIndexTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool space = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t code = next_code_point(text, at);
    if (is_combining_mark(code) || is_dropped(code)) continue;
    if (is_space_like(code)) {
      space = true;
      continue;
    }
    if (space && !out.empty()) out.push_back(' ');
    space = false;
    if (code < 0x80) {
      out.push_back(static_cast<char>(code >= 'A' && code <= 'Z' ? code + 32 : code));
      continue;
    }
    const auto* row = std::lower_bound(std::begin(kFoldRows), std::end(kFoldRows), code,
                                       [](const FoldRow& a, std::uint32_t b) { return a.from < b; });
    if (row != std::end(kFoldRows) && row->from == code) {
      out += row->to;
    } else {
      base::append_utf8(out, code);
    }
  }
  return out;
}

}  // namespace kiln::fhir
