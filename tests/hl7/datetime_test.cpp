// Dates of messages: obsolete precision component, and where an offset comes from.

#include "hl7/datetime.h"

#include <catch2/catch.hpp>

using namespace kiln::hl7;

namespace {

std::optional<MessageTime> read(std::string_view msh7, std::string_view value,
                                const kiln::base::TimeZone* zone) {
  const auto message =
      Message::parse("MSH|^~\\&|||||" + std::string(msh7) + "\rEVN||" + std::string(value) + "\r");
  REQUIRE(message);
  return parse_time(message->field("EVN", 2).repetition(1), *message, zone);
}

}  // namespace

TEST_CASE("the offset is the value's, else that of MSH-7, else the zone's") {
  const auto berlin = kiln::base::TimeZone::find("Europe/Berlin");
  REQUIRE(berlin);
  auto time = read("20240101120000+0500", "20240701100000-0330", &*berlin);
  REQUIRE(time);
  CHECK(time->offset_source == OffsetSource::value);
  CHECK(time->date.offset_minutes == -210);
  time = read("20240101120000+0500", "20240701100000", &*berlin);
  CHECK(time->offset_source == OffsetSource::message);
  CHECK(time->date.offset_minutes == 300);
  time = read("20240101120000", "20240701100000", &*berlin);
  CHECK(time->offset_source == OffsetSource::zone);
  CHECK(time->date.offset_minutes == 120);
  time = read("20240101120000", "20240701100000", nullptr);
  CHECK(time->offset_source == OffsetSource::none);
  CHECK_FALSE(time->date.has_offset);
  time = read("20240101120000+0500", "20240701", &*berlin);
  CHECK(time->offset_source == OffsetSource::none);
}

TEST_CASE("the obsolete precision component shortens, never lengthens") {
  CHECK(read("", "20240701100000^D", nullptr)->date.print_hl7() == "20240701");
  CHECK(read("", "20240701100000^L", nullptr)->date.print_hl7() == "202407");
  CHECK(read("", "2024^S", nullptr)->date.print_hl7() == "2024");
  CHECK(read("", "20240701^?", nullptr)->date.print_hl7() == "20240701");
}

TEST_CASE("what is no date") {
  for (const auto* text : {"", "\"\"", "0", "00000000", "20241301", "yesterday"})
    CHECK_FALSE(read("", text, nullptr));
}
