// MSH-18: names, decoding, refusal, and bytes that are never re-coded.

#include "hl7/charset.h"

#include <catch2/catch.hpp>
#include <string>

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
  for (const auto* name : {"GB 18030-2000", "BIG-5", "ISO IR87", "ISO IR159", "KS X 1001", "CNS 11643-1992",
                           "UNICODE UTF-16", "UNICODE UTF-32"}) {
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

TEST_CASE("sets that cannot be split at bytes are refused where they are used, and only there") {
  for (const auto* name : {"BIG-5", "GB 18030-2000", "KS X 1001", "UNICODE UTF-16"}) {
    CHECK(Message::parse(with_charset(name, "\xA4\x5C")).error().code == ErrorCode::charset_unsupported);
    CHECK(read(name, "plain") == "plain");
  }
  CHECK(Message::parse(with_charset("~ISO IR87", "\x1b$B0l\x1b(B")).error().code ==
        ErrorCode::charset_unsupported);
  CHECK(read("~ISO IR87", "plain") == "plain");
  CHECK(Message::parse(std::string("M\0S\0H\0|\0", 8)).error().code == ErrorCode::charset_unsupported);
  CHECK(Message::parse("\xFF\xFEM").error().code == ErrorCode::charset_unsupported);
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
  CHECK(from_utf8("x", *Charset::find("BIG-5"), Unencodable::replace).error().code ==
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
