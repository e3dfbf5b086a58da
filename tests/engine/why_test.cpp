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
  CHECK(advises(s.tell(), "kiln destination skip adt_in/pas"));
  s.facts.queues[0].head = 4711;
  s.facts.attempts = {{"adt_in/pas", {{1, false, {1}, 2'000, "AR", "error code 207", "MSA|AR"}}}};
  CHECK(has(s.text(), "adt_in/pas is blocked: the receiver refused it (AR) (error code 207)."));
  CHECK(advises(s.tell(), "kiln show 4711 --response --dest pas"));
  s.facts.queues[0].blocked = false;
  s.facts.queues[0].paused = true;
  CHECK(has(s.text(), "An operator has paused adt_in/pas."));
  s.facts.queues[0].held = "paused with its channel by ann since 2026-11-23T09:14:23Z: update";
  s.facts.queues[0].resume = "kiln channel resume adt_in";
  CHECK(has(s.text(), "adt_in/pas is paused with its channel by ann since 2026-11-23T09:14:23Z: update."));
  CHECK(advises(s.tell(), "kiln channel resume adt_in"));
  s.facts.queues.clear();
  s.facts.running_hash.clear();
  CHECK(s.tell().doing == "nothing: no engine runs");
  s.facts.running_hash = "another";
  CHECK(has(s.tell().doing, "this site has no destination adt_in/pas"));
  CHECK(advises(s.tell(), "kiln rollback abcdef012345"));
  CHECK(advises(s.tell(), "kiln destination skip adt_in/pas"));
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
    CHECK(advises(s.tell(), "kiln quarantine release 4711"));
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
  // What was decided asks for nothing more, and the message is not quarantined any more.
  CHECK(s.tell().can.empty());
  CHECK(s.tell().state == "released");
  // Its release was set aside as well: that is where to look.
  s.facts.replays = {{5000, "quarantined", true}};
  CHECK(has(s.text(), "It was sent again as message 5000 (quarantined)."));
  CHECK(advises(s.tell(), "kiln why 5000"));
  CHECK(s.tell().doing != "nothing more is to be done");
}

TEST_CASE("why: what an operator removed, by whom and why") {
  Story s;
  DestinationState& one = s.ended("adt_in/pas", DeliveryState::removed, "AR", "error code 207");
  one.note.emplace();
  one.note->resolution = Resolution::dropped;
  one.note->by = "ann";
  one.note->reason = "a test message of the vendor";
  one.note->changed = {1'700'000'090'000'000};
  CHECK(has(s.text(), "It was set aside for adt_in/pas: the receiver refused it (AR) (error code 207)."));
  CHECK(has(s.text(), "ann removed it for adt_in/pas: a test message of the vendor."));
  CHECK(s.tell().since.micros == 1'700'000'090'000'000);
  CHECK(s.tell().can.empty());
}

TEST_CASE("why: a quarantined message that was sent again is only taken out") {
  Story s;
  s.ended("adt_in/pas", DeliveryState::quarantined, "timeout");
  s.facts.replays = {{5000, "quarantined", true}, {5001, "sent", false}};
  const Why why = s.tell();
  CHECK(advises(why, "kiln quarantine resolve 4711 --reason \"sent as message 5001\""));
  for (const WhyAdvice& advice : why.can) CHECK(advice.command.find("release") == std::string::npos);
}

TEST_CASE("why: a quarantined message that may have arrived is not simply sent again") {
  Story s;
  s.ended("adt_in/pas", DeliveryState::quarantined, "timeout").in_doubt = true;
  CHECK(has(s.text(), "It may have arrived all the same"));
  CHECK(advises(s.tell(), "kiln quarantine resolve 4711 --reason \"it had arrived\""));
  CHECK(has(s.tell().can.front().text, "ask the receiver whether it has it"));
}

TEST_CASE("why: each open ending has its own way out") {
  Story s;
  s.ended("adt_in/pas", DeliveryState::quarantined, "AR").ending.reply = "MSH|";
  s.ended("adt_in/log", DeliveryState::quarantined, "AE");
  CHECK(advises(s.tell(), "kiln quarantine release 4711 --dest pas"));
  CHECK(advises(s.tell(), "kiln quarantine release 4711 --dest log"));
  CHECK(advises(s.tell(), "kiln show 4711 --response --dest pas"));
  Story replay;  // where it was to go is not known: the original has to be sent
  replay.facts.summary.replay_of = 100;
  replay.ended(kNoDestination, DeliveryState::quarantined, "E0914");
  CHECK(advises(replay.tell(), "kiln replay 100 --to DESTINATION"));
}

TEST_CASE("why: parts that were set aside are named at the whole") {
  Story s;
  s.ended("lab/repo", DeliveryState::sent, "200");
  s.facts.parts = {{4712, "quarantined", true}, {4713, "released", false}};
  CHECK(has(s.text(), "2 parts of it are messages of their own: 4712 (quarantined), 4713 (released)."));
  CHECK(advises(s.tell(), "kiln why 4712"));
  CHECK(has(s.tell().doing, "until somebody decides"));
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
  s.facts.replays = {{5000, "sent", false}, {5001, "pending", false}};
  s.facts.edits = {{5002, "sent", false}};
  s.facts.running_hash = "0123456789abcdef";
  s.facts.channel = nullptr;
  CHECK(has(s.text(), "It is a replay of message 100."));
  CHECK(has(s.text(), "It was sent again as message 5000 (sent), 5001 (pending)."));
  CHECK(has(s.text(), "It was corrected and sent as message 5002 (sent)."));
  CHECK(has(s.text(), "The site has changed since: it now is version 0123456789ab"));
  CHECK(has(s.text(), "The site of today has no channel of that name."));
  CHECK(base::parse_json(print_why_json(4711, s.tell())));
  s.facts.running_hash.clear();  // without an engine nobody knows the site of today
  CHECK(s.text().find("The site of today") == std::string::npos);
}

}  // namespace kiln::engine
