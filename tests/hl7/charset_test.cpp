// MSH-18: names, decoding, refusal, and bytes that are never re-coded.

#include "hl7/charset.h"

#include <catch2/catch.hpp>
#include <string>

#include "hl7/ack.h"
#include "hl7/edit.h"
#include "hl7/message.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

std::string with_charset(std::string_view msh18, std::string_view value) {
  return "MSH|^~\\&|a||||||||||||||| " + std::string(msh18) + "\rPID|1||" + std::string(value) + "\r";
}
std::string read(std::string_view msh18, std::string_view value, const ParseOptions& options = {}) {
  const auto message = Message::parse(with_charset(msh18, value), options);
  REQUIRE(message);
  return message->field("PID", 3).to_text();
}

}  // namespace

TEST_CASE("names of table 0211 in the spellings that are seen") {
  for (const auto* name : {"UNICODE UTF-8", "UTF-8", "utf8", "UNICODE", "Unicode UTF_8"}) {
    CHECK(Charset::find(name) == Charset::utf8());
  }
  for (const auto* name : {"8859/1", "8859-1", "ISO-8859-1", "ISO IR100", "iso_ir 100", "Latin1"}) {
    CHECK(Charset::find(name) == Charset::latin1());
  }
  for (const auto* name : {"ASCII", "US-ASCII", "ISO IR6", ""})
    CHECK(Charset::find(name) == Charset::ascii());
  for (const auto* name : {"8859/2", "8859/15", "WINDOWS-1252", "ISO IR14"}) {
    REQUIRE(Charset::find(name));
    CHECK(Charset::find(name)->supported());
    CHECK(Charset::find(Charset::find(name)->name()) == Charset::find(name));
  }
  for (const auto* name :
       {"GB 18030-2000", "BIG-5", "ISO IR87", "ISO IR159", "KS X 1001", "CNS 11643-1992", "SHIFT-JIS"}) {
    REQUIRE(Charset::find(name));
    CHECK(Charset::find(name)->supported());
    CHECK_FALSE(Charset::find(name)->byte_wise());
  }
  for (const auto* name : {"UNICODE UTF-16", "UNICODE UTF-32"}) {
    REQUIRE(Charset::find(name));
    CHECK_FALSE(Charset::find(name)->supported());
  }
  CHECK_FALSE(Charset::find("KLINGON"));
}

TEST_CASE("text is decoded from the message's character set") {
  CHECK(read("UNICODE UTF-8", "J\xC3\xB6rg") == "J\xC3\xB6rg");
  CHECK(read("8859/1", "J\xF6rg") == "J\xC3\xB6rg");
  CHECK(read("8859/15", "\xA4") == "\xE2\x82\xAC");
  CHECK(read("8859/2", "\xB1") == "\xC4\x85");
  CHECK(read("WINDOWS-1252", "\x80") == "\xE2\x82\xAC");
  CHECK(read("WINDOWS-1252", "\x81") == "\xEF\xBF\xBD");
  CHECK(read("8859/1", R"(\XE4\)") == "\xC3\xA4");
  CHECK(read("ISO IR14", "\xB1") == "\xEF\xBD\xB1");
  CHECK(read("", "J\xF6rg") == "J\xEF\xBF\xBDrg");
  ParseOptions options;
  options.charset_default = Charset::latin1();
  CHECK(read("", "J\xF6rg", options) == "J\xC3\xB6rg");
  CHECK(read("~8859/5", "J\xF6rg", options) == "J\xEF\xBF\xBDrg");
  CHECK(read("\"\"", "J\xF6rg", options) == "J\xC3\xB6rg");
  CHECK(read("NO SUCH SET", "J\xF6rg", options) == "J\xC3\xB6rg");
  options.charset_override = Charset::utf8();
  CHECK(read("8859/1", "J\xC3\xB6rg", options) == "J\xC3\xB6rg");
}

TEST_CASE("damage and unknown names are diagnostics; the bytes stay") {
  const std::string bytes = with_charset("UTF-8", "ok\xFF\xFE^x\xC3|fine|\xC0\xAF");
  const auto message = Message::parse(bytes);
  REQUIRE(message);
  CHECK(message->bytes() == bytes);
  REQUIRE(message->diagnostics().size() == 2);
  CHECK(message->diagnostics()[0].code == ErrorCode::bad_charset_bytes);
  CHECK(message->place(message->diagnostics()[0].location) == "PID-3");
  CHECK(message->place(message->diagnostics()[1].location) == "PID-5");
  CHECK(message->field("PID", 3).to_text() == "ok\xEF\xBF\xBD\xEF\xBF\xBD");
  const auto unknown = Message::parse(with_charset("KLINGON", "x"));
  REQUIRE(unknown);
  REQUIRE(unknown->diagnostics().size() == 1);
  CHECK(unknown->diagnostics()[0].code == ErrorCode::unknown_charset);
  CHECK(unknown->charset() == Charset::ascii());
}

namespace {

std::string wide(const std::string& text, bool little) {
  std::string out = little ? "\xFF\xFE" : "\xFE\xFF";
  for (const char c : text) out += little ? std::string{c, '\0'} : std::string{'\0', c};
  return out;
}

}  // namespace

TEST_CASE("point 15: characters whose second byte looks like a delimiter are not split") {
  struct Row {
    const char *set, *bytes, *text;
  };
  // Each holds a byte 0x5C, 0x7C, 0x5E or 0x7E inside a character.
  const Row rows[] = {
      {"SHIFT-JIS", "\x83\x5C\x83\x7C^\x95\x5C", "\xE3\x82\xBD\xE3\x83\x9D"},
      {"BIG-5", "\xA5\x5C\xB3\x5C^\xA4\x7C", "\xE5\x8A\x9F\xE8\xA8\xB1"},
      {"GB 18030-2000", "\x81\x7C\x81\x5E^\x81\x5C", "\xE4\xBA\x85\xE4\xB9\x9B"},
      {"KS X 1001", "\xB1\xE8^\xB1\xE8", "\xEA\xB9\x80"},
      {"CNS 11643-1992", "\xC4\xE3^\xC4\xE3", "\xE4\xB8\xAD"},
      {"ISO IR87", "\x1b$B%\\!|\x1b(B^\x1b$B%\\\x1b(B", "\xE3\x83\x9C\xE2\x97\x8F"},
      {"~ISO IR87", "\x1b$B%\\!|\x1b(B^\x1b$B%\\\x1b(B", "\xE3\x83\x9C\xE2\x97\x8F"},
      {"~ISO IR159", "\x1b$(D0!\x1b(B^x", "\xE4\xB8\x82"},
      {"ISO IR14~ISO IR87", "\xB1\x1b$B%\"\x1b(J^x", "\xEF\xBD\xB1\xE3\x82\xA2"},
  };
  for (const Row& row : rows) {
    INFO(row.set);
    const std::string bytes = with_charset(row.set, row.bytes);
    const auto message = Message::parse(bytes);
    REQUIRE(message);
    CHECK(message->converted());
    CHECK(message->original() == bytes);
    CHECK(message->diagnostics().empty());
    const FieldView field = message->field("PID", 3);
    CHECK(message->find("PID").field_count() == 3);
    CHECK(field.repetition(1).component_count() == 2);
    CHECK(field.to_text() == row.text);
    // Changing one segment leaves the bytes of the others.
    MessageEditor editor(*message);
    CHECK(editor.encode() == bytes);
    REQUIRE(editor.set("PID-1", "7"));
    const std::string edited = editor.encode();
    CHECK(edited.substr(0, bytes.find("PID")) == bytes.substr(0, bytes.find("PID")));
    const auto again = Message::parse(edited);
    REQUIRE(again);
    CHECK(again->field("PID", 3).to_text() == row.text);
    CHECK(again->field("PID", 1).to_text() == "7");
    // Written in the set and read again.
    const Charset set =
        *Charset::find(std::string(row.set).substr(std::string(row.set).find_last_of('~') + 1));
    const auto written = from_utf8(row.text, set, Unencodable::reject);
    REQUIRE(written);
    const auto copy = Message::parse(with_charset(row.set, *written));
    REQUIRE(copy);
    CHECK(copy->field("PID", 3).to_text() == row.text);
  }
  CHECK(read("GB 18030-2000", "plain") == "plain");
  CHECK(read("~ISO IR87", "plain") == "plain");
  // Hexadecimal data is in the message's set, also a character in two sequences.
  CHECK(read("SHIFT-JIS", R"(a\X835C\\T\\X83\\X5C\b)") ==
        "a\xE3\x82\xBD&\xE3\x82\xBD"
        "b");
  CHECK(read("ISO IR87", R"(a\T\b)") == "a&b");
}

TEST_CASE("point 15: the answer to a converted message is in its character set") {
  const auto message = Message::parse("MSH|^~\\&|\x83\x5C|||||||7|P|2.5|||||| SHIFT-JIS\rPID|\x83\x5C\r");
  REQUIRE(message);
  AckInput input;
  input.control_id = "K";
  const std::string ack = make_ack(*message, input);
  CHECK(ack.find("|\x83\x5C|") != std::string::npos);
  const auto read_back = Message::parse(ack);
  REQUIRE(read_back);
  CHECK(read_back->header().field(5).to_text() == "\xE3\x82\xBD");
}

TEST_CASE("point 15: damaged multi-byte text keeps its delimiters and its bytes") {
  const std::string bytes = with_charset("SHIFT-JIS", "\x83|x^\xFF^\x95\x5C");
  const auto message = Message::parse(bytes);
  REQUIRE(message);
  CHECK(message->original() == bytes);
  REQUIRE(message->diagnostics().size() == 1);
  CHECK(message->diagnostics()[0].code == ErrorCode::bad_charset_bytes);
}

TEST_CASE("point 15: UTF-16 is refused where MLLP carried it, and read from files") {
  CHECK(Message::parse(std::string("M\0S\0H\0|\0", 8)).error().code == ErrorCode::charset_not_framable);
  CHECK(Message::parse("\xFF\xFEM").error().code == ErrorCode::charset_not_framable);
  ParseOptions options;
  options.wide = true;
  for (const bool little : {true, false}) {
    const std::string bytes = wide("MSH|^~\\&|a\rPID|1||x^y\\T\\\rZZZ|1\r", little);
    const auto message = Message::parse(bytes, options);
    REQUIRE(message);
    CHECK(message->original() == bytes);
    CHECK(message->field("PID", 3).component(2).to_text() == "y&");
    MessageEditor editor(*message);
    CHECK(editor.encode() == bytes);
    REQUIRE(editor.set("PID-3.1", "z"));
    CHECK(editor.encode() == wide("MSH|^~\\&|a\rPID|1||z^y\\T\\\rZZZ|1\r", little));
  }
  CHECK(Message::parse(with_charset("UNICODE UTF-16", "\xA4\x5C")).error().code ==
        ErrorCode::charset_unsupported);
}

TEST_CASE("text is written in the character set or refused") {
  CHECK(*from_utf8("J\xC3\xB6rg", Charset::latin1(), Unencodable::reject) == "J\xF6rg");
  CHECK(*from_utf8("\xE2\x82\xAC", *Charset::find("8859/15"), Unencodable::reject) == "\xA4");
  CHECK(*from_utf8("J\xC3\xB6rg", Charset::utf8(), Unencodable::reject) == "J\xC3\xB6rg");
  CHECK(*from_utf8("\xE2\x82\xAC!", Charset::latin1(), Unencodable::replace) == "?!");
  CHECK(from_utf8("\xE2\x82\xAC", Charset::latin1(), Unencodable::reject).error().code ==
        ErrorCode::unencodable_text);
  CHECK(from_utf8("\xC3\xB6", Charset::ascii(), Unencodable::reject).error().code ==
        ErrorCode::unencodable_text);
  CHECK(*from_utf8("\xE3\x82\xBD", *Charset::find("SHIFT-JIS"), Unencodable::reject) == "\x83\x5C");
  CHECK(*from_utf8("a\xE3\x82\xBD"
                   "b",
                   *Charset::find("ISO IR87"), Unencodable::reject) == "a\x1b$B%=\x1b(Bb");
  CHECK(*from_utf8("\xF0\x9F\x98\x80", *Charset::find("ISO IR87"), Unencodable::replace) == "?");
  CHECK(from_utf8("x", *Charset::find("UNICODE UTF-16"), Unencodable::replace).error().code ==
        ErrorCode::charset_unsupported);
}

TEST_CASE("every byte of every supported single-byte set goes to UTF-8 and back") {
  for (const auto* name :
       {"8859/1",  "8859/2",       "8859/3",       "8859/4",       "8859/5",       "8859/6",  "8859/7",
        "8859/8",  "8859/9",       "8859/10",      "8859/11",      "8859/13",      "8859/14", "8859/15",
        "8859/16", "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1258", "ISO IR14"}) {
    const Charset charset = *Charset::find(name);
    int characters = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const char one = static_cast<char>(byte);
      if (!charset.valid({&one, 1})) continue;
      ++characters;
      char utf8[3];
      const std::string text(utf8, charset.to_utf8({&one, 1}, utf8));
      const auto back = from_utf8(text, charset, Unencodable::reject);
      INFO(name << " byte " << byte);
      REQUIRE(back);
      CHECK(*back == std::string(1, one));
    }
    CHECK(characters > 180);
  }
}
