#include "fhir/model/detail/json_scan.h"

namespace kiln::fhir::detail {
namespace {

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
    ++at;
  return at;
}

/// Behind the string whose opening quote is at `at`; npos when it does not end.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      return at + 1;
  }
  return std::string_view::npos;
}

}  // namespace

std::string_view find_resource_type(std::string_view text) {
  std::size_t at = skip_space(text, 0) + 1, depth = 1;
  bool is_key = true;
  while (at < text.size() && depth != 0) {
    at = skip_space(text, at);
    if (at >= text.size()) break;
    if (text[at] != '"') {
      if (text[at] == '{' || text[at] == '[') ++depth;
      if (text[at] == '}' || text[at] == ']') --depth;
      if (depth == 1) is_key = text[at] == ',';
      ++at;
      continue;
    }
    const std::size_t end = skip_string(text, at);
    if (end == std::string_view::npos) break;
    const bool found = depth == 1 && is_key && text.substr(at, end - at) == "\"resourceType\"";
    at = end;
    if (!found) continue;
    at = skip_space(text, at);
    if (at >= text.size() || text[at] != ':') break;
    at = skip_space(text, at + 1);
    if (at >= text.size() || text[at] != '"') break;
    const std::size_t value_end = skip_string(text, at);
    return value_end == std::string_view::npos ? std::string_view() : text.substr(at + 1, value_end - at - 2);
  }
  return {};
}

}  // namespace kiln::fhir::detail
