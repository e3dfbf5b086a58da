#pragma once
// The character set of a message: MSH-18 and the options of the parser.

#include <optional>

#include "hl7/detail/message_data.h"
#include "hl7/message.h"

namespace kiln::hl7::detail {

/// Sets charset, alternates and recode_high of `data`, whose rows and marks are made. `high`: it holds bytes
/// above 0x7F. Error charset_unsupported.
base::Status read_charset(MessageData& data, const ParseOptions& options, bool high);
/// The set whose characters may hold bytes that look like delimiters, when the message uses it.
std::optional<Charset> set_to_convert(const MessageData& data, bool high);

}  // namespace kiln::hl7::detail
