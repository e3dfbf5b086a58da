#include <re2/re2.h>

#include <string>

#include "engine/base/limits.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  constexpr std::size_t kResultMax = base::limits::kMapOutputBytesMax;
  const std::string_view text = arguments[0].text(), with = arguments[2].text();
  if (arguments[1].kind == ValueKind::pattern) {
    // At most one match before each character and one at the end.
    if (with.size() > 1 && (text.size() + 1) * with.size() > kResultMax)
      return Value::bad("the result is too long");
    std::string out(text), problem;
    const re2::StringPiece rewrite(with.data(), with.size());
    if (!arguments[1].pattern->CheckRewriteString(rewrite, &problem))
      return Value::bad("the replacement names a group that the pattern does not have");
    RE2::GlobalReplace(&out, *arguments[1].pattern, rewrite);
    return detail::string_result(context.arena, out);
  }
  const std::string_view what = detail::argument_text(arguments[1], context.arena);
  if (what.empty()) return arguments[0];
  std::string out;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(what, from)) != std::string_view::npos; from = at + what.size()) {
    out.append(text, from, at - from).append(with);
    if (out.size() > kResultMax) return Value::bad("the result is too long");
  }
  return detail::string_result(context.arena, out.append(text, from));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"what", FunctionType::regex, false, "text, or a regular expression re\"…\""},
    FunctionParameter{"with", FunctionType::string, false,
                      "replacement; \\\\1 … name the groups of a regular expression"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"replace(\"a-b-c\", \"-\", \"/\")", "\"a/b/c\""},
    FunctionExample{"replace(\"abc\", \"b\", \"\")", "\"ac\""},
    FunctionExample{"replace(\"1234-5\", re\"([0-9]+)-([0-9])\", \"\\\\2/\\\\1\")", "\"5/1234\""}};

}  // namespace

const FunctionSpec& replace_spec() {
  static const FunctionSpec spec{"replace", "every occurrence replaced", kParameters, false,
                                 false,     FunctionType::string,        kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
