// Fuzz target of the FHIR JSON reader and writer: any bytes are read or refused; what is read is written to
// text that reads as the same tree, and goes through XML without any change; collecting issues never loses or
// invents a node. Useful sizes: up to 600 bytes (-max_len=600 -dict=tests/fuzz/dictionaries/fhir_json).

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace {

using namespace kiln::fhir;

/// A broken promise: ends the process, which both libFuzzer and the replay report.
void require(bool holds) {
  if (!holds) std::abort();
}

void compare(Node a, Node b, std::size_t size) {
  require(a.kind() == b.kind() && a.text() == b.text() && a.name() == b.name() && a.type() == b.type() &&
          a.element() == b.element() && a.is_list_item() == b.is_list_item());
  require(a.offset() <= size);
  Node left = a.first_child(), right = b.first_child();
  for (; left && right; left = left.next_sibling(), right = right.next_sibling()) {
    require(left.parent() == a);
    compare(left, right, size);
  }
  require(!left && !right);
}

std::vector<Node> in_definition_order(Node node) {
  std::vector<Node> children;
  for (const Node child : node) children.push_back(child);
  const auto order = [](Node child) {
    require(child.element() != nullptr);
    return child.element()->is_xml_attribute() ? 0 : child.element()->order() + 1;
  };
  std::stable_sort(children.begin(), children.end(), [&](Node a, Node b) { return order(a) < order(b); });
  return children;
}

/// The same values; `xml` has its elements in the order of the definitions.
void compare_unordered(Node json, Node xml) {
  require(json.kind() == xml.kind() && json.text() == xml.text() && json.name() == xml.name() &&
          json.type() == xml.type() && json.is_list_item() == xml.is_list_item());
  const std::vector<Node> children = in_definition_order(json);
  Node right = xml.first_child();
  for (const Node left : children) {
    require(right.exists());
    compare_unordered(left, right);
    right = right.next_sibling();
  }
  require(!right);
}

void go_through_xml(const Tree& tree) {
  const auto xml = write_xml(tree.root());
  if (!xml) {
    require(xml.error().code == kiln::base::ErrorCode::fhir_not_xml);
    return;
  }
  ReadOptions wide;
  wide.bytes_max = xml->size() * 2 + 1000;
  const auto back = read_xml(*xml, wide);
  require(back.has_value());
  compare_unordered(tree.root(), back->root());
  require(write_xml(back->root()).value_or("") == *xml);
  const std::string json = write_json(back->root());
  const auto again = read_json(json, wide);
  require(again && write_json(again->root()) == json);
  require(write_xml(again->root()).value_or("") == *xml);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool typed : {true, false}) {
    ReadOptions options;
    options.typed = typed;
    const auto tree = read_json(text, options);
    if (!tree) continue;
    require(tree->root().exists());
    const std::string written = write_json(tree->root());
    const auto again = read_json(written, options);
    require(again.has_value());
    compare(tree->root(), again->root(), size);
    require(write_json(again->root()) == written);
    ReadOptions wide = options;
    wide.bytes_max = written.size() * 200 + 1000;
    const auto pretty = read_json(write_json(tree->root(), true), wide);
    require(pretty && write_json(pretty->root()) == written);
    if (typed) go_through_xml(*tree);
  }
  std::vector<ReadIssue> issues;
  ReadOptions collect;
  collect.issues = &issues;
  const auto strict = read_json(text);
  const auto collected = read_json(text, collect);
  require(!strict || (collected && issues.empty()));
  require(strict.has_value() || !collected || !issues.empty());
  if (collected) {
    for (const ReadIssue& issue : issues) require(issue.offset <= size);
    write_json(collected->root());
    for (std::uint32_t id = 0; id < collected->size(); ++id) collected->node(id).path();
  }
  return 0;
}
