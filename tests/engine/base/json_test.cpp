// base/json: what is accepted, what is refused and where, and that text comes out as it went in (fhir.md M2,
// M3).

#include "engine/base/json.h"

#include <catch2/catch.hpp>
#include <string>

using namespace kiln::base;

namespace {

/// "ok" or "code at place".
std::string verdict(std::string_view text, const JsonLimits& limits = {}) {
  const auto document = parse_json(text, limits);
  return document ? "ok" : std::string(document.error().info().code) + " at " + document.error().place;
}

bool accepts(std::string_view text) {
  return parse_json(text).has_value();
}

std::string reprinted(std::string_view text) {
  const auto document = parse_json(text);
  return document ? print_json(document->root()) : "refused";
}

}  // namespace

TEST_CASE("json: minified text comes out byte for byte", "[json]") {
  for (const std::string_view text :
       {R"({})", R"([])", R"("")", R"(0)", R"(-0)", R"(true)", R"(false)", R"(null)",
        R"({"resourceType":"Observation","valueQuantity":{"value":1.50,"unit":"mmol/l"}})",
        R"([1.0,1.00,100,1e2,1E+2,-1.5e-10,123456789012345678901234567890.0000000000000000000001])",
        R"({"b":1,"a":2,"":3,"A":4})", R"(["\"\\/\n\r\t","ÄÖ","日本","𝄞"])", R"([[[[]]],{"a":[{}]}])",
        R"(1e300)", R"(1e-400)", R"(0.00000000000000000000000000000000000000000001)"}) {
    CAPTURE(text);
    CHECK(reprinted(text) == text);
  }
}

TEST_CASE("json: escapes become characters, and only those that need one are written escaped", "[json]") {
  CHECK(reprinted(R"("\u0041\u00e9\ud834\udd1e\/")") == "\"A\xC3\xA9\xF0\x9D\x84\x9E/\"");
  CHECK(reprinted(R"("\b\f\u0001\u001f")") == R"("\u0008\u000c\u0001\u001f")");
  CHECK(reprinted("\"\x7F\"") == "\"\x7F\"");
  CHECK(reprinted(" [ 1 ,\t2\r\n] ") == "[1,2]");
  CHECK(reprinted("\xEF\xBB\xBF{}") == "{}");
}

TEST_CASE("json: refused texts", "[json]") {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "{]",
                                      "[}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{1:2}",
                                      "{\"a\":1 \"b\":2}",
                                      "\"",
                                      "\"a",
                                      "'a'",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12G4\"",
                                      "\"a\nb\"",
                                      "\"a\tb\"",
                                      "tru",
                                      "True",
                                      "nul",
                                      "NaN",
                                      "Infinity",
                                      "-Infinity",
                                      "+1",
                                      "01",
                                      "-01",
                                      "1.",
                                      ".5",
                                      "-",
                                      "1e",
                                      "1e+",
                                      "1.e1",
                                      "0x10",
                                      "1_000",
                                      "// x\n1",
                                      "/* */1",
                                      "1 2",
                                      "{} {}",
                                      "[] x",
                                      "{}\xEF\xBB\xBF",
                                      "undefined"}) {
    CAPTURE(text);
    CHECK_FALSE(accepts(text));
  }
}

TEST_CASE("json: a number that no double can hold is refused, not changed", "[json]") {
  CHECK(verdict("1e400").starts_with("json-syntax"));
  CHECK(verdict("-1e309").starts_with("json-syntax"));
  const std::string long_number = std::string(300, '7') + "." + std::string(300, '1');
  CHECK(reprinted(long_number) == long_number);
}

TEST_CASE("json: encoding", "[json]") {
  CHECK(verdict("\"\xC3\x28\"").starts_with("invalid-utf8"));
  CHECK(verdict("\"\xFF\"").starts_with("invalid-utf8"));
  CHECK(verdict("\"\xC0\xAF\"").starts_with("invalid-utf8"));          // overlong
  CHECK(verdict("\"\xED\xA0\x80\"").starts_with("invalid-utf8"));      // a surrogate as UTF-8
  CHECK(verdict("\"\xF4\x90\x80\x80\"").starts_with("invalid-utf8"));  // beyond U+10FFFF
  CHECK(verdict("{\"\xE9\":1}").starts_with("invalid-utf8"));          // in a member name
  CHECK_FALSE(accepts(R"("\ud834")"));
  CHECK_FALSE(accepts(R"("\udd1e")"));
  CHECK_FALSE(accepts(R"("\ud834\u0041")"));
  CHECK_FALSE(accepts(std::string_view("\"a\0b\"", 5)));
  CHECK_FALSE(accepts(std::string_view("{}\0", 3)));
  CHECK_FALSE(accepts("\xFF\xFE{\0}"));
}

TEST_CASE("json: duplicate members are refused at the second one", "[json]") {
  CHECK(verdict("{\n  \"a\": 1,\n  \"a\": 2\n}").starts_with("json-duplicate-key at line 3"));
  CHECK(verdict(R"({"a":{"b":1,"b":2}})").starts_with("json-duplicate-key"));
  CHECK(verdict(R"({"a":1,"\u0061":2})").starts_with("json-duplicate-key"));
  CHECK(accepts(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})"));
}

TEST_CASE("json: duplicates are found in wide objects too, in any order and nested", "[json]") {
  const auto wide = [](int members, bool backwards, const std::string& inner) {
    std::string text = "{";
    for (int i = 0; i < members; ++i) {
      text += "\"m" + std::to_string(backwards ? members - i : i) + "\":" + (i == members / 2 ? inner : "1") +
              ",\n";
    }
    text.erase(text.size() - 2);
    return text + "}";
  };
  CHECK(accepts(wide(500, false, "1")));
  CHECK(accepts(wide(500, true, wide(300, true, "1"))));
  std::string twice = wide(500, true, "1");
  twice.insert(twice.size() - 1, ",\n\"m77\":2");
  CHECK(verdict(twice).starts_with("json-duplicate-key at line 501, column"));
  CHECK(verdict(wide(500, true, wide(64, false, R"({"x":1,"x":2})")))
            .starts_with("json-duplicate-key at line 283"));
  // A hundred thousand members in the worst order: linear-ish, not seconds.
  CHECK(accepts(wide(100'000, true, "1")));
}

TEST_CASE("json: limits", "[json]") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(verdict(nested(64)) == "ok");
  CHECK(verdict(nested(65)).starts_with("limit-exceeded"));
  CHECK(verdict(nested(100'000)).starts_with("limit-exceeded"));
  CHECK(verdict(R"({"a":{"b":[]}})", {100, 2}).starts_with("limit-exceeded"));
  CHECK(verdict(R"({"a":{"b":[]}})", {100, 3}) == "ok");
  CHECK(verdict("[1,2,3]", {7, 3}) == "ok");
  CHECK(verdict("[1,2,3]", {6, 3}).starts_with("limit-exceeded"));
}

TEST_CASE("json: a view knows kind, key, text, size and where it stands", "[json]") {
  const std::string text = R"({ "name" : [ "a\"b\\" , "" ,12.50,true, null ],"o":{"k":"v"}})";
  const auto document = parse_json(text);
  REQUIRE(document);
  const JsonView root = document->root();
  CHECK(root.is_object());
  CHECK(root.size() == 2);
  CHECK(root.offset() == 0);
  const JsonView list = root["name"];
  CHECK(list.is_array());
  CHECK(list.key() == "name");
  CHECK(list.offset() == text.find('['));
  REQUIRE(list.size() == 5);
  CHECK(list.at(0).text() == "a\"b\\");
  CHECK(list.at(0).offset() == text.find("\"a"));
  CHECK(list.at(1).text().empty());
  CHECK(list.at(1).offset() == text.find("\"\" "));
  CHECK(list.at(2).text() == "12.50");
  CHECK(list.at(2).kind() == JsonKind::number);
  CHECK(list.at(2).offset() == text.find("12.50"));
  CHECK(list.at(3).boolean());
  CHECK(list.at(3).offset() == text.find("true"));
  CHECK(list.at(4).is(JsonKind::null_));
  CHECK(list.at(4).offset() == text.find("null"));
  CHECK_FALSE(list.at(5).exists());
  CHECK(root["o"]["k"].text() == "v");
  CHECK(root["o"]["k"].offset() == text.find("\"v\""));
  CHECK_FALSE(root["x"]["y"].exists());
  CHECK(root["x"].text().empty());
  std::string keys;
  for (const JsonView member : root) keys += std::string(member.key()) + ";";
  CHECK(keys == "name;o;");
}

TEST_CASE("json: a byte order mark counts in offsets, not in columns", "[json]") {
  const auto document = parse_json("\xEF\xBB\xBF[\"x\"]");
  REQUIRE(document);
  CHECK(document->root().offset() == 3);
  CHECK(document->root().at(0).offset() == 4);
  CHECK(verdict("\xEF\xBB\xBF[x]") == "json-syntax at line 1, column 2");
  CHECK(verdict("[x]") == "json-syntax at line 1, column 2");
}

TEST_CASE("json: errors never quote the value", "[json]") {
  for (const std::string_view text :
       {"{\"ssn\":\"Doe\" x}", "{\"Doe\":1,\"Doe\":2}", "[\"Doe\xFF\"]", "[\"Doe\n\"]"}) {
    const auto document = parse_json(text);
    REQUIRE_FALSE(document);
    CHECK(document.error().message().find("Doe") == std::string::npos);
  }
}

TEST_CASE("json: the writer makes what the parser reads", "[json]") {
  JsonWriter writer;
  writer.begin_object()
      .member("a", "x\n")
      .key("n")
      .number("1.50")
      .key("i")
      .integer(-7)
      .key("b")
      .boolean(true);
  writer.key("z")
      .null()
      .key("l")
      .begin_array()
      .string("")
      .begin_object()
      .end_object()
      .end_array()
      .end_object();
  CHECK(writer.str() == R"({"a":"x\n","n":1.50,"i":-7,"b":true,"z":null,"l":["",{}]})");
  const auto document = parse_json(writer.str());
  REQUIRE(document);
  CHECK(print_json(document->root()) == writer.str());
  CHECK(print_json(document->root(), true) ==
        "{\n  \"a\": \"x\\n\",\n  \"n\": 1.50,\n  \"i\": -7,\n  \"b\": true,\n  \"z\": null,\n  \"l\": [\n   "
        " \"\",\n    {}\n  ]\n}\n");
}
