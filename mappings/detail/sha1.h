#pragma once
// SHA-1 for UUIDv5 only (RFC 4122 §4.3), where collision resistance does not matter and a message needs a
// dozen of them: the processor's SHA instructions where it has them, plain code elsewhere.

#include <array>
#include <cstdint>
#include <string_view>

namespace kiln::mappings::detail {

/// 20 bytes.
std::array<unsigned char, 20> sha1(std::string_view bytes);
/// As sha1(), never with the SHA instructions; the two agree.
std::array<unsigned char, 20> sha1_plain(std::string_view bytes);

/// The first block that was hashed last, and the state behind it: the names of a message begin alike. Not
/// thread-safe.
struct FirstBlock {
  std::array<char, 64> bytes{};
  std::array<std::uint32_t, 5> state{};
  bool known = false;
};

/// UUIDv5 of `name` in Kiln's namespace, 36 characters into `out`.
void uuid5_into(std::string_view name, char* out);
void uuid5_into(std::string_view name, char* out, FirstBlock& first);

}  // namespace kiln::mappings::detail
