#pragma once
// What a Message owns. Made by parse, never changed afterwards.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "hl7/charset.h"
#include "hl7/delimiters.h"
#include "hl7/parse_diagnostic.h"
#include "hl7/segment_id.h"

namespace kiln::hl7::detail {

struct SegmentRow {
  std::uint32_t id;      ///< segment_id, 0 = unnamed
  std::uint32_t offset;  ///< of the name
  std::uint32_t end;     ///< of the segment, without line end
  std::uint32_t first;   ///< index in marks of its first field separator; behind the last one stands `end`
  std::uint32_t separators;
};

struct MessageData {
  std::string bytes;
  std::unique_ptr<std::uint32_t[]> marks;  ///< per segment: its field separators, then its end
  std::vector<SegmentRow> segments;
  Delimiters delimiters;
  Charset charset;
  std::vector<Charset> alternates;
  std::vector<ParseDiagnostic> diagnostics;
  std::uint64_t diagnostics_dropped = 0;
  bool has_header = false;
  bool has_escape = false;   ///< an escape character stands outside the header's MSH-2
  bool recode_high = false;  ///< bytes above 0x7F exist and are not already the UTF-8 to hand out

  bool is_header(const SegmentRow& row) const {
    return (row.id == segment_id("MSH") || row.id == segment_id("FHS") || row.id == segment_id("BHS")) &&
           row.separators > 0;
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

/// Offset of `c` in [begin, end), or end. '\0' is never found: it stands for a delimiter that does not exist.
inline std::uint32_t find_byte(const char* bytes, std::uint32_t begin, std::uint32_t end, char c) {
  if (c == '\0') return end;
  // Most parts are a few bytes long: a call to memchr costs more than it saves there.
  const std::uint32_t near = end - begin < 16 ? end : begin + 16;
  for (; begin < near; ++begin) {
    if (bytes[begin] == c) return begin;
  }
  if (begin == end) return end;
  const void* hit = std::memchr(bytes + begin, c, end - begin);
  return hit == nullptr ? end : static_cast<std::uint32_t>(static_cast<const char*>(hit) - bytes);
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
