#pragma once
// Character sets of MSH-18 (table 0211) as far as bytes of one message are turned into UTF-8 and back.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::hl7 {

enum class Unencodable : std::uint8_t { reject, replace };

/// A set Kiln knows by name. Cheap to copy, no ownership, usable from any thread.
class Charset {
 public:
  /// US-ASCII: the set of a message without MSH-18 (std 2.15.9.18).
  constexpr Charset() = default;
  static Charset ascii() { return Charset(); }
  static Charset utf8();
  static Charset latin1();  ///< ISO 8859-1

  /// Any spelling of table 0211 or a vendor name: case, spaces, dashes and underlines do not matter.
  /// nullopt for a name that is not known. The empty name is ASCII.
  static std::optional<Charset> find(std::string_view name);
  /// The set that the escape body of `\Cxxyy\` or `\Mxxyyzz\` ("C2D41") designates (std 2.7.2); nullopt when
  /// unknown.
  static std::optional<Charset> find_escape(std::string_view body);

  /// The name of table 0211: what MSH-18 says for this set.
  std::string_view name() const;
  /// False for UTF-16 and UTF-32, which are read only by their code units (ParseOptions::wide).
  bool supported() const;
  /// Delimiters can be looked for in its bytes. False for GB 18030, BIG-5, Shift-JIS, KS X 1001, CNS 11643
  /// and the ISO 2022 sets: a byte of their characters may look like a delimiter.
  bool byte_wise() const;
  /// Appends a line of a set that is not byte_wise(), from its beginning, as UTF-8. False when something was
  /// no character: that became U+FFFD.
  bool decode_line(std::string_view bytes, std::string& out) const;
  bool is_ascii() const;
  bool is_utf8() const;
  bool operator==(const Charset&) const = default;

  /// True when every byte sequence of `bytes` is a character of this set. Only for supported sets.
  bool valid(std::string_view bytes) const;
  /// Writes `bytes` as UTF-8 to `out`, which has room for 3 * bytes.size(); returns the number of bytes
  /// written. What is no character becomes U+FFFD; then *damaged is set (when given). `bytes` may lie in the
  /// last third of the same buffer. Only for supported sets.
  std::size_t to_utf8(std::string_view bytes, char* out, bool* damaged = nullptr) const;

 private:
  friend base::Result<std::string> from_utf8(std::string_view, Charset, Unencodable);
  const char* multibyte_name() const;
  constexpr explicit Charset(std::uint8_t row) : row_(row) {}
  std::uint8_t row_ = 0;
};

/// UTF-8 text in the bytes of `charset`. A character it lacks becomes '?' (replace) or is the error
/// unencodable_text, which names the code point's position but not the text. Also fails for sets that are not
/// supported.
base::Result<std::string> from_utf8(std::string_view text, Charset charset, Unencodable policy);

}  // namespace kiln::hl7
