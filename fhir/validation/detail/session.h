#pragma once
// What one validation carries with it. Private to fhir/validation.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fhir/path/path.h"
#include "fhir/validation/validator.h"

namespace kiln::fhir::detail {

/// Collects issues: place in the text, their order, and a cap for errors and one for all others, so that no error is lost
/// behind warnings.
class Issues {
 public:
  Issues(std::string_view source, std::size_t issues_max) : source_(source), max_(issues_max) {}

  void add(IssueSeverity severity, std::string_view code, Node at, std::string text);
  void add_at(IssueSeverity severity, std::string_view code, std::string path, std::size_t offset, std::string text);
  /// No further error would be listed.
  bool full() const { return errors_ >= max_; }
  bool truncated() const { return truncated_; }
  std::size_t size() const { return found_.size(); }
  std::size_t errors() const { return errors_; }
  /// Forgets what came after the first `size` issues: a trial that is not to be told.
  void drop(std::size_t size, bool truncated);
  /// Sorted by place.
  std::vector<Issue> take();

 private:
  struct Found {
    std::size_t offset, number;
    Issue issue;
  };
  std::string_view source_;
  std::size_t max_;
  bool truncated_ = false;
  std::size_t errors_ = 0, others_ = 0;
  std::vector<Found> found_;
};

/// The entries of a Bundle by fullUrl and by "Type/id".
struct BundleIndex {
  std::unordered_map<std::string_view, Node> by_full_url;
  std::unordered_map<std::string, Node> by_type_id;
};

class ProfileStore;

/// One validation of one tree.
struct Session {
  const ValidatorOptions& options;
  const Terminology* terminology;  ///< nullptr: structure only, nothing loaded
  const Library* library;
  ProfileStore* profiles;
  Issues issues;
  PathEnvironment environment{};
  PathResult scratch{};
  std::unordered_map<std::uint32_t, BundleIndex> bundles{};  ///< by id() of the Bundle's node
  std::vector<std::pair<std::uint32_t, const void*>> open_profiles{};  ///< node and profile being checked
  bool choices_checked = false;  ///< a reader has told of choices in two types

  bool checks_invariants() const { return options.level >= ValidationLevel::invariants; }
  bool checks_profiles() const { return options.level >= ValidationLevel::profile && profiles != nullptr; }

  void error(std::string_view code, Node at, std::string text) {
    issues.add(IssueSeverity::error, code, at, std::move(text));
  }
  void warning(std::string_view code, Node at, std::string text) {
    issues.add(IssueSeverity::warning, code, at, std::move(text));
  }
  void note(std::string_view code, Node at, std::string text) {
    issues.add(IssueSeverity::information, code, at, std::move(text));
  }
  /// An element that is not there: the place is that of its parent, with the name.
  void missing(std::string_view code, Node parent, std::string_view name, std::string text);

  /// More of an element than may be: the place is that of the first one too many.
  void too_many(Node first, Node parent, std::string_view name, std::string text);

  const BundleIndex& bundle_index(Node bundle);
};

/// "a string of 10 characters", "an object": what was found without its value.
std::string shape_of(Node node);

// ---- the layers; each in its own file ----
void check_resource(Session& session, Node resource);
void check_invariants(Session& session, Node node);
void check_binding(Session& session, Node node, BindingStrength strength, std::string_view value_set);
/// Of a code, string, Coding or CodeableConcept; nullopt when it cannot be told.
std::optional<bool> is_member(Session& session, Node coded, std::string_view value_set);
void check_reference(Session& session, Node reference);
void check_bundle(Session& session, Node bundle);
void check_xhtml(Session& session, Node div);
/// The sections by language that a profile asks of a Narrative: "_yes", "_no", "_resource" or one language.
void check_narrative_language(Session& session, Node narrative, std::string_view control);
/// Each part directly inside the div says by its class whether it is boilerplate, generated or original.
void check_narrative_source(Session& session, Node narrative);
void check_extension(Session& session, Node extension);
/// A url of example.org and its like, where options.refuse_examples asks for that.
void check_example_url(Session& session, Node url);
void check_profiles(Session& session, Node resource);
/// A node against one profile; one that is not at hand is said not to be checked.
void check_profile(Session& session, Node node, std::string_view url);
/// A StructureDefinition that constrains: what it says can be right.
void check_definition(Session& session, Node definition);
void check_questionnaire(Session& session, Node questionnaire);
void check_questionnaire_response(Session& session, Node response);

/// The resource that a reference stands for, as far as it is in this tree: contained, in the same Bundle.
Node resolve_reference(Session& session, std::string_view reference, Node from);

}  // namespace kiln::fhir::detail
