// `kiln check --versions 2.3..2.8`: the same maps, checked as if their sources declared other versions
// (hmap.md §4).

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/base/text.h"
#include "hl7/dictionary/version.h"
#include "hl7/dictionary/widening.h"
#include "mappings/compiler.h"
#include "mappings/package.h"

namespace kiln::mappings {

using base::ErrorCode;

namespace {

using Place = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

Place place_of(base::Span span) {
  return {span.file, span.begin, span.end};
}

/// What can go wrong with a path because of the version; other findings are the same in all.
bool is_about_paths(std::string_view code) {
  return code.starts_with("E01") || code == "E0203" || code == "E0204" || code == "E0301" || code == "E0501";
}

/// Everything that one place has to say, by what it says.
struct Finding {
  base::Span span;
  std::string what;
  std::vector<std::string> versions;
};

class VersionCheck {
 public:
  VersionCheck(const Library& library, const CompiledLibrary& base, base::Diagnostics& diagnostics)
      : library_(library), diagnostics_(diagnostics) {
    base::Diagnostics own;
    compile(library_, own);
    for (const base::Diagnostic& finding : own.list()) known_.insert({place_of(finding.span), finding.code});
    for (const auto& [span, type] : base.path_types) types_.emplace(place_of(span), type);
  }

  void check(const std::string& version) {
    base::Diagnostics findings;
    CompileOptions options;
    options.as_version = version;
    const CompiledLibrary compiled = compile(library_, findings, {}, options);
    for (const base::Diagnostic& finding : findings.list()) {
      const std::string_view code = base::error_info(finding.code).code;
      if (!is_about_paths(code) || known_.contains({place_of(finding.span), finding.code})) continue;
      add(finding.span, finding.message, version);
    }
    for (const auto& [span, type] : compiled.path_types) {
      const auto declared = types_.find(place_of(span));
      if (declared == types_.end() || declared->second == type || type.empty()) continue;
      const bool bridged = hl7::widens(type, declared->second).has_value();
      add(span,
          std::string(library_.sources().text(span)) + " is " + type + ", here " + declared->second +
              (bridged ? " (the bridge widens it)" : ""),
          version);
    }
  }

  void report() {
    for (const auto& [key, finding] : findings_) {
      if (library_.file_of(finding.span.file).shipped) continue;
      base::Diagnostic diagnostic;
      diagnostic.code = ErrorCode::W0110;
      diagnostic.severity = base::Severity::warning;
      diagnostic.span = finding.span;
      for (const std::string& version : finding.versions)
        diagnostic.message += (diagnostic.message.empty() ? "" : ", ") + version;
      diagnostic.message += ": " + finding.what;
      diagnostic.helps.push_back("guard it: `when version >= …`, or leave it when those senders never fill it");
      diagnostics_.add(std::move(diagnostic));
    }
  }

 private:
  /// Findings of several versions that differ only in the version they name are one.
  void add(base::Span span, const std::string& what, const std::string& version) {
    std::string text = what;
    for (const std::string& mark : {" in HL7 v" + version, " of HL7 v" + version, version + " has"}) {
      const std::size_t at = text.find(mark);
      if (at != std::string::npos) text.replace(at, mark.size(), mark.starts_with(' ') ? "" : "there is");
    }
    auto& finding = findings_[{place_of(span), text}];
    finding.span = span;
    finding.what = text;
    if (finding.versions.empty() || finding.versions.back() != version) finding.versions.push_back(version);
  }

  const Library& library_;
  base::Diagnostics& diagnostics_;
  std::set<std::pair<Place, ErrorCode>> known_;
  std::map<Place, std::string> types_;
  std::map<std::pair<Place, std::string>, Finding> findings_;
};

}  // namespace

base::Result<std::vector<std::string>> parse_versions(std::string_view text) {
  const std::size_t dots = text.find("..");
  const std::string_view from = text.substr(0, dots);
  const std::string_view to = dots == std::string_view::npos ? from : text.substr(dots + 2);
  const auto first = hl7::find_version(from), last = hl7::find_version(to);
  if (!first || !last || *last < *first)
    return base::fail(ErrorCode::bad_value, "`" + std::string(text) + "` is no range of HL7 versions", {},
                      "2.3..2.8, or one version");
  std::vector<std::string> out;
  for (const hl7::Version version : hl7::kVersions)
    if (*first <= version && version <= *last) out.emplace_back(hl7::version_text(version));
  return out;
}

base::Status check_versions(const Library& library, const CompiledLibrary& base,
                            std::span<const std::string> versions, base::Diagnostics& diagnostics) {
  VersionCheck check(library, base, diagnostics);
  for (const std::string& version : versions) {
    if (!hl7::find_version(version))
      return base::fail(ErrorCode::bad_value, "HL7 version " + version + " is not known");
    check.check(version);
  }
  check.report();
  return {};
}

}  // namespace kiln::mappings
