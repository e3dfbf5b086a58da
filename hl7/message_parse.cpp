// Stage 1: header, segment table, field positions.

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "engine/base/text.h"
#include "hl7/detail/convert.h"
#include "hl7/detail/message_data.h"
#include "hl7/detail/multibyte.h"
#include "hl7/detail/read_charset.h"
#include "hl7/detail/scan.h"
#include "hl7/message.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;
using base::Severity;
using detail::MessageData;
using detail::SegmentRow;

constexpr std::string_view kBom = "\xEF\xBB\xBF";

/// White space, NUL and frame bytes: what may stand between messages and on blank lines.
bool blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}

std::size_t skip_leading(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (blank(bytes[at])) {
      ++at;
    } else if (bytes.substr(at).starts_with(kBom)) {
      at += kBom.size();
    } else {
      break;
    }
  }
  return at;
}

bool header_name(std::uint32_t id) {
  return MessageData::header_id(id);
}

/// What a byte may be in a segment name: bit 0 = the first character, bit 1 = a later one.
constexpr std::array<std::uint8_t, 256> kNameBytes = [] {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t c = 'A'; c <= 'Z'; ++c) table[c] = 3;
  for (std::size_t c = '0'; c <= '9'; ++c) table[c] = 2;
  return table;
}();

/// Room on the stack for the usual message; more goes to the heap.
template <class Element, std::size_t kInline>
class Scratch {
 public:
  Element* make(std::size_t count) {
    if (count <= kInline) return inline_.data();
    heap_ = std::make_unique_for_overwrite<Element[]>(count);
    return heap_.get();
  }

 private:
  std::array<Element, kInline> inline_;
  std::unique_ptr<Element[]> heap_;
};

class Parser {
 public:
  /// `kept`: bytes of memory that come with this text, when it was converted from `received` bytes.
  Parser(std::string bytes, const ParseOptions& options, std::size_t received, std::size_t kept)
      : options_(options),
        data_(std::make_unique<MessageData>()),
        memory_max_(base::limits::kIndexFactorMax * received + base::limits::kIndexFreeBytes) {
    memory_max_ -= std::min(memory_max_, kept);
    data_->bytes = std::move(bytes);
    data_->scan = options.scan;
  }

  base::Status run() {
    const std::string& bytes = data_->bytes;
    if (bytes.size() > options_.bytes_max || bytes.size() >= 0xFFFF'FFFFu) {
      return base::fail(ErrorCode::limit_exceeded, "the message has more bytes than allowed");
    }
    TRY_VOID(read_header());
    TRY_VOID(scan());
    TRY_VOID(check_repetitions());
    return detail::read_charset(*data_, options_, high_);
  }
  std::unique_ptr<MessageData> take() { return std::move(data_); }
  std::optional<Charset> set_to_convert() const { return detail::set_to_convert(*data_, high_); }

 private:
  base::Status read_header() {
    const std::string_view bytes = data_->bytes;
    start_ = skip_leading(bytes);
    const std::string_view text = bytes.substr(start_);
    if (!header_name(segment_id(text.substr(0, 3))) || text.size() < 4) {
      if (!options_.headerless) return base::fail(ErrorCode::no_header);
      data_->delimiters = *options_.headerless;
      return {};
    }
    if (text.substr(3, 6) == "|^~\\&|") [[likely]] {
      data_->delimiters = Delimiters{};
      note_header(true);
      return {};
    }
    std::size_t end = 4;
    while (end < text.size() && text[end] != text[3] && text[end] != '\r' && text[end] != '\n') ++end;
    const auto read = read_delimiters(text[3], text.substr(4, end - 4));
    if (!read) {
      return base::fail(ErrorCode::no_header, "the byte behind the segment name cannot be a field separator");
    }
    data_->delimiters = read->delimiters;
    note_header(read->clean);
    return {};
  }

  void note_header(bool clean) {
    data_->has_header = true;
    if (start_ > 0) {
      data_->note(ErrorCode::leading_noise, Severity::note, {}, 0,
                  "bytes before the first segment are skipped");
    }
    if (!clean) {
      data_->note(ErrorCode::bad_delimiters, Severity::warning, {0, 2, 0, 0, 0}, offset32(start_ + 4),
                  "the delimiters are not five different punctuation characters at most");
    }
  }

  /// Stage 1. Bits of all delimiters first, so that the index can be allocated once and exactly.
  base::Status scan() {
    const std::string& bytes = data_->bytes;
    const Delimiters& d = data_->delimiters;
    const detail::Scanner& scanner = detail::scanner(options_.scan);
    const std::size_t size = bytes.size() - start_, count = detail::blocks_of(size);
    Scratch<detail::ScanBlock, 96> scratch;
    blocks_ = scratch.make(count);
    const auto sum =
        scanner.scan(bytes.data() + start_, size, d.field, d.escape == '\0' ? d.field : d.escape, blocks_);
    high_ = sum.high;
    data_->has_quote = sum.quotes;
    const std::size_t in_header = data_->has_header ? 1 : 0;
    data_->has_escape = d.escape != '\0' && sum.escapes > in_header;
    lf_ends_ = options_.line_ends == LineEnds::any || (options_.line_ends == LineEnds::auto_ && !sum.cr);
    lf_may_end_ = options_.line_ends == LineEnds::auto_;
    TRY_VOID(read_lines(count));
    return make_index(scanner, count);
  }

  /// A lone LF in a message with CR ends the segment only where the next one clearly begins.
  bool ends_segment(std::uint32_t at) {
    if (lf_ends_) return true;
    if (!lf_may_end_) return false;
    const std::string_view next = std::string_view(data_->bytes).substr(at + 1, 4);
    if (next.size() < 4 || next[3] != data_->delimiters.field) return false;
    if (segment_id(next.substr(0, 3)) == 0 || has_lower(next.substr(0, 3))) return false;
    if (!mixed_noted_) {
      data_->note(
          ErrorCode::mixed_line_ends, Severity::warning, {row_count_}, at,
          "a line feed before a segment name ends the segment, although carriage returns are used too");
      mixed_noted_ = true;
    }
    return true;
  }

  static bool has_lower(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  }

  /// Counts the rows and makes the first ones. Bits that turn out not to end a segment are taken out of the
  /// blocks' stops, those of line feeds that are data also out of their line feeds.
  base::Status read_lines(std::size_t count) {
    const std::string& bytes = data_->bytes;
    line_ = offset32(start_);
    std::uint64_t after_cr = 0;  // bit 0: the byte before this block is a CR
    for (std::size_t i = 0; i < count; ++i) {
      detail::ScanBlock& block = blocks_[i];
      std::uint64_t lf = block.lf & ~(block.cr << 1 | after_cr);
      after_cr = block.cr >> 63;
      if (lf != block.lf) drop(block, block.lf & ~lf);
      for (std::uint64_t ends = block.cr | lf; ends != 0; ends &= ends - 1) {
        const std::uint64_t bit = ends & (~ends + 1);
        const std::uint32_t at = offset32(start_ + i * detail::kBlockBytes) + bit_index(bit);
        const bool is_lf = (lf & bit) != 0;
        if (is_lf && !ends_segment(at)) {
          drop(block, bit);
          block.lf &= ~bit;
          continue;
        }
        const std::uint32_t before = bits_below(block.stops, bit);
        if (!end_line(at, marks_ + before)) drop(block, bit);
        if (failure_) return std::move(*failure_);
        line_ = at + 1;
        if (!is_lf && line_ < bytes.size() && bytes[line_] == '\n') ++line_;
      }
      marks_ += block.count;
    }
    if (line_ < bytes.size() && end_line(offset32(bytes.size()), marks_)) {
      ends_open_ = true;
      ++marks_;
    }
    if (failure_) return std::move(*failure_);
    return {};
  }

  static void drop(detail::ScanBlock& block, std::uint64_t bits) {
    block.stops &= ~bits;
    block.count -= static_cast<std::uint32_t>(std::popcount(bits));
  }
  /// Counted in parallel within the word: a loop would end at a number of bits that cannot be predicted, and
  /// a population count is a call where the compiler may not assume the instruction.
  static std::uint32_t bits_below(std::uint64_t bits, std::uint64_t bit) {
    bits &= bit - 1;
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return static_cast<std::uint32_t>(bits * 0x0101010101010101u >> 56);
  }
  static std::uint32_t bit_index(std::uint64_t bit) {
    return static_cast<std::uint32_t>(std::countr_zero(bit));
  }

  base::Status make_index(const detail::Scanner& scanner, std::size_t count) {
    // Behind the marks: first what flatten() may spill, then over it the rows.
    constexpr std::size_t kRowWords = sizeof(SegmentRow) / sizeof(std::uint32_t);
    const std::size_t words = marks_ + std::max(detail::kFlattenSlack, (row_count_ + 1) * kRowWords);
    if (words * sizeof(std::uint32_t) + count * sizeof(detail::ScanBlock) > memory_max_) {
      return base::fail(
          ErrorCode::limit_exceeded,
          "most lines of the message are too short to be segments: listing them would take more "
          "memory than allowed");
    }
    data_->index = std::make_unique_for_overwrite<std::uint32_t[]>(words);
    std::uint32_t* const marks = data_->index.get();
    scanner.flatten(blocks_, count, marks);
    if (start_ > 0) {
      for (std::uint32_t i = 0; i < marks_; ++i) marks[i] += offset32(start_);
    }
    if (ends_open_) marks[marks_ - 1] = offset32(data_->bytes.size());
    data_->rows = reinterpret_cast<SegmentRow*>(marks + marks_);
    data_->row_count = row_count_;
    data_->index_words = words;
    if (row_count_ <= few_rows_.size()) {
      std::memcpy(data_->rows, few_rows_.data(), row_count_ * sizeof(SegmentRow));
    } else {
      make_rows(count);
    }
    data_->rows[row_count_] = {0, offset32(data_->bytes.size()), marks_};
    return {};
  }

  /// The rows again, where they are more than were kept: quicker than growing a list, and no memory is taken
  /// twice. What ends no line has been taken out of the blocks, what ends no segment out of their stops.
  void make_rows(std::size_t count) {
    std::uint32_t line = offset32(start_), before = 0, first = 0, made = 0;
    const auto add = [&](std::uint32_t end, std::uint32_t mark) {
      data_->rows[made++] = {id_of(line, end), line, first};
      first = mark + 1;
    };
    for (std::size_t i = 0; i < count; ++i) {
      const detail::ScanBlock& block = blocks_[i];
      for (std::uint64_t ends = block.cr | block.lf; ends != 0; ends &= ends - 1) {
        const std::uint64_t bit = ends & (~ends + 1);
        const std::uint32_t at = offset32(start_ + i * detail::kBlockBytes) + bit_index(bit);
        if ((block.stops & bit) != 0) add(at, before + bits_below(block.stops, bit));
        line = at + 1;
      }
      before += block.count;
    }
    if (ends_open_) add(offset32(data_->bytes.size()), before);
  }

  void add_row(const SegmentRow& row) {
    if (row_count_ < few_rows_.size()) few_rows_[row_count_] = row;
    ++row_count_;
  }

  /// Takes [line_, end) as a segment, whose end is mark number `mark`. False for a blank line.
  [[gnu::always_inline]] bool end_line(std::uint32_t end, std::uint32_t mark) {
    const char* const bytes = data_->bytes.data();
    const char* const name = bytes + line_;
    if (line_ == end || (blank(*name) && std::all_of(name, bytes + end, blank))) {
      if (!blank_noted_) {
        data_->note(ErrorCode::blank_line, Severity::note, {row_count_}, line_,
                    "lines without content are skipped");
        blank_noted_ = true;
      }
      return false;
    }
    const std::uint32_t separators = mark - first_;
    std::uint32_t id = usual_id(line_, end);
    if (id == 0 || (row_count_ > 0 && header_name(id))) id = note_name(end);
    const bool header = separators > 0 && header_name(id);
    if (row_count_ >= options_.segments_max || separators + (header ? 1 : 0) > options_.fields_max) {
      refuse();
      return true;
    }
    add_row({id, line_, first_});
    first_ = mark + 1;
    return true;
  }

  void refuse() {
    const bool segments = row_count_ >= options_.segments_max;
    failure_ = segments ? base::fail(ErrorCode::limit_exceeded, "the message has more segments than allowed")
                        : base::fail(ErrorCode::limit_exceeded, "a segment has more fields than allowed",
                                     "segment " + std::to_string(row_count_ + 1));
  }

  /// The id of the line [begin, end) when it has an ordinary name; else 0.
  std::uint32_t usual_id(std::uint32_t begin, std::uint32_t end) const {
    const char* const name = data_->bytes.data() + begin;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(name[i]); };
    const std::uint32_t size = end - begin;
    const bool usual = size >= 3 && (kNameBytes[at(0)] & 1) != 0 && (kNameBytes[at(1)] & 2) != 0 &&
                       (kNameBytes[at(2)] & 2) != 0 && (size == 3 || name[3] == data_->delimiters.field);
    return usual ? std::uint32_t{at(0)} << 16 | std::uint32_t{at(1)} << 8 | at(2) : 0;
  }
  std::string_view name_of(std::uint32_t begin, std::uint32_t end) const {
    const std::string_view line = std::string_view(data_->bytes).substr(begin, end - begin);
    return line.substr(0, line.find(data_->delimiters.field));
  }
  std::uint32_t id_of(std::uint32_t begin, std::uint32_t end) const {
    const std::uint32_t id = usual_id(begin, end);
    return id != 0 ? id : segment_id(name_of(begin, end));
  }

  /// The id of a name that is not three capital letters or digits, or that does not belong here.
  std::uint32_t note_name(std::uint32_t end) {
    const std::string_view name = name_of(line_, end);
    const std::uint32_t id = segment_id(name);
    if (id == 0) {
      data_->note(ErrorCode::unnamed_segment, Severity::warning, {row_count_}, line_,
                  "the line is kept, but no path reaches it by name");
      return id;
    }
    if (has_lower(name)) {
      data_->note(ErrorCode::segment_case, Severity::warning, {row_count_}, line_,
                  "the segment is read as if its name were in upper case");
    }
    if (row_count_ > 0 && header_name(id)) {
      data_->note(ErrorCode::second_header, Severity::warning, {row_count_}, line_,
                  "the bytes hold more than one message; this header's delimiters are not used");
    }
    return id;
  }

  base::Status check_repetitions() {
    const char repetition = data_->delimiters.repetition;
    if (repetition == '\0') return {};
    const char* const bytes = data_->bytes.data();
    if (data_->bytes.size() <= options_.repetitions_max) return {};
    const std::uint32_t* const marks = data_->marks();
    for (const SegmentRow& row : data_->segments()) {
      if (data_->end(row) - row.offset <= options_.repetitions_max) continue;
      for (std::uint32_t i = 0; i < data_->separators(row); ++i) {
        const std::uint32_t begin = marks[row.first + i] + 1, end = marks[row.first + i + 1];
        if (end - begin < options_.repetitions_max) continue;
        std::size_t parts = 1;
        for (std::uint32_t at = detail::find_byte(bytes, begin, end, repetition);
             at < end && parts <= options_.repetitions_max;
             at = detail::find_byte(bytes, at + 1, end, repetition)) {
          ++parts;
        }
        if (parts > options_.repetitions_max) {
          return base::fail(ErrorCode::limit_exceeded, "a field has more repetitions than allowed",
                            segment_name(row.id) + "-" + std::to_string(i + 1));
        }
      }
    }
    return {};
  }

  static std::uint32_t offset32(std::size_t offset) { return static_cast<std::uint32_t>(offset); }

  const ParseOptions& options_;
  std::unique_ptr<MessageData> data_;
  std::size_t start_ = 0;  ///< offset of the first segment
  detail::ScanBlock* blocks_ = nullptr;
  std::size_t memory_max_;               ///< for the index and the blocks
  std::array<SegmentRow, 48> few_rows_;  ///< the first ones
  std::uint32_t row_count_ = 0;
  std::uint32_t marks_ = 0;  ///< before the current block
  std::uint32_t first_ = 0;  ///< first mark of the current line
  std::uint32_t line_ = 0;   ///< offset of the current line
  std::optional<tl::unexpected<base::Error>> failure_;
  bool ends_open_ = false;  ///< the last line has no line end
  bool high_ = false;
  bool lf_ends_ = false, lf_may_end_ = false;
  bool mixed_noted_ = false, blank_noted_ = false;
};

using Data = std::unique_ptr<MessageData>;

/// The message again as UTF-8, because it cannot be split at bytes; what was received is kept. `set` is what
/// the text was converted from, `declared` what MSH-18 says.
base::Result<Data> parse_converted(std::string received, detail::Converted converted, Charset declared,
                                   std::vector<Charset> alternates, const ParseOptions& options) {
  ParseOptions as_utf8 = options;
  as_utf8.charset_override = Charset::utf8();
  as_utf8.bytes_max = std::max(options.bytes_max, converted.text.size());
  const std::size_t kept =
      converted.text.capacity() + converted.lines.capacity() * sizeof(converted.lines[0]);
  Parser parser(std::move(converted.text), as_utf8, received.size(), kept);
  TRY_VOID(parser.run());
  Data data = parser.take();
  data->original = std::move(received);
  data->lines = std::move(converted.lines);
  data->charset = declared;
  data->alternates = std::move(alternates);
  data->wide = converted.wide;
  if (!converted.clean) {
    data->note(ErrorCode::bad_charset_bytes, Severity::warning, {}, 0,
               "bytes that are no characters of the message's character set became U+FFFD");
  }
  return data;
}

}  // namespace

base::Result<Message> Message::parse(std::string bytes, const ParseOptions& options) {
  if (const char* const wide = detail::wide_set(bytes)) {
    if (!options.wide) {
      return base::fail(ErrorCode::charset_not_framable, "the message is in UTF-16 or UTF-32", "MSH-18",
                        "ask the sender for UNICODE UTF-8");
    }
    if (bytes.size() > options.bytes_max)
      return base::fail(ErrorCode::limit_exceeded, "the message has more bytes than allowed");
    TRY(auto converted, detail::convert_wide(bytes, wide));
    TRY(auto data, parse_converted(std::move(bytes), std::move(converted), Charset::utf8(), {}, options));
    return Message(std::move(data));
  }
  const std::size_t received = bytes.size();
  Parser parser(std::move(bytes), options, received, 0);
  TRY_VOID(parser.run());
  const auto set = parser.set_to_convert();
  auto data = parser.take();
  if (set) {
    data->index.reset();
    TRY(auto converted, detail::convert_lines(data->bytes, *set));
    TRY(data, parse_converted(std::move(data->bytes), std::move(converted), data->charset,
                              std::move(data->alternates), options));
  }
  return Message(std::move(data));
}

}  // namespace kiln::hl7
