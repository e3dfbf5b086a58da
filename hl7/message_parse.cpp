// Stage 1: header, segment table, field positions, character set.

#include <algorithm>
#include <cstring>

#include "engine/base/text.h"
#include "hl7/detail/message_data.h"
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

bool wide_encoding(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) return true;
  using namespace std::string_view_literals;
  return bytes.starts_with("M\0S\0H\0"sv) || bytes.starts_with("\0M\0S\0H"sv) ||
         bytes.starts_with("\0\0\0M\0\0\0S"sv);
}

bool header_name(std::uint32_t id) {
  return id == segment_id("MSH") || id == segment_id("FHS") || id == segment_id("BHS");
}

class Parser {
 public:
  Parser(std::string bytes, const ParseOptions& options)
      : options_(options), data_(std::make_unique<MessageData>()) {
    data_->bytes = std::move(bytes);
  }

  base::Result<std::unique_ptr<MessageData>> run() {
    const std::string& bytes = data_->bytes;
    if (bytes.size() > options_.bytes_max || bytes.size() >= 0xFFFF'FFFFu) {
      return base::fail(ErrorCode::limit_exceeded, "the message has more bytes than allowed");
    }
    TRY_VOID(read_header());
    scan();
    TRY_VOID(read_segments());
    TRY_VOID(check_repetitions());
    TRY_VOID(read_charset());
    return std::move(data_);
  }

 private:
  base::Status read_header() {
    const std::string_view bytes = data_->bytes;
    if (wide_encoding(bytes)) {
      return base::fail(ErrorCode::charset_unsupported, "the message is in UTF-16 or UTF-32");
    }
    start_ = skip_leading(bytes);
    const std::string_view text = bytes.substr(start_);
    if (!header_name(segment_id(text.substr(0, 3))) || text.size() < 4) {
      if (!options_.headerless) return base::fail(ErrorCode::no_header);
      data_->delimiters = *options_.headerless;
      return {};
    }
    std::size_t end = 4;
    while (end < text.size() && text[end] != text[3] && text[end] != '\r' && text[end] != '\n') ++end;
    const auto read = read_delimiters(text[3], text.substr(4, end - 4));
    if (!read) {
      return base::fail(ErrorCode::no_header, "the byte behind the segment name cannot be a field separator");
    }
    data_->delimiters = read->delimiters;
    data_->has_header = true;
    if (start_ > 0) {
      data_->note(ErrorCode::leading_noise, Severity::note, {}, 0,
                  "bytes before the first segment are skipped");
    }
    if (!read->clean) {
      data_->note(ErrorCode::bad_delimiters, Severity::warning, {0, 2, 0, 0, 0}, offset32(start_ + 4),
                  "the delimiters are not five different punctuation characters at most");
    }
    return {};
  }

  void scan() {
    const std::string& bytes = data_->bytes;
    const Delimiters& d = data_->delimiters;
    const detail::Scanner& scanner = detail::scanner(options_.scan);
    const auto counts = scanner.count(bytes.data(), bytes.size(), d.field, d.escape);
    // One more for the end of a last segment without line end.
    data_->marks = std::make_unique_for_overwrite<std::uint32_t[]>(counts.marks + 1);
    found_ = scanner.marks(bytes.data(), start_, bytes.size(), d.field, data_->marks.get());
    high_ = counts.high;
    const std::size_t in_header = data_->has_header && d.escape != '\0' ? 1 : 0;
    data_->has_escape = d.escape != '\0' && counts.escapes > in_header;
    switch (options_.line_ends) {
      case LineEnds::any:
        lf_ends_ = true;
        break;
      case LineEnds::cr:
        lf_ends_ = false;
        break;
      case LineEnds::auto_:
        lf_may_end_ = true;
        lf_ends_ = std::memchr(bytes.data() + start_, '\r', bytes.size() - start_) == nullptr;
    }
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
          ErrorCode::mixed_line_ends, Severity::warning, {offset32(data_->segments.size())}, at,
          "a line feed before a segment name ends the segment, although carriage returns are used too");
      mixed_noted_ = true;
    }
    return true;
  }

  static bool has_lower(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  }

  /// Moves the raw marks of each line to the front, drops those that are data, and appends the line's end:
  /// never more than were read, so it works in place.
  base::Status read_segments() {
    const std::string& bytes = data_->bytes;
    const char separator = data_->delimiters.field;
    std::uint32_t* const marks = data_->marks.get();
    line_ = offset32(start_);
    data_->segments.reserve(std::min<std::size_t>(options_.segments_max, 16 + bytes.size() / 128));
    for (std::size_t i = 0; i < found_; ++i) {
      const std::uint32_t at = marks[i];
      const char c = bytes[at];
      if (c == separator) {
        marks[write_++] = at;
        continue;
      }
      if (c == '\n' && !ends_segment(at)) continue;
      TRY_VOID(end_line(at));
      line_ = at + 1;
      if (c == '\r' && line_ < bytes.size() && bytes[line_] == '\n') {
        ++line_;
        ++i;
      }
    }
    if (line_ < bytes.size()) TRY_VOID(end_line(offset32(bytes.size())));
    return {};
  }

  base::Status end_line(std::uint32_t end) {
    const char* const bytes = data_->bytes.data();
    if (line_ == end || (blank(bytes[line_]) && std::all_of(bytes + line_, bytes + end, blank))) {
      if (!blank_noted_) {
        data_->note(ErrorCode::blank_line, Severity::note, {offset32(data_->segments.size())}, line_,
                    "lines without content are skipped");
        blank_noted_ = true;
      }
      return {};
    }
    const std::uint32_t separators = write_ - first_;
    data_->marks[write_++] = end;
    const std::uint32_t name_end = data_->marks[first_];
    const std::string_view name(bytes + line_, name_end - line_);
    const std::uint32_t id = segment_id(name);
    data_->segments.push_back({id, line_, end, first_, separators});
    first_ = write_;
    const std::uint32_t index = offset32(data_->segments.size() - 1);
    if (data_->segments.size() > options_.segments_max) {
      return base::fail(ErrorCode::limit_exceeded, "the message has more segments than allowed");
    }
    const std::uint32_t fields = separators + (data_->is_header(data_->segments.back()) ? 1 : 0);
    if (fields > options_.fields_max) {
      return base::fail(ErrorCode::limit_exceeded, "a segment has more fields than allowed",
                        "segment " + std::to_string(index + 1));
    }
    note_name(id, name, index);
    return {};
  }

  void note_name(std::uint32_t id, std::string_view name, std::uint32_t index) {
    if (id == 0) {
      data_->note(ErrorCode::unnamed_segment, Severity::warning, {index}, line_,
                  "the line is kept, but no path reaches it by name");
      return;
    }
    if (has_lower(name)) {
      data_->note(ErrorCode::segment_case, Severity::warning, {index}, line_,
                  "the segment is read as if its name were in upper case");
    }
    if (index > 0 && header_name(id)) {
      data_->note(ErrorCode::second_header, Severity::warning, {index}, line_,
                  "the bytes hold more than one message; this header's delimiters are not used");
    }
  }

  base::Status check_repetitions() {
    const char repetition = data_->delimiters.repetition;
    if (repetition == '\0') return {};
    const char* const bytes = data_->bytes.data();
    for (const SegmentRow& row : data_->segments) {
      if (row.end - row.offset <= options_.repetitions_max) continue;
      for (std::uint32_t i = 0; i < row.separators; ++i) {
        const std::uint32_t begin = data_->marks[row.first + i] + 1, end = data_->marks[row.first + i + 1];
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

  base::Status read_charset() {
    data_->charset = options_.charset_default;
    if (options_.charset_override) {
      data_->charset = *options_.charset_override;
    } else if (data_->has_header && data_->segments[0].id == segment_id("MSH")) {
      TRY_VOID(read_msh_18());
    }
    TRY_VOID(refuse_unsupported(data_->charset));
    if (!data_->charset.supported()) data_->charset = Charset::ascii();
    if (!high_) return {};
    const bool utf8 = data_->charset.is_utf8() && base::is_valid_utf8(data_->bytes);
    data_->recode_high = !utf8;
    // Where escapes may switch sets, only decoding can tell what is a character: check_text() does.
    if (!utf8 && data_->alternates.empty()) note_bad_bytes();
    return {};
  }

  base::Status read_msh_18() {
    const SegmentRow& row = data_->segments[0];
    if (row.separators < 17) return {};
    const std::uint32_t begin = data_->marks[row.first + 16] + 1, end = data_->marks[row.first + 17];
    const std::string_view field = std::string_view(data_->bytes).substr(begin, end - begin);
    if (base::trim(field).empty()) return {};
    std::size_t at = 0;
    for (std::uint32_t repetition = 1; at <= field.size(); ++repetition) {
      const std::size_t cut =
          data_->delimiters.repetition == '\0' ? field.npos : field.find(data_->delimiters.repetition, at);
      const std::string_view name = base::trim(field.substr(at, cut - at));
      const std::uint32_t offset = begin + offset32(at);
      at = cut == field.npos ? field.size() + 1 : cut + 1;
      if (name == "\"\"" || (name.empty() && repetition > 1)) continue;
      const auto found = Charset::find(name);
      if (!found) {
        data_->note(ErrorCode::unknown_charset, Severity::warning, {0, 18, repetition, 1, 1}, offset,
                    "the channel's default character set is used");
      } else if (repetition == 1) {
        data_->charset = *found;
      } else {
        TRY_VOID(refuse_unsupported(*found, true));
        if (found->supported()) data_->alternates.push_back(*found);
      }
    }
    return {};
  }

  /// Such a set is harmless while the message holds ASCII only; anything else would be split at the wrong
  /// bytes.
  base::Status refuse_unsupported(Charset charset, bool alternate = false) {
    if (charset.supported()) return {};
    const bool escapes = data_->bytes.find('\x1b') != std::string::npos;
    if (!escapes && (alternate || !high_)) return {};
    return base::fail(ErrorCode::charset_unsupported,
                      "the message uses characters of " + std::string(charset.name()), "MSH-18",
                      "ask the sender for UNICODE UTF-8");
  }

  void note_bad_bytes() {
    const std::string_view bytes = data_->bytes;
    for (std::uint32_t s = 0; s < data_->segments.size(); ++s) {
      const SegmentRow& row = data_->segments[s];
      if (!detail::has_high_byte(bytes.substr(row.offset, row.end - row.offset))) continue;
      const std::uint32_t shift = data_->is_header(row) ? 2 : 1;
      for (std::uint32_t i = 0; i < row.separators; ++i) {
        const std::uint32_t begin = data_->marks[row.first + i] + 1, end = data_->marks[row.first + i + 1];
        const std::string_view field = bytes.substr(begin, end - begin);
        if (!detail::has_high_byte(field) || data_->charset.valid(field)) continue;
        data_->note(ErrorCode::bad_charset_bytes, Severity::warning, {s, i + shift, 0, 0, 0}, begin,
                    "the field holds bytes that are no characters of the message's character set");
      }
    }
  }

  static std::uint32_t offset32(std::size_t offset) { return static_cast<std::uint32_t>(offset); }

  const ParseOptions& options_;
  std::unique_ptr<MessageData> data_;
  std::size_t start_ = 0;    ///< offset of the first segment
  std::size_t found_ = 0;    ///< raw marks
  std::uint32_t write_ = 0;  ///< marks kept so far
  std::uint32_t first_ = 0;  ///< first mark of the current line
  std::uint32_t line_ = 0;   ///< offset of the current line
  bool high_ = false;
  bool lf_ends_ = false, lf_may_end_ = false;
  bool mixed_noted_ = false, blank_noted_ = false;
};

}  // namespace

base::Result<Message> Message::parse(std::string bytes, const ParseOptions& options) {
  TRY(auto data, Parser(std::move(bytes), options).run());
  return Message(std::move(data));
}

}  // namespace kiln::hl7
