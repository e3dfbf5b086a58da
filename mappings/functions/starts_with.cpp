#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext&) {
  return Value::of_boolean(arguments[0].text().starts_with(arguments[1].text()));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"prefix", FunctionType::string, false, "what it should start with"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"startsWith(\"urn:oid:1\", \"urn:\")", "true"},
                                         FunctionExample{"startsWith(\"x\", \"y\")", "false"}};

}  // namespace

const FunctionSpec& starts_with_spec() {
  static const FunctionSpec spec{"startsWith", "whether a text starts with another",
                                 kParameters,  false,
                                 false,        FunctionType::boolean,
                                 kExamples,    call};
  return spec;
}

}  // namespace kiln::mappings
