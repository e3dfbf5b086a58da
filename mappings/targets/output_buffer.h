#pragma once
// Appending to a growing text without a call per piece.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "mappings/detail/blocks.h"

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
  OutputBuffer() = default;
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;
  /// Empties it; keeps the memory of an ordinary text.
  void clear();
  /// Takes the memory of a text that is not needed any more.
  void recycle(std::string&& text) {
    if (text.capacity() > text_.capacity()) text_ = std::move(text);
    text.clear();
  }
  /// The text itself, without a copy of it. Nothing may be put before the next clear().
  void give(std::string& out);
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  /// Valid until the next put.
  std::string_view text() const { return {begin_, size()}; }
  void truncate(std::size_t size) { at_ = begin_ + size; }
  /// Replaces one byte that was put before.
  void replace(std::size_t at, char c) { begin_[at] = c; }
  /// Puts a piece of what was put before once more.
  void put_again(std::size_t at, std::size_t size) {
    room(size);
    std::memcpy(at_, begin_ + at, size);
    at_ += size;
  }
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
    copy(piece);
  }
  /// A JSON string with quotes.
  void put_string(std::string_view value) {
    room(value.size() * kEscaped + 2);
    copy_string(value);
  }
  /// Two texts. `between` sees the size before the second.
  template <class Between>
  void put_two(const PaddedText& first, const PaddedText& second, Between between) {
    room(first.size + second.size + PaddedText::kBlock);
    copy(first);
    between(size());
    copy(second);
  }
  /// A text and a JSON string behind it. `between` sees the size before the string.
  template <class Between>
  void put_with_string(const PaddedText& piece, std::string_view value, Between between) {
    room(piece.size + PaddedText::kBlock + value.size() * kEscaped + 2);
    copy(piece);
    between(size());
    copy_string(value);
  }

 private:
  static constexpr std::size_t kEscaped = 6;  ///< every byte may become \u00XX

  /// The room is there.
  void copy(const PaddedText& piece) {
    std::memcpy(at_, piece.data, PaddedText::kBlock);
    if (piece.size > PaddedText::kBlock) [[unlikely]] {
      std::memcpy(at_ + PaddedText::kBlock, piece.data + PaddedText::kBlock, piece.size - PaddedText::kBlock);
    }
    at_ += piece.size;
  }
  void copy_string(std::string_view value) {
    char* const to = at_;
    if (!copy_plain(value.data(), value.size(), to + 1)) [[unlikely]] {
      return copy_escaped(value);
    }
    to[0] = '"';
    to[value.size() + 1] = '"';
    at_ = to + value.size() + 2;
  }
  void copy_escaped(std::string_view value);

  template <class Word>
  static Word load(const char* from) {
    Word word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  /// A text of sizeof(Word) to 2 * sizeof(Word) bytes as two words, which may overlap.
  template <class Word>
  static bool copy_two(const char* from, std::size_t size, char* to) {
    const auto low = load<Word>(from), high = load<Word>(from + size - sizeof(Word));
    constexpr std::uint64_t kRepeat = sizeof(Word) == 8 ? 1 : 0x100000001;  // fills 8 bytes
    std::memcpy(to, &low, sizeof low);
    std::memcpy(to + size - sizeof(Word), &high, sizeof high);
    return !detail::Block::of(low * kRepeat, high * kRepeat).needs_escape();
  }
  /// Copies a text as it is; false when it needs escapes.
  static bool copy_plain(const char* from, std::size_t size, char* to) {
    constexpr std::size_t kBytes = detail::Block::kBytes;
    if (size > kBytes) {
      for (std::size_t at = 0; at + kBytes < size; at += kBytes) {
        const detail::Block block = detail::Block::load(from + at);
        if (block.needs_escape()) return false;
        block.store(to + at);
      }
      const detail::Block block = detail::Block::load(from + size - kBytes);  // may overlap what is there
      block.store(to + size - kBytes);
      return !block.needs_escape();
    }
    if (size >= 8) return copy_two<std::uint64_t>(from, size, to);
    if (size >= 4) return copy_two<std::uint32_t>(from, size, to);
    bool plain = true;
    for (std::size_t at = 0; at < size; ++at) {
      to[at] = from[at];
      plain &= is_plain(from[at]);
    }
    return plain;
  }
  static bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

  void room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) [[unlikely]] {
      grow(bytes);
    }
  }
  void grow(std::size_t more);
  void use_from(std::size_t used);

  std::string text_;  ///< all of it may be written; what is before at_ means something
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace kiln::mappings
