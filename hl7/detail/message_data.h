#pragma once
// What a Message owns. Made by parse, never changed afterwards.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "hl7/charset.h"
#include "hl7/delimiters.h"
#include "hl7/parse_diagnostic.h"
#include "hl7/segment_id.h"

namespace kiln::hl7 {

/// Instruction sets for finding delimiters; the results are the same. `best` picks by the processor. A mode
/// that it lacks falls back to the next lower one.
enum class ScanMode : std::uint8_t { best, scalar, sse2, avx2, avx512 };

}  // namespace kiln::hl7

namespace kiln::hl7::detail {

/// Twelve bytes each, because a message of many short segments must not grow much in memory.
struct SegmentRow {
  std::uint32_t id;      ///< segment_id, 0 = unnamed
  std::uint32_t offset;  ///< of the name
  std::uint32_t first;   ///< index in marks of its first field separator, or of its end when there is none
};

struct MessageData {
  std::string bytes;     ///< what is split: as received, or its UTF-8 form (see `original`)
  std::string original;  ///< as received, when that cannot be split byte by byte; else empty
  /// Where the lines of `bytes` start in it and in `original`; empty when nothing was converted.
  struct LineStart {
    std::uint32_t text, original;
  };
  std::vector<LineStart> lines;
  const char* wide = nullptr;  ///< iconv's name of the UTF-16 or UTF-32 that was received
  /// Marks, then rows: one block, made when both counts are known. Marks are, for every segment, its field
  /// separators and then its end. Behind the last row stands one whose `first` is the number of marks.
  std::unique_ptr<std::uint32_t[]> index;
  SegmentRow* rows = nullptr;
  std::uint32_t row_count = 0;
  std::size_t index_words = 0;
  Delimiters delimiters;
  Charset charset;
  ScanMode scan = ScanMode::best;
  bool has_header = false;
  bool has_escape = false;   ///< an escape character stands outside the header's MSH-2
  bool has_quote = false;    ///< a quotation mark is there, so null may be
  bool recode_high = false;  ///< bytes above 0x7F exist and are not already the UTF-8 to hand out
  std::vector<Charset> alternates;
  std::vector<ParseDiagnostic> diagnostics;
  std::uint64_t diagnostics_dropped = 0;

  const std::uint32_t* marks() const { return index.get(); }
  std::span<const SegmentRow> segments() const { return {rows, row_count}; }
  /// Field separators of a row.
  std::uint32_t separators(const SegmentRow& row) const { return (&row)[1].first - row.first - 1; }
  /// Offset of the end of a row's segment, without line end.
  std::uint32_t end(const SegmentRow& row) const { return index[(&row)[1].first - 1]; }
  bool is_header(const SegmentRow& row) const { return header_id(row.id) && separators(row) > 0; }
  static constexpr bool header_id(std::uint32_t id) {
    // Named constants: written in place they would be worked out at run time.
    constexpr std::uint32_t kMsh = segment_id("MSH"), kFhs = segment_id("FHS"), kBhs = segment_id("BHS");
    return id == kMsh || id == kFhs || id == kBhs;
  }
  void note(base::ErrorCode code, base::Severity severity, const Location& location, std::uint32_t offset,
            std::string_view text) {
    if (diagnostics.size() < base::limits::kParseDiagnosticsMax) {
      diagnostics.push_back({code, severity, location, offset, text});
    } else {
      ++diagnostics_dropped;
    }
  }
};

/// Index of the first byte `c` of the word in memory order, 8 when there is none. `c` is not NUL.
inline std::uint32_t first_in_word(std::uint64_t word, char c) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t differs = word ^ (kOnes * static_cast<unsigned char>(c));
  return static_cast<std::uint32_t>(std::countr_zero((differs - kOnes) & ~differs & kHighs)) / 8;
}

/// Offset of `c` in [begin, end), or end. '\0' is never found: it stands for a delimiter that does not exist.
inline std::uint32_t find_byte(const char* bytes, std::uint32_t begin, std::uint32_t end, char c) {
  if (c == '\0' || begin >= end) return end;
  // Most parts are a few bytes long: words cost less there than a call to memchr.
  const std::uint32_t near = end - begin < 48 ? end : begin + 48;
  std::uint64_t word = 0;
  for (; near - begin >= 8; begin += 8) {
    std::memcpy(&word, bytes + begin, 8);
    if (const std::uint32_t at = first_in_word(word, c); at < 8) return begin + at;
  }
  if (near < end) {
    const void* hit = std::memchr(bytes + begin, c, end - begin);
    return hit == nullptr ? end : static_cast<std::uint32_t>(static_cast<const char*>(hit) - bytes);
  }
  const std::uint32_t left = end - begin;
  if (left == 0) return end;
  if (end < 8) {
    while (begin < end && bytes[begin] != c) ++begin;
    return begin;
  }
  std::memcpy(&word, bytes + end - 8, 8);  // the rest with what stands before it, which is shifted out
  return begin + std::min(first_in_word(word >> (8 * (8 - left)), c), left);
}

inline bool has_high_byte(std::string_view bytes) {
  std::uint64_t all = 0;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    all |= word;
  }
  for (; i < bytes.size(); ++i) all |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i]));
  return (all & 0x8080808080808080u) != 0;
}

}  // namespace kiln::hl7::detail
