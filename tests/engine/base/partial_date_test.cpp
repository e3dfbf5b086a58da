#include "engine/base/partial_date.h"

#include <catch2/catch.hpp>

using namespace kiln::base;

static std::string fhir(const char* hl7) {
  const auto date = PartialDate::parse_hl7(hl7);
  return date ? date->print_fhir() : "refused";
}

TEST_CASE("HL7 dates keep their precision in FHIR form") {
  CHECK(fhir("1961") == "1961");
  CHECK(fhir("196106") == "1961-06");
  CHECK(fhir("19610615") == "1961-06-15");
  CHECK(fhir("20250818112603+0100") == "2025-08-18T11:26:03+01:00");
  CHECK(fhir("20250818112603.12-0430") == "2025-08-18T11:26:03.12-04:30");
  CHECK(fhir("202508181126+0000") == "2025-08-18T11:26:00Z");
  CHECK(fhir("20241231240000") == "2025-01-01T00:00:00");
  CHECK(fhir("20161231235960+0000") == "2017-01-01T00:00:00Z");
}

TEST_CASE("impossible dates are refused") {
  for (const char* text : {"", "0", "00000000", "\"\"", "20250230", "20251301", "2025081", "20250818250000", "20250818112603+9900",
                           "2025-08-18", "20250818112603x", "20250818.5"})
    CHECK(fhir(text) == "refused");
}

TEST_CASE("HL7 text round-trips") {
  for (const char* text : {"1961", "196106", "19610615", "2025081811", "202508181126", "20250818112603", "20250818112603.1234",
                           "20250818112603+0100", "20250818112603.1-0430"})
    CHECK(PartialDate::parse_hl7(text)->print_hl7() == text);
}

TEST_CASE("FHIR text round-trips and needs seconds with a time") {
  for (const char* text : {"2025", "2025-08", "2025-08-18", "2025-08-18T11:26:03Z", "2025-08-18T11:26:03.500+02:00"})
    CHECK(PartialDate::parse_fhir(text)->print_fhir() == text);
  for (const char* text : {"2025-8", "2025-08-18T11:26Z", "2025-08T11:26:03Z", "25-08-18"})
    CHECK_FALSE(PartialDate::parse_fhir(text).has_value());
}

TEST_CASE("patterns read and print") {
  const auto date = PartialDate::parse_pattern("18.08.2025 07:30", "dd.MM.yyyy HH:mm");
  REQUIRE(date);
  CHECK(date->print_hl7() == "202508180730");
  CHECK(date->print_pattern("yyyy-MM-dd HH:mm") == "2025-08-18 07:30");
  CHECK_FALSE(PartialDate::parse_pattern("18.8.2025 07:30", "dd.MM.yyyy HH:mm").has_value());
}

TEST_CASE("intervals of partial dates") {
  const auto year = *PartialDate::parse_fhir("2024");
  CHECK(year.highest_micros() - year.lowest_micros() == 366LL * 86400 * 1'000'000 - 1);
  const auto december = *PartialDate::parse_fhir("2024-12");
  CHECK(december.highest_micros() == year.highest_micros());
  const auto zoned = *PartialDate::parse_fhir("2025-08-18T11:26:03+01:00");
  CHECK(zoned.lowest_micros() == PartialDate::parse_fhir("2025-08-18T10:26:03Z")->lowest_micros());
}

TEST_CASE("time zones follow daylight saving") {
  const auto berlin = TimeZone::find("Europe/Berlin");
  REQUIRE(berlin);
  CHECK(berlin->offset_minutes(*PartialDate::parse_hl7("20250818112603")) == 120);
  CHECK(berlin->offset_minutes(*PartialDate::parse_hl7("20250118112603")) == 60);
  const auto utc = *PartialDate::parse_fhir("2025-08-18T10:26:03Z");
  CHECK(berlin->local({utc.lowest_micros()}).print_fhir() == "2025-08-18T12:26:03+02:00");
  CHECK_FALSE(TimeZone::find("Europe/Nowhere").has_value());
}

TEST_CASE("wall time before 1970") {
  CHECK(PartialDate::from_wall({-1}).print_fhir() == "1969-12-31T23:59:59Z");
  CHECK(PartialDate::from_wall({0}).print_fhir() == "1970-01-01T00:00:00Z");
}
