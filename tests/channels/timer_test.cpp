// Times of the day, and the timer that goes by them.
#include <catch2/catch.hpp>

#include "channels/connectors/detail/day_times.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

base::WallTime utc(const char* text) { return {base::PartialDate::parse_fhir(text)->lowest_micros()}; }

std::string all_after(const std::string& times, const std::string& zone, const char* begin, int count) {
  const auto parsed = detail::DayTimes::parse(times, zone);
  if (!parsed) return "error: " + parsed.error().place;
  std::string out;
  base::WallTime at = utc(begin);
  for (int i = 0; i < count; ++i) {
    const base::WallTime next = parsed->next(at);
    CHECK(parsed->last(next) == next);
    CHECK(parsed->last({next.micros - 1}).micros <= at.micros);
    out += base::PartialDate::from_wall(next).print_fhir() + " ";
    at = next;
  }
  return out;
}

}  // namespace

TEST_CASE("times of the day come in their zone, on their days", "[timer]") {
  CHECK(all_after("06:30", "Europe/Berlin", "2026-11-23T05:29:59Z", 3) == "2026-11-23T05:30:00Z 2026-11-24T05:30:00Z 2026-11-25T05:30:00Z ");
  // A Friday evening; the weekend has another time.
  CHECK(all_after("Mon-Fri 18:00, Sat 12:00", "America/Chicago", "2026-11-27T20:00:00Z", 3) ==
        "2026-11-28T00:00:00Z 2026-11-28T18:00:00Z 2026-12-01T00:00:00Z ");
  CHECK(all_after("Sun 23:59", "UTC", "2026-11-22T23:59:00Z", 2) == "2026-11-29T23:59:00Z 2026-12-06T23:59:00Z ");
  for (const char* wrong : {"", "6:30", "24:00", "06:60", "Mon", "Mon-Fry 06:30", "06:30,", "06:30 Mon"})
    CHECK(all_after(wrong, "UTC", "2026-11-23T00:00:00Z", 1).starts_with("error"));
  CHECK_FALSE(detail::DayTimes::parse("06:30", "Mars/Olympus"));
  CHECK_FALSE(detail::DayTimes::parse("Mon-Fri 07:00-19:00 06:30", "UTC"));  // hours are no days
}

TEST_CASE("a time that the clock skips or has twice comes once", "[timer]") {
  // Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
  CHECK(all_after("02:30", "Europe/Berlin", "2026-03-28T00:00:00Z", 3) == "2026-03-28T01:30:00Z 2026-03-29T01:30:00Z 2026-03-30T00:30:00Z ");
  CHECK(all_after("02:30", "Europe/Berlin", "2026-10-24T00:00:00Z", 3) == "2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z ");
}

TEST_CASE("a timer gives its message at the time of the day, once, whatever the clock does", "[timer]") {
  test::World world;
  base::ManualClock clock(utc("2026-11-23T05:29:50Z"));
  const Surroundings with = world.around();
  const Surroundings around{.network = with.network, .env = with.env, .file_work = with.file_work, .clock = clock, .channel = "c",
                            .site = with.site, .feed = nullptr, .sink = nullptr, .state = with.state};
  const auto& spec = *find_connector(ConnectorRole::source, "timer");
  const auto source = spec.make_source(test::parse(spec, "{ at \"06:30\"; timezone \"Europe/Berlin\" }"), around);
  const auto look = [&](const char* time) {  // it sleeps on the clock of the machine: it is started where it is to look
    world.run(source->stop());
    clock.set_wall(utc(time));
    REQUIRE(source->start(world.intake));
    world.wait(5);
  };
  REQUIRE(source->start(world.intake));
  world.wait(5);
  look("2026-11-23T05:29:59.980Z");
  CHECK(world.intake.messages.empty());
  clock.set_wall(utc("2026-11-23T05:30:00Z"));
  REQUIRE(world.until([&] { return world.intake.messages.size() == 1; }));
  CHECK(world.intake.messages[0].bytes == "time,number\r\n2026-11-23T05:30:00Z,29923530\r\n");
  CHECK(world.intake.messages[0].name == "2026-11-23T05:30:00Z");
  const std::string key = world.intake.messages[0].key;
  look("2026-11-23T05:31:00Z");  // the moment is over
  look("2026-11-23T05:29:59.990Z");
  clock.set_wall(utc("2026-11-23T05:30:00.010Z"));
  REQUIRE(world.until([&] { return world.intake.messages.size() == 2; }));
  CHECK(world.intake.messages[1].key == key);  // the journal knows it
  world.run(source->stop());
}

TEST_CASE("a timer that catches up gives the last moment that it missed, and tries until it is stored", "[timer]") {
  test::World world;
  base::ManualClock clock(utc("2026-11-23T05:00:00Z"));
  const Surroundings with = world.around();
  const Surroundings around{.network = with.network, .env = with.env, .file_work = with.file_work, .clock = clock, .channel = "c",
                            .site = with.site, .feed = nullptr, .sink = nullptr, .state = with.state};
  const auto& spec = *find_connector(ConnectorRole::source, "timer");
  const bool catches_up = GENERATE(true, false);
  const std::string options = std::string("{ at \"06:30\"; timezone \"Europe/Berlin\"") + (catches_up ? "; catch_up true }" : " }");
  const auto run_at = [&](const char* time) {  // another process each time
    clock.set_wall(utc(time));
    const auto source = spec.make_source(test::parse(spec, options), around);
    REQUIRE(source->start(world.intake));
    world.wait(20);
    world.run(source->stop());
  };
  const auto& messages = world.intake.messages;
  run_at("2026-11-23T05:00:00Z");
  CHECK(messages.empty());  // nothing was missed before the first start
  run_at("2026-11-25T05:31:00Z");
  REQUIRE(messages.size() == (catches_up ? 1 : 0));
  if (!catches_up) return;
  CHECK(messages[0].name == "2026-11-25T05:30:00Z");
  run_at("2026-11-25T06:00:00Z");
  CHECK(messages.size() == 1);
  world.intake.answer = [](const Inbound&) { return Answer{}; };
  run_at("2026-11-26T06:00:00Z");
  CHECK(messages.size() == 2);
  world.intake.answer = nullptr;
  run_at("2026-11-26T06:01:00Z");
  REQUIRE(messages.size() == 3);
  CHECK(messages[2].key == messages[1].key);
  run_at("2026-11-26T06:02:00Z");
  CHECK(messages.size() == 3);
}

}  // namespace kiln::channels
