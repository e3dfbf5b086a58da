#pragma once
// Regular expressions of matches() and its like. Private to fhir/path.

#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}

namespace kiln::fhir::detail {

/// "." matches line ends, as N1 §5.6.10 asks. nullptr when the pattern is not valid, needs what RE2 has not
/// (look-around, back references), or takes too much memory.
std::shared_ptr<const re2::RE2> compile_pattern(std::string_view pattern);

}  // namespace kiln::fhir::detail
