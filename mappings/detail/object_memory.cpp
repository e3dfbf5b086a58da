#include "mappings/detail/object_memory.h"

#include "mappings/detail/text_hash.h"

namespace kiln::mappings::detail {

std::size_t ObjectMemory::hash(const ObjectKey& key) {
  return hash_text(key.maker ^ std::uint64_t{key.rule} << 40, key.text);
}

const KeptObject* ObjectMemory::find(const ObjectKey& key, std::size_t hash) const {
  if (entries_.empty()) return nullptr;
  for (std::size_t at = hash;; ++at) {
    const std::uint16_t place = places_[at & (kPlaces - 1)];
    if (place == 0) return nullptr;
    const Entry& entry = entries_[place - 1u];
    if (entry.key.maker == key.maker && entry.key.rule == key.rule && entry.key.text == key.text)
      return entry.object;
  }
}

void ObjectMemory::keep(const ObjectKey& key, std::size_t hash, const KeptObject& object) {
  if (is_full()) return;
  if (places_.empty()) places_.resize(kPlaces);
  entries_.push_back({{key.maker, key.rule, arena_.copy(key.text)}, arena_.make<KeptObject>(object)});
  std::size_t at = hash;
  while (places_[at & (kPlaces - 1)] != 0) ++at;
  places_[at & (kPlaces - 1)] = static_cast<std::uint16_t>(entries_.size());
}

void ObjectMemory::clear() {
  entries_.clear();
  places_.clear();
  arena_.reset();
}

}  // namespace kiln::mappings::detail
