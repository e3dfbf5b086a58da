// Hours of destinations and sources, on a virtual clock.
#include "engine/base/calendar.h"
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

constexpr std::int64_t kMicros = 1'000'000;
/// 2026-11-23 is a Monday; local times of Berlin, UTC+1.
base::WallTime berlin(int day, int hour, int minute) {
  constexpr std::int64_t kMonday = 1'795'388'400;  // 2026-11-23T00:00:00+01:00
  return {(kMonday + day * 86'400 + hour * 3'600 + minute * 60) * kMicros};
}

std::string channel_text(const std::string& source, const std::string& destination) {
  return "channel c {\n  source mllp { port 0; timezone \"Europe/Berlin\"; " + source +
         " }\n  accept hl7 ADT_A01 2.5.1\n  to d: mllp from source { host \"127.0.0.1\"; port 1; " + destination + " }\n}\n";
}

}  // namespace

TEST_CASE("hours say when they open next", "[hours]") {
  const auto hours = base::OpenHours::parse("Mon-Fri 07:00-19:00", "Europe/Berlin");
  REQUIRE(hours);
  CHECK(hours->open(berlin(0, 7, 0)));
  CHECK_FALSE(hours->open(berlin(0, 6, 59)));
  CHECK_FALSE(hours->open(berlin(0, 19, 0)));
  CHECK(hours->reason(berlin(0, 6, 59)) == "open Mon-Fri 07:00-19:00 (Europe/Berlin), next at 2026-11-23 07:00");
  CHECK(hours->reason(berlin(4, 19, 30)) == "open Mon-Fri 07:00-19:00 (Europe/Berlin), next at 2026-11-30 07:00");
  CHECK_FALSE(base::OpenHours::parse("Mon-Fri 07:00-19:00", "Mars/Olympus"));
  CHECK_FALSE(base::OpenHours::parse("Mon-Fry", "UTC"));
}

TEST_CASE("outside of its hours a destination gets nothing, and everything when it opens, in order", "[hours]") {
  const std::string more = GENERATE("", "connections 2; order by PID-3[1].1;");
  Fixture f(channel_text("", more + " hours \"Mon-Fri 07:00-19:00\""));
  f.clock.set_wall(berlin(0, 6, 50));
  f.start();
  f.send(adt("M1"));
  f.send(adt("M2"));
  f.executor.run(std::chrono::minutes(9));
  CHECK(f.receiver.got.empty());
  const QueueStatus status = f.channel->queues()[0]->status();
  CHECK(status.pending == 2);
  CHECK(status.closed.find("next at 2026-11-23 07:00") != std::string::npos);
  f.executor.run(std::chrono::minutes(2));
  CHECK(f.receiver.got == "M1 M2 ");
  CHECK(f.channel->queues()[0]->status().closed.empty());
  f.clock.set_wall(berlin(0, 19, 0));
  f.send(adt("M3"));
  f.executor.run(std::chrono::minutes(5));
  CHECK(f.receiver.got == "M1 M2 ");
}

TEST_CASE("outside of its hours a source reads nothing", "[hours]") {
  Fixture f(channel_text("hours \"Mon-Fri 07:00-19:00\"", ""));
  f.clock.set_wall(berlin(0, 6, 50));
  f.start();
  REQUIRE(f.channel->start_source());
  CHECK_FALSE(f.channel->has_room());
  CHECK(f.channel->state() == ChannelState::closed);
  CHECK(f.channel->closed().find("Mon-Fri 07:00-19:00") != std::string::npos);
  f.executor.run(std::chrono::minutes(11));
  CHECK(f.channel->has_room());
  CHECK(f.channel->state() == ChannelState::running);
  f.clock.set_wall(berlin(5, 12, 0));
  f.executor.run(std::chrono::minutes(1));
  CHECK(f.channel->state() == ChannelState::closed);
}

TEST_CASE("a source says how long it is closed, by the zone of the site that runs", "[hours]") {
  const auto text = [](const std::string& zone) {
    return "channel c {\n  source mllp { port 0; hours \"Mon-Fri 07:00-19:00\"" + zone +
           " }\n  accept hl7 ADT_A01 2.5.1\n  to d: mllp from source { host \"127.0.0.1\"; port 1 }\n}\n";
  };
  Fixture f(text("; timezone \"Europe/Berlin\""));
  f.clock.set_wall(berlin(0, 6, 50));
  f.start();
  REQUIRE(f.channel->start_source());
  CHECK(f.channel->closed_seconds() == 600);
  f.clock.set_wall({berlin(0, 6, 59).micros + kMicros / 2});
  CHECK(f.channel->closed_seconds() == 60);
  f.channel->use_site(Fixture::load(text("; timezone \"America/Chicago\"")));  // UTC-6
  CHECK(f.channel->closed_seconds() == 7 * 3600 + 60);
  f.channel->use_site(Fixture::load(text("; timezone \"Europe/Berlin\"")));
  f.clock.set_wall(berlin(0, 7, 0));
  CHECK_FALSE(f.channel->closed_seconds());
  f.executor.run(std::chrono::minutes(1));
  CHECK(f.channel->has_room());
}
