#include "fhir/detail/matching.h"

#include <algorithm>
#include <set>
#include <string>

#include "fhir/search/parameters.h"

namespace kiln::fhir::detail {
namespace {

using base::JsonView;

std::set<std::string> identifiers_of(JsonView patient) {
  std::set<std::string> found;
  for (const JsonView one : patient["identifier"])
    if (!one["value"].text().empty())
      found.insert(std::string(one["system"].text()) + "|" + std::string(one["value"].text()));
  return found;
}

std::set<std::string> families_of(JsonView patient) {
  std::set<std::string> found;
  for (const JsonView name : patient["name"])
    if (!name["family"].text().empty()) found.insert(fold(name["family"].text()));
  return found;
}

std::set<std::string> givens_of(JsonView patient) {
  std::set<std::string> found;
  for (const JsonView name : patient["name"])
    for (const JsonView given : name["given"])
      if (!given.text().empty()) found.insert(fold(given.text()));
  return found;
}

bool have_common(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& one) { return b.count(one) > 0; });
}

int birth_score(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return 0;
  if (a == b) return 20;
  constexpr std::size_t kMonth = 7;  // "1990-05"
  if (a.size() >= kMonth && b.size() >= kMonth && a.substr(0, kMonth) == b.substr(0, kMonth)) return 10;
  // The shorter may only be less exact.
  const std::size_t known = std::min(a.size(), b.size());
  return known < kMonth && a.substr(0, known) == b.substr(0, known) ? 0 : -20;
}

int gender_score(std::string_view a, std::string_view b) {
  const bool told = !a.empty() && !b.empty() && a != "unknown" && b != "unknown";
  return !told ? 0 : a == b ? 5 : -10;
}

}  // namespace

int match_score(JsonView asked, JsonView candidate) {
  int score = have_common(identifiers_of(asked), identifiers_of(candidate)) ? 50 : 0;
  score += birth_score(asked["birthDate"].text(), candidate["birthDate"].text());
  score += have_common(families_of(asked), families_of(candidate)) ? 15 : 0;
  score += have_common(givens_of(asked), givens_of(candidate)) ? 10 : 0;
  score += gender_score(asked["gender"].text(), candidate["gender"].text());
  return std::clamp(score, 0, 100);
}

std::string_view match_grade(int score) {
  if (score >= 90) return "certain";
  if (score >= 60) return "probable";
  return score >= 30 ? "possible" : "certainly-not";
}

}  // namespace kiln::fhir::detail
