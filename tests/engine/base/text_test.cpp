#include "engine/base/text.h"

#include <catch2/catch.hpp>

#include "engine/base/http_message.h"

using namespace kiln::base;

TEST_CASE("hashes match published vectors") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(uuid5(uuid_bytes("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "www.example.com") == "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

TEST_CASE("base64 is strict") {
  std::string out;
  for (const std::string text : {"", "f", "fo", "foo", "foob"}) {
    REQUIRE(base64_decode(base64_encode(text), out));
    CHECK(out == text);
  }
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Z===", "Zm9=", "Zm 9"}) CHECK_FALSE(base64_decode(bad, out));
}

TEST_CASE("UTF-8 validity") {
  CHECK(is_valid_utf8("plain text of more than eight bytes"));
  CHECK(is_valid_utf8("M\xC3\xBCller \xE2\x82\xAC \xF0\x9F\x98\x80"));
  for (const std::string bad : {"\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\xFF", "\x80"})
    CHECK_FALSE(is_valid_utf8(bad));
}

TEST_CASE("percent coding and queries") {
  CHECK(percent_encode("a b|c/ü") == "a%20b%7Cc%2F%C3%BC");
  CHECK(percent_decode("a%20b%7cc+d%zz%", true) == "a b|c d%zz%");
  const auto query = parse_query("identifier=urn%3Ax%7C1&_count=2&empty=&flag");
  REQUIRE(query.size() == 4);
  CHECK(query[0].second == "urn:x|1");
  CHECK(query[3].first == "flag");
}
