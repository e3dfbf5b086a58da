#include "mappings/csv.h"
#include "mappings/detail/compiler_state.h"

#include <re2/re2.h>

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

int CsvModel::find(std::string_view name) const {
  for (std::size_t i = 0; i < decl->columns.size(); ++i) {
    if (decl->columns[i].name.text == name) return static_cast<int>(i);
  }
  return -1;
}

std::vector<std::string_view> CsvModel::names() const {
  std::vector<std::string_view> names;
  for (const auto& column : decl->columns) names.push_back(column.name.text);
  return names;
}

void suggest(base::Diagnostic& diagnostic, std::string_view wrong,
             const std::vector<std::string_view>& candidates) {
  const auto near = base::nearest(wrong, candidates);
  if (!near.empty()) diagnostic.helps.push_back("did you mean `" + std::string(near) + "`?");
}

std::string listed(const std::vector<std::string>& names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == limit) return text + " … (" + std::to_string(names.size()) + ")";
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text;
}

CompilerState::CompilerState(const Library& the_library, base::Diagnostics& diagnostics)
    : library(the_library), diagnostics_(diagnostics) {}

base::Diagnostic& CompilerState::report(ErrorCode code, base::Span span, std::string message,
                                        std::string label) {
  base::Diagnostic made;
  made.code = code;
  if (base::error_info(code).code[0] == 'W') made.severity = base::Severity::warning;
  made.message = std::move(message);
  made.span = span;
  made.label = std::move(label);
  if (!reported_.insert({code, span.file, span.begin, span.end}).second) {
    scratch_ = std::move(made);
    return scratch_;
  }
  return diagnostics_.add(std::move(made));
}

const std::vector<Conversion>& CompilerState::conversions(const LibraryFile& file) {
  const auto found = conversions_.find(&file);
  if (found != conversions_.end()) return found->second;
  return conversions_.emplace(&file, library.conversions(file)).first->second;
}

const StructureTree& CompilerState::tree(hl7::Version version, const hl7::StructureDef& structure) {
  auto& tree = trees_[{version, std::string(structure.variant)}];
  if (!tree) tree = std::make_unique<StructureTree>(structure);
  return *tree;
}

StaticType CompilerState::type(const LibraryFile& file, const ast::Type& written) {
  StaticType type;
  const std::string& name = written.name.text;
  if (written.model != ast::Type::Model::hl7) {
    const auto csv_decl = library.resolve(file, name, DeclKind::csv);
    const auto row = library.resolve(file, name, DeclKind::row);
    if (written.model == ast::Type::Model::csv && csv_decl.found != nullptr) {
      type.kind = StaticType::Kind::csv_row;
      type.index = csv(*csv_decl.found).schema;
      type.name = csv_decl.found->name;
    } else {
      type = fhir_type(name);
    }
    if (type.is_error() && row.found != nullptr && written.model == ast::Type::Model::none) {
      type.kind = StaticType::Kind::table_row;
      type.name = row.found->name;
      type.row = row.found->decl->get_if<ast::RowDecl>();
    }
  }
  const bool may_be_v2 = written.model == ast::Type::Model::hl7 || written.model == ast::Type::Model::none;
  if (type.is_error() && may_be_v2 && is_datatype(name)) type = v2_type(name);
  if (type.is_error()) {
    auto& diagnostic = report(ErrorCode::E0305, written.span, "unknown type `" + name + "`");
    std::vector<std::string_view> names;
    for (const auto& other : fhir::all_types()) names.push_back(other.name());
    suggest(diagnostic, name, names);
    return type;
  }
  type.list = written.arity == ast::Type::Arity::list;
  return type;
}

ir::Index CompilerState::policy(const ast::Policy& written) {
  using Action = ast::Policy::Action;
  ir::Policy policy;
  policy.warn = written.warn;
  switch (written.action) {
    case Action::keep:
      policy.kind = ir::PolicyKind::keep;
      break;
    case Action::omit:
      policy.kind = ir::PolicyKind::omit;
      break;
    case Action::reject:
      policy.kind = ir::PolicyKind::reject;
      break;
    case Action::quarantine:
      policy.kind = ir::PolicyKind::quarantine;
      break;
    case Action::erase:
      policy.kind = ir::PolicyKind::delete_;
      break;
    case Action::absent:
      policy.kind = ir::PolicyKind::absent;
      break;
    case Action::skip:
      policy.kind = ir::PolicyKind::skip;
      break;
    case Action::literal:
      policy.kind = ir::PolicyKind::literal;
      policy.literal = builder.constant(ir::ConstantKind::string, written.value->text);
      break;
  }
  policy.ar = written.ack == "AR";
  if (written.code) policy.error = static_cast<std::uint16_t>(std::clamp(*written.code, 0, 65535));
  if (!written.text.empty()) policy.text = builder.string(written.text);
  return builder.policy(policy);
}

ir::Index CompilerState::regex(const std::string& pattern, base::Span span) {
  const auto found = regexes_.find(pattern);
  if (found != regexes_.end()) return found->second;
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  if (!compiled->ok()) {
    const bool reference =
        pattern.find("\\1") != std::string::npos || compiled->error_code() == re2::RE2::ErrorBadEscape;
    auto& diagnostic = report(ErrorCode::E0503, span,
                              reference ? "the pattern uses a back-reference"
                                        : "the pattern is not understood: " + compiled->error());
    diagnostic.helps.push_back("only linear-time patterns: no back-references, no look-around");
  }
  const auto index = static_cast<ir::Index>(unit().regexes.size());
  unit().regexes.push_back(std::move(compiled));
  regexes_.emplace(pattern, index);
  return index;
}

CsvModel& CompilerState::csv(const Declaration& declaration) {
  auto& model = csvs_[declaration.decl];
  if (model) return *model;
  model = std::make_unique<CsvModel>();
  model->decl = declaration.decl->get_if<ast::CsvDecl>();
  csv_format(*model->decl, diagnostics_);  // E0804
  ir::CsvSchema schema;
  schema.name = builder.string(declaration.qualified());
  for (std::size_t i = 0; i < library.declarations().size(); ++i) {
    if (library.declarations()[i].get() == &declaration) schema.declaration = static_cast<ir::Index>(i);
  }
  for (const auto& option : model->decl->options) {
    const auto* value = option.values.empty() ? nullptr : &option.values.front();
    if (value == nullptr) continue;
    if (option.name.text == "delimiter" && !value->text.empty()) schema.delimiter = value->text.front();
    if (option.name.text == "header") schema.header = value->text != "false";
    if (option.name.text == "encoding") schema.encoding = builder.string(value->text);
    if (option.name.text == "null") schema.null_text = builder.string(option.values.back().text);
  }
  schema.columns = {static_cast<ir::Index>(unit().csv_columns.size()),
                    static_cast<ir::Index>(model->decl->columns.size())};
  std::vector<ir::CsvColumn> columns;
  for (const auto& column : model->decl->columns) {
    StaticType column_type = type(*declaration.file, column.type);
    if (!column_type.is_error() && !column_type.is_primitive()) {
      report(ErrorCode::E0501, column.type.span, "a column holds a scalar, not " + name_of(column_type));
      column_type = fhir_type("string");
    }
    if (column_type.is_error()) column_type = fhir_type("string");
    model->columns.push_back(column_type);
    ir::CsvColumn made;
    made.name = builder.string(column.name.text);
    made.header = builder.string(column.header ? column.header->text : column.name.text);
    if (column.format) made.pattern = builder.string(column.format->text);
    made.type = builder.type(column_type);
    if (column.from) made.from = static_cast<std::uint16_t>(column.from->value);
    if (column.to) made.to = static_cast<std::uint16_t>(column.to->value);
    made.required = column.required;
    columns.push_back(made);
  }
  unit().csv_columns.insert(unit().csv_columns.end(), columns.begin(), columns.end());
  model->schema = static_cast<ir::Index>(unit().csv_schemas.size());
  unit().csv_schemas.push_back(schema);
  return *model;
}

ir::Index CompilerState::reserve_function(const std::string& name) {
  ir::Function function;
  function.name = builder.string(name);
  unit().functions.push_back(function);
  return static_cast<ir::Index>(unit().functions.size() - 1);
}

/// E0502 when the declaration is being compiled already.
bool CompilerState::report_cycle(const Declaration& declaration, base::Span use) {
  const auto at = std::find(call_stack_.begin(), call_stack_.end(), &declaration);
  if (at == call_stack_.end()) return false;
  std::string chain;
  for (auto it = at; it != call_stack_.end(); ++it) chain += std::string((*it)->name) + " -> ";
  chain += declaration.name;
  const bool is_fn = declaration.kind == DeclKind::fn;
  report(ErrorCode::E0502, use,
         (is_fn ? "fn " : "datatype map ") + std::string(declaration.name) + " calls itself (" + chain + ")")
      .helps.push_back("no recursion");
  return true;
}

StaticType CompilerState::fn_result(const Declaration& declaration) {
  return type(*declaration.file, declaration.decl->get_if<ast::FnDecl>()->result);
}

ir::Index CompilerState::fn(const Declaration& declaration, base::Span use) {
  const auto found = made_.find(declaration.decl);
  if (found != made_.end()) {
    if (found->second.progress == Progress::running && report_cycle(declaration, use)) return ir::kNone;
    return found->second.function;
  }
  const ir::Index function = reserve_function(declaration.qualified());
  made_[declaration.decl] = {Progress::running, function};
  call_stack_.push_back(&declaration);
  compile_fn(declaration, function);
  call_stack_.pop_back();
  made_[declaration.decl].progress = Progress::done;
  return function;
}

void CompilerState::compile_fn(const Declaration& declaration, ir::Index index) {
  const auto& decl = *declaration.decl->get_if<ast::FnDecl>();
  Body body(*this, *declaration.file,
            std::string(declaration.package) + ":" + std::string(declaration.name) + ".");
  for (const auto& param : decl.params) {
    const bool segment = param.type.model == ast::Type::Model::hl7 && !is_datatype(param.type.name.text);
    if (segment) {
      report(ErrorCode::E0501, param.type.span, "a fn takes values, not segments; use a fragment");
      body.declare_local(param.name.text, StaticType{}, param.name.span);
      continue;
    }
    body.declare_local(param.name.text, type(*declaration.file, param.type), param.name.span);
  }
  const Checked value =
      body.value(*decl.body, body.destination_of(fn_result(declaration), std::string(declaration.name)));
  ir::Function& function = unit().functions[index];
  function.parameters = static_cast<std::uint16_t>(decl.params.size());
  function.expr = value.expr;
  body.finish(function);
}

ir::Index CompilerState::datatype(const Declaration& declaration, base::Span use) {
  const auto found = made_.find(declaration.decl);
  if (found != made_.end()) {
    if (found->second.progress == Progress::running && report_cycle(declaration, use)) return ir::kNone;
    return found->second.function;
  }
  const auto& decl = *declaration.decl->get_if<ast::DatatypeDecl>();
  const std::string name =
      decl.source.text + (decl.variant ? "@" + decl.variant->text : "") + "->" + decl.target.name.text;
  const ir::Index function = reserve_function(std::string(declaration.package) + ":" + name);
  made_[declaration.decl] = {Progress::running, function};
  call_stack_.push_back(&declaration);
  compile_datatype(declaration, function);
  call_stack_.pop_back();
  made_[declaration.decl].progress = Progress::done;
  return function;
}

void CompilerState::compile_datatype(const Declaration& declaration, ir::Index index) {
  const auto& decl = *declaration.decl->get_if<ast::DatatypeDecl>();
  const std::string name =
      decl.source.text + (decl.variant ? "@" + decl.variant->text : "") + "->" + decl.target.name.text;
  Body body(*this, *declaration.file, std::string(declaration.package) + ":" + name + ".");
  StaticType source = is_datatype(decl.source.text) ? v2_type(decl.source.text) : fhir_type(decl.source.text);
  if (source.is_error()) {
    report(ErrorCode::E0305, decl.source.span, "unknown type `" + decl.source.text + "`");
  }
  Target target;
  target.reg = body.new_object();
  const StaticType result = fhir_type(decl.target.name.text);
  if (!result.is_error() && source.is_v2()) {
    target.kind = Target::Kind::fhir;
    target.fhir = result.fhir;
    target.shape = builder.fhir_shape(*result.fhir);
  } else if (is_datatype(decl.target.name.text)) {
    target.kind = Target::Kind::v2;
    target.datatype = decl.target.name.text;
    target.shape = builder.shape(ir::ShapeKind::v2_datatype, target.datatype,
                                 builder.type(v2_type(decl.target.name.text)));
  } else if (!result.is_error() && source.kind == StaticType::Kind::fhir) {
    target.kind = Target::Kind::fhir;
    target.fhir = result.fhir;
    target.shape = builder.fhir_shape(*result.fhir);
  } else {
    report(ErrorCode::E0305, decl.target.span, "unknown type `" + decl.target.name.text + "`");
    return;
  }
  const std::uint16_t slot = body.declare_local("", source, decl.source.span);
  body.set_this(slot, source);
  const std::uint16_t reg = target.reg;
  const ir::Index shape = target.shape;
  body.set_target(std::move(target));
  bool all_constant = false;
  const ir::Range range = body.object_block(decl.body, reg, all_constant);
  ir::Function& function = unit().functions[index];
  function.parameters = 1;
  function.shape = shape;
  function.body = range;
  function.all_constant = all_constant;
  body.finish(function);
}

}  // namespace kiln::mappings::detail
