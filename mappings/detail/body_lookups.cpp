// `lookup` and `row` (hmap.md §8): declarations, calls, and columns of what was fetched.

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

bool is_row_policy(const ast::Policy& policy) {
  return policy.action != ast::Policy::Action::literal && policy.action != ast::Policy::Action::keep;
}

}  // namespace

void CompilerState::check_row(const Declaration& declaration) {
  for (const ast::Param& column : declaration.decl->get_if<ast::RowDecl>()->columns) {
    const StaticType type = this->type(*declaration.file, column.type);
    if (type.is_error() || (type.is_primitive() && !type.list)) continue;
    report(ErrorCode::E0411, column.type.span,
           "a row holds scalars; `" + column.name.text + "` is " + name_of(type));
  }
}

LookupModel& CompilerState::lookup(const Declaration& declaration) {
  auto& model = lookups_[declaration.decl];
  if (model) return *model;
  model = std::make_unique<LookupModel>();
  const auto& decl = *declaration.decl->get_if<ast::LookupDecl>();
  model->decl = &decl;
  if (decl.via.text == "http") {
    report(ErrorCode::E0990, decl.via.span, "lookups via `http` are not available in this version")
        .helps.push_back("via sql (SQLite, PostgreSQL) or via csv");
  } else if (decl.via.text == "postgres") {
    report(ErrorCode::E0412, decl.via.span, "there are no lookups via `postgres`")
        .helps.push_back("via sql \"" + decl.query.text + "\", and `postgres { … }` in that query of kiln.conf");
  } else if (decl.via.text != "sql" && decl.via.text != "csv") {
    report(ErrorCode::E0412, decl.via.span, "there are no lookups via `" + decl.via.text + "`")
        .notes.push_back("via sql \"query of kiln.conf\", via csv \"file\"");
  }
  if (decl.params.empty())
    report(ErrorCode::E0411, decl.name.span, "a lookup needs at least one parameter: what it asks for");
  const Resolution row = library.resolve(*declaration.file, decl.result.name.text, DeclKind::row);
  if (row.found == nullptr) {
    auto& diagnostic = report(
        ErrorCode::E0411, decl.result.span,
        "lookup " + decl.name.text + " needs a `row` as its result; `" + decl.result.name.text + "` is none");
    suggest(diagnostic, decl.result.name.text, library.names_in_scope(*declaration.file, DeclKind::row));
    diagnostic.helps.push_back("declare it: `row " + decl.result.name.text + " { eid : string }`");
    return *model;
  }
  ir::LookupSource source;
  source.name = builder.string(declaration.qualified());
  source.via = builder.string(decl.via.text);
  source.query = builder.string(decl.query.text);
  if (decl.cache) source.cache_ms = decl.cache->milliseconds;
  const auto columns = [&](const std::vector<ast::Param>& params, const LibraryFile& file) {
    const ir::Range range{static_cast<ir::Index>(unit().lookup_columns.size()),
                          static_cast<ir::Index>(params.size())};
    for (const ast::Param& param : params) {
      StaticType type = this->type(file, param.type);
      if (!type.is_error() && !(type.is_primitive() && !type.list)) {
        report(ErrorCode::E0411, param.type.span,
               "`" + param.name.text + "` is a scalar, not " + name_of(type));
        type = StaticType{};
      }
      if (type.is_error()) type = fhir_type("string");
      unit().lookup_columns.push_back({builder.string(param.name.text), builder.type(type)});
    }
    return range;
  };
  model->row = row.found->decl->get_if<ast::RowDecl>();
  source.parameters = columns(decl.params, *declaration.file);
  source.columns = columns(model->row->columns, *row.found->file);
  for (const auto* policy : {&decl.on_miss, &decl.on_error}) {
    if (!*policy) continue;
    if (!is_row_policy(**policy) && model->row->columns.size() != 1) {
      report(ErrorCode::E0411, (*policy)->span,
             "a text cannot stand for a row of " + std::to_string(model->row->columns.size()) + " columns")
          .helps.push_back("omit | warn … | reject … | quarantine");
    }
    (policy == &decl.on_miss ? source.on_miss : source.on_error) = this->policy(**policy);
  }
  model->source = static_cast<ir::Index>(unit().lookup_sources.size());
  unit().lookup_sources.push_back(source);
  return *model;
}

Checked Body::call_lookup(const Declaration& declaration, const ast::Call& call, base::Span span) {
  const LookupModel& model = state_.lookup(declaration);
  if (!lookups_allowed_) {
    state_.report(ErrorCode::E0411, span, "a channel cannot ask a lookup here; maps can");
    return failed(span);
  }
  if (model.row == nullptr) return failed(span);
  const ast::LookupDecl& decl = *model.decl;
  const auto ordered = ordered_args(decl.params, call.args, declaration.name, span);
  std::vector<ir::Index> args;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    if (ordered[i] == nullptr) return failed(span);
    Destination destination =
        destination_of(state_.type(*declaration.file, decl.params[i].type),
                       std::string(declaration.name) + "(" + decl.params[i].name.text + ")");
    destination.explicit_cast = true;
    args.push_back(value(*ordered[i], destination).expr);
  }
  for (const auto* policy : {&decl.on_miss, &decl.on_error})
    can_reject_ = can_reject_ || (*policy && (*policy)->action == ast::Policy::Action::reject);
  StaticType type;
  type.kind = StaticType::Kind::table_row;
  type.name = decl.result.name.text;
  type.row = model.row;
  const ir::Range range = state_.builder.args(args);
  return done(make(ir::Op::call_lookup, model.source, range.first, range.count), type, span);
}

Checked Body::row_member(Checked base, const ast::Name& name) {
  const auto& columns = base.type.row->columns;
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name.text == name.text; });
  if (found == columns.end()) {
    auto& diagnostic =
        state_.report(ErrorCode::E0401, name.span,
                      "row " + base.type.row->name.text + " has no column `" + name.text + "`");
    std::vector<std::string_view> names;
    for (const auto& column : columns) names.push_back(column.name.text);
    suggest(diagnostic, name.text, names);
    return failed(name.span);
  }
  StaticType type = state_.type(*file_, found->type);
  if (!type.is_primitive()) return failed(name.span);
  type.list = base.type.list;
  const auto position = static_cast<ir::Index>(found - columns.begin());
  return done(make(ir::Op::lookup_column, base.expr, position), type, name.span);
}

}  // namespace kiln::mappings::detail
