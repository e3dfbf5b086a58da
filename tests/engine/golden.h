#pragma once
#include <string>

namespace kiln::test {

/// CHECKs that the file (relative to the source folder) holds exactly `actual`; with APPROVE=1 in the
/// environment it is written instead, and the difference reviewed in git.
void check_golden(const std::string& path, const std::string& actual);

}  // namespace kiln::test
