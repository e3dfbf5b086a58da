// N1 §5.6 string manipulation.

#include <algorithm>

#include "fhir/path/detail/case.h"
#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;

/// Bytes of the character that starts with this byte.
std::size_t size_of(char first) {
  const auto c = static_cast<unsigned char>(first);
  return c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
}
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}
/// Byte position of a character; the size of the text when there is none.
std::size_t byte_of(std::string_view text, std::size_t character) {
  std::size_t at = 0;
  for (; character != 0 && at < text.size(); --character) at += size_of(text[at]);
  return std::min(at, text.size());
}

/// The input and one argument, both strings; `found` false when one of them is missing.
bool two_texts(PathCall& call, std::string_view& text, std::string_view& other, bool& found) {
  bool has_other = false;
  if (!call.input_text(text, found) || !call.arg_text(0, other, has_other)) return false;
  found = found && has_other;
  return true;
}

bool index_of(PathCall& call, bool last) {
  std::string_view text, other;
  bool found = false;
  if (!two_texts(call, text, other, found)) return false;
  if (!found) return true;
  const std::size_t at = last ? text.rfind(other) : text.find(other);
  return call.give_integer(
      at == std::string_view::npos ? -1 : static_cast<std::int64_t>(characters(text.substr(0, at))));
}
bool index_of_first(PathCall& call) {
  return index_of(call, false);
}
bool index_of_last(PathCall& call) {
  return index_of(call, true);
}

bool substring(PathCall& call) {
  std::string_view text;
  std::int64_t start = 0, length = 0;
  bool found = false, has_start = false, has_length = false;
  if (!call.input_text(text, found) || !call.arg_integer(0, start, has_start)) return false;
  if (call.arg_count() > 1 && !call.arg_integer(1, length, has_length)) return false;
  if (!found || !has_start || start < 0) return true;
  const std::size_t begin = byte_of(text, static_cast<std::size_t>(start));
  if (begin >= text.size()) return true;
  text.remove_prefix(begin);
  if (has_length)
    text = text.substr(0, byte_of(text, static_cast<std::size_t>(std::max<std::int64_t>(0, length))));
  return call.give_text(text);
}

bool starts_with(PathCall& call) {
  std::string_view text, other;
  bool found = false;
  return two_texts(call, text, other, found) && (!found || call.give(text.starts_with(other)));
}
bool ends_with(PathCall& call) {
  std::string_view text, other;
  bool found = false;
  return two_texts(call, text, other, found) && (!found || call.give(text.ends_with(other)));
}
bool contains(PathCall& call) {
  std::string_view text, other;
  bool found = false;
  return two_texts(call, text, other, found) &&
         (!found || call.give(text.find(other) != std::string_view::npos));
}

bool upper(PathCall& call) {
  std::string_view text;
  bool found = false;
  return call.input_text(text, found) && (!found || call.give_text(upper_text(text)));
}
bool lower(PathCall& call) {
  std::string_view text;
  bool found = false;
  return call.input_text(text, found) && (!found || call.give_text(lower_text(text)));
}
bool length(PathCall& call) {
  std::string_view text;
  bool found = false;
  return call.input_text(text, found) &&
         (!found || call.give_integer(static_cast<std::int64_t>(characters(text))));
}

bool trim(PathCall& call) {
  std::string_view text;
  bool found = false;
  if (!call.input_text(text, found) || !found) return call.ev.error().text.empty();
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return call.give_text("");
  return call.give_text(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

bool to_chars(PathCall& call) {
  std::string_view text;
  bool found = false;
  if (!call.input_text(text, found)) return false;
  if (!found) return true;
  for (std::size_t at = 0; at < text.size(); at += size_of(text[at])) {
    if (!call.ev.step() || !call.give_text(text.substr(at, size_of(text[at])))) return false;
  }
  return true;
}

/// Each place where the pattern stands; an empty pattern stands before, between and behind all characters.
bool replace(PathCall& call) {
  std::string_view text, pattern, by;
  bool found = false, has_by = false;
  if (!two_texts(call, text, pattern, found) || !call.arg_text(1, by, has_by)) return false;
  if (!found || !has_by) return true;
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!call.ev.may_make(out.size() + by.size())) return false;
    if (pattern.empty()) {
      out += by;
      out += text.substr(at, size_of(text[at]));
      at += size_of(text[at]);
      continue;
    }
    const std::size_t next = text.find(pattern, at);
    if (next == std::string_view::npos) break;
    out.append(text.substr(at, next - at)).append(by);
    at = next + pattern.size();
  }
  if (at < text.size()) out += text.substr(at);
  if (pattern.empty()) out += by;
  return call.give_text(out);
}

bool split(PathCall& call) {
  std::string_view text, separator;
  bool found = false;
  if (!two_texts(call, text, separator, found)) return false;
  if (!found) return true;
  if (separator.empty()) return to_chars(call);
  while (true) {
    const std::size_t at = text.find(separator);
    if (!call.ev.step() || !call.give_text(text.substr(0, at))) return false;
    if (at == std::string_view::npos) return true;
    text.remove_prefix(at + separator.size());
  }
}

bool join(PathCall& call) {
  std::string_view separator;
  bool found = false;
  if (call.arg_count() != 0 && !call.arg_text(0, separator, found)) return false;
  if (call.input.empty()) return true;
  std::string out;
  bool first = true;
  for (const PathItem& item : call.input) {
    const PathItem value = call.ev.value(item);
    if (value.is(PathKind::node) && !value.node().is_object()) continue;
    if (!value.is(PathKind::string)) return call.fail("not for " + type_name(value));
    if (!call.ev.may_make(out.size() + separator.size() + value.text().size())) return false;
    if (!first) out += separator;
    first = false;
    out += value.text();
  }
  return call.give_text(out);
}

}  // namespace

const PathFunctionGroup& strings_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"indexOf", 1, 1, 0, S::text, S::integer, index_of_first},
      {"lastIndexOf", 1, 1, 0, S::text, S::integer, index_of_last},
      {"substring", 1, 2, 0, S::text, S::text, substring},
      {"startsWith", 1, 1, 0, S::text, S::boolean, starts_with},
      {"endsWith", 1, 1, 0, S::text, S::boolean, ends_with},
      {"contains", 1, 1, 0, S::text, S::boolean, contains},
      {"upper", 0, 0, 0, S::text, S::text, upper},
      {"lower", 0, 0, 0, S::text, S::text, lower},
      {"length", 0, 0, 0, S::text, S::integer, length},
      {"trim", 0, 0, 0, S::text, S::text, trim},
      {"toChars", 0, 0, 0, S::text, S::text, to_chars},
      {"replace", 2, 2, 0, S::text, S::text, replace},
      {"split", 1, 1, 0, S::text, S::text, split},
      {"join", 0, 1, 0, S::text, S::text, join},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
