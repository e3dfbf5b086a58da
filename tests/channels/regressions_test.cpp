// Faults that other engines had (the field's regression list), each under its number: those of connections
// and folders.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

std::string frame(const std::string& text) {
  return "\x0b" + text + "\x1c\r";
}

struct Listener {
  test::World world;
  std::unique_ptr<Source> source;
  Options options;
  explicit Listener(const std::string& text) {
    const auto& spec = *find_connector(ConnectorRole::source, "mllp");
    options = test::parse(spec, text);
    source = spec.make_source(options, world.around());
    REQUIRE(source->start(world.intake));
  }
  ~Listener() {
    for (const auto& stream : streams) stream->close();
    world.run(source->stop());
  }
  std::vector<base::StreamPtr> streams;
  base::Task<void> connect(std::size_t wanted) {
    while (streams.size() < wanted) {
      auto connecting = world.net.connect("127.0.0.1", source->status().port, 2'000);
      auto stream = co_await std::move(connecting);
      if (!stream) co_return;
      streams.push_back(std::move(*stream));
    }
  }
  base::Task<void> write(std::size_t index, std::string bytes) {
    auto writing = streams[index]->write_all(std::move(bytes), 2'000);
    (void)co_await std::move(writing);
  }
};

/// Lines of /proc/net/tcp of established connections with that port on this side; "02" in the timer field is
/// a keep-alive timer.
std::vector<std::string> timers_of(std::uint16_t port) {
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", static_cast<unsigned>(port));
  std::vector<std::string> out;
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer;
    words >> slot >> local >> remote >> state >> queues >> timer;
    if (state == "01" && local.ends_with(wanted)) out.push_back(timer.substr(0, 2));
  }
  return out;
}

}  // namespace

TEST_CASE("B19 a half-open connection ends, and one connection too many is told", "[mllp][regression]") {
  {
    Listener defaults("{ port 0 }");
    CHECK(defaults.options.number("idle") > 0);
    CHECK(defaults.options.number("idle") <= 3'600'000);
    CHECK(defaults.options.number("frame_timeout") > 0);
    defaults.world.run(defaults.connect(1));
    REQUIRE(defaults.world.until([&] { return defaults.source->status().connections == 1; }));
    // The other end may vanish without a word: the kernel asks.
    const auto timers = timers_of(defaults.source->status().port);
    REQUIRE(timers.size() == 1);
    CHECK(timers[0] == "02");
  }
  Listener small("{ port 0; idle 100ms; connections 10 }");
  small.world.run(small.connect(10));
  REQUIRE(small.world.until([&] { return small.source->status().connections_total == 10; }));
  small.world.run(small.connect(11));
  REQUIRE(small.world.until([&] { return small.source->status().refused_connections == 1; }));
  REQUIRE(small.world.until([&] { return small.world.intake.reports.size() == 1; }));
  CHECK((small.world.intake.reports[0].kind == Unframed::Kind::refused_peer));
  CHECK_FALSE(small.source->status().last_error.empty());
  CHECK(
      small.world.until([&] { return small.source->status().connections == 0; }));  // idle: all ten have gone
}

TEST_CASE("K14 peers that send a byte now and then, or read nothing, hold up nobody and little memory",
          "[mllp][regression]") {
  Listener slow("{ port 0; frame_timeout 400ms; connections_per_peer 100 }");
  constexpr std::size_t kPeers = 50;
  slow.world.run(slow.connect(kPeers));
  REQUIRE(slow.world.until([&] { return slow.source->status().connections == kPeers; }));
  for (std::size_t i = 0; i < kPeers; ++i) slow.world.run(slow.write(i, i % 2 == 0 ? "\x0bM" : "x"));
  for (int round = 0; round < 4; ++round) {
    for (std::size_t i = 0; i < kPeers; i += 5) slow.world.run(slow.write(i, "S"));
    // Somebody else is served meanwhile.
    CHECK(test::talk(slow.world, slow.source->status().port, frame("good"), 60) == frame("ack:good"));
  }
  CHECK(slow.world.intake.held_most < kPeers * 64 * 1024);
  // A frame that does not end is given up; its peer cannot stay for ever by one byte at a time.
  CHECK(slow.world.until([&] { return slow.source->status().connections <= kPeers / 2; }));
  CHECK(slow.world.intake.messages.size() == 4);
}

TEST_CASE("K14 a peer that does not read its answers is not read any more", "[mllp][regression]") {
  Listener listener("{ port 0 }");
  listener.world.run(listener.connect(1));
  listener.world.intake.answer = [](const Inbound&) {
    return Answer{Taken::stored, "MSH|" + std::string(200'000, 'a') + "\r", false, 0, {}, {}};
  };
  std::string many;
  for (int i = 0; i < 2'000; ++i) many += frame("m");
  listener.world.run(listener.write(0, many));
  listener.world.wait(300);
  const std::size_t taken = listener.world.intake.messages.size();
  CHECK(taken > 0);
  CHECK(taken < 2'000);  // 400 MB of answers are not made for somebody who takes none
  listener.world.wait(200);
  CHECK(listener.world.intake.messages.size() == taken);
}

TEST_CASE("K12 a folder gives what is complete and inside of it, and a large batch a message at a time",
          "[files][regression]") {
  test::World world;
  const auto& spec = *find_connector(ConnectorRole::source, "file");
  REQUIRE(::mkdir(world.path("outside").c_str(), 0700) == 0);
  std::ofstream(world.path("outside/secret.hl7")) << "MSH|^~\\&|SECRET\r";
  REQUIRE(::symlink(world.path("outside").c_str(), world.path("in/sub").c_str()) == 0);
  REQUIRE(::symlink(world.path("outside/secret.hl7").c_str(), world.path("in/a.hl7").c_str()) == 0);
  std::ofstream(world.path("in/b.hl7.part")) << "MSH|^~\\&|HALF";
  const auto source = spec.make_source(
      test::parse(spec, "{ folder \"in\"; poll 10ms; stable 0s; pattern \"*.hl7\" }"), world.around());
  REQUIRE(source->start(world.intake));
  world.wait(100);
  CHECK(world.intake.messages.empty());
  // Renamed when it is whole, as the writer of a folder should.
  constexpr int kMessages = 3'000;
  {
    std::ofstream batch(world.path("in/b.hl7.part"));
    batch << "FHS|^~\\&|A\rBHS|^~\\&|A\r";
    for (int i = 0; i < kMessages; ++i)
      batch << "MSH|^~\\&|LAB|X|EHR|X|2026||ORU^R01|B" << i << "|P|2.5.1\rNTE|1||" << std::string(900, 'x')
            << "\r";
    batch << "BTS|" << kMessages << "\rFTS|1\r";
  }
  world.intake.messages.clear();
  REQUIRE(::rename(world.path("in/b.hl7.part").c_str(), world.path("in/b.hl7").c_str()) == 0);
  REQUIRE(world.until([&] { return world.intake.messages.size() == kMessages; }));
  for (int i = 0; i < kMessages; ++i) {
    CHECK(world.intake.messages[static_cast<std::size_t>(i)].bytes.find("|B" + std::to_string(i) + "|") !=
          std::string::npos);
    CHECK(world.intake.messages[static_cast<std::size_t>(i)].bytes.size() < 1'200);
  }
  for (const Inbound& message : world.intake.messages)
    CHECK(message.bytes.find("SECRET") == std::string::npos);
  world.run(source->stop());
}

}  // namespace kiln::channels
