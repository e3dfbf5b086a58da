// Files in parts: rows, records, lines, entries, and what became of each.
#include <catch2/catch.hpp>

#include "channels/connectors/detail/split.h"
#include "engine/base/json.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

std::string parts(detail::Split how, std::string_view bytes) {
  const auto split = detail::split_file(how, bytes);
  if (!split) return std::string("error: ") + split.error().text;
  std::string out;
  for (const auto& item : split->items) out += "[" + item.bytes + (item.name.empty() ? "" : " @" + item.name) + "]";
  for (const auto& note : split->notes) out += " note: " + note;
  return out;
}

struct Folder {
  test::World world;
  std::unique_ptr<Source> source;
  void start(const std::string& connector, const std::string& options) {
    const auto& spec = *find_connector(ConnectorRole::source, connector);
    source = spec.make_source(test::parse(spec, options), world.around());
    REQUIRE(source->start(world.intake));
  }
  ~Folder() {
    if (source) world.run(source->stop());
  }
  void put(const std::string& name, const std::string& text) {
    REQUIRE(base::system_env().write_file_atomic(world.path(name), text));
  }
  bool has(const std::string& name) { return base::system_env().exists(world.path(name)); }
  std::string read(const std::string& name) {
    return base::system_env().read_file(world.path(name), 1 << 20).value_or("<none>");
  }
};

TEST_CASE("each row is a message with the header before it", "[split]") {
  CHECK(parts(detail::Split::rows, "id;name\r\n1;A\r\n2;B") == "[id;name\r\n1;A\r\n][id;name\r\n2;B]");
  CHECK(parts(detail::Split::rows, "\xEF\xBB\xBFid\n1\n\n2\n") == "[id\n1\n][id\n2\n]");
  CHECK(parts(detail::Split::rows, "id,note\n1,\"two\nlines \"\"x\"\"\"\n2,b\n") ==
        "[id,note\n1,\"two\nlines \"\"x\"\"\"\n][id,note\n2,b\n]");
  CHECK(parts(detail::Split::rows, "id\n") == "");
  CHECK(parts(detail::Split::rows, "") == "");
  CHECK(parts(detail::Split::records, "1\r2\r3") == "[1\r][2\r][3]");
  CHECK(parts(detail::Split::rows, "id\n1\n\"2\n3\n") ==
        "error: a quoted field does not end, so its records cannot be told apart");
}

TEST_CASE("a quote opens at the start of a cell only, as the reader of the rows has it", "[split]") {
  CHECK(parts(detail::Split::rows, "id,size\n1,5\" disk\n2,3.5\" disk\n") == "[id,size\n1,5\" disk\n][id,size\n2,3.5\" disk\n]");
  CHECK(parts(detail::Split::rows, "id,note\n1,\"a\"b\"\n2,c\n") == "[id,note\n1,\"a\"b\"\n][id,note\n2,c\n]");
  CHECK(parts(detail::Split::rows, "id;note\n1;\"two\nlines\"\n2;x,\"y\n") == "[id;note\n1;\"two\nlines\"\n][id;note\n2;x,\"y\n]");
  CHECK(parts(detail::Split::rows, "id\tnote\n1\t\"two\nlines\"\n") == "[id\tnote\n1\t\"two\nlines\"\n]");
  const auto bars = detail::split_file(detail::Split::records, "1|\"two\nlines\"\n2|b\n", '|');
  REQUIRE(bars);
  CHECK(bars->items.size() == 2);
  CHECK(parts(detail::Split::records, "1|\"two\nlines\"\n") == "[1|\"two\n][lines\"\n]");  // a comma is what it goes by
}

TEST_CASE("each line, or each entry, is a resource; its numbers stay as they are", "[split]") {
  CHECK(parts(detail::Split::lines, "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\n no json \r\n") ==
        "[{\"resourceType\":\"Patient\",\"id\":\"a\"} @Patient/a][no json]");
  CHECK(parts(detail::Split::entries, R"({"resourceType":"Bundle","entry":[
    {"resource":{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.50}}},
    {"request":{"method":"DELETE","url":"Patient/1"}},
    {"resource":{"resourceType":"Patient","id":"p"}}]})") ==
        "[{\"resourceType\":\"Observation\",\"id\":\"o\",\"valueQuantity\":{\"value\":1.50}} @Observation/o]"
        "[{\"resourceType\":\"Patient\",\"id\":\"p\"} @Patient/p] note: entry 2 of the Bundle has no resource");
  CHECK(parts(detail::Split::entries, "{\"resourceType\":\"Patient\"}") == "error: the file is no Bundle");
  CHECK(parts(detail::Split::entries, "{").starts_with("error"));
}

TEST_CASE("results of files of one name are kept beside each other, and written once", "[split][files]") {
  Folder f;
  f.world.intake.answer = [&](const Inbound&) {
    Answer out;
    out.taken = Taken::stored;
    out.id = f.world.intake.messages.size();
    return out;
  };
  f.start("csv", "{ folder \"in\"; poll 10ms; stable 0s; split rows; results \"results\" }");
  f.put("in/a.csv", "id\n1\n");
  REQUIRE(f.world.until([&] { return f.has("in/archive/a.csv"); }));
  f.put("in/a.csv", "id\n2\n3\n");
  REQUIRE(f.world.until([&] { return f.has("in/archive/a.csv.2"); }));
  CHECK(f.read("in/results/a.csv.results.jsonl") == "{\"item\":1,\"result\":\"stored\",\"message\":1}\n");
  CHECK(f.read("in/results/a.csv.2.results.jsonl") ==
        "{\"item\":1,\"result\":\"stored\",\"message\":2}\n{\"item\":2,\"result\":\"stored\",\"message\":3}\n");
  // As after an end between the results and the move: the same answers are there already.
  f.world.intake.messages.resize(1);
  f.put("in/.taken/a.csv", "id\n2\n3\n");
  REQUIRE(f.world.until([&] { return f.has("in/archive/a.csv.3"); }));
  CHECK_FALSE(f.has("in/results/a.csv.3.results.jsonl"));
}

TEST_CASE("a batch of which messages are missing, and a file refused whole, say so where the operator looks", "[split][files]") {
  Folder f;
  f.start("file", "{ folder \"in\"; poll 10ms; stable 0s; results \"results\"; max_file 4kB }");
  f.put("in/short.hl7", "BHS|^~\\&|A||B||20250101||||B1\rMSH|^~\\&|A1\rBTS|9\r");
  REQUIRE(f.world.until([&] { return f.has("in/failed/short.hl7"); }));
  CHECK(f.world.intake.messages.size() == 1);  // what is there is taken
  CHECK(f.read("in/results/short.hl7.results.jsonl") ==
        "{\"item\":1,\"result\":\"stored\"}\n{\"result\":\"file\",\"reason\":\"BTS-1 does not agree with the number of messages\"}\n");
  CHECK(f.read("in/results/short.hl7.ack").find("MSA|AE|B1|") != std::string::npos);
  CHECK(f.source->status().last_error.find("do not agree") != std::string::npos);
  f.put("in/open.hl7", "BHS|^~\\&|A||B||20250101||||B1\rMSH|^~\\&|A2\r");
  REQUIRE(f.world.until([&] { return f.has("in/archive/open.hl7"); }));  // many senders leave trailers out
  CHECK(f.read("in/results/open.hl7.results.jsonl").find("the last batch has no BTS") != std::string::npos);
  f.put("in/empty.hl7", "nothing here");
  REQUIRE(f.world.until([&] { return f.has("in/failed/empty.hl7"); }));
  CHECK(f.read("in/results/empty.hl7.results.jsonl") == "{\"result\":\"file\",\"reason\":\"no message in the file\"}\n");
  CHECK(f.source->status().last_error == "a file went to `failed`: no message in the file");
  f.put("in/large.hl7", "MSH|" + std::string(5000, 'x'));
  REQUIRE(f.world.until([&] { return f.has("in/failed/large.hl7"); }));
  CHECK(f.read("in/results/large.hl7.results.jsonl").find("\"result\":\"file\"") != std::string::npos);
}

TEST_CASE("a part that is set aside is not told as stored", "[split]") {
  Answer answer;
  answer.taken = Taken::stored;
  answer.set_aside = true;
  answer.id = 4;
  answer.code = "parse";
  CHECK(detail::print_results({answer}) == "{\"item\":1,\"result\":\"quarantined\",\"message\":4,\"code\":\"parse\"}\n");
}

TEST_CASE("a folder that goes away is told, and read again when it is back", "[files]") {
  Folder f;
  f.start("file", "{ folder \"in\"; poll 10ms; stable 0s }");
  f.world.wait(30);
  CHECK((f.source->status().state == ConnectorStatus::State::up));
  const std::string aside = f.world.path("aside");
  REQUIRE(base::system_env().rename(f.world.path("in"), aside, false));
  REQUIRE(f.world.until([&] { return f.source->status().state == ConnectorStatus::State::down; }));
  CHECK(f.source->status().last_error.find("does not exist") != std::string::npos);
  f.world.wait(30);
  CHECK_FALSE(f.has("in"));  // nothing is made in the place where a disk belongs
  REQUIRE(base::system_env().make_folders(f.world.path("in")));
  f.put("in/a.hl7", "MSH|^~\\&|A\r");
  REQUIRE(f.world.until([&] { return f.has("in/archive/a.hl7"); }));
  CHECK((f.source->status().state == ConnectorStatus::State::up));
  CHECK(f.source->status().last_error.empty());
}

TEST_CASE("a folder that cannot be made is named by its option", "[files]") {
  test::World world;
  const auto& spec = *find_connector(ConnectorRole::source, "file");
  const auto source = spec.make_source(test::parse(spec, "{ folder \"in\"; archive \"/proc/nope\" }"), world.around());
  const auto started = source->start(world.intake);
  REQUIRE_FALSE(started);
  CHECK(started.error().text.find("option archive") != std::string::npos);
}

TEST_CASE("a source whose counterpart does not work is down until it does", "[sql][process][mqtt]") {
  test::World world;
  const auto run = [&](const char* name, const std::string& options, const char* said) {
    const auto& spec = *find_connector(ConnectorRole::source, name);
    const auto source = spec.make_source(test::parse(spec, options), world.around());
    REQUIRE(source->start(world.intake));
    INFO(name);
    CHECK(world.until([&] { return source->status().state == ConnectorStatus::State::down; }));
    CHECK(source->status().last_error.find(said) != std::string::npos);
    world.run(source->stop());
  };
  run("sql", "{ file \"no/such.db\"; query \"select id from t where id > :after\"; cursor \"id\"; poll 10ms }", "");
  run("process", "{ program \"/bin/false\"; every 10ms }", "the program ended with 1");
  run("mqtt", "{ host \"127.0.0.1\"; port 1; topic \"t\"; reconnect 10ms }", "");
}

TEST_CASE("a file whose messages are still on their way stays, and asks again with the same keys", "[split][files]") {
  Folder f;
  int late = 2;
  f.world.intake.answer = [&](const Inbound& message) {
    Answer out;
    out.id = 1;
    out.taken = Taken::stored;
    if (message.bytes.ends_with("2\n") && late-- > 0) {
      out.taken = Taken::refused;  // as `late AE` tells a sender that cannot ask again
      out.code = "late";
      out.pending = true;
    }
    return out;
  };
  f.put("in/a.csv", "id\n1\n2\n3\n");
  f.start("csv", "{ folder \"in\"; poll 10ms; stable 0s; split rows; results \"results\" }");
  REQUIRE(f.world.until([&] { return f.has("in/archive/a.csv"); }));
  CHECK_FALSE(f.has("in/failed/a.csv"));
  const auto& messages = f.world.intake.messages;
  REQUIRE(messages.size() == 9);
  CHECK(messages[1].key == messages[7].key);
  CHECK(f.read("in/results/a.csv.results.jsonl").find("late") == std::string::npos);
  CHECK(f.source->status().messages >= 3);
}

TEST_CASE("rows of a file are taken one by one, and a file says what became of each", "[split][files]") {
  Folder f;
  int failures = 1;
  f.world.intake.answer = [&](const Inbound& message) {
    Answer out;
    out.id = f.world.intake.messages.size();
    const bool third = message.bytes.ends_with("3\n");
    out.taken = third ? Taken::refused : message.bytes.ends_with("2\n") && failures-- > 0 ? Taken::not_stored : Taken::stored;
    if (third) {
      out.code = "mapping-require";
      out.reason = "a column is missing";
    }
    return out;
  };
  f.put("in/a.csv", "id\n1\n2\n3\n");
  f.start("csv", "{ folder \"in\"; poll 10ms; stable 0s; split rows; results \"results\" }");
  REQUIRE(f.world.until([&] { return f.has("in/failed/a.csv"); }));
  const auto& got = f.world.intake.messages;
  REQUIRE(got.size() == 6);  // the disk was full for one: all come again, each under its key
  CHECK(got[0].bytes == "id\n1\n");
  CHECK(got[0].key == got[3].key);
  CHECK(got[0].key != got[1].key);
  CHECK(f.read("in/results/a.csv.results.jsonl") ==
        "{\"item\":1,\"result\":\"stored\",\"message\":4}\n"
        "{\"item\":2,\"result\":\"stored\",\"message\":5}\n"
        "{\"item\":3,\"result\":\"refused\",\"message\":6,\"code\":\"mapping-require\",\"reason\":\"a column is missing\"}\n");
}

TEST_CASE("a file that cannot be split is refused whole", "[split][files]") {
  Folder f;
  f.put("in/a.csv", "id\n\"1\n");
  f.start("csv", "{ folder \"in\"; poll 10ms; stable 0s; split rows }");
  REQUIRE(f.world.until([&] { return f.has("in/failed/a.csv"); }));
  CHECK(f.world.intake.messages.empty());
  REQUIRE(f.world.intake.reports.size() == 1);
  CHECK(f.world.intake.reports[0].detail.find("quoted field") != std::string::npos);
}

TEST_CASE("the acknowledgements of a batch file come as one batch", "[split][files]") {
  Folder f;
  f.world.intake.answer = [](const Inbound& message) {
    Answer out;
    out.taken = Taken::stored;
    out.id = 7;
    const std::string id = message.bytes.substr(message.bytes.find("|M") + 1, 2);
    out.reply = "MSH|^~\\&|K|L|A|B|20260101||ACK|K7|P|2.5.1\rMSA|AA|" + id + "\r";
    return out;
  };
  f.put("in/b.hl7", "FHS|^~\\&|A|B\rBHS|^~\\&|A|B\rMSH|^~\\&|A|B|K|L|20260101||ADT^A01|M1|P|2.5.1\r"
                    "MSH|^~\\&|A|B|K|L|20260101||ADT^A01|M2|P|2.5.1\rBTS|2\rFTS|1\r");
  f.start("file", "{ folder \"in\"; poll 10ms; stable 0s; results \"results\" }");
  REQUIRE(f.world.until([&] { return f.has("in/archive/b.hl7"); }));
  const std::string acks = f.read("in/results/b.hl7.ack");
  CHECK(acks.starts_with("FHS|"));
  CHECK(acks.find("MSA|AA|M1\r") < acks.find("MSA|AA|M2\r"));
  CHECK(acks.find("BTS|2") != std::string::npos);
  CHECK(f.read("in/results/b.hl7.results.jsonl").starts_with("{\"item\":1,\"result\":\"stored\",\"message\":7}\n"));
}

}  // namespace
}  // namespace kiln::channels
