// Fuzz target of base/json: any bytes parse or are refused; what parses prints to text that parses to the
// same tree, with offsets inside the input, within the limits.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "fhir/validation/validator.h"

namespace {

using kiln::base::JsonKind;
using kiln::base::JsonView;

/// A broken promise: ends the process, which both libFuzzer and the replay report.
void require(bool holds) {
  if (!holds) std::abort();
}

void compare(JsonView a, JsonView b, std::string_view source, std::size_t depth) {
  require(depth <= kiln::base::limits::kJsonDepthMax + 1);
  require(a.kind() == b.kind() && a.text() == b.text() && a.key() == b.key() && a.size() == b.size());
  require(a.offset() < source.size());
  require(kiln::base::is_valid_utf8(a.text()) && kiln::base::is_valid_utf8(a.key()));
  const char first = source[a.offset()];
  require((a.kind() == JsonKind::string) == (first == '"'));
  require((a.kind() == JsonKind::object) == (first == '{'));
  require((a.kind() == JsonKind::array) == (first == '['));
  if (a.kind() == JsonKind::number) require(source.substr(a.offset(), a.text().size()) == a.text());
  if (!a.is_object() && !a.is_array()) return;
  auto other = b.begin();
  for (const JsonView child : a) {
    compare(child, *other, source, depth + 1);
    ++other;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = kiln::base::parse_json(text);
  const auto shallow = kiln::base::parse_json(text, {64, 3});
  require(!shallow || (document && size <= 64));
  if (!document) return 0;
  const std::string printed = kiln::base::print_json(document->root());
  const auto again = kiln::base::parse_json(printed, {printed.size(), kiln::base::limits::kJsonDepthMax});
  require(again.has_value());
  compare(document->root(), again->root(), text, 1);
  require(kiln::base::print_json(again->root()) == printed);
  const auto pretty =
      kiln::base::parse_json(kiln::base::print_json(document->root(), true),
                             {printed.size() * 200 + 1000, kiln::base::limits::kJsonDepthMax});
  require(pretty && kiln::base::print_json(pretty->root()) == printed);
  // Nothing a peer sends may trip the structural check either.
  kiln::fhir::validate_structure(text);
  return 0;
}
