// Paths: what compiles, what they find, how errors point.

#include "hl7/path.h"

#include <catch2/catch.hpp>
#include <string>

using namespace kiln::hl7;

namespace {

const Message& sample() {
  static const Message message = *Message::parse(
      "MSH|^~\\&|LAB|NORD|||20240131||ORU^R01^ORU_R01|7|P|2.5.1\r"
      "PID|1||A1^^^HOSP&1.2&ISO^MR~B2^^^STATE^SS~C3^^^HOSP^PI||Brandt^Ilse\\T\\Co\r"
      "OBX|1|NM|a||5.5\rNTE|1||n\rOBX|2|ST|b||x~y\rOBX|3|ST|c||\r");
  return message;
}
std::string get(std::string_view path) {
  const auto compiled = Path::compile(path);
  INFO(path);
  REQUIRE(compiled);
  return compiled->get(sample()).to_text();
}
std::string all(std::string_view path) {
  const auto compiled = Path::compile(path);
  INFO(path);
  REQUIRE(compiled);
  std::string text;
  compiled->visit(sample(), [&](const Piece& piece) {
    text += piece.to_text() + ";";
    return true;
  });
  return text;
}
std::string error(std::string_view path) {
  const auto compiled = Path::compile(path);
  INFO(path);
  REQUIRE_FALSE(compiled);
  return compiled.error().place + ": " + compiled.error().text;
}

}  // namespace

TEST_CASE("a path finds its value") {
  CHECK(get("PID-3") == "A1");
  CHECK(get("PID-3.1.1") == "A1");
  CHECK(get("PID-3[2]") == "B2");
  CHECK(get("PID-3[2].4") == "STATE");
  CHECK(get("PID-3.4.2") == "1.2");
  CHECK(get("PID-3[last].5") == "PI");
  CHECK(get("PID-5.2") == "Ilse&Co");
  CHECK(get("OBX[2]-5[2]") == "y");
  CHECK(get("OBX[last]-3") == "c");
  CHECK(get("MSH-1") == "|");
  CHECK(get("MSH-2") == "^~\\&");
  CHECK(get("MSH-9.3") == "ORU_R01");
  CHECK(get("PID-3[where .5 == \"SS\"].1") == "B2");
  CHECK(get("PID-3[where .4.1 == \"HOSP\"]") == "A1");
  CHECK(get("PID-3[where .5 != \"MR\"].5") == "SS");
  CHECK(get("PID-99") == "");
  CHECK(get("ZZZ-1") == "");
  CHECK_FALSE(Path::compile("PID-3[9]")->get(sample()).located());
  CHECK(Path::compile("PID-3")->get(sample()).raw() == "A1^^^HOSP&1.2&ISO^MR");
}

TEST_CASE("a star visits everything in order") {
  CHECK(all("PID-3[*]") == "A1;B2;C3;");
  CHECK(all("OBX[*]-3") == "a;b;c;");
  CHECK(all("OBX[*]-5[*]") == "5.5;x;y;");
  CHECK(all("OBX[*]-5") == "5.5;x;;");
  CHECK(all("PID-3[where .4 == \"HOSP\"].5") == "MR;PI;");
  CHECK(all("PID-3[2]") == "B2;");
  CHECK(all("PID-3[7]") == "");
}

TEST_CASE("the segment of a path") {
  CHECK(Path::compile("OBX[2]")->segment(sample()).index() == 4);
  CHECK(Path::compile("OBX[last]")->segment(sample()).index() == 5);
  CHECK_FALSE(Path::compile("OBX[4]")->segment(sample()).exists());
  CHECK_FALSE(Path::compile("OBX")->get(sample()).located());
}

TEST_CASE("a path prints as it is spelled, without what says nothing") {
  for (const auto* path : {"PID-3", "PID-3[2].4.1", "OBX[2]-5", "OBX[*]-5[last].1", "PID",
                           "PID-3[where .5 == \"M\\\"R\"].1", "PID-3[where .4.2 != \"x\"]"}) {
    CHECK(Path::compile(path)->print() == path);
  }
  CHECK(Path::compile("PID[1]-3[1]")->print() == "PID-3");
}

TEST_CASE("errors say where and what") {
  CHECK(error("") == "column 1: expected a segment name of three capital letters or digits");
  CHECK(error("pid-3") == "column 1: expected a segment name of three capital letters or digits");
  CHECK(error("PI") == "column 1: expected a segment name of three capital letters or digits");
  CHECK(error("PID3") == "column 4: expected '-' and a field number");
  CHECK(error("PID.3") == "column 4: a group path is not possible here; start at the segment");
  CHECK(error("PID-") == "column 5: expected a field number");
  CHECK(error("PID-0") == "column 5: numbers start at 1");
  CHECK(error("PID-3[") == "column 7: expected a number, 'last' or '*'");
  CHECK(error("PID-3[2") == "column 8: expected ']'");
  CHECK(error("PID-3.") == "column 7: expected a component number");
  CHECK(error("PID-3.1.") == "column 9: expected a subcomponent number");
  CHECK(error("PID-3.1.1.1") == "column 10: the path should end here");
  CHECK(error("PID-3 ") == "column 6: the path should end here");
  CHECK(error("PID-3[where 5 == \"a\"]") == "column 13: expected '.' and a component number");
  CHECK(error("PID-3[where .5 = \"a\"]") == "column 16: expected == or !=");
  CHECK(error("PID-3[where .5 == a]") == "column 19: expected a text in double quotes");
  CHECK(error("PID-3[where .5 == \"a]") == "column 22: the text has no closing quote");
  CHECK(error("PID-3[where .5 == \"a\\") == "column 22: the text has no closing quote");
  CHECK(error("PID-99999999") == "column 12: the path should end here");
}
