#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  return Value::of_integer(arguments[0].is_value() ? arguments[0].size : 0);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "repetitions, elements or rows"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"count([\"a\", \"b\"])", "2"},
                                         FunctionExample{"count(omit)", "0"}};

}  // namespace

const FunctionSpec& count_spec() {
  static const FunctionSpec spec{"count", "number of values; 0 for none", kParameters, false,
                                 true,    FunctionType::integer,          kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
