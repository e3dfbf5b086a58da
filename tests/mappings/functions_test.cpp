// The examples of every function's spec are run through the whole language.

#include <catch2/catch.hpp>

#include "mappings/detail/sha1.h"
#include "mappings/function.h"
#include "runtime_support.h"

namespace kiln::mappings::test {
namespace {

/// The value of an expression, as text; a list joined by "|".
std::string evaluate(const FunctionSpec& spec, std::string_view call) {
  const bool list = spec.result == FunctionType::list || spec.result == FunctionType::same;
  const std::string value =
      list ? "join(\"|\", " + std::string(call) + ")" : std::string(call) + " as string";
  const Maps maps(
      "module test.fn\ncsv Out { delimiter \";\" header false columns { v : string } }\n"
      "map m(p: fhir Patient) -> csv Out { emit { v = " +
      value + " } }\n");
  const Program program = maps.program("test.fn.m");
  const OwnedInput input(".json", R"({"resourceType":"Patient"})", program);
  Runner runner;
  return runner.run(program, input.get(), test_context()).output;
}

std::string expected(std::string_view literal) {
  std::string text(literal);
  if (text == "absent") return "\"\"\r\n";  // how a line of one empty cell is written
  if (text.starts_with('[')) {
    std::string items;
    for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos;) {
      const std::size_t end = text.find('"', at + 1);
      items += (items.empty() ? "" : "|") + text.substr(at + 1, end - at - 1);
      at = end + 1;
    }
    return items + "\r\n";
  }
  if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
  for (std::size_t at = 0; (at = text.find("\\n", at)) != std::string::npos;) text.replace(at, 2, "\n");
  return (text.find('\n') != std::string::npos ? "\"" + text + "\"" : text) + "\r\n";
}

}  // namespace

TEST_CASE("examples of functions") {
  for (const FunctionSpec* spec : all_functions()) {
    INFO(spec->name);
    CHECK_FALSE(spec->examples.empty());
    CHECK(find_function(spec->name) == spec);
    if (spec->result == FunctionType::quantity) continue;  // below
    for (const FunctionExample& example : spec->examples) {
      INFO(example.call);
      CHECK(evaluate(*spec, example.call) == expected(example.result));
    }
  }
}

TEST_CASE("quantity() keeps a comparator and finds the UCUM code") {
  const Maps maps(
      "module test.fn\nmap m(p: fhir Patient) -> fhir Observation {\n  status = \"final\"\n"
      "  code.text = p.id\n  value = quantity(parseDecimal(\"<5,40\", \"de\"), \"mmol/l\")\n}\n");
  const Program program = maps.program("test.fn.m");
  const OwnedInput input(".json", R"({"resourceType":"Patient","id":"x"})", program);
  Runner runner;
  CHECK(runner.run(program, input.get(), test_context()).output ==
        R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.40,)"
        R"("comparator":"<","unit":"mmol/l","system":"http://unitsofmeasure.org","code":"mmol/L"}})");
}

TEST_CASE("both ways of SHA-1 agree") {
  std::string text;
  for (int size = 0; size < 300; ++size, text += static_cast<char>('a' + size % 26)) {
    CHECK(detail::sha1(text) == detail::sha1_plain(text));
  }
}

}  // namespace kiln::mappings::test
