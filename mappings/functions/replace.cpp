#include <re2/re2.h>

#include <string>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  std::string text(arguments[0].text());
  const std::string_view with = arguments[2].text();
  if (arguments[1].kind == ValueKind::pattern) {
    RE2::GlobalReplace(&text, *arguments[1].pattern, re2::StringPiece(with.data(), with.size()));
    return detail::string_result(context.arena, text);
  }
  const std::string_view what = detail::argument_text(arguments[1], context.arena);
  if (what.empty()) return arguments[0];
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return detail::string_result(context.arena, text);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"what", FunctionType::any, false, "text, or a regular expression re\"…\""},
    FunctionParameter{"with", FunctionType::string, false,
                      "replacement; \\\\1 … name the groups of a regular expression"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"replace(\"a-b-c\", \"-\", \"/\")", "\"a/b/c\""},
                                         FunctionExample{"replace(\"abc\", \"b\", \"\")", "\"ac\""}};

}  // namespace

const FunctionSpec& replace_spec() {
  static const FunctionSpec spec{"replace", "every occurrence replaced", kParameters, false,
                                 false,     FunctionType::string,        kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
