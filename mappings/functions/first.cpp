#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  return arguments[0].size == 0 ? Value() : arguments[0].items[0];
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "values"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"first([\"a\", \"b\"])", "\"a\""}};

}  // namespace

const FunctionSpec& first_spec() {
  static const FunctionSpec spec{"first", "the first value",  kParameters, false,
                                 false,   FunctionType::item, kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
