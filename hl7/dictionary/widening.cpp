#include "hl7/dictionary/widening.h"

namespace kiln::hl7 {

namespace {
struct Row {
  std::string_view from, to;
  Widening kind;
};
constexpr Row kLattice[] = {
    {"IS", "CWE", Widening::into_first},     {"ID", "CWE", Widening::into_first},
    {"CE", "CWE", Widening::same_positions}, {"CNE", "CWE", Widening::same_positions},
    {"CF", "CWE", Widening::same_positions}, {"TS", "DTM", Widening::first_component},
    {"PN", "XPN", Widening::same_positions}, {"AD", "XAD", Widening::same_positions},
    {"TN", "XTN", Widening::into_first},     {"CN", "XCN", Widening::same_positions},
};
}  // namespace

std::optional<Widening> widens(std::string_view from, std::string_view to) {
  for (const Row& row : kLattice)
    if (row.from == from && row.to == to) return row.kind;
  return std::nullopt;
}

}  // namespace kiln::hl7
