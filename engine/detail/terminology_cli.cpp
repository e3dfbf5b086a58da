#include "engine/detail/terminology_cli.h"

#include "engine/base/env.h"

namespace kiln::engine::detail {

base::Status load_definitions(fhir::Library& library, const Arguments& arguments) {
  base::Env& env = base::system_env();
  if (const std::string site = arguments.text("--site"); !site.empty()) {
    const std::string packages = base::join_path(site, "packages");
    if (env.exists(packages)) TRY_VOID(library.load(env, packages));
  }
  for (const std::string& path : arguments.all("--load")) TRY_VOID(library.load(env, path));
  return {};
}

}  // namespace kiln::engine::detail
