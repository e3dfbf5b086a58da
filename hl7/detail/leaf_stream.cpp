#include "hl7/detail/leaf_stream.h"

#include <algorithm>

#include "hl7/detail/scan.h"

namespace kiln::hl7::detail {
namespace {

/// A level that does not exist is looked for as the one that always does.
CutNeedles needles_of(const Delimiters& d) {
  const auto or_field = [&](char c) { return c == '\0' ? d.field : c; };
  return {d.field, or_field(d.repetition), or_field(d.component), or_field(d.subcomponent)};
}

}  // namespace

LeafStream::LeafStream(const MessageData& data) : data_(data) {
  static_assert(kFlattenSlack + 2 <= 20 && kBlockBytes + 2 <= 70 && kWindow % kBlockBytes == 0);
  static_assert(sizeof(LeafPlace::Step) == kLevelStride);
  opens_[0] = closes_[0] = kNone;
}

void LeafStream::refill() {
  // What is left: the close before the next leaf, and its open when the window before had it.
  close_count_ = next_ < close_count_ ? 1 : 0;
  if (close_count_ == 1) closes_[0] = closes_[next_];
  const bool opened = next_ < open_count_;
  if (opened) {
    opens_[0] = opens_[next_];
    levels_[0] = levels_[next_];
  }
  open_count_ = opened ? 1 : 0;
  next_ = 0;
  Cuts cuts{opens_.data(), levels_.data(), closes_.data(), open_count_, close_count_};
  const Scanner& best = scanner(data_.scan);
  const CutNeedles needles = needles_of(data_.delimiters);
  while (cuts.close_count == close_count_ && cuts.open_count == open_count_ && more()) {
    const std::size_t to = std::min(scanned_ + kWindow, data_.bytes.size());
    best.cut(data_.bytes.data(), data_.bytes.size(), scanned_, to, needles, cuts);
    scanned_ = to;
  }
  open_count_ = cuts.open_count;
  close_count_ = cuts.close_count;
  opens_[open_count_] = closes_[close_count_] = kNone;
}

void LeafStream::seek(std::uint32_t offset) {
  for (;;) {
    while (opens_[next_] < offset) ++next_;
    if (opens_[next_] != kNone || !more()) return;
    refill();
  }
}

}  // namespace kiln::hl7::detail
