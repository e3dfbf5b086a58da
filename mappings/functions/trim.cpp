#include "engine/base/text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  const std::string_view text = base::trim(arguments[0].text());
  return text.empty() ? Value() : Value::of_string(text);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"trim(\"  a b \")", "\"a b\""},
                                         FunctionExample{"trim(\"   \")", "absent"}};

}  // namespace

const FunctionSpec& trim_spec() {
  static const FunctionSpec spec{
      "trim",      "without white space at both ends; nothing but white space is absent",
      kParameters, false,
      false,       FunctionType::string,
      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
