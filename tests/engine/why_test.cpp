// `kiln why`: one story per state and cause, from records only.

#include "engine/why.h"

#include <catch2/catch.hpp>

#include "engine/base/json.h"

namespace kiln::engine {
namespace {

struct Story {
  WhyFacts facts;
  channels::ChannelDefinition channel;

  Story() {
    facts.summary.id = 4711;
    facts.summary.received = {1'700'000'000'000'000};
    facts.summary.channel = "adt_in";
    facts.summary.type = "ADT^A01^ADT_A01";
    facts.summary.peer = "10.0.0.5:4000";
    facts.config_hash = facts.running_hash = "abcdef0123456789";
    facts.now = {1'700'000'100'000'000};
    channel.name = "adt_in";
    channel.file = "channels/adt_in.channel";
    facts.channel = &channel;
  }
  DestinationState& at(const std::string& name) {
    facts.summary.destinations.emplace_back();
    facts.summary.destinations.back().destination = name;
    return facts.summary.destinations.back();
  }
  DestinationState& ended(const std::string& name, DeliveryState state, const std::string& code,
                          const std::string& detail = {}) {
    DestinationState& out = at(name);
    out.ending.state = state;
    out.ending.code = code;
    out.ending.detail = detail;
    out.updated = {1'700'000'050'000'000};
    return out;
  }
  Why tell() const { return explain_state(facts); }
  std::string text() const {
    std::string out;
    for (const std::string& sentence : tell().text) out += sentence + " ";
    return out;
  }
};

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  WARN(text);
  return false;
}

bool advises(const Why& why, const std::string& command) {
  for (const WhyAdvice& one : why.can)
    if (one.command == command) return true;
  for (const WhyAdvice& one : why.can) WARN(one.text + " | " + one.command);
  return false;
}

}  // namespace

TEST_CASE("why: sent") {
  Story s;
  s.ended("adt_in/pas", DeliveryState::sent, "AA").attempts = 3;
  CHECK(has(s.text(), "Message 4711 (ADT^A01^ADT_A01) came to channel adt_in from 10.0.0.5:4000."));
  CHECK(has(s.text(), "adt_in/pas has it, answered AA, after 3 tries."));
  CHECK(s.tell().state == "sent");
  CHECK(s.tell().doing == "nothing more is to be done");
  CHECK(s.tell().since.micros == 1'700'000'050'000'000);
  CHECK(s.tell().can.empty());
}

TEST_CASE("why: it waits and is tried again") {
  Story s;
  DestinationState& one = s.at("adt_in/pas");
  one.pending = true;
  one.attempts = 2;
  one.in_doubt = true;
  s.facts.queues = {{"adt_in/pas", false, false, {}, 4711, 3, 90'000, "the connection could not be made"}};
  s.facts.attempts = {
      {"adt_in/pas",
       {{1, false, {1}, 2'000, "connect-failed", "no route", {}}, {2, true, {2}, 2'000, "timeout", {}, {}}}}};
  CHECK(
      has(s.text(),
          "For adt_in/pas it waits, tried 2 times. The last try failed: the connection could not be made."));
  CHECK(has(s.text(), "can get it twice"));
  const Why why = s.tell();
  CHECK(why.next == "the next try is in 1 min");
  CHECK(why.next_try.micros == s.facts.now.micros + 90'000'000);
  CHECK(advises(why, "kiln destination retry-now adt_in/pas"));
  std::size_t attempts = 0;
  for (const WhyStep& step : why.steps) attempts += step.what == "attempt" ? 1 : 0;
  CHECK(attempts == 2);
}

TEST_CASE("why: another is before it, blocked, paused, nobody runs") {
  Story s;
  s.at("adt_in/pas").pending = true;
  s.facts.queues = {{"adt_in/pas", false, false, {}, 4000, 12, 500, "timeout"}};
  CHECK(has(s.text(), "Message 4000 is before it, 12 messages wait there, and the order is kept."));
  CHECK(advises(s.tell(), "kiln why 4000"));
  s.facts.queues[0].blocked = true;
  CHECK(has(s.text(), "adt_in/pas is blocked: timeout."));
  CHECK(advises(s.tell(), "kiln destination resume adt_in/pas"));
  s.facts.queues[0].blocked = false;
  s.facts.queues[0].paused = true;
  CHECK(has(s.text(), "An operator has paused adt_in/pas."));
  s.facts.queues.clear();
  s.facts.running_hash.clear();
  CHECK(s.tell().doing == "nothing: no engine runs");
  s.facts.running_hash = "another";
  CHECK(has(s.tell().doing, "this site has no destination adt_in/pas"));
}

TEST_CASE("why: every cause of a quarantine has words and a way out") {
  for (const char* code :
       {"poison-crash", "limit-exceeded", "no-header", "bad-charset-bytes", "mapping-require",
        "cannot-deliver", "corrupt-record", "sequence", "fragments-missing", "AE", "AR", "E0914"}) {
    INFO(code);
    Story s;
    s.ended("adt_in/pas", DeliveryState::quarantined, code, "PID-7");
    CHECK(has(s.text(), "For adt_in/pas it was set aside: "));
    CHECK(s.text().find(std::string("set aside: ") + code) ==
          std::string::npos);  // in words, not by its code
    CHECK(advises(s.tell(), "kiln replay 4711 --to pas"));
    CHECK(has(s.tell().doing, "never dropped by itself"));
  }
  Story unknown;
  unknown.ended(kNoDestination, DeliveryState::quarantined, "some-new-code");
  CHECK(has(unknown.text(), "some-new-code"));
}

TEST_CASE("why: what an operator decided") {
  Story s;
  DestinationState& one = s.ended("adt_in/pas", DeliveryState::quarantined, "AR");
  one.note.emplace();
  one.note->owner = "ann";
  CHECK(has(s.text(), "ann takes care of it."));
  one.note->resolution = Resolution::released;
  one.note->by = "bob";
  one.note->reason = "receiver mended";
  one.note->released_as = 5000;
  CHECK(has(s.text(), "It was released by bob: receiver mended."));
  CHECK(s.tell().can.empty() == false);
}

TEST_CASE("why: refused, filtered, expired, removed, unprocessed, nowhere") {
  Story refused;
  refused.ended(kNoDestination, DeliveryState::rejected, "accept", "message type not taken here");
  CHECK(has(refused.text(),
            "It was refused, and the sender was told: the channel does not take messages of this type"));
  Story filtered;
  filtered.ended("adt_in/pas", DeliveryState::filtered, {});
  CHECK(has(filtered.text(), "adt_in/pas was not to get it"));
  Story expired;
  expired.ended("adt_in/pas", DeliveryState::expired, {});
  CHECK(advises(expired.tell(), "kiln replay 4711 --to pas"));
  Story removed;
  removed.ended("adt_in/pas", DeliveryState::removed, {}, "duplicate order");
  CHECK(has(removed.text(), "An operator removed it for adt_in/pas (duplicate order)."));
  Story unprocessed;
  unprocessed.facts.summary.unprocessed = true;
  CHECK(has(unprocessed.text(), "It is on disk and has not been mapped yet."));
  Story nowhere;
  CHECK(has(nowhere.text(), "It went nowhere"));
}

TEST_CASE("why: relations and another version of the site") {
  Story s;
  s.ended("adt_in/pas", DeliveryState::quarantined, "AR");
  s.facts.summary.replay_of = 100;
  s.facts.replays = {5000, 5001};
  s.facts.running_hash = "0123456789abcdef";
  s.facts.channel = nullptr;
  CHECK(has(s.text(), "It is a replay of message 100."));
  CHECK(has(s.text(), "It was sent again as message 5000, 5001."));
  CHECK(has(s.text(), "The site has changed since: it now is version 0123456789ab"));
  CHECK(has(s.text(), "The site of today has no channel of that name."));
  CHECK(base::parse_json(print_why_json(4711, s.tell())));
}

}  // namespace kiln::engine
