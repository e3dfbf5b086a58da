// fhir/model: JSON in and out (fhir.md M2–M6), the tree itself and its builder.

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "fhir/model/json.h"
#include "fhir/model/tree_builder.h"
#include "tests/support/text_cases.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kSource = KILN_SOURCE_DIR;

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 256u << 20);
  REQUIRE(bytes);
  return *bytes;
}

std::string compact(const std::string& text) {
  const auto document = base::parse_json(text);
  REQUIRE(document);
  return base::print_json(document->root());
}

std::string shape(Node node, int indent = 0) {
  std::string text(static_cast<std::size_t>(indent) * 2, ' ');
  text += node.name().empty() ? "." : std::string(node.name());
  if (node.is_list_item()) text += "[" + std::to_string(node.list_index()) + "]";
  if (node.type()) text += ": " + std::string(node.type()->name());
  static const char* const kinds[] = {"object", "string", "number", "boolean", "empty", "null", "array"};
  text += std::string(" ") + kinds[static_cast<int>(node.kind())];
  if (node.has_value()) text += " " + std::string(node.text());
  text += "\n";
  for (const Node child : node) text += shape(child, indent + 1);
  return text;
}

/// First line: strict, lenient, collect, untyped. Output: the canonical JSON, the tree, what was reported.
std::string run_case(const std::string& input) {
  const std::size_t line = input.find('\n');
  const std::string mode = input.substr(0, line), text = input.substr(line + 1);
  ReadOptions options;
  std::vector<ReadIssue> issues;
  options.typed = mode != "untyped";
  if (mode == "lenient") options.unknown = UnknownElements::keep;
  if (mode == "collect") options.issues = &issues;
  const auto tree = read_json(text, options);
  if (!tree) return tree.error().message();
  std::string out = write_json(tree->root()) + "\n" + shape(tree->root());
  for (const ReadIssue& issue : issues)
    out += std::string(base::error_info(issue.code).code) + ": " + issue.text + " (" +
           place_in(text, issue.offset).print() + ", " + issue.path + ")\n";
  return out;
}

}  // namespace

TEST_CASE("json reader and writer: goldens") {
  const std::string report = test::run_text_cases(kSource + "/tests/golden/fhir/model/json.txt", run_case);
  INFO(report);
  CHECK(report.empty());
}

TEST_CASE("json round trip: the shared examples come back byte by byte") {
  const std::string folder = kSource + "/../shared/facts/fhir-test-cases/r4/examples";
  if (!std::filesystem::exists(folder)) {
    std::cout << "no ../shared/facts/fhir-test-cases: the examples are not read\n";
    return;
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    const std::string text = read(entry.path().string());
    const auto tree = read_json(text);
    INFO(entry.path().string());
    REQUIRE(tree);
    const std::string written = write_json(tree->root());
    CHECK(written == compact(text));
    const auto again = read_json(write_json(tree->root(), true));
    REQUIRE(again);
    CHECK(write_json(again->root()) == written);
  }
  CHECK(files >= 70);
}

TEST_CASE("json reader: hostile documents end in an error, soon") {
  const auto error_of = [](const std::string& text, ReadOptions options = {}) {
    const auto tree = read_json(text, options);
    REQUIRE_FALSE(tree);
    return tree.error().message();
  };
  ReadOptions untyped;
  untyped.typed = false;
  CHECK_THAT(error_of(std::string(1'000'000, '['), untyped), Catch::Contains("nested deeper than 64"));
  std::string deep = "{\"resourceType\":\"Questionnaire\"";
  for (int i = 0; i < 100'000; ++i) deep += ",\"item\":[{\"linkId\":\"1\"";
  CHECK_THAT(error_of(deep), Catch::Contains("nested deeper than 64"));
  CHECK_THAT(error_of("{\"resourceType\":\"Basic\",\"id\":\"" + std::string(100u << 20, 'a') + "\"}"),
             Catch::Contains("limit-exceeded"));
  CHECK_THAT(error_of("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":NaN}}"),
             Catch::Contains("json-syntax"));
  CHECK_THAT(error_of("{\"resourceType\":\"Patient\",\"id\":\"\\ud800\"}"), Catch::Contains("json-syntax"));
  CHECK_THAT(error_of("{\"resourceType\":\"Patient\",\"id\":\"\\udc00\"}"), Catch::Contains("surrogate"));
  CHECK_THAT(error_of("{\"resourceType\":\"Patient\",\"id\":\"\xff\"}"), Catch::Contains("invalid-utf8"));
  CHECK_THAT(error_of(std::string("{\"resourceType\":\"Patient\",\"id\":\"a") + '\0' + "\"}"),
             Catch::Contains("NUL"));
  CHECK_THAT(error_of("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":1E999999999}}"),
             Catch::Contains("too large an exponent"));
  // Wide objects: a duplicate among many names costs no quadratic time.
  std::string wide = "{";
  for (int i = 0; i < 200'000; ++i) wide += "\"k" + std::to_string(i) + "\":1,";
  CHECK_THAT(error_of(wide + "\"k77\":2}", untyped), Catch::Contains("json-duplicate-key"));
}

TEST_CASE("json reader: a huge exponent and many digits keep their text") {
  const std::string text =
      "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"valueQuantity\":{"
      "\"value\":"
      "1.000000000000000000E-245}}";
  const auto tree = read_json(text);
  REQUIRE(tree);
  CHECK(tree->root()["value"]["value"].text() == "1.000000000000000000E-245");
  CHECK(write_json(tree->root()) == text);
}

TEST_CASE("tree builder: what it makes is what the reader makes") {
  TreeBuilder builder;
  builder.open_root(find_resource_type("Patient"));
  builder.add("active", "true");
  builder.open("name");
  builder.add("family", "Sample");
  builder.add("given", "Ann");
  builder.open("given");
  builder.open("extension");
  builder.add("url", "http://example.org/x");
  builder.add("valueDecimal", "1.50");
  builder.close();
  builder.close();
  CHECK(builder.path() == "Patient.name[0]");
  builder.close();
  builder.add("deceasedBoolean", "false");
  builder.close();
  const Tree tree = builder.finish();
  const std::string expected =
      "{\"resourceType\":\"Patient\",\"active\":true,\"name\":[{\"family\":\"Sample\",\"given\":[\"Ann\","
      "null],"
      "\"_given\":[null,{\"extension\":[{\"url\":\"http://example.org/x\",\"valueDecimal\":1.50}]}]}],"
      "\"deceasedBoolean\":false}";
  CHECK(write_json(tree.root()) == expected);
  const auto read_back = read_json(expected);
  REQUIRE(read_back);
  CHECK(shape(read_back->root()) == shape(tree.root()));
  CHECK(tree.root()["name"]["given"].at(1)["extension"]["value"].path() ==
        "Patient.name[0].given[1].extension[0].value");
  TreeBuilder copier;
  copier.open_root(tree.root().type());
  copier.copy_content(tree.root());
  copier.close();
  const Tree copied = copier.finish();
  CHECK(shape(copied.root()) == shape(tree.root()));
}

TEST_CASE("json round trip: untyped documents") {
  ReadOptions untyped;
  untyped.typed = false;
  for (const char* text : {"{}", "[]", "null", "1e5", "\"a\"", "[1,[2,[],[[3]]],{}]",
                           "{\"a\":[],\"b\":[[]],\"c\":[null,1],\"\":{\"x\":{}}}",
                           "{\"resourceType\":\"Patient\",\"_x\":[true]}"}) {
    const auto tree = read_json(text, untyped);
    REQUIRE(tree);
    CHECK(write_json(tree->root()) == text);
  }
}

TEST_CASE("json: a choice in two types is refused, and so are twins of what XML writes as an attribute") {
  const auto told = [](const std::string& members) {
    const auto tree = read_json(R"({"resourceType":"Patient",)" + members + "}");
    return tree ? std::string("read") : tree.error().message();
  };
  CHECK(told(R"("deceasedBoolean":true,"_deceasedBoolean":{"id":"a"})") == "read");
  CHECK_THAT(
      told(R"("deceasedBoolean":true,"birthDate":"2020","deceasedDateTime":"2020")"),
      Catch::Contains("a choice element is given in two types") && Catch::Contains("line 1, column 69"));
  CHECK_THAT(told(R"("_deceasedBoolean":{"id":"a"},"deceasedDateTime":"2020")"),
             Catch::Contains("two types"));
  std::string wide;
  for (int i = 0; i < 70; ++i) wide += R"("x)" + std::to_string(i) + R"(":1,)";
  ReadOptions keep;
  keep.unknown = UnknownElements::keep;
  CHECK_FALSE(read_json(
      R"({"resourceType":"Patient",)" + wide + R"("deceasedBoolean":true,"deceasedDateTime":"2020"})", keep));
  CHECK_THAT(told(R"("name":[{"id":"a","_id":{"extension":[{"url":"u","valueString":"b"}]}}])"),
             Catch::Contains("HumanName has no such element"));
  CHECK_THAT(told(R"("extension":[{"url":"u","_url":{"id":"b"},"valueString":"c"}])"),
             Catch::Contains("Extension has no such element"));
  CHECK_THAT(told(R"("text":{"status":"generated","div":"<div/>","_div":{"id":"a"}})"),
             Catch::Contains("Narrative has no such element"));
  CHECK(told(R"("id":"a","_id":{"id":"b"})") == "read");
}
