#pragma once
// Places in a message, and what a parse found odd there.

#include <cstdint>
#include <string_view>

#include "engine/base/diagnostic.h"

namespace kiln::hl7 {

/// A place in a message, numbers from 1; 0 where the place is not that deep. `segment` is a position from 0.
struct Location {
  std::uint32_t segment = 0, field = 0, repetition = 0, component = 0, subcomponent = 0;
  bool operator==(const Location&) const = default;
};

/// Something odd that did not stop the parse and did not change it. `text` is static and names no value.
struct ParseDiagnostic {
  base::ErrorCode code = base::ErrorCode::internal;
  base::Severity severity = base::Severity::warning;
  Location location;
  std::uint32_t offset = 0;  ///< byte in the message
  std::string_view text;
};

}  // namespace kiln::hl7
