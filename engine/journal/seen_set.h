#pragma once
// The dedupe window in memory: 8 bytes of each key and the message it belongs to. Not thread-safe.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

namespace kiln::engine {

/// Open addressing, grows by doubling; holds at most `capacity` keys and forgets the oldest. A hit only says
/// "perhaps": the full key is compared with the stored message. 24 bytes a key at most.
class SeenSet {
 public:
  /// The first bytes of a key that messages with one MSH-10 share (DedupeKey).
  static constexpr std::size_t kNameBytes = 4;

  explicit SeenSet(std::size_t capacity) : capacity_(capacity) {}

  void add(std::uint64_t key, std::uint64_t id) {
    if (key == 0) return;
    if (order_.size() >= capacity_) forget_oldest();
    if ((used_ + 1) * 2 > slots_.size()) rebuild(slots_.empty() ? 1024 : order_.size() * 4);
    place(key, id);
    order_.emplace_back(key, id);
  }

  /// The id last added for that key, or 0.
  std::uint64_t find(std::uint64_t key) const {
    if (slots_.empty() || key == 0) return 0;
    for (std::size_t at = slot_of(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].first == key) return slots_[at].second;
      if (slots_[at].first == 0) return 0;
    }
  }

  std::size_t size() const { return order_.size(); }

 private:
  std::size_t slot_of(std::uint64_t key) const {
    return (key * 0x9e3779b97f4a7c15ULL >> 20) & (slots_.size() - 1);
  }

  void place(std::uint64_t key, std::uint64_t id) {
    std::size_t at = slot_of(key);
    while (slots_[at].first != 0 && slots_[at].first != key) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].first == 0) ++used_;
    slots_[at] = {key, id};
  }

  /// A forgotten key keeps its slot with id 0 until the next rebuild, so that probing chains stay whole.
  void forget_oldest() {
    const auto [key, id] = order_.front();
    order_.pop_front();
    for (std::size_t at = slot_of(key); slots_[at].first != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].first != key) continue;
      if (slots_[at].second == id) slots_[at].second = 0;
      return;
    }
  }

  void rebuild(std::size_t wanted) {
    std::size_t size = 1024;
    while (size < wanted) size *= 2;
    slots_.assign(size, {0, 0});
    used_ = 0;
    for (const auto& [key, id] : order_) place(key, id);
  }

  std::size_t capacity_;
  std::size_t used_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> slots_;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> order_;
};

/// The newest message by the part of a key that messages with one MSH-10 share: a hit only says "perhaps". 16 bytes an
/// entry. Forgets messages that are more than `capacity` numbers old, when it grows. Not thread-safe.
class NameSet {
 public:
  explicit NameSet(std::size_t capacity) : capacity_(capacity) {}

  void add(std::uint64_t key, std::uint64_t id) {
    newest_ = std::max(newest_, id);
    if ((used_ + 1) * 2 > slots_.size()) grow();
    place(name_of(key), static_cast<std::uint32_t>(id));
  }

  /// The message last added with that name, or 0.
  std::uint64_t find(std::uint64_t key) const {
    const std::uint32_t name = name_of(key);
    if (slots_.empty() || name == 0) return 0;
    for (std::size_t at = slot_of(name); slots_[at].name != 0; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at].name == name) return newest_ - static_cast<std::uint32_t>(newest_ - slots_[at].id);
    return 0;
  }

 private:
  struct Slot {
    std::uint32_t name = 0, id = 0;  ///< low half of the number; the newest one tells the rest
  };

  static std::uint32_t name_of(std::uint64_t key) {
    std::uint32_t name;
    static_assert(sizeof name == SeenSet::kNameBytes);
    std::memcpy(&name, &key, sizeof name);
    return name;
  }
  std::size_t slot_of(std::uint32_t name) const {
    return (name * 0x9e3779b97f4a7c15ULL >> 20) & (slots_.size() - 1);
  }
  void place(std::uint32_t name, std::uint32_t id) {
    if (name == 0) return;
    std::size_t at = slot_of(name);
    while (slots_[at].name != 0 && slots_[at].name != name) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].name == 0) ++used_;
    slots_[at] = {name, id};
  }
  void grow() {
    const std::vector<Slot> old = std::move(slots_);
    std::size_t kept = 0;
    const auto is_young = [this](const Slot& slot) {
      return slot.name != 0 && static_cast<std::uint32_t>(newest_ - slot.id) < capacity_;
    };
    for (const Slot& slot : old) kept += is_young(slot);
    std::size_t size = 1024;
    while (size < kept * 4) size *= 2;
    slots_.assign(size, {});
    used_ = 0;
    for (const Slot& slot : old)
      if (is_young(slot)) place(slot.name, slot.id);
  }

  std::size_t capacity_;
  std::size_t used_ = 0;
  std::uint64_t newest_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace kiln::engine
