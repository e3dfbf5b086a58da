#pragma once
// The HL7 v2 versions that the dictionary knows, oldest first (std 2.15.9.12, MSH-12 component 1).

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::hl7 {

/// One of the 14 published versions; the values are dense and ordered, so `<` means "older".
enum class Version : std::uint8_t {
  v2_1,
  v2_2,
  v2_3,
  v2_3_1,
  v2_4,
  v2_5,
  v2_5_1,
  v2_6,
  v2_7,
  v2_7_1,
  v2_8,
  v2_8_1,
  v2_8_2,
  v2_9
};

inline constexpr std::size_t kVersionCount = 14;

/// All versions, oldest first.
inline constexpr std::array<Version, kVersionCount> kVersions = {
    Version::v2_1, Version::v2_2,   Version::v2_3,   Version::v2_3_1, Version::v2_4,
    Version::v2_5, Version::v2_5_1, Version::v2_6,   Version::v2_7,   Version::v2_7_1,
    Version::v2_8, Version::v2_8_1, Version::v2_8_2, Version::v2_9};

/// "2.5.1" for v2_5_1; static storage.
std::string_view version_text(Version version);

/// The version spelled exactly so ("2.5.1"); nothing for any other text.
std::optional<Version> find_version(std::string_view text);

/// What nearest_version() chose; `exact` is false when the caller owes a diagnostic.
struct NearestVersion {
  Version version;
  bool exact;
};

/// The nearest known version not above `text`: "2.5.1 " -> 2.5.1, "2.3.z" -> 2.3, "2.99" -> 2.9, "2.5.9"
/// -> 2.5.1. Text that is no version at all ("", "abc") gives 2.5.1, the version most senders mean; text
/// below 2.1 gives 2.1.
NearestVersion nearest_version(std::string_view text);

}  // namespace kiln::hl7
