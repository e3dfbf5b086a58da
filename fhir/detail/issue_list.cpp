#include "fhir/detail/issue_list.h"

#include <algorithm>

namespace kiln::fhir::detail {
namespace {

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::string counted(std::size_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

std::string Place::print() const {
  std::string text = parent ? parent->print() : std::string();
  if (!text.empty() && !name.empty()) text += '.';
  text += name;
  if (index >= 0) text += "[" + std::to_string(index) + "]";
  return text;
}

void IssueList::add(std::string_view code, const Place& place, base::JsonView value, std::string text) {
  if (full_) return;
  if (issues_.size() >= max_) {
    full_ = true;
    issues_.push_back({IssueSeverity::information, "informational", "further issues are not listed", {}, {}});
    return;
  }
  std::string position = source_.empty() || !value ? std::string() : position_of(value.offset());
  issues_.push_back(
      {IssueSeverity::error, std::string(code), std::move(text), place.print(), std::move(position)});
}

std::string IssueList::position_of(std::size_t offset) {
  offset = std::min(offset, source_.size());
  if (offset < seen_offset_) seen_offset_ = 0, seen_line_ = 1, line_begin_ = 0;
  for (; seen_offset_ < offset; ++seen_offset_) {
    if (source_[seen_offset_] != '\n') continue;
    ++seen_line_;
    line_begin_ = seen_offset_ + 1;
  }
  const std::string_view line = source_.substr(line_begin_, offset - line_begin_);
  const auto column = std::count_if(line.begin(), line.end(), starts_character) + 1;
  return "line " + std::to_string(seen_line_) + ", column " + std::to_string(column);
}

std::string shape_of(base::JsonView value) {
  switch (value.kind()) {
    case base::JsonKind::null_:
      return "null";
    case base::JsonKind::boolean:
      return "a boolean";
    case base::JsonKind::number:
      return "a number of " + counted(value.text().size(), "character");
    case base::JsonKind::array:
      return "an array of " + counted(value.size(), "item");
    case base::JsonKind::object:
      return "an object of " + counted(value.size(), "member");
    case base::JsonKind::string:
      break;
  }
  const std::string_view text = value.text();
  return "a string of " +
         counted(static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character)),
                 "character");
}

}  // namespace kiln::fhir::detail
