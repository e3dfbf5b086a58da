#pragma once
// What the terminology verbs share.

#include "engine/command.h"
#include "fhir/conformance/library.h"

namespace kiln::engine::detail {

inline constexpr OptionSpec kLoadOption{.name = "--load",
                                        .value = "PATH",
                                        .summary = "more definitions: a file, a folder or a package (.tgz)",
                                        .repeated = true};
inline constexpr OptionSpec kPackagesOption{"--site", "SITE", "load the packages of this site (SITE/packages)"};
/// Loads what --load and --site name.
base::Status load_definitions(fhir::Library& library, const Arguments& arguments);

}  // namespace kiln::engine::detail
