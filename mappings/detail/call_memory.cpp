#include "mappings/detail/call_memory.h"

#include <cstring>

#include "mappings/detail/text_hash.h"
#include "mappings/targets/output_buffer.h"

namespace kiln::mappings::detail {

std::size_t CallMemory::hash(std::uint32_t function, std::string_view key) {
  return hash_text(function, key);
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
