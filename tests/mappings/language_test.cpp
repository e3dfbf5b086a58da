// The language server without its stream: requests on small texts with the cursor at `|`, and a whole session
// as a golden.

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/text.h"
#include "mappings/function.h"
#include "mappings/language/language_server.h"
#include "mappings/language/message_frames.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings {
namespace {

/// A folder that does not exist: every file of the site is an open document.
const std::string kSite = "file:///kiln-test-site/";

class Editor {
 public:
  Editor() {
    around_.connectors.push_back({"mllp",
                                  "HL7 over MLLP",
                                  true,
                                  {{"port", "integer", "the port that is listened on", "", true, {}, {}},
                                   {"tls",
                                    "block",
                                    "encryption",
                                    "",
                                    false,
                                    {},
                                    {{"cert", "secret", "the certificate", "", false, {}, {}}}}}});
    around_.server.push_back({"data", "path", "where messages are kept", "data", false, {}, {}});
    request("initialize", "{\"capabilities\":{}}");
  }

  /// The text without its cursor is opened; the cursor is kept.
  void open(const std::string& name, std::string text) {
    const std::size_t at = text.find('|');
    if (at != std::string::npos) {
      text.erase(at, 1);
      uri_ = kSite + name;
      const TextPosition position = LineIndex(text).position(text, at);
      base::JsonWriter json;
      write_position(json, position);
      position_ = json.take();
    }
    base::JsonWriter json;
    json.begin_object()
        .key("textDocument")
        .begin_object()
        .member("uri", kSite + name)
        .member("languageId", "hmap");
    json.key("version").integer(1).member("text", text).end_object().end_object();
    notify("textDocument/didOpen", json.str());
  }
  void notify(const std::string& method, const std::string& params) {
    send("{\"jsonrpc\":\"2.0\",\"method\":\"" + method + "\",\"params\":" + params + "}");
  }
  std::string request(const std::string& method, const std::string& params) {
    const auto answers =
        send("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" + method + "\",\"params\":" + params + "}");
    REQUIRE(answers.size() == 1);
    return answers[0];
  }
  std::string at_cursor(const std::string& method) {
    return request("textDocument/" + method, "{\"textDocument\":{\"uri\":\"" + uri_ +
                                                 "\"},\"position\":" + position_ + ",\"context\":{}}");
  }
  std::vector<std::string> send(const std::string& message) {
    std::vector<std::string> out;
    server_.handle(message, out);
    return out;
  }
  std::vector<std::string> settle() {
    std::vector<std::string> out;
    server_.settle(out);
    return out;
  }
  LanguageServer& server() { return server_; }

 private:
  LanguageSurroundings around_;
  LanguageServer server_{base::system_env(), around_, "test"};
  std::string uri_, position_;
};

std::vector<std::string> labels(const std::string& answer) {
  const auto document = base::parse_json(answer);
  REQUIRE(document);
  std::vector<std::string> out;
  for (const base::JsonView item : document->root()["result"]["items"])
    out.emplace_back(item["label"].text());
  return out;
}

std::vector<std::string> complete(const std::string& text, const std::string& name = "maps/a.hmap") {
  Editor editor;
  editor.open(name, text);
  return labels(editor.at_cursor("completion"));
}

bool has(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

std::string hover(const std::string& text, const std::string& name = "maps/a.hmap") {
  Editor editor;
  editor.open(name, text);
  const auto document = base::parse_json(editor.at_cursor("hover"));
  REQUIRE(document);
  return std::string(document->root()["result"]["contents"]["value"].text());
}

const std::string kMap = "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle {\n  create patient: Patient {\n";

}  // namespace

TEST_CASE("lsp: completion of segments, fields and components") {
  CHECK(has(complete(kMap + "    gender = PID-|"), "PID-8"));
  CHECK(has(complete(kMap + "    name += PID-5.|"), "PID-5.1"));
  CHECK(has(complete(kMap + "    name += PID-5.1.|"), "PID-5.1.1"));
  CHECK(has(complete(kMap + "    gender = NK|"), "NK1"));
  CHECK_FALSE(has(complete(kMap + "    gender = OB|"), "OBR"));  // not in ADT_A01
  CHECK(has(complete("map m(msg: hl7 ORU_R01 2.5.1) -> fhir Bundle { let a = OBSERV|"), "OBSERVATION"));
  CHECK(has(complete("datatype XPN -> HumanName {\n  family = .|"), "1"));
  CHECK(has(complete("map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 {\n  add NK1 { NK1-|"), "NK1-3"));
  CHECK(has(complete("map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 {\n  PI|"), "PID"));
}

TEST_CASE("lsp: completion of FHIR elements of the current target, in broken texts too") {
  CHECK(has(complete(kMap + "    birth|"), "birthDate"));
  CHECK(has(complete(kMap + "    gender = PID-8 via\n    name += { fam|"), "family"));
  CHECK(has(complete(kMap + "    contact += { name = { g|"), "given"));
  CHECK(has(complete(kMap + "    contact += { relationship += { coding += [{ sys|"), "system"));
  CHECK(has(complete(kMap + "    maritalStatus.|"), "coding"));
  CHECK(has(complete(kMap + "  }\n  create v: Encounter {\n    hosp|"), "hospitalization"));
  CHECK(has(complete(kMap + "  }\n  patient.mar|"), "maritalStatus"));
  CHECK(has(complete(kMap + "    when PID-8 is valued {\n      gen|"), "gender"));
  CHECK(has(complete("fragment f(PID: hl7 PID) -> Patient {\n  ge|"), "gender"));
  CHECK(has(complete(kMap + "    link += match PID-3 { \"a\" => { oth|"), "other"));
  const auto inner = complete(kMap + "    name += { |");
  CHECK(has(inner, "family"));
  CHECK_FALSE(has(inner, "birthDate"));
}

TEST_CASE("lsp: completion of FHIR sources, names and codes") {
  CHECK(has(complete("map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 { PID-5 += p.na|"), "name"));
  CHECK(has(complete("map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 { PID-5 += p.name[1].fa|"), "family"));
  CHECK(has(complete("map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 { PID-5 += p.name[where .u|"), "use"));
  CHECK(has(
      complete(
          "map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 { for each c in p.contact { add NK1 { NK1-2 += c.n|"),
      "name"));
  CHECK(has(complete(kMap + "    gender = PID-8 via |"), "AdministrativeSex"));
  CHECK(has(complete("table Mine { \"a\" => \"b\" _ => omit }\n" + kMap + "    gender = PID-8 via Mi|"),
            "Mine"));
  CHECK(has(complete(kMap + "    gender = \"|"), "female"));
  CHECK(has(complete(kMap + "    gender = |"), "\"female\""));
  CHECK(has(complete(kMap + "    birthDate = parse|"), "parseDecimal"));
  CHECK(has(complete(kMap + "  }\n  create e: Encounter { subject = ref |"), "patient"));
  CHECK(has(complete("use std.v2fhir.segments\n" + kMap + "    include |"), "PID_Patient"));
  CHECK(has(complete("map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle { create e: Enc|"), "Encounter"));
  CHECK(has(complete("map m(msg: hl7 AD|"), "ADT_A01"));
  CHECK(has(complete("ma|"), "map"));
  CHECK(has(complete("use std.v2|"), "v2fhir"));
  CHECK(has(complete(kMap + "    on |"), "unmapped"));
  CHECK(complete(kMap + "    // gen|").empty());
}

TEST_CASE("lsp: completion of channels comes from the option tables") {
  CHECK(has(complete("channel a {\n  source mllp {\n    po|", "channels/a.channel"), "port"));
  CHECK(has(complete("channel a {\n  source mllp {\n    tls {\n      c|", "channels/a.channel"), "cert"));
  CHECK(has(complete("channel a {\n  source m|", "channels/a.channel"), "mllp"));
  CHECK(has(complete("channel a {\n  ac|", "channels/a.channel"), "accept"));
  CHECK(has(complete("server {\n  |", "kiln.conf"), "data"));
  CHECK(hover("channel a {\n  source mllp {\n    po|rt 2575\n  }\n}\n", "channels/a.channel")
            .find("the port that is listened on") != std::string::npos);
}

TEST_CASE("lsp: hover says what the dictionary and the definitions say") {
  const std::string field = hover(kMap + "    gender = PID|-8 via AdministrativeSex\n  }\n}\n");
  CHECK(field.find("**PID-8** Administrative Sex") != std::string::npos);
  CHECK(field.find("Table 0001") != std::string::npos);
  CHECK(field.find("2.3") != std::string::npos);
  CHECK(hover(kMap + "    name += { family = PID-5.1|.1 }\n").find("Surname") != std::string::npos);
  const std::string element = hover(kMap + "    gen|der = PID-8\n  }\n}\n");
  CHECK(element.find("**Patient.gender**") != std::string::npos);
  CHECK(element.find("0..1 code, required binding to http://hl7.org/fhir/ValueSet/administrative-gender") !=
        std::string::npos);
  CHECK(hover(kMap + "    name += { fam|ily = PID-5.1 }\n  }\n}\n").find("**HumanName.family**") !=
        std::string::npos);
  CHECK(hover("map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 { PID-5 += p.name[1].giv|en }")
            .find("**HumanName.given**") != std::string::npos);
  CHECK(hover(kMap + "    birthDate = upp|er(PID-7)\n").find("upper(text: string) -> string") !=
        std::string::npos);
  CHECK(hover("// What we are called.\nconst own = \"M\"\n" + kMap + "    language = ow|n\n  }\n}\n")
            .find("What we are called.") != std::string::npos);
  CHECK(hover(kMap + "    gender = PID-8 via Admin|istrativeSex\n  }\n}\n").find("table AdministrativeSex") !=
        std::string::npos);
  CHECK(hover(kMap + "  }\n  create e: Encounter { subject = ref pat|ient }\n}\n")
            .find("Patient, created here") != std::string::npos);
  CHECK(hover("map m(msg: hl7 ADT_|A01 2.5.1) -> fhir Bundle { }").find("message structure") !=
        std::string::npos);
  CHECK(hover("datatype XPN -> HumanName { family = .1|.1 }\n").find("XPN.1") ==
        std::string::npos);  // .1.1 is FN.1
  CHECK(hover(kMap + "    // gen|der\n").empty());
}

TEST_CASE("lsp: definition, references and symbols") {
  Editor editor;
  editor.open("maps/lib.hmap", "module acme\ntable Mine { \"a\" => \"b\"  _ => omit }\n");
  editor.open("maps/a.hmap", "module acme\n" + kMap + "    gender = PID-8 via Mi|ne\n  }\n}\n");
  CHECK(editor.at_cursor("definition")
            .find("maps/lib.hmap\",\"range\":{\"start\":{\"line\":1,\"character\":6}") != std::string::npos);
  const std::string references = editor.at_cursor("references");
  CHECK(references.find("maps/lib.hmap") != std::string::npos);
  CHECK(references.find("maps/a.hmap") != std::string::npos);
  const std::string symbols = editor.at_cursor("documentSymbol");
  CHECK(symbols.find("\"name\":\"m\",\"detail\":\"map\"") != std::string::npos);
  CHECK(symbols.find("\"name\":\"patient\",\"detail\":\"Patient\"") != std::string::npos);

  editor.open("maps/b.hmap", "use std.v2fhir.segments\n" + kMap + "    include PID|_Patient\n  }\n}\n");
  CHECK(editor.at_cursor("definition").find("kiln:/std/v2fhir/overlay/patient.hmap") != std::string::npos);
  CHECK(editor.request("kiln/content", "{\"uri\":\"kiln:/std/v2fhir/overlay/patient.hmap\"}")
            .find("fragment PID_Patient") != std::string::npos);
  CHECK(editor.request("kiln/content", "{\"uri\":\"kiln:/explain/E0201.md\"}").find("E0201") !=
        std::string::npos);
  CHECK(editor.request("kiln/content", "{\"uri\":\"kiln:/../etc/passwd\"}").find("error") !=
        std::string::npos);
  editor.open("maps/c.hmap", "use std.v2fhir.adt\nextend map site from adt_|a01 { }\n");
  CHECK(editor.at_cursor("definition").find("kiln:/std/v2fhir/overlay/adt.hmap") != std::string::npos);
  editor.open("maps/d.hmap",
              kMap + "    gender = \"male\"\n  }\n  create e: Encounter { subject = ref pat|ient }\n}\n");
  CHECK(editor.at_cursor("definition").find("\"start\":{\"line\":1,\"character\":9}") != std::string::npos);
  editor.open("maps/e.hmap", "table T = csv \"tables/lab|.csv\" key a else omit\n");
  CHECK(editor.at_cursor("definition").find("kiln-test-site/tables/lab.csv") != std::string::npos);
}

TEST_CASE("lsp: findings carry code, place, page and related places; fixes follow the help") {
  Editor editor;
  editor.open("maps/a.hmap", kMap + "    birthdate| = PID-7\n  }\n}\n");
  const auto published = editor.settle();
  REQUIRE(published.size() == 1);
  CHECK(published[0].find("\"code\":\"E0201\"") != std::string::npos);
  CHECK(published[0].find(
            "\"range\":{\"start\":{\"line\":2,\"character\":4},\"end\":{\"line\":2,\"character\":13}}") !=
        std::string::npos);
  CHECK(published[0].find("kiln:/explain/E0201.md") != std::string::npos);
  const std::string params =
      "{\"textDocument\":{\"uri\":\"" + kSite +
      "maps/a.hmap\"},\"range\":{\"start\":{\"line\":2,\"character\":5},"
      "\"end\":{\"line\":2,\"character\":5}},\"context\":{\"diagnostics\":[{\"code\":\"E0201\"}]}}";
  const std::string fix = editor.request("textDocument/codeAction", params);
  CHECK(fix.find("\"newText\":\"birthDate\"") != std::string::npos);
  CHECK(fix.find("\"diagnostics\":[{\"code\":\"E0201\"}]") != std::string::npos);
  // The finding goes when the text is right.
  editor.notify("textDocument/didChange",
                "{\"textDocument\":{\"uri\":\"" + kSite +
                    "maps/a.hmap\",\"version\":2},\"contentChanges\":[{\"range\":"
                    "{\"start\":{\"line\":2,\"character\":9},\"end\":{\"line\":2,\"character\":10}},\"text\":"
                    "\"t\"},{\"range\":{\"start\":{\"line\":2,"
                    "\"character\":4},\"end\":{\"line\":2,\"character\":13}},\"text\":\"birthDate\"}]}");
  const auto after = editor.settle();
  REQUIRE(after.size() == 1);
  CHECK(after[0].find("\"diagnostics\":[]") != std::string::npos);

  Editor other;
  other.open("maps/b.hmap", kMap + "    identifier = PID-3\n  }\n}\n");
  other.settle();
  const std::string list = "{\"textDocument\":{\"uri\":\"" + kSite +
                           "maps/b.hmap\"},\"range\":{\"start\":{\"line\":2,\"character\":4},"
                           "\"end\":{\"line\":2,\"character\":20}},\"context\":{\"diagnostics\":[]}}";
  CHECK(other.request("textDocument/codeAction", list).find("\"newText\":\"+=\"") != std::string::npos);
}

TEST_CASE("lsp: formatting is kiln fmt, and only the lines that change") {
  Editor editor;
  editor.open("maps/a.hmap", "module acme|\nconst a   =   \"b\"\nconst c = \"d\"\n");
  const std::string answer = editor.at_cursor("formatting");
  CHECK(answer.find("\"newText\":\"const a = \\\"b\\\"\\n\"") != std::string::npos);
  CHECK(answer.find(
            "\"range\":{\"start\":{\"line\":1,\"character\":0},\"end\":{\"line\":2,\"character\":0}}") !=
        std::string::npos);
  editor.open("maps/b.hmap", "map |(\n");
  CHECK(editor.at_cursor("formatting").find("\"result\":[]") != std::string::npos);
}

TEST_CASE("lsp: positions are UTF-16") {
  const std::string text = "a\xC3\xA4\xF0\x9F\x98\x80z\r\nb";  // ä, an emoji
  const LineIndex index(text);
  CHECK(index.offset(text, {0, 2}) == 3);
  CHECK(index.offset(text, {0, 3}) == 3);  // inside the pair
  CHECK(index.offset(text, {0, 4}) == 7);
  CHECK(index.offset(text, {0, 99}) == 8);  // before the line's end
  CHECK(index.offset(text, {1, 1}) == text.size());
  CHECK(index.offset(text, {9, 0}) == text.size());
  CHECK(index.position(text, 7).character == 4);
  CHECK(index.position(text, text.size()).line == 1);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const std::size_t there = index.offset(text, index.position(text, at));
    CHECK(there <= text.size());
  }
  Editor editor;
  editor.open("maps/a.hmap", "const a = \"\xF0\x9F\x98\x80\"|\n");
  editor.notify("textDocument/didChange", "{\"textDocument\":{\"uri\":\"" + kSite +
                                              "maps/a.hmap\",\"version\":2},\"contentChanges\":[{\"range\":"
                                              "{\"start\":{\"line\":0,\"character\":11},\"end\":{\"line\":0,"
                                              "\"character\":13}},\"text\":\"x\"}]}");
  editor.open("maps/probe.hmap", "const b = a|\n");
  CHECK(editor.at_cursor("hover").find("const a = \\\"x\\\"") != std::string::npos);
}

TEST_CASE("lsp: malformed messages are answered and change nothing") {
  Editor editor;
  for (const char* message :
       {"", "{", "[]", "7", "\"x\"", "{\"id\":1}", "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":1}"}) {
    INFO(message);
    const auto answers = editor.send(message);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].find("\"error\"") != std::string::npos);
  }
  CHECK(editor.send("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":null}").empty());
  CHECK(editor.request("textDocument/hover", "null").find("-32602") != std::string::npos);
  CHECK(editor.request("no/such", "{}").find("-32601") != std::string::npos);
  editor.notify("textDocument/didOpen", "{\"textDocument\":{\"uri\":5}}");
  editor.notify("textDocument/didChange", "{\"textDocument\":{\"uri\":\"file:///x\"},\"contentChanges\":7}");
  editor.notify("textDocument/didChange", "[]");
  editor.open("maps/a.hmap", "const a = 1|\n");
  editor.notify("textDocument/didChange",
                "{\"textDocument\":{\"uri\":\"" + kSite +
                    "maps/a.hmap\"},\"contentChanges\":[{\"range\":{\"start\":{\"line\":-4,"
                    "\"character\":99999999999},\"end\":{\"line\":\"x\"}},\"text\":\"\"},{\"text\":5}]}");
  editor.settle();
  CHECK_FALSE(editor.server().must_settle());
  CHECK(editor.request("shutdown", "null").find("\"result\":null") != std::string::npos);
  CHECK(editor.request("textDocument/hover", "{}").find("-32600") != std::string::npos);
  CHECK_FALSE(editor.server().ended());
  editor.notify("exit", "null");
  CHECK(editor.server().ended());
  CHECK(editor.server().exit_code() == 0);
}

TEST_CASE("lsp: frames are cut whatever the pieces are") {
  const std::string stream = framed("{\"a\":1}") + "Content-Type: x\r\ncontent-length:3\r\n\r\nabc" +
                             "noise\n\nContent-Length: x\r\n\r\n" + framed("") +
                             "Content-Length: 99999999999\r\n\r\n" + std::string(100, 'z');
  for (std::size_t piece = 1; piece < 40; ++piece) {
    MessageFrames frames;
    std::vector<std::string> got;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      frames.feed(std::string_view(stream).substr(at, piece));
      while (auto frame = frames.next()) got.push_back(frame->text);
    }
    CHECK(got == std::vector<std::string>{"{\"a\":1}", "abc", ""});
  }
  MessageFrames frames;
  frames.feed("Content-Length: " + std::to_string(MessageFrames::kMessageBytesMax + 1) + "\r\n\r\n");
  CHECK_FALSE(frames.next());
  frames.feed(std::string(MessageFrames::kMessageBytesMax, 'x'));
  CHECK_FALSE(frames.next());
  frames.feed("x" + framed("next"));
  auto large = frames.next();
  REQUIRE(large);
  CHECK(large->too_large);
  auto next = frames.next();
  REQUIRE(next);
  CHECK(next->text == "next");
}

TEST_CASE("lsp: a session") {
  std::string transcript;
  LanguageSurroundings around;
  LanguageServer server(base::system_env(), around, "0");
  const std::string session = test::read_text(test::test_path("golden/lsp/session.in"));
  for (const std::string_view line : base::split(session, '\n')) {
    if (line.empty()) continue;
    std::vector<std::string> out;
    if (line == "settle")
      server.settle(out);
    else
      server.handle(line, out);
    transcript += "> " + std::string(line) + "\n";
    for (const std::string& message : out) {
      const auto document = base::parse_json(message);
      REQUIRE(document);
      transcript += base::print_json(document->root(), true);
    }
  }
  test::check_golden(test::test_path("golden/lsp/session.out"), transcript);
  CHECK(server.ended());
}

TEST_CASE("lsp: a change of the largest shipped map is answered in time") {
  std::string text, name;
  for (const base::EmbeddedFile& file : library_files())
    if (file.text.size() > text.size()) text = file.text, name = file.path;
  Editor editor;
  editor.open("maps/large.hmap", text + "|");
  editor.settle();
  constexpr int kChanges = 20;
  const std::string change = "{\"textDocument\":{\"uri\":\"" + kSite +
                             "maps/large.hmap\"},\"contentChanges\":[{\"range\":{\"start\":{\"line\":2,"
                             "\"character\":0},\"end\":{\"line\":2,\"character\":0}},\"text\":\"\\n\"}]}";
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kChanges; ++i) {
    editor.notify("textDocument/didChange", change);
    CHECK(editor.settle().size() <= 2);
  }
  const double each =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / kChanges;
  std::cout << "lsp: didChange and findings of " << name << " (" << text.size() << " bytes): " << each
            << " ms\n";
  CHECK(each < 2000);  // the figure is in tests/bench/README.md; this only catches what hangs
}

}  // namespace kiln::mappings
