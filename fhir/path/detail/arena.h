#pragma once
// Memory of one evaluation: everything is freed at once, or back to a mark.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "fhir/path/item.h"

namespace kiln::fhir::detail {

class PathArena {
 public:
  struct Mark {
    std::size_t chunk = 0, used = 0, total = 0;
  };

  void* allocate(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    total_ += bytes;
    if (chunks_.empty() || used_ + bytes > chunks_[chunk_].size) next_chunk(bytes);
    void* out = chunks_[chunk_].data.get() + used_;
    used_ += bytes;
    return out;
  }
  template <class T>
  T* make(const T& value) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    return new (allocate(sizeof(T))) T(value);
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    auto* out = static_cast<char*>(allocate(text.size()));
    std::memcpy(out, text.data(), text.size());
    return {out, text.size()};
  }

  Mark mark() const { return {chunk_, used_, total_}; }
  /// Frees what was allocated since; nothing of it may be used again.
  void release(Mark mark) {
    chunk_ = mark.chunk;
    used_ = mark.used;
    total_ = mark.total;
  }
  void clear() { release({}); }
  std::size_t total() const { return total_; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> data;
    std::size_t size;
  };
  void next_chunk(std::size_t bytes) {
    for (std::size_t next = chunks_.empty() ? 0 : chunk_ + 1;; ++next) {
      if (next == chunks_.size()) {
        std::size_t size =
            std::min<std::size_t>(std::size_t{4096} << std::min<std::size_t>(next, 8), 1u << 20);
        if (size < bytes) size = bytes;
        chunks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
      }
      if (chunks_[next].size >= bytes) {
        chunk_ = next;
        used_ = 0;
        return;
      }
    }
  }

  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0, used_ = 0, total_ = 0;
};

/// An ordered list of items in an arena.
class Collection {
 public:
  explicit Collection(PathArena& arena) : arena_(&arena) {}
  void push(const PathItem& item) {
    if (size_ == capacity_) grow();
    items_[size_++] = item;
  }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const PathItem& operator[](std::size_t index) const { return items_[index]; }
  const PathItem* begin() const { return items_; }
  const PathItem* end() const { return items_ + size_; }
  PathItem* begin() { return items_; }
  PathItem* end() { return items_ + size_; }
  void clear() { size_ = 0; }

 private:
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 4 : capacity_ * 2;
    auto* items = static_cast<PathItem*>(arena_->allocate(capacity * sizeof(PathItem)));
    if (size_ != 0) std::memcpy(static_cast<void*>(items), items_, size_ * sizeof(PathItem));
    items_ = items;
    capacity_ = capacity;
  }
  static_assert(std::is_trivially_copyable_v<PathItem>);

  PathArena* arena_;
  PathItem* items_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace kiln::fhir::detail
