#include "mappings/targets/output_buffer.h"

#include <cstdint>

#include "mappings/detail/blocks.h"

namespace kiln::mappings {
namespace {

using detail::Block;

bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

template <class Word>
Word load(const char* from) {
  Word word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// A text of sizeof(Word) to 2 * sizeof(Word) bytes as two words, which may overlap; false when it needs
/// escapes.
template <class Word>
bool copy_two(const char* from, const char* end, char* to) {
  const auto low = load<Word>(from), high = load<Word>(end - sizeof(Word));
  constexpr std::uint64_t kRepeat = sizeof(Word) == 8 ? 1 : 0x100000001;  // fills 8 bytes
  if (Block::of(low * kRepeat, high * kRepeat).needs_escape()) return false;
  std::memcpy(to, &low, sizeof low);
  std::memcpy(to + (end - from) - sizeof(Word), &high, sizeof high);
  return true;
}

/// Copies the plain beginning of [from, end); all of it when it is plain. Returns how far it came.
const char* copy_plain(const char* from, const char* const end, char*& to) {
  const char* const begin = from;
  for (; end - from >= Block::kBytes; from += Block::kBytes, to += Block::kBytes) {
    const Block block = Block::load(from);
    if (block.needs_escape()) return from;
    block.store(to);
  }
  const auto rest = end - from;
  if (end - begin >= Block::kBytes) {
    if (rest == 0) return end;
    // The last block: what is before the rest is plain and written already.
    const Block block = Block::load(end - Block::kBytes);
    if (block.needs_escape()) return from;
    block.store(to + rest - Block::kBytes);
  } else if (rest >= 8) {
    if (!copy_two<std::uint64_t>(from, end, to)) return from;
  } else if (rest >= 4) {
    if (!copy_two<std::uint32_t>(from, end, to)) return from;
  } else {
    for (; from != end && is_plain(*from); ++from) *to++ = *from;
    return from;
  }
  to += rest;
  return end;
}

}  // namespace

void OutputBuffer::clear() {
  if (static_cast<std::size_t>(end_ - data_.get()) > kKeep) {
    data_.reset(new char[kFirst]);
    end_ = data_.get() + kFirst;
  }
  at_ = data_.get();
}

void OutputBuffer::grow(std::size_t more) {
  const std::size_t used = size(), room = (used + more) * 2;
  std::unique_ptr<char[]> larger(new char[room]);
  std::memcpy(larger.get(), data_.get(), used);
  data_ = std::move(larger);
  at_ = data_.get() + used;
  end_ = data_.get() + room;
}

void OutputBuffer::put_string(std::string_view value) {
  room(value.size() * 6 + 2);  // every byte may become \u00XX
  *at_++ = '"';
  const char* const end = value.data() + value.size();
  const char* from = copy_plain(value.data(), end, at_);
  for (; from != end; ++from) {
    if (is_plain(*from)) {
      *at_++ = *from;
      continue;
    }
    *at_++ = '\\';
    switch (*from) {
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
        const auto c = static_cast<unsigned char>(*from);
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
