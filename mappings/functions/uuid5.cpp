#include "engine/base/text.h"
#include "mappings/detail/sha1.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  if (arguments.size() > 1) {
    const std::string space = base::uuid_bytes(arguments[1].text());
    if (space.empty()) return Value::bad("the namespace is not a UUID");
    return Value::of_string(context.arena.copy(base::uuid5(space, arguments[0].text())));
  }
  char* const out = context.arena.chars(36);
  detail::uuid5_into(arguments[0].text(), out);
  return Value::of_string({out, 36});
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"name", FunctionType::string, false, "what the UUID stands for"},
    FunctionParameter{"namespace", FunctionType::string, true, "a UUID; default: Kiln's own namespace"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"uuid5(\"www.example.org\", \"6ba7b810-9dad-11d1-80b4-00c04fd430c8\")",
                    "\"74738ff5-5367-5958-9aee-98fffdcd1876\""}};

}  // namespace

const FunctionSpec& uuid5_spec() {
  static const FunctionSpec spec{"uuid5",     "a UUID derived from a name (RFC 4122, version 5)",
                                 kParameters, false,
                                 false,       FunctionType::string,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
