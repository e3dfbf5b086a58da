// N1 §5.6: matches, matchesFull, replaceMatches. RE2: linear time, no look-around, no back references.

#include <re2/re2.h>

#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/pattern.h"

namespace kiln::fhir {
namespace detail {

std::shared_ptr<const re2::RE2> compile_pattern(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(4 << 20);
  auto regex = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  return regex->ok() ? regex : nullptr;
}

}  // namespace detail

namespace {

using namespace detail;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

/// Input and pattern; `found` false when one is missing.
bool prepare(PathCall& call, std::string_view& text, std::shared_ptr<const re2::RE2>& regex, bool& found) {
  if (!call.input_text(text, found)) return false;
  if (call.expr.regex) {
    regex = call.expr.regex;
    return true;
  }
  std::string_view pattern;
  bool has_pattern = false;
  if (!call.arg_text(0, pattern, has_pattern)) return false;
  found = found && has_pattern;
  if (!found) return true;
  regex = compile_pattern(pattern);
  return regex ? call.ev.step(pattern.size()) : call.fail("the regular expression is not valid");
}

bool matches(PathCall& call) {
  std::string_view text;
  std::shared_ptr<const re2::RE2> regex;
  bool found = false;
  if (!prepare(call, text, regex, found)) return false;
  return !found || (call.ev.step(text.size() / 16) && call.give(re2::RE2::PartialMatch(piece(text), *regex)));
}

bool matches_full(PathCall& call) {
  std::string_view text;
  std::shared_ptr<const re2::RE2> regex;
  bool found = false;
  if (!prepare(call, text, regex, found)) return false;
  return !found || (call.ev.step(text.size() / 16) && call.give(re2::RE2::FullMatch(piece(text), *regex)));
}

/// `$1` of other engines is `\1` of RE2; a lone `\` is itself.
std::string rewrite(std::string_view by) {
  std::string out;
  for (std::size_t i = 0; i < by.size(); ++i) {
    if (by[i] == '$' && i + 1 < by.size() && by[i + 1] >= '0' && by[i + 1] <= '9')
      out += '\\';
    else if (by[i] == '\\')
      out += "\\\\";
    else
      out += by[i];
  }
  return out;
}

bool replace_matches(PathCall& call) {
  std::string_view text, by;
  std::shared_ptr<const re2::RE2> regex;
  bool found = false, has_by = false;
  if (!prepare(call, text, regex, found) || !call.arg_text(1, by, has_by)) return false;
  if (!found || !has_by) return true;
  // What matches nothing at all is not replaced.
  if (regex->pattern().empty()) return call.give_text(text);
  if (!call.ev.step(text.size()) || !call.ev.may_make(text.size() * (by.size() + 1))) return false;
  std::string out(text);
  const std::string replacement = rewrite(by);
  std::string error;
  if (!regex->CheckRewriteString(piece(replacement), &error))
    return call.fail("the substitution names no group of the pattern");
  re2::RE2::GlobalReplace(&out, *regex, piece(replacement));
  return call.give_text(out);
}

}  // namespace

const PathFunctionGroup& matching_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"matches", 1, 1, 0, S::text, S::boolean, matches},
      {"matchesFull", 1, 1, 0, S::text, S::boolean, matches_full},
      {"replaceMatches", 2, 2, 0, S::text, S::text, replace_matches},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
