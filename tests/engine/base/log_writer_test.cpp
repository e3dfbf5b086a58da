// Log lines: what repeats, who does not read, levels of channels.

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "engine/base/json.h"
#include "engine/base/log_writer.h"
#include "engine/base/text.h"

namespace kiln::base {
namespace {

struct Pipe {
  int ends[2] = {-1, -1};
  ManualClock clock{WallTime{1'795'000'000'000'000}};
  LogWriter writer;

  explicit Pipe(int bytes = 65536) : writer(make(bytes), clock) {}
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  int make(int bytes) {
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, bytes) >= bytes);
    REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    return ends[1];
  }
  std::vector<std::string> lines() {
    std::string all;
    char chunk[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], chunk, sizeof chunk)) > 0;) all.append(chunk, static_cast<std::size_t>(got));
    std::vector<std::string> out;
    for (const std::string_view line : split(all, '\n'))
      if (!line.empty()) out.emplace_back(line);
    return out;
  }
  std::string field(const std::string& line, const char* name) {
    const auto document = parse_json(line);
    REQUIRE(document);
    return std::string(document->root()[name].text());
  }
};

}  // namespace

TEST_CASE("log: a line is JSON with time, level, event and fields") {
  Pipe pipe;
  pipe.writer.log(LogLevel::warn, "delivery-retry", {{"channel", Safe::name("lab\"in")}, {"msg", 4711}});
  const auto lines = pipe.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        R"({"ts":"2026-11-18T11:06:40.000Z","level":"warn","event":"delivery-retry","channel":"lab\"in","msg":4711})");
}

TEST_CASE("log: what repeats is counted, whatever its numbers are, and told when the time is over") {
  Pipe pipe;
  for (int i = 0; i < 30; ++i) {
    pipe.writer.log(LogLevel::info, "delivery-retry", {{"channel", "a"}, {"msg", i}});
    pipe.clock.advance(std::chrono::milliseconds(10));
  }
  pipe.writer.log(LogLevel::info, "delivery-retry", {{"channel", "b"}, {"msg", 1}});
  CHECK(pipe.lines().size() == LogWriter::kRepeatsWritten + 1);
  pipe.writer.tick();
  CHECK(pipe.lines().empty());
  pipe.clock.advance(LogWriter::kRepeatWindow);
  pipe.writer.tick();
  const auto told = pipe.lines();
  REQUIRE(told.size() == 1);
  CHECK(pipe.field(told[0], "event") == "delivery-retry");
  CHECK(pipe.field(told[0], "channel") == "a");
  CHECK(pipe.field(told[0], "repeated") == "20");
  CHECK(pipe.field(told[0], "since") == "2026-11-18T11:06:40.000Z");
  pipe.writer.tick();
  CHECK(pipe.lines().empty());
  pipe.writer.log(LogLevel::info, "delivery-retry", {{"channel", "a"}, {"msg", 99}});
  CHECK(pipe.lines().size() == 1);
}

TEST_CASE("log: a name with line ends is told as it is, and nobody waits for ever") {
  Pipe pipe;
  for (int i = 0; i < 12; ++i)
    pipe.writer.log(LogLevel::info, "x-y", {{"channel", Safe::name("one\ntwo\n\nthree\n")}, {"peer", Safe::name("\n")}});
  (void)pipe.lines();
  pipe.clock.advance(LogWriter::kRepeatWindow);
  pipe.writer.tick();
  const auto told = pipe.lines();
  REQUIRE(told.size() == 1);
  CHECK(pipe.field(told[0], "channel") == "one\ntwo\n\nthree\n");
  CHECK(pipe.field(told[0], "peer") == "\n");
  CHECK(pipe.field(told[0], "repeated") == "2");
}

TEST_CASE("log: the next line of a kind tells what was left out before, without a tick") {
  Pipe pipe;
  for (int i = 0; i < 12; ++i) pipe.writer.log(LogLevel::info, "x-y", {});
  pipe.clock.advance(LogWriter::kRepeatWindow);
  (void)pipe.lines();
  pipe.writer.log(LogLevel::info, "x-y", {});
  const auto lines = pipe.lines();
  REQUIRE(lines.size() == 2);
  CHECK(pipe.field(lines[0], "repeated") == "2");
  CHECK(pipe.field(lines[1], "repeated").empty());
}

TEST_CASE("log: who does not read makes nobody wait, and what was lost is counted and told") {
  Pipe pipe(4096);
  // Each its own kind. The pipe holds few of them; a writer that waited would never end this loop.
  for (int i = 0; i < 500; ++i) pipe.writer.log(LogLevel::info, "event-" + std::to_string(i), {});
  CHECK(pipe.writer.dropped() > 300);
  const std::uint64_t lost = pipe.writer.dropped();
  pipe.writer.tick();
  CHECK(pipe.writer.dropped() == lost);
  const auto kept = pipe.lines();
  CHECK(kept.size() + lost == 500);
  for (const std::string& line : kept) CHECK(parse_json(line).has_value());
  pipe.writer.tick();
  const auto told = pipe.lines();
  REQUIRE(told.size() == 1);
  CHECK(pipe.field(told[0], "event") == "log-dropped");
  CHECK(pipe.field(told[0], "lines") == std::to_string(lost));
  pipe.writer.tick();
  CHECK(pipe.lines().empty());
}

TEST_CASE("log: a channel has a level of its own, for a while") {
  Pipe pipe;
  const auto says = [&](LogLevel level, const char* channel) {
    // Another kind each time, so that none counts as a repetition.
    static int number = 0;
    pipe.writer.log(level, "e-" + std::to_string(++number), {{"channel", Safe::name(channel)}});
    return !pipe.lines().empty();
  };
  CHECK_FALSE(says(LogLevel::debug, "lab"));
  REQUIRE(pipe.writer.set_channel_level("lab", LogLevel::debug, 60));
  REQUIRE(pipe.writer.set_channel_level("noisy", LogLevel::error, 120));
  CHECK(says(LogLevel::debug, "lab"));
  CHECK_FALSE(says(LogLevel::debug, "other"));
  CHECK_FALSE(says(LogLevel::warn, "noisy"));
  CHECK(says(LogLevel::error, "noisy"));
  CHECK(pipe.writer.channel_levels().size() == 2);
  pipe.clock.advance(std::chrono::seconds(60));
  CHECK_FALSE(says(LogLevel::debug, "lab"));
  CHECK_FALSE(says(LogLevel::warn, "noisy"));
  pipe.clock.advance(std::chrono::seconds(60));
  CHECK(says(LogLevel::warn, "noisy"));
  pipe.writer.tick();
  CHECK(pipe.writer.channel_levels().empty());
  REQUIRE(pipe.writer.set_channel_level("*", LogLevel::warn, 60));
  CHECK_FALSE(says(LogLevel::info, "lab"));
  CHECK(says(LogLevel::warn, "lab"));
  pipe.writer.reset_channel_level("*");
  CHECK(says(LogLevel::info, "lab"));
  CHECK(pipe.writer.channel_levels().empty());
}

TEST_CASE("log: a line that is too long is cut and still is JSON") {
  Pipe pipe;
  const std::string name(9000, 'n');
  pipe.writer.log(LogLevel::warn, "delivery-retry", {{"channel", Safe::name(name)}});
  const auto lines = pipe.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() < LogWriter::kLineBytesMax);
  CHECK(pipe.field(lines[0], "event") == "delivery-retry");
  CHECK(pipe.field(lines[0], "cut") == "true");
}

}  // namespace kiln::base
