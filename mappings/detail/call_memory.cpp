#include "mappings/detail/call_memory.h"

#include <cstring>

namespace kiln::mappings::detail {

/// Of the size and up to eight bytes at both ends: texts that differ in the middle only share a place.
std::size_t CallMemory::hash(std::uint32_t function, std::string_view argument) {
  std::uint64_t head = 0, tail = 0;
  const std::size_t size = argument.size();
  if (size >= sizeof head) {
    std::memcpy(&head, argument.data(), sizeof head);
    std::memcpy(&tail, argument.data() + size - sizeof tail, sizeof tail);
  } else {
    for (const char c : argument) head = head << 8 | static_cast<unsigned char>(c);
  }
  const std::uint64_t mixed = (head ^ (tail << 17 | tail >> 47)) + size + (std::uint64_t{function} << 32);
  return static_cast<std::size_t>((mixed * 0x9E3779B97F4A7C15u) >> 40);
}

const CallMemory::Call* CallMemory::find(std::uint32_t function, std::string_view argument) const {
  if (calls_.empty()) return nullptr;
  for (std::size_t at = hash(function, argument);; ++at) {
    const std::uint16_t place = places_[at & (kPlaces - 1)];
    if (place == 0) return nullptr;
    const Call& call = calls_[place - 1u];
    if (call.function == function && call.argument == argument) return &call;
  }
}

void CallMemory::keep(const Call& call) {
  if (call.argument.size() > kTextMax || call.result.size() > kTextMax) return;
  if (calls_.size() == kCallsMax) clear();
  if (places_.empty()) places_.resize(kPlaces);
  Call& kept = calls_.emplace_back(call);
  kept.argument = texts_.copy(call.argument);
  kept.result = texts_.copy(call.result);
  std::size_t at = hash(call.function, call.argument);
  while (places_[at & (kPlaces - 1)] != 0) ++at;
  places_[at & (kPlaces - 1)] = static_cast<std::uint16_t>(calls_.size());
}

void CallMemory::clear() {
  calls_.clear();
  places_.clear();
  texts_.reset();
}

}  // namespace kiln::mappings::detail
