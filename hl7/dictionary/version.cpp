#include "hl7/dictionary/version.h"

namespace kiln::hl7 {

namespace {
constexpr std::array<std::string_view, kVersionCount> kTexts = {"2.1", "2.2",   "2.3",   "2.3.1", "2.4",
                                                                "2.5", "2.5.1", "2.6",   "2.7",   "2.7.1",
                                                                "2.8", "2.8.1", "2.8.2", "2.9"};

/// Up to three numbers of a dotted version; reading stops at the first character that fits nowhere.
std::array<int, 3> leading_numbers(std::string_view text) {
  std::array<int, 3> parts = {0, 0, 0};
  std::size_t part = 0;
  bool digit_before = false;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      if (parts[part] < 100'000) parts[part] = parts[part] * 10 + (c - '0');
      digit_before = true;
    } else if (c == '.' && digit_before && part + 1 < parts.size()) {
      ++part;
      digit_before = false;
    } else {
      break;
    }
  }
  return parts;
}
}  // namespace

std::string_view version_text(Version version) {
  return kTexts[static_cast<std::size_t>(version)];
}

std::optional<Version> find_version(std::string_view text) {
  for (std::size_t i = 0; i < kTexts.size(); ++i)
    if (kTexts[i] == text) return static_cast<Version>(i);
  return std::nullopt;
}

NearestVersion nearest_version(std::string_view text) {
  if (const auto exact = find_version(text)) return {*exact, true};
  const auto begin = text.find_first_not_of(" \t");
  const auto wanted = leading_numbers(begin == std::string_view::npos ? "" : text.substr(begin));
  if (wanted[0] == 0) return {Version::v2_5_1, false};
  Version best = Version::v2_1;
  for (const Version version : kVersions)
    if (leading_numbers(version_text(version)) <= wanted) best = version;
  return {best, false};
}

}  // namespace kiln::hl7
