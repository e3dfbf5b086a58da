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

template <class Word>
Word load(const char* from) {
  Word word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// Copies the plain beginning of [from, end), in steps of a word; whole texts of 4 bytes and more when all of
/// it is plain. Returns how far it came.
const char* copy_plain(const char* from, const char* const end, char*& to) {
  const char* const begin = from;
  for (; end - from >= 8; from += 8, to += 8) {
    const auto word = load<std::uint64_t>(from);
    if (has_special(word)) return from;
    std::memcpy(to, &word, sizeof word);
  }
  const auto rest = end - from;
  if (rest == 0) return from;
  if (end - begin >= 8) {
    // The last 8 bytes: those before the rest are plain and written already.
    const auto word = load<std::uint64_t>(end - 8);
    if (has_special(word)) return from;
    std::memcpy(to + rest - 8, &word, sizeof word);
  } else if (rest >= 4) {
    const auto low = load<std::uint32_t>(from), high = load<std::uint32_t>(end - 4);
    if (has_special(std::uint64_t{high} << 32 | low)) return from;
    std::memcpy(to, &low, sizeof low);
    std::memcpy(to + rest - 4, &high, sizeof high);
  } else {
    return from;
  }
  to += rest;
  return end;
}

}  // namespace

void OutputBuffer::grow(std::size_t more) {
  const std::size_t used = size(), room = (used + more) * 2;
  std::unique_ptr<char[]> larger(new char[room]);
  std::memcpy(larger.get(), data_.get(), used);
  data_ = std::move(larger);
  at_ = data_.get() + used;
  end_ = data_.get() + room;
}

void OutputBuffer::put_string(std::string_view value) {
  // Every byte may become \u00XX.
  const std::size_t most = value.size() * 6 + 2;
  if (static_cast<std::size_t>(end_ - at_) < most) grow(most);
  *at_++ = '"';
  const char* const end = value.data() + value.size();
  const char* from = copy_plain(value.data(), end, at_);
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
