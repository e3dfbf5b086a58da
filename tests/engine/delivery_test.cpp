// One queue on a virtual clock: order, back-off, what a full disk and a long queue do to it.
#include <catch2/catch.hpp>

#include "engine/base/virtual_executor.h"
#include "engine/delivery.h"
#include "engine/detail/memory_journal.h"
#include "tests/support/fault_journal.h"

using namespace kiln;
using namespace kiln::engine;
using channels::SendOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Receiver {
  bool up = true;
  SendOutcome::Kind answer = SendOutcome::Kind::sent;
  std::size_t batch = 1;
  std::vector<SendOutcome::Kind> next_batch;  ///< outcomes of the next batch, once
  std::vector<channels::Outgoing> got;
  std::string ids() const {
    std::string out;
    for (const auto& message : got) out += std::to_string(message.msg_id) + " ";
    return out;
  }
};

class TestDestination final : public channels::Destination {
 public:
  explicit TestDestination(Receiver& receiver) : receiver_(receiver) {}
  base::Status start() override { return {}; }
  std::size_t batch_max() const override { return receiver_.batch; }
  base::Task<SendOutcome> send(channels::Outgoing message) override {
    if (!receiver_.up) co_return failed(SendOutcome::Kind::retry);
    if (receiver_.answer != SendOutcome::Kind::sent) co_return failed(receiver_.answer);
    receiver_.got.push_back(std::move(message));
    co_return SendOutcome::sent("AA");
  }
  base::Task<std::vector<SendOutcome>> send_batch(std::vector<channels::Outgoing> messages) override {
    if (receiver_.next_batch.empty()) {
      auto sending = Destination::send_batch(std::move(messages));
      auto outcomes = co_await std::move(sending);
      co_return outcomes;
    }
    std::vector<SendOutcome> outcomes;
    for (const SendOutcome::Kind kind : std::exchange(receiver_.next_batch, {}))
      outcomes.push_back(kind == SendOutcome::Kind::sent ? SendOutcome::sent() : failed(kind));
    co_return outcomes;
  }
  base::Task<void> stop() override { co_return; }
  channels::ConnectorStatus status() const override { return {}; }

 private:
  static SendOutcome failed(SendOutcome::Kind kind) {
    return SendOutcome::failed(kind, {base::ErrorCode::connect_failed, "test", {}, {}});
  }
  Receiver& receiver_;
};

base::Task<void> stop_queue(DeliveryQueue& queue, bool* stopped) {
  auto stopping = queue.stop();
  co_await std::move(stopping);
  *stopped = true;
}

struct Fixture {
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor executor{clock};
  base::SeededRandom random{1};
  detail::MemoryJournal memory;
  test::FaultJournal journal{memory};
  Receiver receiver;
  std::unique_ptr<DeliveryQueue> queue;

  Fixture() {
    DeliveryQueue::Settings settings;
    settings.channel = "c";
    settings.destination = "d";
    settings.retry.forever = true;
    settings.retry.backoff_min_ms = settings.retry.backoff_max_ms = 100;
    queue = std::make_unique<DeliveryQueue>(settings, std::make_unique<TestDestination>(receiver), journal, executor, clock,
                                            random);
  }
  ~Fixture() { stop(); }
  void stop() {
    bool stopped = false;
    base::spawn(stop_queue(*queue, &stopped));
    executor.run(seconds(10));
    CHECK(stopped);
  }
  MessageId append() {
    MessageId out = 0;
    memory.append({}, [&](auto id) { out = *id; });
    return out;
  }
  /// Makes the output of a message durable, without telling the queue.
  void store(MessageId id, std::size_t bytes = 10) {
    Processed processed;
    processed.id = id;
    processed.channel = "c";
    processed.outputs.push_back(output(bytes));
    memory.store(processed, [](auto) {});
  }
  void push(MessageId id, std::size_t bytes = 10) {
    PendingOutput pending;
    pending.id = id;
    pending.output = output(bytes);
    queue->push(std::move(pending));
  }
  Output output(std::size_t bytes) const {
    Output out;
    out.destination = "d";
    out.body.assign(bytes, 'x');
    return out;
  }
};

constexpr std::size_t kWindow = base::limits::kDeliveryWindowBytesMax;

}  // namespace

TEST_CASE("a queue delivers what waited in the journal before what comes", "[delivery]") {
  Fixture f;
  for (int i = 0; i < 3; ++i) f.store(f.append());
  REQUIRE(f.queue->start(3, 3, true));
  f.store(f.append());
  f.push(4);
  f.executor.run(seconds(1));
  CHECK(f.receiver.ids() == "1 2 3 4 ");
  CHECK(f.queue->status().pending == 0);
}

TEST_CASE("a message whose plan is stored later than its successor's keeps its place", "[delivery]") {
  Fixture f;
  f.receiver.up = false;
  REQUIRE(f.queue->start(0, 0, true));
  f.store(f.append(), kWindow);
  f.push(1, kWindow);
  f.store(f.append());
  f.push(2);  // no room in memory: the queue reads on from the journal
  f.append();
  f.store(f.append());  // 4 is durable; 3 failed and will be stored again, so neither was pushed
  f.receiver.up = true;
  f.executor.run(milliseconds(500));
  CHECK(f.receiver.ids() == "1 2 ");
  f.store(3);
  f.push(3);
  f.push(4);
  f.executor.run(seconds(1));
  CHECK(f.receiver.ids() == "1 2 3 4 ");
  CHECK(f.queue->status().pending == 0);
}

TEST_CASE("outputs pushed while the journal is read arrive once", "[delivery]") {
  Fixture f;
  f.receiver.up = false;
  REQUIRE(f.queue->start(0, 0, true));
  for (MessageId id = 1; id <= 40; ++id) {
    f.store(f.append(), kWindow / 4);
    f.push(id, kWindow / 4);
    if (id == 20) f.receiver.up = true;
    if (id > 20) f.executor.run_ready();
  }
  f.executor.run(seconds(60));
  std::string expected;
  for (int i = 1; i <= 40; ++i) expected += std::to_string(i) + " ";
  CHECK(f.receiver.ids() == expected);
}

TEST_CASE("an outcome that could not be recorded holds the queue's stop and its limit", "[delivery]") {
  Fixture f;
  f.journal.fail_end[1] = 3;
  REQUIRE(f.queue->start(0, 0, true));
  f.store(f.append());
  f.push(1);
  f.executor.run(milliseconds(500));
  CHECK(f.receiver.ids() == "1 ");
  CHECK(f.memory.records().at(1).pending.size() == 1);
  CHECK(f.queue->unrecorded() == 1);  // also between two tries
  f.executor.run(seconds(5));
  CHECK(f.memory.records().at(1).pending.empty());
  CHECK(f.queue->unrecorded() == 0);
}

TEST_CASE("a stop with an outcome that is not recorded is no orderly one", "[delivery]") {
  Fixture f;
  f.journal.fail_end[1] = 1000;
  REQUIRE(f.queue->start(0, 0, true));
  f.store(f.append());
  f.push(1);
  f.executor.run(milliseconds(500));
  f.stop();
  CHECK(f.queue->unrecorded() == 1);
}

TEST_CASE("after a crash the first outputs are marked as in doubt", "[delivery]") {
  Fixture f;
  for (int i = 0; i < 2; ++i) f.store(f.append());
  REQUIRE(f.queue->start(2, 2, false));
  f.executor.run(seconds(1));
  REQUIRE(f.receiver.got.size() == 2);
  CHECK(f.receiver.got[0].in_doubt);
  f.store(f.append());
  f.push(3);
  f.executor.run(seconds(1));
  CHECK_FALSE(f.receiver.got[2].in_doubt);
}

TEST_CASE("every output of a batch that may have arrived is marked, not only the first", "[delivery]") {
  Fixture f;
  f.receiver.batch = 4;
  const auto doubt = SendOutcome::Kind::in_doubt;
  f.receiver.next_batch = {SendOutcome::Kind::sent, doubt, doubt};
  for (int i = 0; i < 4; ++i) f.store(f.append());
  REQUIRE(f.queue->start(4, 4, true));
  f.executor.run(seconds(1));
  REQUIRE(f.receiver.ids() == "2 3 4 ");
  CHECK(f.receiver.got[0].in_doubt);
  CHECK(f.receiver.got[1].in_doubt);
  CHECK(f.receiver.got[1].attempt == 2);
  CHECK_FALSE(f.receiver.got[2].in_doubt);
  CHECK(f.receiver.got[2].attempt == 1);
}

TEST_CASE("a stop with a doubt that the disk did not take is no orderly one", "[delivery]") {
  Fixture f;
  f.journal.fail_attempts = 1000;
  f.receiver.answer = SendOutcome::Kind::in_doubt;
  REQUIRE(f.queue->start(0, 0, true));
  f.store(f.append());
  f.push(1);
  f.executor.run(milliseconds(50));
  CHECK_FALSE(f.queue->is_orderly());
  // The next attempt is noted, and with it the doubt.
  f.journal.fail_attempts = 0;
  f.executor.run(milliseconds(500));
  CHECK(f.memory.records().at(1).pending.at("d").in_doubt);
  CHECK(f.queue->is_orderly());
  f.journal.fail_attempts = 1000;
  f.executor.run(milliseconds(500));
  f.stop();
  CHECK_FALSE(f.queue->is_orderly());
}
TEST_CASE("a doubt outlives an orderly stop before the output was sent", "[delivery]") {
  Fixture f;
  for (int i = 0; i < 2; ++i) f.store(f.append());
  f.receiver.up = false;
  REQUIRE(f.queue->start(2, 2, false));
  f.executor.run(seconds(1));
  f.stop();
  CHECK(f.memory.records().at(1).pending.at("d").in_doubt);
  CHECK(f.memory.records().at(2).pending.at("d").in_doubt);
  CHECK_FALSE(f.queue->is_orderly());
}

TEST_CASE("a queue that nothing waited for after a crash stops in order", "[delivery]") {
  Fixture f;
  REQUIRE(f.queue->start(0, 0, false));
  f.store(f.append());
  f.push(1);
  f.executor.run(seconds(1));
  CHECK_FALSE(f.receiver.got.at(0).in_doubt);
  CHECK(f.queue->is_orderly());
}

TEST_CASE("an output that can never succeed is quarantined", "[delivery]") {
  Fixture f;
  f.receiver.answer = SendOutcome::Kind::bad;
  REQUIRE(f.queue->start(0, 0, true));
  f.store(f.append());
  f.push(1);
  f.executor.run(seconds(1));
  CHECK(f.memory.records().at(1).endings.at("d").state == DeliveryState::quarantined);
  f.receiver.answer = SendOutcome::Kind::sent;
  f.store(f.append());
  f.push(2);
  f.executor.run(seconds(1));
  CHECK(f.receiver.ids() == "2 ");
  CHECK(f.queue->status().quarantined == 1);
}
