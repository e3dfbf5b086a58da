// Several connections of one destination (`connections N`, `order by`): order within a key, keys side by side, a held
// key holds only itself.
#include <catch2/catch.hpp>

#include <map>

#include "engine/base/virtual_executor.h"
#include "engine/delivery.h"
#include "engine/detail/memory_journal.h"
#include "engine/limits.h"

using namespace kiln;
using namespace kiln::engine;
using channels::SendOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string kOrder = "0123abcd";

struct World {
  std::function<SendOutcome(const channels::Outgoing&)> answer;
  std::int64_t takes_ms = 10;
  std::vector<MessageId> got;
  std::size_t now = 0, most = 0;  ///< sends under way
  bool reachable = true;
};

class Lane final : public channels::Destination {
 public:
  Lane(World& world, base::TimerExecutor& executor) : world_(world), pause_(executor) {}
  base::Status start() override { return {}; }
  base::Task<SendOutcome> send(channels::Outgoing message) override {
    world_.most = std::max(world_.most, ++world_.now);
    co_await pause_.wait(milliseconds(world_.takes_ms));
    --world_.now;
    SendOutcome outcome = world_.answer ? world_.answer(message) : SendOutcome::sent("AA");
    if (outcome.kind == SendOutcome::Kind::sent) world_.got.push_back(message.msg_id);
    co_return outcome;
  }
  base::Task<void> stop() override {
    pause_.notify();
    co_return;
  }
  channels::ConnectorStatus status() const override { return {}; }

 private:
  World& world_;
  base::Event pause_;
};

base::Task<void> stop_queue(DeliveryQueue& queue, bool* stopped) {
  auto stopping = queue.stop();
  co_await std::move(stopping);
  *stopped = true;
}

SendOutcome refusal(const char* code) {
  SendOutcome out = SendOutcome::failed(SendOutcome::Kind::negative, {base::ErrorCode::peer_negative, {}, {}, {}});
  out.code = code;
  return out;
}

SendOutcome unreachable() {
  return SendOutcome::failed(SendOutcome::Kind::retry, {base::ErrorCode::connect_failed, {}, {}, {}});
}

struct Fixture {
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor executor{clock};
  base::SeededRandom random{1};
  detail::MemoryJournal journal;
  World world;
  std::map<MessageId, std::string> keys;
  std::unique_ptr<DeliveryQueue> queue;
  MessageId pushed = 0;

  explicit Fixture(std::size_t lanes = 4) { make(lanes); }
  ~Fixture() {
    if (queue) stop();
  }
  void make(std::size_t lanes) {
    queue = std::make_unique<DeliveryQueue>(settings(), connectors(lanes), journal, executor, clock, random);
  }
  DeliveryQueue::Settings settings(std::string order = kOrder) {
    DeliveryQueue::Settings out;
    out.channel = "c";
    out.destination = "d";
    out.retry.forever = true;
    out.retry.backoff_min_ms = out.retry.backoff_max_ms = 1000;
    out.retry.jitter = false;
    out.order_id = std::move(order);
    return out;
  }
  DeliveryQueue::Connectors connectors(std::size_t lanes) {
    DeliveryQueue::Connectors out;
    for (std::size_t i = 0; i < lanes; ++i) out.push_back(std::make_unique<Lane>(world, executor));
    return out;
  }
  void stop() {
    bool stopped = false;
    base::spawn(stop_queue(*queue, &stopped));
    executor.run(seconds(30));
    CHECK(stopped);
    queue.reset();
  }
  /// Durable; and, unless `journal_only`, told to the queue.
  MessageId add(const std::string& key, bool journal_only = false, const std::string& order = kOrder) {
    MessageId id = 0;
    journal.append({}, [&](auto made) { id = *made; });
    Processed processed;
    processed.id = id;
    processed.channel = "c";
    Output output;
    output.destination = "d";
    output.order_key = order + ":" + key;
    output.body = "x";
    processed.outputs.push_back(output);
    journal.store(processed, [](auto) {});
    keys[id] = key;
    pushed = id;
    if (journal_only) return id;
    PendingOutput pending;
    pending.id = id;
    pending.output = output;
    queue->push(std::move(pending));
    return id;
  }
  /// Every key in order, nothing twice, nothing missing.
  void check_all() {
    std::map<std::string, MessageId> last;
    for (const MessageId id : world.got) {
      INFO("message " << id << " of key " << keys[id]);
      CHECK(id > last[keys[id]]);
      last[keys[id]] = id;
    }
    CHECK(world.got.size() == keys.size());
    CHECK(queue->status().pending == 0);
  }
};

}  // namespace

TEST_CASE("different keys go side by side, one key in order", "[delivery][lanes]") {
  Fixture f;
  REQUIRE(f.queue->start(0, 0, true));
  for (int i = 0; i < 40; ++i) f.add(std::to_string(i % 5));
  f.executor.run(seconds(1));
  f.check_all();
  CHECK(f.world.most == 4);
}

TEST_CASE("one key uses one connection", "[delivery][lanes]") {
  Fixture f;
  REQUIRE(f.queue->start(0, 0, true));
  for (int i = 0; i < 10; ++i) f.add("same");
  f.executor.run(seconds(1));
  f.check_all();
  CHECK(f.world.most == 1);
}

TEST_CASE("a blocked key holds only itself, and goes on in order", "[delivery][lanes]") {
  Fixture f;
  bool refuse = true;
  f.world.answer = [&](const channels::Outgoing& m) {
    return refuse && f.keys[m.msg_id] == "bad" ? refusal("AR") : SendOutcome::sent("AA");
  };
  std::set<MessageId> told;
  f.queue->on_blocks([&](const std::set<MessageId>& blocked) { told = blocked; });
  REQUIRE(f.queue->start(0, 0, true));
  for (int i = 0; i < 30; ++i) f.add(i % 3 == 0 ? "bad" : std::to_string(i % 3));
  f.executor.run(seconds(10));
  CHECK(f.world.got.size() == 20);
  CHECK(f.queue->status().blocked);
  CHECK(f.queue->status().blocked_messages == 1);
  CHECK(told == std::set<MessageId>{1});
  refuse = false;
  f.queue->resume();
  f.executor.run(seconds(10));
  CHECK(told.empty());
  f.check_all();
}

TEST_CASE("a held key with more outputs than memory takes does not stop the others", "[delivery][lanes]") {
  Fixture f;
  bool refuse = true;
  f.world.takes_ms = 1;
  f.world.answer = [&](const channels::Outgoing& m) {
    return refuse && f.keys[m.msg_id] == "bad" ? refusal("AE") : SendOutcome::sent("AA");
  };
  REQUIRE(f.queue->start(0, 0, true));
  for (std::size_t i = 0; i < 3 * base::limits::kDeliveryWindowMax; ++i) f.add("bad");
  for (int i = 0; i < 50; ++i) f.add("good" + std::to_string(i % 7));
  f.executor.run(seconds(20));
  CHECK(f.world.got.size() == 50);
  for (int i = 0; i < 5; ++i) f.add("bad");  // while its outputs are only in the journal
  f.executor.run(seconds(5));
  refuse = false;
  for (int i = 0; i < 5; ++i) {
    f.executor.run(milliseconds(700));
    f.add("bad");  // while they are read again
  }
  f.executor.run(seconds(120));
  f.check_all();
}

TEST_CASE("where the receiver is not reached every connection waits with its message", "[delivery][lanes]") {
  Fixture f;
  int attempts = 0;
  f.world.answer = [&](const channels::Outgoing&) {
    ++attempts;
    return f.world.reachable ? SendOutcome::sent() : unreachable();
  };
  f.world.reachable = false;
  REQUIRE(f.queue->start(0, 0, true));
  for (int i = 0; i < 100; ++i) f.add(std::to_string(i));
  f.executor.run(milliseconds(3500));
  CHECK(attempts <= 4 * 4);  // not one attempt for each of a hundred keys
  f.world.reachable = true;
  f.executor.run(seconds(10));
  f.check_all();
}

TEST_CASE("random refusals, stops of the receiver and restarts reorder no key", "[delivery][lanes]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Fixture f(1 + seed % 6);
    base::SeededRandom chance(seed);
    f.world.answer = [&](const channels::Outgoing&) {
      switch (chance.below(8)) {
        case 0:
          return refusal("AE");
        case 1:
          return unreachable();
        default:
          return SendOutcome::sent("AA");
      }
    };
    f.world.takes_ms = static_cast<std::int64_t>(1 + chance.below(30));
    for (int i = 0; i < 20; ++i) f.add(std::to_string(chance.below(6)), true);
    REQUIRE(f.queue->start(20, f.pushed, true));
    for (int i = 0; i < 200; ++i) {
      f.add(std::to_string(chance.below(6)));
      if (chance.below(4) == 0) f.executor.run(milliseconds(chance.below(2000)));
      if (chance.below(25) == 0) {  // other connections between two sends
        f.queue->exchange(f.settings(), f.connectors(1 + chance.below(6)));
      }
      if (chance.below(25) == 0) f.queue->pause();
      if (chance.below(10) == 0) f.queue->unpause();
    }
    f.queue->unpause();
    f.executor.run(seconds(2000));
    f.check_all();
  }
}

TEST_CASE("outputs of another `order by` go first, one after the other", "[delivery][lanes]") {
  Fixture f;
  for (int i = 0; i < 6; ++i) f.add(std::to_string(i), true, "");
  for (int i = 0; i < 6; ++i) f.add(std::to_string(i), true);
  REQUIRE(f.queue->start(12, f.pushed, true));
  f.executor.run(seconds(5));
  REQUIRE(f.world.got.size() == 12);
  for (MessageId id = 1; id <= 7; ++id) CHECK(f.world.got[id - 1] == id);
  CHECK(f.world.most > 1);
}

TEST_CASE("after an unclean stop everything that waited is marked when connections are several", "[delivery][lanes]") {
  Fixture f;
  std::size_t marked = 0;
  f.world.answer = [&](const channels::Outgoing& m) {
    marked += m.in_doubt ? 1 : 0;
    return SendOutcome::sent("AA");
  };
  for (int i = 0; i < 300; ++i) f.add(std::to_string(i), true);
  REQUIRE(f.queue->start(300, f.pushed, false));
  f.add("new");
  f.executor.run(seconds(20));
  f.check_all();
  CHECK(marked == 300);
}

TEST_CASE("a message that was blocked stays blocked over a restart until it is resumed or set aside", "[delivery]") {
  for (const std::size_t lanes : {1u, 3u}) {
    Fixture f(lanes);
    for (int i = 0; i < 3; ++i) f.add("k", true);
    f.queue->block_at_start({1});
    REQUIRE(f.queue->start(3, f.pushed, true));
    f.executor.run(seconds(5));
    CHECK(f.world.got.empty());
    CHECK(f.queue->status().blocked);
    CHECK(f.queue->set_aside_blocked() == 1);
    f.executor.run(seconds(5));
    CHECK(f.world.got == std::vector<MessageId>{2, 3});
    CHECK(f.queue->status().quarantined == 1);
    CHECK(f.journal.records().at(1).endings.at("d").code == "operator-hold");
  }
}

TEST_CASE("a paused queue keeps taking and sends nothing", "[delivery]") {
  for (const std::size_t lanes : {1u, 3u}) {
    Fixture f(lanes);
    f.queue->pause();
    REQUIRE(f.queue->start(0, 0, true));
    for (int i = 0; i < 10; ++i) f.add(std::to_string(i));
    f.executor.run(seconds(60));
    CHECK(f.world.got.empty());
    CHECK(f.queue->status().paused);
    CHECK(f.queue->status().pending == 10);
    f.queue->unpause();
    f.executor.run(seconds(5));
    f.check_all();
  }
}

TEST_CASE("a connector is exchanged between two sends and the queue stays", "[delivery]") {
  Fixture f(1);
  f.world.answer = [&](const channels::Outgoing&) { return unreachable(); };
  REQUIRE(f.queue->start(0, 0, true));
  for (int i = 0; i < 10; ++i) f.add("k");
  f.executor.run(seconds(3));
  CHECK(f.world.got.empty());
  World better;
  DeliveryQueue::Connectors connectors;
  connectors.push_back(std::make_unique<Lane>(better, f.executor));
  f.queue->exchange(f.settings(), std::move(connectors));
  f.executor.run(seconds(2));
  CHECK(better.got.size() == 10);
  CHECK(f.queue->status().pending == 0);
  f.stop();
}
