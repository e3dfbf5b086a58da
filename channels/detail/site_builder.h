#pragma once
// From the syntax trees of a site to its definition, in two steps around the compile: first everything that
// needs no map, with the expressions to compile; then maps, expressions and the checks between them.

#include <string>
#include <vector>

#include "channels/definition.h"
#include "channels/detail/option_parser.h"

namespace kiln::channels::detail {

/// Where the compiled expression goes, once all requests have their index.
struct PendingExpression {
  const mappings::ast::Expr* expr = nullptr;
  bool text = false;              ///< else a condition
  std::size_t first_request = 0;  ///< requests [first, first + count): one per accept entry
  std::size_t count = 0;
};

struct PendingDestination {
  const mappings::ast::DestinationClause* clause = nullptr;
  std::optional<PendingExpression> condition;
  std::vector<ParsedExpressions> templates;
  std::vector<std::vector<PendingExpression>> parts;  ///< parallel to templates
  bool ordered = false;
  std::vector<PendingExpression> order;
};

struct PendingRoute {
  const mappings::ast::RouteClause* clause = nullptr;
  std::optional<PendingExpression> condition;
  std::optional<std::size_t> arguments;  ///< index in PendingSite::map_requests
};

/// One channel between the two steps; vectors are parallel to those of `definition`.
struct PendingChannel {
  ChannelDefinition definition;
  const mappings::ast::ChannelDecl* decl = nullptr;
  const mappings::LibraryFile* file = nullptr;
  std::optional<PendingExpression> where;
  std::vector<PendingRoute> routes;
  std::vector<const mappings::ast::RouteClause*> replies;  ///< `map … of`; not among routes
  std::vector<PendingDestination> destinations;
};

struct PendingSite {
  Options server;
  base::Span server_span;
  std::vector<PendingChannel> channels;
  std::vector<mappings::ExpressionRequest> requests;
  std::vector<mappings::MapRequest> map_requests;
};

/// Step one. Reports E0900, E0902 (accept), E0904, E0905, E0909, E0917 and E0108.
PendingSite read_site(const mappings::Library& library, base::Diagnostics& diagnostics);

/// Step two: fills maps and expressions in. Reports E0901, E0902, E0905 (`from`).
void connect_site(const mappings::Library& library, const mappings::CompiledLibrary& compiled,
                  PendingSite& site, base::Diagnostics& diagnostics);

/// Checks between the parts of the connected site: E0903, E0906, E0907, E0908, E0910, E0911, E0912, W0913,
/// W0916.
void check_site(const mappings::Library& library, const PendingSite& site, base::Diagnostics& diagnostics);

/// What the engine does not have yet, E0915: the site can be tested, but not run.
void check_available(const PendingSite& site, base::Diagnostics& diagnostics);

/// True when both conditions can never hold for one message, as far as their text shows it.
bool exclude_each_other(const mappings::ast::Expr& a, const mappings::ast::Expr& b,
                        const base::SourceMap& sources);

}  // namespace kiln::channels::detail
