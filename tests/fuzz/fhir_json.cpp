// Fuzz target of the FHIR JSON reader and writer: any bytes are read or refused; what is read is written to
// text that reads as the same tree; collecting issues never loses or invents a node.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/model/json.h"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool typed : {true, false}) {
    ReadOptions options;
    options.typed = typed;
    const auto tree = read_json(text, options);
    if (!tree) continue;
    const std::string written = write_json(tree->root());
    const auto again = read_json(written, options);
    require(again.has_value());
    compare(tree->root(), again->root(), size);
    require(write_json(again->root()) == written);
    ReadOptions wide = options;
    wide.bytes_max = written.size() * 200 + 1000;
    const auto pretty = read_json(write_json(tree->root(), true), wide);
    require(pretty && write_json(pretty->root()) == written);
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
