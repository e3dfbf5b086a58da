#pragma once
// A list of dictionary records that are decoded when they are looked at.

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace kiln::hl7 {

namespace detail {
/// Decodes record `index` of the constant tables; specialised per record type in hl7/dictionary.
template <class T>
T decode_record(std::uint32_t index, std::uint32_t ordinal);
}  // namespace detail

/// A random-access range of T over constant tables. T is made on access, by value, without allocation; every
/// string_view in it has static storage duration. Copies are two integers; thread-safe.
template <class T>
class RecordList {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = T;

    Iterator() = default;
    Iterator(const RecordList* list, std::size_t at) : list_(*list), at_(at) {}
    T operator*() const { return list_[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++at_;
      return before;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    RecordList list_;
    std::size_t at_ = 0;
  };

  RecordList() = default;
  RecordList(std::uint32_t first, std::uint32_t count) : first_(first), count_(count) {}

  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  /// `index` is 0-based and must be below size().
  T operator[](std::size_t index) const {
    const auto offset = static_cast<std::uint32_t>(index);
    return detail::decode_record<T>(first_ + offset, offset);
  }
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, count_}; }
  /// Two non-empty lists of the same size and identity hold the same records (equal definitions are stored
  /// once).
  std::uint32_t identity() const { return first_; }

 private:
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace kiln::hl7
