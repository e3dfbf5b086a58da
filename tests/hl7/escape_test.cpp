// Escape sequences: the table of the design, both directions, and what never changes.

#include "hl7/escape.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "engine/base/text.h"
#include "hl7/message.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

const Delimiters kStandard{};
const Delimiters kTruncating{'|', '^', '~', '\\', '&', '#'};
const Delimiters kOdd{'*', ':', '+', '?', '%', '\0'};

std::string plain(std::string_view raw, const Delimiters& delimiters = kStandard) {
  return decode(raw, {delimiters, Charset::utf8(), nullptr});
}
std::string written(std::string_view text, const Delimiters& delimiters = kStandard,
                    TextKind kind = TextKind::plain) {
  std::string out;
  REQUIRE(encode(text, delimiters, kind, out));
  return out;
}
std::vector<ErrorCode> notes(std::string_view raw) {
  std::vector<EscapeNote> found;
  decode(raw, {kStandard, Charset::utf8(), nullptr}, &found);
  std::vector<ErrorCode> codes;
  for (const auto& note : found) codes.push_back(note.code);
  return codes;
}

}  // namespace

TEST_CASE("the escape table") {
  CHECK(plain(R"(a\F\b\S\c\T\d\R\e\E\f)") == R"(a|b^c&d~e\f)");
  CHECK(plain(R"(\E\T\E\)") == R"(\T\)");
  CHECK(plain(R"(\X41\)") == "A");
  CHECK(plain(R"(\X0D0A\)") == "\r\n");
  CHECK(plain(R"(\X0d0a\)") == "\r\n");
  CHECK(plain(R"(\XC3\\XA4\)") == "\xC3\xA4");
  CHECK(plain(R"(\X0\)") == R"(\X0\)");
  CHECK(plain(R"(\X\)") == R"(\X\)");
  CHECK(plain(R"(\XGG\)") == R"(\XGG\)");
  for (const std::string kept :
       {R"(\.br\)", R"(\.sp\)", R"(\.sp 3\)", R"(\.sp+2\)", R"(\.fi\)", R"(\.nf\)", R"(\.in+4\)",
        R"(\.ti-2\)", R"(\.sk 5\)", R"(\.ce\)", R"(\H\)", R"(\N\)", R"(\Zlocal thing\)", R"(\Q1.a\)",
        R"(\f\)", R"(\P\)", R"(\C9999\)", R"(\M242844\)"}) {
    CHECK(plain("a" + kept + "b") == "a" + kept + "b");
  }
  CHECK(plain(R"(a\P\)", kTruncating) == "a#");
  CHECK(plain(R"(4\5 re)") == R"(4\5 re)");
  CHECK(plain(R"(a\)") == R"(a\)");
  CHECK(plain(R"(\\)") == R"(\\)");
  CHECK(plain(R"(\\F\)") == R"(\|)");
  CHECK(plain(R"(\not one\F\)") == R"(\not one|)");
  CHECK(plain("a?F?b?S?c?T?d?R?e?E?f\\F\\", kOdd) == "a*b:c%d+e?f\\F\\");
}

TEST_CASE("oddities are named") {
  CHECK(notes(R"(a\F\b\.br\c\H\d\Zx\)").empty());
  CHECK(notes(R"(\X0\)") == std::vector{ErrorCode::bad_escape});
  CHECK(notes(R"(\Qa\)") == std::vector{ErrorCode::unknown_escape});
  CHECK(notes(R"(4\5 re)") == std::vector{ErrorCode::stray_escape});
  CHECK(notes("\xFF") == std::vector{ErrorCode::bad_charset_bytes});
  CHECK(notes(R"(\XFF\)") == std::vector{ErrorCode::bad_charset_bytes});
}

TEST_CASE("writing escapes delimiters, line ends and controls") {
  CHECK(written("a|b^c&d~e\\f") == R"(a\F\b\S\c\T\d\R\e\E\f)");
  CHECK(written("a\rb\nc\x0b\x1c\td") == R"(a\X0D\b\X0A\c\X0B\\X1C\\X09\d)");
  CHECK(written("\"\"") == R"(\X2222\)");
  CHECK(written("\"x\"") == "\"x\"");
  CHECK(written("abc#", kTruncating) == R"(abc\P\)");
  CHECK(written("a#c", kTruncating) == "a#c");
  CHECK(written("abc#") == "abc#");
  std::string out = "before";
  const Delimiters none{'|', '^', '~', '\0', '\0', '\0'};
  CHECK(encode("a|b", none, TextKind::plain, out).error().code == ErrorCode::no_escape_character);
  CHECK(out == "before");
  CHECK(encode("a\\&b", none, TextKind::plain, out));
  CHECK(out == "beforea\\&b");
}

TEST_CASE("property: reading what was written gives every text back") {
  kiln::base::SeededRandom random(7);
  const std::vector<std::string> pieces = {"|",
                                           "^",
                                           "~",
                                           "\\",
                                           "&",
                                           "#",
                                           "\r",
                                           "\n",
                                           std::string(1, '\0'),
                                           "\x1c",
                                           "\"",
                                           "\"\"",
                                           "F",
                                           "X",
                                           "0D",
                                           ".br",
                                           "*",
                                           ":",
                                           "+",
                                           "?",
                                           "%",
                                           "Z",
                                           "\xC3\xA4",
                                           "\xE2\x82\xAC",
                                           "\xF0\x9F\xA9\xBA",
                                           " ",
                                           "E",
                                           "abc"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto n = random.below(9); n > 0; --n) text += pieces[random.below(pieces.size())];
    for (const Delimiters& delimiters : {kStandard, kTruncating, kOdd}) {
      const std::string raw = written(text, delimiters);
      REQUIRE(plain(raw, delimiters) == text);
      REQUIRE(raw.find_first_of("\r\n\x0b\x1c") == raw.npos);
      for (const char c :
           {delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent}) {
        REQUIRE(raw.find(c) == raw.npos);
      }
    }
  }
}

TEST_CASE("property: writing what was read gives clean leaves back") {
  kiln::base::SeededRandom random(8);
  const std::vector<std::string> pieces = {
      "a",      "bc ",    R"(\F\)",   R"(\S\)",    R"(\T\)",   R"(\R\)",   R"(\.br\)", R"(\.sp 2\)",
      R"(\H\)", R"(\N\)", R"(\Q12\)", R"(\Zx y\)", R"(\X0D\)", R"(\X0A\)", "\xC3\xA4", R"(\C9999\)"};
  for (int round = 0; round < 5'000; ++round) {
    std::string raw;
    for (auto n = random.below(8); n > 0; --n) raw += pieces[random.below(pieces.size())];
    REQUIRE(written(plain(raw), kStandard, TextKind::hl7_text) == raw);
  }
}

TEST_CASE("decoding never reads or writes outside its buffer and always makes UTF-8") {
  kiln::base::SeededRandom random(9);
  const std::string alphabet = "\\\\\\XCMZ.br0Fa \x80\xC3\xFF";
  const std::vector<Charset> alternates = {Charset::latin1(), *Charset::find("8859/5")};
  for (int round = 0; round < 20'000; ++round) {
    std::string raw(static_cast<std::size_t>(random.below(40)), ' ');
    for (char& c : raw) c = alphabet[random.below(alphabet.size())];
    if (round % 5 == 0)
      raw += R"(\C2D41\)"
             "\xE4"
             R"(\C2D4C\)"
             "\xE4";
    for (const Charset charset : {Charset::ascii(), Charset::utf8(), *Charset::find("8859/15")}) {
      const std::string text = decode(raw, {kStandard, charset, &alternates});
      REQUIRE(kiln::base::is_valid_utf8(text));
    }
  }
}

TEST_CASE("escapes switch the character set where MSH-18 names it") {
  const std::vector<Charset> alternates = {*Charset::find("8859/5")};
  const TextRules rules{kStandard, Charset::latin1(), &alternates};
  CHECK(decode("\xE4"
               R"(\C2D4C\)"
               "\xE4"
               R"(\C2842\)"
               "b",
               rules) ==
        "\xC3\xA4\xD1\x84"
        "b");
  CHECK(decode(R"(\C2D42\x)", rules) == R"(\C2D42\x)");
}

TEST_CASE("formatting commands are carried out on demand") {
  const TextRules rules{kStandard, Charset::utf8(), nullptr};
  CHECK(render(R"(one\.br\two\.sp 2\three\.sk 3\four \H\bold\N\ \T\ <x>)", rules, Rendering::plain) ==
        "one\ntwo\n\nthree   four bold & <x>");
  CHECK(render(R"(one\.br\two\.in+2\x \H\bold \T\ <x>)", rules, Rendering::html) ==
        "one<br/>two&#160;&#160;x <b>bold &amp; &lt;x&gt;</b>");
  CHECK(render(R"(\.sp 999999\)", rules, Rendering::plain).size() == 100);
  CHECK(render(R"(\E\.br\E\)", rules, Rendering::plain) == R"(\.br\)");
}

TEST_CASE("text of a message points into its bytes unless it has to be decoded") {
  const auto message = Message::parse("MSH|^~\\&|a\\T\\b|clean|\\X41\\\r");
  REQUIRE(message);
  std::string buffer = "old";
  const std::string_view clean = message->header().field(4).text(buffer);
  CHECK(clean.data() == message->bytes().data() + message->header().field(4).offset());
  CHECK(buffer == "old");
  CHECK(message->header().field(3).text(buffer) == "a&b");
  std::pmr::monotonic_buffer_resource arena;
  CHECK(message->header().field(5).text(arena) == "A");
  CHECK_FALSE(message->text_is_plain());
  CHECK(Message::parse("MSH|^~\\&|a\r")->text_is_plain());
}

TEST_CASE("check_text names every odd escape and its place") {
  const auto message = Message::parse("MSH|^~\\&|a\rNTE|1||fine\\F\\~x^a\\Q\\&4\\5\r");
  REQUIRE(message);
  const auto found = check_text(*message);
  REQUIRE(found.size() == 2);
  CHECK(found[0].code == ErrorCode::unknown_escape);
  CHECK(message->place(found[0].location) == "NTE-3[2].2.1");
  CHECK(found[1].code == ErrorCode::stray_escape);
  CHECK(message->place(found[1].location) == "NTE-3[2].2.2");
  CHECK(message->bytes()[found[1].offset] == '\\');
}
