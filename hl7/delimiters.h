#pragma once
// The encoding characters of one message (std 2.5.4). They come from its header and hold for that message
// only.

#include <optional>
#include <string>
#include <string_view>

namespace kiln::hl7 {

/// '\0' means "this message has none": that level does not exist and the character is data.
/// `field` always exists. All are printable ASCII, none is a letter or digit, and no two are equal.
struct Delimiters {
  char field = '|';
  char component = '^';
  char repetition = '~';
  char escape = '\\';
  char subcomponent = '&';
  char truncation = '\0';  ///< since version 2.7, std 2.5.5.2

  bool operator==(const Delimiters&) const = default;

  /// MSH-2 as text: the characters that exist, in the order of the standard, up to the first that does not.
  std::string encoding_characters() const;
  /// True when `c` is one of the five that a plain value has to escape; the truncation character is not.
  bool separates(char c) const {
    return c != '\0' && (c == field || c == component || c == repetition || c == escape || c == subcomponent);
  }
};

/// What MSH-1 and MSH-2 say. `clean` is false when a character was refused (letter, digit, control, high byte
/// or used twice: its first meaning wins, the later delimiter does not exist) or MSH-2 is empty or longer
/// than 5.
struct DelimitersRead {
  Delimiters delimiters;
  bool clean = true;
};

/// `field` is MSH-1, `encoding` is MSH-2 verbatim. nullopt when `field` cannot separate anything
/// (letter, digit, control character or not ASCII).
std::optional<DelimitersRead> read_delimiters(char field, std::string_view encoding);

}  // namespace kiln::hl7
