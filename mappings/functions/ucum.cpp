#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  const std::string_view code = detail::ucum_code(arguments[0].text());
  return code.empty() ? Value::bad("not a known unit") : Value::of_string(code);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"unit", FunctionType::string, false, "unit as commonly written"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"ucum(\"mmol/l\")", "\"mmol/L\""},
                                         FunctionExample{"ucum(\"mcg\")", "\"ug\""},
                                         FunctionExample{"ucum(\"mg\")", "\"mg\""}};

}  // namespace

const FunctionSpec& ucum_spec() {
  static const FunctionSpec spec{"ucum", "the UCUM code of a unit", kParameters, false,
                                 false,  FunctionType::string,      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
