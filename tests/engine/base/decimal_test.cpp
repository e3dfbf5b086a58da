#include "engine/base/decimal.h"

#include <catch2/catch.hpp>

using kiln::base::Decimal;

static std::string printed(const char* text) {
  const auto value = Decimal::parse(text);
  return value ? value->print() : "refused";
}

TEST_CASE("decimal text keeps its digits and becomes valid JSON") {
  CHECK(printed("1.50") == "1.50");
  CHECK(printed("0") == "0");
  CHECK(printed("-0.0") == "0.0");
  CHECK(printed("+007.10") == "7.10");
  CHECK(printed("1.") == "1");
  CHECK(printed(".5") == "0.5");
  CHECK(printed("1e2") == "100");
  CHECK(printed("1.25E-3") == "0.00125");
  CHECK(printed("12345678901234567890.123456789") == "12345678901234567890.123456789");
}

TEST_CASE("what is no decimal is refused") {
  for (const char* text : {"", "-", ".", "1.2.3", "1,5", "0x1", "1e", "1e99999", " 1", "1 "}) CHECK(printed(text) == "refused");
}

TEST_CASE("decimal arithmetic is exact") {
  const auto d = [](const char* text) { return *Decimal::parse(text); };
  CHECK((d("0.1") + d("0.2")).print() == "0.3");
  CHECK((d("1.00") - d("2.5")).print() == "-1.50");
  CHECK((d("-1.5") * d("1.5")).print() == "-2.25");
  CHECK((d("5") - d("5")).print() == "0");
  CHECK(d("10").divide(d("4"), 2)->print() == "2.50");
  CHECK(d("2").divide(d("3"), 4)->print() == "0.6667");
  CHECK(d("-1").divide(d("8"), 2)->print() == "-0.13");
  CHECK_FALSE(d("1").divide(d("0.00"), 2).has_value());
  CHECK(d("2.345").round(2).print() == "2.35");
  CHECK(d("9.995").round(2).print() == "10.00");
  CHECK(d("1.5").round(3).print() == "1.500");
}

TEST_CASE("decimals compare by value") {
  const auto d = [](const char* text) { return *Decimal::parse(text); };
  CHECK(d("1.50") == d("1.5"));
  CHECK((d("-2").compare(d("1")) < 0));
  CHECK((d("100").compare(d("99.999")) > 0));
  CHECK(d("-0") == d("0.00"));
  CHECK(d("2.0").to_int64() == 2);
  CHECK_FALSE(d("2.5").to_int64().has_value());
}

TEST_CASE("arithmetic agrees with integers on a grid") {
  for (int a = -25; a <= 25; ++a) {
    for (int b = -25; b <= 25; ++b) {
      const Decimal x(a), y(b);
      REQUIRE((x + y).to_int64() == a + b);
      REQUIRE((x - y).to_int64() == a - b);
      REQUIRE((x * y).to_int64() == a * b);
      REQUIRE((x.compare(y) < 0) == (a < b));
      if (b != 0) REQUIRE(x.divide(y, 0)->to_int64() == (a * b >= 0 ? 1 : -1) * ((2 * std::abs(a) + std::abs(b)) / (2 * std::abs(b))));
    }
  }
}
