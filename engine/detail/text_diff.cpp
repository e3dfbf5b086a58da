#include "engine/detail/text_diff.h"

#include <algorithm>
#include <vector>

#include "engine/limits.h"

namespace kiln::engine::detail {

namespace {

constexpr std::size_t kAround = 3;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

struct Line {
  char mark;
  std::string_view text;
};

/// Longest common subsequence of what lies between the common beginning and end.
std::vector<Line> compare(const std::vector<std::string_view>& was, const std::vector<std::string_view>& is,
                          std::size_t head, std::size_t old_end, std::size_t new_end) {
  const std::size_t rows = old_end - head, columns = new_end - head;
  std::vector<std::uint16_t> longest((rows + 1) * (columns + 1), 0);
  const auto at = [&](std::size_t row, std::size_t column) -> std::uint16_t& {
    return longest[row * (columns + 1) + column];
  };
  for (std::size_t row = rows; row-- > 0;)
    for (std::size_t column = columns; column-- > 0;)
      at(row, column) = was[head + row] == is[head + column]
                            ? static_cast<std::uint16_t>(at(row + 1, column + 1) + 1)
                            : std::max(at(row + 1, column), at(row, column + 1));
  std::vector<Line> out;
  std::size_t row = 0, column = 0;
  while (row < rows || column < columns) {
    if (row < rows && column < columns && was[head + row] == is[head + column]) {
      out.push_back({' ', was[head + row]});
      ++row, ++column;
    } else if (column == columns || (row < rows && at(row + 1, column) >= at(row, column + 1))) {
      out.push_back({'-', was[head + row++]});
    } else {
      out.push_back({'+', is[head + column++]});
    }
  }
  return out;
}

std::string print_hunks(const std::vector<Line>& lines) {
  std::string out;
  std::size_t old_line = 1, new_line = 1;
  for (std::size_t i = 0; i < lines.size();) {
    if (lines[i].mark == ' ') {
      ++i, ++old_line, ++new_line;
      continue;
    }
    const std::size_t begin = i - std::min(i, kAround);
    std::size_t last = i, end = i;
    while (end < lines.size() && end - last <= 2 * kAround) {
      if (lines[end].mark != ' ') last = end;
      ++end;
    }
    end = std::min(lines.size(), last + 1 + kAround);
    std::string body;
    std::size_t olds = 0, news = 0;
    for (std::size_t k = begin; k < end; ++k) {
      body += lines[k].mark + std::string(lines[k].text) + "\n";
      if (lines[k].mark != '+') ++olds;
      if (lines[k].mark != '-') ++news;
    }
    out += "@@ -" + std::to_string(old_line - (i - begin)) + "," + std::to_string(olds) + " +" +
           std::to_string(new_line - (i - begin)) + "," + std::to_string(news) + " @@\n" + body;
    for (; i < end; ++i) {
      if (lines[i].mark != '+') ++old_line;
      if (lines[i].mark != '-') ++new_line;
    }
  }
  return out;
}

}  // namespace

std::string unified_diff(std::string_view was, std::string_view is) {
  if (was == is) return {};
  const auto old_lines = lines_of(was), new_lines = lines_of(is);
  std::size_t head = 0;
  while (head < old_lines.size() && head < new_lines.size() && old_lines[head] == new_lines[head]) ++head;
  std::size_t old_end = old_lines.size(), new_end = new_lines.size();
  while (old_end > head && new_end > head && old_lines[old_end - 1] == new_lines[new_end - 1])
    --old_end, --new_end;
  if (old_end - head > limits::kDiffLinesMax || new_end - head > limits::kDiffLinesMax)
    return "@@ " + std::to_string(old_end - head) + " lines become " + std::to_string(new_end - head) +
           " others @@\n";
  std::vector<Line> all;
  for (std::size_t i = 0; i < head; ++i) all.push_back({' ', old_lines[i]});
  for (const Line& line : compare(old_lines, new_lines, head, old_end, new_end)) all.push_back(line);
  for (std::size_t i = old_end; i < old_lines.size(); ++i) all.push_back({' ', old_lines[i]});
  return print_hunks(all);
}

}  // namespace kiln::engine::detail
