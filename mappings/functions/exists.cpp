#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  return Value::of_boolean(arguments[0].is_value() && arguments[0].size > 0);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "values"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"exists([\"a\"])", "true"},
                                         FunctionExample{"exists(omit)", "false"}};

}  // namespace

const FunctionSpec& exists_spec() {
  static const FunctionSpec spec{"exists", "whether there is a value", kParameters, false,
                                 true,     FunctionType::boolean,      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
