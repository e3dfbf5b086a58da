#pragma once
// Text and byte helpers with no better home.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::base {

std::string_view trim(std::string_view text);  ///< ASCII white space on both ends
std::string lower_ascii(std::string_view text);
std::string upper_ascii(std::string_view text);
bool equals_ignore_case(std::string_view a, std::string_view b);  ///< ASCII
std::vector<std::string_view> split(std::string_view text, char separator);  ///< empty parts kept; one part for ""
bool is_valid_utf8(std::string_view text);
void append_utf8(std::string& out, std::uint32_t code_point);
std::string hex(std::string_view bytes);  ///< lower case
std::string base64_encode(std::string_view bytes);
/// Strict RFC 4648 with padding; false when it is not base64.
bool base64_decode(std::string_view text, std::string& out);

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);
std::string sha256(std::string_view bytes);      ///< 32 raw bytes
std::string sha256_hex(std::string_view bytes);
/// RFC 4122 §4.3 version 5 of `name` in the namespace UUID `space` (16 raw bytes), as 36 characters.
std::string uuid5(std::string_view space, std::string_view name);
/// 16 raw bytes of a textual UUID; empty when it is none.
std::string uuid_bytes(std::string_view text);
/// A version 4 UUID of the given random bits.
std::string uuid4(std::uint64_t high, std::uint64_t low);

}  // namespace kiln::base
