#pragma once
// A hash of short texts: of all bytes, eight at a time, since texts of a stream of messages often differ in
// the middle only.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kiln::mappings::detail {

/// Not the same on every machine; never for what is stored.
inline std::size_t hash_text(std::uint64_t seed, std::string_view text) {
  constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15u;
  std::uint64_t mixed = seed * kMix + text.size();
  const auto add = [&](std::uint64_t word) { mixed = (mixed ^ mixed >> 32 ^ word) * kMix; };
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t word = 0;
  for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
    std::memcpy(&word, at, sizeof word);
    add(word);
  }
  word = 0;
  for (std::size_t i = 0; i < left; ++i) word = word << 8 | static_cast<unsigned char>(at[i]);
  add(word);
  return static_cast<std::size_t>(mixed >> 24);
}

}  // namespace kiln::mappings::detail
