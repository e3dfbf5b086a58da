// A batch in one frame, and replies of two messages, over real sockets.
#include <catch2/catch.hpp>

#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

std::string frame(const std::string& text) {
  return "\x0b" + text + "\x1c\r";
}
std::string message(const std::string& id) {
  return "MSH|^~\\&|LAB|X|EHR|X|20250101||ADT^A01^ADT_A01|" + id + "|P|2.5.1\r";
}
std::string head(const std::string& name, const std::string& control_id) {
  return name + "|^~\\&|LAB|X|EHR|X|20250101||||" + control_id + "\r";
}

struct Listener {
  test::World world;
  std::unique_ptr<Source> source;
  explicit Listener(const std::string& options) {
    const auto& spec = *find_connector(ConnectorRole::source, "mllp");
    source = spec.make_source(test::parse(spec, options), world.around());
    REQUIRE(source->start(world.intake));
    world.intake.answer = [](const Inbound& in) {
      Answer out;
      const bool bad = in.bytes.find("|BAD|") != std::string::npos;
      out.taken = bad ? Taken::refused : Taken::stored;
      out.reply = bad ? "MSH|^~\\&\rMSA|AE|BAD\r" : "MSH|^~\\&\rMSA|AA|OK\r";
      return out;
    };
  }
  ~Listener() { world.run(source->stop()); }
  std::string talk(const std::string& bytes) { return test::talk(world, source->status().port, bytes, 100); }
};

/// MSH-7 and MSH-10 of an envelope depend on the clock.
std::string without_time(std::string text) {
  for (std::size_t at = text.find("|X|20"); at != text.npos; at = text.find("|X|20", at + 1)) {
    const std::size_t begin = at + 3, end = text.find("|KB", begin);
    if (end == text.npos) continue;
    const std::size_t stop = text.find_first_of("|\r", end + 1);
    text.replace(begin, stop - begin, "T");
  }
  return text;
}

TEST_CASE("point 24: a batch is one frame and one answer frame", "[mllp]") {
  Listener listener("{ port 0 }");
  const std::string batch =
      head("FHS", "F1") + head("BHS", "B1") + message("M1") + message("BAD") + "BTS|2\rFTS|1\r";
  CHECK(without_time(listener.talk(frame(batch) + frame(message("M2")))) ==
        frame("FHS|^~\\&|EHR|X|LAB|X|T|F1\rBHS|^~\\&|EHR|X|LAB|X|T|B1\r"
              "MSH|^~\\&\rMSA|AA|OK\rMSH|^~\\&\rMSA|AE|BAD\rBTS|2\rFTS|1\r") +
            frame("MSH|^~\\&\rMSA|AA|OK\r"));
  REQUIRE(listener.world.intake.messages.size() == 3);
  CHECK(listener.world.intake.messages[0].bytes == message("M1"));
  CHECK(listener.world.intake.messages[1].bytes == message("BAD"));
  CHECK(listener.world.intake.reports.empty());
  CHECK(listener.source->status().messages == 3);
}

TEST_CASE("a batch may be answered by its errors alone, and what it lost is reported", "[mllp]") {
  Listener listener("{ port 0; batch_answer errors }");
  CHECK(without_time(listener.talk(frame(head("BHS", "B1") + message("M1") + message("BAD") + "BTS|3\r"))) ==
        frame("BHS|^~\\&|EHR|X|LAB|X|T|B1\rMSH|^~\\&\rMSA|AE|BAD\r"
              "MSH|^~\\&|EHR|X|LAB|X|T|P|2.5.1\rMSA|AE|B1|the counts of the batch do not agree with what came\rBTS|2\r"));
  REQUIRE(listener.world.intake.reports.size() == 1);
  CHECK(listener.world.intake.reports[0].detail.starts_with("batch: "));
  // An envelope without messages is a message that is none: the pipeline answers it.
  listener.talk(frame(head("BHS", "B2") + "BTS|0\r"));
  CHECK(listener.world.intake.messages.back().bytes.starts_with("BHS"));
}

TEST_CASE("an accept and an application acknowledgement leave as two frames", "[mllp]") {
  Listener listener("{ port 0 }");
  listener.world.intake.answer = [](const Inbound&) {
    Answer out;
    out.taken = Taken::stored;
    out.reply = "MSA|CA\r" + std::string(kReplySeparator) + "MSA|AA\r";
    return out;
  };
  CHECK(listener.talk(frame(message("M1"))) == frame("MSA|CA\r") + frame("MSA|AA\r"));
}

}  // namespace
}  // namespace kiln::channels
