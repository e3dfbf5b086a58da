#include <algorithm>

#include "mappings/detail/format_lines.h"

namespace kiln::mappings::detail {
namespace {

/// A line whose part before the column is longer stays as it is: it would push the others far to the right.
constexpr std::size_t kAlignedMax = 28;
/// A target that is longer than this with its operator reads better beside its value.
constexpr std::size_t kTargetMax = 22;
/// The same for what stands before a trailing comment.
constexpr std::size_t kCommentedMax = 96;

bool is_comment(const Line& line) {
  return line.text.empty();
}
bool spans_lines(const Line& line) {
  return line.text.find('\n') != std::string::npos;
}

Line::Column* column_of(Line& line, Stop kind) {
  for (Line::Column& column : line.columns)
    if (column.kind == kind) return &column;
  return nullptr;
}

/// Where the column is in the line's text, in characters.
std::size_t place_of(const Line& line, const Line::Column& column) {
  const std::size_t begin = display_width(std::string_view(line.text).substr(0, column.position));
  return begin + column.width;
}

void pad(Line& line, Line::Column& column, std::size_t blanks) {
  if (blanks == 0) return;
  const std::size_t position = column.position;
  line.text.insert(position, blanks, ' ');
  for (Line::Column& other : line.columns)
    if (other.position >= position) other.position += blanks;
}

void align_kind(std::vector<Line>& lines, std::size_t begin, std::size_t end, Stop kind) {
  std::size_t widest = 0, count = 0;
  const auto takes_part = [&](Line& line) -> Line::Column* {
    Line::Column* column = column_of(line, kind);
    const bool table = kind == Stop::header || kind == Stop::colon;
    const std::size_t max = table ? 2 * kAlignedMax : kind == Stop::assign ? kTargetMax : kAlignedMax;
    return column != nullptr && place_of(line, *column) <= max ? column : nullptr;
  };
  for (std::size_t i = begin; i < end; ++i) {
    if (const auto* column = takes_part(lines[i])) {
      widest = std::max(widest, place_of(lines[i], *column));
      ++count;
    }
  }
  if (count < 2) return;
  for (std::size_t i = begin; i < end; ++i)
    if (auto* column = takes_part(lines[i])) pad(lines[i], *column, widest - place_of(lines[i], *column));
}

void align_columns(std::vector<Line>& lines) {
  static constexpr Stop kOrder[] = {Stop::declaration, Stop::option, Stop::field, Stop::header,
                                    Stop::colon,       Stop::assign, Stop::arrow};
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t end = begin + 1;
    while (end < lines.size() && !lines[end].blank_before && lines[end].group == lines[begin].group &&
           lines[end].indent == lines[begin].indent && (lines[end].starts_item || is_comment(lines[end])) &&
           !spans_lines(lines[end - 1]))
      ++end;
    for (const Stop kind : kOrder) align_kind(lines, begin, end, kind);
    begin = end;
  }
}

void align_comments(std::vector<Line>& lines) {
  const auto has_comment = [](const Line& line) { return !line.text.empty() && !line.comment.empty(); };
  const auto width = [](const Line& line) {
    const std::size_t last = line.text.rfind('\n');
    if (last != std::string::npos) return display_width(std::string_view(line.text).substr(last + 1));
    return line.indent + display_width(line.text);
  };
  for (std::size_t begin = 0; begin < lines.size();) {
    if (!has_comment(lines[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin + 1, widest = 0;
    while (end < lines.size() && has_comment(lines[end]) && !lines[end].blank_before &&
           lines[end].indent == lines[begin].indent)
      ++end;
    for (std::size_t i = begin; i < end; ++i)
      if (width(lines[i]) <= kCommentedMax) widest = std::max(widest, width(lines[i]));
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t own = width(lines[i]);
      lines[i].text.append(own < widest ? widest - own : 0, ' ').append("  ").append(lines[i].comment);
      lines[i].comment.clear();
    }
    begin = end;
  }
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return width;
}

void align(std::vector<Line>& lines) {
  align_columns(lines);
  align_comments(lines);
}

}  // namespace kiln::mappings::detail
