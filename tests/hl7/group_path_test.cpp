// Paths through groups.

#include "hl7/group_path.h"

#include <catch2/catch.hpp>
#include <string>

using namespace kiln::hl7;

namespace {

struct Sample {
  Message message = *Message::parse(
      "MSH|^~\\&|LAB|NORD|||20240131||ORU^R01^ORU_R01|7|P|2.5.1\rPID|1||A1\rORC|RE|o1\rOBR|1||f1\r"
      "OBX|1|NM|a||1\rNTE|1||n1\rOBX|2|NM|b||2\rORC|RE|o2\rOBR|2||f2\rNTE|1||n2\rOBX|1|NM|c||3~4\rZZZ|1\r");
  GroupTree tree;
  Sample() {
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < message.segment_count(); ++i) ids.push_back(message.segment(i).id());
    match(Structure::find(Version::v2_5_1, "ORU_R01"), ids, tree);
  }
};

std::string all(std::string_view text) {
  static const Sample sample;
  const auto path = GroupPath::compile(text);
  INFO(text);
  REQUIRE(path);
  std::string out;
  path->visit(sample.message, sample.tree, [&](const Piece& piece) {
    out += piece.to_text() + ";";
    return true;
  });
  return out;
}

std::string error(std::string_view text) {
  const auto path = GroupPath::compile(text);
  INFO(text);
  REQUIRE_FALSE(path);
  return path.error().place;
}

}  // namespace

TEST_CASE("a path through groups finds the segments of that group") {
  CHECK(all("ORDER_OBSERVATION.OBR-3") == "f1;");
  CHECK(all("ORDER_OBSERVATION[2].OBR-3") == "f2;");
  CHECK(all("ORDER_OBSERVATION[last].ORC-2") == "o2;");
  CHECK(all("ORDER_OBSERVATION[*].OBR-3") == "f1;f2;");
  CHECK(all("ORDER_OBSERVATION[3].OBR-3").empty());
  CHECK(all("PATIENT_RESULT.ORDER_OBSERVATION[2].OBSERVATION.OBX-3") == "c;");
  CHECK(all("ORDER_OBSERVATION.OBSERVATION[2].OBX-5") == "2;");
  CHECK(all("ORDER_OBSERVATION[*].OBSERVATION[*].OBX-5[*]") == "1;2;3;4;");
}

TEST_CASE("a segment's index counts what is directly in the group, else what is below it") {
  CHECK(all("ORDER_OBSERVATION[1].NTE-3") == "n1;");  // below OBSERVATION
  CHECK(all("ORDER_OBSERVATION[2].NTE-3") == "n2;");  // its own
  CHECK(all("ORDER_OBSERVATION[1].OBX[*]-3") == "a;b;");
  CHECK(all("ORDER_OBSERVATION[1].OBX[2]-3") == "b;");
}

TEST_CASE("a path without groups is the flat one") {
  CHECK(all("OBX[last]-5[2]") == "4;");
  CHECK(all("PID-3.1") == "A1;");
  CHECK(all("NO_SUCH_GROUP.PID-3").empty());
}

TEST_CASE("a path that cannot be read says where") {
  CHECK(error("ORDER[0].OBX-5") == "column 7");
  CHECK(error("ORDER[x].OBX-5") == "column 7");
  CHECK(error("order.OBX-5") == "column 1");
  CHECK(error("ORDER.OB-5").find("behind the groups") != std::string::npos);
  CHECK(error(".OBX-5") == "column 1");
}
