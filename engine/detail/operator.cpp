#include "engine/detail/operator.h"

#include <pwd.h>
#include <unistd.h>

#include "engine/base/json.h"

namespace kiln::engine::detail {

std::string operator_body(const Arguments& arguments, const std::string& more) {
  const ::passwd* user = ::getpwuid(::getuid());
  base::JsonWriter json;
  json.begin_object().member("by", user != nullptr ? user->pw_name : std::to_string(::getuid()));
  if (arguments.has("--reason")) json.member("reason", arguments.text("--reason"));
  json.end_object();
  std::string out = json.take();
  if (!more.empty()) out.insert(out.size() - 1, "," + more);
  return out;
}

}  // namespace kiln::engine::detail
