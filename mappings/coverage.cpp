#include "mappings/coverage.h"

#include <algorithm>

#include "mappings/detail/explain_paths.h"
#include "mappings/detail/ir.h"
#include "mappings/detail/lexer.h"
#include "mappings/explain.h"
#include "mappings/result_reader.h"

namespace kiln::mappings {
namespace {

bool is_before(const base::Span& a, const base::Span& b) {
  return a.file != b.file ? a.file < b.file : a.begin < b.begin;
}

/// "name" of "std.v2fhir.adt:PID_Patient.name@alias".
std::string target_of(std::string_view address) {
  address = address.substr(0, address.find('@'));
  const std::size_t last = address.find_last_of("./");
  return std::string(last == std::string_view::npos ? address : address.substr(last + 1));
}

std::vector<std::string> v2_paths(const base::SourceMap& sources, base::Span span) {
  std::vector<std::string> paths;
  base::Diagnostics ignored;
  const std::string& text = sources.file(span.file).text;
  for (const detail::Token& token : detail::lex(span.file, text, span.begin, span.end, ignored).tokens)
    if (token.kind == detail::TokenKind::v2ref)
      paths.push_back(text.substr(token.begin, token.end - token.begin));
  return paths;
}

/// `.name[` or `.name.` or at the end; a choice element goes on with its type.
bool passes_through(std::string_view path, std::string_view target) {
  if (detail::hl7_place(target).valid) return source_paths_meet(path, target);
  for (std::size_t at = path.find(target); at != std::string_view::npos; at = path.find(target, at + 1)) {
    if (at == 0 || path[at - 1] != '.') continue;
    const std::size_t end = at + target.size();
    if (end == path.size() || path[end] == '.' || path[end] == '[' || (path[end] >= 'A' && path[end] <= 'Z'))
      return true;
  }
  return false;
}

}  // namespace

RuleCoverage::RuleCoverage(const Library& library, const CompiledLibrary& compiled, bool shipped)
    : library_(library), compiled_(compiled) {
  const ir::Unit& unit = *compiled.unit;
  std::vector<std::uint32_t> writes;
  for (const ir::Write& write : unit.writes)
    if (write.rule != ir::kNone) writes.push_back(write.rule);
  std::sort(writes.begin(), writes.end(), [&](std::uint32_t a, std::uint32_t b) {
    return is_before(unit.rules[a].span, unit.rules[b].span);
  });
  rule_of_record_.assign(unit.rules.size(), UINT32_MAX);
  for (const std::uint32_t index : writes) {
    const ir::Rule& rule = unit.rules[index];
    if (library.file_of(rule.span.file).shipped && !shipped) continue;
    const bool same = !rules_.empty() && !is_before(rules_.back().span, rule.span);
    if (!same) {
      const std::string address(unit.text(rule.address));
      rules_.push_back({rule.span, address, target_of(address), v2_paths(library.sources(), rule.span), 0});
      // The text of a rule with a v2 target names that target, not a source.
      if (detail::hl7_place(rules_.back().target).valid) rules_.back().sources.clear();
    }
    rule_of_record_[index] = static_cast<std::uint32_t>(rules_.size() - 1);
  }
}

void RuleCoverage::add(const RunResult& result, const Runner& runner) {
  if (result.lineage.empty() || result.output.empty()) return;
  const auto reader = ResultReader::open(result);
  if (!reader) return;
  const ir::Unit& unit = *compiled_.unit;
  for (const LineageRecord& record : result.lineage) {
    if (record.rule >= unit.rules.size()) continue;
    const base::Span span = unit.rules[record.rule].span;
    // The rule itself and those whose value it stands in.
    for (Rule& rule : rules_)
      if (rule.span.file == span.file && rule.span.begin <= span.begin && span.end <= rule.span.end)
        ++rule.values;
    if (unit.text(unit.rules[record.rule].address).find("->") != std::string_view::npos)
      add_conversion(reader->output_path(record.output), runner.source_paths(record.source));
  }
}

void RuleCoverage::add_conversion(const std::string& path, const std::vector<std::string>& sources) {
  for (Rule& rule : rules_) {
    if (rule.address.find("->") != std::string::npos || !passes_through(path, rule.target)) continue;
    // A rule that names no path takes what its loop or parameter holds.
    const bool meets = rule.sources.empty() ||
                       std::any_of(rule.sources.begin(), rule.sources.end(), [&](const std::string& own) {
                         return std::any_of(sources.begin(), sources.end(), [&](const std::string& source) {
                           return source_paths_meet(own, source);
                         });
                       });
    if (meets) ++rule.values;
  }
}

std::vector<CoveredRule> RuleCoverage::rules() const {
  std::vector<CoveredRule> out;
  for (const Rule& rule : rules_) {
    const std::string place = library_.sources().place(rule.span);
    out.push_back({rule.address, place.substr(0, place.rfind(':')), rule.values});
  }
  return out;
}

std::string render(const std::vector<CoveredRule>& rules) {
  const auto run = static_cast<std::size_t>(
      std::count_if(rules.begin(), rules.end(), [](const CoveredRule& rule) { return rule.values != 0; }));
  std::string out = std::to_string(run) + " of " + std::to_string(rules.size()) + " rules ran";
  if (!rules.empty()) out += " (" + std::to_string(run * 100 / rules.size()) + " %)";
  out += run == rules.size() ? "\n" : "; never:\n";
  for (const CoveredRule& rule : rules)
    if (rule.values == 0) out += "  " + rule.place + "  " + rule.address + "\n";
  return out;
}

}  // namespace kiln::mappings
