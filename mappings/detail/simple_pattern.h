#pragma once
// Regular expressions that need no automaton: those of nearly all maps look at a few characters from the
// begin.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace kiln::mappings::detail {

/// A pattern that begins with `^` and is a row of ASCII characters and classes, each perhaps with `?`, `*`,
/// `+` or a count, where what follows a repetition cannot begin with what is repeated: reading from left to
/// right decides, without a way back. Immutable.
class SimplePattern {
 public:
  /// nullopt: the pattern is not one of these. The same syntax as RE2.
  static std::optional<SimplePattern> of(std::string_view pattern);
  /// The same answer as RE2::PartialMatch.
  bool matches(std::string_view text) const;

 private:
  using Class = std::array<std::uint64_t, 2>;  ///< a bit for each ASCII character
  struct Piece {
    Class characters{};
    std::uint32_t least = 1, most = 1;
  };
  static bool holds(const Class& characters, char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && (characters[byte >> 6] >> (byte & 63) & 1) != 0;
  }
  static void add(Class& characters, char c) {
    const auto byte = static_cast<unsigned char>(c);
    characters[byte >> 6] |= std::uint64_t{1} << (byte & 63);
  }
  static bool read_class(std::string_view& rest, Class& characters);
  static bool read_count(std::string_view& rest, Piece& piece);
  bool is_decided() const;

  std::vector<Piece> pieces_;
  bool to_end_ = false;  ///< ends with `$`
};

}  // namespace kiln::mappings::detail
