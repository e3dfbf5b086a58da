// The dictionary against the counts of its facts, against what the standard says in places, and against its
// generator.

#include "hl7/dictionary/dictionary.h"

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "hl7/dictionary/widening.h"

using namespace kiln::hl7;

namespace {

/// segments, fields, fields with length, with table, withdrawn, datatypes, components, structures, groups,
/// choices, tree nodes, events, tables, codes: counted from the facts by another program than the generator.
struct Expected {
  const char* version;
  std::array<std::size_t, 14> counts;
};
constexpr Expected kExpected[] = {
    {"2.1", {38, 435, 429, 127, 0, 17, 32, 39, 18, 2, 232, 38, 105, 353}},
    {"2.2", {62, 767, 767, 187, 0, 64, 177, 73, 41, 2, 614, 72, 163, 785}},
    {"2.3", {111, 1469, 1463, 405, 0, 86, 349, 127, 442, 2, 2067, 210, 284, 1805}},
    {"2.3.1", {110, 1485, 1459, 463, 0, 91, 404, 129, 451, 11, 2159, 222, 307, 2436}},
    {"2.4", {138, 1811, 1810, 614, 0, 93, 415, 192, 559, 11, 2910, 309, 407, 3735}},
    {"2.5", {150, 2095, 2094, 694, 0, 91, 435, 215, 751, 11, 3867, 353, 476, 4613}},
    {"2.5.1", {150, 2103, 2099, 697, 1, 91, 435, 213, 750, 11, 3850, 352, 476, 4739}},
    {"2.6", {170, 2466, 2466, 821, 6, 89, 444, 225, 830, 11, 4394, 355, 537, 5294}},
    {"2.7", {174, 2558, 301, 856, 77, 89, 509, 206, 930, 41, 4737, 331, 534, 5311}},
    {"2.7.1", {174, 2558, 301, 831, 77, 89, 509, 192, 846, 41, 4387, 331, 535, 5186}},
    {"2.8", {180, 2654, 308, 848, 78, 88, 498, 220, 989, 35, 5148, 332, 556, 5301}},
    {"2.8.1", {180, 2659, 335, 849, 78, 88, 498, 224, 1021, 35, 5265, 336, 557, 5308}},
    {"2.8.2", {184, 2718, 330, 873, 78, 89, 502, 225, 1022, 35, 5277, 337, 564, 5581}},
    {"2.9", {190, 2912, 351, 1153, 108, 83, 448, 305, 1254, 0, 7548, 662, 416, 5895}}};

struct Tree {
  std::size_t groups = 0, choices = 0, nodes = 0;
  void count(const RecordList<NodeDef>& list) {
    for (const NodeDef node : list) {
      ++nodes;
      groups += node.kind == NodeKind::group;
      choices += node.kind == NodeKind::choice;
      count(node.children);
    }
  }
};

std::array<std::size_t, 14> counts_of(const Dictionary& dictionary) {
  std::array<std::size_t, 14> n = {};
  n[0] = dictionary.segments().size();
  for (const SegmentDef segment : dictionary.segments())
    for (const FieldDef field : segment.fields) {
      ++n[1];
      n[2] += field.max_length > 0;
      n[3] += !field.table.empty();
      n[4] += field.usage == 'W';
    }
  n[5] = dictionary.datatypes().size();
  for (const DatatypeDef type : dictionary.datatypes()) n[6] += type.components.size();
  n[7] = dictionary.structures().size();
  Tree tree;
  for (const StructureDef structure : dictionary.structures()) tree.count(structure.nodes);
  n[8] = tree.groups, n[9] = tree.choices, n[10] = tree.nodes;
  n[11] = dictionary.events().size();
  n[12] = dictionary.tables().size();
  for (const TableDef table : dictionary.tables()) n[13] += table.codes.size();
  return n;
}

}  // namespace

TEST_CASE("every version holds what the facts hold") {
  for (const Expected& expected : kExpected) {
    INFO(expected.version);
    const auto version = find_version(expected.version);
    REQUIRE(version);
    CHECK(version_text(*version) == expected.version);
    CHECK(counts_of(Dictionary(*version)) == expected.counts);
  }
}

TEST_CASE("every id is found again, and ids beside it are not") {
  for (const Version version : kVersions) {
    const Dictionary d(version);
    for (const SegmentDef x : d.segments()) {
      REQUIRE(d.segment(x.id)->title == x.title);
      REQUIRE_FALSE(d.segment(std::string(x.id) + "0"));
    }
    for (const DatatypeDef x : d.datatypes())
      REQUIRE(d.datatype(x.id)->components.size() == x.components.size());
    for (const StructureDef x : d.structures()) {
      REQUIRE(d.structure(x.variant)->variant == x.variant);
      REQUIRE(d.structure(x.id)->id == x.id);
      REQUIRE(x.nodes[0].name == "MSH");
    }
    for (const TableDef x : d.tables()) {
      REQUIRE(d.table(x.id)->codes.size() == x.codes.size());
      for (const CodeDef code : x.codes) REQUIRE(x.find(code.code)->display == code.display);
    }
  }
}

TEST_CASE("fields as the standard states them") {
  const Dictionary d(Version::v2_5_1);
  const auto pid3 = d.segment("PID")->field(3);
  CHECK(pid3->name == "Patient Identifier List");
  CHECK(pid3->datatype == "CX");
  CHECK(pid3->usage == 'R');
  CHECK(pid3->repetition_max == 0);
  CHECK(pid3->max_length == 250);
  CHECK(d.segment("PID")->field(8)->table == "0001");
  CHECK(d.segment("PID")->fields.size() == 39);
  CHECK_FALSE(d.segment("PID")->field(40));
  CHECK_FALSE(d.segment("PID")->field(0));
  CHECK(d.segment("OBX")->field(23)->datatype == "XON");
  CHECK(Dictionary(Version::v2_6).segment("ORC")->field(14)->repetition_max == 2);
  CHECK(Dictionary(Version::v2_7).segment("PID")->field(4)->usage == 'W');
  const auto conformance = Dictionary(Version::v2_9).segment("ABS")->field(12);
  CHECK(conformance->conformance_length == 3);
  CHECK(conformance->truncation == '#');
  CHECK(d.datatype("XPN")->component(1)->datatype == "FN");
  CHECK(d.datatype("ST")->primitive());
  CHECK_FALSE(d.segment("ZPI"));
  CHECK_FALSE(d.segment(""));
}

TEST_CASE("structures, events and answers") {
  const Dictionary d(Version::v2_5_1);
  CHECK(d.event("ADT", "A04")->id == "ADT_A01");
  CHECK_FALSE(d.event("ADT", "A99"));
  CHECK_FALSE(d.event("ADT", "A_trigger_that_is_far_longer_than_any"));
  const auto oru = d.structure("ORU_R01");
  CHECK(oru->nodes[2].name == "PATIENT_RESULT");
  CHECK(oru->nodes[2].repeats);
  CHECK(oru->nodes[2].required);
  const Dictionary latest(Version::v2_9);
  CHECK(latest.structure("ADT_A01")->variant == "ADT_A01-A");
  CHECK(latest.structure("ADT_A01-B")->id == "ADT_A01");
  CHECK(latest.event("ADT", "A04")->variant == "ADT_A01-B");
  CHECK(latest.event("ACK", "S12")->variant == "ACK-Scheduling");
  CHECK(latest.structure("ACK")->variant == "ACK");
  const auto ack = latest.ack("OML", "O21");
  REQUIRE(ack);
  CHECK(ack->accept[0] == "ACK_O21");
  CHECK_FALSE(d.ack("OML", "O21"));
}

TEST_CASE("tables") {
  const Dictionary d(Version::v2_5_1);
  CHECK(d.table("0001")->find("F")->display == "Female");
  CHECK_FALSE(d.table("0001")->find("f"));
  CHECK(Dictionary(Version::v2_9).table("0001")->find("X")->status == CodeStatus::added);
  CHECK(Dictionary(Version::v2_9).table("0001")->kind == 't');
  CHECK_FALSE(Dictionary(Version::v2_9).table("0125"));
}

TEST_CASE("the nearest version of a wrong one") {
  const auto nearest = [](std::string_view text) {
    const NearestVersion found = nearest_version(text);
    return std::string(version_text(found.version)) + (found.exact ? "" : " near");
  };
  CHECK(nearest("2.5.1") == "2.5.1");
  CHECK(nearest("2.5.1 ") == "2.5.1 near");
  CHECK(nearest(" 2.3") == "2.3 near");
  CHECK(nearest("2.3.z") == "2.3 near");
  CHECK(nearest("2.99") == "2.9 near");
  CHECK(nearest("2.5.9") == "2.5.1 near");
  CHECK(nearest("2.9.1") == "2.9 near");
  CHECK(nearest("2.0") == "2.1 near");
  CHECK(nearest("3") == "2.9 near");
  CHECK(nearest("") == "2.5.1 near");
  CHECK(nearest("v2") == "2.5.1 near");
  CHECK(nearest("99999999999999999999") == "2.9 near");
  CHECK_FALSE(find_version("2.5.1 "));
}

TEST_CASE("history and widening") {
  CHECK(first_version_with_field("PID", 40) == Version::v2_7);
  CHECK(first_version_with_field("PID", 3) == Version::v2_1);
  CHECK_FALSE(first_version_with_field("PID", 99));
  CHECK(first_version_with_segment("SPM") == Version::v2_5);
  CHECK(widens("CE", "CWE") == Widening::same_positions);
  CHECK(widens("IS", "CWE") == Widening::into_first);
  CHECK(widens("TS", "DTM") == Widening::first_component);
  CHECK_FALSE(widens("CWE", "CE"));
  CHECK_FALSE(widens("ST", "CWE"));
}

TEST_CASE("the committed tables are what the generator writes") {
  const std::string source = KILN_SOURCE_DIR;
  if (!std::filesystem::exists(source + "/../shared/facts/hl7v2-dictionary/2.9.json")) {
    std::cout
        << "skipped: ../shared/facts/hl7v2-dictionary is absent, the generated tables are not compared\n";
    return;
  }
  CHECK(std::system(("python3 '" + source + "/hl7/dictionary/generate.py' --check").c_str()) == 0);
}
