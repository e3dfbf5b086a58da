#pragma once
// The form of generated/packed/resources.zst: magic, size of the packed index (32 bits, little-endian), the index as
// one Zstandard frame, then the frames of the texts. The index is lines: "F OFFSET SIZE" opens a frame (offset behind
// the index), "TYPE SIZE URL" is the next text of that frame.

#include <string_view>

namespace kiln::fhir::detail {

inline constexpr std::string_view kPackedMagic = "KILNDEF1";
inline constexpr char kFrameLine = 'F';

}  // namespace kiln::fhir::detail
