#include <re2/re2.h>

#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  if (arguments[1].kind != ValueKind::pattern) return Value::bad("matches needs a regular expression");
  const std::string_view text = arguments[0].text();
  return Value::of_boolean(
      RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *arguments[1].pattern));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"pattern", FunctionType::regex, false,
                      "a regular expression re\"…\"; it may match anywhere"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"matches(\"A12\", re\"^[A-Z][0-9]+$\")", "true"},
                                         FunctionExample{"matches(\"A12\", re\"^[0-9]+$\")", "false"}};

}  // namespace

const FunctionSpec& matches_spec() {
  static const FunctionSpec spec{"matches",   "whether a regular expression matches",
                                 kParameters, false,
                                 false,       FunctionType::boolean,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
