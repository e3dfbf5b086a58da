// What is usual at this hour of the week, and how the run before ended.

#include <catch2/catch.hpp>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/observe/alert_rules.h"
#include "tests/support/temp_folder.h"

namespace kiln::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr std::int64_t kMonday = 1'795'392'000'000'000;  // 2026-11-23T00:00Z

struct Traffic {
  base::ManualClock clock{base::WallTime{kMonday}};
  RateHistory history;
  double total = 0;

  /// So many messages an hour, for so long.
  void run(double an_hour, std::chrono::minutes time) {
    for (int i = 0; i < time.count(); ++i) {
      clock.advance(minutes(1));
      total += an_hour / 60;
      history.add("lab_in", total, clock.wall(), clock.mono());
    }
  }
  std::optional<RateHistory::Rate> rate() const { return history.rate("lab_in", clock.wall(), clock.mono()); }
};

}  // namespace

TEST_CASE("rates: a channel is compared with the same hour of the weeks before") {
  Traffic t;
  // Two weeks: 600 an hour from 8 to 9, 6 an hour else.
  for (int day = 0; day < 14; ++day) {
    t.run(6, hours(8));
    t.run(600, hours(1));
    t.run(6, hours(15));
  }
  t.run(6, hours(8));
  t.run(600, minutes(31));
  REQUIRE(t.rate());
  CHECK(t.rate()->expected == Approx(300).epsilon(0.05));
  CHECK(t.rate()->got == Approx(300).epsilon(0.1));
  t.run(0, minutes(10));
  CHECK(t.rate()->got < 220);
  t.run(0, minutes(15));
  CHECK(t.rate()->got < 0.2 * t.rate()->expected);
  t.run(6, hours(1));
  CHECK_FALSE(t.rate());  // at this hour so few come that their absence says nothing
}

TEST_CASE("rates: an hour that begins is not held against the busy rest of it") {
  Traffic t;
  for (int day = 0; day < 14; ++day) {
    t.run(60, hours(8));
    t.run(1'200, hours(1));
    t.run(60, hours(15));
  }
  t.run(60, hours(8));
  for (int minute = 1; minute <= 59; ++minute) {
    t.run(1'200, minutes(1));
    INFO("minute " << minute);
    REQUIRE(t.rate());
    CHECK(t.rate()->got >= 0.8 * t.rate()->expected);
  }
  // And the other way round: what the busy hour brought does not hide that nothing comes now.
  t.run(0, minutes(31));
  REQUIRE(t.rate());
  CHECK(t.rate()->got < 0.2 * t.rate()->expected);
}

TEST_CASE("rates: what is not known yet is no alert") {
  Traffic t;
  t.run(600, hours(24 * 7));
  CHECK_FALSE(t.rate());  // one week only
  t.run(600, hours(24 * 7 + 1));
  CHECK(t.rate());
  base::JsonWriter kept;
  t.history.write(kept);
  const auto document = base::parse_json(kept.str());
  REQUIRE(document);
  // After a restart: the weeks are known, the last half hour is not.
  Traffic again;
  again.clock = t.clock;
  again.history.read(document->root());
  again.run(0, minutes(29));
  CHECK_FALSE(again.rate());
  again.run(0, minutes(2));
  REQUIRE(again.rate());
  CHECK(again.rate()->got == 0);
  CHECK(again.rate()->expected == Approx(300).epsilon(0.05));
}

TEST_CASE("alerts: a rate that drops, and a restart by the supervisor") {
  base::Metrics metrics;
  base::ManualClock clock{base::WallTime{kMonday}};
  AlertRules rules({});
  const auto look = [&] {
    std::string out;
    for (const AlertCondition& one : rules.look(metrics, {}, clock.wall(), clock.mono())) out += one.rule + " ";
    return out;
  };
  base::Counter& received = metrics.counter(base::Metric::messages_received_total, {"lab_in"});
  for (int minute = 0; minute < 15 * 24 * 60; ++minute) {
    received.add(10);
    clock.advance(minutes(1));
    if (look().find("RateDrop") != std::string::npos) FAIL("at minute " << minute);
  }
  for (int minute = 0; minute < 31; ++minute) {
    clock.advance(minutes(1));
    (void)look();
  }
  CHECK(look().find("RateDrop ") != std::string::npos);
  rules.set_last_end(LastEnd::watchdog);
  CHECK(look().find("WatchdogRestart ") != std::string::npos);
  rules.set_last_end(LastEnd::fsync);
  CHECK(look().find("WatchdogRestart ") == std::string::npos);
}

TEST_CASE("last end: an abort from outside, an order and a kill are told apart") {
  test::TempFolder folder;
  const auto run = [&](const std::function<void()>& ends, int kill_with) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)EndNote::begin(folder.path());
      if (ends) ends();
      for (;;) ::pause();
    }
    // It has begun when its note is there.
    const std::string file = base::join_path(folder.path(), "last_end");
    for (int i = 0; i < 2'000; ++i) {
      const auto text = base::system_env().read_file(file, 100);
      if (text && text->starts_with("unknown")) break;
      ::usleep(2'000);
    }
    if (kill_with != 0) {
      ::usleep(20'000);  // the handler stands right behind the note
      ::kill(child, kill_with);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const LastEnd found = EndNote::begin(folder.path());
    EndNote::note(LastEnd::orderly);
    return found;
  };
  CHECK(EndNote::begin(folder.path()) == LastEnd::none);
  EndNote::note(LastEnd::orderly);
  CHECK(EndNote::begin(folder.path()) == LastEnd::orderly);
  EndNote::note(LastEnd::orderly);
  CHECK(run({}, SIGKILL) == LastEnd::unknown);
  CHECK(run({}, SIGABRT) == LastEnd::watchdog);
  CHECK(run([] { std::abort(); }, 0) == LastEnd::unknown);
  CHECK(run([] {
          EndNote::note(LastEnd::fsync);
          ::_exit(74);
        },
            0) == LastEnd::fsync);
  CHECK(EndNote::begin("/nowhere/at/all") == LastEnd::none);
}

}  // namespace kiln::engine
