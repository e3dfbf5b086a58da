// Numbered links: MSH-13 of what comes, MSA-4 of what is answered.
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

base::Task<void> resume(ChannelRuntime& channel, std::size_t* resumed) {
  auto resuming = channel.resume_links();
  const base::Result<std::size_t> links = co_await std::move(resuming);
  *resumed = links ? *links : 0;
}

/// The channel with numbered links.
std::string numbered() {
  std::string text = kChannel;
  return text.replace(text.find("port 0"), 6, "port 0; sequence_numbers true");
}

std::string with_number(const std::string& control_id, const std::string& number, const std::string& from = "A") {
  std::string text = adt(control_id);
  text.replace(text.find("|A|"), 3, "|" + from + "|");
  return text.replace(text.find("|2.5.1"), 6, "|2.5.1|" + number);
}

/// "AA 7": the code and MSA-4 of an acknowledgement.
std::string numbered_ack(const Answer& answer) {
  const auto at = answer.reply.find("MSA|");
  if (at == std::string::npos) return {};
  const std::string msa = answer.reply.substr(at, answer.reply.find('\r', at) - at);
  std::vector<std::string> fields(1);
  for (const char c : msa)
    if (c == '|')
      fields.emplace_back();
    else
      fields.back() += c;
  return fields[1] + " " + (fields.size() > 4 ? fields[4] : "");
}

}  // namespace

TEST_CASE("a numbered link takes numbers in order and freezes at a gap until it is resumed", "[pipeline][sequence]") {
  Fixture f(numbered());
  f.start();
  CHECK(numbered_ack(f.send(with_number("S1", "0"))) == "AA -1");
  CHECK(numbered_ack(f.send(with_number("M1", "7"))) == "AA 7");
  CHECK(numbered_ack(f.send(with_number("S1", "0"))) == "AA 8");  // the same bytes, another answer
  CHECK(numbered_ack(f.send(with_number("M2", "8"))) == "AA 8");
  CHECK(numbered_ack(f.send(with_number("N1", "1", "OTHER"))) == "AA 1");
  CHECK(numbered_ack(f.send(with_number("M4", "10"))) == "AE 9");
  const Answer frozen = f.send(with_number("M3", "9"));
  CHECK(numbered_ack(frozen) == "AE 9");  // frozen: an operator looks first
  CHECK(frozen.reply.find("the numbered link is frozen until an operator lets it go on") != std::string::npos);
  CHECK(numbered_ack(f.send(with_number("N2", "2", "OTHER"))) == "AA 2");
  std::size_t resumed = 0;
  base::spawn(resume(*f.channel, &resumed));
  f.executor.run_ready();
  CHECK(resumed == 1);
  CHECK(numbered_ack(f.send(with_number("M3", "9"))) == "AA 9");  // what was refused may come again
  CHECK(numbered_ack(f.send(with_number("M4", "10"))) == "AA 10");
  CHECK(numbered_ack(f.send(with_number("R1", "-1"))) == "AA -1");
  CHECK(numbered_ack(f.send(with_number("M5", "100"))) == "AA 100");
  CHECK(numbered_ack(f.send(with_number("M6", "x"))) == "AE 101");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 M2 N1 N2 M3 M4 M5 ");
}

TEST_CASE("a repeated number is answered as before; another message under it is never taken for it",
          "[pipeline][sequence]") {
  Fixture f(numbered());
  f.start();
  const std::string first = f.send(with_number("M1", "1")).reply;
  f.clock.advance(seconds(60));
  CHECK(f.send(with_number("M1", "1")).reply == first);
  const Answer other = f.send(with_number("M1b", "1"));
  CHECK(numbered_ack(other) == "AE 1");
  CHECK(other.taken == Taken::refused);
  CHECK(numbered_ack(f.send(with_number("M2", "2"))) == "AE 2");
}

TEST_CASE("a message that is not stored leaves its number free", "[pipeline][sequence]") {
  Fixture f(numbered());
  f.start();
  CHECK(numbered_ack(f.send(with_number("M1", "1"))) == "AA 1");
  f.journal->fail_append = 1;
  CHECK(f.send(with_number("M2", "2")).taken == Taken::not_stored);
  CHECK(numbered_ack(f.send(with_number("M2", "2"))) == "AA 2");
}

TEST_CASE("messages of a link that come together are numbered one after the other", "[pipeline][sequence]") {
  Fixture f(numbered());
  f.start();
  Answer answers[3];
  bool done[3] = {};
  const char* const numbers[] = {"1", "2", "3"};
  for (int i = 0; i < 3; ++i)
    base::spawn(offer(*f.channel, with_number(std::string("M") + numbers[i], numbers[i]), f.clock.wall(), &answers[i], &done[i]));
  f.executor.run_ready();
  for (int i = 0; i < 3; ++i) CHECK(numbered_ack(answers[i]) == std::string("AA ") + numbers[i]);
}

TEST_CASE("the state of a link outlives a crash, a resumption and midnight", "[pipeline][sequence]") {
  Fixture f(numbered());
  f.start();
  f.send(with_number("M1", "5"));
  f.crash();
  f.start();
  CHECK(numbered_ack(f.send(with_number("M3", "7"))) == "AE 6");
  f.crash();
  f.start();
  CHECK(numbered_ack(f.send(with_number("M2", "6"))) == "AE 6");
  f.clock.advance(std::chrono::hours(24));
  f.crash();
  f.start();
  std::size_t resumed = 0;
  base::spawn(resume(*f.channel, &resumed));
  f.executor.run_ready();
  CHECK(resumed == 1);
  f.crash();
  f.start();
  CHECK(numbered_ack(f.send(with_number("M2", "6"))) == "AA 6");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 M2 ");
}

TEST_CASE("a refused number that a crash left unprocessed is refused again, not mapped", "[pipeline][sequence]") {
  Fixture f(numbered());
  f.start();
  NewMessage refused = f.stored("M1");
  refused.body = with_number("M1", "9");
  LinkStep step;
  step.link = "c/A|B";
  step.decision.verdict = hl7::SequenceVerdict::unexpected;
  step.decision.reply = "3";
  step.decision.next = {2, false, true};
  refused.step = step;
  f.disk->append(refused, [](auto id) { REQUIRE(id.has_value()); });
  f.executor.run_ready();
  f.crash();
  REQUIRE(f.disk->recovered().unprocessed.size() == 1);
  f.start();
  f.executor.run(seconds(1));
  CHECK(f.receiver.got.empty());
  CHECK(f.channel->counters().rejected == 1);
  CHECK(numbered_ack(f.send(with_number("M2", "3"))) == "AE 3");
}
