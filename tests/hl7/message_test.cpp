// Segments, fields and their parts; headers, line ends, limits, places.

#include "hl7/message.h"

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <vector>

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

/// Kept to the end of the program, because nothing may be asked of a temporary message.
const Message& parse(std::string bytes, const ParseOptions& options = {}) {
  static std::deque<Message> kept;
  auto message = Message::parse(std::move(bytes), options);
  REQUIRE(message.has_value());
  return kept.emplace_back(std::move(*message));
}

ErrorCode parse_error(std::string bytes, const ParseOptions& options = {}) {
  const auto message = Message::parse(std::move(bytes), options);
  REQUIRE_FALSE(message.has_value());
  return message.error().code;
}

std::vector<ErrorCode> codes(const Message& message) {
  std::vector<ErrorCode> codes;
  for (const auto& diagnostic : message.diagnostics()) codes.push_back(diagnostic.code);
  return codes;
}

std::vector<std::string> lines(const Message& message) {
  std::vector<std::string> lines;
  for (std::uint32_t i = 0; i < message.segment_count(); ++i) lines.emplace_back(message.segment(i).raw());
  return lines;
}

using Lines = std::vector<std::string>;
using Codes = std::vector<ErrorCode>;

const std::string kSample =
    "MSH|^~\\&|LAB|NORD|KIS|SUED|20240131||ORU^R01^ORU_R01|7|P|2.5.1\r"
    "PID|1||A1^^^HOSP&1.2.3&ISO^MR~B2^^^STATE^SS||Brandt^Ilse^\"\"||19700203|F||\"\"\r"
    "OBX|1|NM|1234^X||5.5\r"
    "OBX|2|ST|9^Y||a~~b\r";

}  // namespace

TEST_CASE("a header separator is field 1 and the delimiters are field 2, verbatim") {
  const Message& message = parse(kSample);
  const SegmentView msh = message.header();
  CHECK(msh.field(1).raw() == "|");
  CHECK(msh.field(2).raw() == "^~\\&");
  CHECK(msh.field(2).to_text() == "^~\\&");
  CHECK(msh.field(2).valued());
  CHECK(msh.field(2).repetition_count() == 1);
  CHECK(msh.field(2).component(1).raw() == "^~\\&");
  CHECK(msh.field(2).component(2).absent());
  CHECK(msh.field(3).raw() == "LAB");
  CHECK(msh.field(12).raw() == "2.5.1");
  CHECK(msh.field_count() == 12);
  CHECK_FALSE(msh.field(13).located());
  CHECK_FALSE(msh.field(0).located());
}

TEST_CASE("parts of a field, by number and in order") {
  const Message& message = parse(kSample);
  const FieldView pid3 = message.field("PID", 3);
  CHECK(pid3.repetition_count() == 2);
  CHECK(pid3.repetition(1).component(4).sub(2).raw() == "1.2.3");
  CHECK(pid3.repetition(2).component(5).raw() == "SS");
  CHECK_FALSE(pid3.repetition(3).located());
  CHECK(pid3.repetition(1).component_count() == 5);
  CHECK(pid3.repetition(1).component(4).sub_count() == 3);
  std::string all;
  for (const auto repetition : pid3.repetitions()) {
    for (const auto component : repetition.components()) {
      for (const auto leaf : component.subs()) all += std::string(leaf.raw()) + ";";
      all += "/";
    }
    all += "#";
  }
  CHECK(all == "A1;///HOSP;1.2.3;ISO;/MR;/#B2;///STATE;/SS;/#");
  CHECK(message.find("OBX", 2).field(5).repetition_count() == 3);
  CHECK(message.find("OBX", 2).field(5).repetition(2).located());
  CHECK(message.find("OBX", 2).field(5).repetition(2).absent());
  CHECK(message.find("OBX", 2).occurrence() == 2);
  CHECK_FALSE(message.find("OBX", 3).exists());
  CHECK_FALSE(message.find("NTE").exists());
  CHECK(message.find_from(3, segment_id("OBX")).index() == 3);
}

TEST_CASE("promotion: a deeper level of a plain value is the value at 1 and absent beyond") {
  const Message& message = parse(kSample);
  const FieldView value = message.find("OBX").field(5);
  CHECK(value.repetition(1).component(1).sub(1).raw() == "5.5");
  CHECK_FALSE(value.repetition(1).component(2).located());
  CHECK_FALSE(value.repetition(1).component(1).sub(2).located());
  CHECK(message.field("PID", 3).to_text() == "A1");
  CHECK(message.field("PID", 3).component(4).to_text() == "HOSP");
}

TEST_CASE("absent, null and valued are three answers at every level") {
  const Message& message = parse("MSH|^~\\&|a\rZZZ||\"\"|x|^^&|\"\"^b|c~\"\"|\"\"\"\r");
  const SegmentView z = message.find("ZZZ");
  CHECK(z.field(1).presence() == Presence::absent);
  CHECK(z.field(1).located());
  CHECK(z.field(2).presence() == Presence::null_);
  CHECK(z.field(2).to_text().empty());
  CHECK(z.field(3).presence() == Presence::valued);
  CHECK(z.field(4).presence() == Presence::absent);
  CHECK(z.field(5).presence() == Presence::valued);
  CHECK(z.field(5).component(1).is_null());
  CHECK(z.field(5).leaf().is_null());
  CHECK(z.field(6).repetition(2).is_null());
  CHECK(z.field(7).valued());
  CHECK(z.field(7).to_text() == "\"\"\"");
  CHECK(z.field(99).presence() == Presence::absent);
  CHECK(SegmentView().field(1).absent());
  CHECK(FieldView().repetition(1).component(1).sub(1).absent());
}

TEST_CASE("views outlive a move of the message") {
  Message first = *Message::parse(kSample);
  const LeafView leaf = first.field("PID", 5).leaf();
  const Message second = std::move(first);
  CHECK(leaf.raw() == "Brandt");
  CHECK(second.bytes() == kSample);
}

TEST_CASE("delimiters come from the message") {
  const Message& other = parse("MSH*:+?%*a*b\rPID*1**x:y%z+w\r");
  CHECK(other.delimiters() == Delimiters{'*', ':', '+', '?', '%', '\0'});
  CHECK(other.field("PID", 3).repetition(1).component(2).sub(2).raw() == "z");
  CHECK(other.field("PID", 3).repetition(2).raw() == "w");
  CHECK(other.diagnostics().empty());

  const Message& five = parse("MSH|^~\\&#|a\r");
  CHECK(five.delimiters().truncation == '#');
  CHECK(five.delimiters().encoding_characters() == "^~\\&#");

  const Message& two = parse("MSH|^~|a\rPID|1||x&y\\T\\^z\r");
  CHECK(two.delimiters().escape == '\0');
  CHECK(two.field("PID", 3).component(1).sub_count() == 1);
  CHECK(two.field("PID", 3).to_text() == "x&y\\T\\");
  CHECK(two.diagnostics().empty());

  const Message& twice = parse("MSH|^^\\&|a^b\r");
  CHECK(twice.delimiters().component == '^');
  CHECK(twice.delimiters().repetition == '\0');
  CHECK(codes(twice) == Codes{ErrorCode::bad_delimiters});

  CHECK(codes(parse("MSH|^~\\&XX|a\r")) == Codes{ErrorCode::bad_delimiters});
  CHECK(codes(parse("MSH||a\r")) == Codes{ErrorCode::bad_delimiters});
  CHECK(codes(parse("MSH|^~a&|a\r")) == Codes{ErrorCode::bad_delimiters});
}

TEST_CASE("headers: truncated, in lower case, of files, missing") {
  CHECK(parse("MSH|^~\\&|A").field("MSH", 3).raw() == "A");
  CHECK(parse("MSH|^~\\&").header().field_count() == 2);
  CHECK(parse("MSH|").header().field_count() == 2);
  const Message& lower = parse("msh|^~\\&|a\rpid|1\r");
  CHECK(lower.header().field(3).raw() == "a");
  CHECK(lower.field("PID", 1).raw() == "1");
  CHECK(codes(lower) == Codes{ErrorCode::segment_case, ErrorCode::segment_case});
  CHECK(parse("BHS|^~\\&|a|b\r").field("BHS", 4).raw() == "b");
  CHECK(parse("FHS|^~\\&|a|b\r").header().field(2).raw() == "^~\\&");
  for (const std::string bad :
       {"", "   ", "MSH", "MSH\r", "MSHA^~", "PID|1\r", "hello", "MSH \r", "MSH\xA6^~"}) {
    CHECK(parse_error(bad) == ErrorCode::no_header);
  }
  const Message& twice = parse("MSH|^~\\&|a\rMSH|^~\\&|b\r");
  CHECK(codes(twice) == Codes{ErrorCode::second_header});
  CHECK(twice.find("MSH", 2).field(3).raw() == "b");
}

TEST_CASE("what stands before the header is skipped and stays in the bytes") {
  const std::string bytes = std::string("\xEF\xBB\xBF \r\n\0\x0b", 8) + "MSH|^~\\&|a\r";
  const Message& message = parse(bytes);
  CHECK(message.bytes() == bytes);
  CHECK(message.header().offset() == 8);
  CHECK(message.header().field(3).offset() == 17);
  CHECK(codes(message) == Codes{ErrorCode::leading_noise});
}

TEST_CASE("line ends: CR, LF, CR LF, and a line feed that is data") {
  const Lines two = {"MSH|^~\\&|a", "PID|1"};
  CHECK(lines(parse("MSH|^~\\&|a\rPID|1\r")) == two);
  CHECK(lines(parse("MSH|^~\\&|a\rPID|1")) == two);
  CHECK(lines(parse("MSH|^~\\&|a\nPID|1\n")) == two);
  CHECK(lines(parse("MSH|^~\\&|a\r\nPID|1\r\n")) == two);
  CHECK(parse("MSH|^~\\&|a\r\nPID|1\r\n").diagnostics().empty());

  const Message& data = parse("MSH|^~\\&|a\rNTE|1||one\ntwo\nthree\rPID|1\r");
  CHECK(data.field("NTE", 3).raw() == "one\ntwo\nthree");
  CHECK(data.diagnostics().empty());

  const Message& mixed = parse("MSH|^~\\&|a\rNTE|1||one\nPID|1\nPV1|1\r");
  CHECK(mixed.segment_count() == 4);
  CHECK(codes(mixed) == Codes{ErrorCode::mixed_line_ends});
  // No segment name in front of the separator: data.
  CHECK(parse("MSH|^~\\&|a\rNTE|1||one\npid|1\r").segment_count() == 2);
  CHECK(parse("MSH|^~\\&|a\rNTE|1||one\nPI|1\r").segment_count() == 2);

  const Message& blank = parse("MSH|^~\\&|a\r\rPID|1\r \t\r\n\r");
  CHECK(lines(blank) == two);
  CHECK(codes(blank) == Codes{ErrorCode::blank_line});
  CHECK(lines(parse(std::string("MSH|^~\\&|a\rPID|1\r\0\0", 19))) == two);

  ParseOptions only_cr;
  only_cr.line_ends = LineEnds::cr;
  CHECK(parse("MSH|^~\\&|a\rNTE|1||one\nPID|1\r", only_cr).segment_count() == 2);
  ParseOptions any;
  any.line_ends = LineEnds::any;
  CHECK(parse("MSH|^~\\&|a\rNTE|1||one\ntwo\r", any).segment_count() == 3);
}

TEST_CASE("lines without a segment name are kept") {
  const Message& message = parse("MSH|^~\\&|a\rthis is no segment|x\r PID|1\rZ1|2\rPID|1\r");
  CHECK(message.segment_count() == 5);
  CHECK(message.segment(1).id() == 0);
  CHECK(message.segment(1).name() == "this is no segment");
  CHECK(message.segment(1).field(1).raw() == "x");
  CHECK(message.find("PID").index() == 4);
  CHECK(codes(message) == Codes(3, ErrorCode::unnamed_segment));
}

TEST_CASE("limits hold at n and fail at n + 1") {
  ParseOptions options;
  options.segments_max = 3;
  options.fields_max = 5;
  options.repetitions_max = 4;
  const std::string header = "MSH|^~\\&|a\r";
  CHECK(parse(header + "A01|1\r", options).segment_count() == 2);
  CHECK(parse(header + "A01|1\rA02|1\r", options).segment_count() == 3);
  CHECK(parse_error(header + "A01|1\rA02|1\rA03|1\r", options) == ErrorCode::limit_exceeded);
  CHECK(parse(header + "A01|1|2|3|4\r", options).field("A01", 4).raw() == "4");
  CHECK(parse(header + "A01|1|2|3|4|5\r", options).field("A01", 5).raw() == "5");
  CHECK(parse_error(header + "A01|1|2|3|4|5|6\r", options) == ErrorCode::limit_exceeded);
  CHECK(parse("MSH|^~\\&|3|4|5\r", options).header().field_count() == 5);
  CHECK(parse_error("MSH|^~\\&|3|4|5|6\r", options) == ErrorCode::limit_exceeded);
  CHECK(parse(header + "A01|1~2~3\r", options).field("A01", 1).repetition_count() == 3);
  CHECK(parse(header + "A01|1~2~3~4\r", options).field("A01", 1).repetition_count() == 4);
  CHECK(parse_error(header + "A01|1~2~3~4~5\r", options) == ErrorCode::limit_exceeded);
  CHECK(parse_error(header + "A01|~~~~\r", options) == ErrorCode::limit_exceeded);
  options = {};
  options.bytes_max = header.size() + 1;
  CHECK(parse(header, options).segment_count() == 1);
  CHECK(parse(header + "\n", options).segment_count() == 1);
  CHECK(parse_error(header + "\n\n", options) == ErrorCode::limit_exceeded);
}

TEST_CASE("the default limits are those of the product") {
  const std::string header = "MSH|^~\\&|a\r";
  std::string segments = header;
  for (std::size_t i = 1; i < kiln::base::limits::kSegmentsMax; ++i) segments += "ZZZ|1\r";
  CHECK(parse(segments).segment_count() == kiln::base::limits::kSegmentsMax);
  CHECK(parse_error(segments + "ZZZ|1\r") == ErrorCode::limit_exceeded);
  const std::string fields = header + "ZZZ" + std::string(kiln::base::limits::kFieldsMax, '|');
  CHECK(parse(fields).find("ZZZ").field_count() == kiln::base::limits::kFieldsMax);
  CHECK(parse_error(fields + "|") == ErrorCode::limit_exceeded);
  const std::string repetitions = header + "ZZZ|" + std::string(kiln::base::limits::kRepetitionsMax - 1, '~');
  CHECK(parse(repetitions).field("ZZZ", 1).repetition_count() == kiln::base::limits::kRepetitionsMax);
  CHECK(parse_error(repetitions + "~") == ErrorCode::limit_exceeded);
}

TEST_CASE("diagnostics are capped and then counted") {
  std::string bytes = "MSH|^~\\&|a\r";
  const std::size_t more = 7;
  for (std::size_t i = 0; i < kiln::base::limits::kParseDiagnosticsMax + more; ++i) bytes += "?\r";
  const Message& message = parse(bytes);
  CHECK(message.diagnostics().size() == kiln::base::limits::kParseDiagnosticsMax);
  CHECK(message.diagnostics_dropped() == more);
}

TEST_CASE("an offset has a place, and a place has one spelling") {
  const Message& message = parse(kSample);
  const auto place_of = [&](std::string_view text) {
    return message.place(message.locate(static_cast<std::uint32_t>(message.bytes().find(text))));
  };
  CHECK(place_of("1.2.3") == "PID-3[1].4.2");
  CHECK(place_of("STATE") == "PID-3[2].4.1");
  CHECK(place_of("Ilse") == "PID-5[1].2.1");
  CHECK(place_of("OBX|2") == "OBX[2]");
  CHECK(place_of("b\r") == "OBX[2]-5[3].1.1");
  CHECK(message.place(message.locate(0)) == "MSH");
  CHECK(message.place(message.locate(3)) == "MSH-1[1].1.1");
  CHECK(message.place(message.locate(4)) == "MSH-2[1].1.1");
  CHECK(place_of("LAB") == "MSH-3[1].1.1");
  CHECK(message.place({1, 3, 0, 0, 0}) == "PID-3");
  const Message& odd = parse("MSH|^~\\&|a\r?|b\r");
  CHECK(odd.place(odd.locate(13)) == "segment 2-1[1].1.1");
}

TEST_CASE("segments without a header are read with given delimiters") {
  ParseOptions options;
  options.headerless = Delimiters{};
  const Message& trailer = parse("BTS|3|done\r", options);
  CHECK(trailer.segment(0).field(1).raw() == "3");
  CHECK_FALSE(trailer.header().exists());
  CHECK(parse("MSH*:+?%*a\r", options).delimiters().field == '*');
}
