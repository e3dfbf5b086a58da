#pragma once
// Golden files below tests/. APPROVE=1 in the environment rewrites them; the difference is then reviewed in
// git.

#include <string>
#include <vector>

namespace kiln::mappings::test {

/// KILN_SOURCE_DIR/tests/<path>
std::string test_path(const std::string& path);
/// Fails the running test when the file cannot be read.
std::string read_text(const std::string& path);
/// Paths of the files of a folder that end in `suffix`, sorted.
std::vector<std::string> files_of(const std::string& folder, const std::string& suffix);
/// CHECKs that the file holds exactly `actual`; with APPROVE=1 writes it.
void check_golden(const std::string& path, const std::string& actual);
/// Folder of the design examples, or "" (and one line on stderr) when this checkout has none beside it.
std::string example_folder();

}  // namespace kiln::mappings::test
