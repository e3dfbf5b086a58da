// MLLP release 2 over real sockets, and the bytes of half-received frames.
#include <catch2/catch.hpp>

#include "hl7/mllp/framer.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

const std::string kMessage = "MSH|^~\\&|LAB|X|EHR|X|20250101||ADT^A01^ADT_A01|ID1|P|2.5.1\r";
const std::string kAck = "\x0b\x06\x1c\r", kNak = "\x0b\x15\x1c\r";

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

TEST_CASE("point 21: release 2 answers with a commit byte, then with the acknowledgement", "[mllp]") {
  SourceFixture fixture("{ port 0; release 2 }");
  CHECK(fixture.talk(frame("a")) == kAck + frame("ack:a"));
  fixture.world.intake.answer = [](const Inbound& message) {
    return Answer{message.bytes == "full" ? Taken::not_stored : Taken::refused,
                  message.bytes == "quiet" ? "" : "AE",
                  false,
                  0,
                  {},
                  {}};
  };
  CHECK(fixture.talk(frame("refused")) == kAck + frame("AE"));  // it is on disk: the refusal is HL7's matter
  CHECK(fixture.talk(frame("quiet")) == kAck);                  // MSH-15 wants no acknowledgement
  CHECK(fixture.talk(frame("full")) == kNak + frame("AE"));
}

TEST_CASE("point 21: release 2 has one message outstanding", "[mllp]") {
  SourceFixture fixture("{ port 0; release 2 }");
  fixture.world.intake.delays = {60, 0};
  std::size_t at_first_answer = 0;
  fixture.world.intake.answer = [&](const Inbound& message) {
    if (message.bytes == "a") at_first_answer = fixture.world.intake.messages.size();
    return Answer{Taken::stored, "ok", false, 0, {}, {}};
  };
  const std::string big(300'000, 'x');  // more than one read takes
  CHECK(fixture.talk(frame("a") + frame(big), 300) == kAck + frame("ok") + kAck + frame("ok"));
  CHECK(at_first_answer == 1);
}

TEST_CASE("point 21: commit bytes are no messages for a listener; a NAK of our acknowledgement closes",
          "[mllp]") {
  SourceFixture first("{ port 0 }");
  CHECK(first.talk(kAck + kNak + frame("a")) == frame("ack:a"));
  CHECK(first.world.intake.messages.size() == 1);
  SourceFixture second("{ port 0; release 2 }");
  CHECK(second.talk(frame("a") + kAck + frame("b")) == kAck + frame("ack:a") + kAck + frame("ack:b"));
  CHECK(second.talk(kNak, 500) == "<closed>");
  CHECK(second.world.intake.reports.empty());
}

/// A receiver that answers what a test says, whatever comes.
struct Receiver {
  test::World world;
  std::string answer, received;
  std::unique_ptr<base::Listener> listener;

  Receiver() {
    auto made = world.net.listen("127.0.0.1", 0,
                                 [this](base::StreamPtr stream) { base::spawn(serve(this, stream)); });
    REQUIRE(made);
    listener = std::move(*made);
  }
  ~Receiver() {
    listener->close();
    world.wait(20);
  }
  static base::Task<void> serve(Receiver* self, base::StreamPtr stream) {
    std::string buffer(65536, '\0');
    for (;;) {
      auto reading = stream->read_some(buffer.data(), buffer.size(), 3000);
      const auto got = co_await std::move(reading);
      if (!got || *got == 0) break;
      self->received.append(buffer.data(), *got);
      if (self->answer.empty() || !self->received.ends_with("\x1c\r")) continue;
      std::string bytes = std::exchange(self->answer, std::string());
      auto writing = stream->write_all(std::move(bytes), 1000);
      co_await std::move(writing);
    }
    stream->close();
  }
  std::unique_ptr<Destination> destination(const std::string& more) {
    const auto& spec = *find_connector(ConnectorRole::destination, "mllp");
    auto out = spec.make_destination(
        test::parse(spec, "{ host \"127.0.0.1\"; port " + std::to_string(listener->port()) +
                              "; ack_timeout 150ms; " + more + " }"),
        world.around());
    REQUIRE(out->start());
    return out;
  }
  SendOutcome send(Destination& destination, const std::string& answers) {
    answer = answers;
    received.clear();
    Outgoing message;
    message.bytes = kMessage;
    message.control_id = "ID1";
    SendOutcome out = world.send(destination, message);
    world.wait(20);
    return out;
  }
};

const std::string kAa = frame("MSH|^~\\&|R|R|S|S|20250101||ACK|9|P|2.5.1\rMSA|AA|ID1\r");

TEST_CASE("point 21: a sender of release 2 waits for the commit byte and for the acknowledgement", "[mllp]") {
  Receiver receiver;
  const auto destination = receiver.destination("release 2");
  const auto sent = receiver.send(*destination, kAck + kAa);
  CHECK((sent.kind == SendOutcome::Kind::sent));
  CHECK(sent.code == "AA");
  CHECK(receiver.received == frame(kMessage) + kAck);  // the acknowledgement is committed too
  // The commit byte alone is neither an acknowledgement nor an empty message.
  const auto committed = receiver.send(*destination, kAck);
  CHECK((committed.kind == SendOutcome::Kind::in_doubt));
  CHECK((committed.error == base::ErrorCode::timeout));
  const auto refused = receiver.send(*destination, kNak);
  CHECK((refused.kind == SendOutcome::Kind::retry));
  CHECK(refused.code == "NAK");
  CHECK((receiver.send(*destination, kAck + kAa).kind == SendOutcome::Kind::sent));
  receiver.world.run(destination->stop());
}

TEST_CASE("point 21: until commit, the commit byte is enough", "[mllp]") {
  Receiver receiver;
  const auto destination = receiver.destination("release 2; until commit");
  const auto sent = receiver.send(*destination, kAck);
  CHECK((sent.kind == SendOutcome::Kind::sent));
  CHECK(sent.code == "commit");
  CHECK((receiver.send(*destination, kNak).kind == SendOutcome::Kind::retry));
  receiver.world.run(destination->stop());
}

TEST_CASE("point 21: for a sender of release 1 a commit byte is no acknowledgement", "[mllp]") {
  Receiver receiver;
  const auto destination = receiver.destination("start_byte 11");
  const auto outcome = receiver.send(*destination, kAck);
  CHECK((outcome.kind == SendOutcome::Kind::in_doubt));
  CHECK((outcome.error == base::ErrorCode::answer_unreadable));
  receiver.world.run(destination->stop());
}

TEST_CASE("mllp source: half-received frames are counted, and given back", "[mllp]") {
  SourceFixture fixture("{ port 0 }");
  auto& intake = fixture.world.intake;
  CHECK(fixture.talk("\x0b" + std::string(50'000, 'x') + "\x1c\r").ends_with("\x1c\r"));
  CHECK(intake.held == 0);
  CHECK(fixture.talk("\x0b" + std::string(50'000, 'x'), 50).empty());  // the peer goes away inside it
  CHECK(intake.held_most == 50'000);
  CHECK(fixture.world.until([&] { return intake.held == 0; }));
}

base::Task<void> hold_half(Net* net, std::uint16_t port, std::string begin, std::string end, int pause_ms,
                           std::string* out) {
  auto connecting = net->connect("127.0.0.1", port, 1000);
  auto stream = co_await std::move(connecting);
  if (!stream) co_return;
  auto writing = (*stream)->write_all(std::move(begin), 1000);
  co_await std::move(writing);
  base::Event never(net->executor());
  auto wait = never.wait(std::chrono::milliseconds(pause_ms));
  co_await wait;
  auto more = (*stream)->write_all(std::move(end), 1000);
  co_await std::move(more);
  char chunk[4096];
  auto reading = (*stream)->read_some(chunk, sizeof chunk, 3000);
  const auto got = co_await std::move(reading);
  if (got) out->assign(chunk, *got);
  (*stream)->close();
}

TEST_CASE("mllp source: frames that together fill the budget end all the same, one after the other",
          "[mllp]") {
  SourceFixture fixture("{ port 0 }");
  auto& intake = fixture.world.intake;
  intake.budget = 30'000;
  intake.answer = [](const Inbound&) { return Answer{Taken::stored, "ok", false, 0, {}, {}}; };
  std::vector<std::string> answers(4);
  for (std::string& answer : answers)
    base::spawn(hold_half(&fixture.world.net, fixture.source->status().port,
                          "\x0b" + std::string(20'000, 'x'), std::string(20'000, 'y') + "\x1c\r", 50,
                          &answer));
  CHECK(fixture.world.until([&] {
    return std::all_of(answers.begin(), answers.end(),
                       [](const std::string& text) { return text == frame("ok"); });
  }));
  CHECK(intake.messages.size() == 4);
  CHECK(intake.held == 0);
  CHECK(intake.held_most < 4 * 40'000);
}

}  // namespace
}  // namespace kiln::channels
