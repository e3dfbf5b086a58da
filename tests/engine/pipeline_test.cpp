// Recovery, repetitions, a full disk.
#include "engine/journal/query.h"
#include "engine/journal/reader.h"
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

TEST_CASE("every message that a crash left unprocessed is delivered, in order, before new ones", "[pipeline]") {
  Fixture f;
  for (const char* id : {"M1", "M2", "M3"}) f.append_unprocessed(id);
  f.crash();
  REQUIRE(f.disk->recovered().unprocessed.size() == 3);
  f.start();
  CHECK(f.channel->queues()[0]->status().pending == 3);
  CHECK(ack_code(f.send(adt("M4"))) == "AA");
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M1 M2 M3 M4 ");
  CHECK(f.channel->queues()[0]->status().pending == 0);
}

TEST_CASE("recovered messages take their place among those that waited already", "[pipeline]") {
  Fixture f;
  f.start();
  f.receiver.up = false;
  f.send(adt("M1"));
  f.append_unprocessed("M2");
  f.send(adt("M3"));
  f.crash();
  REQUIRE(f.disk->recovered().unprocessed.size() == 1);
  f.receiver.up = true;
  f.start();
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M1 M2 M3 ");
}

TEST_CASE("recovery on a full disk goes on when there is space", "[pipeline]") {
  Fixture f;
  for (const char* id : {"M1", "M2"}) f.append_unprocessed(id);
  f.crash();
  f.journal->fail_store[1] = 3;
  f.start();
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M1 M2 ");
}

TEST_CASE("a message is finished by the site version that accepted it", "[pipeline]") {
  Fixture f;
  f.append_unprocessed("M1");
  f.versions[f.site->hash] = f.site;
  std::string text = kChannel;
  text.insert(text.rfind('}'), "  to e: mllp from source { host \"127.0.0.1\"; port 2 }\n");
  f.site = Fixture::load(text);
  f.crash();
  f.start();
  f.send(adt("M2"));
  f.executor.run(seconds(5));
  CHECK(f.receiver.got.starts_with("M1 "));
  CHECK(f.receiver.got.find("e:M1") == std::string::npos);
  CHECK(f.receiver.got.find("e:M2") != std::string::npos);
}

TEST_CASE("a site version comes back out of its text", "[pipeline]") {
  const auto site = Fixture::load(kChannel);
  const std::string text = print_site_version(*site);
  const auto again = load_site_version(text, site->hash, *site, base::system_env());
  REQUIRE(again.has_value());
  CHECK((*again)->channels.size() == 1);
  CHECK((*again)->hash == site->hash);
  CHECK_FALSE(load_site_version(text, "other", *site, base::system_env()).has_value());
  CHECK_FALSE(load_site_version("[", site->hash, *site, base::system_env()).has_value());
}

TEST_CASE("an input known by its place is tried again after a refusal, and only then", "[pipeline]") {
  Fixture f;
  f.start();
  CHECK(f.send(adt("M1", "ORU^R01^ORU_R01"), "a.hl7:1:1").taken == Taken::refused);
  CHECK(f.send(adt("M1"), "a.hl7:1:1").taken == Taken::stored);  // as after the map was mended
  CHECK(f.send(adt("M1"), "a.hl7:1:1").taken == Taken::stored);
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("a full disk answers AE, and the same message is taken when there is space", "[pipeline]") {
  Fixture f;
  f.start();
  f.journal->fail_append = 1;
  const Answer refused = f.send(adt("M1"));
  CHECK(refused.taken == Taken::not_stored);
  CHECK(ack_code(refused) == "AE");
  const Answer taken = f.send(adt("M1"));
  CHECK(taken.taken == Taken::stored);
  CHECK(ack_code(taken) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("a repetition gets the same answer and is delivered once", "[pipeline]") {
  Fixture f;
  f.start();
  const std::string first = f.send(adt("M1")).reply;
  f.clock.advance(seconds(60));
  CHECK(f.send(adt("M1")).reply == first);
  const std::string refused = f.send(adt("M2", "ORU^R01^ORU_R01")).reply;
  CHECK(refused.find("MSA|AR|M2") != std::string::npos);
  f.clock.advance(seconds(60));
  CHECK(f.send(adt("M2", "ORU^R01^ORU_R01")).reply == refused);
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
  CHECK(f.channel->counters().duplicates == 2);
}

TEST_CASE("repetitions of a message in flight share its answer, also a refusal", "[pipeline]") {
  Fixture f;
  f.start();
  f.journal->fail_append = GENERATE(0, 1);
  f.journal->later = &f.executor;
  Answer answers[3];
  bool done[3] = {};
  for (int i = 0; i < 3; ++i) base::spawn(offer(*f.channel, adt("M1"), f.clock.wall(), &answers[i], &done[i]));
  f.executor.run_ready();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(done[i]);
    CHECK(ack_code(answers[i]) == ack_code(answers[0]));
  }
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == (answers[0].taken == Taken::stored ? "M1 " : ""));
}

TEST_CASE("a repetition is answered by the version that took the message, byte for byte") {
  Fixture f;
  f.start();
  const Answer first = f.send(adt("A"));
  CHECK(ack_code(first) == "AA");
  std::string changed = kChannel;
  changed.replace(changed.find("ack original"), 12, "ack enhanced");
  f.versions[f.site->hash] = f.site;
  f.site = Fixture::load(changed);
  f.crash();
  f.start();
  CHECK(ack_code(f.send(adt("B"))) == "CA");
  const Answer again = f.send(adt("A"));
  CHECK(again.reply == first.reply);
  CHECK(f.channel->counters().duplicates == 1);
}

TEST_CASE("the same MSH-10 with another body is processed and flagged, also after a restart") {
  Fixture f;
  f.start();
  std::string other = adt("A");
  other.replace(other.find("T^N"), 3, "U^N");
  std::string third = adt("A");
  third.replace(third.find("T^N"), 3, "V^N");
  f.send(adt("A"));
  f.send(adt("B"));
  CHECK(ack_code(f.send(other)) == "AA");
  CHECK(ack_code(f.send(other)) == "AA");  // its repetition is one of itself
  f.executor.run(seconds(1));
  f.crash();
  f.start();
  CHECK(ack_code(f.send(third)) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.channel->counters().duplicates == 0);
  auto reader = JournalReader::open(base::system_env(), f.journal_folder);
  REQUIRE(reader.has_value());
  const auto ids = [&](const char* text) {
    std::string out;
    const auto listed = reader->search(*parse_query_text(text, {}), {});
    for (const auto& found : *listed)
      out += std::to_string(found.id) + ">" + std::to_string(found.same_id_as) + " ";
    return out;
  };
  CHECK(ids("") == "4>3 3>1 2>0 1>0 ");
  CHECK(ids("same_id_as:1..") == "4>3 3>1 ");
  CHECK(ids("same_id_as:1") == "3>1 ");
  CHECK(ids("-same_id_as:1..") == "2>0 1>0 ");
  CHECK(reader->message(3)->message.same_id_as == 1);
}
