#include "mappings/detail/call_memory.h"

#include <cstring>

#include "mappings/targets/output_buffer.h"

namespace kiln::mappings::detail {

/// Of all bytes, eight at a time: texts of a stream of messages often differ in the middle only.
std::size_t CallMemory::hash(std::uint32_t function, std::string_view key) {
  constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15u;
  std::uint64_t mixed = (std::uint64_t{function} << 32) + key.size();
  std::uint64_t word = 0;
  for (; key.size() > sizeof word; key.remove_prefix(sizeof word)) {
    std::memcpy(&word, key.data(), sizeof word);
    mixed = (mixed ^ word) * kMix;
    mixed ^= mixed >> 32;
  }
  word = 0;
  if (!key.empty()) std::memcpy(&word, key.data(), key.size());
  return static_cast<std::size_t>(((mixed ^ word) * kMix) >> 40);
}

const CallMemory::Call* CallMemory::find(std::uint32_t function, std::string_view key) const {
  if (calls_.empty()) return nullptr;
  for (std::size_t at = hash(function, key);; ++at) {
    const std::uint16_t place = places_[at & (kPlaces - 1)];
    if (place == 0) return nullptr;
    const Call& call = calls_[place - 1u];
    if (call.function == function && call.key == key) return &call;
  }
}

std::string_view CallMemory::quoted(std::string_view text) {
  char* const kept = texts_.chars(text.size() + 2 + PaddedText::kBlock);
  std::memset(kept, ' ', text.size() + 2 + PaddedText::kBlock);
  kept[0] = '"';
  std::memcpy(kept + 1, text.data(), text.size());
  kept[text.size() + 1] = '"';
  return {kept + 1, text.size()};
}

void CallMemory::keep(const Call& call) {
  if (calls_.size() == kCallsMax || call.key.size() > kKeyMax || call.result.size() > kKeyMax ||
      call.note.value.size() > kKeyMax)
    return;
  if (places_.empty()) places_.resize(kPlaces);
  Call& kept = calls_.emplace_back(call);
  kept.key = texts_.copy(call.key);
  if (!call.result.empty()) kept.result = quoted(call.result);
  kept.quoted = !call.result.empty();
  for (const char c : call.result)
    kept.quoted = kept.quoted && static_cast<unsigned char>(c) >= ' ' && c != '"' && c != '\\';
  kept.note.what = texts_.copy(call.note.what);
  kept.note.value = texts_.copy(call.note.value);
  std::size_t at = hash(call.function, call.key);
  while (places_[at & (kPlaces - 1)] != 0) ++at;
  places_[at & (kPlaces - 1)] = static_cast<std::uint16_t>(calls_.size());
}

void CallMemory::clear() {
  if (calls_.empty()) return;
  calls_.clear();
  places_.clear();
  texts_.reset();
}

}  // namespace kiln::mappings::detail
