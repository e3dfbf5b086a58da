// Faults that other engines had (the field's regression list), each under its number: what must never happen here.
#include "channels/options.h"
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

/// One number for each control id: "M0001".
std::string control(int number) {
  std::string digits = std::to_string(number);
  return "M" + std::string(4 - digits.size(), '0') + digits;
}

std::string all_controls(int count) {
  std::string out;
  for (int i = 1; i <= count; ++i) out += control(i) + " ";
  return out;
}

}  // namespace

TEST_CASE("B4 recovery and restart deliver in order", "[pipeline][regression]") {
  Fixture f;
  f.start();
  f.receiver.up = false;
  for (int i = 1; i <= 20; ++i) {
    if (i % 3 == 0)
      f.append_unprocessed(control(i));
    else
      f.send(adt(control(i)));
  }
  f.crash();
  f.receiver.up = true;
  f.start();
  f.send(adt(control(21)));
  f.executor.run(seconds(20));
  CHECK(f.receiver.got == all_controls(21));
}

TEST_CASE("B5 no delivery begins before recovery has ended", "[pipeline][regression]") {
  Fixture f;
  for (int i = 1; i <= 3; ++i) f.append_unprocessed(control(i));
  f.crash();
  bool recovered = false;
  base::spawn(run_recovery(*f.channel, f.disk->recovered().unprocessed, f.versions, &recovered));
  f.executor.run(seconds(30));
  REQUIRE(recovered);
  CHECK(f.receiver.got.empty());
  CHECK(f.channel->queues().empty());  // there is nothing yet that could send
  REQUIRE(f.channel->start_queues({}, f.disk->recovered().last_id, false));
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == all_controls(3));
}

TEST_CASE("B6 the message behind a full window is delivered, and all after it", "[pipeline][regression]") {
  Fixture f;
  f.start();
  f.receiver.up = false;
  constexpr int kCount = static_cast<int>(base::limits::kDeliveryWindowMax) + 50;
  for (int i = 1; i <= kCount; ++i) REQUIRE(ack_code(f.send(adt(control(i)))) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.channel->queues()[0]->status().pending == static_cast<std::uint64_t>(kCount));
  f.receiver.up = true;
  f.executor.run(seconds(60));
  CHECK(f.receiver.got == all_controls(kCount));
  CHECK(f.channel->queues()[0]->status().pending == 0);
}

TEST_CASE("B8 a message that cannot be recovered is set aside and the others go on", "[pipeline][regression]") {
  Fixture f;
  f.append_unprocessed(control(1));
  NewMessage broken = f.stored(control(2));
  broken.body = "no message at all";
  f.disk->append(broken, [](auto id) { REQUIRE(id.has_value()); });
  f.append_unprocessed(control(3));
  f.crash();
  f.start();
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M0001 M0003 ");
  std::optional<Ending> ending;
  f.disk->read_ending(2, kNoDestination, [&](auto read) { ending = read ? *read : std::nullopt; });
  f.executor.run_ready();
  REQUIRE(ending.has_value());  // not only logged
  CHECK_FALSE(ending->code.empty());
}

TEST_CASE("B12 a backlog is in the journal and not in memory", "[pipeline][regression]") {
  Fixture f;
  f.start();
  f.receiver.up = false;
  const std::string large(64 << 10, 'X');
  constexpr int kCount = 3 * static_cast<int>(base::limits::kDeliveryWindowBytesMax >> 16);
  for (int i = 1; i <= kCount; ++i)
    REQUIRE(ack_code(f.send(adt(control(i)) + "NTE|1||" + large + "\r")) == "AA");
  CHECK(f.budget.has_room());  // what is stored and waits counts for nobody
  f.receiver.up = true;
  f.executor.run(seconds(60));
  CHECK(f.receiver.got == all_controls(kCount));
}

TEST_CASE("B14 a destination tries for ever and blocks nobody's acknowledgement away by default", "[regression]") {
  const auto site = Fixture::load(R"(module t

channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  to d: mllp from source { host "127.0.0.1"; port 1 }
}
)");
  const channels::Options& options = site->channels[0].destinations[0].options;
  CHECK(options.retry.forever);
  CHECK((options.nak.on_error == channels::NakAction::retry));
  CHECK((options.nak.on_reject == channels::NakAction::block));
  CHECK((site->channels[0].ack_on == channels::AckOn::mapped));
}

TEST_CASE("B15 what is given up is set aside, never dropped", "[pipeline][regression]") {
  std::string text = kChannel;
  const std::string forever = "retry forever backoff 20ms..20ms";
  text.replace(text.find(forever), forever.size(), "retry 3 backoff 20ms..20ms then quarantine");
  Fixture f(text);
  f.start();
  f.receiver.up = false;
  f.send(adt(control(1)));
  f.executor.run(seconds(5));
  CHECK(f.channel->queues()[0]->status().pending == 0);
  CHECK(f.channel->queues()[0]->status().quarantined == 1);
  std::optional<Ending> ending;
  f.disk->read_ending(1, "c/d", [&](auto read) { ending = read ? *read : std::nullopt; });
  f.executor.run_ready();
  REQUIRE(ending.has_value());
  CHECK((ending->state == DeliveryState::quarantined));
}
