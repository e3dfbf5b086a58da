#pragma once
// Objects that datatype maps, fns and tables made of a few texts: a code, a doctor, a unit come again within
// a message and in the next one, and what is made of them is the same each time (see run_objects.cpp for what
// is kept).

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "mappings/arena.h"
#include "mappings/detail/asked_before.h"
#include "mappings/targets/kept_object.h"

namespace kiln::mappings::detail {

/// Names an object: who makes it, for which rule, of what.
struct ObjectKey {
  std::uint64_t maker = 0;
  std::uint32_t rule = 0;
  std::string_view text;  ///< of the arguments
};

/// Holds copies of all it is given. Bounded: when it is full it takes no more, and renew() forgets
/// everything. Not thread-safe.
class ObjectMemory {
 public:
  static constexpr std::size_t kKeyMax = 200;

  static std::size_t hash(const ObjectKey& key);
  /// nullptr when it is not known; without a node: known as one that cannot be kept. Valid until the next
  /// clear() or renew().
  const KeptObject* find(const ObjectKey& key, std::size_t hash) const;
  /// Whether a key of this hash was asked for before, a short while ago: keeping costs more than making.
  bool comes_again(std::size_t hash) { return asked_.comes_again(hash); }
  bool is_full() const { return entries_.size() == kObjectsMax; }
  /// All that `object` refers to is of arena().
  void keep(const ObjectKey& key, std::size_t hash, const KeptObject& object);
  Arena& arena() { return arena_; }
  void clear();
  /// Between two runs: clear() when there is no room any more.
  void renew() {
    asked_.next_run();
    if (is_full() || arena_.used() > kBytesMax) clear();
  }

 private:
  static constexpr std::size_t kObjectsMax = 1024, kPlaces = 2048, kBytesMax = 2u << 20;

  struct Entry {
    ObjectKey key;
    const KeptObject* object;
  };
  std::vector<Entry> entries_;
  std::vector<std::uint16_t> places_;  ///< open-addressed: 1 + index in entries_; 0: free
  AskedBefore<2> asked_;
  Arena arena_;
};

}  // namespace kiln::mappings::detail
