#include "engine/store/body_members.h"

#include <algorithm>

namespace kiln::engine {
namespace {

/// The place of the quote that ends the text which begins behind `at`; npos when there is none.
std::size_t end_of_text(std::string_view json, std::size_t at) {
  for (;;) {
    at = json.find('"', at);
    if (at == json.npos) return at;
    std::size_t slashes = 0;
    while (json[at - 1 - slashes] == '\\') ++slashes;
    if (slashes % 2 == 0) return at;
    ++at;
  }
}

/// The place behind the value that begins at `at`; npos when it does not end.
std::size_t end_of_value(std::string_view json, std::size_t at) {
  int depth = 0;
  for (; at < json.size(); ++at) {
    switch (json[at]) {
      case '"':
        at = end_of_text(json, at + 1);
        if (at == json.npos) return at;
        break;
      case '{':
      case '[':
        ++depth;
        continue;
      case '}':
      case ']':
        if (depth == 0) return at;  // of a number or literal, the end of the object
        --depth;
        break;
      case ',':
        if (depth == 0) return at;
        continue;
      default:
        continue;
    }
    if (depth == 0) return at + 1;
  }
  return json.npos;
}

}  // namespace

std::optional<std::string> members_of_body(std::string_view body, std::span<const std::string_view> names) {
  if (!body.starts_with('{')) return std::nullopt;
  std::string out = "{";
  for (std::size_t at = 1; at < body.size();) {
    if (body[at] != '"') return std::nullopt;
    const std::size_t end = end_of_text(body, at + 1);
    if (end == body.npos || end + 1 >= body.size() || body[end + 1] != ':') return std::nullopt;
    const std::string_view name = body.substr(at + 1, end - at - 1);
    if (name.find('\\') != name.npos) return std::nullopt;
    const std::size_t behind = end_of_value(body, end + 2);
    if (behind == body.npos || behind >= body.size()) return std::nullopt;
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      if (out.size() > 1) out += ',';
      out.append(body.substr(at, behind - at));
    }
    if (body[behind] == '}') return behind + 1 == body.size() ? std::optional(out + '}') : std::nullopt;
    if (body[behind] != ',') return std::nullopt;
    at = behind + 1;
  }
  return std::nullopt;
}

}  // namespace kiln::engine
