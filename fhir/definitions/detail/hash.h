#pragma once
// The hash of the generated tables' open-addressing indexes. The generator and the look-up must agree on it.

#include <cstdint>
#include <string_view>

namespace kiln::fhir::detail {

/// `owner` is the type row a member name belongs to; type names themselves use kNone.
constexpr std::uint32_t name_hash(std::uint32_t owner, std::string_view name) {
  std::uint32_t hash = 2166136261u ^ (owner * 0x9E3779B1u);
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash ^ (hash >> 15);
}

}  // namespace kiln::fhir::detail
