#include "fhir/detail/bindings.h"

namespace kiln::fhir::detail {
namespace {

using base::JsonView;

constexpr std::size_t kCodesShownMax = 12;

/// A code without a system can only be compared by itself.
bool is_in(const ValueSet& set, JsonView coding) {
  const std::string_view code = coding["code"].text();
  const std::string_view system = coding["system"].text();
  return !code.empty() && (system.empty() ? set.contains(code) : set.contains(system, code));
}

}  // namespace

std::string not_in_value_set(const ValueSet& set) {
  std::string text = "not a code of the value set " + std::string(set.url()) + " (required binding)";
  if (set.codes().empty() || set.codes().size() > kCodesShownMax) return text;
  text += "; allowed: ";
  bool first = true;
  for (const CodeDef& code : set.codes()) {
    if (!first) text += ", ";
    first = false;
    text += code.code();
  }
  return text;
}

std::string check_bound_object(const ValueSet& set, const TypeDef& type, JsonView value) {
  if (!set.is_known()) return {};
  if (type.name() == "CodeableConcept") {
    const JsonView codings = value["coding"];
    for (const JsonView coding : codings) {
      if (is_in(set, coding)) return {};
    }
    return codings.size() == 0 && value["extension"] ? std::string() : not_in_value_set(set);
  }
  if (type.name() != "Coding" && !type.is_a("Quantity")) return {};
  return !value["code"] || is_in(set, value) ? std::string() : not_in_value_set(set);
}

}  // namespace kiln::fhir::detail
