#pragma once
// Caps of the FHIR server, beside those of engine/base/limits.h.

#include "engine/base/limits.h"

namespace kiln::base::limits {

inline constexpr std::size_t kSearchChainMax = 4;          ///< references followed by one chained parameter or _has
inline constexpr std::size_t kSearchSortKeysMax = 4;       ///< keys of one _sort
inline constexpr std::size_t kSearchSortedMax = 10'000;    ///< matches of a search that is sorted by values
inline constexpr std::size_t kSortTextBytesMax = 60;       ///< of a text that is sorted by; texts alike so far count as equal
inline constexpr std::size_t kSearchIncludedMax = 1'000;   ///< included resources of one page
inline constexpr std::size_t kSearchIncludeRoundsMax = 3;  ///< how often :iterate follows what it included
inline constexpr std::size_t kMatchCandidatesMax = 200;    ///< patients looked at for each question of a $match
inline constexpr std::size_t kSearchCodesMax = 5'000;      ///< codes of a value set that :in, :not-in, :above and :below compare
inline constexpr std::size_t kCompressedBytesMin = 1'024;  ///< an answer from that size on is compressed for who reads gzip

}  // namespace kiln::base::limits
