// JSON -> tree -> XML -> tree -> JSON over every resource at hand: the own samples always; the shared
// examples and the definitions package where they are.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "engine/base/archive.h"
#include "engine/base/env.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"
#include "tests/support/files_in.h"

using namespace kiln;

namespace {

const std::string kSource = KILN_SOURCE_DIR;
const std::string kExamples = kSource + "/../shared/facts/fhir-test-cases/r4/examples";

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 256u << 20);
  return bytes ? *bytes : std::string();
}

fhir::ReadOptions wide() {
  fhir::ReadOptions options;
  options.bytes_max = 256u << 20;
  return options;
}

std::string told(const base::Error& error) {
  return std::string(error.info().code) + ": " + error.text + " @ " + error.place;
}

/// Empty when `tree`, the canonical form, goes through XML and JSON without any change.
std::string check_ways(const fhir::Tree& tree) {
  const auto xml = fhir::write_xml(tree.root());
  if (!xml) return "not written: " + told(xml.error());
  const auto back = fhir::read_xml(*xml, wide());
  if (!back) return "XML not read: " + told(back.error());
  // XML has the order of the definitions; this JSON has it too from here on.
  const std::string json = fhir::write_json(back->root());
  const auto again = fhir::read_json(json, wide());
  if (!again) return "JSON not read: " + told(again.error());
  const auto xml_again = fhir::write_xml(again->root());
  if (!xml_again || *xml_again != *xml) return "the XML changes";
  if (fhir::write_json(again->root()) != json) return "the JSON changes";
  const auto pretty = fhir::write_xml(tree.root(), true);
  const auto from_pretty = pretty ? fhir::read_xml(*pretty, wide()) : tl::unexpected(pretty.error());
  if (!from_pretty || fhir::write_json(from_pretty->root()) != json) return "the indented XML differs";
  return {};
}

/// A document without regard to the order of members: each line is one value with its path.
void list_values(fhir::Node node, const std::string& path, std::vector<std::string>& out) {
  std::string place = path + "/" + std::string(node.json_name());
  if (node.is_list_item()) place += "[" + std::to_string(node.list_index()) + "]";
  if (node.type()) place += ":" + std::string(node.type()->name());
  if (node.has_value()) out.push_back(place + "=" + std::string(node.text()));
  for (const fhir::Node child : node) list_values(child, place, out);
}

std::vector<std::string> values_of(const fhir::Tree& tree) {
  std::vector<std::string> list;
  list_values(tree.root(), "", list);
  std::sort(list.begin(), list.end());
  return list;
}

std::string check_json(const std::string& text) {
  const auto tree = fhir::read_json(text, wide());
  if (!tree) return "not read: " + told(tree.error());
  const std::string canonical = fhir::write_json(tree->root());
  const auto again = fhir::read_json(canonical, wide());
  if (!again || fhir::write_json(again->root()) != canonical) return "JSON does not come back from itself";
  const auto xml = fhir::write_xml(tree->root());
  if (!xml) return "not written: " + told(xml.error());
  const auto back = fhir::read_xml(*xml, wide());
  if (!back) return "XML not read: " + told(back.error());
  if (values_of(*tree) != values_of(*back)) return "a value changes on the way through XML";
  return check_ways(*back);
}

std::string check_xml(const std::string& text) {
  const auto tree = fhir::read_xml(text, wide());
  return tree ? check_ways(*tree) : "not read: " + told(tree.error());
}

}  // namespace

TEST_CASE("round trip: own samples in JSON and XML", "[fhir][roundtrip]") {
  std::size_t count = 0;
  for (const std::string& file : test::files_in(kSource + "/tests/golden/roundtrip", ".json")) {
    INFO(file);
    CHECK(check_json(read(file)) == "");
    const auto from_json = fhir::read_json(read(file));
    const std::string xml_file = file.substr(0, file.size() - 5) + ".xml";
    REQUIRE(from_json);
    if (std::getenv("APPROVE"))
      CHECK(base::system_env().write_file_atomic(xml_file,
                                                 fhir::write_xml(from_json->root(), true).value_or("")));
    const std::string other = read(xml_file);
    CHECK(check_xml(other) == "");
    CHECK(fhir::write_xml(from_json->root(), true).value_or("not written") == other);
    ++count;
  }
  CHECK(count >= 3);
}

TEST_CASE("round trip: shared examples", "[fhir][roundtrip]") {
  const auto json = test::files_in(kExamples, ".json"), xml = test::files_in(kExamples, ".xml");
  if (json.empty()) {
    std::cout << "skipped: the shared FHIR examples are not here\n";
    return;
  }
  for (const std::string& file : json) {
    INFO(file);
    CHECK(check_json(read(file)) == "");
  }
  for (const std::string& file : xml) {
    INFO(file);
    CHECK(check_xml(read(file)) == "");
  }
  CHECK(json.size() + xml.size() == 82);
}

TEST_CASE("round trip: the JSON and XML of one example become each other", "[fhir][roundtrip]") {
  // Not observation-example: its JSON has an extension that its XML does not have.
  for (const char* name : {"condition-example", "observation-decimal", "organization-1", "patient-example"}) {
    const std::string json = read(kExamples + "/" + name + ".json"),
                      xml = read(kExamples + "/" + name + ".xml");
    if (json.empty()) return;
    INFO(name);
    const auto from_json = fhir::read_json(json), from_xml = fhir::read_xml(xml);
    REQUIRE(from_json);
    REQUIRE(from_xml);
    auto left = values_of(*from_json), right = values_of(*from_xml);
    // White space of the narrative differs between the two files.
    const auto is_div = [](const std::string& line) { return line.find(":xhtml=") != line.npos; };
    std::erase_if(left, is_div);
    std::erase_if(right, is_div);
    // The two files write some decimals differently (1E-22); their values are the same.
    for (auto* side : {&left, &right}) {
      for (std::string& line : *side) {
        const std::size_t at = line.find(":decimal=");
        if (at != line.npos)
          line = line.substr(0, at + 9) + std::to_string(std::strtod(line.c_str() + at + 9, nullptr));
      }
    }
    std::vector<std::string> differences;
    std::set_symmetric_difference(left.begin(), left.end(), right.begin(), right.end(),
                                  std::back_inserter(differences));
    CHECK(differences == std::vector<std::string>());
  }
}

TEST_CASE("round trip: every resource of the definitions package", "[fhir][roundtrip][package]") {
  const char* folder = std::getenv("KILN_FHIR_PACKAGES");
  const std::string package =
      (folder ? std::string(folder) : kSource + "/../fhirpkg") + "/hl7.fhir.r4.examples-4.0.1.tgz";
  const std::string bytes = read(package);
  if (bytes.empty()) {
    std::cout << "skipped: the definitions package is not here (set KILN_FHIR_PACKAGES to its folder)\n";
    return;
  }
  std::size_t count = 0;
  std::vector<std::string> failures;
  const auto status =
      base::read_tgz(bytes, [&](std::string_view name, std::string_view text) -> base::Status {
        if (!name.starts_with("package/") || !name.ends_with(".json") || name.find('/', 8) != name.npos ||
            name == "package/package.json" || name == "package/.index.json")
          return {};
        ++count;
        const std::string result = check_json(std::string(text));
        if (!result.empty()) failures.push_back(std::string(name) + ": " + result);
        return {};
      });
  REQUIRE(status);
  std::string list;
  for (const std::string& failure : failures) list += failure + "\n";
  std::cout << "round trip over the package: " << count - failures.size() << " of " << count << "\n" << list;
  CHECK(count > 741);
  CHECK(failures.empty());
}
