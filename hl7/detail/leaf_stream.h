#pragma once
// Every leaf of a message in order, a few hundred at a time: the walk below a field, done in bulk.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hl7/detail/message_data.h"

namespace kiln::hl7::detail {

/// What is known about the bytes of a leaf.
enum class Content : std::uint8_t {
  unknown,
  plain,  ///< nothing has to be decoded, and it is not null
  null_,
};

/// No member has an initial value: a stream holds a thousand of them on the stack.
struct LeafRecord {
  std::uint32_t field, repetition, component, subcomponent;  ///< from 1
  std::uint32_t begin, end;                                  ///< offsets in MessageData::bytes
  std::uint32_t segment;                                     ///< from 0
  Content content;
  bool verbatim;
};

class LeafStream {
 public:
  /// `data` must outlive the stream.
  explicit LeafStream(const MessageData& data);
  /// The next leaves; empty at the end of the message. Valid until the next call.
  std::span<const LeafRecord> next();

 private:
  /// Offset behind all others, which ends a list of offsets.
  static constexpr std::uint32_t kNone = 0xFFFF'FFFFu;
  static constexpr std::size_t kWindow = 512;

  bool open_segment();
  template <bool kRare>
  void read_segment();
  void close_segment();
  bool refill();
  void add(std::uint32_t begin, std::uint32_t end, bool verbatim, Content content);

  /// Field, repetition, component, subcomponent.
  typedef std::uint32_t Place __attribute__((vector_size(16)));
  /// What a delimiter does to the place: the numbers above its level stay, its own grows, those below start
  /// again.
  struct Step {
    Place keep, add;
  };
  static const Step kSteps[4];

  const MessageData& data_;
  Content seen_;  ///< of a leaf without escape character
  char needles_[5];
  std::array<std::uint8_t, 256> level_;  ///< of delimiters; other characters are never looked up
  std::size_t scanned_ = 0;
  std::uint32_t row_ = 0;
  bool open_ = false;
  // The segment that is open.
  Place at_;
  std::uint32_t begin_ = 0;  ///< of the current leaf
  std::uint32_t end_ = 0;    ///< of the segment
  std::uint8_t before_ = 0;  ///< level of the delimiter before the leaf; 0 = field
  Content content_ = Content::unknown;
  const std::uint32_t* next_;
  std::size_t count_ = 0;
  std::array<std::uint32_t, kWindow + 16> found_;
  /// A segment adds three at most beside one for each delimiter, so a window never overflows.
  std::array<LeafRecord, 2 * kWindow + 4> records_;
};

}  // namespace kiln::hl7::detail
