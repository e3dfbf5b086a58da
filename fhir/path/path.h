#pragma once
// FHIRPath N1 with the functions of FHIR R4 (fhir.md §3; http://hl7.org/fhirpath/N1, fhirpath.html): compiled
// once, run many times, over the nodes of any Tree.
//
// What is decided where the specification leaves it open, or the official suite differs from its text, is
// listed in README.md of this folder.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "fhir/path/item.h"

namespace kiln::fhir {

namespace detail {
struct PathProgram;
class PathArena;
}  // namespace detail

/// What an evaluation may ask the world, and what it may cost. Everything may be left out. Callbacks run on
/// the calling thread; what they return must live until the result is read.
struct PathEnvironment {
  /// The time of now() and today(); UTC.
  base::WallTime now;
  /// %resource, when the context is not in it already; default: the resource that holds the context node.
  Node resource;
  /// %rootResource; default: the outermost resource of the context's tree that is no Bundle entry's container
  /// (see README).
  Node root_resource;
  /// %name of the caller, without "%".
  std::vector<std::pair<std::string, std::vector<PathItem>>> variables;
  /// resolve(): the resource that a reference (its text; `from` is the Reference or uri node, absent for a
  /// string) stands for; absent when it cannot be had. Contained resources and those of the same Bundle are
  /// found before it is asked.
  std::function<Node(std::string_view reference, Node from)> resolve;
  /// memberOf(): whether the code, Coding or CodeableConcept is in the value set; nullopt when that cannot be
  /// told.
  std::function<std::optional<bool>(Node coded, std::string_view value_set)> member_of;
  /// conformsTo() for profiles; base types are decided before it is asked. nullopt: the profile is not known
  /// (an error).
  std::function<std::optional<bool>(Node node, std::string_view profile)> conforms_to;
  /// subsumes(), subsumedBy(): whether a code of the system is another or below it; nullopt when that cannot be told.
  std::function<std::optional<bool>(std::string_view system, std::string_view ancestor, std::string_view code)>
      subsumes;
  /// slice(): whether the element is in a slice that a profile names; nullopt when there is no such profile or slice.
  std::function<std::optional<bool>(Node element, std::string_view profile, std::string_view slice)> in_slice;
  /// trace(): what was traced, under which name.
  std::function<void(std::string_view name, const std::vector<PathItem>& items)> trace;

  std::uint64_t steps_max = base::limits::kPathStepsMax;
  std::size_t result_max = base::limits::kPathResultMax;
  std::size_t bytes_max = base::limits::kPathBytesMax;
};

/// The items of one evaluation; owns the texts that the evaluation made. May be used again for the next one,
/// which saves its memory being allocated anew. Movable, not copyable.
class PathResult {
 public:
  PathResult();
  ~PathResult();
  PathResult(PathResult&&) noexcept;
  PathResult& operator=(PathResult&&) noexcept;

  const std::vector<PathItem>& items() const { return items_; }
  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  const PathItem& operator[](std::size_t index) const { return items_[index]; }

 private:
  friend class PathExpression;
  std::vector<PathItem> items_;
  std::unique_ptr<detail::PathArena> arena_;
};

struct CompileOptions {
  /// The type of the context. In strict mode unknown elements of known types, and functions and operators
  /// that cannot apply to the types they get, are refused (fhirpath_semantic).
  const TypeDef* type = nullptr;
  bool strict = false;
  /// `as` over many items keeps those of the type, as search parameters need it; the specification makes it
  /// an error.
  bool as_filters = false;
};

/// A compiled expression; immutable, cheap to copy, may be evaluated by several threads at once.
class PathExpression {
 public:
  PathExpression() = default;
  /// Errors: fhirpath_syntax, fhirpath_semantic (strict; unknown functions always), fhirpath_budget (too long
  /// or too deep); the place is "line L, column C".
  static base::Result<PathExpression> compile(std::string_view text, const CompileOptions& options = {});
  bool compiled() const { return program_ != nullptr; }
  std::string_view text() const;

  /// Evaluates with `context` as $this, %context and, when there is one, the resource it is in as %resource.
  /// An absent context is the empty collection. `out` is overwritten. Errors: fhirpath_execution,
  /// fhirpath_budget; `out` is empty then.
  base::Status evaluate(Node context, const PathEnvironment& environment, PathResult& out) const;
  base::Status evaluate(const PathItem& context, const PathEnvironment& environment, PathResult& out) const;
  base::Result<PathResult> evaluate(Node context, const PathEnvironment& environment = {}) const;
  /// The result as an invariant needs it: one boolean as it is, nothing is `empty` (an invariant that gives
  /// nothing has failed), one item of another kind is true (N1 §4.5). An error when there are several.
  base::Result<std::optional<bool>> holds(Node context, const PathEnvironment& environment,
                                          PathResult& scratch) const;

 private:
  explicit PathExpression(std::shared_ptr<const detail::PathProgram> program)
      : program_(std::move(program)) {}
  std::shared_ptr<const detail::PathProgram> program_;
};

/// The collection as one JSON array: nodes as FHIR JSON; booleans and numbers with their text; the other System values as strings, as
/// toString() gives them ("2014-12", "10:30", "4 days", "1 'mg'").
std::string print_json(const std::vector<PathItem>& items, bool pretty = false);

}  // namespace kiln::fhir
