// Correctness points of hl7v2.md that have no file of their own; the number stands in the name.
// tests/tidy/points.sh fails when one of the 25 has no test.

#include <malloc.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/partial_date.h"
#include "hl7/ack.h"
#include "hl7/batch.h"
#include "hl7/builder.h"
#include "hl7/datetime.h"
#include "hl7/edit.h"
#include "hl7/message.h"
#include "hl7/mllp/framer.h"
#include "hl7/path.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;
using kiln::base::PartialDate;

namespace {

std::string get(const std::string& bytes, std::string_view path) {
  const auto message = Message::parse(bytes);
  REQUIRE(message);
  return Path::compile(path)->get(*message).to_text();
}

std::string with(const std::string& field) {
  return "MSH|^~\\&|a\rZZZ|" + field + "\r";
}

std::uint32_t segments(const std::string& bytes) {
  const auto message = Message::parse(bytes);
  REQUIRE(message);
  return message->segment_count();
}

}  // namespace

TEST_CASE("point 01: MSH-1 is the separator, MSH-2 the first text, MSH-3 the second; FHS and BHS too") {
  for (const std::string name : {"MSH", "FHS", "BHS"}) {
    const std::string bytes = name + "|^~\\&|APP|FAC\r";
    CHECK(get(bytes, name + "-1") == "|");
    CHECK(get(bytes, name + "-2") == "^~\\&");
    CHECK(get(bytes, name + "-3") == "APP");
    CHECK(get(bytes, name + "-4") == "FAC");
  }
}

TEST_CASE("point 02: each message has its own delimiters, two to five of them") {
  const std::string file = "MSH|^~\\&|a\rPID|x^y\rMSH*:+?%*a\rPID*x:y\rMSH|^|a\rPID|x^y~z\r";
  const Batch batch = split_batch(file);
  REQUIRE(batch.messages.size() == 3);
  for (std::size_t i = 0; i < 2; ++i) CHECK(get(std::string(batch.messages[i].of(file)), "PID-1.2") == "y");
  CHECK(get(std::string(batch.messages[2].of(file)), "PID-1.2") == "y~z");
  CHECK(get("MSH|^~\\&#|a\rPID|x#\r", "PID-1") == "x#");
  CHECK(Message::parse("MSH|^~\\&#|a\r")->delimiters().truncation == '#');
}

TEST_CASE("point 03: MSH-2 is never split, decoded or escaped") {
  const std::string bytes = "MSH|^~\\&|a\rPID|1\r";
  const auto message = Message::parse(bytes);
  const FieldView field = message->header().field(2);
  CHECK(field.repetition_count() == 1);
  CHECK(field.repetition(1).component_count() == 1);
  CHECK(field.to_text() == "^~\\&");
  MessageEditor editor(*message);
  CHECK_FALSE(editor.set("MSH-2", "x"));
  REQUIRE(editor.set("MSH-3", "b"));
  CHECK(editor.encode() == "MSH|^~\\&|b\rPID|1\r");
  MessageBuilder builder;
  builder.add("MSH");
  CHECK(builder.print() == "MSH|^~\\&\r");
}

TEST_CASE("point 04: CR ends segments; LF, CR LF, blank lines and NUL are taken; LF inside a field stays") {
  CHECK(segments("MSH|^~\\&|a\nPID|1\nPV1|1\n") == 3);
  CHECK(segments("MSH|^~\\&|a\r\nPID|1\r\n") == 2);
  CHECK(segments("MSH|^~\\&|a\r\rPID|1\r \r\0\r") == 2);
  CHECK(get("MSH|^~\\&|a\rNTE|one\ntwo\r", "NTE-1") == "one\ntwo");
  MessageBuilder builder;
  builder.add("MSH");
  REQUIRE(builder.add("NTE").set(3, "one\ntwo\rthree"));
  CHECK(builder.print() == "MSH|^~\\&\rNTE|||one\\X0A\\two\\X0D\\three\r");
}

TEST_CASE("point 05: the last segment may lack its end, and is answered all the same") {
  const auto message = Message::parse("MSH|^~\\&|a|b|c|d|20240131||ADT^A01|77|P|2.5\rPID|1||9");
  REQUIRE(message);
  CHECK(message->field("PID", 3).to_text() == "9");
  AckInput input;
  input.control_id = "K";
  CHECK(make_ack(*message, input).find("\rMSA|AA|77\r") != std::string::npos);
  mllp::Framer framer;
  framer.push("\x0bMSH|^~\\&|a\r\x1c\r");
  CHECK(framer.next()->bytes == "MSH|^~\\&|a\r");
}

TEST_CASE("point 06: what is not expected changes nothing for the rest") {
  const std::string bytes =
      "MSH|^~\\&|a\rXXX|?\rPID|1||7^^^^^^^^^^^^x~8|" + std::string(80, '|') + "y\rno name|1\rPV1|2\r";
  CHECK(get(bytes, "PID-3") == "7");
  CHECK(get(bytes, "PID-3.13") == "x");
  CHECK(get(bytes, "PID-84") == "y");
  CHECK(get(bytes, "PV1-1") == "2");
  CHECK(get(bytes, "PV1-44").empty());
}

TEST_CASE("point 07: trailing delimiters mean nothing and stay; trimmed on request") {
  const std::string bytes = "MSH|^~\\&|a||||\rPID|1||7^^^||~~|\rNTE|1\r";
  const auto message = Message::parse(bytes);
  CHECK(get(bytes, "PID-3") == get("MSH|^~\\&|a\rPID|1||7\r", "PID-3"));
  CHECK(message->field("PID", 5).absent());
  MessageEditor editor(*message);
  REQUIRE(editor.set("PID-1", "2"));
  CHECK(editor.encode() == "MSH|^~\\&|a||||\rPID|2||7^^^||~~|\rNTE|1\r");
  CHECK(editor.encode(true) == "MSH|^~\\&|a||||\rPID|2||7\rNTE|1\r");
}

TEST_CASE("point 08: absent, null and valued differ at every level") {
  const auto message = Message::parse(with("|\"\"|x|a^\"\"^c&\"\"|\"\"~b"));
  const SegmentView z = message->find("ZZZ");
  CHECK(z.field(1).absent());
  CHECK(z.field(2).is_null());
  CHECK(z.field(3).valued());
  CHECK(z.field(4).component(2).is_null());
  CHECK(z.field(4).component(3).sub(2).is_null());
  CHECK(z.field(5).repetition(1).is_null());
  CHECK(z.field(9).absent());
  CHECK_FALSE(PartialDate::parse_hl7(z.field(2).to_text()));
}

TEST_CASE("point 09: an empty repetition is a place; an empty first one in MSH-18 means ASCII") {
  CHECK(get(with("A~~B"), "ZZZ-1[3]") == "B");
  CHECK(Message::parse(with("A~~B"))->field("ZZZ", 1).repetition_count() == 3);
  CHECK(get(with("A~~B"), "ZZZ-1") == "A");
  CHECK(Message::parse("MSH|^~\\&|a||||||||||||||| ~8859/1\r")->charset().is_ascii());
}

TEST_CASE("point 10: a plain value is its own first part, and writing deeper keeps the others") {
  for (const auto* path : {"ZZZ-1", "ZZZ-1.1", "ZZZ-1.1.1"}) CHECK(get(with("123"), path) == "123");
  CHECK(get(with("123"), "ZZZ-1.2").empty());
  CHECK(get(with("a&b^c"), "ZZZ-1.1") == "a");
  const auto message = Message::parse(with("a^b"));
  MessageEditor editor(*message);
  REQUIRE(editor.set("ZZZ-1.1.1", "z"));
  CHECK(editor.segment(1) == "ZZZ|z^b");
}

TEST_CASE("point 11: split first, then decode every leaf once") {
  CHECK(get(with(R"(\E\T\E\)"), "ZZZ-1") == R"(\T\)");
  CHECK(get(with(R"(a\F\b^c\S\d)"), "ZZZ-1.2") == "c^d");
  CHECK(get(with(R"(\X5C\T\X5C\)"), "ZZZ-1") == R"(\T\)");
}

TEST_CASE("point 12: unknown and broken escapes stay as they are, also when written again") {
  for (const std::string text :
       {R"(\Q\)", R"(4\5 re)", R"(\)", R"(\\)", R"(a\Zlocal\b)", R"(\Xzz\)", R"(\unclosed)"}) {
    INFO(text);
    CHECK(get(with(text), "ZZZ-1") == text);
    const auto message = Message::parse(with("x|" + text));
    MessageEditor editor(*message);
    REQUIRE(editor.set("ZZZ-1", "y"));
    CHECK(editor.segment(1) == "ZZZ|y|" + text);
  }
  const auto message = Message::parse(with("x"));
  MessageEditor editor(*message);
  REQUIRE(editor.set("ZZZ-1", R"(\Q\ and \.br\)", TextKind::hl7_text));
  CHECK(editor.segment(1) == R"(ZZZ|\Q\ and \.br\)");
}

TEST_CASE("point 13: hexadecimal data is bytes in the message's set, any number of pairs") {
  CHECK(get(with(R"(\X0D0A\)"), "ZZZ-1") == "\r\n");
  CHECK(get(with(R"(\X414243\)"), "ZZZ-1") == "ABC");
  CHECK(get(with(R"(\X414\)"), "ZZZ-1") == R"(\X414\)");
  const std::string latin = "MSH|^~\\&|a||||||||||||||| 8859/1\rZZZ|";
  CHECK(get(latin + R"(\XE4\)" + "\r", "ZZZ-1") == "\xC3\xA4");
  const auto message = Message::parse(with(R"(\X0D\)"));
  MessageBuilder builder;
  builder.add("MSH");
  REQUIRE(builder.add_copy(message->find("ZZZ"), *message));
  CHECK(builder.print() == "MSH|^~\\&\rZZZ|\\X0D\\\r");
}

TEST_CASE("point 14: formatting is kept, and carried out on demand") {
  const std::string raw = R"(\H\head\N\\.br\line\.sp2\end\.in+3\x)";
  CHECK(get(with(raw), "ZZZ-1") == raw);
  const auto message = Message::parse(with(raw));
  CHECK(render(raw, message->text_rules(), Rendering::plain) == "head\nline\n\nend   x");
  CHECK(render("\\H\\a<\\N\\\\.br\\", message->text_rules(), Rendering::html) == "<b>a&lt;</b><br/>");
}

TEST_CASE("point 16: the truncation character is data except at the end, and is written for what it is") {
  const std::string bytes = "MSH|^~\\&#|a\rZZZ|a#b|cut#|\\P\\\r";
  CHECK(get(bytes, "ZZZ-1") == "a#b");
  CHECK(get(bytes, "ZZZ-2") == "cut#");
  CHECK(get(bytes, "ZZZ-3") == "#");
  CHECK(get(with("\\P\\"), "ZZZ-1") == "\\P\\");
  const auto message = Message::parse(bytes);
  MessageEditor editor(*message);
  REQUIRE(editor.set("ZZZ-1", "whole#"));
  CHECK(editor.segment(1) == "ZZZ|whole\\P\\|cut#|\\P\\");
}

TEST_CASE("point 17: OBX-5 is read by place whatever OBX-2 says, every repetition of it") {
  const std::string bytes =
      "MSH|^~\\&|a\rOBX|1|NM|x||not a number~2\rOBX|2||x||^application^pdf^Base64^QUJD\r";
  CHECK(get(bytes, "OBX-5") == "not a number");
  CHECK(get(bytes, "OBX-5[2]") == "2");
  CHECK(get(bytes, "OBX[2]-5.5") == "QUJD");
  CHECK(get(bytes, "OBX[2]-5.4") == "Base64");
}

TEST_CASE("point 20: frames are the same however the bytes are cut") {
  const std::string stream =
      "noise\x0bMSH|^~\\&|a\r\x1c\r\x0bMSH|b\x1cx\r\x1c\r\x0blost\x0bMSH|c\r\x1c\x0bMSH|d\r\x1c\r" +
      std::string(2, '\0');
  const auto events = [&](std::size_t first, std::size_t second) {
    mllp::Framer framer;
    framer.push(std::string_view(stream).substr(0, first));
    framer.push(std::string_view(stream).substr(first, second - first));
    framer.push(std::string_view(stream).substr(second));
    framer.finish();
    std::string all;
    while (const auto event = framer.next()) {
      all += std::to_string(static_cast<int>(event->kind)) + "@" + std::to_string(event->offset) + ":" +
             event->bytes + ";";
    }
    return all;
  };
  const std::string whole = events(0, stream.size());
  CHECK(whole.find("MSH|d") != std::string::npos);
  CHECK(whole.find("noise") != std::string::npos);
  for (std::size_t i = 0; i <= stream.size(); ++i) {
    for (std::size_t k = i; k <= stream.size(); ++k) REQUIRE(events(i, k) == whole);
  }
}

TEST_CASE("point 25: the digits of a date are its precision") {
  const auto precision = [](std::string_view text) { return PartialDate::parse_hl7(text)->precision; };
  using P = kiln::base::DatePrecision;
  CHECK(precision("2024") == P::year);
  CHECK(precision("202401") == P::month);
  CHECK(precision("20240131") == P::day);
  CHECK(precision("2024013108") == P::hour);
  CHECK(precision("20240131081500.25+0100") == P::fraction);
  CHECK(PartialDate::parse_hl7("202401312400")->print_hl7() == "202402010000");
  CHECK(PartialDate::parse_hl7("20240131235960"));
  for (const auto* none : {"0", "00000000", "", "\"\"", "20241301", "x"})
    CHECK_FALSE(PartialDate::parse_hl7(none));
}

TEST_CASE(
    "point 25: a message costs at most six times its bytes, and what holds more than is allowed is refused") {
  const auto ratio = [](const std::string& bytes) {
    std::string copy(bytes);
    copy.shrink_to_fit();
    const auto message = Message::parse(std::move(copy));
    REQUIRE(message);
    return static_cast<double>(message->memory_bytes()) / static_cast<double>(bytes.size());
  };
  const auto repeated = [](std::string unit, std::size_t times) {
    std::string text = "MSH|^~\\&|a\r";
    for (std::size_t i = 0; i < times; ++i) text += unit;
    return text;
  };
  CHECK(ratio(repeated("PID|" + std::string(900, '|') + "\r", 1000)) <= 6);
  CHECK(ratio(repeated("PID\r", 9'000)) <= 6);
  CHECK(ratio(repeated("\r", 500'000)) <= 6);
  CHECK(ratio(repeated("NTE|" + std::string(5000, '^') + "\r", 100)) <= 3);
  CHECK(ratio(repeated("OBX|1|NM|6001-1^Analyte^LN||1.5|mmol/L|3.5-5.1|N|||F\r", 200)) <= 3);
  CHECK(Message::parse(repeated("A\r", 20'000)).error().code == ErrorCode::limit_exceeded);
  CHECK(Message::parse(repeated("PID|" + std::string(1001, '|') + "\r", 1)).error().code ==
        ErrorCode::limit_exceeded);
}
