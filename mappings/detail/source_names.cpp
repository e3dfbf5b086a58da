#include "mappings/detail/source_names.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace kiln::mappings::detail {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

/// The number at the front of `text`; 0 when there is none.
std::size_t number_at(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool is_path_at(std::string_view text, std::size_t at) {
  if (at + 4 >= text.size()) return false;
  const bool starts = at == 0 || !(is_upper(text[at - 1]) || is_digit(text[at - 1]) || text[at - 1] == '_');
  const auto part = [&](std::size_t i) { return is_upper(text[i]) || is_digit(text[i]); };
  return starts && is_upper(text[at]) && part(at + 1) && part(at + 2) && text[at + 3] == '-' &&
         is_digit(text[at + 4]);
}

/// `after` is what follows the field's number: "[1].2", ".2", " via T".
std::string field_name(std::string_view segment, std::size_t number, std::string_view after,
                       const hl7::Dictionary& dictionary) {
  const auto found = dictionary.segment(segment);
  const auto field = found ? found->field(number) : std::nullopt;
  const std::string path = std::string(segment) + "-" + std::to_string(number);
  if (!field) return path;
  const std::string name = path + " " + std::string(field->name) + " (" + std::string(field->datatype) + ")";
  if (after.size() < 2 || after[0] != '.' || !is_digit(after[1])) return name;
  const auto type = dictionary.datatype(field->datatype);
  const auto part = type ? type->component(number_at(after.substr(1))) : std::nullopt;
  return part ? name + ", " + std::string(part->name) : name;
}

std::string component_name(std::string_view source, const hl7::Dictionary& dictionary,
                           std::string_view datatype) {
  if (datatype.empty() || source.size() < 2 || source[0] != '.' || !is_digit(source[1])) return {};
  const std::size_t number = number_at(source.substr(1));
  const auto type = dictionary.datatype(datatype);
  const auto part = type ? type->component(number) : std::nullopt;
  return part ? std::string(datatype) + "." + std::to_string(number) + " " + std::string(part->name)
              : std::string();
}

}  // namespace

std::string source_names(std::string_view source, const hl7::Dictionary& dictionary,
                         std::string_view datatype) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (!is_path_at(source, i)) continue;
    std::size_t end = i + 4;
    while (end < source.size() && is_digit(source[end])) ++end;
    std::string_view after = source.substr(end);
    if (after.starts_with('[')) after.remove_prefix(std::min(after.find(']'), after.size() - 1) + 1);
    names.push_back(field_name(source.substr(i, 3), number_at(source.substr(i + 4)), after, dictionary));
    i = end - 1;
  }
  if (names.empty()) return component_name(source, dictionary, datatype);
  std::string out;
  for (auto at = names.begin(); at != names.end(); ++at)
    if (std::find(names.begin(), at, *at) == at) out += (out.empty() ? "" : "\n") + *at;
  return out;
}

}  // namespace kiln::mappings::detail
