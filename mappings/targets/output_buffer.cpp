#include "mappings/targets/output_buffer.h"

namespace kiln::mappings {

using detail::Block;

void OutputBuffer::clear() {
  constexpr std::size_t kKeep = 1u << 20;
  if (text_.capacity() > kKeep) std::string().swap(text_);
  use_from(0);
}

void OutputBuffer::use_from(std::size_t used) {
  begin_ = text_.data();
  at_ = begin_ + used;
  end_ = begin_ + text_.size();
}

/// A text that is as long as the one before clears little memory for it.
void OutputBuffer::grow(std::size_t more) {
  constexpr std::size_t kLeast = 1024;
  const std::size_t used = size();
  const std::size_t wanted = used + more + used / 8 + kLeast;
  if (wanted > text_.capacity()) text_.reserve(wanted * 2);
  text_.resize(wanted);
  use_from(used);
}

void OutputBuffer::give(std::string& out) {
  text_.resize(size());
  out.swap(text_);
  text_.clear();
  use_from(0);
}

/// The room is there.
void OutputBuffer::copy_escaped(std::string_view value) {
  *at_++ = '"';
  const char* const end = value.data() + value.size();
  for (const char* from = value.data(); from != end; ++from) {
    for (; end - from > Block::kBytes; from += Block::kBytes, at_ += Block::kBytes) {
      const Block block = Block::load(from);
      if (block.needs_escape()) break;
      block.store(at_);
    }
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
