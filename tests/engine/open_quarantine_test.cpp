// What is set aside is counted wherever it is, and what was made of a message is found.

#include "engine/admin/why_facts.h"
#include "engine/journal/reader.h"
#include "tests/engine/pipeline_fixture.h"

namespace kiln::engine {
namespace {

using namespace kiln::engine::test;

constexpr const char* kByName = R"(module t

channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  to d: file from source { file "out/${MSH-10}.hl7" }
  to e: file from source { file "out/e" }
}
)";

JournalReader open_reader(const Fixture& f) {
  auto reader = JournalReader::open(base::system_env(), f.journal_folder);
  REQUIRE(reader.has_value());
  return std::move(*reader);
}

MessageId append(Fixture& f, NewMessage message) {
  MessageId id = 0;
  f.disk->append(std::move(message), [&id](base::Result<MessageId> given) {
    REQUIRE(given.has_value());
    id = *given;
  });
  f.executor.run(seconds(1));
  REQUIRE(id != 0);
  return id;
}

std::string relations(const std::vector<RelatedMessage>& related) {
  std::string out;
  for (const RelatedMessage& one : related)
    out += std::to_string(one.summary.id) + " " + one.relation + (one.to == 0 ? "" : " " + std::to_string(one.to)) + "; ";
  return out;
}

}  // namespace

TEST_CASE("an output that is set aside while it is planned counts at its destination", "[pipeline]") {
  Fixture f(kByName);
  f.start();
  CHECK(ack_code(f.send(adt("../M1"))) == "AA");  // a name that leads out of the folder
  CHECK(ack_code(f.send(adt("M2"))) == "AA");
  f.executor.run(seconds(5));
  CHECK(f.channel->find_queue("d")->status().quarantined == 1);
  CHECK(f.channel->find_queue("e")->status().quarantined == 0);
  CHECK(f.channel->counters().quarantined == 0);
  CHECK(f.channel->counters().accepted == 2);
  auto reader = open_reader(f);
  const auto open = reader.open_quarantine();
  REQUIRE(open.has_value());
  CHECK(*open == std::map<std::string, std::uint64_t>{{"c/d", 1}});
}

TEST_CASE("a total goes on where the series is, a copy keeps it") {
  base::Counter series;
  series.add(7);  // of the run before
  MeteredCount count;
  count.attach(series);
  ++count;
  const MeteredCount copy = count;
  CHECK(count == 1u);
  CHECK(count.total() == 8);
  CHECK(copy == 1u);
  CHECK(copy.total() == 8);
}

TEST_CASE("replays, edits, parts and what was handed on are found from any of them", "[journal]") {
  Fixture f;
  const MessageId first = append(f, f.stored("M1"));
  append(f, f.stored("OTHER"));
  NewMessage replay = f.stored("M1");
  replay.replay_of = first;
  const MessageId again = append(f, replay);
  NewMessage edit = f.stored("M1");
  edit.edited_from = again;
  const MessageId edited = append(f, edit);
  NewMessage part = f.stored("P");
  part.parent = first;
  const MessageId rows = append(f, part);
  NewMessage handed = f.stored("H");
  handed.parent = edited;
  handed.peer = std::string(channels::kChainPeer) + "c";
  const MessageId next = append(f, handed);
  auto reader = open_reader(f);
  const auto text = [](MessageId id) { return std::to_string(id); };
  for (const MessageId id : {first, again, edited, rows, next}) {
    const auto related = trace_message(reader, id);
    REQUIRE(related.has_value());
    std::string expected;
    const auto add = [&](MessageId one, const std::string& relation, MessageId to) {
      expected += text(one) + " " + (one == id ? "this" : relation) + (to == 0 ? "" : " " + text(to)) + "; ";
    };
    add(first, "original", 0);
    add(again, "replay of", first);
    add(edited, "edited from", again);
    add(rows, "part of", first);
    add(next, "made of", edited);
    CHECK(relations(*related) == expected);
  }
  const auto facts = gather_why(reader, first, f.clock.wall());
  REQUIRE(facts.has_value());
  REQUIRE(facts->replays.size() == 1);
  CHECK(facts->replays[0].id == again);
  REQUIRE(facts->parts.size() == 1);
  CHECK(facts->parts[0].id == rows);
  CHECK(facts->edits.empty());
  const auto cut = reader.made_of({first}, 2);
  REQUIRE(cut.has_value());
  CHECK(cut->size() == 2);
}

}  // namespace kiln::engine
