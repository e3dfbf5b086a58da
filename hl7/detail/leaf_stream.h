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

/// The numbers of a leaf: field and repetition, component and subcomponent, two in a word, so that a
/// delimiter of any level costs the same four operations.
struct LeafPlace {
  std::uint64_t high, low;
  std::uint32_t field() const { return static_cast<std::uint32_t>(high >> 32); }
  std::uint32_t repetition() const { return static_cast<std::uint32_t>(high); }
  std::uint32_t component() const { return static_cast<std::uint32_t>(low >> 32); }
  std::uint32_t subcomponent() const { return static_cast<std::uint32_t>(low); }

  /// What a delimiter does: the numbers above its level stay, its own grows, those below start again.
  struct Step {
    std::uint64_t keep_high, add_high, keep_low, add_low;
  };
  /// `skipped` empty fields stand before the delimiter: one for each separator.
  void move(const Step& step, std::uint32_t skipped) {
    high = (high & step.keep_high) + step.add_high + (std::uint64_t{skipped} << 32);
    low = (low & step.keep_low) + step.add_low;
  }
};

/// Finds where leaves open and close, a window of the message at a time, and hands them out by segment.
class LeafStream {
 public:
  /// `data` must outlive the stream.
  explicit LeafStream(const MessageData& data);

  /// `visit(place, begin, end)` for the leaves of a segment behind mark number `mark` of it, whose field
  /// number is `field`. Segments must be asked for in order. No branch depends on which delimiter comes next,
  /// because that cannot be predicted and a wrong guess costs more than the work. Inlined, so that what the
  /// visitor sums up stays in registers.
  template <class Visitor>
  [[gnu::always_inline]] void read(const SegmentRow& row, std::uint32_t mark, std::uint32_t field,
                                   Visitor&& visit) {
    const std::uint32_t* const marks = data_.marks() + row.first;
    const std::uint32_t end = data_.end(row);
    std::uint32_t closed = marks[mark];  // where the leaf before ended
    if (opens_[next_] != closed) [[unlikely]] {
      seek(closed);
    }
    LeafPlace at = {std::uint64_t{field - 1} << 32 | 1, kFirst};
    std::size_t i = next_;
    for (;;) {
      const std::uint32_t close = closes_[i + 1];
      if (close >= end) [[unlikely]] {
        if (close != kNone || !more()) break;
        next_ = i;
        refill();
        i = 0;
        continue;
      }
      const std::uint32_t open = opens_[i];
      at.move(step_of(i), open - closed);
      visit(at, open + 1, close);
      closed = close;
      ++i;
    }
    // The last leaf ends with the segment; behind a field separator that ends it there is none.
    const std::uint32_t open = opens_[i];
    if (open + 1 < end || levels_[i] != 0) {
      at.move(step_of(i), open - closed);
      visit(at, open + 1, end);
    }
    next_ = i + 1;
  }

 private:
  /// Offset behind all others, which ends both lists.
  static constexpr std::uint32_t kNone = 0xFFFF'FFFFu;
  static constexpr std::size_t kWindow = 1024;
  static constexpr std::uint64_t kFirst = std::uint64_t{1} << 32 | 1;

  bool more() const { return scanned_ < data_.bytes.size(); }
  /// Sets next_ to the first leaf that opens at or behind `offset`.
  void seek(std::uint32_t offset);
  /// Makes the leaf next_ the first one and appends a window.
  void refill();

  static constexpr std::uint64_t kUpper = ~std::uint64_t{0} << 32, kBoth = ~std::uint64_t{0};
  static constexpr LeafPlace::Step kSteps[4] = {
      {kUpper, kFirst, 0, kFirst}, {kBoth, 1, 0, kFirst}, {kBoth, 0, kUpper, kFirst}, {kBoth, 0, kBoth, 1}};
  const LeafPlace::Step& step_of(std::size_t i) const {
    const auto* const steps = reinterpret_cast<const char*>(kSteps);
    return *reinterpret_cast<const LeafPlace::Step*>(steps + levels_[i]);
  }

  const MessageData& data_;
  std::size_t scanned_ = 0;
  std::size_t next_ = 0;  ///< leaf number next_ opens behind opens_[next_] and ends at closes_[next_ + 1]
  std::size_t open_count_ = 0, close_count_ = 0;
  std::array<std::uint32_t, kWindow + 20> opens_, closes_;
  std::array<std::uint8_t, kWindow + 70> levels_;  ///< of opens_, as offset in kSteps
};

}  // namespace kiln::hl7::detail
