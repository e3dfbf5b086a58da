#pragma once
// `extend map site from base { … }` (hmap.md §13): edits by rule address, met while the base map is lowered.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mappings/ast.h"
#include "mappings/detail/compiler_state.h"
#include "mappings/lock.h"

namespace kiln::mappings::detail {

/// `birthDate.ext(birthTime)`, `PID-5`, `category[1]`: a left side as a rule address spells it.
std::string address_of(const ast::Target& target, std::size_t first_step = 0);

/// The source of a rule or declaration with one blank between tokens and without comments: a new layout is no
/// change.
std::string normalised_source(const base::SourceMap& sources, base::Span span);

/// `extend const`: E0704 when the value is of another kind than the constant's own; what a site sets of a
/// shipped package is recorded for the lock.
void check_settings(CompilerState& state);

/// A rule of the base while it is lowered: where it stands and how it is named.
struct RuleName {
  std::string handle;   ///< of the `create`, `add` or `emit` it writes to; "" at the top of the map
  std::string path;     ///< "gender"; of a whole `create` its handle
  std::string label;    ///< without "@"
  std::string address;  ///< "std.v2fhir.adt:PID_Patient.gender", for the lock
  bool whole = false;   ///< a `create`, which can be removed but not replaced
};

/// The edits of a chain of `extend map` declarations, nearest the base first. Every edit must meet exactly
/// one rule; what happens to it is what the outermost declaration says.
class Extension {
 public:
  /// The chain that ends in `declaration`, and the map at its root. Reports E0305, E0502 and E0215; nothing
  /// is returned then.
  static std::optional<Extension> open(CompilerState& state, const Declaration& declaration);

  const Declaration& base() const { return *base_; }

  struct Verdict {
    enum class Kind : std::uint8_t { keep, remove, replace } kind = Kind::keep;
    const ast::Stmt* replacement = nullptr;
    std::size_t layer = 0;  ///< whose replacement it is
  };
  /// What becomes of a rule. `stmt` is its source, for the lock.
  Verdict meet(const RuleName& name, base::Span stmt);

  /// Additions to the block of a handle, with the layer each comes from; marks them as met.
  struct Addition {
    const ast::Stmt* stmt;
    std::size_t layer;
  };
  std::vector<Addition> additions(std::string_view handle);
  /// Whether an addition to the block sets this policy: then the base's own `on …` does not count.
  bool overrides_policy(std::string_view handle, ast::OnEvent::Event event) const;

  const Declaration& layer(std::size_t index) const { return *layers_[index].declaration; }
  /// Only edits of layers from here on touch what is lowered now; 0 for the base itself.
  std::size_t floor = 0;

  /// E0701 for edits that met no rule or several; then records what was overridden.
  void finish(std::vector<OverriddenRule>& overridden);

 private:
  struct Pending {
    const ast::Edit* edit = nullptr;
    std::string handle, path, label;
    std::vector<base::Span> met;
    std::string address, text;  ///< of the rule met
  };
  struct Layer {
    const Declaration* declaration = nullptr;
    std::vector<Pending> edits;
  };
  explicit Extension(CompilerState& state) : state_(&state) {}
  void add_layer(const Declaration& declaration);
  std::string written(const Pending& edit) const;
  void report_missing(const Layer& layer, const Pending& edit);
  void report_several(const Layer& layer, const Pending& edit);

  CompilerState* state_;
  const Declaration* base_ = nullptr;
  std::vector<Layer> layers_;
  std::vector<std::string> known_;    ///< "patient.gender@label" of every rule met
  std::vector<std::string> handles_;  ///< whose blocks were seen
};

}  // namespace kiln::mappings::detail
