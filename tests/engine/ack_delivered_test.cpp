// Answers that wait for deliveries, and answers that a map makes.
#include "engine/base/json.h"
#include "engine/base/sql/sqlite.h"
#include "engine/observe/traces.h"
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

std::string channel_text(const std::string& ack, const std::string& more = {}, const std::string& source = "port 0",
                         const std::string& policy = "retry forever backoff 20ms..20ms") {
  return R"(module t

map made(msg: hl7 ADT_A01 2.5.1) -> hl7 ACK 2.5.1 {
  MSA-1 = "AA"
  MSA-3 = "for ${PID-5[1].1.1}"
}
map told(msg: hl7 ACK 2.5.1) -> hl7 ACK 2.5.1 {
  MSH-3.1 = "MPI"
  MSA-1 = MSA-1
  MSA-3 = MSA-3
}
channel c {
  source mllp { )" +
         source + " }\n  accept hl7 ADT_A01 2.5.1\n  ack " + ack + "\n  " + more +
         "\n  to d: mllp from source { host \"127.0.0.1\"; port 1; " + policy + " }\n}\n";
}

/// A sender and what it was told.
struct Sender {
  Answer answer;
  bool done = false;
  std::vector<std::string> early;

  void send(Fixture& f, const std::string& bytes, std::string traceparent = {}) {
    done = false;
    base::spawn(offer(*f.channel, bytes, f.clock.wall(), &answer, &done, {},
                      [this](std::string reply) { early.push_back(std::move(reply)); }, std::move(traceparent)));
    f.executor.run_ready();
  }
  std::string code() const { return ack_code(answer); }
};

SendOutcome answered(const char* code, const std::string& reply = {}) {
  if (code[1] == 'A') return SendOutcome::sent(code, reply);
  SendOutcome out;
  out.kind = SendOutcome::Kind::negative;
  out.error = base::ErrorCode::peer_negative;
  out.code = code;
  out.reply = reply;
  return out;
}

base::Task<bool> keep(std::string* into, std::string body) {
  *into = std::move(body);
  co_return true;
}

}  // namespace

TEST_CASE("the sender is answered when the destination has it, not before", "[pipeline][ack]") {
  Fixture f(channel_text("original on delivered { timeout 5s }"));
  f.start();
  Sender sender;
  bool before = true;
  f.receiver.before_send = [&](const std::string&) { before = sender.done; };
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK_FALSE(before);
  CHECK(sender.done);
  CHECK(sender.code() == "AA");
  CHECK(f.receiver.got == "M1 ");
  CHECK(f.budget.used() == 0);
}

TEST_CASE("what is late is answered as the channel says, delivered all the same, and told when it is asked again", "[ack]") {
  const auto [late, code] = GENERATE(table<std::string, std::string>({{"AE", "AE"}, {"AR", "AR"}, {"AA", "AA"}, {"close", ""}}));
  Fixture f(channel_text("original on delivered { timeout 5s; late " + late + " }"));
  f.start();
  f.receiver.up = false;
  Sender sender;
  sender.send(f, adt("M1"));
  f.executor.run(seconds(4));
  CHECK_FALSE(sender.done);
  CHECK(f.budget.used() == 0);  // what waits holds no memory
  f.executor.run(seconds(2));
  CHECK(sender.done);
  CHECK(sender.code() == code);
  CHECK(sender.answer.close == (late == "close"));
  CHECK(sender.answer.pending == (late != "AA"));  // a source that can ask again does
  f.receiver.up = true;
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK(sender.code() == "AA");
  CHECK_FALSE(sender.answer.pending);
  CHECK(f.receiver.got == "M1 ");  // once
}

TEST_CASE("a repetition that comes while the first waits is told the same", "[ack]") {
  Fixture f(channel_text("original on delivered { timeout 5s }"));
  f.start();
  f.receiver.up = false;
  Sender first, second;
  first.send(f, adt("M1"));
  second.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK(f.budget.used() == 0);  // nor does what waits for the same end
  f.receiver.up = true;
  f.executor.run(seconds(1));
  CHECK((first.done && second.done));
  CHECK(first.answer.reply == second.answer.reply);
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("who sends again after a crash is told what has become of it", "[ack]") {
  Fixture f(channel_text("original on delivered { timeout 5s }"));
  f.start();
  f.receiver.up = false;
  {
    Sender sender;
    sender.send(f, adt("M1"));
    f.executor.run(seconds(6));
    CHECK(sender.code() == "AE");
  }
  f.crash();
  f.start();
  Sender sender;
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK_FALSE(sender.done);
  f.receiver.up = true;
  f.executor.run(seconds(1));
  CHECK(sender.code() == "AA");
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("what the destination refuses is refused, with its code", "[ack]") {
  const auto [code, told] = GENERATE(table<std::string, std::string>({{"AE", "AE"}, {"AR", "AR"}, {"CR", "AR"}}));
  Fixture f(channel_text("original on delivered", {}, "port 0", "nak AE quarantine; nak AR quarantine"));
  f.start();
  f.receiver.answer = [given = code](const channels::Outgoing&) { return answered(given.c_str()); };
  Sender sender;
  for (int i = 0; i < 2; ++i) {  // the second time as a repetition
    sender.send(f, adt("M1"));
    f.executor.run(seconds(1));
    CHECK(sender.code() == told);
    CHECK(sender.answer.reply.find("not delivered to d: " + code) != std::string::npos);
  }
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("only the destinations that are named are waited for", "[ack]") {
  Fixture f(channel_text("original on delivered { of d }",
                         "to other: mllp from source { host \"127.0.0.1\"; port 1; retry forever backoff 20ms..20ms }"));
  f.start();
  f.channel->pause_destination("other", true);
  Sender sender;
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK(sender.code() == "AA");
}

TEST_CASE("a stop does not wait for deliveries: the sender asks again and is told", "[ack]") {
  Fixture f(channel_text("original on delivered { timeout 10m }"));
  f.start();
  f.receiver.up = false;
  Sender sender;
  sender.send(f, adt("M1"));
  auto stopping = f.channel->stop_source();
  base::spawn(std::move(stopping));
  f.executor.run_ready();
  CHECK(sender.done);
  CHECK(sender.answer.reply.empty());
  CHECK(sender.answer.close);
  CHECK(sender.answer.taken == channels::Taken::not_stored);
}

TEST_CASE("who came in before a source stopped is not waited for by the source that begins after it", "[ack]") {
  Fixture f(channel_text("original on delivered { timeout 10m }"));
  f.start();
  REQUIRE(f.channel->start_source());
  f.receiver.up = false;
  f.journal->hold_appends = true;
  Sender sender;
  sender.send(f, adt("M1"));
  auto stopping = f.channel->stop_source();  // nobody has begun to wait
  base::spawn(std::move(stopping));
  REQUIRE(f.channel->start_source());
  f.journal->release_appends();
  f.executor.run(seconds(1));
  REQUIRE(sender.done);
  CHECK(sender.answer.close);
  CHECK(sender.answer.pending);
  CHECK(sender.answer.taken == channels::Taken::not_stored);
  f.journal->hold_appends = false;
  f.receiver.up = true;
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK(sender.code() == "AA");
  CHECK(f.receiver.got == "M1 ");
  auto ending = f.channel->stop_source();
  base::spawn(std::move(ending));
  f.executor.run(seconds(1));
}

TEST_CASE("attempts that come before the answer are of the trace of the message", "[ack][traces]") {
  Fixture f(channel_text("original on delivered { timeout 5s }"));
  Traces::Parts parts;
  parts.settings.url = "http://127.0.0.1:1/v1/traces";
  parts.seed = "seed";
  parts.home = &f.executor;
  parts.clock = &f.clock;
  std::string sent;
  parts.send = [&sent](std::string body) { return keep(&sent, std::move(body)); };
  Traces traces(std::move(parts));
  use_traces(&traces);
  f.start();
  std::string attempt;
  f.receiver.answer = [&](const channels::Outgoing& message) {
    attempt = message.traceparent;
    return answered("AA");
  };
  Sender sender;
  sender.send(f, adt("M1"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  f.executor.run(seconds(3));
  use_traces(nullptr);
  CHECK(sender.code() == "AA");
  CHECK(attempt.substr(0, 35) == "00-4bf92f3577b34da6a3ce929d0e0e4736");
  const auto parsed = base::parse_json(sent);
  REQUIRE(parsed);
  std::map<std::string, base::JsonView> spans;
  for (const base::JsonView span : parsed->root()["resourceSpans"].at(0)["scopeSpans"].at(0)["spans"])
    spans.emplace(std::string(span["name"].text()), span);
  REQUIRE((spans.count("send") == 1 && spans.count("receive") == 1));
  CHECK(spans.at("send")["parentSpanId"].text() == spans.at("receive")["spanId"].text());
  CHECK(spans.at("receive")["parentSpanId"].text() == "00f067aa0ba902b7");
  CHECK(spans.at("send")["startTimeUnixNano"].text() >= spans.at("receive")["startTimeUnixNano"].text());
}

TEST_CASE("who repeats a message whose record is damaged is answered, and told", "[ack][dedupe]") {
  const std::string moment = GENERATE("mapped", "delivered");
  Fixture f(channel_text("original on " + moment));
  f.start();
  Sender sender;
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  REQUIRE(sender.code() == "AA");
  const MessageId id = sender.answer.id;
  f.stop();
  f.channel.reset();
  f.journal.reset();
  f.disk.reset();
  {
    base::DatabaseOptions options;
    options.path = f.journal_folder + "/000001-20261118.db";
    auto database = base::Database::open(options);
    REQUIRE(database);
    REQUIRE(database->exec("UPDATE msg SET body = zeroblob(length(body))").has_value());
  }
  f.open();
  f.start();
  sender.send(f, adt("M1"));
  f.executor.run(seconds(1));
  REQUIRE(sender.done);
  CHECK(sender.code() == "AA");
  CHECK(sender.answer.id == id);
  CHECK(sender.answer.reply.find("MSA|AA|M1") != std::string::npos);
  CHECK(f.receiver.got == "M1 ");  // not a second time
  if (moment == "mapped") {
    CHECK(sender.answer.code == "corrupt-record");
    CHECK(sender.answer.reply.find("repeats message " + std::to_string(id)) != std::string::npos);
  }
}

TEST_CASE("a message that cannot be compared with what is stored is not taken", "[ack][dedupe]") {
  Fixture f(channel_text("original on mapped"));
  f.start();
  f.send(adt("M1"));
  f.journal->error = base::ErrorCode::io_failed;
  f.journal->fail_find = 1;
  const Answer answer = f.send(adt("M1"));
  CHECK(answer.taken == channels::Taken::not_stored);
  CHECK(ack_code(answer) == "AE");
  CHECK(f.budget.used() == 0);
  CHECK(ack_code(f.send(adt("M1"))) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("a map of the message makes the answer, the same for a repetition", "[ack]") {
  const std::string moment = GENERATE("mapped", "delivered");
  Fixture f(channel_text("original on " + moment + " { reply answer }", "map answer = made"));
  f.start();
  Sender first, second;
  first.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK(first.answer.reply.find("MSA|AA|M1|for T") != std::string::npos);
  CHECK(first.answer.reply.find("MSH|^~\\&|C|D|A|B|") != std::string::npos);
  second.send(f, adt("M1"));
  f.executor.run(seconds(1));
  CHECK(first.answer.reply == second.answer.reply);
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("what the destination answers is mapped back to the sender, also when it refuses", "[ack]") {
  const std::string code = GENERATE("AA", "AE");
  Fixture f(channel_text("original on delivered { reply answer }", "map answer = told of d", "port 0", "nak AE quarantine"));
  f.start();
  const std::string reply = "MSH|^~\\&|X|Y|K||20260101||ACK|77|P|2.5.1\rMSA|" + code + "|OTHER|patient 4711\r";
  f.receiver.answer = [&](const channels::Outgoing&) { return answered(code.c_str(), reply); };
  Sender sender;
  for (int i = 0; i < 2; ++i) {
    sender.send(f, adt("M1"));
    f.executor.run(seconds(1));
    CHECK(sender.answer.reply.find("MSA|" + code + "|M1|patient 4711") != std::string::npos);
    CHECK(sender.answer.reply.find("MSH|^~\\&|MPI|D|A|B|") != std::string::npos);
  }

  SECTION("what cannot be mapped is an error of the application") {
    f.receiver.answer = [](const channels::Outgoing&) { return answered("AA", "no message"); };
    sender.send(f, adt("M2"));
    f.executor.run(seconds(1));
    CHECK(sender.code() == "AE");
    CHECK(sender.answer.reply.find("cannot be mapped") != std::string::npos);
  }
}

TEST_CASE("in enhanced mode it is accepted when it is stored, and the application answers when it is delivered", "[ack]") {
  Fixture f(channel_text("auto on delivered { timeout 5s }", {}, "port 0; application_ack same_connection"));
  f.start();
  f.receiver.up = false;
  std::string text = adt("M1");
  text.replace(text.find("|P|2.5.1"), 8, "|P|2.5.1|||AL|AL");
  Sender sender;
  sender.send(f, text);
  f.executor.run(seconds(1));
  REQUIRE(sender.early.size() == 1);
  CHECK(sender.early[0].find("MSA|CA|M1") != std::string::npos);
  CHECK_FALSE(sender.done);
  f.receiver.up = true;
  f.executor.run(seconds(1));
  CHECK(sender.code() == "AA");
  CHECK(sender.answer.reply.find("MSA|CA") == std::string::npos);

  SECTION("a repetition gets both again") {
    sender.send(f, text);
    f.executor.run(seconds(1));
    CHECK(sender.early.size() == 2);
    CHECK(sender.early[0] == sender.early[1]);
    CHECK(sender.code() == "AA");
  }
  SECTION("who asks for no application acknowledgement does not wait") {
    f.receiver.up = false;
    std::string once = adt("M2");
    once.replace(once.find("|P|2.5.1"), 8, "|P|2.5.1|||AL|NE");
    sender.send(f, once);
    CHECK(sender.done);
    CHECK(sender.code() == "CA");
    f.executor.run(seconds(6));
  }
  SECTION("what is late is an error of the application") {
    f.receiver.up = false;
    std::string late = text;
    late.replace(late.find("|M1|"), 4, "|M3|");
    sender.send(f, late);
    f.executor.run(seconds(6));
    CHECK(sender.early.back().find("MSA|CA|M3") != std::string::npos);
    CHECK(sender.code() == "AE");
  }
}
