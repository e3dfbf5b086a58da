#pragma once
// From syntax trees to runnable maps: name resolution, static checks (hmap.md §18) and lowering into the
// compiled form that the runtime executes. Compiling does no I/O and is deterministic.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/result.h"
#include "mappings/ast.h"
#include "mappings/lock.h"
#include "mappings/program.h"

namespace kiln::mappings {

class Library;
namespace detail {
class SharedFacts;
}

/// What a map takes and gives, for channels and the CLI.
struct MapInfo {
  std::string name;              ///< qualified: "std.v2fhir.adt.adt_a01"
  std::string package;           ///< "std.v2fhir.adt"
  std::uint32_t map = 0;         ///< index in Unit::maps
  DataType source, target;       ///< hl7 names are as written: a structure id or an event
  std::string source_structure;  ///< hl7: the structure id, also when `source` is an event
  std::string source_event;      ///< hl7: "ADT^A08" when the source is one event only, else empty
  std::vector<std::string> needs;  ///< parameters beside the source that have to be given
  bool can_reject =
      false;  ///< holds a `require … else reject`, a reject policy or calls something that does (W0913)
  base::Span span;  ///< of the name in the declaration
};

/// A standalone expression against one source type: `accept … where`, `map … if`, `order by`, `${…}` of an
/// option.
struct ExpressionRequest {
  enum class Want : std::uint8_t { condition, text };
  const ast::Expr* expr = nullptr;
  const ast::File* file = nullptr;  ///< whose names are in scope
  DataType source;                  ///< hl7: structure id or event and version
  Want want = Want::condition;
};

/// A map with arguments for its further parameters: `map rows = census(ward = "W1")`.
struct MapRequest {
  const ast::QName* map = nullptr;
  const std::vector<ast::Arg>* arguments = nullptr;
  const ast::File* file = nullptr;  ///< whose names are in scope
};

struct CompileOptions {
  std::span<const MapRequest> maps;
  /// Checks every map as if its source declared this version ("2.3"); nothing of the result is to be run.
  std::string_view as_version;
  /// Checks every map as if it were declared `strict`.
  bool strict = false;
  /// Which shipped maps are compiled whole; empty: all, with every other declaration of the library. The others
  /// keep their signature, so that a package still chooses among all of them, and must not be run. What the
  /// chosen ones use is compiled with them.
  std::function<bool(const MapInfo&)> shipped_maps;
};

class CompiledLibrary {
 public:
  /// Immutable; shared with Programs. Never null after compile(); not runnable when there were errors.
  std::shared_ptr<const ir::Unit> unit;
  std::vector<MapInfo> maps;
  /// Parallel to the requests: index in Unit::expressions, or nothing when it has an error.
  std::vector<std::optional<std::uint32_t>> expressions;

  /// Parallel to CompileOptions::maps: index in Unit::maps, or nothing when it has an error or is no map.
  std::vector<std::optional<std::uint32_t>> specialised;
  /// The datatype of every v2 path, by its place: what `check --versions` compares.
  std::vector<std::pair<base::Span, std::string>> path_types;
  /// What the site's `extend map` declarations remove or replace; for `kiln accept`.
  std::vector<OverriddenRule> overridden;

  /// By qualified name, or by its last part when that is unambiguous; nullptr when there is none.
  const MapInfo* find_map(std::string_view name) const;
  /// The maps of a package and of what is nested in it ("std.v2fhir"), in order of name; empty when there are
  /// none.
  std::vector<const MapInfo*> find_package(std::string_view name) const;
  /// A runnable map or package of that name; empty Program when there is neither.
  Program program(std::string_view map_or_package) const;
  /// The map with that index in Unit::maps.
  Program program_of(std::uint32_t map) const;
  /// No map: for Runner::evaluate_condition and evaluate_text of the unit's standalone expressions.
  Program expressions_program() const;

  /// What the programs of the unit share: derived when the first is asked for, since a library that is only
  /// checked runs none. Thread-safe.
  std::shared_ptr<detail::SharedFacts> facts;
};

/// Compiles every declaration of the library's files. Findings go to `diagnostics`; with errors among them
/// the result still lists the maps whose signature is understood.
CompiledLibrary compile(const Library& library, base::Diagnostics& diagnostics,
                        std::span<const ExpressionRequest> requests = {}, const CompileOptions& options = {});

/// W0110 for every path of the site's maps that is missing or has another datatype in one of the versions, at
/// its place. `base` is the ordinary result. Errors: bad_value for a version that is not known.
base::Status check_versions(const Library& library, const CompiledLibrary& base,
                            std::span<const std::string> versions, base::Diagnostics& diagnostics);
/// "2.3..2.8" or "2.5.1" as a list of versions. Errors: bad_value.
base::Result<std::vector<std::string>> parse_versions(std::string_view text);

}  // namespace kiln::mappings
