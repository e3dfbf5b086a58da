#pragma once
// Makes the tables of fhir/definitions/generated/ out of FHIR packages (fhir.md D1–D5). Run by a developer,
// never by the build. The same packages give the same bytes: input is sorted, nothing depends on clock,
// locale or addresses.

#include <span>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/result.h"
#include "fhir/definitions/generate/model.h"

namespace kiln::fhir {

/// A package as published: gzip-compressed tar.
struct DefinitionPackage {
  std::string name;  ///< for error texts
  std::string tgz;
};

/// A package the committed tables come from.
struct PinnedPackage {
  const char* name;  ///< "hl7.fhir.r4.examples 4.0.1"
  const char* sha256;
};
/// In the order they are read; the first is the specification.
std::span<const PinnedPackage> pinned_packages();
/// Reads the files that are the pinned packages, told by their checksum, in whatever order they are named.
/// Errors: bad_archive when a file is none of them or one is missing, file_not_found.
base::Result<std::vector<DefinitionPackage>> read_pinned_packages(base::Env& env,
                                                                  const std::vector<std::string>& paths);

/// Reads packages into one model. The first package is the specification itself: only its counts are kept,
/// and where two packages define the same url, the earlier one wins. Errors: bad_archive, json_*,
/// bad_definition (place = file).
base::Result<DefinitionModel> read_definitions(std::span<const DefinitionPackage> packages);

/// The codes of a value set as far as the model can tell (`rule == unknown` when it cannot). Include and
/// exclude by system, code list, other value sets, and the concept filters is-a, is-not-a, descendent-of.
ExpansionModel expand_value_set(const DefinitionModel& model, const std::string& url);

struct GeneratedFile {
  std::string name;  ///< "types.cpp"
  std::string text;
};
/// The C++ sources, in order of name.
base::Result<std::vector<GeneratedFile>> print_definitions(const DefinitionModel& model);

/// Reads the packages and writes the sources into a folder.
base::Status generate_definitions(base::Env& env, std::span<const DefinitionPackage> packages,
                                  const std::string& output_folder);
/// Reads the packages and compares the sources with those in a folder, byte by byte. Error definitions_differ
/// names the first file that differs.
base::Status check_definitions(base::Env& env, std::span<const DefinitionPackage> packages,
                               const std::string& output_folder);

}  // namespace kiln::fhir
