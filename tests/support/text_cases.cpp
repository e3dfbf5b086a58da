#include "tests/support/text_cases.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace kiln::test {
namespace {

struct Case {
  std::string before, name, input, expected;  // `before`: comment lines above the case
};

std::vector<Case> read_cases(const std::string& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  std::string line, comment;
  std::string* part = &comment;
  while (std::getline(file, line)) {
    if (line.starts_with("== ")) {
      cases.emplace_back();
      cases.back().before.swap(comment);
      cases.back().name = line.substr(3);
      part = &cases.back().input;
    } else if (line == "--" && !cases.empty() && part == &cases.back().input) {
      part = &cases.back().expected;
    } else if (line.starts_with("# ") && (cases.empty() || part == &cases.back().expected)) {
      comment += line + "\n";
    } else {
      *part += line + "\n";
    }
  }
  return cases;
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::string run_text_cases(const std::string& path,
                           const std::function<std::string(const std::string&)>& run) {
  const std::vector<Case> cases = read_cases(path);
  if (cases.empty()) return path + " has no cases";
  const bool approve = std::getenv("APPROVE") != nullptr;
  std::ostringstream report, approved;
  for (const Case& test : cases) {
    const std::string found = trimmed(run(trimmed(test.input)));
    if (!approve && found != trimmed(test.expected))
      report << "== " << test.name << "\n"
             << trimmed(test.input) << "\n-- expected\n"
             << trimmed(test.expected) << "\n-- found\n"
             << found << "\n";
    approved << test.before << "== " << test.name << "\n"
             << trimmed(test.input) << "\n--\n"
             << found << "\n\n";
  }
  if (approve) std::ofstream(path) << approved.str();
  return report.str();
}

}  // namespace kiln::test
