#pragma once
// The validator of FHIR resources (fhir.md §4): structure, primitive formats, bindings, invariants, references,
// profiles, extensions and questionnaire responses. Needs no network; what cannot be told without one is reported as
// not checked.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "fhir/conformance/library.h"
#include "fhir/model/json.h"
#include "fhir/model/tree.h"
#include "fhir/outcome.h"
#include "fhir/path/path.h"
#include "fhir/terminology/terminology.h"

namespace kiln::fhir {

namespace detail {
class ProfileStore;
}

/// How deep to look. Each level does what those before it do.
enum class ValidationLevel : std::uint8_t {
  structure,   ///< form, elements, cardinality, types, primitive formats, required bindings, reference targets
  invariants,  ///< + the invariants of R4, terminology, narrative
  profile,     ///< + meta.profile, extensions, the profiles asked for, questionnaire responses
};

struct ValidatorOptions {
  ValidationLevel level = ValidationLevel::profile;
  /// The text the tree was read from; when given, each issue says "line L, column C". Views into it are not kept.
  std::string_view source;
  /// When not empty: the resource type expected. Another one is an error.
  std::string_view expected_type;
  /// Canonical urls of profiles that the resource is held against, beside those of meta.profile.
  std::vector<std::string> profiles;
  /// Markup in strings is an error (security.html#narrative).
  bool refuse_markup = false;
  /// A url of example.org, example.com and the like is an error: the resource is meant to be used.
  bool refuse_examples = false;
  /// Must-support elements of the profiles that the resource does not have are listed (information).
  bool report_must_support = false;
  /// For today() and now() of invariants.
  base::WallTime now{};
  /// So many errors are listed, and so many other issues; one more, of severity information, says that there were more.
  std::size_t issues_max = base::limits::kValidationIssuesMax;
};

/// Issues come in the order of the text, the same on every run; none when all is well. Each has severity, an
/// issue-type code, the FHIRPath of the element, and a text that names the rule and the shape of what was found, never
/// its value. Time is linear in the resource (invariants of R4 included; those of profiles cost what they cost).
/// Thread-safe; profiles are compiled at their first use and kept. Borrows the library.
class Validator {
 public:
  explicit Validator(const Library& library);
  ~Validator();

  std::vector<Issue> validate(const Tree& tree, const ValidatorOptions& options = {}) const;
  /// Reads JSON or XML (told by the first character) and validates it; what a reader can read over is an issue. A text
  /// that cannot be read at all gives one fatal issue. options.source is set from `text`.
  std::vector<Issue> validate_text(std::string_view text, const ValidatorOptions& options = {},
                                   const ReadOptions& read = {}) const;

  /// A node against one profile, as conformsTo() needs it. nullopt: the profile is not known.
  std::optional<bool> conforms(Node node, std::string_view profile) const;

  /// As memberOf() needs it. nullopt: that cannot be told offline.
  std::optional<bool> is_member(Node coded, std::string_view value_set) const;
  /// As slice() needs it. nullopt: there is no such profile, or no such slice where the element stands.
  std::optional<bool> in_slice(Node element, std::string_view profile, std::string_view slice) const;
  /// Lets FHIRPath ask this validator and its terminology. `environment` must not outlive it.
  void connect(PathEnvironment& environment) const;

  const Library& library() const { return library_; }
  const Terminology& terminology() const { return terminology_; }

 private:
  const Library& library_;
  Terminology terminology_;
  std::unique_ptr<detail::ProfileStore> profiles_;
};

/// The check of every write of the server: ValidationLevel::structure, without any loaded resource.
std::vector<Issue> validate_structure(const Tree& tree, const ValidatorOptions& options = {});

/// The same from JSON or XML text; issues have their place in it.
std::vector<Issue> validate_structure(std::string_view text, const ValidatorOptions& options = {});

/// No issue is an error or fatal.
bool is_valid(const std::vector<Issue>& issues);

}  // namespace kiln::fhir
