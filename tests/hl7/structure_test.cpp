// The group matcher against expected trees (tests/golden/structure), and its properties on all structures.
// A golden file: line 1 structure and version, line 2 the segments, then the tree and what is missing in it.
// APPROVE=1 in the environment rewrites the files; review the difference.

#include "hl7/structure.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "hl7/message.h"

using namespace kiln::hl7;

namespace {

std::vector<std::uint32_t> packed(const std::string& text) {
  std::vector<std::uint32_t> ids;
  std::istringstream in(text);
  for (std::string name; in >> name;) ids.push_back(segment_id(name));
  return ids;
}

const Structure& structure(Version version, std::string_view id) {
  const Structure* found = Structure::find(version, id);
  REQUIRE(found != nullptr);
  return *found;
}

std::string tree_of(const Structure& definition, const std::vector<std::uint32_t>& segments) {
  GroupTree tree;
  match(&definition, segments, tree);
  std::string text = tree.print(segments);
  for (const std::string& path : tree.missing()) text += "missing " + path + "\n";
  return text;
}

/// The least segments that a structure allows: every required node once, the first member of a choice.
void skeleton(const Structure& definition, NodeIndex from, std::size_t end, bool all,
              std::vector<std::uint32_t>& out) {
  const auto nodes = definition.nodes();
  for (std::size_t i = from; i < end; i = nodes[i].end) {
    const StructureNode& node = nodes[i];
    if (!node.required && !all) continue;
    if (node.kind == NodeKind::segment) out.push_back(node.segment);
    if (node.kind == NodeKind::group) skeleton(definition, static_cast<NodeIndex>(i + 1), node.end, all, out);
    if (node.kind == NodeKind::choice && node.end > i + 1)
      skeleton(definition, static_cast<NodeIndex>(i + 1), nodes[i + 1].end, all, out);
  }
}

template <class Visit>
void every_structure(Visit visit) {
  for (const Version version : kVersions)
    for (const StructureDef definition : Dictionary(version).structures())
      visit(structure(version, definition.variant));
}

/// Invariants of any tree: ranges nest, instances are in order, look-ups find exactly what placements say.
void check_tree(const GroupTree& tree, std::size_t count) {
  const auto instances = tree.instances();
  REQUIRE(tree.placements().size() == count);
  for (std::uint32_t i = 1; i < instances.size(); ++i) {
    const GroupInstance& group = instances[i];
    const GroupInstance& parent = instances[group.parent];
    REQUIRE(group.parent < i);
    REQUIRE(group.first_segment < group.end_segment);
    REQUIRE(group.first_segment >= parent.first_segment);
    REQUIRE(group.end_segment <= parent.end_segment);
    REQUIRE(group.end_instance <= parent.end_instance);
    REQUIRE(tree.find_group(group.parent, group.node, group.ordinal) == i);
  }
  for (std::uint32_t s = 0; s < count; ++s) {
    const Placement& placement = tree.placements()[s];
    REQUIRE(s >= instances[placement.instance].first_segment);
    REQUIRE(s < instances[placement.instance].end_segment);
    if (placement.node == kNoNode) continue;
    std::uint32_t found = tree.find_segment(placement.instance, placement.node);
    while (found != s && found != kNoIndex) found = tree.next_segment(found);
    REQUIRE(found == s);
  }
}

/// A small generator with a fixed seed, so that a failure repeats.
struct Lcg {
  std::uint64_t state = 42;
  std::size_t below(std::size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state >> 33) % n;
  }
};

}  // namespace

TEST_CASE("expected group trees") {
  const std::filesystem::path folder = std::string(KILN_SOURCE_DIR) + "/tests/golden/structure";
  const bool approve = std::getenv("APPROVE") != nullptr;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    INFO(entry.path().filename().string());
    std::ifstream in(entry.path());
    std::string id, version, segments;
    in >> id >> version;
    std::getline(in, segments);
    std::getline(in, segments);
    const std::string expected{std::istreambuf_iterator<char>(in), {}};
    const std::string actual = tree_of(structure(find_version(version).value(), id), packed(segments));
    ++files;
    if (approve) {
      std::ofstream(entry.path()) << id << ' ' << version << '\n' << segments << '\n' << actual;
      continue;
    }
    CHECK(actual == expected);
  }
  CHECK(files >= 25);
}

TEST_CASE("a message with every member, and one with the required ones only, fit their own structure") {
  std::set<std::string> ambiguous;
  every_structure([&](const Structure& definition) {
    for (const bool all : {false, true}) {
      std::vector<std::uint32_t> segments;
      skeleton(definition, 0, definition.nodes().size(), all, segments);
      GroupTree tree;
      match(&definition, segments, tree);
      check_tree(tree, segments.size());
      if (!tree.unplaced().empty()) ambiguous.emplace(definition.id());
    }
  });
  CHECK(ambiguous.empty());
}

TEST_CASE("a segment that is not of the structure moves nothing, wherever it stands") {
  for (const auto noise : {segment_id("QQQ"), segment_id("ZQQ"), std::uint32_t{0}}) {
    every_structure([&](const Structure& definition) {
      if (definition.version() != Version::v2_5_1) return;
      const auto nodes = definition.nodes();
      if (std::any_of(nodes.begin(), nodes.end(),
                      [](const auto& node) { return node.kind == NodeKind::any; }))
        return;  // there any segment is of the structure
      std::vector<std::uint32_t> segments;
      skeleton(definition, 0, nodes.size(), true, segments);
      skeleton(definition, 0, nodes.size(), false, segments);
      GroupTree clean, noisy;
      match(&definition, segments, clean);
      for (std::size_t at = 0; at <= segments.size(); ++at) {
        auto with = segments;
        with.insert(with.begin() + static_cast<std::ptrdiff_t>(at), noise);
        match(&definition, with, noisy);
        REQUIRE(noisy.placements()[at].node == kNoNode);
        REQUIRE(noisy.instances().size() == clean.instances().size());
        for (std::size_t i = 0; i < segments.size(); ++i) {
          const Placement& moved = noisy.placements()[i < at ? i : i + 1];
          REQUIRE(moved.node == clean.placements()[i].node);
          REQUIRE(moved.instance == clean.placements()[i].instance);
        }
      }
    });
  }
}

TEST_CASE("any list of segments gives a sound tree") {
  Lcg random;
  GroupTree tree;  // reused, as the runtime does
  for (const char* id :
       {"ORU_R01", "ORM_O01", "ADT_A01", "OML_O21", "SIU_S12", "VXU_V04", "MFN_M01", "CCM_I21"}) {
    const Structure& definition =
        structure(Version::v2_5_1, std::string_view(id) == "CCM_I21" ? "RSP_K21" : id);
    const auto nodes = definition.nodes();
    for (int run = 0; run < 300; ++run) {
      std::vector<std::uint32_t> segments;
      for (std::size_t i = random.below(60); i > 0; --i)
        segments.push_back(random.below(10) == 0 ? segment_id("QQQ")
                                                 : nodes[random.below(nodes.size())].segment);
      match(&definition, segments, tree);
      check_tree(tree, segments.size());
    }
  }
}

TEST_CASE("look-ups in a tree") {
  const Structure& oru = structure(Version::v2_5_1, "ORU_R01");
  const auto segments = packed("MSH PID OBR OBX OBX NTE OBR OBX SPM OBX OBX");
  GroupTree tree;
  match(&oru, segments, tree);
  const NodeIndex result = oru.find_group(kNoNode, "PATIENT_RESULT"),
                  order = oru.find_group(kNoNode, "ORDER_OBSERVATION");
  const NodeIndex specimen = oru.find_group(order, "SPECIMEN");
  const std::uint32_t patient_result = tree.find_group(0, result);
  const std::uint32_t first = tree.find_group(patient_result, order);
  const std::uint32_t second = tree.next_group(first);
  CHECK(tree.find_group(patient_result, order, 2) == second);
  CHECK(tree.next_group(second) == kNoIndex);
  CHECK(tree.find_group(first, specimen) == kNoIndex);
  const std::uint32_t sample = tree.find_group(second, specimen);
  const NodeIndex obx = oru.occurrences_in(specimen, segment_id("OBX")).at(0);
  CHECK(tree.find_segment(sample, obx, 2) == 10);
  CHECK(tree.find_segment(sample, obx, 3) == kNoIndex);
  CHECK(tree.next_segment(9) == 10);
  CHECK(tree.next_segment(10) == kNoIndex);
  CHECK(tree.path(sample) == "PATIENT_RESULT[1].ORDER_OBSERVATION[2].SPECIMEN[1]");
}

TEST_CASE("what the checker asks of a structure") {
  const Structure& oru = structure(Version::v2_5_1, "ORU_R01");
  const auto obx = oru.occurrences(segment_id("OBX"));
  REQUIRE(obx.size() == 2);
  CHECK(oru.path(obx[0]) == "PATIENT_RESULT.ORDER_OBSERVATION.OBSERVATION.OBX");
  CHECK(oru.path(obx[1]) == "PATIENT_RESULT.ORDER_OBSERVATION.SPECIMEN.OBX");
  const NodeIndex order = oru.find_group(kNoNode, "ORDER_OBSERVATION");
  CHECK(oru.reachable(order, segment_id("SPM")));
  CHECK_FALSE(oru.reachable(order, segment_id("PID")));
  CHECK_FALSE(oru.reachable(kNoNode, segment_id("RXA")));
  CHECK(oru.group_path(order, obx[1])->size() == 1);
  CHECK_FALSE(oru.group_path(oru.find_group(kNoNode, "PATIENT"), obx[1]));
  CHECK_FALSE(oru.repeats_within(order, oru.occurrences_in(order, segment_id("OBR")).at(0)));
  CHECK(oru.repeats_within(kNoNode, oru.occurrences_in(order, segment_id("OBR")).at(0)));
  CHECK(oru.print(oru.find_group(kNoNode, "TIMING_QTY")) ==
        "TIMING_QTY [0..*]\n  TQ1 [1..1]\n  TQ2 [0..*]\n");
  const Structure& orm = structure(Version::v2_5_1, "ORM_O01");
  const NodeIndex detail = orm.find_group(kNoNode, "ORDER_DETAIL");
  CHECK(orm.occurrences_in(detail, segment_id("RXO")).size() == 1);
  CHECK(orm.path(orm.occurrences(segment_id("RXO")).at(0)) == "ORDER.ORDER_DETAIL.RXO");
}

TEST_CASE("which structure a message has") {
  const auto chosen = [](MessageTypeText type, const char* segments = "MSH EVN PID PV1") {
    const StructureChoice choice = choose_structure(type, packed(segments));
    std::string text = choice.structure == nullptr ? "none" : std::string(choice.structure->variant());
    text += " " + std::string(version_text(choice.version));
    if (!choice.version_exact) text += " unknown-version";
    if (choice.conflict) text += " structure-conflict";
    return text;
  };
  CHECK(chosen({"ADT", "A01", "ADT_A01", "2.5.1"}) == "ADT_A01 2.5.1");
  CHECK(chosen({"ADT", "A04", "", "2.5.1"}) == "ADT_A01 2.5.1");
  CHECK(chosen({"ADT", "A08", "ADT_A08", "2.5.1"}) == "ADT_A01 2.5.1 structure-conflict");
  CHECK(chosen({"ACK", "A01", "ACK", "2.5.1"}, "MSH MSA") == "ACK 2.5.1");
  CHECK(chosen({"ACK", "Q99", "", "2.5.1"}, "MSH MSA") == "ACK 2.5.1");
  CHECK(chosen({"ACK", "", "", "2.1"}, "MSH MSA") == "ACK 2.1");
  CHECK(chosen({"ADT", "A04", "", "2.9"}) == "ADT_A01-B 2.9");
  CHECK(chosen({"ADT", "A04", "ADT_A01", "2.9"}) == "ADT_A01-B 2.9");
  CHECK(chosen({"ADT", "A01", "ADT_A01", "2.5.1 "}) == "ADT_A01 2.5.1 unknown-version");
  CHECK(chosen({"ADT", "A01", "ADT_A01", "2.99"}) == "ADT_A01-A 2.9 unknown-version");
  CHECK(chosen({"ZAA", "Z01", "", "2.5.1"}) == "none 2.5.1");
  CHECK(chosen({"ZAA", "Z01", "ORU_R01", "2.5.1"}) == "ORU_R01 2.5.1");
  // The sender's MSH-9.3 wins only when the segments fit it better than the structure of the event.
  CHECK(chosen({"ADT", "A01", "ORU_R01", "2.5.1"}) == "ADT_A01 2.5.1 structure-conflict");
  CHECK(chosen({"ADT", "A01", "ORU_R01", "2.5.1"}, "MSH PID ORC OBR OBX") ==
        "ORU_R01 2.5.1 structure-conflict");
}

TEST_CASE("a message without structure is flat") {
  const auto segments = packed("MSH PID ZPI");
  GroupTree tree;
  match(nullptr, segments, tree);
  CHECK(tree.print(segments) == "MSH (unplaced)\nPID (unplaced)\nZPI (local)\n");
  CHECK(tree.unplaced().size() == 2);
}

TEST_CASE("threads may compile the same structure at once") {
  std::vector<std::thread> threads;
  std::vector<const Structure*> found(8);
  for (std::size_t i = 0; i < found.size(); ++i)
    threads.emplace_back([&found, i] { found[i] = Structure::find(Version::v2_8_1, "OMG_O19"); });
  for (std::thread& thread : threads) thread.join();
  for (const Structure* one : found) CHECK(one == found[0]);
}
