#include "hl7/charset.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "engine/base/text.h"
#include "hl7/detail/multibyte.h"

namespace kiln::hl7 {
namespace {

enum class Kind : std::uint8_t { ascii, utf8, latin1, table, multibyte, japanese, unsupported };

struct Row {
  Kind kind;
  std::string_view name;       ///< of table 0211, or the vendor's
  const char* iconv;           ///< its name there; null where iconv is not asked by name
  std::string_view spellings;  ///< normal forms, separated by spaces
};

constexpr std::array kRows = {
    Row{Kind::ascii, "ASCII", nullptr, "ASCII USASCII ISOIR6 ISO646 646 7BIT"},
    Row{Kind::utf8, "UNICODE UTF-8", nullptr, "UNICODEUTF8 UTF8 UNICODE ISOIR192"},
    Row{Kind::latin1, "8859/1", nullptr, "88591 ISO88591 LATIN1 ISOIR100"},
    Row{Kind::table, "8859/2", "ISO-8859-2", "88592 ISO88592 LATIN2 ISOIR101"},
    Row{Kind::table, "8859/3", "ISO-8859-3", "88593 ISO88593 ISOIR109"},
    Row{Kind::table, "8859/4", "ISO-8859-4", "88594 ISO88594 ISOIR110"},
    Row{Kind::table, "8859/5", "ISO-8859-5", "88595 ISO88595 ISOIR144"},
    Row{Kind::table, "8859/6", "ISO-8859-6", "88596 ISO88596 ISOIR127"},
    Row{Kind::table, "8859/7", "ISO-8859-7", "88597 ISO88597 ISOIR126"},
    Row{Kind::table, "8859/8", "ISO-8859-8", "88598 ISO88598 ISOIR138"},
    Row{Kind::table, "8859/9", "ISO-8859-9", "88599 ISO88599 ISOIR148"},
    Row{Kind::table, "8859/10", "ISO-8859-10", "885910 ISO885910"},
    Row{Kind::table, "8859/11", "ISO-8859-11", "885911 ISO885911 ISOIR166"},
    Row{Kind::table, "8859/13", "ISO-8859-13", "885913 ISO885913"},
    Row{Kind::table, "8859/14", "ISO-8859-14", "885914 ISO885914"},
    Row{Kind::table, "8859/15", "ISO-8859-15", "885915 ISO885915 LATIN9"},
    Row{Kind::table, "8859/16", "ISO-8859-16", "885916 ISO885916"},
    Row{Kind::table, "WINDOWS-1250", "CP1250", "WINDOWS1250 CP1250"},
    Row{Kind::table, "WINDOWS-1251", "CP1251", "WINDOWS1251 CP1251"},
    Row{Kind::table, "WINDOWS-1252", "CP1252", "WINDOWS1252 CP1252 ANSI"},
    Row{Kind::table, "WINDOWS-1253", "CP1253", "WINDOWS1253 CP1253"},
    Row{Kind::table, "WINDOWS-1254", "CP1254", "WINDOWS1254 CP1254"},
    Row{Kind::table, "WINDOWS-1255", "CP1255", "WINDOWS1255 CP1255"},
    Row{Kind::table, "WINDOWS-1256", "CP1256", "WINDOWS1256 CP1256"},
    Row{Kind::table, "WINDOWS-1257", "CP1257", "WINDOWS1257 CP1257"},
    Row{Kind::table, "WINDOWS-1258", "CP1258", "WINDOWS1258 CP1258"},
    // Its upper half; the lower half is read as ASCII, since the delimiters are.
    Row{Kind::table, "ISO IR14", nullptr, "ISOIR14 ISOIR13 JISX0201"},
    Row{Kind::japanese, "ISO IR87", nullptr, "ISOIR87 JISX0208 ISO2022JP"},
    Row{Kind::japanese, "ISO IR159", nullptr, "ISOIR159 JISX0212"},
    Row{Kind::multibyte, "GB 18030-2000", "GB18030", "GB180302000 GB18030 GBK GB2312"},
    Row{Kind::multibyte, "KS X 1001", "CP949", "KSX1001 EUCKR CP949"},
    Row{Kind::multibyte, "CNS 11643-1992", "EUC-TW", "CNS116431992 CNS11643"},
    Row{Kind::multibyte, "BIG-5", "BIG5-HKSCS", "BIG5"},
    Row{Kind::unsupported, "UNICODE UTF-16", nullptr, "UNICODEUTF16 UTF16"},
    Row{Kind::unsupported, "UNICODE UTF-32", nullptr, "UNICODEUTF32 UTF32"},
    Row{Kind::multibyte, "SHIFT-JIS", "CP932", "SHIFTJIS SJIS CP932 WINDOWS31J"},
};

constexpr std::uint8_t kUtf8 = 1, kLatin1 = 2;

/// Code points of bytes 0x80 to 0xFF; 0 = no character.
using HighHalf = std::array<std::uint16_t, 128>;

HighHalf read_high_half(const char* name) {
  HighHalf half{};
  if (name == nullptr) {
    // JIS X 0201: half-width katakana at 0xA1 to 0xDF. iconv has it only inside Shift-JIS.
    for (std::size_t i = 0x21; i <= 0x5F; ++i) half[i] = static_cast<std::uint16_t>(0xFF61 + i - 0x21);
    return half;
  }
  const iconv_t converter = iconv_open("UTF-16LE", name);
  if (converter == reinterpret_cast<iconv_t>(-1)) return half;
  for (std::size_t i = 0; i < half.size(); ++i) {
    char byte = static_cast<char>(0x80 + i);
    unsigned char unit[8] = {};
    char *in = &byte, *out = reinterpret_cast<char*>(unit);
    std::size_t in_left = 1, out_left = sizeof unit;
    const bool done = iconv(converter, &in, &in_left, &out, &out_left) != static_cast<std::size_t>(-1);
    // Some converters hold a character back until they know that no combining mark follows.
    iconv(converter, nullptr, nullptr, &out, &out_left);
    if (done && sizeof unit - out_left >= 2) half[i] = static_cast<std::uint16_t>(unit[0] | unit[1] << 8);
  }
  iconv_close(converter);
  return half;
}

const HighHalf& high_half(std::uint8_t row) {
  static std::array<HighHalf, kRows.size()> halves;
  static std::array<std::once_flag, kRows.size()> made;
  std::call_once(made[row], [row] { halves[row] = read_high_half(kRows[row].iconv); });
  return halves[row];
}

std::string normal_form(std::string_view name) {
  std::string normal;
  for (const char c : base::upper_ascii(name)) {
    if (c != ' ' && c != '-' && c != '_' && c != '/') normal += c;
  }
  return normal;
}

bool lists(std::string_view words, std::string_view word) {
  for (const std::string_view candidate : base::split(words, ' ')) {
    if (candidate == word) return true;
  }
  return false;
}

/// Bytes of the UTF-8 character at the front; 0 when there is none.
std::size_t utf8_size(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xC2 && first < 0xE0   ? 2
                           : first >= 0xE0 && first < 0xF0 ? 3
                           : first < 0xF5                  ? 4
                                                           : 0;
  if (first < 0xC2 || size == 0 || bytes.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xE0 && at(1) < 0xA0) return 0;
  if (first == 0xED && at(1) > 0x9F) return 0;
  if (first == 0xF0 && at(1) < 0x90) return 0;
  if (first == 0xF4 && at(1) > 0x8F) return 0;
  return size;
}

char* put_code_point(char* out, std::uint32_t point) {
  if (point < 0x80) {
    *out++ = static_cast<char>(point);
  } else if (point < 0x800) {
    *out++ = static_cast<char>(0xC0 | point >> 6);
    *out++ = static_cast<char>(0x80 | (point & 0x3F));
  } else {
    *out++ = static_cast<char>(0xE0 | point >> 12);
    *out++ = static_cast<char>(0x80 | (point >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (point & 0x3F));
  }
  return out;
}

constexpr std::uint32_t kReplacement = 0xFFFD;

/// Code point of a byte above 0x7F; 0 = none. Not for UTF-8.
std::uint32_t high_point(Kind kind, std::uint8_t row, unsigned char byte) {
  if (kind == Kind::latin1) return byte;
  if (kind == Kind::table) return high_half(row)[byte - 0x80u];
  return 0;
}

}  // namespace

Charset Charset::utf8() {
  return Charset(kUtf8);
}
Charset Charset::latin1() {
  return Charset(kLatin1);
}

std::optional<Charset> Charset::find(std::string_view name) {
  // Asked for every message: the spellings of nearly all of them need no work.
  if (name.empty() || name == "ASCII") return ascii();
  if (name == "UNICODE UTF-8" || name == "UTF-8") return utf8();
  if (name == "8859/1") return latin1();
  const std::string normal = normal_form(name);
  if (normal.empty()) return ascii();
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (lists(kRows[i].spellings, normal)) return Charset(static_cast<std::uint8_t>(i));
  }
  return std::nullopt;
}

std::optional<Charset> Charset::find_escape(std::string_view body) {
  // Second and third byte of the ISO 2022 designation, by the registration that table 0211 names.
  struct Designation {
    std::string_view body, name;
  };
  static constexpr std::array kDesignations = {
      Designation{"C2842", "ASCII"},    Designation{"C284A", "ISO IR14"},    Designation{"C2949", "ISO IR14"},
      Designation{"C2D41", "8859/1"},   Designation{"C2D42", "8859/2"},      Designation{"C2D43", "8859/3"},
      Designation{"C2D44", "8859/4"},   Designation{"C2D4C", "8859/5"},      Designation{"C2D47", "8859/6"},
      Designation{"C2D46", "8859/7"},   Designation{"C2D48", "8859/8"},      Designation{"C2D4D", "8859/9"},
      Designation{"M2442", "ISO IR87"}, Designation{"M242844", "ISO IR159"},
  };
  const std::string upper = base::upper_ascii(body);
  for (const Designation& designation : kDesignations) {
    if (designation.body == upper) return find(designation.name);
  }
  return std::nullopt;
}

std::string_view Charset::name() const {
  return kRows[row_].name;
}
bool Charset::supported() const {
  return kRows[row_].kind != Kind::unsupported;
}
const char* Charset::multibyte_name() const {
  return kRows[row_].kind == Kind::multibyte ? kRows[row_].iconv : nullptr;
}
bool Charset::is_ascii() const {
  return kRows[row_].kind == Kind::ascii;
}
bool Charset::is_utf8() const {
  return kRows[row_].kind == Kind::utf8;
}

bool Charset::byte_wise() const {
  const Kind kind = kRows[row_].kind;
  return kind != Kind::multibyte && kind != Kind::japanese;
}

bool Charset::decode_line(std::string_view bytes, std::string& out) const {
  const Row& row = kRows[row_];
  if (row.kind == Kind::multibyte) return detail::multibyte_to_utf8(row.iconv, bytes, out);
  return detail::iso2022_to_utf8(bytes, detail::JapaneseSet::base, out);
}

bool Charset::valid(std::string_view bytes) const {
  const Kind kind = kRows[row_].kind;
  if (!byte_wise()) {
    std::string ignored;
    return decode_line(bytes, ignored);
  }
  if (kind == Kind::utf8) return base::is_valid_utf8(bytes);
  return std::all_of(bytes.begin(), bytes.end(), [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 || high_point(kind, row_, byte) != 0;
  });
}

std::size_t Charset::to_utf8(std::string_view bytes, char* out, bool* damaged) const {
  char* const begin = out;
  const Kind kind = kRows[row_].kind;
  if (!byte_wise()) {
    std::string text;
    const bool kanji = kRows[row_].name == "ISO IR87";
    const auto start = kanji ? detail::JapaneseSet::kanji : detail::JapaneseSet::more_kanji;
    const bool clean = kind == Kind::multibyte ? detail::multibyte_to_utf8(kRows[row_].iconv, bytes, text)
                                               : detail::iso2022_to_utf8(bytes, start, text);
    if (!clean && damaged != nullptr) *damaged = true;
    std::memcpy(out, text.data(), text.size());
    return text.size();
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x80) {
      *out++ = static_cast<char>(byte);
      ++at;
      continue;
    }
    if (kind == Kind::utf8) {
      if (const std::size_t size = utf8_size(bytes.substr(at)); size > 0) {
        std::memmove(out, bytes.data() + at, size);
        out += size;
        at += size;
        continue;
      }
    }
    const std::uint32_t point = kind == Kind::utf8 ? 0 : high_point(kind, row_, byte);
    if (point == 0 && damaged != nullptr) *damaged = true;
    out = put_code_point(out, point == 0 ? kReplacement : point);
    ++at;
  }
  return static_cast<std::size_t>(out - begin);
}

namespace {

/// The bytes of one character of a single-byte set.
std::string single_byte(std::string_view character, Charset charset) {
  for (unsigned byte = 0x80; byte < 0x100; ++byte) {
    char buffer[4];
    const char one = static_cast<char>(byte);
    bool damaged = false;
    const std::size_t made = charset.to_utf8({&one, 1}, buffer, &damaged);
    if (!damaged && std::string_view(buffer, made) == character) return {one};
  }
  return {};
}

}  // namespace

base::Result<std::string> from_utf8(std::string_view text, Charset charset, Unencodable policy) {
  if (!charset.supported()) {
    return base::fail(base::ErrorCode::charset_unsupported,
                      "nothing can be written in " + std::string(charset.name()));
  }
  std::string out;
  out.reserve(text.size());
  const char* const multibyte = charset.multibyte_name();
  auto now = detail::JapaneseSet::base;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_size(text.substr(at));
    const std::string_view character = text.substr(at, std::max<std::size_t>(size, 1));
    at += character.size();
    bool written = false;
    if (size != 0 && !charset.byte_wise() && multibyte == nullptr) {
      written = detail::iso2022_from_utf8(character, now, out);
    } else if (size == 1 || (size != 0 && charset.is_utf8())) {
      out += character;
      written = true;
    } else if (size != 0) {
      const std::string bytes = multibyte == nullptr ? single_byte(character, charset)
                                                     : detail::multibyte_from_utf8(multibyte, character);
      out += bytes;
      written = !bytes.empty();
    }
    if (written) continue;
    if (policy == Unencodable::reject) {
      return base::fail(base::ErrorCode::unencodable_text, std::string(charset.name()) + " lacks a character",
                        "byte " + std::to_string(at - character.size()));
    }
    if (now != detail::JapaneseSet::base)
      detail::iso2022_from_utf8("?", now, out);
    else
      out += '?';
  }
  // Text ends as it began, so that what stands behind it is read in the same set.
  if (now != detail::JapaneseSet::base) out += "\x1b(B";
  return out;
}

}  // namespace kiln::hl7
