// The dictionary against the facts it was made from, entry by entry, by a reader that shares nothing with the
// generator.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "engine/base/json.h"
#include "hl7/dictionary/dictionary.h"

using namespace kiln::hl7;
using kiln::base::JsonView;
namespace fs = std::filesystem;

namespace {

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Some lengths are written as text.
std::uint32_t number(JsonView view) {
  const std::string text(view.text());
  return text.empty() || text.find_first_not_of("0123456789") != text.npos
             ? 0
             : static_cast<std::uint32_t>(std::stoul(text));
}

/// Differences, counted; the first few are shown.
struct Differences {
  std::size_t checked = 0, found = 0;
  std::string shown;
  void expect(bool same, const std::string& where) {
    ++checked;
    if (same) return;
    if (++found <= 10) shown += where + "\n";
  }
};

void compare_field(Differences& d, const FieldDef& field, JsonView fact, bool segment,
                   const std::string& where) {
  const auto usage = fact.at(3).text();
  d.expect(field.position == number(fact.at(0)) && field.name == fact.at(1).text() &&
               field.datatype == fact.at(2).text() && field.usage_text == usage,
           where + " name, type or usage");
  if (segment) {
    const JsonView repetition = fact.at(4);
    const std::uint32_t expected = repetition.text() == "*" ? 0 : number(repetition);
    d.expect(field.repetition_max == expected, where + " repetition");
  }
  const std::size_t length = segment ? 5 : 4;
  d.expect(field.max_length == number(fact.at(length)) && field.table == fact.at(length + 1).text(),
           where + " length or table");
  if (segment && fact.size() > 7)
    d.expect(
        field.conformance_length == number(fact.at(7)) &&
            (field.truncation == 0 ? std::string() : std::string(1, field.truncation)) == fact.at(8).text(),
        where + " conformance length");
}

void compare_nodes(Differences& d, const RecordList<NodeDef>& nodes, JsonView facts,
                   const std::string& where) {
  d.expect(nodes.size() == facts.size(), where + " number of members");
  std::size_t i = 0;
  for (const JsonView fact : facts) {
    if (i >= nodes.size()) return;
    const NodeDef node = nodes[i++];
    d.expect(node.name == fact.at(0).text() && node.required == (fact.at(1).text() == "1") &&
                 node.repeats == (fact.at(2).text() == "*"),
             where + "." + std::string(node.name));
    if (fact.size() > 3) compare_nodes(d, node.children, fact.at(3), where + "." + std::string(node.name));
  }
}

void compare(Differences& d, Version version, JsonView facts) {
  const Dictionary dictionary(version);
  const std::string at = std::string(version_text(version)) + " ";
  for (const JsonView fact : facts["segments"]) {
    const std::string where = at + std::string(fact.key());
    const auto segment = dictionary.segment(fact.key());
    d.expect(segment && segment->title == fact.at(0).text() && segment->fields.size() == fact.at(1).size(),
             where);
    std::size_t i = 0;
    for (const JsonView field : fact.at(1))
      if (segment && i < segment->fields.size()) compare_field(d, segment->fields[i++], field, true, where);
  }
  for (const JsonView fact : facts["datatypes"]) {
    const std::string where = at + std::string(fact.key());
    const auto type = dictionary.datatype(fact.key());
    d.expect(type && type->title == fact.at(0).text() && type->components.size() == fact.at(1).size(), where);
    std::size_t i = 0;
    for (const JsonView component : fact.at(1))
      if (type && i < type->components.size())
        compare_field(d, type->components[i++], component, false, where);
  }
  for (const JsonView fact : facts["structures"]) {
    const std::string where = at + std::string(fact.key());
    const auto structure = dictionary.structure(fact.key());
    d.expect(structure && structure->variant == fact.key(), where);
    if (structure) compare_nodes(d, structure->nodes, fact, where);
  }
  for (const JsonView fact : facts["tables"]) {
    const std::string where = at + "table " + std::string(fact.key());
    const auto table = dictionary.table(fact.key());
    d.expect(table && table->title == fact.at(0).text() && fact.at(1).text() == std::string(1, table->kind) &&
                 table->codes.size() == fact.at(2).size(),
             where);
    for (const JsonView code : fact.at(2)) {
      const auto found = table ? table->find(code.at(0).text()) : std::nullopt;
      d.expect(found && found->display == code.at(1).text(), where + " " + std::string(code.at(0).text()));
    }
  }
  for (const JsonView fact : facts["ack"]) {
    const std::string_view key = fact.key();
    const auto answers = dictionary.ack(key.substr(0, key.find('_')), key.substr(key.find('_') + 1));
    d.expect(answers.has_value(), at + "ack " + std::string(key));
    if (!answers) continue;
    const RecordList<std::string_view> lists[] = {answers->original_mode, answers->accept,
                                                  answers->application};
    for (std::size_t i = 0; i < 3; ++i) {
      d.expect(lists[i].size() == fact.at(i).size(), at + "ack " + std::string(key));
      for (std::size_t k = 0; k < lists[i].size() && k < fact.at(i).size(); ++k)
        d.expect(lists[i][k] == fact.at(i).at(k).text(), at + "ack " + std::string(key));
    }
  }
  d.expect(dictionary.segments().size() == facts["segments"].size(), at + "segments");
  d.expect(dictionary.datatypes().size() == facts["datatypes"].size(), at + "datatypes");
  d.expect(dictionary.structures().size() == facts["structures"].size(), at + "structures");
  d.expect(dictionary.tables().size() == facts["tables"].size(), at + "tables");
  d.expect(dictionary.events().size() == facts["events"].size(), at + "events");
}

}  // namespace

TEST_CASE("the dictionary agrees with the facts in every entry") {
  const fs::path folder = fs::path(KILN_SOURCE_DIR) / "../shared/facts/hl7v2-dictionary";
  if (!fs::exists(folder / "2.9.json")) {
    std::cout
        << "skipped: ../shared/facts/hl7v2-dictionary is absent, the dictionary is not compared with it\n";
    return;
  }
  Differences differences;
  for (const Version version : kVersions) {
    const auto facts =
        kiln::base::parse_json(file_text(folder / (std::string(version_text(version)) + ".json")));
    REQUIRE(facts);
    compare(differences, version, facts->root());
  }
  INFO(differences.shown);
  CHECK(differences.found == 0);
  CHECK(differences.checked > 200'000);
}
