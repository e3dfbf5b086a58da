#include "engine/base/text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  return Value::of_string(context.arena.copy(base::base64_encode(arguments[0].text())));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"base64(\"Kiln\")", "\"S2lsbg==\""}};

}  // namespace

const FunctionSpec& base64_spec() {
  static const FunctionSpec spec{"base64", "base64 of the UTF-8 text", kParameters, false,
                                 false,    FunctionType::string,       kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
