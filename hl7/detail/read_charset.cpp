#include "hl7/detail/read_charset.h"

#include <algorithm>

#include "engine/base/text.h"

namespace kiln::hl7::detail {
namespace {

using base::ErrorCode;
using base::Severity;

/// A set that is not supported is harmless while the message holds ASCII only; anything else would be split at the wrong
/// bytes.
base::Status refuse_unsupported(const MessageData& data, bool high, Charset charset, bool alternate = false) {
  const bool escapes = data.bytes.find('\x1b') != std::string::npos;
  if (!escapes && (alternate || !high)) return {};
  return base::fail(ErrorCode::charset_unsupported,
                    "the message uses characters of " + std::string(charset.name()), "MSH-18",
                    "ask the sender for UNICODE UTF-8");
}

base::Status read_msh_18(MessageData& data, bool high) {
  if (data.separators(data.rows[0]) < 17) return {};
  const std::uint32_t begin = data.marks()[16] + 1, end = data.marks()[17];
  const std::string_view field = std::string_view(data.bytes).substr(begin, end - begin);
  if (base::trim(field).empty()) return {};
  std::vector<Charset> seen;  // each once: what a set costs must not be paid for every repetition
  std::size_t at = 0;
  for (std::uint32_t repetition = 1; at <= field.size(); ++repetition) {
    const std::size_t cut =
        data.delimiters.repetition == '\0' ? field.npos : field.find(data.delimiters.repetition, at);
    const std::string_view name = base::trim(field.substr(at, cut - at));
    const std::uint32_t offset = begin + static_cast<std::uint32_t>(at);
    at = cut == field.npos ? field.size() + 1 : cut + 1;
    if (name == "\"\"" || (name.empty() && repetition > 1)) continue;
    const auto found = Charset::find(name);
    if (!found) {
      data.note(ErrorCode::unknown_charset, Severity::warning, {0, 18, repetition, 1, 1}, offset,
                "the channel's default character set is used");
    } else if (repetition == 1) {
      data.charset = *found;
    } else if (std::find(seen.begin(), seen.end(), *found) == seen.end()) {
      seen.push_back(*found);
      if (found->supported()) {
        data.alternates.push_back(*found);
      } else {
        TRY_VOID(refuse_unsupported(data, high, *found, true));
      }
    }
  }
  return {};
}

void note_bad_bytes(MessageData& data) {
  const std::string_view bytes = data.bytes;
  for (std::uint32_t s = 0; s < data.row_count; ++s) {
    const SegmentRow& row = data.rows[s];
    if (!has_high_byte(bytes.substr(row.offset, data.end(row) - row.offset))) continue;
    const std::uint32_t shift = data.is_header(row) ? 2 : 1;
    for (std::uint32_t i = 0; i < data.separators(row); ++i) {
      const std::uint32_t begin = data.marks()[row.first + i] + 1;
      const std::uint32_t end = data.marks()[row.first + i + 1];
      const std::string_view field = bytes.substr(begin, end - begin);
      if (!has_high_byte(field) || data.charset.valid(field)) continue;
      data.note(ErrorCode::bad_charset_bytes, Severity::warning, {s, i + shift, 0, 0, 0}, begin,
                "the field holds bytes that are no characters of the message's character set");
    }
  }
}

}  // namespace

base::Status read_charset(MessageData& data, const ParseOptions& options, bool high) {
  data.charset = options.charset_default;
  if (options.charset_override) {
    data.charset = *options.charset_override;
  } else if (data.has_header && data.rows[0].id == segment_id("MSH")) {
    TRY_VOID(read_msh_18(data, high));
  }
  if (!data.charset.supported()) {
    TRY_VOID(refuse_unsupported(data, high, data.charset));
    data.charset = Charset::ascii();
  }
  if (!data.charset.byte_wise() || !high) return {};
  const bool utf8 = data.charset.is_utf8() && base::is_valid_utf8(data.bytes);
  data.recode_high = !utf8;
  // Where escapes may switch sets, only decoding can tell what is a character: check_text() does.
  if (!utf8 && data.alternates.empty()) note_bad_bytes(data);
  return {};
}

std::optional<Charset> set_to_convert(const MessageData& data, bool high) {
  if (data.charset.byte_wise() && data.alternates.empty()) return std::nullopt;
  const bool escapes = data.bytes.find('\x1b') != std::string::npos;
  if (!data.charset.byte_wise())
    return escapes || high || data.has_escape ? std::optional(data.charset) : std::nullopt;
  const auto japanese = std::find_if(data.alternates.begin(), data.alternates.end(),
                                     [](const Charset& set) { return !set.byte_wise(); });
  const bool ascii_based = data.charset.is_ascii() || data.charset.name() == "ISO IR14";
  if (!escapes || !ascii_based || japanese == data.alternates.end()) return std::nullopt;
  return *japanese;
}

}  // namespace kiln::hl7::detail
