#pragma once
// Character sets whose characters are more than one byte, by way of iconv. Nothing here fails: what is no
// character becomes U+FFFD, or nothing when writing, and the result says so.

#include <string>
#include <string_view>

namespace kiln::hl7::detail {

/// Appends `bytes` of the set that iconv calls `set`, as UTF-8. False when something was no character.
bool multibyte_to_utf8(const char* set, std::string_view bytes, std::string& out);
/// One character of UTF-8 in the bytes of that set; empty when it is not there.
std::string multibyte_from_utf8(const char* set, std::string_view character);

/// ISO 2022 with the Japanese sets (table 0211: ISO IR14, IR87, IR159).
enum class JapaneseSet : unsigned char {
  base,        ///< ASCII, and katakana above 0x7F
  katakana,    ///< JIS X 0201 with seven bits
  kanji,       ///< JIS X 0208, two bytes
  more_kanji,  ///< JIS X 0212, two bytes
};
/// `start` holds until an escape sequence or a control character, which returns to `base`.
bool iso2022_to_utf8(std::string_view bytes, JapaneseSet start, std::string& out);
/// Appends one character and the escape sequence it needs; `now` is the set that is in force. False when it
/// is in none of the sets.
bool iso2022_from_utf8(std::string_view character, JapaneseSet& now, std::string& out);

/// How the code units of text without single-byte delimiters lie, by byte order mark or by the first letters;
/// null when it is none of them. The name is iconv's.
const char* wide_set(std::string_view bytes);

}  // namespace kiln::hl7::detail
