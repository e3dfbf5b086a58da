#pragma once
// A profile, compiled: what it and the profiles it derives from say beyond the definitions of R4. Only elements that
// some differential names have a rule, so the tree is small and what it does not mention costs nothing. This takes the
// place of a snapshot. Private to fhir/validation.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/conformance/library.h"
#include "fhir/path/path.h"

namespace kiln::fhir::detail {

inline constexpr unsigned kUnbounded = 0xffff'ffff;

struct RuleType {
  std::string code;                    ///< "Reference", "Quantity"
  std::vector<std::string> profiles;   ///< of the content: any one of them
  std::vector<std::string> targets;    ///< of what a reference or canonical points at: any one of them
};

struct RuleConstraint {
  std::string key;
  PathExpression expression;
  std::string problem;  ///< why it cannot be used; empty when it can
  bool is_error = true;
};

enum class DiscriminatorKind : std::uint8_t { value, exists, pattern, type, profile };
struct Discriminator {
  DiscriminatorKind kind = DiscriminatorKind::value;
  std::string path;
};

enum class SlicingRules : std::uint8_t { open, closed, open_at_end };
struct Slicing {
  std::vector<Discriminator> discriminators;
  SlicingRules rules = SlicingRules::open;
  bool ordered = false;
};

/// What is said about one element, or one slice of it.
struct ExtraBinding {
  BindingStrength strength;
  std::string value_set;
};

struct ElementRule {
  std::string name;        ///< of the element: "value" for value[x]
  std::string slice_name;  ///< empty: the element as a whole
  unsigned min = 0, max = kUnbounded;
  std::vector<RuleType> types;  ///< empty: as in the base
  Node fixed, pattern, min_value, max_value;
  std::optional<std::size_t> max_length, min_length;
  bool must_have_value = false;
  std::vector<std::string> value_alternatives;  ///< extensions that may stand in place of the value
  std::vector<ExtraBinding> extra_bindings;
  PathExpression earliest, latest;   ///< of a date or time, counted from now
  std::string narrative_language;    ///< of a Narrative: "_yes", "_no", "_resource" or a language
  bool narrative_source = false;     ///< of a Narrative: each part says where it comes from
  BindingStrength strength = BindingStrength::none;
  std::string value_set;
  std::vector<RuleConstraint> constraints;
  bool must_support = false;
  std::optional<Slicing> slicing;
  std::vector<std::unique_ptr<ElementRule>> slices;
  std::vector<std::unique_ptr<ElementRule>> children;

  ElementRule* child(std::string_view child_name);
  const ElementRule* child(std::string_view child_name) const;
  std::unique_ptr<ElementRule> copy() const;
};

struct ContextRule {
  std::string kind, expression;  ///< element, fhirpath, extension
};

struct Profile {
  std::string url, version, title;
  const TypeDef* type = nullptr;  ///< what it constrains
  std::unique_ptr<ElementRule> root;
  std::vector<ContextRule> contexts;      ///< of an extension
  std::vector<RuleConstraint> context_invariants;
  std::vector<std::string> chain;         ///< urls of the profiles it derives from
  struct Problem {
    Node element;
    std::string text;
  };
  std::vector<Problem> problems;  ///< what the definition says and cannot be right; such rules are left out
  bool has_base = true;                   ///< false: a profile it derives from is not at hand
};

/// Compiles profiles when they are asked for, and keeps them. Thread-safe.
class ProfileStore {
 public:
  explicit ProfileStore(const Library& library) : library_(library) {}

  /// nullptr when there is no such profile, or `url` is a plain type of R4 (see base_type()).
  const Profile* find(std::string_view canonical) const;
  /// Of "http://hl7.org/fhir/StructureDefinition/Patient": the type; nullptr otherwise.
  static const TypeDef* base_type(std::string_view canonical);
  /// A definition that is itself looked at; it is not kept. nullptr when its type is not known.
  std::unique_ptr<Profile> compile_once(Node definition) const;

 private:
  std::unique_ptr<Profile> compile(Node definition, int depth) const;
  const Profile* find_locked(std::string_view canonical, int depth) const;

  const Library& library_;
  mutable std::recursive_mutex mutex_;
  mutable std::map<std::string, std::unique_ptr<Profile>, std::less<>> compiled_;
};

}  // namespace kiln::fhir::detail
