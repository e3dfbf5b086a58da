// Developer tool: makes or checks fhir/definitions/generated/ (see fhir/definitions/README.md). It is apart
// from `kiln` so that it can be linked while the committed tables do not fit the code.
//   kiln_generate_definitions [--check] FOLDER PACKAGE.tgz PACKAGE.tgz

#include <cstdio>
#include <string>
#include <vector>

#include "fhir/definitions/generate/generate.h"

namespace {

kiln::base::Status run(bool check, std::vector<std::string> arguments) {
  if (arguments.empty()) {
    return kiln::base::fail(kiln::base::ErrorCode::usage,
                            "usage: kiln_generate_definitions [--check] FOLDER PACKAGE.tgz PACKAGE.tgz");
  }
  const std::string folder = arguments.front();
  arguments.erase(arguments.begin());
  kiln::base::Env& env = kiln::base::system_env();
  TRY(const auto packages, kiln::fhir::read_pinned_packages(env, arguments));
  return check ? kiln::fhir::check_definitions(env, packages, folder)
               : kiln::fhir::generate_definitions(env, packages, folder);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool check = !arguments.empty() && arguments.front() == "--check";
  if (check) arguments.erase(arguments.begin());
  const kiln::base::Status status = run(check, std::move(arguments));
  if (!status) std::fprintf(stderr, "kiln_generate_definitions: %s\n", status.error().message().c_str());
  return status ? 0 : 1;
}
