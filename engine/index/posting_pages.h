#pragma once
// The form of the pages of a run, for who writes and who reads them (postings.h).

#include <cstring>
#include <string_view>
#include <vector>

#include "engine/index/postings.h"

namespace kiln::engine {

inline constexpr std::size_t kPostingHashBytes = sizeof(std::int64_t);
inline std::int64_t posting_id(MessageId id) { return static_cast<std::int64_t>(id); }

/// The postings of a page in order. What is damaged ends it.
class PostingPage {
 public:
  explicit PostingPage(std::string_view data) : data_(data) {}

  /// False: no group follows. `hash()` and `left()` are of the group then; next_id() gives its numbers.
  bool next_group() {
    while (left_ > 0) (void)next_id();
    if (data_.size() < kPostingHashBytes + 2) return false;
    std::memcpy(&hash_, data_.data(), kPostingHashBytes);
    data_.remove_prefix(kPostingHashBytes);
    left_ = get();
    id_ = 0;
    return left_ > 0;
  }
  MessageId next_id() {
    --left_;
    return id_ += get();
  }
  std::int64_t hash() const { return hash_; }
  std::uint64_t left() const { return left_; }

 private:
  std::uint64_t get() {
    std::uint64_t out = 0;
    for (unsigned shift = 0; !data_.empty() && shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(data_.front());
      data_.remove_prefix(1);
      out |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return out;
    }
    left_ = 0;
    return out;
  }

  std::string_view data_;
  std::int64_t hash_ = 0;
  std::uint64_t left_ = 0;
  MessageId id_ = 0;
};

struct PostingRun {
  std::int64_t id = 0, level = 0, count = 0;
  MessageId first = 0, last = 0;
};

/// Runs with messages of `from` to `to`, the oldest first.
base::Result<std::vector<PostingRun>> read_posting_runs(base::Database& database, MessageId from, MessageId to);

}  // namespace kiln::engine
