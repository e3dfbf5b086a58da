#pragma once
// One reading of an escape sequence, shared by decoding, encoding and rendering.

#include <cstddef>
#include <string_view>

#include "hl7/delimiters.h"

namespace kiln::hl7::detail {

enum class SequenceKind {
  delimiter,   ///< \F\ \S\ \T\ \R\ \E\ \P\: `character`
  hex,         ///< \X..\ with whole bytes: `body` is the digits
  bad_hex,     ///< \X..\ without
  switch_set,  ///< \Cxxyy\ \Mxxyyzz\: `body` with its letter
  format,      ///< \H\ \N\ \.br\ …: `body`
  local,       ///< \Z…\.
  unknown,     ///< closed and well-formed, meaning not known
  stray,       ///< opens no sequence; size is 1
};

struct Sequence {
  SequenceKind kind = SequenceKind::stray;
  std::size_t size = 1;  ///< bytes with both escape characters
  char character = '\0';
  std::string_view body;
};

/// `text` starts with the escape character.
Sequence read_sequence(std::string_view text, const Delimiters& delimiters);

/// 0..15, or -1.
int hex_digit(char c);

struct FormatCommand {
  std::string_view name;  ///< "H", "N", ".br", …
  unsigned count = 0;     ///< its number, capped at 100; 0 when absent or negative
  bool has_count = false;
};
FormatCommand read_format(std::string_view body);

}  // namespace kiln::hl7::detail
