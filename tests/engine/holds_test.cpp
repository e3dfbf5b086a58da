// What is held outlives a disk that does not take it at first, and what an operator was refused is not held.
#include "engine/holds.h"
#include "engine/replay_preview.h"
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

std::vector<std::string> kept(Fixture& f) {
  std::vector<std::string> out;
  f.disk->read_holds([&out](base::Result<std::vector<Hold>> holds) {
    REQUIRE(holds);
    for (const Hold& hold : *holds) out.push_back(hold.subject + " " + name_of(hold.state) + " " + hold.reason);
  });
  f.executor.run_ready();
  return out;
}

}  // namespace

TEST_CASE("a block that the disk did not take is kept again until it does", "[holds]") {
  std::string text = kChannel;
  text.replace(text.find("retry forever backoff 20ms..20ms"), 32, "retry 1 then stop");
  Fixture f(text);
  Holds holds(*f.journal, f.executor, f.clock, {});
  holds.attach(*f.channel);
  f.start();
  f.receiver.up = false;
  f.journal->fail_hold = 3;
  f.send(adt("M1"));
  f.executor.run(seconds(1));
  CHECK(f.channel->queues()[0]->status().blocked);
  CHECK(kept(f).empty());
  f.executor.run(seconds(5));
  CHECK(kept(f) == std::vector<std::string>{"blocks:c/d blocked 1"});

  SECTION("and what was let go meanwhile is not kept") {
    f.journal->fail_hold = 1;
    f.receiver.up = true;
    f.channel->queues()[0]->resume();
    f.executor.run(seconds(5));
    CHECK(kept(f).empty());
    CHECK(f.receiver.got == "M1 ");
  }
}

TEST_CASE("what an operator was refused is not held", "[holds]") {
  Fixture f;
  Holds holds(*f.journal, f.executor, f.clock, {});
  base::Status told;
  f.journal->fail_hold = 1;
  holds.set("channel:c", HoldState::paused, "ann", "", [&told](base::Status status) { told = std::move(status); });
  f.executor.run_ready();
  CHECK_FALSE(told);
  CHECK(holds.find("channel:c") == nullptr);
  holds.set("channel:c", HoldState::paused, "ann", "", [&told](base::Status status) { told = std::move(status); });
  f.executor.run_ready();
  CHECK(told);
  CHECK(kept(f) == std::vector<std::string>{"channel:c paused "});
}

TEST_CASE("a stopped and a paused source are two things, also as journals of before have them", "[holds]") {
  Fixture f;
  const auto state = [&f](std::vector<Hold> at_start) {
    Holds holds(*f.journal, f.executor, f.clock, at_start);
    f.channel->pause_source(false);
    holds.attach(*f.channel);
    return std::string(name_of(f.channel->state())) + (f.channel->source_paused() ? ", reads nothing" : "");
  };
  CHECK(state({{"reading:c", HoldState::paused, "ann", "", {}}}) == "paused, reads nothing");
  CHECK(state({{"source:c", HoldState::paused, "ann", "", {}}}) == "paused, reads nothing");
  CHECK(state({{"source:c", HoldState::stopped, "ann", "", {}}, {"reading:c", HoldState::paused, "ann", "", {}}}) ==
        "stopped, reads nothing");
}

TEST_CASE("what was decided about is not sent again where it failed once", "[quarantine]") {
  MessageSummary summary;
  summary.id = 7;
  for (const char* name : {"c/a", "c/b", "c/d"}) {
    DestinationState state;
    state.destination = name;
    state.ending.state = DeliveryState::quarantined;
    summary.destinations.push_back(state);
  }
  summary.destinations[0].note = QuarantineNote{.resolution = Resolution::resolved,
                                                .owner = {},
                                                .note = {},
                                                .reason = {},
                                                .by = {},
                                                .changed = {},
                                                .released_as = 0};
  summary.destinations[1].note = summary.destinations[0].note;
  summary.destinations[1].note->resolution = Resolution::released;
  summary.destinations[1].note->released_as = 9;
  CHECK(choose_targets(summary, {}).names == std::vector<std::string>{"d"});
  // Recovery of message 9 itself: its note came before its outputs.
  CHECK(choose_targets(summary, {}, 9).names == std::vector<std::string>{"b", "d"});
  summary.destinations.pop_back();
  CHECK_FALSE(choose_targets(summary, {}).skipped.empty());
}
