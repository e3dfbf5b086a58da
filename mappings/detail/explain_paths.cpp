#include "mappings/detail/explain_paths.h"

#include <charconv>

#include "fhir/definitions/definitions.h"

namespace kiln::mappings::detail {
namespace {

int number_of(std::string_view digits) {
  int value = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// `deceased` for `deceasedDateTime`: the rest names a type.
bool is_variant(std::string_view member, std::string_view base) {
  if (!member.starts_with(base) || member.size() == base.size()) return false;
  std::string type(member.substr(base.size()));
  if (type[0] < 'A' || type[0] > 'Z') return false;
  if (fhir::find_type(type) != nullptr) return true;
  type[0] = static_cast<char>(type[0] - 'A' + 'a');
  return fhir::find_type(type) != nullptr;
}

bool same_step(const PathStep& path, const PathStep& query) {
  if (query.index >= 0 && path.index != query.index) return false;
  return path.name == query.name || is_variant(path.name, query.name);
}

/// Reads `[n]` or `[*]` at the front of `text`.
int take_index(std::string_view& text) {
  if (!text.starts_with('[')) return 0;
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return 0;
  const std::string_view inside = text.substr(1, close - 1);
  text.remove_prefix(close + 1);
  return inside == "*" ? -1 : number_of(inside);
}

int take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  const int value = end == 0 ? 0 : number_of(text.substr(0, end));
  text.remove_prefix(end);
  return value;
}

}  // namespace

std::vector<PathStep> path_steps(std::string_view path) {
  std::vector<PathStep> steps;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    std::string_view one = path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    PathStep step;
    const std::size_t open = one.find('[');
    if (open != std::string_view::npos && one.ends_with(']'))
      step.index = number_of(one.substr(open + 1, one.size() - open - 2));
    step.name = one.substr(0, open);
    steps.push_back(step);
  }
  return steps;
}

bool is_at_or_below(std::string_view path, std::string_view query) {
  const auto whole = path_steps(path), wanted = path_steps(query);
  if (wanted.empty() || wanted.size() > whole.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!same_step(whole[i], wanted[i])) return false;
  return true;
}

Hl7Place hl7_place(std::string_view text) {
  Hl7Place place;
  if (text.size() < 3) return place;
  place.segment = text.substr(0, 3);
  text.remove_prefix(3);
  place.occurrence = take_index(text);
  place.valid = text.empty();
  if (!text.starts_with('-')) return place;
  text.remove_prefix(1);
  place.field = take_number(text);
  place.repetition = take_index(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    place.component = take_number(text);
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    place.subcomponent = take_number(text);
  }
  place.valid = text.empty() && place.field > 0;
  return place;
}

}  // namespace kiln::mappings::detail
