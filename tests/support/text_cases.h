#pragma once
// Cases as text: a file of
//     == name
//     input, any number of lines
//     --
//     expected output
// With APPROVE=1 in the environment the expected parts are rewritten by what was found.

#include <functional>
#include <string>

namespace kiln::test {

/// Runs each case of the file through `run` (input without its last line end) and compares with its expected
/// part. Returns a report of the cases that differ; empty when all agree. A file without cases is a
/// difference.
std::string run_text_cases(const std::string& path,
                           const std::function<std::string(const std::string&)>& run);

}  // namespace kiln::test
