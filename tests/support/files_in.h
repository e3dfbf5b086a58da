#pragma once
// The files of a folder that tests go through.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace kiln::test {

/// Paths below `folder` that end so, sorted; none where there is no such folder.
inline std::vector<std::string> files_in(const std::string& folder, const std::string& ending) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file() && entry.path().string().ends_with(ending))
      names.push_back(entry.path().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace kiln::test
