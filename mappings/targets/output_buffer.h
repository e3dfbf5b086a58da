#pragma once
// Appending to a growing text without a call per piece.

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace kiln::mappings {

/// A text that is known long before it is appended, so that appending it takes whole blocks and no call.
/// Borrows: kBlock bytes have to be readable from data on, whatever the size (see facts.cpp).
struct PaddedText {
  static constexpr std::size_t kBlock = 32;
  const char* data = nullptr;
  std::size_t size = 0;
};

/// Collects a text and keeps its memory for the next one. Not thread-safe.
class OutputBuffer {
 public:
  OutputBuffer() : data_(new char[kFirst]), at_(data_.get()), end_(at_ + kFirst) {}
  /// Empties it; keeps the memory of an ordinary text.
  void clear();
  std::size_t size() const { return static_cast<std::size_t>(at_ - data_.get()); }
  /// Valid until the next put.
  std::string_view text() const { return {data_.get(), size()}; }
  void truncate(std::size_t size) { at_ = data_.get() + size; }
  void put(char c) {
    room(1);
    *at_++ = c;
  }
  void put(std::string_view piece) {
    if (piece.empty()) return;  // it may have no address
    room(piece.size());
    std::memcpy(at_, piece.data(), piece.size());
    at_ += piece.size();
  }
  void put(const PaddedText& piece) {
    room(piece.size + PaddedText::kBlock);
    std::memcpy(at_, piece.data, PaddedText::kBlock);
    if (piece.size > PaddedText::kBlock) [[unlikely]] {
      std::memcpy(at_ + PaddedText::kBlock, piece.data + PaddedText::kBlock, piece.size - PaddedText::kBlock);
    }
    at_ += piece.size;
  }
  /// A JSON string with quotes.
  void put_string(std::string_view value);

 private:
  static constexpr std::size_t kFirst = 32u << 10, kKeep = 1u << 20;
  void room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) [[unlikely]] {
      grow(bytes);
    }
  }
  void grow(std::size_t more);

  std::unique_ptr<char[]> data_;  ///< not initialised: only what is before at_ means anything
  char* at_;
  char* end_;
};

}  // namespace kiln::mappings
