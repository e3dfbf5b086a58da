#include "fhir/path/path.h"

#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/parser.h"

namespace kiln::fhir {

PathResult::PathResult() = default;
PathResult::~PathResult() = default;
PathResult::PathResult(PathResult&&) noexcept = default;
PathResult& PathResult::operator=(PathResult&&) noexcept = default;

base::Result<PathExpression> PathExpression::compile(std::string_view text, const CompileOptions& options) {
  TRY(auto program, detail::parse_path(text));
  program->as_filters = options.as_filters;
  if (options.strict) TRY_VOID(detail::check_path(*program, options.type));
  return PathExpression(std::move(program));
}

std::string_view PathExpression::text() const {
  return program_ ? std::string_view(program_->text) : std::string_view();
}

base::Status PathExpression::evaluate(const PathItem& context, const PathEnvironment& environment,
                                      PathResult& out) const {
  const bool absent = context.is(PathKind::node) && !context.node();
  out.items_.clear();
  if (!program_) return {};
  if (!out.arena_) out.arena_ = std::make_unique<detail::PathArena>();
  out.arena_->clear();
  const PathItem* self = absent ? nullptr : &context;
  detail::Evaluator evaluator(*program_, environment, *out.arena_, self);
  detail::Collection items = evaluator.make();
  const detail::Scope scope{self};
  if (!evaluator.eval(*program_->root, scope, items)) return base::fail(std::move(evaluator.error()));
  if (items.size() > environment.result_max)
    return base::fail(base::ErrorCode::fhirpath_budget, "the result has too many items");
  out.items_.assign(items.begin(), items.end());
  return {};
}

base::Status PathExpression::evaluate(Node context, const PathEnvironment& environment,
                                      PathResult& out) const {
  return evaluate(PathItem::of(context), environment, out);
}

base::Result<PathResult> PathExpression::evaluate(Node context, const PathEnvironment& environment) const {
  PathResult out;
  TRY_VOID(evaluate(context, environment, out));
  return out;
}

base::Result<std::optional<bool>> PathExpression::holds(Node context, const PathEnvironment& environment,
                                                        PathResult& scratch) const {
  TRY_VOID(evaluate(context, environment, scratch));
  if (scratch.empty()) return std::optional<bool>();
  if (scratch.size() > 1)
    return base::fail(base::ErrorCode::fhirpath_execution, "several items where one truth value is needed");
  const PathItem& item = scratch[0];
  if (item.is(PathKind::boolean)) return std::optional<bool>(item.boolean());
  if (item.is(PathKind::node) && item.node().kind() == NodeKind::boolean)
    return std::optional<bool>(item.node().text() == "true");
  return std::optional<bool>(true);
}

}  // namespace kiln::fhir
