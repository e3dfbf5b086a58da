// MLLP source and destination over real sockets.
#include <catch2/catch.hpp>

#include "hl7/mllp/framer.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

const std::string kMessage = "MSH|^~\\&|LAB|X|EHR|X|20250101||ADT^A01^ADT_A01|ID1|P|2.5.1\r";

std::string frame(const std::string& text) {
  return "\x0b" + text + "\x1c\r";
}

struct SourceFixture {
  test::World world;
  std::unique_ptr<Source> source;
  explicit SourceFixture(const std::string& options) {
    const auto& spec = *find_connector(ConnectorRole::source, "mllp");
    source = spec.make_source(test::parse(spec, options), world.around());
    REQUIRE(source->start(world.intake));
  }
  ~SourceFixture() { world.run(source->stop()); }
  std::string talk(const std::string& bytes, int silence_ms = 100) {
    return test::talk(world, source->status().port, bytes, silence_ms);
  }
};

TEST_CASE("mllp source answers pipelined frames in their order, however long each takes", "[mllp]") {
  SourceFixture fixture("{ port 0 }");
  fixture.world.intake.delays = {40, 0, 20, 0};
  const std::string answer = fixture.talk(frame("a") + frame("b") + frame("c") + frame("d"));
  CHECK(answer == frame("ack:a") + frame("ack:b") + frame("ack:c") + frame("ack:d"));
  REQUIRE(fixture.world.intake.messages.size() == 4);
  CHECK(fixture.world.intake.messages[0].bytes == "a");
  CHECK(fixture.world.intake.messages[0].peer.starts_with("127.0.0.1:"));
}

/// Accepts at once, and answers when it is told to.
class SlowIntake final : public Intake {
 public:
  explicit SlowIntake(Net& net) : go_(net.executor()) {}
  base::Task<Answer> accept(Inbound message) override {
    ++taken;
    message.early("CA");
    while (!open) {
      auto wait = go_.wait(std::chrono::milliseconds(5));
      co_await wait;
    }
    Answer out;
    out.taken = Taken::stored;
    out.reply = "AA";
    co_return out;
  }
  base::Task<Answer> report(Unframed) override { co_return Answer(); }
  bool has_room() const override { return true; }
  base::Task<void> room() override { co_return; }
  std::size_t taken = 0;
  bool open = false;

 private:
  base::Event go_;
};

base::Task<void> push(Net* net, std::uint16_t port, std::string bytes, bool* written) {
  auto connecting = net->connect("127.0.0.1", port, 1000);
  auto stream = co_await std::move(connecting);
  REQUIRE(stream);
  auto writing = (*stream)->write_all(std::move(bytes), 60'000);
  const auto done = co_await std::move(writing);
  *written = done.has_value();
  char chunk[4096];
  for (;;) {
    auto reading = (*stream)->read_some(chunk, sizeof chunk, 60'000);
    const auto got = co_await std::move(reading);
    if (!got || *got == 0) break;
  }
}

TEST_CASE("mllp source: messages that wait for their second answer count for what a connection may send", "[mllp]") {
  test::World world;
  SlowIntake intake(world.net);
  const auto& spec = *find_connector(ConnectorRole::source, "mllp");
  const auto source = spec.make_source(test::parse(spec, "{ port 0 }"), world.around());
  REQUIRE(source->start(intake));
  constexpr std::size_t kFrames = 600, kMost = base::limits::kMllpPipelinedMax, kOneRead = 20;
  std::string all;
  for (std::size_t i = 0; i < kFrames; ++i) all += frame(std::string(20'000, 'x'));
  bool written = false;
  base::spawn(push(&world.net, source->status().port, std::move(all), &written));
  CHECK(world.until([&] { return intake.taken >= kMost; }));
  world.wait(100);
  CHECK(intake.taken <= kMost + kOneRead);
  CHECK_FALSE(written);
  intake.open = true;
  CHECK(world.until([&] { return intake.taken == kFrames && written; }));
  world.run(source->stop());
}

TEST_CASE("mllp source: no reply, reply and close", "[mllp]") {
  SourceFixture fixture("{ port 0 }");
  fixture.world.intake.answer = [](const Inbound& message) {
    Answer out;
    out.reply = message.bytes == "silent" ? "" : "AE";
    out.close = message.bytes == "close";
    return out;
  };
  CHECK(fixture.talk(frame("silent") + frame("x")) == frame("AE"));
  CHECK(fixture.talk(frame("close") + frame("x")) == frame("AE") + "<closed>");
}

TEST_CASE("mllp source reports garbage, cut and too large frames, and closes where it must", "[mllp]") {
  SourceFixture fixture("{ port 0; max_message 1kB; frame_timeout 80ms; idle 300ms }");
  auto& intake = fixture.world.intake;
  CHECK(fixture.talk("garbage" + frame("good")) == frame("ack:good"));
  REQUIRE(intake.reports.size() == 1);
  CHECK(intake.reports[0].kind == Unframed::Kind::garbage);
  CHECK(intake.reports[0].head == "garbage");
  intake.reports.clear();

  CHECK(fixture.talk(frame("first") + "\x0b" + std::string(3000, 'x')) ==
        frame("ack:first") + frame("AR") + "<closed>");
  REQUIRE(intake.reports.size() == 1);
  CHECK(intake.reports[0].kind == Unframed::Kind::oversize);
  intake.reports.clear();

  CHECK(fixture.talk("\x0bnever ends", 1000) == "<closed>");  // the frame's time is over
  REQUIRE(intake.reports.size() == 1);
  CHECK(intake.reports[0].kind == Unframed::Kind::cut_frame);
  intake.reports.clear();

  CHECK(fixture.talk("", 1000) == "<closed>");  // idle
  CHECK(intake.reports.empty());
  CHECK(fixture.talk("\x0bpeer goes away", 10).empty());
  CHECK(fixture.world.until([&] { return intake.reports.size() == 1; }));
  CHECK(fixture.world.until([&] { return fixture.source->status().connections == 0; }));
}

TEST_CASE("mllp source takes a frame without trailer after a silence", "[mllp]") {
  SourceFixture fixture("{ port 0 }");
  CHECK(fixture.talk("\x0bno trailer\x1c", 600) == frame("ack:no trailer"));
  CHECK(fixture.world.intake.messages[0].framing_fault);
}

TEST_CASE("mllp source closes connections over its caps and says so", "[mllp]") {
  SourceFixture fixture("{ port 0; connections_per_peer 1 }");
  std::vector<base::StreamPtr> held;
  auto holder = find_connector(ConnectorRole::destination, "mllp")
                    ->make_destination(test::parse(*find_connector(ConnectorRole::destination, "mllp"),
                                                   "{ host \"127.0.0.1\"; port " +
                                                       std::to_string(fixture.source->status().port) +
                                                       "; ack_timeout 50ms }"),
                                       fixture.world.around());
  Outgoing message;
  message.bytes = kMessage;
  fixture.world.intake.delays = {0};
  fixture.world.intake.answer = [](const Inbound&) {
    return Answer{Taken::stored, "MSH|^~\\&|A\rMSA|AA|\r", false, 0, {}, {}};
  };
  fixture.world.send(*holder, message);
  REQUIRE(fixture.source->status().connections == 1);
  CHECK(fixture.talk("", 500) == "<closed>");
  CHECK(fixture.source->status().refused_connections == 1);
  REQUIRE(fixture.world.intake.reports.size() == 1);
  CHECK(fixture.world.intake.reports[0].kind == Unframed::Kind::refused_peer);
  fixture.world.run(holder->stop());
}

TEST_CASE("stopping the mllp source sends the answers it owes", "[mllp]") {
  SourceFixture fixture("{ port 0 }");
  fixture.world.intake.delays = {60};
  std::string answer;
  fixture.world.net.executor().post([&] {});
  std::unique_ptr<base::Listener> none;
  // The client waits longer than the stop takes.
  bool stopped = false;
  fixture.world.net.executor().post_after(std::chrono::milliseconds(30), [&] {
    base::spawn(fixture.source->stop());
    stopped = true;
  });
  answer = fixture.talk(frame("late"), 1000);
  CHECK(stopped);
  CHECK(answer == frame("ack:late") + "<closed>");
}

/// A receiver whose answers a test chooses: the source connector with the recording intake.
struct DestinationFixture {
  SourceFixture receiver{"{ port 0 }"};
  std::unique_ptr<Destination> destination;
  explicit DestinationFixture(const std::string& more = "") {
    const auto& spec = *find_connector(ConnectorRole::destination, "mllp");
    const std::string port = std::to_string(receiver.source->status().port);
    destination = spec.make_destination(
        test::parse(spec, "{ host \"127.0.0.1\"; port " + port + "; ack_timeout 150ms" + more + " }"),
        receiver.world.around());
    REQUIRE(destination->start());
  }
  ~DestinationFixture() { receiver.world.run(destination->stop()); }
  SendOutcome send(const std::string& ack_code, const std::string& acked_id = "ID1", int delay = 0) {
    auto& intake = receiver.world.intake;
    intake.messages.clear();
    intake.delays = {delay};
    intake.answer = [=](const Inbound&) {
      Answer out;
      if (!ack_code.empty())
        out.reply = "MSH|^~\\&|R|R|S|S|20250101||ACK|9|P|2.5.1\rMSA|" + ack_code + "|" + acked_id + "\r";
      return out;
    };
    Outgoing message;
    message.bytes = kMessage;
    message.control_id = "ID1";
    return receiver.world.send(*destination, message);
  }
};

TEST_CASE("mllp destination: each answer has its meaning, on one kept connection", "[mllp]") {
  DestinationFixture fixture;
  CHECK((fixture.send("AA").kind == SendOutcome::Kind::sent));
  CHECK(fixture.send("CA").code == "CA");
  for (const char* code : {"AE", "AR", "CE", "CR"}) {
    const auto outcome = fixture.send(code);
    CHECK((outcome.kind == SendOutcome::Kind::negative));
    CHECK(outcome.code == code);
    CHECK(outcome.reply.find("MSA|") != std::string::npos);
  }
  CHECK(fixture.destination->status().connections_total == 1);
}

TEST_CASE("mllp destination: foreign, unreadable, late and missing answers never count", "[mllp]") {
  DestinationFixture fixture;
  const auto foreign = fixture.send("AA", "OTHER");
  CHECK((foreign.kind == SendOutcome::Kind::in_doubt));
  CHECK((foreign.error == base::ErrorCode::ack_foreign));
  CHECK((fixture.send("XX").error == base::ErrorCode::answer_unreadable));
  const auto late = fixture.send("AA", "ID1", 250);  // the answer comes after the time-out
  CHECK((late.kind == SendOutcome::Kind::in_doubt));
  CHECK((late.error == base::ErrorCode::timeout));
  fixture.receiver.world.wait(200);
  CHECK((fixture.send("AE").kind == SendOutcome::Kind::negative));  // not the late AA
  const auto silent = fixture.send("");
  CHECK((silent.kind == SendOutcome::Kind::in_doubt));
  CHECK(fixture.destination->status().connections_total == 4);
}

TEST_CASE("mllp destination: no receiver is a retry, a message that cannot be framed is bad", "[mllp]") {
  DestinationFixture fixture;
  Outgoing bad;
  bad.bytes = "MSH|\x1c\rx";
  CHECK((fixture.receiver.world.send(*fixture.destination, bad).kind == SendOutcome::Kind::bad));
  fixture.receiver.world.run(fixture.receiver.source->stop());
  CHECK((fixture.send("AA").kind == SendOutcome::Kind::retry));
}

}  // namespace
}  // namespace kiln::channels
