#include "fhir/primitives.h"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>

using namespace kiln::fhir;

namespace {

void check(Primitive primitive, std::initializer_list<std::string_view> right,
           std::initializer_list<std::string_view> wrong) {
  for (const std::string_view text : right) {
    CAPTURE(text);
    CHECK(is_valid_primitive(primitive, text));
  }
  for (const std::string_view text : wrong) {
    CAPTURE(text);
    CHECK_FALSE(is_valid_primitive(primitive, text));
  }
}

}  // namespace

TEST_CASE("primitives: dates and times", "[primitives]") {
  check(Primitive::date, {"2024", "2024-02", "2024-02-29", "0001-01-01", "9999-12-31", "2000-02-29"},
        {"", "0000", "24", "2024-1", "2024-13", "2024-00", "2023-02-29", "1900-02-29", "2024-04-31",
         "2024-02-29T", "2024-02-29T10:00:00Z", "2024/02/29", "20240229", "2024-02-29 ", "-2024", "02024",
         "2024-"});
  check(Primitive::date_time,
        {"2024", "2024-02", "2024-02-29", "2024-02-29T23:59:60Z", "2024-02-29T00:00:00.123456789+14:00",
         "2024-02-29T00:00:00-05:30"},
        {"2024-02-29T10:00Z", "2024-02-29T10:00:00", "2024-02-29T24:00:00Z", "2024-02-29T10:60:00Z",
         "2024-02-29T10:00:61Z", "2024-02-29T10:00:00.Z", "2024-02-29T10:00:00+14:30",
         "2024-02-29T10:00:00+0100", "2024-02-29t10:00:00Z", "2024-02-29T10:00:00z", "2024-02-29 10:00:00Z",
         "2024-02T10:00:00Z", "2024-02-29TZ"});
  check(Primitive::instant, {"2024-02-29T10:00:00Z", "2024-02-29T10:00:00.5+01:00"},
        {"2024", "2024-02", "2024-02-29", "2024-02-29T10:00:00", "2023-02-29T10:00:00Z"});
  check(Primitive::time, {"00:00:00", "23:59:60", "10:11:12.5"},
        {"", "24:00:00", "10:11", "1:02:03", "10:11:12Z", "10:11:12."});
}

TEST_CASE("primitives: numbers", "[primitives]") {
  check(Primitive::integer, {"0", "1", "-1", "2147483647", "-2147483648"},
        {"", "-", "-0", "+1", "01", "1.0", "1e2", "2147483648", "-2147483649", "99999999999999999999"});
  check(Primitive::unsigned_int, {"0", "2147483647"}, {"-1", "2147483648", "1.5"});
  check(Primitive::positive_int, {"1", "2147483647"}, {"0", "-1", "2147483648"});
  check(Primitive::decimal,
        {"0", "-0", "1.50", "-0.0001", "1e10", "1.5E-3", "123456789012345678901234567890.123"},
        {"", "-", ".5", "1.", "01", "+1", "1e", "1e+", "0x1", "NaN", "1,5"});
  check(Primitive::boolean, {"true", "false"}, {"", "True", "0", "1"});
}

TEST_CASE("primitives: identifiers", "[primitives]") {
  check(Primitive::id, {"a", "A-1.b", "0123456789012345678901234567890123456789012345678901234567890123"},
        {"", "a_b", "a/b", "a b", "01234567890123456789012345678901234567890123456789012345678901234",
         "\xC3\xA4"});
  check(Primitive::oid, {"urn:oid:1.2.3", "urn:oid:2.16.840.1.113883", "urn:oid:0.0"},
        {"1.2.3", "urn:oid:", "urn:oid:1", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1.", "urn:oid:1..2",
         "urn:oid:1.2x"});
  check(Primitive::uuid, {"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
        {"c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520",
         "urn:uuid:c757873d-ec9a-4326-a141-556f4323952", "urn:uuid:c757873dxec9a-4326-a141-556f43239520",
         "urn:uuid:"});
  for (const Primitive uri : {Primitive::uri, Primitive::url, Primitive::canonical}) {
    check(uri, {"http://example.org/a?b=c#d", "urn:x", "a", "http://example.org/ValueSet/x|1.0"},
          {"", " ", "a b", "a\n", "a\x01"});
  }
}

TEST_CASE("primitives: texts", "[primitives]") {
  check(Primitive::code, {"a", "a b", "A-1"}, {"", " ", " a", "a ", "a  b", "a\x01"});
  check(Primitive::string, {"a", " ", "a\r\n\tb", "\xC3\xA4"},
        {"", "a\x01", std::string_view("a\0b", 3), "\x1F"});
  check(Primitive::markdown, {"# Title\n\ntext"}, {""});
  const std::string largest(1u << 20, 'x');
  CHECK(is_valid_primitive(Primitive::string, largest));
  CHECK_FALSE(is_valid_primitive(Primitive::string, largest + "x"));
  check(Primitive::base64_binary, {"AAAA", "AAA=", "AA==", "A A\nA A", "ab+/"},
        {"", " ", "A", "AA", "AAA", "AA=A", "A===", "AAAA=", "AAA-"});
  check(Primitive::xhtml, {"<div>x</div>", "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>", " <div/> "},
        {"", "x", "<p>x</p>", "<div>x", "<divx>y</divx>", "<div"});
}

TEST_CASE("primitives: every primitive type has its rule and its JSON kind", "[primitives]") {
  using kiln::base::JsonKind;
  std::size_t count = 0;
  for (const TypeDef& type : all_types()) count += type.is_primitive();
  CHECK(count == 20);
  CHECK(primitive_of(*find_type("base64Binary")) == Primitive::base64_binary);
  CHECK(primitive_of(*find_type("string")) == Primitive::string);
  CHECK(primitive_of(*find_type("xhtml")) == Primitive::xhtml);
  CHECK(primitive_of(*find_type("dateTime")) == Primitive::date_time);
  CHECK(json_kind_of(Primitive::boolean) == JsonKind::boolean);
  CHECK(json_kind_of(Primitive::decimal) == JsonKind::number);
  CHECK(json_kind_of(Primitive::positive_int) == JsonKind::number);
  CHECK(json_kind_of(Primitive::date) == JsonKind::string);
}
