#pragma once
// The fixed widening lattice of the version bridge (hmap.md §4): which older datatype may stand where a map
// expects a newer one, and how its components lie in it.

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::hl7 {

/// How the value of the older type is read as the newer one.
enum class Widening : std::uint8_t {
  same_positions,   ///< component n is component n (CE, CNE, CF -> CWE; PN -> XPN, AD -> XAD,
                    ///< CN -> XCN: the older type is a prefix of the newer)
  into_first,       ///< the whole value is component 1, nothing else is valued (IS, ID -> CWE; TN -> XTN)
  first_component,  ///< component 1 is the whole value (TS -> DTM)
};

/// The widening of `from` to `to`, if the lattice has it; equal types give nothing (no widening is needed).
/// Only for changes between versions: ST -> CWE, ST -> EI, HD <-> EI and CM -> named need an explicit
/// datatype map.
std::optional<Widening> widens(std::string_view from, std::string_view to);

}  // namespace kiln::hl7
