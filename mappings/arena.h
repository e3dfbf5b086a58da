#pragma once
// Bump allocation for one run: everything a run makes is freed at once, the blocks stay for the next run.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kiln::mappings {

/// Not thread-safe. Memory is valid until reset() or destruction. Only for types without a destructor.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[gnu::always_inline]] void* allocate(std::size_t bytes, std::size_t align) {
    const std::size_t at = (used_ + align - 1) & ~(align - 1);
    if (at + bytes > size_) [[unlikely]] {
      return allocate_slow(bytes, align);
    }
    used_ = at + bytes;
    return base_ + at;
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  template <class T>
  std::span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* data = static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
    for (std::size_t i = 0; i < count; ++i) new (data + i) T{};
    return {data, count};
  }

  char* chars(std::size_t count) { return static_cast<char*>(allocate(count, 1)); }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = chars(text.size());
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  /// Frees everything; keeps the memory of an ordinary run (see kKeepBytes).
  void reset() {
    total_ = 0;
    if (blocks_.empty()) return;
    if (blocks_.size() > 1) shrink();
    used_ = 0;
  }

  /// Bytes handed out since the last reset, rounded up to whole blocks but for the current one.
  std::size_t used() const { return total_ + used_; }

 private:
  static constexpr std::size_t kFirstBytes = 64u << 10;
  static constexpr std::size_t kKeepBytes = 1u << 20;

  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t size;
  };

  [[gnu::cold, gnu::noinline]] void* allocate_slow(std::size_t bytes, std::size_t align) {
    std::size_t size = blocks_.empty() ? kFirstBytes : blocks_.back().size * 2;
    if (size > kKeepBytes * 4) size = kKeepBytes * 4;
    if (size < bytes + align) size = bytes + align;
    total_ += used_;
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
    base_ = blocks_.back().data.get();
    size_ = size;
    const auto misaligned = reinterpret_cast<std::uintptr_t>(base_) & (align - 1);
    const std::size_t at = misaligned ? align - misaligned : 0;
    used_ = at + bytes;
    return base_ + at;
  }

  void shrink() {
    // One block that would have held the whole run, so that the next one of this size needs no second block.
    std::size_t sum = 0;
    for (const Block& block : blocks_) sum += block.size;
    if (sum > kKeepBytes) sum = kKeepBytes;
    blocks_.clear();
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(sum), sum});
    base_ = blocks_.back().data.get();
    size_ = sum;
  }

  std::vector<Block> blocks_;
  char* base_ = nullptr;
  std::size_t used_ = 0, size_ = 0, total_ = 0;
};

}  // namespace kiln::mappings
