#include "mappings/targets/output_buffer.h"

#include <cstdint>

namespace kiln::mappings {
namespace {

/// Some byte of the word cannot stand in a JSON string as it is.
inline bool has_special(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;
  const std::uint64_t quote = word ^ (kOnes * '"'), slash = word ^ (kOnes * '\\');
  const std::uint64_t special =
      ((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | ((word - kOnes * 0x20) & ~word);
  return (special & kHighs) != 0;
}

}  // namespace

void OutputBuffer::grow(std::size_t more) {
  const std::size_t used = size();
  text_.resize((used + more) * 2);
  text_.resize(text_.capacity());
  at_ = text_.data() + used;
  end_ = text_.data() + text_.size();
}

void OutputBuffer::put_string(std::string_view value) {
  // Every byte may become \u00XX.
  const std::size_t most = value.size() * 6 + 2;
  if (static_cast<std::size_t>(end_ - at_) < most) grow(most);
  *at_++ = '"';
  const char* from = value.data();
  const char* const end = from + value.size();
  while (end - from >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, 8);
    if (has_special(word)) break;
    std::memcpy(at_, &word, 8);
    at_ += 8;
    from += 8;
  }
  if (end - from < 8 && end - value.data() >= 8) {
    // The rest again as the last 8 bytes: what stands before it is plain and already written.
    std::uint64_t word = 0;
    std::memcpy(&word, end - 8, 8);
    if (!has_special(word)) {
      at_ -= 8 - (end - from);
      std::memcpy(at_, &word, 8);
      at_ += 8;
      from = end;
    }
  }
  for (; from != end; ++from) {
    const auto c = static_cast<unsigned char>(*from);
    if (c >= 0x20 && c != '"' && c != '\\') {
      *at_++ = *from;
      continue;
    }
    *at_++ = '\\';
    switch (c) {
      case '"':
      case '\\':
        *at_++ = *from;
        break;
      case '\n':
        *at_++ = 'n';
        break;
      case '\r':
        *at_++ = 'r';
        break;
      case '\t':
        *at_++ = 't';
        break;
      default: {
        constexpr char kHex[] = "0123456789abcdef";
        const char escape[] = {'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        std::memcpy(at_, escape, sizeof escape);
        at_ += sizeof escape;
        break;
      }
    }
  }
  *at_++ = '"';
}

}  // namespace kiln::mappings
