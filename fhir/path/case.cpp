#include "fhir/path/detail/case.h"

#include "engine/base/text.h"

namespace kiln::fhir::detail {
namespace {

/// Pairs that differ by 1: the even one is upper case in Latin Extended-A (with its exceptions) and Cyrillic.
bool in_even_pairs(char32_t c) {
  return (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
         (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1E95) ||
         (c >= 0x1EA0 && c <= 0x1EFF);
}
bool in_odd_pairs(char32_t c) {
  return (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
}

char32_t lower(char32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7)) return c + 32;
  if (c < 0x100 || c == 0x130 || c == 0x131) return c;
  if (in_even_pairs(c)) return c % 2 == 0 ? c + 1 : c;
  if (in_odd_pairs(c)) return c % 2 == 1 ? c + 1 : c;
  if (c == 0x178) return 0xFF;
  if (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

char32_t upper(char32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 0xE0 && c <= 0xFE && c != 0xF7)) return c - 32;
  if (c == 0xFF) return 0x178;
  if (c < 0x100 || c == 0x130 || c == 0x131) return c;
  if (in_even_pairs(c)) return c % 2 == 1 ? c - 1 : c;
  if (in_odd_pairs(c)) return c % 2 == 0 ? c - 1 : c;
  if (c >= 0x3B1 && c <= 0x3C9 && c != 0x3C2) return c - 32;
  if (c >= 0x430 && c <= 0x44F) return c - 32;
  if (c >= 0x450 && c <= 0x45F) return c - 80;
  return c;
}

/// The character at `at`, which is moved behind it. The text is UTF-8.
char32_t next(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const unsigned char first = byte(at);
  const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
  char32_t code = more == 0 ? first : first & (0x3F >> more);
  for (std::size_t i = 1; i <= more; ++i) code = (code << 6) | (byte(at + i) & 0x3F);
  at += more + 1;
  return code;
}

std::string mapped(std::string_view text, char32_t (*map)(char32_t)) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();)
    base::append_utf8(out, static_cast<std::uint32_t>(map(next(text, at))));
  return out;
}

}  // namespace

std::string lower_text(std::string_view text) {
  return mapped(text, lower);
}
std::string upper_text(std::string_view text) {
  return mapped(text, upper);
}

std::string folded_text(std::string_view text) {
  std::string out;
  bool blank = false;
  for (const char c : lower_text(text)) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      blank = !out.empty();
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
  }
  return out;
}

}  // namespace kiln::fhir::detail
