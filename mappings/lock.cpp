#include "mappings/lock.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "engine/base/text.h"

namespace kiln::mappings {

using base::ErrorCode;

namespace {

constexpr std::string_view kHead =
    "# Base rules that this site overrides, as they were when `kiln accept` last recorded them.\n"
    "# Written by `kiln accept`; keep it under version control.\n";

auto key_of(const OverriddenRule& rule) {
  return std::tie(rule.map, rule.rule);
}

base::Error broken(std::size_t line) {
  return {ErrorCode::bad_value, "hmap.lock is not understood", "line " + std::to_string(line),
          "`kiln accept` writes it anew"};
}

/// The beginning of a hash is enough for people.
std::string shortened(const std::string& hash) {
  return hash.substr(0, 8) + "…";
}

}  // namespace

base::Result<Lock> Lock::parse(std::string_view text) {
  Lock lock;
  std::size_t number = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == ' ') {
      const std::size_t begin = line.find_first_not_of(' ');
      if (lock.rules_.empty() || !lock.rules_.back().text.empty() || begin == std::string_view::npos)
        return base::fail(broken(number));
      lock.rules_.back().text = line.substr(begin);
      continue;
    }
    const auto words = base::split(line, ' ');
    if (words.size() != 3 || words[2].size() != 64) return base::fail(broken(number));
    OverriddenRule rule;
    rule.map = words[0];
    rule.rule = words[1];
    rule.hash = words[2];
    lock.rules_.push_back(std::move(rule));
  }
  std::sort(lock.rules_.begin(), lock.rules_.end(),
            [](const auto& a, const auto& b) { return key_of(a) < key_of(b); });
  return lock;
}

Lock Lock::of(std::vector<OverriddenRule> rules) {
  Lock lock;
  lock.rules_ = std::move(rules);
  std::sort(lock.rules_.begin(), lock.rules_.end(),
            [](const auto& a, const auto& b) { return key_of(a) < key_of(b); });
  return lock;
}

std::string Lock::print() const {
  std::string out(kHead);
  for (const OverriddenRule& rule : rules_) {
    out += rule.map + " " + rule.rule + " " + rule.hash + "\n";
    if (!rule.text.empty()) out += "    " + rule.text + "\n";
  }
  return out;
}

const OverriddenRule* Lock::find(std::string_view map, std::string_view rule) const {
  for (const OverriddenRule& entry : rules_) {
    if (entry.map == map && entry.rule == rule) return &entry;
  }
  return nullptr;
}

void check_lock(const Lock* lock, const std::vector<OverriddenRule>& overridden,
                base::Diagnostics& diagnostics) {
  std::map<std::string_view, std::vector<const OverriddenRule*>> unknown;
  for (const OverriddenRule& rule : overridden) {
    const OverriddenRule* known = lock ? lock->find(rule.map, rule.rule) : nullptr;
    if (known == nullptr) {
      unknown[rule.map].push_back(&rule);
      continue;
    }
    if (known->hash == rule.hash) continue;
    base::Diagnostic diagnostic;
    diagnostic.code = ErrorCode::E0702;
    diagnostic.message = "base rule " + rule.rule + " changed since it was overridden (lock " +
                         shortened(known->hash) + ", now " + shortened(rule.hash) + ")";
    diagnostic.span = rule.edit;
    diagnostic.notes.push_back("was: " + known->text);
    diagnostic.notes.push_back("now: " + rule.text);
    diagnostic.helps.push_back("review the override, then `kiln accept`");
    diagnostics.add(std::move(diagnostic));
  }
  for (const auto& [map, rules] : unknown) {
    base::Diagnostic diagnostic;
    diagnostic.code = ErrorCode::W0703;
    diagnostic.severity = base::Severity::warning;
    const bool constants = map == kLockedConstants;
    diagnostic.message = (constants ? "`extend const` sets " : std::string(map) + " overrides ") +
                         std::to_string(rules.size()) + (constants ? " constant" : " rule") +
                         (rules.size() == 1 ? "" : "s") + " that hmap.lock does not know";
    diagnostic.span = rules.front()->edit;
    for (const OverriddenRule* rule : rules) diagnostic.notes.push_back(rule->rule);
    diagnostic.helps.push_back("`kiln accept` records them, so that an upgrade cannot change them unseen");
    diagnostics.add(std::move(diagnostic));
  }
}

}  // namespace kiln::mappings
