#include "hl7/detail/leaf_stream.h"

#include <algorithm>
#include <cstring>

#include "hl7/detail/scan.h"

namespace kiln::hl7::detail {

static_assert(kFlattenSlack <= 16);

constexpr std::uint32_t kAll = 0xFFFF'FFFFu;
const LeafStream::Step LeafStream::kSteps[4] = {{{kAll, 0, 0, 0}, {1, 1, 1, 1}},
                                                {{kAll, kAll, 0, 0}, {0, 1, 1, 1}},
                                                {{kAll, kAll, kAll, 0}, {0, 0, 1, 1}},
                                                {{kAll, kAll, kAll, kAll}, {0, 0, 0, 1}}};

LeafStream::LeafStream(const MessageData& data)
    : data_(data), seen_(data.recode_high ? Content::unknown : Content::plain) {
  const Delimiters& d = data.delimiters;
  const char wanted[] = {d.field, d.repetition, d.component, d.subcomponent,
                         data.has_escape ? d.escape : '\0'};
  // A character that does not exist is looked for as the one that always does.
  for (int i = 0; i < 5; ++i) needles_[i] = wanted[i] == '\0' ? d.field : wanted[i];
  for (int i = 3; i >= 0; --i) level_[static_cast<unsigned char>(needles_[i])] = static_cast<std::uint8_t>(i);
  found_[0] = kNone;
  next_ = found_.data();
}

bool LeafStream::refill() {
  const Scanner& best = scanner(data_.scan);
  Needles needles{};
  std::copy(std::begin(needles_), std::end(needles_), needles.bytes);
  std::size_t count = 0;
  while (count == 0 && scanned_ < data_.bytes.size()) {
    const std::size_t size = std::min(kWindow, data_.bytes.size() - scanned_);
    count = best.delimiters(data_.bytes.data() + scanned_, size, needles,
                            static_cast<std::uint32_t>(scanned_), found_.data());
    scanned_ += size;
  }
  found_[count] = kNone;
  next_ = found_.data();
  return count != 0;
}

void LeafStream::add(std::uint32_t begin, std::uint32_t end, bool verbatim, Content content) {
  const char* const bytes = data_.bytes.data();
  if (end - begin == 2 && bytes[begin] == '"' && bytes[begin + 1] == '"' && !verbatim)
    content = Content::null_;
  records_[count_++] = {at_[0], at_[1], at_[2], at_[3], begin, end, row_, content, verbatim};
}

/// False for a segment without fields.
bool LeafStream::open_segment() {
  const SegmentRow& row = data_.rows[row_];
  const std::uint32_t* const marks = data_.marks() + row.first;
  const std::uint32_t separators = data_.separators(row);
  if (separators == 0) return false;
  at_ = Place{1, 1, 1, 1};
  begin_ = marks[0] + 1;
  end_ = marks[separators];
  content_ = seen_;
  if (data_.is_header(row)) {
    add(marks[0], begin_, true, Content::unknown);
    at_[0] = 2;
    if (marks[1] > begin_) add(begin_, marks[1], true, Content::unknown);
    if (separators == 1) return false;
    at_[0] = 3;
    begin_ = marks[1] + 1;
  }
  before_ = 0;
  // What stands before, inside a name that is none, separates nothing.
  for (;;) {
    while (*next_ < begin_) ++next_;
    if (*next_ != kNone || !refill()) break;
  }
  open_ = true;
  return true;
}

/// Takes the delimiters of this window up to the segment's end. No branch depends on which delimiter it is,
/// because that cannot be predicted and a wrong guess costs more than the work. `kRare`: the message has escape
/// or quotation characters.
template <bool kRare>
void LeafStream::read_segment() {
  const char* const bytes = data_.bytes.data();
  const char escape = data_.has_escape ? data_.delimiters.escape : '\0';
  const std::uint32_t* next = next_;
  const std::uint32_t end = end_, segment = row_;
  std::uint32_t begin = begin_, before = before_;
  Place at = at_;
  Content content = content_;
  LeafRecord* out = records_.data() + count_;
  for (std::uint32_t cut = *next; cut < end; cut = *++next) {
    const char c = bytes[cut];
    if (kRare && c == escape && escape != '\0') {
      content = Content::unknown;
      continue;
    }
    const std::uint32_t level = level_[static_cast<unsigned char>(c)];
    std::memcpy(&out->field, &at, sizeof at);
    out->begin = begin;
    out->end = cut;
    out->segment = segment;
    out->content = content;
    out->verbatim = false;
    if (kRare) {
      const bool null = (cut - begin == 2) & (bytes[begin] == '"') & (bytes[begin + 1] == '"');
      out->content = null ? Content::null_ : content;
      content = seen_;
    }
    // An empty field has no leaf.
    out += (level | before | (cut - begin)) != 0;
    at = (at & kSteps[level].keep) + kSteps[level].add;
    begin = cut + 1;
    before = level;
  }
  next_ = next;
  begin_ = begin;
  before_ = static_cast<std::uint8_t>(before);
  at_ = at;
  content_ = content;
  count_ = static_cast<std::size_t>(out - records_.data());
}

void LeafStream::close_segment() {
  if (end_ != begin_ || before_ != 0) add(begin_, end_, false, content_);
  open_ = false;
}

std::span<const LeafRecord> LeafStream::next() {
  count_ = 0;
  while (count_ < kWindow) {
    if (!open_) {
      if (row_ == data_.row_count) break;
      if (!open_segment()) {
        ++row_;
        continue;
      }
    }
    if (data_.has_escape || data_.has_quote) {
      read_segment<true>();
    } else {
      read_segment<false>();
    }
    if (*next_ == kNone && scanned_ < data_.bytes.size()) {
      refill();
      continue;
    }
    close_segment();
    ++row_;
  }
  return {records_.data(), count_};
}

}  // namespace kiln::hl7::detail
