#include "mappings/detail/declarations.h"

#include <algorithm>

#include "mappings/detail/extend.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

constexpr hl7::Version kDefaultVersion = hl7::Version::v2_5_1;

hl7::Version version_of(CompilerState& state, const std::string& text, base::Span span) {
  if (text.empty()) return kDefaultVersion;
  if (const auto found = hl7::find_version(text)) return *found;
  std::string known;
  for (const auto version : hl7::kVersions)
    known += (known.empty() ? "" : " ") + std::string(hl7::version_text(version));
  state.report(ErrorCode::E0108, span, "HL7 version " + text + " is not known")
      .notes.push_back("known: " + known);
  return kDefaultVersion;
}

std::optional<StructureChoice> structure_of(CompilerState& state, hl7::Version version,
                                            const std::string& name, base::Span span) {
  auto found = find_structure(version, name);
  if (found) return found;
  const hl7::Dictionary dictionary(version);
  const std::string text(hl7::version_text(version));
  auto& diagnostic = state.report(ErrorCode::E0108, span, text + " has no structure or event " + name);
  std::vector<std::string> names;
  for (const auto& structure : dictionary.structures()) names.emplace_back(structure.id);
  for (const auto& event : dictionary.events()) names.emplace_back(event.event);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  suggest(diagnostic, name, {names.begin(), names.end()});
  for (const auto other : hl7::kVersions) {
    if (!find_structure(other, name)) continue;
    diagnostic.notes.push_back(name + " exists from " + std::string(hl7::version_text(other)));
    break;
  }
  return std::nullopt;
}

/// One map under compilation.
class MapCompiler {
 public:
  /// `declaration` is the map, or the one that `extension` makes the map `named` of.
  MapCompiler(CompilerState& state, const Declaration& declaration, const Declaration& named,
              Extension* extension)
      : state_(state),
        declaration_(declaration),
        named_(named),
        decl_(*declaration.decl->get_if<ast::MapDecl>()),
        body_(state, *declaration.file,
              std::string(declaration.package) + ":" + std::string(declaration.name) + "/") {
    body_.set_extension(extension);
  }

  std::optional<MapInfo> run(const MapRequest* request, const LibraryFile* request_file) {
    info_.name = named_.qualified();
    info_.package = named_.package;
    info_.span = named_.span;
    map_.name = state_.builder.string(info_.name);
    map_.span = named_.span;
    map_.strict = decl_.strict || state_.strict;
    body_.set_strict(map_.strict);
    if (decl_.params.empty()) {
      state_.report(
          ErrorCode::E0215, decl_.name.span,
          "a map needs its source as parameter: `map " + decl_.name.text + "(msg: hl7 ADT_A01 2.5.1)`");
      return std::nullopt;
    }
    if (!source(decl_.params.front()) || !target()) return std::nullopt;
    parameters(request, request_file);
    const auto function = static_cast<ir::Index>(state_.unit().functions.size());
    state_.unit().functions.emplace_back();
    const bool whole = !state_.shipped_maps || !named_.file->shipped || state_.shipped_maps(info_);
    const ir::Range range = whole ? block() : ir::Range();
    if (whole && target_tree_) {
      body_.check_required_segments(decl_.target.span, decl_.target.text);
      require_segments();
    }
    if (whole) body_.check_all_rules();
    ir::Function& made = state_.unit().functions[function];
    made.name = map_.name;
    made.parameters = parameters_;
    made.body = range;
    made.shape = map_.shape;
    body_.finish(made);
    map_.function = function;
    map_.segments = body_.segment_range();
    map_.groups = body_.group_range();
    map_.can_reject = body_.can_reject();
    info_.can_reject = map_.can_reject;
    info_.map = static_cast<std::uint32_t>(state_.unit().maps.size());
    state_.unit().maps.push_back(map_);
    return info_;
  }

 private:
  /// A rule may come to nothing: the run looks again.
  void require_segments() {
    auto& ids = state_.unit().required_segments;
    map_.required_segments.first = static_cast<ir::Index>(ids.size());
    for (const std::string& name : body_.required_segments()) ids.push_back(ir::pack_segment(name));
    map_.required_segments.count = static_cast<ir::Index>(ids.size()) - map_.required_segments.first;
    for (const auto& stmt : decl_.body.statements) {
      const auto* on = stmt.get_if<ast::OnEvent>();
      if (on != nullptr && on->event == ast::OnEvent::Event::missing) map_.missing_segment = state_.policy(on->policy);
    }
  }
  ir::Range block() {
    bool all_constant = false;
    const std::string top;
    return body_.object_block(decl_.body, 0, all_constant, &top);
  }

  /// The parameters behind the source: constants of the request, else absent.
  void parameters(const MapRequest* request, const LibraryFile* file) {
    std::vector<const ast::Expr*> given(decl_.params.size(), nullptr);
    std::size_t next = 1;
    static const std::vector<ast::Arg> kNone;
    for (const ast::Arg& arg : request != nullptr ? *request->arguments : kNone) {
      std::size_t at = next++;
      for (std::size_t i = 1; arg.name && i < decl_.params.size(); ++i)
        if (decl_.params[i].name.text == arg.name->text) at = i;
      const bool known = arg.name ? at < decl_.params.size() && decl_.params[at].name.text == arg.name->text
                                  : at < decl_.params.size();
      if (known)
        given[at] = arg.value.get();
      else
        state_.report(ErrorCode::E0501, arg.value->span,
                      std::string(named_.name) + (arg.name ? " has no parameter `" + arg.name->text + "`"
                                                           : " takes " + std::to_string(decl_.params.size() - 1) +
                                                                 " arguments"));
    }
    for (std::size_t i = 1; i < decl_.params.size(); ++i) {
      const ast::Param& param = decl_.params[i];
      const bool optional = param.type.arity == ast::Type::Arity::optional;
      if (!optional && given[i] == nullptr) info_.needs.push_back(param.name.text);
      body_.bind_parameter(param, given[i], file == nullptr ? *declaration_.file : *file);
    }
    if (request != nullptr && !info_.needs.empty())
      state_.report(ErrorCode::E0501, request->map->span,
                    std::string(named_.name) + " needs `" + info_.needs.front() + "`");
  }

  bool source(const ast::Param& param) {
    using Model = ast::Type::Model;
    const std::string& name = param.type.name.text;
    if (param.type.model == Model::hl7) {
      const std::string declared(state_.as_version.empty() ? param.type.version : state_.as_version);
      const hl7::Version version = version_of(state_, declared, param.type.span);
      const auto structure = structure_of(state_, version, name, param.type.name.span);
      if (!structure) return false;
      const std::string text(hl7::version_text(version));
      body_.set_version(version, "this map declares " + name + " " + text);
      body_.set_source(structure->structure);
      body_.set_event(structure->event);
      body_.declare_message(param.name.text);
      map_.source = ir::Side::hl7;
      map_.source_type = state_.builder.string(structure->structure.id);
      map_.source_version = state_.builder.string(text);
      if (!structure->event.empty()) map_.source_event = state_.builder.string(structure->event);
      info_.source = {DataKind::hl7, name, text};
      info_.source_structure = structure->structure.id;
      info_.source_event = structure->event;
      return true;
    }
    const StaticType type = state_.type(*declaration_.file, param.type);
    if (type.is_error()) return false;
    parameters_ = 1;
    map_.source_type = state_.builder.string(name);
    if (type.kind == StaticType::Kind::csv_row) {
      map_.source = ir::Side::csv;
      map_.source_csv = type.index;
      body_.declare_local(param.name.text, type.as_list(), param.name.span);
      info_.source = {DataKind::csv, name, {}};
      return true;
    }
    if (type.kind != StaticType::Kind::fhir || !type.fhir->is_resource()) {
      state_.report(ErrorCode::E0501, param.type.span,
                    "a map takes an HL7 message, a FHIR resource or CSV rows, not " + name_of(type));
      return false;
    }
    map_.source = ir::Side::fhir;
    body_.declare_local(param.name.text, type, param.name.span);
    info_.source = {DataKind::fhir, name, {}};
    return true;
  }

  bool target() {
    const std::string& name = decl_.target.text;
    map_.target_type = state_.builder.string(name);
    Target target;
    target.reg = body_.new_object();
    if (decl_.model == ast::Type::Model::hl7) return hl7_target(std::move(target));
    if (decl_.model == ast::Type::Model::csv) {
      const auto found = state_.library.resolve(*declaration_.file, name, DeclKind::csv);
      if (found.found == nullptr) {
        auto& diagnostic =
            state_.report(ErrorCode::E0305, decl_.target.span, "no csv `" + name + "` is declared");
        suggest(diagnostic, name, state_.library.names_in_scope(*declaration_.file, DeclKind::csv));
        return false;
      }
      CsvModel& csv = state_.csv(*found.found);
      map_.target = ir::Side::csv;
      map_.target_csv = csv.schema;
      target.kind = Target::Kind::csv;
      target.csv = &csv;
      target.shape = state_.builder.shape(ir::ShapeKind::csv_row, found.found->qualified(), 0);
      info_.target = {DataKind::csv, name, {}};
      body_.set_target(std::move(target));
      return true;
    }
    const fhir::TypeDef* type = fhir::find_resource_type(name);
    if (type == nullptr) {
      auto& diagnostic =
          state_.report(ErrorCode::E0201, decl_.target.span, "FHIR R4 has no resource type " + name);
      std::vector<std::string_view> names;
      for (const auto& other : fhir::all_types()) {
        if (other.is_resource() && !other.is_abstract()) names.push_back(other.name());
      }
      suggest(diagnostic, name, names);
      return false;
    }
    map_.target = ir::Side::fhir;
    info_.target = {DataKind::fhir, name, {}};
    if (name == "Bundle") {
      using Interaction = ast::MapDecl::Interaction;
      const char* kind = decl_.interaction == Interaction::batch        ? "batch"
                         : decl_.interaction == Interaction::message    ? "message"
                         : decl_.interaction == Interaction::collection ? "collection"
                                                                        : "transaction";
      map_.bundle_type = state_.builder.string(kind);
      body_.set_target({});
      return true;
    }
    target.kind = Target::Kind::fhir;
    target.fhir = type;
    target.shape = state_.builder.fhir_shape(*type);
    map_.shape = target.shape;
    body_.set_target(std::move(target));
    return true;
  }

  bool hl7_target(Target target) {
    const hl7::Version version = version_of(state_, decl_.version, decl_.target_span);
    const auto structure = structure_of(state_, version, decl_.target.text, decl_.target.span);
    if (!structure) return false;
    const std::string text(hl7::version_text(version));
    map_.target = ir::Side::hl7;
    map_.target_type = state_.builder.string(structure->structure.id);
    map_.target_version = state_.builder.string(text);
    if (!structure->event.empty()) map_.target_event = state_.builder.string(structure->event);
    info_.target = {DataKind::hl7, decl_.target.text, text};
    body_.set_target_structure(structure->structure, version);
    target_tree_ = true;
    target.kind = Target::Kind::v2;
    target.shape = state_.builder.shape(ir::ShapeKind::v2_structure, structure->structure.id,
                                        state_.builder.type(structure->structure.id, ir::TypeKind::group));
    map_.shape = target.shape;
    body_.set_target(std::move(target));
    return true;
  }

  CompilerState& state_;
  const Declaration& declaration_;
  const Declaration& named_;
  const ast::MapDecl& decl_;
  Body body_;
  ir::Map map_;
  MapInfo info_;
  std::uint16_t parameters_ = 0;
  bool target_tree_ = false;
};

}  // namespace

std::optional<MapInfo> compile_map(CompilerState& state, const Declaration& declaration,
                                   const MapRequest* request, const LibraryFile* file) {
  if (declaration.decl->get_if<ast::MapDecl>() != nullptr)
    return MapCompiler(state, declaration, declaration, nullptr).run(request, file);
  auto extension = Extension::open(state, declaration);
  if (!extension) return std::nullopt;
  auto made = MapCompiler(state, extension->base(), declaration, &*extension).run(request, file);
  if (made) extension->finish(state.overridden);
  return made;
}

void check_fragment(CompilerState& state, const Declaration& declaration) {
  const auto& decl = *declaration.decl->get_if<ast::FragmentDecl>();
  Body body(state, *declaration.file,
            std::string(declaration.package) + ":" + std::string(declaration.name) + ".");
  for (const auto& param : decl.params) {
    const std::string& name = param.type.name.text;
    if (param.type.model == ast::Type::Model::hl7 && !is_datatype(name)) {
      if (!hl7::first_version_with_segment(name) &&
          state.library.resolve(*declaration.file, name, DeclKind::segment).found == nullptr) {
        auto& diagnostic = state.report(ErrorCode::E0104, param.type.name.span, "unknown segment " + name);
        diagnostic.helps.push_back("a fragment takes segments and values: `fragment F(PID: hl7 PID)`");
        continue;
      }
      body.declare_segment(name, body.make_segment_ref(name, {}, -1));
      continue;
    }
    body.declare_local(param.name.text, state.type(*declaration.file, param.type), param.name.span);
  }
  Target target;
  target.reg = body.new_object();
  if (decl.target.model == ast::Type::Model::hl7) {
    const std::string& segment = decl.target.name.text;
    if (!hl7::first_version_with_segment(segment)) {
      state.report(ErrorCode::E0104, decl.target.name.span, "unknown segment " + segment)
          .helps.push_back("a fragment with HL7 target builds one segment: `-> hl7 MSH`");
      return;
    }
    target.kind = Target::Kind::v2;
    target.segment = segment;
    target.shape = state.builder.shape(ir::ShapeKind::v2_segment, segment,
                                       state.builder.type(segment, ir::TypeKind::segment));
  } else {
    const StaticType type = state.type(*declaration.file, decl.target);
    if (type.is_error()) return;
    if (type.kind == StaticType::Kind::fhir && !type.is_complex("Bundle")) {
      target.kind = Target::Kind::fhir;
      target.fhir = type.fhir;
      target.shape = state.builder.fhir_shape(*type.fhir);
    }
  }
  const std::uint16_t reg = target.reg;
  body.set_target(std::move(target));
  body.set_part(reg);
  state.include_stack.push_back(declaration.decl);
  bool all_constant = false;
  body.object_block(decl.body, reg, all_constant);
  state.include_stack.pop_back();
}

std::optional<std::uint32_t> compile_expression(CompilerState& state, const ExpressionRequest& request) {
  const LibraryFile& file = state.library.file_of(*request.file);
  Body body(state, file, file.package + ":expression.");
  body.refuse_lookups();
  ir::Map made;
  std::uint16_t parameters = 0;
  const base::Span span = request.expr->span;
  made.span = span;
  if (request.source.kind == DataKind::hl7) {
    const hl7::Version version = version_of(state, request.source.version, span);
    const auto structure = structure_of(state, version, request.source.name, span);
    if (!structure) return std::nullopt;
    body.set_version(version, "the channel accepts " + request.source.name + " " +
                                  std::string(hl7::version_text(version)));
    body.set_source(structure->structure);
    made.source_type = state.builder.string(structure->structure.id);
    made.source_version = state.builder.string(hl7::version_text(version));
  } else if (request.source.kind == DataKind::fhir) {
    const StaticType type = fhir_type(request.source.name);
    if (type.is_error()) return std::nullopt;
    made.source = ir::Side::fhir;
    made.source_type = state.builder.string(request.source.name);
    body.set_this(body.declare_local("", type, span), type);
    parameters = 1;
  } else {
    const auto csv = state.library.resolve(file, request.source.name, DeclKind::csv);
    if (csv.found == nullptr) return std::nullopt;
    StaticType type;
    type.kind = StaticType::Kind::csv_row;
    type.list = true;
    type.name = csv.found->name;
    type.index = state.csv(*csv.found).schema;
    made.source = ir::Side::csv;
    made.source_csv = type.index;
    made.source_type = state.builder.string(request.source.name);
    body.declare_local("rows", type, span);
    parameters = 1;
  }
  ir::Index expr = ir::kNone;
  const bool is_condition = request.want == ExpressionRequest::Want::condition;
  if (is_condition) {
    expr = body.condition(*request.expr);
  } else {
    Destination text = body.destination_of(fhir_type("string"), "text");
    text.explicit_cast = true;
    expr = body.value(*request.expr, text).expr;
  }
  const auto function = static_cast<ir::Index>(state.unit().functions.size());
  ir::Function lowered;
  lowered.name = state.builder.string(file.package + ":expression");
  lowered.parameters = parameters;
  lowered.expr = expr;
  body.finish(lowered);
  state.unit().functions.push_back(lowered);
  made.function = function;
  made.name = lowered.name;
  made.segments = body.segment_range();
  made.groups = body.group_range();
  state.unit().expressions.push_back(made);
  return static_cast<std::uint32_t>(state.unit().expressions.size() - 1);
}

}  // namespace kiln::mappings::detail
