#include "mappings/importer/decisions.h"

#include <charconv>

#include "engine/base/text.h"

namespace kiln::mappings {
namespace {

std::string key_of(std::string_view kind, std::string_view map, std::string_view row) {
  return std::string(kind) + "|" + std::string(map) + "|" + std::string(row);
}

/// "7-9" -> 7, 9; "5" -> 5, 5; 1, 0 for what is no number.
std::pair<int, int> range_of(std::string_view text) {
  int first = 1, last = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), first);
  if (error != std::errc()) return {1, 0};
  if (end == text.data() + text.size()) return {first, first};
  std::from_chars(end + 1, text.data() + text.size(), last);
  return {first, last};
}

}  // namespace

std::vector<std::string> csv_cells(std::string_view line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.emplace_back();
    else if (c != '\r')
      out.back() += c;
  }
  return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

Decisions::Decisions(std::string_view text) {
  for (const std::string_view line : lines_of(text)) {
    const auto cells = csv_cells(line);
    if (cells.size() < 6) continue;
    const Decision decision{cells[3], cells[4], cells[5]};
    if (cells[2] == "*") rows_[key_of(cells[0], cells[1], "*")] = decision;
    for (const std::string_view part : base::split(cells[2], ' ')) {
      const auto [first, last] = range_of(part);
      for (int row = first; row <= last; ++row)
        rows_[key_of(cells[0], cells[1], std::to_string(row))] = decision;
    }
  }
}

const Decision* Decisions::row(std::string_view kind, std::string_view map, int row) const {
  const auto found = rows_.find(key_of(kind, map, std::to_string(row)));
  return found == rows_.end() ? nullptr : &found->second;
}

const Decision* Decisions::sheet(std::string_view kind, std::string_view map) const {
  const auto found = rows_.find(key_of(kind, map, "*"));
  return found == rows_.end() ? nullptr : &found->second;
}

}  // namespace kiln::mappings
