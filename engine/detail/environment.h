#pragma once
// What a machine lacks to run a site, each with its remedy: `kiln doctor`, `kiln check --env`.

#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/command.h"

namespace kiln::engine::detail {

struct EnvironmentFinding {
  const char* level;  ///< ok, warning, error
  std::string what, text, fix;
};

/// Disk and its write time, clock, limits, permissions, ports, names of receivers, keys, certificates; of `site`, or of --site and
/// --data. Errors: of a folder that is no site.
base::Result<std::vector<EnvironmentFinding>> look_at_environment(const Arguments& arguments, const std::string& site = {});
/// A line each; `all`: also what is as it should be.
std::string print_findings(const std::vector<EnvironmentFinding>& findings, bool all);
void write_findings(base::JsonWriter& json, const std::vector<EnvironmentFinding>& findings);
bool has_error(const std::vector<EnvironmentFinding>& findings);

}  // namespace kiln::engine::detail
