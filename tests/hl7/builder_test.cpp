// Writing messages: escaping, padding, splicing, copying.

#include "hl7/builder.h"

#include <catch2/catch.hpp>
#include <string>

#include "engine/base/random.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

std::string print(const SegmentBuilder& segment) {
  std::string text;
  segment.print(text);
  return text;
}

}  // namespace

TEST_CASE("a built message has CR ends, its delimiters and no trailing delimiters") {
  MessageBuilder builder;
  SegmentBuilder& msh = builder.add("MSH");
  REQUIRE(msh.set(3, "LAB"));
  REQUIRE(msh.set_component(9, 1, 2, "R01"));
  REQUIRE(msh.set_component(9, 1, 1, "ORU"));
  REQUIRE(msh.set(12, ""));
  SegmentBuilder& pid = builder.add("PID");
  REQUIRE(pid.set(5, 1, 1, 1, "O|Neil^&~\\\r\n"));
  REQUIRE(pid.set_null(7));
  builder.add("ZZZ");
  CHECK(builder.print() ==
        "MSH|^~\\&|LAB||||||ORU^R01\rPID|||||O\\F\\Neil\\S\\\\T\\\\R\\\\E\\\\X0D\\\\X0A\\||\"\"\rZZZ\r");
  CHECK(builder.segment(2).empty());
}

TEST_CASE("setting a part keeps the others") {
  SegmentBuilder segment("PID", {});
  REQUIRE(segment.set(3, "123"));
  REQUIRE(segment.set(3, 1, 4, 2, "1.2.3"));
  REQUIRE(segment.set(3, 1, 4, 1, "HOSP"));
  REQUIRE(segment.set(3, 3, 1, 1, "third"));
  REQUIRE(segment.set(3, 2, 5, 1, "MR"));
  CHECK(print(segment) == "PID|||123^^^HOSP&1.2.3~^^^^MR~third");
  CHECK(segment.repetition_count(3) == 3);
  REQUIRE(segment.set_repetition(3, 2, "plain^"));
  CHECK(segment.raw(3) == "123^^^HOSP&1.2.3~plain\\S\\~third");
  REQUIRE(segment.set_component(3, 1, 4, "X"));
  CHECK(segment.raw(3) == "123^^^X~plain\\S\\~third");
}

TEST_CASE("an empty value clears and never pads") {
  SegmentBuilder segment("PID", {});
  REQUIRE(segment.set(9, 2, 3, 4, ""));
  CHECK(print(segment) == "PID");
  REQUIRE(segment.set_raw(3, "a^b^c&d~e"));
  REQUIRE(segment.set(3, 1, 3, 2, ""));
  CHECK(segment.raw(3) == "a^b^c~e");
  REQUIRE(segment.set(3, 1, 3, 1, ""));
  CHECK(segment.raw(3) == "a^b~e");
  REQUIRE(segment.set(3, 1, 1, 1, ""));
  CHECK(segment.raw(3) == "^b~e");
  REQUIRE(segment.set(3, 2, 1, 1, ""));
  CHECK(segment.raw(3) == "^b");
  REQUIRE(segment.set(3, 1, 2, 1, ""));
  CHECK(segment.raw(3).empty());
  CHECK(segment.empty());
}

TEST_CASE("HL7 text is taken as it is where it fits its place") {
  SegmentBuilder segment("OBX", {});
  REQUIRE(segment.set_raw(5, "a\\.br\\b~c"));
  CHECK(segment.raw(5) == "a\\.br\\b~c");
  REQUIRE(segment.set_raw(5, "x^y", 2));
  CHECK(segment.raw(5) == "a\\.br\\b~x^y");
  REQUIRE(segment.set_raw(5, "p&q", 1, 2));
  CHECK(segment.raw(5) == "a\\.br\\b^p&q~x^y");
  for (const auto& [text, repetition, component] :
       {std::tuple{"a|b", 0u, 0u}, {"a\rb", 0u, 0u}, {"a\nb", 0u, 0u}, {"a~b", 1u, 0u}, {"a^b", 1u, 1u}}) {
    CHECK(segment.set_raw(5, text, repetition, component).error().code == ErrorCode::bad_value);
  }
}

TEST_CASE("impossible places are errors") {
  SegmentBuilder msh("MSH", {});
  CHECK(msh.set(1, "x").error().code == ErrorCode::bad_value);
  CHECK(msh.set(2, "x").error().code == ErrorCode::bad_value);
  SegmentBuilder segment("PID", {});
  CHECK(segment.set(0, "x").error().code == ErrorCode::bad_value);
  CHECK(segment.set(3, 0, 1, 1, "x").error().code == ErrorCode::bad_value);
  CHECK(segment.set(kiln::base::limits::kFieldsMax, "x"));
  CHECK(segment.set(kiln::base::limits::kFieldsMax + 1, "x").error().code == ErrorCode::limit_exceeded);
  CHECK(segment.set(3, kiln::base::limits::kRepetitionsMax, 1, 1, "x"));
  CHECK(segment.set(3, kiln::base::limits::kRepetitionsMax + 1, 1, 1, "x").error().code ==
        ErrorCode::limit_exceeded);
  SegmentBuilder poor("PID", {'|', '^', '~', '\0', '\0', '\0'});
  CHECK(poor.set(3, 1, 1, 2, "x").error().code == ErrorCode::bad_value);
  CHECK(poor.set(3, "a^b").error().code == ErrorCode::no_escape_character);
  CHECK(poor.set(3, 1, 2, 1, "x"));
}

TEST_CASE("copies are verbatim between equal delimiters and re-escaped otherwise") {
  const auto source = Message::parse("MSH|^~\\&|a\rPID|1||A\\F\\^b&c~\"\"|x\\.br\\*y|\\X4A\\\r");
  REQUIRE(source);
  MessageBuilder same;
  REQUIRE(same.add_copy(source->header(), *source));
  REQUIRE(same.add_copy(source->find("PID"), *source));
  CHECK(same.print() == source->bytes());
  MessageBuilder other(Delimiters{'*', ':', '+', '?', '%', '\0'});
  REQUIRE(other.add_copy(source->header(), *source));
  REQUIRE(other.add_copy(source->find("PID"), *source));
  CHECK(other.print() == "MSH*:+?%*a\rPID*1**A|:b%c+\"\"*x\\.br\\?F?y*J\r");
  const auto latin = Message::parse("MSH|^~\\&|J\xF6rg|||||||||||||||8859/1\r");
  REQUIRE(latin);
  MessageBuilder recoded;
  REQUIRE(recoded.add("MSH").copy(3, latin->header().field(3), *latin));
  CHECK(recoded.print() == "MSH|^~\\&|J\xC3\xB6rg\r");
  CHECK(*recoded.print(Charset::latin1(), Unencodable::reject) == "MSH|^~\\&|J\xF6rg\r");
  CHECK_FALSE(recoded.print(Charset::ascii(), Unencodable::reject));
}

TEST_CASE("property: what is set is what a parse of the built message gives") {
  kiln::base::SeededRandom random(11);
  const std::string alphabet = "ab|^~\\&\r\n\"#";
  for (int round = 0; round < 3000; ++round) {
    MessageBuilder builder;
    REQUIRE(builder.add("MSH").set(18, "UNICODE UTF-8"));
    SegmentBuilder& segment = builder.add("ZZZ");
    const auto field = 1 + static_cast<std::uint32_t>(random.below(4));
    std::vector<std::pair<std::array<std::uint32_t, 3>, std::string>> sets;
    for (std::uint32_t r = 1; r <= 3; ++r) {
      for (std::uint32_t c = 1; c <= 3; ++c) {
        if (random.below(2) == 0) continue;
        const auto s = 1 + static_cast<std::uint32_t>(random.below(3));
        std::string text;
        for (auto n = 1 + random.below(5); n > 0; --n) text += alphabet[random.below(alphabet.size())];
        sets.insert(sets.begin() + static_cast<std::ptrdiff_t>(random.below(sets.size() + 1)),
                    {{r, c, s}, text});
      }
    }
    for (const auto& [at, text] : sets) REQUIRE(segment.set(field, at[0], at[1], at[2], text));
    const auto message = Message::parse(builder.print());
    REQUIRE(message);
    for (const auto& [at, text] : sets) {
      const auto leaf = message->find("ZZZ").field(field).repetition(at[0]).component(at[1]).sub(at[2]);
      REQUIRE(leaf.valued());
      REQUIRE(leaf.to_text() == text);
    }
  }
}

TEST_CASE("a line whose name would become another segment in the copy is refused") {
  ParseOptions options;
  options.line_ends = LineEnds::cr;
  const auto message = Message::parse("MSH|^~\\&|A|||||||1|P|2.5\rS\nPID|1\rA*B|2\rZZ1|3\r", options);
  REQUIRE(message);
  REQUIRE(message->segment_count() == 4);
  MessageBuilder other(Delimiters{'*', ':', '+', '?', '%', '\0'});
  CHECK_FALSE(other.add_copy(message->segment(1), *message).has_value());
  CHECK_FALSE(other.add_copy(message->segment(2), *message).has_value());
  CHECK(other.add_copy(message->segment(3), *message).has_value());
  MessageBuilder same;
  CHECK(same.add_copy(message->segment(2), *message).has_value());
}
