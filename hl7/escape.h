#pragma once
// Escape sequences of one leaf (std 2.7). Split first, decode each leaf once, never look at the output again.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "hl7/charset.h"
#include "hl7/delimiters.h"

namespace kiln::hl7 {

/// What decoding depends on. `alternates` are the sets an escape may switch to (MSH-18 repetitions 2 and on).
struct TextRules {
  Delimiters delimiters;
  Charset charset;
  const std::vector<Charset>* alternates = nullptr;  ///< not owned; may be null
  /// The text is UTF-8 already (Message::converted()), and only `\X..\` holds bytes of `charset`.
  bool converted = false;
};

/// One oddity met while decoding: bad_escape, unknown_escape, stray_escape or bad_charset_bytes.
struct EscapeNote {
  base::ErrorCode code;
  std::uint32_t offset;  ///< byte in the raw leaf
};

/// Decodes `raw` to UTF-8. `out` has room for 3 * raw.size() bytes; returns how many were written.
/// Kept as written: formatting commands (`\.br\ \H\ \N\` …), `\Z…\`, unknown and malformed sequences.
std::size_t decode_to(std::string_view raw, const TextRules& rules, char* out,
                      std::vector<EscapeNote>* notes = nullptr);
std::string decode(std::string_view raw, const TextRules& rules, std::vector<EscapeNote>* notes = nullptr);

/// What the text to write is.
enum class TextKind : std::uint8_t {
  plain,     ///< every escape character is data; decode(encode(x)) = x for every UTF-8 string
  hl7_text,  ///< well-formed formatting and unknown sequences stand for themselves (text that decode() gave)
};

/// Escapes delimiters, CR, LF and all other C0 controls of UTF-8 `text`, in one pass; appends to `out`.
/// The plain text `""` is written in hexadecimal, because as it stands it would mean null.
/// Error no_escape_character when something must be escaped and `delimiters` has no escape character; then
/// `out` is unchanged.
base::Status encode(std::string_view text, const Delimiters& delimiters, TextKind kind, std::string& out);

enum class Rendering : std::uint8_t {
  plain,  ///< .br .sp .ce become line feeds, .sk .in .ti spaces, highlighting is dropped
  html,   ///< the same as <br/>, &#160; and <b>; text is escaped for HTML
};
/// Text of a formatted leaf (FT, TX, CF; std 2.7.1, 2.7.7) with its commands carried out. Counts in commands
/// are capped at 100.
std::string render(std::string_view raw, const TextRules& rules, Rendering rendering);

}  // namespace kiln::hl7
