#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  return Value::of_string(base::name_of(arguments[0].date->precision));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"when", FunctionType::date, false, "date or time"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"precision(\"196106\")", "\"month\""},
                                         FunctionExample{"precision(\"20250818112603\")", "\"second\""}};

}  // namespace

const FunctionSpec& precision_spec() {
  static const FunctionSpec spec{"precision",
                                 "\"year\", \"month\", \"day\", \"hour\", \"minute\", \"second\" or "
                                 "\"fraction\"; compares in this order",
                                 kParameters,
                                 false,
                                 false,
                                 FunctionType::string,
                                 kExamples,
                                 call};
  return spec;
}

}  // namespace kiln::mappings
