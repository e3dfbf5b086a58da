// kiln version: what runs, and what it was built of.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/built_with.h"
#include "engine/command.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

/// https://github.com/package-url: characters that are part of the form are percent-encoded.
std::string package_url(const BuiltWith& part) {
  std::string name, version;
  for (const char c : std::string_view(part.name)) name += c == '@' ? std::string("%40") : std::string(1, c);
  for (const char c : std::string_view(part.version)) version += c == '+' ? std::string("%2B") : std::string(1, c);
  const bool deb = std::string_view(part.kind) == "deb";
  return std::string("pkg:") + (deb ? "deb/debian/" : "npm/") + name + (version.empty() ? "" : "@" + version);
}

/// CycloneDX 1.5. Neither a serial number nor a time: the same build prints the same text.
std::string sbom() {
  base::JsonWriter json;
  json.begin_object().member("bomFormat", "CycloneDX").member("specVersion", "1.5").key("version").integer(1);
  json.key("metadata").begin_object().key("component").begin_object();
  json.member("type", "application").member("name", "kiln").member("version", kVersion).member("bom-ref", "kiln");
  json.end_object().end_object();
  json.key("components").begin_array();
  for (const BuiltWith& part : built_with()) {
    const std::string url = package_url(part);
    json.begin_object().member("type", "library").member("name", part.name);
    if (*part.version != '\0') json.member("version", part.version);
    json.member("purl", url).member("bom-ref", url).end_object();
  }
  json.end_array();
  json.key("dependencies").begin_array().begin_object().member("ref", "kiln").key("dependsOn").begin_array();
  for (const BuiltWith& part : built_with()) json.string(package_url(part));
  json.end_array().end_object().end_array().end_object();
  return json.take();
}

int run(const Arguments& arguments) {
  if (arguments.has("--sbom")) {
    print(sbom() + "\n");
  } else if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().member("version", kVersion).end_object();
    print(json.take() + "\n");
  } else {
    print(std::string("kiln ") + kVersion + "\n");
  }
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {{"--sbom", nullptr, "the libraries it was built of, as CycloneDX JSON"}};
constexpr ExampleSpec kExamples[] = {{"kiln version", "the version"},
                                     {"kiln version --sbom > kiln.cdx.json", "a bill of materials for a vulnerability scanner"}};

}  // namespace

const CommandSpec& version_spec() {
  static const CommandSpec spec{"version", "Run", "show the version and what the program was built of", "", {}, kOptions, kExamples, run};
  return spec;
}

}  // namespace kiln::engine
