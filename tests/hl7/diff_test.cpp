// Differences: what is aligned, what counts as equal.

#include "hl7/diff.h"

#include <catch2/catch.hpp>
#include <string>

using namespace kiln::hl7;

namespace {

constexpr const char* kHeader = "MSH|^~\\&|LAB|NORD|||20240131||ORU^R01^ORU_R01|7|P|2.5.1\r";

std::string differences(const std::string& before, const std::string& after, const DiffOptions& options = {}) {
  const auto a = Message::parse(before), b = Message::parse(after);
  REQUIRE(a);
  REQUIRE(b);
  std::string out;
  for (const SegmentDifference& segment : diff(*a, *b, options).segments) {
    if (!segment.after) out += "-" + std::string(a->segment(*segment.before).raw()) + "\n";
    if (!segment.before) out += "+" + std::string(b->segment(*segment.after).raw()) + "\n";
    for (const ValueDifference& value : segment.values) {
      out += value.before ? a->place(*value.before) + "=" + (value.before_null ? "null" : value.before_text) : "none";
      out += " > ";
      out += value.after ? b->place(*value.after) + "=" + (value.after_null ? "null" : value.after_text) : "none";
      out += "\n";
    }
  }
  return out;
}

std::string segments(const std::string& before, const std::string& after) {
  return differences(kHeader + before, kHeader + after);
}

}  // namespace

TEST_CASE("diff: a changed, an added and a removed value") {
  CHECK(segments("PID|1||A^B\r", "PID|1||A^C\r") == "PID-3.2=B > PID-3.2=C\n");
  CHECK(segments("PID|1||A\r", "PID|1||A^^C\r") == "none > PID-3.3=C\n");
  CHECK(segments("PID|1||A^B&C\r", "PID|1||A^B\r") == "PID-3.2.2=C > none\n");
}

TEST_CASE("diff: null, empty and absent are three things") {
  CHECK(segments("PID|1||A||x\r", "PID|1||A||\"\"\r") == "PID-5=x > PID-5=null\n");
  CHECK(segments("PID|1||A||\"\"\r", "PID|1||A\r") == "PID-5=null > none\n");
  CHECK(segments("PID|1||A||\r", "PID|1||A|||||\r").empty());
}

TEST_CASE("diff: an inserted segment does not make the rest differ") {
  CHECK(segments("OBX|1|NM|a\rOBX|2|NM|b\rOBX|3|NM|c\r", "OBX|1|NM|a\rOBX|2|NM|x\rOBX|2|NM|b\rOBX|3|NM|c\r") ==
        "+OBX|2|NM|x\n");
  CHECK(segments("OBX|1|NM|a\rOBX|2|NM|b\rOBX|3|NM|c\r", "OBX|1|NM|a\rOBX|2|NM|c\r") ==
        "-OBX|2|NM|b\nOBX[3]-1=3 > OBX[2]-1=2\n");
}

TEST_CASE("diff: an inserted repetition is one difference") {
  CHECK(segments("PID|1||A~B~C\r", "PID|1||A~X~B~C\r") == "none > PID-3[2]=X\n");
  CHECK(segments("PID|1||A~B\r", "PID|1||A~D\r") == "PID-3[2]=B > PID-3[2]=D\n");
}

TEST_CASE("diff: other bytes of the same values are equal") {
  CHECK(differences("MSH|^~\\&|L|||||||7|P|2.5\rNTE|1||a\\T\\b\r", "MSH|*~\\%|L|||||||7|P|2.5\nNTE|1||a&b|||\n") ==
        "MSH-2=^~\\& > MSH-2=*~\\%\n");
  CHECK(segments("NTE|1||\\X41\\\r", "NTE|1||A\r").empty());
}

TEST_CASE("diff: what is to be ignored") {
  DiffOptions options;
  options.ignore.push_back(*Path::compile("MSH-7"));
  options.ignore.push_back(*Path::compile("PID-3.4"));
  const std::string before = "MSH|^~\\&|L||||2024||ADT|7|P|2.5\rPID|||A^^^N\r";
  const std::string after = "MSH|^~\\&|L||||2025||ADT|8|P|2.5\rPID|||A^^^M\r";
  CHECK(differences(before, after, options) == "MSH-10=7 > MSH-10=8\n");
}

TEST_CASE("diff: many segments are compared in bounded time") {
  std::string before = kHeader, after = kHeader;
  for (int i = 0; i < 6'000; ++i) {
    before += "OBX|" + std::to_string(i) + "|NM|a" + std::to_string(i) + "\r";
    after += "OBX|" + std::to_string(i) + "|NM|b" + std::to_string(i) + "\r";
  }
  const auto a = Message::parse(before), b = Message::parse(after);
  CHECK(diff(*a, *b).segments.size() == 6'000);
}
