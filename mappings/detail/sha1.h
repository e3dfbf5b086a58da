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

/// UUIDv5 of `name` in Kiln's namespace, 36 characters into `out`.
void uuid5_into(std::string_view name, char* out);

}  // namespace kiln::mappings::detail
