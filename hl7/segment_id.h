#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace kiln::hl7 {

/// A three-character segment name as a number; 0 for anything that is not [A-Z][A-Z0-9]{2} (upper-cased
/// first).
constexpr std::uint32_t segment_id(std::string_view name) {
  if (name.size() != 3) return 0;
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    char c = name[i];
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    const bool letter = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
    if (!letter && !(digit && i > 0)) return 0;
    id = id << 8 | static_cast<unsigned char>(c);
  }
  return id;
}
std::string segment_name(std::uint32_t id);  ///< "PID"; "" for 0

}  // namespace kiln::hl7
