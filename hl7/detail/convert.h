#pragma once
// Messages that cannot be split at bytes, as UTF-8.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "hl7/charset.h"
#include "hl7/detail/message_data.h"

namespace kiln::hl7::detail {

struct Converted {
  std::string text;
  std::vector<MessageData::LineStart> lines;
  bool clean = true;           ///< nothing became U+FFFD
  const char* wide = nullptr;  ///< set by convert_wide
};

/// Line by line, because every line begins in the set's first state. CR and LF are never part of a longer
/// character in these sets.
/// Error limit_exceeded: the lines are so short that the memory for listing them is out of proportion.
base::Result<Converted> convert_lines(std::string_view bytes, Charset set);
/// UTF-16 and UTF-32; `wide` is a result of wide_set().
base::Result<Converted> convert_wide(std::string_view bytes, const char* wide);

}  // namespace kiln::hl7::detail
