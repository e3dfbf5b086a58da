#include <re2/re2.h>

#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  const std::string_view text = arguments[0].text(), pattern = arguments[1].text();
  RE2::Options options(RE2::Quiet);
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled.ok()) return Value::bad("not a regular expression");
  return Value::of_boolean(RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"pattern", FunctionType::string, false, "a regular expression; it may match anywhere"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"matches(\"A12\", \"^[A-Z][0-9]+$\")", "true"},
                                         FunctionExample{"matches(\"A12\", \"^[0-9]+$\")", "false"}};

}  // namespace

const FunctionSpec& matches_spec() {
  static const FunctionSpec spec{
      "matches",   "whether a regular expression matches; `x matches re\"…\"` is compiled at load and faster",
      kParameters, false,
      false,       FunctionType::boolean,
      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
