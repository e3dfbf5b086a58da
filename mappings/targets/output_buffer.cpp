#include "mappings/targets/output_buffer.h"

namespace kiln::mappings {

using detail::Block;

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
