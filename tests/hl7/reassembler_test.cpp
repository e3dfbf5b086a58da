// Fragments of several messages and senders, in memory until the last one came, and never more than allowed.

#include "hl7/reassembler.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;
using State = Reassembler::State;
using Ids = std::vector<std::uint64_t>;

namespace {

Message parsed(std::string text) {
  auto message = Message::parse(std::move(text));
  REQUIRE(message);
  return std::move(*message);
}

/// A fragment of LAB: `from` and `to` are pointers, empty for the first and the last one.
std::string fragment(const std::string& id, const std::string& from, const std::string& to,
                     const std::string& text) {
  return "MSH|^~\\&|LAB|HAUS|||||ORU^R01|" + id + "|P|2.5" + (from.empty() ? "" : "||" + from) + "\rNTE|1||" +
         text + "\r" + (to.empty() ? "" : "DSC|" + to + "|F\r");
}

Reassembler::Outcome add(Reassembler& all, std::uint64_t id, const std::string& text, std::int64_t now = 0) {
  const Message message = parsed(text);
  return all.add(id, sender_of(message), message, now);
}

}  // namespace

TEST_CASE("reassembler: two messages of one sender and one of another, interleaved") {
  Reassembler all;
  CHECK(add(all, 1, fragment("a", "", "a2", "one")).state == State::waiting);
  CHECK(add(all, 2, fragment("b", "", "b2", "other")).state == State::waiting);
  CHECK(add(all, 3, "MSH|^~\\&|KIS|HAUS|||||ORU^R01|x|P|2.5\rDSC|a2|F\r").state == State::waiting);
  CHECK(add(all, 4, fragment("z", "", "", "whole")).state == State::whole);
  CHECK(add(all, 5, fragment("a.2", "a2", "a3", "two")).state == State::waiting);
  const auto other = add(all, 6, fragment("b.2", "b2", "", "end"));
  CHECK(other.state == State::complete);
  CHECK(other.ids == Ids{2, 6});
  CHECK(other.text == "MSH|^~\\&|LAB|HAUS|||||ORU^R01|b|P|2.5\rNTE|1||other\rNTE|1||end\r");
  const auto done = add(all, 7, fragment("a.3", "a3", "", "three"));
  CHECK(done.state == State::complete);
  CHECK(done.ids == Ids{1, 5, 7});
  CHECK(done.text == "MSH|^~\\&|LAB|HAUS|||||ORU^R01|a|P|2.5\rNTE|1||one\rNTE|1||two\rNTE|1||three\r");
  CHECK(all.waiting() == 1);
  CHECK(sender_of(parsed(fragment("a", "", "", ""))) == "LAB|HAUS");
}

TEST_CASE("reassembler: what does not fit together is refused with all that came") {
  Reassembler all;
  const auto alone = add(all, 1, fragment("a.2", "a2", "", "two"));
  CHECK(alone.state == State::refused);
  CHECK(alone.ids == Ids{1});
  CHECK(alone.error.code == ErrorCode::bad_batch);
  add(all, 2, fragment("a", "", "a2", "one"));
  const auto broken = add(all, 3, "MSH|$~\\&|LAB|HAUS|||||ORU$R01|a.2|P|2.5||a2\rNTE|1||two\r");
  CHECK(broken.state == State::refused);
  CHECK(broken.ids == Ids{2, 3});
  CHECK(all.bytes() == 0);
  // The sender lost its memory and starts again: the new one counts.
  add(all, 4, fragment("a", "", "a2", "one"));
  const auto again = add(all, 5, fragment("a", "", "a2", "ONE"));
  CHECK(again.state == State::waiting);
  REQUIRE(again.replaced);
  CHECK(again.replaced->ids == Ids{4});
  CHECK(add(all, 6, fragment("a.2", "a2", "", "two")).ids == Ids{5, 6});
}

TEST_CASE("reassembler: limits of fragments, bytes, messages and time") {
  const std::string first = fragment("a", "", "a1", "0123456789");
  ReassemblerLimits limits;
  limits.fragments = 3;
  Reassembler few({}, limits);
  add(few, 1, first);
  add(few, 2, fragment("b", "a1", "a2", "x"));
  CHECK(add(few, 3, fragment("c", "a2", "a3", "x")).state == State::waiting);
  const auto many = add(few, 4, fragment("d", "a3", "", "x"));
  CHECK(many.state == State::refused);
  CHECK(many.ids == Ids{1, 2, 3, 4});
  CHECK(many.error.code == ErrorCode::limit_exceeded);

  limits = {};
  limits.message_bytes = 2 * first.size() - 1;
  Reassembler small({}, limits);
  add(small, 1, first);
  CHECK(add(small, 2, fragment("b", "a1", "a2", "0123456789")).error.code == ErrorCode::limit_exceeded);

  limits = {};
  limits.bytes = 2 * first.size();
  Reassembler full({}, limits);
  CHECK(add(full, 1, first).state == State::waiting);
  CHECK(add(full, 2, fragment("b", "", "b1", "0123456789")).state == State::waiting);
  CHECK(full.bytes() == limits.bytes);
  CHECK(add(full, 3, fragment("c", "", "c1", "")).error.code == ErrorCode::limit_exceeded);

  limits = {};
  limits.messages = 1;
  limits.wait_ms = 100;
  Reassembler one({}, limits);
  CHECK_FALSE(one.deadline());
  CHECK(add(one, 1, first, 1'000).state == State::waiting);
  CHECK(add(one, 2, fragment("b", "", "b1", "x"), 1'000).error.code == ErrorCode::limit_exceeded);
  CHECK(add(one, 3, fragment("a.2", "a1", "a2", "x"), 1'050).state == State::waiting);
  CHECK(one.deadline() == 1'150);
  CHECK(one.overdue(1'149).empty());
  const auto late = one.overdue(1'150);
  REQUIRE(late.size() == 1);
  CHECK(late[0].ids == Ids{1, 3});
  CHECK((one.waiting() == 0 && one.bytes() == 0));
}

TEST_CASE("reassembler: a message cut at any size comes back as it was received") {
  const std::string text = "MSH|^~\\&|LAB|HAUS|||||ORU^R01|7|P|2.5\rPID|1||A^B~C\rOBX|1|TX|x||" +
                           std::string(200, 'J') + "\\T\\" + std::string(90, 'k') + "|F\rNTE|1||z\rZZZ\r";
  const Message message = parsed(text);
  for (std::size_t most = 90; most < text.size(); most += 7) {
    const auto fragments = split_message(message, most);
    REQUIRE(fragments);
    Reassembler all;
    Reassembler::Outcome last;
    std::uint64_t id = 0;
    for (const std::string& part : *fragments) last = add(all, ++id, part);
    INFO(most);
    REQUIRE(last.state == State::complete);
    REQUIRE(last.text == text);
    REQUIRE(last.ids.size() == fragments->size());
  }
}

TEST_CASE("reassembler: fragments in a set that cannot be split at bytes keep their bytes") {
  const std::string set = "||||||SHIFT JIS\r";
  const std::string kanji = "\x8E\x52\x93\x63";
  Reassembler all;
  add(all, 1, "MSH|^~\\&|LAB|HAUS|||||ORU^R01|a|P|2.5||" + set.substr(2) + "NTE|1||" + kanji + "\rDSC|p|F\r");
  const auto done =
      add(all, 2, "MSH|^~\\&|LAB|HAUS|||||ORU^R01|b|P|2.5||p" + set.substr(2) + "NTE|2||" + kanji + "\r");
  REQUIRE(done.state == State::complete);
  CHECK(done.text == "MSH|^~\\&|LAB|HAUS|||||ORU^R01|a|P|2.5||" + set.substr(2) + "NTE|1||" + kanji +
                         "\rNTE|2||" + kanji + "\r");
}

TEST_CASE("reassembler: random fragments never keep more than is allowed") {
  kiln::base::SeededRandom random(10);
  ReassemblerLimits limits;
  limits.fragments = 5;
  limits.messages = 4;
  limits.bytes = 1'000;
  limits.message_bytes = 500;
  limits.wait_ms = 50;
  Reassembler all({}, limits);
  std::size_t complete = 0, refused = 0;
  for (std::uint64_t id = 1; id < 5'000; ++id) {
    const auto pointer = [&] {
      return random.below(3) == 0 ? std::string() : "p" + std::to_string(random.below(6));
    };
    const auto outcome =
        add(all, id, fragment("m", pointer(), pointer(), std::string(random.below(150), 'x')),
            static_cast<std::int64_t>(id));
    complete += outcome.state == State::complete;
    refused += outcome.state == State::refused;
    if (outcome.state != State::whole && outcome.state != State::waiting) REQUIRE(outcome.ids.back() == id);
    REQUIRE(all.bytes() <= limits.bytes);
    REQUIRE(all.waiting() <= limits.messages);
    if (id % 40 == 0) all.overdue(static_cast<std::int64_t>(id));
  }
  CHECK(complete > 100);
  CHECK(refused > 100);
  all.overdue(1'000'000);
  CHECK(all.bytes() == 0);
}
