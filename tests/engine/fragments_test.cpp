// Messages in several parts: joined, over restarts, and given up in sight.
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

std::string joining() {
  std::string text = kChannel;
  return text.replace(text.find("port 0"), 6, "port 0; fragments join");
}

/// Part `from`..`to` of a message; empty: it begins, or ends, here.
std::string part(const std::string& control_id, const std::string& from, const std::string& to,
                 const std::string& segments) {
  std::string header = "MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|" + control_id + "|P|2.5.1||";
  return header + from + "\rEVN||20260101\r" + segments + (to.empty() ? "" : "DSC|" + to + "|F\r");
}

/// Control ids of the messages sent on, with a mark for each segment of their text.
struct Sent {
  Fixture& f;
  std::string body_of(MessageId id) {
    std::string out;
    f.disk->read_message(id, [&out](base::Result<StoredMessage> stored) {
      REQUIRE(stored);
      out = stored->message.body;
    });
    f.executor.run_ready();
    return out;
  }
};

std::string state_of(Fixture& f, MessageId id) {
  std::string out = "none";
  f.disk->read_ending(id, kNoDestination, [&out](base::Result<std::optional<Ending>> ending) {
    if (ending && *ending) out = std::string(name_of((*ending)->state)) + " " + (*ending)->code;
  });
  f.executor.run_ready();
  return out;
}

}  // namespace

TEST_CASE("parts are acknowledged one by one and mapped once, as the first", "[pipeline][fragments]") {
  Fixture f(joining());
  f.start();
  CHECK(ack_code(f.send(part("P1", "", "X1", "PID|1||1^^^X^MR||T^N\r"))) == "AA");
  CHECK(ack_code(f.send(part("P2", "X1", "X2", "PV1|1|I\r"))) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got.empty());
  CHECK(ack_code(f.send(part("P3", "X2", "", "AL1|1||A\r"))) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "P1 ");
  const std::string whole = Sent{f}.body_of(4);
  CHECK(whole.find("PID|") != whole.npos);
  CHECK(whole.find("AL1|") != whole.npos);
  CHECK(whole.find("DSC") == whole.npos);
  CHECK(state_of(f, 1) == "filtered fragment");
  CHECK(state_of(f, 3) == "filtered fragment");
}

TEST_CASE("a message that came whole passes a channel that joins", "[pipeline][fragments]") {
  Fixture f(joining());
  f.start();
  CHECK(ack_code(f.send(adt("M1"))) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("parts outlive a crash, also between the last one and the whole", "[pipeline][fragments]") {
  Fixture f(joining());
  f.start();
  f.send(part("P1", "", "X1", "PID|1||1^^^X^MR||T^N\r"));
  f.crash();
  f.start();
  REQUIRE(f.channel->start_source());
  SECTION("the last part comes after it") {
    f.send(part("P2", "X1", "", "PV1|1|I\r"));
  }
  SECTION("the last part is durable, the whole is not") {
    NewMessage last = f.stored("P2");
    last.body = part("P2", "X1", "", "PV1|1|I\r");
    last.fragment = true;
    f.disk->append(last, [](auto id) { REQUIRE(id.has_value()); });
    f.executor.run_ready();
    f.crash();
    f.start();
    REQUIRE(f.channel->start_source());
  }
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "P1 ");
  f.crash();
  f.start();
  REQUIRE(f.channel->start_source());
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "P1 ");  // joined once
}

TEST_CASE("the whole waits for a full disk, its parts are promised", "[pipeline][fragments]") {
  Fixture f(joining());
  f.start();
  f.send(part("P1", "", "X1", "PID|1||1^^^X^MR||T^N\r"));
  NewMessage last = f.stored("P2");
  last.body = part("P2", "X1", "", "PV1|1|I\r");
  last.fragment = true;
  f.disk->append(last, [](auto id) { REQUIRE(id.has_value()); });
  f.executor.run_ready();
  f.crash();
  f.start();
  f.journal->fail_append = 2;
  REQUIRE(f.channel->start_source());
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "P1 ");
}

TEST_CASE("a part that does not come leaves the others in quarantine, in sight", "[pipeline][fragments]") {
  Fixture f(joining());
  f.start();
  f.send(part("P1", "", "X1", "PID|1||1^^^X^MR||T^N\r"));
  f.send(part("P2", "X1", "X2", "PV1|1|I\r"));
  f.executor.run(std::chrono::minutes(11));
  CHECK(state_of(f, 1) == "quarantined fragments-missing");
  CHECK(state_of(f, 2) == "quarantined fragments-missing");
  f.send(part("P3", "X2", "", "AL1|1||A\r"));  // too late: nothing to join it to
  f.executor.run(seconds(1));
  CHECK(state_of(f, 3) == "quarantined fragments-missing");
  CHECK(f.receiver.got.empty());
  CHECK(f.channel->counters().quarantined == 3);
}
