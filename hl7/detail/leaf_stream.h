#pragma once
// Every leaf of a message in order: the walk below a field, done in bulk.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hl7/detail/message_data.h"

namespace kiln::hl7::detail {

/// What is known about the bytes of a leaf.
enum class Content : std::uint8_t {
  unknown,
  plain,  ///< nothing has to be decoded, and it is not null
};

/// Finds where leaves open and close, a window of the message at a time, and hands them out by segment.
class LeafStream {
 public:
  /// `data` must outlive the stream.
  explicit LeafStream(const MessageData& data);

  /// `visit(place, begin, end)` for the leaves of a segment behind mark number `mark` of it, whose field
  /// number is `field`. Segments must be asked for in order. No branch depends on which delimiter comes next,
  /// because that cannot be predicted and a wrong guess costs more than the work.
  template <class Visitor>
  void read(const SegmentRow& row, std::uint32_t mark, std::uint32_t field, Visitor&& visit) {
    const char* const bytes = data_.bytes.data();
    const std::uint32_t* const marks = data_.marks() + row.first;
    const std::uint32_t end = data_.end(row);
    std::uint32_t closed = marks[mark];  // where the leaf before ended
    seek(closed);
    Place at = {field - 1, 1, 1, 1};
    std::size_t i = next_;
    for (;;) {
      std::uint32_t close = closes_[i + 1];
      if (close >= end) [[unlikely]] {
        if (close == kNone && more()) {
          next_ = i;
          refill();
          i = 0;
          continue;
        }
      }
      const std::uint32_t open = opens_[i];
      const std::uint32_t level = level_[static_cast<unsigned char>(bytes[open])];
      const Place skipped = {open - closed, 0, 0, 0};  // empty fields: one for each separator
      at = (at & kSteps[level].keep) + kSteps[level].add + skipped;
      if (close >= end) [[unlikely]] {
        if (level == 0 && open + 1 == end) break;
        close = end;
      }
      visit(at, open + 1, close);
      if (close == end) break;
      closed = close;
      ++i;
    }
    next_ = i + 1;
  }

  /// Field, repetition, component, subcomponent.
  typedef std::uint32_t Place __attribute__((vector_size(16)));

 private:
  /// Offset behind all others, which ends both lists.
  static constexpr std::uint32_t kNone = 0xFFFF'FFFFu;
  static constexpr std::size_t kWindow = 1024;

  bool more() const { return scanned_ < data_.bytes.size(); }
  /// Sets next_ to the first leaf that opens at or behind `offset`.
  void seek(std::uint32_t offset);
  /// Makes the leaf next_ the first one and appends a window.
  void refill();

  /// What a delimiter does to the place: the numbers above its level stay, its own grows, those below start
  /// again.
  struct Step {
    Place keep, add;
  };
  static const Step kSteps[4];

  const MessageData& data_;
  std::size_t scanned_ = 0;
  std::size_t next_ = 0;  ///< leaf number next_ opens behind opens_[next_] and ends at closes_[next_ + 1]
  std::size_t open_count_ = 0, close_count_ = 0;
  std::array<std::uint8_t, 256> level_;  ///< of delimiters; other characters are never looked up
  std::array<std::uint32_t, kWindow + 20> opens_, closes_;
};

}  // namespace kiln::hl7::detail
