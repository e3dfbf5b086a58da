// Developer tool: makes or checks fhir/definitions/generated/ (see fhir/definitions/README.md).
//   kiln_generate_definitions [--check] OUTPUT_FOLDER PACKAGE.tgz…
// The packages must be the pinned ones; the first is the specification.

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/definitions/generate/generate.h"

namespace {

using kiln::base::Status;

struct PinnedPackage {
  const char* name;
  const char* sha256;
};
/// The packages the committed tables come from, in this order.
constexpr PinnedPackage kPackages[] = {
    {"hl7.fhir.r4.examples 4.0.1", "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682"},
    {"hl7.terminology.r4 7.0.1", "170c546f761fb51b3355788ca500206f6b772b21c57348c29205de85a6612baa"},
};

Status run(bool check, const std::vector<std::string>& arguments) {
  using kiln::base::ErrorCode;
  if (arguments.size() != 1 + std::size(kPackages)) {
    return kiln::base::fail(ErrorCode::usage,
                            "usage: kiln_generate_definitions [--check] FOLDER PACKAGE.tgz PACKAGE.tgz");
  }
  kiln::base::Env& env = kiln::base::system_env();
  std::vector<kiln::fhir::DefinitionPackage> packages;
  for (std::size_t i = 0; i < std::size(kPackages); ++i) {
    TRY(std::string bytes, env.read_file(arguments[i + 1], kiln::base::limits::kArchiveFileBytesMax));
    if (kiln::base::sha256_hex(bytes) != kPackages[i].sha256) {
      return kiln::base::fail(ErrorCode::bad_archive,
                              std::string("this is not the pinned package ") + kPackages[i].name,
                              arguments[i + 1]);
    }
    packages.push_back({kPackages[i].name, std::move(bytes)});
  }
  return check ? kiln::fhir::check_definitions(env, packages, arguments[0])
               : kiln::fhir::generate_definitions(env, packages, arguments[0]);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool check = !arguments.empty() && arguments.front() == "--check";
  if (check) arguments.erase(arguments.begin());
  const Status status = run(check, arguments);
  if (!status) std::fprintf(stderr, "kiln_generate_definitions: %s\n", status.error().message().c_str());
  return status ? 0 : 1;
}
