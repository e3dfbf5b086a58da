#pragma once
// From the syntax tree of option blocks to checked Options (hmap.md §20): E0904, E0905, E0909, E0915, E0917.

#include <string>
#include <vector>

#include "channels/options.h"
#include "mappings/ast.h"

namespace kiln::channels::detail {

/// An option that holds expressions; they are compiled later, against the types of the channel.
struct ParsedExpressions {
  std::string option;
  std::vector<std::string> literals;  ///< of a template: one more than exprs
  std::vector<const mappings::ast::Expr*> exprs;
};

struct ParsedOptions {
  Options options;
  std::vector<ParsedExpressions> templates;
  std::vector<const mappings::ast::Expr*> order_by;
};

/// `owner` is what diagnostics call the block: "mllp source", "mllp", "server". `owner_span` is underlined
/// when an option is missing. The trees must outlive the result.
ParsedOptions parse_options(const std::vector<mappings::ast::Option>& written,
                            std::span<const FieldSpec> fields, const std::string& owner,
                            base::Span owner_span, base::Diagnostics& diagnostics);

/// Adds one diagnostic.
void report(base::Diagnostics& diagnostics, base::ErrorCode code, base::Span span, std::string message,
            std::string help = {}, base::Severity severity = base::Severity::error);
/// "did you mean `port`?", or empty.
std::string did_you_mean(std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace kiln::channels::detail
