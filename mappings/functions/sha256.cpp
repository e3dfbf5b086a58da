#include "engine/base/text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  return Value::of_string(context.arena.copy(base::sha256_hex(arguments[0].text())));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"}};
constexpr FunctionExample kExamples[] = {FunctionExample{
    "sha256(\"abc\")", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""}};

}  // namespace

const FunctionSpec& sha256_spec() {
  static const FunctionSpec spec{"sha256",    "SHA-256 of the UTF-8 text, in hexadecimal",
                                 kParameters, false,
                                 false,       FunctionType::string,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
