// Editing: what is written, and that nothing else changes.

#include "hl7/edit.h"

#include <catch2/catch.hpp>
#include <string>

#include "engine/base/random.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

const std::string kSample =
    "\n MSH|^~\\&|LAB|NORD|KIS|SUED|20240131||ORU^R01^ORU_R01|7|P|2.5.1||||||8859/1||\r\n"
    "PID|1||A1^^^HOSP&1.2.3&ISO^MR~B2^^^STATE^SS||Brandt^Ilse|||F|||\r\n\r\n"
    "OBX|1|ST|X^Y||4\\5 re \\Zx\\ \\.br\\\r\nOBX|2|ST|9^Y||a~~b||\r\nzzz|lower|";

std::string edited(const std::string& source, const std::string& path, const std::string& text) {
  const auto message = Message::parse(source);
  REQUIRE(message);
  MessageEditor editor(*message);
  const auto done = editor.set(path, text);
  INFO((done ? std::string() : done.error().text));
  REQUIRE(done.has_value());
  return editor.encode();
}

std::string pid(const std::string& path, const std::string& text) {
  const std::string out = edited("MSH|^~\\&|a\rPID|1||A1^^^H&1^MR~B2||N^G||\r", path, text);
  return out.substr(11);
}

ErrorCode refused(const std::string& path, const std::string& text) {
  const auto message = Message::parse(kSample);
  MessageEditor editor(*message);
  const auto done = editor.set(path, text);
  REQUIRE_FALSE(done.has_value());
  CHECK_FALSE(editor.changed());
  return done.error().code;
}

}  // namespace

TEST_CASE("an editor without changes gives the bytes that came") {
  const auto message = Message::parse(kSample);
  MessageEditor editor(*message);
  CHECK(editor.encode() == kSample);
  // What is there already changes nothing, however it is spelled.
  CHECK(editor.set("PID-3.4.2", "1.2.3"));
  CHECK(editor.set("OBX-5", "4\\5 re \\Zx\\ \\.br\\", TextKind::hl7_text));
  CHECK(editor.set("PID-5.2", "Ilse"));
  CHECK(editor.clear(*Path::compile("PID-40.3")));
  CHECK_FALSE(editor.changed());
  CHECK(editor.encode() == kSample);
}

TEST_CASE("a write touches its field only") {
  CHECK(pid("PID-3[2].4.1", "S") == "PID|1||A1^^^H&1^MR~B2^^^S||N^G||\r");
  CHECK(pid("PID-3[2].4.2", "S") == "PID|1||A1^^^H&1^MR~B2^^^&S||N^G||\r");
  CHECK(pid("PID-3.4.3", "ISO") == "PID|1||A1^^^H&1&ISO^MR~B2||N^G||\r");
  CHECK(pid("PID-3[4]", "C") == "PID|1||A1^^^H&1^MR~B2~~C||N^G||\r");
  CHECK(pid("PID-3[1]", "C") == "PID|1||C~B2||N^G||\r");
  CHECK(pid("PID-3", "C") == "PID|1||C||N^G||\r");
  CHECK(pid("PID-3[last].1", "C") == "PID|1||A1^^^H&1^MR~C||N^G||\r");
  CHECK(pid("PID-3[*].5", "X") == "PID|1||A1^^^H&1^X~B2^^^^X||N^G||\r");
  CHECK(pid("PID-3[where .1 == \"B2\"].1", "C") == "PID|1||A1^^^H&1^MR~C||N^G||\r");
  CHECK(pid("PID-3[where .1 == \"no\"].1", "C") == "PID|1||A1^^^H&1^MR~B2||N^G||\r");
  CHECK(pid("PID-10", "x|y\r\n") == "PID|1||A1^^^H&1^MR~B2||N^G|||||x\\F\\y\\X0D\\\\X0A\\\r");
  CHECK(pid("PID-7.2.2", "t") == "PID|1||A1^^^H&1^MR~B2||N^G||^&t\r");
  CHECK(pid("PID-8", "F") == "PID|1||A1^^^H&1^MR~B2||N^G|||F\r");
  CHECK(pid("PID-5", "") == "PID|1||A1^^^H&1^MR~B2||||\r");
  const std::string changed = edited(kSample, "PID-5.2", "J\xC3\xBCrgen");
  std::string expected = kSample;
  expected.replace(expected.find("Ilse"), 4, "J\xFCrgen");
  CHECK(changed == expected);
}

TEST_CASE("null, raw text and clearing") {
  const auto message = Message::parse(kSample);
  MessageEditor editor(*message);
  CHECK(editor.set_null(*Path::compile("PID-5.1")));
  CHECK(editor.set_raw(*Path::compile("PID-4"), "a^b~c&d"));
  CHECK(editor.clear(*Path::compile("PID-8")));
  CHECK(editor.segment(1) == "PID|1||A1^^^HOSP&1.2.3&ISO^MR~B2^^^STATE^SS|a^b~c&d|\"\"^Ilse||||||");
  CHECK_FALSE(editor.set_raw(*Path::compile("PID-4[1]"), "a~b"));
  CHECK_FALSE(editor.set_raw(*Path::compile("PID-4.1"), "a^b"));
  CHECK_FALSE(editor.set_raw(*Path::compile("PID-4"), "a|b"));
  CHECK_FALSE(editor.set_raw(*Path::compile("PID-4"), "a\rOBX"));
  CHECK(editor.encode(true).find("\"\"^Ilse|||F") == std::string::npos);
  CHECK(editor.encode(true).find("\"\"^Ilse\r\n\r\nOBX|1") != std::string::npos);
  CHECK(editor.encode().find("zzz|lower|") != std::string::npos);
}

TEST_CASE("segments come and go, with the line ends of the message") {
  const auto message = Message::parse(kSample);
  MessageEditor editor(*message);
  REQUIRE(editor.insert_segment(2, "NTE"));
  REQUIRE(editor.set("NTE-3", "note"));
  REQUIRE(editor.remove_segment(*editor.find(segment_id("OBX"), 1)));
  CHECK(editor.set("OBX-1", "1"));
  REQUIRE(editor.insert_raw(editor.segment_count(), "ZAB|^x"));
  CHECK(editor.encode() ==
        "\n MSH|^~\\&|LAB|NORD|KIS|SUED|20240131||ORU^R01^ORU_R01|7|P|2.5.1||||||8859/1||\r\n"
        "PID|1||A1^^^HOSP&1.2.3&ISO^MR~B2^^^STATE^SS||Brandt^Ilse|||F|||\r\n\r\n"
        "NTE|||note\r\nOBX|1|ST|9^Y||a~~b||\r\nzzz|lower|\r\nZAB|^x\r\n");
  CHECK_FALSE(editor.insert_segment(0, "EVN"));
  CHECK_FALSE(editor.insert_segment(99, "EVN"));
  CHECK_FALSE(editor.insert_segment(1, "MSH"));
  CHECK_FALSE(editor.insert_segment(1, "no"));
  CHECK_FALSE(editor.insert_raw(1, "NTE|1\rNTE|2"));
  CHECK_FALSE(editor.remove_segment(0));
  CHECK_FALSE(editor.remove_segment(99));
}

TEST_CASE("what cannot be written is refused") {
  CHECK(refused("MSH-2", "x") == ErrorCode::bad_value);
  CHECK(refused("PID", "x") == ErrorCode::bad_value);
  CHECK(refused("PV1-2", "x") == ErrorCode::bad_path);
  CHECK(refused("OBX[3]-5", "x") == ErrorCode::bad_path);
  CHECK(refused("PID-2000", "x") == ErrorCode::limit_exceeded);
  CHECK(refused("PID-5", "\xE2\x82\xAC") == ErrorCode::unencodable_text);
  CHECK(refused("pid-5", "x") == ErrorCode::bad_path);
  const auto two = Message::parse("MSH|^~|a\rPID|1\r");
  MessageEditor editor(*two);
  CHECK_FALSE(editor.set("PID-3.1.2", "x"));
  CHECK_FALSE(editor.set("PID-3", "a|b"));
  CHECK(editor.set("PID-3", "a&b"));
  CHECK(editor.encode() == "MSH|^~|a\rPID|1||a&b\r");
}

TEST_CASE("any value written comes back, and nothing else moves") {
  kiln::base::SeededRandom random(11);
  const std::string alphabet = "a|^~\\&\r\n\"\x01 .XF";
  for (int round = 0; round < 3000; ++round) {
    std::string value;
    for (auto n = 1 + random.below(6); n > 0; --n) value += alphabet[random.below(alphabet.size())];
    const std::string path = "PID-" + std::to_string(1 + random.below(9)) + "[" +
                             std::to_string(1 + random.below(3)) + "]." +
                             std::to_string(1 + random.below(4)) + "." + std::to_string(1 + random.below(3));
    const std::string out = edited("MSH|^~\\&|a\rPID|1||A1^^^H&1^MR~B2||N^G||\rNTE|1\r", path, value);
    const auto back = Message::parse(out);
    REQUIRE(back);
    REQUIRE(Path::compile(path)->get(*back).to_text() == value);
    REQUIRE(out.substr(0, 11) == "MSH|^~\\&|a\r");
    REQUIRE(out.ends_with("\rNTE|1\r"));
    REQUIRE(back->segment_count() == 3);
  }
}
